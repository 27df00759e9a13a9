/* Named arrays of parameters in one flat block, and the snapshots of it that a model shows its
 * readers. */
#ifndef MODEL_PARAMETERS_H
#define MODEL_PARAMETERS_H

#include <flowmatch/model.h>

#include <pthread.h>
#include <stdatomic.h>

enum { PARAMETER_NAME_SIZE = 24 };

struct tensor {
    char name[PARAMETER_NAME_SIZE];
    int32_t rank;
    int64_t shape[2]; /* 1 beyond the rank */
    int64_t offset;   /* in the flat block */
};

struct parameter_layout {
    int32_t tensors;
    int64_t count; /* parameters in all */
    struct tensor *tensor;
};

/* The array of a name that has `count` parameters; ARGUMENT or SHAPE otherwise. */
fmatch_status parameter_layout_find(const struct parameter_layout *layout, const char *name,
                                    int64_t count, const struct tensor **tensor);

/* A whole set of parameters, immutable while it is current or has readers. */
struct parameter_snapshot {
    struct parameter_snapshot *next;
    atomic_int readers;
    float *values;
    float *derived; /* made from the values when they are published */
};

/* What is derived from a set of values, for instance packed weights. */
struct parameter_derivation {
    int64_t count; /* of floats */
    void (*derive)(const void *user, const float *values, float *derived);
    const void *user;
};

/* Readers take the current snapshot without a lock; a writer fills one that nobody reads and then
 * makes it current. Snapshots are recycled, and freed with the store, so that a reader may touch
 * one that is no longer current. */
struct parameter_store {
    const fmatch_allocator *allocator;
    int64_t count;
    struct parameter_derivation derivation;
    pthread_mutex_t writer;
    struct parameter_snapshot *snapshots; /* written under the lock */
    _Atomic(struct parameter_snapshot *) current;
};

/* Starts with one snapshot of zeros. */
fmatch_status parameter_store_init(struct parameter_store *store, const fmatch_allocator *allocator,
                                   int64_t count, struct parameter_derivation derivation);
/* Accepts a zeroed store. */
void parameter_store_destroy(struct parameter_store *store);

/* Values of the first snapshot, to be written before anybody reads, and then finished. */
float *parameter_store_first(struct parameter_store *store);
void parameter_store_finish_first(struct parameter_store *store);

struct parameter_snapshot *parameter_store_acquire(struct parameter_store *store);
void parameter_store_release(struct parameter_snapshot *snapshot);

/* Make sure of a spare snapshot, so that publishing needs no memory unless others publish
 * meanwhile. */
fmatch_status parameter_store_reserve(struct parameter_store *store);

/* Publish `count` values from `offset` on; the others stay. On failure the current snapshot stays.
 */
fmatch_status parameter_store_publish(struct parameter_store *store, int64_t offset, int64_t count,
                                      const float *values);

#endif
