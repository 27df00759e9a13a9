#include "histogram.h"

#include <math.h>

void histogram_fill(struct histogram *histogram, double low, double high, int64_t n,
                    const float *values)
{
    double width = (high - low) / HISTOGRAM_BINS;

    *histogram = (struct histogram){.low = low, .high = high};
    for (int64_t i = 0; i < n; i++) {
        double bin = floor((values[i] - low) / width);
        if (bin >= 0 && bin < HISTOGRAM_BINS)
            histogram->density[(int)bin] += 1 / (width * (double)n);
    }
}
