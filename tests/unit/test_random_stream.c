/* Random numbers: known answers, independence of cuts, and distributions.
 *
 * Seeds are fixed, so a test gives the same answer every time. Had the seeds been drawn at random,
 * each statistical check would fail a perfect generator with the probability stated at it, at most
 * 1e-6. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "compute/instruction_set.h"
#include "compute/random_stream.h"
#include "flowmatch/context.h"

static const struct vector_kernels *kernels_of(int32_t set)
{
    const struct instruction_set *found = instruction_set_get(set);
    return found ? found->vectors : NULL;
}

#define COUNT(array) (sizeof(array) / sizeof *(array))

static const struct {
    int32_t set;
    const char *name;
} sets[] = {
    {FMATCH_INSTRUCTION_SET_BASELINE, "baseline"},
    {FMATCH_INSTRUCTION_SET_AVX2, "avx2"},
};

/* ---- known answers ---- */

/* The generator as the paper writes it, one block at a time. */
static void philox_reference(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4])
{
    uint32_t k0 = key[0], k1 = key[1];
    memcpy(out, counter, 4 * sizeof *out);
    for (int round = 0; round < 10; round++) {
        uint64_t p0 = (uint64_t)0xD2511F53u * out[0], p1 = (uint64_t)0xCD9E8D57u * out[2];
        uint32_t next[4] = {(uint32_t)(p1 >> 32) ^ out[1] ^ k0, (uint32_t)p1,
                            (uint32_t)(p0 >> 32) ^ out[3] ^ k1, (uint32_t)p0};
        memcpy(out, next, sizeof next);
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
}

/* The vectors published with Random123, for philox4x32-10. Two of them have counters that no
 * element's number reaches, so they check the reference, and the reference checks the kernels. */
static void reference_gives_the_published_answers(void **state)
{
    (void)state;
    static const struct {
        uint32_t counter[4], key[2], out[4];
    } cases[] = {
        {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
         {0xffffffff, 0xffffffff},
         {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
         {0xa4093822, 0x299f31d0},
         {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        uint32_t out[4];
        philox_reference(cases[i].counter, cases[i].key, out);
        for (int j = 0; j < 4; j++)
            if (out[j] != cases[i].out[j])
                fail_msg("vector %zu, word %d: %08x, published %08x", i, j, out[j],
                         cases[i].out[j]);
    }
}

static void words_are_philox(void **state)
{
    (void)state;
    static const struct {
        uint64_t seed, block;
        uint32_t counter2, counter3;
    } cases[] = {
        {0, 0, 0, 0},
        {UINT64_MAX, (UINT64_C(1) << 62) - 200, UINT32_MAX, UINT32_MAX},
        {UINT64_C(0x299f31d0a4093822), UINT64_C(0x05a308d3243f6a88), 0x13198a2e, 0x03707344},
        {7, UINT64_C(0xffffffff) - 70, 1, 2}, /* a carry into the counter's second word */
    };
    uint32_t words[600], expected[4];
    for (size_t k = 0; k < COUNT(sets); k++) {
        const struct vector_kernels *v = kernels_of(sets[k].set);
        for (size_t i = 0; v && i < COUNT(cases); i++) {
            uint32_t key[2] = {(uint32_t)cases[i].seed, (uint32_t)(cases[i].seed >> 32)};
            v->words(cases[i].seed, cases[i].counter2, cases[i].counter3, cases[i].block * 4,
                     COUNT(words), words);
            for (size_t e = 0; e < COUNT(words); e++) {
                uint64_t block = cases[i].block + e / 4;
                uint32_t counter[4] = {(uint32_t)block, (uint32_t)(block >> 32), cases[i].counter2,
                                       cases[i].counter3};
                philox_reference(counter, key, expected);
                if (words[e] != expected[e % 4])
                    fail_msg("%s, case %zu, element %zu: %08x, not %08x", sets[k].name, i, e,
                             words[e], expected[e % 4]);
            }
        }
    }
}

/* Uniform and normal numbers from the words, by their definitions in double. */
static void uniform_and_normal_follow_their_definitions(void **state)
{
    (void)state;
    enum { N = 40000 };
    static uint32_t w[N];
    static float u[N], z[N];
    const double two_pi = 2 * acos(-1.0);
    for (size_t k = 0; k < COUNT(sets); k++) {
        const struct vector_kernels *v = kernels_of(sets[k].set);
        if (!v)
            continue;
        v->words(3, 1, 2, 0, N, w);
        v->uniform(3, 1, 2, 0, N, u);
        v->normal(3, 1, 2, 0, N, z);
        for (int i = 0; i < N; i += 2) {
            double radius = sqrt(-2 * log((w[i] + 0.5) * 0x1p-32));
            double angle = two_pi * w[i + 1] * 0x1p-32;
            /* the second half of each quadrant is taken a quarter turn back */
            double offset = w[i + 1] << 2 >> 31 ? -two_pi / 4 : 0;
            double cosine = cos(angle + offset), sine = sin(angle + offset);
            /* u is rounded to 24 bits: near u = 1 the radius is off by up to 2^-25 / radius */
            double tolerance = 2e-6 + fmin(3.5e-4, 6e-8 / radius);
            if (fabs(z[i] - radius * cosine) > tolerance ||
                fabs(z[i + 1] - radius * sine) > tolerance)
                fail_msg("%s: normal pair %d is (%.9g, %.9g), not (%.9g, %.9g)", sets[k].name, i,
                         z[i], z[i + 1], radius * cosine, radius * sine);
            for (int j = i; j < i + 2; j++)
                if ((double)u[j] != (w[j] >> 8) * 0x1p-24)
                    fail_msg("%s: uniform %d is %a, not %a", sets[k].name, j, u[j],
                             (w[j] >> 8) * 0x1p-24);
        }
    }
}

/* ---- cuts ---- */

static void expect_same(const char *what, const char *set, const void *whole, const void *part,
                        int first, int n)
{
    const uint32_t *a = whole, *b = part;
    for (int i = 0; i < n; i++)
        if (a[first + i] != b[i])
            fail_msg("%s (%s): element %d differs when drawn as element %d of %d: %08x, not %08x",
                     what, set, first + i, i, n, b[i], a[first + i]);
    if (b[n] != 0xa5a5a5a5u)
        fail_msg("%s (%s): a draw of %d elements wrote past its end", what, set, n);
}

static void elements_do_not_depend_on_the_cut(void **state)
{
    (void)state;
    enum { N = 1100 };
    union {
        uint32_t words[N + 1];
        float values[N + 1];
        int32_t integers[N + 1];
    } whole[4], part;
    static const int lengths[] = {0, 1, 2, 3, 4, 5, 31, 32, 33, 255, 256, 257, 513};
    for (size_t k = 0; k < COUNT(sets); k++) {
        struct random_stream s = {kernels_of(sets[k].set), 99, STREAM_SOURCE};
        if (!s.kernels)
            continue;
        const char *set = sets[k].name;
        const uint64_t base = UINT64_C(1) << 34; /* within these cuts the block passes 2^32 */
        s.kernels->words(s.seed, 5, s.stream, base - 300, N, whole[0].words);
        random_stream_uniform(&s, 5, base - 300, N, whole[1].values);
        random_stream_normal(&s, 5, base - 300, N, whole[2].values);
        random_stream_integer(&s, 5, base - 300, N, 1000, whole[3].integers);
        for (int first = 0; first < 300; first += first < 10 ? 1 : 29) {
            for (size_t l = 0; l < COUNT(lengths); l++) {
                int n = lengths[l];
                uint64_t from = base - 300 + (uint64_t)first;
                memset(&part, 0xa5, sizeof part);
                s.kernels->words(s.seed, 5, s.stream, from, n, part.words);
                expect_same("words", set, &whole[0], &part, first, n);
                memset(&part, 0xa5, sizeof part);
                random_stream_uniform(&s, 5, from, n, part.values);
                expect_same("uniform", set, &whole[1], &part, first, n);
                memset(&part, 0xa5, sizeof part);
                random_stream_normal(&s, 5, from, n, part.values);
                expect_same("normal", set, &whole[2], &part, first, n);
                memset(&part, 0xa5, sizeof part);
                random_stream_integer(&s, 5, from, n, 1000, part.integers);
                expect_same("integer", set, &whole[3], &part, first, n);
            }
        }
    }
}

static void seeds_streams_and_draws_differ(void **state)
{
    (void)state;
    enum { N = 64 };
    float reference[N], other[N];
    struct random_stream s = {kernels_of(FMATCH_INSTRUCTION_SET_AUTO), 1, STREAM_TRAIN_NOISE};
    struct random_stream changed[] = {s, s, s, s};
    changed[0].seed = 2;
    changed[1].seed = UINT64_C(1) << 32 | 1;
    changed[2].stream = STREAM_TRAIN_TARGET;
    random_stream_uniform(&s, 0, 0, N, reference);
    for (size_t c = 0; c < COUNT(changed); c++) {
        random_stream_uniform(&changed[c], c == 3, 0, N, other);
        for (int i = 0; i < N; i++)
            if (reference[i] == other[i])
                fail_msg("change %zu keeps element %d, %.9g", c, i, other[i]);
    }
}

/* ---- distributions ---- */

enum { SAMPLES = 1 << 20 };

static int ascending(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

static double uniform_cdf(double x)
{
    return fmin(fmax(x, 0), 1);
}

static double normal_cdf(double z)
{
    return 0.5 * erfc(-z * sqrt(0.5));
}

/* Kolmogorov and Smirnov: sqrt(n) D > 2.70 has probability 2 exp(-2 * 2.70^2) = 9e-7. */
static void expect_distribution(const char *what, const char *set, float *x, double cdf(double))
{
    double distance = 0;
    qsort(x, SAMPLES, sizeof *x, ascending);
    for (int i = 0; i < SAMPLES; i++) {
        double f = cdf(x[i]);
        distance = fmax(distance, fmax(f - (double)i / SAMPLES, (i + 1.0) / SAMPLES - f));
    }
    if (!(sqrt(SAMPLES) * distance < 2.70))
        fail_msg("%s (%s): sqrt(n) D = %.3f, above 2.70", what, set, sqrt(SAMPLES) * distance);
}

/* Within 5 standard errors: false alarms 6e-7 each. */
static void expect_mean(const char *what, const char *set, double sum, double expected,
                        double variance)
{
    double sigmas = (sum / SAMPLES - expected) / sqrt(variance / SAMPLES);
    if (!(fabs(sigmas) < 5))
        fail_msg("%s (%s): mean %.7f is %.2f standard errors from %.7f", what, set, sum / SAMPLES,
                 sigmas, expected);
}

/* Mean powers, and products of neighbours up to 4 apart: the words of one block and the next. */
static void expect_moments(const char *what, const char *set, const float *x, const double *moment,
                           double centre)
{
    for (int power = 1; power <= 4; power++) {
        double sum = 0;
        for (int i = 0; i < SAMPLES; i++)
            sum += pow(x[i], power);
        expect_mean(what, set, sum, moment[power],
                    moment[2 * power] - moment[power] * moment[power]);
    }
    double variance = moment[2] - moment[1] * moment[1];
    for (int lag = 1; lag <= 4; lag++) {
        double sum = 0;
        for (int i = 0; i < SAMPLES; i++)
            sum += (x[i] - centre) * (x[(i + lag) % SAMPLES] - centre);
        expect_mean("product of neighbours", set, sum, 0, variance * variance);
    }
}

static float *samples(void)
{
    static float x[SAMPLES];
    return x;
}

static void uniform_numbers_are_uniform(void **state)
{
    (void)state;
    double moment[9];
    for (int power = 0; power <= 8; power++)
        moment[power] = 1.0 / (power + 1);
    for (size_t k = 0; k < COUNT(sets); k++) {
        struct random_stream s = {kernels_of(sets[k].set), 2024, STREAM_SOURCE};
        if (!s.kernels)
            continue;
        float *x = samples();
        random_stream_uniform(&s, 0, 0, SAMPLES, x);
        expect_moments("uniform", sets[k].name, x, moment, 0.5);
        expect_distribution("uniform", sets[k].name, x, uniform_cdf);
        if (x[0] < 0 || x[SAMPLES - 1] >= 1)
            fail_msg("uniform numbers from %.9g to %.9g", x[0], x[SAMPLES - 1]);
    }
}

static void normal_numbers_are_normal(void **state)
{
    (void)state;
    static const double moment[9] = {1, 0, 1, 0, 3, 0, 15, 0, 105};
    for (size_t k = 0; k < COUNT(sets); k++) {
        struct random_stream s = {kernels_of(sets[k].set), 2024, STREAM_SOURCE};
        if (!s.kernels)
            continue;
        float *x = samples();
        random_stream_normal(&s, 1, 0, SAMPLES, x);
        expect_moments("normal", sets[k].name, x, moment, 0);
        expect_distribution("normal", sets[k].name, x, normal_cdf);
    }
}

/* Both coordinates of a pair, in 16 x 16 cells of equal probability: chi-square with 255 degrees of
 * freedom exceeds 255 + 5.5 sqrt(510) = 379 with a probability below 1e-6. */
static void pairs_of_normals_are_independent(void **state)
{
    (void)state;
    for (size_t k = 0; k < COUNT(sets); k++) {
        struct random_stream s = {kernels_of(sets[k].set), 5, STREAM_SOURCE};
        if (!s.kernels)
            continue;
        float *x = samples();
        int32_t cell[16][16] = {{0}};
        random_stream_normal(&s, 2, 0, SAMPLES, x);
        for (int i = 0; i < SAMPLES; i += 2) {
            int a = (int)(16 * normal_cdf(x[i])), b = (int)(16 * normal_cdf(x[i + 1]));
            cell[a < 16 ? a : 15][b < 16 ? b : 15]++;
        }
        double expected = SAMPLES / 2 / 256.0, chi_square = 0;
        for (int c = 0; c < 256; c++)
            chi_square += pow(cell[c / 16][c % 16] - expected, 2) / expected;
        if (!(chi_square < 379))
            fail_msg("%s: chi-square %.1f of 255 degrees of freedom, above 379", sets[k].name,
                     chi_square);
    }
}

/* Counts beyond t among 2^26 numbers are Poisson; within 5.5 standard deviations of their mean (and
 * 3 counts, for the rare ones) by a false-alarm rate below 1e-6. 24-bit uniforms would have no
 * number beyond 5.77. */
static void tails_of_normals_are_filled(void **state)
{
    (void)state;
    static const double thresholds[] = {3, 4, 4.5, 5, 5.5};
    const int draws = 64;
    struct random_stream s = {kernels_of(FMATCH_INSTRUCTION_SET_AUTO), 8, STREAM_SOURCE};
    int64_t above[COUNT(thresholds)] = {0}, below[COUNT(thresholds)] = {0};
    float *x = samples();
    for (int d = 0; d < draws; d++) {
        random_stream_normal(&s, (uint32_t)d, 0, SAMPLES, x);
        for (int i = 0; i < SAMPLES; i++) {
            if (fabsf(x[i]) < 3)
                continue;
            if (!(fabsf(x[i]) < 6.8f))
                fail_msg("a normal number is %.9g", x[i]);
            for (size_t t = 0; t < COUNT(thresholds); t++) {
                above[t] += x[i] > thresholds[t];
                below[t] += x[i] < -thresholds[t];
            }
        }
    }
    for (size_t t = 0; t < COUNT(thresholds); t++) {
        double expected = (double)draws * SAMPLES * normal_cdf(-thresholds[t]);
        double tolerance = 5.5 * sqrt(expected) + 3;
        if (fabs((double)above[t] - expected) > tolerance ||
            fabs((double)below[t] - expected) > tolerance)
            fail_msg("beyond %g: %lld above and %lld below, %.1f +- %.1f expected", thresholds[t],
                     (long long)above[t], (long long)below[t], expected, tolerance);
    }
}

/* Words chosen for the transform's ends: its largest radius, and a radius of 0. Found by search in
 * the sequence, so through the same door as every number. */
static void extreme_words_give_finite_normals(void **state)
{
    (void)state;
    enum { N = 1 << 16 };
    static uint32_t w[N];
    static float z[N];
    for (size_t k = 0; k < COUNT(sets); k++) {
        const struct vector_kernels *v = kernels_of(sets[k].set);
        int low = 0, high = 0;
        if (!v)
            continue;
        v->words(1, 0, 0, 0, N, w);
        v->normal(1, 0, 0, 0, N, z);
        for (int i = 0; i < N; i += 2) {
            low = w[i] < w[low] ? i : low;
            high = w[i] > w[high] ? i : high;
        }
        double longest = hypot(z[low], z[low + 1]), shortest = hypot(z[high], z[high + 1]);
        double expected = sqrt(-2 * log((w[low] + 0.5) * 0x1p-32));
        if (!(fabs(longest - expected) < 2e-6))
            fail_msg("%s: the longest pair is %.9g, not %.9g", sets[k].name, longest, expected);
        if (!(shortest < 0.02))
            fail_msg("%s: the shortest pair is %.9g", sets[k].name, shortest);
    }
}

/* Each value of 0 to 99 as often as the others: chi-square with 99 degrees of freedom is above
 * 99 + 6 sqrt(198) = 183 with a probability below 1e-6. */
static void integers_are_uniform(void **state)
{
    (void)state;
    static int32_t x[SAMPLES];
    int32_t count[100] = {0};
    struct random_stream s = {kernels_of(FMATCH_INSTRUCTION_SET_AUTO), 17, STREAM_TRAIN_TARGET};
    random_stream_integer(&s, 0, 0, SAMPLES, 100, x);
    for (int i = 0; i < SAMPLES; i++) {
        if (x[i] < 0 || x[i] >= 100)
            fail_msg("integer %d is %d, bound 100", i, x[i]);
        count[x[i]]++;
    }
    double expected = SAMPLES / 100.0, chi_square = 0;
    for (int i = 0; i < 100; i++)
        chi_square += pow(count[i] - expected, 2) / expected;
    if (!(chi_square < 183))
        fail_msg("chi-square %.1f of 99 degrees of freedom, above 183", chi_square);
    random_stream_integer(&s, 0, 0, 100, 1, x);
    for (int i = 0; i < 100; i++)
        assert_int_equal(x[i], 0);
}

/* ---- the lent generator ---- */

static struct random_stream lent_stream(void)
{
    return (struct random_stream){kernels_of(FMATCH_INSTRUCTION_SET_AUTO), 12, STREAM_TRAIN_TARGET};
}

/* Rows 100 to 139 in one call of the callback, and in two: the same numbers. */
static void lent_rows_do_not_depend_on_the_calls(void **state)
{
    (void)state;
    enum { ROWS = 40, CUT = 13, K = 3 };
    struct random_stream s = lent_stream();
    float whole[2][ROWS * K], parts[2][ROWS * K];
    int32_t whole_integers[ROWS * K], part_integers[ROWS * K];
    struct fmatch_random all = random_lend(&s, 100, ROWS);
    fmatch_random_draw_normal(&all, ROWS, K, whole[0]);
    fmatch_random_draw_uniform(&all, ROWS, K, whole[1]);
    fmatch_random_draw_integer(&all, ROWS, K, 1 << 24, whole_integers);
    static const int cuts[] = {0, CUT, ROWS};
    for (int part = 0; part < 2; part++) {
        int first = cuts[part], n = cuts[part + 1] - first;
        struct fmatch_random some = random_lend(&s, 100 + first, n);
        fmatch_random_draw_normal(&some, n, K, parts[0] + first * K);
        fmatch_random_draw_uniform(&some, n, K, parts[1] + first * K);
        fmatch_random_draw_integer(&some, n, K, 1 << 24, part_integers + first * K);
    }
    assert_memory_equal(whole, parts, sizeof whole);
    assert_memory_equal(whole_integers, part_integers, sizeof whole_integers);
}

static void each_lent_draw_gives_new_numbers(void **state)
{
    (void)state;
    enum { N = 50 };
    struct random_stream s = lent_stream();
    struct fmatch_random r = random_lend(&s, 0, N);
    float x[6][N];
    fmatch_random_draw_uniform(&r, N, 1, x[0]);
    fmatch_random_draw_uniform(&r, N, 1, x[1]);
    fmatch_random_set_row(&r, 0);
    fmatch_random_draw_uniform(&r, 1, N, x[2]);
    fmatch_random_draw_uniform(&r, 1, N, x[3]);
    fmatch_random_set_row(&r, 1);
    fmatch_random_draw_uniform(&r, 1, N, x[4]);
    struct fmatch_random later = random_lend(&s, N, N);
    fmatch_random_draw_uniform(&later, N, 1, x[5]);
    /* 300 values of 24 bits: two are equal by chance with probability 0.003, not with this seed */
    for (int i = 0; i < 6 * N; i++)
        for (int j = 0; j < i; j++)
            if (x[i / N][i % N] == x[j / N][j % N])
                fail_msg("value %d of draw %d is value %d of draw %d, %.9g", i % N, i / N, j % N,
                         j / N, x[i / N][i % N]);
}

static void returning_to_a_row_gives_the_same_numbers(void **state)
{
    (void)state;
    struct random_stream s = lent_stream();
    struct fmatch_random r = random_lend(&s, 1000, 8), shifted = random_lend(&s, 1003, 5);
    float first[9], again[9], other[9];
    fmatch_random_set_row(&r, 3);
    fmatch_random_draw_normal(&r, 1, 5, first);
    fmatch_random_draw_uniform(&r, 1, 4, first + 5);
    fmatch_random_set_row(&r, 5);
    fmatch_random_draw_uniform(&r, 1, 2, again);
    fmatch_random_set_row(&r, 3);
    fmatch_random_draw_normal(&r, 1, 5, again);
    fmatch_random_draw_uniform(&r, 1, 4, again + 5);
    assert_memory_equal(first, again, sizeof first);
    /* row 3 from 1000 is row 0 from 1003 */
    fmatch_random_set_row(&shifted, 0);
    fmatch_random_draw_normal(&shifted, 1, 5, other);
    fmatch_random_draw_uniform(&shifted, 1, 4, other + 5);
    assert_memory_equal(first, other, sizeof first);
}

/* Rows far apart: every bit of the row's number matters. */
static void rows_differ_in_every_bit(void **state)
{
    (void)state;
    struct random_stream s = lent_stream();
    float seen[64];
    for (int bit = 0; bit < 64; bit++) {
        int64_t row = bit == 63 ? 0 : INT64_C(1) << bit;
        struct fmatch_random r = random_lend(&s, row, 1);
        fmatch_random_set_row(&r, 0);
        fmatch_random_draw_uniform(&r, 1, 1, &seen[bit]);
        for (int earlier = 0; earlier < bit; earlier++)
            if (seen[earlier] == seen[bit])
                fail_msg("rows 2^%d and %lld have the same number", earlier, (long long)row);
    }
}

static void misuse_writes_nothing(void **state)
{
    (void)state;
    struct random_stream s = lent_stream();
    struct fmatch_random r = random_lend(&s, 0, 4);
    float x[8], untouched[8];
    int32_t i[8];
    memset(x, 0x5a, sizeof x);
    memset(untouched, 0x5a, sizeof untouched);
    memset(i, 0x5a, sizeof i);
    fmatch_random_draw_uniform(NULL, 4, 2, x);
    fmatch_random_draw_normal(NULL, 4, 2, x);
    fmatch_random_draw_integer(NULL, 4, 2, 3, i);
    fmatch_random_set_row(NULL, 0);
    fmatch_random_draw_uniform(&r, 4, 2, NULL);
    fmatch_random_draw_normal(&r, -1, 2, x);
    fmatch_random_draw_normal(&r, 4, 0, x);
    fmatch_random_draw_integer(&r, 4, 2, 0, i);
    fmatch_random_set_row(&r, 4); /* not lent */
    fmatch_random_draw_uniform(&r, 1, 2, x);
    assert_memory_equal(x, untouched, sizeof x);
    assert_memory_equal(i, untouched, sizeof i);
    struct fmatch_random block = random_lend(&s, 0, 4);
    fmatch_random_draw_uniform(&block, 6, 1, x); /* two rows too many */
    assert_memory_not_equal(x, untouched, 4 * sizeof *x);
    assert_memory_equal(x + 4, untouched, 4 * sizeof *x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reference_gives_the_published_answers),
        cmocka_unit_test(words_are_philox),
        cmocka_unit_test(uniform_and_normal_follow_their_definitions),
        cmocka_unit_test(elements_do_not_depend_on_the_cut),
        cmocka_unit_test(seeds_streams_and_draws_differ),
        cmocka_unit_test(uniform_numbers_are_uniform),
        cmocka_unit_test(normal_numbers_are_normal),
        cmocka_unit_test(pairs_of_normals_are_independent),
        cmocka_unit_test(tails_of_normals_are_filled),
        cmocka_unit_test(extreme_words_give_finite_normals),
        cmocka_unit_test(integers_are_uniform),
        cmocka_unit_test(lent_rows_do_not_depend_on_the_calls),
        cmocka_unit_test(each_lent_draw_gives_new_numbers),
        cmocka_unit_test(returning_to_a_row_gives_the_same_numbers),
        cmocka_unit_test(rows_differ_in_every_bit),
        cmocka_unit_test(misuse_writes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
