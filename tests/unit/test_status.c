/* The detail of a failure: how numbers stand in it, and what becomes of it while a user's function
 * runs. */
#include "base/status.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* A nan's sign means nothing, and the processor sets it as it likes. */
static void numbers_stand_as_expected(void **state)
{
    (void)state;
    static const struct {
        double number;
        const char *text;
    } cases[] = {
        {NAN, "nan"},    {INFINITY, "inf"},        {-INFINITY, "-inf"}, {-0.5, "-0.5"},
        {1e39, "1e+39"}, {-1.25e-30, "-1.25e-30"}, {12, "12"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_string_equal(NUMBER(cases[i].number), cases[i].text);
    assert_string_equal(NUMBER(copysign(NAN, -1.0)), "nan");
    const float negative = copysignf(NAN, -1.0f);
    assert_int_equal(status_check_finite("x", 0, 1, 1, &negative), FMATCH_ERROR_NOT_FINITE);
    assert_string_equal(fmatch_error_detail(), "row 0, column 0 of x is nan");
}

static fmatch_status fail_inside(void)
{
    status_begin();
    return status_of_callback("inner", -9);
}

static void failure_survives_what_happens_meanwhile(void **state)
{
    (void)state;
    struct status_kept kept;
    status_begin();
    assert_int_equal(status_of_callback("outer", -4), FMATCH_ERROR_CALLBACK);
    status_keep(&kept);
    assert_int_equal(fail_inside(), FMATCH_ERROR_CALLBACK);
    assert_string_equal(fmatch_error_detail(), "inner returned -9");
    status_restore(&kept);
    assert_string_equal(fmatch_error_detail(), "outer returned -4");
    assert_int_equal(fmatch_error_callback_code(), -4);
}

static void success_stays_without_a_detail(void **state)
{
    (void)state;
    struct status_kept kept;
    status_begin();
    status_keep(&kept);
    assert_int_equal(fail_inside(), FMATCH_ERROR_CALLBACK);
    status_restore(&kept);
    assert_string_equal(fmatch_error_detail(), "");
    assert_int_equal(fmatch_error_callback_code(), 0);
}

/* The longest that a detail can be. */
static void long_details_are_kept_whole(void **state)
{
    (void)state;
    char text[2 * STATUS_DETAIL_SIZE];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    struct status_kept kept;
    assert_int_equal(status_fail(FMATCH_ERROR_STATE, "%s", text), FMATCH_ERROR_STATE);
    assert_int_equal(strlen(fmatch_error_detail()), STATUS_DETAIL_SIZE - 1);
    status_keep(&kept);
    status_begin();
    status_restore(&kept);
    assert_int_equal(strlen(fmatch_error_detail()), STATUS_DETAIL_SIZE - 1);
}

static void destroy_that_fails(void *user)
{
    ++*(int *)user;
    (void)fail_inside();
}

static void destroy_functions_leave_no_trace(void **state)
{
    (void)state;
    int calls = 0;
    assert_int_equal(status_fail(FMATCH_ERROR_STATE, "first"), FMATCH_ERROR_STATE);
    status_keep_and_destroy(destroy_that_fails, &calls);
    assert_int_equal(calls, 1);
    assert_string_equal(fmatch_error_detail(), "first");
    status_keep_and_destroy(NULL, &calls);
    assert_int_equal(calls, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_stand_as_expected),
        cmocka_unit_test(failure_survives_what_happens_meanwhile),
        cmocka_unit_test(success_stays_without_a_detail),
        cmocka_unit_test(long_details_are_kept_whole),
        cmocka_unit_test(destroy_functions_leave_no_trace),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
