/* Inner loops of the built-in matrix product: one table for each instruction set, like
 * vector_kernels.h. */
#ifndef COMPUTE_PRODUCT_KERNELS_H
#define COMPUTE_PRODUCT_KERNELS_H

#include <stdbool.h>
#include <stdint.h>

/* c [rows, columns] = start + a b over `depth`, every element one chain of multiply-adds in the
 * order of depth. */
struct product_tile {
    int64_t depth;
    const float *a; /* element (i, k) at a[i a_row + k a_depth] */
    int64_t a_row, a_depth;
    const float *b; /* element (k, j) at b[k b_depth + j] */
    int64_t b_depth;
    const float *start; /* element (i, j) at start[i start_row + j] */
    int64_t start_row;
    float *c; /* element (i, j) at c[i c_row + j] */
    int64_t c_row;
};

enum { PRODUCT_TILE_ROWS = 6, PRODUCT_COLUMNS_MAX = 16 };

struct product_kernels {
    int32_t columns; /* of a tile: two vectors */
    /* tile[rows - 1] computes that many rows of `columns` columns. */
    void (*tile[PRODUCT_TILE_ROWS])(const struct product_tile *t);
    /* One row of four tiles, the k-th of which has its b at b + k b_tile and lies in c + k columns:
     * many chains side by side for a batch of one. */
    void (*row)(const struct product_tile *t, int64_t b_tile);
    /* c[i c_row] = start + sum over k of a[i a_row + k] w[k] for n rows: eight chains over depth
     * and their sum, in an order that depends on depth alone. */
    void (*dot)(int64_t n, int64_t depth, const float *a, int64_t a_row, const float *w,
                float start, float *c, int64_t c_row);
};

extern const struct product_kernels product_kernels_baseline;
#if defined(__x86_64__)
extern const struct product_kernels product_kernels_avx2;
#endif

#endif
