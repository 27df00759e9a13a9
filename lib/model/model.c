#include "model/model.h"

#include "base/configuration.h"
#include "base/finite.h"
#include "base/status.h"

#include <string.h>

static const struct parameter_layout no_parameters = {0};

fmatch_status model_create(fmatch_model **model, fmatch_context *context, size_t size,
                           const struct model_kind *kind, int32_t dim, const fmatch_source *noise)
{
    if (noise && noise->dim != dim)
        return status_fail(FMATCH_ERROR_SHAPE, "noise has %d columns; the model has %d",
                           (int)noise->dim, (int)dim);
    struct fmatch_model *m = allocation_create(&context->allocator, 1, size);
    if (!m)
        return status_no_memory(size);
    reference_count_init(&m->references);
    m->kind = kind;
    m->context = context_retain(context);
    m->dim = dim;
    m->noise = noise ? source_retain(noise) : NULL;
    m->layout = &no_parameters;
    *model = m;
    return FMATCH_OK;
}

fmatch_model *model_retain(const fmatch_model *model)
{
    fmatch_model *m = (fmatch_model *)model; /* only the count changes */
    reference_count_retain(&m->references);
    return m;
}

void model_release(fmatch_model *model)
{
    if (!model || !reference_count_release(&model->references))
        return;
    fmatch_context *context = model->context;
    if (model->kind->destroy)
        model->kind->destroy(model);
    parameter_store_destroy(&model->store);
    source_release(model->noise);
    allocation_destroy(&context->allocator, model);
    context_release(context);
}

void fmatch_model_destroy(fmatch_model **model)
{
    if (!model)
        return;
    model_release(*model);
    *model = NULL;
}

fmatch_status fmatch_model_create_copy(fmatch_model **copy, const fmatch_model *model)
{
    status_begin();
    CHECK_NOT_NULL(copy);
    *copy = NULL;
    CHECK_NOT_NULL(model);
    return model->kind->copy(copy, model);
}

int32_t fmatch_model_get_dim(const fmatch_model *model)
{
    return model ? model->dim : 0;
}

/* ---- evaluation ---- */

void model_view_begin(struct model_view *view)
{
    /* Taking a snapshot counts its readers, which the model's user does not see as a change. */
    struct parameter_store *store = (struct parameter_store *)&view->model->store;
    view->snapshot = atomic_load(&store->current) ? parameter_store_acquire(store) : NULL;
}

void model_view_end(struct model_view *view)
{
    if (view->snapshot)
        parameter_store_release(view->snapshot);
    view->snapshot = NULL;
}

fmatch_status model_view_evaluate(const struct model_view *view, int64_t n, const float *x,
                                  const float *t, float *v)
{
    const float *parameters = view->snapshot ? view->snapshot->values : NULL;
    return view->model->kind->evaluate(view->model, parameters, view->scratch, n, x, t, v);
}

static fmatch_status check_velocity(const fmatch_model *model, int64_t first, int64_t n,
                                    const float *t, const float *v)
{
    const int64_t cells = n * model->dim;
    if (finite_all(cells, v))
        return FMATCH_OK;
    const int64_t i = finite_first_not(cells, v), row = i / model->dim;
    return status_fail(FMATCH_ERROR_NOT_FINITE, "row %lld of the batch: velocity is %s at t = %s",
                       (long long)(first + row), NUMBER(v[i]), NUMBER(t[row]));
}

static fmatch_status evaluate_blocks(const struct model_view *view, int64_t n, const float *x,
                                     const float *t, float *v)
{
    const fmatch_model *model = view->model;
    for (int64_t first = 0; first < n; first += MODEL_BLOCK_ROWS) {
        const int64_t rows = n - first < MODEL_BLOCK_ROWS ? n - first : MODEL_BLOCK_ROWS;
        const int64_t offset = first * model->dim;
        RETURN_IF_FAILED(model_view_evaluate(view, rows, x + offset, t + first, v + offset));
        RETURN_IF_FAILED(check_velocity(model, first, rows, t + first, v + offset));
    }
    return FMATCH_OK;
}

fmatch_status fmatch_model_evaluate(const fmatch_model *model, int64_t n, const float *x,
                                    const float *t, const float *condition, float *v)
{
    status_begin();
    CHECK_NOT_NULL(model);
    CHECK_RANGE("n", n, 0, SOURCE_ROWS_MAX / model->dim);
    if (condition)
        return status_fail(FMATCH_ERROR_ARGUMENT, "condition is not NULL; the model has none");
    if (n == 0)
        return FMATCH_OK;
    CHECK_NOT_NULL(x);
    CHECK_NOT_NULL(t);
    CHECK_NOT_NULL(v);
    RETURN_IF_FAILED(status_check_finite("x", 0, n, model->dim, x));
    RETURN_IF_FAILED(status_check_finite("t", 0, n, 1, t));

    const int64_t scratch = model->kind->scratch_size(model);
    struct model_view view = {.model = model};
    view.scratch = allocation_create(&model->context->allocator, scratch, sizeof *view.scratch);
    if (!view.scratch)
        return status_no_memory((size_t)scratch * sizeof *view.scratch);
    model_view_begin(&view);
    const fmatch_status status = evaluate_blocks(&view, n, x, t, v);
    model_view_end(&view);
    allocation_destroy(&model->context->allocator, view.scratch);
    return status;
}

/* ---- parameters by name ---- */

int32_t fmatch_model_count_tensors(const fmatch_model *model)
{
    return model ? model->layout->tensors : 0;
}

int64_t fmatch_model_count_parameters(const fmatch_model *model)
{
    return model ? model->layout->count : 0;
}

fmatch_status fmatch_model_get_tensor_info(const fmatch_model *model, int32_t index,
                                           fmatch_tensor_info *info)
{
    status_begin();
    CHECK_NOT_NULL(model);
    fmatch_tensor_info given;
    RETURN_IF_FAILED(configuration_read(&given, sizeof given, sizeof given, info, "info"));
    if (model->layout->tensors == 0)
        return status_fail(FMATCH_ERROR_ARGUMENT, "index is %d; the model has no parameters",
                           (int)index);
    CHECK_RANGE("index", index, 0, model->layout->tensors - 1);
    const struct tensor *t = &model->layout->tensor[index];
    const fmatch_tensor_info answer = {
        .rank = t->rank, .shape = {t->shape[0], t->shape[1]}, .name = t->name};
    configuration_write(info, given.struct_size, &answer, sizeof answer);
    return FMATCH_OK;
}

fmatch_status fmatch_model_get_tensor(const fmatch_model *model, const char *name, int64_t count,
                                      float *values)
{
    status_begin();
    CHECK_NOT_NULL(model);
    CHECK_NOT_NULL(name);
    CHECK_NOT_NULL(values);
    const struct tensor *t;
    RETURN_IF_FAILED(parameter_layout_find(model->layout, name, count, &t));
    struct model_view view = {.model = model};
    model_view_begin(&view);
    memcpy(values, view.snapshot->values + t->offset, (size_t)count * sizeof *values);
    model_view_end(&view);
    return FMATCH_OK;
}

fmatch_status fmatch_model_set_tensor(fmatch_model *model, const char *name, int64_t count,
                                      const float *values)
{
    status_begin();
    CHECK_NOT_NULL(model);
    CHECK_NOT_NULL(name);
    CHECK_NOT_NULL(values);
    const struct tensor *t;
    RETURN_IF_FAILED(parameter_layout_find(model->layout, name, count, &t));
    RETURN_IF_FAILED(status_check_finite("values", 0, t->shape[0], t->shape[1], values));
    return parameter_store_publish(&model->store, t->offset, count, values);
}
