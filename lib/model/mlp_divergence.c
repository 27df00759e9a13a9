/* Divergence of a network's velocity. With the baseline the prediction at y is gain (y - mu) +
 * unit net((y - mu) scale), column by column, and the velocity that it means is a y + b times it,
 * all in standardised coordinates, in which the trace of the Jacobian is the same as in the data's.
 * So
 *
 *   z^T J z = sum over j of (a + b gain_j) z_j^2 + b unit_j z_j (J_net (scale z))_j. */
#include "model/mlp_divergence.h"

#include "base/status.h"
#include "model/divergence.h"
#include "model/mlp_tangent.h"

/* Of a group of rows, [n, dim] each. */
struct chain {
    float *own; /* a + b gain */
    float *in;  /* scale */
    float *out; /* b unit */
};

/* What a group of rows needs, in one block of floats. */
struct group_scratch {
    float *evaluation, *network, *record, *z, *u;
    struct chain chain;
    int64_t floats;
};

static int64_t rows_of_group(const struct mlp *mlp, int64_t n)
{
    const int64_t together = mlp_rows_together(mlp);
    return n < together ? n : together;
}

static float *take(float *base, int64_t *taken, int64_t floats)
{
    float *part = base ? base + *taken : NULL;
    *taken += (floats + 15) / 16 * 16;
    return part;
}

/* Of at most n rows; base NULL: for its size alone. */
static struct group_scratch lay_out(const fmatch_model *model, int64_t n, float *base)
{
    const struct mlp *mlp = mlp_model_network(model);
    const int64_t rows = rows_of_group(mlp, n), cells = rows * model->dim;
    struct group_scratch s = {0};
    s.evaluation = take(base, &s.floats, model->kind->scratch_size(model, rows));
    s.network = take(base, &s.floats, mlp_tangent_size(mlp));
    s.record = take(base, &s.floats, mlp_record_size(mlp, rows));
    s.z = take(base, &s.floats, MLP_TANGENT_ROWS * (int64_t)model->dim);
    s.u = take(base, &s.floats, MLP_TANGENT_ROWS * (int64_t)model->dim);
    s.chain.own = take(base, &s.floats, cells);
    s.chain.in = take(base, &s.floats, cells);
    s.chain.out = take(base, &s.floats, cells);
    return s;
}

int64_t mlp_model_diverge_size(const fmatch_model *model, int64_t n)
{
    return lay_out(model, n, NULL).floats;
}

static void fill(int64_t n, float value, float *to)
{
    for (int64_t i = 0; i < n; i++)
        to[i] = value;
}

/* a and b [n], from the velocities that two pairs of x and prediction mean. */
static fmatch_status fill_conversion(const fmatch_model *model, int64_t n, const float *t, float *a,
                                     float *b)
{
    float zero[PATH_TIMES_AT_ONCE], one[PATH_TIMES_AT_ONCE];
    fill(PATH_TIMES_AT_ONCE, 0.0f, zero);
    fill(PATH_TIMES_AT_ONCE, 1.0f, one);
    const int32_t prediction = model->prediction;
    for (int64_t i = 0; i < n; i += PATH_TIMES_AT_ONCE) {
        const int64_t some = n - i < PATH_TIMES_AT_ONCE ? n - i : PATH_TIMES_AT_ONCE;
        RETURN_IF_FAILED(path_velocity(model->path, prediction, some, 1, t + i, one, zero, a + i));
        RETURN_IF_FAILED(path_velocity(model->path, prediction, some, 1, t + i, zero, one, b + i));
    }
    return FMATCH_OK;
}

/* z and u, not yet in use, have room for a and b. */
static fmatch_status fill_chain(const fmatch_model *model, int64_t n, const float *t,
                                const struct group_scratch *s)
{
    const struct baseline *baseline = mlp_model_baseline(model);
    const struct chain *c = &s->chain;
    const int32_t dim = model->dim;
    fill(n * dim, 0.0f, c->own);
    fill(n * dim, 1.0f, c->in);
    fill(n * dim, 1.0f, c->out);
    if (baseline) {
        RETURN_IF_FAILED(baseline_slopes(baseline, n, t, c->in, c->own));
        for (int64_t i = 0; i < n * dim; i++)
            c->own[i] = -c->own[i];
        baseline_scale(baseline, n, c->out);
    }
    if (model->prediction == FMATCH_PREDICTION_VELOCITY)
        return FMATCH_OK;
    float *a = s->z, *b = s->u;
    RETURN_IF_FAILED(fill_conversion(model, n, t, a, b));
    for (int64_t i = 0; i < n; i++)
        for (int64_t k = i * dim; k < (i + 1) * dim; k++) {
            c->own[k] = a[i] + b[i] * c->own[k];
            c->out[k] *= b[i];
        }
    return FMATCH_OK;
}

struct group {
    const fmatch_model *model;
    const struct mlp *mlp;
    struct parameter_view parameters;
    int64_t n;
    struct group_scratch scratch;
    struct divergence divergence;
};

static void add_exact(const struct group *g)
{
    const struct chain *c = &g->scratch.chain;
    const int32_t dim = g->model->dim, together = MLP_TANGENT_ROWS / (int32_t)g->n;
    float *diagonal = g->scratch.z;
    for (int32_t j = 0; j < dim; j += together) {
        const struct mlp_tangents t = {g->n, dim - j < together ? dim - j : together,
                                       g->scratch.record};
        mlp_push_units(g->mlp, g->parameters, g->scratch.network, &t, j, diagonal);
    }
    for (int64_t i = 0; i < g->n; i++) {
        double sum = 0.0;
        for (int64_t k = i * dim; k < (i + 1) * dim; k++)
            sum += (double)c->own[k] + (double)(c->in[k] * c->out[k]) * (double)diagonal[k];
        divergence_add(&g->divergence, 0, i, sum);
    }
}

static void add_probe(const struct group *g, int32_t probe, const float *z, const float *ju)
{
    const struct chain *c = &g->scratch.chain;
    const int32_t dim = g->model->dim;
    for (int64_t i = 0; i < g->n; i++) {
        double sum = 0.0;
        for (int64_t k = i * dim; k < (i + 1) * dim; k++)
            sum += (double)(c->own[k] * z[k] + c->out[k] * ju[k]) * (double)z[k];
        divergence_add(&g->divergence, probe, i, sum);
    }
}

static void add_probes(const struct group *g)
{
    const int32_t dim = g->model->dim, together = MLP_TANGENT_ROWS / (int32_t)g->n;
    const int32_t probes = g->divergence.method->probes;
    const int64_t cells = g->n * dim;
    for (int32_t first = 0; first < probes; first += together) {
        const int32_t count = probes - first < together ? probes - first : together;
        float *z = g->scratch.z, *u = g->scratch.u;
        for (int32_t k = 0; k < count; k++, z += cells, u += cells) {
            divergence_probe(&g->divergence, first + k, g->n, dim, z);
            for (int64_t i = 0; i < cells; i++)
                u[i] = g->scratch.chain.in[i] * z[i];
        }
        const struct mlp_tangents t = {g->n, count, g->scratch.record};
        mlp_push(g->mlp, g->parameters, g->scratch.network, &t, g->scratch.u, g->scratch.u);
        for (int32_t k = 0; k < count; k++)
            add_probe(g, first + k, g->scratch.z + k * cells, g->scratch.u + k * cells);
    }
}

static fmatch_status diverge_group(const struct group *g, const struct model_rows *rows, float *v)
{
    const struct mlp_model_pass pass = {g->parameters, g->scratch.evaluation, g->scratch.record};
    RETURN_IF_FAILED(mlp_model_run_pass(g->model, &pass, rows, v));
    RETURN_IF_FAILED(fill_chain(g->model, rows->n, rows->t, &g->scratch));
    if (g->divergence.method->probes > 0)
        add_probes(g);
    else
        add_exact(g);
    return FMATCH_OK;
}

fmatch_status mlp_model_diverge(const fmatch_model *model,
                                const struct parameter_snapshot *snapshot, float *scratch,
                                const struct model_rows *rows, const struct divergence *divergence,
                                float *v)
{
    const struct mlp *mlp = mlp_model_network(model);
    struct group g = {.model = model,
                      .mlp = mlp,
                      .parameters = {.values = snapshot->values, .packed = snapshot->derived},
                      .scratch = lay_out(model, rows->n, scratch)};
    const int64_t together = rows_of_group(mlp, rows->n);
    for (int64_t i = 0; i < rows->n; i += together) {
        g.n = rows->n - i < together ? rows->n - i : together;
        g.divergence = divergence_part(divergence, i);
        const struct model_rows some = model_rows_part(model, rows, i, g.n);
        RETURN_IF_FAILED(diverge_group(&g, &some, v + i * model->dim));
    }
    return FMATCH_OK;
}
