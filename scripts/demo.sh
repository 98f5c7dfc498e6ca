#!/bin/sh
# Trains a detector within five minutes on two cores: builds the program, generates scenes, trains on 1000 of them, and
# detects objects in scenes that were not used in training.  The results are in workspace/demo.
set -eu
cd "$(dirname "$0")/.."
demo=workspace/demo config=configs/demo.yml best=workspace/demo/train/model_best/model_best.safetensors

sh scripts/setup.sh || echo "demo: continuing with the installed packages" >&2
make -s -j "$(nproc)" nanodet
rm -rf "$demo"
mkdir -p "$demo"
./nanodet synth "$demo/data" --images 1000 --val-images 100 --size 256x256 --objects 10-20
./nanodet train "$config"
./nanodet test "$config" --weights "$best" --dets "$demo/detections.json" --json "$demo/score.json"
./nanodet predict "$config" --weights "$best" --out "$demo/images" --json "$demo/images.json" \
    "$demo/data/images/val"

echo "curves: $demo/train/curves.png"
echo "held-out scenes with what was found in them: $demo/images"
sed -n 's/^{ *"AP": *\([-0-9.e]*\),.*/mAP \1/p' "$demo/score.json"
