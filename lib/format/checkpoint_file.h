/* Files of named arrays of numbers, checked byte by byte. Knows no handle.
 *
 * All numbers are little-endian. A file is the eight bytes of its signature, its version (u32), the
 * number of arrays (u32); then for each array its name (52 bytes, filled up with zeros), type
 * (u32), count (u64) and values; at last the CRC-64 of all bytes before (u64). Signature, version
 * and checksum stay where they are in later versions. */
#ifndef FORMAT_CHECKPOINT_FILE_H
#define FORMAT_CHECKPOINT_FILE_H

#include <flowmatch/status.h>

enum {
    CHECKPOINT_VERSION = 1,
    CHECKPOINT_NAME_SIZE = 52, /* with the zero at the end */
    CHECKPOINT_HEAD_SIZE = CHECKPOINT_NAME_SIZE + 12
};

/* Types of numbers, as in the file. Odd ones have four bytes, even ones eight. */
enum checkpoint_type {
    CHECKPOINT_U32 = 1,
    CHECKPOINT_U64 = 2,
    CHECKPOINT_F32 = 3,
    CHECKPOINT_F64 = 4
};

/* Bytes of a number. */
int32_t checkpoint_file_width(int32_t type);

struct checkpoint_array {
    const char *name;
    int32_t type;
    int64_t count;
    void *values; /* of a file that is written, only read */
};

/* The file appears whole or not at all. */
fmatch_status checkpoint_file_save(const char *path, int32_t arrays,
                                   const struct checkpoint_array *array);

struct checkpoint_file {
    const char *path;
    int descriptor;
    int64_t arrays, next;                     /* in all, and already given */
    int64_t left;                             /* bytes before the checksum that were not yet read */
    unsigned char head[CHECKPOINT_HEAD_SIZE]; /* of the last array given; begins with its name */
};

/* Opens a file and goes once through all of it: FORMAT if signature or checksum are wrong, VERSION
 * if both are right and the version is later. `path` must outlive it. No memory is asked for. On
 * failure nothing is held. */
fmatch_status checkpoint_file_open(struct checkpoint_file *file, const char *path);

/* The next array: its name, which lives as long as no other is asked for, type and count, which the
 * file is long enough for; FORMAT if there is none. */
fmatch_status checkpoint_file_next(struct checkpoint_file *file, struct checkpoint_array *array);

/* Reads some of its values, in order. */
fmatch_status checkpoint_file_read(struct checkpoint_file *file, int32_t type, int64_t count,
                                   void *values);

/* FORMAT unless everything was read. */
fmatch_status checkpoint_file_end(const struct checkpoint_file *file);
void checkpoint_file_close(struct checkpoint_file *file);

#endif
