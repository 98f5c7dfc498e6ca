#!/bin/sh
# Ends a training at random times, by SIGKILL or SIGTERM, and at random system calls, by SIGKILL, and resumes with any
# number of threads: its files are bit-identical to those of an uninterrupted training.  Then ends an export at random
# system calls: the old pair of files, the new pair, or none can be loaded.
# usage: kill_resume.sh NANODET [KILLS [SEED]]
# Half of the kills are at system calls, through build/tests/kill_at; without that, or without seccomp notification in
# the kernel, all are at random times.
set -eu
nanodet=$1 kills=${2:-6} seed=${3:-$$}
kill_at=$(dirname "$0")/../build/tests/kill_at
dir=$(mktemp -d)
trap 'status=$?; [ $status = 0 ] || echo "FAIL; SEED=$seed"; rm -rf "$dir"; exit $status' EXIT

sed "s|DATA|$dir/data|g" "$(dirname "$0")/small_training.yml" > "$dir/tiny.yml"

train() {
    name=$1; shift
    "$nanodet" train "$dir/tiny.yml" "save_dir=$dir/$name" "$@" 2> "$dir/$name.err"
}

# at_call any|commit N COMMAND...: ended at its N-th system call; the numbers of both on standard output if N is 0.
at_call() {
    "$kill_at" "$@" 2> "$dir/killed.err"
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

# A temporary file may be left by a kill, but by none before the last one.
count_stale() {
    stale=$(find "$dir/killed" -name '*.tmp' 2> "$dir/find.err" | wc -l)
    [ "$stale" -le 1 ] || { find "$dir/killed"; echo "$stale stale temporary files"; exit 1; }
}

"$nanodet" synth "$dir/data" --images 101 --val-images 6 --size 96x96 --objects 3-6 2> "$dir/synth.err"
# The undisturbed training, and how many system calls it makes: those that change files, and of these those that sync,
# rename or remove one.
set -- "$nanodet" train "$dir/tiny.yml" "save_dir=$dir/straight" --threads 2
if [ -x "$kill_at" ] && at_call any 0 "$@" > "$dir/calls"; then
    read -r any commit < "$dir/calls"
else
    echo "SKIPPED kills at system calls: no $kill_at, or the kernel does not hand them over"
    any=0 commit=0
    "$@" 2> "$dir/straight.err"
fi

awk -v n="$kills" -v seed="$seed" -v any="$any" -v commit="$commit" 'BEGIN {
    srand(seed)
    while (i++ < n) {
        threads = 1 + int(3 * rand())
        if (any && i % 4 == 1)
            print threads, "any", 1 + int(any / 2 * rand())
        else if (any && i % 4 == 3)
            print threads, "commit", 1 + int(commit / 2 * rand())
        else
            print threads, rand() < 0.25 ? "TERM" : "KILL", 0.02 + 2 * rand()
    }
}' > "$dir/plan"
moments=0 at_calls=0 runs=1
while read -r threads how when; do
    set -- "$nanodet" train "$dir/tiny.yml" "save_dir=$dir/killed" --resume --threads "$threads"
    status=0
    case $how in
        any | commit)
            at_call "$how" "$when" "$@" || status=$? ;;
        *)
            "$@" 2> "$dir/killed.err" &
            pid=$!
            sleep "$when"
            kill -"$how" $pid 2> "$dir/kill.err" || true
            wait $pid 2> "$dir/kill.err" || status=$? ;;
    esac
    case $how$status in
        any137 | commit137) at_calls=$((at_calls + 1)); count_stale ;;
        KILL137 | TERM143)  moments=$((moments + 1)); count_stale ;;
        *0)                 compare; rm -rf "$dir/killed"; runs=$((runs + 1)) ;;    # it was done; begin another one
        *)  cat "$dir/killed.err"; echo "exit $status after $how $when"; exit 1 ;;
    esac
done < "$dir/plan"
train killed --resume
compare
[ -z "$(find "$dir/killed" -name '*.tmp')" ]
echo "kill_resume: $moments kills at random moments, $at_calls at system calls, $runs trainings: the same bits"

# ---- an export over a pair of files ----

[ "$any" -gt 0 ] || exit 0
# export_pair FOLDER COMMAND...: the end of the command is added
export_pair() {
    folder=$1; shift
    "$@" --weights "$dir/straight/model_last.safetensors" --out "$dir/$folder/m.param" 2> "$dir/export.err"
}
mkdir "$dir/old" "$dir/new" "$dir/pair"
export_pair new "$nanodet" export
export_pair old "$nanodet" export --no-fold
export_pair pair "$kill_at" any 0 "$nanodet" export > "$dir/calls"
read -r any commit < "$dir/calls"
[ "$kills" -lt "$commit" ] || kills=$commit
olds=0 news=0 none=0 kill=0
while [ $kill -lt "$kills" ]; do
    rm -rf "$dir/pair"
    cp -r "$dir/old" "$dir/pair"
    export_pair pair "$kill_at" commit $((1 + commit * kill / kills)) "$nanodet" export || true
    if [ ! -e "$dir/pair/m.param" ]; then
        none=$((none + 1))
    elif cmp -s "$dir/pair/m.param" "$dir/old/m.param"; then
        cmp "$dir/pair/m.bin" "$dir/old/m.bin"
        olds=$((olds + 1))
    else
        cmp "$dir/pair/m.param" "$dir/new/m.param"
        cmp "$dir/pair/m.bin" "$dir/new/m.bin"
        news=$((news + 1))
    fi
    kill=$((kill + 1))
done
echo "kill_resume: $kills exports ended at system calls: the old pair $olds times, the new one $news, none $none"
