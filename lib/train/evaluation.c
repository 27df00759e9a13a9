#include "train/evaluation.h"

#include "base/status.h"

#include <math.h>

fmatch_status evaluation_run(fmatch_trainer *trainer, const struct batch_plan *plan,
                             bool all_together, int64_t n, double *loss)
{
    struct batch_origin origin = {.plan = plan};
    double sum = 0.0, weights = 0.0;
    pairs_forget(&trainer->evaluation_pairs);
    for (; origin.first_row < n; origin.first_row += trainer->batch) {
        const int64_t rest = n - origin.first_row;
        const int64_t rows = rest < trainer->batch ? rest : trainer->batch;
        origin.rows = rows;
        origin.together = all_together ? (struct time_batch){.rows = n}
                                       : (struct time_batch){origin.first_row, rows};
        struct batch_loss some;
        RETURN_IF_FAILED(gradient_evaluate(&trainer->gradient,
                                           training_evaluated(&trainer->training), &trainer->room,
                                           &origin, rows, &some));
        sum += some.mean * some.weights;
        weights += some.weights;
    }
    *loss = weights > 0.0 ? sum / weights : sum;
    return FMATCH_OK;
}

static fmatch_status evaluate(fmatch_trainer *trainer, uint64_t seed, int64_t n, double *loss)
{
    CHECK_RANGE("n", n, 1, SOURCE_ROWS_MAX / 2);
    CHECK_NOT_NULL(loss);
    if (!trainer->target)
        return status_fail(FMATCH_ERROR_STATE, "the trainer was created without a target");
    trainer->evaluation.seed = seed;
    double seen;
    RETURN_IF_FAILED(evaluation_run(trainer, &trainer->evaluation, false, n, &seen));
    if (!isfinite(seen))
        return status_fail(FMATCH_ERROR_NOT_FINITE, "loss is %s", NUMBER(seen));
    *loss = seen;
    return FMATCH_OK;
}

fmatch_status fmatch_trainer_evaluate(fmatch_trainer *trainer, uint64_t seed, int64_t n,
                                      double *loss)
{
    status_begin();
    CHECK_NOT_NULL(trainer);
    enum activity before = IDLE;
    RETURN_IF_FAILED(trainer_enter(trainer, REPORTING, &before));
    return trainer_leave(trainer, before, evaluate(trainer, seed, n, loss));
}
