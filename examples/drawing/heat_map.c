#include "heat_map.h"
#include "picture.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>

enum { SHADES = 256 };

bool grid_create_over_time(struct grid *grid, int times, int rows, double reach)
{
    double half = 0.5 / (times - 1);

    *grid = (struct grid){times, rows, -half, 1 + half, -reach, reach, NULL};
    grid->values = calloc((size_t)times * (size_t)rows, sizeof *grid->values);
    return grid->values != NULL;
}

void grid_destroy(struct grid *grid)
{
    free(grid->values);
    *grid = (struct grid){0};
}

double grid_column_centre(const struct grid *grid, int column)
{
    return grid->left + (column + 0.5) * (grid->right - grid->left) / grid->columns;
}

double grid_row_centre(const struct grid *grid, int row)
{
    return grid->bottom + (row + 0.5) * (grid->top - grid->bottom) / grid->rows;
}

int grid_row_of(const struct grid *grid, double value)
{
    return (int)floor((value - grid->bottom) / (grid->top - grid->bottom) * grid->rows);
}

double *grid_at(const struct grid *grid, int column, int row)
{
    return &grid->values[(size_t)column * (size_t)grid->rows + (size_t)row];
}

double grid_largest(const struct grid *grid)
{
    double largest = 0;

    for (int i = 0; i < grid->columns * grid->rows; i++)
        if (fabs(grid->values[i]) > largest)
            largest = fabs(grid->values[i]);
    return largest;
}

/** A palette for cairo's pixels: 0xAARRGGBB. */
static void fill_palette(enum colour_map map, uint32_t palette[SHADES])
{
    for (int i = 0; i < SHADES; i++) {
        struct colour c = colour_map_at(map, (double)i / (SHADES - 1));
        palette[i] = 0xff000000u | (uint32_t)lround(255 * c.red) << 16 |
                     (uint32_t)lround(255 * c.green) << 8 | (uint32_t)lround(255 * c.blue);
    }
}

static uint32_t shade(const uint32_t palette[SHADES], const struct colour_scale *scale,
                      double value)
{
    double position = (value - scale->low) / (scale->high - scale->low);

    if (isnan(position))
        return 0;
    return palette[(int)(fmin(fmax(position, 0), 1) * (SHADES - 1) + 0.5)];
}

static double value_in(const struct grid *grid, double column, double row)
{
    if (column < 0 || row < 0 || column >= grid->columns || row >= grid->rows)
        return NAN;
    return *grid_at(grid, (int)column, (int)row);
}

/** Split a place between cell centres into the cell before it and the part of the way to the next;
 * beyond the outer centres the outer cell counts. */
static int before(double place, int cells, double *part)
{
    double inner = fmin(fmax(place - 0.5, 0), cells - 1);
    int index = inner < cells - 1 ? (int)inner : cells > 1 ? cells - 2 : 0;

    *part = inner - index;
    return index;
}

static double value_between(const struct grid *grid, double column, double row)
{
    double right, up;
    int c = before(column, grid->columns, &right), r = before(row, grid->rows, &up);

    if (grid->columns == 1 || grid->rows == 1 || isnan(value_in(grid, column, row)))
        return value_in(grid, column, row);
    return (1 - right) * ((1 - up) * *grid_at(grid, c, r) + up * *grid_at(grid, c, r + 1)) +
           right * ((1 - up) * *grid_at(grid, c + 1, r) + up * *grid_at(grid, c + 1, r + 1));
}

/** Pixels of the frame, each from the value at its centre. */
static void fill_pixels(cairo_surface_t *image, const struct panel *panel, const struct grid *grid,
                        const struct colour_scale *scale, enum heat_cells cells)
{
    int width = cairo_image_surface_get_width(image),
        height = cairo_image_surface_get_height(image);
    int stride = cairo_image_surface_get_stride(image);
    unsigned char *data = cairo_image_surface_get_data(image);
    uint32_t palette[SHADES];

    fill_palette(scale->map, palette);
    for (int i = 0; data && i < height; i++) {
        uint32_t *line = (uint32_t *)(void *)(data + (ptrdiff_t)i * stride);
        double y = panel->y.low + (panel->y.high - panel->y.low) * (1 - (i + 0.5) / height);
        double row = (y - grid->bottom) / (grid->top - grid->bottom) * grid->rows;

        for (int j = 0; j < width; j++) {
            double x = panel->x.low + (panel->x.high - panel->x.low) * (j + 0.5) / width;
            double column = (x - grid->left) / (grid->right - grid->left) * grid->columns;
            line[j] = shade(palette, scale,
                            cells == HEAT_CELLS_FLAT ? value_in(grid, column, row)
                                                     : value_between(grid, column, row));
        }
    }
}

void heat_map_draw(const struct panel *panel, const struct grid *grid,
                   const struct colour_scale *scale, enum heat_cells cells)
{
    const struct rectangle *f = &panel->frame;
    cairo_surface_t *image =
        cairo_image_surface_create(CAIRO_FORMAT_ARGB32, (int)lround(f->width * PICTURE_SCALE),
                                   (int)lround(f->height * PICTURE_SCALE));

    cairo_surface_flush(image);
    fill_pixels(image, panel, grid, scale, cells);
    cairo_surface_mark_dirty(image);
    cairo_surface_set_device_scale(image, PICTURE_SCALE, PICTURE_SCALE);
    cairo_set_source_surface(panel->cairo, image, f->x, f->y);
    cairo_pattern_set_filter(cairo_get_source(panel->cairo), CAIRO_FILTER_NEAREST);
    cairo_paint(panel->cairo);
    cairo_surface_destroy(image);
}

static void draw_bar_numbers(const struct panel *bar)
{
    const struct rectangle *f = &bar->frame;
    struct text_style number = panel_number_style;
    const struct axis axis = {.low = bar->y.low, .high = bar->y.high, .ticks = 5};
    struct ticks ticks;

    number.height = TEXT_MIDDLE;
    axis_find_ticks(&axis, &ticks);
    for (int i = 0; i < ticks.count; i++) {
        double y = panel_y(bar, ticks.place[i]);
        cairo_move_to(bar->cairo, f->x + f->width, y);
        cairo_line_to(bar->cairo, f->x + f->width + 4, y);
        cairo_set_source_rgb(bar->cairo, 0.45, 0.46, 0.49);
        cairo_set_line_width(bar->cairo, 1);
        cairo_stroke(bar->cairo);
        text_draw(bar->cairo, f->x + f->width + 7, y, ticks.number[i], &number);
    }
}

void colour_bar_draw(cairo_t *cairo, const struct rectangle *frame,
                     const struct colour_scale *scale, const char *label)
{
    double steps[SHADES];
    const struct grid grid = {1, SHADES, 0, 1, scale->low, scale->high, steps};
    const struct panel bar = {
        cairo, *frame, {.low = 0, .high = 1}, {.low = scale->low, .high = scale->high}, NULL};
    struct text_style style = panel_label_style;

    for (int i = 0; i < SHADES; i++)
        steps[i] = grid_row_centre(&grid, i);
    panel_open(&bar);
    heat_map_draw(&bar, &grid, scale, HEAT_CELLS_FLAT);
    panel_close(&bar);
    draw_bar_numbers(&bar);
    style.align = TEXT_CENTRE;
    text_draw(cairo, frame->x + 0.5 * frame->width, frame->y - 9, label, &style);
}
