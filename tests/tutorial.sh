#!/bin/sh
# Runs every command of docs/tutorial.md as it is written there, and looks for what it promises.
# usage: tutorial.sh NANODET; exit 77 if ../shared has no official weights
set -eu
unset OMP_WAIT_POLICY GOMP_SPINCOUNT
cd "$(dirname "$0")/.."
weights=$(realpath -m ../shared/data/weights/nanodet-plus-m_416)
[ -e "$weights.param" ] || { echo "no ../shared/data/weights"; exit 77; }
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
ln -s "$(realpath "$1")" "$weights.param" "$weights.bin" "$dir"
sed -n '/^ *```sh$/,/^ *```$/ { /```/!s/^ *//p }' docs/tutorial.md > "$dir/commands"
cd "$dir"
sh -eux commands

[ "$(grep -c nanodet commands)" -ge 10 ]
for file in yard.yml yard_train.txt yard_val.txt yard-data/report.html workspace/yard/report.html \
            yard-results/report.html yard-results/report.json yard.onnx yard.param yard.bin; do
    [ -s "$file" ] || { echo "FAIL: no $file"; exit 1; }
done
[ "$(ls found | wc -l)" = 6 ]
ap50=$(sed 's/.*"score":{[^}]*"AP50":\([0-9.e-]*\).*/\1/' yard-results/report.json)
echo "AP50 $ap50"
awk -v ap50="$ap50" 'BEGIN { exit !(ap50 > 0.3) }'      # a detector that has learned nothing has 0
