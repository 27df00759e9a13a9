/* A process that saves over one file again and again is killed at some moment or other: what is
 * there afterwards is always a whole checkpoint, of the last step that was saved or of the one
 * after it, whose save was done but not yet told of. */
#include "../api/fixtures.h"
#include "../api/training_scenarios.h"

#include <dirent.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef __has_feature
#define __has_feature(feature) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) ||                               \
    __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
enum { KILLS = 40 };
#else
enum { KILLS = 200 };
#endif

enum { LATEST_KILL = 12000000 }; /* nanoseconds */

static char folder[256], path[300];

/* Without threads, in parent and child alike, so that a fork is no matter. */
static fmatch_context *make_context(void)
{
    fmatch_context_config config;
    fmatch_context *context;
    fmatch_context_config_init(&config);
    config.matmul = FMATCH_MATMUL_BUILTIN;
    expect_ok(fmatch_context_create(&context, &config));
    return context;
}

static void make_training(struct scenario_handles *h, fmatch_context *context)
{
    struct scenario s;
    scenario_init(&s, &scenarios[0]);
    expect_ok(scenario_create(h, context, &s));
}

/* Goes on from the file, if there is one, and writes the number of each step that was saved. */
static void train_until_killed(int told)
{
    fmatch_context *context;
    fmatch_context_config config;
    struct scenario s;
    struct scenario_handles h;
    fmatch_context_config_init(&config);
    config.matmul = FMATCH_MATMUL_BUILTIN;
    scenario_init(&s, &scenarios[0]);
    if (fmatch_context_create(&context, &config) != FMATCH_OK ||
        scenario_create(&h, context, &s) != FMATCH_OK)
        _exit(1);
    if (access(path, F_OK) == 0 && fmatch_trainer_load(h.trainer, path) != FMATCH_OK)
        _exit(2);
    for (;;) {
        if (fmatch_trainer_run(h.trainer, 1, NULL) != FMATCH_OK ||
            fmatch_trainer_save(h.trainer, path) != FMATCH_OK)
            _exit(3);
        const int64_t step = fmatch_trainer_count_steps(h.trainer);
        if (write(told, &step, sizeof step) != (ssize_t)sizeof step)
            _exit(4);
    }
}

/* Returns the last step that was told of; `before` if there was none. Every other process is killed
 * only after it has saved once. */
static int64_t kill_one(int number, uint64_t *random, int64_t before)
{
    int ends[2];
    expect_that(pipe(ends) == 0, "no pipe");
    const pid_t child = fork();
    if (child == 0) {
        close(ends[0]);
        train_until_killed(ends[1]);
    }
    expect_that(child > 0, "no child");
    close(ends[1]);
    int64_t last = before, step;
    if (number % 2 == 0 && read(ends[0], &step, sizeof step) == (ssize_t)sizeof step)
        last = step;
    const struct timespec moment = {.tv_nsec = (long)(LATEST_KILL * scatter(random))};
    nanosleep(&moment, NULL);
    kill(child, SIGKILL);
    while (read(ends[0], &step, sizeof step) == (ssize_t)sizeof step)
        last = step;
    close(ends[0]);
    int status = 0;
    expect_that(waitpid(child, &status, 0) == child, "no child to wait for");
    expect_that(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "the child ended by itself: %d",
                WIFEXITED(status) ? WEXITSTATUS(status) : -1);
    return last;
}

static void file_is_whole_after_every_kill(void **state)
{
    (void)state;
    fmatch_context *context = make_context();
    struct scenario_handles h, reference; /* the latter trains without a break */
    make_training(&h, context);
    make_training(&reference, context);
    uint64_t random = 1;
    int64_t steps = 0;
    for (int i = 0; i < KILLS; i++) {
        const int64_t told = kill_one(i, &random, steps), before = steps;
        expect_ok(fmatch_trainer_load(h.trainer, path));
        steps = fmatch_trainer_count_steps(h.trainer);
        expect_that(steps == told || steps == told + 1,
                    "kill %d: %lld steps are in the file, %lld were saved", i, (long long)steps,
                    (long long)told);
        expect_ok(fmatch_trainer_run(reference.trainer, steps - before, NULL));
        expect_same_parameters(h.model, reference.model, "after a kill");
    }
    scenario_destroy(&reference);
    scenario_destroy(&h);
    fmatch_context_destroy(&context);
}

static int enter(void **state)
{
    (void)state;
    const char *temporary = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/flowmatch-XXXXXX", temporary ? temporary : "/tmp");
    if (!mkdtemp(folder))
        return -1;
    snprintf(path, sizeof path, "%s/checkpoint", folder);
    return 0;
}

/* Killed processes leave what they were writing. */
static int leave(void **state)
{
    (void)state;
    DIR *files = opendir(folder);
    for (const struct dirent *entry; files && (entry = readdir(files));) {
        char name[600];
        snprintf(name, sizeof name, "%s/%s", folder, entry->d_name);
        (void)unlink(name);
    }
    if (files)
        closedir(files);
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(file_is_whole_after_every_kill, enter, leave),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
