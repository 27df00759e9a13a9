/** Colours, and the two maps from numbers to colours: one for amounts, one for signed values. */
#ifndef EXAMPLES_COLOUR_MAP_H
#define EXAMPLES_COLOUR_MAP_H

/** sRGB, each from 0 to 1. */
struct colour {
    double red, green, blue;
};

enum colour_map {
    COLOUR_MAP_VIRIDIS, /**< dark to light, for amounts: readable in grey and by the colour-blind */
    COLOUR_MAP_COOLWARM /**< blue, grey, red, for signed values: zero belongs in the middle */
};

/** How values become colours; those outside take the colour of the nearest end. */
struct colour_scale {
    enum colour_map map;
    double low, high;
};

/** The map's colour at a position from 0 to 1; those outside are taken as the nearest end. */
struct colour colour_map_at(enum colour_map map, double position);

/** "0xrrggbb" as a colour. */
struct colour colour_from_hex(unsigned hex);

#endif
