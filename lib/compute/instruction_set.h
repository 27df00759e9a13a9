/* Which of the processor's instruction sets the kernels use. */
#ifndef COMPUTE_INSTRUCTION_SET_H
#define COMPUTE_INSTRUCTION_SET_H

#include "compute/pair_kernels.h"
#include "compute/product_kernels.h"
#include "compute/transport_kernels.h"
#include "compute/vector_kernels.h"

struct instruction_set {
    const char *name;
    const struct vector_kernels *vectors;
    const struct product_kernels *products;
    const struct transport_kernels *transport;
    const struct pair_kernels *pairs;
};

/* The kernels of an fmatch_instruction_set, AUTO being the best one; NULL when this processor lacks
 * it or there is no such set. */
const struct instruction_set *instruction_set_get(int32_t set);

/* The best fmatch_instruction_set that this processor has; never AUTO. */
int32_t instruction_set_best(void);

#endif
