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

struct place_text format_place(struct place place, const char *path)
{
    struct place_text t;
    if (place.line)
        snprintf(t.s, sizeof t.s, "%.180s:%d: %.200s", place.file, place.line, path);
    else
        snprintf(t.s, sizeof t.s, "%.180s: %.200s", place.file, path);
    return t;
}

/* ---- descriptions of the allowed values ---- */

struct description { char s[240]; };

static bool is_integer(const struct key *key)
{
    return key->type == KEY_INT || key->type == KEY_INT_ARRAY || key->type == KEY_INT_LIST;
}

static bool has_range(const struct key *key) { return key->min != 0 || key->max != 0; }

static double lowest(const struct key *key)
{
    return has_range(key) ? key->min : is_integer(key) ? INT_MIN : -DBL_MAX;
}

static double highest(const struct key *key)
{
    return has_range(key) ? key->max : is_integer(key) ? INT_MAX : DBL_MAX;
}

static int array_length(const struct key *key)
{
    return (int)(key->size / (key->type == KEY_INT_ARRAY ? sizeof(int) : sizeof(double)));
}

/* The word that is written for a value: the first one in the table. */
static const char *written_word(const struct word *words, int value)
{
    while (words->value != value)
        words++;
    return words->name;
}

/* "SGD, Adam or AdamW": the written word of each value. */
static struct description describe_words(const struct word *words)
{
    struct description t = {0};
    size_t used = 0;
    for (const struct word *w = words; w->name && used < sizeof t.s - 1; w++)
        if (written_word(words, w->value) == w->name)
            used += (size_t)snprintf(t.s + used, sizeof t.s - used, "%s%s", used ? ", " : "", w->name);
    char *comma = strrchr(t.s, ',');
    if (comma && used + 2 < sizeof t.s) {               /* ", " becomes " or " */
        memmove(comma + 4, comma + 2, strlen(comma + 2) + 1);
        memcpy(comma, " or ", 4);
    }
    return t;
}

static struct description describe_allowed(const struct key *key)
{
    struct description t = {0}, range = {0};
    const char *noun = is_integer(key) ? "whole number" : "number", *plural = array_length(key) == 1 ? "" : "s";
    if (has_range(key))
        snprintf(range.s, sizeof range.s, " from %.10g to %.10g", key->min, key->max);
    switch (key->type) {
    case KEY_BOOL:
        return (struct description){ "true or false" };
    case KEY_WORD:
        return describe_words(key->words);
    case KEY_INT: case KEY_REAL:
        snprintf(t.s, sizeof t.s, "a %s%.100s", noun, range.s);
        return t;
    case KEY_INT_ARRAY: case KEY_REAL_ARRAY:
        snprintf(t.s, sizeof t.s, "a list of %d %s%s%.100s", array_length(key), noun, plural, range.s);
        return t;
    case KEY_INT_LIST:
        snprintf(t.s, sizeof t.s, "a list of whole numbers%.100s", range.s);
        return t;
    case KEY_STRING:
        return key->min > 0 ? (struct description){ "a non-empty string" } : (struct description){ "a string" };
    case KEY_STRING_LIST:
        return (struct description){ "a list of strings" };
    case KEY_STRING_ROWS:
        return (struct description){ "a list of lists of strings" };
    case KEY_SECTION: case KEY_SECTIONS: case KEY_IGNORED:
        return (struct description){ "a section" };
    }
    return t;
}

/* Advice at the end of the message about a value that a key does not allow. */
static const struct hint { const char *name, *text; } hints[] = {
    { "pipeline.normalize", ": means and standard deviations of blue, green and red; for grey images repeat each three "
                            "times, as in [[127, 127, 127], [64, 64, 64]]" },
    {0} };

static bool refuse_value(const struct key *key, const char *path, const struct entry *e, struct error *err)
{
    const struct place_text at = format_place(e->place, path);
    const struct description values = describe_allowed(key);
    const struct hint *hint = find_row(key->name, hints, sizeof *hints);
    const char *more = hint ? hint->text : "";
    if (e->kind == SCALAR)
        return misuse(err, "%s must be %s, not '%.60s'%s", at.s, values.s, e->text, more);
    return misuse(err, "%s must be %s, not a %s of %d %s%s%s", at.s, values.s, e->kind == LIST ? "list" : "section",
                  e->count, e->kind == LIST ? "item" : "key", e->count == 1 ? "" : "s", more);
}

/* ---- from an entry to a member ---- */

/* Writes all numbers of e, of nested lists too, to v[room].  Returns how many; -1 if an item is not a number in range
 * or if there are more than room. */
static int read_numbers(const struct key *key, const struct entry *e, double *v, int room)
{
    int count = 0;
    if (e->kind == SECTION)
        return -1;
    if (e->kind == LIST) {
        for (const struct entry *child = e->child; child && count >= 0; child = child->next) {
            const int n = read_numbers(key, child, v + count, room - count);
            count = n < 0 ? -1 : count + n;
        }
        return count;
    }
    char *end;
    if (room < 1 || !*e->text || isspace((unsigned char)*e->text))
        return -1;
    *v = strtod(e->text, &end);
    if (*end || !(*v >= lowest(key) && *v <= highest(key)))
        return -1;
    return is_integer(key) && *v != (int)*v ? -1 : 1;           /* the range is within that of int */
}

/* Rewrites every number of e with the fewest digits, 15 to 17, that read back as the same value, so that config.yml
 * does not depend on the spelling.  Mantissas get a point before an exponent: YAML 1.1 reads 1e-05 as a string. */
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
    const int length = (int)strcspn(digits, "e");               /* of the mantissa */
    const bool add_point = digits[length] && !strchr(digits, '.');
    snprintf(text, sizeof text, "%.*s%s%s", length, digits, add_point ? ".0" : "", digits + length);
    return entry_set(e, text, err);
}

static bool set_numbers(void *to, const struct key *key, const char *path, struct entry *e, struct error *err)
{
    enum { NUMBERS_MAX = INTS_MAX };                            /* of arrays too */
    double v[NUMBERS_MAX];
    const bool single = key->type == KEY_INT || key->type == KEY_REAL;
    const int count = single && e->kind != SCALAR ? -1 : read_numbers(key, e, v, NUMBERS_MAX);
    if (count < 0 || (key->type != KEY_INT_LIST && count != (single ? 1 : array_length(key))))
        return refuse_value(key, path, e, err);
    if (!rewrite_numbers(e, err))
        return false;
    if (!is_integer(key)) {
        memcpy(to, v, key->size);
        return true;
    }
    struct ints list = { .count = count };
    for (int i = 0; i < count; i++)
        list.at[i] = (int)v[i];
    if (key->type == KEY_INT_LIST)
        memcpy(to, &list, sizeof list);
    else
        memcpy(to, list.at, key->size);
    return true;
}

static bool set_word(void *to, const struct key *key, const char *path, struct entry *e, struct error *err)
{
    const struct word *words = key->type == KEY_BOOL ? booleans : key->words;
    const struct word *word = e->kind == SCALAR ? find_row(e->text, words, sizeof *words) : NULL;
    if (!word)
        return refuse_value(key, path, e, err);
    const bool truth = word->value;
    const unsigned value = (unsigned)word->value;               /* an enum with only positive values is unsigned */
    if (!entry_set(e, written_word(words, word->value), err))
        return false;
    memcpy(to, key->type == KEY_BOOL ? (const void *)&truth : &value, key->size);
    return true;
}

static bool set_string(void *to, const struct key *key, const char *path, struct entry *e, struct error *err)
{
    const char *text = entry_is_null(e) ? "" : e->text;
    if (e->kind != SCALAR || (key->min > 0 && !*text))
        return refuse_value(key, path, e, err);
    memcpy(to, &text, sizeof text);
    return true;
}

/* An array that belongs to the entry, since members borrow it; made once, as the entry's items do not change. */
static void *entry_array(struct entry *e, size_t item_size, struct error *err)
{
    if (!e->array)
        e->array = new_array((size_t)e->count, item_size, err);
    return e->array;
}

static bool is_list_of_strings(const struct entry *e)
{
    for (const struct entry *child = e->child; child; child = child->next)
        if (child->kind != SCALAR || entry_is_null(child))
            return false;
    return e->kind == LIST;
}

static bool borrow_strings(struct strings *out, struct entry *e, struct error *err)
{
    const char **strings = entry_array(e, sizeof *strings, err);
    int i = 0;
    for (const struct entry *child = e->child; strings && child; child = child->next)
        strings[i++] = child->text;
    *out = (struct strings){ e->count, strings };
    return strings != NULL;
}

static bool set_string_list(void *to, const struct key *key, const char *path, struct entry *e, struct error *err)
{
    struct strings list;
    if (!is_list_of_strings(e))
        return refuse_value(key, path, e, err);
    if (!borrow_strings(&list, e, err))
        return false;
    memcpy(to, &list, sizeof list);
    return true;
}

static bool set_string_rows(void *to, const struct key *key, const char *path, struct entry *e, struct error *err)
{
    if (e->kind != LIST)
        return refuse_value(key, path, e, err);
    struct strings *rows = entry_array(e, sizeof *rows, err);   /* zeroed: other items remain empty rows */
    if (!rows)
        return false;
    int i = 0;
    for (struct entry *child = e->child; child; child = child->next, i++)
        if (is_list_of_strings(child) && !borrow_strings(&rows[i], child, err))
            return false;
    const struct string_rows all = { e->count, rows };
    memcpy(to, &all, sizeof all);
    return true;
}

bool key_set(void *to, const struct key *key, const char *path, struct entry *e, struct error *err)
{
    static bool (*const setters[])(void *, const struct key *, const char *, struct entry *, struct error *) = {
        [KEY_BOOL] = set_word, [KEY_WORD] = set_word, [KEY_STRING] = set_string, [KEY_STRING_LIST] = set_string_list,
        [KEY_STRING_ROWS] = set_string_rows, [KEY_INT] = set_numbers, [KEY_REAL] = set_numbers,
        [KEY_INT_LIST] = set_numbers, [KEY_INT_ARRAY] = set_numbers, [KEY_REAL_ARRAY] = set_numbers };
    return key->type == KEY_SECTIONS || setters[key->type]((char *)to + key->offset, key, path, e, err);
}

void write_keys_manual(const char *section, const struct key *keys, struct strbuf *out)
{
    enum { HELP_COLUMN = 44 };
    const char *dot = *section ? "." : "";
    for (const struct key *key = keys; key->name; key++) {
        if (key->type == KEY_SECTION)
            continue;
        const int width = HELP_COLUMN - (int)(strlen(section) + strlen(dot));
        strbuf_addf(out, "%s%s%-*s %s\n", section, dot, width > 0 ? width : 0, key->name, key->help);
        if (key->type == KEY_IGNORED)
            continue;
        const struct description values = describe_allowed(key);
        strbuf_addf(out, "%*s %s", HELP_COLUMN, "", values.s);
        if (!key->preset)
            strbuf_addf(out, "; must be given\n");
        else if (*key->preset == '=')
            strbuf_addf(out, "; preset: the value of %s\n", key->preset + 1);
        else if (*key->preset == '#')
            strbuf_addf(out, "; preset: the number of %s\n", key->preset + 1);
        else
            strbuf_addf(out, "%s%s\n", *key->preset ? "; preset: " : "; preset: none", key->preset);
    }
}
