#include "model/parameters.h"

#include "base/allocation.h"
#include "base/status.h"

#include <string.h>

fmatch_status parameter_layout_find(const struct parameter_layout *layout, const char *name,
                                    int64_t count, const struct tensor **tensor)
{
    for (int32_t i = 0; i < layout->tensors; i++) {
        const struct tensor *t = &layout->tensor[i];
        if (strcmp(t->name, name) != 0)
            continue;
        const int64_t size = t->shape[0] * t->shape[1];
        if (count != size)
            return status_fail(FMATCH_ERROR_SHAPE, "count is %lld; %s [%lld, %lld] has %lld values",
                               (long long)count, name, (long long)t->shape[0],
                               (long long)t->shape[1], (long long)size);
        *tensor = t;
        return FMATCH_OK;
    }
    if (layout->tensors == 0)
        return status_fail(FMATCH_ERROR_ARGUMENT, "name is '%.64s'; the model has no parameters",
                           name);
    return status_fail(FMATCH_ERROR_ARGUMENT, "name is '%.64s'; the model has %s to %s", name,
                       layout->tensor[0].name, layout->tensor[layout->tensors - 1].name);
}

/* A new snapshot at the head of the list, which then has the writer's lock or no second thread. */
static struct parameter_snapshot *add_snapshot(struct parameter_store *store)
{
    struct parameter_snapshot *s = allocation_create(store->allocator, 1, sizeof *s);
    float *values = allocation_create(store->allocator, store->count, sizeof *values);
    float *derived = allocation_create(store->allocator, store->derivation.count, sizeof *derived);
    if (!s || !values || !derived) {
        allocation_destroy(store->allocator, derived);
        allocation_destroy(store->allocator, values);
        allocation_destroy(store->allocator, s);
        return NULL;
    }
    atomic_init(&s->readers, 0);
    s->values = values;
    s->derived = derived;
    s->next = store->snapshots;
    store->snapshots = s;
    return s;
}

fmatch_status parameter_store_init(struct parameter_store *store, const fmatch_allocator *allocator,
                                   int64_t count, struct parameter_derivation derivation)
{
    *store =
        (struct parameter_store){.allocator = allocator, .count = count, .derivation = derivation};
    struct parameter_snapshot *first = add_snapshot(store);
    if (!first)
        return status_no_memory((size_t)count * sizeof *first->values);
    if (pthread_mutex_init(&store->writer, NULL) != 0) {
        allocation_destroy(allocator, first->derived);
        allocation_destroy(allocator, first->values);
        allocation_destroy(allocator, first);
        store->snapshots = NULL;
        return status_fail(FMATCH_ERROR_NO_MEMORY, "a mutex could not be created");
    }
    atomic_init(&store->current, first);
    return FMATCH_OK;
}

void parameter_store_destroy(struct parameter_store *store)
{
    if (!store->snapshots)
        return;
    pthread_mutex_destroy(&store->writer);
    while (store->snapshots) {
        struct parameter_snapshot *s = store->snapshots;
        store->snapshots = s->next;
        allocation_destroy(store->allocator, s->derived);
        allocation_destroy(store->allocator, s->values);
        allocation_destroy(store->allocator, s);
    }
}

float *parameter_store_first(struct parameter_store *store)
{
    return store->snapshots->values;
}

void parameter_store_finish_first(struct parameter_store *store)
{
    struct parameter_snapshot *first = store->snapshots;
    store->derivation.derive(store->derivation.user, first->values, first->derived);
}

struct parameter_snapshot *parameter_store_acquire(struct parameter_store *store)
{
    /* A snapshot that was replaced between the two lines may be a writer's by now, who looked for
     * readers before this one came: only when it is still, or again, current have its values been
     * published. */
    for (;;) {
        struct parameter_snapshot *s = atomic_load(&store->current);
        atomic_fetch_add(&s->readers, 1);
        if (atomic_load(&store->current) == s)
            return s;
        atomic_fetch_sub(&s->readers, 1);
    }
}

void parameter_store_release(struct parameter_snapshot *snapshot)
{
    atomic_fetch_sub(&snapshot->readers, 1);
}

static struct parameter_snapshot *find_spare(struct parameter_store *store)
{
    const struct parameter_snapshot *current = atomic_load(&store->current);
    for (struct parameter_snapshot *s = store->snapshots; s; s = s->next)
        if (s != current && atomic_load(&s->readers) == 0)
            return s;
    return add_snapshot(store);
}

fmatch_status parameter_store_reserve(struct parameter_store *store)
{
    pthread_mutex_lock(&store->writer);
    const bool found = find_spare(store) != NULL;
    pthread_mutex_unlock(&store->writer);
    return found ? FMATCH_OK : status_no_memory((size_t)store->count * sizeof(float));
}

fmatch_status parameter_store_publish(struct parameter_store *store, int64_t offset, int64_t count,
                                      const float *values)
{
    pthread_mutex_lock(&store->writer);
    struct parameter_snapshot *to = find_spare(store);
    if (to) {
        const struct parameter_snapshot *from = atomic_load(&store->current);
        if (count < store->count)
            memcpy(to->values, from->values, (size_t)store->count * sizeof *values);
        memcpy(to->values + offset, values, (size_t)count * sizeof *values);
        store->derivation.derive(store->derivation.user, to->values, to->derived);
        atomic_store(&store->current, to);
    }
    pthread_mutex_unlock(&store->writer);
    return to ? FMATCH_OK : status_no_memory((size_t)store->count * sizeof *values);
}
