/** The figures of the visual introduction. */
#ifndef EXAMPLES_FIGURES_H
#define EXAMPLES_FIGURES_H

#include "../drawing/chart.h"
#include "findings.h"

enum figure {
    FIGURE_DENSITIES,
    FIGURE_REFERENCE_PATHS,
    FIGURE_REFERENCE_VELOCITY,
    FIGURE_AVERAGED_FIELD,
    FIGURE_LOSS,
    FIGURE_LEARNED_FIELD,
    FIGURE_SAMPLED_PATH_GROUND, /**< the field alone, for the animation */
    FIGURE_SAMPLED_PATH,
    FIGURE_RECONSTRUCTION,
    FIGURE_SAMPLED_DENSITY,
    FIGURE_FIELD_ERROR,
    FIGURE_SOLVERS,
    FIGURE_SETTINGS,
    FIGURES
};

/** File name of a figure, without ".png". */
const char *figure_name(enum figure figure);

/** On failure says why on standard error. */
bool figure_draw(enum figure figure, const struct findings *findings, struct png *png);

/** The panel of FIGURE_SAMPLED_PATH_GROUND, for what is drawn over it. */
extern const struct rectangle sampled_path_frame;

#endif
