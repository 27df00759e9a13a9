/* Couplings: which rows of noise and data are made pairs. */
#ifndef PATH_COUPLING_H
#define PATH_COUPLING_H

#include <flowmatch/coupling.h>

#include "compute/random_stream.h"
#include "context/context.h"

struct coupling;

/* What will be coupled. */
struct coupling_shape {
    int32_t dim;
    int32_t condition_dim, classes; /* labels in the first column of a condition; 0: none there */
    int64_t batch;                  /* rows of a training step, or of a problem by itself */
    bool alone;                     /* the latter: just these rows are coupled */
};

/* NULL for independent sides, also as the configuration. On failure the user's destroy has been
 * called, unless the configuration could not be read. */
fmatch_status coupling_create(struct coupling **coupling, fmatch_context *context,
                              const fmatch_coupling_config *config,
                              const struct coupling_shape *shape);
/* What it does for the user when it fails, where there is not even a model. */
void coupling_give_up(const fmatch_coupling_config *config);
/* Accepts NULL. */
void coupling_destroy(struct coupling *coupling);

/* Stored rows that noise is transported to, in the coordinates of the coupling. */
struct coupling_target {
    const fmatch_source *noise; /* in the same coordinates */
    int64_t m;
    const float *rows;    /* [m, dim], lent for the coupling's life */
    const double *weight; /* [m], of sum 1; NULL: even */
};

/* Must coupling_prepare be called before the first solution? Pairs are then of a noise row and a
 * stored one. */
bool coupling_is_semidiscrete(const struct coupling *coupling);
fmatch_status coupling_prepare(struct coupling *coupling, const struct coupling_target *target);

struct coupling_settings;
const struct coupling_settings *coupling_get_settings(const struct coupling *coupling);

/* Rows of either side that are coupled at once. */
int64_t coupling_rows_together(const struct coupling *coupling);

/* Does it run a user's function? */
bool coupling_on_calling_thread(const struct coupling *coupling);

/* As many rows as are coupled at once. */
struct coupling_rows {
    const float *noise, *target; /* [n, dim] */
    const float *condition;      /* [n, condition_dim], of the data; or NULL */
};

/* Pairs of a noise row and a data row, or a stored one; rows first_row and on of the stream are for
 * what is drawn. No memory is asked for. */
fmatch_status coupling_solve(struct coupling *coupling, const struct coupling_rows *rows,
                             const struct random_stream *stream, int64_t first_row,
                             int32_t *noise_row, int32_t *target_row);

#endif
