/** From noise to data and with how much more noise along the way: the same starts, and where each
 * way ends. */
#ifndef EXAMPLES_TRAVEL_H
#define EXAMPLES_TRAVEL_H

#include <flowmatch/flowmatch.h>

enum {
    TRAVEL_STEPS = 100,
    TRAVEL_TIMES = TRAVEL_STEPS + 1,
    SHOWN_PATHS = 60,
    LEAST_TRAVELLERS = SHOWN_PATHS,
    MOST_TRAVELLERS = 100000
};

/** What all ways have in common. */
struct journey {
    fmatch_context *context;
    fmatch_source *noise, *target;
    fmatch_model *exact;              /**< the field of the target, in closed form */
    int64_t n;                        /**< travellers */
    float starts[MOST_TRAVELLERS];    /**< [n], of which the first SHOWN_PATHS are drawn */
    float quantiles[MOST_TRAVELLERS]; /**< [n], of the target: the sample that fits it best */
    double floor;                     /**< W1 to them from as many rows of the target */
};

/** One amount of noise along the way. */
struct travel {
    double eta;                              /**< 0: none */
    float paths[TRAVEL_TIMES * SHOWN_PATHS]; /**< [times, paths], by the exact field */
    float ends[MOST_TRAVELLERS];             /**< [n], by the exact field */
    double correlation;                      /**< of start and end */
    double exact_w1, learned_w1;             /**< from the ends to the target */
};

/** Of n travellers, LEAST_TRAVELLERS to MOST_TRAVELLERS. To be destroyed in any case. */
fmatch_status journey_create(struct journey *journey, int64_t n, uint64_t seed);
void journey_destroy(struct journey *journey);

/** Fill in all but eta, which is given. */
fmatch_status travel_run(struct travel *travel, const struct journey *journey,
                         const fmatch_model *learned, uint64_t seed);

#endif
