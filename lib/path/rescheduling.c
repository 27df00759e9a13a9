/* With rho = alpha / sigma, t = rho_from^-1(rho_to(r)): there both paths have noise and data in the
 * same ratio, so that x_r = s x_t with s = alpha_to / alpha_from = sigma_to / sigma_from. With D =
 * alpha' sigma - sigma' alpha, dt / dr = D_to / (D_from s^2): Lipman et al. 2024, "Flow matching
 * guide and code", on changing a scheduler after training, whose formulas are 0 / 0 at the end. Of
 * alpha and sigma the larger one is divided by, which is never 0. */
#include "path/rescheduling.h"

#include "base/status.h"

#include <math.h>

/* Where the old path begins without moving, as a polynomial one of an exponent above 1 does, its
 * velocity tells nothing of the data, and is asked about no nearer to the start than this. */
static const double STILL = 1e-4;

static fmatch_status check(const char *name, const struct path *path)
{
    struct schedule end;
    if (path_is_noisy(path))
        return status_fail(FMATCH_ERROR_UNSUPPORTED,
                           "%s has noise of its own, which no other schedule has the same way",
                           name);
    RETURN_IF_FAILED(path_schedule_at(path, 1.0, &end));
    if (fabs(end.sigma) > 1e-6 * end.alpha)
        return status_fail(FMATCH_ERROR_UNSUPPORTED,
                           "%s has sigma %s at t = 1; it must be 0, for both paths to end alike",
                           name, NUMBER(end.sigma));
    return FMATCH_OK;
}

fmatch_status rescheduling_check(const struct path *from, const struct path *to)
{
    RETURN_IF_FAILED(check("the original's path", from));
    return check("the new path", to);
}

fmatch_status rescheduling_at(const struct path *from, const struct path *to, double r,
                              struct rescheduling *at)
{
    struct schedule old, new;
    double t;
    const struct path_times regular = path_times_of(to, FMATCH_PREDICTION_VELOCITY);
    r = r > regular.to ? regular.to : r >= regular.from ? r : regular.from;
    if (r < STILL) {
        RETURN_IF_FAILED(path_schedule_at(from, 0.0, &old));
        r = schedule_is_regular(schedule_determinant(&old)) ? r : STILL;
    }
    RETURN_IF_FAILED(path_schedule_at(to, r, &new));
    const double ratio = new.sigma > 0.0 ? new.alpha / new.sigma : HUGE_VAL;
    RETURN_IF_FAILED(path_time_of_ratio(from, ratio, &t));
    at->t = (float)t; /* of which the rest is true */
    RETURN_IF_FAILED(path_schedule_at(from, (double)at->t, &old));
    const bool late = new.alpha > new.sigma;
    const double size = late ? new.alpha : new.sigma, old_size = late ? old.alpha : old.sigma;
    const double rate = late ? new.alpha_rate : new.sigma_rate;
    const double old_rate = late ? old.alpha_rate : old.sigma_rate;
    at->scale = size / old_size;
    const double of_old = schedule_determinant(&old);
    at->pace = schedule_is_regular(of_old)
                   ? schedule_determinant(&new) / (of_old * at->scale * at->scale)
                   : 0.0;
    at->stretch = rate / size - at->pace * old_rate / old_size;
    return FMATCH_OK;
}
