/* Log-densities along the flow: log p_t(x_t) = log p_0(x_0) minus the integral of the divergence
 * from 0 to t. The divergence is taken where steps begin and end, on the path to the solver's
 * accuracy, and not at every stage: a fourth of the tangents that RK4 on [x; l] would push, for an
 * integral of higher order. */
#include <flowmatch/likelihood.h>

#include "base/configuration.h"
#include "base/finite.h"
#include "base/status.h"
#include "model/divergence.h"
#include "model/model.h"
#include "sample/field.h"
#include "sample/solver.h"

#include <math.h>
#include <string.h>

enum { STEPS_MAX = 1 << 24 };

/* A call under way. */
struct flow {
    struct model_view view;
    struct divergence_method method;
    const struct solver *solver;
    int64_t steps;
    double t_start, t_end;
    struct guidance guidance;
    fmatch_density_callbacks base; /* its log_density is NULL: that of the model's noise */

    int64_t n, first_row;
    const float *x_start; /* [n, dim], or NULL: noise */
    uint64_t seed;        /* of the noise */
    const float *condition;
    float *x_end; /* [n, dim], or NULL */
    double *log_density, *standard_error;

    int64_t together; /* rows that a lane carries at once */
    float *floats;    /* of all lanes */
    double *doubles;
    int64_t model_size, floats_size, doubles_size; /* of a lane; the model's is part of floats */
};

/* Rows on a lane, [n, dim] each but t [n]. */
struct passengers {
    int64_t first, n; /* in the call */
    double *x;
    float *rounded, *t, *model_scratch;
    float *null_velocity; /* where there is guidance */
    float *slope[SOLVER_SLOPES_MAX];
    struct divergence divergence;
};

void fmatch_likelihood_config_init_sized(fmatch_likelihood_config *config, size_t size)
{
    const fmatch_likelihood_config recommended = {
        .solver = FMATCH_SOLVER_RK4, .steps = 50, .t = 1.0, .guidance_t_end = 1.0};
    configuration_write(config, size, &recommended, sizeof recommended);
}

static fmatch_status read_base(struct flow *f, const fmatch_density_callbacks *base)
{
    if (!base) {
        if (f->view.model->noise->kind->log_density)
            return FMATCH_OK;
        return status_fail(FMATCH_ERROR_UNSUPPORTED,
                           "the model's noise has no log-density; config->base can give one");
    }
    RETURN_IF_FAILED(
        configuration_read(&f->base, sizeof f->base, sizeof f->base, base, "config->base"));
    RETURN_IF_FAILED(configuration_check_flags("config->base->flags", f->base.flags));
    if (!f->base.log_density)
        return status_fail(FMATCH_ERROR_ARGUMENT, "config->base->log_density is NULL");
    return FMATCH_OK;
}

/* Where the flow is between t = 0 and the density's time. */
static fmatch_status read_config(struct flow *f, const fmatch_likelihood_config *config, double *t)
{
    const struct interval times = {.lowest = 0.0, .highest = 1.0, .open_below = true};
    fmatch_likelihood_config c;
    fmatch_likelihood_config_init(&c);
    if (config)
        RETURN_IF_FAILED(configuration_read(&c, sizeof c, sizeof c, config, "config"));
    f->solver = solver_get(c.solver);
    if (!f->solver || f->solver->error_order > 0 || f->solver->reuses_slope)
        return status_fail(FMATCH_ERROR_ARGUMENT,
                           "config->solver is %d; it must be a method of Runge and Kutta with "
                           "fixed steps",
                           (int)c.solver);
    CHECK_RANGE("config->steps", c.steps, 1, STEPS_MAX);
    RETURN_IF_FAILED(configuration_check_double("config->t", c.t, times));
    RETURN_IF_FAILED(configuration_check_flags("config->flags", c.flags));
    const fmatch_sampler_config guidance = {.guidance = c.guidance,
                                            .guidance_strength = c.guidance_strength,
                                            .guidance_t_start = c.guidance_t_start,
                                            .guidance_t_end = c.guidance_t_end};
    RETURN_IF_FAILED(guidance_check(&guidance, f->view.model));
    f->guidance = guidance_of(&guidance);
    RETURN_IF_FAILED(divergence_method_read(&f->method, f->view.model->context->kernels,
                                            "config->divergence", c.divergence));
    f->steps = c.steps;
    *t = c.t;
    return read_base(f, c.base);
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

/* ---- a block of rows ---- */

static double time_of_step(const struct flow *f, int64_t step)
{
    return step == f->steps
               ? f->t_end
               : f->t_start + (f->t_end - f->t_start) * (double)step / (double)f->steps;
}

static double weight_at(const struct flow *f, int64_t step)
{
    return (f->t_end - f->t_start) / (double)f->steps * weight_of_time(step, f->steps);
}

static fmatch_status name_row(const struct flow *f, const struct passengers *p, const char *what,
                              int64_t row, double value, double t)
{
    return status_fail(FMATCH_ERROR_NOT_FINITE, "row %lld: %s is %s at t = %s",
                       (long long)((f->x_start ? 0 : f->first_row) + p->first + row), what,
                       NUMBER(value), NUMBER(t));
}

/* v, and its part of the integral where it has a weight. */
static fmatch_status evaluate_field(const struct flow *f, struct passengers *p,
                                    const struct model_rows *rows, double weight, float *v)
{
    const fmatch_model *model = f->view.model;
    p->divergence.weight = weight;
    return weight == 0 ? model_view_evaluate(&f->view, p->model_scratch, rows, v)
                       : model->kind->diverge(model, f->view.snapshot, p->model_scratch, rows,
                                              &p->divergence, v);
}

/* v_null + scale (v - v_null), and its divergence likewise. */
static fmatch_status evaluate_guided(const struct flow *f, struct passengers *p,
                                     const struct model_rows *rows, double weight, float *v)
{
    const double scale = f->guidance.scale;
    const struct model_rows null = {.n = rows->n, .x = rows->x, .t = rows->t};
    RETURN_IF_FAILED(evaluate_field(f, p, rows, weight * scale, v));
    RETURN_IF_FAILED(evaluate_field(f, p, &null, weight * (1.0 - scale), p->null_velocity));
    for (int64_t k = 0; k < rows->n * f->view.model->dim; k++)
        v[k] = p->null_velocity[k] + (float)scale * (v[k] - p->null_velocity[k]);
    return FMATCH_OK;
}

/* v at a stage, and, where it has a weight, its part of the integral. */
static fmatch_status take_stage(const struct flow *f, struct passengers *p, int32_t stage, double t,
                                double weight)
{
    const fmatch_model *model = f->view.model;
    const int32_t dim = model->dim;
    float *v = p->slope[stage];
    for (int64_t i = 0; i < p->n; i++)
        p->t[i] = (float)t;
    const struct model_rows rows = {
        .n = p->n,
        .x = p->rounded,
        .t = p->t,
        .condition = f->condition ? f->condition + p->first * model->condition.columns : NULL};
    const bool guided = f->condition && guidance_acts(&f->guidance, t);
    RETURN_IF_FAILED((guided ? evaluate_guided : evaluate_field)(f, p, &rows, weight, v));
    if (finite_all(p->n * dim, v))
        return FMATCH_OK;
    const int64_t i = finite_first_not(p->n * dim, v);
    return name_row(f, p, "velocity", i / dim, (double)v[i], t);
}

/* x + h times the weighted slopes of a row of the tableau, which begins with its time. */
static void move(const struct flow *f, const struct passengers *p, int32_t row, double h, bool stay)
{
    const double *weights = solver_row(f->solver, row) + 1;
    for (int64_t k = 0; k < p->n * f->view.model->dim; k++) {
        double sum = 0.0;
        for (int32_t i = 0; i < row; i++)
            sum += weights[i] * (double)p->slope[i][k];
        const double x = p->x[k] + h * sum;
        p->rounded[k] = (float)x;
        if (!stay)
            p->x[k] = x;
    }
}

static fmatch_status take_step(const struct flow *f, struct passengers *p, int64_t step)
{
    const int32_t stages = f->solver->stages;
    const double t = time_of_step(f, step), h = time_of_step(f, step + 1) - t;
    RETURN_IF_FAILED(take_stage(f, p, 0, t, weight_at(f, step)));
    for (int32_t i = 1; i < stages; i++) {
        move(f, p, i, h, true);
        RETURN_IF_FAILED(take_stage(f, p, i, t + solver_row(f->solver, i)[0] * h, 0.0));
    }
    move(f, p, stages, h, false);
    return FMATCH_OK;
}

/* log p_0 at `rounded`, the rows at t = 0, into the call's output. */
static fmatch_status put_base(const struct flow *f, const struct passengers *p)
{
    const fmatch_source *noise = f->view.model->noise;
    double *log_density = f->log_density + p->first;
    if (!f->base.log_density)
        return noise->kind->log_density(noise, p->n, p->rounded, log_density);
    struct status_kept kept;
    status_keep(&kept);
    const int32_t code = f->base.log_density(f->base.user, p->n, p->rounded, log_density);
    status_restore(&kept);
    return status_of_callback("log_density", code);
}

static fmatch_status begin(const struct flow *f, struct passengers *p)
{
    const fmatch_model *model = f->view.model;
    const int64_t cells = p->n * model->dim;
    if (f->x_start) {
        memcpy(p->rounded, f->x_start + p->first * model->dim, (size_t)cells * sizeof *p->rounded);
    } else {
        const struct random_stream stream =
            source_stream(model->noise, f->seed, STREAM_SAMPLER_NOISE);
        const struct source_rows rows = {.x = p->rounded};
        RETURN_IF_FAILED(source_draw(model->noise, &stream, f->first_row + p->first, p->n, &rows));
        RETURN_IF_FAILED(put_base(f, p));
    }
    for (int64_t k = 0; k < cells; k++)
        p->x[k] = (double)p->rounded[k];
    for (int64_t i = 0; i < p->n * divergence_terms(&f->method); i++)
        p->divergence.terms[i] = 0.0;
    return FMATCH_OK;
}

static fmatch_status end(const struct flow *f, struct passengers *p)
{
    const int32_t dim = f->view.model->dim;
    const int64_t cells = p->n * dim, bad = finite_first_not(cells, p->rounded);
    double *integral = p->x; /* which is rounded by now */
    if (bad < cells)
        return name_row(f, p, "x", bad / dim, (double)p->rounded[bad], f->t_end);
    if (f->x_start)
        RETURN_IF_FAILED(put_base(f, p));
    if (f->x_end)
        memcpy(f->x_end + p->first * dim, p->rounded, (size_t)cells * sizeof *p->rounded);
    divergence_mean(&p->divergence, p->n, integral,
                    f->standard_error ? f->standard_error + p->first : NULL);
    for (int64_t i = 0; i < p->n; i++) {
        double *log_density = &f->log_density[p->first + i];
        *log_density -= f->t_end > f->t_start ? integral[i] : -integral[i];
        if (isnan(*log_density) || *log_density == (double)INFINITY || !isfinite(integral[i]))
            return name_row(f, p, "log-density", i, *log_density, fmax(f->t_start, f->t_end));
    }
    return FMATCH_OK;
}

/* Of [n, dim] floats on a lane. */
static int64_t arrays_of(const struct flow *f)
{
    return f->solver->stages + 1 + (f->guidance.scale != 1.0);
}

static fmatch_status carry(const struct flow *f, int32_t lane, int64_t first, int64_t n)
{
    const int64_t cells = f->together * f->view.model->dim;
    double *doubles = f->doubles + lane * f->doubles_size;
    float *floats = f->floats + lane * f->floats_size;
    struct passengers p = {.first = first,
                           .n = n,
                           .x = doubles,
                           .model_scratch = floats,
                           .rounded = floats + f->model_size,
                           .divergence = {.method = &f->method,
                                          .first_row = f->first_row + first,
                                          .terms = doubles + cells,
                                          .stride = n}};
    for (int32_t i = 0; i < f->solver->stages; i++)
        p.slope[i] = p.rounded + (i + 1) * cells;
    p.null_velocity = p.rounded + (f->solver->stages + 1) * cells;
    p.t = p.rounded + arrays_of(f) * cells;
    RETURN_IF_FAILED(begin(f, &p));
    for (int64_t step = 0; step < f->steps; step++)
        RETURN_IF_FAILED(take_step(f, &p, step));
    RETURN_IF_FAILED(take_stage(f, &p, 0, f->t_end, weight_at(f, f->steps)));
    return end(f, &p);
}

static fmatch_status carry_block(void *user, int32_t lane, int64_t first, int64_t rows)
{
    const struct flow *f = user;
    for (int64_t i = 0; i < rows; i += f->together)
        RETURN_IF_FAILED(
            carry(f, lane, first + i, rows - i < f->together ? rows - i : f->together));
    return FMATCH_OK;
}

/* ---- a call ---- */

/* The caller's function runs on the calling thread. */
static fmatch_status carry_all(struct flow *f)
{
    if (!f->base.log_density) {
        const struct model_blocks blocks = {.n = f->n, .block = carry_block, .user = f};
        return model_blocks_run(f->view.model, &blocks);
    }
    return carry_block(f, 0, 0, f->n);
}

static fmatch_status run(struct flow *f)
{
    const fmatch_model *model = f->view.model;
    const fmatch_allocator *allocator = &model->context->allocator;
    const int64_t most = divergence_rows_together(&f->method);
    const int32_t lanes = f->base.log_density ? 1 : model_blocks_lanes(model, f->n);
    f->together = f->n < most ? f->n : most;
    const int64_t one = model->kind->scratch_size(model, f->together);
    const int64_t other = model->kind->diverge_size(model, f->together);
    f->model_size = one > other ? one : other;
    const int64_t cells = f->together * model->dim;
    f->floats_size = (f->model_size + arrays_of(f) * cells + f->together + 15) / 16 * 16;
    f->doubles_size = cells + f->together * divergence_terms(&f->method);
    f->floats = allocation_create(allocator, lanes * f->floats_size, sizeof *f->floats);
    f->doubles = allocation_create(allocator, lanes * f->doubles_size, sizeof *f->doubles);
    fmatch_status status = FMATCH_OK;
    if (f->floats && f->doubles) {
        model_view_begin(&f->view);
        status = carry_all(f);
        model_view_end(&f->view);
    } else {
        status = status_no_memory((size_t)lanes * ((size_t)f->floats_size * sizeof *f->floats +
                                                   (size_t)f->doubles_size * sizeof *f->doubles));
    }
    allocation_destroy(allocator, f->doubles);
    allocation_destroy(allocator, f->floats);
    return status;
}

static fmatch_status check_rows(const struct flow *f)
{
    const fmatch_model *model = f->view.model;
    const int64_t n = f->n, first_row = f->first_row;
    const double *log_density = f->log_density;
    CHECK_RANGE("n", n, 0, SOURCE_ROWS_MAX / model->dim);
    CHECK_RANGE("first_row", first_row, 0, SOURCE_ROWS_MAX - n);
    if (n > 0)
        CHECK_NOT_NULL(log_density);
    return condition_check(&model->condition, "condition", n, f->condition);
}

fmatch_status fmatch_likelihood_evaluate(const fmatch_model *model,
                                         const fmatch_likelihood_config *config, int64_t n,
                                         const float *x, const float *condition, int64_t first_row,
                                         double *log_density, double *standard_error, float *x0)
{
    status_begin();
    CHECK_NOT_NULL(model);
    struct flow f = {.view = {.model = model},
                     .n = n,
                     .first_row = first_row,
                     .x_start = x,
                     .condition = condition,
                     .x_end = x0,
                     .log_density = log_density,
                     .standard_error = standard_error};
    RETURN_IF_FAILED(read_config(&f, config, &f.t_start));
    RETURN_IF_FAILED(check_rows(&f));
    if (n == 0)
        return FMATCH_OK;
    CHECK_NOT_NULL(x);
    RETURN_IF_FAILED(status_check_finite("x", 0, n, model->dim, x));
    return run(&f);
}

fmatch_status fmatch_likelihood_draw(const fmatch_model *model,
                                     const fmatch_likelihood_config *config, uint64_t seed,
                                     int64_t first_row, int64_t n, const float *condition, float *x,
                                     double *log_density, double *standard_error)
{
    status_begin();
    CHECK_NOT_NULL(model);
    struct flow f = {.view = {.model = model},
                     .n = n,
                     .first_row = first_row,
                     .seed = seed,
                     .condition = condition,
                     .x_end = x,
                     .log_density = log_density,
                     .standard_error = standard_error};
    RETURN_IF_FAILED(read_config(&f, config, &f.t_end));
    RETURN_IF_FAILED(check_rows(&f));
    if (n == 0)
        return FMATCH_OK;
    CHECK_NOT_NULL(x);
    return run(&f);
}
