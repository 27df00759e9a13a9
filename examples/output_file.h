/** Files that appear whole or not at all: written beside their place, then renamed. */
#ifndef EXAMPLES_OUTPUT_FILE_H
#define EXAMPLES_OUTPUT_FILE_H

#include <stdbool.h>
#include <stdio.h>

struct output_file {
    FILE *stream;
    char *path;
    char *beside; /**< what is being written; NULL: path is a device, a pipe or a link itself */
};

/** Create a directory and those above it, as far as they are missing. On failure says why on
 * standard error. */
bool make_directories(const char *path);

/** Begin a file. On failure says why on standard error, and `file` is closed. */
bool output_file_open(struct output_file *file, const char *path);

/** Put the file in its place. On failure says why on standard error; a former file at the path is
 * as it was. */
bool output_file_finish(struct output_file *file);

/** Close without a trace. Does nothing to a file that is finished, or { 0 }. */
void output_file_discard(struct output_file *file);

#endif
