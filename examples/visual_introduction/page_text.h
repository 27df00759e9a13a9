/** How text, numbers and pictures are written into a page. */
#ifndef EXAMPLES_PAGE_TEXT_H
#define EXAMPLES_PAGE_TEXT_H

#include "../drawing/picture.h"
#include <stdint.h>
#include <stdio.h>

/** Text of any kind, in an element or in a quoted attribute. */
void write_escaped(FILE *stream, const char *text);

/** Each line of a list that ends with NULL, as it is. */
void write_lines(FILE *stream, const char *const lines[]);

/** A number with so many decimals and a real minus sign. */
void write_decimal(FILE *stream, int decimals, double number);

/** A whole number with thin spaces between thousands. */
void write_count(FILE *stream, int64_t number);

/** A picture within the page. */
void write_image(FILE *stream, const struct png *png, const char *description);

/** A row of a table: a name, which is HTML, and numbers with so many decimals. */
void write_row(FILE *stream, const char *name, int decimals, int n, const double *numbers);

#endif
