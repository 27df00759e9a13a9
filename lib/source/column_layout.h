/* What each column of a table is: part of x, part of the condition, the weight, or nothing. */
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

struct column_layout {
    int32_t columns;
    int32_t dim, condition_dim;
    bool weighted;
    /* [columns]: below dim a column of x, then condition_dim columns of the condition, then the
     * weight; -1: nothing. NULL: all are x, in this order. */
    int32_t *place;
};

/* What can be said of a choice before the columns are known. */
fmatch_status column_layout_check(const struct column_choice *choice);

/* On failure the layout holds nothing. */
fmatch_status column_layout_create(struct column_layout *layout, const fmatch_allocator *allocator,
                                   int32_t columns, const struct column_choice *choice);
void column_layout_destroy(struct column_layout *layout, const fmatch_allocator *allocator);

/* Where the value of a column goes in row number `row` of `rows`; NULL for one that is not wanted.
 */
static inline float *column_layout_target(const struct column_layout *layout, int32_t column,
                                          int64_t row, const struct source_rows *rows)
{
    const int32_t place = layout->place ? layout->place[column] : column;
    if (place < 0)
        return NULL;
    if (place < layout->dim)
        return rows->x ? rows->x + row * layout->dim + place : NULL;
    if (place < layout->dim + layout->condition_dim)
        return rows->condition
                   ? rows->condition + row * layout->condition_dim + (place - layout->dim)
                   : NULL;
    return rows->weight ? rows->weight + row : NULL;
}

#endif
