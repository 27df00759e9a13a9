/* Rows of an array, in an order that is a function of the row's number: nothing is kept from draw
 * to draw. */
#include "source/array_source.h"

#include "base/configuration.h"
#include "base/status.h"
#include "compute/vector_kernels.h"

#include <math.h>
#include <string.h>

struct array_source {
    fmatch_source source;
    const float *rows; /* [n, dim] */
    int64_t n;
    int32_t order;
    float *owned; /* rows, if the source allocated them */
    void (*destroy)(void *user);
    void *user;
};

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

/* ---- draws ---- */

static void copy_row(const struct array_source *a, int64_t row, float *x)
{
    memcpy(x, a->rows + row * a->source.dim, (size_t)a->source.dim * sizeof *x);
}

static void draw_shuffled(const struct array_source *a, const struct random_stream *stream,
                          int64_t first_row, int64_t n, float *x)
{
    struct permutation p = permutation_of_epoch(stream, a->n, first_row / a->n);
    for (int64_t i = 0; i < n; i++) {
        const int64_t row = first_row + i;
        if (i > 0 && row % a->n == 0)
            p = permutation_of_epoch(stream, a->n, row / a->n);
        copy_row(a, permutation_apply(&p, row % a->n), x + i * a->source.dim);
    }
}

/* Two words make the row's number: unbiased to 2^-64 n, which no count of draws can see. */
static void draw_with_replacement(const struct array_source *a, const struct random_stream *stream,
                                  int64_t first_row, int64_t n, float *x)
{
    enum { BLOCK = 256 };
    for (int64_t begin = 0; begin < n; begin += BLOCK) {
        const int64_t rows = n - begin < BLOCK ? n - begin : BLOCK;
        uint32_t words[2 * BLOCK];
        stream->kernels->words(stream->seed, 0, stream->stream, 2 * (uint64_t)(first_row + begin),
                               2 * rows, words);
        for (int64_t i = 0; i < rows; i++) {
            /* floor(w n / 2^64) for w of two words, n below 2^32 exactly, else by the remainder */
            const uint64_t high = words[2 * i], low = words[2 * i + 1], count = (uint64_t)a->n;
            const uint64_t row = count >> 32 ? (high << 32 | low) % count
                                             : (high * count + (low * count >> 32)) >> 32;
            copy_row(a, (int64_t)row, x + (begin + i) * a->source.dim);
        }
    }
}

static fmatch_status array_draw(const fmatch_source *source, const struct random_stream *stream,
                                int64_t first_row, int64_t n, float *x)
{
    const struct array_source *a = (const struct array_source *)source;
    switch (a->order) {
    case FMATCH_ORDER_SHUFFLED:
        draw_shuffled(a, stream, first_row, n, x);
        break;
    case FMATCH_ORDER_REPLACEMENT:
        draw_with_replacement(a, stream, first_row, n, x);
        break;
    default:
        for (int64_t i = 0; i < n; i++)
            copy_row(a, (first_row + i) % a->n, x + i * source->dim);
    }
    return FMATCH_OK;
}

static void array_moments(const fmatch_source *source, double *mean, double *std)
{
    const struct array_source *a = (const struct array_source *)source;
    const int32_t dim = source->dim;
    for (int64_t i = 0; i < a->n; i++)
        for (int32_t j = 0; j < dim; j++)
            mean[j] += a->rows[i * dim + j];
    for (int32_t j = 0; j < dim; j++)
        mean[j] /= (double)a->n;
    for (int64_t i = 0; i < a->n; i++)
        for (int32_t j = 0; j < dim; j++) {
            const double off = a->rows[i * dim + j] - mean[j];
            std[j] += off * off;
        }
    for (int32_t j = 0; j < dim; j++)
        std[j] = sqrt(std[j] / (double)a->n);
}

static void array_destroy(fmatch_source *source)
{
    struct array_source *a = (struct array_source *)source;
    allocation_destroy(&source->context->allocator, a->owned);
    status_keep_and_destroy(a->destroy, a->user);
}

static const struct source_kind array_kind = {
    .draw = array_draw, .moments = array_moments, .destroy = array_destroy};

int64_t fmatch_source_count_rows(const fmatch_source *source)
{
    if (!source || source->kind != &array_kind)
        return 0;
    return ((const struct array_source *)source)->n;
}

fmatch_status fmatch_source_get_rows(const fmatch_source *source, int64_t first_row, int64_t n,
                                     float *x)
{
    status_begin();
    CHECK_NOT_NULL(source);
    const int64_t rows = fmatch_source_count_rows(source);
    if (rows == 0)
        return status_fail(FMATCH_ERROR_UNSUPPORTED, "source is a distribution; it stores no rows");
    CHECK_RANGE("n", n, 0, rows);
    CHECK_RANGE("first_row", first_row, 0, rows - n);
    if (n == 0)
        return FMATCH_OK;
    CHECK_NOT_NULL(x);
    const int32_t dim = source->dim;
    memcpy(x, ((const struct array_source *)source)->rows + first_row * dim,
           (size_t)(n * dim) * sizeof *x);
    return FMATCH_OK;
}

/* ---- creation ---- */

void fmatch_array_config_init_sized(fmatch_array_config *config, size_t size)
{
    const fmatch_array_config recommended = {
        .memory = FMATCH_MEMORY_COPY,
        .order = FMATCH_ORDER_SHUFFLED,
    };
    configuration_write(config, size, &recommended, sizeof recommended);
}

fmatch_status array_source_adopt(fmatch_source **source, fmatch_context *context, int32_t dim,
                                 int64_t n, float *rows, int32_t order)
{
    fmatch_source *s;
    RETURN_IF_FAILED(source_create(&s, context, sizeof(struct array_source), &array_kind, dim));
    struct array_source *a = (struct array_source *)s;
    a->rows = a->owned = rows;
    a->n = n;
    a->order = order;
    *source = s;
    return FMATCH_OK;
}

static fmatch_status check_config(const fmatch_array_config *c)
{
    CHECK_RANGE("config->dim", c->dim, 1, DIM_MAX);
    CHECK_RANGE("config->n", c->n, 1, SOURCE_ROWS_MAX / c->dim);
    CHECK_RANGE("config->memory", c->memory, FMATCH_MEMORY_COPY, FMATCH_MEMORY_BORROW);
    CHECK_RANGE("config->order", c->order, FMATCH_ORDER_SHUFFLED, FMATCH_ORDER_SEQUENTIAL);
    if (!c->rows)
        return status_fail(FMATCH_ERROR_ARGUMENT, "config->rows is NULL");
    return status_check_finite("config->rows", 0, c->n, c->dim, c->rows);
}

/* The source with the rows in it, the user's destroy not yet. */
static fmatch_status create(fmatch_source **source, fmatch_context *context,
                            const fmatch_array_config *c)
{
    CHECK_NOT_NULL(source);
    CHECK_NOT_NULL(context);
    RETURN_IF_FAILED(check_config(c));
    const int64_t cells = c->n * c->dim;
    float *copy = NULL;
    if (c->memory == FMATCH_MEMORY_COPY) {
        copy = allocation_create_copy(&context->allocator, cells, sizeof *copy, c->rows);
        if (!copy)
            return status_no_memory((size_t)cells * sizeof *copy);
    }
    const fmatch_status status = array_source_adopt(source, context, c->dim, c->n, copy, c->order);
    if (status != FMATCH_OK) {
        allocation_destroy(&context->allocator, copy);
        return status;
    }
    if (!copy)
        ((struct array_source *)*source)->rows = c->rows;
    return FMATCH_OK;
}

fmatch_status fmatch_source_create_array(fmatch_source **source, fmatch_context *context,
                                         const fmatch_array_config *config)
{
    status_begin();
    if (source)
        *source = NULL;
    fmatch_array_config given;
    RETURN_IF_FAILED(configuration_read(&given, sizeof given, sizeof given, config, "config"));

    const fmatch_status status = create(source, context, &given);
    const bool keep = status == FMATCH_OK && given.memory == FMATCH_MEMORY_BORROW;
    if (keep) {
        ((struct array_source *)*source)->destroy = given.destroy;
        ((struct array_source *)*source)->user = given.user;
    } else { /* failed, or copied: the caller's rows are not needed any more */
        status_keep_and_destroy(given.destroy, given.user);
    }
    return status;
}
