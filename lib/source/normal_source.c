/* Independent normal numbers: element (row, column) is number row * dim + column of the stream. */
#include "source/normal_source.h"

#include "base/status.h"

#include <float.h>
#include <math.h>
#include <string.h>

struct normal_source {
    fmatch_source source;
    float *mean, *std; /* [dim] each in one block, or NULL: 0 and 1 */
};

static fmatch_status normal_draw(const fmatch_source *source, const struct random_stream *stream,
                                 int64_t first_row, int64_t n, const struct source_rows *rows)
{
    float *x = rows->x;
    const struct normal_source *s = (const struct normal_source *)source;
    const int32_t dim = source->dim;
    random_stream_normal(stream, 0, (uint64_t)first_row * (uint64_t)dim, n * dim, x);
    for (int64_t i = 0; s->mean && i < n; i++)
        for (int32_t j = 0; j < dim; j++)
            x[i * dim + j] = s->mean[j] + s->std[j] * x[i * dim + j];
    return FMATCH_OK;
}

static void normal_moments(const fmatch_source *source, double *mean, double *std)
{
    const struct normal_source *s = (const struct normal_source *)source;
    for (int32_t j = 0; j < source->dim; j++) {
        mean[j] = s->mean ? s->mean[j] : 0.0;
        std[j] = s->mean ? s->std[j] : 1.0;
    }
}

static fmatch_status normal_log_density(const fmatch_source *source, int64_t n, const float *x,
                                        double *log_density)
{
    const struct normal_source *s = (const struct normal_source *)source;
    const int32_t dim = source->dim;
    for (int64_t i = 0; i < n; i++) {
        log_density[i] = 0.0;
        for (int32_t j = 0; j < dim; j++)
            log_density[i] += s->mean ? normal_log_density_at(x[i * dim + j], s->mean[j], s->std[j])
                                      : normal_log_density_at(x[i * dim + j], 0.0, 1.0);
    }
    return FMATCH_OK;
}

static void normal_destroy(fmatch_source *source)
{
    allocation_destroy(&source->context->allocator, ((struct normal_source *)source)->mean);
}

static const struct source_kind normal_kind = {.draw = normal_draw,
                                               .moments = normal_moments,
                                               .log_density = normal_log_density,
                                               .destroy = normal_destroy};

fmatch_status normal_source_create(fmatch_source **source, fmatch_context *context, int32_t dim,
                                   const float *mean, const float *std)
{
    fmatch_source *created;
    RETURN_IF_FAILED(
        source_create(&created, context, sizeof(struct normal_source), &normal_kind, dim));
    if (mean) {
        struct normal_source *s = (struct normal_source *)created;
        s->mean = allocation_create(&context->allocator, 2 * (int64_t)dim, sizeof *s->mean);
        if (!s->mean) {
            source_release(created);
            return status_no_memory(2 * (size_t)dim * sizeof *s->mean);
        }
        s->std = s->mean + dim;
        memcpy(s->mean, mean, (size_t)dim * sizeof *mean);
        memcpy(s->std, std, (size_t)dim * sizeof *std);
    }
    *source = created;
    return FMATCH_OK;
}

double normal_log_density_at(double x, double mean, double std)
{
    const double log_root_two_pi = 0.918938533204672741780329736406;
    const double z = (x - mean) / std;
    return -0.5 * z * z - log(std) - log_root_two_pi;
}

bool normal_source_fits(double mean, double std)
{
    return fabs(mean) + 7.0 * std <= FLT_MAX;
}

bool normal_source_is(const fmatch_source *source)
{
    return source->kind == &normal_kind;
}

bool normal_source_is_standard(const fmatch_source *source)
{
    return normal_source_is(source) && !((const struct normal_source *)source)->mean;
}

fmatch_status fmatch_source_create_normal(fmatch_source **source, fmatch_context *context,
                                          int32_t dim)
{
    status_begin();
    CHECK_NOT_NULL(source);
    *source = NULL;
    return normal_source_create(source, context, dim, NULL, NULL);
}
