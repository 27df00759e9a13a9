/* Model whose velocity is the exact one from N(0, I) to a Gaussian mixture, with the path's
 * density.
 *
 * With the path x_t = alpha x1 + sigma x0, component k of the mixture is N(alpha m_k, S_k) at time
 * t, where S_k = sigma^2 + alpha^2 s_k^2, and the velocity of its pairs given x_t = x is alpha' m_k
 * + (alpha alpha' s_k^2 + sigma sigma') / S_k (x - alpha m_k), so that the field is the mean of
 * these under the components' responsibilities. All of it in double. */
#include "model/model.h"

#include "base/status.h"
#include "model/divergence.h"
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

/* z^T (du/dx) z for the columns first to first + count - 1 of z, which is NULL for ones: with a_k
 * the velocity under component k, s_k its slope and g_k the gradient of the component's
 * log-density,
 *
 *   sum over k of r_k (sum over j of s_kj z_j^2 + (g_k z - mean of g z) (a_k z - u z)).
 *
 * share [components] has the responsibilities. */
static double along(const struct mixture *m, struct schedule s, const double *x,
                    const double *share, const float *z, int32_t first, int32_t count)
{
    double slopes = 0.0, gradient = 0.0, velocity = 0.0, product = 0.0, base = 0.0;
    for (int32_t k = 0; k < m->components; k++) {
        double own_slope = 0.0, own_gradient = 0.0, own_velocity = 0.0;
        for (int32_t j = first; j < first + count; j++) {
            const double mean = m->means[(int64_t)k * m->dim + j];
            const double data = pow(m->stds[(int64_t)k * m->dim + j], 2);
            const double variance = s.sigma * s.sigma + s.alpha * s.alpha * data;
            const double slope =
                (s.alpha * s.alpha_rate * data + s.sigma * s.sigma_rate) / variance;
            const double off = x[j] - s.alpha * mean, weight = z ? z[j] : 1.0;
            own_slope += slope * weight * weight;
            own_gradient -= off / variance * weight;
            own_velocity += (s.alpha_rate * mean + slope * off) * weight;
        }
        base = k == 0 ? own_gradient : base; /* from which no difference is large */
        slopes += share[k] * own_slope;
        gradient += share[k] * (own_gradient - base);
        velocity += share[k] * own_velocity;
        product += share[k] * (own_gradient - base) * own_velocity;
    }
    return slopes + product - gradient * velocity;
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

static int64_t closed_form_scratch_size(const fmatch_model *model, int64_t n)
{
    (void)n; /* one row at a time */
    const int64_t floats = row_size(((const struct closed_form_model *)model)->mixture) *
                           (int64_t)(sizeof(double) / sizeof(float));
    return (floats + 15) / 16 * 16;
}

static fmatch_status closed_form_evaluate(const fmatch_model *model,
                                          const struct parameter_snapshot *snapshot, float *scratch,
                                          const struct model_rows *rows, float *v)
{
    (void)snapshot;
    const struct mixture *m = ((const struct closed_form_model *)model)->mixture;
    const int32_t dim = model->dim;
    const struct row row = row_in(m, (double *)(void *)scratch); /* aligned for any type */
    for (int64_t i = 0; i < rows->n; i++) {
        widen(dim, rows->x + i * dim, row.x);
        velocity_at(m, schedule_linear(rows->t[i]), row.x, row.share, row.v);
        for (int32_t j = 0; j < dim; j++)
            v[i * dim + j] = (float)row.v[j];
    }
    return FMATCH_OK;
}

static int64_t closed_form_diverge_size(const fmatch_model *model, int64_t n)
{
    return closed_form_scratch_size(model, n) + (model->dim + 15) / 16 * 16;
}

static fmatch_status closed_form_diverge(const fmatch_model *model,
                                         const struct parameter_snapshot *snapshot, float *scratch,
                                         const struct model_rows *rows,
                                         const struct divergence *divergence, float *v)
{
    const struct mixture *m = ((const struct closed_form_model *)model)->mixture;
    const int32_t dim = model->dim, probes = divergence->method->probes;
    float *z = scratch + closed_form_scratch_size(model, rows->n);
    for (int64_t i = 0; i < rows->n; i++) {
        /* what evaluate leaves in its scratch is this row's */
        const struct model_rows one = model_rows_part(model, rows, i, 1);
        const struct row row = row_in(m, (double *)(void *)scratch);
        const struct schedule s = schedule_linear(rows->t[i]);
        const struct divergence d = divergence_part(divergence, i);
        RETURN_IF_FAILED(closed_form_evaluate(model, snapshot, scratch, &one, v + i * dim));
        for (int32_t j = 0; probes == 0 && j < dim; j++)
            divergence_add(&d, 0, 0, along(m, s, row.x, row.share, NULL, j, 1));
        for (int32_t k = 0; k < probes; k++) {
            divergence_probe(&d, k, 1, dim, z);
            divergence_add(&d, k, 0, along(m, s, row.x, row.share, z, 0, dim));
        }
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
                                                   .diverge_size = closed_form_diverge_size,
                                                   .diverge = closed_form_diverge,
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

/* ---- irreducible loss ----
 *
 * It is the mean over the path of the variance of a pair's velocity given x_t = x. Given component
 * k as well, that velocity is normal with mean u_k and variance W^2 s_k^2 / S_k, W = alpha' sigma -
 * sigma' alpha, for each coordinate. So the loss is a part within the components and one between
 * them,
 *
 *   sum over k of w_k times the integral over t of W^2 s_k^2 / S_k, and
 *   the integral over t of E sum over k of r_k (u_k - u)^2, u = sum over k of r_k u_k.
 *
 * On the linear path the first integral is s_k pi / 2. The second is a sum of squares, which no
 * cancellation harms, if differences of velocities are not taken between large numbers either: at y
 * = x - alpha m_j
 *
 *   u_k - u_j = W sigma / S_k (m_k - m_j + alpha (s_k^2 - s_j^2) y / S_j). */

static double loss_within(const struct mixture *m)
{
    const double half_pi = 1.5707963267948966192;
    double sum = 0.0;
    for (int32_t k = 0; k < m->components; k++)
        for (int32_t j = 0; j < m->dim; j++)
            sum += m->weights[k] * m->stds[(int64_t)k * m->dim + j];
    return half_pi * sum / m->dim;
}

/* The linear path at a distance from its end, which 1 - t would round. */
static struct schedule schedule_before_end(double distance)
{
    struct schedule s = schedule_linear(1.0 - distance);
    s.sigma = distance;
    return s;
}

/* Below which distance from t = 0 and from t = 1 the mixture's path is smooth: where the farthest
 * two components part, or the broadest outgrows the noise; where the noise fades behind the
 * narrowest. */
struct scales {
    double begin, end;
};

static struct scales scales_of(const struct mixture *m)
{
    double largest = 1.0, smallest = 1.0;
    for (int32_t j = 0; j < m->dim; j++) {
        double lowest = INFINITY, highest = -INFINITY;
        for (int32_t k = 0; k < m->components; k++) {
            if (m->weights[k] == 0)
                continue;
            const double mean = m->means[(int64_t)k * m->dim + j];
            const double std = m->stds[(int64_t)k * m->dim + j];
            lowest = fmin(lowest, mean);
            highest = fmax(highest, mean);
            largest = fmax(largest, std);
            smallest = fmin(smallest, std);
        }
        largest = fmax(largest, highest - lowest);
    }
    return (struct scales){.begin = 1.0 / largest, .end = smallest};
}

/* ---- the part between components in one dimension, by quadrature ---- */

enum { QUADRATURE_COMPONENTS_MAX = 16, RULE_POINTS = 8 };

/* Gauss and Legendre's rule on [-1, 1]; the other half mirrors it. */
static const double rule_nodes[RULE_POINTS / 2] = {0.1834346424956498049, 0.5255324099163289858,
                                                   0.7966664774136267396, 0.9602898564975362317};
static const double rule_weights[RULE_POINTS / 2] = {0.3626837833783619830, 0.3137066458778872873,
                                                     0.2223810344533744705, 0.1012285362903762591};

/* Point i of the rule on [begin, end], and its weight. */
static double rule_point(int i, double begin, double end, double *weight)
{
    const double half = 0.5 * (end - begin), node = rule_nodes[i / 2];
    *weight = half * rule_weights[i / 2];
    return begin + half * (i % 2 ? 1.0 + node : 1.0 - node);
}

/* The mixture at one time; components of weight 0 left out. */
struct components {
    int32_t count;
    struct schedule schedule;
    struct component {
        double weight, mean, variance; /* of the target: w_k, m_k, s_k^2 */
        double width;                  /* sqrt(S_k) */
    } component[QUADRATURE_COMPONENTS_MAX];
};

static void components_at(const struct mixture *m, struct schedule s, struct components *c)
{
    c->count = 0;
    c->schedule = s;
    for (int32_t k = 0; k < m->components; k++)
        if (m->weights[k] > 0)
            c->component[c->count++] =
                (struct component){.weight = m->weights[k],
                                   .mean = m->means[k],
                                   .variance = m->stds[k] * m->stds[k],
                                   .width = hypot(s.sigma, s.alpha * m->stds[k])};
}

/* w_j N(x; alpha m_j, S_j) (u - u_j)^2 at x = alpha m_j + y. */
static double between_at(const struct components *c, int32_t j, double y)
{
    const struct schedule s = c->schedule;
    const struct component *own = &c->component[j];
    const double rate = schedule_determinant(&s) * s.sigma;
    double total = 0.0, sum = 0.0, own_share = 0.0;
    for (int32_t k = 0; k < c->count; k++) {
        const struct component *other = &c->component[k];
        const double apart = other->mean - own->mean;
        const double z = (y - s.alpha * apart) / other->width;
        const double share = other->weight / other->width * exp(-0.5 * z * z);
        total += share;
        if (k == j)
            own_share = share;
        else
            sum += share * rate / (other->width * other->width) *
                   (apart +
                    s.alpha * (other->variance - own->variance) * y / (own->width * own->width));
    }
    return own_share * (sum / total) * (sum / total) * exp(-0.5 * LOG_2_PI);
}

/* How far from y on between_at of component j is smooth: half the width of the narrowest
 * component that has density here, and not into a narrower one. Those too narrow to weigh are
 * passed over. */
enum { REACH = 9 };

static double smooth_length(const struct components *c, int32_t j, double y)
{
    const struct component *own = &c->component[j];
    double length = 0.5 * own->width;
    for (int32_t k = 0; k < c->count; k++) {
        const struct component *other = &c->component[k];
        if (other->width >= own->width || other->width < 1e-12 * own->width)
            continue;
        const double centre = c->schedule.alpha * (other->mean - own->mean);
        const double begin = centre - REACH * other->width, end = centre + REACH * other->width;
        if (y < begin)
            length = fmin(length, begin - y);
        else if (y < end)
            length = fmin(length, 0.5 * other->width);
    }
    return length;
}

static double between_at_time(const struct components *c)
{
    double integral = 0.0;
    for (int32_t j = 0; j < c->count; j++) {
        const double last = REACH * c->component[j].width;
        for (double begin = -last, end; begin < last; begin = end) {
            end = fmin(begin + smooth_length(c, j, begin), last);
            for (int i = 0; i < RULE_POINTS; i++) {
                double weight;
                const double y = rule_point(i, begin, end, &weight);
                integral += weight * between_at(c, j, y);
            }
        }
    }
    return integral;
}

/* The integral over times from begin to end, distances from t = 1 if `from_end`. */
static double between_times(const struct mixture *m, bool from_end, double begin, double end)
{
    double integral = 0.0;
    for (int i = 0; i < RULE_POINTS; i++) {
        double weight;
        const double t = rule_point(i, begin, end, &weight);
        struct components c;
        components_at(m, from_end ? schedule_before_end(t) : schedule_linear(t), &c);
        integral += weight * between_at_time(&c);
    }
    return integral;
}

/* Towards both ends of the path, pairs of panels of half the length of the ones before, down to the
 * path's smallest scale. */
static double loss_between_quadrature(const struct mixture *m)
{
    const struct scales scales = scales_of(m);
    double integral = 0.0;
    for (int side = 0; side < 2; side++) {
        const double smallest = side == 0 ? scales.begin : scales.end;
        for (double begin, end = 0.5; end > 0; end = begin) {
            begin = end > 0.5 * smallest ? 0.5 * end : 0.0;
            const double middle = 0.5 * (begin + end);
            integral += between_times(m, side == 1, begin, middle);
            integral += between_times(m, side == 1, middle, end);
        }
    }
    return integral;
}

/* ---- the same in any dimension, from draws ---- */

enum { LOSS_DRAWS = 1 << 18, LOSS_BLOCK = 256 };

/* A time with its weight, the reciprocal of its density: even draws are dense towards t = 0, odd
 * ones towards t = 1, each as 1 / (distance + scale), where the velocities change fastest. Uniform
 * `u` on [0, 1). */
static struct schedule draw_time(const struct scales *scales, bool from_end, double u,
                                 double *weight)
{
    const double begin_log = log1p(1.0 / scales->begin), end_log = log1p(1.0 / scales->end);
    const double scale = from_end ? scales->end : scales->begin;
    const double distance = fmin(scale * expm1(u * (from_end ? end_log : begin_log)), 1.0);
    const double other = 1.0 - distance;
    const double from_begin = from_end ? other : distance, to_end = from_end ? distance : other;
    *weight = 2.0 / (1.0 / ((from_begin + scales->begin) * begin_log) +
                     1.0 / ((to_end + scales->end) * end_log));
    return from_end ? schedule_before_end(distance) : schedule_linear(distance);
}

/* One coordinate's (u_k - u_j), as above. */
static double velocity_difference(const struct mixture *m, struct schedule s, int64_t k, int64_t j,
                                  double y)
{
    const double own = pow(m->stds[j], 2), other = pow(m->stds[k], 2);
    const double own_variance = s.sigma * s.sigma + s.alpha * s.alpha * own;
    const double variance = s.sigma * s.sigma + s.alpha * s.alpha * other;
    const double rate = schedule_determinant(&s) * s.sigma;
    return rate / variance *
           (m->means[k] - m->means[j] + s.alpha * (other - own) * y / own_variance);
}

/* The components' responsibilities at x = alpha m_j + y. */
static void shares_at(const struct mixture *m, struct schedule s, int32_t j, const double *y,
                      double *share)
{
    double largest = -INFINITY, total = 0.0;
    for (int32_t k = 0; k < m->components; k++) {
        const double *mean = m->means + (int64_t)k * m->dim, *std = m->stds + (int64_t)k * m->dim;
        const double *own = m->means + (int64_t)j * m->dim;
        share[k] = log(m->weights[k]);
        for (int32_t d = 0; d < m->dim; d++) {
            const double variance = s.sigma * s.sigma + s.alpha * s.alpha * std[d] * std[d];
            const double off = y[d] - s.alpha * (mean[d] - own[d]);
            share[k] -= 0.5 * (off * off / variance + log(variance));
        }
        largest = fmax(largest, share[k]);
    }
    for (int32_t k = 0; k < m->components; k++)
        total += share[k] = exp(share[k] - largest);
    for (int32_t k = 0; k < m->components; k++)
        share[k] /= total;
}

/* Mean over the coordinates of sum over k of r_k (u_k - u)^2, for a point of component j; y holds
 * standard normal numbers and gets the point's place. */
static double between_drawn(const struct mixture *m, struct schedule s, int32_t j, double *y,
                            double *share)
{
    const int64_t dim = m->dim;
    for (int64_t d = 0; d < dim; d++)
        y[d] *= hypot(s.sigma, s.alpha * m->stds[j * dim + d]);
    shares_at(m, s, j, y, share);
    double sum = 0.0;
    for (int64_t d = 0; d < dim; d++) {
        double mean = 0.0;
        for (int64_t k = 0; k < m->components; k++)
            mean += share[k] * velocity_difference(m, s, k * dim + d, j * dim + d, y[d]);
        for (int64_t k = 0; k < m->components; k++) {
            const double off = velocity_difference(m, s, k * dim + d, j * dim + d, y[d]) - mean;
            sum += share[k] * off * off;
        }
    }
    return sum / (double)dim;
}

/* Times are stratified, so that the error of the mean is somewhat smaller than what is said. */
static void loss_between_draws(const struct closed_form_model *m, struct row row, float *normals,
                               double *loss, double *error)
{
    const struct mixture *mixture = m->mixture;
    const struct random_stream place = source_stream(m->target, 0, STREAM_EVALUATE_TARGET);
    const struct random_stream time = source_stream(m->target, 0, STREAM_EVALUATE_TIME);
    const struct scales scales = scales_of(mixture);
    const int32_t dim = mixture->dim;
    double mean = 0.0, squares = 0.0;
    for (int64_t first = 0; first < LOSS_DRAWS; first += LOSS_BLOCK) {
        float choice[LOSS_BLOCK], within[LOSS_BLOCK];
        random_stream_uniform(&place, 0, (uint64_t)first, LOSS_BLOCK, choice);
        random_stream_normal(&place, 1, (uint64_t)(first * dim), (int64_t)LOSS_BLOCK * dim,
                             normals);
        random_stream_uniform(&time, 0, (uint64_t)first, LOSS_BLOCK, within);
        for (int64_t i = 0; i < LOSS_BLOCK; i++) {
            const int64_t stratum = (first + i) / 2;
            double weight;
            const struct schedule s = draw_time(
                &scales, i % 2, ((double)stratum + within[i]) / (LOSS_DRAWS / 2), &weight);
            widen(dim, normals + i * dim, row.x);
            const int32_t j = mixture_choose(mixture, choice[i]);
            const double value = weight * between_drawn(mixture, s, j, row.x, row.share);
            const double difference = value - mean;
            mean += difference / (double)(first + i + 1);
            squares += difference * (value - mean);
        }
    }
    *loss = mean;
    *error = sqrt(squares) / LOSS_DRAWS;
}

fmatch_status fmatch_model_evaluate_irreducible_loss(const fmatch_model *model, double *loss,
                                                     double *standard_error)
{
    status_begin();
    const struct closed_form_model *m = NULL;
    RETURN_IF_FAILED(as_closed_form(model, &m));
    CHECK_NOT_NULL(loss);

    double between = 0.0, error = 0.0;
    if (model->dim == 1 && m->mixture->components <= QUADRATURE_COMPONENTS_MAX) {
        between = loss_between_quadrature(m->mixture);
    } else {
        const fmatch_allocator *allocator = &model->context->allocator;
        const int64_t normals = (int64_t)LOSS_BLOCK * model->dim, doubles = row_size(m->mixture);
        double *scratch = allocation_create(allocator, doubles, sizeof *scratch);
        float *block = allocation_create(allocator, normals, sizeof *block);
        if (scratch && block)
            loss_between_draws(m, row_in(m->mixture, scratch), block, &between, &error);
        allocation_destroy(allocator, block);
        allocation_destroy(allocator, scratch);
        if (!scratch || !block)
            return status_no_memory((size_t)doubles * sizeof *scratch +
                                    (size_t)normals * sizeof *block);
    }
    *loss = loss_within(m->mixture) + between;
    if (standard_error)
        *standard_error = error;
    return FMATCH_OK;
}
