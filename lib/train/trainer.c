#include "train/trainer.h"

#include "base/configuration.h"
#include "base/status.h"
#include "model/mlp_model.h"

#include <math.h>
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
    RETURN_IF_FAILED(gradient_create(&gradient, trainer->network,
                                     mlp_model_baseline(trainer->model), &trainer->settings.loss,
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
        [FMATCH_PRESET_RECOMMENDED] = {.batch = 256,
                                       .time = &time_recommended,
                                       .condition_dropout = 0.1,
                                       .rate = &rate_recommended,
                                       .steps = 10000,
                                       .clip_norm = 1.0,
                                       .average_decay = 0.999,
                                       .publish = FMATCH_PUBLISH_AVERAGE,
                                       .accumulate = 1},
        [FMATCH_PRESET_PLAIN] = {.batch = 256,
                                 .condition_dropout = 0.1,
                                 .steps = 10000,
                                 .accumulate = 1},
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
    validation_destroy(&trainer->validation);
    allocation_destroy(allocator, trainer->mean_gradient);
    training_destroy(&trainer->training, allocator);
    source_release(trainer->target);
    optimizer_release(trainer->optimizer);
    allocation_destroy(allocator, trainer);
    model_release(model);
}

/* [count] floats, from those at `from` if it is given; none if they are not `wanted`. */
static fmatch_status hold(fmatch_trainer *trainer, bool wanted, const float *from, float **array)
{
    const int64_t count = trainer->network->layout.count;
    if (!wanted)
        return FMATCH_OK;
    *array = allocation_create(trainer_allocator(trainer), count, sizeof **array);
    if (!*array)
        return status_no_memory((size_t)count * sizeof **array);
    if (from)
        memcpy(*array, from, (size_t)count * sizeof **array);
    return FMATCH_OK;
}

static fmatch_status hold_parameters(fmatch_trainer *trainer)
{
    struct training *training = &trainer->training;
    struct model_view view = {.model = trainer->model};
    model_view_begin(&view);
    const fmatch_status status = hold(trainer, true, view.snapshot->values, &training->parameters);
    model_view_end(&view);
    RETURN_IF_FAILED(status);
    RETURN_IF_FAILED(
        hold(trainer, trainer->average_decay > 0, training->parameters, &training->average));
    RETURN_IF_FAILED(hold(trainer, trainer->validation.config.every > 0, NULL, &training->best));
    return hold(trainer, trainer->accumulate > 1, NULL, &trainer->mean_gradient);
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
    struct batch_shape evaluated = *shape;
    evaluated.weighted |= t->validation.source && t->validation.source->weighted;
    RETURN_IF_FAILED(pairs_create(&t->pairs, coupling, trainer_allocator(t), shape, rows));
    t->plan.pairs = &t->pairs;
    RETURN_IF_FAILED(
        pairs_create(&t->evaluation_pairs, coupling, trainer_allocator(t), &evaluated, rows));
    t->evaluation.pairs = &t->evaluation_pairs;
    if (!coupling_is_semidiscrete(coupling))
        return FMATCH_OK;
    RETURN_IF_FAILED(stored_target_create(&t->stored, &t->plan, shape));
    t->pairs.stored = t->evaluation_pairs.stored = &t->stored.sides;
    const struct coupling_target target = stored_target_view(&t->stored);
    return coupling_prepare(coupling, &target);
}

/* All that takes memory or may fail otherwise. */
static fmatch_status hold_all(fmatch_trainer *t)
{
    const bool weighted =
        t->room.shape.weighted || (t->validation.source && t->validation.source->weighted);
    RETURN_IF_FAILED(hold_parameters(t));
    if (t->target)
        RETURN_IF_FAILED(mlp_model_judge_target(t->model, t->target));
    RETURN_IF_FAILED(hold_pairs(t));
    validation_plan(&t->validation, &t->evaluation);
    RETURN_IF_FAILED(trainer_reserve_rows(t, t->batch, weighted));
    return optimizer_bind(t->optimizer, t->network->layout.count);
}

/* Takes over settings and validation. */
static fmatch_status create(fmatch_trainer **trainer, fmatch_model *model,
                            fmatch_optimizer *optimizer, const fmatch_source *target,
                            const fmatch_trainer_config *config, struct settings *settings,
                            struct validation *validation)
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
    t->accumulate = config->accumulate;
    t->clip_norm = config->clip_norm;
    t->average_decay = config->average_decay;
    t->publish = config->publish;
    t->settings = *settings;
    t->validation = *validation;
    *settings = (struct settings){0};
    *validation = (struct validation){0};
    validation_state_begin(&t->training.validation);
    plan_batches(t, config);
    const fmatch_status status = hold_all(t);
    if (status != FMATCH_OK) {
        release(t);
        return status;
    }
    *trainer = t;
    return FMATCH_OK;
}

/* Columns as the model has them. */
static fmatch_status check_source(const char *name, const fmatch_source *source,
                                  const fmatch_model *model)
{
    if (!source)
        return FMATCH_OK;
    if (source->dim != model->dim)
        return status_fail(FMATCH_ERROR_SHAPE, "%s has %d columns; the model has %d", name,
                           (int)source->dim, (int)model->dim);
    if (model->condition.columns > 0 && source->condition_dim != model->condition.columns)
        return status_fail(FMATCH_ERROR_SHAPE,
                           "%s has conditions of %d columns; the model's have %d", name,
                           (int)source->condition_dim, (int)model->condition.columns);
    return FMATCH_OK;
}

static fmatch_status check_numbers(const fmatch_trainer_config *config)
{
    const struct interval unit = {.lowest = 0.0, .highest = 1.0};
    const struct interval decay = {.lowest = 0.0, .highest = 1.0, .open_above = true};
    const struct interval norm = {.lowest = 0.0, .highest = INFINITY};
    CHECK_RANGE("config->batch", config->batch, 1, BATCH_MAX);
    CHECK_RANGE("config->accumulate", config->accumulate, 1, 65536);
    CHECK_RANGE("config->publish", config->publish, FMATCH_PUBLISH_PRESENT, FMATCH_PUBLISH_BEST);
    RETURN_IF_FAILED(
        configuration_check_double("config->condition_dropout", config->condition_dropout, unit));
    RETURN_IF_FAILED(configuration_check_double("config->clip_norm", config->clip_norm, norm));
    return configuration_check_double("config->average_decay", config->average_decay, decay);
}

static fmatch_status check(const fmatch_model *model, const fmatch_source *target,
                           const fmatch_trainer_config *config, const struct settings *settings)
{
    const fmatch_source *held_out = config->validation ? config->validation->source : NULL;
    RETURN_IF_FAILED(check_numbers(config));
    if (config->publish == FMATCH_PUBLISH_AVERAGE && config->average_decay == 0.0)
        return status_fail(FMATCH_ERROR_ARGUMENT,
                           "config->average_decay is 0; it must be above 0 as config->publish is "
                           "FMATCH_PUBLISH_AVERAGE");
    if (config->publish == FMATCH_PUBLISH_BEST && !config->validation)
        return status_fail(
            FMATCH_ERROR_ARGUMENT,
            "config->validation is NULL; config->publish is FMATCH_PUBLISH_BEST, which needs it");
    if (config->validation && !target)
        return status_fail(FMATCH_ERROR_ARGUMENT,
                           "target is NULL; config->validation needs one, since it goes with run");
    if (held_out && settings->coupling && coupling_is_semidiscrete(settings->coupling))
        return status_fail(FMATCH_ERROR_UNSUPPORTED,
                           "validation->source is not NULL; a SEMIDISCRETE coupling goes to the "
                           "target's rows");
    RETURN_IF_FAILED(check_source("validation->source", held_out, model));
    return check_source("target", target, model);
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
    struct validation validation = {0};
    RETURN_IF_FAILED(settings_create(&settings, model, &given));
    status = validation_create(&validation, given.validation);
    if (status == FMATCH_OK)
        status = check(model, target, &given, &settings);
    if (status == FMATCH_OK)
        status = create(trainer, model, optimizer, target, &given, &settings, &validation);
    validation_destroy(&validation);
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

fmatch_status fmatch_trainer_get_info(const fmatch_trainer *trainer, fmatch_trainer_info *info)
{
    status_begin();
    CHECK_NOT_NULL(trainer);
    fmatch_trainer_info given;
    RETURN_IF_FAILED(configuration_read(&given, sizeof given, sizeof given, info, "info"));
    const struct training *t = &trainer->training;
    const struct history_step last = history_last(&t->history, t->steps);
    const fmatch_trainer_info answer = {
        .stopped = validation_has_stopped(&trainer->validation, &t->validation),
        .steps = t->steps,
        .rows = t->rows,
        .loss = last.loss,
        .learning_rate = t->steps > 0 ? last.learning_rate : trainer->optimizer->learning_rate,
        .gradient_norm = last.gradient_norm,
        .validation_loss = t->validation.loss,
        .best_loss = t->validation.best_step > 0 ? t->validation.best_loss : NAN,
        .best_step = t->validation.best_step};
    configuration_write(info, given.struct_size, &answer, sizeof answer);
    return FMATCH_OK;
}

fmatch_status fmatch_trainer_save_history(const fmatch_trainer *trainer, const char *path,
                                          int32_t format)
{
    status_begin();
    CHECK_NOT_NULL(trainer);
    CHECK_NOT_NULL(path);
    CHECK_RANGE("format", format, FMATCH_HISTORY_CSV, FMATCH_HISTORY_JSON);
    return history_save(&trainer->training.history, trainer->training.steps, path, format);
}
