#!/bin/sh
# Tests with separate processes: closed standard descriptors, signals, a second training, limits of file size.
# usage: process.sh NANODET
set -eu
unset OMP_WAIT_POLICY GOMP_SPINCOUNT KMP_BLOCKTIME OMP_NUM_THREADS
nanodet=$1 pid=
dir=$(mktemp -d)
finish()
{
    status=$?
    [ $status = 0 ] || { echo FAIL; cat "$dir/err"; kill -KILL $pid; } 2> /dev/null || true
    rm -rf "$dir"
    exit $status
}
trap finish EXIT

cat > "$dir/tiny.yml" <<END
save_dir: $dir/run
model:
  arch:
    name: NanoDetPlus
    backbone: {name: ShuffleNetV2, model_size: 0.5x, pretrain: false, out_stages: [2, 3, 4]}
    fpn: {name: GhostPAN, in_channels: [48, 96, 192], out_channels: 32, num_extra_level: 1, use_depthwise: true}
    head: {name: NanoDetPlusHead, num_classes: 5, input_channel: 32, feat_channels: 32, strides: [8, 16, 32, 64],
           reg_max: 7}
    aux_head: {name: SimpleConvHead, num_classes: 5, input_channel: 64, feat_channels: 64, strides: [8, 16, 32, 64],
               reg_max: 7}
data:
  train: {img_path: $dir/data/images/train, ann_path: $dir/data/train.json, input_size: [64, 64]}
  val: {img_path: $dir/data/images/val, ann_path: $dir/data/val.json}
device: {batchsize_per_gpu: 2}
schedule: {optimizer: {name: AdamW, lr: 0.003, weight_decay: 0.05}, total_epochs: 1}
log: {interval: 1}
class_names: [car, van, truck, bus, person]
END
long="schedule.total_epochs=10000"

die() { echo "$*"; exit 1; }

# exits STATUS COMMAND...
exits()
{
    wanted=$1 status=0
    shift
    "$@" 2> "$dir/err" > "$dir/out" || status=$?
    [ $status = "$wanted" ] || die "exit $status, not $wanted: $*"
}

# soon_gone PID WHAT: it ends within 10 seconds.
soon_gone()
{
    for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
        kill -0 "$1" 2> /dev/null || return 0
        sleep 0.5
    done
    kill -KILL "$1"
    die "$2"
}

# wait_for FILE TEXT: until the file has the text.
wait_for()
{
    for i in $(seq 600); do
        grep -q "$2" "$1" 2> /dev/null && return 0
        sleep 0.1
    done
    die "no '$2' in $1"
}

train() { "$nanodet" train "$dir/tiny.yml" --threads 2 "$@"; }

"$nanodet" synth "$dir/data" --images 6 --val-images 2 --size 96x96 --objects 3-6 2> "$dir/err"

# ---- closed descriptors: the same files, without messages in them ----

run_all()
{
    train "save_dir=$dir/$1"
    weights=$dir/$1/model_last.safetensors
    "$nanodet" predict --weights "$weights" --score 0.01 --json "$dir/$1.json" "$dir/data/images/val"
    "$nanodet" export --weights "$weights" --out "$dir/$1.onnx"
    "$nanodet" test "$dir/tiny.yml" --weights "$weights" --json "$dir/$1.score.json" --dets "$dir/$1.dets.json"
}
run_all open > "$dir/out" 2> "$dir/err"
run_all stdin <&- > "$dir/out" 2> "$dir/err"
run_all stdout >&- 2> "$dir/err"
run_all stderr > "$dir/out" 2>&-
run_all none <&- >&- 2>&-
for name in stdin stdout stderr none; do
    for file in .json .onnx .score.json .dets.json /model_last.safetensors /eval.csv; do
        cmp "$dir/open$file" "$dir/$name$file"
    done
    sed 's/^[-0-9]* [:0-9]*  //' "$dir/$name/train.log" | grep -v '^epoch 1/1\|^files in' > "$dir/$name.log"
    cut -d, -f1-11 "$dir/$name/metrics.csv" > "$dir/$name.csv"
done
cut -d, -f1-11 "$dir/open/metrics.csv" | cmp - "$dir/none.csv"
cmp "$dir/stdin.log" "$dir/none.log"
cmp "$dir/stderr.log" "$dir/none.log"
for command in --version --help "info $dir/tiny.yml"; do
    status=0
    "$nanodet" $command >&- 2> "$dir/err" || status=$?
    [ $status = 1 ] || die "exit $status with a closed stdout: $command"
    grep -q "standard output: Bad file descriptor" "$dir/err"
done
status=0
"$nanodet" predict --weights "$weights" - <&- 2> "$dir/err" || status=$?
[ $status = 1 ] || die "exit $status with a closed stdin"

# ---- OpenMP: OMP_NUM_THREADS without --threads; a wait of its own, unless the user has chosen ----

counts_threads()
{
    wanted=$1
    shift
    env "$@" --mode infer --seconds 0.001 > "$dir/out" 2> "$dir/err"
    grep -q " $wanted threads," "$dir/out" || die "not $wanted threads: $*"
}
counts_threads 3 OMP_NUM_THREADS=3 "$nanodet" bench "$dir/tiny.yml"
counts_threads 2 OMP_NUM_THREADS=3 "$nanodet" bench "$dir/tiny.yml" --threads 2

# environment_of NAME VARIABLE=VALUE...: that of a training on two threads.
environment_of()
{
    name=$1
    shift
    env "$@" "$nanodet" train "$dir/tiny.yml" --threads 2 "save_dir=$dir/$name" $long 2> "$dir/err" &
    pid=$!
    wait_for "$dir/$name/train.log" "step 1/"
    tr '\0' '\n' < /proc/$pid/environ > "$dir/environ"
    kill -TERM $pid
    wait $pid || [ $? = 143 ] || die "the training on two threads failed"
}
if ldd "$nanodet" | grep -q libgomp; then
    environment_of short A=B
    grep -q '^GOMP_SPINCOUNT=2000$' "$dir/environ" || die "threads wait long"
    environment_of chosen OMP_WAIT_POLICY=active
    ! grep -q '^GOMP_SPINCOUNT=' "$dir/environ" || die "the user's OMP_WAIT_POLICY is overridden"
fi

# ---- signals ----

for signal in HUP INT TERM; do
    "$nanodet" train "$dir/tiny.yml" "save_dir=$dir/$signal" $long 2> "$dir/err" &
    pid=$!
    wait_for "$dir/$signal/train.log" "step 2/"
    kill -$signal $pid
    [ $signal != HUP ] || kill -HUP $pid 2> /dev/null || true       # as when a terminal closes
    status=0
    wait $pid || status=$?
    case $signal$status in HUP129 | INT130 | TERM143) ;; *) die "exit $status after SIG$signal" ;; esac
    [ -f "$dir/$signal/model_last.safetensors" ] || die "no checkpoint after SIG$signal"
    grep -q "stopped after step" "$dir/err"
done
(trap '' HUP; exec "$nanodet" train "$dir/tiny.yml" "save_dir=$dir/nohup" $long 2> "$dir/err") &
pid=$!
wait_for "$dir/nohup/train.log" "step 2/"
kill -HUP $pid
sleep 1
kill -0 $pid || die "an ignored SIGHUP ended the training"

# ---- a second training, while the first one runs ----

exits 1 train "save_dir=$dir/nohup"
grep -q "another training is running" "$dir/err"
kill -KILL $pid
wait $pid 2> /dev/null || true
exits 0 train "save_dir=$dir/nohup"

# ---- FIFOs: the first SIGTERM ends a process that waits for them ----

mkfifo "$dir/fifo"
ends_with_term()
{
    "$nanodet" "$@" > "$dir/out" 2> "$dir/err" &
    pid=$!
    sleep 1
    kill -TERM $pid 2> /dev/null || true
    soon_gone $pid "SIGTERM does not end: $*"
}
ends_with_term predict --weights "$weights" "$dir/fifo"
ends_with_term train "$dir/tiny.yml" "save_dir=$dir/run" "data.train.ann_path=$dir/fifo"
ends_with_term train "$dir/fifo"
ends_with_term train "$dir/tiny.yml" "save_dir=$dir/run" --weights "$dir/fifo"
cp -r "$dir/data" "$dir/piped"
first=$(ls "$dir/piped/images/train" | head -n 1)
rm "$dir/piped/images/train/$first"
mkfifo "$dir/piped/images/train/$first"
ends_with_term train "$dir/tiny.yml" "save_dir=$dir/run" "data.train.img_path=$dir/piped/images/train" $long

# ---- a limit of file size is an error like a full disk ----

status=0
(ulimit -f 20; train "save_dir=$dir/limited") 2> "$dir/err" || status=$?
[ $status = 1 ] || die "exit $status beyond the limit of file size"
grep -q "File too large" "$dir/err"
[ -z "$(find "$dir/limited" -name '*.tmp')" ] || die "a temporary file is left"

# ---- a limit of memory ends with a message, and does not keep a library from starting ----

(ulimit -v 150000; exits 0 timeout 20 "$nanodet" --help)
(ulimit -v 400000; exits 1 timeout 60 "$nanodet" bench configs/nanodet-plus-m_320.yml --mode train --batch 16)
grep -q "^nanodet: out of memory" "$dir/err"

echo "process: closed descriptors, threads, signals, a second training, FIFOs and limits"
