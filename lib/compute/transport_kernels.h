/* Kernels of optimal transport, in double: one table of functions per instruction set.
 *
 * transport_kernels.c is compiled once per instruction set, with TRANSPORT_KERNELS_NAME naming the
 * table; instruction_set.c picks one. Results have the same bits in every instruction set: no
 * product is fused with a sum, and a sum has the same number of lanes everywhere. */
#ifndef COMPUTE_TRANSPORT_KERNELS_H
#define COMPUTE_TRANSPORT_KERNELS_H

#include <stdint.h>

/* Least values are kept per block of columns, so that their column is found quickly. */
enum { TRANSPORT_BLOCK = 64 };

struct least_two {
    double least, second; /* infinity where there are fewer values */
};

/* One row's share in a search for shortest paths: column j is reached over it in
 * row[j] - price[j] - shift. A column with the price -infinity is out of reach. */
struct relaxation {
    int64_t n;
    const double *row;
    const double *price;
    double shift;
    int64_t from;        /* written into `via` where this way is shorter */
    double *distance;    /* [n], lowered */
    int64_t *via;        /* [n] */
    double *block_least; /* of the distances, written */
};

struct transport_kernels {
    /* least[j] = min(least[j], row[j] - offset) */
    void (*lower)(int64_t n, const double *row, double offset, double *least);
    /* The two least of row[j] - price[j]; block_least is written. */
    struct least_two (*least_two)(int64_t n, const double *row, const double *price,
                                  double *block_least);
    /* Returns the least distance afterwards. */
    double (*relax)(const struct relaxation *r);
    /* to[j] = exp((f + g[j] - row[j]) inverse_epsilon), 0 where the exponent is below -708 and
     * exp(708) where it is above 708; relative error below 3e-16 and the rounding of the exponent.
     * g[j] may be -infinity. */
    void (*exponentials)(int64_t n, const double *row, double f, const double *g,
                         double inverse_epsilon, double *to);
    double (*dot)(int64_t n, const double *x, const double *y);
    /* to[j] += scale row[j] */
    void (*add_scaled)(int64_t n, double scale, const double *row, double *to);
    /* cost[i m + j] = |x_i - y_j|^2 of float rows, summed in the order of columns. */
    void (*squared_distances)(int64_t dim, int64_t n, const float *x, int64_t m, const float *y,
                              double *cost);
    /* For each of n float rows, the lowest column j at which |x_i - y_j|^2 - potential[j] is least,
     * and that value. potential [m] may be NULL. */
    void (*nearest)(int64_t dim, int64_t n, const float *x, int64_t m, const float *y,
                    const double *potential, int32_t *column, double *least);
};

extern const struct transport_kernels transport_kernels_baseline;
#if defined(__x86_64__)
extern const struct transport_kernels transport_kernels_avx2;
#endif

#endif
