/* What a multilayer perceptron is made of, as its configuration says it. */
#ifndef MODEL_MLP_SHAPE_H
#define MODEL_MLP_SHAPE_H

#include "model/condition.h"

#include <flowmatch/model.h>

enum { MLP_HIDDEN_LAYERS_MAX = 64 };

struct mlp_shape {
    int32_t dim, hidden_layers;
    int32_t hidden_widths[MLP_HIDDEN_LAYERS_MAX], activations[MLP_HIDDEN_LAYERS_MAX];
    int32_t time_frequencies; /* 0: the network sees t itself */
    int32_t residual_layers, normalisation, output_init;
    struct condition condition; /* where its parameters are is for the network to say */
};

/* Of a configuration whose dim is in range; everything else about the network is checked. Arrays
 * that belong to the condition stay the caller's. */
fmatch_status mlp_shape_read(struct mlp_shape *shape, const fmatch_mlp_config *config);

/* Writes the fields of a configuration that mlp_shape_read reads; arrays are the shape's. */
void mlp_shape_describe(const struct mlp_shape *shape, fmatch_mlp_config *config);

/* Whether hidden layer l ends a residual block, which is to say adds the output of layer
 * l - residual_layers to its own. */
static inline bool mlp_shape_ends_block(const struct mlp_shape *shape, int32_t l)
{
    return shape->residual_layers > 0 && l > 0 && l % shape->residual_layers == 0;
}

#endif
