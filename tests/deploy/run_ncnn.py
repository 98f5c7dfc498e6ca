"""Runs a network in ncnn: run_ncnn.py MODEL.param INPUT HEIGHT WIDTH OUTPUT plain|fast IN OUT...
INPUT holds floats [3][HEIGHT][WIDTH] for the blob IN; OUTPUT gets the floats of the blobs OUT, one after the other.
plain: all arithmetic in 32 bits; fast: as ncnn would run it."""
import sys

import numpy as np

from runtimes import open_ncnn

model, source, height, width, target, mode, first, *last = sys.argv[1:]
net = open_ncnn(model, mode == "fast")
image = np.fromfile(source, np.float32).reshape(3, int(height), int(width))
with open(target, "wb") as file:
    for blob in net(image, first, last).values():
        blob.astype(np.float32).tofile(file)
