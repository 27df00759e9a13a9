#include "summary.h"
#include "../output_file.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

static void print_row(const char *name, double post, double recommended, double exact)
{
    printf("%-44s %8.4f %12.4f", name, post, recommended);
    if (isfinite(exact))
        printf(" %8.4f", exact);
    printf("\n");
}

void summary_print(const struct summary *summary)
{
    const struct measures *m = &summary->measures, *r = &summary->recommended;

    printf("\n0.55 N(-0.85, 0.65^2) + 0.45 N(1.5, 0.25^2): trained %" PRId64 " steps, seed %" PRIu64
           "\n\n",
           summary->steps, summary->seed);

    printf("%-44s %8s %12s %8s\n", "", "the post", "recommended", "exact");
    print_row("loss, mean of the last 1000 steps", m->loss_last_1000, r->loss_last_1000,
              m->irreducible_loss);
    print_row("error of the velocity field (rms)", m->field_rmse, r->field_rmse, 0);
    print_row("100 000 samples, midpoint 50: W1", m->w1_midpoint, r->w1_midpoint, 0);
    print_row("100 000 samples, Euler 100: W1 to the target", m->w1, r->w1, 0);
    print_row("  W2", m->w2, r->w2, 0);
    print_row("  mean", m->mean, r->mean, post_mean);
    print_row("  variance", m->variance, r->variance, post_variance);
    print_row("seconds of training", summary->train_seconds, summary->recommended_seconds, NAN);
    printf("\n");

    printf("path from %.2f, Euler %d\n", (double)post_path_start, POST_PATH_STEPS);
    printf("%8s %8s %10s %8s\n", "t", "here", "published", "exact");
    for (int i = 0; i < POST_PATH_TIMES; i++)
        printf("%8.3f %8.3f %10.3f %8.3f\n", (double)i / POST_PATH_STEPS, m->path[i],
               post_path_published[i], m->path_exact[i]);
    printf("\n");
}

/** JSON knows no nan and no infinity. */
static void write_number(FILE *stream, double number)
{
    if (isfinite(number))
        fprintf(stream, "%.9g", number);
    else
        fprintf(stream, "null");
}

static void write_field(FILE *stream, const char *name, double number)
{
    fprintf(stream, ",\n  \"%s\": ", name);
    write_number(stream, number);
}

static void write_path(FILE *stream, const char *name, const double path[POST_PATH_TIMES])
{
    fprintf(stream, ",\n  \"%s\": [", name);
    for (int i = 0; i < POST_PATH_TIMES; i++) {
        fprintf(stream, i ? ", " : "");
        write_number(stream, path[i]);
    }
    fprintf(stream, "]");
}

/** Numbers of one training that both have. */
static void write_measures(FILE *stream, double seconds, const struct measures *m)
{
    write_number(stream, seconds);
    write_field(stream, "loss_last_1000", m->loss_last_1000);
    write_field(stream, "irreducible_loss", m->irreducible_loss);
    write_field(stream, "field_rmse", m->field_rmse);
    write_field(stream, "w1", m->w1);
    write_field(stream, "w2", m->w2);
    write_field(stream, "w1_midpoint", m->w1_midpoint);
    write_field(stream, "mean", m->mean);
    write_field(stream, "variance", m->variance);
}

bool summary_write(const struct summary *summary, const char *path)
{
    const struct measures *m = &summary->measures;
    struct output_file file;

    if (!output_file_open(&file, path))
        return false;
    fprintf(file.stream,
            "{\n  \"seed\": %" PRIu64 ",\n  \"steps\": %" PRId64 ",\n  \"train_seconds\": ",
            summary->seed, summary->steps);
    write_measures(file.stream, summary->train_seconds, m);
    write_field(file.stream, "mean_exact", post_mean);
    write_field(file.stream, "variance_exact", post_variance);
    write_path(file.stream, "path", m->path);
    write_path(file.stream, "path_published", post_path_published);
    write_path(file.stream, "path_exact", m->path_exact);
    fprintf(file.stream, ",\n  \"recommended\": {\n  \"train_seconds\": ");
    write_measures(file.stream, summary->recommended_seconds, &summary->recommended);
    fprintf(file.stream, "}\n}\n");
    return output_file_finish(&file);
}
