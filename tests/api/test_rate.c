/* Factors of the learning rate: by hand, at the ends, by a user's function, and in training. */
#include "fixtures.h"

enum { STEPS = 12 };

static fmatch_rate_config rate_of(int32_t kind, int64_t steps, int64_t warmup)
{
    fmatch_rate_config config;
    fmatch_rate_config_init(&config);
    config.kind = kind;
    config.steps = steps;
    config.warmup = warmup;
    return config;
}

static void expect_factors(const fmatch_rate_config *config, const double *wanted, int n,
                           const char *what)
{
    double seen[STEPS + 1];
    expect_ok(fmatch_rate_evaluate(config, 1, 0, n, seen));
    for (int i = 0; i < n; i++) {
        expect_close(seen[i], wanted[i], 1e-14, "%s: step %d", what, i);
        double alone;
        expect_ok(fmatch_rate_evaluate(config, 1, i, 1, &alone));
        expect_that(alone == seen[i], "%s: step %d alone is %g", what, i, alone);
    }
}

static void factors_are_those_of_their_formulas(void **state)
{
    (void)state;
    const double root = sqrt(2) / 2;
    const double ones[] = {1, 1, 1}, risen[] = {0.25, 0.5, 0.75, 1, 1, 1};
    const double half_turn[] = {1, 0.5 + root / 2, 0.5, 0.5 - root / 2, 0, 0.0, 0};
    const double warmed[] = {
        0.5, 1, 1, 0.1 + 0.9 * (0.5 + root / 2), 0.55, 0.1 + 0.9 * (0.5 - root / 2), 0.1, 0.1};
    const double line[] = {1, 0.75, 0.5, 0.25, 0, 0}, square[] = {1, 0.65, 0.4, 0.25, 0.2, 0.2};
    const double stairs[] = {0.5, 1, 1, 1, 0.1, 0.1, 0.01, 0.01, 0.01},
                 thirds[] = {1, 1. / 3, 1. / 9};
    expect_factors(NULL, ones, 3, "none");
    fmatch_rate_config c = rate_of(FMATCH_RATE_CONSTANT, 0, 0);
    expect_factors(&c, ones, 3, "constant");
    c = rate_of(FMATCH_RATE_CONSTANT, 10, 4);
    expect_factors(&c, risen, 6, "warm-up");
    c = rate_of(FMATCH_RATE_COSINE, 4, 0);
    expect_factors(&c, half_turn, 7, "cosine");
    c = rate_of(FMATCH_RATE_COSINE, 6, 2);
    c.end = 0.1;
    expect_factors(&c, warmed, 8, "cosine after a warm-up, to 0.1");
    c = rate_of(FMATCH_RATE_POLYNOMIAL, 4, 0);
    expect_factors(&c, line, 6, "line");
    c.exponent = 2;
    c.end = 0.2;
    expect_factors(&c, square, 6, "square, to 0.2");
    c = rate_of(FMATCH_RATE_STEP, 7, 2);
    c.every = 2;
    expect_factors(&c, stairs, 9, "steps, to the end");
    c = rate_of(FMATCH_RATE_STEP, 100, 0);
    c.every = 1;
    c.decay = 1. / 3;
    expect_factors(&c, thirds, 3, "thirds");
    const double all_warmup[] = {0.5, 1, 0, 0};
    c = rate_of(FMATCH_RATE_COSINE, 2, 2);
    expect_factors(&c, all_warmup, 4, "nothing but a warm-up");
}

/* The trainer's number of steps is the length where the schedule has none. */
static void length_may_be_given_beside(void **state)
{
    (void)state;
    const fmatch_rate_config own = rate_of(FMATCH_RATE_POLYNOMIAL, 8, 0),
                             none = rate_of(FMATCH_RATE_POLYNOMIAL, 0, 0);
    double a, b;
    expect_ok(fmatch_rate_evaluate(&own, 4, 2, 1, &a));
    expect_ok(fmatch_rate_evaluate(&none, 4, 2, 1, &b));
    expect_close(a, 0.75, 1e-15, "length 8");
    expect_close(b, 0.5, 1e-15, "length 4");
    fmatch_rate_config recommended;
    fmatch_rate_config_init(&recommended);
    assert_true(recommended.struct_size == sizeof recommended &&
                recommended.kind == FMATCH_RATE_COSINE && recommended.warmup == -1);
}

/* ---- a user's schedule ---- */

struct schedule {
    int64_t calls, fail_at;
    double bad; /* what is written at fail_at, if it is not 0 */
    int destroyed;
};

static int32_t one_over(void *user, int64_t step, double *factor)
{
    struct schedule *s = user;
    s->calls++;
    if (step == s->fail_at && s->bad == 0)
        return -7;
    *factor = step == s->fail_at ? s->bad : 1 / (double)(step + 1);
    return 0;
}

static void count_destroy(void *user)
{
    ((struct schedule *)user)->destroyed++;
}

static fmatch_rate_callbacks callbacks_of(struct schedule *s)
{
    return (fmatch_rate_callbacks){sizeof(fmatch_rate_callbacks), 0, one_over, count_destroy, s};
}

static void user_gives_factors(void **state)
{
    (void)state;
    struct schedule s = {.fail_at = -1};
    const fmatch_rate_callbacks callbacks = callbacks_of(&s);
    fmatch_rate_config c = rate_of(FMATCH_RATE_CALLBACK, 3, 2);
    c.callbacks = &callbacks;
    const double wanted[] = {0.5, 0.5, 1. / 3, 0.25, 0.2};
    expect_factors(&c, wanted, 5, "one over the step, beyond the end");
    assert_int_equal(s.destroyed, 0);
    double factor[3];
    s.fail_at = 1;
    expect_status(fmatch_rate_evaluate(&c, 1, 0, 3, factor), FMATCH_ERROR_CALLBACK);
    assert_int_equal(fmatch_error_callback_code(), -7);
    const double bad[] = {NAN, INFINITY, -0.5};
    for (size_t i = 0; i < COUNT(bad); i++) {
        s.bad = bad[i];
        expect_status(fmatch_rate_evaluate(&c, 1, 0, 3, factor), FMATCH_ERROR_NOT_FINITE);
        expect_detail("step 1", "at least 0");
    }
}

static void bad_schedules_are_refused(void **state)
{
    (void)state;
    const fmatch_rate_callbacks none = {.struct_size = sizeof none},
                                flags = {sizeof flags, 1, one_over, NULL, NULL};
#define CASE(member, ...)                                                                          \
    {                                                                                              \
#member,                                                                                   \
        {                                                                                          \
            .member = __VA_ARGS__                                                                  \
        }                                                                                          \
    }
    const struct {
        const char *name;
        fmatch_rate_config config;
    } cases[] = {
        CASE(kind, -1, .steps = 1),
        CASE(kind, 5, .steps = 1),
        CASE(steps, -1),
        CASE(warmup, -2),
        CASE(warmup, 11),
        CASE(warmup, 3, .steps = 2),
        CASE(end, 0.5),
        CASE(end, -0.1, .kind = FMATCH_RATE_COSINE),
        CASE(end, 1.1, .kind = FMATCH_RATE_COSINE),
        CASE(end, NAN, .kind = FMATCH_RATE_POLYNOMIAL),
        CASE(exponent, 1, .kind = FMATCH_RATE_COSINE),
        CASE(exponent, -1, .kind = FMATCH_RATE_POLYNOMIAL),
        CASE(exponent, 1001, .kind = FMATCH_RATE_POLYNOMIAL),
        CASE(decay, 0.5, .kind = FMATCH_RATE_COSINE),
        CASE(decay, 1.5, .kind = FMATCH_RATE_STEP, .every = 1),
        CASE(every, 0, .kind = FMATCH_RATE_STEP),
        CASE(every, 1, .kind = FMATCH_RATE_COSINE),
        CASE(callbacks, NULL, .kind = FMATCH_RATE_CALLBACK),
        CASE(callbacks, &flags, .kind = FMATCH_RATE_COSINE),
        CASE(callbacks, &none, .kind = FMATCH_RATE_CALLBACK),
        CASE(callbacks, &flags, .kind = FMATCH_RATE_CALLBACK),
    };
#undef CASE
    double factor;
    for (size_t i = 0; i < COUNT(cases); i++) {
        fmatch_rate_config config = cases[i].config;
        config.struct_size = sizeof config;
        const fmatch_status status = fmatch_rate_evaluate(&config, 10, 0, 1, &factor);
        expect_that(status == FMATCH_ERROR_ARGUMENT, "case %zu gives %s", i,
                    fmatch_status_get_name(status));
        expect_detail("rate->", cases[i].name);
    }
    fmatch_rate_config config = rate_of(FMATCH_RATE_COSINE, 5, 0);
    expect_status(fmatch_rate_evaluate(&config, 0, 0, 1, &factor), FMATCH_ERROR_ARGUMENT);
    expect_detail("steps", "0", "1");
    expect_status(fmatch_rate_evaluate(&config, 1, -1, 1, &factor), FMATCH_ERROR_ARGUMENT);
    expect_detail("first", "-1", "0");
    expect_status(fmatch_rate_evaluate(&config, 1, 0, -1, &factor), FMATCH_ERROR_ARGUMENT);
    expect_status(fmatch_rate_evaluate(&config, 1, 0, 1, NULL), FMATCH_ERROR_ARGUMENT);
    expect_detail("factor is NULL");
    expect_ok(fmatch_rate_evaluate(&config, 1, 0, 0, NULL));
    config.struct_size = 8;
    expect_status(fmatch_rate_evaluate(&config, 1, 0, 1, &factor), FMATCH_ERROR_STRUCT_SIZE);
}

/* ---- in training ---- */

/* The rate that AdamW's decay allows, and what Nesterov's momentum needs. */
static void optimizers_refuse_what_contradicts(void **state)
{
    fmatch_adam_config adam;
    fmatch_adam_config_init(&adam);
    adam.weight_decay = 4;
    fmatch_optimizer *optimizer;
    expect_ok(fmatch_optimizer_create_adam(&optimizer, context_of(state), &adam));
    expect_ok(fmatch_optimizer_set_learning_rate(optimizer, 0.25));
    expect_status(fmatch_optimizer_set_learning_rate(optimizer, 0.26), FMATCH_ERROR_ARGUMENT);
    expect_detail("learning_rate", "0.26", "0.25");
    expect_close(fmatch_optimizer_get_learning_rate(optimizer), 0.25, 0, "as before");
    fmatch_optimizer_destroy(&optimizer);
    fmatch_sgd_config sgd;
    fmatch_sgd_config_init(&sgd);
    sgd.nesterov = 1;
    sgd.momentum = 0;
    expect_status(fmatch_optimizer_create_sgd(&optimizer, context_of(state), &sgd),
                  FMATCH_ERROR_ARGUMENT);
    expect_detail("momentum", "nesterov");
}

struct training {
    fmatch_source *target;
    fmatch_model *model;
    fmatch_optimizer *optimizer;
    fmatch_trainer *trainer;
};

static struct training train_with(fmatch_context *context, const fmatch_rate_config *rate,
                                  fmatch_status wanted)
{
    struct training t = {.target = make_post_target(context),
                         .model = make_mlp(context, 1, 1, 8, FMATCH_ACTIVATION_TANH, 2),
                         .optimizer = make_sgd(context, 0.5, 0)};
    fmatch_trainer_config config;
    fmatch_trainer_config_init_preset(&config, FMATCH_PRESET_PLAIN);
    config.batch = 8;
    config.steps = STEPS;
    config.rate = rate;
    expect_status(fmatch_trainer_create(&t.trainer, t.model, t.optimizer, t.target, &config),
                  wanted);
    return t;
}

static void destroy_training(struct training *t)
{
    fmatch_trainer_destroy(&t->trainer);
    fmatch_optimizer_destroy(&t->optimizer);
    fmatch_model_destroy(&t->model);
    fmatch_source_destroy(&t->target);
}

static double rate_now(const fmatch_trainer *trainer)
{
    fmatch_trainer_info info = {.struct_size = sizeof info};
    expect_ok(fmatch_trainer_get_info(trainer, &info));
    return info.learning_rate;
}

static void expect_a_step_of(struct training *t, double rate, const char *what)
{
    int64_t n;
    float *before = read_parameters(t->model, &n);
    expect_ok(fmatch_trainer_run(t->trainer, 1, NULL));
    float *gradient = read_gradient(t->trainer, t->model), *after = read_parameters(t->model, &n);
    for (int64_t i = 0; i < n; i++)
        expect_close(after[i], before[i] - rate * gradient[i], 3e-7, "%s: parameter %lld", what,
                     (long long)i);
    expect_close(rate_now(t->trainer), rate, 1e-15, "%s: what is told", what);
    free(before);
    free(gradient);
    free(after);
}

/* The factor multiplies the optimizer's rate, whatever that is by then; steps are the trainer's, of
 * whatever call. */
static void steps_go_by_the_schedule(void **state)
{
    const fmatch_rate_config rate = rate_of(FMATCH_RATE_POLYNOMIAL, 0, 0);
    struct training t = train_with(context_of(state), &rate, FMATCH_OK);
    expect_close(rate_now(t.trainer), 0.5, 0, "before the first step");
    for (int i = 0; i < STEPS; i++)
        expect_a_step_of(&t, 0.5 * (1 - i / (double)STEPS), "a line");
    expect_a_step_of(&t, 0, "the end");
    destroy_training(&t);

    t = train_with(context_of(state), &rate, FMATCH_OK);
    expect_a_step_of(&t, 0.5, "the first");
    expect_ok(fmatch_optimizer_set_learning_rate(t.optimizer, 0.25));
    expect_a_step_of(&t, 0.25 * (1 - 1. / STEPS), "after a change");
    expect_close(fmatch_optimizer_get_learning_rate(t.optimizer), 0.25, 0, "the optimizer's own");
    destroy_training(&t);
}

static void failing_schedule_leaves_the_parameters(void **state)
{
    struct schedule s = {.fail_at = 3};
    const fmatch_rate_callbacks callbacks = callbacks_of(&s);
    fmatch_rate_config rate = rate_of(FMATCH_RATE_CALLBACK, 0, 0);
    rate.callbacks = &callbacks;
    struct training t = train_with(context_of(state), &rate, FMATCH_OK);
    struct training u = train_with(context_of(state), NULL, FMATCH_OK);
    expect_status(fmatch_trainer_run(t.trainer, 10, NULL), FMATCH_ERROR_CALLBACK);
    assert_int_equal(fmatch_error_callback_code(), -7);
    expect_detail("step 4", "evaluate returned -7");
    assert_int_equal(fmatch_trainer_count_steps(t.trainer), 3);
    for (int i = 0; i < 3; i++) {
        expect_ok(fmatch_optimizer_set_learning_rate(u.optimizer, 0.5 / (i + 1)));
        expect_ok(fmatch_trainer_run(u.trainer, 1, NULL));
    }
    expect_same_parameters(t.model, u.model, "three steps");
    s.fail_at = -1;
    expect_ok(fmatch_trainer_run(t.trainer, 1, NULL));
    assert_int_equal(s.destroyed, 0);
    destroy_training(&t);
    destroy_training(&u);
    assert_int_equal(s.destroyed, 1);
}

/* What a schedule may do within a step: change the optimizer's rate, but not begin another call. */
static struct training *within;

static int32_t meddle(void *user, int64_t step, double *factor)
{
    (void)user, (void)step;
    double loss;
    expect_status(fmatch_trainer_run(within->trainer, 1, NULL), FMATCH_ERROR_STATE);
    expect_status(fmatch_trainer_evaluate(within->trainer, 1, 1, &loss), FMATCH_ERROR_STATE);
    expect_ok(fmatch_optimizer_set_learning_rate(within->optimizer, 0.125));
    fmatch_trainer_destroy(&within->trainer);
    *factor = 2;
    return 0;
}

static void schedule_may_change_the_rate(void **state)
{
    const fmatch_rate_callbacks callbacks = {sizeof callbacks, 0, meddle, NULL, NULL};
    fmatch_rate_config rate = rate_of(FMATCH_RATE_CALLBACK, 0, 0);
    rate.callbacks = &callbacks;
    struct training t = train_with(context_of(state), &rate, FMATCH_OK);
    struct training u = train_with(context_of(state), NULL, FMATCH_OK);
    within = &t;
    expect_ok(fmatch_trainer_run(t.trainer, 1, NULL));
    expect_ok(fmatch_optimizer_set_learning_rate(u.optimizer, 0.25));
    expect_ok(fmatch_trainer_run(u.trainer, 1, NULL));
    expect_same_parameters(t.model, u.model, "twice an eighth");
    destroy_training(&t);
    destroy_training(&u);
}

/* With the trainer, or when create fails for whatever reason. */
static void schedule_is_destroyed_once(void **state)
{
    struct schedule s = {.fail_at = -1};
    const fmatch_rate_callbacks callbacks = callbacks_of(&s);
    fmatch_rate_config rate = rate_of(FMATCH_RATE_CALLBACK, 0, 0);
    rate.callbacks = &callbacks;
    rate.warmup = STEPS + 1;
    struct training t = train_with(context_of(state), &rate, FMATCH_ERROR_ARGUMENT);
    expect_detail("rate->warmup", "13", "12");
    assert_int_equal(s.destroyed, 1);
    rate.warmup = 0;

    const fmatch_loss_config loss = {.struct_size = sizeof loss, .kind = 99};
    const fmatch_coupling_config coupling = {.struct_size = sizeof coupling, .kind = 99};
    const fmatch_validation_config validation = {.struct_size = sizeof validation};
    for (int k = 1; k <= 5; k++) {
        fmatch_trainer_config config;
        fmatch_trainer_config_init(&config);
        config.rate = &rate;
        config.loss = k == 1 ? &loss : NULL;
        config.coupling = k == 2 ? &coupling : NULL;
        config.validation = k == 3 ? &validation : NULL;
        config.steps = k == 4 ? 0 : 10;
        expect_status(fmatch_trainer_create(&t.trainer, t.model, k == 5 ? NULL : t.optimizer,
                                            t.target, &config),
                      FMATCH_ERROR_ARGUMENT);
        assert_null(t.trainer);
        expect_that(s.destroyed == 1 + k, "way %d: destroyed %d times", k, s.destroyed - k);
    }
    destroy_training(&t);
}

/* ---- the warning ---- */

struct heard {
    int32_t messages;
    char last[256];
};

static void hear(void *user, int32_t level, const char *message)
{
    struct heard *heard = user;
    heard->messages += level == FMATCH_LOG_WARNING;
    snprintf(heard->last, sizeof heard->last, "%s", message);
}

static void steps_that_change_nothing_are_told_to_the_log(void **state)
{
    (void)state;
    struct heard heard = {0};
    const fmatch_log_sink sink = {.struct_size = sizeof sink, .write = hear, .user = &heard};
    fmatch_context_config config;
    fmatch_context_config_init(&config);
    config.log = &sink;
    fmatch_context *context;
    expect_ok(fmatch_context_create(&context, &config));
    static const struct {
        int32_t kind;
        double end;
        int32_t messages;
    } cases[] = {{FMATCH_RATE_COSINE, 0, 1},
                 {FMATCH_RATE_COSINE, 0.1, 0},
                 {FMATCH_RATE_POLYNOMIAL, 0, 1},
                 {FMATCH_RATE_CONSTANT, 0, 0}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        fmatch_rate_config rate = rate_of(cases[i].kind, 12, 0);
        rate.end = cases[i].end;
        heard.messages = 0;
        struct training t = train_with(context, &rate, FMATCH_OK);
        expect_ok(fmatch_trainer_run(t.trainer, 12, NULL));
        assert_int_equal(heard.messages, 0);
        expect_ok(fmatch_trainer_run(t.trainer, 3, NULL));
        assert_int_equal(heard.messages, cases[i].messages);
        if (cases[i].messages)
            expect_that(strstr(heard.last, "step 12") && strstr(heard.last, "step 15"), "%s",
                        heard.last);
        destroy_training(&t);
    }
    fmatch_context_destroy(&context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(factors_are_those_of_their_formulas),
        cmocka_unit_test(length_may_be_given_beside),
        cmocka_unit_test(user_gives_factors),
        cmocka_unit_test(bad_schedules_are_refused),
        world_test(optimizers_refuse_what_contradicts),
        world_test(steps_go_by_the_schedule),
        world_test(failing_schedule_leaves_the_parameters),
        world_test(schedule_may_change_the_rate),
        world_test(schedule_is_destroyed_once),
        cmocka_unit_test(steps_that_change_nothing_are_told_to_the_log),
    };
    return cmocka_run_group_tests_name("rate", tests, NULL, NULL);
}
