#include "train/validation.h"

#include "base/configuration.h"
#include "base/status.h"
#include "train/evaluation.h"

#include <math.h>
#include <string.h>

void fmatch_validation_config_init_sized(fmatch_validation_config *config, size_t size)
{
    const fmatch_validation_config recommended = {.patience = 10, .rows = 1024, .every = 250};
    configuration_write(config, size, &recommended, sizeof recommended);
}

fmatch_status validation_create(struct validation *validation,
                                const fmatch_validation_config *config)
{
    *validation = (struct validation){0};
    fmatch_validation_config given = {0};
    if (!config)
        return FMATCH_OK;
    RETURN_IF_FAILED(configuration_read(&given, sizeof given, sizeof given, config, "validation"));
    CHECK_RANGE("validation->patience", given.patience, 0, INT32_MAX);
    CHECK_RANGE("validation->rows", given.rows, 1, BATCH_MAX);
    CHECK_RANGE("validation->every", given.every, 1, INT64_MAX);
    validation->config = given;
    validation->source = given.source ? source_retain(given.source) : NULL;
    return FMATCH_OK;
}

void validation_destroy(struct validation *validation)
{
    source_release(validation->source);
    *validation = (struct validation){0};
}

void validation_plan(struct validation *v, const struct batch_plan *evaluation)
{
    v->times = *evaluation->times;
    v->times.config.stratified = v->times.config.kind != FMATCH_TIME_CALLBACK;
    v->plan = *evaluation;
    v->plan.times = &v->times;
    v->plan.seed = v->config.seed;
    if (v->source)
        v->plan.target = v->source;
}

void validation_state_begin(struct validation_state *state)
{
    *state = (struct validation_state){.loss = NAN, .best_loss = INFINITY};
}

/* A loss that is not finite is never the least. */
static void record(fmatch_trainer *trainer, double loss)
{
    struct training *training = &trainer->training;
    struct validation_state *state = &training->validation;
    state->step = training->steps;
    state->loss = loss;
    state->waited++;
    if (loss < state->best_loss) {
        state->best_step = training->steps;
        state->best_loss = loss;
        state->waited = 0;
        memcpy(training->best, training_evaluated(training),
               (size_t)trainer->network->layout.count * sizeof *training->best);
    }
    history_record_validation(&training->history, training->steps, loss);
}

static fmatch_status validate(fmatch_trainer *trainer)
{
    const struct validation *v = &trainer->validation;
    double loss;
    RETURN_IF_FAILED(
        history_reserve_validation(&trainer->training.history, trainer_allocator(trainer)));
    RETURN_IF_FAILED(evaluation_run(trainer, &v->plan, true, v->config.rows, &loss));
    record(trainer, loss);
    return FMATCH_OK;
}

fmatch_status validation_run(fmatch_trainer *trainer)
{
    const int64_t steps = trainer->training.steps, every = trainer->validation.config.every;
    if (every == 0 || steps == 0 || steps % every != 0 ||
        trainer->training.validation.step == steps)
        return FMATCH_OK;
    const fmatch_status status = validate(trainer);
    if (status != FMATCH_OK)
        status_prefix("validation after step %lld: ", (long long)steps);
    return status;
}

bool validation_has_stopped(const struct validation *validation,
                            const struct validation_state *state)
{
    return validation->config.patience > 0 && state->waited >= validation->config.patience;
}
