/* What surrounds a step: clipping, the moving average, accumulated batches, and what is told. */
#include "fixtures.h"

enum { BATCH = 8, ROWS = 96 };

struct training {
    fmatch_source *target;
    fmatch_model *model;
    fmatch_optimizer *optimizer;
    fmatch_trainer *trainer;
};

static fmatch_trainer_config plain_config(void)
{
    fmatch_trainer_config config;
    fmatch_trainer_config_init_preset(&config, FMATCH_PRESET_PLAIN);
    config.batch = BATCH;
    config.seed = 3;
    return config;
}

static struct training begin(fmatch_context *context, fmatch_optimizer *optimizer, int32_t width,
                             const fmatch_trainer_config *config)
{
    struct training t = {.target = make_post_target(context),
                         .model = make_mlp(context, 1, 2, width, FMATCH_ACTIVATION_TANH, 2),
                         .optimizer = optimizer};
    expect_ok(fmatch_trainer_create(&t.trainer, t.model, t.optimizer, t.target, config));
    return t;
}

static void end(struct training *t)
{
    fmatch_trainer_destroy(&t->trainer);
    fmatch_optimizer_destroy(&t->optimizer);
    fmatch_model_destroy(&t->model);
    fmatch_source_destroy(&t->target);
}

static fmatch_trainer_info info_of(const fmatch_trainer *trainer)
{
    fmatch_trainer_info info = {.struct_size = sizeof info};
    expect_ok(fmatch_trainer_get_info(trainer, &info));
    return info;
}

static double norm_of(const struct training *t)
{
    float *gradient = read_gradient(t->trainer, t->model);
    double sum = 0;
    for (int64_t i = 0; i < fmatch_model_count_parameters(t->model); i++)
        sum += (double)gradient[i] * gradient[i];
    free(gradient);
    return sqrt(sum);
}

/* ---- clipping ---- */

static void norms_are_known(void **state)
{
    static const int32_t widths[] = {3, 16, 200}; /* with 31, 321 and more than 40000 parameters */
    for (size_t k = 0; k < COUNT(widths); k++) {
        const fmatch_trainer_config config = plain_config();
        struct training t =
            begin(context_of(state), make_sgd(context_of(state), 0.1, 0.9), widths[k], &config);
        assert_true(isnan(info_of(t.trainer).gradient_norm));
        for (int step = 0; step < 3; step++) {
            expect_ok(fmatch_trainer_run(t.trainer, 1, NULL));
            const double norm = norm_of(&t);
            expect_close(info_of(t.trainer).gradient_norm, norm, 1e-13 * norm, "width %d, step %d",
                         (int)widths[k], step);
        }
        end(&t);
    }
}

/* As torch.nn.utils.clip_grad_norm_: the gradient times c / (norm + 1e-6). */
static void large_gradients_are_scaled(void **state)
{
    fmatch_trainer_config config = plain_config();
    config.clip_norm = 0.125;
    struct training t = begin(context_of(state), make_sgd(context_of(state), 0.5, 0), 16, &config);
    for (int step = 0; step < 5; step++) {
        int64_t n;
        float *before = read_parameters(t.model, &n);
        expect_ok(fmatch_trainer_run(t.trainer, 1, NULL));
        float *after = read_parameters(t.model, &n);
        float *gradient = read_gradient(t.trainer, t.model);
        const double norm = norm_of(&t);
        expect_that(norm > 0.125, "step %d: the norm is %g", step, norm);
        expect_close(info_of(t.trainer).gradient_norm, norm, 1e-13 * norm, "step %d", step);
        for (int64_t i = 0; i < n; i++)
            expect_close(after[i], before[i] - 0.5 * 0.125 / (norm + 1e-6) * gradient[i], 2e-7,
                         "step %d, parameter %lld", step, (long long)i);
        free(before);
        free(after);
        free(gradient);
    }
    end(&t);
}

static void small_gradients_keep_their_bits(void **state)
{
    fmatch_trainer_config config = plain_config();
    struct training plain =
        begin(context_of(state), make_adam(context_of(state), 1e-2), 16, &config);
    config.clip_norm = 1e4;
    struct training clipped =
        begin(context_of(state), make_adam(context_of(state), 1e-2), 16, &config);
    expect_ok(fmatch_trainer_run(plain.trainer, 20, NULL));
    expect_ok(fmatch_trainer_run(clipped.trainer, 20, NULL));
    expect_same_parameters(plain.model, clipped.model, "norms below 1e4");
    end(&plain);
    end(&clipped);
}

/* ---- the moving average ---- */

/* Against the recursion in double, on the parameters of each step. */
static void average_follows_its_recursion(void **state)
{
    static const double decays[] = {0.05, 0.5, 0.999};
    for (size_t k = 0; k < COUNT(decays); k++) {
        fmatch_trainer_config config = plain_config();
        struct training present =
            begin(context_of(state), make_adam(context_of(state), 1e-2), 16, &config);
        config.average_decay = decays[k];
        config.publish = FMATCH_PUBLISH_AVERAGE;
        struct training averaged =
            begin(context_of(state), make_adam(context_of(state), 1e-2), 16, &config);
        int64_t n;
        float *parameters = read_parameters(present.model, &n);
        double *mean = calloc((size_t)n, sizeof *mean);
        for (int64_t i = 0; i < n; i++)
            mean[i] = parameters[i];
        free(parameters);
        for (int step = 0; step < 60; step++) {
            expect_ok(fmatch_trainer_run(present.trainer, 1, NULL));
            expect_ok(fmatch_trainer_run(averaged.trainer, 1, NULL));
            float *values = read_parameters(present.model, &n);
            float *seen = read_parameters(averaged.model, &n);
            const double decay = fmin(decays[k], (1.0 + step) / (10.0 + step));
            for (int64_t i = 0; i < n; i++) {
                mean[i] = decay * mean[i] + (1 - decay) * values[i];
                expect_close(seen[i], mean[i], 5e-7, "decay %g, step %d, parameter %lld", decays[k],
                             step, (long long)i);
            }
            free(values);
            free(seen);
        }
        free(mean);
        end(&present);
        end(&averaged);
    }
}

static void average_of_what_stays_is_what_stays(void **state)
{
    fmatch_trainer_config config = plain_config();
    config.average_decay = 0.99;
    config.publish = FMATCH_PUBLISH_AVERAGE;
    struct training t = begin(context_of(state), make_sgd(context_of(state), 0, 0), 16, &config);
    fmatch_model *before;
    expect_ok(fmatch_model_create_copy(&before, t.model));
    expect_ok(fmatch_trainer_run(t.trainer, 300, NULL));
    expect_same_parameters(before, t.model, "the average of equal parameters");
    fmatch_model_destroy(&before);
    end(&t);
}

/* What is evaluated is the average. */
static void average_is_evaluated(void **state)
{
    fmatch_trainer_config config = plain_config();
    config.average_decay = 0.9;
    config.publish = FMATCH_PUBLISH_AVERAGE;
    struct training t = begin(context_of(state), make_adam(context_of(state), 0.05), 16, &config);
    expect_ok(fmatch_trainer_run(t.trainer, 30, NULL));
    fmatch_trainer *fresh =
        make_trainer(t.model, make_adam(context_of(state), 0.05), t.target, BATCH, 3);
    double of_average, of_published;
    expect_ok(fmatch_trainer_evaluate(t.trainer, 5, 100, &of_average));
    expect_ok(fmatch_trainer_evaluate(fresh, 5, 100, &of_published));
    expect_that(of_average == of_published, "%.17g and %.17g", of_average, of_published);
    fmatch_trainer_destroy(&fresh);
    end(&t);
}

static void expect_finite(const struct training *t, const char *what)
{
    int64_t n;
    float *p = read_parameters(t->model, &n);
    for (int64_t i = 0; i < n; i++)
        expect_that(isfinite(p[i]), "%s: parameter %lld is %g", what, (long long)i, p[i]);
    free(p);
}

/* A step that fails changes neither, and what is as large as floats are stays finite in the mean.
 */
static void exploding_training_leaves_parameters_and_average_finite(void **state)
{
    static const double rates[] = {1e4, 1e12, 1e30, 1e38, 3e38};
    for (size_t r = 0; r < COUNT(rates); r++)
        for (int adam = 0; adam < 2; adam++)
            for (int32_t publish = 0; publish < 2; publish++) {
                fmatch_trainer_config config = plain_config();
                config.average_decay = 1e-3;
                config.clip_norm = 1;
                config.publish = publish;
                fmatch_optimizer *optimizer = adam ? make_adam(context_of(state), rates[r])
                                                   : make_sgd(context_of(state), rates[r], 0.9);
                struct training t = begin(context_of(state), optimizer, 16, &config);
                const fmatch_status status = fmatch_trainer_run(t.trainer, 300, NULL);
                expect_that(status == FMATCH_ERROR_NOT_FINITE || rates[r] < 1e30, "rate %g: %s",
                            rates[r], fmatch_status_get_name(status));
                expect_finite(&t, publish ? "average" : "present");
                end(&t);
            }
}

/* ---- accumulated batches ---- */

static fmatch_source *make_rows(fmatch_context *context)
{
    static float rows[ROWS], weights[ROWS], labels[ROWS];
    fill_scattered(rows, ROWS, -2, 2, 1);
    fill_scattered(weights, ROWS, 0, 3, 2);
    for (int i = 0; i < ROWS; i++)
        labels[i] = (float)(i % 3);
    for (int i = 0; i < BATCH; i++)
        weights[i] = 0; /* a batch that counts for nothing */
    fmatch_array_config config;
    fmatch_array_config_init(&config);
    config.dim = 1;
    config.n = ROWS;
    config.rows = rows;
    config.weights = weights;
    config.condition_dim = 1;
    config.conditions = labels;
    config.order = FMATCH_ORDER_SEQUENTIAL;
    fmatch_source *source;
    expect_ok(fmatch_source_create_array(&source, context, &config));
    return source;
}

static struct training begin_accumulating(fmatch_context *context, int32_t batches, int kind)
{
    const fmatch_time_config stratified = {
        .struct_size = sizeof stratified, .kind = FMATCH_TIME_LOGIT_NORMAL, .stratified = 1};
    fmatch_coupling_config coupling;
    fmatch_coupling_config_init(&coupling);
    coupling.kind = FMATCH_COUPLING_EXACT;
    coupling.batch = 4 * BATCH;
    fmatch_mlp_config network;
    fmatch_mlp_config_init_preset(&network, FMATCH_PRESET_PLAIN);
    network.dim = 1;
    network.hidden_width = 12;
    network.condition_dim = kind == 3;
    network.classes = kind == 3 ? 3 : 0;
    network.null_condition = kind == 3 ? FMATCH_NULL_CONDITION_ACCEPTED : 0;
    fmatch_trainer_config config = plain_config();
    config.batch = 4 * BATCH / batches;
    config.accumulate = batches;
    config.time = kind == 1 ? &stratified : NULL;
    config.coupling = kind == 2 ? &coupling : NULL;
    config.condition_dropout = 0.3;
    struct training t = {.target = kind == 3 ? make_rows(context) : make_post_target(context),
                         .optimizer = make_sgd(context, 0.1, 0.9)};
    expect_ok(fmatch_model_create_mlp(&t.model, context, &network));
    expect_ok(fmatch_trainer_create(&t.trainer, t.model, t.optimizer, t.target, &config));
    return t;
}

static void expect_near(const float *a, const float *b, int64_t n, const char *what)
{
    for (int64_t i = 0; i < n; i++)
        expect_close(a[i], b[i], 2e-6, "%s %lld", what, (long long)i);
}

/* The same rows in one batch, in 2, 4 and 32; the first of the weighted ones have no weight. */
static void accumulated_batches_are_one_of_their_rows(void **state)
{
    static const char *const kinds[] = {"plain", "stratified", "coupled", "weighted, labelled"};
    for (int kind = 0; kind < 4; kind++) {
        struct training whole = begin_accumulating(context_of(state), 1, kind);
        expect_ok(fmatch_trainer_run(whole.trainer, 10, NULL));
        double losses[10];
        expect_ok(fmatch_trainer_get_losses(whole.trainer, 0, 10, losses));
        for (int32_t batches = 2; batches <= 32; batches *= batches == 4 ? 8 : 2) {
            struct training parts = begin_accumulating(context_of(state), batches, kind);
            expect_ok(fmatch_trainer_run(parts.trainer, 10, NULL));
            double seen[10];
            int64_t n;
            expect_ok(fmatch_trainer_get_losses(parts.trainer, 0, 10, seen));
            for (int i = 0; i < 10; i++)
                expect_close(seen[i], losses[i], 1e-5 * losses[i], "%s, %d batches, step %d",
                             kinds[kind], (int)batches, i);
            float *a = read_parameters(whole.model, &n), *b = read_parameters(parts.model, &n);
            expect_near(a, b, n, kinds[kind]);
            free(a);
            free(b);
            a = read_gradient(whole.trainer, whole.model);
            b = read_gradient(parts.trainer, parts.model);
            expect_near(a, b, n, "gradient");
            free(a);
            free(b);
            assert_int_equal(info_of(parts.trainer).rows, 10 * 4 * BATCH);
            assert_int_equal(info_of(whole.trainer).rows, 10 * 4 * BATCH);
            end(&parts);
        }
        end(&whole);
    }
}

/* ---- all of it ---- */

static struct training begin_all(fmatch_context *context, int32_t width, int32_t publish)
{
    fmatch_rate_config rate;
    fmatch_rate_config_init(&rate);
    rate.steps = 24;
    rate.warmup = 3;
    fmatch_validation_config validation;
    fmatch_validation_config_init(&validation);
    validation.rows = 50;
    validation.every = 3;
    fmatch_time_config time;
    fmatch_time_config_init(&time);
    time.stratified = 1;
    fmatch_trainer_config config = plain_config();
    config.rate = &rate;
    config.time = &time;
    config.validation = &validation;
    config.clip_norm = 0.5;
    config.average_decay = 0.8;
    config.accumulate = 3;
    config.publish = publish;
    return begin(context, make_adam(context, 1e-2), width, &config);
}

static void expect_same_training(const struct training *a, const struct training *b,
                                 const char *what)
{
    expect_same_parameters(a->model, b->model, what);
    const fmatch_trainer_info x = info_of(a->trainer), y = info_of(b->trainer);
    expect_that(memcmp(&x, &y, sizeof x) == 0,
                "%s: step %lld and %lld, loss %g and %g, validation %g and %g, best %lld and %lld",
                what, (long long)x.steps, (long long)y.steps, x.loss, y.loss, x.validation_loss,
                y.validation_loss, (long long)x.best_step, (long long)y.best_step);
    double losses[2][20];
    expect_ok(fmatch_trainer_get_losses(a->trainer, 0, 20, losses[0]));
    expect_ok(fmatch_trainer_get_losses(b->trainer, 0, 20, losses[1]));
    assert_memory_equal(losses[0], losses[1], sizeof losses[0]);
}

static void runs_go_on_where_they_ended(void **state)
{
    for (int32_t publish = FMATCH_PUBLISH_PRESENT; publish <= FMATCH_PUBLISH_BEST; publish++)
        for (int64_t first = 1; first < 20; first += 4) {
            struct training once = begin_all(context_of(state), 16, publish);
            struct training twice = begin_all(context_of(state), 16, publish);
            expect_ok(fmatch_trainer_run(once.trainer, 20, NULL));
            expect_ok(fmatch_trainer_run(twice.trainer, first, NULL));
            expect_ok(fmatch_trainer_run(twice.trainer, 20 - first, NULL));
            expect_same_training(&once, &twice, "20 steps at once and in two calls");
            end(&once);
            end(&twice);
        }
}

/* More than 40000 parameters, so that threads share norm and average too. */
static void threads_give_the_same_bits(void **state)
{
    (void)state;
    static const int32_t threads[] = {1, 2, 8};
    struct training t[COUNT(threads)];
    for (size_t k = 0; k < COUNT(threads); k++) {
        fmatch_context_config config = forced_context_config();
        config.threads = threads[k];
        fmatch_context *context;
        expect_ok(fmatch_context_create(&context, &config));
        t[k] = begin_all(context, 200, FMATCH_PUBLISH_AVERAGE);
        expect_ok(fmatch_trainer_run(t[k].trainer, 20, NULL));
        if (k > 0)
            expect_same_training(&t[0], &t[k], "threads");
        fmatch_context_destroy(&context);
    }
    for (size_t k = 0; k < COUNT(threads); k++)
        end(&t[k]);
}

/* Rows with weights make room that the next steps must not feel. */
static void weighted_rows_of_a_caller_leave_the_next_steps_alone(void **state)
{
    static const float row = 0.25f, weight = 2, t = 0.5f;
    const fmatch_batch plain = {sizeof plain, 0, 1, &row, &row, &t, NULL, NULL};
    fmatch_batch weighted = plain;
    weighted.weight = &weight;
    const fmatch_trainer_config config = plain_config();
    struct training a = begin(context_of(state), make_sgd(context_of(state), 0.1, 0), 16, &config);
    struct training b = begin(context_of(state), make_sgd(context_of(state), 0.1, 0), 16, &config);
    expect_ok(fmatch_trainer_evaluate_batch(a.trainer, &plain, NULL));
    expect_ok(fmatch_trainer_evaluate_batch(b.trainer, &weighted, NULL));
    expect_ok(fmatch_trainer_run(a.trainer, 20, NULL));
    expect_ok(fmatch_trainer_run(b.trainer, 20, NULL));
    expect_same_training(&a, &b, "after a batch with weights");
    end(&a);
    end(&b);
}

/* ---- what is told ---- */

struct told {
    int64_t reports;
    fmatch_progress_info info[20];
};

static int32_t keep_report(void *user, const fmatch_progress_info *info)
{
    struct told *told = user;
    told->info[told->reports++] = *info;
    return 0;
}

static void progress_tells_pace_norm_and_validation(void **state)
{
    struct training t = begin_all(context_of(state), 16, FMATCH_PUBLISH_PRESENT);
    struct told told = {0};
    const fmatch_progress progress = {sizeof progress, 0, 1, keep_report, &told};
    expect_ok(fmatch_trainer_run(t.trainer, 20, &progress));
    assert_int_equal(told.reports, 20);
    for (int i = 0; i < 20; i++) {
        const fmatch_progress_info *info = &told.info[i];
        expect_that(info->steps_per_second > 0 && info->gradient_norm > 0, "step %d: %g %g", i,
                    info->steps_per_second, info->gradient_norm);
        expect_close(info->seconds_left, info->seconds / (i + 1) * (19 - i),
                     1e-12 * info->seconds * 20, "seconds left at step %d", i);
        expect_that(isnan(info->validation_loss) == (i < 2), "step %d: validation loss %g", i,
                    info->validation_loss);
        const double warm = i < 3 ? (i + 1) / 3. : 1, p = i < 3 ? 0 : (i - 3) / 21.;
        expect_close(info->learning_rate, 1e-2 * warm * 0.5 * (1 + cos(PI * p)), 1e-16,
                     "learning rate of step %d", i);
    }
    struct training u = begin_all(context_of(state), 16, FMATCH_PUBLISH_PRESENT);
    struct told some = {0};
    const fmatch_progress seldom = {sizeof seldom, 0, 5, keep_report, &some};
    expect_ok(fmatch_trainer_run(u.trainer, 20, &seldom));
    assert_int_equal(some.reports, 4);
    for (int k = 0; k < 4; k++) {
        double norm = 0;
        for (int i = 5 * k; i < 5 * k + 5; i++)
            norm += told.info[i].gradient_norm / 5;
        expect_close(some.info[k].gradient_norm, norm, 1e-14 * norm, "mean norm");
    }
    end(&t);
    end(&u);
}

static void info_tells_where_the_training_stands(void **state)
{
    struct training t = begin_all(context_of(state), 16, FMATCH_PUBLISH_PRESENT);
    fmatch_trainer_info info = info_of(t.trainer);
    assert_true(info.struct_size == sizeof info && info.steps == 0 && info.rows == 0 &&
                isnan(info.loss) && info.learning_rate == 1e-2 && isnan(info.gradient_norm) &&
                isnan(info.validation_loss) && isnan(info.best_loss) && info.best_step == 0 &&
                info.stopped == 0);
    expect_ok(fmatch_trainer_run(t.trainer, 4, NULL));
    info = info_of(t.trainer);
    double loss;
    expect_ok(fmatch_trainer_get_losses(t.trainer, 3, 1, &loss));
    assert_true(info.steps == 4 && info.rows == 4 * 3 * BATCH && info.loss == loss &&
                info.best_step == 3 && info.best_loss == info.validation_loss);
    expect_status(fmatch_trainer_get_info(NULL, &info), FMATCH_ERROR_ARGUMENT);
    expect_status(fmatch_trainer_get_info(t.trainer, NULL), FMATCH_ERROR_ARGUMENT);
    info.struct_size = 4;
    expect_status(fmatch_trainer_get_info(t.trainer, &info), FMATCH_ERROR_STRUCT_SIZE);
    end(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        world_test(norms_are_known),
        world_test(large_gradients_are_scaled),
        world_test(small_gradients_keep_their_bits),
        world_test(average_follows_its_recursion),
        world_test(average_of_what_stays_is_what_stays),
        world_test(average_is_evaluated),
        world_test(exploding_training_leaves_parameters_and_average_finite),
        world_test(accumulated_batches_are_one_of_their_rows),
        world_test(runs_go_on_where_they_ended),
        world_test(threads_give_the_same_bits),
        world_test(weighted_rows_of_a_caller_leave_the_next_steps_alone),
        world_test(progress_tells_pace_norm_and_validation),
        world_test(info_tells_where_the_training_stands),
    };
    return cmocka_run_group_tests_name("training", tests, NULL, NULL);
}
