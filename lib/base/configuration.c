#include "base/configuration.h"

#include "base/status.h"

#include <math.h>
#include <string.h>

fmatch_status configuration_read(void *to, size_t size, size_t smallest, const void *from,
                                 const char *name)
{
    if (!from)
        return status_fail(FMATCH_ERROR_ARGUMENT, "%s is NULL", name);

    uint32_t given;
    memcpy(&given, from, sizeof given);
    if (given < smallest || given > 65536)
        return status_fail(FMATCH_ERROR_STRUCT_SIZE,
                           "%s.struct_size is %u; it must be between %zu and 65536: was the struct "
                           "initialised, and with a preset that exists?",
                           name, (unsigned)given, smallest);
    for (size_t i = size; i < given; i++)
        if (((const unsigned char *)from)[i] != 0)
            return status_fail(FMATCH_ERROR_STRUCT_SIZE,
                               "%s.struct_size is %u and byte %zu is not zero; this library knows "
                               "%zu bytes",
                               name, (unsigned)given, i, size);

    memset(to, 0, size);
    memcpy(to, from, given < size ? given : size);
    return FMATCH_OK;
}

void configuration_write(void *to, size_t caller_size, const void *from, size_t size)
{
    if (!to || caller_size < sizeof(uint32_t))
        return;
    memset(to, 0, caller_size);
    memcpy(to, from, caller_size < size ? caller_size : size);
    const uint32_t written = (uint32_t)caller_size;
    memcpy(to, &written, sizeof written);
}

void configuration_write_preset(void *to, size_t caller_size, int32_t preset, const void *presets,
                                int32_t count, size_t size)
{
    if (preset >= 0 && preset < count)
        configuration_write(to, caller_size, (const char *)presets + (size_t)preset * size, size);
    else if (to)
        memset(to, 0, caller_size);
}

fmatch_status configuration_check_flags(const char *name, uint32_t flags)
{
    if (flags != 0)
        return status_fail(FMATCH_ERROR_ARGUMENT, "%s is %#x; no flag is defined, it must be 0",
                           name, (unsigned)flags);
    return FMATCH_OK;
}

fmatch_status configuration_check_double(const char *name, double value, struct interval range)
{
    const bool above = range.open_below ? value > range.lowest : value >= range.lowest;
    const bool below = range.open_above ? value < range.highest : value <= range.highest;
    if (above && below && isfinite(value))
        return FMATCH_OK;
    if (isinf(range.highest))
        return status_fail(FMATCH_ERROR_ARGUMENT, "%s is %s; it must be finite and %s %s", name,
                           NUMBER(value), range.open_below ? "above" : "at least",
                           NUMBER(range.lowest));
    return status_fail(FMATCH_ERROR_ARGUMENT, "%s is %s; it must be in %c%s, %s%c", name,
                       NUMBER(value), range.open_below ? '(' : '[', NUMBER(range.lowest),
                       NUMBER(range.highest), range.open_above ? ')' : ']');
}

fmatch_status configuration_check_settings(void *config, int32_t kind,
                                           const struct configuration_setting *settings,
                                           int32_t count)
{
    for (int32_t i = 0; i < count; i++) {
        const struct configuration_setting *s = &settings[i];
        double *value = (double *)(void *)((char *)config + s->offset);
        if (s->kind != kind && *value == 0.0)
            continue;
        if (s->kind != kind)
            return status_fail(FMATCH_ERROR_ARGUMENT,
                               "%s is %s; it is a setting of another kind and must be 0", s->name,
                               NUMBER(*value));
        if (*value == 0.0)
            *value = s->instead;
        RETURN_IF_FAILED(configuration_check_double(s->name, *value, s->range));
    }
    return FMATCH_OK;
}
