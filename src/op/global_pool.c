/* op/global_pool.c -- the mean over the pixels of an image: y = sum over i, j of x[i, j] / (h w), 1 x 1 pixels. */
#include "graph/operands.h"
#include "kernel/kernels.h"
#include "op/ops.h"
#include <string.h>

static bool shape(struct node *n, struct error *err)
{
    (void)err;
    n->y[0] = (struct shape){ .n = n->x[0].n, .h = 1, .w = 1, .c = n->x[0].c };
    return true;
}

/* The sums, and a chunk of values. */
static size_t scratch(const struct node *n, enum pass pass)
{
    return pass == FORWARD ? (size_t)n->x[0].c * sizeof(double) + chunk_bytes(n->x[0].c) : 0;
}

static void forward_image(const void *job, int image)
{
    const struct call *k = job;
    const struct const_view x = k->x[0];
    const struct range all = image_range(x, image);
    double *sum = call_scratch(k);
    memset(sum, 0, (size_t)x.c * sizeof *sum);
    for (int chunk = 0; chunk < chunk_count(all.count, x.c); chunk++) {
        struct range r = chunk_range(all.count, x.c, chunk);
        int ld;
        r.first += all.first;
        const real *p = read_operand(k, 0, r, (real *)(sum + x.c), &ld);
        for (int i = 0; i < r.count; i++)
            for (int c = 0; c < x.c; c++)
                sum[c] += p[(ptrdiff_t)i * ld + c];
    }
    for (int c = 0; c < x.c; c++)
        at(k->y[0], image, 0, 0)[c] = (real)(sum[c] / all.count);
}

/* dx[i, j] = dy / (h w) */
static void backward_image(const void *job, int image)
{
    const struct call *k = job;
    const struct view dx = k->dx[0];
    const struct range r = image_range(read_only(dx), image);
    const real *dy = at(k->dy[0], image, 0, 0);
    for (ptrdiff_t i = r.first; i < r.first + r.count; i++)
        for (int c = 0; c < dx.c; c++)
            store(&dx.p[i * dx.ld + c], k->add[0], dy[c] / (real)r.count);
}

static void forward(const struct call *k)
{
    team_for(k->team, k->x[0].n, forward_image, k);
}

static void backward(const struct call *k)
{
    if (k->dx[0].p)
        team_for(k->team, k->dx[0].n, backward_image, k);
}

const struct op op_global_pool = {
    .name = "global_pool", .in_min = 1, .in_max = 1, .takes_deferred = 1,
    .shape = shape, .scratch = scratch, .forward = forward, .backward = backward };
