import flowmatch as fm
import numpy as np
import pytest


def test_samples_of_the_exact_field_have_its_distribution(target):
    x = fm.Sampler(fm.Model.closed_form(target), steps=100).draw(100000, seed=4)
    assert x.shape == (100000, 1) and x.dtype == np.float32
    distances = fm.metrics.wasserstein_1d(x, target.draw(100000, seed=9))
    assert distances.w1 < 0.02 and distances.w2 < 0.04


def test_exact_path_of_the_post(target):
    sampler = fm.Sampler(fm.Model.closed_form(target), solver='euler', steps=15)
    path = sampler.integrate_trajectory([0.85])
    wanted = [.850000, .807167, .771380, .744322, .728226, .726004, .741199, .777318, .835979,
              .914383, 1.005506, 1.102445, 1.201417, 1.301032, 1.400880, 1.500850]
    assert path.shape == (16, 1, 1)
    np.testing.assert_allclose(path[:, 0, 0], wanted, atol=2e-6)
    np.testing.assert_allclose(sampler.times, np.arange(16) / 15, atol=1e-12)
    assert sampler.count_evaluations == 15


def test_rows_continue(network):
    sampler = fm.Sampler(network, steps=5)
    whole = sampler.draw(40, seed=1)
    np.testing.assert_allclose(whole[25:], sampler.draw(15, seed=1, first_row=25), atol=1e-5)
    assert sampler.draw(0).shape == (0, 1)


def test_trajectory_ends_where_draw_does(network):
    sampler = fm.Sampler(network, solver='heun', steps=6)
    trajectory = sampler.draw_trajectory(10, seed=2)
    assert trajectory.shape == (7, 10, 1)
    assert np.array_equal(trajectory[-1], sampler.draw(10, seed=2))
    assert np.array_equal(trajectory[-1], sampler.integrate(trajectory[0]))


def test_backward_undoes_forward(target):
    model = fm.Model.closed_form(target)
    x = np.linspace(-1, 1, 9).reshape(-1, 1)
    end = fm.Sampler(model, solver='rk4', steps=200).integrate(x)
    back = fm.Sampler(model, solver='rk4', steps=200, t_start=1, t_end=0).integrate(end)
    np.testing.assert_allclose(back, x, atol=1e-3)


@pytest.mark.parametrize('solver, evaluations', [('euler', 10), ('midpoint', 20), ('heun', 20),
                                                 ('rk4', 40)])
def test_evaluations(network, solver, evaluations):
    assert fm.Sampler(network, solver=solver, steps=10).count_evaluations == evaluations


def test_recommended_and_plain(network):
    assert fm.Sampler(network).count_evaluations == 100  # midpoint, 50 steps
    assert fm.Sampler(network, preset='plain').count_evaluations == 100  # Euler, 100 steps
    assert len(fm.Sampler(network, preset='plain').times) == 101


@pytest.mark.parametrize('use, error, message', [
    (lambda m: fm.Sampler(m, solver='rk5'), fm.ArgumentError, "'rk5'.*'midpoint'"),
    (lambda m: fm.Sampler(m, steps=0), fm.ArgumentError, 'steps is 0'),
    (lambda m: fm.Sampler(m, t_end=2), fm.ArgumentError, 't_end is 2'),
    (lambda m: fm.Sampler(m, t_start=0.5).draw(3), fm.StateError, ''),
    (lambda m: fm.Sampler(m).draw(-1), fm.ArgumentError, 'n is -1'),
    (lambda m: fm.Sampler(m).draw(1, first_row=-1), fm.ArgumentError, 'first_row is -1'),
    (lambda m: fm.Sampler(m).integrate([[1, 2]]), fm.ShapeError, r'x has shape \(1, 2\)'),
])
def test_misuse(network, use, error, message):
    with pytest.raises(error, match=message):
        use(network)


def test_energy_distance():
    x, y = np.array([0.0, 2.0]), np.array([1.0])
    # 2 E|X - Y| - E|X - X'| - E|Y - Y'| = 2 - 1 - 0
    assert fm.metrics.energy_distance(x, y) == pytest.approx(1)
    points = np.random.default_rng(0).normal(size=(50, 3))
    assert fm.metrics.energy_distance(points, points) == pytest.approx(0, abs=1e-9)
    with pytest.raises(fm.ShapeError, match='y has shape'):
        fm.metrics.energy_distance(points, points[:, :2])


def test_wasserstein():
    distances = fm.metrics.wasserstein_1d([0, 0], [[1], [3]])
    assert distances.w1 == pytest.approx(2) and distances.w2 == pytest.approx(np.sqrt(5))
