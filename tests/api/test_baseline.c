/* The Gaussian baseline of a network, and what a model measures of its data. */
#include "fixtures.h"

#include <unistd.h>

/* ---- the closed form, in double and in standardised coordinates ---- */

struct at {
    double alpha, sigma, alpha_rate, sigma_rate;
    double alpha_product,
        sigma_product; /* alpha alpha', sigma sigma', also where a rate is infinite */
};

static struct at plain(double alpha, double sigma, double alpha_rate, double sigma_rate)
{
    return (struct at){
        alpha, sigma, alpha_rate, sigma_rate, alpha * alpha_rate, sigma * sigma_rate};
}

static struct at linear(double t)
{
    return plain(t, 1 - t, 1, -1);
}

static struct at quadratic(double t)
{
    return plain(t * t, 1 - t * t, 2 * t, -2 * t);
}

static struct at variance_preserving(double t)
{
    const double r = 1 - t, T = 9.95 * r * r + 0.1 * r, T_rate = -19.9 * r - 0.1;
    const double sigma = sqrt(1 - exp(-T)), alpha = exp(-T / 2);
    return (struct at){alpha,
                       sigma,
                       -T_rate * alpha / 2,
                       T_rate * exp(-T) / 2 / sigma,
                       -T_rate * exp(-T) / 2,
                       T_rate * exp(-T) / 2};
}

static struct at linear_variance_preserving(double t)
{
    const double sigma = sqrt(1 - t * t);
    return (struct at){t, sigma, 1, -t / sigma, t, -t};
}

static struct at cosine(double t)
{
    const double h = PI / 2;
    return plain(sin(h * t), cos(h * t), h * cos(h * t), -h * sin(h * t));
}

static struct at lipman(double t)
{
    return plain(t, 1 - 0.99 * t, 1, -0.99);
}

static int32_t users_schedule(void *user, int64_t n, const double *t, double *alpha, double *sigma,
                              double *alpha_rate, double *sigma_rate)
{
    (void)user;
    for (int64_t i = 0; i < n; i++) {
        const struct at s = cosine(t[i]);
        alpha[i] = s.alpha;
        sigma[i] = s.sigma;
        alpha_rate[i] = s.alpha_rate;
        sigma_rate[i] = s.sigma_rate;
    }
    return 0;
}

static const fmatch_schedule_callbacks callbacks = {.struct_size = sizeof callbacks,
                                                    .evaluate = users_schedule};

/* A path, its schedule, and the variance of its own noise with its covariance. */
static const struct path_case {
    const char *name;
    fmatch_path_config config;
    struct at (*at)(double t);
    double noise, diffusion;
    bool singular; /* a rate is infinite at t = 1 */
} paths[] = {
    {"linear", {.kind = FMATCH_PATH_LINEAR}, linear, 0, 0, false},
    {"polynomial", {.kind = FMATCH_PATH_POLYNOMIAL, .exponent = 2}, quadratic, 0, 0, false},
    {"variance preserving",
     {.kind = FMATCH_PATH_VARIANCE_PRESERVING},
     variance_preserving,
     0,
     0,
     true},
    {"linear variance preserving",
     {.kind = FMATCH_PATH_LINEAR_VARIANCE_PRESERVING},
     linear_variance_preserving,
     0,
     0,
     true},
    {"cosine", {.kind = FMATCH_PATH_COSINE}, cosine, 0, 0, false},
    {"lipman", {.kind = FMATCH_PATH_LIPMAN, .sigma_min = 0.01}, lipman, 0, 0, false},
    {"callback", {.kind = FMATCH_PATH_CALLBACK, .schedule = &callbacks}, cosine, 0, 0, false},
    {"linear with noise", {.kind = FMATCH_PATH_LINEAR, .noise = 0.3}, linear, 0.3, 0, false},
    {"bridge", {.kind = FMATCH_PATH_BROWNIAN_BRIDGE, .diffusion = 0.7}, linear, 0, 0.7, false},
};

enum { DIM = 3 };

/* The last column is constant where s is 0. */
struct moments {
    double m[DIM], s[DIM], a[DIM], b[DIM]; /* of data and noise, standardised */
};

static double variance_of(const struct path_case *p, const struct at *s, double t, double data,
                          double noise)
{
    return s->alpha * s->alpha * data * data + s->sigma * s->sigma * noise * noise +
           p->noise * p->noise + p->diffusion * p->diffusion * t * (1 - t);
}

static double mean_of(const struct at *s, const struct moments *k, int j)
{
    return s->alpha * k->m[j] + s->sigma * k->a[j];
}

static double closed_form(const struct path_case *p, const struct moments *k, int j, double t,
                          double y)
{
    const struct at s = p->at(t);
    const double covariance = s.alpha_product * k->s[j] * k->s[j] +
                              s.sigma_product * k->b[j] * k->b[j] +
                              p->diffusion * p->diffusion * (1 - 2 * t) / 2;
    const double mean =
        (k->m[j] == 0 ? 0 : s.alpha_rate * k->m[j]) + (k->a[j] == 0 ? 0 : s.sigma_rate * k->a[j]);
    return mean + covariance / variance_of(p, &s, t, k->s[j], k->b[j]) * (y - mean_of(&s, k, j));
}

/* ---- models ---- */

static const float data_mean[DIM] = {40, -0.3f, 0.02f}, data_std[DIM] = {12, 0.5f, 0.001f};
static const float noise_mean[DIM] = {10, 0.5f, 0.021f}, noise_std[DIM] = {20, 0.4f, 0.0007f};

static struct moments moments_of(bool given)
{
    struct moments k;
    for (int j = 0; j < DIM; j++) {
        k.m[j] = 0;
        k.s[j] = 1;
        k.a[j] = given ? ((double)noise_mean[j] - data_mean[j]) / data_std[j] : 0;
        k.b[j] = given ? (double)noise_std[j] / data_std[j] : 1;
    }
    return k;
}

static fmatch_mlp_config base_config(void)
{
    fmatch_mlp_config config;
    fmatch_mlp_config_init(&config);
    config.dim = DIM;
    config.data_mean = data_mean;
    config.data_std = data_std;
    config.baseline = FMATCH_BASELINE_GAUSSIAN;
    config.output_init = FMATCH_OUTPUT_INIT_ZERO;
    config.hidden_width = 16;
    config.seed = 3;
    return config;
}

static fmatch_source *make_noise(fmatch_context *context)
{
    const float one = 1;
    fmatch_source *source;
    expect_ok(fmatch_source_create_gaussian_mixture(&source, context, DIM, 1, &one, noise_mean,
                                                    noise_std));
    return source;
}

static fmatch_model *make_model(fmatch_context *context, const fmatch_mlp_config *config)
{
    fmatch_model *model;
    expect_ok(fmatch_model_create_mlp(&model, context, config));
    return model;
}

static fmatch_path_config path_of(const struct path_case *p)
{
    fmatch_path_config config = p->config;
    config.struct_size = sizeof config;
    return config;
}

/* 1e-5 of the size of what is added up; more where a conversion loses digits near the ends. */
static void expect_closed_form(const fmatch_model *model, const struct path_case *p,
                               const struct moments *k, double from, double to, double tolerance,
                               const char *what)
{
    enum { ROWS = 150 };
    float x[ROWS * DIM], t[ROWS], v[ROWS * DIM];
    for (int i = 0; i < ROWS; i++) {
        t[i] = (float)(from + (to - from) * i / (ROWS - 1));
        const struct at s = p->at(t[i]);
        for (int j = 0; j < DIM; j++) {
            const double q = variance_of(p, &s, t[i], k->s[j], k->b[j]);
            const double y = mean_of(&s, k, j) + sqrt(q) * (i % 7 - 3) * 0.8;
            x[i * DIM + j] = (float)(data_mean[j] + data_std[j] * y);
        }
    }
    expect_ok(fmatch_model_evaluate(model, ROWS, x, t, NULL, v));
    for (int i = 0; i < ROWS; i++)
        for (int j = 0; j < DIM; j++) {
            const double y = ((double)x[i * DIM + j] - data_mean[j]) / data_std[j];
            const double wanted = closed_form(p, k, j, t[i], y);
            /* A rounding of x is one of y by |mean| / std, and t is known to a float. */
            const double size = 1 + fabs(wanted) + fabs(data_mean[j] / data_std[j]) * 0.1;
            expect_close(v[i * DIM + j] / data_std[j], wanted, tolerance * size,
                         "%s, column %d at t = %g", what, j, (double)t[i]);
        }
}

static void velocity_is_the_closed_form_before_training(void **state)
{
    fmatch_source *noise = make_noise(context_of(state));
    for (size_t i = 0; i < COUNT(paths); i++)
        for (int given = 0; given < 2; given++)
            for (int32_t prediction = 0; prediction < 3; prediction++) {
                const struct path_case *p = &paths[i];
                const bool noisy = p->noise > 0 || p->diffusion > 0;
                if ((given && p->config.kind == FMATCH_PATH_LIPMAN) || (noisy && prediction))
                    continue;
                fmatch_mlp_config config = base_config();
                const fmatch_path_config path = path_of(p);
                config.path = &path;
                config.noise = given ? noise : NULL;
                config.prediction = prediction;
                fmatch_model *model = make_model(context_of(state), &config);
                const struct moments k = moments_of(given);
                char what[64];
                snprintf(what, sizeof what, "%s, noise %d, prediction %d", p->name, given,
                         (int)prediction);
                const double edge = prediction ? 0.1 : p->diffusion > 0 ? 1e-4 : 0;
                const double last = p->singular && given ? 0.999 : 1 - edge;
                expect_closed_form(model, p, &k, edge, last,
                                   prediction || p->singular ? 4e-5 : 1e-5, what);
                fmatch_model_destroy(&model);
            }
    fmatch_source_destroy(&noise);
}

static void samples_have_the_moments_of_the_data_before_training(void **state)
{
    enum { ROWS = 4000 };
    float *x = floats(ROWS * DIM);
    fmatch_source *noise = make_noise(context_of(state));
    for (size_t i = 0; i < COUNT(paths); i++)
        for (int32_t prediction = 0; prediction < 3; prediction++) {
            const struct path_case *p = &paths[i];
            const bool noisy = p->noise > 0 || p->diffusion > 0;
            /* Path noise smears both ends; a singular end is for a solver of higher order. */
            if (p->noise > 0 || (noisy && prediction) || p->singular)
                continue;
            fmatch_mlp_config config = base_config();
            const fmatch_path_config path = path_of(p);
            config.path = &path;
            config.noise = p->config.kind == FMATCH_PATH_LIPMAN ? NULL : noise;
            config.prediction = prediction;
            fmatch_model *model = make_model(context_of(state), &config);
            fmatch_sampler *sampler = make_sampler(model, FMATCH_SOLVER_MIDPOINT, 100, 0, 1);
            expect_ok(fmatch_sampler_draw(sampler, 7, 0, ROWS, NULL, x));
            for (int j = 0; j < DIM; j++) {
                double mean = 0, square = 0;
                for (int64_t r = 0; r < ROWS; r++)
                    mean += x[r * DIM + j] / (double)ROWS;
                for (int64_t r = 0; r < ROWS; r++)
                    square += pow(x[r * DIM + j] - mean, 2) / ROWS;
                /* sqrt(1 / n) and sqrt(1 / 2n) of a deviation; 0.01 for 100 steps */
                const double s = data_std[j], error = Z / sqrt((double)ROWS);
                const double wider = p->config.kind == FMATCH_PATH_LIPMAN ? 1e-4 : 0;
                expect_close(mean, data_mean[j], (error + 0.01) * s, "%s %d: mean %d", p->name,
                             (int)prediction, j);
                expect_close(sqrt(square) / s, sqrt(1 + wider), error / sqrt(2.0) + 0.01,
                             "%s %d: deviation %d", p->name, (int)prediction, j);
            }
            fmatch_sampler_destroy(&sampler);
            fmatch_model_destroy(&model);
        }
    fmatch_source_destroy(&noise);
    free(x);
}

/* ---- constant columns ---- */

static void a_constant_column_stays_constant(void **state)
{
    enum { ROWS = 100 };
    static const float means[DIM] = {3, -700, 1e30f}, stds[DIM] = {2, 0, 0};
    static const int32_t solvers[] = {FMATCH_SOLVER_EULER, FMATCH_SOLVER_MIDPOINT};
    float x[ROWS * DIM];
    for (size_t i = 0; i < COUNT(paths); i++)
        for (int32_t prediction = 0; prediction < 3; prediction++)
            for (size_t k = 0; k < COUNT(solvers); k++) {
                const struct path_case *p = &paths[i];
                if (p->noise > 0 || p->diffusion > 0 || p->singular)
                    continue;
                fmatch_mlp_config config = base_config();
                const fmatch_path_config path = path_of(p);
                config.path = &path;
                config.prediction = prediction;
                config.data_mean = means;
                config.data_std = stds;
                config.output_init = FMATCH_OUTPUT_INIT_UNIFORM;
                fmatch_model *model = make_model(context_of(state), &config);
                fmatch_sampler *sampler = make_sampler(model, solvers[k], 60, 0, 1);
                expect_ok(fmatch_sampler_draw(sampler, 7, 0, ROWS, NULL, x));
                /* Lipman's path ends sigma_min before the data; a step of a curved one is inexact.
                 */
                const bool straight = p->config.kind == FMATCH_PATH_LINEAR;
                for (int64_t r = 0; r < ROWS; r++) {
                    expect_close(x[r * DIM + 1], -700,
                                 straight                               ? 3e-4
                                 : p->config.kind == FMATCH_PATH_LIPMAN ? 0.05
                                                                        : 2e-3,
                                 "%s %d solver %zu", p->name, (int)prediction, k);
                    assert_true(x[r * DIM + 2] == 1e30f);
                }
                fmatch_sampler_destroy(&sampler);
                fmatch_model_destroy(&model);
            }
}

/* Heun's last stage asks at t = 1, where x no longer tells the noise: it may miss what half of a
 * step would add, and no more. */
static void a_singular_end_does_not_throw_a_constant_away(void **state)
{
    enum { ROWS = 50 };
    static const float stds[DIM] = {2, 0, 0}, means[DIM] = {0, 3, 0};
    float x[ROWS * DIM];
    for (size_t i = 0; i < COUNT(paths); i++) {
        if (!paths[i].singular)
            continue;
        fmatch_mlp_config config = base_config();
        const fmatch_path_config path = path_of(&paths[i]);
        config.path = &path;
        config.data_mean = means;
        config.data_std = stds;
        fmatch_model *model = make_model(context_of(state), &config);
        fmatch_sampler *sampler = make_sampler(model, FMATCH_SOLVER_HEUN, 20, 0, 1);
        expect_ok(fmatch_sampler_draw(sampler, 7, 0, ROWS, NULL, x));
        for (int64_t r = 0; r < ROWS; r++)
            expect_close(x[r * DIM + 1], 3, 4, "%s", paths[i].name);
        fmatch_sampler_destroy(&sampler);
        fmatch_model_destroy(&model);
    }
}

static void nothing_is_infinite_at_the_ends(void **state)
{
    static const float stds[DIM] = {2, 0, 0}, one = 1;
    static const float constants[DIM] = {0, 0, 5}, spreads[DIM] = {1, 1e-30f, 1e-30f};
    static const float t[] = {0, 1, 1e-38f, 0.99999994f, -3, 7, 1, 0, 0.5f};
    float x[COUNT(t) * DIM], v[COUNT(t) * DIM];
    for (size_t i = 0; i < COUNT(x); i++)
        x[i] = (float)(i % 5) - 2;
    fmatch_source *noise;
    expect_ok(fmatch_source_create_gaussian_mixture(&noise, context_of(state), DIM, 1, &one,
                                                    constants, spreads));
    for (size_t i = 0; i < COUNT(paths); i++)
        for (int given = 0; given < 2; given++)
            for (int32_t prediction = 0; prediction < 3; prediction++) {
                const struct path_case *p = &paths[i];
                const bool noisy = p->noise > 0 || p->diffusion > 0;
                if ((noisy && prediction) || (given && p->config.kind == FMATCH_PATH_LIPMAN))
                    continue;
                fmatch_mlp_config config = base_config();
                const fmatch_path_config path = path_of(p);
                config.path = &path;
                config.prediction = prediction;
                config.noise = given ? noise : NULL;
                config.data_mean = NULL;
                config.data_std = stds;
                fmatch_model *model = make_model(context_of(state), &config);
                if (prediction == FMATCH_PREDICTION_VELOCITY) /* others convert by the schedule */
                    expect_ok(fmatch_model_evaluate(model, COUNT(t), x, t, NULL, v));
                expect_ok(fmatch_model_evaluate(model, 4, x, t, NULL, v));
                fmatch_model_destroy(&model);
            }
    fmatch_source_destroy(&noise);
}

/* ---- the gradient ---- */

enum { BATCH = 30 };

struct batch_of_rows {
    float noise[BATCH * DIM], target[BATCH * DIM], t[BATCH];
};

static struct batch_of_rows make_rows(void)
{
    static struct batch_of_rows rows;
    fill_scattered(rows.noise, BATCH * DIM, -2, 2, 1);
    fill_scattered(rows.target, BATCH * DIM, -2, 2, 2);
    fill_scattered(rows.t, BATCH, 0.05, 0.95, 3);
    for (int i = 0; i < BATCH * DIM; i++) {
        rows.noise[i] = noise_mean[i % DIM] + noise_std[i % DIM] * rows.noise[i];
        rows.target[i] = data_mean[i % DIM] + data_std[i % DIM] * rows.target[i];
    }
    return rows;
}

/* The loss of the prediction on the linear path. */
static double loss_in_double(const struct reference_net *net, int32_t prediction,
                             const struct batch_of_rows *rows)
{
    const struct moments k = moments_of(true);
    double sum = 0;
    for (int i = 0; i < BATCH; i++) {
        const double t = rows->t[i];
        double off[DIM], seen[DIM], q[DIM], out[DIM];
        for (int j = 0; j < DIM; j++) {
            const double y0 = ((double)rows->noise[i * DIM + j] - data_mean[j]) / data_std[j];
            const double y1 = ((double)rows->target[i * DIM + j] - data_mean[j]) / data_std[j];
            off[j] = t * y1 + (1 - t) * (y0 - k.a[j]);
            q[j] = t * t + (1 - t) * (1 - t) * k.b[j] * k.b[j];
            seen[j] = off[j] / sqrt(q[j] + 1e-6);
        }
        reference_net_forward(net, t, seen, out);
        for (int j = 0; j < DIM; j++) {
            const double y0 = ((double)rows->noise[i * DIM + j] - data_mean[j]) / data_std[j];
            const double y1 = ((double)rows->target[i * DIM + j] - data_mean[j]) / data_std[j];
            const double b = k.b[j], wanted[] = {y1 - y0, y1, y0};
            const double base[] = {-k.a[j] + (t - (1 - t) * b * b) / q[j] * off[j],
                                   t / q[j] * off[j], k.a[j] + (1 - t) * b * b / q[j] * off[j]};
            const double unit[] = {sqrt(1 + b * b), 1, b};
            sum += pow(base[prediction] + unit[prediction] * out[j] - wanted[prediction], 2);
        }
    }
    return sum / (BATCH * DIM);
}

static void gradients_match_central_differences(void **state)
{
    fmatch_source *noise = make_noise(context_of(state));
    const struct batch_of_rows rows = make_rows();
    for (int32_t prediction = 0; prediction < 3; prediction++) {
        fmatch_mlp_config config = base_config();
        config.noise = noise;
        config.prediction = prediction;
        config.output_init = FMATCH_OUTPUT_INIT_UNIFORM;
        fmatch_model *model = make_model(context_of(state), &config);
        struct reference_net net = reference_net_of(model, FMATCH_ACTIVATION_GELU, NULL, NULL);
        fmatch_trainer *trainer =
            make_trainer(model, make_adam(context_of(state), 1e-3), NULL, 1, 0);
        fmatch_batch batch = {sizeof batch, 0, BATCH, rows.target, rows.noise, rows.t, NULL, NULL};
        double loss;
        expect_ok(fmatch_trainer_evaluate_batch(trainer, &batch, &loss));
        const double wanted = loss_in_double(&net, prediction, &rows);
        expect_close(loss, wanted, 2e-5 * wanted, "loss of prediction %d", (int)prediction);
        float *gradient = read_gradient(trainer, model);
        double *differences = calloc((size_t)net.count, sizeof *differences), scale = 0;
        for (int64_t i = 0; i < net.count; i++) {
            const double kept = net.parameters[i], h = 1e-6;
            net.parameters[i] = kept + h;
            const double above = loss_in_double(&net, prediction, &rows);
            net.parameters[i] = kept - h;
            differences[i] = (above - loss_in_double(&net, prediction, &rows)) / (2 * h);
            net.parameters[i] = kept;
            scale = fmax(scale, fabs(differences[i]));
        }
        expect_that(scale > 1e-3, "the gradient vanishes (%g), the test shows nothing", scale);
        for (int64_t i = 0; i < net.count; i++)
            expect_close(gradient[i], differences[i], 2e-4 * scale,
                         "prediction %d, derivative %lld", (int)prediction, (long long)i);
        free(differences);
        free(gradient);
        free(net.parameters);
        fmatch_trainer_destroy(&trainer);
        fmatch_model_destroy(&model);
    }
    fmatch_source_destroy(&noise);
}

/* The loss of a batch is that of the model's own velocity, in standardised coordinates. */
static void training_and_evaluation_agree(void **state)
{
    fmatch_source *noise = make_noise(context_of(state));
    const struct batch_of_rows rows = make_rows();
    fmatch_mlp_config config = base_config();
    config.noise = noise;
    config.output_init = FMATCH_OUTPUT_INIT_UNIFORM;
    fmatch_model *model = make_model(context_of(state), &config);
    fmatch_trainer *trainer = make_trainer(model, make_adam(context_of(state), 1e-3), NULL, 1, 0);
    fmatch_batch batch = {sizeof batch, 0, BATCH, rows.target, rows.noise, rows.t, NULL, NULL};
    float x[BATCH * DIM], v[BATCH * DIM];
    for (int i = 0; i < BATCH * DIM; i++)
        x[i] = rows.t[i / DIM] * rows.target[i] + (1 - rows.t[i / DIM]) * rows.noise[i];
    expect_ok(fmatch_model_evaluate(model, BATCH, x, rows.t, NULL, v));
    double sum = 0, loss;
    for (int i = 0; i < BATCH * DIM; i++)
        sum += pow((v[i] - ((double)rows.target[i] - rows.noise[i])) / data_std[i % DIM], 2);
    expect_ok(fmatch_trainer_evaluate_batch(trainer, &batch, &loss));
    expect_close(loss, sum / (BATCH * DIM), 1e-5 * loss, "loss");
    fmatch_trainer_destroy(&trainer);
    fmatch_model_destroy(&model);
    fmatch_source_destroy(&noise);
}

/* ---- the same bits ---- */

static fmatch_context *make_context(int32_t threads)
{
    fmatch_context_config config;
    fmatch_context_config_init(&config);
    config.threads = threads;
    config.matmul = FMATCH_MATMUL_BUILTIN;
    fmatch_context *context;
    expect_ok(fmatch_context_create(&context, &config));
    return context;
}

enum { MANY = 1000 };

/* Trained for some steps, evaluated in pieces of so many rows. */
static void train_and_evaluate(int32_t threads, int64_t together, float *v)
{
    fmatch_context *context = make_context(threads);
    fmatch_source *noise = make_noise(context), *target;
    const float weights[] = {1, 1}, means[] = {30, 0, 0.02f, 50, -0.6f, 0.02f};
    const float stds[] = {3, 0.1f, 0.001f, 2, 0.2f, 0.001f};
    expect_ok(
        fmatch_source_create_gaussian_mixture(&target, context, DIM, 2, weights, means, stds));
    fmatch_mlp_config config = base_config();
    config.noise = noise;
    fmatch_model *model = make_model(context, &config);
    fmatch_trainer *trainer = make_trainer(model, make_adam(context, 1e-2), target, 300, 5);
    expect_ok(fmatch_trainer_run(trainer, 20, NULL));
    float *x = floats(MANY * DIM), *t = floats(MANY);
    fill_scattered(x, MANY * DIM, -1, 1, 4);
    fill_scattered(t, MANY, 0, 1, 5);
    for (int64_t i = 0; i < MANY; i += together) {
        const int64_t n = MANY - i < together ? MANY - i : together;
        expect_ok(fmatch_model_evaluate(model, n, x + i * DIM, t + i, NULL, v + i * DIM));
    }
    free(x);
    free(t);
    fmatch_trainer_destroy(&trainer);
    fmatch_model_destroy(&model);
    fmatch_source_destroy(&target);
    fmatch_source_destroy(&noise);
    fmatch_context_destroy(&context);
}

static void bits_depend_on_no_threads_and_no_batch(void **state)
{
    (void)state;
    static const struct {
        int32_t threads;
        int64_t together;
    } cases[] = {{2, MANY}, {8, MANY}, {1, 1}, {1, 65}, {2, 257}};
    float *wanted = floats(MANY * DIM), *seen = floats(MANY * DIM);
    train_and_evaluate(1, MANY, wanted);
    for (size_t i = 0; i < COUNT(cases); i++) {
        train_and_evaluate(cases[i].threads, cases[i].together, seen);
        expect_same_bits(seen, wanted, MANY * DIM, "%d threads, %lld rows together",
                         (int)cases[i].threads, (long long)cases[i].together);
    }
    free(seen);
    free(wanted);
}

static void expect_same_velocity(const fmatch_model *a, const fmatch_model *b, const char *what)
{
    float x[40 * DIM], t[40], v[40 * DIM], w[40 * DIM];
    fill_scattered(x, COUNT(x), -30, 30, 4);
    fill_scattered(t, COUNT(t), 0, 1, 5);
    expect_ok(fmatch_model_evaluate(a, COUNT(t), x, t, NULL, v));
    expect_ok(fmatch_model_evaluate(b, COUNT(t), x, t, NULL, w));
    expect_same_bits(v, w, COUNT(v), "%s", what);
}

static void copies_and_files_keep_it(void **state)
{
    static const float stds[DIM] = {12, 0, 0.001f};
    fmatch_source *noise = make_noise(context_of(state));
    fmatch_mlp_config config = base_config();
    config.noise = noise;
    config.data_std = stds;
    config.output_init = FMATCH_OUTPUT_INIT_UNIFORM;
    fmatch_model *model = make_model(context_of(state), &config), *copy, *loaded;
    fmatch_source_destroy(&noise);
    expect_ok(fmatch_model_create_copy(&copy, model));
    expect_same_velocity(model, copy, "copy");
    const char *temporary = getenv("TMPDIR");
    char path[3000];
    snprintf(path, sizeof path, "%s/flowmatch-XXXXXX", temporary ? temporary : "/tmp");
    const int descriptor = mkstemp(path);
    assert_true(descriptor >= 0);
    close(descriptor);
    expect_ok(fmatch_model_save(model, path));
    expect_ok(fmatch_model_load(&loaded, context_of(state), path));
    remove(path);
    expect_same_velocity(model, loaded, "file");
    fmatch_model_destroy(&loaded);
    fmatch_model_destroy(&copy);
    fmatch_model_destroy(&model);
}

/* ---- a user's schedule that fails ---- */

struct failing {
    _Atomic int64_t left; /* calls until it fails */
};

static int32_t failing_schedule(void *user, int64_t n, const double *t, double *alpha,
                                double *sigma, double *alpha_rate, double *sigma_rate)
{
    struct failing *f = user;
    if (--f->left < 0)
        return -7;
    return users_schedule(NULL, n, t, alpha, sigma, alpha_rate, sigma_rate);
}

static void a_failing_schedule_stops_the_call(void **state)
{
    struct failing f = {1 << 20};
    const fmatch_schedule_callbacks given = {
        .struct_size = sizeof given, .evaluate = failing_schedule, .user = &f};
    const fmatch_path_config path = {
        .struct_size = sizeof path, .kind = FMATCH_PATH_CALLBACK, .schedule = &given};
    fmatch_mlp_config config = base_config();
    config.path = &path;
    fmatch_model *model = make_model(context_of(state), &config);
    fmatch_source *target = make_noise(context_of(state));
    fmatch_trainer *trainer =
        make_trainer(model, make_adam(context_of(state), 1e-3), target, 200, 1);
    for (int64_t calls = 0; calls < 6; calls++) {
        f.left = calls;
        expect_status(fmatch_trainer_run(trainer, 3, NULL), FMATCH_ERROR_CALLBACK);
        assert_int_equal(fmatch_error_callback_code(), -7);
    }
    f.left = 1;
    const float x[65 * DIM] = {0}, t[65] = {0, 0.5f};
    float v[65 * DIM];
    expect_status(fmatch_model_evaluate(model, 65, x, t, NULL, v), FMATCH_ERROR_CALLBACK);
    f.left = 1 << 20;
    expect_ok(fmatch_trainer_run(trainer, 3, NULL));
    fmatch_trainer_destroy(&trainer);
    fmatch_source_destroy(&target);
    fmatch_model_destroy(&model);
}

/* ---- what is measured of data ---- */

static fmatch_source *make_array(fmatch_context *context, int64_t n, int32_t dim, const float *rows,
                                 int32_t condition_dim, const float *conditions)
{
    fmatch_array_config config;
    fmatch_array_config_init(&config);
    config.n = n;
    config.dim = dim;
    config.rows = rows;
    config.condition_dim = condition_dim;
    config.conditions = conditions;
    fmatch_source *source;
    expect_ok(fmatch_source_create_array(&source, context, &config));
    return source;
}

static void data_gives_dim_and_moments(void **state)
{
    float rows[50 * DIM], mean[DIM], std[DIM];
    fill_scattered(rows, COUNT(rows), -40, 90, 8);
    for (int i = 0; i < 50; i++)
        rows[i * DIM + 1] = 4;
    fmatch_source *data = make_array(context_of(state), 50, DIM, rows, 0, NULL);
    expect_ok(fmatch_source_evaluate_moments(data, mean, std));
    assert_true(std[1] == 0 && mean[1] == 4);
    fmatch_mlp_config config = base_config();
    config.output_init = FMATCH_OUTPUT_INIT_UNIFORM;
    config.data_mean = mean;
    config.data_std = std;
    fmatch_model *wanted = make_model(context_of(state), &config);
    config.dim = 0;
    config.data = data;
    config.data_mean = config.data_std = NULL;
    fmatch_model *model = make_model(context_of(state), &config);
    assert_int_equal(fmatch_model_get_dim(model), DIM);
    expect_same_velocity(model, wanted, "measured and given");
    fmatch_model_destroy(&model);
    config.data_std = data_std; /* what is given wins */
    config.data_mean = mean;
    model = make_model(context_of(state), &config);
    config.data = NULL;
    config.dim = DIM;
    fmatch_model *given = make_model(context_of(state), &config);
    expect_same_velocity(model, given, "given beside data");
    fmatch_model_destroy(&given);
    fmatch_model_destroy(&model);
    fmatch_model_destroy(&wanted);
    fmatch_source_destroy(&data);
}

static void data_of_another_shape_is_refused(void **state)
{
    const float rows[] = {1, 2, 3, 4}, conditions[] = {5, 6, 7, 8};
    fmatch_source *data = make_array(context_of(state), 2, 2, rows, 2, conditions);
    fmatch_mlp_config config = base_config();
    fmatch_model *model;
    config.data = data;
    expect_status(fmatch_model_create_mlp(&model, context_of(state), &config), FMATCH_ERROR_SHAPE);
    expect_detail("config->data", "2", "3");
    config.dim = 0;
    config.data_mean = config.data_std = NULL;
    config.condition_dim = 3;
    expect_status(fmatch_model_create_mlp(&model, context_of(state), &config), FMATCH_ERROR_SHAPE);
    expect_detail("config->data", "2", "condition_dim", "3");
    config.condition_dim = 2;
    config.baseline = 2;
    expect_status(fmatch_model_create_mlp(&model, context_of(state), &config),
                  FMATCH_ERROR_ARGUMENT);
    expect_detail("baseline", "2", "0", "1");
    config.baseline = FMATCH_BASELINE_GAUSSIAN;
    expect_ok(fmatch_model_create_mlp(&model, context_of(state), &config));
    fmatch_model_destroy(&model);
    config.dim = 0;
    config.data = NULL;
    expect_status(fmatch_model_create_mlp(&model, context_of(state), &config),
                  FMATCH_ERROR_ARGUMENT);
    fmatch_source_destroy(&data);
}

/* Columns of extreme size, one row, one row many times, and a spread below a float's resolution. */
static void extreme_data_is_learned_or_refused(void **state)
{
    enum { N = 64 };
    static float rows[6][N];
    for (int i = 0; i < N; i++) {
        const double u = (i * 37 % N) / (double)N - 0.5;
        rows[0][i] = (float)(1e30 * u);
        rows[1][i] = 1e30f;
        rows[2][i] = 5;
        rows[3][i] = (float)(1e6 + 1e-3 * u);
        rows[4][i] = (float)(1e6 + 0.2 * u);
        rows[5][i] = (float)(1e-42 * u);
    }
    static const int64_t counts[] = {1, N};
    for (int k = 0; k < 6; k++)
        for (size_t c = 0; c < COUNT(counts); c++)
            for (int32_t prediction = 0; prediction < 3; prediction++) {
                fmatch_source *data = make_array(context_of(state), counts[c], 1, rows[k], 0, NULL);
                fmatch_mlp_config config = base_config();
                config.dim = 0;
                config.data_mean = config.data_std = NULL;
                config.data = data;
                config.prediction = prediction;
                config.output_init = FMATCH_OUTPUT_INIT_UNIFORM;
                fmatch_model *model = make_model(context_of(state), &config);
                fmatch_trainer *trainer =
                    make_trainer(model, make_adam(context_of(state), 1e-3), data, 32, 1);
                double loss;
                expect_ok(fmatch_trainer_run(trainer, 20, NULL));
                expect_ok(fmatch_trainer_evaluate(trainer, 1, 256, &loss));
                expect_that(isfinite(loss) && loss < 10, "column %d: loss %g", k, loss);
                float x[200], mean, std;
                fmatch_sampler *sampler = make_sampler(model, FMATCH_SOLVER_MIDPOINT, 20, 0, 1);
                expect_ok(fmatch_sampler_draw(sampler, 7, 0, 200, NULL, x));
                expect_ok(fmatch_source_evaluate_moments(data, &mean, &std));
                for (int i = 0; i < 200; i++)
                    expect_close(x[i], mean, 8.0 * std + 1e-6 * fmax(fabs(mean), std == 0),
                                 "column %d of %lld rows, prediction %d", k, (long long)counts[c],
                                 (int)prediction);
                fmatch_sampler_destroy(&sampler);
                fmatch_trainer_destroy(&trainer);
                fmatch_model_destroy(&model);
                fmatch_source_destroy(&data);
            }
    const float largest[] = {3e38f, -3e38f};
    fmatch_source *data = make_array(context_of(state), 2, 1, largest, 0, NULL);
    fmatch_mlp_config config = base_config();
    fmatch_model *model;
    config.dim = 1;
    config.data_mean = config.data_std = NULL;
    config.data = data;
    expect_status(fmatch_model_create_mlp(&model, context_of(state), &config),
                  FMATCH_ERROR_ARGUMENT);
    expect_detail("data_std[0]", "3e+38");
    fmatch_source_destroy(&data);
    const float one = 1, far = 1e30f;
    expect_ok(
        fmatch_source_create_gaussian_mixture(&data, context_of(state), 1, 1, &one, &far, &far));
    config.data = NULL;
    config.noise = data;
    expect_status(fmatch_model_create_mlp(&model, context_of(state), &config),
                  FMATCH_ERROR_ARGUMENT);
    expect_detail("config->noise", "column 0", "1e+30", "1e+18");
    fmatch_source_destroy(&data);
}

/* ---- the warning ---- */

struct heard {
    int32_t messages;
    char last[512];
};

static void hear(void *user, int32_t level, const char *message)
{
    struct heard *heard = user;
    if (level != FMATCH_LOG_WARNING)
        return;
    heard->messages++;
    snprintf(heard->last, sizeof heard->last, "%s", message);
}

static int32_t draw_twelve(void *user, fmatch_random *random, int64_t first_row, int64_t n,
                           float *x)
{
    (void)random, (void)first_row;
    ++*(int32_t *)user;
    for (int64_t i = 0; i < n; i++)
        x[i] = 12;
    return 0;
}

static void make_and_destroy(fmatch_context *context, int32_t dim, const fmatch_source *target,
                             const fmatch_source *data)
{
    fmatch_mlp_config config;
    fmatch_mlp_config_init(&config);
    config.dim = dim;
    config.data = data;
    fmatch_model *model = make_model(context, &config);
    fmatch_trainer *trainer = make_trainer(model, make_adam(context, 1e-3), target, 32, 1);
    assert_string_equal(fmatch_error_detail(), "");
    fmatch_trainer_destroy(&trainer);
    fmatch_model_destroy(&model);
}

static void a_far_target_is_told_to_the_log(void **state)
{
    (void)state;
    struct heard heard = {0};
    fmatch_log_sink sink = {.struct_size = sizeof sink, .write = hear, .user = &heard};
    fmatch_context_config config;
    fmatch_context_config_init(&config);
    config.log = &sink;
    fmatch_context *context;
    expect_ok(fmatch_context_create(&context, &config));
    const struct {
        float mean[2], std[2];
        const char *column, *mean_text, *std_text; /* NULL: nothing is told */
    } cases[] = {
        {{0.5f, -9}, {0.2f, 9}, NULL, NULL, NULL},
        {{0.5f, -300}, {0.2f, 9}, "column 1", "-300", "9"},
        {{0.5f, 2}, {0.01f, 1}, "column 0", "0.5", "0.01"},
        {{0.5f, 2}, {1, 400}, "column 1", "2", "400"},
    };
    const float one = 1;
    for (size_t i = 0; i < COUNT(cases); i++) {
        fmatch_source *target;
        expect_ok(fmatch_source_create_gaussian_mixture(&target, context, 2, 1, &one, cases[i].mean,
                                                        cases[i].std));
        heard.messages = 0;
        make_and_destroy(context, 2, target, NULL);
        assert_int_equal(heard.messages, cases[i].column ? 1 : 0);
        if (cases[i].column)
            expect_that(strstr(heard.last, cases[i].column) &&
                            strstr(heard.last, cases[i].mean_text) &&
                            strstr(heard.last, cases[i].std_text) &&
                            strstr(heard.last, "set data, or data_mean and data_std"),
                        "%s", heard.last);
        make_and_destroy(context, 2, target, target);
        assert_int_equal(heard.messages, cases[i].column ? 1 : 0);
        fmatch_source_destroy(&target);
    }
    /* A user's function is not run for it. */
    int32_t draws = 0;
    const fmatch_source_callbacks twelve = {
        .struct_size = sizeof twelve, .draw = draw_twelve, .user = &draws};
    fmatch_source *target;
    expect_ok(fmatch_source_create_callback(&target, context, 1, &twelve));
    heard.messages = 0;
    make_and_destroy(context, 1, target, NULL);
    assert_int_equal(draws, 0);
    assert_int_equal(heard.messages, 0);
    fmatch_source_destroy(&target);
    fmatch_context_destroy(&context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        world_test(velocity_is_the_closed_form_before_training),
        world_test(samples_have_the_moments_of_the_data_before_training),
        world_test(a_constant_column_stays_constant),
        world_test(a_singular_end_does_not_throw_a_constant_away),
        world_test(nothing_is_infinite_at_the_ends),
        world_test(gradients_match_central_differences),
        world_test(training_and_evaluation_agree),
        world_test(bits_depend_on_no_threads_and_no_batch),
        world_test(copies_and_files_keep_it),
        world_test(a_failing_schedule_stops_the_call),
        world_test(data_gives_dim_and_moments),
        world_test(data_of_another_shape_is_refused),
        world_test(extreme_data_is_learned_or_refused),
        world_test(a_far_target_is_told_to_the_log),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
