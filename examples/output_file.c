#define _POSIX_C_SOURCE 200809L
#include "output_file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool complain(const char *verb, const char *path, int error)
{
    fprintf(stderr, "cannot %s %s: %s\n", verb, path, strerror(error));
    return false;
}

static bool make_directory(const char *path)
{
    struct stat found;

    if (!mkdir(path, 0777) || (errno == EEXIST && !stat(path, &found) && S_ISDIR(found.st_mode)))
        return true;
    return complain("create the directory", path, errno == EEXIST ? ENOTDIR : errno);
}

bool make_directories(const char *path)
{
    bool made = true;
    char *part = strdup(path);

    if (!part)
        return complain("create the directory", path, ENOMEM);
    for (char *slash = strchr(part + 1, '/'); made && slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        made = make_directory(part);
        *slash = '/';
    }
    made = made && make_directory(part);
    free(part);
    return made;
}

static char *join(const char *head, const char *tail)
{
    size_t size = strlen(head) + strlen(tail) + 1;
    char *joined = malloc(size);

    if (joined)
        snprintf(joined, size, "%s%s", head, tail);
    return joined;
}

bool output_file_open(struct output_file *file, const char *path)
{
    struct stat found;
    /* Renaming onto /dev/null or a link such as /dev/stdout would replace it by a file. */
    bool direct = !lstat(path, &found) && !S_ISREG(found.st_mode);

    *file = (struct output_file){.path = strdup(path)};
    if (!direct)
        file->beside = join(path, ".part");
    if (!file->path || (!direct && !file->beside))
        errno = ENOMEM;
    else
        file->stream = fopen(direct ? path : file->beside, "w");
    if (file->stream)
        return true;

    int error = errno;
    output_file_discard(file);
    return complain("write", path, error);
}

bool output_file_finish(struct output_file *file)
{
    bool whole = !ferror(file->stream) && !fflush(file->stream) &&
                 (!file->beside || !fsync(fileno(file->stream)));
    int error = errno;

    if (fclose(file->stream) && whole) {
        whole = false;
        error = errno;
    }
    file->stream = NULL;
    if (whole && file->beside && rename(file->beside, file->path)) {
        whole = false;
        error = errno;
    }
    if (!whole)
        complain("write", file->path, error);
    else {
        free(file->beside);
        file->beside = NULL;
    }
    output_file_discard(file);
    return whole;
}

void output_file_discard(struct output_file *file)
{
    if (file->stream)
        fclose(file->stream);
    if (file->beside)
        remove(file->beside);
    free(file->beside);
    free(file->path);
    *file = (struct output_file){0};
}
