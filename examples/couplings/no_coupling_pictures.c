/* In place of coupling_pictures.c where cairo is missing. */
#include "coupling_pictures.h"

#include <stdio.h>

bool coupling_pictures_write(const struct problem *problem, int n, const struct coupled_flow *flows,
                             const char *directory)
{
    (void)problem;
    (void)n;
    (void)flows;
    (void)directory;
    printf("no pictures: this program was built without cairo (Debian: libcairo2-dev)\n");
    return true;
}
