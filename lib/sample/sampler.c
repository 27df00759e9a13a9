/* The sampler handle: its configuration, its calls, and what they took. */
#include <flowmatch/sampler.h>

#include "base/configuration.h"
#include "base/status.h"
#include "sample/adaptive.h"
#include "sample/fixed_steps.h"

#include <math.h>

struct fmatch_sampler {
    struct reference_count references;
    bool busy; /* a call is under way, which a callback may not enter again */
    fmatch_model *model;
    const struct solver *solver;
    struct grid grid;
    struct guidance guidance;
    struct step_control control;
    struct stochastic stochastic;
    struct inpainting inpainting;

    int64_t rows;  /* that a lane has room for */
    int32_t lanes; /* there are */
    float *room;
    int64_t records_room;
    struct row_record *records; /* of an adaptive solver */
    int64_t rows_taken;         /* of the last call */
    bool conditions_taken;      /* it had some, which guidance needs */
};

static bool is_adaptive(const struct solver *solver)
{
    return solver->error_order > 0;
}

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

static fmatch_status check_config(const fmatch_sampler_config *c)
{
    CHECK_RANGE("config->solver", c->solver, FMATCH_SOLVER_EULER, FMATCH_SOLVER_TSITOURAS);
    RETURN_IF_FAILED(configuration_check_flags("config->flags", c->flags));
    const struct interval unit = {.lowest = 0.0, .highest = 1.0};
    RETURN_IF_FAILED(configuration_check_double("config->t_start", c->t_start, unit));
    RETURN_IF_FAILED(configuration_check_double("config->t_end", c->t_end, unit));
    RETURN_IF_FAILED(
        configuration_check_double("config->inpainting_strength", c->inpainting_strength, unit));
    RETURN_IF_FAILED(
        configuration_check_double("config->inpainting_t_end", c->inpainting_t_end, unit));
    if (c->t_start == c->t_end)
        return status_fail(FMATCH_ERROR_ARGUMENT,
                           "config->t_end is %s; it must differ from config->t_start",
                           NUMBER(c->t_end));
    return FMATCH_OK;
}

static struct inpainting inpainting_of(const fmatch_sampler_config *c)
{
    return (struct inpainting){.strength =
                                   c->inpainting_strength > 0.0 ? c->inpainting_strength : 1.0,
                               .end = c->inpainting_t_end > 0.0 ? c->inpainting_t_end : 1.0};
}

/* ---- creation ---- */

static void release(fmatch_sampler *s)
{
    if (!s || !reference_count_release(&s->references))
        return;
    fmatch_model *model = s->model;
    const fmatch_allocator *allocator = &model->context->allocator;
    grid_destroy(&s->grid, allocator);
    stochastic_destroy(&s->stochastic, allocator);
    allocation_destroy(allocator, s->room);
    allocation_destroy(allocator, s->records);
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
    RETURN_IF_FAILED(guidance_check(&given, model));

    const struct solver *solver = solver_get(given.solver);
    const bool adaptive = is_adaptive(solver);
    struct step_control control;
    RETURN_IF_FAILED(step_control_read(&control, given, adaptive));
    const fmatch_allocator *allocator = &model->context->allocator;
    struct grid grid;
    RETURN_IF_FAILED(grid_create(&grid, allocator, &given, adaptive));
    struct stochastic stochastic;
    const fmatch_status status =
        stochastic_create(&stochastic, model, given.stochastic, given.solver, &grid);
    fmatch_sampler *s = status == FMATCH_OK ? allocation_create(allocator, 1, sizeof *s) : NULL;
    if (!s) {
        grid_destroy(&grid, allocator);
        stochastic_destroy(&stochastic, allocator);
        return status != FMATCH_OK ? status : status_no_memory(sizeof *s);
    }
    reference_count_init(&s->references);
    s->model = model_retain(model);
    s->solver = solver;
    s->grid = grid;
    s->control = control;
    s->guidance = guidance_of(&given);
    s->stochastic = stochastic;
    s->inpainting = inpainting_of(&given);
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

int64_t fmatch_sampler_count_times(const fmatch_sampler *sampler)
{
    return sampler ? sampler->grid.steps + 1 : 0;
}

fmatch_status fmatch_sampler_get_times(const fmatch_sampler *sampler, double *times)
{
    status_begin();
    CHECK_NOT_NULL(sampler);
    CHECK_NOT_NULL(times);
    for (int64_t i = 0; i <= sampler->grid.steps; i++)
        times[i] = grid_time(&sampler->grid, i);
    return FMATCH_OK;
}

/* ---- a call ---- */

/* Room for rows; a later call that is no larger finds it there. */
static fmatch_status reserve_lanes(fmatch_sampler *s, struct flow *f)
{
    const int64_t n = f->passage.n, wanted = n < MODEL_BLOCK_ROWS ? n : MODEL_BLOCK_ROWS;
    const int64_t rows = wanted > s->rows ? wanted : s->rows;
    const int32_t needed = model_blocks_lanes(s->model, n);
    const int32_t lanes = needed > s->lanes ? needed : s->lanes;
    f->lane_rows = rows;
    f->lane_size =
        is_adaptive(s->solver) ? adaptive_lane_size(f, rows) : fixed_steps_lane_size(f, rows);
    if (rows != s->rows || lanes != s->lanes) {
        const fmatch_allocator *allocator = &s->model->context->allocator;
        float *room = allocation_create(allocator, lanes * f->lane_size, sizeof *room);
        if (!room)
            return status_no_memory((size_t)(lanes * f->lane_size) * sizeof *room);
        allocation_destroy(allocator, s->room);
        s->room = room;
        s->rows = rows;
        s->lanes = lanes;
    }
    f->room = s->room;
    return FMATCH_OK;
}

static fmatch_status reserve_records(fmatch_sampler *s, struct flow *f)
{
    const int64_t n = f->passage.n;
    if (is_adaptive(s->solver) && n > s->records_room) {
        const fmatch_allocator *allocator = &s->model->context->allocator;
        struct row_record *records = allocation_create(allocator, n, sizeof *records);
        if (!records)
            return status_no_memory((size_t)n * sizeof *records);
        allocation_destroy(allocator, s->records);
        s->records = records;
        s->records_room = n;
    }
    f->records = s->records;
    return FMATCH_OK;
}

static fmatch_status integrate(fmatch_sampler *s, const struct passage *p)
{
    if (s->busy)
        return status_fail(FMATCH_ERROR_STATE,
                           "the sampler is in a call already; a callback cannot enter it again");
    if (p->n == 0)
        return FMATCH_OK;
    struct flow f = {.field = {.view = {.model = s->model}, .guidance = s->guidance},
                     .solver = s->solver,
                     .grid = &s->grid,
                     .control = &s->control,
                     .stochastic = &s->stochastic,
                     .inpainting = s->inpainting,
                     .passage = *p};
    RETURN_IF_FAILED(reserve_lanes(s, &f));
    RETURN_IF_FAILED(reserve_records(s, &f));
    s->busy = true;
    reference_count_retain(&s->references); /* a callback that destroys it gives the handle up */
    model_view_begin(&f.field.view);
    const bool adaptive = is_adaptive(s->solver);
    const fmatch_status status = adaptive ? adaptive_run(&f) : fixed_steps_run(&f);
    model_view_end(&f.field.view);
    s->busy = false;
    const bool got_on =
        adaptive && (status == FMATCH_ERROR_STEP_LIMIT || status == FMATCH_ERROR_NOT_FINITE);
    s->rows_taken = status == FMATCH_OK || got_on ? p->n : 0;
    s->conditions_taken = p->condition != NULL;
    release(s);
    return status;
}

/* ---- what the last call took ---- */

static int64_t count_fixed_evaluations(const fmatch_sampler *s, bool guided)
{
    const struct guidance none = {.scale = 1.0};
    return fixed_steps_count_evaluations(s->solver, &s->grid, guided ? &s->guidance : &none);
}

/* All rows of a fixed grid are alike. */
static struct row_record record_of_grid(const fmatch_sampler *s)
{
    struct row_record r = {.outcome = ROW_ARRIVED,
                           .evaluations = 0,
                           .accepted = (int32_t)s->grid.steps,
                           .t = s->grid.end,
                           .smallest = 1.0};
    r.evaluations = (int32_t)count_fixed_evaluations(s, s->conditions_taken);
    for (int64_t i = 0; i < s->grid.steps; i++)
        r.smallest = fmin(r.smallest, fabs(grid_time(&s->grid, i + 1) - grid_time(&s->grid, i)));
    return r;
}

static fmatch_status check_idle(const fmatch_sampler *sampler)
{
    CHECK_NOT_NULL(sampler);
    if (sampler->busy)
        return status_fail(FMATCH_ERROR_STATE, "the sampler is in a call");
    return FMATCH_OK;
}

/* Of rows that are alike, one stands for all. */
static fmatch_sampler_info sum_up(const struct row_record *records, int64_t n, int64_t each)
{
    fmatch_sampler_info sum = {.rows = n * each};
    for (int64_t i = 0; i < n; i++) {
        const struct row_record *r = &records[i];
        sum.stopped += r->outcome != ROW_ARRIVED;
        sum.evaluations += r->evaluations * each;
        sum.accepted += r->accepted * each;
        sum.rejected += r->rejected;
        if (r->accepted > 0 && (sum.step_smallest == 0.0 || r->smallest < sum.step_smallest))
            sum.step_smallest = r->smallest;
    }
    return sum;
}

fmatch_status fmatch_sampler_get_info(const fmatch_sampler *sampler, fmatch_sampler_info *info)
{
    status_begin();
    RETURN_IF_FAILED(check_idle(sampler));
    fmatch_sampler_info given;
    RETURN_IF_FAILED(configuration_read(&given, sizeof given, sizeof given, info, "info"));
    RETURN_IF_FAILED(configuration_check_flags("info->flags", given.flags));
    fmatch_sampler_info answer;
    if (is_adaptive(sampler->solver)) {
        answer = sum_up(sampler->records, sampler->rows_taken, 1);
    } else {
        const struct row_record record = record_of_grid(sampler);
        answer = sum_up(&record, sampler->rows_taken > 0, sampler->rows_taken);
    }
    configuration_write(info, given.struct_size, &answer, sizeof answer);
    return FMATCH_OK;
}

fmatch_status fmatch_sampler_get_rows(const fmatch_sampler *sampler, int64_t first, int64_t n,
                                      const fmatch_sampler_rows *rows)
{
    status_begin();
    RETURN_IF_FAILED(check_idle(sampler));
    fmatch_sampler_rows to;
    RETURN_IF_FAILED(configuration_read(&to, sizeof to, sizeof to, rows, "rows"));
    RETURN_IF_FAILED(configuration_check_flags("rows->flags", to.flags));
    CHECK_RANGE("first", first, 0, sampler->rows_taken);
    CHECK_RANGE("n", n, 0, sampler->rows_taken - first);
    const bool adaptive = is_adaptive(sampler->solver);
    const struct row_record alike = adaptive ? (struct row_record){0} : record_of_grid(sampler);
    for (int64_t i = 0; i < n; i++)
        row_record_put(adaptive ? &sampler->records[first + i] : &alike, &to, i);
    return FMATCH_OK;
}

int64_t fmatch_sampler_count_evaluations(const fmatch_sampler *sampler)
{
    if (!sampler)
        return 0;
    if (!is_adaptive(sampler->solver))
        return count_fixed_evaluations(sampler, true);
    const int64_t n = sampler->rows_taken;
    return n > 0 ? (sum_up(sampler->records, n, 1).evaluations + n - 1) / n : 0;
}

/* ---- the public calls ---- */

/* From here on there is a call, which has taken nothing if it fails. */
static fmatch_status check_rows(fmatch_sampler *sampler, const struct passage *p)
{
    CHECK_NOT_NULL(sampler);
    sampler->rows_taken = 0;
    CHECK_RANGE("n", p->n, 0, SOURCE_ROWS_MAX / sampler->model->dim);
    return condition_check(&sampler->model->condition, "condition", p->n, p->condition);
}

static fmatch_status draw(fmatch_sampler *sampler, struct passage p, const char *output)
{
    RETURN_IF_FAILED(check_rows(sampler, &p));
    CHECK_RANGE("first_row", p.first_row, 0, SOURCE_ROWS_MAX - p.n);
    if (sampler->grid.start != 0.0)
        return status_fail(FMATCH_ERROR_STATE, "t_start is %s; it must be 0 to start from noise",
                           NUMBER(sampler->grid.start));
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

static fmatch_status check_inpainted(const struct passage *p, int32_t dim)
{
    if (!p->known)
        return status_fail(FMATCH_ERROR_ARGUMENT, "known is NULL");
    for (int64_t i = 0; i < p->n * dim; i++) {
        const double share = p->mask ? p->mask[i] : isnan(p->known[i]) ? 0.0 : 1.0;
        if (!(share >= 0.0 && share <= 1.0))
            return status_fail(FMATCH_ERROR_ARGUMENT,
                               "mask of row %lld, column %d is %s; it must be in [0, 1]",
                               (long long)(i / dim), (int)(i % dim), NUMBER(share));
        if (share > 0.0 && !isfinite(p->known[i]))
            return status_fail(FMATCH_ERROR_NOT_FINITE, "known: row %lld, column %d is %s",
                               (long long)(i / dim), (int)(i % dim), NUMBER(p->known[i]));
    }
    return FMATCH_OK;
}

fmatch_status fmatch_sampler_draw_inpainted(fmatch_sampler *sampler, uint64_t seed,
                                            int64_t first_row, int64_t n, const float *condition,
                                            const float *known, const float *mask, float *x)
{
    status_begin();
    const struct passage p = {.seed = seed,
                              .first_row = first_row,
                              .n = n,
                              .condition = condition,
                              .known = known,
                              .mask = mask,
                              .x_end = x};
    RETURN_IF_FAILED(check_rows(sampler, &p));
    if (is_adaptive(sampler->solver))
        return status_fail(FMATCH_ERROR_UNSUPPORTED,
                           "the sampler's solver is adaptive; inpainting needs one with a grid");
    if (n > 0)
        RETURN_IF_FAILED(check_inpainted(&p, sampler->model->dim));
    return draw(sampler, p, "x");
}

static fmatch_status integrate_from(fmatch_sampler *sampler, struct passage p, const char *output)
{
    RETURN_IF_FAILED(check_rows(sampler, &p));
    if (p.n == 0)
        return integrate(sampler, &p);
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

fmatch_status fmatch_sampler_integrate_stochastic(fmatch_sampler *sampler, uint64_t seed,
                                                  int64_t first_row, int64_t n,
                                                  const float *x_start, const float *condition,
                                                  float *x_end)
{
    status_begin();
    const struct passage p = {.seed = seed,
                              .first_row = first_row,
                              .x_start = x_start,
                              .n = n,
                              .condition = condition,
                              .x_end = x_end};
    RETURN_IF_FAILED(check_rows(sampler, &p));
    CHECK_RANGE("first_row", first_row, 0, SOURCE_ROWS_MAX - n);
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
