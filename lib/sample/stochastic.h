/* Noise along the way, and the drift that keeps the flow's marginals: dx = (v + g^2 / 2 score) dt +
 * g dW for any g(t), Song et al., "Score-based generative modeling through stochastic differential
 * equations", 2021, appendix D.1. */
#ifndef SAMPLE_STOCHASTIC_H
#define SAMPLE_STOCHASTIC_H

#include "sample/grid.h"
#include "sample/solver.h"

#include "model/model.h"

/* Of a column of noise N(mean, deviation^2) on a path that is true of (x - shift) / scale. */
struct noise_column {
    float shift;
    float mean;      /* less the shift */
    float deviation; /* a column's noise is g of it */
    float share;     /* (scale / deviation)^2, of the path's own noise */
};

struct stochastic {
    const struct solver *solver;
    int64_t steps;     /* of the grid, the last of which has no noise */
    double *squares;   /* [2 steps] g^2 at starts and middles of steps, by turns; NULL: no noise */
    double *variances; /* [steps] of a step's noise, behind them */
    struct noise_column *columns; /* [dim] */
};

/* config NULL: no noise. Runs the user's function. On failure there is nothing to destroy. */
fmatch_status stochastic_create(struct stochastic *s, const fmatch_model *model,
                                const fmatch_stochastic_config *config, int32_t solver,
                                const struct grid *grid);
void stochastic_destroy(struct stochastic *s, const fmatch_allocator *allocator);

/* A stage of a step, at t, on n rows. */
struct stochastic_stage {
    const fmatch_model *model;
    int64_t step;
    int32_t stage;
    double t;
    int64_t n;
    float *room; /* [3, dim] */
};

/* Adds the score's part to the velocity v [n, dim] at x. */
fmatch_status stochastic_bend(const struct stochastic *s, const struct stochastic_stage *at,
                              const float *x, float *v);

/* Independent parts of a step's noise: the first one has come by the stage after the first, all of
 * them by the step's end. */
int32_t stochastic_parts(const struct stochastic *s, int64_t step);

/* A part, 0 or 1, for n rows from first_row on. */
struct stochastic_part {
    int64_t step;
    int32_t part, dim;
    int64_t first_row, n;
};
void stochastic_draw(const struct stochastic *s, const struct random_stream *stream,
                     const struct stochastic_part *of, float *noise);

#endif
