"""What every object that owns a C handle shares."""

import weakref
from ctypes import Structure, byref, c_int32, c_int64, c_uint64, c_void_p, sizeof
from typing import Any, Callable, Mapping, Tuple, Type

from ._arrays import bounded
from ._calls import call, call_with_callbacks
from ._errors import argument_error
from ._library import KEPT_CALLBACKS, library

_INTEGERS = (c_int32, c_int64, c_uint64)


def _destroy(destroy: Callable, address: int) -> None:
    destroy(byref(c_void_p(address)))


class Handle:
    """Owner of a C handle.

    `kept` are the Python objects that the C side reaches through this handle: parents, and
    functions that it calls. The C library counts references to its own handles; these keep what
    ctypes made for them.
    """

    _kind = ''  # the C name of the handle, without its prefix

    def __init__(self, create: Callable, *arguments: Any, kept: Tuple[Any, ...] = ()):
        self._kept = kept
        self._reaches_python = any(isinstance(k, KEPT_CALLBACKS)
                                   or isinstance(k, Handle) and k._reaches_python for k in kept)
        created = c_void_p()
        self._call_function()(create, byref(created), *arguments)
        self._address = created.value
        destroy = getattr(library, f'fmatch_{self._kind}_destroy')
        finalizer = weakref.finalize(self, _destroy, destroy, self._address)
        # At exit another thread may be inside the library; the process takes the memory along.
        finalizer.atexit = False

    def _call(self, function: Callable[..., int], *arguments: Any) -> None:
        """Call a status function on this handle."""
        self._call_function()(function, self._address, *arguments)

    def _call_function(self) -> Callable[..., None]:
        return call_with_callbacks if self._reaches_python else call


def new_config(struct: Type[Structure], init: Callable, *arguments: Any,
               **fields: Any) -> Any:
    """A configuration with recommended values, where fields that are None stay as they are."""
    config = struct()
    init(byref(config), sizeof(config), *arguments)
    kinds = dict(struct._fields_)
    for name, value in fields.items():
        if value is None:
            continue
        if kinds[name] in _INTEGERS:
            value = bounded(name, value, kinds[name])
        setattr(config, name, value)
    return config


def number_of(what: str, names: Mapping[str, int], name: Any) -> Any:
    """The enumerator called `name`; None stays None."""
    if name is None:
        return None
    try:
        return names[name]
    except (KeyError, TypeError):
        raise argument_error(f'{what} is {name!r}; it must be one of {", ".join(map(repr, names))}'
                             ) from None


PRESETS = {'recommended': 0, 'plain': 1}
