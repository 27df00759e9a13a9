#include "sample/fixed_steps.h"

#include "base/finite.h"
#include "base/status.h"

#include <string.h>

/* A step of the grid. */
struct step {
    int64_t number;
    double t, end;
};

static struct step step_of(const struct grid *grid, int64_t number)
{
    return (struct step){number, grid_time(grid, number), grid_time(grid, number + 1)};
}

/* What one thread needs to carry a block of rows. */
struct lane {
    float *x, *stage; /* [rows, dim] */
    float *slope[SOLVER_SLOPES_MAX];
    float *t;               /* [rows] */
    bool *guided;           /* [rows] */
    struct field_rows rows; /* of the block */
    int64_t first;          /* row of the call */
    float *noise;           /* [rows, dim], of a stochastic sampler */
    float *drift;           /* [3, dim], likewise */
    struct inpainting_rows inpainted;
};

int64_t fixed_steps_lane_size(const struct flow *f, int64_t rows)
{
    const fmatch_model *model = f->field.view.model;
    const int64_t noisy = f->stochastic->squares != NULL;
    const int64_t arrays = 2 + (f->field.guidance.scale != 1.0) + noisy + f->solver->stages;
    const int64_t floats = arrays * rows * model->dim + 2 * rows + 3 * noisy * model->dim;
    return (floats + 15) / 16 * 16 + model->kind->scratch_size(model, rows);
}

static struct lane lane_in(const struct flow *f, int32_t number)
{
    const fmatch_model *model = f->field.view.model;
    const int64_t cells = f->lane_rows * model->dim;
    float *room = f->room + number * f->lane_size;
    struct lane lane = {.rows = {.scratch = room}};
    room += model->kind->scratch_size(model, f->lane_rows);
    lane.x = room;
    lane.stage = lane.x + cells;
    room = lane.stage + cells;
    for (int32_t i = 0; i < f->solver->stages; i++, room += cells)
        lane.slope[i] = room;
    if (f->field.guidance.scale != 1.0) {
        lane.rows.null_velocity = room;
        room += cells;
    }
    if (f->stochastic->squares) {
        lane.noise = room;
        lane.drift = lane.noise + cells;
        room = lane.drift + 3 * (int64_t)model->dim;
    }
    lane.rows.t = lane.t = room;
    lane.rows.guided = lane.guided = (bool *)(room + f->lane_rows);
    return lane;
}

/* Where a stage of a step takes the field, row i of the tableau being the last one before it. */
static double time_of_stage(const struct solver *solver, const struct step *step, int32_t stage)
{
    const double c = stage > 0 ? solver_row(solver, stage)[0] : 0.0;
    return c == 1.0 ? step->end : step->t + c * (step->end - step->t);
}

static bool is_reused(const struct solver *solver, int64_t step, int32_t stage)
{
    return solver->reuses_slope && step > 0 && stage > 0;
}

int64_t fixed_steps_count_evaluations(const struct solver *solver, const struct grid *grid,
                                      const struct guidance *guidance)
{
    const int64_t steps = grid->steps, stages = solver->stages;
    int64_t count = solver->reuses_slope ? steps + 1 : steps * stages;
    for (int64_t i = 0; guidance->scale != 1.0 && i < steps; i++) {
        const struct step step = step_of(grid, i);
        for (int32_t stage = 0; stage < stages; stage++)
            count += !is_reused(solver, i, stage) &&
                     guidance_acts(guidance, time_of_stage(solver, &step, stage));
    }
    return count;
}

/* What the sampler makes of the velocity. */
static fmatch_status bend(const struct flow *f, const struct lane *lane, int64_t step,
                          int32_t stage, double t, const float *x, float *v)
{
    const fmatch_model *model = f->field.view.model;
    const struct stochastic_stage at = {.model = model,
                                        .step = step,
                                        .stage = stage,
                                        .t = t,
                                        .n = lane->rows.n,
                                        .room = lane->drift};
    RETURN_IF_FAILED(stochastic_bend(f->stochastic, &at, x, v));
    return inpainting_pull(&f->inpainting, model, t, &lane->inpainted, x, v);
}

static fmatch_status evaluate_stage(const struct flow *f, struct lane *lane,
                                    const struct step *step, int32_t stage, const float *x,
                                    float *v)
{
    const double t = time_of_stage(f->solver, step, stage);
    const int64_t cells = lane->rows.n * f->field.view.model->dim;
    for (int64_t i = 0; i < lane->rows.n; i++) {
        lane->t[i] = (float)t;
        lane->guided[i] = guidance_acts(&f->field.guidance, t);
    }
    lane->rows.x = x;
    RETURN_IF_FAILED(field_evaluate(&f->field, &lane->rows, v));
    if (finite_all(cells, v))
        return bend(f, lane, step->number, stage, t, x, v);
    const int64_t i = finite_first_not(cells, v);
    return status_fail(
        FMATCH_ERROR_NOT_FINITE, "row %lld: velocity is %s at t = %s",
        (long long)(f->passage.first_row + lane->first + i / f->field.view.model->dim),
        NUMBER(v[i]), NUMBER(t));
}

/* Adams and Bashforth's second step and on, with w = h / h of the step before:
 * x + h ((1 + w / 2) f - w / 2 f of the step before), in slopes of two places by turns. */
static fmatch_status take_step_from_last(const struct flow *f, struct lane *lane,
                                         const struct step *step)
{
    const fmatch_model *model = f->field.view.model;
    const double h = step->end - step->t;
    const double before = step->t - grid_time(f->grid, step->number - 1);
    const double w = before != 0.0 ? h / before : 0.0;
    float *const slopes[] = {lane->slope[step->number % 2], lane->slope[1 - step->number % 2]};
    const double weights[] = {1.0 + 0.5 * w, -0.5 * w};
    RETURN_IF_FAILED(evaluate_stage(f, lane, step, 0, lane->x, slopes[0]));
    solver_combine(model->context->kernels, lane->rows.n * model->dim, lane->x, h, 2, weights,
                   slopes, lane->x);
    return FMATCH_OK;
}

/* To the stage after the first, and then to the step, whose first part is the same. */
static void add_noise(const struct flow *f, const struct lane *lane, const struct step *step,
                      int32_t part, float *x)
{
    const fmatch_model *model = f->field.view.model;
    const struct vector_kernels *kernels = model->context->kernels;
    const struct random_stream stream = {kernels, f->passage.seed, STREAM_SAMPLER_STEP};
    const int64_t n = lane->rows.n;
    const bool drawn = part == 0 && x == lane->x && f->solver->stages > 1;
    if (!drawn) {
        const struct stochastic_part of = {.step = step->number,
                                           .part = part,
                                           .dim = model->dim,
                                           .first_row = f->passage.first_row + lane->first,
                                           .n = n};
        stochastic_draw(f->stochastic, &stream, &of, lane->noise);
        inpainting_mute(&f->inpainting, model->dim, step->t, &lane->inpainted, lane->noise);
    }
    kernels->add(n * model->dim, lane->noise, x);
}

static fmatch_status take_step(const struct flow *f, struct lane *lane, const struct step *step)
{
    const struct solver *solver = f->solver;
    const struct vector_kernels *kernels = f->field.view.model->context->kernels;
    const int64_t cells = lane->rows.n * f->field.view.model->dim;
    const double h = step->end - step->t;
    if (is_reused(solver, step->number, 1))
        return take_step_from_last(f, lane, step);
    const int32_t parts = stochastic_parts(f->stochastic, step->number);
    for (int32_t i = 0; i < solver->stages; i++) {
        if (i > 0)
            solver_combine(kernels, cells, lane->x, h, i, solver_row(solver, i) + 1, lane->slope,
                           lane->stage);
        if (i > 0 && parts > 0)
            add_noise(f, lane, step, 0, lane->stage);
        RETURN_IF_FAILED(
            evaluate_stage(f, lane, step, i, i > 0 ? lane->stage : lane->x, lane->slope[i]));
    }
    solver_combine(kernels, cells, lane->x, h, solver->stages,
                   solver_row(solver, solver->stages) + 1, lane->slope, lane->x);
    for (int32_t part = 0; part < parts; part++)
        add_noise(f, lane, step, part, lane->x);
    return FMATCH_OK;
}

static void keep_time(const struct flow *f, const struct lane *lane, int64_t time)
{
    const struct passage *p = &f->passage;
    const int32_t dim = f->field.view.model->dim;
    if (p->trajectory)
        memcpy(p->trajectory + (time * p->n + lane->first) * dim, lane->x,
               (size_t)(lane->rows.n * dim) * sizeof *lane->x);
}

static fmatch_status end_block(const struct flow *f, const struct lane *lane)
{
    const struct passage *p = &f->passage;
    const int32_t dim = f->field.view.model->dim;
    const int64_t cells = lane->rows.n * dim;
    const float *x = lane->x;
    if (!finite_all(cells, x)) {
        const int64_t i = finite_first_not(cells, x);
        return status_fail(FMATCH_ERROR_NOT_FINITE, "row %lld: x is %s at t = %s",
                           (long long)(p->first_row + lane->first + i / dim), NUMBER(x[i]),
                           NUMBER(f->grid->end));
    }
    if (p->x_end)
        memcpy(p->x_end + lane->first * dim, x, (size_t)cells * sizeof *x);
    return FMATCH_OK;
}

static fmatch_status integrate_block(void *user, int32_t number, int64_t first, int64_t rows)
{
    const struct flow *f = user;
    const float *condition = f->passage.condition;
    struct lane lane = lane_in(f, number);
    lane.first = first;
    lane.rows.n = rows;
    lane.rows.condition =
        condition ? condition + first * f->field.view.model->condition.columns : NULL;
    const int32_t dim = f->field.view.model->dim;
    const struct passage *p = &f->passage;
    lane.inpainted = (struct inpainting_rows){.n = rows,
                                              .known = p->known ? p->known + first * dim : NULL,
                                              .mask = p->mask ? p->mask + first * dim : NULL};
    RETURN_IF_FAILED(flow_begin_rows(f, first, rows, lane.x));
    keep_time(f, &lane, 0);
    for (int64_t i = 0; i < f->grid->steps; i++) {
        const struct step step = step_of(f->grid, i);
        RETURN_IF_FAILED(take_step(f, &lane, &step));
        inpainting_finish(&f->inpainting, dim, step.end, &lane.inpainted, lane.x);
        keep_time(f, &lane, i + 1);
    }
    return end_block(f, &lane);
}

fmatch_status fixed_steps_run(const struct flow *f)
{
    const struct model_blocks blocks = {
        .n = f->passage.n, .block = integrate_block, .user = (void *)f};
    return model_blocks_run(f->field.view.model, &blocks);
}
