"""Real data with the recommended settings: digits and Old Faithful."""
import os

import numpy as np

import flowmatch as fm
from flowmatch import metrics
from peers_of_assignment import time_of

LIMITS = [
    ("digits_recognised", "digits that 3 nearest real ones name as asked for, of 1000, worst seed", ">=", 0.95),
    ("digits_distance_ratio", "median distance to the nearest training digit / held-out digits', worst seed", ">=", 0.8),
    ("faithful_energy_ratio", "energy distance to the half held out: samples / the other half, ten splits", "<=", 1.25),
]

CONTEXT = fm.Context(threads=2)
DATA = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "examples", "data")


def say(text):
    print("  " + text, flush=True)


def rows_of(name):
    return np.loadtxt(os.path.join(DATA, name), delimiter=",", skiprows=1, dtype=np.float32)


def parts_of(rows, share, seed):
    """Rows in a random order, cut in two."""
    order = np.random.default_rng(seed).permutation(len(rows))
    first = int(share * len(rows))
    return rows[order[:first]], rows[order[first:]]


def neighbours_of(x, real, k=3):
    """The k nearest rows of `real`, nearest first, and their distances: both [n, k]."""
    squares = (x * x).sum(1)[:, None] + (real * real).sum(1)[None] - 2 * x @ real.T
    nearest = np.argsort(squares, axis=1)[:, :k]
    return nearest, np.sqrt(np.maximum(np.take_along_axis(squares, nearest, 1), 0))


def class_of(labels):
    """What most of the neighbours are; the nearest one's where all differ. labels [n, 3], nearest first."""
    return np.where(labels[:, 1] == labels[:, 2], labels[:, 1], labels[:, 0])


DIGITS_EACH = 100


def digits_of(seed, steps, scales):
    """For each strength of guidance, (share recognised, ratio of distances); and the share of held-out digits."""
    train, held_out = parts_of(rows_of("digits.csv"), 0.8, seed)
    x, labels = train[:, :-1], train[:, -1]
    rows = fm.Source.array(x, conditions=labels, context=CONTEXT)
    model = fm.Model.mlp(data=rows, hidden_layers=3, hidden_width=256, activation="silu", seed=seed, condition_dim=1,
                         classes=10, null_condition=True, context=CONTEXT)
    fm.Trainer(model, fm.Adam(context=CONTEXT), rows, batch=128, seed=seed, steps=steps).run(steps)
    nearest, real = neighbours_of(held_out[:, :-1], x)
    real_share = np.mean(class_of(labels[nearest]) == held_out[:, -1])
    asked, found = np.repeat(np.arange(10), DIGITS_EACH), {}
    for scale in scales:
        samples = fm.Sampler(model, guidance_scale=scale).draw(len(asked), seed=100 + seed, condition=asked)
        nearest, distance = neighbours_of(samples, x)
        found[scale] = (float(np.mean(class_of(labels[nearest]) == asked)),
                        float(np.median(distance[:, 0]) / np.median(real[:, 0])))
    return found, real_share


def digits(quick):
    """Images of 8 x 8 in ten classes, four fifths of them to learn from; 1000 samples, 100 for each class.

    A model that repeats its rows has a ratio of distances of 0; what is new and alike has 1.
    """
    wanted, seeds = 2, (0,) if quick else (0, 1, 2)
    details = []
    for seed in seeds:
        seconds, (found, real_share) = time_of(lambda: digits_of(seed, 2000 if quick else 4000, (1, wanted)))
        for scale, (share, ratio) in found.items():
            details.append({"seed": seed, "scale": scale, "recognised": share, "ratio": ratio})
            say(f"seed {seed}, guidance scale {scale}: {share:.3f} recognised (held-out digits {real_share:.3f}), "
                f"distance ratio {ratio:.3f}")
        say(f"seed {seed}: {seconds:.0f} s")
    guided = [row for row in details if row["scale"] == wanted]
    return {"digits_recognised": min(row["recognised"] for row in guided),
            "digits_distance_ratio": min(row["ratio"] for row in guided)}, details


def faithful_sets(seed, steps, preset, n):
    """The half that was held out, the other half, and samples of a model of that one: in its deviations."""
    half, held_out = parts_of(rows_of("faithful.csv"), 0.5, seed)
    mean, std = half.mean(axis=0), half.std(axis=0)
    model = fm.Model.mlp(data=half, seed=seed, preset=preset, context=CONTEXT)
    fm.Trainer(model, fm.Adam(preset=preset, context=CONTEXT), half, seed=seed, steps=steps, preset=preset).run(steps)
    return [(rows - mean) / std for rows in (held_out, half, fm.Sampler(model).draw(n, seed=1000 + seed))]


def faithful(quick):
    """272 rows in ten random halves. Energy distances to the half that was held out, from samples of a model of the
    other half, and from that half itself; the ratio of their means.

    There are 5000 samples, so that they stand for the model itself. One that repeats its half has a ratio of 1, and
    a mixture of two Gaussians fitted to that half by expectation and maximisation 0.98. Of as many samples as rows,
    136, each of them would have 0.43 more, for the chance in drawing them: that is reported too.
    """
    settings = {"recommended, 1000 steps": (1000, "recommended"), "plain, 2000 steps": (2000, "plain")}
    details, ratios = {}, []
    for name, (steps, preset) in settings.items():
        distances = []
        for seed in range(10):
            held_out, half, samples = faithful_sets(seed, steps, preset, 5000)
            blocks = samples[:len(samples) // len(half) * len(half)].reshape(-1, len(half), 2)
            distances.append([metrics.energy_distance(samples, held_out), metrics.energy_distance(half, held_out),
                              np.mean([metrics.energy_distance(block, held_out) for block in blocks])])
        samples, halves, blocks = np.mean(distances, axis=0)
        ratios.append(samples / halves)
        details[name] = {"distances": np.array(distances).tolist(), "ratio": ratios[-1], "blocks": blocks / halves}
        say(f"{name}: samples {samples:.4f}, halves {halves:.4f}, ratio {ratios[-1]:.3f}; "
            f"of as many samples as rows {blocks / halves:.3f}")
        if quick:
            break
    return {"faithful_energy_ratio": ratios[0]}, details
