"""What is measured, and how it becomes the targets: medians over rounds in which all take turns."""
import statistics

import programs

POST = (1, 64, 256)
WIDE = (16, 512, 1024)
LARGE = (64, 2048, 4096)
POINTS = 100000
EULER_STEPS = 15
BLOCK = 4096
GELU_NANOSECONDS = 0.75

# key, what it says, sign and value of the target
TARGETS = [
    ("train_post_vs_torch", "training step of the post, PyTorch / ours", ">=", 10),
    ("train_post_vs_libtorch", "the same, libtorch / ours", ">=", 7),
    ("train_post_over_limit", "the same on one thread / the limit", "<=", 1.6),
    ("sample_vs_torch", "100 000 points, 15 Euler steps, PyTorch / ours", ">=", 5),
    ("latency_us", "one sample, 15 Euler steps, us", "<=", 7),
    ("latency_vs_torch", "the same, PyTorch / ours", ">=", 100),
    ("latency_p99_over_median", "the same, 99th percentile / median", "<=", 1.5),
    ("latency_p999_over_spin", "the same, 99.9th percentile / that of a spin", "<=", 1.3),
    ("train_512_vs_torch", "training step 16, 512x512, 1024, PyTorch / ours", ">=", 1.4),
    ("train_2048_vs_torch", "training step 64, 2048x2048, 4096, PyTorch / ours", ">=", 1.0),
    ("train_2048_of_sgemm", "the same, of the sgemm rate on two threads", ">=", 0.85),
    ("threads_2_of_fma_scaling", "post's step, 1 thread / 2, of the FMA loop's scaling", ">=", 0.85),
    ("normal_ns", "a normal number, ns", "<=", 2.5),
    ("library_bytes", "shared library, stripped, bytes", "<=", 400000),
    ("train_rss_mb", "resident memory of the post's training, MB", "<=", 10),
]


def weights(dim, width):
    return (1 + dim) * width + width * width + width * dim


def flop_of_step(dim, width, batch):
    """Forward, gradient of the input, gradient of the weight: two operations a weight and row each."""
    return 6.0 * batch * weights(dim, width)


class Samples:
    """Numbers by name, one for each round."""

    def __init__(self):
        self.values = {}

    def add(self, name, value):
        self.values.setdefault(name, []).append(value)

    def median(self, name):
        return statistics.median(self.values[name]) if name in self.values else None

    def best(self, names):
        """The name with the lowest median among those that were measured, or None."""
        there = [name for name in names if name in self.values]
        return min(there, key=self.median, default=None)

    def ratio(self, above, below):
        """Median over rounds of above / below; None where either is missing."""
        if above not in self.values or below not in self.values:
            return None
        return statistics.median(a / b for a, b in zip(self.values[above], self.values[below]))

    def spread(self, name):
        return min(self.values[name]), max(self.values[name])


def measure_post(s, quiet, library, floor, torch, libtorch, rounds, ms):
    """The short pieces of work, and the machine's rates beside them in each round."""
    for _ in range(rounds):
        quiet.wait()
        for threads in (1, 2):
            s.add(f"sgemm {threads}", floor.numbers("sgemm", 512, threads, ms)[0])
            s.add(f"fma {threads}", floor.numbers("fma", threads, ms)[0])
            s.add(f"post ours {threads}", library.numbers("train", *POST, threads, "auto", ms)[0])
            if torch:
                s.add(f"post torch {threads}", torch.numbers("train", *POST, threads, ms)[0])
            if libtorch:
                s.add(f"post libtorch {threads}", libtorch.numbers("train", *POST, threads, ms)[0])
        s.add("normal", library.numbers("normal", ms)[0])


def measure_sampling(s, quiet, library, torch, rounds, ms):
    for _ in range(rounds):
        quiet.wait()
        for threads in (1, 2):
            s.add(f"sample ours {threads}", library.numbers("sample", POINTS, threads, ms)[0])
            if torch:
                s.add(f"sample torch {threads}", torch.numbers("sample", POINTS, POINTS, threads, ms)[0])
                s.add(f"sample torch blocks {threads}", torch.numbers("sample", POINTS, BLOCK, threads, ms)[0])


def measure_latency(s, quiet, library, torch, rounds, calls):
    names = ("median", "p99", "p999", "spin median", "spin p99", "spin p999")
    for _ in range(rounds):
        quiet.wait()
        for name, value in zip(names, library.numbers("latency", calls)):
            s.add(f"latency {name}", value)
        for threads in (1, 2) if torch else ():
            s.add(f"latency torch {threads}", torch.numbers("latency", max(200, calls // 200), threads)[0])


def measure_large(s, quiet, library, floor, torch, name, work, rounds, ms):
    """Wide layers: two threads, which is the peer's best too; one thread is tried once."""
    for r in range(rounds):
        quiet.wait()
        s.add(f"{name} sgemm 2", floor.numbers("sgemm", 512, 2, ms)[0])
        s.add(f"{name} ours 2", library.numbers("train", *work, 2, "auto", ms)[0])
        if torch:
            s.add(f"{name} torch 2", torch.numbers("train", *work, 2, ms)[0])
            if r == 0:
                s.add(f"{name} torch 1", torch.numbers("train", *work, 1, ms)[0])


def resident_megabytes(memory):
    trained, nothing = (statistics.median(float(programs.run([memory, what])) for _ in range(3))
                        for what in ("train", "nothing"))
    return trained - nothing


def limit_microseconds(s):
    gelus = POST[2] * 2 * POST[1]
    return 1e-3 * flop_of_step(*POST) / s.median("sgemm 1") + 1e-3 * GELU_NANOSECONDS * gelus


def ratio_to_best(s, prefix, ours, peer_threads=(1, 2)):
    best = s.best([f"{prefix} {threads}" for threads in peer_threads])
    return s.ratio(best, ours)


def targets_of(s, library_bytes, memory_mb):
    scaling = s.ratio("post ours 1", "post ours 2") / s.ratio("fma 2", "fma 1")
    large_rate = [1e-3 * flop_of_step(*LARGE) / us / rate
                  for us, rate in zip(s.values["large ours 2"], s.values["large sgemm 2"])]
    return {
        "train_post_vs_torch": ratio_to_best(s, "post torch", "post ours 2"),
        "train_post_vs_libtorch": ratio_to_best(s, "post libtorch", "post ours 2"),
        "train_post_over_limit": s.median("post ours 1") / limit_microseconds(s),
        "sample_vs_torch": ratio_to_best(s, "sample torch", "sample ours 2"),
        "latency_us": s.median("latency median"),
        "latency_vs_torch": ratio_to_best(s, "latency torch", "latency median"),
        "latency_p99_over_median": s.ratio("latency p99", "latency median"),
        "latency_p999_over_spin": s.ratio("latency p999", "latency spin p999"),
        "train_512_vs_torch": s.ratio("wide torch 2", "wide ours 2"),
        "train_2048_vs_torch": s.ratio("large torch 2", "large ours 2"),
        "train_2048_of_sgemm": statistics.median(large_rate),
        "threads_2_of_fma_scaling": scaling,
        "normal_ns": s.median("normal"),
        "library_bytes": library_bytes,
        "train_rss_mb": memory_mb,
    }
