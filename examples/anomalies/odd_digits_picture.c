#include "../digits/digit_image.h"
#include "anomaly_pictures.h"
#include "score_panel.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { SHOWN = 9 /**< digits of a row */ };

/* In points. */
static const double left = 170, top = 52, image = 40, gap = 9, row_height = 66;
static const double scores_width = 400, scores_gap = 84;

/** Which digits of a group are shown. */
enum choice { FIRST_ONES, LIKELIEST, LEAST_LIKELY };

struct scored_row {
    double log_density;
    int64_t row;
};

static int compare(const void *a, const void *b)
{
    double x = ((const struct scored_row *)a)->log_density;
    double y = ((const struct scored_row *)b)->log_density;

    return (x > y) - (x < y);
}

static void draw_digit(cairo_t *cairo, double x, double y, const struct row_group *group,
                       int64_t row, const struct stroke *frame)
{
    struct text_style style = panel_number_style;
    char text[32];

    digit_image_draw(cairo, x, y, image, group->rows + row * PIXELS, frame);
    style.align = TEXT_CENTRE, style.height = TEXT_TOP, style.size *= 0.85;
    snprintf(text, sizeof text, "−%.0f", -group->log_density[row]);
    text_draw(cairo, x + image / 2, y + image + 4, text, &style);
}

static void draw_row(cairo_t *cairo, double y, const char *label, const struct row_group *group,
                     enum choice choice, const struct stroke *frame)
{
    struct scored_row *rows = malloc((size_t)(group->n + 1) * sizeof *rows);
    struct text_style style = panel_label_style;

    style.align = TEXT_RIGHT, style.height = TEXT_MIDDLE;
    text_draw(cairo, left - 14, y + image / 2, label, &style);
    for (int64_t i = 0; rows && i < group->n; i++)
        rows[i] = (struct scored_row){group->log_density[i], i};
    if (rows && choice != FIRST_ONES)
        qsort(rows, (size_t)group->n, sizeof *rows, compare);
    for (int64_t k = 0; rows && k < SHOWN && k < group->n; k++) {
        int64_t place = choice == LIKELIEST ? group->n - 1 - k : k;
        draw_digit(cairo, left + (double)k * (image + gap), y, group, rows[place].row, frame);
    }
    free(rows);
}

static void draw_rows(cairo_t *cairo, const struct odd_digits *odd)
{
    const struct row_group *held_out = &odd->groups[ODD_HELD_OUT];
    struct text_style style = panel_title_style;
    double y = top;

    style.align = TEXT_LEFT;
    text_draw(cairo, left, top - 16, "digits and their log *p*, in nats", &style);
    draw_row(cairo, y, "held out, likeliest", held_out, LIKELIEST, &score_strokes[0]);
    draw_row(cairo, y += row_height, "held out, least likely", held_out, LEAST_LIKELY,
             &score_strokes[0]);
    for (int k = 1; k < ODD_GROUPS; k++)
        draw_row(cairo, y += row_height, odd->groups[k].name, &odd->groups[k], FIRST_ONES,
                 &score_strokes[k]);
}

bool odd_digits_picture_write(const struct odd_digits *odd, const char *path)
{
    const double height = (ODD_GROUPS + 1) * row_height - 12;
    const struct rectangle scores = {left + SHOWN * (image + gap) - gap + scores_gap, top - 8,
                                     scores_width, height - 40};
    struct picture sheet;

    picture_create(&sheet, (int)(scores.x + scores.width + 24), (int)(top + height + 12));
    draw_rows(sheet.cairo, odd);
    score_panel_draw(sheet.cairo, &scores, -200, -60, ODD_GROUPS, odd->groups);
    return picture_finish(&sheet, path);
}
