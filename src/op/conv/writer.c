#include "op/conv/writer.h"

struct affine epilogue_of(const struct call *k)
{
    const struct node *n = k->node;
    const struct conv_attr *attr = conv_attr(n);
    const real *scale = folded_norm(k);
    return attr->norm ? (struct affine){ scale, scale + n->y[0].c, attr->act, attr->slope }
                      : (struct affine){ .act = ACT_NONE };
}

void write_pixels(const struct call *k, enum pass pass, ptrdiff_t first, int count, const real *sums, int ld)
{
    const struct view to = pass == FORWARD ? k->y[0] : k->dx[INPUT];
    real *p = to.p + first * to.ld;
    const struct affine f = epilogue_of(k);
    if (pass == BACKWARD)
        k->kernels->copy_rows(count, to.c, sums, ld, k->add[INPUT], p, to.ld);
    else if (f.scale || sums != p)
        k->kernels->activate(&f, count, to.c, sums, ld, p, to.ld);
}

/* dw is summed in chunks of CHUNK elements. */
enum { CHUNK = 4096 };

struct sum_job { struct view dw; bool add, by_tap; const real *partials; int count; ptrdiff_t elements; };

static void sum_chunk(const void *job, int chunk)
{
    const struct sum_job *s = job;
    const ptrdiff_t taps = (ptrdiff_t)s->dw.h * s->dw.w, from = (ptrdiff_t)chunk * CHUNK;
    for (ptrdiff_t i = from; i < from + CHUNK && i < s->elements; i++) {
        const real *p = s->partials + (s->by_tap ? i % taps * s->dw.n + i / taps : i);
        real sum = 0;
        for (int part = 0; part < s->count; part++)
            sum += p[part * s->elements];
        store(&s->dw.p[i], s->add, sum);
    }
}

static void sum_all(const struct call *k, const real *partials, int count, bool by_tap)
{
    const ptrdiff_t elements = weight_elements(k->node);
    const struct sum_job job = { k->dx[WEIGHT], k->add[WEIGHT], by_tap, partials, count, elements };
    team_for(k->team, (int)((elements + CHUNK - 1) / CHUNK), sum_chunk, &job);
}

void sum_weight_gradients(const struct call *k, real *partials, int count)
{
    sum_all(k, partials, count, false);
}

void sum_weight_gradients_by_tap(const struct call *k, real *partials, int count)
{
    sum_all(k, partials, count, true);
}
