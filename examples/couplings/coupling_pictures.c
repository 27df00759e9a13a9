#include "coupling_pictures.h"
#include "../drawing/chart.h"

#include <math.h>
#include <stdio.h>

/* Apart for every kind of colour blindness, and in grey. */
static const struct colour noise_colour = {0.05, 0.15, 0.36};
static const struct colour target_colour = {0.93, 0.56, 0.16};
static const struct colour line_colour = {0.36, 0.47, 0.60};

/** Lines that differ in colour, lightness and dash: three couplings. */
static const struct stroke strokes[] = {
    {{0.16, 0.44, 0.70}, 1, 2, 0}, {{0.05, 0.05, 0.07}, 1, 2, 8}, {{0.88, 0.48, 0.10}, 1, 2, 3}};

/* In points. */
static const double left = 58, top = 34, side = 270, gap = 12;

/** In units of the data: all rows of both sides, but for one in thousands. */
static const double reach = 18.4;

/** Paths in a panel: more of them hide one another. */
enum { SHOWN_PATHS = 160 };

static void copy_columns(int n, const float *rows, double *x, double *y)
{
    for (int i = 0; i < n; i++) {
        x[i] = rows[DIM * i];
        y[i] = rows[DIM * i + 1];
    }
}

static void draw_rows(const struct panel *panel, int n, const float *rows, double radius,
                      const struct fill *fill)
{
    double x[ROWS], y[ROWS];

    copy_columns(n, rows, x, y);
    mark_points(panel, n, x, y, radius, fill);
}

static struct panel plane(cairo_t *cairo, int column, int row, const char *title)
{
    return (struct panel){
        .cairo = cairo,
        .frame = {left + column * (side + gap), top + row * (side + 2.8 * gap), side, side},
        .x = {.low = -reach,
              .high = reach,
              .ticks = 6,
              .unnumbered = row == 0,
              .label = row == 0 ? NULL : "*x*₁"},
        .y = {.low = -reach,
              .high = reach,
              .ticks = 6,
              .unnumbered = column > 0,
              .label = column > 0 ? NULL : "*x*₂"},
        .title = title,
    };
}

static void draw_pairs(const struct panel *panel, const struct problem *problem,
                       const struct coupled_flow *flow)
{
    const struct stroke stroke = {line_colour, 0.4, 0.8, 0};
    const struct fill noise = {noise_colour, 1}, target = {target_colour, 1};

    panel_open(panel);
    for (int i = 0; i < BATCH; i++) {
        const float *from = problem->start + DIM * flow->noise_row[i];
        const float *to = problem->wanted + DIM * flow->target_row[i];
        const double x[] = {from[0], to[0]}, y[] = {from[1], to[1]};
        mark_line(panel, 2, x, y, &stroke);
    }
    draw_rows(panel, BATCH, problem->wanted, 2, &target);
    draw_rows(panel, BATCH, problem->start, 2, &noise);
    panel_close(panel);
}

static void draw_path(const struct panel *panel, const float *paths, int row,
                      const struct stroke *stroke)
{
    double x[PATH_STEPS + 1], y[PATH_STEPS + 1];

    for (int k = 0; k <= PATH_STEPS; k++)
        copy_columns(1, paths + (k * ROWS + row) * DIM, x + k, y + k);
    mark_line(panel, PATH_STEPS + 1, x, y, stroke);
}

static void draw_paths(const struct panel *panel, const struct problem *problem,
                       const struct coupled_flow *flow)
{
    const struct stroke stroke = {line_colour, 0.65, 0.9, 0};
    const struct fill noise = {noise_colour, 1}, ends = {target_colour, 1};
    const struct fill ground = {target_colour, 0.28};

    panel_open(panel);
    draw_rows(panel, ROWS, problem->wanted, 1.2, &ground);
    for (int i = 0; i < SHOWN_PATHS; i++)
        draw_path(panel, flow->paths, i, &stroke);
    draw_rows(panel, SHOWN_PATHS, flow->paths + PATH_STEPS * ROWS * DIM, 2, &ends);
    draw_rows(panel, SHOWN_PATHS, flow->paths, 2, &noise);
    panel_close(panel);
}

/** The keys of a row of panels, beneath all of them. */
static void draw_keys(const struct panel *panel, double y)
{
    const struct legend_entry entries[] = {
        {"noise: two moons", LEGEND_POINT, {noise_colour, 1, 0, 0}},
        {"target, and where paths end", LEGEND_POINT, {target_colour, 1, 0, 0}},
        {"pair, or path of the flow", LEGEND_LINE, {line_colour, 1, 1.2, 0}},
    };
    struct panel beneath = *panel;

    for (int i = 0; i < 3; i++) {
        beneath.frame = (struct rectangle){left + i * (side + gap), y, side, 44};
        legend_draw(&beneath, LEGEND_TOP_LEFT, 1, &entries[i]);
    }
}

static void draw_couplings(cairo_t *cairo, const struct problem *problem, int n,
                           const struct coupled_flow *flows)
{
    struct panel panel = {0};

    for (int i = 0; i < n; i++) {
        char title[96];
        snprintf(title, sizeof title, "%s: pairs of a batch", flows[i].name);
        panel = plane(cairo, i, 0, title);
        draw_pairs(&panel, problem, &flows[i]);
        snprintf(title, sizeof title, "learned paths, energy %.1f", flows[i].energy);
        panel = plane(cairo, i, 1, title);
        draw_paths(&panel, problem, &flows[i]);
    }
    draw_keys(&panel, panel.frame.y + side + 44);
}

enum measure { MEASURE_W2, MEASURE_ENERGY_DISTANCE };

static double value_of(const struct distances *distances, enum measure measure)
{
    return measure == MEASURE_W2 ? distances->w2 : distances->energy_distance;
}

/** A little more than the range of all values and the floor, for a logarithmic axis. */
static void find_range(int n, const struct coupled_flow *flows, enum measure measure, double floor,
                       struct axis *axis)
{
    double low = floor, high = floor;

    for (int i = 0; i < n; i++)
        for (int k = 0; k < BUDGETS; k++) {
            low = fmin(low, value_of(&flows[i].distances[k], measure));
            high = fmax(high, value_of(&flows[i].distances[k], measure));
        }
    axis->low = low / 1.3;
    axis->high = high * 1.3;
}

static void draw_budgets(const struct panel *panel, const struct coupled_flow *flow,
                         enum measure measure, const struct stroke *stroke)
{
    const struct fill fill = {stroke->colour, 1};
    double evaluations[BUDGETS], values[BUDGETS];

    for (int k = 0; k < BUDGETS; k++) {
        evaluations[k] = budgets[k];
        values[k] = value_of(&flow->distances[k], measure);
    }
    mark_line(panel, BUDGETS, evaluations, values, stroke);
    mark_points(panel, BUDGETS, evaluations, values, 3.6, &fill);
}

static void draw_measure(cairo_t *cairo, const struct problem *problem, int n,
                         const struct coupled_flow *flows, enum measure measure)
{
    const double width = 360;
    const double floor = measure == MEASURE_W2 ? problem->w2_floor : problem->energy_distance_floor;
    struct legend_entry entries[4] = {{0}};
    struct panel panel = {
        .cairo = cairo,
        .frame = {70 + (measure == MEASURE_W2 ? 0 : width + 76), 32, width, 300},
        .x = {.low = 0.85,
              .high = 75,
              .logarithmic = true,
              .ticks = 7,
              .label = "evaluations of the field for a sample"},
        .y = {.logarithmic = true, .ticks = 6},
        .title = measure == MEASURE_W2 ? "*W*₂ to the target" : "energy distance to the target",
    };

    find_range(n, flows, measure, floor, &panel.y);
    panel_open(&panel);
    entries[n] = (struct legend_entry){
        "other rows of the target", LEGEND_LINE, {{0.55, 0.55, 0.57}, 1, 1.2, 0}};
    mark_level(&panel, floor, &entries[n].stroke);
    for (int i = 0; i < n; i++) {
        entries[i] = (struct legend_entry){flows[i].name, LEGEND_LINE, strokes[i]};
        draw_budgets(&panel, &flows[i], measure, &strokes[i]);
    }
    panel_close(&panel);
    legend_draw(&panel, LEGEND_TOP_RIGHT, n + 1, entries);
}

static void draw_quality(cairo_t *cairo, const struct problem *problem, int n,
                         const struct coupled_flow *flows)
{
    draw_measure(cairo, problem, n, flows, MEASURE_W2);
    draw_measure(cairo, problem, n, flows, MEASURE_ENERGY_DISTANCE);
}

static const struct {
    const char *name;
    int width, height;
    void (*draw)(cairo_t *cairo, const struct problem *problem, int n,
                 const struct coupled_flow *flows);
} figures[] = {
    {"paths.png", 910, 732, draw_couplings},
    {"quality.png", 890, 390, draw_quality},
};

bool coupling_pictures_write(const struct problem *problem, int n, const struct coupled_flow *flows,
                             const char *directory)
{
    bool written = true;

    for (size_t i = 0; written && i < sizeof figures / sizeof figures[0]; i++) {
        struct picture sheet;
        char path[4096];

        snprintf(path, sizeof path, "%s/%s", directory, figures[i].name);
        picture_create(&sheet, figures[i].width, figures[i].height);
        figures[i].draw(sheet.cairo, problem, n, flows);
        written = picture_finish(&sheet, path);
    }
    return written;
}
