/** One direction of a panel: its range, and where its ticks are. */
#ifndef EXAMPLES_AXIS_H
#define EXAMPLES_AXIS_H

#include <stdbool.h>
#include <stddef.h>

enum { AXIS_TICKS = 64, AXIS_NUMBER = 24 };

struct axis {
    double low, high; /**< at the left or lower end and at the other; low > high runs backward */
    bool logarithmic;
    const char *label; /**< or NULL */
    int ticks;         /**< about so many, at round numbers; 0: none */
    bool unnumbered;   /**< ticks without numbers, where a neighbour has them */
    bool no_zero;      /**< no tick at zero, where a neighbour's number would be in the way */
};

struct ticks {
    int count;
    double place[AXIS_TICKS];
    char number[AXIS_TICKS][AXIS_NUMBER];
};

/** A value's position: 0 at low, 1 at high. */
double axis_position(const struct axis *axis, double value);

void axis_find_ticks(const struct axis *axis, struct ticks *ticks);

#endif
