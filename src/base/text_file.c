#include "base/text_file.h"

#include "base/escape.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/strbuf.h"
#include "base/string_list.h"
#include <ctype.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Writes a code point as UTF-8; returns the bytes written, 1 to 4. */
static size_t put_utf8(unsigned char *to, uint32_t c)
{
    static const unsigned char first[] = { 0, 0, 0xc0, 0xe0, 0xf0 };
    const size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    for (size_t i = n - 1; i > 0; i--, c >>= 6)
        to[i] = (unsigned char)(0x80 | (c & 0x3f));
    to[0] = (unsigned char)(first[n - (n == 1)] | c);
    return n;
}

/* An unpaired surrogate becomes U+FFFD.  Two bytes become at most three. */
static bool decode_utf16(struct bytes *text, bool big, const char *name, struct error *err)
{
    const size_t units = text->size / 2;
    const unsigned char *p = text->p;
    size_t capacity;
    if (!checked_mul(units, 3, &capacity) || !checked_add(capacity, 1, &capacity))
        return fail(err, "%s: too large", name);
    unsigned char *out = malloc(capacity);
    size_t n = 0;
    if (!out)
        return fail(err, "%s: out of memory: %zu bytes", name, capacity);
    for (size_t i = 1; i < units; i++) {
        uint32_t c = (uint32_t)p[2 * i + !big] << 8 | p[2 * i + big];
        const uint32_t next = i + 1 < units ? (uint32_t)p[2 * i + 2 + !big] << 8 | p[2 * i + 2 + big] : 0;
        if ((c & 0xfc00) == 0xd800 && (next & 0xfc00) == 0xdc00) {
            c = 0x10000 + ((c & 0x3ff) << 10 | (next & 0x3ff));
            i++;
        } else if ((c & 0xf800) == 0xd800)
            c = 0xfffd;
        n += put_utf8(out + n, c);
    }
    out[n] = 0;
    free(text->p);
    *text = (struct bytes){ out, n };
    return true;
}

static void normalise_line_ends(struct bytes *text)
{
    unsigned char *p = text->p;
    size_t n = 0;
    if (!memchr(p, '\r', text->size))
        return;
    for (size_t i = 0; i < text->size; i++)
        if (p[i] != '\r')
            p[n++] = p[i];
        else if (p[i + 1] != '\n')                      /* a 0 byte follows the last one */
            p[n++] = '\n';
    p[n] = 0;
    text->size = n;
}

bool text_decode(struct bytes *text, const char *name, struct error *err)
{
    const unsigned char *p = text->p;
    const bool little = text->size >= 2 && p[0] == 0xff && p[1] == 0xfe;
    const bool big = text->size >= 2 && p[0] == 0xfe && p[1] == 0xff;
    if ((little || big) && !decode_utf16(text, big, name, err))
        return false;
    if (text->size >= 3 && memcmp(text->p, "\xef\xbb\xbf", 3) == 0) {
        text->size -= 3;
        memmove(text->p, text->p + 3, text->size + 1);
    }
    normalise_line_ends(text);
    return true;
}

static bool decode_or_free(struct bytes *text, const char *path, struct error *err)
{
    const bool ok = text_decode(text, path, err);
    if (!ok)
        bytes_free(text);
    return ok;
}

bool text_read(struct bytes *text, const char *path, struct error *err)
{
    return file_read(text, path, err) && decode_or_free(text, path, err);
}

bool text_read_max(struct bytes *text, const char *path, size_t max, struct error *err)
{
    return file_read_max(text, path, max, err) && decode_or_free(text, path, err);
}

char *text_trim(char *s)
{
    static const char blank[] = " \t\r\n";
    s += strspn(s, blank);
    for (size_t n = strlen(s); n > 0 && strchr(blank, s[n - 1]); n--)
        s[n - 1] = 0;
    return s;
}

bool text_lines(struct string_list *lines, const char *path, struct error *err)
{
    struct bytes text;
    char *rest;
    *lines = (struct string_list){0};
    bool ok = text_read(&text, path, err)
           && (!memchr(text.p, 0, text.size) || reject(err, "%s: is not a text file: it has a zero byte", path));
    for (char *line = ok ? strtok_r((char *)text.p, "\n", &rest) : NULL; ok && line; line = strtok_r(NULL, "\n", &rest))
        ok = !*(line = text_trim(line)) || string_list_add(lines, line, err);
    bytes_free(&text);
    if (!ok)
        string_list_free(lines);
    return ok;
}

bool text_is_utf8(const char *text)
{
    unsigned code;
    size_t n = 1;
    for (; *text && n; text += n)
        n = utf8_decode(text, &code);
    return n != 0;
}

unsigned code_point_of_1252(unsigned char c)
{
    static const uint16_t upper[32] = {                 /* of 0x80 .. 0x9f; five of them are not assigned */
        0x20ac, 0x81, 0x201a, 0x192, 0x201e, 0x2026, 0x2020, 0x2021, 0x2c6, 0x2030, 0x160, 0x2039, 0x152, 0x8d, 0x17d,
        0x8f, 0x90, 0x2018, 0x2019, 0x201c, 0x201d, 0x2022, 0x2013, 0x2014, 0x2dc, 0x2122, 0x161, 0x203a, 0x153, 0x9d,
        0x17e, 0x178 };
    return c >= 0x80 && c < 0xa0 ? upper[c - 0x80] : c;
}

char *text_from_1252(const char *text, struct error *err)
{
    unsigned char *out = new_array(strlen(text) + 1, 3, err);
    size_t n = 0;
    for (const unsigned char *s = (const unsigned char *)text; out && *s; s++)
        n += put_utf8(out + n, code_point_of_1252(*s));
    return (char *)out;
}

/* The length of the longest prefix that is valid UTF-8. */
static size_t utf8_prefix(const char *s, size_t size)
{
    unsigned code;
    size_t i = 0;
    for (size_t n = 1; i < size && n; i += n)
        n = utf8_decode(s + i, &code);
    return i;
}

void strbuf_add_utf8(struct strbuf *t, const char *s, size_t size)
{
    unsigned code;
    const bool encoded = utf8_prefix(s, size) < size;
    for (size_t n; size > 0; s += n, size -= n) {
        n = utf8_decode(s, &code);
        if (encoded && (n == 0 || *s == '%'))
            strbuf_addf(t, "%%%02X", (unsigned char)*s);
        else
            strbuf_add(t, s, n);
        n += n == 0;
    }
}

static int hex_digit(char c)
{
    return isdigit((unsigned char)c) ? c - '0' : isxdigit((unsigned char)c) ? (c | ' ') - 'a' + 10 : -1;
}

void percent_decode(char *s)
{
    char *to = s;
    for (; *s; s++) {
        const int high = *s == '%' ? hex_digit(s[1]) : -1, low = high >= 0 ? hex_digit(s[2]) : -1;
        const bool escape = low >= 0 && high + low > 0; /* %00 would end the text */
        *to++ = escape ? (char)(16 * high + low) : *s;
        s += escape ? 2 : 0;
    }
    *to = 0;
}

char *file_spelling(const char *name, int spelling, struct error *err)
{
    char *s = new_text(name, err);
    for (char *p = s; spelling > 0 && p && (p = strchr(p, '\\')); )
        *p = '/';
    if (s && spelling > 1)
        percent_decode(s);
    return s;
}
