/* Times of training: their distributions against closed forms, and what is refused. */
#include "fixtures.h"

#include <pthread.h>

enum { N = 20000 };

static fmatch_time_config time_of(int32_t kind)
{
    fmatch_time_config config;
    fmatch_time_config_init(&config);
    config.kind = kind;
    return config;
}

static float *draw_in(fmatch_context *context, const fmatch_time_config *config, uint64_t seed,
                      int64_t batch)
{
    float *t = floats(N);
    expect_ok(fmatch_time_draw(context, config, seed, 0, batch, N, t));
    return t;
}

static float *draw(fmatch_context *context, const fmatch_time_config *config, uint64_t seed)
{
    return draw_in(context, config, seed, 256);
}

static int ascending(const void *a, const void *b)
{
    const float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

/* Kolmogorov and Smirnov's distance to a distribution function; 1.95 / sqrt(N) is exceeded with
 * probability 1e-3, 2.7 with 9e-7. */
static void expect_distribution(const float *t, double (*cdf)(double t), const char *what)
{
    float *sorted = floats(N);
    memcpy(sorted, t, N * sizeof *t);
    qsort(sorted, N, sizeof *sorted, ascending);
    double worst = 0;
    for (int i = 0; i < N; i++) {
        const double wanted = cdf(sorted[i]);
        worst = fmax(worst, fmax(fabs(wanted - (double)i / N), fabs(wanted - (i + 1.0) / N)));
    }
    expect_that(worst < 2.7 / sqrt(N), "%s: distance %g, limit %g", what, worst, 2.7 / sqrt(N));
    free(sorted);
}

static double uniform_cdf(double t)
{
    return t;
}

static double margins_cdf(double t)
{
    return (t - 0.1) / 0.7;
}

static double logit_normal_cdf(double t)
{
    const double z = (log(t / (1 - t)) - 0.4) / 1.5;
    return 0.5 * erfc(-z / sqrt(2));
}

/* u with 1 - u - s (cos^2(pi u / 2) - 1 + u) = t, which falls in u: by bisection. */
static double mode_cdf(double t)
{
    double low = 0, high = 1;
    for (int i = 0; i < 60; i++) {
        const double u = 0.5 * (low + high);
        const double c = cos(PI / 2 * u);
        if (1 - u - 1.29 * (c * c - 1 + u) > t)
            low = u;
        else
            high = u;
    }
    return 1 - low;
}

static double cosmap_cdf(double t)
{
    return 2 / PI * atan(t / (1 - t));
}

static double power_law_cdf(double t)
{
    return t * t * t;
}

static const struct {
    const char *name;
    fmatch_time_config config;
    double (*cdf)(double t);
} distributions[] = {
    {"uniform", {.kind = FMATCH_TIME_UNIFORM}, uniform_cdf},
    {"margins", {.kind = FMATCH_TIME_UNIFORM, .margin_start = 0.1, .margin_end = 0.2}, margins_cdf},
    {"logit-normal",
     {.kind = FMATCH_TIME_LOGIT_NORMAL, .mean = 0.4, .deviation = 1.5},
     logit_normal_cdf},
    {"mode", {.kind = FMATCH_TIME_MODE, .scale = 1.29}, mode_cdf},
    {"cosmap", {.kind = FMATCH_TIME_COSMAP}, cosmap_cdf},
    {"power law", {.kind = FMATCH_TIME_POWER_LAW, .exponent = 2}, power_law_cdf},
};

static void times_follow_their_distributions(void **state)
{
    for (size_t i = 0; i < COUNT(distributions); i++)
        for (int stratified = 0; stratified < 2; stratified++) {
            fmatch_time_config config = distributions[i].config;
            config.struct_size = sizeof config;
            config.stratified = stratified;
            float *t = draw(context_of(state), &config, 1);
            expect_distribution(t, distributions[i].cdf, distributions[i].name);
            free(t);
        }
}

static const int64_t batches[] = {1, 2, 3, 7, 64, 256, 1000};

static void a_stratified_batch_has_one_time_in_each_part(void **state)
{
    fmatch_time_config config = time_of(FMATCH_TIME_UNIFORM);
    config.stratified = 1;
    for (size_t k = 0; k < COUNT(batches); k++) {
        const int64_t B = batches[k];
        float *t = floats(N);
        expect_ok(fmatch_time_draw(context_of(state), &config, 2, 0, B, N, t));
        for (int64_t first = 0; first + B <= N; first += B) {
            int parts[1000] = {0};
            for (int64_t i = first; i < first + B; i++)
                parts[(int64_t)(t[i] * (double)B)]++;
            for (int64_t i = 0; i < B; i++)
                expect_that(parts[i] == 1, "batch %lld of %lld, part %lld has %d",
                            (long long)(first / B), (long long)B, (long long)i, parts[i]);
        }
        free(t);
    }
}

/* Times by themselves leave 1 / e of 1000 parts empty, and six standard deviations are 60. */
static void times_without_a_configuration_are_by_themselves(void **state)
{
    enum { B = 1000 };
    bool taken[B] = {false};
    int empty = 0;
    float t[B];
    expect_ok(fmatch_time_draw(context_of(state), NULL, 2, 0, B, B, t));
    for (int i = 0; i < B; i++)
        taken[(int)(t[i] * B)] = true;
    for (int i = 0; i < B; i++)
        empty += !taken[i];
    expect_that(abs(empty - 368) < 60, "%d of %d parts are empty", empty, B);
}

/* The mean of half a batch varies no more than that of as many independent times, sqrt(1 / (12 h))
 * = 0.051 for h = 32, whichever half it is: of M means, the deviation is off by more than 5 /
 * sqrt(2 M) of itself once in 10^6 runs. Of all rows it is that of B jitters, sqrt(1 / (12 B^3)).
 */
static void stratified_parts_do_not_follow_the_rows(void **state)
{
    enum { B = 64, HALF = 32, M = N / B };
    fmatch_time_config config = time_of(FMATCH_TIME_UNIFORM);
    config.stratified = 1;
    float *t = draw_in(context_of(state), &config, 6, B);
    static const int starts[] = {0, HALF, 0}, strides[] = {1, 1, 2};
    const double slack = 1 + 5 / sqrt(2.0 * M);
    for (size_t k = 0; k < COUNT(starts); k++) {
        double square = 0;
        for (int m = 0; m < M; m++) {
            double mean = 0;
            for (int i = 0; i < HALF; i++)
                mean += t[m * B + starts[k] + i * strides[k]] / HALF;
            square += (mean - 0.5) * (mean - 0.5) / M;
        }
        expect_that(sqrt(square) < slack * sqrt(1 / (12.0 * HALF)), "half %zu deviates by %g", k,
                    sqrt(square));
    }
    double square = 0;
    for (int m = 0; m < M; m++) {
        double mean = 0;
        for (int i = 0; i < B; i++)
            mean += t[m * B + i] / B;
        square += (mean - 0.5) * (mean - 0.5) / M;
    }
    const double wanted = sqrt(1 / (12.0 * B * B * B));
    expect_that(sqrt(square) < slack * wanted && sqrt(square) > wanted / slack,
                "the batch's mean deviates by %g, not %g", sqrt(square), wanted);
    free(t);
}

/* Also the first row of each batch alone, and for small batches. */
static void a_stratified_rows_time_is_uniform(void **state)
{
    fmatch_time_config config = time_of(FMATCH_TIME_UNIFORM);
    config.stratified = 1;
    for (int64_t B = 1; B <= 9; B++) {
        float *t = floats(N * B), *row = floats(N);
        expect_ok(fmatch_time_draw(context_of(state), &config, 7, 0, B, N * B, t));
        for (int64_t place = 0; place<B; place += B> 1 ? B - 1 : 1) {
            for (int64_t i = 0; i < N; i++)
                row[i] = t[i * B + place];
            expect_distribution(row, uniform_cdf, "a row of a small batch");
        }
        free(row);
        free(t);
    }
}

static void rows_are_independent_of_the_call(void **state)
{
    for (size_t i = 0; i < COUNT(distributions); i++)
        for (int stratified = 0; stratified < 2; stratified++) {
            fmatch_time_config config = distributions[i].config;
            config.struct_size = sizeof config;
            config.stratified = stratified;
            float *t = draw(context_of(state), &config, 3), part[100];
            for (int first = 7; first < 700; first += 93) {
                expect_ok(fmatch_time_draw(context_of(state), &config, 3, first, 256, 100, part));
                expect_same_bits(part, t + first, 100, "%s", distributions[i].name);
            }
            free(t);
        }
}

static void grids_give_their_times_equally_often(void **state)
{
    static const double grid[] = {0, 0.25, 0.3, 1};
    fmatch_time_config config = time_of(FMATCH_TIME_GRID);
    config.grid = grid;
    config.grid_count = COUNT(grid);
    float *t = draw(context_of(state), &config, 4);
    int counts[COUNT(grid)] = {0};
    for (int i = 0; i < N; i++)
        for (size_t k = 0; k < COUNT(grid); k++)
            counts[k] += t[i] == (float)grid[k];
    int all = 0;
    for (size_t k = 0; k < COUNT(grid); k++) {
        expect_close(counts[k], N / 4.0, Z * sqrt(N * 0.25 * 0.75), "time %g", grid[k]);
        all += counts[k];
    }
    assert_int_equal(all, N);
    free(t);
}

static int32_t third(void *user, fmatch_random *random, int64_t first_row, int64_t n, float *t)
{
    (void)first_row;
    fmatch_random_draw_uniform(random, n, 1, t);
    for (int64_t i = 0; i < n; i++)
        t[i] = user ? 2 + t[i] : t[i] / 3;
    return 0;
}

static double third_cdf(double t)
{
    return 3 * t;
}

static void users_draw_their_own(void **state)
{
    int user = 0;
    fmatch_time_callbacks callbacks = {.struct_size = sizeof callbacks, .draw = third};
    fmatch_time_config config = time_of(FMATCH_TIME_CALLBACK);
    config.callbacks = &callbacks;
    float *t = draw(context_of(state), &config, 5);
    expect_distribution(t, third_cdf, "a third");
    callbacks.user = &user;
    expect_status(fmatch_time_draw(context_of(state), &config, 5, 0, 1, 10, t),
                  FMATCH_ERROR_ARGUMENT);
    expect_detail("row 0", "[0, 1]");
    free(t);
}

/* In a trainer with threads, too, a user's function runs on the thread that called. */
static int32_t on_this_thread(void *user, fmatch_random *random, int64_t first_row, int64_t n,
                              float *t)
{
    (void)first_row;
    expect_that(pthread_equal(*(pthread_t *)user, pthread_self()), "times drawn on another thread");
    fmatch_random_draw_uniform(random, n, 1, t);
    return 0;
}

static void users_times_run_on_the_calling_thread(void **state)
{
    (void)state;
    pthread_t self = pthread_self();
    fmatch_context_config settings = forced_context_config();
    settings.threads = 4;
    fmatch_context *context;
    expect_ok(fmatch_context_create(&context, &settings));
    const fmatch_time_callbacks callbacks = {
        .struct_size = sizeof callbacks, .draw = on_this_thread, .user = &self};
    fmatch_time_config time = time_of(FMATCH_TIME_CALLBACK);
    time.callbacks = &callbacks;
    fmatch_model *model = make_mlp(context, 1, 1, 4, FMATCH_ACTIVATION_TANH, 1);
    fmatch_source *target = make_normal(context, 1);
    fmatch_optimizer *optimizer = make_adam(context, 1e-3);
    fmatch_trainer_config config;
    fmatch_trainer_config_init(&config);
    config.batch = 1000;
    config.time = &time;
    fmatch_trainer *trainer;
    expect_ok(fmatch_trainer_create(&trainer, model, optimizer, target, &config));
    expect_ok(fmatch_trainer_run(trainer, 20, NULL));
    fmatch_trainer_destroy(&trainer);
    fmatch_optimizer_destroy(&optimizer);
    fmatch_source_destroy(&target);
    fmatch_model_destroy(&model);
    fmatch_context_destroy(&context);
}

static int32_t all_but_one(void *user, fmatch_random *random, int64_t first_row, int64_t n,
                           float *t)
{
    (void)user, (void)random, (void)first_row;
    for (int64_t i = 0; i + 1 < n; i++)
        t[i] = 0.5f;
    return 0;
}

static void what_a_user_leaves_out_is_noticed(void **state)
{
    const fmatch_time_callbacks callbacks = {.struct_size = sizeof callbacks, .draw = all_but_one};
    fmatch_time_config config = time_of(FMATCH_TIME_CALLBACK);
    config.callbacks = &callbacks;
    float t[4] = {0.25f, 0.25f, 0.25f, 0.25f};
    expect_status(fmatch_time_draw(context_of(state), &config, 1, 10, 16, 4, t),
                  FMATCH_ERROR_NOT_FINITE);
    expect_detail("row 13", "nan");
}

static void expect_refused(void **state, fmatch_time_config config, const char *word)
{
    float t;
    expect_status(fmatch_time_draw(context_of(state), &config, 0, 0, 1, 1, &t),
                  FMATCH_ERROR_ARGUMENT);
    expect_detail(word);
}

static void contradicting_settings_are_refused(void **state)
{
    static const double grid[] = {0.5, 1.5};
    const fmatch_time_callbacks callbacks = {.struct_size = sizeof callbacks, .draw = third};
    fmatch_time_config config = time_of(7);
    expect_refused(state, config, "kind");
    config = time_of(FMATCH_TIME_UNIFORM);
    config.mean = 1;
    expect_refused(state, config, "mean");
    config = time_of(FMATCH_TIME_MODE);
    config.scale = 2 / (PI - 2) + 1e-15;
    expect_refused(state, config, "scale");
    config = time_of(FMATCH_TIME_POWER_LAW);
    config.exponent = -1;
    expect_refused(state, config, "exponent");
    config = time_of(FMATCH_TIME_GRID);
    expect_refused(state, config, "grid");
    config.grid = grid;
    config.grid_count = 2;
    expect_refused(state, config, "grid[1]");
    config = time_of(FMATCH_TIME_CALLBACK);
    expect_refused(state, config, "callbacks");
    config = time_of(FMATCH_TIME_UNIFORM);
    config.margin_start = 0.6;
    config.margin_end = 0.4;
    expect_refused(state, config, "margin_end");
    config.margin_end = NAN;
    expect_refused(state, config, "margin_end");
}

#define time_test(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        time_test(times_follow_their_distributions),
        time_test(a_stratified_batch_has_one_time_in_each_part),
        time_test(times_without_a_configuration_are_by_themselves),
        time_test(stratified_parts_do_not_follow_the_rows),
        time_test(a_stratified_rows_time_is_uniform),
        time_test(rows_are_independent_of_the_call),
        time_test(grids_give_their_times_equally_often),
        time_test(users_draw_their_own),
        time_test(users_times_run_on_the_calling_thread),
        time_test(what_a_user_leaves_out_is_noticed),
        time_test(contradicting_settings_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
