#include "latent_digits.h"
#include "../learned_flow.h"

#include <math.h>

enum { SEED_NOISE = 1 /* of the pixels of digits that are encoded */ };

/** From data to noise, or from noise to data. */
enum heading { TO_NOISE, TO_DATA };

static fmatch_status carry(const fmatch_model *model, const struct round_trip *how,
                           enum heading heading, int64_t n, const float *from, float *to,
                           int64_t *evaluations)
{
    fmatch_sampler *sampler = NULL;
    fmatch_sampler_config config;
    fmatch_sampler_info info = {.struct_size = sizeof info};
    fmatch_status status;

    fmatch_sampler_config_init(&config);
    config.solver = how->solver, config.steps = how->steps > 0 ? how->steps : config.steps;
    config.tolerance_absolute = config.tolerance_relative = how->tolerance;
    config.t_start = heading == TO_NOISE ? 1 : 0, config.t_end = 1 - config.t_start;
    if ((status = fmatch_sampler_create(&sampler, model, &config)) == FMATCH_OK &&
        (status = fmatch_sampler_integrate(sampler, n, from, NULL, to)) == FMATCH_OK)
        status = fmatch_sampler_get_info(sampler, &info);
    *evaluations += info.evaluations;
    fmatch_sampler_destroy(&sampler);
    return status;
}

/** What ways are made with: far more exact than can be seen. */
static fmatch_status carry_exactly(const struct latent_digits *latent, enum heading heading,
                                   int64_t n, const float *from, float *to)
{
    const struct round_trip exact = {.solver = FMATCH_SOLVER_RK4, .steps = 25};
    int64_t evaluations = 0;

    return carry(latent->model, &exact, heading, n, from, to, &evaluations);
}

/** Of the first digits of a source, with noise in their pixels. */
static fmatch_status measure_square(const struct latent_digits *latent, const fmatch_source *source,
                                    double *square)
{
    float rows[TRAVELLED * PIXELS];
    fmatch_status status = fmatch_source_draw(source, SEED_NOISE, 0, TRAVELLED, rows);

    if (status == FMATCH_OK)
        status = carry_exactly(latent, TO_NOISE, TRAVELLED, rows, rows);
    *square = 0;
    for (int i = 0; i < TRAVELLED * PIXELS; i++) {
        int j = i % PIXELS;
        double z = (rows[i] - latent->mean[j]) / latent->std[j];
        *square += z * z / (TRAVELLED * PIXELS);
    }
    return status;
}

fmatch_status latent_digits_create(struct latent_digits *l, const char *file, int64_t steps,
                                   uint64_t seed)
{
    fmatch_status status;

    if ((status = create_context(&l->context, 2)) != FMATCH_OK ||
        (status = digit_rows_read(l->context, file, seed, &l->train, &l->held_out)) != FMATCH_OK ||
        (status = noisy_digits_create_source(&l->train, l->context, &l->data)) != FMATCH_OK ||
        (status = noisy_digits_create_source(&l->held_out, l->context, &l->held_out_data)) !=
            FMATCH_OK ||
        (status = noisy_digits_learn(&l->model, l->context, l->data, steps, seed)) != FMATCH_OK ||
        (status = fmatch_model_get_noise(l->model, &l->noise)) != FMATCH_OK ||
        (status = fmatch_source_evaluate_moments(l->noise, l->mean, l->std)) != FMATCH_OK ||
        (status = measure_square(l, l->data, &l->train_square)) != FMATCH_OK)
        return status;
    return measure_square(l, l->held_out_data, &l->held_out_square);
}

void latent_digits_destroy(struct latent_digits *latent)
{
    fmatch_source_destroy(&latent->noise);
    fmatch_model_destroy(&latent->model);
    fmatch_source_destroy(&latent->held_out_data);
    fmatch_source_destroy(&latent->data);
    digit_rows_destroy(&latent->train);
    digit_rows_destroy(&latent->held_out);
    fmatch_context_destroy(&latent->context);
}

/** The first one of the label; the first of all if there is none. */
static int64_t find_digit(const struct digit_rows *rows, int label)
{
    for (int64_t i = 0; i < rows->n; i++)
        if (rows->labels[i] == (float)label)
            return i;
    return 0;
}

/* Latents are normal, and nearly all normal rows of 64 columns are about 8 long: a straight line
 * between two of them passes where no rows are. Along the great circle, Shoemake 1985,
 * z = (sin((1 - s) w) a + sin(s w) b) / sin w with w the angle between a and b. */
static void interpolate_spherically(const struct latent_digits *latent, const float *latents,
                                    double s, float *between)
{
    double a[PIXELS], b[PIXELS], dot = 0, aa = 0, bb = 0;

    for (int j = 0; j < PIXELS; j++) {
        a[j] = (latents[j] - latent->mean[j]) / latent->std[j];
        b[j] = (latents[PIXELS + j] - latent->mean[j]) / latent->std[j];
        dot += a[j] * b[j], aa += a[j] * a[j], bb += b[j] * b[j];
    }
    double angle = acos(fmin(dot / sqrt(aa * bb), 1));
    /* In a file without both labels, a digit and itself, between which there is no circle. */
    double of_a = angle > 0 ? sin((1 - s) * angle) / sin(angle) : 1 - s;
    double of_b = angle > 0 ? sin(s * angle) / sin(angle) : s;
    for (int j = 0; j < PIXELS; j++) {
        double z = of_a * a[j] + of_b * b[j];
        between[j] = (float)(latent->mean[j] + latent->std[j] * z);
    }
}

fmatch_status way_find(struct way *way, const struct latent_digits *latent)
{
    float latents[2 * PIXELS], between[STOPS * PIXELS];
    const int digits[] = {way->from, way->to};
    fmatch_status status = FMATCH_OK;

    for (int k = 0; status == FMATCH_OK && k < 2; k++)
        status = fmatch_source_draw(latent->held_out_data, SEED_NOISE,
                                    find_digit(&latent->held_out, digits[k]), 1,
                                    way->ends + (ptrdiff_t)k * PIXELS);
    if (status != FMATCH_OK ||
        (status = carry_exactly(latent, TO_NOISE, 2, way->ends, latents)) != FMATCH_OK)
        return status;
    for (int k = 0; k < STOPS; k++) {
        double s = (double)k / (STOPS - 1);
        interpolate_spherically(latent, latents, s, between + (ptrdiff_t)k * PIXELS);
        for (int j = 0; j < PIXELS; j++)
            way->blended[k * PIXELS + j] =
                (float)((1 - s) * way->ends[j] + s * way->ends[PIXELS + j]);
    }
    return carry_exactly(latent, TO_DATA, STOPS, between, way->decoded);
}

fmatch_status round_trip_run(struct round_trip *trip, const struct latent_digits *latent)
{
    float data[TRAVELLED * PIXELS], back[TRAVELLED * PIXELS];
    int64_t evaluations = 0;
    fmatch_status status;

    if ((status = fmatch_source_draw(latent->held_out_data, SEED_NOISE, 0, TRAVELLED, data)) !=
            FMATCH_OK ||
        (status = carry(latent->model, trip, TO_NOISE, TRAVELLED, data, back, &evaluations)) !=
            FMATCH_OK ||
        (status = carry(latent->model, trip, TO_DATA, TRAVELLED, back, back, &evaluations)) !=
            FMATCH_OK)
        return status;
    trip->evaluations = (double)evaluations / TRAVELLED;
    double squares = 0;
    for (int i = 0; i < TRAVELLED * PIXELS; i++) {
        double error = fabs((double)back[i] - data[i]);
        squares += error * error;
        trip->largest = fmax(trip->largest, error);
    }
    trip->rms = sqrt(squares / (TRAVELLED * PIXELS));
    return FMATCH_OK;
}
