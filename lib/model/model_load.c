/* Models from disk, and arrays of another program's files into the parameters of a model. */
#include "model/mlp_model.h"

#include "base/configuration.h"
#include "base/finite.h"
#include "base/status.h"
#include "format/safetensors.h"
#include "model/model_names.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

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
    CHECK_RANGE("map->renamed", map->renamed, 0, MLP_TENSORS_MAX);
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

static fmatch_status get_named(const struct safetensors *file, const char *key,
                               const struct model_names *names, int32_t *index)
{
    const char *value = NULL;
    RETURN_IF_FAILED(get_setting(file, key, &value));
    for (*index = 0; *index < names->count; ++*index)
        if (strcmp(value, model_name(names, *index)) == 0)
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
    RETURN_IF_FAILED(get_setting(file, SETTING_WIDTHS, &value));
    *layers = 0;
    for (const char *next = value; *next; next += *next == ',' && next[1]) {
        const int32_t width = parse_number(&next);
        if (width < 0 || *layers == MLP_HIDDEN_LAYERS_MAX || (*next && (*next != ',' || !next[1])))
            return status_fail(FMATCH_ERROR_FORMAT, "%s: %s is '%.64s', not a list of widths",
                               file->path, SETTING_WIDTHS, value);
        widths[(*layers)++] = width;
    }
    return FMATCH_OK;
}

/* The value of the first `length` characters; -1 if there is none. */
static int32_t activation_of(const char *text, size_t length)
{
    for (int32_t i = 0; i < model_activation_names.count; i++) {
        const char *name = model_name(&model_activation_names, i);
        if (strlen(name) == length && strncmp(name, text, length) == 0)
            return i;
    }
    return -1;
}

/* One for each hidden layer, if they differ. */
static fmatch_status get_activations(const struct safetensors *file, fmatch_mlp_config *config,
                                     int32_t *activations)
{
    const char *value = safetensors_metadata(file, SETTING_ACTIVATIONS), *next = value;
    if (!value)
        return FMATCH_OK;
    int32_t l = 0;
    for (; l < config->hidden_layers; l++) {
        const size_t length = strcspn(next, ",");
        activations[l] = activation_of(next, length);
        next += length;
        if (activations[l] < 0 || *next != (l + 1 < config->hidden_layers ? ',' : '\0'))
            break;
        next += *next == ',';
    }
    if (l < config->hidden_layers || *next)
        return status_fail(FMATCH_ERROR_FORMAT,
                           "%s: %s is '%.64s', not an activation for each of "
                           "%d hidden layers",
                           file->path, SETTING_ACTIVATIONS, value, (int)config->hidden_layers);
    config->activations = activations;
    return FMATCH_OK;
}

static fmatch_status get_later_numbers(const struct safetensors *file, fmatch_mlp_config *config)
{
    for (int32_t i = 0; i < MODEL_LATER_NUMBERS; i++) {
        int32_t number = 0;
        if (safetensors_metadata(file, model_later_numbers[i].key))
            RETURN_IF_FAILED(get_number(file, model_later_numbers[i].key, &number));
        memcpy((char *)config + model_later_numbers[i].offset, &number, sizeof number);
    }
    return FMATCH_OK;
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
    RETURN_IF_FAILED(get_named(file, SETTING_PATH, &model_path_names, &path->kind));
    for (int32_t i = 0; i < MODEL_PATH_SETTINGS; i++) {
        const char *text = safetensors_metadata(file, model_path_settings[i].key);
        double value = 0.0;
        if (text && !parse_exactly(text, &value))
            return status_fail(FMATCH_ERROR_FORMAT, "%s: %s is '%.64s', not a number such as 5p-3",
                               file->path, model_path_settings[i].key, text);
        memcpy((char *)path + model_path_settings[i].offset, &value, sizeof value);
    }
    return FMATCH_OK;
}

static fmatch_status get_config(const struct safetensors *file, fmatch_mlp_config *config,
                                int32_t *widths, int32_t *activations, int32_t *noise)
{
    int32_t version = 0, only = 0;
    RETURN_IF_FAILED(get_number(file, SETTING_VERSION, &version));
    if (version < 1)
        return status_fail(FMATCH_ERROR_FORMAT, "%s: %s is %d; it must be at least 1", file->path,
                           SETTING_VERSION, (int)version);
    if (version > MODEL_FILE_VERSION)
        return status_fail(FMATCH_ERROR_VERSION, "%s: %s is %d; this library reads up to %d",
                           file->path, SETTING_VERSION, (int)version, (int)MODEL_FILE_VERSION);
    RETURN_IF_FAILED(get_named(file, SETTING_KIND, &model_kind_names, &only));
    RETURN_IF_FAILED(
        get_named(file, SETTING_PREDICTION, &model_prediction_names, &config->prediction));
    RETURN_IF_FAILED(get_named(file, SETTING_NOISE, &model_noise_names, noise));
    RETURN_IF_FAILED(
        get_named(file, SETTING_ACTIVATION, &model_activation_names, &config->activation));
    RETURN_IF_FAILED(get_number(file, SETTING_DIM, &config->dim));
    RETURN_IF_FAILED(get_later_numbers(file, config));
    config->hidden_widths = widths;
    RETURN_IF_FAILED(get_widths(file, &config->hidden_layers, widths));
    RETURN_IF_FAILED(get_activations(file, config, activations));
    if (config->dim < 1 || config->dim > DIM_MAX)
        return status_fail(FMATCH_ERROR_FORMAT, "%s: %s is %d; it must be between 1 and %d",
                           file->path, SETTING_DIM, (int)config->dim, (int)DIM_MAX);
    return FMATCH_OK;
}

/* ---- loading ---- */

/* What the library refuses from a caller, it says without knowing that a file asked for it. */
static void add_path(fmatch_status status, const struct safetensors *file, const char *what)
{
    if (status != FMATCH_OK)
        status_prefix("%s: %s", file->path, what);
}

/* The file must hold as many bytes as the configuration asks for, before memory for them is asked
 * for. */
static fmatch_status check_extent(const struct safetensors *file, fmatch_context *context,
                                  const fmatch_mlp_config *config)
{
    struct mlp_shape shape;
    struct mlp network;
    fmatch_status status = mlp_shape_read(&shape, config);
    add_path(status, file, "");
    if (status == FMATCH_OK)
        status = mlp_init(&network, context, &shape);
    if (status != FMATCH_OK)
        return status;
    for (int32_t i = 0; status == FMATCH_OK && i < network.layout.tensors; i++) {
        const struct tensor *t = &network.layout.tensor[i];
        const struct safetensors_entry *e = NULL;
        status = find_array(file, t->name, t->rank, t->shape[0], t->shape[1], &e);
    }
    mlp_destroy(&network, &context->allocator);
    return status;
}

/* A mixture's weights, means and stds from the file, in one allocation. */
static fmatch_status load_mixture(fmatch_source **source, fmatch_context *context,
                                  const struct safetensors *file, int32_t dim)
{
    const struct safetensors_entry *e = safetensors_find(file, ARRAY_NOISE_WEIGHTS);
    if (!e || e->rank != 1 || e->shape[0] < 1 || e->shape[0] > DIM_MAX)
        return status_fail(FMATCH_ERROR_FORMAT, "%s: %s is missing or has no weights", file->path,
                           ARRAY_NOISE_WEIGHTS);
    const int64_t components = e->shape[0], cells = components * dim;
    RETURN_IF_FAILED(find_array(file, ARRAY_NOISE_MEANS, 2, components, dim, &e));
    RETURN_IF_FAILED(find_array(file, ARRAY_NOISE_STDS, 2, components, dim, &e));
    float *values = allocation_create(&context->allocator, components + 2 * cells, sizeof *values);
    if (!values)
        return status_no_memory((size_t)(components + 2 * cells) * sizeof *values);
    float *means = values + components, *stds = means + cells;
    fmatch_status status = read_array(file, ARRAY_NOISE_WEIGHTS, 1, components, 1, values);
    if (status == FMATCH_OK)
        status = read_array(file, ARRAY_NOISE_MEANS, 2, components, dim, means);
    if (status == FMATCH_OK)
        status = read_array(file, ARRAY_NOISE_STDS, 2, components, dim, stds);
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
    RETURN_IF_FAILED(get_named(file, SETTING_TOY, &model_toy_names, &toy.kind));
    RETURN_IF_FAILED(get_named(file, SETTING_CONVENTION, &model_convention_names, &toy.convention));
    RETURN_IF_FAILED(get_setting(file, SETTING_TOY_NOISE, &text));
    if (!parse_exactly(text, &toy.noise))
        return status_fail(FMATCH_ERROR_FORMAT, "%s: %s is '%.64s', not a number such as 5p-3",
                           file->path, SETTING_TOY_NOISE, text);
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

/* A mean and a deviation of `columns` columns, one behind the other, if the file has them. */
static fmatch_status load_pair(const struct safetensors *file, const char *mean, const char *std,
                               int32_t columns, float *values, const float *pair[2])
{
    if (!safetensors_find(file, mean) && !safetensors_find(file, std))
        return FMATCH_OK;
    RETURN_IF_FAILED(read_array(file, mean, 1, columns, 1, values));
    RETURN_IF_FAILED(read_array(file, std, 1, columns, 1, values + columns));
    pair[0] = values;
    pair[1] = values + columns;
    return FMATCH_OK;
}

/* `values` has room for the means and deviations of all columns. */
static fmatch_status load_standardisation(const struct safetensors *file, fmatch_mlp_config *config,
                                          float *values)
{
    const float *data[2] = {NULL}, *condition[2] = {NULL};
    RETURN_IF_FAILED(load_pair(file, ARRAY_MEAN, ARRAY_STD, config->dim, values, data));
    RETURN_IF_FAILED(load_pair(file, ARRAY_CONDITION_MEAN, ARRAY_CONDITION_STD,
                               config->condition_dim, values + 2 * (int64_t)config->dim,
                               condition));
    config->data_mean = data[0];
    config->data_std = data[1];
    config->condition_mean = condition[0];
    config->condition_std = condition[1];
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
    int32_t widths[MLP_HIDDEN_LAYERS_MAX], activations[MLP_HIDDEN_LAYERS_MAX], noise = 0;
    fmatch_mlp_config_init(&config);
    fmatch_path_config path;
    fmatch_path_config_init(&path);
    RETURN_IF_FAILED(get_config(file, &config, widths, activations, &noise));
    RETURN_IF_FAILED(get_path(file, &path));
    config.path = &path;
    RETURN_IF_FAILED(check_extent(file, context, &config));

    fmatch_source *source = NULL;
    RETURN_IF_FAILED(load_noise(&source, context, file, config.dim, noise));
    config.noise = source;
    const int64_t columns = 2 * ((int64_t)config.dim + config.condition_dim);
    float *standard = allocation_create(&context->allocator, columns, sizeof *standard);
    fmatch_status status = standard ? load_standardisation(file, &config, standard)
                                    : status_no_memory((size_t)columns * sizeof *standard);
    if (status == FMATCH_OK)
        status = create_and_fill(model, context, file, &config);
    allocation_destroy(&context->allocator, standard);
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
