"""Results in the Test Anything Protocol, which meson reads (protocol: 'tap')."""

import sys

_count = 0
_failed = 0


def check(name, problems):
    """One result: it passes when there are no problems; else they go to stderr, which meson shows."""
    global _count, _failed
    problems = list(problems)
    _count += 1
    _failed += bool(problems)
    print(f"{'not ok' if problems else 'ok'} {_count} - {name}")
    if problems:
        print(f'{name}:', *problems, sep='\n  ', file=sys.stderr)


def skip(name, reason):
    global _count
    _count += 1
    print(f'ok {_count} - {name} # SKIP {reason}')


def bail_out(reason):
    """Nothing can be said about the rest: a tool or a file is missing."""
    print(f'Bail out! {reason.splitlines()[0]}')
    print(reason, file=sys.stderr)
    sys.exit(1)


def done():
    print(f'1..{_count}')
    sys.exit(1 if _failed else 0)
