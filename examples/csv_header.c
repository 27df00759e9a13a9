#include "csv_header.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/** A line of a text file without its end, in memory of the caller's; NULL at the end or without
 * memory. */
static char *read_line(FILE *stream)
{
    size_t size = 256, length = 0;
    char *line = malloc(size);

    while (line && fgets(line + length, (int)(size - length), stream)) {
        length += strlen(line + length);
        if (length && line[length - 1] == '\n')
            break;
        char *longer = length + 1 < size ? line : realloc(line, size *= 2);
        if (!longer)
            free(line);
        line = longer;
    }
    if (line && !length) {
        free(line);
        return NULL;
    }
    if (line)
        line[strcspn(line, "\r\n")] = '\0';
    return line;
}

static bool has_only_numbers(const char *line)
{
    for (;;) {
        char *end;
        strtod(line, &end);
        if (end == line)
            return false;
        end += strspn(end, " \t");
        if (*end != ',')
            return !*end;
        line = end + 1;
    }
}

static void remove_byte_order_mark(char *line)
{
    static const char mark[] = "\xef\xbb\xbf"; /* of UTF-8 */

    if (!strncmp(line, mark, strlen(mark)))
        memmove(line, line + strlen(mark), strlen(line) + 1 - strlen(mark));
}

char *csv_header_read(const char *file)
{
    FILE *in = fopen(file, "r");
    char *line = in ? read_line(in) : NULL;

    if (line)
        remove_byte_order_mark(line);
    while (line && !line[strspn(line, " \t")]) {
        free(line);
        line = read_line(in);
    }
    if (line && has_only_numbers(line)) {
        free(line);
        line = NULL;
    }
    if (in)
        fclose(in);
    return line;
}

/** Bytes of the UTF-8 character that begins here; 0 if none does. */
static int character_length(const char *text)
{
    static const struct {
        unsigned char first, last; /**< leading bytes */
    } leads[] = {{0x00, 0x7F}, {0xC2, 0xDF}, {0xE0, 0xEF}, {0xF0, 0xF4}};
    const unsigned char *byte = (const unsigned char *)text;
    int length = 0;

    for (int i = 0; i < 4; i++)
        if (byte[0] >= leads[i].first && byte[0] <= leads[i].last)
            length = i + 1;
    /* Written with more bytes than it needs, a surrogate, or beyond the last character. */
    if ((byte[0] == 0xE0 && byte[1] < 0xA0) || (byte[0] == 0xED && byte[1] > 0x9F) ||
        (byte[0] == 0xF0 && byte[1] < 0x90) || (byte[0] == 0xF4 && byte[1] > 0x8F))
        return 0;
    for (int i = 1; i < length; i++)
        if ((byte[i] & 0xC0) != 0x80)
            return 0;
    return length;
}

/** Where a column's cell begins; NULL if there is none. */
static const char *find_cell(const char *header, int32_t column)
{
    while (header && column-- > 0) {
        header = strchr(header, ',');
        header = header ? header + 1 : NULL;
    }
    return header;
}

/** Copies a cell as UTF-8: what is none, in an older encoding, becomes question marks. */
static void copy_cell(const char *cell, const char *end, char *name, size_t size)
{
    char *last = name + size - 1;

    while (cell < end) {
        int length = character_length(cell);
        if (name + (length ? length : 1) > last)
            break;
        memcpy(name, length ? cell : "?", length ? (size_t)length : 1);
        name += length ? length : 1;
        cell += length ? length : 1;
    }
    *name = '\0';
}

void csv_header_get_name(const char *header, int32_t column, char *name, size_t size)
{
    static const char around[] = " \t\"";
    const char *cell = find_cell(header, column);

    const char *end = cell ? cell + strcspn(cell, ",") : NULL;
    while (cell < end && strchr(around, *cell))
        cell++;
    while (cell < end && strchr(around, end[-1]))
        end--;
    if (cell < end)
        copy_cell(cell, end, name, size);
    else
        snprintf(name, size, "x%d", (int)column);
}
