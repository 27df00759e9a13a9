"""The post's problem with the recommended settings: how well it is learned, and what the extras cost."""
import statistics

import numpy as np

import flowmatch as fm
from flowmatch import metrics
from peers_of_assignment import time_of

LIMITS = [
    ("post_w1_median", "the post's problem, recommended: W1, median of ten seeds", "<=", 0.011),
    ("post_field_median", "the same: error of the velocity field", "<=", 0.055),
    ("post_w1_2000_steps", "W1 after 2000 steps", "<=", 0.03),
    ("post_w1_plain_median", "W1 with the post's own settings", "", 0.05),
    ("post_field_plain_median", "field error with the post's own settings", "", 0.11),
    ("extras_cost", "average, clipping, schedule and baseline: share of the post's step", "<=", 0.08),
]

CONTEXT = fm.Context(threads=2)
WEIGHTS, MEANS, STDS = [0.55, 0.45], [[-0.85], [1.5]], [[0.65], [0.25]]
SAMPLES, BATCH = 100_000, 256


def say(text):
    print("  " + text, flush=True)


def target():
    return fm.Source.gaussian_mixture(WEIGHTS, MEANS, STDS, context=CONTEXT)


def exact_samples(n):
    """n values at the probabilities (i + 1/2) / n: a grid of the distribution, inverted."""
    x = np.linspace(-8, 8, 400_001)
    density = sum(w * np.exp(-0.5 * ((x - m[0]) / s[0]) ** 2) / s[0] for w, m, s in zip(WEIGHTS, MEANS, STDS))
    mass = np.concatenate([[0], np.cumsum(0.5 * (density[1:] + density[:-1]))])
    return np.interp((np.arange(n) + 0.5) / n, mass / mass[-1], x).astype(np.float32)[:, None]


def field_error(model, exact):
    """Root of the integral over t of E under p_t of (v - u)^2, by the trapezoidal rule."""
    x = np.linspace(-6, 6, 1201, dtype=np.float32)[:, None]
    errors = []
    for t in np.linspace(0, 1, 201):
        density = exact.density(x, t)
        off = (model.evaluate(x, t).astype(np.float64) - exact.evaluate(x, t))[:, 0]
        errors.append(np.sum(density * off ** 2) / np.sum(density))
    return float(np.sqrt(np.mean(0.5 * (np.array(errors[1:]) + errors[:-1]))))


def trained(source, seed, steps, preset):
    noise = fm.Source.normal(1, context=CONTEXT)
    if preset == "plain":
        model = fm.Model.mlp(1, seed=seed, noise=noise, preset="plain", context=CONTEXT)
        trainer = fm.Trainer(model, fm.Adam(preset="plain", context=CONTEXT), source, seed=seed, preset="plain")
    else:
        model = fm.Model.mlp(data=source, seed=seed, noise=noise, context=CONTEXT)
        trainer = fm.Trainer(model, fm.Adam(context=CONTEXT), source, seed=seed, steps=steps)
    trainer.run(steps)
    return model


def measure(source, exact, wanted, seed, steps, preset="recommended"):
    model = trained(source, seed, steps, preset)
    samples = fm.Sampler(model, solver="midpoint", steps=50).draw(SAMPLES, seed=seed)
    return metrics.wasserstein_1d(samples[:, 0], wanted[:, 0]).w1, field_error(model, exact)


def extras_cost(rounds, steps=2000):
    """Seconds of the post's steps with the extras over those without, in turn, less one."""
    source = target()
    extras = {"rate": fm.Rate("cosine", warmup=100), "clip_norm": 1.0, "average_decay": 0.999, "publish": "average"}

    def trainer(settings, **network):
        model = fm.Model.mlp(1, seed=1, context=CONTEXT, preset="plain", **network)
        return fm.Trainer(model, fm.Adam(context=CONTEXT), source, seed=1, preset="plain", **settings)

    without, all_of_them = trainer({}), trainer(extras, baseline="gaussian")
    ratios = []
    for _ in range(rounds):
        plain, _ = time_of(lambda: without.run(steps))
        more, _ = time_of(lambda: all_of_them.run(steps))
        ratios.append(more / plain - 1)
    say(f"extras: median {statistics.median(ratios):+.3f}, quartiles "
        f"{np.quantile(ratios, 0.25):+.3f} to {np.quantile(ratios, 0.75):+.3f} of {rounds} pairs")
    return float(statistics.median(ratios))


def post(quick):
    source = target()
    exact, wanted = fm.Model.closed_form(source), exact_samples(SAMPLES)
    runs = {"recommended": (10000, "recommended"), "2000 steps": (2000, "recommended"), "plain": (10000, "plain")}
    details = {}
    for name, (steps, preset) in runs.items():
        details[name] = [measure(source, exact, wanted, seed, steps, preset) for seed in range(1, 4 if quick else 11)]
        w1, field = zip(*details[name])
        say(f"{name}: W1 median {statistics.median(w1):.4f}, {min(w1):.4f} to {max(w1):.4f}; field "
            f"{statistics.median(field):.4f}, {min(field):.4f} to {max(field):.4f}")

    def median(name, which):
        return statistics.median(row[which] for row in details[name])
    targets = {"post_w1_median": median("recommended", 0), "post_field_median": median("recommended", 1),
               "post_w1_2000_steps": median("2000 steps", 0), "post_w1_plain_median": median("plain", 0),
               "post_field_plain_median": median("plain", 1), "extras_cost": extras_cost(9 if quick else 31)}
    return targets, details
