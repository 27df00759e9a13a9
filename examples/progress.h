/** How training is shown: a bar on a terminal, plain lines otherwise, on standard error. */
#ifndef EXAMPLES_PROGRESS_H
#define EXAMPLES_PROGRESS_H

#include <flowmatch/flowmatch.h>

/** What a report told, besides the losses that a trainer keeps itself. */
struct training_point {
    int64_t step; /**< of the trainer, from its creation on */
    double learning_rate;
    double validation_loss; /**< of a validation since the point before; nan: there was none */
};

/** The course of training, a few hundred points for each call. */
struct training_record {
    int64_t count;
    struct training_point *points; /**< [count] */
};

/**
 * fmatch_trainer_run with a display.
 *
 * Ctrl-C ends the training early and is no failure: what was learned is kept, and the program goes
 * on with it. A second Ctrl-C ends the program.
 */
fmatch_status train_with_progress(fmatch_trainer *trainer, int64_t steps);

/** The same, and points are added to a record, which was { 0 } before its first call. */
fmatch_status train_with_record(fmatch_trainer *trainer, int64_t steps,
                                struct training_record *record);

void training_record_destroy(struct training_record *record);

#endif
