/* What is done to rows along the flow, and a call on some of them. */
#ifndef SAMPLE_FLOW_H
#define SAMPLE_FLOW_H

#include "sample/field.h"
#include "sample/grid.h"
#include "sample/inpainting.h"
#include "sample/solver.h"
#include "sample/step_control.h"
#include "sample/stochastic.h"

/* How far a row got. */
enum row_outcome { ROW_UNDER_WAY, ROW_ARRIVED, ROW_STEP_LIMIT, ROW_NOT_FINITE };

struct row_record {
    int32_t outcome;
    int32_t evaluations, accepted, rejected;
    double t, smallest; /* step */
};

/* Into place i of the caller's arrays. */
void row_record_put(const struct row_record *record, const fmatch_sampler_rows *to, int64_t i);

/* From the arguments of a call: where rows begin, and where each of them ends up. */
struct passage {
    const float *x_start; /* [n, dim], or NULL: noise */
    uint64_t seed;
    int64_t first_row;
    int64_t n;
    const float *condition; /* [n, columns], or NULL */
    const float *known;     /* [n, dim], or NULL: no inpainting */
    const float *mask;      /* [n, dim], or NULL */
    float *x_end;           /* [n, dim], or NULL */
    float *trajectory;      /* [times, n, dim], or NULL */
    /* Of the divergence, where the field has one: */
    int64_t first_probe; /* row of the probes' stream */
    double *integral; /* [n], the mean over the probes, from the time of x_start to that of x_end */
    double *standard_error; /* [n], or NULL */
};

/* A call under way. */
struct flow {
    struct field field;
    const struct solver *solver;
    const struct grid *grid;
    const struct step_control *control;
    const struct stochastic *stochastic;
    struct inpainting inpainting;
    struct passage passage;
    float *room; /* of the lanes, each `lane_size` */
    int64_t lane_size;
    int64_t lane_rows;          /* that a lane has room for */
    struct row_record *records; /* [n] of an adaptive solver */
};

/* Rows first to first + n - 1 of the call as they begin, [n, dim]. */
fmatch_status flow_begin_rows(const struct flow *flow, int64_t first, int64_t n, float *x);

#endif
