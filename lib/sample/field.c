#include "sample/field.h"

#include "base/configuration.h"
#include "base/status.h"

#include <float.h>

struct guidance guidance_of(const fmatch_sampler_config *c)
{
    const double scale = c->guidance == FMATCH_GUIDANCE_NONE    ? 1.0
                         : c->guidance == FMATCH_GUIDANCE_SCALE ? c->guidance_strength
                                                                : 1.0 + c->guidance_strength;
    return (struct guidance){
        .scale = scale, .begin = c->guidance_t_start, .end = c->guidance_t_end};
}

fmatch_status guidance_check(const fmatch_sampler_config *c, const fmatch_model *model)
{
    const struct interval unit = {.lowest = 0.0, .highest = 1.0};
    const struct interval of_a_float = {.lowest = -FLT_MAX, .highest = FLT_MAX};
    CHECK_RANGE("config->guidance", c->guidance, FMATCH_GUIDANCE_NONE, FMATCH_GUIDANCE_WEIGHT);
    RETURN_IF_FAILED(
        configuration_check_double("config->guidance_t_start", c->guidance_t_start, unit));
    RETURN_IF_FAILED(configuration_check_double("config->guidance_t_end", c->guidance_t_end, unit));
    if (c->guidance == FMATCH_GUIDANCE_NONE) {
        if (c->guidance_strength != 0.0)
            return status_fail(FMATCH_ERROR_ARGUMENT,
                               "config->guidance_strength is %s while config->guidance is NONE",
                               NUMBER(c->guidance_strength));
        return FMATCH_OK;
    }
    RETURN_IF_FAILED(
        configuration_check_double("config->guidance_strength", c->guidance_strength, of_a_float));
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

bool guidance_acts(const struct guidance *g, double t)
{
    return g->scale != 1.0 && t >= g->begin && t <= g->end;
}

double guidance_stretch(const struct guidance *g, double t, double end)
{
    const double edges[] = {g->begin, g->end}, way = end < t ? -1.0 : 1.0;
    for (int i = 0; g->scale != 1.0 && i < 2; i++)
        if (way * edges[i] > way * t && way * edges[i] < way * end)
            end = edges[i];
    return end;
}

fmatch_status field_schedules_at(const fmatch_model *model, int32_t n, const float *t,
                                 struct path_schedules *s)
{
    if (model->path)
        return path_schedules_at(model->path, n, t, s);
    for (int32_t i = 0; i < n; i++) {
        s->alpha[i] = t[i];
        s->sigma[i] = 1.0f - t[i];
        s->alpha_rate[i] = 1.0f;
        s->sigma_rate[i] = -1.0f;
        s->variance[i] = s->covariance[i] = 0.0f;
    }
    return FMATCH_OK;
}

int64_t field_scratch_size(const struct field *f, int64_t n)
{
    const fmatch_model *model = f->view.model;
    const int64_t velocity = model->kind->scratch_size(model, n);
    const int64_t both = f->divergence ? model->kind->diverge_size(model, n) : 0;
    return velocity > both ? velocity : both;
}

/* v at rows from `first` on, and shares of the divergence: of the guided ones, and of others. */
static fmatch_status evaluate(const struct field *f, const struct field_rows *r, int64_t first,
                              const struct model_rows *rows, const double shares[2], float *v)
{
    const fmatch_model *model = f->view.model;
    if (r->weight == 0.0)
        return model_view_evaluate(&f->view, r->scratch, rows, v);
    const struct divergence d = divergence_part(&r->divergence, first);
    for (int64_t i = 0; i < rows->n; i++)
        d.weight[i] = r->weight * shares[!r->guided[first + i]];
    return model->kind->diverge(model, f->view.snapshot, r->scratch, rows, &d, v);
}

/* Rows first to first + n - 1, which hold all that are guided. */
static fmatch_status guide(const struct field *f, const struct field_rows *r, int64_t first,
                           int64_t n, float *v)
{
    const int32_t dim = f->view.model->dim;
    float *null = r->null_velocity;
    const struct model_rows rows = {.n = n, .x = r->x + first * dim, .t = r->t + first};
    const double shares[] = {1.0 - f->guidance.scale, 0.0};
    RETURN_IF_FAILED(evaluate(f, r, first, &rows, shares, null));
    const float scale = (float)f->guidance.scale;
    for (int64_t i = 0; i < n; i++) {
        float *row = v + (first + i) * dim;
        const float *from = null + i * dim;
        for (int32_t j = 0; r->guided[first + i] && j < dim; j++)
            row[j] = from[j] + scale * (row[j] - from[j]);
    }
    return FMATCH_OK;
}

fmatch_status field_evaluate(const struct field *f, const struct field_rows *r, float *v)
{
    int64_t first = 0, end = r->condition ? r->n : 0;
    while (first < end && !r->guided[first])
        first++;
    while (end > first && !r->guided[end - 1])
        end--;
    const struct model_rows rows = {.n = r->n, .x = r->x, .t = r->t, .condition = r->condition};
    const double shares[] = {end > first ? f->guidance.scale : 1.0, 1.0};
    RETURN_IF_FAILED(evaluate(f, r, 0, &rows, shares, v));
    return end > first ? guide(f, r, first, end - first, v) : FMATCH_OK;
}
