"""Optimal transport between two batches: who is paired with whom."""

import ctypes
import math
from ctypes import byref, c_double
from typing import Any, NamedTuple, Optional

import numpy as np

from ._arrays import address, as_float32, bounded, rows_of, with_shape
from ._calls import call
from ._errors import StepLimitError, shape_error
from ._library import SemidiscreteConfig, SemidiscreteInfo, SinkhornConfig, SinkhornInfo, library
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


class SinkhornPlan(NamedTuple):
    plan: np.ndarray  #: [n, m], masses
    f: np.ndarray  #: [n], potential of the rows
    g: np.ndarray  #: [m], potential of the columns
    converged: bool
    iterations: int
    epsilon: float  #: in the costs' unit
    marginal_error: float
    transport_cost: float  #: without the entropy
    regularised_cost: float  #: with it
    mass: float


def _masses(name: str, value: Any, n: int) -> Optional[np.ndarray]:
    if value is None:
        return None
    array = np.ascontiguousarray(value, dtype=np.float64)
    if array.shape != (n,):
        raise shape_error(f'{name} has shape {array.shape}; it must be ({n},)')
    return array


def solve_sinkhorn(cost: Any, a: Any = None, b: Any = None, *, epsilon: float = 0.05,
                   relative: bool = True, rho: float = math.inf, tolerance: float = 1e-9,
                   iterations: int = 10000, unfinished: bool = False,
                   context: Optional[Context] = None) -> SinkhornPlan:
    """Entropic optimal transport, plan[i, j] = a[i] b[j] exp((f[i] + g[j] - cost[i, j]) / epsilon).

    Args:
        cost: [n, m].
        a, b: masses [n] and [m]; even ones if None.
        epsilon: weight of the entropy; with `relative`, in units of the mean cost.
        rho: weight of the marginals in unbalanced transport; infinity: a and b are kept.
        tolerance: of the marginal's error, as a share of the mass.
        iterations: at most so many.
        unfinished: return what there is when the tolerance was not reached, instead of raising
            StepLimitError.
    """
    cost = _costs(cost)
    n, m = cost.shape
    a, b = _masses('a', a, n), _masses('b', b, m)
    config = SinkhornConfig(ctypes.sizeof(SinkhornConfig), 0 if relative else 1, epsilon, tolerance,
                            rho, bounded('iterations', iterations, ctypes.c_int64))
    info = SinkhornInfo(ctypes.sizeof(SinkhornInfo))
    plan, f, g = np.empty((n, m)), np.empty(n), np.empty(m)
    converged = True
    try:
        (context or default_context())._call(
            library.fmatch_transport_solve_sinkhorn, n, m, address(cost), address(a), address(b),
            byref(config), address(plan), address(f), address(g), byref(info))
    except StepLimitError:
        if not unfinished:
            raise
        converged = False
    return SinkhornPlan(plan, f, g, converged, info.iterations, info.epsilon, info.marginal_error,
                        info.transport_cost, info.regularised_cost, info.mass)


class SemidiscretePotential(NamedTuple):
    potential: np.ndarray  #: [m]: x goes to the row with the least |x - y_j|^2 - potential[j]
    converged: bool
    steps: int
    marginal_error: float  #: chi square, an estimate
    cost: float  #: W2 squared, an estimate


def solve_semidiscrete(noise: Any, y: Any, weights: Any = None, *, batch: int = 1024,
                       steps: int = 10000, learning_rate: float = 0.02, averaging: float = 0.99,
                       tolerance: float = 1e-3, seed: int = 0, unfinished: bool = False,
                       context: Optional[Context] = None) -> SemidiscretePotential:
    """Transport of a whole noise distribution, a Source, to the rows y [m, dim].

    Args:
        weights: [m], the rows' shares of the noise up to a common factor; even ones if None.
        batch: rows of noise in a step.
        steps: at most so many.
        learning_rate: in units of the mean squared distance.
        averaging: what a step keeps of the mean potential.
        tolerance: of the chi square between the shares that rows get and their own; 0: all steps.
        unfinished: return what there is when the tolerance was not reached, instead of raising
            StepLimitError.
    """
    y = rows_of('y', y, noise.dim)
    weights = _masses('weights', weights, len(y))
    config = SemidiscreteConfig(ctypes.sizeof(SemidiscreteConfig),
                                bounded('batch', batch, ctypes.c_int32),
                                bounded('seed', seed, ctypes.c_uint64),
                                bounded('steps', steps, ctypes.c_int64), learning_rate, averaging,
                                tolerance)
    info = SemidiscreteInfo(ctypes.sizeof(SemidiscreteInfo))
    potential = np.empty(len(y))
    converged = True
    try:
        parent = context or default_context()
        (noise if noise._reaches_python else parent)._call_function()(
            library.fmatch_transport_solve_semidiscrete, parent._address, noise._address, len(y),
            address(y), address(weights), byref(config), address(potential), byref(info))
    except StepLimitError:
        if not unfinished:
            raise
        converged = False
    return SemidiscretePotential(potential, converged, info.steps, info.marginal_error, info.cost)


def assign_semidiscrete(x: Any, y: Any, potential: Any = None,
                        context: Optional[Context] = None) -> np.ndarray:
    """For each row of x [n, dim] the row of y [m, dim] with the least |x - y_j|^2 - potential[j].

    Without a potential, the nearest rows.
    """
    x = as_float32('x', x)
    dim = 1 if x.ndim == 1 else x.shape[-1] if x.ndim else 0
    x, y = rows_of('x', x, dim), rows_of('y', y, dim)
    potential = _masses('potential', potential, len(y))
    row = np.empty(len(x), np.int32)
    (context or default_context())._call(
        library.fmatch_transport_evaluate_semidiscrete, bounded('dim', dim, ctypes.c_int32), len(x),
        address(x), len(y), address(y), address(potential), address(row))
    return row


def draw_columns(plan: Any, seed: int = 0, first_row: int = 0,
                 context: Optional[Context] = None) -> np.ndarray:
    """For each row of plan [n, m] a column, with probability plan[i, j] / plan[i].sum().

    Row i depends on (seed, first_row + i); -1 for a row without mass.
    """
    plan = np.ascontiguousarray(plan, dtype=np.float64)
    if plan.ndim != 2:
        raise shape_error(f'plan has {plan.ndim} axes; it must have two')
    column = np.empty(len(plan), np.int32)
    (context or default_context())._call(
        library.fmatch_transport_draw_columns, *plan.shape, address(plan),
        bounded('seed', seed, ctypes.c_uint64), bounded('first_row', first_row, ctypes.c_int64),
        address(column))
    return column


def condition_weight(cost: Any, condition_cost: Any, rate: float = 0.05) -> float:
    """The weight w at which a share `rate` of pairs has cost[i, j] + w condition_cost[i, j] <= cost[j, j].

    Both are [n, n]; cost[j, j] belongs to data j and the noise it came with (C2OT).
    """
    cost, condition_cost = _costs(cost), _costs(condition_cost)
    n = len(cost)
    for name, array in (('cost', cost), ('condition_cost', condition_cost)):
        if array.shape != (n, n):
            raise shape_error(f'{name} has shape {array.shape}; it must be ({n}, {n})')
    weight = c_double()
    call(library.fmatch_transport_evaluate_condition_weight, n, address(cost),
         address(condition_cost), rate, byref(weight))
    return weight.value
