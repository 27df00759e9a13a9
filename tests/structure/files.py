"""Names and text of the files: what a formatter does not see."""

import re
import sys
import unicodedata
from collections import defaultdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import tap

top = Path(sys.argv[1])

FOLDERS = ['.ci', 'bindings', 'doc', 'examples', 'include', 'lib', 'tests']
SINGLE_FILES = ['.clang-format', '.gitignore', 'LICENSE', 'README.md', 'meson.build',
                'meson_options.txt']
MADE_BY_TOOLS = {'__pycache__', 'build', 'out'}
SAYS_NOTHING = re.compile(r'(^|[_.-])(utils?|helpers?|common|misc|internal)([_.-]|$)', re.I)
# Written in two pieces, so that this file passes its own check.
MACHINE_PATH = re.compile(r'(?<![\w.])/' + r'(work|root|home|tmp|farm)/')


def project_files():
    for name in SINGLE_FILES:
        if (top / name).is_file():
            yield top / name
    for folder in FOLDERS:
        for path in sorted((top / folder).rglob('*')):
            if path.is_file() and not MADE_BY_TOOLS & set(path.relative_to(top).parts):
                yield path


def invisible(character):
    return (character != '\n' and character != ' '
            and unicodedata.category(character) in {'Cc', 'Cf', 'Co', 'Cn', 'Zs', 'Zl', 'Zp'})


def line_problems(line):
    if '\t' in line:
        yield 'a tab'
    if line.endswith(' '):
        yield 'a space at the end'
    for character in sorted({c for c in line if c != '\t' and invisible(c)}):
        yield f'an invisible character, U+{ord(character):04X}'
    if MACHINE_PATH.search(line):
        yield f'a path of one machine: {MACHINE_PATH.search(line).group()}'


def text_problems(path):
    data = path.read_bytes()
    name = path.relative_to(top)
    if b'\0' in data:
        return
    try:
        text = data.decode('utf-8')
    except UnicodeDecodeError as error:
        yield f'{name}: not UTF-8 at byte {error.start}'
        return
    if text and not text.endswith('\n'):
        yield f'{name}: no line end at the end'
    for number, line in enumerate(text.split('\n'), 1):
        for problem in line_problems(line):
            yield f'{name}:{number}: {problem}'


def repeated_stems():
    places = defaultdict(set)
    for path in (top / 'lib').rglob('*.[ch]'):
        places[path.stem].add(path.parent.relative_to(top).as_posix())
    return [f'{stem}: {", ".join(sorted(folders))}' for stem, folders in sorted(places.items())
            if len(folders) > 1]


def unlisted_tests():
    listed = (top / 'tests' / 'meson.build').read_text(encoding='utf-8')
    return [f'{path.relative_to(top)} is not in tests/meson.build'
            for path in sorted((top / 'tests').rglob('test_*.c')) if f"'{path.stem}'" not in listed]


def main():
    files = list(project_files())
    tap.check('file stems are unique in lib/', repeated_stems())
    tap.check('file names say what is inside',
              [path.relative_to(top) for path in files
               if any(SAYS_NOTHING.search(part) for part in path.relative_to(top).parts)])
    tap.check('every test program is run', unlisted_tests())
    tap.check('text is clean: no tabs, no trailing space, nothing invisible, no machine paths',
              [p for path in files for p in text_problems(path)])
    tap.done()


if __name__ == '__main__':
    main()
