/* What a coupling's configuration and the structs it points to say, checked. */
#ifndef PATH_COUPLING_SETTINGS_H
#define PATH_COUPLING_SETTINGS_H

#include <flowmatch/coupling.h>

#include "path/coupling.h"

enum { COUPLING_ROWS_MAX = 16384 };

struct coupling_settings {
    fmatch_coupling_config config; /* whose pointers are NULL: what they pointed to is below */
    fmatch_sinkhorn_config entropic;
    fmatch_semidiscrete_config semidiscrete;
    fmatch_coupling_callbacks callbacks;
};

/* Is its plan entropic? */
bool coupling_kind_is_entropic(int32_t kind);

/* A copy, defaults filled in. On failure the callbacks have been copied if they could be read, and
 * are zero if not. */
fmatch_status coupling_settings_read(struct coupling_settings *settings,
                                     const fmatch_coupling_config *config,
                                     const struct coupling_shape *shape);

#endif
