"""Each public header compiles alone, as C99 and as C++11, with every compiler at hand."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import interface
import tap

STRICT = ['-pedantic', '-Wall', '-Wextra', '-Werror', '-fsyntax-only']
LANGUAGES = {
    'C99': ('c', ['gcc', 'clang'], ['-std=c99', '-Wstrict-prototypes', '-Wmissing-prototypes']),
    'C++11': ('c++', ['g++', 'clang++'], ['-std=c++11']),
}
ALLOWED = {'<stddef.h>', '<stdint.h>', '<stdbool.h>'}

include_folder = Path(sys.argv[1])
api = interface.read(include_folder / 'flowmatch')


def compile_alone(compiler, language, flags, header):
    """The compiler's complaint, or nothing. Twice included, so that the guard is tried too."""
    source = f'#include <flowmatch/{header}>\n#include <flowmatch/{header}>\n'
    command = [compiler, *flags, *STRICT, f'-I{include_folder}', '-x', language, '-']
    run = subprocess.run(command, input=source + 'typedef int not_empty;\n', capture_output=True,
                         text=True, check=False)
    return run.stderr if run.returncode else None


def forbidden_includes(header):
    text = (include_folder / 'flowmatch' / header).read_text(encoding='utf-8')
    allowed = ALLOWED | {f'"{sibling}"' for sibling in api.headers}
    return [f'{header} includes {target}' for target in
            re.findall(r'^\s*#\s*include\s*(\S+)', text, re.M) if target not in allowed]


def umbrella_gaps():
    text = (include_folder / 'flowmatch' / 'flowmatch.h').read_text(encoding='utf-8')
    return [f'flowmatch.h does not include "{header}"' for header in api.headers
            if header != 'flowmatch.h' and f'#include "{header}"' not in text]


def main():
    for standard, (language, compilers, flags) in LANGUAGES.items():
        present = [c for c in compilers if shutil.which(c)]
        tap.check(f'a compiler for {standard} is installed',
                  [] if present else [f'none of {", ".join(compilers)} is'])
        for compiler in compilers:
            name = f'each header alone as {standard} with {compiler}'
            if compiler in present:
                tap.check(name, filter(None, (compile_alone(compiler, language, flags, header)
                                              for header in api.headers)))
            else:
                tap.skip(name, f'{compiler} is not installed')

    tap.check('headers include <stddef.h>, <stdint.h>, <stdbool.h> and one another only',
              [p for header in api.headers for p in forbidden_includes(header)])
    tap.check('the umbrella includes every header', umbrella_gaps())
    tap.check('every function has a doc comment',
              [f'{f.header}: {f.name}' for f in api.functions if not f.documented])
    tap.done()


if __name__ == '__main__':
    main()
