#!/bin/sh
# sh scripts/run_tests.sh LABEL FOLDER TEST[@TABLE]...
# Runs cmocka programs of FOLDER/tests, as many at a time as there are cores; TABLE is the NANODET_ISA of a run.
#     RUNNER: a command that starts each program, such as "setarch -R"
# Prints a line per program, the end of the log of each that fails, and the names of skipped tests.
# Ends with `N passed, N failed, N skipped`; exit 1 if anything failed.  The logs are in build/logs.
set -u
label=$1 folder=$2 logs=build/logs
shift 2
mkdir -p $logs
printf '%s\n' "$@" | xargs -P "$(nproc)" -I {} sh -c '
    test=$1 program=$2/tests/${1%@*} log=$3
    case $test in *@*) export NANODET_ISA="${test#*@}" ;; esac
    start=$(date +%s)
    timeout 900 ${RUNNER:-} "$program" > "$log" 2>&1
    echo $? $(($(date +%s) - start)) > "$log.status"' - {} "$folder" "$logs/$label-{}"
for test in "$@"; do
    log=$logs/$label-$test
    [ "$(cut -d' ' -f1 "$log.status")" = 0 ] || tail -n 100 "$log"
    sed -n 's/^\[  SKIPPED \] \([a-z_0-9]*\)$/    skipped: \1/p' "$log" | sort -u
    awk -v name="$label $test" 'NR == FNR { status = $1; seconds = $2; next }
        $1 == "[" && $2 ~ /^(PASSED|FAILED|SKIPPED)$/ { n[$2] += $4 }
        END {
            if ((status && !n["FAILED"]) || !(n["PASSED"] + n["FAILED"] + n["SKIPPED"])) {
                n["FAILED"] = 1
                print name ": exit " status
            }
            printf "%s: %d passed, %d failed, %d skipped, %d s\n", name, n["PASSED"], n["FAILED"], n["SKIPPED"], seconds
        }' "$log.status" "$log"
done | awk '{ print }
    match($0, / [0-9]+ passed, [0-9]+ failed, [0-9]+ skipped, [0-9]+ s$/) {
        split(substr($0, RSTART), n, " ")
        passed += n[1]; failed += n[3]; skipped += n[5]
    }
    END { print passed + 0 " passed, " failed + 0 " failed, " skipped + 0 " skipped"; exit failed > 0 }'
