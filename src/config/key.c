#include "config/key.h"

#include "base/memory.h"
#include "base/strbuf.h"
#include "base/table.h"
#include <ctype.h>
#include <float.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct word booleans[] = {
    { "true", 1 }, { "false", 0 }, { "True", 1 }, { "False", 0 }, { "TRUE", 1 }, { "FALSE", 0 },
    { "yes", 1 }, { "no", 0 }, { "Yes", 1 }, { "No", 0 }, { "on", 1 }, { "off", 0 }, { "On", 1 }, { "Off", 0 },
    {0} };

struct place_text place_text(struct place place, const char *path)
{
    struct place_text t;
    if (place.line)
        snprintf(t.s, sizeof t.s, "%.180s:%d: %.200s", place.file, place.line, path);
    else
        snprintf(t.s, sizeof t.s, "%.180s: %.200s", place.file, path);
    return t;
}

/* ---- the values that a row allows, in words ---- */

struct allowed { char s[240]; };

static bool whole(const struct key *key)
{
    return key->type == KEY_INT || key->type == KEY_INT_ARRAY || key->type == KEY_INTS;
}

static double lowest(const struct key *key)
{
    return key->min != 0 || key->max != 0 ? key->min : whole(key) ? INT_MIN : -DBL_MAX;
}

static double highest(const struct key *key)
{
    return key->min != 0 || key->max != 0 ? key->max : whole(key) ? INT_MAX : DBL_MAX;
}

static int extent(const struct key *key)
{
    return (int)(key->size / (key->type == KEY_INT_ARRAY ? sizeof(int) : sizeof(double)));
}

/* "SGD, Adam or AdamW": the first word of each value. */
static struct allowed words_text(const struct word *words)
{
    struct allowed t = {0};
    size_t used = 0;
    for (const struct word *w = words, *first; w->name; w++) {
        for (first = words; first->value != w->value; first++)
            ;
        if (first != w || used >= sizeof t.s - 1)
            continue;
        used += (size_t)snprintf(t.s + used, sizeof t.s - used, "%s%s", used ? ", " : "", w->name);
    }
    char *last = strrchr(t.s, ',');
    if (last && used + 2 < sizeof t.s) {
        memmove(last + 4, last + 2, strlen(last + 2) + 1);
        memcpy(last, " or ", 4);
    }
    return t;
}

static struct allowed allowed(const struct key *key)
{
    struct allowed t = {0}, range = {0};
    const char *what = whole(key) ? "whole number" : "number", *s = extent(key) == 1 ? "" : "s";
    if (key->min != 0 || key->max != 0)
        snprintf(range.s, sizeof range.s, " from %.10g to %.10g", key->min, key->max);
    switch (key->type) {
    case KEY_BOOL:
        return (struct allowed){ "true or false" };
    case KEY_WORD:
        return words_text(key->words);
    case KEY_INT: case KEY_REAL:
        snprintf(t.s, sizeof t.s, "a %s%.100s", what, range.s);
        return t;
    case KEY_INT_ARRAY: case KEY_REAL_ARRAY:
        snprintf(t.s, sizeof t.s, "a list of %d %s%s%.100s", extent(key), what, s, range.s);
        return t;
    case KEY_INTS:
        snprintf(t.s, sizeof t.s, "a list of whole numbers%.100s", range.s);
        return t;
    case KEY_TEXT:
        return key->min > 0 ? (struct allowed){ "a text that is not empty" } : (struct allowed){ "a text" };
    case KEY_STRINGS:
        return (struct allowed){ "a list of texts" };
    case KEY_STRING_ROWS:
        return (struct allowed){ "a list of lists" };
    case KEY_SECTION: case KEY_SECTIONS: case KEY_IGNORED:
        return (struct allowed){ "a section" };
    }
    return t;
}

/* Hints for values of the right kind in the wrong form. */
static const struct hint { const char *name, *text; } hints[] = {
    { "pipeline.normalize", ": means and deviations of blue, green and red; for grey images repeat each three times, "
                            "as in [[127, 127, 127], [64, 64, 64]]" },
    {0} };

static bool not_allowed(const struct key *key, const char *path, const struct entry *e, struct error *err)
{
    const struct place_text at = place_text(e->place, path);
    const struct allowed values = allowed(key);
    const struct hint *hint = find_row(key->name, hints, sizeof *hints);
    const char *more = hint ? hint->text : "";
    if (e->kind == SCALAR)
        return misuse(err, "%s must be %s, not '%.60s'%s", at.s, values.s, e->text, more);
    return misuse(err, "%s must be %s, not a %s of %d%s", at.s, values.s, e->kind == LIST ? "list" : "section",
                  e->count, more);
}

/* ---- from an entry to a member ---- */

/* Writes the scalars below e to v; returns their number, or -1 if one is no number in range or they exceed room. */
static int numbers(const struct key *key, const struct entry *e, double *v, int room)
{
    int count = 0;
    if (e->kind == SECTION)
        return -1;
    if (e->kind == LIST) {
        for (const struct entry *child = e->child; child && count >= 0; child = child->next) {
            const int n = numbers(key, child, v + count, room - count);
            count = n < 0 ? -1 : count + n;
        }
        return count;
    }
    char *end;
    if (room < 1 || !*e->text || isspace((unsigned char)*e->text))
        return -1;
    *v = strtod(e->text, &end);
    const bool good = !*end && *v >= lowest(key) && *v <= highest(key) && (!whole(key) || *v == (int)*v);
    return good ? 1 : -1;
}

/* Rewrites the numbers below e: the shortest of 15 to 17 digits that reads back equal, with a point before an
 * exponent. */
static bool rewrite_numbers(struct entry *e, struct error *err)
{
    char digits[40], text[48];
    for (struct entry *child = e->child; child; child = child->next)
        if (!rewrite_numbers(child, err))
            return false;
    if (e->kind != SCALAR)
        return true;
    const double v = strtod(e->text, NULL);
    for (int precision = 15; precision <= 17; precision++) {
        snprintf(digits, sizeof digits, "%.*g", precision, v);
        if (strtod(digits, NULL) == v)
            break;
    }
    const int mantissa = (int)strcspn(digits, "e");
    const bool point = !digits[mantissa] || strchr(digits, '.');
    snprintf(text, sizeof text, "%.*s%s%s", mantissa, digits, point ? "" : ".0", digits + mantissa);
    return entry_set(e, text, err);
}

static bool set_numbers(void *to, const struct key *key, const char *path, struct entry *e, struct error *err)
{
    double v[INTS];
    const bool list = key->type == KEY_INTS, single = key->type == KEY_INT || key->type == KEY_REAL;
    const int count = single && e->kind != SCALAR ? -1 : numbers(key, e, v, INTS);
    if (count < 0 || (!list && count != (single ? 1 : extent(key))))
        return not_allowed(key, path, e, err);
    if (!rewrite_numbers(e, err))
        return false;
    if (!whole(key)) {
        memcpy(to, v, (size_t)count * sizeof *v);
        return true;
    }
    struct ints ints = { .count = count };
    for (int i = 0; i < count; i++)
        ints.at[i] = (int)v[i];
    memcpy(to, list ? (const void *)&ints : ints.at, key->size);
    return true;
}

static bool set_word(void *to, const struct key *key, const char *path, struct entry *e, struct error *err)
{
    const struct word *words = key->type == KEY_BOOL ? booleans : key->words;
    const struct word *word = e->kind == SCALAR ? find_row(e->text, words, sizeof *words) : NULL, *first = words;
    if (!word)
        return not_allowed(key, path, e, err);
    while (first->value != word->value)
        first++;
    const bool yes = word->value;
    const unsigned value = (unsigned)word->value;
    if (!entry_set(e, first->name, err))
        return false;
    memcpy(to, key->type == KEY_BOOL ? (const void *)&yes : &value, key->size);
    return true;
}

static bool set_text(void *to, const struct key *key, const char *path, struct entry *e, struct error *err)
{
    const char *text = entry_null(e) ? "" : e->text;
    if (e->kind != SCALAR || (key->min > 0 && !*text))
        return not_allowed(key, path, e, err);
    memcpy(to, &text, sizeof text);
    return true;
}

/* Stores the texts of a list in e->array and *out; leaves *out untouched if an item is no text. */
static bool list_texts(struct strings *out, struct entry *e, struct error *err)
{
    int i = 0;
    for (const struct entry *child = e->child; child; child = child->next)
        if (child->kind != SCALAR || entry_null(child))
            return true;
    if (e->kind != LIST)
        return true;
    const char **texts = e->array ? e->array : new_array((size_t)e->count, sizeof *texts, err);
    if (!texts)
        return false;
    e->array = texts;
    for (const struct entry *child = e->child; child; child = child->next)
        texts[i++] = child->text;
    *out = (struct strings){ e->count, texts };
    return true;
}

static bool set_strings(void *to, const struct key *key, const char *path, struct entry *e, struct error *err)
{
    struct strings strings = { .count = -1 };
    if (!list_texts(&strings, e, err))
        return false;
    if (strings.count < 0)
        return not_allowed(key, path, e, err);
    memcpy(to, &strings, sizeof strings);
    return true;
}

static bool set_string_rows(void *to, const struct key *key, const char *path, struct entry *e, struct error *err)
{
    if (e->kind != LIST)
        return not_allowed(key, path, e, err);
    struct strings *rows = e->array ? e->array : new_array((size_t)e->count, sizeof *rows, err);
    const struct string_rows all = { e->count, e->array = rows };
    for (struct entry *child = e->child; rows && child; child = child->next)
        if (!list_texts(rows++, child, err))
            return false;
    memcpy(to, &all, sizeof all);
    return rows != NULL;
}

bool key_set(void *to, const struct key *key, const char *path, struct entry *e, struct error *err)
{
    static bool (*const set[])(void *, const struct key *, const char *, struct entry *, struct error *) = {
        [KEY_BOOL] = set_word, [KEY_WORD] = set_word, [KEY_TEXT] = set_text, [KEY_STRINGS] = set_strings,
        [KEY_STRING_ROWS] = set_string_rows, [KEY_INT] = set_numbers, [KEY_REAL] = set_numbers,
        [KEY_INTS] = set_numbers, [KEY_INT_ARRAY] = set_numbers, [KEY_REAL_ARRAY] = set_numbers };
    return key->type == KEY_SECTIONS || set[key->type]((char *)to + key->offset, key, path, e, err);
}

void keys_manual(const char *section, const struct key *keys, struct strbuf *out)
{
    const char *dot = *section ? "." : "";
    for (const struct key *key = keys; key->name; key++) {
        if (key->type == KEY_SECTION)
            continue;
        const int width = 44 - (int)(strlen(section) + strlen(dot));
        strbuf_add(out, "%s%s%-*s %s\n", section, dot, width > 0 ? width : 0, key->name, key->help);
        if (key->type == KEY_IGNORED)
            continue;
        const struct allowed values = allowed(key);
        strbuf_add(out, "%44s %s", "", values.s);
        if (!key->preset)
            strbuf_add(out, "; must be given\n");
        else if (*key->preset == '=')
            strbuf_add(out, "; as %s unless given\n", key->preset + 1);
        else if (*key->preset == '#')
            strbuf_add(out, "; the number of %s unless given\n", key->preset + 1);
        else
            strbuf_add(out, "%s%s\n", *key->preset ? "; preset " : "; none unless given", key->preset);
    }
}
