/* tests/failing_calls.h -- replacements of stat, fopen, opendir, readdir, malloc and calloc, which fail at the
 * calls that a test chooses. */
#ifndef TESTS_FAILING_CALLS_H
#define TESTS_FAILING_CALLS_H
#include "base/strbuf.h"
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* The calls that fail: `count` calls on paths that end in `end`, with that errno, once `passed` have passed; with
 * in_readdir, calls of readdir. */
enum { ALL = 1 << 30 };
static struct { const char *end; bool in_readdir; int number, passed, count; atomic_int calls; } fault;

static bool is_next(void)
{
    const int call = atomic_fetch_add(&fault.calls, 1);
    const bool fails = call >= fault.passed && call - fault.passed < fault.count;
    if (fails)
        errno = fault.number;
    return fails;
}

static bool is_faulty(const char *path)
{
    return fault.end && ends_with(path, fault.end) && is_next();
}

static void break_path(const char *end, int number, int passed, int count)
{
    fault.end = end;
    fault.number = number;
    fault.passed = passed;
    fault.count = count;
    atomic_store(&fault.calls, 0);
}

static void mend(void) { fault.end = NULL; }

/* A pointer to the next definition of a function; a cast from void * would be no ISO C. */
#define NEXT(function) \
    __typeof__(&function) next; \
    void *found = dlsym(RTLD_NEXT, #function); \
    memcpy(&next, &found, sizeof next)

int stat(const char *restrict path, struct stat *restrict info)
{
    return is_faulty(path) ? -1 : fstatat(AT_FDCWD, path, info, 0);
}

FILE *fopen(const char *restrict path, const char *restrict mode)
{
    NEXT(fopen);
    return is_faulty(path) ? NULL : next(path, mode);
}

DIR *opendir(const char *path)
{
    NEXT(opendir);
    return is_faulty(path) ? NULL : next(path);
}

struct dirent *readdir(DIR *list)
{
    NEXT(readdir);
    return fault.in_readdir && is_next() ? NULL : next(list);
}

#ifndef SANITIZED
enum { WITH_MALLOC = 1 };
static long allocations_left = -1;              /* the one after so many fails; -1: none */

static bool no_memory(void)
{
    const bool fails = allocations_left >= 0 && allocations_left-- == 0;
    if (fails)
        errno = ENOMEM;
    return fails;
}

extern void *__libc_malloc(size_t), *__libc_calloc(size_t, size_t);
void *malloc(size_t size) { return no_memory() ? NULL : __libc_malloc(size); }
void *calloc(size_t count, size_t size) { return no_memory() ? NULL : __libc_calloc(count, size); }
#else
enum { WITH_MALLOC = 0 };
static long allocations_left;
#endif
#endif
