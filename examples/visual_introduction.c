/* The problem of the post "Flow Matching: A visual introduction", with the post's settings: train,
 * sample, and compare with what the post published, with what is known exactly, and with what the
 * library's recommended settings make of the same network. */
#include "command_line.h"
#include "output_file.h"
#include "progress.h"
#include "stopwatch.h"
#include "visual_introduction/measures.h"
#include "visual_introduction/pictures.h"
#include "visual_introduction/post.h"
#include "visual_introduction/summary.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct settings {
    const char *out;
    uint64_t seed;
    int64_t steps;
};

/** A network and what trains it. */
struct training {
    fmatch_model *model;
    fmatch_optimizer *optimizer;
    fmatch_trainer *trainer;
};

struct experiment {
    fmatch_context *context;
    fmatch_source *noise, *target;
    fmatch_model *exact;         /**< the target's velocity field in closed form */
    struct training post;        /**< with the post's settings, which the figures show */
    struct training recommended; /**< with the library's, for comparison */
    float *samples;              /**< [POST_SAMPLES] */
};

static fmatch_status training_create(struct training *training, const struct experiment *e,
                                     const struct post_settings *settings)
{
    fmatch_status status;

    if ((status = fmatch_model_create_mlp(&training->model, e->context, &settings->network)) !=
            FMATCH_OK ||
        (status = fmatch_optimizer_create_adam(&training->optimizer, e->context,
                                               &settings->optimizer)) != FMATCH_OK)
        return status;
    return fmatch_trainer_create(&training->trainer, training->model, training->optimizer,
                                 e->target, &settings->trainer);
}

static void training_destroy(struct training *training)
{
    fmatch_trainer_destroy(&training->trainer);
    fmatch_optimizer_destroy(&training->optimizer);
    fmatch_model_destroy(&training->model);
}

static fmatch_status experiment_create(struct experiment *e, const struct settings *settings)
{
    struct post_settings post;
    fmatch_status status;

    if (!(e->samples = malloc(POST_SAMPLES * sizeof *e->samples)))
        return FMATCH_ERROR_NO_MEMORY;
    if ((status = fmatch_context_create(&e->context, NULL)) != FMATCH_OK ||
        (status = fmatch_source_create_normal(&e->noise, e->context, 1)) != FMATCH_OK ||
        (status = fmatch_source_create_gaussian_mixture(&e->target, e->context, 1, POST_COMPONENTS,
                                                        post_weights, post_means, post_stds)) !=
            FMATCH_OK ||
        (status = fmatch_model_create_closed_form(&e->exact, e->context, e->target)) != FMATCH_OK)
        return status;
    post_configure_plain(&post, settings->seed);
    if ((status = training_create(&e->post, e, &post)) != FMATCH_OK)
        return status;
    post_configure_recommended(&post, settings->seed, settings->steps, e->noise, e->target);
    return training_create(&e->recommended, e, &post);
}

static void experiment_destroy(struct experiment *e)
{
    free(e->samples);
    training_destroy(&e->recommended);
    training_destroy(&e->post);
    fmatch_model_destroy(&e->exact);
    fmatch_source_destroy(&e->target);
    fmatch_source_destroy(&e->noise);
    fmatch_context_destroy(&e->context);
}

static fmatch_status train_and_measure(const struct experiment *e, const struct training *training,
                                       const struct settings *settings, double *seconds,
                                       struct measures *measures)
{
    double start = seconds_now();
    fmatch_status status = train_with_progress(training->trainer, settings->steps);

    *seconds = seconds_now() - start;
    if (status != FMATCH_OK)
        return status;
    return measure(e->context, training->model, e->exact, training->trainer, settings->seed,
                   e->samples, measures);
}

/** The post's training comes last, whose samples stay. */
static fmatch_status train_both(const struct experiment *e, const struct settings *settings,
                                struct summary *summary)
{
    fmatch_status status = train_and_measure(e, &e->recommended, settings,
                                             &summary->recommended_seconds, &summary->recommended);

    if (status != FMATCH_OK)
        return status;
    /* A model that standardises has its loss in units of the data's variance. */
    summary->recommended.loss_last_1000 *= post_variance;
    summary->seed = settings->seed;
    summary->steps = fmatch_trainer_count_steps(e->recommended.trainer);
    return train_and_measure(e, &e->post, settings, &summary->train_seconds, &summary->measures);
}

static bool write_summary(const struct summary *summary, const char *directory)
{
    size_t size = strlen(directory) + sizeof "/summary.json";
    char *path = malloc(size);
    bool written = false;

    if (path) {
        snprintf(path, size, "%s/summary.json", directory);
        written = summary_write(summary, path);
    }
    if (written)
        printf("written: %s\n", path);
    free(path);
    return written;
}

/** Writes every file of the run into the directory. */
static bool write_results(const struct experiment *e, const struct summary *summary,
                          const char *directory)
{
    const struct run_results results = {.context = e->context,
                                        .target = e->target,
                                        .model = e->post.model,
                                        .recommended = e->recommended.model,
                                        .exact = e->exact,
                                        .trainer = e->post.trainer,
                                        .samples = e->samples,
                                        .summary = summary};

    return write_summary(summary, directory) && pictures_write(&results, directory);
}

static int run(const struct settings *settings)
{
    struct experiment experiment = {0};
    struct summary summary = {0};
    bool written = false;

    fmatch_status status = experiment_create(&experiment, settings);
    if (status == FMATCH_OK)
        status = train_both(&experiment, settings, &summary);
    if (status == FMATCH_OK) {
        summary_print(&summary);
        written = write_results(&experiment, &summary, settings->out);
    } else {
        fprintf(stderr, "visual_introduction: %s: %s\n", fmatch_status_get_text(status),
                fmatch_error_detail());
    }
    experiment_destroy(&experiment);
    return written ? 0 : 1;
}

int main(int argc, char **argv)
{
    struct settings settings = {.out = "out/visual_introduction", .seed = 42, .steps = 10000};
    const struct command_option options[] = {
        {"--out", "DIR", "directory for the results, created as needed", OPTION_TEXT,
         &settings.out},
        {"--seed", "N", "another seed gives another run, the same seed the same", OPTION_SEED,
         &settings.seed},
        {"--steps", "N", "training steps", OPTION_COUNT, &settings.steps},
    };
    const struct command_line line = {
        .program = "visual_introduction",
        .purpose =
            "Train a small network to carry the standard normal distribution to the mixture "
            "of the post\n\"Flow Matching: A visual introduction\", with the post's settings "
            "and with the recommended\nones, sample from it, and compare with the exact "
            "answer.",
        .options = options,
        .count = sizeof options / sizeof options[0],
    };

    int end = command_line_read(&line, argc, argv);
    if (end != COMMAND_LINE_GO_ON)
        return end;
    return make_directories(settings.out) ? run(&settings) : 1;
}
