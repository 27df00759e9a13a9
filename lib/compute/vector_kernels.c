/* See vector_kernels.h. Plain loops over branch-free elements, for the compiler to vectorise.
 *
 * Polynomials are own fits, minimax in the norm named at each, by Lawson's iteratively reweighted
 * least squares in double; "within" is the polynomial's own error. "Measured" is the error of the
 * whole function against double precision, over 70 million floats evenly spaced in their order
 * (every 61st), for AVX2 or baseline, whichever is larger; tests/unit/test_vector_kernels.c
 * measures it. */
#include "compute/vector_kernels.h"

#include <math.h>
#include <string.h>
#if defined(__SSE2__)
#include <immintrin.h>
#endif

/* A fused multiply-add is one instruction or, in software, a hundred; the vector body and the
 * scalar remainder of a loop must do the same. */
#if defined(__FMA__) || defined(__ARM_FEATURE_FMA)
#define FMADD(a, b, c) __builtin_fmaf((a), (b), (c))
#else
#define FMADD(a, b, c) ((a) * (b) + (c))
#endif

/* Without this the compiler tests at run time whether the arrays overlap, and takes the scalar loop
 * when input and output are the same array. */
#if defined(__clang__)
#define INDEPENDENT_ITERATIONS _Pragma("clang loop vectorize(assume_safety)")
/* A build without optimisation, or with sanitizers, does not vectorise, and says so. */
#pragma clang diagnostic ignored "-Wpass-failed"
#elif defined(__GNUC__)
#define INDEPENDENT_ITERATIONS _Pragma("GCC ivdep")
#else
#define INDEPENDENT_ITERATIONS
#endif

/* A short loop that is worth its length in code. */
#if defined(__clang__)
#define UNROLLED _Pragma("clang loop unroll(full)")
#elif defined(__GNUC__)
#define UNROLLED _Pragma("GCC unroll 10")
#else
#define UNROLLED
#endif

/* What several kernels share, once. */
#if defined(__GNUC__)
#define NOT_INLINED __attribute__((noinline))
#else
#define NOT_INLINED
#endif

static inline uint32_t bits_of(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static inline float float_of(uint32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* For x >= 0, by the order of the bits; nan gives the limit. Not written as a comparison of floats:
 * GCC would go on with the limit as a constant, and blend several intermediate results instead of
 * one. */
static inline float at_most(float x, float limit)
{
    int32_t a = (int32_t)bits_of(x), b = (int32_t)bits_of(limit);
    return float_of((uint32_t)(a < b ? a : b));
}

/* y = f(x), or nan for nan. */
static inline float unless_nan(float x, float y)
{
    return x == x ? y : x;
}

static inline float absolute(float x)
{
    return float_of(bits_of(x) & 0x7fffffffu);
}

/* The magnitude, negated where x is negative. */
static inline float times_sign_of(float magnitude, float x)
{
    return float_of(bits_of(magnitude) ^ (bits_of(x) & 0x80000000u));
}

/* 2^n as a float, -126 <= n <= 127; anything for other n. */
static inline float power_of_two(int32_t n)
{
    return float_of(((uint32_t)n + 127u) << 23);
}

/* x + ROUNDING is x rounded to an integer, in the low bits of the mantissa, for |x| < 2^22. */
#define ROUNDING 0x1.8p23f

static inline int32_t integer_of(float rounded)
{
    return (int32_t)(bits_of(rounded) - bits_of(ROUNDING));
}

/* ln 2 in two parts; the first has 9 bits, so that its product with an exponent is exact. */
#define LN2_HIGH 0x1.63p-1f
#define LN2_LOW  -2.121944400546906e-4f
#define LOG2_E   1.442695040888963f

/* ---- exp, expm1 ---- */

/* exp(x) = 2^n (1 + tail), |x - n ln 2| <= ln(2)/2, for -104 <= x <= 89 (Cody and Waite's
 * reduction). tail = r + r^2 P(r), P of degree 4, within 3.1e-9 of exp(r). */
struct scaled_exp {
    int32_t n;
    float tail;
};

static inline struct scaled_exp reduce_exp(float x)
{
    float rounded = FMADD(x, LOG2_E, ROUNDING);
    float n = rounded - ROUNDING;
    float r = FMADD(n, -LN2_LOW, FMADD(n, -LN2_HIGH, x));
    float p = 1.381446685e-03f;
    p = FMADD(p, r, 8.368780418e-03f);
    p = FMADD(p, r, 4.166839422e-02f);
    p = FMADD(p, r, 1.666652011e-01f);
    p = FMADD(p, r, 4.999999341e-01f);
    return (struct scaled_exp){integer_of(rounded), FMADD(p * r, r, r)};
}

/* The power is applied in two factors, so that results below 2^-126 are rounded once. */
static inline float exp_in_range(float x)
{
    struct scaled_exp e = reduce_exp(x);
    int32_t half = e.n >> 1;
    return (1.0f + e.tail) * power_of_two(half) * power_of_two(e.n - half);
}

/* Measured: 1.0 ulp; 0 below -103.98, infinity above 88.73. */
static inline float exp_element(float x)
{
    float y = exp_in_range(times_sign_of(at_most(absolute(x), 104.0f), x));
    y = x > 89.0f ? INFINITY : y;
    return unless_nan(x, y);
}

/* exp(-a) for a >= 0, not nan. */
static inline float exp_negative(float a)
{
    return exp_in_range(-at_most(a, 104.0f));
}

/* exp(-a) - 1 for a >= 0, not nan; relative accuracy also near 0. */
static inline float expm1_negative(float a)
{
    struct scaled_exp e = reduce_exp(-at_most(a, 80.0f));
    float scale = power_of_two(e.n);
    return FMADD(scale, e.tail, scale - 1.0f);
}

/* 2^-t for 0 <= t <= 125, within 1e-7 relative where t is exact: for the Gaussian, where an
 * absolute error counts. Polynomial of degree 5 in the fraction. */
static inline float exp2_negative(float t)
{
    const float biased = ROUNDING + 127.0f; /* leaves the exponent field in the low bits */
    float rounded = biased - t;
    float f = (biased - rounded) - t;
    float p = 1.326472707e-03f;
    p = FMADD(p, f, 9.671512649e-03f);
    p = FMADD(p, f, 5.550733744e-02f);
    p = FMADD(p, f, 2.402224209e-01f);
    p = FMADD(p, f, 6.931469776e-01f);
    p = FMADD(p, f, 1.0f);
    return p * float_of(bits_of(rounded) << 23);
}

/* ---- log ---- */

/* log(2^k m) = k ln 2 + log m, m in [sqrt(1/2), sqrt 2), for finite x > 0 that is not denormal.
 * log(1 + f) = f - f^2/2 + f^3 P(f), P of degree 6, within 3.2e-8 relative. `exponent` is added to
 * k. */
static inline float log_positive(float x, int32_t exponent)
{
    uint32_t offset = bits_of(x) - 0x3f3504f3u;
    float f = float_of((offset & 0x007fffffu) + 0x3f3504f3u) - 1.0f;
    float k = (float)(((int32_t)offset >> 23) + exponent);
    float p = 8.700434527e-02f;
    p = FMADD(p, f, -1.426748677e-01f);
    p = FMADD(p, f, 1.491476823e-01f);
    p = FMADD(p, f, -1.657758470e-01f);
    p = FMADD(p, f, 1.996306378e-01f);
    p = FMADD(p, f, -2.500133704e-01f);
    p = FMADD(p, f, 3.333391074e-01f);
    float square = f * f;
    float y = FMADD(p * f, square, k * LN2_LOW);
    y = FMADD(square, -0.5f, y);
    return FMADD(k, LN2_HIGH, f + y);
}

/* Measured: 1.2 ulp, denormal arguments too; -infinity for 0, nan below. */
static inline float log_element(float x)
{
    int denormal = x < 0x1p-126f;
    float y = log_positive(denormal ? x * 0x1p23f : x, denormal ? -23 : 0);
    y = x > 0.0f ? y : (x == 0.0f ? -INFINITY : NAN);
    return x < INFINITY ? y : x + x;
}

/* ---- normal distribution function, erf, GELU ---- */

/* R(w) = Phi(-w) exp(w^2/2) for 0 <= w <= 5.6; R exp(-w^2/2) is within 1.7e-8 of Phi(-w), so that
 * one exponential serves the distribution function and the density. A polynomial of degree 11, in
 * two chains for speed, about w = 2.0: there its terms are positive below, where rounding counts,
 * and cancel only above, where the exponential is small. */
static inline float mills_ratio(float w)
{
    float s = w - 2.0f;
    float square = s * s;
    float odd = -3.155431043e-07f;
    odd = FMADD(odd, square, -1.488553976e-08f);
    odd = FMADD(odd, square, -4.430916257e-05f);
    odd = FMADD(odd, square, -5.415196201e-04f);
    odd = FMADD(odd, square, -6.706888782e-03f);
    odd = FMADD(odd, square, -6.273837811e-02f);
    float even = 7.668316603e-07f;
    even = FMADD(even, square, 8.838239663e-06f);
    even = FMADD(even, square, 1.420898927e-04f);
    even = FMADD(even, square, 1.983171717e-03f);
    even = FMADD(even, square, 2.130990515e-02f);
    even = FMADD(even, square, 1.681021161e-01f);
    return FMADD(odd, s, even);
}

#define MILLS_RATIO_LIMIT 5.6f
#define SQRT_2            1.4142135623730951f
#define INVERSE_SQRT_2PI  0.3989422804014327f

/* Below 0.75 an odd polynomial of degree 13, for the relative accuracy. Measured: 2.5
 * ulp, 1.1e-7 absolute. */
static inline float erf_element(float x)
{
    float a = at_most(absolute(x), 4.0f);
    float square = a * a;
    float p = 7.853891872e-05f;
    p = FMADD(p, square, -8.010203632e-04f);
    p = FMADD(p, square, 5.188328950e-03f);
    p = FMADD(p, square, -2.685381270e-02f);
    p = FMADD(p, square, 1.128358517e-01f);
    p = FMADD(p, square, -3.761262583e-01f);
    p = FMADD(p, square, 1.128379166e+00f);
    float tail =
        2.0f * exp2_negative(square * LOG2_E) * mills_ratio(at_most(a * SQRT_2, MILLS_RATIO_LIMIT));
    return unless_nan(x, times_sign_of(absolute(x) < 0.75f ? p * a : 1.0f - tail, x));
}

struct value_and_slope {
    float value;
    float slope;
};

/* z F(z) and its derivative F(z) + z F'(z), for a distribution function F that is symmetric about
 * 0, from w = |z|, tail = F(-w) and density = F'(w): max(z, 0) - w F(-w) holds for either sign, and
 * keeps the relative accuracy below 0. w may be bounded where w F(-w) is negligible. */
static inline struct value_and_slope self_gated(float z, float w, float tail, float density)
{
    float positive_part = z < 0.0f ? 0.0f : z;
    float step = unless_nan(z, z < 0.0f ? 0.0f : 1.0f);
    return (struct value_and_slope){FMADD(-w, tail, positive_part),
                                    step + times_sign_of(FMADD(w, density, -tail), z)};
}

/* Hendrycks and Gimpel 2016, the exact form z Phi(z). Measured: value 1e-7 max(1, |z|), derivative
 * 1.5e-7, absolute. */
static inline struct value_and_slope gelu(float z)
{
    float w = at_most(absolute(z), 12.5f);
    float gaussian = exp2_negative(w * w * (0.5f * LOG2_E));
    float tail = gaussian * mills_ratio(at_most(w, MILLS_RATIO_LIMIT));
    return self_gated(z, w, tail, gaussian * INVERSE_SQRT_2PI);
}

/* The value alone, at half the cost: max(z, 0) - w (1 - E(w)) / 2, where E(w) = erf(w / sqrt 2) is
 * w P(w^2) / Q(w^2) with degrees 5 and 5, within 9e-9 in the value over max(1, |z|), and 1 at 5.5.
 * Measured: 2.5e-7 max(1, |z|) without fused multiply-adds, 1.9e-7 with them. */
static inline float gelu_value(float z)
{
    float w = at_most(absolute(z), 5.5f);
    float square = w * w;
    float p = 4.41801773e-08f;
    p = FMADD(p, square, 1.27969602e-05f);
    p = FMADD(p, square, 3.53133674e-04f);
    p = FMADD(p, square, 9.44694225e-03f);
    p = FMADD(p, square, 6.92368923e-02f);
    p = FMADD(p, square, 7.97884292e-01f);
    float q = 1.18177968e-06f;
    q = FMADD(q, square, 7.6104829e-05f);
    q = FMADD(q, square, 1.9279191e-03f);
    q = FMADD(q, square, 2.9082608e-02f);
    q = FMADD(q, square, 2.53440656e-01f);
    q = FMADD(q, square, 1.0f);
    float tails = FMADD(-p, w, q) / q;
    return FMADD(-0.5f * w, tails, z < 0.0f ? 0.0f : z);
}

/* ---- the logistic function and its relatives ---- */

/* sigma(-w) = e / (1 + e) and its derivative e / (1 + e)^2 with e = exp(-w), for w >= 0; both with
 * relative accuracy. */
static inline struct value_and_slope logistic_tail(float w)
{
    float e = exp_negative(w);
    float d = 1.0f / (1.0f + e);
    return (struct value_and_slope){e * d, e * d * d};
}

/* z sigma(2 sqrt(2/pi) (z + 0.044715 z^3)), which is the form with tanh. Measured: value 1e-7
 * max(1, |z|), derivative 1.3e-7, absolute. */
static inline struct value_and_slope gelu_tanh(float z)
{
    const float c = 1.5957691216057308f;
    float w = at_most(absolute(z), 12.0f);
    float square = w * w;
    struct value_and_slope s = logistic_tail(w * FMADD(square, c * 0.044715f, c));
    return self_gated(z, w, s.value, s.slope * FMADD(square, c * 3 * 0.044715f, c));
}

/* z sigma(z). Measured: value 3.6 ulp, derivative 1.1e-7 absolute. */
static inline struct value_and_slope silu(float z)
{
    float w = at_most(absolute(z), 104.0f);
    struct value_and_slope s = logistic_tail(w);
    return self_gated(z, w, s.value, s.slope);
}

/* Odd polynomial of degree 11 below 0.6, for the relative accuracy; 1 - 2 / (exp(2 x) + 1) above.
 * Measured: 1.4 ulp; its derivative 1.3e-7 absolute. */
static inline float tanh_element(float x)
{
    float a = at_most(absolute(x), 10.0f);
    float square = a * a;
    float p = -5.819083853e-03f;
    p = FMADD(p, square, 2.073475094e-02f);
    p = FMADD(p, square, -5.376704520e-02f);
    p = FMADD(p, square, 1.333174543e-01f);
    p = FMADD(p, square, -3.333329220e-01f);
    float small = FMADD(p * square, a, a);
    struct scaled_exp e = reduce_exp(2.0f * a);
    float scale = power_of_two(e.n);
    float large = 1.0f - 2.0f / (FMADD(scale, e.tail, scale) + 1.0f);
    return unless_nan(x, times_sign_of(absolute(x) < 0.6f ? small : large, x));
}

static inline struct value_and_slope hyperbolic_tangent(float z)
{
    float a = tanh_element(z);
    return (struct value_and_slope){a, FMADD(-a, a, 1.0f)};
}

static inline struct value_and_slope relu(float z)
{
    return (struct value_and_slope){z <= 0.0f ? 0.0f : z, z <= 0.0f ? 0.0f : (z > 0.0f ? 1.0f : z)};
}

/* Measured: value 1.0 ulp, derivative 0.9 ulp. */
static inline struct value_and_slope elu(float z)
{
    float a = unless_nan(z, expm1_negative(absolute(z)));
    return (struct value_and_slope){z > 0.0f ? z : a, z > 0.0f ? 1.0f : a + 1.0f};
}

/* Klambauer et al. 2017, "Self-normalizing neural networks". Measured: value 1.9 ulp, derivative
 * 1.5e-7 absolute. */
static inline struct value_and_slope selu(float z)
{
    const float scale = 1.0507009873554804934f;
    const float scale_alpha = 1.7580993408473768599f;
    float a = unless_nan(z, scale_alpha * expm1_negative(absolute(z)));
    return (struct value_and_slope){z > 0.0f ? scale * z : a, z > 0.0f ? scale : a + scale_alpha};
}

/* log(1 + exp(z)) = max(z, 0) + log(1 + e), e = exp(-|z|); log(1 + e) = 2 artanh(s), s = e/(2 + e)
 * <= 1/3, by an odd polynomial of degree 9 within 4.5e-9 relative: right also for e far below 1.
 * Measured: value and derivative 2.7 ulp. */
static inline struct value_and_slope softplus(float z)
{
    float e = exp_negative(absolute(z));
    float s = e / (2.0f + e);
    float square = s * s;
    float p = 2.801198568e-01f;
    p = FMADD(p, square, 2.800180553e-01f);
    p = FMADD(p, square, 4.002152722e-01f);
    p = FMADD(p, square, 6.666641629e-01f);
    float d = 1.0f / (1.0f + e);
    return (struct value_and_slope){(z < 0.0f ? 0.0f : z) + FMADD(p * square, s, 2.0f * s),
                                    unless_nan(z, z < 0.0f ? e * d : d)};
}

/* ---- sine and cosine ---- */

struct sine_and_cosine {
    float sine;
    float cosine;
};

/* Of 2 pi (r + quadrant / 4), |r| <= 1/8 turn; polynomials of degree 7 and 8 in r, within 3.3e-9.
 */
static inline struct sine_and_cosine sincos_reduced(float r, uint32_t quadrant)
{
    float square = r * r;
    float s = -7.539150016e+01f;
    s = FMADD(s, square, 8.159231310e+01f);
    s = FMADD(s, square, -4.134166127e+01f);
    s = FMADD(s, square, 6.283185287e+00f);
    s = s * r;
    float c = 5.924437822e+01f;
    c = FMADD(c, square, -8.544370006e+01f);
    c = FMADD(c, square, 6.493932615e+01f);
    c = FMADD(c, square, -1.973920869e+01f);
    c = FMADD(c, square, 1.0f);
    float sine = quadrant & 1 ? c : s;
    float cosine = quadrant & 1 ? s : c;
    return (struct sine_and_cosine){
        float_of(bits_of(sine) ^ ((quadrant & 2) << 30)),
        float_of(bits_of(cosine) ^ (((quadrant + 1) & 2) << 30)),
    };
}

/* Measured: 9.5e-8 absolute. */
static inline struct sine_and_cosine sincos_element(float turns)
{
    float rounded = FMADD(turns, 4.0f, ROUNDING);
    float r = FMADD(rounded - ROUNDING, -0.25f, turns);
    return sincos_reduced(r, (uint32_t)integer_of(rounded));
}

/* ---- the loops ---- */

/* Elements behind the last whole block go through the same loop once more, in a block of their
 * own: a loop over whole blocks needs no second, scalar copy of its body. */
enum { ELEMENTS_OF_A_BLOCK = 16 };

static void copy_last(int64_t rest, const float *x, float last[ELEMENTS_OF_A_BLOCK])
{
    memset(last, 0, ELEMENTS_OF_A_BLOCK * sizeof *last);
    memcpy(last, x, (size_t)rest * sizeof *x);
}

#define UNARY_KERNEL(name, element)                                                                \
    static void name(int64_t n, const float *x, float *y)                                          \
    {                                                                                              \
        float last[ELEMENTS_OF_A_BLOCK], out[ELEMENTS_OF_A_BLOCK];                                 \
        const float *from = x;                                                                     \
        float *to = y;                                                                             \
        const int64_t rest = n % ELEMENTS_OF_A_BLOCK, done = n - rest;                             \
        if (rest > 0)                                                                              \
            copy_last(rest, x + done, last);                                                       \
        for (int64_t whole = done;;) {                                                             \
            INDEPENDENT_ITERATIONS                                                                 \
            for (int64_t i = 0; i < (whole & -ELEMENTS_OF_A_BLOCK); i++)                           \
                to[i] = element(from[i]);                                                          \
            if (rest == 0 || from == last)                                                         \
                break;                                                                             \
            from = last, to = out, whole = ELEMENTS_OF_A_BLOCK;                                    \
        }                                                                                          \
        if (rest > 0)                                                                              \
            memcpy(y + done, out, (size_t)rest * sizeof *y);                                       \
    }

#define ACTIVATION_KERNELS(name)                                                                   \
    static inline float name##_value(float z)                                                      \
    {                                                                                              \
        return name(z).value;                                                                      \
    }                                                                                              \
    UNARY_KERNEL(activate_##name, name##_value)                                                    \
    DERIVATIVE_KERNEL(name)

#define DERIVATIVE_KERNEL(name)                                                                    \
    static void activate_##name##_with_derivative(int64_t n, const float *z, float *a, float *da)  \
    {                                                                                              \
        float last[ELEMENTS_OF_A_BLOCK];                                                           \
        float value[ELEMENTS_OF_A_BLOCK], slope[ELEMENTS_OF_A_BLOCK];                              \
        const float *from = z;                                                                     \
        float *to = a, *to_slope = da;                                                             \
        const int64_t rest = n % ELEMENTS_OF_A_BLOCK, done = n - rest;                             \
        if (rest > 0)                                                                              \
            copy_last(rest, z + done, last);                                                       \
        for (int64_t whole = done;;) {                                                             \
            INDEPENDENT_ITERATIONS                                                                 \
            for (int64_t i = 0; i < (whole & -ELEMENTS_OF_A_BLOCK); i++) {                         \
                struct value_and_slope y = name(from[i]);                                          \
                to[i] = y.value;                                                                   \
                to_slope[i] = y.slope;                                                             \
            }                                                                                      \
            if (rest == 0 || from == last)                                                         \
                break;                                                                             \
            from = last, to = value, to_slope = slope, whole = ELEMENTS_OF_A_BLOCK;                \
        }                                                                                          \
        if (rest == 0)                                                                             \
            return;                                                                                \
        memcpy(a + done, value, (size_t)rest * sizeof *a);                                         \
        memcpy(da + done, slope, (size_t)rest * sizeof *da);                                       \
    }

UNARY_KERNEL(exp_kernel, exp_element)
UNARY_KERNEL(log_kernel, log_element)
UNARY_KERNEL(erf_kernel, erf_element)
UNARY_KERNEL(tanh_kernel, tanh_element)

UNARY_KERNEL(activate_gelu, gelu_value)
DERIVATIVE_KERNEL(gelu)
ACTIVATION_KERNELS(gelu_tanh)
ACTIVATION_KERNELS(relu)
ACTIVATION_KERNELS(silu)
ACTIVATION_KERNELS(hyperbolic_tangent)
ACTIVATION_KERNELS(elu)
ACTIVATION_KERNELS(selu)
ACTIVATION_KERNELS(softplus)

static void sincos_turns_kernel(int64_t n, const float *turns, float *sine, float *cosine)
{
    float last[ELEMENTS_OF_A_BLOCK] = {0}, sines[ELEMENTS_OF_A_BLOCK], cosines[ELEMENTS_OF_A_BLOCK];
    const float *from = turns;
    float *to_sine = sine, *to_cosine = cosine;
    const int64_t rest = n % ELEMENTS_OF_A_BLOCK;
    memcpy(last, turns + (n - rest), (size_t)rest * sizeof *turns);
    for (int64_t whole = n - rest;;) {
        INDEPENDENT_ITERATIONS
        for (int64_t i = 0; i < (whole & -ELEMENTS_OF_A_BLOCK); i++) {
            struct sine_and_cosine y = sincos_element(from[i]);
            to_sine[i] = y.sine;
            to_cosine[i] = y.cosine;
        }
        if (from == last || rest == 0)
            break;
        from = last, to_sine = sines, to_cosine = cosines, whole = ELEMENTS_OF_A_BLOCK;
    }
    memcpy(sine + (n - rest), sines, (size_t)rest * sizeof *sine);
    memcpy(cosine + (n - rest), cosines, (size_t)rest * sizeof *cosine);
}

static void adam_kernel(const struct adam_step *step, int64_t n, const float *g, float *p, float *m,
                        float *v)
{
    const struct adam_step s = *step;
    INDEPENDENT_ITERATIONS
    for (int64_t i = 0; i < n; i++) {
        float scaled = s.scale * g[i];
        m[i] = FMADD(s.beta1, m[i], s.one_minus_beta1 * scaled);
        v[i] = FMADD(s.beta2, v[i], s.one_minus_beta2 * scaled * scaled);
        p[i] = s.decay * p[i] - s.step_size * m[i] / FMADD(sqrtf(v[i]), s.root_scale, s.epsilon);
    }
}

static void sgd_kernel(const struct sgd_step *step, int64_t n, const float *g, float *p, float *b)
{
    const struct sgd_step s = *step;
    INDEPENDENT_ITERATIONS
    for (int64_t i = 0; i < n; i++) {
        float d = FMADD(s.weight_decay, p[i], s.scale * g[i]);
        b[i] = FMADD(s.momentum, b[i], d);
        p[i] = FMADD(-s.learning_rate, FMADD(s.of_velocity, b[i], s.of_gradient * d), p[i]);
    }
}

/* The difference is halved, and so cannot overflow. */
static void approach_kernel(int64_t n, float share, const float *x, float *a)
{
    INDEPENDENT_ITERATIONS
    for (int64_t i = 0; i < n; i++) {
        float half = 0.5f * x[i] - 0.5f * a[i];
        a[i] = FMADD(share, half, FMADD(share, half, a[i]));
    }
}

/* Sixteen chains that do not wait for one another, in vectors of the compilers' own, since GCC
 * leaves an array of them in memory. */
typedef float four_floats __attribute__((vector_size(16)));
typedef double four_doubles __attribute__((vector_size(32)));

static inline void add_squares(const float *x, four_doubles sums[4])
{
    for (int c = 0; c < 4; c++) {
        four_floats narrow;
        memcpy(&narrow, x + 4 * c, sizeof narrow);
        const four_doubles wide = __builtin_convertvector(narrow, four_doubles);
        sums[c] += wide * wide;
    }
}

static double square_sum_kernel(int64_t n, const float *x)
{
    enum { TOGETHER = 16 };
    four_doubles sums[4] = {{0}};
    float rest[TOGETHER] = {0};
    int64_t i = 0;
    for (; i + TOGETHER <= n; i += TOGETHER)
        add_squares(x + i, sums);
    memcpy(rest, x + i, (size_t)(n - i) * sizeof *rest);
    add_squares(rest, sums);
    const four_doubles sum = (sums[0] + sums[1]) + (sums[2] + sums[3]);
    return (sum[0] + sum[1]) + (sum[2] + sum[3]);
}

/* ---- sums and products of arrays ---- */

static void add_kernel(int64_t n, const float *b, float *a)
{
    for (int64_t i = 0; i < n; i++)
        a[i] += b[i];
}

static void multiply_kernel(int64_t n, const float *b, float *a)
{
    for (int64_t i = 0; i < n; i++)
        a[i] *= b[i];
}

static void add_scaled_kernel(int64_t n, const float *x, float scale, const float *y, float *to)
{
    for (int64_t i = 0; i < n; i++)
        to[i] = FMADD(scale, y[i], x[i]);
}

/* Some columns at a time, whose sums stay in registers. */
static void add_rows_kernel(int64_t n, int64_t columns, const float *x, float *sums)
{
    typedef float part __attribute__((vector_size(32), aligned(4), may_alias));
    enum { TOGETHER = 4 * (int)(sizeof(part) / sizeof(float)) };
    int64_t j = 0;
    for (; j + TOGETHER <= columns; j += TOGETHER) {
        part *to = (part *)(sums + j);
        part a = to[0], b = to[1], c = to[2], d = to[3];
        for (int64_t i = 0; i < n; i++) {
            const part *row = (const part *)(x + i * columns + j);
            a += row[0];
            b += row[1];
            c += row[2];
            d += row[3];
        }
        to[0] = a;
        to[1] = b;
        to[2] = c;
        to[3] = d;
    }
    for (; j < columns; j++)
        for (int64_t i = 0; i < n; i++)
            sums[j] += x[i * columns + j];
}

static void multiply_add_kernel(int64_t n, const float *x, const float *y, const float *z,
                                float *to)
{
    INDEPENDENT_ITERATIONS
    for (int64_t i = 0; i < n; i++)
        to[i] = FMADD(x[i], y[i], z[i]);
}

/* ---- normalisation of a row ---- */

/* Sums side by side, in vectors of the compilers' own, which would keep an array of them in memory.
 */
#if defined(__AVX2__)
enum { CHAINS = 8 };
#else
enum { CHAINS = 4 };
#endif
typedef float chains __attribute__((vector_size(CHAINS * sizeof(float))));

static inline chains load_chains(const float *x)
{
    chains c;
    memcpy(&c, x, sizeof c);
    return c;
}

static inline float sum_of_chains(chains c)
{
    float a[CHAINS];
    memcpy(a, &c, sizeof a);
    for (int half = CHAINS / 2; half > 2; half /= 2)
        for (int k = 0; k < half; k++)
            a[k] += a[k + half];
    return (a[0] + a[2]) + (a[1] + a[3]);
}

/* Two vectors of x and of y. */
static inline void add_chains(const float *x, const float *y, float from, chains sum[2],
                              chains product[2])
{
    for (int k = 0; k < 2; k++) {
        const chains a = load_chains(x + k * CHAINS) - from;
        sum[k] += a;
        product[k] += a * (load_chains(y + k * CHAINS) - from);
    }
}

struct row_sums {
    float difference, product;
};

/* Sums of x - from and of (x - from) (y - from). The last chains are filled up with what adds
 * nothing. */
static NOT_INLINED struct row_sums sum_row(int64_t n, const float *x, const float *y, float from)
{
    enum { STEP = 2 * CHAINS };
    chains sum[2] = {0}, product[2] = {0};
    const int64_t whole = n - n % STEP;
    for (int64_t i = 0; i < whole; i += STEP)
        add_chains(x + i, y + i, from, sum, product);
    if (whole < n) {
        float rest[2][STEP];
        for (int k = 0; k < STEP; k++)
            rest[0][k] = rest[1][k] = from;
        memcpy(rest[0], x + whole, (size_t)(n - whole) * sizeof *x);
        memcpy(rest[1], y + whole, (size_t)(n - whole) * sizeof *y);
        add_chains(rest[0], rest[1], from, sum, product);
    }
    return (struct row_sums){sum_of_chains(sum[0] + sum[1]),
                             sum_of_chains(product[0] + product[1])};
}

/* to = (x - mean - slope y) r, where to may be x. */
static NOT_INLINED void project_row(int64_t n, const float *x, float mean, float slope,
                                    const float *y, float r, float *to)
{
    INDEPENDENT_ITERATIONS
    for (int64_t i = 0; i < n; i++)
        to[i] = FMADD(-slope, y[i], x[i] - mean) * r;
}

static float normalise_kernel(int64_t n, float epsilon, const float *z, float *y)
{
    const float mean = sum_row(n, z, z, 0.0f).difference / (float)n;
    const float variance = sum_row(n, z, z, mean).product / (float)n;
    const float r = 1.0f / sqrtf(variance + epsilon);
    project_row(n, z, mean, 0.0f, z, r, y);
    return r;
}

static void normalise_slope_kernel(int64_t n, float r, const float *y, float *d)
{
    const struct row_sums sums = sum_row(n, d, y, 0.0f);
    project_row(n, d, sums.difference / (float)n, sums.product / (float)n, y, r, d);
}

/* ---- random numbers ---- */

/* Philox needs both halves of 32-bit products. Neither compiler vectorises that well, so these
 * lanes are vectors of the compilers' own, one 32-bit word in the lower half of each 64-bit lane;
 * the upper half is ignored. */
#if defined(__AVX2__)

enum { LANES = 4 };
typedef uint64_t lanes __attribute__((vector_size(32)));

static inline lanes multiply_words(lanes a, lanes b)
{
    return (lanes)_mm256_mul_epu32((__m256i)a, (__m256i)b);
}

#elif defined(__SSE2__)

enum { LANES = 2 };
typedef uint64_t lanes __attribute__((vector_size(16)));

static inline lanes multiply_words(lanes a, lanes b)
{
    return (lanes)_mm_mul_epu32((__m128i)a, (__m128i)b);
}

#else

enum { LANES = 2 };
typedef uint64_t lanes __attribute__((vector_size(16)));

static inline lanes multiply_words(lanes a, lanes b)
{
    return (a & 0xffffffffu) * (b & 0xffffffffu);
}

#endif

enum { TILE_BLOCKS = 64, BLOCKS_AT_ONCE = 8 };

_Static_assert(BLOCKS_AT_ONCE % (2 * LANES) == 0 && TILE_BLOCKS % BLOCKS_AT_ONCE == 0,
               "a tile is whole vectors");

/* Philox blocks, word by word: word[j][i] is word j of block i. */
struct tile {
    uint32_t word[4][TILE_BLOCKS];
};

/* Ten rounds of Philox4x32 on the block in each lane: Salmon et al., "Parallel random numbers: as
 * easy as 1, 2, 3", 2011, section 4.3, with its multipliers; the key goes on by the golden ratio
 * and by sqrt(3) - 1. */
static inline void philox_10(uint32_t k0, uint32_t k1, lanes c[4])
{
    const lanes none = {0};
    const lanes m0 = none + 0xD2511F53u, m1 = none + 0xCD9E8D57u;
    UNROLLED
    for (int round = 0; round < 10; round++) {
        lanes p0 = multiply_words(c[0], m0);
        lanes p1 = multiply_words(c[2], m1);
        c[0] = (p1 >> 32) ^ c[1] ^ (none + k0);
        c[1] = p1;
        c[2] = (p0 >> 32) ^ c[3] ^ (none + k1);
        c[3] = p0;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
}

/* Lanes of 32-bit words in memory order: a lane of `even`, then one of `odd`. */
static inline lanes zip_words(lanes even, lanes odd)
{
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    return (even << 32) | (odd & 0xffffffffu);
#else
    return (even & 0xffffffffu) | (odd << 32);
#endif
}

static void fill_tile(uint64_t seed, uint32_t counter2, uint32_t counter3, uint64_t block,
                      int32_t blocks, struct tile *t)
{
    const lanes none = {0};
    lanes number = none + block;
    for (int i = 0; i < LANES; i++)
        number[i] += 2 * (uint64_t)i;
    for (int32_t i = 0; i < blocks; i += 2 * LANES) {
        lanes even[4] = {number, number >> 32, none + counter2, none + counter3};
        lanes odd[4] = {number + 1, (number + 1) >> 32, none + counter2, none + counter3};
        philox_10((uint32_t)seed, (uint32_t)(seed >> 32), even);
        philox_10((uint32_t)seed, (uint32_t)(seed >> 32), odd);
        UNROLLED
        for (int j = 0; j < 4; j++) {
            lanes words = zip_words(even[j], odd[j]);
            memcpy(&t->word[j][i], &words, sizeof words);
        }
        number += 2 * LANES;
    }
}

/* Turns the words of a tile into what is drawn, in place. */
typedef void tile_transform(int32_t blocks, struct tile *t);

static void keep_words(int32_t blocks, struct tile *t)
{
    (void)blocks;
    (void)t;
}

static void words_to_uniform(int32_t blocks, struct tile *t)
{
    for (int j = 0; j < 4; j++) {
        uint32_t *w = t->word[j];
        for (int32_t i = 0; i < (blocks & -BLOCKS_AT_ONCE); i++)
            w[i] = bits_of((float)(int32_t)(w[i] >> 8) * 0x1p-24f);
    }
}

/* Box and Muller 1958. The radius is from u = (first + 1/2) 2^-32, rounded to float, which has all
 * its bits where u is small: |z| <= sqrt(66 ln 2) = 6.76. The angle is (second word) 2^-32 turns:
 * its first two bits are the quadrant, the others, with sign, the place in it. */
static void box_muller(int32_t blocks, uint32_t *first, uint32_t *second)
{
    INDEPENDENT_ITERATIONS
    for (int32_t i = 0; i < (blocks & -BLOCKS_AT_ONCE); i++) {
        float high = (float)(int32_t)(first[i] >> 16);
        float low = (float)(int32_t)(first[i] & 0xffffu);
        float u = FMADD(high, 65536.0f, low + 0.5f) * 0x1p-32f;
        float radius = sqrtf(-2.0f * log_positive(u, 0));
        float angle = (float)(int32_t)(second[i] << 2) * 0x1p-34f;
        struct sine_and_cosine y = sincos_reduced(angle, second[i] >> 30);
        first[i] = bits_of(radius * y.cosine);
        second[i] = bits_of(radius * y.sine);
    }
}

static void words_to_normal(int32_t blocks, struct tile *t)
{
    box_muller(blocks, t->word[0], t->word[1]);
    box_muller(blocks, t->word[2], t->word[3]);
}

static void interleave(int32_t blocks, const struct tile *t, uint32_t *out)
{
    INDEPENDENT_ITERATIONS
    for (int32_t i = 0; i < (blocks & -BLOCKS_AT_ONCE); i++) {
        out[4 * i] = t->word[0][i];
        out[4 * i + 1] = t->word[1][i];
        out[4 * i + 2] = t->word[2][i];
        out[4 * i + 3] = t->word[3][i];
    }
}

/* `out` is an array of 4-byte elements. Whole vectors of blocks are computed, also for a single
 * element. */
static inline void draw(tile_transform *transform, uint64_t seed, uint32_t counter2,
                        uint32_t counter3, uint64_t first, int64_t n, void *out)
{
    struct tile t;
    uint32_t elements[4 * TILE_BLOCKS];
    unsigned char *to = out;
    while (n > 0) {
        int32_t skipped = (int32_t)(first % 4);
        int64_t taken = n < 4 * TILE_BLOCKS - skipped ? n : 4 * TILE_BLOCKS - skipped;
        int32_t blocks = ((int32_t)taken + skipped + 3) / 4;
        int32_t computed = (blocks + BLOCKS_AT_ONCE - 1) / BLOCKS_AT_ONCE * BLOCKS_AT_ONCE;
        fill_tile(seed, counter2, counter3, first / 4, computed, &t);
        transform(computed, &t);
        interleave(computed, &t, elements);
        memcpy(to, elements + skipped, (size_t)taken * sizeof *elements);
        to += (size_t)taken * sizeof *elements;
        first += (uint64_t)taken;
        n -= taken;
    }
}

static void words_kernel(uint64_t seed, uint32_t counter2, uint32_t counter3, uint64_t first,
                         int64_t n, uint32_t *out)
{
    draw(keep_words, seed, counter2, counter3, first, n, out);
}

static void uniform_kernel(uint64_t seed, uint32_t counter2, uint32_t counter3, uint64_t first,
                           int64_t n, float *out)
{
    draw(words_to_uniform, seed, counter2, counter3, first, n, out);
}

static void normal_kernel(uint64_t seed, uint32_t counter2, uint32_t counter3, uint64_t first,
                          int64_t n, float *out)
{
    draw(words_to_normal, seed, counter2, counter3, first, n, out);
}

/* ---- the table ---- */

const struct vector_kernels VECTOR_KERNELS_NAME = {
    .exp = exp_kernel,
    .log = log_kernel,
    .erf = erf_kernel,
    .tanh = tanh_kernel,
    .sincos_turns = sincos_turns_kernel,
    .activate = {activate_gelu, activate_gelu_tanh, activate_relu, activate_silu,
                 activate_hyperbolic_tangent, activate_elu, activate_selu, activate_softplus},
    .activate_with_derivative = {activate_gelu_with_derivative, activate_gelu_tanh_with_derivative,
                                 activate_relu_with_derivative, activate_silu_with_derivative,
                                 activate_hyperbolic_tangent_with_derivative,
                                 activate_elu_with_derivative, activate_selu_with_derivative,
                                 activate_softplus_with_derivative},
    .adam = adam_kernel,
    .sgd = sgd_kernel,
    .approach = approach_kernel,
    .square_sum = square_sum_kernel,
    .add = add_kernel,
    .multiply = multiply_kernel,
    .add_scaled = add_scaled_kernel,
    .add_rows = add_rows_kernel,
    .multiply_add = multiply_add_kernel,
    .normalise = normalise_kernel,
    .normalise_slope = normalise_slope_kernel,
    .words = words_kernel,
    .uniform = uniform_kernel,
    .normal = normal_kernel,
};
