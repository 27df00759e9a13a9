#include "train/trainer.h"

#include "base/configuration.h"
#include "base/status.h"
#include "model/mlp_model.h"

#include <string.h>

/* ---- memory ---- */

static void release(fmatch_trainer *trainer);

fmatch_status trainer_enter(fmatch_trainer *trainer, enum activity most, enum activity *before)
{
    if (trainer->activity > most)
        return status_fail(FMATCH_ERROR_STATE,
                           "the trainer is in a call already, which a callback cannot enter again");
    *before = trainer->activity;
    trainer->activity = WORKING;
    reference_count_retain(&trainer->references);
    return FMATCH_OK;
}

fmatch_status trainer_leave(fmatch_trainer *trainer, enum activity before, fmatch_status status)
{
    trainer->activity = before;
    release(trainer);
    return status;
}

const fmatch_allocator *trainer_allocator(const fmatch_trainer *trainer)
{
    return &trainer->model->context->allocator;
}

fmatch_status trainer_reserve_rows(fmatch_trainer *trainer, int64_t rows, bool weighted)
{
    struct batch_shape shape = trainer->room.shape;
    if (rows <= trainer->room.rows && rows <= trainer->gradient.rows &&
        (shape.weighted || !weighted))
        return FMATCH_OK;
    const int64_t most = rows > trainer->room.rows ? rows : trainer->room.rows;
    shape.weighted = shape.weighted || weighted;
    struct gradient gradient;
    struct batch room;
    RETURN_IF_FAILED(gradient_create(&gradient, trainer->network, &trainer->settings.loss,
                                     trainer->model->context, most));
    const fmatch_status status = batch_create(&room, trainer_allocator(trainer), &shape, most);
    if (status != FMATCH_OK) {
        gradient_destroy(&gradient);
        return status;
    }
    gradient_destroy(&trainer->gradient);
    batch_destroy(&trainer->room, trainer_allocator(trainer));
    trainer->gradient = gradient;
    trainer->room = room;
    trainer->last_gradient = NULL;
    return FMATCH_OK;
}

/* ---- creation ---- */

void fmatch_trainer_config_init_sized(fmatch_trainer_config *config, size_t size, int32_t preset)
{
    static const fmatch_trainer_config presets[] = {
        [FMATCH_PRESET_RECOMMENDED] = {.batch = 256, .condition_dropout = 0.1},
        [FMATCH_PRESET_PLAIN] = {.batch = 256, .condition_dropout = 0.1},
    };
    configuration_write_preset(config, size, preset, presets, 2, sizeof *presets);
}

void training_destroy(struct training *training, const fmatch_allocator *allocator)
{
    allocation_destroy(allocator, training->parameters);
    allocation_destroy(allocator, training->average);
    allocation_destroy(allocator, training->best);
    history_destroy(&training->history, allocator);
}

static void release(fmatch_trainer *trainer)
{
    if (!trainer || !reference_count_release(&trainer->references))
        return;
    fmatch_model *model = trainer->model;
    const fmatch_allocator *allocator = trainer_allocator(trainer);
    gradient_destroy(&trainer->gradient);
    batch_destroy(&trainer->room, allocator);
    pairs_destroy(&trainer->pairs, allocator);
    pairs_destroy(&trainer->evaluation_pairs, allocator);
    stored_target_destroy(&trainer->stored, allocator);
    settings_destroy(&trainer->settings, allocator);
    training_destroy(&trainer->training, allocator);
    source_release(trainer->target);
    optimizer_release(trainer->optimizer);
    allocation_destroy(allocator, trainer);
    model_release(model);
}

static fmatch_status hold_parameters(fmatch_trainer *trainer)
{
    const int64_t count = trainer->network->layout.count;
    trainer->training.parameters =
        allocation_create(trainer_allocator(trainer), count, sizeof *trainer->training.parameters);
    if (!trainer->training.parameters)
        return status_no_memory((size_t)count * sizeof *trainer->training.parameters);

    struct model_view view = {.model = trainer->model};
    model_view_begin(&view);
    memcpy(trainer->training.parameters, view.snapshot->values, (size_t)count * sizeof(float));
    model_view_end(&view);
    return FMATCH_OK;
}

static const struct batch_streams training_streams = {.noise = STREAM_TRAIN_NOISE,
                                                      .data = STREAM_TRAIN_TARGET,
                                                      .time = STREAM_TRAIN_TIME,
                                                      .path_noise = STREAM_TRAIN_PATH_NOISE,
                                                      .dropout = STREAM_TRAIN_DROPOUT,
                                                      .coupling = STREAM_TRAIN_COUPLING};
static const struct batch_streams evaluation_streams = {.noise = STREAM_EVALUATE_NOISE,
                                                        .data = STREAM_EVALUATE_TARGET,
                                                        .time = STREAM_EVALUATE_TIME,
                                                        .path_noise = STREAM_EVALUATE_PATH_NOISE,
                                                        .coupling = STREAM_EVALUATE_COUPLING};

static void plan_batches(fmatch_trainer *t, const fmatch_trainer_config *config)
{
    t->plan =
        (struct batch_plan){.model = t->model,
                            .target = t->target,
                            .times = &t->settings.times,
                            .streams = training_streams,
                            .seed = config->seed,
                            .dropout = t->model->condition.null ? config->condition_dropout : 0.0};
    t->evaluation = t->plan;
    t->evaluation.streams = evaluation_streams;
    t->evaluation.dropout = 0.0;
    t->room.shape = (struct batch_shape){.dim = t->model->dim,
                                         .columns = t->model->condition.columns,
                                         .weighted = t->target && t->target->weighted,
                                         .noisy = path_is_noisy(t->model->path)};
}

/* Blocks of coupled rows, for training and for evaluation. The caller's own rows are paired as they
 * come. */
static fmatch_status hold_pairs(fmatch_trainer *t)
{
    struct coupling *coupling = t->settings.coupling;
    if (!coupling || !t->target)
        return FMATCH_OK;
    const int64_t rows = coupling_rows_together(coupling);
    const struct batch_shape *shape = &t->room.shape;
    RETURN_IF_FAILED(pairs_create(&t->pairs, coupling, trainer_allocator(t), shape, rows));
    t->plan.pairs = &t->pairs;
    RETURN_IF_FAILED(
        pairs_create(&t->evaluation_pairs, coupling, trainer_allocator(t), shape, rows));
    t->evaluation.pairs = &t->evaluation_pairs;
    if (!coupling_is_semidiscrete(coupling))
        return FMATCH_OK;
    RETURN_IF_FAILED(stored_target_create(&t->stored, &t->plan, shape));
    t->pairs.stored = t->evaluation_pairs.stored = &t->stored.sides;
    const struct coupling_target target = stored_target_view(&t->stored);
    return coupling_prepare(coupling, &target);
}

/* Takes over the settings. */
static fmatch_status create(fmatch_trainer **trainer, fmatch_model *model,
                            fmatch_optimizer *optimizer, const fmatch_source *target,
                            const fmatch_trainer_config *config, struct settings *settings)
{
    fmatch_trainer *t = allocation_create(&model->context->allocator, 1, sizeof *t);
    if (!t)
        return status_no_memory(sizeof *t);
    reference_count_init(&t->references);
    t->model = model_retain(model);
    t->network = mlp_model_network(model);
    t->optimizer = optimizer_retain(optimizer);
    t->target = target ? source_retain(target) : NULL;
    t->batch = config->batch;
    t->settings = *settings;
    *settings = (struct settings){0};
    plan_batches(t, config);
    fmatch_status status = hold_parameters(t);
    if (status == FMATCH_OK)
        status = hold_pairs(t);
    if (status == FMATCH_OK)
        status = trainer_reserve_rows(t, t->batch, t->room.shape.weighted);
    if (status == FMATCH_OK)
        status = optimizer_bind(optimizer, t->network->layout.count);
    if (status != FMATCH_OK) {
        release(t);
        return status;
    }
    *trainer = t;
    return FMATCH_OK;
}

static fmatch_status check(const fmatch_model *model, const fmatch_source *target,
                           const fmatch_trainer_config *config)
{
    const struct interval unit = {.lowest = 0.0, .highest = 1.0};
    CHECK_RANGE("config->batch", config->batch, 1, BATCH_MAX);
    RETURN_IF_FAILED(
        configuration_check_double("config->condition_dropout", config->condition_dropout, unit));
    if (!target)
        return FMATCH_OK;
    if (target->dim != model->dim)
        return status_fail(FMATCH_ERROR_SHAPE, "target has %d columns; the model has %d",
                           (int)target->dim, (int)model->dim);
    if (model->condition.columns > 0 && target->condition_dim != model->condition.columns)
        return status_fail(FMATCH_ERROR_SHAPE,
                           "target has conditions of %d columns; the model's have %d",
                           (int)target->condition_dim, (int)model->condition.columns);
    return FMATCH_OK;
}

static fmatch_status check_handles(fmatch_trainer **trainer, const fmatch_model *model,
                                   const fmatch_optimizer *optimizer)
{
    CHECK_NOT_NULL(trainer);
    CHECK_NOT_NULL(model);
    CHECK_NOT_NULL(optimizer);
    if (!mlp_model_network(model))
        return status_fail(FMATCH_ERROR_UNSUPPORTED,
                           "model has no parameters; there is nothing to train");
    return FMATCH_OK;
}

fmatch_status fmatch_trainer_create(fmatch_trainer **trainer, fmatch_model *model,
                                    fmatch_optimizer *optimizer, const fmatch_source *target,
                                    const fmatch_trainer_config *config)
{
    status_begin();
    if (trainer)
        *trainer = NULL;
    fmatch_trainer_config given;
    fmatch_trainer_config_init(&given);
    if (config)
        RETURN_IF_FAILED(configuration_read(&given, sizeof given, sizeof given, config, "config"));
    fmatch_status status = check_handles(trainer, model, optimizer);
    if (status != FMATCH_OK) {
        settings_give_up(&given);
        return status;
    }
    struct settings settings;
    RETURN_IF_FAILED(settings_create(&settings, model, &given));
    status = check(model, target, &given);
    if (status == FMATCH_OK)
        status = create(trainer, model, optimizer, target, &given, &settings);
    settings_destroy(&settings, &model->context->allocator);
    return status;
}

void fmatch_trainer_destroy(fmatch_trainer **trainer)
{
    if (!trainer)
        return;
    release(*trainer);
    *trainer = NULL;
}

/* ---- what was learned ---- */

fmatch_status fmatch_trainer_get_gradient(const fmatch_trainer *trainer, const char *name,
                                          int64_t count, float *values)
{
    status_begin();
    CHECK_NOT_NULL(trainer);
    CHECK_NOT_NULL(name);
    CHECK_NOT_NULL(values);
    if (!trainer->last_gradient)
        return status_fail(FMATCH_ERROR_STATE, "no batch was run or evaluated so far");
    const struct tensor *tensor;
    RETURN_IF_FAILED(parameter_layout_find(&trainer->network->layout, name, count, &tensor));
    memcpy(values, trainer->last_gradient + tensor->offset, (size_t)count * sizeof *values);
    return FMATCH_OK;
}

int64_t fmatch_trainer_count_steps(const fmatch_trainer *trainer)
{
    return trainer ? trainer->training.steps : 0;
}

fmatch_status fmatch_trainer_get_losses(const fmatch_trainer *trainer, int64_t first, int64_t n,
                                        double *losses)
{
    status_begin();
    CHECK_NOT_NULL(trainer);
    CHECK_RANGE("n", n, 0, trainer->training.steps);
    CHECK_RANGE("first", first, 0, trainer->training.steps - n);
    if (n == 0)
        return FMATCH_OK;
    CHECK_NOT_NULL(losses);
    memcpy(losses, trainer->training.history.column[HISTORY_LOSS] + first,
           (size_t)n * sizeof *losses);
    return FMATCH_OK;
}
