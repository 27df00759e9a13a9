/* The sampler handle: carries blocks of rows through the solver's steps. */
#include <flowmatch/sampler.h>

#include "base/configuration.h"
#include "base/finite.h"
#include "base/status.h"
#include "model/model.h"
#include "sample/solver.h"

#include <float.h>
#include <string.h>

enum { STEPS_MAX = 1 << 24 };

/* What one thread needs to carry a block of rows. */
struct lane {
    float *x, *stage, *null_velocity; /* [rows, dim] */
    float *slope[SOLVER_STAGES_MAX];  /* [rows, dim] each */
    float *t;                         /* [rows] */
    float *model_scratch;
};

/* Classifier-free guidance: v_null + scale (v - v_null) at times from `begin` to `end`. */
struct guidance {
    double scale; /* 1: none */
    double begin, end;
};

struct fmatch_sampler {
    struct reference_count references;
    bool busy; /* a call is under way, which a callback may not enter again */
    fmatch_model *model;
    const struct solver *solver;
    int64_t steps;
    double t_start, t_end;
    struct guidance guidance;

    int64_t rows;  /* that a lane has room for */
    int32_t lanes; /* there are */
    struct lane *lane;
    float *room;
};

void fmatch_sampler_config_init_sized(fmatch_sampler_config *config, size_t size, int32_t preset)
{
    static const fmatch_sampler_config presets[] = {
        [FMATCH_PRESET_RECOMMENDED] = {.solver = FMATCH_SOLVER_MIDPOINT,
                                       .steps = 50,
                                       .t_end = 1.0,
                                       .guidance_t_end = 1.0},
        [FMATCH_PRESET_PLAIN] = {.solver = FMATCH_SOLVER_EULER,
                                 .steps = 100,
                                 .t_end = 1.0,
                                 .guidance_t_end = 1.0},
    };
    configuration_write_preset(config, size, preset, presets, 2, sizeof *presets);
}

static struct guidance guidance_of(const fmatch_sampler_config *c)
{
    const double scale = c->guidance == FMATCH_GUIDANCE_NONE    ? 1.0
                         : c->guidance == FMATCH_GUIDANCE_SCALE ? c->guidance_strength
                                                                : 1.0 + c->guidance_strength;
    return (struct guidance){
        .scale = scale, .begin = c->guidance_t_start, .end = c->guidance_t_end};
}

static fmatch_status check_guidance(const fmatch_sampler_config *c, const fmatch_model *model)
{
    const struct interval unit = {.lowest = 0.0, .highest = 1.0};
    const struct interval of_a_float = {.lowest = -FLT_MAX, .highest = FLT_MAX};
    CHECK_RANGE("config->guidance", c->guidance, FMATCH_GUIDANCE_NONE, FMATCH_GUIDANCE_WEIGHT);
    if (c->guidance == FMATCH_GUIDANCE_NONE) {
        if (c->guidance_strength != 0.0)
            return status_fail(FMATCH_ERROR_ARGUMENT,
                               "config->guidance_strength is %s while config->guidance is NONE",
                               NUMBER(c->guidance_strength));
        return FMATCH_OK;
    }
    RETURN_IF_FAILED(
        configuration_check_double("config->guidance_strength", c->guidance_strength, of_a_float));
    RETURN_IF_FAILED(
        configuration_check_double("config->guidance_t_start", c->guidance_t_start, unit));
    RETURN_IF_FAILED(configuration_check_double("config->guidance_t_end", c->guidance_t_end, unit));
    if (c->guidance_t_end < c->guidance_t_start)
        return status_fail(FMATCH_ERROR_ARGUMENT,
                           "config->guidance_t_end is %s; it must be at least "
                           "config->guidance_t_start, %s",
                           NUMBER(c->guidance_t_end), NUMBER(c->guidance_t_start));
    if (model->condition.columns == 0 || !model->condition.null)
        return status_fail(
            FMATCH_ERROR_UNSUPPORTED,
            "guidance needs a model with conditions that accepts the null condition");
    return FMATCH_OK;
}

static fmatch_status check_config(const fmatch_sampler_config *c)
{
    CHECK_RANGE("config->solver", c->solver, FMATCH_SOLVER_EULER, FMATCH_SOLVER_RK4);
    CHECK_RANGE("config->steps", c->steps, 1, STEPS_MAX);
    RETURN_IF_FAILED(configuration_check_flags("config->flags", c->flags));
    const struct interval unit = {.lowest = 0.0, .highest = 1.0};
    RETURN_IF_FAILED(configuration_check_double("config->t_start", c->t_start, unit));
    RETURN_IF_FAILED(configuration_check_double("config->t_end", c->t_end, unit));
    if (c->t_start == c->t_end)
        return status_fail(FMATCH_ERROR_ARGUMENT,
                           "config->t_end is %s; it must differ from config->t_start",
                           NUMBER(c->t_end));
    return FMATCH_OK;
}

/* Floats that a lane needs, in whole cache lines. */
static int64_t lane_size(const fmatch_sampler *s, int64_t rows)
{
    const int64_t arrays = 2 + (s->guidance.scale != 1.0) + s->solver->stages;
    const int64_t floats = arrays * rows * s->model->dim + rows;
    return (floats + 15) / 16 * 16 + s->model->kind->scratch_size(s->model, rows);
}

static struct lane lane_in(const fmatch_sampler *s, int64_t rows, float *room)
{
    const int64_t cells = rows * s->model->dim;
    struct lane lane = {.model_scratch = room};
    room += s->model->kind->scratch_size(s->model, rows);
    lane.x = room;
    lane.stage = lane.x + cells;
    room = lane.stage + cells;
    for (int32_t i = 0; i < s->solver->stages; i++, room += cells)
        lane.slope[i] = room;
    if (s->guidance.scale != 1.0) {
        lane.null_velocity = room;
        room += cells;
    }
    lane.t = room;
    return lane;
}

/* Room for a call on n rows; a later call that is no larger finds it there. */
static fmatch_status reserve_lanes(fmatch_sampler *s, int64_t n)
{
    const int64_t wanted = n < MODEL_BLOCK_ROWS ? n : MODEL_BLOCK_ROWS;
    const int64_t rows = wanted > s->rows ? wanted : s->rows;
    const int32_t needed = model_blocks_lanes(s->model, n);
    const int32_t lanes = needed > s->lanes ? needed : s->lanes;
    if (rows == s->rows && lanes == s->lanes)
        return FMATCH_OK;

    const fmatch_allocator *allocator = &s->model->context->allocator;
    const int64_t size = lane_size(s, rows);
    float *room = allocation_create(allocator, lanes * size, sizeof *room);
    struct lane *lane = allocation_create(allocator, lanes, sizeof *lane);
    if (!room || !lane) {
        allocation_destroy(allocator, lane);
        allocation_destroy(allocator, room);
        return status_no_memory((size_t)(lanes * size) * sizeof *room);
    }
    for (int32_t i = 0; i < lanes; i++)
        lane[i] = lane_in(s, rows, room + i * size);
    allocation_destroy(allocator, s->lane);
    allocation_destroy(allocator, s->room);
    s->lane = lane;
    s->room = room;
    s->rows = rows;
    s->lanes = lanes;
    return FMATCH_OK;
}

static void release(fmatch_sampler *s)
{
    if (!s || !reference_count_release(&s->references))
        return;
    fmatch_model *model = s->model;
    const fmatch_allocator *allocator = &model->context->allocator;
    allocation_destroy(allocator, s->lane);
    allocation_destroy(allocator, s->room);
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
    RETURN_IF_FAILED(check_guidance(&given, model));

    fmatch_sampler *s = allocation_create(&model->context->allocator, 1, sizeof *s);
    if (!s)
        return status_no_memory(sizeof *s);
    reference_count_init(&s->references);
    s->model = model_retain(model);
    s->solver = solver_get(given.solver);
    s->steps = given.steps;
    s->t_start = given.t_start;
    s->t_end = given.t_end;
    s->guidance = guidance_of(&given);
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

static bool is_guided(const fmatch_sampler *s, double t)
{
    return s->guidance.scale != 1.0 && t >= s->guidance.begin && t <= s->guidance.end;
}

/* Where a stage of a step takes the field. */
static double time_of_stage(const fmatch_sampler *s, int64_t step, int32_t stage)
{
    const double t = time_of_step(s, step);
    return t + s->solver->c[stage] * (time_of_step(s, step + 1) - t);
}

int64_t fmatch_sampler_count_evaluations(const fmatch_sampler *sampler)
{
    if (!sampler)
        return 0;
    int64_t count = sampler->steps * sampler->solver->stages;
    for (int64_t step = 0; sampler->guidance.scale != 1.0 && step < sampler->steps; step++)
        for (int32_t stage = 0; stage < sampler->solver->stages; stage++)
            count += is_guided(sampler, time_of_stage(sampler, step, stage));
    return count;
}

/* ---- integration of a block ---- */

/* One call, from its arguments: where rows begin, and where each block of them ends up. */
struct passage {
    const float *x_start; /* [n, dim], or NULL: noise */
    uint64_t seed;
    int64_t first_row;
    int64_t n;
    const float *condition; /* [n, columns], or NULL */
    float *x_end;           /* [n, dim], or NULL */
    float *trajectory;      /* [times, n, dim], or NULL */
};

/* A call under way. */
struct journey {
    fmatch_sampler *sampler;
    struct model_view view;
    const struct passage *passage;
};

/* Rows first_row to first_row + rows - 1 of the call's stream, on a lane. */
struct block {
    struct lane *lane;
    int64_t first_row, rows;
    const float *condition; /* of the block's first row, or NULL */
};

/* v of the block's rows at x, guided or not. */
static fmatch_status evaluate_field(const struct journey *j, const struct block *b, double t,
                                    const float *x, float *v)
{
    const fmatch_sampler *s = j->sampler;
    struct model_rows rows = {.n = b->rows, .x = x, .t = b->lane->t, .condition = b->condition};
    RETURN_IF_FAILED(model_view_evaluate(&j->view, b->lane->model_scratch, &rows, v));
    if (!b->condition || !is_guided(s, t))
        return FMATCH_OK;
    float *null = b->lane->null_velocity;
    rows.condition = NULL;
    RETURN_IF_FAILED(model_view_evaluate(&j->view, b->lane->model_scratch, &rows, null));
    const float scale = (float)s->guidance.scale;
    for (int64_t i = 0; i < b->rows * s->model->dim; i++)
        v[i] = null[i] + scale * (v[i] - null[i]);
    return FMATCH_OK;
}

static fmatch_status evaluate_stage(const struct journey *j, const struct block *b, double t,
                                    const float *x, float *v)
{
    const int32_t dim = j->sampler->model->dim;
    for (int64_t i = 0; i < b->rows; i++)
        b->lane->t[i] = (float)t;
    RETURN_IF_FAILED(evaluate_field(j, b, t, x, v));
    if (finite_all(b->rows * dim, v))
        return FMATCH_OK;
    const int64_t i = finite_first_not(b->rows * dim, v);
    return status_fail(FMATCH_ERROR_NOT_FINITE, "row %lld: velocity is %s at t = %s",
                       (long long)(b->first_row + i / dim), NUMBER(v[i]), NUMBER(t));
}

static fmatch_status take_step(const struct journey *j, const struct block *b, int64_t step)
{
    const fmatch_sampler *s = j->sampler;
    const struct solver *solver = s->solver;
    const struct lane *lane = b->lane;
    const int64_t cells = b->rows * s->model->dim;
    const double t = time_of_step(s, step), h = time_of_step(s, step + 1) - t;
    for (int32_t i = 0; i < solver->stages; i++) {
        if (i > 0)
            solver_combine(s->model->context->kernels, cells, lane->x, (float)h, i, solver->a[i],
                           lane->slope, lane->stage);
        RETURN_IF_FAILED(evaluate_stage(j, b, time_of_stage(s, step, i),
                                        i > 0 ? lane->stage : lane->x, lane->slope[i]));
    }
    solver_combine(s->model->context->kernels, cells, lane->x, (float)h, solver->stages, solver->b,
                   lane->slope, lane->x);
    return FMATCH_OK;
}

static fmatch_status begin_block(const struct journey *j, const struct block *b, int64_t first)
{
    const fmatch_model *model = j->sampler->model;
    const struct passage *p = j->passage;
    if (p->x_start) {
        memcpy(b->lane->x, p->x_start + first * model->dim,
               (size_t)(b->rows * model->dim) * sizeof *b->lane->x);
        return FMATCH_OK;
    }
    const struct random_stream stream = source_stream(model->noise, p->seed, STREAM_SAMPLER_NOISE);
    const struct source_rows rows = {.x = b->lane->x};
    return source_draw(model->noise, &stream, b->first_row, b->rows, &rows);
}

static void keep_step(const struct journey *j, const struct block *b, int64_t first, int64_t step)
{
    const struct passage *p = j->passage;
    const int32_t dim = j->sampler->model->dim;
    if (p->trajectory)
        memcpy(p->trajectory + (step * p->n + first) * dim, b->lane->x,
               (size_t)(b->rows * dim) * sizeof *b->lane->x);
}

static fmatch_status end_block(const struct journey *j, const struct block *b, int64_t first)
{
    const int32_t dim = j->sampler->model->dim;
    const int64_t cells = b->rows * dim;
    const float *x = b->lane->x;
    if (!finite_all(cells, x)) {
        const int64_t i = finite_first_not(cells, x);
        return status_fail(FMATCH_ERROR_NOT_FINITE, "row %lld: x is %s at t = %s",
                           (long long)(b->first_row + i / dim), NUMBER(x[i]),
                           NUMBER(j->sampler->t_end));
    }
    if (j->passage->x_end)
        memcpy(j->passage->x_end + first * dim, x, (size_t)cells * sizeof *x);
    return FMATCH_OK;
}

static fmatch_status integrate_block(void *user, int32_t lane, int64_t first, int64_t rows)
{
    const struct journey *j = user;
    const struct passage *p = j->passage;
    const struct block b = {
        .lane = &j->sampler->lane[lane],
        .first_row = p->first_row + first,
        .rows = rows,
        .condition =
            p->condition ? p->condition + first * j->sampler->model->condition.columns : NULL};
    RETURN_IF_FAILED(begin_block(j, &b, first));
    keep_step(j, &b, first, 0);
    for (int64_t step = 0; step < j->sampler->steps; step++) {
        RETURN_IF_FAILED(take_step(j, &b, step));
        keep_step(j, &b, first, step + 1);
    }
    return end_block(j, &b, first);
}

static fmatch_status integrate(fmatch_sampler *s, const struct passage *p)
{
    if (s->busy)
        return status_fail(FMATCH_ERROR_STATE,
                           "the sampler is in a call already; a callback cannot enter it again");
    RETURN_IF_FAILED(reserve_lanes(s, p->n));
    s->busy = true;
    reference_count_retain(&s->references); /* a callback that destroys it gives the handle up */
    struct journey j = {.sampler = s, .view = {.model = s->model}, .passage = p};
    const struct model_blocks blocks = {.n = p->n, .block = integrate_block, .user = &j};
    model_view_begin(&j.view);
    const fmatch_status status = model_blocks_run(s->model, &blocks);
    model_view_end(&j.view);
    s->busy = false;
    release(s);
    return status;
}

/* ---- the public calls ---- */

static fmatch_status check_rows(const fmatch_sampler *sampler, const struct passage *p)
{
    CHECK_NOT_NULL(sampler);
    CHECK_RANGE("n", p->n, 0, SOURCE_ROWS_MAX / sampler->model->dim);
    return condition_check(&sampler->model->condition, "condition", p->n, p->condition);
}

static fmatch_status draw(fmatch_sampler *sampler, struct passage p, const char *output)
{
    RETURN_IF_FAILED(check_rows(sampler, &p));
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
    const struct passage p = {
        .seed = seed, .first_row = first_row, .n = n, .condition = condition, .x_end = x};
    return draw(sampler, p, "x");
}

fmatch_status fmatch_sampler_draw_trajectory(fmatch_sampler *sampler, uint64_t seed,
                                             int64_t first_row, int64_t n, const float *condition,
                                             float *trajectory)
{
    status_begin();
    const struct passage p = {.seed = seed,
                              .first_row = first_row,
                              .n = n,
                              .condition = condition,
                              .trajectory = trajectory};
    return draw(sampler, p, "trajectory");
}

static fmatch_status integrate_from(fmatch_sampler *sampler, struct passage p, const char *output)
{
    RETURN_IF_FAILED(check_rows(sampler, &p));
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
    const struct passage p = {.x_start = x_start, .n = n, .condition = condition, .x_end = x_end};
    return integrate_from(sampler, p, "x_end");
}

fmatch_status fmatch_sampler_integrate_trajectory(fmatch_sampler *sampler, int64_t n,
                                                  const float *x_start, const float *condition,
                                                  float *trajectory)
{
    status_begin();
    const struct passage p = {
        .x_start = x_start, .n = n, .condition = condition, .trajectory = trajectory};
    return integrate_from(sampler, p, "trajectory");
}
