/* In place of moons_picture.c where cairo is missing. */
#include "../without_cairo.h"
#include "moons_picture.h"

bool moons_picture_write(const struct moons *moons, const char *path)
{
    (void)moons;
    (void)path;
    return say_without_cairo();
}
