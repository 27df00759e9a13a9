/** What a function answers, and where it says more. */
#ifndef FLOWMATCH_STATUS_H
#define FLOWMATCH_STATUS_H

#include "version.h"

/** FMATCH_OK, or one of the negative codes of FMATCH_STATUS_LIST. */
typedef int32_t fmatch_status;

/**
 * Every status: name, number, text. Numbers never change their meaning.
 *
 * - ARGUMENT: a pointer is NULL, or a value is outside its range. SHAPE: two sizes that must agree
 * do not.
 * - STRUCT_SIZE: a configuration's struct_size is not one that this library can read.
 * - STATE: the call is not possible in the present state of the handle.
 * - CALLBACK: a callback returned a value that stops the call: any but 0 from a source's draw or a
 * model's evaluate, a negative one from a progress callback. fmatch_error_callback_code() gives it.
 * - CANCELLED: a progress callback returned a positive value; everything done until then is kept.
 * - NOT_FINITE: a nan or an infinity in input, in a callback's output or in a result.
 * - FORMAT: a file's content is not what it should be. VERSION: it was written by a later version.
 */
#define FMATCH_STATUS_LIST(X)                                                                      \
    X(FMATCH_OK, 0, "success")                                                                     \
    X(FMATCH_ERROR_ARGUMENT, -1, "an argument is missing or out of range")                         \
    X(FMATCH_ERROR_SHAPE, -2, "sizes do not agree")                                                \
    X(FMATCH_ERROR_STRUCT_SIZE, -3, "a struct has a size that this library cannot read")           \
    X(FMATCH_ERROR_STATE, -4, "the handle is not in a state that allows the call")                 \
    X(FMATCH_ERROR_NO_MEMORY, -5, "out of memory")                                                 \
    X(FMATCH_ERROR_CALLBACK, -6, "a callback failed")                                              \
    X(FMATCH_ERROR_CANCELLED, -7, "cancelled by the progress callback")                            \
    X(FMATCH_ERROR_NOT_FINITE, -8, "a value is not finite")                                        \
    X(FMATCH_ERROR_STEP_LIMIT, -9, "the limit on steps was reached")                               \
    X(FMATCH_ERROR_IO, -10, "a file cannot be read or written")                                    \
    X(FMATCH_ERROR_FORMAT, -11, "a file is malformed")                                             \
    X(FMATCH_ERROR_VERSION, -12, "a file comes from a later version")                              \
    X(FMATCH_ERROR_UNSUPPORTED, -13, "the object does not offer this")

#define FMATCH_STATUS_ENUMERATOR(name, number, text) name = number,
enum { FMATCH_STATUS_LIST(FMATCH_STATUS_ENUMERATOR) };
#undef FMATCH_STATUS_ENUMERATOR

#ifdef __cplusplus
extern "C" {
#endif

/**
 * "FMATCH_ERROR_SHAPE" for FMATCH_ERROR_SHAPE; "unknown status" for a number that is not in the
 * list. Static storage.
 */
FMATCH_API const char *fmatch_status_get_name(fmatch_status status);

/** One phrase in English for a status, or "unknown status". Static storage. */
FMATCH_API const char *fmatch_status_get_text(fmatch_status status);

/**
 * What went wrong in the last status function called by this thread: one line that names the
 * argument, its value and the allowed range, for instance "hidden_width is -3; it must be between 1
 * and 65536".
 *
 * Empty after a success. What a callback calls inside does not show here afterwards. Valid until
 * the thread calls the library again. Never NULL.
 */
FMATCH_API const char *fmatch_error_detail(void);

/**
 * The value that a callback returned when this thread's last call ended in
 * FMATCH_ERROR_CALLBACK; else 0.
 */
FMATCH_API int32_t fmatch_error_callback_code(void);

#ifdef __cplusplus
}
#endif

#endif
