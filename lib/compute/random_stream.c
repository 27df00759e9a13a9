#include "compute/random_stream.h"

#include <stddef.h>

/* Set in the last word of the counter for draws row by row; streams are numbered below it. */
#define RANDOM_ROW_BIT 0x80u

void random_stream_uniform(const struct random_stream *s, uint32_t draw, uint64_t first_element,
                           int64_t n, float *out)
{
    s->kernels->uniform(s->seed, draw, s->stream, first_element, n, out);
}

void random_stream_normal(const struct random_stream *s, uint32_t draw, uint64_t first_element,
                          int64_t n, float *out)
{
    s->kernels->normal(s->seed, draw, s->stream, first_element, n, out);
}

/* The place of a draw in the generator's counters. */
struct place {
    uint32_t counter2;
    uint32_t counter3;
    uint64_t first;
};

/* Integers by multiplying a word by the bound and keeping the high half. */
static void draw_integers(const struct random_stream *s, struct place at, int64_t n, int32_t bound,
                          int32_t *out)
{
    uint32_t words[256];
    while (n > 0) {
        int64_t taken = n < 256 ? n : 256;
        s->kernels->words(s->seed, at.counter2, at.counter3, at.first, taken, words);
        for (int64_t i = 0; i < taken; i++)
            out[i] = (int32_t)(((uint64_t)words[i] * (uint32_t)bound) >> 32);
        out += taken;
        at.first += (uint64_t)taken;
        n -= taken;
    }
}

void random_stream_integer(const struct random_stream *s, uint32_t draw, uint64_t first_element,
                           int64_t n, int32_t bound, int32_t *out)
{
    draw_integers(s, (struct place){draw, s->stream, first_element}, n, bound, out);
}

struct fmatch_random random_lend(const struct random_stream *s, int64_t first_row, int64_t rows)
{
    return (struct fmatch_random){.stream = *s, .first_row = first_row, .rows = rows, .row = -1};
}

/* Rows one by one have the counter {block within the row, row bits 0-29, row bits 30-61, stream |
 * row bit | row bit 62 << 8}: a block's number is 62 bits wide, because an element's is 64. Each
 * draw begins a new block, so that a normal number, made of two words, shares none with another
 * draw. */
static struct place place_in_row(struct fmatch_random *r, int64_t count)
{
    uint64_t row = (uint64_t)r->first_row + (uint64_t)r->row;
    struct place at = {
        .counter2 = (uint32_t)(row >> 30),
        .counter3 = r->stream.stream | RANDOM_ROW_BIT | (uint32_t)(row >> 62) << 8,
        .first = ((row & 0x3fffffffu) << 34) + r->position,
    };
    r->position += ((uint64_t)count + 3) / 4 * 4;
    return at;
}

static struct place place_in_block(struct fmatch_random *r, int32_t k)
{
    return (struct place){
        .counter2 = r->draw++,
        .counter3 = r->stream.stream,
        .first = (uint64_t)r->first_row * (uint64_t)k,
    };
}

static struct place next_place(struct fmatch_random *r, int64_t n, int32_t k)
{
    return r->row < 0 ? place_in_block(r, k) : place_in_row(r, n * k);
}

/* Rows that a draw may write: the numbers of rows that were not lent belong to other calls. */
static int64_t rows_to_draw(const struct fmatch_random *r, int64_t n, int32_t k, const void *out)
{
    if (!r || n < 1 || k < 1 || !out)
        return 0;
    int64_t lent = r->row < 0 ? r->rows : r->row < r->rows;
    return n < lent ? n : lent;
}

void fmatch_random_draw_uniform(fmatch_random *random, int64_t n, int32_t k, float *out)
{
    int64_t rows = rows_to_draw(random, n, k, out);
    if (rows == 0)
        return;
    struct place at = next_place(random, rows, k);
    const struct random_stream *s = &random->stream;
    s->kernels->uniform(s->seed, at.counter2, at.counter3, at.first, rows * k, out);
}

void fmatch_random_draw_normal(fmatch_random *random, int64_t n, int32_t k, float *out)
{
    int64_t rows = rows_to_draw(random, n, k, out);
    if (rows == 0)
        return;
    struct place at = next_place(random, rows, k);
    const struct random_stream *s = &random->stream;
    s->kernels->normal(s->seed, at.counter2, at.counter3, at.first, rows * k, out);
}

void fmatch_random_draw_integer(fmatch_random *random, int64_t n, int32_t k, int32_t bound,
                                int32_t *out)
{
    int64_t rows = rows_to_draw(random, n, k, out);
    if (rows == 0 || bound < 1)
        return;
    draw_integers(&random->stream, next_place(random, rows, k), rows * k, bound, out);
}

void fmatch_random_set_row(fmatch_random *random, int64_t i)
{
    if (!random || i < 0)
        return;
    random->row = i;
    random->position = 0;
}
