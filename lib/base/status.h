/* The status of a call and its detail, which is the thread's own. */
#ifndef BASE_STATUS_H
#define BASE_STATUS_H

#include <flowmatch/status.h>

/* First line of every public status function: forget the last call's detail. */
void status_begin(void);

/* Keep the detail and hand the status back, to be used as `return status_fail(...)`. */
#ifdef __GNUC__
__attribute__((format(printf, 2, 3)))
#endif
fmatch_status
status_fail(fmatch_status status, const char *format, ...);

/* A number as it stands in a detail, for %s: with a decimal point, whatever the locale of the host
 * program. Lives until the end of the full expression. */
struct number_text {
    char text[32];
};
struct number_text number_text(double value);
#define NUMBER(value) (number_text((double)(value)).text)
/* With as many digits as are asked for: 17 tell a number from its neighbours. */
struct number_text number_text_of_digits(double value, int digits);

fmatch_status status_no_memory(size_t size);

/* A user's function returned `code`: FMATCH_OK for zero, else FMATCH_ERROR_CALLBACK with the code
 * kept. */
fmatch_status status_of_callback(const char *what, int32_t code);

/* A user's function may call the library, whose details are then its own business. What the
 * thread's last failure said, or that nothing failed, is put aside while such a function runs:
 *
 *     struct status_kept kept;
 *     status_keep(&kept);
 *     code = callbacks->draw(...);
 *     status_restore(&kept); */
enum { STATUS_DETAIL_SIZE = 512 };

struct status_kept {
    int32_t callback_code;
    char detail[STATUS_DETAIL_SIZE];
};

void status_keep(struct status_kept *kept);
void status_restore(const struct status_kept *kept);

/* Calls a user's destroy function, if there is one, with the detail put aside. */
void status_keep_and_destroy(void (*destroy)(void *user), void *user);

/* The detail of the last failure with a prefix, for instance the step in which it happened. */
#ifdef __GNUC__
__attribute__((format(printf, 1, 2)))
#endif
void status_prefix(const char *format, ...);

#define RETURN_IF_FAILED(expression)                                                               \
    do {                                                                                           \
        const fmatch_status status_ = (expression);                                                \
        if (status_ != FMATCH_OK)                                                                  \
            return status_;                                                                        \
    } while (0)

/* Checks of arguments; `argument` must be a plain name, which the detail repeats. */
#define CHECK_NOT_NULL(argument)                                                                   \
    do {                                                                                           \
        if (!(argument))                                                                           \
            return status_fail(FMATCH_ERROR_ARGUMENT, #argument " is NULL");                       \
    } while (0)

#define CHECK_RANGE(name, value, lowest, highest)                                                  \
    RETURN_IF_FAILED(status_check_range((name), (int64_t)(value), (lowest), (highest)))

fmatch_status status_check_range(const char *name, int64_t value, int64_t lowest, int64_t highest);

/* Every value of [rows, columns] is finite; else FMATCH_ERROR_NOT_FINITE naming row and column. */
fmatch_status status_check_finite(const char *name, int64_t first_row, int64_t rows,
                                  int64_t columns, const float *values);

#endif
