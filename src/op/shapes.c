#include "op/shapes.h"

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
            return fail(err, "%s: %s of %dx%dx%dx%d and %dx%dx%dx%d", n->name, n->op->name,
                        a.n, a.h, a.w, a.c, b.n, b.h, b.w, b.c);
    }
    return true;
}

bool want_vector(const struct node *n, int operand, int c, struct error *err)
{
    const struct shape v = n->x[operand];
    if (v.n != 1 || v.h != 1 || v.w != 1 || v.c != c)
        return fail(err, "%s: operand %d of %s must be a vector of %d, not %dx%dx%dx%d", n->name, operand,
                    n->op->name, c, v.n, v.h, v.w, v.c);
    return true;
}

bool slide(const struct node *n, int kernel_h, int kernel_w, int stride, int pad, struct shape *y, struct error *err)
{
    const struct shape x = n->x[0];
    if (stride < 1 || pad < 0 || pad > (1 << 20) || kernel_h < 1 || kernel_w < 1
        || x.h + 2 * pad < kernel_h || x.w + 2 * pad < kernel_w)
        return fail(err, "%s: a %s of %dx%d, stride %d, padding %d does not fit on %dx%d", n->name, n->op->name,
                    kernel_h, kernel_w, stride, pad, x.h, x.w);
    y->h = (x.h + 2 * pad - kernel_h) / stride + 1;
    y->w = (x.w + 2 * pad - kernel_w) / stride + 1;
    return true;
}
