/* Velocity fields, and what they do to points. */
#include "flow_row.h"

#include <math.h>

static struct colour_scale symmetric_scale(const struct grid *velocity)
{
    double largest = grid_largest(velocity);

    return (struct colour_scale){COLOUR_MAP_COOLWARM, -largest, largest};
}

/** Lines with a head at every `stride`-th column from column `first` on. */
static void draw_path_lines(const struct panel *panel, int columns, const double *lines, int first,
                            int stride)
{
    const struct stroke line = {exact_colour, 0.85, 1.3, 0};
    const struct fill head = {exact_colour, 0.95};
    double t[FLOW_TIMES];

    for (int j = 0; j < columns; j++)
        t[j] = (double)j / (columns - 1);
    for (int i = 0; i < PATH_LINES; i++) {
        const double *x = &lines[i * columns];
        mark_line(panel, columns, t, x, &line);
        for (int j = first; j + 1 < columns; j += stride)
            mark_arrow_head(panel, t[j], x[j], t[j + 1], x[j + 1], 9, &head);
    }
}

void draw_averaged_field(cairo_t *cairo, const struct findings *findings)
{
    const struct reference_paths *reference = &findings->reference;
    const struct density_curves *c = &findings->curves;
    const struct colour_scale scale = symmetric_scale(&reference->velocity);
    const struct flow_row row = {cairo, 34, 300, velocity_reach, true, false};
    const struct panel left = flow_row_left(&row, "from *p*₀");
    const struct panel middle = flow_row_middle(&row, "mean velocity of the pairs that pass");
    const struct panel right = flow_row_right(&row, "from *p*₁");
    const struct rectangle bar = flow_row_bar(&row);

    draw_side_histogram(&left, &reference->noise, CURVE_POINTS, c->x, c->noise, &noise_colour);
    draw_side_histogram(&right, &reference->target, CURVE_POINTS, c->x, c->target, &target_colour);
    panel_open(&middle);
    heat_map_draw(&middle, &reference->velocity, &scale, HEAT_CELLS_FLAT);
    draw_path_lines(&middle, REFERENCE_VELOCITY_TIMES, &reference->path_lines[0][0], 0, 7);
    panel_close(&middle);
    colour_bar_draw(cairo, &bar, &scale, "*v*");
}

void draw_learned_field(cairo_t *cairo, const struct findings *findings)
{
    const struct model_flow *flow = &findings->learned;
    const struct density_curves *c = &findings->curves;
    const struct colour_scale scale = symmetric_scale(&flow->velocity);
    const struct flow_row row = {cairo, 34, 300, velocity_reach, true, false};
    const struct panel left = flow_row_left(&row, "noise");
    const struct panel middle = flow_row_middle(&row, "learned velocity *v*(*x*, *t*)");
    const struct panel right = flow_row_right(&row, "samples");
    const struct rectangle bar = flow_row_bar(&row);

    draw_side_histogram(&left, &findings->reference.noise, CURVE_POINTS, c->x, c->noise,
                        &noise_colour);
    draw_side_histogram(&right, &findings->samples, CURVE_POINTS, c->x, c->target, &learned_colour);
    panel_open(&middle);
    heat_map_draw(&middle, &flow->velocity, &scale, HEAT_CELLS_SMOOTH);
    draw_path_lines(&middle, FLOW_TIMES, &flow->path_lines[0][0], 7, 35);
    panel_close(&middle);
    colour_bar_draw(cairo, &bar, &scale, "*v*");
}

const struct rectangle sampled_path_frame = {54, 34, FIGURE_WIDTH - 54 - 76, 340};

static struct panel sampled_path_panel(cairo_t *cairo)
{
    return (struct panel){
        .cairo = cairo,
        .frame = sampled_path_frame,
        .x = {.low = 0, .high = 1, .ticks = 5, .label = "time *t*"},
        .y = {.low = -velocity_reach, .high = velocity_reach, .ticks = 5, .label = "*x*"},
        .title = "Euler’s method from *x* = 0.85, 15 steps through the learned field",
    };
}

void draw_sampled_path_ground(cairo_t *cairo, const struct findings *findings)
{
    const struct grid *velocity = &findings->learned.velocity;
    const struct colour_scale scale = symmetric_scale(velocity);
    const struct rectangle *f = &sampled_path_frame;
    const struct rectangle bar = {f->x + f->width + 22, f->y, 12, f->height};
    const struct panel panel = sampled_path_panel(cairo);

    panel_open(&panel);
    heat_map_draw(&panel, velocity, &scale, HEAT_CELLS_SMOOTH);
    panel_close(&panel);
    colour_bar_draw(cairo, &bar, &scale, "*v*");
}

void draw_sampled_path(cairo_t *cairo, const struct findings *findings)
{
    const double *path = findings->run->summary->measures.path;
    const struct panel panel = sampled_path_panel(cairo);
    const struct stroke line = {exact_colour, 1, 1.8, 0};
    const struct fill point = {exact_colour, 1}, start = {noise_colour, 1},
                      end = {target_colour, 1};
    const int last = POST_PATH_TIMES - 1;
    double t[POST_PATH_TIMES];

    for (int i = 0; i < POST_PATH_TIMES; i++)
        t[i] = (double)i / POST_PATH_STEPS;
    draw_sampled_path_ground(cairo, findings);
    mark_line(&panel, POST_PATH_TIMES, t, path, &line);
    mark_points(&panel, last - 1, &t[1], &path[1], 3.6, &point);
    mark_points(&panel, 1, &t[0], &path[0], 6, &start);
    mark_points(&panel, 1, &t[last], &path[last], 6, &end);
}

static void draw_error_panel(cairo_t *cairo, double x, const struct grid *velocity,
                             const struct colour_scale *scale, const char *title)
{
    const struct panel panel = {
        .cairo = cairo,
        .frame = {x, 34, 190, 240},
        .x = {.low = 0, .high = 1, .ticks = 4, .label = "time *t*"},
        .y = {.low = -velocity_reach,
              .high = velocity_reach,
              .ticks = 5,
              .unnumbered = x > 60,
              .label = x > 60 ? NULL : "*x*"},
        .title = title,
    };

    panel_open(&panel);
    heat_map_draw(&panel, velocity, scale, HEAT_CELLS_SMOOTH);
    panel_close(&panel);
}

void draw_field_error(cairo_t *cairo, const struct findings *findings)
{
    const struct colour_scale scale = symmetric_scale(&findings->exact.velocity);
    const struct colour_scale fine = symmetric_scale(&findings->difference);
    const struct rectangle bar = {478, 34, 12, 240}, fine_bar = {742, 34, 12, 240};

    draw_error_panel(cairo, 54, &findings->learned.velocity, &scale, "learned *v*");
    draw_error_panel(cairo, 270, &findings->exact.velocity, &scale, "exact *u*");
    draw_error_panel(cairo, 540, &findings->difference, &fine, "difference *v* − *u*");
    colour_bar_draw(cairo, &bar, &scale, "*v*, *u*");
    colour_bar_draw(cairo, &fine_bar, &fine, "*v* − *u*");
}
