#include "base/configuration.h"
#include "base/status.h"
#include "compute/instruction_set.h"
#include "context/context.h"
#include "metrics/sample_pair.h"

#include <flowmatch/metrics.h>
#include <flowmatch/transport.h>

#include <math.h>

enum {
    ROWS_MAX = 65536, /* of fmatch_transport_solve_sinkhorn */
    BLOCK_ROWS = 16,  /* of a task */
    CHUNK = 512       /* exponentials held at a time */
};

/* Entropic transport between two sets, and what it costs. */
struct entropic {
    const char *name;
    fmatch_status status;
    int64_t iterations;
    double marginal_error;
    double with_entropy;
    double transport;
};

/* ---- of a set to itself ----
 *
 * Both potentials are one, f = T(f) with T(f)_i = -epsilon log mean_j exp((f_j - C_ij) / epsilon).
 * Alternating updates may take very long here. The average f + (T(f) - f) / 2 does not: the
 * derivative of T at the solution has its eigenvalues in [-1, 0], so that an error is at least
 * halved (Feydy et al. 2019, section 3). From f = 0 on, |f| <= epsilon log(n) / 2, so that no
 * exponential overflows and no sum is 0. */

struct self_transport {
    const struct transport_kernels *kernels;
    int64_t n;
    const double *cost; /* [n, n] */
    double epsilon;
    double *f;         /* [n] */
    double *density;   /* [n] mean_j of P_ij / (a_i a_j): 1 at the solution */
    double *row_costs; /* [n] mean_j of C_ij P_ij / (a_i a_j) */
};

static void measure_row(const struct self_transport *s, int64_t i)
{
    const double *cost = s->cost + i * s->n;
    double terms[CHUNK], sum = 0.0, costs = 0.0;
    for (int64_t j = 0; j < s->n; j += CHUNK) {
        const int64_t count = s->n - j < CHUNK ? s->n - j : CHUNK;
        s->kernels->exponentials(count, cost + j, s->f[i], s->f + j, 1.0 / s->epsilon, terms);
        costs += s->kernels->dot(count, cost + j, terms);
        double chunk = 0.0;
        for (int64_t k = 0; k < count; k++)
            chunk += terms[k];
        sum += chunk;
    }
    s->density[i] = sum / (double)s->n;
    s->row_costs[i] = costs / (double)s->n;
}

static void measure_block(void *argument, int64_t block)
{
    const struct self_transport *s = argument;
    const int64_t begin = block * BLOCK_ROWS, end = begin + BLOCK_ROWS;
    for (int64_t i = begin; i < end && i < s->n; i++)
        measure_row(s, i);
}

/* Iterates to convergence or the limit; the plan measured is that of the last f. */
static void solve_self(fmatch_context *context, struct self_transport *s,
                       const fmatch_sinkhorn_config *c, struct entropic *result)
{
    const double n = (double)s->n;
    for (result->iterations = 1;; result->iterations++) {
        context_run(context, (s->n + BLOCK_ROWS - 1) / BLOCK_ROWS, measure_block, s);
        double error = 0.0, mass = 0.0, potential = 0.0, cost = 0.0;
        for (int64_t i = 0; i < s->n; i++) {
            error += fabs(s->density[i] - 1.0) / n;
            mass += s->density[i] / n;
            potential += s->f[i] / n;
            cost += s->row_costs[i] / n;
        }
        result->marginal_error = error;
        result->with_entropy = 2.0 * potential - s->epsilon * (mass - 1.0);
        result->transport = cost;
        result->status = error <= c->tolerance ? FMATCH_OK : FMATCH_ERROR_STEP_LIMIT;
        if (result->status == FMATCH_OK || result->iterations >= c->iterations)
            return;
        for (int64_t i = 0; i < s->n; i++)
            s->f[i] -= 0.5 * s->epsilon * log(s->density[i]);
    }
}

static fmatch_status within(fmatch_context *context, int32_t dim, int64_t n, const float *x,
                            const fmatch_sinkhorn_config *c, double *cost, struct entropic *result)
{
    double *memory = allocation_create(&context->allocator, 3 * n, sizeof *memory);
    if (!memory)
        return status_no_memory((size_t)(3 * n) * sizeof *memory);
    struct self_transport s = {
        .kernels = instruction_set_get(context->instruction_set)->transport,
        .n = n,
        .cost = cost,
        .epsilon = c->epsilon,
        .f = memory,
        .density = memory + n,
        .row_costs = memory + 2 * n,
    };
    s.kernels->squared_distances(dim, n, x, n, x, cost);
    solve_self(context, &s, c, result);
    allocation_destroy(&context->allocator, memory);
    return FMATCH_OK;
}

/* ---- of one set to the other ---- */

/* The epsilon in use is written into the configuration, in the costs' unit. */
static fmatch_status across(fmatch_context *context, const struct sample_pair *p,
                            fmatch_sinkhorn_config *c, double *cost, struct entropic *result)
{
    const struct instruction_set *instructions = instruction_set_get(context->instruction_set);
    instructions->transport->squared_distances(p->dim, p->n, p->x, p->m, p->y, cost);
    fmatch_sinkhorn_info info = {.struct_size = sizeof info};
    result->status = fmatch_transport_solve_sinkhorn(context, p->n, p->m, cost, NULL, NULL, c, NULL,
                                                     NULL, NULL, &info);
    if (result->status != FMATCH_OK && result->status != FMATCH_ERROR_STEP_LIMIT)
        return result->status;
    c->epsilon = info.epsilon;
    c->epsilon_unit = FMATCH_EPSILON_ABSOLUTE;
    result->iterations = info.iterations;
    result->marginal_error = info.marginal_error;
    result->with_entropy = info.regularised_cost;
    result->transport = info.transport_cost;
    return FMATCH_OK;
}

/* ---- the divergence ---- */

static fmatch_status check_convergence(const struct entropic all[3])
{
    for (int i = 0; i < 3; i++)
        if (all[i].status != FMATCH_OK)
            return status_fail(
                all[i].status, "transport of %s: the marginal error is %s after %lld iterations",
                all[i].name, NUMBER(all[i].marginal_error), (long long)all[i].iterations);
    return FMATCH_OK;
}

/* All rows of both sets are one point: there is no cost to take the mean of. */
static bool is_one_point(const struct sample_pair *p)
{
    for (int64_t i = 0; i < p->n * p->dim; i++)
        if (p->x[i] != p->x[i % p->dim])
            return false;
    for (int64_t j = 0; j < p->m * p->dim; j++)
        if (p->y[j] != p->x[j % p->dim])
            return false;
    return true;
}

static fmatch_status solve_all(fmatch_context *context, const struct sample_pair *p,
                               fmatch_sinkhorn_config *c, struct entropic all[3])
{
    const int64_t longer = p->n > p->m ? p->n : p->m;
    double *cost = allocation_create(&context->allocator, longer * longer, sizeof *cost);
    if (!cost)
        return status_no_memory((size_t)(longer * longer) * sizeof *cost);
    fmatch_status status = across(context, p, c, cost, all);
    if (status == FMATCH_OK)
        status = within(context, p->dim, p->n, p->x, c, cost, all + 1);
    if (status == FMATCH_OK)
        status = within(context, p->dim, p->m, p->y, c, cost, all + 2);
    allocation_destroy(&context->allocator, cost);
    return status;
}

static fmatch_status read_config(fmatch_sinkhorn_config *c, const fmatch_sinkhorn_config *config)
{
    fmatch_sinkhorn_config_init(c);
    if (config)
        RETURN_IF_FAILED(configuration_read(c, sizeof *c, sizeof *c, config, "config"));
    c->struct_size = sizeof *c;
    if (c->rho != 0.0 && c->rho != INFINITY)
        return status_fail(FMATCH_ERROR_ARGUMENT,
                           "config->rho is %s; it must be 0 or infinity, for fixed marginals",
                           NUMBER(c->rho));
    return FMATCH_OK;
}

fmatch_status fmatch_metrics_evaluate_sinkhorn_divergence(fmatch_context *context, int32_t dim,
                                                          int64_t n, const float *x, int64_t m,
                                                          const float *y,
                                                          const fmatch_sinkhorn_config *config,
                                                          double *divergence, double *transport)
{
    status_begin();
    CHECK_NOT_NULL(context);
    fmatch_sinkhorn_config c;
    RETURN_IF_FAILED(read_config(&c, config));
    const struct sample_pair pair = {.dim = dim, .n = n, .x = x, .m = m, .y = y};
    RETURN_IF_FAILED(sample_pair_check(&pair, ROWS_MAX));

    if (c.epsilon_unit == FMATCH_EPSILON_OF_MEAN_COST && is_one_point(&pair))
        c.epsilon_unit = FMATCH_EPSILON_ABSOLUTE; /* the answer is 0 for any */
    struct entropic all[3] = {{.name = "x to y"}, {.name = "x to itself"}, {.name = "y to itself"}};
    RETURN_IF_FAILED(solve_all(context, &pair, &c, all));
    if (divergence)
        *divergence = all[0].with_entropy - 0.5 * all[1].with_entropy - 0.5 * all[2].with_entropy;
    if (transport)
        *transport = all[0].transport - 0.5 * all[1].transport - 0.5 * all[2].transport;
    return check_convergence(all);
}
