"""The context: threads, log and processor of what is created from it; facts about the build."""

import threading
from ctypes import byref, c_int32, pointer, sizeof
from typing import Callable, Dict, Optional, Union

from . import _library
from ._arrays import bounded
from ._calls import call, guarded
from ._handle import Handle, new_config, number_of
from ._library import LogSink, library

INSTRUCTION_SETS = {'auto': 0, 'baseline': 1, 'avx2': 2}
MATMULS = {'auto': 0, 'builtin': 1, 'blas': 2}
#: The library's levels in the numbers of Python's logging.
_LOG_LEVELS = {0: 10, 1: 20, 2: 30}


class Context(Handle):
    """Threads, log and processor. Where none is given, one for the whole program is used.

    Args:
        threads: that one call may use, 1 to 1024. Default 1. Results do not depend on it.
        log: receives the library's messages as log(level, message), with the levels of `logging`;
            `logging.getLogger('flowmatch').log` will do. None: messages are dropped.
        instruction_set: 'auto', 'baseline' or 'avx2'.
        matmul: what computes matrix products. 'auto': the built-in product, but in training
            OpenBLAS where that is faster. 'builtin': the built-in one. 'blas': OpenBLAS, with
            which a row's last bits depend on the rows beside it and on OpenBLAS's threads.

    Any number of threads may use it.
    """

    _kind = 'context'

    def __init__(self, threads: Optional[int] = None,
                 log: Optional[Callable[[int, str], object]] = None,
                 instruction_set: Optional[str] = None, matmul: Optional[str] = None):
        config = new_config(_library.ContextConfig, library.fmatch_context_config_init_sized,
                            threads=threads,
                            instruction_set=number_of('instruction_set', INSTRUCTION_SETS,
                                                      instruction_set),
                            matmul=number_of('matmul', MATMULS, matmul))
        kept = ()
        if log is not None:
            write = _library.WRITE_LOG(_writer(log))
            sink = LogSink(struct_size=sizeof(LogSink), write=write)
            config.log = pointer(sink)
            kept = (write,)
        super().__init__(library.fmatch_context_create, byref(config), kept=kept)

    @property
    def threads(self) -> int:
        """Threads that one call may use."""
        return library.fmatch_context_get_threads(self._address)

    @property
    def instruction_set(self) -> str:
        """The one in use, never 'auto'."""
        number = library.fmatch_context_get_instruction_set(self._address)
        return next(name for name, value in INSTRUCTION_SETS.items() if value == number)


def _writer(log):
    trampoline = guarded(lambda user, level, message: log(
        _LOG_LEVELS.get(level, level), message.decode('utf-8', 'replace')) and None)

    def write(user, level, message):
        trampoline(user, level, message)
    return write


_default: Optional[Context] = None
_default_lock = threading.Lock()


def default_context() -> Context:
    """The context that is used where none is given."""
    global _default
    with _default_lock:
        if _default is None:
            _default = Context()
        return _default


def build_info() -> Dict[str, Union[str, int]]:
    """What the library was built with and found: texts, '' where there is nothing to say, and the
    number of OpenBLAS's threads, 0 without it.

    The keys are version, blas_name, blas_version, blas_core, blas_threading, blas_threads and
    instruction_set.
    """
    info = _library.BuildInfo(struct_size=sizeof(_library.BuildInfo))
    library.fmatch_build_get_info(byref(info))
    values = ((name, getattr(info, name)) for name, _ in info._fields_ if name != 'struct_size')
    return {name: value.decode('utf-8', 'replace') if isinstance(value, bytes) else value
            for name, value in values}


def set_blas_threads(threads: int) -> None:
    """Set the number of OpenBLAS's threads, 1 to 1024, for the whole process, NumPy's products
    included where they use the same OpenBLAS. The library never does so by itself."""
    call(library.fmatch_blas_set_threads, bounded('threads', threads, c_int32))
