"""Models to PyTorch and back: doc/models.md's own scripts read and write the files, and the library
and PyTorch must agree.

    pytorch_exchange.py SOURCE_ROOT EXCHANGE_MODEL
"""

import json
import os
import re
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import tap

try:
    import numpy as np
    import torch
    from torch import nn
except ImportError as error:
    # Debian's packages belong to Debian's Python, which need not be the first one of a machine.
    debian = Path('/usr/bin/python3')
    if debian.exists() and Path(sys.executable).resolve() != debian.resolve():
        os.execv(debian, [str(debian), *sys.argv])
    tap.skip('exchange with PyTorch', f'{error} (Debian: python3-torch)')
    tap.done()

try:
    import safetensors.torch
except ImportError:
    safetensors = None

root, program = Path(sys.argv[1]), sys.argv[2]
TOLERANCE = 1e-6  # of the scale of a velocity
ROWS = 500
ACTIVATIONS = ['gelu', 'gelu_tanh', 'relu', 'silu', 'tanh', 'elu', 'selu', 'softplus']
NETWORKS = [(1, [64, 64]), (5, [17, 9, 33]), (2, []), (3, [1])]  # dim, widths


def documented_scripts():
    """What a reader gets who copies the page's Python into one file."""
    page = (root / 'doc' / 'models.md').read_text(encoding='utf-8')
    blocks = re.findall(r'^```python\n(.*?)^```$', page, re.M | re.S)
    definitions = [block for block in blocks if 'def ' in block]
    names = {}
    exec(compile('\n'.join(definitions), 'doc/models.md', 'exec'), names)
    return names


def library(*arguments, rows=None):
    """The program's output as floats."""
    result = subprocess.run([program, *map(str, arguments)], capture_output=True, check=False,
                            input=None if rows is None else rows.astype('<f4').tobytes())
    if result.returncode != 0:
        raise RuntimeError(f'{arguments}: {result.stderr.decode()}')
    return np.frombuffer(result.stdout, '<f4')


def make_rows(dim):
    generator = np.random.default_rng(dim)
    rows = generator.uniform(-3, 3, (ROWS, 1 + dim))
    rows[:, 0] = generator.uniform(0, 1, ROWS)
    return rows.astype('<f4')


def scale_of(net, inputs):
    """Of each output column, the largest sum of its terms' magnitudes: an output may be a small
    difference of large terms, and what rounding does is in proportion to the terms."""
    hidden = net[:-1](inputs).abs()
    return (hidden @ net[-1].weight.abs().T + net[-1].bias.abs()).amax(0).numpy()


def difference(what, seen, wanted, scale):
    """Nothing when all are within the tolerance of each other; else what was seen."""
    wanted = wanted.numpy()
    if seen.size != wanted.size:
        return [f'{what}: {seen.size} values instead of {wanted.size}']
    error = (np.abs(seen.reshape(wanted.shape) - wanted) / scale).max()
    worst[0] = max(worst[0], error)
    return [] if error <= TOLERANCE else [f'{what}: differs by {error:.3g} of its scale']


def to_pytorch(doc, activation, dim, widths, scaled, folder):
    path, rows = folder / 'model', make_rows(dim)
    library('save', path, activation, dim, int(scaled), *widths)
    loaded = doc['load_network'](path)
    # In double, so that the difference is the library's rounding alone.
    net, mean, std = loaded = [part.double() for part in loaded]
    t, x = torch.from_numpy(rows[:, :1]).double(), torch.from_numpy(rows[:, 1:]).double()
    scale = std.numpy() * scale_of(net, torch.cat([t, (x - mean) / std], 1))
    what = f'{ACTIVATIONS[activation]}, dim {dim}, {widths}, scaled {scaled}'
    problems = [] if scaled == (mean.ndim == 1) else [f'{what}: data_mean is {mean}']
    seen = library('evaluate', path, rows=rows)
    return problems + difference(what, seen, doc['velocity'](loaded, t, x), scale)


def make_network(doc, activation, dim, widths):
    torch.manual_seed(dim + 10 * activation)
    sizes, layers = [1 + dim, *widths, dim], []
    for inputs, outputs in zip(sizes, sizes[1:]):
        layers += [nn.Linear(inputs, outputs), doc['ACTIVATIONS'][ACTIVATIONS[activation]]()]
    return nn.Sequential(*layers[:-1])


def from_state(path, prefix, net, activation, dim, widths, what):
    rows, net = make_rows(dim), net.double()
    inputs = torch.from_numpy(rows).double()
    seen = library('evaluate_state', path, prefix, activation, dim, 0, *widths, rows=rows)
    return difference(what, seen, net(inputs), scale_of(net, inputs))


def from_pytorch(doc, activation, dim, widths, prefix, folder):
    path = folder / 'state'
    net = make_network(doc, activation, dim, widths)
    doc['write_safetensors'](path, {prefix + name: values
                                    for name, values in net.state_dict().items()})
    return from_state(path, prefix, net, activation, dim, widths,
                      f'{ACTIVATIONS[activation]}, dim {dim}, {widths}, prefix {prefix!r}')


RAW = {torch.float64: ('F64', torch.int64), torch.float32: ('F32', torch.int32),
       torch.float16: ('F16', torch.int16), torch.bfloat16: ('BF16', torch.int16)}


def write_bits(path, state):
    """As safetensors stores them: each tensor in its own type."""
    header, data = {}, b''
    for name, values in state.items():
        dtype, integers = RAW[values.dtype]
        raw = values.contiguous().view(integers).numpy().tobytes()
        header[name] = {'dtype': dtype, 'shape': list(values.shape),
                        'data_offsets': [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack('<Q', len(text)) + text + data)


def from_type(doc, dtype, folder):
    net = make_network(doc, 0, 2, [20, 20]).to(dtype)
    write_bits(folder / 'typed', net.state_dict())
    return from_state(folder / 'typed', '', net, 0, 2, [20, 20], str(dtype))


def every_half(dtype, folder):
    """The library reads each of the 2^16 bit patterns that is finite as PyTorch does: as weights of
    a network without hidden layers, whose columns unit vectors pick out exactly."""
    values = torch.arange(-2**15, 2**15).to(torch.int16).view(dtype)
    values = values[torch.isfinite(values.float())]
    weight = torch.zeros(255 * 256, dtype=dtype)
    weight[:len(values)] = values
    weight = weight.reshape(255, 256)
    write_bits(folder / 'half', {'0.weight': weight, '0.bias': torch.zeros(255, dtype=dtype)})
    seen = library('evaluate_state', folder / 'half', '', 0, 255, 0, rows=np.eye(256))
    wanted = weight.float().numpy().T.ravel()
    wrong = np.flatnonzero(seen != wanted)
    return [f'{dtype}: {len(values)} numbers, {wanted[i]!r} is read as {seen[i]!r}'
            for i in wrong[:5]]


def real_package_reads(doc, folder):
    """The safetensors package sees in our files what the page's script sees."""
    library('save', folder / 'model', 0, 5, 1, 7, 9)
    arrays, metadata = doc['read_safetensors'](folder / 'model')
    theirs = safetensors.torch.load_file(folder / 'model')
    problems = []
    if sorted(theirs) != sorted(arrays):
        problems.append(f'{sorted(theirs)} instead of {sorted(arrays)}')
    problems += [f'{name} differs' for name in arrays
                 if name in theirs and not np.array_equal(theirs[name].numpy(), arrays[name])]
    with safetensors.safe_open(folder / 'model', 'pt') as file:
        if file.metadata() != metadata:
            problems.append(f'metadata {file.metadata()} instead of {metadata}')
    return problems


def real_package_writes(doc, folder):
    problems = []
    for dtype in RAW:
        net = make_network(doc, 0, 2, [20, 20]).to(dtype)
        safetensors.torch.save_file(net.state_dict(), folder / 'theirs', {'format': 'pt'})
        problems += from_state(folder / 'theirs', '', net, 0, 2, [20, 20],
                               f'saved by safetensors as {dtype}')
    return problems


def attempt(name, check, cases):
    problems = []
    for case in cases:
        try:
            problems += check(*case)
        except Exception as error:  # of whichever kind, it is this case's result
            problems.append(f'{case[1:-1]}: {type(error).__name__}: {error}')
    tap.check(name, problems)


def main():
    doc = documented_scripts()
    nets = [(activation, dim, widths) for activation in range(len(ACTIVATIONS))
            for dim, widths in NETWORKS]
    with tempfile.TemporaryDirectory() as name, torch.no_grad():
        folder = Path(name)
        attempt('models read by the script of the documentation', to_pytorch,
                [(doc, *net, scaled, folder) for net in nets for scaled in (False, True)])
        attempt('states written by the script of the documentation', from_pytorch,
                [(doc, *net, prefix, folder) for net in nets for prefix in ('', 'net.', 'a.b.')])
        attempt('states of every type', from_type, [(doc, dtype, folder) for dtype in RAW])
        attempt('every half-precision number', every_half,
                [(dtype, folder) for dtype in (torch.float16, torch.bfloat16)])
        title = 'the safetensors package reads and writes the same'
        if safetensors:
            attempt(f'{title}: reads', real_package_reads, [(doc, folder)])
            attempt(f'{title}: writes', real_package_writes, [(doc, folder)])
        else:
            tap.skip(title, 'Python has no package safetensors')
    print(f'# the largest difference was {worst[0]:.3g} of the scale')


worst = [0.0]
main()
tap.done()
