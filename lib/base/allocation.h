/* Heap memory, all of it through the context's allocator. Blocks know their size and are aligned
 * for vectors. */
#ifndef BASE_ALLOCATION_H
#define BASE_ALLOCATION_H

#include <flowmatch/context.h>

enum { ALLOCATION_ALIGN = 64 };

/* The C library's allocator, for a context that was given none. */
extern const fmatch_allocator allocation_default;

/* Zeroed memory for `count` elements of `size` bytes; NULL when there is none or the product
 * overflows. */
void *allocation_create(const fmatch_allocator *allocator, int64_t count, size_t size);

/* Copy of an array, or NULL. */
void *allocation_create_copy(const fmatch_allocator *allocator, int64_t count, size_t size,
                             const void *from);

/* Accepts NULL. */
void allocation_destroy(const fmatch_allocator *allocator, void *pointer);

#endif
