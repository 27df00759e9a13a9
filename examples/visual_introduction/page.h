/** The page that tells the story of a run. */
#ifndef EXAMPLES_PAGE_H
#define EXAMPLES_PAGE_H

#include "figures.h"

/** One file that needs nothing else. On failure says why on standard error. */
bool page_write(const struct findings *findings, const struct png figures[FIGURES],
                const char *path);

#endif
