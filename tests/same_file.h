/* tests/same_file.h -- files in the folder of a test (folder.h), compared byte by byte. */
#ifndef TESTS_SAME_FILE_H
#define TESTS_SAME_FILE_H
#include "base/file.h"
#include "folder.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static inline struct bytes contents(const char *name)
{
    struct error err = {0};
    struct bytes file;
    if (!file_read(&file, in_folder(name), &err))
        fail_msg("%s", err.text);
    return file;
}

static inline void assert_same_file(const char *a, const char *b)
{
    struct bytes x = contents(a), y = contents(b);
    if (x.size != y.size || memcmp(x.p, y.p, x.size) != 0)
        fail_msg("%s and %s differ", a, b);
    bytes_free(&x);
    bytes_free(&y);
}
#endif
