/* Rows in memory, for the sources that read them from somewhere. */
#ifndef SOURCE_ARRAY_SOURCE_H
#define SOURCE_ARRAY_SOURCE_H

#include "source/source.h"

/* Create an array source that takes over `rows`, an allocation of the context's; on failure it
 * stays the caller's. */
fmatch_status array_source_adopt(fmatch_source **source, fmatch_context *context, int32_t dim,
                                 int64_t n, float *rows, int32_t order);

#endif
