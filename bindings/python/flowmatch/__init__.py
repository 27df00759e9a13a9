"""libflowmatch: train, sample and evaluate flow matching models.

A network v(x, t) is trained to be the velocity field that carries samples of a simple distribution
(t = 0, noise) to samples of a target distribution (t = 1, data); sampling integrates
dx/dt = v(x, t).

    import flowmatch as fm

    target = fm.Source.gaussian_mixture([0.55, 0.45], [-0.85, 1.5], [0.65, 0.25])
    model = fm.Model.mlp(dim=1, hidden_layers=2, hidden_width=64, seed=626)
    fm.Trainer(model, fm.Adam(1e-3), target, batch=256, seed=42).run(10000)
    samples = fm.Sampler(model, steps=50).draw(100000, seed=1)

Data is float32 [rows, columns]; what comes in is converted where needed, and a one-dimensional
array stands for rows of one column. Objects keep alive what they were made from. A failing call
raises a subclass of FlowmatchError; an exception in a function that the library calls comes out of
the call during which it was raised.
"""

from . import metrics, transport
from ._errors import (ArgumentError, CallbackError, CancelledError, FileError, FileFormatError,
                      FileVersionError, FlowmatchError, NotFiniteError, OutOfMemoryError,
                      ShapeError, StateError, StepLimitError, StructSizeError, UnsupportedError)
from ._library import PATH as library_path
from ._library import library as _library_functions
from .context import Context, build_info, default_context, set_blas_threads
from .likelihood import Likelihood, LogDensity
from .model import DivergenceEstimate, Model, Parameters
from .optimizer import SGD, Adam, Optimizer
from .sampler import RowStatistics, Sampler, SamplerInfo
from .settings import Coupling, Divergence, Loss, Pairs, Path, Rate, Schedule, Times, Validation
from .source import Generator, Rows, Source
from .trainer import Progress, Trainer, TrainerInfo

__version__ = _library_functions.fmatch_version_get_text().decode()

__all__ = ['Adam', 'ArgumentError', 'CallbackError', 'CancelledError', 'Context', 'Coupling',
           'Divergence', 'DivergenceEstimate', 'FileError', 'FileFormatError', 'FileVersionError',
           'FlowmatchError', 'Generator', 'Likelihood', 'LogDensity', 'Loss', 'Model',
           'NotFiniteError', 'Optimizer', 'OutOfMemoryError', 'Pairs', 'Parameters', 'Path',
           'Progress', 'Rate', 'RowStatistics', 'Rows', 'SGD', 'Sampler', 'SamplerInfo',
           'Schedule', 'ShapeError', 'Source', 'StateError', 'StepLimitError', 'StructSizeError',
           'Times', 'Trainer', 'TrainerInfo', 'UnsupportedError', 'Validation', 'build_info',
           'default_context', 'library_path', 'metrics', 'set_blas_threads', 'transport']
