/* Element-wise kernels: one table of functions per instruction set.
 *
 * vector_kernels.c is compiled once per instruction set, with VECTOR_KERNELS_NAME naming the table;
 * instruction_set.c picks one. The value of an element depends on its input alone, never on n, on
 * its place in the array or on the alignment; it differs in the last bits between instruction sets.
 *
 * Arrays are of n >= 0 elements. An output may be the same array as an input, but must not overlap
 * one otherwise; outputs are distinct from each other. */
#ifndef COMPUTE_VECTOR_KERNELS_H
#define COMPUTE_VECTOR_KERNELS_H

#include <stdint.h>

/* Indices of the activation tables are the values of enum fmatch_activation. */
enum { ACTIVATION_COUNT = 8 };

typedef void unary_kernel(int64_t n, const float *x, float *y);
typedef void derivative_kernel(int64_t n, const float *z, float *a, float *da);

/* Scalars of one Adam step, computed in double by the caller. With k the number of this step,
 * counted from 1 (Kingma and Ba 2015, algorithm 1, in PyTorch's form):
 *   g *= scale;  m = beta1 m + (1 - beta1) g;  v = beta2 v + (1 - beta2) g^2
 *   p = decay p - step_size m / (sqrt(v) root_scale + epsilon) */
struct adam_step {
    float scale; /* of the gradient */
    float decay; /* 1 - learning rate weight_decay */
    float beta1;
    float one_minus_beta1;
    float beta2;
    float one_minus_beta2;
    float step_size;  /* learning rate / (1 - beta1^k) */
    float root_scale; /* 1 / sqrt(1 - beta2^k) */
    float epsilon;
};

/* Scalars of one step of gradient descent:
 *   g = scale g + weight_decay p;  b = momentum b + g
 *   p -= learning_rate (of_gradient g + of_velocity b) */
struct sgd_step {
    float scale;
    float weight_decay;
    float momentum;
    float learning_rate;
    float of_gradient; /* 1 with Nesterov's momentum, else 0 */
    float of_velocity; /* the momentum with Nesterov's, else 1 */
};

/* Elements first to first + n - 1 of the Philox4x32-10 sequence that (seed, counter2, counter3)
 * names: element e is word e % 4 of the block with counter {lo32(e / 4), hi32(e / 4), counter2,
 * counter3} and key {lo32(seed), hi32(seed)}. */
typedef void word_kernel(uint64_t seed, uint32_t counter2, uint32_t counter3, uint64_t first,
                         int64_t n, uint32_t *out);
/* The same elements as floats. */
typedef void draw_kernel(uint64_t seed, uint32_t counter2, uint32_t counter3, uint64_t first,
                         int64_t n, float *out);

struct vector_kernels {
    unary_kernel *exp;
    unary_kernel *log;
    unary_kernel *erf;
    unary_kernel *tanh;
    /* Sine and cosine of 2 pi times the argument, which is in turns, on [0, 1). */
    void (*sincos_turns)(int64_t n, const float *turns, float *sine, float *cosine);

    unary_kernel *activate[ACTIVATION_COUNT];
    derivative_kernel *activate_with_derivative[ACTIVATION_COUNT];

    /* g is the gradient, p the parameters; m, v and b are the optimizer's state, 0 before the first
     * step. p, m, v, b are read and written. */
    void (*adam)(const struct adam_step *s, int64_t n, const float *g, float *p, float *m,
                 float *v);
    void (*sgd)(const struct sgd_step *s, int64_t n, const float *g, float *p, float *b);
    /* a += share (x - a), share in [0, 1]: finite if both are, and x where they are equal. */
    void (*approach)(int64_t n, float share, const float *x, float *a);
    /* Sum of squares, finite exactly where all of x is: the square of a float is finite as a
     * double. */
    double (*square_sum)(int64_t n, const float *x);

    /* a += b;  a *= b;  to = x y + z;  to = x + scale y; to may be an input. */
    void (*add)(int64_t n, const float *b, float *a);
    void (*multiply)(int64_t n, const float *b, float *a);
    void (*multiply_add)(int64_t n, const float *x, const float *y, const float *z, float *to);
    void (*add_scaled)(int64_t n, const float *x, float scale, const float *y, float *to);
    /* sums [columns] += the rows of x [n, columns], each sum in the order of rows. */
    void (*add_rows)(int64_t n, int64_t columns, const float *x, float *sums);

    /* One row: y = (z - mean) r, r = 1 / sqrt(variance + epsilon), which is returned. Sums in an
     * order that depends on n alone; y may be z. */
    float (*normalise)(int64_t n, float epsilon, const float *z, float *y);
    /* Its derivative, which is symmetric: d = r (d - mean(d) - y mean(d y)). */
    void (*normalise_slope)(int64_t n, float r, const float *y, float *d);

    word_kernel *words;
    draw_kernel *uniform; /* on [0, 1), multiples of 2^-24 */
    draw_kernel *normal;  /* standard normal, |z| < 6.8 */
};

extern const struct vector_kernels vector_kernels_baseline;
#if defined(__x86_64__)
extern const struct vector_kernels vector_kernels_avx2; /* AVX2 and FMA */
#endif

#endif
