#include "geyser.h"
#include "../learned_flow.h"

#include <math.h>

enum { DIM = 2 };

/* Minutes of eruption and of waiting, with room for what is unlikely. */
static const struct box box = {0.5, 6.5, 28, 112};

/** An array source gives every row once an epoch, shuffled: an epoch's parts are a random split. */
static fmatch_status read_rows(struct geyser *geyser, const char *file, uint64_t seed)
{
    struct row_group *train = &geyser->train, *held_out = &geyser->groups[GEYSER_HELD_OUT];
    fmatch_source *source = NULL;
    const int32_t first_ones[DIM] = {0, 1};
    fmatch_csv_config columns;
    fmatch_status status;

    fmatch_csv_config_init(&columns);
    columns.columns = first_ones, columns.dim = DIM;
    if ((status = fmatch_source_create_csv(&source, geyser->context, file, &columns)) ==
        FMATCH_OK) {
        int64_t n = fmatch_source_count_rows(source), others = n / 5;
        if ((status = row_group_create(train, "training rows", n - others, DIM)) == FMATCH_OK &&
            (status = row_group_create(held_out, "held-out rows", others, DIM)) == FMATCH_OK &&
            (status = fmatch_source_draw(source, seed, 0, train->n, train->rows)) == FMATCH_OK)
            status = fmatch_source_draw(source, seed, train->n, others, held_out->rows);
    }
    fmatch_source_destroy(&source);
    return status;
}

/** Each eruption with the wait of another one. Half of them are like any other row. */
static fmatch_status shuffle(struct geyser *geyser)
{
    const struct row_group *held_out = &geyser->groups[GEYSER_HELD_OUT];
    struct row_group *group = &geyser->groups[GEYSER_SHUFFLED];
    int64_t n = held_out->n;
    fmatch_status status = row_group_create(group, "waits shuffled", n, DIM);

    for (int64_t i = 0; status == FMATCH_OK && i < n; i++) {
        group->rows[DIM * i] = held_out->rows[DIM * i];
        group->rows[DIM * i + 1] = held_out->rows[DIM * ((i + 1) % n) + 1];
    }
    return status;
}

/** A long wait after a short eruption, and the other way round. */
static fmatch_status turn(struct geyser *geyser)
{
    const struct row_group *held_out = &geyser->groups[GEYSER_HELD_OUT];
    struct row_group *group = &geyser->groups[GEYSER_TURNED];
    float low = INFINITY, high = -INFINITY;
    fmatch_status status = row_group_create(group, "waits turned round", held_out->n, DIM);

    for (int64_t i = 0; i < held_out->n; i++) {
        low = fminf(low, held_out->rows[DIM * i + 1]);
        high = fmaxf(high, held_out->rows[DIM * i + 1]);
    }
    for (int64_t i = 0; status == FMATCH_OK && i < held_out->n; i++) {
        group->rows[DIM * i] = held_out->rows[DIM * i];
        group->rows[DIM * i + 1] = low + high - held_out->rows[DIM * i + 1];
    }
    return status;
}

static fmatch_status learn(fmatch_model **model, const struct geyser *geyser, int64_t steps,
                           uint64_t seed)
{
    const struct learning learning = {
        .hidden_layers = 2, .hidden_width = 64, .batch = 128, .steps = steps, .seed = seed};
    fmatch_source *data = NULL;
    fmatch_array_config array;
    fmatch_status status;

    fmatch_array_config_init(&array);
    array.n = geyser->train.n, array.dim = DIM, array.rows = geyser->train.rows;
    if ((status = fmatch_source_create_array(&data, geyser->context, &array)) == FMATCH_OK)
        status = learn_flow(model, geyser->context, data, &learning);
    fmatch_source_destroy(&data);
    return status;
}

static fmatch_status score(struct geyser *geyser, const fmatch_model *model, int columns)
{
    fmatch_status status = density_map_create(&geyser->map, &box, columns, columns);

    if (status == FMATCH_OK)
        status = density_map_of_model(&geyser->map, model);
    for (int k = 0; status == FMATCH_OK && k < GEYSER_GROUPS; k++)
        status = evaluate_log_density(model, geyser->groups[k].n, geyser->groups[k].rows,
                                      geyser->groups[k].log_density);
    if (status == FMATCH_OK)
        row_groups_compare(GEYSER_GROUPS, geyser->groups);
    return status;
}

fmatch_status geyser_run(struct geyser *geyser, const char *file, int64_t steps, int columns,
                         uint64_t seed)
{
    fmatch_model *model = NULL;
    fmatch_status status;

    if ((status = fmatch_context_create(&geyser->context, NULL)) == FMATCH_OK &&
        (status = read_rows(geyser, file, seed)) == FMATCH_OK &&
        (status = shuffle(geyser)) == FMATCH_OK && (status = turn(geyser)) == FMATCH_OK &&
        (status = learn(&model, geyser, steps, seed)) == FMATCH_OK)
        status = score(geyser, model, columns);
    fmatch_model_destroy(&model);
    return status;
}

void geyser_destroy(struct geyser *geyser)
{
    density_map_destroy(&geyser->map);
    for (int k = 0; k < GEYSER_GROUPS; k++)
        row_group_destroy(&geyser->groups[k]);
    row_group_destroy(&geyser->train);
    fmatch_context_destroy(&geyser->context);
}
