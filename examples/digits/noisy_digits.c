#include "noisy_digits.h"
#include "../learned_flow.h"

static int32_t draw_noisy(void *user, fmatch_random *random, int64_t first_row, int64_t n, float *x)
{
    const struct digit_rows *rows = user;

    if (rows->n < 1)
        return -1; /* there is nothing to give */
    fmatch_random_draw_uniform(random, n, PIXELS, x);
    for (int64_t i = 0; i < n; i++) {
        const float *pixels = rows->pixels + (first_row + i) % rows->n * PIXELS;
        for (int j = 0; j < PIXELS; j++)
            x[i * PIXELS + j] += pixels[j];
    }
    return 0;
}

fmatch_status noisy_digits_create_source(const struct digit_rows *rows, fmatch_context *context,
                                         fmatch_source **source)
{
    const fmatch_source_callbacks callbacks = {
        .struct_size = sizeof callbacks, .draw = draw_noisy, .user = (void *)rows};

    return fmatch_source_create_callback(source, context, PIXELS, &callbacks);
}

fmatch_status noisy_digits_learn(fmatch_model **model, fmatch_context *context,
                                 const fmatch_source *source, int64_t steps, uint64_t seed)
{
    const struct learning learning = {
        .hidden_layers = 3, .hidden_width = 192, .batch = 128, .steps = steps, .seed = seed};

    return learn_flow(model, context, source, &learning);
}
