/* Callbacks that call the library from within one of its calls, or destroy what it works on. */
#include "fixtures.h"

enum what {
    RUN,
    RUN_BATCH,
    EVALUATE,
    EVALUATE_BATCH,
    TRAINER_CALLS,
    DESTROY = TRAINER_CALLS,
    READ,
    WHATS
};

struct scene {
    enum what what;
    int64_t calls;
    fmatch_trainer *trainer;
    fmatch_sampler *sampler;
    fmatch_model *model;
    fmatch_status seen; /* of the call from within */
};

static const float one = 1.0f, half = 0.5f;

/* What a callback does to the trainer that it is called by. */
static void interfere(struct scene *s)
{
    const fmatch_batch batch = {sizeof batch, 0, 1, &one, &one, &half, NULL, NULL};
    double loss, losses[2];
    float v;
    if (s->calls++ != 2)
        return;
    switch (s->what) {
    case RUN:
        s->seen = fmatch_trainer_run(s->trainer, 100, NULL);
        break;
    case RUN_BATCH:
        s->seen = fmatch_trainer_run_batch(s->trainer, &batch, &loss);
        break;
    case EVALUATE:
        s->seen = fmatch_trainer_evaluate(s->trainer, 1, 1000, &loss);
        break;
    case EVALUATE_BATCH:
        s->seen = fmatch_trainer_evaluate_batch(s->trainer, &batch, &loss);
        break;
    case DESTROY:
        fmatch_trainer_destroy(&s->trainer);
        fmatch_model_destroy(&s->model);
        s->seen = FMATCH_OK;
        break;
    default:
        s->seen = fmatch_trainer_get_losses(s->trainer, 0, 2, losses);
        if (s->seen == FMATCH_OK)
            s->seen = fmatch_model_evaluate(s->model, 1, &one, &half, NULL, &v);
    }
}

static int32_t report(void *user, const fmatch_progress_info *info)
{
    (void)info;
    interfere(user);
    return 0;
}

static int32_t draw(void *user, fmatch_random *random, int64_t first_row, int64_t n, float *x)
{
    (void)first_row;
    fmatch_random_draw_normal(random, n, 1, x);
    interfere(user);
    return 0;
}

static int32_t evaluate(void *user, int64_t n, const float *x, const float *t,
                        const float *condition, float *v)
{
    struct scene *s = user;
    (void)t, (void)condition;
    memcpy(v, x, (size_t)n * sizeof *v);
    if (s->calls++ != 2)
        return 0;
    float from = 1.0f, to;
    if (s->what == DESTROY)
        fmatch_sampler_destroy(&s->sampler);
    else
        s->seen = fmatch_sampler_integrate(s->sampler, 1, &from, NULL, &to);
    return 0;
}

static fmatch_source *make_source(fmatch_context *context, struct scene *s)
{
    const fmatch_source_callbacks callbacks = {
        .struct_size = sizeof callbacks, .draw = draw, .user = s};
    fmatch_source *source;
    expect_ok(fmatch_source_create_callback(&source, context, 1, &callbacks));
    return source;
}

/* Trains 10 steps while a callback interferes; the outcome must be that of training undisturbed. */
static void train_while(fmatch_context *context, enum what what, bool from_progress)
{
    struct scene s = {.what = what, .seen = 1}, quiet = {.what = WHATS, .calls = 1000};
    fmatch_source *target = make_source(context, from_progress ? &quiet : &s);
    s.model = make_mlp(context, 1, 1, 8, FMATCH_ACTIVATION_GELU, 3);
    s.trainer = make_trainer(s.model, make_adam(context, 1e-2), target, 16, 5);
    const fmatch_progress progress = {
        .struct_size = sizeof progress, .every = 1, .report = report, .user = &s};
    const fmatch_status status =
        fmatch_trainer_run(s.trainer, 10, from_progress ? &progress : NULL);
    expect_that(status == FMATCH_OK && !*fmatch_error_detail(), "interference %d gave %s ('%s')",
                (int)what, fmatch_status_get_name(status), fmatch_error_detail());
    const bool allowed = what >= TRAINER_CALLS || (from_progress && what >= EVALUATE);
    const fmatch_status wanted = allowed ? FMATCH_OK : FMATCH_ERROR_STATE;
    expect_that(s.seen == wanted, "interference %d saw %s", (int)what,
                fmatch_status_get_name(s.seen));
    if (what != DESTROY) {
        fmatch_model *calm = make_mlp(context, 1, 1, 8, FMATCH_ACTIVATION_GELU, 3);
        fmatch_trainer *trainer = make_trainer(calm, make_adam(context, 1e-2), target, 16, 5);
        s.calls = 1000;
        expect_ok(fmatch_trainer_run(trainer, 10, NULL));
        expect_same_parameters(s.model, calm, "after interference");
        fmatch_trainer_destroy(&trainer);
        fmatch_model_destroy(&calm);
    }
    fmatch_trainer_destroy(&s.trainer);
    fmatch_model_destroy(&s.model);
    fmatch_source_destroy(&target);
}

static void a_trainer_is_not_entered_twice(void **state)
{
    for (int what = RUN; what < WHATS; what++) {
        train_while(context_of(state), (enum what)what, false);
        train_while(context_of(state), (enum what)what, true);
    }
}

static void a_sampler_is_not_entered_twice(void **state)
{
    for (int destroy = 0; destroy <= 1; destroy++) {
        struct scene s = {.what = destroy ? DESTROY : RUN, .seen = FMATCH_ERROR_STATE};
        const fmatch_velocity_callbacks callbacks = {
            .struct_size = sizeof callbacks, .evaluate = evaluate, .user = &s};
        expect_ok(fmatch_model_create_callback(&s.model, context_of(state), 1, &callbacks, NULL));
        s.sampler = make_sampler(s.model, FMATCH_SOLVER_EULER, 10, 0, 1);
        fmatch_model_destroy(&s.model);
        float from = 1.0f, to;
        expect_ok(fmatch_sampler_integrate(s.sampler, 1, &from, NULL, &to));
        expect_close(to, pow(1.1, 10), 1e-5, "x' = x by Euler");
        assert_int_equal(s.seen, FMATCH_ERROR_STATE);
        fmatch_sampler_destroy(&s.sampler);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        world_test(a_trainer_is_not_entered_twice),
        world_test(a_sampler_is_not_entered_twice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
