"""Exceptions, signals, threads and the end of objects, wherever Python is called from C."""

import gc
import itertools
import os
import pickle
import signal
import threading
import time
import traceback
import weakref

import flowmatch as fm
import numpy as np
import pytest


class Special(ValueError):
    pass


def raising(exception):
    def function(*arguments):
        raise exception
    return function


def test_the_original_exception_comes_out(make_trainer, target):
    for use in (lambda e: fm.Source.callback(1, raising(e)).draw(3),
                lambda e: fm.Source.callback(1, raising(e)).moments(),
                lambda e: fm.Model.callback(1, raising(e)).evaluate([0.0], 0),
                lambda e: fm.Sampler(fm.Model.callback(1, raising(e))).draw(2),
                lambda e: fm.Sampler(fm.Model.callback(1, lambda x, t: x,
                                                       fm.Source.callback(1, raising(e)))).draw(2),
                lambda e: make_trainer(raising(e)).run(2),
                lambda e: make_trainer(raising(e)).evaluate(2),
                lambda e: make_trainer(target).run(2, progress=raising(e))):
        exception = Special('seen by nobody else')
        with pytest.raises(Special) as caught:
            use(exception)
        assert caught.value is exception
        assert exception.__cause__ is None and exception.__context__ is None
        frames = [frame.name for frame in traceback.extract_tb(exception.__traceback__)]
        assert frames[-1] == 'function', frames


@pytest.mark.parametrize('exception', [KeyboardInterrupt(), SystemExit(3), GeneratorExit()])
def test_exceptions_that_are_no_errors(exception):
    with pytest.raises(type(exception)) as caught:
        fm.Source.callback(1, raising(exception)).draw(3)
    assert caught.value is exception


def test_an_exception_within_a_callback_of_a_callback():
    inner = fm.Source.callback(1, raising(Special('inner')))

    def draw(random, first_row, n):
        try:
            inner.draw(n)
        except Special:
            return np.full(n, 7)
    assert fm.Source.callback(1, draw).draw(2)[0, 0] == 7

    outer = fm.Source.callback(1, lambda random, first_row, n: inner.draw(n))
    with pytest.raises(Special, match='inner'):
        outer.draw(2)


def test_nothing_is_left_behind(target):
    with pytest.raises(Special):
        fm.Source.callback(1, raising(Special())).draw(3)
    assert target.draw(2).shape == (2, 1)
    with pytest.raises(fm.ArgumentError):
        target.draw(-1)


def test_an_exception_is_freed():
    exception = Special()
    alive = weakref.ref(exception)
    source = fm.Source.callback(1, raising(exception))
    with pytest.raises(Special):
        source.draw(3)
    del exception, source
    gc.collect()
    assert alive() is None


def test_errors_can_be_pickled():
    with pytest.raises(fm.ArgumentError) as caught:
        fm.Model.mlp(1, hidden_width=-3)
    copy = pickle.loads(pickle.dumps(caught.value))
    assert type(copy) is fm.ArgumentError
    assert (copy.status, copy.name, copy.detail) == (-1, 'FMATCH_ERROR_ARGUMENT',
                                                     caught.value.detail)
    assert 'hidden_width is -3' in copy.detail and isinstance(copy, ValueError)


@pytest.mark.parametrize('error, builtin', [
    (fm.ShapeError, ValueError), (fm.StateError, RuntimeError), (fm.OutOfMemoryError, MemoryError),
    (fm.NotFiniteError, ArithmeticError), (fm.FileError, OSError), (fm.FileFormatError, ValueError),
    (fm.UnsupportedError, NotImplementedError)])
def test_errors_are_also_builtin_ones(error, builtin):
    assert issubclass(error, builtin) and issubclass(error, fm.FlowmatchError)


def interrupt_soon(seconds):
    timer = threading.Timer(seconds, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    return timer


def python_target(random, first_row, n):
    return random.normal(n)


@pytest.mark.parametrize('kind', ['library', 'python', 'progress'])
def test_ctrl_c_stops_training(make_trainer, target, kind):
    trainer = make_trainer(python_target if kind == 'python' else target)
    progress = (lambda p: None) if kind == 'progress' else None
    before = signal.getsignal(signal.SIGINT)
    for i in range(8):
        timer, began = interrupt_soon(0.05 + 0.003 * i), time.monotonic()
        with pytest.raises(KeyboardInterrupt):
            trainer.run(1000000, progress=progress)
        timer.join()
        assert time.monotonic() - began < 5
        assert signal.getsignal(signal.SIGINT) is before
    steps = trainer.count_steps
    trainer.run(2)
    assert trainer.count_steps == steps + 2


def test_ctrl_c_stops_a_callback_that_never_returns(make_trainer, target):
    def forever(progress):
        while True:
            pass
    timer = interrupt_soon(0.2)
    with pytest.raises(KeyboardInterrupt):
        make_trainer(target).run(10, progress=forever)
    timer.join()


def test_ctrl_c_stops_sampling_of_a_python_field():
    sampler = fm.Sampler(fm.Model.callback(1, lambda x, t: -x), steps=2**22)
    for i in range(8):
        timer = interrupt_soon(0.05 + 0.003 * i)
        with pytest.raises(KeyboardInterrupt):
            sampler.draw(1)
        timer.join()


def test_ctrl_c_stops_a_call_within_a_callback():
    inner = fm.Sampler(fm.Model.callback(1, lambda x, t: -x), steps=2**22)
    outer = fm.Source.callback(1, lambda random, first_row, n: inner.draw(n))
    for i in range(8):
        timer = interrupt_soon(0.05 + 0.003 * i)
        with pytest.raises(KeyboardInterrupt):
            outer.draw(1)
        timer.join()


def test_a_handler_that_does_not_raise_is_run(make_trainer, target):
    arrived = []
    before = signal.signal(signal.SIGINT, lambda signum, frame: arrived.append(signum))
    try:
        timer = interrupt_soon(0.05)
        assert make_trainer(target).run(3000) is True
        timer.join()
    finally:
        signal.signal(signal.SIGINT, before)
    assert arrived == [signal.SIGINT]


def test_training_in_another_thread(make_trainer, target):
    trainer, result = make_trainer(python_target), []
    thread = threading.Thread(target=lambda: result.append(trainer.run(200)))
    thread.start()
    thread.join()
    assert result == [True]


def test_exceptions_stay_in_their_thread():
    failures = []

    def work(number):
        source = fm.Source.callback(1, raising(Special(number)))
        for _ in range(200):
            try:
                source.draw(1)
                failures.append('no exception')
            except Special as exception:
                if exception.args != (number,):
                    failures.append(exception.args)
    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


@pytest.mark.parametrize('share_sampler', [False, True])
def test_threads_sample_one_model(network, share_sampler):
    sampler = fm.Sampler(network)
    wanted = [sampler.draw(2000, seed=i) for i in range(4)]
    results = {}

    def work(seed):
        own = sampler if share_sampler else fm.Sampler(network)
        results[seed] = [own.draw(2000, seed=seed) for _ in range(5)]
    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for seed, drawn in results.items():
        assert all(np.array_equal(x, wanted[seed]) for x in drawn), seed


def test_sampling_beside_training(make_trainer, network, target):
    trainer, sampler = make_trainer(target), fm.Sampler(network)
    thread = threading.Thread(target=trainer.run, args=(500,))
    thread.start()
    while thread.is_alive():
        assert np.all(np.isfinite(sampler.draw(50)))
    thread.join()
    assert trainer.count_steps == 500


def test_any_order_of_destruction():
    names = ['context', 'source', 'model', 'optimizer', 'trainer', 'sampler']
    for order in itertools.permutations(range(len(names))):
        context = fm.Context()
        source = fm.Source.callback(1, python_target, context=context)
        model = fm.Model.mlp(1, hidden_layers=1, hidden_width=2, context=context)
        optimizer = fm.Adam(context=context)
        trainer = fm.Trainer(model, optimizer, source, batch=2)
        objects = [context, source, model, optimizer, trainer, fm.Sampler(model, steps=1)]
        del context, source, model, optimizer, trainer
        for index in order:
            if objects[4] is not None:
                objects[4].run(1)
            objects[index] = None


def test_cycles_are_collected(network):
    class Holder:
        pass
    holder = Holder()
    holder.calls = 0

    def draw(random, first_row, n):
        holder.calls += 1  # the function holds the holder, which holds the trainer
        return random.normal(n)
    holder.trainer = fm.Trainer(network, fm.Adam(), draw, batch=4)
    holder.trainer.run(3)
    assert holder.calls == 3
    alive = weakref.ref(holder)
    del holder, draw
    gc.collect()
    assert alive() is None


def test_a_trainer_keeps_a_function(network):
    def draw(random, first_row, n):
        return random.normal(n)
    trainer = fm.Trainer(network, fm.Adam(), fm.Source.callback(1, draw), batch=4)
    del draw
    gc.collect()
    trainer.run(3)
    assert trainer.count_steps == 3


def test_log():
    lines = []
    context = fm.Context(log=lambda level, message: lines.append((level, message)))
    assert lines and lines[0][0] == 10 and 'libflowmatch' in lines[0][1]
    assert fm.Source.normal(2, context=context).draw(1).shape == (1, 2)
    exception = Special()
    with pytest.raises(Special) as caught:
        fm.Context(log=raising(exception))
    assert caught.value is exception


def test_context():
    context = fm.Context(threads=2, instruction_set='baseline')
    assert (context.threads, context.instruction_set) == (2, 'baseline')
    assert fm.default_context() is fm.default_context()
    with pytest.raises(fm.ArgumentError, match='threads is 0'):
        fm.Context(threads=0)
    with pytest.raises(fm.ArgumentError, match="'sse'"):
        fm.Context(instruction_set='sse')
