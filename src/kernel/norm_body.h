/* kernel/norm_body.h -- the sums and the gradient of normalisations; included after activate_body.h. */
#include <string.h>

INLINED void widen(int lanes, const float *p, wide to[2])
{
    float part[VEC];
    if (lanes < VEC) {
        vec_store(part, vec_load(p, lanes), VEC);
        p = part;
    }
    to[0] = wide_load(p);
    to[1] = wide_load(p + VEC / 2);
}

/* Adds d = x - x0 and d^2 in double, where x0 is the channel's first element.  One pass suffices: shifting by x0 keeps
 * the cancellation in m2 = sum d^2 - (sum d)^2 / n small compared with the precision of a double. */
INLINED void moments_lanes(enum act act, int lanes, const struct row_args *r, int c, ptrdiff_t from, ptrdiff_t to)
{
    const size_t bytes = (size_t)lanes * sizeof(double);
    wide x0[2], x[2], sum[2] = { { 0 }, { 0 } }, squares[2] = { { 0 }, { 0 } };
    (void)act;
    widen(lanes, r->x + c, x0);
    memcpy(sum, r->sum + c, bytes);
    memcpy(squares, r->sum_x + c, bytes);
    for (ptrdiff_t i = from; i < to; i++) {
        __builtin_prefetch(r->x + (i + PREFETCH_ROWS) * r->ldx + c);
        widen(lanes, r->x + i * r->ldx + c, x);
        for (int h = 0; h < 2; h++) {
            const wide d = x[h] - x0[h];
            sum[h] += d;
            squares[h] += d * d;
        }
    }
    memcpy(r->sum + c, sum, bytes);
    memcpy(r->sum_x + c, squares, bytes);
}

static void moments(int n, int c, const real *x, int ldx, double *mean, double *m2)
{
    memset(mean, 0, (size_t)c * sizeof *mean);
    memset(m2, 0, (size_t)c * sizeof *m2);
    for_each_vector(moments_lanes, ACT_NONE, &(struct row_args){ .n = n, .c = c, .x = x, .ldx = ldx, .sum = mean,
                                                                 .sum_x = m2 });
    for (int i = 0; i < c; i++) {
        m2[i] -= mean[i] * mean[i] / n;
        mean[i] = x[i] + mean[i] / n;
    }
}

/* Sums over all pixels are in double, like those of moments. */
INLINED void sums_lanes(enum act act, int lanes, const struct row_args *r, int c, ptrdiff_t from, ptrdiff_t to)
{
    const size_t bytes = (size_t)lanes * sizeof(double);
    const vec scale = vec_load(r->f->scale + c, lanes), shift = vec_load(r->f->shift + c, lanes);
    wide mean[2], x[2], g[2], sum[2] = { { 0 }, { 0 } }, sum_x[2] = { { 0 }, { 0 } };
    widen(lanes, r->mean + c, mean);
    memcpy(sum, r->sum + c, bytes);
    memcpy(sum_x, r->sum_x + c, bytes);
    for (ptrdiff_t i = from; i < to; i++) {
        const float *row = r->x + i * r->ldx + c;
        float gradient[VEC];
        vec_store(gradient, vec_mul(load_prefetch(r->dy + i * r->lddy + c, r->lddy, lanes),
                                    vec_map(act_derivative, act, r->f->slope,
                                            vec_fma(scale, load_prefetch(row, r->ldx, lanes), shift))), VEC);
        widen(VEC, gradient, g);
        widen(lanes, row, x);
        for (int h = 0; h < 2; h++) {
            sum[h] += g[h];
            sum_x[h] += g[h] * (x[h] - mean[h]);
        }
    }
    memcpy(r->sum + c, sum, bytes);
    memcpy(r->sum_x + c, sum_x, bytes);
}

static void norm_sums(const struct affine *f, int n, int c, const real *x, int ldx, const real *dy, int lddy,
                      const real *mean, double *sum_g, double *sum_gx)
{
    memset(sum_g, 0, (size_t)c * sizeof *sum_g);
    memset(sum_gx, 0, (size_t)c * sizeof *sum_gx);
    dispatch_act(sums_lanes, &(struct row_args){ .f = f, .n = n, .c = c, .x = x, .ldx = ldx, .dy = dy, .lddy = lddy,
                                                 .mean = mean, .sum = sum_g, .sum_x = sum_gx });
}

INLINED void norm_dx_lanes(enum act act, int lanes, const struct row_args *r, int c, ptrdiff_t from, ptrdiff_t to)
{
    const vec scale = vec_load(r->f->scale + c, lanes), shift = vec_load(r->f->shift + c, lanes);
    const vec mean = vec_load(r->mean + c, lanes), slope = vec_load(r->slope + c, lanes);
    const vec constant = vec_load(r->shift + c, lanes);
    for (ptrdiff_t i = from; i < to; i++) {
        const vec x = load_prefetch(r->x + i * r->ldx + c, r->ldx, lanes);
        const vec g = vec_mul(load_prefetch(r->dy + i * r->lddy + c, r->lddy, lanes),
                              vec_map(act_derivative, act, r->f->slope, vec_fma(scale, x, shift)));
        const vec dx = vec_fma(scale, g, vec_fma(slope, vec_sub(x, mean), constant));
        float *y = r->y + i * r->ldy + c;
        vec_store(y, r->add ? vec_add(vec_load(y, lanes), dx) : dx, lanes);
    }
}

static void norm_dx(const struct affine *f, const struct norm_map *m, int n, int c, const real *x, int ldx,
                    const real *dy, int lddy, bool add, real *dx, int lddx)
{
    dispatch_act(norm_dx_lanes, &(struct row_args){ .f = f, .n = n, .c = c, .x = x, .ldx = ldx, .dy = dy, .lddy = lddy,
                                                    .add = add, .y = dx, .ldy = lddx, .mean = m->mean,
                                                    .slope = m->slope, .shift = m->shift });
}
