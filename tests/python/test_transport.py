"""Optimal transport: arrays in and out, and SciPy's answers where it is installed."""

import flowmatch as fm
import numpy as np
import pytest

solve = fm.transport.solve_assignment


def test_assignment_against_scipy():
    try:
        from scipy.optimize import linear_sum_assignment
    except ImportError:
        print('# SciPy is not installed')
        return
    rng = np.random.default_rng(0)
    for n in (1, 2, 3, 10, 33, 100, 300):
        for cost in (rng.normal(size=(n, n)), rng.integers(0, 5, (n, n)),
                     10 ** rng.uniform(-8, 8, (n, n))):
            found = solve(cost)
            rows, columns = linear_sum_assignment(cost)
            assert sorted(found.permutation) == list(range(n))
            assert found.total == pytest.approx(cost[rows, columns].sum(), rel=1e-12, abs=1e-12)
            assert cost[rows, found.permutation].sum() == pytest.approx(found.total, rel=1e-12,
                                                                        abs=1e-12)


def test_assignment_of_points_is_that_of_their_distances():
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(2, 80, 3)).astype(np.float32)
    cost = ((x[:, None].astype(float) - y) ** 2).sum(-1)
    points, costs = fm.transport.solve_assignment_points(x, y), solve(cost)
    assert np.array_equal(points.permutation, costs.permutation)
    assert points.total == pytest.approx(costs.total, rel=1e-12)
    line = fm.transport.solve_assignment_points([3, 1, 2], [10, 30, 20])
    assert list(line.permutation) == [1, 0, 2] and line.total == 27**2 + 9**2 + 18**2


def test_sinkhorn_keeps_marginals_and_form():
    rng = np.random.default_rng(2)
    cost, a, b = rng.uniform(size=(20, 30)), rng.uniform(size=20), rng.uniform(size=30)
    a, b = a / a.sum(), b / b.sum()
    found = fm.transport.solve_sinkhorn(cost, a, b, epsilon=0.1, relative=False)
    assert found.converged and found.epsilon == 0.1 and found.marginal_error <= 1e-9
    assert np.allclose(found.plan.sum(1), a, atol=1e-9) and np.allclose(found.plan.sum(0), b)
    wanted = a[:, None] * b * np.exp((found.f[:, None] + found.g - cost) / 0.1)
    assert np.allclose(found.plan, wanted, rtol=1e-10)
    assert found.transport_cost == pytest.approx((found.plan * cost).sum())
    entropy = (found.plan * np.log(found.plan / (a[:, None] * b))).sum()
    assert found.regularised_cost == pytest.approx(found.transport_cost + 0.1 * entropy)
    partial = fm.transport.solve_sinkhorn(cost, a, b, epsilon=0.1, rho=0.05)
    assert 0 < partial.mass < 1


def test_sinkhorn_tells_when_it_does_not_converge():
    cost = np.random.default_rng(3).uniform(size=(40, 40))
    with pytest.raises(fm.StepLimitError, match='tolerance'):
        fm.transport.solve_sinkhorn(cost, iterations=3)
    found = fm.transport.solve_sinkhorn(cost, iterations=3, unfinished=True)
    assert not found.converged and found.iterations == 3 and found.marginal_error > 1e-9
    with pytest.raises(fm.ShapeError, match='a has'):
        fm.transport.solve_sinkhorn(cost, np.ones(3))


def test_semidiscrete_shares_the_noise():
    y = np.array([[-1.0], [0.5], [4]], np.float32)
    noise = fm.Source.normal(1)
    found = fm.transport.solve_semidiscrete(noise, y, [1, 2, 1], steps=2000, tolerance=3e-4)
    assert found.converged and found.marginal_error <= 3e-4
    x = noise.draw(40000, seed=5)
    rows = fm.transport.assign_semidiscrete(x, y, found.potential)
    wanted = np.argmin((x - y.T) ** 2 - found.potential, axis=1)
    assert np.mean(rows == wanted) > 0.999  # float32 here, double there
    # 5 standard deviations of a share, and as much again for the tolerance.
    assert np.allclose(np.bincount(rows) / 40000, [0.25, 0.5, 0.25], atol=0.0125 + 0.0125)
    nearest = fm.transport.assign_semidiscrete([[3], [0]], y)
    assert list(nearest) == [2, 1]
    with pytest.raises(fm.StepLimitError):
        fm.transport.solve_semidiscrete(noise, y, steps=1)
    assert not fm.transport.solve_semidiscrete(noise, y, steps=1, unfinished=True).converged
    with pytest.raises(fm.ShapeError, match='weights'):
        fm.transport.solve_semidiscrete(noise, y, [1, 2])


def test_columns_are_drawn_from_a_plan():
    plan = np.tile([0.0, 0.25, 0, 0.5], (8000, 1))
    columns = fm.transport.draw_columns(plan, seed=4)
    counts = np.bincount(columns, minlength=4)
    assert counts[0] == counts[2] == 0
    assert abs(counts[1] - 8000 / 3) < 4.9 * np.sqrt(8000 * 2 / 9)  # false alarms: 1e-6
    assert np.array_equal(columns[10:], fm.transport.draw_columns(plan[10:], seed=4, first_row=10))
    assert list(fm.transport.draw_columns([[0, 0]])) == [-1]
    with pytest.raises(fm.ShapeError, match='plan'):
        fm.transport.draw_columns([1, 2])


def test_the_weight_of_conditions():
    rng = np.random.default_rng(5)
    cost = rng.uniform(size=(60, 60))
    condition = (rng.normal(size=(60, 1)) - rng.normal(size=60)) ** 2
    np.fill_diagonal(condition, 0)
    weight = fm.transport.condition_weight(cost, condition)
    share = np.mean(cost + weight * condition <= np.diag(cost))
    assert weight > 0 and abs(share - 0.05) <= 1e-3
    assert fm.transport.condition_weight(cost, condition, rate=1) == 0
    with pytest.raises(fm.ShapeError, match='condition_cost'):
        fm.transport.condition_weight(cost, condition[:10])


def test_shapes_are_checked():
    with pytest.raises(fm.ShapeError, match='cost'):
        solve(np.zeros((2, 3)))
    with pytest.raises(fm.ShapeError, match='y'):
        fm.transport.solve_assignment_points(np.zeros((2, 2)), np.zeros((3, 2)))
    with pytest.raises(fm.NotFiniteError, match='row 1'):
        solve([[0, 1], [np.nan, 2]])
    assert solve(np.zeros((0, 0))).total == 0
