/* Models on disk: what is saved comes back with the same bits; states of PyTorch load; whatever
 * else a file holds is refused, and whatever happens while saving, the former file stays whole. */
#include "fixtures.h"

#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* ---- a folder for every test ---- */

static char folder[3000], path[4000];

static int folder_setup(void **state)
{
    const char *temporary = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/flowmatch-XXXXXX", temporary ? temporary : "/tmp");
    if (!mkdtemp(folder))
        return -1;
    snprintf(path, sizeof path, "%s/model.safetensors", folder);
    return world_setup(state);
}

/* Removes everything in the folder but folders; the number of files that a save left beside. */
static int empty_folder(void)
{
    int left = 0;
    DIR *entries = opendir(folder);
    if (!entries)
        return -1;
    for (struct dirent *e = readdir(entries); e; e = readdir(entries)) {
        char name[4000];
        snprintf(name, sizeof name, "%s/%.255s", folder, e->d_name);
        const size_t length = strlen(e->d_name);
        left += length > 4 && strcmp(e->d_name + length - 4, ".new") == 0;
        (void)remove(name);
    }
    closedir(entries);
    return left;
}

static int folder_teardown(void **state)
{
    const int left = empty_folder();
    if (left != 0)
        print_error("%d temporary files were left\n", left);
    (void)rmdir(folder);
    return world_teardown(state) != 0 || left != 0 ? -1 : 0;
}

#define folder_test(test) cmocka_unit_test_setup_teardown(test, folder_setup, folder_teardown)

/* ---- models of every kind that can be saved ---- */

enum noise { NOISE_DEFAULT, NOISE_NORMAL, NOISE_MIXTURE, NOISES };
static const char *const noise_names[] = {"default", "standard_normal", "gaussian_mixture"};

struct spec {
    int32_t dim, layers, widths[6], activation;
    bool standardised;
    enum noise noise;
};

static fmatch_source *make_noise(fmatch_context *context, int32_t dim, enum noise noise)
{
    enum { COMPONENTS = 3 };
    static const float weights[COMPONENTS] = {3.0f, 0.7f, 1.3f}; /* do not sum to one */
    float means[COMPONENTS * 64], stds[COMPONENTS * 64];
    fmatch_source *source = NULL;
    if (noise == NOISE_NORMAL)
        return make_normal(context, dim);
    if (noise == NOISE_MIXTURE) {
        fill_scattered(means, (int64_t)COMPONENTS * dim, -2, 2, 11);
        fill_scattered(stds, (int64_t)COMPONENTS * dim, 0.1, 1, 12);
        expect_ok(fmatch_source_create_gaussian_mixture(&source, context, dim, COMPONENTS, weights,
                                                        means, stds));
    }
    return source;
}

static fmatch_model *make_model(fmatch_context *context, const struct spec *spec, uint64_t seed)
{
    float mean[64], std[64];
    fill_scattered(mean, spec->dim, -3, 3, 21);
    fill_scattered(std, spec->dim, 0.2, 4, 22);
    fmatch_source *noise = make_noise(context, spec->dim, spec->noise);
    fmatch_mlp_config config;
    fmatch_mlp_config_init_preset(&config, FMATCH_PRESET_PLAIN);
    config.dim = spec->dim;
    config.hidden_layers = spec->layers;
    config.hidden_widths = spec->widths;
    config.activation = spec->activation;
    config.seed = seed;
    config.noise = noise;
    if (spec->standardised) {
        config.data_mean = mean;
        config.data_std = std;
    }
    fmatch_model *model;
    expect_ok(fmatch_model_create_mlp(&model, context, &config));
    fmatch_source_destroy(&noise);
    return model;
}

/* A bias with values that a conversion to text and back, or through arithmetic, may lose. */
static void set_delicate_bias(fmatch_model *model)
{
    static const float delicate[] = {-0.0f, 1e-41f, 0.1f, -1.17549449e-38f, 16777217.0f};
    const int64_t count = tensor_info(model, 1).shape[0];
    float values[64];
    for (int64_t i = 0; i < count; i++)
        values[i] = delicate[i % (int64_t)COUNT(delicate)];
    expect_ok(fmatch_model_set_tensor(model, "net.0.bias", count, values));
}

/* ---- the same model ---- */

static void expect_same_tensors(const fmatch_model *a, const fmatch_model *b, const char *what)
{
    expect_that(fmatch_model_count_tensors(a) == fmatch_model_count_tensors(b),
                "%s: %d and %d tensors", what, (int)fmatch_model_count_tensors(a),
                (int)fmatch_model_count_tensors(b));
    for (int32_t i = 0; i < fmatch_model_count_tensors(a); i++) {
        const fmatch_tensor_info p = tensor_info(a, i), q = tensor_info(b, i);
        expect_that(strcmp(p.name, q.name) == 0 && p.rank == q.rank && p.shape[0] == q.shape[0] &&
                        p.shape[1] == q.shape[1],
                    "%s: tensor %d is %s and %s", what, (int)i, p.name, q.name);
    }
    expect_same_parameters(a, b, what);
}

static void expect_same_draws(const fmatch_model *a, const fmatch_model *b, const char *what)
{
    enum { ROWS = 29 };
    const int64_t count = (int64_t)ROWS * fmatch_model_get_dim(a);
    float *x = floats(count), *y = floats(count);
    fmatch_sampler *p = make_sampler(a, FMATCH_SOLVER_HEUN, 3, 0, 1);
    fmatch_sampler *q = make_sampler(b, FMATCH_SOLVER_HEUN, 3, 0, 1);
    expect_ok(fmatch_sampler_draw(p, 9, 4, ROWS, NULL, x));
    expect_ok(fmatch_sampler_draw(q, 9, 4, ROWS, NULL, y));
    expect_same_bits(x, y, count, "%s: samples", what);
    fmatch_sampler_destroy(&q);
    fmatch_sampler_destroy(&p);
    free(y);
    free(x);
}

static void expect_same_model(const fmatch_model *a, const fmatch_model *b, const char *what)
{
    enum { ROWS = 37 };
    const int32_t dim = fmatch_model_get_dim(a);
    expect_that(fmatch_model_get_dim(b) == dim, "%s: dim %d and %d", what, (int)dim,
                (int)fmatch_model_get_dim(b));
    expect_same_tensors(a, b, what);
    float *x = floats((int64_t)ROWS * dim), *v = floats((int64_t)ROWS * dim), t[ROWS];
    fill_scattered(x, (int64_t)ROWS * dim, -3, 3, 31);
    fill_scattered(t, ROWS, 0, 1, 32);
    expect_ok(fmatch_model_evaluate(a, ROWS, x, t, NULL, v));
    expect_ok(fmatch_model_evaluate(b, ROWS, x, t, NULL, x));
    expect_same_bits(v, x, (int64_t)ROWS * dim, "%s: velocity", what);
    free(v);
    free(x);
    expect_same_draws(a, b, what);
}

static fmatch_model *load_model(fmatch_context *context)
{
    fmatch_model *model;
    expect_ok(fmatch_model_load(&model, context, path));
    return model;
}

/* ---- files as bytes, read and written without the library ---- */

enum { LENGTH_SIZE = 8, IMAGE_MAX = 1 << 17 };

struct image {
    size_t size;
    unsigned char bytes[IMAGE_MAX];
};

static void write_image(const struct image *image)
{
    FILE *stream = fopen(path, "wb");
    assert_non_null(stream);
    assert_int_equal(fwrite(image->bytes, 1, image->size, stream), image->size);
    assert_int_equal(fclose(stream), 0);
}

static void read_image(struct image *image)
{
    FILE *stream = fopen(path, "rb");
    expect_that(stream != NULL, "%s: %s", path, strerror(errno));
    image->size = fread(image->bytes, 1, IMAGE_MAX, stream);
    assert_int_equal(fclose(stream), 0);
    assert_in_range(image->size, LENGTH_SIZE, IMAGE_MAX - 1);
}

static void expect_same_image(const struct image *a, const struct image *b, const char *what)
{
    size_t i = 0;
    while (i < a->size && i < b->size && a->bytes[i] == b->bytes[i])
        i++;
    expect_that(i == a->size && i == b->size, "%s: %zu and %zu bytes, the same up to %zu", what,
                a->size, b->size, i);
}

static size_t header_size(const struct image *image)
{
    size_t size = 0;
    for (int i = LENGTH_SIZE - 1; i >= 0; i--)
        size = size << 8 | image->bytes[i];
    expect_that(size <= image->size - LENGTH_SIZE, "header of %zu bytes in %zu", size, image->size);
    return size;
}

static const unsigned char *data_of(const struct image *image)
{
    return image->bytes + LENGTH_SIZE + header_size(image);
}

static size_t data_size(const struct image *image)
{
    return image->size - LENGTH_SIZE - header_size(image);
}

/* The header as text; of the last image that was asked about. */
static const char *header_text(const struct image *image)
{
    static char text[IMAGE_MAX];
    const size_t size = header_size(image);
    memcpy(text, image->bytes + LENGTH_SIZE, size);
    text[size] = '\0';
    return text;
}

static void set_header(struct image *image, const char *header)
{
    const size_t size = strlen(header), data = data_size(image);
    assert_in_range(LENGTH_SIZE + size + data, 0, IMAGE_MAX);
    memmove(image->bytes + LENGTH_SIZE + size, data_of(image), data);
    memcpy(image->bytes + LENGTH_SIZE, header, size);
    for (int i = 0; i < LENGTH_SIZE; i++)
        image->bytes[i] = (unsigned char)((uint64_t)size >> 8 * i);
    image->size = LENGTH_SIZE + size + data;
}

static void replace_in_header(struct image *image, const char *from, const char *to)
{
    static char replaced[IMAGE_MAX];
    const char *text = header_text(image), *found = strstr(text, from);
    expect_that(found && !strstr(found + 1, from), "%s is not once in %s", from, text);
    snprintf(replaced, sizeof replaced, "%.*s%s%s", (int)(found - text), text, to,
             found + strlen(from));
    set_header(image, replaced);
}

/* One array of a header, found by the words that the format prescribes. */
struct found {
    char dtype[8];
    int rank;
    long shape[2], begin, end;
};

static struct found find_array(const struct image *image, const char *name)
{
    struct found f = {0};
    char quoted[64], object[256];
    snprintf(quoted, sizeof quoted, "\"%s\"", name);
    const char *at = strstr(header_text(image), quoted);
    expect_that(at != NULL, "%s is not in %s", quoted, header_text(image));
    snprintf(object, sizeof object, "%.*s", (int)strcspn(at, "}"), at);
    const char *dtype = strstr(object, "\"dtype\""), *shape = strstr(object, "\"shape\""),
               *offsets = strstr(object, "\"data_offsets\"");
    expect_that(dtype && shape && offsets, "%s lacks a key", object);
    expect_that(sscanf(dtype, "\"dtype\" : \"%7[A-Z0-9]\"", f.dtype) == 1, "%s", object);
    f.rank = sscanf(shape, "\"shape\" : [ %ld , %ld", &f.shape[0], &f.shape[1]);
    expect_that(sscanf(offsets, "\"data_offsets\" : [ %ld , %ld ]", &f.begin, &f.end) == 2, "%s",
                object);
    return f;
}

static int count_in_header(const struct image *image, const char *word)
{
    int count = 0;
    for (const char *at = strstr(header_text(image), word); at; at = strstr(at + 1, word))
        count++;
    return count;
}

static float float_at(const unsigned char *p)
{
    const uint32_t bits =
        (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* ---- making files ---- */

enum type { F32, F64, F16, BF16, I64 };
static const struct {
    const char *name;
    size_t size;
} types[] = {{"F32", 4}, {"F64", 8}, {"F16", 2}, {"BF16", 2}, {"I64", 8}};

struct array {
    const char *name;
    enum type type;
    int rank;
    long shape[3];
    const double *values;
};

static long array_count(const struct array *a)
{
    long count = 1;
    for (int i = 0; i < a->rank; i++)
        count *= a->shape[i];
    return count;
}

/* Bits of a value that the type holds exactly as a normal number, an infinity or zero. */
static uint64_t encode(enum type type, double value)
{
    uint64_t wide;
    uint32_t narrow;
    const float single = (float)value;
    memcpy(&wide, &value, sizeof wide);
    memcpy(&narrow, &single, sizeof narrow);
    switch (type) {
    case F64:
        return wide;
    case F32:
        return narrow;
    case BF16:
        return narrow >> 16;
    case F16: {
        const uint64_t sign = wide >> 63 << 15, fraction = wide >> 42 & 1023;
        const int exponent = (int)(wide >> 52 & 2047) - 1023 + 15;
        return value == 0     ? sign
               : isinf(value) ? sign | 31 << 10
                              : sign | (uint64_t)exponent << 10 | fraction;
    }
    default:
        return (uint64_t)(int64_t)value;
    }
}

/* The arrays one after the other; `metadata` is JSON, or NULL for none. */
static void build(struct image *image, const char *metadata, const struct array *arrays, int count)
{
    static char header[IMAGE_MAX];
    size_t length = (size_t)snprintf(header, sizeof header, "{"), begin = 0;
    memset(image->bytes, 0, LENGTH_SIZE);
    image->size = LENGTH_SIZE;
    if (metadata)
        length += (size_t)snprintf(header + length, sizeof header - length, "\"__metadata__\":%s%s",
                                   metadata, count > 0 ? "," : "");
    for (int i = 0; i < count; i++) {
        const struct array *a = &arrays[i];
        const size_t size = types[a->type].size, end = begin + (size_t)array_count(a) * size;
        char shape[64] = "";
        for (int k = 0, at = 0; k < a->rank; k++)
            at +=
                snprintf(shape + at, sizeof shape - (size_t)at, "%s%ld", k ? "," : "", a->shape[k]);
        length += (size_t)snprintf(header + length, sizeof header - length,
                                   "%s\"%s\":{\"dtype\":\"%s\",\"shape\":[%s],"
                                   "\"data_offsets\":[%zu,%zu]}",
                                   i ? "," : "", a->name, types[a->type].name, shape, begin, end);
        assert_in_range(image->size + end - begin, 0, IMAGE_MAX);
        for (long k = 0; k < array_count(a); k++) {
            const uint64_t bits = encode(a->type, a->values ? a->values[k] : 1.0);
            for (size_t b = 0; b < size; b++)
                image->bytes[image->size++] = (unsigned char)(bits >> 8 * b);
        }
        begin = end;
    }
    snprintf(header + length, sizeof header - length, "}");
    set_header(image, header);
}

/* ---- what is saved comes back ---- */

static void round_trip(fmatch_context *context, const struct spec *spec)
{
    char what[128];
    snprintf(what, sizeof what, "dim %d, %d layers, %s, %s noise%s", (int)spec->dim,
             (int)spec->layers, activation_name(spec->activation), noise_names[spec->noise],
             spec->standardised ? ", standardised" : "");
    fmatch_model *model = make_model(context, spec, 7), *copy;
    set_delicate_bias(model);
    expect_ok(fmatch_model_save(model, path));
    static struct image first, second;
    read_image(&first);
    fmatch_model *loaded = load_model(context);
    expect_same_model(model, loaded, what);

    /* The loaded model and a copy of it are models like the saved one. */
    expect_ok(fmatch_model_create_copy(&copy, loaded));
    expect_ok(fmatch_model_save(copy, path));
    read_image(&second);
    expect_same_image(&first, &second, what);
    fmatch_model_destroy(&copy);
    fmatch_model_destroy(&loaded);
    fmatch_model_destroy(&model);
}

static void a_saved_model_comes_back_with_its_bits(void **state)
{
    static const struct spec shapes[] = {
        {.dim = 1, .layers = 0},
        {.dim = 5, .layers = 0},
        {.dim = 1, .layers = 1, .widths = {7}},
        {.dim = 5, .layers = 2, .widths = {9, 4}},
        {.dim = 1, .layers = 5, .widths = {3, 8, 1, 5, 2}},
    };
    for (size_t s = 0; s < COUNT(shapes); s++)
        for (int32_t activation = 0; activation < ACTIVATIONS; activation++)
            for (int standardised = 0; standardised < 2; standardised++)
                for (int noise = 0; noise < NOISES; noise++) {
                    struct spec spec = shapes[s];
                    spec.activation = activation;
                    spec.standardised = standardised;
                    spec.noise = (enum noise)noise;
                    round_trip(context_of(state), &spec);
                }
}

/* Another context, and the one that made it gone: nothing is kept beside the file. */
static void a_model_outlives_its_maker_on_disk(void **state)
{
    const struct spec spec = {2, 2, {6, 5}, FMATCH_ACTIVATION_SILU, true, NOISE_MIXTURE};
    fmatch_context *maker;
    expect_ok(fmatch_context_create(&maker, NULL));
    fmatch_model *model = make_model(maker, &spec, 3);
    expect_ok(fmatch_model_save(model, path));
    fmatch_model_destroy(&model);
    fmatch_context_destroy(&maker);
    fmatch_model *loaded = load_model(context_of(state)),
                 *same = make_model(context_of(state), &spec, 3);
    expect_same_model(loaded, same, "after its maker");
    fmatch_model_destroy(&same);
    fmatch_model_destroy(&loaded);
}

/* A loaded model can be trained, as the one that was saved. */
static void training_goes_on_with_a_loaded_model(void **state)
{
    fmatch_context *context = context_of(state);
    const struct spec spec = {1, 2, {6, 5}, FMATCH_ACTIVATION_GELU, true, NOISE_MIXTURE};
    fmatch_source *target = make_post_target(context);
    fmatch_model *models[2] = {make_model(context, &spec, 3), NULL};
    expect_ok(fmatch_model_save(models[0], path));
    models[1] = load_model(context);
    for (int i = 0; i < 2; i++) {
        fmatch_trainer *trainer = make_trainer(models[i], make_adam(context, 1e-2), target, 16, 5);
        expect_ok(fmatch_trainer_run(trainer, 5, NULL));
        fmatch_trainer_destroy(&trainer);
    }
    expect_same_model(models[0], models[1], "after five steps");
    fmatch_model_destroy(&models[1]);
    fmatch_model_destroy(&models[0]);
    fmatch_source_destroy(&target);
}

/* ---- what a file holds ---- */

static void expect_array(const struct image *image, const fmatch_model *model, const char *name,
                         int rank, long rows, long columns)
{
    const struct found f = find_array(image, name);
    expect_that(strcmp(f.dtype, "F32") == 0 && f.rank == rank && f.shape[0] == rows &&
                    (rank == 1 || f.shape[1] == columns),
                "%s is %s, rank %d, [%ld, %ld]", name, f.dtype, f.rank, f.shape[0], f.shape[1]);
    expect_that(f.end - f.begin == 4 * rows * columns && (size_t)f.end <= data_size(image),
                "%s lies at %ld to %ld", name, f.begin, f.end);
    float values[64];
    expect_ok(fmatch_model_get_tensor(model, name, rows * columns, values));
    for (long i = 0; i < rows * columns; i++) {
        const float stored = float_at(data_of(image) + f.begin + 4 * i);
        expect_same_bits(&stored, &values[i], 1, "%s, element %ld", name, i);
    }
}

static void names_and_layout_are_pytorchs(void **state)
{
    const struct spec spec = {2, 2, {3, 4}, FMATCH_ACTIVATION_TANH, false, NOISE_DEFAULT};
    fmatch_model *model = make_model(context_of(state), &spec, 1);
    expect_ok(fmatch_model_save(model, path));
    static struct image image;
    read_image(&image);
    expect_that(header_size(&image) % 8 == 0, "the header has %zu bytes", header_size(&image));
    /* torch.nn.Sequential(Linear(3, 3), Tanh(), Linear(3, 4), Tanh(), Linear(4, 2)) */
    expect_array(&image, model, "net.0.weight", 2, 3, 3);
    expect_array(&image, model, "net.0.bias", 1, 3, 1);
    expect_array(&image, model, "net.2.weight", 2, 4, 3);
    expect_array(&image, model, "net.2.bias", 1, 4, 1);
    expect_array(&image, model, "net.4.weight", 2, 2, 4);
    expect_array(&image, model, "net.4.bias", 1, 2, 1);
    assert_int_equal(count_in_header(&image, "\"dtype\""), 6);
    assert_int_equal(data_size(&image), 4 * (9 + 3 + 12 + 4 + 8 + 2));
    fmatch_model_destroy(&model);
}

static void metadata_holds_the_configuration(void **state)
{
    const struct spec spec = {2, 2, {3, 4}, FMATCH_ACTIVATION_GELU_TANH, true, NOISE_MIXTURE};
    fmatch_model *model = make_model(context_of(state), &spec, 1);
    expect_ok(fmatch_model_save(model, path));
    static struct image image;
    read_image(&image);
    static const char *const settings[] = {"\"flowmatch.version\":\"1\"",
                                           "\"flowmatch.kind\":\"mlp\"",
                                           "\"flowmatch.dim\":\"2\"",
                                           "\"flowmatch.hidden_widths\":\"3,4\"",
                                           "\"flowmatch.activation\":\"gelu_tanh\"",
                                           "\"flowmatch.path\":\"linear\"",
                                           "\"flowmatch.prediction\":\"velocity\"",
                                           "\"flowmatch.noise\":\"gaussian_mixture\""};
    for (size_t i = 0; i < COUNT(settings); i++)
        expect_that(count_in_header(&image, settings[i]) == 1, "%s is not once in %s", settings[i],
                    header_text(&image));
    static const struct found arrays[] = {{"", 1, {2, 0}, 0, 0},
                                          {"", 1, {2, 0}, 0, 0},
                                          {"", 1, {3, 0}, 0, 0},
                                          {"", 2, {3, 2}, 0, 0},
                                          {"", 2, {3, 2}, 0, 0}};
    static const char *const names[] = {"flowmatch.data_mean", "flowmatch.data_std",
                                        "flowmatch.noise.weights", "flowmatch.noise.means",
                                        "flowmatch.noise.stds"};
    for (size_t i = 0; i < COUNT(names); i++) {
        const struct found f = find_array(&image, names[i]);
        expect_that(f.rank == arrays[i].rank && f.shape[0] == arrays[i].shape[0] &&
                        f.shape[1] == arrays[i].shape[1],
                    "%s is [%ld, %ld]", names[i], f.shape[0], f.shape[1]);
    }
    /* As given, so that the same sum of weights gives the same bits. */
    const unsigned char *weights =
        data_of(&image) + find_array(&image, "flowmatch.noise.weights").begin;
    expect_close(float_at(weights), 3.0, 0, "the first weight");
    fmatch_model_destroy(&model);
}

/* ---- what cannot be saved ---- */

static int32_t zero_field(void *user, int64_t n, const float *x, const float *t,
                          const float *condition, float *v)
{
    (void)user, (void)x, (void)t, (void)condition;
    memset(v, 0, (size_t)n * sizeof *v);
    return 0;
}

static int32_t zero_rows(void *user, fmatch_random *random, int64_t first_row, int64_t n, float *x)
{
    (void)user, (void)random, (void)first_row;
    memset(x, 0, (size_t)n * sizeof *x);
    return 0;
}

static fmatch_model *make_field(fmatch_context *context)
{
    const fmatch_velocity_callbacks callbacks = {
        sizeof callbacks, 0, zero_field, NULL, NULL, 0, 0, NULL};
    fmatch_model *model;
    expect_ok(fmatch_model_create_callback(&model, context, 1, &callbacks, NULL));
    return model;
}

static fmatch_model *make_with_noise(fmatch_context *context, fmatch_source *noise)
{
    fmatch_mlp_config config;
    fmatch_mlp_config_init_preset(&config, FMATCH_PRESET_PLAIN);
    config.dim = 1;
    config.noise = noise;
    fmatch_model *model;
    expect_ok(fmatch_model_create_mlp(&model, context, &config));
    fmatch_source_destroy(&noise);
    return model;
}

static fmatch_source *make_array(fmatch_context *context)
{
    static const float rows[] = {1, 2, 3};
    fmatch_array_config config;
    fmatch_array_config_init(&config);
    config.dim = 1;
    config.n = 3;
    config.rows = rows;
    fmatch_source *source;
    expect_ok(fmatch_source_create_array(&source, context, &config));
    return source;
}

static fmatch_source *make_callback(fmatch_context *context)
{
    const fmatch_source_callbacks callbacks = {.struct_size = sizeof callbacks, .draw = zero_rows};
    fmatch_source *source;
    expect_ok(fmatch_source_create_callback(&source, context, 1, &callbacks));
    return source;
}

static void what_no_file_can_hold_is_unsupported(void **state)
{
    fmatch_context *context = context_of(state);
    fmatch_source *target = make_post_target(context);
    static const char *const words[] = {"parameters", "parameters", "noise", "noise"};
    fmatch_model *models[] = {make_field(context), make_closed_form(context, target),
                              make_with_noise(context, make_array(context)),
                              make_with_noise(context, make_callback(context))};
    for (size_t i = 0; i < COUNT(models); i++) {
        expect_status(fmatch_model_save(models[i], path), FMATCH_ERROR_UNSUPPORTED);
        expect_detail(words[i]);
        expect_that(access(path, F_OK) != 0, "model %zu: a file appeared", i);
        fmatch_model_destroy(&models[i]);
    }
    fmatch_source_destroy(&target);
}

/* ---- states of PyTorch ---- */

static const double w0[] = {0.5, -1.25, 2.0, 0.375}, b0[] = {-0.75, 1.5}, w2[] = {3.0, -0.0625},
                    b2[] = {-2.5};

static fmatch_model *make_small(fmatch_context *context)
{
    const struct spec spec = {1, 1, {2}, FMATCH_ACTIVATION_GELU, true, NOISE_MIXTURE};
    return make_model(context, &spec, 1);
}

static void expect_small_state(const fmatch_model *model, const char *what)
{
    const struct {
        const char *name;
        const double *values;
        int64_t count;
    } wanted[] = {{"net.0.weight", w0, 4},
                  {"net.0.bias", b0, 2},
                  {"net.2.weight", w2, 2},
                  {"net.2.bias", b2, 1}};
    for (size_t i = 0; i < COUNT(wanted); i++) {
        float seen[4];
        expect_ok(fmatch_model_get_tensor(model, wanted[i].name, wanted[i].count, seen));
        for (int64_t k = 0; k < wanted[i].count; k++)
            expect_close(seen[k], wanted[i].values[k], 0, "%s: %s[%lld]", what, wanted[i].name,
                         (long long)k);
    }
}

static void states_load_under_other_names(void **state)
{
    static const char *const model_names[] = {"net.0.weight", "net.2.bias"}, *const file_names[] = {
                                                                                 "first.w",
                                                                                 "out b"};
    static const struct {
        const char *what, *prefix, *names[4];
        int32_t renamed;
    } cases[] = {
        {"as they are", NULL, {"net.0.weight", "net.0.bias", "net.2.weight", "net.2.bias"}, 0},
        {"bare", "", {"0.weight", "0.bias", "2.weight", "2.bias"}, 0},
        {"inside a module",
         "model.net.",
         {"model.net.0.weight", "model.net.0.bias", "model.net.2.weight", "model.net.2.bias"},
         0},
        {"renamed", NULL, {"first.w", "net.0.bias", "net.2.weight", "out b"}, 2},
        {"bare and renamed", "", {"first.w", "0.bias", "2.weight", "out b"}, 2},
    };
    static struct image image;
    for (size_t i = 0; i < COUNT(cases); i++) {
        const char *const *n = cases[i].names;
        const struct array arrays[] = {{n[3], F32, 1, {1}, b2},
                                       {n[0], F32, 2, {2, 2}, w0},
                                       {n[2], F32, 2, {1, 2}, w2},
                                       {n[1], F32, 1, {2}, b0}};
        const fmatch_tensor_map map = {sizeof map, cases[i].renamed, cases[i].prefix, model_names,
                                       file_names};
        build(&image, NULL, arrays, COUNT(arrays));
        write_image(&image);
        fmatch_model *model = make_small(context_of(state));
        expect_ok(fmatch_model_load_tensors(model, path, i == 0 ? NULL : &map));
        expect_small_state(model, cases[i].what);
        fmatch_model_destroy(&model);
    }
}

static void states_load_from_every_float_type(void **state)
{
    static const enum type kinds[] = {F32, F64, F16, BF16};
    static struct image image;
    for (size_t k = 0; k <= COUNT(kinds); k++) { /* the last: all of them in one file */
        enum type type[4];
        for (size_t i = 0; i < COUNT(type); i++)
            type[i] = kinds[k < COUNT(kinds) ? k : i];
        const struct array arrays[] = {{"net.0.weight", type[0], 2, {2, 2}, w0},
                                       {"net.0.bias", type[1], 1, {2}, b0},
                                       {"net.2.weight", type[2], 2, {1, 2}, w2},
                                       {"net.2.bias", type[3], 1, {1}, b2}};
        build(&image, "{\"format\":\"pt\"}", arrays, COUNT(arrays));
        write_image(&image);
        fmatch_model *model = make_small(context_of(state));
        expect_ok(fmatch_model_load_tensors(model, path, NULL));
        expect_small_state(model, k < COUNT(kinds) ? types[kinds[k]].name : "mixed types");
        fmatch_model_destroy(&model);
    }
}

static void other_arrays_are_ignored(void **state)
{
    static const double steps[] = {1000}, nothing[] = {NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN};
    const struct array arrays[] = {
        {"steps", I64, 0, {0}, steps},        {"net.0.weight", F32, 2, {2, 2}, w0},
        {"net.0.bias", F32, 1, {2}, b0},      {"embedding", F32, 3, {2, 2, 2}, nothing},
        {"net.2.weight", F32, 2, {1, 2}, w2}, {"net.4.weight", F32, 2, {0, 2}, NULL},
        {"net.2.bias", F32, 1, {1}, b2}};
    static struct image image;
    build(&image, NULL, arrays, COUNT(arrays));
    write_image(&image);
    fmatch_model *model = make_small(context_of(state));
    expect_ok(fmatch_model_load_tensors(model, path, NULL));
    expect_small_state(model, "beside other arrays");
    fmatch_model_destroy(&model);
}

/* A model's own file is a state as well. */
static void a_model_file_is_a_state(void **state)
{
    const struct spec spec = {2, 1, {3}, FMATCH_ACTIVATION_GELU, true, NOISE_MIXTURE};
    fmatch_model *saved = make_model(context_of(state), &spec, 1),
                 *other = make_model(context_of(state), &spec, 2);
    expect_ok(fmatch_model_save(saved, path));
    expect_ok(fmatch_model_load_tensors(other, path, NULL));
    expect_same_model(saved, other, "from its own file");
    fmatch_model_destroy(&other);
    fmatch_model_destroy(&saved);
}

/* load_tensors must fail with words in its detail and leave every parameter. */
static void expect_not_loaded(fmatch_model *model, const fmatch_tensor_map *map,
                              fmatch_status wanted, const char *word)
{
    int64_t count;
    float *before = read_parameters(model, &count);
    expect_status(fmatch_model_load_tensors(model, path, map), wanted);
    expect_detail(word);
    float *now = read_parameters(model, &count);
    expect_same_bits(now, before, count, "after %s", word);
    free(now);
    free(before);
}

static void states_that_do_not_fit_change_nothing(void **state)
{
    static const double infinite[] = {INFINITY, 1, 1, 1}, quiet[] = {1, NAN, 1, 1},
                        huge[] = {1, 1, 1e300, 1};
    static const struct {
        int at; /* which array is replaced; -1: none */
        struct array array;
        fmatch_status status;
        const char *word;
    } cases[] = {
        {0, {"net.0.weight", F32, 2, {4, 1}, w0}, FMATCH_ERROR_SHAPE, "net.0.weight"},
        {0, {"net.0.weight", F32, 1, {4}, w0}, FMATCH_ERROR_SHAPE, "net.0.weight"},
        {0, {"net.0.weight", F32, 2, {2, 3}, NULL}, FMATCH_ERROR_SHAPE, "net.0.weight"},
        {0, {"net.0.weight", F32, 3, {2, 2, 1}, w0}, FMATCH_ERROR_SHAPE, "net.0.weight"},
        {0, {"net.0.weight", F32, 2, {0, 2}, w0}, FMATCH_ERROR_SHAPE, "net.0.weight"},
        {1, {"net.0.bias", F32, 2, {2, 1}, b0}, FMATCH_ERROR_SHAPE, "net.0.bias"},
        {1, {"net.0.bias", F32, 1, {3}, NULL}, FMATCH_ERROR_SHAPE, "net.0.bias"},
        {2, {"net.2.weight", F32, 2, {2, 1}, w2}, FMATCH_ERROR_SHAPE, "net.2.weight"},
        {3, {"net.2.bias", F32, 0, {0}, b2}, FMATCH_ERROR_SHAPE, "net.2.bias"},
        {0, {"net.1.weight", F32, 2, {2, 2}, w0}, FMATCH_ERROR_FORMAT, "net.0.weight"},
        {3, {"net.2.biass", F32, 1, {1}, b2}, FMATCH_ERROR_FORMAT, "net.2.bias"},
        {0, {"net.0.weight", F32, 2, {2, 2}, infinite}, FMATCH_ERROR_NOT_FINITE, "net.0.weight"},
        {0, {"net.0.weight", F32, 2, {2, 2}, quiet}, FMATCH_ERROR_NOT_FINITE, "net.0.weight"},
        {0, {"net.0.weight", F64, 2, {2, 2}, huge}, FMATCH_ERROR_NOT_FINITE, "net.0.weight"},
        {3, {"net.2.bias", F16, 1, {1}, infinite}, FMATCH_ERROR_NOT_FINITE, "net.2.bias"},
        {3, {"net.2.bias", BF16, 1, {1}, infinite}, FMATCH_ERROR_NOT_FINITE, "net.2.bias"},
        {3, {"net.2.bias", I64, 1, {1}, b2}, FMATCH_ERROR_FORMAT, "I64"},
    };
    fmatch_model *model = make_small(context_of(state));
    static struct image image;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct array arrays[] = {{"net.0.weight", F32, 2, {2, 2}, w0},
                                 {"net.0.bias", F32, 1, {2}, b0},
                                 {"net.2.weight", F32, 2, {1, 2}, w2},
                                 {"net.2.bias", F32, 1, {1}, b2}};
        arrays[cases[i].at] = cases[i].array;
        build(&image, NULL, arrays, COUNT(arrays));
        write_image(&image);
        expect_not_loaded(model, NULL, cases[i].status, cases[i].word);
    }
    image.size--;
    write_image(&image);
    expect_not_loaded(model, NULL, FMATCH_ERROR_FORMAT, path);
    assert_int_equal(unlink(path), 0);
    expect_not_loaded(model, NULL, FMATCH_ERROR_IO, path);
    assert_int_equal(mkdir(path, 0700), 0);
    expect_not_loaded(model, NULL, FMATCH_ERROR_IO, path);
    assert_int_equal(rmdir(path), 0);
    fmatch_model_destroy(&model);
}

static void wrong_maps_are_refused(void **state)
{
    const struct array arrays[] = {{"net.0.weight", F32, 2, {2, 2}, w0},
                                   {"net.0.bias", F32, 1, {2}, b0},
                                   {"net.2.weight", F32, 2, {1, 2}, w2},
                                   {"net.2.bias", F32, 1, {1}, b2}};
    static struct image image;
    build(&image, NULL, arrays, COUNT(arrays));
    write_image(&image);
    char long_name[301];
    memset(long_name, 'x', 300);
    long_name[300] = '\0';
    const char *const model_names[] = {"net.0.weight", "net.0.bias"},
                      *const gap[] = {"net.0.weight", NULL},
                      *const too_long[] = {long_name, "net.0.bias"};
    const struct {
        fmatch_tensor_map map;
        fmatch_status status;
        const char *word;
    } cases[] = {
        {{0, 0, NULL, NULL, NULL}, FMATCH_ERROR_STRUCT_SIZE, "map"},
        {{sizeof(fmatch_tensor_map), -1, NULL, NULL, NULL}, FMATCH_ERROR_ARGUMENT, "renamed"},
        {{sizeof(fmatch_tensor_map), 1 << 30, NULL, model_names, model_names},
         FMATCH_ERROR_ARGUMENT,
         "renamed"},
        {{sizeof(fmatch_tensor_map), 2, NULL, NULL, model_names},
         FMATCH_ERROR_ARGUMENT,
         "model_names"},
        {{sizeof(fmatch_tensor_map), 2, NULL, model_names, NULL},
         FMATCH_ERROR_ARGUMENT,
         "file_names"},
        {{sizeof(fmatch_tensor_map), 2, NULL, gap, model_names},
         FMATCH_ERROR_ARGUMENT,
         "model_names[1]"},
        {{sizeof(fmatch_tensor_map), 2, NULL, model_names, gap},
         FMATCH_ERROR_ARGUMENT,
         "file_names[1]"},
        {{sizeof(fmatch_tensor_map), 2, NULL, model_names, too_long},
         FMATCH_ERROR_ARGUMENT,
         "file_names[0]"},
        {{sizeof(fmatch_tensor_map), 0, long_name, NULL, NULL}, FMATCH_ERROR_ARGUMENT, "prefix"},
        {{sizeof(fmatch_tensor_map), 0, "other.", NULL, NULL},
         FMATCH_ERROR_FORMAT,
         "other.0.weight"},
    };
    fmatch_model *model = make_small(context_of(state));
    for (size_t i = 0; i < COUNT(cases); i++)
        expect_not_loaded(model, &cases[i].map, cases[i].status, cases[i].word);
    fmatch_model_destroy(&model);
}

static void only_parameters_can_be_replaced(void **state)
{
    fmatch_model *field = make_field(context_of(state));
    expect_status(fmatch_model_load_tensors(field, path, NULL), FMATCH_ERROR_UNSUPPORTED);
    expect_detail("parameters");
    fmatch_model_destroy(&field);
}

/* ---- malformed files ---- */

static int64_t live_blocks(void **state)
{
    return ((struct world *)*state)->ledger.live;
}

/* Loading the file at path must fail, leave NULL and leak nothing. */
static void expect_refused(void **state, fmatch_status wanted, const char *what)
{
    const int64_t live = live_blocks(state);
    fmatch_model *model = (void *)state;
    const fmatch_status seen = fmatch_model_load(&model, context_of(state), path);
    expect_that(seen == wanted && !model, "%s: %s (\"%s\") instead of %s, model %p", what,
                fmatch_status_get_name(seen), fmatch_error_detail(), fmatch_status_get_name(wanted),
                (void *)model);
    expect_that(live_blocks(state) == live, "%s: %lld blocks leaked", what,
                (long long)(live_blocks(state) - live));
}

static void a_plain_state_is_refused_with_a_hint(void **state)
{
    const struct array arrays[] = {{"net.0.weight", F32, 2, {2, 2}, w0},
                                   {"net.0.bias", F32, 1, {2}, b0}};
    static const char *const metadata[] = {NULL, "{}", "{\"format\":\"pt\"}"};
    static struct image image;
    for (size_t i = 0; i < COUNT(metadata); i++) {
        build(&image, metadata[i], arrays, COUNT(arrays));
        write_image(&image);
        expect_refused(state, FMATCH_ERROR_FORMAT, "plain state");
        expect_detail(path, "fmatch_model_load_tensors");
    }
}

/* dim 1, one layer of 2, and everything else that a file may hold. */
static void save_full(void **state, struct image *image)
{
    fmatch_model *model = make_small(context_of(state));
    expect_ok(fmatch_model_save(model, path));
    read_image(image);
    fmatch_model_destroy(&model);
}

static void each_setting_must_be_there(void **state)
{
    static const char *const settings[] = {"version",    "kind", "dim",        "hidden_widths",
                                           "activation", "path", "prediction", "noise"};
    static struct image whole, image;
    save_full(state, &whole);
    for (size_t i = 0; i < COUNT(settings); i++) {
        char key[64], quoted[80], other[80];
        snprintf(key, sizeof key, "flowmatch.%s", settings[i]);
        snprintf(quoted, sizeof quoted, "\"%s\":", key);
        snprintf(other, sizeof other, "\"flowmatch_%s\":", settings[i]);
        image = whole;
        replace_in_header(&image, quoted, other);
        write_image(&image);
        expect_refused(state, FMATCH_ERROR_FORMAT, key);
        expect_detail(path, key);
    }
}

static void each_setting_must_be_known(void **state)
{
    static const struct {
        const char *key, *saved, *word; /* in the detail; NULL: the key */
        const char *wrong[12];
    } cases[] = {
        {"version", "1", NULL, {"", "0", "x", "1.0", "1x", "-1", "+1", " 1", "1 "}},
        {"kind", "mlp", NULL, {"", "MLP", "mlp ", "ml", "transformer"}},
        {"dim", "1", NULL, {"", "0", "-1", "x", "1.0", "0x1", "1e0", "65537", "4294967297"}},
        {"dim", "1", "net.0.weight", {"2", "65536"}},
        {"hidden_widths", "2", NULL, {",", "2,", ",2", "2,,2", "x", "2;2", "-2", "2 ", "2.0"}},
        {"hidden_widths", "2", "net.0.weight", {"", "1", "3", "65536", "3,2"}},
        {"hidden_widths", "2", NULL, {"0", "65537", "2,0"}},
        {"hidden_widths", "2", "net.2.weight", {"2,2", "2,3"}},
        {"hidden_widths", "2", "net.4.weight", {"2,1"}},
        {"activation", "gelu", NULL, {"", "GELU", "gel", "gelu_", "swish", "0"}},
        {"path", "linear", NULL, {"", "spline"}},
        {"prediction", "velocity", NULL, {"", "speed"}},
        {"noise", "gaussian_mixture", NULL, {"", "uniform", "Default"}},
    };
    static struct image whole, image;
    save_full(state, &whole);
    for (size_t i = 0; i < COUNT(cases); i++)
        for (const char *const *wrong = cases[i].wrong; *wrong; wrong++) {
            char key[64], saved[128], changed[128];
            snprintf(key, sizeof key, "flowmatch.%s", cases[i].key);
            snprintf(saved, sizeof saved, "\"%s\":\"%s\"", key, cases[i].saved);
            snprintf(changed, sizeof changed, "\"%s\":\"%s\"", key, *wrong);
            image = whole;
            replace_in_header(&image, saved, changed);
            write_image(&image);
            expect_refused(state, FMATCH_ERROR_FORMAT, changed);
            expect_detail(path, cases[i].word ? cases[i].word : cases[i].key);
        }
}

/* Settings that version 1 does not have come back, and files without them keep its number. */
static void conditions_are_kept(void **state)
{
    fmatch_mlp_config config;
    fmatch_mlp_config_init_preset(&config, FMATCH_PRESET_PLAIN);
    config.dim = 2;
    config.condition_dim = 3;
    config.classes = 4;
    config.embedding_dim = 2;
    config.null_condition = FMATCH_NULL_CONDITION_ACCEPTED;
    fmatch_model *model, *loaded;
    expect_ok(fmatch_model_create_mlp(&model, context_of(state), &config));
    expect_ok(fmatch_model_save(model, path));
    expect_ok(fmatch_model_load(&loaded, context_of(state), path));
    const float x[] = {1, 2, 3, 4, 5, 6}, t[] = {0, 0.5f, 1};
    const float condition[] = {0, 1, 2, 3, -1, 0, NAN, 0, 0};
    float v[6], again[6];
    expect_ok(fmatch_model_evaluate(model, 3, x, t, condition, v));
    expect_ok(fmatch_model_evaluate(loaded, 3, x, t, condition, again));
    expect_same_bits(v, again, 6, "loaded");
    assert_int_equal(fmatch_model_get_condition_dim(loaded), 3);
    assert_int_equal(fmatch_model_count_classes(loaded), 4);
    fmatch_model_destroy(&loaded);
    fmatch_model_destroy(&model);

    static struct image image;
    read_image(&image);
    replace_in_header(&image, "\"flowmatch.classes\":\"4\"", "\"flowmatch.classes\":\"5\"");
    write_image(&image);
    expect_refused(state, FMATCH_ERROR_FORMAT, "more classes than vectors");
    expect_detail("embedding.weight");
}

/* A network of everything that version 3 of the file can say; two hidden layers of its own. */
static fmatch_model *make_rich(fmatch_context *context)
{
    static const int32_t widths[] = {4, 3, 4},
                         activations[] = {FMATCH_ACTIVATION_SILU, FMATCH_ACTIVATION_GELU_TANH,
                                          FMATCH_ACTIVATION_SELU};
    static const float mean[] = {7, 0.1f, -3}, std[] = {8, 0.3f, 1e-3f};
    fmatch_mlp_config config;
    fmatch_mlp_config_init_preset(&config, FMATCH_PRESET_PLAIN);
    config.dim = 2;
    config.hidden_layers = 3;
    config.hidden_widths = widths;
    config.activations = activations;
    config.time_features = FMATCH_TIME_FEATURES_FOURIER;
    config.time_frequencies = 5;
    config.residual_layers = 2;
    config.normalisation = FMATCH_NORMALISATION_LAYER;
    config.output_init = FMATCH_OUTPUT_INIT_ZERO;
    config.condition_dim = 3;
    config.classes = 2;
    config.null_condition = FMATCH_NULL_CONDITION_ACCEPTED;
    config.condition_mean = mean;
    config.condition_std = std;
    fmatch_model *model;
    expect_ok(fmatch_model_create_mlp(&model, context, &config));
    int64_t count;
    float *values = read_parameters(model, &count);
    fill_scattered(values, count, -1, 1, 5); /* the beginning says little: zeros and ones */
    write_parameters(model, values);
    free(values);
    return model;
}

static void networks_are_kept(void **state)
{
    fmatch_model *model = make_rich(context_of(state)), *loaded;
    expect_ok(fmatch_model_save(model, path));
    static struct image first, second;
    read_image(&first);
    static const char *const settings[] = {
        "\"flowmatch.version\":\"3\"",         "\"flowmatch.activations\":\"silu,gelu_tanh,selu\"",
        "\"flowmatch.time_features\":\"1\"",   "\"flowmatch.time_frequencies\":\"5\"",
        "\"flowmatch.residual_layers\":\"2\"", "\"flowmatch.normalisation\":\"1\"",
        "\"flowmatch.output_init\":\"1\"",     "\"flowmatch.condition_mean\":{",
        "\"flowmatch.condition_std\":{",       "\"net.7.bias\":{",
    };
    for (size_t i = 0; i < COUNT(settings); i++)
        expect_that(count_in_header(&first, settings[i]) == 1, "%s is not once in %s", settings[i],
                    header_text(&first));
    expect_ok(fmatch_model_load(&loaded, context_of(state), path));
    const float x[] = {1, 2, 3, 4, 5, 6}, t[] = {0, 0.3f, 1};
    const float condition[] = {0, 1, 2, 1, -1, 0, NAN, 0, 0};
    float v[6], again[6];
    expect_ok(fmatch_model_evaluate(model, 3, x, t, condition, v));
    expect_ok(fmatch_model_evaluate(loaded, 3, x, t, condition, again));
    expect_same_bits(v, again, 6, "loaded");
    expect_ok(fmatch_model_save(loaded, path));
    read_image(&second);
    expect_same_image(&first, &second, "the second save");
    fmatch_model_destroy(&loaded);
    fmatch_model_destroy(&model);
}

/* Each in the place of what a whole file has. */
static void bad_networks_are_refused(void **state)
{
    static const struct {
        const char *saved, *wrong, *word;
    } cases[] = {
        {"activations\":\"silu,gelu_tanh,selu\"", "activations\":\"silu,gelu_tanh\"",
         "activations"},
        {"activations\":\"silu,gelu_tanh,selu\"", "activations\":\"silu,gelu_tanh,selu,\"",
         "activations"},
        {"activations\":\"silu,gelu_tanh,selu\"", "activations\":\"silu,gelu_tan,selu\"",
         "activations"},
        {"activations\":\"silu,gelu_tanh,selu\"", "activations\":\"silu,,selu\"", "activations"},
        {"activations\":\"silu,gelu_tanh,selu\"", "activations\":\"\"", "activations"},
        {"activations\":\"silu,gelu_tanh,selu\"", "activations\":\"selu,selu,selu,selu\"",
         "activations"},
        {"time_features\":\"1\"", "time_features\":\"2\"", "time_features"},
        {"time_features\":\"1\"", "time_features\":\"0\"", "time_frequencies"},
        {"time_features\":\"1\"", "time_features\":\"x\"", "flowmatch.time_features"},
        {"time_frequencies\":\"5\"", "time_frequencies\":\"65\"", "time_frequencies"},
        {"time_frequencies\":\"5\"", "time_frequencies\":\"64\"", "net.0.weight"},
        {"residual_layers\":\"2\"", "residual_layers\":\"1\"", "hidden_widths[1]"},
        {"residual_layers\":\"2\"", "residual_layers\":\"99\"", "residual_layers"},
        {"residual_layers\":\"2\"", "residual_layers\":\"-1\"", "flowmatch.residual_layers"},
        {"normalisation\":\"1\"", "normalisation\":\"2\"", "normalisation"},
        {"normalisation\":\"1\"", "normalisation\":\"0\"", "net.2.weight"},
        {"output_init\":\"1\"", "output_init\":\"7\"", "output_init"},
        {"\"net.1.weight\"", "\"net.1.gain\"", "net.1.weight"},
        {"\"net.4.bias\"", "\"net.4.shift\"", "net.4.bias"},
        {"\"flowmatch.condition_mean\"", "\"flowmatch.condition_mode\"", "condition_mean"},
        {"\"flowmatch.condition_std\"", "\"flowmatch.condition_dev\"", "condition_std"},
    };
    static struct image whole, image;
    fmatch_model *model = make_rich(context_of(state));
    expect_ok(fmatch_model_save(model, path));
    fmatch_model_destroy(&model);
    read_image(&whole);
    for (size_t i = 0; i < COUNT(cases); i++) {
        image = whole;
        replace_in_header(&image, cases[i].saved, cases[i].wrong);
        write_image(&image);
        expect_refused(state, FMATCH_ERROR_FORMAT, cases[i].wrong);
        expect_detail(path, cases[i].word);
    }
    const float zero = 0;
    image = whole;
    const size_t at = (size_t)(data_of(&image) - image.bytes) +
                      (size_t)find_array(&image, "flowmatch.condition_std").begin;
    memcpy(image.bytes + at + sizeof zero, &zero, sizeof zero);
    write_image(&image);
    expect_refused(state, FMATCH_ERROR_FORMAT, "a deviation of 0");
    expect_detail(path, "config->condition_std[1]");
}

/* All kinds of path that can be saved, with numbers that no short decimal holds. */
static void paths_are_kept(void **state)
{
    static const struct {
        fmatch_path_config path;
        int32_t prediction;
    } cases[] = {
        {{.kind = FMATCH_PATH_LINEAR, .noise = 0.1}, FMATCH_PREDICTION_VELOCITY},
        {{.kind = FMATCH_PATH_LINEAR}, FMATCH_PREDICTION_DATA},
        {{.kind = FMATCH_PATH_POLYNOMIAL, .exponent = 1.1}, FMATCH_PREDICTION_NOISE},
        {{.kind = FMATCH_PATH_VARIANCE_PRESERVING, .beta_min = 0.3, .beta_max = 17.7},
         FMATCH_PREDICTION_DATA},
        {{.kind = FMATCH_PATH_LINEAR_VARIANCE_PRESERVING}, FMATCH_PREDICTION_NOISE},
        {{.kind = FMATCH_PATH_COSINE}, FMATCH_PREDICTION_DATA},
        {{.kind = FMATCH_PATH_LIPMAN, .sigma_min = 1e-4}, FMATCH_PREDICTION_DATA},
        {{.kind = FMATCH_PATH_BROWNIAN_BRIDGE, .diffusion = 1.0 / 3}, FMATCH_PREDICTION_VELOCITY},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        fmatch_path_config given = cases[i].path;
        given.struct_size = sizeof given;
        fmatch_mlp_config config;
        fmatch_mlp_config_init_preset(&config, FMATCH_PRESET_PLAIN);
        config.dim = 1;
        config.path = &given;
        config.prediction = cases[i].prediction;
        fmatch_model *model, *loaded;
        expect_ok(fmatch_model_create_mlp(&model, context_of(state), &config));
        expect_ok(fmatch_model_save(model, path));
        expect_ok(fmatch_model_load(&loaded, context_of(state), path));
        const float x[] = {1, -2, 0.5f}, t[] = {0.1f, 0.5f, 1};
        float v[3], again[3];
        expect_ok(fmatch_model_evaluate(model, 3, x, t, NULL, v));
        expect_ok(fmatch_model_evaluate(loaded, 3, x, t, NULL, again));
        expect_same_bits(v, again, 3, "case %zu", i);
        /* a second save is the same file: every setting came back to the last bit */
        static struct image first, second;
        read_image(&first);
        expect_ok(fmatch_model_save(loaded, path));
        read_image(&second);
        expect_same_image(&first, &second, "path");
        fmatch_model_destroy(&loaded);
        fmatch_model_destroy(&model);
    }
}

/* A toy on the noise side draws the same rows after loading. */
static void toys_as_noise_are_kept(void **state)
{
    static const fmatch_toy_config toys[] = {
        {.kind = FMATCH_TOY_TWO_MOONS, .convention = FMATCH_TOY_TORCHCFM, .noise = 0.3},
        {.kind = FMATCH_TOY_CHECKERBOARD, .convention = FMATCH_TOY_PLAIN, .noise = -1},
        {.kind = FMATCH_TOY_EIGHT_GAUSSIANS, .convention = FMATCH_TOY_FFJORD, .noise = -1},
    };
    for (size_t i = 0; i < COUNT(toys); i++) {
        fmatch_toy_config toy = toys[i];
        toy.struct_size = sizeof toy;
        fmatch_source *noise;
        expect_ok(fmatch_source_create_toy(&noise, context_of(state), &toy));
        fmatch_mlp_config config;
        fmatch_mlp_config_init_preset(&config, FMATCH_PRESET_PLAIN);
        config.dim = 2;
        config.noise = noise;
        fmatch_model *models[2];
        expect_ok(fmatch_model_create_mlp(&models[0], context_of(state), &config));
        fmatch_source_destroy(&noise);
        expect_ok(fmatch_model_save(models[0], path));
        expect_ok(fmatch_model_load(&models[1], context_of(state), path));
        float x[2][20];
        for (int k = 0; k < 2; k++) {
            fmatch_sampler *sampler = make_sampler(models[k], FMATCH_SOLVER_EULER, 2, 0, 1);
            expect_ok(fmatch_sampler_draw(sampler, 3, 0, 10, NULL, x[k]));
            fmatch_sampler_destroy(&sampler);
            fmatch_model_destroy(&models[k]);
        }
        expect_same_bits(x[0], x[1], 20, "toy %zu", i);
    }
}

static void bad_path_settings_are_refused(void **state)
{
    fmatch_path_config given = {
        .struct_size = sizeof given, .kind = FMATCH_PATH_BROWNIAN_BRIDGE, .diffusion = 0.5};
    fmatch_mlp_config config;
    fmatch_mlp_config_init_preset(&config, FMATCH_PRESET_PLAIN);
    config.dim = 1;
    config.path = &given;
    fmatch_model *model;
    expect_ok(fmatch_model_create_mlp(&model, context_of(state), &config));
    expect_ok(fmatch_model_save(model, path));
    fmatch_model_destroy(&model);
    static struct image whole, image;
    read_image(&whole);
    static const char *const wrong[] = {"",     "p",    "1",     "1p",    "1p-",
                                        "-1p0", "1p99", "0x1p0", "1p-1 ", "1.5p0"};
    for (size_t i = 0; i < COUNT(wrong); i++) {
        char changed[64];
        snprintf(changed, sizeof changed, "\"flowmatch.path.diffusion\":\"%s\"", wrong[i]);
        image = whole;
        replace_in_header(&image, "\"flowmatch.path.diffusion\":\"1p-1\"", changed);
        write_image(&image);
        expect_refused(state, FMATCH_ERROR_FORMAT, changed);
        expect_detail(path);
    }
}

static void a_newer_version_is_refused_as_such(void **state)
{
    static const char *const newer[] = {"4", "10", "999999"};
    static struct image whole, image;
    save_full(state, &whole);
    for (size_t i = 0; i < COUNT(newer); i++) {
        char changed[64];
        snprintf(changed, sizeof changed, "\"flowmatch.version\":\"%s\"", newer[i]);
        image = whole;
        replace_in_header(&image, "\"flowmatch.version\":\"1\"", changed);
        write_image(&image);
        expect_refused(state, FMATCH_ERROR_VERSION, changed);
        expect_detail(path, newer[i]);
    }
}

static void too_many_layers_are_refused(void **state)
{
    static struct image image;
    char widths[512] = "\"flowmatch.hidden_widths\":\"2";
    for (int i = 0; i < 64; i++)
        strcat(widths, ",2");
    strcat(widths, "\"");
    save_full(state, &image);
    replace_in_header(&image, "\"flowmatch.hidden_widths\":\"2\"", widths);
    write_image(&image);
    expect_refused(state, FMATCH_ERROR_FORMAT, "65 layers");
    expect_detail("flowmatch.hidden_widths");
}

/* Arrays that the configuration promises, and values that a caller could not set either. */
static void each_array_must_be_there_and_fit(void **state)
{
    static const char *const names[] = {"net.0.weight",
                                        "net.0.bias",
                                        "net.2.weight",
                                        "net.2.bias",
                                        "flowmatch.data_mean",
                                        "flowmatch.data_std",
                                        "flowmatch.noise.weights",
                                        "flowmatch.noise.means",
                                        "flowmatch.noise.stds"};
    static struct image whole, image;
    save_full(state, &whole);
    for (size_t i = 0; i < COUNT(names); i++) {
        char quoted[64], other[64];
        snprintf(quoted, sizeof quoted, "\"%s\"", names[i]);
        snprintf(other, sizeof other, "\"x%s\"", names[i]);
        image = whole;
        replace_in_header(&image, quoted, other);
        write_image(&image);
        expect_refused(state, FMATCH_ERROR_FORMAT, names[i]);
        expect_detail(path, names[i]);
    }
}

static void each_value_must_be_one_that_can_be_set(void **state)
{
    static const struct {
        const char *name;
        float value;
    } cases[] = {
        {"net.0.weight", NAN},          {"net.2.bias", INFINITY},
        {"flowmatch.data_mean", NAN},   {"flowmatch.data_std", -1.0f},
        {"flowmatch.data_std", NAN},    {"flowmatch.data_std", INFINITY},
        {"flowmatch.noise.means", NAN}, {"flowmatch.noise.stds", 0.0f},
        {"flowmatch.noise.stds", NAN},  {"flowmatch.noise.weights", -1.0f},
    };
    static struct image whole, image;
    save_full(state, &whole);
    for (size_t i = 0; i < COUNT(cases); i++) {
        image = whole;
        uint32_t bits;
        memcpy(&bits, &cases[i].value, sizeof bits);
        const size_t at = (size_t)(data_of(&image) - image.bytes) +
                          (size_t)find_array(&image, cases[i].name).begin;
        for (int b = 0; b < 4; b++)
            image.bytes[at + (size_t)b] = (unsigned char)(bits >> 8 * b);
        write_image(&image);
        char what[64];
        snprintf(what, sizeof what, "%s = %g", cases[i].name, (double)cases[i].value);
        expect_refused(state, FMATCH_ERROR_FORMAT, what);
        expect_detail(path);
    }
}

/* The file is named once, whatever was found at which depth. */
static void the_detail_names_the_file_once(void **state)
{
    static struct image image;
    save_full(state, &image);
    replace_in_header(&image, "\"flowmatch.dim\":\"1\"", "\"flowmatch.dim\":\"2\"");
    write_image(&image);
    expect_refused(state, FMATCH_ERROR_FORMAT, "dim 2");
    const char *first = strstr(fmatch_error_detail(), path);
    expect_that(first && !strstr(first + 1, path), "\"%s\"", fmatch_error_detail());
}

static void every_truncation_is_refused(void **state)
{
    static struct image image;
    save_full(state, &image);
    for (size_t size = image.size; size-- > 0;) {
        char what[64];
        assert_int_equal(truncate(path, (off_t)size), 0);
        snprintf(what, sizeof what, "cut to %zu of %zu bytes", size, image.size);
        expect_refused(state, FMATCH_ERROR_FORMAT, what);
    }
    image.size++;
    write_image(&image);
    expect_refused(state, FMATCH_ERROR_FORMAT, "one byte too many");
}

/* A file that loads holds what the model now has: saved again, its arrays are the same bytes. */
static void expect_consistent(fmatch_model *model, const struct image *image, const char *what)
{
    static struct image again;
    expect_ok(fmatch_model_save(model, path));
    read_image(&again);
    expect_that(data_size(&again) == data_size(image) &&
                    memcmp(data_of(&again), data_of(image), data_size(image)) == 0,
                "%s: loads, and holds other values than the model", what);
}

/* Loads the image, which holds one altered byte; whether it loads. */
static bool load_altered(void **state, const struct image *image, bool resave, const char *what)
{
    const int64_t live = live_blocks(state);
    fmatch_model *model = (void *)state;
    write_image(image);
    const fmatch_status status = fmatch_model_load(&model, context_of(state), path);
    const bool loads = status == FMATCH_OK;
    expect_that(loads || status == FMATCH_ERROR_FORMAT || status == FMATCH_ERROR_VERSION,
                "%s: %s (\"%s\")", what, fmatch_status_get_name(status), fmatch_error_detail());
    expect_that(loads == (model != NULL), "%s: model %p", what, (void *)model);
    if (loads && resave)
        expect_consistent(model, image, what);
    fmatch_model_destroy(&model);
    expect_that(live_blocks(state) == live, "%s: %lld blocks leaked", what,
                (long long)(live_blocks(state) - live));
    return loads;
}

static void every_altered_byte_is_noticed_or_harmless(void **state)
{
    static const unsigned char others[] = {0, '"', '}', '9', ',', 0x80, 0xff};
    static struct image image;
    save_full(state, &image);
    const size_t data_at = image.size - data_size(&image);
    int header_loads = 0, data_loads = 0;
    for (size_t i = 0; i < image.size; i++)
        for (size_t k = 0; k <= COUNT(others); k++) {
            const unsigned char before = image.bytes[i];
            const bool in_header = i < data_at, flip = k == COUNT(others);
            image.bytes[i] = flip ? before ^ 1 : others[k];
            if (image.bytes[i] == before)
                continue;
            char what[64];
            snprintf(what, sizeof what, "byte %zu is %u instead of %u", i, image.bytes[i], before);
            /* A save is flushed to disk: one for each byte will do. */
            *(in_header ? &header_loads : &data_loads) +=
                load_altered(state, &image, in_header || flip, what);
            image.bytes[i] = before;
        }
    /* Of the arrays' bytes most may be others, of the header's hardly one. */
    expect_that(header_loads < 20 && data_loads > 200, "%d and %d of them load", header_loads,
                data_loads);
}

/* ---- memory in proportion to the file ---- */

/* A context whose largest request for memory is kept. */
struct watch {
    struct ledger ledger; /* first: what the ledger's functions are lent */
    size_t largest;
};

static void *watch_alloc(void *user, size_t size, size_t align)
{
    struct watch *watch = user;
    if (size > watch->largest)
        watch->largest = size;
    return ledger_alloc(&watch->ledger, size, align);
}

static void expect_refused_in_proportion(const struct image *image, const char *what)
{
    enum { TABLES = 1 << 20 }; /* of names, whatever the file */
    struct watch watch = {0};
    fmatch_allocator allocator = ledger_allocator(&watch.ledger);
    allocator.alloc = watch_alloc;
    fmatch_context_config config;
    fmatch_context_config_init(&config);
    config.allocator = &allocator;
    fmatch_context *context;
    fmatch_model *model = (void *)&watch;
    expect_ok(fmatch_context_create(&context, &config));
    write_image(image);
    expect_status(fmatch_model_load(&model, context, path), FMATCH_ERROR_FORMAT);
    assert_null(model);
    expect_that(watch.largest <= TABLES + 4 * image->size,
                "%s: %zu bytes asked for at once; the file has %zu", what, watch.largest,
                image->size);
    fmatch_context_destroy(&context);
    expect_balanced(&watch.ledger, what);
}

#define SETTINGS(dim, widths, noise)                                                               \
    "{\"flowmatch.version\":\"1\",\"flowmatch.kind\":\"mlp\",\"flowmatch.dim\":\"" dim             \
    "\",\"flowmatch.hidden_widths\":\"" widths "\",\"flowmatch.activation\":\"relu\","             \
    "\"flowmatch.path\":\"linear\",\"flowmatch.prediction\":\"velocity\","                         \
    "\"flowmatch.noise\":\"" noise "\"}"

static void what_a_small_file_promises_costs_no_memory(void **state)
{
    (void)state;
    static struct image image;
    const struct array small[] = {{"net.0.weight", F32, 2, {2, 2}, w0}};
    build(&image, SETTINGS("65536", "65536,65536", "default"), small, COUNT(small));
    expect_refused_in_proportion(&image, "huge widths");
    build(&image, SETTINGS("65536", "", "standard_normal"), small, COUNT(small));
    expect_refused_in_proportion(&image, "a huge dim");
    build(&image, SETTINGS("1", "65536,65536,65536", "gaussian_mixture"), NULL, 0);
    expect_refused_in_proportion(&image, "no arrays at all");

    /* Empty arrays of any shape take no room in the file. */
    const struct array empty[] = {{"net.0.weight", F32, 2, {65536, 0}, NULL},
                                  {"net.2.weight", F32, 2, {0, 65536}, NULL}};
    build(&image, SETTINGS("65536", "65536", "default"), empty, COUNT(empty));
    expect_refused_in_proportion(&image, "empty arrays");

    /* Each array is there, but for means and stds: rows of one, columns of another. */
    const struct array noise[] = {{"net.0.weight", F32, 2, {1, 4097}, NULL},
                                  {"net.0.bias", F32, 1, {1}, NULL},
                                  {"net.2.weight", F32, 2, {4096, 1}, NULL},
                                  {"net.2.bias", F32, 1, {4096}, NULL},
                                  {"flowmatch.noise.weights", F32, 1, {4096}, NULL},
                                  {"flowmatch.noise.means", F32, 2, {1, 1}, NULL},
                                  {"flowmatch.noise.stds", F32, 2, {1, 1}, NULL}};
    build(&image, SETTINGS("4096", "1", "gaussian_mixture"), noise, COUNT(noise));
    expect_refused_in_proportion(&image, "many weights and few means");
    build(&image, SETTINGS("4096", "1", "gaussian_mixture"), noise, COUNT(noise) - 2);
    expect_refused_in_proportion(&image, "many weights and no means");
}

/* ---- places that cannot be read or written ---- */

static void null_is_refused(void **state)
{
    fmatch_model *model = make_small(context_of(state)), *out = model;
    expect_status(fmatch_model_save(NULL, path), FMATCH_ERROR_ARGUMENT);
    expect_detail("model");
    expect_status(fmatch_model_save(model, NULL), FMATCH_ERROR_ARGUMENT);
    expect_detail("path");
    expect_status(fmatch_model_load(NULL, context_of(state), path), FMATCH_ERROR_ARGUMENT);
    expect_status(fmatch_model_load(&out, NULL, path), FMATCH_ERROR_ARGUMENT);
    assert_null(out);
    out = model;
    expect_status(fmatch_model_load(&out, context_of(state), NULL), FMATCH_ERROR_ARGUMENT);
    assert_null(out);
    expect_status(fmatch_model_load_tensors(NULL, path, NULL), FMATCH_ERROR_ARGUMENT);
    expect_status(fmatch_model_load_tensors(model, NULL, NULL), FMATCH_ERROR_ARGUMENT);
    fmatch_model_destroy(&model);
}

static void what_cannot_be_read_is_said(void **state)
{
    expect_refused(state, FMATCH_ERROR_IO, "no file");
    expect_detail(path);
    assert_int_equal(mkdir(path, 0700), 0);
    expect_refused(state, FMATCH_ERROR_IO, "a folder");
    expect_detail(path);
    assert_int_equal(rmdir(path), 0);
    assert_int_equal(mkfifo(path, 0600), 0); /* must not wait for a writer */
    expect_refused(state, FMATCH_ERROR_IO, "a pipe");
    expect_detail(path);
}

/* Saving to `place` fails with its name in the detail. */
static void expect_not_saved(const fmatch_model *model, const char *place)
{
    expect_status(fmatch_model_save(model, place), FMATCH_ERROR_IO);
    expect_detail(place);
}

static void what_cannot_be_written_is_said(void **state)
{
    char place[4100];
    struct stat facts;
    fmatch_model *model = make_small(context_of(state));
    snprintf(place, sizeof place, "%s/missing/model", folder);
    expect_not_saved(model, place);
    expect_not_saved(model, "");

    assert_int_equal(mkdir(path, 0700), 0);
    expect_not_saved(model, path);
    snprintf(place, sizeof place, "%s/", path);
    expect_not_saved(model, place);
    assert_int_equal(rmdir(path), 0); /* still there, still empty */

    expect_ok(fmatch_model_save(model, path));
    static struct image before, after;
    read_image(&before);
    snprintf(place, sizeof place, "%s/model", path);
    expect_not_saved(model, place);
    read_image(&after);
    expect_same_image(&before, &after, "a file taken for a folder");

    snprintf(place, sizeof place, "%s/pipe", folder);
    assert_int_equal(mkfifo(place, 0600), 0);
    expect_not_saved(model, place); /* a device or a pipe is not replaced by a file */
    expect_that(lstat(place, &facts) == 0 && S_ISFIFO(facts.st_mode), "the pipe is gone");
    fmatch_model_destroy(&model);
}

/* A limit on the size of files is met like a full disk, and holds for root too. */
static void a_full_disk_leaves_the_former_file(void **state)
{
    struct rlimit usual, narrow;
    static struct image before, after;
    const struct spec other = {1, 1, {40}, FMATCH_ACTIVATION_RELU, false, NOISE_DEFAULT};
    fmatch_model *model = make_model(context_of(state), &other, 1);
    save_full(state, &before);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &usual), 0);
    void (*former)(int) = signal(SIGXFSZ, SIG_IGN);
    static const rlim_t sizes[] = {0, 1, 8, 100, 900};
    for (size_t i = 0; i < COUNT(sizes); i++) {
        narrow = usual;
        narrow.rlim_cur = sizes[i];
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &narrow), 0);
        const fmatch_status status = fmatch_model_save(model, path);
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &usual), 0);
        expect_that(status == FMATCH_ERROR_IO, "room for %d bytes: %s", (int)sizes[i],
                    fmatch_status_get_name(status));
        expect_detail(path);
        read_image(&after);
        expect_same_image(&before, &after, "a full disk");
    }
    signal(SIGXFSZ, former);
    fmatch_model_destroy(&model);
}

/* ---- interrupted and at once ---- */

/* Two models of one shape, so that no value of one fits the other by chance. */
struct pair {
    fmatch_model *model[2];
};

static struct pair make_pair(fmatch_context *context)
{
    const struct spec spec = {2, 2, {24, 24}, FMATCH_ACTIVATION_GELU, true, NOISE_MIXTURE};
    return (struct pair){{make_model(context, &spec, 1), make_model(context, &spec, 2)}};
}

static void destroy_pair(struct pair *pair)
{
    fmatch_model_destroy(&pair->model[1]);
    fmatch_model_destroy(&pair->model[0]);
}

/* The file is one of the two, whole; which? */
static int expect_either(fmatch_context *context, const struct pair *pair, const char *what)
{
    fmatch_model *loaded;
    const fmatch_status status = fmatch_model_load(&loaded, context, path);
    expect_that(status == FMATCH_OK, "%s: %s (\"%s\")", what, fmatch_status_get_name(status),
                fmatch_error_detail());
    int64_t count;
    float *seen = read_parameters(loaded, &count), *first = read_parameters(pair->model[0], &count);
    const int which = memcmp(seen, first, (size_t)count * sizeof *seen) != 0;
    expect_same_model(loaded, pair->model[which], what);
    free(first);
    free(seen);
    fmatch_model_destroy(&loaded);
    return which;
}

/* Saves the two in turn until it is killed; says when it begins. */
static void save_for_ever(const struct pair *pair, int ready)
{
    if (write(ready, "x", 1) != 1)
        _exit(1);
    for (int i = 0;; i++)
        if (fmatch_model_save(pair->model[i % 2], path) != FMATCH_OK)
            _exit(1);
}

static void kill_while_saving(const struct pair *pair, long microseconds)
{
    int ready[2], ended;
    char byte;
    assert_int_equal(pipe(ready), 0);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        save_for_ever(pair, ready[1]);
    close(ready[1]);
    const ssize_t told = read(ready[0], &byte, 1);
    close(ready[0]);
    const struct timespec pause = {.tv_nsec = 1000 * microseconds};
    nanosleep(&pause, NULL);
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, &ended, 0), child);
    expect_that(told == 1 && WIFSIGNALED(ended) && WTERMSIG(ended) == SIGKILL,
                "the child ended by itself, status %d", ended);
}

static void killed_while_saving_it_leaves_a_whole_file(void **state)
{
    enum { KILLS = 60, LONGEST = 20000 };
    struct pair pair = make_pair(context_of(state));
    uint64_t moments = 1;
    expect_ok(fmatch_model_save(pair.model[0], path));
    for (int i = 0; i < KILLS; i++) {
        char what[64];
        const long microseconds = (long)(LONGEST * scatter(&moments));
        snprintf(what, sizeof what, "kill %d, after %ld microseconds", i, microseconds);
        kill_while_saving(&pair, microseconds);
        expect_either(context_of(state), &pair, what);
    }
    /* What the dead left beside does not disturb later saves, which leave nothing more. */
    for (int i = 0; i < 4; i++) {
        expect_ok(fmatch_model_save(pair.model[i % 2], path));
        assert_int_equal(expect_either(context_of(state), &pair, "afterwards"), i % 2);
    }
    const int left = empty_folder();
    expect_that(left > 0 && left <= KILLS, "%d of %d kills hit a save", left, KILLS);
    destroy_pair(&pair);
}

struct saver {
    const fmatch_model *model;
    fmatch_status status;
};

static void *save_often(void *user)
{
    struct saver *saver = user;
    for (int i = 0; i < 20 && saver->status == FMATCH_OK; i++)
        saver->status = fmatch_model_save(saver->model, path);
    return NULL;
}

static void threads_that_save_to_one_file_leave_it_whole(void **state)
{
    struct pair pair = make_pair(context_of(state));
    struct saver savers[2] = {{pair.model[0], FMATCH_OK}, {pair.model[1], FMATCH_OK}};
    pthread_t threads[2];
    expect_ok(fmatch_model_save(pair.model[0], path));
    for (size_t i = 0; i < COUNT(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, save_often, &savers[i]), 0);
    for (int i = 0; i < 20; i++)
        expect_either(context_of(state), &pair, "meanwhile");
    for (size_t i = 0; i < COUNT(threads); i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        expect_that(savers[i].status == FMATCH_OK, "thread %zu: %s", i,
                    fmatch_status_get_name(savers[i].status));
    }
    expect_either(context_of(state), &pair, "at the end");
    destroy_pair(&pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        folder_test(a_saved_model_comes_back_with_its_bits),
        folder_test(a_model_outlives_its_maker_on_disk),
        folder_test(training_goes_on_with_a_loaded_model),
        folder_test(names_and_layout_are_pytorchs),
        folder_test(metadata_holds_the_configuration),
        folder_test(what_no_file_can_hold_is_unsupported),
        folder_test(states_load_under_other_names),
        folder_test(states_load_from_every_float_type),
        folder_test(other_arrays_are_ignored),
        folder_test(a_model_file_is_a_state),
        folder_test(states_that_do_not_fit_change_nothing),
        folder_test(wrong_maps_are_refused),
        folder_test(only_parameters_can_be_replaced),
        folder_test(a_plain_state_is_refused_with_a_hint),
        folder_test(each_setting_must_be_there),
        folder_test(each_setting_must_be_known),
        folder_test(conditions_are_kept),
        folder_test(networks_are_kept),
        folder_test(bad_networks_are_refused),
        folder_test(paths_are_kept),
        folder_test(toys_as_noise_are_kept),
        folder_test(bad_path_settings_are_refused),
        folder_test(a_newer_version_is_refused_as_such),
        folder_test(too_many_layers_are_refused),
        folder_test(each_array_must_be_there_and_fit),
        folder_test(each_value_must_be_one_that_can_be_set),
        folder_test(the_detail_names_the_file_once),
        folder_test(every_truncation_is_refused),
        folder_test(every_altered_byte_is_noticed_or_harmless),
        folder_test(what_a_small_file_promises_costs_no_memory),
        folder_test(null_is_refused),
        folder_test(what_cannot_be_read_is_said),
        folder_test(what_cannot_be_written_is_said),
        folder_test(a_full_disk_leaves_the_former_file),
        folder_test(killed_while_saving_it_leaves_a_whole_file),
        folder_test(threads_that_save_to_one_file_leave_it_whole),
    };
    return cmocka_run_group_tests_name("model_file", tests, NULL, NULL);
}
