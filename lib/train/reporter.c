#include "train/reporter.h"

#include "base/configuration.h"
#include "base/status.h"

#include <time.h>

enum { REPORTS = 100 };

static double seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

fmatch_status reporter_begin(struct reporter *r, const fmatch_progress *progress, int64_t steps)
{
    *r = (struct reporter){.steps = steps};
    r->began = r->reported = seconds_now();
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

/* What is told, and begins to be gathered anew. */
static fmatch_progress_info report_of(struct reporter *r, const fmatch_trainer *trainer,
                                      int64_t number, bool last, double learning_rate)
{
    const double now = seconds_now(), seconds = now - r->began, sums = (double)r->sums;
    const double pause = now - r->reported;
    const fmatch_progress_info info = {
        .struct_size = sizeof info,
        .step = number,
        .steps = r->steps,
        .loss = r->loss_sum / sums,
        .learning_rate = learning_rate,
        .seconds = seconds,
        .steps_per_second = pause > 0.0 ? sums / pause : 0.0,
        .seconds_left = last ? 0.0 : seconds / (double)number * (double)(r->steps - number),
        .gradient_norm = r->norm_sum / sums,
        .validation_loss = trainer->training.validation.loss};
    r->reported = now;
    r->loss_sum = r->norm_sum = 0.0;
    r->sums = 0;
    return info;
}

fmatch_status reporter_step(struct reporter *r, fmatch_trainer *trainer, int64_t number, bool last,
                            const struct history_step *step)
{
    if (!r->progress.report)
        return FMATCH_OK;
    r->loss_sum += step->loss;
    r->norm_sum += step->gradient_norm;
    r->sums++;
    if (number % r->every != 0 && !last)
        return FMATCH_OK;
    const fmatch_progress_info info = report_of(r, trainer, number, last, step->learning_rate);
    struct status_kept kept;
    status_keep(&kept);
    trainer->activity = REPORTING;
    const int32_t answer = r->progress.report(r->progress.user, &info);
    trainer->activity = WORKING;
    status_restore(&kept);
    if (answer > 0)
        return status_fail(FMATCH_ERROR_CANCELLED, "cancelled at step %lld of %lld",
                           (long long)number, (long long)r->steps);
    return status_of_callback("report", answer);
}
