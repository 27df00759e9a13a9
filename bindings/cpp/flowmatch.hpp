/**
 * libflowmatch in C++11: handles that clean up after themselves, functions as callbacks, and
 * exceptions. Everything is in this header; the program links libflowmatch and nothing else.
 *
 * - The classes are move-only owners of the C handles; get() lends the C handle for calls that have
 *   no method here. A handle keeps alive what it was created from, so objects may be destroyed in
 *   any order, and parents may be temporaries. Parents are taken by const reference: what is const
 *   is the owner, not what it refers to.
 * - A status other than FMATCH_OK becomes an exception: a status_error<status>, which is an error,
 *   or out_of_memory, which is a std::bad_alloc.
 * - What a callback throws is carried past the C library and thrown again, as the same object, by
 *   the call during which it was thrown. The call has then ended as for any other failure; after an
 *   exception of a log sink, as if nothing had happened.
 * - Thread-safety and the meaning of every parameter are those of the C function of the same name,
 *   whose header comment is the manual. Data is float, row-major, [rows, columns].
 */
#ifndef FLOWMATCH_FLOWMATCH_HPP
#define FLOWMATCH_FLOWMATCH_HPP

#include <flowmatch/flowmatch.h>

#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace flowmatch
{

/** A call that failed. what() is the status's text and the detail line in one. */
class error : public std::runtime_error
{
  public:
    error(fmatch_status code, const std::string &line, std::int32_t callback = 0)
        : std::runtime_error(compose(code, line)), status_(code), callback_code_(callback),
          detail_length_(line.size())
    {
    }

    /** One of the codes of FMATCH_STATUS_LIST. */
    fmatch_status status() const noexcept
    {
        return status_;
    }

    /** One line that names argument, value and allowed range; may be empty. */
    const char *detail() const noexcept
    {
        return what() + (std::char_traits<char>::length(what()) - detail_length_);
    }

    /** For FMATCH_ERROR_CALLBACK: the value that a C callback returned; else 0. */
    std::int32_t callback_code() const noexcept
    {
        return callback_code_;
    }

  private:
    static std::string compose(fmatch_status code, const std::string &line)
    {
        const std::string text = fmatch_status_get_text(code);
        return line.empty() ? text : text + ": " + line;
    }

    fmatch_status status_;
    std::int32_t callback_code_;
    std::size_t detail_length_;
};

/** The error of one status, so that it can be caught alone. */
template <fmatch_status Status> class status_error : public error
{
  public:
    explicit status_error(const std::string &line, std::int32_t callback = 0)
        : error(Status, line, callback)
    {
    }
};

typedef status_error<FMATCH_ERROR_ARGUMENT> argument_error;
typedef status_error<FMATCH_ERROR_SHAPE> shape_error;
typedef status_error<FMATCH_ERROR_STRUCT_SIZE> struct_size_error;
typedef status_error<FMATCH_ERROR_STATE> state_error;
typedef status_error<FMATCH_ERROR_CALLBACK> callback_error;
typedef status_error<FMATCH_ERROR_CANCELLED> cancelled_error;
typedef status_error<FMATCH_ERROR_NOT_FINITE> not_finite_error;
typedef status_error<FMATCH_ERROR_STEP_LIMIT> step_limit_error;
typedef status_error<FMATCH_ERROR_IO> io_error;
typedef status_error<FMATCH_ERROR_FORMAT> format_error;
typedef status_error<FMATCH_ERROR_VERSION> version_error;
typedef status_error<FMATCH_ERROR_UNSUPPORTED> unsupported_error;

/** FMATCH_ERROR_NO_MEMORY. Derived from std::bad_alloc alone, as handlers of that expect. */
class out_of_memory : public std::bad_alloc
{
  public:
    const char *what() const noexcept override
    {
        return fmatch_status_get_text(FMATCH_ERROR_NO_MEMORY);
    }
};

namespace detail
{

/**
 * What a callback of this thread has thrown and no call has thrown again, or NULL. A bare pointer,
 * because objects of static storage may be destroyed after this thread's other variables.
 */
inline std::exception_ptr *&pending()
{
    static thread_local std::exception_ptr *exception = nullptr;
    return exception;
}

[[noreturn]] inline void fail(fmatch_status status, const std::string &line)
{
    if (status == FMATCH_ERROR_NO_MEMORY)
        throw out_of_memory();
    switch (status) {
#define FLOWMATCH_THROW(name, number, text)                                                        \
    case number:                                                                                   \
        throw status_error<number>(line, fmatch_error_callback_code());
        FMATCH_STATUS_LIST(FLOWMATCH_THROW)
#undef FLOWMATCH_THROW
    default:
        throw error(status, line);
    }
}

inline void check(fmatch_status status)
{
    if (pending()) {
        const std::unique_ptr<std::exception_ptr> thrown(pending());
        pending() = nullptr;
        std::rethrow_exception(*thrown);
    }
    if (status != FMATCH_OK)
        fail(status, fmatch_error_detail());
}

/** Sizes that a vector argument gives away, before the library sees a pointer. */
inline void check_size(const char *name, std::size_t size, std::int64_t wanted)
{
    if (size != static_cast<std::size_t>(wanted))
        fail(FMATCH_ERROR_SHAPE, std::string(name) + " has " + std::to_string(size) +
                                     " values; it must have " + std::to_string(wanted));
}

/** Rows in `size` values. A dimension that makes no sense is left to the library to refuse. */
inline std::int64_t rows_in(const char *name, std::size_t size, std::int32_t dim)
{
    if (dim < 1)
        return 1;
    const std::int64_t rows = static_cast<std::int64_t>(size) / dim;
    if (static_cast<std::size_t>(rows * dim) != size)
        fail(FMATCH_ERROR_SHAPE, std::string(name) + " has " + std::to_string(size) +
                                     " values; it must be a multiple of " + std::to_string(dim));
    return rows;
}

/** Conditions of n rows, or nullptr for an empty vector. */
inline const float *conditions_in(const std::vector<float> &condition, std::int64_t n,
                                  std::int32_t columns)
{
    if (condition.empty())
        return nullptr;
    check_size("condition", condition.size(), n * columns);
    return condition.data();
}

/**
 * A vector for n rows; a negative n is left to the library to refuse. Its data() is never NULL, so
 * that what the library complains of is the true reason.
 */
template <class Value> std::vector<Value> room(std::int64_t n, std::int64_t columns)
{
    std::vector<Value> values(static_cast<std::size_t>(n > 0 ? n * columns : 0));
    values.reserve(1);
    return values;
}

/** Runs a callback's body; what it throws is kept for check(), and the library is told to stop. */
template <class Body> std::int32_t guarded(Body body) noexcept
{
    try {
        return body();
    } catch (...) {
        if (!pending())
            pending() = new (std::nothrow) std::exception_ptr(std::current_exception());
        return -1;
    }
}

/** The `destroy` of a callback struct whose `user` was made with new. */
template <class Function> void delete_user(void *user)
{
    delete static_cast<Function *>(user);
}

/** Sole owner of a C handle. */
template <class Handle, void (*Destroy)(Handle **)> class owner
{
  public:
    owner(const owner &) = delete;
    owner &operator=(const owner &) = delete;

    owner(owner &&other) noexcept : handle_(other.handle_)
    {
        other.handle_ = nullptr;
    }

    owner &operator=(owner &&other) noexcept
    {
        std::swap(handle_, other.handle_);
        return *this;
    }

    ~owner()
    {
        /* A log sink that throws now has nobody to throw to. */
        std::exception_ptr *before = pending();
        pending() = nullptr;
        Destroy(&handle_);
        delete pending();
        pending() = before;
    }

    /** The C handle, lent; NULL after a move. */
    Handle *get() const noexcept
    {
        return handle_;
    }

    explicit operator bool() const noexcept
    {
        return handle_ != nullptr;
    }

  protected:
    owner() noexcept : handle_(nullptr)
    {
    }

    Handle **out() noexcept
    {
        return &handle_;
    }

  private:
    Handle *handle_;
};

} // namespace detail

/** Configurations: the C structs, filled in with recommended values or those of a preset. */
struct context_config : fmatch_context_config {
    context_config()
    {
        fmatch_context_config_init_sized(this, sizeof(fmatch_context_config));
    }
};

struct array_config : fmatch_array_config {
    array_config()
    {
        fmatch_array_config_init_sized(this, sizeof(fmatch_array_config));
    }
};

struct csv_config : fmatch_csv_config {
    csv_config()
    {
        fmatch_csv_config_init_sized(this, sizeof(fmatch_csv_config));
    }
};

struct npy_config : fmatch_npy_config {
    npy_config()
    {
        fmatch_npy_config_init_sized(this, sizeof(fmatch_npy_config));
    }
};

struct toy_config : fmatch_toy_config {
    explicit toy_config(std::int32_t toy = FMATCH_TOY_TWO_MOONS,
                        std::int32_t drawn_as = FMATCH_TOY_PLAIN, bool with_labels = false)
    {
        fmatch_toy_config_init_sized(this, sizeof(fmatch_toy_config));
        kind = toy;
        convention = drawn_as;
        labels = with_labels ? 1 : 0;
    }
};

struct path_config : fmatch_path_config {
    path_config()
    {
        fmatch_path_config_init_sized(this, sizeof(fmatch_path_config));
    }
};

struct time_config : fmatch_time_config {
    time_config()
    {
        fmatch_time_config_init_sized(this, sizeof(fmatch_time_config));
    }
};

struct loss_config : fmatch_loss_config {
    loss_config()
    {
        fmatch_loss_config_init_sized(this, sizeof(fmatch_loss_config));
    }
};

struct coupling_config : fmatch_coupling_config {
    coupling_config()
    {
        fmatch_coupling_config_init_sized(this, sizeof(fmatch_coupling_config));
    }
};

struct mlp_config : fmatch_mlp_config {
    explicit mlp_config(std::int32_t preset = FMATCH_PRESET_RECOMMENDED)
    {
        fmatch_mlp_config_init_sized(this, sizeof(fmatch_mlp_config), preset);
    }
};

struct adam_config : fmatch_adam_config {
    explicit adam_config(std::int32_t preset = FMATCH_PRESET_RECOMMENDED)
    {
        fmatch_adam_config_init_sized(this, sizeof(fmatch_adam_config), preset);
    }
};

struct sgd_config : fmatch_sgd_config {
    explicit sgd_config(std::int32_t preset = FMATCH_PRESET_RECOMMENDED)
    {
        fmatch_sgd_config_init_sized(this, sizeof(fmatch_sgd_config), preset);
    }
};

struct rate_config : fmatch_rate_config {
    rate_config()
    {
        fmatch_rate_config_init_sized(this, sizeof(fmatch_rate_config));
    }
};

struct validation_config : fmatch_validation_config {
    validation_config()
    {
        fmatch_validation_config_init_sized(this, sizeof(fmatch_validation_config));
    }
};

struct trainer_config : fmatch_trainer_config {
    explicit trainer_config(std::int32_t preset = FMATCH_PRESET_RECOMMENDED)
    {
        fmatch_trainer_config_init_sized(this, sizeof(fmatch_trainer_config), preset);
    }
};

struct divergence_config : fmatch_divergence_config {
    divergence_config()
    {
        fmatch_divergence_config_init(static_cast<fmatch_divergence_config *>(this));
    }
};

struct likelihood_config : fmatch_likelihood_config {
    likelihood_config()
    {
        fmatch_likelihood_config_init(static_cast<fmatch_likelihood_config *>(this));
    }
};

struct stochastic_config : fmatch_stochastic_config {
    stochastic_config()
    {
        fmatch_stochastic_config_init_sized(this, sizeof(fmatch_stochastic_config));
    }
};

struct sampler_config : fmatch_sampler_config {
    explicit sampler_config(std::int32_t preset = FMATCH_PRESET_RECOMMENDED)
    {
        fmatch_sampler_config_init_sized(this, sizeof(fmatch_sampler_config), preset);
    }
};

struct mmd_config : fmatch_mmd_config {
    mmd_config()
    {
        fmatch_mmd_config_init_sized(this, sizeof(fmatch_mmd_config));
    }
};

struct semidiscrete_config : fmatch_semidiscrete_config {
    semidiscrete_config()
    {
        fmatch_semidiscrete_config_init_sized(this, sizeof(fmatch_semidiscrete_config));
    }
};

struct sinkhorn_config : fmatch_sinkhorn_config {
    sinkhorn_config()
    {
        fmatch_sinkhorn_config_init_sized(this, sizeof(fmatch_sinkhorn_config));
    }
};

/** A step's rows given by the caller. */
struct batch : fmatch_batch {
    batch() : fmatch_batch()
    {
        struct_size = sizeof(fmatch_batch);
    }
};

/** The generator lent to a source's callback, valid during the call. */
class generator
{
  public:
    explicit generator(fmatch_random *lent) noexcept : random_(lent)
    {
    }

    /** [n, k] numbers for the n rows of the callback, or n = 1 after set_row. */
    void normal(std::int64_t n, std::int32_t k, float *out)
    {
        fmatch_random_draw_normal(random_, n, k, out);
    }

    void uniform(std::int64_t n, std::int32_t k, float *out)
    {
        fmatch_random_draw_uniform(random_, n, k, out);
    }

    void integer(std::int64_t n, std::int32_t k, std::int32_t bound, std::int32_t *out)
    {
        fmatch_random_draw_integer(random_, n, k, bound, out);
    }

    /** Go on with row i of the callback alone. */
    void set_row(std::int64_t i)
    {
        fmatch_random_set_row(random_, i);
    }

    /** The next number of the row that set_row chose. */
    float normal()
    {
        float value = 0;
        normal(1, 1, &value);
        return value;
    }

    float uniform()
    {
        float value = 0;
        uniform(1, 1, &value);
        return value;
    }

    std::int32_t integer(std::int32_t bound)
    {
        std::int32_t value = 0;
        integer(1, 1, bound, &value);
        return value;
    }

    fmatch_random *get() const noexcept
    {
        return random_;
    }

  private:
    fmatch_random *random_;
};

/** Receives the library's messages; level is an fmatch_log_level. Any thread may call it.
 */
typedef std::function<void(std::int32_t level, const char *message)> log_function;

/** What an executor is to run, for each index once. A view, valid until the executor
 * returns. */
class task
{
  public:
    task(void (*run)(void *argument, std::int64_t index), void *argument) noexcept
        : run_(run), argument_(argument)
    {
    }

    void operator()(std::int64_t index) const
    {
        run_(argument_, index);
    }

  private:
    void (*run_)(void *argument, std::int64_t index);
    void *argument_;
};

/**
 * Runs task(0) to task(tasks - 1), each once, in any order and on any threads, and returns
 * when all of them have returned. May be called from any thread that uses the context, also
 * while it runs. What it throws comes out of the call on the context, whose results are
 * then of no use.
 */
typedef std::function<void(std::int64_t tasks, task run)> executor_function;

/** How the library was built, and what it found. */
struct build_info : fmatch_build_info {
    build_info() : fmatch_build_info()
    {
        struct_size = sizeof(fmatch_build_info);
        fmatch_build_get_info(this);
    }
};

/** Threads of the BLAS, for the whole process; the library never changes them by itself. */
inline void set_blas_threads(std::int32_t threads)
{
    detail::check(fmatch_blas_set_threads(threads));
}

/** Fills x [n, dim] with rows first_row to first_row + n - 1. */
typedef std::function<void(generator &random, std::int64_t first_row, std::int64_t n, float *x)>
    draw_function;

/** The same with condition [n, condition_dim] and weight [n], each NULL where it is not
 * wanted. */
typedef std::function<void(generator &random, std::int64_t first_row, std::int64_t n, float *x,
                           float *condition, float *weight)>
    draw_rows_function;

/** Writes v [n, dim] for x [n, dim] at times t [n]. Any thread that uses the model may call
 * it. */
typedef std::function<void(std::int64_t n, const float *x, const float *t, float *v)>
    velocity_function;

/**
 * Writes v [n, dim] under conditions [n, condition_dim], which are nullptr for the null
 * condition.
 */
typedef std::function<void(std::int64_t n, const float *x, const float *t, const float *condition,
                           float *v)>
    conditional_velocity_function;

/** The same with a direction u [n, dim] of each row, and writes (dv/dx) u [n, dim] beside v. */
typedef std::function<void(std::int64_t n, const float *x, const float *t, const float *condition,
                           const float *u, float *v, float *ju)>
    jacobian_vector_function;

/** Is told how training goes, and returns true to stop it. */
typedef std::function<bool(const fmatch_progress_info &info)> progress_function;

/** Memory, log and processor of what is created from it. Thread-safe. */
class context : public detail::owner<fmatch_context, fmatch_context_destroy>
{
  public:
    explicit context(const context_config &config = context_config())
    {
        detail::check(fmatch_context_create(out(), &config));
    }

    /** With the host's own threads, instead of config.executor: see executor_function. */
    static context with_executor(executor_function run,
                                 const context_config &config = context_config())
    {
        return context(std::move(run), config, executor_tag());
    }

    /** With a function for messages, instead of config.log. */
    explicit context(log_function log, const context_config &config = context_config())
    {
        fmatch_log_sink sink = fmatch_log_sink();
        sink.struct_size = sizeof sink;
        sink.write = write;
        sink.destroy = detail::delete_user<log_function>;
        context_config with_sink(config);
        with_sink.log = &sink;
        sink.user = new log_function(std::move(log));
        detail::check(fmatch_context_create(out(), &with_sink));
    }

    std::int32_t threads() const noexcept
    {
        return fmatch_context_get_threads(get());
    }

    std::int32_t instruction_set() const noexcept
    {
        return fmatch_context_get_instruction_set(get());
    }

  private:
    struct executor_tag {
    };

    context(executor_function run, const context_config &config, executor_tag)
    {
        fmatch_executor executor = fmatch_executor();
        executor.struct_size = sizeof executor;
        executor.run = run_tasks;
        executor.destroy = detail::delete_user<executor_function>;
        context_config with_executor(config);
        with_executor.executor = &executor;
        executor.user = new executor_function(std::move(run));
        detail::check(fmatch_context_create(out(), &with_executor));
    }

    static void run_tasks(void *user, std::int64_t tasks, void (*run)(void *, std::int64_t),
                          void *argument)
    {
        detail::guarded([&]() -> std::int32_t {
            (*static_cast<executor_function *>(user))(tasks, task(run, argument));
            return 0;
        });
    }

    static void write(void *user, std::int32_t level, const char *message)
    {
        detail::guarded([&]() -> std::int32_t {
            (*static_cast<log_function *>(user))(level, message);
            return 0;
        });
    }
};

/** Where rows come from: noise or target. Immutable and thread-safe. */
class source : public detail::owner<fmatch_source, fmatch_source_destroy>
{
  public:
    /** N(0, I). */
    static source normal(const context &parent, std::int32_t dim)
    {
        source made;
        detail::check(fmatch_source_create_normal(made.out(), parent.get(), dim));
        return made;
    }

    /** weights [K], means [K, dim], stds [K, dim]. */
    static source gaussian_mixture(const context &parent, std::int32_t dim,
                                   const std::vector<float> &weights,
                                   const std::vector<float> &means, const std::vector<float> &stds)
    {
        const std::int64_t components = static_cast<std::int64_t>(weights.size());
        if (dim >= 1) {
            detail::check_size("means", means.size(), components * dim);
            detail::check_size("stds", stds.size(), components * dim);
        }
        source made;
        detail::check(fmatch_source_create_gaussian_mixture(
            made.out(), parent.get(), dim, static_cast<std::int32_t>(components), weights.data(),
            means.data(), stds.data()));
        return made;
    }

    /** The rows [n, dim] of a vector, which the source keeps: move it in, and nothing is
     * copied. */
    static source array(const context &parent, std::int32_t dim, std::vector<float> rows,
                        std::int32_t order = FMATCH_ORDER_SHUFFLED)
    {
        fmatch_array_config config;
        fmatch_array_config_init(&config);
        config.dim = dim;
        config.n = detail::rows_in("rows", rows.size(), dim);
        config.memory = FMATCH_MEMORY_BORROW;
        config.order = order;
        std::unique_ptr<std::vector<float>> kept(new std::vector<float>(std::move(rows)));
        config.rows = kept->data();
        config.destroy = detail::delete_user<std::vector<float>>;
        config.user = kept.release();
        return array(parent, config);
    }

    static source array(const context &parent, const fmatch_array_config &config)
    {
        source made;
        detail::check(fmatch_source_create_array(made.out(), parent.get(), &config));
        return made;
    }

    /** Rows [n, dim] with conditions [n, condition_dim] and weights [n], both copied;
     * empty: none.
     */
    static source array(const context &parent, std::int32_t dim, const std::vector<float> &rows,
                        std::int32_t condition_dim, const std::vector<float> &conditions,
                        const std::vector<float> &weights = std::vector<float>(),
                        std::int32_t order = FMATCH_ORDER_SHUFFLED)
    {
        array_config config;
        config.dim = dim;
        config.n = detail::rows_in("rows", rows.size(), dim);
        config.rows = rows.data();
        config.order = order;
        config.condition_dim = condition_dim;
        if (condition_dim > 0 || !conditions.empty()) {
            detail::check_size("conditions", conditions.size(), config.n * condition_dim);
            config.conditions = conditions.data();
        }
        if (!weights.empty()) {
            detail::check_size("weights", weights.size(), config.n);
            config.weights = weights.data();
        }
        return array(parent, config);
    }

    static source csv(const context &parent, const std::string &path,
                      std::int32_t order = FMATCH_ORDER_SHUFFLED)
    {
        csv_config config;
        config.order = order;
        return csv(parent, path, config);
    }

    static source csv(const context &parent, const std::string &path,
                      const fmatch_csv_config &config)
    {
        source made;
        detail::check(fmatch_source_create_csv(made.out(), parent.get(), path.c_str(), &config));
        return made;
    }

    /** A file that numpy.save wrote, mapped into memory. */
    static source npy(const context &parent, const std::string &path,
                      const fmatch_npy_config &config = npy_config())
    {
        source made;
        detail::check(fmatch_source_create_npy(made.out(), parent.get(), path.c_str(), &config));
        return made;
    }

    /** A distribution of two columns that the literature plays with. */
    static source toy(const context &parent, const fmatch_toy_config &config)
    {
        source made;
        detail::check(fmatch_source_create_toy(made.out(), parent.get(), &config));
        return made;
    }

    /** The function lives as long as anything that draws from the source. */
    static source callback(const context &parent, std::int32_t dim, draw_function draw)
    {
        fmatch_source_callbacks callbacks = fmatch_source_callbacks();
        callbacks.struct_size = sizeof callbacks;
        callbacks.draw = draw_x;
        callbacks.destroy = detail::delete_user<draw_function>;
        callbacks.user = new draw_function(std::move(draw));
        source made;
        detail::check(fmatch_source_create_callback(made.out(), parent.get(), dim, &callbacks));
        return made;
    }

    /** Rows with a condition of condition_dim columns, 0 for none, and with weights if so.
     */
    static source callback(const context &parent, std::int32_t dim, std::int32_t condition_dim,
                           bool weighted, draw_rows_function draw)
    {
        fmatch_source_callbacks callbacks = fmatch_source_callbacks();
        callbacks.struct_size = sizeof callbacks;
        callbacks.draw_rows = draw_joint;
        callbacks.condition_dim = condition_dim;
        callbacks.weighted = weighted ? 1 : 0;
        callbacks.destroy = detail::delete_user<draw_rows_function>;
        callbacks.user = new draw_rows_function(std::move(draw));
        source made;
        detail::check(fmatch_source_create_callback(made.out(), parent.get(), dim, &callbacks));
        return made;
    }

    std::int32_t dim() const noexcept
    {
        return fmatch_source_get_dim(get());
    }

    /** Columns of a row's condition; 0 without. */
    std::int32_t condition_dim() const noexcept
    {
        return fmatch_source_get_condition_dim(get());
    }

    /** Whether rows have weights of their own; else each weighs 1. */
    bool weighted() const noexcept
    {
        return fmatch_source_get_weighted(get()) != 0;
    }

    /** Rows that the source stores; 0 for a distribution. */
    std::int64_t count_rows() const noexcept
    {
        return fmatch_source_count_rows(get());
    }

    void get_rows(std::int64_t first_row, std::int64_t n, float *x) const
    {
        detail::check(fmatch_source_get_rows(get(), first_row, n, x));
    }

    std::vector<float> get_rows(std::int64_t first_row, std::int64_t n) const
    {
        std::vector<float> x = detail::room<float>(n, dim());
        get_rows(first_row, n, x.data());
        return x;
    }

    /** [n, condition_dim] of stored rows. */
    std::vector<float> get_conditions(std::int64_t first_row, std::int64_t n) const
    {
        std::vector<float> condition = detail::room<float>(n, condition_dim());
        detail::check(fmatch_source_get_conditions(get(), first_row, n, condition.data()));
        return condition;
    }

    /** [n] of stored rows; 1 each where they have none. */
    std::vector<float> get_weights(std::int64_t first_row, std::int64_t n) const
    {
        std::vector<float> weight = detail::room<float>(n, 1);
        detail::check(fmatch_source_get_weights(get(), first_row, n, weight.data()));
        return weight;
    }

    /** Rows and what belongs to each. */
    struct rows {
        std::vector<float> x, condition, weight;
    };

    rows draw_rows(std::uint64_t seed, std::int64_t first_row, std::int64_t n) const
    {
        rows drawn = {detail::room<float>(n, dim()), detail::room<float>(n, condition_dim()),
                      detail::room<float>(n, 1)};
        detail::check(fmatch_source_draw_rows(get(), seed, first_row, n, drawn.x.data(),
                                              drawn.condition.data(), drawn.weight.data()));
        return drawn;
    }

    /** Logarithm of the density at x [n, dim], of a distribution that has one in closed
     * form. */
    std::vector<double> evaluate_log_density(const std::vector<float> &x) const
    {
        const std::int64_t n = detail::rows_in("x", x.size(), dim());
        std::vector<double> log_density = detail::room<double>(n, 1);
        detail::check(fmatch_source_evaluate_log_density(get(), n, x.data(), log_density.data()));
        return log_density;
    }

    void draw(std::uint64_t seed, std::int64_t first_row, std::int64_t n, float *x) const
    {
        detail::check(fmatch_source_draw(get(), seed, first_row, n, x));
    }

    std::vector<float> draw(std::uint64_t seed, std::int64_t first_row, std::int64_t n) const
    {
        std::vector<float> x = detail::room<float>(n, dim());
        draw(seed, first_row, n, x.data());
        return x;
    }

    struct moments {
        std::vector<float> mean, deviation;
    };

    /** Mean and standard deviation of each column. */
    moments evaluate_moments() const
    {
        moments m = {detail::room<float>(dim(), 1), detail::room<float>(dim(), 1)};
        detail::check(fmatch_source_evaluate_moments(get(), m.mean.data(), m.deviation.data()));
        return m;
    }

  private:
    friend class model; /* whose noise is one */

    source() noexcept
    {
    }

    static std::int32_t draw_joint(void *user, fmatch_random *random, std::int64_t first_row,
                                   std::int64_t n, float *x, float *condition, float *weight)
    {
        return detail::guarded([&]() -> std::int32_t {
            generator lent(random);
            (*static_cast<draw_rows_function *>(user))(lent, first_row, n, x, condition, weight);
            return 0;
        });
    }

    static std::int32_t draw_x(void *user, fmatch_random *random, std::int64_t first_row,
                               std::int64_t n, float *x)
    {
        return detail::guarded([&]() -> std::int32_t {
            generator lent(random);
            (*static_cast<draw_function *>(user))(lent, first_row, n, x);
            return 0;
        });
    }
};

/** A velocity field v(x, t) and its noise. Thread-safe. */
class model : public detail::owner<fmatch_model, fmatch_model_destroy>
{
  public:
    static model mlp(const context &parent, const fmatch_mlp_config &config)
    {
        model made;
        detail::check(fmatch_model_create_mlp(made.out(), parent.get(), &config));
        return made;
    }

    /** The exact field from N(0, I) to a Gaussian mixture. */
    static model closed_form(const context &parent, const source &target)
    {
        model made;
        detail::check(fmatch_model_create_closed_form(made.out(), parent.get(), target.get()));
        return made;
    }

    /** Another model's velocity, moved to the path of another schedule. */
    static model rescheduled(const model &original, const fmatch_path_config &path)
    {
        model made;
        detail::check(fmatch_model_create_rescheduled(made.out(), original.get(), &path));
        return made;
    }

    /** From N(0, I). The function lives as long as anything that evaluates the model. */
    static model callback(const context &parent, std::int32_t dim, velocity_function velocity)
    {
        return callback(parent, dim, std::move(velocity), nullptr);
    }

    static model callback(const context &parent, std::int32_t dim, velocity_function velocity,
                          const source &noise)
    {
        return callback(parent, dim, std::move(velocity), noise.get());
    }

    /**
     * The same with conditions of condition_dim columns, of none for 0; from N(0, I) without a
     * noise. Without a jacobian_vector divergences are had by differences.
     */
    static model
    conditional_callback(const context &parent, std::int32_t dim, std::int32_t condition_dim,
                         bool null_condition, conditional_velocity_function velocity,
                         const source *noise = nullptr,
                         jacobian_vector_function jacobian_vector = jacobian_vector_function())
    {
        fmatch_velocity_callbacks callbacks = fmatch_velocity_callbacks();
        callbacks.struct_size = sizeof callbacks;
        callbacks.evaluate = evaluate_conditional_rows;
        callbacks.jacobian_vector = jacobian_vector ? differentiate_rows : nullptr;
        callbacks.destroy = detail::delete_user<conditional_functions>;
        callbacks.user = new conditional_functions{std::move(velocity), std::move(jacobian_vector)};
        callbacks.condition_dim = condition_dim;
        callbacks.null_condition =
            null_condition ? FMATCH_NULL_CONDITION_ACCEPTED : FMATCH_NULL_CONDITION_REFUSED;
        model made;
        detail::check(fmatch_model_create_callback(made.out(), parent.get(), dim, &callbacks,
                                                   noise ? noise->get() : nullptr));
        return made;
    }

    /** The model of a file that save() wrote. */
    static model load(const context &parent, const std::string &path)
    {
        model made;
        detail::check(fmatch_model_load(made.out(), parent.get(), path.c_str()));
        return made;
    }

    void save(const std::string &path) const
    {
        detail::check(fmatch_model_save(get(), path.c_str()));
    }

    /** Parameters from a safetensors file; "net." of the names is `prefix` in the file. */
    void load_tensors(const std::string &path, const std::string &prefix = "net.",
                      const std::map<std::string, std::string> &file_name_of =
                          std::map<std::string, std::string>())
    {
        std::vector<const char *> ours, theirs;
        for (const std::pair<const std::string, std::string> &entry : file_name_of) {
            ours.push_back(entry.first.c_str());
            theirs.push_back(entry.second.c_str());
        }
        fmatch_tensor_map map = fmatch_tensor_map();
        map.struct_size = sizeof map;
        map.renamed = static_cast<std::int32_t>(ours.size());
        map.prefix = prefix.c_str();
        map.model_names = ours.data();
        map.file_names = theirs.data();
        detail::check(fmatch_model_load_tensors(get(), path.c_str(), &map));
    }

    /** An independent model with the present parameters. */
    model copy() const
    {
        model made;
        detail::check(fmatch_model_create_copy(made.out(), get()));
        return made;
    }

    std::int32_t dim() const noexcept
    {
        return fmatch_model_get_dim(get());
    }

    /** What samples begin with, in the units of the data. */
    source get_noise() const
    {
        source got;
        detail::check(fmatch_model_get_noise(get(), got.out()));
        return got;
    }

    /** Columns of a condition; 0 for a model without. */
    std::int32_t condition_dim() const noexcept
    {
        return fmatch_model_get_condition_dim(get());
    }

    /** Labels that the first column of a condition may hold; 0 if it is no label. */
    std::int32_t count_classes() const noexcept
    {
        return fmatch_model_count_classes(get());
    }

    /** v [n, dim] for x [n, dim] at times t [n], under conditions [n, condition_dim]. */
    void evaluate(std::int64_t n, const float *x, const float *t, float *v,
                  const float *condition = nullptr) const
    {
        detail::check(fmatch_model_evaluate(get(), n, x, t, condition, v));
    }

    /** An empty condition is none, or the null condition of all rows. */
    std::vector<float> evaluate(const std::vector<float> &x, const std::vector<float> &t,
                                const std::vector<float> &condition = std::vector<float>()) const
    {
        std::vector<float> v = detail::room<float>(rows_of(x, t), dim());
        evaluate(rows_of(x, t), x.data(), t.data(), v.data(),
                 detail::conditions_in(condition, rows_of(x, t), condition_dim()));
        return v;
    }

    /**
     * The divergence [n] of v, the trace of dv/dx, exactly without a configuration; v [n, dim] and
     * standard_error [n] where they are not null.
     */
    void evaluate_divergence(std::int64_t n, const float *x, const float *t, double *divergence,
                             const fmatch_divergence_config *config = nullptr,
                             const float *condition = nullptr, std::int64_t first_row = 0,
                             float *v = nullptr, double *standard_error = nullptr) const
    {
        detail::check(fmatch_model_evaluate_divergence(get(), config, n, x, t, condition, first_row,
                                                       v, divergence, standard_error));
    }

    std::vector<double>
    evaluate_divergence(const std::vector<float> &x, const std::vector<float> &t,
                        const fmatch_divergence_config *config = nullptr,
                        const std::vector<float> &condition = std::vector<float>()) const
    {
        std::vector<double> values = detail::room<double>(rows_of(x, t), 1);
        evaluate_divergence(rows_of(x, t), x.data(), t.data(), values.data(), config,
                            detail::conditions_in(condition, rows_of(x, t), condition_dim()));
        return values;
    }

    /** The gradient [n, dim] of log p_t(x) that the velocity means. */
    std::vector<float>
    evaluate_score(const std::vector<float> &x, const std::vector<float> &t,
                   const std::vector<float> &condition = std::vector<float>()) const
    {
        std::vector<float> score = detail::room<float>(rows_of(x, t), dim());
        detail::check(fmatch_model_evaluate_score(
            get(), rows_of(x, t), x.data(), t.data(),
            detail::conditions_in(condition, rows_of(x, t), condition_dim()), score.data()));
        return score;
    }

    /** log p_t(x) [n] of a closed-form model. */
    void evaluate_log_density(std::int64_t n, const float *x, const float *t,
                              double *log_density) const
    {
        detail::check(fmatch_model_evaluate_log_density(get(), n, x, t, log_density));
    }

    std::vector<double> evaluate_log_density(const std::vector<float> &x,
                                             const std::vector<float> &t) const
    {
        std::vector<double> values = detail::room<double>(rows_of(x, t), 1);
        evaluate_log_density(rows_of(x, t), x.data(), t.data(), values.data());
        return values;
    }

    /** p_t(x) [n] of a closed-form model. */
    void evaluate_density(std::int64_t n, const float *x, const float *t, double *density) const
    {
        detail::check(fmatch_model_evaluate_density(get(), n, x, t, density));
    }

    std::vector<double> evaluate_density(const std::vector<float> &x,
                                         const std::vector<float> &t) const
    {
        std::vector<double> values = detail::room<double>(rows_of(x, t), 1);
        evaluate_density(rows_of(x, t), x.data(), t.data(), values.data());
        return values;
    }

    /** The loss that no network can go below; of a closed-form model. */
    double evaluate_irreducible_loss(double *standard_error = nullptr) const
    {
        double loss = 0;
        detail::check(fmatch_model_evaluate_irreducible_loss(get(), &loss, standard_error));
        return loss;
    }

    /** A named array of parameters. */
    struct tensor {
        std::string name;
        std::vector<std::int64_t> shape; /**< {out, in} for a weight, {out} for a bias */

        std::int64_t count() const
        {
            std::int64_t product = 1;
            for (std::int64_t size : shape)
                product *= size;
            return product;
        }
    };

    std::int64_t count_parameters() const noexcept
    {
        return fmatch_model_count_parameters(get());
    }

    /** Names and shapes of all arrays of parameters. */
    std::vector<tensor> tensors() const
    {
        std::vector<tensor> all;
        for (std::int32_t i = 0; i < fmatch_model_count_tensors(get()); i++) {
            fmatch_tensor_info info = fmatch_tensor_info();
            info.struct_size = sizeof info;
            detail::check(fmatch_model_get_tensor_info(get(), i, &info));
            tensor one;
            one.name = info.name;
            one.shape.assign(info.shape, info.shape + info.rank);
            all.push_back(std::move(one));
        }
        return all;
    }

    std::vector<float> get_tensor(const std::string &name) const
    {
        std::vector<float> values = detail::room<float>(count_of(name), 1);
        detail::check(fmatch_model_get_tensor(
            get(), name.c_str(), static_cast<std::int64_t>(values.size()), values.data()));
        return values;
    }

    void set_tensor(const std::string &name, const std::vector<float> &values)
    {
        detail::check(fmatch_model_set_tensor(
            get(), name.c_str(), static_cast<std::int64_t>(values.size()), values.data()));
    }

  private:
    struct conditional_functions {
        conditional_velocity_function velocity;
        jacobian_vector_function jacobian_vector;
    };

    model() noexcept
    {
    }

    static model callback(const context &parent, std::int32_t dim, velocity_function velocity,
                          const fmatch_source *noise)
    {
        fmatch_velocity_callbacks callbacks = fmatch_velocity_callbacks();
        callbacks.struct_size = sizeof callbacks;
        callbacks.evaluate = evaluate_rows;
        callbacks.destroy = detail::delete_user<velocity_function>;
        callbacks.user = new velocity_function(std::move(velocity));
        model made;
        detail::check(
            fmatch_model_create_callback(made.out(), parent.get(), dim, &callbacks, noise));
        return made;
    }

    static std::int32_t evaluate_rows(void *user, std::int64_t n, const float *x, const float *t,
                                      const float *, float *v)
    {
        return detail::guarded([&]() -> std::int32_t {
            (*static_cast<velocity_function *>(user))(n, x, t, v);
            return 0;
        });
    }

    static std::int32_t evaluate_conditional_rows(void *user, std::int64_t n, const float *x,
                                                  const float *t, const float *condition, float *v)
    {
        return detail::guarded([&]() -> std::int32_t {
            static_cast<conditional_functions *>(user)->velocity(n, x, t, condition, v);
            return 0;
        });
    }

    static std::int32_t differentiate_rows(void *user, std::int64_t n, const float *x,
                                           const float *t, const float *condition, const float *u,
                                           float *v, float *ju)
    {
        return detail::guarded([&]() -> std::int32_t {
            static_cast<conditional_functions *>(user)->jacobian_vector(n, x, t, condition, u, v,
                                                                        ju);
            return 0;
        });
    }

    std::int64_t rows_of(const std::vector<float> &x, const std::vector<float> &t) const
    {
        const std::int64_t n = static_cast<std::int64_t>(t.size());
        detail::check_size("x", x.size(), n * dim());
        return n;
    }

    /** 0 for a name that the model does not have, which the library refuses by name. */
    std::int64_t count_of(const std::string &name) const
    {
        for (const tensor &one : tensors())
            if (one.name == name)
                return one.count();
        return 0;
    }
};

/** How a gradient changes the parameters; belongs to one trainer. */
class optimizer : public detail::owner<fmatch_optimizer, fmatch_optimizer_destroy>
{
  public:
    static optimizer adam(const context &parent, const fmatch_adam_config &config = adam_config())
    {
        optimizer made;
        detail::check(fmatch_optimizer_create_adam(made.out(), parent.get(), &config));
        return made;
    }

    static optimizer sgd(const context &parent, const fmatch_sgd_config &config = sgd_config())
    {
        optimizer made;
        detail::check(fmatch_optimizer_create_sgd(made.out(), parent.get(), &config));
        return made;
    }

    double learning_rate() const noexcept
    {
        return fmatch_optimizer_get_learning_rate(get());
    }

    void set_learning_rate(double rate)
    {
        detail::check(fmatch_optimizer_set_learning_rate(get(), rate));
    }

  private:
    optimizer() noexcept
    {
    }
};

/** Fits a model's velocity to pairs of noise and data. One thread at a time. */
class trainer : public detail::owner<fmatch_trainer, fmatch_trainer_destroy>
{
  public:
    trainer(const model &network, const optimizer &rule, const source &target,
            const fmatch_trainer_config &config = trainer_config())
    {
        detail::check(
            fmatch_trainer_create(out(), network.get(), rule.get(), target.get(), &config));
    }

    /** Without a target: for run_batch alone. */
    trainer(const model &network, const optimizer &rule,
            const fmatch_trainer_config &config = trainer_config())
    {
        detail::check(fmatch_trainer_create(out(), network.get(), rule.get(), nullptr, &config));
    }

    /**
     * Train, and publish the parameters to the model.
     *
     * @param steps     to take.
     * @param progress  called every `every` steps, and after the last; may be empty. 0:
     * about a hundred times.
     *
     * @return false if progress asked to stop; the steps until then are kept.
     */
    bool run(std::int64_t steps, const progress_function &progress = progress_function(),
             std::int64_t every = 0)
    {
        fmatch_progress reports = fmatch_progress();
        reports.struct_size = sizeof reports;
        reports.every = every;
        reports.report = report;
        reports.user = const_cast<progress_function *>(&progress);
        const fmatch_status status =
            fmatch_trainer_run(get(), steps, progress ? &reports : nullptr);
        detail::check(status == FMATCH_ERROR_CANCELLED ? static_cast<fmatch_status>(FMATCH_OK)
                                                       : status);
        return status == FMATCH_OK;
    }

    /** One step on the caller's own rows; the loss before it. */
    double run_batch(const fmatch_batch &rows)
    {
        double loss = 0;
        detail::check(fmatch_trainer_run_batch(get(), &rows, &loss));
        return loss;
    }

    /** Loss and gradient on the caller's own rows, without a step. */
    double evaluate_batch(const fmatch_batch &rows)
    {
        double loss = 0;
        detail::check(fmatch_trainer_evaluate_batch(get(), &rows, &loss));
        return loss;
    }

    /** Gradient of the last batch; `shape` is one of the model's tensors(). */
    std::vector<float> get_gradient(const model::tensor &shape) const
    {
        std::vector<float> values = detail::room<float>(shape.count(), 1);
        detail::check(
            fmatch_trainer_get_gradient(get(), shape.name.c_str(), shape.count(), values.data()));
        return values;
    }

    /** Loss of the average, or without one of the present parameters, on n fixed draws. */
    double evaluate(std::uint64_t seed, std::int64_t n)
    {
        double loss = 0;
        detail::check(fmatch_trainer_evaluate(get(), seed, n, &loss));
        return loss;
    }

    std::int64_t count_steps() const noexcept
    {
        return fmatch_trainer_count_steps(get());
    }

    std::vector<double> get_losses(std::int64_t first, std::int64_t n) const
    {
        std::vector<double> values = detail::room<double>(n, 1);
        detail::check(fmatch_trainer_get_losses(get(), first, n, values.data()));
        return values;
    }

    /** Write a checkpoint: all that training has reached. */
    void save(const std::string &path)
    {
        detail::check(fmatch_trainer_save(get(), path.c_str()));
    }

    /** Go on from a checkpoint of a trainer that was created as this one. */
    void load(const std::string &path)
    {
        detail::check(fmatch_trainer_load(get(), path.c_str()));
    }

    /** The loss of every step so far. */
    std::vector<double> get_losses() const
    {
        return get_losses(0, count_steps());
    }

    /** Where the training stands. */
    fmatch_trainer_info get_info() const
    {
        fmatch_trainer_info info = fmatch_trainer_info();
        info.struct_size = sizeof info;
        detail::check(fmatch_trainer_get_info(get(), &info));
        return info;
    }

    /** What became of every step, as a file. */
    void save_history(const std::string &path,
                      fmatch_history_format format = FMATCH_HISTORY_CSV) const
    {
        detail::check(fmatch_trainer_save_history(get(), path.c_str(), format));
    }

  private:
    static std::int32_t report(void *user, const fmatch_progress_info *info)
    {
        return detail::guarded([&]() -> std::int32_t {
            return (*static_cast<const progress_function *>(user))(*info) ? 1 : 0;
        });
    }
};

/** Integrates dx/dt = v(x, t). One thread at a time; any number may share a model. */
class sampler : public detail::owner<fmatch_sampler, fmatch_sampler_destroy>
{
  public:
    explicit sampler(const model &field, const fmatch_sampler_config &config = sampler_config())
        : dim_(field.dim()), condition_dim_(field.condition_dim())
    {
        detail::check(fmatch_sampler_create(out(), field.get(), &config));
    }

    /** n samples, x [n, dim], under conditions [n, condition_dim]. */
    void draw(std::uint64_t seed, std::int64_t first_row, std::int64_t n, float *x,
              const float *condition = nullptr)
    {
        detail::check(fmatch_sampler_draw(get(), seed, first_row, n, condition, x));
    }

    /** Here and below, an empty condition is none, or the null condition of all rows. */
    std::vector<float> draw(std::uint64_t seed, std::int64_t first_row, std::int64_t n,
                            const std::vector<float> &condition = std::vector<float>())
    {
        std::vector<float> x = detail::room<float>(n, dim_);
        draw(seed, first_row, n, x.data(), conditions(condition, n));
        return x;
    }

    /** As draw, keeping every time of get_times: [count_times, n, dim]. */
    void draw_trajectory(std::uint64_t seed, std::int64_t first_row, std::int64_t n,
                         float *trajectory, const float *condition = nullptr)
    {
        detail::check(
            fmatch_sampler_draw_trajectory(get(), seed, first_row, n, condition, trajectory));
    }

    std::vector<float> draw_trajectory(std::uint64_t seed, std::int64_t first_row, std::int64_t n,
                                       const std::vector<float> &condition = std::vector<float>())
    {
        std::vector<float> trajectory = detail::room<float>(n, dim_ * count_times());
        draw_trajectory(seed, first_row, n, trajectory.data(), conditions(condition, n));
        return trajectory;
    }

    /** As draw, with coordinates that are given: known [n, dim], and a mask [n, dim] or those of
     * known that are not nan. */
    void draw_inpainted(std::uint64_t seed, std::int64_t first_row, std::int64_t n,
                        const float *known, const float *mask, float *x,
                        const float *condition = nullptr)
    {
        detail::check(
            fmatch_sampler_draw_inpainted(get(), seed, first_row, n, condition, known, mask, x));
    }

    std::vector<float> draw_inpainted(std::uint64_t seed, std::int64_t first_row,
                                      const std::vector<float> &known,
                                      const std::vector<float> &condition = std::vector<float>())
    {
        const std::int64_t n = detail::rows_in("known", known.size(), dim_);
        std::vector<float> x(known.size());
        draw_inpainted(seed, first_row, n, known.data(), nullptr, x.data(),
                       conditions(condition, n));
        return x;
    }

    /** As integrate, with noise along the way of (seed, first_row + i). */
    void integrate_stochastic(std::uint64_t seed, std::int64_t first_row, std::int64_t n,
                              const float *x_start, float *x_end, const float *condition = nullptr)
    {
        detail::check(fmatch_sampler_integrate_stochastic(get(), seed, first_row, n, x_start,
                                                          condition, x_end));
    }

    std::vector<float>
    integrate_stochastic(std::uint64_t seed, std::int64_t first_row,
                         const std::vector<float> &x_start,
                         const std::vector<float> &condition = std::vector<float>())
    {
        const std::int64_t n = detail::rows_in("x_start", x_start.size(), dim_);
        std::vector<float> x_end(x_start.size());
        integrate_stochastic(seed, first_row, n, x_start.data(), x_end.data(),
                             conditions(condition, n));
        return x_end;
    }

    /** x_end [n, dim] for x_start [n, dim], which may be the same array. */
    void integrate(std::int64_t n, const float *x_start, float *x_end,
                   const float *condition = nullptr)
    {
        detail::check(fmatch_sampler_integrate(get(), n, x_start, condition, x_end));
    }

    std::vector<float> integrate(const std::vector<float> &x_start,
                                 const std::vector<float> &condition = std::vector<float>())
    {
        const std::int64_t n = detail::rows_in("x_start", x_start.size(), dim_);
        std::vector<float> x_end(x_start.size());
        integrate(n, x_start.data(), x_end.data(), conditions(condition, n));
        return x_end;
    }

    /** As integrate, keeping every time of get_times: [count_times, n, dim]. */
    void integrate_trajectory(std::int64_t n, const float *x_start, float *trajectory,
                              const float *condition = nullptr)
    {
        detail::check(
            fmatch_sampler_integrate_trajectory(get(), n, x_start, condition, trajectory));
    }

    std::vector<float>
    integrate_trajectory(const std::vector<float> &x_start,
                         const std::vector<float> &condition = std::vector<float>())
    {
        const std::int64_t n = detail::rows_in("x_start", x_start.size(), dim_);
        std::vector<float> trajectory = detail::room<float>(n, dim_ * count_times());
        integrate_trajectory(n, x_start.data(), trajectory.data(), conditions(condition, n));
        return trajectory;
    }

    std::int64_t count_times() const noexcept
    {
        return fmatch_sampler_count_times(get());
    }

    /** Times of a trajectory. */
    std::vector<double> get_times() const
    {
        std::vector<double> times = detail::room<double>(count_times(), 1);
        detail::check(fmatch_sampler_get_times(get(), times.data()));
        return times;
    }

    /** Evaluations of the field that a row costs; of an adaptive solver, cost in the last call. */
    std::int64_t count_evaluations() const noexcept
    {
        return fmatch_sampler_count_evaluations(get());
    }

    /** What the last call took. */
    fmatch_sampler_info get_info() const
    {
        fmatch_sampler_info info = fmatch_sampler_info();
        info.struct_size = sizeof info;
        detail::check(fmatch_sampler_get_info(get(), &info));
        return info;
    }

    /** What rows first to first + n - 1 of it took, into arrays that may be missing. */
    void get_rows(std::int64_t first, std::int64_t n, fmatch_sampler_rows rows) const
    {
        rows.struct_size = sizeof rows;
        detail::check(fmatch_sampler_get_rows(get(), first, n, &rows));
    }

  private:
    const float *conditions(const std::vector<float> &condition, std::int64_t n) const
    {
        return detail::conditions_in(condition, n, condition_dim_);
    }

    std::int32_t dim_, condition_dim_;
};

/** Samples, and their log-density. */
struct weighed_samples {
    std::vector<float> x;            /**< [n, dim] */
    std::vector<double> log_density; /**< [n] */
};

/**
 * log p_t(x) [n] of points x [n, dim]; the error of the mean over the probes [n], and the noise x0
 * [n, dim] that becomes x, where they are not null.
 */
inline void evaluate_log_density(const model &field, std::int64_t n, const float *x,
                                 double *log_density, const fmatch_likelihood_config &config,
                                 const float *condition = nullptr, std::int64_t first_row = 0,
                                 double *standard_error = nullptr, float *x0 = nullptr)
{
    detail::check(fmatch_likelihood_evaluate(field.get(), &config, n, x, condition, first_row,
                                             log_density, standard_error, x0));
}

/** An empty condition is none, or the null condition of all rows. */
inline std::vector<double>
evaluate_log_density(const model &field, const std::vector<float> &x,
                     const fmatch_likelihood_config &config = likelihood_config(),
                     const std::vector<float> &condition = std::vector<float>())
{
    const std::int64_t n = detail::rows_in("x", x.size(), field.dim());
    std::vector<double> values = detail::room<double>(n, 1);
    evaluate_log_density(field, n, x.data(), values.data(), config,
                         detail::conditions_in(condition, n, field.condition_dim()));
    return values;
}

/** n samples x [n, dim] at config.t, with their log-density [n]; standard_error as above. */
inline void draw_with_log_density(const model &field, std::uint64_t seed, std::int64_t first_row,
                                  std::int64_t n, float *x, double *log_density,
                                  const fmatch_likelihood_config &config,
                                  const float *condition = nullptr,
                                  double *standard_error = nullptr)
{
    detail::check(fmatch_likelihood_draw(field.get(), &config, seed, first_row, n, condition, x,
                                         log_density, standard_error));
}

inline weighed_samples
draw_with_log_density(const model &field, std::uint64_t seed, std::int64_t first_row,
                      std::int64_t n, const fmatch_likelihood_config &config = likelihood_config(),
                      const std::vector<float> &condition = std::vector<float>())
{
    weighed_samples drawn;
    drawn.x = detail::room<float>(n, field.dim());
    drawn.log_density = detail::room<double>(n, 1);
    draw_with_log_density(field, seed, first_row, n, drawn.x.data(), drawn.log_density.data(),
                          config, detail::conditions_in(condition, n, field.condition_dim()));
    return drawn;
}

/** A point on a path, and the velocity there. */
struct path_point {
    std::vector<float> x_t, velocity; /**< [n, dim] each */
};

/** x_t and the velocity of pairs x0, x1 [n, dim] at times t [n]; z is the path's own noise.
 */
inline path_point evaluate_path(const fmatch_path_config &config, std::int32_t dim,
                                const std::vector<float> &x0, const std::vector<float> &x1,
                                const std::vector<float> &t,
                                const std::vector<float> &z = std::vector<float>())
{
    const std::int64_t n = static_cast<std::int64_t>(t.size());
    detail::check_size("x0", x0.size(), n * dim);
    detail::check_size("x1", x1.size(), n * dim);
    fmatch_path_rows rows = fmatch_path_rows();
    rows.struct_size = sizeof rows;
    rows.dim = dim;
    rows.n = n;
    rows.t = t.data();
    rows.x0 = x0.data();
    rows.x1 = x1.data();
    if (!z.empty()) {
        detail::check_size("z", z.size(), n * dim);
        rows.z = z.data();
    }
    path_point point = {detail::room<float>(n, dim), detail::room<float>(n, dim)};
    detail::check(fmatch_path_evaluate(&config, &rows, point.x_t.data(), point.velocity.data()));
    return point;
}

/** alpha, sigma and their derivatives with respect to t. */
struct schedule_values {
    std::vector<double> alpha, sigma, alpha_rate, sigma_rate;
};

inline schedule_values evaluate_schedule(const fmatch_path_config &config,
                                         const std::vector<double> &t)
{
    const std::int64_t n = static_cast<std::int64_t>(t.size());
    schedule_values v = {detail::room<double>(n, 1), detail::room<double>(n, 1),
                         detail::room<double>(n, 1), detail::room<double>(n, 1)};
    detail::check(fmatch_path_evaluate_schedule(&config, n, t.data(), v.alpha.data(),
                                                v.sigma.data(), v.alpha_rate.data(),
                                                v.sigma_rate.data()));
    return v;
}

/** Times at which alpha / sigma has given values. */
inline std::vector<double> evaluate_inverse_ratio(const fmatch_path_config &config,
                                                  const std::vector<double> &ratio)
{
    std::vector<double> t = detail::room<double>(static_cast<std::int64_t>(ratio.size()), 1);
    detail::check(fmatch_path_evaluate_inverse_ratio(
        &config, static_cast<std::int64_t>(ratio.size()), ratio.data(), t.data()));
    return t;
}

/** One prediction at x_t [n, dim] and t [n] as another; from and to are an
 * fmatch_prediction. */
inline std::vector<float> evaluate_prediction(const fmatch_path_config &config, std::int32_t from,
                                              std::int32_t to, std::int32_t dim,
                                              const std::vector<float> &t,
                                              const std::vector<float> &x_t,
                                              const std::vector<float> &given)
{
    const std::int64_t n = static_cast<std::int64_t>(t.size());
    detail::check_size("x_t", x_t.size(), n * dim);
    detail::check_size("given", given.size(), n * dim);
    std::vector<float> wanted = detail::room<float>(n, dim);
    detail::check(fmatch_path_evaluate_prediction(&config, from, to, dim, n, t.data(), x_t.data(),
                                                  given.data(), wanted.data()));
    return wanted;
}

/** Times [n] as a trainer would draw them. */
inline std::vector<float> draw_times(const context &parent, const fmatch_time_config &config,
                                     std::uint64_t seed, std::int64_t first_row, std::int64_t batch,
                                     std::int64_t n)
{
    std::vector<float> t = detail::room<float>(n, 1);
    detail::check(fmatch_time_draw(parent.get(), &config, seed, first_row, batch, n, t.data()));
    return t;
}

/** Factors [n] of the learning rate as a trainer of so many `steps` uses them. */
inline std::vector<double> evaluate_rate(const fmatch_rate_config &config, std::int64_t steps,
                                         std::int64_t first, std::int64_t n)
{
    std::vector<double> factors = detail::room<double>(n, 1);
    detail::check(fmatch_rate_evaluate(&config, steps, first, n, factors.data()));
    return factors;
}

/** Pair i is of noise row noise_row[i] and data row target_row[i]. */
struct coupled_pairs {
    std::vector<std::int32_t> noise_row, target_row;
    double cost; /**< mean squared distance of the pairs */
};

/** Pairs of rows as a trainer would make them. */
inline coupled_pairs solve_coupling(const context &parent, const fmatch_coupling_config &config,
                                    std::uint64_t seed, const fmatch_coupling_rows &rows)
{
    coupled_pairs pairs = {detail::room<std::int32_t>(rows.n, 1),
                           detail::room<std::int32_t>(rows.n, 1), 0};
    detail::check(fmatch_coupling_solve(parent.get(), &config, seed, &rows, pairs.noise_row.data(),
                                        pairs.target_row.data(), &pairs.cost));
    return pairs;
}

/** Energy distance between x [n, dim] and y [m, dim]. */
inline double energy_distance(std::int32_t dim, const std::vector<float> &x,
                              const std::vector<float> &y)
{
    double distance = 0;
    detail::check(fmatch_metrics_evaluate_energy_distance(
        dim, detail::rows_in("x", x.size(), dim), x.data(), detail::rows_in("y", y.size(), dim),
        y.data(), &distance));
    return distance;
}

/** Exact Wasserstein distance W2, not squared, or W1 of x and y, both [n, dim]. */
inline double wasserstein(const context &parent, std::int32_t dim, const std::vector<float> &x,
                          const std::vector<float> &y, int order = 2)
{
    if (order != 1 && order != 2)
        detail::fail(FMATCH_ERROR_ARGUMENT,
                     "order is " + std::to_string(order) + "; it must be 1 or 2");
    detail::check_size("y", y.size(), static_cast<std::int64_t>(x.size()));
    double distance = 0;
    detail::check(fmatch_metrics_evaluate_wasserstein(
        parent.get(), dim, detail::rows_in("x", x.size(), dim), x.data(), y.data(),
        order == 1 ? &distance : nullptr, order == 2 ? &distance : nullptr, nullptr));
    return distance;
}

struct sinkhorn_divergences {
    double divergence; /**< with the entropy's term in each transport */
    double transport;  /**< without */
};

/** Sinkhorn divergence between x [n, dim] and y [m, dim]. */
inline sinkhorn_divergences
sinkhorn_divergence(const context &parent, std::int32_t dim, const std::vector<float> &x,
                    const std::vector<float> &y,
                    const fmatch_sinkhorn_config &config = sinkhorn_config())
{
    sinkhorn_divergences found = {0, 0};
    detail::check(fmatch_metrics_evaluate_sinkhorn_divergence(
        parent.get(), dim, detail::rows_in("x", x.size(), dim), x.data(),
        detail::rows_in("y", y.size(), dim), y.data(), &config, &found.divergence,
        &found.transport));
    return found;
}

/** Squared maximum mean discrepancy between x [n, dim] and y [m, dim]. */
inline double mmd(const context &parent, std::int32_t dim, const std::vector<float> &x,
                  const std::vector<float> &y, const fmatch_mmd_config &config = mmd_config())
{
    double square = 0;
    detail::check(fmatch_metrics_evaluate_mmd(
        parent.get(), dim, detail::rows_in("x", x.size(), dim), x.data(),
        detail::rows_in("y", y.size(), dim), y.data(), &config, &square));
    return square;
}

struct sliced_distance {
    double w2; /**< not squared */
    double w2_square;
};

/** Sliced Wasserstein distance between x [n, dim] and y [m, dim], from random directions.
 */
inline sliced_distance sliced_wasserstein(const context &parent, std::int32_t dim,
                                          const std::vector<float> &x, const std::vector<float> &y,
                                          std::int64_t projections = 100, std::uint64_t seed = 0)
{
    sliced_distance distance = {0, 0};
    detail::check(fmatch_metrics_evaluate_sliced_wasserstein(
        parent.get(), dim, detail::rows_in("x", x.size(), dim), x.data(),
        detail::rows_in("y", y.size(), dim), y.data(), projections, seed, &distance.w2,
        &distance.w2_square));
    return distance;
}

/** Kolmogorov and Smirnov's statistic of two samples on the line. */
inline double kolmogorov_smirnov(const context &parent, const std::vector<float> &x,
                                 const std::vector<float> &y)
{
    double statistic = 0;
    detail::check(fmatch_metrics_evaluate_kolmogorov_smirnov(
        parent.get(), static_cast<std::int64_t>(x.size()), x.data(),
        static_cast<std::int64_t>(y.size()), y.data(), &statistic));
    return statistic;
}

/** The same of one sample, from the values of a distribution function there. */
inline double kolmogorov_smirnov_cdf(const context &parent, const std::vector<double> &cdf)
{
    double statistic = 0;
    detail::check(fmatch_metrics_evaluate_kolmogorov_smirnov_cdf(
        parent.get(), static_cast<std::int64_t>(cdf.size()), cdf.data(), &statistic));
    return statistic;
}

struct path_measures {
    double energy, curvature, straightness;
};

namespace detail
{

/** Rows of a trajectory of `size` values; sizes that make no sense are left to the library.
 */
inline std::int64_t rows_of_paths(std::size_t size, std::int32_t dim, std::size_t times)
{
    if (dim < 1 || times < 1)
        return 1;
    const std::size_t row = static_cast<std::size_t>(dim) * times;
    if (size % row != 0)
        fail(FMATCH_ERROR_SHAPE, "trajectory has " + std::to_string(size) +
                                     " values; it must be a multiple of " + std::to_string(row));
    return static_cast<std::int64_t>(size / row);
}

} // namespace detail

/** Energy, curvature and straightness of a trajectory [times, n, dim]. */
inline path_measures evaluate_path(const context &parent, std::int32_t dim,
                                   const std::vector<double> &times,
                                   const std::vector<float> &trajectory)
{
    path_measures measures = {0, 0, 0};
    detail::check(fmatch_metrics_evaluate_path(
        parent.get(), dim, static_cast<std::int64_t>(times.size()), times.data(),
        detail::rows_of_paths(trajectory.size(), dim, times.size()), trajectory.data(),
        &measures.energy, &measures.curvature, &measures.straightness));
    return measures;
}

/** |T E - W2^2| / W2^2 with the energy E of a trajectory [times, n, dim]. */
inline double normalised_path_energy(const context &parent, std::int32_t dim,
                                     const std::vector<double> &times,
                                     const std::vector<float> &trajectory, double w2_square)
{
    double normalised = 0;
    detail::check(fmatch_metrics_evaluate_normalised_path_energy(
        parent.get(), dim, static_cast<std::int64_t>(times.size()), times.data(),
        detail::rows_of_paths(trajectory.size(), dim, times.size()), trajectory.data(), w2_square,
        &normalised));
    return normalised;
}

struct wasserstein_distances {
    double w1, w2; /**< w2 is not squared */

    double w2_square() const noexcept
    {
        return w2 * w2;
    }
};

/** Wasserstein distances of two samples on the line. */
inline wasserstein_distances wasserstein_1d(const context &parent, const std::vector<float> &x,
                                            const std::vector<float> &y)
{
    wasserstein_distances distances = {0, 0};
    detail::check(fmatch_metrics_evaluate_wasserstein_1d(
        parent.get(), static_cast<std::int64_t>(x.size()), x.data(),
        static_cast<std::int64_t>(y.size()), y.data(), &distances.w1, &distances.w2));
    return distances;
}

/** Row i is paired with column permutation[i]; total is the sum of the pairs' costs. */
struct assignment {
    std::vector<std::int32_t> permutation;
    double total;
};

/** The permutation with the least cost; cost is [n, n], and n its square root. */
inline assignment solve_assignment(const context &parent, std::int64_t n,
                                   const std::vector<double> &cost)
{
    detail::check_size("cost", cost.size(), n * n);
    assignment found = {detail::room<std::int32_t>(n, 1), 0};
    const std::vector<double> none(1);
    detail::check(fmatch_transport_solve_assignment(parent.get(), n, n ? cost.data() : none.data(),
                                                    found.permutation.data(), &found.total));
    return found;
}

/** The same for the squared distances between the rows of x and those of y. */
inline assignment solve_assignment(const context &parent, std::int32_t dim,
                                   const std::vector<float> &x, const std::vector<float> &y)
{
    const std::int64_t n = detail::rows_in("x", x.size(), dim);
    detail::check_size("y", y.size(), static_cast<std::int64_t>(x.size()));
    assignment found = {detail::room<std::int32_t>(n, 1), 0};
    detail::check(fmatch_transport_solve_assignment_points(parent.get(), dim, n, x.data(), y.data(),
                                                           found.permutation.data(), &found.total));
    return found;
}

/** A plan [n, m] with its potentials; info says how good it is, and `converged` whether it
 * is as good as asked. */
struct sinkhorn_plan {
    std::vector<double> plan, f, g;
    fmatch_sinkhorn_info info;
    bool converged;
};

/** Entropic transport for cost [n, m]; a [n] and b [m] are the masses, even ones if empty.
 */
inline sinkhorn_plan solve_sinkhorn(const context &parent, std::int64_t n, std::int64_t m,
                                    const std::vector<double> &cost, const std::vector<double> &a,
                                    const std::vector<double> &b,
                                    const fmatch_sinkhorn_config &config = sinkhorn_config())
{
    detail::check_size("cost", cost.size(), n * m);
    if (!a.empty())
        detail::check_size("a", a.size(), n);
    if (!b.empty())
        detail::check_size("b", b.size(), m);
    sinkhorn_plan found = {detail::room<double>(n, m), detail::room<double>(n, 1),
                           detail::room<double>(m, 1), fmatch_sinkhorn_info(), false};
    found.info.struct_size = sizeof found.info;
    const fmatch_status status = fmatch_transport_solve_sinkhorn(
        parent.get(), n, m, cost.data(), a.empty() ? nullptr : a.data(),
        b.empty() ? nullptr : b.data(), &config, found.plan.data(), found.f.data(), found.g.data(),
        &found.info);
    found.converged = status == FMATCH_OK;
    detail::check(status == FMATCH_ERROR_STEP_LIMIT ? FMATCH_OK : status);
    return found;
}

/** The potential [m] of semidiscrete transport; info says how good it is, and `converged` whether
 * it is as good as asked. */
struct semidiscrete_potential {
    std::vector<double> potential;
    fmatch_semidiscrete_info info;
    bool converged;
};

/** Transport of a noise distribution to the rows of y; weights [m] are their shares, even if empty.
 */
inline semidiscrete_potential
solve_semidiscrete(const context &parent, const source &noise, const std::vector<float> &y,
                   const std::vector<double> &weights = std::vector<double>(),
                   const fmatch_semidiscrete_config &config = semidiscrete_config())
{
    const std::int64_t m = detail::rows_in("y", y.size(), noise.dim());
    if (!weights.empty())
        detail::check_size("weights", weights.size(), m);
    semidiscrete_potential found = {detail::room<double>(m, 1), fmatch_semidiscrete_info(), false};
    found.info.struct_size = sizeof found.info;
    const fmatch_status status = fmatch_transport_solve_semidiscrete(
        parent.get(), noise.get(), m, y.data(), weights.empty() ? nullptr : weights.data(), &config,
        found.potential.data(), &found.info);
    found.converged = status == FMATCH_OK;
    detail::check(status == FMATCH_ERROR_STEP_LIMIT ? FMATCH_OK : status);
    return found;
}

/** For each row of x the row of y with the least |x - y_j|^2 - potential[j]; the nearest without
 * one. */
inline std::vector<std::int32_t>
assign_semidiscrete(const context &parent, std::int32_t dim, const std::vector<float> &x,
                    const std::vector<float> &y,
                    const std::vector<double> &potential = std::vector<double>())
{
    const std::int64_t n = detail::rows_in("x", x.size(), dim);
    const std::int64_t m = detail::rows_in("y", y.size(), dim);
    if (!potential.empty())
        detail::check_size("potential", potential.size(), m);
    std::vector<std::int32_t> row = detail::room<std::int32_t>(n, 1);
    detail::check(fmatch_transport_evaluate_semidiscrete(
        parent.get(), dim, n, x.data(), m, y.data(), potential.empty() ? nullptr : potential.data(),
        row.data()));
    return row;
}

/** For each row of plan [n, m] a column drawn by its masses; -1 for a row without mass. */
inline std::vector<std::int32_t> draw_columns(const context &parent, std::int64_t n, std::int64_t m,
                                              const std::vector<double> &plan, std::uint64_t seed,
                                              std::int64_t first_row = 0)
{
    detail::check_size("plan", plan.size(), n * m);
    std::vector<std::int32_t> column = detail::room<std::int32_t>(n, 1);
    detail::check(fmatch_transport_draw_columns(parent.get(), n, m, plan.data(), seed, first_row,
                                                column.data()));
    return column;
}

/** The weight of conditions in the cost of transport; both costs are [n, n]. */
inline double condition_weight(std::int64_t n, const std::vector<double> &cost,
                               const std::vector<double> &condition_cost, double rate = 0.05)
{
    detail::check_size("cost", cost.size(), n * n);
    detail::check_size("condition_cost", condition_cost.size(), n * n);
    double weight = 0;
    detail::check(fmatch_transport_evaluate_condition_weight(n, cost.data(), condition_cost.data(),
                                                             rate, &weight));
    return weight;
}

} // namespace flowmatch

#endif
