/* config/tree_parse.c -- YAML to a tree. */
#include "base/memory.h"
#include "base/name_index.h"
#include "config/tree.h"
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

struct anchor { char *name; const struct entry *entry; };

struct yaml_reader {
    yaml_parser_t yaml;
    const char *file;
    const char *text; size_t size;              /* the document */
    int entries;
    struct anchor *anchors;
    int anchor_count, anchor_capacity;
    struct error *err;
};

/* The line with this number, counted from 0, is indented with a tab, which YAML does not allow. */
static bool indented_with_tab(const struct yaml_reader *r, size_t line)
{
    const char *at = r->text, *const end = at + r->size;
    for (; at < end && line > 0; at++)
        line -= *at == '\n';
    while (at < end && *at == ' ')
        at++;
    return at < end && *at == '\t';
}

static bool next_event(struct yaml_reader *r, yaml_event_t *event)
{
    if (yaml_parser_parse(&r->yaml, event))
        return true;
    if (r->yaml.error == YAML_MEMORY_ERROR)
        return fail(r->err, "%s: out of memory", r->file);
    const size_t line = r->yaml.problem_mark.line;
    if (indented_with_tab(r, line))
        return misuse(r->err, "%s:%zu: the line is indented with a tab; YAML wants spaces", r->file, line + 1);
    return misuse(r->err, "%s:%zu: %s", r->file, r->yaml.problem_mark.line + 1,
                  r->yaml.problem ? r->yaml.problem : "not valid YAML");
}

static struct place place_of(const struct yaml_reader *r, const yaml_event_t *event)
{
    return (struct place){ r->file, (int)event->start_mark.line + 1 };
}

static bool whole_text(const struct yaml_reader *r, const yaml_event_t *event)
{
    return strlen((const char *)event->data.scalar.value) == event->data.scalar.length
        || misuse(r->err, "%s:%d: a string contains a 0 byte", r->file, place_of(r, event).line);
}

static bool add_anchor(struct yaml_reader *r, const char *name, const struct entry *entry)
{
    if (!grow_array(&r->anchors, r->anchor_count, &r->anchor_capacity, sizeof *r->anchors, r->err))
        return false;
    char *copy = new_text(name, r->err);
    if (!copy)
        return false;
    r->anchors[r->anchor_count++] = (struct anchor){ copy, entry };
    return true;
}

int tree_measure(const struct entry *e, int *entries)
{
    int deepest = 0;
    ++*entries;
    for (const struct entry *child = e->child; child; child = child->next) {
        const int depth = tree_measure(child, entries);
        deepest = depth > deepest ? depth : deepest;
    }
    return deepest + 1;
}

static bool fits(struct yaml_reader *r, int line, int depth)
{
    if (depth > TREE_DEPTH)
        return misuse(r->err, "%s:%d: nested deeper than %d", r->file, line, TREE_DEPTH);
    return r->entries <= TREE_ENTRIES || misuse(r->err, "%s:%d: more than %d entries", r->file, line, TREE_ENTRIES);
}

/* Anchors are added once their value is complete, so an alias cannot contain itself. */
static bool read_alias(struct yaml_reader *r, const char *name, int line, struct entry *to, int depth)
{
    for (int i = r->anchor_count - 1; i >= 0; i--)
        if (strcmp(r->anchors[i].name, name) == 0) {
            depth += tree_measure(r->anchors[i].entry, &r->entries) - 1;
            return fits(r, line, depth) && entry_copy(to, r->anchors[i].entry, r->err);
        }
    return misuse(r->err, "%s:%d: *%s: no such anchor before it", r->file, line, name);
}

static bool read_key(struct yaml_reader *r, const yaml_event_t *event, struct entry *section, struct entry **child)
{
    const struct place place = place_of(r, event);
    if (event->type != YAML_SCALAR_EVENT)
        return misuse(r->err, "%s:%d: a key must be a string", place.file, place.line);
    if (!whole_text(r, event))
        return false;
    if (event->data.scalar.length > TREE_KEY)
        return misuse(r->err, "%s:%d: a key of more than %d characters", place.file, place.line, TREE_KEY);
    *child = entry_add(section, (const char *)event->data.scalar.value, event->data.scalar.length, place, r->err);
    return *child != NULL;
}

static const char *name_of(const void *entries, int i) { return ((const struct entry *const *)entries)[i]->name; }

/* Refuses duplicate keys of a complete section, by an index: comparing each pair of thousands would take seconds. */
static bool keys_differ(struct yaml_reader *r, const struct entry *section)
{
    const struct entry **entries = new_array((size_t)section->count, sizeof *entries, r->err);
    struct name_index index = {0};
    int count = 0;
    for (const struct entry *e = section->child; entries && e; e = e->next)
        entries[count++] = e;
    bool ok = entries && name_index_build(&index, count, name_of, entries, strcmp, r->err);
    for (int i = 0; ok && i < count; i++) {
        const struct entry *first = entries[name_index_find_first(&index, entries[i]->name)];
        ok = first == entries[i] || misuse(r->err, "%s:%d: %s: given before, at line %d", r->file,
                                           entries[i]->place.line, first->name, first->place.line);
    }
    name_index_free(&index);
    free(entries);
    return ok;
}

static bool read_value(struct yaml_reader *, yaml_event_t *, struct entry *, int depth);

static bool read_children(struct yaml_reader *r, struct entry *to, int depth)
{
    for (;;) {
        yaml_event_t event;
        struct entry *child = NULL;
        if (!next_event(r, &event))
            return false;
        bool ok = true;
        const bool end = event.type == YAML_SEQUENCE_END_EVENT || event.type == YAML_MAPPING_END_EVENT;
        if (!end && to->kind == LIST)
            ok = (child = entry_add(to, NULL, 0, place_of(r, &event), r->err))
              && read_value(r, &event, child, depth);
        else if (!end) {
            yaml_event_t value;
            ok = read_key(r, &event, to, &child) && next_event(r, &value);
            if (ok) {
                ok = read_value(r, &value, child, depth);
                yaml_event_delete(&value);
            }
        }
        yaml_event_delete(&event);
        if (end || !ok)
            return ok && (to->kind == LIST || keys_differ(r, to));
    }
}

static bool read_value(struct yaml_reader *r, yaml_event_t *event, struct entry *to, int depth)
{
    const int line = place_of(r, event).line;
    const yaml_char_t *anchor = NULL;
    if (event->type == YAML_ALIAS_EVENT)
        return read_alias(r, (const char *)event->data.alias.anchor, line, to, depth);
    r->entries++;
    if (!fits(r, line, depth))
        return false;
    bool ok = true;
    if (event->type == YAML_SCALAR_EVENT) {
        anchor = event->data.scalar.anchor;
        ok = whole_text(r, event) && entry_set(to, (const char *)event->data.scalar.value, r->err);
        to->quoted = event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
    } else {
        to->kind = event->type == YAML_SEQUENCE_START_EVENT ? LIST : SECTION;
        anchor = to->kind == LIST ? event->data.sequence_start.anchor : event->data.mapping_start.anchor;
        ok = read_children(r, to, depth + 1);
    }
    return ok && (!anchor || add_anchor(r, (const char *)anchor, to));
}

static bool read_document(struct yaml_reader *r, struct entry *root)
{
    bool ok = true, filled = false, end = false;
    while (ok && !end) {
        yaml_event_t event;
        if (!next_event(r, &event))
            return false;
        end = event.type == YAML_STREAM_END_EVENT;
        if (event.type == YAML_DOCUMENT_START_EVENT)
            ok = !filled || misuse(r->err, "%s:%d: a second document", r->file, place_of(r, &event).line);
        else if (!end && event.type != YAML_STREAM_START_EVENT && event.type != YAML_DOCUMENT_END_EVENT) {
            filled = true;
            root->place = place_of(r, &event);
            ok = read_value(r, &event, root, 1);
        }
        yaml_event_delete(&event);
    }
    return ok && (filled || entry_set(root, "", r->err));
}

/* Bounds the %TAG lines, since libyaml compares each with all before it.  0 bytes are skipped: UTF-16 has them. */
static bool few_directives(const struct yaml_reader *r)
{
    enum { DIRECTIVES_MAX = 16 };
    int count = 0;
    char last = '\n';
    for (size_t i = 0; i < r->size; i++)
        if (r->text[i]) {
            count += r->text[i] == '%' && (last == '\n' || last == '\r');
            last = r->text[i];
        }
    return count <= DIRECTIVES_MAX
        || misuse(r->err, "%s: more than %d lines begin with %%", r->file, DIRECTIVES_MAX);
}

bool tree_parse(struct entry *root, const void *yaml, size_t size, const char *file, struct error *err)
{
    struct yaml_reader r = { .file = file, .text = yaml, .size = size, .err = err };
    *root = (struct entry){0};
    if (!few_directives(&r))
        return false;
    if (!yaml_parser_initialize(&r.yaml))
        return fail(err, "%s: out of memory", file);
    yaml_parser_set_input_string(&r.yaml, yaml, size);
    const bool ok = read_document(&r, root);
    yaml_parser_delete(&r.yaml);
    for (int i = 0; i < r.anchor_count; i++)
        free(r.anchors[i].name);
    free(r.anchors);
    if (!ok)
        tree_free(root);
    return ok;
}
