/* Threads that share the tasks of one call at a time. What a task does must depend on its number
 * alone. */
#ifndef COMPUTE_THREAD_POOL_H
#define COMPUTE_THREAD_POOL_H

#include <flowmatch/context.h>

struct thread_pool;

/* NULL when there is no memory. Threads start with the first call that needs them. */
struct thread_pool *thread_pool_create(const fmatch_allocator *allocator, int32_t threads);

/* Ends the threads. Accepts NULL. */
void thread_pool_destroy(struct thread_pool *pool, const fmatch_allocator *allocator);

/* Runs task(user, 0) to task(user, tasks - 1), on the calling thread and the pool's, and returns
 * when all are done. Everything runs on the calling thread when another one has the pool, or when
 * threads cannot be started. */
void thread_pool_run(struct thread_pool *pool, int64_t tasks,
                     void (*task)(void *user, int64_t index), void *user);

#endif
