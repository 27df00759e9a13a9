/** Eruptions of a geyser and the wait after each: rows that were held out beside rows that were
 * made of them. */
#ifndef EXAMPLES_GEYSER_H
#define EXAMPLES_GEYSER_H

#include "../density_map/density_map.h"
#include "row_group.h"

enum geyser_group { GEYSER_HELD_OUT, GEYSER_SHUFFLED, GEYSER_TURNED, GEYSER_GROUPS };

struct geyser {
    fmatch_context *context;
    struct row_group train;                 /**< without densities */
    struct row_group groups[GEYSER_GROUPS]; /**< by enum geyser_group */
    struct density_map map;                 /**< of what was learned */
};

/** Read eruptions and waits, learn four fifths of them and score the others. To be destroyed in any
 * case. */
fmatch_status geyser_run(struct geyser *geyser, const char *file, int64_t steps, int columns,
                         uint64_t seed);
void geyser_destroy(struct geyser *geyser);

#endif
