/* What a trainer needs of a model with parameters. */
#ifndef MODEL_MLP_MODEL_H
#define MODEL_MLP_MODEL_H

#include "model/baseline.h"
#include "model/mlp.h"
#include "model/model.h"

/* The network behind a model of that kind; NULL for others. Lives as long as the model. */
const struct mlp *mlp_model_network(const fmatch_model *model);

/* What its output is added to; NULL: nothing. */
const struct baseline *mlp_model_baseline(const fmatch_model *model);

/* The configuration that gives a model like this one, but for its parameters. Arrays are the
 * model's own. */
void mlp_model_describe(const fmatch_model *model, fmatch_mlp_config *config);

/* The noise in the coordinates of the network, to be released; UNSUPPORTED where there is no source
 * for it, which is noise of the caller's own in a model that standardises. */
fmatch_status mlp_model_network_noise(const fmatch_model *model, fmatch_source **noise);

/* Tells the log if the model does not standardise and the target is far from mean 0 and deviation
 * 1. Never runs a user's function; a target that fails is not its concern. */
fmatch_status mlp_model_judge_target(const fmatch_model *model, const fmatch_source *target);

/* Of the coordinates y = (x - mean) / scale that the path is true in, [dim] each; NULL: 0 and 1. Of
 * a model of any kind. */
struct mlp_model_units {
    const float *mean, *scale;
};
struct mlp_model_units mlp_model_units_of(const fmatch_model *model);

/* y = (x - mean) / std on n rows, a std of 0 being 1; y may be x. */
void mlp_model_standardise(const fmatch_model *model, int64_t n, const float *x, float *y);

/* An evaluation with the scratch that the kind says for its rows; with a record, of
 * mlp_evaluate_recorded. */
struct mlp_model_pass {
    struct parameter_view parameters;
    float *scratch, *record;
};

fmatch_status mlp_model_run_pass(const fmatch_model *model, const struct mlp_model_pass *pass,
                                 const struct model_rows *rows, float *v);

#endif
