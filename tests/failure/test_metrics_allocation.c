/* Any allocation of a metric may fail: the call says so, nothing leaks, and made again it gives the
 * result of an undisturbed one. */
#include "../api/fixtures.h"

enum { DIM = 2, N = 12, M = 9, TIMES = 3 };

static float x[DIM * N], y[DIM * M], trajectory[TIMES * N * DIM];
static const double t[TIMES] = {0, 0.25, 1}, cdf[] = {0.25, 0.5, 0.125};

static int rows_setup(void **state)
{
    (void)state;
    fill_scattered(x, DIM * N, -1, 2, 1);
    fill_scattered(y, DIM * M, -2, 3, 2);
    fill_scattered(trajectory, TIMES * N * DIM, -1, 1, 3);
    return 0;
}

static fmatch_status wasserstein_1d(fmatch_context *context, double *out)
{
    return fmatch_metrics_evaluate_wasserstein_1d(context, N, x, M, y, out, out + 1);
}

static fmatch_status sliced_wasserstein(fmatch_context *context, double *out)
{
    return fmatch_metrics_evaluate_sliced_wasserstein(context, DIM, N, x, M, y, 5, 1, out, out + 1);
}

static fmatch_status kolmogorov_smirnov(fmatch_context *context, double *out)
{
    return fmatch_metrics_evaluate_kolmogorov_smirnov(context, N, x, M, y, out);
}

static fmatch_status kolmogorov_smirnov_cdf(fmatch_context *context, double *out)
{
    return fmatch_metrics_evaluate_kolmogorov_smirnov_cdf(context, COUNT(cdf), cdf, out);
}

static fmatch_status path(fmatch_context *context, double *out)
{
    return fmatch_metrics_evaluate_path(context, DIM, TIMES, t, N, trajectory, out, out + 1,
                                        out + 2);
}

static fmatch_status normalised_path_energy(fmatch_context *context, double *out)
{
    return fmatch_metrics_evaluate_normalised_path_energy(context, DIM, TIMES, t, N, trajectory,
                                                          0.5, out);
}

static fmatch_status wasserstein(fmatch_context *context, double *out)
{
    return fmatch_metrics_evaluate_wasserstein(context, DIM, M, x, y, out, out + 1, out + 2);
}

static fmatch_status sinkhorn_divergence(fmatch_context *context, double *out)
{
    return fmatch_metrics_evaluate_sinkhorn_divergence(context, DIM, N, x, M, y, NULL, out,
                                                       out + 1);
}

static fmatch_status mmd(fmatch_context *context, double *out)
{
    return fmatch_metrics_evaluate_mmd(context, DIM, N, x, M, y, NULL, out);
}

static const struct {
    const char *name;
    fmatch_status (*evaluate)(fmatch_context *context, double *out);
    int64_t least; /* allocations */
} metrics[] = {
    {"wasserstein", wasserstein, 3},
    {"sinkhorn_divergence", sinkhorn_divergence, 4},
    {"mmd", mmd, 3},
    {"wasserstein_1d", wasserstein_1d, 1},
    {"sliced_wasserstein", sliced_wasserstein, 2},
    {"kolmogorov_smirnov", kolmogorov_smirnov, 1},
    {"kolmogorov_smirnov_cdf", kolmogorov_smirnov_cdf, 1},
    {"path", path, 1},
    {"normalised_path_energy", normalised_path_energy, 1},
};

static void each_allocation_of_a_metric_may_fail(void **state)
{
    struct ledger *ledger = &((struct world *)*state)->ledger;
    fmatch_context *context = context_of(state);
    for (size_t i = 0; i < COUNT(metrics); i++) {
        const char *name = metrics[i].name;
        double wanted[3] = {0}, seen[3] = {0};
        expect_ok(metrics[i].evaluate(context, wanted));
        const int64_t live = ledger->live;
        int64_t k = 1;
        for (;; k++) {
            ledger->fail_at = ledger->calls + k;
            const fmatch_status status = metrics[i].evaluate(context, seen);
            const bool failed = ledger->calls >= ledger->fail_at;
            ledger->fail_at = 0;
            expect_that(ledger->live == live, "%s, allocation %lld: %lld blocks are left", name,
                        (long long)k, (long long)(ledger->live - live));
            if (!failed && status == FMATCH_OK)
                break;
            expect_that(status == FMATCH_ERROR_NO_MEMORY, "%s, allocation %lld: %s (\"%s\")", name,
                        (long long)k, fmatch_status_get_name(status), fmatch_error_detail());
        }
        expect_that(k - 1 >= metrics[i].least, "%s: only %lld allocations", name, (long long)k - 1);
        expect_that(memcmp(seen, wanted, sizeof seen) == 0, "%s: %g after failures, %g before",
                    name, seen[0], wanted[0]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {world_test(each_allocation_of_a_metric_may_fail)};
    return cmocka_run_group_tests_name("metrics_allocation", tests, rows_setup, NULL);
}
