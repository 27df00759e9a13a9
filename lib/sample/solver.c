#include "sample/solver.h"

#include <flowmatch/sampler.h>

#include "compute/vector_kernels.h"

#include <stddef.h>

/* Hairer, Norsett, Wanner, "Solving Ordinary Differential Equations I", 1993, tables II.1.1, II.1.2
 * and II.5.2; Bogacki and Shampine, "A 3(2) pair of Runge-Kutta formulas", 1989; Tsitouras,
 * "Runge-Kutta pairs of order 5(4) satisfying only the first column simplifying assumption", 2011.
 * c comes first in a row. */
/* clang-format off */
static const double euler[] = {
    1.0, 1.0,
};
static const double midpoint[] = {
    0.5, 0.5,
    1.0, 0.0, 1.0,
};
static const double heun[] = {
    1.0, 1.0,
    1.0, 0.5, 0.5,
};
static const double rk4[] = {
    0.5, 0.5,
    0.5, 0.0,     0.5,
    1.0, 0.0,     0.0,     1.0,
    1.0, 1.0 / 6, 1.0 / 3, 1.0 / 3, 1.0 / 6,
};
static const double heun3[] = {
    1.0 / 3, 1.0 / 3,
    2.0 / 3, 0.0,  2.0 / 3,
    1.0,     0.25, 0.0,     0.75,
};
static const double rk4_three_eighths[] = {
    1.0 / 3, 1.0 / 3,
    2.0 / 3, -1.0 / 3, 1.0,
    1.0,     1.0,      -1.0,  1.0,
    1.0,     0.125,    0.375, 0.375, 0.125,
};

/* The middle of the cubic through both ends, as which the quartic of all pairs turns into it. */
static const double bogacki_shampine[] = {
    1.0 / 2,     1.0 / 2,
    3.0 / 4,     0.0,         3.0 / 4,
    1.0,         2.0 / 9,     1.0 / 3,     4.0 / 9,
    -5.0 / 72,   1.0 / 12,    1.0 / 9,     -1.0 / 8,         /* error */
    17.0 / 72,   1.0 / 6,     2.0 / 9,     -1.0 / 8,         /* middle */
};

/* The error weights are Dormand and Prince's own. The middle is Shampine's, of order 4. */
static const double dormand_prince[] = {
    1.0 / 5,  1.0 / 5,
    3.0 / 10, 3.0 / 40,       9.0 / 40,
    4.0 / 5,  44.0 / 45,      -56.0 / 15,      32.0 / 9,
    8.0 / 9,  19372.0 / 6561, -25360.0 / 2187, 64448.0 / 6561, -212.0 / 729,
    1.0,      9017.0 / 3168,  -355.0 / 33,     46732.0 / 5247, 49.0 / 176, -5103.0 / 18656,
    1.0,      35.0 / 384,     0.0,             500.0 / 1113,   125.0 / 192, -2187.0 / 6784,
    11.0 / 84,
    71.0 / 57600, 0.0, -71.0 / 16695, 71.0 / 1920, -17253.0 / 339200, 22.0 / 525,
    -1.0 / 40, /* error */
    6025192743.0 / 60171106304.0, 0.0, 51252292925.0 / 130801643196.0,
    -2691868925.0 / 90256659456.0, 187940372067.0 / 3189068634112.0,
    -1776094331.0 / 39487288512.0, 11237099.0 / 470086768.0, /* middle */
};

/* The middle is that of the pair's own interpolant, of order 4. */
static const double tsitouras[] = {
    0.161, 0.161,
    0.327, -0.008480655492356989, 0.335480655492357,
    0.9, 2.8971530571054935, -6.359448489975075, 4.3622954328695815,
    0.9800255409045097, 5.325864828439257, -11.748883564062828, 7.4955393428898365,
    -0.09249506636175525,
    1.0, 5.86145544294642, -12.92096931784711, 8.159367898576159, -0.071584973281401,
    -0.028269050394068383,
    1.0, 0.09646076681806523, 0.01, 0.4798896504144996, 1.379008574103742, -3.290069515436081,
    2.324710524099774,
    -0.00178001105222577714, -0.0008164344596567469, 0.007880878010261995, -0.1447110071732629,
    0.5823571654525552, -0.45808210592918697, 1.0 / 66, /* error */
    0.10741235230096871, 0.01135625, 0.39560903056045305, -0.34475214352593553, 1.3161853649581645,
    -1.0170608542936508, 0.03125, /* middle */
};

/* clang-format on */
static const struct solver solvers[] = {
    [FMATCH_SOLVER_EULER] = {.stages = 1, .rows = euler},
    [FMATCH_SOLVER_MIDPOINT] = {.stages = 2, .rows = midpoint},
    [FMATCH_SOLVER_HEUN] = {.stages = 2, .rows = heun},
    [FMATCH_SOLVER_RK4] = {.stages = 4, .rows = rk4},
    [FMATCH_SOLVER_HEUN3] = {.stages = 3, .rows = heun3},
    [FMATCH_SOLVER_RK4_THREE_EIGHTHS] = {.stages = 4, .rows = rk4_three_eighths},
    [FMATCH_SOLVER_ADAMS_BASHFORTH] = {.stages = 2, .reuses_slope = true, .rows = midpoint},
    [FMATCH_SOLVER_BOGACKI_SHAMPINE] = {.stages = 3, .error_order = 2, .rows = bogacki_shampine},
    [FMATCH_SOLVER_DORMAND_PRINCE] = {.stages = 6, .error_order = 4, .rows = dormand_prince},
    [FMATCH_SOLVER_TSITOURAS] = {.stages = 6, .error_order = 4, .rows = tsitouras},
};

const struct solver *solver_get(int32_t kind)
{
    const int32_t count = sizeof solvers / sizeof solvers[0];
    return kind >= 0 && kind < count ? &solvers[kind] : NULL;
}

const double *solver_row(const struct solver *solver, int32_t i)
{
    return solver->rows + (i - 1) * (i + 2) / 2;
}

const double *solver_error_row(const struct solver *solver)
{
    return solver_row(solver, solver->stages + 1);
}

const double *solver_middle_row(const struct solver *solver)
{
    return solver_error_row(solver) + solver->stages + 1;
}

void solver_combine(const struct vector_kernels *kernels, int64_t n, const float *x, double h,
                    int32_t stages, const double *weights, float *const *k, float *to)
{
    for (int32_t j = 0; j < stages; j++) {
        if (weights[j] == 0)
            continue;
        kernels->add_scaled(n, x, (float)(h * weights[j]), k[j], to);
        x = to;
    }
}
