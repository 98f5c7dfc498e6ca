"""Runs a network in ncnn: run_ncnn.py MODEL.param INPUT HEIGHT WIDTH OUTPUT plain|fast IN OUT...
INPUT holds floats [3][HEIGHT][WIDTH] for the blob IN; OUTPUT gets the floats of the blobs OUT, one after the other.
plain: all arithmetic in 32 bits; fast: as ncnn would run it."""
import sys

import ncnn
import numpy as np

model, source, height, width, target, mode, first, *last = sys.argv[1:]
net = ncnn.Net()
net.opt.num_threads = 1
if mode == "plain":
    net.opt.use_fp16_packed = net.opt.use_fp16_storage = net.opt.use_fp16_arithmetic = False
    net.opt.use_bf16_storage = False
if net.load_param(model) or net.load_model(model[: -len("param")] + "bin"):
    sys.exit(f"{model}: ncnn cannot read it")
run = net.create_extractor()
image = np.fromfile(source, np.float32).reshape(3, int(height), int(width))
run.input(first, ncnn.Mat(image).clone())
with open(target, "wb") as file:
    for name in last:
        status, blob = run.extract(name)
        if status:
            sys.exit(f"{model}: no blob {name}")
        np.array(blob).astype(np.float32).tofile(file)
