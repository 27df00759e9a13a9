#include "samples_picture.h"
#include "../drawing/chart.h"
#include "column_axis.h"

#include <math.h>
#include <stdio.h>

/* Blue and orange stay apart for every kind of colour blindness. */
static const struct colour data_colour = {0.16, 0.44, 0.70};
static const struct colour samples_colour = {0.85, 0.42, 0.05};

/* In points. */
static const double left = 84, top = 34, side = 320, margin = 76, gap = 12;

static struct panel panel_at(cairo_t *cairo, double x, double y, double width, double height)
{
    return (struct panel){.cairo = cairo, .frame = {x, y, width, height}};
}

/** Shares of rows without numbers: what matters is one beside the other. */
static struct axis share_axis(const struct column_axis *column)
{
    return (struct axis){.low = 0, .high = 1.08 * column->highest};
}

static void draw_outline(const struct panel *panel, enum direction direction,
                         const struct column_axis *column)
{
    const struct stroke stroke = {samples_colour, 1, 1.6, 0};
    double along[2 * COLUMN_BINS], height[2 * COLUMN_BINS];

    for (int i = 0; i < 2 * column->bins; i++) {
        double position = (double)((i + 1) / 2) / column->bins;
        along[i] = column->low + position * (column->high - column->low);
        height[i] = column->samples_share[i / 2];
    }
    if (direction == UPWARD)
        mark_line(panel, 2 * column->bins, along, height, &stroke);
    else
        mark_line(panel, 2 * column->bins, height, along, &stroke);
}

/** Data as an area, samples as a line over it, so that neither hides the other. */
static void draw_histograms(const struct panel *panel, enum direction direction,
                            const struct column_axis *column)
{
    const struct fill fill = {data_colour, 0.45};

    panel_open(panel);
    mark_bars(panel, direction, column->bins, column->low, column->high, column->data_share, &fill);
    draw_outline(panel, direction, column);
    panel_close(panel);
}

/** Smaller and fainter discs the more there are, so that dense places stay darker. */
static void draw_points(const struct panel *panel, int64_t n, const double *x, const double *y,
                        struct colour colour)
{
    double crowd = fmin(1, 400 / (double)n);
    const struct fill fill = {colour, 0.4 + 0.45 * crowd};

    panel_open(panel);
    mark_points(panel, (int)n, x, y, 1.1 + 1.3 * sqrt(crowd), &fill);
    panel_close(panel);
}

static void draw_upper_margin(cairo_t *cairo, double x, const char *title,
                              const struct column_axis *column)
{
    struct panel panel = panel_at(cairo, x, top, side, margin);

    panel.title = title;
    panel.x = column_axis_of_panel(column, 0);
    panel.x.label = NULL;
    panel.y = share_axis(column);
    draw_histograms(&panel, UPWARD, column);
}

static void draw_scatter(cairo_t *cairo, const struct samples_picture *picture,
                         const struct column_axis columns[2])
{
    const double right = left + side + gap, lower = top + margin + gap;
    struct panel panel = panel_at(cairo, left, lower, side, side);

    panel.x = column_axis_of_panel(&columns[0], 5);
    panel.y = column_axis_of_panel(&columns[1], 5);
    draw_upper_margin(cairo, left, picture->data_title, &columns[0]);
    draw_points(&panel, picture->n, columns[0].data, columns[1].data, data_colour);
    panel.frame.x = right;
    panel.y.unnumbered = true;
    panel.y.label = NULL;
    draw_upper_margin(cairo, right, picture->samples_title, &columns[0]);
    draw_points(&panel, picture->n, columns[0].samples, columns[1].samples, samples_colour);

    panel = panel_at(cairo, right + side + gap, lower, margin, side);
    panel.x = share_axis(&columns[1]);
    panel.y = column_axis_of_panel(&columns[1], 0);
    panel.y.label = NULL;
    draw_histograms(&panel, SIDEWAYS, &columns[1]);
}

static void draw_one_column(cairo_t *cairo, const struct samples_picture *picture,
                            const struct column_axis *column)
{
    const struct legend_entry entries[] = {
        {picture->data_title, LEGEND_PATCH, {data_colour, 0.45, 0, 0}},
        {picture->samples_title, LEGEND_LINE, {samples_colour, 1, 1.6, 0}},
    };
    struct panel panel = panel_at(cairo, left, 16, 2 * side, side);

    panel.x = column_axis_of_panel(column, 7);
    panel.y = share_axis(column);
    panel.y.high *= 1.15; /* room for the legend */
    panel.y.ticks = 5;
    panel.y.label = "share of the rows";
    draw_histograms(&panel, UPWARD, column);
    legend_draw(&panel, LEGEND_TOP_RIGHT, 2, entries);
}

static bool draw(const struct samples_picture *picture, const struct column_axis columns[2],
                 const char *path)
{
    struct picture sheet;

    if (picture->dim > 1) {
        picture_create(&sheet, (int)(left + 2 * side + margin + 3 * gap),
                       (int)(top + margin + gap + side + 50));
        draw_scatter(sheet.cairo, picture, columns);
    } else {
        picture_create(&sheet, (int)(left + 2 * side + 20), (int)(16 + side + 50));
        draw_one_column(sheet.cairo, picture, &columns[0]);
    }
    return picture_finish(&sheet, path);
}

bool samples_picture_write(const struct samples_picture *picture, const char *path)
{
    struct column_axis columns[2] = {{0}};
    bool created = true, written = false;

    for (int32_t j = 0; created && j < 2 && j < picture->dim; j++)
        created = column_axis_create(&columns[j], picture, j);
    if (created)
        written = draw(picture, columns, path);
    else
        fprintf(stderr, "cannot draw %s: out of memory\n", path);
    for (int j = 0; j < 2; j++)
        column_axis_destroy(&columns[j]);
    return written;
}
