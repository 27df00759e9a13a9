/* Two-dimensional distributions that the literature plays with: draw 0 of a row gives its four
 * uniform numbers, draw 1 its two normals. */
#include "source/toy_source.h"

#include "base/configuration.h"
#include "base/status.h"
#include "source/toy_shape.h"

enum { TOY_DIM = 2, TOY_UNIFORMS = 4, DRAW_BLOCK = 128 };

struct toy_source {
    fmatch_source source;
    fmatch_toy_config config;
    struct toy toy;
};

static const struct toy *toy_of(const fmatch_source *source)
{
    return &((const struct toy_source *)source)->toy;
}

static void take_numbers(const struct random_stream *stream, int64_t first_row, int64_t n,
                         struct toy_point *points)
{
    float uniforms[TOY_UNIFORMS * DRAW_BLOCK], normals[TOY_DIM * DRAW_BLOCK];
    random_stream_uniform(stream, 0, (uint64_t)first_row * TOY_UNIFORMS, n * TOY_UNIFORMS,
                          uniforms);
    random_stream_normal(stream, 1, (uint64_t)first_row * TOY_DIM, n * TOY_DIM, normals);
    for (int64_t i = 0; i < n; i++) {
        const float *u = uniforms + i * TOY_UNIFORMS, *z = normals + i * TOY_DIM;
        points[i] = (struct toy_point){.kernels = stream->kernels,
                                       .numbers = {.choice = u[0],
                                                   .position = u[1],
                                                   .uniforms = {u[2], u[3]},
                                                   .normals = {z[0], z[1]}}};
    }
}

/* At most DRAW_BLOCK rows. */
static void draw_block(const struct toy *toy, const struct random_stream *stream, int64_t first_row,
                       int64_t n, float *x, float *label)
{
    struct toy_point points[DRAW_BLOCK];
    float turns[DRAW_BLOCK], sine[DRAW_BLOCK], cosine[DRAW_BLOCK];
    take_numbers(stream, first_row, n, points);
    for (int64_t i = 0; i < n; i++)
        turns[i] = toy_angle(toy, &points[i]);
    stream->kernels->sincos_turns(n, turns, sine, cosine);
    for (int64_t i = 0; i < n; i++) {
        points[i].sine = sine[i];
        points[i].cosine = cosine[i];
        toy_place(toy, &points[i], x + i * TOY_DIM);
        if (label)
            label[i] = (float)points[i].component;
    }
}

static fmatch_status toy_draw(const fmatch_source *source, const struct random_stream *stream,
                              int64_t first_row, int64_t n, const struct source_rows *rows)
{
    for (int64_t begin = 0; begin < n; begin += DRAW_BLOCK) {
        const int64_t count = n - begin < DRAW_BLOCK ? n - begin : DRAW_BLOCK;
        draw_block(toy_of(source), stream, first_row + begin, count, rows->x + begin * TOY_DIM,
                   rows->condition ? rows->condition + begin : NULL);
    }
    return FMATCH_OK;
}

static void toy_source_moments(const fmatch_source *source, double *mean, double *std)
{
    toy_moments(toy_of(source), mean, std);
}

static fmatch_status toy_evaluate(const fmatch_source *source, int64_t n, const float *x,
                                  double *log_density)
{
    if (!toy_has_density(toy_of(source)))
        return status_fail(FMATCH_ERROR_UNSUPPORTED,
                           "source is a toy of kind %d and noise %s; it has no density in closed "
                           "form",
                           (int)toy_of(source)->kind, NUMBER(toy_of(source)->noise));
    for (int64_t i = 0; i < n; i++)
        log_density[i] = toy_log_density(toy_of(source), x + i * TOY_DIM);
    return FMATCH_OK;
}

static const struct source_kind toy_kind = {
    .draw = toy_draw, .moments = toy_source_moments, .log_density = toy_evaluate};

const fmatch_toy_config *toy_source_config(const fmatch_source *source)
{
    return source->kind == &toy_kind ? &((const struct toy_source *)source)->config : NULL;
}

void fmatch_toy_config_init_sized(fmatch_toy_config *config, size_t size)
{
    const fmatch_toy_config recommended = {
        .kind = FMATCH_TOY_TWO_MOONS, .convention = FMATCH_TOY_PLAIN, .noise = -1.0};
    configuration_write(config, size, &recommended, sizeof recommended);
}

fmatch_status fmatch_source_create_toy(fmatch_source **source, fmatch_context *context,
                                       const fmatch_toy_config *config)
{
    status_begin();
    CHECK_NOT_NULL(source);
    *source = NULL;
    fmatch_toy_config given;
    fmatch_toy_config_init(&given);
    if (config)
        RETURN_IF_FAILED(configuration_read(&given, sizeof given, sizeof given, config, "config"));
    struct toy toy;
    RETURN_IF_FAILED(toy_resolve(&toy, &given));

    fmatch_source *made;
    RETURN_IF_FAILED(source_create(&made, context, sizeof(struct toy_source), &toy_kind, TOY_DIM));
    struct toy_source *s = (struct toy_source *)made;
    made->condition_dim = given.labels;
    s->toy = toy;
    s->config = given;
    s->config.struct_size = sizeof given;
    s->config.noise = toy.noise;
    *source = made;
    return FMATCH_OK;
}
