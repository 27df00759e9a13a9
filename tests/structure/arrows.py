"""Include arrows inside lib/ point only to a folder earlier in the list, and one file knows BLAS."""

import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import tap

ORDER = ['base', 'compute', 'context', 'format', 'source', 'path', 'model', 'sample', 'train',
         'metrics']

top = Path(sys.argv[1])
lib = top / 'lib'
sources = sorted(p for p in lib.rglob('*') if p.suffix in {'.c', '.h'})


def includes(path):
    text = path.read_text(encoding='utf-8')
    for match in re.finditer(r'^[ \t]*#[ \t]*include[ \t]*(.*?)[ \t]*$', text, re.M):
        yield text.count('\n', 0, match.start()) + 1, match.group(1)


def wrong_arrow(path, target):
    """Why a file may not include a target, or nothing."""
    folder = path.parent.relative_to(lib).as_posix()
    if re.fullmatch(r'[<"]flowmatch/\w+\.h[>"]', target):
        exists = (top / 'include' / target[1:-1]).is_file()
        return None if exists else f'{target} does not exist'
    if re.fullmatch(r'<[\w./]+>', target):
        return None
    match = re.fullmatch(r'"(\w+)/(\w+\.h)"', target)
    if not match:
        return f'{target} is neither <...> nor "folder/file.h"'
    to, header = match.groups()
    if to not in ORDER or not (lib / to / header).is_file():
        return f'{target} does not exist'
    if ORDER.index(to) > ORDER.index(folder):
        return f'{target}: {to} comes after {folder}'
    return None


def main():
    strangers = sorted({p.parent.relative_to(lib).as_posix() for p in sources} - set(ORDER))
    tap.check('every source of lib/ is in a folder of the list',
              [f'lib/{name} is not in the list' for name in strangers]
              + ([] if sources else ['lib/ holds no sources']))
    tap.check('include arrows point to a folder earlier in the list',
              [f'{path.relative_to(top)}:{line}: {problem}'
               for path in sources if path.parent.name in ORDER
               for line, target in includes(path)
               for problem in [wrong_arrow(path, target)] if problem])
    blas = sorted({str(path.relative_to(top)) for path in sources
                   for _, target in includes(path) if 'cblas.h' in target})
    tap.check('one file of lib/ includes cblas.h, and it is in compute',
              [] if len(blas) == 1 and blas[0].startswith('lib/compute/')
              else [f'included by: {", ".join(blas) or "none"}'])
    tap.done()


if __name__ == '__main__':
    main()
