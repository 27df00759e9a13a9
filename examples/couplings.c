/* What a coupling is worth: the same flow trained on three ways of pairing noise with data. */
#include "command_line.h"
#include "couplings/coupled_flow.h"
#include "couplings/coupling_pictures.h"
#include "output_file.h"

#include <inttypes.h>
#include <stdio.h>

struct settings {
    const char *out;
    int64_t steps;
    uint64_t seed;
};

static struct coupled_flow flows[] = {
    {.name = "independent", .kind = FMATCH_COUPLING_INDEPENDENT},
    {.name = "exact", .kind = FMATCH_COUPLING_EXACT},
    {.name = "entropic", .kind = FMATCH_COUPLING_ENTROPIC},
};
enum { FLOWS = sizeof flows / sizeof flows[0] };

static struct problem problem;

static fmatch_status train_all(const struct settings *settings)
{
    fmatch_status status = problem_create(&problem, settings->seed);

    for (int i = 0; status == FMATCH_OK && i < FLOWS; i++) {
        fprintf(stderr, "%s coupling, %" PRId64 " steps\n", flows[i].name, settings->steps);
        status = coupled_flow_run(&flows[i], &problem, settings->steps, settings->seed);
    }
    return status;
}

static void print_paths(void)
{
    printf("two moons to eight Gaussians; W2^2 between them %.3f\n\n", problem.transport);
    printf("coupling      pairs    loss    energy     NPE  curvature  straightness  seconds\n");
    for (int i = 0; i < FLOWS; i++)
        printf("%-12s %6.2f  %6.4f  %8.3f  %6.3f  %9.3f  %12.4f  %7.1f\n", flows[i].name,
               flows[i].pair_cost, flows[i].loss, flows[i].energy, flows[i].normalised_energy,
               flows[i].curvature, flows[i].straightness, flows[i].seconds);
    printf(
        "\npairs: mean squared distance in a batch of %d; loss: of the last steps, standardised\n"
        "energy: of the learned paths, E; NPE: normalised, |E - W2^2| / W2^2\n"
        "curvature 0 and straightness 1: straight paths, which one step follows exactly\n\n",
        BATCH);
}

static void print_distances(void)
{
    printf("W2 to %d fresh rows of the target, by evaluations of the field\n\ncoupling    ", ROWS);
    for (int k = 0; k < BUDGETS; k++)
        printf(" %6d", budgets[k]);
    for (int i = 0; i < FLOWS; i++) {
        printf("\n%-12s", flows[i].name);
        for (int k = 0; k < BUDGETS; k++)
            printf(" %6.3f", flows[i].distances[k].w2);
    }
    printf("\n\nother rows of the target, mean of five sets: %.3f\n", problem.w2_floor);
}

/** The numbers of quality.png, for other programs. */
static bool write_table(const char *directory)
{
    struct output_file file;
    char path[4096];

    snprintf(path, sizeof path, "%s/quality.csv", directory);
    if (!output_file_open(&file, path))
        return false;
    fprintf(file.stream, "coupling,evaluations,w2,energy_distance\n");
    for (int i = 0; i < FLOWS; i++)
        for (int k = 0; k < BUDGETS; k++)
            fprintf(file.stream, "%s,%d,%.9g,%.9g\n", flows[i].name, budgets[k],
                    flows[i].distances[k].w2, flows[i].distances[k].energy_distance);
    if (!output_file_finish(&file))
        return false;
    printf("table written: %s\n", path);
    return true;
}

static int run(const struct settings *settings)
{
    fmatch_status status = train_all(settings);
    bool written = false;

    if (status == FMATCH_OK) {
        print_paths();
        print_distances();
        written = write_table(settings->out) &&
                  coupling_pictures_write(&problem, FLOWS, flows, settings->out);
    } else {
        fprintf(stderr, "couplings: %s: %s\n", fmatch_status_get_text(status),
                fmatch_error_detail());
    }
    problem_destroy(&problem);
    return written ? 0 : 1;
}

int main(int argc, char **argv)
{
    struct settings settings = {.out = "out/couplings", .steps = 5000, .seed = 42};
    const struct command_option options[] = {
        {"--out", "DIR", "directory for table and pictures", OPTION_TEXT, &settings.out},
        {"--steps", "N", "training steps for each coupling", OPTION_COUNT, &settings.steps},
        {"--seed", "N", "another seed gives another run", OPTION_SEED, &settings.seed},
    };
    const struct command_line line = {
        .program = "couplings",
        .purpose = "Carry two moons to eight Gaussians by flows that were trained on independent, "
                   "exact and\nentropic pairs, and compare their paths and what few steps give.",
        .options = options,
        .count = sizeof options / sizeof options[0],
    };

    int end = command_line_read(&line, argc, argv);
    if (end != COMMAND_LINE_GO_ON)
        return end;
    return make_directories(settings.out) ? run(&settings) : 1;
}
