#include "format/csv.h"

#include "base/allocation.h"
#include "base/status.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

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

static fmatch_status text_read_all(const fmatch_allocator *allocator, int descriptor,
                                   const char *path, struct text *text)
{
    struct stat facts;
    if (fstat(descriptor, &facts) != 0)
        return status_fail(FMATCH_ERROR_IO, "%s cannot be read: %s", path, strerror(errno));
    if (!S_ISREG(facts.st_mode) && !S_ISFIFO(facts.st_mode)) /* a device may never end */
        return status_fail(FMATCH_ERROR_IO, "%s is not a file", path);
    for (;;) {
        if (text->size == text->capacity)
            RETURN_IF_FAILED(
                text_reserve(allocator, text, text->capacity > 0 ? 2 * text->capacity : 65536));
        const ssize_t got =
            read(descriptor, text->begin + text->size, (size_t)(text->capacity - text->size));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return status_fail(FMATCH_ERROR_IO, "%s cannot be read: %s", path, strerror(errno));
        if (got == 0)
            return FMATCH_OK;
        text->size += (int64_t)got;
    }
}

static fmatch_status text_read(const fmatch_allocator *allocator, const char *path,
                               struct text *text)
{
    const int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (descriptor < 0)
        return status_fail(FMATCH_ERROR_IO, "%s cannot be opened: %s", path, strerror(errno));
    const fmatch_status status = text_read_all(allocator, descriptor, path, text);
    close(descriptor);
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

struct cell {
    const char *begin, *end;
};

/* Next cell of a line; NULL as `cursor` before the first one and after the last. */
static bool next_cell(const char **cursor, const struct line *line, struct cell *cell)
{
    if (!*cursor)
        return false;
    cell->begin = *cursor;
    cell->end = cell_end(*cursor, line->end);
    *cursor = cell->end < line->end ? cell->end + 1 : NULL;
    return true;
}

/* The 1-based `column` holds no number; `why` may add to it. */
static fmatch_status not_a_number(const char *path, const struct line *line, int64_t column,
                                  const struct cell *cell, const char *why)
{
    const ptrdiff_t length = cell->end - cell->begin;
    return status_fail(FMATCH_ERROR_FORMAT,
                       "%s:%lld: column %lld ('%.*s') is not a finite number%s", path,
                       (long long)line->number, (long long)column, length < 40 ? (int)length : 40,
                       cell->begin, why);
}

/* Is the first line a header? Yes if no cell of it is a number, no if all are; neither in a file
 * whose first row has a bad cell, which must not vanish as a header. */
static fmatch_status judge_first_line(const struct line *line, const char *path, bool *header)
{
    int64_t numbers = 0, column = 0, bad = 0;
    struct cell cell, bad_cell = {line->begin, line->begin};
    for (const char *cursor = line->begin; next_cell(&cursor, line, &cell);) {
        float value;
        const bool number = csv_parse_number(cell.begin, cell.end, &value);
        column++;
        numbers += number;
        if (!number && bad == 0) {
            bad = column;
            bad_cell = cell;
        }
    }
    *header = numbers == 0;
    if (numbers > 0 && bad != 0)
        return not_a_number(path, line, bad, &bad_cell,
                            "; other cells of the first line are, so that it is no header");
    return FMATCH_OK;
}

static fmatch_status parse_rows(const struct text *text, const char *path, const char *cursor,
                                int64_t lines_before, float *values)
{
    struct line line = {.number = lines_before};
    while (next_line(&cursor, text->begin + text->size, &line)) {
        struct cell cell;
        int64_t column = 1;
        for (const char *next = line.begin; next_cell(&next, &line, &cell); column++)
            if (!csv_parse_number(cell.begin, cell.end, values++))
                return not_a_number(path, &line, column, &cell, "");
    }
    return FMATCH_OK;
}

/* Rows from the cursor on, all of `columns` cells: what is asked for them is in the file. */
static fmatch_status count_rows(const struct text *text, const char *path, const char *cursor,
                                int64_t lines_before, struct csv_table *table)
{
    struct line line = {.number = lines_before};
    for (table->rows = 0; next_line(&cursor, text->begin + text->size, &line); table->rows++) {
        const int64_t cells = count_cells(&line);
        if (cells != table->columns)
            return status_fail(FMATCH_ERROR_FORMAT, "%s:%lld: %lld cells; the first line has %d",
                               path, (long long)line.number, (long long)cells, (int)table->columns);
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
    table->columns = (int32_t)columns;
    bool header = false;
    RETURN_IF_FAILED(judge_first_line(&line, path, &header));
    const char *first = header ? cursor : begin;
    const int64_t lines_before = header ? line.number : 0;

    RETURN_IF_FAILED(count_rows(text, path, first, lines_before, table));
    if (table->rows == 0)
        return status_fail(FMATCH_ERROR_FORMAT, "%s: there is no row below the header", path);
    const int64_t cells = table->rows * columns;
    table->values = allocation_create(allocator, cells, sizeof *table->values);
    if (!table->values)
        return status_no_memory((size_t)cells * sizeof *table->values);
    return parse_rows(text, path, first, lines_before, table->values);
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
