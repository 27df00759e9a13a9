/* The density that a flow has learned, as a map, and whether it is one: its integral. */
#include "command_line.h"
#include "densities/moons.h"
#include "densities/moons_picture.h"
#include "learned_flow.h"
#include "output_file.h"

#include <inttypes.h>
#include <stdio.h>

struct settings {
    const char *out;
    int64_t steps, columns;
    uint64_t seed;
};

static struct moons moons;

static void print_results(void)
{
    const struct density_map *map = &moons.learned_map;

    printf("\nover %d by %d cells    exact  learned\n", map->columns, map->rows);
    printf("integral          %10.4f %8.4f\n\n", density_map_integral(&moons.exact_map),
           density_map_integral(map));
    printf("learned from exact: KL divergence %.4f nats, standard error %.4f\n", moons.divergence,
           moons.divergence_error);
    printf("entropy of the moons: %.4f nats\n\n"
           "integral: 1 for a density, of which the map shows nearly all\n"
           "KL divergence: mean of log p - log q over %d fresh rows; 0 for the exact density\n\n",
           moons.entropy, FRESH_ROWS);
}

static fmatch_status learn(const struct settings *settings)
{
    const struct learning learning = {.hidden_layers = 3,
                                      .hidden_width = 64,
                                      .batch = 256,
                                      .steps = settings->steps,
                                      .seed = settings->seed};
    int columns = (int)settings->columns;
    fmatch_model *model = NULL;
    fmatch_status status = moons_create(&moons, columns, settings->seed);

    if (status == FMATCH_OK &&
        (status = learn_flow(&model, moons.context, moons.data, &learning)) == FMATCH_OK) {
        fprintf(stderr, "log-density of %" PRId64 " columns of cells\n", (int64_t)columns);
        status = moons_compare(&moons, model);
    }
    fmatch_model_destroy(&model);
    return status;
}

static int run(const struct settings *settings)
{
    int end = report_status("densities", learn(settings));
    char path[4096];

    if (end == 0) {
        print_results();
        snprintf(path, sizeof path, "%s/moons.png", settings->out);
        end = moons_picture_write(&moons, path) ? 0 : 1;
    }
    moons_destroy(&moons);
    return end;
}

int main(int argc, char **argv)
{
    struct settings settings = {.out = "out/densities", .steps = 10000, .columns = 116, .seed = 42};
    const struct command_option options[] = {
        {"--out", "DIR", "directory for the picture", OPTION_TEXT, &settings.out},
        {"--steps", "N", "training steps", OPTION_COUNT, &settings.steps},
        {"--columns", "N", "of the map, at most 1000", OPTION_COUNT, &settings.columns},
        {"--seed", "N", "another seed gives another run", OPTION_SEED, &settings.seed},
    };
    const struct command_line line = {
        .program = "densities",
        .purpose = "Learn two moons, draw the log-density that the flow has learned beside the "
                   "exact one, and\nintegrate it.",
        .options = options,
        .count = sizeof options / sizeof options[0],
    };

    int end = command_line_read(&line, argc, argv);
    if (end != COMMAND_LINE_GO_ON)
        return end;
    if (!command_line_allows(&line, "--columns", settings.columns, 1, 1000))
        return 2;
    return make_directories(settings.out) ? run(&settings) : 1;
}
