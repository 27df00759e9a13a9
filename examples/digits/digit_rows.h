/** Images of handwritten digits: read from a file, and cut into two parts by chance. */
#ifndef EXAMPLES_DIGIT_ROWS_H
#define EXAMPLES_DIGIT_ROWS_H

#include <flowmatch/flowmatch.h>

enum {
    SIDE = 8, /**< of an image, in pixels */
    PIXELS = SIDE * SIDE,
    CLASSES = 10,
    INK = 16 /**< the darkest value of a pixel; the lightest is 0 */
};

struct digit_rows {
    int64_t n;
    float *pixels; /**< [n, PIXELS], from the top left, row by row */
    float *labels; /**< [n] */
};

/**
 * Read a CSV file whose first 64 columns are pixels and whose next one is the label, and put four
 * fifths of its rows into `train` and the others into `held_out`. Both are to be destroyed in any
 * case.
 */
fmatch_status digit_rows_read(fmatch_context *context, const char *file, uint64_t seed,
                              struct digit_rows *train, struct digit_rows *held_out);

void digit_rows_destroy(struct digit_rows *rows);

/** A source of the rows, with the label as condition. It borrows them. */
fmatch_status digit_rows_create_source(const struct digit_rows *rows, fmatch_context *context,
                                       fmatch_source **source);

#endif
