#include "base/configuration.h"
#include "base/status.h"
#include "context/context.h"
#include "metrics/pair_sums.h"

#include <flowmatch/metrics.h>

enum { SIGMAS_MAX = 1024 };

/* Sum of Gaussian kernels, k(x, y) = sum over s of exp(-|x - y|^2 / (2 sigma_s^2)). */
struct kernel {
    int32_t count;
    const double *sigmas;
};

static const double default_sigmas[] = {0.01, 0.1, 1.0, 10.0, 100.0};

void fmatch_mmd_config_init_sized(fmatch_mmd_config *config, size_t size)
{
    const fmatch_mmd_config recommended = {.estimator = FMATCH_MMD_BIASED};
    configuration_write(config, size, &recommended, sizeof recommended);
}

static double sum_kernel(const struct pair_kernels *kernels, const void *settings, int64_t n,
                         const double *squares)
{
    const struct kernel *k = settings;
    double sum = 0.0;
    for (int32_t s = 0; s < k->count; s++)
        sum += kernels->sum_gaussians(n, squares, 0.5 / (k->sigmas[s] * k->sigmas[s]));
    return sum;
}

static fmatch_status read_config(fmatch_mmd_config *c, const fmatch_mmd_config *config)
{
    fmatch_mmd_config_init(c);
    if (config)
        RETURN_IF_FAILED(configuration_read(c, sizeof *c, sizeof *c, config, "config"));
    RETURN_IF_FAILED(configuration_check_flags("config->flags", c->flags));
    CHECK_RANGE("config->estimator", c->estimator, FMATCH_MMD_BIASED, FMATCH_MMD_UNBIASED);
    CHECK_RANGE("config->count", c->count, c->sigmas ? 1 : 0, c->sigmas ? SIGMAS_MAX : 0);
    for (int32_t s = 0; s < c->count; s++)
        if (!(c->sigmas[s] >= 1e-100 && c->sigmas[s] <= 1e100))
            return status_fail(FMATCH_ERROR_ARGUMENT,
                               "config->sigmas[%d] is %s; it must be between 1e-100 and 1e100", s,
                               NUMBER(c->sigmas[s]));
    return FMATCH_OK;
}

/* Mean of k over the pairs; without those of a row and itself if `unbiased`. */
static fmatch_status mean_within(fmatch_context *context, const struct pair_sums *within,
                                 const struct kernel *k, bool unbiased, double *mean)
{
    const double n = (double)within->pair.n;
    RETURN_IF_FAILED(pair_sums_run(context, within, mean));
    *mean = unbiased ? (*mean - n * k->count) / (n * (n - 1.0)) : *mean / (n * n);
    return FMATCH_OK;
}

static fmatch_status discrepancy(fmatch_context *context, const struct sample_pair *pair,
                                 const struct kernel *k, bool unbiased, double *mmd_square)
{
    struct pair_sums across = {.instructions = instruction_set_get(context->instruction_set),
                               .pair = *pair,
                               .sum = sum_kernel,
                               .settings = k};
    struct pair_sums of_x = across, of_y = across;
    of_x.pair.y = pair->x, of_x.pair.m = pair->n;
    of_y.pair.x = pair->y, of_y.pair.n = pair->m;
    double xx, yy, xy;
    RETURN_IF_FAILED(mean_within(context, &of_x, k, unbiased, &xx));
    RETURN_IF_FAILED(mean_within(context, &of_y, k, unbiased, &yy));
    RETURN_IF_FAILED(pair_sums_run(context, &across, &xy));
    *mmd_square = xx + yy - 2.0 * (xy / ((double)pair->n * (double)pair->m));
    return FMATCH_OK;
}

fmatch_status fmatch_metrics_evaluate_mmd(fmatch_context *context, int32_t dim, int64_t n,
                                          const float *x, int64_t m, const float *y,
                                          const fmatch_mmd_config *config, double *mmd_square)
{
    status_begin();
    CHECK_NOT_NULL(context);
    CHECK_NOT_NULL(mmd_square);
    fmatch_mmd_config c;
    RETURN_IF_FAILED(read_config(&c, config));
    const bool unbiased = c.estimator == FMATCH_MMD_UNBIASED;
    const struct sample_pair pair = {.dim = dim, .n = n, .x = x, .m = m, .y = y};
    RETURN_IF_FAILED(sample_pair_check(&pair, METRICS_ROWS_MAX));
    CHECK_RANGE("n", n, unbiased ? 2 : 1, METRICS_ROWS_MAX);
    CHECK_RANGE("m", m, unbiased ? 2 : 1, METRICS_ROWS_MAX);

    struct kernel kernel = {.count = c.count, .sigmas = c.sigmas};
    if (!c.sigmas)
        kernel = (struct kernel){sizeof default_sigmas / sizeof *default_sigmas, default_sigmas};
    double square;
    RETURN_IF_FAILED(discrepancy(context, &pair, &kernel, unbiased, &square));
    *mmd_square = unbiased || square > 0.0 ? square : 0.0; /* below zero by rounding alone */
    return FMATCH_OK;
}
