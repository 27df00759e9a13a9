#include "path/plan.h"

/* On [0, 1), of 48 bits: a float's 24 would never draw what is less likely than 6e-8. */
static double uniform_of(const float *pair)
{
    return (double)pair[0] + (double)pair[1] * 0x1p-24;
}

static double draw_uniform(const struct random_stream *stream, int64_t index)
{
    float pair[2];
    random_stream_uniform(stream, 0, 2 * (uint64_t)index, 2, pair);
    return uniform_of(pair);
}

void plan_draw_columns(int64_t n, int64_t m, const double *plan, const struct random_stream *stream,
                       int64_t first, int32_t *column)
{
    for (int64_t i = 0; i < n; i++) {
        const double *row = plan + i * m;
        double mass = 0.0, below = 0.0;
        for (int64_t j = 0; j < m; j++)
            mass += row[j];
        const double wanted = draw_uniform(stream, first + i) * mass;
        column[i] = -1;
        for (int64_t j = 0; j < m && !(below > wanted); j++) {
            below += row[j];
            if (row[j] > 0.0)
                column[i] = (int32_t)j;
        }
    }
}
