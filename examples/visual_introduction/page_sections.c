#include "page_sections.h"
#include "page_numbers.h"

const struct section sections[] = {
    {
        .name = "distributions",
        .title = "Two distributions",
        .idea = "<p>Some distributions are easy to draw from: a computer gives standard normal "
                "numbers by the million. Most are not. Here the one we want has a broad hill on "
                "the left and a narrow one on the right.</p>"
                "<p>A <em>flow</em> is a rule for moving points while a clock runs from 0 to 1. "
                "We look for one under which a crowd that starts out as noise arrives as the "
                "target. Then drawing from the target is drawing noise and letting it move.</p>",
        .formula = "<span><var>p</var><sub>0</sub> = N(0,&nbsp;1)</span> "
                   "<span><var>p</var><sub>1</sub> = 0.55&nbsp;N(−0.85,&nbsp;0.65²) + "
                   "0.45&nbsp;N(1.5,&nbsp;0.25²)</span>",
        .figure = FIGURE_DENSITIES,
        .description =
            "Two densities over x from -3 to 3. The noise is one bell around 0. The target "
            "has a broad, low hill around -0.85 and a narrow one, twice as high, around 1.5.",
        .code =
            "const float weights[] = {0.55f, 0.45f}, means[] = {-0.85f, 1.5f}, stds[] = {0.65f, "
            "0.25f};\n"
            "fmatch_source_create_gaussian_mixture(&target, context, 1, 2, weights, means, stds);",
        .write_numbers = write_target_numbers,
    },
    {
        .name = "paths",
        .title = "Straight lines between pairs",
        .idea = "<p>Take one point of noise and one point of data, both at random, and join them "
                "by a straight line. Nothing has been learned and nothing is clever about the "
                "pairing. But look at many such lines at one moment: the points on them have a "
                "distribution of their own, and as time runs it turns from noise into the "
                "target.</p>"
                "<p>The upper row shows seven lines, the lower one how densely a hundred thousand "
                "of them fill the strip.</p>",
        .formula = "<span><var>x<sub>t</sub></var> = (1 − <var>t</var>) "
                   "<var>x</var><sub>0</sub> + <var>t</var> "
                   "<var>x</var><sub>1</sub></span>",
        .figure = FIGURE_REFERENCE_PATHS,
        .description =
            "Above: seven straight lines from noise at t = 0 to data at t = 1, between the "
            "two densities. Below: the density of 100 000 such lines as a map, one band that "
            "parts into a bright upper and a broad lower one, between histograms of both "
            "ends.",
        .code = "fmatch_source_draw(noise, seed + 1, 0, 100000, x0);\n"
                "fmatch_source_draw(target, seed + 2, 0, 100000, x1);",
        .write_numbers = write_pair_numbers,
    },
    {
        .name = "velocity",
        .title = "The velocity of one line",
        .idea = "<p>A point that walks along its line from 0 to 1 has the same velocity all the "
                "way: the difference of the two ends. Every triple of a time, a noise point and a "
                "data point is one example of a velocity at a place. Such examples cost next to "
                "nothing, and they are all that training will ever see.</p>",
        .formula = "<span>d<var>x<sub>t</sub></var> / d<var>t</var> = "
                   "<var>x</var><sub>1</sub> − <var>x</var><sub>0</sub></span>",
        .figure = FIGURE_REFERENCE_VELOCITY,
        .description =
            "One line from x0 = 1.32 down to x1 = -1.92. At t = 0.67 a point sits on it at x "
            "= -0.851, with an arrow along the line: its velocity, -3.24.",
        .code =
            "const float x0 = 1.32f, x1 = -1.92f, t = 0.67f;\n"
            "fmatch_batch one = {.struct_size = sizeof one, .n = 1, .noise = &x0, .target = "
            "&x1, .t = &t};\n"
            "fmatch_trainer_run_batch(trainer, &one, &loss); /* a step on this example alone */",
        .write_numbers = write_example_numbers,
    },
    {
        .name = "average",
        .title = "The average of all lines",
        .idea = "<p>Many lines cross at one place and time, each with its own velocity; a flow "
                "can have only one. Take the mean of those that pass. This averaged field moves a "
                "crowd of points so that it has, at every moment, the same distribution as the "
                "crowd on the straight lines: the same net amount crosses every place. Single "
                "points no longer keep to a line. They bend away from each other and never "
                "cross.</p>"
                "<p>Here the mean is taken by brute force: cut the strip into cells, and average "
                "what passes through each.</p>",
        .formula = "<span><var>u</var>(<var>x</var>, <var>t</var>) = E[ "
                   "<var>x</var><sub>1</sub> − <var>x</var><sub>0</sub> | "
                   "<var>x<sub>t</sub></var> = <var>x</var> ]</span>",
        .figure = FIGURE_AVERAGED_FIELD,
        .description =
            "Map of the mean velocity over time and place, in cells. Early on, points far out "
            "are drawn inwards; later those above x = 0.3 are pushed up, most of all around t "
            "= 0.75, and those below are pushed down. Nine lines follow the field.",
        .code = "fmatch_model_create_closed_form(&exact, context, target); /* the same mean, "
                "exactly */\n"
                "fmatch_model_evaluate(exact, n, x, t, NULL, u);",
        .write_numbers = write_average_numbers,
    },
    {
        .name = "training",
        .title = "A network learns the average",
        .idea = "<p>Cells work on a line and nowhere else: in ten dimensions almost all of them "
                "are empty. A network fitted by least squares finds the same mean without cells, "
                "because the best answer to many different targets at one input <em>is</em> their "
                "mean.</p>"
                "<p>That is also why the loss does not go to zero. Examples with the same place "
                "and time disagree, and no function of place and time can follow them all. What "
                "is left when the mean is found is known exactly here; it is the dashed line, and "
                "a loss that lies on it means that there is nothing more to learn.</p>",
        .formula = "<span><var>L</var> = E ( <var>v</var>(<var>x<sub>t</sub></var>, "
                   "<var>t</var>) − (<var>x</var><sub>1</sub> − "
                   "<var>x</var><sub>0</sub>) )²</span>",
        .figure = FIGURE_LOSS,
        .description =
            "The loss of every training step, its mean over 100 steps, and the irreducible "
            "loss as a dashed level that the mean comes down to.",
        .code =
            "fmatch_trainer_create(&trainer, model, adam, target, &training);\n"
            "fmatch_trainer_run(trainer, 10000, &progress);\n"
            "fmatch_trainer_get_losses(trainer, 0, fmatch_trainer_count_steps(trainer), losses);\n"
            "fmatch_model_evaluate_irreducible_loss(exact, &floor, NULL);",
        .write_numbers = write_loss_numbers,
    },
    {
        .name = "field",
        .title = "The learned field",
        .idea = "<p>The network has seen nothing but single examples, and shows the field of "
                "averages: smooth, without cells or gaps, and defined beyond what is drawn. Nine "
                "points follow it; on the right are the places where a hundred thousand arrive, "
                "beside the target's density as a line.</p>",
        .formula = "<span>d<var>x</var> / d<var>t</var> = <var>v</var>(<var>x</var>, "
                   "<var>t</var>)</span> <span><var>x</var>(0) ~ N(0,&nbsp;1)</span>",
        .figure = FIGURE_LEARNED_FIELD,
        .description =
            "Smooth map of the learned velocity over time and place, with nine path lines "
            "that part around x = 0.3. On the right a histogram of samples with two hills "
            "under the target's density.",
        .code = "fmatch_model_evaluate(model, n, x, t, NULL, v);\n"
                "fmatch_sampler_draw(sampler, seed, 0, 100000, NULL, samples);",
        .write_numbers = write_field_numbers,
    },
    {
        .name = "steps",
        .title = "One sample, step by step",
        .idea = "<p>Start at 0.85. Ask the network for the velocity there, walk a fifteenth of "
                "the way with it, and ask again. This is Euler’s method. The point first drifts "
                "towards the middle, as if undecided, and is then carried off to the narrow "
                "hill.</p>",
        .formula = "<span><var>x</var><sub><var>i</var>+1</sub> = "
                   "<var>x<sub>i</sub></var> + <var>h</var> "
                   "<var>v</var>(<var>x<sub>i</sub></var>, "
                   "<var>t<sub>i</sub></var>)</span> <span><var>h</var> = 1/15</span>",
        .figure = FIGURE_SAMPLED_PATH_GROUND,
        .description =
            "Map of the learned velocity over time and place, over which a point moves from x "
            "= 0.85 at t = 0 to about 1.5 at t = 1.",
        .code = "solver.solver = FMATCH_SOLVER_EULER;\n"
                "solver.steps = 15;\n"
                "fmatch_sampler_create(&sampler, model, &solver);\n"
                "const float start = 0.85f;\n"
                "float path[16];\n"
                "fmatch_sampler_integrate_trajectory(sampler, 1, &start, NULL, path);",
        .write_numbers = write_path_numbers,
    },
    {
        .name = "samples",
        .title = "Samples",
        .idea = "<p>A hundred thousand points of noise, fifty Euler steps each, beside the "
                "density that they should have. What is wrong has two causes. The network is not "
                "quite the mean; and Euler’s method looks at the velocity only where a step "
                "begins, so that every hill comes out too narrow. The second cause costs nothing "
                "to remove: the midpoint rule looks again in the middle of a step. On the right "
                "it takes half as many steps, so the network works as much as before.</p>",
        .formula = "<span><var>k</var> = <var>v</var>(<var>x</var>, <var>t</var>)</span> "
                   "<span><var>x</var> ← <var>x</var> + <var>h</var> "
                   "<var>v</var>(<var>x</var> + ½<var>h</var> <var>k</var>, <var>t</var> "
                   "+ ½<var>h</var>)</span>",
        .figure = FIGURE_RECONSTRUCTION,
        .description =
            "Two histograms of samples under the target's density: Euler with 50 steps and "
            "midpoint with 25, which fits the flanks of the hills better.",
        .code = "solver.solver = FMATCH_SOLVER_MIDPOINT;\n"
                "solver.steps = 25;\n"
                "fmatch_sampler_create(&sampler, model, &solver);\n"
                "fmatch_sampler_draw(sampler, seed, 0, 100000, NULL, samples);\n"
                "fmatch_metrics_evaluate_wasserstein_1d(context, 100000, samples, 100000, exact, "
                "NULL, &w2);",
        .write_numbers = write_reconstruction_numbers,
    },
    {
        .name = "crowd",
        .title = "The crowd on its way",
        .idea = "<p>The same map as the density of the straight lines above, now of points that "
                "follow the learned field. The crowds agree at every moment, up to what the "
                "network got wrong, though hardly a point takes the same way: there the lines "
                "crossed, here they part. That is the whole trick of flow matching.</p>",
        .formula = "<span>∂<var>p<sub>t</sub></var> / ∂<var>t</var> + "
                   "∂(<var>p<sub>t</sub></var> <var>v</var>) / ∂<var>x</var> = 0</span>",
        .figure = FIGURE_SAMPLED_DENSITY,
        .description =
            "Density of 100 000 sampled paths over time: one band that parts into a bright "
            "upper and a broad lower one, much like the straight lines' density.",
        .code = "solver.steps = 200;\n"
                "fmatch_sampler_create(&sampler, model, &solver);\n"
                "for (int64_t row = 0; row < 100000; row += 1000)\n"
                "    fmatch_sampler_draw_trajectory(sampler, seed, row, 1000, NULL, trajectory);",
        .write_numbers = write_crowd_numbers,
    },
    {
        .name = "exact",
        .title = "What the network got wrong",
        .idea = "<p>For a mixture of Gaussians the averaged field has a closed form, so we can "
                "put the network beside the truth. It is good where many lines pass. It blurs the "
                "sharp crease between the two hills, where the true velocity jumps within a short "
                "distance, and it guesses at the rim, where it has seen little.</p>",
        .formula = "<span><var>u</var> = Σ<sub><var>k</var></sub> "
                   "<var>r<sub>k</sub></var> ( <var>m<sub>k</sub></var> + "
                   "<var>c<sub>k</sub></var> (<var>x</var> − <var>t</var> "
                   "<var>m<sub>k</sub></var>) )</span> <span><var>c<sub>k</sub></var> = "
                   "(<var>t</var> <var>s<sub>k</sub></var>² − (1 − <var>t</var>)) / "
                   "<var>S<sub>k</sub></var></span> <span><var>S<sub>k</sub></var> = (1 "
                   "− <var>t</var>)² + <var>t</var>² <var>s<sub>k</sub></var>²</span>",
        .figure = FIGURE_FIELD_ERROR,
        .description =
            "Three maps over time and place: the learned velocity, the exact one, and their "
            "difference, which is small but for a crease between the hills late in time and "
            "the upper right corner.",
        .code = "fmatch_model_evaluate(model, n, x, t, NULL, v);\n"
                "fmatch_model_evaluate(exact, n, x, t, NULL, u);",
        .write_numbers = write_error_numbers,
    },
    {
        .name = "solvers",
        .title = "What a step is worth",
        .idea = "<p>The exact field has no error of its own, so that what is left is the solver’s "
                "(dashed): twice the work halves Euler’s error and quarters the midpoint rule’s. "
                "With the learned field (solid) both end on the same floor, which is the "
                "network’s error: more steps do not repair a field. The midpoint rule gets there "
                "with a tenth of the work.</p>"
                "<p>No random numbers are involved. The flow starts from 2048 equally likely "
                "values of the noise and is compared with those of the target.</p>",
        .formula = "<span><var>W</var><sub>2</sub>² = ∫<sub>0</sub><sup>1</sup> ( "
                   "<var>F</var><sup>−1</sup>(<var>q</var>) − "
                   "<var>G</var><sup>−1</sup>(<var>q</var>) )² d<var>q</var></span>",
        .figure = FIGURE_SOLVERS,
        .description = "W2 distance to the target against evaluations of the field, both axes "
                       "logarithmic. On the exact field Euler's line falls slowly and midpoint's "
                       "steeply; on the learned field both level off.",
        .code = "fmatch_sampler_integrate(sampler, 2048, start, NULL, end);\n"
                "fmatch_metrics_evaluate_wasserstein_1d(context, 2048, end, 2048, exact, NULL, "
                "&w2);",
        .write_numbers = write_solver_numbers,
    },
    {
        .name = "settings",
        .title = "The same network, better trained",
        .idea = "<p>Nothing above was tuned. With the same network, the same number of steps and "
                "the same pairs in each, the library’s recommended settings come closer to the "
                "truth: the network learns only what a Gaussian guess leaves over, the times of a "
                "step are spread evenly, the learning rate falls along a cosine, and what is "
                "published is the average of the last parameters rather than the last ones.</p>",
        .formula = "<span><var>v</var> = <var>b</var>(<var>x</var>, <var>t</var>) + "
                   "<var>c</var> net(<var>t</var>, (<var>x</var> − <var>μ<sub>t</sub></var>) / "
                   "<var>s<sub>t</sub></var>)</span>",
        .figure = FIGURE_SETTINGS,
        .description =
            "Two columns, the post's settings on the left and the recommended ones on the right. "
            "Above, histograms of samples under the target's density; below, maps of what is "
            "wrong with the velocity, paler on the right.",
        .code = "fmatch_mlp_config_init(&network);\n"
                "network.data = target;\n"
                "fmatch_trainer_config_init(&training);\n"
                "training.steps = 10000;",
        .write_numbers = write_settings_numbers,
    },
};

const int sections_count = sizeof sections / sizeof sections[0];
