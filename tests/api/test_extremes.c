/* Data and settings at the edge of what makes sense, with the recommended settings otherwise: a
 * status, or samples like the data. */
#include "fixtures.h"

enum { SAMPLES = 512 };

struct training {
    fmatch_context *context;
    fmatch_source *data;
    fmatch_model *model;
    fmatch_optimizer *optimizer;
    fmatch_trainer *trainer;
};

/* What is trained, for how long, and how. */
struct setting {
    int64_t n;
    int32_t dim, batch, width;
    int64_t steps;
    double learning_rate; /* 0: the recommended one */
};

static void training_create(struct training *t, const struct setting *s, const float *rows)
{
    expect_ok(fmatch_context_create(&t->context, NULL));
    fmatch_array_config array;
    fmatch_array_config_init(&array);
    array.dim = s->dim;
    array.n = s->n;
    array.rows = rows;
    expect_ok(fmatch_source_create_array(&t->data, t->context, &array));
    fmatch_mlp_config net;
    fmatch_mlp_config_init(&net);
    net.data = t->data;
    net.hidden_width = s->width;
    net.seed = 7;
    expect_ok(fmatch_model_create_mlp(&t->model, t->context, &net));
    fmatch_adam_config adam;
    fmatch_adam_config_init(&adam);
    if (s->learning_rate > 0)
        adam.learning_rate = s->learning_rate;
    expect_ok(fmatch_optimizer_create_adam(&t->optimizer, t->context, &adam));
    fmatch_trainer_config config;
    fmatch_trainer_config_init(&config);
    config.batch = s->batch;
    config.steps = s->steps;
    expect_ok(fmatch_trainer_create(&t->trainer, t->model, t->optimizer, t->data, &config));
}

static void training_destroy(struct training *t)
{
    fmatch_trainer_destroy(&t->trainer);
    fmatch_optimizer_destroy(&t->optimizer);
    fmatch_model_destroy(&t->model);
    fmatch_source_destroy(&t->data);
    fmatch_context_destroy(&t->context);
}

/* Samples [SAMPLES, dim], all finite. */
static void draw(const struct training *t, int32_t dim, float *samples)
{
    fmatch_sampler *sampler;
    expect_ok(fmatch_sampler_create(&sampler, t->model, NULL));
    expect_ok(fmatch_sampler_draw(sampler, 3, 0, SAMPLES, NULL, samples));
    for (int64_t i = 0; i < SAMPLES * (int64_t)dim; i++)
        expect_that(isfinite(samples[i]), "sample %lld is %g", (long long)i, samples[i]);
    fmatch_sampler_destroy(&sampler);
}

static void train_and_draw(const struct setting *s, const float *rows, float *samples)
{
    struct training t;
    training_create(&t, s, rows);
    expect_ok(fmatch_trainer_run(t.trainer, s->steps, NULL));
    draw(&t, s->dim, samples);
    training_destroy(&t);
}

struct moments {
    double mean, std;
};

static struct moments moments_of(const float *x, int64_t n, int32_t dim, int32_t column)
{
    double sum = 0, squares = 0;
    for (int64_t i = 0; i < n; i++)
        sum += x[i * dim + column];
    const double mean = sum / (double)n;
    for (int64_t i = 0; i < n; i++)
        squares += (x[i * dim + column] - mean) * (x[i * dim + column] - mean);
    return (struct moments){mean, sqrt(squares / (double)n)};
}

/* Normal rows, column j of mean mean[j] and deviation std[j]. */
static float *normal_rows(int64_t n, int32_t dim, const float *mean, const float *std)
{
    fmatch_context *context;
    fmatch_source *normal;
    float *rows = malloc((size_t)(n * dim) * sizeof *rows);
    expect_that(rows != NULL, "%lld rows", (long long)n);
    expect_ok(fmatch_context_create(&context, NULL));
    expect_ok(fmatch_source_create_normal(&normal, context, dim));
    expect_ok(fmatch_source_draw(normal, 11, 0, n, rows));
    for (int64_t i = 0; i < n * dim; i++)
        rows[i] = mean[i % dim] + std[i % dim] * rows[i];
    fmatch_source_destroy(&normal);
    fmatch_context_destroy(&context);
    return rows;
}

/* The mean of SAMPLES normal samples is off by more than Z / sqrt(SAMPLES) deviations once in
 * 1e6, and the data's own mean by Z / sqrt(n); a tenth of a deviation is left for what the network
 * does not get right. */
static void expect_moments(const struct setting *s, const float *rows, const float *samples)
{
    const double of_means =
        Z / sqrt((double)SAMPLES) + (s->n > 1 ? Z / sqrt((double)s->n) : 0) + 0.1;
    for (int32_t j = 0; j < s->dim; j++) {
        const struct moments wanted = moments_of(rows, s->n, s->dim, j);
        const struct moments seen = moments_of(samples, SAMPLES, s->dim, j);
        expect_close(seen.mean, wanted.mean, of_means * wanted.std, "mean of column %d", (int)j);
        expect_close(seen.std, wanted.std, of_means * wanted.std, "deviation of column %d", (int)j);
    }
}

/* Beside columns of any size, constants come out as they are. */
static void constant_columns_are_reproduced(void **state)
{
    (void)state;
    const float mean[] = {0, 5, 1e30f, -2e-20f, 0}, std[] = {1, 0, 0, 0, 0};
    const struct setting s = {.n = 1000, .dim = 5, .batch = 64, .width = 32, .steps = 300};
    float *rows = normal_rows(s.n, s.dim, mean, std), samples[SAMPLES * 5];
    train_and_draw(&s, rows, samples);
    for (int64_t i = 0; i < SAMPLES; i++)
        for (int32_t j = 1; j < s.dim; j++)
            expect_close(samples[i * s.dim + j], mean[j], 1e-6 * fmax(1, fabs((double)mean[j])),
                         "row %lld, column %d", (long long)i, (int)j);
    free(rows);
}

static void columns_of_any_size_are_learned(void **state)
{
    (void)state;
    const float mean[] = {0, 1e30f, 1e6f, 0, -3e-30f},
                std[] = {1e-30f, 1e30f, 1e-1f, 1e30f, 1e-30f};
    const struct setting s = {.n = 5000, .dim = 5, .batch = 128, .width = 32, .steps = 500};
    float *rows = normal_rows(s.n, s.dim, mean, std), samples[SAMPLES * 5];
    train_and_draw(&s, rows, samples);
    expect_moments(&s, rows, samples);
    free(rows);
}

static void one_row_is_all_that_is_drawn(void **state)
{
    (void)state;
    const float rows[] = {3, -70, 1e30f};
    const struct setting s = {.n = 1, .dim = 3, .batch = 16, .width = 16, .steps = 100};
    float samples[SAMPLES * 3];
    train_and_draw(&s, rows, samples);
    for (int64_t i = 0; i < SAMPLES * s.dim; i++)
        expect_close(samples[i], rows[i % 3], 1e-6 * fabs((double)rows[i % 3]), "element %lld",
                     (long long)i);
}

/* Two rows, many times each: most samples end near one of the two, as often near either. */
static void duplicated_rows_are_two_points(void **state)
{
    (void)state;
    enum { N = 400 };
    const struct setting s = {.n = N, .dim = 2, .batch = 128, .width = 64, .steps = 2000};
    float rows[2 * N], samples[SAMPLES * 2];
    for (int i = 0; i < N; i++) {
        rows[2 * i] = i % 2 ? 10.0f : -10.0f;
        rows[2 * i + 1] = i % 2 ? 1.0f : 3.0f;
    }
    train_and_draw(&s, rows, samples);
    int near[2] = {0, 0};
    for (int i = 0; i < SAMPLES; i++)
        for (int k = 0; k < 2; k++)
            near[k] += fabs(samples[2 * i] - (k ? 10 : -10)) < 1 &&
                       fabs(samples[2 * i + 1] - (k ? 1 : 3)) < 0.2;
    expect_that(near[0] + near[1] > 0.9 * SAMPLES, "%d and %d of %d near the two points", near[0],
                near[1], SAMPLES);
    /* a share of one half, Z deviations of a binomial, and as much again for the network */
    expect_close((double)near[0] / SAMPLES, 0.5, 2 * Z * 0.5 / sqrt((double)SAMPLES), "share");
}

static void a_thousand_columns_are_learned(void **state)
{
    (void)state;
    const struct setting s = {.n = 3000, .dim = 1000, .batch = 64, .width = 64, .steps = 60};
    float *mean = malloc(1000 * sizeof *mean), *std = malloc(1000 * sizeof *std);
    float *samples = malloc(SAMPLES * 1000 * sizeof *samples);
    expect_that(mean && std && samples, "memory");
    for (int j = 0; j < 1000; j++) {
        mean[j] = (float)(j - 500);
        std[j] = 0.1f + (float)(j % 7);
    }
    float *rows = normal_rows(s.n, s.dim, mean, std);
    train_and_draw(&s, rows, samples);
    expect_moments(&s, rows, samples);
    free(rows);
    free(samples);
    free(std);
    free(mean);
}

static void one_column_in_batches_of_one(void **state)
{
    (void)state;
    const float mean[] = {40}, std[] = {3};
    const struct setting s = {.n = 2000, .dim = 1, .batch = 1, .width = 16, .steps = 3000};
    float *rows = normal_rows(s.n, s.dim, mean, std), samples[SAMPLES];
    train_and_draw(&s, rows, samples);
    expect_moments(&s, rows, samples);
    free(rows);
}

/* A learning rate without sense ends in a status, or the model still gives finite samples; either
 * way parameters and their average stay finite. */
static void a_diverging_rate_is_noticed(void **state)
{
    (void)state;
    const float mean[] = {0, 1}, std[] = {1, 2};
    static const double rates[] = {0.1, 10, 1e6, 1e20, 3e38};
    for (size_t k = 0; k < COUNT(rates); k++) {
        const struct setting s = {
            .n = 1000, .dim = 2, .batch = 64, .width = 32, .steps = 300, .learning_rate = rates[k]};
        float *rows = normal_rows(s.n, s.dim, mean, std);
        struct training t;
        training_create(&t, &s, rows);
        const fmatch_status status = fmatch_trainer_run(t.trainer, s.steps, NULL);
        expect_that(status == FMATCH_OK || status == FMATCH_ERROR_NOT_FINITE, "rate %g: %s",
                    rates[k], fmatch_status_get_name(status));
        if (status == FMATCH_ERROR_NOT_FINITE)
            expect_detail("step ");
        for (int32_t i = 0; i < fmatch_model_count_tensors(t.model); i++) {
            fmatch_tensor_info info = {.struct_size = sizeof info};
            float values[32 * 32];
            expect_ok(fmatch_model_get_tensor_info(t.model, i, &info));
            const int64_t count = info.shape[0] * info.shape[1];
            expect_ok(fmatch_model_get_tensor(t.model, info.name, count, values));
            for (int64_t j = 0; j < count; j++)
                expect_that(isfinite(values[j]), "rate %g: %s is %g", rates[k], info.name,
                            values[j]);
        }
        training_destroy(&t);
        free(rows);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(constant_columns_are_reproduced),
        cmocka_unit_test(columns_of_any_size_are_learned),
        cmocka_unit_test(one_row_is_all_that_is_drawn),
        cmocka_unit_test(duplicated_rows_are_two_points),
        cmocka_unit_test(a_thousand_columns_are_learned),
        cmocka_unit_test(one_column_in_batches_of_one),
        cmocka_unit_test(a_diverging_rate_is_noticed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
