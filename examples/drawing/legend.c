#include "legend.h"

static const double margin = 9, padding = 8, line_height = 18, key_width = 22, gap = 8;

static void draw_key(cairo_t *cairo, const struct legend_entry *entry, double x, double y)
{
    /* A panel whose units are points, so that a key is drawn as the mark itself is. */
    const struct panel page = {
        cairo, {0, 0, 1, 1}, {.low = 0, .high = 1}, {.low = 1, .high = 0}, NULL};
    const struct fill fill = {entry->stroke.colour, entry->stroke.opacity};
    const double ends[] = {x, x + key_width}, level[] = {y, y}, middle = x + 0.5 * key_width;
    const double height[] = {y - 5.5};

    switch (entry->key) {
    case LEGEND_LINE:
        mark_line(&page, 2, ends, level, &entry->stroke);
        break;
    case LEGEND_PATCH:
        cairo_rectangle(cairo, x, height[0], key_width, 11);
        cairo_set_source_rgba(cairo, fill.colour.red, fill.colour.green, fill.colour.blue,
                              fill.opacity);
        cairo_fill(cairo);
        break;
    case LEGEND_POINT:
        mark_points(&page, 1, &middle, level, 4, &fill);
        break;
    }
}

static struct rectangle place(const struct panel *panel, enum legend_corner corner, double width,
                              double height)
{
    const struct rectangle *f = &panel->frame;
    bool right = corner == LEGEND_TOP_RIGHT || corner == LEGEND_BOTTOM_RIGHT;
    bool bottom = corner == LEGEND_BOTTOM_LEFT || corner == LEGEND_BOTTOM_RIGHT;

    return (struct rectangle){right ? f->x + f->width - margin - width : f->x + margin,
                              bottom ? f->y + f->height - margin - height : f->y + margin, width,
                              height};
}

void legend_draw(const struct panel *panel, enum legend_corner corner, int n,
                 const struct legend_entry *entries)
{
    struct text_style style = panel_number_style;
    double widest = 0;

    style.height = TEXT_MIDDLE;
    for (int i = 0; i < n; i++) {
        double width = text_width(panel->cairo, entries[i].label, &style);
        widest = width > widest ? width : widest;
    }
    struct rectangle box = place(panel, corner, 2 * padding + key_width + gap + widest,
                                 2 * padding - 2 + n * line_height);

    cairo_rectangle(panel->cairo, box.x, box.y, box.width, box.height);
    cairo_set_source_rgba(panel->cairo, 1, 1, 1, 0.85);
    cairo_fill_preserve(panel->cairo);
    cairo_set_source_rgba(panel->cairo, 0, 0, 0, 0.15);
    cairo_set_line_width(panel->cairo, 1);
    cairo_stroke(panel->cairo);
    for (int i = 0; i < n; i++) {
        double y = box.y + padding - 1 + (i + 0.5) * line_height;
        draw_key(panel->cairo, &entries[i], box.x + padding, y);
        text_draw(panel->cairo, box.x + padding + key_width + gap, y, entries[i].label, &style);
    }
}
