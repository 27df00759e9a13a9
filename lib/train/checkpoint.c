/* Checkpoints of a trainer: settings, which must be those of the trainer that loads them, and
 * state, which it takes over. */
#include "train/trainer.h"

#include "base/configuration.h"
#include "base/status.h"
#include "format/checkpoint_file.h"
#include "model/mlp_model.h"
#include "path/coupling_settings.h"
#include "train/history.h"
#include "train/optimizer.h"
#include "train/step.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

/* ---- what is stored, in the order of the file ---- */

/* Settings that no struct holds as they are. */
struct facts {
    int32_t optimizer; /* its kind */
    int32_t own_noise; /* 1: the model's noise is not the default */
    int32_t target;    /* 1: there is one */
    int32_t weighted;  /* 1: its rows have weights */
    int64_t rows;      /* that it stores; 0 for a distribution */
    int32_t held_out;  /* 1: validation has rows of its own */
    int64_t held_rows; /* as many */
    int64_t block;     /* rows that are coupled at once; 0: sides are independent */
};

/* Structs whose fields are stored; one that a trainer does without counts as zeros. */
enum part {
    PART_MODEL,
    PART_PATH,
    PART_ADAM,
    PART_SGD,
    PART_FACTS,
    PART_TRAINER,
    PART_TIME,
    PART_LOSS,
    PART_COUPLING,
    PART_SINKHORN,
    PART_SEMIDISCRETE,
    PART_RATE,
    PART_VALIDATION,
    /* State; the others are settings. */
    PART_OPTIMIZER,
    PART_TRAINING,
    PARTS
};

#define OF(X, part, type, prefix, member) X(part, type, member, prefix "->" #member)
#define MODEL(X, member)                  OF(X, PART_MODEL, fmatch_mlp_config, "model", member)
#define PATH(X, member)                   OF(X, PART_PATH, fmatch_path_config, "path", member)
#define FACT(X, name, member)             X(PART_FACTS, struct facts, member, name)
#define ADAM(X, member)                   OF(X, PART_ADAM, fmatch_adam_config, "adam", member)
#define SGD(X, member)                    OF(X, PART_SGD, fmatch_sgd_config, "sgd", member)
#define TRAINER(X, name, member)          X(PART_TRAINER, fmatch_trainer, member, "config->" name)
#define TIME(X, member)                   OF(X, PART_TIME, fmatch_time_config, "time", member)
#define LOSS(X, member)                   OF(X, PART_LOSS, fmatch_loss_config, "loss", member)
#define COUPLING(X, member)               OF(X, PART_COUPLING, fmatch_coupling_config, "coupling", member)
#define SINKHORN(X, member)               OF(X, PART_SINKHORN, fmatch_sinkhorn_config, "sinkhorn", member)
#define SEMIDISCRETE(X, member)                                                                    \
    OF(X, PART_SEMIDISCRETE, fmatch_semidiscrete_config, "semidiscrete", member)
#define RATE(X, member)            OF(X, PART_RATE, fmatch_rate_config, "rate", member)
#define VALIDATION(X, member)      OF(X, PART_VALIDATION, fmatch_validation_config, "validation", member)
#define OPTIMIZER(X, name, member) X(PART_OPTIMIZER, struct optimizer_state, member, name)
#define TRAINING(X, name, member)  X(PART_TRAINING, struct training, member, name)

/* What changes no step is no setting: what is published, and how patient validation is. */
#define FIELDS(X)                                                                                  \
    MODEL(X, dim)                                                                                  \
    MODEL(X, hidden_layers)                                                                        \
    MODEL(X, activation)                                                                           \
    MODEL(X, prediction)                                                                           \
    MODEL(X, condition_dim)                                                                        \
    MODEL(X, classes)                                                                              \
    MODEL(X, embedding_dim)                                                                        \
    MODEL(X, null_condition)                                                                       \
    MODEL(X, time_features)                                                                        \
    MODEL(X, time_frequencies)                                                                     \
    MODEL(X, residual_layers)                                                                      \
    MODEL(X, normalisation)                                                                        \
    MODEL(X, output_init)                                                                          \
    MODEL(X, baseline)                                                                             \
    FACT(X, "model->noise", own_noise)                                                             \
    PATH(X, kind)                                                                                  \
    PATH(X, noise)                                                                                 \
    PATH(X, exponent)                                                                              \
    PATH(X, beta_min)                                                                              \
    PATH(X, beta_max)                                                                              \
    PATH(X, sigma_min)                                                                             \
    PATH(X, diffusion)                                                                             \
    FACT(X, "optimizer", optimizer)                                                                \
    ADAM(X, beta1)                                                                                 \
    ADAM(X, beta2)                                                                                 \
    ADAM(X, epsilon)                                                                               \
    ADAM(X, weight_decay)                                                                          \
    SGD(X, momentum)                                                                               \
    SGD(X, nesterov)                                                                               \
    SGD(X, weight_decay)                                                                           \
    FACT(X, "target", target)                                                                      \
    FACT(X, "target's rows", rows)                                                                 \
    FACT(X, "target's weights", weighted)                                                          \
    TRAINER(X, "batch", batch)                                                                     \
    TRAINER(X, "accumulate", accumulate)                                                           \
    TRAINER(X, "seed", plan.seed)                                                                  \
    TRAINER(X, "condition_dropout", plan.dropout)                                                  \
    TRAINER(X, "clip_norm", clip_norm)                                                             \
    TRAINER(X, "average_decay", average_decay)                                                     \
    RATE(X, kind)                                                                                  \
    RATE(X, steps)                                                                                 \
    RATE(X, warmup)                                                                                \
    RATE(X, end)                                                                                   \
    RATE(X, exponent)                                                                              \
    RATE(X, decay)                                                                                 \
    RATE(X, every)                                                                                 \
    VALIDATION(X, every)                                                                           \
    VALIDATION(X, rows)                                                                            \
    VALIDATION(X, seed)                                                                            \
    FACT(X, "validation->source", held_out)                                                        \
    FACT(X, "validation->source's rows", held_rows)                                                \
    TIME(X, kind)                                                                                  \
    TIME(X, stratified)                                                                            \
    TIME(X, margin_start)                                                                          \
    TIME(X, margin_end)                                                                            \
    TIME(X, mean)                                                                                  \
    TIME(X, deviation)                                                                             \
    TIME(X, scale)                                                                                 \
    TIME(X, exponent)                                                                              \
    LOSS(X, kind)                                                                                  \
    LOSS(X, huber_c)                                                                               \
    LOSS(X, weight)                                                                                \
    LOSS(X, adaptive_c)                                                                            \
    LOSS(X, adaptive_exponent)                                                                     \
    COUPLING(X, kind)                                                                              \
    COUPLING(X, pairing)                                                                           \
    FACT(X, "coupling->batch", block)                                                              \
    COUPLING(X, condition)                                                                         \
    COUPLING(X, condition_weight)                                                                  \
    COUPLING(X, condition_rate)                                                                    \
    SINKHORN(X, epsilon_unit)                                                                      \
    SINKHORN(X, epsilon)                                                                           \
    SINKHORN(X, tolerance)                                                                         \
    SINKHORN(X, rho)                                                                               \
    SINKHORN(X, iterations)                                                                        \
    SEMIDISCRETE(X, batch)                                                                         \
    SEMIDISCRETE(X, seed)                                                                          \
    SEMIDISCRETE(X, steps)                                                                         \
    SEMIDISCRETE(X, learning_rate)                                                                 \
    SEMIDISCRETE(X, averaging)                                                                     \
    SEMIDISCRETE(X, tolerance)                                                                     \
    OPTIMIZER(X, "learning rate", learning_rate)                                                   \
    OPTIMIZER(X, "optimizer's steps", steps)                                                       \
    TRAINING(X, "steps", steps)                                                                    \
    TRAINING(X, "rows", rows)                                                                      \
    TRAINING(X, "last validation's step", validation.step)                                         \
    TRAINING(X, "last validation's loss", validation.loss)                                         \
    TRAINING(X, "best validation's step", validation.best_step)                                    \
    TRAINING(X, "best validation's loss", validation.best_loss)                                    \
    TRAINING(X, "validations waited", validation.waited)                                           \
    TRAINING(X, "validations", history.validations)

/* Their names, one after the other, and where they are: as small as it gets. */
#define NAME(part, type, member, name) name "\0"
static const char names[] = FIELDS(NAME);

struct field {
    unsigned char part, type;
    uint16_t offset;
};

#define TYPE_OF(value)                                                                             \
    _Generic((value), int32_t                                                                      \
             : CHECKPOINT_U32, int64_t                                                             \
             : CHECKPOINT_U64, uint64_t                                                            \
             : CHECKPOINT_U64, double                                                              \
             : CHECKPOINT_F64)
#define PLACE(part, type, member, name)                                                            \
    {part, TYPE_OF(((type *)0)->member), offsetof(type, member)},
static const struct field fields[] = {FIELDS(PLACE)};

enum { COUNT = sizeof fields / sizeof fields[0], ITEMS_MAX = COUNT + 16 };

/* The state is the trainer's own where it is saved, and another where it is read. */
struct checkpoint {
    fmatch_trainer *trainer;
    struct training *training;
    struct optimizer_state optimizer;
    struct facts facts;
    fmatch_mlp_config model;
    int32_t arrays;
    struct checkpoint_array array[ITEMS_MAX];
    bool state[ITEMS_MAX]; /* or settings */
};

static const fmatch_allocator *allocator_of(const struct checkpoint *c)
{
    return trainer_allocator(c->trainer);
}

static void add(struct checkpoint *c, const char *name, int32_t type, bool state, int64_t count,
                const void *values)
{
    c->state[c->arrays] = state;
    c->array[c->arrays++] = (struct checkpoint_array){
        .name = name, .type = type, .count = count, .values = (void *)values};
}

static void find_facts(struct checkpoint *c)
{
    const fmatch_trainer *t = c->trainer;
    c->facts = (struct facts){
        .optimizer = t->optimizer->kind->number,
        .own_noise = c->model.noise != NULL,
        .target = t->target != NULL,
        .weighted = t->target && t->target->weighted,
        .rows = fmatch_source_count_rows(t->target),
        .held_out = t->validation.source != NULL,
        .held_rows = fmatch_source_count_rows(t->validation.source),
        .block = t->settings.coupling ? coupling_rows_together(t->settings.coupling) : 0};
}

static void add_fields(struct checkpoint *c)
{
    static const union {
        char model[sizeof(fmatch_mlp_config)];
        struct coupling_settings coupling;
    } none;
    const fmatch_trainer *t = c->trainer;
    const struct coupling_settings *coupling =
        t->settings.coupling ? coupling_get_settings(t->settings.coupling) : &none.coupling;
    const fmatch_optimizer *o = t->optimizer;
    const void *config = (const char *)o + o->kind->config;
    const void *const parts[PARTS] = {
        [PART_MODEL] = &c->model,
        [PART_PATH] = c->model.path,
        [PART_OPTIMIZER] = &c->optimizer,
        [PART_ADAM] = o->kind->number == 0 ? config : NULL,
        [PART_SGD] = o->kind->number == 1 ? config : NULL,
        [PART_FACTS] = &c->facts,
        [PART_TRAINER] = t,
        [PART_TRAINING] = c->training,
        [PART_TIME] = &t->settings.times.config,
        [PART_LOSS] = &t->settings.loss.config,
        [PART_COUPLING] = &coupling->config,
        [PART_SINKHORN] = &coupling->entropic,
        [PART_SEMIDISCRETE] = &coupling->semidiscrete,
        [PART_RATE] = &t->settings.rate.config,
        [PART_VALIDATION] = &t->validation.config,
    };
    const char *name = names;
    for (int32_t i = 0; i < COUNT; i++, name += strlen(name) + 1) {
        const struct field *f = &fields[i];
        const void *part = parts[f->part];
        add(c, name, f->type, f->part >= PART_OPTIMIZER, 1,
            (const char *)(part ? part : &none) + f->offset);
    }
}

static void add_settings(struct checkpoint *c)
{
    const fmatch_mlp_config *m = &c->model;
    const fmatch_time_config *times = &c->trainer->settings.times.config;
    add(c, "model->hidden_widths", CHECKPOINT_U32, false, m->hidden_layers, m->hidden_widths);
    add(c, "model->activations", CHECKPOINT_U32, false, m->activations ? m->hidden_layers : 0,
        m->activations);
    add(c, "model->data_mean", CHECKPOINT_F32, false, m->data_mean ? m->dim : 0, m->data_mean);
    add(c, "model->data_std", CHECKPOINT_F32, false, m->data_std ? m->dim : 0, m->data_std);
    add(c, "model->condition_mean", CHECKPOINT_F32, false, m->condition_mean ? m->condition_dim : 0,
        m->condition_mean);
    add(c, "model->condition_std", CHECKPOINT_F32, false, m->condition_std ? m->condition_dim : 0,
        m->condition_std);
    add(c, "time->grid", CHECKPOINT_F64, false, times->grid_count, times->grid);
}

/* Settings, and all numbers of the state that stand alone. */
static void begin(struct checkpoint *c)
{
    c->arrays = 0;
    mlp_model_describe(c->trainer->model, &c->model);
    find_facts(c);
    add_fields(c);
    add_settings(c);
}

static void add_parameters(struct checkpoint *c, const char *name, int64_t arrays,
                           const float *values)
{
    add(c, name, CHECKPOINT_F32, true, values ? arrays * c->trainer->network->layout.count : 0,
        values);
}

/* Arrays, whose sizes these numbers say. */
static void add_arrays(struct checkpoint *c)
{
    static const char *const columns[HISTORY_COLUMNS] = {"losses", "rates", "norms"};
    const struct training *t = c->training;
    add_parameters(c, "parameters", 1, t->parameters);
    add_parameters(c, "average", 1, t->average);
    add_parameters(c, "best", 1, t->best);
    add_parameters(c, "optimizer's state", c->trainer->optimizer->kind->arrays, c->optimizer.block);
    for (int i = 0; i < HISTORY_COLUMNS; i++)
        add(c, columns[i], CHECKPOINT_F64, true, t->steps, t->history.column[i]);
    /* Pairs of a step and the bits of a loss. */
    add(c, "validation losses", CHECKPOINT_U64, true, 2 * t->history.validations,
        t->history.validation);
}

/* ---- saving ---- */

static fmatch_status save(fmatch_trainer *trainer, const char *path)
{
    struct checkpoint c = {.trainer = trainer, .training = &trainer->training};
    optimizer_get_state(trainer->optimizer, &c.optimizer);
    begin(&c);
    add_arrays(&c);
    return checkpoint_file_save(path, c.arrays, c.array);
}

/* ---- loading ---- */

/* A value as it stands in a detail. */
static struct number_text text_of(int32_t type, const char *value, int digits)
{
    struct number_text text;
    union {
        uint32_t u32;
        uint64_t u64;
        float f32;
        double f64;
    } number;
    memcpy(&number, value, (size_t)checkpoint_file_width(type));
    if (type == CHECKPOINT_F32 || type == CHECKPOINT_F64)
        return number_text_of_digits(type == CHECKPOINT_F32 ? (double)number.f32 : number.f64,
                                     digits);
    snprintf(text.text, sizeof text.text, "%llu",
             type == CHECKPOINT_U32 ? (unsigned long long)number.u32
                                    : (unsigned long long)number.u64);
    return text;
}

static fmatch_status differs(const struct checkpoint_file *file,
                             const struct checkpoint_array *item, int64_t i, const char *theirs,
                             const char *ours)
{
    char place[32] = "";
    if (item->count > 1)
        snprintf(place, sizeof place, "[%lld]", (long long)i);
    struct number_text a = text_of(item->type, theirs, 6), b = text_of(item->type, ours, 6);
    if (strcmp(a.text, b.text) == 0) {
        a = text_of(item->type, theirs, 17);
        b = text_of(item->type, ours, 17);
    }
    return status_fail(FMATCH_ERROR_STATE, "%s: the checkpoint has %s%s %s; the trainer %s",
                       file->path, item->name, place, a.text, b.text);
}

/* A setting is compared as it is read. */
static fmatch_status read_setting(struct checkpoint_file *file, const struct checkpoint_array *item)
{
    enum { AT_ONCE = 256 };
    const int32_t width = checkpoint_file_width(item->type);
    const char *ours = item->values;
    for (int64_t first = 0; first < item->count; first += AT_ONCE) {
        const int64_t rest = item->count - first, n = rest < AT_ONCE ? rest : AT_ONCE;
        char theirs[8 * AT_ONCE];
        RETURN_IF_FAILED(checkpoint_file_read(file, item->type, n, theirs));
        for (int64_t i = 0; i < n; i++, ours += width)
            if (memcmp(theirs + i * width, ours, (size_t)width) != 0)
                return differs(file, item, first + i, theirs + i * width, ours);
    }
    return FMATCH_OK;
}

static fmatch_status read_array(struct checkpoint_file *file, const struct checkpoint_array *item,
                                bool state)
{
    struct checkpoint_array array;
    RETURN_IF_FAILED(checkpoint_file_next(file, &array));
    if (strcmp(array.name, item->name) != 0 || array.type != item->type)
        return status_fail(FMATCH_ERROR_FORMAT, "%s has %s, of type %d, in place of %s, of type %d",
                           file->path, array.name, (int)array.type, item->name, (int)item->type);
    if (array.count != item->count)
        return status_fail(state ? FMATCH_ERROR_FORMAT : FMATCH_ERROR_SHAPE,
                           "%s: the checkpoint has %lld values of %s; the trainer %lld", file->path,
                           (long long)array.count, item->name, (long long)item->count);
    return state ? checkpoint_file_read(file, item->type, item->count, item->values)
                 : read_setting(file, item);
}

static fmatch_status read_arrays(const struct checkpoint *c, struct checkpoint_file *file,
                                 int32_t first)
{
    for (int32_t i = first; i < c->arrays; i++)
        RETURN_IF_FAILED(read_array(file, &c->array[i], c->state[i]));
    return FMATCH_OK;
}

/* What a sound checksum does not say of a file that somebody made: that steps can lead there. */
static fmatch_status check_numbers(const struct checkpoint *c, const struct checkpoint_file *file)
{
    const struct training *t = c->training;
    const struct interval rates = {.highest = c->trainer->optimizer->highest_rate};
    RETURN_IF_FAILED(
        configuration_check_double("learning rate", c->optimizer.learning_rate, rates));
    CHECK_RANGE("steps", t->steps, 0, file->left / (int64_t)sizeof(double));
    CHECK_RANGE("rows", t->rows, t->steps, SOURCE_ROWS_MAX);
    CHECK_RANGE("optimizer's steps", c->optimizer.steps, t->steps, t->steps);
    CHECK_RANGE("last validation's step", t->validation.step, 0, t->steps);
    CHECK_RANGE("best validation's step", t->validation.best_step, 0, t->validation.step);
    CHECK_RANGE("validations waited", t->validation.waited, 0, t->steps);
    CHECK_RANGE("validations", t->history.validations, 0, t->steps);
    return FMATCH_OK;
}

static fmatch_status check_values(const struct checkpoint *c, int32_t first)
{
    for (int32_t i = first; i < c->arrays; i++) {
        const struct checkpoint_array *item = &c->array[i];
        if (item->type == CHECKPOINT_F32)
            RETURN_IF_FAILED(status_check_finite(item->name, 0, item->count, 1, item->values));
    }
    return FMATCH_OK;
}

static fmatch_status made_up(fmatch_status status, const struct checkpoint_file *file)
{
    if (status == FMATCH_OK)
        return FMATCH_OK;
    status_prefix("%.256s: ", file->path);
    return FMATCH_ERROR_FORMAT;
}

static fmatch_status hold(const struct checkpoint *c, int64_t arrays, bool wanted, float **values)
{
    const int64_t count = arrays * c->trainer->network->layout.count;
    if (!wanted)
        return FMATCH_OK;
    *values = allocation_create(allocator_of(c), count, sizeof **values);
    return *values ? FMATCH_OK : status_no_memory((size_t)count * sizeof **values);
}

static fmatch_status hold_arrays(struct checkpoint *c)
{
    const struct training *ours = &c->trainer->training;
    struct training *t = c->training;
    RETURN_IF_FAILED(hold(c, 1, true, &t->parameters));
    RETURN_IF_FAILED(hold(c, 1, ours->average, &t->average));
    RETURN_IF_FAILED(hold(c, 1, ours->best, &t->best));
    RETURN_IF_FAILED(hold(c, c->trainer->optimizer->kind->arrays, true, &c->optimizer.block));
    return history_create(&t->history, allocator_of(c), t->steps, t->history.validations);
}

static fmatch_status read_all(struct checkpoint *c, struct checkpoint_file *file)
{
    RETURN_IF_FAILED(read_arrays(c, file, 0));
    RETURN_IF_FAILED(made_up(check_numbers(c, file), file));
    RETURN_IF_FAILED(hold_arrays(c));
    const int32_t first = c->arrays;
    add_arrays(c);
    RETURN_IF_FAILED(read_arrays(c, file, first));
    RETURN_IF_FAILED(checkpoint_file_end(file));
    return made_up(check_values(c, first), file);
}

static void exchange(struct checkpoint *c)
{
    const struct training kept = c->trainer->training;
    c->trainer->training = *c->training;
    *c->training = kept;
    optimizer_exchange_state(c->trainer->optimizer, &c->optimizer);
}

static fmatch_status take_over(struct checkpoint *c)
{
    exchange(c);
    const fmatch_status status = step_publish(c->trainer);
    if (status != FMATCH_OK)
        exchange(c);
    else
        c->trainer->last_gradient = NULL;
    return status;
}

static fmatch_status load(fmatch_trainer *trainer, const char *path)
{
    struct training training = {0};
    struct checkpoint c = {.trainer = trainer, .training = &training};
    struct checkpoint_file file;
    RETURN_IF_FAILED(checkpoint_file_open(&file, path));
    begin(&c);
    fmatch_status status = read_all(&c, &file);
    checkpoint_file_close(&file);
    if (status == FMATCH_OK)
        status = take_over(&c);
    training_destroy(&training, allocator_of(&c));
    allocation_destroy(allocator_of(&c), c.optimizer.block);
    return status;
}

/* ---- the interface ---- */

static fmatch_status call(fmatch_trainer *trainer, const char *path, enum activity most,
                          fmatch_status (*function)(fmatch_trainer *trainer, const char *path))
{
    status_begin();
    CHECK_NOT_NULL(trainer);
    CHECK_NOT_NULL(path);
    enum activity before = IDLE;
    RETURN_IF_FAILED(trainer_enter(trainer, most, &before));
    return trainer_leave(trainer, before, function(trainer, path));
}

fmatch_status fmatch_trainer_save(fmatch_trainer *trainer, const char *path)
{
    return call(trainer, path, REPORTING, save);
}

fmatch_status fmatch_trainer_load(fmatch_trainer *trainer, const char *path)
{
    return call(trainer, path, IDLE, load);
}
