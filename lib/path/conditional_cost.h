/* The weight of conditions in the cost of transport: Cheng and Schwing, "The Curse of Conditions:
 * Analyzing and Improving Optimal Transport for Conditional Flow-Based Generation", 2025 (C2OT). */
#ifndef PATH_CONDITIONAL_COST_H
#define PATH_CONDITIONAL_COST_H

#include <stdint.h>

/* Share of the pairs (i, j) of [n, n] with cost_ij + weight condition_ij <= cost_jj. */
double conditional_cost_share(int64_t n, const double *cost, const double *condition,
                              double weight);

/* The weight w >= 0 at which that share is `rate` within 1e-3, or as near as n allows: 0 if it is
 * no more at w = 0; else doubled from 100 while it is above, up to 1e8, and bisected. condition_ij
 * >= 0, so that the share falls with w. */
double conditional_cost_weight(int64_t n, const double *cost, const double *condition, double rate);

#endif
