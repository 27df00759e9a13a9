/* In place of digit_picture.c where cairo is missing. */
#include "../without_cairo.h"
#include "digit_picture.h"

bool digit_picture_write(int n, const struct guided_digits *blocks, const struct digit_rows *train,
                         double held_out_distance, const char *path)
{
    (void)n;
    (void)blocks;
    (void)train;
    (void)held_out_distance;
    (void)path;
    return say_without_cairo();
}
