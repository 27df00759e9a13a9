"""Compares the binary interface with abi.txt: sizes, offsets, numbers and prototypes.

The compiler is asked for the numbers, through a program generated from the headers. `--update`
as the first argument rewrites abi.txt instead; a changed line there needs a new ABI number or an
entry in doc/changelog.md, as doc/abi.md says.
"""

import difflib
import re
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import interface
import tap

BASELINE = Path(__file__).with_name('abi.txt')
FIXED_WIDTH = re.compile(r'u?int(8|16|32|64)_t \w+(\[\w+\])?|(float|double) \w+(\[\w+\])?')
IS_LP64 = struct.calcsize('l') == struct.calcsize('P') == 8


def program(api):
    """C source that prints the layout, one struct or enumerator after the other."""
    lines = ['#include <flowmatch/flowmatch.h>', '#include <stdio.h>', 'int main(void)', '{',
             'printf("abi version %d\\n", FMATCH_ABI_VERSION);']
    for enum in api.enums:
        lines.append(f'printf("\\nenum {enum.name}\\n");')
        lines += [f'printf("    {name} = %d\\n", (int){name});' for name, _ in enum.enumerators]
    for record in api.structs:
        lines.append(f'printf("\\nstruct {record.name}, %zu bytes\\n", sizeof({record.name}));')
        for field in record.fields:
            lines.append(
                f'printf("    %zu+%zu %s\\n", offsetof({record.name}, {field.name}), '
                f'sizeof((({record.name} *)0)->{field.name}), "{field.declaration}");')
    return '\n'.join(lines + ['return 0;', '}', ''])


def printed_layout(api, include_folder, compiler):
    with tempfile.TemporaryDirectory() as folder:
        source, binary = Path(folder) / 'layout.c', Path(folder) / 'layout'
        source.write_text(program(api), encoding='utf-8')
        command = [*compiler, '-std=c99', f'-I{include_folder}', str(source), '-o', str(binary)]
        build = subprocess.run(command, capture_output=True, text=True, check=False)
        if build.returncode:
            tap.bail_out(f'{" ".join(command)}: {build.stderr}')
        return subprocess.run([str(binary)], capture_output=True, text=True, check=True).stdout


def describe(api, layout):
    prototypes = sorted(function.prototype for function in api.functions)
    return layout + '\nfunctions\n' + ''.join(f'    {p}\n' for p in prototypes)


def padding(layout):
    """Structs whose fields do not fill them without a hole."""
    problems, name, size, position = [], None, 0, 0
    for line in layout.splitlines() + ['']:
        head = re.fullmatch(r'struct (\w+), (\d+) bytes', line)
        field = re.fullmatch(r'    (\d+)\+(\d+) (.*)', line)
        if head:
            name, size, position = head.group(1), int(head.group(2)), 0
        elif field and name:
            offset, width = int(field.group(1)), int(field.group(2))
            if offset != position:
                problems.append(f'{name}: {offset - position} bytes of padding before '
                                f'"{field.group(3)}"')
            position = offset + width
        elif name:
            if position != size:
                problems.append(f'{name}: {size - position} bytes of padding at the end')
            name = None
    return problems


def main():
    arguments = sys.argv[1:]
    update = arguments[:1] == ['--update']
    include_folder, *compiler = arguments[update:]
    api = interface.read(Path(include_folder) / 'flowmatch')
    seen = describe(api, printed_layout(api, include_folder, compiler))

    if update:
        BASELINE.write_text(seen, encoding='utf-8')
        print(f'wrote {BASELINE.name}')
        return

    tap.check('every struct begins with uint32_t struct_size',
              [f'{s.name} begins with {s.fields[0].declaration}' for s in api.structs
               if s.fields[0].declaration != 'uint32_t struct_size'])
    tap.check('fields are fixed-width integers, float, double or pointers',
              [f'{s.name}: {f.declaration}' for s in api.structs for f in s.fields
               if not f.is_pointer and not FIXED_WIDTH.fullmatch(f.declaration)])
    tap.check('every enumerator has its number written beside it',
              [f'{e.name}: {name}' for e in api.enums for name, number in e.enumerators
               if number is None])
    tap.check('no struct has implicit padding', padding(seen))

    name = 'the binary interface is the one of abi.txt'
    if not IS_LP64:
        tap.skip(name, 'abi.txt holds for platforms with 64-bit long and pointers')
    elif not BASELINE.exists():
        tap.bail_out(f'{BASELINE.name} is missing')
    else:
        wanted = BASELINE.read_text(encoding='utf-8')
        tap.check(name, difflib.unified_diff(wanted.splitlines(), seen.splitlines(),
                                             'abi.txt', 'headers', lineterm='', n=1))
    tap.done()


if __name__ == '__main__':
    main()
