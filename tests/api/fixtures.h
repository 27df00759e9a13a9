/* What the tests of the public interface share: expectations that say what they saw, an allocator
 * that keeps a ledger, and a network in double precision that shares no code with the library. */
#ifndef FLOWMATCH_TESTS_API_FIXTURES_H
#define FLOWMATCH_TESTS_API_FIXTURES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <flowmatch/flowmatch.h>

#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define PI           3.14159265358979323846

/* Statistical limits: a standard normal leaves [-Z, Z] with probability 1e-6. Seeds are fixed, so a
 * test that passes once always passes; the rate is the chance that a correct change of the
 * generator would trip it. */
#define FALSE_ALARM 1e-6
#define Z           4.8916

/* ---- expectations ---- */

#define expect_status(call, wanted) expect_status_at((call), (wanted), #call, __FILE__, __LINE__)
#define expect_ok(call)             expect_status(call, FMATCH_OK)

static inline void expect_status_at(fmatch_status seen, fmatch_status wanted, const char *call,
                                    const char *file, int line)
{
    if (seen == wanted)
        return;
    print_error("%s\n  gave %s (\"%s\") instead of %s\n", call, fmatch_status_get_name(seen),
                fmatch_error_detail(), fmatch_status_get_name(wanted));
    _fail(file, line);
}

/* The detail of the last failure contains each of the words. */
#define expect_detail(...)                                                                         \
    expect_detail_at((const char *const[]){__VA_ARGS__, NULL}, __FILE__, __LINE__)

static inline void expect_detail_at(const char *const *words, const char *file, int line)
{
    const char *detail = fmatch_error_detail();
    for (; *words; words++)
        if (!strstr(detail, *words)) {
            print_error("detail \"%s\" lacks \"%s\"\n", detail, *words);
            _fail(file, line);
        }
    if (strchr(detail, '\n')) {
        print_error("detail \"%s\" is not one line\n", detail);
        _fail(file, line);
    }
}

#define expect_that(condition, ...)                                                                \
    expect_that_at((condition), #condition, __FILE__, __LINE__, __VA_ARGS__)

__attribute__((format(printf, 5, 6))) static inline void expect_that_at(bool holds,
                                                                        const char *condition,
                                                                        const char *file, int line,
                                                                        const char *format, ...)
{
    if (holds)
        return;
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    print_error("%s does not hold: %s\n", condition, text);
    _fail(file, line);
}

/* |seen - wanted| <= tolerance; the format says where. */
#define expect_close(seen, wanted, tolerance, ...)                                                 \
    expect_close_at((seen), (wanted), (tolerance), __FILE__, __LINE__, __VA_ARGS__)

__attribute__((format(printf, 6, 7))) static inline void expect_close_at(double seen, double wanted,
                                                                         double tolerance,
                                                                         const char *file, int line,
                                                                         const char *format, ...)
{
    if (fabs(seen - wanted) <= tolerance)
        return;
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    print_error("%s: %.10g instead of %.10g (off by %.3g, allowed %.3g)\n", text, seen, wanted,
                seen - wanted, tolerance);
    _fail(file, line);
}

#define expect_same_bits(a, b, n, ...)                                                             \
    expect_same_bits_at((a), (b), (n), __FILE__, __LINE__, __VA_ARGS__)

__attribute__((format(printf, 6, 7))) static inline void
expect_same_bits_at(const float *a, const float *b, int64_t n, const char *file, int line,
                    const char *format, ...)
{
    if (n == 0 || memcmp(a, b, (size_t)n * sizeof *a) == 0)
        return;
    int64_t i = 0;
    while (memcmp(a + i, b + i, sizeof *a) == 0)
        i++;
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    print_error("%s: element %lld of %lld is %.9g (%a) here and %.9g (%a) there\n", text,
                (long long)i, (long long)n, a[i], a[i], b[i], b[i]);
    _fail(file, line);
}

/* ---- an allocator that keeps a ledger ---- */

struct ledger {
    _Atomic int64_t calls;      /* allocations asked for */
    _Atomic int64_t live;       /* blocks given and not taken back */
    _Atomic int64_t live_bytes; /* by the sizes given at alloc and at free */
    _Atomic int64_t fail_at;    /* the call that fails, counted from 1; 0: none */
    _Atomic bool fail_on;       /* every later call fails too */
    _Atomic int64_t violations; /* of the allocator's contract; each prints a line */
    _Atomic int64_t destroyed;
};

/* Sits before each block. */
struct ledger_entry {
    void *base;
    size_t size, align;
    uint64_t magic;
};

enum { LEDGER_GUARD = 16 };
#define LEDGER_MAGIC 0x66656c6c6f77736bull

static inline void ledger_complain(struct ledger *ledger, const char *what, size_t size,
                                   size_t align)
{
    print_error("allocator: %s (size %zu, align %zu)\n", what, size, align);
    ledger->violations++;
}

/* Blocks are aligned to `align` and to nothing more, come full of rubbish, and have a guard behind
 * them. */
static inline void *ledger_alloc(void *user, size_t size, size_t align)
{
    struct ledger *ledger = user;
    int64_t call = ++ledger->calls;
    if (size == 0)
        ledger_complain(ledger, "empty block asked for", size, align);
    if (align == 0 || align > 64 || (align & (align - 1)) != 0) {
        ledger_complain(ledger, "alignment is not a power of two up to 64", size, align);
        return NULL;
    }
    int64_t fail_at = ledger->fail_at;
    if (fail_at > 0 && (call == fail_at || (call > fail_at && ledger->fail_on)))
        return NULL;

    if (size > (size_t)1 << 33)
        return NULL;
    char *base = malloc(size + LEDGER_GUARD + sizeof(struct ledger_entry) + 256);
    if (!base)
        return NULL;
    uintptr_t place = (uintptr_t)base + sizeof(struct ledger_entry);
    place = (place + 127) / 128 * 128 + align;
    struct ledger_entry entry = {base, size, align, LEDGER_MAGIC};
    memcpy((char *)place - sizeof entry, &entry, sizeof entry);
    memset((char *)place, 0xA5, size + LEDGER_GUARD);
    ledger->live++;
    ledger->live_bytes += (int64_t)size;
    return (void *)place;
}

static inline void ledger_free(void *user, void *pointer, size_t size)
{
    struct ledger *ledger = user;
    if (!pointer) {
        ledger_complain(ledger, "free of NULL", size, 0);
        return;
    }
    struct ledger_entry entry;
    memcpy(&entry, (char *)pointer - sizeof entry, sizeof entry);
    if (entry.magic != LEDGER_MAGIC) {
        ledger_complain(ledger, "free of a pointer that was not given", size, 0);
        return;
    }
    if (entry.size != size)
        ledger_complain(ledger, "size at free differs from the size at alloc", size, entry.size);
    for (int i = 0; i < LEDGER_GUARD; i++)
        if (((unsigned char *)pointer)[entry.size + (size_t)i] != 0xA5) {
            ledger_complain(ledger, "written beyond the end", entry.size, entry.align);
            break;
        }
    ledger->live--;
    ledger->live_bytes -= (int64_t)size;
    entry.magic = 0;
    memcpy((char *)pointer - sizeof entry, &entry, sizeof entry);
    memset(pointer, 0xDD, entry.size);
    free(entry.base);
}

static inline void ledger_destroy(void *user)
{
    ((struct ledger *)user)->destroyed++;
}

static inline fmatch_allocator ledger_allocator(struct ledger *ledger)
{
    return (fmatch_allocator){sizeof(fmatch_allocator), 0,     ledger_alloc, ledger_free,
                              ledger_destroy,           ledger};
}

static inline void expect_balanced(struct ledger *ledger, const char *where)
{
    expect_that(ledger->live == 0 && ledger->live_bytes == 0 && ledger->violations == 0,
                "%s: %lld blocks and %lld bytes live, %lld violations", where,
                (long long)ledger->live, (long long)ledger->live_bytes,
                (long long)ledger->violations);
}

/* ---- what a run of the whole suite may force ---- */

static inline bool blas_is_there(void)
{
    fmatch_build_info info = {.struct_size = sizeof info};
    fmatch_build_get_info(&info);
    return info.blas_name[0] != '\0';
}

/* FLOWMATCH_TEST_MATMUL=builtin or blas, for every context that a test does not set otherwise. */
static inline int32_t forced_matmul(void)
{
    const char *name = getenv("FLOWMATCH_TEST_MATMUL");
    if (!name || strcmp(name, "auto") == 0)
        return FMATCH_MATMUL_AUTO;
    if (strcmp(name, "builtin") == 0)
        return FMATCH_MATMUL_BUILTIN;
    if (strcmp(name, "blas") == 0)
        return FMATCH_MATMUL_BLAS;
    print_error("FLOWMATCH_TEST_MATMUL is '%s'; it must be auto, builtin or blas\n", name);
    exit(1);
}

/* FLOWMATCH_TEST_THREADS=n, likewise. */
static inline int32_t forced_threads(void)
{
    const char *text = getenv("FLOWMATCH_TEST_THREADS");
    const int32_t threads = text ? (int32_t)strtol(text, NULL, 10) : 1;
    if (threads >= 1 && threads <= 1024)
        return threads;
    print_error("FLOWMATCH_TEST_THREADS is '%s'; it must be from 1 to 1024\n", text);
    exit(1);
}

/* Recommended values, but for what the run forces. */
static inline fmatch_context_config forced_context_config(void)
{
    fmatch_context_config config;
    fmatch_context_config_init(&config);
    config.matmul = forced_matmul();
    config.threads = forced_threads();
    return config;
}

/* ---- a context whose memory is watched, for every test ---- */

struct world {
    struct ledger ledger;
    fmatch_context *context;
};

static inline int world_setup(void **state)
{
    struct world *world = calloc(1, sizeof *world);
    fmatch_allocator allocator = ledger_allocator(&world->ledger);
    fmatch_context_config config = forced_context_config();
    config.allocator = &allocator;
    *state = world;
    return fmatch_context_create(&world->context, &config) == FMATCH_OK ? 0 : -1;
}

/* A test destroys the handles it made; whatever is left is a leak. */
static inline int world_teardown(void **state)
{
    struct world *world = *state;
    fmatch_context_destroy(&world->context);
    int balanced = world->ledger.live == 0 && world->ledger.live_bytes == 0 &&
                   world->ledger.violations == 0 && world->ledger.destroyed == 1;
    if (!balanced)
        print_error("at the end of the test %lld blocks and %lld bytes are live, the allocator was "
                    "destroyed %lld times\n",
                    (long long)world->ledger.live, (long long)world->ledger.live_bytes,
                    (long long)world->ledger.destroyed);
    else
        free(world); /* what is live would come back to it later */
    return balanced ? 0 : -1;
}

static inline fmatch_context *context_of(void **state)
{
    return ((struct world *)*state)->context;
}

#define world_test(test) cmocka_unit_test_setup_teardown(test, world_setup, world_teardown)

/* ---- small makers ---- */

static inline float *floats(int64_t n)
{
    return calloc((size_t)(n > 0 ? n : 1), sizeof(float));
}

static inline fmatch_source *make_normal(fmatch_context *context, int32_t dim)
{
    fmatch_source *source;
    expect_ok(fmatch_source_create_normal(&source, context, dim));
    return source;
}

/* The target of "Flow Matching: A visual introduction". */
static inline fmatch_source *make_post_target(fmatch_context *context)
{
    static const float weights[] = {0.55f, 0.45f}, means[] = {-0.85f, 1.5f},
                       stds[] = {0.65f, 0.25f};
    fmatch_source *source;
    expect_ok(fmatch_source_create_gaussian_mixture(&source, context, 1, 2, weights, means, stds));
    return source;
}

static inline fmatch_model *make_closed_form(fmatch_context *context, const fmatch_source *target)
{
    fmatch_model *model;
    expect_ok(fmatch_model_create_closed_form(&model, context, target));
    return model;
}

static inline fmatch_model *make_mlp(fmatch_context *context, int32_t dim, int32_t layers,
                                     int32_t width, int32_t activation, uint64_t seed)
{
    fmatch_mlp_config config;
    fmatch_mlp_config_init_preset(&config, FMATCH_PRESET_PLAIN);
    config.dim = dim;
    config.hidden_layers = layers;
    config.hidden_width = width;
    config.activation = activation;
    config.seed = seed;
    fmatch_model *model;
    expect_ok(fmatch_model_create_mlp(&model, context, &config));
    return model;
}

static inline fmatch_optimizer *make_adam(fmatch_context *context, double learning_rate)
{
    fmatch_adam_config config;
    fmatch_adam_config_init_preset(&config, FMATCH_PRESET_PLAIN);
    config.learning_rate = learning_rate;
    fmatch_optimizer *optimizer;
    expect_ok(fmatch_optimizer_create_adam(&optimizer, context, &config));
    return optimizer;
}

static inline fmatch_optimizer *make_sgd(fmatch_context *context, double learning_rate,
                                         double momentum)
{
    fmatch_sgd_config config;
    fmatch_sgd_config_init_preset(&config, FMATCH_PRESET_PLAIN);
    config.learning_rate = learning_rate;
    config.momentum = momentum;
    fmatch_optimizer *optimizer;
    expect_ok(fmatch_optimizer_create_sgd(&optimizer, context, &config));
    return optimizer;
}

/* The trainer keeps the optimizer. */
static inline fmatch_trainer *make_trainer(fmatch_model *model, fmatch_optimizer *optimizer,
                                           const fmatch_source *target, int32_t batch,
                                           uint64_t seed)
{
    fmatch_trainer_config config;
    fmatch_trainer_config_init_preset(&config, FMATCH_PRESET_PLAIN);
    config.batch = batch;
    config.seed = seed;
    fmatch_trainer *trainer;
    expect_ok(fmatch_trainer_create(&trainer, model, optimizer, target, &config));
    fmatch_optimizer_destroy(&optimizer);
    return trainer;
}

static inline fmatch_sampler *make_sampler(const fmatch_model *model, int32_t solver, int64_t steps,
                                           double t_start, double t_end)
{
    fmatch_sampler_config config;
    fmatch_sampler_config_init(&config);
    config.solver = solver;
    config.steps = steps;
    config.t_start = t_start;
    config.t_end = t_end;
    fmatch_sampler *sampler;
    expect_ok(fmatch_sampler_create(&sampler, model, &config));
    return sampler;
}

static inline fmatch_tensor_info tensor_info(const fmatch_model *model, int32_t index)
{
    fmatch_tensor_info info = {.struct_size = sizeof info};
    expect_ok(fmatch_model_get_tensor_info(model, index, &info));
    return info;
}

/* All parameters, tensor after tensor; the caller frees. */
static inline float *read_parameters(const fmatch_model *model, int64_t *count)
{
    *count = fmatch_model_count_parameters(model);
    float *values = floats(*count), *next = values;
    for (int32_t i = 0; i < fmatch_model_count_tensors(model); i++) {
        fmatch_tensor_info info = tensor_info(model, i);
        expect_ok(fmatch_model_get_tensor(model, info.name, info.shape[0] * info.shape[1], next));
        next += info.shape[0] * info.shape[1];
    }
    expect_that(next == values + *count, "tensors hold %lld values, count_parameters says %lld",
                (long long)(next - values), (long long)*count);
    return values;
}

static inline void write_parameters(fmatch_model *model, const float *values)
{
    for (int32_t i = 0; i < fmatch_model_count_tensors(model); i++) {
        fmatch_tensor_info info = tensor_info(model, i);
        expect_ok(fmatch_model_set_tensor(model, info.name, info.shape[0] * info.shape[1], values));
        values += info.shape[0] * info.shape[1];
    }
}

static inline void expect_same_parameters(const fmatch_model *a, const fmatch_model *b,
                                          const char *what)
{
    int64_t n, m;
    float *p = read_parameters(a, &n), *q = read_parameters(b, &m);
    assert_int_equal(n, m);
    expect_same_bits(p, q, n, "%s: parameters", what);
    free(p);
    free(q);
}

/* The gradient of the trainer's last batch, tensor after tensor; the caller frees. */
static inline float *read_gradient(const fmatch_trainer *trainer, const fmatch_model *model)
{
    float *values = floats(fmatch_model_count_parameters(model)), *next = values;
    for (int32_t i = 0; i < fmatch_model_count_tensors(model); i++) {
        fmatch_tensor_info info = tensor_info(model, i);
        expect_ok(
            fmatch_trainer_get_gradient(trainer, info.name, info.shape[0] * info.shape[1], next));
        next += info.shape[0] * info.shape[1];
    }
    return values;
}

/* Numbers for inputs, from a generator that is not the library's (SplitMix64). */
static inline double scatter(uint64_t *state)
{
    uint64_t z = (*state += 0x9E3779B97F4A7C15ull);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
    return (double)((z ^ (z >> 31)) >> 11) / 9007199254740992.0;
}

static inline void fill_scattered(float *values, int64_t n, double low, double high, uint64_t seed)
{
    for (int64_t i = 0; i < n; i++)
        values[i] = (float)(low + (high - low) * scatter(&seed));
}

/* ---- a network in double precision ---- */

struct reference_net {
    int32_t dim, activation, linears; /* linears: weight matrices */
    int32_t width[70];                /* of the input, the hidden layers and the output */
    int64_t count;
    double *parameters; /* tensor after tensor */
    double mean[64], std[64];
};

static inline double reference_activation(int32_t activation, double z)
{
    const double lambda = 1.0507009873554804934193349852946;
    const double alpha = 1.6732632423543772848170429916717;
    switch (activation) {
    case FMATCH_ACTIVATION_GELU:
        return 0.5 * z * erfc(-z / sqrt(2.0));
    case FMATCH_ACTIVATION_GELU_TANH:
        return 0.5 * z * (1.0 + tanh(sqrt(2.0 / PI) * (z + 0.044715 * z * z * z)));
    case FMATCH_ACTIVATION_RELU:
        return z > 0 ? z : 0;
    case FMATCH_ACTIVATION_SILU:
        return z / (1.0 + exp(-z));
    case FMATCH_ACTIVATION_TANH:
        return tanh(z);
    case FMATCH_ACTIVATION_ELU:
        return z > 0 ? z : expm1(z);
    case FMATCH_ACTIVATION_SELU:
        return lambda * (z > 0 ? z : alpha * expm1(z));
    case FMATCH_ACTIVATION_SOFTPLUS:
        return z > 0 ? z + log1p(exp(-z)) : log1p(exp(z));
    default:
        return NAN;
    }
}

static inline const char *activation_name(int32_t activation)
{
    static const char *const names[] = {"gelu", "gelu_tanh", "relu", "silu",
                                        "tanh", "elu",       "selu", "softplus"};
    return names[activation];
}

enum { ACTIVATIONS = 8 };

/* Copies the model's present parameters; dim at most 64. mean and std as in its configuration, or
 * NULL. */
static inline struct reference_net reference_net_of(const fmatch_model *model, int32_t activation,
                                                    const float *mean, const float *std)
{
    struct reference_net net = {.dim = fmatch_model_get_dim(model), .activation = activation};
    net.linears = fmatch_model_count_tensors(model) / 2;
    net.width[0] = net.dim + 1;
    for (int32_t l = 0; l < net.linears; l++)
        net.width[l + 1] = (int32_t)tensor_info(model, 2 * l).shape[0];
    for (int32_t j = 0; j < net.dim; j++) {
        net.mean[j] = mean ? mean[j] : 0;
        net.std[j] = std ? std[j] : 1;
    }
    float *values = read_parameters(model, &net.count);
    net.parameters = calloc((size_t)net.count, sizeof *net.parameters);
    for (int64_t i = 0; i < net.count; i++)
        net.parameters[i] = values[i];
    free(values);
    return net;
}

/* Output of the layers for one row [t, y] in standardised units. */
static inline void reference_net_forward(const struct reference_net *net, double t, const double *y,
                                         double *out)
{
    double a[1024], b[1024];
    a[0] = t;
    memcpy(a + 1, y, (size_t)net->dim * sizeof *y);
    const double *p = net->parameters;
    for (int32_t l = 0; l < net->linears; l++) {
        int32_t in = net->width[l], outs = net->width[l + 1];
        const double *bias = p + (int64_t)in * outs;
        for (int32_t o = 0; o < outs; o++) {
            double z = bias[o];
            for (int32_t i = 0; i < in; i++)
                z += p[(int64_t)o * in + i] * a[i];
            b[o] = l + 1 < net->linears ? reference_activation(net->activation, z) : z;
        }
        p = bias + outs;
        memcpy(a, b, (size_t)outs * sizeof *a);
    }
    memcpy(out, a, (size_t)net->dim * sizeof *out);
}

/* v(x, t) of one row in the units of the data. */
static inline void reference_net_velocity(const struct reference_net *net, double t, const float *x,
                                          double *v)
{
    double y[64];
    for (int32_t j = 0; j < net->dim; j++)
        y[j] = (x[j] - net->mean[j]) / net->std[j];
    reference_net_forward(net, t, y, v);
    for (int32_t j = 0; j < net->dim; j++)
        v[j] *= net->std[j];
}

/* The trainer's loss: mean square in standardised units. */
static inline double reference_net_loss(const struct reference_net *net, int64_t n,
                                        const float *noise, const float *target, const float *t)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++) {
        double y[64], u[64], v[64];
        for (int32_t j = 0; j < net->dim; j++) {
            double y0 = (noise[i * net->dim + j] - net->mean[j]) / net->std[j];
            double y1 = (target[i * net->dim + j] - net->mean[j]) / net->std[j];
            y[j] = (1.0 - t[i]) * y0 + t[i] * y1;
            u[j] = y1 - y0;
        }
        reference_net_forward(net, t[i], y, v);
        for (int32_t j = 0; j < net->dim; j++)
            sum += (v[j] - u[j]) * (v[j] - u[j]);
    }
    return sum / (double)(n * net->dim);
}

#endif
