#include "path/schedule.h"

#include <math.h>
#include <stddef.h>

static const double HALF_PI = 1.57079632679489661923;

static struct schedule linear_at(const fmatch_path_config *c, double t)
{
    (void)c;
    return (struct schedule){.alpha = t, .sigma = 1.0 - t, .alpha_rate = 1.0, .sigma_rate = -1.0};
}

struct schedule schedule_linear(double t)
{
    return linear_at(NULL, t);
}

static double linear_inverse(const fmatch_path_config *c, double ratio)
{
    (void)c;
    return ratio / (1.0 + ratio);
}

static struct schedule polynomial_at(const fmatch_path_config *c, double t)
{
    const double alpha = pow(t, c->exponent), rate = c->exponent * pow(t, c->exponent - 1.0);
    return (struct schedule){
        .alpha = alpha, .sigma = 1.0 - alpha, .alpha_rate = rate, .sigma_rate = -rate};
}

static double polynomial_inverse(const fmatch_path_config *c, double ratio)
{
    return pow(ratio / (1.0 + ratio), 1.0 / c->exponent);
}

static bool polynomial_singular_start(const fmatch_path_config *c)
{
    return c->exponent < 1.0;
}

/* T, the integral of beta from t to 1, and its derivative. */
static struct schedule variance_preserving_at(const fmatch_path_config *c, double t)
{
    const double rest = 1.0 - t, slope = c->beta_max - c->beta_min;
    const double T = 0.5 * rest * rest * slope + rest * c->beta_min;
    const double T_rate = -rest * slope - c->beta_min;
    const double sigma = sqrt(-expm1(-T)), alpha = exp(-0.5 * T);
    return (struct schedule){.alpha = alpha,
                             .sigma = sigma,
                             .alpha_rate = -0.5 * T_rate * alpha,
                             .sigma_rate = 0.5 * T_rate * exp(-T) / sigma};
}

/* T = log(1 + 1 / ratio^2), which overflows for small ratios only where t is 0 anyway. */
static double variance_preserving_inverse(const fmatch_path_config *c, double ratio)
{
    const double T = ratio < 1e-150 ? HUGE_VAL : log1p(1.0 / (ratio * ratio));
    const double slope = c->beta_max - c->beta_min;
    const double root = sqrt(c->beta_min * c->beta_min + 2.0 * slope * T);
    /* 2 T / (root + beta_min) is (root - beta_min) / slope without cancellation */
    const double rest = T == HUGE_VAL ? 1.0 : 2.0 * T / (root + c->beta_min);
    return rest < 1.0 ? 1.0 - rest : 0.0;
}

static struct schedule linear_variance_preserving_at(const fmatch_path_config *c, double t)
{
    (void)c;
    const double sigma = sqrt((1.0 - t) * (1.0 + t));
    return (struct schedule){
        .alpha = t, .sigma = sigma, .alpha_rate = 1.0, .sigma_rate = -t / sigma};
}

static double linear_variance_preserving_inverse(const fmatch_path_config *c, double ratio)
{
    (void)c;
    return ratio / hypot(1.0, ratio);
}

/* At t = 1 the cosine is 0, which that of a rounded pi / 2 is not. */
static struct schedule cosine_at(const fmatch_path_config *c, double t)
{
    (void)c;
    const double alpha = sin(HALF_PI * t), sigma = sin(HALF_PI * (1.0 - t));
    return (struct schedule){.alpha = alpha,
                             .sigma = sigma,
                             .alpha_rate = HALF_PI * sigma,
                             .sigma_rate = -HALF_PI * alpha};
}

static double cosine_inverse(const fmatch_path_config *c, double ratio)
{
    (void)c;
    return atan(ratio) / HALF_PI;
}

static struct schedule lipman_at(const fmatch_path_config *c, double t)
{
    const double slope = 1.0 - c->sigma_min;
    return (struct schedule){
        .alpha = t, .sigma = 1.0 - slope * t, .alpha_rate = 1.0, .sigma_rate = -slope};
}

static double lipman_inverse(const fmatch_path_config *c, double ratio)
{
    const double t = ratio / (1.0 + (1.0 - c->sigma_min) * ratio);
    return t < 1.0 ? t : 1.0;
}

static const struct schedule_kind kinds[] = {
    [FMATCH_PATH_LINEAR] = {.at = linear_at, .inverse_ratio = linear_inverse},
    [FMATCH_PATH_POLYNOMIAL] = {.at = polynomial_at,
                                .inverse_ratio = polynomial_inverse,
                                .singular_start = polynomial_singular_start},
    [FMATCH_PATH_VARIANCE_PRESERVING] = {.at = variance_preserving_at,
                                         .inverse_ratio = variance_preserving_inverse,
                                         .singular_end = true},
    [FMATCH_PATH_LINEAR_VARIANCE_PRESERVING] = {.at = linear_variance_preserving_at,
                                                .inverse_ratio = linear_variance_preserving_inverse,
                                                .singular_end = true},
    [FMATCH_PATH_COSINE] = {.at = cosine_at, .inverse_ratio = cosine_inverse},
    [FMATCH_PATH_LIPMAN] = {.at = lipman_at, .inverse_ratio = lipman_inverse},
    /* its mean */
    [FMATCH_PATH_BROWNIAN_BRIDGE] = {.at = linear_at, .inverse_ratio = linear_inverse},
};

const struct schedule_kind *schedule_kind_get(int32_t kind)
{
    const int32_t count = sizeof kinds / sizeof kinds[0];
    return kind >= 0 && kind < count ? &kinds[kind] : NULL;
}
