#include "sample/stochastic.h"

#include "base/configuration.h"
#include "base/status.h"
#include "model/mlp_model.h"
#include "sample/field.h"
#include "source/mixture_source.h"

#include <math.h>

/* Least sigma by which g^2 is divided, and the path's conversion of a velocity that says nothing of
 * the data: as in path.c. */
static const double SIGMA_LEAST = 1e-6, DIVISOR = 5e-3;

void fmatch_stochastic_config_init_sized(fmatch_stochastic_config *config, size_t size)
{
    const fmatch_stochastic_config recommended = {.eta = 1.0};
    configuration_write(config, size, &recommended, sizeof recommended);
}

/* Where the second stage of a step is, in its halves; 0 for a method of one stage. */
static int32_t halves_to_stage(const struct solver *solver)
{
    return solver->stages > 1 ? (int32_t)(2.0 * solver_row(solver, 1)[0]) : 0;
}

/* ---- creation ---- */

static fmatch_status check(const fmatch_stochastic_config *c, const fmatch_model *model,
                           int32_t solver, const struct grid *grid)
{
    RETURN_IF_FAILED(configuration_check_flags("config->stochastic->flags", c->flags));
    const struct interval range = {.lowest = 0.0, .highest = c->diffusion ? 0.0 : 1e3};
    RETURN_IF_FAILED(configuration_check_double("config->stochastic->eta", c->eta, range));
    if (grid->end < grid->start)
        return status_fail(FMATCH_ERROR_ARGUMENT,
                           "config->t_end is %s; it must be above config->t_start, %s, with "
                           "config->stochastic",
                           NUMBER(grid->end), NUMBER(grid->start));
    if (solver > FMATCH_SOLVER_HEUN)
        return status_fail(FMATCH_ERROR_UNSUPPORTED,
                           "config->solver is %d; config->stochastic needs EULER, MIDPOINT or HEUN",
                           (int)solver);
    if (!mixture_source_is_normal(model->noise))
        return status_fail(FMATCH_ERROR_UNSUPPORTED,
                           "config->stochastic needs a model whose noise is normal");
    return FMATCH_OK;
}

static fmatch_status ask_diffusion(const fmatch_stochastic_config *c, int32_t n, const double *t,
                                   double *squares)
{
    double g[PATH_TIMES_AT_ONCE];
    for (int32_t i = 0; i < n; i++) /* what is not written shall be noticed */
        g[i] = NAN;
    struct status_kept kept;
    status_keep(&kept);
    const int32_t code = c->diffusion(c->user, n, t, g);
    status_restore(&kept);
    RETURN_IF_FAILED(status_of_callback("diffusion", code));
    for (int32_t i = 0; i < n; i++) {
        if (!isfinite(g[i]))
            return status_fail(FMATCH_ERROR_NOT_FINITE, "diffusion is %s at t = %s", NUMBER(g[i]),
                               NUMBER(t[i]));
        if (!(g[i] >= 0.0 && g[i] <= 1e6))
            return status_fail(FMATCH_ERROR_ARGUMENT,
                               "diffusion is %s at t = %s; it must be in [0, 1e6]", NUMBER(g[i]),
                               NUMBER(t[i]));
        squares[i] = g[i] * g[i];
    }
    return FMATCH_OK;
}

static fmatch_status squares_at(const fmatch_stochastic_config *c, const fmatch_model *model,
                                int32_t n, const double *t, double *squares)
{
    if (c->diffusion)
        return ask_diffusion(c, n, t, squares);
    float times[PATH_TIMES_AT_ONCE];
    struct path_schedules s;
    for (int32_t i = 0; i < n; i++)
        times[i] = (float)t[i];
    RETURN_IF_FAILED(field_schedules_at(model, n, times, &s));
    for (int32_t i = 0; i < n; i++)
        squares[i] = 2.0 * c->eta * s.sigma[i];
    return FMATCH_OK;
}

/* Up to the start of the last step, whose end nobody is asked about. */
static fmatch_status fill_squares(const fmatch_stochastic_config *c, const fmatch_model *model,
                                  int32_t solver, const struct grid *grid, double *squares)
{
    const int32_t stride = solver == FMATCH_SOLVER_MIDPOINT ? 1 : 2;
    const int64_t count = grid->steps > 1 ? (2 * grid->steps - 2) / stride + 1 : 0;
    for (int64_t first = 0; first < count; first += PATH_TIMES_AT_ONCE) {
        const int64_t rest = count - first;
        const int32_t n = rest < PATH_TIMES_AT_ONCE ? (int32_t)rest : PATH_TIMES_AT_ONCE;
        double t[PATH_TIMES_AT_ONCE], some[PATH_TIMES_AT_ONCE];
        for (int32_t i = 0; i < n; i++) {
            const int64_t k = (first + i) * stride;
            t[i] = 0.5 * (grid_time(grid, k / 2) + grid_time(grid, (k + 1) / 2));
        }
        RETURN_IF_FAILED(squares_at(c, model, n, t, some));
        for (int32_t i = 0; i < n; i++)
            squares[(first + i) * stride] = some[i];
    }
    return FMATCH_OK;
}

/* Integrals of g^2 over steps, by a rule of the order of the method. */
static void fill_variances(struct stochastic *s, const struct grid *grid)
{
    const int32_t half = halves_to_stage(s->solver);
    for (int64_t i = 0; i < s->steps; i++) {
        const double h = grid_time(grid, i + 1) - grid_time(grid, i), *squares = s->squares + 2 * i;
        s->variances[i] = i == s->steps - 1 ? 0.0
                          : half == 2       ? 0.5 * h * (squares[0] + squares[2])
                                            : h * squares[half];
    }
}

static fmatch_status fill_columns(const fmatch_model *model, struct noise_column *columns)
{
    const int32_t dim = model->dim;
    const fmatch_allocator *allocator = &model->context->allocator;
    const struct mlp_model_units units = mlp_model_units_of(model);
    double *moments = allocation_create(allocator, 2 * (int64_t)dim, sizeof *moments);
    if (!moments)
        return status_no_memory(2 * (size_t)dim * sizeof *moments);
    model->noise->kind->moments(model->noise, moments, moments + dim);
    for (int32_t j = 0; j < dim; j++) {
        const double shift = units.mean ? units.mean[j] : 0.0;
        const double scale = units.scale ? units.scale[j] : 1.0, ratio = scale / moments[dim + j];
        columns[j] = (struct noise_column){.shift = (float)shift,
                                           .mean = (float)(moments[j] - shift),
                                           .deviation = (float)moments[dim + j],
                                           .share = (float)(ratio * ratio)};
    }
    allocation_destroy(allocator, moments);
    return FMATCH_OK;
}

fmatch_status stochastic_create(struct stochastic *s, const fmatch_model *model,
                                const fmatch_stochastic_config *config, int32_t solver,
                                const struct grid *grid)
{
    *s = (struct stochastic){0};
    if (!config)
        return FMATCH_OK;
    fmatch_stochastic_config c;
    RETURN_IF_FAILED(configuration_read(&c, sizeof c, sizeof c, config, "config->stochastic"));
    RETURN_IF_FAILED(check(&c, model, solver, grid));
    const fmatch_allocator *allocator = &model->context->allocator;
    s->solver = solver_get(solver);
    s->steps = grid->steps;
    s->squares = allocation_create(allocator, 3 * grid->steps, sizeof *s->squares);
    s->columns = allocation_create(allocator, model->dim, sizeof *s->columns);
    fmatch_status status = s->squares && s->columns
                               ? fill_squares(&c, model, solver, grid, s->squares)
                               : status_no_memory(3 * (size_t)grid->steps * sizeof *s->squares +
                                                  (size_t)model->dim * sizeof *s->columns);
    if (status == FMATCH_OK)
        status = fill_columns(model, s->columns);
    if (status != FMATCH_OK) {
        stochastic_destroy(s, allocator);
        return status;
    }
    s->variances = s->squares + 2 * grid->steps;
    fill_variances(s, grid);
    return FMATCH_OK;
}

void stochastic_destroy(struct stochastic *s, const fmatch_allocator *allocator)
{
    allocation_destroy(allocator, s->squares);
    allocation_destroy(allocator, s->columns);
    *s = (struct stochastic){0};
}

/* ---- the drift ---- */

/* x0 = at_x (x - shift) + at_v v is the noise that a velocity means, up to the path's own: given
 * data, x0 and v follow from what x has of noise, and so does the score, which is
 * -(x0 - mean) / (sigma deviation^2 + scale^2 own). */
struct noise_formula {
    double at_x, at_v;
    double sigma, own;
};

static struct noise_formula formula_at(const struct path_schedules *s)
{
    const double alpha = s->alpha[0], sigma = s->sigma[0], rate = s->alpha_rate[0];
    const double determinant = rate * sigma - s->sigma_rate[0] * alpha;
    struct noise_formula f = {.sigma = sigma > SIGMA_LEAST ? sigma : SIGMA_LEAST};
    const bool regular = schedule_is_regular(determinant);
    f.at_x = regular ? rate / determinant : 1.0 / (sigma > DIVISOR ? sigma : DIVISOR);
    f.at_v = regular ? -alpha / determinant : 0.0;
    f.own = f.at_x * s->variance[0] + f.at_v * s->covariance[0];
    return f;
}

/* v + g^2 / 2 score, with a g of `deviation` g in each column, as of_v v - of_x x + rest. */
static void fill_drift(const struct stochastic *s, const struct noise_formula *f, double square,
                       int32_t dim, float *of_v)
{
    float *of_x = of_v + dim, *rest = of_x + dim;
    for (int32_t j = 0; j < dim; j++) {
        const struct noise_column *c = &s->columns[j];
        const double k = 0.5 * square / (f->sigma + c->share * f->own);
        of_v[j] = (float)(1.0 - k * f->at_v);
        of_x[j] = (float)(k * f->at_x);
        rest[j] = (float)(k * (f->at_x * c->shift + c->mean));
    }
}

fmatch_status stochastic_bend(const struct stochastic *s, const struct stochastic_stage *at,
                              const float *x, float *v)
{
    if (!s->squares || at->step == s->steps - 1)
        return FMATCH_OK;
    const int64_t half = at->stage > 0 ? halves_to_stage(s->solver) : 0;
    const double square = s->squares[2 * at->step + half];
    if (square == 0.0)
        return FMATCH_OK;
    const int32_t dim = at->model->dim;
    const float t = (float)at->t;
    struct path_schedules schedules;
    RETURN_IF_FAILED(field_schedules_at(at->model, 1, &t, &schedules));
    const struct noise_formula f = formula_at(&schedules);
    fill_drift(s, &f, square, dim, at->room);
    const float *of_v = at->room, *of_x = of_v + dim, *rest = of_x + dim;
    for (int64_t i = 0; i < at->n; i++, x += dim, v += dim)
        for (int32_t j = 0; j < dim; j++)
            v[j] = of_v[j] * v[j] - of_x[j] * x[j] + rest[j];
    return FMATCH_OK;
}

/* ---- the noise ---- */

int32_t stochastic_parts(const struct stochastic *s, int64_t step)
{
    return !s->squares || s->variances[step] == 0.0 ? 0 : halves_to_stage(s->solver) == 1 ? 2 : 1;
}

/* The stream's draw number is that of the half step. */
void stochastic_draw(const struct stochastic *s, const struct random_stream *stream,
                     const struct stochastic_part *of, float *noise)
{
    const int32_t dim = of->dim;
    const float size = (float)sqrt(s->variances[of->step] / stochastic_parts(s, of->step));
    random_stream_normal(stream, (uint32_t)(2 * of->step + of->part),
                         (uint64_t)of->first_row * (uint64_t)dim, of->n * dim, noise);
    for (int64_t i = 0; i < of->n; i++, noise += dim)
        for (int32_t j = 0; j < dim; j++)
            noise[j] *= size * s->columns[j].deviation;
}
