/* A user's function that calls the library itself leaves the detail of the call around it alone. */
#include "fixtures.h"

/* What the user's functions do, beside failing a call of their own. */
struct user {
    int32_t answer; /* of draw and evaluate */
    int calls;
};

/* A call that fails with a detail and with a code of its own. */
static int32_t fail_with_3(void *user, fmatch_random *random, int64_t first_row, int64_t n,
                           float *x)
{
    (void)user, (void)random, (void)first_row, (void)n, (void)x;
    return -3;
}

static void fail_inside(void)
{
    fmatch_context *context;
    fmatch_source *source;
    float x;
    const fmatch_source_callbacks callbacks = {.struct_size = sizeof callbacks,
                                               .draw = fail_with_3};
    expect_ok(fmatch_context_create(&context, NULL));
    expect_ok(fmatch_source_create_callback(&source, context, 1, &callbacks));
    expect_status(fmatch_source_draw(source, 0, 0, 1, &x), FMATCH_ERROR_CALLBACK);
    assert_int_equal(fmatch_error_callback_code(), -3);
    fmatch_source_destroy(&source);
    fmatch_context_destroy(&context);
}

static int32_t draw(void *user, fmatch_random *random, int64_t first_row, int64_t n, float *x)
{
    struct user *u = user;
    (void)first_row;
    fail_inside();
    fmatch_random_draw_normal(random, n, 1, x);
    u->calls++;
    return u->answer;
}

static int32_t evaluate(void *user, int64_t n, const float *x, const float *t,
                        const float *condition, float *v)
{
    struct user *u = user;
    (void)t, (void)condition;
    fail_inside();
    memcpy(v, x, (size_t)n * sizeof *v);
    u->calls++;
    return u->answer;
}

static void destroy(void *user)
{
    fail_inside();
    ((struct user *)user)->calls++;
}

static void write_line(void *user, int32_t level, const char *message)
{
    (void)level, (void)message;
    destroy(user);
}

static void expect_left(const char *detail, int32_t code)
{
    assert_string_equal(fmatch_error_detail(), detail);
    assert_int_equal(fmatch_error_callback_code(), code);
}

static void draw_leaves_the_detail_alone(void **state)
{
    struct user user = {0};
    const fmatch_source_callbacks callbacks = {
        .struct_size = sizeof callbacks, .draw = draw, .destroy = destroy, .user = &user};
    fmatch_source *source;
    float x[4], mean, std;
    expect_ok(fmatch_source_create_callback(&source, context_of(state), 1, &callbacks));
    expect_ok(fmatch_source_draw(source, 1, 0, 4, x));
    expect_left("", 0);
    expect_ok(fmatch_source_evaluate_moments(source, &mean, &std));
    expect_left("", 0);
    assert_true(user.calls > 1);
    user.answer = 5; /* of either sign */
    expect_status(fmatch_source_draw(source, 1, 0, 4, x), FMATCH_ERROR_CALLBACK);
    expect_left("draw returned 5", 5);
    fmatch_source_destroy(&source); /* no status function, so that the detail stays */
    expect_left("draw returned 5", 5);
}

static void evaluate_leaves_the_detail_alone(void **state)
{
    struct user user = {0};
    const fmatch_velocity_callbacks callbacks = {
        sizeof callbacks, 0, evaluate, destroy, &user, 0, 0, NULL};
    fmatch_model *model;
    const float x = 1, t = 0;
    float v;
    expect_ok(fmatch_model_create_callback(&model, context_of(state), 1, &callbacks, NULL));
    expect_ok(fmatch_model_evaluate(model, 1, &x, &t, NULL, &v));
    expect_left("", 0);
    user.answer = 5;
    expect_status(fmatch_model_evaluate(model, 1, &x, &t, NULL, &v), FMATCH_ERROR_CALLBACK);
    expect_left("evaluate returned 5", 5);
    fmatch_model_destroy(&model);
    expect_left("evaluate returned 5", 5);
    assert_int_equal(user.calls, 3);
}

/* A create that fails gives the user's data back, and says why it failed. */
static void destroy_of_a_failed_create_leaves_the_detail_alone(void **state)
{
    struct user user = {0};
    const float row = 1;
    fmatch_source *source;
    fmatch_model *model;
    const fmatch_source_callbacks draws = {
        .struct_size = sizeof draws, .draw = draw, .destroy = destroy, .user = &user};
    const fmatch_velocity_callbacks field = {sizeof field, 0, evaluate, destroy, &user, 0, 0, NULL};
    fmatch_array_config array;
    fmatch_array_config_init(&array);
    array.dim = 1;
    array.rows = &row;
    array.destroy = destroy;
    array.user = &user;

    expect_status(fmatch_source_create_callback(&source, context_of(state), 0, &draws),
                  FMATCH_ERROR_ARGUMENT);
    expect_left("dim is 0; it must be between 1 and 65536", 0);
    expect_status(fmatch_model_create_callback(&model, NULL, 1, &field, NULL),
                  FMATCH_ERROR_ARGUMENT);
    expect_left("context is NULL", 0);
    expect_status(fmatch_source_create_array(&source, context_of(state), &array),
                  FMATCH_ERROR_ARGUMENT);
    expect_detail("config->n is 0");
    assert_int_equal(user.calls, 3);

    array.n = 1; /* copied: given back at once, by a call that succeeds */
    expect_ok(fmatch_source_create_array(&source, context_of(state), &array));
    expect_left("", 0);
    assert_int_equal(user.calls, 4);
    fmatch_source_destroy(&source);
}

static void log_sink_leaves_the_detail_alone(void **state)
{
    struct user user = {0};
    const fmatch_log_sink log = {sizeof log, 0, write_line, NULL, &user};
    fmatch_context_config config;
    fmatch_context_config_init(&config);
    config.log = &log;
    fmatch_context *context;
    (void)state;
    expect_ok(fmatch_context_create(&context, &config));
    expect_left("", 0);
    assert_true(user.calls > 0);
    fmatch_context_destroy(&context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        world_test(draw_leaves_the_detail_alone),
        world_test(evaluate_leaves_the_detail_alone),
        world_test(destroy_of_a_failed_create_leaves_the_detail_alone),
        world_test(log_sink_leaves_the_detail_alone),
    };
    return cmocka_run_group_tests_name("reentry", tests, NULL, NULL);
}
