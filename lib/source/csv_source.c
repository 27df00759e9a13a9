/* An array source whose rows come from a file of comma-separated numbers. */
#include "base/allocation.h"
#include "base/configuration.h"
#include "base/status.h"
#include "format/csv.h"
#include "source/array_source.h"
#include "source/column_layout.h"
#include "source/row_order.h"

void fmatch_csv_config_init_sized(fmatch_csv_config *config, size_t size)
{
    const fmatch_csv_config recommended = {.order = FMATCH_ORDER_SHUFFLED, .weight_column = -1};
    configuration_write(config, size, &recommended, sizeof recommended);
}

/* Columns of the table, one row after the other. */
static void gather(const struct csv_table *table, int32_t count, const int32_t *columns, float *to)
{
    for (int64_t i = 0; i < table->rows; i++)
        for (int32_t j = 0; j < count; j++)
            *to++ = table->values[i * table->columns + columns[j]];
}

/* The table's values part by part in `values`, which has room for all that the layout wants. */
static struct array_rows split(const struct csv_table *table, const struct column_layout *layout,
                               float *values)
{
    float *condition = values + table->rows * layout->dim;
    float *weight = condition + table->rows * layout->condition_dim;
    gather(table, layout->dim, layout->x, values);
    gather(table, layout->condition_dim, layout->condition, condition);
    if (layout->weighted)
        gather(table, 1, &layout->weight, weight);
    return (struct array_rows){.n = table->rows,
                               .dim = layout->dim,
                               .condition_dim = layout->condition_dim,
                               .x = values,
                               .condition = layout->condition_dim > 0 ? condition : NULL,
                               .weight = layout->weighted ? weight : NULL};
}

/* On success the source owns the table's values, or others in their place. */
static fmatch_status create(fmatch_source **source, fmatch_context *context, const char *path,
                            struct csv_table *table, const struct column_layout *layout,
                            int32_t order)
{
    const fmatch_allocator *allocator = &context->allocator;
    struct array_rows rows = {.n = table->rows, .dim = layout->dim, .x = table->values};
    if (!layout->whole) {
        const int64_t size = table->rows * ((int64_t)layout->dim + layout->condition_dim +
                                            (layout->weighted ? 1 : 0));
        float *values = allocation_create(allocator, size, sizeof *values);
        if (!values)
            return status_no_memory((size_t)size * sizeof *values);
        rows = split(table, layout, values);
        allocation_destroy(allocator, table->values);
        table->values = values;
    }
    if (rows.weight && source_check_weights("weight", rows.n, rows.weight) != FMATCH_OK) {
        status_prefix("%s: ", path);
        return FMATCH_ERROR_FORMAT;
    }
    RETURN_IF_FAILED(array_source_create(source, context, &rows, order));
    array_source_own(*source, table->values);
    return FMATCH_OK;
}

static fmatch_status read_and_create(fmatch_source **source, fmatch_context *context,
                                     const char *path, const struct column_choice *choice,
                                     int32_t order)
{
    const fmatch_allocator *allocator = &context->allocator;
    struct csv_table table;
    RETURN_IF_FAILED(csv_read(allocator, path, &table));
    struct column_layout layout;
    fmatch_status status = column_layout_create(&layout, allocator, table.columns, choice);
    if (status == FMATCH_OK) {
        status = create(source, context, path, &table, &layout, order);
        column_layout_destroy(&layout, allocator);
    }
    if (status != FMATCH_OK)
        allocation_destroy(allocator, table.values);
    return status;
}

fmatch_status fmatch_source_create_csv(fmatch_source **source, fmatch_context *context,
                                       const char *path, const fmatch_csv_config *config)
{
    status_begin();
    CHECK_NOT_NULL(source);
    *source = NULL;
    CHECK_NOT_NULL(context);
    CHECK_NOT_NULL(path);
    fmatch_csv_config given;
    fmatch_csv_config_init(&given);
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
    return read_and_create(source, context, path, &choice, given.order);
}
