/* How an adaptive solver chooses its steps. */
#ifndef SAMPLE_STEP_CONTROL_H
#define SAMPLE_STEP_CONTROL_H

#include <flowmatch/sampler.h>

enum { STEP_TRIES_MAX = 1 << 24 };

/* Lengths are without a sign. */
struct step_control {
    double absolute, relative; /* tolerances */
    double first;              /* 0: of its own choice */
    double smallest, largest;  /* smallest 0: no limit */
    int32_t steps_max;
};

/* Of another solver's configuration, that it says nothing of them. */
fmatch_status step_control_read(struct step_control *control, fmatch_sampler_config config,
                                bool adaptive);

#endif
