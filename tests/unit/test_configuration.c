/* Structs of another age: how a library meets callers that know fewer fields, or more. */
#include "base/configuration.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* The struct of three versions of an interface. */
struct first {
    uint32_t struct_size;
    int32_t a;
};
struct second {
    uint32_t struct_size;
    int32_t a;
    int64_t b;
};
struct third {
    uint32_t struct_size;
    int32_t a;
    int64_t b;
    int64_t c;
};

static fmatch_status read_second(struct second *to, const void *from)
{
    memset(to, 0xff, sizeof *to);
    return configuration_read(to, sizeof *to, sizeof(struct first), from, "config");
}

static void missing_tail_reads_as_zero(void **state)
{
    (void)state;
    const struct first old = {.struct_size = sizeof old, .a = 7};
    struct second read;
    assert_int_equal(read_second(&read, &old), FMATCH_OK);
    assert_int_equal(read.a, 7);
    assert_int_equal(read.b, 0);
}

static void unknown_tail_must_be_zero(void **state)
{
    (void)state;
    struct third young = {.struct_size = sizeof young, .a = 7, .b = 8, .c = 0};
    struct second read;
    assert_int_equal(read_second(&read, &young), FMATCH_OK);
    assert_int_equal(read.a, 7);
    assert_int_equal(read.b, 8);

    young.c = INT64_C(1) << 56; /* in the last byte alone */
    assert_int_equal(read_second(&read, &young), FMATCH_ERROR_STRUCT_SIZE);
    assert_non_null(strstr(fmatch_error_detail(), "byte 23 is not zero"));
}

static void sizes_that_no_version_had_are_refused(void **state)
{
    (void)state;
    const uint32_t sizes[] = {0, 1, 4, 7, 65537, UINT32_MAX};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct third config = {.struct_size = sizes[i]};
        struct second read;
        if (read_second(&read, &config) != FMATCH_ERROR_STRUCT_SIZE)
            fail_msg("struct_size %u was accepted", (unsigned)sizes[i]);
    }
    struct second read;
    assert_int_equal(read_second(&read, NULL), FMATCH_ERROR_ARGUMENT);
    assert_string_equal(fmatch_error_detail(), "config is NULL");
}

/* An init function of the library writes into the struct of an older caller, and nothing behind it.
 */
static void writing_stays_within_the_callers_struct(void **state)
{
    (void)state;
    const struct second ours = {.a = 3, .b = 4};
    struct {
        struct first config;
        unsigned char behind[16];
    } old;
    memset(&old, 0xaa, sizeof old);
    configuration_write(&old.config, sizeof old.config, &ours, sizeof ours);
    assert_int_equal(old.config.struct_size, sizeof old.config);
    assert_int_equal(old.config.a, 3);
    for (size_t i = 0; i < sizeof old.behind; i++)
        assert_int_equal(old.behind[i], 0xaa);

    struct third young;
    memset(&young, 0xaa, sizeof young);
    configuration_write(&young, sizeof young, &ours, sizeof ours);
    assert_int_equal(young.struct_size, sizeof young);
    assert_int_equal(young.b, 4);
    assert_int_equal(young.c, 0);

    configuration_write(NULL, 8, &ours, sizeof ours);
    unsigned char byte = 0xaa;
    configuration_write(&byte, 1, &ours, sizeof ours);
    assert_int_equal(byte, 0xaa);
}

static void presets_are_written_by_their_numbers(void **state)
{
    (void)state;
    const struct second presets[] = {{.a = 1, .b = 2}, {.a = 3, .b = 4}};
    struct second config;
    for (int32_t i = 0; i < 2; i++) {
        configuration_write_preset(&config, sizeof config, i, presets, 2, sizeof presets[0]);
        assert_int_equal(config.struct_size, sizeof config);
        assert_int_equal(config.a, presets[i].a);
        assert_int_equal(config.b, presets[i].b);
    }
}

/* No preset: a struct that is refused when it is read, and nothing behind the caller's. */
static void unknown_preset_writes_what_cannot_be_read(void **state)
{
    (void)state;
    const struct second presets[] = {{.a = 1, .b = 2}, {.a = 3, .b = 4}};
    const int32_t unknown[] = {-1, 2, INT32_MIN, INT32_MAX};
    for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++) {
        struct {
            struct first config;
            unsigned char behind[16];
        } old;
        memset(&old, 0xaa, sizeof old);
        configuration_write_preset(&old.config, sizeof old.config, unknown[i], presets, 2,
                                   sizeof presets[0]);
        assert_int_equal(old.config.struct_size, 0);
        for (size_t b = 0; b < sizeof old.behind; b++)
            assert_int_equal(old.behind[b], 0xaa);
        struct second read;
        assert_int_equal(read_second(&read, &old.config), FMATCH_ERROR_STRUCT_SIZE);
        assert_non_null(strstr(fmatch_error_detail(), "preset"));
    }
    configuration_write_preset(NULL, 8, 7, presets, 2, sizeof presets[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(missing_tail_reads_as_zero),
        cmocka_unit_test(unknown_tail_must_be_zero),
        cmocka_unit_test(sizes_that_no_version_had_are_refused),
        cmocka_unit_test(presets_are_written_by_their_numbers),
        cmocka_unit_test(unknown_preset_writes_what_cannot_be_read),
        cmocka_unit_test(writing_stays_within_the_callers_struct),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
