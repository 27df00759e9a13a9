"""Optimal transport between two batches: who is paired with whom."""

import ctypes
from ctypes import byref, c_double
from typing import Any, NamedTuple, Optional

import numpy as np

from ._arrays import address, as_float32, bounded, rows_of, with_shape
from ._errors import shape_error
from ._library import library
from .context import Context, default_context


class Assignment(NamedTuple):
    permutation: np.ndarray  #: int32 [n]: row i is paired with column permutation[i]
    total: float  #: sum of the costs of the pairs


def _costs(cost: Any) -> np.ndarray:
    cost = np.ascontiguousarray(cost, dtype=np.float64)
    if cost.ndim != 2:
        raise shape_error(f'cost has {cost.ndim} axes; it must have two')
    return cost


def solve_assignment(cost: Any, context: Optional[Context] = None) -> Assignment:
    """The permutation with the least sum of cost[i, permutation[i]], exactly; cost is [n, n]."""
    cost = _costs(cost)
    n = len(cost)
    if cost.shape != (n, n):
        raise shape_error(f'cost has shape {cost.shape}; it must be ({n}, {n})')
    permutation, total = np.empty(n, np.int32), c_double()
    (context or default_context())._call(library.fmatch_transport_solve_assignment, n,
                                         address(cost), address(permutation), byref(total))
    return Assignment(permutation, total.value)


def solve_assignment_points(x: Any, y: Any, context: Optional[Context] = None) -> Assignment:
    """The same for the squared distances between the rows of x and y, both [n, dim].

    total / n is the square of the Wasserstein distance W2 between the two batches.
    """
    x = as_float32('x', x)
    dim = 1 if x.ndim == 1 else x.shape[-1] if x.ndim else 0
    x = rows_of('x', x, dim)
    y = with_shape('y', rows_of('y', y, dim), x.shape)
    permutation, total = np.empty(len(x), np.int32), c_double()
    (context or default_context())._call(
        library.fmatch_transport_solve_assignment_points, bounded('dim', dim, ctypes.c_int32),
        len(x), address(x), address(y), address(permutation), byref(total))
    return Assignment(permutation, total.value)
