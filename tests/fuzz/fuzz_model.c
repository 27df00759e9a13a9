/* Any bytes as a model file: a status that the documentation lists, no fault, no leak, no memory
 * out of proportion; and what loads can be evaluated. */
#include "fuzz_file.h"

enum { LENGTH_SIZE = 8, ROWS = 3 };

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t header_length(const uint8_t *data)
{
    uint64_t length = 0;
    for (int i = LENGTH_SIZE - 1; i >= 0; i--)
        length = length << 8 | data[i];
    return length;
}

/* Mutates the header or the arrays by themselves and writes the header's new length, without which
 * nearly every mutant would end at its first check. One in eight is mutated blindly. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
    if (size < LENGTH_SIZE || header_length(data) > size - LENGTH_SIZE || seed % 8 == 0)
        return LLVMFuzzerMutate(data, size, max_size);
    const size_t length = (size_t)header_length(data), rest = size - LENGTH_SIZE - length;
    if (seed % 8 == 1 && rest > 0)
        return LENGTH_SIZE + length +
               LLVMFuzzerMutate(data + LENGTH_SIZE + length, rest, max_size - LENGTH_SIZE - length);
    uint8_t *arrays = malloc(rest + 1);
    if (!arrays)
        abort();
    memcpy(arrays, data + LENGTH_SIZE + length, rest);
    const size_t mutated =
        LLVMFuzzerMutate(data + LENGTH_SIZE, length, max_size - LENGTH_SIZE - rest);
    memcpy(data + LENGTH_SIZE + mutated, arrays, rest);
    for (int i = 0; i < LENGTH_SIZE; i++)
        data[i] = (uint8_t)((uint64_t)mutated >> 8 * i);
    free(arrays);
    return LENGTH_SIZE + mutated + rest;
}

static void evaluate(const fmatch_model *model)
{
    const int32_t dim = fmatch_model_get_dim(model);
    const int32_t columns = fmatch_model_get_condition_dim(model);
    float *x = calloc((size_t)dim * ROWS, sizeof *x);
    float *condition = calloc((size_t)columns * ROWS + 1, sizeof *condition);
    const float t[ROWS] = {0.0f, 0.5f, 1.0f};
    if (!x || !condition)
        abort();
    /* Parameters near the largest float give infinity, which is said. */
    EXPECT_ONE_OF(fmatch_model_evaluate(model, ROWS, x, t, columns > 0 ? condition : NULL, x),
                  FMATCH_OK, FMATCH_ERROR_NOT_FINITE);
    free(condition);
    free(x);
}

static fmatch_model *small_model(fmatch_context *context)
{
    fmatch_mlp_config config;
    fmatch_model *model;
    fmatch_mlp_config_init(&config);
    config.dim = 1;
    config.hidden_layers = 1;
    config.hidden_width = 2;
    if (fmatch_model_create_mlp(&model, context, &config) != FMATCH_OK)
        abort();
    return model;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static fmatch_context *context;
    if (!context)
        context = bounded_context();
    const char *path = file_of(data, size);

    fmatch_model *model;
    const fmatch_status loaded = fmatch_model_load(&model, context, path);
    EXPECT_ONE_OF(loaded, FMATCH_OK, FMATCH_ERROR_FORMAT, FMATCH_ERROR_VERSION);
    if ((loaded == FMATCH_OK) != (model != NULL))
        abort();
    if (model)
        evaluate(model);
    fmatch_model_destroy(&model);

    model = small_model(context);
    const fmatch_tensor_map bare = {.struct_size = sizeof bare, .prefix = ""};
    EXPECT_ONE_OF(fmatch_model_load_tensors(model, path, size % 2 ? &bare : NULL), FMATCH_OK,
                  FMATCH_ERROR_FORMAT, FMATCH_ERROR_SHAPE, FMATCH_ERROR_NOT_FINITE);
    evaluate(model);
    fmatch_model_destroy(&model);
    return 0;
}
