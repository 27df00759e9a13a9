/* Rows that do not belong, found by their log-density: eruptions of a geyser, and digits. */
#include "anomalies/anomaly_pictures.h"
#include "command_line.h"
#include "learned_flow.h"
#include "output_file.h"

#include <inttypes.h>
#include <stdio.h>

struct settings {
    const char *geyser, *digits, *out;
    int64_t steps, rows, columns;
    uint64_t seed;
};

static struct geyser geyser;
static struct odd_digits odd_digits;

static double mean_of(const struct row_group *group)
{
    double sum = 0;

    for (int64_t i = 0; i < group->n; i++)
        sum += group->log_density[i];
    return sum / (double)group->n;
}

static void print_geyser(void)
{
    printf("\neruptions           rows  mean log p     AUC\n");
    for (int k = 0; k < GEYSER_GROUPS; k++)
        printf("%-18s %5" PRId64 " %11.2f %7.3f\n", geyser.groups[k].name, geyser.groups[k].n,
               mean_of(&geyser.groups[k]), geyser.groups[k].area);
    printf("\nThe map's integral is %.4f. Half of the shuffled rows are like any other.\n",
           density_map_integral(&geyser.map));
}

static void print_digits(void)
{
    printf("\ndigits              rows  mean log p     AUC  AUC by distance\n");
    for (int k = 0; k < ODD_GROUPS; k++)
        printf("%-18s %5" PRId64 " %11.1f %7.3f %16.3f\n", odd_digits.groups[k].name,
               odd_digits.groups[k].n, mean_of(&odd_digits.groups[k]), odd_digits.groups[k].area,
               odd_digits.distance_area[k]);
    printf("\nlog p is of pixels with uniform noise, by Hutchinson's estimate, standard error "
           "%.1f.\n"
           "By distance: to the nearest training digit, which needs no model.\n"
           "AUC: chance that an odd row scores below one that was held out; 0.5 is guessing\n\n",
           odd_digits.standard_error);
}

/** On standard error, what there is nothing of. */
static bool are_complete(int n, const struct row_group *groups)
{
    for (int k = 0; k < n; k++)
        if (groups[k].n == 0) {
            fprintf(stderr, "anomalies: %s: there are none\n", groups[k].name);
            return false;
        }
    return true;
}

/** A point in two columns is learned sooner than a digit. */
static fmatch_status run_both(const struct settings *settings)
{
    int64_t geyser_steps = settings->steps < 3 ? 1 : settings->steps / 3;
    int columns = (int)settings->columns;
    fmatch_status status =
        geyser_run(&geyser, settings->geyser, geyser_steps, columns, settings->seed);

    if (status == FMATCH_OK)
        status = odd_digits_run(&odd_digits, settings->digits, settings->steps, settings->rows,
                                settings->seed);
    return status;
}

static bool write_pictures(const char *directory)
{
    char path[4096];

    snprintf(path, sizeof path, "%s/eruptions.png", directory);
    if (!geyser_picture_write(&geyser, path))
        return false;
    snprintf(path, sizeof path, "%s/digits.png", directory);
    return odd_digits_picture_write(&odd_digits, path);
}

static int run(const struct settings *settings)
{
    int end = report_status("anomalies", run_both(settings));

    if (end == 0 && (!are_complete(GEYSER_GROUPS, geyser.groups) ||
                     !are_complete(ODD_GROUPS, odd_digits.groups)))
        end = 1;
    if (end == 0) {
        print_geyser();
        print_digits();
        end = write_pictures(settings->out) ? 0 : 1;
    }
    odd_digits_destroy(&odd_digits);
    geyser_destroy(&geyser);
    return end;
}

int main(int argc, char **argv)
{
    struct settings settings = {.geyser = "examples/data/faithful.csv",
                                .digits = "examples/data/digits.csv",
                                .out = "out/anomalies",
                                .steps = 3000,
                                .rows = 1000,
                                .columns = 80,
                                .seed = 42};
    const struct command_option options[] = {
        {"--eruptions", "FILE.csv", "eruption and wait in a row", OPTION_TEXT, &settings.geyser},
        {"--digits", "FILE.csv", "64 pixels from 0 to 16 and a label from 0 to 9 in a row",
         OPTION_TEXT, &settings.digits},
        {"--out", "DIR", "directory for the pictures", OPTION_TEXT, &settings.out},
        {"--steps", "N", "training steps for digits; a third of them for eruptions", OPTION_COUNT,
         &settings.steps},
        {"--rows", "N", "digits of each kind to be scored, at most", OPTION_COUNT, &settings.rows},
        {"--columns", "N", "of the map of eruptions, at most 1000", OPTION_COUNT,
         &settings.columns},
        {"--seed", "N", "another seed gives another run", OPTION_SEED, &settings.seed},
    };
    const struct command_line line = {
        .program = "anomalies",
        .purpose = "Learn four fifths of two tables, and tell rows that were held out from rows "
                   "that do not belong by\ntheir log-density.",
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
