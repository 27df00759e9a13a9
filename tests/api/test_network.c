/* Networks with time features, normalisation, residual blocks, activations of their own and
 * conditions, against one in double precision that shares no code with the library. */
#include "fixtures.h"

enum { LAYERS_MAX = 6, WIDTH_MAX = 64, DIM_MAX = 3, COLUMNS_MAX = 3, INPUT_MAX = 64 };

struct network {
    const char *name;
    int32_t dim, layers;
    int32_t widths[LAYERS_MAX], activations[LAYERS_MAX]; /* an fmatch_activation each */
    int32_t frequencies;                                 /* 0: t itself */
    int32_t residual, norm;
    int32_t condition; /* 0: none; 1: columns; 2: a label, two columns, the null condition */
    bool standardised; /* x and the condition's columns */
};

static const float mean3[] = {10, -0.5f, 3}, std3[] = {4, 0.25f, 1.5f};

static const struct network networks[] = {
    {.name = "norm", .dim = 2, .layers = 2, .widths = {16, 21}, .norm = 1},
    {.name = "norm of one",
     .dim = 1,
     .layers = 2,
     .widths = {1, 5},
     .activations = {4, 3},
     .norm = 1},
    {.name = "residual 1",
     .dim = 2,
     .layers = 3,
     .widths = {9, 9, 9},
     .residual = 1,
     .activations = {3, 3, 3}},
    {.name = "residual 2",
     .dim = 2,
     .layers = 5,
     .widths = {8, 5, 8, 7, 8},
     .residual = 2,
     .activations = {4, 4, 4, 4, 4}},
    {.name = "residual 3, open end",
     .dim = 1,
     .layers = 6,
     .widths = {6, 4, 5, 6, 3, 2},
     .residual = 3},
    {.name = "fourier 3", .dim = 2, .layers = 1, .widths = {12}, .frequencies = 3},
    {.name = "fourier 17", .dim = 1, .layers = 1, .widths = {5}, .frequencies = 17},
    {.name = "mixed activations",
     .dim = 3,
     .layers = 4,
     .widths = {7, 6, 9, 8},
     .activations = {0, 4, 7, 1}},
    {.name = "columns",
     .dim = 2,
     .layers = 1,
     .widths = {11},
     .condition = 1,
     .standardised = true},
    {.name = "everything",
     .dim = 3,
     .layers = 6,
     .widths = {33, 12, 33, 17, 33, 20},
     .activations = {3, 0, 4, 7, 1, 0},
     .frequencies = 4,
     .residual = 2,
     .norm = 1,
     .condition = 2,
     .standardised = true},
};

enum { CLASSES = 3, EMBEDDING = 2 };

static int32_t columns_of(const struct network *n)
{
    return n->condition == 0 ? 0 : n->condition == 1 ? 2 : 3;
}

static fmatch_mlp_config config_of(const struct network *n)
{
    fmatch_mlp_config c;
    fmatch_mlp_config_init_preset(&c, FMATCH_PRESET_PLAIN);
    c.dim = n->dim;
    c.hidden_layers = n->layers;
    c.hidden_widths = n->widths;
    c.activations = n->activations;
    c.time_features = n->frequencies > 0;
    c.time_frequencies = n->frequencies;
    c.residual_layers = n->residual;
    c.normalisation = n->norm;
    c.seed = 5;
    c.condition_dim = columns_of(n);
    c.classes = n->condition == 2 ? CLASSES : 0;
    c.embedding_dim = n->condition == 2 ? EMBEDDING : 0;
    c.null_condition = n->condition == 2;
    if (n->standardised) {
        c.data_mean = mean3;
        c.data_std = std3;
        c.condition_mean = mean3;
        c.condition_std = std3;
    }
    return c;
}

/* Parameters that are not those of the beginning, where gains are 1 and their biases 0. */
static fmatch_model *make_network(fmatch_context *context, const struct network *n)
{
    const fmatch_mlp_config config = config_of(n);
    fmatch_model *model;
    expect_ok(fmatch_model_create_mlp(&model, context, &config));
    int64_t count;
    float *values = read_parameters(model, &count), *change = floats(count);
    fill_scattered(change, count, -0.2, 0.2, 77);
    for (int64_t i = 0; i < count; i++)
        values[i] += change[i];
    write_parameters(model, values);
    free(change);
    free(values);
    return model;
}

/* ---- in double ---- */

struct reference {
    const struct network *network;
    int64_t count;
    double *parameters; /* tensor after tensor */
};

static struct reference reference_of(const struct network *n, const fmatch_model *model)
{
    struct reference r = {.network = n};
    float *values = read_parameters(model, &r.count);
    r.parameters = calloc((size_t)r.count, sizeof *r.parameters);
    for (int64_t i = 0; i < r.count; i++)
        r.parameters[i] = values[i];
    free(values);
    return r;
}

static double standard(const struct network *n, double value, int j)
{
    return n->standardised ? (value - mean3[j]) / std3[j] : value;
}

/* [t, y, condition] with the vectors that stand behind the layers. Returns the width. */
static int32_t reference_input(const struct network *n, const double *vectors, double t,
                               const double *y, const float *condition, double *input)
{
    int32_t k = 0;
    if (n->frequencies == 0)
        input[k++] = t;
    for (int32_t f = 1; f <= n->frequencies; f++) {
        input[k++] = cos(f * PI * t);
        input[k++] = sin(f * PI * t);
    }
    for (int32_t j = 0; j < n->dim; j++)
        input[k++] = y[j];
    const bool null = n->condition == 2 && isnan(condition[0]);
    const int32_t labels = n->condition == 2;
    for (int32_t j = 0; labels && j < EMBEDDING; j++)
        input[k++] = vectors[(null ? CLASSES : (int)condition[0]) * EMBEDDING + j];
    for (int32_t j = labels; j < columns_of(n); j++)
        input[k++] =
            null ? vectors[(CLASSES + 1) * EMBEDDING + j - 1] : standard(n, condition[j], j);
    return k;
}

static void reference_norm(int32_t width, const double *gain, double *z)
{
    double mean = 0, variance = 0;
    for (int32_t i = 0; i < width; i++)
        mean += z[i] / width;
    for (int32_t i = 0; i < width; i++)
        variance += (z[i] - mean) * (z[i] - mean) / width;
    for (int32_t i = 0; i < width; i++)
        z[i] = gain[i] * (z[i] - mean) / sqrt(variance + 1e-5) + gain[width + i];
}

/* z = W a + b; returns what is behind them. */
static const double *reference_linear(const double *p, int32_t in, int32_t out, const double *a,
                                      double *z)
{
    for (int32_t o = 0; o < out; o++) {
        z[o] = p[in * out + o];
        for (int32_t i = 0; i < in; i++)
            z[o] += p[o * in + i] * a[i];
    }
    return p + in * out + out;
}

/* The network's output for y in standardised units. */
static void reference_forward(const struct reference *r, double t, const double *y,
                              const float *condition, double *out)
{
    const struct network *n = r->network;
    double a[INPUT_MAX], h[LAYERS_MAX][WIDTH_MAX];
    const int64_t behind = n->condition == 2 ? (CLASSES + 1) * EMBEDDING + 2 : 0;
    const double *p = r->parameters, *from = a;
    int32_t in = reference_input(n, p + r->count - behind, t, y, condition, a);
    for (int32_t l = 0; l < n->layers; l++) {
        const int32_t width = n->widths[l];
        p = reference_linear(p, in, width, from, h[l]);
        if (n->norm) {
            reference_norm(width, p, h[l]);
            p += 2 * width;
        }
        for (int32_t i = 0; i < width; i++) {
            h[l][i] = reference_activation(n->activations[l], h[l][i]);
            if (n->residual > 0 && l > 0 && l % n->residual == 0)
                h[l][i] += h[l - n->residual][i];
        }
        from = h[l];
        in = width;
    }
    p = reference_linear(p, in, n->dim, from, out);
    assert_true(p + behind == r->parameters + r->count);
}

/* ---- rows ---- */

enum { ROWS = 70 };

struct rows {
    float noise[ROWS * DIM_MAX], target[ROWS * DIM_MAX], t[ROWS], condition[ROWS * COLUMNS_MAX];
};

static void fill_rows(const struct network *n, struct rows *rows)
{
    fill_scattered(rows->noise, ROWS * n->dim, -2, 2, 1);
    fill_scattered(rows->target, ROWS * n->dim, -2, 2, 2);
    fill_scattered(rows->t, ROWS, 0, 1, 3);
    rows->t[0] = 0;
    rows->t[1] = 1;
    const int32_t columns = columns_of(n);
    fill_scattered(rows->condition, (int64_t)ROWS * columns, -2, 2, 4);
    for (int64_t i = 0; n->standardised && i < ROWS * n->dim; i++) {
        rows->noise[i] = mean3[i % n->dim] + std3[i % n->dim] * rows->noise[i];
        rows->target[i] = mean3[i % n->dim] + std3[i % n->dim] * rows->target[i];
    }
    for (int i = 0; i < ROWS && n->condition == 2; i++)
        rows->condition[i * columns] = i % 4 == 3 ? NAN : (float)(i % 4);
}

static const float *condition_of(const struct network *n, const struct rows *rows, int64_t i)
{
    return n->condition ? rows->condition + i * columns_of(n) : NULL;
}

static double reference_loss(const struct reference *r, const struct rows *rows)
{
    const struct network *n = r->network;
    double sum = 0;
    for (int64_t i = 0; i < ROWS; i++) {
        double y[DIM_MAX], u[DIM_MAX], v[DIM_MAX];
        for (int32_t j = 0; j < n->dim; j++) {
            const double y0 = standard(n, rows->noise[i * n->dim + j], j);
            const double y1 = standard(n, rows->target[i * n->dim + j], j);
            y[j] = (1.0 - rows->t[i]) * y0 + rows->t[i] * y1;
            u[j] = y1 - y0;
        }
        reference_forward(r, rows->t[i], y, condition_of(n, rows, i), v);
        for (int32_t j = 0; j < n->dim; j++)
            sum += (v[j] - u[j]) * (v[j] - u[j]);
    }
    return sum / (ROWS * n->dim);
}

/* Sees conditions as they are given. */
static fmatch_trainer *make_faithful_trainer(fmatch_context *context, fmatch_model *model,
                                             double learning_rate)
{
    fmatch_trainer_config config;
    fmatch_trainer_config_init_preset(&config, FMATCH_PRESET_PLAIN);
    config.condition_dropout = 0;
    fmatch_optimizer *optimizer = make_adam(context, learning_rate);
    fmatch_trainer *trainer;
    expect_ok(fmatch_trainer_create(&trainer, model, optimizer, NULL, &config));
    fmatch_optimizer_destroy(&optimizer);
    return trainer;
}

/* ---- values and gradients ---- */

/* Products of a few dozen terms, each rounded at 6e-8 of the sum of their sizes, a few layers deep;
 * normalisation divides by deviations of about 0.3. */
static void velocities_match_double_precision(void **state)
{
    static struct rows rows;
    for (size_t k = 0; k < COUNT(networks); k++) {
        const struct network *n = &networks[k];
        fmatch_model *model = make_network(context_of(state), n);
        struct reference r = reference_of(n, model);
        fill_rows(n, &rows);
        float v[ROWS * DIM_MAX];
        expect_ok(
            fmatch_model_evaluate(model, ROWS, rows.noise, rows.t, condition_of(n, &rows, 0), v));
        for (int64_t i = 0; i < ROWS; i++) {
            double y[DIM_MAX], wanted[DIM_MAX];
            for (int32_t j = 0; j < n->dim; j++)
                y[j] = standard(n, rows.noise[i * n->dim + j], j);
            reference_forward(&r, rows.t[i], y, condition_of(n, &rows, i), wanted);
            for (int32_t j = 0; j < n->dim; j++) {
                const double std = n->standardised ? std3[j] : 1;
                expect_close(v[i * n->dim + j], std * wanted[j], 5e-6 * std, "%s, row %lld",
                             n->name, (long long)i);
            }
        }
        free(r.parameters);
        fmatch_model_destroy(&model);
    }
}

/* The trace of the reference's Jacobian by central differences, in standardised units, in which it
 * is the same. */
static double reference_divergence(const struct reference *r, double t, double *y,
                                   const float *condition)
{
    const double h = 1e-5;
    double sum = 0, above[DIM_MAX], below[DIM_MAX];
    for (int32_t j = 0; j < r->network->dim; j++) {
        const double kept = y[j];
        y[j] = kept + h;
        reference_forward(r, t, y, condition, above);
        y[j] = kept - h;
        reference_forward(r, t, y, condition, below);
        y[j] = kept;
        sum += (above[j] - below[j]) / (2 * h);
    }
    return sum;
}

static void divergences_match_double_precision(void **state)
{
    static struct rows rows;
    static double seen[ROWS], probed[ROWS], error[ROWS];
    fmatch_divergence_config probes;
    fmatch_divergence_config_init(&probes);
    probes.method = FMATCH_DIVERGENCE_HUTCHINSON;
    probes.probes = 400;
    for (size_t k = 0; k < COUNT(networks); k++) {
        const struct network *n = &networks[k];
        fmatch_model *model = make_network(context_of(state), n);
        struct reference r = reference_of(n, model);
        fill_rows(n, &rows);
        const float *condition = condition_of(n, &rows, 0);
        expect_ok(fmatch_model_evaluate_divergence(model, NULL, ROWS, rows.noise, rows.t, condition,
                                                   0, NULL, seen, NULL));
        expect_ok(fmatch_model_evaluate_divergence(model, &probes, ROWS, rows.noise, rows.t,
                                                   condition, 0, NULL, probed, error));
        for (int64_t i = 0; i < ROWS; i++) {
            double y[DIM_MAX];
            for (int32_t j = 0; j < n->dim; j++)
                y[j] = standard(n, rows.noise[i * n->dim + j], j);
            const double wanted = reference_divergence(&r, rows.t[i], y, condition_of(n, &rows, i));
            expect_close(seen[i], wanted, 1e-5 * fmax(1, fabs(wanted)), "%s, row %lld", n->name,
                         (long long)i);
            expect_close(probed[i], wanted, Z * error[i] + 1e-5, "%s, probes, row %lld", n->name,
                         (long long)i);
        }
        free(r.parameters);
        fmatch_model_destroy(&model);
    }
}

/* In double with step h: an error of h^2 / 6 of the third derivative plus 1e-16 / h. */
static double difference(struct reference *r, const struct rows *rows, int64_t i)
{
    const double kept = r->parameters[i], h = 1e-6;
    r->parameters[i] = kept + h;
    const double above = reference_loss(r, rows);
    r->parameters[i] = kept - h;
    const double below = reference_loss(r, rows);
    r->parameters[i] = kept;
    return (above - below) / (2 * h);
}

/* Relative to the largest element of the gradient: 2e-5, for sums over 70 rows in float. */
static void expect_gradient(fmatch_context *context, const struct network *n)
{
    static struct rows rows;
    fmatch_model *model = make_network(context, n);
    struct reference r = reference_of(n, model);
    fill_rows(n, &rows);
    fmatch_trainer *trainer = make_faithful_trainer(context, model, 1e-3);
    const fmatch_batch batch = {.struct_size = sizeof batch,
                                .n = ROWS,
                                .target = rows.target,
                                .noise = rows.noise,
                                .t = rows.t,
                                .condition = condition_of(n, &rows, 0)};
    double loss, scale = 0;
    expect_ok(fmatch_trainer_evaluate_batch(trainer, &batch, &loss));
    const double wanted_loss = reference_loss(&r, &rows);
    expect_close(loss, wanted_loss, 4e-6 * wanted_loss, "%s: loss", n->name);
    float *gradient = read_gradient(trainer, model);
    double *wanted = calloc((size_t)r.count, sizeof *wanted);
    for (int64_t i = 0; i < r.count; i++) {
        wanted[i] = difference(&r, &rows, i);
        scale = fmax(scale, fabs(wanted[i]));
    }
    for (int64_t i = 0; i < r.count; i++)
        expect_close(gradient[i], wanted[i], 2e-5 * scale, "%s: derivative %lld of %lld", n->name,
                     (long long)i, (long long)r.count);
    expect_that(scale > 1e-2, "%s: the gradient vanishes (%g)", n->name, scale);
    free(wanted);
    free(gradient);
    free(r.parameters);
    fmatch_trainer_destroy(&trainer);
    fmatch_model_destroy(&model);
}

static void gradients_match_central_differences(void **state)
{
    for (size_t k = 0; k < COUNT(networks); k++)
        expect_gradient(context_of(state), &networks[k]);
}

/* With noise and data the same row, u is 0 and the loss the square of the output's one column, the
 * root of which in double is exactly its size. The value of GELU is another polynomial where no
 * derivative is asked for. */
static void training_sees_what_evaluation_gives(void **state)
{
    struct network n = networks[COUNT(networks) - 1];
    n.dim = 1;
    n.standardised = false;
    for (int l = 0; l < n.layers; l++)
        if (n.activations[l] == FMATCH_ACTIVATION_GELU)
            n.activations[l] = FMATCH_ACTIVATION_SELU;
    fmatch_model *model = make_network(context_of(state), &n);
    fmatch_trainer *trainer = make_faithful_trainer(context_of(state), model, 1e-3);
    static const float conditions[] = {0, 1, -2, NAN, 0, 0, 2, 0.5f, 0.25f};
    for (int i = 0; i < 30; i++) {
        const float x = (float)(i - 15) / 8, t = (float)(i % 5) / 4,
                    *condition = conditions + 3 * (i % 3);
        const fmatch_batch batch = {.struct_size = sizeof batch,
                                    .n = 1,
                                    .target = &x,
                                    .noise = &x,
                                    .t = &t,
                                    .condition = condition};
        double loss;
        float v;
        expect_ok(fmatch_trainer_evaluate_batch(trainer, &batch, &loss));
        expect_ok(fmatch_model_evaluate(model, 1, &x, &t, condition, &v));
        const float trained = (float)sqrt(loss), evaluated = fabsf(v);
        if (forced_matmul() != FMATCH_MATMUL_BLAS)
            expect_same_bits(&trained, &evaluated, 1, "x %g, t %g", x, t);
    }
    fmatch_trainer_destroy(&trainer);
    fmatch_model_destroy(&model);
}

/* ---- bits ---- */

static fmatch_context *context_with(int32_t threads)
{
    fmatch_context_config config = forced_context_config();
    config.threads = threads;
    fmatch_context *context;
    expect_ok(fmatch_context_create(&context, &config));
    return context;
}

/* Rows of a large batch, one at a time and in other company. */
static void rows_are_independent_of_the_batch(void **state)
{
    enum { MANY = 600 };
    const struct network *n = &networks[COUNT(networks) - 1];
    float *x = floats(MANY * n->dim), *t = floats(MANY), *condition = floats(MANY * 3),
          *v = floats(MANY * n->dim), alone[DIM_MAX * 7];
    fill_scattered(x, MANY * n->dim, -3, 3, 1);
    fill_scattered(t, MANY, 0, 1, 2);
    fill_scattered(condition, MANY * 3, -1, 1, 3);
    for (int i = 0; i < MANY; i++)
        condition[3 * i] = i % 4 == 3 ? NAN : (float)(i % 4);
    (void)state;
    float *first = NULL;
    for (int32_t threads = 1; threads <= 3; threads++) {
        fmatch_context *context = context_with(threads);
        fmatch_model *model = make_network(context, n);
        expect_ok(fmatch_model_evaluate(model, MANY, x, t, condition, v));
        for (int64_t i = 0; i < MANY && forced_matmul() != FMATCH_MATMUL_BLAS; i += 7) {
            const int64_t rows = 1 + i % 5;
            expect_ok(fmatch_model_evaluate(model, rows, x + i * n->dim, t + i, condition + 3 * i,
                                            alone));
            expect_same_bits(alone, v + i * n->dim, rows * n->dim, "row %lld", (long long)i);
        }
        if (first)
            expect_same_bits(v, first, MANY * n->dim, "%d threads", (int)threads);
        else
            first = memcpy(floats(MANY * n->dim), v, (size_t)(MANY * n->dim) * sizeof *v);
        fmatch_model_destroy(&model);
        fmatch_context_destroy(&context);
    }
    free(first);
    free(x);
    free(t);
    free(condition);
    free(v);
}

/* Steps on a batch of several shards, by each product. */
static float *train_with(int32_t threads, int32_t matmul, int64_t *count)
{
    enum { MANY = 400 };
    const struct network *n = &networks[COUNT(networks) - 1];
    float x[MANY * DIM_MAX], condition[MANY * 3];
    fill_scattered(x, MANY * n->dim, -3, 3, 1);
    fill_scattered(condition, MANY * 3, -1, 1, 3);
    for (int i = 0; i < MANY; i++)
        condition[3 * i] = i % 4 == 3 ? NAN : (float)(i % 4);
    fmatch_context_config config;
    fmatch_context_config_init(&config);
    config.threads = threads;
    config.matmul = matmul;
    fmatch_context *context;
    expect_ok(fmatch_context_create(&context, &config));
    fmatch_model *model = make_network(context, n);
    fmatch_trainer *trainer = make_trainer(model, make_adam(context, 1e-2), NULL, 1, 3);
    const fmatch_batch batch = {
        .struct_size = sizeof batch, .n = MANY, .target = x, .condition = condition};
    for (int step = 0; step < 5; step++)
        expect_ok(fmatch_trainer_run_batch(trainer, &batch, NULL));
    float *parameters = read_parameters(model, count);
    fmatch_trainer_destroy(&trainer);
    fmatch_model_destroy(&model);
    fmatch_context_destroy(&context);
    return parameters;
}

static void training_is_independent_of_threads(void **state)
{
    (void)state;
    const int32_t last = blas_is_there() ? FMATCH_MATMUL_BLAS : FMATCH_MATMUL_BUILTIN;
    for (int32_t matmul = FMATCH_MATMUL_BUILTIN; matmul <= last; matmul++) {
        int64_t n;
        float *one = train_with(1, matmul, &n);
        for (int32_t threads = 2; threads <= 3; threads++) {
            float *more = train_with(threads, matmul, &n);
            expect_same_bits(more, one, n, "matmul %d, %d threads", (int)matmul, (int)threads);
            free(more);
        }
        free(one);
    }
}

/* ---- what each setting means ---- */

static void ends_of_time_differ(void **state)
{
    fmatch_mlp_config config;
    fmatch_mlp_config_init_preset(&config, FMATCH_PRESET_PLAIN);
    config.dim = 1;
    config.hidden_layers = 0;
    config.time_features = FMATCH_TIME_FEATURES_FOURIER;
    fmatch_model *model;
    expect_ok(fmatch_model_create_mlp(&model, context_of(state), &config));
    const fmatch_tensor_info info = tensor_info(model, 0);
    assert_int_equal(info.shape[1], 2 * 3 + 1); /* three frequencies, and x */
    const float w[] = {1, 10, 100, 1000, 1e4f, 1e5f, 0}, bias = 0;
    expect_ok(fmatch_model_set_tensor(model, "net.0.weight", 7, w));
    expect_ok(fmatch_model_set_tensor(model, "net.0.bias", 1, &bias));
    const float t[] = {0, 1, 0.5f}, x[] = {0, 0, 0};
    float v[3];
    expect_ok(fmatch_model_evaluate(model, 3, x, t, NULL, v));
    /* cosines 1, 1, 1; -1, 1, -1; 0, -1, 0 and sines 1, 0, -1 */
    expect_close(v[0], 1 + 100 + 1e4, 0.05, "t = 0");
    expect_close(v[1], -1 + 100 - 1e4, 0.05, "t = 1");
    expect_close(v[2], -100 + 10 - 1e5, 0.05, "t = 0.5");
    fmatch_model_destroy(&model);
}

static void beginnings_are_as_documented(void **state)
{
    struct network n = networks[COUNT(networks) - 1];
    fmatch_mlp_config config = config_of(&n);
    fmatch_model *plain, *model;
    config.normalisation = FMATCH_NORMALISATION_NONE;
    expect_ok(fmatch_model_create_mlp(&plain, context_of(state), &config));
    config.normalisation = FMATCH_NORMALISATION_LAYER;
    config.output_init = FMATCH_OUTPUT_INIT_ZERO;
    expect_ok(fmatch_model_create_mlp(&model, context_of(state), &config));
    for (int32_t l = 0; l < n.layers; l++) {
        float w[2][WIDTH_MAX * INPUT_MAX], gain[WIDTH_MAX], bias[WIDTH_MAX];
        char name[32], other[32];
        const int64_t count =
            tensor_info(plain, 2 * l).shape[0] * tensor_info(plain, 2 * l).shape[1];
        snprintf(name, sizeof name, "net.%d.weight", (int)(3 * l));
        snprintf(other, sizeof other, "net.%d.weight", (int)(2 * l));
        expect_ok(fmatch_model_get_tensor(model, name, count, w[0]));
        expect_ok(fmatch_model_get_tensor(plain, other, count, w[1]));
        expect_same_bits(w[0], w[1], count, "%s", name);
        snprintf(name, sizeof name, "net.%d.weight", (int)(3 * l + 1));
        snprintf(other, sizeof other, "net.%d.bias", (int)(3 * l + 1));
        expect_ok(fmatch_model_get_tensor(model, name, n.widths[l], gain));
        expect_ok(fmatch_model_get_tensor(model, other, n.widths[l], bias));
        for (int32_t i = 0; i < n.widths[l]; i++)
            expect_that(gain[i] == 1 && bias[i] == 0, "%s[%d] is %g, its bias %g", name, (int)i,
                        gain[i], bias[i]);
    }
    const float x[] = {1, 2, 3}, t[] = {0.5f}, condition[] = {1, 0.5f, 2};
    float v[3];
    expect_ok(fmatch_model_evaluate(model, 1, x, t, condition, v));
    expect_that(v[0] == 0 && v[1] == 0 && v[2] == 0, "v is %g, %g, %g", v[0], v[1], v[2]);
    fmatch_model_destroy(&model);
    fmatch_model_destroy(&plain);
}

static void names_count_the_modules_of_pytorch(void **state)
{
    static const char *const names[] = {"net.0.weight", "net.0.bias",       "net.1.weight",
                                        "net.1.bias",   "net.3.weight",     "net.3.bias",
                                        "net.4.weight", "net.4.bias",       "net.6.weight",
                                        "net.6.bias",   "embedding.weight", "null_condition"};
    struct network n = networks[COUNT(networks) - 1];
    n.layers = 2;
    n.residual = 0;
    fmatch_model *model = make_network(context_of(state), &n);
    assert_int_equal(fmatch_model_count_tensors(model), COUNT(names));
    for (size_t i = 0; i < COUNT(names); i++)
        assert_string_equal(tensor_info(model, (int32_t)i).name, names[i]);
    fmatch_model_destroy(&model);
}

static void copies_keep_the_network(void **state)
{
    static struct rows rows;
    const struct network *n = &networks[COUNT(networks) - 1];
    fmatch_model *model = make_network(context_of(state), n), *copy;
    fill_rows(n, &rows);
    float v[ROWS * DIM_MAX], again[ROWS * DIM_MAX];
    expect_ok(fmatch_model_evaluate(model, ROWS, rows.noise, rows.t, rows.condition, v));
    expect_ok(fmatch_model_create_copy(&copy, model));
    fmatch_model_destroy(&model); /* and with it the arrays that it holds */
    expect_ok(fmatch_model_evaluate(copy, ROWS, rows.noise, rows.t, rows.condition, again));
    expect_same_bits(v, again, ROWS * n->dim, "copy");
    fmatch_model_destroy(&copy);
}

/* ---- refusals ---- */

static void expect_config_refused(void **state, const fmatch_mlp_config *config,
                                  fmatch_status wanted, const char *word, const char *value)
{
    fmatch_model *model;
    expect_status(fmatch_model_create_mlp(&model, context_of(state), config), wanted);
    assert_null(model);
    expect_detail(word, value);
}

static void impossible_networks_are_refused(void **state)
{
    const struct network *n = &networks[COUNT(networks) - 1];
    static const struct {
        size_t offset;
        int32_t value;
        const char *word, *text;
    } cases[] = {
        {offsetof(fmatch_mlp_config, time_features), 2, "config->time_features is 2", "0 and 1"},
        {offsetof(fmatch_mlp_config, time_features), -1, "config->time_features is -1", "0 and 1"},
        {offsetof(fmatch_mlp_config, time_features), 0, "config->time_frequencies is 4", "RAW"},
        {offsetof(fmatch_mlp_config, time_frequencies), 65, "config->time_frequencies is 65", "64"},
        {offsetof(fmatch_mlp_config, time_frequencies), -1, "config->time_frequencies", "-1"},
        {offsetof(fmatch_mlp_config, residual_layers), 65, "config->residual_layers is 65", "64"},
        {offsetof(fmatch_mlp_config, residual_layers), -1, "config->residual_layers is -1", "64"},
        {offsetof(fmatch_mlp_config, residual_layers), 1, "config->hidden_widths[0] is 33",
         "config->hidden_widths[1] is 12"},
        {offsetof(fmatch_mlp_config, residual_layers), 5, "config->hidden_widths[0] is 33",
         "config->hidden_widths[5] is 20"},
        {offsetof(fmatch_mlp_config, normalisation), 2, "config->normalisation is 2", "0 and 1"},
        {offsetof(fmatch_mlp_config, output_init), 2, "config->output_init is 2", "0 and 1"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        fmatch_mlp_config config = config_of(n);
        memcpy((char *)&config + cases[i].offset, &cases[i].value, sizeof(int32_t));
        expect_config_refused(state, &config, FMATCH_ERROR_ARGUMENT, cases[i].word, cases[i].text);
    }
    fmatch_mlp_config config = config_of(n);
    const int32_t activations[] = {0, 1, 2, 8, 1, 1}, below[] = {0, -1, 2, 3, 1, 1};
    config.activations = activations;
    expect_config_refused(state, &config, FMATCH_ERROR_ARGUMENT, "config->activations[3] is 8",
                          "7");
    config.activations = below;
    expect_config_refused(state, &config, FMATCH_ERROR_ARGUMENT, "config->activations[1]", "-1");
}

/* A label has no mean, whatever stands in its place. */
static void impossible_conditions_are_refused(void **state)
{
    const struct network *n = &networks[COUNT(networks) - 1];
    fmatch_mlp_config config = config_of(n);
    const float zero[] = {1, 1, 0}, not [] = {0, NAN, 0}, infinite[] = {1, 1, INFINITY};
    config.condition_std = zero;
    expect_config_refused(state, &config, FMATCH_ERROR_ARGUMENT, "config->condition_std[2] is 0",
                          "above 0");
    config.condition_std = infinite;
    expect_config_refused(state, &config, FMATCH_ERROR_NOT_FINITE, "config->condition_std[2]",
                          "inf");
    config.condition_std = std3;
    config.condition_mean = not ;
    expect_config_refused(state, &config, FMATCH_ERROR_NOT_FINITE, "config->condition_mean[1]",
                          "nan");
    const float label_mean[] = {NAN, 0, 0}, label_std[] = {0, 1, 1};
    config.condition_mean = label_mean;
    config.condition_std = label_std;
    fmatch_model *model;
    expect_ok(fmatch_model_create_mlp(&model, context_of(state), &config));
    fmatch_model_destroy(&model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        world_test(velocities_match_double_precision),
        world_test(divergences_match_double_precision),
        world_test(gradients_match_central_differences),
        world_test(training_sees_what_evaluation_gives),
        world_test(rows_are_independent_of_the_batch),
        world_test(training_is_independent_of_threads),
        world_test(ends_of_time_differ),
        world_test(beginnings_are_as_documented),
        world_test(names_count_the_modules_of_pytorch),
        world_test(copies_keep_the_network),
        world_test(impossible_networks_are_refused),
        world_test(impossible_conditions_are_refused),
    };
    return cmocka_run_group_tests_name("network", tests, NULL, NULL);
}
