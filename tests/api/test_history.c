/* The history of a training as a file, read back by hand. */
#include "fixtures.h"

#include <locale.h>
#include <unistd.h>

enum { STEPS = 25, EVERY = 4, LINE = 400 };
static const char header[] = "step,loss,learning_rate,gradient_norm,validation_loss\n";

struct told {
    int64_t reports;
    fmatch_progress_info info[STEPS];
};

static int32_t keep_report(void *user, const fmatch_progress_info *info)
{
    struct told *told = user;
    told->info[told->reports++] = *info;
    return 0;
}

static fmatch_trainer *begin(fmatch_context *context)
{
    fmatch_rate_config rate;
    fmatch_rate_config_init(&rate);
    rate.steps = STEPS;
    rate.warmup = 3;
    fmatch_validation_config validation;
    fmatch_validation_config_init(&validation);
    validation.every = EVERY;
    fmatch_trainer_config config;
    fmatch_trainer_config_init(&config);
    config.batch = 16;
    config.rate = &rate;
    config.validation = &validation;
    fmatch_source *target = make_post_target(context);
    fmatch_model *model = make_mlp(context, 1, 1, 8, FMATCH_ACTIVATION_TANH, 1);
    fmatch_optimizer *optimizer = make_adam(context, 1e-3);
    fmatch_trainer *trainer;
    expect_ok(fmatch_trainer_create(&trainer, model, optimizer, target, &config));
    fmatch_optimizer_destroy(&optimizer);
    fmatch_model_destroy(&model);
    fmatch_source_destroy(&target);
    return trainer;
}

enum { PATH_SIZE = 256 };

/* A file of its own for each test. */
static void make_file(char path[PATH_SIZE])
{
    const char *folder = getenv("TMPDIR");
    const int length =
        snprintf(path, PATH_SIZE, "%s/flowmatch_history_XXXXXX", folder ? folder : "/tmp");
    assert_true(length < PATH_SIZE);
    const int file = mkstemp(path);
    expect_that(file >= 0, "%s cannot be made", path);
    close(file);
}

/* Number that begins at *text, whatever the locale's decimal point; moves *text behind it. */
static double number_at(const char **text)
{
    char plain[64] = {0};
    size_t length = strspn(*text, "0123456789+-.e");
    const struct lconv *numbers = localeconv();
    expect_that(length > 0 && length < 60, "no number at \"%.20s\"", *text);
    memcpy(plain, *text, length);
    char *point = strchr(plain, '.');
    if (point)
        *point = *numbers->decimal_point;
    *text += length;
    return strtod(plain, NULL);
}

static void expect_text(const char **text, const char *wanted)
{
    expect_that(strncmp(*text, wanted, strlen(wanted)) == 0, "\"%.20s\" instead of \"%s\"", *text,
                wanted);
    *text += strlen(wanted);
}

/* What stands before each number of a row, and in the place of a validation that was not made. */
static void expect_row(const char **text, const char *const *before, const char *absent, int step,
                       const fmatch_progress_info *told)
{
    const double wanted[] = {step, told->loss, told->learning_rate, told->gradient_norm,
                             told->validation_loss};
    for (int c = 0; c < 5; c++) {
        expect_text(text, before[c]);
        if (c == 4 && step % EVERY != 0) {
            expect_text(text, absent);
            continue;
        }
        const double seen = number_at(text);
        expect_that(seen == wanted[c], "step %d, column %d: %.17g instead of %.17g", step, c, seen,
                    wanted[c]);
    }
}

static char *contents_of(const char *path)
{
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    char *text = calloc(1, (STEPS + 2) * LINE);
    const size_t length = fread(text, 1, (STEPS + 2) * LINE - 1, file);
    expect_that(length > 0 && feof(file), "%s has %zu bytes", path, length);
    fclose(file);
    return text;
}

static void history_is_read_back(void **state)
{
    char path[PATH_SIZE];
    make_file(path);
    fmatch_trainer *trainer = begin(context_of(state));
    struct told told = {0};
    const fmatch_progress progress = {sizeof progress, 0, 1, keep_report, &told};
    expect_ok(fmatch_trainer_run(trainer, STEPS, &progress));

    static const char *const cells[] = {"", ",", ",", ",", ","};
    expect_ok(fmatch_trainer_save_history(trainer, path, FMATCH_HISTORY_CSV));
    char *whole = contents_of(path);
    const char *text = whole;
    expect_text(&text, header);
    for (int step = 1; step <= STEPS; step++) {
        expect_row(&text, cells, "", step, &told.info[step - 1]);
        expect_text(&text, "\n");
    }
    assert_string_equal(text, "");
    free(whole);

    static const char *const members[] = {"{\"step\": ", ", \"loss\": ", ", \"learning_rate\": ",
                                          ", \"gradient_norm\": ", ", \"validation_loss\": "};
    expect_ok(fmatch_trainer_save_history(trainer, path, FMATCH_HISTORY_JSON));
    text = whole = contents_of(path);
    expect_text(&text, "[\n");
    for (int step = 1; step <= STEPS; step++) {
        expect_row(&text, members, "null", step, &told.info[step - 1]);
        expect_text(&text, step < STEPS ? "},\n" : "}\n]\n");
    }
    assert_string_equal(text, "");
    free(whole);
    remove(path);
    fmatch_trainer_destroy(&trainer);
}

/* More steps and validations than there is room for at first: none is lost when it grows. */
static void long_history_is_whole(void **state)
{
    enum { LONG = 9000, OFTEN = 9 };
    fmatch_validation_config validation;
    fmatch_validation_config_init(&validation);
    validation.every = OFTEN;
    validation.rows = 2;
    validation.patience = 0;
    fmatch_trainer_config config;
    fmatch_trainer_config_init(&config);
    config.batch = 1;
    config.validation = &validation;
    fmatch_source *target = make_post_target(context_of(state));
    fmatch_model *model = make_mlp(context_of(state), 1, 0, 1, FMATCH_ACTIVATION_TANH, 1);
    fmatch_optimizer *optimizer = make_adam(context_of(state), 1e-3);
    fmatch_trainer *trainer;
    expect_ok(fmatch_trainer_create(&trainer, model, optimizer, target, &config));
    static double losses[LONG];
    char path[PATH_SIZE];
    make_file(path);
    double first[100];
    expect_ok(fmatch_trainer_run(trainer, 100, NULL));
    expect_ok(fmatch_trainer_get_losses(trainer, 0, 100, first));
    expect_ok(fmatch_trainer_run(trainer, LONG - 100, NULL));
    expect_ok(fmatch_trainer_get_losses(trainer, 0, LONG, losses));
    assert_memory_equal(first, losses, sizeof first);
    expect_ok(fmatch_trainer_save_history(trainer, path, FMATCH_HISTORY_CSV));
    FILE *file = fopen(path, "rb");
    char line[LINE];
    assert_non_null(fgets(line, sizeof line, file));
    for (int step = 1; step <= LONG; step++) {
        assert_non_null(fgets(line, sizeof line, file));
        const char *text = line;
        assert_true(number_at(&text) == step);
        expect_text(&text, ",");
        assert_true(number_at(&text) == losses[step - 1]);
        expect_that((strrchr(line, ',')[1] == '\n') == (step % OFTEN != 0), "step %d: %s", step,
                    line);
    }
    assert_null(fgets(line, sizeof line, file));
    fclose(file);
    remove(path);
    fmatch_trainer_destroy(&trainer);
    fmatch_optimizer_destroy(&optimizer);
    fmatch_model_destroy(&model);
    fmatch_source_destroy(&target);
}

static void training_that_did_not_begin_has_no_rows(void **state)
{
    char path[PATH_SIZE];
    make_file(path);
    fmatch_trainer *trainer = begin(context_of(state));
    expect_ok(fmatch_trainer_save_history(trainer, path, FMATCH_HISTORY_CSV));
    char *text = contents_of(path);
    assert_string_equal(text, header);
    free(text);
    expect_ok(fmatch_trainer_save_history(trainer, path, FMATCH_HISTORY_JSON));
    text = contents_of(path);
    assert_string_equal(text, "[\n]\n");
    free(text);
    remove(path);
    fmatch_trainer_destroy(&trainer);
}

static void misuse_is_refused(void **state)
{
    fmatch_trainer *trainer = begin(context_of(state));
    expect_status(fmatch_trainer_save_history(NULL, "x", 0), FMATCH_ERROR_ARGUMENT);
    expect_detail("trainer is NULL");
    expect_status(fmatch_trainer_save_history(trainer, NULL, 0), FMATCH_ERROR_ARGUMENT);
    expect_detail("path is NULL");
    for (int32_t format = -1; format <= 2; format += 3) {
        expect_status(fmatch_trainer_save_history(trainer, "x", format), FMATCH_ERROR_ARGUMENT);
        expect_detail("format", "0", "1");
    }
    expect_status(fmatch_trainer_save_history(trainer, "/nowhere/at/all", 0), FMATCH_ERROR_IO);
    expect_detail("/nowhere/at/all");
    fmatch_trainer_destroy(&trainer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        world_test(history_is_read_back),
        world_test(long_history_is_whole),
        world_test(training_that_did_not_begin_has_no_rows),
        world_test(misuse_is_refused),
    };
    return cmocka_run_group_tests_name("history", tests, NULL, NULL);
}
