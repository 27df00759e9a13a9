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

fmatch_status reporter_step(struct reporter *r, fmatch_trainer *trainer, int64_t step, double loss)
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
