/** A simulator that knows nothing of flow matching but where its random numbers come from.
 *
 * A ball rolls on a track with two hollows, at position -1 and at 1, slowed by drag and shaken:
 *
 *     dx = v dt,    dv = (x - x^3 - drag v) dt + shaking dW.
 *
 * It starts at random, most likely near the ridge in between. There is no formula for the density
 * of its position and velocity a while later. */
#ifndef EXAMPLES_ROLLING_BALL_H
#define EXAMPLES_ROLLING_BALL_H

#include <flowmatch/flowmatch.h>

/** What goes wrong; negative, as the library wants the codes of a callback. */
enum roll_error { ROLL_BAD_DRAG = -1, ROLL_RAN_AWAY = -2 };

/** Roll one ball, and write its position and velocity at the end. 0, or a roll_error. */
int32_t roll(float drag, fmatch_random *random, float end[2]);

const char *roll_error_text(int32_t error);

#endif
