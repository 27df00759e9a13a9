/* How many handles hold an object: any thread may take one or give one up. */
#ifndef BASE_REFERENCE_COUNT_H
#define BASE_REFERENCE_COUNT_H

#include <stdatomic.h>
#include <stdbool.h>

struct reference_count {
    atomic_int count;
};

static inline void reference_count_init(struct reference_count *r)
{
    atomic_init(&r->count, 1);
}

static inline void reference_count_retain(struct reference_count *r)
{
    atomic_fetch_add_explicit(&r->count, 1, memory_order_relaxed);
}

/* True for the last one, who then destroys the object; all that others wrote to it is visible to
 * him. */
static inline bool reference_count_release(struct reference_count *r)
{
    return atomic_fetch_sub_explicit(&r->count, 1, memory_order_acq_rel) == 1;
}

#endif
