/* Forward mode of a multilayer perceptron: products of its Jacobian with respect to x. */
#ifndef MODEL_MLP_TANGENT_H
#define MODEL_MLP_TANGENT_H

#include "model/mlp.h"

/* Evaluates at most mlp_rows_together rows, with the scratch of mlp_evaluate, and keeps in `record`
 * what their tangents are multiplied by; v may be x. */
int64_t mlp_record_size(const struct mlp *mlp, int64_t n);
void mlp_evaluate_recorded(const struct mlp *mlp, struct parameter_view parameters, float *scratch,
                           const struct mlp_rows *rows, float *v, float *record);

/* Rows of tangents that pass through the network together, at most. */
enum { MLP_TANGENT_ROWS = 256 };

/* Floats of scratch for these. */
int64_t mlp_tangent_size(const struct mlp *mlp);

/* `count` tangents of each of n rows whose record is at hand; MLP_TANGENT_ROWS or fewer. */
struct mlp_tangents {
    int64_t n;
    int32_t count;
    const float *record;
};

/* ju = J u for u [count, n, dim]; ju may be u. */
void mlp_push(const struct mlp *mlp, struct parameter_view parameters, float *scratch,
              const struct mlp_tangents *tangents, const float *u, float *ju);

/* Elements (j, j) of J, columns first to first + count - 1 of diagonal [n, dim]. */
void mlp_push_units(const struct mlp *mlp, struct parameter_view parameters, float *scratch,
                    const struct mlp_tangents *tangents, int32_t first, float *diagonal);

#endif
