/* The container of checkpoints: its bytes, and what it refuses. */
#include "format/checkpoint_file.h"

#include "base/status.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { SIZE_MAX_TEST = 512, HEADER = 16, HEAD = 64, VERSION_AT = 8, TYPE_AT = 52, COUNT_AT = 56 };

static char path[256];

static int make_path(void **state)
{
    (void)state;
    const char *temporary = getenv("TMPDIR");
    snprintf(path, sizeof path, "%s/flowmatch-XXXXXX", temporary ? temporary : "/tmp");
    const int descriptor = mkstemp(path);
    return descriptor >= 0 ? close(descriptor) : -1;
}

static int remove_path(void **state)
{
    (void)state;
    return remove(path);
}

/* Bit by bit, from the definition of CRC-64/XZ. */
static uint64_t crc(const unsigned char *bytes, size_t size)
{
    uint64_t value = ~(uint64_t)0;
    for (size_t i = 0; i < size; i++) {
        value ^= bytes[i];
        for (int bit = 0; bit < 8; bit++)
            value = value >> 1 ^ (value % 2 ? 0xC96C5795D7870F42u : 0);
    }
    return ~value;
}

static void put_little(unsigned char *to, uint64_t value, int bytes)
{
    for (int i = 0; i < bytes; i++)
        to[i] = (unsigned char)(value >> 8 * i);
}

static void write_bytes(const unsigned char *bytes, size_t size)
{
    FILE *file = fopen(path, "wb");
    if (!file || fwrite(bytes, 1, size, file) != size || fclose(file) != 0)
        fail_msg("%s cannot be written", path);
}

/* With the checksum that belongs to them, in their last eight bytes. */
static void write_sealed(unsigned char *bytes, size_t size)
{
    put_little(bytes + size - 8, crc(bytes, size - 8), 8);
    write_bytes(bytes, size);
}

static size_t read_bytes(unsigned char *bytes)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        fail_msg("%s cannot be read", path);
    const size_t size = fread(bytes, 1, SIZE_MAX_TEST, file);
    fclose(file);
    return size;
}

static uint32_t small[] = {1, 0x84838281u};
static uint64_t large[] = {0x8877665544332211u};
static float single[] = {1.0f, -0.0f};
static double twice[] = {-2.0};

static const struct checkpoint_array arrays[] = {
    {"small", CHECKPOINT_U32, 2, small},   {"large", CHECKPOINT_U64, 1, large},
    {"single", CHECKPOINT_F32, 2, single}, {"twice", CHECKPOINT_F64, 1, twice},
    {"none", CHECKPOINT_F64, 0, NULL},
};

enum { ARRAYS = sizeof arrays / sizeof arrays[0] };

static size_t sound_file(unsigned char *bytes)
{
    assert_int_equal(checkpoint_file_save(path, ARRAYS, arrays), FMATCH_OK);
    return read_bytes(bytes);
}

static fmatch_status read_array(struct checkpoint_file *file)
{
    struct checkpoint_array array;
    RETURN_IF_FAILED(checkpoint_file_next(file, &array));
    for (int64_t i = 0; i < array.count; i++) {
        unsigned char value[8];
        RETURN_IF_FAILED(checkpoint_file_read(file, array.type, 1, value));
    }
    return FMATCH_OK;
}

/* Reads all that the file says it has. */
static fmatch_status read_all(void)
{
    struct checkpoint_file file;
    RETURN_IF_FAILED(checkpoint_file_open(&file, path));
    fmatch_status status = FMATCH_OK;
    while (status == FMATCH_OK && file.next < file.arrays)
        status = read_array(&file);
    if (status == FMATCH_OK)
        status = checkpoint_file_end(&file);
    checkpoint_file_close(&file);
    return status;
}

static void expect(fmatch_status wanted, const char *what, size_t where)
{
    const fmatch_status seen = read_all();
    if (seen != wanted)
        fail_msg("%s %zu: %s (\"%s\") instead of %s", what, where, fmatch_status_get_name(seen),
                 fmatch_error_detail(), fmatch_status_get_name(wanted));
}

/* ---- tests ---- */

static void checksum_is_that_of_xz(void **state)
{
    (void)state;
    const uint64_t seen = crc((const unsigned char *)"123456789", 9);
    if (seen != 0x995DC9BBDF1939FAu) /* from the catalogue of CRCs */
        fail_msg("%llx", (unsigned long long)seen);
}

static void bytes_are_those_described(void **state)
{
    (void)state;
    static const char *const names[ARRAYS] = {"small", "large", "single", "twice", "none"};
    static const unsigned char types[ARRAYS] = {1, 2, 3, 4, 4}, counts[ARRAYS] = {2, 1, 2, 1, 0};
    static const unsigned char values[ARRAYS][8] = {
        {1, 0, 0, 0, 0x81, 0x82, 0x83, 0x84},
        {0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88},
        {0, 0, 0x80, 0x3F, 0, 0, 0, 0x80},
        {0, 0, 0, 0, 0, 0, 0, 0xC0},
        {0}};
    unsigned char seen[SIZE_MAX_TEST],
        wanted[SIZE_MAX_TEST] = {0x89, 'f', 'm', 'c', 'k', 'p', 't', '\n', 1};
    wanted[12] = ARRAYS;
    size_t size = HEADER;
    for (int i = 0; i < ARRAYS; i++) {
        memcpy(wanted + size, names[i], strlen(names[i]));
        wanted[size + TYPE_AT] = types[i];
        wanted[size + COUNT_AT] = counts[i];
        memcpy(wanted + size + HEAD, values[i], 8);
        size += counts[i] > 0 ? HEAD + 8 : HEAD;
    }
    put_little(wanted + size, crc(wanted, size), 8);
    assert_int_equal(sound_file(seen), size + 8);
    assert_memory_equal(seen, wanted, size + 8);
}

static void values_come_back(void **state)
{
    (void)state;
    static const int width[] = {0, 4, 8, 4, 8};
    struct checkpoint_file file;
    assert_int_equal(checkpoint_file_save(path, ARRAYS, arrays), FMATCH_OK);
    assert_int_equal(checkpoint_file_open(&file, path), FMATCH_OK);
    for (int i = 0; i < ARRAYS; i++) {
        struct checkpoint_array array;
        unsigned char values[16];
        assert_int_equal(checkpoint_file_next(&file, &array), FMATCH_OK);
        assert_string_equal(array.name, arrays[i].name);
        assert_int_equal(array.type, arrays[i].type);
        assert_int_equal(array.count, arrays[i].count);
        assert_int_equal(checkpoint_file_read(&file, array.type, array.count, values), FMATCH_OK);
        if (array.count > 0)
            assert_memory_equal(values, arrays[i].values,
                                (size_t)(array.count * width[array.type]));
    }
    assert_int_equal(checkpoint_file_end(&file), FMATCH_OK);
    struct checkpoint_array beyond;
    assert_int_equal(checkpoint_file_next(&file, &beyond), FMATCH_ERROR_FORMAT);
    checkpoint_file_close(&file);
}

/* More than any buffer holds. */
static void long_arrays_come_back(void **state)
{
    (void)state;
    enum { LONG = 6144 + 77 };
    static uint32_t values[LONG], seen[LONG];
    for (uint32_t i = 0; i < LONG; i++)
        values[i] = i * 2654435761u;
    const struct checkpoint_array one = {"long", CHECKPOINT_U32, LONG, values};
    struct checkpoint_file file;
    struct checkpoint_array array;
    assert_int_equal(checkpoint_file_save(path, 1, &one), FMATCH_OK);
    assert_int_equal(checkpoint_file_open(&file, path), FMATCH_OK);
    assert_int_equal(checkpoint_file_next(&file, &array), FMATCH_OK);
    assert_int_equal(checkpoint_file_read(&file, array.type, array.count, seen), FMATCH_OK);
    assert_int_equal(checkpoint_file_end(&file), FMATCH_OK);
    checkpoint_file_close(&file);
    assert_memory_equal(seen, values, sizeof values);
}

static void every_truncation_is_refused(void **state)
{
    (void)state;
    unsigned char bytes[SIZE_MAX_TEST];
    const size_t size = sound_file(bytes);
    expect(FMATCH_OK, "whole file, bytes", size);
    for (size_t cut = 0; cut < size; cut++) {
        write_bytes(bytes, cut);
        expect(FMATCH_ERROR_FORMAT, "cut at", cut);
    }
    memset(bytes + size, 0, 8);
    write_bytes(bytes, size + 1);
    expect(FMATCH_ERROR_FORMAT, "a byte more than", size);
}

static void every_flipped_bit_is_refused(void **state)
{
    (void)state;
    unsigned char bytes[SIZE_MAX_TEST];
    const size_t size = sound_file(bytes);
    for (size_t bit = 0; bit < 8 * size; bit++) {
        bytes[bit / 8] ^= (unsigned char)(1 << bit % 8);
        write_bytes(bytes, size);
        expect(FMATCH_ERROR_FORMAT, "bit", bit);
        bytes[bit / 8] ^= (unsigned char)(1 << bit % 8);
    }
}

/* With a checksum that fits: the signature is looked at first, then the checksum, then the version.
 */
static void versions_are_told_from_damage(void **state)
{
    (void)state;
    unsigned char bytes[SIZE_MAX_TEST];
    const size_t size = sound_file(bytes);
    put_little(bytes + VERSION_AT, CHECKPOINT_VERSION + 1, 4);
    write_sealed(bytes, size);
    expect(FMATCH_ERROR_VERSION, "version", CHECKPOINT_VERSION + 1);
    put_little(bytes + VERSION_AT, 0, 4);
    write_sealed(bytes, size);
    expect(FMATCH_ERROR_FORMAT, "version", 0);
    memset(bytes, 0, 8);
    write_sealed(bytes, size);
    expect(FMATCH_ERROR_FORMAT, "signature of zeros, bytes", size);
    if (!strstr(fmatch_error_detail(), "is not a checkpoint"))
        fail_msg("\"%s\"", fmatch_error_detail());
}

static void counts_beyond_the_file_are_refused(void **state)
{
    (void)state;
    static const uint64_t counts[] = {3,
                                      UINT64_MAX,
                                      (uint64_t)1 << 63,
                                      (uint64_t)1 << 62,
                                      (uint64_t)1 << 61,
                                      UINT64_MAX / 4 + 1,
                                      1000};
    unsigned char bytes[SIZE_MAX_TEST];
    const size_t size = sound_file(bytes);
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        put_little(bytes + HEADER + COUNT_AT, counts[i], 8);
        write_sealed(bytes, size);
        expect(FMATCH_ERROR_FORMAT, "count", i);
    }
}

static void arrays_without_name_or_type_are_refused(void **state)
{
    (void)state;
    static const unsigned char types[] = {0, 5, 255};
    unsigned char bytes[SIZE_MAX_TEST];
    const size_t size = sound_file(bytes);
    for (size_t i = 0; i < sizeof types; i++) {
        bytes[HEADER + TYPE_AT] = types[i];
        write_sealed(bytes, size);
        expect(FMATCH_ERROR_FORMAT, "type", types[i]);
    }
    bytes[HEADER + TYPE_AT] = CHECKPOINT_U32;
    memset(bytes + HEADER, 'x', TYPE_AT);
    write_sealed(bytes, size);
    expect(FMATCH_ERROR_FORMAT, "name without an end, bytes", size);
}

static void numbers_of_arrays_are_exact(void **state)
{
    (void)state;
    static const uint32_t counts[] = {0, ARRAYS - 1, ARRAYS + 1, INT32_MAX, UINT32_MAX};
    unsigned char bytes[SIZE_MAX_TEST];
    const size_t size = sound_file(bytes);
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        put_little(bytes + 12, counts[i], 4);
        write_sealed(bytes, size);
        expect(FMATCH_ERROR_FORMAT, "arrays", counts[i]);
    }
}

static void what_is_no_file_is_refused(void **state)
{
    (void)state;
    struct checkpoint_file file;
    assert_int_equal(checkpoint_file_open(&file, "/"), FMATCH_ERROR_IO);
    assert_int_equal(checkpoint_file_open(&file, "/nowhere/at/all"), FMATCH_ERROR_IO);
    assert_int_equal(checkpoint_file_save("/nowhere/at/all", ARRAYS, arrays), FMATCH_ERROR_IO);
}

#define file_test(test) cmocka_unit_test_setup_teardown(test, make_path, remove_path)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(checksum_is_that_of_xz),
        file_test(bytes_are_those_described),
        file_test(values_come_back),
        file_test(long_arrays_come_back),
        file_test(every_truncation_is_refused),
        file_test(every_flipped_bit_is_refused),
        file_test(versions_are_told_from_damage),
        file_test(counts_beyond_the_file_are_refused),
        file_test(arrays_without_name_or_type_are_refused),
        file_test(numbers_of_arrays_are_exact),
        cmocka_unit_test(what_is_no_file_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
