"""Microseconds of one training step of the post's problem in PyTorch eager, one line for each repeat."""
import sys
import time

import torch

steps = int(sys.argv[1]) if len(sys.argv) > 1 else 300
repeats = int(sys.argv[2]) if len(sys.argv) > 2 else 1
torch.set_num_threads(1)
torch.manual_seed(626)

net = torch.nn.Sequential(
    torch.nn.Linear(2, 64), torch.nn.GELU(), torch.nn.Linear(64, 64), torch.nn.GELU(), torch.nn.Linear(64, 1))
optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
means, stds = torch.tensor([-0.85, 1.5]), torch.tensor([0.65, 0.25])


def step(batch=256):
    component = (torch.rand(batch) >= 0.55).long()
    x1 = (means[component] + stds[component] * torch.randn(batch)).unsqueeze(1)
    x0 = torch.randn(batch, 1)
    t = torch.rand(batch, 1)
    x = (1 - t) * x0 + t * x1
    loss = torch.nn.functional.mse_loss(net(torch.cat([t, x], dim=1)), x1 - x0)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


for _ in range(100):
    step()
for _ in range(repeats):
    began = time.perf_counter()
    for _ in range(steps):
        step()
    print(f"{1e6 * (time.perf_counter() - began) / steps:.3f}", flush=True)
