#include "paths_picture.h"
#include "../visual_introduction/flow_row.h"
#include "../visual_introduction/histogram.h"

#include <math.h>
#include <stdio.h>

enum { POINTS = 241 };

/* In points. */
static const double top = 34, height = 200, gap = 34;
static const double reach = 3;

/** Densities of noise and target along the vertical axis. */
struct curves {
    double x[POINTS], noise[POINTS], target[POINTS];
};

static fmatch_status curves_fill(struct curves *curves, const struct journey *journey)
{
    float x[POINTS];
    fmatch_status status;

    for (int i = 0; i < POINTS; i++)
        curves->x[i] = x[i] = (float)(reach * (2.0 * i / (POINTS - 1) - 1));
    if ((status = fmatch_source_evaluate_log_density(journey->noise, POINTS, x, curves->noise)) !=
            FMATCH_OK ||
        (status = fmatch_source_evaluate_log_density(journey->target, POINTS, x, curves->target)) !=
            FMATCH_OK)
        return status;
    for (int i = 0; i < POINTS; i++) {
        curves->noise[i] = exp(curves->noise[i]);
        curves->target[i] = exp(curves->target[i]);
    }
    return FMATCH_OK;
}

/** In the colour of where it starts, which shows where it has come from. */
static void draw_path(const struct panel *panel, const float *paths, int path)
{
    double t[TRAVEL_TIMES], x[TRAVEL_TIMES];

    for (int k = 0; k < TRAVEL_TIMES; k++) {
        t[k] = (double)k / TRAVEL_STEPS;
        x[k] = paths[k * SHOWN_PATHS + path];
    }
    const struct stroke stroke = {colour_map_at(COLOUR_MAP_VIRIDIS, 0.5 + x[0] / 4.4), 0.85, 1, 0};
    mark_line(panel, TRAVEL_TIMES, t, x, &stroke);
}

static void draw_middle(const struct flow_row *row, const struct travel *travel)
{
    char title[96];

    if (travel->eta == 0)
        snprintf(title, sizeof title, "the flow: no noise along the way (colours: the starts)");
    else
        snprintf(title, sizeof title, "noise along the way, *η* = %g", travel->eta);
    const struct panel panel = flow_row_middle(row, title);
    panel_open(&panel);
    for (int i = 0; i < SHOWN_PATHS; i++)
        draw_path(&panel, travel->paths, i);
    panel_close(&panel);
}

static void draw_row(const struct flow_row *row, const struct curves *curves, int64_t n,
                     const struct travel *travel)
{
    char title[32];
    const struct panel left = flow_row_left(row, "noise");
    struct histogram ends;

    draw_side_density(&left, POINTS, curves->x, curves->noise, &noise_colour);
    draw_middle(row, travel);
    snprintf(title, sizeof title, "*W*₁ = %.3f", travel->exact_w1);
    const struct panel right = flow_row_right(row, title);
    histogram_fill(&ends, -reach, reach, n, travel->ends);
    draw_side_histogram(&right, &ends, POINTS, curves->x, curves->target, &target_colour);
}

bool paths_picture_write(const struct journey *journey, int n, const struct travel *travels,
                         const char *path)
{
    struct picture sheet;
    struct curves curves;

    if (curves_fill(&curves, journey) != FMATCH_OK) {
        fprintf(stderr, "cannot draw %s: %s\n", path, fmatch_error_detail());
        return false;
    }
    picture_create(&sheet, FIGURE_WIDTH, (int)(top + n * (height + gap) + 16));
    for (int i = 0; i < n; i++) {
        const struct flow_row row = {.cairo = sheet.cairo,
                                     .top = top + i * (height + gap),
                                     .height = height,
                                     .reach = reach,
                                     .upper = i + 1 < n};
        draw_row(&row, &curves, journey->n, &travels[i]);
    }
    return picture_finish(&sheet, path);
}
