#include "model/time_features.h"

#include "compute/vector_kernels.h"

#include <math.h>

int32_t time_features_width(int32_t frequencies)
{
    return frequencies > 0 ? 2 * frequencies : 1;
}

/* k pi t in turns, on [0, 1]: k t is exact in double, so that a high frequency loses nothing. */
static float turns_of(int32_t k, float t)
{
    const double turns = 0.5 * k * (double)t;
    return (float)(turns - floor(turns));
}

void time_features_forward(int32_t frequencies, const struct vector_kernels *kernels, int64_t n,
                           const float *t, float *to, int64_t step)
{
    enum { TOGETHER = 4 * TIME_FREQUENCIES_MAX };
    float turns[TOGETHER], sine[TOGETHER], cosine[TOGETHER];
    const int64_t together = TOGETHER / frequencies;
    for (int64_t first = 0; first < n; first += together) {
        const int64_t rows = n - first < together ? n - first : together;
        for (int64_t i = 0; i < rows; i++)
            for (int32_t k = 0; k < frequencies; k++)
                turns[i * frequencies + k] = turns_of(k + 1, t[first + i]);
        kernels->sincos_turns(rows * frequencies, turns, sine, cosine);
        for (int64_t i = 0; i < rows; i++, to += step)
            for (int32_t k = 0; k < frequencies; k++) {
                to[2 * k] = cosine[i * frequencies + k];
                to[2 * k + 1] = sine[i * frequencies + k];
            }
    }
}
