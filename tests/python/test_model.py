import json
import math
import struct

import flowmatch as fm
import numpy as np
import pytest

erf = np.vectorize(math.erf)


def gelu_network(parameters, x, t):
    """The network in float64, from its parameters."""
    h = np.concatenate([np.reshape(t, (-1, 1)), x], axis=1).astype(np.float64)
    names = sorted({name.rsplit('.', 1)[0] for name in parameters},
                   key=lambda name: int(name.split('.')[1]))
    for name in names:
        h = h @ parameters[name + '.weight'].T.astype(np.float64) + parameters[name + '.bias']
        if name != names[-1]:
            h = h * 0.5 * (1 + erf(h / math.sqrt(2)))
    return h


def safetensors(arrays, metadata=None):
    header, data = {}, b''
    if metadata:
        header['__metadata__'] = metadata
    for name, array in arrays.items():
        content = np.ascontiguousarray(array, '<f4').tobytes()
        header[name] = {'dtype': 'F32', 'shape': list(array.shape),
                        'data_offsets': [len(data), len(data) + len(content)]}
        data += content
    text = json.dumps(header).encode()
    return struct.pack('<Q', len(text)) + text + data


def read_safetensors(path):
    content = path.read_bytes()
    size, = struct.unpack_from('<Q', content)
    header = json.loads(content[8:8 + size])
    header.pop('__metadata__', None)
    return {name: np.frombuffer(content[8 + size:][slice(*entry['data_offsets'])], '<f4')
            .reshape(entry['shape']) for name, entry in header.items()}


def test_network_agrees_with_numpy():
    model = fm.Model.mlp(3, hidden_widths=[7, 5], seed=11, preset='plain')
    x = np.random.default_rng(1).normal(size=(20, 3))
    t = np.linspace(0, 1, 20)
    v = model.evaluate(x, t)
    assert v.shape == (20, 3) and v.dtype == np.float32
    np.testing.assert_allclose(v, gelu_network(model.parameters, x, t), atol=1e-6)


def norm_of(h, gain, bias):
    h = h - h.mean(1, keepdims=True)
    return gain * h / np.sqrt((h ** 2).mean(1, keepdims=True) + 1e-5) + bias


def test_a_network_of_everything_agrees_with_numpy():
    """Two frequencies, layer normalisation, a block of two layers, three activations."""
    activations = {'silu': lambda z: z / (1 + np.exp(-z)), 'tanh': np.tanh,
                   'relu': lambda z: np.maximum(z, 0)}
    model = fm.Model.mlp(2, hidden_widths=[6, 4, 6], activations=list(activations),
                         time_features='fourier', time_frequencies=2, residual_layers=2,
                         normalisation='layer', condition_dim=1, condition_mean=[3],
                         condition_std=[0.5], seed=7, preset='plain')
    p = model.parameters
    generator = np.random.default_rng(3)
    p.update({name: generator.normal(size=p.shape(name)) for name in p})
    x, t = generator.normal(size=(9, 2)), np.linspace(0, 1, 9)
    condition = generator.normal(size=(9, 1))
    h = np.column_stack([np.cos(np.pi * t), np.sin(np.pi * t), np.cos(2 * np.pi * t),
                         np.sin(2 * np.pi * t), x, (condition - 3) / 0.5])
    kept = None
    for layer, activate in enumerate(activations.values()):
        linear, norm = f'net.{3 * layer}', f'net.{3 * layer + 1}'
        z = h @ p[linear + '.weight'].T.astype(float) + p[linear + '.bias']
        h = activate(norm_of(z, p[norm + '.weight'], p[norm + '.bias']))
        kept = h if layer == 0 else kept
    wanted = (h + kept) @ p['net.9.weight'].T + p['net.9.bias']
    np.testing.assert_allclose(model.evaluate(x, t, condition), wanted, rtol=1e-4, atol=2e-5)


def test_an_output_of_zeros():
    model = fm.Model.mlp(2, zero_output=True, preset='plain')
    assert not model.evaluate([[1, 2]], 0.5).any()
    assert fm.Model.mlp(2, preset='plain').evaluate([[1, 2]], 0.5).all()
    assert fm.Model.mlp(2, zero_output=False, baseline='none').evaluate([[1, 2]], 0.5).all()


def test_one_time_for_all_rows(network):
    x = [-1.0, 0.0, 2.0]
    assert np.array_equal(network.evaluate(x, 0.25), network.evaluate(x, [0.25] * 3))


def test_standardisation_is_undone():
    plain = fm.Model.mlp(2, seed=4, preset='plain')
    mean, std = np.float32([1, -2]), np.float32([0.5, 4])
    scaled = fm.Model.mlp(2, seed=4, data_mean=mean, data_std=std, preset='plain')
    x = np.random.default_rng(2).normal(size=(10, 2)).astype(np.float32)
    np.testing.assert_allclose(scaled.evaluate(mean + std * x, 0.5), std * plain.evaluate(x, 0.5),
                               rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(fm.Sampler(scaled).draw(5, seed=1),
                               mean + std * fm.Sampler(plain).draw(5, seed=1), rtol=1e-4, atol=1e-4)


def test_data_gives_dim_and_moments():
    rows = np.random.default_rng(3).normal([5, -1], [3, 0.2], size=(500, 2)).astype(np.float32)
    mean, std = rows.mean(0, dtype=np.float64), rows.std(0, dtype=np.float64)
    wanted = fm.Model.mlp(2, seed=4, data_mean=mean, data_std=std, preset='plain')
    for data in rows, fm.Source.array(rows):
        model = fm.Model.mlp(data=data, seed=4, preset='plain')
        assert model.dim == 2
        np.testing.assert_allclose(model.evaluate(rows, 0.5), wanted.evaluate(rows, 0.5), rtol=1e-4,
                                   atol=1e-5)
    with pytest.raises(fm.ShapeError, match='config->data has 2 columns; config->dim is 3'):
        fm.Model.mlp(3, data=rows)
    with pytest.raises(TypeError, match='dim'):
        fm.Model.mlp(seed=1)


@pytest.mark.parametrize('settings', [{'preset': 'recommended'}, {
    'preset': 'plain', 'baseline': 'gaussian', 'zero_output': True}])
def test_an_untrained_network_with_a_baseline_is_a_gaussian(settings):
    rows = np.random.default_rng(3).normal([5, -1, 7], [3, 0.2, 0], size=(500, 3))
    rows = rows.astype(np.float32)
    model = fm.Model.mlp(data=rows, **settings)
    mean, std = rows.mean(0), rows.std(0)
    t = 0.3
    gain = (t - 0.7) / (t * t + 0.7 * 0.7)
    wanted = gain * (rows[:, :2] - mean[:2])  # m - a is 0 with the default noise
    np.testing.assert_allclose(model.evaluate(rows, t)[:, :2], wanted, atol=1e-4)
    samples = fm.Sampler(model, steps=50).draw(4000, seed=1)
    np.testing.assert_allclose(samples.mean(0), mean, atol=0.3)
    np.testing.assert_allclose(samples.std(0)[:2], std[:2], rtol=0.1)
    np.testing.assert_allclose(samples[:, 2], 7, atol=1e-5)
    with pytest.raises(ValueError, match='baseline'):
        fm.Model.mlp(3, baseline='linear')


@pytest.mark.parametrize('x, t, velocity', [(0.8, 0.8, 2.1348014821), (-1.5, 0.8, -1.2145618557),
                                            (0.8, 0.5, 1.0404827557), (0.2, 0.9, -0.0818648724)])
def test_closed_form(target, x, t, velocity):
    model = fm.Model.closed_form(target)
    assert model.evaluate([x], t)[0, 0] == pytest.approx(velocity, abs=2e-6)


def test_closed_form_density_and_loss(target):
    model = fm.Model.closed_form(target)
    assert model.density([0.8], 0.8)[0] == pytest.approx(0.2450582576, rel=1e-5)
    grid = np.linspace(-6, 6, 4001)
    assert np.trapz(model.density(grid), grid) == pytest.approx(1, abs=1e-4)
    np.testing.assert_allclose(np.exp(model.log_density(grid, 0.3)), model.density(grid, 0.3))
    loss, error = model.irreducible_loss()
    assert loss == pytest.approx(1.8367658345, abs=1e-7) and error == 0
    with pytest.raises(fm.UnsupportedError):
        fm.Model.mlp(1).density([0.0])


def test_callback_model():
    rotation = np.array([[0, -1], [1, 0]])
    seen = []

    def velocity(x, t):
        seen.append((x, t))
        return x @ rotation.T * (math.pi / 2)
    model = fm.Model.callback(2, velocity)
    assert len(model.parameters) == 0 and model.count_parameters == 0
    turned = fm.Sampler(model, solver='rk4', steps=20).integrate([[1, 0], [0, 2]])
    np.testing.assert_allclose(turned, [[0, 1], [-2, 0]], atol=1e-5)
    x, t = seen[0]
    assert np.array_equal(x, [[1, 0], [0, 2]]) and np.array_equal(t, [0, 0])
    with pytest.raises(fm.ShapeError, match=r'what velocity returned has shape \(3, 2\)'):
        fm.Model.callback(2, lambda x, t: np.zeros((3, 2))).evaluate(np.zeros((4, 2)), 0)


def test_a_model_has_its_noise():
    given = fm.Source.callback(1, lambda random, first, n: 5 + random.uniform(n))
    noise = fm.Model.callback(1, lambda x, t: x, noise=given).noise
    np.testing.assert_array_equal(noise.draw(9, seed=3), given.draw(9, seed=3))
    mean, std = fm.Model.mlp(2, data_mean=[10, -2], data_std=[3, 0.25]).rescheduled().noise.moments()
    assert list(mean) == [10, -2] and list(std) == [3, 0.25]


def test_noise_of_a_model():
    noise = fm.Source.gaussian_mixture([1], [100], [0.1])
    model = fm.Model.callback(1, lambda x, t: np.zeros_like(x), noise=noise)
    x = fm.Sampler(model, steps=1).draw(1000)
    assert x.mean() == pytest.approx(100, abs=0.1)


def test_parameters_are_a_mapping():
    model = fm.Model.mlp(2, hidden_layers=1, hidden_width=4, seed=0, preset='plain')
    parameters = model.parameters
    assert {name: array.shape for name, array in parameters.items()} == {
        'net.0.weight': (4, 3), 'net.0.bias': (4,), 'net.2.weight': (2, 4), 'net.2.bias': (2,)}
    assert len(parameters) == 4 and 'net.1.weight' not in parameters
    assert model.count_parameters == 12 + 4 + 8 + 2

    parameters['net.2.bias'] = [5, -5]
    assert np.array_equal(model.parameters['net.2.bias'], [5, -5])
    before = model.evaluate([[0, 0]], 0)
    parameters.update({'net.2.bias': np.array([6.0, -5.0])})
    np.testing.assert_allclose(model.evaluate([[0, 0]], 0) - before, [[1, 0]], atol=1e-6)

    other = fm.Model.mlp(2, hidden_layers=1, hidden_width=4, seed=9, preset='plain')
    other.parameters.update(parameters)
    assert np.array_equal(other.evaluate([[1, 2]], 0.3), model.evaluate([[1, 2]], 0.3))


def test_parameters_misuse():
    parameters = fm.Model.mlp(2, hidden_layers=1, hidden_width=4).parameters
    with pytest.raises(KeyError):
        parameters['net.7.weight']
    with pytest.raises(ValueError, match='read-only'):
        parameters['net.0.bias'][0] = 1
    with pytest.raises(fm.ShapeError, match=r'net.0.weight has shape \(3, 4\).*\(4, 3\)'):
        parameters['net.0.weight'] = np.zeros((3, 4))
    with pytest.raises(fm.NotFiniteError):
        parameters['net.0.bias'] = [np.nan] * 4
    before = dict(parameters)
    with pytest.raises(KeyError):
        parameters.update({'net.0.bias': np.zeros(4), 'nothing': np.zeros(4)})
    assert np.array_equal(parameters['net.0.bias'], before['net.0.bias'])


def test_copy_is_independent(network):
    copy = network.copy()
    assert np.array_equal(copy.evaluate([1.0], 0.5), network.evaluate([1.0], 0.5))
    network.parameters['net.0.bias'] = np.ones(16)
    assert not np.array_equal(copy.evaluate([1.0], 0.5), network.evaluate([1.0], 0.5))
    shared = fm.Model.callback(1, lambda x, t: x + 1).copy()
    assert shared.evaluate([1.0], 0)[0, 0] == 2


def test_rescheduled_is_the_field_of_the_other_path(target):
    """At 1/2 the cosine path has noise and data alike, as the linear one, at sqrt(2) times its x;
    there that scale s is largest, and dt/dr = (pi / 2) / s^2."""
    linear = fm.Model.closed_form(target)
    cosine = linear.rescheduled(fm.Path('cosine'))
    x = np.linspace(-2, 2, 9)[:, None]
    pace = np.pi / 4
    np.testing.assert_allclose(cosine.evaluate(np.sqrt(2) * x, 0.5),
                               np.sqrt(2) * pace * linear.evaluate(x, 0.5), atol=2e-6)
    np.testing.assert_allclose(cosine.divergence(np.sqrt(2) * x, 0.5).divergence,
                               pace * linear.divergence(x, 0.5).divergence, atol=1e-5)


def test_rescheduled_keeps_what_it_needs(network):
    def growing(t):
        return t, 1 - t, np.ones_like(t), -np.ones_like(t)

    x, wanted = np.linspace(-1, 1, 5)[:, None], network.copy()
    model = network.copy().rescheduled(fm.Path('callback', schedule=growing)).copy()
    assert not model.parameters
    np.testing.assert_allclose(model.evaluate(x, 0.3), wanted.evaluate(x, 0.3), atol=1e-6)
    with pytest.raises(fm.UnsupportedError, match='noise of its own'):
        network.rescheduled(fm.Path('linear', noise=0.1))


def test_save_and_load_keep_every_bit(tmp_path):
    model = fm.Model.mlp(2, hidden_widths=[9, 8], activation='silu', seed=6, data_mean=[1, 2],
                         data_std=[3, 4])
    model.save(tmp_path / 'model.safetensors')
    loaded = fm.Model.load(tmp_path / 'model.safetensors')
    assert loaded.dim == 2 and list(loaded.parameters) == list(model.parameters)
    for name in model.parameters:
        assert np.array_equal(loaded.parameters[name], model.parameters[name]), name
    assert np.array_equal(fm.Sampler(loaded).draw(100, seed=3), fm.Sampler(model).draw(100, seed=3))


def test_a_saved_file_holds_the_parameters(tmp_path, network):
    network.save(tmp_path / 'model.safetensors')
    arrays = read_safetensors(tmp_path / 'model.safetensors')
    assert set(arrays) == set(network.parameters)
    for name, array in arrays.items():
        assert np.array_equal(array, network.parameters[name]), name


@pytest.mark.parametrize('prefix', [None, '', 'model.field.'])
def test_load_tensors_with_a_prefix(tmp_path, network, prefix):
    wanted = {name: np.full_like(array, i) for i, (name, array) in
              enumerate(network.parameters.items())}
    written = 'net.' if prefix is None else prefix
    (tmp_path / 'state').write_bytes(safetensors(
        {written + name[len('net.'):]: array for name, array in wanted.items()}))
    network.load_tensors(tmp_path / 'state', prefix=prefix)
    for name, array in wanted.items():
        assert np.array_equal(network.parameters[name], array), name


def test_load_tensors_with_names(tmp_path, network):
    arrays = {name: np.full_like(array, 0.5) for name, array in network.parameters.items()}
    arrays['first/w'] = arrays.pop('net.0.weight')
    arrays['first/b'] = arrays.pop('net.0.bias')
    (tmp_path / 'state').write_bytes(safetensors(arrays))
    before = dict(network.parameters)
    with pytest.raises(fm.FileFormatError, match='net.0'):
        network.load_tensors(tmp_path / 'state')
    assert all(np.array_equal(network.parameters[name], before[name]) for name in before)
    network.load_tensors(tmp_path / 'state', names={'net.0.weight': 'first/w',
                                                    'net.0.bias': 'first/b'})
    assert np.all(network.parameters['net.0.weight'] == 0.5)


def test_load_of_a_damaged_file(tmp_path, network):
    network.save(tmp_path / 'model.safetensors')
    content = (tmp_path / 'model.safetensors').read_bytes()
    (tmp_path / 'model.safetensors').write_bytes(content[:-1])
    with pytest.raises(fm.FileFormatError):
        fm.Model.load(tmp_path / 'model.safetensors')
    with pytest.raises(fm.FileError, match='nowhere'):
        fm.Model.load(tmp_path / 'nowhere')
    with pytest.raises(fm.UnsupportedError):
        fm.Model.callback(1, lambda x, t: x).save(tmp_path / 'callback')


@pytest.mark.parametrize('make, error, message', [
    (lambda: fm.Model.mlp(0), fm.ArgumentError, 'dim is 0'),
    (lambda: fm.Model.mlp(1, hidden_width=-3), fm.ArgumentError, 'hidden_width is -3'),
    (lambda: fm.Model.mlp(1, hidden_layers=2, hidden_widths=[3]), ValueError, 'reshape'),
    (lambda: fm.Model.mlp(1, activation='swish'), fm.ArgumentError, "'swish'.*'silu'"),
    (lambda: fm.Model.mlp(1, preset='best'), fm.ArgumentError, "'best'"),
    (lambda: fm.Model.mlp(1, hidden_widths=[2, 3], residual_layers=1), fm.ArgumentError,
     r'hidden_widths\[0\] is 2 .*hidden_widths\[1\] is 3'),
    (lambda: fm.Model.mlp(1, hidden_layers=2, activations=['elu']), fm.ShapeError, '1 names'),
    (lambda: fm.Model.mlp(1, activations=['elu', 'mish']), fm.ArgumentError, "'mish'"),
    (lambda: fm.Model.mlp(1, time_features='sine'), fm.ArgumentError, "'sine'.*'fourier'"),
    (lambda: fm.Model.mlp(1, time_frequencies=3), fm.ArgumentError, 'time_frequencies is 3'),
    (lambda: fm.Model.mlp(1, normalisation='batch'), fm.ArgumentError, "'batch'.*'layer'"),
    (lambda: fm.Model.mlp(1, condition_dim=2, condition_std=[1]), fm.ShapeError, 'condition_std'),
    (lambda: fm.Model.mlp(1, condition_dim=1, condition_std=[0]), fm.ArgumentError,
     r'condition_std\[0\] is 0'),
    (lambda: fm.Model.mlp(1, seed=-1), fm.ArgumentError, 'seed is -1'),
    (lambda: fm.Model.mlp(2, data_mean=[0]), fm.ShapeError, r'data_mean has shape \(1,\)'),
    (lambda: fm.Model.mlp(2, noise=fm.Source.normal(3)), fm.ShapeError, ''),
    (lambda: fm.Model.closed_form(fm.Source.array([1.0])), fm.UnsupportedError, 'target'),
    (lambda: fm.Model.mlp(2).evaluate([1.0], 0), fm.ShapeError, r'x has shape \(1,\).*\(n, 2\)'),
    (lambda: fm.Model.mlp(1).evaluate([[1, 2]], 0), fm.ShapeError, r'x has shape \(1, 2\)'),
    (lambda: fm.Model.mlp(1).evaluate(1.0, 0), fm.ShapeError, r'x has shape \(\)'),
    (lambda: fm.Model.mlp(1).evaluate([1, 2], [0]), fm.ShapeError, r't has shape \(1,\).*\(2,\)'),
    (lambda: fm.Model.mlp(1).evaluate([np.nan], 0), fm.NotFiniteError, 'row 0'),
])
def test_misuse(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_no_rows(network):
    assert network.evaluate(np.zeros((0, 1)), 0).shape == (0, 1)
