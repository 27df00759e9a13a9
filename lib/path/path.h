/* Probability paths: pairs of noise and data into points and targets of training, and predictions
 * into velocities. */
#ifndef PATH_PATH_H
#define PATH_PATH_H

#include "context/context.h"
#include "path/schedule.h"

struct path;

/* NULL is the linear path. On failure the user's destroy has been called, unless the configuration
 * could not be read. */
fmatch_status path_create(struct path **path, fmatch_context *context,
                          const fmatch_path_config *config);
/* What path_create does for the user when it fails, where there is not even a context. */
void path_give_up(const fmatch_path_config *config);
struct path *path_retain(struct path *path);
/* Accepts NULL. */
void path_release(struct path *path);

/* With its defaults filled in; lives as long as the path. */
const fmatch_path_config *path_config(const struct path *path);

/* Does x_t have noise of its own? */
bool path_is_noisy(const struct path *path);

/* Is what the path says of its noise true of standard normal noise alone? */
bool path_needs_normal_noise(const struct path *path);

fmatch_status path_check_prediction(const struct path *path, int32_t prediction);

/* Are the ends left out, where the velocity is infinite? */
bool path_is_open(const struct path *path);

/* Times that training may use. */
struct path_times {
    double from, to;
};
struct path_times path_times_of(const struct path *path, int32_t prediction);

/* Rows of training; z may be NULL for a path without noise. */
struct path_rows {
    int64_t n;
    int32_t dim;
    const float *t, *x0, *x1, *z;
};

/* x_t, and what the network is to predict there. Fails only as a user's schedule does. */
fmatch_status path_interpolate(const struct path *path, int32_t prediction,
                               const struct path_rows *rows, float *x_t, float *target);

/* The velocity that a prediction at x_t means; v may be `predicted`. */
fmatch_status path_velocity(const struct path *path, int32_t prediction, int64_t n, int32_t dim,
                            const float *t, const float *x_t, const float *predicted, float *v);

enum { PATH_TIMES_AT_ONCE = 64 };

/* Schedules at some times, in floats. Where a rate is infinite, it is that of a time near by, and
 * so are the products, which are finite there. */
struct path_schedules {
    float alpha[PATH_TIMES_AT_ONCE], sigma[PATH_TIMES_AT_ONCE];
    float alpha_rate[PATH_TIMES_AT_ONCE], sigma_rate[PATH_TIMES_AT_ONCE];
    float alpha_product[PATH_TIMES_AT_ONCE], sigma_product[PATH_TIMES_AT_ONCE]; /* with the rates */
    /* Of the path's own noise: its variance, and its covariance with the velocity. */
    float variance[PATH_TIMES_AT_ONCE], covariance[PATH_TIMES_AT_ONCE];
};

/* At most PATH_TIMES_AT_ONCE; times outside of [0, 1] count as its ends. Fails only as a user's
 * schedule does. */
fmatch_status path_schedules_at(const struct path *path, int32_t n, const float *t,
                                struct path_schedules *s);

/* The same at one time in [0, 1], in doubles. */
fmatch_status path_schedule_at(const struct path *path, double t, struct schedule *s);

/* The time at which alpha / sigma is `ratio`, which may be infinite: 0 or 1 where it is never. */
fmatch_status path_time_of_ratio(const struct path *path, double ratio, double *t);

/* Weights [n] that make the squared error of a prediction that of the velocity it means. Fails only
 * as a user's schedule does. */
fmatch_status path_velocity_weights(const struct path *path, int32_t prediction, int64_t n,
                                    const float *t, double *weight);

#endif
