"""The first C program of README.md is examples/quickstart.c, which has at most 60 lines."""

import difflib
import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import tap

LARGEST = 60

top = Path(sys.argv[1])
program = (top / 'examples' / 'quickstart.c').read_text(encoding='utf-8').splitlines()
block = re.search(r'^```c\n(.*?)^```$', (top / 'README.md').read_text(encoding='utf-8'),
                  re.M | re.S)
shown = block.group(1).splitlines() if block else []

tap.check('the first C block of README.md is examples/quickstart.c',
          difflib.unified_diff(program, shown, 'examples/quickstart.c', 'README.md', lineterm='',
                               n=1))
tap.check(f'examples/quickstart.c has at most {LARGEST} lines',
          [] if 0 < len(program) <= LARGEST else [f'it has {len(program)}'])
tap.done()
