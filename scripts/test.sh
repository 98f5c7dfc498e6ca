#!/bin/sh
# Runs all tests that this machine can run, in less than 30 minutes on two cores:
#   the style of the files; the tests, those of kernels and gradients once per table of kernels; interrupted trainings;
#   failing allocations and I/O calls; the fuzz targets over their saved inputs; the numbers of the original, where
#   ../shared/parity exists; exported files in other programs' runtimes; NEON in emulation; every layer
#   against PyTorch; the tests once more under the sanitizers.  Python gets the runtimes and PyTorch in build/python.
#   `make soak` runs the longer tests.
# Ends with the seconds of each stage, a line per package that could not be installed, and
# `N passed, N failed, N skipped`; exit 1 if anything failed.
set -u
export GOMP_SPINCOUNT=2000                      # tests run beside each other
cd "$(dirname "$0")/.." || exit 1
logs=build/logs passed=0 failed=0 skipped=0 stage= times= missing= runner=
# The rooms of ../shared/parity, and those of them whose numbers depend on the table of kernels.
parity="assign augment coco_eval loss nms preprocess schedule schedules sizes.json visdrone_eval models"
parity_of_kernels="assign loss schedule models"
# Configurations, one of a kind, whose networks are held to PyTorch's differentiation.  All of them: make oracle.
oracle="nanodet-plus-m_320 nanodet-m nanodet-g nanodet-t nanodet-EfficientNet-Lite0_320 nanodet-RepVGG-A0_416
    enhanced-nanodet-s_320 enhanced-nanodet-m-hswish_416 nanodet-plus_convnext-nano_640"
# Python packages that prepare images, run exported files and differentiate; CPU builds if available, which are smaller
# by gigabytes.
packages="numpy==2.4.6 opencv-python-headless==5.0.0.93 onnx==1.23.2 onnxruntime==1.31.1 openvino==2026.4.1
    ncnn==1.0.20261020 MNN==3.6.1 torch==2.13.0+cpu"

# stage NAME: starts a stage; its time ends with the next one.
stage()
{
    now=$(date +%s)
    [ -z "$stage" ] || times="$times$(printf '%6d s  %s' $((now - began)) "$stage")
"
    stage=$1 began=$now
    [ -z "$stage" ] || echo "== $stage"
}

finish()
{
    stage ""
    printf '%s' "$times"
    for package in $missing; do
        echo "NOT INSTALLED: $package (see $logs)"
    done
    echo "$passed passed, $failed failed, $skipped skipped"
    [ "$failed" = 0 ]
    exit
}

# setup PACKAGE...: installs Debian packages.
setup()
{
    sh scripts/setup.sh "$@" > "$logs/setup" 2>&1 ||
        missing="$missing $(sed -n 's/^setup: \(could not install\|please install.*:\)//p' "$logs/setup")"
    cat "$logs/setup"
}

# build TARGET...: runs make; ends the script if it fails.
build()
{
    make -j "$(nproc)" "$@" > "$logs/make" 2>&1 && return
    tail -n 40 "$logs/make"
    failed=$((failed + 1))
    finish
}

# run NAME COMMAND...: its output goes to a log, which a failure shows.
run()
{
    log=$logs/$(echo "$1" | tr ' /' '--')
    shift
    start=$(date +%s)
    timeout 900 "$@" > "$log" 2>&1
    status=$? seconds=$(($(date +%s) - start))
    [ $status = 0 ] || [ $status = 77 ] || tail -n 100 "$log"
}

# count NAME PASSED FAILED SKIPPED: results of the last run.  A bad exit status or missing results count as a failure.
count()
{
    if { [ $status != 0 ] && [ "${3:-0}" = 0 ]; } || [ $((${2:-0} + ${3:-0} + ${4:-0})) = 0 ]; then
        set -- "$1" "${2:-0}" 1 "${4:-0}"
        echo "$1: exit $status"
    fi
    passed=$((passed + ${2:-0})) failed=$((failed + ${3:-0})) skipped=$((skipped + ${4:-0}))
    echo "$1: ${2:-0} passed, ${3:-0} failed, ${4:-0} skipped, $seconds s"
}

# totals: the numbers of the line `N passed, N failed, N skipped` of the log.
totals()
{
    sed -n 's/^\([0-9]*\) passed, \([0-9]*\) failed, \([0-9]*\) skipped$/\1 \2 \3/p' "$log"
}

# claim NAME: counts the results in the last line of the last run's log, and shows skipped tests.
claim()
{
    count "$1" $(totals)
    grep '^SKIP' "$log"
}

# skip NAME WHY
skip()
{
    echo "SKIPPED $1: $2"
    skipped=$((skipped + 1))
}

# knows PACKAGE==VERSION...: succeeds if python3 has all of these; else the reason goes to a log.
knows()
{
    python3 -c "import $(echo "$*" | sed 's/==[^ ]*//g; s/  */, /g; s/opencv-python-headless/cv2/')" \
        >> "$logs/python" 2>&1
}

# Installs the available Python packages.  Tests of the others are skipped by name.
prepare_python()
{
    PATH=$PWD/build/python/bin:$PATH unknown=
    for package in $packages; do
        knows "$package" || unknown="$unknown $package"
    done
    [ "$unknown" ] || return
    echo "pip install$unknown"
    setup python3 python3-venv
    python3 -m venv --system-site-packages build/python >> "$logs/python" 2>&1
    hash -r                                     # python3 is another one now
    install="timeout 300 build/python/bin/pip install -q --ignore-installed"
    $install $unknown >> "$logs/python" 2>&1 && return
    for package in $unknown; do
        $install "$package" >> "$logs/python" 2>&1
        knows "$package" || missing="$missing $package"
    done
}

# unit LABEL FOLDER TEST[@TABLE]...: tests built there.
unit()
{
    log=$logs/unit
    RUNNER=$runner sh scripts/run_tests.sh "$@" > "$log" 2>&1
    sed '$d' "$log"
    set -- $(totals)
    [ $# = 3 ] || set -- 0 1 0
    passed=$((passed + $1)) failed=$((failed + $2)) skipped=$((skipped + $3))
}

# tests_without TEST...: all the others, the longest first, so that none is left running alone.
longest="test_train test_init test_guide test_onnx_python test_configs test_defects test_described test_conv_norm
    test_conv_algorithms test_merge test_deploy test_export test_ncnn_python test_backbones test_scale test_absence
    test_run_length test_op_gradients float_gradients"
tests_without()
{
    for test in $longest $(basename -s .c tests/test_*.c) float_gradients float_transformer; do
        case " $* " in *" $test "*) continue ;; esac
        echo "$test"
        set -- "$@" "$test"
    done
}

# by_table TEST...: each with each of $others.
by_table()
{
    for test in "$@"; do
        printf "$test@%s\n" $others
    done
}

# fuzz LABEL FOLDER: the targets built there over tests/fuzz/corpus.
fuzz()
{
    for source in tests/fuzz/fuzz_*.c; do
        target=$(basename "$source" .c)
        run "$1 $target" "$2/tests/$target" "tests/fuzz/corpus/${target#fuzz_}"
        count "$1 $target" "$(sed -n 's/^\([0-9]*\) inputs$/\1/p' "$log")" 0 0
    done
}

# parity ROOM [TABLE]
parity()
{
    if [ -e "../shared/parity/$1" ]; then
        run "parity $*" env ${2:+NANODET_ISA=$2} build/tests/parity "../shared/parity/$1"
        claim "parity $*"
    else
        skip "parity $*" "no ../shared/parity/$1"
    fi
}

mkdir -p $logs
stage "style"
run style sh scripts/style.sh
claim style

stage "installing"
setup libopenmpi-dev openmpi-bin                # for trainings in several processes
prepare_python

stage "building"
build all tests build/tests/inject.so

# The default table is the fastest, or the one that NANODET_ISA names.
tables=$(./nanodet --version | sed -n 's/^kernels: //p')
default=${NANODET_ISA:-${tables##* }}
others=$(echo $(printf '%s\n' $tables | grep -vx "$default"))
of_kernels=$(grep -l '"tables.h"' tests/test_*.c | grep -v test_op | xargs basename -s .c)
for table in $(./nanodet --version | sed -n 's/^kernels that this machine cannot run: \(none\)\{0,1\}//p'); do
    skip "kernels $table" "this machine has no such instruction set"
done

stage "tests, default kernels $default"
unit release build $(tests_without)
fuzz release build
for script in tests/*.sh; do
    run "$(basename "$script")" sh "$script" ./nanodet
    if [ $status = 77 ]; then
        skip "$(basename "$script")" "$(tail -n 1 "$log")"
    else
        count "$(basename "$script")" $((status == 0)) 0 0
    fi
done

run faults sh tests/faults/faults.sh ./nanodet build/tests/inject.so 8
claim faults

stage "parity"
for room in $parity; do
    parity "$room"
done

# The plain table is the reference of the others; `make soak` compares it with the original.
stage "tests and parity, kernels $others"
unit release build $(by_table $of_kernels float_gradients float_transformer)
for table in $(echo $others | sed 's/\<ref\>//'); do
    for room in $parity_of_kernels; do
        parity "$room" "$table"
    done
done

stage "64-bit ARM in emulation"
setup gcc-aarch64-linux-gnu qemu-user-static
run arm64 sh tests/cross/arm64.sh
claim arm64

stage "exported files"
if knows numpy; then
    build build/tests/deploy_dump
    run "exported outputs" python3 tests/deploy/outputs.py configs/*.yml
    claim "exported outputs"
    run "exported accuracy" python3 tests/deploy/accuracy.py
    claim "exported accuracy"
    sh scripts/setup.sh g++ libopencv-imgcodecs-dev > "$logs/examples-setup" 2>&1
    run "examples" python3 tests/deploy/examples.py
    claim "examples"
else
    skip "exported files" "python3 has no numpy"
fi

stage "oracle"
if knows numpy torch; then
    build build/tests/oracle_dump
    run oracle python3 tests/oracle/oracle.py $(printf 'configs/%s.yml ' $oracle)
    claim oracle
else
    skip oracle "python3 has no torch"
fi

# Addresses and undefined behaviour in one build; the saved inputs of the fuzz targets belong to it.
# Tests of exported files in Python do not depend on the build.  All networks, measuring steps of them for init, and all
# commands with described files, which the faults below run too, would take minutes.
stage "building, address and undefined behaviour sanitizers"
slow="test_onnx_python test_ncnn_python test_configs test_init test_described"
build SANITIZE=address,undefined tests build/address,undefined/nanodet
stage "tests, address and undefined behaviour sanitizers"
unit sanitized build/address,undefined $(tests_without $slow) $(by_table test_kernel_conv test_kernel_rows)
fuzz sanitized build/address,undefined
run "sanitized faults" env KINDS=alloc sh tests/faults/faults.sh build/address,undefined/nanodet build/tests/inject.so \
    3 synth check check_voc convert_visdrone convert_voc convert_yolo convert_labelme info eval eval_visdrone test \
    predict_json predict_drawn predict_fonts predict_stream heatmap export_nms export_ncnn from_onnx from_ncnn \
    unfit_pytorch bench train resume
claim "sanitized faults"

# The thread sanitizer needs addresses in fixed ranges; address randomisation of some systems exceeds them.  With it the
# tests of whole trainings would take minutes, so a short training replaces them.  Slow single-threaded tests are
# skipped (test_backbones is in `make soak`), and test_absence, which replaces the malloc of Clang's runtime.
stage "building, thread sanitizer"
slow="$slow test_train test_guide test_train_command test_save_dir test_outputs test_defects test_scale"
slow="$slow test_export test_deploy test_merge test_absence test_watch test_run_length test_visdrone_score"
slow="$slow test_kernel_conv test_kernel_rows test_config_advice test_backbones" scenes=build/thread/scenes
setup clang libclang-rt-dev libomp-dev
if echo 'int main(void) { return 0; }' | clang -x c -fsanitize=thread -fopenmp - -o build/thread_probe 2> /dev/null; then
    build SANITIZE=thread tests build/thread/nanodet
    stage "tests, thread sanitizer"
    runner=$(setarch "$(uname -m)" -R true 2>/dev/null && echo setarch "$(uname -m)" -R)
    export TSAN_OPTIONS=ignore_noninstrumented_modules=1        # OpenMP's own locks
    unit threads build/thread $(tests_without $slow)
    run "threads synth" $runner build/thread/nanodet synth $scenes --images 24 --val-images 8 --size 96x96 \
        --objects 3-6
    count "threads synth" $((status == 0)) 0 0
    run "threads train" $runner build/thread/nanodet train configs/demo.yml --threads 3 save_dir=build/thread/run \
        data.train.img_path=$scenes/images/train data.train.ann_path=$scenes/train.json \
        data.val.img_path=$scenes/images/val data.val.ann_path=$scenes/val.json \
        'data.train.input_size=[96, 96]' device.batchsize_per_gpu=4 schedule.total_epochs=2 log.checkpoint_minutes=0.01
    count "threads train" $((status == 0)) 0 0
else
    skip "thread sanitizer" "Clang with libomp cannot build for it here"
fi

finish
