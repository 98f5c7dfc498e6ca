#!/usr/bin/env python3
"""Scores 500,000 detections in 5,000 images by pycocotools: the peer of `nanodet eval`.

peer_eval.py --make FOLDER writes that set, gt.json and dets.json, about as full as COCO's validation set: 80 classes,
seven objects an image, some of them crowds, a hundred detections an image of which some are good.  peer_eval.py FOLDER
measures."""
import argparse
import json
import random
import resource
import time
from pathlib import Path

IMAGES, CLASSES, OBJECTS, DETECTIONS = 5000, 80, 14, 100    # objects: at most
WIDTH, HEIGHT = 640, 480


def draw_box():
    width, height = random.uniform(8, 300), random.uniform(8, 300)
    return [random.uniform(0, WIDTH - width), random.uniform(0, HEIGHT - height), width, height]


def near(box):
    return [round(v + random.gauss(0, 0.08) * side, 2) for v, side in zip(box, 2 * box[2:])]


def make(folder):
    random.seed(0)
    truth, found = [], []
    for image in range(1, IMAGES + 1):
        objects = []
        for _ in range(random.randint(0, OBJECTS)):
            box = draw_box()
            objects.append({"id": len(truth) + len(objects) + 1, "image_id": image, "bbox": box,
                            "category_id": random.randint(1, CLASSES), "area": 0.7 * box[2] * box[3],
                            "iscrowd": int(random.random() < 0.01)})
        truth += objects
        for _ in range(DETECTIONS):
            target = random.choice(objects) if objects and random.random() < 0.3 else None
            found.append({"image_id": image, "score": round(random.random(), 5),
                          "category_id": target["category_id"] if target else random.randint(1, CLASSES),
                          "bbox": near(target["bbox"] if target else draw_box())})
    folder.mkdir(parents=True, exist_ok=True)
    images = [{"id": i, "file_name": f"{i}.jpg", "width": WIDTH, "height": HEIGHT} for i in range(1, IMAGES + 1)]
    classes = [{"id": i, "name": str(i)} for i in range(1, CLASSES + 1)]
    (folder / "gt.json").write_text(json.dumps({"images": images, "annotations": truth, "categories": classes}))
    (folder / "dets.json").write_text(json.dumps(found))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--make", action="store_true", help="the set, instead of measuring")
    args = parser.parse_args()
    if args.make:
        make(args.folder)
        return
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval
    start = time.process_time()
    truth = COCO(args.folder / "gt.json")
    score = COCOeval(truth, truth.loadRes(str(args.folder / "dets.json")), "bbox")
    score.evaluate()
    score.accumulate()
    score.summarize()
    print(json.dumps({"seconds": time.process_time() - start, "AP": score.stats[0],
                      "peak_rss_bytes": 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss}))


if __name__ == "__main__":
    main()
