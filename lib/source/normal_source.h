/* Normal numbers with a mean and a deviation for each column: the noise of a model that
 * standardises. */
#ifndef SOURCE_NORMAL_SOURCE_H
#define SOURCE_NORMAL_SOURCE_H

#include "source/source.h"

/* Both arrays [dim], or both NULL for N(0, I). Row i is mean + std times row i of N(0, I). */
fmatch_status normal_source_create(fmatch_source **source, fmatch_context *context, int32_t dim,
                                   const float *mean, const float *std);

/* Is every number that can be drawn from N(mean, std^2) a finite float? |z| < 6.8 of the standard
 * ones. */
bool normal_source_fits(double mean, double std);

/* Logarithm of the density of N(mean, std^2) in one dimension. */
double normal_log_density_at(double x, double mean, double std);

/* Is it normal, whatever its mean and deviation? */
bool normal_source_is(const fmatch_source *source);

/* Is it N(0, I), without a mean and a deviation of its own? */
bool normal_source_is_standard(const fmatch_source *source);

#endif
