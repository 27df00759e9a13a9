/* Steps on drawn rows. */
#include "base/status.h"
#include "train/reporter.h"
#include "train/step.h"

static fmatch_status run_step(fmatch_trainer *trainer, bool more, double *loss)
{
    const fmatch_status status = step_take(trainer, NULL, trainer->batch, more, loss);
    if (status != FMATCH_OK)
        status_prefix("step %lld: ", (long long)trainer->training.steps + 1);
    return status;
}

static fmatch_status run_steps(fmatch_trainer *trainer, int64_t steps, struct reporter *reporter)
{
    for (int64_t i = 1; i <= steps; i++) {
        double loss;
        RETURN_IF_FAILED(step_reserve(trainer, steps - i + 1));
        RETURN_IF_FAILED(run_step(trainer, i < steps, &loss));
        RETURN_IF_FAILED(reporter_step(reporter, trainer, i, loss));
    }
    return FMATCH_OK;
}

static fmatch_status run(fmatch_trainer *trainer, int64_t steps, const fmatch_progress *progress)
{
    CHECK_RANGE("steps", steps, 0, (SOURCE_ROWS_MAX - trainer->training.rows) / trainer->batch);
    if (!trainer->target)
        return status_fail(FMATCH_ERROR_STATE, "the trainer was created without a target");
    struct reporter reporter;
    RETURN_IF_FAILED(reporter_begin(&reporter, progress, steps));
    if (steps == 0)
        return FMATCH_OK;
    RETURN_IF_FAILED(step_reserve(trainer, steps));
    RETURN_IF_FAILED(parameter_store_reserve(&trainer->model->store));

    const int64_t before = trainer->training.steps;
    const fmatch_status status = run_steps(trainer, steps, &reporter);
    if (trainer->training.steps > before)
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
