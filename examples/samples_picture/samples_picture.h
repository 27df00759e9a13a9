/** A picture that lets data and samples be compared by eye. */
#ifndef EXAMPLES_SAMPLES_PICTURE_H
#define EXAMPLES_SAMPLES_PICTURE_H

#include <stdbool.h>
#include <stdint.h>

struct samples_picture {
    int32_t dim;               /**< columns; the first two are drawn */
    int64_t n;                 /**< rows on either side */
    const float *data;         /**< [n, dim] */
    const float *samples;      /**< [n, dim] */
    const char *data_title;    /**< "simulated" */
    const char *samples_title; /**< "drawn from the model" */
    const char *names[2]; /**< of the columns, in UTF-8; the second is not read when dim is 1 */
};

/**
 * Write a PNG file: two scatter plots on the same axes, and the histograms of both columns at their
 * margins; for one column its histograms alone. Says on standard output what was written, or that
 * the program draws nothing because it was built without cairo. On failure says why on standard
 * error.
 */
bool samples_picture_write(const struct samples_picture *picture, const char *path);

#endif
