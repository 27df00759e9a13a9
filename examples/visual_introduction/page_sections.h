/** The chapters of the page. */
#ifndef EXAMPLES_PAGE_SECTIONS_H
#define EXAMPLES_PAGE_SECTIONS_H

#include "figures.h"
#include <stdio.h>

struct section {
    const char *name; /**< for links to it */
    const char *title;
    const char *idea;    /**< HTML */
    const char *formula; /**< HTML */
    enum figure figure;
    const char *description; /**< of the figure, for those who cannot see it */
    const char *code;        /**< the C call that makes it */
    /** The numbers of this run, as HTML. */
    void (*write_numbers)(FILE *stream, const struct findings *findings);
};

extern const struct section sections[];
extern const int sections_count;

#endif
