#include "report/glyphs.h"

#include "base/escape.h"
#include <math.h>
#include <stdbool.h>
#include <string.h>

/* A glyph is its width, the shapes of its left and right side (s straight, r round, o open), and its strokes.  A point
 * is x as a digit of base 16 and y as a letter: a is the descender (-4), e the baseline (0), m the height of x (8), q
 * the height of X (12).  An upper-case y marks a control point of quadratic curves, with TrueType's rule: the middle
 * of two consecutive control points lies on the curve. */
enum { AE = 1, ETH, TIMES, O_SLASH, THORN, SHARP_S, SMALL_AE, SMALL_ETH, DIVISION, SMALL_O_SLASH, SMALL_THORN,
       DOTLESS_I, UNKNOWN };
static const char *const glyphs[128] = {
    [' '] = "3ss", ['!'] = "0ss0q0i 0e0f", ['"'] = "3ss0q0n 3q3n", ['#'] = "9rr2e4q 6e8q 0i9i 0m9m",
    ['$'] = "8rr8o7Q4q0Q0n0L8J8h8E4e1E0g 4s4c", ['%'] = "crr2q4Q4L0L0Q2q ajcJcE8E8Jaj aq2e",
    ['&'] = "9rr9e2m1N1o1Q4q6Q6o6M3k0J0h0E4e8E9j", ['\''] = "0ss0q0n", ['('] = "3rr3r0O0j0E3b",
    [')'] = "3rr0r3O3j3E0b", ['*'] = "6rr3q3k 0p6l 6p0l", ['+'] = "8rr4f4n 0j8j", [','] = "1so1e0b",
    ['-'] = "5oo0j5j", ['.'] = "0ss0e0f", ['/'] = "6oo0c6r", ['0'] = "8rr0k0Q4q8Q8k8E4e0E0k", ['1'] = "3rs0o3q3e",
    ['2'] = "8rr0n0Q4q8Q8n8L6j0e8e", ['3'] = "8rr1o2Q4q7Q7n7K4k3k 4k8K8h8E4e1E0g", ['4'] = "8rr6e6q0h8h",
    ['5'] = "8rr7q1q1l 1l2M4m8M8i8E4e1E0g", ['6'] = "8rr7o6Q4q0Q0i0E4e8E8i8M4m0M0i", ['7'] = "8rr0q8q3e",
    ['8'] = "8rr4k1K1n1Q4q7Q7n7K4k0K0h0E4e8E8h8K4k", ['9'] = "8rr1g2E4e8E8m8Q4q0Q0m0I4i8I8m", [':'] = "0ss0e0f 0l0m",
    [';'] = "1so1e0b 1l1m", ['<'] = "8rr8n0j8f", ['='] = "8rr0h8h 0l8l", ['>'] = "8rr0n8j0f",
    ['?'] = "7oo0n0Q3q7Q7n7L5k4J4h 4e4f", ['@'] = "drr9j9M6m3M3j3G6g9G9j 9m9i9GbgdGdkdQ6q0Q0j0C6c9Cad",
    ['A'] = "aoo0e5qae 2i8i", ['B'] = "9sr0k5k8K8n8Q5q0q0e5e9E9h9K5k", ['C'] = "aro9o8Q5q0Q0k0E5e8E9g",
    ['D'] = "asr0e0q4qaQakaE4e0e", ['E'] = "7so7q0q0e7e 0k6k", ['F'] = "7so7q0q0e 0k6k",
    ['G'] = "arsao8Q5q0Q0k0E5eaEaj6j", ['H'] = "9ss0e0q 9e9q 0k9k", ['I'] = "0ss0e0q", ['J'] = "6os6q6h6E3e0E0h",
    ['K'] = "9so0e0q 8q0i 3l9e", ['L'] = "7so0q0e7e", ['M'] = "css0e0q6gcqce", ['N'] = "9ss0e0q9e9q",
    ['O'] = "arr0k0Q5qaQakaE5e0E0k", ['P'] = "9sr0e0q5q9Q9n9J5j0j", ['Q'] = "arr0k0Q5qaQakaE5e0E0k 6had",
    ['R'] = "9sr0e0q5q8Q8n8K5k0k 5k9e", ['S'] = "8rr8o7Q4q0Q0n0L8J8h8E4e1E0g", ['T'] = "aoo0qaq 5q5e",
    ['U'] = "9ss0q0i0E9E9i9q", ['V'] = "aoo0q5eaq", ['W'] = "eoo0q3e7qbeeq", ['X'] = "9oo0e9q 0q9e",
    ['Y'] = "aoo0q5kaq 5k5e", ['Z'] = "8oo0q8q0e8e", ['['] = "3so3r0r0b3b", ['\\'] = "6oo0r6c", [']'] = "3os0r3r3b0b",
    ['^'] = "6oo0m3q6m", ['_'] = "8oo0c8c", ['`'] = "2oo0q2o", ['a'] = "7rs1l2M4m7M7j7e 7j3j0J0E3e6E7h",
    ['b'] = "8sr0q0e 0i0M4m8M8i8E4e0E0i", ['c'] = "7ro7k6M4m0M0i0E4e6E7g", ['d'] = "8rs8q8e 8i8M4m0M0i0E4e8E8i",
    ['e'] = "8rr0i8i8M4m0M0i0E4e7E8g", ['f'] = "5oo5q2Q2n2e 0m5m", ['g'] = "8rs8i8M4m0M0i0E4e8E8i 8m8d8A4a2A0b",
    ['h'] = "7ss0e0q 0i0M4m7M7j7e", ['i'] = "0ss0e0m 0p0q", ['j'] = "2os2m2c2A0a 2p2q", ['k'] = "7so0e0q 6m0g 2i7e",
    ['l'] = "2so0q0g0E2e", ['m'] = "css0e0m 0i0M3m6M6j6e 6i6M9mcMcjce", ['n'] = "7ss0e0m 0i0M4m7M7j7e",
    ['o'] = "8rr0i0M4m8M8i8E4e0E0i", ['p'] = "8sr0a0m 0i0M4m8M8i8E4e0E0i", ['q'] = "8rs8a8m 8i8M4m0M0i0E4e8E8i",
    ['r'] = "4so0e0m 0i0M4m", ['s'] = "7rr7l6M4m0M0k0J7H7g7E3e1E0f", ['t'] = "5oo2p2h2E5e 0m5m",
    ['u'] = "7ss7m7e 7i7E3e0E0h0m", ['v'] = "8oo0m4e8m", ['w'] = "coo0m3e6m9ecm", ['x'] = "7oo0e7m 0m7e",
    ['y'] = "8oo0m4e 8m2a", ['z'] = "7oo0m7m0e7e", ['{'] = "4oo4r2R2p2l2J0j2J2h2d2B4b", ['|'] = "0ss0s0b",
    ['}'] = "4oo0r2R2p2l2J4j2J2h2d2B0b", ['~'] = "8oo0i1M7G8k",
    [AE] = "coo0e6qcq 6q6ece 2i6i 6kbk", [ETH] = "bsr1e1q5qbQbkbE5e1e 0k5k", [TIMES] = "6oo0g6m 0m6g",
    [O_SLASH] = "arr0k0Q5qaQakaE5e0E0k 1d9r", [THORN] = "8sr0e0q 0n4n8N8k8H4h0h",
    [SHARP_S] = "8sr0e0n0Q4q7Q7o7L4l8L8h8E5e3e", [SMALL_AE] = "crr1l1M3m6M6i6E3e0E0g0I3i6i 6icicM9m6M6i6E9ebEcg",
    [SMALL_ETH] = "8rr8i8M4m0M0i0E4e8E8i8P2q 3n7q", [DIVISION] = "8rr0j8j 4f4g 4m4n",
    [SMALL_O_SLASH] = "8rr0i0M4m8M8i8E4e0E0i 1d7n", [SMALL_THORN] = "8sr0a0q 0i0M4m8M8i8E4e0E0i",
    [DOTLESS_I] = "0ss0e0m", [UNKNOWN] = "8ss0e0q8q8e0e" };

/* Lower-case marks; on capitals those above stand a third of a capital higher. */
static const char *const marks[128] = {
    ['`'] = "2oo0q2o", ['\''] = "2oo0o2q", ['^'] = "4oo0o2q4o", ['~'] = "5oo0o1R4N5q", [':'] = "4oo0p0q 4p4q",
    ['o'] = "4oo2o0O0R4R4O2o", [','] = "2oo1e3C0b" };

/* From U+00C0 on: a glyph and its mark. */
static const unsigned char latin1[64][3] = {
    "A`", "A'", "A^", "A~", "A:", "Ao", {AE}, "C,", "E`", "E'", "E^", "E:", "I`", "I'", "I^", "I:",
    {ETH}, "N~", "O`", "O'", "O^", "O~", "O:", {TIMES}, {O_SLASH}, "U`", "U'", "U^", "U:", "Y'", {THORN}, {SHARP_S},
    "a`", "a'", "a^", "a~", "a:", "ao", {SMALL_AE}, "c,", "e`", "e'", "e^", "e:",
    {DOTLESS_I, '`'}, {DOTLESS_I, '\''}, {DOTLESS_I, '^'}, {DOTLESS_I, ':'},
    {SMALL_ETH}, "n~", "o`", "o'", "o^", "o~", "o:", {DIVISION}, {SMALL_O_SLASH}, "u`", "u'", "u^", "u:", "y'",
    {SMALL_THORN}, "y:" };

/* Positions of the lines of a glyph's grid, in pixels from the left end of its baseline.  Lines of stems and bars, on
 * which two consecutive points lie, have distances of whole pixels. */
struct grid { double x[16], y[21]; };
enum { BASELINE = 4, X_HEIGHT = 12, CAP_HEIGHT = 16 };          /* indices of y */

struct glyph_point { int x, y; bool control; };

static int digit(char c) { return c <= '9' ? c - '0' : c - 'a' + 10; }

/* Reads the point at *s and advances it; false at the end of the stroke. */
static bool next_point(const char **s, struct glyph_point *p)
{
    if (**s == 0 || **s == ' ')
        return false;
    const int y = (*s)[1];
    *p = (struct glyph_point){ digit((*s)[0]), (y | ' ') - 'a', y < 'a' };
    *s += 2;
    return true;
}

double glyphs_pen(double size) { return fmax(1, 0.09 * size); }

static double unit(double size) { return 0.05 * size; }

static void fit_grid(struct grid *g, const char *glyph, bool lower_case, double size)
{
    const double cap = round(0.72 * size - glyphs_pen(size)), low = round(0.54 * size - glyphs_pen(size));
    bool stem[16] = {0}, bar[21] = {0};
    struct glyph_point p, before = { -1, -1, false };
    *g = (struct grid){0};
    for (const char *s = glyph + 3; *s; s += *s == ' ', before.x = before.y = -1)
        for (; next_point(&s, &p); before = p) {
            stem[p.x] = stem[p.x] || p.x == before.x;
            bar[p.y] = bar[p.y] || p.y == before.y;
        }
    for (int i = 0, last = 0; i < 16; i++) {
        const double d = (i - last) * unit(size);
        g->x[i] = g->x[last] + (stem[i] ? round(d) : d);
        last = stem[i] ? i : last;
    }
    for (int i = 0; i < 21; i++) {
        const double above_x = (i - X_HEIGHT) * (cap - low) / (CAP_HEIGHT - X_HEIGHT), part = i - BASELINE;
        const double y = !lower_case ? part * cap / (CAP_HEIGHT - BASELINE)
                       : i < X_HEIGHT ? part * low / (X_HEIGHT - BASELINE) : low + above_x;
        g->y[i] = bar[i] ? round(y) : y;
    }
}

enum { POINTS = 160, PARTS = 8 };                               /* points of a stroke at most; lines of a curve */
struct line { double points[POINTS][2]; int count; };

static void add_point(struct line *l, double x, double y)
{
    if (l->count < POINTS) {
        l->points[l->count][0] = x;
        l->points[l->count++][1] = y;
    }
}

static void add_curve(struct line *l, const double control[2], double x, double y)
{
    const double from[2] = { l->points[l->count - 1][0], l->points[l->count - 1][1] };
    for (int i = 1; i <= PARTS; i++) {
        const double t = (double)i / PARTS, a = (1 - t) * (1 - t), b = 2 * t * (1 - t), c = t * t;
        add_point(l, a * from[0] + b * control[0] + c * x, a * from[1] + b * control[1] + c * y);
    }
}

/* Traces a stroke of the glyph with its origin at (x, y); returns the text behind it. */
static const char *trace_stroke(struct line *l, const char *s, const struct grid *g, double x, double y)
{
    double control[2];
    bool curved = false;
    l->count = 0;
    for (struct glyph_point p; next_point(&s, &p); curved = p.control) {
        const double to[2] = { x + g->x[p.x], y - g->y[p.y] };
        if (curved && p.control)
            add_curve(l, control, (control[0] + to[0]) / 2, (control[1] + to[1]) / 2);
        else if (curved)
            add_curve(l, control, to[0], to[1]);
        else if (!p.control)
            add_point(l, to[0], to[1]);
        memcpy(control, to, sizeof control);
    }
    return s;
}

static void trace_glyph(const char *glyph, const struct grid *g, double x, double y, glyph_stroke *stroke, void *to)
{
    struct line l;
    for (const char *s = glyph + 3; *s; s += *s == ' ') {
        s = trace_stroke(&l, s, g, x, y);
        stroke(to, (const double (*)[2])l.points, l.count);
    }
}

struct character { const char *glyph, *mark; bool lower_case; };        /* mark is NULL if there is none */

/* The next character of the text; moves *text behind it. */
static struct character next_character(const char **text)
{
    unsigned code;
    const size_t n = utf8_decode(*text, &code);
    unsigned base = code, mark = 0;
    *text += n ? n : 1;
    if (n && code >= 0xc0 && code < 0x100) {
        base = latin1[code - 0xc0][0];
        mark = latin1[code - 0xc0][1];
    } else if (n == 0 || code < ' ' || code > '~')
        base = UNKNOWN;
    const bool lower_case = (base >= 'a' && base <= 'z') || (base >= SMALL_AE && base <= DOTLESS_I);
    return (struct character){ glyphs[base], marks[mark], lower_case };
}

static double side(char shape) { return shape == 's' ? 2.4 : shape == 'r' ? 1.9 : 1.1; }

/* From the last stem of a glyph to the first of the next, in whole pixels. */
static double gap(char right, char left, double size)
{
    return fmax(round((side(right) + side(left)) * unit(size)), round(glyphs_pen(size)) + 1);
}

static double grid_width(const struct grid *g, const char *glyph) { return round(g->x[digit(glyph[0])]); }

double glyphs_trace(const char *text, double size, double x, double y, glyph_stroke *stroke, void *to)
{
    const double pen = glyphs_pen(size), centre = fmod(round(pen), 2) / 2;      /* of a pen that covers whole pixels */
    const double baseline = round(y - pen / 2 - centre) + centre;
    double at = round(x + pen / 2 - centre) + centre;
    const char *before = NULL;
    struct grid g, mark;
    while (*text) {
        const struct character c = next_character(&text);
        fit_grid(&g, c.glyph, c.lower_case, size);
        at += before ? gap(before[2], c.glyph[1], size) : 0;
        if (stroke)
            trace_glyph(c.glyph, &g, at, baseline, stroke, to);
        if (stroke && c.mark) {
            fit_grid(&mark, c.mark, c.lower_case, size);
            const double aside = round((grid_width(&g, c.glyph) - grid_width(&mark, c.mark)) / 2);
            const double rise = c.lower_case || c.mark == marks[','] ? 0 : g.y[8] - g.y[BASELINE];
            trace_glyph(c.mark, &mark, at + aside, baseline - rise, stroke, to);
        }
        at += grid_width(&g, c.glyph);
        before = c.glyph;
    }
    return before ? at + pen / 2 - x : 0;
}
