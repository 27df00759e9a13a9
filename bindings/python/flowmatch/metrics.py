"""Distances between two sets of samples."""

import ctypes
from ctypes import byref, c_double
from typing import Any, NamedTuple, Optional

from ._arrays import address, as_float32, bounded, rows_of
from ._calls import call
from ._library import library
from .context import Context, default_context


class WassersteinDistances(NamedTuple):
    w1: float
    w2: float  #: not squared


def energy_distance(x: Any, y: Any) -> float:
    """2 E|X - Y| - E|X - X'| - E|Y - Y'| for x [n, dim] and y [m, dim].

    Takes time proportional to (n + m)^2 dim.
    """
    x = as_float32('x', x)
    dim = 1 if x.ndim == 1 else x.shape[-1] if x.ndim else 0
    x, y = rows_of('x', x, dim), rows_of('y', y, dim)
    distance = c_double()
    call(library.fmatch_metrics_evaluate_energy_distance, bounded('dim', dim, ctypes.c_int32),
         len(x), address(x), len(y), address(y), byref(distance))
    return distance.value


def wasserstein_1d(x: Any, y: Any, context: Optional[Context] = None) -> WassersteinDistances:
    """Exact Wasserstein distances of two samples on the line, x [n] and y [m], or [n, 1]."""
    x, y = rows_of('x', x, 1), rows_of('y', y, 1)
    w1, w2 = c_double(), c_double()
    (context or default_context())._call(library.fmatch_metrics_evaluate_wasserstein_1d, len(x),
                                         address(x), len(y), address(y), byref(w1), byref(w2))
    return WassersteinDistances(w1.value, w2.value)
