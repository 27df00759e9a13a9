/** Elapsed time. */
#ifndef EXAMPLES_STOPWATCH_H
#define EXAMPLES_STOPWATCH_H

/** Seconds since some moment in the past, by a clock that nobody sets. */
double seconds_now(void);

#endif
