/** What stands in the place of pictures where cairo is missing. */
#ifndef EXAMPLES_WITHOUT_CAIRO_H
#define EXAMPLES_WITHOUT_CAIRO_H

#include <stdbool.h>

/** Say on standard output that the program draws nothing, and why. True: that is no failure. */
bool say_without_cairo(void);

#endif
