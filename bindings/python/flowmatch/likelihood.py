"""Log-densities of a flow: of given points, and of samples while they are drawn."""

import ctypes
from ctypes import pointer, sizeof
from typing import Any, Callable, NamedTuple, Optional, Tuple

import numpy as np

from . import _library
from ._arrays import address, as_float64, bounded, conditions_of, rows_of, view
from ._calls import call_with_callbacks, guarded
from ._errors import NotFiniteError, StepLimitError
from ._handle import new_config, number_of
from ._library import library
from .model import Model
from .sampler import SOLVERS, RowStatistics, statistics_of
from .settings import Divergence, Settings, kept_of, pointer_of


class LogDensity(NamedTuple):
    """log p_t of rows, float64 [n] each."""

    log_density: np.ndarray
    standard_error: np.ndarray  #: of the mean over the probes; nan for one, 0 where it is exact
    x: np.ndarray  #: of draw(), the samples [n, dim]; of evaluate(), the noise that becomes the rows
    statistics: Optional[RowStatistics] = None  #: of a solver that chooses its steps


class Likelihood(Settings):
    """The log-density along a model's flow.

    Args:
        model: any; each call uses the parameters that it has when the call begins.
        solver: 'rk4' where not given, or another one of Sampler's.
        steps: of equal length, of a solver that does not choose its own. Default 50.
        t: of the density, 1 where not given, which is data.
        divergence: how the divergence is had. Default exactly.
        base: base(x) returns the log-density [n] of the noise at x [n, dim]; that of the model's
            noise where not given.
        guidance_scale, guidance_weight, guidance_interval: as of Sampler; the density is then
            that of the guided flow.
        atol, rtol, max_steps, first_step, min_step, max_step: as of Sampler, for the solvers that
            choose their steps; the tolerances hold for the integral of the divergence too.

    Where rows come to a limit on steps, or to velocities that are not finite, the exception of a
    solver that chooses its steps has what the others came to as `result`: in it the log-density of
    rows that stopped is nan, x is the state that they reached, and statistics.t when.
    """

    def __init__(self, model: Model, solver: Optional[str] = None, steps: Optional[int] = None,
                 t: Optional[float] = None, divergence: Optional[Divergence] = None,
                 base: Optional[Callable[[np.ndarray], Any]] = None,
                 guidance_scale: Optional[float] = None, guidance_weight: Optional[float] = None,
                 guidance_interval: Optional[Tuple[float, float]] = None,
                 atol: Optional[float] = None, rtol: Optional[float] = None,
                 max_steps: Optional[int] = None, first_step: Optional[float] = None,
                 min_step: Optional[float] = None, max_step: Optional[float] = None):
        if guidance_scale is not None and guidance_weight is not None:
            raise TypeError('guidance_scale and guidance_weight say the same thing twice')
        guidance, strength = None, None
        if guidance_scale is not None:
            guidance, strength = 1, guidance_scale
        elif guidance_weight is not None:
            guidance, strength = 2, guidance_weight
        begin, end = guidance_interval or (None, None)
        self._model = model
        config = new_config(_library.LikelihoodConfig, library.fmatch_likelihood_config_init_sized,
                            solver=number_of('solver', SOLVERS, solver), steps=steps, t=t,
                            divergence=pointer_of(divergence), guidance=guidance,
                            guidance_strength=strength, guidance_t_start=begin,
                            guidance_t_end=end, tolerance_absolute=atol,
                            tolerance_relative=rtol, steps_max=max_steps, step_first=first_step,
                            step_smallest=min_step, step_largest=max_step)
        kept: tuple = (model, *kept_of(divergence))
        if base is not None:
            function = _library.LOG_DENSITY(guarded(_basing(model.dim, base)))
            callbacks = _library.DensityCallbacks(struct_size=sizeof(_library.DensityCallbacks),
                                                  log_density=function)
            config.base = pointer(callbacks)
            kept += (function, callbacks)
        super().__init__(config, kept)

    def evaluate(self, x: Any, condition: Any = None, first_row: int = 0) -> LogDensity:
        """log p_t(x) of points [n, dim] under conditions [n, condition_dim].

        Args:
            x: [n, dim], or [n] in one dimension.
            condition: None: the null condition.
            first_row: index of the first row in the stream of the probes.
        """
        x = rows_of('x', x, self._model.dim)
        condition = conditions_of(condition, self._model.condition_dim, len(x))
        seen, config = self._results_of(len(x))
        return _filled(seen, library.fmatch_likelihood_evaluate, self._model._address, config,
                       len(x), address(x), address(condition),
                       bounded('first_row', first_row, ctypes.c_int64), address(seen.log_density),
                       address(seen.standard_error), address(seen.x))

    def draw(self, n: int, seed: int = 0, first_row: int = 0, condition: Any = None) -> LogDensity:
        """n samples at t and their log-density; the arguments are those of Sampler.draw."""
        rows = max(n, 0)
        condition = conditions_of(condition, self._model.condition_dim, rows)
        seen, config = self._results_of(rows)
        return _filled(seen, library.fmatch_likelihood_draw, self._model._address, config,
                       bounded('seed', seed, ctypes.c_uint64),
                       bounded('first_row', first_row, ctypes.c_int64),
                       bounded('n', n, ctypes.c_int64), address(condition), address(seen.x),
                       address(seen.log_density), address(seen.standard_error))

    def _results_of(self, n: int) -> Tuple[LogDensity, Any]:
        """Arrays for a call on n rows, and a configuration with places for its statistics."""
        values, error = np.full((2, n), np.nan)
        x = np.empty((n, self._model.dim), np.float32)
        if self._config.solver < SOLVERS['bogacki_shampine']:
            return LogDensity(values, error, x), self._pointer
        statistics, rows = statistics_of(n)
        config = type(self._config).from_buffer_copy(self._config)
        config.rows = pointer(rows)
        return LogDensity(values, error, x, statistics), pointer(config)


def _filled(seen: LogDensity, function: Any, *arguments: Any) -> LogDensity:
    try:
        call_with_callbacks(function, *arguments)
    except (StepLimitError, NotFiniteError) as error:
        if seen.statistics is not None:
            error.result = seen
        raise
    return seen


def _basing(dim: int, base: Callable):
    def fill(user, n, x, log_density):
        values = as_float64('what base returned', base(view(x, (n, dim)).copy()), (n,))
        view(log_density, (n,), np.float64)[:] = values
    return fill
