#include "config/config.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/name_index.h"
#include "base/path.h"
#include "base/table.h"
#include "config/section.h"
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const model_sections[MODEL_SECTIONS] = { "model.arch.backbone", "model.arch.fpn", "model.arch.head",
                                                     "model.arch.aux_head" };

struct place_text config_place(const struct config *config, const char *path)
{
    const struct entry *e = tree_find(&config->root, path);
    return format_place(e ? e->place : (struct place){ config->file, 0 }, path);
}

bool config_require_file(const struct config *config, const char *path, const char *file, struct error *err)
{
    const enum path_kind kind = path_kind(file, err);
    return kind == PATH_FILE || (kind && fail(err, "%s: no such file: %s", config_place(config, path).s, file));
}

bool same_normalize(const struct pipeline_config *a, const struct pipeline_config *b)
{
    bool same = true;
    for (int i = 0; i < 6; i++)
        same = same && a->normalize[i / 3][i % 3] == b->normalize[i / 3][i % 3];
    return same;
}

/* ---- file and overrides to tree ---- */

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
        && (e = tree_find_or_add(&config->root, key, command_line, err))) {
        e->place = command_line;
        if (!entry_copy(e, &value, err))
            e = NULL;
    }
    tree_free(&value);
    int entries = 0;
    if (e && (tree_measure(&config->root, &entries) > TREE_DEPTH || entries > TREE_ENTRIES))
        return misuse(err, "%s: %.100s: nested deeper than %d, or more than %d entries", command_line.file, text,
                      TREE_DEPTH, TREE_ENTRIES);
    return e != NULL;
}

static bool make_tree(struct config *config, const void *yaml, size_t size, const char *const *overrides, int count,
                      struct error *err)
{
    bool ok = tree_parse(&config->root, yaml, size, config->file, err)
           && (config->root.kind == SECTION || misuse(err, "%s: holds no keys", config->file))
           && (!config->detects_only || refuse_other_keys(config, err));
    for (int i = 0; ok && i < count; i++)
        ok = override(config, overrides[i], err) || keep_problem(config, err);
    return ok;
}

/* ---- tree to structs ---- */

/* A problem with the key at that path; true if the reading goes on. */
static bool problem(struct config *, struct error *, const char *path, const char *format, ...) PRINTF_LIKE(4, 5);
static bool problem(struct config *config, struct error *err, const char *path, const char *format, ...)
{
    char text[200];
    va_list list;
    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    return misuse(err, "%s%s", config_place(config, path).s, text) || keep_problem(config, err);
}

/* As upstream, schedule.resume is true as soon as it is named, with nothing or a path behind it too. */
static bool resolve_resume(struct config *config, struct error *err)
{
    struct entry *e = tree_find(&config->root, "schedule.resume");
    return !e || (e->kind == SCALAR && strcasecmp(e->text, "false") == 0) || entry_set(e, "true", err);
}

/* schedule.hours chooses the keys below when a run starts.  On the command line it replaces the values of a file.
 * total_epochs is 1 until then. */
static bool resolve_hours(struct config *config, struct error *err)
{
    static const char *const chosen[] = { "schedule.total_epochs", "schedule.lr_schedule.T_max" };
    const struct entry *hours = tree_find(&config->root, "schedule.hours");
    bool ok = true;
    if (entry_is_null(hours) || hours->kind != SCALAR || !(strtod(hours->text, NULL) > 0))
        return true;
    for (int i = 0; ok && i < 2; i++) {
        const struct entry *e = tree_find(&config->root, chosen[i]);
        if (entry_is_null(e))
            continue;
        ok = (hours->place.file == command_line.file && e->place.file != command_line.file)
          || problem(config, err, chosen[i], ": schedule.hours determines this value; set only one of the two");
        tree_remove(&config->root, chosen[i]);
    }
    struct entry *epochs = ok ? tree_find_or_add(&config->root, chosen[0], at_preset, err) : NULL;
    return ok && epochs && entry_set(epochs, "1", err);
}

/* VisDrone images have several hundred objects: its protocol counts 500 detections per image. */
static bool read_test(struct config *config, struct error *err)
{
    const char *path = "test.max_per_image";
    const struct entry *test = tree_find(&config->root, "test");
    if (config->val.name == DATASET_VISDRONE && (entry_is_null(test) || test->kind == SECTION)
        && entry_is_null(tree_find(&config->root, path))) {
        struct entry *e = tree_find_or_add(&config->root, path, at_preset, err);
        if (!e || !entry_set(e, "500", err))
            return false;
    }
    if (!section_read(config, "test", test_keys, &config->test, err))
        return false;
    const struct key *key = find_row("score_thr", test_keys, sizeof *test_keys);
    const struct entry *set = tree_find(&config->root, "test.score_thr");
    const double score = config->test.score_thr;
    config->shown_score = set->place.file == command_line.file || score != strtod(key->preset, NULL) ? score : 0.35;
    return true;
}

/* The default of model.guide is aux if there is an auxiliary head. */
static bool read_guide(struct config *config, struct error *err)
{
    const char *path = "model.guide";
    if (!config->model.name[MODEL_AUX_HEAD] || !entry_is_null(tree_find(&config->root, path)))
        return true;
    struct entry *e = tree_find_or_add(&config->root, path, at_preset, err);
    return e && entry_set(e, "aux", err);
}

static bool read_rules(struct config *config, struct error *err)
{
    struct optimizer_config *optimizer = &config->schedule.optimizer;
    const char *path = "schedule.optimizer.param_level_cfg";
    const struct entry *list = tree_find(&config->root, path);
    if (!list)
        return true;
    if (list->kind != SECTION)
        return misuse(err, "%s is a section of keys", config_place(config, path).s) || keep_problem(config, err);
    optimizer->rules = new_array((size_t)list->count, sizeof *optimizer->rules, err);
    if (!optimizer->rules)
        return false;
    for (struct entry *e = list->child; e; e = e->next) {
        struct param_rule *rule = &optimizer->rules[optimizer->rule_count++];
        rule->match = e->name;
        if (!entry_read(config, e, key_path_of(path, e->name).s, rule_keys, rule, err))
            return false;
    }
    return true;
}

static bool read_sections(struct config *config, struct error *err)
{
    for (int i = 0; i < MODEL_SECTIONS; i++) {
        const struct entry *name = tree_find(&config->root, key_path_of(model_sections[i], "name").s);
        config->model.name[i] = entry_is_null(name) || name->kind != SCALAR ? NULL : name->text;
    }
    return resolve_resume(config, err) && resolve_hours(config, err) && read_guide(config, err)
        && section_read(config, "", config_keys, config, err)
        && section_read(config, "data.train", data_keys, &config->train, err)
        && section_read(config, "data.val", data_keys, &config->val, err)
        && section_read(config, "data.train.tiles", train_tile_keys, &config->train.tiles, err)
        && section_read(config, "data.val.tiles", test_tile_keys, &config->val_tiles, err)
        && read_test(config, err) && read_rules(config, err);
}

/* ---- rules for more than one key ---- */

static bool ranges_valid(struct config *config, const char *section, const struct data_config *data,
                           struct error *err)
{
    const struct pipeline_config *p = &data->pipeline;
    const struct { const char *name; const double *range; } ranges[] = {
        { "multi_scale", data->multi_scale }, { "pipeline.scale", p->scale },
        { "pipeline.stretch.0", p->stretch[0] }, { "pipeline.stretch.1", p->stretch[1] },
        { "pipeline.contrast", p->contrast }, { "pipeline.saturation", p->saturation } };
    const double *deviation = p->normalize[1];
    bool ok = (deviation[0] > 0 && deviation[1] > 0 && deviation[2] > 0)
           || problem(config, err, key_path_of(section, "pipeline.normalize").s, ": a standard deviation is 0");
    for (size_t i = 0; ok && i < sizeof ranges / sizeof *ranges; i++)
        ok = ranges[i].range[0] <= ranges[i].range[1]
          || problem(config, err, key_path_of(section, ranges[i].name).s, ": the range from %g to %g is empty",
                     ranges[i].range[0], ranges[i].range[1]);
    return ok;
}

/* Pixels must not depend on the room in the cache, which keeps whole images. */
static bool cached_whole(struct config *config, const char *section, const struct data_config *data, struct error *err)
{
    return !data->scaled_decode || data->cache_mb == 0
        || problem(config, err, key_path_of(section, "scaled_decode").s,
                   ": not with cache_mb, which keeps whole images");
}

/* Reports keys of data.val that only training may use. */
static bool refuse_training_keys(struct config *config, struct error *err)
{
    const struct data_config *val = &config->val;
    const struct { const char *path; bool set; } keys[] = {
        { "data.val.load_mosaic", val->load_mosaic }, { "data.val.repeat_factor", val->repeat_factor > 0 },
        { "data.val.pipeline.flip_vertical", val->pipeline.flip_vertical > 0 },
        { "data.val.pipeline.rotate90", val->pipeline.rotate90 > 0 },
        { "data.val.pipeline.copy_paste", val->pipeline.copy_paste > 0 } };
    bool ok = true;
    for (size_t i = 0; ok && i < sizeof keys / sizeof *keys; i++)
        ok = !keys[i].set || problem(config, err, keys[i].path, ": allowed in data.train only");
    return ok;
}

static bool tiles_valid(struct config *config, const char *path, const struct ints *size, struct error *err)
{
    bool ok = size->count <= 2 || problem(config, err, path, ": %d numbers, not width and height", size->count);
    for (int i = 0; ok && i < size->count; i++)
        ok = size->at[i] == 0 || size->at[i] >= TILE_MIN
          || problem(config, err, path, ": a tile has at least %d pixels per side", TILE_MIN);
    return ok;
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
    bool ok = name_index_from_names(&index, names->count, names->at, strcmp, err);
    for (int i = 0; ok && i < names->count; i++)
        ok = name_index_find_first(&index, names->at[i]) == i
          || problem(config, err, "class_names", ": '%.60s' is listed twice", names->at[i]);
    name_index_free(&index);
    return ok;
}

/* A head that states num_classes states the number of class_names. */
static bool head_agrees(struct config *config, const char *head, struct error *err)
{
    const struct key_path path = key_path_of(head, "num_classes");
    const struct entry *e = tree_find(&config->root, path.s);
    const int count = config->class_names.count;
    return entry_is_null(e) || e->kind != SCALAR || config->network_only || atoi(e->text) == count
        || problem(config, err, path.s, " is %.20s, but there are %d class_names", e->text, count);
}

static bool classes_agree(struct config *config, struct error *err)
{
    static const char *const lists[] = { "data.train.class_names", "data.val.class_names" };
    const struct strings *names = &config->class_names;
    const struct strings *other[] = { &config->train.class_names, &config->val.class_names };
    bool ok = (names->count > 0 || problem(config, err, "class_names", ": no class")) && classes_differ(config, err);
    for (int i = 0; ok && i < 2; i++)
        ok = (same_names(names, other[i]) || problem(config, err, lists[i], " must be the class_names at the top"))
          && head_agrees(config, model_sections[MODEL_HEAD + i], err);
    return ok;
}

/* Each part of the model has a name, by which the model finds the table of its keys. */
static bool model_named(struct config *config, struct error *err)
{
    bool ok = true;
    for (int i = 0; ok && i < MODEL_SECTIONS; i++)
        ok = config->model.name[i]
          || (i == MODEL_AUX_HEAD && entry_is_null(tree_find(&config->root, model_sections[i])))
          || problem(config, err, model_sections[i], ".name must be given");
    return ok;
}

static bool save_key_known(struct config *config, struct error *err)
{
    return config->save_key < SAVE_VISDRONE_AP || config->val.name == DATASET_VISDRONE
        || problem(config, err, "evaluator.save_key", ": a score of the VisDrone toolkit; data.val.name must be "
                   "VisDroneDataset");
}

static bool schedule_agrees(struct config *config, struct error *err)
{
    const struct schedule_config *s = &config->schedule;
    return (s->hours == 0 || s->lr_schedule.name == LR_COSINE
            || problem(config, err, "schedule.hours", ": not with MultiStepLR, whose milestones are epochs"))
        && (config->model.span == 0 || config->model.averager == AVERAGER_EMA
            || problem(config, err, "model.weight_averager.span", ": model.weight_averager.name is none"));
}

bool config_distills(const struct model_config *m)
{
    return m->distill.localization > 0 || m->distill.classification > 0;
}

bool config_has_teacher(const struct model_config *m) { return m->guide == GUIDE_TEACHER || config_distills(m); }

static bool guide_agrees(struct config *config, struct error *err)
{
    const struct model_config *m = &config->model;
    const struct entry *guide = tree_find(&config->root, "model.guide");
    const bool aux = m->name[MODEL_AUX_HEAD], given = guide && guide->place.file != at_preset.file;
    if (m->guide == GUIDE_AUX && !aux)
        return problem(config, err, "model.guide", " is aux, but there is no %s", model_sections[MODEL_AUX_HEAD]);
    if (m->guide != GUIDE_AUX && aux && given)          /* an invalid value was reported and replaced by the preset */
        return problem(config, err, "model.guide", " must be aux with %s, which is trained only to guide: remove it or "
                       "set it to null", model_sections[MODEL_AUX_HEAD]);
    if (m->guide == GUIDE_AVERAGE && m->averager == AVERAGER_NONE)
        return problem(config, err, "model.guide", " is average, but model.weight_averager.name is none");
    if (!config_has_teacher(m) || *m->teacher.weights)
        return true;
    return m->guide == GUIDE_TEACHER
         ? problem(config, err, "model.guide", " is teacher, but model.teacher.weights is not given")
         : problem(config, err, "model.distill", " needs a teacher, but model.teacher.weights is not given");
}

static bool check_rules(struct config *config, struct error *err)
{
    return ranges_valid(config, "data.train", &config->train, err)
        && ranges_valid(config, "data.val", &config->val, err)
        && cached_whole(config, "data.train", &config->train, err)
        && cached_whole(config, "data.val", &config->val, err)
        && refuse_training_keys(config, err)
        && tiles_valid(config, "data.train.tiles.size", &config->train.tiles.size, err)
        && tiles_valid(config, "data.val.tiles.size", &config->val_tiles.size, err)
        && classes_agree(config, err) && model_named(config, err)
        && save_key_known(config, err) && schedule_agrees(config, err) && guide_agrees(config, err)
        && (!config->detects_only || refuse_ignored_keys(config, err));
}

/* ---- all of it ---- */

bool config_parse(struct config *config, const void *yaml, size_t size, const char *file, const char *const *overrides,
                  int count, struct error *err)
{
    *config = (struct config){ .problems = config->problems, .network_only = config->network_only,
                               .detects_only = config->detects_only, .file = new_text(file, err) };
    return config->file && make_tree(config, yaml, size, overrides, count, err) && read_sections(config, err)
        && check_rules(config, err);
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

bool config_set_number(struct config *config, const char *path, double value, struct error *err)
{
    const struct key *key = find_row(path, config_keys, sizeof *config_keys);
    struct entry *e = tree_find(&config->root, path);
    char digits[40];
    snprintf(digits, sizeof digits, "%.17g", value);
    return entry_set(e, digits, err) && key_set(config, key, path, e, err);
}

/* ---- the resolved tree as text ---- */

void config_write(const struct config *config, struct strbuf *out)
{
    tree_write(&config->root, out);
}

bool config_is_written(const char *path)
{
    struct bytes file;
    struct entry root = {0};
    struct strbuf again = {0};
    if (!file_read_max(&file, path, TREE_FILE_MAX, NULL))
        return false;
    if (tree_parse(&root, file.p, file.size, path, NULL))
        tree_write(&root, &again);
    const bool same = again.s && !again.failed && again.size == file.size && memcmp(again.s, file.p, file.size) == 0;
    strbuf_free(&again);
    tree_free(&root);
    bytes_free(&file);
    return same;
}
