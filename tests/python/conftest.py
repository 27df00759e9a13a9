"""What the tests share: the post's problem, and networks small enough to be quick."""

import flowmatch as fm
import numpy as np
import pytest

POST_WEIGHTS, POST_MEANS, POST_STDS = [0.55, 0.45], [-0.85, 1.5], [0.65, 0.25]


@pytest.fixture
def target():
    return fm.Source.gaussian_mixture(POST_WEIGHTS, POST_MEANS, POST_STDS)


@pytest.fixture
def network():
    return fm.Model.mlp(1, hidden_layers=2, hidden_width=16, seed=3, preset='plain')


@pytest.fixture
def make_trainer(network):
    def make(target=None, **options):
        return fm.Trainer(network, fm.Adam(1e-3), target,
                          **{'batch': 32, 'seed': 5, 'preset': 'plain', **options})
    return make


@pytest.fixture
def two_columns():
    return np.arange(12, dtype=np.float32).reshape(6, 2)
