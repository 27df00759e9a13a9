/* Model whose velocity is a user's function. */
#include "model/model.h"

#include "base/configuration.h"
#include "base/status.h"
#include "model/divergence.h"
#include "source/normal_source.h"

#include <math.h>
#include <string.h>

/* The user's functions, which copies of the model share. */
struct shared_callbacks {
    struct reference_count references;
    fmatch_velocity_callbacks callbacks;
    double moments[]; /* of the noise: means [dim], which nobody asks for, and deviations [dim] */
};

struct callback_model {
    fmatch_model model;
    struct shared_callbacks *shared;
};

static int64_t callback_scratch_size(const fmatch_model *model, int64_t n)
{
    return (n * model->dim + 15) / 16 * 16;
}

static fmatch_status callback_evaluate(const fmatch_model *model,
                                       const struct parameter_snapshot *snapshot, float *scratch,
                                       const struct model_rows *rows, float *v)
{
    (void)snapshot;
    const float *x = rows->x;
    if (v == x) /* which is ours to allow, not for the user's function to expect */
        x = memcpy(scratch, x, (size_t)(rows->n * model->dim) * sizeof *x);
    const fmatch_velocity_callbacks *c = &((const struct callback_model *)model)->shared->callbacks;
    struct status_kept kept;
    status_keep(&kept);
    const int32_t code = c->evaluate(c->user, rows->n, x, rows->t, rows->condition, v);
    status_restore(&kept);
    return status_of_callback("evaluate", code);
}

/* ---- divergence ---- */

/* A direction for each of n rows, the derivative along it, and points beside them; [n, dim] each.
 *
 * Without a jacobian_vector, columns have steps h of their own, as each has its own units: the step
 * that was asked for times the noise's deviation, but enough for x + h to be another float. With D
 * = diag(h) and differences along D u what is had is D^-1 J D u, whose product with u has the
 * expectation of u^T J u, the trace of J, for probes and the terms of the exact sum alike. */
struct directions {
    float *u, *ju, *beside;
    double step;
};

enum { DIRECTION_ARRAYS = 3 };

static int64_t callback_diverge_size(const fmatch_model *model, int64_t n)
{
    return (DIRECTION_ARRAYS * n * model->dim + 15) / 16 * 16;
}

/* x + h u, number k of the rows. */
static float beside(const fmatch_model *model, const struct model_rows *rows,
                    const struct directions *d, double sign, int64_t k)
{
    const double *moments = ((const struct callback_model *)model)->shared->moments;
    const double x = rows->x[k], deviation = moments[model->dim + k % model->dim];
    return (float)(x + sign * fmax(d->step * deviation, 0x1p-20 * fabs(x)) * d->u[k]);
}

static fmatch_status evaluate_beside(const fmatch_model *model, const struct model_rows *rows,
                                     const struct directions *d, double sign, float *v)
{
    for (int64_t k = 0; k < rows->n * model->dim; k++)
        d->beside[k] = beside(model, rows, d, sign, k);
    struct model_rows moved = *rows;
    moved.x = d->beside;
    return callback_evaluate(model, NULL, NULL, &moved, v);
}

static fmatch_status differentiate(const fmatch_model *model, const struct model_rows *rows,
                                   const struct directions *d, float *v)
{
    const int32_t dim = model->dim;
    const fmatch_velocity_callbacks *c = &((const struct callback_model *)model)->shared->callbacks;
    if (c->jacobian_vector) {
        struct status_kept kept;
        status_keep(&kept);
        const int32_t code =
            c->jacobian_vector(c->user, rows->n, rows->x, rows->t, rows->condition, d->u, v, d->ju);
        status_restore(&kept);
        return status_of_callback("jacobian_vector", code);
    }
    RETURN_IF_FAILED(evaluate_beside(model, rows, d, 1.0, d->ju));
    RETURN_IF_FAILED(evaluate_beside(model, rows, d, -1.0, v));
    for (int64_t k = 0; k < rows->n * dim; k++) { /* by the distance that rounding has left */
        const double way = (double)beside(model, rows, d, 1.0, k) - (double)d->beside[k];
        const double rise = (double)d->ju[k] - (double)v[k];
        d->ju[k] = way != 0.0 ? (float)(d->u[k] * rise / way) : 0.0f;
    }
    return FMATCH_OK;
}

static void add_along(const fmatch_model *model, int64_t n, const struct directions *d,
                      const struct divergence *divergence, int32_t term)
{
    const int32_t dim = model->dim;
    for (int64_t i = 0; i < n; i++) {
        double sum = 0.0;
        for (int64_t k = i * dim; k < (i + 1) * dim; k++)
            sum += (double)d->u[k] * (double)d->ju[k];
        divergence_add(divergence, term, i, sum);
    }
}

static fmatch_status callback_diverge(const fmatch_model *model,
                                      const struct parameter_snapshot *snapshot, float *scratch,
                                      const struct model_rows *rows,
                                      const struct divergence *divergence, float *v)
{
    (void)snapshot;
    const int32_t dim = model->dim, probes = divergence->method->probes;
    const int64_t n = rows->n, cells = n * dim;
    const struct directions d = {.u = scratch,
                                 .ju = scratch + cells,
                                 .beside = scratch + 2 * cells,
                                 .step = divergence->method->step};
    for (int32_t k = 0; k < (probes > 0 ? probes : dim); k++) {
        if (probes > 0)
            divergence_probe(divergence, k, n, dim, d.u);
        for (int64_t j = 0; probes == 0 && j < cells; j++)
            d.u[j] = j % dim == k ? 1.0f : 0.0f;
        RETURN_IF_FAILED(differentiate(model, rows, &d, v));
        add_along(model, n, &d, divergence, probes > 0 ? k : 0);
    }
    return ((const struct callback_model *)model)->shared->callbacks.jacobian_vector
               ? FMATCH_OK
               : callback_evaluate(model, NULL, NULL, rows, v);
}

static void callback_destroy(fmatch_model *model)
{
    struct shared_callbacks *shared = ((struct callback_model *)model)->shared;
    if (!shared || !reference_count_release(&shared->references))
        return;
    status_keep_and_destroy(shared->callbacks.destroy, shared->callbacks.user);
    allocation_destroy(&model->context->allocator, shared);
}

static fmatch_status callback_copy(fmatch_model **copy, const fmatch_model *model);

static const struct model_kind callback_kind = {.on_calling_thread = true,
                                                .scratch_size = callback_scratch_size,
                                                .evaluate = callback_evaluate,
                                                .diverge_size = callback_diverge_size,
                                                .diverge = callback_diverge,
                                                .copy = callback_copy,
                                                .destroy = callback_destroy};

static fmatch_status callback_copy(fmatch_model **copy, const fmatch_model *model)
{
    RETURN_IF_FAILED(model_create(copy, model->context, sizeof(struct callback_model),
                                  &callback_kind, model->dim, model->noise));
    struct shared_callbacks *shared = ((const struct callback_model *)model)->shared;
    reference_count_retain(&shared->references);
    ((struct callback_model *)*copy)->shared = shared;
    (*copy)->condition = model->condition;
    return FMATCH_OK;
}

static void measure_noise(const fmatch_source *noise, double *moments)
{
    double *std = moments + noise->dim;
    if (noise->kind->moments)
        noise->kind->moments(noise, moments, std);
    for (int32_t j = 0; j < noise->dim; j++)
        if (!noise->kind->moments || !(std[j] > 0.0))
            std[j] = 1.0;
}

/* On failure the user's destroy has not been called. */
static fmatch_status create(fmatch_model **model, fmatch_context *context, int32_t dim,
                            const fmatch_velocity_callbacks *callbacks, const fmatch_source *noise)
{
    CHECK_NOT_NULL(model);
    CHECK_NOT_NULL(context);
    CHECK_RANGE("dim", dim, 1, DIM_MAX);
    RETURN_IF_FAILED(configuration_check_flags("callbacks->flags", callbacks->flags));
    CHECK_RANGE("callbacks->condition_dim", callbacks->condition_dim, 0, DIM_MAX);
    CHECK_RANGE("callbacks->null_condition", callbacks->null_condition,
                FMATCH_NULL_CONDITION_REFUSED, FMATCH_NULL_CONDITION_ACCEPTED);
    if (!callbacks->evaluate)
        return status_fail(FMATCH_ERROR_ARGUMENT, "callbacks->evaluate is NULL");

    fmatch_model *created;
    RETURN_IF_FAILED(
        model_create(&created, context, sizeof(struct callback_model), &callback_kind, dim, noise));
    fmatch_status status = FMATCH_OK;
    if (!noise)
        status = normal_source_create(&created->noise, context, dim, NULL, NULL);
    if (status == FMATCH_OK) {
        const size_t size = sizeof(struct shared_callbacks) + 2 * (size_t)dim * sizeof(double);
        struct shared_callbacks *shared = allocation_create(&context->allocator, 1, size);
        if (shared) {
            reference_count_init(&shared->references);
            shared->callbacks = *callbacks;
            measure_noise(created->noise, shared->moments);
            created->condition = (struct condition){.columns = callbacks->condition_dim,
                                                    .null = callbacks->null_condition ==
                                                            FMATCH_NULL_CONDITION_ACCEPTED};
            ((struct callback_model *)created)->shared = shared;
            *model = created;
            return FMATCH_OK;
        }
        status = status_no_memory(size);
    }
    model_release(created);
    return status;
}

fmatch_status fmatch_model_create_callback(fmatch_model **model, fmatch_context *context,
                                           int32_t dim, const fmatch_velocity_callbacks *callbacks,
                                           const fmatch_source *noise)
{
    status_begin();
    if (model)
        *model = NULL;
    fmatch_velocity_callbacks given;
    RETURN_IF_FAILED(
        configuration_read(&given, sizeof given, sizeof given, callbacks, "callbacks"));
    const fmatch_status status = create(model, context, dim, &given, noise);
    if (status != FMATCH_OK)
        status_keep_and_destroy(given.destroy, given.user);
    return status;
}
