#include "op/lazy.h"
#include "kernel/kernels.h"

int chunk_pixels(int c)
{
    return c < CHUNK ? CHUNK / c : 1;
}

int chunk_count(struct view v)
{
    return (int)((pixels(v) + chunk_pixels(v.c) - 1) / chunk_pixels(v.c));
}

struct range chunk_range(struct view v, int chunk)
{
    const int size = chunk_pixels(v.c);
    const ptrdiff_t first = (ptrdiff_t)chunk * size, left = pixels(v) - first;
    return (struct range){ first, left < size ? (int)left : size };
}

struct range image_range(struct view v, int image)
{
    const int level = image / v.n;
    ptrdiff_t first = 0;
    for (int l = 0; l < level; l++)
        first += (ptrdiff_t)v.n * v.lv->h[l] * v.lv->w[l];
    const int size = v.lv->count ? v.lv->h[level] * v.lv->w[level] : v.h * v.w;
    return (struct range){ first + (ptrdiff_t)(image % v.n) * size, size };
}

int image_of(struct view v, ptrdiff_t pixel, ptrdiff_t *end)
{
    for (int l = 0; ; l++) {
        const struct range image = image_range(v, l * v.n);
        if (pixel < image.first + (ptrdiff_t)v.n * image.count) {
            const int i = (int)((pixel - image.first) / image.count);
            *end = image.first + (ptrdiff_t)(i + 1) * image.count;
            return l * v.n + i;
        }
    }
}

void write_values(const struct call *k, int operand, ptrdiff_t first, int count, real *y, int ld)
{
    const struct view x = k->x[operand];
    const struct lazy lazy = k->lx[operand];
    struct affine affine = { lazy.scale, lazy.shift, lazy.act, lazy.slope };
    if (!lazy.scale) {
        k->kernels->store_rows(count, x.c, x.p + first * x.ld, x.ld, false, y, ld);
        return;
    }
    for (const ptrdiff_t end = first + count; first < end;) {
        ptrdiff_t next = end;
        if (lazy.ld) {
            const ptrdiff_t offset = (ptrdiff_t)image_of(x, first, &next) * lazy.ld;
            affine.scale = lazy.scale + offset;
            affine.shift = lazy.shift + offset;
        }
        const int n = (int)((next < end ? next : end) - first);
        k->kernels->activate(&affine, n, x.c, x.p + first * x.ld, x.ld, y, ld);
        first += n;
        y += (ptrdiff_t)n * ld;
    }
}

const real *values(const struct call *k, int operand, ptrdiff_t first, int count, real *scratch, int *ld)
{
    const struct view x = k->x[operand];
    *ld = k->lx[operand].scale ? x.c : x.ld;
    if (!k->lx[operand].scale)
        return x.p + first * x.ld;
    write_values(k, operand, first, count, scratch, x.c);
    return scratch;
}
