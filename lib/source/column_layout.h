/* What the columns of a table are: x, the condition, the weight, or nothing. */
#ifndef SOURCE_COLUMN_LAYOUT_H
#define SOURCE_COLUMN_LAYOUT_H

#include "source/source.h"

/* As a configuration names them, from 0. */
struct column_choice {
    const int32_t *x;         /* [x_count]; of count 0: all that nothing else names */
    const int32_t *condition; /* [condition_count] */
    int32_t x_count, condition_count;
    int32_t weight; /* -1: none */
};

/* Column numbers of the table, one allocation. */
struct column_layout {
    int32_t dim, condition_dim;
    bool weighted;
    int32_t *x;         /* [dim] */
    int32_t *condition; /* [condition_dim] */
    int32_t weight;     /* if weighted */
    bool whole;         /* x is every column of the table, in its order */
};

/* What can be said of a choice before the columns are known. */
fmatch_status column_layout_check(const struct column_choice *choice);

/* On failure the layout holds nothing. */
fmatch_status column_layout_create(struct column_layout *layout, const fmatch_allocator *allocator,
                                   int32_t columns, const struct column_choice *choice);
void column_layout_destroy(struct column_layout *layout, const fmatch_allocator *allocator);

#endif
