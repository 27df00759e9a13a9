"""The headers, the version script and the shared library name the same functions."""

import re
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import interface
import tap

headers_folder, version_script, library, nm = sys.argv[1:]


def declared():
    return {function.name for function in interface.read(headers_folder).functions}


def listed():
    text = re.sub(r'/\*.*?\*/', ' ', Path(version_script).read_text(encoding='utf-8'), flags=re.S)
    match = re.fullmatch(r'\s*(\w+)\s*\{\s*global:(.*)local:\s*\*;\s*\};\s*', text, re.S)
    if not match:
        tap.bail_out(f'{version_script} is not one node with global names and local: *;')
    return match.group(1), {name for name in re.split(r'[;\s]+', match.group(2)) if name}


def exported(node):
    run = subprocess.run([nm, '-D', '--defined-only', '--format=posix', library],
                         capture_output=True, text=True, check=False)
    if run.returncode:
        tap.bail_out(run.stderr.strip())
    symbols = dict(line.split()[:2] for line in run.stdout.splitlines())
    names = {name.split('@')[0]: kind for name, kind in symbols.items()}
    names.pop(node, None)
    return names


def missing(names, what, where):
    return [f'{name} is {what} but not {where}' for name in sorted(names)]


def abi_version():
    text = (Path(headers_folder) / 'version.h').read_text(encoding='utf-8')
    return re.search(r'^#define FMATCH_ABI_VERSION (\d+)$', text, re.M).group(1)


def main():
    functions = declared()
    node, script = listed()
    symbols = exported(node)
    library_names = set(symbols)

    tap.check('every function of the headers is in the version script',
              missing(functions - script, 'declared', 'in the version script'))
    tap.check('every name of the version script is declared in a header',
              missing(script - functions, 'in the version script', 'declared'))
    tap.check('every function of the headers is exported',
              missing(functions - library_names, 'declared', 'exported'))
    tap.check('every exported symbol is declared in a header',
              missing(library_names - functions, 'exported', 'declared'))
    tap.check('every exported symbol is a function, defined once',
              [f'{name} is of nm type {kind}' for name, kind in sorted(symbols.items())
               if kind != 'T'])
    wanted = f'FLOWMATCH_{abi_version()}'
    tap.check('the version node carries the ABI number',
              [] if node == wanted else [f'the node is {node}; it must be {wanted}'])
    tap.done()


if __name__ == '__main__':
    main()
