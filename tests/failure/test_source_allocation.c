/* Sources whose rows have conditions and weights: any allocation of their creation may fail, and
 * drawing from them allocates nothing. */
#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif
#include "../api/npy_bytes.h"

enum { ROWS = 6, COLUMNS = 4 };

static const int32_t columns[] = {2, 1}, condition_columns[] = {0};
static char npy_path[256], csv_path[256];

static int files_setup(void **state)
{
    (void)state;
    static const float table[ROWS * COLUMNS] = {0, 1, 2, 3, 4,  5,  6,  7,  8,  9,  10, 11,
                                                0, 1, 2, 3, 14, 15, 16, 17, 18, 19, 20, 21};
    const struct bytes npy = npy_floats(ROWS, COLUMNS, table);
    struct bytes csv = {0};
    for (int i = 0; i < ROWS; i++) {
        char line[64];
        const float *row = table + (size_t)COLUMNS * (size_t)i;
        snprintf(line, sizeof line, "%d,%d,%d,%d\n", (int)row[0], (int)row[1], (int)row[2],
                 (int)row[3]);
        add_bytes(&csv, strlen(line), line);
    }
    write_file(npy_path, &npy);
    write_file(csv_path, &csv);
    return 0;
}

static int files_teardown(void **state)
{
    (void)state;
    unlink(csv_path);
    return unlink(npy_path);
}

static fmatch_status create_array(fmatch_source **source, fmatch_context *context)
{
    static const float x[] = {1, 2, 3, 4, 5, 6}, condition[] = {1, 2, 3}, weight[] = {1, 0, 2};
    fmatch_array_config config;
    fmatch_array_config_init(&config);
    config.dim = 2;
    config.n = 3;
    config.rows = x;
    config.conditions = condition;
    config.condition_dim = 1;
    config.weights = weight;
    return fmatch_source_create_array(source, context, &config);
}

static fmatch_status create_csv(fmatch_source **source, fmatch_context *context)
{
    fmatch_csv_config config;
    fmatch_csv_config_init(&config);
    config.columns = columns;
    config.dim = 2;
    config.condition_columns = condition_columns;
    config.condition_dim = 1;
    config.weight_column = 3;
    return fmatch_source_create_csv(source, context, csv_path, &config);
}

static fmatch_status create_npy(fmatch_source **source, fmatch_context *context)
{
    fmatch_npy_config config;
    fmatch_npy_config_init(&config);
    config.columns = columns;
    config.dim = 2;
    config.condition_columns = condition_columns;
    config.condition_dim = 1;
    config.weight_column = 3;
    return fmatch_source_create_npy(source, context, npy_path, &config);
}

static fmatch_status create_toy(fmatch_source **source, fmatch_context *context)
{
    fmatch_toy_config config;
    fmatch_toy_config_init(&config);
    config.labels = 1;
    return fmatch_source_create_toy(source, context, &config);
}

static const struct {
    const char *name;
    fmatch_status (*create)(fmatch_source **source, fmatch_context *context);
    int64_t least; /* allocations */
} creations[] = {{"array", create_array, 2},
                 {"csv", create_csv, 5},
                 {"npy", create_npy, 4},
                 {"toy", create_toy, 1}};

static void draw_without_allocation(fmatch_source *source, struct ledger *ledger, const char *name)
{
    float x[2 * 600], condition[600], weight[600];
    const int64_t calls = ledger->calls;
    expect_ok(fmatch_source_draw_rows(source, 1, 0, 600, x, condition, weight));
    expect_ok(fmatch_source_draw(source, 1, 0, 600, x));
    expect_that(ledger->calls == calls, "%s: draws ask for memory %lld times", name,
                (long long)(ledger->calls - calls));
}

static void each_allocation_of_a_creation_may_fail(void **state)
{
    for (size_t i = 0; i < COUNT(creations); i++) {
        struct ledger *ledger = &((struct world *)*state)->ledger;
        const char *name = creations[i].name;
        const int64_t live = ledger->live;
        fmatch_source *source = NULL;
        int64_t k = 1;
        for (;; k++) {
            ledger->fail_at = ledger->calls + k;
            source = (fmatch_source *)ledger;
            const fmatch_status status = creations[i].create(&source, context_of(state));
            const bool failed = ledger->calls >= ledger->fail_at;
            ledger->fail_at = 0;
            if (!failed && status == FMATCH_OK)
                break;
            expect_that(status == FMATCH_ERROR_NO_MEMORY && !source,
                        "%s, allocation %lld: %s (\"%s\")", name, (long long)k,
                        fmatch_status_get_name(status), fmatch_error_detail());
            expect_that(ledger->live == live, "%s, allocation %lld: %lld blocks are left", name,
                        (long long)k, (long long)(ledger->live - live));
        }
        expect_that(k - 1 >= creations[i].least, "%s: only %lld allocations", name,
                    (long long)k - 1);
        draw_without_allocation(source, ledger, name);
        fmatch_source_destroy(&source);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {world_test(each_allocation_of_a_creation_may_fail)};
    return cmocka_run_group_tests(tests, files_setup, files_teardown);
}
