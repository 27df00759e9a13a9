"""Arrays on their way in and out: float32, C-contiguous, [rows, columns]."""

import ctypes
import math
import operator
import os
from typing import Any, Optional, Sequence, Tuple

import numpy as np

from ._errors import argument_error, shape_error


def _shape_text(shape: Sequence[Any]) -> str:
    return '(' + ', '.join(map(str, shape)) + (',)' if len(shape) == 1 else ')')


def as_float32(name: str, value: Any) -> np.ndarray:
    """`value` as a float32 array in C order; itself where it is one already."""
    array = np.asarray(value)
    if array.dtype == np.float32:
        usable = array.flags.c_contiguous and array.flags.aligned
        return array if usable else np.array(array, order='C')
    if array.dtype.kind not in 'fiub':
        raise TypeError(f'{name} must hold real numbers, not {array.dtype}')
    with np.errstate(over='ignore'):  # the library refuses what is not finite
        return np.ascontiguousarray(array, dtype=np.float32).reshape(array.shape)


def rows_of(name: str, value: Any, dim: int) -> np.ndarray:
    """Rows [n, dim] as float32; [n] is [n, 1] where dim is 1."""
    array = as_float32(name, value)
    if array.ndim == 1 and dim == 1:
        array = array.reshape(-1, 1)
    if array.ndim != 2 or array.shape[1] != dim:
        wanted = '(n, 1) or (n,)' if dim == 1 else f'(n, {dim})'
        raise shape_error(f'{name} has shape {_shape_text(array.shape)}; it must be {wanted}')
    return array


def conditions_of(value: Any, columns: int, n: int) -> Optional[np.ndarray]:
    """Conditions [n, columns] as float32; [n] is [n, 1] in one column, one row stands for n equal ones."""
    if value is None or columns == 0:
        return value if value is None else as_float32('condition', value)
    array = as_float32('condition', value)
    if array.ndim == 0 or array.ndim == 1 and array.shape == (columns,):
        array = np.broadcast_to(array, (n, columns))
    array = np.ascontiguousarray(rows_of('condition', array, columns))
    return with_shape('condition', array, (n, columns))


def with_shape(name: str, value: Any, shape: Tuple[int, ...]) -> np.ndarray:
    """A float32 array of exactly this shape."""
    array = as_float32(name, value)
    if array.shape != tuple(shape):
        raise shape_error(f'{name} has shape {_shape_text(array.shape)}; it must be '
                          f'{_shape_text(shape)}')
    return array


def as_float64(name: str, value: Any, shape: Tuple[int, ...]) -> np.ndarray:
    """A float64 array in C order of exactly this shape."""
    array = np.asarray(value)
    if array.dtype.kind not in 'fiub':
        raise TypeError(f'{name} must hold real numbers, not {array.dtype}')
    if array.shape != tuple(shape):
        raise shape_error(f'{name} has shape {_shape_text(array.shape)}; it must be '
                          f'{_shape_text(shape)}')
    return np.require(array, np.float64, ['C', 'A'])


def times_of(name: str, value: Any, n: int) -> np.ndarray:
    """Times [n] as float32; a number stands for n equal ones."""
    array = as_float32(name, value)
    return np.full(n, array) if array.ndim == 0 else with_shape(name, array, (n,))


def address(array: Optional[np.ndarray]) -> Optional[int]:
    """Where the array's values begin, for a call during which the caller keeps the array."""
    return None if array is None else array.ctypes.data


def view(pointer: int, shape: Tuple[int, ...], dtype: Any = np.float32) -> np.ndarray:
    """The library's memory as an array, for the duration of a callback.

    With a dtype of NumPy's own: making one from a ctypes type runs Python code within NumPy, where a
    KeyboardInterrupt would be lost.
    """
    size = math.prod(shape) * np.dtype(dtype).itemsize
    return np.frombuffer((ctypes.c_char * size).from_address(pointer), dtype=dtype).reshape(shape)


def path_bytes(path: Any) -> bytes:
    name = os.fsencode(path)
    if b'\0' in name:
        raise ValueError('a path must not contain a null character')
    return name


def bounded(name: str, value: Any, kind: Any) -> int:
    """An integer that ctypes would otherwise cut to the width of `kind` in silence."""
    number = operator.index(value)
    if kind(number).value != number:
        bits = 8 * ctypes.sizeof(kind)
        lowest, highest = (0, 2**bits - 1) if kind(-1).value > 0 else (-2**(bits - 1),
                                                                      2**(bits - 1) - 1)
        raise argument_error(f'{name} is {number}; it must be between {lowest} and {highest}')
    return number
