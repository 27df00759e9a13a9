"""PyTorch's part of a log-density: one network, RK4 on [x; l], the divergence by autograd.

    peer_likelihood.py THREADS FILE

Writes its parameters as FILE.npz; then for each line of standard input, a number of steps, it reads FILE.npy, and prints seconds
and writes the log-densities to FILE.out.npy.
"""
import math
import sys
import time

import numpy as np
import torch

threads, name = int(sys.argv[1]), sys.argv[2]
torch.set_num_threads(threads)
torch.manual_seed(3)
net = torch.nn.Sequential(torch.nn.Linear(3, 64), torch.nn.GELU(), torch.nn.Linear(64, 64), torch.nn.GELU(),
                          torch.nn.Linear(64, 64), torch.nn.GELU(), torch.nn.Linear(64, 2))
for parameter in net.parameters():
    parameter.requires_grad_(False)  # which autograd would follow for nothing


def field(x, t):
    """v, and its divergence: a backward pass for each column."""
    x = x.detach().requires_grad_(True)
    v = net(torch.cat([torch.full((len(x), 1), t), x], dim=1))
    divergence = torch.zeros(len(x))
    for j in range(x.shape[1]):
        gradient, = torch.autograd.grad(v[:, j].sum(), x, retain_graph=j + 1 < x.shape[1])
        divergence += gradient[:, j]
    return v.detach(), divergence


def log_density(x, steps):
    integral, h = torch.zeros(len(x), dtype=torch.float64), -1 / steps
    for i in range(steps):
        t = 1 - i / steps
        k1, q1 = field(x, t)
        k2, q2 = field(x + h / 2 * k1, t + h / 2)
        k3, q3 = field(x + h / 2 * k2, t + h / 2)
        k4, q4 = field(x + h * k3, t + h)
        x = x + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
        integral += h / 6 * (q1 + 2 * q2 + 2 * q3 + q4)
    return integral - 0.5 * x.double().square().sum(1) - 0.5 * x.shape[1] * math.log(2 * math.pi)


np.savez(name + ".npz", **{f"net.{key}": value.numpy() for key, value in net.state_dict().items()})
print("ready", flush=True)
for line in sys.stdin:
    x, steps = torch.from_numpy(np.load(name + ".npy")), int(line)
    began = time.perf_counter()
    values = log_density(x, steps)
    seconds = time.perf_counter() - began
    np.save(name + ".out.npy", values.numpy())
    print(seconds, flush=True)
