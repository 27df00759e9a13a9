/* A file that appears under its name whole or not at all: written beside, flushed to disk, renamed.
 */
#ifndef FORMAT_OUTPUT_FILE_H
#define FORMAT_OUTPUT_FILE_H

#include <flowmatch/context.h>

enum { OUTPUT_PATH_SIZE = 4096 };

struct output_file {
    const char *path;              /* as the caller says it, for details */
    char target[OUTPUT_PATH_SIZE]; /* what is replaced: `path`, its symbolic links followed */
    char beside[OUTPUT_PATH_SIZE];
    int descriptor;
};

/* Opens a new file next to the one that `path` names, which must outlive it. A symbolic link stays,
 * and the file that it points to is replaced, or made. FMATCH_ERROR_IO if what is there is a
 * folder, a pipe or a device. */
fmatch_status output_file_open(struct output_file *file, const char *path);

fmatch_status output_file_write(struct output_file *file, const void *bytes, size_t size);

/* Makes it the file at `path` if `status`, of what was written so far, is FMATCH_OK; else removes
 * it. Returns `status`, or what went wrong here. */
fmatch_status output_file_close(struct output_file *file, fmatch_status status);

#endif
