#!/bin/sh
# sh tests/soak/fuzz.sh [SECONDS [TARGET...]]
# Fuzzes every reader, or those named, for so many seconds each: libFuzzer of clang with the address and undefined
# behaviour sanitizers in all of the project's code, kernels included.  Two thirds of the time the inputs come from
# those in tests/fuzz/corpus, one third from real files in ../shared/data, including official weights, if they exist.
# Inputs that crash or take too long or too much memory stay in build/fuzz/found.
set -eu
cd "$(dirname "$0")/../.."
seconds=${1:-60} data=../shared/data
[ $# = 0 ] || shift
[ $# != 0 ] || set -- $(basename -a -s .c tests/fuzz/fuzz_*.c)

# seeds TARGET FOLDER: copies real files there, as the target wants them.
seeds()
{
    case $1 in
    fuzz_onnx) cp $data/weights/*.onnx "$2" ;;
    fuzz_pytorch) cp $data/weights/*.pth $data/weights/*.ckpt "$2" ;;
    fuzz_pickle)
        for file in $data/weights/*.pth $data/weights/*.ckpt; do
            unzip -p "$file" '*/data.pkl' > "$2/$(basename "$file").pkl"
        done ;;
    fuzz_ncnn)
        for param in $data/weights/*.param; do
            { cat "$param" && printf '\0' && cat "${param%.param}.bin"; } > "$2/$(basename "$param")"
        done ;;
    fuzz_voc) find $data/bccd/Annotations -name '*.xml' | sort | head -n 20 | xargs -I {} cp {} "$2" ;;
    fuzz_visdrone) find $data/visdrone/annotations -name '*.txt' | sort | head -n 20 | xargs -I {} cp {} "$2" ;;
    fuzz_jpeg) find $data/bccd/JPEGImages -name '*.jpg' | sort | head -n 20 | xargs -I {} cp {} "$2" ;;
    fuzz_yaml) cp configs/*.yml "$2" ;;
    esac
} 2> /dev/null

# fuzz TARGET SECONDS LOG FOLDER...
fuzz()
{
    target=$1 time=$2 log=$3
    shift 3
    build/fuzz/tests/"$target" -max_total_time="$time" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
        -artifact_prefix="build/fuzz/found/$target/" "$@" > "$log" 2>&1 || return 1
    sed -n "s/^stat::number_of_executed_units: */$target: inputs tried: /p" "$log"
}

make -s -j "$(nproc)" CC=clang FUZZ=1 SANITIZE=address,undefined BUILD=build/fuzz fuzzers
failed=0
for target in "$@"; do
    rm -rf "build/fuzz/seeds/$target"
    mkdir -p "build/fuzz/inputs/$target" "build/fuzz/found/$target" "build/fuzz/seeds/$target"
    seeds "$target" "build/fuzz/seeds/$target" || true
    share=0
    [ -z "$(ls "build/fuzz/seeds/$target")" ] || share=$((seconds / 3))
    if fuzz "$target" $((seconds - share)) "build/fuzz/$target.log" "build/fuzz/inputs/$target" \
            "tests/fuzz/corpus/${target#fuzz_}" &&
        { [ $share = 0 ] ||
            fuzz "$target" $share "build/fuzz/$target.log" -max_len=8388608 "build/fuzz/seeds/$target"; }
    then
        continue
    fi
    tail -n 40 "build/fuzz/$target.log"
    echo "$target: FAILED, see build/fuzz/found/$target"
    failed=$((failed + 1))
done
echo "$(($# - failed)) passed, $failed failed, 0 skipped"
[ $failed = 0 ]
