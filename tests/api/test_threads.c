/* Results do not depend on who does the work: threads of the library's, an executor's, other host
 * threads beside, or a child after a fork. */
#include "fixtures.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <time.h>

#include <sys/wait.h>
#include <unistd.h>

/* TSan ends a child that starts threads. */
#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define CHILD_CANNOT_START_THREADS 1
#endif
#elif defined(__SANITIZE_THREAD__)
#define CHILD_CANNOT_START_THREADS 1
#endif
#ifndef CHILD_CANNOT_START_THREADS
#define CHILD_CANNOT_START_THREADS 0
#endif

static const char *const matmul_name[] = {"auto", "builtin", "blas"};

static fmatch_context *make_context(int32_t threads, int32_t matmul,
                                    const fmatch_executor *executor)
{
    fmatch_context_config config;
    fmatch_context_config_init(&config);
    config.threads = threads;
    config.matmul = matmul;
    config.executor = executor;
    fmatch_context *context;
    expect_ok(fmatch_context_create(&context, &config));
    return context;
}

/* ---- everything that a network does, as numbers ---- */

struct work {
    int32_t dim, layers, width;
    int32_t batch;
    int64_t rows; /* evaluated and drawn */
};

enum { STEPS = 3, SOLVER_STEPS = 2, TIMES = SOLVER_STEPS + 1 };

struct results {
    int64_t parameters, cells;
    float *trained, *gradient, *velocity, *samples, *trajectory;
    double losses[STEPS + 1], loss;
};

static fmatch_source *make_blobs(fmatch_context *context, int32_t dim)
{
    static const float weights[] = {0.3f, 0.7f};
    float means[2 * 16], stds[2 * 16];
    assert_true(dim <= 16);
    for (int32_t i = 0; i < 2 * dim; i++) {
        means[i] = (float)(i % 5) - 2;
        stds[i] = 0.3f + 0.1f * (float)(i % 3);
    }
    fmatch_source *source;
    expect_ok(
        fmatch_source_create_gaussian_mixture(&source, context, dim, 2, weights, means, stds));
    return source;
}

static void train(fmatch_context *context, fmatch_model *model, const struct work *w,
                  struct results *r)
{
    fmatch_source *target = make_blobs(context, w->dim);
    fmatch_trainer *trainer = make_trainer(model, make_adam(context, 1e-2), target, w->batch, 9);
    expect_ok(fmatch_trainer_run(trainer, STEPS, NULL));
    float *rows = floats((int64_t)w->batch * w->dim);
    fill_scattered(rows, (int64_t)w->batch * w->dim, -1, 1, 5);
    const fmatch_batch batch = {.struct_size = sizeof batch, .n = w->batch, .target = rows};
    expect_ok(fmatch_trainer_run_batch(trainer, &batch, NULL));
    expect_ok(fmatch_trainer_get_losses(trainer, 0, STEPS + 1, r->losses));
    r->gradient = read_gradient(trainer, model);
    expect_ok(fmatch_trainer_evaluate(trainer, 4, 2 * (int64_t)w->batch + 1, &r->loss));
    r->trained = read_parameters(model, &r->parameters);
    free(rows);
    fmatch_trainer_destroy(&trainer);
    fmatch_source_destroy(&target);
}

static void evaluate_and_draw(fmatch_model *model, const struct work *w, struct results *r)
{
    r->cells = w->rows * w->dim;
    float *x = floats(r->cells), *t = floats(w->rows);
    fill_scattered(x, r->cells, -2, 2, 6);
    fill_scattered(t, w->rows, 0, 1, 7);
    r->velocity = floats(r->cells);
    expect_ok(fmatch_model_evaluate(model, w->rows, x, t, NULL, r->velocity));
    fmatch_sampler *sampler = make_sampler(model, FMATCH_SOLVER_MIDPOINT, SOLVER_STEPS, 0, 1);
    r->samples = floats(r->cells);
    expect_ok(fmatch_sampler_draw(sampler, 3, 10, w->rows, NULL, r->samples));
    r->trajectory = floats(TIMES * r->cells);
    expect_ok(fmatch_sampler_draw_trajectory(sampler, 3, 0, w->rows, NULL, r->trajectory));
    free(x), free(t);
    fmatch_sampler_destroy(&sampler);
}

static struct results do_work(fmatch_context *context, const struct work *w)
{
    struct results r = {0};
    fmatch_model *model = make_mlp(context, w->dim, w->layers, w->width, FMATCH_ACTIVATION_GELU, 2);
    train(context, model, w, &r);
    evaluate_and_draw(model, w, &r);
    fmatch_model_destroy(&model);
    return r;
}

static void free_results(struct results *r)
{
    free(r->trained), free(r->gradient), free(r->velocity), free(r->samples), free(r->trajectory);
}

static void expect_same_results(const struct results *a, const struct results *b, const char *where)
{
    for (int i = 0; i <= STEPS; i++)
        expect_that(a->losses[i] == b->losses[i], "%s: loss %d is %.17g and %.17g", where, i,
                    a->losses[i], b->losses[i]);
    expect_that(a->loss == b->loss, "%s: trainer_evaluate gives %.17g and %.17g", where, a->loss,
                b->loss);
    expect_same_bits(a->gradient, b->gradient, a->parameters, "%s: gradient", where);
    expect_same_bits(a->trained, b->trained, a->parameters, "%s: parameters", where);
    expect_same_bits(a->velocity, b->velocity, a->cells, "%s: evaluate", where);
    expect_same_bits(a->samples, b->samples, a->cells, "%s: draw", where);
    expect_same_bits(a->trajectory, b->trajectory, TIMES * a->cells, "%s: trajectory", where);
}

static bool same_results(const struct results *a, const struct results *b)
{
    const size_t parameters = (size_t)a->parameters * sizeof(float);
    const size_t cells = (size_t)a->cells * sizeof(float);
    return memcmp(a->losses, b->losses, sizeof a->losses) == 0 && a->loss == b->loss &&
           memcmp(a->gradient, b->gradient, parameters) == 0 &&
           memcmp(a->trained, b->trained, parameters) == 0 &&
           memcmp(a->velocity, b->velocity, cells) == 0 &&
           memcmp(a->samples, b->samples, cells) == 0 &&
           memcmp(a->trajectory, b->trajectory, TIMES * cells) == 0;
}

/* ---- promise 1: any number of threads ---- */

static const int32_t thread_counts[] = {2, 3, 8};

static void expect_threads_do_not_matter(int32_t matmul, const struct work *w)
{
    fmatch_context *context = make_context(1, matmul, NULL);
    struct results one = do_work(context, w);
    fmatch_context_destroy(&context);
    for (size_t i = 0; i < COUNT(thread_counts); i++) {
        char where[128];
        snprintf(where, sizeof where, "%s, %d x %d, dim %d, batch %d, %lld rows, %d threads",
                 matmul_name[matmul], (int)w->layers, (int)w->width, (int)w->dim, (int)w->batch,
                 (long long)w->rows, (int)thread_counts[i]);
        context = make_context(thread_counts[i], matmul, NULL);
        struct results more = do_work(context, w);
        expect_same_results(&one, &more, where);
        free_results(&more);
        fmatch_context_destroy(&context);
    }
    free_results(&one);
}

static void threads_do_not_matter_with(int32_t matmul)
{
    static const int32_t batches[] = {1, 63, 64, 65, 256, 1000, 5000};
    for (size_t i = 0; i < COUNT(batches); i++) {
        const int64_t rows = batches[i];
        expect_threads_do_not_matter(matmul, &(struct work){1, 2, 64, batches[i], rows});
        expect_threads_do_not_matter(matmul, &(struct work){3, 3, 17, batches[i], rows});
        if (rows <= 1000)
            expect_threads_do_not_matter(matmul, &(struct work){4, 2, 400, batches[i], rows});
    }
    expect_threads_do_not_matter(matmul, &(struct work){2, 0, 1, 130, 1});
    expect_threads_do_not_matter(matmul, &(struct work){16, 1, 8, 2000, 257});
}

static void threads_do_not_matter_with_the_builtin_product(void **state)
{
    (void)state;
    threads_do_not_matter_with(FMATCH_MATMUL_BUILTIN);
}

static void threads_do_not_matter_with_auto(void **state)
{
    (void)state;
    threads_do_not_matter_with(FMATCH_MATMUL_AUTO);
}

static void threads_do_not_matter_with_blas(void **state)
{
    (void)state;
    if (!blas_is_there()) {
        print_message("# skipped: built without a BLAS\n");
        return;
    }
    fmatch_build_info info = {.struct_size = sizeof info};
    fmatch_build_get_info(&info);
    for (int32_t threads = 1; threads <= 2; threads++) {
        expect_ok(fmatch_blas_set_threads(threads));
        threads_do_not_matter_with(FMATCH_MATMUL_BLAS);
    }
    expect_ok(fmatch_blas_set_threads(info.blas_threads));
}

/* Whatever the host's BLAS threads, the built-in product gives the same. */
static void blas_threads_do_not_matter_to_the_builtin_product(void **state)
{
    (void)state;
    if (!blas_is_there()) {
        print_message("# skipped: built without a BLAS\n");
        return;
    }
    const struct work w = {4, 2, 400, 256, 300};
    fmatch_build_info info = {.struct_size = sizeof info};
    fmatch_build_get_info(&info);
    fmatch_context *context = make_context(2, FMATCH_MATMUL_BUILTIN, NULL);
    expect_ok(fmatch_blas_set_threads(1));
    struct results one = do_work(context, &w);
    expect_ok(fmatch_blas_set_threads(2));
    struct results two = do_work(context, &w);
    expect_ok(fmatch_blas_set_threads(info.blas_threads));
    expect_same_results(&one, &two, "1 and 2 BLAS threads");
    free_results(&one), free_results(&two);
    fmatch_context_destroy(&context);
}

/* The test above can fail: other data gives other bits. */
static void another_batch_gives_other_results(void **state)
{
    (void)state;
    fmatch_context *context = make_context(2, FMATCH_MATMUL_BUILTIN, NULL);
    struct results a = do_work(context, &(struct work){1, 2, 64, 64, 100});
    struct results b = do_work(context, &(struct work){1, 2, 64, 65, 100});
    expect_that(!same_results(&a, &b), "training on 64 and on 65 rows gives the same bits");
    free_results(&a), free_results(&b);
    fmatch_context_destroy(&context);
}

/* ---- executors ---- */

struct executor_log {
    atomic_int runs, destroyed;
    atomic_int_fast64_t tasks;
};

static void run_in_order(void *user, int64_t tasks, void (*task)(void *argument, int64_t index),
                         void *argument)
{
    struct executor_log *log = user;
    log->runs++;
    log->tasks += tasks;
    for (int64_t i = 0; i < tasks; i++)
        task(argument, i);
}

static void run_backwards(void *user, int64_t tasks, void (*task)(void *argument, int64_t index),
                          void *argument)
{
    struct executor_log *log = user;
    log->runs++;
    log->tasks += tasks;
    for (int64_t i = tasks - 1; i >= 0; i--)
        task(argument, i);
}

struct single_task {
    void (*task)(void *argument, int64_t index);
    void *argument;
    int64_t index;
};

static void *run_single(void *user)
{
    const struct single_task *single = user;
    single->task(single->argument, single->index);
    return NULL;
}

static void run_on_a_thread_each(void *user, int64_t tasks,
                                 void (*task)(void *argument, int64_t index), void *argument)
{
    enum { MOST = 128 };
    struct executor_log *log = user;
    pthread_t thread[MOST];
    struct single_task single[MOST];
    assert_true(tasks <= MOST);
    log->runs++;
    log->tasks += tasks;
    for (int64_t i = 0; i < tasks; i++) {
        single[i] = (struct single_task){task, argument, i};
        assert_int_equal(pthread_create(&thread[i], NULL, run_single, &single[i]), 0);
    }
    for (int64_t i = 0; i < tasks; i++)
        pthread_join(thread[i], NULL);
}

static void log_destroyed(void *user)
{
    ((struct executor_log *)user)->destroyed++;
}

static void an_executor_changes_no_result(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        void (*run)(void *user, int64_t tasks, void (*task)(void *argument, int64_t index),
                    void *argument);
    } executors[] = {{"in order", run_in_order},
                     {"backwards", run_backwards},
                     {"a thread each", run_on_a_thread_each}};
    static const struct work works[] = {{1, 2, 64, 1000, 1000}, {4, 2, 400, 200, 700}};
    for (size_t k = 0; k < COUNT(works); k++)
        for (int32_t matmul = FMATCH_MATMUL_AUTO; matmul <= FMATCH_MATMUL_BUILTIN; matmul++) {
            fmatch_context *context = make_context(1, matmul, NULL);
            struct results one = do_work(context, &works[k]);
            fmatch_context_destroy(&context);
            for (size_t i = 0; i < COUNT(executors); i++) {
                struct executor_log log = {0};
                const fmatch_executor executor = {.struct_size = sizeof executor,
                                                  .run = executors[i].run,
                                                  .destroy = log_destroyed,
                                                  .user = &log};
                context = make_context(4, matmul, &executor);
                struct results other = do_work(context, &works[k]);
                expect_same_results(&one, &other, executors[i].name);
                expect_that(log.runs > 0, "the executor '%s' was never called", executors[i].name);
                expect_that(log.destroyed == 0, "the executor went before its context");
                fmatch_context_destroy(&context);
                expect_that(log.destroyed == 1, "the executor was destroyed %d times",
                            (int)log.destroyed);
                free_results(&other);
            }
            free_results(&one);
        }
}

static void a_refused_executor_is_destroyed(void **state)
{
    (void)state;
    static const struct {
        uint32_t flags;
        bool run;
        int32_t threads;
        const char *word;
    } cases[] = {
        {1, true, 2, "executor.flags"}, {0, false, 2, "executor.run"}, {0, true, 0, "threads"}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct executor_log log = {0};
        const fmatch_executor executor = {.struct_size = sizeof executor,
                                          .flags = cases[i].flags,
                                          .run = cases[i].run ? run_in_order : NULL,
                                          .destroy = log_destroyed,
                                          .user = &log};
        fmatch_context_config config;
        fmatch_context_config_init(&config);
        config.threads = cases[i].threads;
        config.executor = &executor;
        fmatch_context *context;
        expect_status(fmatch_context_create(&context, &config), FMATCH_ERROR_ARGUMENT);
        expect_detail(cases[i].word);
        expect_that(log.destroyed == 1, "case %zu: destroyed %d times", i, (int)log.destroyed);
    }
}

/* ---- host threads ---- */

struct host {
    fmatch_context *context;
    struct work work;
    const struct results *alone;
    int wrong;
};

static void *work_beside(void *user)
{
    struct host *host = user;
    for (int round = 0; round < 10; round++) {
        struct results r = do_work(host->context, &host->work);
        host->wrong += !same_results(host->alone, &r);
        free_results(&r);
    }
    return NULL;
}

static void host_threads_share_a_context(void **state)
{
    (void)state;
    enum { HOSTS = 3 };
    static const struct work works[HOSTS] = {
        {1, 2, 64, 256, 1000}, {3, 3, 17, 1000, 257}, {1, 2, 64, 65, 600}};
    for (int32_t threads = 1; threads <= 3; threads++) {
        fmatch_context *context = make_context(threads, FMATCH_MATMUL_BUILTIN, NULL);
        struct host host[HOSTS];
        struct results alone[HOSTS];
        pthread_t thread[HOSTS];
        for (int i = 0; i < HOSTS; i++)
            alone[i] = do_work(context, &works[i]);
        for (int i = 0; i < HOSTS; i++) {
            host[i] = (struct host){context, works[i], &alone[i], 0};
            assert_int_equal(pthread_create(&thread[i], NULL, work_beside, &host[i]), 0);
        }
        for (int i = 0; i < HOSTS; i++) {
            pthread_join(thread[i], NULL);
            expect_that(host[i].wrong == 0, "%d threads: host %d got other bits in %d of 10 rounds",
                        (int)threads, i, host[i].wrong);
            free_results(&alone[i]);
        }
        fmatch_context_destroy(&context);
    }
}

/* ---- failures ---- */

enum { ROWS = 1300 };

/* Rows that overflow the network, in more than one block. */
static void spoil(float *x, int32_t dim, const int64_t *rows, size_t count)
{
    for (size_t i = 0; i < count; i++)
        x[rows[i] * dim] = 3e38f;
}

/* v = -10 x: a spoilt row overflows to -inf, and from there to +inf. */
static fmatch_model *make_amplifier(fmatch_context *context)
{
    static const float values[] = {0, -10, 0, 0, 0, -10, 0, 0};
    fmatch_model *model = make_mlp(context, 2, 0, 1, FMATCH_ACTIVATION_RELU, 1);
    assert_int_equal(fmatch_model_count_parameters(model), COUNT(values));
    write_parameters(model, values);
    return model;
}

static void the_first_failing_row_is_named(void **state)
{
    (void)state;
    static const int64_t bad[] = {1299, 700, 610, 520, 1000};
    static const int32_t threads[] = {1, 2, 3, 8};
    float *x = floats(2 * ROWS), *t = floats(ROWS), *v = floats(2 * ROWS);
    char first[256] = "", from_start[256] = "";
    for (size_t i = 0; i < COUNT(threads); i++) {
        fmatch_context *context = make_context(threads[i], FMATCH_MATMUL_AUTO, NULL);
        fmatch_model *model = make_amplifier(context);
        fmatch_sampler *sampler = make_sampler(model, FMATCH_SOLVER_EULER, 2, 0, 1);
        for (int round = 0; round < 50; round++) {
            fill_scattered(x, 2 * ROWS, -1, 1, 3);
            spoil(x, 2, bad, COUNT(bad));
            expect_status(fmatch_model_evaluate(model, ROWS, x, t, NULL, v),
                          FMATCH_ERROR_NOT_FINITE);
            expect_detail("row 520");
            if (!first[0])
                snprintf(first, sizeof first, "%s", fmatch_error_detail());
            assert_string_equal(fmatch_error_detail(), first);

            expect_status(fmatch_sampler_integrate(sampler, ROWS, x, NULL, v),
                          FMATCH_ERROR_NOT_FINITE);
            expect_detail("row 520");
            if (!from_start[0])
                snprintf(from_start, sizeof from_start, "%s", fmatch_error_detail());
            assert_string_equal(fmatch_error_detail(), from_start);

            /* In place, where a failed block has overwritten its input. */
            expect_status(fmatch_model_evaluate(model, ROWS, x, t, NULL, x),
                          FMATCH_ERROR_NOT_FINITE);
            assert_string_equal(fmatch_error_detail(), first);
        }
        /* And it works again. */
        fill_scattered(x, 2 * ROWS, -1, 1, 3);
        expect_ok(fmatch_model_evaluate(model, ROWS, x, t, NULL, v));
        fmatch_sampler_destroy(&sampler);
        fmatch_model_destroy(&model);
        fmatch_context_destroy(&context);
    }
    free(x), free(t), free(v);
}

/* ---- callbacks run on the calling thread ---- */

struct caller {
    pthread_t thread;
    int calls, elsewhere;
};

static void note_caller(struct caller *caller)
{
    caller->calls++;
    caller->elsewhere += !pthread_equal(caller->thread, pthread_self());
}

static int32_t draw_noted(void *user, fmatch_random *random, int64_t first_row, int64_t n, float *x)
{
    (void)first_row;
    note_caller(user);
    fmatch_random_draw_normal(random, n, 1, x);
    return 0;
}

static int32_t evaluate_noted(void *user, int64_t n, const float *x, const float *t,
                              const float *condition, float *v)
{
    (void)condition;
    note_caller(user);
    for (int64_t i = 0; i < n; i++)
        v[i] = t[i] - x[i];
    return 0;
}

static void expect_on_this_thread(const struct caller *caller, const char *what)
{
    expect_that(caller->calls > 0, "%s was never called", what);
    expect_that(caller->elsewhere == 0, "%s was called %d times on another thread", what,
                caller->elsewhere);
}

static void callbacks_run_on_the_calling_thread(void **state)
{
    (void)state;
    enum { N = 3000 };
    struct caller target_of = {pthread_self(), 0, 0}, noise_of = target_of, field_of = target_of;
    struct executor_log log = {0};
    const fmatch_executor each = {
        .struct_size = sizeof each, .run = run_on_a_thread_each, .user = &log};
    for (int round = 0; round < 2; round++) {
        fmatch_context *context = make_context(4, FMATCH_MATMUL_AUTO, round ? &each : NULL);
        const fmatch_source_callbacks rows = {
            .struct_size = sizeof rows, .draw = draw_noted, .user = &target_of};
        fmatch_source_callbacks start = rows;
        start.user = &noise_of;
        const fmatch_velocity_callbacks field = {
            .struct_size = sizeof field, .evaluate = evaluate_noted, .user = &field_of};
        fmatch_source *target, *noise;
        expect_ok(fmatch_source_create_callback(&target, context, 1, &rows));
        expect_ok(fmatch_source_create_callback(&noise, context, 1, &start));
        fmatch_model *callback_model;
        expect_ok(fmatch_model_create_callback(&callback_model, context, 1, &field, NULL));
        fmatch_mlp_config net;
        fmatch_mlp_config_init(&net);
        net.dim = 1;
        net.noise = noise;
        fmatch_model *model;
        expect_ok(fmatch_model_create_mlp(&model, context, &net));

        float *x = floats(N), *t = floats(N);
        fmatch_trainer *trainer = make_trainer(model, make_adam(context, 1e-3), target, 1000, 1);
        expect_ok(fmatch_trainer_run(trainer, 3, NULL));
        double loss;
        expect_ok(fmatch_trainer_evaluate(trainer, 1, N, &loss));
        fmatch_sampler *sampler = make_sampler(model, FMATCH_SOLVER_EULER, 2, 0, 1);
        expect_ok(fmatch_sampler_draw(sampler, 1, 0, N, NULL, x));
        fmatch_sampler *through = make_sampler(callback_model, FMATCH_SOLVER_RK4, 2, 0, 1);
        expect_ok(fmatch_sampler_draw(through, 1, 0, N, NULL, x));
        expect_ok(fmatch_model_evaluate(callback_model, N, x, t, NULL, x));

        expect_on_this_thread(&target_of, "the target");
        expect_on_this_thread(&noise_of, "the noise");
        expect_on_this_thread(&field_of, "the velocity");
        free(x), free(t);
        fmatch_sampler_destroy(&sampler), fmatch_sampler_destroy(&through);
        fmatch_trainer_destroy(&trainer);
        fmatch_model_destroy(&model), fmatch_model_destroy(&callback_model);
        fmatch_source_destroy(&target), fmatch_source_destroy(&noise);
        fmatch_context_destroy(&context);
    }
}

/* ---- after a fork ---- */

static int status_of_child(pid_t child)
{
    const struct timespec moment = {0, 5000000};
    for (int i = 0; i < 6000; i++) {
        int status;
        if (waitpid(child, &status, WNOHANG) == child)
            return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
        nanosleep(&moment, NULL);
    }
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    return -1;
}

static void a_child_trains_with_the_builtin_product(void **state)
{
    (void)state;
    if (CHILD_CANNOT_START_THREADS) {
        print_message("# skipped: the sanitizer ends a child that starts threads\n");
        return;
    }
    const struct work w = {1, 2, 64, 1000, 1000};
    fmatch_context *context = make_context(3, FMATCH_MATMUL_BUILTIN, NULL);
    fmatch_context *unused = make_context(3, FMATCH_MATMUL_BUILTIN, NULL);
    struct results before = do_work(context, &w);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct results used = do_work(context, &w), fresh = do_work(unused, &w);
        fmatch_context_destroy(&context);
        fmatch_context_destroy(&unused);
        _exit(!same_results(&before, &used) + 2 * !same_results(&before, &fresh));
    }
    const int status = status_of_child(child);
    expect_that(status == 0,
                "the child ended with %d (-1: it hung; 1, 2, 3: other bits with a context that had "
                "worked before the fork, or one that had not, or both)",
                status);
    struct results after = do_work(context, &w);
    expect_same_results(&before, &after, "the parent after the fork");
    free_results(&before), free_results(&after);
    fmatch_context_destroy(&context);
    fmatch_context_destroy(&unused);
}

/* ---- a user's function that fails on some thread ---- */

/* The linear path's; fails at calls `first` to `last`, from 0. */
struct failing_schedule {
    atomic_int calls;
    int first, last;
};

static int32_t evaluate_or_fail(void *user, int64_t n, const double *t, double *alpha,
                                double *sigma, double *alpha_rate, double *sigma_rate)
{
    struct failing_schedule *s = user;
    const int call = atomic_fetch_add(&s->calls, 1);
    for (int64_t i = 0; i < n; i++) {
        alpha[i] = t[i];
        sigma[i] = 1 - t[i];
        alpha_rate[i] = 1;
        sigma_rate[i] = -1;
    }
    return call >= s->first && call <= s->last ? -42 : 0;
}

enum { FAILING_ROWS = 4000 };

static fmatch_status ask(int which, const fmatch_model *model, const float *x, const float *t,
                         float *v, double *divergence)
{
    fmatch_sampler *sampler;
    expect_ok(fmatch_sampler_create(&sampler, model, NULL));
    const fmatch_status status =
        which == 0   ? fmatch_model_evaluate(model, FAILING_ROWS, x, t, NULL, v)
        : which == 1 ? fmatch_sampler_draw(sampler, 1, 0, FAILING_ROWS, NULL, v)
                     : fmatch_model_evaluate_divergence(model, NULL, FAILING_ROWS, x, t, NULL, 0, v,
                                                        divergence, NULL);
    fmatch_sampler_destroy(&sampler);
    return status;
}

/* Also one that would not fail again. */
static void a_failure_on_any_thread_ends_the_call(void **state)
{
    (void)state;
    struct failing_schedule failing = {.first = -1, .last = -1};
    const fmatch_schedule_callbacks schedule = {
        .struct_size = sizeof schedule, .evaluate = evaluate_or_fail, .user = &failing};
    fmatch_path_config path;
    fmatch_path_config_init(&path);
    path.kind = FMATCH_PATH_CALLBACK;
    path.schedule = &schedule;
    fmatch_mlp_config net;
    fmatch_mlp_config_init(&net);
    net.dim = 1;
    net.path = &path;
    net.prediction = FMATCH_PREDICTION_DATA;
    fmatch_context *context = make_context(4, FMATCH_MATMUL_BUILTIN, NULL);
    fmatch_model *model;
    expect_ok(fmatch_model_create_mlp(&model, context, &net));
    float *x = floats(FAILING_ROWS), *t = floats(FAILING_ROWS), *v = floats(FAILING_ROWS);
    double *divergence = malloc(FAILING_ROWS * sizeof *divergence);
    memset(x, 0, FAILING_ROWS * sizeof *x);
    memset(t, 0, FAILING_ROWS * sizeof *t);
    for (int which = 0; which < 3; which++) {
        failing.calls = 0;
        failing.first = failing.last = -1;
        expect_ok(ask(which, model, x, t, v, divergence));
        const int calls = failing.calls;
        for (int once = 0; once < 2; once++) {
            failing.calls = 0;
            failing.first = calls / 3;
            failing.last = once ? calls / 3 : calls;
            expect_status(ask(which, model, x, t, v, divergence), FMATCH_ERROR_CALLBACK);
            assert_int_equal(fmatch_error_callback_code(), -42);
            expect_detail("-42");
        }
    }
    free(divergence);
    free(v);
    free(t);
    free(x);
    fmatch_model_destroy(&model);
    fmatch_context_destroy(&context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_do_not_matter_with_the_builtin_product),
        cmocka_unit_test(threads_do_not_matter_with_auto),
        cmocka_unit_test(threads_do_not_matter_with_blas),
        cmocka_unit_test(blas_threads_do_not_matter_to_the_builtin_product),
        cmocka_unit_test(another_batch_gives_other_results),
        cmocka_unit_test(an_executor_changes_no_result),
        cmocka_unit_test(a_refused_executor_is_destroyed),
        cmocka_unit_test(host_threads_share_a_context),
        cmocka_unit_test(the_first_failing_row_is_named),
        cmocka_unit_test(a_failure_on_any_thread_ends_the_call),
        cmocka_unit_test(callbacks_run_on_the_calling_thread),
        cmocka_unit_test(a_child_trains_with_the_builtin_product),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
