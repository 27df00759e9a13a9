/* .npy files made byte by byte, for the tests of what reads them. */
#ifndef FLOWMATCH_TESTS_NPY_BYTES_H
#define FLOWMATCH_TESTS_NPY_BYTES_H

#include "fixtures.h"

#include <unistd.h>

struct bytes {
    size_t size;
    unsigned char data[16384];
};

static inline void add_bytes(struct bytes *b, size_t size, const void *data)
{
    assert_true(b->size + size <= sizeof b->data);
    memcpy(b->data + b->size, data, size);
    b->size += size;
}

/* Magic, version, length of the header, header. */
static inline struct bytes npy_beginning(int major, const char *header)
{
    struct bytes b = {0};
    const size_t length = strlen(header);
    const unsigned char prefix[] = {0x93,
                                    'N',
                                    'U',
                                    'M',
                                    'P',
                                    'Y',
                                    (unsigned char)major,
                                    0,
                                    (unsigned char)length,
                                    (unsigned char)(length >> 8),
                                    0,
                                    0};
    add_bytes(&b, major == 1 ? 10 : 12, prefix);
    add_bytes(&b, length, header);
    return b;
}

/* Floats of this machine in C order, of two dimensions. */
static inline struct bytes npy_floats(int64_t rows, int64_t columns, const float *values)
{
    const uint16_t one = 1;
    char header[128];
    snprintf(header, sizeof header,
             "{'descr': '%sf4', 'fortran_order': False, 'shape': (%lld, %lld), }\n",
             *(const unsigned char *)&one == 1 ? "<" : ">", (long long)rows, (long long)columns);
    struct bytes b = npy_beginning(1, header);
    add_bytes(&b, (size_t)(rows * columns) * sizeof *values, values);
    return b;
}

/* A file of its own with these bytes; the caller unlinks it. */
static inline void write_file(char path[256], const struct bytes *b)
{
    const char *folder = getenv("TMPDIR");
    snprintf(path, 256, "%s/flowmatch_npy_XXXXXX", folder ? folder : "/tmp");
    const int file = mkstemp(path);
    assert_true(file >= 0);
    assert_true(write(file, b->data, b->size) == (ssize_t)b->size);
    close(file);
}

#endif
