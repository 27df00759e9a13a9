"""What each of the recommended settings is worth: all of them, and all but one."""
import statistics

import numpy as np

import flowmatch as fm
import post
from flowmatch import metrics

# name, what differs from the recommended settings: of the network, the optimizer and the trainer
VARIANTS = [
    ("recommended", {}, {}, {}),
    ("no baseline", {"baseline": "none", "zero_output": False}, {}, {}),
    ("output not zero at first", {"zero_output": False}, {}, {}),
    ("times not stratified", {}, {}, {"times": fm.Times(stratified=False)}),
    ("no average", {}, {}, {"average_decay": 0, "publish": "present"}),
    ("no clipping", {}, {}, {"clip_norm": 0}),
    ("constant rate", {}, {}, {"rate": fm.Rate("constant", warmup=0)}),
    ("constant rate 1e-3", {}, {"learning_rate": 1e-3}, {"rate": fm.Rate("constant", warmup=0)}),
    ("rate 1e-3", {}, {"learning_rate": 1e-3}, {}),
    ("rate 2.5e-3", {}, {"learning_rate": 2.5e-3}, {}),
    ("rate 1e-2", {}, {"learning_rate": 1e-2}, {}),
    ("rate 2e-2", {}, {"learning_rate": 2e-2}, {}),
    ("no warm-up", {}, {}, {"rate": fm.Rate("cosine", warmup=0)}),
    ("plain", None, None, None),
]


def train(data, noise, seed, steps, variant, **network):
    of_network, of_optimizer, of_trainer = variant
    if of_network is None:
        model = fm.Model.mlp(data.dim, seed=seed, noise=noise, preset="plain", context=post.CONTEXT, **network)
        optimizer, of_trainer = fm.Adam(preset="plain", context=post.CONTEXT), {"preset": "plain"}
    else:
        model = fm.Model.mlp(data=data, seed=seed, noise=noise, context=post.CONTEXT, **network, **of_network)
        optimizer, of_trainer = fm.Adam(context=post.CONTEXT, **of_optimizer), {"steps": steps, **of_trainer}
    fm.Trainer(model, optimizer, data, seed=seed, **of_trainer).run(steps)
    return model


def post_errors(seed, steps, variant):
    """W1 and error of the field."""
    target = post.target()
    model = train(target, fm.Source.normal(1, context=post.CONTEXT), seed, steps, variant)
    samples = fm.Sampler(model, solver="midpoint", steps=50).draw(post.SAMPLES, seed=seed)
    w1 = metrics.wasserstein_1d(samples[:, 0], post.exact_samples(post.SAMPLES)[:, 0]).w1
    return w1, post.field_error(model, fm.Model.closed_form(target))


def toy_error(kind, width, seed, steps, variant):
    """Sliced W2 of 10 000 samples to fresh rows, mean of four, in hundredths of the data's deviation."""
    target = fm.Source.toy(kind, "ffjord", context=post.CONTEXT)
    model = train(target, None, seed, steps, variant, hidden_layers=3, hidden_width=width)
    samples = fm.Sampler(model).draw(10_000, seed=seed)
    return 100 / float(np.mean(target.moments()[1])) * statistics.mean(
        metrics.sliced_wasserstein(samples, target.draw(10_000, seed=10 + k)).w2 for k in range(4))


def defaults(quick):
    seeds = range(1, 3 if quick else 6)
    details = {}
    say = post.say
    say(f"{'':26s} {'post: W1':>9s} {'field':>7s} {'2000: W1':>9s} {'field':>7s} {'board':>7s} {'2000':>7s} "
        f"{'moons, 256':>11s}")
    for name, *variant in VARIANTS:
        rows = [(*post_errors(seed, 10000, variant), *post_errors(seed, 2000, variant),
                 toy_error("checkerboard", 64, seed, 10000, variant), toy_error("checkerboard", 64, seed, 2000, variant),
                 toy_error("two_moons", 256, seed, 2000, variant)) for seed in seeds]
        details[name] = [statistics.median(column) for column in zip(*rows)]
        w1, field, w1_short, field_short, board, board_short, moons = details[name]
        say(f"{name:26s} {w1:9.4f} {field:7.4f} {w1_short:9.4f} {field_short:7.4f} {board:7.2f} {board_short:7.2f} "
            f"{moons:11.2f}")
    return {}, details
