/* Wasserstein distances by assignment and the Sinkhorn divergence, against all permutations and
 * closed forms. */
#include "fixtures.h"

struct distances {
    double w1, w2, w2_square;
};

static struct distances distances_of(fmatch_context *context, int32_t dim, int64_t n,
                                     const float *x, const float *y)
{
    struct distances d;
    expect_ok(
        fmatch_metrics_evaluate_wasserstein(context, dim, n, x, y, &d.w1, &d.w2, &d.w2_square));
    expect_close(d.w2 * d.w2, d.w2_square, 1e-14 * d.w2_square, "the square of W2");
    return d;
}

/* ---- exact distances ---- */

static double power_of_distance(int32_t dim, const float *x, const float *y, double p)
{
    double square = 0;
    for (int32_t k = 0; k < dim; k++)
        square += pow((double)x[k] - y[k], 2);
    return pow(square, p / 2);
}

/* The least sum over permutations of rows `at` and later, those before being fixed. */
static double least_of_permutations(int32_t dim, int n, int at, const float *x, const float *y,
                                    int *order, double p)
{
    if (at == n)
        return 0;
    double least = INFINITY;
    for (int k = at; k < n; k++) {
        const int chosen = order[k];
        order[k] = order[at];
        order[at] = chosen;
        const double cost = power_of_distance(dim, x + at * dim, y + chosen * dim, p);
        least = fmin(least, cost + least_of_permutations(dim, n, at + 1, x, y, order, p));
        order[at] = order[k];
        order[k] = chosen;
    }
    return least;
}

static void exact_matches_all_permutations(void **state)
{
    for (uint64_t seed = 0; seed < 120; seed++) {
        const int n = 1 + (int)(seed % 6);
        const int32_t dim = 1 + (int32_t)(seed / 6 % 4);
        float x[24], y[24];
        fill_scattered(x, n * dim, -1, 2, seed);
        fill_scattered(y, n * dim, -2, 1, seed + 1000);
        for (int i = 0; i < n * dim && seed % 3 == 0; i++) /* ties, and rows that are equal */
            x[i] = roundf(x[i]), y[i] = roundf(y[i]);
        int order[6] = {0, 1, 2, 3, 4, 5};
        const double w1 = least_of_permutations(dim, n, 0, x, y, order, 1) / n;
        const double w2_square = least_of_permutations(dim, n, 0, x, y, order, 2) / n;
        const struct distances seen = distances_of(context_of(state), dim, n, x, y);
        expect_close(seen.w1, w1, 1e-13, "W1 of seed %d", (int)seed);
        expect_close(seen.w2_square, w2_square, 1e-13, "W2^2 of seed %d", (int)seed);
    }
}

/* On a line in space, sorting gives the distances. */
static void exact_agrees_with_the_line(void **state)
{
    enum { N = 150 };
    fmatch_context *context = context_of(state);
    float x[N], y[N], in_plane[2 * N], other[2 * N];
    fill_scattered(x, N, -3, 3, 1);
    fill_scattered(y, N, -2, 5, 2);
    for (int i = 0; i < N; i++) {
        in_plane[2 * i] = 3 * x[i], in_plane[2 * i + 1] = 4 * x[i];
        other[2 * i] = 3 * y[i], other[2 * i + 1] = 4 * y[i];
    }
    double w1, w2;
    expect_ok(fmatch_metrics_evaluate_wasserstein_1d(context, N, x, N, y, &w1, &w2));
    const struct distances line = distances_of(context, 1, N, x, y);
    expect_close(line.w1, w1, 0, "W1 in one column");
    expect_close(line.w2, w2, 0, "W2 in one column");
    const struct distances plane = distances_of(context, 2, N, in_plane, other);
    expect_close(plane.w1, 5 * w1, 1e-6, "W1 in the plane");
    expect_close(plane.w2, 5 * w2, 1e-6, "W2 in the plane");
}

/* Shifted by c, W1 = W2 = |c|, whatever the set and the order of its rows. */
static void exact_shift_and_identities(void **state)
{
    enum { DIM = 3, N = 200 };
    fmatch_context *context = context_of(state);
    static const float c[DIM] = {2, -1, 2};
    float x[DIM * N], y[DIM * N];
    fill_scattered(x, DIM * N, -1, 1, 4);
    for (int i = 0; i < N; i++)
        for (int k = 0; k < DIM; k++) {
            x[i * DIM + k] = roundf(1024 * x[i * DIM + k]) / 1024;
            y[(7 * i % N) * DIM + k] = x[i * DIM + k] + c[k];
        }
    const struct distances shifted = distances_of(context, DIM, N, x, y);
    expect_close(shifted.w1, 3, 1e-12, "W1");
    expect_close(shifted.w2_square, 9, 1e-12, "W2^2");
    const struct distances same = distances_of(context, DIM, N, x, x);
    expect_close(same.w1, 0, 0, "W1 of a set and itself");
    expect_close(same.w2, 0, 0, "W2 of a set and itself");
    fill_scattered(y, DIM * N, -1, 2, 5);
    const struct distances seen = distances_of(context, DIM, N, x, y);
    const struct distances exchanged = distances_of(context, DIM, N, y, x);
    expect_close(exchanged.w1, seen.w1, 1e-13, "W1, exchanged");
    expect_close(exchanged.w2, seen.w2, 1e-13, "W2, exchanged");
    expect_that(seen.w1 <= seen.w2, "W1 = %g, W2 = %g", seen.w1, seen.w2);
    for (int i = 0; i < DIM * N; i++)
        x[i] *= 8, y[i] *= 8;
    const struct distances larger = distances_of(context, DIM, N, x, y);
    expect_close(larger.w1, 8 * seen.w1, 1e-12, "W1, eight times as large");
    expect_close(larger.w2_square, 64 * seen.w2_square, 1e-12, "W2^2, eight times as large");
}

static void what_is_null_is_not_computed(void **state)
{
    const float x[] = {0, 0, 1, 0}, y[] = {0, 3, 1, 4};
    double value;
    expect_ok(
        fmatch_metrics_evaluate_wasserstein(context_of(state), 2, 2, x, y, &value, NULL, NULL));
    expect_close(value, 3.5, 1e-15, "W1 alone");
    expect_ok(
        fmatch_metrics_evaluate_wasserstein(context_of(state), 2, 2, x, y, NULL, &value, NULL));
    expect_close(value, sqrt(12.5), 1e-15, "W2 alone");
    expect_ok(
        fmatch_metrics_evaluate_wasserstein(context_of(state), 2, 2, x, y, NULL, NULL, &value));
    expect_close(value, 12.5, 1e-15, "W2^2 alone");
    expect_ok(fmatch_metrics_evaluate_wasserstein(context_of(state), 2, 2, x, y, NULL, NULL, NULL));
}

/* ---- Sinkhorn divergence ---- */

struct divergences {
    double with_entropy, transport;
};

static struct divergences divergences_of(fmatch_context *context, int32_t dim, int64_t n,
                                         const float *x, int64_t m, const float *y,
                                         double absolute_epsilon)
{
    fmatch_sinkhorn_config config;
    fmatch_sinkhorn_config_init(&config);
    if (absolute_epsilon > 0) {
        config.epsilon = absolute_epsilon;
        config.epsilon_unit = FMATCH_EPSILON_ABSOLUTE;
    }
    if (absolute_epsilon > 0 && absolute_epsilon < 0.1) { /* slow: an error of 1e-4 will do */
        config.tolerance = 1e-4;
        config.iterations = 100000;
    }
    struct divergences seen;
    expect_ok(fmatch_metrics_evaluate_sinkhorn_divergence(context, dim, n, x, m, y, &config,
                                                          &seen.with_entropy, &seen.transport));
    return seen;
}

/* Costs [[a, b], [b, a]] with even masses: P = [[p, 1 - p], [1 - p, p]] / 2 with p = 1 / (1 +
 * exp((a - b) / epsilon)). */
static struct divergences of_two_by_two(double a, double b, double epsilon)
{
    const double p = 1 / (1 + exp((a - b) / epsilon)), q = 1 / (1 + exp((b - a) / epsilon));
    const double cost = p * a + q * b;
    return (struct divergences){cost + epsilon * (p * log(2 * p) + q * log(2 * q)), cost};
}

/* {0, 1} against {-s, 1 + s}. */
static void sinkhorn_matches_two_by_two(void **state)
{
    static const double shifts[] = {0.5, 2}, epsilons[] = {0.3, 1, 10};
    for (size_t i = 0; i < COUNT(shifts); i++)
        for (size_t e = 0; e < COUNT(epsilons); e++) {
            const double s = shifts[i], epsilon = epsilons[e];
            const float x[] = {0, 1}, y[] = {(float)-s, (float)(1 + s)};
            const struct divergences xy = of_two_by_two(s * s, (1 + s) * (1 + s), epsilon),
                                     xx = of_two_by_two(0, 1, epsilon),
                                     yy = of_two_by_two(0, (1 + 2 * s) * (1 + 2 * s), epsilon),
                                     seen =
                                         divergences_of(context_of(state), 1, 2, x, 2, y, epsilon);
            expect_close(seen.with_entropy,
                         xy.with_entropy - xx.with_entropy / 2 - yy.with_entropy / 2, 1e-8,
                         "with entropy, s = %g, epsilon = %g", s, epsilon);
            expect_close(seen.transport, xy.transport - xx.transport / 2 - yy.transport / 2, 1e-8,
                         "transport, s = %g, epsilon = %g", s, epsilon);
        }
}

/* A shift by c adds |c|^2 to the cost of every plan, and what the marginals fix: both forms are
 * |c|^2, whatever epsilon. One row against one: their squared distance. */
static void sinkhorn_of_a_shift(void **state)
{
    enum { DIM = 3, N = 30 };
    fmatch_context *context = context_of(state);
    static const double epsilons[] = {0, 0.2, 1, 50};
    float x[DIM * N], y[DIM * N];
    fill_scattered(x, DIM * N, -1, 1, 4);
    for (int i = 0; i < DIM * N; i++) {
        x[i] = roundf(1024 * x[i]) / 1024;
        y[i] = x[i] + (float)(i % DIM - 1) * 0.5f;
    }
    for (size_t e = 0; e < COUNT(epsilons); e++) {
        const struct divergences seen = divergences_of(context, DIM, N, x, N, y, epsilons[e]),
                                 one = divergences_of(context, DIM, 1, x, 1, y, epsilons[e]),
                                 same = divergences_of(context, DIM, N, x, N, x, epsilons[e]);
        expect_close(seen.with_entropy, 0.5, 1e-7, "with entropy, epsilon %g", epsilons[e]);
        expect_close(seen.transport, 0.5, 1e-7, "transport, epsilon %g", epsilons[e]);
        expect_close(one.with_entropy, 0.5, 1e-13, "one row, epsilon %g", epsilons[e]);
        expect_close(same.with_entropy, 0, 1e-8, "a set and itself, epsilon %g", epsilons[e]);
        expect_close(same.transport, 0, 1e-7, "a set and itself, epsilon %g", epsilons[e]);
    }
}

/* Large epsilon: the squared distance of the means (Feydy et al. 2019, theorem 1's limit for this
 * cost). Small epsilon: W2^2, off by epsilon log(n) at most, the largest entropy of a plan. n and m
 * differ in the first. */
static void limits_of_sinkhorn(void **state)
{
    enum { DIM = 2, N = 12, M = 9 };
    fmatch_context *context = context_of(state);
    float x[DIM * N], y[DIM * N];
    fill_scattered(x, DIM * N, -1, 1, 1);
    fill_scattered(y, DIM * N, 0, 3, 2);
    double means = 0;
    for (int k = 0; k < DIM; k++) {
        double off = 0;
        for (int i = 0; i < N; i++)
            off += x[i * DIM + k] / (double)N;
        for (int j = 0; j < M; j++)
            off -= y[j * DIM + k] / (double)M;
        means += off * off;
    }
    const struct divergences large = divergences_of(context, DIM, N, x, M, y, 1e6);
    expect_close(large.with_entropy, means, 1e-4, "epsilon 1e6, with entropy");
    expect_close(large.transport, means, 1e-4, "epsilon 1e6, transport");
    const double w2_square = distances_of(context, DIM, N, x, y).w2_square;
    const struct divergences small = divergences_of(context, DIM, N, x, N, y, 0.01);
    expect_close(small.transport, w2_square, 0.01 * log(N) + 0.002, "epsilon 0.01, transport");
    expect_close(small.with_entropy, w2_square, 0.01 * log(N), "epsilon 0.01, with entropy");
}

/* Against one point there is one plan, so that the set's transport to itself is seen alone. After
 * its first iteration the potential is 0, and the dual objective -epsilon (mean exp(-C / epsilon) -
 * 1); for {0, 1} and epsilon 1, (1 - exp(-1)) / 2. */
static void sinkhorn_stopped_after_one_iteration(void **state)
{
    const float x[] = {0, 1}, y[] = {0};
    fmatch_sinkhorn_config config;
    fmatch_sinkhorn_config_init(&config);
    config.epsilon_unit = FMATCH_EPSILON_ABSOLUTE;
    config.epsilon = 1;
    config.iterations = 1;
    double divergence, transport;
    expect_status(fmatch_metrics_evaluate_sinkhorn_divergence(context_of(state), 1, 2, x, 1, y,
                                                              &config, &divergence, &transport),
                  FMATCH_ERROR_STEP_LIMIT);
    expect_detail("transport of x to itself", "1 iterations");
    expect_close(divergence, 0.5 - (1 - exp(-1.0)) / 4, 1e-14, "with entropy");
    expect_close(transport, 0.5 - exp(-1.0) / 4, 1e-14, "transport");
}

/* A set to itself at a small epsilon, for which alternating updates take many thousands: averaged
 * ones halve the error, and 40 make 1e-9 of any error up to 1e3. */
static void self_transport_converges_quickly(void **state)
{
    enum { DIM = 2, N = 60 };
    float x[DIM * N];
    const float y[DIM] = {0, 0};
    fill_scattered(x, DIM * N, -1, 1, 1);
    static const double epsilons[] = {1, 0.1, 0.01, 1e-3};
    for (size_t e = 0; e < COUNT(epsilons); e++) {
        fmatch_sinkhorn_config config;
        fmatch_sinkhorn_config_init(&config);
        config.epsilon_unit = FMATCH_EPSILON_ABSOLUTE;
        config.epsilon = epsilons[e];
        config.iterations = 40;
        double divergence;
        expect_ok(fmatch_metrics_evaluate_sinkhorn_divergence(context_of(state), DIM, N, x, 1, y,
                                                              &config, &divergence, NULL));
    }
}

static void sinkhorn_tells_what_did_not_converge(void **state)
{
    const float x[] = {0, 0.1f, 1, 3}, y[] = {0.5f, 7, 9};
    fmatch_sinkhorn_config config;
    fmatch_sinkhorn_config_init(&config);
    config.epsilon = 1e-3;
    config.iterations = 1;
    double divergence = -1, transport = -1;
    expect_status(fmatch_metrics_evaluate_sinkhorn_divergence(context_of(state), 1, 4, x, 3, y,
                                                              &config, &divergence, &transport),
                  FMATCH_ERROR_STEP_LIMIT);
    expect_detail("transport of x to y", "marginal error", "1 iterations");
    expect_that(divergence != -1 && transport != -1, "%g and %g are written", divergence,
                transport);
}

static void bad_input_is_refused(void **state)
{
    fmatch_context *context = context_of(state);
    float x[] = {1, 1, 1, 1};
    double d;
    fmatch_sinkhorn_config config;
    fmatch_sinkhorn_config_init(&config);
    /* One point: no mean cost, but a divergence. */
    expect_ok(fmatch_metrics_evaluate_sinkhorn_divergence(context, 2, 2, x, 1, x, NULL, &d, NULL));
    expect_close(d, 0, 0, "one point");
    config.epsilon = -1;
    expect_status(
        fmatch_metrics_evaluate_sinkhorn_divergence(context, 2, 2, x, 1, x, &config, &d, NULL),
        FMATCH_ERROR_ARGUMENT);
    expect_detail("epsilon", "-1");
    config.epsilon = 1;
    config.rho = 2;
    expect_status(
        fmatch_metrics_evaluate_sinkhorn_divergence(context, 2, 2, x, 1, x, &config, &d, NULL),
        FMATCH_ERROR_ARGUMENT);
    expect_detail("rho", "2", "0 or infinity");
    config.struct_size = 1;
    expect_status(
        fmatch_metrics_evaluate_sinkhorn_divergence(context, 2, 2, x, 1, x, &config, &d, NULL),
        FMATCH_ERROR_STRUCT_SIZE);
    expect_status(
        fmatch_metrics_evaluate_sinkhorn_divergence(context, 1, 65537, x, 1, x, NULL, &d, NULL),
        FMATCH_ERROR_ARGUMENT);
    expect_detail("n", "65537", "65536");
    expect_status(fmatch_metrics_evaluate_wasserstein(context, 2, 0, x, x, &d, NULL, NULL),
                  FMATCH_ERROR_ARGUMENT);
    expect_detail("n", "0", "1");
    expect_status(fmatch_metrics_evaluate_wasserstein(context, 0, 1, x, x, &d, NULL, NULL),
                  FMATCH_ERROR_ARGUMENT);
    expect_detail("dim", "0");
    expect_status(fmatch_metrics_evaluate_wasserstein(context, 2, 65537, x, x, &d, NULL, NULL),
                  FMATCH_ERROR_ARGUMENT);
    expect_detail("n", "65537", "65536");
    x[3] = INFINITY;
    expect_status(fmatch_metrics_evaluate_wasserstein(context, 2, 2, x, x, &d, NULL, NULL),
                  FMATCH_ERROR_NOT_FINITE);
    expect_detail("x", "inf");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        world_test(exact_matches_all_permutations),
        world_test(exact_agrees_with_the_line),
        world_test(exact_shift_and_identities),
        world_test(what_is_null_is_not_computed),
        world_test(sinkhorn_matches_two_by_two),
        world_test(sinkhorn_of_a_shift),
        world_test(limits_of_sinkhorn),
        world_test(sinkhorn_stopped_after_one_iteration),
        world_test(self_transport_converges_quickly),
        world_test(sinkhorn_tells_what_did_not_converge),
        world_test(bad_input_is_refused),
    };
    return cmocka_run_group_tests_name("transport_metrics", tests, NULL, NULL);
}
