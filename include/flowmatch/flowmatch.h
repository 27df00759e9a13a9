/**
 * libflowmatch: train, sample and evaluate flow matching models from C.
 *
 * A network v(x, t) is trained to be the velocity field that carries samples of a simple
 * distribution (t = 0, noise) to samples of a target distribution (t = 1, data); sampling
 * integrates dx/dt = v(x, t). Lipman et al., "Flow Matching for Generative Modeling", 2023; Liu et
 * al., "Flow Straight and Fast", 2023.
 *
 * Conventions that hold in every header:
 *
 * - Data is `float`, row-major and contiguous, written [rows, columns]. Dimensions are int32_t,
 * rows and steps int64_t.
 * - A function that can fail returns an fmatch_status and says more in fmatch_error_detail().
 * - `create` functions write NULL to their out-pointer on failure. `destroy` functions take the
 * address of the handle, set it to NULL, and accept NULL. A handle keeps alive whatever it was
 * created from, so handles may be destroyed in any order and from any thread.
 * - Pointers passed in are borrowed for the call unless the parameter says otherwise; the library
 * copies what it needs.
 * - A configuration starts with fmatch_x_config_init(&c), which writes its size and the recommended
 * defaults. Structs of callbacks have no defaults: set them to zero, and struct_size to their
 * sizeof.
 * - Nothing global is mutable: two threads may use two contexts, or handles of one context, without
 * a lock. A handle that has state (trainer, optimizer, sampler) serves one thread at a time.
 */
#ifndef FLOWMATCH_FLOWMATCH_H
#define FLOWMATCH_FLOWMATCH_H

#include "context.h"
#include "coupling.h"
#include "divergence.h"
#include "likelihood.h"
#include "loss.h"
#include "metrics.h"
#include "model.h"
#include "optimizer.h"
#include "path.h"
#include "random.h"
#include "rate.h"
#include "sampler.h"
#include "source.h"
#include "status.h"
#include "time.h"
#include "trainer.h"
#include "transport.h"
#include "version.h"

#endif
