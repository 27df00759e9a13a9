/* Rows of a .npy file, read where it lies on the disk. */
#include "base/allocation.h"
#include "base/configuration.h"
#include "base/status.h"
#include "format/npy.h"
#include "source/column_layout.h"
#include "source/row_order.h"

#include <math.h>
#include <string.h>

struct npy_source {
    fmatch_source source;
    struct npy_file file;
    struct column_layout layout;
    char *path; /* for details */
    int32_t order;
};

static fmatch_status not_finite(const struct npy_source *s, int64_t row, int32_t column,
                                float value)
{
    return status_fail(FMATCH_ERROR_NOT_FINITE, "%s: row %lld, column %d is %s", s->path,
                       (long long)row, (int)column, NUMBER(value));
}

/* Columns of a row, one next to the other. */
static fmatch_status get_columns(const struct npy_source *s, int64_t row, int32_t count,
                                 const int32_t *columns, float *to)
{
    if (s->layout.whole)
        npy_get(&s->file, row, 0, count, to);
    for (int32_t j = 0; j < count; j++) {
        if (!s->layout.whole)
            npy_get(&s->file, row, columns[j], 1, to + j);
        if (!isfinite(to[j]))
            return not_finite(s, row, columns[j], to[j]);
    }
    return FMATCH_OK;
}

static fmatch_status get_weight(const struct npy_source *s, int64_t row, float *to)
{
    RETURN_IF_FAILED(get_columns(s, row, 1, &s->layout.weight, to));
    if (*to < 0)
        return status_fail(FMATCH_ERROR_FORMAT,
                           "%s: row %lld, column %d is %s; a weight must be at least 0", s->path,
                           (long long)row, (int)s->layout.weight, NUMBER(*to));
    return FMATCH_OK;
}

/* Row `row` of the file becomes row i of `rows`. */
static fmatch_status get_row(const struct npy_source *s, int64_t row, int64_t i,
                             const struct source_rows *rows)
{
    const struct column_layout *l = &s->layout;
    if (rows->x)
        RETURN_IF_FAILED(get_columns(s, row, l->dim, l->x, rows->x + i * l->dim));
    if (rows->condition)
        RETURN_IF_FAILED(get_columns(s, row, l->condition_dim, l->condition,
                                     rows->condition + i * l->condition_dim));
    return rows->weight ? get_weight(s, row, rows->weight + i) : FMATCH_OK;
}

static fmatch_status npy_draw(const fmatch_source *source, const struct random_stream *stream,
                              int64_t first_row, int64_t n, const struct source_rows *rows)
{
    const struct npy_source *s = (const struct npy_source *)source;
    for (int64_t begin = 0; begin < n; begin += ROW_ORDER_BLOCK) {
        const int64_t count = n - begin < ROW_ORDER_BLOCK ? n - begin : ROW_ORDER_BLOCK;
        int64_t indices[ROW_ORDER_BLOCK];
        row_order_find(s->order, s->file.rows, stream, first_row + begin, count, indices);
        RETURN_IF_FAILED(npy_check_length(&s->file, s->path));
        for (int64_t i = 0; i < count; i++)
            RETURN_IF_FAILED(get_row(s, indices[i], begin + i, rows));
    }
    return FMATCH_OK;
}

static int64_t npy_count(const fmatch_source *source)
{
    return ((const struct npy_source *)source)->file.rows;
}

static fmatch_status npy_read(const fmatch_source *source, int64_t first_row, int64_t n,
                              const struct source_rows *rows)
{
    const struct npy_source *s = (const struct npy_source *)source;
    for (int64_t i = 0; i < n; i++) {
        if (i % ROW_ORDER_BLOCK == 0)
            RETURN_IF_FAILED(npy_check_length(&s->file, s->path));
        RETURN_IF_FAILED(get_row(s, first_row + i, i, rows));
    }
    return FMATCH_OK;
}

static void npy_destroy(fmatch_source *source)
{
    struct npy_source *s = (struct npy_source *)source;
    const fmatch_allocator *allocator = &source->context->allocator;
    npy_close(&s->file);
    column_layout_destroy(&s->layout, allocator);
    allocation_destroy(allocator, s->path);
}

static const struct source_kind npy_kind = {
    .draw = npy_draw, .count = npy_count, .read = npy_read, .destroy = npy_destroy};

/* ---- creation ---- */

void fmatch_npy_config_init_sized(fmatch_npy_config *config, size_t size)
{
    const fmatch_npy_config recommended = {.order = FMATCH_ORDER_SHUFFLED, .weight_column = -1};
    configuration_write(config, size, &recommended, sizeof recommended);
}

/* Takes over file and layout on success. */
static fmatch_status create(fmatch_source **source, fmatch_context *context, const char *path,
                            const struct npy_file *file, const struct column_layout *layout,
                            int32_t order)
{
    const int64_t length = (int64_t)strlen(path) + 1;
    char *kept = allocation_create_copy(&context->allocator, length, 1, path);
    if (!kept)
        return status_no_memory((size_t)length);
    fmatch_source *made;
    const fmatch_status status =
        source_create(&made, context, sizeof(struct npy_source), &npy_kind, layout->dim);
    if (status != FMATCH_OK) {
        allocation_destroy(&context->allocator, kept);
        return status;
    }
    struct npy_source *s = (struct npy_source *)made;
    made->condition_dim = layout->condition_dim;
    made->weighted = layout->weighted;
    s->file = *file;
    s->layout = *layout;
    s->path = kept;
    s->order = order;
    *source = made;
    return FMATCH_OK;
}

static fmatch_status open_and_create(fmatch_source **source, fmatch_context *context,
                                     const char *path, const struct column_choice *choice,
                                     int32_t order)
{
    struct npy_file file;
    struct column_layout layout = {0};
    RETURN_IF_FAILED(npy_open(&file, path));
    fmatch_status status = column_layout_create(&layout, &context->allocator, file.columns, choice);
    if (status == FMATCH_OK)
        status = create(source, context, path, &file, &layout, order);
    if (status != FMATCH_OK) {
        column_layout_destroy(&layout, &context->allocator);
        npy_close(&file);
    }
    return status;
}

fmatch_status fmatch_source_create_npy(fmatch_source **source, fmatch_context *context,
                                       const char *path, const fmatch_npy_config *config)
{
    status_begin();
    CHECK_NOT_NULL(source);
    *source = NULL;
    CHECK_NOT_NULL(context);
    CHECK_NOT_NULL(path);
    fmatch_npy_config given;
    fmatch_npy_config_init(&given);
    if (config)
        RETURN_IF_FAILED(configuration_read(&given, sizeof given, sizeof given, config, "config"));
    RETURN_IF_FAILED(row_order_check(given.order));
    RETURN_IF_FAILED(configuration_check_flags("config->flags", given.flags));
    const struct column_choice choice = {.x = given.columns,
                                         .condition = given.condition_columns,
                                         .x_count = given.dim,
                                         .condition_count = given.condition_dim,
                                         .weight = given.weight_column};
    RETURN_IF_FAILED(column_layout_check(&choice));
    return open_and_create(source, context, path, &choice, given.order);
}
