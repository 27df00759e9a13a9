#include "base/log.h"

#include "base/status.h"

#include <stdarg.h>
#include <stdio.h>

void log_write(const fmatch_log_sink *sink, int32_t level, const char *format, ...)
{
    if (!sink->write)
        return;
    char message[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    struct status_kept kept;
    status_keep(&kept);
    sink->write(sink->user, level, message);
    status_restore(&kept);
}
