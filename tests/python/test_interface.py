"""The package's picture of the C interface against the committed text of that interface."""

import ctypes
import re
from pathlib import Path

import pytest
from flowmatch import _errors, _library

TOP = Path(__file__).resolve().parents[2]
ABI = (TOP / 'tests' / 'abi' / 'abi.txt').read_text(encoding='utf-8')

SCALARS = {'int32_t': ctypes.c_int32, 'int64_t': ctypes.c_int64, 'uint32_t': ctypes.c_uint32,
           'uint64_t': ctypes.c_uint64, 'double': ctypes.c_double, 'float': ctypes.c_float,
           'size_t': ctypes.c_size_t, 'fmatch_status': ctypes.c_int32, 'void': None}
NOT_MIRRORED = {'fmatch_allocator'}


def structs_of_abi():
    """Name: (size, [(name, offset, size, declaration)])."""
    structs = {}
    for name, size, body in re.findall(r'^struct (\w+), (\d+) bytes\n((?:    .*\n)+)', ABI, re.M):
        fields = []
        for offset, width, declaration in re.findall(r'    (\d+)\+(\d+) (.*)', body):
            field = re.search(r'\(\*(\w+)\)\(|(\w+)(?:\[\w+\])?$', declaration)
            fields.append((field[1] or field[2], int(offset), int(width), declaration))
        structs[name] = int(size), fields
    return structs


def prototypes_of_abi():
    """Name: (result, [parameter types])."""
    prototypes = {}
    for line in ABI[ABI.index('\nfunctions\n'):].splitlines()[2:]:
        result, name, parameters = re.fullmatch(r'    (.*?)(\w+)\((.*)\)', line).groups()
        types = [] if parameters == 'void' else parameters.split(', ')
        prototypes[name] = result.strip(), types
    return prototypes


def ctypes_for(c_type):
    """What the table must say for a C type."""
    name = c_type.replace('const ', '').strip()
    if name in SCALARS:
        return SCALARS[name]
    if name == 'char *':
        return ctypes.c_char_p
    if name.endswith('**'):
        return ctypes.POINTER(ctypes.c_void_p)
    pointed = name.rstrip(' *')
    if pointed in _library.STRUCTS:
        return ctypes.POINTER(_library.STRUCTS[pointed])
    return ctypes.c_void_p


def test_abi_version():
    assert f'abi version {_library.ABI_VERSION}\n' in ABI


def test_every_struct_is_mirrored():
    assert set(_library.STRUCTS) == set(structs_of_abi()) - NOT_MIRRORED


@pytest.mark.parametrize('name', _library.STRUCTS)
def test_layout(name):
    size, fields = structs_of_abi()[name]
    mirror = _library.STRUCTS[name]
    seen = [(field, getattr(mirror, field).offset, getattr(mirror, field).size)
            for field, _ in mirror._fields_]
    assert seen == [field[:3] for field in fields]
    assert ctypes.sizeof(mirror) == size


@pytest.mark.parametrize('name', _library.STRUCTS)
def test_field_types(name):
    _, fields = structs_of_abi()[name]
    mirror = dict(_library.STRUCTS[name]._fields_)
    for field, _, _, declaration in fields:
        scalar = SCALARS.get(declaration.split()[0])
        if scalar and '*' not in declaration and '[' not in declaration:
            assert mirror[field] is scalar, declaration


def test_every_function_has_a_prototype():
    text = (TOP / 'lib' / 'flowmatch.map').read_text(encoding='utf-8')
    exported = set(re.findall(r'\b(fmatch_\w+);', text))
    assert exported and set(_library.FUNCTIONS) == exported


@pytest.mark.parametrize('name', _library.FUNCTIONS)
def test_prototype(name):
    result, parameters = prototypes_of_abi()[name]
    expected = [ctypes_for(result), *map(ctypes_for, parameters)]
    assert _library.FUNCTIONS[name] == expected
    function = getattr(_library.library, name)
    assert [function.restype, *function.argtypes] == expected


def test_every_status_has_a_class():
    statuses = dict(re.findall(r'^    (FMATCH_ERROR_\w+) = (-\d+)$', ABI, re.M))
    assert set(_errors.CLASSES) == set(statuses)
    for name, number in statuses.items():
        error = _errors.error_of(int(number), 'why')
        assert (type(error), error.name) == (_errors.CLASSES[name], name)
        assert error.status == int(number) and error.detail == 'why' and 'why' in str(error)
    assert len(set(_errors.CLASSES.values())) == len(statuses)


def test_named_numbers():
    statuses = dict(re.findall(r'^    FMATCH_ERROR_(\w+) = (-\d+)$', ABI, re.M))
    for name in ('ARGUMENT', 'SHAPE', 'CANCELLED'):
        assert getattr(_errors, name) == int(statuses[name])


@pytest.mark.parametrize('module, table, prefix', [
    ('model', 'ACTIVATIONS', 'FMATCH_ACTIVATION_'),
    ('sampler', 'SOLVERS', 'FMATCH_SOLVER_'),
    ('source', 'ORDERS', 'FMATCH_ORDER_'),
    ('context', 'INSTRUCTION_SETS', 'FMATCH_INSTRUCTION_SET_'),
    ('context', 'MATMULS', 'FMATCH_MATMUL_'),
    ('_handle', 'PRESETS', 'FMATCH_PRESET_'),
    ('settings', 'RATES', 'FMATCH_RATE_'),
    ('trainer', 'HISTORY_FORMATS', 'FMATCH_HISTORY_'),
    ('trainer', 'PUBLISH', 'FMATCH_PUBLISH_'),
])
def test_every_enumerator_has_its_name(module, table, prefix):
    numbers = {name.lower(): int(number)
               for name, number in re.findall(rf'^    {prefix}(\w+) = (\d+)$', ABI, re.M)}
    package = __import__(f'flowmatch.{module}', fromlist=[table])
    assert getattr(package, table) == numbers
