#include "context/context.h"

#include "base/configuration.h"
#include "base/status.h"
#include "compute/instruction_set.h"

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

static fmatch_status choose_instruction_set(struct fmatch_context *c, int32_t wanted)
{
    CHECK_RANGE("config->instruction_set", wanted, FMATCH_INSTRUCTION_SET_AUTO,
                FMATCH_INSTRUCTION_SET_AVX2);
    c->instruction_set = wanted == FMATCH_INSTRUCTION_SET_AUTO ? instruction_set_best() : wanted;
    c->kernels = instruction_set_kernels(c->instruction_set);
    if (!c->kernels)
        return status_fail(FMATCH_ERROR_UNSUPPORTED,
                           "config->instruction_set is %d; this processor does not have it",
                           (int)wanted);
    return FMATCH_OK;
}

static fmatch_status read_config(struct fmatch_context *c, const fmatch_context_config *config)
{
    fmatch_context_config given;
    fmatch_context_config_init(&given);
    if (config)
        RETURN_IF_FAILED(configuration_read(&given, sizeof given, sizeof given, config, "config"));

    /* Both are read before either is judged, so that both are destroyed whatever fails. */
    const fmatch_status sink = read_log_sink(&c->log, given.log);
    const fmatch_status allocator = read_allocator(&c->allocator, given.allocator);
    if (sink != FMATCH_OK && allocator == FMATCH_OK)
        return read_log_sink(&c->log, given.log);
    RETURN_IF_FAILED(allocator);

    RETURN_IF_FAILED(configuration_check_flags("config->flags", given.flags));
    CHECK_RANGE("config->threads", given.threads, 1, THREADS_MAX);
    c->threads = given.threads;
    return choose_instruction_set(c, given.instruction_set);
}

static void destroy_services(const fmatch_allocator *allocator, const fmatch_log_sink *log)
{
    if (log->destroy)
        log->destroy(log->user);
    if (allocator->destroy)
        allocator->destroy(allocator->user);
}

fmatch_status fmatch_context_create(fmatch_context **context, const fmatch_context_config *config)
{
    status_begin();
    CHECK_NOT_NULL(context);
    *context = NULL;

    struct fmatch_context c = {.allocator = allocation_default};
    fmatch_status status = read_config(&c, config);
    struct fmatch_context *created = NULL;
    if (status == FMATCH_OK) {
        created = allocation_create(&c.allocator, 1, sizeof *created);
        if (!created)
            status = status_no_memory(sizeof *created);
    }
    if (status != FMATCH_OK) {
        destroy_services(&c.allocator, &c.log);
        return status;
    }

    reference_count_init(&c.references);
    *created = c;
    *context = created;
    log_write(&created->log, FMATCH_LOG_DEBUG, "libflowmatch %s, instruction set %d",
              fmatch_version_get_text(), (int)created->instruction_set);
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
    const fmatch_allocator allocator = context->allocator;
    const fmatch_log_sink log = context->log;
    allocation_destroy(&allocator, context);
    destroy_services(&allocator, &log);
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
