/* Explicit Runge-Kutta methods as tables, the one multistep method among them. */
#ifndef SAMPLE_SOLVER_H
#define SAMPLE_SOLVER_H

#include <stdbool.h>
#include <stdint.h>

/* Slopes of one step, with the one at its end that an embedded pair takes as well. */
enum { SOLVER_SLOPES_MAX = 7 };

/* Butcher's tableau: stage i is taken at t + c[i] h, x + h sum over j < i of a[i][j] k_j; the step
 * adds h sum b_i k_i.
 *
 * `rows` holds row 1 to row `stages`, of row i first c[i] and then a[i][0] to a[i][i - 1]; the last
 * one is b, with c = 1. An embedded pair has two rows more, of stages + 1 numbers each, where slope
 * `stages` is that at the step's end, which is the next one's first: of the difference between its
 * two solutions, and of the step's middle. */
struct solver {
    int8_t stages;
    int8_t error_order; /* of the embedded solution; 0: there is none */
    bool reuses_slope;  /* Adams and Bashforth's: the tableau is for the first step */
    const double *rows;
};

/* NULL if `kind` is no fmatch_solver. */
const struct solver *solver_get(int32_t kind);

/* Row i from 1 to `stages`; and of an embedded pair, the two behind. */
const double *solver_row(const struct solver *solver, int32_t i);
const double *solver_error_row(const struct solver *solver);
const double *solver_middle_row(const struct solver *solver);

struct vector_kernels;

/* to = x + h sum over the first `stages` of weights[j] k[j], on n numbers; to may be x. */
void solver_combine(const struct vector_kernels *kernels, int64_t n, const float *x, double h,
                    int32_t stages, const double *weights, float *const *k, float *to);

#endif
