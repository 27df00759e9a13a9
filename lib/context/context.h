/* The context handle: what every other handle needs from its surroundings. */
#ifndef CONTEXT_CONTEXT_H
#define CONTEXT_CONTEXT_H

#include <flowmatch/context.h>

#include "base/allocation.h"
#include "base/log.h"
#include "base/reference_count.h"

struct vector_kernels;
struct product_kernels;
struct thread_pool;

struct fmatch_context {
    struct reference_count references;
    fmatch_allocator allocator;
    fmatch_log_sink log;
    int32_t threads;
    int32_t instruction_set;
    int32_t matmul;
    const struct vector_kernels *kernels;
    const struct product_kernels *products;
    fmatch_executor executor; /* its run is NULL when the pool does it */
    struct thread_pool *pool; /* NULL when one thread is enough */
};

fmatch_context *context_retain(fmatch_context *context);
void context_release(fmatch_context *context);

/* May tasks run on more than the calling thread? */
bool context_is_parallel(const fmatch_context *context);

/* Runs task(argument, 0) to task(argument, tasks - 1) on the context's threads, in any order. What
 * a task does must depend on its number alone. */
void context_run(fmatch_context *context, int64_t tasks,
                 void (*task)(void *argument, int64_t index), void *argument);

#endif
