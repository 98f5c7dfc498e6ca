/* op/resize.c -- bilinear, to any size, half-pixel centres (align_corners=False), without antialiasing.  On one axis of
 * length n, resized to m:  y[i] = (1 - t) x[j] + t x[min(j + 1, n - 1)],  j + t = max((i + 1/2) n / m - 1/2, 0). */
#include "graph/operands.h"
#include "op/ops.h"
#include <string.h>

struct tap { int low, high; real t; };          /* y = (1 - t) x[low] + t x[high] */

static struct tap tap_of(int i, int n, int m)
{
    const double u = (i + 0.5) * n / m - 0.5, at_least_0 = u > 0 ? u : 0;
    const int low = at_least_0 < n - 1 ? (int)at_least_0 : n - 1;
    return (struct tap){ low, low + 1 < n ? low + 1 : low, (real)(at_least_0 - low) };
}

static bool shape(struct node *n, struct error *err)
{
    const int h = resize_attr(n)->h, w = resize_attr(n)->w;
    n->y[0] = (struct shape){ .n = n->x[0].n, .h = h, .w = w, .c = n->x[0].c };
    return (h > 0 && w > 0) || fail(err, "the size %d x %d is not positive", w, h);
}

/* A row of dx. */
static size_t scratch(const struct node *n, enum pass pass)
{
    return pass == BACKWARD ? (size_t)n->x[0].w * (size_t)n->x[0].c * sizeof(real) : 0;
}

static void forward_row(const void *job, int row)
{
    const struct call *k = job;
    const struct const_view x = k->x[0];
    const struct view y = k->y[0];
    const int n = row / y.h;
    const struct tap v = tap_of(row % y.h, x.h, y.h);
    for (int j = 0; j < y.w; j++) {
        const struct tap u = tap_of(j, x.w, y.w);
        const real *a = at(x, n, v.low, u.low), *b = at(x, n, v.low, u.high);
        const real *c = at(x, n, v.high, u.low), *d = at(x, n, v.high, u.high);
        real *to = at(y, n, row % y.h, j);
        for (int i = 0; i < y.c; i++)
            to[i] = (1 - v.t) * ((1 - u.t) * a[i] + u.t * b[i]) + v.t * ((1 - u.t) * c[i] + u.t * d[i]);
    }
}

/* dx[j] = sum over i of dy[i] times the weight that x[j] has in y[i] */
static void backward_row(const void *job, int row)
{
    const struct call *k = job;
    const struct view dx = k->dx[0], dy = k->dy[0];
    const int n = row / dx.h, r = row % dx.h;
    real *sum = call_scratch(k);
    memset(sum, 0, (size_t)dx.w * (size_t)dx.c * sizeof *sum);
    for (int i = 0; i < dy.h; i++) {
        const struct tap v = tap_of(i, dx.h, dy.h);
        const real weight = (v.low == r ? 1 - v.t : 0) + (v.high == r ? v.t : 0);
        for (int j = 0; j < dy.w && (v.low == r || v.high == r); j++) {
            const struct tap u = tap_of(j, dx.w, dy.w);
            const real *g = at(dy, n, i, j);
            for (int c = 0; c < dx.c; c++) {
                sum[(ptrdiff_t)u.low * dx.c + c] += weight * (1 - u.t) * g[c];
                sum[(ptrdiff_t)u.high * dx.c + c] += weight * u.t * g[c];
            }
        }
    }
    for (int j = 0; j < dx.w; j++)
        for (int c = 0; c < dx.c; c++)
            store(&at(dx, n, r, j)[c], k->add[0], sum[(ptrdiff_t)j * dx.c + c]);
}

static void forward(const struct call *k) { team_for(k->team, k->y[0].n * k->y[0].h, forward_row, k); }

static void backward(const struct call *k)
{
    if (k->dx[0].p)
        team_for(k->team, k->dx[0].n * k->dx[0].h, backward_row, k);
}

const struct op op_resize = {
    .name = "resize", .attr_size = sizeof(struct resize_attr), .in_min = 1, .in_max = 1,
    .shape = shape, .scratch = scratch, .forward = forward, .backward = backward };
