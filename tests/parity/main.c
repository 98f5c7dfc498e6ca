/* build/tests/parity [--data DIR] PATH... -- PATH is the root of a tree of fixtures, a room of it, or one case. */
#include "../there.h"
#include "base/path.h"
#include "base/strbuf.h"
#include "base/string_list.h"
#include "parity.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/table.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void parity_compare(struct parity *p, const char *path, double worst, double tolerance, const char *what)
{
    const bool ok = worst <= tolerance;
    printf("%s %s %.3g %.3g %s\n", ok ? "PASS" : "FAIL", path, worst, tolerance, what);
    fflush(stdout);
    *(ok ? &p->passed : &p->failed) += 1;
}

static void line(const char *verdict, const char *path, const char *format, va_list args)
{
    printf("%s %s - - ", verdict, path);
    vprintf(format, args);
    putchar('\n');
    fflush(stdout);
}

void parity_fail(struct parity *p, const char *path, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    line("FAIL", path, format, args);
    va_end(args);
    p->failed++;
}

void parity_skip(struct parity *p, const char *path, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    line("SKIP", path, format, args);
    va_end(args);
    p->skipped++;
}

static void run_room(struct parity *p, const struct parity_room *room, const char *path)
{
    struct error err = {0};
    struct string_list names = {0};
    if (room->per_file && !*room->per_file) {
        room->run(p, path);
        return;
    }
    if (!folder_list(&names, path, &err))
        parity_fail(p, path, "%s", err.text);
    for (int i = 0; i < names.count; i++) {
        char *inner = path_join(path, names.list[i], &err);
        if (inner && (room->per_file ? ends_with(inner, room->per_file) : folder_exists(inner)))
            room->run(p, inner);
        free(inner);
    }
    string_list_free(&names);
}

/* The last two names of an absolute path decide: a room, a case in a room, or else a tree of rooms. */
static void run_path(struct parity *p, const char *given)
{
    struct error err = {0};
    char *path = realpath(given, NULL), *parent = path ? new_text(path, &err) : NULL;
    if (!path || !parent) {
        parity_fail(p, given, "no such file or folder");
        free(path);
        return;
    }
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    parent[slash ? slash - path : 0] = 0;
    const char *above = strrchr(parent, '/');
    const struct parity_room *room = find_row(name, parity_rooms, sizeof *room);
    const struct parity_room *outer = above ? find_row(above + 1, parity_rooms, sizeof *room) : NULL;
    if (room)
        run_room(p, room, given);
    else if (outer)
        outer->run(p, given);
    else
        for (room = parity_rooms; room->name; room++) {
            char *inner = path_join(given, room->name, &err);
            if (inner && (folder_exists(inner) || file_exists(inner)))
                run_room(p, room, inner);
            free(inner);
        }
    free(parent);
    free(path);
}

int main(int argc, char **argv)
{
    struct parity p = { .data = "../shared/data" };
    int i = 1;
    if (argc > 2 && strcmp(argv[1], "--data") == 0) {
        p.data = argv[2];
        i = 3;
    }
    if (i >= argc) {
        fprintf(stderr, "usage: parity [--data DIR] PATH...\n");
        return 2;
    }
    for (; i < argc; i++)
        run_path(&p, argv[i]);
    printf("%d passed, %d failed, %d skipped\n", p.passed, p.failed, p.skipped);
    return p.failed || p.passed + p.skipped == 0;
}
