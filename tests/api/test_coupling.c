/* Couplings: pairs against assignments computed in other ways, and trainers that use them. */
#include "fixtures.h"

enum { N = 24, DIM = 2, COLUMNS = 2, CLASSES = 3 };

struct sides {
    float noise[N * DIM], target[N * DIM], condition[N * COLUMNS];
};

static struct sides make_sides(void)
{
    struct sides s;
    fill_scattered(s.noise, N * DIM, -2, 2, 1);
    fill_scattered(s.target, N * DIM, -3, 3, 2);
    fill_scattered(s.condition, N * COLUMNS, -1, 1, 3);
    for (int i = 0; i < N; i++)
        s.condition[i * COLUMNS] = (float)((i * 7) % CLASSES);
    return s;
}

static fmatch_coupling_rows rows_of(const struct sides *s, int32_t condition_dim, int32_t classes)
{
    return (fmatch_coupling_rows){.struct_size = sizeof(fmatch_coupling_rows),
                                  .dim = DIM,
                                  .n = N,
                                  .noise = s->noise,
                                  .target = s->target,
                                  .condition = condition_dim > 0 ? s->condition : NULL,
                                  .condition_dim = condition_dim,
                                  .classes = classes};
}

static fmatch_coupling_config coupling_of(int32_t kind)
{
    fmatch_coupling_config config;
    fmatch_coupling_config_init(&config);
    config.kind = kind;
    return config;
}

struct pairs {
    int32_t noise_row[N], target_row[N];
    double cost;
};

static struct pairs solve(void **state, const fmatch_coupling_config *config,
                          const fmatch_coupling_rows *rows)
{
    struct pairs p;
    expect_ok(fmatch_coupling_solve(context_of(state), config, 7, rows, p.noise_row, p.target_row,
                                    &p.cost));
    return p;
}

static double distance(const struct sides *s, int i, int j)
{
    double sum = 0;
    for (int k = 0; k < DIM; k++)
        sum += pow((double)s->noise[i * DIM + k] - s->target[j * DIM + k], 2);
    return sum;
}

static void expect_permutation(const struct pairs *p)
{
    int seen[N] = {0};
    for (int i = 0; i < N; i++) {
        assert_int_equal(p->target_row[i], i);
        seen[p->noise_row[i]]++;
    }
    for (int i = 0; i < N; i++)
        expect_that(seen[i] == 1, "noise row %d comes %d times", i, seen[i]);
}

static double total_of(const struct pairs *p, double (*cost)(const struct sides *s, int i, int j),
                       const struct sides *s)
{
    double total = 0;
    for (int i = 0; i < N; i++)
        total += cost(s, p->noise_row[i], p->target_row[i]);
    return total;
}

/* The least total of a cost, from the solver by itself. */
static double least_total(void **state, double (*cost)(const struct sides *s, int i, int j),
                          const struct sides *s)
{
    double matrix[N * N], total;
    int32_t permutation[N];
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++)
            matrix[i * N + j] = cost(s, i, j);
    expect_ok(fmatch_transport_solve_assignment(context_of(state), N, matrix, permutation, &total));
    return total;
}

static void independent_sides_stay(void **state)
{
    const struct sides s = make_sides();
    const fmatch_coupling_rows rows = rows_of(&s, 0, 0);
    const struct pairs p = solve(state, NULL, &rows);
    double wanted = 0;
    for (int i = 0; i < N; i++) {
        assert_true(p.noise_row[i] == i && p.target_row[i] == i);
        wanted += distance(&s, i, i) / N;
    }
    expect_close(p.cost, wanted, 1e-12, "cost");
}

static void exact_pairs_are_the_cheapest(void **state)
{
    const struct sides s = make_sides();
    const fmatch_coupling_rows rows = rows_of(&s, 0, 0);
    const fmatch_coupling_config config = coupling_of(FMATCH_COUPLING_EXACT);
    const struct pairs p = solve(state, &config, &rows);
    expect_permutation(&p);
    const double least = least_total(state, distance, &s);
    expect_close(total_of(&p, distance, &s), least, 1e-9 * least, "total");
    expect_close(p.cost, least / N, 1e-9 * least, "cost");
}

static void pairs_with_replacement_are_of_the_plan(void **state)
{
    const struct sides s = make_sides();
    const fmatch_coupling_rows rows = rows_of(&s, 0, 0);
    fmatch_coupling_config config = coupling_of(FMATCH_COUPLING_EXACT);
    const struct pairs exact = solve(state, &config, &rows);
    config.pairing = FMATCH_PAIRING_REPLACEMENT;
    int counts[N] = {0};
    enum { DRAWS = 200 };
    for (uint64_t seed = 0; seed < DRAWS; seed++) {
        struct pairs p;
        expect_ok(fmatch_coupling_solve(context_of(state), &config, seed, &rows, p.noise_row,
                                        p.target_row, NULL));
        for (int i = 0; i < N; i++) {
            assert_int_equal(exact.noise_row[p.target_row[i]], p.noise_row[i]);
            counts[p.noise_row[i]]++;
        }
    }
    for (int i = 0; i < N; i++)
        expect_close(counts[i], DRAWS, Z * sqrt(DRAWS), "noise row %d", i);
}

static double within_classes(const struct sides *s, int i, int j)
{
    return distance(s, i, j) + (s->condition[i * COLUMNS] == s->condition[j * COLUMNS] ? 0 : 1e6);
}

static void labels_are_paired_among_themselves(void **state)
{
    const struct sides s = make_sides();
    const fmatch_coupling_rows rows = rows_of(&s, COLUMNS, CLASSES);
    fmatch_coupling_config config = coupling_of(FMATCH_COUPLING_EXACT);
    config.condition = FMATCH_CONDITION_COUPLING_CLASSES;
    const struct pairs p = solve(state, &config, &rows);
    expect_permutation(&p);
    const double least = least_total(state, within_classes, &s);
    expect_close(total_of(&p, within_classes, &s), least, 1e-9 * least, "total");
}

static double weighted_distance(const struct sides *s, int i, int j)
{
    return within_classes(s, i, j) +
           3.5 * pow((double)s->condition[i * COLUMNS + 1] - s->condition[j * COLUMNS + 1], 2);
}

static void conditions_weigh_in(void **state)
{
    const struct sides s = make_sides();
    const fmatch_coupling_rows rows = rows_of(&s, COLUMNS, CLASSES);
    fmatch_coupling_config config = coupling_of(FMATCH_COUPLING_EXACT);
    config.condition = FMATCH_CONDITION_COUPLING_WEIGHT;
    config.condition_weight = 3.5;
    const struct pairs p = solve(state, &config, &rows);
    const double least = least_total(state, weighted_distance, &s);
    expect_close(total_of(&p, weighted_distance, &s), least, 1e-9 * least, "total");
}

/* The weight w at which a fifth of all pairs are as cheap as the data's own, to the tolerance that
 * the paper gives, found by trying many. */
static double adapted_weight;

static double adapted_distance(const struct sides *s, int i, int j)
{
    double sum = 0;
    for (int k = 0; k < COLUMNS; k++)
        sum += pow((double)s->condition[i * COLUMNS + k] - s->condition[j * COLUMNS + k], 2);
    return distance(s, i, j) + adapted_weight * sum;
}

static double share_of_cheap(const struct sides *s)
{
    int count = 0;
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++)
            count += adapted_distance(s, i, j) <= distance(s, j, j);
    return (double)count / (N * N);
}

static void adaptive_weight_gives_the_rate(void **state)
{
    const struct sides s = make_sides();
    const fmatch_coupling_rows rows = rows_of(&s, COLUMNS, 0);
    fmatch_coupling_config config = coupling_of(FMATCH_COUPLING_EXACT);
    config.condition = FMATCH_CONDITION_COUPLING_ADAPTIVE;
    config.condition_rate = 0.2;
    const struct pairs p = solve(state, &config, &rows);
    adapted_weight = 0;
    expect_that(share_of_cheap(&s) > 0.2, "share %g without weight", share_of_cheap(&s));
    /* some weight whose share is the rate makes these pairs the cheapest */
    bool found = false;
    for (adapted_weight = 1e-3; adapted_weight < 1e4 && !found; adapted_weight *= 1.002)
        if (fabs(share_of_cheap(&s) - 0.2) < 0.004) {
            const double least = least_total(state, adapted_distance, &s);
            found = fabs(total_of(&p, adapted_distance, &s) - least) < 1e-9 * least;
        }
    expect_that(found, "no weight of the rate %g gives these pairs", 0.2);
    config.condition_rate = 1;
    const struct pairs plain = solve(state, &config, &rows);
    expect_close(total_of(&plain, distance, &s), least_total(state, distance, &s), 1e-9,
                 "a rate of 1 needs no weight");
}

/* ---- entropic ---- */

static fmatch_sinkhorn_config sinkhorn_of(double epsilon, double rho)
{
    fmatch_sinkhorn_config config;
    fmatch_sinkhorn_config_init(&config);
    config.epsilon_unit = FMATCH_EPSILON_ABSOLUTE;
    config.epsilon = epsilon;
    config.rho = rho;
    config.tolerance = 1e-6;
    return config;
}

/* Pairs of many seeds are as frequent as the plan of the solver by itself says: chi-square's
 * statistic over its cells, of which there are N^2 less those too rare, is within its mean plus
 * five deviations. */
static void expect_plans_frequencies(void **state, int32_t kind, const fmatch_sinkhorn_config *s)
{
    const struct sides sides = make_sides();
    const fmatch_coupling_rows rows = rows_of(&sides, 0, 0);
    double cost[N * N], plan[N * N], mass = 0;
    for (int i = 0; i < N * N; i++)
        cost[i] = distance(&sides, i / N, i % N);
    expect_ok(fmatch_transport_solve_sinkhorn(context_of(state), N, N, cost, NULL, NULL, s, plan,
                                              NULL, NULL, NULL));
    for (int i = 0; i < N * N; i++)
        mass += plan[i];
    fmatch_coupling_config config = coupling_of(kind);
    config.sinkhorn = s;
    enum { SEEDS = 3000 };
    static int counts[N * N];
    memset(counts, 0, sizeof counts);
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct pairs p;
        expect_ok(fmatch_coupling_solve(context_of(state), &config, seed, &rows, p.noise_row,
                                        p.target_row, NULL));
        for (int k = 0; k < N; k++) {
            if (kind == FMATCH_COUPLING_ENTROPIC)
                assert_int_equal(p.noise_row[k], k);
            counts[p.noise_row[k] * N + p.target_row[k]]++;
        }
    }
    double statistic = 0, cells = 0;
    for (int i = 0; i < N * N; i++) {
        const double wanted = (double)SEEDS * N * plan[i] / mass;
        if (wanted < 5)
            continue;
        statistic += pow(counts[i] - wanted, 2) / wanted;
        cells++;
    }
    expect_that(cells > 3 * N, "only %g cells", cells);
    expect_that(statistic < cells + 5 * sqrt(2 * cells), "chi-square %g of %g cells", statistic,
                cells);
}

static void entropic_pairs_are_drawn_from_the_plan(void **state)
{
    const fmatch_sinkhorn_config s = sinkhorn_of(2, 0);
    expect_plans_frequencies(state, FMATCH_COUPLING_ENTROPIC, &s);
}

static void unbalanced_pairs_are_drawn_from_the_plan(void **state)
{
    const fmatch_sinkhorn_config s = sinkhorn_of(2, 3);
    expect_plans_frequencies(state, FMATCH_COUPLING_UNBALANCED, &s);
}

static void entropic_pairs_keep_their_labels(void **state)
{
    const struct sides s = make_sides();
    const fmatch_coupling_rows rows = rows_of(&s, COLUMNS, CLASSES);
    const fmatch_coupling_config config = coupling_of(FMATCH_COUPLING_ENTROPIC);
    const struct pairs p = solve(state, &config, &rows);
    for (int i = 0; i < N; i++)
        expect_that(s.condition[p.noise_row[i] * COLUMNS] == s.condition[p.target_row[i] * COLUMNS],
                    "pair %d joins labels %g and %g", i, s.condition[p.noise_row[i] * COLUMNS],
                    s.condition[p.target_row[i] * COLUMNS]);
}

static void a_plan_without_mass_is_refused(void **state)
{
    struct sides s = make_sides();
    for (int i = 0; i < N * DIM; i++)
        s.target[i] += 100;
    const fmatch_coupling_rows rows = rows_of(&s, 0, 0);
    const fmatch_sinkhorn_config sinkhorn = sinkhorn_of(1, 1);
    fmatch_coupling_config config = coupling_of(FMATCH_COUPLING_UNBALANCED);
    config.sinkhorn = &sinkhorn;
    struct pairs p;
    expect_status(fmatch_coupling_solve(context_of(state), &config, 0, &rows, p.noise_row,
                                        p.target_row, NULL),
                  FMATCH_ERROR_ARGUMENT);
    expect_detail("no mass", "rho");
}

static void labels_that_are_none_are_refused(void **state)
{
    struct sides s = make_sides();
    s.condition[2 * COLUMNS] = 1.5f;
    const fmatch_coupling_rows rows = rows_of(&s, COLUMNS, CLASSES);
    const fmatch_coupling_config config = coupling_of(FMATCH_COUPLING_EXACT);
    struct pairs p;
    expect_status(fmatch_coupling_solve(context_of(state), &config, 0, &rows, p.noise_row,
                                        p.target_row, NULL),
                  FMATCH_ERROR_ARGUMENT);
    expect_detail("row 2", "1.5");
}

static void what_does_not_converge_is_said(void **state)
{
    const struct sides s = make_sides();
    const fmatch_coupling_rows rows = rows_of(&s, 0, 0);
    fmatch_sinkhorn_config sinkhorn = sinkhorn_of(1e-3, 0);
    sinkhorn.iterations = 2;
    fmatch_coupling_config config = coupling_of(FMATCH_COUPLING_ENTROPIC);
    config.sinkhorn = &sinkhorn;
    struct pairs p;
    expect_status(fmatch_coupling_solve(context_of(state), &config, 0, &rows, p.noise_row,
                                        p.target_row, NULL),
                  FMATCH_ERROR_STEP_LIMIT);
    expect_detail("tolerance");
    sinkhorn = sinkhorn_of(1, 3);
    expect_status(fmatch_coupling_solve(context_of(state), &config, 0, &rows, p.noise_row,
                                        p.target_row, NULL),
                  FMATCH_ERROR_ARGUMENT);
    expect_detail("rho");
    config.kind = FMATCH_COUPLING_UNBALANCED;
    sinkhorn.rho = 0;
    expect_status(fmatch_coupling_solve(context_of(state), &config, 0, &rows, p.noise_row,
                                        p.target_row, NULL),
                  FMATCH_ERROR_ARGUMENT);
    expect_detail("rho", "UNBALANCED");
}

/* ---- a user's coupling ---- */

static int32_t reversed(void *user, fmatch_random *random, int64_t n, int32_t dim,
                        const float *noise, const float *target, int32_t condition_dim,
                        const float *condition, int32_t *noise_row, int32_t *target_row)
{
    (void)random;
    const int fault = user ? *(int *)user : 0;
    if (fault == 1)
        return -3;
    assert_true(dim == DIM && noise && target && (condition_dim > 0) == (condition != NULL));
    for (int32_t i = 0; fault != 3 && i < n; i++) {
        noise_row[i] = (int32_t)n - 1 - i;
        target_row[i] = fault == 2 ? (int32_t)n : i;
    }
    return 0;
}

static void users_pair_as_they_like(void **state)
{
    const struct sides s = make_sides();
    const fmatch_coupling_rows rows = rows_of(&s, COLUMNS, CLASSES);
    int fault = 0;
    const fmatch_coupling_callbacks callbacks = {
        .struct_size = sizeof callbacks, .pair = reversed, .user = &fault};
    fmatch_coupling_config config = coupling_of(FMATCH_COUPLING_CALLBACK);
    config.callbacks = &callbacks;
    struct pairs p = solve(state, &config, &rows);
    for (int i = 0; i < N; i++)
        assert_true(p.noise_row[i] == N - 1 - i && p.target_row[i] == i);
    fault = 1;
    expect_status(fmatch_coupling_solve(context_of(state), &config, 0, &rows, p.noise_row,
                                        p.target_row, NULL),
                  FMATCH_ERROR_CALLBACK);
    assert_int_equal(fmatch_error_callback_code(), -3);
    fault = 2;
    expect_status(fmatch_coupling_solve(context_of(state), &config, 0, &rows, p.noise_row,
                                        p.target_row, NULL),
                  FMATCH_ERROR_ARGUMENT);
    expect_detail("target_row[0]", "24");
    fault = 0; /* leaves pairs where the next call writes none */
    expect_ok(fmatch_coupling_solve(context_of(state), &config, 0, &rows, p.noise_row, p.target_row,
                                    NULL));
    fault = 3;
    expect_status(fmatch_coupling_solve(context_of(state), &config, 0, &rows, p.noise_row,
                                        p.target_row, NULL),
                  FMATCH_ERROR_ARGUMENT);
    expect_detail("noise_row[0]", "-1");
}

/* ---- what is refused ---- */

static void contradicting_settings_are_refused(void **state)
{
    static const struct {
        fmatch_coupling_config config;
        int32_t condition_dim, classes;
        const char *word;
    } cases[] = {
        {{.kind = 99}, 0, 0, "kind"},
        {{.kind = FMATCH_COUPLING_EXACT, .pairing = 2}, 0, 0, "pairing"},
        {{.kind = FMATCH_COUPLING_EXACT, .batch = N + 1}, 0, 0, "number of rows"},
        {{.kind = FMATCH_COUPLING_EXACT, .batch = 16385}, 0, 0, "16384"},
        {{.kind = FMATCH_COUPLING_EXACT, .condition = FMATCH_CONDITION_COUPLING_CLASSES},
         COLUMNS,
         0,
         "labels"},
        {{.kind = FMATCH_COUPLING_EXACT, .condition = FMATCH_CONDITION_COUPLING_ADAPTIVE},
         1,
         CLASSES,
         "ADAPTIVE"},
        {{.kind = FMATCH_COUPLING_EXACT, .condition_weight = 1}, COLUMNS, 0, "condition_weight"},
        {{.kind = FMATCH_COUPLING_EXACT, .condition_rate = 2}, COLUMNS, 0, "condition_rate"},
        {{.kind = FMATCH_COUPLING_CALLBACK}, 0, 0, "callbacks"},
    };
    const struct sides s = make_sides();
    for (size_t i = 0; i < COUNT(cases); i++) {
        fmatch_coupling_config config = cases[i].config;
        config.struct_size = sizeof config;
        config.condition_rate = config.condition_rate ? config.condition_rate : 0.05;
        fmatch_coupling_rows rows = rows_of(&s, cases[i].condition_dim, cases[i].classes);
        static const float labels[N];
        if (cases[i].condition_dim == 1)
            rows.condition = labels;
        struct pairs p;
        expect_status(fmatch_coupling_solve(context_of(state), &config, 0, &rows, p.noise_row,
                                            p.target_row, NULL),
                      FMATCH_ERROR_ARGUMENT);
        expect_detail(cases[i].word);
    }
}

/* ---- training ---- */

enum { BATCH = 48 };

static fmatch_source *make_target(fmatch_context *context)
{
    const float weights[] = {1, 1}, means[] = {-3, 0, 3, 1}, stds[] = {0.5f, 0.5f, 0.5f, 0.5f};
    fmatch_source *source;
    expect_ok(
        fmatch_source_create_gaussian_mixture(&source, context, DIM, 2, weights, means, stds));
    return source;
}

enum { STORED = 7 };

/* Seven rows far apart, the last of weight 0 and the first of twice the others'. */
static fmatch_source *make_stored(fmatch_context *context)
{
    static const float rows[STORED * DIM] = {-6, 0, 6, 0, 0, 6, 0, -6, 4, 4, -4, -4, 50, 50};
    static const float weights[STORED] = {2, 1, 1, 1, 1, 1, 0};
    fmatch_array_config config;
    fmatch_array_config_init(&config);
    config.dim = DIM;
    config.n = STORED;
    config.rows = rows;
    config.weights = weights;
    fmatch_source *source;
    expect_ok(fmatch_source_create_array(&source, context, &config));
    return source;
}

static fmatch_trainer *make_coupled(fmatch_context *context, fmatch_model *model,
                                    const fmatch_coupling_config *coupling)
{
    const bool stored = coupling && coupling->kind == FMATCH_COUPLING_SEMIDISCRETE;
    fmatch_source *target = stored ? make_stored(context) : make_target(context);
    fmatch_optimizer *optimizer = make_adam(context, 1e-2);
    fmatch_trainer_config config;
    fmatch_trainer_config_init_preset(&config, FMATCH_PRESET_PLAIN);
    config.batch = BATCH;
    config.seed = 5;
    config.coupling = coupling;
    fmatch_trainer *trainer;
    expect_ok(fmatch_trainer_create(&trainer, model, optimizer, target, &config));
    fmatch_optimizer_destroy(&optimizer);
    fmatch_source_destroy(&target);
    return trainer;
}

/* The coupling's pairs are nearer, so the loss of a velocity of nearly 0 is the mean squared
 * distance, half of it a column: 4.5 + 1 + ... for independent sides. */
static void coupled_rows_are_nearer(void **state)
{
    fmatch_model *model = make_mlp(context_of(state), DIM, 1, 2, FMATCH_ACTIVATION_TANH, 1);
    for (int32_t i = 0; i < fmatch_model_count_tensors(model); i++) {
        const fmatch_tensor_info info = tensor_info(model, i);
        const float zeros[16] = {0};
        expect_ok(fmatch_model_set_tensor(model, info.name, info.shape[0] * info.shape[1], zeros));
    }
    double independent, exact;
    fmatch_trainer *trainer = make_coupled(context_of(state), model, NULL);
    expect_ok(fmatch_trainer_evaluate(trainer, 3, 48000, &independent));
    fmatch_trainer_destroy(&trainer);
    fmatch_coupling_config config = coupling_of(FMATCH_COUPLING_EXACT);
    config.batch = 4 * BATCH;
    trainer = make_coupled(context_of(state), model, &config);
    expect_ok(fmatch_trainer_evaluate(trainer, 3, 48000, &exact));
    /* E|x1 - x0|^2 / 2 = (9 + 0.5 + 2 * 0.25 + 2) / 2 */
    expect_close(independent, 6.0, 0.15, "independent");
    expect_that(exact < 0.75 * independent, "exact %g, independent %g", exact, independent);
    double again;
    expect_ok(fmatch_trainer_evaluate(trainer, 3, 48000, &again));
    expect_close(again, exact, 0, "evaluated again");
    fmatch_trainer_destroy(&trainer);
    fmatch_model_destroy(&model);
}

static void expect_same_training(const fmatch_coupling_config *coupling, const int *runs,
                                 size_t count, const char *what)
{
    static float *first;
    first = NULL;
    int64_t values = 0;
    for (int threads = 1; threads <= 8; threads = threads < 3 ? threads + 1 : threads + 5) {
        fmatch_context_config settings = forced_context_config();
        settings.threads = threads;
        fmatch_context *context;
        expect_ok(fmatch_context_create(&context, &settings));
        fmatch_model *model = make_mlp(context, DIM, 1, 8, FMATCH_ACTIVATION_GELU, 2);
        fmatch_trainer *trainer = make_coupled(context, model, coupling);
        for (size_t i = 0; i < (threads == 1 ? 1 : count); i++) {
            double loss;
            expect_ok(fmatch_trainer_run(trainer, threads == 1 ? 13 : runs[i], NULL));
            expect_ok(fmatch_trainer_evaluate(trainer, 1, 100, &loss));
        }
        float *parameters = read_parameters(model, &values);
        if (first)
            expect_same_bits(first, parameters, values, "%s, %d threads", what, threads);
        else
            first = memcpy(floats(values), parameters, (size_t)values * sizeof *parameters);
        free(parameters);
        fmatch_trainer_destroy(&trainer);
        fmatch_model_destroy(&model);
        fmatch_context_destroy(&context);
    }
    free(first);
}

/* Whatever the threads, and however 13 steps are cut into runs. */
static void training_is_the_same_for_all_threads_and_runs(void **state)
{
    (void)state;
    static const int runs[] = {1, 4, 2, 6};
    const fmatch_coupling_callbacks callbacks = {.struct_size = sizeof callbacks, .pair = reversed};
    fmatch_coupling_config config = coupling_of(FMATCH_COUPLING_EXACT);
    expect_same_training(&config, runs, COUNT(runs), "exact");
    config.batch = 3 * BATCH;
    expect_same_training(&config, runs, COUNT(runs), "exact, three batches together");
    config.pairing = FMATCH_PAIRING_REPLACEMENT;
    expect_same_training(&config, runs, COUNT(runs), "replacement");
    config = coupling_of(FMATCH_COUPLING_ENTROPIC);
    expect_same_training(&config, runs, COUNT(runs), "entropic");
    config = coupling_of(FMATCH_COUPLING_SEMIDISCRETE);
    expect_same_training(&config, runs, COUNT(runs), "semidiscrete");
    config = coupling_of(FMATCH_COUPLING_CALLBACK);
    config.callbacks = &callbacks;
    expect_same_training(&config, runs, COUNT(runs), "callback");
}

/* A model trained on few far points with transport to all of them carries noise to each as often as
 * its weight says, and to none of weight 0. */
static void semidiscrete_pairs_have_the_weights_as_masses(void **state)
{
    fmatch_source *target = make_stored(context_of(state));
    fmatch_model *model = make_mlp(context_of(state), DIM, 2, 32, FMATCH_ACTIVATION_GELU, 1);
    fmatch_optimizer *optimizer = make_adam(context_of(state), 3e-3);
    const fmatch_coupling_config coupling = coupling_of(FMATCH_COUPLING_SEMIDISCRETE);
    fmatch_trainer_config config;
    fmatch_trainer_config_init_preset(&config, FMATCH_PRESET_PLAIN);
    config.batch = 128;
    config.coupling = &coupling;
    fmatch_trainer *trainer;
    expect_ok(fmatch_trainer_create(&trainer, model, optimizer, target, &config));
    expect_ok(fmatch_trainer_run(trainer, 4000, NULL));
    fmatch_sampler *sampler = make_sampler(model, FMATCH_SOLVER_MIDPOINT, 30, 0, 1);
    enum { DRAWN = 2000 };
    static float x[DRAWN * DIM];
    expect_ok(fmatch_sampler_draw(sampler, 1, 0, DRAWN, NULL, x));
    float rows[STORED * DIM], weights[STORED];
    expect_ok(fmatch_source_get_rows(target, 0, STORED, rows));
    expect_ok(fmatch_source_get_weights(target, 0, STORED, weights));
    double counts[STORED] = {0};
    for (int i = 0; i < DRAWN; i++) {
        int nearest = 0;
        double least = INFINITY;
        for (int k = 0; k < STORED; k++) {
            const double off = pow((double)x[i * DIM] - rows[k * DIM], 2) +
                               pow((double)x[i * DIM + 1] - rows[k * DIM + 1], 2);
            nearest = off < least ? k : nearest;
            least = fmin(least, off);
        }
        counts[nearest]++;
    }
    for (int k = 0; k < STORED; k++)
        expect_close(counts[k] / DRAWN, weights[k] / 7, 0.05, "row %d", k);
    fmatch_sampler_destroy(&sampler);
    fmatch_trainer_destroy(&trainer);
    fmatch_optimizer_destroy(&optimizer);
    fmatch_model_destroy(&model);
    fmatch_source_destroy(&target);
}

static void semidiscrete_needs_stored_rows(void **state)
{
    const fmatch_coupling_config coupling = coupling_of(FMATCH_COUPLING_SEMIDISCRETE);
    fmatch_model *model = make_mlp(context_of(state), DIM, 1, 2, FMATCH_ACTIVATION_TANH, 1);
    fmatch_optimizer *optimizer = make_adam(context_of(state), 3e-3);
    fmatch_source *target = make_target(context_of(state));
    fmatch_trainer_config config;
    fmatch_trainer_config_init_preset(&config, FMATCH_PRESET_PLAIN);
    config.coupling = &coupling;
    fmatch_trainer *trainer;
    expect_status(fmatch_trainer_create(&trainer, model, optimizer, target, &config),
                  FMATCH_ERROR_UNSUPPORTED);
    expect_detail("stores no rows");
    const struct sides s = make_sides();
    const fmatch_coupling_rows rows = rows_of(&s, 0, 0);
    struct pairs p;
    expect_status(fmatch_coupling_solve(context_of(state), &coupling, 0, &rows, p.noise_row,
                                        p.target_row, NULL),
                  FMATCH_ERROR_UNSUPPORTED);
    fmatch_source_destroy(&target);
    fmatch_optimizer_destroy(&optimizer);
    fmatch_model_destroy(&model);
}

static void count_destroy(void *user)
{
    ++*(int *)user;
}

/* A source that fails once, at the rows that a thread asks for ahead of time. */
static int32_t fails_at_row(void *user, fmatch_random *random, int64_t first_row, int64_t n,
                            float *x)
{
    int64_t *fail_at = user;
    fmatch_random_draw_normal(random, n, DIM, x);
    if (*fail_at < first_row || *fail_at >= first_row + n)
        return 0;
    *fail_at = -1;
    return -5;
}

static void a_failure_ahead_of_time_is_told(void **state)
{
    (void)state;
    fmatch_context_config settings = forced_context_config();
    settings.threads = 3;
    fmatch_context *context;
    expect_ok(fmatch_context_create(&context, &settings));
    int64_t fail_at = 5 * BATCH + 3;
    const fmatch_source_callbacks callbacks = {
        .struct_size = sizeof callbacks, .draw = fails_at_row, .user = &fail_at};
    fmatch_source *target;
    expect_ok(fmatch_source_create_callback(&target, context, DIM, &callbacks));
    fmatch_model *model = make_mlp(context, DIM, 1, 4, FMATCH_ACTIVATION_TANH, 1);
    fmatch_optimizer *optimizer = make_adam(context, 1e-2);
    const fmatch_coupling_config coupling = coupling_of(FMATCH_COUPLING_EXACT);
    fmatch_trainer_config config;
    fmatch_trainer_config_init_preset(&config, FMATCH_PRESET_PLAIN);
    config.batch = BATCH;
    config.coupling = &coupling;
    fmatch_trainer *trainer;
    expect_ok(fmatch_trainer_create(&trainer, model, optimizer, target, &config));
    expect_status(fmatch_trainer_run(trainer, 100, NULL), FMATCH_ERROR_CALLBACK);
    assert_int_equal(fmatch_error_callback_code(), -5);
    assert_int_equal(fmatch_trainer_count_steps(trainer), 5);
    expect_ok(fmatch_trainer_run(trainer, 3, NULL));
    fmatch_trainer_destroy(&trainer);
    fmatch_optimizer_destroy(&optimizer);
    fmatch_model_destroy(&model);
    fmatch_source_destroy(&target);
    fmatch_context_destroy(&context);
}

/* Weights of the caller's own rows do not stay for those that are drawn afterwards. */
static void weights_of_a_batch_are_its_own(void **state)
{
    const fmatch_coupling_config coupling = coupling_of(FMATCH_COUPLING_EXACT);
    fmatch_model *model = make_mlp(context_of(state), DIM, 1, 4, FMATCH_ACTIVATION_TANH, 1);
    fmatch_trainer *trainer = make_coupled(context_of(state), model, &coupling);
    double before, after, loss;
    expect_ok(fmatch_trainer_evaluate(trainer, 1, 100, &before));
    float rows[BATCH * DIM] = {0}, weights[BATCH] = {3};
    const fmatch_batch batch = {
        .struct_size = sizeof batch, .n = BATCH, .target = rows, .weight = weights};
    expect_ok(fmatch_trainer_evaluate_batch(trainer, &batch, &loss));
    expect_ok(fmatch_trainer_evaluate(trainer, 1, 100, &after));
    expect_close(after, before, 1e-12, "after a weighted batch");
    fmatch_trainer_destroy(&trainer);
    fmatch_model_destroy(&model);
}

static void trainers_keep_and_give_up_users_functions(void **state)
{
    int destroyed = 0;
    const fmatch_coupling_callbacks callbacks = {
        .struct_size = sizeof callbacks, .pair = reversed, .destroy = count_destroy, .user = NULL};
    fmatch_coupling_callbacks counted = callbacks;
    counted.user = &destroyed;
    counted.pair = reversed;
    fmatch_coupling_config config = coupling_of(FMATCH_COUPLING_CALLBACK);
    config.callbacks = &counted;
    config.batch = 7;
    fmatch_model *model = make_mlp(context_of(state), DIM, 1, 2, FMATCH_ACTIVATION_TANH, 1);
    fmatch_optimizer *optimizer = make_adam(context_of(state), 1e-2);
    fmatch_trainer_config settings;
    fmatch_trainer_config_init_preset(&settings, FMATCH_PRESET_PLAIN);
    settings.coupling = &config;
    fmatch_trainer *trainer;
    expect_status(fmatch_trainer_create(&trainer, model, optimizer, NULL, &settings),
                  FMATCH_ERROR_ARGUMENT);
    expect_detail("coupling->batch", "256");
    assert_int_equal(destroyed, 1);
    config.batch = 0;
    expect_ok(fmatch_trainer_create(&trainer, model, optimizer, NULL, &settings));
    fmatch_trainer_destroy(&trainer);
    assert_int_equal(destroyed, 2);
    fmatch_optimizer_destroy(&optimizer);
    fmatch_model_destroy(&model);
}

#define coupling_test(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        coupling_test(independent_sides_stay),
        coupling_test(exact_pairs_are_the_cheapest),
        coupling_test(pairs_with_replacement_are_of_the_plan),
        coupling_test(labels_are_paired_among_themselves),
        coupling_test(conditions_weigh_in),
        coupling_test(adaptive_weight_gives_the_rate),
        coupling_test(entropic_pairs_are_drawn_from_the_plan),
        coupling_test(unbalanced_pairs_are_drawn_from_the_plan),
        coupling_test(entropic_pairs_keep_their_labels),
        coupling_test(a_plan_without_mass_is_refused),
        coupling_test(labels_that_are_none_are_refused),
        coupling_test(what_does_not_converge_is_said),
        coupling_test(users_pair_as_they_like),
        coupling_test(contradicting_settings_are_refused),
        coupling_test(coupled_rows_are_nearer),
        coupling_test(training_is_the_same_for_all_threads_and_runs),
        coupling_test(semidiscrete_pairs_have_the_weights_as_masses),
        coupling_test(semidiscrete_needs_stored_rows),
        coupling_test(a_failure_ahead_of_time_is_told),
        coupling_test(weights_of_a_batch_are_its_own),
        coupling_test(trainers_keep_and_give_up_users_functions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
