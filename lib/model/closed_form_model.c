/* Model whose velocity is the exact one from N(0, I) to a Gaussian mixture, with the path's
 * density.
 *
 * With the path x_t = alpha x1 + sigma x0, component k of the mixture is N(alpha m_k, S_k) at time
 * t, where S_k = sigma^2 + alpha^2 s_k^2, and the velocity of its pairs given x_t = x is alpha' m_k
 * + (alpha alpha' s_k^2 + sigma sigma') / S_k (x - alpha m_k), so that the field is the mean of
 * these under the components' responsibilities. All of it in double. */
#include "model/model.h"

#include "base/status.h"
#include "path/schedule.h"
#include "source/mixture_source.h"
#include "source/normal_source.h"

#include <math.h>

struct closed_form_model {
    fmatch_model model;
    fmatch_source *target;
    const struct mixture *mixture;
};

static const double LOG_2_PI = 1.8378770664093454836;

/* ---- one row ---- */

/* log of the density at x of all components together; log_share [components] gets each one's part
 * of it. */
static double log_density_at(const struct mixture *m, struct schedule s, const double *x,
                             double *log_share)
{
    double largest = -INFINITY;
    for (int32_t k = 0; k < m->components; k++) {
        const double *mean = m->means + (int64_t)k * m->dim, *std = m->stds + (int64_t)k * m->dim;
        double sum = 0.0;
        for (int32_t j = 0; j < m->dim; j++) {
            const double variance = s.sigma * s.sigma + s.alpha * s.alpha * std[j] * std[j];
            const double off = x[j] - s.alpha * mean[j];
            sum += off * off / variance + log(variance) + LOG_2_PI;
        }
        log_share[k] = log(m->weights[k]) - 0.5 * sum;
        largest = log_share[k] > largest ? log_share[k] : largest;
    }
    double total = 0.0;
    for (int32_t k = 0; k < m->components; k++)
        total += exp(log_share[k] - largest);
    const double log_density = largest + log(total);
    for (int32_t k = 0; k < m->components; k++)
        log_share[k] -= log_density;
    return log_density;
}

/* share [components] is scratch. */
static void velocity_at(const struct mixture *m, struct schedule s, const double *x, double *share,
                        double *v)
{
    log_density_at(m, s, x, share);
    for (int32_t k = 0; k < m->components; k++)
        share[k] = exp(share[k]);
    for (int32_t j = 0; j < m->dim; j++) {
        double sum = 0.0;
        for (int32_t k = 0; k < m->components; k++) {
            const double mean = m->means[(int64_t)k * m->dim + j];
            const double variance = pow(m->stds[(int64_t)k * m->dim + j], 2);
            const double slope = (s.alpha * s.alpha_rate * variance + s.sigma * s.sigma_rate) /
                                 (s.sigma * s.sigma + s.alpha * s.alpha * variance);
            sum += share[k] * (s.alpha_rate * mean + slope * (x[j] - s.alpha * mean));
        }
        v[j] = sum;
    }
}

/* Doubles that one row needs. */
struct row {
    double *share; /* [components] */
    double *x, *v; /* [dim] */
};

static int64_t row_size(const struct mixture *m)
{
    return m->components + 2 * (int64_t)m->dim;
}

static struct row row_in(const struct mixture *m, double *scratch)
{
    return (struct row){
        .share = scratch, .x = scratch + m->components, .v = scratch + m->components + m->dim};
}

static void widen(int32_t dim, const float *from, double *to)
{
    for (int32_t j = 0; j < dim; j++)
        to[j] = from[j];
}

/* ---- the kind ---- */

static int64_t closed_form_scratch_size(const fmatch_model *model)
{
    return row_size(((const struct closed_form_model *)model)->mixture) *
           (int64_t)(sizeof(double) / sizeof(float));
}

static fmatch_status closed_form_evaluate(const fmatch_model *model, const float *parameters,
                                          float *scratch, int64_t n, const float *x, const float *t,
                                          float *v)
{
    (void)parameters;
    const struct mixture *m = ((const struct closed_form_model *)model)->mixture;
    const int32_t dim = model->dim;
    const struct row row = row_in(m, (double *)(void *)scratch); /* aligned for any type */
    for (int64_t i = 0; i < n; i++) {
        widen(dim, x + i * dim, row.x);
        velocity_at(m, schedule_linear(t[i]), row.x, row.share, row.v);
        for (int32_t j = 0; j < dim; j++)
            v[i * dim + j] = (float)row.v[j];
    }
    return FMATCH_OK;
}

static void closed_form_destroy(fmatch_model *model)
{
    source_release(((struct closed_form_model *)model)->target);
}

static fmatch_status closed_form_copy(fmatch_model **copy, const fmatch_model *model);

static const struct model_kind closed_form_kind = {.scratch_size = closed_form_scratch_size,
                                                   .evaluate = closed_form_evaluate,
                                                   .copy = closed_form_copy,
                                                   .destroy = closed_form_destroy};

static fmatch_status create(fmatch_model **model, fmatch_context *context,
                            const fmatch_source *target)
{
    fmatch_model *created;
    RETURN_IF_FAILED(model_create(&created, context, sizeof(struct closed_form_model),
                                  &closed_form_kind, target->dim, NULL));
    struct closed_form_model *m = (struct closed_form_model *)created;
    m->target = source_retain(target);
    m->mixture = mixture_source_get(target);
    const fmatch_status status =
        normal_source_create(&created->noise, context, target->dim, NULL, NULL);
    if (status != FMATCH_OK) {
        model_release(created);
        return status;
    }
    *model = created;
    return FMATCH_OK;
}

static fmatch_status closed_form_copy(fmatch_model **copy, const fmatch_model *model)
{
    return create(copy, model->context, ((const struct closed_form_model *)model)->target);
}

/* N(0, I) as a mixture of one component. */
static fmatch_status create_for_normal(fmatch_model **model, fmatch_context *context, int32_t dim)
{
    const float weight = 1.0f;
    float *means = allocation_create(&context->allocator, 2 * (int64_t)dim, sizeof *means);
    if (!means)
        return status_no_memory(2 * (size_t)dim * sizeof *means);
    float *stds = means + dim;
    for (int32_t j = 0; j < dim; j++)
        stds[j] = 1.0f;
    fmatch_source *mixture = NULL;
    fmatch_status status =
        fmatch_source_create_gaussian_mixture(&mixture, context, dim, 1, &weight, means, stds);
    if (status == FMATCH_OK)
        status = create(model, context, mixture);
    source_release(mixture);
    allocation_destroy(&context->allocator, means);
    return status;
}

fmatch_status fmatch_model_create_closed_form(fmatch_model **model, fmatch_context *context,
                                              const fmatch_source *target)
{
    status_begin();
    CHECK_NOT_NULL(model);
    *model = NULL;
    CHECK_NOT_NULL(context);
    CHECK_NOT_NULL(target);
    if (normal_source_is_standard(target))
        return create_for_normal(model, context, target->dim);
    if (!mixture_source_get(target))
        return status_fail(FMATCH_ERROR_UNSUPPORTED,
                           "target is neither a Gaussian mixture nor a standard normal; only those "
                           "have a closed form");
    return create(model, context, target);
}

/* ---- density ---- */

static fmatch_status as_closed_form(const fmatch_model *model, const struct closed_form_model **m)
{
    CHECK_NOT_NULL(model);
    if (model->kind != &closed_form_kind)
        return status_fail(FMATCH_ERROR_UNSUPPORTED, "model is not a closed-form model");
    *m = (const struct closed_form_model *)model;
    return FMATCH_OK;
}

static fmatch_status check_density_arguments(const fmatch_model *model, int64_t n, const float *x,
                                             const float *t)
{
    CHECK_NOT_NULL(x);
    CHECK_NOT_NULL(t);
    RETURN_IF_FAILED(status_check_finite("x", 0, n, model->dim, x));
    for (int64_t i = 0; i < n; i++)
        if (!(t[i] >= 0 && t[i] <= 1))
            return status_fail(FMATCH_ERROR_ARGUMENT, "t[%lld] is %s; it must be in [0, 1]",
                               (long long)i, NUMBER(t[i]));
    return FMATCH_OK;
}

fmatch_status fmatch_model_evaluate_log_density(const fmatch_model *model, int64_t n,
                                                const float *x, const float *t, double *log_density)
{
    status_begin();
    const struct closed_form_model *m = NULL;
    RETURN_IF_FAILED(as_closed_form(model, &m));
    CHECK_RANGE("n", n, 0, SOURCE_ROWS_MAX / model->dim);
    if (n == 0)
        return FMATCH_OK;
    CHECK_NOT_NULL(log_density);
    RETURN_IF_FAILED(check_density_arguments(model, n, x, t));

    const fmatch_allocator *allocator = &model->context->allocator;
    double *scratch = allocation_create(allocator, row_size(m->mixture), sizeof *scratch);
    if (!scratch)
        return status_no_memory((size_t)row_size(m->mixture) * sizeof *scratch);
    const struct row row = row_in(m->mixture, scratch);
    for (int64_t i = 0; i < n; i++) {
        widen(model->dim, x + i * model->dim, row.x);
        log_density[i] = log_density_at(m->mixture, schedule_linear(t[i]), row.x, row.share);
    }
    allocation_destroy(allocator, scratch);
    return FMATCH_OK;
}

fmatch_status fmatch_model_evaluate_density(const fmatch_model *model, int64_t n, const float *x,
                                            const float *t, double *density)
{
    if (model && n > 0 && !density) {
        status_begin();
        return status_fail(FMATCH_ERROR_ARGUMENT, "density is NULL");
    }
    RETURN_IF_FAILED(fmatch_model_evaluate_log_density(model, n, x, t, density));
    for (int64_t i = 0; i < n; i++)
        density[i] = exp(density[i]);
    return FMATCH_OK;
}

/* ---- irreducible loss ---- */

/* E u(x_t, t)^2 in one dimension. For each component by the trapezoidal rule on its standardised
 * coordinate, which converges faster than any power of the step as long as the step resolves the
 * narrowest component. */
static double mean_square_velocity(const struct mixture *m, double t, double *share)
{
    enum { POINTS_MAX = 200000 };
    const double reach = 9.0, coarsest = 0.125;
    const struct schedule s = schedule_linear(t);
    double narrowest = INFINITY;
    for (int32_t k = 0; k < m->components; k++)
        narrowest = fmin(narrowest, hypot(s.sigma, s.alpha * m->stds[k]));

    double total = 0.0;
    for (int32_t k = 0; k < m->components; k++) {
        const double width = hypot(s.sigma, s.alpha * m->stds[k]);
        const double finest = fmin(coarsest, 0.25 * narrowest / width);
        const int points = (int)fmin(ceil(2 * reach / finest), POINTS_MAX);
        double sum = 0.0;
        for (int i = 0; i <= points; i++) {
            const double z = reach * (2.0 * i / points - 1.0);
            const double x = s.alpha * m->means[k] + width * z;
            double u;
            velocity_at(m, s, &x, share, &u);
            sum += u * u * exp(-0.5 * z * z);
        }
        total += m->weights[k] * sum * (2 * reach / points) * exp(-0.5 * LOG_2_PI);
    }
    return total;
}

/* Gauss and Legendre's rule of five points on each of equal panels of [0, 1]. */
static double irreducible_loss_1d(const struct mixture *m, double second_moment, double *share)
{
    enum { PANELS = 64 };
    const double inner = sqrt(5.0 - 2.0 * sqrt(10.0 / 7.0)) / 3.0;
    const double outer = sqrt(5.0 + 2.0 * sqrt(10.0 / 7.0)) / 3.0;
    const double nodes[5] = {-outer, -inner, 0.0, inner, outer};
    const double heavy = (322.0 + 13.0 * sqrt(70.0)) / 900.0;
    const double light = (322.0 - 13.0 * sqrt(70.0)) / 900.0;
    const double weights[5] = {light, heavy, 128.0 / 225.0, heavy, light};

    double integral = 0.0;
    for (int p = 0; p < PANELS; p++)
        for (int i = 0; i < 5; i++) {
            const double t = (p + 0.5 + 0.5 * nodes[i]) / PANELS;
            integral += weights[i] * 0.5 / PANELS * mean_square_velocity(m, t, share);
        }
    return second_moment - integral;
}

/* Mean of the pairs' squared distance from the field, with one time in each of as many strata as
 * there are draws. */
enum { LOSS_DRAWS = 1 << 18, LOSS_BLOCK = 256 };

struct pairs {
    float *x0, *x1, *x, *u; /* [LOSS_BLOCK, dim] each */
    float t[LOSS_BLOCK];
};

static fmatch_status draw_pairs(const struct closed_form_model *m, int64_t first, struct pairs *p)
{
    const struct random_stream noise = source_stream(m->target, 0, STREAM_EVALUATE_NOISE);
    const struct random_stream target = source_stream(m->target, 0, STREAM_EVALUATE_TARGET);
    const struct random_stream time = source_stream(m->target, 0, STREAM_EVALUATE_TIME);
    RETURN_IF_FAILED(source_draw(m->model.noise, &noise, first, LOSS_BLOCK, p->x0));
    RETURN_IF_FAILED(source_draw(m->target, &target, first, LOSS_BLOCK, p->x1));
    random_stream_uniform(&time, 0, (uint64_t)first, LOSS_BLOCK, p->t);
    for (int64_t i = 0; i < LOSS_BLOCK; i++)
        p->t[i] = (float)(((double)(first + i) + p->t[i]) / LOSS_DRAWS);
    schedule_interpolate(LOSS_BLOCK, m->model.dim, p->t, p->x0, p->x1, p->x, p->u);
    return FMATCH_OK;
}

static fmatch_status irreducible_loss_draws(const struct closed_form_model *m, struct row row,
                                            struct pairs *p, double *loss, double *error)
{
    const int32_t dim = m->model.dim;
    double sum = 0.0, squares = 0.0;
    for (int64_t first = 0; first < LOSS_DRAWS; first += LOSS_BLOCK) {
        RETURN_IF_FAILED(draw_pairs(m, first, p));
        for (int64_t i = 0; i < LOSS_BLOCK; i++) {
            const float *u = p->u + i * dim;
            widen(dim, p->x + i * dim, row.x);
            velocity_at(m->mixture, schedule_linear(p->t[i]), row.x, row.share, row.v);
            double square = 0.0;
            for (int32_t j = 0; j < dim; j++)
                square += (u[j] - row.v[j]) * (u[j] - row.v[j]);
            sum += square / dim;
            squares += square / dim * (square / dim);
        }
    }
    *loss = sum / LOSS_DRAWS;
    *error = sqrt((squares / LOSS_DRAWS - *loss * *loss) / LOSS_DRAWS);
    return FMATCH_OK;
}

fmatch_status fmatch_model_evaluate_irreducible_loss(const fmatch_model *model, double *loss,
                                                     double *standard_error)
{
    status_begin();
    const struct closed_form_model *m = NULL;
    RETURN_IF_FAILED(as_closed_form(model, &m));
    CHECK_NOT_NULL(loss);

    const fmatch_allocator *allocator = &model->context->allocator;
    const int64_t cells = (int64_t)LOSS_BLOCK * model->dim;
    double *scratch = allocation_create(allocator, row_size(m->mixture), sizeof *scratch);
    float *block = allocation_create(allocator, 4 * cells, sizeof *block);
    fmatch_status status = FMATCH_OK;
    double error = 0.0;
    if (!scratch || !block) {
        status = status_no_memory((size_t)row_size(m->mixture) * sizeof *scratch +
                                  4 * (size_t)cells * sizeof *block);
    } else if (model->dim == 1) {
        double mean = 0.0, std = 0.0;
        m->target->kind->moments(m->target, &mean, &std);
        *loss = irreducible_loss_1d(m->mixture, 1.0 + mean * mean + std * std, scratch);
    } else {
        struct pairs p = {
            .x0 = block, .x1 = block + cells, .x = block + 2 * cells, .u = block + 3 * cells};
        status = irreducible_loss_draws(m, row_in(m->mixture, scratch), &p, loss, &error);
    }
    allocation_destroy(allocator, block);
    allocation_destroy(allocator, scratch);
    if (status == FMATCH_OK && standard_error)
        *standard_error = error;
    return status;
}
