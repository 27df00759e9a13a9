#include "base/status.h"
#include "context/context.h"
#include "metrics/sample_pair.h"

#include <flowmatch/metrics.h>

#include <math.h>

enum {
    SHARD_ROWS = 1024,
    BLOCK_ROWS = 64 /* whose lengths stand on the stack */
};

/* Sums over rows. */
struct path_sums {
    double energy;
    double curvature;
    double straightness;
};

struct paths {
    int32_t dim;
    int64_t times;
    const double *t;
    int64_t n;
    const float *trajectory;
    struct path_sums *shards;
};

static const float *row_at(const struct paths *p, int64_t time, int64_t row)
{
    return p->trajectory + (time * p->n + row) * p->dim;
}

static double duration(const struct paths *p)
{
    return fabs(p->t[p->times - 1] - p->t[0]);
}

/* One step of one row; returns its length. */
static double add_step(const struct paths *p, int64_t time, int64_t row, struct path_sums *sums)
{
    const float *from = row_at(p, time, row), *to = row_at(p, time + 1, row);
    const float *first = row_at(p, 0, row), *last = row_at(p, p->times - 1, row);
    const double step = fabs(p->t[time + 1] - p->t[time]), share = step / duration(p);
    double square = 0.0, off_square = 0.0;
    for (int32_t k = 0; k < p->dim; k++) {
        const double move = (double)to[k] - from[k];
        const double off = move - ((double)last[k] - first[k]) * share;
        square += move * move;
        off_square += off * off;
    }
    sums->energy += square / step;
    sums->curvature += off_square / step;
    return sqrt(square);
}

/* Distance from end to end by the path's length; a row that stays where it is counts as 1. */
static double straightness(const struct paths *p, int64_t row, double length)
{
    const float *first = row_at(p, 0, row), *last = row_at(p, p->times - 1, row);
    double square = 0.0;
    for (int32_t k = 0; k < p->dim; k++) {
        const double off = (double)last[k] - first[k];
        square += off * off;
    }
    return length > 0.0 ? fmin(sqrt(square) / length, 1.0) : 1.0;
}

static void add_block(const struct paths *p, int64_t begin, int64_t end, struct path_sums *sums)
{
    double length[BLOCK_ROWS] = {0.0};
    for (int64_t time = 0; time + 1 < p->times; time++)
        for (int64_t row = begin; row < end; row++)
            length[row - begin] += add_step(p, time, row, sums);
    for (int64_t row = begin; row < end; row++)
        sums->straightness += straightness(p, row, length[row - begin]);
}

static void add_shard(void *argument, int64_t shard)
{
    const struct paths *p = argument;
    const int64_t begin = shard * SHARD_ROWS;
    const int64_t end = p->n - begin < SHARD_ROWS ? p->n : begin + SHARD_ROWS;
    for (int64_t row = begin; row < end; row += BLOCK_ROWS)
        add_block(p, row, end - row < BLOCK_ROWS ? end : row + BLOCK_ROWS, p->shards + shard);
}

static fmatch_status check_times(int64_t times, const double *t)
{
    for (int64_t i = 0; i < times; i++)
        if (!isfinite(t[i]))
            return status_fail(FMATCH_ERROR_NOT_FINITE, "t[%lld] is %s", (long long)i,
                               NUMBER(t[i]));
    for (int64_t i = 1; i < times; i++)
        if (!(t[1] > t[0] ? t[i] > t[i - 1] : t[i] < t[i - 1]))
            return status_fail(FMATCH_ERROR_ARGUMENT,
                               "t[%lld] is %s after %s; times must all increase or all decrease",
                               (long long)i, NUMBER(t[i]), NUMBER(t[i - 1]));
    return FMATCH_OK;
}

static fmatch_status check_paths(const fmatch_context *context, const struct paths *p)
{
    const double *t = p->t;
    const float *trajectory = p->trajectory;
    CHECK_NOT_NULL(context);
    CHECK_RANGE("dim", p->dim, 1, METRICS_DIM_MAX);
    CHECK_RANGE("times", p->times, 2, METRICS_ROWS_MAX);
    CHECK_NOT_NULL(t);
    CHECK_RANGE("n", p->n, 1, INT64_MAX / p->dim / p->times);
    CHECK_NOT_NULL(trajectory);
    RETURN_IF_FAILED(check_times(p->times, t));
    return status_check_finite("trajectory", 0, p->times * p->n, p->dim, trajectory);
}

/* Means over the rows of checked paths. */
static fmatch_status measure(fmatch_context *context, struct paths *p, struct path_sums *means)
{
    const int64_t shards = (p->n + SHARD_ROWS - 1) / SHARD_ROWS;
    p->shards = allocation_create(&context->allocator, shards, sizeof *p->shards);
    if (!p->shards)
        return status_no_memory((size_t)shards * sizeof *p->shards);
    context_run(context, shards, add_shard, p);

    struct path_sums sums = {0.0, 0.0, 0.0};
    for (int64_t s = 0; s < shards; s++) {
        sums.energy += p->shards[s].energy;
        sums.curvature += p->shards[s].curvature;
        sums.straightness += p->shards[s].straightness;
    }
    allocation_destroy(&context->allocator, p->shards);
    const double n = (double)p->n;
    *means = (struct path_sums){sums.energy / n, sums.curvature / n, sums.straightness / n};
    return FMATCH_OK;
}

fmatch_status fmatch_metrics_evaluate_path(fmatch_context *context, int32_t dim, int64_t times,
                                           const double *t, int64_t n, const float *trajectory,
                                           double *energy, double *curvature, double *straightness)
{
    status_begin();
    struct paths paths = {dim, times, t, n, trajectory, NULL};
    struct path_sums means;
    RETURN_IF_FAILED(check_paths(context, &paths));
    RETURN_IF_FAILED(measure(context, &paths, &means));
    if (energy)
        *energy = means.energy;
    if (curvature)
        *curvature = means.curvature;
    if (straightness)
        *straightness = means.straightness;
    return FMATCH_OK;
}

fmatch_status fmatch_metrics_evaluate_normalised_path_energy(fmatch_context *context, int32_t dim,
                                                             int64_t times, const double *t,
                                                             int64_t n, const float *trajectory,
                                                             double w2_square, double *normalised)
{
    status_begin();
    struct paths paths = {dim, times, t, n, trajectory, NULL};
    struct path_sums means;
    CHECK_NOT_NULL(normalised);
    if (!(w2_square > 0.0 && w2_square < INFINITY))
        return status_fail(FMATCH_ERROR_ARGUMENT, "w2_square is %s; it must be positive and finite",
                           NUMBER(w2_square));
    RETURN_IF_FAILED(check_paths(context, &paths));
    RETURN_IF_FAILED(measure(context, &paths, &means));
    *normalised = fabs(duration(&paths) * means.energy - w2_square) / w2_square;
    return FMATCH_OK;
}
