#include "coupled_flow.h"
#include "../progress.h"
#include "../stopwatch.h"

const int budgets[BUDGETS] = {1, 2, 4, 8, 16, 32, 64};

/* Other draws than the training's, which begins with the seed itself. */
enum { SEED_START = 1, SEED_WANTED = 2, SEED_WANTED_AGAIN = 3, SEED_PAIRS = 4 };

/** The pair of Tong et al. 2024, table 2: moons within a ring of Gaussians. */
static fmatch_status create_toy(fmatch_source **source, fmatch_context *context, int32_t kind)
{
    fmatch_toy_config toy;

    fmatch_toy_config_init(&toy);
    toy.kind = kind;
    toy.convention = FMATCH_TOY_MOONS_TO_GAUSSIANS;
    return fmatch_source_create_toy(source, context, &toy);
}

static fmatch_status measure_distances(const struct problem *problem, const float *rows,
                                       struct distances *distances)
{
    fmatch_status status = fmatch_metrics_evaluate_wasserstein(
        problem->context, DIM, ROWS, rows, problem->wanted, NULL, &distances->w2, NULL);

    if (status != FMATCH_OK)
        return status;
    return fmatch_metrics_evaluate_energy_distance(DIM, ROWS, rows, ROWS, problem->wanted,
                                                   &distances->energy_distance);
}

/** Finite sets of one distribution are never at distance zero, nor at the same from set to set. */
static fmatch_status measure_floor(struct problem *problem, uint64_t seed)
{
    enum { SETS = 5 };
    static float again[ROWS * DIM];
    struct distances floor = {0};
    fmatch_status status = FMATCH_OK;

    for (int64_t i = 0; status == FMATCH_OK && i < SETS; i++) {
        if ((status = fmatch_source_draw(problem->target, seed, i * ROWS, ROWS, again)) ==
            FMATCH_OK)
            status = measure_distances(problem, again, &floor);
        problem->w2_floor += floor.w2 / SETS;
        problem->energy_distance_floor += floor.energy_distance / SETS;
    }
    return status;
}

fmatch_status problem_create(struct problem *p, uint64_t seed)
{
    fmatch_context_config context;
    fmatch_status status;

    fmatch_context_config_init(&context);
    context.threads = 2; /* with which the next pairs are found while a step runs */
    if ((status = fmatch_context_create(&p->context, &context)) != FMATCH_OK ||
        (status = create_toy(&p->noise, p->context, FMATCH_TOY_TWO_MOONS)) != FMATCH_OK ||
        (status = create_toy(&p->target, p->context, FMATCH_TOY_EIGHT_GAUSSIANS)) != FMATCH_OK ||
        (status = fmatch_source_draw(p->noise, seed + SEED_START, 0, ROWS, p->start)) !=
            FMATCH_OK ||
        (status = fmatch_source_draw(p->target, seed + SEED_WANTED, 0, ROWS, p->wanted)) !=
            FMATCH_OK ||
        (status = fmatch_metrics_evaluate_wasserstein(p->context, DIM, ROWS, p->start, p->wanted,
                                                      NULL, NULL, &p->transport)) != FMATCH_OK)
        return status;
    return measure_floor(p, seed + SEED_WANTED_AGAIN);
}

void problem_destroy(struct problem *problem)
{
    fmatch_source_destroy(&problem->noise);
    fmatch_source_destroy(&problem->target);
    fmatch_context_destroy(&problem->context);
}

static fmatch_status create_model(fmatch_model **model, const struct problem *problem,
                                  uint64_t seed)
{
    fmatch_mlp_config network;

    fmatch_mlp_config_init(&network);
    network.data = problem->target, network.noise = problem->noise;
    network.hidden_layers = 3, network.hidden_width = 64;
    network.activation = FMATCH_ACTIVATION_SELU;
    network.baseline = FMATCH_BASELINE_NONE; /* the other one is what independent pairs give */
    network.seed = seed;
    return fmatch_model_create_mlp(model, problem->context, &network);
}

/** Mean over the last steps, in the standardised units of the network. */
static fmatch_status measure_loss(const fmatch_trainer *trainer, double *loss)
{
    enum { LAST = 500 };
    double losses[LAST];
    int64_t steps = fmatch_trainer_count_steps(trainer), n = steps < LAST ? steps : LAST;
    fmatch_status status = fmatch_trainer_get_losses(trainer, steps - n, n, losses);

    *loss = 0;
    for (int64_t i = 0; status == FMATCH_OK && i < n; i++)
        *loss += losses[i] / (double)n;
    return status;
}

static fmatch_status train_model(struct coupled_flow *flow, const struct problem *problem,
                                 fmatch_model *model, const fmatch_coupling_config *coupling,
                                 int64_t steps, uint64_t seed)
{
    fmatch_optimizer *optimizer = NULL;
    fmatch_trainer *trainer = NULL;
    fmatch_trainer_config training;
    fmatch_status status;
    double start = seconds_now();

    fmatch_trainer_config_init(&training);
    training.seed = seed, training.batch = BATCH;
    training.steps = steps;       /* over which the learning rate falls */
    training.coupling = coupling; /* copied */
    if ((status = fmatch_optimizer_create_adam(&optimizer, problem->context, NULL)) == FMATCH_OK &&
        (status = fmatch_trainer_create(&trainer, model, optimizer, problem->target, &training)) ==
            FMATCH_OK &&
        (status = train_with_progress(trainer, steps)) == FMATCH_OK)
        status = measure_loss(trainer, &flow->loss);
    flow->seconds = seconds_now() - start;
    fmatch_trainer_destroy(&trainer);
    fmatch_optimizer_destroy(&optimizer);
    return status;
}

/** A sampler of the plainest kind, whose steps are its evaluations. */
static fmatch_status create_euler(fmatch_sampler **sampler, const fmatch_model *model, int steps)
{
    fmatch_sampler_config euler;

    fmatch_sampler_config_init(&euler);
    euler.solver = FMATCH_SOLVER_EULER;
    euler.steps = steps;
    return fmatch_sampler_create(sampler, model, &euler);
}

static fmatch_status measure_paths(struct coupled_flow *flow, const struct problem *problem,
                                   const fmatch_model *model)
{
    fmatch_sampler *sampler = NULL;
    double times[PATH_STEPS + 1];
    fmatch_status status;

    if ((status = create_euler(&sampler, model, PATH_STEPS)) == FMATCH_OK &&
        (status = fmatch_sampler_get_times(sampler, times)) == FMATCH_OK &&
        (status = fmatch_sampler_integrate_trajectory(sampler, ROWS, problem->start, NULL,
                                                      flow->paths)) == FMATCH_OK &&
        (status = fmatch_metrics_evaluate_path(problem->context, DIM, PATH_STEPS + 1, times, ROWS,
                                               flow->paths, &flow->energy, &flow->curvature,
                                               &flow->straightness)) == FMATCH_OK)
        status = fmatch_metrics_evaluate_normalised_path_energy(
            problem->context, DIM, PATH_STEPS + 1, times, ROWS, flow->paths, problem->transport,
            &flow->normalised_energy);
    fmatch_sampler_destroy(&sampler);
    return status;
}

static fmatch_status measure_budget(const struct problem *problem, const fmatch_model *model,
                                    int evaluations, struct distances *distances)
{
    static float samples[ROWS * DIM];
    fmatch_sampler *sampler = NULL;
    fmatch_status status;

    if ((status = create_euler(&sampler, model, evaluations)) == FMATCH_OK &&
        (status = fmatch_sampler_integrate(sampler, ROWS, problem->start, NULL, samples)) ==
            FMATCH_OK)
        status = measure_distances(problem, samples, distances);
    fmatch_sampler_destroy(&sampler);
    return status;
}

static fmatch_status find_pairs(struct coupled_flow *flow, const struct problem *problem,
                                const fmatch_coupling_config *coupling, uint64_t seed)
{
    const fmatch_coupling_rows rows = {.struct_size = sizeof rows,
                                       .dim = DIM,
                                       .n = BATCH,
                                       .noise = problem->start,
                                       .target = problem->wanted};

    return fmatch_coupling_solve(problem->context, coupling, seed + SEED_PAIRS, &rows,
                                 flow->noise_row, flow->target_row, &flow->pair_cost);
}

fmatch_status coupled_flow_run(struct coupled_flow *flow, const struct problem *problem,
                               int64_t steps, uint64_t seed)
{
    fmatch_model *model = NULL;
    fmatch_coupling_config coupling;
    fmatch_status status;

    fmatch_coupling_config_init(&coupling);
    coupling.kind = flow->kind;
    if ((status = create_model(&model, problem, seed)) == FMATCH_OK &&
        (status = find_pairs(flow, problem, &coupling, seed)) == FMATCH_OK &&
        (status = train_model(flow, problem, model, &coupling, steps, seed)) == FMATCH_OK)
        status = measure_paths(flow, problem, model);
    for (int i = 0; status == FMATCH_OK && i < BUDGETS; i++)
        status = measure_budget(problem, model, budgets[i], &flow->distances[i]);
    fmatch_model_destroy(&model);
    return status;
}
