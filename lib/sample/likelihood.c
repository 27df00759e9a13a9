/* Log-densities along the flow: log p_t(x_t) = log p_0(x_0) minus the integral of the divergence
 * from 0 to t. With steps of one length the divergence is taken where they begin and end, on the
 * path to the solver's accuracy, and not at every stage: a fourth of the tangents that RK4 on [x;
 * l] would push, for an integral of higher order. Adaptive solvers do follow [x; l].
 *
 * Where guidance begins or ends the divergence jumps: a stretch between has steps of its own. */
#include <flowmatch/likelihood.h>

#include "base/configuration.h"
#include "base/finite.h"
#include "base/status.h"
#include "sample/adaptive.h"

#include <math.h>
#include <string.h>

/* A call under way. Its flow names rows by passage.first_row, which is 0 of given points. */
struct density {
    struct flow flow;
    struct grid grid;
    struct step_control control;
    struct divergence_method method;
    fmatch_density_callbacks base; /* its log_density is NULL: that of the model's noise */
    bool drawn;                    /* from noise, forward */
    double *log_density;
    fmatch_sampler_rows taken; /* by each row of an adaptive solver; its arrays may be NULL */
};

/* A part of the way on which the flow is guided, or not, all along. */
struct stretch {
    struct grid grid; /* of steps of equal length */
    bool guided;
};

/* Rows on a lane. */
struct passengers {
    int64_t first;  /* in the call */
    double *x;      /* [n, dim] */
    float *rounded; /* [n, dim] */
    float *t;       /* [n] */
    bool *guided;   /* [n] */
    float *slope[SOLVER_SLOPES_MAX];
    struct field_rows rows;
};

void fmatch_likelihood_config_init_sized(fmatch_likelihood_config *config, size_t size)
{
    const fmatch_likelihood_config recommended = {
        .solver = FMATCH_SOLVER_RK4, .steps = 50, .t = 1.0, .guidance_t_end = 1.0};
    configuration_write(config, size, &recommended, sizeof recommended);
}

static bool is_adaptive(const struct density *d)
{
    return d->flow.solver->error_order > 0;
}

static fmatch_status read_base(struct density *d, const fmatch_density_callbacks *base)
{
    if (!base) {
        if (d->flow.field.view.model->noise->kind->log_density)
            return FMATCH_OK;
        return status_fail(FMATCH_ERROR_UNSUPPORTED,
                           "the model's noise has no log-density; config->base can give one");
    }
    RETURN_IF_FAILED(
        configuration_read(&d->base, sizeof d->base, sizeof d->base, base, "config->base"));
    RETURN_IF_FAILED(configuration_check_flags("config->base->flags", d->base.flags));
    if (!d->base.log_density)
        return status_fail(FMATCH_ERROR_ARGUMENT, "config->base->log_density is NULL");
    return FMATCH_OK;
}

/* Where the flow is between t = 0 and the density's time. */
static fmatch_status read_config(struct density *d, const fmatch_likelihood_config *config)
{
    const struct interval times = {.lowest = 0.0, .highest = 1.0, .open_below = true};
    const fmatch_model *model = d->flow.field.view.model;
    fmatch_likelihood_config c;
    fmatch_likelihood_config_init(&c);
    if (config)
        RETURN_IF_FAILED(configuration_read(&c, sizeof c, sizeof c, config, "config"));
    CHECK_RANGE("config->solver", c.solver, FMATCH_SOLVER_EULER, FMATCH_SOLVER_TSITOURAS);
    CHECK_RANGE("config->steps_max", c.steps_max, 0, STEP_TRIES_MAX);
    RETURN_IF_FAILED(configuration_check_double("config->t", c.t, times));
    RETURN_IF_FAILED(configuration_check_flags("config->flags", c.flags));
    const fmatch_sampler_config way = {.steps = c.steps,
                                       .t_start = d->drawn ? 0.0 : c.t,
                                       .t_end = d->drawn ? c.t : 0.0,
                                       .guidance = c.guidance,
                                       .guidance_strength = c.guidance_strength,
                                       .guidance_t_start = c.guidance_t_start,
                                       .guidance_t_end = c.guidance_t_end,
                                       .tolerance_absolute = c.tolerance_absolute,
                                       .tolerance_relative = c.tolerance_relative,
                                       .step_first = c.step_first,
                                       .step_smallest = c.step_smallest,
                                       .step_largest = c.step_largest,
                                       .steps_max = (int32_t)c.steps_max};
    d->flow.solver = solver_get(c.solver);
    RETURN_IF_FAILED(grid_create(&d->grid, &model->context->allocator, &way, is_adaptive(d)));
    RETURN_IF_FAILED(step_control_read(&d->control, way, is_adaptive(d)));
    RETURN_IF_FAILED(guidance_check(&way, model));
    d->flow.field.guidance = guidance_of(&way);
    RETURN_IF_FAILED(divergence_method_read(&d->method, model->context->kernels,
                                            "config->divergence", c.divergence));
    d->flow.field.divergence = &d->method;
    d->flow.grid = &d->grid;
    d->flow.control = &d->control;
    if (c.rows) {
        if (!is_adaptive(d))
            return status_fail(FMATCH_ERROR_ARGUMENT,
                               "config->rows is set while config->solver is %d, which takes the "
                               "same steps for all rows",
                               (int)c.solver);
        RETURN_IF_FAILED(configuration_read(&d->taken, sizeof d->taken, sizeof d->taken, c.rows,
                                            "config->rows"));
        RETURN_IF_FAILED(configuration_check_flags("config->rows->flags", d->taken.flags));
    }
    return read_base(d, c.base);
}

static fmatch_status name_row(const struct density *d, int64_t row, const char *what, double value,
                              double t)
{
    return status_fail(FMATCH_ERROR_NOT_FINITE, "row %lld: %s is %s at t = %s",
                       (long long)(d->flow.passage.first_row + row), what, NUMBER(value),
                       NUMBER(t));
}

/* ---- both ends ---- */

/* log p_0 at rows at t = 0, into the call's output. */
static fmatch_status put_base(const struct density *d, int64_t first, int64_t n, const float *x)
{
    const fmatch_source *noise = d->flow.field.view.model->noise;
    double *log_density = d->log_density + first;
    if (!d->base.log_density)
        return noise->kind->log_density(noise, n, x, log_density);
    struct status_kept kept;
    status_keep(&kept);
    const int32_t code = d->base.log_density(d->base.user, n, x, log_density);
    status_restore(&kept);
    return status_of_callback("log_density", code);
}

/* Takes the integral from 0 to t off log p_0. */
static fmatch_status subtract(const struct density *d, int64_t first, int64_t n,
                              const double *integral)
{
    for (int64_t i = 0; i < n; i++) {
        double *log_density = &d->log_density[first + i];
        *log_density -= d->drawn ? integral[i] : -integral[i];
        if (isnan(*log_density) || *log_density == (double)INFINITY || !isfinite(integral[i]))
            return name_row(d, first + i, "log-density", *log_density,
                            fmax(d->grid.start, d->grid.end));
    }
    return FMATCH_OK;
}

/* ---- the integral ---- */

/* Gregory's rule with differences up to the fourth (Hildebrand, "Introduction to numerical
 * analysis", 1974, section 5.8), of order 6: the weight of the value at time i of steps + 1, in
 * units of a step. With fewer than five times, the rule that is exact for their polynomial. */
static double weight_of_time(int64_t i, int64_t steps)
{
    enum { DIFFERENCES = 4 };
    static const double ends[DIFFERENCES + 1][DIFFERENCES + 1] = {
        {0},
        {-7.0 / 12, 1.0 / 12},
        {-5.0 / 8, 1.0 / 6, -1.0 / 24},
        {-469.0 / 720, 59.0 / 240, -29.0 / 240, 19.0 / 720},
        {-193.0 / 288, 77.0 / 240, -7.0 / 30, 73.0 / 720, -3.0 / 160},
    };
    const double *end = ends[steps < DIFFERENCES ? steps : DIFFERENCES];
    return 1.0 + (i <= DIFFERENCES ? end[i] : 0.0) +
           (steps - i <= DIFFERENCES ? end[steps - i] : 0.0);
}

/* ---- a block of rows with steps of one length ---- */

/* The one that begins at t, with its share of the steps; but not one step alone, whose rule is of
 * order 2. */
static struct stretch stretch_from(const struct density *d, double t)
{
    const struct guidance *g = &d->flow.field.guidance;
    const bool conditions = d->flow.passage.condition != NULL;
    struct stretch s = {.grid = d->grid};
    s.grid.start = t;
    s.grid.end = conditions ? guidance_stretch(g, t, d->grid.end) : d->grid.end;
    s.guided = conditions && guidance_acts(g, 0.5 * (t + s.grid.end));
    const double share = (s.grid.end - t) / (d->grid.end - d->grid.start);
    if (share < 1.0)
        s.grid.steps = (int64_t)fmax(2.0, round(share * (double)d->grid.steps));
    return s;
}

static double weight_at(const struct grid *grid, int64_t step)
{
    return (grid->end - grid->start) / (double)grid->steps * weight_of_time(step, grid->steps);
}

/* v at a stage, and, where it has a weight, its part of the integral. */
static fmatch_status take_stage(const struct density *d, struct passengers *p, int32_t stage,
                                double t, double weight)
{
    const struct field *field = &d->flow.field;
    const int32_t dim = field->view.model->dim;
    const int64_t cells = p->rows.n * dim;
    float *v = p->slope[stage];
    for (int64_t i = 0; i < p->rows.n; i++)
        p->t[i] = (float)t;
    p->rows.weight = weight;
    RETURN_IF_FAILED(field_evaluate(field, &p->rows, v));
    if (finite_all(cells, v))
        return FMATCH_OK;
    const int64_t i = finite_first_not(cells, v);
    return name_row(d, p->first + i / dim, "velocity", (double)v[i], t);
}

/* x + h times so many slopes, weighted. */
static void move(const struct density *d, const struct passengers *p, int32_t slopes,
                 const double *weights, double h, bool stay)
{
    for (int64_t k = 0; k < p->rows.n * d->flow.field.view.model->dim; k++) {
        double sum = 0.0;
        for (int32_t i = 0; i < slopes; i++)
            sum += weights[i] * (double)p->slope[i][k];
        const double x = p->x[k] + h * sum;
        p->rounded[k] = (float)x;
        if (!stay)
            p->x[k] = x;
    }
}

static fmatch_status take_step(const struct density *d, struct passengers *p,
                               const struct grid *grid, int64_t step)
{
    const struct solver *solver = d->flow.solver;
    const bool reuses = solver->reuses_slope && step > 0;
    const double t = grid_time(grid, step), h = grid_time(grid, step + 1) - t;
    if (reuses) { /* the slope of the step before; steps of one length */
        float *last = p->slope[0];
        p->slope[0] = p->slope[1];
        p->slope[1] = last;
    }
    RETURN_IF_FAILED(take_stage(d, p, 0, t, weight_at(grid, step)));
    if (reuses) {
        static const double weights[] = {1.5, -0.5};
        move(d, p, 2, weights, h, false);
        return FMATCH_OK;
    }
    for (int32_t i = 1; i < solver->stages; i++) {
        const double *row = solver_row(solver, i);
        move(d, p, i, row + 1, h, true);
        RETURN_IF_FAILED(take_stage(d, p, i, t + row[0] * h, 0.0));
    }
    move(d, p, solver->stages, solver_row(solver, solver->stages) + 1, h, false);
    return FMATCH_OK;
}

static fmatch_status begin(const struct density *d, struct passengers *p)
{
    const int64_t n = p->rows.n;
    const struct divergence *divergence = &p->rows.divergence;
    RETURN_IF_FAILED(flow_begin_rows(&d->flow, p->first, n, p->rounded));
    if (d->drawn)
        RETURN_IF_FAILED(put_base(d, p->first, n, p->rounded));
    for (int64_t k = 0; k < n * d->flow.field.view.model->dim; k++)
        p->x[k] = (double)p->rounded[k];
    for (int64_t i = 0; i < n; i++)
        divergence->row[i] = d->flow.passage.first_probe + p->first + i;
    for (int64_t i = 0; i < n * divergence_terms(&d->method); i++)
        divergence->terms[i] = 0.0;
    return FMATCH_OK;
}

static fmatch_status end(const struct density *d, struct passengers *p)
{
    const struct passage *passage = &d->flow.passage;
    const int32_t dim = d->flow.field.view.model->dim;
    const int64_t n = p->rows.n, cells = n * dim, bad = finite_first_not(cells, p->rounded);
    double *integral = p->x; /* which is rounded by now */
    if (bad < cells)
        return name_row(d, p->first + bad / dim, "x", (double)p->rounded[bad], d->grid.end);
    if (!d->drawn)
        RETURN_IF_FAILED(put_base(d, p->first, n, p->rounded));
    if (passage->x_end)
        memcpy(passage->x_end + p->first * dim, p->rounded, (size_t)cells * sizeof *p->rounded);
    divergence_mean(&p->rows.divergence, n, integral,
                    passage->standard_error ? passage->standard_error + p->first : NULL);
    return subtract(d, p->first, n, integral);
}

/* In floats, of a lane. */
static int64_t lane_size(const struct flow *f, int64_t rows)
{
    const int64_t dim = f->field.view.model->dim;
    const int64_t arrays = 2 + f->solver->stages + 1 + (f->field.guidance.scale != 1.0);
    const int64_t numbers = 2 * (2 + divergence_terms(f->field.divergence)) + 2;
    return (rows * (arrays * dim + numbers) + 15) / 16 * 16 + field_scratch_size(&f->field, rows);
}

/* Rows from `first` on, on a lane. */
static struct passengers passengers_on(const struct flow *f, int32_t lane, int64_t first, int64_t n)
{
    const fmatch_model *model = f->field.view.model;
    const int64_t rows = f->lane_rows, cells = rows * model->dim;
    const float *condition = f->passage.condition;
    struct passengers p = {.first = first};
    float *room = f->room + lane * f->lane_size;
    p.rows.scratch = room;
    p.x = (double *)(void *)(room + field_scratch_size(&f->field, rows)); /* aligned for any type */
    double *weight = p.x + cells, *terms = weight + 2 * rows;
    p.rows.divergence = (struct divergence){.method = f->field.divergence,
                                            .row = (int64_t *)(void *)(weight + rows),
                                            .weight = weight,
                                            .terms = terms,
                                            .stride = n};
    room = (float *)(terms + rows * divergence_terms(f->field.divergence));
    p.rows.t = p.t = room;
    p.rows.guided = p.guided = (bool *)(room + rows);
    p.rows.x = p.rounded = room + 2 * rows;
    for (int32_t i = 0; i < f->solver->stages; i++)
        p.slope[i] = p.rounded + (i + 1) * cells;
    p.rows.null_velocity = p.rounded + (f->solver->stages + 1) * cells;
    p.rows.n = n;
    p.rows.condition = condition ? condition + first * model->condition.columns : NULL;
    return p;
}

static fmatch_status carry(const struct density *d, int32_t lane, int64_t first, int64_t n)
{
    struct passengers p = passengers_on(&d->flow, lane, first, n);
    RETURN_IF_FAILED(begin(d, &p));
    for (double t = d->grid.start; t != d->grid.end;) {
        const struct stretch s = stretch_from(d, t);
        for (int64_t i = 0; i < n; i++)
            p.guided[i] = s.guided;
        for (int64_t step = 0; step < s.grid.steps; step++)
            RETURN_IF_FAILED(take_step(d, &p, &s.grid, step));
        t = s.grid.end;
        RETURN_IF_FAILED(take_stage(d, &p, 0, t, weight_at(&s.grid, s.grid.steps)));
    }
    return end(d, &p);
}

static fmatch_status carry_block(void *user, int32_t lane, int64_t first, int64_t rows)
{
    const struct density *d = user;
    const int64_t together = d->flow.lane_rows;
    for (int64_t i = 0; i < rows; i += together)
        RETURN_IF_FAILED(carry(d, lane, first + i, rows - i < together ? rows - i : together));
    return FMATCH_OK;
}

/* The caller's function runs on the calling thread. */
static fmatch_status carry_all(struct density *d)
{
    const int64_t n = d->flow.passage.n;
    if (d->base.log_density)
        return carry_block(d, 0, 0, n);
    const struct model_blocks blocks = {.n = n, .block = carry_block, .user = d};
    return model_blocks_run(d->flow.field.view.model, &blocks);
}

/* ---- adaptive steps ---- */

/* Rows are followed where they come out, from where they begin. */
static fmatch_status follow_all(struct density *d)
{
    struct passage *p = &d->flow.passage;
    RETURN_IF_FAILED(flow_begin_rows(&d->flow, 0, p->n, p->x_end));
    if (d->drawn)
        RETURN_IF_FAILED(put_base(d, 0, p->n, p->x_end));
    p->x_start = p->x_end;
    const fmatch_status run = adaptive_run(&d->flow);
    if (run != FMATCH_OK && run != FMATCH_ERROR_STEP_LIMIT && run != FMATCH_ERROR_NOT_FINITE)
        return run;
    struct status_kept told;
    status_keep(&told);
    for (int64_t i = 0; i < p->n; i++)
        row_record_put(&d->flow.records[i], &d->taken, i);
    if (!d->drawn)
        RETURN_IF_FAILED(put_base(d, 0, p->n, p->x_end));
    fmatch_status status = FMATCH_OK;
    for (int64_t i = p->n - 1; i >= 0; i--) { /* what is said is of the first row that fails */
        if (d->flow.records[i].outcome == ROW_ARRIVED) {
            const fmatch_status row = subtract(d, i, 1, p->integral + i);
            status = row == FMATCH_OK ? status : row;
            continue;
        }
        d->log_density[i] = NAN;
        if (p->standard_error)
            p->standard_error[i] = NAN;
        status_restore(&told);
        status = run;
    }
    return status;
}

/* What adaptive steps keep of all rows, in doubles: records, integrals, and x where nobody asks for
 * it. NULL: for its size alone. */
static int64_t lay_out_rows(struct flow *f, double *room)
{
    struct passage *p = &f->passage;
    const int64_t dim = f->field.view.model->dim;
    const int64_t record = (int64_t)(sizeof(struct row_record) / sizeof(double));
    const int64_t others = p->n * (record + 1);
    const int64_t x = p->x_end ? 0 : (p->n * dim + 1) / 2;
    if (room) {
        f->records = (struct row_record *)(void *)room;
        p->integral = room + p->n * record;
        if (x > 0)
            p->x_end = (float *)(room + others);
    }
    return others + x;
}

/* ---- a call ---- */

static fmatch_status run(struct density *d)
{
    struct flow *f = &d->flow;
    const fmatch_model *model = f->field.view.model;
    const fmatch_allocator *allocator = &model->context->allocator;
    const int64_t n = f->passage.n, most = divergence_rows_together(&d->method);
    const bool adaptive = is_adaptive(d);
    const int64_t lanes = d->base.log_density && !adaptive ? 1 : model_blocks_lanes(model, n);
    f->lane_rows = n < most ? n : most;
    f->lane_size = (adaptive ? adaptive_lane_size : lane_size)(f, f->lane_rows);
    const int64_t of_lanes = lanes * f->lane_size;
    const int64_t floats = of_lanes + (adaptive ? 2 * lay_out_rows(f, NULL) : 0);
    f->room = allocation_create(allocator, floats, sizeof *f->room);
    if (!f->room)
        return status_no_memory((size_t)floats * sizeof *f->room);
    if (adaptive)
        lay_out_rows(f, (double *)(void *)(f->room + of_lanes));
    model_view_begin(&f->field.view);
    const fmatch_status status = (adaptive ? follow_all : carry_all)(d);
    model_view_end(&f->field.view);
    allocation_destroy(allocator, f->room);
    return status;
}

/* At x, which is where rows begin or where they end up. */
static fmatch_status evaluate(const fmatch_model *model, const fmatch_likelihood_config *config,
                              const float *x, const struct passage *p, double *log_density)
{
    status_begin();
    CHECK_NOT_NULL(model);
    struct density d = {.flow = {.field = {.view = {.model = model}}, .passage = *p},
                        .drawn = !p->x_start,
                        .log_density = log_density};
    const int64_t n = p->n, first_row = p->first_probe;
    RETURN_IF_FAILED(read_config(&d, config));
    CHECK_RANGE("n", n, 0, SOURCE_ROWS_MAX / model->dim);
    CHECK_RANGE("first_row", first_row, 0, SOURCE_ROWS_MAX - n);
    RETURN_IF_FAILED(condition_check(&model->condition, "condition", n, p->condition));
    if (n == 0)
        return FMATCH_OK;
    CHECK_NOT_NULL(log_density);
    CHECK_NOT_NULL(x);
    if (p->x_start)
        RETURN_IF_FAILED(status_check_finite("x", 0, n, model->dim, x));
    return run(&d);
}

fmatch_status fmatch_likelihood_evaluate(const fmatch_model *model,
                                         const fmatch_likelihood_config *config, int64_t n,
                                         const float *x, const float *condition, int64_t first_row,
                                         double *log_density, double *standard_error, float *x0)
{
    const struct passage p = {.x_start = x,
                              .n = n,
                              .condition = condition,
                              .x_end = x0,
                              .first_probe = first_row,
                              .standard_error = standard_error};
    return evaluate(model, config, x, &p, log_density);
}

fmatch_status fmatch_likelihood_draw(const fmatch_model *model,
                                     const fmatch_likelihood_config *config, uint64_t seed,
                                     int64_t first_row, int64_t n, const float *condition, float *x,
                                     double *log_density, double *standard_error)
{
    const struct passage p = {.seed = seed,
                              .first_row = first_row,
                              .n = n,
                              .condition = condition,
                              .x_end = x,
                              .first_probe = first_row,
                              .standard_error = standard_error};
    return evaluate(model, config, x, &p, log_density);
}
