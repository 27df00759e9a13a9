/* Vector kernels against double precision, for every instruction set that this processor has.
 *
 * By default every 4097th bit pattern of a float, and an even grid; with FLOWMATCH_EXHAUSTIVE=1 in
 * the environment all 2^32 patterns. */
#include <float.h>
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
#include "flowmatch/context.h"
#include "flowmatch/model.h"

static const struct vector_kernels *kernels_of(int32_t set)
{
    const struct instruction_set *found = instruction_set_get(set);
    return found ? found->vectors : NULL;
}

#define COUNT(array) (sizeof(array) / sizeof *(array))

enum { CHUNK = 4096 };

static const struct {
    int32_t set;
    const char *name;
} sets[] = {
    {FMATCH_INSTRUCTION_SET_BASELINE, "baseline"},
    {FMATCH_INSTRUCTION_SET_AVX2, "avx2"},
};

static const char *const activation_names[ACTIVATION_COUNT] = {
    "gelu", "gelu_tanh", "relu", "silu", "tanh", "elu", "selu", "softplus"};

/* ---- references in double ---- */

static double normal_cdf(double z)
{
    return 0.5 * erfc(-z * sqrt(0.5));
}

static double gelu(double z)
{
    return z * normal_cdf(z);
}

static double gelu_slope(double z)
{
    return normal_cdf(z) + z * exp(-0.5 * z * z) / sqrt(2 * acos(-1.0));
}

static double sigmoid(double z)
{
    return 1 / (1 + exp(-z));
}

static double gelu_tanh(double z)
{
    return z * sigmoid(2 * sqrt(2 / acos(-1.0)) * (z + 0.044715 * z * z * z));
}

static double gelu_tanh_slope(double z)
{
    double c = 2 * sqrt(2 / acos(-1.0));
    double s = sigmoid(c * (z + 0.044715 * z * z * z));
    return s + (s == 0 || s == 1 ? 0 : z * s * (1 - s) * c * (1 + 3 * 0.044715 * z * z));
}

static double relu(double z)
{
    return z > 0 ? z : 0;
}

static double relu_slope(double z)
{
    return z > 0;
}

static double silu(double z)
{
    return z * sigmoid(z);
}

static double silu_slope(double z)
{
    return sigmoid(z) + z * sigmoid(z) * sigmoid(-z);
}

static double tanh_slope(double z)
{
    return 1 - tanh(z) * tanh(z);
}

static double elu(double z)
{
    return z > 0 ? z : expm1(z);
}

static double elu_slope(double z)
{
    return z > 0 ? 1 : exp(z);
}

static const double selu_scale = 1.0507009873554804934193349852946;
static const double selu_alpha = 1.6732632423543772848170429916717;

static double selu(double z)
{
    return selu_scale * (z > 0 ? z : selu_alpha * expm1(z));
}

static double selu_slope(double z)
{
    return selu_scale * (z > 0 ? 1 : selu_alpha * exp(z));
}

static double softplus(double z)
{
    return (z > 0 ? z : 0) + log1p(exp(-fabs(z)));
}

typedef double reference(double);

static reference *const activation[ACTIVATION_COUNT] = {gelu, gelu_tanh, relu, silu,
                                                        tanh, elu,       selu, softplus};
static reference *const activation_slope[ACTIVATION_COUNT] = {
    gelu_slope, gelu_tanh_slope, relu_slope, silu_slope,
    tanh_slope, elu_slope,       selu_slope, sigmoid};

/* ---- sweeps over the floats ---- */

static uint32_t bits_of(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static float float_of(uint32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static bool same_float(float a, float b)
{
    return bits_of(a) == bits_of(b) || (isnan(a) && isnan(b));
}

/* Distance between neighbouring floats near x. */
static double ulp(double x)
{
    int exponent;
    frexp(x, &exponent);
    return ldexp(1, exponent < -125 ? -149 : exponent - 24);
}

/* An error of a result is admissible up to the larger of the two. */
struct limit {
    double absolute;
    double ulps;
};

struct worst {
    double ratio; /* of the error to its limit */
    double error, ulps;
    float x, y;
    double expected;
};

static void compare(struct worst *w, struct limit limit, float x, float y, double expected)
{
    if (isnan(x) || isnan(expected) || isinf((float)expected)) {
        if (!same_float(y, isnan(x) || isnan(expected) ? NAN : (float)expected)) {
            *w = (struct worst){.ratio = INFINITY, .x = x, .y = y, .expected = expected};
        }
        return;
    }
    double error = fabs(y - expected);
    double allowed = fmax(limit.absolute, limit.ulps * ulp(expected));
    if (!(error / allowed <= w->ratio))
        *w = (struct worst){isnan(error) ? INFINITY : error / allowed,
                            error,
                            error / ulp(expected),
                            x,
                            y,
                            expected};
}

/* Fills in the next inputs of a sweep from `first` to `last`, both of them finite; 0 at its end. */
struct sweep {
    uint64_t next, stride;
    float low, high;
};

static struct sweep sweep_from(float low, float high)
{
    const char *exhaustive = getenv("FLOWMATCH_EXHAUSTIVE");
    return (struct sweep){
        .stride = exhaustive && *exhaustive == '1' ? 1 : 4097, .low = low, .high = high};
}

static const int64_t GRID = 200000;

static int64_t next_inputs(struct sweep *s, float *x)
{
    int64_t n = 0;
    for (; n < CHUNK && s->next <= UINT32_MAX; s->next += s->stride) {
        float value = float_of((uint32_t)s->next);
        if (isnan(value) || (value >= s->low && value <= s->high))
            x[n++] = value;
    }
    if (n == 0 && s->next <= (uint64_t)UINT32_MAX + s->stride)
        s->next = (uint64_t)UINT32_MAX + s->stride + 1; /* the grid begins */
    float low = fmaxf(s->low, -16), high = fminf(s->high, 16);
    for (; n < CHUNK && s->next > (uint64_t)UINT32_MAX + s->stride; s->next++) {
        int64_t i = (int64_t)(s->next - UINT32_MAX - s->stride) - 1;
        if (i >= GRID)
            break;
        x[n++] = low + (high - low) * ((float)i / (float)GRID);
    }
    return n;
}

static void report(const char *set, const char *name, struct worst w)
{
    printf("# %-8s %-16s worst error %.3g = %.2f ulp at %.9g, %.2f of the limit\n", set, name,
           w.error, w.ulps, w.x, w.ratio);
    if (w.ratio > 1)
        fail_msg("%s (%s) of %.9g is %.9g, not %.9g: error %.3g or %.2f ulp, %.2f times the limit",
                 name, set, w.x, w.y, w.expected, w.error, w.ulps, w.ratio);
}

static void sweep_unary(const char *set, const char *name, unary_kernel *kernel, reference *f,
                        struct limit limit, float low, float high)
{
    float x[CHUNK], y[CHUNK];
    struct sweep s = sweep_from(low, high);
    struct worst w = {0};
    for (int64_t n; (n = next_inputs(&s, x)) > 0;) {
        kernel(n, x, y);
        for (int64_t i = 0; i < n; i++)
            compare(&w, limit, x[i], y[i], f(x[i]));
    }
    report(set, name, w);
}

/* ---- elementary functions ---- */

static void elementary_functions_are_accurate(void **state)
{
    (void)state;
    for (size_t k = 0; k < COUNT(sets); k++) {
        const struct vector_kernels *v = kernels_of(sets[k].set);
        if (!v)
            continue;
        const char *set = sets[k].name;
        sweep_unary(set, "exp", v->exp, exp, (struct limit){0, 1.5}, -INFINITY, INFINITY);
        sweep_unary(set, "log", v->log, log, (struct limit){0, 2.0}, -INFINITY, INFINITY);
        sweep_unary(set, "erf", v->erf, erf, (struct limit){0, 3.0}, -INFINITY, INFINITY);
        sweep_unary(set, "erf, absolute", v->erf, erf, (struct limit){1.2e-7, 0}, -INFINITY,
                    INFINITY);
        sweep_unary(set, "tanh", v->tanh, tanh, (struct limit){0, 3.0}, -INFINITY, INFINITY);
    }
}

static double sine_of_turns(double t)
{
    return sin(2 * acos(-1.0) * t);
}

static double cosine_of_turns(double t)
{
    return cos(2 * acos(-1.0) * t);
}

static void sine_and_cosine_of_turns_are_accurate(void **state)
{
    (void)state;
    const struct limit limit = {1.2e-7, 0};
    for (size_t k = 0; k < COUNT(sets); k++) {
        const struct vector_kernels *v = kernels_of(sets[k].set);
        if (!v)
            continue;
        float x[CHUNK], sine[CHUNK], cosine[CHUNK];
        struct sweep s = sweep_from(0, 1);
        struct worst ws = {0}, wc = {0};
        for (int64_t n; (n = next_inputs(&s, x)) > 0;) {
            v->sincos_turns(n, x, sine, cosine);
            for (int64_t i = 0; i < n; i++) {
                compare(&ws, limit, x[i], sine[i], sine_of_turns(x[i]));
                compare(&wc, limit, x[i], cosine[i], cosine_of_turns(x[i]));
            }
        }
        report(sets[k].name, "sin(2 pi t)", ws);
        report(sets[k].name, "cos(2 pi t)", wc);
    }
}

/* ---- activations ---- */

/* The absolute limit of a value is for |z| <= 1, and grows with |z|. */
static const struct {
    struct limit value, slope;
} activation_limits[ACTIVATION_COUNT] = {
    {{2e-7, 0}, {4e-7, 0}},   /* gelu */
    {{2e-7, 0}, {4e-7, 0}},   /* gelu_tanh */
    {{0, 0.5}, {0, 0.5}},     /* relu */
    {{1e-44, 4}, {2e-7, 0}},  /* silu: absolute where the result is a denormal */
    {{0, 3}, {2e-7, 0}},      /* tanh */
    {{0, 2}, {1.2e-7, 0}},    /* elu */
    {{0, 3}, {2.4e-7, 0}},    /* selu */
    {{1e-44, 3}, {1e-44, 3}}, /* softplus */
};

static void activations_are_accurate(void **state)
{
    (void)state;
    for (size_t k = 0; k < COUNT(sets); k++) {
        const struct vector_kernels *v = kernels_of(sets[k].set);
        for (int a = 0; v && a < ACTIVATION_COUNT; a++) {
            float z[CHUNK], y[CHUNK], alone[CHUNK], slope[CHUNK];
            char name[32];
            /* the references overflow beyond 1e30 */
            struct sweep s = sweep_from(-1e30f, 1e30f);
            struct worst value_worst = {0}, alone_worst = {0}, slope_worst = {0};
            for (int64_t n; (n = next_inputs(&s, z)) > 0;) {
                v->activate_with_derivative[a](n, z, y, slope);
                v->activate[a](n, z, alone);
                for (int64_t i = 0; i < n; i++) {
                    struct limit grown = activation_limits[a].value;
                    grown.absolute *= fmax(1, fabs((double)z[i]));
                    const double right = activation[a](z[i]);
                    compare(&value_worst, grown, z[i], y[i], right);
                    grown.absolute *= 1.5; /* GELU alone is cheaper and less exact */
                    compare(&alone_worst, grown, z[i], alone[i], right);
                    compare(&slope_worst, activation_limits[a].slope, z[i], slope[i],
                            activation_slope[a](z[i]));
                }
            }
            snprintf(name, sizeof name, "%s", activation_names[a]);
            report(sets[k].name, name, value_worst);
            snprintf(name, sizeof name, "%s alone", activation_names[a]);
            report(sets[k].name, name, alone_worst);
            snprintf(name, sizeof name, "%s'", activation_names[a]);
            report(sets[k].name, name, slope_worst);
        }
    }
}

/* The slopes against central differences of the values in double: a wrong formula in both kernel
 * and reference would pass the sweep. */
static void derivatives_agree_with_central_differences(void **state)
{
    (void)state;
    for (size_t k = 0; k < COUNT(sets); k++) {
        const struct vector_kernels *v = kernels_of(sets[k].set);
        for (int a = 0; v && a < ACTIVATION_COUNT; a++) {
            for (int i = -2000; i < 2000; i++) {
                float z = ((float)i + 0.5f) / 200.0f, y, slope;
                v->activate_with_derivative[a](1, &z, &y, &slope);
                double h = 1e-5;
                double expected = (activation[a](z + h) - activation[a](z - h)) / (2 * h);
                if (!(fabs(slope - expected) <= 5e-7))
                    fail_msg("%s' (%s) of %.9g is %.9g, the central difference is %.9g",
                             activation_names[a], sets[k].name, z, slope, expected);
            }
        }
    }
}

static void expect_limit(const char *set, const char *name, float x, float y, double expected,
                         double tolerance)
{
    bool near = fabs(y - expected) <= tolerance;
    if (!near && !same_float(y, (float)expected))
        fail_msg("%s (%s) of %g is %g, not %g", name, set, x, y, expected);
}

static void infinite_and_nan_arguments_give_limits_and_nan(void **state)
{
    (void)state;
    static const struct {
        double at_minus, slope_at_minus, slope_at_plus;
    } limits[ACTIVATION_COUNT] = {{0, 0, 1},
                                  {0, 0, 1},
                                  {0, 0, 1},
                                  {0, 0, 1},
                                  {-1, 0, 0},
                                  {-1, 0, 1},
                                  {-1.75809934, 0, 1.05070099},
                                  {0, 0, 1}};
    for (size_t k = 0; k < COUNT(sets); k++) {
        const struct vector_kernels *v = kernels_of(sets[k].set);
        const char *set = sets[k].name;
        for (int a = 0; v && a < ACTIVATION_COUNT; a++) {
            const char *name = activation_names[a];
            const float z[3] = {-INFINITY, INFINITY, NAN};
            float y[3], slope[3];
            v->activate_with_derivative[a](3, z, y, slope);
            double at_plus = a == FMATCH_ACTIVATION_TANH ? 1 : INFINITY;
            expect_limit(set, name, z[0], y[0], limits[a].at_minus, 1.3e-7);
            expect_limit(set, name, z[1], y[1], at_plus, 0);
            expect_limit(set, name, z[2], y[2], NAN, 0);
            expect_limit(set, name, z[0], slope[0], limits[a].slope_at_minus, 1e-7);
            expect_limit(set, name, z[1], slope[1], limits[a].slope_at_plus, 1.2e-7);
            expect_limit(set, name, z[2], slope[2], NAN, 0);
        }
    }
}

/* ---- position independence ---- */

enum { WINDOW = 80 };

static void varied_inputs(float *x)
{
    static const float special[] = {0.0f,   -0.0f,   INFINITY, -INFINITY, NAN,  1.0f,
                                    -1.0f,  88.8f,   -104.5f,  1e-40f,    0.6f, -12.5f,
                                    200.0f, -200.0f, 3e38f,    -3e38f};
    uint32_t word = 1;
    for (int i = 0; i < WINDOW; i++) {
        word = word * 1664525u + 1013904223u;
        float even = (float)(int32_t)word * 0x1p-28f;
        x[i] = i % 5 == 4 ? special[(size_t)i / 5 % COUNT(special)] : even;
    }
}

/* Every element of every run of x equals the one computed alone. */
static void expect_position_independence(const char *set, const char *name, unary_kernel *kernel)
{
    float x[WINDOW], alone[WINDOW], y[WINDOW];
    varied_inputs(x);
    for (int i = 0; i < WINDOW; i++)
        kernel(1, &x[i], &alone[i]);
    for (int first = 0; first < 17; first++) {
        for (int n = 0; n <= WINDOW - 17; n++) {
            memcpy(y, x, sizeof y);
            kernel(n, n % 2 ? x + first : y + first, y + first); /* in place, too */
            for (int i = 0; i < n; i++)
                if (!same_float(y[first + i], alone[first + i]))
                    fail_msg("%s (%s) of %.9g is %a alone and %a as element %d of %d", name, set,
                             x[first + i], alone[first + i], y[first + i], i, n);
            for (int i = 0; i < WINDOW; i++)
                if ((i < first || i >= first + n) && !same_float(y[i], x[i]))
                    fail_msg("%s (%s) of %d elements from %d wrote element %d", name, set, n, first,
                             i);
        }
    }
}

static void elements_do_not_depend_on_their_place(void **state)
{
    (void)state;
    for (size_t k = 0; k < COUNT(sets); k++) {
        const struct vector_kernels *v = kernels_of(sets[k].set);
        if (!v)
            continue;
        const char *set = sets[k].name;
        expect_position_independence(set, "exp", v->exp);
        expect_position_independence(set, "log", v->log);
        expect_position_independence(set, "erf", v->erf);
        expect_position_independence(set, "tanh", v->tanh);
        for (int a = 0; a < ACTIVATION_COUNT; a++)
            expect_position_independence(set, activation_names[a], v->activate[a]);
    }
}

/* GELU alone is another formula, for speed; both are within the limits. */
static bool same_value(int activation_index, float z, float a, float b)
{
    enum { GELU = 0 };
    return same_float(a, b) || (activation_index == GELU &&
                                fabs((double)a - b) <= 2 * activation_limits[GELU].value.absolute *
                                                           fmax(1, fabs((double)z)));
}

static void value_with_derivative_is_the_value_alone(void **state)
{
    (void)state;
    for (size_t k = 0; k < COUNT(sets); k++) {
        const struct vector_kernels *v = kernels_of(sets[k].set);
        for (int a = 0; v && a < ACTIVATION_COUNT; a++) {
            float z[WINDOW], y[WINDOW], slope[WINDOW], in_place[WINDOW], alone, slope_alone;
            varied_inputs(z);
            for (int n = 0; n <= WINDOW; n++) {
                memcpy(in_place, z, sizeof z);
                v->activate_with_derivative[a](n, z, y, slope);
                v->activate_with_derivative[a](n, in_place, in_place, slope);
                for (int i = 0; i < n; i++) {
                    v->activate[a](1, &z[i], &alone);
                    if (!same_value(a, z[i], y[i], alone) || !same_float(in_place[i], y[i]))
                        fail_msg("%s (%s) of %.9g is %a; with its slope %a, in place %a",
                                 activation_names[a], sets[k].name, z[i], alone, y[i], in_place[i]);
                    v->activate_with_derivative[a](1, &z[i], &alone, &slope_alone);
                    if (!same_float(slope[i], slope_alone))
                        fail_msg("%s' (%s) of %.9g is %a alone, %a as element %d of %d",
                                 activation_names[a], sets[k].name, z[i], slope_alone, slope[i], i,
                                 n);
                }
            }
        }
    }
}

/* ---- optimizer updates ---- */

enum { PARAMETERS = 37, STEPS = 20 };

static float gradient(int step, int i)
{
    return (float)sin(0.7 * step + 1.3 * i) * (i % 3 == 0 ? 1e-4f : 2.0f);
}

static void expect_near(const char *what, const char *set, int i, float seen, double expected,
                        double tolerance)
{
    if (!(fabs(seen - expected) <= tolerance))
        fail_msg("%s (%s): parameter %d is %.9g, not %.9g", what, set, i, seen, expected);
}

/* With clipping and decoupled decay: Loshchilov and Hutter 2019, algorithm 2. */
static void adam_follows_its_formula(void **state)
{
    (void)state;
    const double lr = 1e-2, b1 = 0.9, b2 = 0.999, eps = 1e-8, decay[] = {0, 0.3},
                 scale[] = {1, 0.7};
    for (size_t k = 0; k < 2 * COUNT(sets); k++) {
        const struct vector_kernels *kernels = kernels_of(sets[k / 2].set);
        float p[PARAMETERS], m[PARAMETERS] = {0}, v[PARAMETERS] = {0}, g[PARAMETERS];
        double rp[PARAMETERS], rm[PARAMETERS] = {0}, rv[PARAMETERS] = {0};
        for (int i = 0; i < PARAMETERS; i++)
            rp[i] = p[i] = 0.1f * (float)i - 1.0f;
        for (int step = 1; kernels && step <= STEPS; step++) {
            double c1 = 1 - pow(b1, step), c2 = 1 - pow(b2, step);
            struct adam_step s = {.scale = (float)scale[k % 2],
                                  .decay = (float)(1 - lr * decay[k % 2]),
                                  .beta1 = (float)b1,
                                  .one_minus_beta1 = (float)(1 - b1),
                                  .beta2 = (float)b2,
                                  .one_minus_beta2 = (float)(1 - b2),
                                  .step_size = (float)(lr / c1),
                                  .root_scale = (float)(1 / sqrt(c2)),
                                  .epsilon = (float)eps};
            for (int i = 0; i < PARAMETERS; i++) {
                g[i] = gradient(step, i);
                const double d = scale[k % 2] * g[i];
                rm[i] = b1 * rm[i] + (1 - b1) * d;
                rv[i] = b2 * rv[i] + (1 - b2) * d * d;
                rp[i] -= lr * decay[k % 2] * rp[i];
                rp[i] -= lr / c1 * rm[i] / (sqrt(rv[i]) / sqrt(c2) + eps);
            }
            kernels->adam(&s, PARAMETERS, g, p, m, v);
            for (int i = 0; i < PARAMETERS; i++)
                expect_near("adam", sets[k / 2].name, i, p[i], rp[i], 1e-6);
        }
    }
}

/* Plain; and with clipping, decay and Nesterov's momentum. */
static void sgd_follows_its_formula(void **state)
{
    (void)state;
    const double lr = 1e-2, momentum = 0.9, decay[] = {0, 0.3}, scale[] = {1, 0.7};
    for (size_t k = 0; k < 2 * COUNT(sets); k++) {
        const struct vector_kernels *kernels = kernels_of(sets[k / 2].set);
        const bool nesterov = k % 2;
        const struct sgd_step s = {.scale = (float)scale[k % 2],
                                   .weight_decay = (float)decay[k % 2],
                                   .momentum = (float)momentum,
                                   .learning_rate = (float)lr,
                                   .of_gradient = nesterov ? 1 : 0,
                                   .of_velocity = nesterov ? (float)momentum : 1};
        float p[PARAMETERS], b[PARAMETERS] = {0}, g[PARAMETERS];
        double rp[PARAMETERS], rb[PARAMETERS] = {0};
        for (int i = 0; i < PARAMETERS; i++)
            rp[i] = p[i] = 0.1f * (float)i - 1.0f;
        for (int step = 1; kernels && step <= STEPS; step++) {
            for (int i = 0; i < PARAMETERS; i++) {
                g[i] = gradient(step, i);
                const double d = scale[k % 2] * g[i] + decay[k % 2] * rp[i];
                rb[i] = momentum * rb[i] + d;
                rp[i] -= lr * (nesterov ? d + momentum * rb[i] : rb[i]);
            }
            kernels->sgd(&s, PARAMETERS, g, p, b);
            for (int i = 0; i < PARAMETERS; i++)
                expect_near("sgd", sets[k / 2].name, i, p[i], rp[i], 2e-6);
        }
    }
}

/* Also where the difference is not finite as a float; and x itself stays. */
static void approach_follows_its_formula(void **state)
{
    (void)state;
    for (size_t k = 0; k < COUNT(sets); k++) {
        const struct vector_kernels *kernels = kernels_of(sets[k].set);
        for (int j = 0; kernels && j <= 10; j++) {
            const float share = 0.1f * (float)j;
            float x[PARAMETERS + 2], a[PARAMETERS + 2], before[PARAMETERS + 2];
            for (int i = 0; i < PARAMETERS; i++) {
                x[i] = gradient(1, i);
                a[i] = i % 4 ? gradient(2, i) : x[i];
            }
            x[PARAMETERS] = a[PARAMETERS + 1] = FLT_MAX;
            x[PARAMETERS + 1] = a[PARAMETERS] = -FLT_MAX;
            memcpy(before, a, sizeof a);
            kernels->approach(PARAMETERS + 2, share, x, a);
            for (int i = 0; i < PARAMETERS + 2; i++) {
                const double expected = before[i] + (double)share * ((double)x[i] - before[i]);
                const double size = fmax(fabs(x[i]), fabs(before[i]));
                if (!(fabs(a[i] - expected) <= 2e-7 * size) || (x[i] == before[i] && a[i] != x[i]))
                    fail_msg("%s: from %g toward %g by %g is %.9g", sets[k].name, before[i], x[i],
                             share, a[i]);
            }
        }
    }
}

static void square_sum_is_exact_and_finite_with_its_elements(void **state)
{
    (void)state;
    for (size_t k = 0; k < COUNT(sets); k++) {
        const struct vector_kernels *kernels = kernels_of(sets[k].set);
        for (int n = 0; kernels && n <= 99; n++) {
            float x[99];
            for (int i = 0; i < n; i++)
                x[i] = (float)(i + 1);
            const double seen = kernels->square_sum(n, x);
            if (seen != n * (n + 1.0) * (2.0 * n + 1.0) / 6.0)
                fail_msg("%s: 1 + 4 + ... + %d^2 is %.17g", sets[k].name, n, seen);
            for (int i = 0; i < n; i++) {
                const float unusual[] = {INFINITY, -INFINITY, NAN, FLT_MAX, -FLT_MAX};
                for (int u = 0; u < 5; u++) {
                    x[i] = unusual[u];
                    if (isfinite(kernels->square_sum(n, x)) != (u >= 3))
                        fail_msg("%s: with %g at %d of %d", sets[k].name, unusual[u], i, n);
                }
                x[i] = (float)(i + 1);
            }
        }
    }
}

/* A parameter's new value does not depend on where it stands. */
static void updates_do_not_depend_on_the_place(void **state)
{
    (void)state;
    const struct adam_step s = {0.8f, 0.99f, 0.9f, 0.1f, 0.999f, 0.001f, 0.01f, 1.5f, 1e-8f};
    const struct sgd_step d = {0.8f, 0.1f, 0.9f, 0.01f, 1.0f, 0.9f};
    for (size_t k = 0; k < COUNT(sets); k++) {
        const struct vector_kernels *kernels = kernels_of(sets[k].set);
        for (int n = 1; kernels && n <= PARAMETERS; n++) {
            float g[PARAMETERS], p[2][PARAMETERS], m[2][PARAMETERS], v[2][PARAMETERS],
                b[2][PARAMETERS];
            for (int i = 0; i < n; i++) {
                g[i] = gradient(1, i);
                p[0][i] = p[1][i] = gradient(2, i);
                m[0][i] = m[1][i] = b[0][i] = b[1][i] = gradient(3, i);
                v[0][i] = v[1][i] = fabsf(gradient(4, i));
            }
            kernels->adam(&s, n, g, p[0], m[0], v[0]);
            kernels->sgd(&d, n, g, p[0], b[0]);
            for (int i = 0; i < n; i++) {
                kernels->adam(&s, 1, &g[i], &p[1][i], &m[1][i], &v[1][i]);
                kernels->sgd(&d, 1, &g[i], &p[1][i], &b[1][i]);
                if (!same_float(p[0][i], p[1][i]))
                    fail_msg("%s: parameter %d of %d becomes %a, alone %a", sets[k].name, i, n,
                             p[0][i], p[1][i]);
            }
        }
    }
}

/* ---- normalisation of a row ---- */

enum { ROW_MAX = 70 };

/* z with a mean far from 0, and d, from formulas in double. A row's sums are of its own elements,
 * whatever stands behind them. */
static void rows_are_normalised(void **state)
{
    (void)state;
    for (size_t k = 0; k < COUNT(sets); k++) {
        const struct vector_kernels *kernels = kernels_of(sets[k].set);
        for (int n = 1; kernels && n <= ROW_MAX; n++) {
            float z[ROW_MAX + 1], y[ROW_MAX], d[ROW_MAX], in_place[ROW_MAX + 1];
            double mean = 0, variance = 0, mean_d = 0, mean_dy = 0;
            for (int i = 0; i <= ROW_MAX; i++)
                z[i] = 5 + 3 * gradient(1, i);
            for (int i = 0; i < n; i++)
                mean += (double)z[i] / n;
            for (int i = 0; i < n; i++)
                variance += (z[i] - mean) * (z[i] - mean) / n;
            const double r = 1 / sqrt(variance + 1e-5);
            for (int i = 0; i < n; i++) {
                d[i] = gradient(2, i);
                mean_d += (double)d[i] / n;
                mean_dy += d[i] * (z[i] - mean) * r / n;
            }
            const float seen_r = kernels->normalise(n, 1e-5f, z, y);
            expect_near("r", sets[k].name, n, (float)(seen_r / r), 1, 2e-6);
            memcpy(in_place + 1, z, sizeof z - sizeof *z);
            assert_true(kernels->normalise(n, 1e-5f, in_place + 1, in_place + 1) == seen_r);
            kernels->normalise_slope(n, seen_r, y, d);
            for (int i = 0; i < n; i++) {
                const double wanted = (z[i] - mean) * r;
                expect_near("y", sets[k].name, i, y[i], wanted, 3e-6 * r);
                expect_near("d", sets[k].name, i, (float)(d[i] / r),
                            gradient(2, i) - mean_d - wanted * mean_dy, 3e-6 * fmax(1, r));
                assert_true(same_float(in_place[1 + i], y[i]));
            }
        }
    }
}

/* ---- choice of the instruction set ---- */

static void instruction_sets_are_found(void **state)
{
    (void)state;
    int32_t best = instruction_set_best();
    assert_int_not_equal(best, FMATCH_INSTRUCTION_SET_AUTO);
    assert_non_null(kernels_of(best));
    assert_ptr_equal(kernels_of(FMATCH_INSTRUCTION_SET_AUTO), kernels_of(best));
    assert_ptr_equal(kernels_of(FMATCH_INSTRUCTION_SET_BASELINE), &vector_kernels_baseline);
    assert_null(kernels_of(-1));
    assert_null(kernels_of(3));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(elementary_functions_are_accurate),
        cmocka_unit_test(sine_and_cosine_of_turns_are_accurate),
        cmocka_unit_test(activations_are_accurate),
        cmocka_unit_test(derivatives_agree_with_central_differences),
        cmocka_unit_test(infinite_and_nan_arguments_give_limits_and_nan),
        cmocka_unit_test(elements_do_not_depend_on_their_place),
        cmocka_unit_test(value_with_derivative_is_the_value_alone),
        cmocka_unit_test(adam_follows_its_formula),
        cmocka_unit_test(sgd_follows_its_formula),
        cmocka_unit_test(approach_follows_its_formula),
        cmocka_unit_test(square_sum_is_exact_and_finite_with_its_elements),
        cmocka_unit_test(updates_do_not_depend_on_the_place),
        cmocka_unit_test(rows_are_normalised),
        cmocka_unit_test(instruction_sets_are_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
