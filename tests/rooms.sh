#!/bin/sh
# Rooms link downwards: what the objects of a room need is defined in that room or in those below it.
#     sh tests/rooms.sh [NANODET]      the objects are those in build/src
set -eu
cd "$(dirname "$0")/.."
rooms=$(sed -n 's/^ROOMS *+*= *//p' Makefile)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# symbols ROOM LETTERS: the names with these letters of nm in the objects of the room.
symbols() { find "build/src/$1" -name '*.o' -exec nm -P {} + | awk -v letters="$2" '$2 ~ letters { print $1 }' | sort -u; }

: > "$work/below"
failed=0
for room in $rooms; do
    symbols "$room" '^[A-TV-Z]$' | sort -u - "$work/below" > "$work/defined"
    mv "$work/defined" "$work/below"
    symbols "$room" '^U$' | comm -23 - "$work/below" > "$work/$room"
done
for room in $rooms; do                          # what is left is the system's, or stands above
    comm -12 "$work/$room" "$work/below" | sed "s/^/$room needs a room above it: /" > "$work/above"
    cat "$work/above"
    [ ! -s "$work/above" ] || failed=1
done
[ -s "$work/below" ] || { echo "no objects in build/src"; failed=1; }
exit $failed
