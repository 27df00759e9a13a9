/** How each figure is drawn, and the look they share. */
#ifndef EXAMPLES_FIGURE_DRAWINGS_H
#define EXAMPLES_FIGURE_DRAWINGS_H

#include "figures.h"

enum { FIGURE_WIDTH = 800 };

/* Blue and orange stay apart for every kind of colour blindness; black is what is exact. */
static const struct colour noise_colour = {0.16, 0.44, 0.70};
static const struct colour target_colour = {0.85, 0.42, 0.05};
static const struct colour learned_colour = {0.00, 0.53, 0.43};
static const struct colour exact_colour = {0.10, 0.11, 0.13};

void draw_densities(cairo_t *cairo, const struct findings *findings);
void draw_reference_paths(cairo_t *cairo, const struct findings *findings);
void draw_reference_velocity(cairo_t *cairo, const struct findings *findings);
void draw_averaged_field(cairo_t *cairo, const struct findings *findings);
void draw_loss(cairo_t *cairo, const struct findings *findings);
void draw_learned_field(cairo_t *cairo, const struct findings *findings);
void draw_sampled_path_ground(cairo_t *cairo, const struct findings *findings);
void draw_sampled_path(cairo_t *cairo, const struct findings *findings);
void draw_reconstruction(cairo_t *cairo, const struct findings *findings);
void draw_sampled_density(cairo_t *cairo, const struct findings *findings);
void draw_field_error(cairo_t *cairo, const struct findings *findings);
void draw_solvers(cairo_t *cairo, const struct findings *findings);
void draw_settings(cairo_t *cairo, const struct findings *findings);

/** A histogram of 100 000 samples under the exact target's density; x is the panel's left edge. */
void draw_reconstruction_panel(cairo_t *cairo, double x, const struct density_curves *curves,
                               const struct histogram *samples, const char *title);

#endif
