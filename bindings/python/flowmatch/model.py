"""Models: a velocity field v(x, t), and what is needed to sample from it."""

import ctypes
from collections.abc import Mapping as MappingBase
from ctypes import byref, c_char_p, c_double, sizeof
from typing import Any, Callable, Iterator, Mapping, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from . import _library
from ._arrays import address, bounded, conditions_of, path_bytes, rows_of, times_of, view, with_shape
from ._calls import guarded
from ._errors import shape_error
from ._handle import PRESETS, Handle, new_config, number_of
from ._library import library
from .context import Context, default_context
from .settings import PREDICTIONS, Divergence, Path, kept_of, pointer_of
from .source import Source

ACTIVATIONS = {'gelu': 0, 'gelu_tanh': 1, 'relu': 2, 'silu': 3, 'tanh': 4, 'elu': 5, 'selu': 6,
               'softplus': 7}
TIME_FEATURES = {'raw': 0, 'fourier': 1}
NORMALISATIONS = {'none': 0, 'layer': 1}
BASELINES = {'none': 0, 'gaussian': 1}

#: velocity(x, t), or velocity(x, t, condition) where there are conditions, returns v [n, dim] for
#: x [n, dim] at times t [n].
VelocityFunction = Callable[..., Any]


class DivergenceEstimate(NamedTuple):
    """Divergences of rows, float64 [n] each, and the velocity there."""

    divergence: np.ndarray
    standard_error: np.ndarray  #: of the mean over the probes; nan for one, 0 where it is exact
    velocity: np.ndarray


class Parameters(MappingBase):
    """The parameters of a model by name, as PyTorch has them: "net.0.weight" [out, in].

    Reading gives a copy, which is marked read-only so that nobody mistakes it for the model's own;
    `parameters[name] = array` and `parameters.update(...)` change the model.
    """

    def __init__(self, model: 'Model'):
        self._model = model

    def shape(self, name: str) -> Tuple[int, ...]:
        """Shape of one array: (out, in) for a weight, (out,) for a bias."""
        for known, shape in self._shapes():
            if known == name:
                return shape
        raise KeyError(name)

    def __getitem__(self, name: str) -> np.ndarray:
        values = np.empty(self.shape(name), np.float32)
        self._model._call(library.fmatch_model_get_tensor, name.encode(), values.size,
                          address(values))
        values.flags.writeable = False
        return values

    def __setitem__(self, name: str, values: Any) -> None:
        array = with_shape(name, values, self.shape(name))
        self._model._call(library.fmatch_model_set_tensor, name.encode(), array.size,
                          address(array))

    def update(self, values: Mapping[str, Any]) -> None:
        """Set several arrays. Names and shapes are checked before the first is set."""
        arrays = {name: with_shape(name, value, self.shape(name)) for name, value in values.items()}
        for name, array in arrays.items():
            self[name] = array

    def __iter__(self) -> Iterator[str]:
        return (name for name, _ in self._shapes())

    def __len__(self) -> int:
        return library.fmatch_model_count_tensors(self._model._address)

    def __repr__(self) -> str:
        return f'Parameters({dict(self._shapes())})'

    def _shapes(self) -> Iterator[Tuple[str, Tuple[int, ...]]]:
        info = _library.TensorInfo(struct_size=sizeof(_library.TensorInfo))
        for index in range(len(self)):
            self._model._call(library.fmatch_model_get_tensor_info, index, byref(info))
            yield info.name.decode(), tuple(info.shape[:info.rank])


class Model(Handle):
    """A velocity field and its noise distribution. Made by its class methods.

    Any number of threads may use it, also while it is trained: a call that is under way goes on
    with the parameters it began with.
    """

    _kind = 'model'

    @classmethod
    def mlp(cls, dim: Optional[int] = None, hidden_layers: Optional[int] = None, hidden_width: Optional[int] = None,
            hidden_widths: Optional[Sequence[int]] = None, activation: Optional[str] = None,
            seed: Optional[int] = None, data_mean: Any = None, data_std: Any = None,
            noise: Optional[Source] = None, condition_dim: Optional[int] = None,
            classes: Optional[int] = None, embedding_dim: Optional[int] = None,
            null_condition: Optional[bool] = None, path: Optional[Path] = None,
            prediction: Optional[str] = None, activations: Optional[Sequence[str]] = None,
            time_features: Optional[str] = None, time_frequencies: Optional[int] = None,
            residual_layers: Optional[int] = None, normalisation: Optional[str] = None,
            zero_output: Optional[bool] = None, condition_mean: Any = None,
            condition_std: Any = None, preset: str = 'recommended',
            context: Optional[Context] = None, data: Any = None,
            baseline: Optional[str] = None) -> 'Model':
        """A multilayer perceptron with input [t, x, condition].

        Args:
            dim: columns of x; those of `data` where not given.
            hidden_layers, hidden_width: 2 and 64 where not given.
            hidden_widths: the width of each layer, instead of the two.
            activation: 'gelu' where not given, 'gelu_tanh', 'relu', 'silu', 'tanh', 'elu', 'selu'
                or 'softplus'.
            seed: of the initialisation. Default 0.
            data_mean, data_std: [dim], standardisation: the network sees (x - mean) / std. A std of
                0 is a constant column, and counts as 1. Measured of `data` where not given.
            noise: the distribution at t = 0, in data units. Default N(mean, std^2).
            condition_dim: columns of a condition. Default 0: none.
            classes: labels in the first of them, which the network sees as learned vectors of
                embedding_dim numbers. Default 0: no labels.
            embedding_dim: `classes`, at most 16, where not given.
            null_condition: whether the condition can be left out, as guidance needs; a row that
                begins with nan is then the null condition.
            path: the Path that it is trained and sampled on. Default linear.
            prediction: what the network's output is: 'velocity' where not given, 'data' or
                'noise'.
            activations: one for each hidden layer, instead of `activation`.
            time_features: how the network sees t: 'raw' where not given, or 'fourier': cos(k pi t)
                and sin(k pi t) for k = 1 to time_frequencies, 3 where not given.
            residual_layers: every this many hidden layers behind the first add what they were
                given to what they give. Default 0: none do.
            normalisation: 'none' where not given, or 'layer': torch.nn.LayerNorm between every
                hidden layer and its activation.
            zero_output: whether the output layer begins with zeros. Default True.
            condition_mean, condition_std: [condition_dim]: the network sees (condition - mean) /
                std; a label's are not used.
            preset: 'recommended', or 'plain', which never changes: no zero_output and no baseline.
            data: what the model will be trained on, a Source or rows [n, dim], whose moments, and
                those of its conditions, are measured.
            baseline: what the network's output is added to: 'gaussian' where not given, the
                prediction that is exact for Gaussian data, or 'none'.
        """
        context = context or default_context()
        if data is not None and not isinstance(data, Source):
            data = Source.array(data, context=context)
        if dim is None:
            if data is None:
                raise TypeError('dim is not given, and no data that would have it')
            dim = data.dim
        widths = None
        if hidden_widths is not None:
            widths = np.ascontiguousarray(hidden_widths, dtype=np.int32)
            if hidden_layers is None:
                hidden_layers = widths.size
            widths = widths.reshape(bounded('hidden_layers', hidden_layers, ctypes.c_int32))
        given = None
        if activations is not None:
            given = np.array([number_of('activations', ACTIVATIONS, name) for name in activations],
                             np.int32)
            if hidden_layers is None:
                hidden_layers = len(given)
            if len(given) != hidden_layers:
                raise shape_error(f'activations has {len(given)} names; there are '
                                  f'{hidden_layers} hidden layers')
        mean = None if data_mean is None else with_shape('data_mean', data_mean, (dim,))
        std = None if data_std is None else with_shape('data_std', data_std, (dim,))
        columns = (condition_dim or 0,)
        condition_mean = (None if condition_mean is None
                          else with_shape('condition_mean', condition_mean, columns))
        condition_std = (None if condition_std is None
                         else with_shape('condition_std', condition_std, columns))
        config = new_config(
            _library.MlpConfig, library.fmatch_mlp_config_init_sized,
            number_of('preset', PRESETS, preset), dim=dim, hidden_layers=hidden_layers,
            hidden_width=hidden_width, hidden_widths=address(widths),
            activation=number_of('activation', ACTIVATIONS, activation), seed=seed,
            data_mean=address(mean), data_std=address(std), noise=noise and noise._address,
            condition_dim=condition_dim, classes=classes, embedding_dim=embedding_dim,
            null_condition=null_condition, path=pointer_of(path),
            prediction=number_of('prediction', PREDICTIONS, prediction),
            condition_mean=address(condition_mean), condition_std=address(condition_std),
            activations=address(given),
            time_features=number_of('time_features', TIME_FEATURES, time_features),
            time_frequencies=time_frequencies, residual_layers=residual_layers,
            normalisation=number_of('normalisation', NORMALISATIONS, normalisation),
            output_init=zero_output, data=data and data._address,
            baseline=number_of('baseline', BASELINES, baseline))
        return cls(library.fmatch_model_create_mlp, context._address, byref(config),
                   kept=(context, noise, *kept_of(path)))

    @classmethod
    def closed_form(cls, target: Source, context: Optional[Context] = None) -> 'Model':
        """The exact field from N(0, I) to a Gaussian mixture source."""
        context = context or default_context()
        return cls(library.fmatch_model_create_closed_form, context._address, target._address,
                   kept=(context, target))

    @classmethod
    def callback(cls, dim: int, velocity: VelocityFunction, noise: Optional[Source] = None,
                 condition_dim: int = 0, null_condition: bool = False,
                 context: Optional[Context] = None,
                 jacobian_vector: Optional[VelocityFunction] = None) -> 'Model':
        """A field given by a function.

        Args:
            dim: columns of x.
            velocity: velocity(x, t) returns v [n, dim], or [n] in one dimension, for x [n, dim] at
                times t [n]; with condition_dim > 0, velocity(x, t, condition), where condition is
                [n, condition_dim], or None for the null condition of all rows; a row that begins
                with nan is the null condition too.
            noise: the distribution at t = 0. Default N(0, I).
            condition_dim: columns of a condition.
            null_condition: whether the condition can be left out.
            jacobian_vector: jacobian_vector(x, t, u), or (x, t, condition, u), returns v and
                (dv/dx) u, [n, dim] each, for divergences; without it these take differences.
        """
        context = context or default_context()
        function = _library.EVALUATE(guarded(_evaluating(dim, condition_dim, velocity)))
        callbacks = _library.VelocityCallbacks(struct_size=sizeof(_library.VelocityCallbacks),
                                               evaluate=function,
                                               condition_dim=bounded('condition_dim', condition_dim,
                                                                     ctypes.c_int32),
                                               null_condition=null_condition)
        if jacobian_vector is not None:
            callbacks.jacobian_vector = _library.JACOBIAN_VECTOR(
                guarded(_differentiating(dim, condition_dim, jacobian_vector)))
        return cls(library.fmatch_model_create_callback, context._address,
                   bounded('dim', dim, ctypes.c_int32), byref(callbacks), noise and noise._address,
                   kept=(context, noise, function, callbacks))

    @classmethod
    def load(cls, path: Any, context: Optional[Context] = None) -> 'Model':
        """The model of a file that save() wrote."""
        context = context or default_context()
        return cls(library.fmatch_model_load, context._address, path_bytes(path), kept=(context,))

    def save(self, path: Any) -> None:
        """Write the model to a safetensors file, from which load() gives it back.

        PyTorch reads the parameters under the same names. The model must have some, and its noise
        be the default, a normal, a Gaussian mixture or a toy. Whatever happens, `path` holds the
        former file or the whole new one.
        """
        self._call(library.fmatch_model_save, path_bytes(path))

    def load_tensors(self, path: Any, prefix: Optional[str] = None,
                     names: Optional[Mapping[str, str]] = None) -> None:
        """Replace all parameters by those of a safetensors file, such as a PyTorch state.

        Args:
            path: the file, with arrays of float32, float64, float16 or bfloat16.
            prefix: stands in the file for the "net." of our names: '' for the state of a bare
                torch.nn.Sequential, 'model.net.' for one inside a module.
            names: for some of our arrays, their whole names in the file.
        """
        ours, theirs = zip(*names.items()) if names else ((), ())
        strings = c_char_p * len(ours)
        tensor_map = _library.TensorMap(
            struct_size=sizeof(_library.TensorMap), renamed=len(ours),
            prefix=None if prefix is None else prefix.encode(),
            model_names=strings(*(name.encode() for name in ours)),
            file_names=strings(*(name.encode() for name in theirs)))
        self._call(library.fmatch_model_load_tensors, path_bytes(path), byref(tensor_map))

    def copy(self) -> 'Model':
        """An independent model with the same configuration and the present parameters."""
        return Model(library.fmatch_model_create_copy, self._address, kept=self._kept)

    def rescheduled(self, path: Optional[Path] = None) -> 'Model':
        """This model's velocity moved to the path of another schedule, without training.

        Its flow ends at the same points, with other solver errors on the way. It has no parameters
        of its own, and follows when this model is trained.

        Args:
            path: linear where not given; without noise of its own.
        """
        return Model(library.fmatch_model_create_rescheduled, self._address, pointer_of(path),
                     kept=(*self._kept, *kept_of(path)))

    @property
    def dim(self) -> int:
        """Columns of x."""
        return library.fmatch_model_get_dim(self._address)

    @property
    def noise(self) -> Source:
        """What samples begin with, in the units of the data: the source that the model was made
        with, or the normal one that it made itself."""
        return Source(lambda noise: library.fmatch_model_get_noise(self._address, noise),
                      kept=self._kept)

    @property
    def condition_dim(self) -> int:
        """Columns of a condition; 0 for a model without."""
        return library.fmatch_model_get_condition_dim(self._address)

    @property
    def count_classes(self) -> int:
        """Labels that the first column of a condition may hold; 0 if it is no label."""
        return library.fmatch_model_count_classes(self._address)

    @property
    def parameters(self) -> Parameters:
        """The parameters by name; empty for a model that has none."""
        return Parameters(self)

    @property
    def count_parameters(self) -> int:
        """Number of parameters in all."""
        return library.fmatch_model_count_parameters(self._address)

    def evaluate(self, x: Any, t: Any, condition: Any = None) -> np.ndarray:
        """The velocity v(x, t) under a condition, [n, dim].

        Args:
            x: [n, dim], or [n] in one dimension.
            t: [n], or one number for all rows.
            condition: [n, condition_dim], or [n] in one column; None: the null condition.
        """
        x, t = self._points(x, t)
        condition = conditions_of(condition, self.condition_dim, len(x))
        v = np.empty_like(x)
        self._call(library.fmatch_model_evaluate, len(x), address(x), address(t),
                   address(condition), address(v))
        return v

    def divergence(self, x: Any, t: Any, condition: Any = None,
                   divergence: Optional[Divergence] = None,
                   first_row: int = 0) -> DivergenceEstimate:
        """The divergence of v, the trace of dv/dx; x, t and condition as for evaluate.

        Args:
            divergence: how it is had. Default exactly.
            first_row: index of the first row in the stream of the probes.
        """
        x, t = self._points(x, t)
        condition = conditions_of(condition, self.condition_dim, len(x))
        values, error = np.empty((2, len(x)), np.float64)
        v = np.empty_like(x)
        self._call(library.fmatch_model_evaluate_divergence, pointer_of(divergence), len(x),
                   address(x), address(t), address(condition),
                   bounded('first_row', first_row, ctypes.c_int64), address(v), address(values),
                   address(error))
        return DivergenceEstimate(values, error, v)

    def score(self, x: Any, t: Any, condition: Any = None) -> np.ndarray:
        """The gradient of log p_t(x) that the velocity means, [n, dim]; as for evaluate, t < 1.

        Of a model with normal noise, on a path without noise of its own.
        """
        x, t = self._points(x, t)
        condition = conditions_of(condition, self.condition_dim, len(x))
        score = np.empty_like(x)
        self._call(library.fmatch_model_evaluate_score, len(x), address(x), address(t),
                   address(condition), address(score))
        return score

    def log_density(self, x: Any, t: Any = 1.0) -> np.ndarray:
        """log p_t(x) of a closed-form model, float64 [n]; x and t as for evaluate."""
        return self._density(library.fmatch_model_evaluate_log_density, x, t)

    def density(self, x: Any, t: Any = 1.0) -> np.ndarray:
        """p_t(x) of a closed-form model, float64 [n]; x and t as for evaluate."""
        return self._density(library.fmatch_model_evaluate_density, x, t)

    def irreducible_loss(self) -> Tuple[float, float]:
        """The loss that no network can go below, and its standard error; of a closed-form model."""
        loss, standard_error = c_double(), c_double()
        self._call(library.fmatch_model_evaluate_irreducible_loss, byref(loss),
                   byref(standard_error))
        return loss.value, standard_error.value

    def _points(self, x, t):
        x = rows_of('x', x, self.dim)
        return x, times_of('t', t, len(x))

    def _density(self, function, x, t):
        x, t = self._points(x, t)
        values = np.empty(len(x), np.float64)
        self._call(function, len(x), address(x), address(t), address(values))
        return values


def _given(dim, condition_dim, n, x, t, condition):
    # Copies, because the library's memory is gone when the user looks at them later.
    given = [view(x, (n, dim)).copy(), view(t, (n,)).copy()]
    if condition_dim > 0:
        given.append(view(condition, (n, condition_dim)).copy() if condition else None)
    return given


def _differentiating(dim: int, condition_dim: int, jacobian_vector: VelocityFunction):
    def fill(user, n, x, t, condition, u, *outputs):
        given = _given(dim, condition_dim, n, x, t, condition)
        values = tuple(jacobian_vector(*given, view(u, (n, dim)).copy()))
        if len(values) != 2:
            raise shape_error(f'jacobian_vector must return v and (dv/dx) u, not {len(values)} arrays')
        for output, value in zip(outputs, values):
            rows = rows_of('what jacobian_vector returned', value, dim)
            view(output, (n, dim))[:] = with_shape('what jacobian_vector returned', rows, (n, dim))
    return fill


def _evaluating(dim: int, condition_dim: int, velocity: VelocityFunction):
    def fill(user, n, x, t, condition, v):
        values = velocity(*_given(dim, condition_dim, n, x, t, condition))
        rows = rows_of('what velocity returned', values, dim)
        view(v, (n, dim))[:] = with_shape('what velocity returned', rows, (n, dim))
    return fill
