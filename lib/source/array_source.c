/* Rows of an array, with their conditions and weights. */
#include "source/array_source.h"

#include "base/allocation.h"
#include "base/configuration.h"
#include "base/status.h"
#include "source/row_order.h"

#include <string.h>

struct array_source {
    fmatch_source source;
    struct array_rows rows;
    int32_t order;
    float *owned; /* what the rows point into, if the source allocated it */
    void (*destroy)(void *user);
    void *user;
};

/* Row `index` of an array of `columns`, to row number `row` of `to`, which may be NULL. */
static void copy_row(int32_t columns, const float *from, int64_t index, float *to, int64_t row)
{
    if (to)
        memcpy(to + row * columns, from + index * columns, (size_t)columns * sizeof *to);
}

static fmatch_status array_draw(const fmatch_source *source, const struct random_stream *stream,
                                int64_t first_row, int64_t n, const struct source_rows *rows)
{
    const struct array_source *a = (const struct array_source *)source;
    const struct array_rows *stored = &a->rows;
    for (int64_t begin = 0; begin < n; begin += ROW_ORDER_BLOCK) {
        const int64_t count = n - begin < ROW_ORDER_BLOCK ? n - begin : ROW_ORDER_BLOCK;
        int64_t indices[ROW_ORDER_BLOCK];
        row_order_find(a->order, stored->n, stream, first_row + begin, count, indices);
        for (int64_t i = 0; i < count; i++) {
            copy_row(source->dim, stored->x, indices[i], rows->x, begin + i);
            copy_row(source->condition_dim, stored->condition, indices[i], rows->condition,
                     begin + i);
            copy_row(1, stored->weight, indices[i], rows->weight, begin + i);
        }
    }
    return FMATCH_OK;
}

static int64_t array_count(const fmatch_source *source)
{
    return ((const struct array_source *)source)->rows.n;
}

static void copy_rows(int32_t columns, const float *from, int64_t first_row, int64_t n, float *to)
{
    if (to)
        memcpy(to, from + first_row * columns, (size_t)(n * columns) * sizeof *to);
}

static fmatch_status array_read(const fmatch_source *source, int64_t first_row, int64_t n,
                                const struct source_rows *rows)
{
    const struct array_rows *stored = &((const struct array_source *)source)->rows;
    copy_rows(source->dim, stored->x, first_row, n, rows->x);
    copy_rows(source->condition_dim, stored->condition, first_row, n, rows->condition);
    copy_rows(1, stored->weight, first_row, n, rows->weight);
    return FMATCH_OK;
}

static void array_destroy(fmatch_source *source)
{
    struct array_source *a = (struct array_source *)source;
    allocation_destroy(&source->context->allocator, a->owned);
    status_keep_and_destroy(a->destroy, a->user);
}

static const struct source_kind array_kind = {
    .draw = array_draw, .count = array_count, .read = array_read, .destroy = array_destroy};

/* ---- creation ---- */

void fmatch_array_config_init_sized(fmatch_array_config *config, size_t size)
{
    const fmatch_array_config recommended = {
        .memory = FMATCH_MEMORY_COPY,
        .order = FMATCH_ORDER_SHUFFLED,
    };
    configuration_write(config, size, &recommended, sizeof recommended);
}

fmatch_status array_source_create(fmatch_source **source, fmatch_context *context,
                                  const struct array_rows *rows, int32_t order)
{
    fmatch_source *s;
    RETURN_IF_FAILED(
        source_create(&s, context, sizeof(struct array_source), &array_kind, rows->dim));
    struct array_source *a = (struct array_source *)s;
    s->condition_dim = rows->condition_dim;
    s->weighted = rows->weight != NULL;
    a->rows = *rows;
    a->order = order;
    *source = s;
    return FMATCH_OK;
}

void array_source_own(fmatch_source *source, float *values)
{
    ((struct array_source *)source)->owned = values;
}

int64_t array_rows_size(const struct array_rows *rows)
{
    return rows->n * ((int64_t)rows->dim + rows->condition_dim + (rows->weight != NULL));
}

static fmatch_status check_config(const fmatch_array_config *c)
{
    CHECK_RANGE("config->dim", c->dim, 1, DIM_MAX);
    CHECK_RANGE("config->n", c->n, 1, SOURCE_ROWS_MAX / c->dim);
    CHECK_RANGE("config->memory", c->memory, FMATCH_MEMORY_COPY, FMATCH_MEMORY_BORROW);
    RETURN_IF_FAILED(row_order_check(c->order));
    RETURN_IF_FAILED(configuration_check_flags("config->flags", c->flags));
    CHECK_RANGE("config->condition_dim", c->condition_dim, 0, DIM_MAX);
    if (!c->rows)
        return status_fail(FMATCH_ERROR_ARGUMENT, "config->rows is NULL");
    if ((c->condition_dim > 0) != (c->conditions != NULL))
        return status_fail(
            FMATCH_ERROR_ARGUMENT, "config->condition_dim is %d and %s", (int)c->condition_dim,
            c->conditions ? "config->conditions is not NULL" : "config->conditions is NULL");
    if (c->condition_dim > 0) /* as for rows */
        CHECK_RANGE("config->n", c->n, 1, SOURCE_ROWS_MAX / c->condition_dim);
    RETURN_IF_FAILED(status_check_finite("config->rows", 0, c->n, c->dim, c->rows));
    if (c->conditions)
        RETURN_IF_FAILED(
            status_check_finite("config->conditions", 0, c->n, c->condition_dim, c->conditions));
    return c->weights ? source_check_weights("config->weights", c->n, c->weights) : FMATCH_OK;
}

/* The rows one part after the other in `block`, of array_rows_size values. */
static struct array_rows copy_all(const struct array_rows *rows, float *block)
{
    struct array_rows copy = *rows;
    float *condition = block + rows->n * rows->dim;
    float *weight = condition + rows->n * rows->condition_dim;
    copy_rows(rows->dim, rows->x, 0, rows->n, block);
    copy.x = block;
    if (rows->condition) {
        copy_rows(rows->condition_dim, rows->condition, 0, rows->n, condition);
        copy.condition = condition;
    }
    if (rows->weight) {
        copy_rows(1, rows->weight, 0, rows->n, weight);
        copy.weight = weight;
    }
    return copy;
}

/* The source with the rows in it, the user's destroy not yet. */
static fmatch_status create(fmatch_source **source, fmatch_context *context,
                            const fmatch_array_config *c)
{
    CHECK_NOT_NULL(source);
    CHECK_NOT_NULL(context);
    RETURN_IF_FAILED(check_config(c));
    struct array_rows rows = {.n = c->n,
                              .dim = c->dim,
                              .condition_dim = c->condition_dim,
                              .x = c->rows,
                              .condition = c->conditions,
                              .weight = c->weights};
    if (c->memory == FMATCH_MEMORY_BORROW)
        return array_source_create(source, context, &rows, c->order);

    const int64_t size = array_rows_size(&rows);
    float *copy = allocation_create(&context->allocator, size, sizeof *copy);
    if (!copy)
        return status_no_memory((size_t)size * sizeof *copy);
    rows = copy_all(&rows, copy);
    const fmatch_status status = array_source_create(source, context, &rows, c->order);
    if (status == FMATCH_OK)
        array_source_own(*source, copy);
    else
        allocation_destroy(&context->allocator, copy);
    return status;
}

fmatch_status fmatch_source_create_array(fmatch_source **source, fmatch_context *context,
                                         const fmatch_array_config *config)
{
    status_begin();
    if (source)
        *source = NULL;
    fmatch_array_config given;
    RETURN_IF_FAILED(configuration_read(&given, sizeof given, sizeof given, config, "config"));

    const fmatch_status status = create(source, context, &given);
    const bool keep = status == FMATCH_OK && given.memory == FMATCH_MEMORY_BORROW;
    if (keep) {
        ((struct array_source *)*source)->destroy = given.destroy;
        ((struct array_source *)*source)->user = given.user;
    } else { /* failed, or copied: the caller's rows are not needed any more */
        status_keep_and_destroy(given.destroy, given.user);
    }
    return status;
}
