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

/* A direction for each of n rows, and the derivative along it; [n, dim] each but step [n]. */
struct directions {
    float *u, *ju, *above, *step;
};

enum { DIRECTION_ARRAYS = 4 };

static int64_t callback_diverge_size(const fmatch_model *model, int64_t n)
{
    return (DIRECTION_ARRAYS * n * model->dim + 15) / 16 * 16;
}

/* A power of two times the step that was asked for, so that x + step rounds as little as it can. */
static float step_at(int32_t dim, const float *x, double step)
{
    double largest = 1.0;
    for (int32_t j = 0; j < dim; j++)
        largest = fmax(largest, fabs((double)x[j]));
    int exponent;
    const double fraction = frexp(largest, &exponent);
    return (float)ldexp(step, fraction == 0.5 ? exponent - 1 : exponent);
}

static fmatch_status evaluate_beside(const fmatch_model *model, const struct model_rows *rows,
                                     const struct directions *d, float sign, float *v)
{
    const int32_t dim = model->dim;
    float *x = d->above;
    for (int64_t k = 0; k < rows->n * dim; k++)
        x[k] = rows->x[k] + sign * d->step[k / dim] * d->u[k];
    struct model_rows beside = *rows;
    beside.x = x;
    return callback_evaluate(model, NULL, NULL, &beside, v);
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
    RETURN_IF_FAILED(evaluate_beside(model, rows, d, 1.0f, d->ju));
    RETURN_IF_FAILED(evaluate_beside(model, rows, d, -1.0f, v));
    for (int64_t k = 0; k < rows->n * dim; k++)
        d->ju[k] = (d->ju[k] - v[k]) / (2.0f * d->step[k / dim]);
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
                                 .above = scratch + 2 * cells,
                                 .step = scratch + 3 * cells};
    for (int64_t i = 0; i < n; i++)
        d.step[i] = step_at(dim, rows->x + i * dim, divergence->method->step);
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
        struct shared_callbacks *shared = allocation_create(&context->allocator, 1, sizeof *shared);
        if (shared) {
            reference_count_init(&shared->references);
            shared->callbacks = *callbacks;
            created->condition = (struct condition){.columns = callbacks->condition_dim,
                                                    .null = callbacks->null_condition ==
                                                            FMATCH_NULL_CONDITION_ACCEPTED};
            ((struct callback_model *)created)->shared = shared;
            *model = created;
            return FMATCH_OK;
        }
        status = status_no_memory(sizeof *shared);
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
