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


def test_shapes_are_checked():
    with pytest.raises(fm.ShapeError, match='cost'):
        solve(np.zeros((2, 3)))
    with pytest.raises(fm.ShapeError, match='y'):
        fm.transport.solve_assignment_points(np.zeros((2, 2)), np.zeros((3, 2)))
    with pytest.raises(fm.NotFiniteError, match='row 1'):
        solve([[0, 1], [np.nan, 2]])
    assert solve(np.zeros((0, 0))).total == 0
