"""The trainer: draws pairs of noise and data, and fits a model's velocity to theirs."""

import ctypes
import os
import threading
from ctypes import byref, c_double, sizeof
from pathlib import Path
from typing import Any, Callable, Dict, NamedTuple, Optional

import numpy as np

from . import _library
from ._arrays import address, bounded, conditions_of, path_bytes, rows_of, times_of, with_shape
from ._calls import call_unless_cancelled, guarded
from ._errors import argument_error
from ._handle import PRESETS, Handle, new_config, number_of
from ._library import library
from .model import Model
from .optimizer import Optimizer
from .settings import Coupling, Loss, Rate, Times, Validation, kept_of, pointer_of
from .source import as_source

PUBLISH = {'present': 0, 'average': 1, 'best': 2}
HISTORY_FORMATS = {'csv': 0, 'json': 1}

_REPORTS = 100  # where the caller does not say how often
_STRIDE = 16    # steps after which a KeyboardInterrupt is looked for, at most


class Progress(NamedTuple):
    """What a progress function is told."""

    step: int  #: steps done in this call
    steps: int  #: steps asked for in this call
    loss: float  #: mean over the steps since the last report
    learning_rate: float  #: of the last step, the rate's factor included
    seconds: float  #: since the call began
    steps_per_second: float  #: since the last report
    seconds_left: float  #: of the call, at its mean pace so far; 0 if this is its end
    gradient_norm: float  #: mean over the steps since the last report, before clipping
    validation_loss: float  #: the last one; nan before the first


class TrainerInfo(NamedTuple):
    """Where a training stands; nan before the first step or validation."""

    steps: int  #: taken since the trainer was created
    rows: int  #: that these were trained with
    loss: float  #: of the last step
    learning_rate: float  #: of the last step; before the first, the optimizer's
    gradient_norm: float  #: of the last step, before clipping
    validation_loss: float  #: the last one
    best_loss: float  #: the least validation loss
    best_step: int  #: steps that were taken when it was found; 0 for none
    stopped: bool  #: whether the patience of validation is at its end, so that run takes no step


class Trainer(Handle):
    """Trains its own copy of a model's parameters; each call that made steps publishes them.

    Args:
        model: with parameters; its present ones are where training starts.
        optimizer: a new one, which from now on belongs to this trainer.
        target: the data: a Source, rows [n, dim], or a function as for Source.callback. None where
            only run_batch is used.
        batch: rows of a step. Default 256.
        seed: of noise, data and all else that is drawn. Default 0.
        times: how t is drawn, a Times. Default uniformly, stratified.
        loss: a Loss. Default the mean square.
        coupling: which noise is paired with which data, a Coupling. Default independent.
        condition_dropout: share of rows that are trained under the null condition, where the model
            accepts it. Default 0.1.
        rate: factor of the optimizer's learning rate, a Rate. Default a cosine with a warm-up.
        steps: length of the rate's schedule where that has none: the steps that will be taken in all,
            after which a cosine is 0. Default 10000.
        clip_norm: the gradient is scaled to this norm where its own is larger; 0: never. Default 1.
        average_decay: d of the moving average of parameters, average += (1 - d) (parameters -
            average) after each step, with a smaller d in the first ones; 0: no average, which
            needs another publish. Default 0.999.
        publish: which parameters the model gets: 'average' where not given, 'present', or 'best',
            those that had the least validation loss.
        accumulate: batches whose mean gradient makes a step of run. Default 1.
        validation: a Validation. Default none.
        preset: 'recommended', whose defaults are these, or 'plain', which never changes: times
            that are not stratified, a constant rate, no clipping and no average.

    One thread at a time; a second one waits.
    """

    _kind = 'trainer'

    def __init__(self, model: Model, optimizer: Optimizer, target: Any = None,
                 batch: Optional[int] = None, seed: Optional[int] = None,
                 times: Optional[Times] = None, loss: Optional[Loss] = None,
                 coupling: Optional[Coupling] = None, condition_dropout: Optional[float] = None,
                 rate: Optional[Rate] = None, steps: Optional[int] = None,
                 clip_norm: Optional[float] = None, average_decay: Optional[float] = None,
                 publish: Optional[str] = None, accumulate: Optional[int] = None,
                 validation: Optional[Validation] = None, preset: str = 'recommended'):
        config = new_config(_library.TrainerConfig, library.fmatch_trainer_config_init_sized,
                            number_of('preset', PRESETS, preset), batch=batch, seed=seed,
                            time=pointer_of(times), loss=pointer_of(loss),
                            coupling=pointer_of(coupling), condition_dropout=condition_dropout,
                            rate=pointer_of(rate), steps=steps, clip_norm=clip_norm,
                            average_decay=average_decay, accumulate=accumulate,
                            publish=None if publish is None else
                            number_of('publish', PUBLISH, publish),
                            validation=pointer_of(validation))
        if target is not None:
            target = as_source(target, model.dim, model._kept[0])
        self._model = model
        self._lock = threading.RLock()
        super().__init__(library.fmatch_trainer_create, model._address, optimizer._address,
                         target and target._address, byref(config),
                         kept=(model, optimizer, target,
                               *kept_of(times, loss, coupling, rate, validation)))

    def run(self, steps: int, progress: Optional[Callable[[Progress], Any]] = None,
            every: int = 0) -> bool:
        """Train, and publish the parameters to the model. May be called again to go on.

        Args:
            steps: to take.
            progress: is called with a Progress every `every` steps and after the last. What it
                returns is taken as the wish to stop where it is true.
            every: 0 for about a hundred reports.

        Returns:
            True; False if progress asked to stop. Fewer steps are taken if the patience of
            validation comes to its end. Whatever happens, also after an exception, the
            steps that were completed are kept and published.
        """
        if every < 0:
            raise argument_error(f'every is {every}; it must be at least 0')
        every = every or max(1, -(-steps // _REPORTS))
        reporter = _Reporter(progress, every)
        report = _library.REPORT(guarded(reporter.report))
        callbacks = _library.ProgressCallbacks(struct_size=sizeof(_library.ProgressCallbacks),
                                               every=_stride_in(every), report=report)
        with self._lock:
            return call_unless_cancelled(library.fmatch_trainer_run, self._address,
                                         bounded('steps', steps, ctypes.c_int64), byref(callbacks))

    def run_batch(self, target: Any, noise: Any = None, t: Any = None, condition: Any = None,
                  weight: Any = None) -> float:
        """One step on the caller's own rows, paired as they come.

        Args:
            target: x1, [n, dim].
            noise: x0, [n, dim]; drawn from the model's noise where not given.
            t: [n], in [0, 1]; drawn as configured where not given.
            condition: [n, condition_dim]; None: the null condition.
            weight: [n], of the rows' losses.

        Returns:
            The loss before the step.
        """
        return self._batch_loss(library.fmatch_trainer_run_batch, target, noise, t, condition,
                                weight)

    def evaluate_batch(self, target: Any, noise: Any = None, t: Any = None, condition: Any = None,
                       weight: Any = None) -> float:
        """Loss on the caller's own rows, without a step; gradient() then reads the gradient."""
        return self._batch_loss(library.fmatch_trainer_evaluate_batch, target, noise, t, condition,
                                weight)

    def gradient(self) -> Dict[str, np.ndarray]:
        """Gradient of the last batch, by the names of the parameters."""
        parameters = self._model.parameters
        gradients = {name: np.empty(parameters.shape(name), np.float32) for name in parameters}
        with self._lock:
            for name, values in gradients.items():
                self._call(library.fmatch_trainer_get_gradient, name.encode(), values.size,
                           address(values))
        return gradients

    def evaluate(self, n: int = 65536, seed: int = 0) -> float:
        """Loss of the parameters that validation would take, the average if there is one, on n fixed
        draws, from which nothing is learned."""
        loss = c_double()
        with self._lock:
            self._call(library.fmatch_trainer_evaluate, bounded('seed', seed, ctypes.c_uint64),
                       bounded('n', n, ctypes.c_int64), byref(loss))
        return loss.value

    @property
    def count_steps(self) -> int:
        """Steps taken since the trainer was created."""
        return library.fmatch_trainer_count_steps(self._address)

    @property
    def info(self) -> TrainerInfo:
        """Where the training stands."""
        info = _library.TrainerInfo(struct_size=sizeof(_library.TrainerInfo))
        with self._lock:
            self._call(library.fmatch_trainer_get_info, byref(info))
        return TrainerInfo(*(getattr(info, field) for field in TrainerInfo._fields[:-1]),
                           stopped=bool(info.stopped))

    def save_history(self, path: Any, format: Optional[str] = None) -> None:
        """Save what became of every step: step, from 1, loss, learning_rate, gradient_norm and
        validation_loss, which is empty, or null, where there was none.

        Args:
            path: of the file.
            format: 'csv' or 'json'; by the path's suffix where not given.
        """
        if format is None:
            format = Path(os.fsdecode(path)).suffix[1:].lower()
        with self._lock:
            self._call(library.fmatch_trainer_save_history, path_bytes(path),
                       number_of('format', HISTORY_FORMATS, format))

    def losses(self, first: int = 0, n: Optional[int] = None) -> np.ndarray:
        """Losses of past steps, float64 [n]; all from `first` on where n is None."""
        with self._lock:
            n = self.count_steps - first if n is None else n
            values = np.empty(max(n, 0), np.float64)
            self._call(library.fmatch_trainer_get_losses, bounded('first', first, ctypes.c_int64),
                       bounded('n', n, ctypes.c_int64), address(values))
        return values

    def save(self, path: Any) -> None:
        """Write a checkpoint: all that training has reached, so that another process can go on.

        Parameters, their average and the best ones, the optimizer's state and learning rate, steps
        and losses. Also from a progress function. A file that is there is replaced, whole or not at
        all.
        """
        with self._lock:
            self._call(library.fmatch_trainer_save, path_bytes(path))

    def load(self, path: Any) -> None:
        """Go on from a checkpoint: take over what save() wrote, and publish the parameters.

        The trainer must have been created as the one that saved, but for the learning rate; else a
        FlowmatchError names the first setting that differs. Whether data and functions are the
        same is yours to know. On failure nothing changes.
        """
        with self._lock:
            self._call(library.fmatch_trainer_load, path_bytes(path))

    def _batch_loss(self, function, target, noise, t, condition, weight) -> float:
        dim = self._model.dim
        target = rows_of('target', target, dim)
        if noise is not None:
            noise = with_shape('noise', rows_of('noise', noise, dim), target.shape)
        if t is not None:
            t = times_of('t', t, len(target))
        condition = conditions_of(condition, self._model.condition_dim, len(target))
        if weight is not None:
            weight = with_shape('weight', weight, (len(target),))
        batch = _library.Batch(struct_size=sizeof(_library.Batch), n=len(target),
                               target=address(target), noise=address(noise), t=address(t),
                               condition=address(condition), weight=address(weight))
        loss = c_double()
        with self._lock:
            self._call(function, byref(batch), byref(loss))
        return loss.value


def _stride_in(every: int) -> int:
    """The largest divisor of `every` up to _STRIDE."""
    return next(s for s in range(min(every, _STRIDE), 0, -1) if every % s == 0)


class _Reporter:
    """Hears from the library more often than the user does, so that Ctrl-C is noticed soon."""

    def __init__(self, progress: Optional[Callable[[Progress], Any]], every: int):
        self._progress = progress
        self._every = every
        self._last_step = self._last_report = 0
        self._last_seconds = self._loss_sum = self._norm_sum = 0.0

    def report(self, user, info) -> int:
        info = info.contents
        steps = info.step - self._last_step
        self._loss_sum += info.loss * steps
        self._norm_sum += info.gradient_norm * steps
        self._last_step = info.step
        if self._progress is None or (info.step % self._every and info.seconds_left > 0):
            return 0
        steps, seconds = info.step - self._last_report, info.seconds - self._last_seconds
        told = Progress(info.step, info.steps, self._loss_sum / steps, info.learning_rate,
                        info.seconds, steps / seconds if seconds > 0 else 0.0, info.seconds_left,
                        self._norm_sum / steps, info.validation_loss)
        self._last_report, self._last_seconds = info.step, info.seconds
        self._loss_sum = self._norm_sum = 0.0
        stop = self._progress(told)
        return 1 if stop else 0
