/* Any bytes as a CSV file: rows of finite numbers or FMATCH_ERROR_FORMAT, no fault, no leak, no
 * memory out of proportion. */
#include "fuzz_file.h"

#include <math.h>

enum { ROWS = 4 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect_finite_rows(const fmatch_source *source)
{
    const int64_t count = (int64_t)fmatch_source_get_dim(source) * ROWS;
    float *rows = calloc((size_t)count, sizeof *rows);
    if (!rows || fmatch_source_draw(source, 1, 0, ROWS, rows) != FMATCH_OK)
        abort();
    for (int64_t i = 0; i < count; i++)
        if (!isfinite(rows[i])) {
            fprintf(stderr, "value %lld is %g\n", (long long)i, (double)rows[i]);
            abort();
        }
    free(rows);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static fmatch_context *context;
    if (!context)
        context = bounded_context();
    fmatch_source *source;
    const fmatch_status status =
        fmatch_source_create_csv(&source, context, file_of(data, size), NULL);
    EXPECT_ONE_OF(status, FMATCH_OK, FMATCH_ERROR_FORMAT);
    if ((status == FMATCH_OK) != (source != NULL))
        abort();
    if (source)
        expect_finite_rows(source);
    fmatch_source_destroy(&source);
    return 0;
}
