#include "base/strbuf.h"

#include "base/memory.h"
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void strbuf_add(struct strbuf *b, const void *bytes, size_t size)
{
    size_t required;
    if (b->failed)
        return;
    if (!checked_add(b->size, size, &required) || !checked_add(required, 1, &required)) {
        b->failed = true;
        return;
    }
    if (required > b->capacity) {
        const size_t capacity = required > SIZE_MAX / 2 ? required : 2 * required;
        char *s = realloc(b->s, capacity);
        if (!s) {
            b->failed = true;
            return;
        }
        b->s = s;
        b->capacity = capacity;
    }
    if (size)
        memcpy(b->s + b->size, bytes, size);
    b->size += size;
    b->s[b->size] = 0;
}

void strbuf_addf(struct strbuf *b, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    strbuf_addv(b, format, args);
    va_end(args);
}

void strbuf_addv(struct strbuf *b, const char *format, va_list args)
{
    char small[256];
    va_list copy;
    va_copy(copy, args);
    const int n = vsnprintf(small, sizeof small, format, args);
    if (n < 0)
        b->failed = true;
    else if ((size_t)n < sizeof small)
        strbuf_add(b, small, (size_t)n);
    else {
        char *large = malloc((size_t)n + 1);
        if (large) {
            vsnprintf(large, (size_t)n + 1, format, copy);
            strbuf_add(b, large, (size_t)n);
        } else
            b->failed = true;
        free(large);
    }
    va_end(copy);
}

bool strbuf_check(const struct strbuf *b, struct error *err)
{
    return !b->failed || fail(err, "out of memory for a text of more than %zu bytes", b->size);
}

char *strbuf_take(struct strbuf *b, struct error *err)
{
    if (!strbuf_check(b, err))
        strbuf_free(b);
    return b->s;
}

void strbuf_free(struct strbuf *b)
{
    free(b->s);
    *b = (struct strbuf){0};
}

bool starts_with(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

bool ends_with(const char *text, const char *suffix)
{
    const size_t length = strlen(text), suffix_length = strlen(suffix);
    return length >= suffix_length && strcmp(text + length - suffix_length, suffix) == 0;
}
