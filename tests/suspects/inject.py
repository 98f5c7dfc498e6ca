"""Injects label errors into a COCO file: inject.py IN.json OUT.json ERRORS.json [--fraction 0.03] [--seed 0]

A fraction of all boxes, in equal parts, is moved by half of its size to all of it, gets another class, is doubled with
a shift of at most a twentieth of its size, or is removed.  ERRORS.json lists them: kind, file, box of the object, id of
the annotation that is wrong (none if it is missing).
"""
import argparse
import json
import random

KINDS = ["moved", "class", "double", "missing"]


def move(box, width, height, rng):
    """A box of the same size inside the image that overlaps the old one with an IoU below .4."""
    x, y, w, h = box
    for _ in range(200):
        dx, dy = (rng.uniform(0.5, 1) * rng.choice([-1, 1]) * side if rng.random() < 0.7 else 0 for side in (w, h))
        left, top = x + dx, y + dy
        if (dx or dy) and 0 <= left <= width - w and 0 <= top <= height - h:
            return [left, top, w, h]
    return None


def inject(data, fraction, seed):
    rng = random.Random(seed)
    images = {image["id"]: image for image in data["images"]}
    classes = sorted({a["category_id"] for a in data["annotations"]})
    boxes = [a for a in data["annotations"] if a["bbox"][2] >= 4 and a["bbox"][3] >= 4 and not a.get("ignore")]
    chosen = rng.sample(boxes, round(fraction * len(data["annotations"])))
    next_id = max(a["id"] for a in data["annotations"]) + 1
    errors, removed = [], set()
    for number, a in enumerate(chosen):
        kind, image = KINDS[number % len(KINDS)], images[a["image_id"]]
        error = {"kind": kind, "file": image["file_name"], "box": list(a["bbox"]), "id": a["id"]}
        if kind == "moved":
            box = move(a["bbox"], image["width"], image["height"], rng)
            if not box:
                continue
            a["bbox"] = box
        elif kind == "class":
            a["category_id"] = rng.choice([c for c in classes if c != a["category_id"]])
        elif kind == "double":
            x, y, w, h = a["bbox"]
            copy = dict(a, id=next_id, bbox=[x + rng.uniform(-.05, .05) * w, y + rng.uniform(-.05, .05) * h, w, h])
            error["id"] = next_id
            data["annotations"].append(copy)
            next_id += 1
        else:
            removed.add(a["id"])
        errors.append(error)
    data["annotations"] = [a for a in data["annotations"] if a["id"] not in removed]
    return errors


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source")
    parser.add_argument("out")
    parser.add_argument("errors")
    parser.add_argument("--fraction", type=float, default=0.03)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    with open(args.source, encoding="utf-8") as file:
        data = json.load(file)
    errors = inject(data, args.fraction, args.seed)
    with open(args.out, "w", encoding="utf-8") as file:
        json.dump(data, file)
    with open(args.errors, "w", encoding="utf-8") as file:
        json.dump(errors, file)
    print(f"{len(errors)} errors in {len(data['annotations'])} boxes")


if __name__ == "__main__":
    main()
