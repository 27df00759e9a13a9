"""Public names follow doc/conventions.md: fmatch_<object>_<verb>[_<what>], verbs from its table."""

import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import interface
import tap

top = Path(sys.argv[1])


def section_names(title):
    """Names in the first column of the table under a heading of doc/conventions.md."""
    page = (top / 'doc' / 'conventions.md').read_text(encoding='utf-8')
    section = re.search(rf'^## {title}\n(.*?)(?=^## |\Z)', page, re.M | re.S)
    names = re.findall(r'^\| `(\w+)`', section.group(1), re.M) if section else []
    if not names:
        tap.bail_out(f'doc/conventions.md has no table under "## {title}"')
    return names


def name_problem(name, header, objects, verbs):
    fits = [name[len(f'{o}_'):].split('_')[0] for o in objects if name.startswith(f'{o}_')]
    if not fits:
        return f'{header}: {name} begins with no object'
    if not set(fits) & set(verbs):
        return f'{header}: {name}: {fits[0]} is not a verb of doc/conventions.md'
    return None


def main():
    api = interface.read(top / 'include' / 'flowmatch')
    verbs, exceptions = section_names('Verbs'), section_names('Names that are no verbs')
    # A header is about one object; configurations are objects of their own.
    objects = ([f'fmatch_{Path(header).stem}' for header in api.headers]
               + [s.name for s in api.structs])
    names = {f.name: f.header for f in api.functions}

    tap.check('functions are named fmatch_<object>_<verb>[_<what>]',
              [p for name, header in names.items() if name not in exceptions
               for p in [name_problem(name, header, objects, verbs)] if p])
    tap.check('every exception exists',
              [f'{name} is not declared' for name in exceptions if name not in names])
    tap.check('types begin with fmatch_, enumerators with FMATCH_',
              [name for name in api.handles + [s.name for s in api.structs]
               + [e.name for e in api.enums] if not re.fullmatch(r'fmatch_[a-z0-9_]+(?<!_t)', name)]
              + [name for e in api.enums for name, _ in e.enumerators
                 if not re.fullmatch(r'FMATCH_[A-Z0-9_]+', name)])
    tap.done()


if __name__ == '__main__':
    main()
