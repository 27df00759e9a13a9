"""Conditions and guidance."""

import numpy as np
import pytest

import flowmatch as fm


@pytest.fixture
def model():
    return fm.Model.mlp(2, hidden_layers=1, hidden_width=8, condition_dim=2, classes=3,
                        embedding_dim=4, null_condition=True, seed=5, preset='plain')


X = np.array([[0.5, -1], [2, 0], [1, 1]], np.float32)
CONDITION = np.array([[0, 0.25], [2, -1], [np.nan, 0]], np.float32)


def test_parameters_have_torchs_shapes(model):
    assert model.condition_dim == 2 and model.count_classes == 3
    assert model.parameters.shape('net.0.weight') == (8, 1 + 2 + 4 + 1)
    assert model.parameters.shape('embedding.weight') == (4, 4)
    assert model.parameters.shape('null_condition') == (1,)


def test_the_null_condition_is_none_or_nan(model):
    v = model.evaluate(X, 0.5, CONDITION)
    null = model.evaluate(X, 0.5)
    assert np.array_equal(v[2], null[2])
    assert not np.allclose(v[:2], null[:2])
    one_for_all = model.evaluate(X, 0.5, CONDITION[0])
    assert np.array_equal(one_for_all[0], v[0])


def test_a_shape_that_does_not_fit_is_refused(model):
    with pytest.raises(fm.ShapeError, match='condition'):
        model.evaluate(X, 0.5, CONDITION[:, :1])
    with pytest.raises(fm.ShapeError, match='condition'):
        model.evaluate(X, 0.5, CONDITION[:2])
    with pytest.raises(ValueError, match='label'):
        model.evaluate(X, 0.5, [7, 0])
    with pytest.raises(ValueError, match='no condition'):
        fm.Model.mlp(2).evaluate(X, 0.5, CONDITION)


def test_guidance_in_both_conventions(model):
    plain = fm.Sampler(model, solver='euler', steps=1)
    scale = fm.Sampler(model, solver='euler', steps=1, guidance_scale=3)
    weight = fm.Sampler(model, solver='euler', steps=1, guidance_weight=2)
    v, null = plain.integrate(X, CONDITION) - X, plain.integrate(X) - X
    assert np.allclose(scale.integrate(X, CONDITION) - X, null + 3 * (v - null), atol=1e-5)
    assert np.array_equal(scale.integrate(X, CONDITION), weight.integrate(X, CONDITION))
    assert (plain.count_evaluations, scale.count_evaluations) == (1, 2)
    late = fm.Sampler(model, solver='euler', steps=1, guidance_scale=3, guidance_interval=(0.5, 1))
    assert np.array_equal(late.integrate(X, CONDITION), plain.integrate(X, CONDITION))
    with pytest.raises(TypeError):
        fm.Sampler(model, guidance_scale=1, guidance_weight=1)


def test_samples_take_conditions(model):
    sampler = fm.Sampler(model, steps=3)
    samples = sampler.draw(3, seed=1, condition=CONDITION)
    assert np.array_equal(sampler.draw(1, seed=1, first_row=1, condition=CONDITION[1:2])[0],
                          samples[1])
    assert np.array_equal(sampler.draw_trajectory(3, seed=1, condition=CONDITION)[-1], samples)


def test_functions_get_the_condition():
    def velocity(x, t, condition):
        return np.full_like(x, 9) if condition is None else condition

    model = fm.Model.callback(2, velocity, condition_dim=2, null_condition=True)
    assert np.array_equal(model.evaluate(X, 0, [1, 2]), [[1, 2]] * 3)
    assert np.array_equal(model.evaluate(X, 0), np.full((3, 2), 9))
