"""Paths, times, losses and couplings."""

import flowmatch as fm
import numpy as np
import pytest


def test_schedules_are_those_of_the_formulas():
    t = np.array([0.1, 0.5, 0.9])
    s = fm.Path('cosine').schedule(t)
    assert np.allclose(s.alpha, np.sin(np.pi * t / 2)) and np.allclose(s.sigma, np.cos(np.pi * t / 2))
    assert np.allclose(fm.Path('polynomial', exponent=3).schedule(t).alpha_rate, 3 * t**2)
    assert np.allclose(fm.Path('cosine').inverse_ratio(s.alpha / s.sigma), t)


def test_a_schedule_may_be_a_function():
    path = fm.Path('callback', schedule=lambda t: (t, 1 - t, np.ones_like(t), -np.ones_like(t)))
    x0, x1 = np.ones((3, 2), np.float32), np.arange(6, dtype=np.float32).reshape(3, 2)
    x_t, velocity = path.evaluate(x0, x1, 0.25)
    assert np.allclose(x_t, 0.75 * x0 + 0.25 * x1) and np.array_equal(velocity, x1 - x0)
    assert np.allclose(path.convert(x1, 0.25, x_t, 'data', 'velocity'), velocity, atol=1e-5)
    model = fm.Model.mlp(2, path=path, prediction='data', hidden_layers=1)
    assert fm.Trainer(model, fm.Adam(), x1, batch=8).run(3)

    with pytest.raises(fm.ShapeError, match='not 2 arrays'):
        fm.Path('callback', schedule=lambda t: (t, 1 - t)).schedule([0.5])

    class Oops(Exception):
        pass

    def fails(t):
        raise Oops
    with pytest.raises(Oops):
        fm.Path('callback', schedule=fails).schedule([0.5])


def test_paths_with_noise_need_it():
    bridge = fm.Path('brownian_bridge', diffusion=0.5)
    x = np.zeros((2, 1), np.float32)
    x_t, _ = bridge.evaluate(x, x, 0.5, z=[[1], [2]])
    assert np.allclose(x_t, [[0.25], [0.5]])
    with pytest.raises(ValueError, match='rows->z'):
        bridge.evaluate(x, x, 0.5)
    with pytest.raises(ValueError, match='diffusion'):
        fm.Path('brownian_bridge').schedule([0.5])


def test_times():
    t = fm.Times('power_law', exponent=1).draw(20000, seed=1)
    assert abs(t.mean() - 2 / 3) < 0.01
    stratified = fm.Times(stratified=True).draw(256, batch=256)
    assert np.array_equal(np.sort((stratified * 256).astype(int)), np.arange(256))
    assert set(fm.Times('grid', grid=[0.25, 0.5]).draw(100)) == {0.25, 0.5}
    own = fm.Times('callback', draw=lambda random, first_row, n: random.uniform(n, 1)[:, 0] / 2)
    assert own.draw(1000).max() < 0.5
    with pytest.raises(ValueError, match='scale'):
        fm.Times('mode', scale=3).draw(1)


def test_losses():
    model = fm.Model.mlp(1, hidden_layers=1, hidden_width=4)
    target, t = np.array([1, 2, 3], np.float32), np.array([0.1, 0.5, 0.9], np.float32)
    noise = np.zeros(3, np.float32)
    losses = [fm.Trainer(model, fm.Adam(), loss=loss).evaluate_batch(target, noise, t)
              for loss in (None, fm.Loss(weight=lambda t: np.full(len(t), 2.0)),
                           fm.Loss('pseudo_huber', huber_c=1e-3))]
    x = np.float32(t * target)
    error = model.evaluate(x, t)[:, 0] - target
    assert np.allclose(losses, [np.mean(error**2), 2 * np.mean(error**2), np.mean(np.abs(error))],
                       rtol=2e-3)
    weighted = fm.Trainer(model, fm.Adam()).evaluate_batch(target, noise, t, weight=[0, 0, 5])
    assert np.isclose(weighted, error[2]**2, rtol=1e-5)


def test_what_a_worker_thread_raised_comes_out():
    class Once(Exception):
        pass

    failed = []

    def weigh(t):
        if not failed:
            failed.append(True)
            raise Once
        return np.ones(len(t))

    context = fm.Context(threads=4)
    model = fm.Model.mlp(1, hidden_layers=1, context=context)
    trainer = fm.Trainer(model, fm.Adam(context=context), np.ones((4, 1)), batch=1000,
                         loss=fm.Loss(weight=weigh))
    with pytest.raises(Once):
        trainer.run(5)
    assert trainer.run(5)


def test_couplings():
    random = np.random.default_rng(1)
    noise, target = random.normal(size=(2, 40, 2)).astype(np.float32)
    pairs = fm.Coupling().solve(noise, target)
    assert sorted(pairs.noise_row) == list(range(40))
    assert np.array_equal(pairs.target_row, np.arange(40))
    cost = ((noise[pairs.noise_row] - target)**2).sum(1).mean()
    assert np.isclose(pairs.cost, cost) and cost < ((noise - target)**2).sum(1).mean()
    labels = np.arange(40) % 3
    rows = fm.Coupling().solve(noise, target, labels, classes=3).noise_row
    assert np.array_equal(labels[rows], labels)
    entropic = fm.Coupling('entropic', epsilon=0.02).solve(noise, target, seed=3)
    assert np.array_equal(entropic.noise_row, np.arange(40)) and entropic.cost < 2 * cost + 0.5
    assert fm.Coupling('unbalanced', rho=1.0).solve(noise, target).cost < 4
    with pytest.raises(ValueError, match='rho'):
        fm.Coupling('unbalanced').solve(noise, target)
    with pytest.raises(ValueError, match='epsilon'):
        fm.Coupling('exact', epsilon=1)
    swapped = fm.Coupling('callback', pair=lambda random, x, y, c: (np.arange(len(x))[::-1],
                                                                    np.arange(len(x))))
    assert np.array_equal(swapped.solve(noise, target).noise_row, np.arange(40)[::-1])
    with pytest.raises(fm.ShapeError, match='integers'):
        fm.Coupling('callback', pair=lambda random, x, y, c: (np.zeros(len(x)),)).solve(noise, target)
    model = fm.Model.mlp(2, hidden_layers=1)
    trainer = fm.Trainer(model, fm.Adam(), target, batch=20, coupling=fm.Coupling(batch=40))
    assert trainer.run(4)
    with pytest.raises(ValueError, match='multiple'):
        fm.Trainer(model, fm.Adam(), target, batch=20, coupling=fm.Coupling(batch=30))


def test_conditions_are_trained():
    target = fm.Source.toy('two_moons', labels=True)
    model = fm.Model.mlp(2, condition_dim=1, classes=2, null_condition=True, hidden_layers=1)
    trainer = fm.Trainer(model, fm.Adam(), target, batch=32, coupling=fm.Coupling(),
                         condition_dropout=0.2)
    assert trainer.run(5)
    assert np.isfinite(trainer.run_batch([[0, 0], [1, 1]], condition=[[0], [1]]))
