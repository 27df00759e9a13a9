"""Each kernel's loop computes in whole vectors: read from the disassembly of the library's objects.

A kernel has a vector loop and, for the elements that are left over, a scalar one. What is asked is
that an innermost loop computes in packed instructions of the set's width, with no arithmetic on
single floats beside them; of the matrix products, also that their sums stay in registers.
"""

import re
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import tap

library, objdump, sanitized, cpu = sys.argv[1:5]

FMA = r'vfn?m(add|sub)\d+ps'
ARITHMETIC = r'v?(add|sub|mul|max|min|sqrt|div)ps|' + FMA
INTEGER = r'v?pmuludq'
SCALAR = re.compile(r'v?(add|sub|mul|div|sqrt|max|min)s[sd]|vfn?m(add|sub)\d+s[sd]')

#: Polynomials, which contract to multiply-adds where the set has them.
POLYNOMIALS = '''
    exp_kernel log_kernel erf_kernel tanh_kernel sincos_turns_kernel
    activate_gelu activate_gelu_tanh activate_silu activate_hyperbolic_tangent activate_elu
    activate_selu activate_softplus
    activate_gelu_with_derivative activate_gelu_tanh_with_derivative activate_silu_with_derivative
    activate_hyperbolic_tangent_with_derivative activate_elu_with_derivative
    activate_selu_with_derivative activate_softplus_with_derivative
    adam_kernel sgd_kernel approach_kernel add_scaled_kernel multiply_add_kernel
    project_row'''.split()
PLAIN = 'add_kernel multiply_kernel add_rows_kernel sum_row'.split()
#: Loops that select instead of computing.
SELECTIONS = {'activate_relu': r'v?(and|max|cmp\w*)ps', 'activate_relu_with_derivative':
              r'v?(and|max|cmp\w*)ps'}
#: Draws share a few functions, which compilers inline as they like.
DRAWS = re.compile(r'(words|uniform|normal)_kernel|draw|fill_tile|box_muller|words_to_\w+')
#: Multiply-adds of a product's step of depth.
PRODUCTS = {**{f'tile_{rows}': 2 * rows for rows in range(1, 7)}, 'row_of_tiles': 8, 'dot': 4}

#: Sums over pairs, in double: what their loop does with and without multiply-adds.
PAIRS = {'sum_roots': (r'v?sqrtpd', r'v?sqrtpd'),
         'sum_gaussians': (r'vfn?m(add|sub)\d+pd', r'v?mulpd')}

#: Table: the name of its vector register, and whether it has multiply-adds.
SETS = {'avx2': ('ymm', True), 'baseline': ('xmm', False)}


def objects():
    """For every object with a table of kernels: the table's name and its functions' lines."""
    run = subprocess.run([objdump, '--syms', '-d', '--wide', '--no-show-raw-insn', library],
                         capture_output=True, text=True, check=False)
    if run.returncode or 'file format' not in run.stdout:
        tap.bail_out(f'{objdump} -d {library}: {run.stderr.strip() or "no objects"}')
    for text in re.split(r'^\S.*file format.*$', run.stdout, flags=re.M)[1:]:
        table = re.search(r'^(?!.*\*UND\*).* ((?:vector|product|pair)_kernels_\w+)$', text, re.M)
        if table:
            yield table[1], functions_in(text)


def functions_in(text):
    functions = {}
    for name, body in re.findall(r'^[0-9a-f]+ <([^>]+)>:\n((?:.+\n)+)', text, re.M):
        found = re.findall(r'^ *([0-9a-f]+):\t(?:\w+ )??(\S+)(?: +(.*))?$', body, re.M)
        functions.setdefault(name.split('.')[0], []).append(
            [(int(address, 16), operation, operands) for address, operation, operands in found])
    return functions


def innermost_loops(lines):
    """Instructions from the target of a jump backward up to that jump."""
    ends = {}
    for address, operation, operands in lines:
        target = re.match(r'([0-9a-f]+) <', operands)
        if operation.startswith('j') and target and lines[0][0] <= int(target[1], 16) <= address:
            begin = int(target[1], 16)
            ends[begin] = max(address, ends.get(begin, 0))
    spans = list(ends.items())
    for begin, end in spans:
        if not any((b, e) != (begin, end) and begin <= b and e <= end for b, e in spans):
            yield [line for line in lines if begin <= line[0] <= end]


def count(loop, pattern, register):
    whole = re.compile(pattern)
    return sum(bool(whole.fullmatch(operation)) and register in operands
               for _, operation, operands in loop)


def vector_loops(bodies, pattern, register):
    return [loop for lines in bodies for loop in innermost_loops(lines)
            if count(loop, pattern, register)
            and not any(SCALAR.fullmatch(operation) for _, operation, _ in loop)]


def element_wise_problems(functions, register, fused):
    wanted = {**{name: FMA if fused else ARITHMETIC for name in POLYNOMIALS},
              **{name: ARITHMETIC for name in PLAIN}, **SELECTIONS, 'square_sum_kernel': r'v?mulpd'}
    for name, pattern in wanted.items():
        if name not in functions:
            yield f'{name} is not there: is it renamed?'
        elif not vector_loops(functions[name], pattern, register):
            yield f'{name} has no loop of packed {pattern} on {register} alone'
    draws = [lines for name, found in functions.items() if DRAWS.fullmatch(name)
             for lines in found]
    for what, pattern in {'Philox': INTEGER, 'Box-Muller': FMA if fused else ARITHMETIC}.items():
        if not vector_loops(draws, pattern, register):
            yield f'{what} has no loop of packed {pattern} on {register} alone'


def product_problems(functions, register, fused):
    for name, least in PRODUCTS.items():
        if name not in functions:
            yield f'{name} is not there: is it renamed?'
            continue
        pattern = FMA if fused else r'v?mulps'
        loops = vector_loops(functions[name], pattern, register)
        most = max((count(loop, pattern, register) for loop in loops), default=0)
        if most < least:
            yield f'{name} has {most} packed multiply-adds in a loop, not {least}'
        spilled = [operands for loop in loops for _, operation, operands in loop
                   if operation.startswith(('vmov', 'mov')) and register in operands
                   and '(%rsp' in operands]
        # The baseline has 16 registers of 4 lanes, in which the largest tiles do not fit.
        if fused and spilled:
            yield f'{name} keeps sums in memory: {"; ".join(spilled[:3])}'


def pair_problems(functions, register, fused):
    for name, (with_fma, without) in PAIRS.items():
        pattern = with_fma if fused else without
        if name not in functions:
            yield f'{name} is not there: is it renamed?'
        elif not vector_loops(functions[name], pattern, register):
            yield f'{name} has no loop of packed {pattern} on {register} alone'


def main():
    if sanitized == 'sanitized':
        tap.skip('kernels are vectorised', 'a sanitizer checks every element')
        tap.done()
    if cpu != 'x86_64':
        tap.skip('kernels are vectorised', f'this test does not read instructions of {cpu}')
        tap.done()
    found = dict(objects())
    for family, problems in {'vector': element_wise_problems, 'product': product_problems,
                             'pair': pair_problems}.items():
        for name, (register, fused) in SETS.items():
            table = f'{family}_kernels_{name}'
            tap.check(f'{table}: loops compute in {register}',
                      problems(found[table], register, fused) if table in found
                      else ['no object holds this table'])
    tap.done()


if __name__ == '__main__':
    main()
