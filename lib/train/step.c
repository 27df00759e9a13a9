#include "train/step.h"

#include "base/finite.h"
#include "base/status.h"

#include <math.h>

static void couple_ahead(void *user)
{
    fmatch_trainer *trainer = user;
    pairs_couple_ahead(&trainer->pairs, &trainer->plan);
}

/* While a step runs, another thread may pair the rows of the next one. */
static bool has_work_ahead(fmatch_trainer *trainer, bool more)
{
    return more && trainer->plan.pairs && context_is_parallel(trainer->model->context) &&
           pairs_plan_ahead(&trainer->pairs, &trainer->plan,
                            trainer->training.rows + trainer->batch);
}

fmatch_status step_differentiate(fmatch_trainer *trainer, const fmatch_batch *given, int64_t n,
                                 bool more, double *loss)
{
    const struct gradient_aside ahead = {.run = couple_ahead, .user = trainer};
    const struct batch_origin origin = {
        .plan = &trainer->plan, .given = given, .first_row = trainer->training.rows, .rows = n};
    trainer->last_gradient = NULL;
    if (!given && trainer->plan.pairs)
        RETURN_IF_FAILED(pairs_prepare(&trainer->pairs, &trainer->plan, trainer->training.rows, n));
    RETURN_IF_FAILED(gradient_run(&trainer->gradient, trainer->training.parameters, &trainer->room,
                                  &origin, n, has_work_ahead(trainer, more) ? &ahead : NULL, loss));
    if (!isfinite(*loss))
        return status_fail(FMATCH_ERROR_NOT_FINITE,
                           "loss is %s; a smaller learning rate or standardised data may help",
                           NUMBER(*loss));
    if (!finite_all(trainer->network->layout.count, gradient_result(&trainer->gradient)))
        return status_fail(FMATCH_ERROR_NOT_FINITE,
                           "the gradient is not finite while the loss is %s", NUMBER(*loss));
    trainer->last_gradient = gradient_result(&trainer->gradient);
    return FMATCH_OK;
}

fmatch_status step_take(fmatch_trainer *trainer, const fmatch_batch *given, int64_t n, bool more,
                        double *loss)
{
    RETURN_IF_FAILED(step_differentiate(trainer, given, n, more, loss));
    if (!optimizer_step(trainer->optimizer, gradient_result(&trainer->gradient),
                        trainer->training.parameters))
        return status_fail(
            FMATCH_ERROR_NOT_FINITE,
            "a parameter or the optimizer's state would not be finite after the step, at "
            "learning rate %s",
            NUMBER(trainer->optimizer->learning_rate));
    trainer->training.history.column[HISTORY_LOSS][trainer->training.steps++] = *loss;
    trainer->training.rows += n;
    return FMATCH_OK;
}

fmatch_status step_reserve(fmatch_trainer *trainer, int64_t steps)
{
    struct training *training = &trainer->training;
    return history_reserve(&training->history, trainer_allocator(trainer), training->steps, steps);
}

fmatch_status step_publish(const fmatch_trainer *trainer)
{
    return parameter_store_publish(&trainer->model->store, 0, trainer->network->layout.count,
                                   trainer->training.parameters);
}
