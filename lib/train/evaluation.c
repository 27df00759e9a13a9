/* The loss on fixed draws, from which nothing is learned. */
#include "base/status.h"
#include "train/trainer.h"

#include <math.h>

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
        RETURN_IF_FAILED(gradient_evaluate(&trainer->gradient, trainer->training.parameters,
                                           &trainer->room, &origin, rows, &mean));
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
    RETURN_IF_FAILED(trainer_enter(trainer, REPORTING, &before));
    return trainer_leave(trainer, before, evaluate(trainer, seed, n, loss));
}
