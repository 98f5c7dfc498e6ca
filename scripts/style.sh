#!/bin/sh
# sh scripts/style.sh
# Checks the layout of C files (docs/style.md), and the order of rooms in includes.
# Prints a line per violation, then `N passed, N failed, N skipped`; exit 1 if there is a violation.
cd "$(dirname "$0")/.." || exit 1
rooms=$(sed -n 's/^ROOMS *+*= *//p' Makefile | tr '\n' ' ')
find src include tests -name '*.[ch]' ! -path '*/corpus/*' | sort | xargs awk -v rooms="$rooms cli" '
    function report(line, what) { print file ":" line ": " what; failed++; if (file != faulty) faulty_files++; faulty = file }
    function end_of_file() {
        if (lines > 500) report(lines, "more than 500 lines")
        if (blank) report(lines, "an empty line at the end")
    }
    # The first include of room/x.c is its own header; includes without an empty line between them are in order.
    function check_include(name, group, is_own) {
        is_own = FILENAME == "src/" substr(name, 2, length(name) - 4) ".c"
        if (name == "<cmocka.h>") return                # needs those before it
        if (!is_own && group == last_group && FNR == last_include + 1 && name <= last_name)
            report(FNR, "include " name " stands after " last_name)
        if (group == "\"" && room && (place[first_name(name)] > place[room] || !place[first_name(name)]))
            report(FNR, "src/" room " includes " name " of a room above it")
        last_name = is_own ? "" : name; last_group = group; last_include = FNR
    }
    function first_name(path) { gsub(/["<>]/, "", path); return path ~ /\// ? substr(path, 1, index(path, "/") - 1) : path }
    function width(s) { gsub(/[\200-\277]/, "", s); return length(s) }
    BEGIN { n = split(rooms, order); for (i = 1; i <= n; i++) place[order[i]] = i; place["nanodet.h"] = 1 }
    FNR == 1 {
        if (files++) end_of_file()
        file = FILENAME
        room = FILENAME ~ /^src\// ? first_name(substr(FILENAME, 5)) : ""
        last_name = last_group = ""; last_include = begin = blank = 0
        guard = ""
    }
    {
        lines = FNR
        if (width($0) > 120) report(FNR, "more than 120 columns")
        if (/\t/) report(FNR, "a tab")
        if (/[ \t]$/) report(FNR, "blanks at the end")
        if ($0 == "" && blank) report(FNR, "two empty lines")
        blank = $0 == ""
        code = $0
        gsub(/"([^"\\]|\\.)*"/, "\"\"", code); gsub(/\047([^\047\\]|\\.)*\047/, "0", code); sub(/\/\*.*/, "", code)
    }
    /^#include/ { check_include($2, substr($2, 1, 1)); next }
    /^#ifndef/ && FILENAME ~ /\.h$/ && !guard {
        guard = $2; want = toupper(FILENAME); sub(/^(SRC|INCLUDE)\//, "", want); gsub(/[\/.]/, "_", want)
        if (guard != want) report(FNR, "the guard is " guard ", not " want)
    }
    code ~ /^ *\* / || /^ *\/\*/ { next }
    code ~ /(^|[^a-z_])(if|for|while|switch|return)\(/ { report(FNR, "no blank behind a keyword") }
    code ~ /^ *(if|for|while|switch) .*[^ ]\{$/ { report(FNR, "no blank before a brace") }
    code ~ /,[^ \n\\)}]/ { report(FNR, "no blank behind a comma") }
    code ~ /^}.*else/ { report(FNR, "else at the left edge") }
    code ~ /^{$/ { begin = FNR }
    code ~ /^}/ && begin { if (FNR - begin > 51) report(begin, "a function of more than 50 lines"); begin = 0 }
    END { end_of_file(); print files - faulty_files " passed, " faulty_files + 0 " failed, 0 skipped"; exit failed > 0 }'
