#include "moons_picture.h"
#include "../density_map/density_panel.h"

#include <stdio.h>

/* In points. */
static const double left = 58, top = 34, side = 440, gap = 16, bar_width = 14;

static const struct colour_scale scale = {COLOUR_MAP_VIRIDIS, -12, 0};
static const double levels[] = {-9, -6, -4, -2, -1};
enum { LEVELS = sizeof levels / sizeof levels[0] };

static double panel_height(const struct box *box)
{
    return side * (box->top - box->bottom) / (box->right - box->left);
}

static void draw_rows(const struct panel *panel, const struct moons *moons)
{
    const struct fill fill = {{0.95, 0.45, 0.15}, 1};
    double x[SHOWN_ROWS], y[SHOWN_ROWS];

    for (int i = 0; i < SHOWN_ROWS; i++)
        x[i] = moons->rows[2 * i], y[i] = moons->rows[2 * i + 1];
    mark_points(panel, SHOWN_ROWS, x, y, 1.5, &fill);
}

static void draw_map(cairo_t *cairo, int column, const struct moons *moons,
                     const struct density_map *map, const char *title)
{
    const struct box *box = &map->box;
    const struct panel panel = {
        .cairo = cairo,
        .frame = {left + column * (side + gap), top, side, panel_height(box)},
        .x = {.low = box->left, .high = box->right, .ticks = 6, .label = "*x*₁"},
        .y = {.low = box->bottom,
              .high = box->top,
              .ticks = 4,
              .unnumbered = column > 0,
              .label = column > 0 ? NULL : "*x*₂"},
        .title = title,
    };

    panel_open(&panel);
    density_panel_fill(&panel, map, &scale, LEVELS, levels);
    draw_rows(&panel, moons);
    panel_close(&panel);
}

bool moons_picture_write(const struct moons *moons, const char *path)
{
    const double height = panel_height(&moons->learned_map.box);
    const struct rectangle bar = {left + 2 * (side + gap) + 6, top, bar_width, height};
    struct picture sheet;
    char title[96];

    picture_create(&sheet, (int)(bar.x + bar_width + 46), (int)(top + height + 50));
    draw_map(sheet.cairo, 0, moons, &moons->exact_map,
             "exact density; lines at log *p* = −1, −2, −4, −6, −9");
    snprintf(title, sizeof title, "learned, integral %.4f; dots: rows of the data",
             density_map_integral(&moons->learned_map));
    draw_map(sheet.cairo, 1, moons, &moons->learned_map, title);
    density_panel_draw_bar(sheet.cairo, &bar, &scale, LEVELS, levels);
    return picture_finish(&sheet, path);
}
