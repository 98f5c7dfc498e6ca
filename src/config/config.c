#include "config/config.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/name_index.h"
#include "base/strbuf.h"
#include "base/string_list.h"
#include "base/table.h"
#include "config/section.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* ---- overrides ---- */

static const struct place command_line = { "command line", 0 };

/* KEY=VALUE over the tree: VALUE is a YAML document of its own. */
static bool override(struct config *config, const char *text, struct error *err)
{
    const size_t length = strcspn(text, "=");
    char key[TREE_KEY + 1] = "";
    struct entry value = {0};
    for (size_t i = 0; i < length; i++)
        if (length > TREE_KEY || !(isalnum((unsigned char)text[i]) || strchr("_-.", text[i])))
            return misuse(err, "%s: %.100s: not a dotted key", command_line.file, text);
    if (length == 0 || !text[length])
        return misuse(err, "%s: %.100s: not KEY=VALUE", command_line.file, text);
    memcpy(key, text, length);
    struct entry *e = NULL;
    if (tree_parse(&value, text + length + 1, strlen(text + length + 1), command_line.file, err)
        && (e = tree_place(&config->root, key, command_line, err))) {
        e->place = command_line;
        if (!entry_copy(e, &value, err))
            e = NULL;
    }
    tree_free(&value);
    return e != NULL;
}

/* ---- what no single key tells ---- */

static bool ranges_ordered(struct config *config, const char *section, const struct data_config *data,
                           struct error *err)
{
    const struct pipeline_config *p = &data->pipeline;
    const struct { const char *name; const double *range; } ranges[] = {
        { "multi_scale", data->multi_scale }, { "pipeline.scale", p->scale },
        { "pipeline.stretch.0", p->stretch[0] }, { "pipeline.stretch.1", p->stretch[1] },
        { "pipeline.contrast", p->contrast }, { "pipeline.saturation", p->saturation } };
    const double *deviation = p->normalize[1];
    bool ok = (deviation[0] > 0 && deviation[1] > 0 && deviation[2] > 0)
           || misuse(err, "%s: a deviation is 0", config_place(config, path_of(section, "pipeline.normalize").s).s)
           || carry_on(config, err);
    for (size_t i = 0; ok && i < sizeof ranges / sizeof *ranges; i++)
        ok = ranges[i].range[0] <= ranges[i].range[1]
          || misuse(err, "%s: the range from %g to %g is empty",
                    config_place(config, path_of(section, ranges[i].name).s).s, ranges[i].range[0], ranges[i].range[1])
          || carry_on(config, err);
    return ok;
}

/* Pixels must not depend on what the cache has room for, and it keeps whole images. */
static bool cached_whole(struct config *config, const char *section, const struct data_config *data, struct error *err)
{
    return !data->scaled_decode || data->cache_mb == 0
        || misuse(err, "%s: not with cache_mb, which keeps whole images",
                  config_place(config, path_of(section, "scaled_decode").s).s)
        || carry_on(config, err);
}

static bool same_names(const struct strings *a, const struct strings *b)
{
    bool same = a->count == b->count;
    for (int i = 0; same && i < a->count; i++)
        same = strcmp(a->at[i], b->at[i]) == 0;
    return same;
}

static bool classes_differ(struct config *config, struct error *err)
{
    const struct strings *names = &config->class_names;
    struct name_index index;
    bool ok = name_index_list(&index, names->count, names->at, strcmp, err);
    for (int i = 0; ok && i < names->count; i++)
        ok = name_index_first(&index, names->at[i]) == i
          || misuse(err, "%s: '%.60s' stands there twice", config_place(config, "class_names").s, names->at[i])
          || carry_on(config, err);
    name_index_free(&index);
    return ok;
}

static bool classes_agree(struct config *config, struct error *err)
{
    static const char *const heads[] = { "model.arch.head.num_classes", "model.arch.aux_head.num_classes" };
    static const char *const lists[] = { "data.train.class_names", "data.val.class_names" };
    const struct strings *names = &config->class_names;
    const struct strings *other[] = { &config->train.class_names, &config->val.class_names };
    bool ok = (names->count > 0 || misuse(err, "%s: no class", config_place(config, "class_names").s)
               || carry_on(config, err))
           && classes_differ(config, err);
    for (int i = 0; ok && i < 2; i++) {
        const char *classes = config_text(config, heads[i]);
        ok = (same_names(names, other[i])
              || misuse(err, "%s must be the class_names at the top", config_place(config, lists[i]).s)
              || carry_on(config, err))
          && (!classes || config->network_only || atoi(classes) == names->count
              || misuse(err, "%s is %.20s, but there are %d class_names", config_place(config, heads[i]).s, classes,
                        names->count)
              || carry_on(config, err));
    }
    return ok;
}

/* Each part of the model says what it is; then its own table refuses what does not belong to it. */
static bool model_named(struct config *config, struct error *err)
{
    static const struct { const char *name; bool optional; } parts[] = {
        { "model.arch.backbone", false }, { "model.arch.fpn", false }, { "model.arch.head", false },
        { "model.arch.aux_head", true }, {0} };
    bool ok = true;
    for (int i = 0; ok && parts[i].name; i++)
        ok = config_text(config, path_of(parts[i].name, "name").s)
          || (parts[i].optional && entry_null(tree_find(&config->root, parts[i].name)))
          || misuse(err, "%s.name must be given", config_place(config, parts[i].name).s) || carry_on(config, err);
    return ok;
}

/* ---- reading ---- */

/* schedule.resume counts as upstream takes it: as soon as it is named, with nothing or a path behind it too. */
static bool read_resume(struct config *config, struct error *err)
{
    struct entry *e = tree_find(&config->root, "schedule.resume");
    return !e || (e->kind == SCALAR && strcasecmp(e->text, "false") == 0) || entry_set(e, "true", err);
}

static bool read_rules(struct config *config, struct error *err)
{
    struct optimizer_config *optimizer = &config->schedule.optimizer;
    const struct entry *list = optimizer->param_level_cfg;
    const char *path = "schedule.optimizer.param_level_cfg";
    if (!list)
        return true;
    if (list->kind != SECTION)
        return misuse(err, "%s is a section of keys", config_place(config, path).s)
            || carry_on(config, err);
    optimizer->rules = new_array((size_t)list->count, sizeof *optimizer->rules, err);
    if (!optimizer->rules)
        return false;
    for (struct entry *e = list->child; e; e = e->next) {
        struct param_rule *rule = &optimizer->rules[optimizer->rule_count++];
        rule->match = e->name;
        if (!entry_read(config, e, path_of(path, e->name).s, rule_keys, rule, err))
            return false;
    }
    return true;
}

/* VisDrone images have several hundred objects: its protocol counts 500 detections per image. */
static bool read_test(struct config *config, struct error *err)
{
    static const struct place preset = { "preset", 0 };
    const char *path = "test.max_per_image";
    const struct entry *test = tree_find(&config->root, "test");
    if (config->val.name == DATASET_VISDRONE && (entry_null(test) || test->kind == SECTION)
        && entry_null(tree_find(&config->root, path))) {
        struct entry *e = tree_place(&config->root, path, preset, err);
        if (!e || !entry_set(e, "500", err))
            return false;
    }
    return section_read(config, "test", test_keys, &config->test, err);
}

bool config_parse(struct config *config, const void *yaml, size_t size, const char *file, const char *const *overrides,
                  int count, struct error *err)
{
    *config = (struct config){ .problems = config->problems, .network_only = config->network_only,
                               .detects_only = config->detects_only, .file = new_text(file, err) };
    bool ok = config->file && tree_parse(&config->root, yaml, size, config->file, err);
    if (ok && config->root.kind != SECTION)
        ok = misuse(err, "%s: holds no keys", file);
    ok = ok && (!config->detects_only || detector_keys_only(config, err));
    for (int i = 0; ok && i < count; i++)
        ok = override(config, overrides[i], err) || carry_on(config, err);
    return ok && read_resume(config, err)
        && section_read(config, "", config_keys, config, err)
        && section_read(config, "data.train", data_keys, &config->train, err)
        && section_read(config, "data.val", data_keys, &config->val, err) && read_test(config, err)
        && read_rules(config, err) && ranges_ordered(config, "data.train", &config->train, err)
        && ranges_ordered(config, "data.val", &config->val, err)
        && cached_whole(config, "data.train", &config->train, err)
        && cached_whole(config, "data.val", &config->val, err)
        && classes_agree(config, err) && model_named(config, err);
}

bool config_read(struct config *config, const char *path, const char *const *overrides, int count, struct error *err)
{
    struct bytes file;
    if (!file_read_max(&file, path, TREE_FILE_MAX, err)) {
        *config = (struct config){ .problems = config->problems, .network_only = config->network_only,
                                   .detects_only = config->detects_only };
        return false;
    }
    const bool ok = config_parse(config, file.p, file.size, path, overrides, count, err);
    bytes_free(&file);
    return ok;
}

void config_free(struct config *config)
{
    free(config->schedule.optimizer.rules);
    string_list_free(&config->ignored);
    tree_free(&config->root);
    free(config->file);
    *config = (struct config){0};
}

/* ---- asking ---- */

const char *config_text(const struct config *config, const char *path)
{
    const struct entry *e = tree_find(&config->root, path);
    return entry_null(e) || e->kind != SCALAR ? NULL : e->text;
}

struct place_text config_place(const struct config *config, const char *path)
{
    const struct entry *e = tree_find(&config->root, path);
    return place_text(e ? e->place : (struct place){ config->file, 0 }, path);
}

bool config_need(const struct config *config, const char *path, struct error *err)
{
    const char *text = config_text(config, path);
    return (text && *text) || misuse(err, "%s: %s must be given", config->file, path);
}

double config_shown_score(const struct config *config)
{
    const struct entry *e = tree_find(&config->root, "test.score_thr");
    const struct key *key = find_row("score_thr", test_keys, sizeof *test_keys);
    const double score = config->test.score_thr;
    return e->place.file == command_line.file || score != strtod(key->preset, NULL) ? score : 0.35;
}

void config_write(const struct config *config, struct strbuf *out)
{
    tree_write(&config->root, out);
}

void config_manual(struct strbuf *out)
{
    keys_manual("", config_keys, out);
    keys_manual("data.{train,val}", data_keys, out);
    keys_manual("test", test_keys, out);
}

/* ---- --resume ---- */

/* Keys and sections that --resume may change: they touch no result but how long, where and what is told. */
static const struct { const char *name; } free_keys[] = {
    { "save_dir" }, { "log" }, { "schedule.resume" }, { "schedule.load_model" }, { "schedule.total_epochs" },
    { "data.train.cache_mb" }, { "data.val.cache_mb" }, { "device.decode_mb" }, { "model.arch.backbone.pretrain" },
    { "model.arch.backbone.pretrained" }, {0} };

bool config_names_data(const char *path)
{
    static const struct { const char *name; } keys[] = {
        { "data.train.name" }, { "data.train.img_path" }, { "data.train.ann_path" }, { "data.train.image_list" },
        { "data.val.name" }, { "data.val.img_path" }, { "data.val.ann_path" }, { "data.val.image_list" }, {0} };
    return find_row(path, keys, sizeof *keys) != NULL;
}

static const struct entry *child_named(const struct entry *section, const char *name)
{
    const struct entry *child = section->child;
    while (child && strcmp(child->name, name) != 0)
        child = child->next;
    return child;
}

/* As written, so the order counts where a key holds a section of its own. */
static bool same_value(const struct entry *a, const struct entry *b, bool *same, struct error *err)
{
    struct strbuf x = {0}, y = {0};
    *same = entry_null(a) && entry_null(b);
    if (!*same && a && b) {
        tree_write(a, &x);
        tree_write(b, &y);
    }
    const bool ok = strbuf_ok(&x, err) && strbuf_ok(&y, err);
    *same = *same || (ok && x.s && strcmp(x.s, y.s) == 0);
    strbuf_free(&x);
    strbuf_free(&y);
    return ok;
}

/* The row of a key of the room's tables, or NULL. */
static const struct key *find_key(const char *path)
{
    const struct key *key = find_row(path, config_keys, sizeof *config_keys);
    for (const struct key_table *table = key_tables; !key && table->section; table++) {
        const size_t length = strlen(table->section);
        if (length && starts_with(path, table->section) && path[length] == '.')
            key = find_row(path + length + 1, table->keys, sizeof *table->keys);
    }
    return key || !starts_with(path, "test.") ? key : find_row(ANY_OTHER_KEY, test_keys, sizeof *test_keys);
}

static bool differences(const struct entry *a, const struct entry *b, const char *path, struct string_list *names,
                        struct error *err)
{
    const struct key *key = find_key(path);
    bool same, ok = true;
    if (find_row(path, free_keys, sizeof *free_keys) || (key && key->type == KEY_IGNORED))
        return true;
    if (!a || !b || a->kind != SECTION || b->kind != SECTION || (key && key->type != KEY_SECTION))
        return same_value(a, b, &same, err) && (same || string_list_add(names, path, err));
    for (const struct entry *e = a->child; ok && e; e = e->next)
        ok = differences(e, child_named(b, e->name), path_of(path, e->name).s, names, err);
    for (const struct entry *e = b->child; ok && e; e = e->next)
        ok = child_named(a, e->name) || differences(NULL, e, path_of(path, e->name).s, names, err);
    return ok;
}

bool config_difference(const struct config *a, const struct config *b, struct string_list *names, struct error *err)
{
    return differences(&a->root, &b->root, "", names, err);
}
