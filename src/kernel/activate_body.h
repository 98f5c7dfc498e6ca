/* kernel/activate_body.h -- activations of rows of pixels; included after a vec_*.h and an exp_*.h. */
#include "base/min_max.h"
#include "kernel/activations.h"
#include "kernel/kernels.h"

enum { ROW_GROUP = 8,                   /* rows that share the loads of per-channel constants */
       PREFETCH_ROWS = 16 };            /* prefetch distance */

/* Operands and results of the kernels on rows of pixels.  Each kernel uses only the fields it needs. */
struct row_args {
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

/* Loads a vector of a row and prefetches the same vector of a later row: hardware prefetchers stop at page ends. */
INLINED vec load_prefetch(const float *p, ptrdiff_t ld, int lanes)
{
    __builtin_prefetch(p + PREFETCH_ROWS * ld);
    return vec_load(p, lanes);
}

/* Processes one vector of channels, starting at c, in the rows [from, to). */
typedef void lanes_function(enum act, int lanes, const struct row_args *, int c, ptrdiff_t from, ptrdiff_t to);

/* Runs the body on all channels of ROW_GROUP rows, then on the next rows, so that memory is read in order. */
INLINED void for_each_vector(lanes_function *body, enum act act, const struct row_args *r)
{
    for (int from = 0; from < r->n; from += ROW_GROUP) {
        const int to = min_int(from + ROW_GROUP, r->n);
        int c = 0;
        for (; c + VEC <= r->c; c += VEC)
            body(act, VEC, r, c, from, to);
        if (c < r->c)
            body(act, r->c - c, r, c, from, to);
    }
}

INLINED void dispatch_act(lanes_function *body, const struct row_args *r)
{
    switch (r->f->act) {
#define ACTIVATION(id, ...) case ACT_##id: for_each_vector(body, ACT_##id, r); break;
#include "kernel/activation_rows.h"
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

INLINED void activate_lanes(enum act act, int lanes, const struct row_args *r, int c, ptrdiff_t from, ptrdiff_t to)
{
    const bool affine = r->f->scale;
    const vec scale = affine ? vec_load(r->f->scale + c, lanes) : vec_zero();
    const vec shift = affine ? vec_load(r->f->shift + c, lanes) : vec_zero();
    for (ptrdiff_t i = from; i < to; i++) {
        const vec x = load_prefetch(r->x + i * r->ldx + c, r->ldx, lanes), z = affine ? vec_fma(scale, x, shift) : x;
        vec_store(r->y + i * r->ldy + c, vec_map(act_value, act, r->f->slope, z), lanes);
    }
}

static void activate(const struct affine *f, int n, int c, const real *x, int ldx, real *y, int ldy)
{
    dispatch_act(activate_lanes, &(struct row_args){ .f = f, .n = n, .c = c, .x = x, .ldx = ldx, .y = y, .ldy = ldy });
}

INLINED void grad_lanes(enum act act, int lanes, const struct row_args *r, int c, ptrdiff_t from, ptrdiff_t to)
{
    const bool affine = r->f->scale;
    const vec scale = affine ? vec_load(r->f->scale + c, lanes) : vec_zero();
    const vec shift = affine ? vec_load(r->f->shift + c, lanes) : vec_zero();
    for (ptrdiff_t i = from; i < to; i++) {
        const vec x = load_prefetch(r->x + i * r->ldx + c, r->ldx, lanes), z = affine ? vec_fma(scale, x, shift) : x;
        const vec g = vec_mul(load_prefetch(r->dy + i * r->lddy + c, r->lddy, lanes),
                              vec_map(act_derivative, act, r->f->slope, z));
        float *y = r->y + i * r->ldy + c;
        vec_store(y, r->add ? vec_add(vec_load(y, lanes), g) : g, lanes);
    }
}

static void activate_grad(const struct affine *f, int n, int c, const real *x, int ldx, const real *dy, int lddy,
                          bool add, real *g, int ldg)
{
    dispatch_act(grad_lanes, &(struct row_args){ .f = f, .n = n, .c = c, .x = x, .ldx = ldx, .dy = dy, .lddy = lddy,
                                                 .add = add, .y = g, .ldy = ldg });
}
