/** A sheet to draw on, and the PNG that it becomes. */
#ifndef EXAMPLES_PICTURE_H
#define EXAMPLES_PICTURE_H

#include <cairo.h>
#include <stdbool.h>
#include <stddef.h>

enum { PICTURE_SCALE = 2 /**< pixels for a point, so that small text stays sharp */ };

struct picture {
    cairo_surface_t *surface;
    cairo_t *cairo; /**< in points, from the top left corner */
    int width, height;
};

struct png {
    unsigned char *bytes;
    size_t size;
    int width, height; /**< in points */
};

/** An empty, opaque sheet of so many points. Trouble in drawing shows in picture_encode. */
void picture_create(struct picture *picture, int width, int height);

void picture_destroy(struct picture *picture);

/** Write the sheet as a PNG file and destroy it. Says on standard output what was written, or on
 * standard error why it was not. */
bool picture_finish(struct picture *picture, const char *path);

/** On failure says why on standard error. */
bool picture_encode(const struct picture *picture, struct png *png);

/** On failure says why on standard error, and a former file at the path is as it was. */
bool png_write(const struct png *png, const char *path);

void png_destroy(struct png *png);

#endif
