#include "base/json.h"

#include "base/escape.h"
#include "base/strbuf.h"
#include "base/text_file.h"
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

cJSON *json_value(const char *text, size_t size, const char **end)
{
    errno = 0;                                          /* only a failed allocation sets it */
    cJSON *json = cJSON_ParseWithLengthOpts(text, size, end, false);
    if (!json && errno == ENOMEM)
        *end = NULL;
    return json;
}

cJSON *json_parse(const char *text, size_t size, const char *path, struct error *err)
{
    const char *end = text;
    cJSON *json = json_value(text, size, &end);
    if (!json && !end)
        fail(err, "%s: out of memory", path);
    else if (!json) {
        int line = 1;
        for (const char *p = text; p < end && p < text + size; p++)
            line += *p == '\n';
        fail(err, "%s:%d: not valid JSON", path, line);
    }
    return json;
}

bool json_real(const cJSON *t, double *out)
{
    if (!cJSON_IsNumber(t) || !isfinite(t->valuedouble))
        return false;
    *out = t->valuedouble;
    return true;
}

bool json_int64(const cJSON *t, int64_t *out)
{
    double v;
    if (!json_real(t, &v) || v != floor(v) || !(fabs(v) <= 0x1p53))     /* doubles are exact up to 2^53 */
        return false;
    *out = (int64_t)v;
    return true;
}

bool json_size(const cJSON *t, size_t *out)
{
    int64_t v;
    if (!json_int64(t, &v) || v < 0)
        return false;
    *out = (size_t)v;
    return true;
}

bool json_int(const cJSON *t, int *out)
{
    int64_t v;
    if (!json_int64(t, &v) || v < INT_MIN || v > INT_MAX)
        return false;
    *out = (int)v;
    return true;
}

cJSON *json_add(cJSON *to, const char *name, cJSON *item)
{
    if (item && (name ? cJSON_AddItemToObject(to, name, item) : cJSON_AddItemToArray(to, item)))
        return item;
    cJSON_Delete(item);
    return NULL;
}

/* Adds the content of a JSON string, size bytes without the quotes. */
static void add_content(struct strbuf *t, const char *s, size_t size)
{
    struct strbuf utf8 = {0};
    unsigned code;
    strbuf_add_utf8(&utf8, s, size);
    t->failed = t->failed || utf8.failed;
    for (size_t i = 0, n; i < utf8.size && !t->failed; i += n) {
        n = utf8_decode(utf8.s + i, &code);
        if (!is_control(code))
            strbuf_add(t, utf8.s + i, n);
        else
            strbuf_addf(t, "\\u%04x", code);
    }
    strbuf_free(&utf8);
}

char *json_print(const cJSON *json)
{
    struct strbuf t = {0};
    char *printed = cJSON_PrintUnformatted(json);
    for (const char *s = printed, *end; s && *s; s = end) {
        end = s + strcspn(s, "\"");
        strbuf_add(&t, s, (size_t)(end - s));
        if (!*end)
            break;
        for (s = end++; *end != '"'; end++)
            end += *end == '\\';
        strbuf_add(&t, "\"", 1);
        add_content(&t, s + 1, (size_t)(end++ - s - 1));
        strbuf_add(&t, "\"", 1);
    }
    cJSON_free(printed);
    if (!strbuf_check(&t, NULL))
        strbuf_free(&t);
    return t.s;
}

void json_add_string(struct strbuf *t, const char *s)
{
    cJSON *string = cJSON_CreateStringReference(s);
    char *printed = json_print(string);
    if (printed)
        strbuf_add(t, printed, strlen(printed));
    else
        t->failed = true;
    free(printed);
    cJSON_Delete(string);
}

void json_add_number(struct strbuf *t, double v, int digits)
{
    if (isfinite(v))
        strbuf_addf(t, "%.*g", digits, v);
    else
        strbuf_addf(t, "null");
}
