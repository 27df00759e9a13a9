#include "source/toy_shape.h"

#include "base/configuration.h"
#include "base/status.h"

#include <math.h>

#define PI 3.14159265358979323846264338327950288

/* Noise beyond any use; it keeps every row finite. */
#define NOISE_MAX 1e6

/* ---- conventions ---- */

/* How the noise of a convention enters. */
enum noise_kind {
    NOISE_NORMAL,    /* in both coordinates */
    NOISE_SHARED,    /* uniform on [0, noise), the same number in both coordinates */
    NOISE_TANGENTIAL /* normal along an arm of the pinwheel, three times as much across */
};

struct convention {
    int32_t kind, convention;
    enum noise_kind noise_kind;
    double noise;      /* in the convention's units */
    double noise_unit; /* of normal noise: from the convention's units to those of the rows */
    double scale, shift[2];
    double jitter;    /* uniform on [0, jitter) in each coordinate, before the scale */
    double deviation; /* if not 0: of all coordinates together, which are centred */
};

/* TORCHCFM: the functions of the package of that name and of torchdyn, from which it takes the
 * moons (Tong et al. 2024). TORCHCFM_RUNNER and MOONS_TO_GAUSSIANS: the programs behind that paper.
 * FFJORD: its toy data (Grathwohl et al. 2019), whose moons, circles and Swiss roll are
 * scikit-learn's. FLOW_MATCHING: the notebooks of "Flow Matching Guide and Code" (Lipman et al.
 * 2024). */
static const struct convention conventions[] = {
    {FMATCH_TOY_TWO_MOONS, FMATCH_TOY_PLAIN, NOISE_NORMAL, 0.1, 1.0, 1.0, {0}, 0, 0},
    {FMATCH_TOY_TWO_MOONS, FMATCH_TOY_TORCHCFM, NOISE_SHARED, 0.2, 0, 3.0, {-1.0, -1.0}, 0, 0},
    {FMATCH_TOY_TWO_MOONS,
     FMATCH_TOY_TORCHCFM_RUNNER,
     NOISE_NORMAL,
     0.05,
     2.0,
     2.0,
     {-1.0, 0},
     0,
     0},
    {FMATCH_TOY_TWO_MOONS, FMATCH_TOY_MOONS_TO_GAUSSIANS, NOISE_NORMAL, 0.1, 0, 0, {0}, 0, 7.0},
    {FMATCH_TOY_TWO_MOONS, FMATCH_TOY_FFJORD, NOISE_NORMAL, 0.1, 2.0, 2.0, {-1.0, -0.2}, 0, 0},
    {FMATCH_TOY_EIGHT_GAUSSIANS, FMATCH_TOY_PLAIN, NOISE_NORMAL, 0.1, 1.0, 1.0, {0}, 0, 0},
    /* A covariance of sqrt(0.1) I. */
    {FMATCH_TOY_EIGHT_GAUSSIANS,
     FMATCH_TOY_TORCHCFM,
     NOISE_NORMAL,
     0.56234132519034908,
     1.0,
     5.0,
     {0},
     0,
     0},
    {FMATCH_TOY_EIGHT_GAUSSIANS,
     FMATCH_TOY_MOONS_TO_GAUSSIANS,
     NOISE_NORMAL,
     1.5,
     1.0,
     12.0,
     {0},
     0,
     0},
    {FMATCH_TOY_EIGHT_GAUSSIANS,
     FMATCH_TOY_FFJORD,
     NOISE_NORMAL,
     0.5,
     1.0 / 1.414,
     4.0 / 1.414,
     {0},
     0,
     0},
    {FMATCH_TOY_CHECKERBOARD, FMATCH_TOY_PLAIN, NOISE_NORMAL, 0, 1.0, 1.0, {0}, 0, 0},
    {FMATCH_TOY_CHECKERBOARD, FMATCH_TOY_FFJORD, NOISE_NORMAL, 0, 1.0, 2.0, {0}, 0, 0},
    {FMATCH_TOY_CHECKERBOARD,
     FMATCH_TOY_FLOW_MATCHING,
     NOISE_NORMAL,
     0,
     1.0,
     1.0 / 0.45,
     {0},
     0,
     0},
    {FMATCH_TOY_TWO_SPIRALS,
     FMATCH_TOY_PLAIN,
     NOISE_NORMAL,
     0.02,
     1.0,
     1.0 / (3.0 * PI),
     {0},
     0,
     0},
    {FMATCH_TOY_TWO_SPIRALS, FMATCH_TOY_FFJORD, NOISE_NORMAL, 0.1, 1.0, 1.0 / 3.0, {0}, 0.5, 0},
    {FMATCH_TOY_PINWHEEL, FMATCH_TOY_PLAIN, NOISE_TANGENTIAL, 0.1, 0, 1.0, {0}, 0, 0},
    {FMATCH_TOY_PINWHEEL, FMATCH_TOY_FFJORD, NOISE_TANGENTIAL, 0.1, 0, 2.0, {0}, 0, 0},
    {FMATCH_TOY_RINGS, FMATCH_TOY_PLAIN, NOISE_NORMAL, 0.02, 1.0, 1.0, {0}, 0, 0},
    {FMATCH_TOY_RINGS, FMATCH_TOY_FFJORD, NOISE_NORMAL, 0.08, 1.0, 3.0, {0}, 0, 0},
    {FMATCH_TOY_CIRCLES, FMATCH_TOY_PLAIN, NOISE_NORMAL, 0.05, 1.0, 1.0, {0}, 0, 0},
    {FMATCH_TOY_CIRCLES, FMATCH_TOY_FFJORD, NOISE_NORMAL, 0.08, 3.0, 3.0, {0}, 0, 0},
    {FMATCH_TOY_SWISS_ROLL, FMATCH_TOY_PLAIN, NOISE_NORMAL, 0.02, 1.0, 1.0 / (4.5 * PI), {0}, 0, 0},
    {FMATCH_TOY_SWISS_ROLL, FMATCH_TOY_FFJORD, NOISE_NORMAL, 1.0, 0.2, 0.2, {0}, 0, 0},
    {FMATCH_TOY_S_CURVE, FMATCH_TOY_PLAIN, NOISE_NORMAL, 0.05, 1.0, 1.0, {0}, 0, 0},
    {FMATCH_TOY_S_CURVE, FMATCH_TOY_TORCHCFM_RUNNER, NOISE_NORMAL, 0.05, 1.5, 1.5, {0}, 0, 0},
};

/* ---- shapes ---- */

/* Moments of the shape alone; `second` are those about 0. */
struct shape_moments {
    double mean[2], second[2];
};

struct shape {
    const char *name;
    int32_t components;
    /* The angle in turns, if the shape has one. */
    double (*angle)(const struct toy *toy, const struct toy_point *point);
    void (*place)(const struct toy *toy, const struct toy_point *point, double *x);
    struct shape_moments (*moments)(const struct toy *toy);
};

/* The moons: half circles of radius 1, the lower one about (1, 1/2). */
static double moon_angle(const struct toy *toy, const struct toy_point *p)
{
    (void)toy;
    return 0.5 * p->numbers.position;
}

static void moon_place(const struct toy *toy, const struct toy_point *p, double *x)
{
    const double both = toy->shared_uniform * p->numbers.uniforms[0];
    x[0] = (p->component == 0 ? p->cosine : 1.0 - p->cosine) + both;
    x[1] = (p->component == 0 ? p->sine : 0.5 - p->sine) + both;
}

/* E sin = 2 / pi on a half circle, E sin^2 = E cos^2 = 1/2. */
static struct shape_moments moon_moments(const struct toy *toy)
{
    const double a = toy->shared_uniform;
    const double mean[2] = {0.5, 0.25}, second[2] = {1.0, 0.625 - 1.0 / PI};
    struct shape_moments m;
    for (int j = 0; j < 2; j++) {
        m.mean[j] = mean[j] + a / 2.0;
        m.second[j] = second[j] + mean[j] * a + a * a / 3.0;
    }
    return m;
}

/* Eight centres on the unit circle, counted from (1, 0) towards (0, 1). */
static double gaussian_angle(const struct toy *toy, const struct toy_point *p)
{
    (void)toy;
    return p->component / 8.0;
}

static void circle_place(const struct toy *toy, const struct toy_point *p, double *x)
{
    const double radius = toy_radius(toy->kind, p->component);
    x[0] = radius * p->cosine;
    x[1] = radius * p->sine;
}

static double ring_angle(const struct toy *toy, const struct toy_point *p)
{
    (void)toy;
    return p->numbers.position;
}

static struct shape_moments circle_moments(const struct toy *toy)
{
    const int32_t components = toy_count_components(toy->kind);
    double square = 0.0;
    for (int32_t k = 0; k < components; k++)
        square += toy_radius(toy->kind, k) * toy_radius(toy->kind, k) / components;
    return (struct shape_moments){.second = {square / 2.0, square / 2.0}};
}

/* Cells of side 1 on [-2, 2]^2, two in each column of the board; a row lies in the middle of a
 * square of a grid of 2^-20, so that no rounding carries it over an edge. */
static void checkerboard_place(const struct toy *toy, const struct toy_point *p, double *x)
{
    const double fine = 1048576.0;
    const int32_t column = p->component / 2, lower = p->component % 2;
    (void)toy;
    x[0] = column - 2 + (floor(p->numbers.position * fine) + 0.5) / fine;
    x[1] = column % 2 - 2 * lower + (floor(p->numbers.uniforms[0] * fine) + 0.5) / fine;
}

/* Uniform on [-2, 2] in each coordinate. */
static struct shape_moments checkerboard_moments(const struct toy *toy)
{
    (void)toy;
    return (struct shape_moments){.second = {4.0 / 3.0, 4.0 / 3.0}};
}

/* Two arms of a spiral of Archimedes, each the other one turned by half; the angle is 3 pi sqrt(u),
 * as which the arm's points are spread evenly. */
static double spiral_turns(const struct toy_point *p)
{
    return 1.5 * sqrt((double)p->numbers.position);
}

static double spiral_angle(const struct toy *toy, const struct toy_point *p)
{
    (void)toy;
    return spiral_turns(p);
}

static void spiral_place(const struct toy *toy, const struct toy_point *p, double *x)
{
    const double radius = 2.0 * PI * spiral_turns(p), side = p->component == 0 ? 1.0 : -1.0;
    x[0] = side * (-radius * p->cosine + toy->jitter * p->numbers.uniforms[0]);
    x[1] = side * (radius * p->sine + toy->jitter * p->numbers.uniforms[1]);
}

/* With s of density 2 s / (9 pi^2) on [0, 3 pi]: E s^2 cos^2 s = 9 pi^2 / 4 + 3/4, E s^2 sin^2 s =
 * 9 pi^2 / 4 - 3/4, E s cos s = -4 / (3 pi), E s sin s = 2 - 8 / (9 pi^2). */
static struct shape_moments spiral_moments(const struct toy *toy)
{
    const double c = toy->jitter;
    return (struct shape_moments){
        .second = {2.25 * PI * PI + 0.75 + c * 4.0 / (3.0 * PI) + c * c / 3.0,
                   2.25 * PI * PI - 0.75 + c * (2.0 - 8.0 / (9.0 * PI * PI)) + c * c / 3.0}};
}

/* Five Gaussians about (1, 0), each turned by its place on the circle and then by more the farther
 * out, clockwise. */
static double pinwheel_outward(const struct toy *toy, const struct toy_point *p)
{
    return 1.0 + 3.0 * toy->noise * p->numbers.normals[0];
}

static double pinwheel_angle(const struct toy *toy, const struct toy_point *p)
{
    const double rate = 0.25;
    const float outward = (float)pinwheel_outward(toy, p);
    float growth;
    p->kernels->exp(1, &outward, &growth);
    return p->component / 5.0 + rate * growth / (2.0 * PI);
}

static void pinwheel_place(const struct toy *toy, const struct toy_point *p, double *x)
{
    const double outward = pinwheel_outward(toy, p), across = toy->noise * p->numbers.normals[1];
    x[0] = outward * p->cosine + across * p->sine;
    x[1] = across * p->cosine - outward * p->sine;
}

/* Of five-fold symmetry: the mean is 0, and each coordinate has half of E |x|^2. */
static struct shape_moments pinwheel_moments(const struct toy *toy)
{
    const double half = (1.0 + 10.0 * toy->noise * toy->noise) / 2.0;
    return (struct shape_moments){.second = {half, half}};
}

/* The roll's angle is uniform on [3 pi / 2, 9 pi / 2], and its radius the angle. */
static double roll_turns(const struct toy_point *p)
{
    return 0.75 * (1.0 + 2.0 * p->numbers.position);
}

static double roll_angle(const struct toy *toy, const struct toy_point *p)
{
    (void)toy;
    return roll_turns(p);
}

static void roll_place(const struct toy *toy, const struct toy_point *p, double *x)
{
    const double radius = 2.0 * PI * roll_turns(p);
    (void)toy;
    x[0] = radius * p->cosine;
    x[1] = radius * p->sine;
}

static struct shape_moments roll_moments(const struct toy *toy)
{
    (void)toy;
    return (struct shape_moments){.mean = {2.0, 2.0 / (3.0 * PI)},
                                  .second = {4.875 * PI * PI - 0.25, 4.875 * PI * PI + 0.25}};
}

/* (sin s, sign(s) (cos s - 1)) for s uniform on [-3 pi / 2, 3 pi / 2]. */
static double s_angle(const struct toy *toy, const struct toy_point *p)
{
    (void)toy;
    return 1.5 * ((double)p->numbers.position - 0.5);
}

static void s_place(const struct toy *toy, const struct toy_point *p, double *x)
{
    const double bend = p->cosine - 1.0;
    (void)toy;
    x[0] = p->sine;
    x[1] = p->numbers.position < 0.5F ? -bend : bend;
}

static struct shape_moments s_moments(const struct toy *toy)
{
    (void)toy;
    return (struct shape_moments){.second = {0.5, 1.5 + 4.0 / (3.0 * PI)}};
}

static const struct shape shapes[] = {
    [FMATCH_TOY_TWO_MOONS] = {"two moons", 2, moon_angle, moon_place, moon_moments},
    [FMATCH_TOY_EIGHT_GAUSSIANS] = {"eight Gaussians", 8, gaussian_angle, circle_place,
                                    circle_moments},
    [FMATCH_TOY_CHECKERBOARD] = {"checkerboard", 8, NULL, checkerboard_place, checkerboard_moments},
    [FMATCH_TOY_TWO_SPIRALS] = {"two spirals", 2, spiral_angle, spiral_place, spiral_moments},
    [FMATCH_TOY_PINWHEEL] = {"pinwheel", 5, pinwheel_angle, pinwheel_place, pinwheel_moments},
    [FMATCH_TOY_RINGS] = {"rings", 4, ring_angle, circle_place, circle_moments},
    [FMATCH_TOY_CIRCLES] = {"circles", 2, ring_angle, circle_place, circle_moments},
    [FMATCH_TOY_SWISS_ROLL] = {"Swiss roll", 1, roll_angle, roll_place, roll_moments},
    [FMATCH_TOY_S_CURVE] = {"S-curve", 1, s_angle, s_place, s_moments},
};

enum { SHAPES = sizeof shapes / sizeof shapes[0] };

int32_t toy_count_components(int32_t kind)
{
    return shapes[kind].components;
}

double toy_radius(int32_t kind, int32_t component)
{
    switch (kind) {
    case FMATCH_TOY_RINGS:
        return 1.0 - 0.25 * component;
    case FMATCH_TOY_CIRCLES:
        return 1.0 - 0.5 * component;
    default:
        return 1.0;
    }
}

/* ---- rows ---- */

float toy_angle(const struct toy *toy, struct toy_point *point)
{
    const struct shape *shape = &shapes[toy->kind];
    point->component = (int32_t)(point->numbers.choice * (float)shape->components);
    if (point->component >= shape->components) /* by rounding */
        point->component = shape->components - 1;
    if (!shape->angle)
        return 0.0F;
    const double turns = shape->angle(toy, point);
    const float wrapped = (float)(turns - floor(turns));
    return wrapped < 1.0F ? wrapped : 0.0F;
}

void toy_place(const struct toy *toy, const struct toy_point *point, float *row)
{
    double x[2];
    shapes[toy->kind].place(toy, point, x);
    for (int j = 0; j < 2; j++)
        row[j] =
            (float)(toy->scale * x[j] + toy->shift[j] + toy->deviation * point->numbers.normals[j]);
}

void toy_moments(const struct toy *toy, double *mean, double *std)
{
    const struct shape_moments m = shapes[toy->kind].moments(toy);
    for (int j = 0; j < 2; j++) {
        mean[j] = toy->scale * m.mean[j] + toy->shift[j];
        std[j] = sqrt(toy->scale * toy->scale * (m.second[j] - m.mean[j] * m.mean[j]) +
                      toy->deviation * toy->deviation);
    }
}

/* ---- from a configuration ---- */

static const struct convention *find_convention(int32_t kind, int32_t convention)
{
    for (size_t i = 0; i < sizeof conventions / sizeof conventions[0]; i++)
        if (conventions[i].kind == kind && conventions[i].convention == convention)
            return &conventions[i];
    return NULL;
}

static fmatch_status check(const fmatch_toy_config *c)
{
    CHECK_RANGE("config->kind", c->kind, 0, SHAPES - 1);
    CHECK_RANGE("config->convention", c->convention, FMATCH_TOY_PLAIN, FMATCH_TOY_FLOW_MATCHING);
    CHECK_RANGE("config->labels", c->labels, 0, shapes[c->kind].components > 1);
    if (c->noise == -1.0)
        return FMATCH_OK;
    const struct interval range = {.lowest = 0.0, .highest = NOISE_MAX};
    RETURN_IF_FAILED(configuration_check_double("config->noise", c->noise, range));
    if (c->kind == FMATCH_TOY_CHECKERBOARD && c->noise != 0.0)
        return status_fail(FMATCH_ERROR_ARGUMENT,
                           "config->noise is %s; the checkerboard has none, it must be 0 or -1",
                           NUMBER(c->noise));
    return FMATCH_OK;
}

/* Scale and shift that give all coordinates together the mean 0 and this deviation. */
static void standardise(struct toy *toy, double deviation)
{
    const struct shape_moments m = shapes[toy->kind].moments(toy);
    const double mean = (m.mean[0] + m.mean[1]) / 2.0;
    const double second = (m.second[0] + m.second[1]) / 2.0 + toy->noise * toy->noise;
    toy->scale = deviation / sqrt(second - mean * mean);
    toy->shift[0] = toy->shift[1] = -toy->scale * mean;
    toy->deviation = toy->scale * toy->noise;
}

fmatch_status toy_resolve(struct toy *toy, const fmatch_toy_config *config)
{
    RETURN_IF_FAILED(check(config));
    const struct convention *c = find_convention(config->kind, config->convention);
    if (!c)
        return status_fail(FMATCH_ERROR_ARGUMENT,
                           "config->convention is %d; it does not say how to draw %s",
                           (int)config->convention, shapes[config->kind].name);
    *toy = (struct toy){.kind = config->kind,
                        .noise = config->noise >= 0.0 ? config->noise : c->noise,
                        .scale = c->scale,
                        .shift = {c->shift[0], c->shift[1]},
                        .jitter = c->jitter};
    if (c->noise_kind == NOISE_SHARED)
        toy->shared_uniform = toy->noise;
    if (c->noise_kind == NOISE_NORMAL)
        toy->deviation = toy->noise * c->noise_unit;
    if (c->deviation > 0.0)
        standardise(toy, c->deviation);
    return FMATCH_OK;
}
