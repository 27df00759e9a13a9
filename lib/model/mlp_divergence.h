/* Divergence of a network's velocity: that part of its kind. */
#ifndef MODEL_MLP_DIVERGENCE_H
#define MODEL_MLP_DIVERGENCE_H

#include "model/mlp_model.h"

int64_t mlp_model_diverge_size(const fmatch_model *model, int64_t n);
fmatch_status mlp_model_diverge(const fmatch_model *model,
                                const struct parameter_snapshot *snapshot, float *scratch,
                                const struct model_rows *rows, const struct divergence *divergence,
                                float *v);

#endif
