/**
 * Sources: anything that rows of data come from. The two sides of a flow, noise and target, are
 * both sources.
 */
#ifndef FLOWMATCH_SOURCE_H
#define FLOWMATCH_SOURCE_H

#include "context.h"
#include "random.h"

/** Thread-safety: safe, as far as a callback source's functions are. A source is immutable. */
typedef struct fmatch_source fmatch_source;

/** Who keeps the rows of an array source. */
enum fmatch_memory {
    FMATCH_MEMORY_COPY = 0,  /**< the source copies them */
    FMATCH_MEMORY_BORROW = 1 /**< the caller keeps them, unchanged, until the source is gone */
};

/** In which order an array source gives its rows. */
enum fmatch_order {
    FMATCH_ORDER_SHUFFLED = 0,    /**< every row once an epoch, each epoch in another order */
    FMATCH_ORDER_REPLACEMENT = 1, /**< each draw uniform over the rows */
    FMATCH_ORDER_SEQUENTIAL = 2   /**< as stored, again and again */
};

/** Configuration of an array source. */
typedef struct fmatch_array_config {
    uint32_t struct_size; /**< written by init */
    int32_t dim;          /**< columns, 1 to 65536 */
    int64_t n;            /**< rows, >= 1 */
    const float *rows;    /**< [n, dim], finite */
    int32_t memory;       /**< an fmatch_memory. Default COPY. */
    int32_t order;        /**< an fmatch_order. Default SHUFFLED. */
    /** Or NULL; called once: when the rows are no longer needed, or when create fails. */
    void (*destroy)(void *user);
    void *user;
    /** [n, condition_dim], finite: what each row is to be conditioned on. NULL: nothing. A label
     * is a column of whole numbers. */
    const float *conditions;
    const float *weights;  /**< [n], finite, >= 0, not all 0: importance weights. NULL: 1 each. */
    int32_t condition_dim; /**< columns of conditions, up to 65536; 0 where they are NULL */
    uint32_t flags;        /**< 0 */
} fmatch_array_config;

/** Configuration of a source read from a CSV file. Columns are numbered from 0; none is named
 * twice. */
typedef struct fmatch_csv_config {
    uint32_t struct_size;   /**< written by init */
    int32_t order;          /**< an fmatch_order. Default SHUFFLED. */
    const int32_t *columns; /**< [dim], those that make x. NULL: all that are not named below. */
    const int32_t *condition_columns; /**< [condition_dim]. NULL: no condition. */
    int32_t dim;                      /**< length of columns; 0 where that is NULL */
    int32_t condition_dim;            /**< length of condition_columns; 0 where that is NULL */
    int32_t weight_column;            /**< its numbers are >= 0, not all 0. Default -1: none. */
    uint32_t flags;                   /**< 0 */
} fmatch_csv_config;

/** Configuration of a source read from a .npy file; the fields are those of fmatch_csv_config. */
typedef struct fmatch_npy_config {
    uint32_t struct_size;
    int32_t order;
    const int32_t *columns;
    const int32_t *condition_columns;
    int32_t dim;
    int32_t condition_dim;
    int32_t weight_column;
    uint32_t flags;
} fmatch_npy_config;

/** Distributions of two columns that the literature plays with; components are numbered from 0. */
enum fmatch_toy {
    FMATCH_TOY_TWO_MOONS = 0,       /**< two interleaved half circles, the upper one first */
    FMATCH_TOY_EIGHT_GAUSSIANS = 1, /**< on a circle, from (1, 0) counter-clockwise */
    FMATCH_TOY_CHECKERBOARD = 2,    /**< 8 of 4 by 4 cells; column by column, upper before lower */
    FMATCH_TOY_TWO_SPIRALS = 3,     /**< one and a half turns each */
    FMATCH_TOY_PINWHEEL = 4,        /**< five curved arms */
    FMATCH_TOY_RINGS = 5,           /**< four circles about the origin, the largest first */
    FMATCH_TOY_CIRCLES = 6,         /**< two of them */
    FMATCH_TOY_SWISS_ROLL = 7,      /**< one spiral; no components */
    FMATCH_TOY_S_CURVE = 8          /**< no components */
};

/** In whose units and with whose noise a toy is drawn. */
enum fmatch_toy_convention {
    /** The shape of unit size about the origin, of all kinds: moons of radius 1 about (0, 0) and
     * (1, 0.5); Gaussians on the unit circle; cells of side 1 on [-2, 2]^2; spirals, roll, arms,
     * rings and circles of radius 1; the S from -1 to 1 by -2 to 2. A little normal noise. */
    FMATCH_TOY_PLAIN = 0,
    /** torchcfm's functions: moons times 3, less 1, with uniform noise of width 0.2 that both
     * coordinates share; Gaussians of std 0.1^(1/4) at radius 5. */
    FMATCH_TOY_TORCHCFM = 1,
    /** The programs of torchcfm's paper: moons of noise 0.05 times 2, less (1, 0); S-curve of noise
     * 0.05 times 1.5. */
    FMATCH_TOY_TORCHCFM_RUNNER = 2,
    /** The pair of that paper: moons of noise 0.1 scaled to mean 0 and std 7 over both coordinates
     * together, and Gaussians of std 1.5 at radius 12. */
    FMATCH_TOY_MOONS_TO_GAUSSIANS = 3,
    /** FFJORD's toy data, of all kinds but the S-curve: moons of noise 0.1 times 2, less (1, 0.2);
     * Gaussians of std 0.5 at radius 4, divided by 1.414; cells of side 2 on [-4, 4]^2; and so
     * on. */
    FMATCH_TOY_FFJORD = 4,
    /** The checkerboard of "Flow Matching Guide and Code": cells of side 1 / 0.45. */
    FMATCH_TOY_FLOW_MATCHING = 5
};

/** Configuration of a toy source. */
typedef struct fmatch_toy_config {
    uint32_t struct_size; /**< written by init */
    int32_t kind;         /**< an fmatch_toy. Default TWO_MOONS. */
    int32_t convention;   /**< an fmatch_toy_convention. Default PLAIN. */
    int32_t labels;       /**< 1: the component's number is the row's condition. Default 0. */
    /** In the units in which the convention states it, as above: the std of normal noise, of the
     * pinwheel along an arm with three times as much across; for torchcfm's moons the width of the
     * uniform one. 0 to 1e6, or -1 for the convention's. Default -1. */
    double noise;
} fmatch_toy_config;

/** A user's distribution. */
typedef struct fmatch_source_callbacks {
    uint32_t struct_size; /**< sizeof(fmatch_source_callbacks) */
    uint32_t flags;       /**< 0 */
    /**
     * Fill x [n, dim] with rows first_row to first_row + n - 1 of the stream of rows. Take all
     * randomness from `random`, and the rows are the same for every batch size. Runs on the thread
     * that called the library.
     *
     * Returns 0; any other value stops the call with FMATCH_ERROR_CALLBACK, and a negative one is
     * the custom. What it writes must be finite.
     */
    int32_t (*draw)(void *user, fmatch_random *random, int64_t first_row, int64_t n, float *x);
    /** Or NULL; called once, with the last reference or when create fails. */
    void (*destroy)(void *user);
    void *user;
    /**
     * In the place of `draw`, which is then NULL: rows with what belongs to them, condition [n,
     * condition_dim] and weight [n], finite and >= 0. Both are NULL for a source without them, and
     * in calls that only want x, which must get the same x: draw the same numbers, and write what
     * there is room for.
     */
    int32_t (*draw_rows)(void *user, fmatch_random *random, int64_t first_row, int64_t n, float *x,
                         float *condition, float *weight);
    int32_t condition_dim; /**< of draw_rows, 0 to 65536; 0: no condition */
    int32_t weighted;      /**< 1: draw_rows gives weights; else 0 */
} fmatch_source_callbacks;

#ifdef __cplusplus
extern "C" {
#endif

/** Fill in the recommended values. */
#define fmatch_array_config_init(config) fmatch_array_config_init_sized((config), sizeof *(config))
FMATCH_API void fmatch_array_config_init_sized(fmatch_array_config *config, size_t size);

/** Fill in the recommended values. */
#define fmatch_csv_config_init(config) fmatch_csv_config_init_sized((config), sizeof *(config))
FMATCH_API void fmatch_csv_config_init_sized(fmatch_csv_config *config, size_t size);

/** Fill in the recommended values. */
#define fmatch_toy_config_init(config) fmatch_toy_config_init_sized((config), sizeof *(config))
FMATCH_API void fmatch_toy_config_init_sized(fmatch_toy_config *config, size_t size);

/** Fill in the recommended values. */
#define fmatch_npy_config_init(config) fmatch_npy_config_init_sized((config), sizeof *(config))
FMATCH_API void fmatch_npy_config_init_sized(fmatch_npy_config *config, size_t size);

/**
 * Create a source of independent standard normal numbers, N(0, I).
 *
 * @param source   written: the new handle, owned by the caller; NULL on failure.
 * @param context  parent.
 * @param dim      columns, 1 to 65536.
 *
 * @return FMATCH_OK · FMATCH_ERROR_ARGUMENT · FMATCH_ERROR_NO_MEMORY.
 */
FMATCH_API FMATCH_WARN_UNUSED fmatch_status fmatch_source_create_normal(fmatch_source **source,
                                                                        fmatch_context *context,
                                                                        int32_t dim);

/**
 * Create a mixture of Gaussians with diagonal covariance, sum over k of weights[k] N(means[k],
 * diag(stds[k]^2)).
 *
 * @param source      written: the new handle, owned by the caller; NULL on failure.
 * @param context     parent.
 * @param dim         columns, 1 to 65536.
 * @param components  K, 1 to 65536.
 * @param weights     [K], finite, >= 0, not all zero; they are divided by their sum.
 * @param means       [K, dim], finite.
 * @param stds        [K, dim], finite, > 0, with |mean| + 7 std at most the largest float: every
 * row that can be drawn is finite.
 *
 * @return FMATCH_OK · FMATCH_ERROR_ARGUMENT · FMATCH_ERROR_NOT_FINITE · FMATCH_ERROR_NO_MEMORY.
 */
FMATCH_API FMATCH_WARN_UNUSED fmatch_status fmatch_source_create_gaussian_mixture(
    fmatch_source **source, fmatch_context *context, int32_t dim, int32_t components,
    const float *weights, const float *means, const float *stds);

/**
 * Create a source that gives the rows of an array.
 *
 * @param source   written: the new handle, owned by the caller; NULL on failure.
 * @param context  parent.
 * @param config   dim, n and rows must be set.
 *
 * @return FMATCH_OK · FMATCH_ERROR_ARGUMENT · FMATCH_ERROR_STRUCT_SIZE · FMATCH_ERROR_NOT_FINITE
 * (detail names row and column) · FMATCH_ERROR_NO_MEMORY.
 */
FMATCH_API FMATCH_WARN_UNUSED fmatch_status fmatch_source_create_array(
    fmatch_source **source, fmatch_context *context, const fmatch_array_config *config);

/**
 * Create an array source from a file of comma-separated numbers.
 *
 * The first line is taken as a header when none of its cells is a finite number. Every other line
 * must have as many cells, each a finite number with a decimal point, whatever the locale, also in
 * columns that are not used; so a first line of numbers with one bad cell is refused, not skipped.
 * Blank lines are skipped; a line may end in CR LF.
 *
 * @param source   written: the new handle, owned by the caller; NULL on failure.
 * @param context  parent.
 * @param path     a file, or a pipe, which is read to its end; anything else is FMATCH_ERROR_IO.
 * Memory stays within a small multiple of what was read.
 * @param config   or NULL for the recommended values.
 *
 * @return FMATCH_OK · FMATCH_ERROR_ARGUMENT · FMATCH_ERROR_STRUCT_SIZE · FMATCH_ERROR_IO ·
 * FMATCH_ERROR_FORMAT (detail names file, line, column and cell) · FMATCH_ERROR_NO_MEMORY.
 */
FMATCH_API FMATCH_WARN_UNUSED fmatch_status
fmatch_source_create_csv(fmatch_source **source, fmatch_context *context, const char *path,
                         const fmatch_csv_config *config);

/**
 * Create a source that reads its rows from a file of NumPy's, as numpy.save writes it.
 *
 * The file is mapped into memory, never read as a whole, so that it may be larger than the memory;
 * it must stay as it is while the source lives. It holds an array of one dimension, a single
 * column, or of two in C order, of float32 (the fastest), float64, integers or truth values, in
 * either order of bytes; numbers are rounded to float.
 *
 * Rows are checked when they are drawn, in the columns that are used: for a number that is not
 * finite as a float, FMATCH_ERROR_NOT_FINITE names file, row and column; a negative weight is
 * FMATCH_ERROR_FORMAT. So is a file whose length has changed, which is looked at before each block
 * of rows; only a file that is cut short in the very moment in which a block is copied ends the
 * process, as for any mapped file.
 *
 * @param source   written: the new handle, owned by the caller; NULL on failure.
 * @param context  parent.
 * @param path     a regular file.
 * @param config   or NULL for the recommended values.
 *
 * @return FMATCH_OK · FMATCH_ERROR_ARGUMENT · FMATCH_ERROR_STRUCT_SIZE · FMATCH_ERROR_IO ·
 * FMATCH_ERROR_FORMAT (not a .npy file, or not as long as it says) · FMATCH_ERROR_UNSUPPORTED
 * (another type, order or number of dimensions) · FMATCH_ERROR_NO_MEMORY.
 */
FMATCH_API FMATCH_WARN_UNUSED fmatch_status
fmatch_source_create_npy(fmatch_source **source, fmatch_context *context, const char *path,
                         const fmatch_npy_config *config);

/**
 * Create a source of one of the two-dimensional toys.
 *
 * Rows are independent: where the original puts points on a regular grid of angles, as for the
 * moons and the rings, the angle is uniform; and each component is as likely as the others.
 *
 * @param source   written: the new handle, owned by the caller; NULL on failure.
 * @param context  parent.
 * @param config   or NULL for the recommended values.
 *
 * @return FMATCH_OK · FMATCH_ERROR_ARGUMENT (also for a kind that the convention does not draw, and
 * for labels of a kind without components) · FMATCH_ERROR_STRUCT_SIZE · FMATCH_ERROR_NO_MEMORY.
 */
FMATCH_API FMATCH_WARN_UNUSED fmatch_status fmatch_source_create_toy(
    fmatch_source **source, fmatch_context *context, const fmatch_toy_config *config);

/**
 * Create a source from a user's function.
 *
 * @param source     written: the new handle, owned by the caller; NULL on failure.
 * @param context    parent.
 * @param dim        columns, 1 to 65536.
 * @param callbacks  copied; either `draw` or `draw_rows` must be set.
 *
 * @return FMATCH_OK · FMATCH_ERROR_ARGUMENT · FMATCH_ERROR_STRUCT_SIZE · FMATCH_ERROR_NO_MEMORY. On
 * failure, of whatever argument, callbacks->destroy has been called, unless `callbacks` could not
 * be read.
 */
FMATCH_API FMATCH_WARN_UNUSED fmatch_status
fmatch_source_create_callback(fmatch_source **source, fmatch_context *context, int32_t dim,
                              const fmatch_source_callbacks *callbacks);

/** Give the handle up. Accepts NULL and a NULL handle. */
FMATCH_API void fmatch_source_destroy(fmatch_source **source);

/** Columns of a row; 0 for NULL. */
FMATCH_API int32_t fmatch_source_get_dim(const fmatch_source *source);

/** Columns of a row's condition; 0 for a source without condition and for NULL. */
FMATCH_API int32_t fmatch_source_get_condition_dim(const fmatch_source *source);

/** 1 if the rows have weights of their own; 0 if each weighs 1, and for NULL. */
FMATCH_API int32_t fmatch_source_get_weighted(const fmatch_source *source);

/** Rows that the source stores: n for an array or a file, 0 for a distribution or NULL. */
FMATCH_API int64_t fmatch_source_count_rows(const fmatch_source *source);

/**
 * Copy stored rows of an array or file source, in the order in which they are stored. A .npy file
 * can fail here as in fmatch_source_draw.
 *
 * @param source     with fmatch_source_count_rows > 0.
 * @param first_row  >= 0.
 * @param n          >= 0; first_row + n is at most the number of rows.
 * @param x          [n, dim], written.
 *
 * @return FMATCH_OK · FMATCH_ERROR_ARGUMENT · FMATCH_ERROR_UNSUPPORTED (the source stores no rows).
 */
FMATCH_API FMATCH_WARN_UNUSED fmatch_status fmatch_source_get_rows(const fmatch_source *source,
                                                                   int64_t first_row, int64_t n,
                                                                   float *x);

/**
 * Copy the conditions of stored rows; parameters and statuses as for fmatch_source_get_rows.
 *
 * @param condition  [n, condition_dim], written; nothing for a source without condition.
 */
FMATCH_API FMATCH_WARN_UNUSED fmatch_status fmatch_source_get_conditions(
    const fmatch_source *source, int64_t first_row, int64_t n, float *condition);

/**
 * Copy the weights of stored rows; parameters and statuses as for fmatch_source_get_rows.
 *
 * @param weight  [n], written; 1 each for a source without weights.
 */
FMATCH_API FMATCH_WARN_UNUSED fmatch_status fmatch_source_get_weights(const fmatch_source *source,
                                                                      int64_t first_row, int64_t n,
                                                                      float *weight);

/**
 * Draw rows. Row i depends on (seed, first_row + i) alone.
 *
 * @param source     any.
 * @param seed       any value; equal seeds give equal rows.
 * @param first_row  index of the first row in the stream of this seed, 0 to 2^44 - n.
 * @param n          rows, 0 to 2^44.
 * @param x          [n, dim], written. On failure its contents are unspecified.
 *
 * @return FMATCH_OK · FMATCH_ERROR_ARGUMENT · FMATCH_ERROR_CALLBACK · FMATCH_ERROR_NOT_FINITE (a
 * callback's output or a .npy file's; detail names row and column) · FMATCH_ERROR_FORMAT and
 * FMATCH_ERROR_IO (a .npy file that has changed).
 */
FMATCH_API FMATCH_WARN_UNUSED fmatch_status fmatch_source_draw(const fmatch_source *source,
                                                               uint64_t seed, int64_t first_row,
                                                               int64_t n, float *x);

/**
 * Draw rows with what belongs to them. The same rows as fmatch_source_draw, whose parameters and
 * statuses hold here.
 *
 * @param condition  [n, condition_dim], written; nothing for a source without condition. Or NULL.
 * @param weight     [n], written; 1 each for a source without weights. Or NULL.
 */
FMATCH_API FMATCH_WARN_UNUSED fmatch_status fmatch_source_draw_rows(const fmatch_source *source,
                                                                    uint64_t seed,
                                                                    int64_t first_row, int64_t n,
                                                                    float *x, float *condition,
                                                                    float *weight);

/**
 * Mean and standard deviation of each column, for a model's data_mean and data_std.
 *
 * Exact for the normal, the mixture and the toys, over all rows for an array or a file (dividing by
 * n), and from 65536 draws with seed 0 for a callback. A constant column gives 0. Weights
 * are not looked at.
 *
 * @param source  any.
 * @param mean    [dim], written.
 * @param std     [dim], written.
 *
 * @return FMATCH_OK · FMATCH_ERROR_ARGUMENT · FMATCH_ERROR_CALLBACK · FMATCH_ERROR_NOT_FINITE ·
 * FMATCH_ERROR_NO_MEMORY.
 */
FMATCH_API FMATCH_WARN_UNUSED fmatch_status
fmatch_source_evaluate_moments(const fmatch_source *source, float *mean, float *std);

/**
 * Logarithm of the density at given points.
 *
 * In closed form for the normal, the mixture, the checkerboard, and the eight Gaussians, rings and
 * circles unless their noise is 0.
 *
 * @param source       of a kind that has one.
 * @param n            >= 0.
 * @param x            [n, dim], finite.
 * @param log_density  [n], written, in nats; -inf outside of the support.
 *
 * @return FMATCH_OK · FMATCH_ERROR_ARGUMENT · FMATCH_ERROR_NOT_FINITE (detail names row and column)
 * · FMATCH_ERROR_UNSUPPORTED (no closed form).
 */
FMATCH_API FMATCH_WARN_UNUSED fmatch_status fmatch_source_evaluate_log_density(
    const fmatch_source *source, int64_t n, const float *x, double *log_density);

#ifdef __cplusplus
}
#endif

#endif
