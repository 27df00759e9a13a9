/** The picture of the ways: for each amount of noise its paths, and where they end. */
#ifndef EXAMPLES_PATHS_PICTURE_H
#define EXAMPLES_PATHS_PICTURE_H

#include "travel.h"

#include <stdbool.h>

/**
 * Write a PNG file with a row for each of n ways. Says on standard output what was written, or that
 * the program draws nothing because it was built without cairo. On failure says why on standard
 * error.
 */
bool paths_picture_write(const struct journey *journey, int n, const struct travel *travels,
                         const char *path);

#endif
