#!/usr/bin/env python3
"""Measures nanodet and other programs, if python3 finds them, and writes a table in Markdown.

The programs take turns: other work and the clock of a shared machine change its speed by half within minutes, so what
is compared was measured in the same round, and the ratio told is the median of the rounds'.  Needs nothing but Python
itself; run it in the root of the repository after `make nanodet build/tests/bench_load
build/tests/bench_assign`.  What it generates is kept in build/bench."""
import argparse
import importlib.metadata
import importlib.util
import json
import os
import re
import statistics
import subprocess
import sys
from pathlib import Path

CONFIG = "configs/nanodet-plus-m_320.yml"
HERE, MADE = Path("tests/bench"), Path("build/bench")
PHOTOS, SCORES, NETWORK = MADE / "photos", MADE / "scores", MADE / "network"
BATCH = 16
STEP = ("--mode", "train", "--batch", BATCH)
OPENBLAS = "nanodet with OpenBLAS"
NO_AUX = "model.arch.aux_head=null"
MODULES = {"PyTorch": "torch", "onnxruntime": "onnxruntime", "OpenVINO": "openvino", "ncnn": "ncnn",
           "pycocotools": "pycocotools", "OpenCV": "cv2"}


# Generated inputs

def quietly(*command):
    subprocess.run([str(word) for word in command], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def photos_of(section):
    return [f"data.{section}.img_path={PHOTOS}/images/train", f"data.{section}.ann_path={PHOTOS}/classes.json"]


def make_photos():
    """Scenes of 1920 x 1080 with new annotations: one object each, of eighty classes."""
    if (PHOTOS / "classes.json").exists():
        return
    quietly("./nanodet", "synth", PHOTOS, "--size", "1920x1080", "--scale", "9", "--objects", "20-60", "--images", "24",
            "--val-images", "0")
    truth = json.loads((PHOTOS / "train.json").read_text())
    truth["annotations"] = [{"id": i, "image_id": image["id"], "category_id": 1, "bbox": [600, 300, 400, 400],
                             "area": 160000, "iscrowd": 0} for i, image in enumerate(truth["images"], 1)]
    truth["categories"] = [{"id": i, "name": str(i)} for i in range(1, 81)]
    (PHOTOS / "classes.json").write_text(json.dumps(truth))


def make_networks():
    """Weights after a few steps of training, in the formats of all programs."""
    if (NETWORK / "16.onnx").exists():
        return
    quietly("./nanodet", "train", CONFIG, *photos_of("train"), *photos_of("val"), f"save_dir={NETWORK}",
            "schedule.total_epochs=1", "device.batchsize_per_gpu=8", "schedule.warmup.steps=1")
    export = ("./nanodet", "export", CONFIG, "--weights", NETWORK / "model_last.safetensors", *photos_of("val"))
    quietly(*export, "--format", "ncnn", "--out", NETWORK / "1.param")
    for batch in (1, 16):
        quietly(*export, "--format", "onnx", "--batch", batch, "--out", NETWORK / f"{batch}.onnx")


def make_scores():
    if not (SCORES / "dets.json").exists():
        quietly(sys.executable, HERE / "peer_eval.py", "--make", SCORES)


# One program, one time: {"value", "bytes"}

def nanodet(seconds, threads, *options, env=()):
    out = MADE / "nanodet.json"
    quietly("env", *env, "./nanodet", "bench", CONFIG, "--seconds", seconds, "--threads", threads,
            "--json", out, *options)
    result = json.loads(out.read_text())
    return result | {"value": result["ms_per_image_median"], "bytes": result["peak_rss_bytes"]}


def last_line(figure, *command):
    """The figure in the last JSON object of a program's output."""
    text = subprocess.run([str(word) for word in command], check=True, stdout=subprocess.PIPE, text=True).stdout
    result = json.loads(text.splitlines()[-1])
    return {"value": result[figure], "bytes": result["peak_rss_bytes"]}


def python(figure, script, *options):
    return last_line(figure, sys.executable, HERE / script, *options)


def evaluate():
    """The processor time of the whole program."""
    process = subprocess.Popen(["./nanodet", "eval", SCORES / "gt.json", SCORES / "dets.json", "--threads", "1"],
                               stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise RuntimeError("nanodet eval failed")
    return {"value": usage.ru_utime + usage.ru_stime, "bytes": 1024 * usage.ru_maxrss}


# Measurements

def works(seconds, threads):
    """Rows: work, unit (for rates more is better), function that generates inputs, programs by name."""
    time = ("--seconds", seconds, "--threads", threads)

    def steps(override, flag):
        return {"nanodet": lambda: nanodet(seconds, threads, *STEP, *override),
                OPENBLAS: lambda: nanodet(seconds, threads, *STEP, *override, env=["NANODET_ISA=blas"]),
                "PyTorch": lambda: python("ms_per_image_median", "peer_train.py", *time, *STEP[2:], "--json", *flag)}

    def detecting(batch):
        def peer(*options):
            return lambda: python("ms_per_image_median", "peer_infer.py", *options, *time, "--batch", batch)
        return {"nanodet": lambda: nanodet(seconds, threads, "--mode", "infer", "--batch", batch),
                OPENBLAS: lambda: nanodet(seconds, threads, "--mode", "infer", "--batch", batch,
                                          env=["NANODET_ISA=blas"]),
                "onnxruntime": peer("onnxruntime", NETWORK / f"{batch}.onnx"),
                "OpenVINO": peer("openvino", NETWORK / f"{batch}.onnx"),
                "ncnn": peer("ncnn", NETWORK / "1.param"), "PyTorch": peer("torch")}

    def assigning(*scene):
        return {"nanodet": lambda: last_line("ms_per_image_median", "build/tests/bench_assign", *scene, seconds)}

    return [
        ("step of training with auxiliary head, batch 16", "ms per image", None, steps((), ())),
        ("step without it, batch 16", "ms per image", None, steps((NO_AUX,), ("--no-aux",))),
        ("detecting, batch 1", "ms per image", make_networks, detecting(1)),
        ("detecting, batch 16", "ms per image", make_networks, detecting(16)),
        ("loading and augmenting 1920 x 1080 JPEG, one core", "images/s", None, {
            "nanodet": lambda: last_line("images_per_second", "build/tests/bench_load", CONFIG, seconds,
                                         *photos_of("train")),
            "OpenCV": lambda: python("images_per_second", "peer_load.py", PHOTOS / "images/train", *time[:2])}),
        ("assigning 500 objects of 8 to 48 pixels, 320 x 320, one core", "ms per image", None, assigning(320, 8, 48)),
        ("assigning 500 objects of 100 to 300 pixels, 416 x 416, one core", "ms per image", None,
         assigning(416, 100, 300)),
        ("scoring 500,000 detections in 5,000 images, one core", "s", make_scores, {
            "nanodet": evaluate, "pycocotools": lambda: python("seconds", "peer_eval.py", SCORES)}),
    ]


def here(program):
    if program == OPENBLAS:
        version = subprocess.run(["./nanodet", "--version"], stdout=subprocess.PIPE, text=True, check=True)
        return "blas" in version.stdout.split()
    return program == "nanodet" or importlib.util.find_spec(MODULES[program]) is not None


def measure(work, rounds):
    """{program: its results, one per round}"""
    title, unit, prepare, programs = work
    if prepare:
        prepare()
    results = {name: [] for name in programs if here(name)}
    for turn in range(rounds if unit != "s" else 1):
        for name in results:
            results[name].append(programs[name]())
            print(f"{title}, {name}: {results[name][-1]['value']:.4g} {unit}", file=sys.stderr, flush=True)
    return results


# The page

def table(titles, rows):
    lines = [titles, ["---"] * len(titles), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def rows_of(work, results):
    title, unit = work[:2]
    for name, own in results.items():
        ratios = [theirs["value"] / ours["value"] for ours, theirs in zip(results["nanodet"], own)]
        ratio = statistics.median(1 / r if unit == "images/s" else r for r in ratios)
        yield [f"{title}, {unit}" if name == "nanodet" else "", name,
               f"{statistics.median(r['value'] for r in own):.4g}", "" if name == "nanodet" else f"{ratio:.2f}",
               f"{max(r['bytes'] for r in own) / 1e6:.0f} MB"]


def scaling(seconds, rounds, threads):
    """How much faster a step is on all threads than on one."""
    ratios = []
    for _ in range(rounds):
        one, all_of_them = (nanodet(seconds, n, *STEP)["value"] for n in (1, threads))
        ratios.append(one / all_of_them)
    return statistics.median(ratios)


def milliseconds(part):
    return (part["forward_ms"] + part["backward_ms"]) / BATCH


def chart(ways):
    """Bars of the time that each part takes; ways: {name: parts}."""
    scale = 500 / max(milliseconds(part) for parts in ways.values() for part in parts)
    shades, lines, y = ["#b0b8c4", "#2f6db5"], [], 20
    for name, shade in zip(ways, shades):
        lines.append(f'<rect x="150" y="{y - 11}" width="12" height="12" fill="{shade}"/><text x="168" y="{y}">{name}, '
                     f'{sum(map(milliseconds, ways[name])):.1f} ms per image</text>')
        y += 20
    for same in zip(*ways.values()):
        y += 12
        lines.append(f'<text x="140" y="{y + 14}" text-anchor="end">{same[0]["name"]}</text>')
        for part, shade in zip(same, shades):
            width = scale * milliseconds(part)
            lines.append(f'<rect x="150" y="{y}" width="{width:.1f}" height="9" fill="{shade}"/>'
                         f'<text x="{155 + width:.1f}" y="{y + 9}" font-size="10">{milliseconds(part):.1f}</text>')
            y += 10
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="720" height="{y + 15}" font-family="sans-serif" '
            f'font-size="12">\n<rect width="720" height="{y + 15}" fill="white"/>\n' + "\n".join(lines) + "\n</svg>\n")


def parts(result):
    """The parts of a step, with a bar for their share of its time."""
    total = sum(map(milliseconds, result["parts"]))
    rows = []
    for part in result["parts"]:
        share = milliseconds(part) / total
        work = [f"{part['gflops']:.0f}", f"{100 * part['share_of_peak']:.0f}%"] if part["gflops"] else ["", ""]
        rows.append([part["name"], f"{part['forward_ms'] / BATCH:.2f}", f"{part['backward_ms'] / BATCH:.2f}",
                     *work, f"{100 * share:.0f}% " + "█" * round(30 * share)])
    return table(["part", "forward, ms per image", "backward", "GFLOP/s of its convolutions",
                  "of the peak", "of the time"], rows)


def machine(threads, isa):
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        model = re.search(r"model name\s*: (.*)", file.read())
    compiler = subprocess.run([os.environ.get("CC", "cc"), "--version"], stdout=subprocess.PIPE, text=True, check=True)
    packages = importlib.metadata.packages_distributions()
    versions = [f"{name} {importlib.metadata.version(packages[module][0])}" for name, module in MODULES.items()
                if here(name)]
    return (f"{model[1] if model else 'CPU'}, {threads} of {os.cpu_count()} cores, {isa}; "
            f"{compiler.stdout.splitlines()[0]}; " + ", ".join(versions))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="turns of all programs")
    parser.add_argument("--seconds", type=float, default=20, metavar="S", help="of each program in each turn")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)), metavar="T")
    parser.add_argument("--only", default="", metavar="WORDS", help="works whose title has these words")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write the page there, else to stdout")
    args = parser.parse_args()
    MADE.mkdir(parents=True, exist_ok=True)
    make_photos()
    rows = [row for work in works(args.seconds, args.threads) if args.only in work[0]
            for row in rows_of(work, measure(work, args.rounds))]
    isa = nanodet(0, args.threads, "--mode", "infer")["isa"]
    page = [f"# Figures\n\nWritten by `make bench`; [performance.md](performance.md) says how they are taken.\n\n"
            f"NanoDet-Plus-m, 320 x 320. {machine(args.threads, isa)}\n\n",
            table(["work", "program", "median", "nanodet is faster by", "memory at most"], rows)]
    if not args.only:
        result = nanodet(args.seconds, args.threads, *STEP, "--layers")
        direct = nanodet(args.seconds, args.threads, *STEP, "--layers", env=["NANODET_CONV=direct"])
        faster = scaling(args.seconds, args.rounds, args.threads)
        page += [f"\nA step on {args.threads} threads is {faster:.2f} times as fast as on one.\n",
                 f"\nWhere a step's time goes; the peak of vectors, {result['peak_gflops']:.0f} GFLOP/s, was measured "
                 "in the same run, and Winograd's\nconvolutions are counted as if they were direct:\n\n", parts(result)]
    if args.out and not args.only:
        drawn = args.out.with_suffix(".svg")
        drawn.write_text(chart({"convolutions direct, on vectors": direct["parts"], "as it runs": result["parts"]}))
        page += [f"\n![time by part]({drawn.name})\n"]
    if args.out:
        args.out.write_text("".join(page))
    else:
        print("".join(page))


if __name__ == "__main__":
    main()
