#include "../density_map/density_panel.h"
#include "anomaly_pictures.h"
#include "score_panel.h"

/* In points. */
static const double left = 62, top = 34, side = 400, bar_width = 14, bar_room = 104;
static const double scores_width = 400;

static const struct colour_scale scale = {COLOUR_MAP_VIRIDIS, -14, -3};
static const double levels[] = {-10, -8, -6, -5, -4};
enum { LEVELS = sizeof levels / sizeof levels[0] };

static void draw_rows(const struct panel *panel, const struct row_group *group, double radius,
                      const struct fill *fill)
{
    for (int64_t i = 0; i < group->n; i++) {
        const double x = group->rows[2 * i], y = group->rows[2 * i + 1];
        mark_points(panel, 1, &x, &y, radius, fill);
    }
}

static void draw_map(cairo_t *cairo, const struct geyser *geyser)
{
    const struct density_map *map = &geyser->map;
    const struct fill train = {{1, 1, 1}, 0.55}, held_out = {score_strokes[0].colour, 1},
                      turned = {score_strokes[GEYSER_TURNED].colour, 1};
    const struct legend_entry entries[] = {
        {"learned from", LEGEND_POINT, {{0.75, 0.75, 0.78}, 1, 0, 0}},
        {"held out", LEGEND_POINT, {held_out.colour, 1, 0, 0}},
        {"waits turned round", LEGEND_POINT, {turned.colour, 1, 0, 0}},
    };
    const struct panel panel = {
        .cairo = cairo,
        .frame = {left, top, side, side},
        .x = {.low = map->box.left,
              .high = map->box.right,
              .ticks = 6,
              .label = "eruption, minutes"},
        .y = {.low = map->box.bottom,
              .high = map->box.top,
              .ticks = 6,
              .label = "wait until the next one, minutes"},
        .title = "learned density; lines at log *p* = −4, −5, −6, −8, −10",
    };

    panel_open(&panel);
    density_panel_fill(&panel, map, &scale, LEVELS, levels);
    draw_rows(&panel, &geyser->train, 1.4, &train);
    draw_rows(&panel, &geyser->groups[GEYSER_TURNED], 3, &turned);
    draw_rows(&panel, &geyser->groups[GEYSER_HELD_OUT], 3, &held_out);
    panel_close(&panel);
    legend_draw(&panel, LEGEND_BOTTOM_RIGHT, 3, entries);
}

bool geyser_picture_write(const struct geyser *geyser, const char *path)
{
    const struct rectangle bar = {left + side + 14, top, bar_width, side};
    const struct rectangle scores = {bar.x + bar_width + bar_room, top, scores_width, side};
    struct picture sheet;

    picture_create(&sheet, (int)(scores.x + scores.width + 24), (int)(top + side + 50));
    draw_map(sheet.cairo, geyser);
    density_panel_draw_bar(sheet.cairo, &bar, &scale, LEVELS, levels);
    score_panel_draw(sheet.cairo, &scores, -24, -2, GEYSER_GROUPS, geyser->groups);
    return picture_finish(&sheet, path);
}
