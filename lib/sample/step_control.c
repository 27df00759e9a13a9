#include "sample/step_control.h"

#include "base/configuration.h"
#include "base/status.h"

#include <float.h>

enum { TRIES = 10000, ADAPTIVE = 1 };

#define SETTING(field, low, high, value)                                                           \
    {                                                                                              \
        "config->" #field, offsetof(fmatch_sampler_config, field), ADAPTIVE,                       \
            {.lowest = (low), .highest = (high)}, (value)                                          \
    }
static const struct configuration_setting control_settings[] = {
    SETTING(tolerance_absolute, 1e-30, FLT_MAX, 1e-5),
    SETTING(tolerance_relative, 1e-30, 1.0, 1e-5), SETTING(step_first, 0.0, 1.0, 0.0),
    SETTING(step_smallest, 0.0, 1.0, 0.0), SETTING(step_largest, 0.0, 1.0, 1.0)};
#undef SETTING

fmatch_status step_control_read(struct step_control *control, fmatch_sampler_config c,
                                bool adaptive)
{
    RETURN_IF_FAILED(configuration_check_settings(
        &c, adaptive ? ADAPTIVE : 0, control_settings,
        (int32_t)(sizeof control_settings / sizeof *control_settings)));
    CHECK_RANGE("config->steps_max", c.steps_max, 0, adaptive ? STEP_TRIES_MAX : 0);
    if (c.step_largest < c.step_smallest)
        return status_fail(FMATCH_ERROR_ARGUMENT,
                           "config->step_largest is %s; it must be at least "
                           "config->step_smallest, %s",
                           NUMBER(c.step_largest), NUMBER(c.step_smallest));
    if (c.step_first > 0.0 && c.step_first < c.step_smallest)
        return status_fail(FMATCH_ERROR_ARGUMENT,
                           "config->step_first is %s; it must be 0 or at least "
                           "config->step_smallest, %s",
                           NUMBER(c.step_first), NUMBER(c.step_smallest));
    *control = (struct step_control){.absolute = c.tolerance_absolute,
                                     .relative = c.tolerance_relative,
                                     .first = c.step_first,
                                     .smallest = c.step_smallest,
                                     .largest = c.step_largest,
                                     .steps_max = c.steps_max > 0 ? c.steps_max : TRIES};
    return FMATCH_OK;
}
