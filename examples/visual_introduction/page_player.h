/** The animation of the page: a point moves over the picture of the field. */
#ifndef EXAMPLES_PAGE_PLAYER_H
#define EXAMPLES_PAGE_PLAYER_H

#include "figures.h"
#include <stdio.h>

/** The picture, the path drawn over it, a button and a slider, and the path's numbers as JSON, from
 * which the page's script moves the point. Without the script the whole path is seen. */
void write_player(FILE *stream, const struct png *ground, const char *description,
                  const double path[POST_PATH_TIMES]);

#endif
