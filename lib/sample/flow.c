#include "sample/flow.h"

#include <string.h>

fmatch_status flow_begin_rows(const struct flow *flow, int64_t first, int64_t n, float *x)
{
    const fmatch_model *model = flow->field.view.model;
    const struct passage *p = &flow->passage;
    if (p->x_start) {
        memcpy(x, p->x_start + first * model->dim, (size_t)(n * model->dim) * sizeof *x);
        return FMATCH_OK;
    }
    const struct random_stream stream = source_stream(model->noise, p->seed, STREAM_SAMPLER_NOISE);
    const struct source_rows rows = {.x = x};
    return source_draw(model->noise, &stream, p->first_row + first, n, &rows);
}

void row_record_put(const struct row_record *r, const fmatch_sampler_rows *to, int64_t i)
{
    if (to->t)
        to->t[i] = r->t;
    if (to->step_smallest)
        to->step_smallest[i] = r->smallest;
    if (to->evaluations)
        to->evaluations[i] = r->evaluations;
    if (to->accepted)
        to->accepted[i] = r->accepted;
    if (to->rejected)
        to->rejected[i] = r->rejected;
}
