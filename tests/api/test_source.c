/* Sources: their distributions, and that row i depends on (seed, i) alone. */
#include "fixtures.h"

/* ---- statistics ---- */

static int compare_floats(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

static double normal_cdf(double z)
{
    return 0.5 * erfc(-z / sqrt(2.0));
}

static double post_cdf(double x)
{
    return 0.55 * normal_cdf((x + 0.85) / 0.65) + 0.45 * normal_cdf((x - 1.5) / 0.25);
}

/* Kolmogorov and Smirnov: P(D > d) <= 2 exp(-2 n d^2) (Massart 1990). Sorts x. */
static void expect_distribution(float *x, int64_t n, double (*cdf)(double), const char *what)
{
    qsort(x, (size_t)n, sizeof *x, compare_floats);
    double worst = 0;
    for (int64_t i = 0; i < n; i++) {
        double f = cdf(x[i]);
        worst = fmax(worst, fmax(f - (double)i / (double)n, (double)(i + 1) / (double)n - f));
    }
    double limit = sqrt(log(2.0 / FALSE_ALARM) / (2.0 * (double)n));
    expect_that(worst <= limit,
                "%s: largest difference of the distribution functions is %g, limit %g", what, worst,
                limit);
}

/* Upper FALSE_ALARM quantile of chi-square (Wilson and Hilferty 1931); Z of one tail is 4.753. */
static double chi_square_limit(double freedom)
{
    double c = 2.0 / (9.0 * freedom), r = 1.0 - c + 4.753 * sqrt(c);
    return freedom * r * r * r;
}

static void expect_uniform_counts(const int64_t *counts, int64_t cells, double draws,
                                  const char *what)
{
    double expected = draws / (double)cells, statistic = 0;
    for (int64_t i = 0; i < cells; i++)
        statistic += ((double)counts[i] - expected) * ((double)counts[i] - expected) / expected;
    double limit = chi_square_limit((double)cells - 1);
    expect_that(statistic <= limit, "%s: chi-square is %g on %lld cells, limit %g", what, statistic,
                (long long)cells, limit);
}

/* Moments of standard normal columns: the standard errors of mean, variance and fourth moment over
 * n draws are sqrt(1/n), sqrt(2/n), sqrt(96/n); of a correlation sqrt(1/n). */
static void expect_standard_normal(float *x, int64_t n, int32_t dim, const char *what)
{
    double root = sqrt((double)n);
    for (int32_t j = 0; j < dim; j++) {
        double m = 0, v = 0, q = 0, next = 0, beside = 0;
        for (int64_t i = 0; i < n; i++) {
            double a = x[i * dim + j];
            m += a;
            v += a * a;
            q += a * a * a * a;
            next += i + 1 < n ? a * x[(i + 1) * dim + j] : 0;
            beside += a * x[i * dim + (j + 1) % dim];
        }
        expect_close(m / (double)n, 0, Z / root, "%s: mean of column %d", what, j);
        expect_close(v / (double)n, 1, Z * sqrt(2.0) / root, "%s: variance of column %d", what, j);
        expect_close(q / (double)n, 3, Z * sqrt(96.0) / root, "%s: 4th moment of column %d", what,
                     j);
        expect_close(next / (double)n, 0, Z / root, "%s: row to row, column %d", what, j);
        if (dim > 1)
            expect_close(beside / (double)n, 0, Z / root, "%s: column %d with the next", what, j);
    }
    float *column = floats(n);
    for (int64_t i = 0; i < n; i++)
        column[i] = x[i * dim];
    expect_distribution(column, n, normal_cdf, what);
    free(column);
}

static void normal_rows_are_standard_normal(void **state)
{
    static const int32_t dims[] = {1, 2, 3, 5};
    for (size_t d = 0; d < COUNT(dims); d++) {
        enum { ROWS = 100000 };
        fmatch_source *source = make_normal(context_of(state), dims[d]);
        assert_int_equal(fmatch_source_get_dim(source), dims[d]);
        assert_int_equal(fmatch_source_count_rows(source), 0);
        float *x = floats((int64_t)ROWS * dims[d]);
        expect_ok(fmatch_source_draw(source, 11 + d, 0, ROWS, x));
        char what[32];
        snprintf(what, sizeof what, "dim %d", dims[d]);
        expect_standard_normal(x, ROWS, dims[d], what);
        free(x);
        fmatch_source_destroy(&source);
    }
}

static void post_mixture_has_its_distribution(void **state)
{
    enum { ROWS = 200000 };
    fmatch_source *source = make_post_target(context_of(state));
    float *x = floats(ROWS);
    expect_ok(fmatch_source_draw(source, 42, 0, ROWS, x));
    double m = 0, v = 0;
    for (int i = 0; i < ROWS; i++)
        m += x[i];
    m /= ROWS;
    for (int i = 0; i < ROWS; i++)
        v += (x[i] - m) * (x[i] - m);
    v /= ROWS;
    /* Fourth central moment 4.0846, from the mixture's: the variance's error is
     * sqrt((4.0846 - 1.6273^2) / n). */
    expect_close(m, 0.2075, Z * sqrt(1.62731875 / ROWS), "mean");
    expect_close(v, 1.62731875, Z * sqrt((4.0846 - 1.62731875 * 1.62731875) / ROWS), "variance");
    expect_distribution(x, ROWS, post_cdf, "post's target");
    free(x);
    fmatch_source_destroy(&source);
}

/* Three components far apart, so that a row tells which one it is from; weights not normalised and
 * one of them zero. */
static void mixture_components_have_their_shares_and_moments(void **state)
{
    enum { ROWS = 100000, K = 4 };
    static const float weights[K] = {2, 0, 5, 3};
    static const float means[K * 2] = {-100, 10, 0, 0, 100, -20, 200, 30};
    static const float stds[K * 2] = {1, 0.5f, 1, 1, 2, 0.25f, 0.125f, 3};
    fmatch_source *source;
    expect_ok(fmatch_source_create_gaussian_mixture(&source, context_of(state), 2, K, weights,
                                                    means, stds));
    float *x = floats(ROWS * 2);
    expect_ok(fmatch_source_draw(source, 7, 0, ROWS, x));
    for (int k = 0; k < K; k++) {
        int64_t n = 0;
        double s[2] = {0}, q[2] = {0}, cross = 0;
        for (int i = 0; i < ROWS; i++) {
            if (fabsf(x[2 * i] - means[2 * k]) > 40)
                continue;
            double z[2];
            for (int j = 0; j < 2; j++) {
                z[j] = (x[2 * i + j] - means[2 * k + j]) / stds[2 * k + j];
                s[j] += z[j];
                q[j] += z[j] * z[j];
            }
            cross += z[0] * z[1];
            n++;
        }
        double share = weights[k] / 10.0;
        expect_close((double)n / ROWS, share, Z * sqrt(share * (1 - share) / ROWS),
                     "share of component %d", k);
        for (int j = 0; j < 2 && n > 0; j++) {
            expect_close(s[j] / (double)n, 0, Z / sqrt((double)n), "mean of %d, %d", k, j);
            expect_close(q[j] / (double)n, 1, Z * sqrt(2.0 / (double)n), "variance of %d, %d", k,
                         j);
        }
        if (n > 0)
            expect_close(cross / (double)n, 0, Z / sqrt((double)n), "correlation within %d", k);
    }
    free(x);
    fmatch_source_destroy(&source);
}

/* Which component a row is from must not depend on the row before. */
static void mixture_components_are_independent_between_rows(void **state)
{
    enum { ROWS = 100000 };
    static const float weights[] = {0.5f, 0.5f}, means[] = {-100, 100}, stds[] = {1, 1};
    fmatch_source *source;
    expect_ok(fmatch_source_create_gaussian_mixture(&source, context_of(state), 1, 2, weights,
                                                    means, stds));
    float *x = floats(ROWS);
    expect_ok(fmatch_source_draw(source, 9, 0, ROWS, x));
    int same = 0;
    for (int i = 0; i + 1 < ROWS; i++)
        same += (x[i] > 0) == (x[i + 1] > 0);
    expect_close((double)same / (ROWS - 1), 0.5, Z * 0.5 / sqrt(ROWS - 1.0),
                 "share of neighbours from one component");
    free(x);
    fmatch_source_destroy(&source);
}

/* ---- arrays ---- */

static void count_destroy(void *user)
{
    (*(int *)user)++;
}

/* Row i is (i, i + 0.5). */
static float *numbered_rows(int64_t n)
{
    float *rows = floats(2 * n);
    for (int64_t i = 0; i < n; i++) {
        rows[2 * i] = (float)i;
        rows[2 * i + 1] = (float)i + 0.5f;
    }
    return rows;
}

static fmatch_source *make_array(fmatch_context *context, int64_t n, const float *rows,
                                 int32_t memory, int32_t order)
{
    fmatch_array_config config;
    fmatch_array_config_init(&config);
    config.dim = 2;
    config.n = n;
    config.rows = rows;
    config.memory = memory;
    config.order = order;
    fmatch_source *source;
    expect_ok(fmatch_source_create_array(&source, context, &config));
    return source;
}

static int64_t index_of_row(const float *row, int64_t n)
{
    expect_that(row[0] >= 0 && row[0] < (float)n && row[0] == floorf(row[0]) &&
                    row[1] == row[0] + 0.5f,
                "(%g, %g) is no row of the array", row[0], row[1]);
    return (int64_t)row[0];
}

static void shuffled_array_gives_each_row_once_an_epoch(void **state)
{
    static const int64_t sizes[] = {1, 2, 3, 7, 64, 100, 257, 1000};
    for (size_t s = 0; s < COUNT(sizes); s++) {
        enum { EPOCHS = 5 };
        int64_t n = sizes[s];
        float *rows = numbered_rows(n), *x = floats(2 * n * EPOCHS);
        fmatch_source *source =
            make_array(context_of(state), n, rows, FMATCH_MEMORY_COPY, FMATCH_ORDER_SHUFFLED);
        assert_int_equal(fmatch_source_count_rows(source), n);
        expect_ok(fmatch_source_draw(source, 3, 0, n * EPOCHS, x));
        char *seen = malloc((size_t)n);
        for (int64_t e = 0; e < EPOCHS; e++) {
            memset(seen, 0, (size_t)n);
            for (int64_t i = 0; i < n; i++) {
                int64_t row = index_of_row(x + 2 * (e * n + i), n);
                expect_that(!seen[row], "n %lld: row %lld twice in epoch %lld", (long long)n,
                            (long long)row, (long long)e);
                seen[row] = 1;
            }
        }
        /* Equal orders of 64 rows have probability 1/64!. */
        for (int64_t e = 1; e < EPOCHS && n >= 64; e++) {
            expect_that(memcmp(x, x + 2 * e * n, (size_t)(2 * n) * sizeof *x) != 0,
                        "n %lld: epochs 0 and %lld are in the same order", (long long)n,
                        (long long)e);
        }
        free(seen);
        free(x);
        free(rows);
        fmatch_source_destroy(&source);
    }
}

/* Over many epochs each row is at each place equally often, and each pair of places sees each
 * difference of rows equally often; alpha = FALSE_ALARM each. */
static void shuffled_array_is_uniform(void **state)
{
    enum { EPOCHS = 4000 };
    static const int64_t sizes[] = {2, 3, 7, 10};
    for (size_t s = 0; s < COUNT(sizes); s++) {
        int64_t n = sizes[s];
        float *rows = numbered_rows(n), *x = floats(2 * n * EPOCHS);
        fmatch_source *source =
            make_array(context_of(state), n, rows, FMATCH_MEMORY_COPY, FMATCH_ORDER_SHUFFLED);
        expect_ok(fmatch_source_draw(source, 17, 0, n * EPOCHS, x));
        int64_t *place = calloc((size_t)(n * n), sizeof *place);
        int64_t *step = calloc((size_t)n, sizeof *step);
        for (int64_t e = 0; e < EPOCHS; e++) {
            for (int64_t i = 0; i < n; i++)
                place[i * n + index_of_row(x + 2 * (e * n + i), n)]++;
            int64_t a = index_of_row(x + 2 * (e * n), n), b = index_of_row(x + 2 * (e * n + 1), n);
            step[(b - a + n) % n]++;
        }
        for (int64_t i = 0; i < n; i++)
            expect_uniform_counts(place + i * n, n, EPOCHS, "row at a place");
        if (n > 2)
            expect_uniform_counts(step + 1, n - 1, EPOCHS, "difference of the first two rows");
        free(step);
        free(place);
        free(x);
        free(rows);
        fmatch_source_destroy(&source);
    }
}

static void replacement_draws_are_uniform(void **state)
{
    enum { N = 100, DRAWS = 100000 };
    float *rows = numbered_rows(N), *x = floats(2 * DRAWS);
    fmatch_source *source =
        make_array(context_of(state), N, rows, FMATCH_MEMORY_COPY, FMATCH_ORDER_REPLACEMENT);
    expect_ok(fmatch_source_draw(source, 23, 0, DRAWS, x));
    int64_t counts[N] = {0};
    int repeats = 0;
    for (int64_t i = 0; i < DRAWS; i++) {
        counts[index_of_row(x + 2 * i, N)]++;
        repeats += i > 0 && x[2 * i] == x[2 * i - 2];
    }
    expect_uniform_counts(counts, N, DRAWS, "replacement");
    double p = 1.0 / N;
    expect_close(repeats / (double)(DRAWS - 1), p, Z * sqrt(p * (1 - p) / DRAWS),
                 "share of immediate repeats");
    free(x);
    free(rows);
    fmatch_source_destroy(&source);
}

static void sequential_array_runs_around(void **state)
{
    enum { N = 7 };
    float *rows = numbered_rows(N), x[2 * 30];
    fmatch_source *source =
        make_array(context_of(state), N, rows, FMATCH_MEMORY_COPY, FMATCH_ORDER_SEQUENTIAL);
    static const int64_t firsts[] = {0, 5, 7, 1000000, (int64_t)1 << 40};
    for (size_t f = 0; f < COUNT(firsts); f++) {
        expect_ok(fmatch_source_draw(source, f, firsts[f], 30, x));
        for (int64_t i = 0; i < 30; i++)
            assert_int_equal(index_of_row(x + 2 * i, N), (firsts[f] + i) % N);
    }
    free(rows);
    fmatch_source_destroy(&source);
}

static void stored_rows_come_back_in_order(void **state)
{
    enum { N = 9 };
    float *rows = numbered_rows(N), x[2 * N];
    fmatch_source *source =
        make_array(context_of(state), N, rows, FMATCH_MEMORY_COPY, FMATCH_ORDER_SHUFFLED);
    expect_ok(fmatch_source_get_rows(source, 0, N, x));
    expect_same_bits(x, rows, 2 * N, "all rows");
    expect_ok(fmatch_source_get_rows(source, 4, 3, x));
    expect_same_bits(x, rows + 8, 6, "rows 4 to 6");
    expect_ok(fmatch_source_get_rows(source, N, 0, x));
    expect_status(fmatch_source_get_rows(source, 7, 3, x), FMATCH_ERROR_ARGUMENT);
    expect_status(fmatch_source_get_rows(source, INT64_MAX, 2, x), FMATCH_ERROR_ARGUMENT);
    expect_status(fmatch_source_get_rows(source, -1, 1, x), FMATCH_ERROR_ARGUMENT);
    fmatch_source_destroy(&source);
    source = make_normal(context_of(state), 2);
    expect_status(fmatch_source_get_rows(source, 0, 1, x), FMATCH_ERROR_UNSUPPORTED);
    fmatch_source_destroy(&source);
    free(rows);
}

static void copied_rows_are_the_sources_own_and_borrowed_ones_the_callers(void **state)
{
    float *rows = numbered_rows(3), x[2];
    fmatch_source *copy =
        make_array(context_of(state), 3, rows, FMATCH_MEMORY_COPY, FMATCH_ORDER_SEQUENTIAL);
    fmatch_source *lent =
        make_array(context_of(state), 3, rows, FMATCH_MEMORY_BORROW, FMATCH_ORDER_SEQUENTIAL);
    rows[0] = 77;
    expect_ok(fmatch_source_draw(copy, 0, 0, 1, x));
    expect_close(x[0], 0, 0, "copied row");
    expect_ok(fmatch_source_draw(lent, 0, 0, 1, x));
    expect_close(x[0], 77, 0, "borrowed row");
    fmatch_source_destroy(&copy);
    fmatch_source_destroy(&lent);
    free(rows);
}

static void array_destroy_is_called_once_in_each_life(void **state)
{
    for (int32_t memory = FMATCH_MEMORY_COPY; memory <= FMATCH_MEMORY_BORROW; memory++) {
        int destroyed = 0;
        float *rows = numbered_rows(4);
        fmatch_array_config config;
        fmatch_array_config_init(&config);
        config.dim = 2;
        config.n = 4;
        config.rows = rows;
        config.memory = memory;
        config.destroy = count_destroy;
        config.user = &destroyed;
        fmatch_source *source;
        expect_ok(fmatch_source_create_array(&source, context_of(state), &config));
        if (memory == FMATCH_MEMORY_BORROW)
            expect_that(destroyed == 0, "borrowed rows given back %d times while in use",
                        destroyed);
        fmatch_source_destroy(&source);
        expect_that(destroyed == 1, "memory %d: destroyed %d times", memory, destroyed);

        rows[3] = NAN;
        destroyed = 0;
        expect_status(fmatch_source_create_array(&source, context_of(state), &config),
                      FMATCH_ERROR_NOT_FINITE);
        expect_detail("row 1", "column 1", "nan");
        expect_that(destroyed == 1, "memory %d: destroyed %d times by a failed create", memory,
                    destroyed);
        rows[3] = 1;
        destroyed = 0;
        config.n = 0;
        expect_status(fmatch_source_create_array(&source, context_of(state), &config),
                      FMATCH_ERROR_ARGUMENT);
        expect_that(destroyed == 1, "memory %d: destroyed %d times by a refused n", memory,
                    destroyed);
        free(rows);
    }
}

/* A trainer keeps the borrowed rows alive after the source's handle is gone. */
static void borrowed_rows_are_kept_by_a_trainer(void **state)
{
    int destroyed = 0;
    float *rows = numbered_rows(4);
    fmatch_array_config config;
    fmatch_array_config_init(&config);
    config.dim = 2;
    config.n = 4;
    config.rows = rows;
    config.memory = FMATCH_MEMORY_BORROW;
    config.destroy = count_destroy;
    config.user = &destroyed;
    fmatch_source *source;
    expect_ok(fmatch_source_create_array(&source, context_of(state), &config));
    fmatch_model *model = make_mlp(context_of(state), 2, 1, 5, FMATCH_ACTIVATION_TANH, 1);
    fmatch_trainer *trainer = make_trainer(model, make_adam(context_of(state), 1e-3), source, 8, 1);
    fmatch_source_destroy(&source);
    assert_int_equal(destroyed, 0);
    expect_ok(fmatch_trainer_run(trainer, 2, NULL));
    fmatch_trainer_destroy(&trainer);
    assert_int_equal(destroyed, 1);
    fmatch_model_destroy(&model);
    free(rows);
}

/* ---- callbacks ---- */

/* What a callback is to do, and what it saw. */
struct script {
    int32_t dim;
    int style;           /* 0: one block of normals; 1: several blocks; 2: set_row; 3: both */
    int32_t code;        /* returned when first_row reaches fail_row */
    int64_t fail_row;    /* -1: never */
    int64_t nan_row;     /* -1: never */
    int64_t first, rows; /* smallest first_row and number of rows seen */
    int destroyed;
};

static void draw_row_by_row(struct script *script, fmatch_random *random, int64_t n, float *x)
{
    for (int64_t i = 0; i < n; i++) {
        fmatch_random_set_row(random, i);
        /* A number of draws that depends on a draw: what makes streams drift apart when they are
         * shared between rows. */
        int32_t skips;
        float unused[7];
        fmatch_random_draw_integer(random, 1, 1, 7, &skips);
        fmatch_random_draw_uniform(random, 1, skips, unused);
        fmatch_random_draw_normal(random, 1, script->dim, x + i * script->dim);
    }
}

static int32_t scripted_draw(void *user, fmatch_random *random, int64_t first_row, int64_t n,
                             float *x)
{
    struct script *script = user;
    if (script->rows == 0 || first_row < script->first)
        script->first = first_row;
    script->rows += n;
    if (script->fail_row >= 0 && first_row + n > script->fail_row)
        return script->code;
    if (script->style == 0)
        fmatch_random_draw_normal(random, n, script->dim, x);
    if (script->style == 1) {
        float *extra = floats(n * script->dim);
        int32_t *integers = calloc((size_t)(n + 1), sizeof *integers);
        fmatch_random_draw_normal(random, n, script->dim, x);
        fmatch_random_draw_uniform(random, n, script->dim, extra);
        fmatch_random_draw_integer(random, n, 1, 10, integers);
        for (int64_t i = 0; i < n * script->dim; i++)
            x[i] += extra[i] + 100.0f * (float)integers[i / script->dim];
        free(integers);
        free(extra);
    }
    if (script->style >= 2)
        draw_row_by_row(script, random, n, x);
    if (script->nan_row >= first_row && script->nan_row < first_row + n)
        x[(script->nan_row - first_row) * script->dim + script->dim - 1] = NAN;
    return 0;
}

static void scripted_destroy(void *user)
{
    ((struct script *)user)->destroyed++;
}

static fmatch_source *make_scripted(fmatch_context *context, struct script *script)
{
    fmatch_source_callbacks callbacks = {.struct_size = sizeof callbacks,
                                         .draw = scripted_draw,
                                         .destroy = scripted_destroy,
                                         .user = script};
    fmatch_source *source;
    expect_ok(fmatch_source_create_callback(&source, context, script->dim, &callbacks));
    return source;
}

static const struct script quiet = {.dim = 2, .fail_row = -1, .nan_row = -1};

static void callback_learns_which_rows_are_wanted(void **state)
{
    struct script script = quiet;
    fmatch_source *source = make_scripted(context_of(state), &script);
    float x[2 * 50];
    expect_ok(fmatch_source_draw(source, 1, 12345, 50, x));
    assert_int_equal(script.first, 12345);
    assert_int_equal(script.rows, 50);
    expect_ok(fmatch_source_draw(source, 1, 12345, 0, x));
    assert_int_equal(script.rows, 50);
    fmatch_source_destroy(&source);
    assert_int_equal(script.destroyed, 1);
}

static void lent_normals_are_normal_in_both_styles(void **state)
{
    for (int style = 0; style <= 2; style += 2) {
        enum { ROWS = 50000 };
        struct script script = quiet;
        script.style = style;
        fmatch_source *source = make_scripted(context_of(state), &script);
        float *x = floats(2 * ROWS);
        expect_ok(fmatch_source_draw(source, 31, 0, ROWS, x));
        expect_standard_normal(x, ROWS, 2, style ? "row by row" : "whole blocks");
        free(x);
        fmatch_source_destroy(&source);
    }
}

/* Records uniforms and integers of 10 blocks, checks their ranges and their shares. */
static int32_t uniform_check(void *user, fmatch_random *random, int64_t first_row, int64_t n,
                             float *x)
{
    (void)first_row;
    int64_t *cells = user; /* 16 for uniforms, 10 for integers */
    float *u = floats(3 * n), *v = floats(3 * n);
    int32_t *k = calloc((size_t)(2 * n), sizeof *k);
    fmatch_random_draw_uniform(random, n, 3, u);
    fmatch_random_draw_uniform(random, n, 3, v);
    fmatch_random_draw_integer(random, n, 2, 10, k);
    for (int64_t i = 0; i < 3 * n; i++) {
        double scaled = u[i] * 16777216.0;
        expect_that(u[i] >= 0 && u[i] < 1 && scaled == floor(scaled),
                    "uniform %a is not a multiple of 2^-24 in [0, 1)", u[i]);
        cells[(int)(u[i] * 16)]++;
    }
    for (int64_t i = 0; i < 2 * n; i++) {
        expect_that(k[i] >= 0 && k[i] < 10, "integer %d is not below 10", k[i]);
        cells[16 + k[i]]++;
    }
    expect_that(memcmp(u, v, (size_t)(3 * n) * sizeof *u) != 0, "two blocks of %lld are equal",
                (long long)n);
    /* What must write nothing. */
    float untouched = 5;
    int32_t kept = 5;
    fmatch_random_draw_uniform(random, 0, 1, &untouched);
    fmatch_random_draw_uniform(random, 1, 0, &untouched);
    fmatch_random_draw_normal(random, -1, 1, &untouched);
    fmatch_random_draw_integer(random, 1, -2, 3, &kept);
    fmatch_random_draw_normal(random, 1, 1, NULL);
    assert_true(untouched == 5 && kept == 5);
    fmatch_random_draw_normal(random, n, 1, x);
    free(k);
    free(v);
    free(u);
    return 0;
}

static void lent_uniforms_and_integers_are_uniform(void **state)
{
    enum { ROWS = 20000 };
    int64_t cells[26] = {0};
    fmatch_source_callbacks callbacks = {
        .struct_size = sizeof callbacks, .draw = uniform_check, .user = cells};
    fmatch_source *source;
    expect_ok(fmatch_source_create_callback(&source, context_of(state), 1, &callbacks));
    float *x = floats(ROWS);
    expect_ok(fmatch_source_draw(source, 8, 0, ROWS, x));
    expect_uniform_counts(cells, 16, 3.0 * ROWS, "uniforms");
    expect_uniform_counts(cells + 16, 10, 2.0 * ROWS, "integers");
    free(x);
    fmatch_source_destroy(&source);
}

/* Returning to a row repeats its numbers, another row has others, and so have blocks. */
static int32_t row_check(void *user, fmatch_random *random, int64_t first_row, int64_t n, float *x)
{
    (void)first_row;
    float block[8], again[8], other[8], back[8];
    if (n >= 2) {
        fmatch_random_draw_normal(random, n, 1, x);
        memcpy(block, x, sizeof(float));
        fmatch_random_set_row(random, 0);
        fmatch_random_draw_normal(random, 1, 8, again);
        fmatch_random_set_row(random, 1);
        fmatch_random_draw_normal(random, 1, 8, other);
        fmatch_random_set_row(random, 0);
        fmatch_random_draw_normal(random, 1, 8, back);
        expect_same_bits(again, back, 8, "row 0 twice");
        expect_that(memcmp(again, other, sizeof again) != 0, "rows 0 and 1 are equal");
        expect_that(again[0] != block[0], "block and row draws are equal: %g", block[0]);
        (*(int *)user)++;
    }
    return 0;
}

static void rows_can_be_returned_to(void **state)
{
    int checked = 0;
    fmatch_source_callbacks callbacks = {
        .struct_size = sizeof callbacks, .draw = row_check, .user = &checked};
    fmatch_source *source;
    expect_ok(fmatch_source_create_callback(&source, context_of(state), 1, &callbacks));
    float x[10];
    expect_ok(fmatch_source_draw(source, 8, 100, 10, x));
    assert_true(checked > 0);
    fmatch_source_destroy(&source);
}

static void callback_failure_keeps_its_code(void **state)
{
    struct script script = quiet;
    script.fail_row = 20;
    fmatch_source *source = make_scripted(context_of(state), &script);
    static const int32_t codes[] = {-1, -42, INT32_MIN};
    float x[2 * 30], mean[2], std[2];
    for (size_t i = 0; i < COUNT(codes); i++) {
        script.code = codes[i];
        expect_status(fmatch_source_draw(source, 1, 0, 30, x), FMATCH_ERROR_CALLBACK);
        assert_int_equal(fmatch_error_callback_code(), codes[i]);
        expect_that(fmatch_error_detail()[0] != 0, "the detail is empty");
        expect_ok(fmatch_source_draw(source, 1, 0, 10, x));
        assert_int_equal(fmatch_error_callback_code(), 0);
    }
    expect_status(fmatch_source_evaluate_moments(source, mean, std), FMATCH_ERROR_CALLBACK);
    assert_int_equal(fmatch_error_callback_code(), INT32_MIN);
    fmatch_source_destroy(&source);
}

static void callback_nan_is_refused_with_row_and_column(void **state)
{
    struct script script = quiet;
    script.nan_row = 17;
    fmatch_source *source = make_scripted(context_of(state), &script);
    float x[2 * 30];
    expect_status(fmatch_source_draw(source, 1, 0, 30, x), FMATCH_ERROR_NOT_FINITE);
    expect_detail("17", "column 1", "nan");
    script.nan_row = -1;
    expect_ok(fmatch_source_draw(source, 1, 0, 30, x));
    fmatch_source_destroy(&source);
}

static void callback_destroy_is_called_once_in_each_life(void **state)
{
    struct script script = quiet;
    fmatch_source_callbacks callbacks = {.struct_size = sizeof callbacks,
                                         .draw = scripted_draw,
                                         .destroy = scripted_destroy,
                                         .user = &script};
    fmatch_source *source = (fmatch_source *)&script;
    expect_status(fmatch_source_create_callback(&source, context_of(state), 0, &callbacks),
                  FMATCH_ERROR_ARGUMENT);
    assert_null(source);
    assert_int_equal(script.destroyed, 1);
    callbacks.draw = NULL;
    expect_status(fmatch_source_create_callback(&source, context_of(state), 2, &callbacks),
                  FMATCH_ERROR_ARGUMENT);
    expect_detail("draw");
    assert_int_equal(script.destroyed, 2);
    callbacks.draw = scripted_draw;
    callbacks.flags = 4;
    expect_status(fmatch_source_create_callback(&source, context_of(state), 2, &callbacks),
                  FMATCH_ERROR_ARGUMENT);
    expect_detail("flags", "4");
    assert_int_equal(script.destroyed, 3);
    callbacks.flags = 0;

    /* A model and a sampler outlive the handle. */
    expect_ok(fmatch_source_create_callback(&source, context_of(state), 2, &callbacks));
    fmatch_mlp_config config;
    fmatch_mlp_config_init(&config);
    config.dim = 2;
    config.noise = source;
    fmatch_model *model;
    expect_ok(fmatch_model_create_mlp(&model, context_of(state), &config));
    fmatch_source_destroy(&source);
    assert_int_equal(script.destroyed, 3);
    fmatch_sampler *sampler = make_sampler(model, FMATCH_SOLVER_EULER, 2, 0, 1);
    fmatch_model_destroy(&model);
    assert_int_equal(script.destroyed, 3);
    float x[2];
    expect_ok(fmatch_sampler_draw(sampler, 1, 0, 1, NULL, x));
    fmatch_sampler_destroy(&sampler);
    assert_int_equal(script.destroyed, 4);
}

/* ---- row i depends on (seed, i) alone ---- */

static void expect_rows_independent_of_splits(const fmatch_source *source, const char *what)
{
    enum { N = 1000 };
    static const int64_t splits[][8] = {
        {1, 7, 992}, {999, 1}, {3, 4, 5, 500, 488}, {256, 256, 488}};
    int32_t dim = fmatch_source_get_dim(source);
    float *whole = floats((int64_t)N * dim), *parts = floats((int64_t)N * dim);
    expect_ok(fmatch_source_draw(source, 99, 0, N, whole));
    for (size_t s = 0; s < COUNT(splits); s++) {
        memset(parts, 0, (size_t)N * (size_t)dim * sizeof *parts);
        for (int64_t row = 0, p = 0; row < N; row += splits[s][p], p++)
            expect_ok(fmatch_source_draw(source, 99, row, splits[s][p], parts + row * dim));
        expect_same_bits(parts, whole, (int64_t)N * dim, "%s, dim %d, split %zu", what, dim, s);
    }
    free(parts);
    free(whole);
}

static void expect_seeds_differ(const fmatch_source *source, const char *what)
{
    enum { N = 64 };
    static const uint64_t seeds[] = {0, 1, 2, (uint64_t)1 << 32, UINT64_MAX};
    int32_t dim = fmatch_source_get_dim(source);
    float *a = floats((int64_t)N * dim), *b = floats((int64_t)N * dim);
    for (size_t s = 0; s < COUNT(seeds); s++) {
        expect_ok(fmatch_source_draw(source, seeds[s], 0, N, a));
        for (size_t r = 0; r < s; r++) {
            expect_ok(fmatch_source_draw(source, seeds[r], 0, N, b));
            expect_that(memcmp(a, b, (size_t)N * (size_t)dim * sizeof *a) != 0,
                        "%s: seeds %llu and %llu give equal rows", what,
                        (unsigned long long)seeds[s], (unsigned long long)seeds[r]);
        }
        expect_ok(fmatch_source_draw(source, seeds[s], N, N, b));
        expect_that(memcmp(a, b, (size_t)N * (size_t)dim * sizeof *a) != 0,
                    "%s: rows from 0 and from %d are equal", what, N);
    }
    free(b);
    free(a);
}

static void rows_do_not_depend_on_splits(void **state)
{
    static const int32_t dims[] = {1, 2, 3, 5};
    static const float weights[] = {1, 2, 3};
    float means[15], stds[15];
    fill_scattered(means, 15, -3, 3, 1);
    fill_scattered(stds, 15, 0.1, 2, 2);
    for (size_t d = 0; d < COUNT(dims); d++) {
        fmatch_source *normal = make_normal(context_of(state), dims[d]), *mixture;
        expect_rows_independent_of_splits(normal, "normal");
        expect_seeds_differ(normal, "normal");
        expect_ok(fmatch_source_create_gaussian_mixture(&mixture, context_of(state), dims[d], 3,
                                                        weights, means, stds));
        expect_rows_independent_of_splits(mixture, "mixture");
        expect_seeds_differ(mixture, "mixture");
        for (int style = 0; style <= 2; style++) {
            struct script script = quiet;
            script.dim = dims[d];
            script.style = style;
            fmatch_source *callback = make_scripted(context_of(state), &script);
            static const char *const names[] = {"callback, a block", "callback, blocks",
                                                "callback, set_row"};
            expect_rows_independent_of_splits(callback, names[style]);
            expect_seeds_differ(callback, names[style]);
            fmatch_source_destroy(&callback);
        }
        fmatch_source_destroy(&mixture);
        fmatch_source_destroy(&normal);
    }
    float *rows = numbered_rows(93);
    for (int32_t order = FMATCH_ORDER_SHUFFLED; order <= FMATCH_ORDER_SEQUENTIAL; order++) {
        fmatch_source *array = make_array(context_of(state), 93, rows, FMATCH_MEMORY_COPY, order);
        expect_rows_independent_of_splits(array, "array");
        if (order != FMATCH_ORDER_SEQUENTIAL)
            expect_seeds_differ(array, "array");
        fmatch_source_destroy(&array);
    }
    free(rows);
}

/* ---- moments ---- */

/* Of the 65536 draws with seed 0 that the header promises. */
static void expect_moments_of_draws(const fmatch_source *source, const float *mean,
                                    const float *std)
{
    enum { N = 65536 };
    float *x = floats(2 * N);
    expect_ok(fmatch_source_draw(source, 0, 0, N, x));
    for (int j = 0; j < 2; j++) {
        double m = 0, v = 0;
        for (int i = 0; i < N; i++)
            m += x[2 * i + j] / (double)N;
        for (int i = 0; i < N; i++)
            v += (x[2 * i + j] - m) * (x[2 * i + j] - m) / N;
        expect_close(mean[j], m, 1e-7, "mean of the draws' column %d", j);
        expect_close(std[j], sqrt(v), 1e-6, "deviation of the draws' column %d", j);
    }
    free(x);
}

static void moments_are_exact_where_they_can_be(void **state)
{
    float mean[2], std[2];
    fmatch_source *source = make_normal(context_of(state), 2);
    expect_ok(fmatch_source_evaluate_moments(source, mean, std));
    assert_true(mean[0] == 0 && mean[1] == 0 && std[0] == 1 && std[1] == 1);
    fmatch_source_destroy(&source);

    source = make_post_target(context_of(state));
    expect_ok(fmatch_source_evaluate_moments(source, mean, std));
    expect_close(mean[0], 0.2075, 1e-6, "mean of the post's target");
    expect_close(std[0], sqrt(1.62731875), 1e-6, "deviation of the post's target");
    fmatch_source_destroy(&source);

    /* Far from zero: squares of the values would lose the deviation. Divided by n. */
    float rows[] = {10000, 3, 10001, 3, 10002, 3, 10005, 3};
    source = make_array(context_of(state), 4, rows, FMATCH_MEMORY_COPY, FMATCH_ORDER_SHUFFLED);
    expect_ok(fmatch_source_evaluate_moments(source, mean, std));
    expect_close(mean[0], 10002, 1e-3, "mean of an array");
    expect_close(std[0], sqrt((4 + 1 + 0 + 9) / 4.0), 1e-6, "deviation of an array");
    expect_close(mean[1], 3, 0, "mean of a constant column");
    expect_close(std[1], 0, 0, "deviation of a constant column");
    fmatch_source_destroy(&source);

    struct script script = quiet;
    source = make_scripted(context_of(state), &script);
    expect_ok(fmatch_source_evaluate_moments(source, mean, std));
    for (int j = 0; j < 2; j++) {
        expect_close(mean[j], 0, Z / 256, "mean of a callback's column %d", j);
        expect_close(std[j], 1, Z / 256 / sqrt(2.0), "deviation of a callback's column %d", j);
    }
    expect_moments_of_draws(source, mean, std);
    fmatch_source_destroy(&source);
}

/* A row index beyond 32 bits is not cut. */
/* What could be drawn or said only as an infinity is refused, and the largest that is not is
 * finite.
 */
static void mixtures_that_leave_the_floats_are_refused(void **state)
{
    enum { N = 20000 };
    static const float weights[] = {1, 1};
    static const struct {
        float means[2], stds[2];
        const char *words[3];
    } refused[] = {
        {{-3e38f, 3e38f}, {3e38f, 3e38f}, {"means[0][0] is -3e+38", "stds[0][0] is 3e+38", "7"}},
        {{0, 3.4e38f},
         {1, 1e36f},
         {"means[1][0] is 3.4e+38", "stds[1][0] is 1e+36", "3.40282e+38"}},
        {{0, 0}, {1, 5e37f}, {"means[1][0] is 0", "stds[1][0] is 5e+37", "7"}},
    };
    fmatch_source *source;
    for (size_t i = 0; i < COUNT(refused); i++) {
        source = (fmatch_source *)&source;
        expect_status(fmatch_source_create_gaussian_mixture(&source, context_of(state), 1, 2,
                                                            weights, refused[i].means,
                                                            refused[i].stds),
                      FMATCH_ERROR_ARGUMENT);
        assert_null(source);
        for (size_t w = 0; w < COUNT(refused[i].words); w++)
            expect_detail(refused[i].words[w]);
    }

    static const float means[] = {-3.4e38f, 3.4e38f}, stds[] = {4e34f, 4e34f};
    float mean, std, *x = floats(N);
    expect_ok(fmatch_source_create_gaussian_mixture(&source, context_of(state), 1, 2, weights,
                                                    means, stds));
    expect_ok(fmatch_source_evaluate_moments(source, &mean, &std));
    expect_that(fabsf(mean) < 1e32f && std > 3.39e38f && isfinite(std), "moments %g, %g",
                (double)mean, (double)std);
    expect_ok(fmatch_source_draw(source, 1, 0, N, x));
    for (int i = 0; i < N; i++)
        expect_that(isfinite(x[i]), "row %d is %g", i, (double)x[i]);
    free(x);
    fmatch_source_destroy(&source);
}

/* The widest that two floats can be apart. */
static void moments_of_the_largest_floats_are_finite(void **state)
{
    const float rows[] = {-3.4028234e38f, 3.4028234e38f};
    fmatch_array_config config;
    fmatch_array_config_init(&config);
    config.dim = 1;
    config.n = 2;
    config.rows = rows;
    fmatch_source *source;
    expect_ok(fmatch_source_create_array(&source, context_of(state), &config));
    float mean, std;
    expect_ok(fmatch_source_evaluate_moments(source, &mean, &std));
    expect_that(mean == 0 && std == rows[1], "moments %g, %g", (double)mean, (double)std);
    fmatch_source_destroy(&source);
}

/* Whatever is wrong, the user's data comes back: here there is nowhere to put the handle. */
static void destroy_is_called_without_an_out_pointer(void **state)
{
    int destroyed = 0;
    const float rows[] = {1};
    fmatch_array_config config;
    fmatch_array_config_init(&config);
    config.dim = 1;
    config.n = 1;
    config.rows = rows;
    config.destroy = count_destroy;
    config.user = &destroyed;
    expect_status(fmatch_source_create_array(NULL, context_of(state), &config),
                  FMATCH_ERROR_ARGUMENT);
    expect_detail("source");
    assert_int_equal(destroyed, 1);

    struct script script = quiet;
    const fmatch_source_callbacks callbacks = {.struct_size = sizeof callbacks,
                                               .draw = scripted_draw,
                                               .destroy = scripted_destroy,
                                               .user = &script};
    expect_status(fmatch_source_create_callback(NULL, context_of(state), 2, &callbacks),
                  FMATCH_ERROR_ARGUMENT);
    expect_detail("source");
    assert_int_equal(script.destroyed, 1);
}

static void far_rows_are_their_own(void **state)
{
    fmatch_source *source = make_normal(context_of(state), 1);
    float near[8], far[8];
    expect_ok(fmatch_source_draw(source, 1, 5, 8, near));
    static const int64_t offsets[] = {(int64_t)1 << 32, (int64_t)1 << 33, (int64_t)1 << 40};
    for (size_t i = 0; i < COUNT(offsets); i++) {
        expect_ok(fmatch_source_draw(source, 1, 5 + offsets[i], 8, far));
        expect_that(memcmp(near, far, sizeof near) != 0, "rows repeat after %lld",
                    (long long)offsets[i]);
    }
    fmatch_source_destroy(&source);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        world_test(normal_rows_are_standard_normal),
        world_test(post_mixture_has_its_distribution),
        world_test(mixture_components_have_their_shares_and_moments),
        world_test(mixture_components_are_independent_between_rows),
        world_test(shuffled_array_gives_each_row_once_an_epoch),
        world_test(shuffled_array_is_uniform),
        world_test(replacement_draws_are_uniform),
        world_test(sequential_array_runs_around),
        world_test(stored_rows_come_back_in_order),
        world_test(copied_rows_are_the_sources_own_and_borrowed_ones_the_callers),
        world_test(array_destroy_is_called_once_in_each_life),
        world_test(borrowed_rows_are_kept_by_a_trainer),
        world_test(callback_learns_which_rows_are_wanted),
        world_test(lent_normals_are_normal_in_both_styles),
        world_test(lent_uniforms_and_integers_are_uniform),
        world_test(rows_can_be_returned_to),
        world_test(callback_failure_keeps_its_code),
        world_test(callback_nan_is_refused_with_row_and_column),
        world_test(callback_destroy_is_called_once_in_each_life),
        world_test(rows_do_not_depend_on_splits),
        world_test(moments_are_exact_where_they_can_be),
        world_test(mixtures_that_leave_the_floats_are_refused),
        world_test(moments_of_the_largest_floats_are_finite),
        world_test(destroy_is_called_without_an_out_pointer),
        world_test(far_rows_are_their_own),
    };
    return cmocka_run_group_tests_name("source", tests, NULL, NULL);
}
