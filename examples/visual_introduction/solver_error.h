/** How far a solver lands from the exact target, for what it costs. */
#ifndef EXAMPLES_SOLVER_ERROR_H
#define EXAMPLES_SOLVER_ERROR_H

#include <flowmatch/flowmatch.h>

enum {
    SOLVER_BUDGETS = 8,
    SOLVER_START_POINTS = 2048,
    SOLVER_EULER = 0,
    SOLVER_MIDPOINT = 1,
    SOLVERS = 2
};

/** Evaluations of the field that a sample costs: 2, 4, 8, ... */
extern const int solver_budgets[SOLVER_BUDGETS];

/** W2 to the exact target for each solver and budget. No random numbers: the flow starts from
 * equally likely values of the noise and is compared with those of the target. */
fmatch_status solver_error_measure(double w2[SOLVERS][SOLVER_BUDGETS], fmatch_context *context,
                                   const fmatch_model *model);

#endif
