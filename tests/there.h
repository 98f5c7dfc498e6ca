/* tests/there.h -- existence tests for files and folders; a path that cannot be examined counts as missing. */
#ifndef TESTS_THERE_H
#define TESTS_THERE_H
#include "base/path.h"
#include <stddef.h>

static inline bool file_exists(const char *path) { return path_kind(path, NULL) == PATH_FILE; }
static inline bool folder_exists(const char *path) { return path_kind(path, NULL) == PATH_FOLDER; }
#endif
