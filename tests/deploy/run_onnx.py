"""Runs an ONNX file: run_onnx.py onnx|onnxruntime|openvino MODEL INPUT IMAGES HEIGHT WIDTH OUTPUT
INPUT holds floats [3][HEIGHT][WIDTH], which IMAGES images of a batch get; OUTPUT gets the model's outputs, in their
order, as floats.  onnx: the checker looks at the model, nothing is run."""
import sys

import numpy as np

from runtimes import BATCHED

runtime, model, source, images, height, width, target = sys.argv[1:]
image = np.fromfile(source, np.float32).reshape(1, 3, int(height), int(width))
outputs = []
if runtime == "onnx":
    import onnx

    onnx.checker.check_model(onnx.load(model), full_check=True)
else:
    outputs = BATCHED[runtime](model)(np.repeat(image, int(images), 0))
with open(target, "wb") as file:
    for output in outputs:
        output.astype(np.float32).tofile(file)
