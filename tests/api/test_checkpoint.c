/* Checkpoints of trainers: what is restored, what must match, and that a failure changes nothing.
 */
#include "fixtures.h"
#include "training_scenarios.h"

#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

static char folder[256], path[300], other[300];

static int enter(void **state)
{
    const char *temporary = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/flowmatch-XXXXXX", temporary ? temporary : "/tmp");
    if (!mkdtemp(folder))
        return -1;
    snprintf(path, sizeof path, "%s/checkpoint", folder);
    snprintf(other, sizeof other, "%s/other", folder);
    return world_setup(state);
}

static int leave(void **state)
{
    (void)remove(path);
    (void)remove(other);
    if (rmdir(folder) != 0) {
        print_error("something was left in %s\n", folder);
        return -1;
    }
    return world_teardown(state);
}

#define file_test(test) cmocka_unit_test_setup_teardown(test, enter, leave)

static const struct scenario_row *scenario_called(const char *name)
{
    for (int i = 0; i < SCENARIOS; i++)
        if (strcmp(scenarios[i].name, name) == 0)
            return &scenarios[i];
    fail_msg("no scenario is called %s", name);
    return NULL;
}

static struct scenario_handles make(void **state, const char *name)
{
    struct scenario s;
    struct scenario_handles h;
    scenario_init(&s, scenario_called(name));
    expect_ok(scenario_create(&h, context_of(state), &s));
    return h;
}

static unsigned char *read_file(const char *name, size_t *size)
{
    FILE *file = fopen(name, "rb");
    if (!file)
        fail_msg("%s cannot be read", name);
    fseek(file, 0, SEEK_END);
    *size = (size_t)ftell(file);
    rewind(file);
    unsigned char *bytes = malloc(*size + 1);
    if (fread(bytes, 1, *size, file) != *size)
        fail_msg("%s cannot be read", name);
    fclose(file);
    return bytes;
}

static void write_file(const char *name, const unsigned char *bytes, size_t size)
{
    FILE *file = fopen(name, "wb");
    if (!file || fwrite(bytes, 1, size, file) != size || fclose(file) != 0)
        fail_msg("%s cannot be written", name);
}

static void expect_same_losses(const fmatch_trainer *a, const fmatch_trainer *b, const char *what)
{
    double p[256], q[256];
    const int64_t n = fmatch_trainer_count_steps(a);
    expect_that(n == fmatch_trainer_count_steps(b) && n <= 256, "%s: %lld steps, %lld steps", what,
                (long long)n, (long long)fmatch_trainer_count_steps(b));
    expect_ok(fmatch_trainer_get_losses(a, 0, n, p));
    expect_ok(fmatch_trainer_get_losses(b, 0, n, q));
    for (int64_t i = 0; i < n; i++)
        expect_that(p[i] == q[i], "%s: loss %lld is %.17g here, %.17g there", what, (long long)i,
                    p[i], q[i]);
}

/* ---- what is restored ---- */

static void everything_goes_on(void **state)
{
    for (int i = 0; i < SCENARIOS; i++) {
        const char *name = scenarios[i].name;
        struct scenario_handles whole = make(state, name), half = make(state, name),
                                again = make(state, name);
        expect_ok(fmatch_trainer_run(whole.trainer, 60, NULL));
        expect_ok(fmatch_trainer_run(half.trainer, 31, NULL));
        expect_ok(fmatch_trainer_save(half.trainer, path));
        expect_ok(fmatch_trainer_run(again.trainer, 5, NULL)); /* which loading makes undone */
        expect_ok(fmatch_trainer_load(again.trainer, path));
        expect_same_parameters(half.model, again.model, name); /* they are published */
        expect_ok(fmatch_trainer_run(again.trainer, 29, NULL));
        expect_same_parameters(whole.model, again.model, name);
        expect_same_losses(whole.trainer, again.trainer, name);
        scenario_destroy(&whole);
        scenario_destroy(&half);
        scenario_destroy(&again);
    }
}

static void learning_rate_is_restored(void **state)
{
    struct scenario_handles a = make(state, "adam"), b = make(state, "adam");
    expect_ok(fmatch_trainer_run(a.trainer, 3, NULL));
    expect_ok(fmatch_optimizer_set_learning_rate(a.optimizer, 0.0625));
    expect_ok(fmatch_trainer_save(a.trainer, path));
    expect_ok(fmatch_trainer_load(b.trainer, path));
    const double rate = fmatch_optimizer_get_learning_rate(b.optimizer);
    expect_that(rate == 0.0625, "it is %g", rate);
    expect_ok(fmatch_trainer_run(a.trainer, 3, NULL));
    expect_ok(fmatch_trainer_run(b.trainer, 3, NULL));
    expect_same_parameters(a.model, b.model, "at the rate set");
    scenario_destroy(&a);
    scenario_destroy(&b);
}

/* The learning rate at creation is no setting: it is state from the beginning. */
static void learning_rate_of_creation_may_differ(void **state)
{
    struct scenario_handles a = make(state, "adam"), b;
    struct scenario s;
    scenario_init(&s, scenario_called("adam"));
    s.adam.learning_rate = 0.5;
    expect_ok(scenario_create(&b, context_of(state), &s));
    expect_ok(fmatch_trainer_save(a.trainer, path));
    expect_ok(fmatch_trainer_load(b.trainer, path));
    const double rate = fmatch_optimizer_get_learning_rate(b.optimizer);
    expect_that(rate == 0.01, "it is %g", rate);
    scenario_destroy(&a);
    scenario_destroy(&b);
}

/* What is published, and how patient validation is, changes no step. */
static void publishing_and_patience_may_differ(void **state)
{
    struct scenario_handles stopped = make(state, "patience"), patient, whole;
    struct scenario s;
    scenario_init(&s, scenario_called("patience"));
    s.validation.patience = 0;
    s.trainer.publish = FMATCH_PUBLISH_PRESENT;
    expect_ok(scenario_create(&patient, context_of(state), &s));
    expect_ok(scenario_create(&whole, context_of(state), &s));
    expect_ok(fmatch_trainer_run(stopped.trainer, 50, NULL));
    const int64_t steps = fmatch_trainer_count_steps(stopped.trainer);
    expect_that(steps == 42, "it stops after %lld steps", (long long)steps);
    expect_ok(fmatch_trainer_save(stopped.trainer, path));
    expect_ok(fmatch_trainer_load(patient.trainer, path));
    expect_ok(fmatch_trainer_run(patient.trainer, 8, NULL));
    expect_ok(fmatch_trainer_run(whole.trainer, 50, NULL));
    expect_same_parameters(whole.model, patient.model, "after 50 steps");
    expect_same_losses(whole.trainer, patient.trainer, "after 50 steps");
    scenario_destroy(&stopped);
    scenario_destroy(&patient);
    scenario_destroy(&whole);
}

/* A trainer whose patience has ended stays at its end. */
static void end_of_patience_is_restored(void **state)
{
    struct scenario_handles a = make(state, "patience"), b = make(state, "patience");
    expect_ok(fmatch_trainer_run(a.trainer, 50, NULL));
    expect_ok(fmatch_trainer_save(a.trainer, path));
    expect_ok(fmatch_trainer_load(b.trainer, path));
    expect_ok(fmatch_trainer_run(b.trainer, 50, NULL));
    fmatch_trainer_info there = {.struct_size = sizeof there}, here = there;
    expect_ok(fmatch_trainer_get_info(a.trainer, &there));
    expect_ok(fmatch_trainer_get_info(b.trainer, &here));
    expect_that(here.stopped == 1 && memcmp(&here, &there, sizeof here) == 0,
                "stopped %d, %lld steps, %lld rows, best %g of step %lld", (int)here.stopped,
                (long long)here.steps, (long long)here.rows, here.best_loss,
                (long long)here.best_step);
    scenario_destroy(&a);
    scenario_destroy(&b);
}

/* Rates and norms, too. */
static void history_is_restored(void **state)
{
    struct scenario_handles a = make(state, "all"), b = make(state, "all");
    size_t size, again;
    expect_ok(fmatch_trainer_run(a.trainer, 20, NULL));
    expect_ok(fmatch_trainer_save(a.trainer, path));
    expect_ok(fmatch_trainer_load(b.trainer, path));
    expect_ok(fmatch_trainer_save_history(a.trainer, other, FMATCH_HISTORY_CSV));
    unsigned char *there = read_file(other, &size);
    expect_ok(fmatch_trainer_save_history(b.trainer, other, FMATCH_HISTORY_CSV));
    unsigned char *here = read_file(other, &again);
    expect_that(size > 500 && size == again && memcmp(here, there, size) == 0,
                "%zu bytes and %zu bytes", size, again);
    free(here);
    free(there);
    scenario_destroy(&a);
    scenario_destroy(&b);
}

/* Rows of run_batch move the cursor by their own number. */
static void cursor_counts_rows_not_steps(void **state)
{
    float rows[7 * SCENARIO_DIM];
    fill_scattered(rows, 7 * SCENARIO_DIM, -1, 1, 4);
    const fmatch_batch batch = {.struct_size = sizeof batch, .n = 7, .target = rows};
    struct scenario_handles a = make(state, "coupling"), b = make(state, "coupling");
    expect_ok(fmatch_trainer_run_batch(a.trainer, &batch, NULL));
    expect_ok(fmatch_trainer_save(a.trainer, path));
    expect_ok(fmatch_trainer_load(b.trainer, path));
    expect_ok(fmatch_trainer_run(a.trainer, 10, NULL));
    expect_ok(fmatch_trainer_run(b.trainer, 10, NULL));
    expect_same_parameters(a.model, b.model, "after a batch of the caller's");
    scenario_destroy(&a);
    scenario_destroy(&b);
}

static void nothing_done_can_be_saved(void **state)
{
    struct scenario_handles a = make(state, "all"), b = make(state, "all");
    expect_ok(fmatch_trainer_save(a.trainer, path));
    expect_ok(fmatch_trainer_run(b.trainer, 4, NULL));
    expect_ok(fmatch_trainer_load(b.trainer, path));
    expect_that(fmatch_trainer_count_steps(b.trainer) == 0, "%lld steps",
                (long long)fmatch_trainer_count_steps(b.trainer));
    expect_same_parameters(a.model, b.model, "before the first step");
    scenario_destroy(&a);
    scenario_destroy(&b);
}

/* A gradient belongs to parameters that loading has replaced. */
static void gradient_is_forgotten(void **state)
{
    float values[SCENARIO_DIM];
    struct scenario_handles a = make(state, "adam");
    expect_ok(fmatch_trainer_run(a.trainer, 1, NULL));
    expect_ok(fmatch_trainer_save(a.trainer, path));
    expect_ok(fmatch_trainer_get_gradient(a.trainer, "net.4.bias", SCENARIO_DIM, values));
    expect_ok(fmatch_trainer_load(a.trainer, path));
    expect_status(fmatch_trainer_get_gradient(a.trainer, "net.4.bias", SCENARIO_DIM, values),
                  FMATCH_ERROR_STATE);
    scenario_destroy(&a);
}

struct saving {
    fmatch_trainer *trainer;
    fmatch_status saved, loaded;
};

static int32_t save_and_load(void *user, const fmatch_progress_info *info)
{
    struct saving *saving = user;
    if (info->step != 9)
        return 0;
    saving->saved = fmatch_trainer_save(saving->trainer, path);
    saving->loaded = fmatch_trainer_load(saving->trainer, path);
    return 0;
}

static void progress_may_save_but_not_load(void **state)
{
    struct scenario_handles a = make(state, "all"), b = make(state, "all");
    struct saving saving = {.trainer = a.trainer};
    const fmatch_progress progress = {
        .struct_size = sizeof progress, .every = 3, .report = save_and_load, .user = &saving};
    expect_ok(fmatch_trainer_run(a.trainer, 20, &progress));
    assert_int_equal(saving.saved, FMATCH_OK);
    assert_int_equal(saving.loaded, FMATCH_ERROR_STATE);
    expect_ok(fmatch_trainer_load(b.trainer, path));
    expect_ok(fmatch_trainer_run(b.trainer, 11, NULL));
    expect_same_parameters(a.model, b.model, "saved at step 9 of 20");
    scenario_destroy(&a);
    scenario_destroy(&b);
}

/* ---- what must match ---- */

/* Loads `path` into a trainer that has gone 3 steps, which must be refused; another 4 steps then
 * are those of a trainer that was never asked. */
static void expect_refused(void **state, const struct scenario *s, const char *what,
                           fmatch_status wanted)
{
    struct scenario_handles a, b;
    expect_ok(scenario_create(&a, context_of(state), s));
    expect_ok(scenario_create(&b, context_of(state), s));
    expect_ok(fmatch_trainer_run(a.trainer, 3, NULL));
    expect_ok(fmatch_trainer_run(b.trainer, 3, NULL));
    const fmatch_status seen = fmatch_trainer_load(a.trainer, path);
    expect_that(seen == wanted, "%s: %s (\"%s\")", what, fmatch_status_get_name(seen),
                fmatch_error_detail());
    if (wanted == FMATCH_ERROR_STATE)
        expect_detail(path, ": the checkpoint has ", what, "; the trainer ");
    expect_same_parameters(a.model, b.model, what);
    expect_ok(fmatch_trainer_run(a.trainer, 4, NULL));
    expect_ok(fmatch_trainer_run(b.trainer, 4, NULL));
    expect_same_parameters(a.model, b.model, what);
    expect_same_losses(a.trainer, b.trainer, what);
    scenario_destroy(&a);
    scenario_destroy(&b);
}

static const int32_t odd_widths[] = {16, 17};
static const float mean[] = {0, 1}, deviation[] = {1, 2};

#define CHANGE(name, statement)                                                                    \
    static void name(struct scenario *s)                                                           \
    {                                                                                              \
        statement;                                                                                 \
    }
CHANGE(change_layers, s->model.hidden_layers = 3)
CHANGE(change_width, s->model.hidden_width = 17)
CHANGE(change_one_width, s->model.hidden_widths = odd_widths)
CHANGE(change_activation, s->model.activation = FMATCH_ACTIVATION_TANH)
CHANGE(change_prediction, s->model.prediction = FMATCH_PREDICTION_DATA)
CHANGE(change_standardisation, s->model.data_mean = mean; s->model.data_std = deviation)
CHANGE(change_path, s->path.kind = FMATCH_PATH_COSINE)
CHANGE(change_path_noise, s->path.noise = 0.1)
CHANGE(change_optimizer, s->sgd = true)
CHANGE(change_beta1, s->adam.beta1 = 0.8)
CHANGE(change_beta2, s->adam.beta2 = 0.99)
CHANGE(change_epsilon, s->adam.epsilon = 1e-7)
CHANGE(change_decay, s->adam.weight_decay = 0.2)
CHANGE(change_rows, s->stored = SCENARIO_ROWS - 1)
CHANGE(change_weights, s->weighted = false)
CHANGE(change_batch, s->trainer.batch = 6)
CHANGE(change_seed, s->trainer.seed = (uint64_t)1 << 63)
CHANGE(change_accumulate, s->trainer.accumulate = 2)
CHANGE(change_clip, s->trainer.clip_norm = 0)
CHANGE(change_average, s->trainer.average_decay = 0.95)
CHANGE(change_no_average, s->trainer.average_decay = 0)
CHANGE(change_no_rate, s->trainer.rate = NULL)
CHANGE(change_rate_kind, s->rate.kind = FMATCH_RATE_POLYNOMIAL)
CHANGE(change_steps, s->trainer.steps = 71)
CHANGE(change_warmup, s->rate.warmup = 11)
CHANGE(change_end, s->rate.end = 0.25)
CHANGE(change_every, s->validation.every = 6)
CHANGE(change_validation, s->validation.rows = 41)
CHANGE(change_validation_seed, s->validation.seed = 2)
CHANGE(change_no_validation, s->trainer.validation = NULL; s->trainer.publish = 0)
CHANGE(change_time, s->time.kind = FMATCH_TIME_UNIFORM)
CHANGE(change_stratified, s->time.stratified = 0)
CHANGE(change_margin, s->time.margin_end = 0.01)
CHANGE(change_deviation, s->time.deviation = 2)
CHANGE(change_loss, s->loss.kind = FMATCH_LOSS_PSEUDO_HUBER)
CHANGE(change_loss_weight, s->loss.weight = FMATCH_LOSS_WEIGHT_ADAPTIVE)
CHANGE(change_coupling, s->trainer.coupling = NULL)
CHANGE(change_pairing, s->coupling.pairing = FMATCH_PAIRING_REPLACEMENT)
CHANGE(change_block, s->coupling.batch = 2 * SCENARIO_BATCH)

static const struct change {
    const char *what; /* the detail says */
    void (*set)(struct scenario *s);
    fmatch_status status;
} changes[] = {
    {"model->hidden_layers 2; the trainer 3", change_layers, FMATCH_ERROR_STATE},
    {"model->hidden_widths[0] 16; the trainer 17", change_width, FMATCH_ERROR_STATE},
    {"model->hidden_widths[1] 16; the trainer 17", change_one_width, FMATCH_ERROR_STATE},
    {"model->activation 0; the trainer 4", change_activation, FMATCH_ERROR_STATE},
    {"model->prediction 0; the trainer 1", change_prediction, FMATCH_ERROR_STATE},
    {"0 values of model->data_mean; the trainer 2", change_standardisation, FMATCH_ERROR_SHAPE},
    {"path->kind 0; the trainer 4", change_path, FMATCH_ERROR_STATE},
    {"path->noise 0; the trainer 0.1", change_path_noise, FMATCH_ERROR_STATE},
    {"optimizer 0; the trainer 1", change_optimizer, FMATCH_ERROR_STATE},
    {"adam->beta1 0.9; the trainer 0.8", change_beta1, FMATCH_ERROR_STATE},
    {"adam->beta2 0.999; the trainer 0.99", change_beta2, FMATCH_ERROR_STATE},
    {"adam->epsilon 1e-08; the trainer 1e-07", change_epsilon, FMATCH_ERROR_STATE},
    {"adam->weight_decay 0.1; the trainer 0.2", change_decay, FMATCH_ERROR_STATE},
    {"target's rows 61; the trainer 60", change_rows, FMATCH_ERROR_STATE},
    {"target's weights 1; the trainer 0", change_weights, FMATCH_ERROR_STATE},
    {"config->batch 12; the trainer 6", change_batch, FMATCH_ERROR_STATE},
    {"config->seed 8; the trainer 9223372036854775808", change_seed, FMATCH_ERROR_STATE},
    {"config->accumulate 3; the trainer 2", change_accumulate, FMATCH_ERROR_STATE},
    {"config->clip_norm 0.5; the trainer 0", change_clip, FMATCH_ERROR_STATE},
    {"config->average_decay 0.9; the trainer 0.95", change_average, FMATCH_ERROR_STATE},
    {"config->average_decay 0.9; the trainer 0", change_no_average, FMATCH_ERROR_STATE},
    {"rate->kind 1; the trainer 0", change_no_rate, FMATCH_ERROR_STATE},
    {"rate->kind 1; the trainer 2", change_rate_kind, FMATCH_ERROR_STATE},
    {"rate->steps 70; the trainer 71", change_steps, FMATCH_ERROR_STATE},
    {"rate->warmup 10; the trainer 11", change_warmup, FMATCH_ERROR_STATE},
    {"rate->end 0; the trainer 0.25", change_end, FMATCH_ERROR_STATE},
    {"validation->every 7; the trainer 6", change_every, FMATCH_ERROR_STATE},
    {"validation->rows 40; the trainer 41", change_validation, FMATCH_ERROR_STATE},
    {"validation->seed 0; the trainer 2", change_validation_seed, FMATCH_ERROR_STATE},
    {"validation->every 7; the trainer 0", change_no_validation, FMATCH_ERROR_STATE},
    {"time->kind 1; the trainer 0", change_time, FMATCH_ERROR_STATE},
    {"time->stratified 1; the trainer 0", change_stratified, FMATCH_ERROR_STATE},
    {"time->margin_end 0; the trainer 0.01", change_margin, FMATCH_ERROR_STATE},
    {"time->deviation 1; the trainer 2", change_deviation, FMATCH_ERROR_STATE},
    {"loss->kind 0; the trainer 1", change_loss, FMATCH_ERROR_STATE},
    {"loss->weight 0; the trainer ", change_loss_weight, FMATCH_ERROR_STATE},
    {"coupling->kind 1; the trainer 0", change_coupling, FMATCH_ERROR_STATE},
    {"coupling->pairing 0; the trainer 1", change_pairing, FMATCH_ERROR_STATE},
    {"coupling->batch 60; the trainer 24", change_block, FMATCH_ERROR_STATE},
};

static void other_settings_are_refused(void **state)
{
    struct scenario_handles saved = make(state, "all");
    expect_ok(fmatch_trainer_run(saved.trainer, 11, NULL));
    expect_ok(fmatch_trainer_save(saved.trainer, path));
    for (size_t i = 0; i < COUNT(changes); i++) {
        struct scenario s;
        scenario_init(&s, scenario_called("all"));
        changes[i].set(&s);
        expect_refused(state, &s, changes[i].what, changes[i].status);
    }
    scenario_destroy(&saved);
}

CHANGE(change_momentum, s->sgd_config.momentum = 0.5)
CHANGE(change_nesterov, s->sgd_config.nesterov = 0)
CHANGE(change_sgd_decay, s->sgd_config.weight_decay = 0.02)
CHANGE(change_dropout, s->trainer.condition_dropout = 0.25)
CHANGE(change_classes, s->model.classes = 3)
CHANGE(change_sinkhorn, s->sinkhorn.epsilon = 0.3)
CHANGE(change_next_beta1, s->adam.beta1 = 0.90000000000000013)

/* Settings that `all` does not have, and two numbers that six digits do not tell apart. */
static void settings_of_other_kinds_are_refused(void **state)
{
    static const struct {
        const char *scenario, *what;
        void (*set)(struct scenario *s);
    } rows[] = {
        {"sgd", "sgd->momentum 0.9; the trainer 0.5", change_momentum},
        {"sgd", "sgd->nesterov 1; the trainer 0", change_nesterov},
        {"sgd", "sgd->weight_decay 0.01; the trainer 0.02", change_sgd_decay},
        {"dropout", "config->condition_dropout 0.3; the trainer 0.25", change_dropout},
        {"dropout", "model->classes 2; the trainer 3", change_classes},
        {"entropic", "sinkhorn->epsilon 0.2; the trainer 0.3", change_sinkhorn},
        {"adam", "adam->beta1 0.90000000000000002; the trainer 0.90000000000000013",
         change_next_beta1},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct scenario_handles saved = make(state, rows[i].scenario);
        struct scenario s;
        expect_ok(fmatch_trainer_save(saved.trainer, path));
        scenario_init(&s, scenario_called(rows[i].scenario));
        rows[i].set(&s);
        expect_refused(state, &s, rows[i].what, FMATCH_ERROR_STATE);
        scenario_destroy(&saved);
    }
}

/* ---- damage ---- */

static void damaged_files_change_nothing(void **state)
{
    struct scenario_handles saved = make(state, "all");
    struct scenario s;
    size_t size;
    expect_ok(fmatch_trainer_run(saved.trainer, 11, NULL));
    expect_ok(fmatch_trainer_save(saved.trainer, path));
    scenario_init(&s, scenario_called("all"));
    unsigned char *bytes = read_file(path, &size);
    static const double places[] = {0, 0.001, 0.3, 0.6, 0.9, 0.99999};
    for (size_t i = 0; i < COUNT(places); i++) {
        const size_t at = (size_t)(places[i] * (double)size);
        bytes[at] ^= 0x40;
        write_file(path, bytes, size);
        expect_refused(state, &s, "flipped", FMATCH_ERROR_FORMAT);
        bytes[at] ^= 0x40;
        write_file(path, bytes, at);
        expect_refused(state, &s, "cut", FMATCH_ERROR_FORMAT);
    }
    expect_ok(fmatch_model_save(saved.model, path));
    expect_refused(state, &s, "a model", FMATCH_ERROR_FORMAT);
    expect_status(fmatch_trainer_load(saved.trainer, path), FMATCH_ERROR_FORMAT);
    expect_detail(path, " is not a checkpoint");
    free(bytes);
    scenario_destroy(&saved);
}

/* ---- a save that fails ---- */

static void failed_save_leaves_the_old_file(void **state)
{
    struct scenario_handles a = make(state, "adam");
    size_t size, after;
    char beyond[400];
    expect_ok(fmatch_trainer_save(a.trainer, path));
    unsigned char *bytes = read_file(path, &size);
    expect_ok(fmatch_trainer_run(a.trainer, 2, NULL));
    struct rlimit before, none;
    expect_that(getrlimit(RLIMIT_FSIZE, &before) == 0, "no limit");
    none = before;
    none.rlim_cur = 4096; /* as a full disk would: the file is longer */
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    expect_that(setrlimit(RLIMIT_FSIZE, &none) == 0, "no limit");
    const fmatch_status status = fmatch_trainer_save(a.trainer, path);
    expect_that(setrlimit(RLIMIT_FSIZE, &before) == 0, "no limit");
    signal(SIGXFSZ, handler);
    expect_status(status, FMATCH_ERROR_IO);
    unsigned char *now = read_file(path, &after);
    expect_that(after == size && memcmp(bytes, now, size) == 0, "%zu bytes, before %zu", after,
                size);
    snprintf(beyond, sizeof beyond, "%s/none/file", folder);
    expect_status(fmatch_trainer_save(a.trainer, beyond), FMATCH_ERROR_IO);
    expect_detail(beyond);
    expect_status(fmatch_trainer_load(a.trainer, beyond), FMATCH_ERROR_IO);
    expect_detail(beyond);
    free(bytes);
    free(now);
    scenario_destroy(&a);
}

static void arguments_are_checked(void **state)
{
    struct scenario_handles a = make(state, "adam");
    expect_status(fmatch_trainer_save(NULL, path), FMATCH_ERROR_ARGUMENT);
    expect_detail("trainer is NULL");
    expect_status(fmatch_trainer_load(NULL, path), FMATCH_ERROR_ARGUMENT);
    expect_detail("trainer is NULL");
    expect_status(fmatch_trainer_save(a.trainer, NULL), FMATCH_ERROR_ARGUMENT);
    expect_detail("path is NULL");
    expect_status(fmatch_trainer_load(a.trainer, NULL), FMATCH_ERROR_ARGUMENT);
    expect_detail("path is NULL");
    scenario_destroy(&a);
}

/* ---- memory ---- */

/* A load whose k-th allocation fails, if it has so many, after some steps; two more steps are then
 * those of a trainer that was never asked. */
static fmatch_status load_with_failure(void **state, int64_t steps, int64_t k)
{
    struct ledger *ledger = &((struct world *)*state)->ledger;
    struct scenario_handles a = make(state, "all"), b = make(state, "all");
    expect_ok(fmatch_trainer_run(a.trainer, steps, NULL));
    expect_ok(fmatch_trainer_run(b.trainer, steps + 2, NULL));
    ledger->fail_at = ledger->calls + k;
    const fmatch_status status = fmatch_trainer_load(a.trainer, path);
    ledger->fail_at = 0;
    if (status != FMATCH_OK) {
        expect_ok(fmatch_trainer_run(a.trainer, 2, NULL));
        expect_same_parameters(a.model, b.model, "after a failed load");
        expect_same_losses(a.trainer, b.trainer, "after a failed load");
    }
    scenario_destroy(&a);
    scenario_destroy(&b);
    return status;
}

/* The trainer that has not run yet needs a snapshot of the model beside what it reads into. */
static void load_survives_every_allocation(void **state)
{
    struct scenario_handles saved = make(state, "all");
    expect_ok(fmatch_trainer_run(saved.trainer, 11, NULL));
    expect_ok(fmatch_trainer_save(saved.trainer, path));
    for (int64_t steps = 0; steps <= 3; steps += 3) {
        int64_t k = 1;
        fmatch_status status;
        while ((status = load_with_failure(state, steps, k)) == FMATCH_ERROR_NO_MEMORY)
            k++;
        expect_ok(status);
        expect_that(k > (steps == 0 ? 7 : 6), "%lld steps: %lld allocations", (long long)steps,
                    (long long)k - 1);
    }
    scenario_destroy(&saved);
}

static void save_asks_for_no_memory(void **state)
{
    struct ledger *ledger = &((struct world *)*state)->ledger;
    struct scenario_handles a = make(state, "all");
    expect_ok(fmatch_trainer_run(a.trainer, 11, NULL));
    const int64_t calls = ledger->calls;
    expect_ok(fmatch_trainer_save(a.trainer, path));
    expect_that(ledger->calls == calls, "%lld times", (long long)(ledger->calls - calls));
    scenario_destroy(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        file_test(everything_goes_on),
        file_test(learning_rate_is_restored),
        file_test(learning_rate_of_creation_may_differ),
        file_test(publishing_and_patience_may_differ),
        file_test(end_of_patience_is_restored),
        file_test(history_is_restored),
        file_test(cursor_counts_rows_not_steps),
        file_test(nothing_done_can_be_saved),
        file_test(gradient_is_forgotten),
        file_test(progress_may_save_but_not_load),
        file_test(other_settings_are_refused),
        file_test(settings_of_other_kinds_are_refused),
        file_test(damaged_files_change_nothing),
        file_test(failed_save_leaves_the_old_file),
        file_test(arguments_are_checked),
        file_test(load_survives_every_allocation),
        file_test(save_asks_for_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
