/* Moments of the rows of a source and of their conditions. */
#include "../api/fixtures.h"

#include "source/source.h"

enum { N = 70000, DIM = 2, CONDITIONS = 3, COLUMNS = DIM + CONDITIONS };

/* Another formula than the library's: differences from the first row. */
static void expect_moments(const float *values, int32_t columns, const double *mean,
                           const double *std, double tolerance, const char *what)
{
    for (int32_t j = 0; j < columns; j++) {
        double sum = 0, squares = 0;
        for (int64_t i = 0; i < N; i++) {
            const double off = (double)values[i * columns + j] - values[j];
            sum += off / N;
            squares += off * off / N;
        }
        const double wanted = sqrt(squares - sum * sum);
        expect_close(mean[j], values[j] + sum, tolerance * (wanted + 1e-12), "%s: mean %d", what,
                     j);
        expect_close(std[j], wanted, tolerance * (wanted + 1e-12), "%s: deviation %d", what, j);
    }
}

static void rows_and_conditions_are_measured(void **state)
{
    float *rows = floats(N * DIM), *conditions = floats(N * CONDITIONS);
    fill_scattered(rows, N * DIM, -3, 50, 1);
    fill_scattered(conditions, N * CONDITIONS, 1000, 1001, 2);
    for (int64_t i = 0; i < N; i++)
        conditions[i * CONDITIONS + 1] = 1e30f;
    fmatch_array_config config;
    fmatch_array_config_init(&config);
    config.n = N;
    config.dim = DIM;
    config.rows = rows;
    config.condition_dim = CONDITIONS;
    config.conditions = conditions;
    fmatch_source *source;
    expect_ok(fmatch_source_create_array(&source, context_of(state), &config));
    double all[2 * COLUMNS] = {0}, some[2 * COLUMNS] = {0}, alone[2 * DIM] = {0};
    expect_ok(source_measure(source, CONDITIONS, 0, all));
    expect_moments(rows, DIM, all, all + COLUMNS, 1e-9, "rows");
    expect_moments(conditions, CONDITIONS, all + DIM, all + COLUMNS + DIM, 1e-6, "conditions");
    assert_true(all[DIM + 1] == 1e30f && all[COLUMNS + DIM + 1] == 0);
    expect_ok(source_measure(source, 0, 0, alone));
    for (int32_t j = 0; j < DIM; j++)
        assert_true(alone[j] == all[j] && alone[DIM + j] == all[COLUMNS + j]);
    /* From draws, within 1 / sqrt(n) of a deviation. */
    expect_ok(source_measure(source, CONDITIONS, 4096, some));
    for (int32_t j = 0; j < COLUMNS; j++) {
        expect_close(some[j], all[j], Z / 64 * all[COLUMNS + j], "mean %d of draws", j);
        expect_close(some[COLUMNS + j], all[COLUMNS + j], Z / 64 * all[COLUMNS + j],
                     "deviation %d of draws", j);
    }
    fmatch_source_destroy(&source);
    free(conditions);
    free(rows);
}

/* Columns exactly, which the source knows, and labels from draws. */
static void labels_of_a_toy_are_measured(void **state)
{
    fmatch_toy_config config;
    fmatch_toy_config_init(&config);
    config.kind = FMATCH_TOY_EIGHT_GAUSSIANS;
    config.labels = 1;
    fmatch_source *source;
    expect_ok(fmatch_source_create_toy(&source, context_of(state), &config));
    float mean[DIM], std[DIM];
    expect_ok(fmatch_source_evaluate_moments(source, mean, std));
    double all[2 * 3] = {0};
    expect_ok(source_measure(source, 1, 0, all));
    for (int32_t j = 0; j < DIM; j++)
        assert_true((float)all[j] == mean[j] && (float)all[3 + j] == std[j]);
    /* 0 to 7 evenly: variance 63 / 12; its own deviation over 65536 draws is at most 0.5 % */
    expect_close(all[2], 3.5, Z * sqrt(63 / 12.0) / 256, "mean label");
    expect_close(all[5], sqrt(63 / 12.0), 0.02, "deviation of labels");
    fmatch_source_destroy(&source);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        world_test(rows_and_conditions_are_measured),
        world_test(labels_of_a_toy_are_measured),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
