#include "eval/scan.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static bool digit(char c) { return c >= '0' && c <= '9'; }

static void skip_space(struct scan *s)
{
    while (s->p < s->end && (*s->p == ' ' || *s->p == '\n' || *s->p == '\r' || *s->p == '\t'))
        s->p++;
}

bool scan_end(struct scan *s)
{
    skip_space(s);
    return s->p == s->end;
}

bool scan_char(struct scan *s, char c)
{
    skip_space(s);
    if (s->p == s->end || *s->p != c)
        return false;
    s->p++;
    return true;
}

bool scan_string(struct scan *s, struct scan *raw)
{
    if (!scan_char(s, '"'))
        return false;
    const char *from = s->p;
    for (; s->p < s->end && *s->p != '"'; s->p++)
        if (*s->p == '\\' && ++s->p == s->end)
            return false;
    *raw = (struct scan){ from, s->p };
    return scan_char(s, '"');
}

/* A decimal number: mantissa x 10^exponent unless digits did not fit into the mantissa. */
struct decimal { uint64_t mantissa; int exponent; bool exact; };

static bool scan_digits(struct scan *s, struct decimal *d, int exponent_each)
{
    if (!digit(*s->p))
        return false;
    for (; digit(*s->p); s->p++) {
        d->exact = d->exact && d->mantissa < UINT64_MAX / 10 && d->exponent > -1000;
        if (d->exact) {
            d->mantissa = 10 * d->mantissa + (uint64_t)(*s->p - '0');
            d->exponent += exponent_each;
        }
    }
    return true;
}

static bool scan_exponent(struct scan *s, struct decimal *d)
{
    int e = 0;
    const bool negative = *++s->p == '-';
    s->p += negative || *s->p == '+';
    if (!digit(*s->p))
        return false;
    for (; digit(*s->p); s->p++)
        e = e < 10000 ? 10 * e + (*s->p - '0') : e;
    d->exponent += negative ? -e : e;
    return true;
}

/* Mantissa and power of ten are both exact in a double up to 2^53 and 10^22, so one multiplication or division
 * rounds correctly (Clinger 1990).  strtod does the rest; it stops where the grammar here does. */
bool scan_number(struct scan *s, double *out)
{
    static const double ten[] = { 1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                  1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22 };
    struct decimal d = { .exact = true };
    skip_space(s);
    const char *from = s->p;
    const bool negative = *s->p == '-';
    s->p += negative;
    if (*s->p == '0' && digit(s->p[1]))
        return false;
    if (!scan_digits(s, &d, 0))
        return false;
    if (*s->p == '.' && (s->p++, !scan_digits(s, &d, -1)))
        return false;
    if ((*s->p == 'e' || *s->p == 'E') && !scan_exponent(s, &d))
        return false;
    if (d.exact && d.mantissa <= UINT64_C(1) << 53 && abs(d.exponent) <= 22) {
        const double m = (double)d.mantissa, v = d.exponent < 0 ? m / ten[-d.exponent] : m * ten[d.exponent];
        *out = negative ? -v : v;
    } else
        *out = strtod(from, NULL);
    return isfinite(*out);
}

bool scan_numbers(struct scan *s, double *out, int count)
{
    for (int i = 0; i < count; i++)
        if (!scan_char(s, i == 0 ? '[' : ',') || !scan_number(s, &out[i]))
            return false;
    return scan_char(s, ']');
}

static bool scan_word(struct scan *s, const char *word)
{
    const size_t n = strlen(word);
    if ((size_t)(s->end - s->p) < n || memcmp(s->p, word, n) != 0)
        return false;
    s->p += n;
    return true;
}

static bool skip_value(struct scan *s, int depth)
{
    double number;
    struct scan raw;
    skip_space(s);
    const char open = *s->p, close = open == '{' ? '}' : ']';
    if (open == '"')
        return scan_string(s, &raw);
    if (open == '-' || digit(open))
        return scan_number(s, &number);
    if (open != '{' && open != '[')
        return scan_word(s, "true") || scan_word(s, "false") || scan_word(s, "null");
    s->p++;
    if (depth == 64)
        return false;
    if (scan_char(s, close))
        return true;
    do {
        if (open == '{' && !(scan_string(s, &raw) && scan_char(s, ':')))
            return false;
        if (!skip_value(s, depth + 1))
            return false;
    } while (scan_char(s, ','));
    return scan_char(s, close);
}

bool scan_skip(struct scan *s)
{
    return skip_value(s, 0);
}
