/* Ways to train, each with a setting that has a state of its own or that says which rows a step
 * sees: for tests of going on where another training has stopped. */
#ifndef FLOWMATCH_TESTS_API_TRAINING_SCENARIOS_H
#define FLOWMATCH_TESTS_API_TRAINING_SCENARIOS_H

#include <flowmatch/flowmatch.h>

#include <string.h>

enum { SCENARIO_DIM = 2, SCENARIO_ROWS = 61, SCENARIO_BATCH = 12 };

enum scenario_target { SCENARIO_TOY, SCENARIO_ARRAY, SCENARIO_LABELS };

/* All configurations of a training, the pointers between them set. */
struct scenario {
    enum scenario_target target;
    bool weighted;  /* an array's rows */
    int32_t stored; /* rows of an array */
    bool sgd;
    fmatch_mlp_config model;
    fmatch_path_config path;
    fmatch_adam_config adam;
    fmatch_sgd_config sgd_config;
    fmatch_trainer_config trainer;
    fmatch_time_config time;
    fmatch_loss_config loss;
    fmatch_coupling_config coupling;
    fmatch_sinkhorn_config sinkhorn;
    fmatch_rate_config rate;
    fmatch_validation_config validation;
};

static inline void scenario_adam(struct scenario *s)
{
    (void)s;
}

static inline void scenario_adamw(struct scenario *s)
{
    s->adam.weight_decay = 0.1;
}

static inline void scenario_sgd(struct scenario *s)
{
    s->sgd = true;
    s->sgd_config.nesterov = 1;
    s->sgd_config.weight_decay = 0.01;
}

static inline void scenario_cosine(struct scenario *s)
{
    s->trainer.rate = &s->rate;
    s->rate.warmup = 10;
    s->trainer.steps = 70;
}

static inline void scenario_average(struct scenario *s)
{
    s->trainer.average_decay = 0.9;
    s->trainer.publish = FMATCH_PUBLISH_AVERAGE;
}

static inline void scenario_clip(struct scenario *s)
{
    s->trainer.clip_norm = 0.5;
}

static inline void scenario_best(struct scenario *s)
{
    s->trainer.validation = &s->validation;
    s->trainer.publish = FMATCH_PUBLISH_BEST;
    s->validation.every = 7;
    s->validation.rows = 40;
    s->validation.patience = 4;
    s->adam.learning_rate = 0.05; /* so that the least loss is not the last */
}

/* Ends early: after 42 steps, of which the second half makes 6. */
static inline void scenario_patience(struct scenario *s)
{
    scenario_best(s);
    s->validation.patience = 2;
}

static inline void scenario_coupling(struct scenario *s)
{
    s->trainer.coupling = &s->coupling;
    s->coupling.kind = FMATCH_COUPLING_EXACT;
    s->coupling.batch = 5 * SCENARIO_BATCH;
}

static inline void scenario_entropic(struct scenario *s)
{
    scenario_coupling(s);
    s->coupling.kind = FMATCH_COUPLING_ENTROPIC;
    s->coupling.sinkhorn = &s->sinkhorn;
    s->sinkhorn.epsilon = 0.2;
    s->sinkhorn.tolerance = 1e-3;
}

static inline void scenario_stratified(struct scenario *s)
{
    s->trainer.time = &s->time;
    s->time.kind = FMATCH_TIME_LOGIT_NORMAL;
    s->time.stratified = 1;
}

static inline void scenario_shuffled(struct scenario *s)
{
    s->target = SCENARIO_ARRAY;
}

static inline void scenario_weighted(struct scenario *s)
{
    s->target = SCENARIO_ARRAY;
    s->weighted = true;
}

static inline void scenario_dropout(struct scenario *s)
{
    s->target = SCENARIO_LABELS;
    s->model.condition_dim = 1;
    s->model.classes = 2;
    s->model.null_condition = FMATCH_NULL_CONDITION_ACCEPTED;
    s->trainer.condition_dropout = 0.3;
}

static inline void scenario_accumulate(struct scenario *s)
{
    s->trainer.accumulate = 3;
}

/* Everything that goes together. */
static inline void scenario_all(struct scenario *s)
{
    scenario_adamw(s);
    scenario_cosine(s);
    scenario_average(s);
    scenario_clip(s);
    scenario_best(s);
    scenario_coupling(s);
    scenario_stratified(s);
    scenario_weighted(s);
    scenario_accumulate(s);
    s->adam.learning_rate = 0.004;
}

static const struct scenario_row {
    const char *name;
    void (*set)(struct scenario *s);
} scenarios[] = {
    {"adam", scenario_adam},
    {"adamw", scenario_adamw},
    {"sgd", scenario_sgd},
    {"cosine", scenario_cosine},
    {"average", scenario_average},
    {"clip", scenario_clip},
    {"best", scenario_best},
    {"patience", scenario_patience},
    {"coupling", scenario_coupling},
    {"entropic", scenario_entropic},
    {"stratified", scenario_stratified},
    {"shuffled", scenario_shuffled},
    {"weighted", scenario_weighted},
    {"dropout", scenario_dropout},
    {"accumulate", scenario_accumulate},
    {"all", scenario_all},
};

enum { SCENARIOS = sizeof scenarios / sizeof scenarios[0] };

static inline void scenario_init(struct scenario *s, const struct scenario_row *row)
{
    memset(s, 0, sizeof *s);
    fmatch_mlp_config_init(&s->model);
    fmatch_path_config_init(&s->path);
    fmatch_adam_config_init(&s->adam);
    fmatch_sgd_config_init(&s->sgd_config);
    fmatch_trainer_config_init(&s->trainer);
    fmatch_time_config_init(&s->time);
    fmatch_loss_config_init(&s->loss);
    fmatch_coupling_config_init(&s->coupling);
    fmatch_sinkhorn_config_init(&s->sinkhorn);
    fmatch_rate_config_init(&s->rate);
    fmatch_validation_config_init(&s->validation);
    s->stored = SCENARIO_ROWS;
    s->model.dim = SCENARIO_DIM;
    s->model.hidden_width = 16;
    s->model.seed = 3;
    s->model.path = &s->path;
    s->adam.learning_rate = 0.01;
    s->trainer.batch = SCENARIO_BATCH;
    s->trainer.seed = 8;
    s->trainer.loss = &s->loss;
    row->set(s);
}

/* Rows on a spiral, with weights from 1 to 3. */
static inline fmatch_status scenario_create_array(fmatch_source **source, fmatch_context *context,
                                                  const struct scenario *s)
{
    float rows[2 * SCENARIO_ROWS][SCENARIO_DIM], weights[2 * SCENARIO_ROWS];
    for (int i = 0; i < 2 * SCENARIO_ROWS; i++) {
        rows[i][0] = 0.02f * (float)i * (float)(i % 5 - 2);
        rows[i][1] = 0.02f * (float)i * (float)(i % 7 - 3);
        weights[i] = (float)(1 + i % 3);
    }
    fmatch_array_config config;
    fmatch_array_config_init(&config);
    config.dim = SCENARIO_DIM;
    config.n = s->stored;
    config.rows = rows[0];
    config.weights = s->weighted ? weights : NULL;
    return fmatch_source_create_array(source, context, &config);
}

static inline fmatch_status scenario_create_target(fmatch_source **source, fmatch_context *context,
                                                   const struct scenario *s)
{
    if (s->target == SCENARIO_ARRAY)
        return scenario_create_array(source, context, s);
    fmatch_toy_config config;
    fmatch_toy_config_init(&config);
    config.kind = FMATCH_TOY_TWO_MOONS;
    config.labels = s->target == SCENARIO_LABELS;
    return fmatch_source_create_toy(source, context, &config);
}

/* A trainer and what it trains. */
struct scenario_handles {
    fmatch_source *target;
    fmatch_model *model;
    fmatch_optimizer *optimizer;
    fmatch_trainer *trainer;
};

static inline void scenario_destroy(struct scenario_handles *h)
{
    fmatch_trainer_destroy(&h->trainer);
    fmatch_optimizer_destroy(&h->optimizer);
    fmatch_model_destroy(&h->model);
    fmatch_source_destroy(&h->target);
}

/* On failure what was made is for scenario_destroy. */
static inline fmatch_status scenario_create(struct scenario_handles *h, fmatch_context *context,
                                            const struct scenario *s)
{
    memset(h, 0, sizeof *h);
    fmatch_status status = scenario_create_target(&h->target, context, s);
    if (status == FMATCH_OK)
        status = fmatch_model_create_mlp(&h->model, context, &s->model);
    if (status == FMATCH_OK)
        status = s->sgd ? fmatch_optimizer_create_sgd(&h->optimizer, context, &s->sgd_config)
                        : fmatch_optimizer_create_adam(&h->optimizer, context, &s->adam);
    if (status == FMATCH_OK)
        status = fmatch_trainer_create(&h->trainer, h->model, h->optimizer, h->target, &s->trainer);
    return status;
}

#endif
