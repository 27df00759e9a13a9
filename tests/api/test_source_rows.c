/* Rows of a source with what belongs to them: each row keeps its own condition and weight, in every
 * order, in any batch, and x is the same with and without them. */
#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif
#include "fixtures.h"

#include <unistd.h>

enum { ROWS = 37, CONDITIONS = 2 };

/* Row i is (i, -i), its condition (10 i, 10 i + 1), its weight i / 4. */
struct table {
    float x[2 * ROWS], condition[CONDITIONS * ROWS], weight[ROWS];
};

static struct table numbered_table(void)
{
    struct table t;
    for (int i = 0; i < ROWS; i++) {
        t.x[2 * i] = (float)i;
        t.x[2 * i + 1] = (float)-i;
        t.condition[2 * i] = 10.0F * (float)i;
        t.condition[2 * i + 1] = 10.0F * (float)i + 1;
        t.weight[i] = (float)i / 4;
    }
    return t;
}

static fmatch_array_config config_of(const struct table *t, int32_t memory, int32_t order)
{
    fmatch_array_config config;
    fmatch_array_config_init(&config);
    config.dim = 2;
    config.n = ROWS;
    config.rows = t->x;
    config.conditions = t->condition;
    config.condition_dim = CONDITIONS;
    config.weights = t->weight;
    config.memory = memory;
    config.order = order;
    return config;
}

static fmatch_source *make_array(fmatch_context *context, const fmatch_array_config *config)
{
    fmatch_source *source;
    expect_ok(fmatch_source_create_array(&source, context, config));
    return source;
}

/* The number of a row, whose condition and weight must be its own. */
static int row_number(const float *x, const float *condition, const float *weight)
{
    const int i = (int)x[0];
    expect_that(i >= 0 && i < ROWS && x[0] == (float)i && x[1] == -x[0], "(%g, %g) is no row", x[0],
                x[1]);
    expect_that(condition[0] == 10 * x[0] && condition[1] == 10 * x[0] + 1,
                "row %d has the condition (%g, %g)", i, condition[0], condition[1]);
    expect_that(*weight == x[0] / 4, "row %d has the weight %g", i, *weight);
    return i;
}

static void each_row_keeps_its_condition_and_weight(void **state)
{
    enum { DRAWS = 3 * ROWS };
    const struct table t = numbered_table();
    for (int32_t order = FMATCH_ORDER_SHUFFLED; order <= FMATCH_ORDER_SEQUENTIAL; order++) {
        const fmatch_array_config config = config_of(&t, FMATCH_MEMORY_COPY, order);
        fmatch_source *source = make_array(context_of(state), &config);
        assert_int_equal(fmatch_source_get_condition_dim(source), CONDITIONS);
        assert_int_equal(fmatch_source_get_weighted(source), 1);
        float x[2 * DRAWS], alone[2 * DRAWS], condition[CONDITIONS * DRAWS], weight[DRAWS];
        expect_ok(fmatch_source_draw_rows(source, 5, 0, DRAWS, x, condition, weight));
        expect_ok(fmatch_source_draw(source, 5, 0, DRAWS, alone));
        expect_same_bits(x, alone, 2 * DRAWS, "order %d: x with and without the rest", order);
        int seen[ROWS] = {0};
        for (int i = 0; i < DRAWS; i++)
            seen[row_number(x + 2 * i, condition + CONDITIONS * i, weight + i)]++;
        for (int i = 0; i < ROWS && order != FMATCH_ORDER_REPLACEMENT; i++)
            expect_that(seen[i] == 3, "order %d: row %d came %d times in 3 epochs", order, i,
                        seen[i]);
        /* Rows one by one have the same bits. */
        for (int i = 0; i < DRAWS; i++) {
            float x1[2], c1[CONDITIONS], w1;
            expect_ok(fmatch_source_draw_rows(source, 5, i, 1, x1, c1, &w1));
            expect_same_bits(x1, x + 2 * i, 2, "order %d: x of row %d", order, i);
            expect_same_bits(c1, condition + CONDITIONS * i, CONDITIONS, "condition of row %d", i);
            expect_same_bits(&w1, weight + i, 1, "weight of row %d", i);
        }
        fmatch_source_destroy(&source);
    }
}

static void stored_conditions_and_weights_come_back(void **state)
{
    struct table t = numbered_table();
    float condition[CONDITIONS * ROWS], weight[ROWS];
    const fmatch_array_config config = config_of(&t, FMATCH_MEMORY_BORROW, FMATCH_ORDER_SHUFFLED);
    fmatch_source *source = make_array(context_of(state), &config);
    expect_ok(fmatch_source_get_conditions(source, 0, ROWS, condition));
    expect_same_bits(condition, t.condition, CONDITIONS * ROWS, "conditions");
    expect_ok(fmatch_source_get_weights(source, 3, 5, weight));
    expect_same_bits(weight, t.weight + 3, 5, "weights 3 to 7");
    expect_status(fmatch_source_get_conditions(source, ROWS - 1, 2, condition),
                  FMATCH_ERROR_ARGUMENT);
    expect_status(fmatch_source_get_weights(source, -1, 1, weight), FMATCH_ERROR_ARGUMENT);
    expect_status(fmatch_source_get_weights(source, 0, 1, NULL), FMATCH_ERROR_ARGUMENT);
    expect_detail("weight", "NULL");
    t.weight[3] = 99; /* borrowed */
    expect_ok(fmatch_source_get_weights(source, 3, 1, weight));
    expect_close(weight[0], 99, 0, "a borrowed weight");
    fmatch_source_destroy(&source);

    source = make_normal(context_of(state), 2);
    expect_status(fmatch_source_get_conditions(source, 0, 1, condition), FMATCH_ERROR_UNSUPPORTED);
    expect_status(fmatch_source_get_weights(source, 0, 1, weight), FMATCH_ERROR_UNSUPPORTED);
    fmatch_source_destroy(&source);
    assert_int_equal(fmatch_source_get_condition_dim(NULL), 0);
    assert_int_equal(fmatch_source_get_weighted(NULL), 0);
}

/* A source without them: no condition is written, and each weight is 1. */
static void plain_sources_give_weight_one(void **state)
{
    static const float rows[] = {1, 2, 3};
    fmatch_array_config config;
    fmatch_array_config_init(&config);
    config.dim = 1;
    config.n = 3;
    config.rows = rows;
    fmatch_source *sources[] = {make_normal(context_of(state), 1),
                                make_post_target(context_of(state)),
                                make_array(context_of(state), &config)};
    for (size_t s = 0; s < COUNT(sources); s++) {
        float x[4], alone[4], condition[4] = {7, 7, 7, 7}, weight[4] = {0};
        expect_ok(fmatch_source_draw_rows(sources[s], 1, 2, 4, x, condition, weight));
        expect_ok(fmatch_source_draw(sources[s], 1, 2, 4, alone));
        expect_same_bits(x, alone, 4, "x of source %zu", s);
        for (int i = 0; i < 4; i++)
            expect_that(condition[i] == 7 && weight[i] == 1, "source %zu: condition %g, weight %g",
                        s, condition[i], weight[i]);
        expect_ok(fmatch_source_draw_rows(sources[s], 1, 2, 4, x, NULL, NULL));
        assert_int_equal(fmatch_source_get_condition_dim(sources[s]), 0);
        assert_int_equal(fmatch_source_get_weighted(sources[s]), 0);
    }
    float weight[3] = {0}, condition[3] = {7, 7, 7};
    expect_ok(fmatch_source_get_weights(sources[2], 0, 3, weight));
    expect_ok(fmatch_source_get_conditions(sources[2], 0, 3, condition));
    for (int i = 0; i < 3; i++)
        expect_that(weight[i] == 1 && condition[i] == 7, "stored: %g, %g", weight[i], condition[i]);
    for (size_t s = 0; s < COUNT(sources); s++)
        fmatch_source_destroy(&sources[s]);
}

static void arrays_that_contradict_themselves_are_refused(void **state)
{
    const struct table good = numbered_table();
    const fmatch_array_config config = config_of(&good, FMATCH_MEMORY_COPY, FMATCH_ORDER_SHUFFLED);
    struct table t = good;
    fmatch_array_config c = config;
    fmatch_source *source;
#define REFUSED(status, ...)                                                                       \
    do {                                                                                           \
        expect_status(fmatch_source_create_array(&source, context_of(state), &c), status);         \
        expect_detail(__VA_ARGS__);                                                                \
        c = config;                                                                                \
        t = good;                                                                                  \
    } while (0)
    c.conditions = NULL;
    REFUSED(FMATCH_ERROR_ARGUMENT, "condition_dim is 2", "conditions is NULL");
    c.condition_dim = 0;
    REFUSED(FMATCH_ERROR_ARGUMENT, "condition_dim is 0", "not NULL");
    c.condition_dim = -1;
    REFUSED(FMATCH_ERROR_ARGUMENT, "condition_dim is -1", "65536");
    c.flags = 1;
    REFUSED(FMATCH_ERROR_ARGUMENT, "flags", "1");
    c.conditions = t.condition;
    t.condition[5] = INFINITY;
    REFUSED(FMATCH_ERROR_NOT_FINITE, "conditions", "row 2", "column 1", "inf");
    c.weights = t.weight;
    t.weight[4] = -0.5F;
    REFUSED(FMATCH_ERROR_ARGUMENT, "weights", "row 4", "-0.5", "at least 0");
    c.weights = t.weight;
    t.weight[4] = NAN;
    REFUSED(FMATCH_ERROR_NOT_FINITE, "weights", "row 4", "nan");
    c.weights = t.weight;
    memset(t.weight, 0, sizeof t.weight);
    REFUSED(FMATCH_ERROR_ARGUMENT, "weights", "every row is 0");
#undef REFUSED
}

/* ---- callbacks ---- */

struct script {
    int calls;
    float bad_weight, bad_condition; /* of row 3, unless 0 */
};

/* x is a normal number, the condition its sign and itself, the weight its square. */
static int32_t draw_signed(void *user, fmatch_random *random, int64_t first_row, int64_t n,
                           float *x, float *condition, float *weight)
{
    struct script *script = user;
    script->calls++;
    fmatch_random_draw_normal(random, n, 1, x);
    for (int64_t i = 0; i < n; i++) {
        const bool bad = first_row + i == 3;
        if (condition) {
            condition[2 * i] = x[i] < 0 ? -1 : 1;
            condition[2 * i + 1] = bad && script->bad_condition != 0 ? script->bad_condition : x[i];
        }
        if (weight)
            weight[i] = bad && script->bad_weight != 0 ? script->bad_weight : x[i] * x[i];
    }
    return 0;
}

static void callbacks_draw_rows_jointly(void **state)
{
    enum { N = 50 };
    struct script script = {0};
    const fmatch_source_callbacks callbacks = {.struct_size = sizeof callbacks,
                                               .draw_rows = draw_signed,
                                               .user = &script,
                                               .condition_dim = 2,
                                               .weighted = 1};
    fmatch_source *source;
    expect_ok(fmatch_source_create_callback(&source, context_of(state), 1, &callbacks));
    assert_int_equal(fmatch_source_get_condition_dim(source), 2);
    assert_int_equal(fmatch_source_get_weighted(source), 1);
    float x[N], alone[N], condition[2 * N], weight[N];
    expect_ok(fmatch_source_draw_rows(source, 4, 0, N, x, condition, weight));
    expect_ok(fmatch_source_draw(source, 4, 0, N, alone));
    expect_same_bits(x, alone, N, "x alone");
    for (int i = 0; i < N; i++)
        expect_that(condition[2 * i] == copysignf(1, x[i]) && condition[2 * i + 1] == x[i] &&
                        weight[i] == x[i] * x[i],
                    "row %d: x %g has (%g, %g) and %g", i, x[i], condition[2 * i],
                    condition[2 * i + 1], weight[i]);
    expect_ok(fmatch_source_draw_rows(source, 4, 20, 5, alone, NULL, weight));
    expect_same_bits(alone, x + 20, 5, "x with the weight alone");

    script.bad_condition = NAN;
    expect_status(fmatch_source_draw_rows(source, 4, 0, N, x, condition, weight),
                  FMATCH_ERROR_NOT_FINITE);
    expect_detail("condition", "row 3", "column 1", "nan");
    expect_ok(fmatch_source_draw_rows(source, 4, 0, N, x, NULL, weight));
    script.bad_condition = 0;
    script.bad_weight = -2;
    expect_status(fmatch_source_draw_rows(source, 4, 2, N, x, condition, weight),
                  FMATCH_ERROR_ARGUMENT);
    expect_detail("weight", "row 3", "-2");
    fmatch_source_destroy(&source);
}

static int32_t draw_x(void *user, fmatch_random *random, int64_t first_row, int64_t n, float *x)
{
    (void)user, (void)first_row;
    fmatch_random_draw_normal(random, n, 1, x);
    return 0;
}

static void callbacks_that_contradict_themselves_are_refused(void **state)
{
    struct script script = {0};
    const fmatch_source_callbacks joint = {
        .struct_size = sizeof joint, .draw_rows = draw_signed, .user = &script};
    static const struct {
        bool draw, draw_rows;
        int32_t condition_dim, weighted;
        const char *word;
    } cases[] = {{false, false, 0, 0, "draw_rows"},     {true, true, 0, 0, "both"},
                 {true, false, 1, 0, "condition_dim"},  {true, false, 0, 1, "weighted"},
                 {false, true, -1, 0, "condition_dim"}, {false, true, 65537, 0, "condition_dim"},
                 {false, true, 0, 2, "weighted"}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        fmatch_source_callbacks c = joint;
        c.draw = cases[i].draw ? draw_x : NULL;
        c.draw_rows = cases[i].draw_rows ? draw_signed : NULL;
        c.condition_dim = cases[i].condition_dim;
        c.weighted = cases[i].weighted;
        fmatch_source *source;
        expect_status(fmatch_source_create_callback(&source, context_of(state), 1, &c),
                      FMATCH_ERROR_ARGUMENT);
        expect_detail(cases[i].word);
    }
    assert_int_equal(script.calls, 0);
}

/* ---- columns of a CSV file ---- */

static fmatch_status read_csv(fmatch_context *context, const char *text,
                              const fmatch_csv_config *config, fmatch_source **source)
{
    char path[256];
    const char *folder = getenv("TMPDIR");
    snprintf(path, sizeof path, "%s/flowmatch_rows_XXXXXX", folder ? folder : "/tmp");
    const int file = mkstemp(path);
    assert_true(file >= 0);
    assert_true(write(file, text, strlen(text)) == (ssize_t)strlen(text));
    close(file);
    const fmatch_status status = fmatch_source_create_csv(source, context, path, config);
    unlink(path);
    return status;
}

static fmatch_csv_config sequential_csv(void)
{
    fmatch_csv_config config;
    fmatch_csv_config_init(&config);
    config.order = FMATCH_ORDER_SEQUENTIAL;
    assert_int_equal(config.weight_column, -1);
    return config;
}

static const char csv_text[] = "label,a,w,b\n0,1,0.5,2\n1,3,0,4\n1,5,2,6\n";

static void csv_columns_become_condition_and_weight(void **state)
{
    static const int32_t label[] = {0}, turned[] = {3, 1};
    static const float x_rest[] = {1, 2, 3, 4, 5, 6}, x_turned[] = {2, 1, 4, 3, 6, 5};
    static const float labels[] = {0, 1, 1}, weights[] = {0.5F, 0, 2};
    for (int named = 0; named < 2; named++) {
        fmatch_csv_config config = sequential_csv();
        config.condition_columns = label;
        config.condition_dim = 1;
        config.weight_column = 2;
        if (named) {
            config.columns = turned;
            config.dim = 2;
        }
        fmatch_source *source;
        expect_ok(read_csv(context_of(state), csv_text, &config, &source));
        assert_int_equal(fmatch_source_get_dim(source), 2);
        float x[6], condition[3], weight[3];
        expect_ok(fmatch_source_draw_rows(source, 0, 0, 3, x, condition, weight));
        expect_same_bits(x, named ? x_turned : x_rest, 6, "x, columns named: %d", named);
        expect_same_bits(condition, labels, 3, "labels");
        expect_same_bits(weight, weights, 3, "weights");
        fmatch_source_destroy(&source);
    }
}

static void csv_columns_that_are_not_there_are_refused(void **state)
{
    static const int32_t first[] = {0}, beyond[] = {4}, twice[] = {1, 1}, all[] = {0, 1, 2, 3};
    static const struct {
        const int32_t *columns, *condition;
        int32_t dim, condition_dim, weight;
        fmatch_status status;
        const char *words[3];
    } cases[] = {
        {beyond, NULL, 1, 0, -1, FMATCH_ERROR_ARGUMENT, {"columns[0] is 4", "3", "0"}},
        {NULL, beyond, 0, 1, -1, FMATCH_ERROR_ARGUMENT, {"condition_columns[0] is 4", "3", "0"}},
        {NULL, NULL, 0, 0, 4, FMATCH_ERROR_ARGUMENT, {"weight_column is 4", "3", "0"}},
        {NULL, NULL, 0, 0, -2, FMATCH_ERROR_ARGUMENT, {"weight_column is -2", "-1", ""}},
        {twice, NULL, 2, 0, -1, FMATCH_ERROR_ARGUMENT, {"column 1", "twice", ""}},
        {first, first, 1, 1, -1, FMATCH_ERROR_ARGUMENT, {"column 0", "twice", ""}},
        {first, NULL, 1, 0, 0, FMATCH_ERROR_ARGUMENT, {"column 0", "twice", ""}},
        {NULL, all, 0, 4, -1, FMATCH_ERROR_ARGUMENT, {"4 columns of 4", "x", ""}},
        {NULL, first, 0, 0, -1, FMATCH_ERROR_ARGUMENT, {"condition_dim is 0", "not NULL", ""}},
        {NULL, NULL, 1, 0, -1, FMATCH_ERROR_ARGUMENT, {"dim is 1", "columns is NULL", ""}},
        {first, NULL, -1, 0, -1, FMATCH_ERROR_ARGUMENT, {"dim is -1", "", ""}},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        fmatch_csv_config config = sequential_csv();
        config.columns = cases[i].columns;
        config.dim = cases[i].dim;
        config.condition_columns = cases[i].condition;
        config.condition_dim = cases[i].condition_dim;
        config.weight_column = cases[i].weight;
        fmatch_source *source;
        const fmatch_status status = read_csv(context_of(state), csv_text, &config, &source);
        expect_that(status == cases[i].status && !source, "case %zu gives %s (\"%s\")", i,
                    fmatch_status_get_name(status), fmatch_error_detail());
        expect_detail(cases[i].words[0], cases[i].words[1], cases[i].words[2]);
    }
    fmatch_csv_config config = sequential_csv();
    config.weight_column = 0;
    fmatch_source *source;
    expect_status(read_csv(context_of(state), "1,2\n-1,3\n", &config, &source),
                  FMATCH_ERROR_FORMAT);
    expect_detail("flowmatch_rows", "weight", "row 1", "-1");
    expect_status(read_csv(context_of(state), "0,2\n0,3\n", &config, &source), FMATCH_ERROR_FORMAT);
    expect_detail("flowmatch_rows", "weight", "every row is 0");
}

/* ---- densities ---- */

/* Values of SciPy 1.10.1: norm.logpdf, and logsumexp of norm.logpdf over components. */
static void log_densities_match_scipy(void **state)
{
    static const float x[] = {-1.5F, 0, 0.8F, 1.5F, 40};
    static const double of_post[] = {-1.58599255951, -1.94102217982, -3.58596961458,
                                     -0.330470034102, -1975.90566636};
    double seen[5];
    fmatch_source *source = make_post_target(context_of(state));
    expect_ok(fmatch_source_evaluate_log_density(source, 5, x, seen));
    for (int i = 0; i < 5; i++)
        expect_close(seen[i], of_post[i], 1e-10 * fabs(of_post[i]), "x = %g", x[i]);
    static const float bad[] = {0, INFINITY};
    expect_status(fmatch_source_evaluate_log_density(source, 2, bad, seen),
                  FMATCH_ERROR_NOT_FINITE);
    expect_detail("row 1");
    expect_status(fmatch_source_evaluate_log_density(source, -1, x, seen), FMATCH_ERROR_ARGUMENT);
    expect_ok(fmatch_source_evaluate_log_density(source, 0, NULL, NULL));
    fmatch_source_destroy(&source);

    static const float x3[] = {0.5F, -2, 3, 0, 0, 0};
    source = make_normal(context_of(state), 3);
    expect_ok(fmatch_source_evaluate_log_density(source, 2, x3, seen));
    expect_close(seen[0], -0.5 * 13.25 - 1.5 * log(2 * PI), 1e-12, "(0.5, -2, 3)");
    expect_close(seen[1], -1.5 * log(2 * PI), 1e-12, "origin");
    fmatch_source_destroy(&source);

    static const float rows[] = {1, 2};
    fmatch_array_config config;
    fmatch_array_config_init(&config);
    config.dim = 1;
    config.n = 2;
    config.rows = rows;
    source = make_array(context_of(state), &config);
    expect_status(fmatch_source_evaluate_log_density(source, 1, x, seen), FMATCH_ERROR_UNSUPPORTED);
    fmatch_source_destroy(&source);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        world_test(each_row_keeps_its_condition_and_weight),
        world_test(stored_conditions_and_weights_come_back),
        world_test(plain_sources_give_weight_one),
        world_test(arrays_that_contradict_themselves_are_refused),
        world_test(callbacks_draw_rows_jointly),
        world_test(callbacks_that_contradict_themselves_are_refused),
        world_test(csv_columns_become_condition_and_weight),
        world_test(csv_columns_that_are_not_there_are_refused),
        world_test(log_densities_match_scipy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
