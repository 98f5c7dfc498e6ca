#!/usr/bin/env python3
"""Accuracy after a training of fixed time: `make race`, or python3 tests/bench/race.py [OPTIONS] [KEY=VALUE...].

One call trains one data set with one seed, the first that has no result yet, and then prints the table of all results.
An interrupted training continues at the next call.  The time is 60 minutes of two cores for VisDrone and 6 for BCCD on
a machine whose training step takes REFERENCE_MS; on other machines it is scaled by the step of the commit REFERENCE,
which is measured once.  Results are kept in workspace/race."""
import argparse
import csv
import json
import re
import subprocess
import sys
import time
from pathlib import Path

HERE, SHARED = Path("workspace/race"), Path("../shared/data")
REFERENCE, REFERENCE_MS = "86f8bf1", 39.9
STEP = ("bench", "configs/nanodet-plus-m_320.yml", "--mode", "train", "--batch", "16", "model.arch.aux_head=null")
SEEDS = (0, 1, 2)
VISDRONE = SHARED / "visdrone"
RACES = {
    "visdrone": {"minutes": 60, "config": "configs/visdrone.yml", "keys": [
        *(f"data.{part}.{key}={VISDRONE}/{folder}" for part in ("train", "val")
          for key, folder in (("img_path", "images"), ("ann_path", "annotations"))),
        f"data.train.image_list={VISDRONE}/train.txt", f"data.val.image_list={VISDRONE}/val.txt",
        f"schedule.load_model={SHARED}/weights/nanodet-plus-m_416.param"]},
    "bccd": {"minutes": 6, "config": "configs/bccd_fast.yml", "keys": []},
}
HELD_BACK = {
    "visdrone": [f"data.train.image_list={HERE}/kept.txt", f"data.val.image_list={HERE}/held_back.txt"],
    "bccd": [f"data.val.image_list={SHARED}/bccd/ImageSets/Main/val.txt"],
}


def reference_ms():
    """Milliseconds per image of the reference's training step on this machine."""
    result, tree = HERE / "reference.json", HERE / "reference"
    if not result.exists():
        if not tree.exists():
            subprocess.run(["git", "worktree", "add", "--detach", tree, REFERENCE], check=True)
        subprocess.run(["make", "-s", "-j2", "nanodet"], cwd=tree, check=True)
        subprocess.run(["./nanodet", *STEP, "--json", result.resolve()], cwd=tree, check=True)
    return json.loads(result.read_text())["ms_per_image_median"]


def hold_back_sequences():
    """Writes two lists: every fourth sequence of the training images, and the others."""
    names = (VISDRONE / "train.txt").read_text().split()
    sequences = sorted({name.split("_")[0] for name in names})
    held_back = set(sequences[::4])
    for path, wanted in ((HERE / "held_back.txt", True), (HERE / "kept.txt", False)):
        path.write_text("".join(f"{name}\n" for name in names if (name.split("_")[0] in held_back) == wanted))


def train(race, folder, keys):
    """Starts or continues a training and returns its seconds; those of earlier calls are in the file `seconds`."""
    resume = ["--resume"] if (folder / "model_last.safetensors").exists() else []
    spent = folder / "seconds"
    before = float(spent.read_text()) if resume and spent.exists() else 0
    start = time.monotonic()
    try:
        subprocess.run(["./nanodet", "train", race["config"], "--threads", "2", *resume, *race["keys"],
                        f"save_dir={folder}", "schedule.val_intervals=100000", *keys], check=True)
    finally:
        if folder.exists():
            spent.write_text(str(before + time.monotonic() - start))
    return float(spent.read_text())


def describe(folder, seconds, budget):
    """The result of a finished training."""
    with open(folder / "eval.csv", newline="") as file:
        score = {name: float(value) for name, value in list(csv.DictReader(file))[-1].items()
                 if name in ("epoch", "AP", "AP50", "visdrone_AP") and value}
    subprocess.run(["./nanodet", "info", folder / "config.yml", "--json", folder / "info.json"], check=True,
                   stdout=subprocess.DEVNULL)
    info = json.loads((folder / "info.json").read_text())
    size = re.search(r"val:.*?\binput_size: \[(\d+), (\d+)\]", (folder / "config.yml").read_text(), re.S)
    return score | {"minutes": seconds / 60, "budget": budget, "parameters": info["parameters_inference"],
                    "input": [int(n) for n in size.groups()] if size else info["input"],
                    "macs": info["conv_linear_macs"]}


def mean(results, key):
    values = [r[key] for r in results if key in r]
    return f"{sum(values) / len(values):.4f}" if values else ""


def print_table():
    print("| race | seeds | AP of each | AP | AP50 | AP of VisDrone's toolkit | epochs | minutes of the budget "
          "| parameters | input | multiply-adds |\n|---|---|---|---|---|---|---|---|---|---|---|")
    for folder in sorted({path.parent.parent for path in HERE.glob("*/*/result.json")}):
        results = [json.loads(path.read_text()) for path in sorted(folder.glob("*/result.json"))]
        one = results[0]
        cells = [folder.name, str(len(results)), " ".join(f"{r['AP']:.4f}" for r in results), mean(results, "AP"),
                 mean(results, "AP50"), mean(results, "visdrone_AP"), " ".join(f"{r['epoch']:.0f}" for r in results),
                 " ".join(f"{r['minutes']:.1f}" for r in results) + f" of {one['budget']:.1f}",
                 f"{one['parameters'] / 1e6:.2f} M", "{} x {}".format(*one["input"]), f"{one['macs'] / 1e9:.2f} G"]
        print("|", " | ".join(cells), "|")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", choices=RACES, help="default: both, one after the other")
    parser.add_argument("--seed", type=int, help="default: the first of 0, 1, 2 without a result")
    parser.add_argument("--epochs", type=int, help="train so many epochs, whatever the time; default: those that fit")
    parser.add_argument("--held-back", action="store_true", help="choose settings: score images that are not scored "
                        "in the race (BCCD's val.txt; every fourth sequence of VisDrone's training images)")
    parser.add_argument("--name", default="", help="of a variant with other values of keys")
    parser.add_argument("--table", action="store_true", help="only print the table")
    parser.add_argument("keys", nargs="*", metavar="KEY=VALUE")
    options = parser.parse_args()
    HERE.mkdir(parents=True, exist_ok=True)

    todo = [(data, seed) for data in ([options.data] if options.data else RACES)
            for seed in (SEEDS if options.seed is None else [options.seed])]
    for data, seed in [] if options.table else todo:
        variant = [data, *(["held-back"] if options.held_back else []), *([options.name] if options.name else []),
                   *([f"{options.epochs}-epochs"] if options.epochs else [])]
        folder = HERE / "-".join(variant) / str(seed)
        if (folder / "result.json").exists():
            continue
        race, budget = RACES[data], RACES[data]["minutes"] * reference_ms() / REFERENCE_MS
        keys = options.keys
        if options.held_back:
            hold_back_sequences()
            keys = HELD_BACK[data] + keys
        length = f"schedule.total_epochs={options.epochs}" if options.epochs else f"schedule.hours={budget / 60:.5f}"
        seconds = train(race, folder, [f"seed={seed}", length, *keys])
        (folder / "result.json").write_text(json.dumps(describe(folder, seconds, budget)))
        break
    print_table()


if __name__ == "__main__":
    sys.exit(main())
