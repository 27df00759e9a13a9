#include "path/conditional_cost.h"

#include <math.h>

#define FIRST_WEIGHT    100.0
#define WEIGHT_MAX      1e8
#define SHARE_TOLERANCE 1e-3

enum { BISECTIONS = 60 };

double conditional_cost_share(int64_t n, const double *cost, const double *condition, double weight)
{
    int64_t count = 0;
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < n; j++)
            count += cost[i * n + j] + weight * condition[i * n + j] <= cost[j * n + j];
    return (double)count / ((double)n * (double)n);
}

/* Between a weight with too large a share and one with a small enough one. The share moves in
 * steps, so it may never come near the rate; then the smallest weight that is not above it. */
static double bisect(int64_t n, const double *cost, const double *condition, double rate,
                     double low, double high)
{
    for (int k = 0; k < BISECTIONS; k++) {
        const double middle = low + (high - low) / 2;
        const double share = conditional_cost_share(n, cost, condition, middle);
        if (fabs(share - rate) <= SHARE_TOLERANCE)
            return middle;
        if (share > rate)
            low = middle;
        else
            high = middle;
    }
    return high;
}

double conditional_cost_weight(int64_t n, const double *cost, const double *condition, double rate)
{
    if (conditional_cost_share(n, cost, condition, 0.0) <= rate + SHARE_TOLERANCE)
        return 0.0;
    double low = 0.0, high = FIRST_WEIGHT;
    while (conditional_cost_share(n, cost, condition, high) > rate) {
        if (high >= WEIGHT_MAX)
            return WEIGHT_MAX;
        low = high;
        high = fmin(2.0 * high, WEIGHT_MAX);
    }
    return bisect(n, cost, condition, rate, low, high);
}
