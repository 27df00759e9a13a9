/* How the configurations of transport are read. */
#ifndef PATH_TRANSPORT_SETTINGS_H
#define PATH_TRANSPORT_SETTINGS_H

#include <flowmatch/transport.h>

/* Defaults where `given` is NULL; a rho of 0 becomes infinity. */
fmatch_status transport_read_sinkhorn(const fmatch_sinkhorn_config *given,
                                      fmatch_sinkhorn_config *config);

/* Defaults where `given` is NULL. */
fmatch_status transport_read_semidiscrete(const fmatch_semidiscrete_config *given,
                                          fmatch_semidiscrete_config *config);

/* Epsilon in the unit of the costs, of which there are `count`. */
fmatch_status transport_epsilon(const fmatch_sinkhorn_config *config, int64_t count,
                                const double *cost, double *epsilon);

#endif
