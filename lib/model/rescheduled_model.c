/* Model whose velocity is that of another one on a path of another schedule: with t, s, dt / dr and
 * s' of path/rescheduling.h, and c the centre of the coordinates in which the path is true,
 *
 *   v(x, r) = s' / s (x - c) + s dt/dr u(y, t), y = c + (x - c) / s,
 *   z^T (dv/dx) z = s' / s |z|^2 + dt/dr z^T (du/dy) z. */
#include "model/divergence.h"
#include "model/mlp_model.h"

#include "base/status.h"
#include "path/rescheduling.h"

struct rescheduled_model {
    fmatch_model model;
    struct model_kind kind; /* but for the thread as that of all such models */
    struct path *from;      /* of the original */
};

/* y [n, dim] and t [n], then what the original needs. */
static int64_t own_size(const fmatch_model *model, int64_t n)
{
    return (n * model->dim + n + 15) / 16 * 16;
}

static int64_t rescheduled_scratch_size(const fmatch_model *model, int64_t n)
{
    return own_size(model, n) + model->original->kind->scratch_size(model->original, n);
}

/* What the original is asked about, in scratch. */
static fmatch_status ask(const fmatch_model *model, const struct model_rows *rows, float *scratch,
                         struct rescheduling *at, struct model_rows *asked)
{
    const struct path *from = ((const struct rescheduled_model *)model)->from;
    const float *mean = mlp_model_units_of(model).mean;
    const int32_t dim = model->dim;
    float *y = scratch, *t = scratch + rows->n * dim;
    for (int64_t i = 0; i < rows->n; i++) {
        if (i > 0 && rows->t[i] == rows->t[i - 1])
            at[i] = at[i - 1];
        else
            RETURN_IF_FAILED(rescheduling_at(from, model->path, (double)rows->t[i], &at[i]));
        t[i] = at[i].t;
        for (int32_t j = 0; j < dim; j++) {
            const double centre = mean ? (double)mean[j] : 0.0;
            y[i * dim + j] =
                (float)(centre + ((double)rows->x[i * dim + j] - centre) / at[i].scale);
        }
    }
    *asked = (struct model_rows){.n = rows->n, .x = y, .t = t, .condition = rows->condition};
    return FMATCH_OK;
}

/* u at y into v at x. */
static void answer(const fmatch_model *model, const struct rescheduling *at,
                   const struct model_rows *asked, float *v)
{
    const float *mean = mlp_model_units_of(model).mean;
    const int32_t dim = model->dim;
    for (int64_t i = 0; i < asked->n; i++)
        for (int32_t j = 0; j < dim; j++) {
            const int64_t k = i * dim + j;
            const double off = (double)asked->x[k] - (mean ? (double)mean[j] : 0.0);
            v[k] = (float)(at[i].scale * (at[i].stretch * off + at[i].pace * (double)v[k]));
        }
}

static fmatch_status rescheduled_evaluate(const fmatch_model *model,
                                          const struct parameter_snapshot *snapshot, float *scratch,
                                          const struct model_rows *rows, float *v)
{
    const fmatch_model *original = model->original;
    struct rescheduling at[MODEL_BLOCK_ROWS];
    struct model_rows asked;
    RETURN_IF_FAILED(ask(model, rows, scratch, at, &asked));
    RETURN_IF_FAILED(original->kind->evaluate(original, snapshot,
                                              scratch + own_size(model, rows->n), &asked, v));
    answer(model, at, &asked, v);
    return FMATCH_OK;
}

/* ---- divergence ---- */

static int64_t probes_size(const fmatch_model *model, int64_t n)
{
    return (n * model->dim + 15) / 16 * 16;
}

static int64_t rescheduled_diverge_size(const fmatch_model *model, int64_t n)
{
    return own_size(model, n) + probes_size(model, n) +
           model->original->kind->diverge_size(model->original, n);
}

/* |z|^2, for the identity, to the terms of n rows. */
static void add_identity(const struct divergence *d, int64_t n, int32_t dim,
                         const struct rescheduling *at, float *z)
{
    const bool exact = d->method->probes == 0;
    for (int32_t k = 0; k < divergence_terms(d->method); k++) {
        if (!exact)
            divergence_probe(d, k, n, dim, z);
        for (int64_t i = 0; i < n; i++) {
            double trace = exact ? dim : 0.0;
            for (int64_t j = i * dim; !exact && j < (i + 1) * dim; j++)
                trace += (double)z[j] * (double)z[j];
            divergence_add(d, k, i, at[i].stretch * trace);
        }
    }
}

static fmatch_status rescheduled_diverge(const fmatch_model *model,
                                         const struct parameter_snapshot *snapshot, float *scratch,
                                         const struct model_rows *rows,
                                         const struct divergence *divergence, float *v)
{
    struct rescheduling at[MODEL_BLOCK_ROWS];
    double weight[MODEL_BLOCK_ROWS];
    struct model_rows asked;
    float *z = scratch + own_size(model, rows->n), *rest = z + probes_size(model, rows->n);
    RETURN_IF_FAILED(ask(model, rows, scratch, at, &asked));
    add_identity(divergence, rows->n, model->dim, at, z);
    struct divergence of_original = *divergence;
    of_original.weight = weight;
    for (int64_t i = 0; i < rows->n; i++)
        weight[i] = divergence->weight[i] * at[i].pace;
    RETURN_IF_FAILED(
        model->original->kind->diverge(model->original, snapshot, rest, &asked, &of_original, v));
    answer(model, at, &asked, v);
    return FMATCH_OK;
}

/* ---- the kind ---- */

static void rescheduled_destroy(fmatch_model *model)
{
    path_release(((struct rescheduled_model *)model)->from);
    model_release(model->original);
}

static fmatch_status rescheduled_copy(fmatch_model **copy, const fmatch_model *model);

/* Holds original and path. */
static fmatch_status create(fmatch_model **model, const fmatch_model *original, struct path *path)
{
    fmatch_model *created;
    RETURN_IF_FAILED(model_create(&created, original->context, sizeof(struct rescheduled_model),
                                  original->kind, original->dim, original->noise));
    struct rescheduled_model *m = (struct rescheduled_model *)created;
    m->kind = (struct model_kind){.on_calling_thread = original->kind->on_calling_thread,
                                  .scratch_size = rescheduled_scratch_size,
                                  .evaluate = rescheduled_evaluate,
                                  .diverge_size = rescheduled_diverge_size,
                                  .diverge = rescheduled_diverge,
                                  .copy = rescheduled_copy,
                                  .destroy = rescheduled_destroy};
    created->kind = &m->kind;
    created->condition = original->condition;
    created->path = path_retain(path);
    created->original = model_retain(original);
    /* A model without a path of its own is on the linear one. */
    fmatch_status status = FMATCH_OK;
    if (original->path)
        m->from = path_retain(original->path);
    else
        status = path_create(&m->from, original->context, NULL);
    if (status == FMATCH_OK)
        status = rescheduling_check(m->from, path);
    if (status != FMATCH_OK) {
        model_release(created);
        return status;
    }
    *model = created;
    return FMATCH_OK;
}

static fmatch_status rescheduled_copy(fmatch_model **copy, const fmatch_model *model)
{
    fmatch_model *original;
    RETURN_IF_FAILED(model->original->kind->copy(&original, model->original));
    const fmatch_status status = create(copy, original, model->path);
    model_release(original);
    return status;
}

static fmatch_status check_handles(fmatch_model **model, const fmatch_model *original)
{
    CHECK_NOT_NULL(model);
    CHECK_NOT_NULL(original);
    return FMATCH_OK;
}

fmatch_status fmatch_model_create_rescheduled(fmatch_model **model, const fmatch_model *original,
                                              const fmatch_path_config *config)
{
    status_begin();
    if (model)
        *model = NULL;
    fmatch_status status = check_handles(model, original);
    if (status != FMATCH_OK) {
        path_give_up(config);
        return status;
    }
    struct path *to;
    RETURN_IF_FAILED(path_create(&to, original->context, config));
    /* Twice rescheduled is once, to the last path. */
    status = create(model, original->original ? original->original : original, to);
    path_release(to);
    return status;
}
