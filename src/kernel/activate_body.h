/* kernel/activate_body.h -- activations of rows of pixels; included after a vec_*.h and an exp_*.h. */
#include "base/least.h"
#include "kernel/activations.h"
#include "kernel/kernels.h"

enum { NEAR = 8, AHEAD = 16 };          /* rows that share the loads of what belongs to a channel; see read_on */

/* What kernels on rows of pixels read and write; each uses what it needs. */
struct rows {
    const struct affine *f;
    int n, c;
    const float *x, *dy;
    int ldx, lddy;
    bool add;
    float *y;
    int ldy;
    const float *mean, *slope, *shift;          /* of norms */
    double *sum, *sum_x;
};

/* A vector of a row; that of a later row is asked for, as the processor itself looks no further than a page. */
INLINED vec read_on(const float *p, ptrdiff_t ld, int lanes)
{
    __builtin_prefetch(p + AHEAD * ld);
    return vec_load(p, lanes);
}

/* A body does one vector of channels, from c on, of the rows [from, to).  Rows near each other, all channels of them,
 * then the next rows: memory is read in its order. */
INLINED void each_vector(void (*body)(enum act, int lanes, const struct rows *, int c, ptrdiff_t from, ptrdiff_t to),
                         enum act act, const struct rows *r)
{
    for (int from = 0; from < r->n; from += NEAR) {
        const int to = least(from + NEAR, r->n);
        int c = 0;
        for (; c + VEC <= r->c; c += VEC)
            body(act, VEC, r, c, from, to);
        if (c < r->c)
            body(act, r->c - c, r, c, from, to);
    }
}

INLINED void by_act(void (*body)(enum act, int lanes, const struct rows *, int c, ptrdiff_t from, ptrdiff_t to),
                    const struct rows *r)
{
    switch (r->f->act) {
    case ACT_NONE:         each_vector(body, ACT_NONE, r); break;
    case ACT_RELU:         each_vector(body, ACT_RELU, r); break;
    case ACT_LEAKY_RELU:   each_vector(body, ACT_LEAKY_RELU, r); break;
    case ACT_RELU6:        each_vector(body, ACT_RELU6, r); break;
    case ACT_HARD_SWISH:   each_vector(body, ACT_HARD_SWISH, r); break;
    case ACT_HARD_SIGMOID: each_vector(body, ACT_HARD_SIGMOID, r); break;
    case ACT_SILU:         each_vector(body, ACT_SILU, r); break;
    case ACT_SIGMOID:      each_vector(body, ACT_SIGMOID, r); break;
    case ACT_GELU:         each_vector(body, ACT_GELU, r); break;
    }
}

/* f(act, slope, z) of each lane. */
INLINED vec vec_map(real (*f)(enum act, real, real), enum act act, real slope, vec z)
{
    float lane[VEC];
    vec_store(lane, z, VEC);
#pragma omp simd
    for (int i = 0; i < VEC; i++)
        lane[i] = f(act, slope, lane[i]);
    return vec_load(lane, VEC);
}

INLINED void activate_lanes(enum act act, int lanes, const struct rows *r, int c, ptrdiff_t from, ptrdiff_t to)
{
    const bool affine = r->f->scale;
    const vec scale = affine ? vec_load(r->f->scale + c, lanes) : vec_zero();
    const vec shift = affine ? vec_load(r->f->shift + c, lanes) : vec_zero();
    for (ptrdiff_t i = from; i < to; i++) {
        const vec x = read_on(r->x + i * r->ldx + c, r->ldx, lanes), z = affine ? vec_fma(scale, x, shift) : x;
        vec_store(r->y + i * r->ldy + c, vec_map(act_value, act, r->f->slope, z), lanes);
    }
}

static void activate(const struct affine *f, int n, int c, const real *x, int ldx, real *y, int ldy)
{
    by_act(activate_lanes, &(struct rows){ .f = f, .n = n, .c = c, .x = x, .ldx = ldx, .y = y, .ldy = ldy });
}

INLINED void grad_lanes(enum act act, int lanes, const struct rows *r, int c, ptrdiff_t from, ptrdiff_t to)
{
    const bool affine = r->f->scale;
    const vec scale = affine ? vec_load(r->f->scale + c, lanes) : vec_zero();
    const vec shift = affine ? vec_load(r->f->shift + c, lanes) : vec_zero();
    for (ptrdiff_t i = from; i < to; i++) {
        const vec x = read_on(r->x + i * r->ldx + c, r->ldx, lanes), z = affine ? vec_fma(scale, x, shift) : x;
        const vec g = vec_mul(read_on(r->dy + i * r->lddy + c, r->lddy, lanes),
                              vec_map(act_slope, act, r->f->slope, z));
        float *y = r->y + i * r->ldy + c;
        vec_store(y, r->add ? vec_add(vec_load(y, lanes), g) : g, lanes);
    }
}

static void activate_grad(const struct affine *f, int n, int c, const real *x, int ldx, const real *dy, int lddy,
                          bool add, real *g, int ldg)
{
    by_act(grad_lanes, &(struct rows){ .f = f, .n = n, .c = c, .x = x, .ldx = ldx, .dy = dy, .lddy = lddy, .add = add,
                                       .y = g, .ldy = ldg });
}
