"""Divergences, scores and log-densities."""

import pickle

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


def normal_log_density(x, mean, std):
    return (-0.5 * ((x - mean) / std)**2 - np.log(std) - 0.5 * np.log(2 * np.pi)).sum(1)


def test_log_density_of_a_mixture(target):
    model = fm.Model.closed_form(target)
    likelihood = fm.Likelihood(model, steps=200)
    drawn = likelihood.draw(100, seed=3)
    np.testing.assert_allclose(drawn.log_density, model.log_density(drawn.x), atol=1e-4)
    seen = likelihood.evaluate(drawn.x)
    np.testing.assert_allclose(seen.log_density, drawn.log_density, atol=1e-4)
    noise = fm.Sampler(model, solver='rk4', steps=200, t_start=1, t_end=0).integrate(drawn.x)
    np.testing.assert_allclose(seen.x, noise, atol=1e-4)
    half = fm.Likelihood(model, steps=200, t=0.5).evaluate(drawn.x)
    np.testing.assert_allclose(half.log_density, model.log_density(drawn.x, 0.5), atol=1e-4)


@pytest.mark.parametrize('solver', ['bogacki_shampine', 'dormand_prince', 'tsitouras'])
def test_rows_choose_their_steps(target, solver):
    model = fm.Model.closed_form(target)
    likelihood = fm.Likelihood(model, solver=solver, atol=1e-5, rtol=1e-5)
    drawn = likelihood.draw(100, seed=3)
    np.testing.assert_allclose(drawn.log_density, model.log_density(drawn.x), atol=5e-4)
    seen = likelihood.evaluate(drawn.x)
    np.testing.assert_allclose(seen.log_density, drawn.log_density, atol=5e-4)
    assert (seen.statistics.t == 0).all() and (drawn.statistics.t == 1).all()
    assert seen.statistics.evaluations.min() < seen.statistics.evaluations.max()
    assert fm.Likelihood(model, solver='adams_bashforth').evaluate(drawn.x).statistics is None


def test_rows_that_stop_leave_the_others():
    model = fm.Model.callback(1, lambda x, t, c: c * x, condition_dim=1,
                              jacobian_vector=lambda x, t, c, u: (c * x, c * u))
    likelihood = fm.Likelihood(model, solver='dormand_prince', max_steps=30)
    with pytest.raises(fm.StepLimitError, match='row 1: config->steps_max') as caught:
        likelihood.evaluate([1, 1], [0.5, 500])
    seen = caught.value.result
    np.testing.assert_allclose(seen.log_density[0], normal_log_density(np.ones((1, 1)), 0, np.exp(0.5)), atol=1e-4)
    assert np.isnan(seen.log_density[1]) and np.isnan(seen.standard_error[1])
    assert seen.statistics.t[0] == 0 and 0 < seen.statistics.t[1] < 1
    copy = pickle.loads(pickle.dumps(caught.value)).result
    np.testing.assert_array_equal(copy.statistics.t, seen.statistics.t)
    np.testing.assert_allclose(seen.x[1], np.exp(500 * (seen.statistics.t[1] - 1)), atol=1e-4)
    with pytest.raises(fm.ArgumentError, match='tolerance_absolute'):
        fm.Likelihood(model, atol=1e-3).evaluate([1], [0.5])


def test_log_density_of_a_new_network_is_the_gaussian():
    mean, std = [10, -2], [3, 0.1]
    model = fm.Model.mlp(2, data_mean=mean, data_std=std)
    x = np.array(mean) + np.array(std) * np.random.default_rng(1).normal(size=(20, 2))
    np.testing.assert_allclose(fm.Likelihood(model).evaluate(x).log_density,
                               normal_log_density(x, mean, std), atol=2e-5)


def test_base_and_conditions():
    model = fm.Model.callback(1, lambda x, t, c: c, condition_dim=1)
    x, c = np.linspace(-2, 2, 9), np.linspace(3, -1, 9)
    likelihood = fm.Likelihood(model, solver='euler', steps=1, base=lambda x: -np.abs(x[:, 0]) - np.log(2))
    np.testing.assert_allclose(likelihood.evaluate(x, c).log_density, -np.abs(x - c) - np.log(2), atol=1e-5)
    with pytest.raises(fm.ShapeError, match='what base returned'):
        fm.Likelihood(model, base=lambda x: x).evaluate(x, c)
    with pytest.raises(fm.ArgumentError, match='config->t'):
        fm.Likelihood(model, t=0).evaluate(x, c)


def test_probes_have_an_error(target):
    model = fm.Model.closed_form(fm.Source.gaussian_mixture([1], [[1, -2, 0.5]], [[0.5, 2, 1]]))
    exact = fm.Likelihood(model).draw(200)
    seen = fm.Likelihood(model, divergence=fm.Divergence('hutchinson', 'gaussian', probes=100)).draw(200)
    np.testing.assert_allclose(seen.x, exact.x, atol=1e-6)
    assert 0.7 < ((seen.log_density - exact.log_density) / seen.standard_error).std() < 1.3
