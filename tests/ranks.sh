#!/bin/sh
# Trains in several processes of MPI: the files are bit-identical to those of one process, also after a resume with
# another number, and after the death of a process.  Processes that differ are refused.
# usage: ranks.sh NANODET
set -eu
nanodet=$1
command -v mpirun > /dev/null || { echo "SKIP ranks: no mpirun"; exit 77; }
dir=$(mktemp -d)
trap 'status=$?; rm -rf "$dir"; exit $status' EXIT
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_rmaps_base_oversubscribe=1
export OMPI_MCA_hwloc_base_binding_policy=none

sed -e "s|DATA|$dir/data|g" -e 's/batchsize_per_gpu: 2/batchsize_per_gpu: 8/' -e 's/total_epochs: 4/total_epochs: 3/' \
    -e 's/steps: 20/steps: 4/' -e 's/input_size: .64, 64./input_size: [96, 64]/' "$(dirname "$0")/small_training.yml" \
    > "$dir/tiny.yml"
"$nanodet" synth "$dir/data" --images 64 --val-images 19 --size 96x96 --objects 3-6 2> "$dir/synth.err"

# train PROCESSES NAME [OPTION...]
train() {
    processes=$1 name=$2; shift 2
    timeout 300 mpirun -n "$processes" "$nanodet" train "$dir/tiny.yml" "save_dir=$dir/$name" --threads 1 "$@" \
        2> "$dir/$name.err"
}

# fail WHY: shows the last lines of the newest log
fail() { echo "$1"; tail -n 20 "$(ls -t "$dir"/*.err | head -n 1)"; exit 1; }

# processes NAME: the process numbers of a training's ranks
processes() {
    for process in /proc/[0-9]*; do
        tr '\0' ' ' 2> "$dir/processes.out" < "$process/cmdline" | grep -q "^$nanodet train .* save_dir=$dir/$1 " &&
            echo "${process#/proc/}"
    done
    return 0
}

# same NAME: as the training of one process
same() {
    for file in model_last.safetensors model_best/model_best.safetensors eval.csv; do
        cmp "$dir/one/$file" "$dir/$1/$file" || fail "$1: $file differs"
    done
    for run in one "$1"; do                             # all but the speed
        cut -d, -f1-11 "$dir/$run/metrics.csv" > "$dir/$run.csv"
    done
    cmp "$dir/one.csv" "$dir/$1.csv" || fail "$1: metrics.csv differs"
}

# refused WORDS PROCESSES COMMAND...: mpirun fails, and one line has these words
refused() {
    words=$1; shift
    status=0
    timeout 100 mpirun "$@" 2> "$dir/refused.err" || status=$?
    [ $status != 0 ] && [ $status != 124 ] || fail "not refused (exit $status): $*"
    [ "$(grep -c "^nanodet: .*$words" "$dir/refused.err")" = 1 ] || fail "not one line with: $words"
}

"$nanodet" train "$dir/tiny.yml" "save_dir=$dir/one" --threads 2 2> "$dir/one.err"
if grep -q "built without MPI" "$dir/one.err" || ! train 2 two; then
    grep -q "built without MPI" "$dir/two.err" && { echo "SKIP ranks: built without MPI"; exit 77; }
    fail "two processes failed"
fi
same two
train 4 four || fail "four processes failed"
same four

# A signal ends all processes with a checkpoint; another number of them goes on.
timeout 300 mpirun -n 2 "$nanodet" train "$dir/tiny.yml" "save_dir=$dir/stopped" --threads 1 2> "$dir/stopped.err" &
until [ -s "$dir/stopped/metrics.csv" ]; do sleep 0.1; done
kill -TERM $(processes stopped)
wait $! && fail "a stopped training ended with exit 0"
train 1 stopped --resume || fail "one process did not resume"
same stopped

# The death of a process ends the others within a minute; the checkpoint is whole.
timeout 300 mpirun -n 4 "$nanodet" train "$dir/tiny.yml" "save_dir=$dir/killed" --threads 1 2> "$dir/killed.err" &
until [ -e "$dir/killed/model_last.safetensors" ]; do sleep 0.1; done
kill -KILL $(processes killed | tail -n 1)
began=$(date +%s)
wait $! && fail "a training without one of its processes ended with exit 0"
[ $(($(date +%s) - began)) -lt 60 ] || fail "the job went on without a process"
train 2 killed --resume || fail "two processes did not resume"
same killed

# All processes choose the same length.
train 2 hours schedule.hours=0.002 || fail "schedule.hours failed"
[ "$(grep -c "schedule.hours 0.002: total_epochs" "$dir/hours.err")" = 1 ] || fail "not one line with the length"

set -- "$nanodet" train "$dir/tiny.yml" "save_dir=$dir/refused"
refused "3 processes cannot share a batch" -n 3 "$@"
refused "4 processes cannot share a batch of 6 images" -n 4 "$@" device.batchsize_per_gpu=6
refused "rank 1: .*the instruction set is another" -n 1 "$@" : -n 1 env NANODET_ISA=ref "$@"
refused "rank 1: .*the configuration is another.*seed: 5" -n 1 "$@" : -n 1 "$@" seed=5
refused "schedule.total_epochs" -n 2 "$@" schedule.total_epochs=none
mkdir "$dir/there"                                      # as a machine with other annotations in the same place
cp -r "$dir/data" "$dir/there"
sed 's/"bbox": *\[1/"bbox":[2/' "$dir/data/train.json" > "$dir/there/data/train.json"
cmp -s "$dir/data/train.json" "$dir/there/data/train.json" && fail "the annotations are the same"
sed "s|$dir/data/|data/|g" "$dir/tiny.yml" > "$dir/relative.yml"
set -- "$(realpath "$nanodet")" train "$dir/relative.yml" "save_dir=$dir/refused"
refused "rank 1: .*data.train is another" -n 1 -wdir "$dir" "$@" : -n 1 -wdir "$dir/there" "$@"
mpirun -n 2 "$nanodet" info "$dir/tiny.yml" > "$dir/info.out" 2> "$dir/info.err" && fail "info ran in two processes"
grep -q "info: only train runs in several processes" "$dir/info.err" || fail "info was not refused"
echo "ranks: 1, 2 and 4 processes, a stop, a death: the same bits; differences are refused"
