#!/usr/bin/env python3
"""The time of other programs for NanoDet-Plus-m 320 without decoding and suppression: the peers of
`nanodet bench CONFIG --mode infer`.  onnxruntime, OpenVINO and ncnn run what `nanodet export` wrote, PyTorch the model
of peer_train.py, traced and frozen."""
import argparse
import json
import resource
import statistics
import time

import numpy as np

SIZE = 320


def onnxruntime(args, images):
    import onnxruntime
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = args.threads
    session = onnxruntime.InferenceSession(args.model, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda: session.run(None, {name: images})


def openvino(args, images):
    import openvino
    exact = {"INFERENCE_NUM_THREADS": args.threads, "INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY"}
    core = openvino.Core()
    model = core.read_model(args.model)
    model.reshape(images.shape)
    request = core.compile_model(model, "CPU", exact).create_infer_request()
    return lambda: request.infer([images])


def ncnn(args, images):
    import ncnn
    net = ncnn.Net()
    net.opt.num_threads = args.threads
    net.load_param(args.model)
    net.load_model(args.model.removesuffix(".param") + ".bin")
    start, end = net.input_names()[0], net.output_names()

    def run():
        for image in images:
            extractor = net.create_extractor()
            extractor.input(start, ncnn.Mat(image))
            for name in end:
                extractor.extract(name)
    return run


def torch(args, images):
    import torch
    import peer_train
    torch.set_num_threads(args.threads)
    model = peer_train.NanoDetPlus(aux=False).eval().to(memory_format=torch.channels_last)
    images = torch.from_numpy(images).to(memory_format=torch.channels_last)
    with torch.inference_mode():
        frozen = torch.jit.freeze(torch.jit.trace(model, images, check_trace=False, strict=False))

    def run():
        with torch.inference_mode():
            frozen(images)
    return run


PEERS = {"onnxruntime": onnxruntime, "openvino": openvino, "ncnn": ncnn, "torch": torch}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("peer", choices=PEERS)
    parser.add_argument("model", nargs="?", help="the .onnx or .param file")
    parser.add_argument("--batch", type=int, default=1, metavar="N", help="images at a time")
    parser.add_argument("--threads", type=int, required=True, metavar="T", help="of the CPU")
    parser.add_argument("--seconds", type=float, default=10, metavar="S", help="how long to measure")
    args = parser.parse_args()
    images = np.random.default_rng(0).standard_normal((args.batch, 3, SIZE, SIZE)).astype(np.float32)
    run = PEERS[args.peer](args, images)
    for _ in range(3):
        run()
    times, end = [], time.perf_counter() + args.seconds
    while not times or time.perf_counter() < end:
        start = time.perf_counter()
        run()
        times.append(1000 * (time.perf_counter() - start) / args.batch)
    print(json.dumps({"ms_per_image_min": min(times), "ms_per_image_median": statistics.median(times),
                      "peak_rss_bytes": 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss}))


if __name__ == "__main__":
    main()
