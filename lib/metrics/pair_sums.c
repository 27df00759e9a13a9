#include "metrics/pair_sums.h"

#include "base/status.h"
#include "context/context.h"

enum { ROWS = 32, COLUMNS = 64 }; /* of x and y whose squares are held at a time, 16 KiB */

int64_t pair_sums_count_blocks(const struct pair_sums *p)
{
    return (p->pair.n + ROWS - 1) / ROWS;
}

/* Over rows of x and the rows of y from begin to end. */
static double sum_columns(const struct pair_sums *p, int64_t rows, const float *x, int64_t begin,
                          int64_t end)
{
    const struct sample_pair *pair = &p->pair;
    double squares[ROWS * COLUMNS], total = 0.0;
    for (int64_t j = begin; j < end; j += COLUMNS) {
        const int64_t columns = end - j < COLUMNS ? end - j : COLUMNS;
        p->instructions->transport->squared_distances(pair->dim, rows, x, columns,
                                                      pair->y + j * pair->dim, squares);
        total += p->sum(p->instructions->pairs, p->settings, rows * columns, squares);
    }
    return total;
}

double pair_sums_of_block(const struct pair_sums *p, int64_t block)
{
    const struct sample_pair *pair = &p->pair;
    const int64_t begin = block * ROWS, rows = pair->n - begin < ROWS ? pair->n - begin : ROWS;
    const float *x = pair->x + begin * pair->dim;
    if (pair->x != pair->y || pair->n != pair->m)
        return sum_columns(p, rows, x, 0, pair->m);
    return sum_columns(p, rows, x, begin, begin + rows) +
           2.0 * sum_columns(p, rows, x, begin + rows, pair->m);
}

double pair_sums_total(const struct pair_sums *p)
{
    double total = 0.0;
    for (int64_t block = 0; block < pair_sums_count_blocks(p); block++)
        total += pair_sums_of_block(p, block);
    return total;
}

struct blocks {
    const struct pair_sums *sums;
    double *totals;
};

static void run_block(void *argument, int64_t block)
{
    const struct blocks *b = argument;
    b->totals[block] = pair_sums_of_block(b->sums, block);
}

fmatch_status pair_sums_run(fmatch_context *context, const struct pair_sums *p, double *total)
{
    const int64_t count = pair_sums_count_blocks(p);
    double *totals = allocation_create(&context->allocator, count, sizeof *totals);
    if (!totals)
        return status_no_memory((size_t)count * sizeof *totals);
    context_run(context, count, run_block, &(struct blocks){p, totals});
    *total = 0.0;
    for (int64_t block = 0; block < count; block++)
        *total += totals[block];
    allocation_destroy(&context->allocator, totals);
    return FMATCH_OK;
}
