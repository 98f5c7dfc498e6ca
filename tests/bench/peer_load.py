#!/usr/bin/env python3
"""The images per second that one core reads, warps and colours with OpenCV and NumPy, in the order of work that the
original's loader has: the peer of tests/bench/load.c.  The augmentation is that of configs/nanodet-plus-m_320.yml."""
import argparse
import json
import random
import resource
import time
from pathlib import Path

import cv2
import numpy as np

SIZE = 320
SCALE, STRETCH, TRANSLATE = (0.6, 1.4), (0.8, 1.2), 0.2
BRIGHTNESS, CONTRAST, SATURATION = 0.2, (0.6, 1.4), (0.5, 1.2)
MEAN = np.array([103.53, 116.28, 123.675], np.float32).reshape(1, 1, 3) / 255
DEVIATION = np.array([57.375, 57.12, 58.395], np.float32).reshape(1, 1, 3) / 255


def shift(x, y):
    return np.array([[1, 0, x], [0, 1, y], [0, 0, 1.]])


def draw_matrix(width, height):
    """From the image to the input, stretched to its size."""
    scale = random.uniform(*SCALE)
    x, y = scale * random.uniform(*STRETCH), scale * random.uniform(*STRETCH)
    x *= random.choice((-1, 1))
    centre = (random.uniform(0.5 - TRANSLATE, 0.5 + TRANSLATE) for _ in range(2))
    to = shift(next(centre) * width, next(centre) * height)
    return np.diag((SIZE / width, SIZE / height, 1)) @ to @ np.diag((x, y, 1)) @ shift(-width / 2, -height / 2)


def colour(image):
    image = image.astype(np.float32) / 255
    if random.randint(0, 1):
        image += random.uniform(-BRIGHTNESS, BRIGHTNESS)
    if random.randint(0, 1):
        image *= random.uniform(*CONTRAST)
    if random.randint(0, 1):
        hsv = cv2.cvtColor(image, cv2.COLOR_BGR2HSV)
        hsv[..., 1] *= random.uniform(*SATURATION)
        image = cv2.cvtColor(hsv, cv2.COLOR_HSV2BGR)
    return (image - MEAN) / DEVIATION


def load(path):
    image = cv2.imread(str(path))
    height, width = image.shape[:2]
    return colour(cv2.warpPerspective(image, draw_matrix(width, height), (SIZE, SIZE))).transpose(2, 0, 1)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("folder", type=Path, help="of JPEG files")
    parser.add_argument("--seconds", type=float, default=10, metavar="S", help="of the processor's time to measure")
    args = parser.parse_args()
    cv2.setNumThreads(1)
    paths = sorted(args.folder.glob("*.jpg"))
    load(paths[0])
    images, start = 0, time.process_time()
    while time.process_time() < start + args.seconds:
        np.stack([load(path) for path in random.choices(paths, k=8)])
        images += 8
    print(json.dumps({"images_per_second": images / (time.process_time() - start),
                      "peak_rss_bytes": 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss}))


if __name__ == "__main__":
    main()
