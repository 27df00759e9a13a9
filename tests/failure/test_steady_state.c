/* The steady state: no memory is asked for, and at one thread with the built-in product no lock is
 * taken. Memory is counted by the context's allocator and, for what would bypass it, locks by a
 * pthread_mutex_lock of our own that stands in for the C library's. */
#define _GNU_SOURCE
#include "../api/fixtures.h"

#include <dlfcn.h>
#include <pthread.h>

static _Atomic int64_t locks;

static int (*lock_of_the_system(void))(pthread_mutex_t *)
{
    static _Atomic uintptr_t found;
    if (!found)
        found = (uintptr_t)dlsym(RTLD_NEXT, "pthread_mutex_lock");
    int (*lock)(pthread_mutex_t *);
    const uintptr_t address = found;
    memcpy(&lock, &address, sizeof lock);
    return lock;
}

int pthread_mutex_lock(pthread_mutex_t *mutex)
{
    locks++;
    return lock_of_the_system()(mutex);
}

struct state {
    struct ledger ledger;
    fmatch_context *context;
    fmatch_source *target;
    fmatch_model *model;
    fmatch_trainer *trainer;
    fmatch_sampler *sampler, *noisy;
};

static fmatch_sampler *make_noisy(const fmatch_model *model)
{
    fmatch_stochastic_config stochastic;
    fmatch_stochastic_config_init(&stochastic);
    fmatch_sampler_config config;
    fmatch_sampler_config_init(&config);
    config.steps = 3;
    config.stochastic = &stochastic;
    fmatch_sampler *sampler;
    expect_ok(fmatch_sampler_create(&sampler, model, &config));
    return sampler;
}

enum { BATCH = 256, DIM = 2 };

/* A network of everything that may want memory of its own. */
static fmatch_model *make_network(fmatch_context *context)
{
    fmatch_mlp_config config;
    fmatch_mlp_config_init(&config);
    config.dim = DIM;
    config.hidden_layers = 3;
    config.time_features = FMATCH_TIME_FEATURES_FOURIER;
    config.residual_layers = 2;
    config.normalisation = FMATCH_NORMALISATION_LAYER;
    fmatch_model *model;
    expect_ok(fmatch_model_create_mlp(&model, context, &config));
    return model;
}

static struct state *make_state_of(int32_t threads, int32_t matmul, bool plain)
{
    struct state *s = calloc(1, sizeof *s);
    fmatch_allocator allocator = ledger_allocator(&s->ledger);
    fmatch_context_config config;
    fmatch_context_config_init(&config);
    config.allocator = &allocator;
    config.threads = threads;
    config.matmul = matmul;
    expect_ok(fmatch_context_create(&s->context, &config));
    static const float weights[] = {0.5f, 0.5f}, means[] = {-1, 0, 1, 0}, stds[] = {1, 1, 1, 1};
    expect_ok(fmatch_source_create_gaussian_mixture(&s->target, s->context, DIM, 2, weights, means,
                                                    stds));
    s->model = plain ? make_mlp(s->context, DIM, 2, 64, FMATCH_ACTIVATION_GELU, 1)
                     : make_network(s->context);
    s->trainer = make_trainer(s->model, make_adam(s->context, 1e-3), s->target, BATCH, 1);
    s->sampler = make_sampler(s->model, FMATCH_SOLVER_RK4, 3, 0, 1);
    s->noisy = make_noisy(s->model);
    return s;
}

static void use_solver(struct state *s, int32_t solver)
{
    fmatch_sampler_destroy(&s->sampler);
    s->sampler = make_sampler(s->model, solver, 3, 0, 1);
}

static struct state *make_state(int32_t threads, int32_t matmul)
{
    return make_state_of(threads, matmul, true);
}

static void free_state(struct state *s)
{
    fmatch_sampler_destroy(&s->sampler);
    fmatch_sampler_destroy(&s->noisy);
    fmatch_trainer_destroy(&s->trainer);
    fmatch_model_destroy(&s->model);
    fmatch_source_destroy(&s->target);
    fmatch_context_destroy(&s->context);
    expect_balanced(&s->ledger, "at the end");
    free(s);
}

/* ---- memory ---- */

/* Reports from a run, which note the allocations after its first step and after its last. */
struct run_watch {
    struct ledger *ledger;
    int64_t after_first, after_last;
};

static int32_t watch_step(void *user, const fmatch_progress_info *info)
{
    struct run_watch *watch = user;
    if (info->step == 1)
        watch->after_first = watch->ledger->calls;
    watch->after_last = watch->ledger->calls;
    return 0;
}

static void a_run_allocates_nothing_after_its_first_step(void **state)
{
    (void)state;
    for (int32_t threads = 1; threads <= 2; threads++)
        for (int32_t matmul = FMATCH_MATMUL_AUTO; matmul <= FMATCH_MATMUL_BUILTIN; matmul++) {
            struct state *s = make_state(threads, matmul);
            struct run_watch watch = {.ledger = &s->ledger};
            const fmatch_progress progress = {
                .struct_size = sizeof progress, .every = 1, .report = watch_step, .user = &watch};
            expect_ok(fmatch_trainer_run(s->trainer, 300, &progress));
            expect_that(watch.after_first == watch.after_last,
                        "%d threads: %lld allocations after the first of 300 steps", (int)threads,
                        (long long)(watch.after_last - watch.after_first));
            double loss;
            expect_ok(fmatch_trainer_evaluate(s->trainer, 1, 1000, &loss));
            const int64_t before = s->ledger.calls;
            expect_ok(fmatch_trainer_evaluate(s->trainer, 1, 1000, &loss));
            expect_that(s->ledger.calls == before, "evaluating again allocated");
            free_state(s);
        }
}

static void run_batch_allocates_nothing_after_the_first(void **state)
{
    (void)state;
    enum { N = 100, CALLS = 1000 };
    float rows[N * DIM];
    fill_scattered(rows, N * DIM, -1, 1, 1);
    const fmatch_batch batch = {.struct_size = sizeof batch, .n = N, .target = rows};
    for (int32_t threads = 1; threads <= 2; threads++) {
        struct state *s = make_state(threads, FMATCH_MATMUL_BUILTIN);
        expect_ok(fmatch_trainer_run_batch(s->trainer, &batch, NULL));
        const int64_t before = s->ledger.calls;
        for (int i = 1; i <= CALLS; i++) {
            expect_ok(fmatch_trainer_run_batch(s->trainer, &batch, NULL));
            expect_that(s->ledger.calls == before, "%d threads: call %d after the first allocated",
                        (int)threads, i);
        }
        double loss;
        expect_ok(fmatch_trainer_evaluate_batch(s->trainer, &batch, &loss));
        expect_that(s->ledger.calls == before, "evaluate_batch allocated");
        free_state(s);
    }
}

static void a_network_of_everything_allocates_no_more(void **state)
{
    (void)state;
    enum { N = 300 };
    float *x = floats(N * DIM);
    for (int32_t threads = 1; threads <= 2; threads++) {
        struct state *s = make_state_of(threads, FMATCH_MATMUL_AUTO, false);
        const fmatch_batch batch = {.struct_size = sizeof batch, .n = BATCH, .target = x};
        expect_ok(fmatch_trainer_run_batch(s->trainer, &batch, NULL));
        expect_ok(fmatch_sampler_draw(s->sampler, 1, 0, N, NULL, x));
        const int64_t before = s->ledger.calls;
        for (int i = 1; i <= 20; i++)
            expect_ok(fmatch_trainer_run_batch(s->trainer, &batch, NULL));
        expect_ok(fmatch_sampler_draw(s->sampler, 2, 0, N, NULL, x));
        expect_that(s->ledger.calls == before, "%d threads: %lld allocations", (int)threads,
                    (long long)(s->ledger.calls - before));
        free_state(s);
    }
    free(x);
}

static void a_sampler_allocates_nothing_after_its_first_call(void **state)
{
    (void)state;
    static const int64_t largest[] = {1, 100, 256, 1000};
    float *x = floats(1000 * DIM), *trajectory = floats(4 * 1000 * DIM);
    for (int32_t threads = 1; threads <= 2; threads++)
        for (size_t i = 0; i < 2 * COUNT(largest); i++) {
            struct state *s = make_state(threads, FMATCH_MATMUL_AUTO);
            const int64_t n = largest[i / 2];
            use_solver(s, i % 2 ? FMATCH_SOLVER_TSITOURAS : FMATCH_SOLVER_RK4);
            expect_ok(fmatch_sampler_draw(s->sampler, 1, 0, n, NULL, x));
            expect_ok(fmatch_sampler_draw(s->noisy, 1, 0, n, NULL, x));
            const int64_t before = s->ledger.calls;
            expect_ok(fmatch_sampler_draw(s->noisy, 2, 5, n, NULL, x));
            expect_ok(fmatch_sampler_integrate_stochastic(s->noisy, 2, 5, n, x, NULL, x));
            expect_ok(fmatch_sampler_draw_inpainted(s->noisy, 2, 5, n, NULL, x, NULL, x));
            expect_ok(fmatch_sampler_draw(s->sampler, 2, 5, n, NULL, x));
            expect_ok(fmatch_sampler_integrate(s->sampler, n, x, NULL, x));
            expect_ok(fmatch_sampler_draw_trajectory(s->sampler, 2, 5, n, NULL, trajectory));
            expect_ok(fmatch_sampler_draw(s->sampler, 2, 5, (n + 1) / 2, NULL, x));
            expect_that(s->ledger.calls == before,
                        "%d threads: %lld allocations in calls of at most %lld rows after the "
                        "first such call",
                        (int)threads, (long long)(s->ledger.calls - before), (long long)n);
            free_state(s);
        }
    free(x), free(trajectory);
}

/* ---- locks ---- */

static int64_t locks_of_run(struct state *s, int64_t steps)
{
    const int64_t before = locks;
    expect_ok(fmatch_trainer_run(s->trainer, steps, NULL));
    return locks - before;
}

/* Steps, but for those that reserve and publish once a run. */
static void a_step_takes_no_lock_at_one_thread(void **state)
{
    (void)state;
    struct state *s = make_state(1, FMATCH_MATMUL_BUILTIN);
    expect_ok(fmatch_trainer_run(s->trainer, 200, NULL));
    const int64_t one = locks_of_run(s, 1), hundred = locks_of_run(s, 100);
    expect_that(hundred == one, "%lld locks in a run of 1 step, %lld in one of 100", (long long)one,
                (long long)hundred);
    const int64_t before = locks;
    double loss;
    expect_ok(fmatch_trainer_evaluate(s->trainer, 1, 1000, &loss));
    expect_that(locks == before, "%lld locks in trainer_evaluate", (long long)(locks - before));
    free_state(s);
}

static void a_sampler_takes_no_lock_at_one_thread(void **state)
{
    (void)state;
    enum { N = 1000 };
    struct state *s = make_state(1, FMATCH_MATMUL_BUILTIN);
    float *x = floats(N * DIM);
    for (int adaptive = 0; adaptive <= 1; adaptive++) {
        use_solver(s, adaptive ? FMATCH_SOLVER_TSITOURAS : FMATCH_SOLVER_RK4);
        expect_ok(fmatch_sampler_draw(s->sampler, 1, 0, N, NULL, x));
        const int64_t before = locks;
        expect_ok(fmatch_sampler_draw(s->sampler, 1, 0, N, NULL, x));
        expect_ok(fmatch_sampler_draw(s->sampler, 1, 0, 1, NULL, x));
        expect_ok(fmatch_sampler_integrate(s->sampler, N, x, NULL, x));
        expect_that(locks == before, "adaptive %d: %lld locks in three calls of a sampler",
                    adaptive, (long long)(locks - before));
    }
    free(x);
    free_state(s);
}

/* The two tests above can fail: the library's locks are seen here. */
static void locks_are_counted(void **state)
{
    (void)state;
    struct state *s = make_state(1, FMATCH_MATMUL_BUILTIN);
    const int64_t before = locks;
    expect_ok(fmatch_trainer_run(s->trainer, 1, NULL));
    expect_that(locks > before, "publishing parameters took no lock that was counted");
    free_state(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_run_allocates_nothing_after_its_first_step),
        cmocka_unit_test(run_batch_allocates_nothing_after_the_first),
        cmocka_unit_test(a_network_of_everything_allocates_no_more),
        cmocka_unit_test(a_sampler_allocates_nothing_after_its_first_call),
        cmocka_unit_test(a_step_takes_no_lock_at_one_thread),
        cmocka_unit_test(a_sampler_takes_no_lock_at_one_thread),
        cmocka_unit_test(locks_are_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
