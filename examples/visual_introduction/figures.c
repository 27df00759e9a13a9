#include "figures.h"
#include "figure_drawings.h"

static const struct {
    const char *name;
    int width, height;
    void (*draw)(cairo_t *cairo, const struct findings *findings);
} figures[FIGURES] = {
    [FIGURE_DENSITIES] = {"01_densities", FIGURE_WIDTH, 330, draw_densities},
    [FIGURE_REFERENCE_PATHS] = {"02_reference_paths", FIGURE_WIDTH, 618, draw_reference_paths},
    [FIGURE_REFERENCE_VELOCITY] = {"03_reference_velocity", FIGURE_WIDTH, 330,
                                   draw_reference_velocity},
    [FIGURE_AVERAGED_FIELD] = {"04_averaged_field", FIGURE_WIDTH, 390, draw_averaged_field},
    [FIGURE_LOSS] = {"05_loss", FIGURE_WIDTH, 340, draw_loss},
    [FIGURE_LEARNED_FIELD] = {"06_learned_field", FIGURE_WIDTH, 390, draw_learned_field},
    [FIGURE_SAMPLED_PATH_GROUND] = {"07_sampled_path_ground", FIGURE_WIDTH, 430,
                                    draw_sampled_path_ground},
    [FIGURE_SAMPLED_PATH] = {"07_sampled_path", FIGURE_WIDTH, 430, draw_sampled_path},
    [FIGURE_RECONSTRUCTION] = {"08_reconstruction", FIGURE_WIDTH, 340, draw_reconstruction},
    [FIGURE_SAMPLED_DENSITY] = {"09_sampled_density", FIGURE_WIDTH, 340, draw_sampled_density},
    [FIGURE_FIELD_ERROR] = {"10_field_error", FIGURE_WIDTH, 330, draw_field_error},
    [FIGURE_SOLVERS] = {"11_solvers", FIGURE_WIDTH, 400, draw_solvers},
    [FIGURE_SETTINGS] = {"12_settings", FIGURE_WIDTH, 620, draw_settings},
};

const char *figure_name(enum figure figure)
{
    return figures[figure].name;
}

bool figure_draw(enum figure figure, const struct findings *findings, struct png *png)
{
    struct picture picture;

    picture_create(&picture, figures[figure].width, figures[figure].height);
    figures[figure].draw(picture.cairo, findings);
    bool encoded = picture_encode(&picture, png);
    picture_destroy(&picture);
    return encoded;
}
