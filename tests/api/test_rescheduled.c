/* Models moved to the path of another schedule, against fields and densities of that path in double
 * precision, which share no code with the library. */
#include "fixtures.h"

/* ---- schedules ---- */

struct times {
    double alpha, sigma, alpha_rate, sigma_rate;
};

struct form {
    const char *name;
    int32_t kind;
    double exponent;
    double start, end; /* between which the rates are finite and the path moves */
};

static const struct form forms[] = {
    {"linear", FMATCH_PATH_LINEAR, 0, 0, 1},
    {"square", FMATCH_PATH_POLYNOMIAL, 2, 1e-4, 1},
    {"cube", FMATCH_PATH_POLYNOMIAL, 3, 1e-4, 1},
    {"root", FMATCH_PATH_POLYNOMIAL, 0.5, 1e-5, 1},
    {"VP", FMATCH_PATH_VARIANCE_PRESERVING, 0, 0, 1 - 1e-5},
    {"linear VP", FMATCH_PATH_LINEAR_VARIANCE_PRESERVING, 0, 0, 1 - 1e-5},
    {"cosine", FMATCH_PATH_COSINE, 0, 0, 1},
};

static fmatch_path_config config_of(const struct form *form)
{
    fmatch_path_config config;
    fmatch_path_config_init(&config);
    config.kind = form->kind;
    config.exponent = form->exponent;
    return config;
}

static struct times times_of(const struct form *form, double t)
{
    const double rest = 1 - t, T = 9.95 * rest * rest + 0.1 * rest, rate = -19.9 * rest - 0.1;
    const double n = form->exponent, root = sqrt(1 - t * t);
    switch (form->kind) {
    case FMATCH_PATH_POLYNOMIAL:
        return (struct times){pow(t, n), 1 - pow(t, n), n * pow(t, n - 1), -n * pow(t, n - 1)};
    case FMATCH_PATH_VARIANCE_PRESERVING:
        return (struct times){exp(-T / 2), sqrt(-expm1(-T)), -rate / 2 * exp(-T / 2),
                              rate / 2 * exp(-T) / sqrt(-expm1(-T))};
    case FMATCH_PATH_LINEAR_VARIANCE_PRESERVING:
        return (struct times){t, root, 1, -t / root};
    case FMATCH_PATH_COSINE:
        return (struct times){sin(PI / 2 * t), cos(PI / 2 * t), PI / 2 * cos(PI / 2 * t),
                              -PI / 2 * sin(PI / 2 * t)};
    default:
        return (struct times){t, 1 - t, 1, -1};
    }
}

/* The time at which alpha / sigma is `ratio`, by bisection. */
static double time_of_ratio(const struct form *form, double ratio)
{
    double low = 0, high = 1;
    for (int i = 0; i < 60; i++) {
        const double middle = (low + high) / 2;
        const struct times s = times_of(form, middle);
        *(s.alpha < ratio * s.sigma ? &low : &high) = middle;
    }
    return (low + high) / 2;
}

/* ---- exact fields: of a mixture on the line, and of one Gaussian from another ---- */

struct component {
    double weight, mean, std;
};

static const struct component post[] = {{0.55, -0.85, 0.65}, {0.45, 1.5, 0.25}};

struct field {
    double velocity, divergence, score, log_density;
};

/* x_t = centre + alpha (x1 - centre) + sigma (x0 - centre), x0 normal; its divergence is that of
 * differences. */
static struct field field_at(const struct component *c, int components, struct component noise,
                             double centre, struct times s, double x)
{
    double density[3] = {0}, flux[2] = {0}, score = 0;
    const double h = 1e-5, y[3] = {x - centre, x - centre - h, x - centre + h};
    struct field f = {0};
    for (int i = 0; i < 3; i++) {
        double sum = 0;
        for (int k = 0; k < components; k++) {
            const double data = c[k].std * c[k].std, own = noise.std * noise.std;
            const double S = s.sigma * s.sigma * own + s.alpha * s.alpha * data;
            const double m = c[k].mean - centre, n = noise.mean - centre;
            const double off = y[i] - s.alpha * m - s.sigma * n;
            const double p = c[k].weight * exp(-off * off / S / 2) / sqrt(2 * PI * S);
            const double slope = (s.alpha * s.alpha_rate * data + s.sigma * s.sigma_rate * own) / S;
            density[i] += p;
            sum += p * (s.alpha_rate * m + s.sigma_rate * n + slope * off);
            score -= i == 0 ? p * off / S : 0;
        }
        if (i == 0)
            f.velocity = sum / density[0];
        else
            flux[i - 1] = sum / density[i];
    }
    f.divergence = (flux[1] - flux[0]) / (2 * h);
    f.score = score / density[0];
    f.log_density = log(density[0]);
    return f;
}

static const struct component standard = {1, 0, 1};

static struct field post_at(const struct form *form, double t, double x)
{
    return field_at(post, 2, standard, 0, times_of(form, t), x);
}

static fmatch_model *make_rescheduled(const fmatch_model *original, const struct form *form)
{
    const fmatch_path_config config = config_of(form);
    fmatch_model *model;
    expect_ok(fmatch_model_create_rescheduled(&model, original, &config));
    return model;
}

static fmatch_model *make_post(fmatch_context *context)
{
    fmatch_source *target = make_post_target(context);
    fmatch_model *model = make_closed_form(context, target);
    fmatch_source_destroy(&target);
    return model;
}

/* Closed form, rescheduled. */
static fmatch_model *make_post_on(fmatch_context *context, const struct form *form)
{
    fmatch_model *original = make_post(context), *model = make_rescheduled(original, form);
    fmatch_model_destroy(&original);
    return model;
}

static const float points[] = {-2.5f, -0.85f, -0.1f, 0.4f, 0.8f, 1.5f, 2.1f};
static const float moments_of_path[] = {0,        1e-6f,      1e-4f, 0.003f, 0.01f,
                                        0.1f,     0.3f,       0.5f,  0.9f,   0.99f,
                                        0.99999f, 0.9999999f, 1,     0.75f,  0.9999f};

static void the_closed_form_becomes_that_of_the_other_path(void **state)
{
    for (size_t f = 0; f < COUNT(forms); f++) {
        fmatch_model *model = make_post_on(context_of(state), &forms[f]);
        for (size_t i = 0; i < COUNT(moments_of_path); i++)
            for (size_t k = 0; k < COUNT(points); k++) {
                const float t = moments_of_path[i];
                if (forms[f].exponent == 0.5 && (double)t < forms[f].start)
                    continue; /* the velocity is infinite at 0 */
                const double at = fmin((double)t, forms[f].end);
                const double v = post_at(&forms[f], at, (double)points[k]).velocity;
                float seen;
                expect_ok(fmatch_model_evaluate(model, 1, &points[k], &t, NULL, &seen));
                expect_close((double)seen, v,
                             3e-6 * (1 + fabs(v)) + 1e-4 * (forms[f].end < 1 && t > 0.999f),
                             "%s: v(%g, %.9g)", forms[f].name, (double)points[k], (double)t);
            }
        fmatch_model_destroy(&model);
    }
}

/* Check values of the cosine and the variance-preserving path, by hand from the formulas. */
static void the_ends_of_a_path_that_begins_in_the_data(void **state)
{
    (void)state;
    const struct times start = times_of(&forms[4], 0);
    const double t = time_of_ratio(&forms[0], start.alpha / start.sigma);
    expect_close(t, 0.0065288, 5e-8, "the linear time at which VP begins");
    expect_close(start.sigma / (1 - t), 1.00655, 5e-6, "its scale");
}

/* ---- the Gaussian field of an untrained network, on every path ---- */

/* Which is exact for data N(5, 0.1^2), and noise N(4, 0.5^2) or that which the model takes by
 * itself, N(5, 0.1^2). */
static const struct component narrow = {1, 5, 0.1f}, wide = {1, 4, 0.5};

static fmatch_model *make_gaussian(fmatch_context *context, const struct form *form, bool own_noise)
{
    static const float mean = 5, std = 0.1f, noise_mean = 4, noise_std = 0.5f, one = 1;
    const fmatch_path_config path = config_of(form);
    fmatch_source *noise = NULL;
    if (own_noise)
        expect_ok(fmatch_source_create_gaussian_mixture(&noise, context, 1, 1, &one, &noise_mean,
                                                        &noise_std));
    fmatch_mlp_config config;
    fmatch_mlp_config_init(&config);
    config.dim = 1;
    config.hidden_layers = 1;
    config.hidden_width = 16;
    config.path = &path;
    config.data_mean = &mean;
    config.data_std = &std;
    config.noise = noise;
    fmatch_model *model;
    expect_ok(fmatch_model_create_mlp(&model, context, &config));
    fmatch_source_destroy(&noise);
    return model;
}

static void a_network_of_any_path_becomes_that_of_any_other(void **state)
{
    static const float moments[] = {0.01f, 0.1f, 0.3f, 0.5f, 0.75f, 0.9f, 0.99f};
    for (size_t f = 0; f < COUNT(forms) * COUNT(forms) * 2; f++) {
        const struct form *from = &forms[f / 2 % COUNT(forms)], *to = &forms[f / 2 / COUNT(forms)];
        const struct component noise = f % 2 ? wide : narrow;
        fmatch_model *original = make_gaussian(context_of(state), from, f % 2);
        fmatch_model *model = make_rescheduled(original, to);
        for (size_t i = 0; i < COUNT(moments) * 5; i++) {
            const float t = moments[i / 5];
            const struct times s = times_of(to, (double)t);
            if (from->exponent == 0.5 && time_of_ratio(from, s.alpha / s.sigma) < from->start)
                continue; /* where its rates are those of a later time */
            const double middle = 5 + s.sigma * (noise.mean - 5);
            const double width = hypot(s.alpha * 0.1, s.sigma * noise.std);
            const float x = (float)(middle + width * ((double)(i % 5) - 2));
            const double v = field_at(&narrow, 1, noise, 5, s, (double)x).velocity;
            float seen;
            expect_ok(fmatch_model_evaluate(model, 1, &x, &t, NULL, &seen));
            /* VP tells the data of its start to no better than the alpha there */
            const double room = from->kind == FMATCH_PATH_VARIANCE_PRESERVING ? 1e-3 : 1e-4;
            expect_close((double)seen, v, room * (fabs(s.alpha_rate) + fabs(s.sigma_rate)),
                         "%s to %s, noise %zu: v(%g, %g)", from->name, to->name, f % 2, (double)x,
                         (double)t);
        }
        fmatch_model_destroy(&model);
        fmatch_model_destroy(&original);
    }
}

/* Where the formulas are 0 / 0: at the start of a path that does not move there, and at the end. */
static void the_ends_are_limits(void **state)
{
    static const float times[] = {0, 1e-6f, 0.9999999f, 1};
    for (size_t f = 0; f < COUNT(forms) * COUNT(times); f++) {
        const struct form *from = &forms[f / COUNT(times)];
        const float t = times[f % COUNT(times)];
        if (from->end < 1 || from->exponent == 0.5)
            continue; /* whose velocity is infinite at an end, and that of 1e-5 inside in its place
                       */
        fmatch_model *original = make_gaussian(context_of(state), from, true);
        fmatch_model *model = make_rescheduled(original, &forms[0]);
        const struct times s = times_of(&forms[0], (double)t);
        const float x = (float)(5 - s.sigma + 0.5 * hypot(s.alpha * 0.1, s.sigma * 0.5));
        float seen;
        expect_ok(fmatch_model_evaluate(model, 1, &x, &t, NULL, &seen));
        expect_close((double)seen, field_at(&narrow, 1, wide, 5, s, (double)x).velocity, 3e-4,
                     "%s to linear at %.9g", from->name, (double)t);
        fmatch_model_destroy(&model);
        fmatch_model_destroy(&original);
    }
}

/* ---- the flow ---- */

static void integrate(const fmatch_model *model, double start, double end, int64_t n,
                      const float *from, float *to)
{
    fmatch_sampler_config config;
    fmatch_sampler_config_init(&config);
    config.solver = FMATCH_SOLVER_DORMAND_PRINCE;
    config.t_start = start;
    config.t_end = end;
    config.tolerance_absolute = config.tolerance_relative = 1e-6;
    config.steps_max = 100000;
    fmatch_sampler *sampler;
    expect_ok(fmatch_sampler_create(&sampler, model, &config));
    expect_ok(fmatch_sampler_integrate(sampler, n, from, NULL, to));
    fmatch_sampler_destroy(&sampler);
}

enum { ROWS = 4, DIM = 2 };

/* A network with random parameters, whose velocity is no path's. */
static fmatch_model *make_random(fmatch_context *context, const struct form *form)
{
    static const float mean[DIM] = {5, -2}, std[DIM] = {0.1f, 3};
    const fmatch_path_config path = config_of(form);
    fmatch_mlp_config config;
    fmatch_mlp_config_init_preset(&config, FMATCH_PRESET_PLAIN);
    config.dim = DIM;
    config.hidden_width = 16;
    config.path = &path;
    config.data_mean = mean;
    config.data_std = std;
    config.seed = 3;
    fmatch_model *model;
    expect_ok(fmatch_model_create_mlp(&model, context, &config));
    return model;
}

/* x on the new path is c + s (y - c), y on the old one at the time of the same alpha / sigma; the
 * flow of any field keeps to that. */
static void any_flow_is_carried_over(void **state)
{
    static const float centre[DIM] = {5, -2}, std[DIM] = {0.1f, 3};
    for (size_t f = 0; f < COUNT(forms) * COUNT(forms); f++) {
        const struct form *from = &forms[f % COUNT(forms)], *to = &forms[f / COUNT(forms)];
        /* inside of both, in the new path's time */
        double times[2] = {0.02, 0.995}, old_times[2], scale[2];
        for (int i = 0; i < 2; i++) {
            struct times new = times_of(to, times[i]);
            const struct times first = times_of(from, 0.001);
            if (new.alpha / new.sigma < first.alpha / first.sigma)
                times[i] = time_of_ratio(to, first.alpha / first.sigma);
            new = times_of(to, times[i]);
            old_times[i] = time_of_ratio(from, new.alpha / new.sigma);
            scale[i] = new.alpha / times_of(from, old_times[i]).alpha;
        }
        fmatch_model *original = make_random(context_of(state), from);
        fmatch_model *model = make_rescheduled(original, to);
        float y[2][ROWS * DIM], x[2][ROWS * DIM];
        for (int i = 0; i < ROWS * DIM; i++) {
            const int j = i % DIM;
            y[0][i] = centre[j] + std[j] * (float)(i - 3) / 3;
            x[0][i] = (float)((double)centre[j] + scale[0] * ((double)y[0][i] - (double)centre[j]));
        }
        integrate(original, old_times[0], old_times[1], ROWS, y[0], y[1]);
        integrate(model, times[0], times[1], ROWS, x[0], x[1]);
        for (int i = 0; i < ROWS * DIM; i++) {
            const int j = i % DIM;
            const double wanted =
                (double)centre[j] + scale[1] * ((double)y[1][i] - (double)centre[j]);
            expect_close((double)x[1][i], wanted, 2e-5 * fmax(1, scale[1]) * (j ? 3 : 0.5),
                         "%s at %g to %s at %g: element %d", from->name, old_times[1], to->name,
                         times[1], i);
        }
        fmatch_model_destroy(&model);
        fmatch_model_destroy(&original);
    }
}

/* Between the ends of [0, 1], where the paths begin in the noise alone; else from where the linear
 * one has as much data. */
static void the_flow_of_a_mixture_ends_at_the_same_points(void **state)
{
    fmatch_model *original = make_post(context_of(state));
    for (size_t f = 0; f < COUNT(forms); f++) {
        const double first = forms[f].exponent == 0.5 ? forms[f].start : 0;
        const struct times s = times_of(&forms[f], first);
        const double t = time_of_ratio(&forms[0], s.alpha / s.sigma);
        fmatch_model *model = make_rescheduled(original, &forms[f]);
        float y[COUNT(points)], x[COUNT(points)];
        for (size_t i = 0; i < COUNT(points); i++)
            x[i] = (float)((double)points[i] * s.sigma / (1 - t));
        integrate(original, t, 1, COUNT(points), points, y);
        integrate(model, first, 1, COUNT(points), x, x);
        for (size_t i = 0; i < COUNT(points); i++)
            expect_close((double)x[i], (double)y[i], 3e-5, "%s: from %g", forms[f].name,
                         (double)points[i]);
        fmatch_model_destroy(&model);
    }
    fmatch_model_destroy(&original);
}

/* From N(4, 0.5^2) to N(5, 0.1^2) the flow is linear, also at times with less data than VP has at
 * its start. To linear VP it lacks what an infinite rate would add at the end. */
static void a_flow_that_leaves_vp_begins_in_the_noise(void **state)
{
    static const float x0[] = {3, 4, 5};
    fmatch_model *original = make_gaussian(context_of(state), &forms[4], true);
    for (size_t f = 0; f < COUNT(forms); f++) {
        if (forms[f].exponent == 0.5 || forms[f].end < 1)
            continue;
        fmatch_model *model = make_rescheduled(original, &forms[f]);
        float x[COUNT(x0)];
        integrate(model, 0, 1, COUNT(x0), x0, x);
        for (size_t i = 0; i < COUNT(x0); i++)
            expect_close((double)x[i], 5 + ((double)x0[i] - 4) / 5, 2e-5, "%s: from %g",
                         forms[f].name, (double)x0[i]);
        fmatch_model_destroy(&model);
    }
    fmatch_model_destroy(&original);
}

static int32_t grow(void *user, int64_t n, const float *x, const float *t, const float *condition,
                    float *v)
{
    (void)user;
    (void)condition;
    for (int64_t i = 0; i < n; i++)
        v[i] = x[i] * t[i] * t[i];
    return 0;
}

static int32_t grow_along(void *user, int64_t n, const float *x, const float *t,
                          const float *condition, const float *u, float *v, float *ju)
{
    grow(user, n, u, t, condition, ju);
    return grow(user, n, x, t, condition, v);
}

static fmatch_model *make_growing(fmatch_context *context)
{
    const fmatch_velocity_callbacks callbacks = {
        .struct_size = sizeof callbacks, .evaluate = grow, .jacobian_vector = grow_along};
    fmatch_model *model;
    expect_ok(fmatch_model_create_callback(&model, context, 1, &callbacks, NULL));
    return model;
}

/* u = x t^2 multiplies by e^(1/3); from 0.0065288 on by e^(1/3 - 9e-8). */
static void a_callback_ends_where_it_must(void **state)
{
    fmatch_model *original = make_growing(context_of(state));
    for (size_t f = 0; f < COUNT(forms); f++) {
        const bool late = forms[f].kind == FMATCH_PATH_VARIANCE_PRESERVING;
        const float start = late ? 1.00655f : 1.0f;
        if (forms[f].exponent == 0.5)
            continue;
        fmatch_model *model = make_rescheduled(original, &forms[f]);
        float x;
        integrate(model, 0, forms[f].end, 1, &start, &x);
        const struct times s = times_of(&forms[f], forms[f].end);
        const double t = time_of_ratio(&forms[0], s.alpha / s.sigma);
        expect_close((double)x, exp(t * t * t / 3) * s.alpha / t, 4e-5, "%s", forms[f].name);
        fmatch_model_destroy(&model);
    }
    fmatch_model_destroy(&original);
}

/* ---- what follows from the velocity ---- */

static void divergence_and_score_are_those_of_the_new_path(void **state)
{
    static const float moments[] = {0.02f, 0.3f, 0.5f, 0.8f};
    for (size_t f = 0; f < COUNT(forms); f++) {
        fmatch_model *model = make_post_on(context_of(state), &forms[f]);
        for (size_t i = 0; i < COUNT(moments) * COUNT(points); i++) {
            const float t = moments[i / COUNT(points)], x = points[i % COUNT(points)];
            const struct field wanted = post_at(&forms[f], (double)t, (double)x);
            double divergence;
            float score;
            expect_ok(fmatch_model_evaluate_divergence(model, NULL, 1, &x, &t, NULL, 0, NULL,
                                                       &divergence, NULL));
            expect_close(divergence, wanted.divergence, 2e-6 * (1 + fabs(wanted.divergence)),
                         "%s: divergence at %g, %g", forms[f].name, (double)x, (double)t);
            if (forms[f].exponent > 0 && t < 0.1f)
                continue; /* the velocity hardly tells */
            expect_ok(fmatch_model_evaluate_score(model, 1, &x, &t, NULL, &score));
            expect_close((double)score, wanted.score, 2e-4 * (1 + fabs(wanted.score)),
                         "%s: score at %g, %g", forms[f].name, (double)x, (double)t);
        }
        fmatch_model_destroy(&model);
    }
}

/* Terms of one probe each, z^T J z with z standard normal: for a linear field in one dimension J
 * z^2, so that their ratio to those of the original is that of the divergences. */
static void each_probe_sees_the_new_field(void **state)
{
    fmatch_divergence_config config;
    fmatch_divergence_config_init(&config);
    config.method = FMATCH_DIVERGENCE_HUTCHINSON;
    config.probe = FMATCH_PROBE_GAUSSIAN;
    const float x[] = {0.3f, 0.3f, -1, -1, 2}, t[] = {0.4f, 0.4f, 0.4f, 0.7f, 0.7f};
    double seen[5], own[5], exact[5], own_exact[5];
    fmatch_model *original = make_growing(context_of(state));
    fmatch_model *model = make_rescheduled(original, &forms[6]);
    expect_ok(fmatch_model_evaluate_divergence(model, &config, 5, x, t, NULL, 9, NULL, seen, NULL));
    expect_ok(
        fmatch_model_evaluate_divergence(original, &config, 5, x, t, NULL, 9, NULL, own, NULL));
    expect_ok(fmatch_model_evaluate_divergence(model, NULL, 5, x, t, NULL, 0, NULL, exact, NULL));
    expect_ok(
        fmatch_model_evaluate_divergence(original, NULL, 5, x, t, NULL, 0, NULL, own_exact, NULL));
    for (int i = 0; i < 5; i++)
        expect_close(seen[i] / own[i], exact[i] / own_exact[i], 1e-5, "probe of row %d", i);
    fmatch_model_destroy(&model);
    fmatch_model_destroy(&original);
}

static void log_densities_are_those_of_the_new_path(void **state)
{
    static const double moments[] = {0.4, 0.8, 1};
    for (size_t f = 0; f < COUNT(forms); f++) {
        if (forms[f].exponent == 0.5)
            continue; /* begins with an infinite velocity */
        fmatch_model *model = make_post_on(context_of(state), &forms[f]);
        for (size_t i = 0; i < COUNT(moments); i++) {
            fmatch_likelihood_config config;
            fmatch_likelihood_config_init(&config);
            config.steps = 400;
            config.t = moments[i];
            double seen[COUNT(points)];
            expect_ok(fmatch_likelihood_evaluate(model, &config, COUNT(points), points, NULL, 0,
                                                 seen, NULL, NULL));
            for (size_t k = 0; k < COUNT(points); k++) {
                const double t = fmin(moments[i], forms[f].end);
                /* VP begins with a little of the data, which N(0, 1) has not */
                const double room = forms[f].kind == FMATCH_PATH_VARIANCE_PRESERVING ? 0.02 : 1e-3;
                expect_close(seen[k], post_at(&forms[f], t, (double)points[k]).log_density, room,
                             "%s at %g: log-density of %g", forms[f].name, moments[i],
                             (double)points[k]);
            }
        }
        fmatch_model_destroy(&model);
    }
}

/* The noise along the way is made with the new path's scores: mean and variance of N draws, each
 * off by chance with probability FALSE_ALARM. */
static void stochastic_sampling_keeps_the_distribution(void **state)
{
    enum { N = 20000 };
    fmatch_model *model = make_post_on(context_of(state), &forms[6]);
    fmatch_stochastic_config stochastic;
    fmatch_stochastic_config_init(&stochastic);
    stochastic.eta = 1;
    fmatch_sampler_config config;
    fmatch_sampler_config_init(&config);
    config.solver = FMATCH_SOLVER_HEUN;
    config.steps = 100;
    config.stochastic = &stochastic;
    fmatch_sampler *sampler;
    expect_ok(fmatch_sampler_create(&sampler, model, &config));
    float *x = floats(N);
    expect_ok(fmatch_sampler_draw(sampler, 5, 0, N, NULL, x));
    double sum = 0, squares = 0, fourth = 0;
    for (int i = 0; i < N; i++)
        sum += (double)x[i] / N;
    for (int i = 0; i < N; i++)
        squares += pow((double)x[i] - sum, 2) / N;
    for (int k = 0; k < 2; k++) {
        const double d = post[k].mean - 0.2075, v = post[k].std * post[k].std;
        fourth += post[k].weight * (d * d * d * d + 6 * d * d * v + 3 * v * v);
    }
    const double variance = 1.62731875;
    expect_close(sum, 0.2075, Z * sqrt(variance / N), "mean");
    expect_close(squares, variance, Z * sqrt((fourth - variance * variance) / N), "variance");
    free(x);
    fmatch_sampler_destroy(&sampler);
    fmatch_model_destroy(&model);
}

/* A given coordinate is on the new path's way from its noise. */
static void given_coordinates_follow_the_new_path(void **state)
{
    static const float weight = 1, mean[DIM] = {0.5f, -1}, std[DIM] = {0.5f, 2};
    const float known[DIM] = {1.25f, NAN};
    fmatch_source *target;
    expect_ok(fmatch_source_create_gaussian_mixture(&target, context_of(state), DIM, 1, &weight,
                                                    mean, std));
    fmatch_model *original = make_closed_form(context_of(state), target);
    fmatch_model *model = make_rescheduled(original, &forms[6]);
    float start[DIM], x[DIM];
    fmatch_sampler *sampler = make_sampler(model, FMATCH_SOLVER_RK4, 200, 0, 0.5);
    expect_ok(fmatch_sampler_draw_inpainted(sampler, 4, 0, 1, NULL, known, NULL, x));
    fmatch_sampler *none = make_sampler(model, FMATCH_SOLVER_EULER, 1, 0, 1e-9);
    expect_ok(fmatch_sampler_draw(none, 4, 0, 1, NULL, start));
    expect_close((double)x[0], sin(PI / 4) * 1.25 + cos(PI / 4) * (double)start[0], 1e-5, "given");
    fmatch_sampler_destroy(&none);
    fmatch_sampler_destroy(&sampler);
    fmatch_model_destroy(&model);
    fmatch_model_destroy(&original);
    fmatch_source_destroy(&target);
}

/* ---- conditions, parameters, life ---- */

static int32_t pull(void *user, int64_t n, const float *x, const float *t, const float *condition,
                    float *v)
{
    (void)user;
    (void)t;
    for (int64_t i = 0; i < n; i++)
        v[i] = (condition ? condition[i] : 0) - x[i];
    return 0;
}

/* u = c - x goes to c + (x0 - c) / e at t = 1, with guidance of scale 3 to 3 c + (x0 - 3 c) / e. */
static void guidance_reaches_the_original(void **state)
{
    const fmatch_velocity_callbacks callbacks = {.struct_size = sizeof callbacks,
                                                 .evaluate = pull,
                                                 .condition_dim = 1,
                                                 .null_condition = FMATCH_NULL_CONDITION_ACCEPTED};
    fmatch_model *original;
    expect_ok(fmatch_model_create_callback(&original, context_of(state), 1, &callbacks, NULL));
    fmatch_model *model = make_rescheduled(original, &forms[6]);
    assert_int_equal(fmatch_model_get_condition_dim(model), 1);
    fmatch_sampler_config config;
    fmatch_sampler_config_init(&config);
    config.solver = FMATCH_SOLVER_RK4;
    config.steps = 100;
    config.guidance = FMATCH_GUIDANCE_SCALE;
    config.guidance_strength = 3;
    fmatch_sampler *sampler;
    expect_ok(fmatch_sampler_create(&sampler, model, &config));
    const float x0[] = {-1, 0.5f}, c[] = {0.4f, -1};
    float x[2];
    expect_ok(fmatch_sampler_integrate(sampler, 2, x0, c, x));
    for (int i = 0; i < 2; i++)
        expect_close((double)x[i], 3 * (double)c[i] + ((double)x0[i] - 3 * (double)c[i]) / exp(1),
                     1e-5, "row %d", i);
    fmatch_sampler_destroy(&sampler);
    fmatch_model_destroy(&model);
    fmatch_model_destroy(&original);
}

static float value_at(const fmatch_model *model, float x, float t)
{
    float row[DIM] = {x, x}, v[DIM];
    expect_ok(fmatch_model_evaluate(model, 1, row, &t, NULL, v));
    return v[1];
}

/* t^2 begins with rates of 0, where the velocity is asked about 1e-4 later; t does not. */
static void the_start_of_a_path_that_stands_still(void **state)
{
    for (size_t f = 0; f < 2; f++) {
        fmatch_model *original = make_random(context_of(state), &forms[f]);
        fmatch_model *model = make_rescheduled(original, &forms[6]);
        const float begin = value_at(model, 0.3f, 0), later = value_at(model, 0.3f, 1e-4f);
        expect_that((begin == later) == (forms[f].exponent > 0), "%s: %.9g and %.9g", forms[f].name,
                    (double)begin, (double)later);
        fmatch_model_destroy(&model);
        fmatch_model_destroy(&original);
    }
}

static void it_follows_the_parameters_of_the_original(void **state)
{
    fmatch_model *original = make_random(context_of(state), &forms[6]), *copy;
    fmatch_model *model = make_rescheduled(original, &forms[0]);
    expect_ok(fmatch_model_create_copy(&copy, model));
    const float before = value_at(model, 0.3f, 0.5f);
    assert_true(value_at(copy, 0.3f, 0.5f) == before);
    const float bias[DIM] = {0, 2};
    float own[DIM];
    expect_ok(fmatch_model_get_tensor(original, "net.4.bias", DIM, own));
    float moved[DIM] = {own[0], own[1] + bias[1]};
    expect_ok(fmatch_model_set_tensor(original, "net.4.bias", DIM, moved));
    /* at 1/2 both have noise and data alike: s = 1 / sqrt(2), and t' = 1 / (pi/2 s^2) */
    const double factor = sqrt(0.5) * 4 / PI * 2 * 3;
    expect_close((double)value_at(model, 0.3f, 0.5f) - (double)before, factor, 1e-5,
                 "2 more in the second column, whose deviation is 3");
    assert_true(value_at(copy, 0.3f, 0.5f) == before);
    fmatch_model_destroy(&original);
    expect_close((double)value_at(model, 0.3f, 0.5f) - (double)before, factor, 1e-5,
                 "without the original's handle");
    assert_int_equal(fmatch_model_count_tensors(model), 0);
    fmatch_model_destroy(&copy);
    fmatch_model_destroy(&model);
}

static void twice_is_once(void **state)
{
    fmatch_model *original = make_random(context_of(state), &forms[5]);
    fmatch_model *once = make_rescheduled(original, &forms[6]);
    fmatch_model *there = make_rescheduled(original, &forms[4]);
    fmatch_model *twice = make_rescheduled(there, &forms[6]);
    assert_true(value_at(once, 0.7f, 0.3f) == value_at(twice, 0.7f, 0.3f));
    fmatch_model_destroy(&twice);
    fmatch_model_destroy(&there);
    fmatch_model_destroy(&once);
    fmatch_model_destroy(&original);
}

/* Rows of times of their own beside rows of equal ones, in a batch of more than one block. */
static void a_row_has_the_same_bits_in_any_batch(void **state)
{
    enum { N = 600 };
    fmatch_model *original = make_post(context_of(state));
    fmatch_model *model = make_rescheduled(original, &forms[4]);
    float x[N], t[N], v[N], one;
    double divergence[N], alone;
    for (int i = 0; i < N; i++) {
        x[i] = (float)sin(i);
        t[i] = i % 100 < 50 ? 0.25f : (float)(i % 97) / 97;
    }
    expect_ok(fmatch_model_evaluate_divergence(model, NULL, N, x, t, NULL, 0, v, divergence, NULL));
    for (int i = 0; i < N; i++) {
        expect_ok(fmatch_model_evaluate(model, 1, &x[i], &t[i], NULL, &one));
        expect_same_bits(&one, &v[i], 1, "row %d", i);
        expect_ok(fmatch_model_evaluate_divergence(model, NULL, 1, &x[i], &t[i], NULL, 0, NULL,
                                                   &alone, NULL));
        assert_true(alone == divergence[i]);
    }
    expect_ok(fmatch_model_evaluate(model, N, x, t, NULL, x));
    expect_same_bits(x, v, N, "in place");
    fmatch_model_destroy(&model);
    fmatch_model_destroy(&original);
}

/* ---- schedules of a user ---- */

struct schedule_user {
    int destroyed;
    double last_sigma; /* at t = 1 */
};

static int32_t quarter_circle(void *user, int64_t n, const double *t, double *alpha, double *sigma,
                              double *alpha_rate, double *sigma_rate)
{
    const struct schedule_user *u = user;
    for (int64_t i = 0; i < n; i++) {
        const struct times s = times_of(&forms[6], t[i]);
        alpha[i] = s.alpha;
        sigma[i] = s.sigma + u->last_sigma * t[i];
        alpha_rate[i] = s.alpha_rate;
        sigma_rate[i] = s.sigma_rate + u->last_sigma;
    }
    return 0;
}

static void count_destroyed(void *user)
{
    ((struct schedule_user *)user)->destroyed++;
}

static void a_schedule_of_the_user_is_inverted(void **state)
{
    struct schedule_user user = {0};
    const fmatch_schedule_callbacks schedule = {.struct_size = sizeof schedule,
                                                .evaluate = quarter_circle,
                                                .destroy = count_destroyed,
                                                .user = &user};
    fmatch_path_config path = config_of(&forms[0]);
    path.kind = FMATCH_PATH_CALLBACK;
    path.schedule = &schedule;
    fmatch_mlp_config config;
    fmatch_mlp_config_init_preset(&config, FMATCH_PRESET_PLAIN);
    config.dim = DIM;
    config.path = &path;
    fmatch_model *user_model, *cosine_model;
    expect_ok(fmatch_model_create_mlp(&user_model, context_of(state), &config));
    const fmatch_path_config cosine = config_of(&forms[6]);
    config.path = &cosine;
    expect_ok(fmatch_model_create_mlp(&cosine_model, context_of(state), &config));
    for (size_t f = 0; f < COUNT(forms); f++) {
        fmatch_model *a = make_rescheduled(user_model, &forms[f]);
        fmatch_model *b = make_rescheduled(cosine_model, &forms[f]);
        expect_close((double)value_at(a, 0.4f, 0.6f), (double)value_at(b, 0.4f, 0.6f), 1e-5,
                     "a user's cosine to %s", forms[f].name);
        fmatch_model_destroy(&a);
        fmatch_model_destroy(&b);
    }
    fmatch_model_destroy(&user_model);
    assert_int_equal(user.destroyed, 1);
    fmatch_model *a, *b = make_rescheduled(cosine_model, &forms[0]);
    fmatch_model *linear = make_random(context_of(state), &forms[0]);
    expect_ok(fmatch_model_create_rescheduled(&a, linear, &path));
    fmatch_model *c = make_rescheduled(linear, &forms[6]);
    expect_close((double)value_at(a, 0.4f, 0.6f), (double)value_at(c, 0.4f, 0.6f), 1e-5,
                 "linear to a user's cosine");
    fmatch_model_destroy(&a);
    fmatch_model_destroy(&b);
    fmatch_model_destroy(&c);
    assert_int_equal(user.destroyed, 2);
    user.last_sigma = 0.1;
    expect_status(fmatch_model_create_rescheduled(&a, linear, &path), FMATCH_ERROR_UNSUPPORTED);
    expect_detail("the new path", "sigma 0.1", "t = 1");
    assert_int_equal(user.destroyed, 3);
    expect_status(fmatch_model_create_rescheduled(&a, NULL, &path), FMATCH_ERROR_ARGUMENT);
    assert_int_equal(user.destroyed, 4);
    fmatch_model_destroy(&linear);
    fmatch_model_destroy(&cosine_model);
}

static void what_cannot_be_rescheduled_is_refused(void **state)
{
    fmatch_model *linear = make_random(context_of(state), &forms[0]), *model;
    fmatch_path_config config = config_of(&forms[0]);
    config.noise = 0.1;
    expect_status(fmatch_model_create_rescheduled(&model, linear, &config),
                  FMATCH_ERROR_UNSUPPORTED);
    expect_detail("the new path has noise of its own");
    assert_null(model);
    config = config_of(&forms[0]);
    config.kind = FMATCH_PATH_LIPMAN;
    config.sigma_min = 0.01;
    expect_status(fmatch_model_create_rescheduled(&model, linear, &config),
                  FMATCH_ERROR_UNSUPPORTED);
    expect_detail("the new path has sigma 0.01 at t = 1");
    fmatch_mlp_config bridge;
    fmatch_mlp_config_init(&bridge);
    config.kind = FMATCH_PATH_BROWNIAN_BRIDGE;
    config.sigma_min = 0;
    config.diffusion = 0.5;
    bridge.dim = 1;
    bridge.path = &config;
    fmatch_model *original;
    expect_ok(fmatch_model_create_mlp(&original, context_of(state), &bridge));
    expect_status(fmatch_model_create_rescheduled(&model, original, NULL),
                  FMATCH_ERROR_UNSUPPORTED);
    expect_detail("the original's path has noise of its own");
    fmatch_model_destroy(&original);
    expect_ok(fmatch_model_create_rescheduled(&model, linear, NULL));
    expect_status(fmatch_model_save(model, "never-written"), FMATCH_ERROR_UNSUPPORTED);
    expect_detail("save the one that was rescheduled");
    fmatch_optimizer *adam = make_adam(context_of(state), 1e-3);
    fmatch_source *target = make_normal(context_of(state), DIM);
    fmatch_trainer *trainer;
    expect_status(fmatch_trainer_create(&trainer, model, adam, target, NULL),
                  FMATCH_ERROR_UNSUPPORTED);
    expect_detail("no parameters");
    fmatch_source_destroy(&target);
    fmatch_optimizer_destroy(&adam);
    fmatch_model_destroy(&model);
    fmatch_model_destroy(&linear);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        world_test(the_closed_form_becomes_that_of_the_other_path),
        world_test(the_ends_of_a_path_that_begins_in_the_data),
        world_test(a_network_of_any_path_becomes_that_of_any_other),
        world_test(the_ends_are_limits),
        world_test(any_flow_is_carried_over),
        world_test(the_flow_of_a_mixture_ends_at_the_same_points),
        world_test(a_flow_that_leaves_vp_begins_in_the_noise),
        world_test(a_callback_ends_where_it_must),
        world_test(divergence_and_score_are_those_of_the_new_path),
        world_test(each_probe_sees_the_new_field),
        world_test(log_densities_are_those_of_the_new_path),
        world_test(stochastic_sampling_keeps_the_distribution),
        world_test(given_coordinates_follow_the_new_path),
        world_test(guidance_reaches_the_original),
        world_test(the_start_of_a_path_that_stands_still),
        world_test(it_follows_the_parameters_of_the_original),
        world_test(twice_is_once),
        world_test(a_row_has_the_same_bits_in_any_batch),
        world_test(a_schedule_of_the_user_is_inverted),
        world_test(what_cannot_be_rescheduled_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
