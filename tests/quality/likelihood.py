"""Log-densities: beside exact ones, whether learned ones integrate to 1, and beside PyTorch's time."""
import os
import statistics
import subprocess
import sys
import tempfile

import numpy as np

import flowmatch as fm
from peers_of_assignment import time_of

HERE = os.path.dirname(os.path.abspath(__file__))

LIMITS = [
    ("logp_exact_error", "log-density along the closed-form field, 1, 2 and 10 dimensions, off by at most", "<=", 1e-4),
    ("logp_adaptive_error", "the same with steps of each row, tolerances 1e-3 ... 1e-6: median error / tolerance, largest", "<=",
     10),
    ("density_integral_error", "densities learned in 1 and 2 dimensions: |integral - 1|, largest", "<=", 0.005),
    ("hutchinson_coverage", "32 Rademacher probes, 10 dimensions, a network: rows within 1.96 standard errors", "", 0.945),
    ("hutchinson_coverage_off", "the same, from 0.945 (0.92 to 0.97)", "<=", 0.025),
    ("logp_error_vs_joint", "50 steps of RK4, 99th percentile of the error / that of the divergence at every stage", "<=", 3),
    ("logp_vs_torch", "10 000 log-densities, 2 dimensions, 3 x 64: PyTorch's time / ours, one thread", ">=", 8),
    ("logp_vs_torch_2", "the same on two threads", ">=", 8),
]

CONTEXT = fm.Context(threads=2)


def say(text):
    print("  " + text, flush=True)


def scattered_mixture(dim, seed=4):
    random = np.random.default_rng(seed)
    return fm.Source.gaussian_mixture(random.uniform(0.5, 1, 4), random.normal(size=(4, dim)) * 1.5,
                                      random.uniform(0.3, 1, (4, dim)), context=CONTEXT)


def exact_error(n):
    """Of samples and of points beside them, by dimension."""
    errors = {}
    for dim in (1, 2, 10):
        target = scattered_mixture(dim)
        model = fm.Model.closed_form(target, context=CONTEXT)
        x = target.draw(n, seed=1)
        x[::4] += 0.5 * np.random.default_rng(2).normal(size=x[::4].shape).astype(np.float32)
        likelihood = fm.Likelihood(model, steps=200)
        drawn = likelihood.draw(n, seed=3)
        errors[dim] = max(np.abs(likelihood.evaluate(x).log_density - model.log_density(x)).max(),
                          np.abs(drawn.log_density - model.log_density(drawn.x)).max())
        say(f"closed form in {dim} dimensions, RK4 with 200 steps: off by at most {errors[dim]:.2g}")
    return errors


def adaptive_error(n):
    """Median of error over tolerance, by solver, dimension and tolerance, the larger one of given and of drawn rows."""
    errors = {}
    for dim in (1, 2, 10):
        target = scattered_mixture(dim)
        model = fm.Model.closed_form(target, context=CONTEXT)
        x = target.draw(n, seed=1)
        for solver in ("bogacki_shampine", "dormand_prince", "tsitouras"):
            said = []
            for tolerance in (1e-3, 1e-4, 1e-5, 1e-6):
                likelihood = fm.Likelihood(model, solver=solver, atol=tolerance, rtol=tolerance)
                seen, drawn = likelihood.evaluate(x), likelihood.draw(n, seed=3)
                off = np.stack([np.abs(seen.log_density - model.log_density(x)),
                                np.abs(drawn.log_density - model.log_density(drawn.x))]) / tolerance
                errors[f"{solver}, {dim}, {tolerance:g}"] = float(np.median(off, axis=1).max())
                said.append(f"{np.median(off, axis=1).max():.2g} ({off.max():.2g}; "
                            f"{seen.statistics.evaluations.mean():.0f})")
            say(f"{solver} in {dim} dimensions, error / tolerance at 1e-3 ... 1e-6, median (largest; evaluations): "
                + ", ".join(said))
    return errors


def trained(target, steps):
    model = fm.Model.mlp(data=target, hidden_layers=3, hidden_width=64, seed=1, context=CONTEXT)
    fm.Trainer(model, fm.Adam(context=CONTEXT), target, batch=256, seed=2, steps=steps).run(steps)
    return model


def grid_of(target, points):
    """A box that is three deviations larger on each side than the data, and the volume of a cell."""
    rows = target.draw(20000, seed=9)
    room = 3 * rows.std(0)
    axes = [np.linspace(low, high, points) for low, high in zip(rows.min(0) - room, rows.max(0) + room)]
    cell = np.prod([axis[1] - axis[0] for axis in axes])
    return np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, len(axes)), cell


def density_integrals(quick):
    targets = {
        "post": (fm.Source.gaussian_mixture([0.55, 0.45], [-0.85, 1.5], [0.65, 0.25], context=CONTEXT), 2001),
        "mixture": (scattered_mixture(2), 161 if quick else 301),
        "moons": (fm.Source.toy("two_moons", "torchcfm_runner", context=CONTEXT), 161 if quick else 401),
    }
    integrals = {}
    for name, (target, points) in targets.items():
        model = trained(target, 2000 if quick else 10000)
        grid, cell = grid_of(target, points)
        log_density = fm.Likelihood(model, steps=100).evaluate(grid).log_density
        integrals[name] = float(np.exp(log_density).sum() * cell)
        say(f"{name}, learned: the density integrates to {integrals[name]:.5f} over {len(grid)} points")
    return integrals


def joint_log_density(model, x, steps, base):
    """RK4 on [x; l], the divergence taken at every stage: what a general solver does."""
    x, integral, h = x.astype(float), np.zeros(len(x)), -1 / steps

    def field(x, t):
        rows, t = x.astype(np.float32), np.full(len(x), t, np.float32)
        return model.evaluate(rows, t).astype(float), model.divergence(rows, t).divergence

    for i in range(steps):
        t = 1 - i / steps
        k1, q1 = field(x, t)
        k2, q2 = field(x + h / 2 * k1, t + h / 2)
        k3, q3 = field(x + h / 2 * k2, t + h / 2)
        k4, q4 = field(x + h * k3, t + h)
        x += h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
        integral += h / 6 * (q1 + 2 * q2 + 2 * q3 + q4)
    return base(x) + integral


def beside_joint(quick, steps=50):
    """Whether a divergence once a step costs accuracy: learned densities, each against 300 joint steps."""
    targets = {"post": fm.Source.gaussian_mixture([0.55, 0.45], [-0.85, 1.5], [0.65, 0.25], context=CONTEXT),
               "moons": fm.Source.toy("two_moons", "torchcfm_runner", context=CONTEXT),
               "eight": fm.Source.toy("eight_gaussians", context=CONTEXT)}
    ratios = {}
    for name, target in targets.items():
        model = trained(target, 1000 if quick else 3000)
        x = target.draw(500, seed=5)
        x[::4] += 0.3 * np.random.default_rng(2).normal(size=x[::4].shape).astype(np.float32)
        rows = target.draw(20000, seed=6)

        def base(x, mean=rows.mean(0), std=rows.std(0)):
            return -0.5 * (((x - mean) / std) ** 2).sum(1)

        exact = joint_log_density(model, x, 300, base)
        ours, joint = (np.quantile(np.abs(seen - exact), 0.99) for seen in (
            fm.Likelihood(model, steps=steps, base=base).evaluate(x).log_density,
            joint_log_density(model, x, steps, base)))
        ratios[name] = float(ours / joint)
        say(f"{name}, learned, RK4 with {steps} steps: 99 of 100 within {ours:.2g}, and {joint:.2g} with the "
            f"divergence at every stage")
    return ratios


def coverage(n, steps):
    """On the field of a network that has learned a normal whose columns depend on each other, and of a mixture.

    In a mixture's field z^T (dv/dx) z is skewed, because few directions tell components apart, and the error of a mean
    of 32 covers a little less.
    """
    random = np.random.default_rng(1)
    data = (random.normal(size=(50000, 10)) @ random.normal(size=(10, 10))).astype(np.float32)
    mixture = scattered_mixture(10)
    fields = {"network": (trained(fm.Source.array(data, context=CONTEXT), steps), data[:n]),
              "mixture": (fm.Model.closed_form(mixture, context=CONTEXT), mixture.draw(n, seed=5))}
    covered = {}
    for name, (model, x) in fields.items():
        exact = fm.Likelihood(model).evaluate(x).log_density
        for probe in ("rademacher", "gaussian"):
            seen = fm.Likelihood(model, divergence=fm.Divergence("hutchinson", probe, probes=32, seed=6)).evaluate(x)
            share = float((np.abs(seen.log_density - exact) <= 1.96 * seen.standard_error).mean())
            covered[f"{name}, {probe}"] = share
            say(f"{name}, {probe}: {share:.3f} of {n} rows within 1.96 standard errors, which are "
                f"{seen.standard_error.mean():.3f} in the mean")
    return covered


class Peer:
    """PyTorch in a process of its own, with the OpenBLAS that serves it best."""

    def __init__(self, threads, folder):
        self.name = os.path.join(folder, f"peer{threads}")
        openmp = "/usr/lib/x86_64-linux-gnu/openblas-openmp"
        environment = dict(os.environ, OMP_NUM_THREADS=str(threads), OPENBLAS_NUM_THREADS=str(threads))
        if os.path.isdir(openmp):
            environment["LD_LIBRARY_PATH"] = openmp
        self.process = subprocess.Popen([sys.executable, os.path.join(HERE, "peer_likelihood.py"), str(threads),
                                         self.name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                        env=environment, stderr=subprocess.DEVNULL)
        self.is_there = self.process.stdout.readline() == "ready\n"

    def parameters(self):
        return dict(np.load(self.name + ".npz"))

    def run(self, x, steps):
        np.save(self.name + ".npy", x)
        print(steps, file=self.process.stdin, flush=True)
        seconds = float(self.process.stdout.readline())
        return seconds, np.load(self.name + ".out.npy")

    def end(self):
        self.process.stdin.close()
        self.process.wait()


def beside_torch(threads, rounds, n=10000, steps=50):
    """Seconds in turn, and how far the two are apart; None without PyTorch."""
    with tempfile.TemporaryDirectory() as folder:
        peer = Peer(threads, folder)
        if not peer.is_there:
            peer.end()
            say("PyTorch (python3-torch) is not installed: its ratios are missing")
            return None
        model = fm.Model.mlp(2, hidden_layers=3, hidden_width=64, preset="plain", context=fm.Context(threads=threads))
        model.parameters.update(peer.parameters())
        likelihood = fm.Likelihood(model, solver="rk4", steps=steps)
        x, times = np.random.default_rng(1).normal(size=(n, 2)).astype(np.float32), []
        for k in range(rounds + 1):
            ours, seen = time_of(lambda: likelihood.evaluate(x))
            theirs, wanted = peer.run(x, steps)
            times += [(ours, theirs)] if k > 0 else []  # the first one warms up
        peer.end()
    best = [min(column) for column in zip(*times)]
    result = {"ours": best[0], "torch": best[1], "ratio": best[1] / best[0],
              "median_ratio": statistics.median(theirs / ours for ours, theirs in times),
              "apart": float(np.abs(seen.log_density - wanted).max())}
    say(f"{n} log-densities, RK4 with {steps} steps, {threads} threads: ours {1e3 * best[0]:.0f} ms, PyTorch "
        f"{1e3 * best[1]:.0f} ms, {result['ratio']:.1f} times; apart by at most {result['apart']:.2g}")
    return result


def likelihood(quick):
    errors = exact_error(200 if quick else 2000)
    adaptive = adaptive_error(200 if quick else 2000)
    integrals = density_integrals(quick)
    beside = beside_joint(quick)
    covered = coverage(1000, 1000 if quick else 4000)
    peers = {threads: beside_torch(threads, 3 if quick else 7) for threads in (1, 2)}
    share = covered["network, rademacher"]
    targets = {"logp_exact_error": float(max(errors.values())), "logp_adaptive_error": max(adaptive.values()),
               "density_integral_error": max(abs(value - 1) for value in integrals.values()),
               "logp_error_vs_joint": max(beside.values()),
               "hutchinson_coverage": share, "hutchinson_coverage_off": abs(share - 0.945),
               "logp_vs_torch": peers[1] and peers[1]["ratio"], "logp_vs_torch_2": peers[2] and peers[2]["ratio"]}
    return targets, {"exact": {k: float(v) for k, v in errors.items()}, "adaptive": adaptive, "integrals": integrals,
                     "joint": beside, "coverage": covered, "torch": peers}
