"""How the shared library is found, and what is said when it is not the right one."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import flowmatch
import pytest
from flowmatch import _library

PACKAGE = Path(flowmatch.__file__).parent
COMPILER = next(filter(None, map(shutil.which, ('cc', 'gcc', 'clang'))), None)


def import_with(library, folder=PACKAGE.parent):
    environment = dict(os.environ, PYTHONPATH=str(folder))
    environment.pop('FLOWMATCH_LIBRARY', None)
    if library is not None:
        environment['FLOWMATCH_LIBRARY'] = str(library)
    return subprocess.run([sys.executable, '-c',
                           'import flowmatch; print(flowmatch.library_path)'],
                          env=environment, capture_output=True, text=True, check=False)


def build(folder, functions, abi):
    source, library = folder / 'other.c', folder / 'other.so'
    source.write_text(''.join(f'int {name}(void) {{ return {abi}; }}\n' for name in functions))
    subprocess.run([COMPILER, '-shared', '-fPIC', str(source), '-o', str(library)], check=True)
    return library


def test_a_path_that_does_not_exist(tmp_path):
    run = import_with(tmp_path / 'nowhere.so')
    assert run.returncode and 'ImportError' in run.stderr
    assert str(tmp_path / 'nowhere.so') in run.stderr and 'FLOWMATCH_LIBRARY' in run.stderr


@pytest.mark.skipif(not COMPILER, reason='needs a C compiler')
def test_a_library_that_is_another(tmp_path):
    other = build(tmp_path, ['something_else'], 0)
    run = import_with(other)
    assert run.returncode and f'{other} has no function fmatch_' in run.stderr


@pytest.mark.skipif(not COMPILER, reason='needs a C compiler')
def test_a_library_with_another_interface(tmp_path):
    other = build(tmp_path, _library.FUNCTIONS, 77)
    run = import_with(other)
    assert run.returncode
    assert f'{other} has the binary interface 77' in run.stderr


def test_a_library_beside_the_package(tmp_path):
    shutil.copytree(PACKAGE, tmp_path / 'flowmatch', ignore=shutil.ignore_patterns('__pycache__'))
    beside = tmp_path / 'flowmatch' / f'libflowmatch.so.{_library.ABI_VERSION}'
    shutil.copy(os.environ['FLOWMATCH_LIBRARY'], beside)
    run = import_with(None, tmp_path)
    assert run.stdout.strip() == str(beside.resolve()), run.stderr


def test_version():
    header = (PACKAGE.parents[2] / 'include' / 'flowmatch' / 'version.h').read_text()
    numbers = [line.split()[2] for part in ('MAJOR', 'MINOR', 'PATCH')
               for line in header.splitlines() if f'#define FMATCH_VERSION_{part} ' in line]
    assert flowmatch.__version__ == '.'.join(numbers)
