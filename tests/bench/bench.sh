#!/bin/sh
# sh tests/bench/bench.sh [ROUNDS [SECONDS [THREADS]]]
# NanoDet-Plus-m 320: a whole step of training, with and without the auxiliary head, batch 16, by this program and, where
# python3 has torch, by PyTorch; and detecting in one image.  The two take turns, for the speed of a shared machine
# drifts: a round's ratio is worth more than its figures.  Milliseconds an image, best and median of a round.
set -eu
cd "$(dirname "$0")/../.."
rounds=${1:-3} seconds=${2:-20} threads=${3:-$(nproc)}
config=configs/nanodet-plus-m_320.yml
json=$(mktemp)
trap 'rm -f "$json"' EXIT

figure() { sed -n "s/.*\"$1\": *\([0-9.e+]*\).*/\1/p" "$json"; }

ours() { ./nanodet bench $config --seconds "$seconds" --threads "$threads" --json "$json" "$@"; }
theirs() { python3 tests/bench/peer_train.py --seconds "$seconds" --threads "$threads" --batch 16 --json "$@" > "$json"; }

# tell NAME: the line of who ran last; its figures stay in best and median.
tell()
{
    best=$(figure ms_per_image_min) median=$(figure ms_per_image_median)
    printf '%-34s %8.1f %8.1f   peak %6.0f MB\n' "$1" "$best" "$median" \
        "$(awk "BEGIN { print $(figure peak_rss_bytes) / 1e6 }")"
}

# train NAME OVERRIDE FLAG: a round of both.
train()
{
    ours --mode train --batch 16 $2
    tell "$1, nanodet"
    [ "$torch" ] || return 0
    our_best=$best our_median=$median
    theirs $3
    tell "$1, PyTorch"
    awk "BEGIN { printf \"%-34s %8.2f %8.2f   times as fast\n\", \"\", $best / $our_best, $median / $our_median }"
}

torch=$(python3 -c 'import torch; print(torch.__version__)' 2>/dev/null) || torch=
[ "$torch" ] && echo "PyTorch $torch, $threads threads" || echo "no PyTorch here, $threads threads"
printf '%-34s %8s %8s\n' 'ms an image' best median
for round in $(seq "$rounds"); do
    train "step with auxiliary head" "" ""
    train "step without" model.arch.aux_head=null --no-aux
    ours --mode infer --batch 1
    tell "detecting, nanodet"
done
