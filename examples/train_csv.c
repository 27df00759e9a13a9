/* Train on the rows of a CSV file, write new rows like them, draw both, and say how like they are.
 */
#define _POSIX_C_SOURCE 200809L
#include "command_line.h"
#include "csv_header.h"
#include "loss_picture/loss_picture.h"
#include "output_file.h"
#include "progress.h"
#include "samples_picture/samples_picture.h"
#include <flowmatch/flowmatch.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Splits into halves that are averaged over, and rows of a half that are compared: an energy
 * distance takes time quadratic in the rows. */
enum { SPLITS = 200, LARGEST_HALF = 500 };

/* More points than this cover each other. */
enum { LARGEST_PICTURE = 4000 };

struct settings {
    const char *file;
    const char *out;
    const char *picture;      /**< NULL: beside `out` */
    const char *loss_picture; /**< the same */
    int64_t samples;          /**< 0: as many as the file has rows */
    int64_t steps;
    uint64_t seed;
};

struct experiment {
    int32_t dim;
    int64_t rows;
    char *header; /**< of the file; NULL: it has none */
    fmatch_context *context;
    fmatch_source *data;
    fmatch_model *model;
    fmatch_optimizer *optimizer;
    fmatch_trainer *trainer;
    struct training_record record;
    fmatch_sampler *sampler;
    float *mean, *std; /**< [dim], of the data: the units of the comparison */
};

/** Energy distances between sets of equal size, averaged over random halves of the data. */
struct comparison {
    int64_t half;
    double samples_to_data;
    double data_to_data;
};

static fmatch_status read_data(struct experiment *e, const char *file)
{
    fmatch_status status;

    if ((status = fmatch_context_create(&e->context, NULL)) != FMATCH_OK ||
        (status = fmatch_source_create_csv(&e->data, e->context, file, NULL)) != FMATCH_OK)
        return status;
    e->dim = fmatch_source_get_dim(e->data);
    e->rows = fmatch_source_count_rows(e->data);
    e->header = csv_header_read(file);
    return FMATCH_OK;
}

static fmatch_status create_model(struct experiment *e, const struct settings *settings)
{
    fmatch_mlp_config network;
    fmatch_trainer_config training;
    fmatch_status status;

    fmatch_mlp_config_init(&network);
    network.data = e->data; /* its columns, their mean and deviation */
    network.seed = settings->seed;
    fmatch_trainer_config_init(&training);
    training.seed = settings->seed;
    training.steps = settings->steps; /* over which the learning rate falls */

    if ((status = fmatch_model_create_mlp(&e->model, e->context, &network)) != FMATCH_OK ||
        (status = fmatch_optimizer_create_adam(&e->optimizer, e->context, NULL)) != FMATCH_OK ||
        (status = fmatch_trainer_create(&e->trainer, e->model, e->optimizer, e->data, &training)) !=
            FMATCH_OK)
        return status;
    return fmatch_sampler_create(&e->sampler, e->model, NULL);
}

static void experiment_destroy(struct experiment *e)
{
    fmatch_sampler_destroy(&e->sampler);
    fmatch_trainer_destroy(&e->trainer);
    fmatch_optimizer_destroy(&e->optimizer);
    fmatch_model_destroy(&e->model);
    fmatch_source_destroy(&e->data);
    fmatch_context_destroy(&e->context);
    training_record_destroy(&e->record);
    free(e->header);
    free(e->mean);
    free(e->std);
}

static fmatch_status measure_columns(struct experiment *e)
{
    e->mean = malloc((size_t)e->dim * sizeof *e->mean);
    e->std = malloc((size_t)e->dim * sizeof *e->std);
    if (!e->mean || !e->std)
        return FMATCH_ERROR_NO_MEMORY;
    fmatch_status status = fmatch_source_evaluate_moments(e->data, e->mean, e->std);
    for (int32_t j = 0; status == FMATCH_OK && j < e->dim; j++)
        if (e->std[j] == 0)
            e->std[j] = 1; /* a constant column is only shifted */
    return status;
}

static void standardise(const struct experiment *e, int64_t n, float *x)
{
    for (int64_t i = 0; i < n; i++)
        for (int32_t j = 0; j < e->dim; j++)
            x[i * e->dim + j] = (x[i * e->dim + j] - e->mean[j]) / e->std[j];
}

/**
 * A finite sample is never at distance zero from its own distribution, so the distance between
 * samples and data means nothing alone. A perfect model's samples would be as far from one half of
 * the data as the other half is: sets of one size on both sides.
 */
static fmatch_status compare_split(struct experiment *e, uint64_t seed, int64_t split, float *data,
                                   float *samples, struct comparison *c)
{
    const float *other_half = data + c->half * e->dim;
    double to_samples, to_data;
    fmatch_status status;

    /* An array source gives every row once an epoch, shuffled: an epoch's front is a random split.
     */
    if ((status = fmatch_source_draw(e->data, seed, split * e->rows, 2 * c->half, data)) !=
            FMATCH_OK ||
        (status = fmatch_sampler_draw(e->sampler, seed + 1, split * c->half, c->half, NULL,
                                      samples)) != FMATCH_OK)
        return status;
    standardise(e, 2 * c->half, data);
    standardise(e, c->half, samples);
    if ((status = fmatch_metrics_evaluate_energy_distance(e->dim, c->half, data, c->half, samples,
                                                          &to_samples)) != FMATCH_OK ||
        (status = fmatch_metrics_evaluate_energy_distance(e->dim, c->half, data, c->half,
                                                          other_half, &to_data)) != FMATCH_OK)
        return status;
    c->samples_to_data += to_samples / SPLITS;
    c->data_to_data += to_data / SPLITS;
    return FMATCH_OK;
}

static fmatch_status compare(struct experiment *e, uint64_t seed, struct comparison *c)
{
    *c = (struct comparison){.half = e->rows / 2 < LARGEST_HALF ? e->rows / 2 : LARGEST_HALF};
    size_t half_size = (size_t)c->half * (size_t)e->dim * sizeof(float);
    float *data = malloc(2 * half_size), *samples = malloc(half_size);
    fmatch_status status = data && samples ? measure_columns(e) : FMATCH_ERROR_NO_MEMORY;

    for (int split = 0; status == FMATCH_OK && split < SPLITS; split++)
        status = compare_split(e, seed, split, data, samples, c);
    free(data);
    free(samples);
    return status;
}

static void print_comparison(const struct comparison *c, int64_t rows)
{
    /* Each half is drawn from the rows that a model has seen, none of them in the other half. So
     * samples of a model that only repeats those rows are nearer to a half than the other half is:
     * the expected distances are as 2 - half / rows to 2. */
    double ratio_of_copies = 1 - (double)c->half / (2 * (double)rows);

    printf("energy distance on standardised columns, %d random splits, %lld rows a side\n", SPLITS,
           (long long)c->half);
    printf("  samples to half of the data            %.5f\n", c->samples_to_data);
    printf("  one half of the data to the other      %.5f\n", c->data_to_data);
    if (c->data_to_data == 0) {
        printf("The rows do not differ, so the second says nothing about the first.\n");
        return;
    }
    printf(
        "The first is %.2f times the second. 1 or a little less is as good as it gets: samples are "
        "as close\nto the data as its halves are to each other. Well above 1: train longer "
        "(--steps). A model that\nonly repeats the rows it has seen comes to %.2f.\n",
        c->samples_to_data / c->data_to_data, ratio_of_copies);
}

/** The data file's header, or x0,x1,... */
static void write_header(FILE *out, const char *header, int32_t dim)
{
    if (header)
        fprintf(out, "%s\n", header);
    else
        for (int32_t j = 0; j < dim; j++)
            fprintf(out, "x%d%c", (int)j, j + 1 < dim ? ',' : '\n');
}

static fmatch_status write_samples(struct experiment *e, const struct settings *settings,
                                   int64_t count, FILE *out)
{
    enum { BLOCK = 1024 };
    float *x = malloc(BLOCK * (size_t)e->dim * sizeof *x);
    fmatch_status status = x ? FMATCH_OK : FMATCH_ERROR_NO_MEMORY;

    write_header(out, e->header, e->dim);
    for (int64_t first = 0; status == FMATCH_OK && first < count; first += BLOCK) {
        int64_t n = count - first < BLOCK ? count - first : BLOCK;
        status = fmatch_sampler_draw(e->sampler, settings->seed, first, n, NULL, x);
        for (int64_t i = 0; status == FMATCH_OK && i < n * e->dim; i++)
            fprintf(out, "%.9g%c", (double)x[i], (i + 1) % e->dim ? ',' : '\n');
    }
    free(x);
    return status;
}

static int report(fmatch_status status)
{
    fprintf(stderr, "train_csv: %s: %s\n", fmatch_status_get_text(status), fmatch_error_detail());
    return 1;
}

static fmatch_status train_and_sample(struct experiment *e, const struct settings *settings,
                                      int64_t count, FILE *out)
{
    fmatch_status status;

    printf("%s: %lld rows, %d columns\n", settings->file, (long long)e->rows, (int)e->dim);
    fflush(stdout);
    if ((status = create_model(e, settings)) != FMATCH_OK ||
        (status = train_with_record(e->trainer, settings->steps, &e->record)) != FMATCH_OK)
        return status;
    return write_samples(e, settings, count, out);
}

static fmatch_status compare_and_print(struct experiment *e, uint64_t seed)
{
    struct comparison comparison;
    fmatch_status status = compare(e, seed, &comparison);

    if (status == FMATCH_OK)
        print_comparison(&comparison, e->rows);
    return status;
}

/** samples.png beside samples.csv, or with another ending, in memory of the caller's. NULL without
 * memory, or if the samples went to a device or a pipe. */
static char *picture_beside(const char *out, const char *ending)
{
    struct stat found;
    size_t length = strlen(out), size = length + strlen(ending) + 1;
    char *path = stat(out, &found) || !S_ISREG(found.st_mode) ? NULL : malloc(size);

    if (path) {
        bool csv = length > 4 && !strcmp(out + length - 4, ".csv");
        snprintf(path, size, "%.*s%s", (int)(csv ? length - 4 : length), out, ending);
    }
    return path;
}

static bool draw_rows(const struct experiment *e, int64_t n, const float *data,
                      const float *samples, const char *path)
{
    char names[2][64], data_title[64], samples_title[64];
    const struct samples_picture picture = {.dim = e->dim,
                                            .n = n,
                                            .data = data,
                                            .samples = samples,
                                            .data_title = data_title,
                                            .samples_title = samples_title,
                                            .names = {names[0], names[1]}};

    for (int32_t j = 0; j < 2; j++)
        csv_header_get_name(e->header, j, names[j], sizeof names[j]);
    snprintf(data_title, sizeof data_title, "%lld rows of the data", (long long)n);
    snprintf(samples_title, sizeof samples_title, "%lld samples", (long long)n);
    return samples_picture_write(&picture, path);
}

/** As many samples as rows, all of them if they are not too many. The samples are the first ones of
 * the file: a sample's number and the seed decide what it is. */
static int draw_picture(const struct experiment *e, uint64_t seed, const char *path)
{
    int64_t n = e->rows < LARGEST_PICTURE ? e->rows : LARGEST_PICTURE;
    size_t size = (size_t)n * (size_t)e->dim * sizeof(float);
    float *data = malloc(size), *samples = malloc(size);
    fmatch_status status = data && samples ? FMATCH_OK : FMATCH_ERROR_NO_MEMORY;
    int end = 1;

    if (status == FMATCH_OK)
        status = fmatch_source_draw(e->data, seed, 0, n, data);
    if (status == FMATCH_OK)
        status = fmatch_sampler_draw(e->sampler, seed, 0, n, NULL, samples);
    if (status == FMATCH_OK)
        end = draw_rows(e, n, data, samples, path) ? 0 : 1;
    else
        report(status);
    free(data);
    free(samples);
    return end;
}

static int draw_losses(const struct experiment *e, uint64_t seed, const char *path)
{
    (void)seed;
    return loss_picture_write(e->trainer, &e->record, path) ? 0 : 1;
}

static int draw_at(const struct experiment *e, const struct settings *settings, const char *chosen,
                   const char *ending,
                   int (*draw)(const struct experiment *e, uint64_t seed, const char *path))
{
    char *beside = chosen ? NULL : picture_beside(settings->out, ending);
    const char *path = chosen ? chosen : beside;
    int end = path ? draw(e, settings->seed, path) : 0;

    free(beside);
    return end;
}

static int draw_where_asked(const struct experiment *e, const struct settings *settings)
{
    int end = draw_at(e, settings, settings->picture, ".png", draw_picture);

    return end ? end : draw_at(e, settings, settings->loss_picture, "-loss.png", draw_losses);
}

static int run_experiment(struct experiment *e, const struct settings *settings)
{
    int64_t count = settings->samples ? settings->samples : e->rows;
    struct output_file out;
    fmatch_status status;

    if (e->rows < 2) {
        fprintf(stderr, "train_csv: %s has one row; at least two are needed\n", settings->file);
        return 1;
    }
    /* Opened first: a place that cannot be written is better known before the training. */
    if (!output_file_open(&out, settings->out))
        return 1;
    if ((status = train_and_sample(e, settings, count, out.stream)) != FMATCH_OK) {
        output_file_discard(&out);
        return report(status);
    }
    if (!output_file_finish(&out))
        return 1;
    printf("%lld samples written: %s\n", (long long)count, settings->out);
    status = compare_and_print(e, settings->seed);
    return status == FMATCH_OK ? draw_where_asked(e, settings) : report(status);
}

static int run(const struct settings *settings)
{
    struct experiment experiment = {0};
    fmatch_status status = read_data(&experiment, settings->file);
    int end = status == FMATCH_OK ? run_experiment(&experiment, settings) : report(status);

    experiment_destroy(&experiment);
    return end;
}

int main(int argc, char **argv)
{
    struct settings settings = {
        .file = "examples/data/faithful.csv", .out = "samples.csv", .steps = 2000, .seed = 42};
    const struct command_option options[] = {
        {NULL, "FILE.csv", "numbers separated by commas; a header is recognised", OPTION_TEXT,
         &settings.file},
        {"--out", "FILE.csv", "where the samples go", OPTION_TEXT, &settings.out},
        {"--picture", "FILE", "where data and samples are drawn (default: a PNG beside --out)",
         OPTION_TEXT, &settings.picture},
        {"--loss-picture", "FILE", "where the losses are drawn (default: a PNG beside --out)",
         OPTION_TEXT, &settings.loss_picture},
        {"--samples", "N", "how many samples (default: as many as FILE.csv has rows)", OPTION_COUNT,
         &settings.samples},
        {"--steps", "N", "training steps", OPTION_COUNT, &settings.steps},
        {"--seed", "N", "another seed gives another run, the same seed the same", OPTION_SEED,
         &settings.seed},
    };
    const struct command_line line = {
        .program = "train_csv",
        .purpose = "Train a flow matching model on the rows of a CSV file, write new rows like "
                   "them, and compare the\ntwo by their energy distance.",
        .options = options,
        .count = sizeof options / sizeof options[0],
    };

    int end = command_line_read(&line, argc, argv);
    return end == COMMAND_LINE_GO_ON ? run(&settings) : end;
}
