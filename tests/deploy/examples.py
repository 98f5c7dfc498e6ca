#!/usr/bin/env python3
"""The programs in docs/examples give the detections of `nanodet predict` in other runtimes: boxes
within half a pixel, scores within 0.001.

Two small models are trained on drawn scenes for some seconds; images are parts of these scenes, of odd sizes.  Each
program runs with each way to resize and each kind of output.  Programs in C++ are compiled first, with the OpenVINO of
Python and the ncnn that pkg-config knows; those whose runtime, compiler or OpenCV is missing are skipped by name.
"""
import glob
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile

import numpy as np

from outputs import run
from runtimes import have

SCORE, PIXELS, SCORES = 0.1, 0.5, 1e-3
SIZES = [(384, 224), (333, 207), (301, 224), (61, 190), (40, 33), (1, 7)]
RESIZES = ["stretch", "keep", "letterbox"]
INPUT = (150, 110)                              # padded to 160 x 128
NAMES = "car,van,truck,bus,person"
HEAD = """{num_classes: 5, input_channel: 32, feat_channels: 32, stacked_convs: 2, strides: [8, 16, 32], reg_max: 7,
  norm_cfg: {type: BN}, %s}"""
MODELS = {                                      # name, neck and head
    "NanoDet-Plus": ("NanoDetPlus", "{name: GhostPAN, out_channels: 32, num_extra_level: 0, use_depthwise: true, "
                     "in_channels: [48, 96, 192]}", HEAD % "name: NanoDetPlusHead"),
    "NanoDet": ("OneStageDetector", "{name: PAN, out_channels: 32, start_level: 0, num_outs: 3, "
                "in_channels: [48, 96, 192]}", HEAD % "name: NanoDetHead, share_cls_reg: true, octave_base_scale: 5")}
CONFIG = """save_dir: {folder}/run
model:
  arch:
    name: {name}
    backbone: {{name: ShuffleNetV2, model_size: 0.5x, out_stages: [2, 3, 4], pretrain: false}}
    fpn: {neck}
    head: {head}
data:
  train: {{img_path: {folder}/scenes/images/train, ann_path: {folder}/scenes/train.json, input_size: {size},
          resize: stretch}}
  val: {{img_path: {folder}/scenes/images/val, ann_path: {folder}/scenes/val.json, resize: stretch}}
device: {{batchsize_per_gpu: 4}}
schedule:
  optimizer: {{name: AdamW, lr: 0.004, weight_decay: 0.05}}
  warmup: {{steps: 10}}
  total_epochs: 50
  val_intervals: 50
grad_clip: 35
class_names: [{names}]
"""


def draw(folder):
    """Scenes for training, and crops of them for detection."""
    import cv2

    run("./nanodet", "synth", f"{folder}/scenes", "--images", "16", "--val-images", "1", "--size", "384x224",
        "--objects", "5-10", "--scale", "24")
    images = []
    for i, (w, h) in enumerate(SIZES):
        images.append(f"{folder}/{w}x{h}.png")
        cv2.imwrite(images[-1], cv2.imread(f"{folder}/scenes/images/train/{i:06}.jpg")[:h, :w])
    return images


def train(folder, model):
    name, neck, head = MODELS[model]
    config = f"{folder}/config.yml"
    with open(config, "w") as file:
        file.write(CONFIG.format(folder=folder, name=name, neck=neck, head=head, size=list(INPUT), names=NAMES))
    run("./nanodet", "train", config)
    return config, f"{folder}/run/model_last.safetensors"


# ---- programs ----

def openvino_options():
    folder = os.path.dirname(importlib.util.find_spec("openvino").origin)
    library = glob.glob(f"{folder}/libs/libopenvino.so.*")[0]
    return ["-isystem", f"{folder}/include", library, f"-Wl,-rpath,{folder}/libs"]


def ncnn_options():
    return subprocess.run(["pkg-config", "--cflags", "--libs", "ncnn"], capture_output=True, text=True,
                          check=True).stdout.split()


def compiled(name, options, folder):
    """The command of the program, or why there is none."""
    if not shutil.which("c++") or not os.path.isdir("/usr/include/opencv4"):
        return None, "no c++, or no OpenCV for C++"
    try:
        options = options()
    except Exception:
        return None, "its runtime is not there for C++"
    run("c++", "-O2", "-std=c++17", "-Wall", "-Wextra", "-Werror", f"docs/examples/{name}.cpp",
        "-isystem", "/usr/include/opencv4", *options, "-lopencv_imgcodecs", "-lopencv_core", "-o", f"{folder}/{name}")
    return [f"{folder}/{name}"], None


def programs(folder):
    """Name, command or None, reason, kind of file, true if names and sizes are command-line options."""
    rows = []
    for name, kind in (("detect_onnx", "onnx"), ("detect_ncnn", "ncnn")):
        there = have("onnxruntime" if kind == "onnx" else "ncnn")
        command = [sys.executable, f"docs/examples/{name}.py"] if there else None
        rows.append((f"{name}.py", command, "python3 has not its runtime", kind, kind == "ncnn"))
    for name, kind, options in (("detect_openvino", "onnx", openvino_options), ("detect_ncnn", "ncnn", ncnn_options)):
        rows.append((f"{name}.cpp", *compiled(name, options, folder), kind, True))
    return rows


# ---- detections ----

def detections_of(text):
    """{file: [(class, score, box)]} of the lines that a program prints."""
    found = {}
    for line in text.splitlines():
        file, name, score, x, y, w, h = line.split("\t")
        x, y, w, h = map(float, (x, y, w, h))
        found.setdefault(file, []).append((name, float(score), np.array([x, y, x + w, y + h])))
    return found


def ours(config, weights, overrides, images, folder):
    path = f"{folder}/ours.json"
    run("./nanodet", "predict", config, "--weights", weights, "--score", str(SCORE), "--json", path, *images,
        *overrides)
    with open(path) as file:
        rows = json.load(file)
    return {row["file"]: [(d["category_name"], d["score"], np.array(d["bbox"]) + [0, 0, *d["bbox"][:2]])
                          for d in row["detections"]] for row in rows}


def unmatched(wanted, found):
    """Detections of the first list without one of the second; scores next to the limit may fall on either side."""
    left, alone = list(found), 0
    for name, score, box in wanted:
        near = [other for other in left if other[0] == name and abs(other[1] - score) <= SCORES
                and np.abs(other[2] - box).max() <= PIXELS]
        if near:
            best = min(near, key=lambda other: np.abs(other[2] - box).max())
            left = [other for other in left if other is not best]
        alone += not near and score > SCORE + SCORES
    return alone


def try_program(program, model, resize, output, wanted, exported, images):
    name, command, _, _, needs_values = program
    options = ["--resize", resize, "--score", str(SCORE)]
    if needs_values:
        options += ["--names", NAMES, "--size", "%dx%d" % INPUT, "--strides", "8,16,32"]
    if name == "detect_openvino.cpp" and model == "NanoDet":
        options += ["--offset", "0.5"]
    done = subprocess.run([*command, *options, exported, *images], capture_output=True, text=True)
    found, count = detections_of(done.stdout), sum(map(len, wanted.values()))
    alone = sum(unmatched(a.get(image, []), b.get(image, [])) for image in images
                for a, b in ((wanted, found), (found, wanted)))
    ok = done.returncode == 0 and alone == 0 and count >= 5
    print(f"{'PASS' if ok else 'FAIL'} {name} {model} {resize} {output}: {count} detections, {alone} without a partner"
          + (f": {done.stderr.strip()[-300:]}" if done.returncode else ""), flush=True)
    return ok


def export(config, weights, kind, output, overrides, folder):
    path = f"{folder}/{output}.{'param' if kind == 'ncnn' else 'onnx'}"
    options = ["--output", output, "--any-size"] if kind == "onnx" else []
    run("./nanodet", "export", config, "--weights", weights, "--out", path, "--format", kind, *options, *overrides)
    return path


def try_model(model, wanted_programs, images, folder):
    config, weights = train(folder, model)
    passed = failed = 0
    for resize in RESIZES:
        overrides = [f"data.val.input_size=[{INPUT[0]}, {INPUT[1]}]", f"data.val.resize={resize}"]
        wanted = ours(config, weights, overrides, images, folder)
        for kind, output in (("onnx", "raw"), ("onnx", "boxes"), ("onnx", "nms"), ("ncnn", "raw")):
            exported = export(config, weights, kind, output, overrides, folder)
            for program in wanted_programs:
                if program[3] == kind:
                    ok = try_program(program, model, resize, output, wanted, exported, images)
                    passed, failed = passed + ok, failed + (not ok)
    return passed, failed


def main():
    if not have("cv2"):
        print("SKIP examples: python3 has no cv2\n0 passed, 0 failed, 1 skipped")
        return 0
    total = np.zeros(2, int)
    with tempfile.TemporaryDirectory() as folder:
        rows = programs(folder)
        skipped = [row for row in rows if row[1] is None]
        for name, _, why, *_ in skipped:
            print(f"SKIP {name}: {why}")
        images = draw(folder)
        for model in MODELS:
            total += try_model(model, [row for row in rows if row[1]], images, folder)
    print(f"{total[0]} passed, {total[1]} failed, {len(skipped)} skipped")
    return int(total[1] > 0)


if __name__ == "__main__":
    sys.exit(main())
