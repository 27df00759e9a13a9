#include "base/status.h"
#include "compute/random_stream.h"
#include "context/context.h"
#include "metrics/sample_pair.h"
#include "metrics/wasserstein.h"

#include <flowmatch/metrics.h>

#include <math.h>

#define PROJECTIONS_MAX ((int64_t)1 << 31)

struct slices {
    const struct sample_pair *pair;
    struct random_stream stream;
    int64_t projections;
    int64_t lanes;
    int64_t lane_size; /* floats of a lane's memory: a direction, then a sorted_pair */
    float *memory;
    double *squares; /* [projections] W2^2 along each */
};

/* Direction `index`, not normalised; returns its length. */
static double draw_direction(const struct slices *s, int64_t index, float *direction)
{
    const int32_t dim = s->pair->dim;
    random_stream_normal(&s->stream, 0, (uint64_t)index * (uint64_t)dim, dim, direction);
    double square = 0.0;
    for (int32_t k = 0; k < dim; k++)
        square += (double)direction[k] * direction[k];
    if (square == 0.0) { /* rare, and as good as any */
        direction[0] = 1.0f;
        square = 1.0;
    }
    return sqrt(square);
}

/* Four chains of sums, so that they need not wait for each other. */
static double inner_product(int32_t dim, const float *x, const float *direction)
{
    double sums[4] = {0.0, 0.0, 0.0, 0.0};
    int32_t k = 0;
    for (; k + 4 <= dim; k += 4)
        for (int c = 0; c < 4; c++)
            sums[c] += (double)x[k + c] * direction[k + c];
    for (; k < dim; k++)
        sums[0] += (double)x[k] * direction[k];
    return (sums[0] + sums[1]) + (sums[2] + sums[3]);
}

static void project(int32_t dim, int64_t n, const float *x, const float *direction, double length,
                    float *to)
{
    for (int64_t i = 0; i < n; i++)
        to[i] = (float)(inner_product(dim, x + i * dim, direction) / length);
}

/* Every lane takes each lanes-th direction, with memory of its own. */
static void run_lane(void *argument, int64_t lane)
{
    const struct slices *s = argument;
    const struct sample_pair *p = s->pair;
    float *direction = s->memory + lane * s->lane_size;
    const struct sorted_pair sorted = {.x = direction + p->dim,
                                       .y = direction + p->dim + p->n,
                                       .scratch = direction + p->dim + p->n + p->m};
    for (int64_t i = lane; i < s->projections; i += s->lanes) {
        const double length = draw_direction(s, i, direction);
        project(p->dim, p->n, p->x, direction, length, sorted.x);
        project(p->dim, p->m, p->y, direction, length, sorted.y);
        sorted_pair_sort(&sorted, p->n, p->m);
        s->squares[i] = wasserstein_of_sorted(p->n, sorted.x, p->m, sorted.y).w2_square;
    }
}

static double mean(int64_t n, const double *values)
{
    double sum = 0.0;
    for (int64_t i = 0; i < n; i++)
        sum += values[i];
    return sum / (double)n;
}

static fmatch_status mean_square(fmatch_context *context, struct slices *s, double *square)
{
    const struct sample_pair *p = s->pair;
    s->lanes = context->threads < s->projections ? context->threads : s->projections;
    s->lane_size = p->dim + p->n + p->m + (p->n > p->m ? p->n : p->m);
    s->memory = allocation_create(&context->allocator, s->lanes * s->lane_size, sizeof *s->memory);
    s->squares = allocation_create(&context->allocator, s->projections, sizeof *s->squares);
    fmatch_status status = FMATCH_OK;
    if (!s->memory || !s->squares) {
        status = status_no_memory((size_t)(s->lanes * s->lane_size) * sizeof *s->memory +
                                  (size_t)s->projections * sizeof *s->squares);
    } else {
        context_run(context, s->lanes, run_lane, s);
        *square = mean(s->projections, s->squares);
        if (!isfinite(*square)) /* a projection beyond the range of float */
            status = status_fail(FMATCH_ERROR_NOT_FINITE, "the distance is %s", NUMBER(*square));
    }
    allocation_destroy(&context->allocator, s->squares);
    allocation_destroy(&context->allocator, s->memory);
    return status;
}

fmatch_status fmatch_metrics_evaluate_sliced_wasserstein(fmatch_context *context, int32_t dim,
                                                         int64_t n, const float *x, int64_t m,
                                                         const float *y, int64_t projections,
                                                         uint64_t seed, double *w2,
                                                         double *w2_square)
{
    status_begin();
    CHECK_NOT_NULL(context);
    CHECK_RANGE("projections", projections, 1, PROJECTIONS_MAX);
    const struct sample_pair pair = {.dim = dim, .n = n, .x = x, .m = m, .y = y};
    RETURN_IF_FAILED(sample_pair_check(&pair, METRICS_ROWS_MAX));

    struct slices slices = {
        .pair = &pair,
        .stream = {.kernels = context->kernels, .seed = seed, .stream = STREAM_METRICS_DIRECTION},
        .projections = projections,
    };
    double square = 0.0;
    RETURN_IF_FAILED(mean_square(context, &slices, &square));
    if (w2)
        *w2 = sqrt(square);
    if (w2_square)
        *w2_square = square;
    return FMATCH_OK;
}
