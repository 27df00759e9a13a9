"""Builds and runs C++ programs over flowmatch.hpp, with each compiler and without a warning.

Arguments: the top of the tree, the shared library, what it is instrumented with (-fsanitize=), and
the compiler that built it.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import tap

top, library = Path(sys.argv[1]), Path(sys.argv[2])
sanitizers, built_by = sys.argv[3:]
HERE = Path(__file__).resolve().parent
STRICT = ['-std=c++11', '-O1', '-Wall', '-Wextra', '-Wpedantic', '-Wshadow', '-Werror']
COMPILERS = {'gcc': 'g++', 'clang': 'clang++'}
NEWEST = '-std=c++20'


def compilers():
    """All that are installed; for an instrumented library, the one whose runtime it needs."""
    names = COMPILERS.values() if sanitizers == 'none' else [COMPILERS[built_by]]
    return [name for name in names if shutil.which(name)]


def build(compiler, sources, binary, *more):
    instrumented = [] if sanitizers == 'none' else [f'-fsanitize={sanitizers}']
    command = [compiler, *STRICT, *instrumented, *more, f'-I{binary.parent}/include',
               f'-I{top}/include', *map(str, sources), '-o', str(binary), str(library),
               f'-Wl,-rpath,{library.parent}', '-pthread']
    return subprocess.run(command, capture_output=True, text=True, check=False)


def build_and_run(compiler, sources, folder, *arguments):
    """What went wrong, and what the program printed."""
    binary = folder / 'program'
    built = build(compiler, sources, binary)
    if built.returncode:
        return [built.stderr], ''
    run = subprocess.run([str(binary), *arguments], cwd=folder, capture_output=True, text=True,
                         timeout=250, check=False)
    problems = [f'it ended with {run.returncode}: {run.stdout}{run.stderr}'] * bool(run.returncode)
    return problems, run.stdout


def program_of_the_page():
    text = (top / 'doc' / 'cpp.md').read_text(encoding='utf-8')
    whole, callback = re.findall(r'^```cpp\n(.*?)^```$', text, re.M | re.S)
    return whole, callback


def page_problems(compiler, folder):
    """The page's program, with its second piece put into it."""
    whole, callback = program_of_the_page()
    before = '        fm::mlp_config net;\n'
    if whole.count(before) != 1:
        return ['the program has no place for the callback']
    source = folder / 'page.cpp'
    source.write_text('#include <cmath>\n' + whole.replace(before, callback + before),
                      encoding='utf-8')
    problems, printed = build_and_run(compiler, [source], folder)
    if problems:
        return problems
    distance = re.search(r'^W1 (\S+)$', printed, re.M)
    if printed.count('step ') != 10 or not distance or float(distance[1]) > 0.12:
        return [f'it printed: {printed}']
    return [] if (folder / 'model.safetensors').exists() else ['it saved no model']


def main():
    found = compilers()
    if not found:
        tap.bail_out(f'none of {", ".join(COMPILERS.values())} is installed')
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        include = folder / 'include' / 'flowmatch'
        include.mkdir(parents=True)
        shutil.copy(top / 'bindings' / 'cpp' / 'flowmatch.hpp', include)
        sources = [HERE / 'train_and_sample.cpp', HERE / 'second_unit.cpp']
        for compiler in found:
            tap.check(f'{compiler}: train_and_sample',
                      build_and_run(compiler, sources, folder, 'model.safetensors')[0])
            newest = build(compiler, sources, folder / 'newest', NEWEST)
            tap.check(f'{compiler}: no warning with {NEWEST}',
                      [newest.stderr] * bool(newest.returncode))
            tap.check(f'{compiler}: the program of doc/cpp.md', page_problems(compiler, folder))
    tap.done()


if __name__ == '__main__':
    main()
