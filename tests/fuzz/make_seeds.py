"""Write the seeds of the fuzz targets: small files that are as they should be, and a few that are
not in ways that mutation is slow to find.

    make_seeds.py FOLDER      makes FOLDER/model, FOLDER/csv, FOLDER/npy and FOLDER/checkpoint
"""

import json
import struct
import sys
from pathlib import Path

SETTINGS = {'version': '1', 'kind': 'mlp', 'dim': '1', 'hidden_widths': '2', 'activation': 'gelu',
            'path': 'linear', 'prediction': 'velocity', 'noise': 'default'}
NETWORK = {'net.0.weight': [2, 2], 'net.0.bias': [2], 'net.2.weight': [1, 2], 'net.2.bias': [1]}
STANDARDISATION = {'flowmatch.data_mean': [1], 'flowmatch.data_std': [1]}
MIXTURE = {'flowmatch.noise.weights': [2], 'flowmatch.noise.means': [2, 1],
           'flowmatch.noise.stds': [2, 1]}
CSV = {'plain': '1,2\n3,4\n', 'header': 'x,y\r\n1.5,-2e-3\r\n\r\n.5,6.\r\n', 'one': '7',
       'mark': '\ufeffa\n0.1\n', 'long': '123456789012345678901234567890e-25, -0.0 \n1e38,1e-46\n',
       'short': '1,2,3\n4,5\n', 'word': 'a,b\n1,nan\n', 'blank': ' \n\t\n',
       'wide': '1' + ',1' * 2000 + '\n' + '1\n' * 2000}


def safetensors(shapes, settings, code='f', dtype='F32'):
    """All values are positive, so that they do as deviations too."""
    header, data = {}, b''
    if settings:
        header['__metadata__'] = {f'flowmatch.{key}': value for key, value in settings.items()}
    for name, shape in shapes.items():
        count = 1
        for size in shape:
            count *= size
        values = struct.pack(f'<{count}{code}', *(0.5 + 0.25 * i for i in range(count)))
        header[name] = {'dtype': dtype, 'shape': shape,
                        'data_offsets': [len(data), len(data) + len(values)]}
        data += values
    text = json.dumps(header).encode()
    return struct.pack('<Q', len(text)) + text + data


def model_seeds():
    bare = {name[len('net.'):]: shape for name, shape in NETWORK.items()}
    yield 'default', safetensors(NETWORK, SETTINGS)
    yield 'standardised', safetensors({**STANDARDISATION, **NETWORK}, SETTINGS)
    yield 'mixture', safetensors({**MIXTURE, **NETWORK},
                                 {**SETTINGS, 'noise': 'gaussian_mixture'})
    yield 'normal', safetensors(NETWORK, {**SETTINGS, 'noise': 'standard_normal'})
    yield 'linear', safetensors({'net.0.weight': [3, 4], 'net.0.bias': [3]},
                                {**SETTINGS, 'dim': '3', 'hidden_widths': ''})
    yield 'network', safetensors(
        {'net.0.weight': [2, 8], 'net.0.bias': [2], 'net.1.weight': [2], 'net.1.bias': [2],
         'net.3.weight': [2, 2], 'net.3.bias': [2], 'net.4.weight': [2], 'net.4.bias': [2],
         'net.6.weight': [1, 2], 'net.6.bias': [1], 'embedding.weight': [3, 2],
         'null_condition': [1], 'flowmatch.condition_mean': [2], 'flowmatch.condition_std': [2]},
        {**SETTINGS, 'version': '3', 'hidden_widths': '2,2', 'activations': 'silu,elu',
         'time_features': '1', 'time_frequencies': '2', 'residual_layers': '1',
         'normalisation': '1', 'output_init': '1', 'condition_dim': '2', 'classes': '2',
         'embedding_dim': '2', 'null_condition': '1'})
    yield 'state', safetensors(bare, None)
    yield 'double', safetensors(NETWORK, None, 'd', 'F64')
    yield 'half', safetensors(bare, None, 'e', 'F16')
    yield 'empty', safetensors({}, None)
    # As many cells of noise as 800 weights and 800 columns would have, but for them.
    yield 'weights', safetensors({**MIXTURE, 'net.0.weight': [1, 801], 'net.0.bias': [1],
                                  'net.2.weight': [800, 1], 'net.2.bias': [800],
                                  'flowmatch.noise.weights': [800]},
                                 {**SETTINGS, 'dim': '800', 'hidden_widths': '1',
                                  'noise': 'gaussian_mixture'})


def npy(descr, shape, data, version=1, order='False'):
    text = f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}\n".encode()
    length = struct.pack('<H' if version == 1 else '<I', len(text))
    return b'\x93NUMPY' + bytes([version, 0]) + length + text + data


def npy_seeds():
    floats = struct.pack('<6f', *range(6))
    yield 'plain', npy("'<f4'", '(2, 3)', floats)
    yield 'column', npy("'<f4'", '(6,)', floats)
    yield 'double', npy("'>f8'", '(2, 1)', struct.pack('>2d', 1, -1e300), 2)
    yield 'bytes', npy("'|u1'", '(4, 2)', bytes(8), 3)
    yield 'integers', npy("'<i8'", '(1, 2)', struct.pack('<2q', -1, 2**62))
    yield 'fortran', npy("'<f4'", '(2, 3)', floats, 1, 'True')
    yield 'records', npy("[('x', '<f4')]", '(6,)', floats)
    yield 'nan', npy("'<f4'", '(2,)', struct.pack('<2f', 1, float('nan')))


def crc64(data):
    value = 2**64 - 1
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ (0xC96C5795D7870F42 if value & 1 else 0)
    return value ^ 2**64 - 1


def checkpoint(arrays, version=1):
    data = b'\x89fmckpt\n' + struct.pack('<II', version, len(arrays))
    for name, code, values in arrays:
        head = struct.pack('<IQ', ' IQfd'.index(code), len(values))
        data += name.encode().ljust(52, b'\0') + head + struct.pack(f'<{len(values)}{code}', *values)
    return data + struct.pack('<Q', crc64(data))


# A whole one depends on every setting of a trainer: the target writes that by itself.
def checkpoint_seeds():
    yield 'none', checkpoint([])
    yield 'other', checkpoint([('model->dim', 'I', [3]), ('losses', 'd', [1, 0.5])])
    yield 'later', checkpoint([], 2)


def main():
    top = Path(sys.argv[1])
    for kind in ['model', 'csv', 'npy', 'checkpoint']:
        (top / kind).mkdir(parents=True, exist_ok=True)
    for name, data in model_seeds():
        (top / 'model' / name).write_bytes(data)
    for name, data in npy_seeds():
        (top / 'npy' / name).write_bytes(data)
    for name, data in checkpoint_seeds():
        (top / 'checkpoint' / name).write_bytes(data)
    for name, text in CSV.items():
        (top / 'csv' / name).write_bytes(text.encode())


main()
