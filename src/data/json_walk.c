#include "data/json_walk.h"

#include "base/file.h"
#include "base/json.h"
#include <stdio.h>
#include <string.h>

static const char *skip_back(const char *p, const char *start)
{
    while (p > start && (p[-1] == ' ' || p[-1] == '\n' || p[-1] == '\t'))
        p--;
    return p;
}

/* Whether the text at p fails for a comma that has no value before it or behind it. */
static bool is_comma(const char *p, const char *start)
{
    const char *before = skip_back(p, start);
    if (*p == ',' || before == start || before[-1] != ',')
        return *p == ',';
    if (*p == ']' || *p == '}')
        return true;
    before = skip_back(before - 1, start);
    return before > start && (before[-1] == ',' || before[-1] == '[' || before[-1] == '{');
}

/* Why the text at p is no JSON. */
static bool broken(const struct json_walk *w, const char *p, int line, const char *line_start, struct error *err)
{
    static const char *const words[] = { "NaN", "Infinity", "-Infinity", "nan", "inf", "None", "True", "False" };
    const size_t left = (size_t)(w->text_end - p);
    char near[24];
    if (left == 0)
        return fail(err, "%s:%d: not valid JSON: the file ends within a value: it is truncated or lacks a bracket",
                    w->path, line);
    snprintf(near, sizeof near, "%.*s", left < 20 ? (int)left : 20, p);
    for (char *c = near; *c; c++)
        *c = *c >= ' ' && *c <= '~' ? *c : '?';
    const bool quote = *p == '\'' || (p > w->text && p[-1] == '\'');
    const char *what = is_comma(p, w->text) ? "a comma without a value"
                     : quote ? "single quotes, JSON has double quotes" : "unexpected text";
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strncmp(near, words[i], strlen(words[i])) == 0)
            what = "a word that JSON does not have";
    return fail(err, "%s:%d: byte %td: not valid JSON: %s at '%s'", w->path, line, p - line_start + 1, what, near);
}

/* Counts the lines of text that ends at p. */
static void count_lines(const char *from, const char *p, int *line, const char **line_start)
{
    while ((from = memchr(from, '\n', (size_t)(p - from)))) {
        *line_start = ++from;
        ++*line;
    }
}

static void skip_blank(struct json_walk *w)
{
    const char *from = w->p;
    while (w->p < w->end && (*w->p == ' ' || *w->p == '\n' || *w->p == '\t'))
        w->p++;
    count_lines(from, w->p, &w->line, &w->line_start);
}

static bool take(struct json_walk *w, char c)
{
    skip_blank(w);
    if (w->p == w->end || *w->p != c)
        return false;
    w->p++;
    return true;
}

/* p stands behind the opening quote; the result behind the closing one, or NULL. */
static const char *string_end(const char *p, const char *end)
{
    for (; p < end && *p != '"'; p++)
        if (*p == '\\' && ++p == end)
            return NULL;
    return p < end ? p + 1 : NULL;
}

/* Where the value that begins at p ends, told by brackets and quotes alone; NULL if it does not, *at then says where
 * that shows. */
static const char *value_end(const char *p, const char *end, const char **at)
{
    int depth = 0;
    *at = end;
    for (const char *start = p; p < end; ) {
        const char c = *p;
        if (depth == 0 && p > start && (c == ',' || c == ']' || c == '}'))
            return p;
        if (c == '"') {
            p = string_end(p + 1, end);
            if (!p)
                return NULL;
            continue;
        }
        depth += (c == '[' || c == '{') - (c == ']' || c == '}');
        if (depth < 0) {
            *at = p;
            return NULL;
        }
        p++;
    }
    return NULL;
}

static bool begin(struct json_walk *w, char open, struct error *err)
{
    skip_blank(w);
    if (!take(w, open))
        return fail(err, "%s:%d: must be %s", w->path, w->line, open == '{' ? "an object {...}" : "a list [...]");
    w->close = open == '{' ? '}' : ']';
    return true;
}

bool json_walk_begin(struct json_walk *w, struct bytes text, const char *path, char open, struct error *err)
{
    const char *p = (const char *)text.p;
    if (text.size == 0)
        return fail(err, "%s: is empty", path);
    *w = (struct json_walk){ .text = p, .text_end = p + text.size, .p = p, .end = p + text.size, .path = path,
                             .line = 1, .line_start = p };
    return begin(w, open, err);
}

bool json_walk_into(const struct json_walk *w, struct json_walk *inner, char open, struct error *err)
{
    *inner = *w;
    inner->p = w->value;
    inner->end = w->value + w->size;
    inner->size = 0;
    inner->begun = false;
    return begin(inner, open, err);
}

static bool read_key(struct json_walk *w, char *key, size_t size)
{
    const char *start = w->p + 1;
    if (!take(w, '"'))
        return false;
    start = w->p;
    w->p = string_end(start, w->end);
    if (!w->p) {
        w->p = w->end;
        return false;
    }
    const size_t n = (size_t)(w->p - start) - 1;
    memcpy(key, start, n < size ? n : size - 1);
    key[n < size ? n : size - 1] = 0;
    return take(w, ':');
}

/* Behind the closing bracket nothing may follow. */
static bool at_end(struct json_walk *w, bool *ok, struct error *err)
{
    skip_blank(w);
    if (w->p < w->end)
        *ok = broken(w, w->p, w->line, w->line_start, err);
    return false;
}

bool json_walk_next(struct json_walk *w, char *key, size_t size, bool *ok, struct error *err)
{
    if (w->size)
        count_lines(w->value, w->value + w->size, &w->line, &w->line_start);
    w->size = 0;
    if (take(w, w->close))
        return at_end(w, ok, err);
    const char *stop = NULL, *at = w->p;
    if ((!w->begun || take(w, ',')) && (!key || read_key(w, key, size))) {
        skip_blank(w);
        stop = value_end(w->p, w->end, &at);
    } else
        at = w->p;
    if (!stop) {
        *ok = broken(w, at, w->line, w->line_start, err);
        return false;
    }
    w->begun = true;
    w->value = w->p;
    w->size = (size_t)(stop - w->p);
    w->p = stop;
    return true;
}

cJSON *json_walk_parse(const struct json_walk *w, struct error *err)
{
    const char *end = w->value, *line_start = w->line_start;
    int line = w->line;
    cJSON *json = json_value(w->value, w->size, &end);
    if (!end) {
        fail(err, "%s: out of memory", w->path);
        return NULL;
    }
    while (json && end < w->value + w->size && (unsigned char)*end <= ' ')
        end++;
    if (json && end == w->value + w->size)
        return json;
    cJSON_Delete(json);
    count_lines(w->value, end, &line, &line_start);
    broken(w, end, line, line_start, err);
    return NULL;
}
