"""Rates, clipping, averages, accumulation, validation and history."""

import csv
import json
import math

import flowmatch as fm
import numpy as np
import pytest


def test_rates():
    cosine = fm.Rate(warmup=2, steps=6, end=0.1).evaluate(8)
    assert cosine[:3] == pytest.approx([0.5, 1, 1]) and cosine[4] == pytest.approx(0.55)
    assert cosine[6:] == pytest.approx([0.1, 0.1])
    assert fm.Rate('polynomial', warmup=0).evaluate(3, first=2, steps=4) == pytest.approx(
        [0.5, 0.25, 0])
    assert fm.Rate('step', warmup=0, every=2, decay=0.5).evaluate(4) == pytest.approx(
        [1, 1, 0.5, 0.5])
    assert fm.Rate(lambda step: 1 / (1 + step), warmup=0).evaluate(3) == pytest.approx(
        [1, 1 / 2, 1 / 3])
    with pytest.raises(fm.ArgumentError, match='rate->warmup is 11'):
        fm.Rate(warmup=11, steps=10).evaluate(1)
    with pytest.raises(fm.ArgumentError, match='kind'):
        fm.Rate('linear')


def test_learning_rate_follows_the_rate(make_trainer, target):
    seen = []
    trainer = make_trainer(target, rate=fm.Rate('polynomial', warmup=0), steps=20)
    trainer.run(20, progress=seen.append, every=1)
    assert [p.learning_rate for p in seen] == pytest.approx([1e-3 * (1 - i / 20) for i in range(20)])
    assert trainer.info.learning_rate == seen[-1].learning_rate


def test_recommended_settings(network, target):
    """5e-3, a hundredth of the steps to warm up, a cosine to 0 at the end, and the average of all."""
    trainer = fm.Trainer(network, fm.Adam(), target, batch=8, steps=200)
    rates = []
    trainer.run(1)
    after_one = network.parameters['net.4.bias']
    trainer.run(199, progress=lambda p: rates.append(p.learning_rate), every=1)
    wanted = [5e-3] + [5e-3 * (1 + math.cos(math.pi * k / 198)) / 2 for k in range(198)]
    assert rates == pytest.approx(wanted)
    reached = network.parameters['net.4.bias']
    trainer.run(50)
    assert np.abs(reached - after_one).max() > 1e-3
    # The rate is 0 behind the end, and what is published still nears the last parameters.
    assert trainer.info.learning_rate == 0
    assert not np.array_equal(network.parameters['net.4.bias'], reached)
    with pytest.raises(fm.ArgumentError, match='average_decay.*publish'):
        fm.Trainer(network, fm.Adam(), target, average_decay=0)
    fm.Trainer(network, fm.Adam(), target, average_decay=0, publish='present')


def test_a_function_that_raises_ends_the_run(make_trainer, target):
    def rate(step):
        if step == 3:
            raise KeyError('no factor')
        return 1.0
    trainer = make_trainer(target, rate=fm.Rate(rate, warmup=0))
    with pytest.raises(KeyError, match='no factor'):
        trainer.run(10)
    assert trainer.count_steps == 3


def parameters_after(steps, optimizer):
    model = fm.Model.mlp(1, hidden_width=8, seed=1, preset='plain')
    target = fm.Source.gaussian_mixture([1], [2], [0.5])
    fm.Trainer(model, optimizer, target, batch=16, seed=2, preset='plain').run(steps)
    return np.concatenate([model.parameters[name].ravel() for name in model.parameters])


def test_optimizers():
    start = parameters_after(0, fm.SGD())
    plain = parameters_after(1, fm.SGD(0.1, momentum=0))
    decayed = parameters_after(1, fm.SGD(0.1, momentum=0, weight_decay=0.5))
    assert decayed == pytest.approx(plain - 0.05 * start, abs=1e-6)
    nesterov = parameters_after(1, fm.SGD(0.1, momentum=0.5, nesterov=True))
    assert nesterov == pytest.approx(start + 1.5 * (plain - start), abs=1e-6)
    adam = parameters_after(1, fm.Adam(0.1))
    adamw = parameters_after(1, fm.Adam(0.1, weight_decay=0.5))
    assert adamw == pytest.approx(adam - 0.05 * start, abs=1e-6)
    with pytest.raises(fm.ArgumentError, match='nesterov'):
        fm.SGD(momentum=0, nesterov=True)


def test_clipping(make_trainer, target):
    trainer = make_trainer(target, clip_norm=1e-3)
    trainer.run(1)
    norm = math.sqrt(sum(float((g.astype(np.float64)**2).sum()) for g in trainer.gradient().values()))
    assert trainer.info.gradient_norm == pytest.approx(norm) and norm > 1e-3


def test_average_and_accumulation(make_trainer, network, target):
    trainer = make_trainer(target, average_decay=0.9, publish='average', accumulate=3)
    before = network.parameters['net.0.weight']
    trainer.run(2)
    assert trainer.info.steps == 2 and trainer.info.rows == 2 * 3 * 32
    assert 0 < np.abs(network.parameters['net.0.weight'] - before).max() < 2e-3
    with pytest.raises(fm.ArgumentError, match='average_decay.*publish'):
        make_trainer(target, publish='average')


def test_validation_ends_a_run(make_trainer):
    held_out = np.zeros(50)
    trainer = make_trainer(np.full(100, 3.0), publish='best',
                           validation=fm.Validation(held_out, every=4, patience=2, rows=100))
    seen = []
    assert math.isnan(trainer.info.best_loss) and not trainer.info.stopped
    trainer.run(1000, progress=seen.append, every=200)
    info = trainer.info
    assert info.stopped and info.steps == info.best_step + 8
    assert info.best_loss < info.validation_loss == seen[-1].validation_loss
    assert seen[-1].step == info.steps and seen[-1].seconds_left == 0
    trainer.run(10)
    assert trainer.count_steps == info.steps


def test_progress_tells_the_pace(make_trainer, target):
    seen = []
    trainer = make_trainer(target)
    trainer.run(200, progress=seen.append, every=50)
    assert [p.step for p in seen] == [50, 100, 150, 200]
    for p in seen:
        assert p.steps_per_second > 0 and p.gradient_norm > 0 and math.isnan(p.validation_loss)
        assert p.seconds_left == pytest.approx(p.seconds / p.step * (200 - p.step))


@pytest.mark.parametrize('name, format', [('a.csv', None), ('a.JSON', None), ('a.txt', 'csv')])
def test_history(make_trainer, target, tmp_path, name, format):
    trainer = make_trainer(target, validation=fm.Validation(every=5, patience=0))
    trainer.run(12)
    trainer.save_history(tmp_path / name, format)
    text = (tmp_path / name).read_text()
    rows = json.loads(text) if name == 'a.JSON' else list(csv.DictReader(text.splitlines()))
    assert [int(row['step']) for row in rows] == list(range(1, 13))
    assert [float(row['loss']) for row in rows] == trainer.losses().tolist()
    assert float(rows[-1]['gradient_norm']) == trainer.info.gradient_norm
    assert [bool(row['validation_loss']) for row in rows] == [i % 5 == 0 for i in range(1, 13)]
    assert float(rows[9]['validation_loss']) == trainer.info.validation_loss


def test_unknown_format_is_refused(make_trainer, target, tmp_path):
    with pytest.raises(fm.ArgumentError, match='format'):
        make_trainer(target).save_history(tmp_path / 'history.parquet')
