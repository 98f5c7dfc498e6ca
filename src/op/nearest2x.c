/* op/nearest2x.c -- nearest-neighbour upsampling by two: y[i, j] = x[i / 2, j / 2]. */
#include "graph/operands.h"
#include "op/ops.h"
#include "op/shapes.h"
#include <string.h>

static size_t scratch(const struct node *n, enum pass pass)
{
    return pass == FORWARD ? (size_t)n->x[0].w * (size_t)n->x[0].c * sizeof(real) : 0;
}

/* A row of x gives two of y. */
static void forward_row(const void *job, int row)
{
    const struct call *k = job;
    const struct const_view x = k->x[0];
    const struct view y = k->y[0];
    int ld;
    const real *from = read_operand(k, 0, (struct range){ (ptrdiff_t)row * x.w, x.w }, call_scratch(k), &ld);
    for (int j = 0; j < y.w; j++)
        for (int i = 0; i < 2; i++)
            memcpy(at(y, 0, 2 * row + i, j), from + (ptrdiff_t)(j / 2) * ld, (size_t)y.c * sizeof(real));
}

/* dx[i, j] = dy[2i, 2j] + dy[2i, 2j+1] + dy[2i+1, 2j] + dy[2i+1, 2j+1] */
static void backward_row(const void *job, int row)
{
    const struct call *k = job;
    const struct view dx = k->dx[0], dy = k->dy[0];
    for (int j = 0; j < dx.w; j++) {
        const real *upper = at(dy, 0, 2 * row, 2 * j), *lower = at(dy, 0, 2 * row + 1, 2 * j);
        for (int c = 0; c < dx.c; c++)
            store(&at(dx, 0, row, j)[c], k->add[0], upper[c] + upper[dy.ld + c] + lower[c] + lower[dy.ld + c]);
    }
}

static void forward(const struct call *k)
{
    team_for(k->team, k->x[0].n * k->x[0].h, forward_row, k);
}

static void backward(const struct call *k)
{
    if (k->dx[0].p)
        team_for(k->team, k->dx[0].n * k->dx[0].h, backward_row, k);
}

const struct op op_nearest2x = {
    .name = "nearest2x", .in_min = 1, .in_max = 1, .takes_deferred = 1,
    .shape = doubled, .scratch = scratch, .forward = forward, .backward = backward };
