/* Kernels of sums over pairs of rows, in double, from the squares of their distances: one table of
 * functions per instruction set.
 *
 * pair_kernels.c is compiled once per instruction set, with PAIR_KERNELS_NAME naming the table;
 * instruction_set.c picks one. A sum is made of eight chains, and differs in the last bits between
 * instruction sets. */
#ifndef COMPUTE_PAIR_KERNELS_H
#define COMPUTE_PAIR_KERNELS_H

#include <stdint.h>

struct pair_kernels {
    /* Sum of sqrt(squares[i]). */
    double (*sum_roots)(int64_t n, const double *squares);
    /* Sum of exp(-gamma squares[i]) for gamma >= 0 and squares >= 0, each within 4e-16 of its value
     * and the rounding of the exponent; 0 where the exponent is below -708. */
    double (*sum_gaussians)(int64_t n, const double *squares, double gamma);
};

extern const struct pair_kernels pair_kernels_baseline;
#if defined(__x86_64__)
extern const struct pair_kernels pair_kernels_avx2; /* AVX2 and FMA */
#endif

#endif
