#include "format/safetensors.h"

#include "base/allocation.h"
#include "base/status.h"
#include "format/output_file.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { HEADER_MAX = 1 << 24, LENGTH_SIZE = 8, PAIRS_MAX = 1024 };

/* ---- element types ---- */

static float read_f32(const unsigned char *p)
{
    const uint32_t bits =
        (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static float read_f64(const unsigned char *p)
{
    uint64_t bits = 0;
    for (int i = 7; i >= 0; i--)
        bits = bits << 8 | p[i];
    double x;
    memcpy(&x, &bits, sizeof x);
    return (float)x;
}

static float read_f16(const unsigned char *p)
{
    const int bits = p[0] | p[1] << 8, exponent = bits >> 10 & 31, fraction = bits & 1023;
    const float magnitude = exponent == 31  ? fraction ? NAN : INFINITY
                            : exponent == 0 ? ldexpf((float)fraction, -24)
                                            : ldexpf((float)(1024 + fraction), exponent - 25);
    return bits >> 15 ? -magnitude : magnitude;
}

static float read_bf16(const unsigned char *p)
{
    const unsigned char wide[4] = {0, 0, p[0], p[1]};
    return read_f32(wide);
}

struct safetensors_type {
    const char *name;
    int size;
    float (*read)(const unsigned char *p); /* NULL: known, but no floating-point number */
};

static const struct safetensors_type types[] = {
    {"F32", 4, read_f32}, {"F64", 8, read_f64}, {"F16", 2, read_f16}, {"BF16", 2, read_bf16},
    {"BOOL", 1, NULL},    {"U8", 1, NULL},      {"I8", 1, NULL},      {"U16", 2, NULL},
    {"I16", 2, NULL},     {"U32", 4, NULL},     {"I32", 4, NULL},     {"U64", 8, NULL},
    {"I64", 8, NULL},     {"F8_E4M3", 1, NULL}, {"F8_E5M2", 1, NULL},
};

static const struct safetensors_type *find_type(const char *name)
{
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (strcmp(types[i].name, name) == 0)
            return &types[i];
    return NULL;
}

/* ---- the header's text ---- */

/* Bytes of the UTF-8 sequence at p, at most `left`; 0 if it is malformed, overlong or a surrogate.
 */
static int utf8_length(const unsigned char *p, int64_t left)
{
    if (p[0] < 0x80)
        return 1;
    const int length = p[0] >= 0xc2 && p[0] < 0xe0   ? 2
                       : p[0] >= 0xe0 && p[0] < 0xf0 ? 3
                       : p[0] >= 0xf0 && p[0] < 0xf5 ? 4
                                                     : 0;
    if (length == 0 || length > left)
        return 0;
    for (int i = 1; i < length; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    const bool overlong = (p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xf0 && p[1] < 0x90);
    const bool outside = (p[0] == 0xed && p[1] >= 0xa0) || (p[0] == 0xf4 && p[1] >= 0x90);
    return overlong || outside ? 0 : length;
}

static bool is_utf8(const char *text, int64_t size)
{
    const unsigned char *p = (const unsigned char *)text;
    for (int64_t i = 0; i < size;) {
        const int length = utf8_length(p + i, size - i);
        if (length == 0)
            return false;
        i += length;
    }
    return true;
}

/* ---- the header's JSON ----
 * Its nesting is fixed, so that one function for each level reads it, and nothing recurses. Strings
 * are decoded in place, where they only become shorter. */

struct reader {
    char *begin, *next, *end;
    const char *path;
};

static fmatch_status malformed(const struct reader *r, const char *what)
{
    return status_fail(FMATCH_ERROR_FORMAT, "%s: byte %lld of the header: %s", r->path,
                       (long long)(r->next - r->begin), what);
}

static void skip_blanks(struct reader *r)
{
    while (r->next < r->end &&
           (*r->next == ' ' || *r->next == '\n' || *r->next == '\t' || *r->next == '\r'))
        r->next++;
}

/* Takes the character if it comes next. */
static bool take(struct reader *r, char c)
{
    skip_blanks(r);
    if (r->next == r->end || *r->next != c)
        return false;
    r->next++;
    return true;
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* Four hexadecimal digits; -1 if there are none. */
static int32_t take_code_unit(struct reader *r)
{
    if (r->end - r->next < 4)
        return -1;
    int32_t unit = 0;
    for (int i = 0; i < 4; i++) {
        const int digit = hex_digit(*r->next++);
        if (digit < 0)
            return -1;
        unit = unit << 4 | digit;
    }
    return unit;
}

/* The code point behind a \u, which may be a pair of surrogates; -1 if it is none, or zero. */
static int32_t take_code_point(struct reader *r)
{
    const int32_t high = take_code_unit(r);
    if (high <= 0 || (high >= 0xdc00 && high <= 0xdfff))
        return -1;
    if (high < 0xd800 || high > 0xdbff)
        return high;
    if (r->end - r->next < 2 || r->next[0] != '\\' || r->next[1] != 'u')
        return -1;
    r->next += 2;
    const int32_t low = take_code_unit(r);
    if (low < 0xdc00 || low > 0xdfff)
        return -1;
    return 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
}

static char *put_utf8(char *to, int32_t c)
{
    if (c < 0x80) {
        *to++ = (char)c;
        return to;
    }
    const int more = c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
    static const int lead[] = {0, 0xc0, 0xe0, 0xf0};
    *to++ = (char)(lead[more] | c >> 6 * more);
    for (int i = more - 1; i >= 0; i--)
        *to++ = (char)(0x80 | (c >> 6 * i & 0x3f));
    return to;
}

static fmatch_status take_escape(struct reader *r, char **to)
{
    static const char from[] = "\"\\/bfnrt", meaning[] = "\"\\/\b\f\n\r\t";
    if (r->next == r->end)
        return malformed(r, "a string has no end");
    const char c = *r->next++;
    if (c == 'u') {
        const int32_t point = take_code_point(r);
        if (point < 0)
            return malformed(r, "a \\u escape is not a character");
        *to = put_utf8(*to, point);
        return FMATCH_OK;
    }
    const char *found = c ? strchr(from, c) : NULL;
    if (!found)
        return malformed(r, "an unknown escape");
    *(*to)++ = meaning[found - from];
    return FMATCH_OK;
}

static fmatch_status take_string(struct reader *r, char **string)
{
    if (!take(r, '"'))
        return malformed(r, "a string is expected");
    char *to = *string = r->next;
    while (r->next < r->end && *r->next != '"') {
        const char c = *r->next++;
        if ((unsigned char)c < 0x20)
            return malformed(r, "a control character in a string");
        if (c == '\\')
            RETURN_IF_FAILED(take_escape(r, &to));
        else
            *to++ = c;
    }
    if (r->next == r->end)
        return malformed(r, "a string has no end");
    r->next++;
    *to = '\0';
    return FMATCH_OK;
}

static fmatch_status take_integer(struct reader *r, int64_t *value)
{
    skip_blanks(r);
    const char *begin = r->next;
    *value = 0;
    for (; r->next < r->end && *r->next >= '0' && *r->next <= '9'; r->next++) {
        const int digit = *r->next - '0';
        if (*value > (INT64_MAX - digit) / 10)
            return malformed(r, "a number is too large");
        *value = 10 * *value + digit;
    }
    if (r->next == begin)
        return malformed(r, "a number is expected, at least 0 and whole");
    if (*begin == '0' && r->next - begin > 1)
        return malformed(r, "a number begins with 0");
    return FMATCH_OK;
}

/* Up to `capacity` integers in brackets. */
static fmatch_status take_integers(struct reader *r, int32_t capacity, int64_t *values,
                                   int32_t *count)
{
    *count = 0;
    if (!take(r, '['))
        return malformed(r, "'[' is expected");
    if (take(r, ']'))
        return FMATCH_OK;
    do {
        if (*count == capacity)
            return malformed(r, "too many numbers");
        RETURN_IF_FAILED(take_integer(r, &values[*count]));
        ++*count;
    } while (take(r, ','));
    return take(r, ']') ? FMATCH_OK : malformed(r, "']' is expected");
}

static fmatch_status take_offsets(struct reader *r, struct safetensors_entry *e)
{
    int64_t offsets[2];
    int32_t count;
    RETURN_IF_FAILED(take_integers(r, 2, offsets, &count));
    if (count != 2)
        return malformed(r, "data_offsets are not two numbers");
    e->begin = offsets[0];
    e->end = offsets[1];
    return FMATCH_OK;
}

static fmatch_status take_type(struct reader *r, struct safetensors_entry *e)
{
    char *name;
    RETURN_IF_FAILED(take_string(r, &name));
    e->type = find_type(name);
    return e->type ? FMATCH_OK : malformed(r, "an unknown dtype");
}

static fmatch_status take_entry(struct reader *r, struct safetensors_entry *e)
{
    enum { DTYPE = 1, SHAPE = 2, OFFSETS = 4, ALL = 7 };
    int seen = 0;
    if (!take(r, '{'))
        return malformed(r, "'{' is expected");
    do {
        char *key;
        RETURN_IF_FAILED(take_string(r, &key));
        const int field = strcmp(key, "dtype") == 0          ? DTYPE
                          : strcmp(key, "shape") == 0        ? SHAPE
                          : strcmp(key, "data_offsets") == 0 ? OFFSETS
                                                             : 0;
        if (field == 0 || seen & field)
            return malformed(r, field ? "a key comes twice" : "an unknown key");
        seen |= field;
        if (!take(r, ':'))
            return malformed(r, "':' is expected");
        RETURN_IF_FAILED(field == DTYPE ? take_type(r, e)
                         : field == SHAPE
                             ? take_integers(r, SAFETENSORS_RANK_MAX, e->shape, &e->rank)
                             : take_offsets(r, e));
    } while (take(r, ','));
    if (!take(r, '}'))
        return malformed(r, "'}' is expected");
    return seen == ALL ? FMATCH_OK : malformed(r, "dtype, shape or data_offsets is missing");
}

static fmatch_status take_metadata(struct reader *r, struct safetensors *file)
{
    if (!take(r, '{'))
        return malformed(r, "'{' is expected");
    if (take(r, '}'))
        return FMATCH_OK;
    do {
        if (file->pairs == PAIRS_MAX)
            return malformed(r, "too much metadata");
        char *key, *value;
        RETURN_IF_FAILED(take_string(r, &key));
        if (safetensors_metadata(file, key))
            return malformed(r, "a key comes twice");
        if (!take(r, ':'))
            return malformed(r, "':' is expected");
        RETURN_IF_FAILED(take_string(r, &value));
        file->pair[file->pairs++] = (struct safetensors_pair){.key = key, .value = value};
    } while (take(r, ','));
    return take(r, '}') ? FMATCH_OK : malformed(r, "'}' is expected");
}

static fmatch_status take_member(struct reader *r, struct safetensors *file, bool *has_metadata)
{
    char *name;
    RETURN_IF_FAILED(take_string(r, &name));
    const bool metadata = strcmp(name, "__metadata__") == 0;
    if (metadata ? *has_metadata : safetensors_find(file, name) != NULL)
        return malformed(r, "a key comes twice");
    if (!take(r, ':'))
        return malformed(r, "':' is expected");
    if (metadata) {
        *has_metadata = true;
        return take_metadata(r, file);
    }
    if (file->entries == SAFETENSORS_ENTRIES_MAX)
        return malformed(r, "too many arrays");
    struct safetensors_entry *e = &file->entry[file->entries];
    *e = (struct safetensors_entry){.name = name};
    RETURN_IF_FAILED(take_entry(r, e));
    file->entries++;
    return FMATCH_OK;
}

static fmatch_status take_header(struct reader *r, struct safetensors *file)
{
    bool has_metadata = false;
    if (!take(r, '{'))
        return malformed(r, "'{' is expected");
    if (!take(r, '}')) {
        do
            RETURN_IF_FAILED(take_member(r, file, &has_metadata));
        while (take(r, ','));
        if (!take(r, '}'))
            return malformed(r, "'}' is expected");
    }
    skip_blanks(r);
    return r->next == r->end ? FMATCH_OK : malformed(r, "something follows the header's end");
}

/* ---- the arrays' places ---- */

/* Bytes of an array, or -1 when they do not fit into 63 bits. */
static int64_t entry_bytes(const struct safetensors_entry *e)
{
    int64_t bytes = e->type->size;
    for (int32_t i = 0; i < e->rank; i++) {
        if (e->shape[i] > 0 && bytes > INT64_MAX / e->shape[i])
            return -1;
        bytes *= e->shape[i];
    }
    return bytes;
}

/* Arrays must lie one behind the other and fill all of the data: no two overlap, and together they
 * are as long as it. */
static fmatch_status check_places(const struct safetensors *file, int64_t data_size)
{
    int64_t total = 0;
    for (int32_t i = 0; i < file->entries; i++) {
        const struct safetensors_entry *e = &file->entry[i];
        const int64_t bytes = entry_bytes(e);
        if (bytes < 0 || e->begin > e->end || e->end > data_size || e->end - e->begin != bytes)
            return status_fail(FMATCH_ERROR_FORMAT,
                               "%s: %.64s has bytes %lld to %lld of %lld, which is not its size",
                               file->path, e->name, (long long)e->begin, (long long)e->end,
                               (long long)data_size);
        total += bytes; /* at most data_size each, and few: no overflow before the test below */
        if (total > data_size)
            break;
    }
    if (total != data_size)
        return status_fail(FMATCH_ERROR_FORMAT,
                           "%s: the arrays overlap or leave gaps: %lld bytes of data, %lld in all",
                           file->path, (long long)total, (long long)data_size);
    for (int32_t i = 0; i < file->entries; i++)
        for (int32_t j = i + 1; j < file->entries; j++) {
            const struct safetensors_entry *a = &file->entry[i], *b = &file->entry[j];
            if (a->begin < b->end && b->begin < a->end)
                return status_fail(FMATCH_ERROR_FORMAT, "%s: %.64s and %.64s overlap", file->path,
                                   a->name, b->name);
        }
    return FMATCH_OK; /* no overlap, and together as long as the data: no gap */
}

/* ---- reading ---- */

static fmatch_status read_at(const struct safetensors *file, int64_t offset, void *to, int64_t size)
{
    char *next = to;
    while (size > 0) {
        const ssize_t got = pread(file->descriptor, next, (size_t)size, (off_t)offset);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return status_fail(FMATCH_ERROR_IO, "%s cannot be read: %s", file->path,
                               strerror(errno));
        if (got == 0)
            return status_fail(FMATCH_ERROR_FORMAT, "%s ends at byte %lld", file->path,
                               (long long)offset);
        next += got;
        offset += got;
        size -= got;
    }
    return FMATCH_OK;
}

static fmatch_status open_regular(struct safetensors *file, int64_t *size)
{
    file->descriptor = open(file->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat facts;
    if (file->descriptor < 0 || fstat(file->descriptor, &facts) != 0)
        return status_fail(FMATCH_ERROR_IO, "%s cannot be opened: %s", file->path, strerror(errno));
    if (!S_ISREG(facts.st_mode))
        return status_fail(FMATCH_ERROR_IO, "%s is not a file", file->path);
    *size = (int64_t)facts.st_size;
    return FMATCH_OK;
}

static fmatch_status read_header(struct safetensors *file, const fmatch_allocator *allocator)
{
    int64_t size = 0;
    unsigned char length_bytes[LENGTH_SIZE];
    RETURN_IF_FAILED(open_regular(file, &size));
    RETURN_IF_FAILED(read_at(file, 0, length_bytes, LENGTH_SIZE));
    uint64_t length = 0;
    for (int i = LENGTH_SIZE - 1; i >= 0; i--)
        length = length << 8 | length_bytes[i];
    if (length < 2 || length > HEADER_MAX || (int64_t)length > size - LENGTH_SIZE)
        return status_fail(FMATCH_ERROR_FORMAT,
                           "%s: the header is said to have %llu bytes; the file has %lld",
                           file->path, (unsigned long long)length, (long long)size);

    file->text = allocation_create(allocator, (int64_t)length + 1, 1);
    file->entry = allocation_create(allocator, SAFETENSORS_ENTRIES_MAX, sizeof *file->entry);
    file->pair = allocation_create(allocator, PAIRS_MAX, sizeof *file->pair);
    if (!file->text || !file->entry || !file->pair)
        return status_no_memory((size_t)length);
    RETURN_IF_FAILED(read_at(file, LENGTH_SIZE, file->text, (int64_t)length));
    struct reader r = {
        .begin = file->text, .next = file->text, .end = file->text + length, .path = file->path};
    if (*r.begin != '{')
        return malformed(&r, "'{' is expected");
    if (!is_utf8(r.begin, (int64_t)length))
        return malformed(&r, "the text is not UTF-8");
    RETURN_IF_FAILED(take_header(&r, file));
    file->data = LENGTH_SIZE + (int64_t)length;
    return check_places(file, size - file->data);
}

fmatch_status safetensors_open(struct safetensors *file, const fmatch_allocator *allocator,
                               const char *path)
{
    *file = (struct safetensors){.path = path, .descriptor = -1};
    const fmatch_status status = read_header(file, allocator);
    if (status != FMATCH_OK)
        safetensors_close(file, allocator);
    return status;
}

void safetensors_close(struct safetensors *file, const fmatch_allocator *allocator)
{
    if (file->descriptor >= 0)
        close(file->descriptor);
    allocation_destroy(allocator, file->pair);
    allocation_destroy(allocator, file->entry);
    allocation_destroy(allocator, file->text);
    *file = (struct safetensors){.descriptor = -1};
}

const char *safetensors_metadata(const struct safetensors *file, const char *key)
{
    for (int32_t i = 0; i < file->pairs; i++)
        if (strcmp(file->pair[i].key, key) == 0)
            return file->pair[i].value;
    return NULL;
}

const struct safetensors_entry *safetensors_find(const struct safetensors *file, const char *name)
{
    for (int32_t i = 0; i < file->entries; i++)
        if (strcmp(file->entry[i].name, name) == 0)
            return &file->entry[i];
    return NULL;
}

fmatch_status safetensors_read(const struct safetensors *file,
                               const struct safetensors_entry *entry, int64_t count, float *values)
{
    enum { BLOCK = 1024 };
    unsigned char bytes[BLOCK * 8];
    const int size = entry->type->size;
    if (!entry->type->read)
        return status_fail(FMATCH_ERROR_FORMAT, "%s: %.64s is of type %s, no floating-point number",
                           file->path, entry->name, entry->type->name);
    if (count != (entry->end - entry->begin) / size)
        return status_fail(FMATCH_ERROR_SHAPE, "%s: %.64s has %lld values; %lld are expected",
                           file->path, entry->name, (long long)((entry->end - entry->begin) / size),
                           (long long)count);
    for (int64_t first = 0; first < count; first += BLOCK) {
        const int64_t n = count - first < BLOCK ? count - first : BLOCK;
        RETURN_IF_FAILED(read_at(file, file->data + entry->begin + first * size, bytes, n * size));
        for (int64_t i = 0; i < n; i++)
            values[first + i] = entry->type->read(bytes + i * size);
    }
    return FMATCH_OK;
}

/* ---- writing ---- */

/* Text that grows, or only its length while there is no room yet. */
struct header_text {
    char *room;
    int64_t size, capacity;
};

static void put(struct header_text *h, const char *text)
{
    const int64_t length = (int64_t)strlen(text);
    if (h->room && h->size + length <= h->capacity)
        memcpy(h->room + h->size, text, (size_t)length);
    h->size += length;
}

static void put_integer(struct header_text *h, int64_t value)
{
    char digits[24];
    snprintf(digits, sizeof digits, "%lld", (long long)value);
    put(h, digits);
}

static void put_quoted(struct header_text *h, const char *text)
{
    put(h, "\"");
    put(h, text);
    put(h, "\"");
}

static int64_t array_bytes(const struct safetensors_array *a)
{
    return a->shape[0] * (a->rank > 1 ? a->shape[1] : 1) * (int64_t)sizeof(float);
}

static void put_header(struct header_text *h, int32_t pairs, const struct safetensors_pair *pair,
                       int32_t arrays, const struct safetensors_array *array)
{
    put(h, "{\"__metadata__\":{");
    for (int32_t i = 0; i < pairs; i++) {
        put(h, i > 0 ? "," : "");
        put_quoted(h, pair[i].key);
        put(h, ":");
        put_quoted(h, pair[i].value);
    }
    put(h, "}");
    int64_t begin = 0;
    for (int32_t i = 0; i < arrays; i++) {
        const int64_t end = begin + array_bytes(&array[i]);
        put(h, ",");
        put_quoted(h, array[i].name);
        put(h, ":{\"dtype\":\"F32\",\"shape\":[");
        put_integer(h, array[i].shape[0]);
        if (array[i].rank > 1) {
            put(h, ",");
            put_integer(h, array[i].shape[1]);
        }
        put(h, "],\"data_offsets\":[");
        put_integer(h, begin);
        put(h, ",");
        put_integer(h, end);
        put(h, "]}");
        begin = end;
    }
    put(h, "}");
    while (h->size % LENGTH_SIZE != 0)
        put(h, " ");
}

static fmatch_status write_length(struct output_file *file, int64_t length)
{
    unsigned char bytes[LENGTH_SIZE];
    for (int i = 0; i < LENGTH_SIZE; i++)
        bytes[i] = (unsigned char)(length >> 8 * i);
    return output_file_write(file, bytes, sizeof bytes);
}

static fmatch_status write_values(struct output_file *file, const struct safetensors_array *a)
{
    enum { BLOCK = 1024 };
    unsigned char bytes[BLOCK * sizeof(float)];
    const int64_t count = array_bytes(a) / (int64_t)sizeof(float);
    for (int64_t first = 0; first < count; first += BLOCK) {
        const int64_t n = count - first < BLOCK ? count - first : BLOCK;
        for (int64_t i = 0; i < n; i++) {
            uint32_t bits;
            memcpy(&bits, a->values + first + i, sizeof bits);
            for (int b = 0; b < 4; b++)
                bytes[4 * i + b] = (unsigned char)(bits >> 8 * b);
        }
        RETURN_IF_FAILED(output_file_write(file, bytes, (size_t)n * sizeof(float)));
    }
    return FMATCH_OK;
}

static fmatch_status write_all(struct output_file *file, const struct header_text *h,
                               int32_t arrays, const struct safetensors_array *array)
{
    RETURN_IF_FAILED(write_length(file, h->size));
    RETURN_IF_FAILED(output_file_write(file, h->room, (size_t)h->size));
    for (int32_t i = 0; i < arrays; i++)
        RETURN_IF_FAILED(write_values(file, &array[i]));
    return FMATCH_OK;
}

fmatch_status safetensors_save(const fmatch_allocator *allocator, const char *path, int32_t pairs,
                               const struct safetensors_pair *pair, int32_t arrays,
                               const struct safetensors_array *array)
{
    struct header_text measured = {0};
    put_header(&measured, pairs, pair, arrays, array);
    struct header_text h = {.capacity = measured.size};
    h.room = allocation_create(allocator, h.capacity, 1);
    if (!h.room)
        return status_no_memory((size_t)h.capacity);
    put_header(&h, pairs, pair, arrays, array);

    struct output_file file;
    fmatch_status status = output_file_open(&file, path);
    if (status == FMATCH_OK)
        status = output_file_close(&file, write_all(&file, &h, arrays, array));
    allocation_destroy(allocator, h.room);
    return status;
}
