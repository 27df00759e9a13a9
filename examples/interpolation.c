/* Digits carried back to noise: what that costs, and what lies between two of them there. */
#include "command_line.h"
#include "interpolation/latent_picture.h"
#include "learned_flow.h"
#include "output_file.h"

#include <inttypes.h>
#include <stdio.h>

struct settings {
    const char *file, *out;
    int64_t steps;
    uint64_t seed;
};

static struct latent_digits latent;
static struct way ways[PAIRS] = {{.from = 0, .to = 8},
                                 {.from = 1, .to = 7},
                                 {.from = 2, .to = 3},
                                 {.from = 4, .to = 9},
                                 {.from = 5, .to = 6}};
static struct round_trip trips[] = {
    {.name = "Euler, 100 steps", .solver = FMATCH_SOLVER_EULER, .steps = 100},
    {.name = "midpoint, 50 steps", .solver = FMATCH_SOLVER_MIDPOINT, .steps = 50},
    {.name = "RK4, 25 steps", .solver = FMATCH_SOLVER_RK4, .steps = 25},
    {.name = "Dormand-Prince 1e-3", .solver = FMATCH_SOLVER_DORMAND_PRINCE, .tolerance = 1e-3},
    {.name = "Dormand-Prince 1e-5", .solver = FMATCH_SOLVER_DORMAND_PRINCE, .tolerance = 1e-5},
};
enum { TRIPS = sizeof trips / sizeof trips[0] };

static fmatch_status run_all(const struct settings *settings)
{
    fmatch_status status =
        latent_digits_create(&latent, settings->file, settings->steps, settings->seed);

    for (int i = 0; status == FMATCH_OK && i < TRIPS; i++)
        status = round_trip_run(&trips[i], &latent);
    for (int i = 0; status == FMATCH_OK && i < PAIRS; i++)
        status = way_find(&ways[i], &latent);
    return status;
}

static void print_results(void)
{
    printf("\n%d digits that were held out, to noise and back\n\n", TRAVELLED);
    printf("solver               evaluations  error, rms   largest\n");
    for (int i = 0; i < TRIPS; i++)
        printf("%-20s %11.1f %11.2e %9.1e\n", trips[i].name, trips[i].evaluations, trips[i].rms,
               trips[i].largest);
    printf("\nmean square of the noise they become, 1 for normal noise: %.3f, of training digits "
           "%.3f\n\n"
           "evaluations: for a row, both ways together; error: in pixels, which run from 0 to 17\n"
           "with the noise that makes a density of whole numbers\n\n",
           latent.held_out_square, latent.train_square);
}

static int run(const struct settings *settings)
{
    int end = report_status("interpolation", run_all(settings));
    char path[4096];

    if (end == 0) {
        print_results();
        snprintf(path, sizeof path, "%s/between.png", settings->out);
        end = latent_picture_write(PAIRS, ways, path) ? 0 : 1;
    }
    latent_digits_destroy(&latent);
    return end;
}

int main(int argc, char **argv)
{
    struct settings settings = {
        .file = "examples/data/digits.csv", .out = "out/interpolation", .steps = 3000, .seed = 42};
    const struct command_option options[] = {
        {NULL, "FILE.csv", "64 pixels from 0 to 16 and a label from 0 to 9 in a row", OPTION_TEXT,
         &settings.file},
        {"--out", "DIR", "directory for the picture", OPTION_TEXT, &settings.out},
        {"--steps", "N", "training steps", OPTION_COUNT, &settings.steps},
        {"--seed", "N", "another seed gives another run", OPTION_SEED, &settings.seed},
    };
    const struct command_line line = {
        .program = "interpolation",
        .purpose = "Learn handwritten digits, carry some that were held out back to noise and to "
                   "data again by\nseveral solvers, and draw what lies between two of them in the "
                   "noise.",
        .options = options,
        .count = sizeof options / sizeof options[0],
    };

    int end = command_line_read(&line, argc, argv);
    if (end != COMMAND_LINE_GO_ON)
        return end;
    return make_directories(settings.out) ? run(&settings) : 1;
}
