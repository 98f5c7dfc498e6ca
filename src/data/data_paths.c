#include "data/data_paths.h"

#include "base/path.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const data_path_keys[2] = { "img_path", "ann_path" };

struct full_key { char s[64]; };

static struct full_key full(const char *section, const char *key)
{
    struct full_key k;
    snprintf(k.s, sizeof k.s, "%s.%s", section, key);
    return k;
}

static const struct data_config *set_of(const struct config *config, const char *section)
{
    return strcmp(section, "data.train") == 0 ? &config->train : &config->val;
}

bool data_path_there(const struct config *config, const char *section, const char *key, struct error *err)
{
    const struct full_key k = full(section, key);
    const struct data_config *set = set_of(config, section);
    const char *path = strcmp(key, data_path_keys[0]) == 0 ? set->img_path : set->ann_path;
    if (!*path)
        return misuse(err, "%s: %s must be given", config->file, k.s);
    struct error why = {0};
    const enum path_kind kind = path_kind(path, &why);
    if (kind == PATH_ERROR)
        return fail(err, "%s: %s", config_place(config, k.s).s, why.text);
    return kind != PATH_ABSENT
        || fail(err, "%s: %s: No such file or directory%s", config_place(config, k.s).s, path,
                set->name == DATASET_VISDRONE ? "; get VisDrone-DET from https://github.com/VisDrone/VisDrone-Dataset "
                                               "and unpack it as docs/data.md says" : "");
}

bool data_paths_there(const struct config *config, const char *section, struct error *err)
{
    return data_path_there(config, section, data_path_keys[0], err)
        && data_path_there(config, section, data_path_keys[1], err);
}

bool data_images_there(const struct config *config, const char *section, const struct dataset *data, struct error *err)
{
    const struct full_key k = full(section, "img_path");
    const char *folder = set_of(config, section)->img_path;
    for (int i = 0; i < data->image_count; i++) {
        char *path = path_join(folder, data->images[i].file, err);
        const enum path_kind kind = path ? path_kind(path, err) : PATH_ERROR;
        free(path);
        if (kind == PATH_FILE || kind == PATH_ERROR)
            return kind == PATH_FILE;
    }
    return data->image_count == 0
        || fail(err, "%s: %s holds none of the %d images, such as %s", config_place(config, k.s).s, folder,
                data->image_count, data->images[0].file);
}
