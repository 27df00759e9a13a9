#include "model/model_names.h"

#include <flowmatch/model.h>

#define NAMES(list)                                                                                \
    {                                                                                              \
        (int32_t)(sizeof(list) / sizeof(list)[0]), list                                            \
    }

static const char *const activation_names[] = {
    [FMATCH_ACTIVATION_GELU] = "gelu", [FMATCH_ACTIVATION_GELU_TANH] = "gelu_tanh",
    [FMATCH_ACTIVATION_RELU] = "relu", [FMATCH_ACTIVATION_SILU] = "silu",
    [FMATCH_ACTIVATION_TANH] = "tanh", [FMATCH_ACTIVATION_ELU] = "elu",
    [FMATCH_ACTIVATION_SELU] = "selu", [FMATCH_ACTIVATION_SOFTPLUS] = "softplus",
};
static const char *const kind_names[] = {"mlp"};
static const char *const path_names[] = {
    [FMATCH_PATH_LINEAR] = "linear",
    [FMATCH_PATH_POLYNOMIAL] = "polynomial",
    [FMATCH_PATH_VARIANCE_PRESERVING] = "variance_preserving",
    [FMATCH_PATH_LINEAR_VARIANCE_PRESERVING] = "linear_variance_preserving",
    [FMATCH_PATH_COSINE] = "cosine",
    [FMATCH_PATH_LIPMAN] = "lipman",
    [FMATCH_PATH_BROWNIAN_BRIDGE] = "brownian_bridge",
};
static const char *const prediction_names[] = {[FMATCH_PREDICTION_VELOCITY] = "velocity",
                                               [FMATCH_PREDICTION_DATA] = "data",
                                               [FMATCH_PREDICTION_NOISE] = "noise"};
static const char *const noise_names[] = {[NOISE_DEFAULT] = "default",
                                          [NOISE_STANDARD_NORMAL] = "standard_normal",
                                          [NOISE_GAUSSIAN_MIXTURE] = "gaussian_mixture",
                                          [NOISE_TOY] = "toy"};

static const char *const toy_names[] = {
    [FMATCH_TOY_TWO_MOONS] = "two_moons",       [FMATCH_TOY_EIGHT_GAUSSIANS] = "eight_gaussians",
    [FMATCH_TOY_CHECKERBOARD] = "checkerboard", [FMATCH_TOY_TWO_SPIRALS] = "two_spirals",
    [FMATCH_TOY_PINWHEEL] = "pinwheel",         [FMATCH_TOY_RINGS] = "rings",
    [FMATCH_TOY_CIRCLES] = "circles",           [FMATCH_TOY_SWISS_ROLL] = "swiss_roll",
    [FMATCH_TOY_S_CURVE] = "s_curve",
};
static const char *const convention_names[] = {
    [FMATCH_TOY_PLAIN] = "plain",
    [FMATCH_TOY_TORCHCFM] = "torchcfm",
    [FMATCH_TOY_TORCHCFM_RUNNER] = "torchcfm_runner",
    [FMATCH_TOY_MOONS_TO_GAUSSIANS] = "moons_to_gaussians",
    [FMATCH_TOY_FFJORD] = "ffjord",
    [FMATCH_TOY_FLOW_MATCHING] = "flow_matching",
};

const struct model_names model_kind_names = NAMES(kind_names);
const struct model_names model_activation_names = NAMES(activation_names);
const struct model_names model_path_names = NAMES(path_names);
const struct model_names model_prediction_names = NAMES(prediction_names);
const struct model_names model_noise_names = NAMES(noise_names);
const struct model_names model_toy_names = NAMES(toy_names);
const struct model_names model_convention_names = NAMES(convention_names);

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
