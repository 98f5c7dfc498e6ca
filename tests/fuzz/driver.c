/* tests/fuzz/driver.c -- runs a fuzz target over saved inputs, files and the files in folders, if libFuzzer is not
 * linked. */
#include "../there.h"
#include "base/file.h"
#include "base/path.h"
#include "base/string_list.h"
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int run_file(const char *path)
{
    struct error err = {0};
    struct bytes file;
    if (!file_read(&file, path, &err)) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    LLVMFuzzerTestOneInput(file.p, file.size);
    bytes_free(&file);
    return 0;
}

int main(int argc, char **argv)
{
    int failed = 0, ran = 0;
    for (int i = 1; i < argc; i++) {
        struct error err = {0};
        struct string_list names = {0};
        if (!folder_exists(argv[i])) {
            failed += run_file(argv[i]);
            ran++;
            continue;
        }
        failed += !folder_list(&names, argv[i], &err);
        for (int j = 0; j < names.count; j++) {
            char *path = path_join(argv[i], names.list[j], &err);
            failed += !path || run_file(path);
            ran++;
            free(path);
        }
        string_list_free(&names);
    }
    printf("%d inputs\n", ran);
    return failed || ran == 0;
}
