import flowmatch as fm
import numpy as np
import pytest

POST_LEAST_LOSS = 1.8367658345


def test_the_post_is_learned(target):
    mean, std = target.moments()
    model = fm.Model.mlp(data=target, noise=fm.Source.normal(1), seed=626)
    trainer = fm.Trainer(model, fm.Adam(), target, seed=42, steps=2000)
    assert trainer.run(1500) is True
    assert trainer.run(500) is True
    # Standardised, in units of the data's variance. The mean of a million draws is off by 0.003.
    assert POST_LEAST_LOSS - 0.01 < std[0]**2 * trainer.evaluate(1000000) < 1.87
    samples = fm.Sampler(model, steps=50).draw(50000, seed=1)
    assert samples.mean() == pytest.approx(mean[0], abs=0.03)
    assert samples.std() == pytest.approx(std[0], abs=0.03)
    assert fm.metrics.wasserstein_1d(samples, target.draw(50000)).w1 < 0.04


def test_a_python_function_as_target(network):
    def two_points(random, first_row, n):
        return np.where(random.uniform(n) < 0.5, -1, 1) + 0.05 * random.normal(n)
    trainer = fm.Trainer(network, fm.Adam(), two_points, batch=128, steps=1500)
    trainer.run(1500)
    x = np.abs(fm.Sampler(network).draw(5000))
    assert np.median(x) == pytest.approx(1, abs=0.1)


def test_an_array_as_target(make_trainer):
    trainer = make_trainer(np.full(100, 3.0))
    trainer.run(10)
    assert trainer.count_steps == 10


def test_equal_seeds_give_equal_bits(target):
    def trained():
        model = fm.Model.mlp(1, hidden_width=16, seed=1)
        fm.Trainer(model, fm.Adam(), target, batch=64, seed=2).run(50)
        return model.parameters['net.2.weight']
    assert np.array_equal(trained(), trained())


@pytest.mark.parametrize('steps, every, reports', [(1000, 0, 100), (30, 0, 30), (100, 30, 4),
                                                   (101, 101, 1), (50, 64, 1), (50, 7, 8)])
def test_progress(make_trainer, target, steps, every, reports):
    trainer = make_trainer(target)
    seen = []
    assert trainer.run(steps, progress=seen.append, every=every)
    assert len(seen) == reports and seen[-1].step == steps
    losses, begin = trainer.losses(), 0
    for p in seen:
        assert p.steps == steps and p.learning_rate == 1e-3 and p.seconds >= 0
        assert p.loss == pytest.approx(losses[begin:p.step].mean(), rel=1e-9)
        begin = p.step


def test_progress_cancels(make_trainer, target, network):
    trainer = make_trainer(target)
    before = network.parameters['net.0.bias']
    assert trainer.run(1000, progress=lambda p: p.step >= 20, every=10) is False
    assert trainer.count_steps == 20
    assert not np.array_equal(network.parameters['net.0.bias'], before)
    assert trainer.run(5) is True and trainer.count_steps == 25


def test_progress_may_use_the_trainer(make_trainer, target):
    trainer = make_trainer(target)
    seen = []
    trainer.run(20, progress=lambda p: seen.append((len(trainer.losses()), trainer.evaluate(100))),
                every=10)
    assert [length for length, _ in seen] == [10, 20]
    assert trainer.count_steps == 20


def test_losses(make_trainer, target):
    trainer = make_trainer(target)
    assert trainer.losses().shape == (0,)
    trainer.run(12)
    losses = trainer.losses()
    assert losses.dtype == np.float64 and losses.shape == (12,)
    assert np.array_equal(trainer.losses(5, 3), losses[5:8])
    with pytest.raises(fm.ArgumentError):
        trainer.losses(5, 100)


def test_own_batches(make_trainer, network):
    trainer = make_trainer()
    x1, x0, t = np.float32([1, -1, 0.5]), np.float32([0, 1, 2]), np.float32([0, 0.5, 1])
    residual = network.evaluate((1 - t) * x0 + t * x1, t)[:, 0] - (x1 - x0)
    loss = trainer.evaluate_batch(x1, x0, t)
    assert loss == pytest.approx(np.mean(residual.astype(float)**2), rel=1e-5)
    gradient = trainer.gradient()
    assert {k: v.shape for k, v in gradient.items()} == {
        k: v.shape for k, v in network.parameters.items()}
    assert gradient['net.4.bias'][0] == pytest.approx(2 * residual.mean(), rel=1e-4)
    assert trainer.run_batch(x1, x0, t) == pytest.approx(loss, rel=1e-12)
    assert trainer.evaluate_batch(x1, x0, t) < loss
    assert trainer.run_batch(x1) > 0 and trainer.count_steps == 2


def test_sgd_step(network):
    trainer = fm.Trainer(network, fm.SGD(0.1, momentum=0), preset='plain')
    before = dict(network.parameters)
    trainer.run_batch([1.0, 2.0], [0.0, 0.0], [0.5, 0.5])
    for name, gradient in trainer.gradient().items():
        np.testing.assert_allclose(network.parameters[name], before[name] - 0.1 * gradient,
                                   rtol=1e-5, atol=1e-7)


def test_learning_rate(network, target):
    adam = fm.Adam(0.5)
    assert adam.learning_rate == 0.5
    adam.learning_rate = 0
    trainer = fm.Trainer(network, adam, target, batch=8)
    before = network.parameters['net.0.weight']
    trainer.run(3)
    assert np.array_equal(network.parameters['net.0.weight'], before)
    with pytest.raises(fm.ArgumentError, match='learning_rate is -1'):
        adam.learning_rate = -1


def test_checkpoints(target, tmp_path):
    def trained(steps, load=None, save=None, batch=32):
        model, adam = fm.Model.mlp(1, hidden_width=16, seed=3), fm.Adam(1e-2)
        trainer = fm.Trainer(model, adam, target, batch=batch, seed=5, average_decay=0.9,
                             publish='average', validation=fm.Validation(every=7, rows=64))
        if load:
            adam.learning_rate = 1
            trainer.load(load)
            assert adam.learning_rate == 1e-2
        trainer.run(steps, progress=lambda p: save and p.step == 10 and trainer.save(save))
        return model.parameters['net.2.weight'], trainer.losses()
    file = tmp_path / 'checkpoint'
    whole = trained(30)
    trained(25, save=file)
    again = trained(20, load=file)
    assert np.array_equal(whole[0], again[0]) and np.array_equal(whole[1], again[1])
    with pytest.raises(fm.StateError, match='has config->batch 32; the trainer 16'):
        trained(1, load=file, batch=16)
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(fm.FileFormatError, match='is damaged'):
        trained(1, load=file)
    with pytest.raises(fm.FileError):
        trained(1, load=tmp_path / 'none')


def test_not_finite_keeps_the_steps_before(network):
    calls = []

    def draw(random, first_row, n):
        calls.append(n)
        return np.full(n, np.nan if len(calls) > 3 else 1.0)
    trainer = fm.Trainer(network, fm.Adam(), draw, batch=8)
    with pytest.raises(fm.NotFiniteError):
        trainer.run(10)
    assert trainer.count_steps == 3


@pytest.mark.parametrize('use, error, message', [
    (lambda m: fm.Trainer(m, fm.Adam(), batch=0), fm.ArgumentError, 'batch is 0'),
    (lambda m: fm.Trainer(m, fm.Adam(), fm.Source.normal(2)), fm.ShapeError, ''),
    (lambda m: fm.Trainer(m, fm.Adam(), np.zeros((3, 2))), fm.ShapeError, 'target has shape'),
    (lambda m: fm.Trainer(m, fm.Adam()).run(1), fm.StateError, ''),
    (lambda m: fm.Trainer(m, fm.Adam()).gradient(), fm.StateError, ''),
    (lambda m: fm.Trainer(m, fm.Adam(), np.zeros(3)).run(-1), fm.ArgumentError, 'steps is -1'),
    (lambda m: fm.Trainer(m, fm.Adam(), np.zeros(3)).run(1, every=-1), fm.ArgumentError, 'every'),
    (lambda m: fm.Trainer(m, fm.Adam()).run_batch([1, 2], noise=[1]), fm.ShapeError, 'noise'),
    (lambda m: fm.Trainer(m, fm.Adam()).run_batch([1, 2], t=[1]), fm.ShapeError, 't has shape'),
    (lambda m: fm.Adam(beta1=1), fm.ArgumentError, 'beta1 is 1'),
    (lambda m: fm.SGD(momentum=-1), fm.ArgumentError, 'momentum is -1'),
    (lambda m: fm.Trainer(fm.Model.callback(1, lambda x, t: x), fm.Adam()), fm.UnsupportedError,
     ''),
])
def test_misuse(network, use, error, message):
    with pytest.raises(error, match=message):
        use(network)


def test_an_optimizer_belongs_to_one_trainer(network):
    adam = fm.Adam()
    trainer = fm.Trainer(network, adam)
    with pytest.raises(fm.StateError):
        fm.Trainer(network, adam)
    assert trainer.count_steps == 0
