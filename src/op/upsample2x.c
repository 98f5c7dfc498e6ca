/* op/upsample2x.c -- bilinear, twice the height and width, half-pixel centres (align_corners=False).  On one
 * axis, with indices clamped to the border: y[2i] = (3 x[i] + x[i-1]) / 4, y[2i+1] = (3 x[i] + x[i+1]) / 4. */
#include "graph/operands.h"
#include "kernel/kernels.h"
#include "op/ops.h"
#include "op/shapes.h"

static int clamp(int i, int n)
{
    return i < 0 ? 0 : i < n ? i : n - 1;
}

/* The values of two rows of x. */
static size_t scratch(const struct node *n, enum pass pass)
{
    return pass == FORWARD ? 2 * (size_t)n->x[0].w * (size_t)n->x[0].c * sizeof(real) : 0;
}

static void forward_row(const void *job, int row)
{
    const struct call *k = job;
    const struct const_view x = k->x[0];
    const struct view y = k->y[0];
    const int n = row / y.h, i = row % y.h;
    const ptrdiff_t near = n * x.h + i / 2, far = n * x.h + clamp(i / 2 + (i % 2 ? 1 : -1), x.h);
    real *scratch = call_scratch(k);
    int ld;
    const real *near_row = read_operand(k, 0, (struct range){ near * x.w, x.w }, scratch, &ld);
    const real *far_row = read_operand(k, 0, (struct range){ far * x.w, x.w }, scratch + (ptrdiff_t)x.w * x.c, &ld);
    k->kernels->upsample_row(x.w, x.c, near_row, far_row, ld, at(y, n, i, 0), y.ld);
}

/* The transpose is a stencil too; at the border the clamped term gives dy[0] the 1/4 + 3/4 that x[0] has in y[0]:
 *     dx[i] = (dy[2i-1] + 3 dy[2i] + 3 dy[2i+1] + dy[2i+2]) / 4           indices clamped to [0, 2H-1] */
static void backward_row(const void *job, int row)
{
    const struct call *k = job;
    const struct view dx = k->dx[0], dy = k->dy[0];
    const int n = row / dx.h, i = row % dx.h;
    const real *rows[4];
    for (int t = 0; t < 4; t++)
        rows[t] = at(dy, n, clamp(2 * i - 1 + t, dy.h), 0);
    k->kernels->upsample_dx_row(dx.w, dx.c, rows[0], rows[1], rows[2], rows[3], dy.ld, k->add[0], at(dx, n, i, 0),
                                dx.ld);
}

static void forward(const struct call *k)
{
    team_for(k->team, k->y[0].n * k->y[0].h, forward_row, k);
}

static void backward(const struct call *k)
{
    if (k->dx[0].p)
        team_for(k->team, k->dx[0].n * k->dx[0].h, backward_row, k);
}

const struct op op_upsample2x = {
    .name = "upsample2x", .in_min = 1, .in_max = 1, .takes_deferred = 1,
    .shape = doubled, .scratch = scratch, .forward = forward, .backward = backward };
