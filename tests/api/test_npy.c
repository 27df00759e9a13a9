/* Rows of .npy files made byte by byte: what is accepted, what is refused, and that a file that
 * changes is noticed. */
#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif
#include "npy_bytes.h"

#include <sys/stat.h>

static fmatch_npy_config sequential(void)
{
    fmatch_npy_config config;
    fmatch_npy_config_init(&config);
    config.order = FMATCH_ORDER_SEQUENTIAL;
    assert_int_equal(config.weight_column, -1);
    return config;
}

/* The file exists while it is opened; a mapping outlives its name. */
static fmatch_status read_npy(fmatch_context *context, const struct bytes *b,
                              const fmatch_npy_config *config, fmatch_source **source)
{
    char path[256];
    write_file(path, b);
    *source = (fmatch_source *)path;
    const fmatch_status status = fmatch_source_create_npy(source, context, path, config);
    unlink(path);
    return status;
}

static fmatch_source *open_npy(fmatch_context *context, const struct bytes *b)
{
    const fmatch_npy_config config = sequential();
    fmatch_source *source;
    expect_ok(read_npy(context, b, &config, &source));
    return source;
}

/* ---- what is read ---- */

static void every_type_is_converted(void **state)
{
    /* Two numbers each, in the order of bytes that the type names. */
    static const struct {
        const char *type;
        size_t size;
        unsigned char cells[16];
        float wanted[2];
    } cases[] = {
        {"<f4", 4, {0, 0, 0xc0, 0x3f, 0, 0, 0, 0xc0}, {1.5F, -2}},
        {">f4", 4, {0x3f, 0xc0, 0, 0, 0xc0, 0, 0, 0}, {1.5F, -2}},
        {"<f8", 8, {0, 0, 0, 0, 0, 0, 0xf8, 0x3f, 0, 0, 0, 0, 0, 0, 0, 0xc0}, {1.5F, -2}},
        {">f8", 8, {0x3f, 0xf8, 0, 0, 0, 0, 0, 0, 0xc0}, {1.5F, -2}},
        {"|i1", 1, {0x80, 0x7f}, {-128, 127}},
        {"<i2", 2, {0x00, 0x80, 0x2c, 0x01}, {-32768, 300}},
        {">i2", 2, {0xff, 0xfe, 0x01, 0x2c}, {-2, 300}},
        {"<i4", 4, {0xff, 0xff, 0xff, 0xff, 0, 0, 1, 0}, {-1, 65536}},
        {">i8",
         8,
         {0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9},
         {-9223372036854775808.0F, 9}},
        {"|u1", 1, {0xff, 0}, {255, 0}},
        {"<u2", 2, {0xff, 0xff, 1, 0}, {65535, 1}},
        {">u4", 4, {0xff, 0xff, 0xff, 0x00, 0, 0, 0, 7}, {4294967040.0F, 7}},
        {"<u8", 8, {0, 0, 0, 0, 0, 0, 0, 0x80, 3}, {9223372036854775808.0F, 3}},
        {"|b1", 1, {1, 0}, {1, 0}},
    };
    for (size_t i = 0; i < COUNT(cases); i++)
        for (int major = 1; major <= 3; major++) {
            char header[128];
            snprintf(header, sizeof header,
                     "{'descr': '%s', 'fortran_order': False, 'shape': (2,), }  \n", cases[i].type);
            struct bytes b = npy_beginning(major, header);
            add_bytes(&b, 2 * cases[i].size, cases[i].cells);
            fmatch_source *source = open_npy(context_of(state), &b);
            expect_that(fmatch_source_get_dim(source) == 1 && fmatch_source_count_rows(source) == 2,
                        "%s has %lld rows of %d", cases[i].type,
                        (long long)fmatch_source_count_rows(source), fmatch_source_get_dim(source));
            float x[2];
            expect_ok(fmatch_source_get_rows(source, 0, 2, x));
            expect_same_bits(x, cases[i].wanted, 2, "%s, version %d", cases[i].type, major);
            fmatch_source_destroy(&source);
        }
}

static void headers_may_be_written_in_several_ways(void **state)
{
    static const char *const headers[] = {
        "{'descr': '<u1', 'fortran_order': False, 'shape': (3, 2), }                 \n",
        "{\"shape\":(3,2),\"descr\":\"|u1\",\"fortran_order\":False}",
        "{ 'fortran_order' : False , 'shape' : ( 3 , 2 , ) , 'descr' : '=u1' }\n",
        "{'descr': '|u1', 'fortran_order': False, 'shape': (3L, 2L), }\n",
    };
    static const unsigned char cells[] = {1, 2, 3, 4, 5, 6};
    static const float wanted[] = {1, 2, 3, 4, 5, 6};
    for (size_t i = 0; i < COUNT(headers); i++) {
        struct bytes b = npy_beginning(1, headers[i]);
        add_bytes(&b, sizeof cells, cells);
        fmatch_source *source = open_npy(context_of(state), &b);
        float x[6], mean[2], std[2];
        expect_ok(fmatch_source_get_rows(source, 0, 3, x));
        expect_same_bits(x, wanted, 6, "%s", headers[i]);
        expect_ok(fmatch_source_draw(source, 1, 3, 3, x));
        expect_same_bits(x, wanted, 6, "drawn, %s", headers[i]);
        expect_ok(fmatch_source_evaluate_moments(source, mean, std));
        expect_close(mean[1], 4, 1e-6, "mean");
        expect_close(std[1], sqrt(8.0 / 3), 1e-6, "deviation"); /* of 2, 4, 6 */
        fmatch_source_destroy(&source);
    }
    /* In one dimension both orders are the same. */
    struct bytes b = npy_beginning(1, "{'descr': '|u1', 'fortran_order': True, 'shape': (6,), }\n");
    add_bytes(&b, sizeof cells, cells);
    fmatch_source *source = open_npy(context_of(state), &b);
    fmatch_source_destroy(&source);
}

/* A file gives what an array of the same numbers gives, in every order. */
static void draws_are_those_of_an_array(void **state)
{
    enum { N = 300, COLUMNS = 4, DRAWS = 700 };
    static const int32_t columns[] = {3, 1}, condition_columns[] = {0};
    float *table = floats(N * COLUMNS), x[2 * N], condition[N], weight[N];
    fill_scattered(table, N * COLUMNS, 0, 1, 7);
    for (int i = 0; i < N; i++) {
        x[2 * i] = table[COLUMNS * i + 3];
        x[2 * i + 1] = table[COLUMNS * i + 1];
        condition[i] = table[COLUMNS * i];
        weight[i] = table[COLUMNS * i + 2];
    }
    const struct bytes b = npy_floats(N, COLUMNS, table);
    for (int32_t order = FMATCH_ORDER_SHUFFLED; order <= FMATCH_ORDER_SEQUENTIAL; order++) {
        fmatch_npy_config config = sequential();
        config.order = order;
        config.columns = columns;
        config.dim = 2;
        config.condition_columns = condition_columns;
        config.condition_dim = 1;
        config.weight_column = 2;
        fmatch_array_config array;
        fmatch_array_config_init(&array);
        array.dim = 2;
        array.n = N;
        array.rows = x;
        array.conditions = condition;
        array.condition_dim = 1;
        array.weights = weight;
        array.order = order;
        fmatch_source *file, *memory;
        expect_ok(read_npy(context_of(state), &b, &config, &file));
        expect_ok(fmatch_source_create_array(&memory, context_of(state), &array));
        float *a = floats(4 * DRAWS), *c = floats(4 * DRAWS);
        expect_ok(fmatch_source_draw_rows(file, 3, 5, DRAWS, a, a + 2 * DRAWS, a + 3 * DRAWS));
        expect_ok(fmatch_source_draw_rows(memory, 3, 5, DRAWS, c, c + 2 * DRAWS, c + 3 * DRAWS));
        expect_same_bits(a, c, 4 * DRAWS, "order %d", order);
        expect_ok(fmatch_source_draw(file, 3, 5 + 299, 1, a));
        expect_same_bits(a, c + 2 * 299, 2, "order %d: a row alone", order);
        expect_ok(fmatch_source_get_conditions(file, 10, 20, a));
        expect_same_bits(a, condition + 10, 20, "conditions");
        expect_ok(fmatch_source_get_weights(file, 10, 20, a));
        expect_same_bits(a, weight + 10, 20, "weights");
        float moments[4], wanted[4];
        expect_ok(fmatch_source_evaluate_moments(file, moments, moments + 2));
        expect_ok(fmatch_source_evaluate_moments(memory, wanted, wanted + 2));
        expect_same_bits(moments, wanted, 4, "moments");
        free(a);
        free(c);
        fmatch_source_destroy(&file);
        fmatch_source_destroy(&memory);
    }
    free(table);
}

/* ---- what is refused ---- */

static void hostile_headers_are_refused(void **state)
{
    static const struct {
        const char *header;
        fmatch_status status;
        const char *word;
    } cases[] = {
#define D "{'descr': '|u1', 'fortran_order': False, "
        {"", FMATCH_ERROR_FORMAT, "dictionary"},
        {"{}", FMATCH_ERROR_FORMAT, "lacks"},
        {D "}", FMATCH_ERROR_FORMAT, "lacks"},
        {D "'shape': (3, 2)", FMATCH_ERROR_FORMAT, "dictionary"},
        {D "'shape': (3, 2)} x", FMATCH_ERROR_FORMAT, "behind"},
        {D "'shape': (3, 2), 'shape': (3, 2)}", FMATCH_ERROR_FORMAT, "shape"},
        {D "'shape': (3, 2), 'descr': '|u1'}", FMATCH_ERROR_FORMAT, "type"},
        {D "'shape': (3, 2), 'extra': 1}", FMATCH_ERROR_FORMAT, "unknown"},
        {D "'shape': 6}", FMATCH_ERROR_FORMAT, "shape"},
        {D "'shape': (3, x)}", FMATCH_ERROR_FORMAT, "integers"},
        {D "'shape': (-3, 2)}", FMATCH_ERROR_FORMAT, "integers"},
        {D "'shape': (3 2)}", FMATCH_ERROR_FORMAT, "integers"},
        {D "'shape': (3", FMATCH_ERROR_FORMAT, "integers"},
        {D "'shape': (99999999999999999999, 2)}", FMATCH_ERROR_FORMAT, "integers"},
        {D "'shape': (9223372036854775000, 2)}", FMATCH_ERROR_FORMAT, "6 bytes"},
        {D "'shape': (4611686018427387904, 4)}", FMATCH_ERROR_FORMAT, "6 bytes"},
        {D "'shape': (2, 2)}", FMATCH_ERROR_FORMAT, "6 bytes"},
        {D "'shape': (4, 2)}", FMATCH_ERROR_FORMAT, "6 bytes"},
        {D "'shape': (0, 2)}", FMATCH_ERROR_FORMAT, "no number"},
        {D "'shape': (6, 0)}", FMATCH_ERROR_FORMAT, "no number"},
        {D "'shape': (1, 65537)}", FMATCH_ERROR_FORMAT, "65537 columns"},
        {D "'shape': ()}", FMATCH_ERROR_UNSUPPORTED, "0 dimensions"},
        {D "'shape': (3, 2, 1)}", FMATCH_ERROR_UNSUPPORTED, "3 dimensions"},
#undef D
        {"{'descr': '|u1', 'fortran_order': True, 'shape': (3, 2)}", FMATCH_ERROR_UNSUPPORTED,
         "Fortran"},
        {"{'descr': '|u1', 'fortran_order': 0, 'shape': (3, 2)}", FMATCH_ERROR_FORMAT,
         "fortran_order"},
        {"{'descr': '<c8', 'fortran_order': False, 'shape': (3, 2)}", FMATCH_ERROR_UNSUPPORTED,
         "'<c8'"},
        {"{'descr': '<f2', 'fortran_order': False, 'shape': (3, 2)}", FMATCH_ERROR_UNSUPPORTED,
         "'<f2'"},
        {"{'descr': '|O', 'fortran_order': False, 'shape': (3, 2)}", FMATCH_ERROR_UNSUPPORTED,
         "'|O'"},
        {"{'descr': '|f4', 'fortran_order': False, 'shape': (3, 2)}", FMATCH_ERROR_UNSUPPORTED,
         "'|f4'"},
        {"{'descr': '<U16', 'fortran_order': False, 'shape': (3, 2)}", FMATCH_ERROR_UNSUPPORTED,
         "'<U16'"},
        {"{'descr': [('x', '<f4')], 'fortran_order': False, 'shape': (3,)}",
         FMATCH_ERROR_UNSUPPORTED, "records"},
        {"{'descr': '<f4, 'fortran_order': False, 'shape': (3,)}", FMATCH_ERROR_UNSUPPORTED, "<f4"},
        {"{'descr", FMATCH_ERROR_FORMAT, "dictionary"},
        {"{'descr' '|u1'}", FMATCH_ERROR_FORMAT, "dictionary"},
    };
    static const unsigned char cells[6] = {1, 2, 3, 4, 5, 6};
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct bytes b = npy_beginning(1, cases[i].header);
        add_bytes(&b, sizeof cells, cells);
        fmatch_source *source;
        const fmatch_status status = read_npy(context_of(state), &b, NULL, &source);
        expect_that(status == cases[i].status && !source, "%s gives %s (\"%s\")", cases[i].header,
                    fmatch_status_get_name(status), fmatch_error_detail());
        expect_detail("flowmatch_npy", cases[i].word);
    }
}

/* A good file cut short at every byte, or with a byte more. */
static void files_of_another_length_are_refused(void **state)
{
    static const float values[] = {1, 2, 3, 4, 5, 6};
    struct bytes b = npy_floats(3, 2, values);
    fmatch_source *source;
    for (size_t size = 0; size < b.size; size++) {
        struct bytes cut = b;
        cut.size = size;
        expect_status(read_npy(context_of(state), &cut, NULL, &source), FMATCH_ERROR_FORMAT);
    }
    add_bytes(&b, 1, "x");
    expect_status(read_npy(context_of(state), &b, NULL, &source), FMATCH_ERROR_FORMAT);
    expect_detail("25 bytes", "3 rows of 8 bytes");
}

static void other_beginnings_are_refused(void **state)
{
    static const float values[] = {1, 2};
    const struct bytes good = npy_floats(1, 2, values);
    fmatch_source *source;
    for (size_t i = 0; i < 6; i++) {
        struct bytes b = good;
        b.data[i] ^= 1;
        expect_status(read_npy(context_of(state), &b, NULL, &source), FMATCH_ERROR_FORMAT);
        expect_detail("no .npy file");
    }
    static const unsigned char versions[][2] = {{0, 0}, {4, 0}, {1, 1}};
    for (size_t i = 0; i < COUNT(versions); i++) {
        struct bytes b = good;
        b.data[6] = versions[i][0];
        b.data[7] = versions[i][1];
        expect_status(read_npy(context_of(state), &b, NULL, &source), FMATCH_ERROR_UNSUPPORTED);
        expect_detail("version");
    }
    struct bytes b = good;
    b.data[8] = b.data[9] = 0xff; /* a header of 65535 bytes */
    expect_status(read_npy(context_of(state), &b, NULL, &source), FMATCH_ERROR_FORMAT);
    expect_detail("header is too long");
    expect_status(fmatch_source_create_npy(&source, context_of(state), "no/such.npy", NULL),
                  FMATCH_ERROR_IO);
    expect_detail("no/such.npy");
    expect_status(fmatch_source_create_npy(&source, context_of(state), "/dev/zero", NULL),
                  FMATCH_ERROR_IO);
    expect_detail("not a file");
    expect_status(fmatch_source_create_npy(&source, context_of(state), ".", NULL), FMATCH_ERROR_IO);

    char path[256];
    write_file(path, &good);
    unlink(path);
    assert_int_equal(mkfifo(path, 0600), 0); /* that nobody writes to */
    expect_status(fmatch_source_create_npy(&source, context_of(state), path, NULL),
                  FMATCH_ERROR_IO);
    unlink(path);
}

/* Columns that are not used may hold anything. */
static void numbers_are_checked_when_they_are_drawn(void **state)
{
    static const float values[] = {1, 2, 3, NAN, 5, 6, 7, 8, -1, 10, 11, 12};
    static const int32_t second[] = {1};
    const struct bytes b = npy_floats(4, 3, values);
    fmatch_source *source = open_npy(context_of(state), &b);
    float x[12], weight[4];
    expect_ok(fmatch_source_draw(source, 0, 0, 1, x));
    expect_status(fmatch_source_draw(source, 0, 0, 4, x), FMATCH_ERROR_NOT_FINITE);
    expect_detail("flowmatch_npy", "row 1", "column 0", "nan");
    expect_status(fmatch_source_get_rows(source, 1, 1, x), FMATCH_ERROR_NOT_FINITE);
    expect_status(fmatch_source_evaluate_moments(source, x, x + 3), FMATCH_ERROR_NOT_FINITE);
    fmatch_source_destroy(&source);

    fmatch_npy_config config = sequential();
    config.columns = second;
    config.dim = 1;
    config.weight_column = 2;
    expect_ok(read_npy(context_of(state), &b, &config, &source));
    expect_ok(fmatch_source_draw(source, 0, 0, 4, x));
    expect_status(fmatch_source_draw_rows(source, 0, 0, 4, x, NULL, weight), FMATCH_ERROR_FORMAT);
    expect_detail("row 2", "column 2", "-1", "at least 0");
    fmatch_source_destroy(&source);

    /* A double beyond the floats. */
    static const unsigned char large[] = {0x7e, 0x37, 0xe4, 0x3c, 0x88, 0x00, 0x75, 0x9c};
    struct bytes d = npy_beginning(1, "{'descr':'>f8','fortran_order':False,'shape':(1,)}");
    add_bytes(&d, sizeof large, large);
    source = open_npy(context_of(state), &d);
    expect_status(fmatch_source_draw(source, 0, 0, 1, x), FMATCH_ERROR_NOT_FINITE);
    expect_detail("row 0", "column 0", "inf");
    fmatch_source_destroy(&source);
}

static void a_file_that_is_cut_short_later_is_noticed(void **state)
{
    enum { N = 4000 };
    static float values[N];
    const struct bytes b = npy_floats(N, 1, values);
    char path[256];
    write_file(path, &b);
    const fmatch_npy_config config = sequential();
    fmatch_source *source;
    expect_ok(fmatch_source_create_npy(&source, context_of(state), path, &config));
    static float x[N];
    expect_ok(fmatch_source_draw(source, 0, 0, N, x));
    assert_int_equal(truncate(path, 4096), 0);
    expect_status(fmatch_source_draw(source, 0, N - 1, 1, x), FMATCH_ERROR_FORMAT);
    expect_detail(path, "4096", "when it was opened");
    expect_status(fmatch_source_get_rows(source, 0, N, x), FMATCH_ERROR_FORMAT);
    expect_status(fmatch_source_evaluate_moments(source, x, x + 1), FMATCH_ERROR_FORMAT);
    fmatch_source_destroy(&source);
    unlink(path);
}

/* A file of 64 gibibytes that takes no room on the disk: nothing but the rows drawn is read. */
static void a_file_may_be_larger_than_the_memory(void **state)
{
    if (sizeof(size_t) < 8)
        return;
    const long long n = 1LL << 33;
    char header[128], path[256];
    snprintf(header, sizeof header, "{'descr': '<f4', 'fortran_order': False, 'shape': (%lld, 2)}",
             n);
    const struct bytes b = npy_beginning(1, header);
    write_file(path, &b);
    if (truncate(path, (off_t)b.size + 8 * n) != 0) { /* a file system without such files */
        unlink(path);
        return;
    }
    struct ledger *ledger = &((struct world *)*state)->ledger;
    const int64_t before = ledger->live_bytes;
    fmatch_source *source;
    expect_ok(fmatch_source_create_npy(&source, context_of(state), path, NULL));
    unlink(path);
    assert_true(fmatch_source_count_rows(source) == n);
    static float x[2000];
    expect_ok(fmatch_source_draw(source, 0, 0, 1000, x));
    expect_ok(fmatch_source_get_rows(source, n - 1000, 1000, x));
    expect_that(ledger->live_bytes - before < 4096, "%lld bytes are held",
                (long long)(ledger->live_bytes - before));
    fmatch_source_destroy(&source);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        world_test(every_type_is_converted),
        world_test(headers_may_be_written_in_several_ways),
        world_test(draws_are_those_of_an_array),
        world_test(hostile_headers_are_refused),
        world_test(files_of_another_length_are_refused),
        world_test(other_beginnings_are_refused),
        world_test(numbers_are_checked_when_they_are_drawn),
        world_test(a_file_that_is_cut_short_later_is_noticed),
        world_test(a_file_may_be_larger_than_the_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
