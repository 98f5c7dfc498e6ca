#include "base/json_cursor.h"

#include "base/json.h"
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DEPTH = 64 };

static bool is_digit(char c) { return c >= '0' && c <= '9'; }
static bool is_blank(char c) { return c == ' ' || c == '\n' || c == '\t' || c == '\r'; }

static bool stop(struct json_cursor *c)
{
    c->failed = true;
    return false;
}

struct json_cursor cursor_of(struct bytes text, const char *path)
{
    const char *p = (const char *)text.p;
    return (struct json_cursor){ .p = p, .end = p + text.size, .text = p, .path = path, .counted = p, .line_start = p,
                                 .line = 1 };
}

bool span_is(struct json_span span, const char *text)
{
    return strlen(text) == span.size && memcmp(text, span.p, span.size) == 0;
}

/* ---- places ---- */

static inline char skip_blank(struct json_cursor *c)
{
    const char *p = c->p;
    while (is_blank(*p))                                /* *end is 0 */
        p++;
    c->p = p;
    return *p;
}

char cursor_peek(struct json_cursor *c)
{
    return skip_blank(c);
}

static void count_lines(struct json_cursor *c)
{
    const char *newline;
    while (c->counted < c->p && (newline = memchr(c->counted, '\n', (size_t)(c->p - c->counted)))) {
        c->line_start = c->counted = newline + 1;
        c->line++;
    }
    c->counted = c->p;
}

int cursor_line(struct json_cursor *c)
{
    skip_blank(c);
    count_lines(c);
    return c->line;
}

bool cursor_end(struct json_cursor *c)
{
    skip_blank(c);
    return !c->failed && c->p == c->end;
}

/* ---- tokens ---- */

/* Passes the next token if it is that byte. */
static inline bool take(struct json_cursor *c, char token)
{
    if (c->failed || skip_blank(c) != token)
        return false;
    c->p++;
    return true;
}

bool cursor_enter(struct json_cursor *c, char bracket)
{
    c->first = true;
    return take(c, bracket) || stop(c);
}

bool cursor_next(struct json_cursor *c, struct json_span *key)
{
    const bool first = c->first;
    c->first = false;
    if (c->failed || take(c, key ? '}' : ']'))
        return false;
    return ((first || take(c, ',')) && (!key || (cursor_string(c, key) && take(c, ':')))) || stop(c);
}

/* The text ends within a value.  Its line remains the one that cursor_line counts. */
static bool stop_at_end(struct json_cursor *c)
{
    count_lines(c);
    c->counted = c->p = c->end;
    return stop(c);
}

/* p stands behind the opening quote; the result behind the closing one, or NULL. */
static const char *string_end(const char *p, const char *end)
{
    for (; p < end && *p != '"'; p++)
        if (*p == '\\' && ++p == end)
            return NULL;
    return p < end ? p + 1 : NULL;
}

bool cursor_string(struct json_cursor *c, struct json_span *raw)
{
    if (!take(c, '"'))
        return stop(c);
    const char *end = string_end(c->p, c->end);
    if (!end)
        return stop_at_end(c);
    *raw = (struct json_span){ c->p, (size_t)(end - c->p) - 1 };
    c->p = end;
    return true;
}

bool cursor_text(struct json_cursor *c, struct strbuf *out)
{
    struct json_span raw;
    out->size = 0;
    strbuf_add(out, "", 0);
    if (skip_blank(c) == 'n')
        return cursor_skip(c);
    if (!cursor_string(c, &raw))
        return false;
    if (!memchr(raw.p, '\\', raw.size)) {
        strbuf_add(out, raw.p, raw.size);
        return !out->failed || stop(c);
    }
    const char *end;
    cJSON *json = json_value(raw.p - 1, raw.size + 2, &end);
    if (json)
        strbuf_addf(out, "%s", json->valuestring);
    out->failed |= !end;
    cJSON_Delete(json);
    return (json && !out->failed) || stop(c);
}

/* ---- numbers ---- */

/* A decimal number: mantissa x 10^exponent, unless the digits do not fit into the mantissa. */
struct decimal { uint64_t mantissa; int exponent; bool exact; };

static bool read_digits(struct json_cursor *c, struct decimal *d, int exponent_step)
{
    const char *p = c->p;
    struct decimal sum = *d;
    for (; is_digit(*p); p++) {
        sum.exact = sum.exact && sum.mantissa < UINT64_MAX / 10 && sum.exponent > -1000;
        if (sum.exact) {
            sum.mantissa = 10 * sum.mantissa + (uint64_t)(*p - '0');
            sum.exponent += exponent_step;
        }
    }
    const bool any = p > c->p;
    *d = sum;
    c->p = p;
    return any || stop(c);
}

static bool read_exponent(struct json_cursor *c, struct decimal *d)
{
    int e = 0;
    const bool negative = *++c->p == '-';
    c->p += negative || *c->p == '+';
    if (!is_digit(*c->p))
        return stop(c);
    for (; is_digit(*c->p); c->p++)
        e = e < 10000 ? 10 * e + (*c->p - '0') : e;
    d->exponent += negative ? -e : e;
    return true;
}

/* Mantissa and power of ten are both exact in a double up to 2^53 and 10^22, so one multiplication or division rounds
 * correctly (Clinger 1990).  strtod converts other numbers; it stops where this grammar stops. */
bool cursor_number(struct json_cursor *c, double *out)
{
    static const double ten[] = { 1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                  1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22 };
    struct decimal d = { .exact = true };
    if (c->failed)
        return false;
    const bool negative = skip_blank(c) == '-';
    const char *from = c->p;
    c->p += negative;
    if (*c->p == '0' && is_digit(c->p[1]))
        return stop(c);
    if (!read_digits(c, &d, 0))
        return false;
    if (*c->p == '.' && (c->p++, !read_digits(c, &d, -1)))
        return false;
    if ((*c->p == 'e' || *c->p == 'E') && !read_exponent(c, &d))
        return false;
    if (d.exact && d.mantissa <= UINT64_C(1) << 53 && abs(d.exponent) <= 22) {
        const double m = (double)d.mantissa, v = d.exponent < 0 ? m / ten[-d.exponent] : m * ten[d.exponent];
        *out = negative ? -v : v;
    } else
        *out = strtod(from, NULL);
    return isfinite(*out) || stop(c);
}

bool cursor_numbers(struct json_cursor *c, double *out, int count)
{
    for (int i = 0; i < count; i++)
        if (!take(c, i == 0 ? '[' : ',') || !cursor_number(c, &out[i]))
            return stop(c);
    return take(c, ']') || stop(c);
}

/* ---- values ---- */

static bool take_word(struct json_cursor *c, const char *word)
{
    const size_t n = strlen(word);
    if ((size_t)(c->end - c->p) < n || memcmp(c->p, word, n) != 0)
        return false;
    c->p += n;
    return true;
}

static bool skip(struct json_cursor *c, int depth)
{
    struct json_span span;
    double number;
    if (c->failed)
        return false;
    const char token = skip_blank(c);
    if (token == '"')
        return cursor_string(c, &span);
    if (token == '-' || is_digit(token))
        return cursor_number(c, &number);
    if (token != '{' && token != '[')
        return take_word(c, "true") || take_word(c, "false") || take_word(c, "null") || stop(c);
    cursor_enter(c, token);
    if (depth == DEPTH)
        return stop(c);
    while (cursor_next(c, token == '{' ? &span : NULL))
        skip(c, depth + 1);
    return !c->failed;
}

bool cursor_skip(struct json_cursor *c)
{
    return skip(c, 0);
}

bool cursor_pass(struct json_cursor *c)
{
    int depth = 0;
    if (c->failed)
        return false;
    skip_blank(c);
    for (const char *p = c->p; p && p < c->end; ) {
        switch (*p) {
        case '"':
            p = string_end(p + 1, c->end);
            continue;
        case '[':
        case '{':
            depth++;
            break;
        case ']':
        case '}':
            if (depth-- == 0) {
                const bool any = p > c->p;
                c->p = p;
                return any || stop(c);
            }
            break;
        case ',':
            if (depth == 0 && p > c->p) {
                c->p = p;
                return true;
            }
            break;
        }
        p++;
    }
    return stop_at_end(c);
}

cJSON *cursor_parse(struct json_cursor *c, struct error *err)
{
    struct json_cursor at = *c;
    skip_blank(&at);
    if (!cursor_pass(c)) {
        cursor_error(c, err);
        return NULL;
    }
    cJSON *json = json_value(at.p, (size_t)(c->p - at.p), &at.p);
    if (!at.p) {
        fail(err, "%s: out of memory", c->path);
        return NULL;
    }
    while (json && at.p < c->p && is_blank(*at.p))
        at.p++;
    if (json && at.p == c->p)
        return json;
    cJSON_Delete(json);
    cursor_error(&at, err);
    return NULL;
}

/* ---- errors ---- */

static const char *skip_back(const char *p, const char *start)
{
    while (p > start && is_blank(p[-1]))
        p--;
    return p;
}

/* True if a comma without a value before or behind it is what is wrong at p. */
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

bool cursor_error(struct json_cursor *c, struct error *err)
{
    static const char *const words[] = { "NaN", "Infinity", "-Infinity", "nan", "inf", "None", "True", "False" };
    const char *const p = c->p;
    const size_t left = (size_t)(c->end - p);
    char near[24];
    count_lines(c);
    if (left == 0)
        return fail(err, "%s:%d: not valid JSON: the file ends within a value: it is truncated or lacks a bracket",
                    c->path, c->line);
    snprintf(near, sizeof near, "%.*s", left < 20 ? (int)left : 20, p);
    for (char *s = near; *s; s++)
        *s = *s >= ' ' && *s <= '~' ? *s : '?';
    const bool quote = *p == '\'' || (p > c->text && p[-1] == '\'');
    const char *cause = is_comma(p, c->text) ? "a comma without a value"
                      : quote ? "single quotes, JSON has double quotes" : "unexpected text";
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strncmp(near, words[i], strlen(words[i])) == 0)
            cause = "a word that JSON does not have";
    return fail(err, "%s:%d: byte %td: not valid JSON: %s at '%s'", c->path, c->line, p - c->line_start + 1, cause,
                near);
}
