/* The safetensors reader against files that are as they should be, and against every kind that is
 * not. */
#include "base/allocation.h"
#include "format/safetensors.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char path[4096];

static int make_path(void **state)
{
    (void)state;
    const char *folder = getenv("TMPDIR");
    snprintf(path, sizeof path, "%s/flowmatch-XXXXXX", folder ? folder : "/tmp");
    const int descriptor = mkstemp(path);
    if (descriptor < 0)
        return -1;
    close(descriptor);
    return 0;
}

static int remove_path(void **state)
{
    (void)state;
    return unlink(path);
}

static void write_bytes(const void *bytes, size_t size)
{
    FILE *stream = fopen(path, "wb");
    assert_non_null(stream);
    assert_int_equal(fwrite(bytes, 1, size, stream), size);
    assert_int_equal(fclose(stream), 0);
}

/* A file of a header and `data` zero bytes, whose length field says `length`. */
static void write_file(const char *header, size_t header_size, uint64_t length, size_t data)
{
    unsigned char *bytes = calloc(1, 8 + header_size + data);
    assert_non_null(bytes);
    for (int i = 0; i < 8; i++)
        bytes[i] = (unsigned char)(length >> 8 * i);
    memcpy(bytes + 8, header, header_size);
    write_bytes(bytes, 8 + header_size + data);
    free(bytes);
}

static fmatch_status try_open(void)
{
    struct safetensors file;
    const fmatch_status status = safetensors_open(&file, &allocation_default, path);
    if (status == FMATCH_OK)
        safetensors_close(&file, &allocation_default);
    return status;
}

static void expect_header(const char *header, size_t data, fmatch_status expected)
{
    write_file(header, strlen(header), strlen(header), data);
    const fmatch_status status = try_open();
    if (status != expected)
        fail_msg("header %s with %zu bytes: %s (%s), not %s", header, data,
                 fmatch_status_get_name(status), fmatch_error_detail(),
                 fmatch_status_get_name(expected));
}

#define F32(shape, offsets) "{\"dtype\":\"F32\",\"shape\":" shape ",\"data_offsets\":" offsets "}"

static void accepts_what_the_format_allows(void **state)
{
    (void)state;
    expect_header("{}", 0, FMATCH_OK);
    expect_header("{}   \n", 0, FMATCH_OK);
    expect_header("{\"a\":" F32("[2]", "[0,8]") "}", 8, FMATCH_OK);
    expect_header("{\"a\":" F32("[]", "[0,4]") "}", 4, FMATCH_OK);
    expect_header("{\"a\":" F32("[0,7]", "[0,0]") "}", 0, FMATCH_OK);
    expect_header("{\"b\":" F32("[1]", "[4,8]") ",\"a\":" F32("[1]", "[0,4]") "}", 8, FMATCH_OK);
    expect_header("{ \"a\" : {\"shape\": [ 1 , 2 ], \"data_offsets\" : [0, 8],\"dtype\":\"F32\"} }",
                  8, FMATCH_OK);
    expect_header("{\"__metadata__\":{}}", 0, FMATCH_OK);
    expect_header("{\"__metadata__\":{\"k\":\"v\",\"l\":\"\"},\"a\":" F32("[1]", "[0,4]") "}", 4,
                  FMATCH_OK);
}

static void refuses_malformed_headers(void **state)
{
    (void)state;
    static const struct {
        const char *header;
        size_t data;
    } cases[] = {
        /* holes, overlaps, sizes */
        {"{\"a\":" F32("[1]", "[4,8]") "}", 8},
        {"{\"a\":" F32("[1]", "[0,4]") "}", 8},
        {"{\"a\":" F32("[1]", "[0,4]") ",\"b\":" F32("[1]", "[8,12]") "}", 12},
        {"{\"a\":" F32("[1]", "[0,4]") ",\"b\":" F32("[1]", "[0,4]") "}", 8},
        {"{\"a\":" F32("[2]", "[0,8]") ",\"b\":" F32("[1]", "[4,8]") "}", 12},
        {"{\"a\":" F32("[2]", "[0,4]") "}", 4},
        {"{\"a\":" F32("[1]", "[0,8]") "}", 8},
        {"{\"a\":" F32("[1]", "[4,0]") "}", 4},
        {"{\"a\":" F32("[1]", "[0,4]") "}", 3},
        {"{\"a\":" F32("[1]", "[0,4]") "}", 0},
        {"{}", 1},
        /* numbers that do not fit, or are none */
        {"{\"a\":" F32("[9223372036854775807,9223372036854775807]", "[0,4]") "}", 4},
        {"{\"a\":" F32("[99999999999999999999]", "[0,4]") "}", 4},
        {"{\"a\":" F32("[4611686018427387904]", "[0,0]") "}", 0},
        {"{\"a\":" F32("[1]", "[0,18446744073709551620]") "}", 4},
        {"{\"a\":" F32("[-1]", "[0,4]") "}", 4},
        {"{\"a\":" F32("[1.0]", "[0,4]") "}", 4},
        {"{\"a\":" F32("[1e0]", "[0,4]") "}", 4},
        {"{\"a\":" F32("[01]", "[0,4]") "}", 4},
        {"{\"a\":" F32("[\"1\"]", "[0,4]") "}", 4},
        {"{\"a\":" F32("[1,]", "[0,4]") "}", 4},
        {"{\"a\":" F32("[1,1,1,1,1,1,1,1,1]", "[0,4]") "}", 4},
        {"{\"a\":" F32("[1]", "[0,4,8]") "}", 4},
        {"{\"a\":" F32("[1]", "[0]") "}", 4},
        /* keys */
        {"{\"a\":" F32("[1]", "[0,4]") ",\"a\":" F32("[1]", "[4,8]") "}", 8},
        {"{\"a\":" F32("[1]", "[0,4]") ",\"\\u0061\":" F32("[1]", "[4,8]") "}", 8},
        {"{\"__metadata__\":{},\"__metadata__\":{}}", 0},
        {"{\"__metadata__\":{\"k\":\"v\",\"k\":\"w\"}}", 0},
        {"{\"__metadata__\":{\"k\":1}}", 0},
        {"{\"__metadata__\":{\"k\":{}}}", 0},
        {"{\"__metadata__\":[]}", 0},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1]}}", 0},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4],\"more\":1}}", 4},
        {"{\"a\":{\"dtype\":\"F32\",\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 4},
        {"{\"a\":{\"dtype\":\"F31\",\"shape\":[1],\"data_offsets\":[0,4]}}", 4},
        {"{\"a\":{}}", 0},
        {"{\"a\":[]}", 0},
        {"{\"a\":1}", 0},
        /* JSON that is none */
        {"[]", 0},
        {" {}", 0},
        {"{", 0},
        {"{\"a\"", 0},
        {"{\"a\":", 0},
        {"{,}", 0},
        {"{}{}", 0},
        {"{} x", 0},
        {"{\"a:" F32("[1]", "[0,4]") "}", 4},
        {"{a:" F32("[1]", "[0,4]") "}", 4},
        {"{'a':" F32("[1]", "[0,4]") "}", 4},
        {"{\"a\\q\":" F32("[1]", "[0,4]") "}", 4},
        {"{\"a\\", 0},
        {"{\"a\\u00\":" F32("[1]", "[0,4]") "}", 4},
        {"{\"\\u0000\":" F32("[1]", "[0,4]") "}", 4},
        {"{\"\\ud800\":" F32("[1]", "[0,4]") "}", 4},
        {"{\"\\udc00\":" F32("[1]", "[0,4]") "}", 4},
        {"{\"\\ud800\\u0041\":" F32("[1]", "[0,4]") "}", 4},
        {"{\"a\nb\":" F32("[1]", "[0,4]") "}", 4},
        {"{\"a\xff\":" F32("[1]", "[0,4]") "}", 4},
        {"{\"a\xc0\x80\":" F32("[1]", "[0,4]") "}", 4},
        {"{\"a\xed\xa0\x80\":" F32("[1]", "[0,4]") "}", 4},
        {"{\"a\xe2\x82\":" F32("[1]", "[0,4]") "}", 4},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        expect_header(cases[i].header, cases[i].data, FMATCH_ERROR_FORMAT);
}

static void refuses_lengths_that_the_file_cannot_have(void **state)
{
    (void)state;
    const uint64_t lengths[] = {
        0, 1, 3, 4, 1000, 1u << 30, UINT64_C(1) << 62, INT64_MAX, UINT64_MAX, UINT64_MAX - 7};
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        write_file("{}", 2, lengths[i], 0);
        if (try_open() != FMATCH_ERROR_FORMAT)
            fail_msg("a header of %llu bytes was accepted", (unsigned long long)lengths[i]);
    }
    /* A header with a zero byte in it. */
    write_file("{}\0", 3, 3, 0);
    assert_int_equal(try_open(), FMATCH_ERROR_FORMAT);
}

/* Deep nesting cannot exhaust a stack that is not used for it. */
static void refuses_deep_nesting(void **state)
{
    (void)state;
    const size_t depth = 1000000;
    char *header = malloc(depth);
    assert_non_null(header);
    memcpy(header, "{\"a\":", 5);
    memset(header + 5, '[', depth - 5);
    write_file(header, depth, depth, 0);
    assert_int_equal(try_open(), FMATCH_ERROR_FORMAT);
    memset(header + 5, '{', depth - 5);
    write_file(header, depth, depth, 0);
    assert_int_equal(try_open(), FMATCH_ERROR_FORMAT);
    free(header);
}

static void refuses_what_is_no_file(void **state)
{
    (void)state;
    struct safetensors file;
    assert_int_equal(safetensors_open(&file, &allocation_default, "/nonexistent/x"),
                     FMATCH_ERROR_IO);
    assert_int_equal(safetensors_open(&file, &allocation_default, "/"), FMATCH_ERROR_IO);
    assert_int_equal(safetensors_open(&file, &allocation_default, "/dev/zero"), FMATCH_ERROR_IO);
}

static const float small[] = {1.5f, -2.0f, 3.25f, 1e-30f, -0.0f, 7.0f};

static void save_small(void)
{
    const struct safetensors_pair pairs[] = {{"kind", "test"}, {"empty", ""}};
    const struct safetensors_array arrays[] = {
        {"weight", 2, {2, 2}, small},
        {"bias", 1, {2, 1}, small + 4},
    };
    const fmatch_status status = safetensors_save(&allocation_default, path, 2, pairs, 2, arrays);
    if (status != FMATCH_OK)
        fail_msg("saving failed: %s", fmatch_error_detail());
}

static void gives_back_what_was_saved(void **state)
{
    (void)state;
    save_small();
    struct safetensors file;
    assert_int_equal(safetensors_open(&file, &allocation_default, path), FMATCH_OK);
    assert_int_equal(file.entries, 2);
    assert_string_equal(safetensors_metadata(&file, "kind"), "test");
    assert_string_equal(safetensors_metadata(&file, "empty"), "");
    assert_null(safetensors_metadata(&file, "other"));
    assert_null(safetensors_find(&file, "other"));
    assert_int_equal(file.data % 8, 0);

    const struct safetensors_entry *weight = safetensors_find(&file, "weight");
    assert_non_null(weight);
    assert_int_equal(weight->rank, 2);
    assert_int_equal(weight->shape[0], 2);
    float values[4];
    assert_int_equal(safetensors_read(&file, weight, 4, values), FMATCH_OK);
    assert_memory_equal(values, small, sizeof values);
    assert_int_equal(safetensors_read(&file, safetensors_find(&file, "bias"), 2, values),
                     FMATCH_OK);
    assert_memory_equal(values, small + 4, 2 * sizeof *values);
    assert_int_equal(safetensors_read(&file, weight, 3, values), FMATCH_ERROR_SHAPE);
    safetensors_close(&file, &allocation_default);
}

/* A file that ends early, wherever, is never read as a whole one. */
static void refuses_every_truncation(void **state)
{
    (void)state;
    save_small();
    char whole[4096];
    FILE *stream = fopen(path, "rb");
    assert_non_null(stream);
    const size_t size = fread(whole, 1, sizeof whole, stream);
    fclose(stream);
    assert_in_range(size, 100, sizeof whole - 1);
    for (size_t cut = 0; cut < size; cut++) {
        write_bytes(whole, cut);
        const fmatch_status status = try_open();
        if (status != FMATCH_ERROR_FORMAT)
            fail_msg("cut to %zu of %zu bytes: %s", cut, size, fmatch_status_get_name(status));
    }
    whole[size] = 'x';
    write_bytes(whole, size + 1);
    assert_int_equal(try_open(), FMATCH_ERROR_FORMAT);
}

/* Any one byte of the header changed: an error or a file that is still consistent, never a crash.
 */
static void survives_every_altered_byte(void **state)
{
    (void)state;
    save_small();
    unsigned char whole[4096];
    FILE *stream = fopen(path, "rb");
    assert_non_null(stream);
    const size_t size = fread(whole, 1, sizeof whole, stream);
    fclose(stream);
    static const unsigned char others[] = {0, 1, '"', '\\', '{', '}', '[', '9', 0x80, 0xff};
    for (size_t i = 0; i < size; i++)
        for (size_t k = 0; k < sizeof others; k++) {
            const unsigned char before = whole[i];
            whole[i] = others[k];
            write_bytes(whole, size);
            const fmatch_status status = try_open();
            if (status != FMATCH_OK && status != FMATCH_ERROR_FORMAT)
                fail_msg("byte %zu as %u: %s", i, others[k], fmatch_status_get_name(status));
            whole[i] = before;
        }
}

/* Values of each floating-point type, worked out by hand from IEEE 754. */
static void reads_every_floating_point_type(void **state)
{
    (void)state;
    static const struct {
        const char *type;
        size_t size;
        unsigned char bytes[8];
        float value;
    } cases[] = {
        {"F32", 4, {0, 0, 0xc0, 0x3f}, 1.5f},
        {"F64", 8, {0, 0, 0, 0, 0, 0, 0xf8, 0xbf}, -1.5f},
        {"F16", 2, {0x00, 0x3e}, 1.5f},
        {"F16", 2, {0x01, 0x00}, 5.9604644775390625e-8f},  /* the smallest subnormal, 2^-24 */
        {"F16", 2, {0xff, 0x83}, -6.0975551605224609e-5f}, /* the largest, negative */
        {"F16", 2, {0xff, 0x7b}, 65504.0f},
        {"F16", 2, {0x00, 0xfc}, -INFINITY},
        {"BF16", 2, {0xc0, 0x3f}, 1.5f},
        {"BF16", 2, {0x80, 0xff}, -INFINITY},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        unsigned char file_bytes[256] = {0};
        const int length =
            snprintf((char *)file_bytes + 8, 200,
                     "{\"a\":{\"dtype\":\"%s\",\"shape\":[1],\"data_offsets\":[0,%zu]}}",
                     cases[i].type, cases[i].size);
        file_bytes[0] = (unsigned char)length;
        memcpy(file_bytes + 8 + length, cases[i].bytes, cases[i].size);
        write_bytes(file_bytes, 8 + (size_t)length + cases[i].size);

        struct safetensors file;
        float value = 0;
        assert_int_equal(safetensors_open(&file, &allocation_default, path), FMATCH_OK);
        assert_int_equal(safetensors_read(&file, safetensors_find(&file, "a"), 1, &value),
                         FMATCH_OK);
        if (value != cases[i].value)
            fail_msg("case %zu, %s: %.9g, not %.9g", i, cases[i].type, (double)value,
                     (double)cases[i].value);
        safetensors_close(&file, &allocation_default);
    }
    expect_header("{\"a\":{\"dtype\":\"I64\",\"shape\":[1],\"data_offsets\":[0,8]}}", 8, FMATCH_OK);
    struct safetensors file;
    float value;
    assert_int_equal(safetensors_open(&file, &allocation_default, path), FMATCH_OK);
    assert_int_equal(safetensors_read(&file, safetensors_find(&file, "a"), 1, &value),
                     FMATCH_ERROR_FORMAT);
    safetensors_close(&file, &allocation_default);
}

static void escapes_are_decoded(void **state)
{
    (void)state;
    static const char header[] =
        "{\"__metadata__\":{\"\\u00e9\\ud83d\\ude00\\n\\/\":\"a\\\"b\\\\c\"}}";
    write_file(header, sizeof header - 1, sizeof header - 1, 0);
    struct safetensors file;
    assert_int_equal(safetensors_open(&file, &allocation_default, path), FMATCH_OK);
    assert_int_equal(file.pairs, 1);
    assert_string_equal(file.pair[0].key, "\xc3\xa9\xf0\x9f\x98\x80\n/");
    assert_string_equal(file.pair[0].value, "a\"b\\c");
    safetensors_close(&file, &allocation_default);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, make_path, remove_path)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(accepts_what_the_format_allows),
        TEST(refuses_malformed_headers),
        TEST(refuses_lengths_that_the_file_cannot_have),
        TEST(refuses_deep_nesting),
        TEST(refuses_what_is_no_file),
        TEST(gives_back_what_was_saved),
        TEST(refuses_every_truncation),
        TEST(survives_every_altered_byte),
        TEST(reads_every_floating_point_type),
        TEST(escapes_are_decoded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
