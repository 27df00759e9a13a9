/** The pictures of the scores: eruptions on the map of their density, and odd digits. */
#ifndef EXAMPLES_ANOMALY_PICTURES_H
#define EXAMPLES_ANOMALY_PICTURES_H

#include "geyser.h"
#include "odd_digits.h"

#include <stdbool.h>

/**
 * Write PNG files. They say on standard output what was written, or that the program draws nothing
 * because it was built without cairo; on failure they say why on standard error.
 */
bool geyser_picture_write(const struct geyser *geyser, const char *path);
bool odd_digits_picture_write(const struct odd_digits *odd, const char *path);

#endif
