#include "odd_digits.h"
#include "../digits/nearest_digits.h"
#include "../learned_flow.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Of the noise in the pixels of digits that are scored: not the training's. */
enum { SEED_NOISE = 1 };

/* What an odd digit has at a place, by the digit that it is made of. */
static float mirrored_pixel(const float *pixels, int row, int column)
{
    return pixels[row * SIDE + SIDE - 1 - column];
}

static float moved_pixel(const float *pixels, int row, int column)
{
    return column > 0 ? pixels[row * SIDE + column - 1] : 0;
}

static fmatch_status change_pixels(struct row_group *group, const char *name,
                                   const struct digit_rows *rows,
                                   float (*pixel)(const float *pixels, int row, int column))
{
    fmatch_status status = row_group_create(group, name, rows->n, PIXELS);

    for (int64_t i = 0; status == FMATCH_OK && i < rows->n * PIXELS; i++)
        group->rows[i] =
            pixel(rows->pixels + i / PIXELS * PIXELS, (int)(i % PIXELS) / SIDE, (int)(i % SIDE));
    return status;
}

static fmatch_status copy_group(struct row_group *group, const char *name,
                                const struct digit_rows *rows)
{
    fmatch_status status = row_group_create(group, name, rows->n, PIXELS);

    if (status == FMATCH_OK)
        memcpy(group->rows, rows->pixels, (size_t)(rows->n * PIXELS) * sizeof *group->rows);
    return status;
}

/** The upper half of one digit over the lower one of the next. */
static fmatch_status join_halves(struct row_group *group, const char *name,
                                 const struct digit_rows *rows)
{
    const size_t half = PIXELS / 2 * sizeof *group->rows;
    fmatch_status status = row_group_create(group, name, rows->n, PIXELS);

    for (int64_t i = 0; status == FMATCH_OK && i < rows->n; i++) {
        int64_t next = (i + 1) % rows->n;
        memcpy(group->rows + i * PIXELS, rows->pixels + i * PIXELS, half);
        memcpy(group->rows + i * PIXELS + PIXELS / 2, rows->pixels + next * PIXELS + PIXELS / 2,
               half);
    }
    return status;
}

/** Take the rows of the class out, keeping the order of the others, and append them to `taken`. */
static void take_class(struct digit_rows *rows, struct digit_rows *taken)
{
    int64_t kept = 0;

    for (int64_t i = 0; i < rows->n; i++) {
        bool take = rows->labels[i] == LEFT_OUT;
        struct digit_rows *to = take ? taken : rows;
        int64_t place = take ? taken->n++ : kept++;
        memmove(to->pixels + place * PIXELS, rows->pixels + i * PIXELS,
                PIXELS * sizeof *rows->pixels);
        to->labels[place] = rows->labels[i];
    }
    rows->n = kept;
}

static void limit(struct digit_rows *rows, int64_t most)
{
    if (rows->n > most)
        rows->n = most;
}

/** All digits of the class that is left out are odd ones: no training has seen any. */
static fmatch_status leave_class_out(struct odd_digits *odd, int64_t most_scored)
{
    size_t n = (size_t)(odd->train.n + odd->held_out.n);
    struct digit_rows taken = {.pixels = malloc(n * PIXELS * sizeof(float)),
                               .labels = malloc(n * sizeof(float))};
    fmatch_status status = FMATCH_ERROR_NO_MEMORY;

    if (taken.pixels && taken.labels) {
        take_class(&odd->held_out, &taken);
        take_class(&odd->train, &taken);
        limit(&taken, most_scored);
        limit(&odd->held_out, most_scored);
        status = copy_group(&odd->groups[ODD_CLASS], "nines, never seen", &taken);
    }
    digit_rows_destroy(&taken);
    return status;
}

static fmatch_status make_groups(struct odd_digits *odd, int64_t most_scored)
{
    struct row_group *groups = odd->groups;
    const struct digit_rows *rows = &odd->held_out;
    fmatch_status status;

    if ((status = leave_class_out(odd, most_scored)) != FMATCH_OK ||
        (status = copy_group(&groups[ODD_HELD_OUT], "held-out digits", rows)) != FMATCH_OK ||
        (status = join_halves(&groups[ODD_HALVES], "halves of two", rows)) != FMATCH_OK ||
        (status = change_pixels(&groups[ODD_MIRRORED], "mirrored", rows, mirrored_pixel)) !=
            FMATCH_OK)
        return status;
    return change_pixels(&groups[ODD_MOVED], "moved by a pixel", rows, moved_pixel);
}

/* The exact divergence of 64 columns takes 64 tangents; eight probes take eight, and their error is
 * small beside what digits differ by. */
static fmatch_status evaluate_noisy(const fmatch_model *model, int64_t n, const float *noisy,
                                    double *log_density, double *standard_error)
{
    fmatch_divergence_config divergence;
    fmatch_likelihood_config config;

    fmatch_divergence_config_init(&divergence);
    divergence.method = FMATCH_DIVERGENCE_HUTCHINSON;
    divergence.probes = 8;
    fmatch_likelihood_config_init(&config);
    config.divergence = &divergence;
    /* 64 steps of RK4 give the same areas to three digits. */
    config.solver = FMATCH_SOLVER_MIDPOINT, config.steps = 16;
    return fmatch_likelihood_evaluate(model, &config, n, noisy, NULL, 0, log_density,
                                      standard_error, NULL);
}

static double root_mean_square(int64_t n, const double *values)
{
    double squares = 0;

    for (int64_t i = 0; i < n; i++)
        squares += values[i] * values[i];
    return sqrt(squares / (double)n);
}

/** With noise in the pixels, as in training. */
static fmatch_status score_group(struct odd_digits *odd, struct row_group *group,
                                 const fmatch_model *model)
{
    const struct digit_rows rows = {.n = group->n, .pixels = group->rows};
    float *noisy = malloc((size_t)(group->n * PIXELS + 1) * sizeof *noisy);
    double *errors = malloc((size_t)(group->n + 1) * sizeof *errors);
    fmatch_source *source = NULL;
    fmatch_status status = noisy && errors ? FMATCH_OK : FMATCH_ERROR_NO_MEMORY;

    if (status == FMATCH_OK &&
        (status = noisy_digits_create_source(&rows, odd->context, &source)) == FMATCH_OK &&
        (status = fmatch_source_draw(source, SEED_NOISE, 0, group->n, noisy)) == FMATCH_OK &&
        (status = evaluate_noisy(model, group->n, noisy, group->log_density, errors)) ==
            FMATCH_OK &&
        group == &odd->groups[ODD_HELD_OUT])
        odd->standard_error = root_mean_square(group->n, errors);
    fmatch_source_destroy(&source);
    free(noisy);
    free(errors);
    return status;
}

/** Minus the distance of each row to the nearest training digit; NULL without memory. */
static double *find_nearness(const struct odd_digits *odd, const struct row_group *group)
{
    struct nearest_digit *nearest = malloc((size_t)(group->n + 1) * sizeof *nearest);
    double *nearness = malloc((size_t)(group->n + 1) * sizeof *nearness);

    if (nearest)
        nearest_digits_find(&odd->train, group->n, group->rows, nearest);
    for (int64_t i = 0; nearest && nearness && i < group->n; i++)
        nearness[i] = -nearest[i].distance;
    if (!nearest) {
        free(nearness);
        nearness = NULL;
    }
    free(nearest);
    return nearness;
}

/** What knows nothing of densities: the farther from all training digits, the odder. */
static fmatch_status compare_distances(struct odd_digits *odd)
{
    const struct row_group *groups = odd->groups;
    double *normal = find_nearness(odd, &groups[ODD_HELD_OUT]);
    fmatch_status status = normal ? FMATCH_OK : FMATCH_ERROR_NO_MEMORY;

    for (int k = 0; status == FMATCH_OK && k < ODD_GROUPS; k++) {
        double *nearness = find_nearness(odd, &groups[k]);
        if (nearness)
            odd->distance_area[k] =
                area_under_curve(groups[ODD_HELD_OUT].n, normal, groups[k].n, nearness);
        else
            status = FMATCH_ERROR_NO_MEMORY;
        free(nearness);
    }
    free(normal);
    return status;
}

static fmatch_status learn_and_score(struct odd_digits *odd, const fmatch_source *data,
                                     int64_t steps, uint64_t seed)
{
    fmatch_model *model = NULL;
    fmatch_status status = noisy_digits_learn(&model, odd->context, data, steps, seed);

    for (int k = 0; status == FMATCH_OK && k < ODD_GROUPS; k++)
        status = score_group(odd, &odd->groups[k], model);
    if (status == FMATCH_OK)
        row_groups_compare(ODD_GROUPS, odd->groups);
    fmatch_model_destroy(&model);
    return status;
}

fmatch_status odd_digits_run(struct odd_digits *odd, const char *file, int64_t steps,
                             int64_t most_scored, uint64_t seed)
{
    fmatch_source *data = NULL;
    fmatch_status status;

    if ((status = create_context(&odd->context, 2)) == FMATCH_OK &&
        (status = digit_rows_read(odd->context, file, seed, &odd->train, &odd->held_out)) ==
            FMATCH_OK &&
        (status = make_groups(odd, most_scored)) == FMATCH_OK &&
        (status = compare_distances(odd)) == FMATCH_OK &&
        (status = noisy_digits_create_source(&odd->train, odd->context, &data)) == FMATCH_OK)
        status = learn_and_score(odd, data, steps, seed);
    fmatch_source_destroy(&data);
    return status;
}

void odd_digits_destroy(struct odd_digits *odd)
{
    for (int k = 0; k < ODD_GROUPS; k++)
        row_group_destroy(&odd->groups[k]);
    digit_rows_destroy(&odd->train);
    digit_rows_destroy(&odd->held_out);
    fmatch_context_destroy(&odd->context);
}
