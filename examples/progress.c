#define _POSIX_C_SOURCE 200809L
#include "progress.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static volatile sig_atomic_t interrupted;

static void note_interrupt(int signal)
{
    (void)signal;
    interrupted = 1;
}

/* Reports come more often than they are shown, so that Ctrl-C is heard soon. */
enum { SHOWN_ON_TERMINAL = 100, SHOWN_AS_LINES = 5, LONGEST_WAIT = 1000 };

struct display {
    void (*show)(const fmatch_progress_info *info, double loss);
    int64_t times;    /* how often to show something */
    int64_t shown_at; /* step */
    int64_t seen_at;  /* step */
    double loss_sum;  /* of the steps since shown_at */
};

static void show_bar(const fmatch_progress_info *info, double loss)
{
    static const char full[] = "########################################";
    static const char empty[] = "........................................";
    double done = (double)info->step / (double)info->steps;
    int filled = (int)(done * (double)(sizeof full - 1));

    fprintf(stderr, "\r[%.*s%s] %3.0f %%  loss %.4f  %.1f s, %.1f s left ", filled, full,
            empty + filled, 100 * done, loss, info->seconds, info->seconds * (1 - done) / done);
}

static void show_line(const fmatch_progress_info *info, double loss)
{
    fprintf(stderr, "step %" PRId64 " of %" PRId64 ": loss %.4f, %.1f s\n", info->step, info->steps,
            loss, info->seconds);
}

static int32_t report(void *user, const fmatch_progress_info *info)
{
    struct display *display = user;
    int64_t due = (info->steps + display->times - 1) / display->times;

    display->loss_sum += info->loss * (double)(info->step - display->seen_at);
    display->seen_at = info->step;
    if (info->step - display->shown_at >= due || info->step == info->steps) {
        display->show(info, display->loss_sum / (double)(info->step - display->shown_at));
        display->shown_at = info->step;
        display->loss_sum = 0;
    }
    return interrupted;
}

/** Reports in equal parts of the steps between two that are shown, at most LONGEST_WAIT apart. */
static int64_t steps_between_reports(int64_t steps, int64_t times)
{
    int64_t due = (steps + times - 1) / times;
    int64_t parts = (due + LONGEST_WAIT - 1) / LONGEST_WAIT;
    return parts > 0 ? (due + parts - 1) / parts : 0;
}

static fmatch_status run_interruptibly(fmatch_trainer *trainer, int64_t steps,
                                       const fmatch_progress *progress)
{
    struct sigaction ours, former;

    memset(&ours, 0, sizeof ours);
    ours.sa_handler = note_interrupt;
    ours.sa_flags = SA_RESETHAND; /* the second Ctrl-C finds the default again */
    sigemptyset(&ours.sa_mask);
    interrupted = 0;
    sigaction(SIGINT, &ours, &former);
    fmatch_status status = fmatch_trainer_run(trainer, steps, progress);
    sigaction(SIGINT, &former, NULL);
    return status;
}

fmatch_status train_with_progress(fmatch_trainer *trainer, int64_t steps)
{
    bool terminal = isatty(STDERR_FILENO);
    int64_t before = fmatch_trainer_count_steps(trainer);
    struct display display = {.show = terminal ? show_bar : show_line,
                              .times = terminal ? SHOWN_ON_TERMINAL : SHOWN_AS_LINES};
    fmatch_progress progress = {.struct_size = sizeof progress,
                                .every = steps_between_reports(steps, display.times),
                                .report = report,
                                .user = &display};

    fmatch_status status = run_interruptibly(trainer, steps, &progress);
    if (terminal)
        fprintf(stderr, "\n");
    if (status != FMATCH_ERROR_CANCELLED)
        return status;
    fprintf(stderr, "stopped after %" PRId64 " steps; going on with what was learned\n",
            fmatch_trainer_count_steps(trainer) - before);
    return FMATCH_OK;
}
