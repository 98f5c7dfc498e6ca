#!/usr/bin/env python3
"""Detects objects in images with onnxruntime.

    detect_onnx.py [--resize stretch|keep|letterbox] [--score 0.35] MODEL.onnx IMAGE...

MODEL.onnx is of `nanodet export --format onnx` with any --output.  --resize overrides data.val.resize, which the file
tells.  `keep` needs a model exported with --any-size.
"""
import argparse
import json
import sys

import cv2
import onnxruntime

from nanodet_boxes import decode, prepare, show, suppress, to_image


def detections(session, model, data, score):
    """Boxes in pixels of the input, scores and classes, for any kind of output."""
    outputs = dict(zip([output.name for output in session.get_outputs()], session.run(None, {"data": data})))
    if "labels" in outputs:                     # --output nms: scores above 0.05, best first
        good = outputs["scores"] > score
        return outputs["boxes"][good], outputs["scores"][good], outputs["labels"][good]
    if "boxes" in outputs:                      # --output boxes
        return suppress(outputs["boxes"][0], outputs["scores"][0], score)
    height, width = data.shape[2:]              # --output raw
    boxes, scores = decode(outputs["output"][0], len(model["class_names"]), model["strides"], model["prior_offset"],
                           width, height)
    return suppress(boxes, scores, score)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--resize", choices=["stretch", "keep", "letterbox"])
    parser.add_argument("--score", type=float, default=0.35)
    parser.add_argument("model")
    parser.add_argument("images", nargs="+")
    arguments = parser.parse_args()
    session = onnxruntime.InferenceSession(arguments.model, providers=["CPUExecutionProvider"])
    metadata = session.get_modelmeta().custom_metadata_map
    model = {key: json.loads(metadata[key]) for key in
             ("class_names", "resize", "resize_to", "mean_bgr", "deviation_bgr", "strides", "prior_offset")}
    for file in arguments.images:
        image = cv2.imread(file)
        if image is None:
            sys.exit(f"{file}: cannot be read")
        data, placement = prepare(image, model["resize_to"], arguments.resize or model["resize"],
                                  model["mean_bgr"], model["deviation_bgr"])
        boxes, scores, labels = detections(session, model, data, arguments.score)
        show(file, to_image(boxes, placement, image), scores, labels, model["class_names"])


if __name__ == "__main__":
    main()
