/* An array source whose rows come from a file of comma-separated numbers. */
#include "source/array_source.h"

#include "base/configuration.h"
#include "base/status.h"
#include "format/csv.h"

void fmatch_csv_config_init_sized(fmatch_csv_config *config, size_t size)
{
    const fmatch_csv_config recommended = {.order = FMATCH_ORDER_SHUFFLED};
    configuration_write(config, size, &recommended, sizeof recommended);
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
    CHECK_RANGE("config->order", given.order, FMATCH_ORDER_SHUFFLED, FMATCH_ORDER_SEQUENTIAL);

    struct csv_table table;
    RETURN_IF_FAILED(csv_read(&context->allocator, path, &table));
    const fmatch_status status =
        array_source_adopt(source, context, table.columns, table.rows, table.values, given.order);
    if (status != FMATCH_OK)
        allocation_destroy(&context->allocator, table.values);
    return status;
}
