/* Fixed-step explicit Runge-Kutta methods as tables. */
#ifndef SAMPLE_SOLVER_H
#define SAMPLE_SOLVER_H

#include <stdint.h>

enum { SOLVER_STAGES_MAX = 4 };

/* Butcher's tableau: stage i is taken at t + c[i] h, x + h sum over j < i of a[i][j] k_j; the step
 * adds h sum b_i k_i. */
struct solver {
    int32_t stages;
    float a[SOLVER_STAGES_MAX][SOLVER_STAGES_MAX];
    float b[SOLVER_STAGES_MAX];
    double c[SOLVER_STAGES_MAX];
};

/* NULL if `kind` is no fmatch_solver. */
const struct solver *solver_get(int32_t kind);

struct vector_kernels;

/* to = x + h sum over the first `stages` of weights[j] k[j], on n numbers; to may be x. */
void solver_combine(const struct vector_kernels *kernels, int64_t n, const float *x, float h,
                    int32_t stages, const float *weights, float *const *k, float *to);

#endif
