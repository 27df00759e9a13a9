#include "source/source.h"

#include "base/status.h"

#include <math.h>

/* Draws behind the moments of a source that cannot say them. */
enum { MOMENT_ROWS = 65536, MOMENT_BLOCK = 1024 };

fmatch_status source_create(fmatch_source **source, fmatch_context *context, size_t size,
                            const struct source_kind *kind, int32_t dim)
{
    CHECK_NOT_NULL(context);
    CHECK_RANGE("dim", dim, 1, DIM_MAX);
    struct fmatch_source *s = allocation_create(&context->allocator, 1, size);
    if (!s)
        return status_no_memory(size);
    reference_count_init(&s->references);
    s->kind = kind;
    s->context = context_retain(context);
    s->dim = dim;
    *source = s;
    return FMATCH_OK;
}

fmatch_source *source_retain(const fmatch_source *source)
{
    fmatch_source *s = (fmatch_source *)source; /* only the count of an immutable object changes */
    reference_count_retain(&s->references);
    return s;
}

void source_release(fmatch_source *source)
{
    if (!source || !reference_count_release(&source->references))
        return;
    fmatch_context *context = source->context;
    if (source->kind->destroy)
        source->kind->destroy(source);
    allocation_destroy(&context->allocator, source);
    context_release(context);
}

void fmatch_source_destroy(fmatch_source **source)
{
    if (!source)
        return;
    source_release(*source);
    *source = NULL;
}

int32_t fmatch_source_get_dim(const fmatch_source *source)
{
    return source ? source->dim : 0;
}

struct random_stream source_stream(const fmatch_source *source, uint64_t seed, uint32_t purpose)
{
    return (struct random_stream){
        .kernels = source->context->kernels, .seed = seed, .stream = purpose};
}

fmatch_status source_draw(const fmatch_source *source, const struct random_stream *stream,
                          int64_t first_row, int64_t n, float *x)
{
    return source->kind->draw(source, stream, first_row, n, x);
}

fmatch_status fmatch_source_draw(const fmatch_source *source, uint64_t seed, int64_t first_row,
                                 int64_t n, float *x)
{
    status_begin();
    CHECK_NOT_NULL(source);
    CHECK_RANGE("n", n, 0, SOURCE_ROWS_MAX);
    CHECK_RANGE("first_row", first_row, 0, SOURCE_ROWS_MAX - n);
    if (n == 0)
        return FMATCH_OK;
    CHECK_NOT_NULL(x);
    const struct random_stream stream = source_stream(source, seed, STREAM_SOURCE);
    return source_draw(source, &stream, first_row, n, x);
}

/* Mean and deviation of each column by Welford's recurrence over MOMENT_ROWS draws. */
static fmatch_status estimate_moments(const fmatch_source *source, float *block, double *mean,
                                      double *std)
{
    const struct random_stream stream = source_stream(source, 0, STREAM_SOURCE);
    const int32_t dim = source->dim;
    for (int64_t first = 0; first < MOMENT_ROWS; first += MOMENT_BLOCK) {
        RETURN_IF_FAILED(source_draw(source, &stream, first, MOMENT_BLOCK, block));
        for (int64_t i = 0; i < MOMENT_BLOCK; i++)
            for (int32_t j = 0; j < dim; j++) {
                const double difference = block[i * dim + j] - mean[j];
                mean[j] += difference / (double)(first + i + 1);
                std[j] += difference * (block[i * dim + j] - mean[j]);
            }
    }
    for (int32_t j = 0; j < dim; j++)
        std[j] = sqrt(std[j] / MOMENT_ROWS);
    return FMATCH_OK;
}

fmatch_status fmatch_source_evaluate_moments(const fmatch_source *source, float *mean, float *std)
{
    status_begin();
    CHECK_NOT_NULL(source);
    CHECK_NOT_NULL(mean);
    CHECK_NOT_NULL(std);

    const fmatch_allocator *allocator = &source->context->allocator;
    const int32_t dim = source->dim;
    const int64_t block_size = source->kind->moments ? 0 : (int64_t)MOMENT_BLOCK * dim;
    double *moments = allocation_create(allocator, 2 * (int64_t)dim, sizeof *moments);
    float *block = allocation_create(allocator, block_size, sizeof *block);
    fmatch_status status = FMATCH_OK;
    if (!moments || !block)
        status = status_no_memory(2 * (size_t)dim * sizeof *moments +
                                  (size_t)block_size * sizeof *block);
    else if (source->kind->moments)
        source->kind->moments(source, moments, moments + dim);
    else
        status = estimate_moments(source, block, moments, moments + dim);

    for (int32_t j = 0; status == FMATCH_OK && j < dim; j++) {
        mean[j] = (float)moments[j];
        std[j] = (float)moments[dim + j];
    }
    allocation_destroy(allocator, block);
    allocation_destroy(allocator, moments);
    return status;
}
