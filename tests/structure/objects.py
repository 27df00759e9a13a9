"""Nothing global is mutable: the library's objects hold no data that can change, no initialisers."""

import re
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import tap

library, objdump, sanitized = sys.argv[1], sys.argv[2], sys.argv[3]

# .data.rel.ro is written once by the loader and read-only then; .tdata and .tbss are a thread's own.
MUTABLE = re.compile(r'(\.data|\.bss|\.ldata|\.lbss|COMMON|\*COM\*)(?!\.rel\.ro)')
INITIALISERS = re.compile(r'\.(init_array|ctors|preinit_array|fini_array|dtors)\b')


def lines(option):
    run = subprocess.run([objdump, option, '--wide', library], capture_output=True, text=True,
                         check=False)
    if run.returncode or 'file format' not in run.stdout:
        tap.bail_out(f'{objdump} {option} {library}: {run.stderr.strip() or "no objects"}')
    member = ''
    for line in run.stdout.splitlines():
        if 'file format' in line:
            member = Path(line.split(':')[0]).name
        yield member, line


def symbols():
    """(object file, section, size, name) of every symbol; its type is one of seven flag columns."""
    for member, line in lines('--syms'):
        match = re.fullmatch(r'[0-9a-f]+ (.{7}) (\S+)\s+([0-9a-f]+) (?:\.\w+ )?(.+)', line)
        if match:
            flags, section, size, name = match.groups()
            yield member, flags, section, int(size, 16), name


def main():
    if sanitized == 'sanitized':
        tap.skip('no mutable data', 'a sanitizer adds data of its own')
        tap.done()
    found = list(symbols())
    data = [f'{member}: {name} ({size} bytes in {section})'
            for member, flags, section, size, name in found
            if flags[6] == 'O' and MUTABLE.match(section)]
    functions = sum(flags[6] == 'F' for _, flags, _, _, _ in found)
    tap.check('the objects could be read', [] if functions else ['no function found in them'])
    tap.check('no mutable global or static data', data)
    tap.check('no static initialisers',
              [f'{member}: {line.split()[1]}' for member, line in lines('--section-headers')
               if INITIALISERS.search(line)])
    tap.check('no indirect functions',
              [f'{member}: {name}' for member, flags, _, _, name in found if 'i' in flags])
    tap.done()


if __name__ == '__main__':
    main()
