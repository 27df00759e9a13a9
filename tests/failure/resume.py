"""Training 2 N steps, and training N, saving, loading in another process and training N more, must
give the same files, for any number of threads in each process.

    resume.py PROGRAM
"""

import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import tap  # noqa: E402

N = 36  # batches of 12: the halves end within a block of coupled rows, and between validations


def train(program, *words):
    done = subprocess.run([program, *map(str, words)], stderr=subprocess.PIPE, text=True)
    return done.stderr.splitlines() or ([f'status {done.returncode}'] if done.returncode else [])


def problems_of(program, scenario, folder):
    files = {name: folder / f'{scenario}-{name}' for name in
             ['whole', 'whole.model', 'half', 'half.model', 'again', 'again.model']}
    problems = [
        *train(program, scenario, 1, 2 * N, files['whole'], files['whole.model']),
        *train(program, scenario, 2, N, files['half'], files['half.model']),
        *train(program, scenario, 1, N, files['again'], files['again.model'], files['half'])]
    if problems:
        return problems
    read = {name: path.read_bytes() for name, path in files.items()}
    if read['again'] != read['whole']:
        problems.append('the checkpoints differ')
    if read['again.model'] != read['whole.model']:
        problems.append('the models differ')
    if read['half'] == read['whole']:
        problems.append('the second half changes nothing')
    problems += train(program, scenario, 2, N, files['again'], files['again.model'], files['half'])
    if files['again'].read_bytes() != read['whole']:
        problems.append('with two threads in the second half, the checkpoints differ')
    return problems


def main():
    program = sys.argv[1]
    names = subprocess.run([program], stdout=subprocess.PIPE, text=True, check=True).stdout.split()
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            tap.check(name, problems_of(program, name, Path(folder)))
    tap.done()


main()
