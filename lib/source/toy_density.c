/* Densities of the toy distributions that have one in closed form. */
#include "source/toy_shape.h"

#include <math.h>

#define PI 3.14159265358979323846264338327950288

/* log(exp(-z) I0(z)) for z >= 0, with the modified Bessel function of order 0 (Abramowitz and
 * Stegun 1964, 9.6.12 and 9.7.1). All terms of the series are positive; those of the asymptotic
 * expansion fall below a double's precision before they grow again. */
static double log_scaled_bessel(double z)
{
    double sum = 1.0, term = 1.0;
    if (z <= 30.0) {
        for (int k = 1; term > 1e-17 * sum; k++)
            sum += term *= z * z / (4.0 * k * k);
        return log(sum) - z;
    }
    for (int k = 1; term > 1e-17; k++)
        sum += term *= (2.0 * k - 1.0) * (2.0 * k - 1.0) / (8.0 * k * z);
    return log(sum) - 0.5 * log(2.0 * PI * z);
}

/* N(0, s^2 I) about a point that is uniform on a circle of radius R: with r = |x|,
 * exp(-(r - R)^2 / (2 s^2)) exp(-z) I0(z) / (2 pi s^2), z = r R / s^2. */
static double ring_log_density(double distance, double radius, double deviation)
{
    const double off = (distance - radius) / deviation;
    return -0.5 * off * off + log_scaled_bessel(distance / deviation * radius / deviation) -
           log(2.0 * PI) - 2.0 * log(deviation);
}

static double gaussian_log_density(double x, double y, double deviation)
{
    return -0.5 * (x * x + y * y) / (deviation * deviation) - log(2.0 * PI) - 2.0 * log(deviation);
}

/* Of one component, about the origin of a toy without shift. */
static double component_log_density(const struct toy *toy, int32_t component, double x, double y)
{
    const double radius = toy->scale * toy_radius(toy->kind, component);
    if (toy->kind != FMATCH_TOY_EIGHT_GAUSSIANS)
        return ring_log_density(hypot(x, y), radius, toy->deviation);
    const double angle = 2.0 * PI * component / 8.0;
    return gaussian_log_density(x - radius * cos(angle), y - radius * sin(angle), toy->deviation);
}

/* Half of the 16 cells, each as likely. */
static double checkerboard_log_density(const struct toy *toy, double x, double y)
{
    const double a = floor(x / toy->scale), b = floor(y / toy->scale);
    const bool inside = a >= -2.0 && a < 2.0 && b >= -2.0 && b < 2.0;
    if (!inside || fmod(a + b + 4.0, 2.0) != 0.0)
        return -(double)INFINITY;
    return -log(8.0 * toy->scale * toy->scale);
}

bool toy_has_density(const struct toy *toy)
{
    switch (toy->kind) {
    case FMATCH_TOY_CHECKERBOARD:
        return true;
    case FMATCH_TOY_EIGHT_GAUSSIANS:
    case FMATCH_TOY_RINGS:
    case FMATCH_TOY_CIRCLES:
        return toy->deviation > 0.0;
    default:
        return false;
    }
}

double toy_log_density(const struct toy *toy, const float *x)
{
    if (toy->kind == FMATCH_TOY_CHECKERBOARD)
        return checkerboard_log_density(toy, x[0], x[1]);
    double each[8], largest = -(double)INFINITY, sum = 0.0;
    const int32_t components = toy_count_components(toy->kind);
    for (int32_t k = 0; k < components; k++) {
        each[k] = component_log_density(toy, k, x[0], x[1]);
        largest = fmax(largest, each[k]);
    }
    if (isinf(largest)) /* too far for a double */
        return -(double)INFINITY;
    for (int32_t k = 0; k < components; k++)
        sum += exp(each[k] - largest);
    return largest + log(sum / components);
}
