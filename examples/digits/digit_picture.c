#include "digit_picture.h"
#include "digit_image.h"

#include <stdio.h>

/* As in the other pictures of data and samples: blue is real, orange is drawn. */
static const struct colour real_colour = {0.16, 0.44, 0.70};
static const struct colour sample_colour = {0.85, 0.42, 0.05};

/* In points. */
static const double image = 24, within = 4.5, pair_gap = 11, line_gap = 7;
static const double left = 64, top = 58, block_gap = 44, title_height = 62, key_height = 44;

enum { PAIRS = 7, /**< in a row */ BLOCKS_BESIDE = 2 };

static double pair_width(void)
{
    return 2 * image + within + pair_gap;
}

static double block_width(void)
{
    return PAIRS * pair_width() - pair_gap;
}

static double block_height(void)
{
    return CLASSES * (image + line_gap) - line_gap;
}

/** In a broader frame where it is taken for another digit. */
static void draw_sample(cairo_t *cairo, double x, double y, const float *pixels, bool recognised)
{
    const struct stroke frame = {sample_colour, 1, recognised ? 1.2 : 3.4, 0};

    digit_image_draw(cairo, x, y, image, pixels, &frame);
}

static void draw_real(cairo_t *cairo, double x, double y, const float *pixels)
{
    const struct stroke frame = {real_colour, 1, 1.2, 0};

    digit_image_draw(cairo, x, y, image, pixels, &frame);
}

static void draw_class(cairo_t *cairo, double x, double y, int class,
                       const struct guided_digits *block, const struct digit_rows *train)
{
    struct text_style style = panel_label_style;
    const char name[] = {(char)('0' + class), '\0'};

    style.align = TEXT_RIGHT, style.height = TEXT_MIDDLE;
    text_draw(cairo, x - 10, y + image / 2, name, &style);
    for (int k = 0; k < PAIRS; k++, x += pair_width()) {
        int i = class * EACH + k;
        const struct nearest_digit *nearest = &block->nearest[i];
        draw_sample(cairo, x, y, block->pixels + (ptrdiff_t)i * PIXELS,
                    nearest->label == block->labels[i]);
        draw_real(cairo, x + image + within, y, train->pixels + nearest->row * PIXELS);
    }
}

static void draw_title(cairo_t *cairo, double x, double y, const struct guided_digits *block,
                       double held_out_distance)
{
    struct text_style style = panel_title_style, small = panel_number_style;
    char text[128];

    style.align = TEXT_LEFT;
    snprintf(text, sizeof text, "guidance scale *s* = %g%s", block->scale,
             block->scale == 1 ? ", which is none" : "");
    text_draw(cairo, x, y - 29, text, &style);
    snprintf(text, sizeof text,
             "%.1f %% recognised; %.2f times as far from training digits as held-out digits",
             100 * block->recognised, block->distance / held_out_distance);
    text_draw(cairo, x, y - 12, text, &small);
}

static void draw_side_label(cairo_t *cairo, double y)
{
    struct text_style style = panel_label_style;

    style.align = TEXT_CENTRE, style.upward = true;
    text_draw(cairo, left - 34, y + block_height() / 2, "digit that was asked for", &style);
}

static void draw_block(cairo_t *cairo, double x, double y, const struct guided_digits *block,
                       const struct digit_rows *train, double held_out_distance)
{
    if (x <= left)
        draw_side_label(cairo, y);
    draw_title(cairo, x, y, block, held_out_distance);
    for (int class = 0; class < CLASSES; class ++)
        draw_class(cairo, x, y + class * (image + line_gap), class, block, train);
}

/** What the shades of grey stand for. */
static void draw_greys(cairo_t *cairo, double x, double y, const struct text_style *given)
{
    const double step = 6, height = 12, above = (image - height) / 2;
    struct text_style style = *given;

    for (int value = 0; value <= INK; value++) {
        double light = 1 - (double)value / INK;
        cairo_set_source_rgb(cairo, light, light, light);
        cairo_rectangle(cairo, x + value * step, y + above, step + 0.5, height);
        cairo_fill(cairo);
    }
    cairo_rectangle(cairo, x, y + above, (INK + 1) * step, height);
    cairo_set_source_rgb(cairo, 0.45, 0.46, 0.49);
    cairo_set_line_width(cairo, 0.8);
    cairo_stroke(cairo);
    text_draw(cairo, x + (INK + 1) * step + 8, y + image / 2, "ink: 16", &style);
    style.align = TEXT_RIGHT;
    text_draw(cairo, x - 8, y + image / 2, "paper: 0", &style);
}

/** A sample, its neighbour, and what a broader frame means; then the scale of greys. */
static void draw_keys(cairo_t *cairo, double y, const struct guided_digits *block,
                      const struct digit_rows *train)
{
    static const char *const labels[] = {"sample", "nearest training digit",
                                         "sample taken for another digit"};
    const float *pixels = block->pixels, *real = train->pixels + block->nearest[0].row * PIXELS;
    struct text_style style = panel_number_style;
    double x = left;

    style.height = TEXT_MIDDLE;
    for (int k = 0; k < 3; k++) {
        if (k == 1)
            draw_real(cairo, x, y, real);
        else
            draw_sample(cairo, x, y, pixels, k == 0);
        text_draw(cairo, x + image + 8, y + image / 2, labels[k], &style);
        x += image + 8 + text_width(cairo, labels[k], &style) + 26;
    }
    draw_greys(cairo, x + text_width(cairo, "paper: 0", &style) + 8, y, &style);
}

static void draw_blocks(cairo_t *cairo, int n, const struct guided_digits *blocks,
                        const struct digit_rows *train, double held_out_distance)
{
    for (int b = 0; b < n; b++)
        draw_block(cairo, left + b % BLOCKS_BESIDE * (block_width() + block_gap),
                   top + b / BLOCKS_BESIDE * (block_height() + title_height), &blocks[b], train,
                   held_out_distance);
}

bool digit_picture_write(int n, const struct guided_digits *blocks, const struct digit_rows *train,
                         double held_out_distance, const char *path)
{
    int rows = (n + BLOCKS_BESIDE - 1) / BLOCKS_BESIDE;
    double width = left + BLOCKS_BESIDE * (block_width() + block_gap) - block_gap + 24;
    double keys = top + rows * (block_height() + title_height) - title_height + 28;
    struct picture sheet;

    picture_create(&sheet, (int)width, (int)(keys + key_height));
    draw_blocks(sheet.cairo, n, blocks, train, held_out_distance);
    draw_keys(sheet.cairo, keys, &blocks[0], train);
    return picture_finish(&sheet, path);
}
