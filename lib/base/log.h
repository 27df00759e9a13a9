/* Messages for the context's sink. */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <flowmatch/context.h>

/* Drops the message when the sink has no write function. */
#ifdef __GNUC__
__attribute__((format(printf, 3, 4)))
#endif
void log_write(const fmatch_log_sink *sink, int32_t level, const char *format, ...);

#endif
