/** The trainer: draws pairs of noise and data, and fits a model's velocity to theirs. */
#ifndef FLOWMATCH_TRAINER_H
#define FLOWMATCH_TRAINER_H

#include "coupling.h"
#include "loss.h"
#include "model.h"
#include "optimizer.h"
#include "rate.h"
#include "time.h"

/**
 * Trains its own copy of a model's parameters and publishes it to the model whenever a call that
 * made steps returns. The loss is the mean over rows and columns of the square of the network's
 * output less the path's target, in standardised units if the model standardises: Lipman et al.
 * 2023, equation 9. Unless configured otherwise t is uniform, and noise and data are independent.
 *
 * Thread-safety: unsafe. One thread at a time; the model may be sampled meanwhile. A callback that
 * runs within a call of the trainer may read its losses, evaluate or sample the model, change the
 * learning rate and destroy handles; a progress callback may also evaluate or save the trainer. A
 * call that goes beyond ends in FMATCH_ERROR_STATE.
 */
typedef struct fmatch_trainer fmatch_trainer;

/** Which parameters a trainer publishes to its model. */
enum fmatch_publish {
    FMATCH_PUBLISH_PRESENT = 0, /**< those of the last step */
    FMATCH_PUBLISH_AVERAGE = 1, /**< their moving average; needs average_decay > 0 */
    /**
     * Those that had the least validation loss so far; needs validation. Before the first: those
     * that validation would take.
     */
    FMATCH_PUBLISH_BEST = 2
};

/** How a file keeps the history of a training. */
enum fmatch_history_format {
    FMATCH_HISTORY_CSV = 0, /**< a line a step under a header */
    FMATCH_HISTORY_JSON = 1 /**< an array with an object a step */
};

/**
 * Validation by fmatch_trainer_run: the loss on draws that are the same each time, with stratified
 * t unless a user's function draws it, of the moving average if there is one, otherwise of the
 * present parameters. Noise and data are paired as in training. A loss that is not finite counts as
 * worse than any that is.
 */
typedef struct fmatch_validation_config {
    uint32_t struct_size; /**< written by init */
    /**
     * Validations in a row without a loss below the least so far, after which run ends early, with
     * FMATCH_OK, and takes no step when it is called again; 0: never. Default 10.
     */
    int32_t patience;
    int64_t rows;  /**< 1 to 2^24. Default 1024. */
    int64_t every; /**< steps from one to the next, >= 1, from the trainer's first. Default 250. */
    uint64_t seed; /**< of the draws. Default 0. */
    /**
     * Data held out, like the target in shape; kept. NULL: other draws of the target, and the only
     * choice with a SEMIDISCRETE coupling, which goes to the target's rows.
     */
    const fmatch_source *source;
} fmatch_validation_config;

/** Configuration of a trainer. */
typedef struct fmatch_trainer_config {
    uint32_t struct_size; /**< written by init */
    int32_t batch;        /**< rows of a step, 1 to 2^24. Default 256. */
    uint64_t seed;        /**< of noise, data, times and all else that is drawn. Default 0. */
    const fmatch_time_config *time; /**< how t is drawn; NULL: uniformly. Default stratified. */
    const fmatch_loss_config *loss; /**< NULL: the mean square */
    const fmatch_coupling_config *coupling; /**< NULL: independent noise and data */
    /**
     * Share of rows that are trained under the null condition, 0 to 1, where the model accepts it.
     * Default 0.1, as Ho and Salimans 2022 recommend.
     */
    double condition_dropout;
    /**
     * Factor of the optimizer's learning rate, a function of the trainer's step; NULL: 1. Default
     * what fmatch_rate_config_init gives: a cosine with a warm-up.
     */
    const fmatch_rate_config *rate;
    /**
     * Length of the rate's schedule where rate->steps is 0: the steps that will be taken in all; >=
     * 1. Default 10000. It does not end the training, but a cosine is 0 from there on, and steps
     * change nothing, which the log is warned of.
     */
    int64_t steps;
    /**
     * The gradient is multiplied by clip_norm / (norm + 1e-6) where its Euclidean norm over all
     * parameters is above clip_norm: Pascanu et al. 2013, algorithm 1; 0 to 1.7e308, 0: never.
     * Default 1.
     */
    double clip_norm;
    /**
     * d of the moving average of parameters, in [0, 1): after step k = 0, 1, ... average += (1 -
     * d_k) (parameters - average) with d_k = min(d, (1 + k) / (10 + k)). It begins with the first
     * parameters, so that its weights always sum to one. 0: no average,
     * which the default of publish refuses. Default 0.999.
     */
    double average_decay;
    int32_t publish; /**< an fmatch_publish. Default AVERAGE. */
    /**
     * Batches whose mean gradient makes a step of run, as that of their rows together does, 1 to
     * 65536. Their times are stratified together; pairs are coupled by coupling->batch. Default 1.
     */
    int32_t accumulate;
    const fmatch_validation_config *validation; /**< NULL: none */
} fmatch_trainer_config;

/** What a progress callback is told. */
typedef struct fmatch_progress_info {
    uint32_t struct_size;
    uint32_t flags;          /**< 0 */
    int64_t step;            /**< steps done in this call, 1 to steps */
    int64_t steps;           /**< steps asked for in this call */
    double loss;             /**< mean over the steps since the last report */
    double learning_rate;    /**< of the last step, the rate's factor included */
    double seconds;          /**< since the call began */
    double steps_per_second; /**< since the last report */
    double seconds_left;     /**< of the call, at its mean pace so far; 0 if this is its end */
    double gradient_norm;    /**< mean over the steps since the last report, before clipping */
    double validation_loss;  /**< the last one; nan before the first */
} fmatch_progress_info;

/** Where a training stands. */
typedef struct fmatch_trainer_info {
    uint32_t struct_size; /**< set by the caller */
    int32_t stopped;      /**< 1: the patience of validation is at its end, so run takes no step */
    int64_t steps;        /**< taken since the trainer was created */
    int64_t rows;         /**< that these were trained with */
    double loss;          /**< of the last step; nan before the first */
    double learning_rate; /**< of the last step; before the first, the optimizer's */
    double gradient_norm; /**< of the last step, before clipping; nan before the first */
    double validation_loss; /**< the last one; nan before the first */
    double best_loss;       /**< the least validation loss; nan before the first that is finite */
    int64_t best_step;      /**< steps that were taken when it was found; 0 for none */
} fmatch_trainer_info;

/** Reports during fmatch_trainer_run; lent for the call. */
typedef struct fmatch_progress {
    uint32_t struct_size; /**< sizeof(fmatch_progress) */
    uint32_t flags;       /**< 0 */
    /**
     * Steps between reports, >= 0; 0: about a hundred reports. The last step is always reported.
     */
    int64_t every;
    /**
     * Returns 0 to go on; positive: stop with FMATCH_ERROR_CANCELLED; negative: stop with
     * FMATCH_ERROR_CALLBACK.
     */
    int32_t (*report)(void *user, const fmatch_progress_info *info);
    void *user;
} fmatch_progress;

/** The caller's own rows for a step, paired as they come. */
typedef struct fmatch_batch {
    uint32_t struct_size;   /**< sizeof(fmatch_batch) */
    uint32_t flags;         /**< 0 */
    int64_t n;              /**< rows, 1 to 2^24 */
    const float *target;    /**< [n, dim], x1, finite */
    const float *noise;     /**< [n, dim], x0, finite; NULL: drawn from the model's noise */
    const float *t;         /**< [n], in [0, 1]; NULL: drawn as configured */
    const float *condition; /**< [n, condition_dim]; NULL: none, or the null condition */
    const float *weight;    /**< [n], finite, >= 0, not all 0; NULL: 1 each */
} fmatch_batch;

#ifdef __cplusplus
extern "C" {
#endif

/** Fill in the recommended values. */
#define fmatch_trainer_config_init(config)                                                         \
    fmatch_trainer_config_init_preset((config), FMATCH_PRESET_RECOMMENDED)
/**
 * Fill in the values of a named preset, an fmatch_preset. PLAIN: batches of 256, uniform t, a
 * constant learning rate and no clipping, average or validation.
 */
#define fmatch_trainer_config_init_preset(config, preset)                                          \
    fmatch_trainer_config_init_sized((config), sizeof *(config), (preset))
FMATCH_API void fmatch_trainer_config_init_sized(fmatch_trainer_config *config, size_t size,
                                                 int32_t preset);

/**
 * Create a trainer.
 *
 * @param trainer    written: the new handle, owned by the caller; NULL on failure.
 * @param model      with parameters; its present ones are where training starts.
 * @param optimizer  new, or of a trainer whose creation failed; from now on it belongs to this
 * trainer.
 * @param target     the data, of the model's dimension, with the model's conditions if it has any;
 * NULL if only the caller's own rows will be used. A weighted source's weights multiply the loss.
 * The log is told if the model does not standardise and some column, unless a callback draws it,
 * has |mean| > 10 or a deviation, other than 0, outside of [0.1, 10].
 * @param config     or NULL for the recommended values.
 *
 * @return FMATCH_OK · FMATCH_ERROR_ARGUMENT · FMATCH_ERROR_SHAPE (dimensions or conditions differ)
 * · FMATCH_ERROR_STRUCT_SIZE · FMATCH_ERROR_STATE (the optimizer has a trainer) ·
 * FMATCH_ERROR_UNSUPPORTED (the model has no parameters; a semidiscrete coupling without stored
 * rows, or with conditions) · FMATCH_ERROR_CALLBACK, FMATCH_ERROR_NOT_FINITE, FMATCH_ERROR_FORMAT
 * or FMATCH_ERROR_IO (what a semidiscrete coupling draws and reads) · FMATCH_ERROR_NO_MEMORY. On
 * failure the destroy functions of the configuration's callbacks have been called, if trainer,
 * model and optimizer are not NULL, the model has parameters, and the structs could be read.
 */
FMATCH_API FMATCH_WARN_UNUSED fmatch_status
fmatch_trainer_create(fmatch_trainer **trainer, fmatch_model *model, fmatch_optimizer *optimizer,
                      const fmatch_source *target, const fmatch_trainer_config *config);

/** Fill in the recommended values. */
#define fmatch_validation_config_init(config)                                                      \
    fmatch_validation_config_init_sized((config), sizeof *(config))
FMATCH_API void fmatch_validation_config_init_sized(fmatch_validation_config *config, size_t size);

/** Give the handle up. Accepts NULL and a NULL handle. */
FMATCH_API void fmatch_trainer_destroy(fmatch_trainer **trainer);

/**
 * Train, and publish parameters to the model. May be called again to go on: N steps and N steps
 * more are the same as 2 N. The steps are fewer if the patience of validation comes to its end.
 *
 * @param trainer   with a target.
 * @param steps     >= 0.
 * @param progress  or NULL.
 *
 * @return FMATCH_OK · FMATCH_ERROR_ARGUMENT · FMATCH_ERROR_STRUCT_SIZE · FMATCH_ERROR_STATE (no
 * target) · FMATCH_ERROR_CALLBACK · FMATCH_ERROR_CANCELLED · FMATCH_ERROR_NOT_FINITE (loss or
 * gradient; detail names the step) · FMATCH_ERROR_ARGUMENT (a label, time or pair that a user's
 * function gave) · FMATCH_ERROR_STEP_LIMIT (an entropic coupling that did not converge) ·
 * FMATCH_ERROR_FORMAT or FMATCH_ERROR_IO (a file that changed) · FMATCH_ERROR_NO_MEMORY. Whatever
 * the status, the steps that were completed are kept and published; a step that fails leaves the
 * parameters as they were before it.
 */
FMATCH_API FMATCH_WARN_UNUSED fmatch_status fmatch_trainer_run(fmatch_trainer *trainer,
                                                               int64_t steps,
                                                               const fmatch_progress *progress);

/**
 * Take one step on the caller's own rows, and publish parameters to the model. Rate, clipping and
 * average are as in run; there is no validation.
 *
 * @param trainer  any.
 * @param batch    the rows.
 * @param loss     written: the loss before the step. May be NULL.
 *
 * @return FMATCH_OK · FMATCH_ERROR_ARGUMENT · FMATCH_ERROR_STRUCT_SIZE · FMATCH_ERROR_NOT_FINITE
 * (input, loss, gradient or a user's factor) · FMATCH_ERROR_CALLBACK · FMATCH_ERROR_NO_MEMORY. On
 * failure the parameters are as before.
 */
FMATCH_API FMATCH_WARN_UNUSED fmatch_status fmatch_trainer_run_batch(fmatch_trainer *trainer,
                                                                     const fmatch_batch *batch,
                                                                     double *loss);

/**
 * Loss and gradient on the caller's own rows, without a step; fmatch_trainer_get_gradient reads the
 * gradient. Parameters and statuses as for fmatch_trainer_run_batch; noise and times that are not
 * given are those of the step that would come next.
 */
FMATCH_API FMATCH_WARN_UNUSED fmatch_status fmatch_trainer_evaluate_batch(fmatch_trainer *trainer,
                                                                          const fmatch_batch *batch,
                                                                          double *loss);

/**
 * Copy the gradient of the last batch, or of those of one step, with respect to a named array of
 * the model's parameters. It is not clipped.
 *
 * @param trainer  that has evaluated or run a batch.
 * @param name     for instance "net.0.weight".
 * @param count    the product of the array's shape.
 * @param values   [count], written.
 *
 * @return FMATCH_OK · FMATCH_ERROR_ARGUMENT (no such name) · FMATCH_ERROR_SHAPE (another count) ·
 * FMATCH_ERROR_STATE (no batch so far).
 */
FMATCH_API FMATCH_WARN_UNUSED fmatch_status fmatch_trainer_get_gradient(
    const fmatch_trainer *trainer, const char *name, int64_t count, float *values);

/**
 * Write all that training has reached to a file: parameters, their average and the best ones, the
 * optimizer's state and learning rate, counters, and what fmatch_trainer_get_losses and its like
 * give back. A trainer that loads it goes on as this one would, with the same bits for any number
 * of threads; see fmatch_trainer_load. The file appears whole or not at all: an interrupted call
 * leaves the file that was there before.
 *
 * @param trainer  any; a progress callback may save too.
 * @param path     of the file, which is replaced.
 *
 * @return FMATCH_OK · FMATCH_ERROR_ARGUMENT · FMATCH_ERROR_STATE (the trainer is in a step) ·
 * FMATCH_ERROR_IO.
 */
FMATCH_API FMATCH_WARN_UNUSED fmatch_status fmatch_trainer_save(fmatch_trainer *trainer,
                                                                const char *path);

/**
 * Take over what another trainer has saved, and publish the parameters to the model. Steps that
 * this trainer had taken, its parameters and its learning rate are replaced.
 *
 * The trainer must have been created as the one that saved: with a network, path, standardisation
 * and conditions, a kind of optimizer and its settings, and a configuration that are the same, but
 * for what changes no step: the learning rate at creation, what is published, and the patience of
 * validation. Whether data, the model's noise and callbacks are the same is the caller's to know;
 * only the number of a target's stored rows and whether it has weights are compared.
 *
 * @param trainer  that is not running.
 * @param path     of a file that fmatch_trainer_save wrote.
 *
 * @return FMATCH_OK · FMATCH_ERROR_ARGUMENT · FMATCH_ERROR_STATE, FMATCH_ERROR_SHAPE (a setting
 * differs; detail names the first one and both values) · FMATCH_ERROR_IO · FMATCH_ERROR_FORMAT (no
 * checkpoint, or a damaged one) · FMATCH_ERROR_VERSION (of a later library) ·
 * FMATCH_ERROR_NO_MEMORY. On failure trainer, optimizer and model are as before.
 */
FMATCH_API FMATCH_WARN_UNUSED fmatch_status fmatch_trainer_load(fmatch_trainer *trainer,
                                                                const char *path);

/**
 * Loss of the parameters that validation would take, the moving average if there is one and
 * otherwise the present ones, on n fixed draws of (t, x0, x1); nothing is learned from them, and
 * they are independent of the training's own. Rows count by their weights.
 *
 * @param trainer  with a target.
 * @param seed     equal seeds give equal draws.
 * @param n        rows, >= 1.
 * @param loss     written.
 *
 * @return FMATCH_OK · FMATCH_ERROR_ARGUMENT · FMATCH_ERROR_STATE (no target) ·
 * FMATCH_ERROR_CALLBACK · FMATCH_ERROR_NOT_FINITE.
 */
FMATCH_API FMATCH_WARN_UNUSED fmatch_status fmatch_trainer_evaluate(fmatch_trainer *trainer,
                                                                    uint64_t seed, int64_t n,
                                                                    double *loss);

/**
 * Steps taken since the trainer was created, which is also the number of losses kept; 0 for NULL.
 */
FMATCH_API int64_t fmatch_trainer_count_steps(const fmatch_trainer *trainer);

/**
 * Copy the losses of past steps.
 *
 * @param trainer  any.
 * @param first    first step, >= 0.
 * @param n        steps, >= 0; first + n is at most fmatch_trainer_count_steps.
 * @param losses   [n], written.
 *
 * @return FMATCH_OK · FMATCH_ERROR_ARGUMENT.
 */
FMATCH_API FMATCH_WARN_UNUSED fmatch_status fmatch_trainer_get_losses(const fmatch_trainer *trainer,
                                                                      int64_t first, int64_t n,
                                                                      double *losses);

/**
 * Where the training stands.
 *
 * @param trainer  any.
 * @param info     its struct_size set; the rest is written.
 *
 * @return FMATCH_OK · FMATCH_ERROR_ARGUMENT · FMATCH_ERROR_STRUCT_SIZE.
 */
FMATCH_API FMATCH_WARN_UNUSED fmatch_status fmatch_trainer_get_info(const fmatch_trainer *trainer,
                                                                    fmatch_trainer_info *info);

/**
 * Save what became of every step: step, from 1, loss, learning_rate, gradient_norm (before
 * clipping) and validation_loss, which is empty, or null, where there was none or it was not
 * finite. Numbers have all their digits. The file is written as fmatch_model_save writes.
 *
 * @param trainer  any.
 * @param path     the file.
 * @param format   an fmatch_history_format.
 *
 * @return FMATCH_OK · FMATCH_ERROR_ARGUMENT · FMATCH_ERROR_IO.
 */
FMATCH_API FMATCH_WARN_UNUSED fmatch_status
fmatch_trainer_save_history(const fmatch_trainer *trainer, const char *path, int32_t format);

#ifdef __cplusplus
}
#endif

#endif
