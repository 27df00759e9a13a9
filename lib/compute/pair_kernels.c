/* See pair_kernels.h. Loops over eight chains of sums, for the compiler to vectorise. */
#include "compute/pair_kernels.h"

#include <math.h>
#include <string.h>

enum { CHAINS = 8 };

static double total(const double *chains)
{
    return ((chains[0] + chains[1]) + (chains[2] + chains[3])) +
           ((chains[4] + chains[5]) + (chains[6] + chains[7]));
}

static double sum_roots(int64_t n, const double *squares)
{
    double chains[CHAINS] = {0.0};
    int64_t i = 0;
    for (; i + CHAINS <= n; i += CHAINS)
        for (int c = 0; c < CHAINS; c++)
            chains[c] += sqrt(squares[i + c]);
    for (int c = 0; i < n; i++, c++)
        chains[c] += sqrt(squares[i]);
    return total(chains);
}

/* exp(x) for x <= 0: 2^k exp(r) with |r| <= ln(2) / 2, by Taylor's series of degree 12, whose
 * remainder is below 2e-16. Adding and taking away 1.5 2^52 rounds to an integer, which then stands
 * in the low bits. ln 2 comes in two parts, the first of 33 bits. */
static inline double exp_below_zero(double x)
{
    const double bounded = x > -708.0 ? x : -708.0, shift = 0x1.8p52;
    const double shifted = bounded * 1.44269504088896340736 + shift, k = shifted - shift;
    double r = bounded - k * 0x1.62e42feep-1;
    r = r - k * 0x1.a39ef35793c76p-33;

    double y = 1.0 / 479001600;
    y = y * r + 1.0 / 39916800;
    y = y * r + 1.0 / 3628800;
    y = y * r + 1.0 / 362880;
    y = y * r + 1.0 / 40320;
    y = y * r + 1.0 / 5040;
    y = y * r + 1.0 / 720;
    y = y * r + 1.0 / 120;
    y = y * r + 1.0 / 24;
    y = y * r + 1.0 / 6;
    y = y * r + 0.5;
    y = y * r + 1.0;
    y = y * r + 1.0;

    uint64_t bits;
    memcpy(&bits, &shifted, sizeof bits);
    bits = (bits + 1023) << 52;
    double power;
    memcpy(&power, &bits, sizeof power);
    return x >= -708.0 ? y * power : 0.0;
}

static double sum_gaussians(int64_t n, const double *squares, double gamma)
{
    double chains[CHAINS] = {0.0};
    int64_t i = 0;
    for (; i + CHAINS <= n; i += CHAINS)
        for (int c = 0; c < CHAINS; c++)
            chains[c] += exp_below_zero(-gamma * squares[i + c]);
    for (int c = 0; i < n; i++, c++)
        chains[c] += exp_below_zero(-gamma * squares[i]);
    return total(chains);
}

const struct pair_kernels PAIR_KERNELS_NAME = {
    .sum_roots = sum_roots,
    .sum_gaussians = sum_gaussians,
};
