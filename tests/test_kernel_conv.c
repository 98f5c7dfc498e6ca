/* tests/test_kernel_conv.c -- the convolution kernels, in float: matrix products, depthwise rows and Winograd
 * transforms of the table under test against the plain ones, for 1 to 50 channels; the error of Winograd
 * convolution against its definition in double.  Arrays end at the last element that may be read, so that the
 * address sanitizer detects overruns. */
#include "base/random.h"
#include "seed.h"
#include "tables.h"
#ifdef HAVE_OPENBLAS
#include <dlfcn.h>
#endif
#include <inttypes.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { CHANNELS = 50 };

/* Normal random numbers of a stream; free() them. */
static float *numbers(ptrdiff_t count, uint64_t stream)
{
    struct random random = random_of(seed(), stream, (uint64_t)count);
    float *p = malloc((size_t)count * sizeof *p);
    for (ptrdiff_t i = 0; p && i < count; i++)
        p[i] = (float)random_normal(&random);
    return p;
}

/* The output of a kernel, gaps included. */
struct written { float *p; ptrdiff_t count; };

/* Numbers of a matrix of rows `ld` apart, the last without a gap. */
static ptrdiff_t room(ptrdiff_t rows, ptrdiff_t columns, ptrdiff_t ld) { return (rows - 1) * ld + columns; }

/* ---- products of matrices: c columns ---- */

static struct written gemm(const struct kernels *k, int c, bool add, int variant)
{
    static const int rows[] = { 1, 3, 8, 9, 33 }, inner[] = { 1, 7, 16, 31, 64 };
    const int m = rows[variant / 2], n = inner[variant / 2];
    const bool a_by_k = variant & 1;
    const int lda = (a_by_k ? m : n) + 2;
    const struct written y = { numbers(room(m, c, c + 3), 3), room(m, c, c + 3) };
    float *a = numbers(a_by_k ? room(n, m, lda) : room(m, n, lda), 1), *b = numbers(room(n, c, c + 1), 2);
    k->gemm_unpacked(a_by_k, m, c, n, a, lda, b, c + 1, add, y.p, c + 3);
    free(a);
    free(b);
    return y;
}

/* ---- depthwise rows ---- */

static struct depthwise window(int c, int variant)
{
    static const struct depthwise windows[] = {
        { .kernel = 3, .stride = 1, .pad = 1, .h = 5, .w = 13 },
        { .kernel = 3, .stride = 2, .pad = 1, .h = 6, .w = 11 },
        { .kernel = 5, .stride = 1, .pad = 2, .h = 7, .w = 14 },
        { .kernel = 5, .stride = 2, .pad = 2, .h = 9, .w = 17 },
        { .kernel = 5, .stride = 1, .pad = 2, .h = 1, .w = 2 },
        { .kernel = 3, .stride = 3, .pad = 0, .h = 5, .w = 19 },
        { .kernel = 7, .stride = 2, .pad = 3, .h = 8, .w = 15 },
        { .kernel = 4, .stride = 1, .pad = 1, .h = 6, .w = 13 },
        { .kernel = 1, .stride = 2, .pad = 0, .h = 3, .w = 12 } };
    struct depthwise g = windows[variant];
    g.c = c;
    g.ldx = c + 3;
    g.ldy = c + 5;
    g.out_h = (g.h + 2 * g.pad - g.kernel) / g.stride + 1;
    g.out_w = (g.w + 2 * g.pad - g.kernel) / g.stride + 1;
    return g;
}

/* The rows of x that row i of y reads, and no other; *first is the first of them.  rows_reached: those of y that read
 * row r of x. */
static float *rows_read(const struct depthwise *g, int i, int *first)
{
    const int top = i * g->stride - g->pad, low = top + g->kernel < g->h ? top + g->kernel : g->h;
    *first = top > 0 ? top : 0;
    return numbers(room((ptrdiff_t)(low - *first) * g->w, g->c, g->ldx), 20 + (uint64_t)i);
}

static float *rows_reached(const struct depthwise *g, int r, int *first)
{
    const int above = r + g->pad - g->kernel + 1, reach = (r + g->pad) / g->stride + 1;
    const int low = reach < g->out_h ? reach : g->out_h;
    *first = above > 0 ? (above + g->stride - 1) / g->stride : 0;
    return numbers(low > *first ? room((ptrdiff_t)(low - *first) * g->out_w, g->c, g->ldy) : 1, 60 + (uint64_t)r);
}

static struct written deep(const struct kernels *k, int c, bool add, int variant)
{
    const struct depthwise g = window(c, variant);
    const struct written y = { numbers(room(g.out_h * g.out_w, c, g.ldy), 3), room(g.out_h * g.out_w, c, g.ldy) };
    float *w = numbers(g.kernel * g.kernel * c, 1), *bias = numbers(c, 2);
    for (int i = 0; i < g.out_h; i++) {
        int first;
        float *x = rows_read(&g, i, &first);
        k->depthwise_row(&g, i, x, first, w, add ? bias : NULL, y.p + (ptrdiff_t)i * g.out_w * g.ldy);
        free(x);
    }
    free(w);
    free(bias);
    return y;
}

static struct written deep_dx(const struct kernels *k, int c, bool add, int variant)
{
    const struct depthwise g = window(c, variant);
    const struct written dx = { numbers(room(g.h * g.w, c, g.ldx), 3), room(g.h * g.w, c, g.ldx) };
    float *w = numbers(g.kernel * g.kernel * c, 1);
    for (int r = 0; r < g.h; r++) {
        int first;
        float *dy = rows_reached(&g, r, &first);
        k->depthwise_dx_row(&g, r, dy, first, w, add, dx.p + (ptrdiff_t)r * g.w * g.ldx);
        free(dy);
    }
    free(w);
    return dx;
}

static struct written deep_dw(const struct kernels *k, int c, bool add, int variant)
{
    const struct depthwise g = window(c, variant);
    const struct written dw = { numbers(g.kernel * g.kernel * c, 3), g.kernel * g.kernel * c };
    (void)add;                                  /* always */
    for (int i = 0; i < g.out_h; i++) {
        int first;
        float *x = rows_read(&g, i, &first), *dy = numbers(room(g.out_w, c, g.ldy), 40 + (uint64_t)i);
        k->depthwise_dw_row(&g, i, x, first, dy, dw.p);
        free(x);
        free(dy);
    }
    return dw;
}

/* ---- Winograd's transforms ---- */

enum { INPUT, FILTER, ROTATED_FILTER, OUTPUT, GRADIENT, FILTER_GRADIENT, TRANSFORMS };

static struct written transform(const struct kernels *k, int c, bool add, int variant)
{
    static const int sizes[TRANSFORMS][2] = { { 6, 6 }, { 3, 6 }, { 3, 6 }, { 6, 4 }, { 4, 6 }, { 6, 3 } };
    const bool one_dimensional = variant >= TRANSFORMS;
    const struct winograd *w = one_dimensional ? &k->winograd_1d : &k->winograd;
    variant %= TRANSFORMS;
    const int *size = sizes[variant], step = c + 1, plane = c + 2;
    const int from = size[0] * (one_dimensional ? 1 : size[0]), to = size[1] * (one_dimensional ? 1 : size[1]);
    const bool from_planes = size[0] == 6 && variant != INPUT;
    const ptrdiff_t in = from_planes ? plane : step, out = from_planes ? step : plane;
    const struct written y = { numbers(room(to, c, out), 3), room(to, c, out) };
    float *x = numbers(room(from, c, in), 1);
    (void)add;                                  /* never */
    switch (variant) {
    case INPUT:           w->input(c, x, in, y.p, out);                       break;
    case FILTER:          w->filter(c, x, in, y.p, out);                      break;
    case ROTATED_FILTER:  w->filter(c, x + (from - 1) * in, -in, y.p, out);   break;
    case OUTPUT:          w->output(c, x, in, y.p, out);                      break;
    case GRADIENT:        w->gradient(c, x, in, y.p, out);                    break;
    case FILTER_GRADIENT: w->filter_gradient(c, x, in, y.p, out);             break;
    }
    free(x);
    return y;
}

/* ---- each against the plain one ---- */

static const struct kernel_case {
    const char *name;
    struct written (*run)(const struct kernels *, int c, bool add, int variant);
    int variants;
} cases[] = {
    { "gemm_unpacked", gemm, 10 },
    { "depthwise_row", deep, 9 },
    { "depthwise_dx_row", deep_dx, 9 },
    { "depthwise_dw_row", deep_dw, 9 },
    { "winograd", transform, 2 * TRANSFORMS },
    {0} };

static bool check(const struct kernel_case *row, const struct kernels *k, int c, bool add, int variant)
{
    const struct written want = row->run(plain_table(), c, add, variant);
    const struct written got = row->run(k, c, add, variant);
    bool ok = true;
    double scale = 1;
    for (ptrdiff_t i = 0; i < want.count; i++)
        scale = fmax(scale, fabs((double)want.p[i]));
    for (ptrdiff_t i = 0; ok && i < want.count; i++) {
        ok = fabs((double)got.p[i] - (double)want.p[i]) <= 2e-6 * scale;            /* so written, NaN fails */
        if (!ok)
            printf("FAIL %s: %s %d, c %d, add %d: [%td] is %.9g, should be %.9g; SEED=%" PRIu64 "\n", k->name,
                   row->name, variant, c, add, i, (double)got.p[i], (double)want.p[i], seed());
    }
    free(want.p);
    free(got.p);
    return ok;
}

static void test_against_plain_table(void **state)
{
    const struct kernels *k = table_under_test();
    int failed = 0;
    (void)state;
    if (plain_is_under_test())
        skip();
    for (const struct kernel_case *row = cases; row->name; row++)
        for (int variant = 0; variant < row->variants; variant++)
            for (int c = 1; c <= CHANNELS; c++)
                failed += !check(row, k, c, false, variant) || !check(row, k, c, true, variant);
    assert_int_equal(failed, 0);
}

/* ---- the error of Winograd convolution ---- */

enum { TILES = 12, CHANNELS_IN = 96, OUT = 32, PLANES = WINOGRAD_PLANES };

/* The largest error over the largest number. */
static double error_of(const float *got, const double *want, ptrdiff_t count)
{
    double worst = 0, largest = 0;
    for (ptrdiff_t i = 0; i < count; i++) {
        const double d = fabs(got[i] - want[i]);
        worst = d <= worst ? worst : isnan(d) ? INFINITY : d;
        largest = fmax(largest, fabs(want[i]));
    }
    return worst / largest;
}

/* y[tile][16][o] of d[tile][36][c] and w[9][c][o], its definition. */
static void direct(const float *d, const float *w, double *y)
{
    for (int t = 0; t < TILES; t++)
        for (int e = 0; e < 16; e++)
            for (int o = 0; o < OUT; o++) {
                double sum = 0;
                for (int tap = 0; tap < 9; tap++)
                    for (int c = 0; c < CHANNELS_IN; c++)
                        sum += (double)d[(t * 36 + (e / 4 + tap / 3) * 6 + e % 4 + tap % 3) * CHANNELS_IN + c]
                             * w[(tap * CHANNELS_IN + c) * OUT + o];
                y[(t * 16 + e) * OUT + o] = sum;
            }
}

static void by_winograd(const struct kernels *k, const float *d, const float *w, float *y)
{
    float *u = numbers(PLANES * CHANNELS_IN * OUT, 0), *v = numbers(PLANES * TILES * CHANNELS_IN, 0);
    float *m = numbers(PLANES * TILES * OUT, 0);
    for (int c = 0; c < CHANNELS_IN; c++)
        k->winograd.filter(OUT, w + c * OUT, CHANNELS_IN * OUT, u + c * OUT, CHANNELS_IN * OUT);
    for (int t = 0; t < TILES; t++)
        k->winograd.input(CHANNELS_IN, d + t * 36 * CHANNELS_IN, CHANNELS_IN, v + t * CHANNELS_IN, TILES * CHANNELS_IN);
    for (int e = 0; e < PLANES; e++)
        k->gemm_unpacked(false, TILES, OUT, CHANNELS_IN, v + e * TILES * CHANNELS_IN, CHANNELS_IN,
                         u + e * CHANNELS_IN * OUT, OUT, false, m + e * TILES * OUT, OUT);
    for (int t = 0; t < TILES; t++)
        k->winograd.output(OUT, m + t * OUT, TILES * OUT, y + t * 16 * OUT, OUT);
    free(u);
    free(v);
    free(m);
}

/* dw[o][9][c] of d[tile][36][c] and dy[tile][16][o], by definition and by Winograd. */
static void direct_dw(const float *d, const float *dy, double *dw)
{
    for (int o = 0; o < OUT; o++)
        for (int tap = 0; tap < 9; tap++)
            for (int c = 0; c < CHANNELS_IN; c++) {
                double sum = 0;
                for (int t = 0; t < TILES; t++)
                    for (int e = 0; e < 16; e++)
                        sum += (double)d[(t * 36 + (e / 4 + tap / 3) * 6 + e % 4 + tap % 3) * CHANNELS_IN + c]
                             * dy[(t * 16 + e) * OUT + o];
                dw[(o * 9 + tap) * CHANNELS_IN + c] = sum;
            }
}

static void dw_by_winograd(const struct kernels *k, const float *d, const float *dy, float *dw)
{
    float *v = numbers(PLANES * TILES * CHANNELS_IN, 0), *z = numbers(PLANES * TILES * OUT, 0);
    float *m = numbers(PLANES * OUT * CHANNELS_IN, 0);
    for (int t = 0; t < TILES; t++) {
        k->winograd.input(CHANNELS_IN, d + t * 36 * CHANNELS_IN, CHANNELS_IN, v + t * CHANNELS_IN, TILES * CHANNELS_IN);
        k->winograd.gradient(OUT, dy + t * 16 * OUT, OUT, z + t * OUT, TILES * OUT);
    }
    for (int e = 0; e < PLANES; e++)
        k->gemm_unpacked(true, OUT, CHANNELS_IN, TILES, z + e * TILES * OUT, OUT, v + e * TILES * CHANNELS_IN,
                CHANNELS_IN, false, m + e * OUT * CHANNELS_IN, CHANNELS_IN);
    for (int o = 0; o < OUT; o++)
        k->winograd.filter_gradient(CHANNELS_IN, m + o * CHANNELS_IN, OUT * CHANNELS_IN, dw + o * 9 * CHANNELS_IN,
                                    CHANNELS_IN);
    free(v);
    free(z);
    free(m);
}

/* Measured: 2e-6 of the largest output, 1e-6 of the largest gradient of a filter. */
static void test_error_of_winograd(void **state)
{
    const struct kernels *k = table_under_test();
    float *d = numbers(TILES * 36 * CHANNELS_IN, 1), *w = numbers(9 * CHANNELS_IN * OUT, 2);
    float *dy = numbers(TILES * 16 * OUT, 3), *y = numbers(TILES * 16 * OUT, 4);
    float *dw = numbers(9 * OUT * CHANNELS_IN, 5);
    double *want_y = malloc(TILES * 16 * OUT * sizeof *want_y);
    double *want_dw = malloc(9 * OUT * CHANNELS_IN * sizeof *want_dw);
    (void)state;
    direct(d, w, want_y);
    direct_dw(d, dy, want_dw);
    by_winograd(k, d, w, y);
    dw_by_winograd(k, d, dy, dw);
    const double forward = error_of(y, want_y, TILES * 16 * OUT);
    const double backward = error_of(dw, want_dw, 9 * OUT * CHANNELS_IN);
    printf("%s: error %.2g of the largest output, %.2g of the largest gradient\n", k->name, forward, backward);
    assert_true(forward <= 4e-6 && backward <= 3e-6);
    free(d);
    free(w);
    free(dy);
    free(y);
    free(dw);
    free(want_y);
    free(want_dw);
}

#ifdef HAVE_OPENBLAS
/* A program that uses the library may use OpenBLAS for its own work. */
static void test_other_tables_leave_openblas_alone(void **state)
{
    (void)state;
    void *library = dlopen("libopenblas.so.0", RTLD_NOW);
    assert_non_null(library);
    void *set = dlsym(library, "openblas_set_num_threads"), *get = dlsym(library, "openblas_get_num_threads");
    void (*set_num_threads)(int);
    int (*get_num_threads)(void);
    memcpy(&set_num_threads, &set, sizeof set);
    memcpy(&get_num_threads, &get, sizeof get);
    set_num_threads(2);
    const int threads = get_num_threads();
    if (threads == 1 || strcmp(kernels_pick(NULL, NULL)->name, "blas") == 0)
        skip();                         /* a serial OpenBLAS, or no other table for this processor */
    assert_int_equal(get_num_threads(), threads);
    assert_non_null(kernels_pick("blas", NULL));
    assert_int_equal(get_num_threads(), 1);
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_against_plain_table),
        cmocka_unit_test(test_error_of_winograd),
#ifdef HAVE_OPENBLAS
        cmocka_unit_test(test_other_tables_leave_openblas_alone),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
