/* config/section.c -- one section of the tree by one table: no unknown key is in it, every key of the table gets its
 * value in the tree, and the value goes into the struct. */
#include "config/section.h"

#include "base/strbuf.h"
#include "base/string_list.h"
#include "base/table.h"
#include "config/suggest.h"
#include <stdio.h>
#include <string.h>

const struct place command_line = { "command line", 0 }, at_preset = { "preset", 0 };

struct pass {
    struct config *config;
    struct entry *section; const char *prefix;          /* its path, for messages */
    const struct key *keys;
    void *to;
    struct error *err;
};

bool keep_problem(struct config *config, struct error *err)
{
    enum { PROBLEMS_MAX = 1000 };                       /* each takes a search for the nearest key */
    return config->problems && config->problems->count < PROBLEMS_MAX && err->exit == 2
        && string_list_add(config->problems, err->text, err);
}

struct key_path key_path_of(const char *section, const char *name)
{
    struct key_path p;
    snprintf(p.s, sizeof p.s, "%.*s%s%.*s", TREE_KEY, section, *section ? "." : "", TREE_KEY, name);
    return p;
}

/* ---- unknown keys ---- */

/* The table has keys below that name. */
static bool is_group(const char *name, const struct key *keys)
{
    const size_t length = strlen(name);
    for (; keys->name; keys++)
        if (strncmp(keys->name, name, length) == 0 && keys->name[length] == '.')
            return true;
    return false;
}

/* A section may be read more than once. */
static bool note_ignored(struct config *config, const char *path, struct error *err)
{
    for (int i = 0; i < config->ignored.count; i++)
        if (strcmp(config->ignored.list[i], path) == 0)
            return true;
    return string_list_add(&config->ignored, path, err);
}

/* The row of an entry.  An unknown key is accepted only in a file: on the command line it is a misspelling. */
static const struct key *row_of(const struct pass *p, const char *name, const struct entry *e)
{
    const struct key *key = find_row(name, p->keys, sizeof *p->keys);
    const bool is_value = e->kind != SECTION || e->count == 0;
    return key || !is_value || is_group(name, p->keys) || e->place.file != p->config->file
         ? key : find_row(ANY_OTHER_KEY, p->keys, sizeof *p->keys);
}

static bool unknown(const struct pass *p, const char *place, const char *path)
{
    struct strbuf nearest = {0};
    const bool near = suggest_keys(&p->config->root, p->prefix, p->keys, path, &nearest);
    if (strbuf_check(&nearest, p->err))
        misuse(p->err, "%s: no such key; did you mean %s?%s", place, nearest.s,
               near ? "" : " nanodet check --keys lists all keys");
    strbuf_free(&nearest);
    return false;
}

/* The children of e, which is called `group` within the section.  An unknown group is reported by its keys. */
static bool all_known(const struct pass *p, const char *group, const struct entry *e)
{
    for (const struct entry *child = e->child; child; child = child->next) {
        const struct key_path name = key_path_of(group, child->name), full = key_path_of(p->prefix, name.s);
        const struct key *key = row_of(p, name.s, child);
        const bool names_table = starts_with(p->prefix, "model.") && !*group && strcmp(child->name, "name") == 0;
        bool ok = true;
        if (strchr(child->name, '.'))
            ok = misuse(p->err, "%s: keys nest by indentation; dots are for the command line",
                        format_place(child->place, full.s).s);
        else if (key || names_table)
            ok = !key || key->type != KEY_IGNORED || note_ignored(p->config, full.s, p->err);
        else if (child->kind == SECTION && child->count)
            ok = all_known(p, name.s, child);
        else if (is_group(name.s, p->keys))
            ok = entry_is_null(child) || child->kind == SECTION
              || misuse(p->err, "%s is a section of keys", format_place(child->place, full.s).s);
        else
            ok = unknown(p, format_place(child->place, full.s).s, full.s);
        if (!ok && !keep_problem(p->config, p->err))
            return false;
    }
    return true;
}

/* ---- values ---- */

/* Puts the preset of a key into the tree. */
static struct entry *put_preset(const struct pass *p, const char *path, const struct key *key)
{
    const struct entry *root = &p->config->root, *like = NULL;
    const char *text = key->preset, mark = text ? *text : '=';
    struct entry value = {0};
    char count[16];
    if (text && mark == '=' && entry_is_null(like = tree_find(p->section, text + 1)))
        like = tree_find(root, text + 1);
    if (mark == '=' && entry_is_null(like)) {
        misuse(p->err, "%s must be given", format_place((struct place){ p->config->file, 0 }, path).s);
        return NULL;
    }
    if (mark == '#') {
        const struct entry *list = tree_find(root, text + 1);
        snprintf(count, sizeof count, "%d", list && list->kind == LIST ? list->count : 0);
        text = count;
    }
    struct entry *e = tree_find_or_add(p->section, key->name, at_preset, p->err);
    if (!e || e == like)
        return e;
    e->place = like ? like->place : at_preset;
    const bool ok = (like || tree_parse(&value, text, strlen(text), at_preset.file, p->err))
                 && entry_copy(e, like ? like : &value, p->err);
    tree_free(&value);
    return ok ? e : NULL;
}

/* A written null, of the key or of its group, means the word `none` where the key has that (norm_cfg: null); elsewhere
 * it is not a value. */
static bool means_none(const struct pass *p, const struct key *key)
{
    const char *dot = strrchr(key->name, '.');
    const struct entry *e = tree_find(p->section, key->name);
    char group[TREE_KEY + 1];
    if (!e && dot) {
        snprintf(group, sizeof group, "%.*s", (int)(dot - key->name), key->name);
        e = tree_find(p->section, group);
    }
    return e && entry_is_null(e) && key->type == KEY_WORD && find_row("none", key->words, sizeof *key->words);
}

/* A configuration that only detects may have no schedule: its keys are never read. */
static bool may_lack(const struct config *config, const char *path, const struct key *key)
{
    return config->detects_only && starts_with(path, "schedule.") && (!key->preset || *key->preset == '=');
}

static bool read_key(const struct pass *p, const struct key *key)
{
    const struct key_path path = key_path_of(p->prefix, key->name);
    struct entry *e = tree_find(p->section, key->name);
    if (means_none(p, key)) {
        e = tree_find_or_add(p->section, key->name, at_preset, p->err);
        if (!e || !entry_set(e, "none", p->err))
            return false;
    } else if (!e && may_lack(p->config, path.s, key))
        return true;
    if (entry_is_null(e))
        e = put_preset(p, path.s, key);
    if (e && key_set(p->to, key, path.s, e, p->err))
        return true;
    if (!keep_problem(p->config, p->err))
        return false;
    e = put_preset(p, path.s, key);
    return (e && key_set(p->to, key, path.s, e, p->err)) || p->err->exit == 2;       /* reported already */
}

bool entry_read(struct config *config, struct entry *section, const char *prefix, const struct key *keys, void *to,
                struct error *err)
{
    const struct pass p = { config, section, prefix, keys, to, err };
    if (entry_is_null(section))
        section->kind = SECTION;
    if (section->kind != SECTION)
        return misuse(err, "%s is a section of keys", format_place(section->place, prefix).s);
    if (!all_known(&p, "", section))
        return false;
    for (const struct key *key = keys; key->name; key++)
        if (key->type != KEY_SECTION && key->type != KEY_IGNORED && !read_key(&p, key))
            return false;
    return true;
}

bool section_read(struct config *config, const char *prefix, const struct key *keys, void *to, struct error *err)
{
    struct entry *section = tree_find_or_add(&config->root, prefix, at_preset, err);
    return section && entry_read(config, section, prefix, keys, to, err);
}
