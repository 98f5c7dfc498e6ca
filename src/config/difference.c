/* config/difference.c -- two resolved configurations compared: --resume goes on only if the results stay the same. */
#include "base/strbuf.h"
#include "base/string_list.h"
#include "base/table.h"
#include "config/section.h"
#include <string.h>

/* Keys and sections that --resume may change: they say how long, where and with which messages it runs. */
static const struct { const char *name; } free_keys[] = {
    { "save_dir" }, { "log" }, { "schedule.resume" }, { "schedule.load_model" }, { "schedule.total_epochs" },
    { "schedule.hours" }, { "schedule.patience" },
    { "data.train.cache_mb" }, { "data.val.cache_mb" }, { "device.decode_mb" }, { "model.arch.backbone.pretrain" },
    { "model.arch.backbone.pretrained" }, {0} };

bool config_names_files(const char *path)
{
    static const struct { const char *name; } keys[] = {
        { "model.teacher.config" }, { "model.teacher.weights" },
        { "data.train.name" }, { "data.train.img_path" }, { "data.train.ann_path" }, { "data.train.image_list" },
        { "data.val.name" }, { "data.val.img_path" }, { "data.val.ann_path" }, { "data.val.image_list" }, {0} };
    return find_row(path, keys, sizeof *keys) != NULL;
}

/* Other than tree_find, it takes a dot as part of the name. */
static const struct entry *child_named(const struct entry *section, const char *name)
{
    const struct entry *child = section->child;
    while (child && strcmp(child->name, name) != 0)
        child = child->next;
    return child;
}

/* Compares with order, as in the written form: this section is one value. */
static bool same_value(const struct entry *a, const struct entry *b)
{
    if (entry_is_null(a) || entry_is_null(b))
        return entry_is_null(a) && entry_is_null(b);
    const struct entry *x = a->child, *y = b->child;
    bool same = a->kind == b->kind && a->count == b->count && (a->kind != SCALAR || strcmp(a->text, b->text) == 0);
    for (; same && x; x = x->next, y = y->next)
        same = same_value(x, y) && (a->kind != SECTION || strcmp(x->name, y->name) == 0);
    return same;
}

/* The row of a key in the tables of this room, or NULL. */
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
    bool ok = true;
    if (find_row(path, free_keys, sizeof *free_keys) || (key && key->type == KEY_IGNORED))
        return true;
    if (!a || !b || a->kind != SECTION || b->kind != SECTION || (key && key->type != KEY_SECTION))
        return same_value(a, b) || string_list_add(names, path, err);
    for (const struct entry *e = a->child; ok && e; e = e->next)
        ok = differences(e, child_named(b, e->name), key_path_of(path, e->name).s, names, err);
    for (const struct entry *e = b->child; ok && e; e = e->next)
        ok = child_named(a, e->name) || differences(NULL, e, key_path_of(path, e->name).s, names, err);
    return ok;
}

bool config_difference(const struct config *a, const struct config *b, struct string_list *names, struct error *err)
{
    return differences(&a->root, &b->root, "", names, err);
}
