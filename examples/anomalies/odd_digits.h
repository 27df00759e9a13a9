/** Digits of nine classes that were learned, and others: of the tenth, and made ones. */
#ifndef EXAMPLES_ODD_DIGITS_H
#define EXAMPLES_ODD_DIGITS_H

#include "../digits/noisy_digits.h"
#include "row_group.h"

enum { LEFT_OUT = 9 /**< the class of which nothing is learned */ };

enum odd_group { ODD_HELD_OUT, ODD_CLASS, ODD_HALVES, ODD_MIRRORED, ODD_MOVED, ODD_GROUPS };

struct odd_digits {
    fmatch_context *context;
    struct digit_rows train, held_out;   /**< without the class that is left out */
    struct row_group groups[ODD_GROUPS]; /**< by enum odd_group, without noise in the pixels */
    double distance_area[ODD_GROUPS];    /**< area by the distance to the nearest training digit */
    double standard_error;               /**< of a held-out digit's log-density, root mean square */
};

/** Read digits, learn nine classes and score all groups, so many of each at most. To be destroyed
 * in any case. */
fmatch_status odd_digits_run(struct odd_digits *odd, const char *file, int64_t steps,
                             int64_t most_scored, uint64_t seed);
void odd_digits_destroy(struct odd_digits *odd);

#endif
