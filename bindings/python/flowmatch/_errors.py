"""Statuses as exceptions."""

from typing import Dict, Type

from ._library import library


class FlowmatchError(Exception):
    """A call of the library that failed.

    Attributes:
        status: the number of the status.
        name: its name, for instance "FMATCH_ERROR_SHAPE".
        detail: one line that names argument, value and allowed range; may be empty.
    """

    def __init__(self, status: int, detail: str = ''):
        self.status = status
        self.name = library.fmatch_status_get_name(status).decode()
        self.detail = detail
        text = library.fmatch_status_get_text(status).decode()
        super().__init__(f'{detail} ({text})' if detail else text)

    def __reduce__(self):
        return type(self), (self.status, self.detail), self.__dict__  # a sampler's states among it


class ArgumentError(FlowmatchError, ValueError):
    """An argument is missing or out of range."""


class ShapeError(FlowmatchError, ValueError):
    """Sizes do not agree."""


class StructSizeError(FlowmatchError, RuntimeError):
    """A struct has a size that the library cannot read."""


class StateError(FlowmatchError, RuntimeError):
    """The object is not in a state that allows the call."""


class OutOfMemoryError(FlowmatchError, MemoryError):
    """Out of memory."""


class CallbackError(FlowmatchError, RuntimeError):
    """A callback failed without an exception."""


class CancelledError(FlowmatchError, RuntimeError):
    """Cancelled. Trainer.run returns False instead."""


class NotFiniteError(FlowmatchError, ArithmeticError):
    """A nan or an infinity in input, in what a callback returned, or in a result."""


class StepLimitError(FlowmatchError, RuntimeError):
    """The limit on steps was reached."""


class FileError(FlowmatchError, OSError):
    """A file cannot be read or written."""


class FileFormatError(FlowmatchError, ValueError):
    """A file is malformed."""


class FileVersionError(FlowmatchError, ValueError):
    """A file comes from a later version."""


class UnsupportedError(FlowmatchError, NotImplementedError):
    """The object does not offer this."""


CLASSES: Dict[str, Type[FlowmatchError]] = {
    'FMATCH_ERROR_ARGUMENT': ArgumentError,
    'FMATCH_ERROR_SHAPE': ShapeError,
    'FMATCH_ERROR_STRUCT_SIZE': StructSizeError,
    'FMATCH_ERROR_STATE': StateError,
    'FMATCH_ERROR_NO_MEMORY': OutOfMemoryError,
    'FMATCH_ERROR_CALLBACK': CallbackError,
    'FMATCH_ERROR_CANCELLED': CancelledError,
    'FMATCH_ERROR_NOT_FINITE': NotFiniteError,
    'FMATCH_ERROR_STEP_LIMIT': StepLimitError,
    'FMATCH_ERROR_IO': FileError,
    'FMATCH_ERROR_FORMAT': FileFormatError,
    'FMATCH_ERROR_VERSION': FileVersionError,
    'FMATCH_ERROR_UNSUPPORTED': UnsupportedError,
}

ARGUMENT, SHAPE, CANCELLED = -1, -2, -7


def error_of(status: int, detail: str) -> FlowmatchError:
    name = library.fmatch_status_get_name(status).decode()
    return CLASSES.get(name, FlowmatchError)(status, detail)


def shape_error(detail: str) -> ShapeError:
    return ShapeError(SHAPE, detail)


def argument_error(detail: str) -> ArgumentError:
    return ArgumentError(ARGUMENT, detail)
