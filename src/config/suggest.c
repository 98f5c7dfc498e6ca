#include "config/suggest.h"

#include "base/min_max.h"
#include "base/strbuf.h"
#include "base/table.h"
#include "config/section.h"
#include <ctype.h>
#include <limits.h>
#include <string.h>

enum { SHOWN = 3 };

/* Last parts of keys: in other programs, and here. */
static const struct alias { const char *name, *key; } aliases[] = {
    { "epoch", "total_epochs" },    { "max_epochs", "total_epochs" }, { "learning_rate", "lr" },
    { "imgsz", "input_size" },      { "img_size", "input_size" },     { "image_size", "input_size" },
    { "size", "input_size" },       { "images", "img_path" },         { "img_dir", "img_path" },
    { "annotations", "ann_path" },  { "ann_file", "ann_path" },       { "labels", "ann_path" },
    { "classes", "class_names" },   { "nc", "num_classes" },          { "conf", "score_thr" },
    { "score", "score_thr" },       { "iou", "nms_iou" },             { "iou_thr", "nms_iou" },
    { "max_det", "max_per_image" }, { "max_dets", "max_per_image" },  { "weights", "load_model" },
    { "mean", "normalize" },        { "std", "normalize" },           { "ema", "decay" },
    { "nms_thr", "nms_iou" },       { "conf_thres", "score_thr" },    { "warmup", "steps" },
    { "pretrain", "load_model" },   { "pretrained", "load_model" },   { "output", "save_dir" },      {0} };

/* A name reduced to its letters and digits, in lower case. */
struct plain_name { char s[2 * TREE_KEY + 2]; };

static struct plain_name plain(const char *name)
{
    struct plain_name b;
    size_t n = 0;
    for (; *name && n < sizeof b.s - 1; name++)
        if (isalnum((unsigned char)*name))
            b.s[n++] = (char)tolower((unsigned char)*name);
    b.s[n] = 0;
    return b;
}

static const char *last_part(const char *path)
{
    const char *dot = strrchr(path, '.');
    return dot ? dot + 1 : path;
}

/* ---- distance of last parts ---- */

enum { SAME, ONE_EDIT, PART, FAR = 100 };       /* PART + the number of edits, where that is small */

/* `word` is one of the words of `name`, which underscores separate. */
static bool has_word(const char *name, const char *word)
{
    const size_t length = strlen(word);
    for (const char *at = name; length > 1 && at; at = strchr(at, '_')) {
        at += *at == '_';
        if (strncasecmp(at, word, length) == 0 && (at[length] == '_' || !at[length]))
            return true;
    }
    return false;
}

static bool begins(const char *start, const char *name) { return strlen(start) > 1 && starts_with(name, start); }

static int distance(const char *asked, const char *known)
{
    const struct plain_name a = plain(asked), b = plain(known);
    const int edits = edit_distance(a.s, b.s), third = (int)strlen(a.s) / 3;
    if (edits <= (strlen(a.s) >= 5 ? ONE_EDIT : SAME))
        return edits;
    if (begins(a.s, b.s) || begins(b.s, a.s) || has_word(known, asked) || has_word(asked, known))
        return PART;
    return edits <= third ? PART + edits : FAR;
}

/* The last part may include the section: warmup_steps for warmup.steps. */
static int nearest_end(const char *asked, const char *path)
{
    for (const char *end = path; end; end = strchr(end, '.')) {
        end += *end == '.';
        if (strcmp(plain(end).s, plain(asked).s) == 0)
            return SAME;
    }
    return distance(asked, last_part(path));
}

/* optimizer also matches optimizer.name. */
static int nearness(const char *asked, const char *known)
{
    int near = nearest_end(asked, known);
    if (ends_with(known, ".name")) {
        struct key_path group = key_path_of("", known);
        group.s[strlen(known) - strlen(".name")] = 0;
        near = min_int(near, nearest_end(asked, group.s));
    }
    return near;
}

/* ---- distance of sections ---- */

static struct key_path section_of(const char *path)
{
    struct key_path section = key_path_of("", path);
    section.s[last_part(path) > path ? last_part(path) - path - 1 : 0] = 0;
    return section;
}

static int section_distance(const char *asked, const char *known)
{
    enum { UNLIKE = 5 };
    const struct key_path a = section_of(asked), k = section_of(known);
    const size_t length = strlen(a.s);
    int parts = 0;
    if (length && (strncmp(a.s, k.s, length) != 0 || (k.s[length] && k.s[length] != '.')))
        return UNLIKE + edit_distance(a.s, k.s);
    for (const char *at = k.s + length; *at; at++)      /* omitted parts count little */
        parts += *at == '.' || at == k.s;
    return parts;
}

/* ---- the search ---- */

struct search {
    const char *path, *other;                           /* the unknown key; its last part in our words, or NULL */
    struct key_path best[SHOWN]; int count, score;          /* the nearest ones, all of that score */
};

static void consider(struct search *s, const char *known)
{
    int near = nearness(last_part(s->path), known);
    if (s->other)
        near = min_int(near, nearness(s->other, known));
    const int score = near < FAR ? 10 * near + section_distance(s->path, known)
                                 : 10 * FAR + edit_distance(s->path, known);
    for (int i = 0; i < s->count; i++)
        if (strcmp(s->best[i].s, known) == 0)
            return;
    if (score > s->score || strcmp(known, s->path) == 0)
        return;
    if (score < s->score)
        s->count = 0;
    s->score = score;
    if (s->count < (near < FAR ? SHOWN : 1))
        s->best[s->count++] = key_path_of("", known);
}

static void consider_table(struct search *s, const char *section, const struct key *keys)
{
    for (; keys->name; keys++)
        if (keys->type != KEY_SECTION && strcmp(keys->name, ANY_OTHER_KEY) != 0)
            consider(s, key_path_of(section, keys->name).s);
}

static void consider_entries(struct search *s, const struct entry *section, const char *path)
{
    for (const struct entry *e = section->kind == SECTION ? section->child : NULL; e; e = e->next)
        if (e->kind == SECTION)
            consider_entries(s, e, key_path_of(path, e->name).s);
        else
            consider(s, key_path_of(path, e->name).s);
}

bool suggest_keys(const struct entry *root, const char *section, const struct key *keys, const char *path,
                  struct strbuf *out)
{
    const struct alias *alias = find_row(last_part(path), aliases, sizeof *aliases);
    struct search s = { .path = path, .other = alias ? alias->key : NULL, .score = INT_MAX };
    consider_table(&s, section, keys);
    for (const struct key_table *table = key_tables; table->section; table++)
        consider_table(&s, table->section, table->keys);
    for (const struct key *key = config_keys; key->name; key++) {
        const struct entry *e = key->type == KEY_SECTION && starts_with(key->name, "model.")
                              ? tree_find(root, key->name) : NULL;
        if (e && !starts_with(section, key->name))      /* the table of this section has all keys */
            consider_entries(&s, e, key->name);
    }
    for (int i = 0; i < s.count; i++)
        strbuf_addf(out, "%s%s", i == 0 ? "" : i + 1 < s.count ? ", " : " or ", s.best[i].s);
    return s.score < 10 * FAR;
}
