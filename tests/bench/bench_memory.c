/* Resident memory in MB at the end of the post's training, or of nothing at all: one program, so
 * that both are linked alike. Usage: bench_memory nothing|train */
#include <flowmatch/flowmatch.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CHECK(call)                                                                                \
    do {                                                                                           \
        fmatch_status status = (call);                                                             \
        if (status != FMATCH_OK) {                                                                 \
            fprintf(stderr, "%s: %s\n", fmatch_status_get_text(status), fmatch_error_detail());    \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

static void train(void)
{
    const float weights[] = {0.55f, 0.45f}, means[] = {-0.85f, 1.5f}, stds[] = {0.65f, 0.25f};
    fmatch_context_config surroundings;
    fmatch_context_config_init(&surroundings);
    surroundings.threads = 2;
    fmatch_context *context;
    CHECK(fmatch_context_create(&context, &surroundings));
    fmatch_source *target;
    CHECK(fmatch_source_create_gaussian_mixture(&target, context, 1, 2, weights, means, stds));
    fmatch_mlp_config network;
    fmatch_mlp_config_init_preset(&network, FMATCH_PRESET_PLAIN);
    network.dim = 1;
    fmatch_model *model;
    CHECK(fmatch_model_create_mlp(&model, context, &network));
    fmatch_optimizer *adam;
    CHECK(fmatch_optimizer_create_adam(&adam, context, NULL));
    fmatch_trainer *trainer;
    CHECK(fmatch_trainer_create(&trainer, model, adam, target, NULL));
    CHECK(fmatch_trainer_run(trainer, 10000, NULL));
    /* Handles stay: their memory is what is asked for. */
}

int main(int argc, char **argv)
{
    long pages = 0;
    if (argc > 1 && strcmp(argv[1], "train") == 0)
        train();
    FILE *file = fopen("/proc/self/statm", "r");
    if (!file || fscanf(file, "%*d %ld", &pages) != 1)
        return 1;
    fclose(file);
    printf("%.3f\n", 1e-6 * (double)pages * (double)sysconf(_SC_PAGESIZE));
    return 0;
}
