"""What is measured: each part returns its targets and what stands behind them."""
import statistics

import numpy as np

import defaults
import flowmatch as fm
import likelihood
import peers_of_assignment
import post
import real_data
import solvers
from flowmatch import metrics, transport
from peers_of_assignment import time_of

# key, what it says, sign and value of the target; without a sign the literature's value
LIMITS = [
    ("assignment_256_vs_pot", "256 pairs, POT's emd / ours, the same cost", ">=", 2),
    ("assignment_1024_vs_pot", "1024 pairs", ">=", 1.2),
    ("assignment_cost_off", "relative difference of the costs, at most", "<=", 1e-9),
    ("npe_normal_8gaussians_ot", "normalised path energy, normal to eight Gaussians, exact", "<=", 0.05),
    ("npe_normal_8gaussians_independent", "the same, independent", "", 0.22),
    ("npe_moons_8gaussians_ot", "moons to eight Gaussians, exact", "<=", 0.09),
    ("npe_moons_8gaussians_independent", "the same, independent", "", 2.7),
    ("conditional_moons_w2_ot", "W2 within a moon, condition-aware exact coupling", "", 0),
    ("conditional_moons_w2_independent", "the same, independent coupling", "", 0),
    ("conditional_moons_w2_ratio", "the first over the second", "<=", 1.05),
    ("legal_worst", "every path, prediction and coupling: sliced W2 / that of two samples, largest", "<=", 1.5),
] + likelihood.LIMITS + post.LIMITS + real_data.LIMITS + solvers.LIMITS

CONTEXT = fm.Context(threads=2)


def say(text):
    print("  " + text, flush=True)


# ---- assignment ----

def assignment(quick):
    """Two-dimensional normal against eight Gaussians, from the same matrix of costs, in turn."""
    table, off = peers_of_assignment.compare(5 if quick else 15)
    say(peers_of_assignment.text_of(table, off).replace("\n", "\n  "))
    targets = {f"assignment_{n}_vs_pot": rows["POT"]["ratio"] if "POT" in rows else None for n, rows in table.items()}
    return {**targets, "assignment_cost_off": off}, table


# ---- normalised path energy ----

# W2^2 between two sets of 2000 points is off by a tenth from set to set, so the mean of some is taken.
POINTS, SETS, EULER_STEPS = 2000, 8, 100


def selu_network(seed, **settings):
    return fm.Model.mlp(2, hidden_layers=3, hidden_width=64, activation="selu", seed=seed, preset="plain",
                        context=CONTEXT, **settings)


def mean_w2_square(noise, target):
    return statistics.mean(
        transport.solve_assignment_points(noise.draw(POINTS, seed=3000 + k), target.draw(POINTS, seed=2000 + k)).total
        for k in range(SETS)) / POINTS


def path_energy_of(noise, target, coupling, steps, seed, w2_square):
    """|E - W2^2| / W2^2 for 2000 paths of Euler's method.

    The rate falls over the second half: at a constant one the energy goes up and down by a tenth from step to step.
    """
    model, optimizer = selu_network(seed, path=fm.Path(noise=0.1), noise=noise), fm.Adam(1e-3)
    trainer = fm.Trainer(model, optimizer, target, batch=512, seed=seed, coupling=coupling, preset="plain")
    for k in range(20):
        optimizer.learning_rate = 1e-3 * min(1, 2 - k / 10)
        trainer.run(steps // 20)
    sampler = fm.Sampler(model, solver="euler", steps=EULER_STEPS)
    paths = sampler.draw_trajectory(POINTS, seed=1000 + seed)
    return metrics.normalised_path_energy(sampler.times, paths, w2_square)


def path_energy(quick):
    """Tong et al. 2024, table 2: MLP of 3 x 64 with SELU, Adam 1e-3, sigma 0.1, batches of 512, and a rate that falls."""
    problems = {
        "normal": (None, fm.Source.toy("eight_gaussians", "torchcfm", context=CONTEXT)),
        "moons": (fm.Source.toy("two_moons", "moons_to_gaussians", context=CONTEXT),
                  fm.Source.toy("eight_gaussians", "moons_to_gaussians", context=CONTEXT)),
    }
    couplings = {"ot": (fm.Coupling("exact"), 1500 if quick else 3000),
                 "independent": (None, 5000 if quick else 20000)}
    targets, details = {}, {}
    for problem, (noise, target) in problems.items():
        w2_square = details[f"w2_square_{problem}"] = mean_w2_square(noise or fm.Source.normal(2), target)
        say(f"{problem} to eight Gaussians: W2^2 {w2_square:.3f}, the mean of {SETS} sets of {POINTS}")
        for name, (coupling, steps) in couplings.items():
            key = f"npe_{problem}_8gaussians_{name}"
            values = []
            for seed in range(1 if quick else 3):
                seconds, value = time_of(lambda: path_energy_of(noise, target, coupling, steps, seed, w2_square))
                values.append(value)
                say(f"{key}, seed {seed}, {steps} steps: {value:.4f} ({seconds:.0f} s)")
            targets[key] = statistics.mean(values)
            details[key] = values
    return targets, details


# ---- conditions ----

def moon_distances(coupling, steps, seed, n):
    """W2 of each moon's samples to fresh rows of that moon, whose label is the condition."""
    target = fm.Source.toy("two_moons", "torchcfm_runner", labels=True, context=CONTEXT)
    model = selu_network(seed, condition_dim=1, classes=2)
    fm.Trainer(model, fm.Adam(1e-3), target, batch=256, seed=seed, coupling=coupling, preset="plain").run(steps)
    rows = target.draw_rows(8 * n, seed=5000 + seed)
    sampler = fm.Sampler(model, steps=50)
    distances = []
    for label in range(2):
        real = rows.x[rows.condition[:, 0] == label][:n]
        samples = sampler.draw(len(real), seed=10 * seed + label, condition=[label])
        distances.append(np.sqrt(transport.solve_assignment_points(samples, real).total / len(real)))
    return float(np.mean(distances))


def conditions(quick):
    """Where minibatch optimal transport goes wrong: Cheng and Schwing 2025 (C2OT)."""
    couplings = {"ot": fm.Coupling("exact"), "independent": None, "blind": fm.Coupling("exact", condition="none")}
    n, steps, seeds = (500, 2000, 2) if quick else (1000, 4000, 5)
    details = {}
    for name, coupling in couplings.items():
        details[name] = [moon_distances(coupling, steps, seed, n) for seed in range(seeds)]
        say(f"{name}: mean {statistics.mean(details[name]):.4f}, seeds {[round(d, 4) for d in details[name]]}")
    means = {name: statistics.mean(values) for name, values in details.items()}
    return {"conditional_moons_w2_ot": means["ot"], "conditional_moons_w2_independent": means["independent"],
            "conditional_moons_w2_ratio": means["ot"] / means["independent"]}, details


# ---- every legal combination ----

PATHS = {
    "linear": fm.Path(), "linear with noise": fm.Path(noise=0.05), "polynomial": fm.Path("polynomial", exponent=2),
    "variance preserving": fm.Path("variance_preserving"), "linear VP": fm.Path("linear_variance_preserving"),
    "cosine": fm.Path("cosine"), "Lipman": fm.Path("lipman", sigma_min=0.01),
    "bridge": fm.Path("brownian_bridge", diffusion=0.1),
}
WITH_NOISE = ("linear with noise", "bridge")


def mixture():
    means = np.array([[-1.5, -1], [1.5, -1], [0, 1.5]])
    return fm.Source.gaussian_mixture([1, 1, 1], means, np.full((3, 2), 0.5), context=CONTEXT)


# Paths whose velocity is infinite at t = 1. There the weight that makes the loss of data or noise the velocity's is
# infinite as well, so these go without it; and an error of predicted data is magnified without bound, so that sampling
# stops before the end.
SINGULAR = ("variance preserving", "linear VP")


def loss_of(path, prediction):
    return None if prediction == "velocity" or path in SINGULAR else fm.Loss(weight="velocity")


def distance_ratio(target, path_name, prediction, coupling, batch, steps, n=2000):
    """Sliced W2 of samples to fresh rows, over that of two sets of fresh rows; each the mean of eight."""
    model = fm.Model.mlp(data=target, hidden_layers=3, hidden_width=64, path=PATHS[path_name], prediction=prediction,
                         seed=1, context=CONTEXT)
    fm.Trainer(model, fm.Adam(context=CONTEXT), target, batch=batch, seed=2, coupling=coupling,
               loss=loss_of(path_name, prediction), steps=steps).run(steps)
    end = 0.996 if prediction == "data" and path_name in SINGULAR else 1
    samples = fm.Sampler(model, steps=200, t_end=end).draw(n, seed=3)
    noise = [metrics.sliced_wasserstein(target.draw(n, seed=10 + k), target.draw(n, seed=20 + k)).w2 for k in range(8)]
    seen = [metrics.sliced_wasserstein(samples, target.draw(n, seed=30 + k)).w2 for k in range(8)]
    return float(np.mean(seen) / np.mean(noise))


def legal(quick):
    """Every path, prediction and coupling that go together, on a mixture in two dimensions.

    Unbalanced coupling is not among them: it changes what is learned, by design.
    """
    couplings = {"independent": (None, 256, 12000), "exact": (fm.Coupling("exact"), 128, 8000),
                 "entropic": (fm.Coupling("entropic", epsilon=0.05), 128, 8000)}
    details, target = {}, mixture()
    for coupling_name, (coupling, batch, steps) in couplings.items():
        for path_name in PATHS:
            for prediction in ("velocity",) if path_name in WITH_NOISE else ("velocity", "data", "noise"):
                if quick and (coupling_name == "entropic" or path_name not in ("linear", "cosine")):
                    continue
                key = f"{path_name}, {prediction}, {coupling_name}"
                seconds, details[key] = time_of(lambda: distance_ratio(
                    target, path_name, prediction, coupling, batch, steps // (4 if quick else 1)))
                say(f"{key}: {details[key]:.3f} ({seconds:.0f} s)")
    return {"legal_worst": max(details.values())}, details


PARTS = {"assignment": assignment, "path_energy": path_energy, "conditions": conditions, "legal": legal,
         "likelihood": likelihood.likelihood, "post": post.post, "defaults": defaults.defaults,
         "digits": real_data.digits, "faithful": real_data.faithful, "solvers": solvers.solvers}
