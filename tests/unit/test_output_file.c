/* Where a file that is written whole or not at all ends up when its name is a link, and what its
 * name may not be. */
#include "format/output_file.h"

#include "base/status.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[256];

/* The tests work in a folder of their own, with relative names. */
static int enter_folder(void **state)
{
    (void)state;
    const char *temporary = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/flowmatch-XXXXXX", temporary ? temporary : "/tmp");
    return mkdtemp(folder) && chdir(folder) == 0 ? 0 : -1;
}

static int leave_folder(void **state)
{
    static const char *const names[] = {"file", "link",     "second",   "third",
                                        "pipe", "sub/file", "sub/link", "sub"};
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        (void)remove(names[i]);
    if (chdir("/") == 0 && rmdir(folder) == 0)
        return 0;
    print_error("something was left in %s\n", folder);
    return -1;
}

#define folder_test(test) cmocka_unit_test_setup_teardown(test, enter_folder, leave_folder)

static fmatch_status write_text(const char *path, const char *text)
{
    struct output_file file;
    const fmatch_status status = output_file_open(&file, path);
    if (status != FMATCH_OK)
        return status;
    return output_file_close(&file, output_file_write(&file, text, strlen(text)));
}

static void expect_text(const char *path, const char *text)
{
    char found[64] = "";
    FILE *file = fopen(path, "rb");
    if (!file)
        fail_msg("%s cannot be read", path);
    found[fread(found, 1, sizeof found - 1, file)] = '\0';
    fclose(file);
    assert_string_equal(found, text);
}

/* As `ls -l` begins a line. */
static char kind_of(const char *path)
{
    struct stat facts;
    if (lstat(path, &facts) != 0)
        return '0';
    return S_ISREG(facts.st_mode)    ? '-'
           : S_ISDIR(facts.st_mode)  ? 'd'
           : S_ISLNK(facts.st_mode)  ? 'l'
           : S_ISFIFO(facts.st_mode) ? 'p'
                                     : '?';
}

static void expect_kind(const char *path, char kind)
{
    if (kind_of(path) != kind)
        fail_msg("%s is of kind %c instead of %c", path, kind_of(path), kind);
}

static void file_is_made_and_replaced(void **state)
{
    (void)state;
    assert_int_equal(write_text("file", "one"), FMATCH_OK);
    expect_text("file", "one");
    assert_int_equal(write_text("file", "two"), FMATCH_OK);
    expect_text("file", "two");
}

static void links_stay_and_their_target_is_replaced(void **state)
{
    (void)state;
    char whole[300];
    snprintf(whole, sizeof whole, "%s/sub/link", folder);
    assert_int_equal(mkdir("sub", 0700), 0);
    assert_int_equal(write_text("sub/file", "old"), FMATCH_OK);
    assert_int_equal(symlink("file", "sub/link"), 0); /* from the folder of the link */
    assert_int_equal(symlink(whole, "second"), 0);    /* from the root */
    assert_int_equal(symlink("second", "third"), 0);
    assert_int_equal(write_text("third", "new"), FMATCH_OK);
    expect_kind("third", 'l');
    expect_kind("second", 'l');
    expect_kind("sub/link", 'l');
    expect_kind("sub/file", '-');
    expect_text("sub/file", "new");
}

static void what_a_link_points_to_is_made(void **state)
{
    (void)state;
    assert_int_equal(symlink("file", "link"), 0);
    assert_int_equal(write_text("link", "new"), FMATCH_OK);
    expect_kind("link", 'l');
    expect_kind("file", '-');
    expect_text("file", "new");
}

static void expect_no_file(const char *path, const char *word)
{
    assert_int_equal(write_text(path, "new"), FMATCH_ERROR_IO);
    if (!strstr(fmatch_error_detail(), path) || !strstr(fmatch_error_detail(), word))
        fail_msg("\"%s\" lacks \"%s\" or \"%s\"", fmatch_error_detail(), path, word);
}

static void what_is_no_file_is_left_alone(void **state)
{
    (void)state;
    assert_int_equal(mkfifo("pipe", 0600), 0);
    assert_int_equal(symlink("pipe", "link"), 0);
    assert_int_equal(mkdir("sub", 0700), 0);
    expect_no_file("pipe", "is not a file");
    expect_no_file("link", "is not a file");
    expect_no_file("sub", "is not a file");
    expect_kind("pipe", 'p');
    expect_kind("link", 'l');
    expect_kind("sub", 'd');
}

static void links_in_a_circle_are_refused(void **state)
{
    (void)state;
    assert_int_equal(symlink("second", "third"), 0);
    assert_int_equal(symlink("third", "second"), 0);
    expect_no_file("second", "cannot be written");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        folder_test(file_is_made_and_replaced),
        folder_test(links_stay_and_their_target_is_replaced),
        folder_test(what_a_link_points_to_is_made),
        folder_test(what_is_no_file_is_left_alone),
        folder_test(links_in_a_circle_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
