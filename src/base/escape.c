#include "base/escape.h"

#include "base/strbuf.h"
#include <stdarg.h>
#include <string.h>

size_t utf8_decode(const char *text, unsigned *code)
{
    /* By length, 1 to 4 bytes: the mask and value of the first byte, and the smallest code of that length. */
    static const struct { unsigned char mask, value; unsigned min; } forms[] = {
        { 0x80, 0x00, 0 }, { 0xe0, 0xc0, 0x80 }, { 0xf0, 0xe0, 0x800 }, { 0xf8, 0xf0, 0x10000 } };
    const unsigned char *s = (const unsigned char *)text;
    for (size_t length = 1; length <= 4; length++) {
        if ((s[0] & forms[length - 1].mask) != forms[length - 1].value)
            continue;
        *code = s[0] & (unsigned char)~forms[length - 1].mask;
        for (size_t i = 1; i < length; i++) {
            if ((s[i] & 0xc0) != 0x80)          /* the 0 at the end of the text fails here: no byte behind it is read */
                return 0;
            *code = *code << 6 | (s[i] & 0x3fu);
        }
        const bool surrogate = *code >= 0xd800 && *code <= 0xdfff;
        return *code >= forms[length - 1].min && *code <= 0x10ffff && !surrogate ? length : 0;
    }
    return 0;
}

bool is_control(unsigned code)
{
    static const unsigned controls[][2] = {
        { 0, 0x1f },                            /* C0 */
        { 0x7f, 0x9f },                         /* DEL and C1 */
        { 0x2028, 0x202e },                     /* line and paragraph separators, embeddings, overrides */
        { 0x2066, 0x2069 } };                   /* isolates */
    for (size_t i = 0; i < sizeof controls / sizeof *controls; i++)
        if (code >= controls[i][0] && code <= controls[i][1])
            return true;
    return false;
}

enum { ESCAPED_MAX = 8 };                       /* bytes; the longest is \u2069, since all controls are below 0x10000 */

/* Copies the first character of *text to out, escaped if necessary, and advances *text past it.  Returns the number of
 * bytes in out, which gets no 0 at its end. */
static size_t escape_next(const char **text, char out[ESCAPED_MAX])
{
    const char *s = *text;
    unsigned code;
    const size_t length = utf8_decode(s, &code);
    *text += length ? length : 1;
    if (length == 0)
        return (size_t)snprintf(out, ESCAPED_MAX, "\\x%02x", (unsigned char)*s);
    if (code == '\n' || code == '\t')
        return (size_t)snprintf(out, ESCAPED_MAX, code == '\n' ? "\\n" : "\\t");
    if (is_control(code))
        return (size_t)snprintf(out, ESCAPED_MAX, code < 0x80 ? "\\x%02x" : "\\u%04x", code);
    memcpy(out, s, length);
    return length;
}

void escape_text(char *out, size_t size, const char *text)
{
    char escaped[ESCAPED_MAX];
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

void print_escaped(FILE *out, const char *text)
{
    char escaped[ESCAPED_MAX];
    while (*text) {
        const size_t n = escape_next(&text, escaped);
        fwrite(escaped, 1, n, out);
    }
}

void strbuf_add_escaped(struct strbuf *out, const char *text)
{
    char escaped[ESCAPED_MAX];
    while (*text) {
        const size_t n = escape_next(&text, escaped);
        strbuf_add(out, escaped, n);
    }
}

enum { LINE_SIZE = 1 << 13 };

void print_line(FILE *out, const char *format, ...)
{
    char line[LINE_SIZE];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    print_escaped(out, line);
    fputc('\n', out);
}
