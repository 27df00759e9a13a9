#include "path/semidiscrete.h"

#include "base/status.h"
#include "compute/instruction_set.h"

#include <math.h>
#include <string.h>

/* ---- where rows go ---- */

enum { SHARD_ROWS = 128 };

struct shards {
    const struct transport_kernels *kernels;
    int64_t dim, n, m;
    const float *x, *y;
    const double *potential;
    int32_t *row;
    double *least;
};

static void assign_shard(void *argument, int64_t index)
{
    const struct shards *s = argument;
    const int64_t first = index * SHARD_ROWS;
    const int64_t n = s->n - first < SHARD_ROWS ? s->n - first : SHARD_ROWS;
    s->kernels->nearest(s->dim, n, s->x + first * s->dim, s->m, s->y, s->potential, s->row + first,
                        s->least + first);
}

void semidiscrete_assign(fmatch_context *context, int64_t dim, int64_t n, const float *x, int64_t m,
                         const float *y, const double *potential, int32_t *row, double *least)
{
    struct shards shards = {.kernels = instruction_set_get(context->instruction_set)->transport,
                            .dim = dim,
                            .n = n,
                            .m = m,
                            .x = x,
                            .y = y,
                            .potential = potential,
                            .row = row,
                            .least = least};
    context_run(context, (n + SHARD_ROWS - 1) / SHARD_ROWS, assign_shard, &shards);
}

/* ---- the ascent ---- */

/* The learning rate falls by this much, evenly in its logarithm: first mass is moved far, then its
 * shares are balanced. */
#define RATE_FALL 1e-4

enum { TESTS = 10, TEST_ROWS_MAX = 1 << 18 };

struct ascent {
    const struct semidiscrete_problem *p;
    struct random_stream steps, tests;
    double unit; /* mean squared distance */
    float *x;    /* [batch, dim] */
    int32_t *row;
    double *least;    /* [batch] */
    double *now;      /* [m] the potential, before averaging */
    double *weights;  /* [m] */
    int64_t *arrived; /* [m] rows of noise */
};

static fmatch_status hold_memory(struct ascent *a, const fmatch_allocator *allocator)
{
    const int64_t dim = a->p->noise->dim, m = a->p->m, batch = a->p->batch;
    const int64_t words = batch * dim / 2 + 1 + batch / 2 + 1 + batch + 3 * m;
    double *memory = allocation_create(allocator, words, sizeof *memory);
    if (!memory)
        return status_no_memory((size_t)words * sizeof *memory);
    a->now = memory;
    a->weights = a->now + m;
    a->arrived = (int64_t *)(a->weights + m);
    a->least = (double *)(a->arrived + m);
    a->row = (int32_t *)(a->least + batch);
    a->x = (float *)(a->row + batch);
    for (int64_t j = 0; j < m; j++)
        a->weights[j] = a->p->weights ? a->p->weights[j] : 1.0 / (double)m;
    return FMATCH_OK;
}

/* Rows first and on of a stream go to their places under the potential. */
static fmatch_status send_rows(struct ascent *a, const struct random_stream *stream, int64_t first,
                               int64_t n, const double *potential)
{
    const struct semidiscrete_problem *p = a->p;
    const struct source_rows rows = {.x = a->x};
    RETURN_IF_FAILED(source_draw(p->noise, stream, first, n, &rows));
    semidiscrete_assign(p->context, p->noise->dim, n, a->x, p->m, p->y, potential, a->row,
                        a->least);
    for (int64_t i = 0; i < n; i++)
        a->arrived[a->row[i]]++;
    return FMATCH_OK;
}

/* Of as many pairs of a row of noise and a row of y as there are on the longer side. */
static fmatch_status find_unit(struct ascent *a)
{
    const struct semidiscrete_problem *p = a->p;
    const int64_t dim = p->noise->dim, pairs = p->m > p->batch ? p->m : p->batch;
    const struct source_rows rows = {.x = a->x};
    RETURN_IF_FAILED(source_draw(p->noise, &a->tests, 0, p->batch, &rows));
    double sum = 0.0;
    for (int64_t i = 0; i < pairs; i++)
        for (int64_t k = 0; k < dim; k++) {
            const double off = (double)a->x[i % p->batch * dim + k] - p->y[i % p->m * dim + k];
            sum += off * off;
        }
    a->unit = sum / (double)pairs;
    return FMATCH_OK;
}

/* g_j += rate (b_j - P(j)) / b_j with P as the batch has it: the gradient of the dual objective,
 * E_x[min_j(|x - y_j|^2 - g_j)] + sum_j b_j g_j, scaled so that rows of small and large weight move
 * alike. A weight too small for a batch to show counts as that of one row of it. */
static fmatch_status step(struct ascent *a, int64_t k, double *average)
{
    const struct semidiscrete_problem *p = a->p;
    const double batch = (double)p->batch;
    const double rate = p->learning_rate * a->unit * pow(RATE_FALL, (double)k / (double)p->steps);
    const double fresh = fmax(1.0 - p->averaging, 1.0 / (double)(k + 1));
    memset(a->arrived, 0, (size_t)p->m * sizeof *a->arrived);
    RETURN_IF_FAILED(send_rows(a, &a->steps, k * p->batch, p->batch, a->now));
    for (int64_t j = 0; j < p->m; j++) {
        const double b = a->weights[j], seen = (double)a->arrived[j] / batch;
        a->now[j] += rate * (b - seen) / fmax(b, 1.0 / batch);
        average[j] += fresh * (a->now[j] - average[j]);
    }
    return FMATCH_OK;
}

/* Enough for a standard deviation of a quarter of the tolerance, which is sqrt(2 m) / rows for even
 * weights. */
static int64_t count_test_rows(const struct semidiscrete_problem *p)
{
    const double wanted = 4.0 * sqrt(2.0 * (double)p->m) / fmax(p->tolerance, 1e-6);
    return wanted < TEST_ROWS_MAX ? (int64_t)wanted + 2 : TEST_ROWS_MAX;
}

/* chi^2 = sum_j (P(j) - b_j)^2 / b_j = sum_j P(j)^2 / b_j - 1. Of N rows, n_j (n_j - 1) / (N (N -
 * 1)) is P(j)^2 without bias. */
static fmatch_status test(struct ascent *a, const double *potential,
                          struct semidiscrete_result *result)
{
    const struct semidiscrete_problem *p = a->p;
    const int64_t rows = count_test_rows(p);
    double cost = 0.0, sum = 0.0;
    memset(a->arrived, 0, (size_t)p->m * sizeof *a->arrived);
    for (int64_t first = 0; first < rows; first += p->batch) {
        const int64_t n = rows - first < p->batch ? rows - first : p->batch;
        RETURN_IF_FAILED(send_rows(a, &a->tests, first, n, potential));
        for (int64_t i = 0; i < n; i++)
            cost += a->least[i] / (double)rows;
    }
    for (int64_t j = 0; j < p->m; j++) {
        const double n = (double)a->arrived[j], pairs = (double)rows * (double)(rows - 1);
        sum += n * (n - 1.0) / pairs / a->weights[j];
        cost += a->weights[j] * potential[j];
    }
    result->marginal_error = sum - 1.0;
    result->cost = cost;
    return FMATCH_OK;
}

static fmatch_status ascend(struct ascent *a, double *potential, struct semidiscrete_result *result)
{
    const struct semidiscrete_problem *p = a->p;
    RETURN_IF_FAILED(find_unit(a));
    memset(potential, 0, (size_t)p->m * sizeof *potential);
    const int64_t between = (p->steps + TESTS - 1) / TESTS;
    for (int64_t k = 0; k < p->steps; k++) {
        RETURN_IF_FAILED(step(a, k, potential));
        result->steps = k + 1;
        const bool last = k + 1 == p->steps;
        if (!last && ((k + 1) % between != 0 || p->tolerance <= 0.0))
            continue;
        RETURN_IF_FAILED(test(a, potential, result));
        if (result->marginal_error <= p->tolerance)
            break;
    }

    double mean = 0.0;
    for (int64_t j = 0; j < p->m; j++)
        mean += a->weights[j] * potential[j];
    for (int64_t j = 0; j < p->m; j++)
        potential[j] -= mean;
    return FMATCH_OK;
}

fmatch_status semidiscrete_solve(const struct semidiscrete_problem *p, double *potential,
                                 struct semidiscrete_result *result)
{
    const fmatch_allocator *allocator = &p->context->allocator;
    struct ascent a = {.p = p,
                       .steps = source_stream(p->noise, p->seed, STREAM_TRANSPORT_NOISE),
                       .tests = source_stream(p->noise, p->seed, STREAM_TRANSPORT_TEST)};
    RETURN_IF_FAILED(hold_memory(&a, allocator));
    const fmatch_status status = ascend(&a, potential, result);
    allocation_destroy(allocator, a.now);
    return status;
}
