/** A column of data and samples as an axis: a range that holds both, numbers short enough to read.
 */
#ifndef EXAMPLES_COLUMN_AXIS_H
#define EXAMPLES_COLUMN_AXIS_H

#include "../drawing/axis.h"
#include "samples_picture.h"

enum { COLUMN_BINS = 48, COLUMN_LABEL = 256 };

struct column_axis {
    double unit;      /**< values are drawn in multiples of this power of ten */
    double low, high; /**< of the axis, in units */
    double *data;     /**< [n], in units */
    double *samples;  /**< [n], in units */
    int bins;         /**< of equal width, from low to high */
    double data_share[COLUMN_BINS];
    double samples_share[COLUMN_BINS]; /**< of all rows, for each bin */
    double highest;                    /**< of the shares */
    char label[COLUMN_LABEL];          /**< name and unit */
};

/** False without memory. To be destroyed in any case. */
bool column_axis_create(struct column_axis *column, const struct samples_picture *picture,
                        int32_t index);
void column_axis_destroy(struct column_axis *column);

/** With label and about so many ticks. */
struct axis column_axis_of_panel(const struct column_axis *column, int ticks);

#endif
