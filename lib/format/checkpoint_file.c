#include "format/checkpoint_file.h"

#include "base/status.h"
#include "format/output_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    SIGNATURE_SIZE = 8,
    HEADER_SIZE = SIGNATURE_SIZE + 8,
    HEAD_SIZE = CHECKPOINT_NAME_SIZE + 12, /* of an array */
    CHECKSUM_SIZE = 8
};

/* As PNG's: a byte beyond ASCII, and a line's end, which a transfer as text would change. */
static const unsigned char signature[SIGNATURE_SIZE] = {0x89, 'f', 'm', 'c', 'k', 'p', 't', '\n'};

int32_t checkpoint_file_width(int32_t type)
{
    return type % 2 != 0 ? 4 : 8;
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

struct writer {
    struct output_file file;
    struct checksum checksum;
    size_t used;
    unsigned char buffer[CHECKPOINT_BUFFER];
};

static fmatch_status flush(struct writer *w)
{
    const size_t size = w->used;
    w->used = 0;
    checksum_add(&w->checksum, w->buffer, size);
    return output_file_write(&w->file, w->buffer, size);
}

static fmatch_status put_number(struct writer *w, uint64_t value, int32_t width)
{
    if (w->used + (size_t)width > sizeof w->buffer)
        RETURN_IF_FAILED(flush(w));
    for (int32_t i = 0; i < width; i++)
        w->buffer[w->used++] = (unsigned char)(value >> 8 * i);
    return FMATCH_OK;
}

static fmatch_status put_bytes(struct writer *w, const void *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        RETURN_IF_FAILED(put_number(w, ((const unsigned char *)bytes)[i], 1));
    return FMATCH_OK;
}

static fmatch_status put_values(struct writer *w, const struct checkpoint_array *array)
{
    const char *from = array->values;
    const int32_t width = checkpoint_file_width(array->type);
    for (int64_t i = 0; i < array->count; i++, from += width) {
        uint32_t four;
        uint64_t eight;
        if (width == 4) {
            memcpy(&four, from, sizeof four);
            eight = four;
        } else
            memcpy(&eight, from, sizeof eight);
        RETURN_IF_FAILED(put_number(w, eight, width));
    }
    return FMATCH_OK;
}

static fmatch_status put_array(struct writer *w, const struct checkpoint_array *array)
{
    char name[CHECKPOINT_NAME_SIZE] = {0};
    memcpy(name, array->name, strlen(array->name)); /* the caller's names are shorter */
    RETURN_IF_FAILED(put_bytes(w, name, sizeof name));
    RETURN_IF_FAILED(put_number(w, (uint64_t)array->type, 4));
    RETURN_IF_FAILED(put_number(w, (uint64_t)array->count, 8));
    return put_values(w, array);
}

static fmatch_status put_all(struct writer *w, int32_t arrays, const struct checkpoint_array *array)
{
    RETURN_IF_FAILED(put_bytes(w, signature, sizeof signature));
    RETURN_IF_FAILED(put_number(w, CHECKPOINT_VERSION, 4));
    RETURN_IF_FAILED(put_number(w, (uint64_t)arrays, 4));
    for (int32_t i = 0; i < arrays; i++)
        RETURN_IF_FAILED(put_array(w, &array[i]));
    RETURN_IF_FAILED(flush(w));
    RETURN_IF_FAILED(put_number(w, ~w->checksum.value, CHECKSUM_SIZE));
    return flush(w);
}

fmatch_status checkpoint_file_save(const char *path, int32_t arrays,
                                   const struct checkpoint_array *array)
{
    struct writer w;
    w.used = 0;
    checksum_begin(&w.checksum);
    RETURN_IF_FAILED(output_file_open(&w.file, path));
    return output_file_close(&w.file, put_all(&w, arrays, array));
}

/* ---- reading ---- */

static fmatch_status malformed(const struct checkpoint_file *file, const char *why)
{
    return status_fail(FMATCH_ERROR_FORMAT, "%s %s", file->path, why);
}

static const char cut_short[] = "is cut short";

/* Fills the buffer with at least one byte. */
static fmatch_status fill(struct checkpoint_file *file)
{
    ssize_t got;
    do
        got = read(file->descriptor, file->buffer, sizeof file->buffer);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return status_fail(FMATCH_ERROR_IO, "%s cannot be read: %s", file->path, strerror(errno));
    if (got == 0)
        return malformed(file, cut_short);
    file->begin = 0;
    file->end = (size_t)got;
    return FMATCH_OK;
}

/* A number of 1 to 8 bytes. */
static fmatch_status get_number(struct checkpoint_file *file, int32_t width, uint64_t *value)
{
    if (width > file->left)
        return malformed(file, cut_short);
    file->left -= width;
    *value = 0;
    for (int32_t i = 0; i < width; i++) {
        if (file->begin == file->end)
            RETURN_IF_FAILED(fill(file));
        *value |= (uint64_t)file->buffer[file->begin++] << 8 * i;
    }
    return FMATCH_OK;
}

/* All bytes but the last eight give the number in these. */
static fmatch_status check_sum(struct checkpoint_file *file)
{
    struct checksum checksum;
    checksum_begin(&checksum);
    while (file->left > 0) {
        RETURN_IF_FAILED(fill(file));
        const int64_t rest = (int64_t)file->end < file->left ? (int64_t)file->end : file->left;
        checksum_add(&checksum, file->buffer, (size_t)rest);
        file->left -= rest;
        file->begin = (size_t)rest;
    }
    uint64_t said;
    file->left = CHECKSUM_SIZE;
    RETURN_IF_FAILED(get_number(file, CHECKSUM_SIZE, &said));
    if (said != ~checksum.value)
        return malformed(file, "is damaged: its checksum is another");
    return FMATCH_OK;
}

static fmatch_status rewind_to(struct checkpoint_file *file, int64_t size)
{
    file->begin = file->end = 0;
    file->left = size - CHECKSUM_SIZE;
    if (lseek(file->descriptor, 0, SEEK_SET) != 0)
        return status_fail(FMATCH_ERROR_IO, "%s cannot be read: %s", file->path, strerror(errno));
    return FMATCH_OK;
}

static fmatch_status check_signature(struct checkpoint_file *file)
{
    for (int i = 0; i < SIGNATURE_SIZE; i++) {
        uint64_t byte;
        RETURN_IF_FAILED(get_number(file, 1, &byte));
        if (byte != signature[i])
            return malformed(file, "is not a checkpoint");
    }
    return FMATCH_OK;
}

static fmatch_status check_all(struct checkpoint_file *file)
{
    struct stat facts;
    if (file->descriptor < 0 || fstat(file->descriptor, &facts) != 0)
        return status_fail(FMATCH_ERROR_IO, "%s cannot be opened: %s", file->path, strerror(errno));
    if (!S_ISREG(facts.st_mode))
        return status_fail(FMATCH_ERROR_IO, "%s is not a file", file->path);
    const int64_t size = (int64_t)facts.st_size;
    RETURN_IF_FAILED(rewind_to(file, size));
    RETURN_IF_FAILED(check_signature(file));
    if (size < HEADER_SIZE + CHECKSUM_SIZE)
        return malformed(file, cut_short);
    RETURN_IF_FAILED(rewind_to(file, size));
    RETURN_IF_FAILED(check_sum(file));
    RETURN_IF_FAILED(rewind_to(file, size));
    RETURN_IF_FAILED(check_signature(file));
    uint64_t version, arrays;
    RETURN_IF_FAILED(get_number(file, 4, &version));
    RETURN_IF_FAILED(get_number(file, 4, &arrays));
    if (version > CHECKPOINT_VERSION)
        return status_fail(FMATCH_ERROR_VERSION, "%s has version %llu; this library knows %d",
                           file->path, (unsigned long long)version, CHECKPOINT_VERSION);
    if (version < 1 || arrays > INT32_MAX)
        return malformed(file, version < 1 ? "has version 0" : "has too many arrays");
    file->arrays = (int32_t)arrays;
    return FMATCH_OK;
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
    if (file->next++ == file->arrays)
        return malformed(file, "has too few arrays");
    uint64_t byte, type, count;
    for (int i = 0; i < CHECKPOINT_NAME_SIZE; i++) {
        RETURN_IF_FAILED(get_number(file, 1, &byte));
        file->name[i] = (char)byte;
    }
    RETURN_IF_FAILED(get_number(file, 4, &type));
    RETURN_IF_FAILED(get_number(file, 8, &count));
    if (file->name[CHECKPOINT_NAME_SIZE - 1] != '\0' || type < CHECKPOINT_U32 ||
        type > CHECKPOINT_F64)
        return malformed(file, "has an array without a name or type");
    const int32_t width = checkpoint_file_width((int32_t)type);
    if (count > (uint64_t)(file->left / width))
        return malformed(file, cut_short);
    *array = (struct checkpoint_array){
        .name = file->name, .type = (int32_t)type, .count = (int64_t)count};
    return FMATCH_OK;
}

fmatch_status checkpoint_file_read(struct checkpoint_file *file, int32_t type, int64_t count,
                                   void *values)
{
    const int32_t width = checkpoint_file_width(type);
    char *to = values;
    for (int64_t i = 0; i < count; i++, to += width) {
        uint64_t eight;
        RETURN_IF_FAILED(get_number(file, width, &eight));
        const uint32_t four = (uint32_t)eight;
        if (width == 4)
            memcpy(to, &four, sizeof four);
        else
            memcpy(to, &eight, sizeof eight);
    }
    return FMATCH_OK;
}

fmatch_status checkpoint_file_end(const struct checkpoint_file *file)
{
    if (file->next != file->arrays || file->left != 0)
        return malformed(file, "has more than this library knows");
    return FMATCH_OK;
}
