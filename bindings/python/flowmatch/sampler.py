"""Samplers: integrate dx/dt = v(x, t)."""

import ctypes
import threading
from ctypes import byref, pointer, sizeof
from typing import Any, Callable, NamedTuple, Optional, Tuple

import numpy as np

from . import _library
from ._arrays import address, as_float64, bounded, conditions_of, rows_of, view, with_shape
from ._calls import guarded
from ._errors import NotFiniteError, StepLimitError
from ._handle import PRESETS, Handle, new_config, number_of
from ._library import library
from .model import Model

SOLVERS = {'euler': 0, 'midpoint': 1, 'heun': 2, 'rk4': 3, 'heun3': 4, 'rk4_three_eighths': 5,
           'adams_bashforth': 6, 'bogacki_shampine': 7, 'dormand_prince': 8, 'tsitouras': 9}
GRIDS = {'uniform': 0, 'shifted': 1, 'edm': 2, 'cosine': 3, 'times': 4}


class SamplerInfo(NamedTuple):
    """What the last call took, all rows together."""

    rows: int
    stopped: int
    """Rows that did not reach t_end."""
    evaluations: int
    """Of the velocity, two for each guided one."""
    accepted: int
    """Steps."""
    rejected: int
    """Steps that were tried and not taken."""
    step_smallest: float


class RowStatistics(NamedTuple):
    """What each row of the last call took, [n] each."""

    t: np.ndarray
    """Time that the row reached."""
    step_smallest: np.ndarray
    evaluations: np.ndarray
    accepted: np.ndarray
    rejected: np.ndarray


def statistics_of(n: int) -> Tuple[RowStatistics, Any]:
    """Arrays for n rows, and the struct by which the library fills them."""
    kinds = (np.float64, np.float64, np.int64, np.int64, np.int64)
    arrays = RowStatistics(*(np.empty(n, kind) for kind in kinds))
    rows = _library.SamplerRows(
        struct_size=sizeof(_library.SamplerRows),
        **{name: address(array) for name, array in arrays._asdict().items()})
    return arrays, rows


class Sampler(Handle):
    """Carries noise to data along a model's velocity.

    Args:
        model: each call uses the parameters that it has when the call begins.
        solver: 'euler', 'midpoint' where not given, 'heun', 'heun3', 'rk4', 'rk4_three_eighths' or
            'adams_bashforth', which take the steps of a grid; or one where every row chooses its
            own: 'bogacki_shampine', 'dormand_prince' or 'tsitouras'.
        steps: of the grid. Default 50.
        t_start, t_end: 0 and 1 where not given; with t_end below t_start the flow runs backward.
        guidance_scale: classifier-free guidance as v_0 + s (v_c - v_0), with v_c and v_0 the
            velocities under the condition and the null condition; 1 is none.
        guidance_weight: the same as (1 + w) v_c - w v_0; 0 is none. One of the two.
        guidance_interval: times (from, to) where guidance acts. Default (0, 1).
        grid: 'uniform' where not given, 'shifted', 'edm' or 'cosine'.
        times: where steps end, from t_start to t_end itself, in place of a grid; with a solver that
            chooses its steps, the times of trajectories, any on the way.
        shift: of the grid 'shifted'. Default 3.
        atol, rtol: tolerances of the error of a step, for the solvers that choose theirs. Default
            1e-5.
        max_steps: that a row may try. Default 10 000.
        first_step, min_step, max_step: lengths of steps; a row stops where min_step is rejected.
        eta: noise along the way, of g^2 = 2 eta sigma(t), which leaves the distribution as it is;
            with 'euler', 'midpoint' or 'heun'.
        diffusion: diffusion(t) returns g at times [n], in place of eta.
        inpainting_strength, inpainting_t_end: of the pull to `known` points of draw_inpainted, and
            to which time it acts. Default 1 each.
        preset: 'recommended', or 'plain', which never changes.

    One thread at a time; a second one waits. Samplers that share a model run side by side.
    """

    _kind = 'sampler'

    def __init__(self, model: Model, solver: Optional[str] = None, steps: Optional[int] = None,
                 t_start: Optional[float] = None, t_end: Optional[float] = None,
                 guidance_scale: Optional[float] = None, guidance_weight: Optional[float] = None,
                 guidance_interval: Optional[Tuple[float, float]] = None,
                 grid: Optional[str] = None, times: Any = None, shift: Optional[float] = None,
                 atol: Optional[float] = None, rtol: Optional[float] = None,
                 max_steps: Optional[int] = None, first_step: Optional[float] = None,
                 min_step: Optional[float] = None, max_step: Optional[float] = None,
                 eta: Optional[float] = None,
                 diffusion: Optional[Callable[[np.ndarray], Any]] = None,
                 inpainting_strength: Optional[float] = None,
                 inpainting_t_end: Optional[float] = None,
                 preset: str = 'recommended'):
        if guidance_scale is not None and guidance_weight is not None:
            raise TypeError('guidance_scale and guidance_weight say the same thing twice')
        guidance, strength = None, None
        if guidance_scale is not None:
            guidance, strength = 1, guidance_scale
        elif guidance_weight is not None:
            guidance, strength = 2, guidance_weight
        begin, end = guidance_interval or (None, None)
        count = None
        if times is not None:
            times = as_float64('times', times, (np.size(times),))
            count, grid = len(times), grid or 'times'
        config = new_config(_library.SamplerConfig, library.fmatch_sampler_config_init_sized,
                            number_of('preset', PRESETS, preset),
                            solver=number_of('solver', SOLVERS, solver), steps=steps,
                            t_start=t_start, t_end=t_end, guidance=guidance,
                            guidance_strength=strength, guidance_t_start=begin,
                            guidance_t_end=end, grid=number_of('grid', GRIDS, grid), shift=shift,
                            times=address(times), times_count=count, tolerance_absolute=atol,
                            tolerance_relative=rtol, steps_max=max_steps, step_first=first_step,
                            step_smallest=min_step, step_largest=max_step,
                            inpainting_strength=inpainting_strength,
                            inpainting_t_end=inpainting_t_end)
        kept: tuple = (model,)
        if eta is not None or diffusion is not None:
            stochastic = new_config(_library.StochasticConfig,
                                    library.fmatch_stochastic_config_init_sized,
                                    eta=0.0 if eta is None else eta)
            if diffusion is not None:
                function = _library.DIFFUSION(guarded(_diffusing(diffusion)))
                stochastic.diffusion = function
                kept += (function,)
            config.stochastic = pointer(stochastic)
        self._dim, self._condition_dim = model.dim, model.condition_dim
        self._lock = threading.RLock()
        super().__init__(library.fmatch_sampler_create, model._address, byref(config),
                         kept=kept)

    def draw(self, n: int, seed: int = 0, first_row: int = 0,
             condition: Any = None) -> np.ndarray:
        """Samples [n, dim] under conditions [n, condition_dim]; None: the null condition.

        Row i starts from noise that depends on (seed, first_row + i) alone: equal seeds give equal
        samples, and a larger first_row goes on where an earlier call ended.

        Where rows come to a limit on steps, or to velocities that are not finite, the exception of
        a solver that chooses its steps has the states that were reached as `x`, and `statistics`
        says when.
        """
        x = np.empty((max(n, 0), self._dim), np.float32)
        return self._draw(library.fmatch_sampler_draw, n, seed, first_row, condition, x)

    def draw_trajectory(self, n: int, seed: int = 0, first_row: int = 0,
                        condition: Any = None) -> np.ndarray:
        """As draw, keeping every time of `times`: [len(times), n, dim]."""
        trajectory = np.empty((self._count_times, max(n, 0), self._dim), np.float32)
        return self._draw(library.fmatch_sampler_draw_trajectory, n, seed, first_row, condition,
                          trajectory)

    def draw_inpainted(self, known: Any, mask: Any = None, seed: int = 0, first_row: int = 0,
                       condition: Any = None) -> np.ndarray:
        """As draw, with the coordinates of known [n, dim] that are not nan.

        Args:
            known: what is given.
            mask: [n, dim] in [0, 1], how much each coordinate of `known` counts.
        """
        known = rows_of('known', known, self._dim)
        mask = None if mask is None else with_shape('mask', mask, known.shape)
        condition = conditions_of(condition, self._condition_dim, len(known))
        return self._fill(np.empty_like(known), library.fmatch_sampler_draw_inpainted,
                          bounded('seed', seed, ctypes.c_uint64),
                          bounded('first_row', first_row, ctypes.c_int64), len(known),
                          address(condition), address(known), address(mask))

    def integrate(self, x: Any, condition: Any = None, seed: int = 0,
                  first_row: int = 0) -> np.ndarray:
        """Where the points x [n, dim] at t_start are at t_end, [n, dim]; condition as for draw.

        The noise along the way, if there is any, depends on (seed, first_row + i).
        """
        x = rows_of('x', x, self._dim)
        condition = conditions_of(condition, self._condition_dim, len(x))
        return self._fill(np.empty_like(x), library.fmatch_sampler_integrate_stochastic,
                          bounded('seed', seed, ctypes.c_uint64),
                          bounded('first_row', first_row, ctypes.c_int64), len(x), address(x),
                          address(condition))

    def integrate_trajectory(self, x: Any, condition: Any = None) -> np.ndarray:
        """As integrate, keeping every time of `times`: [len(times), n, dim]."""
        x = rows_of('x', x, self._dim)
        trajectory = np.empty((self._count_times, *x.shape), np.float32)
        return self._integrate(library.fmatch_sampler_integrate_trajectory, x, condition,
                               trajectory)

    @property
    def times(self) -> np.ndarray:
        """Times of a trajectory, float64: where the steps of a grid end, or those asked for."""
        times = np.empty(self._count_times, np.float64)
        self._call(library.fmatch_sampler_get_times, address(times))
        return times

    @property
    def count_evaluations(self) -> int:
        """Evaluations of the velocity that a row costs; cost, if it chooses its steps."""
        return library.fmatch_sampler_count_evaluations(self._address)

    @property
    def info(self) -> SamplerInfo:
        """What the last call took."""
        info = _library.SamplerInfo(struct_size=sizeof(_library.SamplerInfo))
        with self._lock:
            self._call(library.fmatch_sampler_get_info, byref(info))
        return SamplerInfo(*(getattr(info, field) for field in SamplerInfo._fields))

    @property
    def statistics(self) -> RowStatistics:
        """What each row of the last call took."""
        with self._lock:
            n = self.info.rows
            arrays, rows = statistics_of(n)
            self._call(library.fmatch_sampler_get_rows, 0, n, byref(rows))
        return arrays

    @property
    def _count_times(self) -> int:
        return library.fmatch_sampler_count_times(self._address)

    def _draw(self, function, n, seed, first_row, condition, out):
        condition = conditions_of(condition, self._condition_dim, max(n, 0))
        return self._fill(out, function, bounded('seed', seed, ctypes.c_uint64),
                          bounded('first_row', first_row, ctypes.c_int64),
                          bounded('n', n, ctypes.c_int64), address(condition))

    def _integrate(self, function, x, condition, out):
        condition = conditions_of(condition, self._condition_dim, len(x))
        return self._fill(out, function, len(x), address(x), address(condition))

    def _fill(self, out, function, *arguments):
        try:
            with self._lock:
                self._call(function, *arguments, address(out))
        except (StepLimitError, NotFiniteError) as error:
            error.x = out
            raise
        return out


def _diffusing(diffusion: Callable):
    def fill(user, n, t, g):
        view(g, (n,), np.float64)[:] = diffusion(view(t, (n,), np.float64).copy())
    return fill
