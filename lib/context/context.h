/* The context handle: what every other handle needs from its surroundings. */
#ifndef CONTEXT_CONTEXT_H
#define CONTEXT_CONTEXT_H

#include <flowmatch/context.h>

#include "base/allocation.h"
#include "base/log.h"
#include "base/reference_count.h"

struct vector_kernels;

struct fmatch_context {
    struct reference_count references;
    fmatch_allocator allocator;
    fmatch_log_sink log;
    int32_t threads;
    int32_t instruction_set;
    const struct vector_kernels *kernels;
};

fmatch_context *context_retain(fmatch_context *context);
void context_release(fmatch_context *context);

#endif
