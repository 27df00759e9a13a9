/* The trainer: reproducible, resumable, cancellable, and whole after every failure. */
#include "fixtures.h"

#include <pthread.h>

enum { BATCH = 64 };

/* A model of the post's problem with its trainer. */
struct run {
    fmatch_source *target;
    fmatch_model *model;
    fmatch_trainer *trainer;
};

static struct run start_run(fmatch_context *context, uint64_t seed)
{
    struct run run = {.target = make_post_target(context),
                      .model = make_mlp(context, 1, 2, 24, FMATCH_ACTIVATION_GELU, 626)};
    run.trainer = make_trainer(run.model, make_adam(context, 1e-3), run.target, BATCH, seed);
    return run;
}

static void end_run(struct run *run)
{
    fmatch_trainer_destroy(&run->trainer);
    fmatch_model_destroy(&run->model);
    fmatch_source_destroy(&run->target);
}

static void expect_same_losses(const fmatch_trainer *a, const fmatch_trainer *b, int64_t n,
                               const char *what)
{
    double *p = calloc((size_t)n, sizeof *p), *q = calloc((size_t)n, sizeof *q);
    expect_ok(fmatch_trainer_get_losses(a, 0, n, p));
    expect_ok(fmatch_trainer_get_losses(b, 0, n, q));
    for (int64_t i = 0; i < n; i++)
        expect_that(p[i] == q[i], "%s: loss of step %lld is %.17g and %.17g", what, (long long)i,
                    p[i], q[i]);
    free(q);
    free(p);
}

/* ---- the same bits ---- */

static void same_seed_gives_the_same_bits(void **state)
{
    struct run a = start_run(context_of(state), 42), b = start_run(context_of(state), 42);
    struct run c = start_run(context_of(state), 43);
    expect_same_parameters(a.model, c.model, "before training");
    expect_ok(fmatch_trainer_run(a.trainer, 20, NULL));
    expect_ok(fmatch_trainer_run(b.trainer, 20, NULL));
    expect_ok(fmatch_trainer_run(c.trainer, 20, NULL));
    expect_same_parameters(a.model, b.model, "seed 42 twice");
    expect_same_losses(a.trainer, b.trainer, 20, "seed 42 twice");
    double first, other;
    expect_ok(fmatch_trainer_get_losses(a.trainer, 0, 1, &first));
    expect_ok(fmatch_trainer_get_losses(c.trainer, 0, 1, &other));
    expect_that(first != other, "seeds 42 and 43 have the first loss %g", first);
    end_run(&a);
    end_run(&b);
    end_run(&c);
}

static void runs_add_up(void **state)
{
    struct run whole = start_run(context_of(state), 1), parts = start_run(context_of(state), 1);
    expect_ok(fmatch_trainer_run(whole.trainer, 60, NULL));
    static const int64_t steps[] = {30, 0, 1, 29};
    for (size_t i = 0; i < COUNT(steps); i++)
        expect_ok(fmatch_trainer_run(parts.trainer, steps[i], NULL));
    expect_same_parameters(parts.model, whole.model, "30 + 0 + 1 + 29 steps");
    assert_int_equal(fmatch_trainer_count_steps(parts.trainer), 60);
    expect_same_losses(parts.trainer, whole.trainer, 60, "30 + 0 + 1 + 29 steps");
    end_run(&whole);
    end_run(&parts);
}

/* Standardisation, a noise source and SGD take part. */
static void runs_of_other_kinds_add_up(void **state)
{
    fmatch_model *models[2];
    for (int k = 0; k < 2; k++) {
        const float mean[] = {3, -1}, std[] = {2, 0.5f};
        fmatch_source *target = make_normal(context_of(state), 2), *noise;
        const float weights[] = {1, 1}, means[] = {1, 2, 3, 4}, stds[] = {1, 1, 2, 2};
        expect_ok(fmatch_source_create_gaussian_mixture(&noise, context_of(state), 2, 2, weights,
                                                        means, stds));
        fmatch_mlp_config config;
        fmatch_mlp_config_init_preset(&config, FMATCH_PRESET_PLAIN);
        config.dim = 2;
        config.hidden_layers = 1;
        config.hidden_width = 13;
        config.data_mean = mean;
        config.data_std = std;
        config.noise = noise;
        expect_ok(fmatch_model_create_mlp(&models[k], context_of(state), &config));
        fmatch_trainer *trainer =
            make_trainer(models[k], make_sgd(context_of(state), 0.01, 0.9), target, 33, 5);
        expect_ok(fmatch_trainer_run(trainer, k ? 40 : 17, NULL));
        expect_ok(fmatch_trainer_run(trainer, k ? 0 : 23, NULL));
        fmatch_trainer_destroy(&trainer);
        fmatch_source_destroy(&noise);
        fmatch_source_destroy(&target);
    }
    expect_same_parameters(models[0], models[1], "17 + 23 steps");
    fmatch_model_destroy(&models[0]);
    fmatch_model_destroy(&models[1]);
}

/* ---- learning ---- */

/* An untrained network's loss is about E (x1 - x0)^2 = 2.67; the floor is 1.8368. 2000 steps of 64
 * rows reach 1.90; the mean of the last 500 losses has a standard error of about 0.013. */
static void loss_falls_towards_its_floor(void **state)
{
    struct run run = start_run(context_of(state), 42);
    double before, after, losses[500], mean = 0;
    expect_ok(fmatch_trainer_evaluate(run.trainer, 7, 20000, &before));
    expect_ok(fmatch_trainer_run(run.trainer, 2000, NULL));
    expect_ok(fmatch_trainer_evaluate(run.trainer, 7, 20000, &after));
    expect_ok(fmatch_trainer_get_losses(run.trainer, 1500, 500, losses));
    for (int i = 0; i < 500; i++)
        mean += losses[i] / 500;
    expect_that(before > 2.4, "loss before training is %g", before);
    expect_that(after > 1.80 && after < 1.95, "loss after training is %g", after);
    expect_that(mean > 1.78 && mean < 1.97, "mean of the last 500 losses is %g", mean);
    end_run(&run);
}

static void evaluate_is_reproducible_and_without_effect(void **state)
{
    struct run a = start_run(context_of(state), 42), b = start_run(context_of(state), 42);
    double first, second, other, more;
    expect_ok(fmatch_trainer_run(a.trainer, 10, NULL));
    expect_ok(fmatch_trainer_run(b.trainer, 10, NULL));
    expect_ok(fmatch_trainer_evaluate(a.trainer, 3, 1000, &first));
    expect_ok(fmatch_trainer_evaluate(a.trainer, 3, 1000, &second));
    expect_ok(fmatch_trainer_evaluate(a.trainer, 4, 1000, &other));
    expect_ok(fmatch_trainer_evaluate(a.trainer, 3, 1, &more));
    assert_true(first == second);
    expect_that(first != other, "seeds 3 and 4 give the loss %g", first);
    assert_int_equal(fmatch_trainer_count_steps(a.trainer), 10);
    expect_ok(fmatch_trainer_run(a.trainer, 10, NULL));
    expect_ok(fmatch_trainer_run(b.trainer, 10, NULL));
    expect_same_parameters(a.model, b.model, "with and without evaluating");
    end_run(&a);
    end_run(&b);
}

/* The loss of a network that answers 0 is E (x1 - x0)^2 = 1 + 1.670375, known exactly. Its square
 * has a standard deviation below 4, which gives the standard error. */
static void evaluate_estimates_the_right_expectation(void **state)
{
    enum { N = 100000 };
    struct run run = start_run(context_of(state), 42);
    int64_t n;
    float *zeros = read_parameters(run.model, &n);
    memset(zeros, 0, (size_t)n * sizeof *zeros);
    write_parameters(run.model, zeros);
    free(zeros);
    fmatch_trainer *trainer =
        make_trainer(run.model, make_adam(context_of(state), 1e-3), run.target, BATCH, 1);
    double loss;
    expect_ok(fmatch_trainer_evaluate(trainer, 3, N, &loss));
    expect_close(loss, 2.670375, Z * 4 / sqrt(N), "loss of the zero field");
    fmatch_trainer_destroy(&trainer);
    end_run(&run);
}

/* ---- progress ---- */

struct report {
    int64_t calls, last_step, steps, stop_at, every;
    int32_t answer;
    double loss_sum, seconds;
    bool wrong;
};

static int32_t record_report(void *user, const fmatch_progress_info *info)
{
    struct report *report = user;
    report->wrong = report->wrong || info->struct_size != sizeof *info || info->flags != 0 ||
                    info->step <= report->last_step || info->steps != report->steps ||
                    info->learning_rate != 1e-3 || !isfinite(info->loss) ||
                    info->seconds < report->seconds;
    report->loss_sum += info->loss * (double)(info->step - report->last_step);
    report->last_step = info->step;
    report->seconds = info->seconds;
    report->calls++;
    return report->stop_at && info->step >= report->stop_at ? report->answer : 0;
}

static fmatch_progress progress_of(struct report *report)
{
    return (fmatch_progress){sizeof(fmatch_progress), 0, report->every, record_report, report};
}

static void reports_come_when_asked_for(void **state)
{
    static const struct {
        int64_t steps, every, calls;
    } cases[] = {{10, 1, 10}, {10, 3, 4}, {10, 5, 2}, {10, 100, 1}, {7, 0, 7}, {0, 1, 0}};
    struct run run = start_run(context_of(state), 1);
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct report report = {.steps = cases[i].steps, .every = cases[i].every};
        fmatch_progress progress = progress_of(&report);
        int64_t before = fmatch_trainer_count_steps(run.trainer);
        expect_ok(fmatch_trainer_run(run.trainer, cases[i].steps, &progress));
        expect_that(report.calls == cases[i].calls && report.last_step == cases[i].steps,
                    "%lld steps, every %lld: %lld reports, the last at %lld",
                    (long long)cases[i].steps, (long long)cases[i].every, (long long)report.calls,
                    (long long)report.last_step);
        expect_that(!report.wrong, "case %zu: a report was inconsistent", i);
        double losses[10], sum = 0;
        expect_ok(fmatch_trainer_get_losses(run.trainer, before, cases[i].steps, losses));
        for (int64_t k = 0; k < cases[i].steps; k++)
            sum += losses[k];
        expect_close(report.loss_sum, sum, 1e-9, "case %zu: reported means times steps", i);
    }
    struct report report = {.steps = 1000};
    fmatch_progress progress = progress_of(&report);
    expect_ok(fmatch_trainer_run(run.trainer, 1000, &progress));
    expect_that(report.calls >= 90 && report.calls <= 110, "%lld reports of 1000 steps",
                (long long)report.calls);
    end_run(&run);
}

/* Stopped at step 6 of 20: six steps are kept, published, and can be gone on from. */
static void cancelled_run_keeps_what_was_trained(void **state)
{
    for (int32_t answer = -5; answer <= 1; answer += 6) {
        struct run run = start_run(context_of(state), 1), plain = start_run(context_of(state), 1);
        struct report report = {.steps = 20, .every = 1, .stop_at = 6, .answer = answer};
        fmatch_progress progress = progress_of(&report);
        expect_status(fmatch_trainer_run(run.trainer, 20, &progress),
                      answer < 0 ? FMATCH_ERROR_CALLBACK : FMATCH_ERROR_CANCELLED);
        assert_int_equal(fmatch_error_callback_code(), answer < 0 ? answer : 0);
        assert_int_equal(report.last_step, 6);
        assert_int_equal(fmatch_trainer_count_steps(run.trainer), 6);
        expect_ok(fmatch_trainer_run(plain.trainer, 6, NULL));
        expect_same_parameters(run.model, plain.model, "six steps");
        expect_ok(fmatch_trainer_run(run.trainer, 4, NULL));
        expect_ok(fmatch_trainer_run(plain.trainer, 4, NULL));
        expect_same_parameters(run.model, plain.model, "four more");
        end_run(&run);
        end_run(&plain);
    }
}

/* ---- failures inside a step ---- */

struct broken_target {
    int64_t fail_row, nan_row; /* -1: never */
};

static int32_t draw_broken(void *user, fmatch_random *random, int64_t first_row, int64_t n,
                           float *x)
{
    struct broken_target *broken = user;
    if (broken->fail_row >= first_row && broken->fail_row < first_row + n)
        return -17;
    fmatch_random_draw_normal(random, n, 1, x);
    if (broken->nan_row >= first_row && broken->nan_row < first_row + n)
        x[broken->nan_row - first_row] = NAN;
    return 0;
}

/* The target fails in step 8: seven steps are kept; healed, training goes on as if nothing had
 * been. */
static void failing_target_leaves_the_steps_before(void **state)
{
    for (int nan = 0; nan <= 1; nan++) {
        int64_t row = 7 * BATCH + 20;
        struct broken_target broken = {nan ? -1 : row, nan ? row : -1}, sound = {-1, -1};
        fmatch_model *models[2];
        fmatch_trainer *trainers[2];
        for (int k = 0; k < 2; k++) {
            fmatch_source_callbacks callbacks = {
                .struct_size = sizeof callbacks, .draw = draw_broken, .user = k ? &sound : &broken};
            fmatch_source *target;
            expect_ok(fmatch_source_create_callback(&target, context_of(state), 1, &callbacks));
            models[k] = make_mlp(context_of(state), 1, 1, 16, FMATCH_ACTIVATION_SILU, 2);
            trainers[k] =
                make_trainer(models[k], make_adam(context_of(state), 1e-2), target, BATCH, 3);
            fmatch_source_destroy(&target);
        }
        expect_status(fmatch_trainer_run(trainers[0], 20, NULL),
                      nan ? FMATCH_ERROR_NOT_FINITE : FMATCH_ERROR_CALLBACK);
        assert_int_equal(fmatch_error_callback_code(), nan ? 0 : -17);
        assert_int_equal(fmatch_trainer_count_steps(trainers[0]), 7);
        expect_ok(fmatch_trainer_run(trainers[1], 7, NULL));
        expect_same_parameters(models[0], models[1], "seven steps");
        broken = sound;
        expect_ok(fmatch_trainer_run(trainers[0], 5, NULL));
        expect_ok(fmatch_trainer_run(trainers[1], 5, NULL));
        expect_same_parameters(models[0], models[1], "after it was healed");
        for (int k = 0; k < 2; k++) {
            fmatch_trainer_destroy(&trainers[k]);
            fmatch_model_destroy(&models[k]);
        }
    }
}

static void expect_finite_parameters(const fmatch_model *model, const char *what)
{
    int64_t n;
    float *p = read_parameters(model, &n);
    for (int64_t i = 0; i < n; i++)
        expect_that(isfinite(p[i]), "%s: parameter %lld is %g", what, (long long)i, p[i]);
    free(p);
}

/* Learning rates that blow the network up sooner or later, by way of an infinite loss or of the
 * update itself. */
static void exploding_training_stops_before_the_damage(void **state)
{
    static const double rates[] = {1e4, 1e12, 1e30, 3e38};
    for (size_t r = 0; r < COUNT(rates); r++) {
        fmatch_model *models[2];
        fmatch_trainer *trainers[2];
        fmatch_source *target = make_post_target(context_of(state));
        for (int k = 0; k < 2; k++) {
            models[k] = make_mlp(context_of(state), 1, 2, 16, FMATCH_ACTIVATION_RELU, 2);
            trainers[k] = make_trainer(models[k], make_sgd(context_of(state), rates[r], 0.9),
                                       target, BATCH, 3);
        }
        expect_status(fmatch_trainer_run(trainers[0], 1000, NULL), FMATCH_ERROR_NOT_FINITE);
        int64_t steps = fmatch_trainer_count_steps(trainers[0]);
        expect_detail("step");
        expect_that(steps < 1000, "rate %g: %lld steps", rates[r], (long long)steps);
        expect_finite_parameters(models[0], "after the failure");
        if (steps > 0)
            expect_ok(fmatch_trainer_run(trainers[1], steps, NULL));
        expect_same_parameters(models[0], models[1], "the steps before");
        double loss;
        fmatch_status status = fmatch_trainer_evaluate(trainers[0], 1, 100, &loss);
        expect_that(status == FMATCH_OK || status == FMATCH_ERROR_NOT_FINITE, "evaluating gives %s",
                    fmatch_status_get_name(status));
        for (int k = 0; k < 2; k++) {
            fmatch_trainer_destroy(&trainers[k]);
            fmatch_model_destroy(&models[k]);
        }
        fmatch_source_destroy(&target);
    }
}

/* The update overflows in the third step. With a smaller rate, training goes on as if that step had
 * not been tried: the optimizer's own memory is as before, too. */
static void failed_step_leaves_no_trace_in_the_optimizer(void **state)
{
    fmatch_source *target = make_post_target(context_of(state));
    fmatch_trainer_config settings;
    fmatch_trainer_config_init_preset(&settings, FMATCH_PRESET_PLAIN);
    for (int adam = 0; adam <= 1; adam++) {
        fmatch_model *models[2];
        for (int failing = 0; failing <= 1; failing++) {
            fmatch_optimizer *optimizer =
                adam ? make_adam(context_of(state), 1e-2) : make_sgd(context_of(state), 1e-2, 0.9);
            fmatch_trainer *trainer;
            models[failing] = make_mlp(context_of(state), 1, 1, 16, FMATCH_ACTIVATION_TANH, 2);
            expect_ok(
                fmatch_trainer_create(&trainer, models[failing], optimizer, target, &settings));
            expect_ok(fmatch_trainer_run(trainer, 2, NULL));
            if (failing) {
                expect_ok(fmatch_optimizer_set_learning_rate(optimizer, 3e38));
                const float far = 1e6f, zero = 0.0f;
                const fmatch_batch batch = {sizeof batch, 0, 1, &far, &zero, &zero, NULL, NULL};
                expect_status(fmatch_trainer_run_batch(trainer, &batch, NULL),
                              FMATCH_ERROR_NOT_FINITE);
                expect_detail("would not be finite", "3e+38");
                expect_ok(fmatch_optimizer_set_learning_rate(optimizer, 1e-2));
            }
            expect_ok(fmatch_trainer_run(trainer, 3, NULL));
            fmatch_trainer_destroy(&trainer);
            fmatch_optimizer_destroy(&optimizer);
        }
        expect_same_parameters(models[1], models[0], adam ? "Adam" : "momentum");
        fmatch_model_destroy(&models[0]);
        fmatch_model_destroy(&models[1]);
    }
    fmatch_source_destroy(&target);
}

/* Adam's second moment would overflow, which would freeze the parameter for ever. */
static void overflowing_moment_is_reported(void **state)
{
    fmatch_model *model = make_mlp(context_of(state), 1, 0, 1, FMATCH_ACTIVATION_RELU, 1);
    fmatch_trainer *trainer = make_trainer(model, make_adam(context_of(state), 1e-3), NULL, 1, 1);
    const float far = 1e24f, near = 1.0f, zero = 0.0f;
    fmatch_batch batch = {sizeof batch, 0, 1, &far, &zero, &zero, NULL, NULL};
    expect_status(fmatch_trainer_run_batch(trainer, &batch, NULL), FMATCH_ERROR_NOT_FINITE);
    expect_detail("optimizer's state");

    float before, after;
    expect_ok(fmatch_model_get_tensor(model, "net.0.bias", 1, &before));
    batch.target = &near;
    expect_ok(fmatch_trainer_run_batch(trainer, &batch, NULL));
    expect_ok(fmatch_model_get_tensor(model, "net.0.bias", 1, &after));
    expect_close(fabs((double)after - before), 1e-3, 1e-6, "the first step of Adam");
    fmatch_trainer_destroy(&trainer);
    fmatch_model_destroy(&model);
}

/* The loss is finite, 1e70, and the derivative with respect to a weight is 1e35 times 1e10. */
static void overflowing_gradient_is_reported(void **state)
{
    fmatch_model *model = make_mlp(context_of(state), 1, 0, 1, FMATCH_ACTIVATION_RELU, 1);
    const float zeros[2] = {0}, bias = 1e35f, x = 1e10f, t = 0.5f;
    expect_ok(fmatch_model_set_tensor(model, "net.0.weight", 2, zeros));
    expect_ok(fmatch_model_set_tensor(model, "net.0.bias", 1, &bias));
    fmatch_trainer *trainer = make_trainer(model, make_sgd(context_of(state), 0, 0), NULL, 1, 1);
    fmatch_batch batch = {sizeof batch, 0, 1, &x, &x, &t, NULL, NULL};
    double loss;
    expect_status(fmatch_trainer_evaluate_batch(trainer, &batch, &loss), FMATCH_ERROR_NOT_FINITE);
    expect_detail("gradient");
    expect_status(fmatch_trainer_run_batch(trainer, &batch, &loss), FMATCH_ERROR_NOT_FINITE);
    assert_int_equal(fmatch_trainer_count_steps(trainer), 0);
    fmatch_trainer_destroy(&trainer);
    fmatch_model_destroy(&model);
}

/* ---- the caller's own batches ---- */

static void bad_batches_are_refused_and_change_nothing(void **state)
{
    struct run run = start_run(context_of(state), 1);
    float x1[] = {1, 2, 3}, x0[] = {0.5f, 0, -1}, t[] = {0.25f, 0.5f, 1};
    fmatch_batch batch = {sizeof batch, 0, 3, x1, x0, t, NULL, NULL};
    int64_t n;
    float *before = read_parameters(run.model, &n);
    double loss;
    x1[2] = NAN;
    expect_status(fmatch_trainer_run_batch(run.trainer, &batch, &loss), FMATCH_ERROR_NOT_FINITE);
    expect_detail("target", "row 2", "nan");
    x1[2] = 3;
    x0[0] = INFINITY;
    expect_status(fmatch_trainer_run_batch(run.trainer, &batch, &loss), FMATCH_ERROR_NOT_FINITE);
    expect_detail("noise", "row 0", "inf");
    x0[0] = 0.5f;
    t[1] = 1.25f;
    expect_status(fmatch_trainer_run_batch(run.trainer, &batch, &loss), FMATCH_ERROR_ARGUMENT);
    expect_detail("t", "1.25");
    t[1] = NAN;
    expect_status(fmatch_trainer_run_batch(run.trainer, &batch, &loss), FMATCH_ERROR_ARGUMENT);
    expect_detail("t", "nan");
    t[1] = 0.5f;
    batch.n = 0;
    expect_status(fmatch_trainer_run_batch(run.trainer, &batch, &loss), FMATCH_ERROR_ARGUMENT);
    expect_detail("n", "0", "1");
    batch.n = ((int64_t)1 << 24) + 1;
    expect_status(fmatch_trainer_run_batch(run.trainer, &batch, &loss), FMATCH_ERROR_ARGUMENT);
    batch.n = 3;
    batch.target = NULL;
    expect_status(fmatch_trainer_run_batch(run.trainer, &batch, &loss), FMATCH_ERROR_ARGUMENT);
    expect_detail("target");
    assert_int_equal(fmatch_trainer_count_steps(run.trainer), 0);
    float *now = read_parameters(run.model, &n);
    expect_same_bits(now, before, n, "after refused batches");
    free(now);
    free(before);
    batch.target = x1;
    expect_ok(fmatch_trainer_run_batch(run.trainer, &batch, NULL));
    end_run(&run);
}

/* What a batch leaves out is drawn as run would: with the target's own rows, the same step. */
static void missing_noise_and_times_are_those_of_the_next_step(void **state)
{
    struct run a = start_run(context_of(state), 1), b = start_run(context_of(state), 1);
    float x1[] = {1, 2, 3, 4};
    fmatch_batch batch = {sizeof batch, 0, 4, x1, NULL, NULL, NULL, NULL};
    double evaluated, stepped, later;
    expect_ok(fmatch_trainer_evaluate_batch(a.trainer, &batch, &evaluated));
    expect_ok(fmatch_trainer_run_batch(a.trainer, &batch, &stepped));
    expect_that(evaluated == stepped, "evaluated %.17g, stepped %.17g", evaluated, stepped);
    expect_ok(fmatch_trainer_run_batch(b.trainer, &batch, NULL));
    expect_same_parameters(a.model, b.model, "one batch");
    expect_ok(fmatch_trainer_evaluate_batch(a.trainer, &batch, &later));
    expect_that(fabs(later - stepped) > 1e-3,
                "the next step draws the same noise and times (losses %g, %g)", stepped, later);
    end_run(&a);
    end_run(&b);
}

/* The noise that run_batch draws is the model's, standard normal: with x1 = 0 and a zero field the
 * loss is the mean of x0^2, and uniform times do not matter. */
static void drawn_noise_is_the_models(void **state)
{
    enum { N = 50000 };
    struct run run = start_run(context_of(state), 1);
    int64_t n;
    float *zeros = read_parameters(run.model, &n), *x1 = floats(N);
    memset(zeros, 0, (size_t)n * sizeof *zeros);
    write_parameters(run.model, zeros);
    fmatch_trainer *trainer =
        make_trainer(run.model, make_sgd(context_of(state), 0, 0), NULL, 1, 4);
    fmatch_batch batch = {sizeof batch, 0, N, x1, NULL, NULL, NULL, NULL};
    double first, second;
    expect_ok(fmatch_trainer_run_batch(trainer, &batch, &first));
    expect_close(first, 1, Z * sqrt(2.0 / N), "mean square of the noise");
    expect_ok(fmatch_trainer_run_batch(trainer, &batch, &second));
    expect_close(second, 1, Z * sqrt(2.0 / N), "mean square of the noise of step 2");
    expect_that(first != second, "both steps have noise of mean square %g", first);
    free(x1);
    free(zeros);
    fmatch_trainer_destroy(&trainer);
    end_run(&run);
}

static void run_and_run_batch_share_one_history(void **state)
{
    struct run run = start_run(context_of(state), 1);
    float x1[] = {1, 2, 3}, x0[] = {0.5f, 0, -1}, t[] = {0.25f, 0.5f, 1};
    fmatch_batch batch = {sizeof batch, 0, 3, x1, x0, t, NULL, NULL};
    double loss, losses[8];
    expect_ok(fmatch_trainer_run(run.trainer, 3, NULL));
    expect_ok(fmatch_trainer_run_batch(run.trainer, &batch, &loss));
    expect_ok(fmatch_trainer_run(run.trainer, 4, NULL));
    assert_int_equal(fmatch_trainer_count_steps(run.trainer), 8);
    expect_ok(fmatch_trainer_get_losses(run.trainer, 0, 8, losses));
    assert_true(losses[3] == loss);
    expect_status(fmatch_trainer_get_losses(run.trainer, 4, 5, losses), FMATCH_ERROR_ARGUMENT);
    expect_detail("first", "4", "3");
    expect_status(fmatch_trainer_get_losses(run.trainer, INT64_MAX, 2, losses),
                  FMATCH_ERROR_ARGUMENT);
    expect_status(fmatch_trainer_get_losses(run.trainer, -1, 1, losses), FMATCH_ERROR_ARGUMENT);
    expect_ok(fmatch_trainer_get_losses(run.trainer, 8, 0, losses));
    end_run(&run);
}

/* ---- states ---- */

static void calls_in_the_wrong_order_are_refused(void **state)
{
    struct run run = start_run(context_of(state), 1);
    fmatch_optimizer *optimizer = make_adam(context_of(state), 1e-3);
    fmatch_trainer *bare, *second = (fmatch_trainer *)&run;
    expect_ok(fmatch_trainer_create(&bare, run.model, optimizer, NULL, NULL));
    expect_status(fmatch_trainer_create(&second, run.model, optimizer, run.target, NULL),
                  FMATCH_ERROR_STATE);
    assert_null(second);
    expect_detail("optimizer");
    double loss;
    expect_status(fmatch_trainer_run(bare, 1, NULL), FMATCH_ERROR_STATE);
    expect_detail("target");
    expect_status(fmatch_trainer_evaluate(bare, 1, 10, &loss), FMATCH_ERROR_STATE);
    float bias[24];
    expect_status(fmatch_trainer_get_gradient(bare, "net.0.bias", 24, bias), FMATCH_ERROR_STATE);
    float x1[] = {1};
    fmatch_batch batch = {sizeof batch, 0, 1, x1, NULL, NULL, NULL, NULL};
    expect_ok(fmatch_trainer_run_batch(bare, &batch, &loss));
    expect_ok(fmatch_trainer_get_gradient(bare, "net.0.bias", 24, bias));
    expect_status(fmatch_trainer_get_gradient(bare, "net.0.bias", 23, bias), FMATCH_ERROR_SHAPE);
    expect_status(fmatch_trainer_get_gradient(bare, "net.9.bias", 24, bias), FMATCH_ERROR_ARGUMENT);
    expect_detail("net.9.bias");
    fmatch_trainer_destroy(&bare);
    fmatch_optimizer_destroy(&optimizer);
    end_run(&run);
}

/* A failed create does not use the optimizer up. */
static void optimizer_is_free_after_a_failed_create(void **state)
{
    fmatch_source *target = make_normal(context_of(state), 2);
    fmatch_model *model = make_mlp(context_of(state), 1, 1, 4, FMATCH_ACTIVATION_RELU, 1);
    fmatch_model *exact = make_closed_form(context_of(state), target);
    fmatch_optimizer *optimizer = make_adam(context_of(state), 1e-3);
    fmatch_trainer *trainer = (fmatch_trainer *)&target;
    expect_status(fmatch_trainer_create(&trainer, model, optimizer, target, NULL),
                  FMATCH_ERROR_SHAPE);
    assert_null(trainer);
    expect_detail("2", "1");
    expect_status(fmatch_trainer_create(&trainer, exact, optimizer, target, NULL),
                  FMATCH_ERROR_UNSUPPORTED);
    expect_ok(fmatch_trainer_create(&trainer, model, optimizer, NULL, NULL));
    fmatch_trainer_destroy(&trainer);
    fmatch_optimizer_destroy(&optimizer);
    fmatch_model_destroy(&exact);
    fmatch_model_destroy(&model);
    fmatch_source_destroy(&target);
}

static void learning_rate_can_be_changed(void **state)
{
    fmatch_source *target = make_post_target(context_of(state));
    fmatch_model *model = make_mlp(context_of(state), 1, 1, 4, FMATCH_ACTIVATION_TANH, 1);
    fmatch_optimizer *optimizer = make_adam(context_of(state), 1e-2);
    fmatch_trainer *trainer;
    fmatch_trainer_config settings;
    fmatch_trainer_config_init_preset(&settings, FMATCH_PRESET_PLAIN);
    expect_ok(fmatch_trainer_create(&trainer, model, optimizer, target, &settings));
    int64_t n;
    expect_ok(fmatch_trainer_run(trainer, 3, NULL));
    float *before = read_parameters(model, &n);
    assert_true(fmatch_optimizer_get_learning_rate(optimizer) == 1e-2);
    expect_ok(fmatch_optimizer_set_learning_rate(optimizer, 0));
    assert_true(fmatch_optimizer_get_learning_rate(optimizer) == 0);
    expect_ok(fmatch_trainer_run(trainer, 3, NULL));
    float *now = read_parameters(model, &n);
    expect_same_bits(now, before, n, "three steps at rate 0");
    free(now);
    expect_status(fmatch_optimizer_set_learning_rate(optimizer, -1), FMATCH_ERROR_ARGUMENT);
    expect_detail("learning_rate", "-1");
    expect_status(fmatch_optimizer_set_learning_rate(optimizer, NAN), FMATCH_ERROR_ARGUMENT);
    expect_ok(fmatch_optimizer_set_learning_rate(optimizer, 1e-2));
    expect_ok(fmatch_trainer_run(trainer, 1, NULL));
    now = read_parameters(model, &n);
    expect_that(memcmp(now, before, (size_t)n * sizeof *now) != 0,
                "a step at rate 1e-2 changed none of %lld", (long long)n);
    free(now);
    free(before);
    assert_true(fmatch_optimizer_get_learning_rate(NULL) == 0);
    fmatch_trainer_destroy(&trainer);
    fmatch_optimizer_destroy(&optimizer);
    fmatch_model_destroy(&model);
    fmatch_source_destroy(&target);
}

/* set_tensor after create changes the model, not the trainer's own copy, which comes back. */
static void trainer_keeps_its_own_copy(void **state)
{
    struct run a = start_run(context_of(state), 1), b = start_run(context_of(state), 1);
    float zeros[24] = {0};
    expect_ok(fmatch_model_set_tensor(a.model, "net.0.bias", 24, zeros));
    expect_ok(fmatch_trainer_run(a.trainer, 2, NULL));
    expect_ok(fmatch_trainer_run(b.trainer, 2, NULL));
    expect_same_parameters(a.model, b.model, "after set_tensor");
    end_run(&a);
    end_run(&b);
}

/* The recommended ones may improve, but not unnoticed; doc/defaults.md argues for them. */
static void presets_are_the_documented_values(void **state)
{
    (void)state;
    for (int32_t preset = FMATCH_PRESET_RECOMMENDED; preset <= FMATCH_PRESET_PLAIN; preset++) {
        const bool plain = preset == FMATCH_PRESET_PLAIN;
        fmatch_mlp_config mlp;
        fmatch_trainer_config trainer;
        fmatch_adam_config adam;
        fmatch_sgd_config sgd;
        fmatch_mlp_config_init_preset(&mlp, preset);
        fmatch_trainer_config_init_preset(&trainer, preset);
        fmatch_adam_config_init_preset(&adam, preset);
        fmatch_sgd_config_init_preset(&sgd, preset);
        assert_true(mlp.baseline == (plain ? FMATCH_BASELINE_NONE : FMATCH_BASELINE_GAUSSIAN) &&
                    mlp.output_init ==
                        (plain ? FMATCH_OUTPUT_INIT_UNIFORM : FMATCH_OUTPUT_INIT_ZERO));
        assert_true(trainer.struct_size == sizeof trainer && trainer.batch == 256 &&
                    trainer.seed == 0 && trainer.steps == 10000 && trainer.accumulate == 1);
        assert_true(trainer.clip_norm == (plain ? 0 : 1) &&
                    trainer.average_decay == (plain ? 0 : 0.999) &&
                    trainer.publish == (plain ? FMATCH_PUBLISH_PRESENT : FMATCH_PUBLISH_AVERAGE));
        assert_true((trainer.time == NULL) == plain && (trainer.rate == NULL) == plain);
        assert_true(plain ||
                    (trainer.time->stratified == 1 && trainer.time->kind == FMATCH_TIME_UNIFORM));
        assert_true(plain || (trainer.rate->kind == FMATCH_RATE_COSINE &&
                              trainer.rate->warmup == -1 && trainer.rate->end == 0));
        assert_true(adam.struct_size == sizeof adam && adam.flags == 0 &&
                    adam.learning_rate == (plain ? 1e-3 : 5e-3) && adam.beta1 == 0.9 &&
                    adam.beta2 == 0.999 && adam.epsilon == 1e-8 && adam.weight_decay == 0);
        assert_true(sgd.struct_size == sizeof sgd && sgd.nesterov == 0 &&
                    sgd.learning_rate == 1e-2 && sgd.momentum == (plain ? 0.0 : 0.9));
    }
}

/* ---- lifetimes ---- */

struct family {
    fmatch_context *context;
    fmatch_source *target;
    fmatch_model *model;
    fmatch_optimizer *optimizer;
    fmatch_trainer *trainer;
    fmatch_sampler *sampler;
};

enum { MEMBERS = 6 };

static void destroy_member(struct family *family, int member)
{
    switch (member) {
    case 0:
        fmatch_context_destroy(&family->context);
        break;
    case 1:
        fmatch_source_destroy(&family->target);
        break;
    case 2:
        fmatch_model_destroy(&family->model);
        break;
    case 3:
        fmatch_optimizer_destroy(&family->optimizer);
        break;
    case 4:
        fmatch_trainer_destroy(&family->trainer);
        break;
    default:
        fmatch_sampler_destroy(&family->sampler);
    }
}

/* What is left works as before. */
static void use_family(struct family *family)
{
    float x[3];
    if (family->trainer)
        expect_ok(fmatch_trainer_run(family->trainer, 1, NULL));
    if (family->sampler)
        expect_ok(fmatch_sampler_draw(family->sampler, 1, 0, 3, NULL, x));
    if (family->target)
        expect_ok(fmatch_source_draw(family->target, 1, 0, 3, x));
    if (family->model)
        expect_ok(fmatch_model_evaluate(family->model, 3, x, x, NULL, x));
}

static void destroy_in_order(const int *order)
{
    struct ledger ledger = {0};
    fmatch_allocator allocator = ledger_allocator(&ledger);
    fmatch_context_config config = forced_context_config();
    config.allocator = &allocator;
    struct family family;
    expect_ok(fmatch_context_create(&family.context, &config));
    family.target = make_post_target(family.context);
    family.model = make_mlp(family.context, 1, 1, 3, FMATCH_ACTIVATION_TANH, 1);
    family.optimizer = make_adam(family.context, 1e-3);
    fmatch_trainer_config trainer_config;
    fmatch_trainer_config_init_preset(&trainer_config, FMATCH_PRESET_PLAIN);
    trainer_config.batch = 4;
    expect_ok(fmatch_trainer_create(&family.trainer, family.model, family.optimizer, family.target,
                                    &trainer_config));
    family.sampler = make_sampler(family.model, FMATCH_SOLVER_HEUN, 2, 0, 1);
    for (int i = 0; i < MEMBERS; i++) {
        use_family(&family);
        destroy_member(&family, order[i]);
    }
    assert_true(!family.context && !family.target && !family.model && !family.optimizer &&
                !family.trainer && !family.sampler);
    char what[64];
    snprintf(what, sizeof what, "order %d%d%d%d%d%d", order[0], order[1], order[2], order[3],
             order[4], order[5]);
    expect_balanced(&ledger, what);
    assert_int_equal(ledger.destroyed, 1);
}

static void permute_and_destroy(int *order, int fixed)
{
    if (fixed == MEMBERS) {
        destroy_in_order(order);
        return;
    }
    for (int i = fixed; i < MEMBERS; i++) {
        int swapped = order[i];
        order[i] = order[fixed];
        order[fixed] = swapped;
        permute_and_destroy(order, fixed + 1);
        order[fixed] = order[i];
        order[i] = swapped;
    }
}

static void handles_may_be_destroyed_in_any_order(void **state)
{
    (void)state;
    int order[MEMBERS] = {0, 1, 2, 3, 4, 5};
    permute_and_destroy(order, 0);
}

/* ---- sampling beside training ---- */

enum { PUBLISHED = 300, SEEN = 4000 };

struct observer {
    fmatch_sampler *sampler;
    _Atomic bool stop;
    int64_t seen;
    fmatch_status status;
    float values[SEEN];
};

static void *observe(void *user)
{
    struct observer *observer = user;
    const float start = 0.3f;
    do { /* once even where the thread comes late */
        observer->status = fmatch_sampler_integrate(observer->sampler, 1, &start, NULL,
                                                    &observer->values[observer->seen]);
        observer->seen++;
    } while (!observer->stop && observer->seen < SEEN && observer->status == FMATCH_OK);
    return NULL;
}

/* A sample taken while the model is trained comes from one published snapshot as a whole: each
 * value seen is bitwise one of those that the snapshots give when nobody trains. */
static void sampling_beside_training_sees_whole_snapshots(void **state)
{
    struct run run = start_run(context_of(state), 1), quiet = start_run(context_of(state), 1);
    static float allowed[PUBLISHED + 1];
    const float start = 0.3f;
    fmatch_sampler *sampler = make_sampler(quiet.model, FMATCH_SOLVER_RK4, 4, 0, 1);
    for (int i = 0; i <= PUBLISHED; i++) {
        expect_ok(fmatch_sampler_integrate(sampler, 1, &start, NULL, &allowed[i]));
        expect_ok(fmatch_trainer_run(quiet.trainer, 1, NULL));
    }
    static struct observer observer;
    observer.sampler = make_sampler(run.model, FMATCH_SOLVER_RK4, 4, 0, 1);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, observe, &observer), 0);
    for (int i = 0; i < PUBLISHED; i++)
        expect_ok(fmatch_trainer_run(run.trainer, 1, NULL));
    observer.stop = true;
    pthread_join(thread, NULL);
    assert_int_equal(observer.status, FMATCH_OK);
    assert_true(observer.seen > 0);
    int at = 0;
    for (int64_t i = 0; i < observer.seen; i++) {
        while (at <= PUBLISHED && memcmp(&allowed[at], &observer.values[i], sizeof(float)) != 0)
            at++; /* snapshots are seen in the order of their publication */
        expect_that(at <= PUBLISHED, "sample %lld, %.9g, is of no snapshot", (long long)i,
                    observer.values[i]);
    }
    fmatch_sampler_destroy(&observer.sampler);
    fmatch_sampler_destroy(&sampler);
    end_run(&run);
    end_run(&quiet);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        world_test(same_seed_gives_the_same_bits),
        world_test(runs_add_up),
        world_test(runs_of_other_kinds_add_up),
        world_test(loss_falls_towards_its_floor),
        world_test(evaluate_is_reproducible_and_without_effect),
        world_test(evaluate_estimates_the_right_expectation),
        world_test(reports_come_when_asked_for),
        world_test(cancelled_run_keeps_what_was_trained),
        world_test(failing_target_leaves_the_steps_before),
        world_test(exploding_training_stops_before_the_damage),
        world_test(failed_step_leaves_no_trace_in_the_optimizer),
        world_test(overflowing_moment_is_reported),
        world_test(overflowing_gradient_is_reported),
        world_test(bad_batches_are_refused_and_change_nothing),
        world_test(missing_noise_and_times_are_those_of_the_next_step),
        world_test(drawn_noise_is_the_models),
        world_test(run_and_run_batch_share_one_history),
        world_test(calls_in_the_wrong_order_are_refused),
        world_test(optimizer_is_free_after_a_failed_create),
        world_test(learning_rate_can_be_changed),
        world_test(trainer_keeps_its_own_copy),
        cmocka_unit_test(presets_are_the_documented_values),
        cmocka_unit_test(handles_may_be_destroyed_in_any_order),
        world_test(sampling_beside_training_sees_whole_snapshots),
    };
    return cmocka_run_group_tests_name("trainer", tests, NULL, NULL);
}
