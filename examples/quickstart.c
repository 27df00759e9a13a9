/* Train a network to turn Gaussian noise into a mixture of two Gaussians, then sample from it. */
#include <flowmatch/flowmatch.h>
#include <stdio.h>
#include <stdlib.h>

#define CHECK(call)                                                                                \
    do {                                                                                           \
        fmatch_status status = (call);                                                             \
        if (status != FMATCH_OK) {                                                                 \
            fprintf(stderr, "%s: %s\n", fmatch_status_get_text(status), fmatch_error_detail());    \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

static float samples[100000];

int main(void)
{
    fmatch_context *context;
    CHECK(fmatch_context_create(&context, NULL));

    const float weights[] = {0.55f, 0.45f}, means[] = {-0.85f, 1.5f}, stds[] = {0.65f, 0.25f};
    fmatch_source *target; /* any data will do: a CSV file, an array, a function of yours */
    CHECK(fmatch_source_create_gaussian_mixture(&target, context, 1, 2, weights, means, stds));

    fmatch_mlp_config net;
    fmatch_mlp_config_init(&net);
    net.data = target, net.seed = 626; /* its dimension, mean and deviation are measured */
    fmatch_model *model;
    CHECK(fmatch_model_create_mlp(&model, context, &net));
    fmatch_optimizer *adam;
    CHECK(fmatch_optimizer_create_adam(&adam, context, NULL));

    fmatch_trainer_config training;
    fmatch_trainer_config_init(&training);
    training.steps = 4000, training.seed = 42; /* over which the learning rate falls */
    fmatch_trainer *trainer;
    CHECK(fmatch_trainer_create(&trainer, model, adam, target, &training));
    CHECK(fmatch_trainer_run(trainer, training.steps, NULL));

    fmatch_sampler_config solver;
    fmatch_sampler_config_init(&solver);
    solver.solver = FMATCH_SOLVER_MIDPOINT, solver.steps = 50;
    fmatch_sampler *sampler;
    CHECK(fmatch_sampler_create(&sampler, model, &solver));
    CHECK(fmatch_sampler_draw(sampler, 1, 0, 100000, NULL, samples));

    double sum = 0, squares = 0;
    for (int i = 0; i < 100000; i++)
        sum += samples[i], squares += (double)samples[i] * samples[i];
    double mean = sum / 100000, variance = squares / 100000 - mean * mean;
    printf("mean %.4f (exact 0.2075), variance %.4f (exact 1.6273)\n", mean, variance);

    fmatch_sampler_destroy(&sampler);
    fmatch_trainer_destroy(&trainer);
    fmatch_optimizer_destroy(&adam);
    fmatch_model_destroy(&model);
    fmatch_source_destroy(&target);
    fmatch_context_destroy(&context);
}
