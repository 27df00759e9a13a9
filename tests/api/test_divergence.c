/* Divergences and scores, against central differences in double of fields that share no code with
 * the library, and against formulas. */
#include "fixtures.h"

enum { ROWS = 70, DIM_MOST = 10 };

static fmatch_divergence_config hutchinson(int32_t probe, int32_t probes, uint64_t seed)
{
    fmatch_divergence_config c;
    fmatch_divergence_config_init(&c);
    c.method = FMATCH_DIVERGENCE_HUTCHINSON;
    c.probe = probe;
    c.probes = probes;
    c.seed = seed;
    return c;
}

static void expect_divergence(const fmatch_model *model, const fmatch_divergence_config *config,
                              int64_t n, const float *x, const float *t, double *divergence)
{
    expect_ok(
        fmatch_model_evaluate_divergence(model, config, n, x, t, NULL, 0, NULL, divergence, NULL));
}

/* ---- networks ---- */

static const float mean3[] = {10, -0.5f, 3}, std3[] = {4, 0.25f, 1.5f};

/* The velocity that a network's output means for each prediction on the linear path with noise and
 * data of mean 0 and variance 1 in standardised coordinates, with and without the baseline. */
static double velocity_of(int32_t prediction, bool baseline, double t, double y, double net)
{
    const double q = t * t + (1 - t) * (1 - t);
    const double gain = prediction == FMATCH_PREDICTION_VELOCITY ? (2 * t - 1) / q
                        : prediction == FMATCH_PREDICTION_DATA   ? t / q
                                                                 : (1 - t) / q;
    const double unit = prediction == FMATCH_PREDICTION_VELOCITY ? sqrt(2.0) : 1.0;
    const double given = baseline ? gain * y + unit * net : net;
    if (prediction == FMATCH_PREDICTION_DATA)
        return given - (y - t * given) / fmax(1 - t, 5e-3);
    if (prediction == FMATCH_PREDICTION_NOISE)
        return (y - (1 - t) * given) / fmax(t, 5e-3) - given;
    return given;
}

struct field {
    struct reference_net net;
    int32_t prediction;
    bool baseline;
};

/* Column j of the velocity in standardised coordinates. */
static double field_at(const struct field *f, double t, const double *y, int32_t j)
{
    double seen[DIM_MOST], out[DIM_MOST];
    const double scale = f->baseline ? 1 / sqrt(t * t + (1 - t) * (1 - t) + 1e-6) : 1;
    for (int32_t k = 0; k < f->net.dim; k++)
        seen[k] = y[k] * scale;
    reference_net_forward(&f->net, t, seen, out);
    return velocity_of(f->prediction, f->baseline, t, y[j], out[j]);
}

/* An error of 1e-10 of the third derivative, and 1e-16 / 1e-5. */
static double divergence_of(const struct field *f, double t, const float *x)
{
    const double h = 1e-5;
    double y[DIM_MOST], sum = 0;
    for (int32_t j = 0; j < f->net.dim; j++)
        y[j] = (x[j] - f->net.mean[j]) / f->net.std[j];
    for (int32_t j = 0; j < f->net.dim; j++) {
        const double kept = y[j];
        y[j] = kept + h;
        const double above = field_at(f, t, y, j);
        y[j] = kept - h;
        sum += (above - field_at(f, t, y, j)) / (2 * h);
        y[j] = kept;
    }
    return sum;
}

static fmatch_model *make_field(fmatch_context *context, int32_t prediction, bool baseline,
                                bool standardised, int32_t layers, int32_t activation)
{
    fmatch_mlp_config c;
    fmatch_mlp_config_init_preset(&c, FMATCH_PRESET_PLAIN);
    c.dim = 3;
    c.hidden_layers = layers;
    c.hidden_width = 23;
    c.activation = activation;
    c.prediction = prediction;
    c.seed = 3;
    c.baseline = baseline ? FMATCH_BASELINE_GAUSSIAN : FMATCH_BASELINE_NONE;
    c.data_mean = standardised ? mean3 : NULL;
    c.data_std = standardised ? std3 : NULL;
    fmatch_model *model;
    expect_ok(fmatch_model_create_mlp(&model, context, &c));
    return model;
}

static void expect_field(fmatch_context *context, int32_t prediction, bool baseline,
                         bool standardised, int32_t layers, int32_t activation)
{
    const float *mean = standardised ? mean3 : NULL, *std = standardised ? std3 : NULL;
    fmatch_model *model =
        make_field(context, prediction, baseline, standardised, layers, activation);
    const struct field f = {.net = reference_net_of(model, activation, mean, std),
                            .prediction = prediction,
                            .baseline = baseline};
    float x[ROWS * 3], t[ROWS], v[ROWS * 3], wanted_v[ROWS * 3];
    double divergence[ROWS], error[ROWS];
    fill_scattered(x, ROWS * 3, -2, 2, 1);
    fill_scattered(t, ROWS, 0.02, 0.98, 2);
    for (int i = 0; i < ROWS * 3 && standardised; i++)
        x[i] = mean3[i % 3] + std3[i % 3] * x[i];
    expect_ok(
        fmatch_model_evaluate_divergence(model, NULL, ROWS, x, t, NULL, 0, v, divergence, error));
    expect_ok(fmatch_model_evaluate(model, ROWS, x, t, NULL, wanted_v));
    for (int i = 0; i < ROWS; i++) {
        const double wanted = divergence_of(&f, t[i], x + 3 * i);
        expect_close(divergence[i], wanted, 1e-5 * fmax(1, fabs(wanted)),
                     "prediction %d, baseline %d, standardised %d, %d layers, %s, row %d",
                     (int)prediction, baseline, standardised, (int)layers,
                     activation_name(activation), i);
        assert_true(error[i] == 0.0);
        for (int j = 0; j < 3; j++)
            expect_close(v[3 * i + j], wanted_v[3 * i + j], 2e-6 * fabs(wanted_v[3 * i + j]) + 1e-5,
                         "velocity, row %d", i);
    }
    free(f.net.parameters);
    fmatch_model_destroy(&model);
}

static void divergences_match_central_differences(void **state)
{
    for (int32_t prediction = 0; prediction < 3; prediction++)
        for (int settings = 0; settings < 4; settings++)
            expect_field(context_of(state), prediction, settings & 1, settings & 2, 2,
                         FMATCH_ACTIVATION_GELU);
    for (int32_t layers = 0; layers <= 3; layers++)
        expect_field(context_of(state), FMATCH_PREDICTION_VELOCITY, true, true, layers,
                     FMATCH_ACTIVATION_SILU);
    for (int32_t activation = 0; activation < ACTIVATIONS; activation++)
        if (activation != FMATCH_ACTIVATION_RELU) /* a kink lies between two points sometimes */
            expect_field(context_of(state), FMATCH_PREDICTION_VELOCITY, false, false, 2,
                         activation);
}

/* ---- Hutchinson ---- */

/* In the mean over many probes; the exact one is the expectation. */
static void probes_have_no_bias(void **state)
{
    fmatch_model *model = make_field(context_of(state), FMATCH_PREDICTION_DATA, true, true, 2,
                                     FMATCH_ACTIVATION_TANH);
    float x[ROWS * 3], t[ROWS];
    double exact[ROWS], seen[ROWS], error[ROWS];
    fill_scattered(x, ROWS * 3, -1, 4, 1);
    fill_scattered(t, ROWS, 0.1, 0.9, 2);
    expect_divergence(model, NULL, ROWS, x, t, exact);
    for (int32_t probe = 0; probe < 2; probe++) {
        const fmatch_divergence_config c = hutchinson(probe, 1000, 7);
        expect_ok(
            fmatch_model_evaluate_divergence(model, &c, ROWS, x, t, NULL, 0, NULL, seen, error));
        for (int i = 0; i < ROWS; i++) {
            expect_that(error[i] > 0 && error[i] < 0.2 * (1 + fabs(exact[i])),
                        "row %d: standard error %g of %g", i, error[i], exact[i]);
            expect_close(seen[i], exact[i], Z * error[i] + 1e-5, "probe %d, row %d", (int)probe, i);
        }
    }
    fmatch_model_destroy(&model);
}

/* v = A x with a matrix that is not symmetric; z^T A z has a variance that is known. */
enum { SIDE = 10 };

static double matrix(int i, int j)
{
    return cos(1.0 + 3.7 * i + 1.3 * j * j);
}

static int32_t linear_field(void *user, int64_t n, const float *x, const float *t,
                            const float *condition, float *v)
{
    (void)user;
    (void)t;
    (void)condition;
    for (int64_t r = 0; r < n; r++)
        for (int i = 0; i < SIDE; i++) {
            double sum = 0;
            for (int j = 0; j < SIDE; j++)
                sum += matrix(i, j) * x[r * SIDE + j];
            v[r * SIDE + i] = (float)sum;
        }
    return 0;
}

static int32_t linear_derivative(void *user, int64_t n, const float *x, const float *t,
                                 const float *condition, const float *u, float *v, float *ju)
{
    return linear_field(user, n, x, t, condition, v) | linear_field(user, n, u, t, condition, ju);
}

static fmatch_model *make_linear(fmatch_context *context, bool jacobian)
{
    const fmatch_velocity_callbacks c = {.struct_size = sizeof c,
                                         .evaluate = linear_field,
                                         .jacobian_vector = jacobian ? linear_derivative : NULL};
    fmatch_model *model;
    expect_ok(fmatch_model_create_callback(&model, context, SIDE, &c, NULL));
    return model;
}

/* Of 1000 rows 925 to 970 lie within 1.96 errors: 95 % of a normal, a little less of Student's t
 * with 31 degrees of freedom. The estimated error itself is right in the mean: for Rademacher the
 * variance of z^T A z is the sum over i < j of (A_ij + A_ji)^2, for Gaussian that of (A + A^T)^2 /
 * 2. */
static void the_standard_error_is_right(void **state)
{
    enum { MANY = 1000, PROBES = 32 };
    double trace = 0, variance[2] = {0, 0};
    for (int i = 0; i < SIDE; i++) {
        trace += matrix(i, i);
        for (int j = 0; j < SIDE; j++) {
            const double both = matrix(i, j) + matrix(j, i);
            variance[0] += i < j ? both * both : 0;
            variance[1] += both * both / 2;
        }
    }
    static float x[MANY * SIDE], t[MANY];
    static double seen[MANY], error[MANY];
    fill_scattered(x, MANY * SIDE, -1, 1, 5);
    fmatch_model *model = make_linear(context_of(state), true);
    for (int32_t probe = 0; probe < 2; probe++) {
        const fmatch_divergence_config c = hutchinson(probe, PROBES, 11);
        expect_ok(
            fmatch_model_evaluate_divergence(model, &c, MANY, x, t, NULL, 0, NULL, seen, error));
        int within = 0;
        double squares = 0;
        for (int i = 0; i < MANY; i++) {
            within += fabs(seen[i] - trace) <= 1.96 * error[i];
            squares += error[i] * error[i] / MANY;
        }
        expect_that(within >= 920 && within <= 970, "probe %d: %d rows of %d", (int)probe, within,
                    (int)MANY);
        expect_close(squares * PROBES, variance[probe], 0.03 * variance[probe],
                     "variance of a probe of kind %d", (int)probe);
    }
    fmatch_model_destroy(&model);
}

static void one_probe_has_no_error_and_follows_seed_and_row(void **state)
{
    fmatch_model *model = make_linear(context_of(state), true);
    float x[ROWS * SIDE], early[ROWS] = {0}, late[ROWS];
    double a[ROWS], b[ROWS], error[ROWS];
    fill_scattered(x, ROWS * SIDE, -1, 1, 5);
    fill_scattered(late, ROWS, 0, 1, 6);
    fmatch_divergence_config c = hutchinson(FMATCH_PROBE_GAUSSIAN, 1, 1);
    expect_ok(
        fmatch_model_evaluate_divergence(model, &c, ROWS, x, early, NULL, 40, NULL, a, error));
    for (int i = 0; i < ROWS; i++)
        expect_that(isnan(error[i]), "row %d: %g", i, error[i]);
    expect_ok(fmatch_model_evaluate_divergence(model, &c, ROWS, x, late, NULL, 40, NULL, b, NULL));
    assert_memory_equal(a, b, sizeof a); /* the same probes at every t */
    expect_ok(fmatch_model_evaluate_divergence(model, &c, 10, x, late, NULL, 50, NULL, b, NULL));
    assert_memory_equal(a + 10, b, 10 * sizeof *a);
    assert_true(a[0] != a[1]);
    c.seed = 2;
    expect_ok(fmatch_model_evaluate_divergence(model, &c, ROWS, x, late, NULL, 40, NULL, b, NULL));
    assert_true(a[0] != b[0] && a[ROWS - 1] != b[ROWS - 1]);
    fmatch_model_destroy(&model);
}

/* ---- callbacks ---- */

/* v_j = sin(x_j + x_{j+1}) t, around. */
static int32_t sine_field(void *user, int64_t n, const float *x, const float *t,
                          const float *condition, float *v)
{
    (void)user;
    (void)condition;
    for (int64_t i = 0; i < n; i++)
        for (int j = 0; j < 3; j++)
            v[3 * i + j] = t[i] * sinf(x[3 * i + j] + x[3 * i + (j + 1) % 3]);
    return 0;
}

static int32_t sine_derivative(void *user, int64_t n, const float *x, const float *t,
                               const float *condition, const float *u, float *v, float *ju)
{
    sine_field(user, n, x, t, condition, v);
    for (int64_t i = 0; i < n; i++)
        for (int j = 0; j < 3; j++) {
            const int64_t k = 3 * i + j, l = 3 * i + (j + 1) % 3;
            ju[k] = t[i] * cosf(x[k] + x[l]) * (u[k] + u[l]);
        }
    return 0;
}

static void callbacks_give_or_are_asked_for_derivatives(void **state)
{
    float x[ROWS * 3], t[ROWS], v[ROWS * 3];
    double seen[ROWS], probed[ROWS], differences[ROWS];
    fill_scattered(x, ROWS * 3, -2, 2, 1);
    fill_scattered(t, ROWS, 0, 1, 2);
    for (int given = 0; given < 2; given++) {
        const fmatch_velocity_callbacks c = {.struct_size = sizeof c,
                                             .evaluate = sine_field,
                                             .jacobian_vector = given ? sine_derivative : NULL};
        fmatch_model *model;
        expect_ok(fmatch_model_create_callback(&model, context_of(state), 3, &c, NULL));
        expect_ok(
            fmatch_model_evaluate_divergence(model, NULL, ROWS, x, t, NULL, 0, v, seen, NULL));
        for (int i = 0; i < ROWS; i++) {
            double wanted = 0;
            for (int j = 0; j < 3; j++) {
                const double sum = (double)x[3 * i + j] + x[3 * i + (j + 1) % 3];
                wanted += t[i] * cos(sum);
                expect_close(v[3 * i + j], t[i] * sin(sum), 1e-6, "velocity %d of row %d", j, i);
            }
            expect_close(seen[i], wanted, given ? 1e-6 : 1e-4, "given %d, row %d", given, i);
        }
        const fmatch_divergence_config config = hutchinson(0, 4, 3);
        expect_divergence(model, &config, ROWS, x, t, given ? probed : differences);
        fmatch_divergence_config coarse;
        fmatch_divergence_config_init(&coarse);
        coarse.finite_difference = 0.5;
        expect_divergence(model, &coarse, ROWS, x, t, seen);
        for (int i = 0; i < ROWS; i++) { /* sin(a + h) - sin(a - h) = 2 sin h cos a */
            double wanted = 0;
            const double h = 0.5, factor = given ? 1 : sin(h) / h;
            for (int j = 0; j < 3; j++)
                wanted += t[i] * factor * cos((double)x[3 * i + j] + x[3 * i + (j + 1) % 3]);
            expect_close(seen[i], wanted, 2e-6, "step of 0.5, given %d, row %d", given, i);
        }
        fmatch_model_destroy(&model);
    }
    for (int i = 0; i < ROWS; i++)
        expect_close(differences[i], probed[i], 3e-4, "probes, row %d", i);
}

/* v_j = s_j sin(y_j + y_(j + 1)) with y = (x - mean) / s, around; the divergence is the sum of the
 * cosines in any units. */
struct units {
    double mean;
    float scale[3];
};

static double phase_in_units(const struct units *u, const float *x, int j)
{
    const int next = (j + 1) % 3;
    return (x[j] - u->mean * u->scale[j]) / u->scale[j] +
           (x[next] - u->mean * u->scale[next]) / u->scale[next];
}

static int32_t field_in_units(void *user, int64_t n, const float *x, const float *t,
                              const float *condition, float *v)
{
    const struct units *u = user;
    (void)t, (void)condition;
    for (int64_t i = 0; i < n; i++)
        for (int j = 0; j < 3; j++)
            v[3 * i + j] = (float)(u->scale[j] * sin(phase_in_units(u, x + 3 * i, j)));
    return 0;
}

/* Of 560 means of 1000 probes one is off by Z errors with probability 6e-4. */
static void differences_bear_any_mean_and_any_units(void **state)
{
    static struct units cases[] = {
        {0, {1, 1, 1}}, {100, {1, 1, 1}}, {1000, {1, 1, 1}}, {10, {1e-3f, 1, 1e3f}}};
    static const float weight[] = {1}, middle[3] = {0};
    float x[ROWS * 3], t[ROWS] = {0};
    double seen[ROWS], error[ROWS], wanted[ROWS];
    for (size_t k = 0; k < COUNT(cases); k++) {
        struct units *u = &cases[k];
        fmatch_source *noise;
        expect_ok(fmatch_source_create_gaussian_mixture(&noise, context_of(state), 3, 1, weight,
                                                        middle, u->scale));
        const fmatch_velocity_callbacks c = {
            .struct_size = sizeof c, .evaluate = field_in_units, .user = u};
        fmatch_model *model;
        expect_ok(fmatch_model_create_callback(&model, context_of(state), 3, &c, noise));
        fill_scattered(x, ROWS * 3, -2, 2, 1);
        for (int i = 0; i < ROWS; i++) {
            wanted[i] = 0;
            for (int j = 0; j < 3; j++)
                x[3 * i + j] = (float)(u->scale[j] * (x[3 * i + j] + u->mean));
            for (int j = 0; j < 3; j++)
                wanted[i] += cos(phase_in_units(u, x + 3 * i, j));
        }
        expect_divergence(model, NULL, ROWS, x, t, seen);
        for (int i = 0; i < ROWS; i++)
            expect_close(seen[i], wanted[i], 1e-4, "case %zu, row %d", k, i);
        for (int32_t probe = 0; probe < 2; probe++) {
            const fmatch_divergence_config h = hutchinson(probe, 1000, 7);
            expect_ok(fmatch_model_evaluate_divergence(model, &h, ROWS, x, t, NULL, 0, NULL, seen,
                                                       error));
            for (int i = 0; i < ROWS; i++) {
                expect_that(error[i] < 0.2, "case %zu, row %d: error %g", k, i, error[i]);
                expect_close(seen[i], wanted[i], Z * error[i] + 1e-4, "case %zu, probe %d, row %d",
                             k, (int)probe, i);
            }
        }
        fmatch_model_destroy(&model);
        fmatch_source_destroy(&noise);
    }
}

/* ---- the closed form ---- */

static const float weights[] = {0.5f, 0.2f, 0.3f};
static const float means[] = {-1, 0.5f, 2, 1.5f, -0.25f, 0},
                   stds[] = {0.5f, 1.2f, 0.3f, 2, 1, 0.75f};

static double mixture_log_density(double t, const double *x)
{
    double sum = 0;
    for (int k = 0; k < 3; k++) {
        double density = weights[k];
        for (int j = 0; j < 2; j++) {
            const double variance =
                (1 - t) * (1 - t) + t * t * stds[2 * k + j] * (double)stds[2 * k + j];
            const double off = x[j] - t * means[2 * k + j];
            density *= exp(-off * off / variance / 2) / sqrt(2 * PI * variance);
        }
        sum += density;
    }
    return log(sum);
}

/* Of the gradient and the Laplacian of log p: on the linear path v = (x + (1 - t) score) / t. */
static double mixture_derivative(double t, const float *x, int j, bool second)
{
    const double h = second ? 1e-4 : 1e-6;
    double at[2] = {x[0], x[1]};
    const double middle = mixture_log_density(t, at);
    at[j] = x[j] + h;
    const double above = mixture_log_density(t, at);
    at[j] = x[j] - h;
    const double below = mixture_log_density(t, at);
    return second ? (above - 2 * middle + below) / (h * h) : (above - below) / (2 * h);
}

static fmatch_model *make_mixture_field(fmatch_context *context)
{
    fmatch_source *target;
    expect_ok(fmatch_source_create_gaussian_mixture(&target, context, 2, 3, weights, means, stds));
    fmatch_model *model = make_closed_form(context, target);
    fmatch_source_destroy(&target);
    return model;
}

static void closed_forms_have_that_of_their_density(void **state)
{
    fmatch_model *model = make_mixture_field(context_of(state));
    float x[ROWS * 2], t[ROWS], score[ROWS * 2];
    double exact[ROWS], probed[ROWS], error[ROWS];
    fill_scattered(x, ROWS * 2, -2, 3, 1);
    fill_scattered(t, ROWS, 0.1, 0.99, 2);
    expect_divergence(model, NULL, ROWS, x, t, exact);
    expect_ok(fmatch_model_evaluate_score(model, ROWS, x, t, NULL, score));
    for (int i = 0; i < ROWS; i++) {
        double wanted = 2 / (double)t[i];
        for (int j = 0; j < 2; j++) {
            const double gradient = mixture_derivative(t[i], x + 2 * i, j, false);
            wanted += (1 - t[i]) / (double)t[i] * mixture_derivative(t[i], x + 2 * i, j, true);
            expect_close(score[2 * i + j], gradient, 1e-5 / (1 - t[i]) + 1e-6 * fabs(gradient),
                         "score %d of row %d at %g", j, i, t[i]);
        }
        expect_close(exact[i], wanted, 1e-6 / (double)t[i] + 1e-6 * fabs(wanted), "row %d at %g", i,
                     t[i]);
    }
    const fmatch_divergence_config c = hutchinson(FMATCH_PROBE_GAUSSIAN, 4000, 1);
    expect_ok(
        fmatch_model_evaluate_divergence(model, &c, ROWS, x, t, NULL, 0, NULL, probed, error));
    for (int i = 0; i < ROWS; i++)
        expect_close(probed[i], exact[i], Z * error[i], "probes, row %d", i);
    fmatch_model_destroy(&model);
}

/* ---- the score ---- */

/* With an output of 0 the baseline is exact: p_t = N(m, s^2 q). */
static void the_score_is_in_the_units_of_the_data(void **state)
{
    fmatch_mlp_config c;
    fmatch_mlp_config_init(&c);
    c.dim = 3;
    c.data_mean = mean3;
    c.data_std = std3;
    fmatch_path_config path;
    fmatch_path_config_init(&path);
    path.kind = FMATCH_PATH_COSINE;
    float x[ROWS * 3], t[ROWS], score[ROWS * 3];
    fill_scattered(x, ROWS * 3, -2, 5, 1);
    fill_scattered(t, ROWS, 0, 0.99, 2);
    for (int cosine = 0; cosine < 2; cosine++) {
        c.path = cosine ? &path : NULL;
        fmatch_model *model;
        expect_ok(fmatch_model_create_mlp(&model, context_of(state), &c));
        expect_ok(fmatch_model_evaluate_score(model, ROWS, x, t, NULL, score));
        for (int k = 0; k < ROWS * 3; k++) {
            const double at = t[k / 3], alpha = cosine ? sin(PI * at / 2) : at,
                         sigma = cosine ? cos(PI * at / 2) : 1 - at;
            /* alpha x1 + sigma x0 in standardised coordinates, which have m = 0 */
            const double m = mean3[k % 3], s = std3[k % 3];
            const double wanted = -(x[k] - m) / (s * s * (alpha * alpha + sigma * sigma));
            expect_close(score[k], wanted, 1e-5 * (1 + fabs(wanted)) / sigma, "path %d, number %d",
                         cosine, k);
        }
        fmatch_model_destroy(&model);
    }
}

/* Where a polynomial path has no speed, v tells nothing, and x is noise about m: N(m, s^2). */
static void where_v_says_nothing_the_score_is_that_of_the_noise(void **state)
{
    fmatch_path_config path;
    fmatch_path_config_init(&path);
    path.kind = FMATCH_PATH_POLYNOMIAL;
    path.exponent = 30;
    fmatch_mlp_config c;
    fmatch_mlp_config_init(&c);
    c.dim = 3;
    c.data_mean = mean3;
    c.data_std = std3;
    c.path = &path;
    fmatch_model *model;
    expect_ok(fmatch_model_create_mlp(&model, context_of(state), &c));
    static const float t[] = {0, 1e-6f, 1e-3f, 0.05f, 0.2f};
    enum { TIMES = sizeof t / sizeof *t };
    float x[TIMES * 3], score[TIMES * 3];
    fill_scattered(x, TIMES * 3, -2, 5, 1);
    expect_ok(fmatch_model_evaluate_score(model, TIMES, x, t, NULL, score));
    for (int k = 0; k < TIMES * 3; k++) {
        const double wanted = -(x[k] - mean3[k % 3]) / ((double)std3[k % 3] * std3[k % 3]);
        expect_close(score[k], wanted, 1e-5 * (1 + fabs(wanted)), "t = %g, column %d", t[k / 3],
                     k % 3);
    }
    fmatch_model_destroy(&model);
}

/* With an output of 0 the baseline is exact: p_t = N((1 - t) a, t^2 + (1 - t)^2 b^2). */
static void a_mixture_of_one_component_is_normal_noise(void **state)
{
    static const float one = 1, a[] = {1, -2}, b[] = {0.5f, 2};
    fmatch_mlp_config c;
    fmatch_mlp_config_init(&c);
    c.dim = 2;
    fmatch_source *noise;
    expect_ok(fmatch_source_create_gaussian_mixture(&noise, context_of(state), 2, 1, &one, a, b));
    c.noise = noise;
    fmatch_model *model;
    expect_ok(fmatch_model_create_mlp(&model, context_of(state), &c));
    float x[ROWS * 2], t[ROWS], score[ROWS * 2];
    fill_scattered(x, ROWS * 2, -2, 2, 1);
    fill_scattered(t, ROWS, 0, 0.9, 2);
    expect_ok(fmatch_model_evaluate_score(model, ROWS, x, t, NULL, score));
    for (int k = 0; k < ROWS * 2; k++) {
        const double at = t[k / 2], mean = (1 - at) * a[k % 2], s = (1 - at) * b[k % 2];
        const double wanted = -(x[k] - mean) / (at * at + s * s);
        expect_close(score[k], wanted, 1e-4 * (1 + fabs(wanted)), "number %d at %g", k, at);
    }
    fmatch_model_destroy(&model);
    fmatch_source_destroy(&noise);
}

/* ---- bits ---- */

enum { MANY = 1000 };

static fmatch_model *make_deep(fmatch_context *context)
{
    static const int32_t widths[] = {24, 17, 24, 9};
    fmatch_mlp_config c;
    fmatch_mlp_config_init(&c);
    c.dim = 3;
    c.hidden_layers = 4;
    c.hidden_widths = widths;
    c.residual_layers = 2;
    c.normalisation = FMATCH_NORMALISATION_LAYER;
    c.output_init = FMATCH_OUTPUT_INIT_UNIFORM;
    c.prediction = FMATCH_PREDICTION_DATA;
    fmatch_model *model;
    expect_ok(fmatch_model_create_mlp(&model, context, &c));
    return model;
}

static void in_batches(const fmatch_model *model, const fmatch_divergence_config *c, int64_t batch,
                       const float *x, const float *t, float *v, double *divergence, double *error)
{
    for (int64_t i = 0; i < MANY; i += batch) {
        const int64_t n = MANY - i < batch ? MANY - i : batch;
        expect_ok(fmatch_model_evaluate_divergence(model, c, n, x + 3 * i, t + i, NULL, 5 + i,
                                                   v + 3 * i, divergence + i, error + i));
    }
}

static void rows_are_independent_of_the_batch_and_of_threads(void **state)
{
    (void)state;
    static float x[MANY * 3], t[MANY], v[MANY * 3], first_v[MANY * 3];
    static double seen[2][MANY], first[2][MANY];
    fill_scattered(x, MANY * 3, -2, 2, 1);
    fill_scattered(t, MANY, 0, 1, 2);
    const fmatch_divergence_config probes = hutchinson(0, 7, 3);
    static const int64_t batches[] = {MANY, 64, 7, 1};
    static const int32_t threads[] = {1, 2, 8};
    const size_t smaller = forced_matmul() == FMATCH_MATMUL_BLAS ? 1 : COUNT(batches);
    for (int exact = 0; exact < 2; exact++)
        for (size_t k = 0; k < COUNT(threads); k++) {
            fmatch_context_config config = forced_context_config();
            config.threads = threads[k];
            fmatch_context *context;
            expect_ok(fmatch_context_create(&context, &config));
            fmatch_model *model = make_deep(context);
            for (size_t b = 0; b < smaller; b++) {
                const bool reference = k == 0 && b == 0;
                in_batches(model, exact ? NULL : &probes, batches[b], x, t, reference ? first_v : v,
                           reference ? first[0] : seen[0], reference ? first[1] : seen[1]);
                if (reference)
                    continue;
                expect_same_bits(v, first_v, MANY * 3, "velocities");
                for (int i = 0; i < MANY; i++)
                    expect_that(memcmp(&seen[0][i], &first[0][i], sizeof(double)) == 0 &&
                                    memcmp(&seen[1][i], &first[1][i], sizeof(double)) == 0,
                                "exact %d, %d threads, batches of %lld, row %d: %.17g and %.17g",
                                exact, (int)threads[k], (long long)batches[b], i, seen[0][i],
                                first[0][i]);
            }
            fmatch_model_destroy(&model);
            fmatch_context_destroy(&context);
        }
}

/* ---- failures ---- */

static void settings_out_of_range_are_named(void **state)
{
    fmatch_model *model = make_linear(context_of(state), true);
    const float x[SIDE] = {0}, t[] = {0};
    double d;
    static const struct {
        const char *name;
        size_t offset;
        int32_t value;
    } wrong[] = {{"method", offsetof(fmatch_divergence_config, method), 2},
                 {"method", offsetof(fmatch_divergence_config, method), -1},
                 {"probe", offsetof(fmatch_divergence_config, probe), 2},
                 {"probes", offsetof(fmatch_divergence_config, probes), 0},
                 {"probes", offsetof(fmatch_divergence_config, probes), 65537}};
    for (size_t i = 0; i < COUNT(wrong); i++) {
        fmatch_divergence_config c = hutchinson(0, 2, 0);
        memcpy((char *)&c + wrong[i].offset, &wrong[i].value, sizeof wrong[i].value);
        expect_status(fmatch_model_evaluate_divergence(model, &c, 1, x, t, NULL, 0, NULL, &d, NULL),
                      FMATCH_ERROR_ARGUMENT);
        expect_detail(wrong[i].name);
    }
    fmatch_divergence_config c = hutchinson(0, 2, 0);
    c.finite_difference = NAN;
    expect_status(fmatch_model_evaluate_divergence(model, &c, 1, x, t, NULL, 0, NULL, &d, NULL),
                  FMATCH_ERROR_ARGUMENT);
    expect_detail("config->finite_difference", "nan");
    c = hutchinson(0, 2, 0);
    c.struct_size = 3;
    expect_status(fmatch_model_evaluate_divergence(model, &c, 1, x, t, NULL, 0, NULL, &d, NULL),
                  FMATCH_ERROR_STRUCT_SIZE);
    expect_status(fmatch_model_evaluate_divergence(NULL, NULL, 1, x, t, NULL, 0, NULL, &d, NULL),
                  FMATCH_ERROR_ARGUMENT);
    expect_status(fmatch_model_evaluate_divergence(model, NULL, 1, x, t, NULL, -1, NULL, &d, NULL),
                  FMATCH_ERROR_ARGUMENT);
    expect_detail("first_row");
    expect_status(fmatch_model_evaluate_divergence(model, NULL, 1, x, t, NULL, 0, NULL, NULL, NULL),
                  FMATCH_ERROR_ARGUMENT);
    expect_detail("divergence");
    expect_status(
        fmatch_model_evaluate_divergence(model, NULL, 1, NULL, t, NULL, 0, NULL, &d, NULL),
        FMATCH_ERROR_ARGUMENT);
    expect_ok(
        fmatch_model_evaluate_divergence(model, NULL, 0, NULL, NULL, NULL, 0, NULL, NULL, NULL));
    float score[SIDE];
    const float one[] = {1};
    expect_status(fmatch_model_evaluate_score(model, 1, x, one, NULL, score),
                  FMATCH_ERROR_ARGUMENT);
    expect_detail("t[0]", "[0, 1)");
    fmatch_model_destroy(&model);
}

static int32_t infinite_derivative(void *user, int64_t n, const float *x, const float *t,
                                   const float *condition, const float *u, float *v, float *ju)
{
    linear_derivative(user, n, x, t, condition, u, v, ju);
    ju[3 * SIDE] = INFINITY;
    return *(int32_t *)user;
}

static void failures_of_a_callback_are_told(void **state)
{
    int32_t code = 0;
    const fmatch_velocity_callbacks c = {.struct_size = sizeof c,
                                         .evaluate = linear_field,
                                         .jacobian_vector = infinite_derivative,
                                         .user = &code};
    fmatch_model *model;
    expect_ok(fmatch_model_create_callback(&model, context_of(state), SIDE, &c, NULL));
    float x[5 * SIDE] = {0}, t[] = {0, 0, 0, 0.5f, 0};
    double d[5];
    expect_status(fmatch_model_evaluate_divergence(model, NULL, 5, x, t, NULL, 0, NULL, d, NULL),
                  FMATCH_ERROR_NOT_FINITE);
    expect_detail("row 3", "divergence", "0.5");
    code = -9;
    expect_status(fmatch_model_evaluate_divergence(model, NULL, 5, x, t, NULL, 0, NULL, d, NULL),
                  FMATCH_ERROR_CALLBACK);
    assert_int_equal(fmatch_error_callback_code(), -9);
    fmatch_model_destroy(&model);
}

static void scores_that_do_not_follow_are_refused(void **state)
{
    fmatch_source *noise = make_post_target(context_of(state));
    const fmatch_velocity_callbacks c = {.struct_size = sizeof c, .evaluate = sine_field};
    const float x = 0, t = 0;
    float score;
    fmatch_model *model;
    expect_ok(fmatch_model_create_callback(&model, context_of(state), 1, &c, noise));
    expect_status(fmatch_model_evaluate_score(model, 1, &x, &t, NULL, &score),
                  FMATCH_ERROR_UNSUPPORTED);
    fmatch_model_destroy(&model);
    fmatch_mlp_config config;
    fmatch_mlp_config_init(&config);
    fmatch_path_config path;
    fmatch_path_config_init(&path);
    path.noise = 0.1;
    config.dim = 1;
    config.path = &path;
    expect_ok(fmatch_model_create_mlp(&model, context_of(state), &config));
    expect_status(fmatch_model_evaluate_score(model, 1, &x, &t, NULL, &score),
                  FMATCH_ERROR_UNSUPPORTED);
    fmatch_model_destroy(&model);
    fmatch_source_destroy(&noise);
}

/* Every allocation of a call fails once; then the call works. */
static void allocations_may_fail(void **state)
{
    struct world *world = *state;
    fmatch_model *models[] = {make_deep(world->context), make_mixture_field(world->context)};
    float x[ROWS * 3] = {0}, t[ROWS] = {0}, score[ROWS * 3];
    double d[ROWS];
    for (size_t m = 0; m < COUNT(models); m++)
        for (int which = 0; which < 2; which++) {
            fmatch_status status = FMATCH_ERROR_NO_MEMORY;
            int64_t failures = 0;
            for (int64_t k = 1; status == FMATCH_ERROR_NO_MEMORY; k++) {
                world->ledger.fail_at = world->ledger.calls + k;
                const int64_t live = world->ledger.live;
                status = which ? fmatch_model_evaluate_score(models[m], ROWS, x, t, NULL, score)
                               : fmatch_model_evaluate_divergence(models[m], NULL, ROWS, x, t, NULL,
                                                                  0, NULL, d, NULL);
                assert_int_equal(world->ledger.live, live);
                failures += status == FMATCH_ERROR_NO_MEMORY;
            }
            world->ledger.fail_at = 0;
            expect_ok(status);
            assert_int_equal(failures, 2);
        }
    for (size_t m = 0; m < COUNT(models); m++)
        fmatch_model_destroy(&models[m]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        world_test(divergences_match_central_differences),
        world_test(probes_have_no_bias),
        world_test(the_standard_error_is_right),
        world_test(one_probe_has_no_error_and_follows_seed_and_row),
        world_test(differences_bear_any_mean_and_any_units),
        world_test(callbacks_give_or_are_asked_for_derivatives),
        world_test(closed_forms_have_that_of_their_density),
        world_test(the_score_is_in_the_units_of_the_data),
        world_test(where_v_says_nothing_the_score_is_that_of_the_noise),
        world_test(a_mixture_of_one_component_is_normal_noise),
        world_test(rows_are_independent_of_the_batch_and_of_threads),
        world_test(settings_out_of_range_are_named),
        world_test(failures_of_a_callback_are_told),
        world_test(scores_that_do_not_follow_are_refused),
        world_test(allocations_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
