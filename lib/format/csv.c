#include "format/csv.h"

#include "base/allocation.h"
#include "base/status.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- the file in memory ---- */

struct text {
    char *begin;
    int64_t size, capacity;
};

static fmatch_status text_reserve(const fmatch_allocator *allocator, struct text *text,
                                  int64_t capacity)
{
    char *grown = allocation_create(allocator, capacity, 1);
    if (!grown)
        return status_no_memory((size_t)capacity);
    if (text->size > 0)
        memcpy(grown, text->begin, (size_t)text->size);
    allocation_destroy(allocator, text->begin);
    text->begin = grown;
    text->capacity = capacity;
    return FMATCH_OK;
}

static fmatch_status text_read_stream(const fmatch_allocator *allocator, FILE *stream,
                                      const char *path, struct text *text)
{
    for (;;) {
        if (text->size == text->capacity)
            RETURN_IF_FAILED(
                text_reserve(allocator, text, text->capacity > 0 ? 2 * text->capacity : 65536));
        const size_t got =
            fread(text->begin + text->size, 1, (size_t)(text->capacity - text->size), stream);
        text->size += (int64_t)got;
        if (got == 0)
            break;
    }
    if (ferror(stream))
        return status_fail(FMATCH_ERROR_IO, "%s cannot be read: %s", path, strerror(errno));
    return FMATCH_OK;
}

static fmatch_status text_read(const fmatch_allocator *allocator, const char *path,
                               struct text *text)
{
    FILE *stream = fopen(path, "rb");
    if (!stream)
        return status_fail(FMATCH_ERROR_IO, "%s cannot be opened: %s", path, strerror(errno));
    const fmatch_status status = text_read_stream(allocator, stream, path, text);
    fclose(stream);
    return status;
}

/* ---- numbers ---- */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Digits of a mantissa: 19 of them fit into 64 bits, further ones are below a float's precision and
 * only counted. */
struct mantissa {
    uint64_t value;
    int significant, digits;
    int64_t exponent;
};

static const char *scan_digits(const char *p, const char *end, bool fraction, struct mantissa *m)
{
    for (; p < end && is_digit(*p); p++, m->digits++) {
        if (m->significant < 19) {
            m->value = 10 * m->value + (uint64_t)(*p - '0');
            m->significant += m->value != 0;
            m->exponent -= fraction;
        } else {
            m->exponent += !fraction;
        }
    }
    return p;
}

/* An optional exponent; NULL if there is an 'e' without a number. */
static const char *scan_exponent(const char *p, const char *end, int64_t *exponent)
{
    if (p == end || (*p != 'e' && *p != 'E'))
        return p;
    p++;
    const bool negative = p < end && *p == '-';
    if (p < end && (*p == '-' || *p == '+'))
        p++;
    if (p == end || !is_digit(*p))
        return NULL;
    int64_t value = 0;
    for (; p < end && is_digit(*p); p++)
        if (value < 100000)
            value = 10 * value + (*p - '0');
    *exponent += negative ? -value : value;
    return p;
}

bool csv_parse_number(const char *begin, const char *end, float *value)
{
    while (begin < end && is_blank(*begin))
        begin++;
    while (end > begin && is_blank(end[-1]))
        end--;

    const char *p = begin;
    const bool negative = p < end && *p == '-';
    if (p < end && (*p == '-' || *p == '+'))
        p++;

    struct mantissa m = {0};
    p = scan_digits(p, end, false, &m);
    if (p < end && *p == '.')
        p = scan_digits(p + 1, end, true, &m);
    if (m.digits == 0)
        return false;
    p = scan_exponent(p, end, &m.exponent);
    if (p != end)
        return false;

    /* A double product of 64 significant bits and one rounded power is within 2^-51 of the number:
     * the nearest float but for cases closer than that to the middle between two. */
    double magnitude = (double)m.value;
    if (m.value != 0 && m.exponent != 0)
        magnitude = m.exponent < -400   ? 0.0
                    : m.exponent < -300 ? magnitude * pow(10.0, (double)m.exponent + 100) * 1e-100
                    : m.exponent > 400  ? (double)INFINITY
                                        : magnitude * pow(10.0, (double)m.exponent);
    *value = (float)(negative ? -magnitude : magnitude);
    return isfinite(*value);
}

/* ---- lines and cells ---- */

struct line {
    const char *begin, *end; /* without the line end */
    int64_t number;
};

static const char *cell_end(const char *p, const char *end)
{
    const char *comma = memchr(p, ',', (size_t)(end - p));
    return comma ? comma : end;
}

/* Next line that is not blank; false at the end of the text. */
static bool next_line(const char **cursor, const char *end, struct line *line)
{
    while (*cursor < end) {
        const char *newline = memchr(*cursor, '\n', (size_t)(end - *cursor));
        line->begin = *cursor;
        line->end = newline ? newline : end;
        line->number++;
        *cursor = newline ? newline + 1 : end;
        if (line->end > line->begin && line->end[-1] == '\r')
            line->end--;
        for (const char *p = line->begin; p < line->end; p++)
            if (!is_blank(*p))
                return true;
    }
    return false;
}

static int64_t count_cells(const struct line *line)
{
    int64_t cells = 1;
    for (const char *p = line->begin; p < line->end; p++)
        cells += *p == ',';
    return cells;
}

/* Parse the cells of a line; the 1-based number of the first one that is not a number, or 0. */
static int64_t parse_line(const struct line *line, float *values, const char **bad, int *bad_length)
{
    const char *p = line->begin;
    for (int64_t column = 1;; column++) {
        const char *end = cell_end(p, line->end);
        float value;
        if (!csv_parse_number(p, end, &value)) {
            *bad = p;
            *bad_length = end - p < 40 ? (int)(end - p) : 40;
            return column;
        }
        if (values)
            values[column - 1] = value;
        if (end == line->end)
            return 0;
        p = end + 1;
    }
}

static fmatch_status parse_rows(const struct text *text, const char *path, const char *cursor,
                                int64_t lines_before, struct csv_table *table)
{
    const char *end = text->begin + text->size;
    struct line line = {.number = lines_before};
    for (int64_t i = 0; next_line(&cursor, end, &line); i++) {
        const int64_t cells = count_cells(&line);
        if (cells != table->columns)
            return status_fail(FMATCH_ERROR_FORMAT, "%s:%lld: %lld cells; the lines before have %d",
                               path, (long long)line.number, (long long)cells, (int)table->columns);
        const char *bad = NULL;
        int length = 0;
        const int64_t column = parse_line(&line, table->values + i * table->columns, &bad, &length);
        if (column != 0)
            return status_fail(FMATCH_ERROR_FORMAT,
                               "%s:%lld: column %lld ('%.*s') is not a finite number", path,
                               (long long)line.number, (long long)column, length, bad);
    }
    return FMATCH_OK;
}

static fmatch_status parse_text(const fmatch_allocator *allocator, const struct text *text,
                                const char *path, struct csv_table *table)
{
    static const char byte_order_mark[] = "\xef\xbb\xbf"; /* of UTF-8, as some programs write it */
    const char *begin = text->begin, *end = text->begin + text->size;
    if (text->size >= 3 && memcmp(begin, byte_order_mark, 3) == 0)
        begin += 3;
    const char *cursor = begin;
    struct line line = {0};
    if (!next_line(&cursor, end, &line))
        return status_fail(FMATCH_ERROR_FORMAT, "%s: there is no line in it", path);

    const int64_t columns = count_cells(&line);
    if (columns > CSV_COLUMNS_MAX)
        return status_fail(FMATCH_ERROR_FORMAT, "%s:%lld: %lld cells; at most %d can be read", path,
                           (long long)line.number, (long long)columns, (int)CSV_COLUMNS_MAX);

    const char *bad;
    int length;
    const bool header = parse_line(&line, NULL, &bad, &length) != 0;
    const char *first = header ? cursor : begin;
    const int64_t lines_before = header ? line.number : 0;

    int64_t rows = header ? 0 : 1;
    while (next_line(&cursor, end, &line))
        rows++;
    if (rows == 0)
        return status_fail(FMATCH_ERROR_FORMAT, "%s: there is no row below the header", path);

    table->columns = (int32_t)columns;
    table->rows = rows;
    table->values = allocation_create(allocator, rows * columns, sizeof *table->values);
    if (!table->values)
        return status_no_memory((size_t)(rows * columns) * sizeof *table->values);
    return parse_rows(text, path, first, lines_before, table);
}

fmatch_status csv_read(const fmatch_allocator *allocator, const char *path, struct csv_table *table)
{
    struct text text = {0};
    *table = (struct csv_table){0};
    fmatch_status status = text_read(allocator, path, &text);
    if (status == FMATCH_OK)
        status = parse_text(allocator, &text, path, table);
    allocation_destroy(allocator, text.begin);
    if (status != FMATCH_OK) {
        allocation_destroy(allocator, table->values);
        *table = (struct csv_table){0};
    }
    return status;
}
