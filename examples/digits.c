/* Handwritten digits of a class that is asked for, under guidance of several strengths. */
#include "command_line.h"
#include "digits/digit_picture.h"
#include "loss_picture/loss_picture.h"
#include "output_file.h"
#include "stopwatch.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

struct settings {
    const char *file, *out;
    const char *model; /**< NULL: it is not saved */
    int64_t steps, threads;
    uint64_t seed;
};

struct experiment {
    fmatch_context *context;
    struct digit_rows train, held_out;
    struct nearest_digit *held_out_nearest; /**< [held_out.n] */
    double held_out_recognised, held_out_distance;
    struct digit_flow flow;
    double training_seconds;
};

static struct guided_digits blocks[] = {{.scale = 1}, {.scale = 1.5}, {.scale = 2}, {.scale = 4}};
enum { BLOCKS = sizeof blocks / sizeof blocks[0] };

static int report(fmatch_status status)
{
    fprintf(stderr, "digits: %s: %s\n", fmatch_status_get_text(status), fmatch_error_detail());
    return 1;
}

static fmatch_status create_context(struct experiment *e, int64_t threads)
{
    fmatch_context_config config;

    fmatch_context_config_init(&config);
    config.threads = threads < 1024 ? (int32_t)threads : 1024;
    return fmatch_context_create(&e->context, &config);
}

/** What real digits that no model has seen come to. */
static fmatch_status measure_held_out(struct experiment *e)
{
    const struct digit_rows *rows = &e->held_out;

    e->held_out_nearest = malloc((size_t)rows->n * sizeof *e->held_out_nearest);
    if (!e->held_out_nearest)
        return FMATCH_ERROR_NO_MEMORY;
    nearest_digits_find(&e->train, rows->n, rows->pixels, e->held_out_nearest);
    e->held_out_recognised = nearest_digits_share(rows->n, e->held_out_nearest, rows->labels);
    e->held_out_distance = nearest_digits_median_distance(rows->n, e->held_out_nearest);
    return FMATCH_OK;
}

static fmatch_status train(struct experiment *e, const struct settings *settings)
{
    double start = seconds_now();
    fmatch_status status = digit_flow_train(&e->flow, e->context, &e->train, &e->held_out,
                                            settings->steps, settings->seed);

    e->training_seconds = seconds_now() - start;
    if (status == FMATCH_OK && settings->model) {
        status = fmatch_model_save(e->flow.model, settings->model);
        if (status == FMATCH_OK)
            printf("model written: %s\n", settings->model);
    }
    return status;
}

static fmatch_status draw_all(struct experiment *e, uint64_t seed)
{
    fmatch_status status = FMATCH_OK;

    for (int b = 0; status == FMATCH_OK && b < BLOCKS; b++)
        status = digit_flow_draw(&e->flow, &e->train, seed, &blocks[b]);
    return status;
}

static void print_row(const char *name, double recognised, double distance, double real)
{
    printf("%-18s %9.1f %%  %8.2f  %5.2f\n", name, 100 * recognised, distance, distance / real);
}

static void print_table(const struct experiment *e)
{
    double real = e->held_out_distance;
    char name[32];

    printf("\n%d samples, %d for each digit\n\nguidance scale s   recognised  distance  ratio\n",
           SAMPLES, EACH);
    for (int b = 0; b < BLOCKS; b++) {
        snprintf(name, sizeof name, "%g%s", blocks[b].scale, blocks[b].scale == 1 ? " (none)" : "");
        print_row(name, blocks[b].recognised, blocks[b].distance, real);
    }
    print_row("held-out digits", e->held_out_recognised, real, real);
    printf("\ns: the velocity is v_0 + s (v_c - v_0), with v_c under the label and v_0 without\n"
           "recognised: as what was asked for, by the 3 nearest training digits\n"
           "distance: median, to the nearest training digit; a copy would be at 0\n"
           "ratio: of that to the distance of real digits that were held out\n\n");
}

/** The same for other programs. */
static bool write_table(const struct experiment *e, const char *directory)
{
    struct output_file file;
    char path[4096];

    snprintf(path, sizeof path, "%s/quality.csv", directory);
    if (!output_file_open(&file, path))
        return false;
    fprintf(file.stream, "guidance_scale,recognised,distance,distance_ratio\n");
    for (int b = 0; b < BLOCKS; b++)
        fprintf(file.stream, "%g,%.9g,%.9g,%.9g\n", blocks[b].scale, blocks[b].recognised,
                blocks[b].distance, blocks[b].distance / e->held_out_distance);
    if (!output_file_finish(&file))
        return false;
    printf("table written: %s\n", path);
    return true;
}

static bool write_pictures(const struct experiment *e, const char *directory)
{
    char path[4096];

    snprintf(path, sizeof path, "%s/digits.png", directory);
    if (!digit_picture_write(BLOCKS, blocks, &e->train, e->held_out_distance, path))
        return false;
    snprintf(path, sizeof path, "%s/loss.png", directory);
    return loss_picture_write(e->flow.trainer, &e->flow.record, path);
}

static fmatch_status read_digits(struct experiment *e, const struct settings *settings)
{
    fmatch_status status;

    if ((status = create_context(e, settings->threads)) != FMATCH_OK ||
        (status = digit_rows_read(e->context, settings->file, settings->seed, &e->train,
                                  &e->held_out)) != FMATCH_OK)
        return status;
    printf("%s: %" PRId64 " digits to learn from, %" PRId64 " held out\n", settings->file,
           e->train.n, e->held_out.n);
    fflush(stdout);
    return FMATCH_OK;
}

/** Few rows have no neighbours to speak of. */
static bool are_enough(const struct experiment *e, const char *file)
{
    enum { LEAST = 50 };
    int64_t rows = e->train.n + e->held_out.n;

    if (rows < LEAST)
        fprintf(stderr, "digits: %s has %" PRId64 " rows; at least %d are needed\n", file, rows,
                LEAST);
    return rows >= LEAST;
}

static int run_experiment(struct experiment *e, const struct settings *settings)
{
    double start = seconds_now();
    fmatch_status status;

    if ((status = read_digits(e, settings)) != FMATCH_OK)
        return report(status);
    if (!are_enough(e, settings->file))
        return 1;
    if ((status = measure_held_out(e)) != FMATCH_OK || (status = train(e, settings)) != FMATCH_OK ||
        (status = draw_all(e, settings->seed)) != FMATCH_OK)
        return report(status);
    print_table(e);
    if (!write_table(e, settings->out) || !write_pictures(e, settings->out))
        return 1;
    printf("%.1f s of training, %.1f s in all\n", e->training_seconds, seconds_now() - start);
    return 0;
}

static int run(const struct settings *settings)
{
    struct experiment experiment = {0};
    int end = run_experiment(&experiment, settings);

    digit_flow_destroy(&experiment.flow);
    free(experiment.held_out_nearest);
    digit_rows_destroy(&experiment.train);
    digit_rows_destroy(&experiment.held_out);
    fmatch_context_destroy(&experiment.context);
    return end;
}

int main(int argc, char **argv)
{
    struct settings settings = {.file = "examples/data/digits.csv",
                                .out = "out/digits",
                                .steps = 4000,
                                .threads = 2,
                                .seed = 42};
    const struct command_option options[] = {
        {NULL, "FILE.csv", "64 pixels from 0 to 16 and a label from 0 to 9 in a row", OPTION_TEXT,
         &settings.file},
        {"--out", "DIR", "directory for table and pictures", OPTION_TEXT, &settings.out},
        {"--model", "FILE", "where the model is saved (default: nowhere)", OPTION_TEXT,
         &settings.model},
        {"--steps", "N", "training steps", OPTION_COUNT, &settings.steps},
        {"--threads", "N", "of the library; the results are the same for any number", OPTION_COUNT,
         &settings.threads},
        {"--seed", "N", "another seed gives another run, the same seed the same", OPTION_SEED,
         &settings.seed},
    };
    const struct command_line line = {
        .program = "digits",
        .purpose = "Learn handwritten digits of ten classes and draw new ones of each class under "
                   "guidance of several\nstrengths, beside the real ones that they are nearest to.",
        .options = options,
        .count = sizeof options / sizeof options[0],
    };

    int end = command_line_read(&line, argc, argv);
    if (end != COMMAND_LINE_GO_ON)
        return end;
    return make_directories(settings.out) ? run(&settings) : 1;
}
