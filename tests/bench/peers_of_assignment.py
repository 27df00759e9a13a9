"""Exact plans beside POT's emd and SciPy's assignment: the same matrix of costs, in turn, on one thread."""
import os
import statistics
import sys
import time

import numpy as np

try:
    import ot
except ImportError:
    ot = None
try:
    from scipy.optimize import linear_sum_assignment
except ImportError:
    linear_sum_assignment = None

SIZES = (256, 1024)


def use_library(build):
    """The Python package from the checkout with the library of a build folder."""
    top = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    os.environ["FLOWMATCH_LIBRARY"] = os.path.join(build, "lib", "libflowmatch.so.0")
    sys.path.insert(0, os.path.join(top, "bindings", "python"))


def time_of(function):
    began = time.perf_counter()
    result = function()
    return time.perf_counter() - began, result


def solve_all(cost):
    """Seconds and least mean cost by solver."""
    from flowmatch import transport
    n = len(cost)
    weights = np.full(n, 1 / n)
    answers = {}
    seconds, plan = time_of(lambda: transport.solve_assignment(cost))
    answers["ours"] = seconds, plan.total / n
    if ot:
        seconds, matrix = time_of(lambda: ot.emd(weights, weights, cost))
        answers["POT"] = seconds, (matrix * cost).sum()
    if linear_sum_assignment:
        seconds, (rows, columns) = time_of(lambda: linear_sum_assignment(cost))
        answers["SciPy"] = seconds, cost[rows, columns].sum() / n
    return answers


def compare(repeats):
    """Two-dimensional normal against eight Gaussians. Milliseconds and ratios by size, and how far costs differ."""
    import flowmatch as fm
    target, random = fm.Source.toy("eight_gaussians", "torchcfm"), np.random.default_rng(0)
    table, off = {}, 0.0
    for n in SIZES:
        rounds = []
        for k in range(repeats):
            x, y = random.normal(size=(n, 2)), target.draw(n, seed=k).astype(float)
            rounds.append(solve_all(((x[:, None] - y[None])**2).sum(-1)))
            ours = rounds[-1]["ours"][1]
            off = max([off] + [abs(cost - ours) / ours for _, cost in rounds[-1].values()])
        table[n] = {name: {"ms": 1e3 * statistics.median(r[name][0] for r in rounds),
                           "ratio": statistics.median(r[name][0] / r["ours"][0] for r in rounds)}
                    for name in rounds[0]}
    return table, off


def text_of(table, off):
    lines = [f"exact plan of {n} pairs: " + ", ".join(f"{name} {row['ms']:.2f} ms" + (
        "" if name == "ours" else f" ({row['ratio']:.1f} times ours)") for name, row in rows.items())
        for n, rows in table.items()]
    missing = [name for name, module in (("POT (python3-pot)", ot), ("SciPy (python3-scipy)", linear_sum_assignment))
               if not module]
    lines += [f"{name} is not installed: its ratios are missing" for name in missing]
    return "\n".join(lines + [f"costs differ by at most {off:.1g} of themselves"])
