/* The thread pool: each task once, whoever calls, whatever the number of threads; nothing while it
 * has nothing to do; and a child that works. */
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/allocation.h"
#include "compute/thread_pool.h"

/* TSan ends a child that starts threads. */
#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define CHILD_CANNOT_START_THREADS 1
#endif
#elif defined(__SANITIZE_THREAD__)
#define CHILD_CANNOT_START_THREADS 1
#endif
#ifndef CHILD_CANNOT_START_THREADS
#define CHILD_CANNOT_START_THREADS 0
#endif

enum { THREADS_MOST = 8, TASKS_MOST = 1000 };

struct tally {
    atomic_int ran[TASKS_MOST];
    pthread_t by[TASKS_MOST];
    struct thread_pool *pool; /* of a nested call */
    atomic_int inner;
    atomic_int elsewhere; /* inner tasks on another thread than the outer task's */
};

static struct thread_pool *make_pool(int32_t threads)
{
    struct thread_pool *pool = thread_pool_create(&allocation_default, threads);
    assert_non_null(pool);
    return pool;
}

static void destroy_pool(struct thread_pool *pool)
{
    thread_pool_destroy(pool, &allocation_default);
}

static void count(void *user, int64_t index)
{
    struct tally *tally = user;
    atomic_fetch_add(&tally->ran[index], 1);
    tally->by[index] = pthread_self();
}

static void expect_each_once(const struct tally *tally, int64_t tasks, const char *where)
{
    for (int64_t i = 0; i < TASKS_MOST; i++) {
        const int wanted = i < tasks, seen = atomic_load(&tally->ran[i]);
        if (seen != wanted)
            fail_msg("%s: task %lld of %lld ran %d times", where, (long long)i, (long long)tasks,
                     seen);
    }
}

static void every_task_runs_once(void **state)
{
    (void)state;
    static const int64_t tasks[] = {0, 1, 2, 3, 7, 64, 1000};
    for (int32_t threads = 1; threads <= THREADS_MOST; threads++) {
        struct thread_pool *pool = make_pool(threads);
        for (int round = 0; round < 20; round++)
            for (size_t i = 0; i < sizeof tasks / sizeof *tasks; i++) {
                struct tally tally = {0};
                thread_pool_run(pool, tasks[i], count, &tally);
                expect_each_once(&tally, tasks[i], "one host thread");
            }
        destroy_pool(pool);
    }
}

static void without_a_pool_everything_runs_here(void **state)
{
    (void)state;
    struct tally tally = {0};
    thread_pool_run(NULL, 5, count, &tally);
    expect_each_once(&tally, 5, "no pool");
    for (int i = 0; i < 5; i++)
        assert_true(pthread_equal(tally.by[i], pthread_self()));
}

static void sleep_seconds(double seconds)
{
    struct timespec time = {(time_t)seconds, (long)((seconds - (double)(time_t)seconds) * 1e9)};
    while (nanosleep(&time, &time) != 0)
        ;
}

static void count_slowly(void *user, int64_t index)
{
    sleep_seconds(0.02);
    count(user, index);
}

/* Tasks that sleep overlap on one core too. */
static void other_threads_take_their_share(void **state)
{
    (void)state;
    struct thread_pool *pool = make_pool(4);
    struct tally tally = {0};
    thread_pool_run(pool, 16, count_slowly, &tally);
    expect_each_once(&tally, 16, "slow tasks");
    int here = 0;
    for (int i = 0; i < 16; i++)
        here += pthread_equal(tally.by[i], pthread_self()) != 0;
    if (here == 16 || here == 0)
        fail_msg("%d of 16 slow tasks ran on the calling thread", here);
    destroy_pool(pool);
}

/* A task's results are there when run returns, however short calls are. */
static void add_one(void *user, int64_t index)
{
    ((int64_t *)user)[index]++;
}

static void many_short_calls(void **state)
{
    (void)state;
    enum { CALLS = 5000, TASKS = 4 };
    struct thread_pool *pool = make_pool(3);
    int64_t sums[TASKS] = {0};
    for (int i = 1; i <= CALLS; i++) {
        thread_pool_run(pool, TASKS, add_one, sums);
        for (int k = 0; k < TASKS; k++)
            if (sums[k] != i)
                fail_msg("after call %d task %d has run %lld times", i, k, (long long)sums[k]);
    }
    destroy_pool(pool);
}

/* ---- calls within calls, and beside each other ---- */

struct inner_call {
    struct tally *tally;
    pthread_t caller;
};

static void count_inner(void *user, int64_t index)
{
    (void)index;
    const struct inner_call *call = user;
    atomic_fetch_add(&call->tally->inner, 1);
    if (!pthread_equal(call->caller, pthread_self()))
        atomic_fetch_add(&call->tally->elsewhere, 1);
}

static void call_again(void *user, int64_t index)
{
    struct tally *tally = user;
    count(user, index);
    struct inner_call inner = {tally, pthread_self()};
    thread_pool_run(tally->pool, 5, count_inner, &inner);
}

static void a_call_within_a_task_runs_there(void **state)
{
    (void)state;
    for (int32_t threads = 2; threads <= THREADS_MOST; threads++) {
        struct tally tally = {.pool = make_pool(threads)};
        thread_pool_run(tally.pool, 100, call_again, &tally);
        expect_each_once(&tally, 100, "outer tasks");
        if (tally.inner != 500 || tally.elsewhere != 0)
            fail_msg("%d threads: %d inner tasks instead of 500, %d of them on another thread",
                     (int)threads, (int)tally.inner, (int)tally.elsewhere);
        destroy_pool(tally.pool);
    }
}

struct host {
    struct thread_pool *pool;
    int64_t tasks;
    atomic_int *wrong;
};

static void *call_many_times(void *user)
{
    const struct host *host = user;
    for (int round = 0; round < 300; round++) {
        struct tally tally = {0};
        thread_pool_run(host->pool, host->tasks, count, &tally);
        for (int64_t i = 0; i < host->tasks; i++)
            *host->wrong += atomic_load(&tally.ran[i]) != 1;
    }
    return NULL;
}

static void host_threads_beside_each_other(void **state)
{
    (void)state;
    enum { HOSTS = 3 };
    atomic_int wrong = 0;
    struct thread_pool *pool = make_pool(3);
    pthread_t thread[HOSTS];
    struct host host[HOSTS];
    for (int i = 0; i < HOSTS; i++) {
        host[i] = (struct host){.pool = pool, .tasks = 2 + 50 * i, .wrong = &wrong};
        assert_int_equal(pthread_create(&thread[i], NULL, call_many_times, &host[i]), 0);
    }
    for (int i = 0; i < HOSTS; i++)
        pthread_join(thread[i], NULL);
    destroy_pool(pool);
    if (wrong != 0)
        fail_msg("%d tasks did not run exactly once", (int)wrong);
}

/* ---- idle ---- */

static double processor_seconds(void)
{
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    return (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
           1e-6 * (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec);
}

static void an_idle_pool_takes_no_time(void **state)
{
    (void)state;
    struct thread_pool *pool = make_pool(THREADS_MOST);
    struct tally tally = {0};
    thread_pool_run(pool, 100, count, &tally);
    const double before = processor_seconds();
    sleep_seconds(1.0);
    const double used = processor_seconds() - before;
    destroy_pool(pool);
    if (used >= 0.020)
        fail_msg("an idle second took %.1f ms of processor time; 20 are allowed", 1e3 * used);
}

static void destroyed_when_idle_unused_or_just_used(void **state)
{
    (void)state;
    destroy_pool(NULL);
    for (int round = 0; round < 200; round++) {
        struct thread_pool *pool = make_pool(1 + round % 5);
        struct tally tally = {0};
        if (round % 3 != 0)
            thread_pool_run(pool, 10, count, &tally);
        if (round % 40 == 1)
            sleep_seconds(0.01); /* so that its threads sleep */
        destroy_pool(pool);
    }
}

/* Signals are for the host's threads: a handler of its own may rely on where it runs. */
static atomic_int handled_elsewhere;
static pthread_t host_thread;

static void note_thread(int number)
{
    (void)number;
    handled_elsewhere += !pthread_equal(pthread_self(), host_thread);
}

static void signals_stay_with_the_host(void **state)
{
    (void)state;
    host_thread = pthread_self();
    struct thread_pool *pool = make_pool(4);
    struct tally tally = {0};
    struct sigaction before, action = {.sa_handler = note_thread};
    sigaction(SIGUSR1, &action, &before);
    thread_pool_run(pool, 100, count, &tally);
    sigset_t set, old;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &set, &old); /* any other thread that lets it in gets it now */
    kill(getpid(), SIGUSR1);
    sleep_seconds(0.05);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    sigaction(SIGUSR1, &before, NULL);
    destroy_pool(pool);
    if (handled_elsewhere != 0)
        fail_msg("a signal was handled on a thread of the pool");
}

/* ---- after a fork ---- */

/* What the child returned; it is ended if it hangs. */
static int status_of_child(pid_t child)
{
    for (int i = 0; i < 2000; i++) {
        int status;
        if (waitpid(child, &status, WNOHANG) == child)
            return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
        sleep_seconds(0.005);
    }
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    return -1;
}

static int work_in_child(struct thread_pool *pool)
{
    for (int round = 0; round < 50; round++) {
        struct tally tally = {0};
        thread_pool_run(pool, 64, count, &tally);
        for (int i = 0; i < 64; i++)
            if (tally.ran[i] != 1)
                return 1;
    }
    /* Threads of its own. */
    struct tally tally = {0};
    thread_pool_run(pool, 8, count_slowly, &tally);
    int here = 0;
    for (int i = 0; i < 8; i++)
        here += pthread_equal(tally.by[i], pthread_self()) != 0;
    destroy_pool(pool);
    return here < 8 ? 0 : 2;
}

static void fork_and_work(struct thread_pool *pool, const char *when)
{
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        _exit(work_in_child(pool));
    const int status = status_of_child(child);
    if (status != 0)
        fail_msg("fork %s: the child %s (%d)", when,
                 status == 1    ? "lost tasks"
                 : status == 2  ? "worked on one thread"
                 : status == -1 ? "hung"
                                : "crashed",
                 status);
}

static void the_child_of_a_fork_works(void **state)
{
    (void)state;
    if (CHILD_CANNOT_START_THREADS) {
        print_message("# skipped: the sanitizer ends a child that starts threads\n");
        return;
    }
    struct thread_pool *pool = make_pool(3);
    struct tally tally = {0}, after = {0};
    fork_and_work(pool, "before the first call");
    thread_pool_run(pool, 100, count, &tally);
    fork_and_work(pool, "just after a call");
    sleep_seconds(0.02);
    fork_and_work(pool, "when threads sleep");
    thread_pool_run(pool, 100, count, &after);
    expect_each_once(&after, 100, "the parent afterwards");
    destroy_pool(pool);
}

static void *keep_busy(void *user)
{
    const struct host *host = user;
    while (*host->wrong == 0) {
        struct tally tally = {0};
        thread_pool_run(host->pool, 20, count, &tally);
    }
    return NULL;
}

/* Another thread of the parent is in a call: the child, where that thread does not exist, must not
 * wait for it. It may work on one thread. */
static void a_fork_in_the_middle_of_a_call(void **state)
{
    (void)state;
    if (CHILD_CANNOT_START_THREADS) {
        print_message("# skipped: the sanitizer ends a child that starts threads\n");
        return;
    }
    atomic_int stop = 0;
    struct host host = {.pool = make_pool(3), .wrong = &stop};
    pthread_t busy;
    assert_int_equal(pthread_create(&busy, NULL, keep_busy, &host), 0);
    int worst = 0;
    for (int i = 0; i < 8 && worst == 0; i++) {
        const pid_t child = fork();
        if (child == 0) {
            const int status = work_in_child(host.pool);
            _exit(status == 2 ? 0 : status);
        }
        worst = status_of_child(child);
    }
    stop = 1;
    pthread_join(busy, NULL);
    destroy_pool(host.pool);
    if (worst != 0)
        fail_msg("the child ended with %d (-1: it hung)", worst);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_task_runs_once),
        cmocka_unit_test(without_a_pool_everything_runs_here),
        cmocka_unit_test(other_threads_take_their_share),
        cmocka_unit_test(many_short_calls),
        cmocka_unit_test(a_call_within_a_task_runs_there),
        cmocka_unit_test(host_threads_beside_each_other),
        cmocka_unit_test(an_idle_pool_takes_no_time),
        cmocka_unit_test(destroyed_when_idle_unused_or_just_used),
        cmocka_unit_test(signals_stay_with_the_host),
        cmocka_unit_test(the_child_of_a_fork_works),
        cmocka_unit_test(a_fork_in_the_middle_of_a_call),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
