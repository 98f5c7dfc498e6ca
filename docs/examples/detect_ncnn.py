#!/usr/bin/env python3
"""Detects objects in images with ncnn.

    detect_ncnn.py --names CLASS,CLASS,... [--size 320x320] [--strides 8,16,32,64] [--resize stretch|keep|letterbox]
                   [--score 0.35] MODEL.param IMAGE...

The file has no place for names, sizes and strides: they are those of the configuration.
"""
import argparse
import sys

import cv2
import ncnn
import numpy as np

from nanodet_boxes import decode, prepare, show, suppress, to_image

MEAN, DEVIATION = (103.53, 116.28, 123.675), (57.375, 57.12, 58.395)    # data.val.pipeline.normalize


def run(net, data, strides):
    """The raw output [P, classes + 4 (reg_max + 1)] and the offset of the priors."""
    extractor = net.create_extractor()
    extractor.input(net.input_names()[0], ncnn.Mat(data[0]).clone())
    if "output" in net.output_names():          # NanoDet-Plus, Enhanced NanoDet
        return np.array(extractor.extract("output")[1]), 0
    levels = [[np.array(extractor.extract(f"{part}_pred_stride_{stride}")[1]) for part in ("cls", "dis")]
              for stride in strides]            # NanoDet: separate scores and bins per level
    return np.concatenate([np.concatenate(level, 1) for level in levels]), 0.5


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--names", required=True, type=lambda text: text.split(","))
    parser.add_argument("--size", default=(320, 320), type=lambda text: [int(side) for side in text.split("x")])
    parser.add_argument("--strides", default=(8, 16, 32, 64), type=lambda text: [int(s) for s in text.split(",")])
    parser.add_argument("--resize", choices=["stretch", "keep", "letterbox"], default="stretch")
    parser.add_argument("--score", type=float, default=0.35)
    parser.add_argument("model")
    parser.add_argument("images", nargs="+")
    arguments = parser.parse_args()
    net = ncnn.Net()
    net.opt.use_fp16_packed = net.opt.use_fp16_storage = net.opt.use_fp16_arithmetic = False
    net.load_param(arguments.model)
    net.load_model(arguments.model.removesuffix("param") + "bin")
    for file in arguments.images:
        image = cv2.imread(file)
        if image is None:
            sys.exit(f"{file}: cannot be read")
        data, placement = prepare(image, arguments.size, arguments.resize, MEAN, DEVIATION)
        output, offset = run(net, data, arguments.strides)
        boxes, scores = decode(output, len(arguments.names), arguments.strides, offset, data.shape[3], data.shape[2])
        boxes, scores, labels = suppress(boxes, scores, arguments.score)
        show(file, to_image(boxes, placement, image), scores, labels, arguments.names)


if __name__ == "__main__":
    main()
