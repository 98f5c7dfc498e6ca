/* kernel/winograd_body.h -- the transforms of winograd.h on vectors of channels, first rows, then columns.  Common
 * terms of neighbouring rows of the matrices are computed once.  Included after a vec_*.h. */
#include "kernel/inlined.h"
#include "kernel/winograd.h"

/* The points and their powers, exact in float.  Filter factors are g0 and multiples of g_unit. */
static const float point_p = 0.75f, point_q = 1.5f, p2 = 0.5625f, q2 = 2.25f, p3 = 0.421875f, q3 = 3.375f,
                   p2_and_q2 = 2.8125f, p2_times_q2 = 1.265625f, g0 = 64 / 81.0f, g_unit = 1 / 243.0f;

/* 1-D transforms in place: x = M x. */
static inline void side_input(vec *x)
{
    const vec pp = vec_all(p2), qq = vec_all(q2), both = vec_all(p2_times_q2), sum = vec_all(p2_and_q2);
    const vec a = vec_sub(x[4], vec_mul(qq, x[2])), c = vec_sub(x[4], vec_mul(pp, x[2]));
    const vec b = vec_mul(vec_all(point_p), vec_sub(x[3], vec_mul(qq, x[1])));
    const vec d = vec_mul(vec_all(point_q), vec_sub(x[3], vec_mul(pp, x[1])));
    x[0] = vec_fma(both, x[0], vec_sub(x[4], vec_mul(sum, x[2])));
    x[5] = vec_fma(both, x[1], vec_sub(x[5], vec_mul(sum, x[3])));
    x[1] = vec_add(a, b);
    x[2] = vec_sub(a, b);
    x[3] = vec_add(c, d);
    x[4] = vec_sub(c, d);
}

static inline void side_filter(vec *x)
{
    const vec last = x[2], common = vec_mul(vec_all(72 * g_unit), x[2]);
    const vec even_p = vec_fma(vec_all(-128 * g_unit), x[0], vec_sub(vec_zero(), common));
    const vec even_q = vec_fma(vec_all(32 * g_unit), x[0], common);
    const vec odd_p = vec_mul(vec_all(-96 * g_unit), x[1]), odd_q = vec_mul(vec_all(48 * g_unit), x[1]);
    x[0] = vec_mul(vec_all(g0), x[0]);
    x[1] = vec_add(even_p, odd_p);
    x[2] = vec_sub(even_p, odd_p);
    x[3] = vec_add(even_q, odd_q);
    x[4] = vec_sub(even_q, odd_q);
    x[5] = last;
}

static inline void side_output(vec *x)
{
    const vec a = vec_add(x[1], x[2]), b = vec_sub(x[1], x[2]), c = vec_add(x[3], x[4]), d = vec_sub(x[3], x[4]);
    x[0] = vec_add(vec_add(x[0], a), c);
    x[1] = vec_fma(vec_all(point_q), d, vec_mul(vec_all(point_p), b));
    x[2] = vec_fma(vec_all(q2), c, vec_mul(vec_all(p2), a));
    x[3] = vec_fma(vec_all(q3), d, vec_fma(vec_all(p3), b, x[5]));
}

static inline void side_gradient(vec *x)
{
    const vec even_p = vec_fma(vec_all(p2), x[2], x[0]), even_q = vec_fma(vec_all(q2), x[2], x[0]), last = x[3];
    const vec odd_p = vec_fma(vec_all(p3), x[3], vec_mul(vec_all(point_p), x[1]));
    const vec odd_q = vec_fma(vec_all(q3), x[3], vec_mul(vec_all(point_q), x[1]));
    x[1] = vec_add(even_p, odd_p);
    x[2] = vec_sub(even_p, odd_p);
    x[3] = vec_add(even_q, odd_q);
    x[4] = vec_sub(even_q, odd_q);
    x[5] = last;
}

static inline void side_filter_gradient(vec *x)
{
    const vec a = vec_add(x[1], x[2]), b = vec_sub(x[1], x[2]), c = vec_add(x[3], x[4]), d = vec_sub(x[3], x[4]);
    x[0] = vec_fma(vec_all(g0), x[0], vec_fma(vec_all(32 * g_unit), c, vec_mul(vec_all(-128 * g_unit), a)));
    x[1] = vec_fma(vec_all(48 * g_unit), d, vec_mul(vec_all(-96 * g_unit), b));
    x[2] = vec_fma(vec_all(72 * g_unit), vec_sub(c, a), x[5]);
}

/* y[rows][rows] = side(side(x[columns][columns])^T)^T; `side` and the extents are constants where this is inlined. */
INLINED void transform_2d(void (*side)(vec *), int columns, int rows, int c, const float *x, ptrdiff_t from, float *y,
                          ptrdiff_t to)
{
    for (int k = 0; k < c; k += VEC) {
        const int lanes = c - k;
        vec half[6 * 6], line[6];
        for (int i = 0; i < columns; i++) {
            for (int j = 0; j < columns; j++)
                line[j] = vec_load(x + (i * columns + j) * from + k, lanes);
            side(line);
            for (int j = 0; j < rows; j++)
                half[i * rows + j] = line[j];
        }
        for (int j = 0; j < rows; j++) {
            for (int i = 0; i < columns; i++)
                line[i] = half[i * rows + j];
            side(line);
            for (int i = 0; i < rows; i++)
                vec_store(y + (i * rows + j) * to + k, line[i], lanes);
        }
    }
}

/* y[rows] = side(x[columns]). */
INLINED void transform_1d(void (*side)(vec *), int columns, int rows, int c, const float *x, ptrdiff_t from, float *y,
                          ptrdiff_t to)
{
    for (int k = 0; k < c; k += VEC) {
        vec line[6];
        for (int i = 0; i < columns; i++)
            line[i] = vec_load(x + i * from + k, c - k);
        side(line);
        for (int i = 0; i < rows; i++)
            vec_store(y + i * to + k, line[i], c - k);
    }
}

static void winograd_input(int c, const float *d, ptrdiff_t step, float *v, ptrdiff_t plane)
    { transform_2d(side_input, 6, 6, c, d, step, v, plane); }
static void winograd_filter(int c, const float *g, ptrdiff_t step, float *u, ptrdiff_t plane)
    { transform_2d(side_filter, 3, 6, c, g, step, u, plane); }
static void winograd_output(int c, const float *m, ptrdiff_t plane, float *y, ptrdiff_t step)
    { transform_2d(side_output, 6, 4, c, m, plane, y, step); }
static void winograd_gradient(int c, const float *dy, ptrdiff_t step, float *v, ptrdiff_t plane)
    { transform_2d(side_gradient, 4, 6, c, dy, step, v, plane); }
static void winograd_filter_gradient(int c, const float *m, ptrdiff_t plane, float *dg, ptrdiff_t step)
    { transform_2d(side_filter_gradient, 6, 3, c, m, plane, dg, step); }

static void winograd_1d_input(int c, const float *d, ptrdiff_t step, float *v, ptrdiff_t plane)
    { transform_1d(side_input, 6, 6, c, d, step, v, plane); }
static void winograd_1d_filter(int c, const float *g, ptrdiff_t step, float *u, ptrdiff_t plane)
    { transform_1d(side_filter, 3, 6, c, g, step, u, plane); }
static void winograd_1d_output(int c, const float *m, ptrdiff_t plane, float *y, ptrdiff_t step)
    { transform_1d(side_output, 6, 4, c, m, plane, y, step); }
static void winograd_1d_gradient(int c, const float *dy, ptrdiff_t step, float *v, ptrdiff_t plane)
    { transform_1d(side_gradient, 4, 6, c, dy, step, v, plane); }
static void winograd_1d_filter_gradient(int c, const float *m, ptrdiff_t plane, float *dg, ptrdiff_t step)
    { transform_1d(side_filter_gradient, 6, 3, c, m, plane, dg, step); }
