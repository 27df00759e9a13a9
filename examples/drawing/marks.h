/** What is drawn into an open panel: lines, areas, bars, points and arrows. */
#ifndef EXAMPLES_MARKS_H
#define EXAMPLES_MARKS_H

#include "panel.h"

struct stroke {
    struct colour colour;
    double opacity; /**< 0 to 1 */
    double width;   /**< in points */
    double dash;    /**< length of a dash and of the gap after it; 0: none */
};

struct fill {
    struct colour colour;
    double opacity;
};

/** Which way a function grows. */
enum direction {
    UPWARD,  /**< along x, growing with y */
    SIDEWAYS /**< along y, growing with x */
};

void mark_line(const struct panel *panel, int n, const double *x, const double *y,
               const struct stroke *stroke);

/** What lies between a function and zero. */
void mark_area(const struct panel *panel, enum direction direction, int n, const double *along,
               const double *height, const struct fill *fill);

/** Bars of equal width that fill the range from `first` to `last`. */
void mark_bars(const struct panel *panel, enum direction direction, int n, double first,
               double last, const double *height, const struct fill *fill);

/** Discs with a thin white rim. */
void mark_points(const struct panel *panel, int n, const double *x, const double *y, double radius,
                 const struct fill *fill);

/** From one point to another, in the panel's units, with a filled head. */
void mark_arrow(const struct panel *panel, double x0, double y0, double x1, double y1,
                const struct stroke *stroke);

/** A head alone, `size` points long, in the middle of the line from one point to the other. */
void mark_arrow_head(const struct panel *panel, double x0, double y0, double x1, double y1,
                     double size, const struct fill *fill);

void mark_level(const struct panel *panel, double y, const struct stroke *stroke);

/** Text beside a point, `right` and `up` so many points away. */
void mark_text(const struct panel *panel, double x, double y, double right, double up,
               const char *text, const struct text_style *style);

#endif
