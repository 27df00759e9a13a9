"""Optimizers: how a gradient changes the parameters."""

from ctypes import byref
from typing import Optional

from . import _library
from ._handle import PRESETS, Handle, new_config, number_of
from ._library import library
from .context import Context, default_context


class Optimizer(Handle):
    """Belongs to the one trainer that is created with it."""

    _kind = 'optimizer'

    @property
    def learning_rate(self) -> float:
        """The present learning rate; a new one holds from the next step on."""
        return library.fmatch_optimizer_get_learning_rate(self._address)

    @learning_rate.setter
    def learning_rate(self, rate: float) -> None:
        self._call(library.fmatch_optimizer_set_learning_rate, rate)


class Adam(Optimizer):
    """Adam, by Kingma and Ba, or AdamW, by Loshchilov and Hutter, where there is a weight_decay. What
    is not given is as the preset has it.

    Args:
        learning_rate: 5e-3 where not given.
        beta1, beta2: decay of the moments, 0.9 and 0.999.
        epsilon: added to the root of the second moment, 1e-8.
        weight_decay: before a step parameters are multiplied by 1 - learning_rate weight_decay. 0
            where not given.
        preset: 'recommended', or 'plain', which never changes.
    """

    def __init__(self, learning_rate: Optional[float] = None, beta1: Optional[float] = None,
                 beta2: Optional[float] = None, epsilon: Optional[float] = None,
                 weight_decay: Optional[float] = None, preset: str = 'recommended',
                 context: Optional[Context] = None):
        config = new_config(_library.AdamConfig, library.fmatch_adam_config_init_sized,
                            number_of('preset', PRESETS, preset), learning_rate=learning_rate,
                            beta1=beta1, beta2=beta2, epsilon=epsilon, weight_decay=weight_decay)
        context = context or default_context()
        super().__init__(library.fmatch_optimizer_create_adam, context._address, byref(config),
                         kept=(context,))


class SGD(Optimizer):
    """Stochastic gradient descent with momentum, as in PyTorch.

    Args:
        learning_rate: 1e-2 where not given.
        momentum: 0.9 where not given.
        nesterov: whether it is Nesterov's.
        weight_decay: times the parameters, is added to the gradient. 0 where not given.
        preset: 'recommended', or 'plain', which never changes and has no momentum.
    """

    def __init__(self, learning_rate: Optional[float] = None, momentum: Optional[float] = None,
                 nesterov: bool = False, weight_decay: Optional[float] = None,
                 preset: str = 'recommended', context: Optional[Context] = None):
        config = new_config(_library.SgdConfig, library.fmatch_sgd_config_init_sized,
                            number_of('preset', PRESETS, preset), learning_rate=learning_rate,
                            momentum=momentum, nesterov=int(nesterov), weight_decay=weight_decay)
        context = context or default_context()
        super().__init__(library.fmatch_optimizer_create_sgd, context._address, byref(config),
                         kept=(context,))
