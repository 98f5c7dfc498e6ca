/* op/layer_norm.c -- layer normalisation (Ba et al. 2016): y = gamma x^ + beta, x^ = (x - mean) rstd, where mean
 * and rstd = 1 / sqrt(var + eps) are those of the channels of a pixel.  Operands: x, weight gamma, bias beta. */
#include "graph/operands.h"
#include "graph/partition.h"
#include "op/ops.h"
#include "op/shapes.h"
#include <math.h>

static bool shape(struct node *n, struct error *err)
{
    n->y[0] = n->x[0];
    return want_vector(n, 1, n->x[0].c, err) && want_vector(n, 2, n->x[0].c, err);
}

static int chunks(const struct node *n) { return chunks_before(&n->x[0], n->parts, n->parts); }

static struct range chunk_of(const struct node *n, int chunk) { return chunk_at(&n->x[0], n->parts, chunk); }

/* mean and rstd of each pixel. */
static size_t save(const struct node *n)
{
    return 2 * (size_t)n->x[0].n * (size_t)n->x[0].h * (size_t)n->x[0].w * sizeof(real);
}

/* The sums of dy x^ and of dy of each chunk and channel. */
static size_t work(const struct node *n, enum pass pass)
{
    return pass == BACKWARD ? 2 * (size_t)chunks(n) * (size_t)n->x[0].c * sizeof(double) : 0;
}

static void forward_chunk(const void *job, int chunk)
{
    const struct call *k = job;
    const struct const_view x = k->x[0];
    const struct view y = k->y[0];
    const struct range r = chunk_of(k->node, chunk);
    for (ptrdiff_t i = r.first; i < r.first + r.count; i++) {
        const real *from = x.p + i * x.ld;
        real *to = y.p + i * y.ld, *saved = (real *)k->save + 2 * i;
        double mean = 0, var = 0;
        for (int c = 0; c < x.c; c++)
            mean += (double)from[c] / x.c;
        for (int c = 0; c < x.c; c++)
            var += (from[c] - mean) * (from[c] - mean) / x.c;
        saved[0] = (real)mean;
        saved[1] = (real)(1 / sqrt(var + norm_attr(k->node)->eps));
        for (int c = 0; c < x.c; c++)
            to[c] = k->x[1].p[c] * (from[c] - saved[0]) * saved[1] + k->x[2].p[c];
    }
}

/* With g = gamma dy and E the mean over the channels of a pixel:
 *     dgamma = sum dy x^        dbeta = sum dy        dx = rstd (g - E[g] - x^ E[g x^]) */
static void backward_chunk(const void *job, int chunk)
{
    const struct call *k = job;
    const struct const_view x = k->x[0];
    const struct view dx = k->dx[0], dy = k->dy[0];
    const struct range r = chunk_of(k->node, chunk);
    const real *gamma = k->x[1].p;
    double *sum_gx = (double *)k->work + 2 * (ptrdiff_t)chunk * x.c, *sum_g = sum_gx + x.c;
    for (int c = 0; c < 2 * x.c; c++)
        sum_gx[c] = 0;
    for (ptrdiff_t i = r.first; i < r.first + r.count; i++) {
        const real *from = x.p + i * x.ld, *g = dy.p + i * dy.ld;
        const real mean = ((real *)k->save)[2 * i], rstd = ((real *)k->save)[2 * i + 1];
        double mean_g = 0, mean_gx = 0;
        for (int c = 0; c < x.c; c++) {
            const real normal = (from[c] - mean) * rstd;
            sum_gx[c] += g[c] * normal;
            sum_g[c] += g[c];
            mean_g += (double)(gamma[c] * g[c]) / x.c;
            mean_gx += (double)(gamma[c] * g[c] * normal) / x.c;
        }
        for (int c = 0; dx.p && c < x.c; c++)
            store(&dx.p[i * dx.ld + c], k->add[0],
                  (real)(rstd * (gamma[c] * g[c] - mean_g - (from[c] - mean) * rstd * mean_gx)));
    }
}

static void forward(const struct call *k) { team_for(k->team, chunks(k->node), forward_chunk, k); }

static void backward(const struct call *k)
{
    const int c = k->x[0].c;
    team_for(k->team, chunks(k->node), backward_chunk, k);
    int end[PARTS];
    chunk_ends(&k->node->x[0], k->node->parts, end);
    for (int i = 0; i < 2 * c; i++) {
        const int operand = i < c ? 1 : 2;
        double sums[PARTS] = {0};
        for (int part = 0, chunk = 0; part < k->node->parts; part++)
            for (; chunk < end[part]; chunk++)
                sums[part] += ((double *)k->work)[2 * (ptrdiff_t)chunk * c + i];
        if (k->dx[operand].p)
            store(&k->dx[operand].p[i % c], k->add[operand], gradient_of_parts(sums, k->node->parts));
    }
}

const struct op op_layer_norm = {
    .name = "layer_norm", .attr_size = sizeof(struct norm_attr), .in_min = 3, .in_max = 3, .bwd_reads_x = 3,
    .takes_levels = 1, .shape = shape, .save = save, .work = work, .forward = forward, .backward = backward };
