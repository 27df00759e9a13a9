#include "source/source.h"

#include "base/status.h"

#include <math.h>

/* Draws behind the moments of a source that cannot say them. */
enum { MOMENT_ROWS = 65536 };

/* Values that are looked at together, where a row is not larger. */
enum { MOMENT_BLOCK_VALUES = 65536 };

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

int32_t fmatch_source_get_condition_dim(const fmatch_source *source)
{
    return source ? source->condition_dim : 0;
}

int32_t fmatch_source_get_weighted(const fmatch_source *source)
{
    return source ? source->weighted : 0;
}

/* ---- draws ---- */

struct random_stream source_stream(const fmatch_source *source, uint64_t seed, uint32_t purpose)
{
    return (struct random_stream){
        .kernels = source->context->kernels, .seed = seed, .stream = purpose};
}

/* Weights of rows that have none. */
static void fill_ones(int64_t n, float *weight)
{
    for (int64_t i = 0; i < n; i++)
        weight[i] = 1.0F;
}

/* What of the wanted rows the source has; of the rest, weights are 1. */
static struct source_rows rows_to_give(const fmatch_source *source, int64_t n,
                                       const struct source_rows *rows)
{
    if (rows->weight && !source->weighted)
        fill_ones(n, rows->weight);
    return (struct source_rows){.x = rows->x,
                                .condition = source->condition_dim > 0 ? rows->condition : NULL,
                                .weight = source->weighted ? rows->weight : NULL};
}

fmatch_status source_draw(const fmatch_source *source, const struct random_stream *stream,
                          int64_t first_row, int64_t n, const struct source_rows *rows)
{
    const struct source_rows given = rows_to_give(source, n, rows);
    return source->kind->draw(source, stream, first_row, n, &given);
}

static fmatch_status draw_public(const fmatch_source *source, uint64_t seed, int64_t first_row,
                                 int64_t n, float *x, float *condition, float *weight)
{
    CHECK_NOT_NULL(source);
    CHECK_RANGE("n", n, 0, SOURCE_ROWS_MAX);
    CHECK_RANGE("first_row", first_row, 0, SOURCE_ROWS_MAX - n);
    if (n == 0)
        return FMATCH_OK;
    CHECK_NOT_NULL(x);
    const struct random_stream stream = source_stream(source, seed, STREAM_SOURCE);
    const struct source_rows rows = {.x = x, .condition = condition, .weight = weight};
    return source_draw(source, &stream, first_row, n, &rows);
}

fmatch_status fmatch_source_draw(const fmatch_source *source, uint64_t seed, int64_t first_row,
                                 int64_t n, float *x)
{
    status_begin();
    return draw_public(source, seed, first_row, n, x, NULL, NULL);
}

fmatch_status fmatch_source_draw_rows(const fmatch_source *source, uint64_t seed, int64_t first_row,
                                      int64_t n, float *x, float *condition, float *weight)
{
    status_begin();
    return draw_public(source, seed, first_row, n, x, condition, weight);
}

fmatch_status source_check_weight(const char *name, int64_t row, float weight)
{
    if (!isfinite(weight))
        return status_fail(FMATCH_ERROR_NOT_FINITE, "%s: row %lld is %s", name, (long long)row,
                           NUMBER(weight));
    if (weight < 0)
        return status_fail(FMATCH_ERROR_ARGUMENT, "%s: row %lld is %s; it must be at least 0", name,
                           (long long)row, NUMBER(weight));
    return FMATCH_OK;
}

fmatch_status source_check_weights(const char *name, int64_t n, const float *weights)
{
    bool all_zero = true;
    for (int64_t i = 0; i < n; i++) {
        RETURN_IF_FAILED(source_check_weight(name, i, weights[i]));
        all_zero = all_zero && weights[i] == 0;
    }
    if (all_zero)
        return status_fail(FMATCH_ERROR_ARGUMENT, "%s: every row is 0; one must be above 0", name);
    return FMATCH_OK;
}

/* ---- stored rows ---- */

int64_t fmatch_source_count_rows(const fmatch_source *source)
{
    return source && source->kind->count ? source->kind->count(source) : 0;
}

/* `wanted` is where the caller's values go, one of the three of `rows`. */
static fmatch_status read_stored(const fmatch_source *source, int64_t first_row, int64_t n,
                                 const char *name, const float *wanted,
                                 const struct source_rows *rows)
{
    CHECK_NOT_NULL(source);
    const int64_t stored = fmatch_source_count_rows(source);
    if (stored == 0)
        return status_fail(FMATCH_ERROR_UNSUPPORTED, "source is a distribution; it stores no rows");
    CHECK_RANGE("n", n, 0, stored);
    CHECK_RANGE("first_row", first_row, 0, stored - n);
    if (n == 0)
        return FMATCH_OK;
    if (!wanted)
        return status_fail(FMATCH_ERROR_ARGUMENT, "%s is NULL", name);
    const struct source_rows given = rows_to_give(source, n, rows);
    return source->kind->read(source, first_row, n, &given);
}

fmatch_status fmatch_source_get_rows(const fmatch_source *source, int64_t first_row, int64_t n,
                                     float *x)
{
    status_begin();
    const struct source_rows rows = {.x = x};
    return read_stored(source, first_row, n, "x", x, &rows);
}

fmatch_status fmatch_source_get_conditions(const fmatch_source *source, int64_t first_row,
                                           int64_t n, float *condition)
{
    status_begin();
    const struct source_rows rows = {.condition = condition};
    return read_stored(source, first_row, n, "condition", condition, &rows);
}

fmatch_status fmatch_source_get_weights(const fmatch_source *source, int64_t first_row, int64_t n,
                                        float *weight)
{
    status_begin();
    const struct source_rows rows = {.weight = weight};
    return read_stored(source, first_row, n, "weight", weight, &rows);
}

/* ---- moments ---- */

/* Rows of a block that is bounded in bytes. */
static int64_t moment_block_rows(int64_t columns)
{
    const int64_t rows = MOMENT_BLOCK_VALUES / columns;
    return rows < 1 ? 1 : rows;
}

/* What n rows behind `first` others add to the moments of some columns. */
typedef void add_rows(int64_t first, int64_t n, int32_t columns, const float *values, double *mean,
                      double *std);

/* Welford's recurrence. */
static void add_updates(int64_t first, int64_t n, int32_t columns, const float *values,
                        double *mean, double *std)
{
    for (int64_t i = 0; i < n; i++)
        for (int32_t j = 0; j < columns; j++) {
            const double difference = values[i * columns + j] - mean[j];
            mean[j] += difference / (double)(first + i + 1);
            std[j] += difference * (values[i * columns + j] - mean[j]);
        }
}

static void add_values(int64_t first, int64_t n, int32_t columns, const float *values, double *mean,
                       double *std)
{
    (void)first, (void)std;
    for (int64_t i = 0; i < n; i++)
        for (int32_t j = 0; j < columns; j++)
            mean[j] += values[i * columns + j];
}

static void add_squares(int64_t first, int64_t n, int32_t columns, const float *values,
                        double *mean, double *std)
{
    (void)first;
    for (int64_t i = 0; i < n; i++)
        for (int32_t j = 0; j < columns; j++) {
            const double off = values[i * columns + j] - mean[j];
            std[j] += off * off;
        }
}

struct measurement {
    const fmatch_source *source;
    int32_t columns, condition; /* in all; of the condition among them */
    bool stored;                /* rows are read in order; else they are drawn */
    int64_t rows, together;
    float *block;
    double *mean, *std; /* [columns] */
};

static fmatch_status measure_rows(const struct measurement *m, add_rows *add)
{
    const fmatch_source *source = m->source;
    const int32_t dim = source->dim;
    const struct random_stream stream = source_stream(source, 0, STREAM_SOURCE);
    float *condition = m->block + m->together * dim;
    const struct source_rows rows = {.x = m->block, .condition = m->condition ? condition : NULL};
    for (int64_t first = 0; first < m->rows; first += m->together) {
        const int64_t n = m->rows - first < m->together ? m->rows - first : m->together;
        RETURN_IF_FAILED(m->stored ? source->kind->read(source, first, n, &rows)
                                   : source_draw(source, &stream, first, n, &rows));
        add(first, n, dim, m->block, m->mean, m->std);
        add(first, n, m->condition, condition, m->mean + dim, m->std + dim);
    }
    return FMATCH_OK;
}

static fmatch_status measure(const struct measurement *m)
{
    const double rows = (double)m->rows;
    RETURN_IF_FAILED(measure_rows(m, m->stored ? add_values : add_updates));
    for (int32_t j = 0; m->stored && j < m->columns; j++)
        m->mean[j] /= rows;
    if (m->stored)
        RETURN_IF_FAILED(measure_rows(m, add_squares));
    for (int32_t j = 0; j < m->columns; j++)
        m->std[j] = sqrt(m->std[j] / rows);
    return FMATCH_OK;
}

fmatch_status source_measure(const fmatch_source *source, int32_t condition_columns, int64_t draws,
                             double *moments)
{
    const fmatch_allocator *allocator = &source->context->allocator;
    const int32_t columns = source->dim + condition_columns;
    struct measurement m = {.source = source,
                            .columns = columns,
                            .condition = condition_columns,
                            .stored = source->kind->read && draws == 0,
                            .rows = draws > 0 ? draws : MOMENT_ROWS,
                            .together = moment_block_rows(columns),
                            .mean = moments,
                            .std = moments + columns};
    if (m.stored)
        m.rows = fmatch_source_count_rows(source);
    fmatch_status status = FMATCH_OK;
    if (!source->kind->moments || condition_columns > 0) {
        m.block = allocation_create(allocator, m.together * columns, sizeof *m.block);
        status = m.block ? measure(&m)
                         : status_no_memory((size_t)(m.together * columns) * sizeof *m.block);
        allocation_destroy(allocator, m.block);
    }
    if (source->kind->moments)
        source->kind->moments(source, m.mean, m.std);
    return status;
}

fmatch_status fmatch_source_evaluate_moments(const fmatch_source *source, float *mean, float *std)
{
    status_begin();
    CHECK_NOT_NULL(source);
    CHECK_NOT_NULL(mean);
    CHECK_NOT_NULL(std);

    const fmatch_allocator *allocator = &source->context->allocator;
    const int32_t dim = source->dim;
    double *moments = allocation_create(allocator, 2 * (int64_t)dim, sizeof *moments);
    if (!moments)
        return status_no_memory(2 * (size_t)dim * sizeof *moments);
    const fmatch_status status = source_measure(source, 0, 0, moments);
    for (int32_t j = 0; status == FMATCH_OK && j < dim; j++) {
        mean[j] = (float)moments[j];
        std[j] = (float)moments[dim + j];
    }
    allocation_destroy(allocator, moments);
    return status;
}

fmatch_status fmatch_source_evaluate_log_density(const fmatch_source *source, int64_t n,
                                                 const float *x, double *log_density)
{
    status_begin();
    CHECK_NOT_NULL(source);
    if (!source->kind->log_density)
        return status_fail(FMATCH_ERROR_UNSUPPORTED, "source has no density in closed form");
    CHECK_RANGE("n", n, 0, SOURCE_ROWS_MAX / source->dim);
    if (n == 0)
        return FMATCH_OK;
    CHECK_NOT_NULL(x);
    CHECK_NOT_NULL(log_density);
    RETURN_IF_FAILED(status_check_finite("x", 0, n, source->dim, x));
    return source->kind->log_density(source, n, x, log_density);
}
