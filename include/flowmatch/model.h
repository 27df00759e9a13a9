/** Models: a velocity field v(x, t), and what is needed to sample from it. */
#ifndef FLOWMATCH_MODEL_H
#define FLOWMATCH_MODEL_H

#include "path.h"
#include "source.h"

/**
 * A velocity field on a probability path from noise (t = 0) to data (t = 1), with its noise
 * distribution. Everything public is in the units of the data.
 *
 * Thread-safety: safe. A trainer publishes new parameters as a whole; a call that is under way goes
 * on with those it began with.
 */
typedef struct fmatch_model fmatch_model;

/** Activation of the hidden layers, with PyTorch's constants. */
enum fmatch_activation {
    FMATCH_ACTIVATION_GELU = 0,      /**< z Phi(z), the exact form with erf: torch.nn.GELU() */
    FMATCH_ACTIVATION_GELU_TANH = 1, /**< torch.nn.GELU(approximate="tanh") */
    FMATCH_ACTIVATION_RELU = 2,
    FMATCH_ACTIVATION_SILU = 3,
    FMATCH_ACTIVATION_TANH = 4,
    FMATCH_ACTIVATION_ELU = 5, /**< alpha = 1 */
    FMATCH_ACTIVATION_SELU = 6,
    FMATCH_ACTIVATION_SOFTPLUS = 7 /**< beta = 1 */
};

/** Whether a conditional model can be asked without a condition, as guidance does. */
enum fmatch_null_condition {
    FMATCH_NULL_CONDITION_REFUSED = 0,
    /** Yes; in a network, learned vectors stand for the condition that is not there. */
    FMATCH_NULL_CONDITION_ACCEPTED = 1
};

/** How a network sees t. */
enum fmatch_time_features {
    FMATCH_TIME_FEATURES_RAW = 0, /**< t itself */
    /**
     * cos(k pi t) and sin(k pi t), k = 1 to time_frequencies, in this order of pairs and in the
     * place of t. Half periods, so that t = 0 and t = 1 differ.
     */
    FMATCH_TIME_FEATURES_FOURIER = 1
};

/** Normalisation between a hidden layer and its activation. */
enum fmatch_normalisation {
    FMATCH_NORMALISATION_NONE = 0,
    /** Ba et al. 2016, "Layer normalization", with torch.nn.LayerNorm's gain, bias and 1e-5. */
    FMATCH_NORMALISATION_LAYER = 1
};

/** How the output layer begins. */
enum fmatch_output_init {
    FMATCH_OUTPUT_INIT_UNIFORM = 0, /**< as the other layers */
    FMATCH_OUTPUT_INIT_ZERO = 1     /**< weight and bias 0 */
};

/** What the network's output is added to. */
enum fmatch_baseline {
    FMATCH_BASELINE_NONE = 0, /**< nothing: the output is the prediction */
    /**
     * The prediction that would be exact if noise and data were independent Gaussians with the
     * moments they have, column by column: with data N(m, s^2), noise N(a, b^2) and an affine path,
     * x_t is N(mu, q), mu = alpha m + sigma a, q = alpha^2 s^2 + sigma^2 b^2, and the velocity
     * alpha' m + sigma' a + (alpha alpha' s^2 + sigma sigma' b^2) / q (x - mu). The network sees
     * (x - mu) / sqrt(q + 1e-6) in x's place, and its output counts in units of sqrt(s^2 + b^2):
     * for the linear path what the sbi toolbox (Tejero-Cantero et al. 2020) calls time-dependent
     * z-scoring. With path noise or a bridge, q and the covariance of velocity and x_t have its
     * part too; a prediction of data or noise is treated likewise, in units of s or b. After
     * standardisation m = 0 and s = 1, of a constant column s = 0. There, on a path without noise
     * of its own, x_t tells the noise until t = 1: the prediction is the baseline's alone, and
     * samples come to the constant, but for a step of a solver that asks at t = 1, as HEUN and RK4
     * do. Moments of noise that has no formula for them are taken from draws, as
     * fmatch_source_evaluate_moments says. Times outside of [0, 1] count as its ends.
     */
    FMATCH_BASELINE_GAUSSIAN = 1
};

/**
 * Configuration of a multilayer perceptron with input [t, x, condition] and the velocity, or what
 * `prediction` says, as output.
 *
 * A condition is a row of condition_dim columns. With classes > 0 its first column is a label, a
 * whole number from 0 to classes - 1, which the network sees as a learned vector of embedding_dim
 * numbers; the other columns it sees standardised, if condition_mean or condition_std say how. A
 * row that begins with nan, or NULL for all rows, is the null condition.
 *
 * Standardisation: with mean m and deviation s of the data, the network sees y = (x - m) / s, and
 * the flow, its noise included, lives in y; v is returned in the units of x. So the default noise
 * is N(m, s^2), and training on a x + b gives a times the same samples plus b.
 */
typedef struct fmatch_mlp_config {
    uint32_t struct_size;         /**< written by init */
    int32_t dim;                  /**< columns of x, 1 to 65536; must be set, or 0 with data */
    int32_t hidden_layers;        /**< 0 to 64. Default 2. */
    int32_t hidden_width;         /**< 1 to 65536. Default 64. */
    const int32_t *hidden_widths; /**< [hidden_layers], or NULL: every layer has hidden_width */
    int32_t activation;           /**< an fmatch_activation. Default GELU. */
    int32_t prediction; /**< an fmatch_prediction, what the output is. Default VELOCITY. */
    /**
     * Seed of the initialisation, U(-1/sqrt(fan_in), 1/sqrt(fan_in)) for every weight and bias as
     * torch.nn.Linear has it, N(0, 1) for the vectors of labels and of the null condition as
     * torch.nn.Embedding has it. Default 0.
     */
    uint64_t seed;
    const float *data_mean; /**< [dim], finite, or NULL: 0 */
    /**
     * [dim], finite, >= 0, |mean| + 7 std at most the largest float; or NULL: 1. 0 is a constant
     * column, which counts as 1 in the formulas above.
     */
    const float *data_std;
    /** The distribution at t = 0, of dimension dim, in data units; kept. NULL: N(mean, std^2). */
    const fmatch_source *noise;
    int32_t condition_dim;  /**< columns of a condition, 0 to 65536. Default 0: none. */
    int32_t classes;        /**< labels in the first of them, 0 to 65536. Default 0: no labels. */
    int32_t embedding_dim;  /**< of a label, 0 to 65536. Default 0: classes, at most 16. */
    int32_t null_condition; /**< an fmatch_null_condition. Default REFUSED. */
    const fmatch_path_config *path; /**< what the model is trained and sampled on; NULL: linear */
    /**
     * What the model will be trained on, read while create runs; or NULL. Where they are not given,
     * data_mean and data_std are its columns' moments (fmatch_source_evaluate_moments),
     * condition_mean and condition_std those of its conditions, if it has any, with 1 for a
     * constant one; and where dim is 0, it is its.
     */
    const fmatch_source *data;
    /** [condition_dim], finite, or NULL: 0. A label's is not used. */
    const float *condition_mean;
    /** [condition_dim], finite, > 0, or NULL: 1. The network sees (condition - mean) / std. */
    const float *condition_std;
    const int32_t *activations; /**< [hidden_layers], one each; NULL: `activation` */
    int32_t time_features;      /**< an fmatch_time_features. Default RAW. */
    int32_t time_frequencies;   /**< of FOURIER, 1 to 64. Default 0: 3, or none with RAW. */
    /**
     * Residual blocks: after the first hidden layer, every this many hidden layers add what the
     * first of them was given to what the last one gives, after its activation; 0 to 64. The two
     * must be equally wide: hidden layer 0 and those that end a block. Hidden layers that do not
     * fill a block at the end have none. Default 0: no blocks.
     */
    int32_t residual_layers;
    int32_t normalisation; /**< an fmatch_normalisation, of every hidden layer. Default NONE. */
    int32_t output_init;   /**< an fmatch_output_init. Default ZERO. */
    int32_t baseline;      /**< an fmatch_baseline. Default GAUSSIAN. */
} fmatch_mlp_config;

/** A user's velocity field. */
typedef struct fmatch_velocity_callbacks {
    uint32_t struct_size; /**< sizeof(fmatch_velocity_callbacks) */
    uint32_t flags;       /**< 0 */
    /**
     * Write v [n, dim] for x [n, dim] at times t [n] under conditions [n, condition_dim]: NULL for
     * the null condition of all rows or where condition_dim is 0; a row that begins with nan, which
     * comes only if null_condition is ACCEPTED, is the null condition too. May be called from
     * several threads when the model is used so.
     *
     * Returns 0; any other value stops the call with FMATCH_ERROR_CALLBACK, and a negative one is
     * the custom. What it writes must be finite.
     */
    int32_t (*evaluate)(void *user, int64_t n, const float *x, const float *t,
                        const float *condition, float *v);
    /** Or NULL; called once, with the last reference or when create fails. */
    void (*destroy)(void *user);
    void *user;
    int32_t condition_dim;  /**< columns of a condition, 0 to 65536 */
    int32_t null_condition; /**< an fmatch_null_condition */
    /**
     * Or NULL. Write v, as evaluate does, and ju [n, dim], the derivative of v along the direction
     * u [n, dim]: (dv/dx) u for each row. For divergences, which without it take differences of
     * evaluate.
     */
    int32_t (*jacobian_vector)(void *user, int64_t n, const float *x, const float *t,
                               const float *condition, const float *u, float *v, float *ju);
} fmatch_velocity_callbacks;

/** One named array of parameters, as PyTorch lays it out. */
typedef struct fmatch_tensor_info {
    uint32_t struct_size; /**< sizeof(fmatch_tensor_info), set by the caller */
    int32_t rank;         /**< 1 or 2 */
    int64_t shape[2];     /**< [out, in] for a weight, [out, 1] for a bias */
    /**
     * "net.0.weight", "net.0.bias", "net.2.weight", ..., or with normalisation "net.0.weight",
     * "net.0.bias", "net.1.weight" (the gain), "net.1.bias", "net.3.weight", ..., as
     * torch.nn.Sequential counts modules; then "embedding.weight" [classes, embedding_dim], with
     * the null condition's vector as one more row, and "null_condition" for the columns that are
     * no label. Lives as long as the model.
     */
    const char *name;
} fmatch_tensor_info;

/** Under which names a file keeps the parameters of a model. */
typedef struct fmatch_tensor_map {
    uint32_t struct_size; /**< sizeof(fmatch_tensor_map) */
    int32_t renamed;      /**< arrays that are listed by name, >= 0 */
    /**
     * What the file has in place of the leading "net.": "" for the state of a bare
     * torch.nn.Sequential, "model.net." for one inside a module. NULL: "net.". Names that do not
     * begin with "net." stay.
     */
    const char *prefix;
    /** [renamed], each one of the model's, for instance "net.0.weight"; or NULL for none */
    const char *const *model_names;
    const char *const
        *file_names; /**< [renamed], the file's whole names; the prefix is not added */
} fmatch_tensor_map;

#ifdef __cplusplus
extern "C" {
#endif

/** Fill in the recommended values. */
#define fmatch_mlp_config_init(config)                                                             \
    fmatch_mlp_config_init_preset((config), FMATCH_PRESET_RECOMMENDED)
/**
 * Fill in the values of a named preset, an fmatch_preset. PLAIN: two hidden layers of 64, GELU, an
 * output layer that begins as the others, no baseline. Another number writes a struct_size of 0,
 * which create refuses.
 */
#define fmatch_mlp_config_init_preset(config, preset)                                              \
    fmatch_mlp_config_init_sized((config), sizeof *(config), (preset))
FMATCH_API void fmatch_mlp_config_init_sized(fmatch_mlp_config *config, size_t size,
                                             int32_t preset);

/**
 * Create a multilayer perceptron.
 *
 * @param model    written: the new handle, owned by the caller; NULL on failure.
 * @param context  parent.
 * @param config   dim or data must be set.
 *
 * @return FMATCH_OK · FMATCH_ERROR_ARGUMENT · FMATCH_ERROR_SHAPE (the noise or the data has another
 * dimension, or conditions of the data) · FMATCH_ERROR_STRUCT_SIZE · FMATCH_ERROR_NOT_FINITE ·
 * FMATCH_ERROR_UNSUPPORTED (a prediction that the path does not have; FMATCH_PATH_LIPMAN with noise
 * that is not standard normal for the network) · FMATCH_ERROR_NO_MEMORY · what measuring data, or
 * noise for a baseline, gives. On failure a user's schedule has been destroyed, unless
 * context is NULL or it could not be read.
 */
FMATCH_API FMATCH_WARN_UNUSED fmatch_status fmatch_model_create_mlp(
    fmatch_model **model, fmatch_context *context, const fmatch_mlp_config *config);

/**
 * Create a model from a user's velocity function; it has no parameters and cannot be trained.
 *
 * @param model      written: the new handle, owned by the caller; NULL on failure.
 * @param context    parent.
 * @param dim        columns of x, 1 to 65536.
 * @param callbacks  copied; `evaluate` must be set.
 * @param noise      the distribution at t = 0, kept; NULL: N(0, I).
 *
 * @return FMATCH_OK · FMATCH_ERROR_ARGUMENT · FMATCH_ERROR_SHAPE · FMATCH_ERROR_STRUCT_SIZE ·
 * FMATCH_ERROR_NO_MEMORY. On failure, of whatever argument, callbacks->destroy has been called,
 * unless `callbacks` could not be read.
 */
FMATCH_API FMATCH_WARN_UNUSED fmatch_status fmatch_model_create_callback(
    fmatch_model **model, fmatch_context *context, int32_t dim,
    const fmatch_velocity_callbacks *callbacks, const fmatch_source *noise);

/**
 * Create the exact velocity field from N(0, I) to a Gaussian mixture, in closed form.
 *
 * u(x, t) = sum over k of r_k (m_k + (t s_k^2 - (1 - t)) / S_k (x - t m_k)) with S_k = (1 - t)^2 +
 * t^2 s_k^2 for each coordinate, and r_k proportional to w_k N(x; t m_k, S_k): the conditional
 * expectation E[x1 - x0 | x_t = x] of Lipman et al. 2023, equation 8. It separates a solver's error
 * from a network's.
 *
 * @param model    written: the new handle, owned by the caller; NULL on failure.
 * @param context  parent.
 * @param target   a Gaussian mixture or a standard normal source; kept.
 *
 * @return FMATCH_OK · FMATCH_ERROR_ARGUMENT · FMATCH_ERROR_UNSUPPORTED (another kind of source) ·
 *         FMATCH_ERROR_NO_MEMORY.
 */
FMATCH_API FMATCH_WARN_UNUSED fmatch_status fmatch_model_create_closed_form(
    fmatch_model **model, fmatch_context *context, const fmatch_source *target);

/**
 * Create a model whose velocity is that of another one moved to the path of another schedule: the
 * same pairs of noise and data, at other times and scales, without training. Where both paths have
 * noise and data in the same ratio, at times r of the new and t of the old path, a point of the
 * new one is s = alpha(r) / alpha(t) = sigma(r) / sigma(t) times one of the old, and
 *
 *   v(x, r) = (s' / s) (x - c) + s t' u(c + (x - c) / s, t),
 *
 * derivatives being with respect to r, and c the mean of a model that standardises, else 0: Lipman
 * et al. 2024, "Flow matching guide and code", on changing a scheduler after training. It has no
 * parameters of its own and cannot be trained or saved; training the original changes it too. Twice
 * rescheduled is once, to the last path.
 *
 * The flow ends at the same points as the original's, exactly so between paths with alpha(0) = 0.
 * A variance-preserving path begins with a share alpha(0) of the data in its noise, 0.0066 with the
 * default betas. Every sampler begins with noise alone, so that a flow on a path that is
 * rescheduled to it has the bias of a model trained there; one that is rescheduled from it begins
 * with what the original says of the data at t = 0, and loses that bias but for about alpha(0)^2 /
 * 2 of a deviation.
 *
 * @param model     written: the new handle, owned by the caller; NULL on failure.
 * @param original  any; kept. One without a path of its own counts as on the linear one.
 * @param config    the new path; NULL: linear. A schedule by callback of either model is inverted
 * by bisection, 60 calls for each time that is asked about.
 *
 * @return FMATCH_OK · FMATCH_ERROR_ARGUMENT · FMATCH_ERROR_STRUCT_SIZE · FMATCH_ERROR_UNSUPPORTED
 * (a path with noise of its own, or whose sigma is not 0 at t = 1) · FMATCH_ERROR_NOT_FINITE ·
 * FMATCH_ERROR_CALLBACK · FMATCH_ERROR_NO_MEMORY. On failure a user's schedule has been destroyed,
 * unless it could not be read.
 */
FMATCH_API FMATCH_WARN_UNUSED fmatch_status fmatch_model_create_rescheduled(
    fmatch_model **model, const fmatch_model *original, const fmatch_path_config *config);

/**
 * Create an independent model with the same configuration and the present parameters.
 *
 * @param copy   written: the new handle, owned by the caller; NULL on failure.
 * @param model  any; a callback model's copy shares the user's functions.
 *
 * @return FMATCH_OK · FMATCH_ERROR_ARGUMENT · FMATCH_ERROR_NO_MEMORY.
 */
FMATCH_API FMATCH_WARN_UNUSED fmatch_status fmatch_model_create_copy(fmatch_model **copy,
                                                                     const fmatch_model *model);

/** Give the handle up. Accepts NULL and a NULL handle. */
FMATCH_API void fmatch_model_destroy(fmatch_model **model);

/** Columns of x; 0 for NULL. */
FMATCH_API int32_t fmatch_model_get_dim(const fmatch_model *model);

/**
 * The noise that samples begin with, in the units of the data: the source that the model was
 * created with, or the normal one that it made itself. Its draws are for points on the way, and its
 * moments say in which units noise is standard. fmatch_source_draw gives other rows than
 * fmatch_sampler_draw begins with at the same seed.
 *
 * @param model  any.
 * @param noise  written: a handle to be destroyed by the caller, which may outlive the model; NULL
 *               on failure.
 *
 * @return FMATCH_OK · FMATCH_ERROR_ARGUMENT.
 */
FMATCH_API FMATCH_WARN_UNUSED fmatch_status fmatch_model_get_noise(const fmatch_model *model,
                                                                   fmatch_source **noise);

/** Columns of a condition; 0 for a model without conditions or NULL. */
FMATCH_API int32_t fmatch_model_get_condition_dim(const fmatch_model *model);

/** Labels that the first column of a condition may hold; 0 if it is no label, or for NULL. */
FMATCH_API int32_t fmatch_model_count_classes(const fmatch_model *model);

/**
 * Evaluate the velocity v(x, t).
 *
 * @param model      any.
 * @param n          rows, 0 to 2^44 / dim.
 * @param x          [n, dim], finite.
 * @param t          [n], finite; the field was learned on [0, 1].
 * @param condition  [n, condition_dim]; NULL: none, or the null condition of all rows.
 * @param v          [n, dim], written. May be x. On failure its contents are unspecified.
 *
 * @return FMATCH_OK · FMATCH_ERROR_ARGUMENT · FMATCH_ERROR_NOT_FINITE (input, or output: detail
 * names the row) · FMATCH_ERROR_CALLBACK · FMATCH_ERROR_NO_MEMORY.
 */
FMATCH_API FMATCH_WARN_UNUSED fmatch_status fmatch_model_evaluate(const fmatch_model *model,
                                                                  int64_t n, const float *x,
                                                                  const float *t,
                                                                  const float *condition, float *v);

/**
 * Log-density of the probability path of a closed-form model, log p_t(x): the distribution of (1 -
 * t) x0 + t x1.
 *
 * @param model        from fmatch_model_create_closed_form.
 * @param n            rows, 0 to 2^44 / dim.
 * @param x            [n, dim], finite.
 * @param t            [n], in [0, 1].
 * @param log_density  [n], written, in nats.
 *
 * @return FMATCH_OK · FMATCH_ERROR_ARGUMENT · FMATCH_ERROR_NOT_FINITE · FMATCH_ERROR_UNSUPPORTED
 * (another kind of model) · FMATCH_ERROR_NO_MEMORY.
 */
FMATCH_API FMATCH_WARN_UNUSED fmatch_status fmatch_model_evaluate_log_density(
    const fmatch_model *model, int64_t n, const float *x, const float *t, double *log_density);

/**
 * Density p_t(x), the exponential of fmatch_model_evaluate_log_density; same parameters and
 * statuses.
 */
FMATCH_API FMATCH_WARN_UNUSED fmatch_status fmatch_model_evaluate_density(const fmatch_model *model,
                                                                          int64_t n, const float *x,
                                                                          const float *t,
                                                                          double *density);

/**
 * The loss that no network can go below, E over t, x0, x1 of ||x1 - x0 - u(x_t, t)||^2 / dim, for
 * uniform t and independent noise and data: the mean variance of x1 - x0 given x_t. It is not zero,
 * because many pairs (x0, x1) pass through one point.
 *
 * Exact for one component, s pi / 2 with s its mean deviation. In one dimension with at most 16
 * components by quadrature, to 1e-10 of the loss (measured for deviations from 1e-4 to 1e4 and
 * means up to 1e7), in milliseconds for a few components and seconds for 16 of very different
 * widths. Otherwise the part between components is the mean of 2^18 draws, each of which costs
 * components times dim.
 *
 * @param model           from fmatch_model_create_closed_form.
 * @param loss            written.
 * @param standard_error  written: of the mean of draws; 0 by quadrature. May be NULL.
 *
 * @return FMATCH_OK · FMATCH_ERROR_ARGUMENT · FMATCH_ERROR_UNSUPPORTED (another kind of model) ·
 *         FMATCH_ERROR_NO_MEMORY.
 */
FMATCH_API FMATCH_WARN_UNUSED fmatch_status fmatch_model_evaluate_irreducible_loss(
    const fmatch_model *model, double *loss, double *standard_error);

/** Number of named arrays of parameters; 0 for a model without parameters or NULL. */
FMATCH_API int32_t fmatch_model_count_tensors(const fmatch_model *model);

/** Number of parameters in all; 0 for a model without parameters or NULL. */
FMATCH_API int64_t fmatch_model_count_parameters(const fmatch_model *model);

/**
 * Name and shape of a named array.
 *
 * @param model  any.
 * @param index  0 to fmatch_model_count_tensors - 1.
 * @param info   its struct_size set; the rest is written.
 *
 * @return FMATCH_OK · FMATCH_ERROR_ARGUMENT · FMATCH_ERROR_STRUCT_SIZE.
 */
FMATCH_API FMATCH_WARN_UNUSED fmatch_status fmatch_model_get_tensor_info(const fmatch_model *model,
                                                                         int32_t index,
                                                                         fmatch_tensor_info *info);

/**
 * Copy a named array out.
 *
 * @param model   any.
 * @param name    for instance "net.0.weight".
 * @param count   values that fit into `values`: the product of the array's shape.
 * @param values  [count], written.
 *
 * @return FMATCH_OK · FMATCH_ERROR_ARGUMENT (no such name) · FMATCH_ERROR_SHAPE (another count).
 */
FMATCH_API FMATCH_WARN_UNUSED fmatch_status fmatch_model_get_tensor(const fmatch_model *model,
                                                                    const char *name, int64_t count,
                                                                    float *values);

/**
 * Replace a named array. Evaluations that are under way go on with the old values; a trainer that
 * was created before does not see the new ones.
 *
 * @param model   any.
 * @param name    for instance "net.0.weight".
 * @param count   the product of the array's shape.
 * @param values  [count], finite.
 *
 * @return FMATCH_OK · FMATCH_ERROR_ARGUMENT (no such name) · FMATCH_ERROR_SHAPE (another count) ·
 *         FMATCH_ERROR_NOT_FINITE · FMATCH_ERROR_NO_MEMORY. On failure the model is as before.
 */
FMATCH_API FMATCH_WARN_UNUSED fmatch_status fmatch_model_set_tensor(fmatch_model *model,
                                                                    const char *name, int64_t count,
                                                                    const float *values);

/**
 * Save a model with parameters: a safetensors file with the parameters under PyTorch's names as
 * F32 and the whole configuration in its metadata, so that the file alone gives back the model.
 * Written beside, flushed to disk and renamed: whatever happens, `path` holds the former file or
 * the new one. A symbolic link stays: what it points to is replaced, or made. Pipes, devices and
 * folders are refused with FMATCH_ERROR_IO.
 *
 * @param model  with parameters. Its noise must be the default, a normal, a Gaussian mixture or a
 * toy, and its path no callback.
 * @param path   the file.
 *
 * @return FMATCH_OK · FMATCH_ERROR_ARGUMENT · FMATCH_ERROR_UNSUPPORTED (no parameters, or the
 * noise or the path is of another kind) · FMATCH_ERROR_IO · FMATCH_ERROR_NO_MEMORY.
 */
FMATCH_API FMATCH_WARN_UNUSED fmatch_status fmatch_model_save(const fmatch_model *model,
                                                              const char *path);

/**
 * Create a model from a file that fmatch_model_save wrote. Its evaluations have the bits of the
 * saved model's.
 *
 * @param model    written: the new handle, owned by the caller; NULL on failure.
 * @param context  parent.
 * @param path     the file; read with bounded memory whatever it holds.
 *
 * @return FMATCH_OK · FMATCH_ERROR_ARGUMENT · FMATCH_ERROR_IO · FMATCH_ERROR_FORMAT (damaged, or
 * a plain state without configuration: see fmatch_model_load_tensors) · FMATCH_ERROR_VERSION ·
 * FMATCH_ERROR_NO_MEMORY.
 */
FMATCH_API FMATCH_WARN_UNUSED fmatch_status fmatch_model_load(fmatch_model **model,
                                                              fmatch_context *context,
                                                              const char *path);

/**
 * Replace all parameters of a model by those of a safetensors file, such as a state_dict saved
 * from PyTorch; the model's configuration says what they mean. F32, F64, F16 and BF16 are read.
 * Arrays that the model does not ask for are ignored.
 *
 * @param model  with parameters.
 * @param path   the file; read with bounded memory whatever it holds.
 * @param map    how the file's names differ from the model's; NULL: not at all.
 *
 * @return FMATCH_OK · FMATCH_ERROR_ARGUMENT · FMATCH_ERROR_STRUCT_SIZE · FMATCH_ERROR_UNSUPPORTED
 * (no parameters) · FMATCH_ERROR_IO · FMATCH_ERROR_FORMAT (damaged, or an array is missing) ·
 * FMATCH_ERROR_SHAPE (detail names the array) · FMATCH_ERROR_NOT_FINITE · FMATCH_ERROR_NO_MEMORY.
 * On failure the model is as before.
 */
FMATCH_API FMATCH_WARN_UNUSED fmatch_status fmatch_model_load_tensors(fmatch_model *model,
                                                                      const char *path,
                                                                      const fmatch_tensor_map *map);

#ifdef __cplusplus
}
#endif

#endif
