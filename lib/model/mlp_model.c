/* Model whose velocity is a multilayer perceptron in standardised coordinates. */
#include "model/mlp_model.h"

#include "base/configuration.h"
#include "base/log.h"
#include "base/status.h"
#include "compute/random_stream.h"
#include "model/mlp_divergence.h"
#include "model/mlp_tangent.h"
#include "source/normal_source.h"

#include <float.h>
#include <math.h>
#include <string.h>

struct mlp_model {
    fmatch_model model;
    struct mlp network;
    float *mean, *std;  /* [dim] each in one block; NULL: 0 and 1 */
    float *scale;       /* [dim], behind them: std, or 1 where that is 0 */
    bool default_noise; /* the caller named none */
    struct baseline baseline;
};

void mlp_model_standardise(const fmatch_model *model, int64_t n, const float *x, float *y)
{
    const struct mlp_model *m = (const struct mlp_model *)model;
    const int32_t dim = model->dim;
    if (!m->mean) {
        if (y != x)
            memcpy(y, x, (size_t)(n * dim) * sizeof *x);
        return;
    }
    for (int64_t i = 0; i < n; i++)
        for (int32_t j = 0; j < dim; j++)
            y[i * dim + j] = (x[i * dim + j] - m->mean[j]) / m->scale[j];
}

fmatch_status mlp_model_network_noise(const fmatch_model *model, fmatch_source **noise)
{
    const struct mlp_model *m = (const struct mlp_model *)model;
    if (!m->mean) {
        *noise = source_retain(model->noise);
        return FMATCH_OK;
    }
    if (!m->default_noise)
        return status_fail(FMATCH_ERROR_UNSUPPORTED,
                           "the model standardises and has noise of its own, which cannot be drawn "
                           "in standardised coordinates");
    return normal_source_create(noise, model->context, model->dim, NULL, NULL);
}

static int64_t mlp_model_scratch_size(const fmatch_model *model, int64_t n)
{
    const struct mlp_model *m = (const struct mlp_model *)model;
    int64_t floats = mlp_evaluate_size(&m->network, n);
    if (model->prediction != FMATCH_PREDICTION_VELOCITY)
        floats += n * model->dim; /* x, which the prediction alone does not tell */
    if (m->baseline.column)
        floats += n * model->dim; /* less the baseline */
    return (floats + 15) / 16 * 16;
}

static void run_network(const struct mlp_model *m, const struct mlp_model_pass *pass,
                        float *scratch, const struct mlp_rows *rows, float *out)
{
    if (pass->record)
        mlp_evaluate_recorded(&m->network, pass->parameters, scratch, rows, out, pass->record);
    else
        mlp_evaluate(&m->network, pass->parameters, scratch, rows, out);
}

/* The prediction at standardised x, which may be `predicted`. Scratch is the network's and, with a
 * baseline, as many floats as x has in front of that. */
static fmatch_status predict(const struct mlp_model *m, const struct mlp_model_pass *pass,
                             float *scratch, const struct mlp_rows *rows, float *predicted)
{
    const int64_t count = rows->n * m->model.dim;
    if (!m->baseline.column) {
        run_network(m, pass, scratch, rows, predicted);
        return FMATCH_OK;
    }
    float *rest = scratch;
    struct mlp_rows seen = *rows;
    seen.x = predicted;
    memset(rest, 0, (size_t)count * sizeof *rest);
    RETURN_IF_FAILED(baseline_take_off(&m->baseline, rows->n, rows->t, rows->x, predicted, rest));
    run_network(m, pass, scratch + count, &seen, predicted);
    baseline_scale(&m->baseline, rows->n, predicted);
    for (int64_t i = 0; i < count; i++)
        predicted[i] -= rest[i];
    return FMATCH_OK;
}

fmatch_status mlp_model_run_pass(const fmatch_model *model, const struct mlp_model_pass *pass,
                                 const struct model_rows *rows, float *v)
{
    const struct mlp_model *m = (const struct mlp_model *)model;
    float *scratch = pass->scratch;
    const int32_t dim = model->dim;
    const bool velocity = model->prediction == FMATCH_PREDICTION_VELOCITY;
    struct mlp_rows asked = {
        .n = rows->n, .t = rows->t, .x = rows->x, .condition = rows->condition};
    if (m->mean || !velocity) {
        float *y = velocity ? v : scratch;
        mlp_model_standardise(model, rows->n, rows->x, y);
        asked.x = y;
    }
    RETURN_IF_FAILED(predict(m, pass, velocity ? scratch : scratch + rows->n * dim, &asked, v));
    if (!velocity)
        RETURN_IF_FAILED(
            path_velocity(model->path, model->prediction, rows->n, dim, rows->t, asked.x, v, v));
    for (int64_t i = 0; m->mean && i < rows->n; i++)
        for (int32_t j = 0; j < dim; j++)
            v[i * dim + j] *= m->scale[j];
    return FMATCH_OK;
}

static fmatch_status mlp_model_evaluate(const fmatch_model *model,
                                        const struct parameter_snapshot *snapshot, float *scratch,
                                        const struct model_rows *rows, float *v)
{
    const struct mlp_model_pass pass = {
        .parameters = {.values = snapshot->values, .packed = snapshot->derived},
        .scratch = scratch};
    return mlp_model_run_pass(model, &pass, rows, v);
}

static void mlp_model_destroy(fmatch_model *model)
{
    struct mlp_model *m = (struct mlp_model *)model;
    mlp_destroy(&m->network, &model->context->allocator);
    baseline_destroy(&m->baseline, &model->context->allocator);
    allocation_destroy(&model->context->allocator, m->mean);
}

static fmatch_status mlp_model_copy(fmatch_model **copy, const fmatch_model *model);

static const struct model_kind mlp_kind = {.scratch_size = mlp_model_scratch_size,
                                           .evaluate = mlp_model_evaluate,
                                           .diverge_size = mlp_model_diverge_size,
                                           .diverge = mlp_model_diverge,
                                           .copy = mlp_model_copy,
                                           .destroy = mlp_model_destroy};

const struct mlp *mlp_model_network(const fmatch_model *model)
{
    return model->kind == &mlp_kind ? &((const struct mlp_model *)model)->network : NULL;
}

struct mlp_model_units mlp_model_units_of(const fmatch_model *model)
{
    if (model->original)
        model = model->original;
    const struct mlp_model *m = (const struct mlp_model *)model;
    return model->kind == &mlp_kind ? (struct mlp_model_units){m->mean, m->scale}
                                    : (struct mlp_model_units){NULL, NULL};
}

const struct baseline *mlp_model_baseline(const fmatch_model *model)
{
    const struct mlp_model *m = (const struct mlp_model *)model;
    return mlp_model_network(model) && m->baseline.column ? &m->baseline : NULL;
}

/* ---- a target that a network will find hard ---- */

enum { TARGET_DRAWS = 4096 };

static void warn_of_scale(const fmatch_model *model, const double *mean, const double *std)
{
    for (int32_t j = 0; j < model->dim; j++) {
        if (fabs(mean[j]) <= 10.0 && (std[j] == 0.0 || (std[j] >= 0.1 && std[j] <= 10.0)))
            continue;
        log_write(&model->context->log, FMATCH_LOG_WARNING,
                  "column %d of the target has mean %s and deviation %s, which a model without "
                  "standardisation learns badly; set data, or data_mean and data_std",
                  (int)j, NUMBER(mean[j]), NUMBER(std[j]));
        return;
    }
}

fmatch_status mlp_model_judge_target(const fmatch_model *model, const fmatch_source *target)
{
    const fmatch_allocator *allocator = &model->context->allocator;
    const bool standardised = ((const struct mlp_model *)model)->mean;
    if (standardised || !model->context->log.write || target->kind->on_calling_thread)
        return FMATCH_OK;
    double *moments = allocation_create(allocator, 2 * (int64_t)model->dim, sizeof *moments);
    if (!moments)
        return status_no_memory(2 * (size_t)model->dim * sizeof *moments);
    struct status_kept kept;
    status_keep(&kept);
    const fmatch_status status = source_measure(target, 0, TARGET_DRAWS, moments);
    if (status == FMATCH_OK)
        warn_of_scale(model, moments, moments + model->dim);
    if (status != FMATCH_ERROR_NO_MEMORY)
        status_restore(&kept);
    allocation_destroy(allocator, moments);
    return status == FMATCH_ERROR_NO_MEMORY ? status : FMATCH_OK;
}

/* ---- creation ---- */

void fmatch_mlp_config_init_sized(fmatch_mlp_config *config, size_t size, int32_t preset)
{
    static const fmatch_mlp_config presets[] = {
        [FMATCH_PRESET_RECOMMENDED] = {.hidden_layers = 2,
                                       .hidden_width = 64,
                                       .activation = FMATCH_ACTIVATION_GELU,
                                       .output_init = FMATCH_OUTPUT_INIT_ZERO,
                                       .baseline = FMATCH_BASELINE_GAUSSIAN},
        [FMATCH_PRESET_PLAIN] = {.hidden_layers = 2,
                                 .hidden_width = 64,
                                 .activation = FMATCH_ACTIVATION_GELU},
    };
    configuration_write_preset(config, size, preset, presets, sizeof presets / sizeof presets[0],
                               sizeof presets[0]);
}

/* The default noise, mean + std z with |z| < 7, must be a float. */
static fmatch_status check_standardisation(const fmatch_mlp_config *c)
{
    if (c->data_mean)
        RETURN_IF_FAILED(status_check_finite("config->data_mean", 0, 1, c->dim, c->data_mean));
    if (c->data_std)
        RETURN_IF_FAILED(status_check_finite("config->data_std", 0, 1, c->dim, c->data_std));
    for (int32_t j = 0; j < c->dim; j++) {
        const float mean = c->data_mean ? c->data_mean[j] : 0.0f;
        const float std = c->data_std ? c->data_std[j] : 1.0f;
        if (std < 0)
            return status_fail(FMATCH_ERROR_ARGUMENT,
                               "config->data_std[%d] is %s; it must be at least 0", (int)j,
                               NUMBER(std));
        if (!normal_source_fits(mean, std > 0 ? std : 1.0f))
            return status_fail(FMATCH_ERROR_ARGUMENT,
                               "config->data_mean[%d] is %s and config->data_std[%d] is %s; |mean| "
                               "+ 7 std must be at most %s",
                               (int)j, NUMBER(mean), (int)j, NUMBER(std), NUMBER(FLT_MAX));
    }
    return FMATCH_OK;
}

static fmatch_status check_config(const fmatch_mlp_config *c)
{
    CHECK_RANGE("config->dim", c->dim, 1, DIM_MAX);
    CHECK_RANGE("config->prediction", c->prediction, FMATCH_PREDICTION_VELOCITY,
                FMATCH_PREDICTION_NOISE);
    CHECK_RANGE("config->baseline", c->baseline, FMATCH_BASELINE_NONE, FMATCH_BASELINE_GAUSSIAN);
    return check_standardisation(c);
}

static fmatch_status hold_standardisation(struct mlp_model *m, const float *mean, const float *std)
{
    if (!mean && !std)
        return FMATCH_OK;
    const int32_t dim = m->model.dim;
    m->mean = allocation_create(&m->model.context->allocator, 3 * (int64_t)dim, sizeof *m->mean);
    if (!m->mean)
        return status_no_memory(3 * (size_t)dim * sizeof *m->mean);
    m->std = m->mean + dim;
    m->scale = m->std + dim;
    for (int32_t j = 0; j < dim; j++) {
        m->mean[j] = mean ? mean[j] : 0.0f;
        m->std[j] = std ? std[j] : 1.0f;
        m->scale[j] = m->std[j] > 0 ? m->std[j] : 1.0f;
    }
    return FMATCH_OK;
}

/* Moments of the noise in standardised coordinates into those of the baseline. */
static fmatch_status standardise_noise(const struct mlp_model *m, const double *mean,
                                       const double *std, struct baseline_moments *to)
{
    const double most = 1e18; /* whose square is a float */
    for (int32_t j = 0; j < m->model.dim; j++) {
        const double scale = m->mean ? m->scale[j] : 1.0;
        const double a = (mean[j] - (m->mean ? m->mean[j] : 0.0)) / scale, b = std[j] / scale;
        if (fabs(a) > most || b > most)
            return status_fail(FMATCH_ERROR_ARGUMENT,
                               "config->noise: column %d has mean %s and deviation %s; a baseline "
                               "takes up to %s in standardised coordinates",
                               (int)j, NUMBER(mean[j]), NUMBER(std[j]), NUMBER(most));
        to[j].noise_mean = (float)a;
        to[j].noise_std = (float)b;
    }
    return FMATCH_OK;
}

static fmatch_status fill_moments(const struct mlp_model *m, double *noise,
                                  struct baseline_moments *moments)
{
    const int32_t dim = m->model.dim;
    for (int32_t j = 0; j < dim; j++)
        moments[j] = (struct baseline_moments){.data_std = m->mean && m->std[j] == 0 ? 0.0f : 1.0f,
                                               .noise_std = 1.0f};
    if (m->default_noise)
        return FMATCH_OK;
    RETURN_IF_FAILED(source_measure(m->model.noise, 0, 0, noise));
    return standardise_noise(m, noise, noise + dim, moments);
}

static fmatch_status hold_baseline(struct mlp_model *m)
{
    const fmatch_model *model = &m->model;
    const fmatch_allocator *allocator = &model->context->allocator;
    const int32_t dim = model->dim;
    struct baseline_moments *moments = allocation_create(allocator, dim, sizeof *moments);
    double *noise = allocation_create(allocator, 2 * (int64_t)dim, sizeof *noise);
    fmatch_status status =
        moments && noise ? fill_moments(m, noise, moments)
                         : status_no_memory((size_t)dim * (sizeof *moments + 2 * sizeof *noise));
    if (status == FMATCH_OK)
        status =
            baseline_create(&m->baseline, allocator, model->path, model->prediction, dim, moments);
    allocation_destroy(allocator, noise);
    allocation_destroy(allocator, moments);
    return status;
}

static void pack(const void *user, const float *values, float *packed)
{
    mlp_pack(user, values, packed);
}

/* A path that is true of standard normal noise alone has no other, as the network sees it. */
static fmatch_status check_path(const struct mlp_model *m)
{
    const fmatch_model *model = &m->model;
    RETURN_IF_FAILED(path_check_prediction(model->path, model->prediction));
    const bool normal = m->default_noise || (!m->mean && normal_source_is_standard(model->noise));
    if (path_needs_normal_noise(model->path) && !normal)
        return status_fail(
            FMATCH_ERROR_UNSUPPORTED,
            "config->path is FMATCH_PATH_LIPMAN, which needs the default noise; with "
            "another one its velocity is not that of the path");
    return FMATCH_OK;
}

/* Everything but the parameters' values; holds the path. `like` is a baseline to copy, or NULL. */
static fmatch_status create(fmatch_model **model, fmatch_context *context,
                            const fmatch_mlp_config *c, const struct mlp_shape *shape,
                            struct path *path, const struct baseline *like)
{
    fmatch_model *created;
    RETURN_IF_FAILED(
        model_create(&created, context, sizeof(struct mlp_model), &mlp_kind, c->dim, c->noise));
    struct mlp_model *m = (struct mlp_model *)created;
    m->default_noise = !c->noise;
    created->path = path_retain(path);
    created->prediction = c->prediction;
    fmatch_status status = hold_standardisation(m, c->data_mean, c->data_std);
    if (status == FMATCH_OK && !c->noise)
        status = normal_source_create(&created->noise, context, c->dim, m->mean, m->scale);
    if (status == FMATCH_OK)
        status = check_path(m);
    if (status == FMATCH_OK && c->baseline == FMATCH_BASELINE_GAUSSIAN)
        status = like ? baseline_copy(&m->baseline, &context->allocator, like) : hold_baseline(m);
    if (status == FMATCH_OK)
        status = mlp_init(&m->network, context, shape);
    const struct parameter_derivation packing = {
        .count = m->network.packed_count, .derive = pack, .user = &m->network};
    if (status == FMATCH_OK)
        status = parameter_store_init(&created->store, &context->allocator, m->network.layout.count,
                                      packing);
    if (status != FMATCH_OK) {
        model_release(created);
        return status;
    }
    created->layout = &m->network.layout;
    created->condition = m->network.shape.condition;
    *model = created;
    return FMATCH_OK;
}

static fmatch_status create_checked(fmatch_model **model, fmatch_context *context,
                                    const fmatch_mlp_config *config, struct path *path)
{
    struct mlp_shape shape;
    RETURN_IF_FAILED(check_config(config));
    RETURN_IF_FAILED(mlp_shape_read(&shape, config));
    return create(model, context, config, &shape, path, NULL);
}

/* ---- what config->data says of a configuration ---- */

static fmatch_status check_data(fmatch_mlp_config *c)
{
    const fmatch_source *data = c->data;
    if (c->dim == 0)
        c->dim = data->dim;
    if (data->dim != c->dim)
        return status_fail(FMATCH_ERROR_SHAPE, "config->data has %d columns; config->dim is %d",
                           (int)data->dim, (int)c->dim);
    if (c->condition_dim > 0 && data->condition_dim > 0 && data->condition_dim != c->condition_dim)
        return status_fail(FMATCH_ERROR_SHAPE,
                           "config->data has conditions of %d columns; config->condition_dim is %d",
                           (int)data->condition_dim, (int)c->condition_dim);
    return FMATCH_OK;
}

/* Means and deviations, [columns] each, where the configuration has none: of the data, and behind
 * them of its conditions, of which a label has none. */
static void put_measured(fmatch_mlp_config *c, int32_t condition, float *mean, float *std)
{
    float *condition_mean = mean + c->dim, *condition_std = std + c->dim;
    for (int32_t j = 0; j < condition; j++) {
        const bool label = j == 0 && c->classes > 0;
        condition_mean[j] = label ? 0.0f : condition_mean[j];
        condition_std[j] = label || condition_std[j] == 0 ? 1.0f : condition_std[j];
    }
    c->data_mean = c->data_mean ? c->data_mean : mean;
    c->data_std = c->data_std ? c->data_std : std;
    if (condition > 0) {
        c->condition_mean = c->condition_mean ? c->condition_mean : condition_mean;
        c->condition_std = c->condition_std ? c->condition_std : condition_std;
    }
}

/* `room` is for the caller to destroy, also on failure. */
static fmatch_status measure_data(const fmatch_allocator *allocator, fmatch_mlp_config *c,
                                  double **room)
{
    if (!c->data)
        return FMATCH_OK;
    RETURN_IF_FAILED(check_data(c));
    const bool asked = !c->condition_mean || !c->condition_std;
    const int32_t condition =
        asked && c->data->condition_dim == c->condition_dim ? c->condition_dim : 0;
    if (condition == 0 && c->data_mean && c->data_std)
        return FMATCH_OK;
    const int64_t columns = (int64_t)c->dim + condition;
    double *moments = allocation_create(allocator, 3 * columns, sizeof *moments);
    if (!moments)
        return status_no_memory(3 * (size_t)columns * sizeof *moments);
    *room = moments;
    RETURN_IF_FAILED(source_measure(c->data, condition, 0, moments));
    float *measured = (float *)(moments + 2 * columns);
    for (int64_t j = 0; j < 2 * columns; j++)
        measured[j] = (float)moments[j];
    put_measured(c, condition, measured, measured + columns);
    return FMATCH_OK;
}

static fmatch_status check_handles(fmatch_model **model, const fmatch_context *context)
{
    CHECK_NOT_NULL(model);
    CHECK_NOT_NULL(context);
    return FMATCH_OK;
}

fmatch_status fmatch_model_create_mlp(fmatch_model **model, fmatch_context *context,
                                      const fmatch_mlp_config *config)
{
    status_begin();
    if (model)
        *model = NULL;
    fmatch_mlp_config given;
    RETURN_IF_FAILED(configuration_read(&given, sizeof given, sizeof given, config, "config"));
    fmatch_status status = check_handles(model, context);
    if (status != FMATCH_OK) {
        path_give_up(given.path);
        return status;
    }
    struct path *path;
    RETURN_IF_FAILED(path_create(&path, context, given.path));
    fmatch_model *created = NULL;
    double *measured = NULL;
    status = measure_data(&context->allocator, &given, &measured);
    if (status == FMATCH_OK)
        status = create_checked(&created, context, &given, path);
    allocation_destroy(&context->allocator, measured);
    path_release(path);
    if (status != FMATCH_OK)
        return status;
    const struct random_stream stream = {
        .kernels = context->kernels, .seed = given.seed, .stream = STREAM_INITIALISATION};
    mlp_initialise(mlp_model_network(created), &stream, parameter_store_first(&created->store));
    parameter_store_finish_first(&created->store);
    *model = created;
    return FMATCH_OK;
}

void mlp_model_describe(const fmatch_model *model, fmatch_mlp_config *config)
{
    const struct mlp_model *m = (const struct mlp_model *)model;
    *config = (fmatch_mlp_config){.struct_size = sizeof *config,
                                  .prediction = model->prediction,
                                  .path = path_config(model->path),
                                  .data_mean = m->mean,
                                  .data_std = m->std,
                                  .baseline = m->baseline.column ? FMATCH_BASELINE_GAUSSIAN
                                                                 : FMATCH_BASELINE_NONE,
                                  .noise = m->default_noise ? NULL : model->noise};
    mlp_shape_describe(&m->network.shape, config);
}

static fmatch_status mlp_model_copy(fmatch_model **copy, const fmatch_model *model)
{
    fmatch_mlp_config config;
    mlp_model_describe(model, &config);
    fmatch_model *created;
    RETURN_IF_FAILED(create(&created, model->context, &config, &mlp_model_network(model)->shape,
                            model->path, mlp_model_baseline(model)));
    struct model_view view = {.model = model};
    model_view_begin(&view);
    memcpy(parameter_store_first(&created->store), view.snapshot->values,
           (size_t)model->layout->count * sizeof(float));
    model_view_end(&view);
    parameter_store_finish_first(&created->store);
    *copy = created;
    return FMATCH_OK;
}
