/* Validation: its loss by hand, the best parameters, the end of patience, and what goes wrong. */
#include "fixtures.h"

/* A network without hidden layers, v = 2 t - x / 2 + 1, from noise that is always 0 to data that is
 * always x1: x = t x1, v = (2 - x1 / 2) t + 1, which is to be x1. */
static const float line[] = {2, -0.5f, 1};

static fmatch_source *make_rows(fmatch_context *context, int64_t n, const float *rows,
                                const float *weights)
{
    fmatch_array_config config;
    fmatch_array_config_init(&config);
    config.dim = 1;
    config.n = n;
    config.rows = rows;
    config.weights = weights;
    fmatch_source *source;
    expect_ok(fmatch_source_create_array(&source, context, &config));
    return source;
}

static fmatch_source *always(fmatch_context *context, float value)
{
    return make_rows(context, 1, &value, NULL);
}

static fmatch_model *make_line(fmatch_context *context)
{
    fmatch_source *noise = always(context, 0);
    fmatch_mlp_config config;
    fmatch_mlp_config_init_preset(&config, FMATCH_PRESET_PLAIN);
    config.dim = 1;
    config.hidden_layers = 0;
    config.noise = noise;
    fmatch_model *model;
    expect_ok(fmatch_model_create_mlp(&model, context, &config));
    write_parameters(model, line);
    fmatch_source_destroy(&noise);
    return model;
}

/* The integral over t of (a t + b)^2. */
static double loss_of(double x1)
{
    const double a = 2 - x1 / 2, b = 1 - x1;
    return a * a / 3 + a * b + b * b;
}

static fmatch_validation_config validation_of(const fmatch_source *source, int64_t every)
{
    fmatch_validation_config validation;
    fmatch_validation_config_init(&validation);
    validation.source = source;
    validation.every = every;
    return validation;
}

struct training {
    fmatch_source *target;
    fmatch_model *model;
    fmatch_trainer *trainer;
};

static fmatch_trainer_config config_of(const fmatch_validation_config *validation)
{
    fmatch_trainer_config config;
    fmatch_trainer_config_init_preset(&config, FMATCH_PRESET_PLAIN);
    config.batch = 16;
    config.validation = validation;
    return config;
}

/* Data is always 3. */
static struct training begin(fmatch_context *context, double rate,
                             const fmatch_trainer_config *config)
{
    struct training t = {.target = always(context, 3), .model = make_line(context)};
    fmatch_optimizer *optimizer = make_sgd(context, rate, 0);
    expect_ok(fmatch_trainer_create(&t.trainer, t.model, optimizer, t.target, config));
    fmatch_optimizer_destroy(&optimizer);
    return t;
}

static void end(struct training *t)
{
    fmatch_trainer_destroy(&t->trainer);
    fmatch_model_destroy(&t->model);
    fmatch_source_destroy(&t->target);
}

static fmatch_trainer_info info_of(const fmatch_trainer *trainer)
{
    fmatch_trainer_info info = {.struct_size = sizeof info};
    expect_ok(fmatch_trainer_get_info(trainer, &info));
    return info;
}

/* Times that are stratified over all rows, whatever the batch, give the integral to far better than
 * 1 / sqrt(1000). */
static void loss_is_the_integral_over_time(void **state)
{
    const float values[] = {3, -5, 100};
    for (size_t k = 0; k < COUNT(values); k++)
        for (int32_t batch = 7; batch < 2000; batch *= 9) {
            fmatch_source *held_out = k > 0 ? always(context_of(state), values[k]) : NULL;
            fmatch_validation_config validation = validation_of(held_out, 2);
            validation.rows = 1000;
            fmatch_trainer_config config = config_of(&validation);
            config.batch = batch;
            struct training t = begin(context_of(state), 0, &config);
            expect_ok(fmatch_trainer_run(t.trainer, 1, NULL));
            assert_true(isnan(info_of(t.trainer).validation_loss));
            expect_ok(fmatch_trainer_run(t.trainer, 1, NULL));
            const double wanted = loss_of(values[k]);
            expect_close(info_of(t.trainer).validation_loss, wanted, 1e-4 * wanted,
                         "data %g, batches of %d", values[k], (int)batch);
            end(&t);
            fmatch_source_destroy(&held_out);
        }
}

static void rows_count_by_their_weights(void **state)
{
    const float rows[] = {5, -1}, weights[] = {1, 3}, constant[] = {0, 0, 2};
    fmatch_source *held_out = make_rows(context_of(state), 2, rows, weights);
    fmatch_validation_config validation = validation_of(held_out, 1);
    const fmatch_trainer_config config = config_of(&validation);
    struct training t = begin(context_of(state), 0, &config);
    write_parameters(t.model, constant);
    fmatch_trainer_destroy(&t.trainer);
    fmatch_optimizer *optimizer = make_sgd(context_of(state), 0, 0);
    expect_ok(fmatch_trainer_create(&t.trainer, t.model, optimizer, t.target, &config));
    expect_ok(fmatch_trainer_run(t.trainer, 1, NULL));
    expect_close(info_of(t.trainer).validation_loss, (1 * 9 + 3 * 9) / 4., 1e-12, "weighted mean");
    double loss;
    expect_ok(fmatch_trainer_evaluate(t.trainer, 1, 100, &loss));
    expect_close(loss, 1, 1e-12, "of the target itself");
    fmatch_optimizer_destroy(&optimizer);
    end(&t);
    fmatch_source_destroy(&held_out);
}

/* Data is 3 and what is held out is 0, v = w t + b with both rising: every validation but the first
 * is worse. */
static void training_stops_when_patience_ends(void **state)
{
    fmatch_source *held_out = always(context_of(state), 0);
    for (int32_t publish = FMATCH_PUBLISH_PRESENT; publish <= FMATCH_PUBLISH_BEST; publish += 2) {
        fmatch_validation_config validation = validation_of(held_out, 5);
        validation.patience = 3;
        fmatch_trainer_config config = config_of(&validation);
        config.publish = publish;
        struct training t = begin(context_of(state), 1e-3, &config);
        expect_ok(fmatch_trainer_run(t.trainer, 19, NULL));
        assert_int_equal(info_of(t.trainer).stopped, 0);
        expect_ok(fmatch_trainer_run(t.trainer, 1000, NULL));
        const fmatch_trainer_info info = info_of(t.trainer);
        assert_true(info.stopped == 1 && info.steps == 20 && info.best_step == 5);
        expect_that(info.best_loss < info.validation_loss, "%g and %g", info.best_loss,
                    info.validation_loss);

        config.validation = NULL;
        config.publish = FMATCH_PUBLISH_PRESENT;
        struct training u = begin(context_of(state), 1e-3, &config);
        expect_ok(fmatch_trainer_run(u.trainer, publish == FMATCH_PUBLISH_BEST ? 5 : 20, NULL));
        expect_same_parameters(t.model, u.model, "what is published");
        expect_ok(fmatch_trainer_run(t.trainer, 10, NULL));
        assert_int_equal(fmatch_trainer_count_steps(t.trainer), 20);
        end(&t);
        end(&u);
    }
    fmatch_source_destroy(&held_out);
}

static int32_t count_report(void *user, const fmatch_progress_info *info)
{
    int64_t *last = user;
    *last = info->step;
    assert_true(info->step != 4 || info->seconds_left == 0);
    return 0;
}

static void last_step_before_the_end_of_patience_is_reported(void **state)
{
    fmatch_source *held_out = always(context_of(state), 0);
    fmatch_validation_config validation = validation_of(held_out, 2);
    validation.patience = 1;
    const fmatch_trainer_config config = config_of(&validation);
    struct training t = begin(context_of(state), 1e-3, &config);
    int64_t last = 0;
    const fmatch_progress progress = {sizeof progress, 0, 50, count_report, &last};
    expect_ok(fmatch_trainer_run(t.trainer, 100, &progress));
    assert_int_equal(last, 4);
    end(&t);
    fmatch_source_destroy(&held_out);
}

/* Patience of 0 never ends; and the least loss is kept where it is not the last. */
static void best_of_a_long_training_is_published(void **state)
{
    fmatch_source *held_out = always(context_of(state), 2);
    fmatch_validation_config validation = validation_of(held_out, 10);
    validation.patience = 0;
    fmatch_trainer_config config = config_of(&validation);
    config.publish = FMATCH_PUBLISH_BEST;
    struct training t = begin(context_of(state), 2e-3, &config);
    expect_ok(fmatch_trainer_run(t.trainer, 1000, NULL));
    const fmatch_trainer_info info = info_of(t.trainer);
    assert_int_equal(info.steps, 1000);
    expect_that(info.best_step > 10 && info.best_step < 900 &&
                    info.best_loss < info.validation_loss,
                "best after %lld, %g, the last %g", (long long)info.best_step, info.best_loss,
                info.validation_loss);
    config = config_of(NULL);
    struct training u = begin(context_of(state), 2e-3, &config);
    expect_ok(fmatch_trainer_run(u.trainer, info.best_step, NULL));
    expect_same_parameters(t.model, u.model, "the best");
    end(&t);
    end(&u);
    fmatch_source_destroy(&held_out);
}

/* With an average it is the average that is validated, kept and, before that, published. */
static void average_is_what_is_validated(void **state)
{
    fmatch_source *held_out = always(context_of(state), 3);
    fmatch_validation_config validation = validation_of(held_out, 10);
    fmatch_trainer_config config = config_of(NULL);
    config.average_decay = 0.9;
    config.publish = FMATCH_PUBLISH_AVERAGE;
    struct training averaged = begin(context_of(state), 1e-2, &config);
    config.validation = &validation;
    config.publish = FMATCH_PUBLISH_BEST;
    struct training best = begin(context_of(state), 1e-2, &config);
    for (int k = 0; k < 2; k++) {
        expect_ok(fmatch_trainer_run(averaged.trainer, 5, NULL));
        expect_ok(fmatch_trainer_run(best.trainer, 5, NULL));
        expect_same_parameters(averaged.model, best.model, "the average");
    }
    assert_int_equal(info_of(best.trainer).best_step, 10);
    validation.every = 1;
    config = config_of(&validation);
    fmatch_optimizer *none = make_sgd(context_of(state), 0, 0);
    fmatch_trainer *still;
    expect_ok(fmatch_trainer_create(&still, best.model, none, best.target, &config));
    expect_ok(fmatch_trainer_run(still, 1, NULL));
    expect_that(info_of(still).validation_loss == info_of(best.trainer).validation_loss,
                "%.17g and %.17g", info_of(still).validation_loss,
                info_of(best.trainer).validation_loss);
    fmatch_optimizer_destroy(&none);
    fmatch_trainer_destroy(&still);
    end(&averaged);
    end(&best);
    fmatch_source_destroy(&held_out);
}

/* Predictions beyond floats: worse than any loss, and no reason to stop. */
static void loss_that_is_not_finite_is_worse(void **state)
{
    const float far = 3e38f, steep[] = {0, 10, 1};
    fmatch_source *held_out = always(context_of(state), far);
    fmatch_validation_config validation = validation_of(held_out, 2);
    validation.patience = 4;
    fmatch_trainer_config config = config_of(&validation);
    config.publish = FMATCH_PUBLISH_BEST;
    struct training t = begin(context_of(state), 1e-3, &config);
    write_parameters(t.model, steep);
    fmatch_trainer_destroy(&t.trainer);
    fmatch_optimizer *optimizer = make_sgd(context_of(state), 1e-3, 0);
    expect_ok(fmatch_trainer_create(&t.trainer, t.model, optimizer, t.target, &config));
    expect_ok(fmatch_trainer_run(t.trainer, 100, NULL));
    const fmatch_trainer_info info = info_of(t.trainer);
    assert_true(info.steps == 8 && info.stopped == 1 && info.best_step == 0);
    assert_true(!isfinite(info.validation_loss) && isnan(info.best_loss));
    fmatch_optimizer_destroy(&optimizer);
    end(&t);
    fmatch_source_destroy(&held_out);
}

/* ---- a source that fails ---- */

struct moody {
    int64_t calls, fail_at;
};

static int32_t draw_moody(void *user, fmatch_random *random, int64_t first_row, int64_t n, float *x)
{
    struct moody *m = user;
    (void)random, (void)first_row;
    if (++m->calls == m->fail_at)
        return -3;
    for (int64_t i = 0; i < n; i++)
        x[i] = 3;
    return 0;
}

/* The step before it is done, and the validation is made up for. */
static void failing_validation_is_made_up_for(void **state)
{
    struct moody moods[] = {{0, -1}, {0, 3}};
    struct training t[2];
    for (int k = 0; k < 2; k++) {
        const fmatch_source_callbacks callbacks = {
            .struct_size = sizeof callbacks, .draw = draw_moody, .user = &moods[k]};
        fmatch_source *source;
        expect_ok(fmatch_source_create_callback(&source, context_of(state), 1, &callbacks));
        fmatch_validation_config validation = validation_of(source, 4);
        validation.rows = 32;
        const fmatch_trainer_config config = config_of(&validation);
        t[k] = begin(context_of(state), 1e-2, &config);
        fmatch_source_destroy(&source);
    }
    expect_status(fmatch_trainer_run(t[1].trainer, 20, NULL), FMATCH_ERROR_CALLBACK);
    expect_detail("validation after step 8", "-3");
    assert_int_equal(fmatch_error_callback_code(), -3);
    assert_int_equal(fmatch_trainer_count_steps(t[1].trainer), 8);
    assert_int_equal(info_of(t[1].trainer).best_step, 4);
    expect_ok(fmatch_trainer_run(t[0].trainer, 9, NULL));
    expect_ok(fmatch_trainer_run(t[1].trainer, 1, NULL));
    const fmatch_trainer_info a = info_of(t[0].trainer), b = info_of(t[1].trainer);
    assert_memory_equal(&a, &b, sizeof a);
    assert_int_equal(b.best_step, 8);
    expect_same_parameters(t[0].model, t[1].model, "after a failure");
    end(&t[0]);
    end(&t[1]);
}

static int32_t fail_third_step(void *user, int64_t step, double *factor)
{
    (void)user;
    *factor = 1;
    return step == 2 ? -4 : 0;
}

/* A validation that is made up for finds the best parameters before a step that fails. */
static void best_is_published_without_a_step(void **state)
{
    const fmatch_rate_callbacks factor = {.struct_size = sizeof factor,
                                          .evaluate = fail_third_step};
    fmatch_rate_config rate = {
        .struct_size = sizeof rate, .kind = FMATCH_RATE_CALLBACK, .callbacks = &factor};
    struct moody mood = {0, 3};
    const fmatch_source_callbacks callbacks = {
        .struct_size = sizeof callbacks, .draw = draw_moody, .user = &mood};
    fmatch_source *source;
    expect_ok(fmatch_source_create_callback(&source, context_of(state), 1, &callbacks));
    fmatch_validation_config validation = validation_of(source, 1);
    validation.rows = 32;
    fmatch_trainer_config config = config_of(&validation);
    struct training whole = begin(context_of(state), 1e-2, &config);
    config.publish = FMATCH_PUBLISH_BEST;
    config.rate = &rate;
    struct training t = begin(context_of(state), 1e-2, &config);
    expect_status(fmatch_trainer_run(t.trainer, 3, NULL), FMATCH_ERROR_CALLBACK);
    expect_detail("validation after step 2");
    expect_status(fmatch_trainer_run(t.trainer, 1, NULL), FMATCH_ERROR_CALLBACK);
    expect_detail("step 3", "-4");
    assert_int_equal(info_of(t.trainer).best_step, 2);
    expect_ok(fmatch_trainer_run(whole.trainer, 2, NULL));
    expect_same_parameters(t.model, whole.model, "two steps");
    fmatch_source_destroy(&source);
    end(&whole);
    end(&t);
}

/* ---- refusals ---- */

static void expect_refused(void **state, const fmatch_trainer_config *config, bool with_target,
                           fmatch_status wanted, const char *word, const char *other)
{
    struct training t = {.target = always(context_of(state), 3),
                         .model = make_line(context_of(state))};
    fmatch_optimizer *optimizer = make_sgd(context_of(state), 0, 0);
    expect_status(fmatch_trainer_create(&t.trainer, t.model, optimizer,
                                        with_target ? t.target : NULL, config),
                  wanted);
    expect_detail(word, other);
    assert_null(t.trainer);
    fmatch_optimizer_destroy(&optimizer);
    end(&t);
}

static void contradictions_are_refused(void **state)
{
    fmatch_validation_config validation = validation_of(NULL, 1);
    fmatch_trainer_config config = config_of(NULL);
    config.publish = FMATCH_PUBLISH_AVERAGE;
    expect_refused(state, &config, true, FMATCH_ERROR_ARGUMENT, "average_decay", "publish");
    config.publish = FMATCH_PUBLISH_BEST;
    expect_refused(state, &config, true, FMATCH_ERROR_ARGUMENT, "validation", "publish");
    config.publish = FMATCH_PUBLISH_PRESENT;
    config.validation = &validation;
    expect_refused(state, &config, false, FMATCH_ERROR_ARGUMENT, "validation", "target");

    fmatch_source *wide = make_normal(context_of(state), 2);
    validation.source = wide;
    expect_refused(state, &config, true, FMATCH_ERROR_SHAPE, "validation->source", "2 columns");
    fmatch_source_destroy(&wide);
    fmatch_coupling_config coupling;
    fmatch_coupling_config_init(&coupling);
    coupling.kind = FMATCH_COUPLING_SEMIDISCRETE;
    fmatch_source *held_out = always(context_of(state), 1);
    validation.source = held_out;
    config.coupling = &coupling;
    expect_refused(state, &config, true, FMATCH_ERROR_UNSUPPORTED, "validation->source",
                   "SEMIDISCRETE");
    fmatch_source_destroy(&held_out);
}

static void numbers_out_of_range_are_refused(void **state)
{
    const struct {
        const char *name, *range;
        fmatch_validation_config config;
    } cases[] = {
        {"validation->patience", "2147483647", {.patience = -1, .rows = 1, .every = 1}},
        {"validation->rows", "16777216", {.rows = 0, .every = 1}},
        {"validation->rows", "16777216", {.rows = 16777217, .every = 1}},
        {"validation->every", "at least 1", {.rows = 1, .every = 0}},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        fmatch_validation_config validation = cases[i].config;
        validation.struct_size = sizeof validation;
        const fmatch_trainer_config config = config_of(&validation);
        expect_refused(state, &config, true, FMATCH_ERROR_ARGUMENT, cases[i].name, cases[i].range);
    }
    const fmatch_validation_config none = {0};
    const fmatch_trainer_config config = config_of(&none);
    expect_refused(state, &config, true, FMATCH_ERROR_STRUCT_SIZE, "validation", "struct_size");
    fmatch_validation_config recommended;
    fmatch_validation_config_init(&recommended);
    assert_true(recommended.struct_size == sizeof recommended && recommended.patience == 10 &&
                recommended.rows == 1024 && recommended.every == 250 && recommended.seed == 0 &&
                recommended.source == NULL);
}

/* With pairs that are coupled, which evaluating between two calls must not upset. */
static void coupled_validation_is_the_same_in_two_calls(void **state)
{
    fmatch_coupling_config coupling;
    fmatch_coupling_config_init(&coupling);
    coupling.kind = FMATCH_COUPLING_EXACT;
    fmatch_source *held_out = make_normal(context_of(state), 1);
    fmatch_validation_config validation = validation_of(held_out, 3);
    fmatch_trainer_config config = config_of(&validation);
    config.coupling = &coupling;
    struct training once = begin(context_of(state), 1e-2, &config);
    struct training twice = begin(context_of(state), 1e-2, &config);
    expect_ok(fmatch_trainer_run(once.trainer, 9, NULL));
    expect_ok(fmatch_trainer_run(twice.trainer, 4, NULL));
    double loss;
    expect_ok(fmatch_trainer_evaluate(twice.trainer, 0, 50, &loss));
    expect_ok(fmatch_trainer_run(twice.trainer, 5, NULL));
    const fmatch_trainer_info a = info_of(once.trainer), b = info_of(twice.trainer);
    assert_memory_equal(&a, &b, sizeof a);
    end(&once);
    end(&twice);
    fmatch_source_destroy(&held_out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        world_test(loss_is_the_integral_over_time),
        world_test(rows_count_by_their_weights),
        world_test(training_stops_when_patience_ends),
        world_test(last_step_before_the_end_of_patience_is_reported),
        world_test(best_of_a_long_training_is_published),
        world_test(average_is_what_is_validated),
        world_test(loss_that_is_not_finite_is_worse),
        world_test(best_is_published_without_a_step),
        world_test(failing_validation_is_made_up_for),
        world_test(contradictions_are_refused),
        world_test(numbers_out_of_range_are_refused),
        world_test(coupled_validation_is_the_same_in_two_calls),
    };
    return cmocka_run_group_tests_name("validation", tests, NULL, NULL);
}
