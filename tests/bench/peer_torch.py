"""PyTorch's part of the benchmark: the commands of bench_library.c, read from standard input.

    train DIM WIDTH BATCH THREADS MILLISECONDS    microseconds of a step
    sample POINTS BLOCK THREADS MILLISECONDS      microseconds of a draw, BLOCK points at a time
    latency CALLS THREADS                         median, 99 and 99.9 % of a call
    facts
"""
import sys
import time

import torch

now = time.perf_counter


def network(dim, width):
    return torch.nn.Sequential(
        torch.nn.Linear(1 + dim, width), torch.nn.GELU(),
        torch.nn.Linear(width, width), torch.nn.GELU(),
        torch.nn.Linear(width, dim))


class Training:
    """The post's loop: fresh rows of the mixture, in every column, at every step."""

    def __init__(self, dim, width, batch):
        self.dim, self.batch = dim, batch
        self.net = network(dim, width)
        self.optimizer = torch.optim.Adam(self.net.parameters(), lr=1e-3, foreach=True)
        self.means, self.stds = torch.tensor([-0.85, 1.5]), torch.tensor([0.65, 0.25])

    def step(self):
        batch, dim = self.batch, self.dim
        component = (torch.rand(batch, 1) >= 0.55).long()
        x1 = self.means[component] + self.stds[component] * torch.randn(batch, dim)
        x0 = torch.randn(batch, dim)
        t = torch.rand(batch, 1)
        x = (1 - t) * x0 + t * x1
        loss = torch.nn.functional.mse_loss(self.net(torch.cat([t, x], dim=1)), x1 - x0)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step()


kept = {}


def training(*work):
    if work not in kept:
        while len(kept) >= 8:
            del kept[next(iter(kept))]
        kept[work] = Training(*work)
        kept[work].step()
    return kept[work]


def time_pieces(milliseconds, run):
    pieces = 1
    while True:
        began = now()
        for _ in range(pieces):
            run()
        seconds = now() - began
        if seconds >= 1e-3 * milliseconds:
            return 1e6 * seconds / pieces
        pieces = int(pieces * min(20.0, 1.1e-3 * milliseconds / max(seconds, 1e-6))) + 1


def euler(net, points, steps=15):
    x = torch.randn(points, 1)
    for i in range(steps):
        t = torch.full((points, 1), i / steps)
        x = x + net(torch.cat([t, x], dim=1)) / steps
    return x


def answer_train(dim, width, batch, threads, milliseconds):
    torch.set_num_threads(int(threads))
    return [time_pieces(float(milliseconds), training(int(dim), int(width), int(batch)).step)]


post = network(1, 64)


def answer_sample(points, block, threads, milliseconds):
    torch.set_num_threads(int(threads))
    points, block = int(points), int(block)

    def draw():
        for first in range(0, points, block):
            euler(post, min(block, points - first))

    with torch.inference_mode():
        draw()
        return [time_pieces(float(milliseconds), draw)]


def answer_latency(calls, threads):
    torch.set_num_threads(int(threads))
    seconds = []
    with torch.inference_mode():
        for _ in range(50):
            euler(post, 1)
        for _ in range(int(calls)):
            began = now()
            euler(post, 1)
            seconds.append(now() - began)
    seconds.sort()
    return [1e6 * seconds[int(len(seconds) * q)] for q in (0.5, 0.99, 0.999)]


def answer_facts():
    return ["PyTorch", torch.__version__]


commands = {"train": answer_train, "sample": answer_sample, "latency": answer_latency,
            "facts": answer_facts}

for line in sys.stdin:
    name, *arguments = line.split()
    print(*commands[name](*arguments), flush=True)
