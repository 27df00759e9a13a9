"""Divergences, scores and log-densities."""

import flowmatch as fm
import numpy as np
import pytest

MATRIX = np.array([[0.5, -2, 1], [3, -0.25, 0.75], [0, 1.5, 2]])


def velocity(x, t):
    return t[:, None] * (x @ MATRIX.T)


def jacobian_vector(x, t, u):
    return velocity(x, t), velocity(u, t)


@pytest.fixture
def points():
    generator = np.random.default_rng(3)
    return generator.normal(size=(50, 3)).astype(np.float32), generator.uniform(size=50).astype(np.float32)


@pytest.mark.parametrize('given', [None, jacobian_vector])
def test_divergence_of_a_callback(points, given):
    x, t = points
    model = fm.Model.callback(3, velocity, jacobian_vector=given)
    seen = model.divergence(x, t)
    np.testing.assert_allclose(seen.divergence, np.trace(MATRIX) * t, atol=3e-4 if given is None else 1e-6)
    np.testing.assert_allclose(seen.velocity, velocity(x, t), atol=1e-6)
    assert not seen.standard_error.any()


@pytest.mark.parametrize('probe', ['rademacher', 'gaussian'])
def test_probes(points, probe):
    x, t = points
    model = fm.Model.callback(3, velocity, jacobian_vector=jacobian_vector)
    seen = model.divergence(x, t, divergence=fm.Divergence('hutchinson', probe=probe, probes=500, seed=3))
    off = (seen.divergence - np.trace(MATRIX) * t) / seen.standard_error
    assert np.abs(off).max() < 4.9 and 0.6 < off.std() < 1.5
    later = model.divergence(x[10:], t[10:], first_row=10,
                             divergence=fm.Divergence('hutchinson', probe=probe, probes=500, seed=3))
    np.testing.assert_array_equal(later.divergence, seen.divergence[10:])
    assert np.isnan(model.divergence(x, t, divergence=fm.Divergence('hutchinson')).standard_error).all()


def test_an_exception_of_a_derivative_comes_out(points):
    def fail(x, t, u):
        raise KeyError('mine')
    with pytest.raises(KeyError, match='mine'):
        fm.Model.callback(3, velocity, jacobian_vector=fail).divergence(*points)
    with pytest.raises(fm.ShapeError, match='jacobian_vector'):
        fm.Model.callback(3, velocity, jacobian_vector=lambda x, t, u: (x,)).divergence(*points)
    with pytest.raises(fm.ArgumentError, match='probes'):
        fm.Model.callback(3, velocity).divergence(*points, divergence=fm.Divergence('hutchinson', probes=0))


def test_score_of_a_normal(points):
    x, t = points
    t *= 0.9
    target = fm.Source.gaussian_mixture([1], [[1, -2, 0.5]], [[0.5, 2, 1]])
    model = fm.Model.closed_form(target)
    s = t[:, None].astype(np.float64)
    variance = (1 - s)**2 + (s * [0.5, 2, 1])**2
    np.testing.assert_allclose(model.score(x, t), -(x - s * [1, -2, 0.5]) / variance, atol=1e-4)
    assert fm.Model.callback(2, lambda x, t: x).score(np.ones((1, 2)), 0).tolist() == [[-1, -1]]
