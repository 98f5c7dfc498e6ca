/* tests/folder.h -- a temporary folder of the test, below /tmp. */
#ifndef TESTS_FOLDER_H
#define TESTS_FOLDER_H
#include "base/path.h"
#include "base/string_list.h"
#include "there.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[64];

/* A path in the folder; eight of them live at a time. */
static inline const char *in_folder(const char *name)
{
    static char paths[8][400];
    static int next;
    char *path = paths[next++ % 8];
    snprintf(path, sizeof *paths, "%s/%s", folder, name);
    return path;
}

static inline void remove_all(const char *path)
{
    struct string_list names = {0};
    struct stat info;
    const bool folder_itself = lstat(path, &info) == 0 && S_ISDIR(info.st_mode);      /* no link to one */
    if (folder_itself && folder_list(&names, path, NULL))
        for (int i = 0; i < names.count; i++) {
            char *inner = path_join(path, names.list[i], NULL);
            remove_all(inner);
            free(inner);
        }
    string_list_free(&names);
    remove(path);
}

/* Before and after a test, or a group of them. */
static inline int make_folder(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/nanodet_test_XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static inline int remove_folder(void **state)
{
    (void)state;
    remove_all(folder);
    return 0;
}
#endif
