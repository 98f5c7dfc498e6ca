#include "base/printable.h"

#include "base/strbuf.h"
#include <stdarg.h>
#include <string.h>

size_t utf8_character(const char *text, unsigned *code)
{
    const unsigned char *s = (const unsigned char *)text;
    static const struct { unsigned char mask, lead; unsigned min; } forms[] = {
        { 0x80, 0x00, 0 }, { 0xe0, 0xc0, 0x80 }, { 0xf0, 0xe0, 0x800 }, { 0xf8, 0xf0, 0x10000 } };
    for (size_t n = 1; n <= 4; n++) {
        if ((s[0] & forms[n - 1].mask) != forms[n - 1].lead)
            continue;
        *code = s[0] & (unsigned char)~forms[n - 1].mask;
        for (size_t i = 1; i < n; i++) {
            if ((s[i] & 0xc0) != 0x80)                  /* also at the end of the text */
                return 0;
            *code = *code << 6 | (s[i] & 0x3fu);
        }
        return *code >= forms[n - 1].min && *code <= 0x10ffff && (*code < 0xd800 || *code > 0xdfff) ? n : 0;
    }
    return 0;
}

bool is_printable(unsigned code)
{
    static const unsigned controls[][2] = {             /* C0, C1 with DEL, breaks and embeddings, isolates */
        { 0, 0x1f }, { 0x7f, 0x9f }, { 0x2028, 0x202e }, { 0x2066, 0x2069 } };
    for (size_t i = 0; i < sizeof controls / sizeof *controls; i++)
        if (code >= controls[i][0] && code <= controls[i][1])
            return false;
    return true;
}

/* Escapes the first character of *text and moves *text behind it; returns the length of the result. */
static size_t escape_next(const char **text, char escaped[8])
{
    const unsigned char *s = (const unsigned char *)*text;
    unsigned code;
    const size_t n = utf8_character((const char *)s, &code);
    *text += n ? n : 1;
    if (n == 0)
        return (size_t)snprintf(escaped, 8, "\\x%02x", s[0]);
    if (code == '\n' || code == '\t')
        return (size_t)snprintf(escaped, 8, code == '\n' ? "\\n" : "\\t");
    if (!is_printable(code))
        return (size_t)snprintf(escaped, 8, code < 0x80 ? "\\x%02x" : "\\u%04x", code);
    memcpy(escaped, s, n);
    return n;
}

void printable(char *out, size_t size, const char *text)
{
    char escaped[8];
    size_t used = 0;
    while (*text) {
        const size_t n = escape_next(&text, escaped);
        if (used + n >= size)
            break;
        memcpy(out + used, escaped, n);
        used += n;
    }
    out[used] = 0;
}

void print_printable(FILE *out, const char *text)
{
    char escaped[8];
    while (*text) {
        const size_t n = escape_next(&text, escaped);
        fwrite(escaped, 1, n, out);
    }
}

void strbuf_printable(struct strbuf *out, const char *text)
{
    char escaped[8];
    while (*text) {
        const size_t n = escape_next(&text, escaped);
        strbuf_bytes(out, escaped, n);
    }
}

void print_line(FILE *out, const char *format, ...)
{
    char line[1 << 13];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    print_printable(out, line);
    fputc('\n', out);
}
