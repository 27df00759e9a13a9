/* A user's distribution. */
#include "source/source.h"

#include "base/configuration.h"
#include "base/status.h"

struct callback_source {
    fmatch_source source;
    fmatch_source_callbacks callbacks;
};

static fmatch_status callback_draw(const fmatch_source *source, const struct random_stream *stream,
                                   int64_t first_row, int64_t n, float *x)
{
    const fmatch_source_callbacks *c = &((const struct callback_source *)source)->callbacks;
    fmatch_random random = random_lend(stream, first_row, n);
    struct status_kept kept;
    status_keep(&kept);
    const int32_t code = c->draw(c->user, &random, first_row, n, x);
    status_restore(&kept);
    RETURN_IF_FAILED(status_of_callback("draw", code));
    return status_check_finite("what draw wrote", first_row, n, source->dim, x);
}

static void callback_destroy(fmatch_source *source)
{
    const fmatch_source_callbacks *c = &((struct callback_source *)source)->callbacks;
    status_keep_and_destroy(c->destroy, c->user);
}

static const struct source_kind callback_kind = {
    .on_calling_thread = true, .draw = callback_draw, .destroy = callback_destroy};

static fmatch_status create(fmatch_source **source, fmatch_context *context, int32_t dim,
                            const fmatch_source_callbacks *callbacks)
{
    CHECK_NOT_NULL(source);
    RETURN_IF_FAILED(configuration_check_flags("callbacks->flags", callbacks->flags));
    if (!callbacks->draw)
        return status_fail(FMATCH_ERROR_ARGUMENT, "callbacks->draw is NULL");
    RETURN_IF_FAILED(
        source_create(source, context, sizeof(struct callback_source), &callback_kind, dim));
    ((struct callback_source *)*source)->callbacks = *callbacks;
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
