/* op/norm.c -- batch normalisation (Ioffe, Szegedy 2015) and its activation, deferred: y is x's memory, its value
 * act(scale x + shift), scale = gamma / sqrt(var + eps), shift = beta - mean scale.
 * Operands: x, weight gamma, bias beta, running mean, running variance.  In training mean and var are those of the
 * batch over all pixels of all levels, with var divided by their number m.  The running statistics move towards them by
 * `momentum`, with the variance divided by m - 1, as in PyTorch.
 *
 * A norm that was folded into its convolution is the identity but for beta (weights/fold.h): training with the
 * statistics of a batch would compute another function.  Unfolding gives it the statistics of the batch, and the gamma
 * and beta with which it computes what it did before. */
#include "graph/operands.h"
#include "graph/partition.h"
#include "kernel/kernels.h"
#include "op/moments.h"
#include "op/norm.h"
#include "op/ops.h"
#include "op/shapes.h"
#include "ranks/ranks.h"
#include <math.h>
#include <string.h>

enum { GAMMA = 1, BETA, MEAN, VAR };            /* operands after x */
enum { BLOCK = 32 };                            /* channels per job */

struct vectors { real *mean, *rstd; };          /* the content of call.save */

static struct vectors saved(const struct call *k)
{
    return (struct vectors){ k->save, (real *)k->save + k->x[0].c };
}

static bool shape(struct node *n, struct error *err)
{
    n->y[0] = n->x[0];
    for (int i = 1; i < n->in; i++)
        if (!want_vector(n, i, n->x[0].c, err))
            return false;
    return true;
}

/* The processes whose images have common statistics. */
static const struct ranks *sharing_ranks(const struct call *k) { return norm_attr(k->node)->local ? NULL : k->ranks; }

static size_t save(const struct node *n)
{
    return 2 * (size_t)n->x[0].c * sizeof(real);
}

static int chunks_of(const struct node *n) { return chunks_before(&n->x[0], n->parts, n->parts); }

static struct range chunk_of(const struct node *n, int chunk) { return chunk_at(&n->x[0], n->parts, chunk); }

static int blocks_of(const struct node *n) { return n->blocks ? n->blocks : chunks_of(n); }

/* Forward: moments and pixel count of each block, then the moments of the batch.  Backward: two sums per chunk and
 * channel, then those of the batch, then slope and shift. */
static size_t work(const struct node *n, enum pass pass)
{
    const size_t c = (size_t)n->x[0].c;
    return pass == FORWARD ? (size_t)blocks_of(n) * (2 * c + 1) * sizeof(double) + c * sizeof(struct moments)
                           : 2 * c * ((size_t)(chunks_of(n) + 1) * sizeof(double) + sizeof(real));
}

/* Mean and m2 of a block, then its number of pixels. */
static double *block_moments(const struct call *k, int block)
{
    return (double *)k->work + (2 * (ptrdiff_t)k->x[0].c + 1) * block;
}

static void moments(const struct call *k, int block)
{
    const struct const_view x = k->x[0];
    const struct range r = k->producer ? k->producer->op->fuses->block(k->producer, block)
                                       : chunk_of(k->node, block);
    double *mean = block_moments(k, block);
    if (r.count)
        k->kernels->moments(r.count, x.c, x.p + r.first * x.ld, x.ld, mean, mean + x.c);
    mean[2 * (ptrdiff_t)x.c] = r.count;
}

static void moments_job(const void *job, int block) { moments(job, block); }

static bool needs_moments(const struct node *n) { return norm_attr(n)->training; }

static struct moments moments_of_blocks(const struct call *k, int first, int end, int c)
{
    const int channels = k->x[0].c;
    struct moments all = {0};
    for (int i = first; i < end; i++) {
        const double *block = block_moments(k, i);
        all = merged(all, (struct moments){ block[2 * channels], block[c], block[channels + c] });
    }
    return all;
}

/* end[part]: of the blocks of a part. */
static struct moments merged_parts(const struct call *k, const int *end, int c)
{
    struct moments part[PARTS];
    for (int i = 0; i < k->node->parts; i++)
        part[i] = moments_of_blocks(k, i ? end[i - 1] : 0, end[i], c);
    for (int step = 1; step < k->node->parts; step *= 2)
        for (int i = 0; i + step < k->node->parts; i += 2 * step)
            part[i] = merged(part[i], part[i + step]);
    return part[0];
}

/* The moments of each channel over the batch. */
static struct moments *batch_moments(const struct call *k)
{
    return (struct moments *)(void *)block_moments(k, blocks_of(k->node));
}

static void merge_block(const void *job, int block)
{
    const struct call *k = job;
    int end[PARTS];
    for (int part = 0; part < k->node->parts; part++)
        end[part] = k->producer ? k->producer->op->fuses->blocks(k->producer, part + 1)
                                : chunks_before(&k->node->x[0], k->node->parts, part + 1);
    for (int c = block * BLOCK; c < k->x[0].c && c < (block + 1) * BLOCK; c++)
        batch_moments(k)[c] = merged_parts(k, end, c);
}

static void combine_moments(void *left, const void *right, int n)
{
    struct moments *to = left;
    const struct moments *from = right;
    for (int i = 0; i < n; i++)
        to[i] = merged(to[i], from[i]);
}

static void update_running(real *running, double momentum, double to)
{
    *running = (real)((1 - momentum) * *running + momentum * to);
}

static bool is_folded(const struct call *k, int c)
{
    const float var = (float)(1 - (double)norm_attr(k->node)->eps);             /* as files have it */
    return k->x[GAMMA].p[c] == 1 && k->x[MEAN].p[c] == 0 && (float)k->x[VAR].p[c] == var;
}

/* x + beta = gamma' (x - mean) / sqrt(var + eps) + beta' */
static void unfold(const struct call *k, int c, double mean, double var)
{
    k->changed[GAMMA][c] = (real)sqrt(var + norm_attr(k->node)->eps);
    k->changed[BETA][c] = (real)(k->x[BETA].p[c] + mean);
    k->changed[MEAN][c] = (real)mean;
    k->changed[VAR][c] = (real)var;
}

/* The statistics that normalise channel c; in training, those of the batch. */
static void statistics(const struct call *k, int c, double *mean, double *var)
{
    const struct norm_attr *attr = norm_attr(k->node);
    if (attr->training) {
        const struct moments m = batch_moments(k)[c];
        const double running_var = m.m2 / fmax(m.count - 1, 1);
        *mean = m.mean;
        *var = m.m2 / m.count;
        if (attr->unfolding && is_folded(k, c)) {
            unfold(k, c, m.mean, running_var);
            *var = running_var;
        } else if (!attr->unfolding) {
            update_running(&k->changed[MEAN][c], attr->momentum, m.mean);
            update_running(&k->changed[VAR][c], attr->momentum, running_var);
        }
    } else {
        *mean = k->x[MEAN].p[c];
        *var = k->x[VAR].p[c];
    }
}

static void forward_block(const void *job, int block)
{
    const struct call *k = job;
    const struct vectors s = saved(k);
    for (int c = block * BLOCK; c < k->x[0].c && c < (block + 1) * BLOCK; c++) {
        double mean, var;
        statistics(k, c, &mean, &var);
        const double rstd = norm_rstd(var, norm_attr(k->node)->eps);
        s.mean[c] = (real)mean;
        s.rstd[c] = (real)rstd;
        norm_affine(mean, rstd, k->x[GAMMA].p[c], k->x[BETA].p[c], k->y_scale + c, k->y_shift + c);
    }
}

static void forward(const struct call *k)
{
    const int blocks = (k->x[0].c + BLOCK - 1) / BLOCK;
    if (norm_attr(k->node)->training) {
        if (!k->node->fused[FORWARD])
            team_for(k->team, blocks_of(k->node), moments_job, k);
        team_for(k->team, blocks, merge_block, k);
        ranks_combine(sharing_ranks(k), batch_moments(k), sizeof(struct moments), k->x[0].c, combine_moments);
    }
    team_for(k->team, blocks, forward_block, k);
}

static struct affine affine_of(const struct call *k)
{
    return (struct affine){ k->y_deferred[0].scale, k->y_deferred[0].shift, norm_attr(k->node)->act,
                            norm_attr(k->node)->slope };
}

/* Sums of g of a chunk, then those of g (x - mean). */
static double *partial(const struct call *k, int chunk)
{
    return (double *)k->work + 2 * (ptrdiff_t)chunk * k->x[0].c;
}

/* The sums over the batch and, behind them, slope and shift of the gradient; stored behind the chunks' sums. */
static double *batch_sums(const struct call *k) { return partial(k, chunks_of(k->node)); }
static real *slope_of(const struct call *k)     { return (real *)(void *)partial(k, chunks_of(k->node) + 1); }

static void sums_chunk(const void *job, int chunk)
{
    const struct call *k = job;
    const struct const_view x = k->x[0];
    const struct view dy = k->dy[0];
    const struct range r = chunk_of(k->node, chunk);
    const struct affine f = affine_of(k);
    double *sum_g = partial(k, chunk);
    k->kernels->norm_sums(&f, r.count, x.c, x.p + r.first * x.ld, x.ld, dy.p + r.first * dy.ld, dy.ld, saved(k).mean,
                          sum_g, sum_g + x.c);
}

/* sums[part][i] = that of column i of the part's chunks. */
static void add_chunks(const struct call *k, const double *columns, int count, double sums[][BLOCK])
{
    const ptrdiff_t ld = 2 * (ptrdiff_t)k->x[0].c;
    int end[PARTS];
    chunk_ends(&k->node->x[0], k->node->parts, end);
    memset(sums, 0, (size_t)k->node->parts * sizeof *sums);
    for (int part = 0, chunk = 0; part < k->node->parts; part++)
        for (; chunk < end[part]; chunk++)
            for (int i = 0; i < count; i++)
                sums[part][i] += columns[chunk * ld + i];
}

/* Stores the gradient of the channel in column i, and returns its sum over the batch. */
static double store_sum(const struct call *k, int operand, int c, double sums[][BLOCK], int i, double factor)
{
    const int parts = k->node->parts;
    double part[PARTS];
    for (int p = 0; p < parts; p++)
        part[p] = sums[p][i] * factor;
    if (k->dx[operand].p)
        store(&k->dx[operand].p[c], k->add[operand], gradient_of_parts(part, parts));
    return sum_of_parts(part, parts);
}

static void sums_block(const void *job, int block)
{
    const struct call *k = job;
    const int channels = k->x[0].c, first = block * BLOCK, left = channels - first;
    const int count = left < BLOCK ? left : BLOCK;
    double dbeta[PARTS][BLOCK], dgamma[PARTS][BLOCK];
    add_chunks(k, partial(k, 0) + first, count, dbeta);
    add_chunks(k, partial(k, 0) + channels + first, count, dgamma);
    for (int i = 0; i < count; i++) {
        const int c = first + i;
        batch_sums(k)[c] = store_sum(k, BETA, c, dbeta, i, 1);
        batch_sums(k)[channels + c] = store_sum(k, GAMMA, c, dgamma, i, saved(k).rstd[c]);
    }
}

/* With g = dy act'(z), x^ = (x - mean) rstd and sums over the m pixels:
 *     dbeta = sum g        dgamma = sum g x^
 *     dx = scale (g - dbeta / m - x^ dgamma / m)  in training,  scale g  where mean and var are constants
 * so that dx = scale g + slope (x - mean) + shift, slope = -scale rstd dgamma / m, shift = -scale dbeta / m. */
static void find_map(const struct call *k)
{
    const int channels = k->x[0].c;
    const double m = norm_attr(k->node)->training ? (double)pixels(k->x[0]) * rank_count(sharing_ranks(k)) : INFINITY;
    const double *dbeta = batch_sums(k), *dgamma = dbeta + channels;
    real *slope = slope_of(k), *shift = slope + channels;
    for (int c = 0; c < channels; c++) {
        const double scale = k->y_deferred[0].scale[c];
        slope[c] = (real)(-scale * saved(k).rstd[c] * dgamma[c] / m);
        shift[c] = (real)(-scale * dbeta[c] / m);
    }
}

/* dx may be dy's memory. */
static void write_dx(const struct call *k, struct range r, bool add, real *dx, int ld)
{
    const struct const_view x = k->x[0];
    const struct view dy = k->dy[0];
    const real *slope = slope_of(k);
    const struct affine f = affine_of(k);
    const struct norm_map map = { slope, saved(k).mean, slope + x.c };
    k->kernels->norm_dx(&f, &map, r.count, x.c, x.p + r.first * x.ld, x.ld, dy.p + r.first * dy.ld, dy.ld, add, dx,
                        ld);
}

static void dx_chunk(const void *job, int chunk)
{
    const struct call *k = job;
    const struct view dx = k->dx[0];
    const struct range r = chunk_of(k->node, chunk);
    write_dx(k, r, k->add[0], dx.p + r.first * dx.ld, dx.ld);
}

static void gradient(const struct call *k, struct range r, real *dx, int ld) { write_dx(k, r, false, dx, ld); }

static void backward(const struct call *k)
{
    const int chunks = chunks_of(k->node);
    team_for(k->team, chunks, sums_chunk, k);
    team_for(k->team, (k->x[0].c + BLOCK - 1) / BLOCK, sums_block, k);
    if (norm_attr(k->node)->training)
        ranks_add(sharing_ranks(k), batch_sums(k), 2 * k->x[0].c);
    find_map(k);
    if (k->dx[0].p && !k->node->fused[BACKWARD])
        team_for(k->team, chunks, dx_chunk, k);
}

static struct deferred deferred(const struct node *n)
{
    return (struct deferred){ .act = norm_attr(n)->act, .slope = norm_attr(n)->slope };
}

static const struct fusible_norm fusible = { needs_moments, moments, gradient };

const struct op op_norm = {
    .name = "norm", .attr_size = sizeof(struct norm_attr), .in_min = 5, .in_max = 5, .bwd_reads_x = 1,
    .makes_deferred = deferred, .takes_levels = 1, .changes = 1 << MEAN | 1 << VAR, .unfolds = 1 << GAMMA | 1 << BETA,
    .shape = shape, .save = save, .work = work, .forward = forward, .backward = backward, .fusible = &fusible };
