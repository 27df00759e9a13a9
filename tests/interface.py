"""Reads the public headers. Their style is strict, and what does not follow it is an error:

- a header holds typedefs of handles and structs, enums, FMATCH_API functions and macros;
- every parameter and every field has a name, and one declaration declares one name;
- a status is listed as X(name, number, text) in FMATCH_STATUS_LIST.
"""

import re
from pathlib import Path
from typing import NamedTuple


class Function(NamedTuple):
    name: str
    prototype: str  # with the names of the parameters left out
    documented: bool
    header: str


class Field(NamedTuple):
    name: str
    declaration: str
    is_pointer: bool


class Struct(NamedTuple):
    name: str
    fields: list
    header: str


class Enum(NamedTuple):
    name: str
    enumerators: list  # (name, its number as written, or None)
    header: str


class Interface(NamedTuple):
    functions: list
    structs: list
    enums: list
    handles: list
    headers: list


class NotUnderstood(Exception):
    pass


COMMENT = re.compile(r'/\*.*?\*/', re.S)
DOC_MARK = '\x01'
ATTRIBUTES = re.compile(r'\b(FMATCH_API|FMATCH_WARN_UNUSED)\b')
STATUS_ENTRY = re.compile(r'\bX\((FMATCH_\w+),\s*(-?\d+),\s*"')


def _normalised(text):
    text = ' '.join(text.split())
    text = re.sub(r'\s*([(),\[\]])\s*', r'\1', text)
    text = re.sub(r'\s*\*\s*', ' *', text).replace('( *', '(*')
    text = re.sub(r'\* (?=\*)', '*', text)
    return re.sub(r'(\w)\(\*', r'\1 (*', text).replace(',', ', ').strip()


def _split(text, separator):
    """Split at a separator that stands outside brackets."""
    parts, depth, part = [], 0, ''
    for character in text:
        depth += (character in '({[') - (character in ')}]')
        if character == separator and depth == 0:
            parts.append(part)
            part = ''
        else:
            part += character
    return parts, part


def _statements(text):
    """Declarations of a header, without preprocessor lines; a doc comment becomes DOC_MARK."""
    text = COMMENT.sub(lambda m: DOC_MARK if m.group().startswith('/**') else ' ', text)
    text = re.sub(r'^[ \t]*#(?:[^\n]*\\\n)*[^\n]*\n', '\n', text, flags=re.M)
    text = re.sub(r'extern "C" \{|^\}$', ' ', text, flags=re.M)
    # An enum over a list of statuses reads as text(...) without a semicolon inside its braces.
    parts, rest = _split(text, ';')
    if rest.replace(DOC_MARK, '').strip():
        raise NotUnderstood(f'text after the last declaration: {rest.strip()[:60]!r}')
    return parts


def _parameter_type(parameter):
    match = re.fullmatch(r'(.*?[ *])(\w+)', parameter)
    if not match:
        raise NotUnderstood(f'parameter without a name: {parameter!r}')
    return match.group(1).strip()


def _function(statement, header):
    documented = statement.lstrip().startswith(DOC_MARK)
    code = _normalised(ATTRIBUTES.sub(' ', statement.replace(DOC_MARK, ' ')))
    match = re.fullmatch(r'([\w *]+?[ *])(\w+)\((.*)\)', code)
    if not match:
        raise NotUnderstood(f'function: {code!r}')
    result, name, parameters = match.groups()
    if parameters != 'void':
        if not parameters:
            raise NotUnderstood(f'{name}: () instead of (void)')
        separated, last = _split(parameters, ',')
        parameters = ', '.join(_parameter_type(p.strip()) for p in separated + [last])
    return Function(name, f'{result.strip()} {name}({parameters})', documented, header)


def _field(declaration):
    code = _normalised(declaration.replace(DOC_MARK, ' '))
    match = (re.fullmatch(r'[\w *]+?\(\*(\w+)\)\(.+\)', code)
             or re.fullmatch(r'[\w *]*?[ *](\w+)(?:\[\w+\])?', code))
    if not match:
        raise NotUnderstood(f'field: {code!r}')
    return Field(match.group(1), code, '*' in code.split('[')[0])


def _struct(name, body, header):
    declarations, rest = _split(body, ';')
    if rest.replace(DOC_MARK, '').strip():
        raise NotUnderstood(f'end of struct {name}: {rest!r}')
    return Struct(name, [_field(d) for d in declarations], header)


def _enum(name, body, header, statuses):
    body = body.replace(DOC_MARK, ' ').strip()
    if body.startswith('FMATCH_STATUS_LIST('):
        return Enum(name or 'fmatch_status', statuses, header)
    enumerators = []
    for entry in body.split(','):
        match = re.fullmatch(r'\s*(\w+)\s*(?:=\s*(\S.*?))?\s*', entry, re.S)
        if match:
            enumerators.append((match.group(1), match.group(2)))
        elif entry.strip():
            raise NotUnderstood(f'enumerator: {entry.strip()!r}')
    return Enum(name, enumerators, header)


def read(folder):
    """The interface that the headers in include/flowmatch declare."""
    result = Interface([], [], [], [], sorted(p.name for p in Path(folder).glob('*.h')))
    if not result.headers:
        raise NotUnderstood(f'no headers in {folder}')
    for header in result.headers:
        text = (Path(folder) / header).read_text(encoding='utf-8')
        try:
            _read_header(text, header, result)
        except NotUnderstood as error:
            raise NotUnderstood(f'{header}: {error}') from None
    return result


def _read_header(text, header, result):
    statuses = STATUS_ENTRY.findall(text)
    for statement in _statements(text):
        code = statement.replace(DOC_MARK, ' ').strip()
        struct = re.fullmatch(r'typedef struct (\w+) \{(.*)\} (\w+)', code, re.S)
        enum = re.fullmatch(r'enum\s*(\w*)\s*\{(.*)\}', code, re.S)
        handle = re.fullmatch(r'typedef struct (\w+) (\w+)', code)
        if 'FMATCH_API' in code:
            result.functions.append(_function(statement, header))
        elif struct:
            result.structs.append(_struct(struct.group(3), struct.group(2), header))
        elif enum:
            result.enums.append(_enum(enum.group(1), enum.group(2), header, statuses))
        elif handle:
            result.handles.append(handle.group(2))
        elif code != 'typedef int32_t fmatch_status':
            raise NotUnderstood(f'declaration: {code[:80]!r}')
