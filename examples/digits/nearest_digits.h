/** The real digits that an image is nearest to: what it shows, and whether it is a copy. */
#ifndef EXAMPLES_NEAREST_DIGITS_H
#define EXAMPLES_NEAREST_DIGITS_H

#include "digit_rows.h"

struct nearest_digit {
    int64_t row;     /**< the nearest */
    double distance; /**< to it, Euclidean */
    float label;     /**< that most of the three nearest have; the nearest one's if all differ */
};

/** For each of n images [n, PIXELS]. */
void nearest_digits_find(const struct digit_rows *real, int64_t n, const float *images,
                         struct nearest_digit *nearest);

double nearest_digits_median_distance(int64_t n, const struct nearest_digit *nearest);

/** Share of the images that are recognised as what their labels [n] say. */
double nearest_digits_share(int64_t n, const struct nearest_digit *nearest, const float *labels);

#endif
