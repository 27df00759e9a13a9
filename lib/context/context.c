#include "context/context.h"

#include "base/configuration.h"
#include "base/status.h"
#include "compute/blas.h"
#include "compute/instruction_set.h"
#include "compute/thread_pool.h"

enum { THREADS_MAX = 1024 };

void fmatch_context_config_init_sized(fmatch_context_config *config, size_t size)
{
    const fmatch_context_config recommended = {
        .threads = 1,
        .instruction_set = FMATCH_INSTRUCTION_SET_AUTO,
    };
    configuration_write(config, size, &recommended, sizeof recommended);
}

static fmatch_status read_allocator(fmatch_allocator *to, const fmatch_allocator *from)
{
    *to = allocation_default;
    if (!from)
        return FMATCH_OK;
    fmatch_allocator given;
    RETURN_IF_FAILED(
        configuration_read(&given, sizeof given, sizeof given, from, "config->allocator"));
    *to = given; /* from here on a failure calls its destroy */
    RETURN_IF_FAILED(configuration_check_flags("config->allocator.flags", given.flags));
    if (!given.alloc || !given.free)
        return status_fail(FMATCH_ERROR_ARGUMENT, "config->allocator.%s is NULL",
                           given.alloc ? "free" : "alloc");
    return FMATCH_OK;
}

static fmatch_status read_log_sink(fmatch_log_sink *to, const fmatch_log_sink *from)
{
    if (!from)
        return FMATCH_OK;
    fmatch_log_sink given;
    RETURN_IF_FAILED(configuration_read(&given, sizeof given, sizeof given, from, "config->log"));
    *to = given;
    RETURN_IF_FAILED(configuration_check_flags("config->log.flags", given.flags));
    if (!given.write)
        return status_fail(FMATCH_ERROR_ARGUMENT, "config->log.write is NULL");
    return FMATCH_OK;
}

static fmatch_status read_executor(fmatch_executor *to, const fmatch_executor *from)
{
    if (!from)
        return FMATCH_OK;
    fmatch_executor given;
    RETURN_IF_FAILED(
        configuration_read(&given, sizeof given, sizeof given, from, "config->executor"));
    *to = given;
    RETURN_IF_FAILED(configuration_check_flags("config->executor.flags", given.flags));
    if (!given.run)
        return status_fail(FMATCH_ERROR_ARGUMENT, "config->executor.run is NULL");
    return FMATCH_OK;
}

static fmatch_status choose_instruction_set(struct fmatch_context *c, int32_t wanted)
{
    CHECK_RANGE("config->instruction_set", wanted, FMATCH_INSTRUCTION_SET_AUTO,
                FMATCH_INSTRUCTION_SET_AVX2);
    c->instruction_set = wanted == FMATCH_INSTRUCTION_SET_AUTO ? instruction_set_best() : wanted;
    const struct instruction_set *set = instruction_set_get(c->instruction_set);
    if (!set)
        return status_fail(FMATCH_ERROR_UNSUPPORTED,
                           "config->instruction_set is %d; this processor does not have it",
                           (int)wanted);
    c->kernels = set->vectors;
    c->products = set->products;
    return FMATCH_OK;
}

static fmatch_status read_config(struct fmatch_context *c, const fmatch_context_config *config)
{
    fmatch_context_config given;
    fmatch_context_config_init(&given);
    if (config)
        RETURN_IF_FAILED(configuration_read(&given, sizeof given, sizeof given, config, "config"));

    /* All are read before any is judged, so that all are destroyed whatever fails. */
    fmatch_allocator allocator = allocation_default;
    fmatch_log_sink sink = {0};
    fmatch_executor executor = {0};
    (void)read_executor(&executor, given.executor);
    (void)read_log_sink(&sink, given.log);
    (void)read_allocator(&allocator, given.allocator);
    c->executor = executor;
    c->log = sink;
    c->allocator = allocator;
    RETURN_IF_FAILED(read_allocator(&allocator, given.allocator));
    RETURN_IF_FAILED(read_log_sink(&sink, given.log));
    RETURN_IF_FAILED(read_executor(&executor, given.executor));

    CHECK_RANGE("config->threads", given.threads, 1, THREADS_MAX);
    c->threads = given.threads;
    CHECK_RANGE("config->matmul", given.matmul, FMATCH_MATMUL_AUTO, FMATCH_MATMUL_BLAS);
    if (given.matmul == FMATCH_MATMUL_BLAS && !blas_is_there())
        return status_fail(FMATCH_ERROR_UNSUPPORTED,
                           "config->matmul is BLAS; this library was built without one");
    c->matmul = blas_is_there() ? given.matmul : FMATCH_MATMUL_BUILTIN;
    return choose_instruction_set(c, given.instruction_set);
}

/* The caller's services, of which a copy is kept because the context itself is gone. */
static void destroy_services(const struct fmatch_context *c)
{
    status_keep_and_destroy(c->executor.destroy, c->executor.user);
    status_keep_and_destroy(c->log.destroy, c->log.user);
    status_keep_and_destroy(c->allocator.destroy, c->allocator.user);
}

/* On the heap, with its pool. */
static fmatch_status place(fmatch_context **context, struct fmatch_context *c)
{
    struct fmatch_context *placed = allocation_create(&c->allocator, 1, sizeof *placed);
    if (!placed)
        return status_no_memory(sizeof *placed);
    if (c->threads > 1 && !c->executor.run) {
        c->pool = thread_pool_create(&c->allocator, c->threads);
        if (!c->pool) {
            allocation_destroy(&c->allocator, placed);
            return status_fail(FMATCH_ERROR_NO_MEMORY, "%d threads could not be prepared",
                               (int)c->threads);
        }
    }
    reference_count_init(&c->references);
    *placed = *c;
    *context = placed;
    return FMATCH_OK;
}

fmatch_status fmatch_context_create(fmatch_context **context, const fmatch_context_config *config)
{
    status_begin();
    if (context)
        *context = NULL;

    struct fmatch_context c = {.allocator = allocation_default};
    fmatch_status status = read_config(&c, config);
    if (status == FMATCH_OK)
        status =
            context ? place(context, &c) : status_fail(FMATCH_ERROR_ARGUMENT, "context is NULL");
    if (status != FMATCH_OK) {
        destroy_services(&c);
        return status;
    }
    log_write(&c.log, FMATCH_LOG_DEBUG, "libflowmatch %s, instruction set %s, %d threads",
              fmatch_version_get_text(), instruction_set_get(c.instruction_set)->name,
              (int)c.threads);
    return FMATCH_OK;
}

fmatch_context *context_retain(fmatch_context *context)
{
    reference_count_retain(&context->references);
    return context;
}

void context_release(fmatch_context *context)
{
    if (!context || !reference_count_release(&context->references))
        return;
    const struct fmatch_context c = {
        .allocator = context->allocator, .log = context->log, .executor = context->executor};
    thread_pool_destroy(context->pool, &c.allocator);
    allocation_destroy(&c.allocator, context);
    destroy_services(&c);
}

bool context_is_parallel(const fmatch_context *context)
{
    return context->executor.run || context->pool;
}

void context_run(fmatch_context *context, int64_t tasks,
                 void (*task)(void *argument, int64_t index), void *argument)
{
    if (context->executor.run && tasks > 1)
        context->executor.run(context->executor.user, tasks, task, argument);
    else
        thread_pool_run(context->pool, tasks, task, argument);
}

void fmatch_context_destroy(fmatch_context **context)
{
    if (!context)
        return;
    context_release(*context);
    *context = NULL;
}

int32_t fmatch_context_get_instruction_set(const fmatch_context *context)
{
    return context ? context->instruction_set : 0;
}

int32_t fmatch_context_get_threads(const fmatch_context *context)
{
    return context ? context->threads : 0;
}

fmatch_status fmatch_blas_set_threads(int32_t threads)
{
    status_begin();
    CHECK_RANGE("threads", threads, 1, THREADS_MAX);
    if (!blas_is_there())
        return status_fail(FMATCH_ERROR_UNSUPPORTED, "this library was built without a BLAS");
    blas_set_threads(threads);
    return FMATCH_OK;
}

void fmatch_build_get_info(fmatch_build_info *info)
{
    fmatch_build_info given;
    if (configuration_read(&given, sizeof given, sizeof given, info, "info") != FMATCH_OK)
        return;
    const struct blas_facts blas = blas_get_facts();
    const fmatch_build_info answer = {
        .version = fmatch_version_get_text(),
        .blas_name = blas.name,
        .blas_version = blas.version,
        .blas_core = blas.core,
        .blas_threading = blas.threading,
        .blas_threads = blas.threads,
        .instruction_set = instruction_set_get(FMATCH_INSTRUCTION_SET_AUTO)->name,
    };
    configuration_write(info, given.struct_size, &answer, sizeof answer);
}
