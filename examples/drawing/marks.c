#include "marks.h"

#include <math.h>

static void set_fill(cairo_t *cairo, const struct fill *fill)
{
    cairo_set_source_rgba(cairo, fill->colour.red, fill->colour.green, fill->colour.blue,
                          fill->opacity);
}

static void stroke_path(cairo_t *cairo, const struct stroke *stroke)
{
    cairo_set_source_rgba(cairo, stroke->colour.red, stroke->colour.green, stroke->colour.blue,
                          stroke->opacity);
    cairo_set_line_width(cairo, stroke->width);
    cairo_set_dash(cairo, &stroke->dash, stroke->dash > 0, 0);
    cairo_stroke(cairo);
    cairo_set_dash(cairo, NULL, 0, 0);
}

void mark_line(const struct panel *panel, int n, const double *x, const double *y,
               const struct stroke *stroke)
{
    cairo_new_path(panel->cairo);
    for (int i = 0; i < n; i++)
        cairo_line_to(panel->cairo, panel_x(panel, x[i]), panel_y(panel, y[i]));
    stroke_path(panel->cairo, stroke);
}

static void add_point(const struct panel *panel, enum direction direction, double along,
                      double height)
{
    if (direction == UPWARD)
        cairo_line_to(panel->cairo, panel_x(panel, along), panel_y(panel, height));
    else
        cairo_line_to(panel->cairo, panel_x(panel, height), panel_y(panel, along));
}

void mark_area(const struct panel *panel, enum direction direction, int n, const double *along,
               const double *height, const struct fill *fill)
{
    if (n == 0)
        return;
    cairo_new_path(panel->cairo);
    add_point(panel, direction, along[0], 0);
    for (int i = 0; i < n; i++)
        add_point(panel, direction, along[i], height[i]);
    add_point(panel, direction, along[n - 1], 0);
    cairo_close_path(panel->cairo);
    set_fill(panel->cairo, fill);
    cairo_fill(panel->cairo);
}

/* One outline, not n rectangles: edges that two bars share would shine through. */
void mark_bars(const struct panel *panel, enum direction direction, int n, double first,
               double last, const double *height, const struct fill *fill)
{
    double width = (last - first) / n;

    cairo_new_path(panel->cairo);
    add_point(panel, direction, first, 0);
    for (int i = 0; i < n; i++) {
        add_point(panel, direction, first + i * width, height[i]);
        add_point(panel, direction, first + (i + 1) * width, height[i]);
    }
    add_point(panel, direction, last, 0);
    cairo_close_path(panel->cairo);
    set_fill(panel->cairo, fill);
    cairo_fill(panel->cairo);
}

void mark_points(const struct panel *panel, int n, const double *x, const double *y, double radius,
                 const struct fill *fill)
{
    for (int i = 0; i < n; i++) {
        cairo_new_path(panel->cairo);
        cairo_arc(panel->cairo, panel_x(panel, x[i]), panel_y(panel, y[i]), radius, 0,
                  6.283185307179586);
        set_fill(panel->cairo, fill);
        cairo_fill_preserve(panel->cairo);
        cairo_set_source_rgba(panel->cairo, 1, 1, 1, fill->opacity);
        cairo_set_line_width(panel->cairo, radius > 2.5 ? 1 : 0);
        cairo_stroke(panel->cairo);
    }
}

/** A triangle with its tip at (x, y), pointing along (dx, dy), of length 1. */
static void draw_head(cairo_t *cairo, double x, double y, double dx, double dy, double size,
                      const struct fill *fill)
{
    double back_x = x - size * dx, back_y = y - size * dy, half = 0.42 * size;

    cairo_move_to(cairo, x, y);
    cairo_line_to(cairo, back_x - half * dy, back_y + half * dx);
    cairo_line_to(cairo, back_x + half * dy, back_y - half * dx);
    cairo_close_path(cairo);
    set_fill(cairo, fill);
    cairo_fill(cairo);
}

void mark_arrow(const struct panel *panel, double x0, double y0, double x1, double y1,
                const struct stroke *stroke)
{
    double ax = panel_x(panel, x0), ay = panel_y(panel, y0);
    double bx = panel_x(panel, x1), by = panel_y(panel, y1);
    double length = hypot(bx - ax, by - ay), head = 4 + 3 * stroke->width;
    const struct fill fill = {stroke->colour, stroke->opacity};

    if (length == 0)
        return;
    double dx = (bx - ax) / length, dy = (by - ay) / length;
    cairo_move_to(panel->cairo, ax, ay);
    cairo_line_to(panel->cairo, bx - 0.9 * head * dx, by - 0.9 * head * dy);
    stroke_path(panel->cairo, stroke);
    draw_head(panel->cairo, bx, by, dx, dy, head, &fill);
}

void mark_arrow_head(const struct panel *panel, double x0, double y0, double x1, double y1,
                     double size, const struct fill *fill)
{
    double ax = panel_x(panel, x0), ay = panel_y(panel, y0);
    double bx = panel_x(panel, x1), by = panel_y(panel, y1);
    double length = hypot(bx - ax, by - ay);

    if (length == 0)
        return;
    double dx = (bx - ax) / length, dy = (by - ay) / length;
    draw_head(panel->cairo, 0.5 * (ax + bx + size * dx), 0.5 * (ay + by + size * dy), dx, dy, size,
              fill);
}

void mark_level(const struct panel *panel, double y, const struct stroke *stroke)
{
    const double x[] = {panel->x.low, panel->x.high}, height[] = {y, y};

    mark_line(panel, 2, x, height, stroke);
}

void mark_text(const struct panel *panel, double x, double y, double right, double up,
               const char *text, const struct text_style *style)
{
    text_draw(panel->cairo, panel_x(panel, x) + right, panel_y(panel, y) - up, text, style);
}
