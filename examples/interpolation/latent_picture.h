/** The picture of the ways: through the noise, and beneath each the pixels' own mean. */
#ifndef EXAMPLES_LATENT_PICTURE_H
#define EXAMPLES_LATENT_PICTURE_H

#include "latent_digits.h"

#include <stdbool.h>

/**
 * Write a PNG file of n ways. Says on standard output what was written, or that the program draws
 * nothing because it was built without cairo. On failure says why on standard error.
 */
bool latent_picture_write(int n, const struct way *ways, const char *path);

#endif
