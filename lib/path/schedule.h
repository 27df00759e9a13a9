/* Schedules of affine probability paths x_t = alpha(t) x1 + sigma(t) x0, in double. */
#ifndef PATH_SCHEDULE_H
#define PATH_SCHEDULE_H

#include <flowmatch/path.h>

struct schedule {
    double alpha, sigma;
    double alpha_rate, sigma_rate; /* derivatives with respect to t */
};

/* D = alpha' sigma - sigma' alpha, which conversions between v and the path's ends divide by. */
static inline double schedule_determinant(const struct schedule *s)
{
    return s->alpha_rate * s->sigma - s->sigma_rate * s->alpha;
}

/* Where it is not, the path stands still, and v tells nothing of its ends. */
static inline bool schedule_is_regular(double determinant)
{
    return determinant > 1e-30;
}

/* A kind of schedule, whose settings are in the configuration, defaults filled in. */
struct schedule_kind {
    struct schedule (*at)(const fmatch_path_config *config, double t);
    /* Where alpha / sigma is `ratio`, finite and > 0; NULL: there is no closed form. */
    double (*inverse_ratio)(const fmatch_path_config *config, double ratio);
    /* Whether a derivative is infinite at t = 0 or t = 1. */
    bool (*singular_start)(const fmatch_path_config *config);
    bool singular_end;
};

/* Of a kind that has formulas: NULL for FMATCH_PATH_CALLBACK. */
const struct schedule_kind *schedule_kind_get(int32_t kind);

/* The path of the closed forms. */
struct schedule schedule_linear(double t);

#endif
