/* sizes.json: multiply-adds, parameters and output of networks, exactly.  A row names a configuration of the original;
 * ours has the same name, or the name in the table here. */
#include "../there.h"
#include "fixture.h"

#include "../json_file.h"
#include "base/file.h"
#include "base/table.h"
#include "figures.h"
#include "rooms.h"
#include "runtime/cost.h"
#include <stdio.h>

static const struct name { const char *name, *ours; } renamed[] = {
    { "nanodet-m-1.5x.yml",                           "nanodet-m-1.5x_320.yml" },
    { "nanodet-m-416.yml",                            "nanodet-m_416.yml" },
    { "nanodet-plus-m_416-yolo.yml",                  "nanodet-plus-m_416.yml" },
    { "nanodet_custom_xml_dataset.yml",               "nanodet-plus-m_320.yml" },
    { "enhanced_nanodet_320_mobilenext_s.yml",        "enhanced-nanodet-s_320.yml" },
    { "enhanced_nanodet_416_mobilenext_m_hswish.yml", "enhanced-nanodet-m-hswish_416.yml" },
    { "enhanced_nanodet_416_mobilenext_l_hswish.yml", "enhanced-nanodet-l_416.yml" },
    {0} };

static double cost_off(const cJSON *row, const struct cost *cost)
{
    const struct { const char *key; double numbers[3]; int count; } rows[] = {
        { "input",                { cost->h, cost->w },                 2 },
        { "output",               { 1, cost->priors, cost->channels },  3 },
        { "conv_linear_macs",     { cost->conv_macs },                  0 },
        { "parameters_inference", { (double)cost->inference_params },   0 },
        { "parameters_training",  { (double)cost->training_params },    0 } };
    double off = 0;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const cJSON *want = cJSON_GetObjectItemCaseSensitive(row, rows[i].key);
        off = worse(off, rows[i].count ? numbers_off(want, rows[i].numbers, rows[i].count)
                                       : number_off(want, *rows[i].numbers));
    }
    return off;
}

static void compare_row(struct parity *p, const char *file, const cJSON *row, const char *name)
{
    const struct name *other = find_row(name, renamed, sizeof *renamed);
    struct config config = {0};
    struct model model = {0};
    struct cost cost;
    struct error err = {0};
    char path[300], place[600];
    snprintf(place, sizeof place, "%s/%s", file, name);
    snprintf(path, sizeof path, "configs/%s", other ? other->ours : name);
    if (!file_exists(path))
        parity_skip(p, place, "no %s", path);
    else if (config_read(&config, path, NULL, 0, &err) && model_open(&model, &config, &err)
             && model_cost(&cost, &model, &err))
        parity_compare(p, place, cost_off(row, &cost), 0, "input, output, multiply-adds, parameters");
    else
        parity_fail(p, place, "%s", err.text);
    model_free(&model);
    config_free(&config);
}

void parity_sizes(struct parity *p, const char *path)
{
    struct error err = {0};
    cJSON *json = json_read(path, &err);
    const cJSON *row;
    if (!json)
        parity_fail(p, path, "%s", err.text);
    cJSON_ArrayForEach(row, json) {
        const cJSON *name = cJSON_GetObjectItemCaseSensitive(row, "config");
        if (cJSON_IsString(name))
            compare_row(p, path, row, name->valuestring);
        else
            parity_fail(p, path, "a row without config");
    }
    cJSON_Delete(json);
}
