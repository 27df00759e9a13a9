/* What the engine promises of a row, and what it says of itself. */
#include "fixtures.h"

/* ---- promise 2: a row does not depend on the others ---- */

enum { ROWS = 1000 };

static const int64_t batches[] = {1, 7, 64, 256, 257, 999, ROWS};

static fmatch_context *make_context(int32_t matmul, int32_t set, int32_t threads)
{
    fmatch_context_config config;
    fmatch_context_config_init(&config);
    config.matmul = matmul;
    config.instruction_set = set;
    config.threads = threads;
    fmatch_context *context;
    expect_ok(fmatch_context_create(&context, &config));
    return context;
}

struct network {
    int32_t dim, layers, width;
};

static const struct network networks[] = {{1, 2, 64}, {3, 3, 17}, {5, 1, 3}, {2, 2, 400}};

/* First rows of a batch of n: all of them, but no more than some for batches of few rows. */
static int64_t next_first(int64_t first, int64_t n)
{
    return n < 64 ? first + 41 : first + n / 3 + 1;
}

static void expect_rows_evaluate_alike(const fmatch_model *model, const struct network *net,
                                       const char *where)
{
    const int32_t dim = net->dim;
    float *x = floats(ROWS * dim), *t = floats(ROWS), *all = floats(ROWS * dim);
    float *some = floats(ROWS * dim);
    fill_scattered(x, ROWS * dim, -3, 3, 1);
    fill_scattered(t, ROWS, 0, 1, 2);
    expect_ok(fmatch_model_evaluate(model, ROWS, x, t, NULL, all));
    for (size_t b = 0; b < COUNT(batches); b++)
        for (int64_t first = 0; first + batches[b] <= ROWS; first = next_first(first, batches[b])) {
            expect_ok(
                fmatch_model_evaluate(model, batches[b], x + first * dim, t + first, NULL, some));
            expect_same_bits(some, all + first * dim, batches[b] * dim,
                             "%s: evaluate, %lld rows from row %lld", where, (long long)batches[b],
                             (long long)first);
        }
    free(x), free(t), free(all), free(some);
}

static void expect_rows_sample_alike(const fmatch_model *model, const struct network *net,
                                     int32_t solver, const char *where)
{
    const int32_t dim = net->dim;
    fmatch_sampler *sampler = make_sampler(model, solver, 3, 0, 1);
    float *all = floats(ROWS * dim), *some = floats(ROWS * dim), *end = floats(ROWS * dim);
    float *x = floats(ROWS * dim);
    fill_scattered(x, ROWS * dim, -3, 3, 1);
    expect_ok(fmatch_sampler_draw(sampler, 8, 0, ROWS, NULL, all));
    expect_ok(fmatch_sampler_integrate(sampler, ROWS, x, NULL, end));
    for (size_t b = 0; b < COUNT(batches); b++)
        for (int64_t first = 0; first + batches[b] <= ROWS; first = next_first(first, batches[b])) {
            expect_ok(fmatch_sampler_draw(sampler, 8, first, batches[b], NULL, some));
            expect_same_bits(some, all + first * dim, batches[b] * dim,
                             "%s: draw, %lld rows from row %lld", where, (long long)batches[b],
                             (long long)first);
            expect_ok(fmatch_sampler_integrate(sampler, batches[b], x + first * dim, NULL, some));
            expect_same_bits(some, end + first * dim, batches[b] * dim,
                             "%s: integrate, %lld rows from row %lld", where, (long long)batches[b],
                             (long long)first);
        }
    free(x), free(all), free(some), free(end);
    fmatch_sampler_destroy(&sampler);
}

static void a_row_does_not_depend_on_the_others(void **state)
{
    (void)state;
    static const int32_t solvers[] = {FMATCH_SOLVER_EULER, FMATCH_SOLVER_MIDPOINT,
                                      FMATCH_SOLVER_HEUN, FMATCH_SOLVER_RK4};
    static const float mean[] = {0.5f, -1, 2, 0, 1}, std[] = {2, 0.5f, 1, 3, 0.1f};
    for (int32_t matmul = FMATCH_MATMUL_AUTO; matmul <= FMATCH_MATMUL_BUILTIN; matmul++)
        for (int32_t set = FMATCH_INSTRUCTION_SET_AUTO; set <= FMATCH_INSTRUCTION_SET_BASELINE;
             set++)
            for (size_t i = 0; i < COUNT(networks); i++) {
                const struct network *net = &networks[i];
                char where[96];
                snprintf(where, sizeof where, "matmul %d, instruction set %d, %d x %d, dim %d",
                         (int)matmul, (int)set, (int)net->layers, (int)net->width, (int)net->dim);
                fmatch_context *context = make_context(matmul, set, 1 + (int32_t)i % 2);
                fmatch_mlp_config config;
                fmatch_mlp_config_init_preset(&config, FMATCH_PRESET_PLAIN);
                config.dim = net->dim;
                config.hidden_layers = net->layers;
                config.hidden_width = net->width;
                config.data_mean = i % 2 ? mean : NULL;
                config.data_std = i % 2 ? std : NULL;
                fmatch_model *model;
                expect_ok(fmatch_model_create_mlp(&model, context, &config));
                expect_rows_evaluate_alike(model, net, where);
                expect_rows_sample_alike(model, net, solvers[i], where);
                fmatch_model_destroy(&model);
                fmatch_context_destroy(&context);
            }
}

/* ---- matmul ---- */

static void matmul_must_be_one_of_three(void **state)
{
    (void)state;
    static const int32_t wrong[] = {-1, 3, INT32_MAX};
    for (size_t i = 0; i < COUNT(wrong); i++) {
        fmatch_context_config config;
        fmatch_context_config_init(&config);
        config.matmul = wrong[i];
        fmatch_context *context;
        expect_status(fmatch_context_create(&context, &config), FMATCH_ERROR_ARGUMENT);
        expect_detail("matmul", "0", "2");
        assert_null(context);
    }
}

static void blas_is_refused_where_there_is_none(void **state)
{
    (void)state;
    fmatch_context_config config;
    fmatch_context_config_init(&config);
    config.matmul = FMATCH_MATMUL_BLAS;
    fmatch_context *context;
    if (blas_is_there()) {
        expect_ok(fmatch_context_create(&context, &config));
        fmatch_context_destroy(&context);
        return;
    }
    expect_status(fmatch_context_create(&context, &config), FMATCH_ERROR_UNSUPPORTED);
    expect_detail("matmul", "BLAS");
    assert_null(context);
}

/* The products are chosen by matmul: OpenBLAS and the built-in one differ in the last bits, and
 * agree but for those. */
static void each_matmul_computes_the_same(void **state)
{
    (void)state;
    if (!blas_is_there()) {
        print_message("# skipped: built without a BLAS\n");
        return;
    }
    enum { N = 500 };
    float *x = floats(2 * N), *t = floats(N), *v[2] = {floats(2 * N), floats(2 * N)};
    fill_scattered(x, 2 * N, -2, 2, 1);
    fill_scattered(t, N, 0, 1, 2);
    for (int i = 0; i < 2; i++) {
        fmatch_context *context = make_context(i ? FMATCH_MATMUL_BLAS : FMATCH_MATMUL_BUILTIN,
                                               FMATCH_INSTRUCTION_SET_AUTO, 1);
        fmatch_model *model = make_mlp(context, 2, 2, 100, FMATCH_ACTIVATION_TANH, 3);
        expect_ok(fmatch_model_evaluate(model, N, x, t, NULL, v[i]));
        fmatch_model_destroy(&model);
        fmatch_context_destroy(&context);
    }
    int64_t different = 0;
    for (int64_t i = 0; i < 2 * N; i++) {
        expect_close(v[0][i], v[1][i], 2e-6, "element %lld", (long long)i);
        different += v[0][i] != v[1][i];
    }
    expect_that(different > 0, "matmul = blas gives the built-in product's bits");
    free(x), free(t), free(v[0]), free(v[1]);
}

/* ---- facts ---- */

static void build_info_says_what_is_there(void **state)
{
    (void)state;
    fmatch_build_info info;
    memset(&info, 0xFF, sizeof info);
    info.struct_size = sizeof info;
    fmatch_build_get_info(&info);
    assert_int_equal(info.struct_size, sizeof info);
    assert_string_equal(info.version, fmatch_version_get_text());

    fmatch_context *context;
    expect_ok(fmatch_context_create(&context, NULL));
    const bool avx2 = fmatch_context_get_instruction_set(context) == FMATCH_INSTRUCTION_SET_AVX2;
    assert_string_equal(info.instruction_set, avx2 ? "AVX2" : "baseline");
    fmatch_context_destroy(&context);

    if (!info.blas_name[0]) {
        assert_int_equal(info.blas_threads, 0);
        assert_string_equal(info.blas_version, "");
        assert_string_equal(info.blas_core, "");
        assert_string_equal(info.blas_threading, "");
        return;
    }
    assert_string_equal(info.blas_name, "OpenBLAS");
    int major = -1, minor = -1;
    expect_that(sscanf(info.blas_version, "%d.%d", &major, &minor) == 2,
                "blas_version is '%s', not a version", info.blas_version);
    expect_that(info.blas_core[0] != '\0', "blas_core is empty");
    expect_that(strcmp(info.blas_threading, "serial") == 0 ||
                    strcmp(info.blas_threading, "pthread") == 0 ||
                    strcmp(info.blas_threading, "OpenMP") == 0,
                "blas_threading is '%s'", info.blas_threading);
    expect_that(info.blas_threads >= 1, "blas_threads is %d", (int)info.blas_threads);
}

static void build_info_respects_the_callers_size(void **state)
{
    (void)state;
    fmatch_build_get_info(NULL);
    for (uint32_t size = 0; size < sizeof(fmatch_build_info) + 8; size++) {
        unsigned char bytes[sizeof(fmatch_build_info) + 16];
        memset(bytes, 0x5C, sizeof bytes);
        fmatch_build_info info; /* for alignment */
        memcpy(&info, bytes, sizeof info);
        info.struct_size = size;
        if (size > sizeof info)
            continue;
        fmatch_build_get_info(&info);
        memcpy(bytes, &info, sizeof info);
        for (size_t i = size < 4 ? 4 : size; i < sizeof info; i++)
            expect_that(bytes[i] == 0x5C, "size %u: byte %zu was written", (unsigned)size, i);
    }
}

static void blas_threads_are_set_for_the_process(void **state)
{
    (void)state;
    static const int32_t wrong[] = {0, -1, 1025, INT32_MIN};
    for (size_t i = 0; i < COUNT(wrong); i++) {
        expect_status(fmatch_blas_set_threads(wrong[i]), FMATCH_ERROR_ARGUMENT);
        expect_detail("threads", "1", "1024");
    }
    if (!blas_is_there()) {
        expect_status(fmatch_blas_set_threads(1), FMATCH_ERROR_UNSUPPORTED);
        expect_detail("BLAS");
        return;
    }
    fmatch_build_info before = {.struct_size = sizeof before}, now = before;
    fmatch_build_get_info(&before);
    if (strcmp(before.blas_threading, "serial") == 0) {
        print_message("# skipped: this BLAS has one thread\n");
        return;
    }
    for (int32_t threads = 1; threads <= 2; threads++) {
        expect_ok(fmatch_blas_set_threads(threads));
        fmatch_build_get_info(&now);
        expect_that(now.blas_threads == threads, "set to %d, build info says %d", (int)threads,
                    (int)now.blas_threads);
    }
    expect_ok(fmatch_blas_set_threads(before.blas_threads));
}

/* The setting is the host's: nothing that the library does by itself changes it. */
static void work_leaves_the_blas_threads_alone(void **state)
{
    (void)state;
    fmatch_build_info before = {.struct_size = sizeof before}, after = before;
    fmatch_build_get_info(&before);
    fmatch_context *context = make_context(FMATCH_MATMUL_AUTO, FMATCH_INSTRUCTION_SET_AUTO, 2);
    fmatch_source *target = make_post_target(context);
    fmatch_model *model = make_mlp(context, 1, 2, 400, FMATCH_ACTIVATION_GELU, 1);
    fmatch_trainer *trainer = make_trainer(model, make_adam(context, 1e-3), target, 256, 1);
    expect_ok(fmatch_trainer_run(trainer, 2, NULL));
    fmatch_build_get_info(&after);
    expect_that(before.blas_threads == after.blas_threads, "BLAS threads went from %d to %d",
                (int)before.blas_threads, (int)after.blas_threads);
    fmatch_trainer_destroy(&trainer);
    fmatch_model_destroy(&model);
    fmatch_source_destroy(&target);
    fmatch_context_destroy(&context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_row_does_not_depend_on_the_others),
        cmocka_unit_test(matmul_must_be_one_of_three),
        cmocka_unit_test(blas_is_refused_where_there_is_none),
        cmocka_unit_test(each_matmul_computes_the_same),
        cmocka_unit_test(build_info_says_what_is_there),
        cmocka_unit_test(build_info_respects_the_callers_size),
        cmocka_unit_test(blas_threads_are_set_for_the_process),
        cmocka_unit_test(work_leaves_the_blas_threads_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
