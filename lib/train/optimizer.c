#include "train/optimizer.h"

#include "base/configuration.h"
#include "base/finite.h"
#include "base/status.h"

#include <float.h>
#include <string.h>

fmatch_status optimizer_create(fmatch_optimizer **optimizer, fmatch_context *context, size_t size,
                               const struct optimizer_kind *kind, double learning_rate)
{
    struct fmatch_optimizer *o = allocation_create(&context->allocator, 1, size);
    if (!o)
        return status_no_memory(size);
    reference_count_init(&o->references);
    atomic_init(&o->bound, false);
    o->kind = kind;
    o->context = context_retain(context);
    o->learning_rate = learning_rate;
    o->highest_rate = FLT_MAX;
    *optimizer = o;
    return FMATCH_OK;
}

fmatch_status optimizer_check_rate(const char *name, double learning_rate)
{
    const struct interval of_a_float = {.lowest = 0.0, .highest = FLT_MAX};
    return configuration_check_double(name, learning_rate, of_a_float);
}

double optimizer_highest_rate(double weight_decay)
{
    return weight_decay > 1.0 / FLT_MAX ? 1.0 / weight_decay : FLT_MAX;
}

fmatch_optimizer *optimizer_retain(fmatch_optimizer *optimizer)
{
    reference_count_retain(&optimizer->references);
    return optimizer;
}

void optimizer_release(fmatch_optimizer *optimizer)
{
    if (!optimizer || !reference_count_release(&optimizer->references))
        return;
    fmatch_context *context = optimizer->context;
    allocation_destroy(&context->allocator, optimizer->block);
    allocation_destroy(&context->allocator, optimizer);
    context_release(context);
}

void fmatch_optimizer_destroy(fmatch_optimizer **optimizer)
{
    if (!optimizer)
        return;
    optimizer_release(*optimizer);
    *optimizer = NULL;
}

static void take_block(fmatch_optimizer *optimizer, float *block)
{
    optimizer->block = block;
    for (int32_t i = 0; i < optimizer->kind->arrays; i++)
        optimizer->state[i] = block + i * optimizer->count;
}

fmatch_status optimizer_bind(fmatch_optimizer *optimizer, int64_t count)
{
    bool expected = false;
    if (!atomic_compare_exchange_strong(&optimizer->bound, &expected, true))
        return status_fail(FMATCH_ERROR_STATE, "optimizer belongs to another trainer");

    const int64_t floats = optimizer->kind->arrays * count;
    optimizer->block =
        allocation_create(&optimizer->context->allocator, floats, sizeof *optimizer->block);
    if (!optimizer->block) {
        atomic_store(&optimizer->bound, false);
        return status_no_memory((size_t)floats * sizeof *optimizer->block);
    }
    optimizer->count = count;
    take_block(optimizer, optimizer->block);
    return FMATCH_OK;
}

/* A step is rehearsed on copies of one block after another before it is taken, which costs less
 * than keeping what is needed to undo it. Parameters are independent of one another, so that shares
 * of them need no order. */
enum { REHEARSAL_BLOCK = 1024, SHARE_PARAMETERS = 2 * REHEARSAL_BLOCK };

struct step {
    fmatch_optimizer *optimizer;
    struct optimizer_step how;
    const float *gradient;
    float *parameters;
    atomic_bool finite;
};

static bool rehearse_block(const struct step *s, int64_t first, int64_t n)
{
    const fmatch_optimizer *o = s->optimizer;
    float trial[REHEARSAL_BLOCK], states[OPTIMIZER_ARRAYS_MAX][REHEARSAL_BLOCK];
    float *state[OPTIMIZER_ARRAYS_MAX];
    memcpy(trial, s->parameters + first, (size_t)n * sizeof *trial);
    for (int32_t i = 0; i < o->kind->arrays; i++)
        state[i] = memcpy(states[i], o->state[i] + first, (size_t)n * sizeof *trial);
    o->kind->step(o, &s->how, n, s->gradient + first, trial, state);
    bool finite = finite_all(n, trial);
    for (int32_t i = 0; i < o->kind->arrays; i++)
        finite = finite && finite_all(n, state[i]);
    return finite;
}

static int64_t share_end(const struct step *s, int64_t index)
{
    const int64_t end = (index + 1) * SHARE_PARAMETERS;
    return end < s->optimizer->count ? end : s->optimizer->count;
}

static void rehearse_share(void *argument, int64_t index)
{
    struct step *s = argument;
    const int64_t end = share_end(s, index);
    for (int64_t first = index * SHARE_PARAMETERS; first < end; first += REHEARSAL_BLOCK) {
        const int64_t n = end - first < REHEARSAL_BLOCK ? end - first : REHEARSAL_BLOCK;
        if (!rehearse_block(s, first, n))
            atomic_store(&s->finite, false);
    }
}

static void take_share(void *argument, int64_t index)
{
    const struct step *s = argument;
    const fmatch_optimizer *o = s->optimizer;
    const int64_t first = index * SHARE_PARAMETERS;
    float *state[OPTIMIZER_ARRAYS_MAX];
    for (int32_t i = 0; i < o->kind->arrays; i++)
        state[i] = o->state[i] + first;
    o->kind->step(o, &s->how, share_end(s, index) - first, s->gradient + first,
                  s->parameters + first, state);
}

bool optimizer_take_step(fmatch_optimizer *optimizer, struct optimizer_step step,
                         const float *gradient, float *parameters)
{
    step.number = optimizer->steps + 1;
    struct step s = {.optimizer = optimizer,
                     .how = step,
                     .gradient = gradient,
                     .parameters = parameters,
                     .finite = true};
    const int64_t shares = (optimizer->count + SHARE_PARAMETERS - 1) / SHARE_PARAMETERS;
    context_run(optimizer->context, shares, rehearse_share, &s);
    if (!atomic_load(&s.finite))
        return false;
    context_run(optimizer->context, shares, take_share, &s);
    optimizer->steps = step.number;
    return true;
}

void optimizer_get_state(const fmatch_optimizer *optimizer, struct optimizer_state *state)
{
    *state = (struct optimizer_state){.steps = optimizer->steps,
                                      .learning_rate = optimizer->learning_rate,
                                      .block = optimizer->block};
}

void optimizer_exchange_state(fmatch_optimizer *optimizer, struct optimizer_state *state)
{
    struct optimizer_state before;
    optimizer_get_state(optimizer, &before);
    optimizer->steps = state->steps;
    optimizer->learning_rate = state->learning_rate;
    take_block(optimizer, state->block);
    *state = before;
}

double fmatch_optimizer_get_learning_rate(const fmatch_optimizer *optimizer)
{
    return optimizer ? optimizer->learning_rate : 0.0;
}

fmatch_status fmatch_optimizer_set_learning_rate(fmatch_optimizer *optimizer, double learning_rate)
{
    status_begin();
    CHECK_NOT_NULL(optimizer);
    const struct interval range = {.lowest = 0.0, .highest = optimizer->highest_rate};
    RETURN_IF_FAILED(configuration_check_double("learning_rate", learning_rate, range));
    optimizer->learning_rate = learning_rate;
    return FMATCH_OK;
}
