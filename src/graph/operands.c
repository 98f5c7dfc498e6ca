#include "graph/operands.h"
#include "kernel/kernels.h"

enum { CHUNK = 8192, CHUNK_PIXELS = 64 };       /* elements per chunk, but at least CHUNK_PIXELS pixels */

int chunk_pixels(int c)
{
    return c < CHUNK / CHUNK_PIXELS ? CHUNK / c : CHUNK_PIXELS;
}

int chunk_count(ptrdiff_t count, int c)
{
    return (int)((count + chunk_pixels(c) - 1) / chunk_pixels(c));
}

struct range chunk_range(ptrdiff_t count, int c, int chunk)
{
    const int size = chunk_pixels(c);
    const ptrdiff_t first = (ptrdiff_t)chunk * size, left = count - first;
    return (struct range){ first, left < size ? (int)left : size };
}

size_t chunk_bytes(int c)
{
    return (size_t)chunk_pixels(c) * (size_t)c * sizeof(real);
}

int image_count(struct shape x)
{
    return x.n * level_count(&x.lv);
}

struct range image_range(struct const_view v, int image)
{
    const int level = image / v.n;
    ptrdiff_t first = 0;
    for (int l = 0; l < level; l++)
        first += (ptrdiff_t)v.n * v.lv->h[l] * v.lv->w[l];
    const int size = v.lv->count ? v.lv->h[level] * v.lv->w[level] : v.h * v.w;
    return (struct range){ first + (ptrdiff_t)(image % v.n) * size, size };
}

int image_of(struct const_view v, ptrdiff_t pixel)
{
    for (int first = 0;; first += v.n) {
        const struct range r = image_range(v, first);
        const ptrdiff_t image = (pixel - r.first) / r.count;
        if (image < v.n)
            return first + (int)image;
    }
}

static void write_rows(const struct call *k, int operand, const struct affine *f, struct range r, real *y, int ld)
{
    const struct const_view x = k->x[operand];
    k->kernels->activate(f, r.count, x.c, x.p + r.first * x.ld, x.ld, y, ld);
}

void copy_operand(const struct call *k, int operand, struct range r, real *y, int ld)
{
    const struct deferred deferred = k->x_deferred[operand];
    struct affine f = { deferred.scale, deferred.shift, deferred.scale ? deferred.act : ACT_NONE, deferred.slope };
    const ptrdiff_t end = r.first + r.count;
    if (!deferred.scale || deferred.ld == 0) {
        write_rows(k, operand, &f, r, y, ld);
        return;
    }
    while (r.first < end) {                     /* each image has vectors of its own */
        const int image = image_of(k->x[operand], r.first);
        const struct range all = image_range(k->x[operand], image);
        const ptrdiff_t next = all.first + all.count < end ? all.first + all.count : end;
        r.count = (int)(next - r.first);
        f.scale = deferred.scale + (ptrdiff_t)image * deferred.ld;
        f.shift = deferred.shift + (ptrdiff_t)image * deferred.ld;
        write_rows(k, operand, &f, r, y, ld);
        y += (ptrdiff_t)r.count * ld;
        r.first = next;
    }
}

const real *read_operand(const struct call *k, int operand, struct range r, real *scratch, int *ld)
{
    const struct const_view x = k->x[operand];
    *ld = k->x_deferred[operand].scale ? x.c : x.ld;
    if (!k->x_deferred[operand].scale)
        return x.p + r.first * x.ld;
    copy_operand(k, operand, r, scratch, x.c);
    return scratch;
}

struct gradient_copy { const struct call *call; struct view dx, dy; bool add; };

static void pass_chunk(const void *job, int chunk)
{
    const struct gradient_copy *p = job;
    const struct range r = chunk_range(pixels(p->dx), p->dx.c, chunk);
    p->call->kernels->copy_rows(r.count, p->dx.c, p->dy.p + r.first * p->dy.ld, p->dy.ld, p->add,
                                p->dx.p + r.first * p->dx.ld, p->dx.ld);
}

void pass_gradient(const struct call *k, int operand, struct view dy)
{
    const struct gradient_copy job = { k, k->dx[operand], dy, k->add[operand] };
    if (job.dx.p && job.dx.p != dy.p)
        team_for(k->team, chunk_count(pixels(job.dx), job.dx.c), pass_chunk, &job);
}
