/* Steps on the caller's own rows. */
#include "base/configuration.h"
#include "base/status.h"
#include "train/step.h"

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
    RETURN_IF_FAILED(step_reserve(trainer, 1));
    RETURN_IF_FAILED(parameter_store_reserve(&trainer->model->store));
    RETURN_IF_FAILED(trainer_reserve_rows(trainer, given.n, given.weight != NULL));
    struct history_step step;
    RETURN_IF_FAILED(step_take(trainer, &given, false, &step));
    *loss = step.loss;
    return step_publish(trainer);
}

static fmatch_status evaluate_batch(fmatch_trainer *trainer, const fmatch_batch *batch,
                                    double *loss)
{
    fmatch_batch given;
    RETURN_IF_FAILED(read_batch(trainer, batch, &given));
    RETURN_IF_FAILED(trainer_reserve_rows(trainer, given.n, given.weight != NULL));
    struct history_step step;
    RETURN_IF_FAILED(step_differentiate(trainer, &given, false, &step));
    *loss = step.loss;
    return FMATCH_OK;
}

fmatch_status fmatch_trainer_run_batch(fmatch_trainer *trainer, const fmatch_batch *batch,
                                       double *loss)
{
    status_begin();
    CHECK_NOT_NULL(trainer);
    enum activity before = IDLE;
    RETURN_IF_FAILED(trainer_enter(trainer, IDLE, &before));
    double unused;
    return trainer_leave(trainer, before, run_batch(trainer, batch, loss ? loss : &unused));
}

fmatch_status fmatch_trainer_evaluate_batch(fmatch_trainer *trainer, const fmatch_batch *batch,
                                            double *loss)
{
    status_begin();
    CHECK_NOT_NULL(trainer);
    enum activity before = IDLE;
    RETURN_IF_FAILED(trainer_enter(trainer, REPORTING, &before));
    double unused;
    return trainer_leave(trainer, before, evaluate_batch(trainer, batch, loss ? loss : &unused));
}
