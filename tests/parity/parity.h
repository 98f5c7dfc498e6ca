/* tests/parity/parity.h -- compares results of the library with numbers of the original, stored in a tree
 * of fixtures.  A room is a folder of the tree; a case is a folder or a file in it. */
#ifndef TESTS_PARITY_PARITY_H
#define TESTS_PARITY_PARITY_H
#include "base/error.h"

struct parity {
    const char *data;                           /* folder of real images */
    int passed, failed, skipped;
};

/* One line `PASS|FAIL|SKIP path worst tolerance what`; a worst that is not <= tolerance fails, NaN too. */
void parity_compare(struct parity *, const char *path, double worst, double tolerance, const char *what);
void parity_fail(struct parity *, const char *path, const char *format, ...) PRINTF_LIKE(3, 4);
void parity_skip(struct parity *, const char *path, const char *format, ...) PRINTF_LIKE(3, 4);

/* A row per room: `run` compares one case.  Where per_file is NULL every sub-folder of the room is a case; else every
 * file whose name ends in per_file, or, with "", the room itself, which may then be a file, is its only case. */
struct parity_room {
    const char *name;
    const char *per_file;
    void (*run)(struct parity *, const char *path);
};
extern const struct parity_room parity_rooms[];
#endif
