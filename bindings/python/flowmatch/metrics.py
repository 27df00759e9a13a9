"""Distances between two sets of samples, and measures of the paths between them."""

import ctypes
from ctypes import byref, c_double
from typing import Any, NamedTuple, Optional, Tuple

import numpy as np

from ._arrays import address, as_float32, as_float64, bounded, rows_of, with_shape
from ._calls import call
from ._errors import argument_error, shape_error
from ._library import MmdConfig, SinkhornConfig, library
from .context import Context, default_context


class WassersteinDistances(NamedTuple):
    w1: float
    w2: float  #: not squared

    @property
    def w2_square(self) -> float:
        """W2^2."""
        return self.w2 * self.w2


class SlicedDistance(NamedTuple):
    w2: float  #: not squared
    w2_square: float


class SinkhornDivergence(NamedTuple):
    divergence: float  #: with the entropy's term in each transport, Feydy et al. 2019
    transport: float  #: without, Genevay et al. 2018


class PathMeasures(NamedTuple):
    energy: float  #: mean over rows of the integral of |v|^2 dt
    curvature: float  #: mean over rows of the integral of |v - (x_last - x_first) / T|^2 dt
    straightness: float  #: mean over rows of distance by length, on [0, 1]


def _pair(x: Any, y: Any) -> Tuple[int, np.ndarray, np.ndarray]:
    """dim, x [n, dim] and y [m, dim]."""
    x = as_float32('x', x)
    dim = 1 if x.ndim == 1 else x.shape[-1] if x.ndim else 0
    return bounded('dim', dim, ctypes.c_int32), rows_of('x', x, dim), rows_of('y', y, dim)


def energy_distance(x: Any, y: Any) -> float:
    """2 E|X - Y| - E|X - X'| - E|Y - Y'| for x [n, dim] and y [m, dim].

    Takes time proportional to (n + m)^2 dim.
    """
    dim, x, y = _pair(x, y)
    distance = c_double()
    call(library.fmatch_metrics_evaluate_energy_distance, dim, len(x), address(x), len(y),
         address(y), byref(distance))
    return distance.value


def wasserstein_1d(x: Any, y: Any, context: Optional[Context] = None) -> WassersteinDistances:
    """Exact Wasserstein distances of two samples on the line, x [n] and y [m], or [n, 1]."""
    x, y = rows_of('x', x, 1), rows_of('y', y, 1)
    w1, w2 = c_double(), c_double()
    (context or default_context())._call(library.fmatch_metrics_evaluate_wasserstein_1d, len(x),
                                         address(x), len(y), address(y), byref(w1), byref(w2))
    return WassersteinDistances(w1.value, w2.value)


def wasserstein(x: Any, y: Any, order: int = 2, context: Optional[Context] = None) -> float:
    """Exact Wasserstein distance W2, not squared, or W1 of x and y, both [n, dim].

    By assignment, in time between n^2 and n^3; on the line by sorting.
    """
    if order not in (1, 2):
        raise argument_error(f'order is {order}; it must be 1 or 2')
    dim, x, y = _pair(x, y)
    y = with_shape('y', y, x.shape)
    distance = c_double()
    w1, w2 = (byref(distance), None) if order == 1 else (None, byref(distance))
    (context or default_context())._call(library.fmatch_metrics_evaluate_wasserstein, dim, len(x),
                                         address(x), address(y), w1, w2, None)
    return distance.value


def sliced_wasserstein(x: Any, y: Any, projections: int = 100, seed: int = 0,
                       context: Optional[Context] = None) -> SlicedDistance:
    """Sliced Wasserstein distance of x [n, dim] and y [m, dim], from random directions.

    SW2^2 is the mean of the W2^2 along the directions. Equal seeds give equal directions.
    """
    dim, x, y = _pair(x, y)
    w2, w2_square = c_double(), c_double()
    (context or default_context())._call(
        library.fmatch_metrics_evaluate_sliced_wasserstein, dim, len(x), address(x), len(y),
        address(y), bounded('projections', projections, ctypes.c_int64),
        bounded('seed', seed, ctypes.c_uint64), byref(w2), byref(w2_square))
    return SlicedDistance(w2.value, w2_square.value)


def sinkhorn_divergence(x: Any, y: Any, *, epsilon: float = 0.05, relative: bool = True,
                        tolerance: float = 1e-9, iterations: int = 10000,
                        context: Optional[Context] = None) -> SinkhornDivergence:
    """OT(x, y) - OT(x, x) / 2 - OT(y, y) / 2 with entropic transport of squared distances, for
    x [n, dim] and y [m, dim].

    The arguments are those of solve_sinkhorn; with `relative`, epsilon is in units of the mean cost
    between x and y. A transport that does not reach the tolerance is a StepLimitError.
    """
    dim, x, y = _pair(x, y)
    config = SinkhornConfig(ctypes.sizeof(SinkhornConfig), 0 if relative else 1, epsilon, tolerance,
                            0, bounded('iterations', iterations, ctypes.c_int64))
    divergence, transport = c_double(), c_double()
    (context or default_context())._call(
        library.fmatch_metrics_evaluate_sinkhorn_divergence, dim, len(x), address(x), len(y),
        address(y), byref(config), byref(divergence), byref(transport))
    return SinkhornDivergence(divergence.value, transport.value)


def mmd(x: Any, y: Any, sigmas: Any = None, unbiased: bool = False,
        context: Optional[Context] = None) -> float:
    """Squared maximum mean discrepancy of x [n, dim] and y [m, dim] with the sum over sigmas of the
    kernels exp(-|x - y|^2 / (2 sigma^2)).

    Args:
        sigmas: 0.01, 0.1, 1, 10 and 100 if None.
        unbiased: leave out the pairs of a row and itself; the result may be negative.
    """
    dim, x, y = _pair(x, y)
    config = MmdConfig(ctypes.sizeof(MmdConfig), int(bool(unbiased)))
    if sigmas is not None:
        sigmas = as_float64('sigmas', np.atleast_1d(sigmas), (np.size(sigmas),))
        if sigmas.size == 0:
            raise argument_error('sigmas is empty')
        config.sigmas, config.count = address(sigmas), bounded('sigmas', sigmas.size,
                                                               ctypes.c_int32)
    mmd_square = c_double()
    (context or default_context())._call(library.fmatch_metrics_evaluate_mmd, dim, len(x),
                                         address(x), len(y), address(y), byref(config),
                                         byref(mmd_square))
    return mmd_square.value


def kolmogorov_smirnov(x: Any, y: Any, context: Optional[Context] = None) -> float:
    """The largest |F(z) - G(z)| of two samples on the line, x [n] and y [m], or [n, 1].

    Where y is a function, a distribution function that takes an array of float64, the largest
    |F_n(z) - y(z)|.
    """
    x = rows_of('x', x, 1)
    statistic = c_double()
    if callable(y):
        cdf = as_float64('cdf', y(x[:, 0].astype(np.float64)), (len(x),))
        (context or default_context())._call(
            library.fmatch_metrics_evaluate_kolmogorov_smirnov_cdf, len(cdf), address(cdf),
            byref(statistic))
        return statistic.value
    y = rows_of('y', y, 1)
    (context or default_context())._call(library.fmatch_metrics_evaluate_kolmogorov_smirnov,
                                         len(x), address(x), len(y), address(y), byref(statistic))
    return statistic.value


def _paths(times: Any, trajectory: Any):
    """Times and a trajectory as the library's functions take them, and what must be kept."""
    trajectory = as_float32('trajectory', trajectory)
    if trajectory.ndim != 3:
        raise shape_error(f'trajectory has {trajectory.ndim} axes; it must have 3, '
                          '[times, n, dim]')
    times = as_float64('times', times, trajectory.shape[:1])
    count, n, dim = trajectory.shape
    return (bounded('dim', dim, ctypes.c_int32), count, address(times), n, address(trajectory)), (
        times, trajectory)


def path_measures(times: Any, trajectory: Any, context: Optional[Context] = None) -> PathMeasures:
    """Energy, curvature and straightness of paths [times, n, dim], as Sampler.draw_trajectory gives
    them, with velocities by difference quotients. Curvature is the straightness S of Liu et al.,
    "Flow Straight and Fast", 2023.
    """
    arguments, _kept = _paths(times, trajectory)
    energy, curvature, straightness = c_double(), c_double(), c_double()
    (context or default_context())._call(library.fmatch_metrics_evaluate_path, *arguments,
                                         byref(energy), byref(curvature), byref(straightness))
    return PathMeasures(energy.value, curvature.value, straightness.value)


def normalised_path_energy(times: Any, trajectory: Any, w2_square: float,
                           context: Optional[Context] = None) -> float:
    """|T E - W2^2| / W2^2 with the energy E of path_measures and T the time from end to end."""
    arguments, _kept = _paths(times, trajectory)
    normalised = c_double()
    (context or default_context())._call(library.fmatch_metrics_evaluate_normalised_path_energy,
                                         *arguments, float(w2_square), byref(normalised))
    return normalised.value
