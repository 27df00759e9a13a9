/* In place of geyser_picture.c and odd_digits_picture.c where cairo is missing. */
#include "../without_cairo.h"
#include "anomaly_pictures.h"

bool geyser_picture_write(const struct geyser *geyser, const char *path)
{
    (void)geyser;
    (void)path;
    return say_without_cairo();
}

bool odd_digits_picture_write(const struct odd_digits *odd, const char *path)
{
    (void)odd;
    (void)path;
    return say_without_cairo();
}
