/** How training is shown: a bar on a terminal, plain lines otherwise, on standard error. */
#ifndef EXAMPLES_PROGRESS_H
#define EXAMPLES_PROGRESS_H

#include <flowmatch/flowmatch.h>

/**
 * fmatch_trainer_run with a display.
 *
 * Ctrl-C ends the training early and is no failure: what was learned is kept, and the program goes
 * on with it. A second Ctrl-C ends the program.
 */
fmatch_status train_with_progress(fmatch_trainer *trainer, int64_t steps);

#endif
