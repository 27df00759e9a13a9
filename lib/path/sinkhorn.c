#include "path/sinkhorn.h"

#include "base/status.h"
#include "compute/instruction_set.h"

#include <flowmatch/context.h>

#include <math.h>
#include <string.h>

/* Factors within [1 / FACTOR_MAX, FACTOR_MAX]: what underflows in K is below 1e-240 of any sum. */
#define FACTOR_MAX 0x1p100

fmatch_status sinkhorn_create(struct sinkhorn *s, const fmatch_allocator *allocator, int64_t n_max,
                              int64_t m_max)
{
    const int64_t n = n_max, m = m_max;
    const int64_t doubles = n * m + 3 * n + 5 * m + m / TRANSPORT_BLOCK + 1;
    double *memory = allocation_create(allocator, doubles, sizeof *memory);
    if (!memory)
        return status_no_memory((size_t)doubles * sizeof *memory);
    s->kernels = instruction_set_get(FMATCH_INSTRUCTION_SET_AUTO)->transport;
    s->exponentials = memory;
    s->u = s->exponentials + n * m;
    s->next_u = s->u + n;
    s->a = s->next_u + n;
    s->v = s->a + n;
    s->weighted = s->v + m;
    s->sums = s->weighted + m;
    s->open = s->sums + m;
    s->b = s->open + m;
    s->block_least = s->b + m;
    return FMATCH_OK;
}

void sinkhorn_destroy(struct sinkhorn *s, const fmatch_allocator *allocator)
{
    allocation_destroy(allocator, s->exponentials);
    memset(s, 0, sizeof *s);
}

static void fill(int64_t n, double value, double *x)
{
    for (int64_t i = 0; i < n; i++)
        x[i] = value;
}

static double sum_of(int64_t n, const double *x)
{
    double sum = 0.0;
    for (int64_t i = 0; i < n; i++)
        sum += x[i];
    return sum;
}

/* How much of itself an updated potential keeps: 1 for fixed marginals. */
static double damping(const struct sinkhorn_problem *p)
{
    return isinf(p->rho) ? 1.0 : p->rho / (p->rho + p->epsilon);
}

/* The marginal that a potential asks for: a itself, or a exp(-f / rho). */
static double wanted_mass(const struct sinkhorn_problem *p, double weight, double potential)
{
    return isinf(p->rho) ? weight : weight * exp(-potential / p->rho);
}

/* ---- an iteration over the logarithms ---- */

/* f_i = -epsilon log sum_j b_j exp((g_j - C_ij) / epsilon), damped. */
static void update_rows(struct sinkhorn *s, const struct sinkhorn_problem *p, double *f,
                        const double *g)
{
    for (int64_t j = 0; j < p->m; j++)
        s->open[j] = p->b[j] > 0.0 ? g[j] : -INFINITY;
    for (int64_t i = 0; i < p->n; i++) {
        const double *row = p->cost + i * p->m;
        double *terms = s->exponentials + i * p->m;
        const double least = s->kernels->least_two(p->m, row, s->open, s->block_least).least;
        s->kernels->exponentials(p->m, row, least, s->open, 1.0 / p->epsilon, terms);
        f[i] = damping(p) * (least - p->epsilon * log(s->kernels->dot(p->m, terms, p->b)));
    }
}

/* g_j, likewise by sums over the rows. */
static void update_columns(struct sinkhorn *s, const struct sinkhorn_problem *p, const double *f,
                           double *g)
{
    double *least = s->open;
    fill(p->m, INFINITY, least);
    fill(p->m, 0.0, s->sums);
    for (int64_t i = 0; i < p->n; i++)
        if (p->a[i] > 0.0)
            s->kernels->lower(p->m, p->cost + i * p->m, f[i], least);
    for (int64_t i = 0; i < p->n; i++) {
        double *terms = s->exponentials + i * p->m;
        if (p->a[i] <= 0.0)
            continue;
        s->kernels->exponentials(p->m, p->cost + i * p->m, f[i], least, 1.0 / p->epsilon, terms);
        s->kernels->add_scaled(p->m, p->a[i], terms, s->sums);
    }
    for (int64_t j = 0; j < p->m; j++)
        g[j] = damping(p) * (least[j] - p->epsilon * log(s->sums[j]));
}

static void fill_exponentials(struct sinkhorn *s, const struct sinkhorn_problem *p, const double *f,
                              const double *g)
{
    for (int64_t i = 0; i < p->n; i++)
        s->kernels->exponentials(p->m, p->cost + i * p->m, f[i], g, 1.0 / p->epsilon,
                                 s->exponentials + i * p->m);
    fill(p->n, 1.0, s->u);
    fill(p->m, 1.0, s->v);
}

/* ---- an iteration by factors ---- */

static bool is_in_range(double factor)
{
    return factor >= 1.0 / FACTOR_MAX && factor <= FACTOR_MAX;
}

/* The factor after an update, from the sum over the other side: potential + epsilon log(factor) is
 * the damped potential - epsilon log(sum). */
static double next_factor(const struct sinkhorn_problem *p, double potential, double sum)
{
    if (isinf(p->rho))
        return 1.0 / sum;
    const double updated = damping(p) * (potential - p->epsilon * log(sum));
    return exp((updated - potential) / p->epsilon);
}

/* Rows, and columns in the same pass over K. False, with u and v as they were, when a factor would
 * be out of range. `error` is that of the rows' marginal before. */
static bool update_factors(struct sinkhorn *s, const struct sinkhorn_problem *p, const double *f,
                           const double *g, double *error)
{
    for (int64_t j = 0; j < p->m; j++)
        s->weighted[j] = p->b[j] * s->v[j];
    fill(p->m, 0.0, s->sums);
    *error = 0.0;
    for (int64_t i = 0; i < p->n; i++) {
        const double *row = s->exponentials + i * p->m;
        const double sum = s->kernels->dot(p->m, row, s->weighted);
        const double now = isinf(p->rho) ? f[i] : f[i] + p->epsilon * log(s->u[i]);
        *error += fabs(p->a[i] * s->u[i] * sum - wanted_mass(p, p->a[i], now));
        s->next_u[i] = next_factor(p, f[i], sum);
        if (!is_in_range(s->next_u[i]))
            return false;
        s->kernels->add_scaled(p->m, p->a[i] * s->next_u[i], row, s->sums);
    }
    for (int64_t j = 0; j < p->m; j++) {
        s->sums[j] = next_factor(p, g[j], s->sums[j]);
        if (!is_in_range(s->sums[j]))
            return false;
    }
    memcpy(s->u, s->next_u, (size_t)p->n * sizeof *s->u);
    memcpy(s->v, s->sums, (size_t)p->m * sizeof *s->v);
    return true;
}

/* The factors become part of the potentials. */
static void absorb_factors(const struct sinkhorn *s, const struct sinkhorn_problem *p, double *f,
                           double *g)
{
    for (int64_t i = 0; i < p->n; i++)
        f[i] += p->epsilon * log(s->u[i]);
    for (int64_t j = 0; j < p->m; j++)
        g[j] += p->epsilon * log(s->v[j]);
}

/* Returns how many iterations were made. */
static int64_t iterate(struct sinkhorn *s, const struct sinkhorn_problem *p, double total,
                       double *f, double *g)
{
    int64_t made = 0;
    bool factors = false;
    while (made < p->iterations) {
        made++;
        double error;
        if (factors && update_factors(s, p, f, g, &error)) {
            if (error <= p->tolerance * total)
                break;
            continue;
        }
        if (factors)
            absorb_factors(s, p, f, g);
        update_rows(s, p, f, g);
        update_columns(s, p, f, g);
        fill_exponentials(s, p, f, g);
        factors = true;
    }
    if (factors)
        absorb_factors(s, p, f, g);
    return made;
}

/* From a large epsilon to the problem's own, each from the last one's potentials: with a small one
 * alone, mass travels so slowly that many more iterations are made. At most half of them are spent
 * on the way. */
enum { STAGE_RATIO = 4, STAGE_ITERATIONS = 100 };
#define STAGE_TOLERANCE 1e-2

static int64_t iterate_in_stages(struct sinkhorn *s, const struct sinkhorn_problem *p, double *f,
                                 double *g)
{
    const double total = sum_of(p->n, p->a);
    double least = INFINITY, most = -INFINITY;
    for (int64_t k = 0; k < p->n * p->m; k++) {
        least = p->cost[k] < least ? p->cost[k] : least;
        most = p->cost[k] > most ? p->cost[k] : most;
    }

    int64_t made = 0;
    struct sinkhorn_problem stage = *p;
    stage.tolerance = fmax(p->tolerance, STAGE_TOLERANCE);
    for (stage.epsilon = (most - least) / 16; stage.epsilon > STAGE_RATIO * p->epsilon;
         stage.epsilon /= STAGE_RATIO) {
        const int64_t room = p->iterations / 2 - made;
        stage.iterations = room < STAGE_ITERATIONS ? room : STAGE_ITERATIONS;
        made += iterate(s, &stage, total, f, g);
    }
    stage = *p;
    stage.iterations -= made;
    return made + iterate(s, &stage, total, f, g);
}

/* ---- results ---- */

/* What the potentials of one side give to the dual objective: sum a f for fixed marginals, else
 * -rho sum a (exp(-f / rho) - 1). */
static double dual_share(const struct sinkhorn_problem *p, int64_t n, const double *weights,
                         const double *potentials)
{
    double sum = 0.0;
    for (int64_t i = 0; i < n; i++)
        if (weights[i] > 0.0)
            sum += isinf(p->rho) ? weights[i] * potentials[i]
                                 : -p->rho * weights[i] * expm1(-potentials[i] / p->rho);
    return sum;
}

/* The plan that the potentials give, row by row. */
static void measure(struct sinkhorn *s, const struct sinkhorn_problem *p, const double *f,
                    const double *g, double *plan, struct sinkhorn_result *result)
{
    const double total = sum_of(p->n, p->a);
    result->marginal_error = result->transport_cost = result->mass = 0.0;
    for (int64_t i = 0; i < p->n; i++) {
        double *row = plan ? plan + i * p->m : s->sums;
        s->kernels->exponentials(p->m, p->cost + i * p->m, f[i], g, 1.0 / p->epsilon, row);
        for (int64_t j = 0; j < p->m; j++)
            row[j] *= p->a[i] * p->b[j];
        const double mass = sum_of(p->m, row);
        result->mass += mass;
        result->marginal_error += fabs(mass - wanted_mass(p, p->a[i], f[i])) / total;
        result->transport_cost += s->kernels->dot(p->m, p->cost + i * p->m, row);
    }
    result->regularised_cost = dual_share(p, p->n, p->a, f) + dual_share(p, p->m, p->b, g) -
                               p->epsilon * (result->mass - total * sum_of(p->m, p->b));
}

static void copy_weights(int64_t n, const double *from, double mass, double scale, double *to)
{
    for (int64_t i = 0; i < n; i++)
        to[i] = from ? from[i] * scale : mass / (double)n;
}

bool sinkhorn_solve(struct sinkhorn *s, const struct sinkhorn_problem *problem, double *f,
                    double *g, double *plan, struct sinkhorn_result *result)
{
    struct sinkhorn_problem p = *problem;
    const double mass_b = p.b ? sum_of(p.m, p.b) : 1.0;
    const double mass_a = p.a ? sum_of(p.n, p.a) : mass_b;
    copy_weights(p.n, p.a, mass_b, 1.0, s->a);
    copy_weights(p.m, p.b, mass_a, isinf(p.rho) ? mass_a / mass_b : 1.0, s->b);
    p.a = s->a;
    p.b = s->b;

    fill(p.n, 0.0, f);
    fill(p.m, 0.0, g);
    result->iterations = iterate_in_stages(s, &p, f, g);
    measure(s, &p, f, g, plan, result);
    return result->marginal_error <= p.tolerance;
}
