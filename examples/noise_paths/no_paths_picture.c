/* In place of paths_picture.c where cairo is missing. */
#include "../without_cairo.h"
#include "paths_picture.h"

bool paths_picture_write(const struct journey *journey, int n, const struct travel *travels,
                         const char *path)
{
    (void)journey;
    (void)n;
    (void)travels;
    (void)path;
    return say_without_cairo();
}
