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
    path_release(model->path);
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

fmatch_status fmatch_model_get_noise(const fmatch_model *model, fmatch_source **noise)
{
    status_begin();
    CHECK_NOT_NULL(noise);
    *noise = NULL;
    CHECK_NOT_NULL(model);
    *noise = source_retain(model->noise);
    return FMATCH_OK;
}

int32_t fmatch_model_get_condition_dim(const fmatch_model *model)
{
    return model ? model->condition.columns : 0;
}

int32_t fmatch_model_count_classes(const fmatch_model *model)
{
    return model ? model->condition.classes : 0;
}

/* ---- evaluation ---- */

void model_view_begin(struct model_view *view)
{
    /* Taking a snapshot counts its readers, which the model's user does not see as a change. */
    const fmatch_model *model = view->model->original ? view->model->original : view->model;
    struct parameter_store *store = (struct parameter_store *)&model->store;
    view->snapshot = atomic_load(&store->current) ? parameter_store_acquire(store) : NULL;
}

void model_view_end(struct model_view *view)
{
    if (view->snapshot)
        parameter_store_release(view->snapshot);
    view->snapshot = NULL;
}

fmatch_status model_view_evaluate(const struct model_view *view, float *scratch,
                                  const struct model_rows *rows, float *v)
{
    return view->model->kind->evaluate(view->model, view->snapshot, scratch, rows, v);
}

struct model_rows model_rows_part(const fmatch_model *model, const struct model_rows *all,
                                  int64_t first, int64_t n)
{
    return (struct model_rows){
        .n = n,
        .x = all->x + first * model->dim,
        .t = all->t + first,
        .condition = all->condition ? all->condition + first * model->condition.columns : NULL};
}

/* ---- blocks of rows ---- */

int32_t model_blocks_lanes(const fmatch_model *model, int64_t n)
{
    const int64_t blocks = (n + MODEL_BLOCK_ROWS - 1) / MODEL_BLOCK_ROWS;
    /* A BLAS is called from one thread at a time. */
    const bool alone = model->kind->on_calling_thread || model->noise->kind->on_calling_thread ||
                       model->context->matmul == FMATCH_MATMUL_BLAS;
    const int32_t threads = alone ? 1 : model->context->threads;
    return blocks < threads ? (int32_t)(blocks > 0 ? blocks : 1) : threads;
}

void lane_failure_keep(struct lane_failure *f, int64_t place, fmatch_status status)
{
    while (atomic_flag_test_and_set(&f->busy))
        ;
    if (place < atomic_load(&f->place)) {
        atomic_store(&f->place, place);
        f->status = status;
        status_keep(&f->kept);
        if (status != FMATCH_ERROR_CALLBACK) /* a code would be of a call before */
            f->kept.callback_code = 0;
    }
    atomic_flag_clear(&f->busy);
}

fmatch_status lane_failure_tell(const struct lane_failure *f)
{
    if (f->status != FMATCH_OK)
        status_restore(&f->kept);
    return f->status;
}

struct lanes {
    const struct model_blocks *blocks;
    atomic_int_fast64_t next;    /* first row of the next block */
    struct lane_failure failure; /* its place is the first row of a block */
};

static int64_t rows_of_block(const struct model_blocks *b, int64_t first)
{
    return b->n - first < MODEL_BLOCK_ROWS ? b->n - first : MODEL_BLOCK_ROWS;
}

/* Blocks are taken in order, so that those before a failed one have been taken by somebody, who
 * completes them. */
static void run_lane(void *argument, int64_t lane)
{
    struct lanes *l = argument;
    const struct model_blocks *b = l->blocks;
    for (;;) {
        const int64_t first = atomic_fetch_add(&l->next, MODEL_BLOCK_ROWS);
        if (first >= atomic_load(&l->failure.place))
            return;
        const fmatch_status status =
            b->block(b->user, (int32_t)lane, first, rows_of_block(b, first));
        if (status != FMATCH_OK)
            lane_failure_keep(&l->failure, first, status);
    }
}

fmatch_status model_blocks_run(const fmatch_model *model, const struct model_blocks *blocks)
{
    const int32_t lanes = model_blocks_lanes(model, blocks->n);
    if (lanes == 1) {
        for (int64_t first = 0; first < blocks->n; first += MODEL_BLOCK_ROWS)
            RETURN_IF_FAILED(blocks->block(blocks->user, 0, first, rows_of_block(blocks, first)));
        return FMATCH_OK;
    }
    struct lanes l = {.blocks = blocks, .failure = {.place = blocks->n, .busy = ATOMIC_FLAG_INIT}};
    context_run(model->context, lanes, run_lane, &l);
    return lane_failure_tell(&l.failure);
}

/* ---- evaluation of given rows ---- */

struct evaluation {
    struct model_view view;
    struct model_rows rows;
    float *v, *scratch;
    int64_t scratch_size; /* of a lane */
};

static fmatch_status check_block(const struct evaluation *e, int64_t first, int64_t rows)
{
    const int32_t dim = e->view.model->dim;
    const float *v = e->v + first * dim;
    if (finite_all(rows * dim, v))
        return FMATCH_OK;
    const int64_t i = finite_first_not(rows * dim, v), row = first + i / dim;
    return status_fail(FMATCH_ERROR_NOT_FINITE, "row %lld of the batch: velocity is %s at t = %s",
                       (long long)row, NUMBER(v[i]), NUMBER(e->rows.t[row]));
}

static fmatch_status evaluate_block(void *user, int32_t lane, int64_t first, int64_t rows)
{
    const struct evaluation *e = user;
    const int32_t dim = e->view.model->dim;
    const struct model_rows block = model_rows_part(e->view.model, &e->rows, first, rows);
    RETURN_IF_FAILED(model_view_evaluate(&e->view, e->scratch + lane * e->scratch_size, &block,
                                         e->v + first * dim));
    return check_block(user, first, rows);
}

static fmatch_status check_rows(const fmatch_model *model, int64_t n, const float *x,
                                const float *t, const float *condition, const float *v)
{
    CHECK_NOT_NULL(x);
    CHECK_NOT_NULL(t);
    CHECK_NOT_NULL(v);
    RETURN_IF_FAILED(status_check_finite("x", 0, n, model->dim, x));
    RETURN_IF_FAILED(status_check_finite("t", 0, n, 1, t));
    return condition_check(&model->condition, "condition", n, condition);
}

fmatch_status fmatch_model_evaluate(const fmatch_model *model, int64_t n, const float *x,
                                    const float *t, const float *condition, float *v)
{
    status_begin();
    CHECK_NOT_NULL(model);
    CHECK_RANGE("n", n, 0, SOURCE_ROWS_MAX / model->dim);
    if (n == 0)
        return FMATCH_OK;
    RETURN_IF_FAILED(check_rows(model, n, x, t, condition, v));

    struct evaluation e = {
        .view = {.model = model}, .rows = {.n = n, .x = x, .t = t, .condition = condition}, .v = v};
    e.scratch_size = model->kind->scratch_size(model, n < MODEL_BLOCK_ROWS ? n : MODEL_BLOCK_ROWS);
    const int64_t floats = model_blocks_lanes(model, n) * e.scratch_size;
    e.scratch = allocation_create(&model->context->allocator, floats, sizeof *e.scratch);
    if (!e.scratch)
        return status_no_memory((size_t)floats * sizeof *e.scratch);
    model_view_begin(&e.view);
    const struct model_blocks blocks = {.n = n, .block = evaluate_block, .user = &e};
    const fmatch_status status = model_blocks_run(model, &blocks);
    model_view_end(&e.view);
    allocation_destroy(&model->context->allocator, e.scratch);
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
