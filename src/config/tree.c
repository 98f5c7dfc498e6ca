#include "config/tree.h"

#include "base/memory.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

struct entry *entry_add(struct entry *parent, const char *name, size_t length, struct place place, struct error *err)
{
    struct entry *child = new_array(1, sizeof *child, err);
    if (!child)
        return NULL;
    child->place = place;
    child->name = name ? strndup(name, length) : NULL;
    if (name && !child->name) {
        fail(err, "out of memory: %zu bytes", length + 1);
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

/* Makes the entry a null scalar; it keeps its name, place and next sibling. */
static void entry_clear(struct entry *e)
{
    for (struct entry *child = e->child, *next; child; child = next) {
        next = child->next;
        tree_free(child);
        free(child);
    }
    free(e->text);
    free(e->array);
    *e = (struct entry){ .name = e->name, .next = e->next, .place = e->place };
}

void tree_free(struct entry *root)
{
    entry_clear(root);
    free(root->name);
    *root = (struct entry){0};
}

bool entry_set(struct entry *to, const char *text, struct error *err)
{
    if (to->kind == SCALAR && to->text && !to->quoted && strcmp(to->text, text) == 0)
        return true;                                        /* keeps the address */
    char *copy = new_text(text, err);
    if (!copy)
        return false;
    entry_clear(to);
    to->text = copy;
    return true;
}

bool entry_copy(struct entry *to, const struct entry *from, struct error *err)
{
    entry_clear(to);
    to->kind = from->kind;
    to->quoted = from->quoted;
    if (from->text && !(to->text = new_text(from->text, err)))
        return false;
    for (const struct entry *e = from->child; e; e = e->next) {
        struct entry *child = entry_add(to, e->name, e->name ? strlen(e->name) : 0, e->place, err);
        if (!child || !entry_copy(child, e, err))
            return false;
    }
    return true;
}

bool text_is_null(const char *text)
{
    static const char *const words[] = { "", "~", "null", "Null", "NULL" };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcmp(text, words[i]) == 0)
            return true;
    return false;
}

bool entry_is_null(const struct entry *e)
{
    return !e || (e->kind == SCALAR && !e->quoted && (!e->text || text_is_null(e->text)));
}

/* Returns the child named by the first `length` characters of path: a key in a section, an index in a list.  NULL if
 * there is none; a scalar has no children. */
static struct entry *child_at(const struct entry *from, const char *path, size_t length)
{
    char *end;
    struct entry *child = from->child;
    if (from->kind == SECTION)
        while (child && (strncmp(child->name, path, length) != 0 || child->name[length]))
            child = child->next;
    else {
        unsigned long index = strtoul(path, &end, 10);
        if (!isdigit((unsigned char)*path) || end != path + length)
            return NULL;
        while (child && index-- > 0)
            child = child->next;
    }
    return child;
}

struct entry *tree_find(const struct entry *from, const char *path)
{
    for (;;) {
        const size_t length = strcspn(path, ".");
        struct entry *child = child_at(from, path, length);
        if (!child || !path[length])
            return child;
        from = child;
        path += length + 1;
    }
}

struct entry *tree_find_or_add(struct entry *root, const char *path, struct place place, struct error *err)
{
    struct entry *e = root;
    for (const char *rest = path; *rest;) {
        const size_t length = strcspn(rest, ".");
        if (entry_is_null(e)) {
            entry_clear(e);
            e->kind = SECTION;
        }
        struct entry *child = child_at(e, rest, length);
        if (!child && e->kind != SECTION) {
            misuse(err, "%s: %s: %s %.*s", place.file, path,
                   e->kind == LIST ? "the list has no item" : "a single value has no key", (int)length, rest);
            return NULL;
        }
        if (!child && !(child = entry_add(e, rest, length, place, err)))
            return NULL;
        e = child;
        rest += length + (rest[length] == '.');
    }
    return e;
}

static void remove_child(struct entry *parent, struct entry *e)
{
    struct entry *before = NULL;
    for (struct entry *child = parent->child; child != e; child = child->next)
        before = child;
    if (before)
        before->next = e->next;
    else
        parent->child = e->next;
    if (parent->last == e)
        parent->last = before;
    parent->count--;
    tree_free(e);
    free(e);
}

void tree_remove(struct entry *from, const char *path)
{
    const size_t length = strcspn(path, ".");
    struct entry *e = child_at(from, path, length);
    if (e && path[length] && e->count) {
        tree_remove(e, path + length + 1);
        if (e->count == 0)
            remove_child(from, e);
    } else if (e && !path[length])
        remove_child(from, e);
}
