/* op/conv.c -- convolution: its shape, the code that its algorithms share, and the gradient of its bias. */
#include "op/conv.h"

#include "base/min_max.h"
#include "kernel/kernels.h"
#include "op/norm.h"
#include <string.h>

static bool shape(struct node *n, struct error *err)
{
    const struct shape *x = &n->x[INPUT], *w = &n->x[WEIGHT];
    const int stride = n->attr.conv.stride, pad = n->attr.conv.pad, groups = n->attr.conv.groups;
    if (stride < 1 || pad < 0 || groups < 1 || x->c % groups || w->n % groups || w->c != x->c / groups)
        return fail(err, "%d channels, %d outputs and %d inputs per group do not fit %d groups", x->c, w->n, w->c,
                    groups);
    if (has_bias(n) && n->x[BIAS].c != w->n)
        return fail(err, "a bias of %d for %d outputs", n->x[BIAS].c, w->n);
    if (x->lv.count && (stride != 1 || w->h != 2 * pad + 1 || w->w != 2 * pad + 1))
        return fail(err, "several levels keep their sizes: stride 1 and pad (kernel - 1) / 2");
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

int max_level_width(const struct shape *s)
{
    int width = s->w;
    for (int l = 0; l < s->lv.count; l++)
        width = max_int(width, s->lv.w[l]);
    return width;
}

int block_rows(ptrdiff_t elements, ptrdiff_t width)
{
    return width >= elements ? 1 : (int)(elements / width);
}

struct block level_block(const struct shape *s, int level)
{
    struct block b = { .level = level, .h = s->lv.count ? s->lv.h[level] : s->h,
                       .w = s->lv.count ? s->lv.w[level] : s->w };
    for (int l = 0; l < level; l++)
        b.first += (ptrdiff_t)s->n * s->lv.h[l] * s->lv.w[l];
    return b;
}

struct block row_block(const struct shape *s, int level, int image, int row, int end)
{
    struct block b = level_block(s, level);
    b.image = image;
    b.row = row;
    b.rows = end - row;
    b.first += ((ptrdiff_t)image * b.h + row) * b.w;
    return b;
}

int block_count(const struct shape *s, int rows)
{
    int count = 0;
    for (int l = 0; l < level_count(&s->lv); l++)
        count += s->n * ((level_block(s, l).h + rows - 1) / rows);
    return count;
}

struct block block_at(const struct shape *s, int rows, int index)
{
    for (int l = 0;; l++) {
        const int h = level_block(s, l).h, per_image = (h + rows - 1) / rows, row = index % per_image * rows;
        if (index < s->n * per_image)
            return row_block(s, l, index / per_image, row, min_int(h, row + rows));
        index -= s->n * per_image;
    }
}

struct row_values input_rows(const struct call *k, struct block out, real *scratch)
{
    const struct node *n = k->node;
    const int stride = n->attr.conv.stride, pad = n->attr.conv.pad, h = level_block(&n->x[INPUT], out.level).h;
    const int from = max_int(0, min_int(h, out.row * stride - pad));
    const int end = max_int(from, min_int(h, (out.row + out.rows - 1) * stride - pad + n->x[WEIGHT].h));
    const struct block in = row_block(&n->x[INPUT], out.level, out.image, from, end);
    struct row_values rows = { .first = from };
    rows.p = read_operand(k, INPUT, pixels_of(in), scratch, &rows.ld);
    return rows;
}

size_t input_rows_bytes(const struct node *n, int output_rows)
{
    const int rows = (output_rows - 1) * n->attr.conv.stride + n->x[WEIGHT].h;
    return (size_t)rows * (size_t)max_level_width(&n->x[INPUT]) * (size_t)n->x[INPUT].c * sizeof(real);
}

struct row_values gradient_rows(const struct call *k, struct block in, real *scratch)
{
    const struct node *n = k->node;
    const int stride = n->attr.conv.stride, reach = in.row + n->attr.conv.pad, h = level_block(&n->y[0], in.level).h;
    const int from = min_int(h, (max_int(0, reach - n->x[WEIGHT].h + 1) + stride - 1) / stride);
    const int end = max_int(from, min_int(h, (reach + in.rows - 1) / stride + 1));
    const struct block out = row_block(&n->y[0], in.level, in.image, from, end);
    const struct operand_reader dy = { k, true, n->y[0].c };
    struct row_values rows = { .first = from };
    rows.p = reader_read(&dy, pixels_of(out), scratch, &rows.ld);
    return rows;
}

size_t gradient_rows_bytes(const struct node *n, int input_rows)
{
    const int rows = (input_rows + n->x[WEIGHT].h - 2) / n->attr.conv.stride + 1;
    return (size_t)rows * (size_t)max_level_width(&n->y[0]) * (size_t)n->y[0].c * sizeof(real);
}

void reader_copy(const struct operand_reader *s, struct range r, real *to, int ld)
{
    const struct view *dy = &s->k->dy[0];
    if (s->gradient && s->k->fused_norm)
        s->k->fused_norm->node->op->norm_gradient(s->k->fused_norm, r, to, ld);
    else if (s->gradient)
        s->k->kernels->copy_rows(r.count, s->c, dy->p + r.first * dy->ld, dy->ld, false, to, ld);
    else
        copy_operand(s->k, INPUT, r, to, ld);
}

const real *reader_read(const struct operand_reader *s, struct range r, real *scratch, int *ld)
{
    if (!s->gradient)
        return read_operand(s->k, INPUT, r, scratch, ld);
    *ld = s->k->fused_norm ? s->c : s->k->dy[0].ld;
    if (!s->k->fused_norm)
        return s->k->dy[0].p + r.first * *ld;
    reader_copy(s, r, scratch, *ld);
    return scratch;
}

bool always(const struct node *n, bool dx) { return (void)n, (void)dx, true; }

int partial_count(int blocks) { return min_int(blocks, MAX_PARTIALS); }

struct block_span partial_at(int blocks, int index)
{
    const int count = partial_count(blocks);
    return (struct block_span){ (int)((ptrdiff_t)blocks * index / count),
                                (int)((ptrdiff_t)blocks * (index + 1) / count) };
}

/* dw is summed in chunks of CHUNK elements. */
enum { CHUNK = 4096 };

struct sum_job { struct view dw; bool add, by_tap; const real *partials; int count; ptrdiff_t stride, elements; };

static void sum_chunk(const void *job, int chunk)
{
    const struct sum_job *s = job;
    const ptrdiff_t taps = (ptrdiff_t)s->dw.h * s->dw.w, from = (ptrdiff_t)chunk * CHUNK;
    for (ptrdiff_t i = from; i < from + CHUNK && i < s->elements; i++) {
        const real *p = s->partials + (s->by_tap ? i % taps * s->dw.n + i / taps : i);
        real sum = 0;
        for (int part = 0; part < s->count; part++)
            sum += p[part * s->stride];
        store(&s->dw.p[i], s->add, sum);
    }
}

void sum_partials(const struct call *k, const real *partials, int count, ptrdiff_t stride, bool by_tap)
{
    const struct shape w = k->node->x[WEIGHT];
    const ptrdiff_t elements = (ptrdiff_t)w.n * w.h * w.w * w.c;
    const struct sum_job job = { k->dx[WEIGHT], k->add[WEIGHT], by_tap, partials, count, stride, elements };
    team_for(k->team, (int)((elements + CHUNK - 1) / CHUNK), sum_chunk, &job);
}

/* db[o] = sum over all pixels of dy[o]: first within chunks of pixels, then over the chunks in order. */
static void bias_chunk(const void *job, int chunk)
{
    const struct call *k = job;
    const struct view dy = k->dy[0];
    const struct operand_reader reader = { k, true, dy.c };
    const struct range r = chunk_range(pixels(dy), dy.c, chunk);
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
    const struct view dy = k->dy[0];
    const int chunks = chunk_count(pixels(dy), dy.c);
    team_for(k->team, chunks, bias_chunk, k);
    for (int o = 0; o < dy.c; o++) {
        double sum = 0;
        for (int chunk = 0; chunk < chunks; chunk++)
            sum += ((const real *)k->work)[(ptrdiff_t)chunk * dy.c + o];
        store(&k->dx[BIAS].p[o], k->add[BIAS], (real)sum);
    }
}

/* The first algorithm that fits. */
static const struct conv_algorithm *algorithm(const struct node *n)
{
    static const struct conv_algorithm *const algorithms[] = {
        &conv_depthwise, &conv_winograd_1d, &conv_amx, &conv_winograd, &conv_dense };
    int i = 0;
    while (!algorithms[i]->fits(n))
        i++;
    return algorithms[i];
}

static size_t work(const struct node *n, enum pass pass)
{
    const size_t own = algorithm(n)->work(n, pass);
    const struct shape y = n->y[0];
    const size_t bias = has_bias(n) && pass == BACKWARD
        ? (size_t)chunk_count((ptrdiff_t)y.n * y.h * y.w, y.c) * (size_t)y.c * sizeof(real) : 0;
    return own > bias ? own : bias;
}

/* Packed memory: the algorithm's weights, then scale and shift of a folded norm. */
static size_t packed_weights(const struct node *n)
{
    return (algorithm(n)->packed(n) + sizeof(real) - 1) / sizeof(real) * sizeof(real);
}

static size_t packed(const struct node *n)
{
    return packed_weights(n) + (n->attr.conv.norm ? 2 * (size_t)n->y[0].c * sizeof(real) : 0);
}

static real *epilogue(const struct call *k)
{
    return (real *)(void *)((char *)k->packed + packed_weights(k->node));
}

static void pack(const struct call *k)
{
    const int channels = k->node->y[0].c;
    const struct view *norm = &k->x[k->node->attr.conv.norm];
    real *to = epilogue(k);
    algorithm(k->node)->pack(k);
    for (int c = 0; k->node->attr.conv.norm && c < channels; c++) {
        const double rstd = norm_rstd(norm[3].p[c], k->node->attr.conv.eps);
        norm_affine(norm[2].p[c], rstd, norm[0].p[c], norm[1].p[c], &to[c], &to[channels + c]);
    }
}

struct affine epilogue_of(const struct call *k)
{
    const struct node *n = k->node;
    const real *scale = epilogue(k);
    return n->attr.conv.norm ? (struct affine){ scale, scale + n->y[0].c, n->attr.conv.act, n->attr.conv.slope }
                             : (struct affine){ .act = ACT_NONE };
}

void apply_epilogue(const struct call *k, int count, const real *sums, int ld, real *y, int ldy)
{
    const struct affine f = epilogue_of(k);
    if (f.scale || sums != y)
        k->kernels->activate(&f, count, k->node->y[0].c, sums, ld, y, ldy);
}

static size_t scratch(const struct node *n, enum pass pass)
{
    const size_t own = algorithm(n)->scratch(n, pass);
    const size_t bias = has_bias(n) && pass == BACKWARD ? chunk_bytes(n->y[0].c) : 0;
    return own > bias ? own : bias;
}

static int output_blocks(const struct node *n)
{
    return algorithm(n)->output_blocks ? algorithm(n)->output_blocks(n) : 0;
}

static struct range output_block(const struct node *n, int index) { return algorithm(n)->output_block(n, index); }

static bool reads_dy_once(const struct node *n, bool dx)
{
    return algorithm(n)->reads_dy_once && algorithm(n)->reads_dy_once(n, dx);
}

static void forward(const struct call *k) { algorithm(k->node)->forward(k); }

static void backward(const struct call *k)
{
    if (k->dx[INPUT].p || k->dx[WEIGHT].p)
        algorithm(k->node)->backward(k);
    if (has_bias(k->node) && k->dx[BIAS].p)
        bias_backward(k);
}

static double macs(const struct node *n)
{
    const struct shape y = n->y[0], w = n->x[WEIGHT];
    return (double)y.n * y.h * y.w * y.c * w.h * w.w * w.c;
}

const struct op op_conv = {
    .name = "conv", .in_min = 2, .in_max = 7, .bwd_reads_x = 1 << INPUT | 1 << WEIGHT, .takes_deferred = 1 << INPUT,
    .takes_levels = 1 << INPUT, .shape = shape, .packed = packed, .work = work, .scratch = scratch, .pack = pack,
    .forward = forward, .backward = backward, .macs = macs, .output_blocks = output_blocks,
    .output_block = output_block, .reads_dy_once = reads_dy_once };
