/** What a run found, for people and for programs. */
#ifndef EXAMPLES_SUMMARY_H
#define EXAMPLES_SUMMARY_H

#include "measures.h"
#include <stdbool.h>

struct summary {
    uint64_t seed;
    int64_t steps;
    double train_seconds; /**< with the post's settings */
    struct measures measures;
    double recommended_seconds; /**< with the recommended ones, which the rest of the run has not */
    struct measures recommended;
};

/** For people, on standard output. */
void summary_print(const struct summary *summary);

/** For programs, as JSON. On failure says why on standard error. */
bool summary_write(const struct summary *summary, const char *path);

#endif
