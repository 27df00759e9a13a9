/* The trainer handle: draws batches, fits its own copy of the parameters, and publishes it to the
 * model. */
#include <flowmatch/trainer.h>

#include "base/configuration.h"
#include "base/finite.h"
#include "base/status.h"
#include "model/mlp_model.h"
#include "train/batch.h"
#include "train/gradient.h"
#include "train/optimizer.h"
#include "train/pairs.h"
#include "train/settings.h"
#include "train/stored_target.h"

#include <math.h>
#include <string.h>
#include <time.h>

enum { BATCH_MAX = 1 << 24, REPORTS = 100, LOSSES_AHEAD = 65536, LOSSES_FIRST = 8192 };

/* What a trainer is doing, which decides what a callback may ask of it. */
enum activity { IDLE, REPORTING, WORKING };

struct fmatch_trainer {
    struct reference_count references;
    enum activity activity;
    fmatch_model *model;
    const struct mlp *network;
    fmatch_optimizer *optimizer;
    fmatch_source *target; /* or NULL */
    int32_t batch;
    struct settings settings;
    struct batch_plan plan, evaluation;
    struct pairs pairs, evaluation_pairs;
    struct stored_target stored; /* of a semidiscrete coupling */

    int64_t steps; /* taken */
    int64_t rows;  /* of the streams of noise, data and times that these steps used up */
    double *losses;
    int64_t losses_capacity;

    float *parameters;        /* [count] */
    struct gradient gradient; /* of a batch */
    bool has_gradient;
    struct batch room;
};

/* ---- memory ---- */

static void release(fmatch_trainer *trainer);

/* Around every call that runs callbacks: a callback may enter again only between steps, and only to
 * evaluate; one that destroys the trainer only gives the handle up. `most` is the most that the
 * trainer may be doing. */
static fmatch_status enter(fmatch_trainer *trainer, enum activity most, enum activity *before)
{
    if (trainer->activity > most)
        return status_fail(FMATCH_ERROR_STATE,
                           "the trainer is in a call already, which a callback cannot enter again");
    *before = trainer->activity;
    trainer->activity = WORKING;
    reference_count_retain(&trainer->references);
    return FMATCH_OK;
}

static fmatch_status leave(fmatch_trainer *trainer, enum activity before, fmatch_status status)
{
    trainer->activity = before;
    release(trainer);
    return status;
}

static const fmatch_allocator *allocator_of(const fmatch_trainer *trainer)
{
    return &trainer->model->context->allocator;
}

static fmatch_status reserve_rows(fmatch_trainer *trainer, int64_t rows, bool weighted)
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
    const fmatch_status status = batch_create(&room, allocator_of(trainer), &shape, most);
    if (status != FMATCH_OK) {
        gradient_destroy(&gradient);
        return status;
    }
    gradient_destroy(&trainer->gradient);
    batch_destroy(&trainer->room, allocator_of(trainer));
    trainer->gradient = gradient;
    trainer->room = room;
    trainer->has_gradient = false;
    return FMATCH_OK;
}

/* Room for some steps ahead; begins with a few thousand and at least doubles, so that steps seldom
 * allocate. */
static fmatch_status reserve_losses(fmatch_trainer *trainer, int64_t steps)
{
    const int64_t needed = trainer->steps + (steps < LOSSES_AHEAD ? steps : LOSSES_AHEAD);
    if (needed <= trainer->losses_capacity)
        return FMATCH_OK;
    const int64_t doubled = 2 * trainer->losses_capacity;
    const int64_t least = doubled > LOSSES_FIRST ? doubled : LOSSES_FIRST;
    const int64_t capacity = needed > least ? needed : least;
    double *losses = allocation_create(allocator_of(trainer), capacity, sizeof *losses);
    if (!losses)
        return status_no_memory((size_t)capacity * sizeof *losses);
    if (trainer->steps > 0)
        memcpy(losses, trainer->losses, (size_t)trainer->steps * sizeof *losses);
    allocation_destroy(allocator_of(trainer), trainer->losses);
    trainer->losses = losses;
    trainer->losses_capacity = capacity;
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

static void release(fmatch_trainer *trainer)
{
    if (!trainer || !reference_count_release(&trainer->references))
        return;
    fmatch_model *model = trainer->model;
    const fmatch_allocator *allocator = allocator_of(trainer);
    gradient_destroy(&trainer->gradient);
    batch_destroy(&trainer->room, allocator);
    pairs_destroy(&trainer->pairs, allocator);
    pairs_destroy(&trainer->evaluation_pairs, allocator);
    stored_target_destroy(&trainer->stored, allocator);
    settings_destroy(&trainer->settings, allocator);
    allocation_destroy(allocator, trainer->parameters);
    allocation_destroy(allocator, trainer->losses);
    source_release(trainer->target);
    optimizer_release(trainer->optimizer);
    allocation_destroy(allocator, trainer);
    model_release(model);
}

static fmatch_status hold_parameters(fmatch_trainer *trainer)
{
    const int64_t count = trainer->network->layout.count;
    trainer->parameters =
        allocation_create(allocator_of(trainer), count, sizeof *trainer->parameters);
    if (!trainer->parameters)
        return status_no_memory((size_t)count * sizeof *trainer->parameters);

    struct model_view view = {.model = trainer->model};
    model_view_begin(&view);
    memcpy(trainer->parameters, view.snapshot->values, (size_t)count * sizeof(float));
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
    RETURN_IF_FAILED(pairs_create(&t->pairs, coupling, allocator_of(t), shape, rows));
    t->plan.pairs = &t->pairs;
    RETURN_IF_FAILED(pairs_create(&t->evaluation_pairs, coupling, allocator_of(t), shape, rows));
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
    if (status == FMATCH_OK && target)
        status = mlp_model_judge_target(model, target);
    if (status == FMATCH_OK)
        status = hold_pairs(t);
    if (status == FMATCH_OK)
        status = reserve_rows(t, t->batch, t->room.shape.weighted);
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

/* ---- steps ---- */

static void couple_ahead(void *user)
{
    fmatch_trainer *trainer = user;
    pairs_couple_ahead(&trainer->pairs, &trainer->plan);
}

/* While a step runs, another thread may pair the rows of the next one. */
static bool has_work_ahead(fmatch_trainer *trainer, bool more)
{
    return more && trainer->plan.pairs && context_is_parallel(trainer->model->context) &&
           pairs_plan_ahead(&trainer->pairs, &trainer->plan, trainer->rows + trainer->batch);
}

/* Loss and gradient of n rows, drawn or given; `more` of the drawn ones will follow. */
static fmatch_status differentiate(fmatch_trainer *trainer, const fmatch_batch *given, int64_t n,
                                   bool more, double *loss)
{
    const struct gradient_aside ahead = {.run = couple_ahead, .user = trainer};
    const struct batch_origin origin = {
        .plan = &trainer->plan, .given = given, .first_row = trainer->rows, .rows = n};
    trainer->has_gradient = false;
    if (!given && trainer->plan.pairs)
        RETURN_IF_FAILED(pairs_prepare(&trainer->pairs, &trainer->plan, trainer->rows, n));
    RETURN_IF_FAILED(gradient_run(&trainer->gradient, trainer->parameters, &trainer->room, &origin,
                                  n, has_work_ahead(trainer, more) ? &ahead : NULL, loss));
    if (!isfinite(*loss))
        return status_fail(FMATCH_ERROR_NOT_FINITE,
                           "loss is %s; a smaller learning rate or standardised data may help",
                           NUMBER(*loss));
    if (!finite_all(trainer->network->layout.count, gradient_result(&trainer->gradient)))
        return status_fail(FMATCH_ERROR_NOT_FINITE,
                           "the gradient is not finite while the loss is %s", NUMBER(*loss));
    trainer->has_gradient = true;
    return FMATCH_OK;
}

/* Parameters and counters change only if all of it is finite. */
static fmatch_status take_step(fmatch_trainer *trainer, const fmatch_batch *given, int64_t n,
                               bool more, double *loss)
{
    RETURN_IF_FAILED(differentiate(trainer, given, n, more, loss));
    if (!optimizer_step(trainer->optimizer, gradient_result(&trainer->gradient),
                        trainer->parameters))
        return status_fail(
            FMATCH_ERROR_NOT_FINITE,
            "a parameter or the optimizer's state would not be finite after the step, at "
            "learning rate %s",
            NUMBER(trainer->optimizer->learning_rate));
    trainer->losses[trainer->steps++] = *loss;
    trainer->rows += n;
    return FMATCH_OK;
}

static fmatch_status publish(const fmatch_trainer *trainer)
{
    return parameter_store_publish(&trainer->model->store, 0, trainer->network->layout.count,
                                   trainer->parameters);
}

/* ---- run ---- */

static double seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* Reports of one run. */
struct reporter {
    fmatch_progress progress; /* its report is NULL when nobody listens */
    int64_t steps, every;
    double began;
    double loss_sum;
    int64_t losses;
};

static fmatch_status reporter_begin(struct reporter *r, const fmatch_progress *progress,
                                    int64_t steps)
{
    *r = (struct reporter){.steps = steps, .began = seconds_now()};
    if (!progress)
        return FMATCH_OK;
    fmatch_progress given;
    RETURN_IF_FAILED(configuration_read(&given, sizeof given, sizeof given, progress, "progress"));
    RETURN_IF_FAILED(configuration_check_flags("progress->flags", given.flags));
    CHECK_RANGE("progress->every", given.every, 0, INT64_MAX);
    if (!given.report)
        return status_fail(FMATCH_ERROR_ARGUMENT, "progress->report is NULL");
    r->progress = given;
    r->every = given.every > 0 ? given.every : (steps + REPORTS - 1) / REPORTS;
    return FMATCH_OK;
}

static fmatch_status reporter_step(struct reporter *r, fmatch_trainer *trainer, int64_t step,
                                   double loss)
{
    if (!r->progress.report)
        return FMATCH_OK;
    r->loss_sum += loss;
    r->losses++;
    if (step % r->every != 0 && step != r->steps)
        return FMATCH_OK;
    const fmatch_progress_info info = {.struct_size = sizeof info,
                                       .step = step,
                                       .steps = r->steps,
                                       .loss = r->loss_sum / (double)r->losses,
                                       .learning_rate = trainer->optimizer->learning_rate,
                                       .seconds = seconds_now() - r->began};
    r->loss_sum = 0.0;
    r->losses = 0;
    struct status_kept kept;
    status_keep(&kept);
    trainer->activity = REPORTING;
    const int32_t answer = r->progress.report(r->progress.user, &info);
    trainer->activity = WORKING;
    status_restore(&kept);
    if (answer > 0)
        return status_fail(FMATCH_ERROR_CANCELLED, "cancelled at step %lld of %lld",
                           (long long)step, (long long)r->steps);
    return status_of_callback("report", answer);
}

static fmatch_status run_step(fmatch_trainer *trainer, bool more, double *loss)
{
    const fmatch_status status = take_step(trainer, NULL, trainer->batch, more, loss);
    if (status != FMATCH_OK)
        status_prefix("step %lld: ", (long long)trainer->steps + 1);
    return status;
}

static fmatch_status run_steps(fmatch_trainer *trainer, int64_t steps, struct reporter *reporter)
{
    for (int64_t i = 1; i <= steps; i++) {
        double loss;
        RETURN_IF_FAILED(reserve_losses(trainer, steps - i + 1));
        RETURN_IF_FAILED(run_step(trainer, i < steps, &loss));
        RETURN_IF_FAILED(reporter_step(reporter, trainer, i, loss));
    }
    return FMATCH_OK;
}

static fmatch_status run(fmatch_trainer *trainer, int64_t steps, const fmatch_progress *progress)
{
    CHECK_RANGE("steps", steps, 0, (SOURCE_ROWS_MAX - trainer->rows) / trainer->batch);
    if (!trainer->target)
        return status_fail(FMATCH_ERROR_STATE, "the trainer was created without a target");
    struct reporter reporter;
    RETURN_IF_FAILED(reporter_begin(&reporter, progress, steps));
    if (steps == 0)
        return FMATCH_OK;
    RETURN_IF_FAILED(reserve_losses(trainer, steps));
    RETURN_IF_FAILED(parameter_store_reserve(&trainer->model->store));

    const int64_t before = trainer->steps;
    const fmatch_status status = run_steps(trainer, steps, &reporter);
    if (trainer->steps > before)
        RETURN_IF_FAILED(publish(trainer));
    return status;
}

fmatch_status fmatch_trainer_run(fmatch_trainer *trainer, int64_t steps,
                                 const fmatch_progress *progress)
{
    status_begin();
    CHECK_NOT_NULL(trainer);
    enum activity before = IDLE;
    RETURN_IF_FAILED(enter(trainer, IDLE, &before));
    return leave(trainer, before, run(trainer, steps, progress));
}

/* ---- the caller's own rows ---- */

static fmatch_status read_batch(fmatch_trainer *trainer, const fmatch_batch *batch,
                                fmatch_batch *given)
{
    const int32_t dim = trainer->model->dim;
    RETURN_IF_FAILED(configuration_read(given, sizeof *given, sizeof *given, batch, "batch"));
    RETURN_IF_FAILED(configuration_check_flags("batch->flags", given->flags));
    CHECK_RANGE("batch->n", given->n, 1, BATCH_MAX);
    if (!given->target)
        return status_fail(FMATCH_ERROR_ARGUMENT, "batch->target is NULL");
    RETURN_IF_FAILED(status_check_finite("batch->target", 0, given->n, dim, given->target));
    RETURN_IF_FAILED(condition_check(&trainer->model->condition, "batch->condition", given->n,
                                     given->condition));
    if (given->weight)
        RETURN_IF_FAILED(source_check_weights("batch->weight", given->n, given->weight));
    if (given->noise)
        RETURN_IF_FAILED(status_check_finite("batch->noise", 0, given->n, dim, given->noise));
    const bool open = path_is_open(trainer->model->path);
    for (int64_t i = 0; given->t && i < given->n; i++) {
        const float t = given->t[i];
        if (open ? !(t > 0 && t < 1) : !(t >= 0 && t <= 1))
            return status_fail(FMATCH_ERROR_ARGUMENT, "batch->t[%lld] is %s; it must be in %s",
                               (long long)i, NUMBER(t), open ? "(0, 1)" : "[0, 1]");
    }
    return FMATCH_OK;
}

static fmatch_status run_batch(fmatch_trainer *trainer, const fmatch_batch *batch, double *loss)
{
    fmatch_batch given;
    RETURN_IF_FAILED(read_batch(trainer, batch, &given));
    RETURN_IF_FAILED(reserve_losses(trainer, 1));
    RETURN_IF_FAILED(parameter_store_reserve(&trainer->model->store));
    RETURN_IF_FAILED(reserve_rows(trainer, given.n, given.weight != NULL));
    RETURN_IF_FAILED(take_step(trainer, &given, given.n, false, loss));
    return publish(trainer);
}

static fmatch_status evaluate_batch(fmatch_trainer *trainer, const fmatch_batch *batch,
                                    double *loss)
{
    fmatch_batch given;
    RETURN_IF_FAILED(read_batch(trainer, batch, &given));
    RETURN_IF_FAILED(reserve_rows(trainer, given.n, given.weight != NULL));
    return differentiate(trainer, &given, given.n, false, loss);
}

fmatch_status fmatch_trainer_run_batch(fmatch_trainer *trainer, const fmatch_batch *batch,
                                       double *loss)
{
    status_begin();
    CHECK_NOT_NULL(trainer);
    enum activity before = IDLE;
    RETURN_IF_FAILED(enter(trainer, IDLE, &before));
    double unused;
    return leave(trainer, before, run_batch(trainer, batch, loss ? loss : &unused));
}

fmatch_status fmatch_trainer_evaluate_batch(fmatch_trainer *trainer, const fmatch_batch *batch,
                                            double *loss)
{
    status_begin();
    CHECK_NOT_NULL(trainer);
    enum activity before = IDLE;
    RETURN_IF_FAILED(enter(trainer, REPORTING, &before));
    double unused;
    return leave(trainer, before, evaluate_batch(trainer, batch, loss ? loss : &unused));
}

fmatch_status fmatch_trainer_get_gradient(const fmatch_trainer *trainer, const char *name,
                                          int64_t count, float *values)
{
    status_begin();
    CHECK_NOT_NULL(trainer);
    CHECK_NOT_NULL(name);
    CHECK_NOT_NULL(values);
    if (!trainer->has_gradient)
        return status_fail(FMATCH_ERROR_STATE, "no batch was run or evaluated so far");
    const struct tensor *tensor;
    RETURN_IF_FAILED(parameter_layout_find(&trainer->network->layout, name, count, &tensor));
    memcpy(values, gradient_result(&trainer->gradient) + tensor->offset,
           (size_t)count * sizeof *values);
    return FMATCH_OK;
}

/* ---- what was learned ---- */

static fmatch_status evaluate(fmatch_trainer *trainer, uint64_t seed, int64_t n, double *loss)
{
    CHECK_RANGE("n", n, 1, SOURCE_ROWS_MAX / 2);
    CHECK_NOT_NULL(loss);
    if (!trainer->target)
        return status_fail(FMATCH_ERROR_STATE, "the trainer was created without a target");

    trainer->evaluation.seed = seed;
    pairs_forget(&trainer->evaluation_pairs);
    struct batch_origin origin = {.plan = &trainer->evaluation};
    double sum = 0.0;
    for (; origin.first_row < n; origin.first_row += trainer->batch) {
        const int64_t rest = n - origin.first_row;
        const int64_t rows = rest < trainer->batch ? rest : trainer->batch;
        origin.rows = rows;
        double mean;
        RETURN_IF_FAILED(gradient_evaluate(&trainer->gradient, trainer->parameters, &trainer->room,
                                           &origin, rows, &mean));
        sum += mean * (double)rows;
    }
    if (!isfinite(sum))
        return status_fail(FMATCH_ERROR_NOT_FINITE, "loss is %s", NUMBER(sum / (double)n));
    *loss = sum / (double)n;
    return FMATCH_OK;
}

fmatch_status fmatch_trainer_evaluate(fmatch_trainer *trainer, uint64_t seed, int64_t n,
                                      double *loss)
{
    status_begin();
    CHECK_NOT_NULL(trainer);
    enum activity before = IDLE;
    RETURN_IF_FAILED(enter(trainer, REPORTING, &before));
    return leave(trainer, before, evaluate(trainer, seed, n, loss));
}

int64_t fmatch_trainer_count_steps(const fmatch_trainer *trainer)
{
    return trainer ? trainer->steps : 0;
}

fmatch_status fmatch_trainer_get_losses(const fmatch_trainer *trainer, int64_t first, int64_t n,
                                        double *losses)
{
    status_begin();
    CHECK_NOT_NULL(trainer);
    CHECK_RANGE("n", n, 0, trainer->steps);
    CHECK_RANGE("first", first, 0, trainer->steps - n);
    if (n == 0)
        return FMATCH_OK;
    CHECK_NOT_NULL(losses);
    memcpy(losses, trainer->losses + first, (size_t)n * sizeof *losses);
    return FMATCH_OK;
}
