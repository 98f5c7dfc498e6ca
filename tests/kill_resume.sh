#!/bin/sh
# Ends a training at random moments, by SIGKILL or SIGTERM, and goes on with any number of threads: what it leaves must
# be what a training left alone leaves, to the bit.
# usage: kill_resume.sh NANODET [KILLS [SEED]]
set -eu
nanodet=$1 kills=${2:-3} seed=${3:-$$}
dir=$(mktemp -d)
trap 'status=$?; [ $status = 0 ] || echo "FAIL; SEED=$seed"; rm -rf "$dir"; exit $status' EXIT

cat > "$dir/tiny.yml" <<END
model:
  weight_averager: {name: ExpMovingAverager, decay: 0.9}
  arch:
    name: NanoDetPlus
    detach_epoch: 2
    backbone: {name: ShuffleNetV2, model_size: 0.5x, pretrain: false, out_stages: [2, 3, 4], activation: LeakyReLU}
    fpn: {name: GhostPAN, in_channels: [48, 96, 192], out_channels: 32, num_extra_level: 1, use_depthwise: true}
    head: {name: NanoDetPlusHead, num_classes: 5, input_channel: 32, feat_channels: 32, strides: [8, 16, 32, 64],
           reg_max: 7}
    aux_head: {name: SimpleConvHead, num_classes: 5, input_channel: 64, feat_channels: 64, strides: [8, 16, 32, 64],
               reg_max: 7}
data:
  train: {img_path: $dir/data/images/train, ann_path: $dir/data/train.json, cache_mb: 8, input_size: [64, 64],
          multi_scale: [0.8, 1.6], pipeline: {scale: [0.8, 1.2], flip: 0.5, brightness: 0.2}}
  val: {img_path: $dir/data/images/val, ann_path: $dir/data/val.json}
device: {batchsize_per_gpu: 2}
schedule:
  accumulate: 2
  optimizer: {name: AdamW, lr: 0.003, weight_decay: 0.05}
  warmup: {name: linear, steps: 20, ratio: 0.1}
  total_epochs: 4
  val_intervals: 1
grad_clip: 35
log: {interval: 1, checkpoint_minutes: 0.01}
class_names: [car, van, truck, bus, person]
END

train() {
    name=$1; shift
    "$nanodet" train "$dir/tiny.yml" "save_dir=$dir/$name" "$@" 2> "$dir/$name.err"
}

compare() {
    for file in model_last.safetensors model_best/model_best.safetensors eval.csv; do
        cmp "$dir/straight/$file" "$dir/killed/$file"
    done
    for name in straight killed; do                     # all but the speed
        cut -d, -f1-11 "$dir/$name/metrics.csv" > "$dir/$name.csv"
    done
    cmp "$dir/straight.csv" "$dir/killed.csv"
}

"$nanodet" synth "$dir/data" --images 101 --val-images 6 --size 96x96 --objects 3-6 2> "$dir/synth.err"
train straight --threads 2

awk -v n="$kills" -v seed="$seed" 'BEGIN {
    srand(seed)
    while (i++ < n)
        print 1 + int(3 * rand()), rand() < 0.25 ? "TERM" : "KILL", 0.02 + 2 * rand()
}' > "$dir/plan"
while read -r threads signal delay; do
    "$nanodet" train "$dir/tiny.yml" "save_dir=$dir/killed" --resume --threads "$threads" 2> "$dir/killed.err" &
    pid=$!
    sleep "$delay"
    kill -$signal $pid 2> "$dir/kill.err" || true
    status=0
    wait $pid || status=$?
    case $signal$status in
        KILL137 | TERM143) ;;
        *0) compare; rm -rf "$dir/killed" ;;            # it was done before; begin another one
        *)  cat "$dir/killed.err"; echo "exit $status after SIG$signal"; exit 1 ;;
    esac
done < "$dir/plan"
train killed --resume
compare
echo "kill_resume: $kills kills, the same bits"
