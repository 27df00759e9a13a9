/* The toy sources: shapes, labels, moments and densities against formulas and numbers that are not
 * the library's. */
#include "fixtures.h"

enum { TOYS = 9, CONVENTIONS = 6 };

static fmatch_source *make_toy(fmatch_context *context, int32_t kind, int32_t convention,
                               double noise, int32_t labels)
{
    fmatch_toy_config config;
    fmatch_toy_config_init(&config);
    config.kind = kind;
    config.convention = convention;
    config.noise = noise;
    config.labels = labels;
    fmatch_source *source;
    expect_ok(fmatch_source_create_toy(&source, context, &config));
    return source;
}

/* Every pair that exists: means and deviations, from midpoint sums over two million values of the
 * uniform number that the published generators' formulas take, in NumPy; the pinwheel's from
 * Gauss-Hermite quadrature. */
static const struct toy_case {
    int32_t kind, convention;
    double mean[2], std[2];
} toys[] = {
    {FMATCH_TOY_TWO_MOONS, FMATCH_TOY_PLAIN, {0.5, 0.25}, {0.871779789, 0.504172702}},
    {FMATCH_TOY_TWO_MOONS, FMATCH_TOY_TORCHCFM, {0.8, 0.05}, {2.60384331, 1.49255185}},
    {FMATCH_TOY_TWO_MOONS, FMATCH_TOY_TORCHCFM_RUNNER, {0, 0.5}, {1.73493516, 0.993358171}},
    {FMATCH_TOY_TWO_MOONS,
     FMATCH_TOY_MOONS_TO_GAUSSIANS,
     {1.21024548, -1.21024548},
     {8.44054042, 4.88138189}},
    {FMATCH_TOY_TWO_MOONS, FMATCH_TOY_FFJORD, {0, 0.3}, {1.74355958, 1.0083454}},
    {FMATCH_TOY_EIGHT_GAUSSIANS, FMATCH_TOY_PLAIN, {0, 0}, {0.714142843, 0.714142843}},
    {FMATCH_TOY_EIGHT_GAUSSIANS, FMATCH_TOY_TORCHCFM, {0, 0}, {3.57997594, 3.57997594}},
    {FMATCH_TOY_EIGHT_GAUSSIANS, FMATCH_TOY_MOONS_TO_GAUSSIANS, {0, 0}, {8.61684397, 8.61684397}},
    {FMATCH_TOY_EIGHT_GAUSSIANS, FMATCH_TOY_FFJORD, {0, 0}, {2.03131635, 2.03131635}},
    {FMATCH_TOY_CHECKERBOARD, FMATCH_TOY_PLAIN, {0, 0}, {1.15470054, 1.15470054}},
    {FMATCH_TOY_CHECKERBOARD, FMATCH_TOY_FFJORD, {0, 0}, {2.30940108, 2.30940108}},
    {FMATCH_TOY_CHECKERBOARD, FMATCH_TOY_FLOW_MATCHING, {0, 0}, {2.5660012, 2.5660012}},
    {FMATCH_TOY_TWO_SPIRALS, FMATCH_TOY_PLAIN, {0, 0}, {0.508766579, 0.491890809}},
    {FMATCH_TOY_TWO_SPIRALS, FMATCH_TOY_FFJORD, {0, 0}, {1.61045714, 1.58411951}},
    {FMATCH_TOY_PINWHEEL, FMATCH_TOY_PLAIN, {0, 0}, {0.741619849, 0.741619849}},
    {FMATCH_TOY_PINWHEEL, FMATCH_TOY_FFJORD, {0, 0}, {1.4832397, 1.4832397}},
    {FMATCH_TOY_RINGS, FMATCH_TOY_PLAIN, {0, 0}, {0.48453586, 0.48453586}},
    {FMATCH_TOY_RINGS, FMATCH_TOY_FFJORD, {0, 0}, {1.45457038, 1.45457038}},
    {FMATCH_TOY_CIRCLES, FMATCH_TOY_PLAIN, {0, 0}, {0.561248608, 0.561248608}},
    {FMATCH_TOY_CIRCLES, FMATCH_TOY_FFJORD, {0, 0}, {1.69413695, 1.69413695}},
    {FMATCH_TOY_SWISS_ROLL,
     FMATCH_TOY_PLAIN,
     {0.141471061, 0.0150105457},
     {0.468909161, 0.492103956}},
    {FMATCH_TOY_SWISS_ROLL, FMATCH_TOY_FFJORD, {0.4, 0.0424413182}, {1.33961668, 1.40455388}},
    {FMATCH_TOY_S_CURVE, FMATCH_TOY_PLAIN, {0, 0}, {0.708872344, 1.38813298}},
    {FMATCH_TOY_S_CURVE, FMATCH_TOY_TORCHCFM_RUNNER, {0, 0}, {1.06330852, 2.08219948}},
};

static void moments_match_the_published_generators(void **state)
{
    enum { ROWS = 100000 };
    float *x = floats(2 * ROWS);
    for (size_t i = 0; i < COUNT(toys); i++) {
        const struct toy_case *c = &toys[i];
        fmatch_source *source = make_toy(context_of(state), c->kind, c->convention, -1, 0);
        assert_int_equal(fmatch_source_get_dim(source), 2);
        assert_int_equal(fmatch_source_get_condition_dim(source), 0);
        assert_int_equal(fmatch_source_count_rows(source), 0);
        float mean[2], std[2];
        expect_ok(fmatch_source_evaluate_moments(source, mean, std));
        expect_ok(fmatch_source_draw(source, 100 + i, 0, ROWS, x));
        for (int j = 0; j < 2; j++) {
            const double scale = c->std[j];
            expect_close(mean[j], c->mean[j], 1e-6 * scale, "toy %zu: mean %d", i, j);
            expect_close(std[j], c->std[j], 1e-6 * scale, "toy %zu: deviation %d", i, j);
            /* Of the draws, with standard errors from their fourth moment. */
            double m = 0, v = 0, q = 0;
            for (int r = 0; r < ROWS; r++) {
                const double off = (x[2 * r + j] - c->mean[j]) / scale;
                m += off;
                v += off * off;
                q += off * off * off * off;
            }
            expect_close(m / ROWS, 0, Z / sqrt(ROWS), "toy %zu: mean %d of draws", i, j);
            expect_close(v / ROWS, 1, Z * sqrt((q / ROWS - 1) / ROWS),
                         "toy %zu: variance %d of draws", i, j);
        }
        fmatch_source_destroy(&source);
    }
    free(x);
}

/* A pair that the table above lacks does not exist. */
static void other_pairs_are_refused(void **state)
{
    for (int32_t kind = 0; kind < TOYS; kind++)
        for (int32_t convention = 0; convention < CONVENTIONS; convention++) {
            bool exists = false;
            for (size_t i = 0; i < COUNT(toys); i++)
                exists |= toys[i].kind == kind && toys[i].convention == convention;
            fmatch_toy_config config;
            fmatch_toy_config_init(&config);
            config.kind = kind;
            config.convention = convention;
            fmatch_source *source;
            expect_status(fmatch_source_create_toy(&source, context_of(state), &config),
                          exists ? FMATCH_OK : FMATCH_ERROR_ARGUMENT);
            if (!exists)
                expect_detail("convention is", "draw");
            fmatch_source_destroy(&source);
        }
}

static void settings_that_make_no_sense_are_refused(void **state)
{
    static const struct {
        int32_t kind, convention, labels;
        double noise;
        const char *words[3];
    } cases[] = {
        {9, 0, 0, -1, {"kind is 9", "0", "8"}},
        {-1, 0, 0, -1, {"kind is -1", "0", "8"}},
        {0, 6, 0, -1, {"convention is 6", "0", "5"}},
        {0, -1, 0, -1, {"convention is -1", "0", "5"}},
        {0, 0, 2, -1, {"labels is 2", "0", "1"}},
        {FMATCH_TOY_SWISS_ROLL, 0, 1, -1, {"labels is 1", "0", ""}},
        {FMATCH_TOY_S_CURVE, 0, 1, -1, {"labels is 1", "0", ""}},
        {0, 0, 0, -0.5, {"noise is -0.5", "0", "1e+06"}},
        {0, 0, 0, NAN, {"noise is nan", "0", ""}},
        {0, 0, 0, 2e6, {"noise is 2e+06", "1e+06", ""}},
        {FMATCH_TOY_CHECKERBOARD, 0, 0, 0.1, {"noise is 0.1", "checkerboard", "-1"}},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        fmatch_toy_config config;
        fmatch_toy_config_init(&config);
        config.kind = cases[i].kind;
        config.convention = cases[i].convention;
        config.labels = cases[i].labels;
        config.noise = cases[i].noise;
        fmatch_source *source = (fmatch_source *)state;
        expect_status(fmatch_source_create_toy(&source, context_of(state), &config),
                      FMATCH_ERROR_ARGUMENT);
        assert_null(source);
        expect_detail(cases[i].words[0], cases[i].words[1], cases[i].words[2]);
    }
    fmatch_source *source;
    expect_ok(fmatch_source_create_toy(&source, context_of(state), NULL));
    fmatch_source_destroy(&source);
}

/* ---- shapes without noise ---- */

static double spiral_off(double x, double y, double turn)
{
    /* On (-s cos s, s sin s), or turned by half: s is the radius. */
    const double s = hypot(x, y);
    return hypot(turn * x + s * cos(s), turn * y - s * sin(s));
}

/* How far a row without noise is from the shape that its label names. */
static double distance_from_shape(int32_t kind, int label, double x, double y)
{
    switch (kind) {
    case FMATCH_TOY_TWO_MOONS:
        return (label == 0 ? y : 0.5 - y) < -1e-6 ? 1 : fabs(hypot(x - label, y - 0.5 * label) - 1);
    case FMATCH_TOY_EIGHT_GAUSSIANS:
        return hypot(x - cos(PI * label / 4), y - sin(PI * label / 4));
    case FMATCH_TOY_CHECKERBOARD: { /* column by column from the left, the upper cell first */
        const double left = label / 2 - 2, low = (label / 2) % 2 - 2 * (label % 2);
        return x > left && x < left + 1 && y > low && y < low + 1 ? 0 : 1;
    }
    case FMATCH_TOY_TWO_SPIRALS:
        return spiral_off(3 * PI * x, 3 * PI * y, label == 0 ? 1 : -1) / (3 * PI);
    case FMATCH_TOY_PINWHEEL: { /* one point: (1, 0) turned clockwise */
        const double angle = 2 * PI * label / 5 + 0.25 * exp(1);
        return hypot(x - cos(angle), y + sin(angle));
    }
    case FMATCH_TOY_RINGS:
        return fabs(hypot(x, y) - (4 - label) / 4.0);
    case FMATCH_TOY_CIRCLES:
        return fabs(hypot(x, y) - (2 - label) / 2.0);
    case FMATCH_TOY_SWISS_ROLL: {
        const double s = 4.5 * PI * hypot(x, y);
        return hypot(x - s * cos(s) / (4.5 * PI), y - s * sin(s) / (4.5 * PI));
    }
    default: /* the S: half circles about (0, 1) and (0, -1), and their ends */
        return fabs(hypot(x, fabs(y) - 1) - 1);
    }
}

/* Upper quantile of chi-square at FALSE_ALARM (Wilson and Hilferty 1931). */
static double chi_square_limit(double freedom)
{
    const double c = 2.0 / (9.0 * freedom), r = 1.0 - c + 4.753 * sqrt(c);
    return freedom * r * r * r;
}

static void expect_even(const int *counts, int cells, int total, const char *what, int32_t kind)
{
    double statistic = 0;
    const double expected = (double)total / cells;
    for (int i = 0; i < cells; i++)
        statistic += (counts[i] - expected) * (counts[i] - expected) / expected;
    expect_that(statistic <= chi_square_limit(cells - 1.0), "kind %d, %s: chi-square is %g", kind,
                what, statistic);
}

static void rows_without_noise_lie_on_their_shape(void **state)
{
    enum { ROWS = 20000 };
    static const int components[TOYS] = {2, 8, 8, 2, 5, 4, 2, 1, 1};
    float *x = floats(2 * ROWS), *label = floats(ROWS), *alone = floats(2 * ROWS);
    for (int32_t kind = 0; kind < TOYS; kind++) {
        const int32_t labels = components[kind] > 1;
        fmatch_source *source = make_toy(context_of(state), kind, FMATCH_TOY_PLAIN, 0, labels);
        assert_int_equal(fmatch_source_get_condition_dim(source), labels);
        int counts[8] = {0};
        memset(label, 0, ROWS * sizeof *label);
        expect_ok(fmatch_source_draw_rows(source, 3, 0, ROWS, x, label, NULL));
        for (int i = 0; i < ROWS; i++) {
            const int k = (int)label[i];
            expect_that(label[i] == (float)k && k >= 0 && k < components[kind], "label %g",
                        label[i]);
            counts[k]++;
            const double off = distance_from_shape(kind, k, x[2 * i], x[2 * i + 1]);
            expect_that(off < 3e-6, "kind %d: row %d (%g, %g) of component %d is off by %g", kind,
                        i, x[2 * i], x[2 * i + 1], k, off);
        }
        if (labels)
            expect_even(counts, components[kind], ROWS, "labels", kind);
        fmatch_source_destroy(&source);
        source = make_toy(context_of(state), kind, FMATCH_TOY_PLAIN, 0, 0);
        expect_ok(fmatch_source_draw(source, 3, 0, ROWS, alone));
        expect_same_bits(alone, x, 2 * ROWS, "kind %d without labels", kind);
        fmatch_source_destroy(&source);
    }
    free(x);
    free(label);
    free(alone);
}

/* Angles on the moons, rings and circles, and the spirals' share of points within a radius. */
static void points_are_spread_evenly(void **state)
{
    enum { ROWS = 20000, CELLS = 20 };
    static const int32_t kinds[] = {FMATCH_TOY_TWO_MOONS, FMATCH_TOY_RINGS, FMATCH_TOY_CIRCLES,
                                    FMATCH_TOY_TWO_SPIRALS, FMATCH_TOY_SWISS_ROLL};
    float *x = floats(2 * ROWS), *label = floats(ROWS);
    for (size_t s = 0; s < COUNT(kinds); s++) {
        const int32_t labels = kinds[s] != FMATCH_TOY_SWISS_ROLL;
        fmatch_source *source = make_toy(context_of(state), kinds[s], FMATCH_TOY_PLAIN, 0, labels);
        int counts[CELLS] = {0};
        expect_ok(fmatch_source_draw_rows(source, 8, 0, ROWS, x, label, NULL));
        for (int i = 0; i < ROWS; i++) {
            double a = x[2 * i], b = x[2 * i + 1], part;
            if (kinds[s] == FMATCH_TOY_TWO_MOONS)
                part = acos(fmax(-1, fmin(1, a - label[i]))) / PI;
            else if (kinds[s] == FMATCH_TOY_TWO_SPIRALS)
                part = a * a + b * b; /* the radius goes as the root of a uniform number */
            else if (kinds[s] == FMATCH_TOY_SWISS_ROLL)
                part = 1.5 * hypot(a, b) - 0.5;
            else
                part = atan2(b, a) / (2 * PI) + 0.5;
            int cell = (int)(part * CELLS);
            counts[cell < 0 ? 0 : cell >= CELLS ? CELLS - 1 : cell]++;
        }
        expect_even(counts, CELLS, ROWS, "places", kinds[s]);
        fmatch_source_destroy(&source);
    }
    free(x);
    free(label);
}

/* torchcfm's moons: both coordinates move by the same w from [0, 0.2), which does not depend on the
 * place: on the upper moon E x y = E w^2 + E w E sin = 0.04 / 3 + 0.1 * 2 / pi. */
static void torchcfm_moons_share_their_noise(void **state)
{
    enum { ROWS = 100000 };
    fmatch_source *source =
        make_toy(context_of(state), FMATCH_TOY_TWO_MOONS, FMATCH_TOY_TORCHCFM, -1, 1);
    float *x = floats(2 * ROWS), *label = floats(ROWS);
    double product = 0, square = 0;
    int upper = 0;
    expect_ok(fmatch_source_draw_rows(source, 1, 0, ROWS, x, label, NULL));
    for (int i = 0; i < ROWS; i++) {
        /* (a - w)^2 + (b - w)^2 = 1 about the moon's centre; one of the roots is the shift. */
        const double a = (x[2 * i] + 1) / 3 - label[i];
        const double b = (x[2 * i + 1] + 1) / 3 - 0.5 * label[i];
        const double root = sqrt(fmax(0, 2 - (a - b) * (a - b)));
        const double w0 = (a + b - root) / 2, w1 = (a + b + root) / 2;
        const bool first = w0 > -1e-5 && w0<0.2 + 1e-5, second = w1> - 1e-5 && w1 < 0.2 + 1e-5;
        expect_that(first || second, "row %d: (%g, %g) needs a shift of %g or %g", i, a, b, w0, w1);
        upper += label[i] == 0;
        product += label[i] == 0 ? a * b : 0;
        square += label[i] == 0 ? a * b * a * b : 0;
    }
    product /= upper;
    expect_close(product, 0.04 / 3 + 0.2 / PI,
                 Z * sqrt((square / upper - product * product) / upper), "E x y on the upper moon");
    free(x);
    free(label);
    fmatch_source_destroy(&source);
}

/* ---- densities ---- */

/* The checkerboard's density is uniform: its entropy is ln 32 in FFJORD's units, and ln(8 / 0.45^2)
 * in those of the flow matching notebooks. */
static void every_checkerboard_row_has_its_density(void **state)
{
    enum { ROWS = 200000 };
    static const struct {
        int32_t convention;
        double entropy, outside[3][2];
    } cases[] = {{FMATCH_TOY_FFJORD, 3.4657359, {{-3, 3}, {1, -1}, {4.5, 1}}},
                 {FMATCH_TOY_FLOW_MATCHING, 3.6764569, {{-3.3, 3.3}, {1, -1}, {4.5, 1}}},
                 {FMATCH_TOY_PLAIN, 2.0794415, {{-1.5, 1.5}, {0.5, -0.5}, {0.5, 2.5}}}};
    float *x = floats(2 * ROWS);
    double *log_density = calloc(ROWS, sizeof *log_density);
    for (size_t c = 0; c < COUNT(cases); c++) {
        fmatch_source *source =
            make_toy(context_of(state), FMATCH_TOY_CHECKERBOARD, cases[c].convention, -1, 0);
        expect_ok(fmatch_source_draw(source, 2, 0, ROWS, x));
        expect_ok(fmatch_source_evaluate_log_density(source, ROWS, x, log_density));
        for (int i = 0; i < ROWS; i++)
            expect_close(log_density[i], -cases[c].entropy, 1e-5, "(%g, %g)", x[2 * i],
                         x[2 * i + 1]);
        for (int i = 0; i < 3; i++) {
            const float point[] = {(float)cases[c].outside[i][0], (float)cases[c].outside[i][1]};
            expect_ok(fmatch_source_evaluate_log_density(source, 1, point, log_density));
            expect_that(isinf(log_density[0]) && log_density[0] < 0, "(%g, %g) has %g", point[0],
                        point[1], log_density[0]);
        }
        fmatch_source_destroy(&source);
    }
    free(log_density);
    free(x);
}

/* A normal about points of the circle, by the trapezoidal rule over 4096 of them. */
static double circle_density(double x, double y, double radius, double std)
{
    double sum = 0;
    for (int k = 0; k < 4096; k++) {
        const double a = x - radius * cos(2 * PI * k / 4096),
                     b = y - radius * sin(2 * PI * k / 4096);
        sum += exp(-0.5 * (a * a + b * b) / (std * std));
    }
    return sum / 4096 / (2 * PI * std * std);
}

static double reference_density(int32_t kind, double x, double y, double noise)
{
    double sum = 0;
    const int n = kind == FMATCH_TOY_EIGHT_GAUSSIANS ? 8 : kind == FMATCH_TOY_RINGS ? 4 : 2;
    for (int k = 0; k < n; k++) {
        if (kind == FMATCH_TOY_EIGHT_GAUSSIANS) {
            const double a = x - cos(PI * k / 4), b = y - sin(PI * k / 4);
            sum += exp(-0.5 * (a * a + b * b) / (noise * noise)) / (2 * PI * noise * noise);
        } else {
            sum +=
                circle_density(x, y, kind == FMATCH_TOY_RINGS ? 1 - 0.25 * k : 1 - 0.5 * k, noise);
        }
    }
    return sum / n;
}

static const int32_t with_density[] = {FMATCH_TOY_EIGHT_GAUSSIANS, FMATCH_TOY_RINGS,
                                       FMATCH_TOY_CIRCLES};

static void densities_match_direct_sums(void **state)
{
    static const float points[] = {0, 0, 1, 0, 0.3F, -0.4F, 0.7F, 0.75F, -1.05F, 0.1F, 0.51F, 0};
    for (size_t s = 0; s < COUNT(with_density); s++)
        for (int wide = 0; wide < 2; wide++) { /* both forms of the Bessel function */
            const double noise = wide ? 0.3 : 0.05;
            fmatch_source *source =
                make_toy(context_of(state), with_density[s], FMATCH_TOY_PLAIN, noise, 0);
            double seen[COUNT(points) / 2];
            expect_ok(fmatch_source_evaluate_log_density(source, COUNT(points) / 2, points, seen));
            for (size_t i = 0; i < COUNT(points) / 2; i++) {
                const double wanted = log(
                    reference_density(with_density[s], points[2 * i], points[2 * i + 1], noise));
                expect_close(seen[i], wanted, 1e-9 * fmax(1, fabs(wanted)),
                             "kind %d, noise %g, (%g, %g)", with_density[s], noise, points[2 * i],
                             points[2 * i + 1]);
            }
            fmatch_source_destroy(&source);
        }
}

/* By the midpoint rule, in the units of each convention. */
static void densities_integrate_to_one(void **state)
{
    enum { SIDE = 400 };
    float *x = floats(2 * SIDE * SIDE);
    double *log_density = calloc((size_t)SIDE * SIDE, sizeof *log_density);
    for (size_t i = 0; i < COUNT(toys); i++) {
        const struct toy_case *c = &toys[i];
        if (c->kind != FMATCH_TOY_CHECKERBOARD && c->kind != FMATCH_TOY_EIGHT_GAUSSIANS &&
            c->kind != FMATCH_TOY_RINGS && c->kind != FMATCH_TOY_CIRCLES)
            continue;
        fmatch_source *source = make_toy(context_of(state), c->kind, c->convention, -1, 0);
        /* Edges of cells are where the checkerboard jumps; the others fall off far inside. */
        const double half = sqrt(12) * c->std[0], step = 2 * half / SIDE;
        for (int k = 0; k < SIDE * SIDE; k++) {
            x[2 * k] = (float)(step * (k % SIDE + 0.5) - half);
            x[2 * k + 1] = (float)(step * (int)(k / SIDE) + 0.5 * step - half);
        }
        expect_ok(fmatch_source_evaluate_log_density(source, SIDE * SIDE, x, log_density));
        double sum = 0;
        for (int k = 0; k < SIDE * SIDE; k++)
            sum += exp(log_density[k]);
        expect_close(sum * step * step, 1, 2e-5, "toy %zu", i);
        fmatch_source_destroy(&source);
    }
    free(log_density);
    free(x);
}

static void other_densities_are_refused(void **state)
{
    static const float point[] = {0, 0};
    double log_density;
    for (int32_t kind = 0; kind < TOYS; kind++) {
        const bool has = kind == FMATCH_TOY_CHECKERBOARD || kind == FMATCH_TOY_EIGHT_GAUSSIANS ||
                         kind == FMATCH_TOY_RINGS || kind == FMATCH_TOY_CIRCLES;
        for (double noise = -1; noise <= 0; noise++) {
            fmatch_source *source = make_toy(context_of(state), kind, FMATCH_TOY_PLAIN, noise, 0);
            const bool smooth = noise != 0 || kind == FMATCH_TOY_CHECKERBOARD;
            expect_status(fmatch_source_evaluate_log_density(source, 1, point, &log_density),
                          has && smooth ? FMATCH_OK : FMATCH_ERROR_UNSUPPORTED);
            fmatch_source_destroy(&source);
        }
    }
    /* Far away, and with next to no noise, it is a number or -inf. */
    static const float far[] = {3e38F, -3e38F, 0, 0, 1, 0};
    fmatch_source *source =
        make_toy(context_of(state), FMATCH_TOY_RINGS, FMATCH_TOY_PLAIN, 1e-300, 0);
    double seen[3];
    expect_ok(fmatch_source_evaluate_log_density(source, 3, far, seen));
    for (int i = 0; i < 3; i++)
        expect_that(!isnan(seen[i]), "point %d has a log-density of nan", i);
    fmatch_source_destroy(&source);
}

/* ---- as every source ---- */

static void a_row_is_the_same_alone_and_in_any_batch(void **state)
{
    enum { ROWS = 300 };
    float x[2 * ROWS], label[ROWS], part[2 * ROWS], part_label[ROWS];
    for (size_t i = 0; i < COUNT(toys); i++) {
        const int32_t labels = toys[i].kind < FMATCH_TOY_SWISS_ROLL;
        fmatch_source *source =
            make_toy(context_of(state), toys[i].kind, toys[i].convention, -1, labels);
        const int64_t first = ((int64_t)1 << 44) - ROWS - 7;
        expect_ok(fmatch_source_draw_rows(source, 9, first, ROWS, x, label, NULL));
        for (int k = 0; k < ROWS; k += 23) {
            expect_ok(fmatch_source_draw_rows(source, 9, first + k, 1, part, part_label, NULL));
            expect_same_bits(part, x + 2 * k, 2, "toy %zu, row %d", i, k);
            if (labels)
                expect_same_bits(part_label, label + k, 1, "toy %zu, label %d", i, k);
        }
        expect_ok(fmatch_source_draw_rows(source, 9, first + 130, 170, part, NULL, NULL));
        expect_same_bits(part, x + 2 * 130, 2 * 170, "toy %zu, rows from 130", i);
        expect_ok(fmatch_source_draw(source, 10, first, ROWS, part));
        if (toys[i].kind != FMATCH_TOY_EIGHT_GAUSSIANS)
            expect_that(memcmp(part, x, sizeof part) != 0, "toy %zu: two seeds, one draw", i);
        fmatch_source_destroy(&source);
    }
}

/* From moons to Gaussians. */
static void a_toy_may_be_the_noise_of_a_model(void **state)
{
    fmatch_source *moons =
        make_toy(context_of(state), FMATCH_TOY_TWO_MOONS, FMATCH_TOY_MOONS_TO_GAUSSIANS, -1, 1);
    fmatch_source *gaussians = make_toy(context_of(state), FMATCH_TOY_EIGHT_GAUSSIANS,
                                        FMATCH_TOY_MOONS_TO_GAUSSIANS, -1, 0);
    fmatch_mlp_config config;
    fmatch_mlp_config_init(&config);
    config.dim = 2;
    config.hidden_layers = 1;
    config.hidden_width = 16;
    config.noise = moons;
    fmatch_model *model;
    expect_ok(fmatch_model_create_mlp(&model, context_of(state), &config));
    fmatch_trainer *trainer =
        make_trainer(model, make_adam(context_of(state), 1e-3), gaussians, 64, 1);
    expect_ok(fmatch_trainer_run(trainer, 20, NULL));
    fmatch_sampler *sampler = make_sampler(model, FMATCH_SOLVER_EULER, 5, 0, 1);
    float x[20];
    expect_ok(fmatch_sampler_draw(sampler, 1, 0, 10, NULL, x));
    fmatch_sampler_destroy(&sampler);
    fmatch_trainer_destroy(&trainer);
    fmatch_model_destroy(&model);
    fmatch_source_destroy(&gaussians);
    fmatch_source_destroy(&moons);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        world_test(moments_match_the_published_generators),
        world_test(other_pairs_are_refused),
        world_test(settings_that_make_no_sense_are_refused),
        world_test(rows_without_noise_lie_on_their_shape),
        world_test(points_are_spread_evenly),
        world_test(torchcfm_moons_share_their_noise),
        world_test(every_checkerboard_row_has_its_density),
        world_test(densities_match_direct_sums),
        world_test(densities_integrate_to_one),
        world_test(other_densities_are_refused),
        world_test(a_row_is_the_same_alone_and_in_any_batch),
        world_test(a_toy_may_be_the_noise_of_a_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
