"""Installs into a temporary prefix, and builds a C and a C++ program there with pkg-config alone."""

import os
import re
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import tap

top = Path(sys.argv[1])
CONSUMER = Path(__file__).with_name('consumer.c')
STRICT = ['-Wall', '-Wextra', '-Wpedantic', '-Werror']
LANGUAGES = {'C': [['gcc', 'clang'], 'c', '-std=c99'],
             'C++': [['g++', 'clang++'], 'c++', '-std=c++11']}


def run(command, **options):
    return subprocess.run([str(part) for part in command], capture_output=True, text=True,
                          check=False, **options)


def must(command, **options):
    result = run(command, **options)
    if result.returncode:
        tap.bail_out(f'{" ".join(map(str, command))}\n{result.stdout}\n{result.stderr}')
    return result.stdout


def install(folder):
    """The prefix, where a release build of the library alone is installed, and its libdir."""
    prefix, build = folder / 'prefix', folder / 'build'
    must(['meson', 'setup', build, top, f'--prefix={prefix}', '--buildtype=release',
          '-Dtests=false', '-Dexamples=false'])
    must(['meson', 'install', '-C', build])
    found = sorted(prefix.rglob('flowmatch.pc'))
    if len(found) != 1:
        tap.bail_out(f'{len(found)} files flowmatch.pc are installed; there must be one')
    return prefix, found[0].parent.parent


def pkg_config(libdir, *options, module='flowmatch'):
    environment = dict(os.environ, PKG_CONFIG_PATH=str(libdir / 'pkgconfig'))
    return shlex.split(must(['pkg-config', *options, module], env=environment))


def first_present(compilers):
    for compiler in compilers:
        try:
            if run([compiler, '--version']).returncode == 0:
                return compiler
        except FileNotFoundError:
            pass
    return tap.bail_out(f'none of {", ".join(compilers)} is installed')


def build_and_run(folder, libdir, language, static):
    """What went wrong with a program of the language, linked against the installed library."""
    compilers, kind, standard = LANGUAGES[language]
    flags = pkg_config(libdir, '--cflags', '--libs')
    if static:  # our library inside the program, the system's OpenBLAS beside it
        flags += pkg_config(libdir, '--libs', module='openblas') + ['-lm', '-pthread']
    binary = folder / 'consumer'
    build = run([first_present(compilers), standard, *STRICT, '-x', kind, CONSUMER, '-x', 'none',
                 '-o', binary, *flags])
    if build.returncode:
        return [build.stderr]
    environment = {k: v for k, v in os.environ.items() if k != 'LD_LIBRARY_PATH'}
    if not static:
        environment['LD_LIBRARY_PATH'] = str(libdir)
    result = run([binary], env=environment)
    needs_ours = 'libflowmatch' in must(['readelf', '-d', binary])
    problems = []
    if result.returncode:
        problems.append(f'status {result.returncode}: {result.stdout}{result.stderr}')
    if needs_ours == static:
        problems.append('the shared library is used' if static else 'the static library is used')
    return problems


def header_constant(name):
    text = (top / 'include' / 'flowmatch' / 'version.h').read_text(encoding='utf-8')
    return re.search(rf'^#define {name} (\d+)$', text, re.M).group(1)


def soname_problems(libdir):
    wanted = f'libflowmatch.so.{header_constant("FMATCH_ABI_VERSION")}'
    dynamic = must(['readelf', '-d', libdir / 'libflowmatch.so'])
    seen = re.search(r'Library soname: \[(.*)\]', dynamic)
    problems = []
    if not seen or seen.group(1) != wanted:
        problems.append(f'the soname is {seen and seen.group(1)}; it must be {wanted}')
    if not (libdir / wanted).exists():
        problems.append(f'{wanted} is not installed')
    return problems


def version_problems(libdir):
    wanted = '.'.join(header_constant(f'FMATCH_VERSION_{part}')
                      for part in ['MAJOR', 'MINOR', 'PATCH'])
    seen = pkg_config(libdir, '--modversion')[0]
    return [] if seen == wanted else [f'flowmatch.pc says {seen}; version.h says {wanted}']


def header_problems(prefix):
    wanted = {p.name for p in (top / 'include' / 'flowmatch').glob('*.h')} | {'flowmatch.hpp'}
    seen = {p.relative_to(prefix / 'include').as_posix()
            for p in (prefix / 'include').rglob('*') if p.is_file()}
    difference = seen ^ {f'flowmatch/{name}' for name in wanted}
    return [f'{name} is {"not " if name not in seen else ""}installed'
            for name in sorted(difference)]


def main():
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        prefix, libdir = install(folder)
        tap.check('the soname carries the ABI number', soname_problems(libdir))
        tap.check('pkg-config knows the version of the headers', version_problems(libdir))
        tap.check('the public headers are installed, and nothing else beside them',
                  header_problems(prefix))
        for language in LANGUAGES:
            tap.check(f'a {language} program with the shared library',
                      build_and_run(folder, libdir, language, static=False))
        # With the shared library gone, -lflowmatch can only be the static one.
        for path in libdir.glob('libflowmatch.so*'):
            path.unlink()
        for language in LANGUAGES:
            tap.check(f'a {language} program with the static library',
                      build_and_run(folder, libdir, language, static=True))
        tap.done()


if __name__ == '__main__':
    main()
