#include "data/json_walk.h"

#include <string.h>

static bool broken(const struct json_walk *w, struct error *err)
{
    return fail(err, "%s:%d: not valid JSON", w->path, w->line);
}

static void skip_blank(struct json_walk *w)
{
    for (; w->p < w->end && (*w->p == ' ' || *w->p == '\n' || *w->p == '\r' || *w->p == '\t'); w->p++)
        w->line += *w->p == '\n';
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

/* Where the value that begins at p ends, told by brackets and quotes alone; NULL if it does not. */
static const char *value_end(const char *p, const char *end)
{
    int depth = 0;
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
        if (depth < 0)
            return NULL;
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
    static const char mark[] = "\xef\xbb\xbf";          /* that some editors put before UTF-8 */
    const char *p = (const char *)text.p;
    const size_t skip = text.size >= 3 && memcmp(p, mark, 3) == 0 ? 3 : 0;
    if (text.size == 0)
        return fail(err, "%s: is empty", path);
    *w = (struct json_walk){ .p = p + skip, .end = p + text.size, .path = path, .line = 1 };
    return begin(w, open, err);
}

bool json_walk_into(const struct json_walk *w, struct json_walk *inner, char open, struct error *err)
{
    *inner = (struct json_walk){ .p = w->value, .end = w->value + w->size, .path = w->path, .line = w->line };
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
        *ok = broken(w, err);
    return false;
}

bool json_walk_next(struct json_walk *w, char *key, size_t size, bool *ok, struct error *err)
{
    for (size_t i = 0; i < w->size; i++)                /* lines within the value before */
        w->line += w->value[i] == '\n';
    w->size = 0;
    if (take(w, w->close))
        return at_end(w, ok, err);
    const char *stop = NULL;
    if ((!w->begun || take(w, ',')) && (!key || read_key(w, key, size))) {
        skip_blank(w);
        stop = value_end(w->p, w->end);
    }
    if (!stop) {
        *ok = broken(w, err);
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
    const char *end = w->value;
    cJSON *json = cJSON_ParseWithLengthOpts(w->value, w->size, &end, false);
    while (json && end < w->value + w->size && (unsigned char)*end <= ' ')
        end++;
    if (json && end == w->value + w->size)
        return json;
    cJSON_Delete(json);
    broken(w, err);
    return NULL;
}
