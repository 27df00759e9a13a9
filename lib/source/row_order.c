#include "source/row_order.h"

#include "base/status.h"
#include "compute/vector_kernels.h"

/* ---- a permutation of n rows for each epoch, computed for one row at a time ---- */

enum { PERMUTATION_ROUNDS = 6 };

/* An alternating Feistel network on the smallest 2^bits >= n, with cycle walking: Black and
 * Rogaway, "Ciphers with Arbitrary Finite Domains", 2002. Each round adds a function of one half to
 * the other, which can be undone, so that the whole is a bijection. */
struct permutation {
    int64_t n;
    int low_bits, high_bits;
    uint32_t keys[8];
};

static struct permutation permutation_of_epoch(const struct random_stream *stream, int64_t n,
                                               int64_t epoch)
{
    struct permutation p = {.n = n};
    int bits = 2;
    while (bits < 62 && ((int64_t)1 << bits) < n)
        bits++;
    p.low_bits = bits / 2;
    p.high_bits = bits - p.low_bits;
    stream->kernels->words(stream->seed, 0, stream->stream, (uint64_t)epoch * 8, 8, p.keys);
    return p;
}

static uint64_t mix(uint64_t half, uint32_t key)
{
    uint64_t h = (half + key + 1) * UINT64_C(0x9e3779b97f4a7c15); /* the golden ratio's bits */
    h ^= h >> 29;
    h *= UINT64_C(0xbf58476d1ce4e5b9); /* Steele et al., "Fast Splittable Pseudorandom Number
                                          Generators", 2014 */
    return h >> 32 ^ h >> 13;
}

static int64_t permutation_apply(const struct permutation *p, int64_t index)
{
    const uint64_t low_mask = ((uint64_t)1 << p->low_bits) - 1;
    const uint64_t high_mask = ((uint64_t)1 << p->high_bits) - 1;
    do {
        uint64_t low = (uint64_t)index & low_mask, high = (uint64_t)index >> p->low_bits;
        for (int round = 0; round < PERMUTATION_ROUNDS; round += 2) {
            low = (low + mix(high, p->keys[round])) & low_mask;
            high = (high + mix(low, p->keys[round + 1])) & high_mask;
        }
        index = (int64_t)(high << p->low_bits | low);
    } while (index >= p->n);
    return index;
}

/* ---- the orders ---- */

static void find_shuffled(int64_t stored, const struct random_stream *stream, int64_t first_row,
                          int64_t n, int64_t *indices)
{
    int64_t epoch = first_row / stored, index = first_row % stored;
    struct permutation p = permutation_of_epoch(stream, stored, epoch);
    for (int64_t i = 0; i < n; i++, index++) {
        if (index == stored) {
            index = 0;
            p = permutation_of_epoch(stream, stored, ++epoch);
        }
        indices[i] = permutation_apply(&p, index);
    }
}

/* Two words make the row's number: unbiased to 2^-64 n, which no count of draws can see. */
static void find_with_replacement(int64_t stored, const struct random_stream *stream,
                                  int64_t first_row, int64_t n, int64_t *indices)
{
    uint32_t words[2 * ROW_ORDER_BLOCK];
    stream->kernels->words(stream->seed, 0, stream->stream, 2 * (uint64_t)first_row, 2 * n, words);
    for (int64_t i = 0; i < n; i++) {
        /* floor(w n / 2^64) for w of two words, n below 2^32 exactly, else by the remainder */
        const uint64_t high = words[2 * i], low = words[2 * i + 1], count = (uint64_t)stored;
        indices[i] = (int64_t)(count >> 32 ? (high << 32 | low) % count
                                           : (high * count + (low * count >> 32)) >> 32);
    }
}

void row_order_find(int32_t order, int64_t stored, const struct random_stream *stream,
                    int64_t first_row, int64_t n, int64_t *indices)
{
    switch (order) {
    case FMATCH_ORDER_SHUFFLED:
        find_shuffled(stored, stream, first_row, n, indices);
        break;
    case FMATCH_ORDER_REPLACEMENT:
        find_with_replacement(stored, stream, first_row, n, indices);
        break;
    default:
        for (int64_t i = 0; i < n; i++)
            indices[i] = (first_row + i) % stored;
    }
}

fmatch_status row_order_check(int32_t order)
{
    CHECK_RANGE("config->order", order, FMATCH_ORDER_SHUFFLED, FMATCH_ORDER_SEQUENTIAL);
    return FMATCH_OK;
}
