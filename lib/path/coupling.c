#include "path/coupling.h"

#include "base/configuration.h"
#include "base/log.h"
#include "base/status.h"
#include "path/assignment.h"
#include "path/conditional_cost.h"
#include "path/coupling_settings.h"
#include "path/plan.h"
#include "path/semidiscrete.h"
#include "path/sinkhorn.h"
#include "path/transport_settings.h"

#include <math.h>
#include <string.h>

struct coupling {
    fmatch_context *context;
    struct coupling_settings settings;
    struct coupling_shape shape;
    int64_t rows;            /* coupled at once */
    bool by_class, weighted; /* labels among themselves; distances of conditions count */
    struct assignment assignment;
    struct sinkhorn sinkhorn;
    double *cost;           /* [rows, rows] */
    double *condition_cost; /* [rows, rows]; NULL where conditions have no weight */
    double *plan;           /* [rows, rows]; NULL where none is drawn from */
    double *potentials;     /* [2, rows] */
    struct coupling_target stored;
    double *potential; /* [m] of the stored rows */
    /* Rows of one class, side by side, and where they came from. */
    float *noise, *target, *condition;
    int32_t *origin, *permutation, *noise_row, *target_row;
    float *uniform;
};

/* ---- creation ---- */

static fmatch_status hold_memory(struct coupling *c)
{
    const fmatch_allocator *allocator = &c->context->allocator;
    const int64_t n = c->rows, dim = c->shape.dim, columns = c->shape.condition_dim;
    if (c->settings.config.kind == FMATCH_COUPLING_CALLBACK)
        return FMATCH_OK;
    if (c->settings.config.kind == FMATCH_COUPLING_SEMIDISCRETE) {
        c->potentials = allocation_create(allocator, n, sizeof *c->potentials);
        return c->potentials ? FMATCH_OK : status_no_memory((size_t)n * sizeof *c->potentials);
    }
    RETURN_IF_FAILED(assignment_create(&c->assignment, allocator, n));
    c->cost = allocation_create(allocator, n * n, sizeof *c->cost);
    if (c->weighted) {
        c->condition_cost = allocation_create(allocator, n * n, sizeof *c->condition_cost);
        if (!c->condition_cost)
            return status_no_memory((size_t)(n * n) * sizeof *c->condition_cost);
    }
    c->noise = allocation_create(allocator, n * (2 * dim + columns + 1), sizeof *c->noise);
    c->origin = allocation_create(allocator, 4 * n, sizeof *c->origin);
    if (!c->cost || !c->noise || !c->origin)
        return status_no_memory((size_t)(n * n) * sizeof *c->cost);
    if (coupling_kind_is_entropic(c->settings.config.kind)) {
        RETURN_IF_FAILED(sinkhorn_create(&c->sinkhorn, allocator, n, n));
        c->plan = allocation_create(allocator, n * n, sizeof *c->plan);
        c->potentials = allocation_create(allocator, 2 * n, sizeof *c->potentials);
        if (!c->plan || !c->potentials)
            return status_no_memory((size_t)(n * n) * sizeof *c->plan);
    }
    c->target = c->noise + n * dim;
    c->condition = c->target + n * dim;
    c->uniform = c->condition + n * columns;
    c->permutation = c->origin + n;
    c->noise_row = c->permutation + n;
    c->target_row = c->noise_row + n;
    return FMATCH_OK;
}

/* Distance alone makes the noise of a conditional model depend on its condition. */
static void warn_of_conditions(const struct coupling *c)
{
    const bool ignored = c->shape.condition_dim > 0 &&
                         c->settings.config.condition == FMATCH_CONDITION_COUPLING_NONE &&
                         c->settings.config.kind != FMATCH_COUPLING_CALLBACK;
    if (ignored)
        log_write(&c->context->log, FMATCH_LOG_WARNING,
                  "coupling->condition is NONE: under a condition, the model will be trained on "
                  "noise that is not its noise distribution");
}

/* Takes over the callbacks. */
static fmatch_status create(struct coupling **coupling, fmatch_context *context,
                            const struct coupling_settings *settings,
                            const struct coupling_shape *shape)
{
    struct coupling *c = allocation_create(&context->allocator, 1, sizeof *c);
    if (!c)
        return status_no_memory(sizeof *c);
    c->context = context_retain(context);
    c->settings = *settings;
    c->settings.callbacks = (fmatch_coupling_callbacks){0};
    c->shape = *shape;
    c->rows = settings->config.batch > 0 ? settings->config.batch : shape->batch;
    const int32_t mode = settings->config.condition;
    const bool automatic = mode == FMATCH_CONDITION_COUPLING_AUTO;
    c->by_class = shape->classes > 0 && mode != FMATCH_CONDITION_COUPLING_NONE;
    c->weighted = shape->condition_dim > (shape->classes > 0) &&
                  (automatic || mode == FMATCH_CONDITION_COUPLING_WEIGHT ||
                   mode == FMATCH_CONDITION_COUPLING_ADAPTIVE);
    const fmatch_status status = hold_memory(c);
    if (status != FMATCH_OK) {
        coupling_destroy(c);
        return status;
    }
    c->settings.callbacks = settings->callbacks;
    warn_of_conditions(c);
    *coupling = c;
    return FMATCH_OK;
}

void coupling_give_up(const fmatch_coupling_config *config)
{
    const struct coupling_shape shape = {.dim = 1, .batch = 1};
    struct coupling_settings given = {0};
    struct status_kept told;
    status_keep(&told);
    if (config)
        (void)coupling_settings_read(&given, config, &shape);
    status_keep_and_destroy(given.callbacks.destroy, given.callbacks.user);
    status_restore(&told);
}

fmatch_status coupling_create(struct coupling **coupling, fmatch_context *context,
                              const fmatch_coupling_config *config,
                              const struct coupling_shape *shape)
{
    *coupling = NULL;
    if (!config)
        return FMATCH_OK;
    struct coupling_settings settings;
    fmatch_status status = coupling_settings_read(&settings, config, shape);
    if (status == FMATCH_OK && settings.config.kind != FMATCH_COUPLING_INDEPENDENT)
        status = create(coupling, context, &settings, shape);
    if (status != FMATCH_OK)
        status_keep_and_destroy(settings.callbacks.destroy, settings.callbacks.user);
    return status;
}

void coupling_destroy(struct coupling *c)
{
    if (!c)
        return;
    fmatch_context *context = c->context;
    const fmatch_allocator *allocator = &context->allocator;
    status_keep_and_destroy(c->settings.callbacks.destroy, c->settings.callbacks.user);
    allocation_destroy(allocator, c->origin);
    allocation_destroy(allocator, c->noise);
    allocation_destroy(allocator, c->potential);
    allocation_destroy(allocator, c->potentials);
    allocation_destroy(allocator, c->plan);
    allocation_destroy(allocator, c->condition_cost);
    allocation_destroy(allocator, c->cost);
    sinkhorn_destroy(&c->sinkhorn, allocator);
    assignment_destroy(&c->assignment, allocator);
    allocation_destroy(allocator, c);
    context_release(context);
}

const struct coupling_settings *coupling_get_settings(const struct coupling *c)
{
    return &c->settings;
}

int64_t coupling_rows_together(const struct coupling *c)
{
    return c->rows;
}

bool coupling_on_calling_thread(const struct coupling *c)
{
    return c->settings.config.kind == FMATCH_COUPLING_CALLBACK;
}

/* ---- costs ---- */

/* Rows side by side of which the costs are computed. */
struct block {
    int64_t n;
    const float *noise, *target, *condition;
};

/* Squared distance of the conditions of rows i and j, labels left out. The null condition is far
 * from all others. */
static double condition_distance(const struct coupling *c, const struct block *b, int64_t i,
                                 int64_t j)
{
    const int32_t columns = c->shape.condition_dim, first = c->shape.classes > 0;
    const float *x = b->condition + i * columns, *y = b->condition + j * columns;
    const double far = 1e6;
    if (isnan(x[0]) || isnan(y[0]))
        return isnan(x[0]) && isnan(y[0]) ? 0.0 : far;
    double sum = 0.0;
    for (int32_t k = first; k < columns; k++)
        sum += ((double)x[k] - y[k]) * ((double)x[k] - y[k]);
    return sum;
}

static void fill_cost(struct coupling *c, const struct block *b)
{
    const int64_t n = b->n;
    assignment_fill_cost(&c->assignment, c->shape.dim, n, b->noise, n, b->target, c->cost);
    if (!c->weighted || !b->condition)
        return;
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < n; j++)
            c->condition_cost[i * n + j] = condition_distance(c, b, i, j);
    const double weight = c->settings.config.condition == FMATCH_CONDITION_COUPLING_WEIGHT
                              ? c->settings.config.condition_weight
                              : conditional_cost_weight(n, c->cost, c->condition_cost,
                                                        c->settings.config.condition_rate);
    for (int64_t i = 0; i < n * n; i++)
        c->cost[i] += weight * c->condition_cost[i];
}

/* ---- pairs of a block, by kind ---- */

/* Where the random numbers of a block come from: elements `first` and on of the stream. */
struct draws {
    const struct random_stream *stream;
    int64_t first;
};

static int64_t uniform_index(float u, int64_t n)
{
    const int64_t index = (int64_t)((double)u * (double)n);
    return index < n ? index : n - 1;
}

/* Data stay in order, so that an epoch's do. */
static void pair_exactly(struct coupling *c, const struct draws *draws, int64_t n,
                         int32_t *noise_row, int32_t *target_row)
{
    (void)assignment_solve(&c->assignment, n, c->cost, c->permutation);
    if (c->settings.config.pairing == FMATCH_PAIRING_PERMUTATION) {
        for (int32_t i = 0; i < n; i++) {
            noise_row[c->permutation[i]] = i;
            target_row[i] = i;
        }
        return;
    }
    random_stream_uniform(draws->stream, 0, (uint64_t)draws->first, n, c->uniform);
    for (int64_t k = 0; k < n; k++) {
        noise_row[k] = (int32_t)uniform_index(c->uniform[k], n);
        target_row[k] = c->permutation[noise_row[k]];
    }
}

static double largest_of(int64_t n, const double *cost)
{
    double largest = 0.0;
    for (int64_t i = 0; i < n; i++)
        largest = cost[i] > largest ? cost[i] : largest;
    return largest;
}

static fmatch_status solve_entropic(struct coupling *c, int64_t n)
{
    struct sinkhorn_result result;
    const fmatch_sinkhorn_config *s = &c->settings.entropic;
    double epsilon = 1.0; /* where all rows are the same, any plan will do */
    if (largest_of(n * n, c->cost) > 0.0)
        RETURN_IF_FAILED(transport_epsilon(s, n * n, c->cost, &epsilon));
    const struct sinkhorn_problem problem = {.n = n,
                                             .m = n,
                                             .cost = c->cost,
                                             .epsilon = epsilon,
                                             .rho = s->rho,
                                             .tolerance = s->tolerance,
                                             .iterations = s->iterations};
    const bool converged =
        sinkhorn_solve(&c->sinkhorn, &problem, c->potentials, c->potentials + n, c->plan, &result);
    if (!(result.mass > 0.0))
        return status_fail(
            FMATCH_ERROR_ARGUMENT,
            "the unbalanced plan has no mass: coupling->sinkhorn->rho is %s, and the "
            "largest squared distance %s",
            NUMBER(s->rho), NUMBER(largest_of(n * n, c->cost)));
    if (converged)
        return FMATCH_OK;
    return status_fail(
        FMATCH_ERROR_STEP_LIMIT,
        "Sinkhorn's iterations of the coupling have a marginal error of %s after %lld "
        "of them; coupling->sinkhorn->tolerance is %s",
        NUMBER(result.marginal_error), (long long)result.iterations, NUMBER(s->tolerance));
}

/* Elements of the stream from which unbalanced plans draw noise rows, beyond all those for data. */
#define NOISE_DRAWS ((int64_t)1 << 45)

/* Rows of the plan by their masses. */
static void draw_noise_rows(struct coupling *c, const struct draws *draws, int64_t n,
                            int32_t *noise_row)
{
    double *mass = c->potentials; /* which are no longer needed */
    for (int64_t i = 0; i < n; i++) {
        mass[i] = 0.0;
        for (int64_t j = 0; j < n; j++)
            mass[i] += c->plan[i * n + j];
    }
    for (int64_t k = 0; k < n; k++)
        plan_draw_columns(1, n, mass, draws->stream, NOISE_DRAWS + draws->first + k, noise_row + k);
}

/* Each noise row with a data row of its row of the plan. Where the plan's rows have different
 * masses, the noise rows are drawn first. */
static void pair_by_plan(struct coupling *c, const struct draws *draws, int64_t n,
                         int32_t *noise_row, int32_t *target_row)
{
    if (c->settings.config.kind == FMATCH_COUPLING_UNBALANCED)
        draw_noise_rows(c, draws, n, noise_row);
    for (int32_t k = 0; k < n; k++) {
        if (c->settings.config.kind == FMATCH_COUPLING_ENTROPIC || noise_row[k] < 0)
            noise_row[k] = k;
        plan_draw_columns(1, n, c->plan + (int64_t)noise_row[k] * n, draws->stream,
                          draws->first + k, target_row + k);
        if (target_row[k] < 0) /* a row whose mass is below the smallest number */
            target_row[k] = noise_row[k];
    }
}

static fmatch_status pair_block(struct coupling *c, const struct draws *draws,
                                const struct block *b, int32_t *noise_row, int32_t *target_row)
{
    fill_cost(c, b);
    if (!coupling_kind_is_entropic(c->settings.config.kind)) {
        pair_exactly(c, draws, b->n, noise_row, target_row);
        return FMATCH_OK;
    }
    RETURN_IF_FAILED(solve_entropic(c, b->n));
    pair_by_plan(c, draws, b->n, noise_row, target_row);
    return FMATCH_OK;
}

/* ---- classes ---- */

/* The class of a row; the null condition is one more. */
static int32_t class_of(const struct coupling *c, const float *condition, int64_t i)
{
    const float label = condition[i * c->shape.condition_dim];
    return label >= 0 && label < (float)c->shape.classes ? (int32_t)label : c->shape.classes;
}

static void copy_row(int64_t columns, const float *from, int64_t i, float *to, int64_t k)
{
    memcpy(to + k * columns, from + i * columns, (size_t)columns * sizeof *to);
}

/* Rows of one class side by side; returns how many. */
static int64_t gather_class(struct coupling *c, const struct coupling_rows *rows, int32_t label)
{
    int64_t n = 0;
    for (int64_t i = 0; i < c->rows; i++) {
        if (class_of(c, rows->condition, i) != label)
            continue;
        copy_row(c->shape.dim, rows->noise, i, c->noise, n);
        copy_row(c->shape.dim, rows->target, i, c->target, n);
        copy_row(c->shape.condition_dim, rows->condition, i, c->condition, n);
        c->origin[n++] = (int32_t)i;
    }
    return n;
}

/* A class's pairs stand where its rows stood, so that data stay in order here, too. */
static fmatch_status pair_classes(struct coupling *c, const struct coupling_rows *rows,
                                  const struct draws *all, int32_t *noise_row, int32_t *target_row)
{
    struct draws draws = *all;
    for (int32_t label = 0; label <= c->shape.classes; label++) {
        const int64_t n = gather_class(c, rows, label);
        if (n == 0)
            continue;
        const struct block block = {
            .n = n, .noise = c->noise, .target = c->target, .condition = c->condition};
        RETURN_IF_FAILED(pair_block(c, &draws, &block, c->noise_row, c->target_row));
        for (int64_t k = 0; k < n; k++) {
            noise_row[c->origin[k]] = c->origin[c->noise_row[k]];
            target_row[c->origin[k]] = c->origin[c->target_row[k]];
        }
        draws.first += n;
    }
    return FMATCH_OK;
}

/* ---- a user's pairs ---- */

static fmatch_status check_pairs(const char *name, int64_t n, const int32_t *row)
{
    for (int64_t i = 0; i < n; i++)
        if (row[i] < 0 || row[i] >= n)
            return status_fail(FMATCH_ERROR_ARGUMENT,
                               "pair: %s[%lld] is %d; it must be between 0 and %lld", name,
                               (long long)i, (int)row[i], (long long)n - 1);
    return FMATCH_OK;
}

static fmatch_status pair_by_user(const struct coupling *c, const struct coupling_rows *rows,
                                  const struct draws *draws, int32_t *noise_row,
                                  int32_t *target_row)
{
    for (int64_t i = 0; i < c->rows; i++) /* what is not written shall be noticed */
        noise_row[i] = target_row[i] = -1;
    struct fmatch_random random = random_lend(draws->stream, draws->first, c->rows);
    struct status_kept kept;
    status_keep(&kept);
    const int32_t code = c->settings.callbacks.pair(
        c->settings.callbacks.user, &random, c->rows, c->shape.dim, rows->noise, rows->target,
        rows->condition ? c->shape.condition_dim : 0, rows->condition, noise_row, target_row);
    status_restore(&kept);
    RETURN_IF_FAILED(status_of_callback("pair", code));
    RETURN_IF_FAILED(check_pairs("noise_row", c->rows, noise_row));
    return check_pairs("target_row", c->rows, target_row);
}

/* ---- stored rows ---- */

bool coupling_is_semidiscrete(const struct coupling *c)
{
    return c->settings.config.kind == FMATCH_COUPLING_SEMIDISCRETE;
}

fmatch_status coupling_prepare(struct coupling *c, const struct coupling_target *target)
{
    c->stored = *target;
    c->potential = allocation_create(&c->context->allocator, target->m, sizeof *c->potential);
    if (!c->potential)
        return status_no_memory((size_t)target->m * sizeof *c->potential);
    const fmatch_semidiscrete_config *s = &c->settings.semidiscrete;
    const struct semidiscrete_problem problem = {.context = c->context,
                                                 .noise = target->noise,
                                                 .m = target->m,
                                                 .y = target->rows,
                                                 .weights = target->weight,
                                                 .batch = s->batch,
                                                 .steps = s->steps,
                                                 .learning_rate = s->learning_rate,
                                                 .averaging = s->averaging,
                                                 .tolerance = s->tolerance,
                                                 .seed = s->seed};
    struct semidiscrete_result result;
    RETURN_IF_FAILED(semidiscrete_solve(&problem, c->potential, &result));
    if (s->tolerance > 0.0 && !(result.marginal_error <= s->tolerance))
        log_write(&c->context->log, FMATCH_LOG_WARNING,
                  "semidiscrete coupling: the marginal's error is %s after %lld steps; "
                  "coupling->semidiscrete->tolerance is %s",
                  NUMBER(result.marginal_error), (long long)result.steps, NUMBER(s->tolerance));
    return FMATCH_OK;
}

static void pair_with_stored(const struct coupling *c, const struct coupling_rows *rows,
                             int32_t *noise_row, int32_t *target_row)
{
    for (int32_t i = 0; i < c->rows; i++)
        noise_row[i] = i;
    semidiscrete_assign(c->context, c->shape.dim, c->rows, rows->noise, c->stored.m, c->stored.rows,
                        c->potential, target_row, c->potentials);
}

fmatch_status coupling_solve(struct coupling *c, const struct coupling_rows *rows,
                             const struct random_stream *stream, int64_t first_row,
                             int32_t *noise_row, int32_t *target_row)
{
    const struct draws draws = {.stream = stream, .first = first_row};
    if (c->settings.config.kind == FMATCH_COUPLING_CALLBACK)
        return pair_by_user(c, rows, &draws, noise_row, target_row);
    if (c->settings.config.kind == FMATCH_COUPLING_SEMIDISCRETE) {
        pair_with_stored(c, rows, noise_row, target_row);
        return FMATCH_OK;
    }
    if (c->by_class && rows->condition)
        return pair_classes(c, rows, &draws, noise_row, target_row);
    const struct block all = {
        .n = c->rows, .noise = rows->noise, .target = rows->target, .condition = rows->condition};
    return pair_block(c, &draws, &all, noise_row, target_row);
}

/* ---- the public function ---- */

/* A row that begins with nan is the null condition. */
static fmatch_status check_conditions(const fmatch_coupling_rows *rows)
{
    for (int64_t i = 0; i < rows->n; i++) {
        const float *row = rows->condition + i * rows->condition_dim;
        if (isnan(row[0]))
            continue;
        if (rows->classes > 0 &&
            !(row[0] >= 0 && row[0] < (float)rows->classes && row[0] == floorf(row[0])))
            return status_fail(FMATCH_ERROR_ARGUMENT,
                               "rows->condition: row %lld has label %s; it must be a whole number "
                               "between 0 and %d",
                               (long long)i, NUMBER(row[0]), (int)rows->classes - 1);
        RETURN_IF_FAILED(status_check_finite("rows->condition", i, 1, rows->condition_dim, row));
    }
    return FMATCH_OK;
}

static fmatch_status check_given(const fmatch_coupling_rows *given, fmatch_coupling_rows *rows)
{
    RETURN_IF_FAILED(configuration_read(rows, sizeof *rows, sizeof *rows, given, "rows"));
    CHECK_RANGE("rows->dim", rows->dim, 1, 65536);
    CHECK_RANGE("rows->n", rows->n, 1, COUPLING_ROWS_MAX);
    CHECK_RANGE("rows->condition_dim", rows->condition_dim, 0, 65536);
    CHECK_RANGE("rows->classes", rows->classes, 0, rows->condition_dim > 0 ? 65536 : 0);
    if (!rows->noise || !rows->target)
        return status_fail(FMATCH_ERROR_ARGUMENT, "rows->%s is NULL",
                           rows->noise ? "target" : "noise");
    if ((rows->condition_dim > 0) != (rows->condition != NULL))
        return status_fail(FMATCH_ERROR_ARGUMENT,
                           "rows->condition is %s while rows->condition_dim is %d",
                           rows->condition ? "not NULL" : "NULL", (int)rows->condition_dim);
    RETURN_IF_FAILED(status_check_finite("rows->noise", 0, rows->n, rows->dim, rows->noise));
    RETURN_IF_FAILED(status_check_finite("rows->target", 0, rows->n, rows->dim, rows->target));
    return rows->condition ? check_conditions(rows) : FMATCH_OK;
}

static double mean_squared_distance(const fmatch_coupling_rows *rows, const int32_t *noise_row,
                                    const int32_t *target_row)
{
    double sum = 0.0;
    for (int64_t i = 0; i < rows->n; i++) {
        const float *x = rows->noise + (int64_t)noise_row[i] * rows->dim;
        const float *y = rows->target + (int64_t)target_row[i] * rows->dim;
        for (int32_t j = 0; j < rows->dim; j++)
            sum += ((double)x[j] - y[j]) * ((double)x[j] - y[j]);
    }
    return sum / (double)rows->n;
}

/* The rows as they are, where nothing couples them. */
static fmatch_status solve(struct coupling *c, const fmatch_coupling_rows *rows,
                           const struct random_stream *stream, int32_t *noise_row,
                           int32_t *target_row)
{
    const struct coupling_rows asked = {
        .noise = rows->noise, .target = rows->target, .condition = rows->condition};
    if (c)
        return coupling_solve(c, &asked, stream, 0, noise_row, target_row);
    for (int32_t i = 0; i < rows->n; i++)
        noise_row[i] = target_row[i] = i;
    return FMATCH_OK;
}

fmatch_status fmatch_coupling_solve(fmatch_context *context, const fmatch_coupling_config *config,
                                    uint64_t seed, const fmatch_coupling_rows *rows,
                                    int32_t *noise_row, int32_t *target_row, double *cost)
{
    status_begin();
    CHECK_NOT_NULL(context);
    CHECK_NOT_NULL(noise_row);
    CHECK_NOT_NULL(target_row);
    fmatch_coupling_rows given;
    RETURN_IF_FAILED(check_given(rows, &given));
    const struct coupling_shape shape = {.dim = given.dim,
                                         .condition_dim = given.condition_dim,
                                         .classes = given.classes,
                                         .batch = given.n,
                                         .alone = true};
    struct coupling *c;
    RETURN_IF_FAILED(coupling_create(&c, context, config, &shape));
    if (c && coupling_is_semidiscrete(c)) {
        coupling_destroy(c);
        return status_fail(FMATCH_ERROR_UNSUPPORTED,
                           "config->kind is SEMIDISCRETE, which transports to all stored rows: see "
                           "fmatch_transport_solve_semidiscrete");
    }
    const struct random_stream stream = {
        .kernels = context->kernels, .seed = seed, .stream = STREAM_TRAIN_COUPLING};
    const fmatch_status status = solve(c, &given, &stream, noise_row, target_row);
    coupling_destroy(c);
    if (status == FMATCH_OK && cost)
        *cost = mean_squared_distance(&given, noise_row, target_row);
    return status;
}
