/** The pictures of the couplings: who is paired with whom, where the flows go, what steps cost. */
#ifndef EXAMPLES_COUPLING_PICTURES_H
#define EXAMPLES_COUPLING_PICTURES_H

#include "coupled_flow.h"

/**
 * Write paths.png and quality.png into the directory. Says on standard output what was written, or
 * that the program draws nothing because it was built without cairo. On failure says why on
 * standard error.
 */
bool coupling_pictures_write(const struct problem *problem, int n, const struct coupled_flow *flows,
                             const char *directory);

#endif
