/* tests/typed.h -- runs commands in this process, and reads the JSON that they write into the test's folder. */
#ifndef TESTS_TYPED_H
#define TESTS_TYPED_H
#include "cli/commands.h"
#include "folder.h"
#include "json_file.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

enum { WORDS = 32 };

/* The exit status of a command, given as words up to a NULL.  Discards its standard output. */
static inline int typed(const char *first, va_list rest, struct error *err)
{
    char *argv[WORDS + 1] = { (char *)(uintptr_t)"nanodet" };
    struct args args = {0};
    int argc = 1;
    for (const char *word = first; word && argc < WORDS; word = va_arg(rest, const char *))
        argv[argc++] = (char *)(uintptr_t)word;
    *err = (struct error){0};
    fflush(stdout);
    const int out = dup(STDOUT_FILENO);
    FILE *nowhere = freopen("/dev/null", "w", stdout);
    const bool ok = nowhere && args_parse(&args, commands, argc, argv, err) && args.command->run(&args, err);
    fflush(stdout);
    dup2(out, STDOUT_FILENO);
    close(out);
    args_free(&args);
    return ok ? 0 : err->exit;
}

static inline void works(const char *first, ...)
{
    struct error err;
    va_list rest;
    va_start(rest, first);
    if (typed(first, rest, &err) != 0)
        fail_msg("%s: %s", first, err.text);
    va_end(rest);
}

static inline void refused(int exit, const char *text, const char *first, ...)
{
    struct error err;
    va_list rest;
    va_start(rest, first);
    if (typed(first, rest, &err) != exit || !strstr(err.text, text))
        fail_msg("%s: exit %d: %s", first, err.exit, err.text);
    va_end(rest);
}

static inline cJSON *json_of(const char *name)
{
    struct error err = {0};
    cJSON *json = json_read(in_folder(name), &err);
    if (!json)
        fail_msg("%s", err.text);
    return json;
}

static inline double number(const cJSON *json, const char *name)
{
    double v = NAN;
    json_real(cJSON_GetObjectItemCaseSensitive(json, name), &v);
    return v;
}
#endif
