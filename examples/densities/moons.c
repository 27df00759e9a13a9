#include "moons.h"

#include <math.h>

enum { SEED_FRESH = 1 /* other draws than the training's, which has the seed itself */ };

/* All but one in ten thousand of the rows of an untrained network as well, which are normal. */
static const struct box box = {-2.4, 3.4, -1.6, 2.1};
static const double noise = 0.1, pi = 3.14159265358979323846;

static fmatch_status create_data(struct moons *moons)
{
    fmatch_toy_config toy;

    fmatch_toy_config_init(&toy);
    toy.kind = FMATCH_TOY_TWO_MOONS;
    toy.noise = noise;
    return fmatch_source_create_toy(&moons->data, moons->context, &toy);
}

/* The density is the integral over a half circle of normal densities around its points. Points that
 * lie closer than the noise is wide stand for the integral: at a sixth of it to all digits. */
static fmatch_status create_exact(struct moons *moons)
{
    enum { POINTS = 200 };
    float weights[2 * POINTS], means[4 * POINTS], stds[4 * POINTS];

    for (int i = 0; i < POINTS; i++) {
        double angle = pi * (i + 0.5) / POINTS;
        weights[i] = weights[POINTS + i] = 1;
        means[2 * i] = (float)cos(angle), means[2 * i + 1] = (float)sin(angle);
        means[2 * (POINTS + i)] = (float)(1 - cos(angle));
        means[2 * (POINTS + i) + 1] = (float)(0.5 - sin(angle));
    }
    for (int i = 0; i < 4 * POINTS; i++)
        stds[i] = (float)noise;
    return fmatch_source_create_gaussian_mixture(&moons->exact, moons->context, 2, 2 * POINTS,
                                                 weights, means, stds);
}

static double entropy_of(const struct density_map *map)
{
    double sum = 0;

    for (int i = 0; i < map->columns * map->rows; i++)
        sum -= exp(map->log_density[i]) * map->log_density[i];
    return sum * (map->box.right - map->box.left) / map->columns *
           (map->box.top - map->box.bottom) / map->rows;
}

fmatch_status moons_create(struct moons *moons, int columns, uint64_t seed)
{
    int rows = (int)lround(columns * (box.top - box.bottom) / (box.right - box.left));
    fmatch_status status;

    if ((status = fmatch_context_create(&moons->context, NULL)) != FMATCH_OK ||
        (status = create_data(moons)) != FMATCH_OK || (status = create_exact(moons)) != FMATCH_OK ||
        (status = fmatch_source_draw(moons->data, seed + SEED_FRESH, 0, FRESH_ROWS, moons->rows)) !=
            FMATCH_OK ||
        (status = density_map_create(&moons->exact_map, &box, columns, rows)) != FMATCH_OK ||
        (status = density_map_of_source(&moons->exact_map, moons->exact)) != FMATCH_OK)
        return status;
    moons->entropy = entropy_of(&moons->exact_map);
    return density_map_create(&moons->learned_map, &box, columns, rows);
}

void moons_destroy(struct moons *moons)
{
    density_map_destroy(&moons->exact_map);
    density_map_destroy(&moons->learned_map);
    fmatch_source_destroy(&moons->exact);
    fmatch_source_destroy(&moons->data);
    fmatch_context_destroy(&moons->context);
}

fmatch_status moons_compare(struct moons *moons, const fmatch_model *model)
{
    static double exact[FRESH_ROWS], learned[FRESH_ROWS];
    double sum = 0, squares = 0;
    fmatch_status status;

    if ((status = density_map_of_model(&moons->learned_map, model)) != FMATCH_OK ||
        (status = fmatch_source_evaluate_log_density(moons->exact, FRESH_ROWS, moons->rows,
                                                     exact)) != FMATCH_OK ||
        (status = evaluate_log_density(model, FRESH_ROWS, moons->rows, learned)) != FMATCH_OK)
        return status;
    for (int i = 0; i < FRESH_ROWS; i++) {
        double ratio = exact[i] - learned[i];
        sum += ratio, squares += ratio * ratio;
    }
    moons->divergence = sum / FRESH_ROWS;
    moons->divergence_error =
        sqrt((squares / FRESH_ROWS - moons->divergence * moons->divergence) / FRESH_ROWS);
    return FMATCH_OK;
}
