#include "config/tree.h"

#include "base/memory.h"
#include "base/name_index.h"
#include "base/printable.h"
#include "base/strbuf.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

struct anchor { char *name; const struct entry *entry; };

struct reader {
    yaml_parser_t yaml;
    const char *file;
    const char *text; size_t size;              /* the document */
    int entries;
    struct anchor *anchors;
    int anchor_count, anchor_capacity;
    struct error *err;
};

/* ---- building ---- */

/* A new last child; name NULL in a list. */
static struct entry *add_child(struct entry *parent, const char *name, struct place place, struct error *err)
{
    struct entry *child = new_array(1, sizeof *child, err);
    if (!child)
        return NULL;
    child->place = place;
    child->name = name ? new_text(name, err) : NULL;
    if (name && !child->name) {
        free(child);
        return NULL;
    }
    if (parent->last)
        parent->last->next = child;
    else
        parent->child = child;
    parent->last = child;
    parent->count++;
    return child;
}

/* Leaves an entry with its name, place and siblings. */
static void empty(struct entry *e)
{
    for (struct entry *child = e->child, *next; child; child = next) {
        next = child->next;
        tree_free(child);
        free(child);
    }
    free(e->text);
    free(e->texts);
    *e = (struct entry){ .name = e->name, .next = e->next, .place = e->place };
}

void tree_free(struct entry *root)
{
    empty(root);
    free(root->name);
    *root = (struct entry){0};
}

bool entry_set(struct entry *to, const char *text, struct error *err)
{
    if (to->kind == SCALAR && to->text && !to->quoted && strcmp(to->text, text) == 0)
        return true;                                        /* who borrowed it may keep it */
    char *copy = new_text(text, err);
    if (!copy)
        return false;
    empty(to);
    to->text = copy;
    return true;
}

bool entry_copy(struct entry *to, const struct entry *from, struct error *err)
{
    empty(to);
    to->kind = from->kind;
    to->quoted = from->quoted;
    if (from->text && !(to->text = new_text(from->text, err)))
        return false;
    for (const struct entry *e = from->child; e; e = e->next) {
        struct entry *child = add_child(to, e->name, e->place, err);
        if (!child || !entry_copy(child, e, err))
            return false;
    }
    return true;
}

/* ---- reading ---- */

/* Line `wanted`, counted from 0, is indented with a tab, which YAML does not allow. */
static bool indented_with_tab(const struct reader *r, size_t wanted)
{
    const char *at = r->text, *const end = at + r->size;
    for (; at < end && wanted > 0; at++)
        wanted -= *at == '\n';
    while (at < end && *at == ' ')
        at++;
    return at < end && *at == '\t';
}

static bool next_event(struct reader *r, yaml_event_t *event)
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

static struct place place_of(const struct reader *r, const yaml_event_t *event)
{
    return (struct place){ r->file, (int)event->start_mark.line + 1 };
}

static bool whole_text(const struct reader *r, const yaml_event_t *event)
{
    return strlen((const char *)event->data.scalar.value) == event->data.scalar.length
        || misuse(r->err, "%s:%d: a text holds a 0 byte", r->file, place_of(r, event).line);
}

static bool remember(struct reader *r, const char *name, const struct entry *entry)
{
    if (!grow_array(&r->anchors, r->anchor_count, &r->anchor_capacity, sizeof *r->anchors, r->err))
        return false;
    char *copy = new_text(name, r->err);
    if (!copy)
        return false;
    r->anchors[r->anchor_count++] = (struct anchor){ copy, entry };
    return true;
}

/* Levels of a tree, 1 for a scalar; adds its entries to *entries. */
static int measure(const struct entry *e, int *entries)
{
    int deepest = 0;
    ++*entries;
    for (const struct entry *child = e->child; child; child = child->next) {
        const int depth = measure(child, entries);
        deepest = depth > deepest ? depth : deepest;
    }
    return deepest + 1;
}

static bool fits(struct reader *r, int line, int depth)
{
    if (depth > TREE_DEPTH)
        return misuse(r->err, "%s:%d: nested deeper than %d", r->file, line, TREE_DEPTH);
    return r->entries <= TREE_ENTRIES || misuse(r->err, "%s:%d: more than %d entries", r->file, line, TREE_ENTRIES);
}

/* An anchor is remembered once its value is complete, so an alias cannot hold itself. */
static bool read_alias(struct reader *r, const char *name, int line, struct entry *to, int depth)
{
    for (int i = r->anchor_count - 1; i >= 0; i--)
        if (strcmp(r->anchors[i].name, name) == 0) {
            depth += measure(r->anchors[i].entry, &r->entries) - 1;
            return fits(r, line, depth) && entry_copy(to, r->anchors[i].entry, r->err);
        }
    return misuse(r->err, "%s:%d: *%s: no such anchor before it", r->file, line, name);
}

static bool read_key(struct reader *r, const yaml_event_t *event, struct entry *section, struct entry **child)
{
    const struct place place = place_of(r, event);
    if (event->type != YAML_SCALAR_EVENT)
        return misuse(r->err, "%s:%d: a key must be a text", place.file, place.line);
    if (!whole_text(r, event))
        return false;
    if (event->data.scalar.length > TREE_KEY)
        return misuse(r->err, "%s:%d: a key of more than %d characters", place.file, place.line, TREE_KEY);
    *child = add_child(section, (const char *)event->data.scalar.value, place, r->err);
    return *child != NULL;
}

static const char *name_of(const void *entries, int i) { return ((const struct entry *const *)entries)[i]->name; }

/* Compares the keys of a section once it is complete: comparing each with all before it takes seconds for thousands. */
static bool keys_differ(struct reader *r, const struct entry *section)
{
    const struct entry **entries = new_array((size_t)section->count, sizeof *entries, r->err);
    struct name_index index = {0};
    int count = 0;
    for (const struct entry *e = section->child; entries && e; e = e->next)
        entries[count++] = e;
    bool ok = entries && name_index_make(&index, count, name_of, entries, strcmp, r->err);
    for (int i = 0; ok && i < count; i++) {
        const struct entry *first = entries[name_index_first(&index, entries[i]->name)];
        ok = first == entries[i] || misuse(r->err, "%s:%d: %s: given before, at line %d", r->file,
                                           entries[i]->place.line, first->name, first->place.line);
    }
    name_index_free(&index);
    free(entries);
    return ok;
}

static bool read_value(struct reader *, yaml_event_t *, struct entry *, int depth);

static bool read_children(struct reader *r, struct entry *to, int depth)
{
    for (;;) {
        yaml_event_t event;
        struct entry *child = NULL;
        if (!next_event(r, &event))
            return false;
        bool ok = true;
        const bool end = event.type == YAML_SEQUENCE_END_EVENT || event.type == YAML_MAPPING_END_EVENT;
        if (!end && to->kind == LIST)
            ok = (child = add_child(to, NULL, place_of(r, &event), r->err))
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

static bool read_value(struct reader *r, yaml_event_t *event, struct entry *to, int depth)
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
    return ok && (!anchor || remember(r, (const char *)anchor, to));
}

/* One document: its value stands between its start and its end. */
static bool read_document(struct reader *r, struct entry *root)
{
    for (bool filled = false, end = false; !end;) {
        yaml_event_t event;
        if (!next_event(r, &event))
            return false;
        bool ok = true;
        switch (event.type) {
        case YAML_STREAM_START_EVENT: case YAML_DOCUMENT_END_EVENT:
            break;
        case YAML_DOCUMENT_START_EVENT:
            ok = !filled || misuse(r->err, "%s:%d: a second document", r->file, place_of(r, &event).line);
            break;
        case YAML_STREAM_END_EVENT:
            end = true;
            ok = filled || entry_set(root, "", r->err);
            break;
        default:
            filled = true;
            root->place = place_of(r, &event);
            ok = read_value(r, &event, root, 1);
        }
        yaml_event_delete(&event);
        if (!ok)
            return false;
    }
    return true;
}

/* Bounds the %TAG lines, since libyaml compares each with all before it.  0 bytes are skipped: UTF-16 has them. */
static bool few_directives(const struct reader *r)
{
    enum { MOST = 16 };
    int count = 0;
    char last = '\n';
    for (size_t i = 0; i < r->size; i++)
        if (r->text[i]) {
            count += r->text[i] == '%' && (last == '\n' || last == '\r');
            last = r->text[i];
        }
    return count <= MOST || misuse(r->err, "%s: more than %d lines begin with %%", r->file, MOST);
}

bool tree_parse(struct entry *root, const void *yaml, size_t size, const char *file, struct error *err)
{
    struct reader r = { .file = file, .text = yaml, .size = size, .err = err };
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

/* ---- finding ---- */

bool entry_null(const struct entry *e)
{
    static const char *const words[] = { "", "~", "null", "Null", "NULL" };
    if (!e || e->kind != SCALAR || e->quoted || !e->text)
        return !e || (e->kind == SCALAR && !e->quoted);
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcmp(e->text, words[i]) == 0)
            return true;
    return false;
}

/* The child that the first `length` characters of path name: by key in a section, by index in a list. */
static struct entry *step(const struct entry *from, const char *path, size_t length)
{
    char *end;
    struct entry *child = from->child;
    if (from->kind == SECTION)
        while (child && (strncmp(child->name, path, length) != 0 || child->name[length]))
            child = child->next;
    else {
        unsigned long index = isdigit((unsigned char)*path) ? strtoul(path, &end, 10) : TREE_ENTRIES;
        if (index == TREE_ENTRIES || end != path + length)
            return NULL;
        while (child && index-- > 0)
            child = child->next;
    }
    return child;
}

struct entry *tree_find(const struct entry *from, const char *path)
{
    struct entry *e = (struct entry *)from;                 /* as strchr does: the caller's const is his own */
    while (e && *path) {
        const size_t length = strcspn(path, ".");
        e = step(e, path, length);
        path += length + (path[length] == '.');
    }
    return e;
}

struct entry *tree_place(struct entry *from, const char *path, struct place place, struct error *err)
{
    struct entry *e = from;
    for (const char *at = path; *at;) {
        const size_t length = strcspn(at, ".");
        if (entry_null(e)) {
            empty(e);
            e->kind = SECTION;
        }
        struct entry *child = step(e, at, length);
        if (!child && e->kind != SECTION) {
            misuse(err, "%s: %s: there is no %.*s in a %s", place.file, path, (int)length, at,
                   e->kind == LIST ? "list of that length" : "single value");
            return NULL;
        }
        char *name = child ? NULL : strndup(at, length);
        if (name)
            child = add_child(e, name, place, err);
        else if (!child)
            fail(err, "out of memory: %zu bytes", length + 1);
        free(name);
        if (!child)
            return NULL;
        e = child;
        at += length + (at[length] == '.');
    }
    return e;
}

static void remove_child(struct entry *parent, struct entry *e)
{
    struct entry *before = NULL;
    for (struct entry *child = parent->child; child != e; child = child->next)
        before = child;
    *(before ? &before->next : &parent->child) = e->next;
    if (parent->last == e)
        parent->last = before;
    parent->count--;
    tree_free(e);
    free(e);
}

void tree_remove(struct entry *from, const char *path)
{
    const size_t length = strcspn(path, ".");
    struct entry *e = step(from, path, length);
    if (e && path[length] && e->count) {
        tree_remove(e, path + length + 1);
        if (e->count == 0)
            remove_child(from, e);
    } else if (e && !path[length])
        remove_child(from, e);
}

/* ---- writing ---- */

/* One character in double quotes.  Characters that control a terminal or that YAML refuses are escaped. */
static const char *write_quoted(const char *s, struct strbuf *out)
{
    unsigned code;
    const size_t length = utf8_character(s, &code);
    if (length == 0)
        return s + 1;                                       /* not UTF-8: no parsed text is */
    if (*s == '"' || *s == '\\')
        strbuf_add(out, "\\%c", *s);
    else if (!is_printable(code) || code == 0xfeff || (code >= 0xfffe && code <= 0xffff))
        strbuf_add(out, code < 0x100 ? "\\x%02x" : "\\U%08x", code);  /* short: a key has 1024 characters at most */
    else
        strbuf_bytes(out, s, length);
    return s + length;
}

static void write_scalar(const char *s, bool quoted, struct strbuf *out)
{
    bool plain = !quoted && *s, letters = false;
    for (const char *p = s; *p; p++) {
        letters = letters || isalnum((unsigned char)*p);
        plain = plain && (isalnum((unsigned char)*p) || strchr("_./+-", *p));
    }
    if (plain && letters) {
        strbuf_add(out, "%s", s);
        return;
    }
    strbuf_add(out, "\"");
    while (*s)
        s = write_quoted(s, out);
    strbuf_add(out, "\"");
}

static void write_flow(const struct entry *e, struct strbuf *out)
{
    if (e->kind == SCALAR) {
        if (entry_null(e))
            strbuf_add(out, "null");
        else
            write_scalar(e->text, e->quoted && entry_null(&(struct entry){ .text = e->text }), out);
        return;
    }
    strbuf_add(out, e->kind == LIST ? "[" : "{");
    for (const struct entry *child = e->child; child; child = child->next) {
        if (e->kind == SECTION) {
            write_scalar(child->name, false, out);
            strbuf_add(out, ": ");
        }
        write_flow(child, out);
        strbuf_add(out, child->next ? ", " : "");
    }
    strbuf_add(out, e->kind == LIST ? "]" : "}");
}

static void write_section(const struct entry *e, int indent, struct strbuf *out)
{
    for (const struct entry *child = e->child; child; child = child->next) {
        strbuf_add(out, "%*s", indent, "");
        write_scalar(child->name, false, out);
        strbuf_add(out, ":");
        if (child->kind == SECTION && child->count) {
            strbuf_add(out, "\n");
            write_section(child, indent + 2, out);
        } else {
            strbuf_add(out, " ");
            write_flow(child, out);
            strbuf_add(out, "\n");
        }
    }
}

void tree_write(const struct entry *root, struct strbuf *out)
{
    if (root->kind == SECTION && root->count)
        write_section(root, 0, out);
    else {
        write_flow(root, out);
        strbuf_add(out, "\n");
    }
}
