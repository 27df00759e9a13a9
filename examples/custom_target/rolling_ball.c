#include "rolling_ball.h"

#include <math.h>

enum { STEPS = 64 };
static const float step = 0.05f, shaking = 0.1f;

int32_t roll(float drag, fmatch_random *random, float end[2])
{
    float start[2], push[STEPS];

    if (!(drag >= 0)) /* nan as well */
        return ROLL_BAD_DRAG;
    fmatch_random_draw_normal(random, 1, 2, start);
    fmatch_random_draw_normal(random, 1, STEPS, push);
    float x = 0.5f * start[0], v = 0.4f * start[1];
    for (int i = 0; i < STEPS; i++) {
        v += step * (x - x * x * x - drag * v) + shaking * sqrtf(step) * push[i];
        x += step * v;
    }
    end[0] = x;
    end[1] = v;
    return isfinite(x) && isfinite(v) ? 0 : ROLL_RAN_AWAY;
}

const char *roll_error_text(int32_t error)
{
    return error == ROLL_BAD_DRAG ? "drag must be a number from 0 on"
                                  : "the ball ran away; try less drag";
}
