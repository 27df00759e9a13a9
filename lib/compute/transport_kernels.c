/* See transport_kernels.h. */
#include "compute/transport_kernels.h"

#include <math.h>
#include <string.h>

#ifdef __AVX2__
enum { LANES = 4 };
#else
enum { LANES = 2 };
#endif

/* Vectors of the compiler, aligned as doubles are. */
typedef double lanes __attribute__((vector_size(LANES * sizeof(double)), aligned(8), may_alias));
typedef int64_t masks __attribute__((vector_size(LANES * sizeof(int64_t)), aligned(8), may_alias));

#define LOAD(p)     (*(const lanes *)(p))
#define STORE(p, x) (*(lanes *)(p) = (x))

static inline lanes all(double value)
{
    return (lanes){0} + value;
}

static inline lanes choose(masks where, lanes a, lanes b)
{
    return (lanes)(((masks)a & where) | ((masks)b & ~where));
}

static inline lanes lesser(lanes a, lanes b)
{
    return choose((masks)(a < b), a, b);
}

static inline lanes greater(lanes a, lanes b)
{
    return choose((masks)(a > b), a, b);
}

static inline double least_lane(lanes a)
{
    double least = a[0];
    for (int l = 1; l < LANES; l++)
        least = a[l] < least ? a[l] : least;
    return least;
}

static void lower(int64_t n, const double *row, double offset, double *least)
{
    int64_t j = 0;
    for (; j + LANES <= n; j += LANES)
        STORE(least + j, lesser(LOAD(row + j) - offset, LOAD(least + j)));
    for (; j < n; j++)
        least[j] = row[j] - offset < least[j] ? row[j] - offset : least[j];
}

static void insert(double x, struct least_two *found)
{
    if (x < found->least) {
        found->second = found->least;
        found->least = x;
    } else if (x < found->second) {
        found->second = x;
    }
}

static struct least_two least_two(int64_t n, const double *row, const double *price,
                                  double *block_least)
{
    lanes first = all(INFINITY), second = first;
    int64_t j = 0;
    for (; j + TRANSPORT_BLOCK <= n; j += TRANSPORT_BLOCK) {
        lanes first_a = all(INFINITY), first_b = first_a, second_a = first_a, second_b = first_a;
        for (int64_t k = j; k < j + TRANSPORT_BLOCK; k += 2 * LANES) {
            const lanes a = LOAD(row + k) - LOAD(price + k);
            const lanes b = LOAD(row + k + LANES) - LOAD(price + k + LANES);
            second_a = lesser(second_a, greater(a, first_a));
            second_b = lesser(second_b, greater(b, first_b));
            first_a = lesser(a, first_a);
            first_b = lesser(b, first_b);
        }
        second_a = lesser(lesser(second_a, second_b), greater(first_a, first_b));
        first_a = lesser(first_a, first_b);
        block_least[j / TRANSPORT_BLOCK] = least_lane(first_a);
        second = lesser(lesser(second, second_a), greater(first, first_a));
        first = lesser(first, first_a);
    }

    struct least_two found = {INFINITY, INFINITY};
    const int64_t tail = j;
    for (; j < n; j++)
        insert(row[j] - price[j], &found);
    if (tail < n)
        block_least[tail / TRANSPORT_BLOCK] = found.least;
    for (int l = 0; l < LANES; l++) {
        insert(first[l], &found);
        insert(second[l], &found);
    }
    return found;
}

static double relax(const struct relaxation *r)
{
    const double *row = r->row, *price = r->price, shift = r->shift;
    double *distance = r->distance, least = INFINITY;
    int64_t *via = r->via, j = 0;
    const masks from = (masks){0} + r->from;
    for (; j + TRANSPORT_BLOCK <= r->n; j += TRANSPORT_BLOCK) {
        lanes block = all(INFINITY);
        for (int64_t k = j; k < j + TRANSPORT_BLOCK; k += LANES) {
            const lanes way = LOAD(row + k) - LOAD(price + k) - shift, before = LOAD(distance + k);
            const masks shorter = (masks)(way < before);
            const lanes now = choose(shorter, way, before);
            STORE(via + k, choose(shorter, (lanes)from, LOAD(via + k)));
            STORE(distance + k, now);
            block = lesser(now, block);
        }
        const double block_least = least_lane(block);
        r->block_least[j / TRANSPORT_BLOCK] = block_least;
        least = block_least < least ? block_least : least;
    }

    const int64_t tail = j;
    double tail_least = INFINITY;
    for (; j < r->n; j++) {
        const double way = row[j] - price[j] - shift;
        if (way < distance[j]) {
            distance[j] = way;
            via[j] = r->from;
        }
        tail_least = distance[j] < tail_least ? distance[j] : tail_least;
    }
    if (tail < r->n)
        r->block_least[tail / TRANSPORT_BLOCK] = tail_least;
    return tail_least < least ? tail_least : least;
}

/* ---- exponentials and sums ---- */

enum { SUMS = 8 };

/* x + ROUNDING is x rounded to an integer, in the low bits of the mantissa. */
#define ROUNDING 0x1.8p52
/* ln 2 in two parts; the first has 33 bits, so that its product with an exponent is exact. */
#define LN2_HIGH 0x1.62e42feep-1
#define LN2_LOW  0x1.a39ef35793c76p-33
#define LOG2_E   0x1.71547652b82fep0

/* exp(x) = 2^k exp(r), |r| <= ln(2) / 2, by Taylor's series of degree 13, whose remainder is below
 * 2e-17 of it; for |x| <= 708. */
static inline lanes exp_in_range(lanes x)
{
    static const double coefficients[] = {1.0 / 479001600,
                                          1.0 / 39916800,
                                          1.0 / 3628800,
                                          1.0 / 362880,
                                          1.0 / 40320,
                                          1.0 / 5040,
                                          1.0 / 720,
                                          1.0 / 120,
                                          1.0 / 24,
                                          1.0 / 6,
                                          0.5,
                                          1.0,
                                          1.0};
    const lanes rounded = x * LOG2_E + ROUNDING, k = rounded - ROUNDING;
    const lanes r = (x - k * LN2_HIGH) - k * LN2_LOW;
    lanes sum = all(1.0 / 6227020800);
    for (int i = 0; i < 13; i++)
        sum = sum * r + coefficients[i];
    return sum * (lanes)(((masks)rounded + 1023) << 52);
}

static inline lanes exp_lanes(lanes x)
{
    const lanes bounded = lesser(greater(x, all(-708.0)), all(708.0));
    return choose((masks)(x < -708.0), all(0.0), exp_in_range(bounded));
}

static void exponentials(int64_t n, const double *row, double f, const double *g,
                         double inverse_epsilon, double *to)
{
    int64_t j = 0;
    for (; j + LANES <= n; j += LANES)
        STORE(to + j, exp_lanes((f + LOAD(g + j) - LOAD(row + j)) * inverse_epsilon));
    for (; j < n; j++)
        to[j] = exp_lanes(all((f + g[j] - row[j]) * inverse_epsilon))[0];
}

static double dot(int64_t n, const double *x, const double *y)
{
    lanes sum[SUMS / LANES];
    for (int l = 0; l < SUMS / LANES; l++)
        sum[l] = all(0.0);
    int64_t j = 0;
    for (; j + SUMS <= n; j += SUMS)
        for (int l = 0; l < SUMS / LANES; l++)
            sum[l] += LOAD(x + j + l * LANES) * LOAD(y + j + l * LANES);
    double total = 0.0;
    for (int l = 0; l < SUMS; l++)
        total += sum[l / LANES][l % LANES];
    for (; j < n; j++)
        total += x[j] * y[j];
    return total;
}

static void add_scaled(int64_t n, double scale, const double *row, double *to)
{
    int64_t j = 0;
    for (; j + LANES <= n; j += LANES)
        STORE(to + j, LOAD(to + j) + scale * LOAD(row + j));
    for (; j < n; j++)
        to[j] += scale * row[j];
}

/* ---- squared distances: some columns of some rows of y at a time, transposed ---- */

enum { Y_ROWS = 32, Y_COLUMNS = 64 };

/* Rows past the last are zero. */
static void transpose(int64_t dim, int64_t rows, int64_t columns, const float *y,
                      double tile[Y_COLUMNS][Y_ROWS])
{
    for (int64_t k = 0; k < columns; k++)
        for (int64_t j = 0; j < Y_ROWS; j++)
            tile[k][j] = j < rows ? (double)y[j * dim + k] : 0.0;
}

/* Adds the tile's columns to sums [Y_ROWS]. */
static void add_squares(int64_t columns, const float *x, double tile[Y_COLUMNS][Y_ROWS],
                        double *sums)
{
    for (int half = 0; half < Y_ROWS; half += Y_ROWS / 2) {
        lanes sum[Y_ROWS / 2 / LANES];
        for (int l = 0; l < Y_ROWS / 2 / LANES; l++)
            sum[l] = LOAD(sums + half + l * LANES);
        for (int64_t k = 0; k < columns; k++) {
            const lanes at = all(x[k]);
            for (int l = 0; l < Y_ROWS / 2 / LANES; l++) {
                const lanes off = at - LOAD(tile[k] + half + l * LANES);
                sum[l] += off * off;
            }
        }
        for (int l = 0; l < Y_ROWS / 2 / LANES; l++)
            STORE(sums + half + l * LANES, sum[l]);
    }
}

static void squared_distances(int64_t dim, int64_t n, const float *x, int64_t m, const float *y,
                              double *cost)
{
    double tile[Y_COLUMNS][Y_ROWS];
    for (int64_t j = 0; j < m; j += Y_ROWS) {
        const int64_t rows = m - j < Y_ROWS ? m - j : Y_ROWS;
        for (int64_t k = 0; k < dim; k += Y_COLUMNS) {
            const int64_t columns = dim - k < Y_COLUMNS ? dim - k : Y_COLUMNS;
            transpose(dim, rows, columns, y + j * dim + k, tile);
            for (int64_t i = 0; i < n; i++) {
                double sums[Y_ROWS] = {0}, *to = cost + i * m + j;
                for (int64_t l = 0; k > 0 && l < rows; l++)
                    sums[l] = to[l];
                add_squares(columns, x + i * dim + k, tile, sums);
                for (int64_t l = 0; l < rows; l++)
                    to[l] = sums[l];
            }
        }
    }
}

enum { X_ROWS = 32 };

/* Columns j to j + rows - 1 of a row's values. Most tiles hold nothing new, which their least says.
 */
static void visit_tile(int64_t rows, int64_t j, const double *values, int32_t *column,
                       double *least)
{
    lanes lowest = LOAD(values);
    for (int l = LANES; l < Y_ROWS; l += LANES)
        lowest = lesser(LOAD(values + l), lowest);
    if (!(least_lane(lowest) < *least))
        return;
    for (int64_t l = 0; l < rows; l++)
        if (values[l] < *least) {
            *least = values[l];
            *column = (int32_t)(j + l);
        }
}

static void nearest_of_rows(int64_t dim, int64_t n, const float *x, int64_t m, const float *y,
                            const double *potential, int32_t *column, double *least)
{
    double tile[Y_COLUMNS][Y_ROWS], sums[X_ROWS][Y_ROWS];
    for (int64_t i = 0; i < n; i++) {
        least[i] = INFINITY;
        column[i] = 0;
    }
    for (int64_t j = 0; j < m; j += Y_ROWS) {
        const int64_t rows = m - j < Y_ROWS ? m - j : Y_ROWS;
        double start[Y_ROWS];
        for (int64_t l = 0; l < Y_ROWS; l++)
            start[l] = l >= rows ? INFINITY : potential ? -potential[j + l] : 0.0;
        for (int64_t i = 0; i < n; i++)
            for (int64_t l = 0; l < Y_ROWS; l++)
                sums[i][l] = start[l];
        for (int64_t k = 0; k < dim; k += Y_COLUMNS) {
            const int64_t columns = dim - k < Y_COLUMNS ? dim - k : Y_COLUMNS;
            transpose(dim, rows, columns, y + j * dim + k, tile);
            for (int64_t i = 0; i < n; i++)
                add_squares(columns, x + i * dim + k, tile, sums[i]);
        }
        for (int64_t i = 0; i < n; i++)
            visit_tile(rows, j, sums[i], column + i, least + i);
    }
}

static void nearest(int64_t dim, int64_t n, const float *x, int64_t m, const float *y,
                    const double *potential, int32_t *column, double *least)
{
    for (int64_t i = 0; i < n; i += X_ROWS)
        nearest_of_rows(dim, n - i < X_ROWS ? n - i : X_ROWS, x + i * dim, m, y, potential,
                        column + i, least + i);
}

const struct transport_kernels TRANSPORT_KERNELS_NAME = {
    .lower = lower,
    .least_two = least_two,
    .relax = relax,
    .exponentials = exponentials,
    .dot = dot,
    .add_scaled = add_scaled,
    .squared_distances = squared_distances,
    .nearest = nearest,
};
