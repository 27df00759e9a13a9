#include "model/mlp_shape.h"

#include "base/status.h"
#include "model/time_features.h"
#include "source/source.h"

#include <math.h>

enum {
    WIDTH_MAX = 65536,
    CLASSES_MAX = 65536,
    EMBEDDING_DEFAULT_MAX = 16,
    TIME_FREQUENCIES_DEFAULT = 3
};

/* ---- from a configuration ---- */

static fmatch_status check_listed(const char *list, int32_t l, int32_t value, int32_t lowest,
                                  int32_t highest)
{
    if (value >= lowest && value <= highest)
        return FMATCH_OK;
    return status_fail(FMATCH_ERROR_ARGUMENT, "config->%s[%d] is %d; it must be between %d and %d",
                       list, (int)l, (int)value, (int)lowest, (int)highest);
}

static fmatch_status read_hidden_layers(struct mlp_shape *s, const fmatch_mlp_config *c)
{
    CHECK_RANGE("config->hidden_layers", c->hidden_layers, 0, MLP_HIDDEN_LAYERS_MAX);
    if (!c->hidden_widths && c->hidden_layers > 0)
        CHECK_RANGE("config->hidden_width", c->hidden_width, 1, WIDTH_MAX);
    CHECK_RANGE("config->activation", c->activation, FMATCH_ACTIVATION_GELU,
                FMATCH_ACTIVATION_SOFTPLUS);
    s->hidden_layers = c->hidden_layers;
    s->activations[0] = c->activation; /* kept where there is no layer */
    for (int32_t l = 0; l < c->hidden_layers; l++) {
        s->hidden_widths[l] = c->hidden_widths ? c->hidden_widths[l] : c->hidden_width;
        s->activations[l] = c->activations ? c->activations[l] : c->activation;
        RETURN_IF_FAILED(check_listed("hidden_widths", l, s->hidden_widths[l], 1, WIDTH_MAX));
        RETURN_IF_FAILED(check_listed("activations", l, s->activations[l], FMATCH_ACTIVATION_GELU,
                                      FMATCH_ACTIVATION_SOFTPLUS));
    }
    return FMATCH_OK;
}

static fmatch_status read_blocks(struct mlp_shape *s, const fmatch_mlp_config *c)
{
    CHECK_RANGE("config->residual_layers", c->residual_layers, 0, MLP_HIDDEN_LAYERS_MAX);
    CHECK_RANGE("config->normalisation", c->normalisation, FMATCH_NORMALISATION_NONE,
                FMATCH_NORMALISATION_LAYER);
    CHECK_RANGE("config->output_init", c->output_init, FMATCH_OUTPUT_INIT_UNIFORM,
                FMATCH_OUTPUT_INIT_ZERO);
    s->residual_layers = c->residual_layers;
    s->normalisation = c->normalisation;
    s->output_init = c->output_init;
    for (int32_t l = 0; l < s->hidden_layers; l++) {
        const int32_t from = l - s->residual_layers;
        if (mlp_shape_ends_block(s, l) && s->hidden_widths[l] != s->hidden_widths[from])
            return status_fail(FMATCH_ERROR_ARGUMENT,
                               "config->hidden_widths[%d] is %d and config->hidden_widths[%d] is "
                               "%d; with config->residual_layers %d they must be equal",
                               (int)from, (int)s->hidden_widths[from], (int)l,
                               (int)s->hidden_widths[l], (int)s->residual_layers);
    }
    return FMATCH_OK;
}

static fmatch_status read_time(struct mlp_shape *s, const fmatch_mlp_config *c)
{
    CHECK_RANGE("config->time_features", c->time_features, FMATCH_TIME_FEATURES_RAW,
                FMATCH_TIME_FEATURES_FOURIER);
    CHECK_RANGE("config->time_frequencies", c->time_frequencies, 0, TIME_FREQUENCIES_MAX);
    s->time_frequencies = c->time_frequencies;
    if (c->time_features == FMATCH_TIME_FEATURES_RAW && c->time_frequencies > 0)
        return status_fail(FMATCH_ERROR_ARGUMENT,
                           "config->time_frequencies is %d while config->time_features is "
                           "FMATCH_TIME_FEATURES_RAW",
                           (int)c->time_frequencies);
    if (c->time_features == FMATCH_TIME_FEATURES_FOURIER && c->time_frequencies == 0)
        s->time_frequencies = TIME_FREQUENCIES_DEFAULT;
    return FMATCH_OK;
}

static fmatch_status check_labels(const fmatch_mlp_config *c)
{
    CHECK_RANGE("config->condition_dim", c->condition_dim, 0, DIM_MAX);
    CHECK_RANGE("config->classes", c->classes, 0, CLASSES_MAX);
    CHECK_RANGE("config->embedding_dim", c->embedding_dim, 0, WIDTH_MAX);
    CHECK_RANGE("config->null_condition", c->null_condition, FMATCH_NULL_CONDITION_REFUSED,
                FMATCH_NULL_CONDITION_ACCEPTED);
    if (c->condition_dim == 0 && (c->classes > 0 || c->null_condition))
        return status_fail(
            FMATCH_ERROR_ARGUMENT,
            "config->%s is %d while config->condition_dim is 0; a label is the first "
            "column of a condition",
            c->classes > 0 ? "classes" : "null_condition",
            (int)(c->classes > 0 ? c->classes : c->null_condition));
    if (c->classes == 0 && c->embedding_dim > 0)
        return status_fail(FMATCH_ERROR_ARGUMENT,
                           "config->embedding_dim is %d while config->classes is 0",
                           (int)c->embedding_dim);
    return FMATCH_OK;
}

static fmatch_status read_condition(struct mlp_shape *s, const fmatch_mlp_config *c)
{
    RETURN_IF_FAILED(check_labels(c));
    int32_t embedding = c->embedding_dim;
    if (c->classes > 0 && embedding == 0)
        embedding = c->classes < EMBEDDING_DEFAULT_MAX ? c->classes : EMBEDDING_DEFAULT_MAX;
    s->condition = (struct condition){.columns = c->condition_dim,
                                      .classes = c->classes,
                                      .embedding = embedding,
                                      .null = c->null_condition == FMATCH_NULL_CONDITION_ACCEPTED,
                                      .mean = c->condition_mean,
                                      .std = c->condition_std};
    for (int32_t j = c->classes > 0; j < c->condition_dim; j++) {
        const float mean = c->condition_mean ? c->condition_mean[j] : 0.0f;
        const float std = c->condition_std ? c->condition_std[j] : 1.0f;
        if (!isfinite(mean) || !isfinite(std))
            return status_fail(FMATCH_ERROR_NOT_FINITE, "config->condition_%s[%d] is %s",
                               isfinite(mean) ? "std" : "mean", (int)j,
                               NUMBER(isfinite(mean) ? std : mean));
        if (std <= 0)
            return status_fail(FMATCH_ERROR_ARGUMENT,
                               "config->condition_std[%d] is %s; it must be above 0", (int)j,
                               NUMBER(std));
    }
    return FMATCH_OK;
}

fmatch_status mlp_shape_read(struct mlp_shape *shape, const fmatch_mlp_config *config)
{
    *shape = (struct mlp_shape){.dim = config->dim};
    RETURN_IF_FAILED(read_condition(shape, config));
    RETURN_IF_FAILED(read_hidden_layers(shape, config));
    RETURN_IF_FAILED(read_blocks(shape, config));
    return read_time(shape, config);
}

void mlp_shape_describe(const struct mlp_shape *shape, fmatch_mlp_config *config)
{
    const struct condition *condition = &shape->condition;
    config->dim = shape->dim;
    config->hidden_layers = shape->hidden_layers;
    config->hidden_widths = shape->hidden_widths;
    config->activation = shape->activations[0];
    config->activations = shape->activations;
    config->time_features =
        shape->time_frequencies > 0 ? FMATCH_TIME_FEATURES_FOURIER : FMATCH_TIME_FEATURES_RAW;
    config->time_frequencies = shape->time_frequencies;
    config->residual_layers = shape->residual_layers;
    config->normalisation = shape->normalisation;
    config->output_init = shape->output_init;
    config->condition_dim = condition->columns;
    config->classes = condition->classes;
    config->embedding_dim = condition->embedding;
    config->null_condition =
        condition->null ? FMATCH_NULL_CONDITION_ACCEPTED : FMATCH_NULL_CONDITION_REFUSED;
    config->condition_mean = condition->mean;
    config->condition_std = condition->std;
}
