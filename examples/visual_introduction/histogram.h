/** Histograms that estimate a density. */
#ifndef EXAMPLES_HISTOGRAM_H
#define EXAMPLES_HISTOGRAM_H

#include <stdint.h>

enum { HISTOGRAM_BINS = 100 };

struct histogram {
    double low, high;
    double density[HISTOGRAM_BINS]; /**< share of all values, per unit of length */
};

/** Values outside the range count in the whole but have no bin. */
void histogram_fill(struct histogram *histogram, double low, double high, int64_t n,
                    const float *values);

#endif
