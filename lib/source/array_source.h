/* Rows in memory, for the sources that read them from somewhere. */
#ifndef SOURCE_ARRAY_SOURCE_H
#define SOURCE_ARRAY_SOURCE_H

#include "source/source.h"

struct array_rows {
    int64_t n;
    int32_t dim, condition_dim;
    const float *x;         /* [n, dim] */
    const float *condition; /* [n, condition_dim], or NULL */
    const float *weight;    /* [n], or NULL */
};

/* Values of all parts together. */
int64_t array_rows_size(const struct array_rows *rows);

/* Create an array source that uses the rows where they are. */
fmatch_status array_source_create(fmatch_source **source, fmatch_context *context,
                                  const struct array_rows *rows, int32_t order);

/* The source takes over what its rows point into, an allocation of the context's. */
void array_source_own(fmatch_source *source, float *values);

#endif
