"""The example programs as a user runs them: what they write, and how they end when they cannot."""

import json
import math
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import tap

data, programs = (Path(argument).resolve() for argument in sys.argv[1:])
# Follows from the target alone, whatever the number of steps.
IRREDUCIBLE_LOSS = 1.8367658345


def run(program, *arguments, folder):
    result = subprocess.run([str(programs / program), *map(str, arguments)], cwd=folder, text=True,
                            capture_output=True, check=False)
    result.problems = []
    return result


def expect(result, condition, wanted):
    if not condition:
        result.problems.append(f'wanted {wanted}; status {result.returncode}, output:\n'
                               f'{result.stdout}{result.stderr}')


def quickstart_problems(folder):
    result = run('quickstart', folder=folder)
    seen = re.search(r'mean (\S+) .*variance (\S+) ', result.stdout)
    expect(result, result.returncode == 0 and seen, 'a line with mean and variance')
    if seen:
        # Far outside what seeds differ by, and far inside an untrained network's 0 and 1.
        mean, variance = float(seen.group(1)), float(seen.group(2))
        expect(result, abs(mean - 0.2075) < 0.15 and abs(variance - 1.6273) < 0.2,
               'mean 0.2075 within 0.15, variance 1.6273 within 0.2')
    return result.problems


def visual_introduction_problems(folder):
    result = run('visual_introduction', '--steps', 300, '--out', 'a/b', folder=folder)
    path = folder / 'a' / 'b' / 'summary.json'
    expect(result, result.returncode == 0 and path.is_file(), 'status 0 and summary.json')
    if path.is_file():
        summary = json.loads(path.read_text(encoding='utf-8'))
        numbers = ['train_seconds', 'loss_last_1000', 'field_rmse', 'w1', 'w2']
        expect(result, all(isinstance(summary.get(name), float) for name in numbers),
               f'numbers for {", ".join(numbers)} in {summary}')
        expect(result, math.isclose(summary.get('irreducible_loss', 0), IRREDUCIBLE_LOSS,
                                    rel_tol=1e-8), f'irreducible_loss {IRREDUCIBLE_LOSS}')
        expect(result, 1.5 < (summary.get('loss_last_1000') or 0) < 3, 'a loss between 1.5 and 3')
        for name in ['path', 'path_published', 'path_exact']:
            expect(result, len(summary.get(name, [])) == 16, f'16 numbers in {name}')
        expect(result, abs((summary.get('path_exact') or [0])[-1] - 1.500850) < 1e-4,
               'the exact path to end at 1.50085')
    return result.problems


def train_csv_problems(folder):
    result = run('train_csv', data, '--steps', 200, '--samples', 50, '--out', 'new.csv',
                 folder=folder)
    expect(result, result.returncode == 0 and 'energy distance' in result.stdout,
           'status 0 and an energy distance')
    if result.returncode == 0:
        header, *rows = (folder / 'new.csv').read_text(encoding='ascii').splitlines()
        expect(result, header == data.read_text(encoding='ascii').splitlines()[0],
               "the data's header")
        cells = [[float(cell) for cell in row.split(',')] for row in rows]
        expect(result, len(cells) == 50 and all(len(row) == 2 for row in cells),
               '50 rows of 2 cells')
    return result.problems


def refused(arguments, words, folder):
    """train_csv must fail, say all the words in one line, and write nothing."""
    before = sorted(folder.iterdir())
    result = run('train_csv', *arguments, '--steps', 5, folder=folder)
    expect(result, 0 < result.returncode < 128, 'a status from 1 to 127')
    lines = [line for line in result.stderr.splitlines() if not line.startswith('step ')]
    expect(result, len(lines) == 1 and all(str(word) in lines[0] for word in words),
           f'one line that names {words}')
    expect(result, sorted(folder.iterdir()) == before, 'no file to appear')
    return result.problems


def main():
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / 'cell.csv').write_text('a,b\n1,2\n3,x4\n5,6\n')
        (folder / 'short.csv').write_text('1,2\n3\n')
        (folder / 'nan.csv').write_text('1,2\n3,nan\n')
        (folder / 'empty.csv').write_text('')
        (folder / 'comma.csv').write_text('1,2\n3,"4,5"\n')

        tap.check('quickstart', quickstart_problems(folder))
        tap.check('visual_introduction', visual_introduction_problems(folder))
        tap.check('train_csv', train_csv_problems(folder))
        for title, arguments, words in [
                ('a file that is missing', ['none.csv'], ['none.csv']),
                ('a bad cell', ['cell.csv'], ['cell.csv:3', 'column 2', 'x4']),
                ('a short row', ['short.csv'], ['short.csv:2']),
                ('a nan', ['nan.csv'], ['nan.csv:2', 'column 2']),
                ('a quoted cell', ['comma.csv'], ['comma.csv:2']),
                ('an empty file', ['empty.csv'], ['empty.csv']),
                ('an output that cannot be written', [data, '--out', 'none/new.csv'],
                 ['none/new.csv']),
                ('an output on a full disk', [data, '--out', '/dev/full'], ['/dev/full'])]:
            if '/dev/full' in arguments and not os.path.exists('/dev/full'):
                tap.skip(f'train_csv: {title}', 'the system has no /dev/full')
            else:
                tap.check(f'train_csv: {title}', refused(arguments, words, folder))
        tap.done()


if __name__ == '__main__':
    main()
