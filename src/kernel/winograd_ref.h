/* kernel/winograd_ref.h -- the definition: T x T^T, or T x, with the matrices as printed. */
#include "kernel/winograd.h"

static const real winograd_bt[6][6] = {
    { 81 / (real)64, 0, -45 / (real)16, 0, 1, 0 },
    { 0, -27 / (real)16, -9 / (real)4, 3 / (real)4, 1, 0 }, { 0, 27 / (real)16, -9 / (real)4, -3 / (real)4, 1, 0 },
    { 0, -27 / (real)32, -9 / (real)16, 3 / (real)2, 1, 0 }, { 0, 27 / (real)32, -9 / (real)16, -3 / (real)2, 1, 0 },
    { 0, 81 / (real)64, 0, -45 / (real)16, 0, 1 } };
static const real winograd_g[6][3] = {
    { 64 / (real)81, 0, 0 },
    { -128 / (real)243, -96 / (real)243, -72 / (real)243 }, { -128 / (real)243, 96 / (real)243, -72 / (real)243 },
    { 32 / (real)243, 48 / (real)243, 72 / (real)243 }, { 32 / (real)243, -48 / (real)243, 72 / (real)243 },
    { 0, 0, 1 } };
static const real winograd_at[4][6] = {
    { 1, 1, 1, 1, 1, 0 }, { 0, 3 / (real)4, -3 / (real)4, 3 / (real)2, -3 / (real)2, 0 },
    { 0, 9 / (real)16, 9 / (real)16, 9 / (real)4, 9 / (real)4, 0 },
    { 0, 27 / (real)64, -27 / (real)64, 27 / (real)8, -27 / (real)8, 1 } };

/* y[rows][rows] = t x t^T for x[columns][columns]; element (i, j) of t at i * down + j * right. */
static void transform_2d(int c, int rows, int columns, const real *t, int down, int right, const real *x,
                         ptrdiff_t from, real *y, ptrdiff_t to)
{
    for (ptrdiff_t k = 0; k < c; k++)
        for (int i = 0; i < rows; i++)
            for (int j = 0; j < rows; j++) {
                real sum = 0;
                for (int a = 0; a < columns; a++)
                    for (int b = 0; b < columns; b++)
                        sum += t[i * down + a * right] * x[(a * columns + b) * from + k] * t[j * down + b * right];
                y[(i * rows + j) * to + k] = sum;
            }
}

/* y[rows] = t x for x[columns]. */
static void transform_1d(int c, int rows, int columns, const real *t, int down, int right, const real *x,
                         ptrdiff_t from, real *y, ptrdiff_t to)
{
    for (ptrdiff_t k = 0; k < c; k++)
        for (int i = 0; i < rows; i++) {
            real sum = 0;
            for (int a = 0; a < columns; a++)
                sum += t[i * down + a * right] * x[a * from + k];
            y[i * to + k] = sum;
        }
}

static void winograd_input(int c, const real *d, ptrdiff_t step, real *v, ptrdiff_t plane)
    { transform_2d(c, 6, 6, winograd_bt[0], 6, 1, d, step, v, plane); }
static void winograd_filter(int c, const real *g, ptrdiff_t step, real *u, ptrdiff_t plane)
    { transform_2d(c, 6, 3, winograd_g[0], 3, 1, g, step, u, plane); }
static void winograd_output(int c, const real *m, ptrdiff_t plane, real *y, ptrdiff_t step)
    { transform_2d(c, 4, 6, winograd_at[0], 6, 1, m, plane, y, step); }
static void winograd_gradient(int c, const real *dy, ptrdiff_t step, real *v, ptrdiff_t plane)
    { transform_2d(c, 6, 4, winograd_at[0], 1, 6, dy, step, v, plane); }
static void winograd_filter_gradient(int c, const real *m, ptrdiff_t plane, real *dg, ptrdiff_t step)
    { transform_2d(c, 3, 6, winograd_g[0], 1, 3, m, plane, dg, step); }

static void winograd_1d_input(int c, const real *d, ptrdiff_t step, real *v, ptrdiff_t plane)
    { transform_1d(c, 6, 6, winograd_bt[0], 6, 1, d, step, v, plane); }
static void winograd_1d_filter(int c, const real *g, ptrdiff_t step, real *u, ptrdiff_t plane)
    { transform_1d(c, 6, 3, winograd_g[0], 3, 1, g, step, u, plane); }
static void winograd_1d_output(int c, const real *m, ptrdiff_t plane, real *y, ptrdiff_t step)
    { transform_1d(c, 4, 6, winograd_at[0], 6, 1, m, plane, y, step); }
static void winograd_1d_gradient(int c, const real *dy, ptrdiff_t step, real *v, ptrdiff_t plane)
    { transform_1d(c, 6, 4, winograd_at[0], 1, 6, dy, step, v, plane); }
static void winograd_1d_filter_gradient(int c, const real *m, ptrdiff_t plane, real *dg, ptrdiff_t step)
    { transform_1d(c, 3, 6, winograd_g[0], 1, 3, m, plane, dg, step); }
