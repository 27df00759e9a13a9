"""Sources: anything that rows of data come from."""

import ctypes
from contextlib import contextmanager
from ctypes import byref, sizeof
from typing import Any, Callable, Iterator, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from . import _library
from ._arrays import address, as_float32, bounded, path_bytes, rows_of, view, with_shape
from ._calls import guarded
from ._errors import argument_error, shape_error
from ._handle import Handle, new_config, number_of
from ._library import library
from .context import Context, default_context

ORDERS = {'shuffled': 0, 'replacement': 1, 'sequential': 2}
TOYS = {'two_moons': 0, 'eight_gaussians': 1, 'checkerboard': 2, 'two_spirals': 3, 'pinwheel': 4,
        'rings': 5, 'circles': 6, 'swiss_roll': 7, 's_curve': 8}
TOY_CONVENTIONS = {'plain': 0, 'torchcfm': 1, 'torchcfm_runner': 2, 'moons_to_gaussians': 3,
                   'ffjord': 4, 'flow_matching': 5}
_BORROW = 1


class Generator:
    """The library's random numbers, lent to a source's function for one call.

    Row i gets the same numbers however the rows are cut into calls. There are two ways to use it:
    whole blocks, normal(n, k) for all n rows of the call; or row by row, set_row(i) and then draws
    with n = 1.
    """

    def __init__(self, lent: int, rows: int):
        self._lent: Optional[int] = lent
        self._rows = rows

    def normal(self, n: int, k: int = 1) -> np.ndarray:
        """Standard normal numbers, float32 [n, k]."""
        return self._draw(library.fmatch_random_draw_normal, np.float32, n, k)

    def uniform(self, n: int, k: int = 1) -> np.ndarray:
        """Uniform numbers on [0, 1), float32 [n, k]."""
        return self._draw(library.fmatch_random_draw_uniform, np.float32, n, k)

    def integers(self, n: int, k: int, bound: int) -> np.ndarray:
        """Uniform integers on [0, bound), int32 [n, k]; bound is from 1 to 2**24."""
        if not 1 <= bound <= 2**24:
            raise argument_error(f'bound is {bound}; it must be between 1 and {2**24}')
        return self._draw(library.fmatch_random_draw_integer, np.int32, n, k, bound)

    def set_row(self, i: int) -> None:
        """Go on with row i of this call alone; draws then take n = 1."""
        library.fmatch_random_set_row(self._valid(), bounded('i', i, ctypes.c_int64))
        self._rows = 1

    def _draw(self, function, kind, n, k, *bound) -> np.ndarray:
        if not 0 <= n <= self._rows:
            raise shape_error(f'n is {n}; it must be between 0 and {self._rows}, the rows of the '
                              f'call')
        out = np.empty((n, bounded('k', k, ctypes.c_int32)), kind)
        function(self._valid(), n, k, *bound, address(out))
        return out

    def _valid(self) -> int:
        if self._lent is None:
            raise RuntimeError('a Generator is valid only during the call it is lent to')
        return self._lent

    def _end(self) -> None:
        self._lent = None


class Rows(NamedTuple):
    """Rows of a source, and what belongs to each."""

    x: np.ndarray  #: [n, dim]
    condition: np.ndarray  #: [n, condition_dim]; of no columns for a source without condition
    weight: np.ndarray  #: [n]; 1 each for a source without weights


#: draw(random, first_row, n) returns rows first_row to first_row + n - 1, [n, dim]; with conditions
#: or weights a tuple of x, condition [n, condition_dim] and weight [n], those that there are.
DrawFunction = Callable[[Generator, int, int], Any]


def _column_choice(columns: Optional[Sequence[int]], condition_columns: Sequence[int],
                   weight_column: Optional[int]) -> Tuple[dict, tuple]:
    """Fields of a configuration, and the arrays that they point into."""
    x, condition = (None if c is None or len(c) == 0 else
                    np.array([bounded('a column', i, ctypes.c_int32) for i in c], np.int32)
                    for c in (columns, condition_columns))
    fields = {'columns': address(x), 'dim': None if x is None else len(x),
              'condition_columns': address(condition),
              'condition_dim': None if condition is None else len(condition),
              'weight_column': weight_column}
    return fields, (x, condition)


class Source(Handle):
    """Where rows come from: the noise or the target of a flow. Made by its class methods.

    Immutable; any number of threads may use it, as far as a user's function allows.
    """

    _kind = 'source'

    @classmethod
    def normal(cls, dim: int, context: Optional[Context] = None) -> 'Source':
        """N(0, I) in `dim` dimensions."""
        context = context or default_context()
        return cls(library.fmatch_source_create_normal, context._address,
                   bounded('dim', dim, ctypes.c_int32), kept=(context,))

    @classmethod
    def gaussian_mixture(cls, weights: Any, means: Any, stds: Any,
                         context: Optional[Context] = None) -> 'Source':
        """Mixture of Gaussians with diagonal covariance.

        Args:
            weights: [K], not negative; they are divided by their sum.
            means: [K, dim], or [K] in one dimension.
            stds: of the same shape, positive.
        """
        weights, means = as_float32('weights', weights), as_float32('means', means)
        if weights.ndim != 1:
            raise shape_error(f'weights has shape {weights.shape}; it must be (K,)')
        if means.ndim not in (1, 2) or len(means) != len(weights):
            raise shape_error(f'means has shape {means.shape}; it must be ({len(weights)}, dim)')
        stds = with_shape('stds', stds, means.shape)
        dim = 1 if means.ndim == 1 else means.shape[1]
        context = context or default_context()
        return cls(library.fmatch_source_create_gaussian_mixture, context._address, dim,
                   len(weights), address(weights), address(means), address(stds), kept=(context,))

    @classmethod
    def array(cls, rows: Any, order: str = 'shuffled', copy: bool = True,
              context: Optional[Context] = None, conditions: Any = None,
              weights: Any = None) -> 'Source':
        """The rows of an array.

        Args:
            rows: [n, dim], or [n] in one dimension; finite.
            conditions: what each row is conditioned on, [n, condition_dim] or [n] for one column; a
                label is a column of whole numbers.
            weights: importance weights [n], not negative and not all 0.
            order: 'shuffled': every row once an epoch; 'replacement': each draw uniform over the
                rows; 'sequential': as stored.
            copy: False uses the arrays themselves where they are float32 in C order; they must then
                not change.
        """
        array = _table('rows', rows)
        n = len(array)
        if conditions is not None:
            conditions = _table('conditions', conditions)
            conditions = with_shape('conditions', conditions, (n, conditions.shape[1]))
        if weights is not None:
            weights = with_shape('weights', weights, (n,))
        config = new_config(_library.ArrayConfig, library.fmatch_array_config_init_sized,
                            dim=array.shape[1], n=n, rows=address(array),
                            conditions=address(conditions), weights=address(weights),
                            condition_dim=None if conditions is None else conditions.shape[1],
                            memory=None if copy else _BORROW,
                            order=number_of('order', ORDERS, order))
        context = context or default_context()
        return cls(library.fmatch_source_create_array, context._address, byref(config),
                   kept=(context,) if copy else (context, array, conditions, weights))

    @classmethod
    def csv(cls, path: Any, order: str = 'shuffled', context: Optional[Context] = None,
            columns: Optional[Sequence[int]] = None, condition_columns: Sequence[int] = (),
            weight_column: Optional[int] = None) -> 'Source':
        """The rows of a file of comma-separated numbers.

        Args:
            order: as for array().
            columns: those that make x, from 0; None: all that are not named below.
            condition_columns: those that make the condition.
            weight_column: the one that holds the weights, not negative and not all 0.
        """
        choice, _arrays = _column_choice(columns, condition_columns, weight_column)
        config = new_config(_library.CsvConfig, library.fmatch_csv_config_init_sized,
                            order=number_of('order', ORDERS, order), **choice)
        context = context or default_context()
        return cls(library.fmatch_source_create_csv, context._address, path_bytes(path),
                   byref(config), kept=(context,))

    @classmethod
    def npy(cls, path: Any, order: str = 'shuffled', context: Optional[Context] = None,
            columns: Optional[Sequence[int]] = None, condition_columns: Sequence[int] = (),
            weight_column: Optional[int] = None) -> 'Source':
        """The rows of a file that numpy.save wrote; arguments as for csv().

        The file is mapped and may be larger than the memory; it must stay as it is. float32 in C
        order is the fastest; float64, integers and truth values are converted.
        """
        choice, _arrays = _column_choice(columns, condition_columns, weight_column)
        config = new_config(_library.NpyConfig, library.fmatch_npy_config_init_sized,
                            order=number_of('order', ORDERS, order), **choice)
        context = context or default_context()
        return cls(library.fmatch_source_create_npy, context._address, path_bytes(path),
                   byref(config), kept=(context,))

    @classmethod
    def toy(cls, kind: str, convention: str = 'plain', noise: Optional[float] = None,
            labels: bool = False, context: Optional[Context] = None) -> 'Source':
        """A distribution of two columns that the literature plays with.

        Args:
            kind: 'two_moons', 'eight_gaussians', 'checkerboard', 'two_spirals', 'pinwheel',
                'rings', 'circles', 'swiss_roll' or 's_curve'.
            convention: whose units and noise: 'plain', about unit size; 'torchcfm',
                'torchcfm_runner', 'moons_to_gaussians', 'ffjord' or 'flow_matching' as published;
                each draws some of the kinds.
            noise: in the units in which the convention states it; None: the convention's.
            labels: whether the component's number, from 0, is the row's condition.
        """
        config = new_config(_library.ToyConfig, library.fmatch_toy_config_init_sized,
                            kind=number_of('kind', TOYS, kind),
                            convention=number_of('convention', TOY_CONVENTIONS, convention),
                            noise=noise, labels=int(labels))
        context = context or default_context()
        return cls(library.fmatch_source_create_toy, context._address, byref(config),
                   kept=(context,))

    @classmethod
    def callback(cls, dim: int, draw: DrawFunction, context: Optional[Context] = None,
                 condition_dim: int = 0, weighted: bool = False) -> 'Source':
        """A distribution given by a function.

        Args:
            dim: columns.
            draw: draw(random, first_row, n) returns rows first_row to first_row + n - 1 as
                [n, dim], or [n] in one dimension. With all randomness from `random`, a Generator,
                the rows are the same for every batch size. Where there are conditions or weights,
                it returns a tuple: x, condition if condition_dim > 0, and weight if weighted.
            condition_dim: columns of the condition; 0: none.
            weighted: whether draw gives weights [n], finite and not negative.
        """
        context = context or default_context()
        callbacks = _library.SourceCallbacks(struct_size=sizeof(_library.SourceCallbacks))
        function: Any
        if condition_dim == 0 and not weighted:
            function = callbacks.draw = _library.DRAW(guarded(_drawing(dim, draw)))
        else:
            function = _library.DRAW_ROWS(guarded(_drawing_rows(dim, draw, condition_dim,
                                                                weighted)))
            callbacks.draw_rows = function
            callbacks.condition_dim = bounded('condition_dim', condition_dim, ctypes.c_int32)
            callbacks.weighted = bool(weighted)
        return cls(library.fmatch_source_create_callback, context._address,
                   bounded('dim', dim, ctypes.c_int32), byref(callbacks), kept=(context, function))

    @property
    def dim(self) -> int:
        """Columns of a row."""
        return library.fmatch_source_get_dim(self._address)

    @property
    def condition_dim(self) -> int:
        """Columns of a row's condition; 0 where there is none."""
        return library.fmatch_source_get_condition_dim(self._address)

    @property
    def weighted(self) -> bool:
        """Whether the rows have weights of their own; else each weighs 1."""
        return bool(library.fmatch_source_get_weighted(self._address))

    @property
    def count(self) -> int:
        """Rows that the source stores; 0 for a distribution."""
        return library.fmatch_source_count_rows(self._address)

    def rows(self, first_row: int = 0, n: Optional[int] = None) -> np.ndarray:
        """Stored rows [n, dim], in the order in which they are stored; all where n is None."""
        return self._stored(library.fmatch_source_get_rows, first_row, n, self.dim)

    def conditions(self, first_row: int = 0, n: Optional[int] = None) -> np.ndarray:
        """Conditions of stored rows, [n, condition_dim]."""
        return self._stored(library.fmatch_source_get_conditions, first_row, n, self.condition_dim)

    def weights(self, first_row: int = 0, n: Optional[int] = None) -> np.ndarray:
        """Weights of stored rows, [n]; 1 each where they have none."""
        return self._stored(library.fmatch_source_get_weights, first_row, n)

    def _stored(self, function, first_row, n, *columns) -> np.ndarray:
        n = self.count - first_row if n is None else n
        out = np.empty((max(n, 0), *columns), np.float32)
        self._call(function, bounded('first_row', first_row, ctypes.c_int64),
                   bounded('n', n, ctypes.c_int64), address(out))
        return out

    def draw(self, n: int, seed: int = 0, first_row: int = 0) -> np.ndarray:
        """Rows [n, dim]. Row i depends on (seed, first_row + i) alone."""
        x = np.empty((max(n, 0), self.dim), np.float32)
        self._call(library.fmatch_source_draw, bounded('seed', seed, ctypes.c_uint64),
                   bounded('first_row', first_row, ctypes.c_int64), bounded('n', n, ctypes.c_int64),
                   address(x))
        return x

    def draw_rows(self, n: int, seed: int = 0, first_row: int = 0) -> Rows:
        """The rows of draw(), with the condition and the weight of each."""
        rows = Rows(np.empty((max(n, 0), self.dim), np.float32),
                    np.empty((max(n, 0), self.condition_dim), np.float32),
                    np.empty(max(n, 0), np.float32))
        self._call(library.fmatch_source_draw_rows, bounded('seed', seed, ctypes.c_uint64),
                   bounded('first_row', first_row, ctypes.c_int64), bounded('n', n, ctypes.c_int64),
                   *map(address, rows))
        return rows

    def log_density(self, x: Any) -> np.ndarray:
        """Logarithm of the density at points [n, dim], float64 [n]; -inf outside of the support.

        For distributions that have one in closed form; UnsupportedError for others.
        """
        x = rows_of('x', x, self.dim)
        out = np.empty(len(x), np.float64)
        self._call(library.fmatch_source_evaluate_log_density, len(x), address(x), address(out))
        return out

    def moments(self) -> Tuple[np.ndarray, np.ndarray]:
        """Mean and standard deviation of each column, both [dim]."""
        mean, std = np.empty(self.dim, np.float32), np.empty(self.dim, np.float32)
        self._call(library.fmatch_source_evaluate_moments, address(mean), address(std))
        return mean, std


@contextmanager
def lending(lent: int, rows: int) -> Iterator[Generator]:
    """The generator of a callback, which is good for nothing afterwards."""
    random = Generator(lent, rows)
    try:
        yield random
    finally:
        random._end()


def _drawing(dim: int, draw: DrawFunction):
    def fill(user, lent, first_row, n, x):
        with lending(lent, n) as random:
            rows = rows_of('what draw returned', draw(random, first_row, n), dim)
        view(x, (n, dim))[:] = with_shape('what draw returned', rows, (n, dim))
    return fill


def _drawing_rows(dim: int, draw: DrawFunction, condition_dim: int, weighted: bool):
    names = ['x'] + ['condition'] * (condition_dim > 0) + ['weight'] * bool(weighted)

    def fill(user, lent, first_row, n, x, condition, weight):
        with lending(lent, n) as random:
            drawn = draw(random, first_row, n)
        if not isinstance(drawn, tuple) or len(drawn) != len(names):
            raise shape_error(f'draw must return a tuple of {" and ".join(names)}')
        parts = dict(zip(names, drawn))
        view(x, (n, dim))[:] = with_shape('x of draw', rows_of('x of draw', parts['x'], dim),
                                          (n, dim))
        if condition:  # the library asks for no more than it needs
            given = rows_of('condition of draw', parts['condition'], condition_dim)
            view(condition, (n, condition_dim))[:] = with_shape('condition of draw', given,
                                                                (n, condition_dim))
        if weight:
            view(weight, (n,))[:] = with_shape('weight of draw', parts['weight'], (n,))
    return fill


def _table(name: str, value: Any) -> np.ndarray:
    """[rows, columns] as float32; [rows] is one column."""
    array = as_float32(name, value)
    if array.ndim == 1:
        array = array.reshape(-1, 1)
    if array.ndim != 2:
        raise shape_error(f'{name} has shape {array.shape}; it must be (n, columns)')
    return array


def as_source(value: Any, dim: int, context: Context) -> Source:
    """A Source, or one made from a function or from rows."""
    if isinstance(value, Source):
        return value
    if callable(value):
        return Source.callback(dim, value, context)
    return Source.array(rows_of('target', value, dim), context=context)
