/* This library's part of the benchmark. Reads commands from standard input, one a line, and answers
 * each with one line of numbers:
 *
 *   train DIM WIDTH BATCH THREADS MATMUL MILLISECONDS   microseconds of a step
 *   sample POINTS THREADS MILLISECONDS                  microseconds of a draw, 15 Euler steps
 *   latency CALLS                                       median, 99 and 99.9 % of a call, and of a
 * spin normal MILLISECONDS                                 nanoseconds of a number facts what the
 * library says of itself
 *
 * THREADS are the context's and the BLAS's; MATMUL is auto, builtin or blas. A time is at least
 * MILLISECONDS of work, and at least one piece of it. */
#include <flowmatch/flowmatch.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define CHECK(call) check((call), #call)

static void check(fmatch_status status, const char *call)
{
    if (status == FMATCH_OK)
        return;
    fprintf(stderr, "%s: %s: %s\n", call, fmatch_status_get_text(status), fmatch_error_detail());
    exit(1);
}

static void *room_for(size_t count, size_t size)
{
    void *room = calloc(count, size);
    if (!room) {
        fprintf(stderr, "no memory for %zu elements\n", count);
        exit(1);
    }
    return room;
}

static double seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* ---- the work ---- */

struct work {
    int dim, width, batch, threads, matmul;
};

/* Everything that a piece of work needs, kept for its next turn. */
struct bench {
    struct work work;
    fmatch_context *context;
    fmatch_source *target;
    fmatch_model *model;
    fmatch_optimizer *optimizer;
    fmatch_trainer *trainer;
};

static void destroy_bench(struct bench *b)
{
    fmatch_trainer_destroy(&b->trainer);
    fmatch_optimizer_destroy(&b->optimizer);
    fmatch_model_destroy(&b->model);
    fmatch_source_destroy(&b->target);
    fmatch_context_destroy(&b->context);
}

static void create_context(struct bench *b)
{
    fmatch_context_config config;
    fmatch_context_config_init(&config);
    config.threads = b->work.threads;
    config.matmul = b->work.matmul;
    CHECK(fmatch_context_create(&b->context, &config));
}

/* The post's mixture, in every column. */
static void create_target(struct bench *b)
{
    const float weights[] = {0.55f, 0.45f}, means[] = {-0.85f, 1.5f}, stds[] = {0.65f, 0.25f};
    const int dim = b->work.dim;
    float *mean = room_for(2 * (size_t)dim, sizeof *mean);
    float *std = room_for(2 * (size_t)dim, sizeof *std);
    for (int i = 0; i < 2 * dim; i++) {
        mean[i] = means[i / dim];
        std[i] = stds[i / dim];
    }
    CHECK(
        fmatch_source_create_gaussian_mixture(&b->target, b->context, dim, 2, weights, mean, std));
    free(mean);
    free(std);
}

static void create_model(struct bench *b)
{
    fmatch_mlp_config config;
    fmatch_mlp_config_init_preset(&config, FMATCH_PRESET_PLAIN);
    config.dim = b->work.dim;
    config.hidden_width = b->work.width;
    CHECK(fmatch_model_create_mlp(&b->model, b->context, &config));
}

static void create_bench(struct bench *b, const struct work *work)
{
    *b = (struct bench){.work = *work};
    create_context(b);
    create_target(b);
    create_model(b);
    CHECK(fmatch_optimizer_create_adam(&b->optimizer, b->context, NULL));
    fmatch_trainer_config config;
    fmatch_trainer_config_init_preset(&config, FMATCH_PRESET_PLAIN);
    config.batch = work->batch;
    CHECK(fmatch_trainer_create(&b->trainer, b->model, b->optimizer, b->target, &config));
}

enum { BENCHES_KEPT = 8 };

static struct bench *find_bench(const struct work *work)
{
    static struct bench kept[BENCHES_KEPT];
    static int next;
    for (int i = 0; i < BENCHES_KEPT; i++)
        if (kept[i].trainer && memcmp(&kept[i].work, work, sizeof *work) == 0)
            return &kept[i];
    struct bench *b = &kept[next++ % BENCHES_KEPT];
    destroy_bench(b);
    create_bench(b, work);
    return b;
}

static int number_of_matmul(const char *name)
{
    static const char *const names[] = {"auto", "builtin", "blas"};
    for (int i = 0; i < 3; i++)
        if (strcmp(name, names[i]) == 0)
            return i;
    fprintf(stderr, "matmul is '%s'\n", name);
    exit(1);
}

/* A build without BLAS has none to set. */
static void set_blas_threads(int threads)
{
    const fmatch_status status = fmatch_blas_set_threads(threads);
    if (status != FMATCH_ERROR_UNSUPPORTED)
        CHECK(status);
}

/* ---- commands ---- */

/* Microseconds of one of `pieces`, which grow until they fill the time. */
static double time_pieces(double milliseconds, void (*run)(struct bench *b, long pieces),
                          struct bench *b)
{
    for (long pieces = 1;;) {
        const double began = seconds_now();
        run(b, pieces);
        const double seconds = seconds_now() - began;
        if (seconds >= 1e-3 * milliseconds)
            return 1e6 * seconds / (double)pieces;
        const double missing = 1.1 * 1e-3 * milliseconds / (seconds > 1e-6 ? seconds : 1e-6);
        pieces = (long)((double)pieces * (missing < 20.0 ? missing : 20.0)) + 1;
    }
}

static void train(struct bench *b, long steps)
{
    CHECK(fmatch_trainer_run(b->trainer, steps, NULL));
}

static void answer_train(const char *line)
{
    struct work work = {0};
    char matmul[16] = "";
    double milliseconds = 0;
    sscanf(line, "%d %d %d %d %15s %lf", &work.dim, &work.width, &work.batch, &work.threads, matmul,
           &milliseconds);
    work.matmul = number_of_matmul(matmul);
    set_blas_threads(work.threads);
    printf("%.4f\n", time_pieces(milliseconds, train, find_bench(&work)));
}

static fmatch_sampler *create_euler(const fmatch_model *model)
{
    fmatch_sampler_config config;
    fmatch_sampler_config_init(&config);
    config.solver = FMATCH_SOLVER_EULER;
    config.steps = 15;
    fmatch_sampler *sampler;
    CHECK(fmatch_sampler_create(&sampler, model, &config));
    return sampler;
}

static const struct work post = {.dim = 1, .width = 64, .batch = 256, .threads = 1};

static void answer_sample(const char *line)
{
    long points = 0;
    int threads = 0;
    double milliseconds = 0;
    sscanf(line, "%ld %d %lf", &points, &threads, &milliseconds);
    struct work work = post;
    work.threads = threads;
    fmatch_sampler *sampler = create_euler(find_bench(&work)->model);
    float *x = room_for((size_t)points, sizeof *x);
    CHECK(fmatch_sampler_draw(sampler, 1, 0, points, NULL, x)); /* warm-up */

    long draws = 0;
    const double began = seconds_now();
    double seconds = 0;
    while (draws == 0 || seconds < 1e-3 * milliseconds) {
        CHECK(fmatch_sampler_draw(sampler, 1, points * draws++, points, NULL, x));
        seconds = seconds_now() - began;
    }
    printf("%.4f\n", 1e6 * seconds / (double)draws);
    free(x);
    fmatch_sampler_destroy(&sampler);
}

static uint32_t spin(long rounds)
{
    uint32_t x = 2463534242u;
    for (long i = 0; i < rounds; i++) {
        x ^= x << 13;
        x ^= x >> 17;
        x ^= x << 5;
    }
    return x;
}

static volatile uint32_t spun;

static int compare_doubles(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void print_quantiles(double *seconds, long n)
{
    qsort(seconds, (size_t)n, sizeof *seconds, compare_doubles);
    printf("%.4f %.4f %.4f", 1e6 * seconds[n / 2], 1e6 * seconds[n * 99 / 100],
           1e6 * seconds[n * 999 / 1000]);
}

/* Rounds of a spin that lasts as long as a call. */
static long calibrate_spin(fmatch_sampler *sampler)
{
    enum { CALLS = 2000, ROUNDS = 10000000 };
    float x;
    const double began = seconds_now();
    for (int i = 0; i < CALLS; i++)
        CHECK(fmatch_sampler_draw(sampler, 1, i, 1, NULL, &x));
    const double middle = seconds_now();
    spun = spin(ROUNDS);
    return (long)(ROUNDS * ((middle - began) / CALLS) / (seconds_now() - middle));
}

static void answer_latency(const char *line)
{
    long calls = 1000;
    sscanf(line, "%ld", &calls);
    fmatch_sampler *sampler = create_euler(find_bench(&post)->model);
    double *call = room_for((size_t)calls, sizeof *call);
    double *pause = room_for((size_t)calls, sizeof *pause);
    calibrate_spin(sampler);
    const long rounds = calibrate_spin(sampler);
    for (long i = 0; i < calls; i++) {
        float x;
        const double began = seconds_now();
        CHECK(fmatch_sampler_draw(sampler, 1, i, 1, NULL, &x));
        const double middle = seconds_now();
        spun = spin(rounds);
        pause[i] = seconds_now() - middle;
        call[i] = middle - began;
    }
    print_quantiles(call, calls);
    printf(" ");
    print_quantiles(pause, calls);
    printf("\n");
    free(call);
    free(pause);
    fmatch_sampler_destroy(&sampler);
}

enum { NORMALS = 16384 };

static void draw_normals(struct bench *b, long pieces)
{
    static float x[NORMALS];
    for (long i = 0; i < pieces; i++)
        CHECK(fmatch_source_draw(b->target, 1, NORMALS * i, NORMALS, x));
}

static void answer_normal(const char *line)
{
    struct bench b = {.work = post};
    create_context(&b);
    CHECK(fmatch_source_create_normal(&b.target, b.context, 1));
    printf("%.4f\n", 1e3 * time_pieces(atof(line), draw_normals, &b) / NORMALS);
    destroy_bench(&b);
}

static void answer_facts(const char *line)
{
    (void)line;
    fmatch_build_info info = {.struct_size = sizeof info};
    fmatch_build_get_info(&info);
    printf("libflowmatch %s, instruction set %s, %s %s core %s (%s)\n", info.version,
           info.instruction_set, info.blas_name[0] ? info.blas_name : "no BLAS", info.blas_version,
           info.blas_core, info.blas_threading);
}

static const struct command {
    const char *name;
    void (*answer)(const char *arguments);
} commands[] = {
    {"train ", answer_train},   {"sample ", answer_sample}, {"latency ", answer_latency},
    {"normal ", answer_normal}, {"facts", answer_facts},
};

static int answer(const char *line)
{
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        const size_t length = strlen(commands[i].name);
        if (strncmp(line, commands[i].name, length) == 0) {
            commands[i].answer(line + length);
            return fflush(stdout);
        }
    }
    fprintf(stderr, "what is '%s'?\n", line);
    return 1;
}

int main(void)
{
    char line[256];
    while (fgets(line, sizeof line, stdin))
        if (answer(line) != 0)
            return 1;
    return 0;
}
