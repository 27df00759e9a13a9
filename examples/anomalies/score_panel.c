#include "score_panel.h"

#include <math.h>
#include <stdio.h>

enum { BINS = 30 };

/* Apart for every kind of colour blindness, by lightness and dash as well. */
const struct stroke score_strokes[SCORE_GROUPS] = {{{0.16, 0.44, 0.70}, 1, 1.6, 0},
                                                   {{0.88, 0.48, 0.10}, 1, 2, 0},
                                                   {{0.80, 0.10, 0.16}, 1, 2, 7},
                                                   {{0.05, 0.05, 0.07}, 1, 1.6, 3},
                                                   {{0.00, 0.53, 0.43}, 1, 2, 12}};

static void fill_shares(double low, double high, const struct row_group *group, double *share)
{
    for (int i = 0; i < BINS; i++)
        share[i] = 0;
    for (int64_t i = 0; i < group->n; i++) {
        double position = (group->log_density[i] - low) / (high - low);
        if (position >= 0 && position < 1)
            share[(int)(position * BINS)] += 1 / (double)group->n;
    }
}

static void draw_outline(const struct panel *panel, const double *share,
                         const struct stroke *stroke)
{
    double along[2 * BINS], height[2 * BINS];

    for (int i = 0; i < 2 * BINS; i++) {
        along[i] = panel->x.low + (panel->x.high - panel->x.low) * ((i + 1) / 2) / BINS;
        height[i] = share[i / 2];
    }
    mark_line(panel, 2 * BINS, along, height, stroke);
}

/** With the areas, which say what the lines show. */
static void draw_legend(const struct panel *panel, int n, const struct row_group *groups)
{
    struct legend_entry entries[SCORE_GROUPS] = {{0}};
    char labels[SCORE_GROUPS][96];

    for (int k = 0; k < n; k++) {
        snprintf(labels[k], sizeof labels[k], k == 0 ? "%s" : "%s: AUC %.3f", groups[k].name,
                 groups[k].area);
        entries[k] =
            (struct legend_entry){labels[k], k == 0 ? LEGEND_PATCH : LEGEND_LINE, score_strokes[k]};
    }
    entries[0].stroke.opacity = 0.45;
    legend_draw(panel, LEGEND_TOP_LEFT, n, entries);
}

void score_panel_draw(cairo_t *cairo, const struct rectangle *frame, double low, double high, int n,
                      const struct row_group *groups)
{
    const struct fill fill = {score_strokes[0].colour, 0.45};
    double share[SCORE_GROUPS][BINS], highest = 0;

    for (int k = 0; k < n; k++) {
        fill_shares(low, high, &groups[k], share[k]);
        for (int i = 0; i < BINS; i++)
            highest = fmax(highest, share[k][i]);
    }
    const struct panel panel = {
        .cairo = cairo,
        .frame = *frame,
        .x = {.low = low,
              .high = high,
              .ticks = 6,
              .label = "log *p*; others are beyond the frame"},
        .y = {.low = 0, .high = 1.7 * highest, .ticks = 5, .label = "share of the group"},
        .title = "scores",
    };
    panel_open(&panel);
    mark_bars(&panel, UPWARD, BINS, low, high, share[0], &fill);
    for (int k = 1; k < n; k++)
        draw_outline(&panel, share[k], &score_strokes[k]);
    panel_close(&panel);
    draw_legend(&panel, n, groups);
}
