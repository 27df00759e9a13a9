/* See product_kernels.h. Compiled once for each instruction set, with contraction to fused
 * multiply-adds allowed, which the same expression gets in every tile, so that an element has the
 * same bits wherever it lies. */
#include "compute/product_kernels.h"

#include <string.h>

#ifdef __AVX2__
enum { LANES = 8 };
#else
enum { LANES = 4 };
#endif

/* Vectors of the compiler, aligned as floats are. */
typedef float lanes __attribute__((vector_size(LANES * sizeof(float)), aligned(4), may_alias));

#define LOAD(p)     (*(const lanes *)(p))
#define STORE(p, x) (*(lanes *)(p) = (x))

/* ---- tiles of 1 to 6 rows and two vectors: their sums stay in registers over all of depth ---- */

#define ROWS_1(DO) DO(0)
#define ROWS_2(DO) ROWS_1(DO) DO(1)
#define ROWS_3(DO) ROWS_2(DO) DO(2)
#define ROWS_4(DO) ROWS_3(DO) DO(3)
#define ROWS_5(DO) ROWS_4(DO) DO(4)
#define ROWS_6(DO) ROWS_5(DO) DO(5)

#define BEGIN_ROW(i)                                                                               \
    const float *a##i = t->a + i * t->a_row;                                                       \
    lanes low##i = LOAD(t->start + i * t->start_row);                                              \
    lanes high##i = LOAD(t->start + i * t->start_row + LANES);
#define STEP_ROW(i)                                                                                \
    low##i += *a##i * b_low;                                                                       \
    high##i += *a##i * b_high;                                                                     \
    a##i += a_depth;
#define END_ROW(i)                                                                                 \
    STORE(c + i * c_row, low##i);                                                                  \
    STORE(c + i * c_row + LANES, high##i);

#define DEFINE_TILE(rows)                                                                          \
    static void tile_##rows(const struct product_tile *t)                                          \
    {                                                                                              \
        const float *b = t->b;                                                                     \
        const int64_t a_depth = t->a_depth, b_depth = t->b_depth, c_row = t->c_row;                \
        float *c = t->c;                                                                           \
        ROWS_##rows(BEGIN_ROW) for (int64_t k = t->depth; k > 0; k--)                              \
        {                                                                                          \
            const lanes b_low = LOAD(b), b_high = LOAD(b + LANES);                                 \
            ROWS_##rows(STEP_ROW) b += b_depth;                                                    \
        }                                                                                          \
        ROWS_##rows(END_ROW)                                                                       \
    }

DEFINE_TILE(1)
DEFINE_TILE(2)
DEFINE_TILE(3)
DEFINE_TILE(4)
DEFINE_TILE(5)
DEFINE_TILE(6)

/* ---- one row of four tiles ---- */

#define TILES_4(DO) DO(0) DO(1) DO(2) DO(3)
#define BEGIN_TILE(k)                                                                              \
    const float *b##k = t->b + k * b_tile;                                                         \
    lanes low##k = LOAD(t->start + 2 * LANES * k);                                                 \
    lanes high##k = LOAD(t->start + 2 * LANES * k + LANES);
#define STEP_TILE(k)                                                                               \
    low##k += *a * LOAD(b##k);                                                                     \
    high##k += *a * LOAD(b##k + LANES);                                                            \
    b##k += b_depth;
#define END_TILE(k)                                                                                \
    STORE(c + 2 * LANES * k, low##k);                                                              \
    STORE(c + 2 * LANES * k + LANES, high##k);

static void row_of_tiles(const struct product_tile *t, int64_t b_tile)
{
    const float *a = t->a;
    const int64_t b_depth = t->b_depth;
    float *c = t->c;
    TILES_4(BEGIN_TILE)
    for (int64_t k = t->depth; k > 0; k--, a += t->a_depth) {
        TILES_4(STEP_TILE)
    }
    TILES_4(END_TILE)
}

/* ---- a single column ---- */

enum { CHAINS = 8 };
typedef float chains __attribute__((vector_size(CHAINS * sizeof(float)), aligned(4), may_alias));

static inline float sum_of(const chains *s)
{
    const float *x = (const float *)s;
    return ((x[0] + x[4]) + (x[2] + x[6])) + ((x[1] + x[5]) + (x[3] + x[7]));
}

static inline float dot_tail(float sum, int64_t k, int64_t depth, const float *a, const float *w)
{
    for (; k < depth; k++)
        sum += a[k] * w[k];
    return sum;
}

static void dot(int64_t n, int64_t depth, const float *a, int64_t a_row, const float *w,
                float start, float *c, int64_t c_row)
{
    enum { ROWS = 4 }; /* side by side, so that their chains do not wait for one another */
    const int64_t whole = depth - depth % CHAINS;
    int64_t i = 0;
    for (; i + ROWS <= n; i += ROWS) {
        const float *a0 = a + i * a_row, *a1 = a0 + a_row, *a2 = a1 + a_row, *a3 = a2 + a_row;
        chains s0 = {0}, s1 = {0}, s2 = {0}, s3 = {0};
        for (int64_t k = 0; k < whole; k += CHAINS) {
            const chains wk = *(const chains *)(w + k);
            s0 += *(const chains *)(a0 + k) * wk;
            s1 += *(const chains *)(a1 + k) * wk;
            s2 += *(const chains *)(a2 + k) * wk;
            s3 += *(const chains *)(a3 + k) * wk;
        }
        c[i * c_row] = dot_tail(start + sum_of(&s0), whole, depth, a0, w);
        c[(i + 1) * c_row] = dot_tail(start + sum_of(&s1), whole, depth, a1, w);
        c[(i + 2) * c_row] = dot_tail(start + sum_of(&s2), whole, depth, a2, w);
        c[(i + 3) * c_row] = dot_tail(start + sum_of(&s3), whole, depth, a3, w);
    }
    for (; i < n; i++) {
        const float *ai = a + i * a_row;
        chains s = {0};
        for (int64_t k = 0; k < whole; k += CHAINS)
            s += *(const chains *)(ai + k) * *(const chains *)(w + k);
        c[i * c_row] = dot_tail(start + sum_of(&s), whole, depth, ai, w);
    }
}

const struct product_kernels PRODUCT_KERNELS_NAME = {
    .columns = 2 * LANES,
    .tile = {tile_1, tile_2, tile_3, tile_4, tile_5, tile_6},
    .row = row_of_tiles,
    .dot = dot,
};
