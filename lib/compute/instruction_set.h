/* Which of the processor's instruction sets the vector kernels use. */
#ifndef COMPUTE_INSTRUCTION_SET_H
#define COMPUTE_INSTRUCTION_SET_H

#include "compute/vector_kernels.h"

/* The kernels of an fmatch_instruction_set, AUTO being the best one; NULL when this processor lacks
 * it or there is no such set. */
const struct vector_kernels *instruction_set_kernels(int32_t set);

/* The best fmatch_instruction_set that this processor has; never AUTO. */
int32_t instruction_set_best(void);

#endif
