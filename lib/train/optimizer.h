/* The optimizer handle: a rule, its settings and the state that goes with one set of parameters. */
#ifndef TRAIN_OPTIMIZER_H
#define TRAIN_OPTIMIZER_H

#include <flowmatch/optimizer.h>

#include "base/reference_count.h"
#include "context/context.h"

enum { OPTIMIZER_ARRAYS_MAX = 2 };

/* One step. */
struct optimizer_step {
    int64_t number; /* from 1 */
    double learning_rate;
    double scale; /* of the gradient, which is clipped by it */
};

struct optimizer_kind {
    int32_t number; /* by which a checkpoint tells kinds apart */
    size_t config;  /* where the kind's struct has its configuration */
    int32_t arrays; /* of state, each as long as the parameters */
    /* Update parameters [n] and state [n] from gradient [n], element by element. */
    void (*step)(const fmatch_optimizer *optimizer, const struct optimizer_step *step, int64_t n,
                 const float *gradient, float *parameters, float *const *state);
};

struct fmatch_optimizer {
    struct reference_count references;
    const struct optimizer_kind *kind;
    fmatch_context *context;
    double learning_rate, highest_rate;
    atomic_bool bound; /* to a trainer */
    int64_t count;     /* parameters; 0 before it is bound */
    int64_t steps;     /* taken */
    float *block;
    float *state[OPTIMIZER_ARRAYS_MAX];
};

fmatch_status optimizer_create(fmatch_optimizer **optimizer, fmatch_context *context, size_t size,
                               const struct optimizer_kind *kind, double learning_rate);

/* A learning rate is finite as a float, which is what the step computes with. */
fmatch_status optimizer_check_rate(const char *name, double learning_rate);

/* The highest rate at which a decoupled decay does not turn a parameter's sign: 1 / weight_decay,
 * if that is a float. The other way round it is the highest decay. */
double optimizer_highest_rate(double weight_decay);

/* Make it the optimizer of `count` parameters; FMATCH_ERROR_STATE if it is somebody's already. */
fmatch_status optimizer_bind(fmatch_optimizer *optimizer, int64_t count);

/* One step in place, whose number follows from those before; false, with nothing changed, if a
 * parameter or the state would not be finite after it. */
bool optimizer_take_step(fmatch_optimizer *optimizer, struct optimizer_step step,
                         const float *gradient, float *parameters);

/* What steps change, beside the parameters. */
struct optimizer_state {
    int64_t steps;
    double learning_rate;
    float *block; /* [arrays of the kind, count] */
};

void optimizer_get_state(const fmatch_optimizer *optimizer, struct optimizer_state *state);
/* Its state becomes this one, and the other way round. */
void optimizer_exchange_state(fmatch_optimizer *optimizer, struct optimizer_state *state);

fmatch_optimizer *optimizer_retain(fmatch_optimizer *optimizer);
void optimizer_release(fmatch_optimizer *optimizer);

#endif
