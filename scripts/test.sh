#!/bin/sh
# Everything that can be checked on this machine, in less than 20 minutes on two cores:
#   the tests; interrupted trainings; the fuzz targets over their saved inputs; the numbers of the original, where
#   ../shared/parity lies beside this folder; exported files in other programs' runtimes; NEON in emulation; every
#   layer against PyTorch; the tests once more under the sanitizers.  Python gets the runtimes and PyTorch in
#   build/python.
# Ends with a line `N passed, N failed, N skipped`; exit 1 if anything failed.
set -u
cd "$(dirname "$0")/.." || exit 1
logs=build/logs passed=0 failed=0 skipped=0 slow=
# What of ../shared/parity this version claims, a room or case a word.
parity="assign augment coco_eval loss nms preprocess schedule schedules sizes.json visdrone_eval models"
# Configurations, one of a kind, whose networks are held to PyTorch's differentiation.  All of them: make oracle.
oracle="nanodet-plus-m_320 nanodet-m nanodet-g nanodet-t nanodet-EfficientNet-Lite0_320 nanodet-RepVGG-A0_416
    enhanced-nanodet-s_320 enhanced-nanodet-m-hswish_416 nanodet-plus_convnext-nano_640"
# What prepares pictures for exported files, what reads these, and what differentiates: built for CPUs alone, where that
# can be had, not with gigabytes of what GPUs need.
packages="numpy==2.4.6 opencv-python-headless==5.0.0.93 onnx==1.23.2 onnxruntime==1.31.1 openvino==2026.4.1
    ncnn==1.0.20261020 MNN==3.6.1 torch==2.13.0+cpu"

finish()
{
    echo "$passed passed, $failed failed, $skipped skipped"
    [ "$failed" = 0 ]
    exit
}

# build WHAT...: by make, or this is the end.
build()
{
    echo "== make $*"
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
    timeout 900 "$@" > "$log" 2>&1
    status=$?
    [ $status = 0 ] || tail -n 100 "$log"
}

# count NAME PASSED FAILED SKIPPED, of what ran last.  What ended badly or told nothing is a failure.
count()
{
    if { [ $status != 0 ] && [ "${3:-0}" = 0 ]; } || [ $((${2:-0} + ${3:-0} + ${4:-0})) = 0 ]; then
        set -- "$1" "${2:-0}" 1 "${4:-0}"
        echo "$1: exit $status"
    fi
    passed=$((passed + ${2:-0})) failed=$((failed + ${3:-0})) skipped=$((skipped + ${4:-0}))
    echo "$1: ${2:-0} passed, ${3:-0} failed, ${4:-0} skipped"
}

# claim NAME: counts what the log of the last run says in its last line, and shows what was skipped.
claim()
{
    count "$1" $(sed -n 's/^\([0-9]*\) passed, \([0-9]*\) failed, \([0-9]*\) skipped$/\1 \2 \3/p' "$log")
    grep '^SKIP' "$log"
}

# skip NAME WHY
skip()
{
    echo "SKIPPED $1: $2"
    skipped=$((skipped + 1))
}

# knows PACKAGE==VERSION...: has python3 all of these?
knows()
{
    python3 -c "import $(echo "$*" | sed 's/==[^ ]*//g; s/  */, /g; s/opencv-python-headless/cv2/')" > /dev/null 2>&1
}

# Whatever can be had of the packages, whatever their relation to those that are there; what cannot, the tests skip by
# name.
prepare_python()
{
    knows $packages && return
    PATH=$PWD/build/python/bin:$PATH missing=
    for package in $packages; do
        knows "$package" || missing="$missing $package"
    done
    [ "$missing" ] || return
    echo "== pip install$missing"
    sh scripts/setup.sh python3 python3-venv > "$logs/python" 2>&1
    python3 -m venv --system-site-packages build/python >> "$logs/python" 2>&1
    install="timeout 300 build/python/bin/pip install -q --ignore-installed"
    $install $missing >> "$logs/python" 2>&1 && return
    for package in $missing; do
        $install "$package" >> "$logs/python" 2>&1
        knows "$package" || skip "$package" "python3 has no such package, nor could it be installed"
    done
}

# unit LABEL FOLDER [RUNNER...]: the tests built there, but for those in $slow; as many at a time as there are cores, the
# longest first, so that none is left running alone.
longest="test_train test_deploy test_commands test_enhanced test_onnx_python test_ncnn_python test_backbones"
unit()
{
    label=$1 folder=$2 tests=
    shift 2
    for source in $longest tests/test_*.c; do
        test=$(basename "$source" .c)
        case " $slow $tests " in *" $test "*) ;; *) tests="$tests $test" ;; esac
    done
    printf '%s\n' $tests | xargs -P "$(nproc)" -I {} \
        sh -c 'log=$1; shift; timeout 900 "$@" > "$log" 2>&1; echo $? > "$log.status"' \
        - "$logs/$label-{}" "$@" "$folder/tests/{}"
    for test in $tests; do
        log=$logs/$label-$test status=$(cat "$logs/$label-$test.status")
        [ "$status" = 0 ] || tail -n 100 "$log"
        count "$label $test" "$(cmocka PASSED)" "$(cmocka FAILED)" "$(cmocka SKIPPED)"
        sed -n 's/^\[  SKIPPED \] \([a-z_0-9]*\)$/    skipped: \1/p' "$log" | sort -u
    done
}

cmocka()
{
    sed -n "s/^\[  $1 *\] \([0-9]*\) test(s).*/\1/p" "$log"
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

sh scripts/setup.sh || { failed=1; finish; }
mkdir -p $logs
prepare_python

build all tests
unit release build
fuzz release build
for script in tests/*.sh; do
    run "$(basename "$script")" sh "$script" ./nanodet
    count "$(basename "$script")" $((status == 0)) 0 0
done

for case in $parity; do
    set -- ../shared/parity/$case
    if [ ! -e "$1" ]; then
        skip "parity $case" "no ../shared/parity/$case"
        continue
    fi
    run "parity $case" build/tests/parity "$@"
    claim "parity $case"
done

sh scripts/setup.sh gcc-aarch64-linux-gnu qemu-user-static > "$logs/arm64-setup" 2>&1
run arm64 sh tests/cross/arm64.sh
claim arm64

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

if knows numpy torch; then
    build build/tests/oracle_dump
    run oracle python3 tests/oracle/oracle.py $(printf 'configs/%s.yml ' $oracle)
    claim oracle
else
    skip oracle "python3 has no torch"
fi

# Addresses and undefined behaviour in one build; the saved inputs of the fuzz targets belong to it.
# What Python makes of exported files is the same whatever the build; all networks would take minutes.
slow="test_onnx_python test_ncnn_python test_configs"
build SANITIZE=address,undefined tests
unit sanitized build/address,undefined
fuzz sanitized build/address,undefined

# The thread sanitizer wants addresses where it looks for them: some systems spread them too far.  Under it the tests of
# whole trainings would take minutes, and a short training stands for them; so would some tests of what one thread does.
fixed=$(setarch "$(uname -m)" -R true 2>/dev/null && echo setarch "$(uname -m)" -R)
slow="$slow test_train test_export test_deploy test_merge test_kernel_conv test_kernel_rows" scenes=build/thread/scenes
build SANITIZE=thread tests build/thread/nanodet
unit threads build/thread $fixed
run "threads synth" $fixed build/thread/nanodet synth $scenes --images 24 --val-images 8 --size 96x96 --objects 3-6
count "threads synth" $((status == 0)) 0 0
run "threads train" $fixed build/thread/nanodet train configs/demo.yml --threads 3 save_dir=build/thread/run \
    data.train.img_path=$scenes/images/train data.train.ann_path=$scenes/train.json \
    data.val.img_path=$scenes/images/val data.val.ann_path=$scenes/val.json \
    'data.train.input_size=[96, 96]' device.batchsize_per_gpu=4 schedule.total_epochs=2 log.checkpoint_minutes=0.01
count "threads train" $((status == 0)) 0 0

finish
