#include "train/step.h"

#include "base/status.h"
#include "train/average.h"
#include "train/clipping.h"

#include <math.h>
#include <string.h>

/* ---- the gradient ---- */

static void couple_ahead(void *user)
{
    fmatch_trainer *trainer = user;
    pairs_couple_ahead(&trainer->pairs, &trainer->plan);
}

/* While a batch is worked on, another thread may pair the rows of the next one. */
static bool has_work_ahead(fmatch_trainer *trainer, int64_t first_row, bool more)
{
    return more && trainer->plan.pairs && context_is_parallel(trainer->model->context) &&
           pairs_plan_ahead(&trainer->pairs, &trainer->plan, first_row);
}

static fmatch_status differentiate_batch(fmatch_trainer *trainer, const struct batch_origin *origin,
                                         bool more, struct batch_loss *loss)
{
    const struct gradient_aside aside = {.run = couple_ahead, .user = trainer};
    const int64_t n = origin->rows;
    if (!origin->given && trainer->plan.pairs)
        RETURN_IF_FAILED(pairs_prepare(&trainer->pairs, &trainer->plan, origin->first_row, n));
    const bool ahead = has_work_ahead(trainer, origin->first_row + n, more);
    RETURN_IF_FAILED(gradient_run(&trainer->gradient, trainer->training.parameters, &trainer->room,
                                  origin, n, ahead ? &aside : NULL, loss));
    if (!isfinite(loss->mean))
        return status_fail(FMATCH_ERROR_NOT_FINITE,
                           "loss is %s; a smaller learning rate or standardised data may help",
                           NUMBER(loss->mean));
    return FMATCH_OK;
}

/* Takes one batch more into the mean over rows of loss and gradient. */
static void add_batch(fmatch_trainer *trainer, const struct batch_loss *batch, bool first,
                      struct batch_loss *mean)
{
    const int64_t count = trainer->network->layout.count;
    const float *gradient = gradient_result(&trainer->gradient);
    mean->weights += batch->weights;
    const double share = mean->weights > 0.0 ? batch->weights / mean->weights : 0.0;
    mean->mean = first ? batch->mean : mean->mean + share * (batch->mean - mean->mean);
    if (first)
        memcpy(trainer->mean_gradient, gradient, (size_t)count * sizeof *gradient);
    else
        average_take(trainer->model->context, count, share, gradient, trainer->mean_gradient);
}

static fmatch_status differentiate_batches(fmatch_trainer *trainer, bool more,
                                           struct batch_loss *mean)
{
    const int64_t n = trainer->batch, first_row = trainer->training.rows;
    const struct time_batch all = {.first_row = first_row, .rows = trainer->accumulate * n};
    for (int32_t i = 0; i < trainer->accumulate; i++) {
        const struct batch_origin origin = {
            .plan = &trainer->plan, .first_row = first_row + i * n, .rows = n, .together = all};
        struct batch_loss loss;
        RETURN_IF_FAILED(
            differentiate_batch(trainer, &origin, more || i + 1 < trainer->accumulate, &loss));
        if (trainer->accumulate == 1)
            *mean = loss;
        else
            add_batch(trainer, &loss, i == 0, mean);
    }
    return FMATCH_OK;
}

static fmatch_status differentiate_given(fmatch_trainer *trainer, const fmatch_batch *given,
                                         struct batch_loss *loss)
{
    const struct batch_origin origin = {
        .plan = &trainer->plan,
        .given = given,
        .first_row = trainer->training.rows,
        .rows = given->n,
        .together = {.first_row = trainer->training.rows, .rows = given->n}};
    return differentiate_batch(trainer, &origin, false, loss);
}

fmatch_status step_differentiate(fmatch_trainer *trainer, const fmatch_batch *given, bool more,
                                 struct history_step *step)
{
    const int64_t count = trainer->network->layout.count;
    struct batch_loss loss = {0};
    trainer->last_gradient = NULL;
    RETURN_IF_FAILED(given ? differentiate_given(trainer, given, &loss)
                           : differentiate_batches(trainer, more, &loss));
    const float *gradient = !given && trainer->accumulate > 1 ? trainer->mean_gradient
                                                              : gradient_result(&trainer->gradient);
    step->loss = loss.mean;
    step->gradient_norm = clipping_norm(trainer->model->context, count, gradient);
    if (!isfinite(step->gradient_norm))
        return status_fail(FMATCH_ERROR_NOT_FINITE,
                           "the gradient is not finite while the loss is %s", NUMBER(loss.mean));
    trainer->last_gradient = gradient;
    return FMATCH_OK;
}

/* ---- the step ---- */

/* Parameters have changed: what follows from that cannot fail. */
static void finish(fmatch_trainer *trainer, int64_t rows, const struct history_step *step)
{
    struct training *training = &trainer->training;
    if (training->average)
        average_take(trainer->model->context, trainer->network->layout.count,
                     average_share(trainer->average_decay, training->steps), training->parameters,
                     training->average);
    history_record(&training->history, training->steps, step);
    training->steps++;
    training->rows += rows;
}

fmatch_status step_take(fmatch_trainer *trainer, const fmatch_batch *given, bool more,
                        struct history_step *step)
{
    double factor;
    RETURN_IF_FAILED(rate_evaluate(&trainer->settings.rate, trainer->training.steps, &factor));
    RETURN_IF_FAILED(step_differentiate(trainer, given, more, step));
    step->learning_rate = factor * trainer->optimizer->learning_rate;
    const struct optimizer_step how = {.learning_rate = step->learning_rate,
                                       .scale =
                                           clipping_scale(step->gradient_norm, trainer->clip_norm)};
    if (!optimizer_take_step(trainer->optimizer, how, trainer->last_gradient,
                             trainer->training.parameters))
        return status_fail(
            FMATCH_ERROR_NOT_FINITE,
            "a parameter or the optimizer's state would not be finite after the step, at "
            "learning rate %s",
            NUMBER(step->learning_rate));
    finish(trainer, given ? given->n : (int64_t)trainer->batch * trainer->accumulate, step);
    return FMATCH_OK;
}

fmatch_status step_reserve(fmatch_trainer *trainer, int64_t steps)
{
    struct training *training = &trainer->training;
    return history_reserve(&training->history, trainer_allocator(trainer), training->steps, steps);
}

fmatch_status step_publish(const fmatch_trainer *trainer)
{
    const struct training *t = &trainer->training;
    const float *values = trainer->publish == FMATCH_PUBLISH_PRESENT ? t->parameters
                          : trainer->publish == FMATCH_PUBLISH_BEST && t->validation.best_step > 0
                              ? t->best
                              : training_evaluated(t);
    return parameter_store_publish(&trainer->model->store, 0, trainer->network->layout.count,
                                   values);
}
