"""The programs of doc/python.md run."""

import os
import re
import subprocess
import sys
from pathlib import Path

import flowmatch
import pytest

TOP = Path(__file__).resolve().parents[2]
PROGRAMS = re.findall(r'^```python\n(.*?)^```$',
                      (TOP / 'doc' / 'python.md').read_text(encoding='utf-8'), re.M | re.S)


def run(program, folder):
    environment = dict(os.environ, FLOWMATCH_LIBRARY=flowmatch.library_path,
                       PYTHONPATH=str(Path(flowmatch.__file__).parents[1]))
    result = subprocess.run([sys.executable, '-c', program], cwd=folder, env=environment,
                            capture_output=True, text=True, timeout=120, check=False)
    if result.returncode:
        pytest.fail(result.stderr)
    return dict(line.split(maxsplit=1) for line in result.stdout.splitlines()), result.stdout


def test_there_are_three():
    assert len(PROGRAMS) == 3


def test_the_whole_program(tmp_path):
    values, text = run(PROGRAMS[0], tmp_path)
    assert text.count('step ') == 10
    assert float(values['mean'].split()[2]) < 0.12, text  # mean <m> W1 <w1>
    assert 'net.4.bias' in values['loaded'] and (tmp_path / 'model.safetensors').exists()


def test_the_ring(tmp_path):
    values, text = run(PROGRAMS[1], tmp_path)
    assert float(values['radius']) == pytest.approx(1, abs=0.1), text


def test_the_log_density(tmp_path):
    values, text = run(PROGRAMS[2], tmp_path)
    assert float(values['off'].split()[1]) < 1e-4, text
