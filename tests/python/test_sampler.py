import pickle

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


def test_grids_and_times(network):
    shifted = fm.Sampler(network, grid='shifted', steps=2, shift=3)
    np.testing.assert_allclose(shifted.times, [0, 0.25, 1], atol=1e-12)
    backward = fm.Sampler(network, grid='cosine', steps=4, t_start=1, t_end=0)
    np.testing.assert_allclose(backward.times, (1 + np.cos(np.pi * np.arange(5) / 4)) / 2, atol=1e-12)
    given = fm.Sampler(network, solver='adams_bashforth', times=[0, 0.5, 0.75, 1])
    assert list(given.times) == [0, 0.5, 0.75, 1] and given.count_evaluations == 4


@pytest.mark.parametrize('solver', ['bogacki_shampine', 'dormand_prince', 'tsitouras'])
def test_rows_choose_their_steps(target, solver):
    model = fm.Model.closed_form(target)
    sampler = fm.Sampler(model, solver=solver, atol=1e-6, rtol=1e-6, times=[0, 0.5, 1])
    x = np.linspace(-1, 1, 9)
    path = sampler.integrate_trajectory(x)
    assert path.shape == (3, 9, 1) and np.array_equal(path[0, :, 0], x.astype(np.float32))
    for k, t in ((1, 0.5), (2, 1)):
        fine = fm.Sampler(model, solver='rk4', steps=400, t_end=t).integrate(x)
        np.testing.assert_allclose(path[k], fine, atol=2e-4)
    info, rows = sampler.info, sampler.statistics
    assert info.rows == 9 and info.stopped == 0 and np.all(rows.t == 1)
    assert info.evaluations == rows.evaluations.sum() and info.rejected == rows.rejected.sum()
    assert info.step_smallest == rows.step_smallest.min()
    assert sampler.count_evaluations == -(-info.evaluations // 9)


def test_a_step_limit_has_the_states(target):
    sampler = fm.Sampler(fm.Model.closed_form(target), solver='dormand_prince', max_steps=3)
    with pytest.raises(fm.StepLimitError, match='row 0: config->steps_max') as caught:
        sampler.draw(20, seed=1)
    assert caught.value.x.shape == (20, 1) and np.isfinite(caught.value.x).all()
    assert sampler.info.stopped == 20 and (sampler.statistics.t < 1).all()
    copy = pickle.loads(pickle.dumps(caught.value))
    assert str(copy) == str(caught.value)
    np.testing.assert_array_equal(copy.x, caught.value.x)


def test_recommended_and_plain(network):
    assert fm.Sampler(network).count_evaluations == 100  # midpoint, 50 steps
    assert fm.Sampler(network, preset='plain').count_evaluations == 100  # Euler, 100 steps
    assert len(fm.Sampler(network, preset='plain').times) == 101


@pytest.mark.parametrize('use, error, message', [
    (lambda m: fm.Sampler(m, grid='log'), fm.ArgumentError, "'log'.*'shifted'"),
    (lambda m: fm.Sampler(m, times=[0, 2]), fm.ArgumentError, r'times\[1\] is 2'),
    (lambda m: fm.Sampler(m, atol=1e-3), fm.ArgumentError, 'tolerance_absolute is 0.001'),
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


def test_noise_along_the_way(target):
    model = fm.Model.closed_form(target)
    wanted = target.draw(50000, seed=9)
    for settings in {'eta': 1}, {'diffusion': lambda t: 1 - t / 2}:
        sampler = fm.Sampler(model, steps=80, **settings)
        assert fm.metrics.wasserstein_1d(sampler.draw(50000, seed=4), wanted).w1 < 0.03
        x = np.zeros((5, 1))
        assert np.array_equal(sampler.integrate(x, seed=2)[1:], sampler.integrate(x[1:], seed=2,
                                                                                  first_row=1))
        assert len(set(sampler.integrate(x, seed=2)[:, 0])) == 5
    flow = fm.Sampler(model, solver='euler', steps=9)
    assert np.array_equal(fm.Sampler(model, solver='euler', steps=9, eta=0).draw(9), flow.draw(9))
    with pytest.raises(ZeroDivisionError):
        fm.Sampler(model, diffusion=lambda t: 1 / 0)
    with pytest.raises(fm.UnsupportedError, match='solver'):
        fm.Sampler(model, solver='rk4', eta=1)
    with pytest.raises(ValueError, match='eta'):
        fm.Sampler(model, eta=-1)


def test_data_to_noise_and_back(target):
    model, x = fm.Model.closed_form(target), target.draw(50000, seed=1)
    for settings in {'solver': 'rk4'}, {'solver': 'dormand_prince', 'rtol': 1e-5, 'atol': 1e-5}:
        noise = fm.Sampler(model, t_start=1, t_end=0, **settings).integrate(x)
        # A standard normal is beyond 4.892 with probability 1e-6.
        assert abs(noise.mean()) < 4.892 / 50000 ** 0.5
        assert abs((noise ** 2).mean() - 1) < 4.892 * (2 / 50000) ** 0.5
        assert np.abs(fm.Sampler(model, **settings).integrate(noise) - x).max() < 5e-3


def test_a_warm_start(target):
    x1, x0 = target.draw(50000, seed=1), np.random.default_rng(2).normal(size=(50000, 1))
    x, _ = fm.Path().evaluate(x0, x1, 0.4)
    end = fm.Sampler(fm.Model.closed_form(target), t_start=0.4, eta=0.5).integrate(x, seed=3)
    assert fm.metrics.wasserstein_1d(end, target.draw(50000, seed=9)).w1 < 0.03


def test_inpainting():
    model = fm.Model.mlp(2)
    known = np.array([[1, np.nan], [np.nan, np.nan], [3, 4]])
    x = fm.Sampler(model).draw_inpainted(known, seed=1)
    assert np.array_equal(x[~np.isnan(known)], known[~np.isnan(known)])
    assert np.array_equal(x[1], fm.Sampler(model).draw(1, seed=1, first_row=1)[0])
    half = fm.Sampler(model, inpainting_strength=0.5, inpainting_t_end=0.9)
    assert not np.array_equal(half.draw_inpainted(known, np.ones((3, 2)) * ~np.isnan(known), 1), x)
    with pytest.raises(fm.ShapeError, match='mask has shape'):
        half.draw_inpainted(known, [1, 0])


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
