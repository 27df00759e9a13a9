/* The built-in matrix product and the three products of a linear layer, against sums in double, for
 * every instruction set that this processor has.
 *
 * Two kinds of data: small integers, whose products are exact in any order, so that every element
 * must be equal; and random numbers, with the bound of a chain of `depth` multiply-adds. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "compute/instruction_set.h"
#include "compute/matmul.h"
#include "compute/product.h"
#include "flowmatch/context.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

enum { GUARD = 32 };
static const float guard_value = -12345.0f;

static const int32_t sets[] = {FMATCH_INSTRUCTION_SET_BASELINE, FMATCH_INSTRUCTION_SET_AVX2};

/* Sets that the processor lacks are passed over. */
#define FOR_EACH_SET(set)                                                                          \
    for (const int32_t *chosen = sets; chosen < sets + COUNT(sets); chosen++)                      \
        for (const struct instruction_set *set = instruction_set_get(*chosen); set; set = NULL)

enum data { INTEGERS, RANDOM };

static double scatter(uint64_t *state)
{
    uint64_t z = (*state += 0x9E3779B97F4A7C15ull);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
    return (double)((z ^ (z >> 31)) >> 11) / 9007199254740992.0;
}

/* With a guard behind the end, which nothing may write. */
static float *values(int64_t n, enum data data, uint64_t seed)
{
    float *x = malloc((size_t)(n + GUARD) * sizeof *x);
    assert_non_null(x);
    for (int64_t i = 0; i < n; i++)
        x[i] = data == INTEGERS ? (float)((int)(scatter(&seed) * 9) - 4)
                                : (float)(2 * scatter(&seed) - 1);
    for (int64_t i = n; i < n + GUARD; i++)
        x[i] = guard_value;
    return x;
}

/* An output, of rubbish that shows when it is read. */
static float *rubbish(int64_t n)
{
    float *x = values(n, INTEGERS, 0);
    for (int64_t i = 0; i < n; i++)
        x[i] = NAN;
    return x;
}

struct shape {
    int64_t n;
    int32_t out, in;
};

static void expect_guard(const char *what, const struct shape *s, const float *x, int64_t n)
{
    for (int64_t i = n; i < n + GUARD; i++)
        if (x[i] != guard_value)
            fail_msg("%s, n %lld out %d in %d: element %lld beyond the end was written", what,
                     (long long)s->n, (int)s->out, (int)s->in, (long long)(i - n));
}

/* An element is start + sum of a b over depth; `size` is the sum of the terms' magnitudes. */
struct element {
    double sum, size;
    int64_t depth;
};

static void add(struct element *e, double a, double b)
{
    e->sum += a * b;
    e->size += fabs(a * b);
    e->depth++;
}

static void expect_element(const char *set, const char *what, const struct shape *s, enum data data,
                           int64_t i, int64_t j, float seen, const struct element *e)
{
    const double allowed =
        data == INTEGERS ? 0 : ((double)e->depth + 2) * 0.5 * 1.1920929e-7 * e->size;
    if (fabs(seen - e->sum) <= allowed)
        return;
    fail_msg("%s, %s, n %lld out %d in %d, element (%lld, %lld): %.9g instead of %.9g (allowed "
             "%.3g)",
             set, what, (long long)s->n, (int)s->out, (int)s->in, (long long)i, (long long)j, seen,
             e->sum, allowed);
}

/* ---- the three products of a layer ---- */

static struct matmul_weight packed_weight(const struct matmul *m, const struct shape *s,
                                          const float *w, float **packed)
{
    const int64_t size = matmul_packed_size(m, s->out, s->in);
    if (size % 16 != 0)
        fail_msg("packed size of %dx%d is %lld, not a multiple of 16", (int)s->out, (int)s->in,
                 (long long)size);
    *packed = rubbish(size);
    matmul_pack(m, s->out, s->in, w, *packed);
    expect_guard("pack", s, *packed, size);
    return (struct matmul_weight){.out = s->out, .in = s->in, .values = w, .packed = *packed};
}

static void check_forward(const struct instruction_set *set, const struct shape *s, enum data data)
{
    const struct matmul m = {set->products};
    float *x = values(s->n * s->in, data, 1), *w = values((int64_t)s->out * s->in, data, 2);
    float *bias = values(s->out, data, 3), *z = rubbish(s->n * s->out), *packed;
    const struct matmul_weight weight = packed_weight(&m, s, w, &packed);
    matmul_forward(&m, &weight, bias, s->n, x, z);
    expect_guard("forward", s, z, s->n * s->out);
    for (int64_t i = 0; i < s->n; i++)
        for (int32_t o = 0; o < s->out; o++) {
            struct element e = {0};
            add(&e, bias[o], 1);
            for (int32_t k = 0; k < s->in; k++)
                add(&e, x[i * s->in + k], w[(int64_t)o * s->in + k]);
            expect_element(set->name, "forward", s, data, i, o, z[i * s->out + o], &e);
        }
    free(x), free(w), free(bias), free(z), free(packed);
}

static void check_input_gradient(const struct instruction_set *set, const struct shape *s,
                                 enum data data)
{
    const struct matmul m = {set->products};
    float *dz = values(s->n * s->out, data, 4), *w = values((int64_t)s->out * s->in, data, 5);
    float *dx = rubbish(s->n * s->in), *packed;
    const struct matmul_weight weight = packed_weight(&m, s, w, &packed);
    matmul_input_gradient(&m, &weight, s->n, dz, dx);
    expect_guard("input gradient", s, dx, s->n * s->in);
    for (int64_t i = 0; i < s->n; i++)
        for (int32_t k = 0; k < s->in; k++) {
            struct element e = {0};
            for (int32_t o = 0; o < s->out; o++)
                add(&e, dz[i * s->out + o], w[(int64_t)o * s->in + k]);
            expect_element(set->name, "input gradient", s, data, i, k, dx[i * s->in + k], &e);
        }
    free(dz), free(w), free(dx), free(packed);
}

static void check_weight_gradient(const struct instruction_set *set, const struct shape *s,
                                  enum data data, bool accumulate)
{
    const struct matmul m = {set->products};
    const int64_t count = (int64_t)s->out * s->in;
    float *dz = values(s->n * s->out, data, 6), *x = values(s->n * s->in, data, 7);
    float *before = values(count, data, 8),
          *dw = accumulate ? values(count, data, 8) : rubbish(count);
    matmul_weight_gradient(&m, s->out, s->in, s->n, dz, x, accumulate, dw);
    expect_guard("weight gradient", s, dw, count);
    for (int32_t o = 0; o < s->out; o++)
        for (int32_t k = 0; k < s->in; k++) {
            struct element e = {0};
            if (accumulate)
                add(&e, before[(int64_t)o * s->in + k], 1);
            for (int64_t i = 0; i < s->n; i++)
                add(&e, dz[i * s->out + o], x[i * s->in + k]);
            expect_element(set->name, accumulate ? "weight gradient, added" : "weight gradient", s,
                           data, o, k, dw[(int64_t)o * s->in + k], &e);
        }
    free(dz), free(x), free(before), free(dw);
}

static void check_shape(const struct shape *s)
{
    FOR_EACH_SET(set)
    for (enum data data = INTEGERS; data <= RANDOM; data++) {
        check_forward(set, s, data);
        check_input_gradient(set, s, data);
        check_weight_gradient(set, s, data, false);
        check_weight_gradient(set, s, data, true);
    }
}

static void check_shapes(const struct shape *shapes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        check_shape(&shapes[i]);
}

/* Each remainder of 6 rows beside each remainder of 16 columns, in each of the three products. */
static void every_remainder_of_a_tile(void **state)
{
    (void)state;
    for (int64_t n = 1; n <= 13; n++)
        for (int32_t columns = 1; columns <= 34; columns++) {
            check_shape(&(struct shape){n, columns, 19});
            check_shape(&(struct shape){n, 21, columns});
        }
}

static void thin_layers(void **state)
{
    (void)state;
    static const int64_t rows[] = {1, 2, 5, 64, 257};
    for (size_t r = 0; r < COUNT(rows); r++)
        for (int32_t thin = 1; thin <= 8; thin++)
            for (int32_t other = 1; other <= 65; other += other < 8 ? 1 : 19) {
                check_shape(&(struct shape){rows[r], thin, other});
                check_shape(&(struct shape){rows[r], other, thin});
            }
}

/* Depth is cut into passes of 256: whole ones, and each kind of rest. */
static void depth_beyond_a_pass(void **state)
{
    (void)state;
    static const struct shape shapes[] = {
        {3, 17, 255},  {7, 18, 256},   {8, 20, 257},  {2, 70, 300}, {1, 80, 511},  {6, 31, 512},
        {13, 9, 513},  {5, 3, 700},    {9, 1, 1027},  {3, 255, 17}, {7, 256, 18},  {8, 257, 20},
        {2, 300, 70},  {11, 513, 9},   {255, 17, 9},  {256, 5, 33}, {257, 34, 15}, {512, 7, 18},
        {64, 40, 200}, {31, 300, 257}, {65, 33, 193}, {513, 6, 4},  {1000, 30, 3}, {769, 1, 65},
        {1, 64, 64},   {1, 65, 257},   {2, 129, 600},
    };
    check_shapes(shapes, COUNT(shapes));
}

/* dW^T goes through blocks of 256 outputs. */
static void few_inputs_and_many_outputs(void **state)
{
    (void)state;
    static const struct shape shapes[] = {{64, 255, 2}, {64, 256, 15}, {65, 257, 14}, {300, 513, 3},
                                          {7, 700, 1},  {64, 16, 15},  {64, 17, 16},  {64, 15, 15}};
    check_shapes(shapes, COUNT(shapes));
}

static void no_rows_and_no_depth(void **state)
{
    (void)state;
    FOR_EACH_SET(set)
    {
        const struct matmul m = {set->products};
        float w[20 * 20] = {0}, bias[20] = {0}, out[20 * 20], *packed;
        const struct shape s = {0, 20, 20};
        const struct matmul_weight weight = packed_weight(&m, &s, w, &packed);
        out[0] = 7;
        matmul_forward(&m, &weight, bias, 0, w, out);
        matmul_input_gradient(&m, &weight, 0, w, out);
        if (out[0] != 7)
            fail_msg("%s: a product of no rows wrote %g", set->name, out[0]);
        for (int i = 0; i < 400; i++)
            out[i] = 7;
        matmul_weight_gradient(&m, 20, 20, 0, w, w, true, out);
        if (out[399] != 7)
            fail_msg("%s: adding a gradient of no rows wrote %g", set->name, out[399]);
        matmul_weight_gradient(&m, 20, 20, 0, w, w, false, out);
        for (int i = 0; i < 400; i++)
            if (out[i] != 0)
                fail_msg("%s: element %d of a gradient of no rows is %g", set->name, i, out[i]);
        free(packed);
    }
}

/* ---- the inner loops by themselves ---- */

static void dot_of_every_length(void **state)
{
    (void)state;
    enum { ROWS = 11, DEPTH = 70, A_ROW = 73, C_ROW = 3 };
    FOR_EACH_SET(set)
    for (enum data data = INTEGERS; data <= RANDOM; data++) {
        float *a = values(ROWS * A_ROW, data, 11), *w = values(DEPTH, data, 12);
        for (int64_t n = 0; n <= ROWS; n++)
            for (int64_t depth = 0; depth <= DEPTH; depth++) {
                float c[ROWS * C_ROW];
                for (int i = 0; i < ROWS * C_ROW; i++)
                    c[i] = guard_value;
                set->products->dot(n, depth, a, A_ROW, w, 0.5f, c, C_ROW);
                for (int64_t i = 0; i < ROWS * C_ROW; i++) {
                    const struct shape s = {n, 1, (int32_t)depth};
                    if (i % C_ROW != 0 || i / C_ROW >= n) {
                        if (c[i] != guard_value)
                            fail_msg("%s: dot of %lld rows wrote element %lld", set->name,
                                     (long long)n, (long long)i);
                        continue;
                    }
                    struct element e = {0};
                    add(&e, 0.5, 1);
                    for (int64_t k = 0; k < depth; k++)
                        add(&e, a[i / C_ROW * A_ROW + k], w[k]);
                    expect_element(set->name, "dot", &s, data, i / C_ROW, 0, c[i], &e);
                }
            }
        free(a), free(w);
    }
}

/* What the table says of itself. */
static void columns_are_two_vectors(void **state)
{
    (void)state;
    FOR_EACH_SET(set)
    {
        const int32_t columns = set->products->columns;
        if (columns < 1 || columns > PRODUCT_COLUMNS_MAX)
            fail_msg("%s has %d columns; at most %d fit", set->name, (int)columns,
                     (int)PRODUCT_COLUMNS_MAX);
    }
}

/* ---- promise: the bits of a row ---- */

static void expect_same_row(const struct instruction_set *set, const char *what,
                            const struct shape *s, int64_t first, int64_t n, const float *alone,
                            const float *all, int64_t columns)
{
    const size_t bytes = (size_t)(n * columns) * sizeof *all;
    if (memcmp(alone, all + first * columns, bytes) == 0)
        return;
    for (int64_t i = 0; i < n * columns; i++)
        if (memcmp(&alone[i], &all[first * columns + i], sizeof *all) != 0)
            fail_msg("%s, %s, out %d in %d: row %lld is %a among %lld rows from row %lld, %a among "
                     "%lld",
                     set->name, what, (int)s->out, (int)s->in, (long long)(first + i / columns),
                     alone[i], (long long)n, (long long)first, all[first * columns + i],
                     (long long)s->n);
}

static void rows_do_not_depend_on_their_neighbours(void **state)
{
    (void)state;
    static const struct shape shapes[] = {{67, 64, 64}, {67, 64, 2},   {67, 1, 64},
                                          {67, 3, 65},  {67, 17, 300}, {67, 4, 513},
                                          {67, 130, 7}, {67, 65, 257}, {67, 100, 1}};
    FOR_EACH_SET(set)
    for (size_t i = 0; i < COUNT(shapes); i++) {
        const struct shape *s = &shapes[i];
        const struct matmul m = {set->products};
        float *x = values(s->n * s->in, RANDOM, 21), *dz = values(s->n * s->out, RANDOM, 22);
        float *w = values((int64_t)s->out * s->in, RANDOM, 23), *packed;
        float *bias = values(s->out, RANDOM, 24);
        float *z = rubbish(s->n * s->out), *dx = rubbish(s->n * s->in);
        float *few = rubbish(s->n * (s->out > s->in ? s->out : s->in));
        const struct matmul_weight weight = packed_weight(&m, s, w, &packed);
        matmul_forward(&m, &weight, bias, s->n, x, z);
        matmul_input_gradient(&m, &weight, s->n, dz, dx);
        for (int64_t n = 1; n <= 14; n++)
            for (int64_t first = 0; first + n <= s->n; first++) {
                matmul_forward(&m, &weight, bias, n, x + first * s->in, few);
                expect_same_row(set, "forward", s, first, n, few, z, s->out);
                matmul_input_gradient(&m, &weight, n, dz + first * s->out, few);
                expect_same_row(set, "input gradient", s, first, n, few, dx, s->in);
            }
        free(x), free(dz), free(w), free(packed), free(bias), free(z), free(dx), free(few);
    }
}

/* A gradient over shards, added in their order, is the chain over all rows where passes do not
 * interfere: so shards of 64 rows give what 256 rows at once give. */
static void adding_shards_goes_on_with_the_chain(void **state)
{
    (void)state;
    const struct shape s = {256, 40, 33};
    FOR_EACH_SET(set)
    {
        const struct matmul m = {set->products};
        float *dz = values(s.n * s.out, RANDOM, 31), *x = values(s.n * s.in, RANDOM, 32);
        float *all = rubbish(s.out * s.in), *shards = rubbish(s.out * s.in);
        matmul_weight_gradient(&m, s.out, s.in, s.n, dz, x, false, all);
        for (int64_t i = 0; i < s.n; i += 64)
            matmul_weight_gradient(&m, s.out, s.in, 64, dz + i * s.out, x + i * s.in, i > 0,
                                   shards);
        expect_same_row(set, "weight gradient", &s, 0, s.out, shards, all, s.in);
        free(dz), free(x), free(all), free(shards);
    }
}

/* A nan or an infinity in one row, or in the padding of nobody, stays in its row. */
static void what_is_not_finite_stays_in_its_row(void **state)
{
    (void)state;
    static const struct shape shapes[] = {{13, 19, 5}, {13, 3, 20}, {1, 70, 5}};
    FOR_EACH_SET(set)
    for (size_t i = 0; i < COUNT(shapes); i++) {
        const struct shape *s = &shapes[i];
        const struct matmul m = {set->products};
        const int64_t bad = s->n / 2;
        float *x = values(s->n * s->in, RANDOM, 41), *packed;
        float *w = values((int64_t)s->out * s->in, RANDOM, 42);
        float *bias = values(s->out, RANDOM, 43), *z = rubbish(s->n * s->out);
        x[bad * s->in + 1] = NAN;
        const struct matmul_weight weight = packed_weight(&m, s, w, &packed);
        matmul_forward(&m, &weight, bias, s->n, x, z);
        for (int64_t k = 0; k < s->n * s->out; k++)
            if (isnan(z[k]) != (k / s->out == bad))
                fail_msg("%s, out %d in %d: row %lld of %lld is %g; the nan is in row %lld",
                         set->name, (int)s->out, (int)s->in, (long long)(k / s->out),
                         (long long)s->n, z[k], (long long)bad);
        free(x), free(w), free(bias), free(z), free(packed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_remainder_of_a_tile),
        cmocka_unit_test(thin_layers),
        cmocka_unit_test(depth_beyond_a_pass),
        cmocka_unit_test(few_inputs_and_many_outputs),
        cmocka_unit_test(no_rows_and_no_depth),
        cmocka_unit_test(dot_of_every_length),
        cmocka_unit_test(columns_are_two_vectors),
        cmocka_unit_test(rows_do_not_depend_on_their_neighbours),
        cmocka_unit_test(adding_shards_goes_on_with_the_chain),
        cmocka_unit_test(what_is_not_finite_stays_in_its_row),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
