/* A program against the installed library, compiled as C and as C++. It trains, so that a static
 * link needs every part of the library and BLAS, and the mean of its samples is known. */
#include <flowmatch/flowmatch.h>

#include <stdio.h>

static const float weight[] = {1.0f}, mean[] = {3.0f}, deviation[] = {0.5f};
static float x[1000];

static fmatch_status train(fmatch_context *context, fmatch_model *model)
{
    fmatch_source *target = NULL;
    fmatch_optimizer *adam = NULL;
    fmatch_trainer *trainer = NULL;

    fmatch_status status =
        fmatch_source_create_gaussian_mixture(&target, context, 1, 1, weight, mean, deviation);
    if (status == FMATCH_OK)
        status = fmatch_optimizer_create_adam(&adam, context, NULL);
    if (status == FMATCH_OK)
        status = fmatch_trainer_create(&trainer, model, adam, target, NULL);
    if (status == FMATCH_OK)
        status = fmatch_trainer_run(trainer, 500, NULL);

    fmatch_trainer_destroy(&trainer);
    fmatch_optimizer_destroy(&adam);
    fmatch_source_destroy(&target);
    return status;
}

static fmatch_status train_and_draw(void)
{
    fmatch_context *context = NULL;
    fmatch_mlp_config network;
    fmatch_model *model = NULL;
    fmatch_sampler *sampler = NULL;

    fmatch_mlp_config_init(&network);
    network.dim = 1;
    fmatch_status status = fmatch_context_create(&context, NULL);
    if (status == FMATCH_OK)
        status = fmatch_model_create_mlp(&model, context, &network);
    if (status == FMATCH_OK)
        status = train(context, model);
    if (status == FMATCH_OK)
        status = fmatch_sampler_create(&sampler, model, NULL);
    if (status == FMATCH_OK)
        status = fmatch_sampler_draw(sampler, 1, 0, 1000, NULL, x);

    fmatch_sampler_destroy(&sampler);
    fmatch_model_destroy(&model);
    fmatch_context_destroy(&context);
    return status;
}

int main(void)
{
    double sum = 0;

    fmatch_status status = train_and_draw();
    if (status != FMATCH_OK) {
        fprintf(stderr, "%s: %s\n", fmatch_status_get_text(status), fmatch_error_detail());
        return 1;
    }
    for (int i = 0; i < 1000; i++)
        sum += x[i];
    printf("version %s, mean %.3f, wanted 3 within 0.3\n", fmatch_version_get_text(), sum / 1000);
    return fmatch_version_get_abi() == FMATCH_ABI_VERSION && sum > 2700 && sum < 3300 ? 0 : 1;
}
