"""Metrics, against NumPy and, where it is installed, SciPy."""

import flowmatch as fm
import numpy as np
import pytest

try:
    from scipy import stats
except ImportError:  # the other tests need NumPy alone
    stats = None

random = np.random.default_rng(7)
X, Y = random.normal(size=(60, 3)), random.normal(1, 2, size=(45, 3))


def float32(x):
    return x.astype(np.float32).astype(float)


def w2_square_1d(x, y):
    """On the common grid of len(x) * len(y) quantiles."""
    return np.mean((np.repeat(np.sort(x), len(y)) - np.repeat(np.sort(y), len(x)))**2)


def test_distances_on_the_line():
    x, y = float32(X[:, 0]), float32(Y[:, 0])
    seen = fm.metrics.wasserstein_1d(x, y)
    assert seen.w2_square == pytest.approx(w2_square_1d(x, y)) and seen.w2**2 == seen.w2_square
    if stats is None:
        print('# SciPy is not installed')
        return
    assert seen.w1 == pytest.approx(stats.wasserstein_distance(x, y), rel=1e-12)
    assert (fm.metrics.kolmogorov_smirnov(x, y)
            == pytest.approx(stats.ks_2samp(x, y).statistic, rel=1e-12))
    assert (fm.metrics.kolmogorov_smirnov(x, stats.norm(1, 2).cdf)
            == pytest.approx(stats.ks_1samp(x, stats.norm(1, 2).cdf).statistic, rel=1e-12))
    # SciPy's energy distance is the square root.
    assert (fm.metrics.energy_distance(x, y)
            == pytest.approx(stats.energy_distance(x, y)**2, rel=1e-10))


def test_sliced_wasserstein():
    seen = fm.metrics.sliced_wasserstein(X, Y, projections=4000, seed=3)
    directions = random.normal(size=(4000, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    squares = [w2_square_1d(X @ d, Y @ d) for d in directions]
    # Two means of 4000 directions each: false alarm 1e-6.
    assert abs(seen.w2_square - np.mean(squares)) < 4.9 * np.std(squares) * np.sqrt(2 / 4000)
    assert seen.w2**2 == pytest.approx(seen.w2_square)
    assert seen == fm.metrics.sliced_wasserstein(X, Y, projections=4000, seed=3)
    assert seen != fm.metrics.sliced_wasserstein(X, Y, projections=4000, seed=4)
    context = fm.Context(threads=3)
    assert seen == fm.metrics.sliced_wasserstein(X, Y, 4000, 3, context=context)


def test_wasserstein_by_assignment():
    x, y = float32(X[:45]), float32(Y)
    squares = ((x[:, None] - y[None])**2).sum(-1)
    seen = fm.metrics.wasserstein(x, y), fm.metrics.wasserstein(x, y, order=1)
    assert fm.metrics.wasserstein(x[:, :1], y[:, :1]) == pytest.approx(
        np.sqrt(w2_square_1d(x[:, 0], y[:, 0])))
    if stats is None:
        print('# SciPy is not installed')
        return
    from scipy.optimize import linear_sum_assignment
    for costs, p, w in ((squares, 2, seen[0]), (np.sqrt(squares), 1, seen[1])):
        rows, columns = linear_sum_assignment(costs)
        assert w == pytest.approx(costs[rows, columns].mean()**(1 / p), rel=1e-12)


def entropic_transport(squares, epsilon):
    """Entropic transport by plain iterations in the log domain, with and without the entropy."""
    n, m = squares.shape
    f = np.zeros(n)
    for _ in range(3000):
        g = -epsilon * np.log(np.exp((f[:, None] - squares) / epsilon).mean(0))
        f = -epsilon * np.log(np.exp((g[None] - squares) / epsilon).mean(1))
    density = np.exp((f[:, None] + g[None] - squares) / epsilon)
    cost = (density * squares).mean()
    return np.array([cost + epsilon * (density * np.log(density)).mean(), cost])


def test_sinkhorn_divergence():
    x, y = float32(X), float32(Y)
    pairs = (x, y), (x, x), (y, y)
    xy, xx, yy = (entropic_transport(((a[:, None] - b[None])**2).sum(-1), 3.0) for a, b in pairs)
    seen = fm.metrics.sinkhorn_divergence(X, Y, epsilon=3, relative=False)
    assert np.array(seen) == pytest.approx(xy - xx / 2 - yy / 2, abs=1e-8)
    mean = ((x[:, None] - y[None])**2).sum(-1).mean()
    relative = fm.metrics.sinkhorn_divergence(X, Y, epsilon=3 / mean)
    assert np.array(relative) == pytest.approx(np.array(seen), abs=1e-8)
    context = fm.Context(threads=3)
    assert seen == fm.metrics.sinkhorn_divergence(X, Y, epsilon=3, relative=False, context=context)


@pytest.mark.parametrize('sigmas', [None, [0.5, 2], 1.5])
def test_mmd(sigmas):
    def kernels(a, b):
        squares = ((a[:, None] - b[None])**2).sum(-1)
        used = [0.01, 0.1, 1, 10, 100] if sigmas is None else np.atleast_1d(sigmas)
        return sum(np.exp(-squares / (2 * s**2)) for s in used)

    x, y = float32(X), float32(Y)
    xx, yy, xy = kernels(x, x), kernels(y, y), kernels(x, y)
    biased = xx.mean() + yy.mean() - 2 * xy.mean()
    assert fm.metrics.mmd(X, Y, sigmas) == pytest.approx(biased, abs=1e-13)
    unbiased = (xx[~np.eye(60, dtype=bool)].mean() + yy[~np.eye(45, dtype=bool)].mean()
                - 2 * xy.mean())
    assert fm.metrics.mmd(X, Y, sigmas, unbiased=True) == pytest.approx(unbiased, abs=1e-13)


def test_paths():
    times, paths = np.linspace(0, 1, 6)**2, float32(random.normal(size=(6, 20, 3)))
    seen = fm.metrics.path_measures(times, paths)
    steps, h = np.diff(paths, axis=0), np.diff(times)[:, None, None]
    chord = paths[-1] - paths[0]
    energy = (steps**2 / h).sum((0, 2)).mean()
    assert seen.energy == pytest.approx(energy, rel=1e-12)
    assert seen.curvature == pytest.approx((h * (steps / h - chord)**2).sum((0, 2)).mean())
    lengths = np.linalg.norm(steps, axis=2).sum(0)
    assert seen.straightness == pytest.approx((np.linalg.norm(chord, axis=1) / lengths).mean())
    assert (fm.metrics.normalised_path_energy(times, paths, 2.5)
            == pytest.approx(abs(energy - 2.5) / 2.5, rel=1e-12))


def test_paths_of_a_sampler():
    model = fm.Model.mlp(dim=2, hidden_layers=1, hidden_width=8)
    sampler = fm.Sampler(model, steps=7)
    seen = fm.metrics.path_measures(sampler.times, sampler.draw_trajectory(50))
    assert seen.energy > seen.curvature >= 0 and 0 <= seen.straightness <= 1


@pytest.mark.parametrize('use, error, message', [
    (lambda: fm.metrics.sliced_wasserstein(X, Y[:, :2]), fm.ShapeError, r'y has shape \(45, 2\)'),
    (lambda: fm.metrics.sliced_wasserstein(X, Y, 0), fm.ArgumentError, 'projections is 0'),
    (lambda: fm.metrics.sliced_wasserstein(X, X[:0]), fm.ArgumentError, 'm is 0'),
    (lambda: fm.metrics.wasserstein(X, Y), fm.ShapeError, r'y has shape \(45, 3\)'),
    (lambda: fm.metrics.wasserstein(X, X, order=3), fm.ArgumentError, 'order is 3'),
    (lambda: fm.metrics.sinkhorn_divergence(X, Y, epsilon=-1), fm.ArgumentError, 'epsilon is -1'),
    (lambda: fm.metrics.sinkhorn_divergence(X, Y, epsilon=1e-4, iterations=2), fm.StepLimitError,
     'transport of x to y'),
    (lambda: fm.metrics.mmd(X, Y, [1, 0]), fm.ArgumentError, r'sigmas\[1\] is 0'),
    (lambda: fm.metrics.mmd(X, Y, []), fm.ArgumentError, 'sigmas is empty'),
    (lambda: fm.metrics.mmd(X, X[:1], unbiased=True), fm.ArgumentError, 'm is 1'),
    (lambda: fm.metrics.kolmogorov_smirnov(X, Y), fm.ShapeError, r'x has shape \(60, 3\)'),
    (lambda: fm.metrics.kolmogorov_smirnov([1, 2], lambda x: x), fm.ArgumentError, r'cdf\[1\] is 2'),
    (lambda: fm.metrics.kolmogorov_smirnov([1, 2], lambda x: [1]), fm.ShapeError, 'cdf has shape'),
    (lambda: fm.metrics.path_measures([0, 1], X), fm.ShapeError, 'trajectory has 2 axes'),
    (lambda: fm.metrics.path_measures([0, 1], X[None]), fm.ShapeError, r'times has shape \(2,\)'),
    (lambda: fm.metrics.path_measures([1, 1], [[[0]], [[1]]]), fm.ArgumentError, r't\[1\] is 1'),
    (lambda: fm.metrics.normalised_path_energy([0, 1], [[[0]], [[1]]], 0), fm.ArgumentError,
     'w2_square is 0'),
])
def test_misuse(use, error, message):
    with pytest.raises(error, match=message):
        use()
