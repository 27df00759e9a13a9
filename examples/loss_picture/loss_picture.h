/** A picture of the course of training: losses, and beneath them the learning rate. */
#ifndef EXAMPLES_LOSS_PICTURE_H
#define EXAMPLES_LOSS_PICTURE_H

#include "../progress.h"

/**
 * Write a PNG file: the loss of every step, the mean of a hundred, the validation losses where
 * there are any, and the learning rate. Says on standard output what was written, or that the
 * program draws nothing because it was built without cairo. On failure says why on standard error.
 */
bool loss_picture_write(const fmatch_trainer *trainer, const struct training_record *record,
                        const char *path);

#endif
