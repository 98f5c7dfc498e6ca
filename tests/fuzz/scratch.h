/* tests/fuzz/scratch.h -- files for readers that take paths: a folder of this process, removed when it exits. */
#ifndef TESTS_FUZZ_SCRATCH_H
#define TESTS_FUZZ_SCRATCH_H
#include "folder.h"
#include <stdint.h>

static inline void remove_scratch(void) { remove_all(folder); }

/* The path of a file of that name that holds these bytes; NULL if it cannot be written. */
static inline const char *scratch_file(const char *name, const void *p, size_t size)
{
    if (!*folder) {
        if (make_folder(NULL) != 0)
            return NULL;
        atexit(remove_scratch);
    }
    const char *path = in_folder(name);
    FILE *f = fopen(path, "wb");                        /* file_write would sync it to disk */
    if (!f)
        return NULL;
    const bool whole = fwrite(p, 1, size, f) == size;
    return fclose(f) == 0 && whole ? path : NULL;
}
#endif
