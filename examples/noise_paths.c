/* The same starts without noise along the way and with two amounts of it. */
#include "command_line.h"
#include "learned_flow.h"
#include "noise_paths/paths_picture.h"
#include "output_file.h"

#include <inttypes.h>
#include <stdio.h>

struct settings {
    const char *out;
    int64_t steps, rows;
    uint64_t seed;
};

static struct journey journey;
static struct travel travels[] = {{.eta = 0}, {.eta = 0.5}, {.eta = 2}};
enum { TRAVELS = sizeof travels / sizeof travels[0] };

static fmatch_status run_all(const struct settings *settings)
{
    fmatch_model *learned = NULL;
    fmatch_status status = journey_create(&journey, settings->rows, settings->seed);
    const struct learning learning = {.noise = journey.noise,
                                      .hidden_layers = 2,
                                      .hidden_width = 64,
                                      .batch = 256,
                                      .steps = settings->steps,
                                      .seed = settings->seed};

    if (status == FMATCH_OK)
        status = learn_flow(&learned, journey.context, journey.target, &learning);
    for (int i = 0; status == FMATCH_OK && i < TRAVELS; i++)
        status = travel_run(&travels[i], &journey, learned, settings->seed);
    fmatch_model_destroy(&learned);
    return status;
}

static void print_results(void)
{
    printf("\nW1 from %" PRId64 " ends to the exact target, %d steps of Heun's method\n\n",
           journey.n, TRAVEL_STEPS);
    printf("noise eta   exact field  learned field   correlation of start and end\n");
    for (int i = 0; i < TRAVELS; i++)
        printf("%-9g %13.4f %14.4f %13.3f\n", travels[i].eta, travels[i].exact_w1,
               travels[i].learned_w1, travels[i].correlation);
    printf("\nas many rows of the target itself: %.4f\n"
           "eta: dx = (v - eta x0) dt + sqrt(2 eta (1 - t)) dW, with x0 the noise that the "
           "velocity tells;\n"
           "0 is the flow. The more noise, the less an end depends on its start.\n\n",
           journey.floor);
}

static int run(const struct settings *settings)
{
    int end = report_status("noise_paths", run_all(settings));
    char path[4096];

    if (end == 0) {
        print_results();
        snprintf(path, sizeof path, "%s/paths.png", settings->out);
        end = paths_picture_write(&journey, TRAVELS, travels, path) ? 0 : 1;
    }
    journey_destroy(&journey);
    return end;
}

int main(int argc, char **argv)
{
    struct settings settings = {.out = "out/noise_paths", .steps = 4000, .rows = 20000, .seed = 42};
    const struct command_option options[] = {
        {"--out", "DIR", "directory for the picture", OPTION_TEXT, &settings.out},
        {"--steps", "N", "training steps of the learned field", OPTION_COUNT, &settings.steps},
        {"--rows", "N", "starts, 60 to 100000", OPTION_COUNT, &settings.rows},
        {"--seed", "N", "another seed gives another run", OPTION_SEED, &settings.seed},
    };
    const struct command_line line = {
        .program = "noise_paths",
        .purpose = "Carry the same noise to a target of two peaks by the flow and with two amounts "
                   "of noise along\nthe way, by the exact field and by a learned one.",
        .options = options,
        .count = sizeof options / sizeof options[0],
    };

    int end = command_line_read(&line, argc, argv);
    if (end != COMMAND_LINE_GO_ON)
        return end;
    if (!command_line_allows(&line, "--rows", settings.rows, LEAST_TRAVELLERS, MOST_TRAVELLERS))
        return 2;
    return make_directories(settings.out) ? run(&settings) : 1;
}
