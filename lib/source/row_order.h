/* Which stored row each row of a stream is, as a function of its number: nothing is kept from draw
 * to draw. */
#ifndef SOURCE_ROW_ORDER_H
#define SOURCE_ROW_ORDER_H

#include "source/source.h"

/* Rows that one call finds. */
enum { ROW_ORDER_BLOCK = 256 };

/* Indices, below `stored`, of rows first_row to first_row + n - 1 of the stream; n at most
 * ROW_ORDER_BLOCK. `order` is an fmatch_order. */
void row_order_find(int32_t order, int64_t stored, const struct random_stream *stream,
                    int64_t first_row, int64_t n, int64_t *indices);

fmatch_status row_order_check(int32_t order);

#endif
