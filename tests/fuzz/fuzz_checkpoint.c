/* Any bytes as a checkpoint: a status that the documentation lists, no fault, no leak, no memory
 * out of proportion; a trainer that refuses them is as before, and one that takes them goes on. */
#include "fuzz_file.h"

enum { CHECKSUM_SIZE = 8, SOUND_MAX = 16384 };

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect_ok(fmatch_status status)
{
    EXPECT_ONE_OF(status, FMATCH_OK);
}

/* A trainer with a state of every kind. */
static fmatch_trainer *make_trainer(fmatch_context *context)
{
    fmatch_mlp_config net;
    fmatch_source *target;
    fmatch_model *model;
    fmatch_optimizer *optimizer;
    fmatch_trainer_config config;
    fmatch_trainer *trainer;
    const fmatch_validation_config validation = {
        .struct_size = sizeof validation, .patience = 3, .rows = 4, .every = 2};
    fmatch_mlp_config_init(&net);
    net.dim = 1, net.hidden_layers = 1, net.hidden_width = 2;
    fmatch_trainer_config_init(&config);
    config.batch = 2, config.average_decay = 0.9, config.validation = &validation;
    expect_ok(fmatch_source_create_normal(&target, context, 1));
    expect_ok(fmatch_model_create_mlp(&model, context, &net));
    expect_ok(fmatch_optimizer_create_adam(&optimizer, context, NULL));
    expect_ok(fmatch_trainer_create(&trainer, model, optimizer, target, &config));
    fmatch_source_destroy(&target);
    fmatch_model_destroy(&model);
    fmatch_optimizer_destroy(&optimizer);
    return trainer;
}

static uint64_t checksum(const uint8_t *data, size_t size)
{
    uint64_t value = ~(uint64_t)0;
    for (size_t i = 0; i < size; i++) {
        value ^= data[i];
        for (int bit = 0; bit < 8; bit++)
            value = value >> 1 ^ (value & 1 ? 0xC96C5795D7870F42u : 0);
    }
    return ~value;
}

/* A checkpoint of this trainer after five steps. */
static size_t sound_checkpoint(uint8_t *data, size_t max_size)
{
    static uint8_t sound[SOUND_MAX];
    static size_t size;
    if (size == 0) {
        char path[] = P_tmpdir "/flowmatch-XXXXXX";
        const int descriptor = mkstemp(path);
        fmatch_context *context = bounded_context();
        fmatch_trainer *trainer = make_trainer(context);
        expect_ok(fmatch_trainer_run(trainer, 5, NULL));
        expect_ok(fmatch_trainer_save(trainer, path));
        FILE *file = fopen(path, "rb");
        size = file ? fread(sound, 1, sizeof sound, file) : 0;
        if (descriptor < 0 || size == 0 || size == sizeof sound)
            abort();
        fclose(file);
        close(descriptor);
        unlink(path);
        fmatch_trainer_destroy(&trainer);
        fmatch_context_destroy(&context);
    }
    if (size > max_size)
        return 0;
    memcpy(data, sound, size);
    return size;
}

/* Mutates what is before the checksum and writes one that fits, without which every mutant would
 * end there; sometimes from a sound file again. One in eight is mutated blindly. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
    if (seed % 16 == 1) {
        const size_t sound = sound_checkpoint(data, max_size);
        size = sound > 0 ? sound : size;
    }
    if (size < CHECKSUM_SIZE || seed % 8 == 0)
        return LLVMFuzzerMutate(data, size, max_size);
    const size_t mutated = LLVMFuzzerMutate(data, size - CHECKSUM_SIZE, max_size - CHECKSUM_SIZE);
    const uint64_t value = checksum(data, mutated);
    for (int i = 0; i < CHECKSUM_SIZE; i++)
        data[mutated + (size_t)i] = (uint8_t)(value >> 8 * i);
    return mutated + CHECKSUM_SIZE;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static fmatch_context *context;
    if (!context)
        context = bounded_context();
    const char *path = file_of(data, size);
    fmatch_trainer *trainer = make_trainer(context);
    expect_ok(fmatch_trainer_run(trainer, 1, NULL));
    const fmatch_status status = fmatch_trainer_load(trainer, path);
    EXPECT_ONE_OF(status, FMATCH_OK, FMATCH_ERROR_STATE, FMATCH_ERROR_SHAPE, FMATCH_ERROR_FORMAT,
                  FMATCH_ERROR_VERSION);
    if (status != FMATCH_OK && fmatch_trainer_count_steps(trainer) != 1)
        abort();
    /* Parameters may be near the largest float, and the rows at their end. */
    EXPECT_ONE_OF(fmatch_trainer_run(trainer, 3, NULL), FMATCH_OK, FMATCH_ERROR_NOT_FINITE,
                  FMATCH_ERROR_ARGUMENT);
    fmatch_trainer_destroy(&trainer);
    return 0;
}
