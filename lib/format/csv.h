/* Comma-separated numbers. Knows no handle, and no locale: the decimal point is a point. */
#ifndef FORMAT_CSV_H
#define FORMAT_CSV_H

#include <flowmatch/context.h>

struct csv_table {
    int32_t columns;
    int64_t rows;
    float *values; /* [rows, columns], from the allocator */
};

enum { CSV_COLUMNS_MAX = 65536 };

/* Read a whole file, or a pipe to its end; FMATCH_ERROR_IO for anything else. The first line is
 * skipped as a header when none of its cells is a finite number. The values take at most four times
 * the bytes of the file. On failure the table holds nothing. */
fmatch_status csv_read(const fmatch_allocator *allocator, const char *path,
                       struct csv_table *table);

/* The number that fills [begin, end) but for blanks around it; false if there is none or it is not
 * finite as a float. */
bool csv_parse_number(const char *begin, const char *end, float *value);

#endif
