#!/bin/sh
# Lets single allocations and I/O calls fail in every command.  A run must end like the undisturbed one (exit, files,
# stdout), or with exit 1, a message and no file that differs from the undisturbed run's.  If an allocation failed, the
# message says "out of memory".  After a failed training --resume reaches the undisturbed bits.
# usage: faults.sh NANODET INJECT.so [MOST [CASE...]]
#     MOST: faults per case and kind, drawn evenly from all paths to an allocation or a call; 0: one per path (default)
#     KINDS="alloc io" (default); a program under the address sanitizer takes KINDS=alloc only, since its leak checker
#     hangs if its system calls are trapped
#     KEEP=DIR: copies the failed runs there
# Ends with `N passed, N failed, N skipped`; exit 1 if anything failed.
set -u
# A program that executes itself again would meet the filter of system calls without its handler.
export GOMP_SPINCOUNT=2000
export LC_ALL=C ASAN_OPTIONS=verify_asan_link_order=0:allocator_may_return_null=1:exitcode=23

# ---- the commands: each starts in a folder of its own, with inputs in ../in ----

all="version help synth check check_voc check_keys convert_visdrone convert_voc convert_yolo convert_labelme info
    info_weights eval eval_visdrone test test_visdrone predict predict_json predict_drawn predict_fonts
    predict_stream heatmap export export_onnx export_nms export_ncnn from_onnx from_ncnn unfit_pytorch bench
    bench_train train train_weights resume"

# start CASE [--resume]: leaves stdout, stderr and exit status in files.  FAULT and FAULT_LOG are those of inject.c.
start()
(
    resume=${2:-}
    in=../in config=../in/tiny.yml weights=../in/weights.safetensors
    case $1 in
    version)          set -- --version ;;
    help)             set -- export --help ;;
    synth)            set -- synth out --images 2 --val-images 1 --size 64x64 --objects 2-3 ;;
    check)            set -- check $config ;;
    check_voc)        set -- check $config data.val.name=XMLDataset data.val.ann_path=$in/voc \
                             data.val.img_path=$in/voc ;;
    check_keys)       set -- check --keys ;;
    convert_visdrone) set -- convert visdrone $in/visdrone --out out.json ;;
    convert_voc)      set -- convert voc $in/voc --out out.json ;;
    convert_labelme)  set -- convert labelme $in/labelme --out out.json ;;
    convert_yolo)     set -- convert yolo $in/yolo --out out.json --classes $in/yolo/data.yaml ;;
    info)             set -- info $config --json out.json --graph graph.json --training ;;
    info_weights)     set -- info --weights $weights ;;
    eval)             set -- eval $in/data/val.json $in/found.json --json out.json ;;
    eval_visdrone)    set -- eval $in/data/val.json $in/found --protocol visdrone ;;
    test)             set -- test $config --weights $weights --json out.json --dets found.json ;;
    test_visdrone)    set -- test $config --weights $weights --dets found --report rep ;;
    predict)          set -- predict --weights $weights --score 0.01 $in/data/images/val ;;
    predict_json)     set -- predict --weights $weights --score 0.01 "$in/data/images/val/*.jpg" --json out.json ;;
    predict_drawn)    set -- predict --weights $weights --score 0.01 $in/drawn --out out
                      export FONTCONFIG_FILE="$PWD/$in/no_fonts" ;;
    predict_fonts)    set -- predict --weights $weights --score 0.01 $in/drawn --out out ;;
    predict_stream)   set -- predict --weights $weights --score 0.01 - --json out.json ;;
    heatmap)          set -- heatmap --weights $weights --out out $in/drawn/a.jpg ;;
    export)           set -- export --weights $weights --out out.safetensors --fp16 ;;
    export_onnx)      set -- export --weights $weights --out out.onnx ;;
    export_nms)       set -- export --weights $weights --out out.onnx --output nms --any-size ;;
    export_ncnn)      set -- export --weights $weights --out out.param ;;
    from_onnx)        set -- predict $config --weights $in/weights.onnx --score 0.01 $in/data/images/val ;;
    from_ncnn)        set -- predict $config --weights $in/weights.param --score 0.01 $in/data/images/val ;;
    unfit_pytorch)    set -- export $config --weights $in/zip.pth --out out.onnx ;;      # exit 1: of another model
    bench)            set -- bench $config --seconds 0.001 --layers --json out.json ;;
    bench_train)      set -- bench $config --seconds 0.001 --mode train --threads 2 ;;
    train)            set -- train $config --threads 2 ;;
    train_weights)    set -- train $config --weights $weights --threads 1 ;;
    resume)           set -- train $config --threads 2 && resume=--resume ;;
    esac
    case "$*" in *--threads* | --version) ;; *) set -- "$@" --threads 1 ;; esac
    timeout 60 env ${FAULT:+"LD_PRELOAD=$inject"} "$nanodet" "$@" $resume < $in/stream > stdout 2> stderr
    status=$?
    echo $status > status
    exit $status
)

make_inputs()
{
    mkdir in in/drawn in/voc in/visdrone in/yolo in/labelme
    "$nanodet" synth in/data --images 4 --val-images 2 --size 64x64 --objects 2-4
    cat > in/tiny.yml <<END
save_dir: run
model:
  weight_averager: {name: ExpMovingAverager, decay: 0.9}
  arch:
    name: NanoDetPlus
    backbone: {name: ShuffleNetV2, model_size: 0.5x, out_stages: [2, 3, 4], pretrain: false}
    fpn: {name: GhostPAN, in_channels: [48, 96, 192], out_channels: 16, num_extra_level: 1, use_depthwise: true}
    head: {name: NanoDetPlusHead, num_classes: 5, input_channel: 16, feat_channels: 16, strides: [8, 16, 32, 64],
           reg_max: 7}
    aux_head: {name: SimpleConvHead, num_classes: 5, input_channel: 32, feat_channels: 32, strides: [8, 16, 32, 64],
               reg_max: 7}
data:
  train: {img_path: ../in/data/images/train, ann_path: ../in/data/train.json, cache_mb: 1, input_size: [64, 64],
          pipeline: {flip: 0.5, brightness: 0.2}}
  val: {img_path: ../in/data/images/val, ann_path: ../in/data/val.json}
device: {batchsize_per_gpu: 2}
schedule: {optimizer: {name: AdamW, lr: 0.003, weight_decay: 0.05}, total_epochs: 2, val_intervals: 1}
log: {interval: 1}
class_names: [car, van, truck, bus, person]
END
    for image in in/data/images/val/*.jpg; do
        name=$(basename "$image" .jpg)
        for set in visdrone voc yolo labelme; do
            cp "$image" in/$set
        done
        printf '1,2,30,40,1,4,0,0\n5,6,7,8,0,1,0,2,\n' > "in/visdrone/$name.txt"
        printf '0 0.5 0.5 0.25 0.125\n1 .3 .3 .5 .5\n' > "in/yolo/$name.txt"
        echo "<annotation><filename>$name.jpg</filename><size><width>64</width><height>64</height></size><object>
            <name>car</name><bndbox><xmin>1</xmin><ymin>2.5</ymin><xmax>30</xmax><ymax>40</ymax></bndbox></object>
            </annotation>" > "in/voc/$name.xml"
        printf '{"imagePath": "%s.jpg", "imageWidth": 64, "imageHeight": 64, "shapes": [{"label": "car", "points":
            [[1, 2.5], [30, 40]], "shape_type": "rectangle"}]}' "$name" > "in/labelme/$name.json"
        cat "$image" >> in/stream
        cp "$image" in/drawn/a.jpg
    done
    echo 'names: [car, van]' > in/yolo/data.yaml
    cp "$corpus/png/palette.png" in/drawn/b.png
    echo '<fontconfig/>' > in/no_fonts
    cp "$corpus/pytorch/zip.pth" in
    mkdir first
    (cd first && start train && cp run/model_last.safetensors ../in/weights.safetensors &&
        "$nanodet" export --weights ../in/weights.safetensors --out ../in/weights.onnx &&
        "$nanodet" export --weights ../in/weights.safetensors --out ../in/weights.param &&
        start test && cp found.json ../in && start test_visdrone && cp -r found ../in) || return
    stop_training || stop_training || stop_training
}

# ./stopped: a training that ended in its second epoch, unless it was done before.
stop_training()
(
    rm -rf stopped
    mkdir stopped
    cd stopped || exit
    "$nanodet" train ../in/tiny.yml --threads 2 2> stderr &
    while [ ! -e run/model_last.safetensors ] && kill -0 $!; do
        sleep 0.01
    done
    kill $!
    wait $!
    [ $? = 143 ]
)

# ---- one run ----

# prepare CASE FOLDER: creates the files that exist before the command starts.
prepare()
{
    rm -rf "$2"
    mkdir "$2"
    [ "$1" != resume ] || cp -r stopped/run "$2"
}

# normalise CASE FOLDER: removes times and speeds, which differ from run to run, from its files.
normalise()
(
    cd "$2" || exit
    case $1 in
    bench* | check*) sed -i 's/[0-9][0-9.e+-]*//g; s/  */ /g' stdout $(ls out.json 2>/dev/null) ;;
    train* | resume)
        rm -f run/events.*
        [ ! -e run/train.log ] || sed -i 's/^[^ ]* [^ ]*//; s/[0-9:.]* left *[0-9.]* images.s//' run/train.log
        [ ! -e run/metrics.csv ] || { cut -d, -f1-11 run/metrics.csv > cut && mv cut run/metrics.csv; } ;;
    esac
)

# judge CASE FOLDER KIND STATUS: prints the errors of that run; nothing if there are none.
judge()
{
    case $4 in
    124) echo "no end within 60 s" ;;
    0 | 1) ;;
    23) # The address sanitizer ends without a report if an allocation of its own fails, as at the start of a thread.
        if [ ! -s "$2/stderr" ] || grep -q "AddressSanitizer: CHECK failed" "$2/stderr"; then
            return
        fi
        echo "exit 23: $(tail -n 1 "$2/stderr")" ;;
    *) echo "exit $4: $(tail -n 1 "$2/stderr")" ;;
    esac
    same="diff -rq -x stderr" reference=$1.ref
    case $1$4 in
    train*1 | resume1)
        cp "$2/stderr" "$2.stderr"
        (cd "$2" && FAULT= start "$1" --resume)
        [ $? = 0 ] || { echo "--resume: $(tail -n 1 "$2/stderr")"; return; }
        mv "$2.stderr" "$2/stderr"
        same="$same -x train.log -x *.old" ;;
    predict_fonts*)                                     # without the fonts, and a line that says so
        ! grep -q "no fonts of this machine can be used" "$2/stderr" || reference=drawn ;;
    esac
    left=$(sed -n 's/: is left behind, since .*//p' "$2/stderr")
    [ ! "$left" ] || rm -r "$2/$left"
    normalise "$1" "$2"
    # A training continues if a chart cannot be drawn or a report not be written.
    ! grep -q "curves.png is not drawn" "$2/run/train.log" 2>/dev/null || same="$same -x curves.png -x train.log"
    ! grep -q "report.html is not written" "$2/run/train.log" 2>/dev/null ||
        same="$same -x report.html -x report.json -x train.log"
    ! grep -q "train_batch[0-9].jpg is not drawn" "$2/run/train.log" 2>/dev/null ||
        same="$same -x train_batch?.jpg -x train.log"
    $same "$reference" "$2" > "$2.diff"
    case $1$4 in
    *0 | train* | resume*) cat "$2.diff" ;;
    *) grep -v "^Only in $reference" "$2.diff" | grep -v "/\(stdout\|status\) differ" ;;
    esac
    [ $4 = 1 ] || return
    cmp -s "$1.ref/stderr" "$2/stderr" || [ "$3" != alloc ] || cat "$2/stderr" "$2/stdout" |
        grep -qi "out of memory\|^libgomp: Thread creation failed" || echo "another cause: $(tail -n 1 "$2/stderr")"
    grep -q "^\(nanodet\|libgomp\): ." "$2/stderr" || grep -q "^write -[0-9]* 2$" "$2.log" || echo "no message"
}

# one CASE KIND N: a run with a fault.  Prints a line, or more if it failed.
one()
{
    name=$1.$2.$3
    prepare "$1" "$name"
    (cd "$name" && FAULT=$2:$3 FAULT_LOG=$PWD.log start "$1") 2> "$name.shell"
    wrong=$(judge "$1" "$name" "$2" $? 2>&1)
    if [ "$wrong" ]; then
        echo "FAIL $1 $2 $3: $(tail -n 1 "$name.log"): $wrong" | sed '2,6s/^/    /; 7,$d'
        [ ! "${KEEP:-}" ] || cp -r "$name" "$name.log" "$KEEP"
    else
        echo "PASS $1 $2"
    fi
    rm -rf "$name" "$name".*
}

# ---- all of them ----

# reference CASE: the undisturbed run, and in CASE.list.log the numbers of its allocations and calls, one per path.
reference()
{
    for kind in $kinds; do
        prepare "$1" "$1.list"
        (cd "$1.list" && FAULT=$kind:list FAULT_LOG=$PWD.log start "$1")
    done
    prepare "$1" "$1.ref"
    (cd "$1.ref" && FAULT= start "$1") || [ "$1" = unfit_pytorch ] ||
        echo "FAIL $1: undisturbed: $(tail -n 1 "$1.ref/stderr")"
    normalise "$1" "$1.ref"
    [ "$1" != predict_fonts ] || { prepare drawn drawn && (cd drawn && FAULT= start predict_drawn); }
}

# draw CASE KIND MOST
draw()
{
    sed -n "s/^$2 //p" "$1.list.log" | sort -nu | awk -v what="$1 $2" -v most="$3" '{ n[NR] = $1 } END {
        m = most && most < NR ? most : NR
        for (i = 0; i < m; i++)
            print what, n[1 + int((i + 0.5) * NR / m)] }'
}

if [ "$1" = --one ]; then
    shift
    one "$@"
    exit
fi
export nanodet=$(realpath "$1") inject=$(realpath "$2") corpus=$(realpath "$(dirname "$0")/../fuzz/corpus")
self=$(realpath "$0") most=${3:-0} kinds=${KINDS:-alloc io} dir=$(mktemp -d)
shift $(($# < 3 ? $# : 3))
trap 'rm -rf "$dir"' EXIT
cd "$dir" || exit 1
case $kinds in
*io*)
    FAULT=io:0 LD_PRELOAD=$inject timeout 20 "$nanodet" --version > version 2>&1
    [ $? != 99 ] || { cat version; echo "SKIP io: no seccomp filters here"; kinds=alloc skipped=1; } ;;
esac
make_inputs 2> inputs.log || { cat inputs.log first/stderr; echo "0 passed, 1 failed, 0 skipped"; exit 1; }
for name in ${*:-$all}; do
    reference "$name" >> results
    for kind in $kinds; do
        draw "$name" "$kind" "$most"
    done
done > plan
xargs -P "$(nproc)" -L 1 sh "$self" --one < plan >> results
grep -v '^PASS' results
awk '$1 == "PASS" || $1 == "FAIL" { all[$2 " " $3]++; good[$2 " " $3] += $1 == "PASS" }
    END { for (k in all) print k ": " good[k] " of " all[k] }' results | sort
echo "$(grep -c '^PASS' results) passed, $(grep -c '^FAIL' results) failed, ${skipped:-0} skipped"
! grep -q '^FAIL' results
