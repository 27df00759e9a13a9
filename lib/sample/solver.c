#include "sample/solver.h"

#include <flowmatch/sampler.h>

#include "compute/vector_kernels.h"

#include <stddef.h>

/* Hairer, Norsett, Wanner, "Solving Ordinary Differential Equations I", 1993, tables II.1.1 and
 * II.1.2. */
static const struct solver solvers[] = {
    [FMATCH_SOLVER_EULER] = {.stages = 1, .b = {1.0f}},
    [FMATCH_SOLVER_MIDPOINT] = {.stages = 2,
                                .c = {0.0, 0.5},
                                .a = {{0.0f}, {0.5f}},
                                .b = {0.0f, 1.0f}},
    [FMATCH_SOLVER_HEUN] = {.stages = 2, .c = {0.0, 1.0}, .a = {{0.0f}, {1.0f}}, .b = {0.5f, 0.5f}},
    [FMATCH_SOLVER_RK4] = {.stages = 4,
                           .c = {0.0, 0.5, 0.5, 1.0},
                           .a = {{0.0f}, {0.5f}, {0.0f, 0.5f}, {0.0f, 0.0f, 1.0f}},
                           .b = {1.0f / 6, 1.0f / 3, 1.0f / 3, 1.0f / 6}},
};

const struct solver *solver_get(int32_t kind)
{
    const int32_t count = sizeof solvers / sizeof solvers[0];
    return kind >= 0 && kind < count ? &solvers[kind] : NULL;
}

void solver_combine(const struct vector_kernels *kernels, int64_t n, const float *x, float h,
                    int32_t stages, const float *weights, float *const *k, float *to)
{
    for (int32_t j = 0; j < stages; j++) {
        if (weights[j] == 0)
            continue;
        kernels->add_scaled(n, x, h * weights[j], k[j], to);
        x = to;
    }
}
