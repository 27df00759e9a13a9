/* Any allocation may fail: the call says so, nothing leaks, what was there still works, and the
 * call can be made again. And after its first step or call a handle allocates nothing. */
#include "../api/fixtures.h"

#include <dirent.h>
#include <unistd.h>

/* ---- a whole life, in which one allocation fails ---- */

/* Everything that the scenario computes; compared bitwise with an undisturbed run. */
enum { ROWS = 300, STEPS = 5 };

struct outcome {
    float drawn[ROWS], trajectory[(STEPS + 1) * ROWS], integrated[ROWS], exact[ROWS], csv[ROWS];
    float adapted[2 * ROWS];
    double densities[2 * ROWS];
    float noisy[ROWS], inpainted[ROWS], moved[ROWS];
    float parameters[200], noise_moments[2], callback_rows[ROWS], from_file[ROWS];
    double losses[8], evaluated, batch_loss, w1, w2, energy, floor;
};

/* What the scenario holds, so that it can be given up at any point. */
struct holdings {
    fmatch_context *context;
    fmatch_source *mixture, *array, *callback, *file, *noise;
    fmatch_model *model, *copy, *exact, *field, *stored, *loaded, *moved, *moved_copy;
    fmatch_optimizer *adam, *sgd;
    fmatch_trainer *trainer, *second;
    fmatch_sampler *sampler, *adaptive, *noisy;
};

static void give_up(struct holdings *h)
{
    fmatch_sampler_destroy(&h->sampler);
    fmatch_sampler_destroy(&h->adaptive);
    fmatch_sampler_destroy(&h->noisy);
    fmatch_trainer_destroy(&h->second);
    fmatch_trainer_destroy(&h->trainer);
    fmatch_optimizer_destroy(&h->sgd);
    fmatch_optimizer_destroy(&h->adam);
    fmatch_model_destroy(&h->loaded);
    fmatch_model_destroy(&h->moved_copy);
    fmatch_model_destroy(&h->moved);
    fmatch_model_destroy(&h->stored);
    fmatch_model_destroy(&h->field);
    fmatch_model_destroy(&h->exact);
    fmatch_model_destroy(&h->copy);
    fmatch_model_destroy(&h->model);
    fmatch_source_destroy(&h->noise);
    fmatch_source_destroy(&h->file);
    fmatch_source_destroy(&h->callback);
    fmatch_source_destroy(&h->array);
    fmatch_source_destroy(&h->mixture);
    fmatch_context_destroy(&h->context);
}

/* How the scenario meets a failure: `retry` makes the call again, which must succeed; otherwise the
 * scenario ends there. */
struct attempt {
    struct ledger *ledger;
    bool retry;
    int64_t failures;
};

static bool goes_on(struct attempt *attempt, fmatch_status status, const char *call)
{
    if (status == FMATCH_OK)
        return true;
    expect_that(status == FMATCH_ERROR_NO_MEMORY, "allocation %lld: %s gives %s (\"%s\")",
                (long long)attempt->ledger->fail_at, call, fmatch_status_get_name(status),
                fmatch_error_detail());
    expect_that(fmatch_error_detail()[0] != 0, "%s: the detail is empty", call);
    attempt->failures++;
    return false;
}

/* Calls, and calls once more after a failure. */
#define TRY(call)                                                                                  \
    do {                                                                                           \
        if (!goes_on(attempt, (call), #call)) {                                                    \
            if (!attempt->retry)                                                                   \
                return false;                                                                      \
            expect_ok(call);                                                                       \
        }                                                                                          \
    } while (0)

/* The same for a create function: after a failure its out-pointer is NULL. */
#define CREATE(handle, function, ...)                                                              \
    do {                                                                                           \
        (handle) = (void *)attempt;                                                                \
        bool made = goes_on(attempt, function(&(handle), __VA_ARGS__), #function);                 \
        if (!made)                                                                                 \
            expect_that((handle) == NULL, "%s leaves %p", #function, (void *)(handle));            \
        if (!made && !attempt->retry)                                                              \
            return false;                                                                          \
        if (!made)                                                                                 \
            expect_ok(function(&(handle), __VA_ARGS__));                                           \
    } while (0)

/* Structs with a destroy function that were handed over, and calls of those functions. */
static int64_t owners_offered, owners_destroyed;

static void count_destroy(void *user)
{
    (void)user;
    owners_destroyed++;
}

static int32_t draw_normals(void *user, fmatch_random *random, int64_t first_row, int64_t n,
                            float *x)
{
    (void)user, (void)first_row;
    fmatch_random_draw_normal(random, n, 1, x);
    return 0;
}

static int32_t linear_field(void *user, int64_t n, const float *x, const float *t,
                            const float *condition, float *v)
{
    (void)user, (void)condition;
    for (int64_t i = 0; i < n; i++)
        v[i] = t[i] - x[i];
    return 0;
}

static fmatch_status offer_array(fmatch_source **source, fmatch_context *context,
                                 const fmatch_array_config *config)
{
    owners_offered++;
    return fmatch_source_create_array(source, context, config);
}

static fmatch_status offer_source(fmatch_source **source, fmatch_context *context,
                                  const fmatch_source_callbacks *callbacks)
{
    owners_offered++;
    return fmatch_source_create_callback(source, context, 1, callbacks);
}

static fmatch_status offer_field(fmatch_model **model, fmatch_context *context,
                                 const fmatch_velocity_callbacks *callbacks,
                                 const fmatch_source *noise)
{
    owners_offered++;
    return fmatch_model_create_callback(model, context, 1, callbacks, noise);
}

static bool make_sources(struct attempt *attempt, struct holdings *h, struct outcome *o)
{
    static const float weights[] = {0.55f, 0.45f}, means[] = {-0.85f, 1.5f},
                       stds[] = {0.65f, 0.25f};
    static const float rows[] = {1, 2, 3, 4, 5};
    const fmatch_source_callbacks callbacks = {
        .struct_size = sizeof callbacks, .draw = draw_normals, .destroy = count_destroy};
    CREATE(h->mixture, fmatch_source_create_gaussian_mixture, h->context, 1, 2, weights, means,
           stds);
    fmatch_array_config array;
    fmatch_array_config_init(&array);
    array.dim = 1;
    array.n = 5;
    array.rows = rows;
    array.destroy = count_destroy;
    CREATE(h->array, offer_array, h->context, &array);
    CREATE(h->callback, offer_source, h->context, &callbacks);
    CREATE(h->noise, fmatch_source_create_normal, h->context, 1);
    CREATE(h->file, fmatch_source_create_csv, h->context, "examples/data/faithful.csv", NULL);
    TRY(fmatch_source_draw(h->file, 1, 0, ROWS / 2, o->csv));
    TRY(fmatch_source_draw(h->callback, 1, 0, ROWS, o->callback_rows));
    TRY(fmatch_source_evaluate_moments(h->callback, o->noise_moments, o->noise_moments + 1));
    return true;
}

static bool make_models(struct attempt *attempt, struct holdings *h, struct outcome *o)
{
    static const float mean[] = {0.25f}, std[] = {1.25f};
    const fmatch_velocity_callbacks callbacks = {
        sizeof callbacks, 0, linear_field, count_destroy, NULL, 0, 0, NULL};
    const fmatch_path_config cosine = {.struct_size = sizeof cosine, .kind = FMATCH_PATH_COSINE};
    fmatch_mlp_config config;
    fmatch_mlp_config_init(&config);
    config.dim = 1;
    config.hidden_layers = 2;
    config.hidden_width = 9;
    config.data_mean = mean;
    config.data_std = std;
    config.noise = h->noise;
    CREATE(h->model, fmatch_model_create_mlp, h->context, &config);
    CREATE(h->exact, fmatch_model_create_closed_form, h->context, h->mixture);
    CREATE(h->field, offer_field, h->context, &callbacks, h->noise);
    static float x[ROWS], t[ROWS];
    fill_scattered(x, ROWS, -2, 2, 1);
    fill_scattered(t, ROWS, 0, 1, 2);
    TRY(fmatch_model_evaluate(h->exact, ROWS, x, t, NULL, o->exact));
    TRY(fmatch_model_evaluate(h->field, ROWS, x, t, NULL, x));
    TRY(fmatch_model_evaluate_irreducible_loss(h->exact, &o->floor, NULL));
    static const float nine[9] = {0.1f, 0.2f, 0.3f, 0.4f, 0.5f, 0.6f, 0.7f, 0.8f, 0.9f};
    TRY(fmatch_model_set_tensor(h->model, "net.2.bias", 9, nine));
    TRY(fmatch_model_create_copy(&h->copy, h->model));
    CREATE(h->moved, fmatch_model_create_rescheduled, h->exact, &cosine);
    TRY(fmatch_model_create_copy(&h->moved_copy, h->moved));
    TRY(fmatch_model_evaluate(h->moved_copy, ROWS, x, t, NULL, o->moved));
    return true;
}

/* A failed run may have taken some of its steps: go on to the same number. */
static bool run_to(struct attempt *attempt, fmatch_trainer *trainer, int64_t steps)
{
    int64_t missing = steps - fmatch_trainer_count_steps(trainer);
    if (goes_on(attempt, fmatch_trainer_run(trainer, missing, NULL), "fmatch_trainer_run"))
        return true;
    if (!attempt->retry)
        return false;
    missing = steps - fmatch_trainer_count_steps(trainer);
    expect_that(missing >= 0, "%lld steps too many", (long long)-missing);
    expect_ok(fmatch_trainer_run(trainer, missing, NULL));
    return true;
}

static bool train(struct attempt *attempt, struct holdings *h, struct outcome *o)
{
    static float x1[40], x0[40], t[40];
    fill_scattered(x1, 40, -2, 2, 3);
    fill_scattered(x0, 40, -2, 2, 4);
    fill_scattered(t, 40, 0, 1, 5);
    fmatch_batch batch = {sizeof batch, 0, 40, x1, x0, t, NULL, NULL};
    CREATE(h->adam, fmatch_optimizer_create_adam, h->context, NULL);
    CREATE(h->sgd, fmatch_optimizer_create_sgd, h->context, NULL);
    fmatch_trainer_config config;
    fmatch_trainer_config_init(&config);
    config.batch = 32;
    CREATE(h->trainer, fmatch_trainer_create, h->model, h->adam, h->mixture, &config);
    CREATE(h->second, fmatch_trainer_create, h->copy, h->sgd, h->array, &config);
    if (!run_to(attempt, h->trainer, 3) || !run_to(attempt, h->second, 2))
        return false;
    TRY(fmatch_trainer_run_batch(h->trainer, &batch, &o->batch_loss));
    TRY(fmatch_trainer_evaluate_batch(h->trainer, &batch, NULL));
    TRY(fmatch_trainer_evaluate(h->trainer, 3, 500, &o->evaluated));
    int64_t n = fmatch_trainer_count_steps(h->trainer);
    expect_that(n == 4, "%lld steps instead of 4", (long long)n);
    TRY(fmatch_trainer_get_losses(h->trainer, 0, 4, o->losses));
    TRY(fmatch_trainer_get_losses(h->second, 0, 2, o->losses + 4));
    float *parameters = read_parameters(h->model, &n);
    memcpy(o->parameters, parameters, (size_t)n * sizeof *parameters);
    free(parameters);
    return true;
}

static bool sample(struct attempt *attempt, struct holdings *h, struct outcome *o)
{
    fmatch_sampler_config config;
    fmatch_sampler_config_init(&config);
    config.steps = STEPS;
    config.solver = FMATCH_SOLVER_RK4;
    CREATE(h->sampler, fmatch_sampler_create, h->model, &config);
    TRY(fmatch_sampler_draw(h->sampler, 1, 0, 50, NULL, o->drawn));
    TRY(fmatch_sampler_draw(h->sampler, 1, 0, ROWS, NULL, o->drawn));
    TRY(fmatch_sampler_draw_trajectory(h->sampler, 2, 0, ROWS, NULL, o->trajectory));
    TRY(fmatch_sampler_integrate(h->sampler, ROWS, o->trajectory, NULL, o->integrated));
    TRY(fmatch_sampler_integrate_trajectory(h->sampler, ROWS, o->integrated, NULL, o->trajectory));
    static const double times[] = {0.5, 1};
    config.solver = FMATCH_SOLVER_DORMAND_PRINCE;
    config.grid = FMATCH_GRID_TIMES;
    config.times = times;
    config.times_count = 2;
    CREATE(h->adaptive, fmatch_sampler_create, h->model, &config);
    TRY(fmatch_sampler_draw(h->adaptive, 1, 0, 50, NULL, o->adapted));
    TRY(fmatch_sampler_draw_trajectory(h->adaptive, 1, 0, ROWS, NULL, o->adapted));
    fmatch_likelihood_config likelihood;
    fmatch_likelihood_config_init(&likelihood);
    likelihood.steps = STEPS;
    TRY(fmatch_likelihood_evaluate(h->model, &likelihood, ROWS, o->drawn, NULL, 0, o->densities,
                                   NULL, NULL));
    likelihood.solver = FMATCH_SOLVER_DORMAND_PRINCE;
    TRY(fmatch_likelihood_evaluate(h->model, &likelihood, ROWS, o->drawn, NULL, 0,
                                   o->densities + ROWS, NULL, NULL));
    fmatch_stochastic_config stochastic;
    fmatch_stochastic_config_init(&stochastic);
    fmatch_sampler_config_init(&config);
    config.steps = STEPS;
    config.stochastic = &stochastic;
    CREATE(h->noisy, fmatch_sampler_create, h->model, &config);
    TRY(fmatch_sampler_draw(h->noisy, 1, 0, ROWS, NULL, o->noisy));
    TRY(fmatch_sampler_draw_inpainted(h->noisy, 1, 0, ROWS, NULL, o->drawn, NULL, o->inpainted));
    TRY(fmatch_metrics_evaluate_wasserstein_1d(h->context, ROWS, o->drawn, ROWS, o->csv, &o->w1,
                                               &o->w2));
    TRY(fmatch_metrics_evaluate_energy_distance(1, ROWS, o->drawn, ROWS, o->integrated,
                                                &o->energy));
    return true;
}

/* ---- models on disk ---- */

static char folder[3000], path[3100];

static int folder_setup(void **state)
{
    (void)state;
    const char *temporary = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/flowmatch-XXXXXX", temporary ? temporary : "/tmp");
    snprintf(path, sizeof path, "%s", mkdtemp(folder) ? folder : "");
    strcat(path, "/model");
    return path[0] == '/' && path[1] ? 0 : -1;
}

static int folder_teardown(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(folder);
}

/* A failed save leaves no file beside: the folder holds nothing but the model, or nothing. */
static void expect_no_other_file(void)
{
    DIR *entries = opendir(folder);
    assert_non_null(entries);
    for (struct dirent *e = readdir(entries); e; e = readdir(entries))
        expect_that(e->d_name[0] == '.' || strcmp(e->d_name, "model") == 0, "%s was left",
                    e->d_name);
    closedir(entries);
}

/* With everything that a file can hold. */
static bool make_stored(struct attempt *attempt, struct holdings *h)
{
    fmatch_mlp_config config;
    fmatch_mlp_config_init(&config);
    config.data = h->array;
    config.hidden_layers = 1;
    config.hidden_width = 3;
    config.noise = h->mixture;
    config.baseline = FMATCH_BASELINE_GAUSSIAN;
    CREATE(h->stored, fmatch_model_create_mlp, h->context, &config);
    return true;
}

static bool store(struct attempt *attempt, struct holdings *h, struct outcome *o)
{
    static float x[ROWS], t[ROWS];
    fill_scattered(x, ROWS, -2, 2, 6);
    fill_scattered(t, ROWS, 0, 1, 7);
    if (!make_stored(attempt, h))
        return false;
    bool saved = goes_on(attempt, fmatch_model_save(h->stored, path), "fmatch_model_save");
    expect_no_other_file();
    if (!saved && !attempt->retry)
        return false;
    if (!saved)
        expect_ok(fmatch_model_save(h->stored, path));
    CREATE(h->loaded, fmatch_model_load, h->context, path);
    TRY(fmatch_model_load_tensors(h->loaded, path, NULL));
    TRY(fmatch_model_evaluate(h->loaded, ROWS, x, t, NULL, o->from_file));
    return true;
}

/* True when it reaches its end. */
static bool live(struct attempt *attempt, struct outcome *outcome)
{
    struct holdings h = {0};
    memset(outcome, 0, sizeof *outcome);
    owners_offered = owners_destroyed = 0;
    fmatch_allocator allocator = ledger_allocator(attempt->ledger);
    fmatch_context_config config = forced_context_config();
    config.allocator = &allocator;
    fmatch_status status = fmatch_context_create(&h.context, &config);
    if (!goes_on(attempt, status, "fmatch_context_create")) {
        assert_null(h.context);
        assert_int_equal(attempt->ledger->destroyed, 1);
        attempt->ledger->destroyed = 0;
        if (!attempt->retry)
            return false;
        expect_ok(fmatch_context_create(&h.context, &config));
    }
    bool whole = make_sources(attempt, &h, outcome) && make_models(attempt, &h, outcome) &&
                 train(attempt, &h, outcome) && sample(attempt, &h, outcome) &&
                 store(attempt, &h, outcome);
    give_up(&h);
    assert_int_equal(attempt->ledger->destroyed, 1);
    expect_that(owners_offered == owners_destroyed, "allocation %lld: %lld owners, %lld destroyed",
                (long long)attempt->ledger->fail_at, (long long)owners_offered,
                (long long)owners_destroyed);
    return whole;
}

static void expect_same_outcome(const struct outcome *a, const struct outcome *b, int64_t k)
{
    if (memcmp(a, b, sizeof *a) == 0)
        return;
    const unsigned char *p = (const unsigned char *)a, *q = (const unsigned char *)b;
    size_t i = 0;
    while (p[i] == q[i])
        i++;
    expect_that(false, "allocation %lld failed and was retried: the outcome differs at byte %zu",
                (long long)k, i);
}

static void undisturbed(struct outcome *outcome, int64_t *allocations)
{
    struct ledger ledger = {0};
    struct attempt attempt = {&ledger, false, 0};
    expect_that(live(&attempt, outcome), "the scenario fails by itself after %lld allocations",
                (long long)ledger.calls);
    expect_balanced(&ledger, "undisturbed");
    assert_int_equal(owners_offered, 3);
    *allocations = ledger.calls;
}

static void each_failing_allocation_can_be_retried(void **state)
{
    (void)state;
    static struct outcome wanted, seen;
    int64_t allocations;
    undisturbed(&wanted, &allocations);
    expect_that(allocations > 40, "only %lld allocations", (long long)allocations);
    for (int64_t k = 1; k <= allocations; k++) {
        struct ledger ledger = {.fail_at = k};
        struct attempt attempt = {&ledger, true, 0};
        expect_that(live(&attempt, &seen), "the scenario ends early at allocation %lld",
                    (long long)k);
        expect_that(attempt.failures == 1, "allocation %lld: %lld calls failed", (long long)k,
                    (long long)attempt.failures);
        expect_same_outcome(&seen, &wanted, k);
        char what[64];
        snprintf(what, sizeof what, "allocation %lld retried", (long long)k);
        expect_balanced(&ledger, what);
    }
}

/* The k-th allocation and all after it fail, and the program gives up. */
static void each_failing_allocation_can_be_walked_away_from(void **state)
{
    (void)state;
    static struct outcome outcome;
    int64_t allocations;
    undisturbed(&outcome, &allocations);
    for (int64_t k = 1; k <= allocations; k++) {
        struct ledger ledger = {.fail_at = k, .fail_on = true};
        struct attempt attempt = {&ledger, false, 0};
        expect_that(!live(&attempt, &outcome), "allocation %lld fails without notice",
                    (long long)k);
        char what[64];
        snprintf(what, sizeof what, "allocation %lld and all after it", (long long)k);
        expect_balanced(&ledger, what);
    }
}

/* A failed run keeps what was there: the model's parameters are those of before. */
static void failing_training_leaves_the_parameters(void **state)
{
    (void)state;
    for (int64_t k = 1; k < 100; k++) {
        struct ledger ledger = {0};
        fmatch_allocator allocator = ledger_allocator(&ledger);
        fmatch_context_config config = forced_context_config();
        config.allocator = &allocator;
        fmatch_context *context;
        expect_ok(fmatch_context_create(&context, &config));
        fmatch_source *target = make_post_target(context);
        fmatch_model *model = make_mlp(context, 1, 1, 7, FMATCH_ACTIVATION_GELU, 1);
        fmatch_trainer *trainer = make_trainer(model, make_adam(context, 1e-2), target, 16, 1);
        const float x1[] = {1, 2};
        fmatch_batch batch = {sizeof batch, 0, 2, x1, NULL, NULL, NULL, NULL};
        int64_t n;
        float *before = read_parameters(model, &n);
        ledger.fail_at = ledger.calls + k;
        ledger.fail_on = true;
        fmatch_status status = fmatch_trainer_run_batch(trainer, &batch, NULL);
        float *now = read_parameters(model, &n);
        if (status != FMATCH_OK) {
            expect_that(status == FMATCH_ERROR_NO_MEMORY, "allocation %lld gives %s", (long long)k,
                        fmatch_status_get_name(status));
            expect_same_bits(now, before, n, "after a failed step");
            assert_int_equal(fmatch_trainer_count_steps(trainer), 0);
        }
        free(now);
        free(before);
        fmatch_trainer_destroy(&trainer);
        fmatch_model_destroy(&model);
        fmatch_source_destroy(&target);
        fmatch_context_destroy(&context);
        expect_balanced(&ledger, "failed step");
        if (status == FMATCH_OK)
            return;
    }
    expect_that(false, "a step makes %d allocations and more", 100);
}

/* The former file and the model to be overwritten stay as they were. */
static void failing_files_change_nothing(void **state)
{
    fmatch_context *context = context_of(state);
    struct ledger *ledger = &((struct world *)*state)->ledger;
    fmatch_model *former = make_mlp(context, 1, 1, 5, FMATCH_ACTIVATION_RELU, 1);
    fmatch_model *other = make_mlp(context, 1, 1, 5, FMATCH_ACTIVATION_RELU, 2), *seen;
    fmatch_model *target = make_mlp(context, 1, 1, 5, FMATCH_ACTIVATION_RELU, 2);
    expect_ok(fmatch_model_save(former, path));
    fmatch_status saved = FMATCH_ERROR_NO_MEMORY, replaced = FMATCH_ERROR_NO_MEMORY;
    for (int64_t k = 1; replaced != FMATCH_OK && k < 100; k++) {
        ledger->fail_at = ledger->calls + k;
        replaced = fmatch_model_load_tensors(target, path, NULL);
        ledger->fail_at = 0;
        expect_same_parameters(target, replaced == FMATCH_OK ? former : other, "load_tensors");
    }
    expect_ok(replaced);
    for (int64_t k = 1; saved != FMATCH_OK && k < 100; k++) {
        ledger->fail_at = ledger->calls + k;
        saved = fmatch_model_save(other, path);
        ledger->fail_at = 0;
        expect_ok(fmatch_model_load(&seen, context, path));
        expect_same_parameters(seen, saved == FMATCH_OK ? other : former, "save");
        expect_no_other_file();
        fmatch_model_destroy(&seen);
    }
    expect_ok(saved);
    fmatch_model_destroy(&target);
    fmatch_model_destroy(&other);
    fmatch_model_destroy(&former);
}

/* ---- steady state ---- */

struct count_at_steps {
    struct ledger *ledger;
    int64_t first, last;
};

static int32_t count_allocations(void *user, const fmatch_progress_info *info)
{
    struct count_at_steps *count = user;
    if (info->step == 1)
        count->first = count->ledger->calls;
    count->last = count->ledger->calls;
    return 0;
}

static void training_allocates_nothing_after_its_first_step(void **state)
{
    struct world *world = *state;
    fmatch_source *target = make_post_target(world->context);
    fmatch_model *model = make_mlp(world->context, 1, 2, 64, FMATCH_ACTIVATION_GELU, 1);
    fmatch_trainer *trainer = make_trainer(model, make_adam(world->context, 1e-3), target, 256, 1);
    struct count_at_steps count = {.ledger = &world->ledger};
    fmatch_progress progress = {sizeof progress, 0, 1, count_allocations, &count};
    expect_ok(fmatch_trainer_run(trainer, 200, &progress));
    expect_that(count.last == count.first, "%lld allocations in steps 2 to 200",
                (long long)(count.last - count.first));
    /* Runs of one step, as a program with its own loop makes them; the history's growth is the one
     * thing that may ask for memory, and it doubles. */
    int64_t before = world->ledger.calls;
    for (int i = 0; i < 200; i++)
        expect_ok(fmatch_trainer_run(trainer, 1, NULL));
    expect_that(world->ledger.calls - before <= 2, "%lld allocations in 200 runs of one step",
                (long long)(world->ledger.calls - before));
    float x1[64];
    fill_scattered(x1, 64, -2, 2, 1);
    fmatch_batch batch = {sizeof batch, 0, 64, x1, NULL, NULL, NULL, NULL};
    double loss;
    expect_ok(fmatch_trainer_run_batch(trainer, &batch, &loss));
    before = world->ledger.calls;
    for (int i = 0; i < 50; i++) {
        expect_ok(fmatch_trainer_run_batch(trainer, &batch, &loss));
        expect_ok(fmatch_trainer_evaluate_batch(trainer, &batch, &loss));
    }
    expect_that(world->ledger.calls - before <= 1, "%lld allocations in 50 batches",
                (long long)(world->ledger.calls - before));
    fmatch_trainer_destroy(&trainer);
    fmatch_model_destroy(&model);
    fmatch_source_destroy(&target);
}

static void sampling_allocates_nothing_after_its_first_call(void **state)
{
    struct world *world = *state;
    static float x[1000], trajectory[8 * 1000];
    fmatch_source *target = make_post_target(world->context);
    fmatch_model *models[] = {make_mlp(world->context, 1, 2, 64, FMATCH_ACTIVATION_GELU, 1),
                              make_closed_form(world->context, target), NULL};
    expect_ok(fmatch_model_create_rescheduled(&models[2], models[0], NULL));
    for (size_t m = 0; m < COUNT(models); m++)
        for (int32_t solver = FMATCH_SOLVER_EULER; solver <= FMATCH_SOLVER_TSITOURAS; solver++) {
            fmatch_sampler *sampler = make_sampler(models[m], solver, 7, 0, 1);
            expect_ok(fmatch_sampler_draw(sampler, 1, 0, 1000, NULL, x));
            int64_t before = world->ledger.calls;
            expect_ok(fmatch_sampler_draw(sampler, 1, 0, 1000, NULL, x));
            expect_ok(fmatch_sampler_draw(sampler, 1, 0, 1, NULL, x));
            expect_ok(fmatch_sampler_integrate(sampler, 1000, x, NULL, x));
            expect_ok(fmatch_sampler_draw_trajectory(sampler, 1, 0, 1000, NULL, trajectory));
            expect_ok(fmatch_sampler_integrate_trajectory(sampler, 10, x, NULL, trajectory));
            expect_that(world->ledger.calls == before, "model %zu, solver %d: %lld allocations", m,
                        solver, (long long)(world->ledger.calls - before));
            fmatch_sampler_destroy(&sampler);
        }
    fmatch_model_destroy(&models[0]);
    fmatch_model_destroy(&models[1]);
    fmatch_model_destroy(&models[2]);
    fmatch_source_destroy(&target);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_failing_allocation_can_be_retried),
        cmocka_unit_test(each_failing_allocation_can_be_walked_away_from),
        cmocka_unit_test(failing_training_leaves_the_parameters),
        world_test(failing_files_change_nothing),
        world_test(training_allocates_nothing_after_its_first_step),
        world_test(sampling_allocates_nothing_after_its_first_call),
    };
    return cmocka_run_group_tests_name("allocation", tests, folder_setup, folder_teardown);
}
