/* What can be seen before anything is learned: densities, reference paths and their velocities. */
#include "flow_row.h"

#include <stdio.h>

void draw_densities(cairo_t *cairo, const struct findings *findings)
{
    const struct density_curves *c = &findings->curves;
    const struct panel panel = {
        .cairo = cairo,
        .frame = {60, 18, FIGURE_WIDTH - 80, 258},
        .x = {.low = -3, .high = 3, .ticks = 6, .label = "*x*"},
        .y = {.low = 0, .high = 0.8, .ticks = 4, .label = "density"},
    };
    const struct legend_entry entries[] = {
        {"noise  *p*₀ = N(0, 1)", LEGEND_LINE, {noise_colour, 1, 2.2, 0}},
        {"target  *p*₁ = 0.55 N(−0.85, 0.65²) + 0.45 N(1.5, 0.25²)",
         LEGEND_LINE,
         {target_colour, 1, 2.2, 0}},
    };
    const struct fill noise_fill = {noise_colour, 0.18}, target_fill = {target_colour, 0.18};

    panel_open(&panel);
    mark_area(&panel, UPWARD, CURVE_POINTS, c->x, c->noise, &noise_fill);
    mark_area(&panel, UPWARD, CURVE_POINTS, c->x, c->target, &target_fill);
    mark_line(&panel, CURVE_POINTS, c->x, c->noise, &entries[0].stroke);
    mark_line(&panel, CURVE_POINTS, c->x, c->target, &entries[1].stroke);
    panel_close(&panel);
    legend_draw(&panel, LEGEND_TOP_LEFT, 2, entries);
}

static void draw_sides(const struct flow_row *row, const struct findings *findings)
{
    const struct density_curves *c = &findings->curves;
    const struct panel left = flow_row_left(row, "noise *p*₀");
    const struct panel right = flow_row_right(row, "target *p*₁");

    draw_side_density(&left, CURVE_POINTS, c->x, c->noise, &noise_colour);
    draw_side_density(&right, CURVE_POINTS, c->x, c->target, &target_colour);
}

static void draw_reference_line(const struct panel *panel, double x0, double x1)
{
    const double t[] = {0, 1}, x[] = {x0, x1};
    const struct stroke line = {exact_colour, 0.75, 1.5, 0};
    const struct fill head = {exact_colour, 0.9};

    mark_line(panel, 2, t, x, &line);
    mark_arrow_head(panel, 0, x0, 1, x1, 10, &head);
}

static void draw_ends(const struct panel *panel, double x0, double x1)
{
    const double start = 0, end = 1;
    const struct fill noise = {noise_colour, 1}, target = {target_colour, 1};

    mark_points(panel, 1, &start, &x0, 5, &noise);
    mark_points(panel, 1, &end, &x1, 5, &target);
}

static void draw_sampled_lines(const struct panel *panel, const struct reference_paths *reference)
{
    panel_open(panel);
    for (int i = 0; i < REFERENCE_SHOWN; i++)
        draw_reference_line(panel, reference->shown_noise[i], reference->shown_target[i]);
    panel_close(panel);
    for (int i = 0; i < REFERENCE_SHOWN; i++)
        draw_ends(panel, reference->shown_noise[i], reference->shown_target[i]);
}

void draw_reference_paths(cairo_t *cairo, const struct findings *findings)
{
    const struct reference_paths *reference = &findings->reference;
    const struct colour_scale scale = {COLOUR_MAP_VIRIDIS, 0, grid_largest(&reference->density)};
    const struct flow_row upper = {cairo, 34, 240, density_reach, true, true};
    const struct flow_row lower = {cairo, 318, 240, density_reach, true, false};
    const struct panel lines = flow_row_middle(&upper, "seven reference paths");
    const struct panel density = flow_row_middle(&lower, "density of 100 000 reference paths");
    const struct panel left = flow_row_left(&lower, "from *p*₀");
    const struct panel right = flow_row_right(&lower, "from *p*₁");
    const struct rectangle bar = flow_row_bar(&lower);

    draw_sides(&upper, findings);
    draw_sampled_lines(&lines, reference);
    draw_side_histogram(&left, &reference->noise, 0, NULL, NULL, &noise_colour);
    draw_side_histogram(&right, &reference->target, 0, NULL, NULL, &target_colour);
    panel_open(&density);
    heat_map_draw(&density, &reference->density, &scale, HEAT_CELLS_FLAT);
    panel_close(&density);
    colour_bar_draw(cairo, &bar, &scale, "*pₜ*(*x*)");
}

/* The post's pair and time. */
static const double pair_noise = 1.32, pair_target = -1.92, pair_time = 0.67;

static void draw_pair_labels(const struct panel *panel, double x)
{
    struct text_style style = panel_label_style;
    char label[64];

    snprintf(label, sizeof label, "*x*₀ = %.2f", pair_noise);
    mark_text(panel, 0, pair_noise, 12, 6, label, &style);
    snprintf(label, sizeof label, "*xₜ* = −%.3f at *t* = %.2f", -x, pair_time);
    mark_text(panel, pair_time, x, 13, 4, label, &style);
    style.align = TEXT_RIGHT;
    snprintf(label, sizeof label, "*x*₁ = −%.2f", -pair_target);
    mark_text(panel, 1, pair_target, -14, -14, label, &style);
}

void draw_reference_velocity(cairo_t *cairo, const struct findings *findings)
{
    const struct flow_row row = {cairo, 34, 240, density_reach, false, false};
    const struct panel panel = flow_row_middle(&row, "a reference path and its velocity");
    const double velocity = pair_target - pair_noise, x = pair_noise + pair_time * velocity;
    const double shown = 0.22; /* time for which the velocity is followed */
    const struct stroke arrow = {learned_colour, 1, 3.2, 0};
    const struct fill point = {exact_colour, 1};
    struct text_style style = panel_label_style;
    char label[64];

    draw_sides(&row, findings);
    panel_open(&panel);
    draw_reference_line(&panel, pair_noise, pair_target);
    mark_arrow(&panel, pair_time, x, pair_time + shown, x + shown * velocity, &arrow);
    mark_points(&panel, 1, &pair_time, &x, 5, &point);
    draw_pair_labels(&panel, x);
    style.colour = learned_colour;
    style.align = TEXT_RIGHT;
    snprintf(label, sizeof label, "*v* = *x*₁ − *x*₀ = −%.2f", -velocity);
    mark_text(&panel, pair_time + 0.5 * shown, x + 0.5 * shown * velocity, -12, -12, label, &style);
    panel_close(&panel);
    draw_ends(&panel, pair_noise, pair_target);
}
