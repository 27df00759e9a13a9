/** The problem of the post "Flow Matching: A visual introduction": its settings, what it published,
 * and what is known exactly. */
#ifndef EXAMPLES_POST_H
#define EXAMPLES_POST_H

#include <flowmatch/flowmatch.h>

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

/** Where the animated path starts, and its points as the post prints them, from a network trained
 * with PyTorch. */
extern const float post_path_start;
extern const double post_path_published[POST_PATH_TIMES];

/** Settings of the post, every one written out. Seeds are the caller's. */
void post_configure_network(fmatch_mlp_config *config);
void post_configure_optimizer(fmatch_adam_config *config);
void post_configure_trainer(fmatch_trainer_config *config);

/** Values at the probabilities (i + 1/2) / n of the target: the sample that fits it best. */
void post_exact_quantiles(int64_t n, float *quantiles);

#endif
