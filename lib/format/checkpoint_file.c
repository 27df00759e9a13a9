#include "format/checkpoint_file.h"

#include "base/status.h"
#include "format/output_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    BUFFER = 8192,
    SIGNATURE_SIZE = 8,
    VERSION_AT = 8, /* in the header */
    ARRAYS_AT = 12,
    HEADER_SIZE = 16,
    TYPE_AT = CHECKPOINT_NAME_SIZE, /* in the head of an array */
    COUNT_AT = TYPE_AT + 4,
    CHECKSUM_SIZE = 8
};

/* As PNG's: a byte beyond ASCII, and a line's end, which a transfer as text would change. */
static const unsigned char signature[SIGNATURE_SIZE] = {0x89, 'f', 'm', 'c', 'k', 'p', 't', '\n'};

int32_t checkpoint_file_width(int32_t type)
{
    return type % 2 != 0 ? 4 : 8;
}

static void encode(uint64_t value, int32_t width, unsigned char *bytes)
{
    for (int32_t i = 0; i < width; i++, value >>= 8)
        bytes[i] = (unsigned char)value;
}

static uint64_t decode(const unsigned char *bytes, int32_t width)
{
    uint64_t value = 0;
    for (int32_t i = width - 1; i >= 0; i--)
        value = value << 8 | bytes[i];
    return value;
}

/* ---- CRC-64 with the polynomial of ECMA-182, reflected, as in the xz format ---- */

struct checksum {
    uint64_t value;
    uint64_t table[256];
};

static void checksum_begin(struct checksum *c)
{
    for (uint64_t i = 0; i < 256; i++) {
        uint64_t r = i;
        for (int bit = 0; bit < 8; bit++)
            r = r >> 1 ^ (r & 1 ? 0xC96C5795D7870F42u : 0);
        c->table[i] = r;
    }
    c->value = ~(uint64_t)0;
}

static void checksum_add(struct checksum *c, const unsigned char *bytes, size_t size)
{
    uint64_t value = c->value;
    for (size_t i = 0; i < size; i++)
        value = value >> 8 ^ c->table[(value ^ bytes[i]) & 0xFF];
    c->value = value;
}

/* ---- writing ---- */

/* Once a call has failed, the others do nothing. */
struct writer {
    struct output_file file;
    struct checksum checksum;
    fmatch_status status;
};

static void put(struct writer *w, const unsigned char *bytes, size_t size)
{
    checksum_add(&w->checksum, bytes, size);
    if (w->status == FMATCH_OK)
        w->status = output_file_write(&w->file, bytes, size);
}

static void put_values(struct writer *w, const struct checkpoint_array *array)
{
    const char *from = array->values;
    const int32_t width = checkpoint_file_width(array->type);
    unsigned char buffer[BUFFER];
    size_t used = 0;
    for (int64_t i = 0; i < array->count; i++, from += width) {
        uint32_t four = 0;
        uint64_t eight = 0;
        memcpy(width == 4 ? (void *)&four : &eight, from, (size_t)width);
        encode(width == 4 ? four : eight, width, buffer + used);
        used += (size_t)width;
        if (used == sizeof buffer || i + 1 == array->count) {
            put(w, buffer, used);
            used = 0;
        }
    }
}

static void put_array(struct writer *w, const struct checkpoint_array *array)
{
    unsigned char head[CHECKPOINT_HEAD_SIZE] = {0};
    memcpy(head, array->name, strlen(array->name)); /* the caller's names are short enough */
    encode((uint64_t)array->type, 4, head + TYPE_AT);
    encode((uint64_t)array->count, 8, head + COUNT_AT);
    put(w, head, sizeof head);
    put_values(w, array);
}

static fmatch_status put_all(struct writer *w, int32_t arrays, const struct checkpoint_array *array)
{
    unsigned char header[HEADER_SIZE], checksum[CHECKSUM_SIZE];
    memcpy(header, signature, SIGNATURE_SIZE);
    encode(CHECKPOINT_VERSION, 4, header + VERSION_AT);
    encode((uint64_t)arrays, 4, header + ARRAYS_AT);
    put(w, header, sizeof header);
    for (int32_t i = 0; i < arrays; i++)
        put_array(w, &array[i]);
    encode(~w->checksum.value, CHECKSUM_SIZE, checksum);
    put(w, checksum, sizeof checksum);
    return w->status;
}

fmatch_status checkpoint_file_save(const char *path, int32_t arrays,
                                   const struct checkpoint_array *array)
{
    struct writer w;
    w.status = FMATCH_OK;
    checksum_begin(&w.checksum);
    RETURN_IF_FAILED(output_file_open(&w.file, path));
    return output_file_close(&w.file, put_all(&w, arrays, array));
}

/* ---- reading ---- */

static fmatch_status malformed(const struct checkpoint_file *file, const char *why)
{
    return status_fail(FMATCH_ERROR_FORMAT, "%s %s", file->path, why);
}

static fmatch_status cut_short(const struct checkpoint_file *file)
{
    return malformed(file, "is cut short");
}

static fmatch_status io_error(const struct checkpoint_file *file)
{
    return status_fail(FMATCH_ERROR_IO, "%s cannot be read: %s", file->path, strerror(errno));
}

/* The next bytes, of those that are left. */
static fmatch_status take(struct checkpoint_file *file, void *to, int64_t size)
{
    char *next = to;
    if (size > file->left)
        return cut_short(file);
    file->left -= size;
    while (size > 0) {
        const ssize_t got = read(file->descriptor, next, (size_t)size);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return got < 0 ? io_error(file) : cut_short(file);
        next += got;
        size -= got;
    }
    return FMATCH_OK;
}

/* To the first byte, with `size` of them before the checksum. */
static fmatch_status go_to_begin(struct checkpoint_file *file, int64_t size)
{
    file->left = size;
    return lseek(file->descriptor, 0, SEEK_SET) == 0 ? FMATCH_OK : io_error(file);
}

static fmatch_status read_header(struct checkpoint_file *file, uint64_t *version)
{
    unsigned char header[HEADER_SIZE];
    RETURN_IF_FAILED(take(file, header, sizeof header));
    if (memcmp(header, signature, SIGNATURE_SIZE) != 0)
        return malformed(file, "is not a checkpoint");
    *version = decode(header + VERSION_AT, 4);
    file->arrays = (int64_t)decode(header + ARRAYS_AT, 4);
    return FMATCH_OK;
}

/* All bytes but the last eight give the number in these. */
static fmatch_status check_sum(struct checkpoint_file *file)
{
    struct checksum checksum;
    unsigned char buffer[BUFFER];
    checksum_begin(&checksum);
    while (file->left > 0) {
        const int64_t n = file->left < BUFFER ? file->left : BUFFER;
        RETURN_IF_FAILED(take(file, buffer, n));
        checksum_add(&checksum, buffer, (size_t)n);
    }
    file->left = CHECKSUM_SIZE;
    RETURN_IF_FAILED(take(file, buffer, CHECKSUM_SIZE));
    return decode(buffer, CHECKSUM_SIZE) == ~checksum.value
               ? FMATCH_OK
               : malformed(file, "is damaged: its checksum is another");
}

static fmatch_status check_all(struct checkpoint_file *file)
{
    struct stat facts;
    uint64_t version;
    if (file->descriptor < 0 || fstat(file->descriptor, &facts) != 0)
        return io_error(file);
    if (!S_ISREG(facts.st_mode))
        return status_fail(FMATCH_ERROR_IO, "%s is not a file", file->path);
    const int64_t size = (int64_t)facts.st_size - CHECKSUM_SIZE;
    RETURN_IF_FAILED(go_to_begin(file, size));
    RETURN_IF_FAILED(read_header(file, &version));
    RETURN_IF_FAILED(go_to_begin(file, size));
    RETURN_IF_FAILED(check_sum(file));
    RETURN_IF_FAILED(go_to_begin(file, size));
    RETURN_IF_FAILED(read_header(file, &version));
    if (version > CHECKPOINT_VERSION)
        return status_fail(FMATCH_ERROR_VERSION, "%s has version %llu; this library knows %d",
                           file->path, (unsigned long long)version, CHECKPOINT_VERSION);
    return version > 0 ? FMATCH_OK : malformed(file, "has version 0");
}

fmatch_status checkpoint_file_open(struct checkpoint_file *file, const char *path)
{
    file->path = path;
    file->next = 0;
    file->descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    const fmatch_status status = check_all(file);
    if (status != FMATCH_OK)
        checkpoint_file_close(file);
    return status;
}

void checkpoint_file_close(struct checkpoint_file *file)
{
    if (file->descriptor >= 0)
        close(file->descriptor);
    file->descriptor = -1;
}

fmatch_status checkpoint_file_next(struct checkpoint_file *file, struct checkpoint_array *array)
{
    unsigned char *head = file->head;
    if (file->next++ == file->arrays)
        return malformed(file, "has too few arrays");
    RETURN_IF_FAILED(take(file, head, sizeof file->head));
    const uint64_t type = decode(head + TYPE_AT, 4), count = decode(head + COUNT_AT, 8);
    if (head[TYPE_AT - 1] != '\0' || type < CHECKPOINT_U32 || type > CHECKPOINT_F64)
        return malformed(file, "has an array without a name or type");
    if (count > (uint64_t)(file->left / checkpoint_file_width((int32_t)type)))
        return cut_short(file);
    *array = (struct checkpoint_array){
        .name = (const char *)head, .type = (int32_t)type, .count = (int64_t)count};
    return FMATCH_OK;
}

fmatch_status checkpoint_file_read(struct checkpoint_file *file, int32_t type, int64_t count,
                                   void *values)
{
    const int32_t width = checkpoint_file_width(type);
    unsigned char *value = values;
    RETURN_IF_FAILED(take(file, values, count * width));
    for (int64_t i = 0; i < count; i++, value += width) {
        const uint64_t eight = decode(value, width);
        const uint32_t four = (uint32_t)eight;
        memcpy(value, width == 4 ? (const void *)&four : &eight, (size_t)width);
    }
    return FMATCH_OK;
}

fmatch_status checkpoint_file_end(const struct checkpoint_file *file)
{
    if (file->next != file->arrays || file->left != 0)
        return malformed(file, "has more than this library knows");
    return FMATCH_OK;
}
