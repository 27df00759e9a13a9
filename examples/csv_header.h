/** The first line of a CSV file, where it names the columns. */
#ifndef EXAMPLES_CSV_HEADER_H
#define EXAMPLES_CSV_HEADER_H

#include <stddef.h>
#include <stdint.h>

/** The header as it stands, without line end and byte order mark, in memory of the caller's; NULL
 * if the file has none, cannot be read, or there is no memory. */
char *csv_header_read(const char *file);

/** The name of a column, to be shown: without quotation marks, in UTF-8, cut to the size. "x0",
 * "x1", ... where the header is NULL or has no such name. */
void csv_header_get_name(const char *header, int32_t column, char *name, size_t size);

#endif
