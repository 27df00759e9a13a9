#include "loss_picture.h"
#include "../drawing/chart.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static const struct stroke of_a_step = {{0.16, 0.44, 0.70}, 0.45, 0.7, 0};
static const struct stroke of_the_mean = {{0.05, 0.15, 0.36}, 1, 1.8, 0};
static const struct stroke of_validation = {{0.88, 0.48, 0.10}, 1, 1.8, 0};
static const struct stroke of_the_rate = {{0.25, 0.26, 0.29}, 1, 1.4, 0};

/* In points. */
static const double left = 92, width = 620, top = 16, height = 300, gap = 14, rate_height = 84;

enum { WINDOW = 100, /**< steps that a mean is taken over */ COLUMNS = 620 };

/** A line that is to be drawn; step 1 is the first. */
struct curve {
    int n;
    double *step, *value; /**< [n] */
};

static bool curve_create(struct curve *curve, int64_t room)
{
    size_t size = (size_t)(room > 0 ? room : 1) * sizeof(double);

    *curve = (struct curve){.step = malloc(size), .value = malloc(size)};
    return curve->step && curve->value;
}

static void curve_add(struct curve *curve, double step, double value)
{
    curve->step[curve->n] = step;
    curve->value[curve->n++] = value;
}

static void curve_destroy(struct curve *curve)
{
    free(curve->step);
    free(curve->value);
}

struct course {
    int64_t steps;
    double *losses; /**< [steps] */
    struct curve loss, mean, validation, rate;
};

static void course_destroy(struct course *course)
{
    struct curve *curves[] = {&course->loss, &course->mean, &course->validation, &course->rate};

    for (int i = 0; i < 4; i++)
        curve_destroy(curves[i]);
    free(course->losses);
}

/** Step `i` of `parts` equal parts of the steps. */
static int64_t border(const struct course *course, int64_t i, int64_t parts)
{
    return (int64_t)((double)course->steps * (double)i / (double)parts);
}

/** Every loss; where they are more than can be told apart, the least and the largest of a column,
 * which look the same. */
static void fill_loss(struct course *course)
{
    int64_t parts = course->steps < 2 * COLUMNS ? course->steps : COLUMNS;

    for (int64_t k = 0; k < parts; k++) {
        int64_t first = border(course, k, parts), end = border(course, k + 1, parts);
        double least = course->losses[first], largest = least;
        for (int64_t i = first + 1; i < end; i++) {
            least = fmin(least, course->losses[i]);
            largest = fmax(largest, course->losses[i]);
        }
        curve_add(&course->loss, (double)(first + 1), largest);
        if (end - first > 1)
            curve_add(&course->loss, (double)(first + 1), least);
    }
}

/** Mean of the last WINDOW losses, or of all where they are fewer; a few for each column. */
static void fill_mean(struct course *course)
{
    int64_t parts = course->steps < 2 * COLUMNS ? course->steps : 2 * COLUMNS;

    for (int64_t k = 0; k < parts; k++) {
        int64_t end = border(course, k + 1, parts), first = end < WINDOW ? 0 : end - WINDOW;
        double sum = 0;
        for (int64_t i = first; i < end; i++)
            sum += course->losses[i];
        curve_add(&course->mean, (double)end, sum / (double)(end - first));
    }
}

static void fill_points(struct course *course, const struct training_record *record)
{
    for (int64_t i = 0; i < record->count; i++) {
        const struct training_point *point = &record->points[i];
        curve_add(&course->rate, (double)point->step, point->learning_rate);
        if (isfinite(point->validation_loss))
            curve_add(&course->validation, (double)point->step, point->validation_loss);
    }
}

static fmatch_status course_create(struct course *course, const fmatch_trainer *trainer,
                                   const struct training_record *record)
{
    int64_t steps = fmatch_trainer_count_steps(trainer);

    *course = (struct course){.steps = steps,
                              .losses = malloc((size_t)(steps + 1) * sizeof *course->losses)};
    if (!course->losses || !curve_create(&course->loss, 2 * COLUMNS) ||
        !curve_create(&course->mean, 2 * COLUMNS) ||
        !curve_create(&course->validation, record->count) ||
        !curve_create(&course->rate, record->count))
        return FMATCH_ERROR_NO_MEMORY;
    fmatch_status status = fmatch_trainer_get_losses(trainer, 0, steps, course->losses);
    if (status != FMATCH_OK)
        return status;
    fill_loss(course);
    fill_mean(course);
    fill_points(course, record);
    return FMATCH_OK;
}

static void widen(struct axis *axis, const struct curve *curve)
{
    for (int i = 0; i < curve->n; i++) {
        axis->low = fmin(axis->low, curve->value[i]);
        axis->high = fmax(axis->high, curve->value[i]);
    }
}

/** All losses; logarithmic where some are many times the others. */
static struct axis loss_axis(const struct course *course)
{
    struct axis axis = {.low = INFINITY, .high = -INFINITY, .ticks = 6, .label = "loss"};

    widen(&axis, &course->loss);
    widen(&axis, &course->validation);
    axis.logarithmic = axis.low > 0 && axis.high > 12 * axis.low;
    if (axis.logarithmic) {
        axis.low /= 1.1;
        axis.high *= 1.1;
        return axis;
    }
    double room = axis.high > axis.low ? 0.05 * (axis.high - axis.low) : 1;
    axis.low = axis.low >= 0 ? fmax(0, axis.low - room) : axis.low - room;
    axis.high += room;
    return axis;
}

static struct axis step_axis(const struct course *course)
{
    return (struct axis){
        .low = 0, .high = course->steps > 1 ? (double)course->steps : 1, .ticks = 8};
}

static void draw_curve(const struct panel *panel, const struct curve *curve,
                       const struct stroke *stroke)
{
    const struct fill fill = {stroke->colour, stroke->opacity};

    mark_line(panel, curve->n, curve->step, curve->value, stroke);
    if (curve->n == 1)
        mark_points(panel, 1, curve->step, curve->value, 2.4, &fill);
}

static void draw_losses(cairo_t *cairo, const struct course *course)
{
    const struct fill points = {of_validation.colour, 1};
    const struct legend_entry entries[] = {
        {"loss of a step", LEGEND_LINE, of_a_step},
        {"mean of the last 100", LEGEND_LINE, of_the_mean},
        {"validation loss", LEGEND_LINE, of_validation},
    };
    struct panel panel = {.cairo = cairo,
                          .frame = {left, top, width, height},
                          .x = step_axis(course),
                          .y = loss_axis(course)};

    panel.x.unnumbered = true;
    panel_open(&panel);
    draw_curve(&panel, &course->loss, &of_a_step);
    draw_curve(&panel, &course->mean, &of_the_mean);
    draw_curve(&panel, &course->validation, &of_validation);
    mark_points(&panel, course->validation.n, course->validation.step, course->validation.value,
                2.8, &points);
    panel_close(&panel);
    legend_draw(&panel, LEGEND_TOP_RIGHT, course->validation.n ? 3 : 2, entries);
}

static void draw_rate(cairo_t *cairo, const struct course *course)
{
    struct panel panel = {.cairo = cairo,
                          .frame = {left, top + height + gap, width, rate_height},
                          .x = step_axis(course),
                          .y = {.low = 0, .high = 0, .ticks = 3, .label = "learning rate"}};

    panel.x.label = "step";
    widen(&panel.y, &course->rate);
    panel.y.high = panel.y.high > 0 ? 1.15 * panel.y.high : 1;
    panel_open(&panel);
    draw_curve(&panel, &course->rate, &of_the_rate);
    panel_close(&panel);
}

static bool draw(const struct course *course, const char *path)
{
    struct picture sheet;

    picture_create(&sheet, (int)(left + width + 24), (int)(top + height + gap + rate_height + 48));
    draw_losses(sheet.cairo, course);
    draw_rate(sheet.cairo, course);
    return picture_finish(&sheet, path);
}

bool loss_picture_write(const fmatch_trainer *trainer, const struct training_record *record,
                        const char *path)
{
    struct course course;
    fmatch_status status = course_create(&course, trainer, record);
    bool written = status == FMATCH_OK && draw(&course, path);

    if (status != FMATCH_OK)
        fprintf(stderr, "cannot draw %s: %s\n", path, fmatch_status_get_text(status));
    course_destroy(&course);
    return written;
}
