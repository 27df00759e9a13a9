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

static fmatch_status too_long(void)
{
    return status_fail(FMATCH_ERROR_ARGUMENT, "path is longer than %d bytes",
                       (int)OUTPUT_PATH_SIZE - 32);
}

/* The folder part of a path, its last slash included. */
static size_t folder_length(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? (size_t)(slash - path) + 1 : 0;
}

/* One symbolic link: `target` becomes what it points to, from the link's folder if relative. */
static fmatch_status follow_link(struct output_file *file)
{
    char pointed[OUTPUT_PATH_SIZE];
    const ssize_t length = readlink(file->target, pointed, sizeof pointed);
    if (length < 0)
        return io_error(file, "written");
    const size_t kept = length > 0 && pointed[0] == '/' ? 0 : folder_length(file->target);
    if (kept + (size_t)length >= sizeof file->target)
        return too_long();
    memcpy(file->target + kept, pointed, (size_t)length);
    file->target[kept + (size_t)length] = '\0';
    return FMATCH_OK;
}

/* What `path` names in the end; there is no file there yet, or a regular one. By hand: realpath
 * knows no file that is yet to be made. */
static fmatch_status find_target(struct output_file *file)
{
    enum { LINKS_MAX = 40 };
    const int length = snprintf(file->target, sizeof file->target, "%s", file->path);
    if (length < 0 || length >= OUTPUT_PATH_SIZE)
        return too_long();
    for (int links = 0; links <= LINKS_MAX; links++) {
        struct stat facts;
        if (lstat(file->target, &facts) != 0)
            return errno == ENOENT ? FMATCH_OK : io_error(file, "written");
        if (S_ISREG(facts.st_mode))
            return FMATCH_OK;
        if (!S_ISLNK(facts.st_mode))
            return status_fail(FMATCH_ERROR_IO, "%s is not a file", file->path);
        RETURN_IF_FAILED(follow_link(file));
    }
    errno = ELOOP;
    return io_error(file, "written");
}

fmatch_status output_file_open(struct output_file *file, const char *path)
{
    enum { ATTEMPTS = 1 << 16 }; /* files that killed programs with this process id left behind */
    file->path = path;
    file->descriptor = -1;
    RETURN_IF_FAILED(find_target(file));
    for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
        const int length = snprintf(file->beside, sizeof file->beside, "%s.%ld-%d.new",
                                    file->target, (long)getpid(), attempt);
        if (length < 0 || length >= OUTPUT_PATH_SIZE)
            return too_long();
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
    char folder[OUTPUT_PATH_SIZE] = ".";
    const size_t length = folder_length(path);
    if (length > 0)
        memcpy(folder, path, length); /* of a zeroed array, so that it ends */
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
    if (status == FMATCH_OK && rename(file->beside, file->target) != 0)
        status = io_error(file, "written");
    if (status != FMATCH_OK)
        unlink(file->beside);
    else
        flush_folder(file->target);
    return status;
}
