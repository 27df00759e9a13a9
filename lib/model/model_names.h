/* What a file of a model calls things: shared by saving and loading. */
#ifndef MODEL_MODEL_NAMES_H
#define MODEL_MODEL_NAMES_H

#include <stddef.h>
#include <stdint.h>

/* 1 knows no conditions, and no path but the linear one; 2 knows of a network only its widths and
 * one activation. */
enum { MODEL_FILE_VERSION = 3 };

#define SETTING_VERSION     "flowmatch.version"
#define SETTING_KIND        "flowmatch.kind"
#define SETTING_DIM         "flowmatch.dim"
#define SETTING_WIDTHS      "flowmatch.hidden_widths"
#define SETTING_ACTIVATION  "flowmatch.activation"
#define SETTING_ACTIVATIONS "flowmatch.activations"
#define SETTING_PATH        "flowmatch.path"
#define SETTING_PREDICTION  "flowmatch.prediction"
#define SETTING_NOISE       "flowmatch.noise"
#define SETTING_TOY         "flowmatch.noise.kind"
#define SETTING_CONVENTION  "flowmatch.noise.convention"
#define SETTING_TOY_NOISE   "flowmatch.noise.noise"

#define ARRAY_MEAN           "flowmatch.data_mean"
#define ARRAY_STD            "flowmatch.data_std"
#define ARRAY_CONDITION_MEAN "flowmatch.condition_mean"
#define ARRAY_CONDITION_STD  "flowmatch.condition_std"
#define ARRAY_NOISE_WEIGHTS  "flowmatch.noise.weights"
#define ARRAY_NOISE_MEANS    "flowmatch.noise.means"
#define ARRAY_NOISE_STDS     "flowmatch.noise.stds"

/* Names of the values of an enumeration, in its order, one after the other. */
struct model_names {
    int32_t count;
    const char *list;
};

const char *model_name(const struct model_names *names, int32_t index);

enum model_noise { NOISE_DEFAULT, NOISE_STANDARD_NORMAL, NOISE_GAUSSIAN_MIXTURE, NOISE_TOY };

extern const struct model_names model_kind_names, model_activation_names, model_path_names,
    model_prediction_names, model_noise_names, model_toy_names, model_convention_names;

/* A number of a configuration that a file leaves out where it is 0. */
struct model_number {
    const char *key;
    size_t offset;   /* in its configuration */
    int32_t version; /* of the file, the first that has it */
};

enum { MODEL_LATER_NUMBERS = 10, MODEL_PATH_SETTINGS = 6 };

/* int32_t of fmatch_mlp_config. */
extern const struct model_number model_later_numbers[MODEL_LATER_NUMBERS];

/* double of fmatch_path_config. */
extern const struct model_number model_path_settings[MODEL_PATH_SETTINGS];

#endif
