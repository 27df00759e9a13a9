"""What a model and a trainer are told: paths, divergences, times, losses, couplings, rates and validation."""

import ctypes
from ctypes import byref, c_double, pointer, sizeof
from typing import Any, Callable, NamedTuple, Optional

import numpy as np

from . import _library
from ._arrays import address, as_float32, bounded, rows_of, times_of, view, with_shape
from ._calls import call_with_callbacks, guarded
from ._errors import argument_error, shape_error
from ._handle import new_config, number_of
from ._library import library
from .context import Context, default_context
from .source import Generator, Source, lending

PATHS = {'linear': 0, 'polynomial': 1, 'variance_preserving': 2, 'linear_variance_preserving': 3,
         'cosine': 4, 'trigonometric': 4, 'lipman': 5, 'brownian_bridge': 6, 'callback': 7}
PREDICTIONS = {'velocity': 0, 'data': 1, 'noise': 2}
DIVERGENCES = {'exact': 0, 'hutchinson': 1}
PROBES = {'rademacher': 0, 'gaussian': 1}
TIMES = {'uniform': 0, 'logit_normal': 1, 'mode': 2, 'cosmap': 3, 'power_law': 4, 'grid': 5,
         'callback': 6}
LOSSES = {'square': 0, 'pseudo_huber': 1}
LOSS_WEIGHTS = {'none': 0, 'sigma_sqrt': 1, 'cosmap': 2, 'adaptive': 3, 'callback': 4, 'velocity': 5}
COUPLINGS = {'independent': 0, 'exact': 1, 'entropic': 2, 'unbalanced': 3, 'semidiscrete': 4,
             'callback': 5}
RATES = {'constant': 0, 'cosine': 1, 'polynomial': 2, 'step': 3, 'callback': 4}
CONDITION_COUPLINGS = {'auto': 0, 'classes': 1, 'weight': 2, 'adaptive': 3, 'none': 4}


class Settings:
    """A configuration of the library, with the functions that it calls."""

    def __init__(self, config: Any, kept: tuple = ()):
        self._config, self._kept = config, kept

    @property
    def _pointer(self) -> Any:
        return pointer(self._config)


def pointer_of(settings: Optional[Settings]) -> Any:
    return None if settings is None else settings._pointer


def kept_of(*settings: Optional[Settings]) -> tuple:
    """What the handle made from them must keep alive."""
    return tuple(k for s in settings if s is not None for k in (s, *s._kept))


def _float64(name: str, values: Any) -> np.ndarray:
    array = np.ascontiguousarray(values, dtype=np.float64)
    if array.ndim > 1:
        raise shape_error(f'{name} has {array.ndim} axes; it must have at most one')
    return array.reshape(-1)


class Schedule(NamedTuple):
    """alpha, sigma and their derivatives with respect to t, float64 [n] each."""

    alpha: np.ndarray
    sigma: np.ndarray
    alpha_rate: np.ndarray
    sigma_rate: np.ndarray


class Path(Settings):
    """A probability path from noise to data; affine ones are x_t = alpha(t) x1 + sigma(t) x0.

    Args:
        kind: 'linear', 'polynomial' (alpha = t^exponent), 'variance_preserving',
            'linear_variance_preserving', 'cosine' (also called 'trigonometric'), 'lipman',
            'brownian_bridge', or 'callback' with a schedule.
        noise: standard deviation of noise added to an affine path.
        exponent, beta_min, beta_max, sigma_min, diffusion: settings of a kind; 2, 0.1, 20 and 0
            where not given, and the bridge's diffusion must be.
        schedule: schedule(t) returns alpha, sigma and their derivatives for t, float64 [n]. Any
            thread that uses the model may call it.
    """

    def __init__(self, kind: str = 'linear', noise: Optional[float] = None,
                 exponent: Optional[float] = None, beta_min: Optional[float] = None,
                 beta_max: Optional[float] = None, sigma_min: Optional[float] = None,
                 diffusion: Optional[float] = None,
                 schedule: Optional[Callable[[np.ndarray], Any]] = None):
        config = new_config(_library.PathConfig, library.fmatch_path_config_init_sized,
                            kind=number_of('kind', PATHS, kind), noise=noise, exponent=exponent,
                            beta_min=beta_min, beta_max=beta_max, sigma_min=sigma_min,
                            diffusion=diffusion)
        kept: tuple = ()
        if schedule is not None:
            function = _library.SCHEDULE(guarded(_scheduling(schedule)))
            callbacks = _library.ScheduleCallbacks(
                struct_size=sizeof(_library.ScheduleCallbacks), evaluate=function)
            config.schedule = pointer(callbacks)
            kept = (function, callbacks)
        super().__init__(config, kept)

    def evaluate(self, x0: Any, x1: Any, t: Any, z: Any = None) -> tuple:
        """x_t and the velocity of pairs of noise and data, [n, dim] each.

        Args:
            x0, x1: [n, dim], or [n] in one dimension.
            t: [n], or one number.
            z: [n, dim], the path's own noise; None for a path without.
        """
        x1 = as_float32('x1', x1)
        x1 = rows_of('x1', x1, 1 if x1.ndim == 1 else x1.shape[-1] if x1.ndim else 0)
        x0 = with_shape('x0', rows_of('x0', x0, x1.shape[1]), x1.shape)
        if z is not None:
            z = with_shape('z', rows_of('z', z, x1.shape[1]), x1.shape)
        t = times_of('t', t, len(x1))
        rows = _library.PathRows(struct_size=sizeof(_library.PathRows), dim=x1.shape[1], n=len(x1),
                                 t=address(t), x0=address(x0), x1=address(x1), z=address(z))
        x_t, velocity = np.empty_like(x1), np.empty_like(x1)
        call_with_callbacks(library.fmatch_path_evaluate, self._pointer, byref(rows), address(x_t),
                            address(velocity))
        return x_t, velocity

    def schedule(self, t: Any) -> Schedule:
        """The schedule at times t in [0, 1]."""
        t = _float64('t', t)
        values = [np.empty(len(t)) for _ in range(4)]
        call_with_callbacks(library.fmatch_path_evaluate_schedule, self._pointer, len(t),
                            address(t), *map(address, values))
        return Schedule(*values)

    def inverse_ratio(self, ratio: Any) -> np.ndarray:
        """Times at which alpha / sigma has the values `ratio`."""
        ratio = _float64('ratio', ratio)
        t = np.empty(len(ratio))
        call_with_callbacks(library.fmatch_path_evaluate_inverse_ratio, self._pointer, len(ratio),
                            address(ratio), address(t))
        return t

    def convert(self, given: Any, t: Any, x_t: Any, source: str, to: str) -> np.ndarray:
        """One prediction at x_t as another: source and to are 'velocity', 'data' or 'noise'."""
        x_t = as_float32('x_t', x_t)
        x_t = rows_of('x_t', x_t, 1 if x_t.ndim == 1 else x_t.shape[-1] if x_t.ndim else 0)
        given = with_shape('given', rows_of('given', given, x_t.shape[1]), x_t.shape)
        t = times_of('t', t, len(x_t))
        wanted = np.empty_like(x_t)
        call_with_callbacks(library.fmatch_path_evaluate_prediction, self._pointer,
                            number_of('source', PREDICTIONS, source),
                            number_of('to', PREDICTIONS, to), x_t.shape[1], len(x_t), address(t),
                            address(x_t), address(given), address(wanted))
        return wanted


def _scheduling(schedule: Callable):
    def fill(user, n, t, *outputs):
        values = tuple(schedule(view(t, (n,), np.float64).copy()))
        if len(values) != len(outputs):
            raise shape_error(f'schedule must return alpha, sigma and their derivatives, not '
                              f'{len(values)} arrays')
        for output, value in zip(outputs, values):
            view(output, (n,), np.float64)[:] = value
    return fill


class Divergence(Settings):
    """How the divergence of a velocity, the trace of dv/dx, is had.

    Args:
        method: 'exact', or 'hutchinson': the mean over probes z of z^T (dv/dx) z.
        probe: what a probe's numbers are, 'rademacher' (-1 or 1) or 'gaussian'.
        probes: of a row. Default 1.
        seed: of the probes, which depend on (seed, row) alone. Default 0.
        finite_difference: step of central differences, for a callback model without a
            jacobian_vector, in units of the noise's deviation in each column. Default 2^-8.
    """

    def __init__(self, method: str = 'exact', probe: Optional[str] = None,
                 probes: Optional[int] = None, seed: Optional[int] = None,
                 finite_difference: Optional[float] = None):
        super().__init__(new_config(
            _library.DivergenceConfig, library.fmatch_divergence_config_init_sized,
            method=number_of('method', DIVERGENCES, method),
            probe=number_of('probe', PROBES, probe), probes=probes, seed=seed,
            finite_difference=finite_difference))


class Times(Settings):
    """How the times of training are drawn.

    Args:
        kind: 'uniform', 'logit_normal' (mean, deviation), 'mode' (scale), 'cosmap', 'power_law'
            (exponent), 'grid' (grid), or 'callback' (draw).
        stratified: whether the times of a batch are spread evenly. Default True.
        margin_start, margin_end: how far from 0 and from 1 times stay.
        draw: draw(random, first_row, n) returns times [n], with all randomness from `random`.
    """

    def __init__(self, kind: str = 'uniform', stratified: Optional[bool] = None,
                 margin_start: Optional[float] = None, margin_end: Optional[float] = None,
                 mean: Optional[float] = None, deviation: Optional[float] = None,
                 scale: Optional[float] = None, exponent: Optional[float] = None, grid: Any = None,
                 draw: Optional[Callable[[Generator, int, int], Any]] = None):
        config = new_config(_library.TimeConfig, library.fmatch_time_config_init_sized,
                            kind=number_of('kind', TIMES, kind), stratified=stratified,
                            margin_start=margin_start, margin_end=margin_end, mean=mean,
                            deviation=deviation, scale=scale, exponent=exponent)
        kept: tuple = ()
        if grid is not None:
            grid = _float64('grid', grid)
            config.grid, config.grid_count = address(grid), len(grid)
            kept += (grid,)
        if draw is not None:
            function = _library.DRAW(guarded(_timing(draw)))
            callbacks = _library.TimeCallbacks(struct_size=sizeof(_library.TimeCallbacks),
                                               draw=function)
            config.callbacks = pointer(callbacks)
            kept += (function, callbacks)
        super().__init__(config, kept)

    def draw(self, n: int, seed: int = 0, first_row: int = 0, batch: int = 256,
             context: Optional[Context] = None) -> np.ndarray:
        """Times [n] as a trainer would draw them."""
        t = np.empty(max(n, 0), np.float32)
        call_with_callbacks(library.fmatch_time_draw, (context or default_context())._address,
                            self._pointer, bounded('seed', seed, ctypes.c_uint64),
                            bounded('first_row', first_row, ctypes.c_int64),
                            bounded('batch', batch, ctypes.c_int64),
                            bounded('n', n, ctypes.c_int64), address(t))
        return t


def _timing(draw: Callable):
    def fill(user, lent, first_row, n, t):
        with lending(lent, n) as random:
            values = draw(random, first_row, n)
        view(t, (n,))[:] = with_shape('what draw returned', values, (n,))
    return fill


class Loss(Settings):
    """What training minimises.

    Args:
        kind: 'square', or 'pseudo_huber' with huber_c, 0.00054 sqrt(dim) where not given.
        weight: of a row: 'none', 'sigma_sqrt', 'cosmap', 'adaptive' (adaptive_c,
            adaptive_exponent), 'velocity' (what makes a prediction of data or noise as good as one
            of the velocity), or a function: weight(t) returns weights [n] for times t [n]; any
            thread of the library's may call it.
    """

    def __init__(self, kind: str = 'square', weight: Any = 'none',
                 huber_c: Optional[float] = None, adaptive_c: Optional[float] = None,
                 adaptive_exponent: Optional[float] = None):
        name = 'callback' if callable(weight) else weight
        config = new_config(_library.LossConfig, library.fmatch_loss_config_init_sized,
                            kind=number_of('kind', LOSSES, kind),
                            weight=number_of('weight', LOSS_WEIGHTS, name), huber_c=huber_c,
                            adaptive_c=adaptive_c, adaptive_exponent=adaptive_exponent)
        kept: tuple = ()
        if callable(weight):
            function = _library.WEIGH(guarded(_weighing(weight)))
            callbacks = _library.LossCallbacks(struct_size=sizeof(_library.LossCallbacks),
                                               weigh=function)
            config.callbacks = pointer(callbacks)
            kept = (function, callbacks)
        super().__init__(config, kept)


def _weighing(weigh: Callable):
    def fill(user, n, t, weight):
        view(weight, (n,), np.float64)[:] = weigh(view(t, (n,)).copy())
    return fill


class Rate(Settings):
    """How the learning rate changes: a factor as a function of the trainer's step, from 0.

    Args:
        kind: after the warm-up, 'cosine' (from 1 to end), 'polynomial' (to end, with exponent),
            'step' (times decay every so many steps), 'constant', or a function: kind(step) returns
            the factor.
        steps: length, the warm-up included, after which the factor stays. The trainer's `steps`
            where not given.
        warmup: steps over which the factor rises in a line. Default a hundredth of all.
        end: factor at the end, 0 where not given.
        exponent: of 'polynomial', 1 where not given.
        decay: of 'step', 0.1 where not given.
        every: of 'step', steps from one decay to the next.
    """

    def __init__(self, kind: Any = 'cosine', steps: Optional[int] = None,
                 warmup: Optional[int] = None, end: Optional[float] = None,
                 exponent: Optional[float] = None, decay: Optional[float] = None,
                 every: Optional[int] = None):
        name = 'callback' if callable(kind) else kind
        config = new_config(_library.RateConfig, library.fmatch_rate_config_init_sized,
                            kind=number_of('kind', RATES, name), steps=steps, warmup=warmup,
                            end=end, exponent=exponent, decay=decay, every=every)
        kept: tuple = ()
        if callable(kind):
            function = _library.RATE(guarded(_rating(kind)))
            callbacks = _library.RateCallbacks(struct_size=sizeof(_library.RateCallbacks),
                                               evaluate=function)
            config.callbacks = pointer(callbacks)
            kept = (function, callbacks)
        super().__init__(config, kept)

    def evaluate(self, n: int, first: int = 0, steps: int = 10000) -> np.ndarray:
        """Factors of n steps from `first` on, float64 [n]; `steps` is the trainer's."""
        factors = np.empty(max(n, 0), np.float64)
        call_with_callbacks(library.fmatch_rate_evaluate, self._pointer,
                            bounded('steps', steps, ctypes.c_int64),
                            bounded('first', first, ctypes.c_int64),
                            bounded('n', n, ctypes.c_int64), address(factors))
        return factors


def _rating(rate: Callable):
    def fill(user, step, factor):
        factor[0] = rate(step)
    return fill


class Validation(Settings):
    """When a training is validated: the loss on draws that are the same each time.

    Args:
        source: data that is held out, like the target in shape: a Source or rows. Other draws of
            the target where not given.
        rows: how many. Default 1024.
        every: steps from one validation to the next. Default 250.
        patience: validations in a row without a loss below the least so far, after which run()
            ends early; 0: never. Default 10.
        seed: of the draws. Default 0.
    """

    def __init__(self, source: Any = None, rows: Optional[int] = None,
                 every: Optional[int] = None, patience: Optional[int] = None,
                 seed: Optional[int] = None, context: Optional[Context] = None):
        if source is not None and not isinstance(source, Source):
            source = Source.array(source, context=context)
        config = new_config(_library.ValidationConfig,
                            library.fmatch_validation_config_init_sized, rows=rows, every=every,
                            patience=patience, seed=seed,
                            source=source and source._address)
        super().__init__(config, (source,))


class Pairs(NamedTuple):
    """Pair i is of noise row noise_row[i] and data row target_row[i], int32 [n] each."""

    noise_row: np.ndarray
    target_row: np.ndarray
    cost: float  #: mean squared distance of the pairs


class Coupling(Settings):
    """Which noise is paired with which data.

    Args:
        kind: 'independent', 'exact', 'entropic' or 'unbalanced' (pairs are drawn from the plan of
            Sinkhorn's iterations), 'semidiscrete' (noise goes to all stored rows of the target), or
            'callback' with a function pair.
        epsilon, relative, rho, tolerance, iterations: of the entropic kinds, as for
            transport.solve_sinkhorn; 0.05 of the mean cost, and a tolerance of 1e-3, where not
            given. 'unbalanced' needs rho.
        replacement: whether exact pairs are drawn from the plan with replacement, instead of
            every row once.
        batch: rows of either side that are coupled together, a multiple of the training's batch;
            as many as that where not given.
        condition: 'auto' (labels among themselves, other conditions with the adaptive weight),
            'classes', 'weight' (condition_weight), 'adaptive' (condition_rate), or 'none'.
        pair: pair(random, noise, target, condition) returns noise_row and target_row, [n] each.
    """

    def __init__(self, kind: str = 'exact', replacement: bool = False,
                 batch: Optional[int] = None, epsilon: Optional[float] = None,
                 relative: bool = True, rho: Optional[float] = None,
                 tolerance: Optional[float] = None, iterations: Optional[int] = None,
                 condition: str = 'auto', condition_weight: Optional[float] = None,
                 condition_rate: Optional[float] = None,
                 pair: Optional[Callable[..., Any]] = None):
        config = new_config(_library.CouplingConfig, library.fmatch_coupling_config_init_sized,
                            kind=number_of('kind', COUPLINGS, kind), pairing=int(replacement),
                            batch=batch,
                            condition=number_of('condition', CONDITION_COUPLINGS, condition),
                            condition_weight=condition_weight, condition_rate=condition_rate)
        kept: tuple = ()
        if kind in ('entropic', 'unbalanced'):
            sinkhorn = new_config(_library.SinkhornConfig, library.fmatch_sinkhorn_config_init_sized,
                                  epsilon_unit=0 if relative else 1, epsilon=epsilon, rho=rho,
                                  tolerance=1e-3 if tolerance is None else tolerance,
                                  iterations=iterations)
            config.sinkhorn = pointer(sinkhorn)
            kept += (sinkhorn,)
        elif any(value is not None for value in (epsilon, rho, tolerance, iterations)):
            raise argument_error(f"epsilon, rho, tolerance and iterations are for 'entropic' and "
                                 f"'unbalanced', not {kind!r}")
        if pair is not None:
            function = _library.PAIR(guarded(_pairing(pair)))
            callbacks = _library.CouplingCallbacks(
                struct_size=sizeof(_library.CouplingCallbacks), pair=function)
            config.callbacks = pointer(callbacks)
            kept += (function, callbacks)
        super().__init__(config, kept)

    def solve(self, noise: Any, target: Any, condition: Any = None, classes: int = 0,
              seed: int = 0, context: Optional[Context] = None) -> Pairs:
        """Pairs of rows of noise [n, dim] and target [n, dim], as a trainer would make them.

        Args:
            condition: of the target, [n, columns]; classes is the number of labels in its first
                column, 0 for none.
        """
        target = as_float32('target', target)
        dim = 1 if target.ndim == 1 else target.shape[-1] if target.ndim else 0
        target = rows_of('target', target, dim)
        noise = with_shape('noise', rows_of('noise', noise, dim), target.shape)
        if condition is not None:
            condition = as_float32('condition', condition)
            condition = np.ascontiguousarray(condition.reshape(len(target), -1))
        rows = _library.CouplingRows(
            struct_size=sizeof(_library.CouplingRows), dim=dim, n=len(target),
            noise=address(noise), target=address(target), condition=address(condition),
            condition_dim=0 if condition is None else condition.shape[1],
            classes=bounded('classes', classes, ctypes.c_int32))
        noise_row, target_row = np.empty((2, len(target)), np.int32)
        cost = c_double()
        call_with_callbacks(library.fmatch_coupling_solve,
                            (context or default_context())._address, self._pointer,
                            bounded('seed', seed, ctypes.c_uint64), byref(rows),
                            address(noise_row), address(target_row), byref(cost))
        return Pairs(noise_row, target_row, cost.value)


def _pairing(pair: Callable):
    def fill(user, lent, n, dim, noise, target, columns, condition, noise_row, target_row):
        given = view(condition, (n, columns)).copy() if condition else None
        with lending(lent, n) as random:
            rows = pair(random, view(noise, (n, dim)).copy(), view(target, (n, dim)).copy(), given)
        rows = tuple(map(np.asarray, rows))
        if len(rows) != 2 or any(r.shape != (n,) or r.dtype.kind not in 'iu' for r in rows):
            raise shape_error(f'pair must return noise_row and target_row, two arrays of {n} integers')
        for output, value in zip((noise_row, target_row), rows):
            # what does not fit into 32 bits is out of range anyway, which the library says
            view(output, (n,), np.int32)[:] = np.clip(value, -1, np.iinfo(np.int32).max)
    return fill
