/* A user's distribution. */
#include "source/source.h"

#include "base/configuration.h"
#include "base/status.h"

struct callback_source {
    fmatch_source source;
    fmatch_source_callbacks callbacks;
};

static fmatch_status callback_draw(const fmatch_source *source, const struct random_stream *stream,
                                   int64_t first_row, int64_t n, const struct source_rows *rows)
{
    const fmatch_source_callbacks *c = &((const struct callback_source *)source)->callbacks;
    fmatch_random random = random_lend(stream, first_row, n);
    struct status_kept kept;
    status_keep(&kept);
    const int32_t code = c->draw ? c->draw(c->user, &random, first_row, n, rows->x)
                                 : c->draw_rows(c->user, &random, first_row, n, rows->x,
                                                rows->condition, rows->weight);
    status_restore(&kept);
    RETURN_IF_FAILED(status_of_callback(c->draw ? "draw" : "draw_rows", code));
    RETURN_IF_FAILED(status_check_finite(c->draw ? "what draw wrote" : "what draw_rows wrote to x",
                                         first_row, n, source->dim, rows->x));
    if (rows->condition)
        RETURN_IF_FAILED(status_check_finite("what draw_rows wrote to condition", first_row, n,
                                             source->condition_dim, rows->condition));
    for (int64_t i = 0; rows->weight && i < n; i++)
        RETURN_IF_FAILED(
            source_check_weight("what draw_rows wrote to weight", first_row + i, rows->weight[i]));
    return FMATCH_OK;
}

static void callback_destroy(fmatch_source *source)
{
    const fmatch_source_callbacks *c = &((struct callback_source *)source)->callbacks;
    status_keep_and_destroy(c->destroy, c->user);
}

static const struct source_kind callback_kind = {
    .on_calling_thread = true, .draw = callback_draw, .destroy = callback_destroy};

static fmatch_status check_functions(const fmatch_source_callbacks *c)
{
    if (!c->draw && !c->draw_rows)
        return status_fail(FMATCH_ERROR_ARGUMENT,
                           "callbacks->draw is NULL, and so is callbacks->draw_rows");
    if (c->draw && c->draw_rows)
        return status_fail(FMATCH_ERROR_ARGUMENT,
                           "callbacks->draw and callbacks->draw_rows are both set; one of them "
                           "must be NULL");
    CHECK_RANGE("callbacks->condition_dim", c->condition_dim, 0, c->draw ? 0 : DIM_MAX);
    CHECK_RANGE("callbacks->weighted", c->weighted, 0, c->draw ? 0 : 1);
    return FMATCH_OK;
}

static fmatch_status create(fmatch_source **source, fmatch_context *context, int32_t dim,
                            const fmatch_source_callbacks *callbacks)
{
    CHECK_NOT_NULL(source);
    RETURN_IF_FAILED(configuration_check_flags("callbacks->flags", callbacks->flags));
    RETURN_IF_FAILED(check_functions(callbacks));
    RETURN_IF_FAILED(
        source_create(source, context, sizeof(struct callback_source), &callback_kind, dim));
    ((struct callback_source *)*source)->callbacks = *callbacks;
    (*source)->condition_dim = callbacks->condition_dim;
    (*source)->weighted = callbacks->weighted != 0;
    return FMATCH_OK;
}

fmatch_status fmatch_source_create_callback(fmatch_source **source, fmatch_context *context,
                                            int32_t dim, const fmatch_source_callbacks *callbacks)
{
    status_begin();
    if (source)
        *source = NULL;
    fmatch_source_callbacks given;
    RETURN_IF_FAILED(
        configuration_read(&given, sizeof given, sizeof given, callbacks, "callbacks"));

    const fmatch_status status = create(source, context, dim, &given);
    if (status != FMATCH_OK)
        status_keep_and_destroy(given.destroy, given.user);
    return status;
}
