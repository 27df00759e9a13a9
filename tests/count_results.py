"""Prints the last line of tests/run from what meson has written about its last run."""

import json
import re
import sys
import xml.etree.ElementTree as ElementTree
from collections import Counter
from pathlib import Path

logs, status_of_meson = Path(sys.argv[1]), int(sys.argv[2])
KIND = {'failure': 'failed', 'error': 'failed', 'skipped': 'skipped'}


def program(name):
    """The last part of meson's name for a test, which the two files begin differently."""
    return re.split(r'[/.]', name)[-1].strip()


def count_cases(suite):
    return Counter(next((KIND[child.tag] for child in case if child.tag in KIND), 'passed')
                   for case in suite.findall('testcase'))


def broken_programs():
    """Names of the programs that failed, crashed or ran out of time."""
    lines = (logs / 'testlog.json').read_text(encoding='utf-8').splitlines()
    results = {program(record['name']): record['result']
               for record in map(json.loads, lines)}
    return {name for name, result in results.items() if result not in {'OK', 'SKIP'}}


def main():
    total = Counter()
    try:
        suites = ElementTree.parse(logs / 'testlog.junit.xml').getroot().findall('testsuite')
        counts = {program(suite.get('name')): count_cases(suite) for suite in suites}
        total = sum(counts.values(), Counter())
        # A crash after a number of passed cases is a failure that no case shows.
        total['failed'] += sum(not counts.get(name, {}).get('failed') for name in broken_programs())
    except (OSError, ElementTree.ParseError, ValueError) as error:
        print(f'the results cannot be read: {error}')
    if (status_of_meson or not total['passed']) and not total['failed']:
        total['failed'] = 1
    skipped = f', {total["skipped"]} skipped' if total['skipped'] else ''
    print(f'{total["passed"]} passed, {total["failed"]} failed{skipped}')
    sys.exit(1 if total['failed'] else 0)


if __name__ == '__main__':
    main()
