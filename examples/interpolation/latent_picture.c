#include "latent_picture.h"
#include "../digits/digit_image.h"

#include <stdio.h>

/* As in the other pictures of digits: blue is real, orange comes out of the model. */
static const struct stroke real_frame = {{0.16, 0.44, 0.70}, 1, 1.6, 0};
static const struct stroke decoded_frame = {{0.85, 0.42, 0.05}, 1, 1.6, 0};
static const struct stroke blended_frame = {{0.55, 0.56, 0.60}, 1, 1.2, 0};

/* In points. */
static const double image = 44, gap = 7, side_gap = 22, row_gap = 6, pair_gap = 24;
static const double left = 150, top = 58;

/** Without the noise in its pixels, in the middle of which the whole numbers are. */
static void draw_digit(cairo_t *cairo, double x, double y, const float *noisy,
                       const struct stroke *frame)
{
    float pixels[PIXELS];

    for (int j = 0; j < PIXELS; j++)
        pixels[j] = noisy[j] - 0.5f;
    digit_image_draw(cairo, x, y, image, pixels, frame);
}

static double stop_x(int stop)
{
    return left + image + side_gap + stop * (image + gap);
}

static void draw_stops(cairo_t *cairo, double y, const float *stops, const char *label,
                       const struct stroke *frame)
{
    struct text_style style = panel_number_style;

    style.align = TEXT_RIGHT, style.height = TEXT_MIDDLE;
    text_draw(cairo, left - 14, y + image / 2, label, &style);
    for (int k = 0; k < STOPS; k++)
        draw_digit(cairo, stop_x(k), y, stops + (ptrdiff_t)k * PIXELS, frame);
}

static void draw_way(cairo_t *cairo, double y, const struct way *way)
{
    double middle = y + (image + row_gap) / 2;

    draw_digit(cairo, left, middle, way->ends, &real_frame);
    draw_digit(cairo, stop_x(STOPS - 1) + image + side_gap, middle, way->ends + PIXELS,
               &real_frame);
    draw_stops(cairo, y, way->decoded, "through the noise", &decoded_frame);
    draw_stops(cairo, y + image + row_gap, way->blended, "pixel by pixel", &blended_frame);
}

static void draw_head(cairo_t *cairo, double right)
{
    struct text_style style = panel_title_style, small = panel_number_style;
    char text[16];

    style.align = TEXT_CENTRE;
    text_draw(cairo, (left + right) / 2, 20, "between two digits that were held out", &style);
    small.align = TEXT_CENTRE;
    text_draw(cairo, left + image / 2, top - 14, "real", &small);
    text_draw(cairo, right - image / 2, top - 14, "real", &small);
    for (int k = 0; k < STOPS; k++) {
        snprintf(text, sizeof text, "%s%g", k == 0 ? "*s* = " : "", (double)k / (STOPS - 1));
        text_draw(cairo, stop_x(k) + image / 2, top - 14, text, &small);
    }
}

bool latent_picture_write(int n, const struct way *ways, const char *path)
{
    const double right = stop_x(STOPS - 1) + image + side_gap + image;
    const double height = 2 * image + row_gap + pair_gap;
    struct picture sheet;

    picture_create(&sheet, (int)(right + 24), (int)(top + n * height));
    draw_head(sheet.cairo, right);
    for (int i = 0; i < n; i++)
        draw_way(sheet.cairo, top + i * height, &ways[i]);
    return picture_finish(&sheet, path);
}
