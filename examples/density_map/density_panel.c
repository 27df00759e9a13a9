#include "density_panel.h"
#include "../drawing/contour.h"

/* Dark lines are seen on bright shades, bright ones on dark shades. */
static struct stroke line_at(const struct colour_scale *scale, double level)
{
    double position = (level - scale->low) / (scale->high - scale->low);

    if (position > 0.62)
        return (struct stroke){{0.10, 0.11, 0.13}, 1, 1, 0};
    return (struct stroke){{0.97, 0.97, 0.97}, 1, 1, 0};
}

void density_panel_fill(const struct panel *panel, const struct density_map *map,
                        const struct colour_scale *scale, int levels, const double *level)
{
    const struct box *box = &map->box;
    const struct grid grid = {map->columns, map->rows, box->left,       box->right,
                              box->bottom,  box->top,  map->log_density};

    heat_map_draw(panel, &grid, scale, HEAT_CELLS_SMOOTH);
    for (int i = 0; i < levels; i++) {
        const struct stroke stroke = line_at(scale, level[i]);
        contour_draw(panel, &grid, level[i], &stroke);
    }
}

void density_panel_draw_bar(cairo_t *cairo, const struct rectangle *frame,
                            const struct colour_scale *scale, int levels, const double *level)
{
    const struct panel bar = {
        cairo, *frame, {.low = 0, .high = 1}, {.low = scale->low, .high = scale->high}, NULL};

    colour_bar_draw(cairo, frame, scale, "log *p*");
    for (int i = 0; i < levels; i++) {
        const double x[] = {0, 1}, y[] = {level[i], level[i]};
        const struct stroke stroke = line_at(scale, level[i]);
        mark_line(&bar, 2, x, y, &stroke);
    }
}
