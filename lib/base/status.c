#include "base/status.h"

#include "base/finite.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static _Thread_local char detail[STATUS_DETAIL_SIZE];
static _Thread_local int32_t callback_code;

static const struct {
    fmatch_status status;
    const char *name, *text;
} statuses[] = {
#define STATUS_ROW(name, number, text) {name, #name, text},
    FMATCH_STATUS_LIST(STATUS_ROW)
#undef STATUS_ROW
};

enum { STATUSES = sizeof statuses / sizeof statuses[0] };

const char *fmatch_status_get_name(fmatch_status status)
{
    for (int i = 0; i < STATUSES; i++)
        if (statuses[i].status == status)
            return statuses[i].name;
    return "unknown status";
}

const char *fmatch_status_get_text(fmatch_status status)
{
    for (int i = 0; i < STATUSES; i++)
        if (statuses[i].status == status)
            return statuses[i].text;
    return "unknown status";
}

const char *fmatch_error_detail(void)
{
    return detail;
}

int32_t fmatch_error_callback_code(void)
{
    return callback_code;
}

void status_begin(void)
{
    detail[0] = '\0';
    callback_code = 0;
}

fmatch_status status_fail(fmatch_status status, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(detail, sizeof detail, format, arguments);
    va_end(arguments);
    return status;
}

struct number_text number_text_of_digits(double value, int digits)
{
    /* %g writes digits, signs, letters and the locale's decimal point, which may be of several
     * bytes. */
    struct number_text written = {0}, plain = {0};
    if (isnan(value))
        return (struct number_text){"nan"}; /* of either sign, and platforms differ in which */
    snprintf(written.text, sizeof written.text, "%.*g", digits, value);
    size_t length = 0;
    bool in_point = false;
    for (const char *p = written.text; *p; p++) {
        const bool point = !strchr("0123456789+-einfa", *p);
        if (!point || !in_point)
            plain.text[length++] = point ? '.' : *p;
        in_point = point;
    }
    return plain;
}

struct number_text number_text(double value)
{
    return number_text_of_digits(value, 6);
}

fmatch_status status_no_memory(size_t size)
{
    return status_fail(FMATCH_ERROR_NO_MEMORY, "%zu bytes could not be allocated", size);
}

fmatch_status status_of_callback(const char *what, int32_t code)
{
    if (code == 0)
        return FMATCH_OK;
    const fmatch_status status =
        status_fail(FMATCH_ERROR_CALLBACK, "%s returned %d", what, (int)code);
    callback_code = code;
    return status;
}

void status_keep(struct status_kept *kept)
{
    kept->callback_code = callback_code;
    memcpy(kept->detail, detail, strlen(detail) + 1);
}

void status_restore(const struct status_kept *kept)
{
    callback_code = kept->callback_code;
    memcpy(detail, kept->detail, strlen(kept->detail) + 1);
}

void status_keep_and_destroy(void (*destroy)(void *user), void *user)
{
    if (!destroy)
        return;
    struct status_kept kept;
    status_keep(&kept);
    destroy(user);
    status_restore(&kept);
}

void status_prefix(const char *format, ...)
{
    char rest[STATUS_DETAIL_SIZE];
    memcpy(rest, detail, sizeof rest);

    va_list arguments;
    va_start(arguments, format);
    const int length = vsnprintf(detail, sizeof detail, format, arguments);
    va_end(arguments);
    if (length >= 0 && length < STATUS_DETAIL_SIZE)
        snprintf(detail + length, sizeof detail - (size_t)length, "%s", rest);
}

fmatch_status status_check_range(const char *name, int64_t value, int64_t lowest, int64_t highest)
{
    if (value >= lowest && value <= highest)
        return FMATCH_OK;
    if (highest == INT64_MAX)
        return status_fail(FMATCH_ERROR_ARGUMENT, "%s is %lld; it must be at least %lld", name,
                           (long long)value, (long long)lowest);
    return status_fail(FMATCH_ERROR_ARGUMENT, "%s is %lld; it must be between %lld and %lld", name,
                       (long long)value, (long long)lowest, (long long)highest);
}

fmatch_status status_check_finite(const char *name, int64_t first_row, int64_t rows,
                                  int64_t columns, const float *values)
{
    if (finite_all(rows * columns, values))
        return FMATCH_OK;
    const int64_t i = finite_first_not(rows * columns, values);
    return status_fail(FMATCH_ERROR_NOT_FINITE, "row %lld, column %lld of %s is %s",
                       (long long)(first_row + i / columns), (long long)(i % columns), name,
                       NUMBER(values[i]));
}
