/* The field that rows follow: a model's velocity, guided or not, and its divergence. */
#ifndef SAMPLE_FIELD_H
#define SAMPLE_FIELD_H

#include <flowmatch/sampler.h>

#include "model/divergence.h"
#include "model/model.h"

/* Classifier-free guidance: v_null + scale (v - v_null) at times from `begin` to `end`. */
struct guidance {
    double scale; /* 1: none */
    double begin, end;
};

struct field {
    struct model_view view;
    struct guidance guidance;
    const struct divergence_method *divergence; /* NULL: nobody asks for it */
};

/* At most MODEL_BLOCK_ROWS rows, each with a time of its own, and room to evaluate them in. */
struct field_rows {
    int64_t n;
    const float *x, *t;     /* [n, dim], [n] */
    const float *condition; /* [n, columns], or NULL */
    const bool *guided;     /* [n] */
    float *null_velocity;   /* [n, dim], where there is guidance */
    float *scratch;
    double weight;                /* of the divergence; 0: it is not taken */
    struct divergence divergence; /* of these rows; its weights are written */
};

/* Floats of scratch for n rows, a multiple of 16. */
int64_t field_scratch_size(const struct field *field, int64_t n);

/* Of the model's path, linear where it has none, as path_schedules_at. */
fmatch_status field_schedules_at(const fmatch_model *model, int32_t n, const float *t,
                                 struct path_schedules *s);

/* Of the fields of a configuration that are about guidance, which are checked first. */
fmatch_status guidance_check(const fmatch_sampler_config *config, const fmatch_model *model);
struct guidance guidance_of(const fmatch_sampler_config *config);

bool guidance_acts(const struct guidance *guidance, double t);

/* How far from t towards `end` a flow is guided, or not, all along: to the next time where guidance
 * begins or ends, and the field jumps. It is guided if guidance acts in the middle. */
double guidance_stretch(const struct guidance *guidance, double t, double end);

/* A row's bits do not depend on the others. Non-finite results are the caller's to find. */
fmatch_status field_evaluate(const struct field *field, const struct field_rows *rows, float *v);

#endif
