/* What the fuzz targets share: a file in memory, and an allocator that takes a request out of all
 * proportion to that file for a finding. */
#ifndef FLOWMATCH_TESTS_FUZZ_FILE_H
#define FLOWMATCH_TESTS_FUZZ_FILE_H

#include <flowmatch/flowmatch.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* The readers' tables have a fixed size below a mebibyte; everything else must follow the file's
 * size. A byte of CSV becomes at most two floats, a name of an array a network's layer. */
enum { FIXED_BYTES = 1 << 20, BYTES_FOR_EACH_BYTE = 64 };

static size_t allowed_bytes;

static inline void *bounded_alloc(void *user, size_t size, size_t align)
{
    (void)user;
    if (size > allowed_bytes) {
        fprintf(stderr, "%zu bytes asked for; %zu are in proportion to the file\n", size,
                allowed_bytes);
        abort();
    }
    return aligned_alloc(align, (size + align - 1) / align * align);
}

static inline void bounded_free(void *user, void *pointer, size_t size)
{
    (void)user, (void)size;
    free(pointer);
}

static inline fmatch_context *bounded_context(void)
{
    const fmatch_allocator allocator = {
        .struct_size = sizeof allocator, .alloc = bounded_alloc, .free = bounded_free};
    fmatch_context_config config;
    fmatch_context *context;
    allowed_bytes = FIXED_BYTES;
    fmatch_context_config_init(&config);
    config.allocator = &allocator;
    if (fmatch_context_create(&context, &config) != FMATCH_OK)
        abort();
    return context;
}

/* Makes `data` the contents of one file in memory, and gives its name. */
static inline const char *file_of(const uint8_t *data, size_t size)
{
    static int descriptor = -1;
    static char name[64];
    if (descriptor < 0) {
        descriptor = memfd_create("input", MFD_CLOEXEC);
        snprintf(name, sizeof name, "/proc/self/fd/%d", descriptor);
    }
    if (descriptor < 0 || ftruncate(descriptor, 0) != 0 ||
        pwrite(descriptor, data, size, 0) != (ssize_t)size)
        abort();
    allowed_bytes = FIXED_BYTES + BYTES_FOR_EACH_BYTE * size;
    return name;
}

/* A failure must be one that the function's documentation lists. */
static inline void expect_one_of(fmatch_status status, const fmatch_status *allowed, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (status == allowed[i])
            return;
    fprintf(stderr, "gave %s (\"%s\")\n", fmatch_status_get_name(status), fmatch_error_detail());
    abort();
}

#define EXPECT_ONE_OF(status, ...)                                                                 \
    expect_one_of((status), (const fmatch_status[]){__VA_ARGS__},                                  \
                  sizeof((const fmatch_status[]){__VA_ARGS__}) / sizeof(fmatch_status))

#endif
