#include "train/loss.h"

#include "base/configuration.h"
#include "base/status.h"

#include <math.h>
#include <stddef.h>

static const double PI = 3.14159265358979323846, LEAST_SIGMA = 5e-3;

enum { ROWS_AT_ONCE = 64 };

/* ---- the configuration ---- */

void fmatch_loss_config_init_sized(fmatch_loss_config *config, size_t size)
{
    const fmatch_loss_config recommended = {.kind = FMATCH_LOSS_SQUARE};
    configuration_write(config, size, &recommended, sizeof recommended);
}

/* 0 is `instead` where the setting counts, and must be 0 where it does not. */
static fmatch_status check_setting(const char *name, double *value, bool counts,
                                   struct interval range, double instead)
{
    if (*value == 0.0) {
        *value = instead;
        return FMATCH_OK;
    }
    if (!counts)
        return status_fail(FMATCH_ERROR_ARGUMENT,
                           "%s is %s; it belongs to another loss or weight and must be 0", name,
                           NUMBER(*value));
    return configuration_check_double(name, *value, range);
}

static fmatch_status check_config(fmatch_loss_config *c, int32_t dim)
{
    const struct interval positive = {.lowest = 1e-6, .highest = 1e6};
    const struct interval exponent = {.lowest = 0, .highest = 2};
    CHECK_RANGE("loss->kind", c->kind, FMATCH_LOSS_SQUARE, FMATCH_LOSS_PSEUDO_HUBER);
    CHECK_RANGE("loss->weight", c->weight, FMATCH_LOSS_WEIGHT_NONE, FMATCH_LOSS_WEIGHT_VELOCITY);
    RETURN_IF_FAILED(configuration_check_flags("loss->flags", c->flags));
    const bool adaptive = c->weight == FMATCH_LOSS_WEIGHT_ADAPTIVE;
    RETURN_IF_FAILED(check_setting("loss->huber_c", &c->huber_c,
                                   c->kind == FMATCH_LOSS_PSEUDO_HUBER, positive,
                                   0.00054 * sqrt((double)dim)));
    RETURN_IF_FAILED(check_setting("loss->adaptive_c", &c->adaptive_c, adaptive, positive, 0.01));
    RETURN_IF_FAILED(
        check_setting("loss->adaptive_exponent", &c->adaptive_exponent, adaptive, exponent, 1.0));
    if ((c->weight == FMATCH_LOSS_WEIGHT_CALLBACK) != (c->callbacks != NULL))
        return status_fail(FMATCH_ERROR_ARGUMENT, "loss->callbacks is %s",
                           c->callbacks ? "not NULL; it is for FMATCH_LOSS_WEIGHT_CALLBACK"
                                        : "NULL; FMATCH_LOSS_WEIGHT_CALLBACK needs it");
    if (!c->callbacks)
        return FMATCH_OK;
    RETURN_IF_FAILED(configuration_check_flags("loss->callbacks->flags", c->callbacks->flags));
    if (!c->callbacks->weigh)
        return status_fail(FMATCH_ERROR_ARGUMENT, "loss->callbacks->weigh is NULL");
    return FMATCH_OK;
}

static fmatch_status create(struct loss *loss, const fmatch_loss_config *config, int32_t dim)
{
    fmatch_loss_config *c = &loss->config;
    fmatch_loss_config_init(c);
    if (config)
        RETURN_IF_FAILED(configuration_read(c, sizeof *c, sizeof *c, config, "loss"));
    if (c->callbacks) {
        RETURN_IF_FAILED(configuration_read(&loss->callbacks, sizeof loss->callbacks,
                                            sizeof loss->callbacks, c->callbacks,
                                            "loss->callbacks"));
    }
    const fmatch_status status = check_config(c, dim);
    c->callbacks = NULL; /* the caller's; ours is the copy */
    return status;
}

fmatch_status loss_create(struct loss *loss, const fmatch_loss_config *config, int32_t dim,
                          const struct path *path, int32_t prediction)
{
    *loss = (struct loss){.path = path, .prediction = prediction};
    const fmatch_status status = create(loss, config, dim);
    if (status != FMATCH_OK)
        loss_destroy(loss);
    return status;
}

void loss_give_up(const fmatch_loss_config *config)
{
    struct loss given = {0};
    struct status_kept told;
    status_keep(&told);
    (void)create(&given, config, 1);
    loss_destroy(&given);
    status_restore(&told);
}

void loss_destroy(struct loss *loss)
{
    status_keep_and_destroy(loss->callbacks.destroy, loss->callbacks.user);
    *loss = (struct loss){0};
}

/* ---- the mean square ---- */

/* Sums in double, in eight chains that do not wait for one another. */
static double square_sum(int64_t n, const float *v, const float *u)
{
    enum { CHAINS = 8 };
    double sums[CHAINS] = {0};
    int64_t i = 0;
    for (; i + CHAINS <= n; i += CHAINS)
        for (int c = 0; c < CHAINS; c++) {
            const double off = (double)v[i + c] - u[i + c];
            sums[c] += off * off;
        }
    for (; i < n; i++)
        sums[i % CHAINS] += ((double)v[i] - u[i]) * ((double)v[i] - u[i]);
    return ((sums[0] + sums[1]) + (sums[2] + sums[3])) +
           ((sums[4] + sums[5]) + (sums[6] + sums[7]));
}

static void square_gradient(int64_t n, double scale, const float *v, const float *u, float *dv)
{
    const float twice = (float)(2.0 * scale);
    for (int64_t i = 0; i < n; i++)
        dv[i] = twice * (v[i] - u[i]);
}

/* ---- weighted rows ---- */

static fmatch_status weigh_by_user(const struct loss *loss, int64_t n, const float *t,
                                   double *weight)
{
    const fmatch_loss_callbacks *c = &loss->callbacks;
    for (int64_t i = 0; i < n; i++) /* what is not written shall be noticed */
        weight[i] = NAN;
    struct status_kept kept;
    status_keep(&kept);
    const int32_t code = c->weigh(c->user, n, t, weight);
    status_restore(&kept);
    RETURN_IF_FAILED(status_of_callback("weigh", code));
    for (int64_t i = 0; i < n; i++)
        if (!(weight[i] >= 0 && isfinite(weight[i])))
            return status_fail(FMATCH_ERROR_NOT_FINITE,
                               "the weight of the loss is %s at t = %s; it must be at least 0",
                               NUMBER(weight[i]), NUMBER(t[i]));
    return FMATCH_OK;
}

static double weight_at(int32_t kind, double t)
{
    const double sigma = 1.0 - t;
    if (kind == FMATCH_LOSS_WEIGHT_SIGMA_SQRT)
        return 1.0 / pow(sigma > LEAST_SIGMA ? sigma : LEAST_SIGMA, 2);
    if (kind == FMATCH_LOSS_WEIGHT_COSMAP)
        return 2.0 / (PI * (1.0 - 2.0 * sigma + 2.0 * sigma * sigma));
    return 1.0;
}

/* Weights of rows by their times. */
static fmatch_status weigh(const struct loss *loss, int64_t n, const float *t, double *weight)
{
    if (loss->config.weight == FMATCH_LOSS_WEIGHT_CALLBACK)
        return weigh_by_user(loss, n, t, weight);
    if (loss->config.weight == FMATCH_LOSS_WEIGHT_VELOCITY)
        return path_velocity_weights(loss->path, loss->prediction, n, t, weight);
    for (int64_t i = 0; i < n; i++)
        weight[i] = weight_at(loss->config.weight, t[i]);
    return FMATCH_OK;
}

/* Loss of a row, and what its error must be multiplied by for the derivative. */
struct row_loss {
    double loss, factor;
};

static struct row_loss loss_of_row(const fmatch_loss_config *c, int32_t dim, double square)
{
    if (c->kind == FMATCH_LOSS_SQUARE)
        return (struct row_loss){square / dim, 2.0 / dim};
    const double root = sqrt(square + c->huber_c * c->huber_c);
    return (struct row_loss){square / (root + c->huber_c), 1.0 / root};
}

static double evaluate_row(const struct loss *loss, int32_t dim, double weight, double scale,
                           const float *v, const float *u, float *dv)
{
    const fmatch_loss_config *c = &loss->config;
    double square = 0.0;
    for (int32_t j = 0; j < dim; j++)
        square += ((double)v[j] - u[j]) * ((double)v[j] - u[j]);
    const struct row_loss row = loss_of_row(c, dim, square);
    if (c->weight == FMATCH_LOSS_WEIGHT_ADAPTIVE)
        weight *= pow(row.loss + c->adaptive_c, -c->adaptive_exponent);
    const float factor = (float)(scale * weight * row.factor);
    for (int32_t j = 0; dv && j < dim; j++)
        dv[j] = factor * (v[j] - u[j]);
    return weight * row.loss;
}

static fmatch_status evaluate_rows(const struct loss *loss, const struct loss_rows *r, double scale,
                                   double *sum, float *gradient)
{
    for (int64_t first = 0; first < r->n; first += ROWS_AT_ONCE) {
        double weight[ROWS_AT_ONCE];
        const int64_t n = r->n - first < ROWS_AT_ONCE ? r->n - first : ROWS_AT_ONCE;
        RETURN_IF_FAILED(weigh(loss, n, r->t + first, weight));
        for (int64_t i = first; i < first + n; i++)
            *sum += evaluate_row(loss, r->dim, weight[i - first] * (r->weight ? r->weight[i] : 1.0),
                                 scale, r->predicted + i * r->dim, r->target + i * r->dim,
                                 gradient ? gradient + i * r->dim : NULL);
    }
    return FMATCH_OK;
}

fmatch_status loss_evaluate(const struct loss *loss, const struct loss_rows *r, double scale,
                            double *sum, float *gradient)
{
    *sum = 0.0;
    if (loss->config.kind != FMATCH_LOSS_SQUARE || loss->config.weight != FMATCH_LOSS_WEIGHT_NONE ||
        r->weight)
        return evaluate_rows(loss, r, scale, sum, gradient);
    *sum = square_sum(r->n * r->dim, r->predicted, r->target) / r->dim;
    if (gradient)
        square_gradient(r->n * r->dim, scale / r->dim, r->predicted, r->target, gradient);
    return FMATCH_OK;
}
