#!/usr/bin/env python3
"""The mAP of exported official weights in other runtimes is that of `nanodet test`.

    accuracy.py [--data ../shared/data] [RUNTIME-BITS ...]

Each model is exported to ONNX and ncnn in 32 and 16 bits.  Images are prepared and predictions decoded here, apart from
our own program: cv2 warps, and numpy decodes and suppresses by the rules of the original.  `nanodet eval` scores.
"""
import argparse
import json
import os
import sys
import tempfile

import numpy as np

from outputs import RUNTIMES, converted, export, run
from runtimes import have, open_network

TOLERANCE = {"fp32": 0.001, "fp16": 0.002}
MEAN, DEVIATION = np.float32([103.53, 116.28, 123.675]), np.float32([57.375, 57.12, 58.395])
SIDE, SCORE, IOU, KEPT = 320, 0.05, 0.6, 100
# Configuration, weights, whether images are letterboxed, strides, offset of a prior in its cell.
MODELS = [
    ("nanodet-plus-m_320", "nanodet-plus-m_320.param", False, (8, 16, 32, 64), 0),
    ("nanodet-m", "nanodet_m.ckpt", True, (8, 16, 32), 0.5),
    ("enhanced-nanodet-s_320", "enhanced_nanodet_s.onnx", False, (8, 16, 32, 64), 0),
]


def prepared(image, letterbox):
    """The network's input, and the matrix from the image to it."""
    import cv2

    h, w = image.shape[:2]
    sx, sy = SIDE / w, SIDE / h
    if letterbox:
        sx = sy = min(sx, sy)
    matrix = np.float64([[sx, 0, 0], [0, sy, 0], [0, 0, 1]])
    if letterbox:
        matrix[:2, 2] = (SIDE - sx * w) / 2, (SIDE - sy * h) / 2
    warped = cv2.warpPerspective(image, matrix, (SIDE, SIDE))
    return np.ascontiguousarray(((np.float32(warped) - MEAN) / DEVIATION).transpose(2, 0, 1)), matrix


def priors(strides, offset):
    """x, y and stride of every prior."""
    rows = []
    for stride in strides:
        cells = (np.arange(-(-SIDE // stride)) + offset) * stride
        y, x = np.meshgrid(cells, cells, indexing="ij")
        rows.append(np.stack([x.ravel(), y.ravel(), np.full(x.size, stride)], 1))
    return np.concatenate(rows)


def overlaps(box, boxes):
    side = np.minimum(box[2:], boxes[:, 2:]) - np.maximum(box[:2], boxes[:, :2])
    inter = np.prod(np.maximum(side, 0), 1)
    return inter / np.maximum(np.prod(box[2:] - box[:2]) + np.prod(boxes[:, 2:] - boxes[:, :2], 1) - inter, 1e-6)


def suppressed(boxes, scores):
    """Rows (box, class, score), best first; without those that non-maximum suppression removes."""
    place, label = np.nonzero(scores > SCORE)
    order = np.argsort(-scores[place, label], kind="stable")
    place, label, kept = place[order], label[order], []
    while place.size and len(kept) < KEPT:
        kept.append((boxes[place[0]], int(label[0]), float(scores[place[0], label[0]])))
        near = (label == label[0]) & (overlaps(boxes[place[0]], boxes[place]) > IOU)
        near[0] = True
        place, label = place[~near], label[~near]
    return kept


def detections(output, prior, classes, matrix, image, categories):
    bins = np.float64(output[:, classes:]).reshape(len(output), 4, -1)
    bins = np.exp(bins - bins.max(2, keepdims=True))
    away = (bins / bins.sum(2, keepdims=True)) @ np.arange(bins.shape[2]) * prior[:, 2:]
    points = prior[:, :2]
    boxes = np.concatenate([points - away[:, :2], points + away[:, 2:]], 1).clip(0, SIDE)
    inverse, found = np.linalg.inv(matrix), []
    for box, label, score in suppressed(boxes, output[:, :classes]):
        corners = box.reshape(2, 2) @ inverse[:2, :2].T + inverse[:2, 2]
        (x1, y1), (x2, y2) = corners.clip(0, [image["width"], image["height"]])
        found.append({"image_id": image["id"], "category_id": categories[label], "score": score,
                      "bbox": [x1, y1, x2 - x1, y2 - y1]})
    return found


def score(command):
    """The AP in the output of a nanodet command."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "score.json")
        run("./nanodet", *command, "--json", path)
        with open(path) as file:
            return json.load(file)["AP"]


def accuracy(network, truth_path, truth, inputs, strides, offset, folder):
    categories = [category["id"] for category in truth["categories"]]
    prior, found = priors(strides, offset), []
    for image, (pixels, matrix) in zip(truth["images"], inputs):
        found += detections(network(pixels), prior, len(categories), matrix, image, categories)
    path = os.path.join(folder, "detections.json")
    with open(path, "w") as file:
        json.dump(found, file)
    return score(["eval", truth_path, path])


def try_model(model, data, wanted, folder):
    import cv2

    name, weights, letterbox, strides, offset = model
    images, truth_path = f"{data}/coco_val/images", f"{data}/coco_val/instances_val.json"
    config, weights = f"configs/{name}.yml", f"{data}/weights/{weights}"
    overrides = [f"data.val.img_path={images}", f"data.val.ann_path={truth_path}"]
    with open(truth_path) as file:
        truth = json.load(file)
    truth["categories"].sort(key=lambda category: category["id"])
    inputs = [prepared(cv2.imread(f"{images}/{image['file_name']}"), letterbox) for image in truth["images"]]
    ours, passed = score(["test", config, "--weights", weights, *overrides]), 0
    for runtime, bits in wanted:
        path = export(config, overrides, weights, RUNTIMES[runtime], bits, os.path.join(folder, bits))
        network = open_network(runtime, converted(path) if runtime == "MNN" else path)
        theirs = accuracy(network, truth_path, truth, inputs, strides, offset, folder)
        ok = abs(theirs - ours) <= TOLERANCE[bits]
        print(f"{'PASS' if ok else 'FAIL'} {name} {bits} {runtime}: mAP {theirs:.4f}, ours {ours:.4f}", flush=True)
        passed += ok
    return passed, len(wanted) - passed


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", default="../shared/data")
    parser.add_argument("runs", nargs="*", default=["onnxruntime-fp32", "ncnn-fp16"])
    arguments = parser.parse_args()
    wanted = [tuple(run.split("-")) for run in arguments.runs if have("cv2", run.split("-")[0])]
    missing = [run for run in arguments.runs if tuple(run.split("-")) not in wanted]
    passed = failed = 0
    for run in missing:
        print(f"SKIP {run}: python3 has no cv2 or no {run.split('-')[0]}")
    if not os.path.isdir(f"{arguments.data}/coco_val"):
        print(f"SKIP accuracy: no {arguments.data}/coco_val")
        missing, wanted = ["coco_val"], []
    for model in MODELS if wanted else []:
        with tempfile.TemporaryDirectory() as folder:
            counts = try_model(model, arguments.data, wanted, folder)
        passed, failed = passed + counts[0], failed + counts[1]
    print(f"{passed} passed, {failed} failed, {len(missing)} skipped")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
