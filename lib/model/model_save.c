/* Models to disk: a safetensors file with the parameters under PyTorch's names and the
 * configuration in the metadata, so that the file alone gives back the model. */
#include "model/mlp_model.h"

#include "base/status.h"
#include "format/safetensors.h"
#include "model/model_names.h"
#include "source/mixture_source.h"
#include "source/normal_source.h"
#include "source/toy_source.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum {
    WIDTHS_TEXT_SIZE = 8 * MLP_HIDDEN_LAYERS_MAX,
    ACTIVATIONS_TEXT_SIZE = 16 * MLP_HIDDEN_LAYERS_MAX,
    ARRAYS_MAX = MLP_TENSORS_MAX + 7,
    SETTINGS_MAX = 15 + MODEL_LATER_NUMBERS + MODEL_PATH_SETTINGS
};

struct contents {
    int32_t settings, arrays;
    int32_t version; /* the first that has all of them */
    struct safetensors_pair setting[SETTINGS_MAX];
    struct safetensors_array array[ARRAYS_MAX];
    char number[16], dim[16], widths[WIDTHS_TEXT_SIZE], activations[ACTIVATIONS_TEXT_SIZE];
    char later[MODEL_LATER_NUMBERS][16], path[MODEL_PATH_SETTINGS][32];
    char toy_noise[32];
    float *noise; /* weights, means and stds of a mixture, one after the other */
};

static void add_setting(struct contents *c, const char *key, const char *value)
{
    c->setting[c->settings++] = (struct safetensors_pair){.key = key, .value = value};
}

static void add_array(struct contents *c, const char *name, int32_t rank, int64_t rows,
                      int64_t columns, const float *values)
{
    c->array[c->arrays++] = (struct safetensors_array){
        .name = name, .rank = rank, .shape = {rows, columns}, .values = values};
}

static fmatch_status add_mixture(struct contents *c, const fmatch_allocator *allocator,
                                 const struct mixture *m)
{
    const int64_t cells = (int64_t)m->components * m->dim, count = m->components + 2 * cells;
    c->noise = allocation_create(allocator, count, sizeof *c->noise);
    if (!c->noise)
        return status_no_memory((size_t)count * sizeof *c->noise);
    float *weights = c->noise, *means = weights + m->components, *stds = means + cells;
    for (int32_t k = 0; k < m->components; k++)
        weights[k] = (float)m->given_weights[k];
    for (int64_t i = 0; i < cells; i++) {
        means[i] = (float)m->means[i];
        stds[i] = (float)m->stds[i];
    }
    add_array(c, ARRAY_NOISE_WEIGHTS, 1, m->components, 1, weights);
    add_array(c, ARRAY_NOISE_MEANS, 2, m->components, m->dim, means);
    add_array(c, ARRAY_NOISE_STDS, 2, m->components, m->dim, stds);
    return FMATCH_OK;
}

static void need_version(struct contents *c, int32_t version)
{
    if (c->version < version)
        c->version = version;
}

/* Those that are not 0. */
static void add_later_numbers(struct contents *c, const fmatch_mlp_config *config)
{
    for (int32_t i = 0; i < MODEL_LATER_NUMBERS; i++) {
        const struct model_number *later = &model_later_numbers[i];
        int32_t number;
        memcpy(&number, (const char *)config + later->offset, sizeof number);
        if (number == 0)
            continue;
        snprintf(c->later[i], sizeof c->later[i], "%d", (int)number);
        add_setting(c, later->key, c->later[i]);
        need_version(c, later->version);
    }
}

/* A double of at least 0 exactly, as an integer times a power of two: 20 is "5p2", 0.1
 * "3602879701896397p-55". No locale changes it. */
static void write_exactly(double value, char *text, size_t size)
{
    int exponent = 0; /* 0 is "0p0" */
    double mantissa = frexp(value, &exponent);
    int bits = 0;
    for (; mantissa != floor(mantissa); bits++)
        mantissa *= 2.0;
    snprintf(text, size, "%lldp%d", (long long)mantissa, exponent - bits);
}

static void add_toy(struct contents *c, const fmatch_toy_config *toy)
{
    write_exactly(toy->noise, c->toy_noise, sizeof c->toy_noise);
    add_setting(c, SETTING_TOY, model_name(&model_toy_names, toy->kind));
    add_setting(c, SETTING_CONVENTION, model_name(&model_convention_names, toy->convention));
    add_setting(c, SETTING_TOY_NOISE, c->toy_noise);
}

/* NULL is the default. */
static fmatch_status add_noise(struct contents *c, const fmatch_allocator *allocator,
                               const fmatch_source *noise)
{
    const struct mixture *m = noise ? mixture_source_get(noise) : NULL;
    const fmatch_toy_config *toy = noise ? toy_source_config(noise) : NULL;
    const bool normal = noise && normal_source_is_standard(noise);
    if (noise && !m && !toy && !normal)
        return status_fail(FMATCH_ERROR_UNSUPPORTED,
                           "the model's noise is an array, a file or a callback; only a normal, a "
                           "Gaussian mixture or a toy can be saved");
    add_setting(c, SETTING_NOISE,
                model_name(&model_noise_names, m        ? NOISE_GAUSSIAN_MIXTURE
                                               : toy    ? NOISE_TOY
                                               : normal ? NOISE_STANDARD_NORMAL
                                                        : NOISE_DEFAULT));
    if (toy)
        add_toy(c, toy);
    return m ? add_mixture(c, allocator, m) : FMATCH_OK;
}

static void add_path_settings(struct contents *c, const fmatch_path_config *path)
{
    for (int32_t i = 0; i < MODEL_PATH_SETTINGS; i++) {
        double value;
        memcpy(&value, (const char *)path + model_path_settings[i].offset, sizeof value);
        if (value == 0.0)
            continue;
        write_exactly(value, c->path[i], sizeof c->path[i]);
        add_setting(c, model_path_settings[i].key, c->path[i]);
        need_version(c, model_path_settings[i].version);
    }
}

/* Widths, and activations where they differ. */
static void add_hidden_layers(struct contents *c, const fmatch_mlp_config *config)
{
    size_t width = 0, name = 0;
    bool differ = false;
    for (int32_t l = 0; l < config->hidden_layers; l++) {
        const char *comma = l > 0 ? "," : "";
        width += (size_t)snprintf(c->widths + width, sizeof c->widths - width, "%s%d", comma,
                                  (int)config->hidden_widths[l]);
        name += (size_t)snprintf(c->activations + name, sizeof c->activations - name, "%s%s", comma,
                                 model_name(&model_activation_names, config->activations[l]));
        differ = differ || config->activations[l] != config->activation;
    }
    add_setting(c, SETTING_WIDTHS, c->widths);
    add_setting(c, SETTING_ACTIVATION, model_name(&model_activation_names, config->activation));
    if (!differ)
        return;
    add_setting(c, SETTING_ACTIVATIONS, c->activations);
    need_version(c, 3);
}

/* Numbers by which columns are standardised, if they are. */
static void add_standardisation(struct contents *c, const fmatch_mlp_config *config)
{
    if (config->data_mean) {
        add_array(c, ARRAY_MEAN, 1, config->dim, 1, config->data_mean);
        add_array(c, ARRAY_STD, 1, config->dim, 1, config->data_std);
    }
    if (config->condition_mean) {
        add_array(c, ARRAY_CONDITION_MEAN, 1, config->condition_dim, 1, config->condition_mean);
        add_array(c, ARRAY_CONDITION_STD, 1, config->condition_dim, 1, config->condition_std);
        need_version(c, 3);
    }
}

static void add_configuration(struct contents *c, const fmatch_mlp_config *config)
{
    const bool first = config->path->kind == FMATCH_PATH_LINEAR &&
                       config->prediction == FMATCH_PREDICTION_VELOCITY &&
                       !(config->noise && toy_source_config(config->noise));
    need_version(c, first ? 1 : 2);
    snprintf(c->dim, sizeof c->dim, "%d", (int)config->dim);
    add_later_numbers(c, config);
    add_path_settings(c, config->path);
    add_setting(c, SETTING_VERSION, c->number);
    add_setting(c, SETTING_KIND, model_name(&model_kind_names, 0));
    add_setting(c, SETTING_DIM, c->dim);
    add_hidden_layers(c, config);
    add_setting(c, SETTING_PATH, model_name(&model_path_names, config->path->kind));
    add_setting(c, SETTING_PREDICTION, model_name(&model_prediction_names, config->prediction));
    add_standardisation(c, config);
    snprintf(c->number, sizeof c->number, "%d", (int)c->version);
}

static fmatch_status save(const fmatch_model *model, const struct model_view *view,
                          struct contents *c, const char *path)
{
    fmatch_mlp_config config;
    mlp_model_describe(model, &config);
    if (config.path->kind == FMATCH_PATH_CALLBACK)
        return status_fail(FMATCH_ERROR_UNSUPPORTED,
                           "the model's path is a callback, which cannot be saved");
    add_configuration(c, &config);
    RETURN_IF_FAILED(add_noise(c, &model->context->allocator, config.noise));
    for (int32_t i = 0; i < model->layout->tensors; i++) {
        const struct tensor *t = &model->layout->tensor[i];
        add_array(c, t->name, t->rank, t->shape[0], t->shape[1],
                  view->snapshot->values + t->offset);
    }
    return safetensors_save(&model->context->allocator, path, c->settings, c->setting, c->arrays,
                            c->array);
}

fmatch_status fmatch_model_save(const fmatch_model *model, const char *path)
{
    status_begin();
    CHECK_NOT_NULL(model);
    CHECK_NOT_NULL(path);
    if (!mlp_model_network(model))
        return status_fail(FMATCH_ERROR_UNSUPPORTED, "model has no parameters%s",
                           model->original ? " of its own; save the one that was rescheduled"
                                           : "; there is nothing to save");
    const fmatch_allocator *allocator = &model->context->allocator;
    struct contents *c = allocation_create(allocator, 1, sizeof *c);
    if (!c)
        return status_no_memory(sizeof *c);
    struct model_view view = {.model = model};
    model_view_begin(&view);
    const fmatch_status status = save(model, &view, c, path);
    model_view_end(&view);
    allocation_destroy(allocator, c->noise);
    allocation_destroy(allocator, c);
    return status;
}
