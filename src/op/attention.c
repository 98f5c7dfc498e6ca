/* op/attention.c -- multi-head self-attention (Vaswani et al. 2017, sec. 3.2) between the pixels of an image.
 * x has queries, keys and values of c channels each, in this order; head h uses channels h d .. (h + 1) d - 1 of each
 * of them and of y, d = c / heads:
 *
 *     P = softmax(Q K^T / sqrt(d)) of each row        A = m P / keep        Y = A V
 *
 * keep = 1 - rate.  m is 1 for an element of P with probability keep, else 0; it depends on the call's key and the
 * element's index.  A chunk is a head of an image.  Backward recomputes P. */
#include "base/random.h"
#include "kernel/kernels.h"
#include "op/ops.h"
#include <tgmath.h>

static bool shape(struct node *n, struct error *err)
{
    const int heads = attention_attr(n)->heads;
    n->y[0] = n->x[0];
    n->y[0].c /= 3;
    if (heads < 1 || n->x[0].c % (3 * heads))
        return fail(err, "%d channels do not make queries, keys and values of %d heads", n->x[0].c, heads);
    return (attention_attr(n)->rate >= 0 && attention_attr(n)->rate < 1)
        || fail(err, "a rate of %g must be from 0 to below 1", (double)attention_attr(n)->rate);
}

/* One matrix of all pairs of pixels (backward: two), and the keys or values of a head. */
static size_t scratch(const struct node *n, enum pass pass)
{
    const size_t pixels = (size_t)n->x[0].h * (size_t)n->x[0].w, d = (size_t)(n->y[0].c / attention_attr(n)->heads);
    return ((pass == FORWARD ? 1 : 2) * pixels + d) * pixels * sizeof(real);
}

/* The start of the head of a chunk in x or dx (part 0: Q, 1: K, 2: V), or in y or dy (part 0), of pixels ld apart. */
static ptrdiff_t head_at(const struct call *k, int chunk, int ld, int part)
{
    const int heads = attention_attr(k->node)->heads, c = k->y[0].c;
    return (ptrdiff_t)(chunk / heads) * k->y[0].h * k->y[0].w * ld + part * c + chunk % heads * (c / heads);
}

enum { QUERIES, KEYS, VALUES };

/* s = a b^T, n x n, for a and b of d columns; `transposed` is scratch for b^T. */
static void products(const struct kernels *kernels, int n, int d, const real *a, int lda, const real *b, int ldb,
                     real *transposed, real *s)
{
    for (ptrdiff_t i = 0; i < n; i++)
        for (ptrdiff_t j = 0; j < d; j++)
            transposed[j * n + i] = b[i * ldb + j];
    kernels->gemm_unpacked(false, n, n, d, a, lda, transposed, n, false, s, n);
}

/* p = softmax(Q K^T / sqrt(d)), n x n */
static void probabilities(const struct call *k, int chunk, int n, int d, real *transposed, real *p)
{
    const struct const_view x = k->x[0];
    products(k->kernels, n, d, x.p + head_at(k, chunk, x.ld, QUERIES), x.ld, x.p + head_at(k, chunk, x.ld, KEYS), x.ld,
             transposed, p);
    k->kernels->softmax(n, n, 1 / sqrt((real)d), p, p);
}

/* Negates the elements of p that are dropped (m = 0); all are at least 0 before. */
static void mark_dropped(const struct call *k, int chunk, ptrdiff_t count, real *p)
{
    const double keep = 1 - (double)attention_attr(k->node)->rate;
    const int first = k->first_image * attention_attr(k->node)->heads;
    struct random random = random_of(k->key, (uint64_t)(first + chunk), 0);
    for (ptrdiff_t i = 0; i < count && keep < 1; i++)
        p[i] = random_unit(&random) < keep ? p[i] : -p[i];
}

/* m x / keep, with m from the sign of p; NaN stays NaN. */
static inline real kept(real p, real x, real factor) { return p < 0 ? 0 : factor * x; }

static void forward_head(const void *job, int chunk)
{
    const struct call *k = job;
    const struct const_view x = k->x[0];
    const struct view y = k->y[0];
    const int n = x.h * x.w, d = y.c / attention_attr(k->node)->heads;
    const real factor = 1 / (1 - attention_attr(k->node)->rate);
    real *p = call_scratch(k);
    probabilities(k, chunk, n, d, p + (ptrdiff_t)n * n, p);
    mark_dropped(k, chunk, (ptrdiff_t)n * n, p);
    for (ptrdiff_t i = 0; i < (ptrdiff_t)n * n; i++)
        p[i] = kept(p[i], p[i], factor);
    k->kernels->gemm_unpacked(false, n, d, n, p, n, x.p + head_at(k, chunk, x.ld, VALUES), x.ld, false,
                              y.p + head_at(k, chunk, y.ld, 0), y.ld);
}

/* With dA = dY V^T, dP = m dA / keep and dS = P (dP - sum over the row of P dP) / sqrt(d), elementwise:
 *     dV = A^T dY        dQ = dS K        dK = dS^T Q */
static void backward_head(const void *job, int chunk)
{
    const struct call *k = job;
    const struct const_view x = k->x[0];
    const struct view y = k->dy[0], dx = k->dx[0];
    const int n = x.h * x.w, d = y.c / attention_attr(k->node)->heads;
    const real scale = 1 / sqrt((real)d), factor = 1 / (1 - attention_attr(k->node)->rate);
    const real *dy = y.p + head_at(k, chunk, y.ld, 0);
    real *p = call_scratch(k), *ds = p + (ptrdiff_t)n * n, *transposed = ds + (ptrdiff_t)n * n;
    probabilities(k, chunk, n, d, transposed, p);
    mark_dropped(k, chunk, (ptrdiff_t)n * n, p);
    for (ptrdiff_t i = 0; i < (ptrdiff_t)n * n; i++)
        ds[i] = kept(p[i], p[i], factor);
    k->kernels->gemm_unpacked(true, n, d, n, ds, n, dy, y.ld, k->add[0], dx.p + head_at(k, chunk, dx.ld, VALUES),
                              dx.ld);
    products(k->kernels, n, d, dy, y.ld, x.p + head_at(k, chunk, x.ld, VALUES), x.ld, transposed, ds);
    for (ptrdiff_t i = 0; i < (ptrdiff_t)n * n; i += n) {
        double sum = 0;
        for (int j = 0; j < n; j++)
            sum += p[i + j] * (ds[i + j] = kept(p[i + j], ds[i + j], factor));
        for (int j = 0; j < n; j++)
            ds[i + j] = scale * fabs(p[i + j]) * (ds[i + j] - (real)sum);
    }
    k->kernels->gemm_unpacked(false, n, d, n, ds, n, x.p + head_at(k, chunk, x.ld, KEYS), x.ld, k->add[0],
                              dx.p + head_at(k, chunk, dx.ld, QUERIES), dx.ld);
    k->kernels->gemm_unpacked(true, n, d, n, ds, n, x.p + head_at(k, chunk, x.ld, QUERIES), x.ld, k->add[0],
                              dx.p + head_at(k, chunk, dx.ld, KEYS), dx.ld);
}

static void forward(const struct call *k)
{
    team_for(k->team, k->x[0].n * attention_attr(k->node)->heads, forward_head, k);
}

static void backward(const struct call *k)
{
    if (k->dx[0].p)
        team_for(k->team, k->x[0].n * attention_attr(k->node)->heads, backward_head, k);
}

static double macs(const struct node *n)
{
    const double pixels = (double)n->x[0].h * n->x[0].w;
    return 2.0 * n->x[0].n * pixels * pixels * n->y[0].c;
}

const struct op op_attention = {
    .name = "attention", .attr_size = sizeof(struct attention_attr), .in_min = 1, .in_max = 1, .bwd_reads_x = 1,
    .draws = true, .shape = shape, .scratch = scratch, .forward = forward, .backward = backward, .macs = macs };
