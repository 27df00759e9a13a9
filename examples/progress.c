#define _POSIX_C_SOURCE 200809L
#include "progress.h"

#include <inttypes.h>
#include <math.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static volatile sig_atomic_t interrupted;

static void note_interrupt(int signal)
{
    (void)signal;
    interrupted = 1;
}

/* Reports come more often than they are shown, for a record and so that Ctrl-C is heard soon. */
enum { SHOWN_ON_TERMINAL = 100, SHOWN_AS_LINES = 5, RECORDED = 200, LONGEST_WAIT = 1000 };

/** Columns that a line may take on a terminal, where a longer one could not be written over. */
enum { TERMINAL_WIDTH = 79 };

/** What is shown: means over the steps since it was last shown, and the last report. */
struct view {
    const fmatch_progress_info *info;
    double loss, gradient_norm, steps_per_second;
};

struct display {
    void (*show)(const struct view *view);
    int64_t times;        /* how often to show something */
    int64_t shown_at;     /* step */
    int64_t seen_at;      /* step */
    double shown_seconds; /* at shown_at */
    double loss_sum;      /* of the steps since shown_at */
    double gradient_sum;
    struct training_record *record; /* or NULL */
    int64_t room;                   /* points that fit into it */
    int64_t before;                 /* steps of the trainer before this call */
    double validation_loss;         /* last one recorded */
};

struct line {
    char text[256];
    size_t length;
};

#if defined __GNUC__
__attribute__((format(printf, 2, 3)))
#endif
static void
add(struct line *line, const char *format, ...)
{
    size_t room = sizeof line->text - line->length;
    va_list values;

    va_start(values, format);
    int length = vsnprintf(line->text + line->length, room, format, values);
    va_end(values);
    if (length > 0)
        line->length += (size_t)length < room ? (size_t)length : room - 1;
}

static bool is_known(double value)
{
    return isfinite(value) && value > 0;
}

/** "12 s", "3 min 5 s", "2 h 10 min" */
static void add_duration(struct line *line, double seconds)
{
    long whole = lround(fmin(seconds, 1e8));

    if (seconds < 10)
        add(line, "%.1f s", seconds);
    else if (whole < 60)
        add(line, "%ld s", whole);
    else if (whole < 3600)
        add(line, "%ld min %ld s", whole / 60, whole % 60);
    else
        add(line, "%ld h %ld min", whole / 3600, whole / 60 % 60);
}

/** What a library of these settings does not tell is left out. */
static void add_numbers(struct line *line, const struct view *view)
{
    const fmatch_progress_info *info = view->info;
    double left = info->seconds * (double)(info->steps - info->step) / (double)info->step;

    add(line, "loss %.4f", view->loss);
    if (is_known(info->validation_loss))
        add(line, "  validation %.4f", info->validation_loss);
    if (is_known(info->learning_rate))
        add(line, "  rate %.1e", info->learning_rate);
    if (is_known(view->gradient_norm))
        add(line, "  gradient %.2g", view->gradient_norm);
    if (is_known(view->steps_per_second))
        add(line, "  %.0f steps/s", view->steps_per_second);
    add(line, "  ");
    if (info->step < info->steps)
        add_duration(line, is_known(info->seconds_left) ? info->seconds_left : left);
    else
        add_duration(line, info->seconds);
    add(line, info->step < info->steps ? " left" : " in all");
}

/** The bar takes what room the numbers leave. */
static void show_bar(const struct view *view)
{
    static const char full[] = "##############################";
    static const char empty[] = "..............................";
    static const int longest = sizeof full - 1, around = sizeof "[] 100 %  " - 1;
    double done = (double)view->info->step / (double)view->info->steps;
    struct line line = {.length = 0};

    add_numbers(&line, view);
    int room = TERMINAL_WIDTH - around - (int)line.length;
    int length = room < 0 ? 0 : room > longest ? longest : room;
    int filled = (int)(done * length), used = around + length;
    fprintf(stderr, "\r[%.*s%.*s] %3.0f %%  %-*.*s", filled, full, length - filled, empty,
            100 * done, TERMINAL_WIDTH - used, TERMINAL_WIDTH - used, line.text);
}

static void show_line(const struct view *view)
{
    struct line line = {.length = 0};

    add_numbers(&line, view);
    fprintf(stderr, "step %" PRId64 " of %" PRId64 ": %s\n", view->info->step, view->info->steps,
            line.text);
}

static void show(struct display *display, const fmatch_progress_info *info)
{
    double steps = (double)(info->step - display->shown_at);
    const struct view view = {
        .info = info,
        .loss = display->loss_sum / steps,
        .gradient_norm = display->gradient_sum / steps,
        .steps_per_second = steps / (info->seconds - display->shown_seconds),
    };

    display->show(&view);
    display->shown_at = info->step;
    display->shown_seconds = info->seconds;
    display->loss_sum = display->gradient_sum = 0;
}

static void record(struct display *display, const fmatch_progress_info *info)
{
    struct training_record *record = display->record;
    bool validated =
        is_known(info->validation_loss) && info->validation_loss != display->validation_loss;

    if (!record || record->count == display->room)
        return;
    record->points[record->count++] = (struct training_point){
        .step = display->before + info->step,
        .learning_rate = info->learning_rate,
        .validation_loss = validated ? info->validation_loss : NAN,
    };
    display->validation_loss = info->validation_loss;
}

static int32_t report(void *user, const fmatch_progress_info *info)
{
    struct display *display = user;
    int64_t due = (info->steps + display->times - 1) / display->times;
    double steps = (double)(info->step - display->seen_at);

    display->loss_sum += info->loss * steps;
    display->gradient_sum += info->gradient_norm * steps;
    display->seen_at = info->step;
    record(display, info);
    if (info->step - display->shown_at >= due || info->step == info->steps)
        show(display, info);
    return interrupted;
}

static int64_t quotient_up(int64_t a, int64_t b)
{
    return (a + b - 1) / b;
}

/** Reports in equal parts of the steps between two that are shown, as often as is asked for. */
static int64_t steps_between_reports(int64_t steps, int64_t shown, int64_t recorded)
{
    int64_t due = quotient_up(steps, shown), wait = quotient_up(steps, recorded);
    int64_t parts = quotient_up(due, wait < LONGEST_WAIT ? wait : LONGEST_WAIT);
    return quotient_up(due, parts);
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

/** For all reports of a call; without memory the record stays as it is. */
static int64_t make_room(struct training_record *record, int64_t reports)
{
    int64_t room = record->count + reports;
    struct training_point *points = realloc(record->points, (size_t)room * sizeof *record->points);

    if (!points)
        return record->count;
    record->points = points;
    return room;
}

fmatch_status train_with_record(fmatch_trainer *trainer, int64_t steps,
                                struct training_record *record)
{
    bool terminal = isatty(STDERR_FILENO);
    struct display display = {.show = terminal ? show_bar : show_line,
                              .times = terminal ? SHOWN_ON_TERMINAL : SHOWN_AS_LINES,
                              .record = record,
                              .before = fmatch_trainer_count_steps(trainer)};
    fmatch_progress progress = {
        .struct_size = sizeof progress, .every = 1, .report = report, .user = &display};

    if (steps > 0)
        progress.every = steps_between_reports(steps, display.times, record ? RECORDED : 1);
    if (record)
        display.room = make_room(record, quotient_up(steps, progress.every));
    fmatch_status status = run_interruptibly(trainer, steps, &progress);
    if (terminal)
        fprintf(stderr, "\n");
    if (status != FMATCH_ERROR_CANCELLED)
        return status;
    fprintf(stderr, "stopped after %" PRId64 " steps; going on with what was learned\n",
            fmatch_trainer_count_steps(trainer) - display.before);
    return FMATCH_OK;
}

fmatch_status train_with_progress(fmatch_trainer *trainer, int64_t steps)
{
    return train_with_record(trainer, steps, NULL);
}

void training_record_destroy(struct training_record *record)
{
    free(record->points);
    *record = (struct training_record){0};
}
