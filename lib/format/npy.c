#include "format/npy.h"

#include "base/status.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* A header of two dimensions has about 100 characters; more than this is no file of ours. */
enum { HEADER_MAX = 10000, PREFIX_MAX = 12 };

/* ---- the header: a Python dictionary in text ---- */

struct text {
    const char *next, *end;
};

struct header {
    bool has_type, has_order, has_shape;
    struct npy_type type;
    bool fortran_order;
    int64_t shape[2];
    int dimensions;
};

static fmatch_status malformed(const char *path, const char *why)
{
    return status_fail(FMATCH_ERROR_FORMAT, "%s is no .npy file: %s", path, why);
}

static void skip_blanks(struct text *t)
{
    while (t->next < t->end && (*t->next == ' ' || *t->next == '\t' || *t->next == '\n'))
        t->next++;
}

/* Passes over the character after blanks, if it is this one. */
static bool accept(struct text *t, char wanted)
{
    skip_blanks(t);
    if (t->next == t->end || *t->next != wanted)
        return false;
    t->next++;
    return true;
}

/* The contents of a string in quotes of either kind, without escapes. */
static bool read_string(struct text *t, struct text *contents)
{
    skip_blanks(t);
    if (t->next == t->end || (*t->next != '\'' && *t->next != '"'))
        return false;
    const char *begin = t->next + 1;
    const char *end = memchr(begin, *t->next, (size_t)(t->end - begin));
    if (!end)
        return false;
    *contents = (struct text){begin, end};
    t->next = end + 1;
    return true;
}

static bool is_word(const struct text *t, const char *word)
{
    const size_t length = strlen(word);
    return (size_t)(t->end - t->next) == length && memcmp(t->next, word, length) == 0;
}

static bool accept_word(struct text *t, const char *word)
{
    const size_t length = strlen(word);
    skip_blanks(t);
    if ((size_t)(t->end - t->next) < length || memcmp(t->next, word, length) != 0)
        return false;
    t->next += length;
    return true;
}

/* A number of rows or columns; Python 2 wrote an L behind it. */
static bool read_count(struct text *t, int64_t *count)
{
    skip_blanks(t);
    const char *begin = t->next;
    for (*count = 0; t->next < t->end && *t->next >= '0' && *t->next <= '9'; t->next++) {
        if (*count > (INT64_MAX - 9) / 10)
            return false;
        *count = 10 * *count + (*t->next - '0');
    }
    const bool found = t->next > begin;
    if (found && t->next < t->end && *t->next == 'L')
        t->next++;
    return found;
}

static bool little_endian(void)
{
    const uint16_t one = 1;
    unsigned char first;
    memcpy(&first, &one, 1);
    return first == 1;
}

static const struct {
    char kind;
    const char *sizes; /* digits */
} known_types[] = {{'f', "48"}, {'i', "1248"}, {'u', "1248"}, {'b', "1"}};

/* For instance <f4: order of bytes, kind, size. */
static bool read_type(const struct text *name, struct npy_type *type)
{
    if (name->end - name->next != 3)
        return false;
    const char order = name->next[0], kind = name->next[1], size = name->next[2];
    if (!strchr("<>=|", order) || order == '\0' || size == '\0' || (order == '|' && size != '1'))
        return false;
    for (size_t i = 0; i < sizeof known_types / sizeof known_types[0]; i++) {
        if (known_types[i].kind != kind || !strchr(known_types[i].sizes, size))
            continue;
        const bool big = order == '>' || (order == '=' && !little_endian());
        *type = (struct npy_type){.kind = kind,
                                  .size = size - '0',
                                  .big_endian = big,
                                  .native = kind == 'f' && size == '4' && big != little_endian()};
        return true;
    }
    return false;
}

static fmatch_status read_descr(struct text *t, const char *path, struct header *h)
{
    struct text name;
    skip_blanks(t);
    if (t->next < t->end && *t->next == '[')
        return status_fail(FMATCH_ERROR_UNSUPPORTED, "%s holds records; it must hold numbers",
                           path);
    if (h->has_type || !read_string(t, &name))
        return malformed(path, "its header names no type");
    h->has_type = true;
    if (read_type(&name, &h->type))
        return FMATCH_OK;
    const ptrdiff_t length = name.end - name.next;
    return status_fail(FMATCH_ERROR_UNSUPPORTED,
                       "%s has the type '%.*s'; it must be f4, f8, an integer or b1", path,
                       length < 40 ? (int)length : 40, name.next);
}

static fmatch_status read_order(struct text *t, const char *path, struct header *h)
{
    if (h->has_order)
        return malformed(path, "its header names the order twice");
    h->has_order = true;
    h->fortran_order = accept_word(t, "True");
    if (!h->fortran_order && !accept_word(t, "False"))
        return malformed(path, "fortran_order is neither True nor False");
    return FMATCH_OK;
}

static fmatch_status read_shape(struct text *t, const char *path, struct header *h)
{
    if (h->has_shape || !accept(t, '('))
        return malformed(path, "its header has no shape");
    h->has_shape = true;
    while (!accept(t, ')')) {
        int64_t count;
        if (!read_count(t, &count))
            return malformed(path, "its shape is no tuple of integers");
        if (h->dimensions < 2)
            h->shape[h->dimensions] = count;
        h->dimensions++;
        if (!accept(t, ',') && !(t->next < t->end && *t->next == ')'))
            return malformed(path, "its shape is no tuple of integers");
    }
    return FMATCH_OK;
}

static const struct {
    const char *key;
    fmatch_status (*read)(struct text *t, const char *path, struct header *h);
} entries[] = {{"descr", read_descr}, {"fortran_order", read_order}, {"shape", read_shape}};

static fmatch_status read_entry(struct text *t, const char *path, struct header *h)
{
    struct text key;
    if (!read_string(t, &key) || !accept(t, ':'))
        return malformed(path, "its header is no dictionary");
    for (size_t i = 0; i < sizeof entries / sizeof entries[0]; i++)
        if (is_word(&key, entries[i].key))
            return entries[i].read(t, path, h);
    return malformed(path, "its header has an unknown entry");
}

static fmatch_status read_header(struct text *t, const char *path, struct header *h)
{
    *h = (struct header){0};
    if (!accept(t, '{'))
        return malformed(path, "its header is no dictionary");
    while (!accept(t, '}')) {
        RETURN_IF_FAILED(read_entry(t, path, h));
        if (!accept(t, ',') && !(t->next < t->end && *t->next == '}'))
            return malformed(path, "its header is no dictionary");
    }
    skip_blanks(t);
    if (t->next != t->end)
        return malformed(path, "there is something behind the header's dictionary");
    if (!h->has_type || !h->has_order || !h->has_shape)
        return malformed(path, "its header lacks descr, fortran_order or shape");
    return FMATCH_OK;
}

/* ---- the file ---- */

static fmatch_status open_regular(struct npy_file *file, const char *path)
{
    /* O_NONBLOCK: a pipe without a writer would wait. */
    file->descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (file->descriptor < 0)
        return status_fail(FMATCH_ERROR_IO, "%s cannot be opened: %s", path, strerror(errno));
    struct stat facts;
    if (fstat(file->descriptor, &facts) != 0)
        return status_fail(FMATCH_ERROR_IO, "%s cannot be read: %s", path, strerror(errno));
    if (!S_ISREG(facts.st_mode))
        return status_fail(FMATCH_ERROR_IO, "%s is not a file", path);
    if ((uintmax_t)facts.st_size > PTRDIFF_MAX)
        return status_fail(FMATCH_ERROR_UNSUPPORTED, "%s is larger than the address space", path);
    file->length = (size_t)facts.st_size;
    return FMATCH_OK;
}

/* The beginning of the file, copied: at most `size` bytes, fewer where it ends before. */
static fmatch_status read_beginning(const struct npy_file *file, const char *path, size_t size,
                                    unsigned char *bytes, size_t *got)
{
    for (*got = 0; *got < size;) {
        const ssize_t more = pread(file->descriptor, bytes + *got, size - *got, (off_t)*got);
        if (more < 0 && errno == EINTR)
            continue;
        if (more < 0)
            return status_fail(FMATCH_ERROR_IO, "%s cannot be read: %s", path, strerror(errno));
        if (more == 0)
            break;
        *got += (size_t)more;
    }
    return FMATCH_OK;
}

/* Where the header's text lies: magic, version, and a length of two or four bytes. */
static fmatch_status find_header(const unsigned char *bytes, size_t size, const char *path,
                                 size_t *begin, size_t *length)
{
    static const unsigned char magic[] = {0x93, 'N', 'U', 'M', 'P', 'Y'};
    if (size < PREFIX_MAX || memcmp(bytes, magic, sizeof magic) != 0)
        return malformed(path, "it does not begin as one");
    if (bytes[6] < 1 || bytes[6] > 3 || bytes[7] != 0)
        return status_fail(FMATCH_ERROR_UNSUPPORTED,
                           "%s has version %d.%d of the format; it must be 1.0, 2.0 or 3.0", path,
                           bytes[6], bytes[7]);
    *length = bytes[8] | (size_t)bytes[9] << 8;
    *begin = 10;
    if (bytes[6] > 1) {
        *length |= (size_t)bytes[10] << 16 | (size_t)bytes[11] << 24;
        *begin = 12;
    }
    if (*length > HEADER_MAX)
        return malformed(path, "its header is too long");
    if (*begin + *length > size)
        return malformed(path, "it ends within the header");
    return FMATCH_OK;
}

static fmatch_status take_shape(struct npy_file *file, const char *path, const struct header *h)
{
    if (h->dimensions < 1 || h->dimensions > 2)
        return status_fail(FMATCH_ERROR_UNSUPPORTED, "%s has %d dimensions; it must have 1 or 2",
                           path, h->dimensions);
    if (h->fortran_order && h->dimensions == 2)
        return status_fail(FMATCH_ERROR_UNSUPPORTED,
                           "%s is in Fortran order, column by column; it must be in C order", path);
    const int64_t columns = h->dimensions == 2 ? h->shape[1] : 1;
    if (h->shape[0] < 1 || columns < 1)
        return status_fail(FMATCH_ERROR_FORMAT, "%s holds no number", path);
    if (columns > NPY_COLUMNS_MAX)
        return status_fail(FMATCH_ERROR_FORMAT, "%s has %lld columns; at most %d can be read", path,
                           (long long)columns, (int)NPY_COLUMNS_MAX);
    file->rows = h->shape[0];
    file->columns = (int32_t)columns;
    file->type = h->type;
    return FMATCH_OK;
}

/* The cells must end where the file ends. */
static fmatch_status check_size(const struct npy_file *file, const char *path, size_t begin)
{
    const size_t row = (size_t)file->columns * (size_t)file->type.size;
    const size_t cells = file->length - begin;
    if ((uint64_t)file->rows != cells / row || cells % row != 0)
        return status_fail(FMATCH_ERROR_FORMAT,
                           "%s has %zu bytes of cells; its header says %lld rows of %zu bytes",
                           path, cells, (long long)file->rows, row);
    return FMATCH_OK;
}

static fmatch_status map(struct npy_file *file, const char *path, size_t begin)
{
    file->mapping = mmap(NULL, file->length, PROT_READ, MAP_SHARED, file->descriptor, 0);
    if (file->mapping == MAP_FAILED) {
        file->mapping = NULL;
        return errno == ENOMEM
                   ? status_no_memory(file->length)
                   : status_fail(FMATCH_ERROR_IO, "%s cannot be mapped: %s", path, strerror(errno));
    }
    file->cells = (const unsigned char *)file->mapping + begin;
    return FMATCH_OK;
}

static fmatch_status open_and_map(struct npy_file *file, const char *path)
{
    unsigned char bytes[PREFIX_MAX + HEADER_MAX];
    size_t size = 0, begin = 0, length = 0;
    RETURN_IF_FAILED(open_regular(file, path));
    RETURN_IF_FAILED(read_beginning(file, path, sizeof bytes, bytes, &size));
    RETURN_IF_FAILED(find_header(bytes, size, path, &begin, &length));
    struct text text = {(const char *)bytes + begin, (const char *)bytes + begin + length};
    struct header header;
    RETURN_IF_FAILED(read_header(&text, path, &header));
    RETURN_IF_FAILED(take_shape(file, path, &header));
    if (begin + length > file->length)
        return malformed(path, "it ends within the header");
    RETURN_IF_FAILED(check_size(file, path, begin + length));
    return map(file, path, begin + length);
}

fmatch_status npy_open(struct npy_file *file, const char *path)
{
    *file = (struct npy_file){.descriptor = -1};
    const fmatch_status status = open_and_map(file, path);
    if (status != FMATCH_OK)
        npy_close(file);
    return status;
}

void npy_close(struct npy_file *file)
{
    if (file->mapping)
        munmap(file->mapping, file->length);
    if (file->descriptor >= 0)
        close(file->descriptor);
    *file = (struct npy_file){.descriptor = -1};
}

fmatch_status npy_check_length(const struct npy_file *file, const char *path)
{
    struct stat facts;
    if (fstat(file->descriptor, &facts) != 0)
        return status_fail(FMATCH_ERROR_IO, "%s cannot be read: %s", path, strerror(errno));
    if ((uintmax_t)facts.st_size != file->length)
        return status_fail(FMATCH_ERROR_FORMAT, "%s has %lld bytes; it had %zu when it was opened",
                           path, (long long)facts.st_size, file->length);
    return FMATCH_OK;
}

/* ---- cells ---- */

static uint64_t load_bits(const struct npy_type *type, const unsigned char *bytes)
{
    uint64_t bits = 0;
    for (int i = 0; i < type->size; i++)
        bits = bits << 8 | bytes[type->big_endian ? i : type->size - 1 - i];
    return bits;
}

static float float_of_bits(int size, uint64_t bits)
{
    const uint32_t half = (uint32_t)bits;
    float single;
    double twice;
    memcpy(&single, &half, sizeof single);
    memcpy(&twice, &bits, sizeof twice);
    return size == 4 ? single : (float)twice;
}

static float number_of_bits(const struct npy_type *type, uint64_t bits)
{
    const uint64_t sign = (uint64_t)1 << (8 * type->size - 1);
    switch (type->kind) {
    case 'f':
        return float_of_bits(type->size, bits);
    case 'i': /* the magnitude of a negative one is its complement plus 1 */
        return bits & sign ? -(float)((sign - (bits & (sign - 1)))) : (float)bits;
    case 'u':
        return (float)bits;
    default:
        return bits != 0 ? 1.0F : 0.0F;
    }
}

void npy_get(const struct npy_file *file, int64_t row, int32_t column, int32_t count, float *values)
{
    const struct npy_type *type = &file->type;
    const unsigned char *cell = file->cells + (row * file->columns + column) * type->size;
    if (type->native) {
        memcpy(values, cell, (size_t)count * sizeof *values);
        return;
    }
    for (int32_t i = 0; i < count; i++, cell += type->size)
        values[i] = number_of_bits(type, load_bits(type, cell));
}
