#include "page_numbers.h"
#include "page_text.h"

#include <math.h>

/** A table with a header line of HTML cells; rows follow, then end_table. */
static void begin_table(FILE *stream, int n, const char *const *headings)
{
    fputs("<div class=\"numbers\"><table>\n<thead><tr>", stream);
    for (int i = 0; i < n; i++)
        fprintf(stream, i == 0 ? "<td>%s</td>" : "<th scope=\"col\">%s</th>", headings[i]);
    fputs("</tr></thead>\n<tbody>\n", stream);
}

static void end_table(FILE *stream)
{
    fputs("</tbody></table></div>\n", stream);
}

static void begin_comparison(FILE *stream)
{
    begin_table(stream, 3, (const char *const[]){"", "here", "exact"});
}

static void write_comparison(FILE *stream, const char *name, double here, double exact)
{
    write_row(stream, name, 4, 2, (const double[]){here, exact});
}

void write_target_numbers(FILE *stream, const struct findings *findings)
{
    const struct measures *m = &findings->run->summary->measures;

    fputs("<p class=\"note\">The target’s mean is ", stream);
    write_decimal(stream, 4, post_mean);
    fputs(" and its variance ", stream);
    write_decimal(stream, 4, post_variance);
    fputs(". The samples at the end of this run have ", stream);
    write_decimal(stream, 4, m->mean);
    fputs(" and ", stream);
    write_decimal(stream, 4, m->variance);
    fputs(".</p>\n", stream);
}

void write_pair_numbers(FILE *stream, const struct findings *findings)
{
    const struct grid *density = &findings->reference.density;

    fprintf(stream,
            "<p class=\"note\">100 000 pairs, counted at %d times in %d bins each; the highest "
            "count is a density of ",
            density->columns, density->rows);
    write_decimal(stream, 3, grid_largest(density));
    fputs(".</p>\n", stream);
}

void write_example_numbers(FILE *stream, const struct findings *findings)
{
    (void)findings;
    fputs("<p class=\"note\"><var>x<sub>t</sub></var> = 0.33 · 1.32 + 0.67 · (−1.92) = −0.8508; "
          "the velocity is −1.92 − 1.32 = −3.24.</p>\n",
          stream);
}

void write_average_numbers(FILE *stream, const struct findings *findings)
{
    const struct grid *velocity = &findings->reference.velocity;
    int cells = velocity->columns * velocity->rows, empty = 0;

    for (int i = 0; i < cells; i++)
        empty += isnan(velocity->values[i]) != 0;
    fprintf(stream,
            "<p class=\"note\">100 000 pairs at %d times in %d bins each. %d of %d cells are empty "
            "and left white; the fastest mean is ",
            velocity->columns, velocity->rows, empty, cells);
    write_decimal(stream, 2, grid_largest(velocity));
    fputs(".</p>\n", stream);
}

void write_loss_numbers(FILE *stream, const struct findings *findings)
{
    const struct summary *s = findings->run->summary;

    begin_comparison(stream);
    write_comparison(stream, "loss, mean of the last 1000 steps", s->measures.loss_last_1000,
                     s->measures.irreducible_loss);
    end_table(stream);
    fputs("<p class=\"note\">", stream);
    write_count(stream, s->steps);
    fputs(" steps on 256 fresh pairs each, in ", stream);
    write_decimal(stream, 2, s->train_seconds);
    fputs(" s. Exact: the irreducible loss.</p>\n", stream);
}

void write_field_numbers(FILE *stream, const struct findings *findings)
{
    const struct measures *m = &findings->run->summary->measures;

    begin_comparison(stream);
    write_comparison(stream, "error of the velocity, root mean square", m->field_rmse, 0);
    write_comparison(stream, "fastest velocity shown", grid_largest(&findings->learned.velocity),
                     grid_largest(&findings->exact.velocity));
    write_comparison(stream, "samples: <var>W</var><sub>1</sub> to the target", m->w1, 0);
    write_comparison(stream, "samples: <var>W</var><sub>2</sub> to the target", m->w2, 0);
    end_table(stream);
    fputs("<p class=\"note\">100 000 samples, Euler’s method, 100 steps.</p>\n", stream);
}

void write_path_numbers(FILE *stream, const struct findings *findings)
{
    const struct measures *m = &findings->run->summary->measures;

    begin_table(stream, 4,
                (const char *const[]){"<var>t</var>", "here", "published", "exact field"});
    for (int i = 0; i < POST_PATH_TIMES; i++) {
        char t[16];
        snprintf(t, sizeof t, "%.3f", (double)i / POST_PATH_STEPS);
        write_row(stream, t, 3, 3,
                  (const double[]){m->path[i], post_path_published[i], m->path_exact[i]});
    }
    end_table(stream);
    fputs("<p class=\"note\">Published: by a network of the same shape that was trained with "
          "PyTorch. Exact field: the same 15 steps through the closed form.</p>\n",
          stream);
}

void write_reconstruction_numbers(FILE *stream, const struct findings *findings)
{
    const struct reconstruction *euler = &findings->reconstructions[RECONSTRUCTION_EULER];
    const struct reconstruction *midpoint = &findings->reconstructions[RECONSTRUCTION_MIDPOINT];

    begin_table(stream, 4, (const char *const[]){"", "Euler 50", "midpoint 25", "exact"});
    write_row(stream, "<var>W</var><sub>2</sub> to the target", 4, 3,
              (const double[]){euler->w2, midpoint->w2, 0});
    write_row(stream, "variance", 4, 3,
              (const double[]){euler->variance, midpoint->variance, post_variance});
    end_table(stream);
    fputs("<p class=\"note\">100 000 samples each, from the same noise; every sample costs 50 "
          "evaluations of the network on either side.</p>\n",
          stream);
}

void write_crowd_numbers(FILE *stream, const struct findings *findings)
{
    fputs("<p class=\"note\">", stream);
    write_count(stream, POST_SAMPLES);
    fprintf(stream, " samples of %d Euler steps: ", FLOW_DENSITY_STEPS);
    write_count(stream, (int64_t)POST_SAMPLES * FLOW_DENSITY_STEPS);
    fputs(" evaluations of the network, kept and counted at every step, in ", stream);
    write_decimal(stream, 2, findings->sampled_seconds);
    fputs(" s.</p>\n", stream);
}

void write_error_numbers(FILE *stream, const struct findings *findings)
{
    fputs(
        "<p class=\"note\">Root mean square of the difference, weighted by how many points pass: ",
        stream);
    write_decimal(stream, 4, findings->run->summary->measures.field_rmse);
    fputs("; the largest one shown is ", stream);
    write_decimal(stream, 2, grid_largest(&findings->difference));
    fputs(".</p>\n", stream);
}

void write_solver_numbers(FILE *stream, const struct findings *findings)
{
    begin_table(stream, 5,
                (const char *const[]){"evaluations", "Euler, learned", "midpoint, learned",
                                      "Euler, exact", "midpoint, exact"});
    for (int i = 0; i < SOLVER_BUDGETS; i++) {
        char evaluations[16];
        snprintf(evaluations, sizeof evaluations, "%d", solver_budgets[i]);
        write_row(stream, evaluations, 5, 4,
                  (const double[]){findings->learned_w2[SOLVER_EULER][i],
                                   findings->learned_w2[SOLVER_MIDPOINT][i],
                                   findings->exact_w2[SOLVER_EULER][i],
                                   findings->exact_w2[SOLVER_MIDPOINT][i]});
    }
    end_table(stream);
}

void write_settings_numbers(FILE *stream, const struct findings *findings)
{
    const struct summary *s = findings->run->summary;
    const struct measures *p = &s->measures, *r = &s->recommended;

    begin_table(stream, 4, (const char *const[]){"", "the post", "recommended", "exact"});
    write_row(stream, "loss, mean of the last 1000 steps", 4, 3,
              (const double[]){p->loss_last_1000, r->loss_last_1000, p->irreducible_loss});
    write_row(stream, "error of the velocity, root mean square", 4, 3,
              (const double[]){p->field_rmse, r->field_rmse, 0});
    write_row(stream, "samples: <var>W</var><sub>1</sub> to the target", 4, 3,
              (const double[]){p->w1_midpoint, r->w1_midpoint, 0});
    write_row(stream, "seconds of training", 2, 2,
              (const double[]){s->train_seconds, s->recommended_seconds});
    end_table(stream);
    fprintf(stream, "<p class=\"note\">100 000 samples each, midpoint, %d steps.</p>\n",
            MEASURED_MIDPOINT_STEPS);
}
