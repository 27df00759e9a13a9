#include "path/path.h"

#include "base/configuration.h"
#include "base/finite.h"
#include "base/reference_count.h"
#include "base/status.h"

#include <math.h>
#include <string.h>

struct path {
    struct reference_count references;
    fmatch_context *context;
    fmatch_path_config config;
    fmatch_schedule_callbacks schedule; /* of FMATCH_PATH_CALLBACK */
};

enum { DIM_MAX_OF_ROWS = 65536, TIMES_AT_ONCE = PATH_TIMES_AT_ONCE };
#define ROWS_MAX ((int64_t)1 << 44)

/* Distances from the ends: where a derivative is infinite; where a bridge's velocity has too large
 * a variance; and the least divisor of a conversion, Lucidrains' rectified-flow-pytorch. */
static const double SINGULAR = 1e-5, BRIDGE = 1e-3, DIVISOR = 5e-3;

/* ---- the configuration ---- */

void fmatch_path_config_init_sized(fmatch_path_config *config, size_t size)
{
    const fmatch_path_config recommended = {.kind = FMATCH_PATH_LINEAR};
    configuration_write(config, size, &recommended, sizeof recommended);
}

static const struct configuration_setting settings[] = {
    {"config->exponent",
     offsetof(fmatch_path_config, exponent),
     FMATCH_PATH_POLYNOMIAL,
     {.lowest = 0.01, .highest = 100},
     2.0},
    {"config->beta_min",
     offsetof(fmatch_path_config, beta_min),
     FMATCH_PATH_VARIANCE_PRESERVING,
     {.lowest = 0, .highest = 999},
     0.1},
    {"config->beta_max",
     offsetof(fmatch_path_config, beta_max),
     FMATCH_PATH_VARIANCE_PRESERVING,
     {.lowest = 1, .highest = 1e3},
     20.0},
    {"config->sigma_min",
     offsetof(fmatch_path_config, sigma_min),
     FMATCH_PATH_LIPMAN,
     {.lowest = 0, .highest = 1},
     0.0},
    {"config->diffusion",
     offsetof(fmatch_path_config, diffusion),
     FMATCH_PATH_BROWNIAN_BRIDGE,
     {.lowest = 1e-6, .highest = 1e3},
     0.0},
};

static fmatch_status check_schedule(const fmatch_path_config *c)
{
    if (c->kind != FMATCH_PATH_CALLBACK) {
        if (c->schedule)
            return status_fail(FMATCH_ERROR_ARGUMENT,
                               "config->schedule is not NULL; it is for FMATCH_PATH_CALLBACK");
        return FMATCH_OK;
    }
    if (!c->schedule)
        return status_fail(FMATCH_ERROR_ARGUMENT,
                           "config->schedule is NULL; FMATCH_PATH_CALLBACK needs it");
    RETURN_IF_FAILED(configuration_check_flags("config->schedule->flags", c->schedule->flags));
    if (!c->schedule->evaluate)
        return status_fail(FMATCH_ERROR_ARGUMENT, "config->schedule->evaluate is NULL");
    return FMATCH_OK;
}

static fmatch_status check_config(fmatch_path_config *c)
{
    CHECK_RANGE("config->kind", c->kind, FMATCH_PATH_LINEAR, FMATCH_PATH_CALLBACK);
    const struct interval noise = {.lowest = 0, .highest = 1e3};
    RETURN_IF_FAILED(configuration_check_double("config->noise", c->noise, noise));
    if (c->noise > 0 && c->kind == FMATCH_PATH_BROWNIAN_BRIDGE)
        return status_fail(FMATCH_ERROR_ARGUMENT,
                           "config->noise is %s; a bridge's noise is its diffusion",
                           NUMBER(c->noise));
    RETURN_IF_FAILED(configuration_check_settings(c, c->kind, settings,
                                                  (int32_t)(sizeof settings / sizeof settings[0])));
    if (c->beta_max < c->beta_min)
        return status_fail(FMATCH_ERROR_ARGUMENT,
                           "config->beta_max is %s; it must be at least config->beta_min, %s",
                           NUMBER(c->beta_max), NUMBER(c->beta_min));
    return check_schedule(c);
}

/* `path` gets the configuration, and the callbacks even where the rest is refused. */
static fmatch_status read_config(struct path *path, const fmatch_path_config *config)
{
    fmatch_path_config_init(&path->config);
    if (!config)
        return FMATCH_OK;
    RETURN_IF_FAILED(configuration_read(&path->config, sizeof path->config, sizeof path->config,
                                        config, "config"));
    if (path->config.schedule) {
        RETURN_IF_FAILED(configuration_read(&path->schedule, sizeof path->schedule,
                                            sizeof path->schedule, path->config.schedule,
                                            "config->schedule"));
        path->config.schedule = &path->schedule;
    }
    return check_config(&path->config);
}

fmatch_status path_create(struct path **path, fmatch_context *context,
                          const fmatch_path_config *config)
{
    struct path given = {0};
    fmatch_status status = read_config(&given, config);
    struct path *p = NULL;
    if (status == FMATCH_OK) {
        p = allocation_create(&context->allocator, 1, sizeof *p);
        status = p ? FMATCH_OK : status_no_memory(sizeof *p);
    }
    if (status != FMATCH_OK) {
        status_keep_and_destroy(given.schedule.destroy, given.schedule.user);
        return status;
    }
    *p = given;
    if (p->config.schedule)
        p->config.schedule = &p->schedule;
    reference_count_init(&p->references);
    p->context = context_retain(context);
    *path = p;
    return FMATCH_OK;
}

void path_give_up(const fmatch_path_config *config)
{
    struct path given = {0};
    struct status_kept told;
    status_keep(&told);
    (void)read_config(&given, config);
    status_keep_and_destroy(given.schedule.destroy, given.schedule.user);
    status_restore(&told);
}

struct path *path_retain(struct path *path)
{
    reference_count_retain(&path->references);
    return path;
}

void path_release(struct path *path)
{
    if (!path || !reference_count_release(&path->references))
        return;
    fmatch_context *context = path->context;
    status_keep_and_destroy(path->schedule.destroy, path->schedule.user);
    allocation_destroy(&context->allocator, path);
    context_release(context);
}

const fmatch_path_config *path_config(const struct path *path)
{
    return &path->config;
}

bool path_is_noisy(const struct path *path)
{
    return path->config.noise > 0 || path->config.kind == FMATCH_PATH_BROWNIAN_BRIDGE;
}

bool path_is_open(const struct path *path)
{
    return path->config.kind == FMATCH_PATH_BROWNIAN_BRIDGE;
}

bool path_needs_normal_noise(const struct path *path)
{
    return path->config.kind == FMATCH_PATH_LIPMAN;
}

fmatch_status path_check_prediction(const struct path *path, int32_t prediction)
{
    CHECK_RANGE("prediction", prediction, FMATCH_PREDICTION_VELOCITY, FMATCH_PREDICTION_NOISE);
    if (prediction != FMATCH_PREDICTION_VELOCITY && path_is_noisy(path))
        return status_fail(FMATCH_ERROR_UNSUPPORTED,
                           "the path has noise of its own; only the velocity can be predicted");
    return FMATCH_OK;
}

/* Times between which the rates are finite. */
static struct path_times regular_times(const struct path *path)
{
    const struct schedule_kind *kind = schedule_kind_get(path->config.kind);
    const bool start = kind && kind->singular_start && kind->singular_start(&path->config);
    return (struct path_times){.from = start ? SINGULAR : 0.0,
                               .to = kind && kind->singular_end ? 1.0 - SINGULAR : 1.0};
}

struct path_times path_times_of(const struct path *path, int32_t prediction)
{
    struct path_times times = regular_times(path);
    if (path->config.kind == FMATCH_PATH_BROWNIAN_BRIDGE)
        return (struct path_times){BRIDGE, 1.0 - BRIDGE};
    if (prediction == FMATCH_PREDICTION_DATA)
        times.to = 1.0 - DIVISOR;
    if (prediction == FMATCH_PREDICTION_NOISE)
        times.from = DIVISOR;
    return times;
}

/* ---- schedules at some times ---- */

static fmatch_status schedules_of_user(const struct path *path, int32_t n, const double *t,
                                       struct schedule *s)
{
    double values[4][TIMES_AT_ONCE];
    for (int32_t i = 0; i < n; i++) /* what is not written shall be noticed */
        values[0][i] = values[1][i] = values[2][i] = values[3][i] = NAN;
    const fmatch_schedule_callbacks *c = &path->schedule;
    struct status_kept kept;
    status_keep(&kept);
    const int32_t code = c->evaluate(c->user, n, t, values[0], values[1], values[2], values[3]);
    status_restore(&kept);
    RETURN_IF_FAILED(status_of_callback("evaluate", code));
    static const char *const names[] = {"alpha", "sigma", "alpha_rate", "sigma_rate"};
    for (int32_t i = 0; i < n; i++) {
        for (int k = 0; k < 4; k++)
            if (!isfinite(values[k][i]))
                return status_fail(FMATCH_ERROR_NOT_FINITE, "the schedule's %s is %s at t = %s",
                                   names[k], NUMBER(values[k][i]), NUMBER(t[i]));
        s[i] = (struct schedule){values[0][i], values[1][i], values[2][i], values[3][i]};
    }
    return FMATCH_OK;
}

static double clamp(double t, struct path_times times)
{
    return t > times.to ? times.to : t >= times.from ? t : times.from;
}

/* At most TIMES_AT_ONCE. */
static fmatch_status schedules_at(const struct path *path, int32_t n, const double *t,
                                  struct schedule *s)
{
    const struct schedule_kind *kind = schedule_kind_get(path->config.kind);
    if (!kind)
        return schedules_of_user(path, n, t, s);
    const struct path_times regular = regular_times(path);
    for (int32_t i = 0; i < n; i++) {
        s[i] = kind->at(&path->config, t[i]);
        if (t[i] >= regular.from && t[i] <= regular.to)
            continue;
        const struct schedule inside = kind->at(&path->config, clamp(t[i], regular));
        s[i].alpha_rate = inside.alpha_rate;
        s[i].sigma_rate = inside.sigma_rate;
    }
    return FMATCH_OK;
}

fmatch_status path_schedule_at(const struct path *path, double t, struct schedule *s)
{
    return schedules_at(path, 1, &t, s);
}

static void put_schedule(const struct schedule *at, const struct schedule *near,
                         struct path_schedules *s, int32_t i)
{
    s->alpha[i] = (float)at->alpha;
    s->sigma[i] = (float)at->sigma;
    s->alpha_rate[i] = (float)near->alpha_rate;
    s->sigma_rate[i] = (float)near->sigma_rate;
    s->alpha_product[i] = (float)(near->alpha * near->alpha_rate);
    s->sigma_product[i] = (float)(near->sigma * near->sigma_rate);
}

/* A bridge's variance D^2 t (1 - t), and half its derivative. */
static void put_noise(const struct path *path, double t, struct path_schedules *s, int32_t i)
{
    const bool bridge = path->config.kind == FMATCH_PATH_BROWNIAN_BRIDGE;
    const double size = bridge ? path->config.diffusion : path->config.noise;
    s->variance[i] = (float)(size * size * (bridge ? t * (1.0 - t) : 1.0));
    s->covariance[i] = (float)(bridge ? size * size * (0.5 - t) : 0.0);
}

fmatch_status path_schedules_at(const struct path *path, int32_t n, const float *t,
                                struct path_schedules *s)
{
    const struct schedule_kind *kind = schedule_kind_get(path->config.kind);
    const struct path_times regular = regular_times(path);
    /* A bridge's velocity is as it is near the ends. */
    const double end = path_is_open(path) ? SINGULAR : 0.0;
    const struct path_times inside = {.from = end, .to = 1.0 - end};
    double times[TIMES_AT_ONCE];
    struct schedule at[TIMES_AT_ONCE];
    for (int32_t i = 0; i < n; i++)
        times[i] = clamp(t[i], inside);
    RETURN_IF_FAILED(schedules_at(path, n, times, at));
    for (int32_t i = 0; i < n; i++) {
        const bool is_regular = times[i] >= regular.from && times[i] <= regular.to;
        const struct schedule near =
            is_regular ? at[i] : kind->at(&path->config, clamp(times[i], regular));
        put_schedule(&at[i], &near, s, i);
        put_noise(path, times[i], s, i);
    }
    return FMATCH_OK;
}

/* ---- rows ---- */

/* Rows together, so many that a user's schedule is not called too often. */
struct some_rows {
    int32_t n;
    double t[TIMES_AT_ONCE];
    struct schedule s[TIMES_AT_ONCE];
};

static fmatch_status some_rows(const struct path *path, int64_t rest, const float *t,
                               struct some_rows *some)
{
    some->n = rest < TIMES_AT_ONCE ? (int32_t)rest : TIMES_AT_ONCE;
    for (int32_t i = 0; i < some->n; i++)
        some->t[i] = t[i];
    return schedules_at(path, some->n, some->t, some->s);
}

static void interpolate_row(const struct schedule *s, int32_t dim, const float *x0, const float *x1,
                            float *x_t, float *velocity)
{
    const float alpha = (float)s->alpha, sigma = (float)s->sigma;
    const float alpha_rate = (float)s->alpha_rate, sigma_rate = (float)s->sigma_rate;
    for (int32_t j = 0; j < dim; j++) {
        x_t[j] = alpha * x1[j] + sigma * x0[j];
        velocity[j] = alpha_rate * x1[j] + sigma_rate * x0[j];
    }
}

/* What the path's own noise adds. */
static void add_noise(const struct path *path, double t, int32_t dim, const float *z, float *x_t,
                      float *velocity)
{
    if (path->config.kind != FMATCH_PATH_BROWNIAN_BRIDGE) {
        const float noise = (float)path->config.noise;
        for (int32_t j = 0; j < dim; j++)
            x_t[j] += noise * z[j];
        return;
    }
    const double root = sqrt(t * (1.0 - t)), diffusion = path->config.diffusion;
    const float noise = (float)(diffusion * root);
    const float rate = (float)(diffusion * (1.0 - 2.0 * t) / (2.0 * root));
    for (int32_t j = 0; j < dim; j++) {
        x_t[j] += noise * z[j];
        velocity[j] += rate * z[j];
    }
}

fmatch_status path_interpolate(const struct path *path, int32_t prediction,
                               const struct path_rows *rows, float *x_t, float *target)
{
    const int32_t dim = rows->dim;
    for (int64_t first = 0; first < rows->n; first += TIMES_AT_ONCE) {
        struct some_rows some;
        RETURN_IF_FAILED(some_rows(path, rows->n - first, rows->t + first, &some));
        for (int32_t i = 0; i < some.n; i++) {
            const int64_t offset = (first + i) * dim;
            interpolate_row(&some.s[i], dim, rows->x0 + offset, rows->x1 + offset, x_t + offset,
                            target + offset);
            if (path_is_noisy(path))
                add_noise(path, some.t[i], dim, rows->z + offset, x_t + offset, target + offset);
        }
    }
    const size_t size = (size_t)(rows->n * dim) * sizeof *target;
    if (prediction != FMATCH_PREDICTION_VELOCITY)
        memcpy(target, prediction == FMATCH_PREDICTION_DATA ? rows->x1 : rows->x0, size);
    return FMATCH_OK;
}

static double at_least_divisor(double value)
{
    return value > DIVISOR ? value : DIVISOR;
}

/* Noise and data that a prediction at x means. */
struct ends {
    double x0, x1;
};

static struct ends ends_of(const struct schedule *s, int32_t prediction, double x, double given)
{
    if (prediction == FMATCH_PREDICTION_DATA)
        return (struct ends){.x1 = given,
                             .x0 = (x - s->alpha * given) / at_least_divisor(s->sigma)};
    if (prediction == FMATCH_PREDICTION_NOISE)
        return (struct ends){.x0 = given,
                             .x1 = (x - s->sigma * given) / at_least_divisor(s->alpha)};
    /* It vanishes only where the velocity does, which then tells nothing of the data. */
    const double determinant = schedule_determinant(s);
    if (!schedule_is_regular(determinant))
        return (struct ends){.x0 = x / at_least_divisor(s->sigma), .x1 = 0.0};
    return (struct ends){.x1 = (s->sigma * given - s->sigma_rate * x) / determinant,
                         .x0 = (s->alpha_rate * x - s->alpha * given) / determinant};
}

static double prediction_of(const struct schedule *s, int32_t prediction, struct ends e)
{
    switch (prediction) {
    case FMATCH_PREDICTION_DATA:
        return e.x1;
    case FMATCH_PREDICTION_NOISE:
        return e.x0;
    default:
        return s->alpha_rate * e.x1 + s->sigma_rate * e.x0;
    }
}

static fmatch_status convert(const struct path *path, int32_t from, int32_t to, int64_t n,
                             int32_t dim, const float *t, const float *x_t, const float *given,
                             float *wanted)
{
    if (from == to) {
        if (wanted != given)
            memcpy(wanted, given, (size_t)(n * dim) * sizeof *given);
        return FMATCH_OK;
    }
    for (int64_t first = 0; first < n; first += TIMES_AT_ONCE) {
        struct some_rows some;
        RETURN_IF_FAILED(some_rows(path, n - first, t + first, &some));
        for (int32_t i = 0; i < some.n; i++)
            for (int64_t j = (first + i) * dim; j < (first + i + 1) * dim; j++)
                wanted[j] = (float)prediction_of(&some.s[i], to,
                                                 ends_of(&some.s[i], from, x_t[j], given[j]));
    }
    return FMATCH_OK;
}

fmatch_status path_velocity(const struct path *path, int32_t prediction, int64_t n, int32_t dim,
                            const float *t, const float *x_t, const float *predicted, float *v)
{
    return convert(path, prediction, FMATCH_PREDICTION_VELOCITY, n, dim, t, x_t, predicted, v);
}

fmatch_status path_velocity_weights(const struct path *path, int32_t prediction, int64_t n,
                                    const float *t, double *weight)
{
    const double least = 0.05; /* so that no row outweighs hundreds of others */
    for (int64_t first = 0; first < n; first += TIMES_AT_ONCE) {
        struct some_rows some;
        RETURN_IF_FAILED(some_rows(path, n - first, t + first, &some));
        for (int32_t i = 0; i < some.n; i++) {
            const struct schedule *s = &some.s[i];
            const double determinant = schedule_determinant(s);
            const double divisor = prediction == FMATCH_PREDICTION_DATA ? s->sigma : s->alpha;
            const double rate = determinant / (divisor > least ? divisor : least);
            weight[first + i] = prediction == FMATCH_PREDICTION_VELOCITY ? 1.0 : rate * rate;
        }
    }
    return FMATCH_OK;
}

/* ---- the public functions ---- */

static fmatch_status check_times(int64_t n, const float *t, bool inside)
{
    for (int64_t i = 0; i < n; i++)
        if (inside ? !(t[i] > 0 && t[i] < 1) : !(t[i] >= 0 && t[i] <= 1))
            return status_fail(FMATCH_ERROR_ARGUMENT, "t[%lld] is %s; it must be in %s",
                               (long long)i, NUMBER(t[i]), inside ? "(0, 1)" : "[0, 1]");
    return FMATCH_OK;
}

static fmatch_status check_rows(const struct path *path, const fmatch_path_rows *given,
                                fmatch_path_rows *rows)
{
    RETURN_IF_FAILED(configuration_read(rows, sizeof *rows, sizeof *rows, given, "rows"));
    CHECK_RANGE("rows->dim", rows->dim, 1, DIM_MAX_OF_ROWS);
    CHECK_RANGE("rows->n", rows->n, 0, ROWS_MAX / rows->dim);
    if (rows->n == 0)
        return FMATCH_OK;
    if (!rows->t || !rows->x0 || !rows->x1)
        return status_fail(FMATCH_ERROR_ARGUMENT, "rows->%s is NULL",
                           !rows->t    ? "t"
                           : !rows->x0 ? "x0"
                                       : "x1");
    if (path_is_noisy(path) != (rows->z != NULL))
        return status_fail(FMATCH_ERROR_ARGUMENT, "rows->z is %s; the path has %s noise",
                           rows->z ? "not NULL" : "NULL", rows->z ? "no" : "some");
    RETURN_IF_FAILED(check_times(rows->n, rows->t, path_is_open(path)));
    RETURN_IF_FAILED(status_check_finite("rows->x0", 0, rows->n, rows->dim, rows->x0));
    RETURN_IF_FAILED(status_check_finite("rows->x1", 0, rows->n, rows->dim, rows->x1));
    return rows->z ? status_check_finite("rows->z", 0, rows->n, rows->dim, rows->z) : FMATCH_OK;
}

fmatch_status fmatch_path_evaluate(const fmatch_path_config *config, const fmatch_path_rows *rows,
                                   float *x_t, float *velocity)
{
    status_begin();
    struct path path = {0};
    fmatch_path_rows given;
    RETURN_IF_FAILED(read_config(&path, config));
    RETURN_IF_FAILED(check_rows(&path, rows, &given));
    if (given.n == 0)
        return FMATCH_OK;
    CHECK_NOT_NULL(x_t);
    CHECK_NOT_NULL(velocity);
    const struct path_rows asked = {
        .n = given.n, .dim = given.dim, .t = given.t, .x0 = given.x0, .x1 = given.x1, .z = given.z};
    return path_interpolate(&path, FMATCH_PREDICTION_VELOCITY, &asked, x_t, velocity);
}

static fmatch_status check_doubles(const char *name, int64_t n, const double *values,
                                   double highest)
{
    for (int64_t i = 0; i < n; i++)
        if (!(values[i] >= 0 && values[i] <= highest))
            return status_fail(FMATCH_ERROR_ARGUMENT, "%s[%lld] is %s; it must be %s", name,
                               (long long)i, NUMBER(values[i]),
                               highest == 1.0 ? "in [0, 1]" : "at least 0");
    return FMATCH_OK;
}

fmatch_status fmatch_path_evaluate_schedule(const fmatch_path_config *config, int64_t n,
                                            const double *t, double *alpha, double *sigma,
                                            double *alpha_rate, double *sigma_rate)
{
    status_begin();
    struct path path = {0};
    RETURN_IF_FAILED(read_config(&path, config));
    CHECK_RANGE("n", n, 0, ROWS_MAX);
    if (n == 0)
        return FMATCH_OK;
    CHECK_NOT_NULL(t);
    CHECK_NOT_NULL(alpha);
    CHECK_NOT_NULL(sigma);
    CHECK_NOT_NULL(alpha_rate);
    CHECK_NOT_NULL(sigma_rate);
    RETURN_IF_FAILED(check_doubles("t", n, t, 1.0));
    for (int64_t first = 0; first < n; first += TIMES_AT_ONCE) {
        struct schedule s[TIMES_AT_ONCE];
        const int32_t some = n - first < TIMES_AT_ONCE ? (int32_t)(n - first) : TIMES_AT_ONCE;
        RETURN_IF_FAILED(schedules_at(&path, some, t + first, s));
        for (int32_t i = 0; i < some; i++) {
            alpha[first + i] = s[i].alpha;
            sigma[first + i] = s[i].sigma;
            alpha_rate[first + i] = s[i].alpha_rate;
            sigma_rate[first + i] = s[i].sigma_rate;
        }
    }
    return FMATCH_OK;
}

/* The ratio rises with t: halved to the last bit of t. */
static fmatch_status bisect_ratio(const struct path *path, double ratio, double *t)
{
    double low = 0.0, high = 1.0;
    for (int i = 0; i < 60; i++) {
        const double middle = 0.5 * (low + high);
        struct schedule s;
        RETURN_IF_FAILED(schedules_at(path, 1, &middle, &s));
        if (s.alpha < ratio * s.sigma)
            low = middle;
        else
            high = middle;
    }
    *t = 0.5 * (low + high);
    return FMATCH_OK;
}

fmatch_status path_time_of_ratio(const struct path *path, double ratio, double *t)
{
    const struct schedule_kind *kind = schedule_kind_get(path->config.kind);
    if (ratio == 0.0 || isinf(ratio))
        *t = ratio == 0.0 ? 0.0 : 1.0;
    else if (kind)
        *t = kind->inverse_ratio(&path->config, ratio);
    else
        return bisect_ratio(path, ratio, t);
    return FMATCH_OK;
}

fmatch_status fmatch_path_evaluate_inverse_ratio(const fmatch_path_config *config, int64_t n,
                                                 const double *ratio, double *t)
{
    status_begin();
    struct path path = {0};
    RETURN_IF_FAILED(read_config(&path, config));
    CHECK_RANGE("n", n, 0, ROWS_MAX);
    if (n == 0)
        return FMATCH_OK;
    CHECK_NOT_NULL(ratio);
    CHECK_NOT_NULL(t);
    RETURN_IF_FAILED(check_doubles("ratio", n, ratio, HUGE_VAL));
    for (int64_t i = 0; i < n; i++)
        RETURN_IF_FAILED(path_time_of_ratio(&path, ratio[i], t + i));
    return FMATCH_OK;
}

fmatch_status fmatch_path_evaluate_prediction(const fmatch_path_config *config, int32_t from,
                                              int32_t to, int32_t dim, int64_t n, const float *t,
                                              const float *x_t, const float *given, float *wanted)
{
    status_begin();
    struct path path = {0};
    RETURN_IF_FAILED(read_config(&path, config));
    CHECK_RANGE("from", from, FMATCH_PREDICTION_VELOCITY, FMATCH_PREDICTION_NOISE);
    CHECK_RANGE("to", to, FMATCH_PREDICTION_VELOCITY, FMATCH_PREDICTION_NOISE);
    RETURN_IF_FAILED(path_check_prediction(&path, from));
    RETURN_IF_FAILED(path_check_prediction(&path, to));
    CHECK_RANGE("dim", dim, 1, DIM_MAX_OF_ROWS);
    CHECK_RANGE("n", n, 0, ROWS_MAX / dim);
    if (n == 0)
        return FMATCH_OK;
    CHECK_NOT_NULL(t);
    CHECK_NOT_NULL(x_t);
    CHECK_NOT_NULL(given);
    CHECK_NOT_NULL(wanted);
    RETURN_IF_FAILED(check_times(n, t, false));
    RETURN_IF_FAILED(status_check_finite("x_t", 0, n, dim, x_t));
    RETURN_IF_FAILED(status_check_finite("given", 0, n, dim, given));
    return convert(&path, from, to, n, dim, t, x_t, given, wanted);
}
