"""Which injected errors are among the first suspects: measure.py SUSPECTS.json ERRORS.json [--set data.train]

SUSPECTS.json is what `nanodet check CONFIG --report DIR --weights FILE` writes, ERRORS.json what inject.py writes.
"""
import argparse
import json


def iou(a, b):
    width = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    height = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    common = max(width, 0) * max(height, 0)
    return common / (a[2] * a[3] + b[2] * b[3] - common)


def is_found(error, suspect):
    if suspect["file"] != error["file"]:
        return False
    if error["kind"] == "missing":
        return suspect["kind"] == "missing" and iou(suspect["seen_bbox"], error["box"]) >= 0.5
    return suspect.get("annotation") == error["id"]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("suspects")
    parser.add_argument("errors")
    parser.add_argument("--set", default="data.train")
    parser.add_argument("--fraction", type=float, default=0.1)
    args = parser.parse_args()
    with open(args.suspects, encoding="utf-8") as file:
        suspects = [s for s in json.load(file) if s["set"] == args.set]
    with open(args.errors, encoding="utf-8") as file:
        errors = json.load(file)
    first = suspects[:round(args.fraction * len(suspects))]
    print(f"{len(suspects)} suspects, the first {len(first)} count")
    for kind in sorted({error["kind"] for error in errors}):
        of_kind = [error for error in errors if error["kind"] == kind]
        found = sum(any(is_found(error, s) for s in first) for error in of_kind)
        print(f"{kind:8} {found} of {len(of_kind)}: {100 * found / len(of_kind):.0f} %")


if __name__ == "__main__":
    main()
