"""Prints tests/mobilenet_v3_small.h: names and shapes of the parameters of torchvision's mobilenet_v3_small, and maps
that it computes with parameters that tests/test_backbones.c makes, too.  Needs torch and torchvision:

    python3 tests/oracle/mobilenet_v3.py > tests/mobilenet_v3_small.h
"""
import numpy
import torch

# torchvision's compiled operators are not needed: the import may go on without them.
torch.library.register_fake = lambda name, function=None, **_: function or (lambda f: f)
from torchvision.models import mobilenet_v3_small

MAPS, PLACES = (3, 8, 12), 8


def uniform(name, count):
    """Numbers from -0.5 to 0.5: a hash of the name and the index, in 32 bits."""
    seed = 2166136261
    for letter in name.encode():
        seed = (seed ^ letter) * 16777619 % 2**32
    x = (seed + numpy.arange(count, dtype=numpy.uint64) * 2654435761) % 2**32
    x = (x ^ x >> 15) * 0x85EBCA6B % 2**32
    return (x ^ x >> 13) / 2.0**32 - 0.5


def value(name, shape):
    u = uniform(name, int(numpy.prod(shape)))
    if len(shape) == 4:
        u = u * numpy.sqrt(24 / numpy.prod(shape[1:]))
    elif name.endswith(("running_var", "1.weight")):
        u = 1 + u
    return torch.from_numpy(u.astype(numpy.float32).reshape(shape))


network = mobilenet_v3_small().eval()
state = {k: v for k, v in network.state_dict().items() if k.startswith("features") and v.dim()}
network.load_state_dict({k: value(k, tuple(v.shape)) for k, v in state.items()}, strict=False)
x = torch.from_numpy((4 * uniform("image", 3 * 64 * 96)).astype(numpy.float32).reshape(1, 3, 64, 96))

print("/* tests/mobilenet_v3_small.h -- printed by tests/oracle/mobilenet_v3.py. */")
print("static const struct { const char *name; int dims[4]; } mobilenet_v3_small[] = {")
for name, v in state.items():
    print("    { \"%s\", { %s } }," % (name, ", ".join(map(str, v.shape))))
print("};\n")
print("/* A map, the mean of its absolute values, and elements spread over it, in the order [c][h][w]. */")
print("static const struct { int stage; double mean; float at[%d]; } mobilenet_v3_maps[] = {" % PLACES)
with torch.no_grad():
    for i, module in enumerate(network.features):
        x = module(x)
        if i in MAPS:
            flat = x.flatten()
            places = [flat[k * flat.numel() // PLACES + 5 * k].item() for k in range(PLACES)]
            print("    { %d, %.9g,\n      { %s } }," % (i, flat.double().abs().mean(),
                                                        ", ".join("%.9gf" % v if v % 1 else "%d" % v for v in places)))
print("};")
