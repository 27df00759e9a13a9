/* The context, the status and detail text, and the version. */
#include "fixtures.h"

#include <pthread.h>

static int sinks_destroyed;

static void sink_write(void *user, int32_t level, const char *message)
{
    (void)user, (void)level, (void)message;
}

static void sink_destroy(void *user)
{
    (*(int *)user)++;
}

static void defaults_are_one_thread_and_the_best_instruction_set(void **state)
{
    (void)state;
    fmatch_context_config config;
    memset(&config, 0xFF, sizeof config);
    fmatch_context_config_init(&config);
    assert_int_equal(config.struct_size, sizeof config);
    assert_int_equal(config.threads, 1);
    assert_null(config.allocator);
    assert_null(config.log);
    assert_int_equal(config.instruction_set, FMATCH_INSTRUCTION_SET_AUTO);
    assert_int_equal(config.matmul, FMATCH_MATMUL_AUTO);

    fmatch_context *context;
    expect_ok(fmatch_context_create(&context, NULL));
    assert_int_equal(fmatch_context_get_threads(context), 1);
    assert_true(fmatch_context_get_instruction_set(context) > FMATCH_INSTRUCTION_SET_AUTO);
    fmatch_context_destroy(&context);
    assert_null(context);
    assert_int_equal(fmatch_context_get_threads(NULL), 0);
    assert_int_equal(fmatch_context_get_instruction_set(NULL), 0);
}

static void init_never_writes_past_the_callers_size(void **state)
{
    (void)state;
    for (size_t size = 0; size <= sizeof(fmatch_context_config); size++) {
        unsigned char bytes[sizeof(fmatch_context_config) + 8];
        memset(bytes, 0x5C, sizeof bytes);
        fmatch_context_config config; /* for alignment */
        memcpy(&config, bytes, sizeof config);
        fmatch_context_config_init_sized(&config, size);
        memcpy(bytes, &config, sizeof config);
        for (size_t i = size; i < sizeof config; i++)
            expect_that(bytes[i] == 0x5C, "size %zu: byte %zu was written", size, i);
    }
}

static void settings_are_kept(void **state)
{
    (void)state;
    fmatch_context_config config;
    fmatch_context_config_init(&config);
    config.threads = 3;
    config.instruction_set = FMATCH_INSTRUCTION_SET_BASELINE;
    fmatch_context *context;
    expect_ok(fmatch_context_create(&context, &config));
    assert_int_equal(fmatch_context_get_threads(context), 3);
    assert_int_equal(fmatch_context_get_instruction_set(context), FMATCH_INSTRUCTION_SET_BASELINE);
    fmatch_context_destroy(&context);
}

static void allocator_and_sink_are_copied_used_and_destroyed_once(void **state)
{
    (void)state;
    struct ledger ledger = {0};
    sinks_destroyed = 0;
    fmatch_allocator allocator = ledger_allocator(&ledger);
    fmatch_log_sink sink = {sizeof sink, 0, sink_write, sink_destroy, &sinks_destroyed};
    fmatch_context_config config;
    fmatch_context_config_init(&config);
    config.allocator = &allocator;
    config.log = &sink;
    fmatch_context *context;
    expect_ok(fmatch_context_create(&context, &config));
    memset(&allocator, 0, sizeof allocator);
    memset(&sink, 0, sizeof sink);

    int64_t calls = ledger.calls;
    expect_that(calls > 0, "the context's own memory came from %lld calls", (long long)calls);
    fmatch_source *source = make_normal(context, 3);
    expect_that(ledger.calls > calls, "a source made %lld calls",
                (long long)(ledger.calls - calls));

    fmatch_context_destroy(&context);
    assert_int_equal(ledger.destroyed, 0);
    assert_int_equal(sinks_destroyed, 0);
    float x[3];
    expect_ok(fmatch_source_draw(source, 1, 0, 1, x));
    fmatch_source_destroy(&source);
    assert_int_equal(ledger.destroyed, 1);
    assert_int_equal(sinks_destroyed, 1);
    expect_balanced(&ledger, "after the last handle");
}

/* Each way to fail: the out-pointer is NULL, both owners are destroyed once, nothing is left. */
static void failed_create_destroys_allocator_and_sink(void **state)
{
    (void)state;
    for (int way = 0; way < 4; way++) {
        struct ledger ledger = {0};
        sinks_destroyed = 0;
        fmatch_allocator allocator = ledger_allocator(&ledger);
        fmatch_log_sink sink = {sizeof sink, 0, sink_write, sink_destroy, &sinks_destroyed};
        fmatch_context_config config;
        fmatch_context_config_init(&config);
        config.allocator = &allocator;
        config.log = &sink;
        fmatch_status wanted = FMATCH_ERROR_ARGUMENT;
        if (way == 0)
            config.threads = 0;
        if (way == 1)
            config.threads = 1025;
        if (way == 2)
            config.instruction_set = 77;
        if (way == 3) {
            ledger.fail_at = 1;
            ledger.fail_on = true;
            wanted = FMATCH_ERROR_NO_MEMORY;
        }
        fmatch_context *context = (fmatch_context *)&config;
        expect_status(fmatch_context_create(&context, &config), wanted);
        assert_null(context);
        expect_that(ledger.destroyed == 1 && sinks_destroyed == 1,
                    "way %d: allocator destroyed %lld times, sink %d times", way,
                    (long long)ledger.destroyed, sinks_destroyed);
        expect_balanced(&ledger, "failed create");
    }
}

static void detail_is_cleared_by_the_next_success(void **state)
{
    fmatch_source *source;
    expect_status(fmatch_source_create_normal(&source, context_of(state), 0),
                  FMATCH_ERROR_ARGUMENT);
    expect_detail("dim", "0", "1", "65536");
    assert_null(source);
    expect_ok(fmatch_source_create_normal(&source, context_of(state), 1));
    assert_string_equal(fmatch_error_detail(), "");
    assert_int_equal(fmatch_error_callback_code(), 0);
    fmatch_source_destroy(&source);
}

static void *detail_seen_by_another_thread(void *seen)
{
    *(size_t *)seen = strlen(fmatch_error_detail());
    return NULL;
}

static void detail_belongs_to_the_thread(void **state)
{
    fmatch_source *source;
    expect_status(fmatch_source_create_normal(&source, context_of(state), -4),
                  FMATCH_ERROR_ARGUMENT);
    size_t length = 99;
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, detail_seen_by_another_thread, &length), 0);
    pthread_join(thread, NULL);
    assert_int_equal(length, 0);
    expect_detail("-4");
}

static void every_status_has_its_name_number_and_text(void **state)
{
    (void)state;
#define ROW(name, number, text) {name, number, #name, text},
    static const struct {
        fmatch_status status;
        int number;
        const char *name, *text;
    } rows[] = {FMATCH_STATUS_LIST(ROW)};
#undef ROW
    assert_int_equal(COUNT(rows), 14);
    for (size_t i = 0; i < COUNT(rows); i++) {
        assert_int_equal(rows[i].status, -(int)i);
        assert_string_equal(fmatch_status_get_name(rows[i].status), rows[i].name);
        assert_string_equal(fmatch_status_get_text(rows[i].status), rows[i].text);
    }
    static const fmatch_status strangers[] = {1, -14, INT32_MIN, INT32_MAX};
    for (size_t i = 0; i < COUNT(strangers); i++) {
        assert_string_equal(fmatch_status_get_name(strangers[i]), "unknown status");
        assert_string_equal(fmatch_status_get_text(strangers[i]), "unknown status");
    }
}

static void version_is_the_headers(void **state)
{
    (void)state;
    char text[64];
    snprintf(text, sizeof text, "%d.%d.%d", FMATCH_VERSION_MAJOR, FMATCH_VERSION_MINOR,
             FMATCH_VERSION_PATCH);
    assert_string_equal(fmatch_version_get_text(), text);
    assert_int_equal(fmatch_version_get_abi(), FMATCH_ABI_VERSION);
}

/* Trains a little and samples; x [100]. */
static void train_and_draw(int32_t threads, int32_t instruction_set, float *x)
{
    fmatch_context_config config;
    fmatch_context_config_init(&config);
    config.threads = threads;
    config.instruction_set = instruction_set;
    fmatch_context *context;
    expect_ok(fmatch_context_create(&context, &config));
    fmatch_source *target = make_post_target(context);
    fmatch_model *model = make_mlp(context, 1, 2, 64, FMATCH_ACTIVATION_GELU, 7);
    fmatch_trainer *trainer = make_trainer(model, make_adam(context, 1e-3), target, 300, 3);
    expect_ok(fmatch_trainer_run(trainer, 20, NULL));
    fmatch_sampler *sampler = make_sampler(model, FMATCH_SOLVER_MIDPOINT, 10, 0, 1);
    expect_ok(fmatch_sampler_draw(sampler, 5, 0, 100, NULL, x));
    fmatch_sampler_destroy(&sampler);
    fmatch_trainer_destroy(&trainer);
    fmatch_model_destroy(&model);
    fmatch_source_destroy(&target);
    fmatch_context_destroy(&context);
}

static void results_do_not_depend_on_the_number_of_threads(void **state)
{
    (void)state;
    float one[100], more[100];
    train_and_draw(1, FMATCH_INSTRUCTION_SET_AUTO, one);
    for (int32_t threads = 1; threads <= 4; threads++) {
        train_and_draw(threads, FMATCH_INSTRUCTION_SET_AUTO, more);
        expect_same_bits(more, one, 100, "%d threads against 1", threads);
    }
}

/* Twenty Adam steps amplify last-bit differences of the kernels; 1e-3 is far below the effect of a
 * wrong kernel, which would change samples in the first digit. */
static void instruction_sets_agree_closely(void **state)
{
    (void)state;
    float best[100], baseline[100];
    train_and_draw(1, FMATCH_INSTRUCTION_SET_AUTO, best);
    train_and_draw(1, FMATCH_INSTRUCTION_SET_BASELINE, baseline);
    for (int i = 0; i < 100; i++)
        expect_close(baseline[i], best[i], 1e-3, "sample %d", i);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_are_one_thread_and_the_best_instruction_set),
        cmocka_unit_test(init_never_writes_past_the_callers_size),
        cmocka_unit_test(settings_are_kept),
        cmocka_unit_test(allocator_and_sink_are_copied_used_and_destroyed_once),
        cmocka_unit_test(failed_create_destroys_allocator_and_sink),
        world_test(detail_is_cleared_by_the_next_success),
        world_test(detail_belongs_to_the_thread),
        cmocka_unit_test(every_status_has_its_name_number_and_text),
        cmocka_unit_test(version_is_the_headers),
        cmocka_unit_test(results_do_not_depend_on_the_number_of_threads),
        cmocka_unit_test(instruction_sets_agree_closely),
    };
    return cmocka_run_group_tests_name("context", tests, NULL, NULL);
}
