/* config/section.c -- a section of the tree against a table of keys. */
#include "base/strbuf.h"
#include "base/string_list.h"
#include "base/table.h"
#include "config/section.h"
#include "config/suggest.h"
#include <stdio.h>
#include <string.h>

static const struct place at_preset = { "preset", 0 };

bool carry_on(struct config *config, struct error *err)
{
    enum { MOST = 1000 };                               /* each takes a search for the nearest key */
    return config->problems && config->problems->count < MOST && err->exit == 2
        && string_list_add(config->problems, err->text, err);
}

struct path path_of(const char *section, const char *name)
{
    struct path p;
    snprintf(p.s, sizeof p.s, "%.*s%s%.*s", TREE_KEY, section, *section ? "." : "", TREE_KEY, name);
    return p;
}

/* ---- what is there must be known ---- */

/* Some key stands below that name. */
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
static const struct key *find_key(const struct config *config, const char *name, const struct entry *e,
                                  const struct key *keys)
{
    const struct key *key = find_row(name, keys, sizeof *keys);
    const bool is_value = e->kind != SECTION || e->count == 0;
    return key || !is_value || is_group(name, keys) || e->place.file != config->file
         ? key : find_row(ANY_OTHER_KEY, keys, sizeof *keys);
}

static bool unknown(const struct config *config, const char *section, const struct key *keys, const char *place,
                    const char *path, struct error *err)
{
    struct strbuf nearest = {0};
    const bool near = suggest_keys(config, section, keys, path, &nearest);
    if (strbuf_ok(&nearest, err))
        misuse(err, "%s: no such key; did you mean %s?%s", place, nearest.s,
               near ? "" : " nanodet check --keys lists all keys");
    strbuf_free(&nearest);
    return false;
}

/* Looks at each entry of e, which is called `group` within the section; an unknown group is told by what it holds. */
static bool all_known(struct config *config, const char *section, const char *group, const struct entry *e,
                      const struct key *keys, struct error *err)
{
    for (const struct entry *child = e->child; child; child = child->next) {
        const struct path name = path_of(group, child->name), full = path_of(section, name.s);
        const struct key *key = find_key(config, name.s, child, keys);
        const bool names_table = starts_with(section, "model.") && !*group && strcmp(child->name, "name") == 0;
        bool ok = true;
        if (strchr(child->name, '.'))
            ok = misuse(err, "%s: keys nest, line below line; dots are for the command line",
                        place_text(child->place, full.s).s);
        else if (key || names_table)
            ok = !key || key->type != KEY_IGNORED || note_ignored(config, full.s, err);
        else if (child->kind == SECTION && child->count)
            ok = all_known(config, section, name.s, child, keys, err);
        else if (is_group(name.s, keys))
            ok = entry_null(child) || child->kind == SECTION
              || misuse(err, "%s is a section of keys", place_text(child->place, full.s).s);
        else
            ok = unknown(config, section, keys, place_text(child->place, full.s).s, full.s, err);
        if (!ok && !carry_on(config, err))
            return false;
    }
    return true;
}

/* ---- what is known gets its value ---- */

/* The preset as a tree of its own; null if there is none. */
static bool preset_value(struct entry *value, const struct config *config, const struct entry *section,
                         const struct key *key, struct error *err)
{
    if (!key->preset)
        return true;
    const char *text = key->preset;
    char count[16];
    if (*text == '#') {
        const struct entry *list = tree_find(&config->root, text + 1);
        snprintf(count, sizeof count, "%d", list && list->kind == LIST ? list->count : 0);
        text = count;
    }
    if (*text != '=') {
        const bool ok = tree_parse(value, text, strlen(text), at_preset.file, err);
        value->place = at_preset;
        return ok;
    }
    const struct entry *like = tree_find(section, text + 1);
    if (entry_null(like))
        like = tree_find(&config->root, text + 1);
    if (like)
        value->place = like->place;
    return !like || entry_copy(value, like, err);
}

static bool put_preset(struct config *config, struct entry *section, const char *path, const struct key *key,
                       struct error *err)
{
    struct entry value = {0};
    bool ok = preset_value(&value, config, section, key, err);
    if (ok && entry_null(&value) && !(key->preset && !*key->preset))
        ok = misuse(err, "%s must be given", place_text((struct place){ config->file, 0 }, path).s);
    struct entry *e = ok ? tree_place(section, key->name, at_preset, err) : NULL;
    ok = e && entry_copy(e, &value, err);
    if (ok)
        e->place = value.place;
    tree_free(&value);
    return ok;
}

/* A null that is written, for the key or for the group that it is in, is the word `none` where the key has that (as in
 * norm_cfg: null); elsewhere it is no value. */
static bool says_none(const struct entry *section, const struct key *key)
{
    const char *dot = strrchr(key->name, '.');
    const struct entry *e = tree_find(section, key->name);
    char group[TREE_KEY + 1];
    if (!e && dot) {
        snprintf(group, sizeof group, "%.*s", (int)(dot - key->name), key->name);
        e = tree_find(section, group);
    }
    return e && entry_null(e) && key->type == KEY_WORD && find_row("none", key->words, sizeof *key->words);
}

/* A configuration that only detects may have no schedule: what its keys hold then is never read. */
static bool may_lack(const struct config *config, const char *path, const struct key *key)
{
    return config->detects_only && starts_with(path, "schedule.") && (!key->preset || *key->preset == '=');
}

static bool read_key(struct config *config, struct entry *section, const char *path, const struct key *key, void *to,
                     struct error *err)
{
    struct entry *e = says_none(section, key) ? tree_place(section, key->name, at_preset, err) : NULL;
    if (e && !entry_set(e, "none", err))
        return false;
    e = tree_find(section, key->name);
    if (!e && may_lack(config, path, key))
        return true;
    if (entry_null(e)) {
        if (!put_preset(config, section, path, key, err))
            return carry_on(config, err);
        e = tree_find(section, key->name);
    }
    if (key_set(to, key, path, e, err))
        return true;
    return carry_on(config, err)
        && ((put_preset(config, section, path, key, err)
             && key_set(to, key, path, tree_find(section, key->name), err)) || err->exit == 2);    /* told already */
}

bool entry_read(struct config *config, struct entry *section, const char *prefix, const struct key *keys, void *to,
                struct error *err)
{
    if (entry_null(section))
        section->kind = SECTION;
    if (section->kind != SECTION)
        return misuse(err, "%s is a section of keys", place_text(section->place, prefix).s);
    if (!all_known(config, prefix, "", section, keys, err))
        return false;
    for (const struct key *key = keys; key->name; key++)
        if (key->type != KEY_SECTION && key->type != KEY_IGNORED
            && !read_key(config, section, path_of(prefix, key->name).s, key, to, err))
            return false;
    return true;
}

bool section_read(struct config *config, const char *prefix, const struct key *keys, void *to, struct error *err)
{
    struct entry *section = tree_place(&config->root, prefix, at_preset, err);
    return section && entry_read(config, section, prefix, keys, to, err);
}
