/* A file that appears under its name whole or not at all: written beside, flushed to disk, renamed.
 */
#ifndef FORMAT_OUTPUT_FILE_H
#define FORMAT_OUTPUT_FILE_H

#include <flowmatch/context.h>

enum { OUTPUT_PATH_SIZE = 4096 };

struct output_file {
    const char *path;
    char beside[OUTPUT_PATH_SIZE];
    int descriptor;
};

/* Opens a new file next to `path`, which must outlive it. */
fmatch_status output_file_open(struct output_file *file, const char *path);

fmatch_status output_file_write(struct output_file *file, const void *bytes, size_t size);

/* Makes it the file at `path` if `status`, of what was written so far, is FMATCH_OK; else removes
 * it. Returns `status`, or what went wrong here. */
fmatch_status output_file_close(struct output_file *file, fmatch_status status);

#endif
