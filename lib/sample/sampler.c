/* The sampler handle: carries blocks of rows through the solver's steps. */
#include <flowmatch/sampler.h>

#include "base/configuration.h"
#include "base/finite.h"
#include "base/status.h"
#include "model/model.h"
#include "sample/solver.h"

#include <string.h>

enum { STEPS_MAX = 1 << 24 };

struct fmatch_sampler {
    struct reference_count references;
    bool busy; /* a call is under way, which a callback may not enter again */
    fmatch_model *model;
    const struct solver *solver;
    int64_t steps;
    double t_start, t_end;

    /* scratch for one block of rows */
    float *block;
    float *x, *stage;                /* [MODEL_BLOCK_ROWS, dim] */
    float *slope[SOLVER_STAGES_MAX]; /* [MODEL_BLOCK_ROWS, dim] each */
    float *t;                        /* [MODEL_BLOCK_ROWS] */
    float *model_scratch;
};

void fmatch_sampler_config_init_sized(fmatch_sampler_config *config, size_t size, int32_t preset)
{
    static const fmatch_sampler_config presets[] = {
        [FMATCH_PRESET_RECOMMENDED] = {.solver = FMATCH_SOLVER_MIDPOINT, .steps = 50, .t_end = 1.0},
        [FMATCH_PRESET_PLAIN] = {.solver = FMATCH_SOLVER_EULER, .steps = 100, .t_end = 1.0},
    };
    configuration_write_preset(config, size, preset, presets, 2, sizeof *presets);
}

static fmatch_status check_config(const fmatch_sampler_config *c)
{
    CHECK_RANGE("config->solver", c->solver, FMATCH_SOLVER_EULER, FMATCH_SOLVER_RK4);
    CHECK_RANGE("config->steps", c->steps, 1, STEPS_MAX);
    const struct interval unit = {.lowest = 0.0, .highest = 1.0};
    RETURN_IF_FAILED(configuration_check_double("config->t_start", c->t_start, unit));
    RETURN_IF_FAILED(configuration_check_double("config->t_end", c->t_end, unit));
    if (c->t_start == c->t_end)
        return status_fail(FMATCH_ERROR_ARGUMENT,
                           "config->t_end is %s; it must differ from config->t_start",
                           NUMBER(c->t_end));
    return FMATCH_OK;
}

static fmatch_status hold_scratch(fmatch_sampler *s)
{
    const int64_t cells = (int64_t)MODEL_BLOCK_ROWS * s->model->dim;
    const int64_t scratch = s->model->kind->scratch_size(s->model);
    const int64_t floats = (2 + s->solver->stages) * cells + MODEL_BLOCK_ROWS + scratch;
    float *next = allocation_create(&s->model->context->allocator, floats, sizeof *next);
    if (!next)
        return status_no_memory((size_t)floats * sizeof *next);
    s->block = next;
    s->model_scratch = next; /* first, because it is the one that may need alignment */
    next += scratch;
    s->x = next;
    s->stage = s->x + cells;
    next = s->stage + cells;
    for (int32_t i = 0; i < s->solver->stages; i++, next += cells)
        s->slope[i] = next;
    s->t = next;
    return FMATCH_OK;
}

static void release(fmatch_sampler *s)
{
    if (!s || !reference_count_release(&s->references))
        return;
    fmatch_model *model = s->model;
    const fmatch_allocator *allocator = &model->context->allocator;
    allocation_destroy(allocator, s->block);
    allocation_destroy(allocator, s);
    model_release(model);
}

fmatch_status fmatch_sampler_create(fmatch_sampler **sampler, const fmatch_model *model,
                                    const fmatch_sampler_config *config)
{
    status_begin();
    CHECK_NOT_NULL(sampler);
    *sampler = NULL;
    CHECK_NOT_NULL(model);
    fmatch_sampler_config given;
    fmatch_sampler_config_init(&given);
    if (config)
        RETURN_IF_FAILED(configuration_read(&given, sizeof given, sizeof given, config, "config"));
    RETURN_IF_FAILED(check_config(&given));

    fmatch_sampler *s = allocation_create(&model->context->allocator, 1, sizeof *s);
    if (!s)
        return status_no_memory(sizeof *s);
    reference_count_init(&s->references);
    s->model = model_retain(model);
    s->solver = solver_get(given.solver);
    s->steps = given.steps;
    s->t_start = given.t_start;
    s->t_end = given.t_end;
    const fmatch_status status = hold_scratch(s);
    if (status != FMATCH_OK) {
        release(s);
        return status;
    }
    *sampler = s;
    return FMATCH_OK;
}

void fmatch_sampler_destroy(fmatch_sampler **sampler)
{
    if (!sampler)
        return;
    release(*sampler);
    *sampler = NULL;
}

/* ---- times ---- */

static double time_of_step(const fmatch_sampler *s, int64_t step)
{
    return step == s->steps
               ? s->t_end
               : s->t_start + (s->t_end - s->t_start) * (double)step / (double)s->steps;
}

int64_t fmatch_sampler_count_times(const fmatch_sampler *sampler)
{
    return sampler ? sampler->steps + 1 : 0;
}

fmatch_status fmatch_sampler_get_times(const fmatch_sampler *sampler, double *times)
{
    status_begin();
    CHECK_NOT_NULL(sampler);
    CHECK_NOT_NULL(times);
    for (int64_t i = 0; i <= sampler->steps; i++)
        times[i] = time_of_step(sampler, i);
    return FMATCH_OK;
}

int64_t fmatch_sampler_count_evaluations(const fmatch_sampler *sampler)
{
    return sampler ? sampler->steps * sampler->solver->stages : 0;
}

/* ---- integration of a block ---- */

/* One call, from its arguments: where rows begin, and where each block of them ends up. */
struct passage {
    const float *x_start; /* [n, dim], or NULL: noise */
    uint64_t seed;
    int64_t first_row;
    int64_t n;
    float *x_end;      /* [n, dim], or NULL */
    float *trajectory; /* [times, n, dim], or NULL */
};

/* `row` is the number of the first row, for the detail. */
static fmatch_status evaluate_stage(fmatch_sampler *s, const struct model_view *view, int64_t row,
                                    int64_t rows, double t, const float *x, float *v)
{
    for (int64_t i = 0; i < rows; i++)
        s->t[i] = (float)t;
    RETURN_IF_FAILED(model_view_evaluate(view, rows, x, s->t, v));
    const int64_t cells = rows * s->model->dim;
    if (finite_all(cells, v))
        return FMATCH_OK;
    const int64_t i = finite_first_not(cells, v);
    return status_fail(FMATCH_ERROR_NOT_FINITE, "row %lld: velocity is %s at t = %s",
                       (long long)(row + i / s->model->dim), NUMBER(v[i]), NUMBER(t));
}

static fmatch_status take_step(fmatch_sampler *s, const struct model_view *view, int64_t row,
                               int64_t rows, int64_t step)
{
    const struct solver *solver = s->solver;
    const int64_t cells = rows * s->model->dim;
    const double t = time_of_step(s, step), h = time_of_step(s, step + 1) - t;
    for (int32_t i = 0; i < solver->stages; i++) {
        if (i > 0)
            solver_combine(cells, s->x, (float)h, i, solver->a[i], s->slope, s->stage);
        RETURN_IF_FAILED(evaluate_stage(s, view, row, rows, t + solver->c[i] * h,
                                        i > 0 ? s->stage : s->x, s->slope[i]));
    }
    solver_combine(cells, s->x, (float)h, solver->stages, solver->b, s->slope, s->x);
    return FMATCH_OK;
}

static fmatch_status begin_block(fmatch_sampler *s, const struct passage *p, int64_t first,
                                 int64_t rows)
{
    const int32_t dim = s->model->dim;
    if (p->x_start) {
        memcpy(s->x, p->x_start + first * dim, (size_t)(rows * dim) * sizeof *s->x);
        return FMATCH_OK;
    }
    const struct random_stream stream =
        source_stream(s->model->noise, p->seed, STREAM_SAMPLER_NOISE);
    return source_draw(s->model->noise, &stream, p->first_row + first, rows, s->x);
}

static void keep_step(const fmatch_sampler *s, const struct passage *p, int64_t first, int64_t rows,
                      int64_t step)
{
    const int32_t dim = s->model->dim;
    if (p->trajectory)
        memcpy(p->trajectory + (step * p->n + first) * dim, s->x,
               (size_t)(rows * dim) * sizeof *s->x);
}

static fmatch_status integrate_block(fmatch_sampler *s, const struct model_view *view,
                                     const struct passage *p, int64_t first, int64_t rows)
{
    const int32_t dim = s->model->dim;
    RETURN_IF_FAILED(begin_block(s, p, first, rows));
    keep_step(s, p, first, rows, 0);
    for (int64_t step = 0; step < s->steps; step++) {
        RETURN_IF_FAILED(take_step(s, view, p->first_row + first, rows, step));
        keep_step(s, p, first, rows, step + 1);
    }
    if (!finite_all(rows * dim, s->x)) {
        const int64_t i = finite_first_not(rows * dim, s->x);
        return status_fail(FMATCH_ERROR_NOT_FINITE, "row %lld: x is %s at t = %s",
                           (long long)(p->first_row + first + i / dim), NUMBER(s->x[i]),
                           NUMBER(s->t_end));
    }
    if (p->x_end)
        memcpy(p->x_end + first * dim, s->x, (size_t)(rows * dim) * sizeof *s->x);
    return FMATCH_OK;
}

static fmatch_status integrate(fmatch_sampler *s, const struct passage *p)
{
    if (s->busy)
        return status_fail(FMATCH_ERROR_STATE,
                           "the sampler is in a call already; a callback cannot enter it again");
    s->busy = true;
    reference_count_retain(
        &s->references); /* a callback that destroys it only gives the handle up */
    struct model_view view = {.model = s->model, .scratch = s->model_scratch};
    model_view_begin(&view);
    fmatch_status status = FMATCH_OK;
    for (int64_t first = 0; status == FMATCH_OK && first < p->n; first += MODEL_BLOCK_ROWS) {
        const int64_t rest = p->n - first;
        status =
            integrate_block(s, &view, p, first, rest < MODEL_BLOCK_ROWS ? rest : MODEL_BLOCK_ROWS);
    }
    model_view_end(&view);
    s->busy = false;
    release(s);
    return status;
}

/* ---- the public calls ---- */

static fmatch_status check_rows(const fmatch_sampler *sampler, int64_t n, const float *condition)
{
    CHECK_NOT_NULL(sampler);
    CHECK_RANGE("n", n, 0, SOURCE_ROWS_MAX / sampler->model->dim);
    if (condition)
        return status_fail(FMATCH_ERROR_ARGUMENT, "condition is not NULL; the model has none");
    return FMATCH_OK;
}

static fmatch_status draw(fmatch_sampler *sampler, struct passage p, const float *condition,
                          const char *output)
{
    RETURN_IF_FAILED(check_rows(sampler, p.n, condition));
    CHECK_RANGE("first_row", p.first_row, 0, SOURCE_ROWS_MAX - p.n);
    if (sampler->t_start != 0.0)
        return status_fail(FMATCH_ERROR_STATE, "t_start is %s; it must be 0 to start from noise",
                           NUMBER(sampler->t_start));
    if (p.n > 0 && !p.x_end && !p.trajectory)
        return status_fail(FMATCH_ERROR_ARGUMENT, "%s is NULL", output);
    return integrate(sampler, &p);
}

fmatch_status fmatch_sampler_draw(fmatch_sampler *sampler, uint64_t seed, int64_t first_row,
                                  int64_t n, const float *condition, float *x)
{
    status_begin();
    const struct passage p = {.seed = seed, .first_row = first_row, .n = n, .x_end = x};
    return draw(sampler, p, condition, "x");
}

fmatch_status fmatch_sampler_draw_trajectory(fmatch_sampler *sampler, uint64_t seed,
                                             int64_t first_row, int64_t n, const float *condition,
                                             float *trajectory)
{
    status_begin();
    const struct passage p = {
        .seed = seed, .first_row = first_row, .n = n, .trajectory = trajectory};
    return draw(sampler, p, condition, "trajectory");
}

static fmatch_status integrate_from(fmatch_sampler *sampler, struct passage p,
                                    const float *condition, const char *output)
{
    RETURN_IF_FAILED(check_rows(sampler, p.n, condition));
    if (p.n == 0)
        return FMATCH_OK;
    if (!p.x_start)
        return status_fail(FMATCH_ERROR_ARGUMENT, "x_start is NULL");
    if (!p.x_end && !p.trajectory)
        return status_fail(FMATCH_ERROR_ARGUMENT, "%s is NULL", output);
    RETURN_IF_FAILED(status_check_finite("x_start", 0, p.n, sampler->model->dim, p.x_start));
    return integrate(sampler, &p);
}

fmatch_status fmatch_sampler_integrate(fmatch_sampler *sampler, int64_t n, const float *x_start,
                                       const float *condition, float *x_end)
{
    status_begin();
    const struct passage p = {.x_start = x_start, .n = n, .x_end = x_end};
    return integrate_from(sampler, p, condition, "x_end");
}

fmatch_status fmatch_sampler_integrate_trajectory(fmatch_sampler *sampler, int64_t n,
                                                  const float *x_start, const float *condition,
                                                  float *trajectory)
{
    status_begin();
    const struct passage p = {.x_start = x_start, .n = n, .trajectory = trajectory};
    return integrate_from(sampler, p, condition, "trajectory");
}
