"""Sources: anything that rows of data come from."""

import ctypes
from ctypes import byref, sizeof
from typing import Any, Callable, Optional, Tuple

import numpy as np

from . import _library
from ._arrays import address, as_float32, bounded, path_bytes, rows_of, view, with_shape
from ._calls import guarded
from ._errors import argument_error, shape_error
from ._handle import Handle, new_config, number_of
from ._library import library
from .context import Context, default_context

ORDERS = {'shuffled': 0, 'replacement': 1, 'sequential': 2}
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


#: draw(random, first_row, n) returns rows first_row to first_row + n - 1, [n, dim].
DrawFunction = Callable[[Generator, int, int], Any]


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
              context: Optional[Context] = None) -> 'Source':
        """The rows of an array.

        Args:
            rows: [n, dim], or [n] in one dimension; finite.
            order: 'shuffled': every row once an epoch; 'replacement': each draw uniform over the
                rows; 'sequential': as stored.
            copy: False uses the array itself where it is float32 in C order; it must then not
                change.
        """
        array = as_float32('rows', rows)
        if array.ndim == 1:
            array = array.reshape(-1, 1)
        if array.ndim != 2:
            raise shape_error(f'rows has shape {array.shape}; it must be (n, dim)')
        config = new_config(_library.ArrayConfig, library.fmatch_array_config_init_sized,
                            dim=array.shape[1], n=len(array), rows=address(array),
                            memory=None if copy else _BORROW,
                            order=number_of('order', ORDERS, order))
        context = context or default_context()
        return cls(library.fmatch_source_create_array, context._address, byref(config),
                   kept=(context,) if copy else (context, array))

    @classmethod
    def csv(cls, path: Any, order: str = 'shuffled',
            context: Optional[Context] = None) -> 'Source':
        """The rows of a file of comma-separated numbers; order as for array()."""
        config = new_config(_library.CsvConfig, library.fmatch_csv_config_init_sized,
                            order=number_of('order', ORDERS, order))
        context = context or default_context()
        return cls(library.fmatch_source_create_csv, context._address, path_bytes(path),
                   byref(config), kept=(context,))

    @classmethod
    def callback(cls, dim: int, draw: DrawFunction,
                 context: Optional[Context] = None) -> 'Source':
        """A distribution given by a function.

        Args:
            dim: columns.
            draw: draw(random, first_row, n) returns rows first_row to first_row + n - 1 as
                [n, dim], or [n] in one dimension. With all randomness from `random`, a Generator,
                the rows are the same for every batch size.
        """
        context = context or default_context()
        function = _library.DRAW(guarded(_drawing(dim, draw)))
        callbacks = _library.SourceCallbacks(struct_size=sizeof(_library.SourceCallbacks),
                                             draw=function)
        return cls(library.fmatch_source_create_callback, context._address,
                   bounded('dim', dim, ctypes.c_int32), byref(callbacks), kept=(context, function))

    @property
    def dim(self) -> int:
        """Columns of a row."""
        return library.fmatch_source_get_dim(self._address)

    @property
    def count(self) -> int:
        """Rows that the source stores; 0 for a distribution."""
        return library.fmatch_source_count_rows(self._address)

    def rows(self, first_row: int = 0, n: Optional[int] = None) -> np.ndarray:
        """Stored rows [n, dim], in the order in which they are stored; all where n is None."""
        n = self.count - first_row if n is None else n
        x = np.empty((max(n, 0), self.dim), np.float32)
        self._call(library.fmatch_source_get_rows, bounded('first_row', first_row, ctypes.c_int64),
                   bounded('n', n, ctypes.c_int64), address(x))
        return x

    def draw(self, n: int, seed: int = 0, first_row: int = 0) -> np.ndarray:
        """Rows [n, dim]. Row i depends on (seed, first_row + i) alone."""
        x = np.empty((max(n, 0), self.dim), np.float32)
        self._call(library.fmatch_source_draw, bounded('seed', seed, ctypes.c_uint64),
                   bounded('first_row', first_row, ctypes.c_int64), bounded('n', n, ctypes.c_int64),
                   address(x))
        return x

    def moments(self) -> Tuple[np.ndarray, np.ndarray]:
        """Mean and standard deviation of each column, both [dim]."""
        mean, std = np.empty(self.dim, np.float32), np.empty(self.dim, np.float32)
        self._call(library.fmatch_source_evaluate_moments, address(mean), address(std))
        return mean, std


def _drawing(dim: int, draw: DrawFunction):
    def fill(user, lent, first_row, n, x):
        random = Generator(lent, n)
        try:
            rows = rows_of('what draw returned', draw(random, first_row, n), dim)
        finally:
            random._end()
        view(x, (n, dim))[:] = with_shape('what draw returned', rows, (n, dim))
    return fill


def as_source(value: Any, dim: int, context: Context) -> Source:
    """A Source, or one made from a function or from rows."""
    if isinstance(value, Source):
        return value
    if callable(value):
        return Source.callback(dim, value, context)
    return Source.array(rows_of('target', value, dim), context=context)
