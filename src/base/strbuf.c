#include "base/strbuf.h"

#include "base/memory.h"
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void strbuf_bytes(struct strbuf *t, const void *p, size_t size)
{
    size_t required;
    if (t->failed)
        return;
    if (!add_size(t->size, size, &required) || !add_size(required, 1, &required)) {
        t->failed = true;
        return;
    }
    if (required > t->capacity) {
        const size_t capacity = required > SIZE_MAX / 2 ? required : 2 * required;
        char *s = realloc(t->s, capacity);
        if (!s) {
            t->failed = true;
            return;
        }
        t->s = s;
        t->capacity = capacity;
    }
    if (size)
        memcpy(t->s + t->size, p, size);
    t->size += size;
    t->s[t->size] = 0;
}

void strbuf_add(struct strbuf *t, const char *format, ...)
{
    char small[256];
    va_list args, copy;
    va_start(args, format);
    va_copy(copy, args);
    const int n = vsnprintf(small, sizeof small, format, args);
    va_end(args);
    if (n < 0)
        t->failed = true;
    else if ((size_t)n < sizeof small)
        strbuf_bytes(t, small, (size_t)n);
    else {
        char *large = malloc((size_t)n + 1);
        if (large) {
            vsnprintf(large, (size_t)n + 1, format, copy);
            strbuf_bytes(t, large, (size_t)n);
        } else
            t->failed = true;
        free(large);
    }
    va_end(copy);
}

bool strbuf_ok(const struct strbuf *t, struct error *err)
{
    return !t->failed || fail(err, "out of memory: a text of more than %zu bytes", t->size);
}

void strbuf_free(struct strbuf *t)
{
    free(t->s);
    *t = (struct strbuf){0};
}

bool starts_with(const char *text, const char *prefix) { return strncmp(text, prefix, strlen(prefix)) == 0; }

bool ends_with(const char *text, const char *suffix)
{
    const size_t n = strlen(text), m = strlen(suffix);
    return n >= m && strcmp(text + n - m, suffix) == 0;
}
