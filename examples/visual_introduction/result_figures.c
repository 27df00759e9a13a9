/* How well it went: the loss, the samples, and what a solver's steps are worth. */
#include "flow_row.h"

#include <math.h>
#include <stdio.h>

void draw_loss(cairo_t *cairo, const struct findings *findings)
{
    const struct losses *losses = &findings->losses;
    double least = findings->run->summary->measures.irreducible_loss, most = least;

    for (int i = 0; i < losses->steps; i++) {
        least = fmin(least, losses->loss[i]);
        most = fmax(most, losses->loss[i]);
    }
    const double level = findings->run->summary->measures.irreducible_loss;
    const double room = 0.06 * (most - least);
    const struct panel panel = {
        .cairo = cairo,
        .frame = {60, 18, FIGURE_WIDTH - 88, 268},
        .x = {.low = 0, .high = losses->steps, .ticks = 5, .label = "training step"},
        .y = {.low = least - room, .high = most + room, .ticks = 5, .label = "loss"},
    };
    char label[64];
    const struct legend_entry entries[] = {
        {"loss of a step", LEGEND_LINE, {noise_colour, 0.35, 1, 0}},
        {"mean of 100 steps", LEGEND_LINE, {noise_colour, 1, 2, 0}},
        {label, LEGEND_LINE, {target_colour, 1, 2, 6}},
    };

    snprintf(label, sizeof label, "irreducible loss %.4f", level);
    panel_open(&panel);
    mark_line(&panel, losses->steps, losses->step, losses->loss, &entries[0].stroke);
    mark_line(&panel, losses->steps, losses->step, losses->average, &entries[1].stroke);
    mark_level(&panel, level, &entries[2].stroke);
    panel_close(&panel);
    legend_draw(&panel, LEGEND_TOP_RIGHT, 3, entries);
}

void draw_reconstruction_panel(cairo_t *cairo, double x, const struct density_curves *curves,
                               const struct histogram *samples, const char *title)
{
    const struct panel panel = {
        .cairo = cairo,
        .frame = {x, 34, 355, 250},
        .x = {.low = -density_reach, .high = density_reach, .ticks = 5, .label = "*x*"},
        .y = {.low = 0,
              .high = 0.9,
              .ticks = 4,
              .unnumbered = x > 60,
              .label = x > 60 ? NULL : "density"},
        .title = title,
    };
    const struct legend_entry entries[] = {
        {"100 000 samples", LEGEND_PATCH, {learned_colour, 0.5, 0, 0}},
        {"exact target", LEGEND_LINE, {exact_colour, 1, 1.8, 0}},
    };
    const struct fill fill = {learned_colour, 0.5};

    panel_open(&panel);
    mark_bars(&panel, UPWARD, HISTOGRAM_BINS, samples->low, samples->high, samples->density, &fill);
    mark_line(&panel, CURVE_POINTS, curves->x, curves->target, &entries[1].stroke);
    panel_close(&panel);
    legend_draw(&panel, LEGEND_TOP_LEFT, 2, entries);
}

void draw_reconstruction(cairo_t *cairo, const struct findings *findings)
{
    const struct reconstruction *r = findings->reconstructions;
    char title[64];

    snprintf(title, sizeof title, "Euler, 50 steps:  *W*₂ = %.4f", r[RECONSTRUCTION_EULER].w2);
    draw_reconstruction_panel(cairo, 58, &findings->curves, &r[RECONSTRUCTION_EULER].histogram,
                              title);
    snprintf(title, sizeof title, "midpoint, 25 steps:  *W*₂ = %.4f",
             r[RECONSTRUCTION_MIDPOINT].w2);
    draw_reconstruction_panel(cairo, 431, &findings->curves, &r[RECONSTRUCTION_MIDPOINT].histogram,
                              title);
}

void draw_sampled_density(cairo_t *cairo, const struct findings *findings)
{
    const struct grid *density = &findings->sampled_density;
    const struct density_curves *c = &findings->curves;
    const struct colour_scale scale = {COLOUR_MAP_VIRIDIS, 0, grid_largest(density)};
    const struct flow_row row = {cairo, 34, 240, density_reach, true, false};
    const struct panel left = flow_row_left(&row, "noise *p*₀");
    const struct panel middle = flow_row_middle(&row, "density of 100 000 sampled paths");
    const struct panel right = flow_row_right(&row, "samples");
    const struct rectangle bar = flow_row_bar(&row);

    draw_side_density(&left, CURVE_POINTS, c->x, c->noise, &noise_colour);
    draw_side_histogram(&right, &findings->samples, CURVE_POINTS, c->x, c->target, &learned_colour);
    panel_open(&middle);
    heat_map_draw(&middle, density, &scale, HEAT_CELLS_FLAT);
    panel_close(&middle);
    colour_bar_draw(cairo, &bar, &scale, "*pₜ*(*x*)");
}

static void draw_budget_line(const struct panel *panel, const double w2[SOLVER_BUDGETS],
                             const struct stroke *stroke)
{
    const struct fill fill = {stroke->colour, 1};
    double evaluations[SOLVER_BUDGETS];

    for (int i = 0; i < SOLVER_BUDGETS; i++)
        evaluations[i] = solver_budgets[i];
    mark_line(panel, SOLVER_BUDGETS, evaluations, w2, stroke);
    mark_points(panel, SOLVER_BUDGETS, evaluations, w2, 4.2, &fill);
}

/** The decades that hold all distances. */
static void find_range(const struct findings *findings, double *low, double *high)
{
    const double *sets[] = {&findings->learned_w2[0][0], &findings->exact_w2[0][0]};

    *low = INFINITY;
    *high = 0;
    for (int s = 0; s < 2; s++)
        for (int i = 0; i < SOLVERS * SOLVER_BUDGETS; i++) {
            *low = fmin(*low, sets[s][i]);
            *high = fmax(*high, sets[s][i]);
        }
    *low = pow(10, floor(log10(fmax(*low, 1e-9))));
    *high = pow(10, ceil(log10(*high)));
}

void draw_solvers(cairo_t *cairo, const struct findings *findings)
{
    struct panel panel = {
        .cairo = cairo,
        .frame = {70, 18, FIGURE_WIDTH - 90, 326},
        .x = {.low = 1.7,
              .high = 300,
              .logarithmic = true,
              .ticks = 8,
              .label = "evaluations of the field for a sample"},
        .y = {.logarithmic = true, .ticks = 6, .label = "*W*₂ to the exact target"},
    };
    const struct legend_entry entries[] = {
        {"learned field, Euler", LEGEND_LINE, {noise_colour, 1, 2, 0}},
        {"learned field, midpoint", LEGEND_LINE, {target_colour, 1, 2, 0}},
        {"exact field, Euler", LEGEND_LINE, {noise_colour, 0.7, 2, 5}},
        {"exact field, midpoint", LEGEND_LINE, {target_colour, 0.7, 2, 5}},
    };

    find_range(findings, &panel.y.low, &panel.y.high);
    panel_open(&panel);
    draw_budget_line(&panel, findings->exact_w2[SOLVER_EULER], &entries[2].stroke);
    draw_budget_line(&panel, findings->exact_w2[SOLVER_MIDPOINT], &entries[3].stroke);
    draw_budget_line(&panel, findings->learned_w2[SOLVER_EULER], &entries[0].stroke);
    draw_budget_line(&panel, findings->learned_w2[SOLVER_MIDPOINT], &entries[1].stroke);
    panel_close(&panel);
    legend_draw(&panel, LEGEND_BOTTOM_LEFT, 4, entries);
}
