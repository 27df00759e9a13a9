/* Microseconds of one training step of the post's problem, one line for each repeat. */
#include <flowmatch/flowmatch.h>

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static void check(fmatch_status status)
{
    if (status == FMATCH_OK)
        return;
    fprintf(stderr, "%s: %s\n", fmatch_status_get_text(status), fmatch_error_detail());
    exit(1);
}

static double seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

int main(int argc, char **argv)
{
    const int steps = argc > 1 ? atoi(argv[1]) : 1000;
    const int repeats = argc > 2 ? atoi(argv[2]) : 1;
    const int threads = argc > 3 ? atoi(argv[3]) : 1;
    const float weights[] = {0.55f, 0.45f}, means[] = {-0.85f, 1.5f}, stds[] = {0.65f, 0.25f};
    fmatch_context *context;
    fmatch_source *target;
    fmatch_model *model;
    fmatch_optimizer *optimizer;
    fmatch_trainer *trainer;
    fmatch_mlp_config network;
    fmatch_trainer_config training;

    fmatch_context_config surroundings;
    fmatch_context_config_init(&surroundings);
    surroundings.threads = threads;
    check(fmatch_context_create(&context, &surroundings));
    check(fmatch_source_create_gaussian_mixture(&target, context, 1, 2, weights, means, stds));
    fmatch_mlp_config_init_preset(&network, FMATCH_PRESET_PLAIN);
    network.dim = 1;
    check(fmatch_model_create_mlp(&model, context, &network));
    check(fmatch_optimizer_create_adam(&optimizer, context, NULL));
    fmatch_trainer_config_init_preset(&training, FMATCH_PRESET_PLAIN);
    check(fmatch_trainer_create(&trainer, model, optimizer, target, &training));

    check(fmatch_trainer_run(trainer, 100, NULL)); /* warm-up */
    for (int i = 0; i < repeats; i++) {
        const double began = seconds_now();
        check(fmatch_trainer_run(trainer, steps, NULL));
        printf("%.3f\n", 1e6 * (seconds_now() - began) / steps);
    }

    fmatch_trainer_destroy(&trainer);
    fmatch_optimizer_destroy(&optimizer);
    fmatch_model_destroy(&model);
    fmatch_source_destroy(&target);
    fmatch_context_destroy(&context);
    return 0;
}
