/* Ascending order of finite floats. */
#ifndef COMPUTE_SORTING_H
#define COMPUTE_SORTING_H

#include <stdint.h>

/* Sorts x [n] with scratch [n]; -0 stands before +0. The C library's qsort would take its memory
 * from malloc. */
void sorting_ascending(int64_t n, float *x, float *scratch);

#endif
