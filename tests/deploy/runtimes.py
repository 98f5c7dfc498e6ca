"""Exported networks in other programs' runtimes.  open_network(runtime, path) reads the file; what it gives is called
with an image, floats [3][h][w] normalised, and returns [P][classes, bins], scores after the sigmoid."""
import importlib.util

import numpy as np


def have(*packages):
    return all(importlib.util.find_spec(package) for package in packages)


def open_onnxruntime(path):
    """All outputs of a batch of images, in the file's order."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options)
    return lambda images: session.run(None, {"data": images})


def open_openvino(path):
    """The same."""
    import openvino

    config = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 1}
    compiled = openvino.Core().compile_model(path, "CPU", config)
    return lambda images: list(compiled(images).values())


def open_mnn(path):
    """The same for a file of MNN's converter.  Without its Winograd, whose large tiles lose a digit or two."""
    import MNN
    import MNN.expr
    import MNN.nn

    winograd_memory_level = 3
    manager = MNN.nn.create_runtime_manager(({"backend": "CPU", "numThread": 1},))
    manager.set_hint(winograd_memory_level, 0)
    net = MNN.nn.load_module_from_file(path, ["data"], ["output"], runtime_manager=manager)

    def run(images):
        data = MNN.expr.placeholder(list(images.shape), MNN.expr.NCHW)
        data.write(images.flatten().tolist())
        return [np.array(MNN.expr.convert(blob, MNN.expr.NCHW).read()) for blob in net.forward([data])]

    return run


def open_ncnn(path, fast=False):
    """Of an image, as the blob `first` if it is told, the blobs `last`, else all that nothing reads.  fast: not all
    arithmetic in 32 bits, but as ncnn would run it."""
    import ncnn

    net = ncnn.Net()
    net.opt.num_threads = 1
    if not fast:
        net.opt.use_fp16_packed = net.opt.use_fp16_storage = net.opt.use_fp16_arithmetic = False
        net.opt.use_bf16_storage = False
    if net.load_param(path) or net.load_model(path.removesuffix("param") + "bin"):
        raise ValueError(f"{path}: ncnn cannot read it")

    def run(image, first=None, last=None):
        extractor, blobs = net.create_extractor(), {}
        extractor.input(first or net.input_names()[0], ncnn.Mat(image).clone())
        for name in last or net.output_names():
            status, blob = extractor.extract(name)
            if status:
                raise ValueError(f"{path}: no blob {name}")
            blobs[name] = np.array(blob)
        return blobs

    return run


def joined(blobs):
    """Scores and bins of all levels."""
    if list(blobs) == ["output"]:
        return blobs["output"]
    strides = sorted({int(name.split("_")[-1]) for name in blobs})
    return np.concatenate([np.concatenate([blobs[f"{part}_pred_stride_{stride}"] for part in ("cls", "dis")], 1)
                           for stride in strides])


BATCHED = {"onnxruntime": open_onnxruntime, "openvino": open_openvino, "MNN": open_mnn}


def open_network(runtime, path):
    if runtime == "ncnn":
        net = open_ncnn(path)
        return lambda image: joined(net(image))
    net = BATCHED[runtime](path)
    return lambda image: net(image[None])[0][0]
