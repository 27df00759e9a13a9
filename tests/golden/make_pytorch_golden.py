#!/usr/bin/python3
"""Write pytorch_golden.h: what PyTorch computes for small networks, for test_pytorch.c to compare with.

    /usr/bin/python3 make_pytorch_golden.py > pytorch_golden.h      (Debian: python3-torch)

PyTorch runs in double precision from parameters and inputs that are floats, so that the differences
seen by the test are the library's own rounding. The output was made with Debian 12's PyTorch 1.13.0.
"""
import torch
from torch import nn

ROWS, STEPS = 16, 10
ADAM = dict(lr=1e-3, betas=(0.9, 0.999), eps=1e-8)
SGD = dict(lr=0.05, momentum=0.9)
ACTIVATIONS = [nn.GELU(), nn.GELU(approximate="tanh"), nn.ReLU(), nn.SiLU(), nn.Tanh(), nn.ELU(),
               nn.SELU(), nn.Softplus()]
NAMES = ["gelu", "gelu_tanh", "relu", "silu", "tanh", "elu", "selu", "softplus"]
PLAIN = [  # activation (fmatch_activation), dim, widths
    (0, 1, [64, 64]), (3, 3, [17, 17, 17]), (1, 2, [12, 9]), (2, 2, [16, 16]), (4, 1, [10]),
    (5, 5, [8, 8]), (6, 2, [11, 7, 5]), (7, 1, [20, 20]), (0, 4, []), (0, 2, [5, 4, 3, 6, 7]),
]
#: Dimension, widths, activations, frequencies of Fourier features, layers of a residual block, and
#: whether there is layer normalisation.
NETS = [(dim, widths, [activation] * max(len(widths), 1), 0, 0, False)
        for activation, dim, widths in PLAIN] + [
    (2, [18, 11, 18, 13, 18, 9], [3, 0, 4, 7, 1, 6], 3, 2, True),
    (3, [10, 10, 10], [4, 3, 0], 2, 1, False),
    (1, [16, 16], [0, 3], 0, 0, True),
]


def single(tensor):
    """Values that a float holds, in double."""
    return tensor.to(torch.float32).to(torch.float64)


class Net(nn.Module):
    """The modules stand in an nn.Sequential, which names them; a residual block needs its own
    forward."""

    def __init__(self, dim, widths, activations, frequencies, residual, norm):
        super().__init__()
        self.frequencies, self.residual = frequencies, residual
        modules, inputs = [], (2 * frequencies or 1) + dim
        for width, activation in zip(widths, activations):
            modules += [nn.Linear(inputs, width)] + [nn.LayerNorm(width)] * norm
            modules += [ACTIVATIONS[activation]]
            inputs = width
        self.net = nn.Sequential(*modules, nn.Linear(inputs, dim))
        self.modules_of_layer = 2 + norm

    def forward(self, t, x):
        features = [t]
        if self.frequencies:
            features = [f(k * torch.pi * t) for k in range(1, self.frequencies + 1)
                        for f in (torch.cos, torch.sin)]
        a, kept = torch.cat(features + [x], 1), None
        for layer in range(len(self.net) // self.modules_of_layer):
            for module in self.net[layer * self.modules_of_layer:(layer + 1) * self.modules_of_layer]:
                a = module(a)
            if self.residual and layer % self.residual == 0:
                kept = a = a if layer == 0 else a + kept
        return self.net[-1](a)


def make_net(*shape):
    net = Net(*shape).to(torch.float64)
    with torch.no_grad():
        for p in net.parameters():
            p.copy_(single(p))
            if shape[-1]:  # gains and biases that are not 1 and 0
                p.add_(single(0.2 * torch.randn(p.shape)))
                p.copy_(single(p))
    return net


def flat(tensors):
    return torch.cat([t.detach().reshape(-1) for t in tensors])


def loss_of(net, batch):
    x0, x1, t = batch
    x = (1 - t) * x0 + t * x1
    return ((net(t, x) - (x1 - x0)) ** 2).mean()


def train(net, start, optimizer, batches):
    """Parameters after one step on each batch."""
    offset = 0
    with torch.no_grad():
        for p in net.parameters():
            p.copy_(start[offset:offset + p.numel()].reshape(p.shape))
            offset += p.numel()
    for batch in batches:
        optimizer.zero_grad()
        loss_of(net, batch).backward()
        optimizer.step()
    return flat(net.parameters())


def c_array(name, values, exact):
    """Nine digits give a float back exactly; eight do for what is compared with a tolerance."""
    words = [("%.9g" if exact else "%.8g") % v for v in values.tolist()]
    lines, line = [], ""
    for word in words:
        if len(line) + len(word) > 96:
            lines.append(line)
            line = ""
        line += word + ","
    print("static const float %s[] = {" % name)
    print("\n".join(lines + [line]) + "};")


# ---- rules of a step: decay, Nesterov's momentum and clipping, on some of the networks above ----

RULES = [  # name, network, optimizer, its settings, largest norm of the gradient or 0
    ("AdamW", 1, torch.optim.AdamW, dict(lr=1e-3, weight_decay=0.5), 0),
    ("AdamW, clipped", 6, torch.optim.AdamW, dict(lr=1e-3, weight_decay=0.01), 1.0),
    ("SGD with decay", 3, torch.optim.SGD, dict(lr=0.05, momentum=0.9, weight_decay=0.1), 0),
    ("SGD with Nesterov's momentum", 4, torch.optim.SGD,
     dict(lr=0.05, momentum=0.9, nesterov=True, weight_decay=0.02), 0),
    ("SGD, clipped", 6, torch.optim.SGD, dict(lr=0.05, momentum=0.9), 1.0),
]


def follow(net, start, optimizer, batches, largest):
    """Parameters after one step on each batch, and the norms of the gradients before clipping."""
    offset, norms = 0, []
    with torch.no_grad():
        for p in net.parameters():
            p.copy_(start[offset:offset + p.numel()].reshape(p.shape))
            offset += p.numel()
    for batch in batches:
        optimizer.zero_grad()
        loss_of(net, batch).backward()
        norms.append(torch.nn.utils.clip_grad_norm_(net.parameters(), largest or float("inf")))
        optimizer.step()
    return flat(net.parameters()), torch.stack(norms)


def write_rules(problems):
    rows = []
    for i, (name, network, optimizer, settings, largest) in enumerate(RULES):
        net, start, batches = problems[network]
        after, norms = follow(net, start, optimizer(net.parameters(), **settings), batches, largest)
        c_array("golden_rule_%d" % i, after, False)
        c_array("golden_norms_%d" % i, norms, False)
        rows.append('    {"%s", &goldens[%d], %s, %.17g, %.17g, %d, %.17g, golden_rule_%d, golden_norms_%d},' % (
            name, network, "true" if optimizer is torch.optim.AdamW else "false", settings["lr"],
            settings.get("weight_decay", 0), settings.get("nesterov", False), largest, i, i))
    print("static const struct golden_rule golden_rules[] = {")
    print("\n".join(rows))
    print("};")


def main():
    print("/* Written by make_pytorch_golden.py; not to be edited. */")
    print("/* clang-format off */")
    rows, problems = [], []
    for i, shape in enumerate(NETS):
        dim, widths, activations, frequencies, residual, norm = shape
        torch.manual_seed(100 + i)
        net = make_net(*shape)
        start = flat(net.parameters()).clone()
        batches = [(single(torch.randn(ROWS, dim)), single(1.5 * torch.randn(ROWS, dim) + 0.5),
                    single(torch.rand(ROWS, 1))) for _ in range(STEPS)]
        problems.append((net, start, batches))
        x, t = single(2 * torch.randn(ROWS, dim)), single(torch.rand(ROWS, 1))
        output = net(t, x)
        loss = loss_of(net, batches[0])
        loss.backward()
        gradient = flat(p.grad for p in net.parameters())
        adam = train(net, start, torch.optim.Adam(net.parameters(), **ADAM), batches)
        sgd = train(net, start, torch.optim.SGD(net.parameters(), **SGD), batches)
        arrays = {"parameters": start, "x": x.reshape(-1), "t": t.reshape(-1),
                  "output": output.detach().reshape(-1),
                  "noise": flat(b[0] for b in batches), "target": flat(b[1] for b in batches),
                  "times": flat(b[2] for b in batches), "gradient": gradient, "adam": adam, "sgd": sgd}
        for name, values in arrays.items():
            c_array("golden_%d_%s" % (i, name), values,
                    name not in ("output", "gradient", "adam", "sgd"))
        sizes = [(2 * frequencies or 1) + dim] + widths + [dim]
        name = " ".join([NAMES[activations[0]], "-".join(map(str, sizes))]
                        + ["fourier %d" % frequencies] * (frequencies > 0)
                        + ["residual %d" % residual] * (residual > 0) + ["norm"] * norm)
        rows.append('    {"%s", %d, %d, {%s}, {%s}, %d, %d, %d, %d, %.17g,\n     %s},' % (
            name, dim, len(widths), ", ".join(map(str, widths or [0])),
            ", ".join(map(str, activations)), frequencies, residual, norm, len(start), loss.item(),
            ", ".join("golden_%d_%s" % (i, name) for name in arrays)))
    print("enum { GOLDEN_ROWS = %d, GOLDEN_STEPS = %d };" % (ROWS, STEPS))
    print("static const struct golden goldens[] = {")
    print("\n".join(rows))
    print("};")
    write_rules(problems)


main()
