/** The problem of the post "Flow Matching: A visual introduction": its settings, what it published,
 * and what is known exactly. */
#ifndef EXAMPLES_POST_H
#define EXAMPLES_POST_H

#include <flowmatch/flowmatch.h>

/** Samples, and pairs, of every figure and measure; a build for checks may take fewer
 * thousands. */
#ifndef POST_SAMPLES
#define POST_SAMPLES 100000
#endif

enum {
    POST_COMPONENTS = 2,
    POST_PATH_STEPS = 15, /**< Euler steps of the animated path */
    POST_PATH_TIMES = POST_PATH_STEPS + 1
};

extern const float post_weights[POST_COMPONENTS];
extern const float post_means[POST_COMPONENTS];
extern const float post_stds[POST_COMPONENTS];

extern const double post_mean;
extern const double post_variance;

/** Densities are shown from -this to this. */
extern const double density_reach;

/** Where the animated path starts, and its points as the post prints them, from a network trained
 * with PyTorch. */
extern const float post_path_start;
extern const double post_path_published[POST_PATH_TIMES];

/** Settings of one training. */
struct post_settings {
    fmatch_mlp_config network;
    fmatch_adam_config optimizer;
    fmatch_trainer_config trainer;
};

/** Those of the post, every one written out. */
void post_configure_plain(struct post_settings *settings, uint64_t seed);

/** The library's recommended ones for as many steps, with the post's network and noise. */
void post_configure_recommended(struct post_settings *settings, uint64_t seed, int64_t steps,
                                const fmatch_source *noise, const fmatch_source *target);

/** Values at the probabilities (i + 1/2) / n of the target: the sample that fits it best. */
void post_exact_quantiles(int64_t n, float *quantiles);

#endif
