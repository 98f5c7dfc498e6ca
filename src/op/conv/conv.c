/* op/conv/conv.c -- convolution: its shape, the choice of its algorithm, the loops over blocks, the folded norm, and
 * the gradient of the bias.
 *
 * A folded norm is a norm of inference: its scale and shift are applied when y is written.  A fused norm is the norm of
 * training that follows: its moments are computed while y is in the cache. */
#include "op/conv/conv.h"

#include "base/min_max.h"
#include "graph/operands.h"
#include "op/conv/reader.h"
#include "op/conv/writer.h"
#include "op/norm.h"
#include "op/policy.h"
#include <string.h>

static bool shape(struct node *n, struct error *err)
{
    const struct shape *x = &n->x[INPUT], *w = &n->x[WEIGHT];
    const int stride = conv_attr(n)->stride, pad = conv_attr(n)->pad, groups = conv_attr(n)->groups;
    if (stride < 1 || pad < 0 || groups < 1 || x->c % groups || w->n % groups || w->c != x->c / groups)
        return fail(err, "%d channels, %d outputs and %d inputs per group do not fit %d groups", x->c, w->n, w->c,
                    groups);
    if (has_bias(n) && n->x[BIAS].c != w->n)
        return fail(err, "the bias has %d elements for %d outputs", n->x[BIAS].c, w->n);
    if (x->lv.count && (stride != 1 || w->h != 2 * pad + 1 || w->w != 2 * pad + 1))
        return fail(err, "an input of several levels requires stride 1 and pad = (kernel - 1) / 2");
    n->y[0] = *x;
    n->y[0].c = w->n;
    if (!x->lv.count) {
        if (x->h + 2 * pad < w->h || x->w + 2 * pad < w->w)
            return fail(err, "an input of %d x %d is smaller than the kernel", x->h, x->w);
        n->y[0].h = (x->h + 2 * pad - w->h) / stride + 1;
        n->y[0].w = (x->w + 2 * pad - w->w) / stride + 1;
    }
    return true;
}

/* ---- algorithm selection ---- */

const struct conv_algorithm *const conv_algorithms[] = {
    &conv_depthwise, &conv_winograd_1d, &conv_amx_1x1, &conv_amx, &conv_winograd, &conv_dense, NULL };

const struct conv_algorithm *conv_algorithm_named(const char *name)
{
    int i = 0;
    while (conv_algorithms[i] && strcmp(conv_algorithms[i]->name, name) != 0)
        i++;
    return conv_algorithms[i];
}

/* Two bf16 terms per float32 suffice for an auxiliary branch: it only guides training. */
static int bf16_terms(const struct node *n, const struct policy *p)
{
    const int terms = p->kernels && p->kernels->amx && !p->direct ? p->bf16_terms : 0;
    return n->auxiliary ? min_int(terms, 2) : terms;
}

static bool qualifies(const struct conv_algorithm *a, const struct node *n, const struct policy *p, bool training)
{
    return a->fits(n) && (!a->pays || a->pays(n, training)) && (a->direct || !p->direct);
}

/* Chooses the policy's algorithm if it fits, else the first that qualifies; conv_dense, the last, always does. */
static void plan(struct node *n, const struct policy *policy, bool training)
{
    static const struct policy plain = {0};
    const struct policy *p = policy ? policy : &plain;
    struct conv_attr *attr = n->attr;
    int i = 0;
    attr->bf16_terms = bf16_terms(n, p);
    while (!qualifies(conv_algorithms[i], n, p, training))
        i++;
    attr->algorithm = p->conv && p->conv->fits(n) ? p->conv : conv_algorithms[i];
}

static const struct conv_algorithm *algorithm(const struct node *n) { return conv_attr(n)->algorithm; }

/* ---- memory: packed persists between runs, work belongs to one call, scratch to one thread of a call ---- */

ptrdiff_t weight_elements(const struct node *n) { return (ptrdiff_t)outputs(n) * taps(n) * inputs(n); }

/* Packed memory: the weights, then scale and shift of a folded norm. */
static size_t packed_weights(const struct node *n)
{
    return (algorithm(n)->packed(n, FORWARD) + sizeof(real) - 1) / sizeof(real) * sizeof(real);
}

static size_t packed(const struct node *n)
{
    return packed_weights(n) + (conv_attr(n)->norm ? 2 * (size_t)n->y[0].c * sizeof(real) : 0);
}

real *folded_norm(const struct call *k)
{
    return (real *)(void *)((char *)k->packed + packed_weights(k->node));
}

/* Large maps are divided further than by the parts of the batch, so that many threads have work. */
int partials_per_part(const struct node *n)
{
    enum { PIXELS = 4096, DEPTHWISE_PIXELS = 128, MAX_PARTIALS = 8 };          /* small weights are added up fast */
    const int each = inputs(n) == 1 ? DEPTHWISE_PIXELS : PIXELS;
    const ptrdiff_t pixels = (ptrdiff_t)(n->y[0].n / n->parts) * n->y[0].h * n->y[0].w;
    return max_int(1, pixels < each * MAX_PARTIALS ? (int)(pixels / each) : MAX_PARTIALS);
}

static int partial_count(const struct node *n) { return n->parts * partials_per_part(n); }

static void add_array(const struct call *k, const real *from, int elements, real *to)
{
    k->kernels->copy_rows(1, elements, from, elements, true, to, elements);
}

void add_within_parts(const struct call *k, real *partials, ptrdiff_t stride, int elements)
{
    const int each = partials_per_part(k->node);
    for (int i = 0; i < partial_count(k->node); i++)
        if (i % each)
            add_array(k, partials + i * stride, elements, partials + (i - i % each) * stride);
}

void add_parts(const struct call *k, real *sums, ptrdiff_t stride, int elements)
{
    for (int step = 1; step < k->node->parts; step *= 2)
        for (int i = 0; i + step < k->node->parts; i += 2 * step)
            add_array(k, sums + (i + step) * stride, elements, sums + i * stride);
}

void add_partials(const struct call *k, real *partials, ptrdiff_t stride, int elements)
{
    add_within_parts(k, partials, stride, elements);
    add_parts(k, partials, partials_per_part(k->node) * stride, elements);
}

/* Work of backward: the weights packed for dx, then the partial sums of dw.  Later the sums of the bias reuse it. */
static size_t packed_for_dx(const struct node *n) { return whole_lines(algorithm(n)->packed(n, BACKWARD)); }

static real *partials_of(const struct call *k)
{
    return (real *)(void *)((char *)k->work + packed_for_dx(k->node));
}

static size_t work(const struct node *n, enum pass pass)
{
    if (pass == FORWARD)
        return 0;
    const size_t partials = (size_t)partial_count(n) * (size_t)algorithm(n)->partial_elements(n);
    const size_t weights = packed_for_dx(n) + partials * sizeof(real);
    const size_t bias = (size_t)chunks_before(&n->y[0], n->parts, n->parts) * (size_t)n->y[0].c * sizeof(real);
    return has_bias(n) && bias > weights ? bias : weights;
}

static size_t scratch(const struct node *n, enum pass pass)
{
    const size_t blocks = algorithm(n)->scratch(n, pass);
    const size_t bias = has_bias(n) && pass == BACKWARD ? chunk_elements(&n->y[0]) * sizeof(real) : 0;
    return blocks > bias ? blocks : bias;
}

/* ---- the loops ---- */

static void pack(const struct call *k)
{
    enum { GAMMA, BETA, MEAN, VARIANCE };               /* operands of the folded norm */
    const int channels = k->node->y[0].c, norm = conv_attr(k->node)->norm;
    const struct const_view *x = &k->x[norm];
    algorithm(k->node)->pack(k);
    if (!norm)
        return;
    real *scale = folded_norm(k), *shift = scale + channels;
    for (int c = 0; c < channels; c++) {
        const double rstd = norm_rstd(x[VARIANCE].p[c], conv_attr(k->node)->eps);
        norm_affine(x[MEAN].p[c], rstd, x[GAMMA].p[c], x[BETA].p[c], &scale[c], &shift[c]);
    }
}

/* Computes a block of y, then its moments for the fused norm. */
static void forward_block(const void *job, int index)
{
    const struct call *k = job;
    algorithm(k->node)->forward_block(k, index);
    if (k->fused_norm)
        k->fused_norm->node->op->fusible->moments(k->fused_norm, index);
}

static void forward(const struct call *k)
{
    const struct conv_algorithm *a = algorithm(k->node);
    team_for(k->team, a->forward_jobs ? a->forward_jobs(k) : a->blocks(k->node, k->node->parts), forward_block, k);
}

struct backward_job { const struct call *call; bool with_dx; int dx_blocks, slices; };

/* Slices of the outputs for which many threads compute dw apart.  The bits are the same, but every slice reads the
 * operands. */
static int dw_slices(const struct call *k)
{
    enum { OUTPUTS = 16 };                      /* of a slice, at least */
    const struct node *n = k->node;
    const int wanted = (k->team->threads + partial_count(n) - 1) / partial_count(n);
    const int most = outputs(n) / conv_attr(n)->groups / OUTPUTS;
    return algorithm(n)->divides_dw && k->kernels->gemm_divides ? max_int(1, min_int(wanted, most)) : 1;
}

static void backward_partial(const struct backward_job *job, int index, int slice)
{
    const struct call *k = job->call;
    const struct conv_algorithm *a = algorithm(k->node);
    const int each = partials_per_part(k->node), part = index / each, i = index % each;
    const int first = a->blocks(k->node, part), count = a->blocks(k->node, part + 1) - first;
    const int from = first + count * i / each, end = first + count * (i + 1) / each;
    const int all = outputs(k->node) / conv_attr(k->node)->groups;
    const int output = all * slice / job->slices, output_end = all * (slice + 1) / job->slices;
    real *dw = partials_of(k) + index * a->partial_elements(k->node);
    for (int b = from; b < end; b++)
        a->backward_block(k, b, (struct partial){ dw, b == from, b + 1 == end, output, output_end, job->with_dx });
    if (from == end && slice == 0)
        memset(dw, 0, (size_t)a->partial_elements(k->node) * sizeof *dw);
}

static void backward_chunk(const void *context, int index)
{
    const struct backward_job *job = context;
    if (index < job->dx_blocks)
        algorithm(job->call->node)->dx_block(job->call, index);
    else
        backward_partial(job, (index - job->dx_blocks) / job->slices, (index - job->dx_blocks) % job->slices);
}

/* Some algorithms compute dx in blocks of its own, others together with dw. */
static void backward_x_and_w(const struct call *k, bool dx, bool dw)
{
    const struct conv_algorithm *a = algorithm(k->node);
    struct backward_job job = { .call = k, .slices = dw ? dw_slices(k) : 1 };
    job.dx_blocks = dx && a->dx_blocks ? a->dx_blocks(k->node, dw && job.slices == 1) : 0;
    job.with_dx = dx && job.dx_blocks == 0;
    if (dx)
        a->pack_dx(k);
    team_for(k->team, job.dx_blocks + (dw || job.with_dx ? partial_count(k->node) * job.slices : 0), backward_chunk,
             &job);
    if (dw)
        a->sum(k, partials_of(k));
}

/* db[o] = sum over all pixels of dy[o]: first within chunks, then over the chunks of a part, then over the parts. */
static void bias_chunk(const void *job, int chunk)
{
    const struct call *k = job;
    const struct view dy = k->dy[0];
    const struct operand_reader reader = reader_of(k, BACKWARD);
    const struct range r = chunk_at(&k->node->y[0], k->node->parts, chunk);
    real *sum = (real *)k->work + (ptrdiff_t)chunk * dy.c;
    int ld;
    const real *p = reader_read(&reader, r, call_scratch(k), &ld);
    memset(sum, 0, (size_t)dy.c * sizeof *sum);
    for (int i = 0; i < r.count; i++, p += ld)
        for (int o = 0; o < dy.c; o++)
            sum[o] += p[o];
}

static void bias_backward(const struct call *k)
{
    const struct node *n = k->node;
    const int channels = n->y[0].c;
    int end[PARTS];
    chunk_ends(&n->y[0], n->parts, end);
    team_for(k->team, end[n->parts - 1], bias_chunk, k);
    for (int o = 0; o < channels; o++) {
        double sums[PARTS];
        for (int part = 0, chunk = 0; part < n->parts; part++) {
            sums[part] = 0;
            for (; chunk < end[part]; chunk++)
                sums[part] += ((const real *)k->work)[(ptrdiff_t)chunk * channels + o];
        }
        store(&k->dx[BIAS].p[o], k->add[BIAS], gradient_of_parts(sums, n->parts));
    }
}

static void backward(const struct call *k)
{
    backward_x_and_w(k, k->dx[INPUT].p, k->dx[WEIGHT].p);
    if (has_bias(k->node) && k->dx[BIAS].p)
        bias_backward(k);
}

/* ---- the op ---- */

/* 0 disables the fused norm: jobs of an algorithm are not blocks of y. */
static int output_blocks(const struct node *n, int end)
{
    return algorithm(n)->forward_jobs ? 0 : algorithm(n)->blocks(n, end);
}

static struct range output_block(const struct node *n, int index) { return algorithm(n)->block(n, index); }

static bool reads_dy_once(const struct node *n, bool dx)
{
    return algorithm(n)->reads_dy_once && algorithm(n)->reads_dy_once(n, dx);
}

static const struct fusing_producer fuses = { output_blocks, output_block, reads_dy_once };

static double macs(const struct node *n)
{
    const struct shape y = n->y[0], w = n->x[WEIGHT];
    return (double)y.n * y.h * y.w * y.c * w.h * w.w * w.c;
}

const struct op op_conv = {
    .name = "conv", .attr_size = sizeof(struct conv_attr), .in_min = 2, .in_max = 7,
    .bwd_reads_x = 1 << INPUT | 1 << WEIGHT, .takes_deferred = 1 << INPUT, .takes_levels = 1 << INPUT, .shape = shape,
    .plan = plan, .packed = packed, .work = work, .scratch = scratch, .pack = pack, .forward = forward,
    .backward = backward, .macs = macs, .fuses = &fuses };
