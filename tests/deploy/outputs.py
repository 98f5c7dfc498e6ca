#!/usr/bin/env python3
"""Every exported file of every configuration, in every runtime that is installed, on an image.

    outputs.py [--seed N] [--image FILE] CONFIG...

The image is one of ../shared/data if nothing else is said, or a drawn scene (-) where that is missing.

build/tests/deploy_dump gives each configuration weights as after some training, and what our network makes of the
image; `nanodet export` writes ONNX and ncnn in 32 and 16 bits; onnxruntime, OpenVINO, ncnn and MNN (which converts the
ONNX file) must compute the same: y to TOLERANCE (1 + |y|).
Configurations in WHOLE keep their size, the others get a small one.
"""
import argparse
import concurrent.futures
import glob
import json
import multiprocessing
import os
import subprocess
import sys
import tempfile

import numpy as np

from runtimes import have, open_network

DUMP = os.environ.get("DEPLOY_DUMP", "build/tests/deploy_dump")
TOLERANCE = {"fp32": 1e-4, "fp16": 2e-2}
SMALL = ["data.val.input_size=[96, 64]", "data.train.input_size=[96, 64]"]
WHOLE = ["nanodet-plus-m_320", "nanodet-m", "nanodet-t", "enhanced-nanodet-s_320"]
RUNTIMES = {"onnxruntime": "onnx", "openvino": "onnx", "ncnn": "ncnn", "MNN": "onnx"}
# Features that no configuration has.
MORE = {"nanodet-m-0.5x with GFLHead": ("configs/nanodet-m-0.5x.yml", [
    "model.arch.head={name: GFLHead, num_classes: 80, input_channel: 96, feat_channels: 64, stacked_convs: 2, "
    "strides: [8, 16, 32], reg_max: 8, norm_cfg: {type: GN, num_groups: 32}}"])}


def read_safetensors(path, names):
    with open(path, "rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        data = file.read()
    rows = [header[name] for name in names]
    return [np.frombuffer(data[slice(*row["data_offsets"])], np.float32).reshape(row["shape"]) for row in rows]


def run(*command):
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(done.stderr.strip() or f"{command[0]}: exit {done.returncode}")


def export(config, overrides, weights, kind, bits, stem):
    """STEM.onnx, or STEM.param and STEM.bin."""
    path = f"{stem}.{'param' if kind == 'ncnn' else kind}"
    run("./nanodet", "export", config, "--weights", weights, "--out", path, "--format", kind,
        *(["--fp16"] if bits == "fp16" else []), *overrides)
    return path


def converted(path):
    """Calls the converter directly: the program mnnconvert installs packages and sends reports to its authors."""
    run(sys.executable, "-c", "import sys, _tools; _tools.mnnconvert(sys.argv)", "-f", "ONNX", "--modelFile", path,
        "--MNNModel", path + ".mnn", "--bizCode", "nanodet")
    return path + ".mnn"


def try_runtime(runtime, path, image, want, bits):
    """The largest difference, in units of 1 + |want|, in words, and whether it is small enough."""
    have = open_network(runtime, converted(path) if runtime == "MNN" else path)(image)
    if have.shape != want.shape:
        raise ValueError(f"output is {have.shape}, not {want.shape}")
    worst = float(np.max(np.abs(have - want) / (1 + np.abs(want))))
    return f"{worst:.2g} of {TOLERANCE[bits]:g}, |y| up to {np.abs(want).max():.3g}", worst <= TOLERANCE[bits]


def try_config(name, config, overrides, arguments, runtimes, folder):
    """A line per runtime and width of numbers."""
    weights = os.path.join(folder, "weights.safetensors")
    overrides = overrides + ["data.val.resize=stretch"] + ([] if name in WHOLE else SMALL)
    run(DUMP, config, arguments.image, str(arguments.seed), weights, *overrides)
    image, want = read_safetensors(weights, ["input", "output"])
    lines = []
    for bits in TOLERANCE:
        files = {kind: export(config, overrides, weights, kind, bits, os.path.join(folder, bits))
                 for kind in {RUNTIMES[runtime] for runtime in runtimes}}
        for runtime in runtimes:
            try:
                result, ok = try_runtime(runtime, files[RUNTIMES[runtime]], image, want, bits)
            except Exception as error:
                ok, result = False, str(error)
            lines.append(f"{'PASS' if ok else 'FAIL'} {name} {bits} {runtime}: {result}")
    return lines


def try_case(case):
    with tempfile.TemporaryDirectory() as folder:
        try:
            return try_config(*case, folder)
        except Exception as error:
            return [f"FAIL {case[0]}: {error}"]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=1)
    images = sorted(glob.glob("../shared/data/coco_val/images/*.jpg"))
    parser.add_argument("--image", default=images[0] if images else "-")
    parser.add_argument("configs", nargs="+")
    arguments = parser.parse_args()
    cases = {os.path.basename(c).removesuffix(".yml"): (c, []) for c in arguments.configs} | MORE
    runtimes = [runtime for runtime in RUNTIMES if have(runtime)]
    skipped = [runtime for runtime in RUNTIMES if runtime not in runtimes]
    for runtime in skipped:
        print(f"SKIP {runtime}: python3 has no {runtime}")
    lines = []
    with concurrent.futures.ProcessPoolExecutor(os.cpu_count(), multiprocessing.get_context("spawn")) as pool:
        for more in pool.map(try_case, [(name, *case, arguments, runtimes) for name, case in cases.items()]):
            print("\n".join(more), flush=True)
            lines += more
    failed = sum(line.startswith("FAIL") for line in lines)
    print(f"{len(lines) - failed} passed, {failed} failed, {len(skipped)} skipped")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
