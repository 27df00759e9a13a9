#include "sample/inpainting.h"

#include "base/status.h"
#include "model/mlp_model.h"
#include "sample/field.h"

#include <math.h>

static const double DIVISOR = 5e-3; /* as in path.c */

static float weight_at(const struct inpainting_rows *rows, float strength, int64_t i)
{
    const float share = rows->mask ? rows->mask[i] : isnan(rows->known[i]) ? 0.0f : 1.0f;
    return strength * share;
}

/* alpha' x1 + sigma' x0 with x1 the known point and x0 = (x - alpha x1) / sigma the noise that it
 * leaves, in the coordinates of the path: of_x (x - mean) + of_known (known - mean). */
fmatch_status inpainting_pull(const struct inpainting *p, const fmatch_model *model, double t,
                              const struct inpainting_rows *rows, const float *x, float *v)
{
    if (!rows->known || t > p->end)
        return FMATCH_OK;
    const float time = (float)t, strength = (float)p->strength;
    struct path_schedules s;
    RETURN_IF_FAILED(field_schedules_at(model, 1, &time, &s));
    const double sigma = s.sigma[0] > DIVISOR ? s.sigma[0] : DIVISOR;
    const double from_noise = s.sigma_rate[0] / sigma;
    const float of_x = (float)from_noise;
    const float of_known = (float)(s.alpha_rate[0] - s.alpha[0] * from_noise);
    const float *mean = mlp_model_units_of(model).mean;
    const int32_t dim = model->dim;
    for (int64_t i = 0; i < rows->n * dim; i++) {
        const float weight = weight_at(rows, strength, i), shift = mean ? mean[i % dim] : 0.0f;
        if (weight > 0.0f)
            v[i] += weight * (of_x * (x[i] - shift) + of_known * (rows->known[i] - shift) - v[i]);
    }
    return FMATCH_OK;
}

void inpainting_mute(const struct inpainting *p, int32_t dim, double t,
                     const struct inpainting_rows *rows, float *noise)
{
    for (int64_t i = 0; rows->known && t <= p->end && i < rows->n * dim; i++)
        noise[i] *= 1.0f - weight_at(rows, (float)p->strength, i);
}

void inpainting_finish(const struct inpainting *p, int32_t dim, double t,
                       const struct inpainting_rows *rows, float *x)
{
    for (int64_t i = 0; rows->known && t >= 1.0 && p->end >= 1.0 && i < rows->n * dim; i++)
        if (weight_at(rows, (float)p->strength, i) == 1.0f)
            x[i] = rows->known[i];
}
