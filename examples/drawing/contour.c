#include "contour.h"

#include <math.h>

/* Marching squares: of the square between four neighbouring centres, corners 0 to 3
 * counter-clockwise from the lower left one, and edge k from corner k to the next. */
enum { CORNERS = 4 };

struct square {
    double x[CORNERS], y[CORNERS], value[CORNERS];
};

static struct square square_at(const struct grid *grid, int column, int row)
{
    static const int right[CORNERS] = {0, 1, 1, 0}, up[CORNERS] = {0, 0, 1, 1};
    struct square square;

    for (int k = 0; k < CORNERS; k++) {
        square.x[k] = grid_column_centre(grid, column + right[k]);
        square.y[k] = grid_row_centre(grid, row + up[k]);
        square.value[k] = *grid_at(grid, column + right[k], row + up[k]);
    }
    return square;
}

/** Where the line crosses the square's edges, in the edges' order: at none, two or four places. */
static int find_crossings(const struct square *s, double level, double *x, double *y)
{
    int count = 0;

    for (int k = 0; k < CORNERS; k++) {
        int next = (k + 1) % CORNERS;
        if ((s->value[k] < level) == (s->value[next] < level))
            continue;
        double part = (level - s->value[k]) / (s->value[next] - s->value[k]);
        x[count] = s->x[k] + part * (s->x[next] - s->x[k]);
        y[count++] = s->y[k] + part * (s->y[next] - s->y[k]);
    }
    return count;
}

/* Four crossings are a saddle: the mean of the corners says whether its middle belongs to corners 0
 * and 2, and each line cuts off one of the others, or to the others. */
static void draw_square(const struct panel *panel, const struct square *square, double level,
                        const struct stroke *stroke)
{
    const double *value = square->value;
    double middle = (value[0] + value[1] + value[2] + value[3]) / CORNERS;
    double x[CORNERS + 1], y[CORNERS + 1];

    if (isnan(middle))
        return;
    int count = find_crossings(square, level, x, y);
    x[count] = x[0], y[count] = y[0];
    int first = count == CORNERS && (middle < level) != (value[0] < level);
    for (int k = first; k + 1 < count + first; k += 2)
        mark_line(panel, 2, x + k, y + k, stroke);
}

void contour_draw(const struct panel *panel, const struct grid *grid, double level,
                  const struct stroke *stroke)
{
    for (int column = 0; column + 1 < grid->columns; column++)
        for (int row = 0; row + 1 < grid->rows; row++) {
            const struct square square = square_at(grid, column, row);
            draw_square(panel, &square, level, stroke);
        }
}
