/* Learn where a simulated ball ends up: a function of yours as the distribution to be learned. */
#include "command_line.h"
#include "custom_target/rolling_ball.h"
#include "output_file.h"
#include "progress.h"
#include "samples_picture/samples_picture.h"
#include <flowmatch/flowmatch.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { DIM = 2, ROWS = 5000 };

struct settings {
    const char *drag, *out;
    int64_t steps;
    uint64_t seed;
};

struct experiment {
    fmatch_context *context;
    fmatch_source *target;
    fmatch_model *model;
    fmatch_optimizer *optimizer;
    fmatch_trainer *trainer;
    fmatch_sampler *sampler;
};

/** The callback. All randomness comes from `random`, which is told the row first: so a row is the
 * same whichever batch it comes in, and the whole run is reproducible. */
static int32_t draw_end_states(void *user, fmatch_random *random, int64_t first_row, int64_t n,
                               float *x)
{
    const float *drag = user;
    int32_t error = 0;

    (void)first_row; /* `random` counts rows from there */
    for (int64_t i = 0; !error && i < n; i++) {
        fmatch_random_set_row(random, i);
        error = roll(*drag, random, x + DIM * i);
    }
    return error;
}

static fmatch_status create_model(struct experiment *e, uint64_t seed)
{
    fmatch_mlp_config network;

    fmatch_mlp_config_init(&network);
    network.data = e->target; /* whose mean and deviation are measured on draws of it */
    network.hidden_layers = 3, network.hidden_width = 96;
    network.seed = seed;
    return fmatch_model_create_mlp(&e->model, e->context, &network);
}

static fmatch_status experiment_create(struct experiment *e, float *drag,
                                       const struct settings *settings)
{
    const fmatch_source_callbacks callbacks = {
        .struct_size = sizeof callbacks, .draw = draw_end_states, .user = drag};
    fmatch_trainer_config training;
    fmatch_status status;

    fmatch_trainer_config_init(&training);
    training.seed = settings->seed;
    training.steps = settings->steps; /* over which the learning rate falls */
    if ((status = fmatch_context_create(&e->context, NULL)) != FMATCH_OK ||
        (status = fmatch_source_create_callback(&e->target, e->context, DIM, &callbacks)) !=
            FMATCH_OK ||
        (status = create_model(e, settings->seed)) != FMATCH_OK ||
        (status = fmatch_optimizer_create_adam(&e->optimizer, e->context, NULL)) != FMATCH_OK ||
        (status = fmatch_trainer_create(&e->trainer, e->model, e->optimizer, e->target,
                                        &training)) != FMATCH_OK)
        return status;
    return fmatch_sampler_create(&e->sampler, e->model, NULL);
}

static void experiment_destroy(struct experiment *e)
{
    fmatch_sampler_destroy(&e->sampler);
    fmatch_trainer_destroy(&e->trainer);
    fmatch_optimizer_destroy(&e->optimizer);
    fmatch_model_destroy(&e->model);
    fmatch_source_destroy(&e->target);
    fmatch_context_destroy(&e->context);
}

static float samples[ROWS * DIM], simulated[ROWS * DIM], simulated_again[ROWS * DIM];

/** Finite sets are never at distance zero: the samples' is seen beside that of simulated rows. */
static fmatch_status compare(const struct experiment *e, uint64_t seed)
{
    double to_samples, to_itself;
    fmatch_status status;

    if ((status = fmatch_source_draw(e->target, seed + 1, 0, ROWS, simulated)) != FMATCH_OK ||
        (status = fmatch_source_draw(e->target, seed + 2, 0, ROWS, simulated_again)) != FMATCH_OK ||
        (status = fmatch_sampler_draw(e->sampler, seed, 0, ROWS, NULL, samples)) != FMATCH_OK ||
        (status = fmatch_metrics_evaluate_energy_distance(DIM, ROWS, simulated, ROWS, samples,
                                                          &to_samples)) != FMATCH_OK ||
        (status = fmatch_metrics_evaluate_energy_distance(
             DIM, ROWS, simulated, ROWS, simulated_again, &to_itself)) != FMATCH_OK)
        return status;
    printf("energy distance, %d rows a side\n", ROWS);
    printf("  samples of the model to simulated rows   %.5f\n", to_samples);
    printf("  one set of simulated rows to another     %.5f\n", to_itself);
    return FMATCH_OK;
}

static int draw_picture(const char *directory)
{
    const struct samples_picture picture = {.dim = DIM,
                                            .n = ROWS,
                                            .data = simulated,
                                            .samples = samples,
                                            .data_title = "simulated",
                                            .samples_title = "drawn from the model",
                                            .names = {"position", "velocity"}};
    char path[4096];

    snprintf(path, sizeof path, "%s/scatter.png", directory);
    return samples_picture_write(&picture, path) ? 0 : 1;
}

/** What the library knows of a failure, and what the simulator knows of its own. */
static int report(fmatch_status status)
{
    int32_t code = fmatch_error_callback_code();

    fprintf(stderr, "custom_target: %s: %s\n", fmatch_status_get_text(status),
            fmatch_error_detail());
    if (code)
        fprintf(stderr, "the simulator's code is %d: %s\n", (int)code, roll_error_text(code));
    return 1;
}

static int run(const struct settings *settings)
{
    struct experiment e = {0};
    char *rest;
    float drag = strtof(settings->drag, &rest);
    fmatch_status status;

    if (*rest || rest == settings->drag)
        drag = NAN; /* which the simulator refuses, as it does a negative one */
    /* Should the simulator fail on the way, the model keeps what was learned in the steps before:
     * it can be sampled and saved, and the trainer can run again. */
    if ((status = experiment_create(&e, &drag, settings)) == FMATCH_OK &&
        (status = train_with_progress(e.trainer, settings->steps)) == FMATCH_OK)
        status = compare(&e, settings->seed);
    int end = status == FMATCH_OK ? draw_picture(settings->out) : report(status);
    experiment_destroy(&e);
    return end;
}

int main(int argc, char **argv)
{
    struct settings settings = {
        .drag = "0.1", .out = "out/custom_target", .steps = 5000, .seed = 42};
    const struct command_option options[] = {
        {"--drag", "X", "drag of the track, from 0 on", OPTION_TEXT, &settings.drag},
        {"--out", "DIR", "directory for the picture", OPTION_TEXT, &settings.out},
        {"--steps", "N", "training steps", OPTION_COUNT, &settings.steps},
        {"--seed", "N", "another seed gives another run", OPTION_SEED, &settings.seed},
    };
    const struct command_line line = {
        .program = "custom_target",
        .purpose = "Learn where a ball on a track with two hollows ends up, from a simulator.",
        .options = options,
        .count = sizeof options / sizeof options[0],
    };

    int end = command_line_read(&line, argc, argv);
    if (end != COMMAND_LINE_GO_ON)
        return end;
    return make_directories(settings.out) ? run(&settings) : 1;
}
