/* In place of loss_picture.c where cairo is missing. */
#include "loss_picture.h"

#include <stdio.h>

bool loss_picture_write(const fmatch_trainer *trainer, const struct training_record *record,
                        const char *path)
{
    (void)trainer;
    (void)record;
    (void)path;
    printf("no loss picture: this program was built without cairo (Debian: libcairo2-dev)\n");
    return true;
}
