/* kernel/winograd_body.h -- the transforms of winograd.h, a vector of channels at a time, by rows and then by columns;
 * common terms of neighbouring rows of the matrices are computed once.  Included after a vec_*.h. */
#include "kernel/inlined.h"
#include "kernel/winograd.h"

/* One side of a transform: x[0 ..] in, x[0 ..] out. */
static inline void side_input(vec *x)
{
    const vec four = vec_all(4), five = vec_all(5), two = vec_all(2);
    const vec a = vec_sub(x[4], vec_mul(four, x[2])), b = vec_sub(x[3], vec_mul(four, x[1]));
    const vec c = vec_sub(x[4], x[2]), d = vec_mul(two, vec_sub(x[3], x[1]));
    x[0] = vec_fma(four, x[0], vec_sub(x[4], vec_mul(five, x[2])));
    x[5] = vec_fma(four, x[1], vec_sub(x[5], vec_mul(five, x[3])));
    x[1] = vec_add(a, b);
    x[2] = vec_sub(a, b);
    x[3] = vec_add(c, d);
    x[4] = vec_sub(c, d);
}

static inline void side_filter(vec *x)
{
    const vec sixth = vec_all(-1 / 6.0f), even = vec_fma(vec_all(1 / 24.0f), x[0], vec_mul(vec_all(1 / 6.0f), x[2]));
    const vec odd = vec_mul(vec_all(1 / 12.0f), x[1]), outer = vec_mul(sixth, vec_add(x[0], x[2]));
    const vec inner = vec_mul(sixth, x[1]), last = x[2];
    x[0] = vec_mul(vec_all(0.25f), x[0]);
    x[1] = vec_add(outer, inner);
    x[2] = vec_sub(outer, inner);
    x[3] = vec_add(even, odd);
    x[4] = vec_sub(even, odd);
    x[5] = last;
}

static inline void side_output(vec *x)
{
    const vec a = vec_add(x[1], x[2]), b = vec_sub(x[1], x[2]), c = vec_add(x[3], x[4]), d = vec_sub(x[3], x[4]);
    x[0] = vec_add(vec_add(x[0], a), c);
    x[1] = vec_fma(vec_all(2), d, b);
    x[2] = vec_fma(vec_all(4), c, a);
    x[3] = vec_add(vec_fma(vec_all(8), d, b), x[5]);
}

static inline void side_gradient(vec *x)
{
    const vec even = vec_add(x[0], x[2]), odd = vec_add(x[1], x[3]), last = x[3];
    const vec even2 = vec_fma(vec_all(4), x[2], x[0]), odd2 = vec_mul(vec_all(2), vec_fma(vec_all(4), x[3], x[1]));
    x[1] = vec_add(even, odd);
    x[2] = vec_sub(even, odd);
    x[3] = vec_add(even2, odd2);
    x[4] = vec_sub(even2, odd2);
    x[5] = last;
}

static inline void side_filter_gradient(vec *x)
{
    const vec sixth = vec_all(1 / 6.0f), a = vec_add(x[1], x[2]), b = vec_sub(x[2], x[1]);
    const vec c = vec_add(x[3], x[4]), d = vec_sub(x[3], x[4]);
    x[0] = vec_fma(vec_all(0.25f), x[0], vec_sub(vec_mul(vec_all(1 / 24.0f), c), vec_mul(sixth, a)));
    x[1] = vec_fma(vec_all(1 / 12.0f), d, vec_mul(sixth, b));
    x[2] = vec_add(vec_mul(sixth, vec_sub(c, a)), x[5]);
}

/* y[rows][rows] = side(side(x[columns][columns])^T)^T; `side` and the extents are constants where this is inlined. */
INLINED void two_sides(void (*side)(vec *), int columns, int rows, int c, const float *x, ptrdiff_t from, float *y,
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
INLINED void one_side(void (*side)(vec *), int columns, int rows, int c, const float *x, ptrdiff_t from, float *y,
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
    { two_sides(side_input, 6, 6, c, d, step, v, plane); }
static void winograd_filter(int c, const float *g, ptrdiff_t step, float *u, ptrdiff_t plane)
    { two_sides(side_filter, 3, 6, c, g, step, u, plane); }
static void winograd_output(int c, const float *m, ptrdiff_t plane, float *y, ptrdiff_t step)
    { two_sides(side_output, 6, 4, c, m, plane, y, step); }
static void winograd_gradient(int c, const float *dy, ptrdiff_t step, float *v, ptrdiff_t plane)
    { two_sides(side_gradient, 4, 6, c, dy, step, v, plane); }
static void winograd_filter_gradient(int c, const float *m, ptrdiff_t plane, float *dg, ptrdiff_t step)
    { two_sides(side_filter_gradient, 6, 3, c, m, plane, dg, step); }

static void strip_input(int c, const float *d, ptrdiff_t step, float *v, ptrdiff_t plane)
    { one_side(side_input, 6, 6, c, d, step, v, plane); }
static void strip_filter(int c, const float *g, ptrdiff_t step, float *u, ptrdiff_t plane)
    { one_side(side_filter, 3, 6, c, g, step, u, plane); }
static void strip_output(int c, const float *m, ptrdiff_t plane, float *y, ptrdiff_t step)
    { one_side(side_output, 6, 4, c, m, plane, y, step); }
static void strip_gradient(int c, const float *dy, ptrdiff_t step, float *v, ptrdiff_t plane)
    { one_side(side_gradient, 4, 6, c, dy, step, v, plane); }
static void strip_filter_gradient(int c, const float *m, ptrdiff_t plane, float *dg, ptrdiff_t step)
    { one_side(side_filter_gradient, 6, 3, c, m, plane, dg, step); }
