"""Solvers: orders that show, and adaptive steps beside SciPy's on the same rows."""
import numpy as np

import flowmatch as fm

try:
    from scipy.integrate import solve_ivp
except ImportError:
    solve_ivp = None

LIMITS = [
    ("order_worst_deviation", "orders of the ten solvers, errors from 1e-1 to 1e-5: off / allowed, largest", "<=", 1),
    ("adaptive_error_vs_scipy", "Dormand-Prince on mixtures, median and 99 % of the error / SciPy's, largest", "<=", 1.5),
    ("nfe_vs_scipy", "evaluations in sum / SciPy's", "<=", 1.1),
    ("per_row_nfe_fraction", "one row in a hundred stiff: evaluations / those of one step for all", "<=", 1 / 3),
]

CONTEXT = fm.Context(threads=2)


def say(text):
    print("  " + text, flush=True)


# ---- orders ----

ORDERS = {"euler": 1, "midpoint": 2, "heun": 2, "adams_bashforth": 2, "heun3": 3, "bogacki_shampine": 3, "rk4": 4,
          "rk4_three_eighths": 4, "dormand_prince": 5, "tsitouras": 5}
ADAPTIVE = ("bogacki_shampine", "dormand_prince", "tsitouras")

# z' = z (A + B cos(K t)) with complex z, as two columns.
A, B, K = complex(0.2, -2.8), complex(2.4, -3.4), 7.8


def evaluate_spiral(x, t):
    z = (x[:, 0].astype(float) + 1j * x[:, 1]) * (A + B * np.cos(K * t.astype(float)))
    return np.stack([z.real, z.imag], 1)


def error_of_steps(model, solver, steps):
    settings = dict(atol=1e30, first_step=1 / steps, max_step=1 / steps) if solver in ADAPTIVE else dict(steps=steps)
    end = fm.Sampler(model, solver=solver, **settings).integrate([[1, 0]])[0]
    exact = np.exp(A + B * np.sin(K) / K)
    return float(np.hypot(end[0] - exact.real, end[1] - exact.imag))


def observed_order(model, solver):
    """Slope of log error over log steps, of all step counts whose error lies in the window."""
    points, steps = [], 2
    while steps < 2100:
        error = error_of_steps(model, solver, steps)
        if error < 1e-5:
            break
        if error <= 1e-1:
            points.append((np.log(steps), np.log(error)))
        steps = max(steps + 1, int(np.ceil(steps * (1.4 if ORDERS[solver] <= 3 else 1.15))))
    return -np.polyfit(*np.array(points).T, 1)[0]


def orders():
    model = fm.Model.callback(2, evaluate_spiral, context=CONTEXT)
    worst, seen = 0.0, {}
    for solver, order in ORDERS.items():
        seen[solver] = observed_order(model, solver)
        deviation = abs(seen[solver] - order) / (0.15 if order <= 3 else 0.4)
        worst = max(worst, deviation)
        say(f"{solver:18s} order {order}, observed {seen[solver]:.3f}")
    return worst, seen


# ---- beside SciPy ----

class Mixture:
    """The closed-form velocity from N(0, I) to a Gaussian mixture, in double."""

    def __init__(self, weights, means, stds):
        self.weights, self.means, self.stds = (np.float32(a).astype(float) for a in (weights, means, stds))

    def model(self):
        return fm.Model.closed_form(
            fm.Source.gaussian_mixture(self.weights, self.means, self.stds, context=CONTEXT))

    def __call__(self, t, x):
        variance = (1 - t) ** 2 + t * t * self.stds ** 2
        off = x - t * self.means
        share = np.log(self.weights) - 0.5 * (off * off / variance + np.log(variance)).sum(1)
        share = np.exp(share - share.max())
        slope = (t * self.stds ** 2 - (1 - t)) / variance
        return share / share.sum() @ (self.means + slope * off)


def mixtures():
    generator = np.random.default_rng(0)
    return {1: Mixture([0.55, 0.45], [[-0.85], [1.5]], [[0.65], [0.25]]),
            2: Mixture([0.3, 0.3, 0.4], [[-1.5, -1], [1.5, -1], [0, 1.5]], np.full((3, 2), 0.3)),
            10: Mixture([0.5, 0.5], generator.normal(size=(2, 10)), np.full((2, 10), 0.5))}


ROWS = 200
TOLERANCES = (1e-2, 1e-3, 1e-4, 1e-5)


def end_of(field, x, **settings):
    solution = solve_ivp(field, (0, 1), x.astype(float), **settings)
    return solution.y[:, -1], solution.nfev


def beside_scipy(quick):
    """Root mean square error over columns, of each row; SciPy's RK45 takes the same rows one by one."""
    worst, ours_sum, scipy_sum, details = 0.0, 0, 0, {}
    for dim, field in mixtures().items():
        model = field.model()
        x0 = np.random.default_rng(dim).normal(size=(ROWS, dim)).astype(np.float32)
        exact = np.array([end_of(field, x, method="DOP853", rtol=1e-10, atol=1e-10)[0] for x in x0])
        for tolerance in TOLERANCES[::2] if quick else TOLERANCES:
            sampler = fm.Sampler(model, solver="dormand_prince", atol=tolerance, rtol=tolerance)
            ours = np.sqrt(((sampler.integrate(x0) - exact) ** 2).mean(1)) / tolerance
            ends, counts = zip(*(end_of(field, x, rtol=tolerance, atol=tolerance) for x in x0))
            theirs = np.sqrt(((np.array(ends) - exact) ** 2).mean(1)) / tolerance
            pairs = [(float(np.quantile(ours, q)), float(np.quantile(theirs, q))) for q in (0.5, 0.99)]
            worst = max([worst] + [mine / other for mine, other in pairs])
            evaluations = sampler.info.evaluations
            ours_sum, scipy_sum = ours_sum + evaluations, scipy_sum + sum(counts)
            details[f"{dim}, {tolerance:g}"] = {"median": pairs[0], "p99": pairs[1],
                                                "evaluations": (evaluations, int(sum(counts)))}
            say(f"{dim:2d} columns, tolerance {tolerance:g}: error / tolerance, median {pairs[0][0]:.2f} "
                f"(SciPy {pairs[0][1]:.2f}), 99 % {pairs[1][0]:.1f} ({pairs[1][1]:.1f}); evaluations {evaluations} "
                f"({sum(counts)})")
    return worst, ours_sum / scipy_sum, details


# ---- one row in a hundred ----

def stiff_rows():
    """x' = -c x where c is 5, and 500 in one row of a hundred; a controller of the whole batch takes the steps of the
    stiffest row for all."""
    model = fm.Model.callback(2, lambda x, t: np.stack([-x[:, 1] * x[:, 0], 0 * x[:, 0]], 1),
                              context=CONTEXT)
    x = np.ones((1000, 2))
    x[:, 1] = np.where(np.arange(1000) % 100 == 50, 500, 5)
    sampler = fm.Sampler(model, solver="dormand_prince", atol=1e-4, rtol=1e-4)
    sampler.integrate(x)
    evaluations = sampler.statistics.evaluations
    fraction = evaluations.sum() / (len(x) * evaluations.max())
    say(f"evaluations of a calm row {evaluations.min()}, of a stiff one {evaluations.max()}")
    return float(fraction)


def solvers(quick):
    """Orders, and adaptive steps row by row."""
    worst, seen = orders()
    targets = {"order_worst_deviation": worst, "adaptive_error_vs_scipy": None, "nfe_vs_scipy": None,
               "per_row_nfe_fraction": stiff_rows()}
    details = {"orders": seen}
    if solve_ivp:
        error, evaluations, details["scipy"] = beside_scipy(quick)
        targets.update(adaptive_error_vs_scipy=error, nfe_vs_scipy=evaluations)
    return targets, details
