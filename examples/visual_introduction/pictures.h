/** The pictures of a run, and the page that tells its story. */
#ifndef EXAMPLES_PICTURES_H
#define EXAMPLES_PICTURES_H

#include "run_results.h"
#include <stdbool.h>

/** Write every figure as PNG and index.html into the directory; a program that was built without
 * cairo says so instead, and that is no failure. On failure says why on standard error. */
bool pictures_write(const struct run_results *run, const char *directory);

#endif
