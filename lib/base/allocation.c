#include "base/allocation.h"

#include <stdlib.h>
#include <string.h>

static void *default_alloc(void *user, size_t size, size_t align)
{
    (void)user;
    void *pointer = NULL;
    return posix_memalign(&pointer, align, size) == 0 ? pointer : NULL;
}

static void default_free(void *user, void *pointer, size_t size)
{
    (void)user;
    (void)size;
    free(pointer);
}

const fmatch_allocator allocation_default = {
    .struct_size = sizeof(fmatch_allocator), .alloc = default_alloc, .free = default_free};

/* In front of every block, so that free can be told the size that alloc was asked for. */
struct header {
    size_t size;
    char fill[ALLOCATION_ALIGN - sizeof(size_t)];
};

void *allocation_create(const fmatch_allocator *allocator, int64_t count, size_t size)
{
    if (count < 0 || (uint64_t)count > (SIZE_MAX / 2 - sizeof(struct header)) / size)
        return NULL;
    const size_t total = sizeof(struct header) + (size_t)count * size;
    struct header *header = allocator->alloc(allocator->user, total, ALLOCATION_ALIGN);
    if (!header)
        return NULL;
    memset(header, 0, total);
    header->size = total;
    return header + 1;
}

void *allocation_create_copy(const fmatch_allocator *allocator, int64_t count, size_t size,
                             const void *from)
{
    void *to = allocation_create(allocator, count, size);
    if (to && count > 0)
        memcpy(to, from, (size_t)count * size);
    return to;
}

void allocation_destroy(const fmatch_allocator *allocator, void *pointer)
{
    if (!pointer)
        return;
    struct header *header = (struct header *)pointer - 1;
    allocator->free(allocator->user, header, header->size);
}
