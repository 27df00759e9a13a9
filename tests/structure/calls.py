"""The library never ends the process, prints, or touches what belongs to the host program."""

import re
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import tap

FORBIDDEN = set('''
    abort assert exit _exit _Exit quick_exit atexit raise
    printf fprintf vprintf vfprintf puts putchar perror
    rand srand random srandom
    getenv secure_getenv setenv putenv setlocale
    signal sigaction longjmp setjmp
'''.split())
# The one place that may change the BLAS's threads: what fmatch_blas_set_threads calls.
RESERVED = {'openblas_set_num_threads': 'lib/compute/blas_openblas.c'}
# What a compiler puts in the place of some of them.
SYMBOLS = FORBIDDEN | {'__assert_fail', '__printf_chk', '__fprintf_chk', '__vprintf_chk',
                       '__vfprintf_chk', '_setjmp', '__longjmp_chk', 'stdout', 'stderr'}
NOT_CODE = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"', re.S)
CALL = re.compile(r'(?<![\w.>])(\w+)\s*\(')

top, library, nm = Path(sys.argv[1]), sys.argv[2], sys.argv[3]


def forbidden_calls(path):
    text = NOT_CODE.sub(lambda m: re.sub(r'[^\n]', ' ', m.group()), path.read_text('utf-8'))
    for match in CALL.finditer(text):
        reserved = RESERVED.get(match.group(1), path.relative_to(top).as_posix())
        if match.group(1) in FORBIDDEN or reserved != path.relative_to(top).as_posix():
            line = text.count('\n', 0, match.start()) + 1
            yield f'{path.relative_to(top)}:{line}: {match.group(1)}()'


def imported():
    run = subprocess.run([nm, '-D', '--undefined-only', '--format=posix', library],
                         capture_output=True, text=True, check=False)
    if run.returncode or not run.stdout:
        tap.bail_out(f'{nm} {library}: {run.stderr.strip() or "no symbols"}')
    return {line.split()[0].split('@')[0] for line in run.stdout.splitlines()}


def main():
    sources = sorted((top / 'lib').rglob('*.[ch]'))
    tap.check('no forbidden call in lib/',
              [p for path in sources for p in forbidden_calls(path)]
              + ([] if sources else ['lib/ holds no sources']))
    tap.check('no forbidden import in the shared library',
              [f'imports {name}' for name in sorted(imported() & SYMBOLS)])
    tap.done()


if __name__ == '__main__':
    main()
