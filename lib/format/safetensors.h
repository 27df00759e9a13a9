/* The safetensors format: u64 little-endian size of a JSON header, the header, then the arrays'
 * bytes. https://github.com/huggingface/safetensors, "Format". Knows no handle. */
#ifndef FORMAT_SAFETENSORS_H
#define FORMAT_SAFETENSORS_H

#include <flowmatch/context.h>

enum { SAFETENSORS_RANK_MAX = 8, SAFETENSORS_ENTRIES_MAX = 4096 };

struct safetensors_type; /* how an element is stored */

struct safetensors_entry {
    const char *name;
    const struct safetensors_type *type;
    int32_t rank;
    int64_t shape[SAFETENSORS_RANK_MAX];
    int64_t begin, end; /* bytes, from the end of the header */
};

struct safetensors_pair {
    const char *key, *value;
};

/* What a file's header says. Names, keys and values are UTF-8, ended by a zero byte, inside `text`.
 */
struct safetensors {
    const char *path;
    int32_t entries, pairs;
    struct safetensors_entry *entry;
    struct safetensors_pair *pair; /* of __metadata__ */
    char *text;
    int64_t data; /* where the arrays begin in the file */
    int descriptor;
};

/* Opens a file and checks all of its header: FMATCH_ERROR_FORMAT for anything that the format does
 * not allow. `path` must outlive it. On failure nothing is held. */
fmatch_status safetensors_open(struct safetensors *file, const fmatch_allocator *allocator,
                               const char *path);
void safetensors_close(struct safetensors *file, const fmatch_allocator *allocator);

/* NULL if there is none. */
const char *safetensors_metadata(const struct safetensors *file, const char *key);
const struct safetensors_entry *safetensors_find(const struct safetensors *file, const char *name);

/* Reads an array of floating-point numbers of any width as floats; `count` must be its size. */
fmatch_status safetensors_read(const struct safetensors *file,
                               const struct safetensors_entry *entry, int64_t count, float *values);

/* One array to be written as F32. */
struct safetensors_array {
    const char *name;
    int32_t rank;
    int64_t shape[2];
    const float *values;
};

/* Names, keys and values must be plain ASCII without quotes and backslashes. The file appears whole
 * or not at all. */
fmatch_status safetensors_save(const fmatch_allocator *allocator, const char *path, int32_t pairs,
                               const struct safetensors_pair *pair, int32_t arrays,
                               const struct safetensors_array *array);

#endif
