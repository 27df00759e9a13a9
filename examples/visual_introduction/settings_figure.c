/* The post's settings beside the library's recommended ones: the same network, steps and batch. */
#include "figure_drawings.h"

#include <math.h>
#include <stdio.h>

static void draw_difference(cairo_t *cairo, double x, const struct grid *difference,
                            const struct colour_scale *scale, double error)
{
    char title[64];
    const struct panel panel = {
        .cairo = cairo,
        .frame = {x, 350, 310, 215},
        .x = {.low = 0, .high = 1, .ticks = 5, .label = "time *t*"},
        .y = {.low = -velocity_reach,
              .high = velocity_reach,
              .ticks = 5,
              .unnumbered = x > 60,
              .label = x > 60 ? NULL : "*x*"},
        .title = title,
    };

    snprintf(title, sizeof title, "*v* − *u*:  root mean square %.4f", error);
    panel_open(&panel);
    heat_map_draw(&panel, difference, scale, HEAT_CELLS_SMOOTH);
    panel_close(&panel);
}

void draw_settings(cairo_t *cairo, const struct findings *findings)
{
    const struct summary *s = findings->run->summary;
    const double largest =
        fmax(grid_largest(&findings->difference), grid_largest(&findings->recommended_difference));
    const struct colour_scale scale = {COLOUR_MAP_COOLWARM, -largest, largest};
    const struct rectangle bar = {740, 350, 12, 215};
    char title[64];

    snprintf(title, sizeof title, "the post’s settings:  *W*₁ = %.4f", s->measures.w1_midpoint);
    draw_reconstruction_panel(cairo, 58, &findings->curves, &s->measures.midpoint, title);
    snprintf(title, sizeof title, "recommended settings:  *W*₁ = %.4f", s->recommended.w1_midpoint);
    draw_reconstruction_panel(cairo, 431, &findings->curves, &s->recommended.midpoint, title);
    draw_difference(cairo, 58, &findings->difference, &scale, s->measures.field_rmse);
    draw_difference(cairo, 414, &findings->recommended_difference, &scale,
                    s->recommended.field_rmse);
    colour_bar_draw(cairo, &bar, &scale, "*v* − *u*");
}
