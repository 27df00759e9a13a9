/* Optimal transport as callers see it: arguments are checked, and memory is had for one call. */
#include <flowmatch/transport.h>

#include "base/configuration.h"
#include "base/status.h"
#include "context/context.h"
#include "path/assignment.h"
#include "path/conditional_cost.h"
#include "path/plan.h"
#include "path/semidiscrete.h"
#include "path/sinkhorn.h"
#include "path/transport_settings.h"

#include <math.h>

static fmatch_status check_doubles(const char *name, int64_t rows, int64_t columns,
                                   const double *values)
{
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < columns; j++)
            if (!isfinite(values[i * columns + j]))
                return status_fail(FMATCH_ERROR_NOT_FINITE, "%s: row %lld, column %lld is %s", name,
                                   (long long)i, (long long)j, NUMBER(values[i * columns + j]));
    return FMATCH_OK;
}

/* What is written is as long as the caller says, and at least all that there is. */
static fmatch_status check_info(const uint32_t *struct_size, size_t least)
{
    if (struct_size && (*struct_size < least || *struct_size > 65536))
        return status_fail(FMATCH_ERROR_STRUCT_SIZE,
                           "info.struct_size is %u; it must be between %zu and 65536",
                           (unsigned)*struct_size, least);
    return FMATCH_OK;
}

/* ---- assignment ---- */

static fmatch_status solve_assignment(fmatch_context *context, int64_t n, const double *cost,
                                      int32_t *permutation, double *total)
{
    struct assignment a;
    RETURN_IF_FAILED(assignment_create(&a, &context->allocator, n));
    *total = assignment_solve(&a, n, cost, permutation);
    assignment_destroy(&a, &context->allocator);
    return FMATCH_OK;
}

/* Costs beyond what the solver's sums can hold are scaled by a power of two; the total is summed
 * from the true ones. */
static fmatch_status solve_scaled(fmatch_context *context, int64_t n, const double *cost,
                                  int32_t *permutation, double *total)
{
    double *scaled = allocation_create(&context->allocator, n * n, sizeof *scaled);
    if (!scaled)
        return status_no_memory((size_t)(n * n) * sizeof *scaled);
    for (int64_t i = 0; i < n * n; i++)
        scaled[i] = cost[i] * 0x1p-20;
    const fmatch_status status = solve_assignment(context, n, scaled, permutation, total);
    allocation_destroy(&context->allocator, scaled);
    if (status != FMATCH_OK)
        return status;

    *total = 0.0;
    for (int64_t i = 0; i < n; i++)
        *total += cost[i * n + permutation[i]];
    if (!isfinite(*total))
        return status_fail(FMATCH_ERROR_NOT_FINITE, "total is %s: costs are too large to be added",
                           NUMBER(*total));
    return FMATCH_OK;
}

static double largest_magnitude(int64_t n, const double *values)
{
    double largest = 0.0;
    for (int64_t i = 0; i < n; i++)
        largest = fabs(values[i]) > largest ? fabs(values[i]) : largest;
    return largest;
}

fmatch_status fmatch_transport_solve_assignment(fmatch_context *context, int64_t n,
                                                const double *cost, int32_t *permutation,
                                                double *total)
{
    status_begin();
    CHECK_NOT_NULL(context);
    CHECK_RANGE("n", n, 0, ASSIGNMENT_N_MAX);
    CHECK_NOT_NULL(cost);
    CHECK_NOT_NULL(permutation);
    RETURN_IF_FAILED(check_doubles("cost", n, n, cost));
    const bool large = largest_magnitude(n * n, cost) > ASSIGNMENT_COST_MAX;
    double sum = 0.0;
    RETURN_IF_FAILED(large ? solve_scaled(context, n, cost, permutation, &sum)
                           : solve_assignment(context, n, cost, permutation, &sum));
    if (total)
        *total = sum;
    return FMATCH_OK;
}

fmatch_status fmatch_transport_solve_assignment_points(fmatch_context *context, int32_t dim,
                                                       int64_t n, const float *x, const float *y,
                                                       int32_t *permutation, double *total)
{
    status_begin();
    CHECK_NOT_NULL(context);
    CHECK_RANGE("dim", dim, 1, DIM_MAX);
    CHECK_RANGE("n", n, 0, ASSIGNMENT_N_MAX);
    CHECK_NOT_NULL(x);
    CHECK_NOT_NULL(y);
    CHECK_NOT_NULL(permutation);
    RETURN_IF_FAILED(status_check_finite("x", 0, n, dim, x));
    RETURN_IF_FAILED(status_check_finite("y", 0, n, dim, y));

    struct assignment a;
    RETURN_IF_FAILED(assignment_create(&a, &context->allocator, n));
    double *cost = allocation_create(&context->allocator, n * n, sizeof *cost);
    if (cost) {
        assignment_fill_cost(&a, dim, n, x, n, y, cost);
        const double sum = assignment_solve(&a, n, cost, permutation);
        if (total)
            *total = sum;
    }
    allocation_destroy(&context->allocator, cost);
    assignment_destroy(&a, &context->allocator);
    return cost ? FMATCH_OK : status_no_memory((size_t)(n * n) * sizeof *cost);
}

/* ---- entropic transport ---- */

void fmatch_sinkhorn_config_init_sized(fmatch_sinkhorn_config *config, size_t size)
{
    const fmatch_sinkhorn_config recommended = {.epsilon_unit = FMATCH_EPSILON_OF_MEAN_COST,
                                                .epsilon = 0.05,
                                                .tolerance = 1e-9,
                                                .iterations = 10000};
    configuration_write(config, size, &recommended, sizeof recommended);
}

fmatch_status transport_read_sinkhorn(const fmatch_sinkhorn_config *given,
                                      fmatch_sinkhorn_config *config)
{
    fmatch_sinkhorn_config_init(config);
    if (given)
        RETURN_IF_FAILED(
            configuration_read(config, sizeof *config, sizeof *config, given, "config"));
    CHECK_RANGE("config.epsilon_unit", config->epsilon_unit, FMATCH_EPSILON_OF_MEAN_COST,
                FMATCH_EPSILON_ABSOLUTE);
    RETURN_IF_FAILED(configuration_check_double("config.epsilon", config->epsilon,
                                                (struct interval){1e-300, 1e300, false, false}));
    RETURN_IF_FAILED(configuration_check_double("config.tolerance", config->tolerance,
                                                (struct interval){0, INFINITY, false, false}));
    if (config->rho == 0.0)
        config->rho = INFINITY;
    if (!(config->rho > 0.0))
        return status_fail(FMATCH_ERROR_ARGUMENT,
                           "config.rho is %s; it must be positive, or 0 for fixed marginals",
                           NUMBER(config->rho));
    CHECK_RANGE("config.iterations", config->iterations, 1, INT64_C(1) << 31);
    return FMATCH_OK;
}

/* Masses are finite, at least 0 and not all 0; their sum is 1 for those that are NULL. */
static fmatch_status check_masses(const char *name, int64_t n, const double *masses, double *sum)
{
    *sum = masses ? 0.0 : 1.0;
    for (int64_t i = 0; masses && i < n; i++) {
        if (!isfinite(masses[i]) || masses[i] < 0.0)
            return status_fail(isfinite(masses[i]) ? FMATCH_ERROR_ARGUMENT
                                                   : FMATCH_ERROR_NOT_FINITE,
                               "%s[%lld] is %s; it must be finite and at least 0", name,
                               (long long)i, NUMBER(masses[i]));
        *sum += masses[i];
    }
    if (!(*sum > 0.0) || isinf(*sum))
        return status_fail(FMATCH_ERROR_ARGUMENT, "the sum of %s is %s; it must be positive", name,
                           NUMBER(*sum));
    return FMATCH_OK;
}

static fmatch_status check_balance(const double *a, double mass_a, const double *b, double mass_b)
{
    if (a && b && fabs(mass_a - mass_b) > 1e-6 * mass_a)
        return status_fail(FMATCH_ERROR_ARGUMENT,
                           "the sum of b is %s; it must be that of a, %s, unless config.rho is set",
                           NUMBER(mass_b), NUMBER(mass_a));
    return FMATCH_OK;
}

fmatch_status transport_epsilon(const fmatch_sinkhorn_config *config, int64_t costs,
                                const double *cost, double *epsilon)
{
    *epsilon = config->epsilon;
    if (config->epsilon_unit == FMATCH_EPSILON_ABSOLUTE)
        return FMATCH_OK;
    double mean = 0.0;
    for (int64_t k = 0; k < costs; k++)
        mean += cost[k] / (double)costs;
    *epsilon *= mean;
    if (!(*epsilon >= 1e-300 && *epsilon <= 1e300))
        return status_fail(FMATCH_ERROR_ARGUMENT,
                           "epsilon is %s of the mean cost, which is %s; the product must be "
                           "between 1e-300 and 1e300",
                           NUMBER(config->epsilon), NUMBER(mean));
    return FMATCH_OK;
}

static fmatch_status tell_sinkhorn(const struct sinkhorn_problem *p, bool converged,
                                   const struct sinkhorn_result *result, fmatch_sinkhorn_info *info)
{
    const fmatch_sinkhorn_info told = {.iterations = result->iterations,
                                       .epsilon = p->epsilon,
                                       .marginal_error = result->marginal_error,
                                       .transport_cost = result->transport_cost,
                                       .regularised_cost = result->regularised_cost,
                                       .mass = result->mass};
    if (info)
        configuration_write(info, info->struct_size, &told, sizeof told);
    if (!isfinite(result->marginal_error) || !isfinite(result->regularised_cost))
        return status_fail(FMATCH_ERROR_NOT_FINITE,
                           "after %lld iterations the marginal's error is %s and the cost %s",
                           (long long)result->iterations, NUMBER(result->marginal_error),
                           NUMBER(result->regularised_cost));
    if (!converged)
        return status_fail(FMATCH_ERROR_STEP_LIMIT,
                           "after %lld iterations the marginal's error is %s; the tolerance is %s",
                           (long long)result->iterations, NUMBER(result->marginal_error),
                           NUMBER(p->tolerance));
    return FMATCH_OK;
}

static fmatch_status solve_sinkhorn(fmatch_context *context, const struct sinkhorn_problem *p,
                                    double *plan, double *f, double *g, fmatch_sinkhorn_info *info)
{
    const fmatch_allocator *allocator = &context->allocator;
    struct sinkhorn s;
    RETURN_IF_FAILED(sinkhorn_create(&s, allocator, p->n, p->m));
    double *potentials = allocation_create(allocator, p->n + p->m, sizeof *potentials);
    fmatch_status status = FMATCH_OK;
    if (potentials) {
        struct sinkhorn_result result;
        const bool converged =
            sinkhorn_solve(&s, p, f ? f : potentials, g ? g : potentials + p->n, plan, &result);
        status = tell_sinkhorn(p, converged, &result, info);
    } else {
        status = status_no_memory((size_t)(p->n + p->m) * sizeof *potentials);
    }
    allocation_destroy(allocator, potentials);
    sinkhorn_destroy(&s, allocator);
    return status;
}

fmatch_status fmatch_transport_solve_sinkhorn(fmatch_context *context, int64_t n, int64_t m,
                                              const double *cost, const double *a, const double *b,
                                              const fmatch_sinkhorn_config *config, double *plan,
                                              double *f, double *g, fmatch_sinkhorn_info *info)
{
    status_begin();
    CHECK_NOT_NULL(context);
    CHECK_RANGE("n", n, 1, ASSIGNMENT_N_MAX);
    CHECK_RANGE("m", m, 1, ASSIGNMENT_N_MAX);
    CHECK_NOT_NULL(cost);
    RETURN_IF_FAILED(check_doubles("cost", n, m, cost));
    if (largest_magnitude(n * m, cost) > ASSIGNMENT_COST_MAX)
        return status_fail(FMATCH_ERROR_ARGUMENT, "cost has %s; it must be at most 1e300",
                           NUMBER(largest_magnitude(n * m, cost)));
    fmatch_sinkhorn_config read;
    RETURN_IF_FAILED(transport_read_sinkhorn(config, &read));
    RETURN_IF_FAILED(check_info(info ? &info->struct_size : NULL, sizeof *info));

    struct sinkhorn_problem problem = {.n = n,
                                       .m = m,
                                       .cost = cost,
                                       .a = a,
                                       .b = b,
                                       .rho = read.rho,
                                       .tolerance = read.tolerance,
                                       .iterations = read.iterations};
    double mass_a, mass_b;
    RETURN_IF_FAILED(check_masses("a", n, a, &mass_a));
    RETURN_IF_FAILED(check_masses("b", m, b, &mass_b));
    if (isinf(read.rho))
        RETURN_IF_FAILED(check_balance(a, mass_a, b, mass_b));
    RETURN_IF_FAILED(transport_epsilon(&read, n * m, cost, &problem.epsilon));
    return solve_sinkhorn(context, &problem, plan, f, g, info);
}

/* ---- semidiscrete transport ---- */

void fmatch_semidiscrete_config_init_sized(fmatch_semidiscrete_config *config, size_t size)
{
    const fmatch_semidiscrete_config recommended = {
        .batch = 1024, .steps = 10000, .learning_rate = 0.02, .averaging = 0.99, .tolerance = 1e-3};
    configuration_write(config, size, &recommended, sizeof recommended);
}

fmatch_status transport_read_semidiscrete(const fmatch_semidiscrete_config *given,
                                          fmatch_semidiscrete_config *config)
{
    fmatch_semidiscrete_config_init(config);
    if (given)
        RETURN_IF_FAILED(
            configuration_read(config, sizeof *config, sizeof *config, given, "config"));
    CHECK_RANGE("config.batch", config->batch, 2, 1 << 20);
    CHECK_RANGE("config.steps", config->steps, 1, 1 << 24);
    RETURN_IF_FAILED(configuration_check_double("config.learning_rate", config->learning_rate,
                                                (struct interval){0, 1000, true, false}));
    RETURN_IF_FAILED(configuration_check_double("config.averaging", config->averaging,
                                                (struct interval){0, 1, false, true}));
    return configuration_check_double("config.tolerance", config->tolerance,
                                      (struct interval){0, INFINITY, false, false});
}

/* Positive weights, as a copy of sum 1; NULL stays NULL. */
static fmatch_status copy_shares(const fmatch_allocator *allocator, int64_t m,
                                 const double *weights, double **shares)
{
    *shares = NULL;
    if (!weights)
        return FMATCH_OK;
    double sum;
    RETURN_IF_FAILED(check_masses("weights", m, weights, &sum));
    for (int64_t j = 0; j < m; j++)
        if (!(weights[j] / sum > 0.0))
            return status_fail(FMATCH_ERROR_ARGUMENT, "weights[%lld] is %s; it must be positive",
                               (long long)j, NUMBER(weights[j]));
    *shares = allocation_create(allocator, m, sizeof **shares);
    if (!*shares)
        return status_no_memory((size_t)m * sizeof **shares);
    for (int64_t j = 0; j < m; j++)
        (*shares)[j] = weights[j] / sum;
    return FMATCH_OK;
}

static fmatch_status tell_semidiscrete(const struct semidiscrete_problem *p,
                                       const struct semidiscrete_result *result,
                                       fmatch_semidiscrete_info *info)
{
    const fmatch_semidiscrete_info told = {
        .steps = result->steps, .marginal_error = result->marginal_error, .cost = result->cost};
    if (info)
        configuration_write(info, info->struct_size, &told, sizeof told);
    if (p->tolerance > 0.0 && !(result->marginal_error <= p->tolerance))
        return status_fail(FMATCH_ERROR_STEP_LIMIT,
                           "after %lld steps the marginal's error is %s; the tolerance is %s",
                           (long long)result->steps, NUMBER(result->marginal_error),
                           NUMBER(p->tolerance));
    return FMATCH_OK;
}

fmatch_status fmatch_transport_solve_semidiscrete(fmatch_context *context,
                                                  const fmatch_source *noise, int64_t m,
                                                  const float *y, const double *weights,
                                                  const fmatch_semidiscrete_config *config,
                                                  double *potential, fmatch_semidiscrete_info *info)
{
    status_begin();
    CHECK_NOT_NULL(context);
    CHECK_NOT_NULL(noise);
    CHECK_RANGE("m", m, 1, INT32_MAX);
    CHECK_NOT_NULL(y);
    CHECK_NOT_NULL(potential);
    RETURN_IF_FAILED(status_check_finite("y", 0, m, noise->dim, y));
    fmatch_semidiscrete_config read;
    RETURN_IF_FAILED(transport_read_semidiscrete(config, &read));
    RETURN_IF_FAILED(check_info(info ? &info->struct_size : NULL, sizeof *info));

    double *shares;
    RETURN_IF_FAILED(copy_shares(&context->allocator, m, weights, &shares));
    const struct semidiscrete_problem problem = {.context = context,
                                                 .noise = noise,
                                                 .m = m,
                                                 .y = y,
                                                 .weights = shares,
                                                 .batch = read.batch,
                                                 .steps = read.steps,
                                                 .learning_rate = read.learning_rate,
                                                 .averaging = read.averaging,
                                                 .tolerance = read.tolerance,
                                                 .seed = read.seed};
    struct semidiscrete_result result = {0};
    fmatch_status status = semidiscrete_solve(&problem, potential, &result);
    allocation_destroy(&context->allocator, shares);
    return status == FMATCH_OK ? tell_semidiscrete(&problem, &result, info) : status;
}

fmatch_status fmatch_transport_evaluate_semidiscrete(fmatch_context *context, int32_t dim,
                                                     int64_t n, const float *x, int64_t m,
                                                     const float *y, const double *potential,
                                                     int32_t *row)
{
    status_begin();
    CHECK_NOT_NULL(context);
    CHECK_RANGE("dim", dim, 1, DIM_MAX);
    CHECK_RANGE("n", n, 0, INT64_MAX / dim);
    CHECK_NOT_NULL(x);
    CHECK_RANGE("m", m, 1, INT32_MAX);
    CHECK_NOT_NULL(y);
    CHECK_NOT_NULL(row);
    RETURN_IF_FAILED(status_check_finite("x", 0, n, dim, x));
    RETURN_IF_FAILED(status_check_finite("y", 0, m, dim, y));
    if (potential)
        RETURN_IF_FAILED(check_doubles("potential", m, 1, potential));
    double *least = allocation_create(&context->allocator, n, sizeof *least);
    if (!least)
        return status_no_memory((size_t)n * sizeof *least);
    semidiscrete_assign(context, dim, n, x, m, y, potential, row, least);
    allocation_destroy(&context->allocator, least);
    return FMATCH_OK;
}

/* ---- conditions ---- */

static fmatch_status check_not_negative(const char *name, int64_t rows, int64_t columns,
                                        const double *values)
{
    RETURN_IF_FAILED(check_doubles(name, rows, columns, values));
    for (int64_t k = 0; k < rows * columns; k++)
        if (values[k] < 0.0)
            return status_fail(
                FMATCH_ERROR_ARGUMENT, "%s: row %lld, column %lld is %s; it must be at least 0",
                name, (long long)(k / columns), (long long)(k % columns), NUMBER(values[k]));
    return FMATCH_OK;
}

fmatch_status fmatch_transport_evaluate_condition_weight(int64_t n, const double *cost,
                                                         const double *condition_cost, double rate,
                                                         double *weight)
{
    status_begin();
    CHECK_RANGE("n", n, 1, ASSIGNMENT_N_MAX);
    CHECK_NOT_NULL(cost);
    CHECK_NOT_NULL(condition_cost);
    RETURN_IF_FAILED(
        configuration_check_double("rate", rate, (struct interval){0, 1, true, false}));
    CHECK_NOT_NULL(weight);
    RETURN_IF_FAILED(check_doubles("cost", n, n, cost));
    RETURN_IF_FAILED(check_not_negative("condition_cost", n, n, condition_cost));
    *weight = conditional_cost_weight(n, cost, condition_cost, rate);
    return FMATCH_OK;
}

/* ---- draws ---- */

fmatch_status fmatch_transport_draw_columns(fmatch_context *context, int64_t n, int64_t m,
                                            const double *plan, uint64_t seed, int64_t first_row,
                                            int32_t *column)
{
    status_begin();
    CHECK_NOT_NULL(context);
    CHECK_RANGE("m", m, 1, INT32_MAX);
    CHECK_RANGE("n", n, 0, SOURCE_ROWS_MAX / m);
    CHECK_RANGE("first_row", first_row, 0, SOURCE_ROWS_MAX - n);
    CHECK_NOT_NULL(plan);
    CHECK_NOT_NULL(column);
    RETURN_IF_FAILED(check_not_negative("plan", n, m, plan));
    const struct random_stream stream = {
        .kernels = context->kernels, .seed = seed, .stream = STREAM_TRANSPORT_PLAN};
    plan_draw_columns(n, m, plan, &stream, first_row, column);
    return FMATCH_OK;
}
