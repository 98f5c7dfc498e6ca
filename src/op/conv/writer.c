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

struct sum_job { const struct call *call; bool by_tap; real *partials; ptrdiff_t elements; };

static void sum_chunk(const void *job, int chunk)
{
    const struct sum_job *s = job;
    const struct view dw = s->call->dx[WEIGHT];
    const bool add = s->call->add[WEIGHT];
    const ptrdiff_t taps = (ptrdiff_t)dw.h * dw.w, from = (ptrdiff_t)chunk * CHUNK, left = s->elements - from;
    const int count = left < CHUNK ? (int)left : CHUNK;
    real *sum = s->partials + from;
    add_partials(s->call, sum, s->elements, count);
    if (!s->by_tap)
        s->call->kernels->copy_rows(1, count, sum, count, add, dw.p + from, count);
    for (ptrdiff_t i = from; s->by_tap && i < from + count; i++)
        store(&dw.p[i % dw.n * taps + i / dw.n], add, sum[i - from]);
}

static void sum_all(const struct call *k, real *partials, bool by_tap)
{
    const ptrdiff_t elements = weight_elements(k->node);
    const struct sum_job job = { k, by_tap, partials, elements };
    team_for(k->team, (int)((elements + CHUNK - 1) / CHUNK), sum_chunk, &job);
}

void sum_weight_gradients(const struct call *k, real *partials) { sum_all(k, partials, false); }

void sum_weight_gradients_by_tap(const struct call *k, real *partials) { sum_all(k, partials, true); }
