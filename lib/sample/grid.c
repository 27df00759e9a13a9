#include "sample/grid.h"

#include "base/configuration.h"
#include "base/status.h"

#include <math.h>

enum { STEPS_MAX = 1 << 24 };

static const double PI = 3.14159265358979323846;

/* ---- grids on [0, 1], as functions of step i of n ---- */

/* s' = shift s / (1 + (shift - 1) s) with s = 1 - t. */
static double shifted(const struct grid *g, double u)
{
    return u / (1.0 + (g->shift - 1.0) * (1.0 - u));
}

static double cosine(const struct grid *g, double u)
{
    (void)g;
    return 0.5 * (1.0 - cos(PI * u));
}

/* t = 1 / (1 + sigma) for the n values of sigma, whose seventh roots are equally spaced from that
 * of 80 to that of 0.002, and for 0. */
static double edm(const struct grid *g, double u)
{
    const double first = pow(80.0, 1.0 / 7), last = pow(0.002, 1.0 / 7);
    const double place = u * (double)g->steps / (double)(g->steps - 1);
    return 1.0 / (1.0 + pow(first + place * (last - first), 7.0));
}

static double (*const unit_grids[])(const struct grid *g, double u) = {
    [FMATCH_GRID_SHIFTED] = shifted, [FMATCH_GRID_EDM] = edm, [FMATCH_GRID_COSINE] = cosine};

double grid_time(const struct grid *g, int64_t i)
{
    if (g->times)
        return g->times[i];
    if (i == 0 || i == g->steps)
        return i == 0 ? g->start : g->end;
    const bool backward = g->end < g->start;
    const double share = (double)i / (double)g->steps;
    if (g->kind == FMATCH_GRID_UNIFORM)
        return g->start + (g->end - g->start) * (double)i / (double)g->steps;
    const double lower = backward ? g->end : g->start, upper = backward ? g->start : g->end;
    return lower + (upper - lower) * unit_grids[g->kind](g, backward ? 1.0 - share : share);
}

/* ---- creation ---- */

static fmatch_status check_times(const fmatch_sampler_config *c, bool adaptive)
{
    if (!c->times)
        return status_fail(FMATCH_ERROR_ARGUMENT,
                           "config->times is NULL while config->grid is TIMES");
    CHECK_RANGE("config->times_count", c->times_count, adaptive ? 1 : 2, STEPS_MAX + 1);
    const double way = c->t_end < c->t_start ? -1.0 : 1.0;
    for (int64_t i = 0; i < c->times_count; i++) {
        const double t = c->times[i];
        const bool inside = way * t >= way * c->t_start && way * t <= way * c->t_end;
        const bool ordered = i == 0 || way * t > way * c->times[i - 1];
        if (!inside || !ordered)
            return status_fail(FMATCH_ERROR_ARGUMENT,
                               "config->times[%lld] is %s; times must go from t_start, %s, to "
                               "t_end, %s, without a repeat",
                               (long long)i, NUMBER(t), NUMBER(c->t_start), NUMBER(c->t_end));
    }
    const double first = c->times[0], last = c->times[c->times_count - 1];
    if (!adaptive && (first != c->t_start || last != c->t_end))
        return status_fail(FMATCH_ERROR_ARGUMENT,
                           "config->times is from %s to %s; steps must go from t_start, %s, to "
                           "t_end, %s",
                           NUMBER(first), NUMBER(last), NUMBER(c->t_start), NUMBER(c->t_end));
    return FMATCH_OK;
}

static fmatch_status check_grid(const fmatch_sampler_config *c, bool adaptive)
{
    CHECK_RANGE("config->grid", c->grid, FMATCH_GRID_UNIFORM, FMATCH_GRID_TIMES);
    if (c->grid == FMATCH_GRID_TIMES)
        return check_times(c, adaptive);
    if (c->times || c->times_count != 0)
        return status_fail(FMATCH_ERROR_ARGUMENT,
                           "config->times or config->times_count is set while config->grid is not "
                           "TIMES");
    if (adaptive && c->grid != FMATCH_GRID_UNIFORM)
        return status_fail(FMATCH_ERROR_ARGUMENT,
                           "config->grid is %d, a grid of steps, which an adaptive solver chooses "
                           "itself; it takes TIMES",
                           (int)c->grid);
    CHECK_RANGE("config->steps", c->steps, !adaptive, STEPS_MAX);
    return FMATCH_OK;
}

static const struct configuration_setting settings[] = {
    {"config->shift",
     offsetof(fmatch_sampler_config, shift),
     FMATCH_GRID_SHIFTED,
     {.lowest = 1e-3, .highest = 1e3},
     3.0},
};

fmatch_status grid_create(struct grid *grid, const fmatch_allocator *allocator,
                          const fmatch_sampler_config *config, bool adaptive)
{
    fmatch_sampler_config c = *config;
    RETURN_IF_FAILED(check_grid(&c, adaptive));
    RETURN_IF_FAILED(configuration_check_settings(&c, c.grid, settings, 1));
    *grid = (struct grid){.kind = c.grid,
                          .steps = c.times    ? c.times_count - 1
                                   : adaptive ? 1
                                              : c.steps,
                          .start = c.t_start,
                          .end = c.t_end,
                          .shift = c.shift};
    if (!c.times)
        return FMATCH_OK;
    grid->times = allocation_create_copy(allocator, c.times_count, sizeof *c.times, c.times);
    return grid->times ? FMATCH_OK : status_no_memory((size_t)c.times_count * sizeof *c.times);
}

void grid_destroy(struct grid *grid, const fmatch_allocator *allocator)
{
    allocation_destroy(allocator, grid->times);
}
