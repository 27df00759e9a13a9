"""Calls into the library: statuses become exceptions, and exceptions of callbacks come out again.

An exception must not leave a function that ctypes calls: it would be printed and lost. guarded()
keeps it for the thread and tells the library to stop; call_with_callbacks() raises it again, the
same object.

A signal is the other way into a callback. Python runs its handler before the first line of the
next Python function, which is outside of every `try` of a callback, so a KeyboardInterrupt raised
there would be lost as well. While the library runs, the handler of SIGINT is therefore one that
only takes note; the real one is run by the next callback, within its `try`, or after the call.
"""

import signal
import threading
from functools import wraps
from typing import Any, Callable, List, Optional

from ._errors import CANCELLED, error_of
from ._library import library


class _PendingException(threading.local):
    exception: Optional[BaseException] = None
    calls = 0  # into the library, that this thread is in


#: What callbacks raised on the library's own threads, for the call that they belong to.
_raised_elsewhere: List[BaseException] = []


class _Interrupts:
    """SIGINT during one outermost call of the main thread."""

    def __init__(self, handler: Callable):
        self.handler = handler
        self.in_callback = False
        self.arrived = False

    def receive(self, signum, frame) -> None:
        if self.in_callback:
            self.handler(signum, frame)
        else:
            self.arrived = True

    def deliver(self) -> None:
        if self.arrived:
            self.arrived = False
            self.handler(signal.SIGINT, None)


_pending = _PendingException()
_interrupts: Optional[_Interrupts] = None


def _interrupts_of_this_thread() -> Optional[_Interrupts]:
    if _interrupts is None or threading.current_thread() is not threading.main_thread():
        return None
    return _interrupts


def guarded(function: Callable[..., Any]) -> Callable[..., int]:
    """`function` as a callback: returns what it returns, or 0; -1 when it raises."""
    @wraps(function)
    def trampoline(*arguments):
        interrupts = _interrupts_of_this_thread()
        try:
            if interrupts is not None:
                interrupts.in_callback = True
                interrupts.deliver()
            result = function(*arguments)
            if interrupts is not None:
                interrupts.in_callback = False
            return result or 0
        except BaseException as exception:  # also KeyboardInterrupt and SystemExit
            if interrupts is not None:
                interrupts.in_callback = False
            if _pending.calls == 0:
                _raised_elsewhere.append(exception)
            elif _pending.exception is None:
                _pending.exception = exception
            return -1
    return trampoline


def _call_outermost(function, arguments, handler) -> int:
    global _interrupts
    interrupts = _Interrupts(handler)
    signal.signal(signal.SIGINT, interrupts.receive)
    _interrupts = interrupts
    try:
        status = function(*arguments)
    finally:
        _interrupts = None
        signal.signal(signal.SIGINT, handler)
    interrupts.deliver()
    return status


def _call_from_callback(function, arguments, interrupts) -> int:
    interrupts.in_callback = False
    try:
        status = function(*arguments)
    finally:
        interrupts.in_callback = True
    interrupts.deliver()
    return status


def _status_of(function: Callable[..., int], arguments) -> int:
    _pending.calls += 1
    try:
        return _status_of_call(function, arguments)
    finally:
        _pending.calls -= 1


def _status_of_call(function: Callable[..., int], arguments) -> int:
    if threading.current_thread() is not threading.main_thread():
        return function(*arguments)
    if _interrupts is not None:
        return _call_from_callback(function, arguments, _interrupts)
    handler = signal.getsignal(signal.SIGINT)
    if not callable(handler):
        return function(*arguments)
    return _call_outermost(function, arguments, handler)


def _check_status(status: int) -> None:
    if status != 0:
        raise error_of(status, library.fmatch_error_detail().decode('utf-8', 'replace'))


def _check(status: int) -> None:
    exception, _pending.exception = _pending.exception, None
    if status != 0 and _raised_elsewhere:
        exception = exception or _raised_elsewhere[0]
        _raised_elsewhere.clear()
    if exception is None:
        return _check_status(status)
    try:
        raise exception
    finally:
        del exception  # whose traceback holds this frame


def call(function: Callable[..., int], *arguments) -> None:
    """Call a function that returns a status and reaches no function of Python's."""
    _check_status(function(*arguments))


def call_with_callbacks(function: Callable[..., int], *arguments) -> None:
    """Call a function that returns a status; raise what a callback raised, or the status."""
    _pending.exception = None
    _check(_status_of(function, arguments))


def call_unless_cancelled(function: Callable[..., int], *arguments) -> bool:
    """As call_with_callbacks(); False when a progress callback asked to stop."""
    _pending.exception = None
    status = _status_of(function, arguments)
    _check(0 if status == CANCELLED else status)
    return status == 0
