/* Optimal transport through the public interface. */
#include "fixtures.h"

/* scipy.optimize.linear_sum_assignment (SciPy 1.10.1) of
 *   cost = [[((37*i + 11) * (53*j + 7) % 97) / 8 - 3 for j in range(n)] for i in range(n)] */
static void assignment_matches_scipy(void **state)
{
    static const struct {
        int n;
        double total;
    } cases[] = {{1, 6.625}, {5, 3.625}, {20, -34.375}, {64, -172.5}, {100, -286.625}};
    for (size_t c = 0; c < COUNT(cases); c++) {
        const int n = cases[c].n;
        double *cost = calloc((size_t)(n * n), sizeof *cost), total, sum = 0;
        int32_t permutation[100];
        for (int i = 0; i < n; i++)
            for (int j = 0; j < n; j++)
                cost[i * n + j] = (double)((37 * i + 11) * (53 * j + 7) % 97) / 8 - 3;
        expect_ok(
            fmatch_transport_solve_assignment(context_of(state), n, cost, permutation, &total));
        for (int i = 0; i < n; i++)
            sum += cost[i * n + permutation[i]];
        expect_close(total, cases[c].total, 0, "n = %d", n);
        expect_close(total, sum, 0, "sum of the pairs, n = %d", n);
        free(cost);
    }
}

/* Points moved by a constant, in another order: each goes to its image, in any dimension. */
static void moved_points_find_their_images(void **state)
{
    enum { N = 150 };
    for (int32_t dim = 1; dim <= 33; dim += 8) {
        float *x = floats(N * dim), *y = floats(N * dim);
        int32_t permutation[N];
        double total;
        fill_scattered(x, N * dim, 0, 16, (uint64_t)dim);
        for (int i = 0; i < N; i++)
            for (int k = 0; k < dim; k++) {
                x[i * dim + k] = roundf(x[i * dim + k] * 256) / 256;
                y[(i * 7 % N) * dim + k] = x[i * dim + k] + 0.5f;
            }
        expect_ok(fmatch_transport_solve_assignment_points(context_of(state), dim, N, x, y,
                                                           permutation, &total));
        expect_close(total, N * dim * 0.25, 1e-9, "dim %d", dim);
        for (int i = 0; i < N && dim > 1; i++)
            expect_that(permutation[i] == i * 7 % N, "row %d of dim %d goes to %d", i, dim,
                        permutation[i]);
        expect_ok(fmatch_transport_solve_assignment_points(context_of(state), dim, N, x, y,
                                                           permutation, NULL));
        free(y);
        free(x);
    }
}

static void extreme_costs(void **state)
{
    fmatch_context *context = context_of(state);
    const double huge = 1.7e308;
    const double costs[] = {huge, -huge, 1, 2, huge, huge, -huge, 0, huge};
    int32_t permutation[3];
    double total;
    expect_ok(fmatch_transport_solve_assignment(context, 3, costs, permutation, &total));
    assert_int_equal(permutation[0], 1);
    assert_int_equal(permutation[1], 2);
    assert_int_equal(permutation[2], 0);
    expect_that(total == -huge, "total %g", total);

    const double tiny[] = {3e-300, 1e300, 1e300, 2e-308};
    expect_ok(fmatch_transport_solve_assignment(context, 2, tiny, permutation, &total));
    expect_that(total == 3e-300 + 2e-308, "total %g", total);

    const double beyond[] = {huge, huge, huge, huge};
    expect_status(fmatch_transport_solve_assignment(context, 2, beyond, permutation, &total),
                  FMATCH_ERROR_NOT_FINITE);
    expect_detail("total", "inf");

    total = 7;
    expect_ok(fmatch_transport_solve_assignment(context, 0, costs, permutation, &total));
    expect_that(total == 0, "total of nothing %g", total);
}

/* ---- entropic transport ---- */

static fmatch_sinkhorn_config absolute(double epsilon)
{
    fmatch_sinkhorn_config config;
    fmatch_sinkhorn_config_init(&config);
    config.epsilon_unit = FMATCH_EPSILON_ABSOLUTE;
    config.epsilon = epsilon;
    return config;
}

/* Two rows and two columns leave one unknown, P_00 = p, and of the cross ratio
 * P_00 P_11 / (P_01 P_10) = exp(-(C_00 + C_11 - C_01 - C_10) / epsilon) a quadratic equation for
 * it, solved by bisection here. */
static void two_by_two_has_a_closed_form(void **state)
{
    static const struct {
        double cost[4], a, b, epsilon;
    } cases[] = {
        {{0, 1, 1, 0}, 0.5, 0.5, 1},     {{0, 1, 1, 0}, 0.5, 0.5, 0.05},
        {{3, -1, 2, 5}, 0.3, 0.6, 2},    {{3, -1, 2, 5}, 0.3, 0.6, 0.2},
        {{1e6, 1, 1, 1}, 0.3, 0.6, 0.5}, {{0, 0, 0, 0}, 0.25, 0.125, 1e-3},
    };
    for (size_t c = 0; c < COUNT(cases); c++) {
        const double *cost = cases[c].cost, e = cases[c].epsilon;
        const double a[] = {cases[c].a, 1 - cases[c].a}, b[] = {cases[c].b, 1 - cases[c].b};
        double low = fmax(0, a[0] + b[0] - 1), high = fmin(a[0], b[0]), plan[4];
        for (int k = 0; k < 200; k++) {
            const double p = (low + high) / 2;
            const double log_ratio =
                log(p) + log(1 - a[0] - b[0] + p) - log(a[0] - p) - log(b[0] - p);
            if (log_ratio < -(cost[0] + cost[3] - cost[1] - cost[2]) / e)
                low = p;
            else
                high = p;
        }
        const double wanted[] = {low, a[0] - low, b[0] - low, 1 - a[0] - b[0] + low};
        const fmatch_sinkhorn_config config = absolute(e);
        expect_ok(fmatch_transport_solve_sinkhorn(context_of(state), 2, 2, cost, a, b, &config,
                                                  plan, NULL, NULL, NULL));
        for (int k = 0; k < 4; k++)
            expect_close(plan[k], wanted[k], 2e-9, "case %zu, entry %d", c, k);
    }
}

/* Between N(0, s^2) and N(d, r^2) on the line the plan is normal with covariance
 * c = (sqrt(4 s^2 r^2 + e^2 / 4) - e / 2) / 2, e the epsilon of |x - y|^2: Janati, Muzellec, Peyré
 * and Cuturi, "Entropic Optimal Transport between Unbalanced Gaussian Measures has a Closed Form",
 * 2020, theorem 1 with e = 2 sigma^2. Both are put on grids, where sums of such densities are
 * exact. */
static void normals_have_a_closed_form(void **state)
{
    enum { N = 120, M = 130 };
    const double s = 1.0, r = 0.7, d = 1.5;
    static const double epsilons[] = {0.5, 2, 10};
    double x[N], y[M], a[N], b[M], sum_a = 0, sum_b = 0;
    double *cost = calloc(N * M, sizeof *cost), *plan = calloc(N * M, sizeof *plan);
    for (int i = 0; i < N; i++)
        sum_a += a[i] = exp(-0.5 * pow(x[i] = 14.0 * (i - (N - 1) / 2.0) / N, 2));
    for (int j = 0; j < M; j++) {
        y[j] = d + 10.0 * (j - (M - 1) / 2.0) / M;
        sum_b += b[j] = exp(-0.5 * pow((y[j] - d) / r, 2));
    }
    for (int i = 0; i < N; i++)
        a[i] /= sum_a;
    for (int j = 0; j < M; j++)
        b[j] /= sum_b;
    for (int i = 0; i < N * M; i++)
        cost[i] = pow(x[i / M] - y[i % M], 2);
    for (size_t k = 0; k < COUNT(epsilons); k++) {
        const double e = epsilons[k], c = (sqrt(4 * s * s * r * r + e * e / 4) - e / 2) / 2;
        fmatch_sinkhorn_info info = {.struct_size = sizeof info};
        const fmatch_sinkhorn_config config = absolute(e);
        double covariance = 0;
        expect_ok(fmatch_transport_solve_sinkhorn(context_of(state), N, M, cost, a, b, &config,
                                                  plan, NULL, NULL, &info));
        for (int i = 0; i < N * M; i++)
            covariance += plan[i] * x[i / M] * (y[i % M] - d);
        expect_close(covariance, c, 1e-7, "covariance at epsilon %g", e);
        expect_close(info.transport_cost, d * d + s * s + r * r - 2 * c, 1e-6, "cost at epsilon %g",
                     e);
        /* KL of two normals: -log(1 - correlation^2) / 2. */
        expect_close(info.regularised_cost,
                     d * d + s * s + r * r - 2 * c - e * log(1 - pow(c / (s * r), 2)) / 2, 1e-6,
                     "with the entropy, epsilon %g", e);
        expect_close(info.mass, 1, 1e-9, "mass");
        expect_close(info.epsilon, e, 0, "epsilon");
    }
    free(plan);
    free(cost);
}

/* A weight on the marginals and one pair: the derivative of P C + e KL(P | a b) + rho KL(P | a) +
 * rho KL(P | b) vanishes at log P = (e log(a b) + rho log a + rho log b - C) / (e + 2 rho). */
static void one_pair_out_of_balance(void **state)
{
    for (double rho = 0.01; rho < 1e5; rho *= 7)
        for (double epsilon = 1e-3; epsilon < 100; epsilon *= 5) {
            const double cost = 1.7, a = 0.8, b = 2.5;
            const double p = exp((epsilon * log(a * b) + rho * log(a) + rho * log(b) - cost) /
                                 (epsilon + 2 * rho));
            fmatch_sinkhorn_config config = absolute(epsilon);
            config.rho = rho;
            config.iterations = 1000000;
            config.tolerance = 1e-12;
            fmatch_sinkhorn_info info = {.struct_size = sizeof info};
            double plan;
            const fmatch_status status = fmatch_transport_solve_sinkhorn(
                context_of(state), 1, 1, &cost, &a, &b, &config, &plan, NULL, NULL, &info);
            if (status == FMATCH_ERROR_STEP_LIMIT) /* told: rho is too large against epsilon */
                continue;
            expect_ok(status);
            expect_close(plan, p, 1e-9 * p + 1e-11 * (1 + rho / epsilon), "rho %g, epsilon %g", rho,
                         epsilon);
            const double wanted = p * cost + epsilon * (p * log(p / (a * b)) - p + a * b) +
                                  rho * (p * log(p / a) - p + a) + rho * (p * log(p / b) - p + b);
            expect_close(info.regularised_cost, wanted, 1e-8 * fabs(wanted), "rho %g, epsilon %g",
                         rho, epsilon);
        }
}

/* Marginals, the form of the plan, and the dual objective against the primal one. */
static void plans_keep_their_marginals(void **state)
{
    enum { N = 70, M = 131 };
    double *cost = calloc(N * M, sizeof *cost), *plan = calloc(N * M, sizeof *plan);
    double a[N], b[M], f[N], g[M], mass_a = 0, mass_b = 0;
    float *u = floats(N * M);
    fill_scattered(u, N * M, 0, 1, 5);
    for (int i = 0; i < N * M; i++)
        cost[i] = 10.0 * u[i] - 3;
    for (int i = 0; i < N; i++)
        mass_a += a[i] = i % 9 == 4 ? 0 : 1.0 + u[i];
    for (int j = 0; j < M; j++)
        mass_b += b[j] = j % 7 == 0 ? 0 : 1.0 + u[N + j];
    for (int j = 0; j < M; j++)
        b[j] *= mass_a / mass_b;
    static const double rhos[] = {0, INFINITY, 1, 20};
    for (size_t r = 0; r < COUNT(rhos); r++)
        for (double epsilon = 0.1; epsilon < 20; epsilon *= 4) {
            const double rho = rhos[r];
            const bool fixed = rho == 0 || isinf(rho);
            fmatch_sinkhorn_config config = absolute(epsilon);
            config.rho = rho;
            config.iterations = 100000;
            fmatch_sinkhorn_info info = {.struct_size = sizeof info};
            expect_ok(fmatch_transport_solve_sinkhorn(context_of(state), N, M, cost, a, b, &config,
                                                      plan, f, g, &info));
            double off = 0, primal = 0, transport = 0, product = mass_a * mass_a, mass = 0;
            for (int i = 0; i < N; i++) {
                double sum = 0;
                for (int j = 0; j < M; j++) {
                    const double p = plan[i * M + j], q = a[i] * b[j];
                    expect_close(p, q * exp((f[i] + g[j] - cost[i * M + j]) / epsilon), 1e-12 * q,
                                 "entry %d, %d", i, j);
                    sum += p;
                    transport += p * cost[i * M + j];
                    primal += p > 0 ? epsilon * p * log(p / q) : 0;
                }
                mass += sum;
                off += fabs(sum - (fixed ? a[i] : a[i] * exp(-f[i] / rho)));
                primal += fixed || sum == 0 ? 0 : rho * (sum * log(sum / a[i]));
                primal += fixed ? 0 : rho * (a[i] - sum);
            }
            for (int j = 0; j < M; j++) {
                double sum = 0;
                for (int i = 0; i < N; i++)
                    sum += plan[i * M + j];
                const double wanted = fixed ? b[j] : b[j] * exp(-g[j] / rho);
                expect_close(sum, wanted, 1e-11 * mass_a, "column %d", j);
                primal += fixed || sum == 0 ? 0 : rho * (sum * log(sum / b[j]));
                primal += fixed ? 0 : rho * (b[j] - sum);
            }
            primal += transport + epsilon * (product - mass);
            expect_close(off / mass_a, info.marginal_error, 1e-11, "error at epsilon %g, rho %g",
                         epsilon, rho);
            expect_that(info.marginal_error <= 1e-9, "error %g", info.marginal_error);
            expect_close(info.transport_cost, transport, 1e-10 * mass_a, "transport");
            expect_close(info.regularised_cost, primal, 1e-7 * fabs(primal),
                         "primal and dual at epsilon %g, rho %g", epsilon, rho);
        }
    free(u);
    free(plan);
    free(cost);
}

/* From an epsilon at which exp(-C / epsilon) is zero everywhere: the plan is near the best
 * permutation, and whether it converged is told. */
static void small_epsilon_neither_overflows_nor_gives_in(void **state)
{
    enum { N = 40 };
    float x[N * 2], y[N * 2];
    double cost[N * N], plan[N * N], exact;
    int32_t permutation[N];
    fill_scattered(x, N * 2, 0, 1, 1);
    fill_scattered(y, N * 2, 5, 7, 2);
    for (int i = 0; i < N * N; i++)
        cost[i] = pow((double)x[i / N * 2] - y[i % N * 2], 2) +
                  pow((double)x[i / N * 2 + 1] - y[i % N * 2 + 1], 2);
    expect_ok(fmatch_transport_solve_assignment(context_of(state), N, cost, permutation, &exact));
    static const double epsilons[] = {1e-2, 1e-4, 1e-8, 1e-100, 1e-300};
    for (size_t e = 0; e < COUNT(epsilons); e++) {
        fmatch_sinkhorn_info info = {.struct_size = sizeof info};
        fmatch_sinkhorn_config config = absolute(epsilons[e]);
        config.iterations = 20000;
        const fmatch_status status = fmatch_transport_solve_sinkhorn(
            context_of(state), N, N, cost, NULL, NULL, &config, plan, NULL, NULL, &info);
        expect_that(status == (info.marginal_error <= 1e-9 ? FMATCH_OK : FMATCH_ERROR_STEP_LIMIT),
                    "epsilon %g: %s, error %g", epsilons[e], fmatch_status_get_name(status),
                    info.marginal_error);
        if (status != FMATCH_OK)
            expect_detail("error", "tolerance");
        for (int i = 0; i < N * N; i++)
            expect_that(isfinite(plan[i]), "entry %d is %g", i, plan[i]);
        if (epsilons[e] < 1e-10) /* beyond what doubles resolve of these costs */
            continue;
        const double slack = 2 * epsilons[e] * log(N) + 20 * info.marginal_error;
        expect_that(info.transport_cost <= exact / N + slack, "epsilon %g: cost %g, exact %g",
                    epsilons[e], info.transport_cost, exact / N);
    }
}

static void too_few_iterations_are_told(void **state)
{
    const double cost[] = {0, 3, 1, 1, 0, 2};
    fmatch_sinkhorn_config config = absolute(0.5);
    config.iterations = 2;
    fmatch_sinkhorn_info info = {.struct_size = sizeof info};
    double plan[6];
    expect_status(fmatch_transport_solve_sinkhorn(context_of(state), 2, 3, cost, NULL, NULL,
                                                  &config, plan, NULL, NULL, &info),
                  FMATCH_ERROR_STEP_LIMIT);
    expect_detail("2 iterations", "error", "1e-09");
    assert_int_equal(info.iterations, 2);
    expect_that(info.marginal_error > 1e-9, "error %g", info.marginal_error);
    for (int j = 0; j < 3; j++)
        expect_close(plan[j] + plan[3 + j], 1.0 / 3, 1e-12, "column %d", j);
}

/* 0.05 of the mean cost is the same as that number. */
static void epsilon_may_be_relative(void **state)
{
    const double cost[] = {0, 3, 1, 1, 4, 3};
    fmatch_sinkhorn_info relative = {.struct_size = sizeof relative}, plain = relative;
    const fmatch_sinkhorn_config config = absolute(0.1);
    expect_ok(fmatch_transport_solve_sinkhorn(context_of(state), 2, 3, cost, NULL, NULL, NULL, NULL,
                                              NULL, NULL, &relative));
    expect_ok(fmatch_transport_solve_sinkhorn(context_of(state), 2, 3, cost, NULL, NULL, &config,
                                              NULL, NULL, NULL, &plain));
    expect_close(relative.epsilon, 0.1, 1e-15, "epsilon");
    expect_close(relative.regularised_cost, plain.regularised_cost, 1e-9, "cost");
}

static void bad_entropic_input_is_refused(void **state)
{
    fmatch_context *context = context_of(state);
    double cost[] = {1, 2, 3, 4}, a[] = {0.5, 0.5}, b[] = {0.5, 0.5}, plan[4];
#define SOLVE(config)                                                                              \
    fmatch_transport_solve_sinkhorn(context, 2, 2, cost, a, b, (config), plan, NULL, NULL, NULL)
    static const struct {
        const char *field;
        fmatch_sinkhorn_config config;
    } cases[] = {
        {"epsilon", {.epsilon = 0, .iterations = 1}},
        {"epsilon", {.epsilon = -1, .iterations = 1}},
        {"epsilon", {.epsilon = NAN, .iterations = 1}},
        {"epsilon", {.epsilon = INFINITY, .iterations = 1}},
        {"epsilon_unit", {.epsilon = 1, .epsilon_unit = 2, .iterations = 1}},
        {"tolerance", {.epsilon = 1, .tolerance = -1, .iterations = 1}},
        {"tolerance", {.epsilon = 1, .tolerance = NAN, .iterations = 1}},
        {"rho", {.epsilon = 1, .rho = -1, .iterations = 1}},
        {"rho", {.epsilon = 1, .rho = NAN, .iterations = 1}},
        {"iterations", {.epsilon = 1, .iterations = 0}},
    };
    for (size_t c = 0; c < COUNT(cases); c++) {
        fmatch_sinkhorn_config config = cases[c].config;
        config.struct_size = sizeof config;
        expect_status(SOLVE(&config), FMATCH_ERROR_ARGUMENT);
        expect_detail(cases[c].field);
    }
    fmatch_sinkhorn_config config = absolute(1);
    config.struct_size = 4;
    expect_status(SOLVE(&config), FMATCH_ERROR_STRUCT_SIZE);
    fmatch_sinkhorn_info info = {.struct_size = 8};
    expect_status(
        fmatch_transport_solve_sinkhorn(context, 2, 2, cost, a, b, NULL, plan, NULL, NULL, &info),
        FMATCH_ERROR_STRUCT_SIZE);
    expect_detail("info");

    b[1] = 0.75;
    expect_status(SOLVE(NULL), FMATCH_ERROR_ARGUMENT);
    expect_detail("sum of b", "1.25", "rho");
    config = absolute(1);
    config.rho = 1;
    expect_ok(SOLVE(&config));
    b[1] = -0.5;
    expect_status(SOLVE(NULL), FMATCH_ERROR_ARGUMENT);
    expect_detail("b[1]", "-0.5");
    b[1] = NAN;
    expect_status(SOLVE(NULL), FMATCH_ERROR_NOT_FINITE);
    b[1] = 0.5;
    a[0] = a[1] = 0;
    expect_status(SOLVE(NULL), FMATCH_ERROR_ARGUMENT);
    expect_detail("sum of a", "0");
    a[0] = a[1] = 0.5;
    cost[2] = INFINITY;
    expect_status(SOLVE(NULL), FMATCH_ERROR_NOT_FINITE);
    expect_detail("cost", "row 1", "inf");
    memset(cost, 0, sizeof cost);
    expect_status(SOLVE(NULL), FMATCH_ERROR_ARGUMENT);
    expect_detail("mean cost", "0");
    expect_status(
        fmatch_transport_solve_sinkhorn(context, 0, 2, cost, a, b, NULL, plan, NULL, NULL, NULL),
        FMATCH_ERROR_ARGUMENT);
    expect_status(fmatch_transport_solve_sinkhorn(context, 2, 65537, cost, a, b, NULL, plan, NULL,
                                                  NULL, NULL),
                  FMATCH_ERROR_ARGUMENT);
    expect_status(
        fmatch_transport_solve_sinkhorn(context, 2, 2, NULL, a, b, NULL, plan, NULL, NULL, NULL),
        FMATCH_ERROR_ARGUMENT);
    expect_status(
        fmatch_transport_solve_sinkhorn(NULL, 2, 2, cost, a, b, NULL, plan, NULL, NULL, NULL),
        FMATCH_ERROR_ARGUMENT);
#undef SOLVE
}

static void bad_input_is_refused(void **state)
{
    fmatch_context *context = context_of(state);
    double cost[] = {1, 2, NAN, 4}, total;
    float x[] = {1, 2, 3, INFINITY}, y[] = {1, 2, 3, 4};
    int32_t permutation[2];
    expect_status(fmatch_transport_solve_assignment(context, 2, cost, permutation, &total),
                  FMATCH_ERROR_NOT_FINITE);
    expect_detail("cost", "row 1", "column 0", "nan");
    expect_status(fmatch_transport_solve_assignment(context, -1, cost, permutation, &total),
                  FMATCH_ERROR_ARGUMENT);
    expect_detail("n", "-1", "65536");
    expect_status(fmatch_transport_solve_assignment(NULL, 2, cost, permutation, &total),
                  FMATCH_ERROR_ARGUMENT);
    expect_status(fmatch_transport_solve_assignment(context, 2, NULL, permutation, &total),
                  FMATCH_ERROR_ARGUMENT);
    expect_status(fmatch_transport_solve_assignment(context, 2, cost, NULL, &total),
                  FMATCH_ERROR_ARGUMENT);
    expect_status(
        fmatch_transport_solve_assignment_points(context, 2, 2, x, y, permutation, &total),
        FMATCH_ERROR_NOT_FINITE);
    expect_detail("x", "row 1", "inf");
    expect_status(
        fmatch_transport_solve_assignment_points(context, 2, 2, y, x, permutation, &total),
        FMATCH_ERROR_NOT_FINITE);
    expect_status(
        fmatch_transport_solve_assignment_points(context, 0, 2, y, y, permutation, &total),
        FMATCH_ERROR_ARGUMENT);
    expect_detail("dim", "0", "65536");
    expect_status(
        fmatch_transport_solve_assignment_points(context, 2, 65537, y, y, permutation, &total),
        FMATCH_ERROR_ARGUMENT);
}

/* ---- draws and conditions ---- */

/* Counts within Z standard deviations, which a right sampler leaves at one entry with probability
 * FALSE_ALARM; entries of no mass are never drawn, and a row without mass has no column. */
static void columns_follow_the_plan(void **state)
{
    enum { ROWS = 20000, M = 7 };
    static const double masses[M] = {0, 3, 0.5, 0, 2, 0.001, 0};
    double *plan = calloc(ROWS * M, sizeof *plan), total = 5.501;
    int32_t *column = calloc(ROWS, sizeof *column), *again = calloc(ROWS, sizeof *again);
    int counts[M] = {0};
    for (int i = 0; i < ROWS * M; i++)
        plan[i] = masses[i % M] * (1 + i / M); /* rows of different mass */
    expect_ok(fmatch_transport_draw_columns(context_of(state), ROWS, M, plan, 9, 0, column));
    for (int i = 0; i < ROWS; i++) {
        expect_that(column[i] >= 0 && column[i] < M, "row %d has column %d", i, column[i]);
        counts[column[i]]++;
    }
    for (int j = 0; j < M; j++) {
        const double p = masses[j] / total;
        expect_that(fabs(counts[j] - ROWS * p) <= Z * sqrt(ROWS * p * (1 - p)) + 1e-9,
                    "column %d is drawn %d times of %d", j, counts[j], ROWS);
    }
    expect_ok(fmatch_transport_draw_columns(context_of(state), ROWS - 500, M, plan + 500 * M, 9,
                                            500, again));
    assert_memory_equal(again, column + 500, (ROWS - 500) * sizeof *column);
    expect_ok(fmatch_transport_draw_columns(context_of(state), 500, M, plan, 10, 0, again));
    expect_that(memcmp(again, column, 500 * sizeof *column) != 0, "another seed, the same columns");
    memset(plan, 0, M * sizeof *plan);
    expect_ok(fmatch_transport_draw_columns(context_of(state), 2, M, plan, 9, 0, again));
    assert_int_equal(again[0], -1);
    assert_int_equal(again[1], column[1]);
    plan[M + 2] = -1;
    expect_status(fmatch_transport_draw_columns(context_of(state), 2, M, plan, 9, 0, again),
                  FMATCH_ERROR_ARGUMENT);
    expect_detail("plan", "row 1", "column 2", "-1");
    plan[M + 2] = NAN;
    expect_status(fmatch_transport_draw_columns(context_of(state), 2, M, plan, 9, 0, again),
                  FMATCH_ERROR_NOT_FINITE);
    expect_status(fmatch_transport_draw_columns(context_of(state), 2, 0, plan, 9, 0, again),
                  FMATCH_ERROR_ARGUMENT);
    expect_status(fmatch_transport_draw_columns(context_of(state), 1, M, plan, 9, -1, again),
                  FMATCH_ERROR_ARGUMENT);
    expect_status(fmatch_transport_draw_columns(NULL, 1, M, plan, 9, 0, again),
                  FMATCH_ERROR_ARGUMENT);
    expect_status(fmatch_transport_draw_columns(context_of(state), 1, M, NULL, 9, 0, again),
                  FMATCH_ERROR_ARGUMENT);
    expect_status(fmatch_transport_draw_columns(context_of(state), 1, M, plan, 9, 0, NULL),
                  FMATCH_ERROR_ARGUMENT);
    free(again);
    free(column);
    free(plan);
}

/* The pairs off the diagonal become too dear one after the other: pair (i, j) at the weight (C_jj -
 * C_ij) / K_ij. So the share is a count over these weights, sorted here. */
static void condition_weight_balances_the_share(void **state)
{
    (void)state;
    enum { N = 50 };
    double *cost = calloc(N * N, sizeof *cost), *condition = calloc(N * N, sizeof *condition), w;
    float *u = floats(2 * N * N);
    fill_scattered(u, 2 * N * N, 0, 1, 3);
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++) {
            cost[i * N + j] = 1000.0 * u[i * N + j];
            condition[i * N + j] = i == j ? 0 : 0.1 + u[N * N + i * N + j];
        }
    for (double rate = 0.03; rate < 0.6; rate += 0.05) {
        expect_ok(fmatch_transport_evaluate_condition_weight(N, cost, condition, rate, &w));
        int pairs = N, at_zero = N;
        for (int i = 0; i < N; i++)
            for (int j = 0; j < N; j++) {
                const double slack = cost[j * N + j] - cost[i * N + j];
                pairs += i != j && slack >= 0 && slack / condition[i * N + j] >= w;
                at_zero += i != j && slack >= 0;
            }
        if (at_zero < rate * N * N)
            expect_close(w, 0, 0, "rate %g", rate);
        else
            expect_close((double)pairs / (N * N), rate, 1.1e-3, "share at rate %g, weight %g", rate,
                         w);
    }
    /* Below 1 / N, no weight is enough; nor is any where conditions are equal. */
    expect_ok(fmatch_transport_evaluate_condition_weight(N, cost, condition, 0.5 / N, &w));
    expect_close(w, 1e8, 0, "a rate out of reach");
    memset(condition, 0, N * N * sizeof *condition);
    expect_ok(fmatch_transport_evaluate_condition_weight(N, cost, condition, 0.05, &w));
    expect_close(w, 1e8, 0, "equal conditions");
    expect_ok(fmatch_transport_evaluate_condition_weight(N, cost, condition, 1, &w));
    expect_close(w, 0, 0, "rate 1");

    expect_status(fmatch_transport_evaluate_condition_weight(N, cost, condition, 0, &w),
                  FMATCH_ERROR_ARGUMENT);
    expect_detail("rate", "0");
    expect_status(fmatch_transport_evaluate_condition_weight(0, cost, condition, 0.1, &w),
                  FMATCH_ERROR_ARGUMENT);
    condition[3] = -1;
    expect_status(fmatch_transport_evaluate_condition_weight(N, cost, condition, 0.1, &w),
                  FMATCH_ERROR_ARGUMENT);
    expect_detail("condition_cost", "column 3", "-1");
    cost[N] = NAN;
    expect_status(fmatch_transport_evaluate_condition_weight(N, cost, condition, 0.1, &w),
                  FMATCH_ERROR_NOT_FINITE);
    expect_status(fmatch_transport_evaluate_condition_weight(N, NULL, condition, 0.1, &w),
                  FMATCH_ERROR_ARGUMENT);
    expect_status(fmatch_transport_evaluate_condition_weight(N, cost, NULL, 0.1, &w),
                  FMATCH_ERROR_ARGUMENT);
    expect_status(fmatch_transport_evaluate_condition_weight(N, cost, condition, 0.1, NULL),
                  FMATCH_ERROR_ARGUMENT);
    free(u);
    free(condition);
    free(cost);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        world_test(assignment_matches_scipy),
        world_test(moved_points_find_their_images),
        world_test(extreme_costs),
        world_test(bad_input_is_refused),
        world_test(two_by_two_has_a_closed_form),
        world_test(normals_have_a_closed_form),
        world_test(one_pair_out_of_balance),
        world_test(plans_keep_their_marginals),
        world_test(small_epsilon_neither_overflows_nor_gives_in),
        world_test(too_few_iterations_are_told),
        world_test(epsilon_may_be_relative),
        world_test(bad_entropic_input_is_refused),
        world_test(columns_follow_the_plan),
        cmocka_unit_test(condition_weight_balances_the_share),
    };
    return cmocka_run_group_tests_name("transport", tests, NULL, NULL);
}
