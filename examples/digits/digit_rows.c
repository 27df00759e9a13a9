#include "digit_rows.h"

#include <stdlib.h>

static bool digit_rows_create(struct digit_rows *rows, int64_t n)
{
    rows->n = n;
    rows->pixels = malloc((size_t)(n + 1) * PIXELS * sizeof(float)); /* of none as well */
    rows->labels = malloc((size_t)(n + 1) * sizeof(float));
    return rows->pixels && rows->labels;
}

void digit_rows_destroy(struct digit_rows *rows)
{
    free(rows->pixels);
    free(rows->labels);
    *rows = (struct digit_rows){0};
}

static fmatch_status create_file_source(fmatch_context *context, const char *file,
                                        fmatch_source **source)
{
    int32_t pixels[PIXELS], label = PIXELS;
    fmatch_csv_config columns;

    for (int32_t j = 0; j < PIXELS; j++)
        pixels[j] = j;
    fmatch_csv_config_init(&columns);
    columns.columns = pixels, columns.dim = PIXELS;
    columns.condition_columns = &label, columns.condition_dim = 1;
    return fmatch_source_create_csv(source, context, file, &columns);
}

/** An array source gives every row once an epoch, shuffled: an epoch's parts are a random split. */
static fmatch_status draw_parts(const fmatch_source *source, uint64_t seed,
                                struct digit_rows *train, struct digit_rows *held_out)
{
    int64_t n = fmatch_source_count_rows(source), first = n - n / 5;

    if (!digit_rows_create(train, first) || !digit_rows_create(held_out, n - first))
        return FMATCH_ERROR_NO_MEMORY;
    fmatch_status status =
        fmatch_source_draw_rows(source, seed, 0, train->n, train->pixels, train->labels, NULL);
    if (status != FMATCH_OK)
        return status;
    return fmatch_source_draw_rows(source, seed, first, held_out->n, held_out->pixels,
                                   held_out->labels, NULL);
}

fmatch_status digit_rows_read(fmatch_context *context, const char *file, uint64_t seed,
                              struct digit_rows *train, struct digit_rows *held_out)
{
    fmatch_source *source = NULL;
    fmatch_status status = create_file_source(context, file, &source);

    *train = *held_out = (struct digit_rows){0};
    if (status == FMATCH_OK)
        status = draw_parts(source, seed, train, held_out);
    fmatch_source_destroy(&source);
    return status;
}

fmatch_status digit_rows_create_source(const struct digit_rows *rows, fmatch_context *context,
                                       fmatch_source **source)
{
    fmatch_array_config array;

    fmatch_array_config_init(&array);
    array.n = rows->n, array.dim = PIXELS, array.rows = rows->pixels;
    array.conditions = rows->labels, array.condition_dim = 1;
    array.memory = FMATCH_MEMORY_BORROW;
    return fmatch_source_create_array(source, context, &array);
}
