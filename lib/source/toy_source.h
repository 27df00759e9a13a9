/* What a model's file needs to know of a toy source. */
#ifndef SOURCE_TOY_SOURCE_H
#define SOURCE_TOY_SOURCE_H

#include "source/source.h"

/* The configuration of a toy source, with its noise as a number; NULL for others. A source made
 * from it draws the same rows. Lives as long as the source. */
const fmatch_toy_config *toy_source_config(const fmatch_source *source);

#endif
