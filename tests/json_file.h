/* tests/json_file.h -- a JSON file as a tree. */
#ifndef TESTS_JSON_FILE_H
#define TESTS_JSON_FILE_H
#include "base/file.h"
#include "base/json.h"

/* cJSON_Delete it; NULL, with an error, if it cannot be read or is not JSON. */
static inline cJSON *json_read(const char *path, struct error *err)
{
    struct bytes file;
    if (!file_read(&file, path, err))
        return NULL;
    cJSON *json = json_parse((const char *)file.p, file.size, path, err);
    bytes_free(&file);
    return json;
}
#endif
