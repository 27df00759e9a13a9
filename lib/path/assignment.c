#include "path/assignment.h"

#include "base/status.h"
#include "compute/instruction_set.h"

#include <flowmatch/context.h>

#include <math.h>
#include <string.h>

enum {
    COARSENING = 4, /* a coarser problem has every fourth row and column */
    COARSEST = 32   /* a problem this small is solved from nothing */
};

static int64_t coarse_costs(int64_t n)
{
    int64_t costs = 0;
    for (; n > COARSEST; n /= COARSENING)
        costs += (n / COARSENING) * (n / COARSENING);
    return costs;
}

fmatch_status assignment_create(struct assignment *a, const fmatch_allocator *allocator,
                                int64_t n_max)
{
    const int64_t n = n_max, blocks = n / TRANSPORT_BLOCK + 1, coarse = coarse_costs(n);
    /* Eight arrays in one block: those of eight bytes before those of four. */
    const int64_t words = 4 * n + blocks + coarse + (3 * n + 1) / 2;
    double *memory = allocation_create(allocator, words, sizeof *memory);
    if (!memory)
        return status_no_memory((size_t)words * sizeof *memory);

    *a = (struct assignment){
        .kernels = instruction_set_get(FMATCH_INSTRUCTION_SET_AUTO)->transport,
        .n_max = n_max,
        .price = memory,
        .open = memory + n,
        .distance = memory + 2 * n,
        .via = (int64_t *)(memory + 3 * n),
        .block_least = memory + 4 * n,
        .coarse = memory + 4 * n + blocks,
    };
    a->row_of = (int32_t *)(a->coarse + coarse);
    a->rows = a->row_of + n;
    a->visited = a->rows + n;
    return FMATCH_OK;
}

void assignment_destroy(struct assignment *a, const fmatch_allocator *allocator)
{
    allocation_destroy(allocator, a->price);
    memset(a, 0, sizeof *a);
}

void assignment_fill_cost(const struct assignment *a, int64_t dim, int64_t n, const float *x,
                          int64_t m, const float *y, double *cost)
{
    a->kernels->squared_distances(dim, n, x, m, y, cost);
}

/* ---- first prices ---- */

static double match(struct assignment *a, int64_t n, const double *cost, double *coarse,
                    int32_t *permutation);

/* v_j = the least cost of the column, which makes every u_i >= 0. */
static void price_by_columns(struct assignment *a, int64_t n, const double *cost)
{
    memcpy(a->price, cost, (size_t)n * sizeof *cost);
    for (int64_t i = 1; i < n; i++)
        a->kernels->lower(n, cost + i * n, 0.0, a->price);
}

/* v_j = min over the coarser problem's rows of cost[i, j] - u_i: its prices where it has the
 * column, and the largest feasible ones elsewhere. */
static void price_by_sample(struct assignment *a, int64_t n, const double *cost, double *coarse,
                            int32_t *permutation)
{
    const int64_t m = n / COARSENING, first = COARSENING / 2;
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < m; j++)
            coarse[i * m + j] = cost[(i * COARSENING + first) * n + j * COARSENING + first];
    match(a, m, coarse, coarse + m * m, permutation);

    double *u = a->distance;
    for (int64_t i = 0; i < m; i++)
        u[i] = coarse[i * m + permutation[i]] - a->price[permutation[i]];
    for (int64_t j = 0; j < n; j++)
        a->price[j] = INFINITY;
    for (int64_t i = 0; i < m; i++)
        a->kernels->lower(n, cost + (i * COARSENING + first) * n, u[i], a->price);
}

/* ---- rows take their best columns, and push others out (augmenting row reduction) ---- */

/* The lowest column but `except` where row - price is `value`; one without a row if there is. */
static int64_t column_at(const struct assignment *a, int64_t n, const double *row, double value,
                         int64_t except)
{
    int64_t found = -1;
    for (int64_t j = 0; j < n; j++) {
        if (j % TRANSPORT_BLOCK == 0 && a->block_least[j / TRANSPORT_BLOCK] > value) {
            j += TRANSPORT_BLOCK - 1;
            continue;
        }
        if (j == except || row[j] - a->price[j] != value)
            continue;
        if (a->row_of[j] < 0)
            return j;
        found = found < 0 ? j : found;
    }
    return found < 0 ? except : found;
}

/* A row that takes a column from another lowers its price by what the second best costs more. With
 * prices that differ by less than rounding this might go on for ever; so there is a limit, and
 * those left over wait for a path. Returns how many rows are left in a->rows. */
static int64_t take_best_columns(struct assignment *a, int64_t n, const double *cost,
                                 int32_t *permutation)
{
    int64_t next = 0, left = 0, pushes = n;
    while (next < n) {
        const int32_t i = a->rows[next++];
        const double *row = cost + i * n;
        const struct least_two best = a->kernels->least_two(n, row, a->price, a->block_least);
        int64_t j = column_at(a, n, row, best.least, -1);
        const double lowered = a->price[j] - (best.second - best.least);
        const bool cheaper = n > 1 && lowered < a->price[j];
        if (cheaper)
            a->price[j] = lowered;
        else if (n > 1 && a->row_of[j] >= 0)
            j = column_at(a, n, row, best.second, j);

        const int32_t pushed_out = a->row_of[j];
        permutation[i] = (int32_t)j;
        a->row_of[j] = i;
        if (pushed_out < 0)
            continue;
        permutation[pushed_out] = -1;
        if (cheaper && pushes-- > 0)
            a->rows[--next] = pushed_out;
        else
            a->rows[left++] = pushed_out;
    }
    return left;
}

/* ---- shortest augmenting paths ---- */

/* The lowest column at the least distance; one without a row if there is. */
static int64_t nearest_column(const struct assignment *a, int64_t n, double least)
{
    int64_t found = -1;
    for (int64_t block = 0; block * TRANSPORT_BLOCK < n; block++) {
        if (a->block_least[block] != least)
            continue;
        const int64_t begin = block * TRANSPORT_BLOCK, end = begin + TRANSPORT_BLOCK;
        for (int64_t j = begin; j < end && j < n; j++) {
            if (a->distance[j] != least)
                continue;
            if (a->row_of[j] < 0)
                return j;
            found = found < 0 ? j : found;
        }
    }
    return found;
}

/* Dijkstra's search from row `start` to the nearest column without a row. Prices become
 * those under which the path found, and every pair of the matching, costs nothing. */
static int64_t search(struct assignment *a, int64_t n, const double *cost, int32_t start)
{
    memcpy(a->open, a->price, (size_t)n * sizeof *a->open);
    for (int64_t j = 0; j < n; j++)
        a->distance[j] = INFINITY;

    struct relaxation r = {.n = n,
                           .price = a->open,
                           .from = start,
                           .distance = a->distance,
                           .via = a->via,
                           .block_least = a->block_least};
    int64_t visited = 0;
    for (;;) {
        r.row = cost + r.from * n;
        const double least = a->kernels->relax(&r);
        const int64_t j = nearest_column(a, n, least);
        if (a->row_of[j] < 0) {
            for (int64_t k = 0; k < visited; k++)
                a->price[a->visited[k]] -= least;
            return j;
        }
        a->visited[visited++] = (int32_t)j;
        r.from = a->row_of[j];
        r.shift = cost[r.from * n + j] - a->open[j] - least;
        a->price[j] += least;
        a->open[j] = -INFINITY;
        a->distance[j] = INFINITY;
    }
}

static void augment(struct assignment *a, int64_t start, int64_t end, int32_t *permutation)
{
    int64_t i, j = end;
    do {
        i = a->via[j];
        const int64_t before = permutation[i];
        a->row_of[j] = (int32_t)i;
        permutation[i] = (int32_t)j;
        j = before;
    } while (i != start);
}

/* `coarse` has room for the costs of coarser problems. */
static double match(struct assignment *a, int64_t n, const double *cost, double *coarse,
                    int32_t *permutation)
{
    if (n <= COARSEST)
        price_by_columns(a, n, cost);
    else
        price_by_sample(a, n, cost, coarse, permutation);

    for (int64_t i = 0; i < n; i++) {
        permutation[i] = a->row_of[i] = -1;
        a->rows[i] = (int32_t)i;
    }
    const int64_t left = take_best_columns(a, n, cost, permutation);
    for (int64_t k = 0; k < left; k++) {
        const int32_t start = a->rows[k];
        augment(a, start, search(a, n, cost, start), permutation);
    }

    double total = 0.0;
    for (int64_t i = 0; i < n; i++)
        total += cost[i * n + permutation[i]];
    return total;
}

double assignment_solve(struct assignment *a, int64_t n, const double *cost, int32_t *permutation)
{
    return n > 0 ? match(a, n, cost, a->coarse, permutation) : 0.0;
}
