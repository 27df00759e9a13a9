#include "path/coupling_settings.h"

#include "base/configuration.h"
#include "base/status.h"
#include "path/transport_settings.h"

#include <math.h>

void fmatch_coupling_config_init_sized(fmatch_coupling_config *config, size_t size)
{
    const fmatch_coupling_config recommended = {.kind = FMATCH_COUPLING_INDEPENDENT,
                                                .condition_rate = 0.05};
    configuration_write(config, size, &recommended, sizeof recommended);
}

static fmatch_status check_condition(const fmatch_coupling_config *c,
                                     const struct coupling_shape *shape)
{
    const int32_t plain = shape->condition_dim - (shape->classes > 0);
    CHECK_RANGE("coupling->condition", c->condition, FMATCH_CONDITION_COUPLING_AUTO,
                FMATCH_CONDITION_COUPLING_NONE);
    const bool weight = c->condition == FMATCH_CONDITION_COUPLING_WEIGHT;
    const bool adaptive = c->condition == FMATCH_CONDITION_COUPLING_ADAPTIVE;
    if (c->condition == FMATCH_CONDITION_COUPLING_CLASSES && shape->classes == 0)
        return status_fail(FMATCH_ERROR_ARGUMENT,
                           "coupling->condition is CLASSES; the conditions have no labels");
    if ((weight || adaptive) && plain == 0)
        return status_fail(
            FMATCH_ERROR_ARGUMENT,
            "coupling->condition is %s; there is no column of a condition that is no "
            "label",
            weight ? "WEIGHT" : "ADAPTIVE");
    const struct interval positive = {.lowest = 0, .highest = 1e30};
    const struct interval share = {.lowest = 0, .highest = 1, .open_below = true};
    RETURN_IF_FAILED(
        configuration_check_double("coupling->condition_weight", c->condition_weight, positive));
    if (!weight && c->condition_weight > 0)
        return status_fail(FMATCH_ERROR_ARGUMENT,
                           "coupling->condition_weight is %s; it is for "
                           "FMATCH_CONDITION_COUPLING_WEIGHT",
                           NUMBER(c->condition_weight));
    return configuration_check_double("coupling->condition_rate", c->condition_rate, share);
}

static fmatch_status check_callbacks(const fmatch_coupling_config *c)
{
    if ((c->kind == FMATCH_COUPLING_CALLBACK) != (c->callbacks != NULL))
        return status_fail(FMATCH_ERROR_ARGUMENT, "coupling->callbacks is %s",
                           c->callbacks ? "not NULL; it is for FMATCH_COUPLING_CALLBACK"
                                        : "NULL; FMATCH_COUPLING_CALLBACK needs it");
    if (!c->callbacks)
        return FMATCH_OK;
    RETURN_IF_FAILED(configuration_check_flags("coupling->callbacks->flags", c->callbacks->flags));
    if (!c->callbacks->pair)
        return status_fail(FMATCH_ERROR_ARGUMENT, "coupling->callbacks->pair is NULL");
    return FMATCH_OK;
}

bool coupling_kind_is_entropic(int32_t kind)
{
    return kind == FMATCH_COUPLING_ENTROPIC || kind == FMATCH_COUPLING_UNBALANCED;
}

/* Reads the solver's settings, defaults filled in. */
static fmatch_status read_sinkhorn(const fmatch_coupling_config *c, fmatch_sinkhorn_config *s)
{
    if (!coupling_kind_is_entropic(c->kind))
        return c->sinkhorn ? status_fail(FMATCH_ERROR_ARGUMENT,
                                         "coupling->sinkhorn is not NULL; it is for ENTROPIC and "
                                         "UNBALANCED")
                           : FMATCH_OK;
    const fmatch_status status = transport_read_sinkhorn(c->sinkhorn, s);
    if (status != FMATCH_OK) {
        status_prefix("coupling->sinkhorn: ");
        return status;
    }
    if (!c->sinkhorn)
        s->tolerance = 1e-3; /* pairs are draws, which no finer plan makes better */
    const bool free = isfinite(s->rho);
    if (free != (c->kind == FMATCH_COUPLING_UNBALANCED))
        return status_fail(FMATCH_ERROR_ARGUMENT, "coupling->sinkhorn->rho is %s; %s",
                           NUMBER(c->sinkhorn ? c->sinkhorn->rho : 0.0),
                           free ? "it is for FMATCH_COUPLING_UNBALANCED"
                                : "FMATCH_COUPLING_UNBALANCED needs one above 0");
    return FMATCH_OK;
}

static fmatch_status read_semidiscrete(const fmatch_coupling_config *c,
                                       const struct coupling_shape *shape,
                                       fmatch_semidiscrete_config *s)
{
    if (c->kind != FMATCH_COUPLING_SEMIDISCRETE)
        return c->semidiscrete ? status_fail(FMATCH_ERROR_ARGUMENT,
                                             "coupling->semidiscrete is not NULL; it is for "
                                             "SEMIDISCRETE")
                               : FMATCH_OK;
    if (shape->condition_dim > 0 && c->condition != FMATCH_CONDITION_COUPLING_NONE)
        return status_fail(FMATCH_ERROR_UNSUPPORTED,
                           "coupling->kind is SEMIDISCRETE, which leaves conditions out; "
                           "coupling->condition must then be NONE");
    const fmatch_status status = transport_read_semidiscrete(c->semidiscrete, s);
    if (status != FMATCH_OK)
        status_prefix("coupling->semidiscrete: ");
    return status;
}

static fmatch_status check_config(const fmatch_coupling_config *c,
                                  const struct coupling_shape *shape)
{
    CHECK_RANGE("coupling->kind", c->kind, FMATCH_COUPLING_INDEPENDENT, FMATCH_COUPLING_CALLBACK);
    CHECK_RANGE("coupling->pairing", c->pairing, FMATCH_PAIRING_PERMUTATION,
                FMATCH_PAIRING_REPLACEMENT);
    RETURN_IF_FAILED(configuration_check_flags("coupling->flags", c->flags));
    RETURN_IF_FAILED(check_callbacks(c));
    if (c->kind == FMATCH_COUPLING_INDEPENDENT)
        return FMATCH_OK;
    if (c->pairing != FMATCH_PAIRING_PERMUTATION && c->kind != FMATCH_COUPLING_EXACT)
        return status_fail(FMATCH_ERROR_ARGUMENT,
                           "coupling->pairing is REPLACEMENT; it is for FMATCH_COUPLING_EXACT");
    CHECK_RANGE("config->batch", shape->batch, 1, INT32_MAX);
    CHECK_RANGE("coupling->batch", c->batch, 0, COUPLING_ROWS_MAX);
    if (shape->alone && c->batch != 0 && c->batch != shape->batch)
        return status_fail(FMATCH_ERROR_ARGUMENT,
                           "coupling->batch is %d; it must be 0 or the number of rows, %lld",
                           (int)c->batch, (long long)shape->batch);
    if (c->batch > 0 && c->batch % shape->batch != 0)
        return status_fail(FMATCH_ERROR_ARGUMENT,
                           "coupling->batch is %d; it must be a multiple of the training's, %lld",
                           (int)c->batch, (long long)shape->batch);
    if (c->batch == 0 && shape->batch > COUPLING_ROWS_MAX)
        return status_fail(FMATCH_ERROR_ARGUMENT,
                           "batch is %lld; at most %d rows can be coupled together",
                           (long long)shape->batch, (int)COUPLING_ROWS_MAX);
    return check_condition(c, shape);
}

fmatch_status coupling_settings_read(struct coupling_settings *settings,
                                     const fmatch_coupling_config *given,
                                     const struct coupling_shape *shape)
{
    fmatch_coupling_config *c = &settings->config;
    fmatch_coupling_callbacks *callbacks = &settings->callbacks;
    *settings = (struct coupling_settings){0};
    RETURN_IF_FAILED(configuration_read(c, sizeof *c, sizeof *c, given, "coupling"));
    if (c->callbacks)
        RETURN_IF_FAILED(configuration_read(callbacks, sizeof *callbacks, sizeof *callbacks,
                                            c->callbacks, "coupling->callbacks"));
    RETURN_IF_FAILED(check_config(c, shape));
    RETURN_IF_FAILED(read_sinkhorn(c, &settings->entropic));
    RETURN_IF_FAILED(read_semidiscrete(c, shape, &settings->semidiscrete));
    c->sinkhorn = NULL;
    c->semidiscrete = NULL;
    c->callbacks = NULL;
    return FMATCH_OK;
}
