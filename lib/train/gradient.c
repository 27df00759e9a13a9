#include "train/gradient.h"

#include "base/status.h"
#include "compute/vector_kernels.h"

#include <stdatomic.h>

/* Rows of a shard: of a narrow network so few that all of its layers stay in the cache between the
 * forward and the backward pass; of a wide one more, because each shard goes over all weights. */
enum { NARROW = 160, NARROW_ROWS = 64, WIDE_ROWS = 128 };

/* Groups: at most so many, and fewer where parameters are many, since each has a gradient of its
 * own. */
enum { GROUPS_MAX = 16, GROUP_FLOATS_MAX = 1 << 21 };

/* Where the built-in product trains as fast as OpenBLAS on one thread, and faster on two: while the
 * largest weight is at most this large. Measured in doc/performance.md. */
enum { BUILTIN_WEIGHT_MAX = 512 * 512 };

static bool use_builtin(const struct mlp *network, const fmatch_context *context)
{
    if (context->matmul != FMATCH_MATMUL_AUTO)
        return context->matmul == FMATCH_MATMUL_BUILTIN;
    int64_t largest = 0;
    for (int32_t l = 0; l < network->layers; l++) {
        const int64_t weight = (int64_t)network->layer[l].out * network->layer[l].in;
        largest = weight > largest ? weight : largest;
    }
    return largest <= BUILTIN_WEIGHT_MAX;
}

/* Groups for n rows: a power of two where parameters are what limits them, which threads share
 * evenly. */
static int32_t groups_of(const struct gradient *g, int64_t n)
{
    if (!g->matmul.kernels)
        return 1;
    const int64_t shards = (n + g->shard_rows - 1) / g->shard_rows;
    int64_t groups = GROUPS_MAX;
    while (groups > 1 && groups * g->network->layout.count > GROUP_FLOATS_MAX)
        groups /= 2;
    return (int32_t)(shards < groups ? shards : groups);
}

static fmatch_status create_groups(struct gradient *g)
{
    const fmatch_allocator *allocator = &g->context->allocator;
    const int64_t count = g->network->layout.count;
    g->group = allocation_create(allocator, g->groups, sizeof *g->group);
    if (!g->group)
        return status_no_memory((size_t)g->groups * sizeof *g->group);
    for (int32_t i = 0; i < g->groups; i++) {
        struct gradient_group *group = &g->group[i];
        RETURN_IF_FAILED(mlp_tape_create(&group->tape, g->network, allocator, g->shard_rows));
        group->gradient = allocation_create(allocator, count, sizeof *group->gradient);
        if (!group->gradient)
            return status_no_memory((size_t)count * sizeof *group->gradient);
    }
    const int64_t packed = g->matmul.kernels ? g->network->packed_count : 0;
    g->packed = allocation_create(allocator, packed, sizeof *g->packed);
    return g->packed ? FMATCH_OK : status_no_memory((size_t)packed * sizeof *g->packed);
}

fmatch_status gradient_create(struct gradient *g, const struct mlp *network,
                              const struct baseline *baseline, const struct loss *loss,
                              fmatch_context *context, int64_t rows)
{
    *g = (struct gradient){.context = context,
                           .network = network,
                           .baseline = baseline,
                           .measure = loss,
                           .rows = rows};
    if (use_builtin(network, context))
        g->matmul.kernels = context->products;
    const int64_t shard = network->widest <= NARROW ? NARROW_ROWS : WIDE_ROWS;
    g->shard_rows = g->matmul.kernels && rows > shard ? shard : rows;
    g->groups = groups_of(g, rows);
    const fmatch_status status = create_groups(g);
    if (status != FMATCH_OK)
        gradient_destroy(g);
    return status;
}

void gradient_destroy(struct gradient *g)
{
    if (!g->context)
        return;
    const fmatch_allocator *allocator = &g->context->allocator;
    for (int32_t i = 0; g->group && i < g->groups; i++) {
        mlp_tape_destroy(&g->group[i].tape, allocator);
        allocation_destroy(allocator, g->group[i].gradient);
    }
    allocation_destroy(allocator, g->packed);
    allocation_destroy(allocator, g->group);
    *g = (struct gradient){0};
}

float *gradient_result(const struct gradient *g)
{
    return g->group[0].gradient;
}

/* ---- one batch ---- */

struct task {
    struct gradient *g;
    struct mlp_pass pass;
    struct batch batch; /* the room, without weights where rows have none */
    const struct batch_origin *origin;
    const struct gradient_aside *aside;
    int64_t n;
    int32_t groups;
    double scale; /* of the sum over rows */
    bool draw;    /* each shard draws its own sides */
    bool backward;
    atomic_bool failed;
};

static fmatch_status fill_shard(const struct task *task, int64_t first, int64_t rows)
{
    if (task->draw)
        RETURN_IF_FAILED(batch_draw(&task->batch, task->origin, first, rows));
    return batch_finish(&task->batch, task->origin, first, rows);
}

/* The baseline off what is to be predicted: the loss knows but the difference of the two. */
static fmatch_status take_baseline_off(const struct task *task, int64_t first, int64_t rows)
{
    const struct batch *batch = &task->batch;
    float *x = batch->x + first * batch->shape.dim, *u = batch->u + first * batch->shape.dim;
    return task->g->baseline ? baseline_take_off(task->g->baseline, rows, batch->t + first, x, x, u)
                             : FMATCH_OK;
}

static struct mlp_rows rows_for_network(const struct batch *batch, int64_t first, int64_t rows)
{
    const struct batch_sides sides = batch_sides_from(&batch->sides, &batch->shape, first);
    return (struct mlp_rows){.n = rows,
                             .t = batch->t + first,
                             .x = batch->x + first * batch->shape.dim,
                             .condition = sides.condition};
}

static struct loss_rows rows_for_loss(const struct batch *batch, int64_t first, int64_t rows,
                                      const float *predicted)
{
    const struct batch_sides sides = batch_sides_from(&batch->sides, &batch->shape, first);
    return (struct loss_rows){.n = rows,
                              .dim = batch->shape.dim,
                              .predicted = predicted,
                              .target = batch->u + first * batch->shape.dim,
                              .t = batch->t + first,
                              .weight = sides.weight};
}

static fmatch_status run_shard(const struct task *task, struct gradient_group *group, int64_t first,
                               int64_t rows, bool accumulate)
{
    const struct mlp *network = task->g->network;
    const struct baseline *baseline = task->g->baseline;
    RETURN_IF_FAILED(fill_shard(task, first, rows));
    RETURN_IF_FAILED(take_baseline_off(task, first, rows));
    const struct mlp_rows asked = rows_for_network(&task->batch, first, rows);
    float *predicted = mlp_forward(network, &task->pass, &group->tape, &asked);
    if (baseline)
        baseline_scale(baseline, rows, predicted);
    const struct loss_rows measured = rows_for_loss(&task->batch, first, rows, predicted);
    double sum;
    RETURN_IF_FAILED(loss_evaluate(task->g->measure, &measured, task->scale, &sum,
                                   task->backward ? group->tape.dz : NULL));
    group->loss += sum;
    if (task->backward && baseline)
        baseline_scale(baseline, rows, group->tape.dz);
    if (task->backward)
        mlp_backward(network, &task->pass, &group->tape, &asked, accumulate, group->gradient);
    return FMATCH_OK;
}

static void run_group(struct task *task, int64_t index)
{
    struct gradient_group *group = &task->g->group[index];
    const int64_t rows = task->g->shard_rows, shards = (task->n + rows - 1) / rows;
    const int64_t begin = shards * index / task->groups, end = shards * (index + 1) / task->groups;
    group->loss = 0.0;
    for (int64_t shard = begin; shard < end; shard++) {
        const int64_t first = shard * rows, rest = task->n - first;
        if (run_shard(task, group, first, rest < rows ? rest : rows, shard > begin) != FMATCH_OK) {
            atomic_store(&task->failed, true);
            return;
        }
    }
}

/* What is done aside is begun first, since it may take as long as all the rest. */
static void run_task(void *argument, int64_t index)
{
    struct task *task = argument;
    if (!task->aside)
        run_group(task, index);
    else if (index == 0)
        task->aside->run(task->aside->user);
    else
        run_group(task, index - 1);
}

/* Parameters are added up in shares, each in the order of groups. */
enum { SHARE_PARAMETERS = 16384 };

static void add_share(void *argument, int64_t index)
{
    const struct task *task = argument;
    const int64_t begin = index * SHARE_PARAMETERS;
    const int64_t rest = task->g->network->layout.count - begin;
    const int64_t count = rest < SHARE_PARAMETERS ? rest : SHARE_PARAMETERS;
    float *sum = gradient_result(task->g) + begin;
    for (int32_t i = 1; i < task->groups; i++)
        task->g->context->kernels->add(count, task->g->group[i].gradient + begin, sum);
}

static void add_gradients(struct task *task)
{
    const int64_t count = task->g->network->layout.count;
    if (task->groups > 1)
        context_run(task->g->context, (count + SHARE_PARAMETERS - 1) / SHARE_PARAMETERS, add_share,
                    task);
}

/* A user's function has failed on some thread: again on this one, whose detail the caller reads. */
static fmatch_status explain(const struct task *task)
{
    const struct batch *batch = &task->batch;
    if (task->draw)
        RETURN_IF_FAILED(batch_draw(batch, task->origin, 0, task->n));
    RETURN_IF_FAILED(batch_finish(batch, task->origin, 0, task->n));
    RETURN_IF_FAILED(take_baseline_off(task, 0, task->n));
    const struct loss_rows right = rows_for_loss(batch, 0, task->n, batch->u);
    double sum;
    RETURN_IF_FAILED(loss_evaluate(task->g->measure, &right, 1.0, &sum, NULL));
    return status_fail(FMATCH_ERROR_CALLBACK,
                       "a function of the user failed on one thread and not on another");
}

/* Rows have their own weights, or count as one each. */
static double sum_of_weights(const struct batch *batch, int64_t n)
{
    double sum = 0.0;
    for (int64_t i = 0; batch->sides.weight && i < n; i++)
        sum += batch->sides.weight[i];
    return batch->sides.weight ? sum : (double)n;
}

static fmatch_status run(struct gradient *g, const float *parameters, struct task *task,
                         struct batch_loss *loss)
{
    task->g = g;
    task->groups = groups_of(g, task->n);
    if (!batch_is_weighted(task->origin))
        task->batch.sides.weight = NULL;
    task->draw = !batch_is_alone(task->origin) && !task->batch.sides.weight;
    task->pass = (struct mlp_pass){.matmul = g->matmul,
                                   .parameters = {.values = parameters, .packed = g->packed},
                                   .context = task->groups == 1 ? g->context : NULL};
    if (!task->draw)
        RETURN_IF_FAILED(batch_draw(&task->batch, task->origin, 0, task->n));
    const double weights = sum_of_weights(&task->batch, task->n);
    task->scale = weights > 0.0 ? 1.0 / weights : 0.0;
    if (g->matmul.kernels)
        mlp_pack(g->network, parameters, g->packed);
    context_run(g->context, task->groups + (task->aside ? 1 : 0), run_task, task);
    if (atomic_load(&task->failed))
        return explain(task);

    double sum = 0.0;
    for (int32_t i = 0; i < task->groups; i++)
        sum += g->group[i].loss;
    *loss = (struct batch_loss){.mean = sum * task->scale, .weights = weights};
    return FMATCH_OK;
}

fmatch_status gradient_run(struct gradient *g, const float *parameters, const struct batch *batch,
                           const struct batch_origin *origin, int64_t n,
                           const struct gradient_aside *aside, struct batch_loss *loss)
{
    struct task task = {
        .batch = *batch, .origin = origin, .n = n, .aside = aside, .backward = true};
    RETURN_IF_FAILED(run(g, parameters, &task, loss));
    add_gradients(&task);
    return FMATCH_OK;
}

fmatch_status gradient_evaluate(struct gradient *g, const float *parameters,
                                const struct batch *batch, const struct batch_origin *origin,
                                int64_t n, struct batch_loss *loss)
{
    struct task task = {.batch = *batch, .origin = origin, .n = n};
    return run(g, parameters, &task, loss);
}
