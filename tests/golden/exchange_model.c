/* The library's side of pytorch_exchange.py: saves models, loads them, and evaluates rows [t, x]
 * from the standard input as floats, with the velocities as floats to the standard output. */
#include <flowmatch/flowmatch.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(call)                                                                                \
    do {                                                                                           \
        const fmatch_status status = (call);                                                       \
        if (status != FMATCH_OK) {                                                                 \
            fprintf(stderr, "%s: %s (%s)\n", #call, fmatch_status_get_name(status),                \
                    fmatch_error_detail());                                                        \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

enum { LAYERS_MAX = 64, DIM_MAX = 256, ROWS_MAX = 1024 };

/* A model from ACTIVATION DIM SCALED WIDTH... */
static fmatch_model *make_model(fmatch_context *context, int count, char **numbers)
{
    static float mean[DIM_MAX], std[DIM_MAX];
    static int32_t widths[LAYERS_MAX];
    fmatch_mlp_config config;
    fmatch_mlp_config_init_preset(&config, FMATCH_PRESET_PLAIN);
    config.activation = atoi(numbers[0]);
    config.dim = atoi(numbers[1]);
    config.seed = 5;
    for (int j = 0; j < DIM_MAX; j++) {
        mean[j] = 0.5f * (float)j - 0.75f;
        std[j] = 2.5f / (float)(j + 1);
    }
    if (atoi(numbers[2])) {
        config.data_mean = mean;
        config.data_std = std;
    }
    config.hidden_layers = count - 3;
    for (int l = 0; l < config.hidden_layers && l < LAYERS_MAX; l++)
        widths[l] = atoi(numbers[3 + l]);
    config.hidden_widths = widths;
    fmatch_model *model;
    CHECK(fmatch_model_create_mlp(&model, context, &config));
    return model;
}

static void evaluate(const fmatch_model *model)
{
    static float rows[ROWS_MAX * (1 + DIM_MAX)], t[ROWS_MAX], x[ROWS_MAX * DIM_MAX];
    const size_t dim = (size_t)fmatch_model_get_dim(model);
    const size_t n = fread(rows, (1 + dim) * sizeof *rows, ROWS_MAX, stdin);
    for (size_t i = 0; i < n; i++) {
        t[i] = rows[i * (1 + dim)];
        memcpy(x + i * dim, rows + i * (1 + dim) + 1, dim * sizeof *x);
    }
    CHECK(fmatch_model_evaluate(model, (int64_t)n, x, t, NULL, x));
    if (fwrite(x, dim * sizeof *x, n, stdout) != n)
        exit(1);
}

int main(int argc, char **argv)
{
    static const char usage[] = "usage: exchange_model save FILE ACTIVATION DIM SCALED WIDTH...\n"
                                "       exchange_model evaluate FILE\n"
                                "       exchange_model evaluate_state FILE PREFIX ACTIVATION DIM "
                                "SCALED WIDTH...\n";
    const char *verb = argc > 2 ? argv[1] : "";
    fmatch_context *context;
    fmatch_model *model = NULL;
    CHECK(fmatch_context_create(&context, NULL));
    if (strcmp(verb, "save") == 0 && argc >= 6) {
        model = make_model(context, argc - 3, argv + 3);
        CHECK(fmatch_model_save(model, argv[2]));
    } else if (strcmp(verb, "evaluate") == 0) {
        CHECK(fmatch_model_load(&model, context, argv[2]));
        evaluate(model);
    } else if (strcmp(verb, "evaluate_state") == 0 && argc >= 7) {
        const fmatch_tensor_map map = {.struct_size = sizeof map, .prefix = argv[3]};
        model = make_model(context, argc - 4, argv + 4);
        CHECK(fmatch_model_load_tensors(model, argv[2], &map));
        evaluate(model);
    } else {
        fputs(usage, stderr);
        return 2;
    }
    fmatch_model_destroy(&model);
    fmatch_context_destroy(&context);
    return 0;
}
