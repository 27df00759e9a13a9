/** The picture of the moons' log-density: exact, and as it was learned. */
#ifndef EXAMPLES_MOONS_PICTURE_H
#define EXAMPLES_MOONS_PICTURE_H

#include "moons.h"

#include <stdbool.h>

/**
 * Write a PNG file. Says on standard output what was written, or that the program draws nothing
 * because it was built without cairo. On failure says why on standard error.
 */
bool moons_picture_write(const struct moons *moons, const char *path);

#endif
