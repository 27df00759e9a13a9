/* Steps on drawn rows. */
#include "base/log.h"
#include "base/status.h"
#include "train/reporter.h"
#include "train/step.h"

static bool has_stopped(const fmatch_trainer *trainer)
{
    return validation_has_stopped(&trainer->validation, &trainer->training.validation);
}

static fmatch_status run_step(fmatch_trainer *trainer, bool more, struct history_step *step)
{
    const fmatch_status status = step_take(trainer, NULL, more, step);
    if (status != FMATCH_OK)
        status_prefix("step %lld: ", (long long)trainer->training.steps + 1);
    return status;
}

static fmatch_status run_steps(fmatch_trainer *trainer, int64_t steps, struct reporter *reporter)
{
    for (int64_t i = 1; i <= steps && !has_stopped(trainer); i++) {
        struct history_step step;
        RETURN_IF_FAILED(step_reserve(trainer, steps - i + 1));
        RETURN_IF_FAILED(run_step(trainer, i < steps, &step));
        RETURN_IF_FAILED(validation_run(trainer));
        const bool last = i == steps || has_stopped(trainer);
        RETURN_IF_FAILED(reporter_step(reporter, trainer, i, last, &step));
    }
    return FMATCH_OK;
}

/* First what a call that failed has left to do. */
static fmatch_status train(fmatch_trainer *trainer, int64_t steps, struct reporter *reporter)
{
    RETURN_IF_FAILED(validation_run(trainer));
    return run_steps(trainer, steps, reporter);
}

/* Steps that change nothing are seldom meant. */
static void judge_steps(const fmatch_trainer *trainer, int64_t steps)
{
    const int64_t end = rate_end(&trainer->settings.rate), last = trainer->training.steps + steps;
    if (last > end)
        log_write(&trainer->model->context->log, FMATCH_LOG_WARNING,
                  "the learning rate is 0 from step %lld on, where its schedule ends, and the run "
                  "goes to step %lld; set the trainer's steps to those of the whole training",
                  (long long)end, (long long)last);
}

static fmatch_status run(fmatch_trainer *trainer, int64_t steps, const fmatch_progress *progress)
{
    const int64_t rows = (int64_t)trainer->batch * trainer->accumulate;
    CHECK_RANGE("steps", steps, 0, (SOURCE_ROWS_MAX - trainer->training.rows) / rows);
    if (!trainer->target)
        return status_fail(FMATCH_ERROR_STATE, "the trainer was created without a target");
    struct reporter reporter;
    RETURN_IF_FAILED(reporter_begin(&reporter, progress, steps));
    if (steps == 0)
        return FMATCH_OK;
    judge_steps(trainer, steps);
    RETURN_IF_FAILED(step_reserve(trainer, steps));
    RETURN_IF_FAILED(parameter_store_reserve(&trainer->model->store));

    const struct training *t = &trainer->training;
    const int64_t before = t->steps, validated = t->validation.step;
    const fmatch_status status = train(trainer, steps, &reporter);
    if (t->steps > before || t->validation.step > validated)
        RETURN_IF_FAILED(step_publish(trainer));
    return status;
}

fmatch_status fmatch_trainer_run(fmatch_trainer *trainer, int64_t steps,
                                 const fmatch_progress *progress)
{
    status_begin();
    CHECK_NOT_NULL(trainer);
    enum activity before = IDLE;
    RETURN_IF_FAILED(trainer_enter(trainer, IDLE, &before));
    return trainer_leave(trainer, before, run(trainer, steps, progress));
}
