"""Runs an ONNX file: run_onnx.py onnx|onnxruntime|openvino MODEL INPUT IMAGES HEIGHT WIDTH OUTPUT
INPUT holds floats [3][HEIGHT][WIDTH], which IMAGES images of a batch get; OUTPUT gets the model's outputs, in their
order, as floats.  onnx: the checker looks at the model, nothing is run."""
import sys

import numpy as np

runtime, model, source, images, height, width, target = sys.argv[1:]
image = np.fromfile(source, np.float32).reshape(1, 3, int(height), int(width))
feed = {"data": np.repeat(image, int(images), 0)}
outputs = []
if runtime == "onnx":
    import onnx

    onnx.checker.check_model(onnx.load(model), full_check=True)
elif runtime == "onnxruntime":
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    outputs = onnxruntime.InferenceSession(model, options).run(None, feed)
else:
    import openvino

    config = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 1}
    compiled = openvino.Core().compile_model(model, "CPU", config)
    results = compiled(feed)
    outputs = [results[output] for output in compiled.outputs]
with open(target, "wb") as file:
    for output in outputs:
        output.astype(np.float32).tofile(file)
