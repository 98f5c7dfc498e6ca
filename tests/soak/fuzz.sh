#!/bin/sh
# sh tests/soak/fuzz.sh [SECONDS [TARGET...]]
# Fuzzes every reader, or those named, for so many seconds each: libFuzzer of clang with the address and undefined
# behaviour sanitizers, from the inputs in tests/fuzz/corpus.  What it finds stays in build/fuzz/found.
set -eu
cd "$(dirname "$0")/../.."
seconds=${1:-60}
[ $# = 0 ] || shift
[ $# != 0 ] || set -- $(basename -a -s .c tests/fuzz/fuzz_*.c)

make -s -j "$(nproc)" CC=clang FUZZ=1 SANITIZE=address,undefined BUILD=build/fuzz fuzzers
failed=0
for target in "$@"; do
    inputs=build/fuzz/inputs/$target found=build/fuzz/found/$target
    mkdir -p "$inputs" "$found"
    if build/fuzz/tests/"$target" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
            -artifact_prefix="$found/" "$inputs" "tests/fuzz/corpus/${target#fuzz_}" \
            > "build/fuzz/$target.log" 2>&1; then
        sed -n "s/^stat::number_of_executed_units: */$target: inputs tried: /p" "build/fuzz/$target.log"
    else
        tail -n 40 "build/fuzz/$target.log"
        echo "$target: FAILED, see $found"
        failed=$((failed + 1))
    fi
done
echo "$(($# - failed)) passed, $failed failed, 0 skipped"
[ $failed = 0 ]
