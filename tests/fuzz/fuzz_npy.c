/* Any bytes as a .npy file: rows of finite numbers or a status that says why not, no fault, no
 * leak, no memory out of proportion. */
#include "fuzz_file.h"

#include <math.h>

enum { ROWS = 4 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect_finite_rows(const fmatch_source *source)
{
    const int64_t count = ((int64_t)fmatch_source_get_dim(source) + 1) * ROWS;
    float *rows = calloc((size_t)count, sizeof *rows);
    if (!rows)
        abort();
    const fmatch_status status =
        fmatch_source_draw_rows(source, 1, 0, ROWS, rows, NULL, rows + count - ROWS);
    EXPECT_ONE_OF(status, FMATCH_OK, FMATCH_ERROR_NOT_FINITE, FMATCH_ERROR_FORMAT);
    for (int64_t i = 0; status == FMATCH_OK && i < count; i++)
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
    const char *path = file_of(data, size);
    for (int32_t weight_column = -1; weight_column < 1; weight_column++) {
        fmatch_npy_config config;
        fmatch_npy_config_init(&config);
        config.weight_column = weight_column;
        fmatch_source *source;
        const fmatch_status status = fmatch_source_create_npy(&source, context, path, &config);
        EXPECT_ONE_OF(status, FMATCH_OK, FMATCH_ERROR_FORMAT, FMATCH_ERROR_UNSUPPORTED,
                      weight_column < 0 ? FMATCH_ERROR_FORMAT : FMATCH_ERROR_ARGUMENT);
        if ((status == FMATCH_OK) != (source != NULL))
            abort();
        if (source)
            expect_finite_rows(source);
        fmatch_source_destroy(&source);
    }
    return 0;
}
