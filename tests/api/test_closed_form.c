/* The closed-form field of a Gaussian mixture, against values from independent quadratures and
 * against its defining expectations. */
#include "fixtures.h"

static double velocity_1d(const fmatch_model *model, double x, double t)
{
    float xf = (float)x, tf = (float)t, v;
    expect_ok(fmatch_model_evaluate(model, 1, &xf, &tf, NULL, &v));
    return v;
}

/* Values in 50 digits' arithmetic, rounded; inputs 0.8, 0.2, 0.9 are not floats, so that x and t
 * carry 6e-8 into u whose slope is up to 6 there. */
static void posts_field_has_the_published_values(void **state)
{
    static const struct {
        double x, t, u;
    } cases[] = {{0.8, 0.8, 2.1348014821},
                 {0.8, 0.5, 1.0404827557},
                 {-1.5, 0.8, -1.2145618557},
                 {0.0, 0.5, 0.0001100146},
                 {0.2, 0.9, -0.0818648724}};
    fmatch_source *target = make_post_target(context_of(state));
    fmatch_model *model = make_closed_form(context_of(state), target);
    for (size_t i = 0; i < COUNT(cases); i++)
        expect_close(velocity_1d(model, cases[i].x, cases[i].t), cases[i].u, 1e-6, "u(%g, %g)",
                     cases[i].x, cases[i].t);
    fmatch_model_destroy(&model);
    fmatch_source_destroy(&target);
}

static void posts_density_and_loss_have_the_published_values(void **state)
{
    fmatch_source *target = make_post_target(context_of(state));
    fmatch_model *model = make_closed_form(context_of(state), target);
    const float x = 0.8f, t = 0.8f;
    double density, log_density, loss, error = 5;
    expect_ok(fmatch_model_evaluate_density(model, 1, &x, &t, &density));
    expect_ok(fmatch_model_evaluate_log_density(model, 1, &x, &t, &log_density));
    expect_close(density, 0.2450582576, 1e-7, "p_t(0.8) at t = 0.8");
    expect_close(log_density, log(0.2450582576), 3e-7, "log p_t(0.8) at t = 0.8");
    expect_ok(fmatch_model_evaluate_irreducible_loss(model, &loss, &error));
    /* 1.83676583451 for -0.85, 0.55, ...; the floats beside them are off by up to 2.4e-8 */
    expect_close(loss, 1.83676583531399, 1e-11, "irreducible loss");
    expect_close(error, 0, 0, "its standard error");
    expect_ok(fmatch_model_evaluate_irreducible_loss(model, &loss, NULL));
    fmatch_model_destroy(&model);
    fmatch_source_destroy(&target);
}

/* p_t of a mixture in double, from the definition: x_t given component k is normal. */
struct mixture {
    int32_t dim, components;
    const float *weights, *means, *stds;
};

static double mixture_log_density(const struct mixture *g, const double *x, double t)
{
    double terms[8], largest = -INFINITY, total = 0, sum = 0;
    for (int k = 0; k < g->components; k++)
        total += g->weights[k];
    for (int k = 0; k < g->components; k++) {
        terms[k] = log(g->weights[k] / total);
        for (int j = 0; j < g->dim; j++) {
            double s = g->stds[k * g->dim + j], m = t * g->means[k * g->dim + j];
            double variance = (1 - t) * (1 - t) + t * t * s * s;
            terms[k] -= 0.5 * ((x[j] - m) * (x[j] - m) / variance + log(2 * PI * variance));
        }
        largest = fmax(largest, terms[k]);
    }
    for (int k = 0; k < g->components; k++)
        sum += exp(terms[k] - largest);
    return largest + log(sum);
}

/* u = E[x1 - x0 | x_t = x] by the posterior of each component: given k, x1 and x0 are jointly
 * normal with x_t, so the expectation is a regression. */
static void mixture_velocity(const struct mixture *g, const double *x, double t, double *u)
{
    double whole = mixture_log_density(g, x, t);
    for (int j = 0; j < g->dim; j++)
        u[j] = 0;
    for (int k = 0; k < g->components; k++) {
        struct mixture one = {g->dim, 1, (const float[]){1}, g->means + k * g->dim,
                              g->stds + k * g->dim};
        double total = 0;
        for (int i = 0; i < g->components; i++)
            total += g->weights[i];
        double share = g->weights[k] / total * exp(mixture_log_density(&one, x, t) - whole);
        for (int j = 0; j < g->dim; j++) {
            double m = g->means[k * g->dim + j], s2 = pow(g->stds[k * g->dim + j], 2);
            double slope = 1 / ((1 - t) * (1 - t) + t * t * s2);
            double x1 = m + t * s2 * slope * (x[j] - t * m);
            double x0 = (1 - t) * slope * (x[j] - t * m);
            u[j] += share * (x1 - x0);
        }
    }
}

static const float weights3[] = {1, 3, 2};
static const float means3[] = {-2, 1, 0.5f, 1, 0, -1, 2, 2, 2, -1, 0, 3, -3, 1, 1};
static const float stds3[] = {0.5f, 1, 2, 0.25f, 1, 1, 0.125f, 3, 1, 1, 0.75f, 0.5f, 1, 2, 0.1f};

static void field_and_density_match_their_definition(void **state)
{
    static const int32_t dims[] = {1, 2, 3, 5};
    for (size_t d = 0; d < COUNT(dims); d++) {
        enum { N = 500 };
        int32_t dim = dims[d];
        struct mixture mixture = {dim, 3, weights3, means3, stds3};
        fmatch_source *target;
        expect_ok(fmatch_source_create_gaussian_mixture(&target, context_of(state), dim, 3,
                                                        weights3, means3, stds3));
        fmatch_model *model = make_closed_form(context_of(state), target);
        assert_int_equal(fmatch_model_get_dim(model), dim);
        float x[5 * N], t[N], v[5 * N];
        double log_density[N], density[N];
        fill_scattered(x, N * dim, -3, 3, 1);
        fill_scattered(t, N, 0, 1, 2);
        t[0] = 0;
        t[1] = 1;
        expect_ok(fmatch_model_evaluate(model, N, x, t, NULL, v));
        expect_ok(fmatch_model_evaluate_log_density(model, N, x, t, log_density));
        expect_ok(fmatch_model_evaluate_density(model, N, x, t, density));
        for (int i = 0; i < N; i++) {
            double row[5], u[5];
            for (int j = 0; j < dim; j++)
                row[j] = x[i * dim + j];
            mixture_velocity(&mixture, row, t[i], u);
            double wanted = mixture_log_density(&mixture, row, t[i]);
            for (int j = 0; j < dim; j++)
                expect_close(v[i * dim + j], u[j], 2e-6 * (1 + fabs(u[j])),
                             "dim %d, row %d, column %d, t %g", dim, i, j, t[i]);
            expect_close(log_density[i], wanted, 1e-9 * (1 + fabs(wanted)), "dim %d, row %d", dim,
                         i);
            expect_close(density[i], exp(wanted), 1e-9 * exp(wanted) + 1e-300, "dim %d, row %d",
                         dim, i);
        }
        fmatch_model_destroy(&model);
        fmatch_source_destroy(&target);
    }
}

/* One Gaussian: u = m + (t s^2 - (1 - t)) / S (x - t m) coordinate by coordinate. */
static void single_gaussian_is_linear(void **state)
{
    const float weight = 3, mean[] = {2, -1}, std[] = {0.5f, 3};
    fmatch_source *target;
    expect_ok(fmatch_source_create_gaussian_mixture(&target, context_of(state), 2, 1, &weight, mean,
                                                    std));
    fmatch_model *model = make_closed_form(context_of(state), target);
    for (int i = 0; i <= 10; i++) {
        float t = (float)i / 10, x[] = {1.5f, -7}, v[2];
        expect_ok(fmatch_model_evaluate(model, 1, x, &t, NULL, v));
        for (int j = 0; j < 2; j++) {
            double s2 = std[j] * std[j], q = 1 - (double)t;
            double wanted = mean[j] + (t * s2 - q) / (q * q + t * t * s2) * (x[j] - t * mean[j]);
            expect_close(v[j], wanted, 1e-6 * (1 + fabs(wanted)), "t %g, column %d", t, j);
        }
    }
    fmatch_model_destroy(&model);
    fmatch_source_destroy(&target);
}

/* From N(0, I) to N(0, I): the field of the standard normal source. */
static void standard_normal_target_works(void **state)
{
    fmatch_source *target = make_normal(context_of(state), 4);
    fmatch_model *model = make_closed_form(context_of(state), target);
    const float x[] = {1, -2, 0, 3}, t = 0.25f;
    float v[4];
    expect_ok(fmatch_model_evaluate(model, 1, x, &t, NULL, v));
    for (int j = 0; j < 4; j++)
        expect_close(v[j], (0.25 - 0.75) / (0.75 * 0.75 + 0.25 * 0.25) * x[j], 1e-6, "column %d",
                     j);
    fmatch_model_destroy(&model);
    fmatch_source_destroy(&target);
}

/* At t = 0 nothing is known of x1, at t = 1 nothing of x0. */
static void field_at_the_ends(void **state)
{
    fmatch_source *target = make_post_target(context_of(state));
    fmatch_model *model = make_closed_form(context_of(state), target);
    for (int i = -30; i <= 30; i += 3) {
        double x = i / 10.0;
        expect_close(velocity_1d(model, x, 0), 0.2075 - (float)x, 1e-6, "u(%g, 0)", x);
        expect_close(velocity_1d(model, x, 1), (float)x, 1e-6, "u(%g, 1)", x);
    }
    fmatch_model_destroy(&model);
    fmatch_source_destroy(&target);
}

static void density_integrates_to_one(void **state)
{
    enum { N = 4001 };
    fmatch_source *target = make_post_target(context_of(state));
    fmatch_model *model = make_closed_form(context_of(state), target);
    static const float times[] = {0, 0.25f, 0.5f, 0.75f, 1};
    float *x = floats(N), *t = floats(N);
    double *p = calloc(N, sizeof *p), h = 20.0 / (N - 1);
    for (size_t k = 0; k < COUNT(times); k++) {
        for (int i = 0; i < N; i++) {
            x[i] = (float)(-10 + i * h);
            t[i] = times[k];
        }
        expect_ok(fmatch_model_evaluate_density(model, N, x, t, p));
        double sum = 0;
        for (int i = 0; i < N; i++)
            sum += h *
                   p[i]; /* trapezoids, spectrally exact for a smooth density; p is 0 at the ends */
        expect_close(sum, 1, 1e-6, "integral of p_t at t %g", times[k]);
    }
    free(p);
    free(t);
    free(x);
    fmatch_model_destroy(&model);
    fmatch_source_destroy(&target);
}

/* Where every component's density underflows, the nearest in the sense of its own width still
 * decides. */
static void far_tails_are_finite(void **state)
{
    fmatch_source *target = make_post_target(context_of(state));
    fmatch_model *model = make_closed_form(context_of(state), target);
    const float weights[] = {0.55f, 0.45f}, means[] = {-0.85f, 1.5f}, stds[] = {0.65f, 0.25f};
    struct mixture mixture = {1, 2, weights, means, stds};
    static const double points[] = {-1e4, -300, -50, 50, 300, 1e4};
    static const double times[] = {0, 0.1, 0.5, 0.9, 0.999, 1};
    for (size_t i = 0; i < COUNT(points); i++)
        for (size_t k = 0; k < COUNT(times); k++) {
            float x = (float)points[i], t = (float)times[k];
            double row = x, q = 1 - (double)t, log_density, u;
            double wanted = mixture_log_density(&mixture, &row, t);
            expect_ok(fmatch_model_evaluate_log_density(model, 1, &x, &t, &log_density));
            expect_close(log_density, wanted, 1e-9 * fabs(wanted), "log p(%g), t %g", x, t);
            /* Out there only the broad component is left, unless t is small. */
            u = velocity_1d(model, x, t);
            if (t >= 0.5f && fabsf(x) >= 300) {
                double s2 = 0.65f * 0.65f, m = -0.85f;
                double linear = m + (t * s2 - q) / (q * q + t * t * s2) * (x - t * m);
                expect_close(u, linear, 1e-5 * (1 + fabs(linear)), "u(%g, %g)", x, t);
            }
            expect_that(isfinite(u), "u(%g, %g) is %g", x, t, u);
        }
    fmatch_model_destroy(&model);
    fmatch_source_destroy(&target);
}

/* A row's values do not depend on the other rows. */
static void rows_do_not_depend_on_the_batch(void **state)
{
    enum { N = 300 };
    fmatch_source *target;
    expect_ok(fmatch_source_create_gaussian_mixture(&target, context_of(state), 2, 3, weights3,
                                                    means3, stds3));
    fmatch_model *model = make_closed_form(context_of(state), target);
    float x[2 * N], t[N], v[2 * N], alone[2];
    fill_scattered(x, 2 * N, -4, 4, 3);
    fill_scattered(t, N, 0, 1, 4);
    expect_ok(fmatch_model_evaluate(model, N, x, t, NULL, v));
    for (int i = 0; i < N; i++) {
        expect_ok(fmatch_model_evaluate(model, 1, x + 2 * i, t + i, NULL, alone));
        expect_same_bits(alone, v + 2 * i, 2, "row %d alone", i);
    }
    fmatch_model_destroy(&model);
    fmatch_source_destroy(&target);
}

/* ---- irreducible loss ---- */

static double loss_of(fmatch_context *context, int32_t dim, int32_t components,
                      const float *weights, const float *means, const float *stds, double *error)
{
    fmatch_source *target;
    expect_ok(fmatch_source_create_gaussian_mixture(&target, context, dim, components, weights,
                                                    means, stds));
    fmatch_model *model = make_closed_form(context, target);
    double loss;
    expect_ok(fmatch_model_evaluate_irreducible_loss(model, &loss, error));
    fmatch_model_destroy(&model);
    fmatch_source_destroy(&target);
    return loss;
}

/* For N(m, s^2) the variance of x1 - x0 given x_t is s^2 / ((1 - t)^2 + t^2 s^2), whose integral
 * over t is s pi / 2, wherever the mean is and however narrow the density. */
static void irreducible_loss_of_one_gaussian(void **state)
{
    static const float means[] = {0, 3, -1e3f, 1e7f}, one[] = {1};
    double error;
    for (size_t i = 0; i < COUNT(means); i++)
        for (int exponent = -30; exponent <= 30; exponent += 3) {
            const float mean[] = {means[i], 1}, std[] = {(float)pow(10, exponent), 0.5f};
            double loss = loss_of(context_of(state), 1, 1, one, mean, std, &error);
            expect_close(loss, PI / 2 * std[0], 1e-12 * loss, "N(%g, %g^2)", mean[0], std[0]);
            expect_close(error, 0, 0, "standard error of N(%g, %g^2)", mean[0], std[0]);
            double wanted = PI / 2 * ((double)std[0] + 0.5) / 2;
            loss = loss_of(context_of(state), 2, 1, one, mean, std, &error);
            expect_close(loss, wanted, 1e-12 * wanted, "two dimensions, N(%g, %g^2)", mean[0],
                         std[0]);
            expect_close(error, 0, 0, "standard error, two dimensions, N(%g, %g^2)", mean[0],
                         std[0]);
        }
}

/* By another program in quadruple precision: the variance over pairs of components, velocities
 * from their definition, other nodes and finer panels. The parameters are the floats. */
static void irreducible_loss_of_mixtures_is_exact(void **state)
{
    static const struct {
        int32_t components;
        float weights[3], means[3], stds[3];
        double loss;
    } cases[] = {
        {2, {0.55f, 0.45f}, {-0.85f, 1.5f}, {0.65f, 0.25f}, 1.83676583531399},
        {2, {0.55f, 0.45f}, {-85, 150}, {0.65f, 0.25f}, 119.324154832456},
        {2, {0.55f, 0.45f}, {9999.15f, 10001.5f}, {0.65f, 0.25f}, 1.83655169249401},
        {2, {0.3f, 0.7f}, {1e7f, 10000002}, {1e-4f, 1}, 1.81017219279938},
        {2, {0.5f, 0.5f}, {-1e7f, 1e7f}, {1e-4f, 1e-4f}, 10176016.5689199},
        {2, {0.5f, 0.5f}, {-1e7f, 1e7f}, {1e-4f, 1e4f}, 10183868.6339224},
        {2, {0.5f, 0.5f}, {1e7f, 1e7f}, {1e-4f, 3e-4f}, 0.0003441759075095},
        {2, {0.5f, 0.5f}, {-1, 1}, {1e4f, 1e-4f}, 9777.39540657515},
        {2, {0.5f, 0.5f}, {0, 1e-4f}, {1e-4f, 2e-4f}, 0.000257698416215303},
        {2, {0.5f, 0.5f}, {0, 1e-4f}, {1e-4f, 1e-5f}, 0.000123165789620144},
        {2, {0.5f, 0.5f}, {0, 10}, {1, 1}, 6.58003639503208},
        {2, {1e-6f, 1}, {0, 100}, {1e-4f, 10}, 15.7084545727354},
        {3, {1, 3, 2}, {-2, 1, 0.5f}, {0.5f, 1e-3f, 200}, 142.597450622899},
        {3, {1, 1, 1}, {0, 1e-2f, 5}, {1e-4f, 1e-2f, 1e4f}, 7086.22644701026},
        {2, {0.5f, 0.5f}, {2, 2}, {1, 1}, PI / 2}, /* one Gaussian in two halves */
        {2, {1, 0}, {0, 5}, {1, 1e-30f}, PI / 2},  /* and one with a part of no weight */
        {2, {1, 0}, {-3e7f, 3e37f}, {1, 1}, PI / 2},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        double error;
        double loss = loss_of(context_of(state), 1, cases[i].components, cases[i].weights,
                              cases[i].means, cases[i].stds, &error);
        expect_close(loss, cases[i].loss, 1e-10 * cases[i].loss, "case %zu", i);
        expect_close(error, 0, 0, "standard error of case %zu", i);
    }
}

/* More components than the quadrature takes: seventeen that are the post's two. */
static void irreducible_loss_of_many_components_is_drawn(void **state)
{
    enum { K = 17 };
    float weights[K], means[K], stds[K];
    for (int k = 0; k < K; k++) {
        weights[k] = k % 2 ? 0.45f / 8 : 0.55f / 9;
        means[k] = k % 2 ? 1.5f : -0.85f;
        stds[k] = k % 2 ? 0.25f : 0.65f;
    }
    double error, loss = loss_of(context_of(state), 1, K, weights, means, stds, &error);
    expect_that(error > 1e-5 && error < 0.005, "standard error is %g", error);
    expect_close(loss, 1.83676583531399, Z * error, "floor of %d components", K);
}

/* Two components apart in the first column, the second a normal of its own: the mean of the floor
 * in one dimension and of pi / 2. All of it happens within the first thousandths of the path. */
static void irreducible_loss_of_far_components_is_drawn_where_it_is(void **state)
{
    const float weights[] = {0.55f, 0.45f}, means[] = {-85, 1e6f, 150, 1e6f},
                stds[] = {0.65f, 1, 0.25f, 1};
    double error, loss = loss_of(context_of(state), 2, 2, weights, means, stds, &error);
    double wanted = (119.324154832456 + PI / 2) / 2;
    expect_that(error > 0 && error < 0.01 * wanted, "standard error is %g", error);
    expect_close(loss, wanted, Z * error, "two dimensions");
}

/* In two dimensions with both columns the post's mixture, independently (four components): the
 * floor is the post's own, and the standard error says how far off the estimate may be. */
static void irreducible_loss_of_a_product(void **state)
{
    const float w[] = {0.55f, 0.45f}, m[] = {-0.85f, 1.5f}, s[] = {0.65f, 0.25f};
    float weights[4], means[8], stds[8];
    for (int k = 0; k < 4; k++) {
        weights[k] = w[k / 2] * w[k % 2];
        for (int j = 0; j < 2; j++) {
            means[2 * k + j] = m[j ? k % 2 : k / 2];
            stds[2 * k + j] = s[j ? k % 2 : k / 2];
        }
    }
    fmatch_source *target;
    expect_ok(fmatch_source_create_gaussian_mixture(&target, context_of(state), 2, 4, weights,
                                                    means, stds));
    fmatch_model *model = make_closed_form(context_of(state), target);
    const float x[] = {0.8f, -1.5f}, t = 0.8f;
    float v[2];
    double loss, error;
    expect_ok(fmatch_model_evaluate(model, 1, x, &t, NULL, v));
    expect_close(v[0], 2.1348014821, 2e-6, "first column");
    expect_close(v[1], -1.2145618557, 2e-6, "second column");
    expect_ok(fmatch_model_evaluate_irreducible_loss(model, &loss, &error));
    expect_that(error > 0 && error < 0.02, "standard error is %g", error);
    expect_close(loss, 1.8367658345, Z * error, "floor of the product");
    fmatch_model_destroy(&model);
    fmatch_source_destroy(&target);
}

static void other_sources_and_models_are_unsupported(void **state)
{
    const float rows[] = {1, 2};
    fmatch_array_config config;
    fmatch_array_config_init(&config);
    config.dim = 1;
    config.n = 2;
    config.rows = rows;
    fmatch_source *array;
    expect_ok(fmatch_source_create_array(&array, context_of(state), &config));
    fmatch_model *model = (fmatch_model *)&config;
    expect_status(fmatch_model_create_closed_form(&model, context_of(state), array),
                  FMATCH_ERROR_UNSUPPORTED);
    assert_null(model);
    fmatch_source_destroy(&array);

    model = make_mlp(context_of(state), 1, 1, 4, FMATCH_ACTIVATION_RELU, 1);
    const float x = 0, t = 0;
    double d;
    expect_status(fmatch_model_evaluate_density(model, 1, &x, &t, &d), FMATCH_ERROR_UNSUPPORTED);
    expect_status(fmatch_model_evaluate_log_density(model, 1, &x, &t, &d),
                  FMATCH_ERROR_UNSUPPORTED);
    expect_status(fmatch_model_evaluate_irreducible_loss(model, &d, NULL),
                  FMATCH_ERROR_UNSUPPORTED);
    fmatch_model_destroy(&model);
}

static void density_refuses_times_outside_the_path(void **state)
{
    fmatch_source *target = make_post_target(context_of(state));
    fmatch_model *model = make_closed_form(context_of(state), target);
    const float x = 0, late = 1.5f, early = -0.25f, none = NAN;
    double d;
    expect_status(fmatch_model_evaluate_density(model, 1, &x, &late, &d), FMATCH_ERROR_ARGUMENT);
    expect_detail("t", "1.5");
    expect_status(fmatch_model_evaluate_log_density(model, 1, &x, &early, &d),
                  FMATCH_ERROR_ARGUMENT);
    expect_detail("-0.25");
    expect_status(fmatch_model_evaluate_density(model, 1, &x, &none, &d), FMATCH_ERROR_ARGUMENT);
    expect_detail("t", "nan");
    expect_status(fmatch_model_evaluate_density(model, 1, &none, &x, &d), FMATCH_ERROR_NOT_FINITE);
    fmatch_model_destroy(&model);
    fmatch_source_destroy(&target);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        world_test(posts_field_has_the_published_values),
        world_test(posts_density_and_loss_have_the_published_values),
        world_test(field_and_density_match_their_definition),
        world_test(single_gaussian_is_linear),
        world_test(standard_normal_target_works),
        world_test(field_at_the_ends),
        world_test(density_integrates_to_one),
        world_test(far_tails_are_finite),
        world_test(rows_do_not_depend_on_the_batch),
        world_test(irreducible_loss_of_one_gaussian),
        world_test(irreducible_loss_of_mixtures_is_exact),
        world_test(irreducible_loss_of_many_components_is_drawn),
        world_test(irreducible_loss_of_far_components_is_drawn_where_it_is),
        world_test(irreducible_loss_of_a_product),
        world_test(other_sources_and_models_are_unsupported),
        world_test(density_refuses_times_outside_the_path),
    };
    return cmocka_run_group_tests_name("closed_form", tests, NULL, NULL);
}
