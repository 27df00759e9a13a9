/** Digits carried back to the noise that a flow makes them of, and from there to data again. */
#ifndef EXAMPLES_LATENT_DIGITS_H
#define EXAMPLES_LATENT_DIGITS_H

#include "../digits/noisy_digits.h"

enum {
    PAIRS = 5,
    STOPS = 9,      /**< of a way from one digit to another, both ends included */
    TRAVELLED = 50, /**< digits that go there and back */
    ROUND_TRIPS = 5
};

struct latent_digits {
    fmatch_context *context;
    struct digit_rows train, held_out;
    fmatch_source *data, *held_out_data;
    fmatch_model *model;
    fmatch_source *noise;                 /**< the model's */
    float mean[PIXELS], std[PIXELS];      /**< of the noise */
    double train_square, held_out_square; /**< mean square of standardised latents; 1 if normal */
};

/** One pair of digits that were held out, and what lies between. */
struct way {
    int from, to;                  /**< the digits */
    float ends[2 * PIXELS];        /**< as they were given, with their noise */
    float decoded[STOPS * PIXELS]; /**< along the great circle between their latents */
    float blended[STOPS * PIXELS]; /**< along the straight line between them */
};

/** Data to noise and back by one solver. */
struct round_trip {
    const char *name;
    int32_t solver;      /**< an fmatch_solver */
    int64_t steps;       /**< of one with fixed steps */
    double tolerance;    /**< of an adaptive one, absolute and relative */
    double evaluations;  /**< of a row, in both directions, on average */
    double rms, largest; /**< error, in pixels' units: ink is 16 */
};

/** Read, train, and see whether latents are normal. To be destroyed in any case. */
fmatch_status latent_digits_create(struct latent_digits *latent, const char *file, int64_t steps,
                                   uint64_t seed);
void latent_digits_destroy(struct latent_digits *latent);

/** Fill in what is between the digits, which are given. */
fmatch_status way_find(struct way *way, const struct latent_digits *latent);

/** Fill in what it came to, for a solver that is given. */
fmatch_status round_trip_run(struct round_trip *trip, const struct latent_digits *latent);

#endif
