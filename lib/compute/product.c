#include "compute/product.h"

#include <string.h>

/* Depth of a pass: a tile of b that stays in the first-level cache while all rows go over it. What
 * a pass leaves in c is where the next one goes on, which rounds nothing, so that passes do not
 * show in the result. */
enum { PASS_DEPTH = 256, TILES_OF_A_ROW = 4 };

static const float zeros[TILES_OF_A_ROW * PRODUCT_COLUMNS_MAX];

/* A copy of a tile of b with its columns side by side, padded with zeros. */
static void copy_tile(int32_t width, int64_t columns, const struct product_tile *t, float *b)
{
    for (int64_t k = 0; k < t->depth; k++, b += width) {
        memcpy(b, t->b + k * t->b_depth, (size_t)columns * sizeof *b);
        for (int64_t j = columns; j < width; j++)
            b[j] = 0.0f;
    }
}

/* Rows of b that lie far apart fall onto the same few lines of a cache: many rows of a are worth a
 * copy. */
static bool is_worth_copying(const struct product_tile *t, int64_t rows)
{
    enum { FAR_APART = 192, MANY_ROWS = 5 * PRODUCT_TILE_ROWS };
    return t->b_depth >= FAR_APART && rows >= MANY_ROWS;
}

/* The columns of one tile, all rows, in one pass. */
static void run_whole_tile(const struct product_kernels *kernels, struct product_tile t,
                           int64_t rows)
{
    float b[PASS_DEPTH * PRODUCT_COLUMNS_MAX];
    if (is_worth_copying(&t, rows)) {
        copy_tile(kernels->columns, kernels->columns, &t, b);
        t.b = b;
        t.b_depth = kernels->columns;
    }
    while (rows > 0) {
        const int64_t n = rows < PRODUCT_TILE_ROWS ? rows : PRODUCT_TILE_ROWS;
        kernels->tile[n - 1](&t);
        t.a += n * t.a_row;
        t.start += n * t.start_row;
        t.c += n * t.c_row;
        rows -= n;
    }
}

/* A tile that has fewer columns than the kernels compute: through a copy of the tile, and of b
 * unless it is padded. */
static void run_partial_tile(const struct product_kernels *kernels,
                             const struct product_tile *whole, int64_t rows, int64_t columns,
                             bool padded)
{
    const int32_t width = kernels->columns;
    float b[PASS_DEPTH * PRODUCT_COLUMNS_MAX], c[PRODUCT_TILE_ROWS * PRODUCT_COLUMNS_MAX];
    struct product_tile t = *whole;
    if (!padded) {
        copy_tile(width, columns, whole, b);
        t.b = b;
        t.b_depth = width;
    }
    memset(c, 0, sizeof c);
    t.start = t.c = c;
    t.start_row = t.c_row = width;
    for (int64_t i = 0; i < rows; i += PRODUCT_TILE_ROWS) {
        const int64_t n = rows - i < PRODUCT_TILE_ROWS ? rows - i : PRODUCT_TILE_ROWS;
        for (int64_t r = 0; r < n; r++)
            memcpy(c + r * width, whole->start + (i + r) * whole->start_row,
                   (size_t)columns * sizeof *c);
        t.a = whole->a + i * whole->a_row;
        kernels->tile[n - 1](&t);
        for (int64_t r = 0; r < n; r++)
            memcpy(whole->c + (i + r) * whole->c_row, c + r * width, (size_t)columns * sizeof *c);
    }
}

/* Tiles side by side for few rows, whose own chains are too few to keep the processor busy; returns
 * the column reached. */
static int64_t run_rows_of_tiles(const struct product_kernels *kernels, const struct product *p,
                                 struct product_tile t, int64_t b_tile)
{
    const int64_t width = (int64_t)TILES_OF_A_ROW * kernels->columns;
    const struct product_tile first = t;
    int64_t j = 0;
    for (; j + width <= p->columns; j += width) {
        for (int64_t i = 0; i < p->rows; i++) {
            t.a = first.a + i * first.a_row;
            t.b = first.b + j / kernels->columns * b_tile;
            t.start = first.start + i * first.start_row + (first.start == zeros ? 0 : j);
            t.c = first.c + i * first.c_row + j;
            kernels->row(&t, b_tile);
        }
    }
    return j;
}

static void run_pass(const struct product_kernels *kernels, const struct product *p, int64_t k)
{
    enum { FEW_ROWS = 2 };
    const int32_t width = kernels->columns;
    const bool packed = p->b_tile != 0, go_on = k > 0 || p->accumulate;
    const int64_t b_tile = packed ? p->b_tile : width;
    const int64_t depth = p->depth - k < PASS_DEPTH ? p->depth - k : PASS_DEPTH;
    struct product_tile t = {.depth = depth,
                             .a = p->a + k * p->a_depth,
                             .a_row = p->a_row,
                             .a_depth = p->a_depth,
                             .b = p->b + k * p->b_depth,
                             .b_depth = p->b_depth,
                             .start = go_on      ? p->c
                                      : p->start ? p->start
                                                 : zeros,
                             .start_row = go_on ? p->c_row : 0,
                             .c = p->c,
                             .c_row = p->c_row};
    const struct product_tile first = t;
    const bool same_start = t.start == zeros;

    int64_t j = p->rows <= FEW_ROWS ? run_rows_of_tiles(kernels, p, t, b_tile) : 0;
    for (; j < p->columns; j += width) {
        t.b = first.b + j / width * b_tile;
        t.start = first.start + (same_start ? 0 : j);
        t.c = first.c + j;
        if (j + width <= p->columns)
            run_whole_tile(kernels, t, p->rows);
        else
            run_partial_tile(kernels, &t, p->rows, p->columns - j, packed);
    }
}

void product_run(const struct product_kernels *kernels, const struct product *p)
{
    for (int64_t k = 0; k == 0 || k < p->depth; k += PASS_DEPTH)
        run_pass(kernels, p, k);
}

int64_t product_packed_size(const struct product_kernels *kernels, int64_t columns, int64_t depth)
{
    const int64_t tiles = (columns + kernels->columns - 1) / kernels->columns;
    return tiles * kernels->columns * depth;
}

void product_pack(const struct product_kernels *kernels, int64_t columns, int64_t depth,
                  const float *from, int64_t column_step, int64_t depth_step, float *packed)
{
    const int32_t width = kernels->columns;
    for (int64_t j = 0; j < columns; j += width) {
        const int64_t n = columns - j < width ? columns - j : width;
        for (int64_t k = 0; k < depth; k++, packed += width) {
            const float *row = from + j * column_step + k * depth_step;
            for (int64_t i = 0; i < n; i++)
                packed[i] = row[i * column_step];
            for (int64_t i = n; i < width; i++)
                packed[i] = 0.0f;
        }
    }
}
