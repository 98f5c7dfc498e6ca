#!/usr/bin/env python3
"""Compares every layer of a model, forward and backward, with PyTorch.

    oracle.py [--seed N] [--rounds N] CONFIG...

build/tests/oracle_dump runs a configuration's network on random numbers and writes its list of layers, its parameters,
what went in and what came out.  Here the network is built again from that list alone, run in PyTorch and differentiated
by it; outputs, gradients and running statistics must agree: of `predict`, the network that detects; `explain`, the same
with the gradient of its input; `train`.  Where gradients are compared, activations with kinks are replaced by smooth
ones.
PyTorch computes in double, and FLOATS times in float with all that goes in moved by its last bit: ours may be FACTOR
times as far from its double as its worst float is, and LEAST in any case.

A layer that is not in OPS below is an error: it has no oracle yet.
"""
import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
from types import SimpleNamespace

import numpy as np
import torch
from torch.nn import functional as F

DUMP = os.environ.get("ORACLE_DUMP", "build/tests/oracle_dump")
FLOATS, FACTOR, LEAST = 3, 10, 1e-4
OVERRIDES = {                           # of a configuration, so that any size suits it
    "nanodet-t.yml": ["model.arch.fpn.feature_hw=[{h16}, {w16}]", "data.train.input_size=[{w}, {h}]"],
}


# Layers.  A value is a list of maps [n, c, h, w], one per level, and so is a parameter: a vector is a map of one
# pixel, and a matrix has a row per image.

ACTIVATIONS = {
    "none": lambda a, x: x,
    "relu": lambda a, x: F.relu(x),
    "leaky_relu": lambda a, x: F.leaky_relu(x, a.slope),
    "relu6": lambda a, x: F.relu6(x),
    "hard_swish": lambda a, x: F.hardswish(x),
    "hard_sigmoid": lambda a, x: F.hardsigmoid(x),
    "silu": lambda a, x: F.silu(x),
    "sigmoid": lambda a, x: torch.sigmoid(x),
    "gelu": lambda a, x: F.gelu(x),
    "mish": lambda a, x: F.mish(x),
}


def activate(a, x):
    return [ACTIVATIONS[a.activation](a, level) for level in x]


def each(function):
    """An op that treats every level alike, with operands that have one level taken for all."""
    def op(a, *operands):
        levels = max(len(x) for x in operands)
        return [function(a, *(x[l if len(x) == levels else 0] for x in operands)) for l in range(levels)]
    return op


def conv(a, x, weight, bias=None):
    assert weight.shape[2] == a.kernel
    bias = None if bias is None else bias.flatten()
    return F.conv2d(x, weight, bias, a.stride, a.pad, groups=a.groups)


def norm(a, x, gamma, beta, mean, var):
    """One batch norm over the pixels of all levels."""
    flat = torch.cat([level.transpose(0, 1).flatten(1) for level in x], 1)[None]
    flat = F.batch_norm(flat, mean[0].view(-1), var[0].view(-1), gamma[0].flatten(), beta[0].flatten(), a.training,
                        a.momentum, a.eps)[0]
    parts = flat.split([level.numel() // level.shape[1] for level in x], 1)
    return activate(a, [part.view(level.shape[1], level.shape[0], *level.shape[2:]).transpose(0, 1)
                        for part, level in zip(parts, x)])


def group_norm(a, x, gamma, beta):
    return activate(a, [F.group_norm(level, a.groups, gamma[0].flatten(), beta[0].flatten(), a.eps) for level in x])


def layer_norm(a, x, gamma, beta):
    y = F.layer_norm(x.movedim(1, 3), [x.shape[1]], gamma.flatten(), beta.flatten(), a.eps)
    return y.movedim(3, 1)


def attention(a, x):
    """Softmax attention of queries, keys and values that are consecutive in the channels."""
    assert a.rate == 0
    n, c, h, w = x.shape
    q, k, v = x.reshape(n, 3, a.heads, c // 3 // a.heads, h * w).transpose(3, 4).unbind(1)
    return F.scaled_dot_product_attention(q, k, v).transpose(2, 3).reshape(n, c // 3, h, w)


def dropped(a, x):
    assert a.rate == 0
    return x


def position(a, x, e):
    return x + e.view(*x.shape[2:], x.shape[1]).permute(2, 0, 1)


OPS = {
    "conv": each(conv),
    "norm": norm,
    "group_norm": group_norm,
    "layer_norm": each(layer_norm),
    "sum_taps": each(lambda a, w: w.sum((2, 3)).view(1, -1, 1, 1)),
    "act": lambda a, x: activate(a, x),
    "add": each(lambda a, x, y: x + y),
    "mul": each(lambda a, x, y: x * y),
    "dropout": each(dropped),
    "drop_path": each(dropped),
    "position": each(position),
    "scale": lambda a, x, *s: [level * s[l][0] for l, level in enumerate(x)],
    "shuffle": each(lambda a, x, y: torch.stack([x, y], 2).flatten(1, 2)),
    "max_pool": each(lambda a, x: F.max_pool2d(x, a.kernel, a.stride, a.pad)),
    "avg_pool": each(lambda a, x: F.avg_pool2d(x, a.kernel, a.stride, a.pad)),
    "global_pool": each(lambda a, x: x.mean((2, 3), keepdim=True)),
    "upsample2x": each(lambda a, x: F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)),
    "resize": each(lambda a, x: F.interpolate(x, (a.height, a.width), mode="bilinear", align_corners=False)),
    "attention": each(attention),
    "nearest2x": each(lambda a, x: F.interpolate(x, scale_factor=2, mode="nearest")),
    "concat": each(lambda a, *x: torch.cat(x, 1)),
    "stack": lambda a, *x: [level for operand in x for level in operand],
    "channels": each(lambda a, x: x[:, getattr(a, "from"):a.to]),
    "detach": each(lambda a, x: x.detach()),
}


# The network

def read_safetensors(path):
    with open(path, "rb") as file:
        data = file.read()
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8:8 + size])
    graph = json.loads(header.pop("__metadata__")["graph"])
    tensors = {}
    for name, t in header.items():
        begin, end = t["data_offsets"]
        assert t["dtype"] == "F32"
        numbers = np.frombuffer(data[8 + size + begin:8 + size + end], "<f4").reshape(t["shape"])
        tensors[name] = torch.from_numpy(numbers.copy())
    return graph, tensors


def as_map(parameter):
    if parameter.dim() == 4:
        return parameter
    return parameter.reshape(parameter.shape[0] if parameter.dim() > 1 else 1, -1, 1, 1)


def rows(value):
    return torch.cat([level.permute(0, 2, 3, 1).reshape(-1, level.shape[1]) for level in value])


def check_shape(node, value):
    n, h, w, c = node["shape"]
    want = [(n, c, *level) for level in node.get("levels", [[h, w]])]
    have = [tuple(level.shape) for level in value]
    assert have == want, f"{node['name']}: {node['op']} gives {have}, not {want}"


def replay(graph, tensors, dtype):
    """The same tensors that the dump has of outputs, gradients and running statistics, computed by PyTorch."""
    given = {name: t.to(dtype) for name, t in tensors.items()}
    values, parameters = {}, {}
    image = given["input"].permute(0, 3, 1, 2).contiguous().requires_grad_("gradient.input" in given)
    values[graph["inputs"][0]["id"]] = [image]
    for p in graph["parameters"]:
        parameters[p["name"]] = given["before." + p["name"]].clone().requires_grad_(p["kind"] == "trained")
        values[p["id"]] = [as_map(parameters[p["name"]])]
    for node in graph["nodes"]:
        if node["op"] not in OPS:
            raise SystemExit(f"{node['name']}: the layer {node['op']} has no oracle; add it to OPS in {__file__}")
        value = OPS[node["op"]](SimpleNamespace(**node["attributes"]), *(values[i] for i in node["inputs"]))
        check_shape(node, value)
        values[node["output"]] = value
    outputs = {o["name"]: rows(values[o["id"]]) for o in graph["outputs"]}
    if any(name.startswith("seed.") for name in given):
        sum((y * given["seed." + name]).sum() for name, y in outputs.items()).backward()
    made = {"output." + name: y for name, y in outputs.items()}
    if "gradient.input" in given:
        made["gradient.input"] = image.grad.permute(0, 2, 3, 1)
    for name, p in parameters.items():
        if p.requires_grad and "gradient." + name in given:
            made["gradient." + name] = torch.zeros_like(p) if p.grad is None else p.grad
        if not p.requires_grad:
            made["after." + name] = p
    return {name: t.detach().double() for name, t in made.items()}


# The comparison

def distance(a, b, name, least):
    """Relative to the norm of b; of a gradient to at least `least`, below which it is nothing but rounding; of an
    output to that of what differs from row to row."""
    if name.startswith("output."):
        return float((a - b).norm() / (b - b.mean(0)).norm())
    return float((a - b).norm() / max(float(b.norm()), least))


def shaken(tensors, seed):
    """Every number moved by about its last bit."""
    torch.manual_seed(seed)
    return {name: t * (1 + 6e-8 * torch.randn_like(t)) for name, t in tensors.items()}


def compare(path):
    """The tensor that uses most of its tolerance: (part used, distance, tolerance, name), and how many there are."""
    graph, tensors = read_safetensors(path)
    exact = replay(graph, tensors, torch.float64)
    rounded = [replay(graph, shaken(tensors, seed), torch.float32) for seed in range(FLOATS)]
    largest = max([float(t.norm()) for name, t in exact.items() if name.startswith("gradient.")], default=0)
    least = {name: 1e-5 * largest if name.startswith("gradient.") else 0 for name in exact}
    lost = {name: max(distance(other[name], want, name, least[name]) for other in rounded)
            for name, want in exact.items()}
    # The error of a single element is random, since its sum cancels: such elements share the largest error.
    single = max([lost[name] for name, want in exact.items() if want.numel() == 1], default=0)
    worst = (0, 0, 0, "")
    for name, want in exact.items():
        have = distance(tensors[name].double().reshape(want.shape), want, name, least[name])
        tolerance = max(LEAST, FACTOR * (single if want.numel() == 1 else lost[name]))
        worst = max(worst, (have / tolerance if have == have else float("inf"), have, tolerance, name))
    return worst, len(exact)


def trial(config, mode, seed, folder):
    draw = random.Random(f"{config} {mode} {seed}")
    n, h, w = draw.randint(2, 4), 32 * draw.randint(2, 4), 32 * draw.randint(2, 4)
    path = os.path.join(folder, "dump.safetensors")
    overrides = [o.format(h=h, w=w, h16=h // 16, w16=w // 16) for o in OVERRIDES.get(os.path.basename(config), [])]
    if subprocess.run([DUMP, config, mode, *map(str, (n, h, w, seed)), path, *overrides]).returncode != 0:
        print(f"FAIL {config}: oracle_dump failed")
        return False
    (used, have, tolerance, name), count = compare(path)
    print(f"{'PASS' if used <= 1 else 'FAIL'} {config} {mode} {n}x{h}x{w} seed {seed}: "
          f"{have:.2g} of {tolerance:.2g} {name}, {count} tensors", flush=True)
    return used <= 1


torch.set_num_threads(1)               # the threads of two runtimes wait for each other


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("configs", nargs="+")
    args = parser.parse_args()
    passed = failed = 0
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(args.seed, args.seed + args.rounds):
            for config in args.configs:
                for mode in ("predict", "explain", "train"):
                    good = trial(config, mode, seed, folder)
                    passed, failed = passed + good, failed + (not good)
    print(f"{passed} passed, {failed} failed, 0 skipped")
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
