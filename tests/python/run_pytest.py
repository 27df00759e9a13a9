"""Runs the tests of the Python package with pytest, and prints their results as TAP.

Arguments: the shared library, and "plain" or "sanitized". An interpreter that is not instrumented
cannot load a library that is.
"""

import os
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
import tap

library, instrumentation = os.path.abspath(sys.argv[1]), sys.argv[2]
DEBIAN_PYTHON = '/usr/bin/python3'


def use_an_interpreter_with_the_packages():
    """The first python3 of a developer's machine may be one without NumPy."""
    try:
        import numpy  # noqa: F401
        import pytest  # noqa: F401
    except ImportError as error:
        if 'RETRIED' in os.environ or not os.path.exists(DEBIAN_PYTHON):
            tap.bail_out(f'{error}; install python3-numpy and python3-pytest')
        os.environ['RETRIED'] = 'yes'
        os.execv(DEBIAN_PYTHON, [DEBIAN_PYTHON, *sys.argv])


class TapReporter:
    def pytest_runtest_logreport(self, report):
        name = report.nodeid.split('/')[-1]
        if report.failed:
            what = '' if report.when == 'call' else f' ({report.when})'
            tap.check(name + what, [report.longreprtext])
        elif report.skipped:
            tap.skip(name, report.longrepr[-1])
        elif report.when == 'call':
            tap.check(name, [])

    def pytest_collectreport(self, report):
        if report.failed:
            tap.check(report.nodeid, [report.longreprtext])


def main():
    use_an_interpreter_with_the_packages()
    import pytest

    if instrumentation != 'plain':
        tap.skip('the Python package', 'an instrumented library cannot be loaded')
        tap.done()
    os.environ['FLOWMATCH_LIBRARY'] = library
    sys.path.insert(0, str(HERE.parents[1] / 'bindings' / 'python'))
    ended = pytest.main([str(HERE), '-p', 'no:terminal', '-p', 'no:cacheprovider'],
                        [TapReporter()])
    if ended not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
        tap.bail_out(f'pytest ended with {ended!r}')
    tap.done()


if __name__ == '__main__':
    main()
