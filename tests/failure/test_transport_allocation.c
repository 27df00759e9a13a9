/* Each allocation of a transport solver fails once: the call says so, nothing leaks, and the next
 * call gives what an undisturbed one does. */
#include "../api/fixtures.h"

enum { N = 200, DIM = 2 };

struct problem {
    fmatch_context *context;
    fmatch_source *noise;
    float x[N * DIM], y[N * DIM];
    double cost[N * N], weights[N];
};

struct outcome {
    int32_t permutation[N];
    double total;
    double plan[N * N], f[N], g[N];
};

typedef fmatch_status solver(const struct problem *p, struct outcome *o);

static fmatch_status assignment(const struct problem *p, struct outcome *o)
{
    return fmatch_transport_solve_assignment(p->context, N, p->cost, o->permutation, &o->total);
}

static fmatch_status assignment_of_points(const struct problem *p, struct outcome *o)
{
    return fmatch_transport_solve_assignment_points(p->context, DIM, N, p->x, p->y, o->permutation,
                                                    &o->total);
}

static fmatch_status assignment_of_large_costs(const struct problem *p, struct outcome *o)
{
    static double large[N * N];
    for (int i = 0; i < N * N; i++)
        large[i] = p->cost[i] * 1e303;
    return fmatch_transport_solve_assignment(p->context, N, large, o->permutation, &o->total);
}

static fmatch_status sinkhorn(const struct problem *p, struct outcome *o)
{
    fmatch_sinkhorn_config config;
    fmatch_sinkhorn_config_init(&config);
    config.epsilon = 0.5;
    return fmatch_transport_solve_sinkhorn(p->context, N, N, p->cost, NULL, NULL, &config, o->plan,
                                           o->f, o->g, NULL);
}

static fmatch_status semidiscrete(const struct problem *p, struct outcome *o)
{
    fmatch_semidiscrete_config config;
    fmatch_semidiscrete_config_init(&config);
    config.steps = 3;
    config.tolerance = 0;
    return fmatch_transport_solve_semidiscrete(p->context, p->noise, N, p->y, p->weights, &config,
                                               o->g, NULL);
}

static fmatch_status rows_of_semidiscrete(const struct problem *p, struct outcome *o)
{
    return fmatch_transport_evaluate_semidiscrete(p->context, DIM, N, p->x, N, p->y, p->weights,
                                                  o->permutation);
}

static const struct {
    const char *name;
    solver *solve;
    int64_t allocations;
} solvers[] = {
    {"assignment", assignment, 1},
    {"assignment of points", assignment_of_points, 2},
    {"assignment of large costs", assignment_of_large_costs, 2},
    {"sinkhorn", sinkhorn, 2},
    {"semidiscrete", semidiscrete, 2},
    {"rows of semidiscrete", rows_of_semidiscrete, 1},
};

static void each_failing_allocation_is_told(void **state)
{
    static struct problem problem;
    struct ledger *ledger = &((struct world *)*state)->ledger;
    problem.context = context_of(state);
    fill_scattered(problem.x, N * DIM, -1, 1, 1);
    fill_scattered(problem.y, N * DIM, 0, 3, 2);
    problem.noise = make_normal(problem.context, DIM);
    for (int i = 0; i < N; i++)
        problem.weights[i] = 1 + i % 3;
    for (int i = 0; i < N * N; i++)
        problem.cost[i] = (double)(i * 37 % 1009) / 16;

    for (size_t s = 0; s < COUNT(solvers); s++) {
        static struct outcome wanted, seen;
        memset(&wanted, 0, sizeof wanted);
        const int64_t before = ledger->calls, live = ledger->live;
        expect_ok(solvers[s].solve(&problem, &wanted));
        const int64_t allocations = ledger->calls - before;
        expect_that(allocations == solvers[s].allocations, "%s allocates %lld times",
                    solvers[s].name, (long long)allocations);
        for (int64_t k = 1; k <= allocations; k++) {
            memset(&seen, 0, sizeof seen);
            ledger->fail_at = ledger->calls + k;
            expect_status(solvers[s].solve(&problem, &seen), FMATCH_ERROR_NO_MEMORY);
            ledger->fail_at = 0;
            expect_that(ledger->live == live, "%s: %lld blocks left after allocation %lld failed",
                        solvers[s].name, (long long)(ledger->live - live), (long long)k);
            expect_ok(solvers[s].solve(&problem, &seen));
            assert_memory_equal(&seen, &wanted, sizeof seen);
        }
    }
    fmatch_source_destroy(&problem.noise);
}

int main(void)
{
    const struct CMUnitTest tests[] = {world_test(each_failing_allocation_is_told)};
    return cmocka_run_group_tests_name("transport_allocation", tests, NULL, NULL);
}
