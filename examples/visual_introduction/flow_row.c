#include "flow_row.h"

static const double left_margin = 54, right_margin = 14, side = 92, gap = 11, bar_room = 62;
static const double highest_density = 0.8;

static double middle_width(const struct flow_row *row)
{
    return FIGURE_WIDTH - left_margin - right_margin - 2 * (side + gap) - (row->bar ? bar_room : 0);
}

static struct panel begin(const struct flow_row *row, double x, double width, const char *title)
{
    return (struct panel){
        .cairo = row->cairo,
        .frame = {x, row->top, width, row->height},
        .y = {.low = -row->reach, .high = row->reach, .ticks = 5, .unnumbered = true},
        .title = title,
    };
}

static struct axis density_axis(const struct flow_row *row, double low, double high)
{
    return (struct axis){.low = low,
                         .high = high,
                         .ticks = 2,
                         .no_zero = true,
                         .unnumbered = row->upper,
                         .label = row->upper ? NULL : "density"};
}

struct panel flow_row_left(const struct flow_row *row, const char *title)
{
    struct panel panel = begin(row, left_margin, side, title);

    panel.x = density_axis(row, highest_density, 0);
    panel.y.unnumbered = false;
    panel.y.label = "*x*";
    return panel;
}

struct panel flow_row_middle(const struct flow_row *row, const char *title)
{
    struct panel panel = begin(row, left_margin + side + gap, middle_width(row), title);

    panel.x = (struct axis){.low = 0,
                            .high = 1,
                            .ticks = 5,
                            .unnumbered = row->upper,
                            .label = row->upper ? NULL : "time *t*"};
    return panel;
}

struct panel flow_row_right(const struct flow_row *row, const char *title)
{
    struct panel panel = begin(row, left_margin + side + 2 * gap + middle_width(row), side, title);

    panel.x = density_axis(row, 0, highest_density);
    return panel;
}

struct rectangle flow_row_bar(const struct flow_row *row)
{
    return (struct rectangle){FIGURE_WIDTH - right_margin - bar_room + 22, row->top, 12,
                              row->height};
}

void draw_side_density(const struct panel *panel, int n, const double *x, const double *density,
                       const struct colour *colour)
{
    const struct fill fill = {*colour, 0.25};
    const struct stroke line = {*colour, 1, 1.8, 0};

    panel_open(panel);
    mark_area(panel, SIDEWAYS, n, x, density, &fill);
    mark_line(panel, n, density, x, &line);
    panel_close(panel);
}

void draw_side_histogram(const struct panel *panel, const struct histogram *histogram, int n,
                         const double *x, const double *density, const struct colour *colour)
{
    const struct fill fill = {*colour, 0.75};
    const struct stroke line = {exact_colour, 1, 1.2, 0};

    panel_open(panel);
    mark_bars(panel, SIDEWAYS, HISTOGRAM_BINS, histogram->low, histogram->high, histogram->density,
              &fill);
    if (x)
        mark_line(panel, n, density, x, &line);
    panel_close(panel);
}
