/** The context: memory, log and processor, shared by the handles created from it. */
#ifndef FLOWMATCH_CONTEXT_H
#define FLOWMATCH_CONTEXT_H

#include "status.h"

/** Thread-safety: safe. Any number of threads may create handles from one context and use them. */
typedef struct fmatch_context fmatch_context;

/**
 * Named settings for fmatch_x_config_init_preset. A named preset never changes; RECOMMENDED may
 * improve.
 */
enum fmatch_preset {
    FMATCH_PRESET_RECOMMENDED = 0, /**< what fmatch_x_config_init fills in */
    FMATCH_PRESET_PLAIN =
        1 /**< the textbook method: raw inputs, uniform t, Adam at a constant rate */
};

/**
 * Which vector kernels run. A set that the processor lacks is refused; results differ in the last
 * bits between sets.
 */
enum fmatch_instruction_set {
    FMATCH_INSTRUCTION_SET_AUTO = 0,     /**< the best one that the processor has */
    FMATCH_INSTRUCTION_SET_BASELINE = 1, /**< what every processor of the architecture has */
    FMATCH_INSTRUCTION_SET_AVX2 = 2      /**< x86-64 with AVX2 and FMA */
};

/** What computes the matrix products. */
enum fmatch_matmul {
    /** The built-in product for evaluation and sampling; for training the one that is faster. */
    FMATCH_MATMUL_AUTO = 0,
    /** The built-in product for everything. */
    FMATCH_MATMUL_BUILTIN = 1,
    /**
     * OpenBLAS for everything; refused by a library that was built without it. A row's bits then
     * depend on the rows beside it, and on the number of OpenBLAS's threads.
     */
    FMATCH_MATMUL_BLAS = 2
};

enum fmatch_log_level { FMATCH_LOG_DEBUG = 0, FMATCH_LOG_INFO = 1, FMATCH_LOG_WARNING = 2 };

/**
 * Where the heap memory of a context and of its handles comes from. May be called from any thread
 * that uses them.
 */
typedef struct fmatch_allocator {
    uint32_t struct_size; /**< sizeof(fmatch_allocator) */
    uint32_t flags;       /**< 0 */
    /**
     * At least `size` > 0 bytes aligned to `align`, a power of two up to 64; NULL when there are
     * none.
     */
    void *(*alloc)(void *user, size_t size, size_t align);
    /** Takes back what alloc gave, with the same size. Never called with NULL. */
    void (*free)(void *user, void *pointer, size_t size);
    /** Or NULL; called once, after the last free or when create fails. */
    void (*destroy)(void *user);
    void *user;
} fmatch_allocator;

/**
 * Receives the library's messages, which never go to a stream. May be called from any thread that
 * uses the context.
 */
typedef struct fmatch_log_sink {
    uint32_t struct_size; /**< sizeof(fmatch_log_sink) */
    uint32_t flags;       /**< 0 */
    /** One line without a line end, valid during the call; level is an fmatch_log_level. */
    void (*write)(void *user, int32_t level, const char *message);
    /** Or NULL; called once, with the context's last reference or when create fails. */
    void (*destroy)(void *user);
    void *user;
} fmatch_log_sink;

/** Threads of the host program, to be used in place of the library's own. */
typedef struct fmatch_executor {
    uint32_t struct_size; /**< sizeof(fmatch_executor) */
    uint32_t flags;       /**< 0 */
    /**
     * Call task(argument, 0) to task(argument, tasks - 1), each once, in any order and on any
     * threads, and return when all of them have returned. May itself be called from any thread that
     * uses the context, also while it runs. Results do not depend on how tasks are spread.
     */
    void (*run)(void *user, int64_t tasks, void (*task)(void *argument, int64_t index),
                void *argument);
    /** Or NULL; called once, with the context's last reference or when create fails. */
    void (*destroy)(void *user);
    void *user;
} fmatch_executor;

/** Configuration of a context. */
typedef struct fmatch_context_config {
    uint32_t struct_size; /**< written by init */
    /** Threads that one call may use, 1 to 1024. Default 1. Results do not depend on it. */
    int32_t threads;
    const fmatch_allocator *allocator; /**< copied; NULL: the C library's */
    const fmatch_log_sink *log;        /**< copied; NULL: messages are dropped */
    const fmatch_executor *executor;   /**< copied; NULL: threads of the library's own */
    int32_t instruction_set;           /**< an fmatch_instruction_set. Default AUTO. */
    int32_t matmul;                    /**< an fmatch_matmul. Default AUTO. */
} fmatch_context_config;

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Fill in the recommended values. A macro over the function that never writes past the caller's
 * struct.
 */
#define fmatch_context_config_init(config)                                                         \
    fmatch_context_config_init_sized((config), sizeof *(config))
FMATCH_API void fmatch_context_config_init_sized(fmatch_context_config *config, size_t size);

/**
 * Create a context.
 *
 * @param context  written: the new handle, owned by the caller; NULL on failure.
 * @param config   or NULL for the recommended values.
 *
 * @return FMATCH_OK · FMATCH_ERROR_ARGUMENT · FMATCH_ERROR_STRUCT_SIZE · FMATCH_ERROR_UNSUPPORTED
 * (the processor lacks the instruction set) · FMATCH_ERROR_NO_MEMORY. On failure the destroy
 * functions of allocator and log sink have been called, unless `config` or their struct could not
 * be read.
 */
FMATCH_API FMATCH_WARN_UNUSED fmatch_status
fmatch_context_create(fmatch_context **context, const fmatch_context_config *config);

/**
 * Give the handle up; the context itself goes with the last handle created from it. Accepts NULL
 * and a NULL handle.
 */
FMATCH_API void fmatch_context_destroy(fmatch_context **context);

/**
 * Set the number of threads of the BLAS that the library was built with, for the whole process. For
 * programs that own the process: the library never changes it by itself.
 *
 * @param threads  1 to 1024.
 *
 * @return FMATCH_OK · FMATCH_ERROR_ARGUMENT · FMATCH_ERROR_UNSUPPORTED (no BLAS).
 */
FMATCH_API FMATCH_WARN_UNUSED fmatch_status fmatch_blas_set_threads(int32_t threads);

/** The fmatch_instruction_set in use, never AUTO; 0 for NULL. */
FMATCH_API int32_t fmatch_context_get_instruction_set(const fmatch_context *context);

/** Threads that one call may use; 0 for NULL. */
FMATCH_API int32_t fmatch_context_get_threads(const fmatch_context *context);

#ifdef __cplusplus
}
#endif

#endif
