#include "panel.h"

static const struct colour ground = {1, 1, 1};
static const struct colour grid_line = {0.91, 0.91, 0.92};
static const struct colour frame_line = {0.45, 0.46, 0.49};
static const double tick_length = 4;

const struct text_style panel_number_style = {.size = 11.5, .colour = {0.25, 0.26, 0.29}};
const struct text_style panel_label_style = {.size = 12.5, .colour = {0.13, 0.14, 0.17}};
const struct text_style panel_title_style = {
    .size = 13.5, .colour = {0.13, 0.14, 0.17}, .align = TEXT_CENTRE};

double panel_x(const struct panel *panel, double value)
{
    return panel->frame.x + panel->frame.width * axis_position(&panel->x, value);
}

double panel_y(const struct panel *panel, double value)
{
    return panel->frame.y + panel->frame.height * (1 - axis_position(&panel->y, value));
}

static void set_colour(cairo_t *cairo, struct colour colour)
{
    cairo_set_source_rgb(cairo, colour.red, colour.green, colour.blue);
}

static void add_segment(cairo_t *cairo, double x0, double y0, double x1, double y1)
{
    cairo_move_to(cairo, x0, y0);
    cairo_line_to(cairo, x1, y1);
}

static void draw_tick(cairo_t *cairo, double x0, double y0, double x1, double y1)
{
    add_segment(cairo, x0, y0, x1, y1);
    set_colour(cairo, frame_line);
    cairo_set_line_width(cairo, 1);
    cairo_stroke(cairo);
}

static void add_rectangle(cairo_t *cairo, const struct rectangle *r)
{
    cairo_rectangle(cairo, r->x, r->y, r->width, r->height);
}

/* Of a logarithmic axis only the numbered ticks have a line: nine in a decade are a fog. */
static void draw_grid(const struct panel *panel)
{
    const struct rectangle *f = &panel->frame;
    struct ticks ticks;

    axis_find_ticks(&panel->x, &ticks);
    for (int i = 0; i < ticks.count; i++)
        if (!panel->x.logarithmic || ticks.number[i][0])
            add_segment(panel->cairo, panel_x(panel, ticks.place[i]), f->y,
                        panel_x(panel, ticks.place[i]), f->y + f->height);
    axis_find_ticks(&panel->y, &ticks);
    for (int i = 0; i < ticks.count; i++)
        if (!panel->y.logarithmic || ticks.number[i][0])
            add_segment(panel->cairo, f->x, panel_y(panel, ticks.place[i]), f->x + f->width,
                        panel_y(panel, ticks.place[i]));
    set_colour(panel->cairo, grid_line);
    cairo_set_line_width(panel->cairo, 0.8);
    cairo_stroke(panel->cairo);
}

void panel_open(const struct panel *panel)
{
    cairo_save(panel->cairo);
    add_rectangle(panel->cairo, &panel->frame);
    cairo_clip(panel->cairo);
    set_colour(panel->cairo, ground);
    cairo_paint(panel->cairo);
    draw_grid(panel);
}

static void draw_x_axis(const struct panel *panel)
{
    const struct rectangle *f = &panel->frame;
    double bottom = f->y + f->height;
    struct text_style number = panel_number_style, label = panel_label_style;
    struct ticks ticks;

    number.align = label.align = TEXT_CENTRE;
    number.height = label.height = TEXT_TOP;
    axis_find_ticks(&panel->x, &ticks);
    for (int i = 0; i < ticks.count; i++) {
        double x = panel_x(panel, ticks.place[i]);
        draw_tick(panel->cairo, x, bottom, x, bottom + tick_length);
        text_draw(panel->cairo, x, bottom + tick_length + 4, ticks.number[i], &number);
    }
    if (panel->x.label)
        text_draw(panel->cairo, f->x + 0.5 * f->width, bottom + 25, panel->x.label, &label);
}

/** Where the label of the y axis ends, to the left of the longest number. */
static double draw_y_numbers(const struct panel *panel)
{
    const struct rectangle *f = &panel->frame;
    struct text_style number = panel_number_style;
    struct ticks ticks;
    double widest = 0;

    number.align = TEXT_RIGHT;
    number.height = TEXT_MIDDLE;
    axis_find_ticks(&panel->y, &ticks);
    for (int i = 0; i < ticks.count; i++) {
        double y = panel_y(panel, ticks.place[i]);
        double width = text_width(panel->cairo, ticks.number[i], &number);
        draw_tick(panel->cairo, f->x - tick_length, y, f->x, y);
        text_draw(panel->cairo, f->x - tick_length - 3, y, ticks.number[i], &number);
        widest = width > widest ? width : widest;
    }
    return f->x - tick_length - 3 - widest - 8;
}

static void draw_y_axis(const struct panel *panel)
{
    const struct rectangle *f = &panel->frame;
    struct text_style label = panel_label_style;
    double x = draw_y_numbers(panel);

    label.align = TEXT_CENTRE;
    label.upward = true;
    if (panel->y.label)
        text_draw(panel->cairo, x, f->y + 0.5 * f->height, panel->y.label, &label);
}

void panel_close(const struct panel *panel)
{
    const struct rectangle *f = &panel->frame;

    cairo_restore(panel->cairo);
    draw_x_axis(panel);
    draw_y_axis(panel);
    add_rectangle(panel->cairo, f);
    set_colour(panel->cairo, frame_line);
    cairo_set_line_width(panel->cairo, 1);
    cairo_stroke(panel->cairo);
    if (panel->title)
        text_draw(panel->cairo, f->x + 0.5 * f->width, f->y - 9, panel->title, &panel_title_style);
}
