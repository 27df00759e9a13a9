#include "model/divergence.h"

#include "base/configuration.h"
#include "base/finite.h"
#include "base/status.h"
#include "model/model.h"

#include <math.h>
#include <stdio.h>

void fmatch_divergence_config_init_sized(fmatch_divergence_config *config, size_t size)
{
    const fmatch_divergence_config recommended = {.method = FMATCH_DIVERGENCE_EXACT, .probes = 1};
    configuration_write(config, size, &recommended, sizeof recommended);
}

static const char *field_of(const char *name, const char *field, char text[64])
{
    snprintf(text, 64, "%s->%s", name, field);
    return text;
}

static fmatch_status read_config(fmatch_divergence_config *c, const char *name,
                                 const fmatch_divergence_config *config)
{
    RETURN_IF_FAILED(configuration_read(c, sizeof *c, sizeof *c, config, name));
    const struct interval unit = {.lowest = 0.0, .highest = 1.0};
    char field[64];
    CHECK_RANGE(field_of(name, "method", field), c->method, FMATCH_DIVERGENCE_EXACT,
                FMATCH_DIVERGENCE_HUTCHINSON);
    CHECK_RANGE(field_of(name, "probe", field), c->probe, FMATCH_PROBE_RADEMACHER,
                FMATCH_PROBE_GAUSSIAN);
    CHECK_RANGE(field_of(name, "probes", field), c->probes, 1, 65536);
    return configuration_check_double(field_of(name, "finite_difference", field),
                                      c->finite_difference, unit);
}

fmatch_status divergence_method_read(struct divergence_method *method,
                                     const struct vector_kernels *kernels, const char *name,
                                     const fmatch_divergence_config *config)
{
    const double usual_step = 0x1p-8;
    fmatch_divergence_config c;
    fmatch_divergence_config_init(&c);
    if (config)
        RETURN_IF_FAILED(read_config(&c, name, config));
    *method = (struct divergence_method){
        .probes = c.method == FMATCH_DIVERGENCE_EXACT ? 0 : c.probes,
        .probe = c.probe,
        .step = c.finite_difference > 0 ? c.finite_difference : usual_step,
        .stream = {.kernels = kernels, .seed = c.seed, .stream = STREAM_DIVERGENCE_PROBE}};
    return FMATCH_OK;
}

int64_t divergence_rows_together(const struct divergence_method *method)
{
    enum { TERMS = 1 << 18 };
    const int64_t rows = TERMS / divergence_terms(method);
    return rows < MODEL_BLOCK_ROWS ? rows : MODEL_BLOCK_ROWS;
}

struct divergence divergence_part(const struct divergence *d, int64_t first)
{
    struct divergence part = *d;
    part.row += first;
    part.weight += first;
    part.terms += first;
    return part;
}

void divergence_probe(const struct divergence *d, int32_t k, int64_t n, int32_t dim, float *z)
{
    const bool gaussian = d->method->probe == FMATCH_PROBE_GAUSSIAN;
    for (int64_t i = 0, end; i < n; i = end) {
        for (end = i + 1; end < n && d->row[end] == d->row[end - 1] + 1;)
            end++; /* neighbours are drawn together */
        (gaussian ? random_stream_normal : random_stream_uniform)(
            &d->method->stream, (uint32_t)k, (uint64_t)d->row[i] * (uint64_t)dim, (end - i) * dim,
            z + i * dim);
    }
    for (int64_t i = 0; !gaussian && i < n * dim; i++)
        z[i] = z[i] < 0.5f ? -1.0f : 1.0f;
}

void divergence_mean(const struct divergence *d, int64_t n, double *mean, double *standard_error)
{
    const int32_t count = divergence_terms(d->method);
    for (int64_t i = 0; i < n; i++) {
        double sum = 0.0, squares = 0.0;
        for (int32_t k = 0; k < count; k++)
            sum += d->terms[k * d->stride + i];
        const double middle = sum / count;
        for (int32_t k = 0; k < count; k++)
            squares += pow(d->terms[k * d->stride + i] - middle, 2);
        mean[i] = middle;
        if (standard_error)
            standard_error[i] = d->method->probes == 0 ? 0.0
                                : count == 1           ? (double)NAN
                                                       : sqrt(squares / (count - 1.0) / count);
    }
}

/* ---- of given rows ---- */

struct evaluation {
    struct model_view view;
    struct model_rows rows;
    struct divergence_method method;
    int64_t first_row, together;
    float *v;
    double *divergence, *standard_error;
    double *terms; /* of all lanes, and weights and numbers of rows */
    float *scratch;
    int64_t terms_size, scratch_size; /* of a lane */
};

static fmatch_status check_rows(const struct evaluation *e, int64_t first, int64_t n,
                                const float *v)
{
    const int32_t dim = e->view.model->dim;
    for (int64_t i = 0; i < n; i++) {
        const double value = e->divergence[first + i];
        const float *row = v + i * dim;
        if (isfinite(value) && finite_all(dim, row))
            continue;
        const bool velocity = !finite_all(dim, row);
        return status_fail(FMATCH_ERROR_NOT_FINITE, "row %lld of the batch: %s is %s at t = %s",
                           (long long)(first + i), velocity ? "velocity" : "divergence",
                           NUMBER(velocity ? (double)row[finite_first_not(dim, row)] : value),
                           NUMBER(e->rows.t[first + i]));
    }
    return FMATCH_OK;
}

static fmatch_status evaluate_some(const struct evaluation *e, int32_t lane, int64_t first,
                                   int64_t n)
{
    const fmatch_model *model = e->view.model;
    const struct model_rows rows = model_rows_part(model, &e->rows, first, n);
    double *room = e->terms + lane * e->terms_size;
    const struct divergence d = {.method = &e->method,
                                 .row = (int64_t *)(void *)room,
                                 .weight = room + n,
                                 .terms = room + 2 * n,
                                 .stride = n};
    float *scratch = e->scratch + lane * e->scratch_size;
    float *own = scratch + model->kind->diverge_size(model, e->together);
    float *v = e->v ? e->v + first * model->dim : own;
    for (int64_t i = 0; i < n; i++) {
        d.row[i] = e->first_row + first + i;
        d.weight[i] = 1.0;
    }
    for (int64_t i = 0; i < n * divergence_terms(&e->method); i++)
        d.terms[i] = 0.0;
    RETURN_IF_FAILED(model->kind->diverge(model, e->view.snapshot, scratch, &rows, &d, v));
    divergence_mean(&d, n, e->divergence + first,
                    e->standard_error ? e->standard_error + first : NULL);
    return check_rows(e, first, n, v);
}

static fmatch_status evaluate_block(void *user, int32_t lane, int64_t first, int64_t rows)
{
    const struct evaluation *e = user;
    for (int64_t i = 0; i < rows; i += e->together)
        RETURN_IF_FAILED(
            evaluate_some(e, lane, first + i, rows - i < e->together ? rows - i : e->together));
    return FMATCH_OK;
}

static fmatch_status check_arguments(const fmatch_model *model, const struct evaluation *e)
{
    const struct model_rows *r = &e->rows;
    const float *x = r->x, *t = r->t;
    const double *divergence = e->divergence;
    CHECK_NOT_NULL(x);
    CHECK_NOT_NULL(t);
    CHECK_NOT_NULL(divergence);
    RETURN_IF_FAILED(status_check_finite("x", 0, r->n, model->dim, x));
    RETURN_IF_FAILED(status_check_finite("t", 0, r->n, 1, t));
    return condition_check(&model->condition, "condition", r->n, r->condition);
}

static fmatch_status evaluate(const fmatch_model *model, struct evaluation *e)
{
    const fmatch_allocator *allocator = &model->context->allocator;
    const int64_t most = divergence_rows_together(&e->method), n = e->rows.n;
    const int32_t lanes = model_blocks_lanes(model, n);
    e->together = n < most ? n : most;
    e->scratch_size =
        model->kind->diverge_size(model, e->together) + (e->together * model->dim + 15) / 16 * 16;
    e->terms_size = (divergence_terms(&e->method) + 2) * e->together;
    e->scratch = allocation_create(allocator, lanes * e->scratch_size, sizeof *e->scratch);
    e->terms = allocation_create(allocator, lanes * e->terms_size, sizeof *e->terms);
    fmatch_status status = FMATCH_OK;
    if (e->scratch && e->terms) {
        const struct model_blocks blocks = {.n = n, .block = evaluate_block, .user = e};
        model_view_begin(&e->view);
        status = model_blocks_run(model, &blocks);
        model_view_end(&e->view);
    } else {
        status = status_no_memory((size_t)lanes * ((size_t)e->scratch_size * sizeof *e->scratch +
                                                   (size_t)e->terms_size * sizeof *e->terms));
    }
    allocation_destroy(allocator, e->terms);
    allocation_destroy(allocator, e->scratch);
    return status;
}

fmatch_status fmatch_model_evaluate_divergence(const fmatch_model *model,
                                               const fmatch_divergence_config *config, int64_t n,
                                               const float *x, const float *t,
                                               const float *condition, int64_t first_row, float *v,
                                               double *divergence, double *standard_error)
{
    status_begin();
    CHECK_NOT_NULL(model);
    struct evaluation e = {.view = {.model = model},
                           .rows = {.n = n, .x = x, .t = t, .condition = condition},
                           .first_row = first_row,
                           .v = v,
                           .divergence = divergence,
                           .standard_error = standard_error};
    RETURN_IF_FAILED(divergence_method_read(&e.method, model->context->kernels, "config", config));
    CHECK_RANGE("n", n, 0, SOURCE_ROWS_MAX / model->dim);
    CHECK_RANGE("first_row", first_row, 0, SOURCE_ROWS_MAX - n);
    if (n == 0)
        return FMATCH_OK;
    RETURN_IF_FAILED(check_arguments(model, &e));
    return evaluate(model, &e);
}
