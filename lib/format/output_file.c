#include "format/output_file.h"

#include "base/status.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static fmatch_status io_error(const struct output_file *file, const char *what)
{
    return status_fail(FMATCH_ERROR_IO, "%s cannot be %s: %s", file->path, what, strerror(errno));
}

fmatch_status output_file_open(struct output_file *file, const char *path)
{
    enum { ATTEMPTS = 100 };
    file->path = path;
    file->descriptor = -1;
    for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
        const int length = snprintf(file->beside, sizeof file->beside, "%s.%ld-%d.new", path,
                                    (long)getpid(), attempt);
        if (length < 0 || length >= OUTPUT_PATH_SIZE)
            return status_fail(FMATCH_ERROR_ARGUMENT, "path is longer than %d bytes",
                               (int)OUTPUT_PATH_SIZE - 32);
        file->descriptor = open(file->beside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (file->descriptor >= 0)
            return FMATCH_OK;
        if (errno != EEXIST)
            break;
    }
    return io_error(file, "written");
}

fmatch_status output_file_write(struct output_file *file, const void *bytes, size_t size)
{
    const char *next = bytes;
    while (size > 0) {
        const ssize_t written = write(file->descriptor, next, size);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return io_error(file, "written");
        next += written;
        size -= (size_t)written;
    }
    return FMATCH_OK;
}

/* The rename itself must reach the disk. A file system that cannot flush a folder has done what it
 * can. */
static void flush_folder(const char *path)
{
    char folder[OUTPUT_PATH_SIZE];
    const char *slash = strrchr(path, '/');
    const size_t length = slash ? (size_t)(slash - path) : 0;
    if (!slash)
        memcpy(folder, ".", 2);
    else if (length == 0)
        memcpy(folder, "/", 2);
    else {
        memcpy(folder, path, length);
        folder[length] = '\0';
    }
    const int descriptor = open(folder, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0)
        return;
    (void)fsync(descriptor);
    close(descriptor);
}

fmatch_status output_file_close(struct output_file *file, fmatch_status status)
{
    if (file->descriptor < 0)
        return status;
    if (status == FMATCH_OK && fsync(file->descriptor) != 0)
        status = io_error(file, "flushed");
    if (close(file->descriptor) != 0 && status == FMATCH_OK)
        status = io_error(file, "closed");
    if (status == FMATCH_OK && rename(file->beside, file->path) != 0)
        status = io_error(file, "written");
    if (status != FMATCH_OK)
        unlink(file->beside);
    else
        flush_folder(file->path);
    return status;
}
