#include "path/time_sampler.h"

#include "base/configuration.h"
#include "base/status.h"
#include "source/row_order.h"

#include <math.h>
#include <string.h>

enum { GRID_MAX = 1 << 24 };
#define ROWS_MAX ((int64_t)1 << 44)

static const double PI = 3.14159265358979323846;

/* ---- distributions, as functions of u in (0, 1) ---- */

/* z with Phi(z) = u: Newton's method on log Phi, which is concave, from below 1/2, where the
 * logistic function gives the first guess. */
static double normal_quantile(double u)
{
    const bool upper = u > 0.5;
    const double tail = upper ? 1.0 - u : u;
    double z = log(tail / (1.0 - tail)) / 1.702;
    for (int i = 0; i < 12; i++) {
        const double cdf = 0.5 * erfc(-z * 0.70710678118654752440);
        const double density = exp(-0.5 * z * z) * 0.39894228040143267794;
        const double step = cdf / density * log(cdf / tail);
        z -= step;
        if (fabs(step) < 1e-14 * (1.0 + fabs(z)))
            break;
    }
    return upper ? -z : z;
}

static double logit_normal(const fmatch_time_config *c, double u)
{
    return 1.0 / (1.0 + exp(-(c->mean + c->deviation * normal_quantile(u))));
}

static double mode(const fmatch_time_config *c, double u)
{
    const double cosine = cos(0.5 * PI * u);
    return 1.0 - u - c->scale * (cosine * cosine - 1.0 + u);
}

static double cosmap(const fmatch_time_config *c, double u)
{
    (void)c;
    return 1.0 - 1.0 / (tan(0.5 * PI * u) + 1.0);
}

static double power_law(const fmatch_time_config *c, double u)
{
    return pow(u, 1.0 / (1.0 + c->exponent));
}

static double of_grid(const fmatch_time_config *c, double u)
{
    return c->grid[(int64_t)(u * c->grid_count)];
}

/* NULL where the loop below does it. */
static double (*const distributions[])(const fmatch_time_config *c, double u) = {
    [FMATCH_TIME_UNIFORM] = NULL,        [FMATCH_TIME_LOGIT_NORMAL] = logit_normal,
    [FMATCH_TIME_MODE] = mode,           [FMATCH_TIME_COSMAP] = cosmap,
    [FMATCH_TIME_POWER_LAW] = power_law, [FMATCH_TIME_GRID] = NULL,
    [FMATCH_TIME_CALLBACK] = NULL,
};

/* ---- the configuration ---- */

const fmatch_time_config time_recommended = {.struct_size = sizeof time_recommended,
                                             .stratified = 1};

void fmatch_time_config_init_sized(fmatch_time_config *config, size_t size)
{
    configuration_write(config, size, &time_recommended, sizeof time_recommended);
}

static const struct configuration_setting settings[] = {
    {"time->mean",
     offsetof(fmatch_time_config, mean),
     FMATCH_TIME_LOGIT_NORMAL,
     {.lowest = -100, .highest = 100},
     0.0},
    {"time->deviation",
     offsetof(fmatch_time_config, deviation),
     FMATCH_TIME_LOGIT_NORMAL,
     {.lowest = 0.01, .highest = 100},
     1.0},
    {"time->scale",
     offsetof(fmatch_time_config, scale),
     FMATCH_TIME_MODE,
     {.lowest = -1, .highest = 2.0 / (3.14159265358979323846 - 2.0)},
     0.0},
    {"time->exponent",
     offsetof(fmatch_time_config, exponent),
     FMATCH_TIME_POWER_LAW,
     {.lowest = -0.99, .highest = 100},
     0.0},
};

static fmatch_status check_grid(const fmatch_time_config *c)
{
    if (c->kind != FMATCH_TIME_GRID) {
        if (c->grid || c->grid_count)
            return status_fail(FMATCH_ERROR_ARGUMENT,
                               "time->grid%s is set; it is for FMATCH_TIME_GRID",
                               c->grid ? "" : "_count");
        return FMATCH_OK;
    }
    CHECK_RANGE("time->grid_count", c->grid_count, 1, GRID_MAX);
    if (!c->grid)
        return status_fail(FMATCH_ERROR_ARGUMENT, "time->grid is NULL");
    for (int32_t i = 0; i < c->grid_count; i++)
        if (!(c->grid[i] >= 0 && c->grid[i] <= 1))
            return status_fail(FMATCH_ERROR_ARGUMENT, "time->grid[%d] is %s; it must be in [0, 1]",
                               (int)i, NUMBER(c->grid[i]));
    return FMATCH_OK;
}

static fmatch_status check_callbacks(fmatch_time_config *c)
{
    if ((c->kind == FMATCH_TIME_CALLBACK) != (c->callbacks != NULL))
        return status_fail(FMATCH_ERROR_ARGUMENT, "time->callbacks is %s",
                           c->callbacks ? "not NULL; it is for FMATCH_TIME_CALLBACK"
                                        : "NULL; FMATCH_TIME_CALLBACK needs it");
    if (!c->callbacks)
        return FMATCH_OK;
    RETURN_IF_FAILED(configuration_check_flags("time->callbacks->flags", c->callbacks->flags));
    if (!c->callbacks->draw)
        return status_fail(FMATCH_ERROR_ARGUMENT, "time->callbacks->draw is NULL");
    c->stratified = 0; /* a user's times are as they are */
    return FMATCH_OK;
}

static fmatch_status check_config(fmatch_time_config *c)
{
    const struct interval start = {.lowest = 0, .highest = 1, .open_above = true};
    const struct interval end = {.lowest = 0, .highest = 1.0 - c->margin_start, .open_above = true};
    CHECK_RANGE("time->kind", c->kind, FMATCH_TIME_UNIFORM, FMATCH_TIME_CALLBACK);
    CHECK_RANGE("time->stratified", c->stratified, 0, 1);
    RETURN_IF_FAILED(configuration_check_double("time->margin_start", c->margin_start, start));
    RETURN_IF_FAILED(configuration_check_double("time->margin_end", c->margin_end, end));
    RETURN_IF_FAILED(configuration_check_settings(c, c->kind, settings,
                                                  (int32_t)(sizeof settings / sizeof settings[0])));
    RETURN_IF_FAILED(check_grid(c));
    return check_callbacks(c);
}

static fmatch_status read_config(struct time_sampler *s, const fmatch_time_config *config)
{
    if (!config)
        return FMATCH_OK; /* zeros: independent and uniform */
    fmatch_time_config *c = &s->config;
    RETURN_IF_FAILED(configuration_read(c, sizeof *c, sizeof *c, config, "time"));
    if (c->callbacks) {
        RETURN_IF_FAILED(configuration_read(&s->callbacks, sizeof s->callbacks, sizeof s->callbacks,
                                            c->callbacks, "time->callbacks"));
    }
    const fmatch_status status = check_config(c);
    c->callbacks = NULL; /* the caller's; ours is the copy */
    return status;
}

static fmatch_status create(struct time_sampler *s, const fmatch_allocator *allocator,
                            const fmatch_time_config *config, double from, double to)
{
    RETURN_IF_FAILED(read_config(s, config));
    s->from = s->config.margin_start > from ? s->config.margin_start : from;
    s->to = 1.0 - s->config.margin_end < to ? 1.0 - s->config.margin_end : to;
    if (s->from >= s->to)
        return status_fail(FMATCH_ERROR_ARGUMENT,
                           "time->margin_start is %s and time->margin_end %s; the path leaves "
                           "times between %s and %s",
                           NUMBER(s->config.margin_start), NUMBER(s->config.margin_end),
                           NUMBER(from), NUMBER(to));
    if (s->config.kind != FMATCH_TIME_GRID)
        return FMATCH_OK;
    const int64_t count = s->config.grid_count;
    s->grid = allocation_create(allocator, count, sizeof *s->grid);
    if (!s->grid)
        return status_no_memory((size_t)count * sizeof *s->grid);
    s->config.grid = memcpy(s->grid, s->config.grid, (size_t)count * sizeof *s->grid);
    return FMATCH_OK;
}

fmatch_status time_sampler_create(struct time_sampler *s, const fmatch_allocator *allocator,
                                  const fmatch_time_config *config, double from, double to)
{
    *s = (struct time_sampler){0};
    const fmatch_status status = create(s, allocator, config, from, to);
    if (status != FMATCH_OK)
        time_sampler_destroy(s, allocator);
    return status;
}

void time_sampler_give_up(const fmatch_time_config *config)
{
    struct time_sampler given = {0};
    struct status_kept told;
    status_keep(&told);
    (void)read_config(&given, config);
    status_keep_and_destroy(given.callbacks.destroy, given.callbacks.user);
    status_restore(&told);
}

void time_sampler_destroy(struct time_sampler *s, const fmatch_allocator *allocator)
{
    allocation_destroy(allocator, s->grid);
    status_keep_and_destroy(s->callbacks.destroy, s->callbacks.user);
    *s = (struct time_sampler){0};
}

bool time_sampler_on_calling_thread(const struct time_sampler *s)
{
    return s->config.kind == FMATCH_TIME_CALLBACK;
}

/* ---- drawing ---- */

static double within(const struct time_sampler *s, double t)
{
    return t < s->from ? s->from : t > s->to ? s->to : t;
}

static fmatch_status draw_of_user(const struct time_sampler *s, const struct random_stream *stream,
                                  int64_t first_row, int64_t n, float *t)
{
    for (int64_t i = 0; i < n; i++) /* what is not written shall be noticed */
        t[i] = NAN;
    struct fmatch_random random = random_lend(stream, first_row, n);
    struct status_kept kept;
    status_keep(&kept);
    const int32_t code = s->callbacks.draw(s->callbacks.user, &random, first_row, n, t);
    status_restore(&kept);
    RETURN_IF_FAILED(status_of_callback("draw", code));
    for (int64_t i = 0; i < n; i++) {
        if (!(t[i] >= 0 && t[i] <= 1))
            return status_fail(isfinite(t[i]) ? FMATCH_ERROR_ARGUMENT : FMATCH_ERROR_NOT_FINITE,
                               "row %lld: the time is %s; it must be in [0, 1]",
                               (long long)(first_row + i), NUMBER(t[i]));
        t[i] = (float)within(s, t[i]);
    }
    return FMATCH_OK;
}

/* The u of one of `batch` equal parts of [0, 1); rounding must not carry it into the next. */
static float in_part(int64_t part, int64_t batch, float u)
{
    const double end = (double)(part + 1) / (double)batch;
    const float moved = (float)(((double)part + u) / (double)batch);
    return moved < end ? moved : nextafterf((float)end, 0.0f);
}

/* Which part each row of a batch has: in an order of the batch's own, and turned by a uniform
 * number, because the order of a few parts is not uniform over all orders. */
struct parts {
    struct random_stream order;
    int64_t turn;
};

static struct parts parts_of_batch(const struct random_stream *stream, struct time_batch batch)
{
    uint32_t words[4];
    struct parts parts = {.order = *stream};
    stream->kernels->words(stream->seed, 2, stream->stream, 4 * (uint64_t)batch.first_row, 4,
                           words);
    parts.order.seed = (uint64_t)words[0] << 32 | words[1];
    parts.turn = (int64_t)(((uint64_t)words[2] << 32 | words[3]) % (uint64_t)batch.rows);
    return parts;
}

/* Each part of [0, 1) once in a batch. Rows that are neighbours, and may be alike, are not
 * neighbours in time. */
static void draw_stratified(const struct random_stream *stream, struct time_batch batch,
                            int64_t first, int64_t n, float *u)
{
    const struct parts parts = parts_of_batch(stream, batch);
    random_stream_uniform(stream, 1, (uint64_t)(batch.first_row + first), n, u);
    for (int64_t done = 0; done < n; done += ROW_ORDER_BLOCK) {
        int64_t part[ROW_ORDER_BLOCK];
        const int64_t some = n - done < ROW_ORDER_BLOCK ? n - done : ROW_ORDER_BLOCK;
        row_order_find(FMATCH_ORDER_SHUFFLED, batch.rows, &parts.order, first + done, some, part);
        for (int64_t i = 0; i < some; i++) {
            const int64_t turned = part[i] + parts.turn; /* either is below the rows */
            u[done + i] = in_part(turned < batch.rows ? turned : turned - batch.rows, batch.rows,
                                  u[done + i]);
        }
    }
}

fmatch_status time_sampler_draw(const struct time_sampler *s, const struct random_stream *stream,
                                struct time_batch batch, int64_t first, int64_t n, float *t)
{
    if (s->config.kind == FMATCH_TIME_CALLBACK)
        return draw_of_user(s, stream, batch.first_row + first, n, t);
    if (s->config.stratified)
        draw_stratified(stream, batch, first, n, t);
    else
        random_stream_uniform(stream, 0, (uint64_t)(batch.first_row + first), n, t);
    double (*const distribution)(const fmatch_time_config *c, double u) =
        distributions[s->config.kind];
    if (s->config.kind == FMATCH_TIME_GRID) {
        for (int64_t i = 0; i < n; i++)
            t[i] = (float)within(s, of_grid(&s->config, t[i]));
        return FMATCH_OK;
    }
    /* u is a multiple of 2^-24; its middle is neither 0 nor 1. */
    for (int64_t i = 0; distribution && i < n; i++)
        t[i] = (float)distribution(&s->config, t[i] + 0x1p-25);
    const double length = s->to - s->from;
    for (int64_t i = 0; (s->from > 0.0 || s->to < 1.0) && i < n; i++)
        t[i] = (float)(s->from + length * t[i]);
    return FMATCH_OK;
}

fmatch_status fmatch_time_draw(fmatch_context *context, const fmatch_time_config *config,
                               uint64_t seed, int64_t first_row, int64_t batch, int64_t n, float *t)
{
    status_begin();
    CHECK_NOT_NULL(context);
    CHECK_RANGE("n", n, 0, ROWS_MAX);
    CHECK_RANGE("first_row", first_row, 0, ROWS_MAX - n);
    CHECK_RANGE("batch", batch, 1, ROWS_MAX);
    struct time_sampler s = {0};
    RETURN_IF_FAILED(read_config(&s, config)); /* what it points to is only read here */
    s.from = s.config.margin_start;
    s.to = 1.0 - s.config.margin_end;
    if (n == 0)
        return FMATCH_OK;
    CHECK_NOT_NULL(t);
    const struct random_stream stream = {
        .kernels = context->kernels, .seed = seed, .stream = STREAM_TRAIN_TIME};
    for (int64_t done = 0; done < n;) {
        const int64_t row = first_row + done, place = row % batch;
        const int64_t rows = batch - place < n - done ? batch - place : n - done;
        const struct time_batch part = {.first_row = row - place, .rows = batch};
        RETURN_IF_FAILED(time_sampler_draw(&s, &stream, part, place, rows, t + done));
        done += rows;
    }
    return FMATCH_OK;
}
