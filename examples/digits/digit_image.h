/** One digit on a picture. */
#ifndef EXAMPLES_DIGIT_IMAGE_H
#define EXAMPLES_DIGIT_IMAGE_H

#include "../drawing/chart.h"
#include "digit_rows.h"

/**
 * Draw an image [PIXELS] into a square of `size` points, whose top left corner is (x, y), with a
 * frame around it. Paper is white and ink is black; beyond both a value looks like the nearer one.
 */
void digit_image_draw(cairo_t *cairo, double x, double y, double size, const float *pixels,
                      const struct stroke *frame);

#endif
