/* The shapes of the toy distributions, and the conventions in which the literature draws them.
 *
 * A row is scale (shape + noise) + shift. Shapes have about unit size; what is random in them comes
 * from the row's own numbers. */
#ifndef SOURCE_TOY_SHAPE_H
#define SOURCE_TOY_SHAPE_H

#include <flowmatch/source.h>

#include "compute/vector_kernels.h"

/* A distribution with its numbers settled. */
struct toy {
    int32_t kind;
    double noise; /* in the convention's words: a deviation, or the width of uniform noise */
    double scale;
    double shift[2];
    double deviation;      /* of normal noise, in the units of the rows */
    double shared_uniform; /* width of uniform noise that both coordinates share, of the shape */
    double jitter;         /* width of uniform noise of each coordinate, of the shape */
};

/* What a row is made of. */
struct toy_numbers {
    float choice;      /* uniform: chooses the component */
    float position;    /* uniform: where in the component */
    float uniforms[2]; /* for what else is needed */
    float normals[2];
};

/* One row on its way. */
struct toy_point {
    struct toy_numbers numbers;
    const struct vector_kernels *kernels;
    int32_t component;
    float sine, cosine; /* of the angle that toy_angle gives */
    double x[2];        /* of the shape */
};

/* The distribution that a configuration names; its noise < 0 means the convention's.
 * FMATCH_ERROR_ARGUMENT if the pair does not exist. */
fmatch_status toy_resolve(struct toy *toy, const fmatch_toy_config *config);

/* Components of a kind; 1 where it has none to tell apart. */
int32_t toy_count_components(int32_t kind);

/* The point's angle in turns, on [0, 1), and then its place. */
float toy_angle(const struct toy *toy, struct toy_point *point);
void toy_place(const struct toy *toy, const struct toy_point *point, float *row);

/* Mean and deviation of both columns, exact. */
void toy_moments(const struct toy *toy, double *mean, double *std);

/* Logarithm of the density at x [2]; false if there is none in closed form. */
bool toy_has_density(const struct toy *toy);
double toy_log_density(const struct toy *toy, const float *x);

/* Radius of a component of the rings or circles, of the shape. */
double toy_radius(int32_t kind, int32_t component);

#endif
