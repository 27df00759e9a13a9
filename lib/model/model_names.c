#include "model/model_names.h"

#include <flowmatch/model.h>

#include <string.h>

/* In the order of their enumerations, which are numbered without gaps. */
const struct model_names model_kind_names = {1, "mlp"};
const struct model_names model_activation_names = {8, "gelu\0"
                                                      "gelu_tanh\0"
                                                      "relu\0"
                                                      "silu\0"
                                                      "tanh\0"
                                                      "elu\0"
                                                      "selu\0"
                                                      "softplus"};
const struct model_names model_path_names = {7, "linear\0"
                                                "polynomial\0"
                                                "variance_preserving\0"
                                                "linear_variance_preserving\0"
                                                "cosine\0"
                                                "lipman\0"
                                                "brownian_bridge"};
const struct model_names model_prediction_names = {3, "velocity\0"
                                                      "data\0"
                                                      "noise"};
const struct model_names model_noise_names = {4, "default\0"
                                                 "standard_normal\0"
                                                 "gaussian_mixture\0"
                                                 "toy"};
const struct model_names model_toy_names = {9, "two_moons\0"
                                               "eight_gaussians\0"
                                               "checkerboard\0"
                                               "two_spirals\0"
                                               "pinwheel\0"
                                               "rings\0"
                                               "circles\0"
                                               "swiss_roll\0"
                                               "s_curve"};
const struct model_names model_convention_names = {6, "plain\0"
                                                      "torchcfm\0"
                                                      "torchcfm_runner\0"
                                                      "moons_to_gaussians\0"
                                                      "ffjord\0"
                                                      "flow_matching"};

const char *model_name(const struct model_names *names, int32_t index)
{
    const char *name = names->list;
    for (; index > 0; index--)
        name += strlen(name) + 1;
    return name;
}

const struct model_number model_later_numbers[MODEL_LATER_NUMBERS] = {
    {"flowmatch.condition_dim", offsetof(fmatch_mlp_config, condition_dim), 2},
    {"flowmatch.classes", offsetof(fmatch_mlp_config, classes), 2},
    {"flowmatch.embedding_dim", offsetof(fmatch_mlp_config, embedding_dim), 2},
    {"flowmatch.null_condition", offsetof(fmatch_mlp_config, null_condition), 2},
    {"flowmatch.time_features", offsetof(fmatch_mlp_config, time_features), 3},
    {"flowmatch.time_frequencies", offsetof(fmatch_mlp_config, time_frequencies), 3},
    {"flowmatch.residual_layers", offsetof(fmatch_mlp_config, residual_layers), 3},
    {"flowmatch.normalisation", offsetof(fmatch_mlp_config, normalisation), 3},
    {"flowmatch.output_init", offsetof(fmatch_mlp_config, output_init), 3},
    {"flowmatch.baseline", offsetof(fmatch_mlp_config, baseline), 3},
};

const struct model_number model_path_settings[MODEL_PATH_SETTINGS] = {
    {"flowmatch.path.noise", offsetof(fmatch_path_config, noise), 2},
    {"flowmatch.path.exponent", offsetof(fmatch_path_config, exponent), 2},
    {"flowmatch.path.beta_min", offsetof(fmatch_path_config, beta_min), 2},
    {"flowmatch.path.beta_max", offsetof(fmatch_path_config, beta_max), 2},
    {"flowmatch.path.sigma_min", offsetof(fmatch_path_config, sigma_min), 2},
    {"flowmatch.path.diffusion", offsetof(fmatch_path_config, diffusion), 2},
};
