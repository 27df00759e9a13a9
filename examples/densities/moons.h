/** Two moons: rows to learn from, and their density, which no formula gives but a sum does. */
#ifndef EXAMPLES_MOONS_H
#define EXAMPLES_MOONS_H

#include "../density_map/density_map.h"

enum {
    SHOWN_ROWS = 300,
    FRESH_ROWS = 2000 /**< that the learned density is measured with; the first ones are shown */
};

struct moons {
    fmatch_context *context;
    fmatch_source *data;
    fmatch_source *exact;       /**< the same distribution, as a source that has a density */
    float rows[2 * FRESH_ROWS]; /**< [FRESH_ROWS, 2] */
    struct density_map exact_map, learned_map;
    double entropy;    /**< of the moons, -E log p, in nats */
    double divergence; /**< of the learned q from p, E (log p - log q), Kullback and Leibler's */
    double divergence_error; /**< standard error of that mean over the fresh rows */
};

/** Sources, fresh rows and the exact map of so many columns. To be destroyed in any case. */
fmatch_status moons_create(struct moons *moons, int columns, uint64_t seed);

/** Fill in what is left: the learned map, and how far the learned density is off. */
fmatch_status moons_compare(struct moons *moons, const fmatch_model *model);

void moons_destroy(struct moons *moons);

#endif
