/* op/sum_taps.c -- reduces a depthwise weight w to the weight of a 1x1 convolution with one output:
 * y[c] = sum over u, v of w[c,u,v].  Weights are small, so one thread suffices. */
#include "op/ops.h"

static bool shape(struct node *n, struct error *err)
{
    const struct shape w = n->x[0];
    n->y[0] = (struct shape){ 1, 1, 1, w.n, {0} };
    return w.c == 1 || fail(err, "a depthwise weight has one input per group, not %d", w.c);
}

static void forward(const struct call *k)
{
    const struct const_view w = k->x[0];
    for (int c = 0; c < w.n; c++) {
        double sum = 0;
        for (int i = 0; i < w.h * w.w; i++)
            sum += *at(w, c, 0, i);
        k->y[0].p[c] = (real)sum;
    }
}

/* dw[c,u,v] = dy[c] */
static void backward(const struct call *k)
{
    const struct view dw = k->dx[0];
    for (int c = 0; dw.p && c < dw.n; c++)
        for (int i = 0; i < dw.h * dw.w; i++)
            store(at(dw, c, 0, i), k->add[0], k->dy[0].p[c]);
}

const struct op op_sum_taps = {
    .name = "sum_taps", .in_min = 1, .in_max = 1, .shape = shape, .forward = forward, .backward = backward };
