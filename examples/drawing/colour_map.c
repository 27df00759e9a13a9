#include "colour_map.h"

#include <math.h>

enum { ANCHORS = 9 };

/* Equally spaced along each map. Viridis: van der Walt and Smith, 2015; cool to warm: Moreland,
 * "Diverging Color Maps for Scientific Visualization", 2009. */
static const unsigned anchors[][ANCHORS] = {
    [COLOUR_MAP_VIRIDIS] = {0x440154, 0x472d7b, 0x3b528b, 0x2c728e, 0x21918c, 0x28ae80, 0x5ec962,
                            0xaddc30, 0xfde725},
    [COLOUR_MAP_COOLWARM] = {0x3b4cc0, 0x6282ea, 0x8db0fe, 0xb8d0f9, 0xdddddd, 0xf5c4ad, 0xf49a7b,
                             0xde604d, 0xb40426},
};

struct colour colour_from_hex(unsigned hex)
{
    return (struct colour){(hex >> 16 & 255) / 255.0, (hex >> 8 & 255) / 255.0,
                           (hex & 255) / 255.0};
}

/* sRGB's own encoding is even enough to the eye between neighbours that are this close. */
struct colour colour_map_at(enum colour_map map, double position)
{
    double place = fmin(fmax(position, 0), 1) * (ANCHORS - 1);
    int below = place < ANCHORS - 1 ? (int)place : ANCHORS - 2;
    double part = place - below;
    struct colour a = colour_from_hex(anchors[map][below]);
    struct colour b = colour_from_hex(anchors[map][below + 1]);

    return (struct colour){a.red + part * (b.red - a.red), a.green + part * (b.green - a.green),
                           a.blue + part * (b.blue - a.blue)};
}
