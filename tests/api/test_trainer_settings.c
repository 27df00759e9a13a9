/* What a trainer minimises under its settings: losses, weights, conditions and times, by hand in
 * double and by central differences. */
#include "fixtures.h"

enum { DIM = 2, N = 9, COLUMNS = 2 };

static fmatch_model *make_model(fmatch_context *context)
{
    fmatch_mlp_config config;
    fmatch_mlp_config_init(&config);
    config.dim = DIM;
    config.hidden_layers = 1;
    config.hidden_width = 6;
    config.activation = FMATCH_ACTIVATION_TANH;
    config.condition_dim = COLUMNS;
    config.classes = 3;
    config.embedding_dim = 2;
    config.null_condition = FMATCH_NULL_CONDITION_ACCEPTED;
    config.seed = 8;
    fmatch_model *model;
    expect_ok(fmatch_model_create_mlp(&model, context, &config));
    return model;
}

/* Rows of a batch. */
struct rows {
    float noise[N * DIM], target[N * DIM], t[N], condition[N * COLUMNS], weight[N];
};

static struct rows make_rows(void)
{
    struct rows r;
    fill_scattered(r.noise, N * DIM, -2, 2, 1);
    fill_scattered(r.target, N * DIM, -2, 2, 2);
    fill_scattered(r.t, N, 0, 0.99, 3);
    fill_scattered(r.condition, N * COLUMNS, -1, 1, 4);
    fill_scattered(r.weight, N, 0, 3, 5);
    for (int i = 0; i < N; i++)
        r.condition[i * COLUMNS] = i % 4 < 3 ? (float)(i % 4) : NAN;
    r.weight[4] = 0;
    return r;
}

static fmatch_batch batch_of(const struct rows *r, bool weighted)
{
    return (fmatch_batch){.struct_size = sizeof(fmatch_batch),
                          .n = N,
                          .target = r->target,
                          .noise = r->noise,
                          .t = r->t,
                          .condition = r->condition,
                          .weight = weighted ? r->weight : NULL};
}

/* 1 + t^2 */
static int32_t quadratic(void *user, int64_t n, const float *t, double *weight)
{
    for (int64_t i = 0; i < n; i++)
        weight[i] = user ? -1 : 1 + (double)t[i] * t[i];
    return 0;
}

static const fmatch_loss_callbacks quadratic_weight = {.struct_size = sizeof quadratic_weight,
                                                       .weigh = quadratic};

static const struct {
    const char *name;
    fmatch_loss_config config;
} losses[] = {
    {"square", {.kind = FMATCH_LOSS_SQUARE}},
    {"huber", {.kind = FMATCH_LOSS_PSEUDO_HUBER, .huber_c = 0.5}},
    {"huber by default", {.kind = FMATCH_LOSS_PSEUDO_HUBER}},
    {"sigma", {.weight = FMATCH_LOSS_WEIGHT_SIGMA_SQRT}},
    {"cosmap", {.weight = FMATCH_LOSS_WEIGHT_COSMAP}},
    {"adaptive", {.weight = FMATCH_LOSS_WEIGHT_ADAPTIVE}},
    {"adaptive 0.5",
     {.weight = FMATCH_LOSS_WEIGHT_ADAPTIVE, .adaptive_c = 0.1, .adaptive_exponent = 0.5}},
    {"callback",
     {.kind = FMATCH_LOSS_PSEUDO_HUBER,
      .huber_c = 1,
      .weight = FMATCH_LOSS_WEIGHT_CALLBACK,
      .callbacks = &quadratic_weight}},
};

static fmatch_trainer *make_trainer_with(fmatch_model *model, fmatch_context *context,
                                         const fmatch_loss_config *loss)
{
    fmatch_trainer_config config;
    fmatch_trainer_config_init(&config);
    config.batch = 4;
    config.loss = loss;
    config.condition_dropout = 0;
    fmatch_optimizer *optimizer = make_adam(context, 1e-3);
    fmatch_trainer *trainer;
    expect_ok(fmatch_trainer_create(&trainer, model, optimizer, NULL, &config));
    fmatch_optimizer_destroy(&optimizer);
    return trainer;
}

static double weight_by_hand(const fmatch_loss_config *c, double t, double loss)
{
    switch (c->weight) {
    case FMATCH_LOSS_WEIGHT_SIGMA_SQRT:
        return 1 / pow(1 - t, 2);
    case FMATCH_LOSS_WEIGHT_COSMAP:
        return 2 / (PI * (1 - 2 * (1 - t) + 2 * (1 - t) * (1 - t)));
    case FMATCH_LOSS_WEIGHT_ADAPTIVE:
        return pow(loss + (c->adaptive_c ? c->adaptive_c : 0.01),
                   -(c->adaptive_exponent ? c->adaptive_exponent : 1));
    case FMATCH_LOSS_WEIGHT_CALLBACK:
        return 1 + t * t;
    default:
        return 1;
    }
}

/* Weights [n] of the rows, fixed, and the losses from the model's velocities. `adaptive` weights
 * are kept between calls, as the derivative takes them as constants. */
static double loss_by_hand(const fmatch_model *model, const struct rows *r,
                           const fmatch_loss_config *c, bool weighted, double *weights,
                           bool fix_weights)
{
    float x[N * DIM], v[N * DIM];
    for (int i = 0; i < N * DIM; i++)
        x[i] = (1 - r->t[i / DIM]) * r->noise[i] + r->t[i / DIM] * r->target[i];
    expect_ok(fmatch_model_evaluate(model, N, x, r->t, r->condition, v));
    double sum = 0, all = 0;
    for (int i = 0; i < N; i++) {
        double square = 0;
        for (int j = i * DIM; j < (i + 1) * DIM; j++)
            square += pow((double)v[j] - ((double)r->target[j] - r->noise[j]), 2);
        const double huber = c->huber_c ? c->huber_c : 0.00054 * sqrt(DIM);
        const double loss =
            c->kind == FMATCH_LOSS_SQUARE ? square / DIM : sqrt(square + huber * huber) - huber;
        if (fix_weights)
            weights[i] = weight_by_hand(c, r->t[i], loss);
        const double own = weighted ? r->weight[i] : 1;
        sum += own * weights[i] * loss;
        all += own;
    }
    return sum / all;
}

static void losses_are_those_of_their_formulas(void **state)
{
    const struct rows rows = make_rows();
    fmatch_model *model = make_model(context_of(state));
    for (size_t k = 0; k < COUNT(losses); k++)
        for (int weighted = 0; weighted < 2; weighted++) {
            fmatch_loss_config config = losses[k].config;
            config.struct_size = sizeof config;
            fmatch_trainer *trainer = make_trainer_with(model, context_of(state), &config);
            const fmatch_batch batch = batch_of(&rows, weighted);
            double loss, weights[N];
            expect_ok(fmatch_trainer_evaluate_batch(trainer, &batch, &loss));
            const double wanted = loss_by_hand(model, &rows, &config, weighted, weights, true);
            expect_close(loss, wanted, 2e-6 * wanted, "%s, weighted %d", losses[k].name, weighted);
            fmatch_trainer_destroy(&trainer);
        }
    fmatch_model_destroy(&model);
}

/* Of all parameters, those of labels and of the null condition among them. Velocities are floats of
 * about 1, so that a difference over 2 h is off by about 1e-7 / h = 1e-5. */
static void gradients_are_those_of_the_losses(void **state)
{
    const struct rows rows = make_rows();
    for (size_t k = 0; k < COUNT(losses); k++)
        for (int weighted = 0; weighted < 2; weighted++) {
            fmatch_loss_config config = losses[k].config;
            config.struct_size = sizeof config;
            if (!config.huber_c) /* with the default c the loss has all but a corner */
                config.huber_c = config.kind == FMATCH_LOSS_PSEUDO_HUBER ? 0.2 : 0;
            fmatch_model *model = make_model(context_of(state)), *moved;
            fmatch_trainer *trainer = make_trainer_with(model, context_of(state), &config);
            const fmatch_batch batch = batch_of(&rows, weighted);
            double loss, weights[N];
            expect_ok(fmatch_trainer_evaluate_batch(trainer, &batch, &loss));
            float *gradient = read_gradient(trainer, model);
            int64_t count;
            float *parameters = read_parameters(model, &count);
            expect_ok(fmatch_model_create_copy(&moved, model));
            (void)loss_by_hand(model, &rows, &config, weighted, weights, true);
            const float h = 1.0f / 128;
            for (int64_t i = 0; i < count; i++) {
                const float before = parameters[i];
                parameters[i] = before + h;
                write_parameters(moved, parameters);
                const double above = loss_by_hand(moved, &rows, &config, weighted, weights, false);
                parameters[i] = before - h;
                write_parameters(moved, parameters);
                const double below = loss_by_hand(moved, &rows, &config, weighted, weights, false);
                parameters[i] = before;
                expect_close(gradient[i], (above - below) / (2 * h), 3e-3 * (1 + fabs(loss)),
                             "%s, weighted %d, parameter %lld", losses[k].name, weighted,
                             (long long)i);
            }
            free(parameters);
            free(gradient);
            fmatch_model_destroy(&moved);
            fmatch_trainer_destroy(&trainer);
            fmatch_model_destroy(&model);
        }
}

/* A network's output read as data or noise, with the velocity's weight: the loss is that of the
 * velocity it means, where no divisor is below its least. */
static void velocity_weight_is_the_velocitys_loss(void **state)
{
    static const int32_t kinds[] = {FMATCH_PATH_LINEAR, FMATCH_PATH_COSINE,
                                    FMATCH_PATH_VARIANCE_PRESERVING};
    for (size_t k = 0; k < COUNT(kinds); k++)
        for (int32_t prediction = 0; prediction < 3; prediction++) {
            fmatch_path_config path;
            fmatch_path_config_init(&path);
            path.kind = kinds[k];
            fmatch_mlp_config config;
            fmatch_mlp_config_init(&config);
            config.dim = DIM;
            config.hidden_layers = 1;
            config.hidden_width = 6;
            config.path = &path;
            config.prediction = prediction;
            fmatch_model *model;
            expect_ok(fmatch_model_create_mlp(&model, context_of(state), &config));
            struct rows r = make_rows();
            for (int i = 0; i < N; i++)
                r.t[i] = 0.3f + 0.06f * (float)i;
            const fmatch_path_rows pairs = {.struct_size = sizeof pairs,
                                            .dim = DIM,
                                            .n = N,
                                            .t = r.t,
                                            .x0 = r.noise,
                                            .x1 = r.target};
            float x[N * DIM], u[N * DIM], v[N * DIM];
            expect_ok(fmatch_path_evaluate(&path, &pairs, x, u));
            expect_ok(fmatch_model_evaluate(model, N, x, r.t, NULL, v));
            double wanted = 0, loss;
            for (int i = 0; i < N * DIM; i++)
                wanted += pow((double)v[i] - u[i], 2) / (N * DIM);
            const fmatch_loss_config weighted = {.struct_size = sizeof weighted,
                                                 .weight = FMATCH_LOSS_WEIGHT_VELOCITY};
            fmatch_trainer *trainer = make_trainer_with(model, context_of(state), &weighted);
            fmatch_batch batch = batch_of(&r, false);
            batch.condition = NULL;
            expect_ok(fmatch_trainer_evaluate_batch(trainer, &batch, &loss));
            expect_close(loss, wanted, 1e-4 * wanted, "path %d, prediction %d", (int)kinds[k],
                         (int)prediction);
            fmatch_trainer_destroy(&trainer);
            fmatch_model_destroy(&model);
        }
}

/* ---- sources with conditions and weights ---- */

/* Data x1 = label, weight 2 for label 1, in rows that a seed draws. */
static fmatch_source *make_labelled(fmatch_context *context)
{
    static float rows[40 * DIM], conditions[40 * COLUMNS], weights[40];
    for (int i = 0; i < 40; i++) {
        rows[i * DIM] = rows[i * DIM + 1] = (float)(i % 3);
        conditions[i * COLUMNS] = (float)(i % 3);
        conditions[i * COLUMNS + 1] = 0.5f;
        weights[i] = i % 3 == 1 ? 2.0f : 1.0f;
    }
    fmatch_array_config config;
    fmatch_array_config_init(&config);
    config.dim = DIM;
    config.n = 40;
    config.rows = rows;
    config.condition_dim = COLUMNS;
    config.conditions = conditions;
    config.weights = weights;
    fmatch_source *source;
    expect_ok(fmatch_source_create_array(&source, context, &config));
    return source;
}

static fmatch_trainer *make_labelled_trainer(fmatch_model *model, fmatch_context *context,
                                             fmatch_trainer_config config)
{
    fmatch_source *source = make_labelled(context);
    fmatch_optimizer *optimizer = make_adam(context, 3e-3);
    fmatch_trainer *trainer;
    expect_ok(fmatch_trainer_create(&trainer, model, optimizer, source, &config));
    fmatch_optimizer_destroy(&optimizer);
    fmatch_source_destroy(&source);
    return trainer;
}

/* Under its label, the model carries noise to the label's data. */
static void conditions_are_learned(void **state)
{
    fmatch_model *model = make_model(context_of(state));
    fmatch_trainer_config config;
    fmatch_trainer_config_init(&config);
    config.batch = 64;
    fmatch_trainer *trainer = make_labelled_trainer(model, context_of(state), config);
    expect_ok(fmatch_trainer_run(trainer, 3000, NULL));
    fmatch_sampler *sampler = make_sampler(model, FMATCH_SOLVER_MIDPOINT, 20, 0, 1);
    enum { DRAWN = 300 };
    float x[DRAWN * DIM], condition[DRAWN * COLUMNS];
    for (int label = 0; label < 3; label++) {
        for (int i = 0; i < DRAWN; i++) {
            condition[i * COLUMNS] = (float)label;
            condition[i * COLUMNS + 1] = 0.5f;
        }
        expect_ok(fmatch_sampler_draw(sampler, 1, 0, DRAWN, condition, x));
        double mean = 0;
        for (int i = 0; i < DRAWN * DIM; i++)
            mean += x[i] / (DRAWN * DIM);
        expect_close(mean, label, 0.15, "label %d", label);
    }
    /* and under none, to all of them: weights 14, 13 * 2, 13 for the labels 0, 1, 2 */
    expect_ok(fmatch_sampler_draw(sampler, 1, 0, DRAWN, NULL, x));
    double mean = 0;
    for (int i = 0; i < DRAWN * DIM; i++)
        mean += x[i] / (DRAWN * DIM);
    expect_close(mean, (13.0 * 2 + 13 * 2) / (14 + 26 + 13), 0.2, "null condition");
    fmatch_sampler_destroy(&sampler);
    fmatch_trainer_destroy(&trainer);
    fmatch_model_destroy(&model);
}

/* With a dropout of 1 nothing but the null condition's vectors learns. */
static void dropout_trains_the_null_condition(void **state)
{
    fmatch_model *model = make_model(context_of(state));
    float before[8], after[8];
    expect_ok(fmatch_model_get_tensor(model, "embedding.weight", 8, before));
    fmatch_trainer_config config;
    fmatch_trainer_config_init(&config);
    config.batch = 64;
    config.condition_dropout = 1;
    fmatch_trainer *trainer = make_labelled_trainer(model, context_of(state), config);
    expect_ok(fmatch_trainer_run(trainer, 5, NULL));
    expect_ok(fmatch_model_get_tensor(model, "embedding.weight", 8, after));
    expect_same_bits(before, after, 6, "labels");
    expect_that(before[6] != after[6], "the null condition stayed at %g", before[6]);
    fmatch_trainer_destroy(&trainer);

    config.condition_dropout = 0;
    expect_ok(fmatch_model_get_tensor(model, "embedding.weight", 8, before));
    trainer = make_labelled_trainer(model, context_of(state), config);
    expect_ok(fmatch_trainer_run(trainer, 5, NULL));
    expect_ok(fmatch_model_get_tensor(model, "embedding.weight", 8, after));
    expect_same_bits(before + 6, after + 6, 2, "null condition");
    expect_that(before[0] != after[0], "label 0 stayed at %g", before[0]);
    fmatch_trainer_destroy(&trainer);
    fmatch_model_destroy(&model);
}

static void settings_change_no_bit_between_threads(void **state)
{
    (void)state;
    static const double grid[] = {0.1, 0.5, 0.8};
    const fmatch_time_config times[] = {
        {.struct_size = sizeof *times, .kind = FMATCH_TIME_LOGIT_NORMAL, .stratified = 1},
        {.struct_size = sizeof *times, .kind = FMATCH_TIME_GRID, .grid = grid, .grid_count = 3}};
    const fmatch_loss_config loss = {.struct_size = sizeof loss,
                                     .kind = FMATCH_LOSS_PSEUDO_HUBER,
                                     .weight = FMATCH_LOSS_WEIGHT_COSMAP};
    for (int k = 0; k < 2; k++) {
        float *first = NULL;
        int64_t count = 0;
        for (int threads = 1; threads <= 8; threads += threads == 1 ? 1 : 6) {
            fmatch_context_config settings = forced_context_config();
            settings.threads = threads;
            fmatch_context *context;
            expect_ok(fmatch_context_create(&context, &settings));
            fmatch_model *model = make_model(context);
            fmatch_trainer_config config;
            fmatch_trainer_config_init(&config);
            config.batch = 200;
            config.time = &times[k];
            config.loss = &loss;
            config.condition_dropout = 0.3;
            fmatch_trainer *trainer = make_labelled_trainer(model, context, config);
            expect_ok(fmatch_trainer_run(trainer, 20, NULL));
            float *parameters = read_parameters(model, &count);
            if (first)
                expect_same_bits(first, parameters, count, "%d threads", threads);
            else
                first = memcpy(floats(count), parameters, (size_t)count * sizeof *parameters);
            free(parameters);
            fmatch_trainer_destroy(&trainer);
            fmatch_model_destroy(&model);
            fmatch_context_destroy(&context);
        }
        free(first);
    }
}

/* ---- what is refused ---- */

static void count_destroy(void *user)
{
    ++*(int *)user;
}

static int32_t halves(void *user, fmatch_random *random, int64_t first_row, int64_t n, float *t)
{
    (void)user, (void)random, (void)first_row;
    for (int64_t i = 0; i < n; i++)
        t[i] = 0.5f;
    return 0;
}

static int32_t in_order(void *user, fmatch_random *random, int64_t n, int32_t dim,
                        const float *noise, const float *target, int32_t condition_dim,
                        const float *condition, int32_t *noise_row, int32_t *target_row)
{
    (void)user, (void)random, (void)dim, (void)noise, (void)target, (void)condition_dim;
    (void)condition;
    for (int32_t i = 0; i < n; i++)
        noise_row[i] = target_row[i] = i;
    return 0;
}

static void users_functions_are_given_up_when_create_fails(void **state)
{
    int destroyed = 0;
    const fmatch_loss_callbacks weigh = {.struct_size = sizeof weigh,
                                         .weigh = quadratic,
                                         .destroy = count_destroy,
                                         .user = &destroyed};
    const fmatch_loss_config loss = {
        .struct_size = sizeof loss, .weight = FMATCH_LOSS_WEIGHT_CALLBACK, .callbacks = &weigh};
    const fmatch_time_config wrong = {.struct_size = sizeof wrong, .kind = 99};
    fmatch_model *model = make_model(context_of(state));
    fmatch_optimizer *optimizer = make_adam(context_of(state), 1e-3);
    fmatch_trainer_config config;
    fmatch_trainer_config_init(&config);
    config.loss = &loss;
    config.time = &wrong;
    fmatch_trainer *trainer;
    expect_status(fmatch_trainer_create(&trainer, model, optimizer, NULL, &config),
                  FMATCH_ERROR_ARGUMENT);
    expect_detail("time->kind", "99");
    assert_int_equal(destroyed, 1);
    config.time = NULL;
    config.batch = 0;
    expect_status(fmatch_trainer_create(&trainer, model, optimizer, NULL, &config),
                  FMATCH_ERROR_ARGUMENT);
    assert_int_equal(destroyed, 2);
    config.batch = 1;
    expect_ok(fmatch_trainer_create(&trainer, model, optimizer, NULL, &config));
    fmatch_trainer_destroy(&trainer);
    assert_int_equal(destroyed, 3);

    /* and where there is nothing to train */
    const fmatch_time_callbacks draw = {
        .struct_size = sizeof draw, .draw = halves, .destroy = count_destroy, .user = &destroyed};
    const fmatch_time_config time = {
        .struct_size = sizeof time, .kind = FMATCH_TIME_CALLBACK, .callbacks = &draw};
    config.time = &time;
    const fmatch_coupling_callbacks pair = {
        .struct_size = sizeof pair, .pair = in_order, .destroy = count_destroy, .user = &destroyed};
    fmatch_coupling_config coupling;
    fmatch_coupling_config_init(&coupling);
    coupling.kind = FMATCH_COUPLING_CALLBACK;
    coupling.callbacks = &pair;
    config.coupling = &coupling;
    fmatch_source *target = make_post_target(context_of(state));
    fmatch_model *exact = make_closed_form(context_of(state), target);
    expect_status(fmatch_trainer_create(&trainer, exact, optimizer, NULL, &config),
                  FMATCH_ERROR_UNSUPPORTED);
    expect_detail("model", "parameters");
    assert_int_equal(destroyed, 6);
    expect_status(fmatch_trainer_create(&trainer, NULL, optimizer, NULL, &config),
                  FMATCH_ERROR_ARGUMENT);
    expect_detail("model is NULL");
    assert_int_equal(destroyed, 9);
    expect_status(fmatch_trainer_create(NULL, model, optimizer, NULL, &config),
                  FMATCH_ERROR_ARGUMENT);
    assert_int_equal(destroyed, 12);
    fmatch_model_destroy(&exact);
    fmatch_source_destroy(&target);
    fmatch_optimizer_destroy(&optimizer);
    fmatch_model_destroy(&model);
}

static void a_users_bad_weight_is_reported(void **state)
{
    int user = 0;
    const fmatch_loss_callbacks weigh = {
        .struct_size = sizeof weigh, .weigh = quadratic, .user = &user};
    const fmatch_loss_config loss = {
        .struct_size = sizeof loss, .weight = FMATCH_LOSS_WEIGHT_CALLBACK, .callbacks = &weigh};
    const struct rows rows = make_rows();
    fmatch_model *model = make_model(context_of(state));
    fmatch_trainer *trainer = make_trainer_with(model, context_of(state), &loss);
    const fmatch_batch batch = batch_of(&rows, false);
    double seen;
    expect_status(fmatch_trainer_run_batch(trainer, &batch, &seen), FMATCH_ERROR_NOT_FINITE);
    expect_detail("weight", "-1");
    fmatch_trainer_destroy(&trainer);
    fmatch_model_destroy(&model);
}

static int32_t no_weight(void *user, int64_t n, const float *t, double *weight)
{
    (void)user, (void)n, (void)t, (void)weight;
    return 0;
}

static void a_weight_left_out_is_noticed(void **state)
{
    const fmatch_loss_callbacks whole = quadratic_weight,
                                none = {.struct_size = sizeof none, .weigh = no_weight};
    fmatch_loss_config loss = {
        .struct_size = sizeof loss, .weight = FMATCH_LOSS_WEIGHT_CALLBACK, .callbacks = &whole};
    const struct rows rows = make_rows();
    fmatch_model *model = make_model(context_of(state));
    const fmatch_batch batch = batch_of(&rows, false);
    double seen;
    fmatch_trainer *trainer = make_trainer_with(model, context_of(state), &loss);
    expect_ok(fmatch_trainer_evaluate_batch(trainer, &batch, &seen));
    fmatch_trainer_destroy(&trainer);
    loss.callbacks = &none;
    trainer = make_trainer_with(model, context_of(state), &loss);
    expect_status(fmatch_trainer_evaluate_batch(trainer, &batch, &seen), FMATCH_ERROR_NOT_FINITE);
    expect_detail("weight", "nan");
    fmatch_trainer_destroy(&trainer);
    fmatch_model_destroy(&model);
}

static void contradicting_losses_are_refused(void **state)
{
    static const struct {
        fmatch_loss_config config;
        const char *word;
    } cases[] = {
        {{.kind = 2}, "loss->kind"},
        {{.weight = 6}, "loss->weight"},
        {{.huber_c = 1}, "huber_c"},
        {{.adaptive_c = 1}, "adaptive_c"},
        {{.weight = FMATCH_LOSS_WEIGHT_ADAPTIVE, .adaptive_exponent = 3}, "adaptive_exponent"},
        {{.weight = FMATCH_LOSS_WEIGHT_CALLBACK}, "callbacks"},
        {{.callbacks = &quadratic_weight}, "callbacks"},
    };
    fmatch_model *model = make_model(context_of(state));
    fmatch_optimizer *optimizer = make_adam(context_of(state), 1e-3);
    for (size_t i = 0; i < COUNT(cases); i++) {
        fmatch_loss_config loss = cases[i].config;
        loss.struct_size = sizeof loss;
        fmatch_trainer_config config;
        fmatch_trainer_config_init(&config);
        config.loss = &loss;
        fmatch_trainer *trainer;
        expect_status(fmatch_trainer_create(&trainer, model, optimizer, NULL, &config),
                      FMATCH_ERROR_ARGUMENT);
        expect_detail(cases[i].word);
    }
    fmatch_optimizer_destroy(&optimizer);
    fmatch_model_destroy(&model);
}

static void targets_must_have_the_models_conditions(void **state)
{
    fmatch_model *model = make_model(context_of(state));
    fmatch_optimizer *optimizer = make_adam(context_of(state), 1e-3);
    fmatch_source *plain = make_normal(context_of(state), DIM);
    fmatch_trainer *trainer;
    expect_status(fmatch_trainer_create(&trainer, model, optimizer, plain, NULL),
                  FMATCH_ERROR_SHAPE);
    expect_detail("conditions");
    fmatch_source_destroy(&plain);
    fmatch_model_destroy(&model);
    /* a model without conditions takes the rows alone */
    model = make_mlp(context_of(state), DIM, 1, 4, FMATCH_ACTIVATION_TANH, 1);
    fmatch_source *labelled = make_labelled(context_of(state));
    expect_ok(fmatch_trainer_create(&trainer, model, optimizer, labelled, NULL));
    expect_ok(fmatch_trainer_run(trainer, 2, NULL));
    fmatch_trainer_destroy(&trainer);
    fmatch_source_destroy(&labelled);
    fmatch_optimizer_destroy(&optimizer);
    fmatch_model_destroy(&model);
}

#define settings_test(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        settings_test(losses_are_those_of_their_formulas),
        settings_test(gradients_are_those_of_the_losses),
        settings_test(velocity_weight_is_the_velocitys_loss),
        settings_test(conditions_are_learned),
        settings_test(dropout_trains_the_null_condition),
        settings_test(settings_change_no_bit_between_threads),
        settings_test(users_functions_are_given_up_when_create_fails),
        settings_test(a_users_bad_weight_is_reported),
        settings_test(a_weight_left_out_is_noticed),
        settings_test(contradicting_losses_are_refused),
        settings_test(targets_must_have_the_models_conditions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
