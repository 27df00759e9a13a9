#include "compute/thread_pool.h"

#include "base/allocation.h"

#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

/* A worker that has nothing to do looks out for the next call for as long as a short serial part
 * lasts, then sleeps. */
enum { SPINS = 5000, SPINS_BETWEEN_YIELDS = 500 };

struct call {
    atomic_int_fast64_t tasks;
    void (*task)(void *user, int64_t index);
    void *user;
};

/* The ticket says in one word which call it is and which of its tasks comes next, so that a worker
 * who comes late, when the call is over and perhaps another one has begun, takes nothing. */
enum { TICKET_INDEX_BITS = 32 };
#define TICKET_INDEX_MASK ((UINT64_C(1) << TICKET_INDEX_BITS) - 1)

struct thread_pool {
    int32_t threads; /* with the calling one */
    atomic_flag taken;
    pid_t process;   /* that started the workers; another one is a fork, where they do not exist */
    int32_t workers; /* running */

    struct call call;
    atomic_uint_fast64_t ticket; /* number of the call, then index of its next task */
    atomic_int_fast64_t left;    /* tasks of the call that are not finished */
    atomic_bool ending;

    pthread_mutex_t mutex; /* for sleeping alone */
    pthread_cond_t wake;
    int32_t asleep;
    pthread_t *thread; /* [threads - 1] */
};

static inline void relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#endif
}

static uint64_t present_call(struct thread_pool *pool)
{
    return atomic_load(&pool->ticket) >> TICKET_INDEX_BITS;
}

/* Tasks of that call, until there are none. Whoever takes one keeps the call, and what it points
 * to, in place. */
static void take_tasks(struct thread_pool *pool, uint64_t number)
{
    uint_fast64_t ticket = atomic_load(&pool->ticket);
    for (;;) {
        const int64_t index = (int64_t)(ticket & TICKET_INDEX_MASK);
        if (ticket >> TICKET_INDEX_BITS != number || index >= atomic_load(&pool->call.tasks))
            return;
        if (!atomic_compare_exchange_weak(&pool->ticket, &ticket, ticket + 1))
            continue;
        pool->call.task(pool->call.user, index);
        atomic_fetch_sub(&pool->left, 1);
        ticket = atomic_load(&pool->ticket);
    }
}

/* Waits for a call that is not `seen`, or the end. */
static uint64_t wait_for_call(struct thread_pool *pool, uint64_t seen)
{
    for (int i = 0; i < SPINS; i++) {
        const uint64_t now = present_call(pool);
        if (now != seen)
            return now;
        relax();
    }
    pthread_mutex_lock(&pool->mutex);
    pool->asleep++;
    while (present_call(pool) == seen)
        pthread_cond_wait(&pool->wake, &pool->mutex);
    pool->asleep--;
    pthread_mutex_unlock(&pool->mutex);
    return present_call(pool);
}

static void *work(void *argument)
{
    struct thread_pool *pool = argument;
    uint64_t seen = 0;
    for (;;) {
        seen = wait_for_call(pool, seen);
        if (atomic_load(&pool->ending))
            return NULL;
        take_tasks(pool, seen);
    }
}

static uint64_t ticket_of(uint64_t number, uint64_t index)
{
    return (number & TICKET_INDEX_MASK) << TICKET_INDEX_BITS | index;
}

/* The next number has no task, and the one after it begins the call: in between the call may be
 * written, since a worker who is late for the one before finds another number. Returns the call's.
 */
static uint64_t close_call(struct thread_pool *pool)
{
    const uint64_t number = present_call(pool) + 1;
    atomic_store(&pool->ticket, ticket_of(number, TICKET_INDEX_MASK));
    return (number + 1) & TICKET_INDEX_MASK;
}

static void open_call(struct thread_pool *pool, uint64_t number)
{
    atomic_store(&pool->ticket, ticket_of(number, 0));
    /* Those who fell asleep before they saw it hold the mutex from their last look to their sleep.
     */
    pthread_mutex_lock(&pool->mutex);
    if (pool->asleep > 0)
        pthread_cond_broadcast(&pool->wake);
    pthread_mutex_unlock(&pool->mutex);
}

/* The present process has no workers yet: start as many as can be. */
static void start_workers(struct thread_pool *pool)
{
    pool->process = getpid();
    pool->workers = 0;
    pool->asleep = 0;
    atomic_store(&pool->ticket, 0);
    if (pthread_mutex_init(&pool->mutex, NULL) != 0 || pthread_cond_init(&pool->wake, NULL) != 0)
        return;
    /* Signals are for the host's own threads. */
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    while (pool->workers < pool->threads - 1 &&
           pthread_create(&pool->thread[pool->workers], NULL, work, pool) == 0)
        pool->workers++;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

struct thread_pool *thread_pool_create(const fmatch_allocator *allocator, int32_t threads)
{
    struct thread_pool *pool = allocation_create(allocator, 1, sizeof *pool);
    pthread_t *thread = allocation_create(allocator, threads, sizeof *thread);
    if (!pool || !thread) {
        allocation_destroy(allocator, thread);
        allocation_destroy(allocator, pool);
        return NULL;
    }
    pool->threads = threads;
    pool->thread = thread;
    atomic_flag_clear(&pool->taken);
    return pool;
}

void thread_pool_destroy(struct thread_pool *pool, const fmatch_allocator *allocator)
{
    if (!pool)
        return;
    if (pool->workers > 0 && pool->process == getpid()) {
        atomic_store(&pool->ending, true);
        open_call(pool, close_call(pool));
        for (int32_t i = 0; i < pool->workers; i++)
            pthread_join(pool->thread[i], NULL);
        pthread_cond_destroy(&pool->wake);
        pthread_mutex_destroy(&pool->mutex);
    }
    allocation_destroy(allocator, pool->thread);
    allocation_destroy(allocator, pool);
}

static void wait_for_tasks(struct thread_pool *pool)
{
    for (int i = 1; atomic_load(&pool->left) > 0; i++) {
        relax();
        if (i % SPINS_BETWEEN_YIELDS == 0)
            sched_yield();
    }
}

void thread_pool_run(struct thread_pool *pool, int64_t tasks,
                     void (*task)(void *user, int64_t index), void *user)
{
    const bool alone = !pool || pool->threads < 2 || tasks < 2;
    if (alone || atomic_flag_test_and_set(&pool->taken)) {
        for (int64_t i = 0; i < tasks; i++)
            task(user, i);
        return;
    }
    if (pool->process != getpid())
        start_workers(pool);
    const uint64_t number = close_call(pool);
    atomic_store(&pool->call.tasks, tasks);
    pool->call.task = task;
    pool->call.user = user;
    atomic_store(&pool->left, tasks);
    open_call(pool, number);
    take_tasks(pool, number);
    wait_for_tasks(pool);
    atomic_flag_clear(&pool->taken);
}
