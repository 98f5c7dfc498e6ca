#include "op/shapes.h"

#include "op/ops.h"

bool same_pixels(struct shape a, struct shape b)
{
    bool same = a.n == b.n && a.h == b.h && a.w == b.w && a.lv.count == b.lv.count;
    for (int l = 0; same && l < a.lv.count; l++)
        same = a.lv.h[l] == b.lv.h[l] && a.lv.w[l] == b.lv.w[l];
    return same;
}

bool want_same(const struct node *n, int first, bool channels, struct error *err)
{
    const struct shape a = n->x[0];
    for (int i = first; i < n->in; i++) {
        const struct shape b = n->x[i];
        if (!same_pixels(a, b) || (channels && a.c != b.c))
            return fail(err, "operand %d is %d x %d x %d x %d, the first %d x %d x %d x %d", i, b.n, b.h, b.w, b.c, a.n,
                        a.h, a.w, a.c);
    }
    return true;
}

bool want_vector(const struct node *n, int operand, int c, struct error *err)
{
    const struct shape v = n->x[operand];
    if (v.n != 1 || v.h != 1 || v.w != 1 || v.c != c)
        return fail(err, "operand %d must be a vector of %d, not %d x %d x %d x %d", operand, c, v.n, v.h, v.w, v.c);
    return true;
}

bool unchanged(struct node *n, struct error *err)
{
    (void)err;
    n->y[0] = n->x[0];
    return true;
}

bool dropped(struct node *n, struct error *err)
{
    n->y[0] = n->x[0];
    return (drop_attr(n)->rate >= 0 && drop_attr(n)->rate < 1)
        || fail(err, "a rate of %g must be from 0 to below 1", (double)drop_attr(n)->rate);
}

bool doubled(struct node *n, struct error *err)
{
    (void)err;
    n->y[0] = (struct shape){ .n = n->x[0].n, .h = 2 * n->x[0].h, .w = 2 * n->x[0].w, .c = n->x[0].c };
    return true;
}

bool pooled(struct node *n, struct error *err)
{
    const struct shape x = n->x[0];
    const int kernel = pool_attr(n)->kernel, stride = pool_attr(n)->stride, pad = pool_attr(n)->pad;
    if (kernel < 1 || kernel > POOL_KERNEL || stride < 1 || pad < 0 || pad > kernel / 2
        || x.h + 2 * pad < kernel || x.w + 2 * pad < kernel)
        return fail(err, "a window of %d (at most %d), stride %d, padding %d (at most half) does not fit on %d x %d",
                    kernel, POOL_KERNEL, stride, pad, x.h, x.w);
    n->y[0] = x;
    n->y[0].h = (x.h + 2 * pad - kernel) / stride + 1;
    n->y[0].w = (x.w + 2 * pad - kernel) / stride + 1;
    return true;
}
