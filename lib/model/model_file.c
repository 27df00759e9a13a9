/* Models on disk: a safetensors file with the parameters under PyTorch's names and the
 * configuration in the metadata, so that the file alone gives back the model. */
#include "model/mlp_model.h"

#include "base/configuration.h"
#include "base/finite.h"
#include "base/status.h"
#include "format/safetensors.h"
#include "source/mixture_source.h"
#include "source/normal_source.h"
#include "source/toy_source.h"

#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

enum {
    FORMAT_VERSION = 2, /* 1 knows no conditions, and no path but the linear one */
    WIDTHS_TEXT_SIZE = 8 * MLP_HIDDEN_LAYERS_MAX,
    TENSORS_MAX = 2 * (MLP_HIDDEN_LAYERS_MAX + 1) + CONDITION_TENSORS_MAX,
    ARRAYS_MAX = TENSORS_MAX + 5,
    SETTINGS_MAX = 24
};

static const char setting_version[] = "flowmatch.version", setting_kind[] = "flowmatch.kind",
                  setting_dim[] = "flowmatch.dim", setting_widths[] = "flowmatch.hidden_widths",
                  setting_activation[] = "flowmatch.activation", setting_path[] = "flowmatch.path",
                  setting_prediction[] = "flowmatch.prediction",
                  setting_noise[] = "flowmatch.noise", setting_toy[] = "flowmatch.noise.kind",
                  setting_convention[] = "flowmatch.noise.convention",
                  setting_toy_noise[] = "flowmatch.noise.noise";

static const char array_mean[] = "flowmatch.data_mean", array_std[] = "flowmatch.data_std",
                  array_noise_weights[] = "flowmatch.noise.weights",
                  array_noise_means[] = "flowmatch.noise.means",
                  array_noise_stds[] = "flowmatch.noise.stds";

/* How the file names what the configuration numbers. */
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
enum noise { NOISE_DEFAULT, NOISE_STANDARD_NORMAL, NOISE_GAUSSIAN_MIXTURE, NOISE_TOY };
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

/* Whole numbers that a file of version 1 does not have: 0, which is what leaving them out means. */
static const struct {
    const char *key;
    size_t offset; /* in fmatch_mlp_config, of an int32_t */
} later_numbers[] = {
    {"flowmatch.condition_dim", offsetof(fmatch_mlp_config, condition_dim)},
    {"flowmatch.classes", offsetof(fmatch_mlp_config, classes)},
    {"flowmatch.embedding_dim", offsetof(fmatch_mlp_config, embedding_dim)},
    {"flowmatch.null_condition", offsetof(fmatch_mlp_config, null_condition)},
    {"flowmatch.baseline", offsetof(fmatch_mlp_config, baseline)},
};

/* Settings of the path, doubles; 0 where they are left out. */
static const struct {
    const char *key;
    size_t offset; /* in fmatch_path_config */
} path_settings[] = {
    {"flowmatch.path.noise", offsetof(fmatch_path_config, noise)},
    {"flowmatch.path.exponent", offsetof(fmatch_path_config, exponent)},
    {"flowmatch.path.beta_min", offsetof(fmatch_path_config, beta_min)},
    {"flowmatch.path.beta_max", offsetof(fmatch_path_config, beta_max)},
    {"flowmatch.path.sigma_min", offsetof(fmatch_path_config, sigma_min)},
    {"flowmatch.path.diffusion", offsetof(fmatch_path_config, diffusion)},
};

#define COUNT(array) ((int32_t)(sizeof(array) / sizeof(array)[0]))

/* ---- saving ---- */

struct contents {
    int32_t settings, arrays;
    struct safetensors_pair setting[SETTINGS_MAX];
    struct safetensors_array array[ARRAYS_MAX];
    char dim[16], widths[WIDTHS_TEXT_SIZE];
    char later[COUNT(later_numbers)][16], path[COUNT(path_settings)][32];
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
    add_array(c, array_noise_weights, 1, m->components, 1, weights);
    add_array(c, array_noise_means, 2, m->components, m->dim, means);
    add_array(c, array_noise_stds, 2, m->components, m->dim, stds);
    return FMATCH_OK;
}

/* Those that are not 0; returns how many. */
static int32_t add_later_numbers(struct contents *c, const fmatch_mlp_config *config)
{
    int32_t count = 0;
    for (int32_t i = 0; i < COUNT(later_numbers); i++) {
        int32_t number;
        memcpy(&number, (const char *)config + later_numbers[i].offset, sizeof number);
        if (number == 0)
            continue;
        snprintf(c->later[count], sizeof c->later[count], "%d", (int)number);
        add_setting(c, later_numbers[i].key, c->later[count++]);
    }
    return count;
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
    add_setting(c, setting_toy, toy_names[toy->kind]);
    add_setting(c, setting_convention, convention_names[toy->convention]);
    add_setting(c, setting_toy_noise, c->toy_noise);
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
    add_setting(c, setting_noise,
                noise_names[m        ? NOISE_GAUSSIAN_MIXTURE
                            : toy    ? NOISE_TOY
                            : normal ? NOISE_STANDARD_NORMAL
                                     : NOISE_DEFAULT]);
    if (toy)
        add_toy(c, toy);
    return m ? add_mixture(c, allocator, m) : FMATCH_OK;
}

static int32_t add_path_settings(struct contents *c, const fmatch_path_config *path)
{
    int32_t count = 0;
    for (int32_t i = 0; i < COUNT(path_settings); i++) {
        double value;
        memcpy(&value, (const char *)path + path_settings[i].offset, sizeof value);
        if (value == 0.0)
            continue;
        write_exactly(value, c->path[count], sizeof c->path[count]);
        add_setting(c, path_settings[i].key, c->path[count++]);
    }
    return count;
}

static void add_configuration(struct contents *c, const fmatch_mlp_config *config)
{
    snprintf(c->dim, sizeof c->dim, "%d", (int)config->dim);
    size_t length = 0;
    for (int32_t l = 0; l < config->hidden_layers; l++)
        length += (size_t)snprintf(c->widths + length, sizeof c->widths - length, "%s%d",
                                   l > 0 ? "," : "", (int)config->hidden_widths[l]);
    const bool first = config->path->kind == FMATCH_PATH_LINEAR &&
                       config->prediction == FMATCH_PREDICTION_VELOCITY &&
                       !(config->noise && toy_source_config(config->noise));
    const int32_t later = add_later_numbers(c, config) + add_path_settings(c, config->path);
    add_setting(c, setting_version, first && later == 0 ? "1" : "2");
    add_setting(c, setting_kind, kind_names[0]);
    add_setting(c, setting_dim, c->dim);
    add_setting(c, setting_widths, c->widths);
    add_setting(c, setting_activation, activation_names[config->activation]);
    add_setting(c, setting_path, path_names[config->path->kind]);
    add_setting(c, setting_prediction, prediction_names[config->prediction]);
    if (config->data_mean) {
        add_array(c, array_mean, 1, config->dim, 1, config->data_mean);
        add_array(c, array_std, 1, config->dim, 1, config->data_std);
    }
}

static fmatch_status save(const fmatch_model *model, const struct model_view *view,
                          struct contents *c, const char *path)
{
    fmatch_mlp_config config;
    int32_t widths[MLP_HIDDEN_LAYERS_MAX];
    mlp_model_describe(model, &config, widths);
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
        return status_fail(FMATCH_ERROR_UNSUPPORTED,
                           "model has no parameters; there is nothing to save");
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

/* ---- arrays of a file into parameters ---- */

/* Under which name a file has what the model calls `name`. */
static fmatch_status name_in_file(const fmatch_tensor_map *map, const char *name, char *in_file,
                                  size_t size)
{
    for (int32_t i = 0; i < map->renamed; i++)
        if (strcmp(map->model_names[i], name) == 0) {
            const int length = snprintf(in_file, size, "%s", map->file_names[i]);
            return length >= 0 && (size_t)length < size
                       ? FMATCH_OK
                       : status_fail(FMATCH_ERROR_ARGUMENT,
                                     "map->file_names[%d] is longer than %zu bytes", (int)i,
                                     size - 1);
        }
    const bool of_layer = strncmp(name, "net.", strlen("net.")) == 0;
    const int length = snprintf(in_file, size, "%s%s", of_layer && map->prefix ? map->prefix : "",
                                of_layer && map->prefix ? name + strlen("net.") : name);
    return length >= 0 && (size_t)length < size
               ? FMATCH_OK
               : status_fail(FMATCH_ERROR_ARGUMENT, "map->prefix is longer than %zu bytes",
                             size - PARAMETER_NAME_SIZE);
}

/* "[3, 2]" */
struct shape_text {
    char text[24 * SAFETENSORS_RANK_MAX];
};

static struct shape_text shape_text(int32_t rank, const int64_t *shape)
{
    struct shape_text t = {"["};
    size_t length = 1;
    for (int32_t i = 0; i < rank; i++)
        length += (size_t)snprintf(t.text + length, sizeof t.text - length, "%s%lld",
                                   i > 0 ? ", " : "", (long long)shape[i]);
    snprintf(t.text + length, sizeof t.text - length, "]");
    return t;
}

static fmatch_status check_shape(const struct safetensors *file, const struct safetensors_entry *e,
                                 int32_t rank, int64_t rows, int64_t columns)
{
    if (e->rank == rank && e->shape[0] == rows && (rank == 1 || e->shape[1] == columns))
        return FMATCH_OK;
    const int64_t expected[] = {rows, columns};
    return status_fail(FMATCH_ERROR_SHAPE, "%s: %.64s is %s; %s is expected", file->path, e->name,
                       shape_text(e->rank, e->shape).text, shape_text(rank, expected).text);
}

/* The array of a name, which must be [rows] or [rows, columns]. */
static fmatch_status find_array(const struct safetensors *file, const char *name, int32_t rank,
                                int64_t rows, int64_t columns,
                                const struct safetensors_entry **entry)
{
    *entry = safetensors_find(file, name);
    if (!*entry)
        return status_fail(FMATCH_ERROR_FORMAT, "%s: there is no array %.64s", file->path, name);
    return check_shape(file, *entry, rank, rows, columns);
}

/* An array of [rows] or [rows, columns] finite values. */
static fmatch_status read_array(const struct safetensors *file, const char *name, int32_t rank,
                                int64_t rows, int64_t columns, float *values)
{
    const struct safetensors_entry *e = NULL;
    RETURN_IF_FAILED(find_array(file, name, rank, rows, columns, &e));
    RETURN_IF_FAILED(safetensors_read(file, e, rows * columns, values));
    if (!finite_all(rows * columns, values))
        return status_fail(FMATCH_ERROR_NOT_FINITE, "%s: %.64s has a value that is not finite",
                           file->path, name);
    return FMATCH_OK;
}

static fmatch_status read_parameters(const struct safetensors *file,
                                     const struct parameter_layout *layout,
                                     const fmatch_tensor_map *map, float *values)
{
    for (int32_t i = 0; i < layout->tensors; i++) {
        const struct tensor *t = &layout->tensor[i];
        char name[256];
        RETURN_IF_FAILED(name_in_file(map, t->name, name, sizeof name));
        RETURN_IF_FAILED(
            read_array(file, name, t->rank, t->shape[0], t->shape[1], values + t->offset));
    }
    return FMATCH_OK;
}

/* Reads everything before anything is published. */
static fmatch_status load_parameters(fmatch_model *model, const struct safetensors *file,
                                     const fmatch_tensor_map *map)
{
    const fmatch_allocator *allocator = &model->context->allocator;
    const int64_t count = model->layout->count;
    float *values = allocation_create(allocator, count, sizeof *values);
    if (!values)
        return status_no_memory((size_t)count * sizeof *values);
    fmatch_status status = read_parameters(file, model->layout, map, values);
    if (status == FMATCH_OK)
        status = parameter_store_publish(&model->store, 0, count, values);
    allocation_destroy(allocator, values);
    return status;
}

/* A misspelt name would leave its array under the name by the prefix, without a word. */
static fmatch_status check_model_names(const fmatch_tensor_map *map,
                                       const struct parameter_layout *layout)
{
    for (int32_t i = 0; i < map->renamed; i++) {
        int32_t found = 0;
        while (found < layout->tensors &&
               strcmp(layout->tensor[found].name, map->model_names[i]) != 0)
            found++;
        if (found == layout->tensors)
            return status_fail(FMATCH_ERROR_ARGUMENT,
                               "map->model_names[%d] is '%.64s'; the model has no such array",
                               (int)i, map->model_names[i]);
    }
    return FMATCH_OK;
}

static fmatch_status read_map(fmatch_tensor_map *map, const fmatch_tensor_map *given)
{
    *map = (fmatch_tensor_map){.struct_size = sizeof *map};
    if (!given)
        return FMATCH_OK;
    RETURN_IF_FAILED(configuration_read(map, sizeof *map, sizeof *map, given, "map"));
    CHECK_RANGE("map->renamed", map->renamed, 0, TENSORS_MAX);
    if (map->renamed > 0 && (!map->model_names || !map->file_names))
        return status_fail(FMATCH_ERROR_ARGUMENT, "map->%s is NULL while map->renamed is %d",
                           map->model_names ? "file_names" : "model_names", (int)map->renamed);
    for (int32_t i = 0; i < map->renamed; i++)
        if (!map->model_names[i] || !map->file_names[i])
            return status_fail(FMATCH_ERROR_ARGUMENT, "map->%s[%d] is NULL",
                               map->model_names[i] ? "file_names" : "model_names", (int)i);
    return FMATCH_OK;
}

fmatch_status fmatch_model_load_tensors(fmatch_model *model, const char *path,
                                        const fmatch_tensor_map *map)
{
    status_begin();
    CHECK_NOT_NULL(model);
    CHECK_NOT_NULL(path);
    fmatch_tensor_map given;
    RETURN_IF_FAILED(read_map(&given, map));
    if (model->layout->tensors == 0)
        return status_fail(FMATCH_ERROR_UNSUPPORTED, "model has no parameters");
    RETURN_IF_FAILED(check_model_names(&given, model->layout));

    const fmatch_allocator *allocator = &model->context->allocator;
    struct safetensors file;
    RETURN_IF_FAILED(safetensors_open(&file, allocator, path));
    const fmatch_status status = load_parameters(model, &file, &given);
    safetensors_close(&file, allocator);
    return status;
}

/* ---- the configuration ---- */

static fmatch_status get_setting(const struct safetensors *file, const char *key,
                                 const char **value)
{
    *value = safetensors_metadata(file, key);
    return *value ? FMATCH_OK
                  : status_fail(FMATCH_ERROR_FORMAT,
                                "%s: there is no %s in its metadata; a plain state needs a model "
                                "and fmatch_model_load_tensors",
                                file->path, key);
}

static fmatch_status get_named(const struct safetensors *file, const char *key, int32_t count,
                               const char *const *names, int32_t *index)
{
    const char *value = NULL;
    RETURN_IF_FAILED(get_setting(file, key, &value));
    for (*index = 0; *index < count; ++*index)
        if (strcmp(value, names[*index]) == 0)
            return FMATCH_OK;
    return status_fail(FMATCH_ERROR_FORMAT, "%s: %s is '%.64s', which this version does not know",
                       file->path, key, value);
}

/* A whole number at *text, moved on behind it; -1 if there is none of at most six digits. */
static int32_t parse_number(const char **text)
{
    int32_t value = 0;
    int digits = 0;
    for (; **text >= '0' && **text <= '9' && digits < 7; ++*text, digits++)
        value = 10 * value + (**text - '0');
    return digits > 0 && digits < 7 ? value : -1;
}

static fmatch_status get_number(const struct safetensors *file, const char *key, int32_t *number)
{
    const char *value = NULL;
    RETURN_IF_FAILED(get_setting(file, key, &value));
    const char *next = value;
    *number = parse_number(&next);
    if (*number < 0 || *next)
        return status_fail(FMATCH_ERROR_FORMAT, "%s: %s is '%.64s', not a number", file->path, key,
                           value);
    return FMATCH_OK;
}

static fmatch_status get_widths(const struct safetensors *file, int32_t *layers, int32_t *widths)
{
    const char *value = NULL;
    RETURN_IF_FAILED(get_setting(file, setting_widths, &value));
    *layers = 0;
    for (const char *next = value; *next; next += *next == ',' && next[1]) {
        const int32_t width = parse_number(&next);
        if (width < 0 || *layers == MLP_HIDDEN_LAYERS_MAX || (*next && (*next != ',' || !next[1])))
            return status_fail(FMATCH_ERROR_FORMAT, "%s: %s is '%.64s', not a list of widths",
                               file->path, setting_widths, value);
        widths[(*layers)++] = width;
    }
    return FMATCH_OK;
}

static fmatch_status get_later_numbers(const struct safetensors *file, fmatch_mlp_config *config)
{
    for (int32_t i = 0; i < COUNT(later_numbers); i++) {
        int32_t number = 0;
        if (safetensors_metadata(file, later_numbers[i].key))
            RETURN_IF_FAILED(get_number(file, later_numbers[i].key, &number));
        memcpy((char *)config + later_numbers[i].offset, &number, sizeof number);
    }
    return mlp_config_check_condition(config);
}

/* What write_exactly wrote, or another number in the same form. */
static bool parse_exactly(const char *text, double *value)
{
    long long mantissa = 0, exponent = 0;
    int digits = 0;
    for (; *text >= '0' && *text <= '9' && digits < 17; text++, digits++)
        mantissa = 10 * mantissa + (*text - '0');
    if (digits == 0 || *text++ != 'p')
        return false;
    const bool negative = *text == '-';
    text += negative;
    for (digits = 0; *text >= '0' && *text <= '9' && digits < 5; text++, digits++)
        exponent = 10 * exponent + (*text - '0');
    *value = ldexp((double)mantissa, (int)(negative ? -exponent : exponent));
    return digits > 0 && !*text;
}

static fmatch_status get_path(const struct safetensors *file, fmatch_path_config *path)
{
    RETURN_IF_FAILED(get_named(file, setting_path, COUNT(path_names), path_names, &path->kind));
    for (int32_t i = 0; i < COUNT(path_settings); i++) {
        const char *text = safetensors_metadata(file, path_settings[i].key);
        double value = 0.0;
        if (text && !parse_exactly(text, &value))
            return status_fail(FMATCH_ERROR_FORMAT, "%s: %s is '%.64s', not a number such as 5p-3",
                               file->path, path_settings[i].key, text);
        memcpy((char *)path + path_settings[i].offset, &value, sizeof value);
    }
    return FMATCH_OK;
}

static fmatch_status get_config(const struct safetensors *file, fmatch_mlp_config *config,
                                int32_t *widths, int32_t *noise)
{
    int32_t version = 0, only = 0;
    RETURN_IF_FAILED(get_number(file, setting_version, &version));
    if (version < 1)
        return status_fail(FMATCH_ERROR_FORMAT, "%s: %s is %d; it must be at least 1", file->path,
                           setting_version, (int)version);
    if (version > FORMAT_VERSION)
        return status_fail(FMATCH_ERROR_VERSION, "%s: %s is %d; this library reads up to %d",
                           file->path, setting_version, (int)version, (int)FORMAT_VERSION);
    RETURN_IF_FAILED(get_named(file, setting_kind, COUNT(kind_names), kind_names, &only));
    RETURN_IF_FAILED(get_named(file, setting_prediction, COUNT(prediction_names), prediction_names,
                               &config->prediction));
    RETURN_IF_FAILED(get_named(file, setting_noise, COUNT(noise_names), noise_names, noise));
    RETURN_IF_FAILED(get_named(file, setting_activation, COUNT(activation_names), activation_names,
                               &config->activation));
    RETURN_IF_FAILED(get_number(file, setting_dim, &config->dim));
    RETURN_IF_FAILED(get_later_numbers(file, config));
    config->hidden_widths = widths;
    RETURN_IF_FAILED(get_widths(file, &config->hidden_layers, widths));
    if (config->dim < 1 || config->dim > DIM_MAX)
        return status_fail(FMATCH_ERROR_FORMAT, "%s: %s is %d; it must be between 1 and %d",
                           file->path, setting_dim, (int)config->dim, (int)DIM_MAX);
    return FMATCH_OK;
}

/* The file must hold as many bytes as the configuration asks for, before memory for them is asked
 * for. */
static fmatch_status check_extent(const struct safetensors *file, const fmatch_mlp_config *config)
{
    const struct condition condition = mlp_config_condition(config);
    const struct safetensors_entry *e = NULL;
    int64_t in = 1 + config->dim + condition_width(&condition);
    if (condition.classes > 0)
        RETURN_IF_FAILED(find_array(file, "embedding.weight", 2,
                                    condition.classes + (condition.null ? 1 : 0),
                                    condition.embedding, &e));
    for (int32_t l = 0; l <= config->hidden_layers; l++) {
        const int64_t out = l < config->hidden_layers ? config->hidden_widths[l] : config->dim;
        char name[PARAMETER_NAME_SIZE];
        snprintf(name, sizeof name, "net.%d.weight", (int)(2 * l));
        RETURN_IF_FAILED(find_array(file, name, 2, out, in, &e));
        in = out;
    }
    return FMATCH_OK;
}

/* ---- loading ---- */

/* What the library refuses from a caller, it says without knowing that a file asked for it. */
static void add_path(fmatch_status status, const struct safetensors *file, const char *what)
{
    if (status != FMATCH_OK)
        status_prefix("%s: %s", file->path, what);
}

/* A mixture's weights, means and stds from the file, in one allocation. */
static fmatch_status load_mixture(fmatch_source **source, fmatch_context *context,
                                  const struct safetensors *file, int32_t dim)
{
    const struct safetensors_entry *e = safetensors_find(file, array_noise_weights);
    if (!e || e->rank != 1 || e->shape[0] < 1 || e->shape[0] > DIM_MAX)
        return status_fail(FMATCH_ERROR_FORMAT, "%s: %s is missing or has no weights", file->path,
                           array_noise_weights);
    const int64_t components = e->shape[0], cells = components * dim;
    RETURN_IF_FAILED(find_array(file, array_noise_means, 2, components, dim, &e));
    RETURN_IF_FAILED(find_array(file, array_noise_stds, 2, components, dim, &e));
    float *values = allocation_create(&context->allocator, components + 2 * cells, sizeof *values);
    if (!values)
        return status_no_memory((size_t)(components + 2 * cells) * sizeof *values);
    float *means = values + components, *stds = means + cells;
    fmatch_status status = read_array(file, array_noise_weights, 1, components, 1, values);
    if (status == FMATCH_OK)
        status = read_array(file, array_noise_means, 2, components, dim, means);
    if (status == FMATCH_OK)
        status = read_array(file, array_noise_stds, 2, components, dim, stds);
    if (status == FMATCH_OK) {
        status = fmatch_source_create_gaussian_mixture(source, context, dim, (int32_t)components,
                                                       values, means, stds);
        add_path(status, file, "noise: ");
    }
    allocation_destroy(&context->allocator, values);
    return status;
}

static fmatch_status load_toy(fmatch_source **source, fmatch_context *context,
                              const struct safetensors *file)
{
    fmatch_toy_config toy;
    fmatch_toy_config_init(&toy);
    const char *text = NULL;
    RETURN_IF_FAILED(get_named(file, setting_toy, COUNT(toy_names), toy_names, &toy.kind));
    RETURN_IF_FAILED(get_named(file, setting_convention, COUNT(convention_names), convention_names,
                               &toy.convention));
    RETURN_IF_FAILED(get_setting(file, setting_toy_noise, &text));
    if (!parse_exactly(text, &toy.noise))
        return status_fail(FMATCH_ERROR_FORMAT, "%s: %s is '%.64s', not a number such as 5p-3",
                           file->path, setting_toy_noise, text);
    const fmatch_status status = fmatch_source_create_toy(source, context, &toy);
    add_path(status, file, "noise: ");
    return status;
}

static fmatch_status load_noise(fmatch_source **source, fmatch_context *context,
                                const struct safetensors *file, int32_t dim, int32_t noise)
{
    *source = NULL;
    switch (noise) {
    case NOISE_STANDARD_NORMAL:
        return fmatch_source_create_normal(source, context, dim);
    case NOISE_GAUSSIAN_MIXTURE:
        return load_mixture(source, context, file, dim);
    case NOISE_TOY:
        return load_toy(source, context, file);
    default:
        return FMATCH_OK;
    }
}

static fmatch_status load_standardisation(const struct safetensors *file, fmatch_mlp_config *config,
                                          float *mean_and_std)
{
    if (!safetensors_find(file, array_mean) && !safetensors_find(file, array_std))
        return FMATCH_OK;
    RETURN_IF_FAILED(read_array(file, array_mean, 1, config->dim, 1, mean_and_std));
    RETURN_IF_FAILED(read_array(file, array_std, 1, config->dim, 1, mean_and_std + config->dim));
    config->data_mean = mean_and_std;
    config->data_std = mean_and_std + config->dim;
    return FMATCH_OK;
}

/* The model of a configuration that was read, with the file's parameters. */
static fmatch_status create_and_fill(fmatch_model **model, fmatch_context *context,
                                     const struct safetensors *file,
                                     const fmatch_mlp_config *config)
{
    fmatch_model *created = NULL;
    fmatch_status status = fmatch_model_create_mlp(&created, context, config);
    add_path(status, file, "");
    const fmatch_tensor_map plain = {.struct_size = sizeof plain};
    if (status == FMATCH_OK)
        status = load_parameters(created, file, &plain);
    if (status == FMATCH_OK)
        *model = created;
    else
        model_release(created);
    return status;
}

static fmatch_status load(fmatch_model **model, fmatch_context *context,
                          const struct safetensors *file)
{
    fmatch_mlp_config config;
    int32_t widths[MLP_HIDDEN_LAYERS_MAX], noise = 0;
    fmatch_mlp_config_init(&config);
    fmatch_path_config path;
    fmatch_path_config_init(&path);
    RETURN_IF_FAILED(get_config(file, &config, widths, &noise));
    RETURN_IF_FAILED(get_path(file, &path));
    config.path = &path;
    RETURN_IF_FAILED(check_extent(file, &config));

    fmatch_source *source = NULL;
    RETURN_IF_FAILED(load_noise(&source, context, file, config.dim, noise));
    config.noise = source;
    float *mean_and_std =
        allocation_create(&context->allocator, 2 * (int64_t)config.dim, sizeof *mean_and_std);
    fmatch_status status = mean_and_std ? load_standardisation(file, &config, mean_and_std)
                                        : status_no_memory(2 * (size_t)config.dim * sizeof(float));
    if (status == FMATCH_OK)
        status = create_and_fill(model, context, file, &config);
    allocation_destroy(&context->allocator, mean_and_std);
    source_release(source);
    return status;
}

fmatch_status fmatch_model_load(fmatch_model **model, fmatch_context *context, const char *path)
{
    status_begin();
    CHECK_NOT_NULL(model);
    *model = NULL;
    CHECK_NOT_NULL(context);
    CHECK_NOT_NULL(path);
    struct safetensors file;
    RETURN_IF_FAILED(safetensors_open(&file, &context->allocator, path));
    fmatch_status status = load(model, context, &file);
    if (status == FMATCH_ERROR_ARGUMENT || status == FMATCH_ERROR_SHAPE ||
        status == FMATCH_ERROR_NOT_FINITE || status == FMATCH_ERROR_UNSUPPORTED)
        status = FMATCH_ERROR_FORMAT; /* what a caller may not ask for, a file may not hold */
    safetensors_close(&file, &context->allocator);
    return status;
}
