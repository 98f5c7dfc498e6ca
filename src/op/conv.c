/* op/conv.c -- convolution: its shape, what its ways to compute it share, and the gradient of its bias. */
#include "op/conv.h"

#include "base/least.h"
#include "kernel/kernels.h"
#include "op/norm.h"
#include <string.h>

static bool shape(struct node *n, struct error *err)
{
    const struct shape *x = &n->x[INPUT], *w = &n->x[WEIGHT];
    const int stride = n->attr.conv.stride, pad = n->attr.conv.pad, groups = n->attr.conv.groups;
    if (stride < 1 || pad < 0 || groups < 1 || x->c % groups || w->n % groups || w->c != x->c / groups)
        return fail(err, "%d channels, %d outputs and %d inputs a group do not fit %d groups", x->c, w->n, w->c,
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

int widest(const struct shape *s)
{
    int width = s->w;
    for (int l = 0; l < s->lv.count; l++)
        width = most(width, s->lv.w[l]);
    return width;
}

int block_rows(ptrdiff_t numbers, ptrdiff_t width)
{
    return width >= numbers ? 1 : (int)(numbers / width);
}

struct block level_of(const struct shape *s, int level)
{
    struct block b = { .level = level, .h = s->lv.count ? s->lv.h[level] : s->h,
                       .w = s->lv.count ? s->lv.w[level] : s->w };
    for (int l = 0; l < level; l++)
        b.first += (ptrdiff_t)s->n * s->lv.h[l] * s->lv.w[l];
    return b;
}

struct block rows_of(const struct shape *s, int level, int image, int row, int end)
{
    struct block b = level_of(s, level);
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
        count += s->n * ((level_of(s, l).h + rows - 1) / rows);
    return count;
}

struct block block_at(const struct shape *s, int rows, int index)
{
    for (int l = 0;; l++) {
        const int h = level_of(s, l).h, an_image = (h + rows - 1) / rows, row = index % an_image * rows;
        if (index < s->n * an_image)
            return rows_of(s, l, index / an_image, row, least(h, row + rows));
        index -= s->n * an_image;
    }
}

struct rows input_rows(const struct call *k, struct block out, real *scratch)
{
    const struct node *n = k->node;
    const int stride = n->attr.conv.stride, pad = n->attr.conv.pad, h = level_of(&n->x[INPUT], out.level).h;
    const int from = most(0, least(h, out.row * stride - pad));
    const int end = most(from, least(h, (out.row + out.rows - 1) * stride - pad + n->x[WEIGHT].h));
    const struct block in = rows_of(&n->x[INPUT], out.level, out.image, from, end);
    struct rows rows = { .first = from };
    rows.p = values(k, INPUT, pixels_of(in), scratch, &rows.ld);
    return rows;
}

size_t input_rows_bytes(const struct node *n, int output_rows)
{
    const int rows = (output_rows - 1) * n->attr.conv.stride + n->x[WEIGHT].h;
    return (size_t)rows * (size_t)widest(&n->x[INPUT]) * (size_t)n->x[INPUT].c * sizeof(real);
}

struct rows gradient_rows(const struct call *k, struct block in, real *scratch)
{
    const struct node *n = k->node;
    const int stride = n->attr.conv.stride, reach = in.row + n->attr.conv.pad, h = level_of(&n->y[0], in.level).h;
    const int from = least(h, (most(0, reach - n->x[WEIGHT].h + 1) + stride - 1) / stride);
    const int end = most(from, least(h, (reach + in.rows - 1) / stride + 1));
    const struct block out = rows_of(&n->y[0], in.level, in.image, from, end);
    const struct source dy = { k, true, n->y[0].c };
    struct rows rows = { .first = from };
    rows.p = source_values(&dy, pixels_of(out), scratch, &rows.ld);
    return rows;
}

size_t gradient_rows_bytes(const struct node *n, int input_rows)
{
    const int rows = (input_rows + n->x[WEIGHT].h - 2) / n->attr.conv.stride + 1;
    return (size_t)rows * (size_t)widest(&n->y[0]) * (size_t)n->y[0].c * sizeof(real);
}

void write_source(const struct source *s, struct range r, real *to, int ld)
{
    const struct view *dy = &s->k->dy[0];
    if (s->gradient && s->k->behind)
        s->k->behind->node->op->gradient(s->k->behind, r, to, ld);
    else if (s->gradient)
        s->k->kernels->store_rows(r.count, s->c, dy->p + r.first * dy->ld, dy->ld, false, to, ld);
    else
        write_values(s->k, INPUT, r, to, ld);
}

const real *source_values(const struct source *s, struct range r, real *scratch, int *ld)
{
    if (!s->gradient)
        return values(s->k, INPUT, r, scratch, ld);
    *ld = s->k->behind ? s->c : s->k->dy[0].ld;
    if (!s->k->behind)
        return s->k->dy[0].p + r.first * *ld;
    write_source(s, r, scratch, *ld);
    return scratch;
}

bool always(const struct node *n, bool dx) { return (void)n, (void)dx, true; }

int part_count(int blocks) { return least(blocks, PARTS); }

struct part part_at(int blocks, int part)
{
    const int parts = part_count(blocks);
    return (struct part){ (int)((ptrdiff_t)blocks * part / parts), (int)((ptrdiff_t)blocks * (part + 1) / parts) };
}

/* dw is cut into chunks of CHUNK numbers. */
enum { CHUNK = 4096 };

struct sum_job { struct view dw; bool add, by_tap; const real *parts; int count; ptrdiff_t stride, numbers; };

static void sum_chunk(const void *job, int chunk)
{
    const struct sum_job *s = job;
    const ptrdiff_t taps = (ptrdiff_t)s->dw.h * s->dw.w, from = (ptrdiff_t)chunk * CHUNK;
    for (ptrdiff_t i = from; i < from + CHUNK && i < s->numbers; i++) {
        const real *p = s->parts + (s->by_tap ? i % taps * s->dw.n + i / taps : i);
        real sum = 0;
        for (int part = 0; part < s->count; part++)
            sum += p[part * s->stride];
        store(&s->dw.p[i], s->add, sum);
    }
}

void sum_parts(const struct call *k, const real *parts, int count, ptrdiff_t stride, bool by_tap)
{
    const struct shape w = k->node->x[WEIGHT];
    const ptrdiff_t numbers = (ptrdiff_t)w.n * w.h * w.w * w.c;
    const struct sum_job job = { k->dx[WEIGHT], k->add[WEIGHT], by_tap, parts, count, stride, numbers };
    team_for(k->team, (int)((numbers + CHUNK - 1) / CHUNK), sum_chunk, &job);
}

/* db[o] = sum over all pixels of dy[o]: chunks of pixels, then the chunks in order. */
static void bias_chunk(const void *job, int chunk)
{
    const struct call *k = job;
    const struct view dy = k->dy[0];
    const struct source source = { k, true, dy.c };
    const struct range r = chunk_range(pixels(dy), dy.c, chunk);
    real *sum = (real *)k->work + (ptrdiff_t)chunk * dy.c;
    int ld;
    const real *p = source_values(&source, r, call_scratch(k), &ld);
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

/* The first way that fits. */
static const struct conv_way *way(const struct node *n)
{
    static const struct conv_way *const ways[] = { &conv_depthwise, &conv_strips, &conv_tiles, &conv_winograd,
                                                   &conv_dense };
    int i = 0;
    while (!ways[i]->fits(n))
        i++;
    return ways[i];
}

static size_t work(const struct node *n, enum pass pass)
{
    const size_t own = way(n)->work(n, pass);
    const struct shape y = n->y[0];
    const size_t bias = has_bias(n) && pass == BACKWARD
        ? (size_t)chunk_count((ptrdiff_t)y.n * y.h * y.w, y.c) * (size_t)y.c * sizeof(real) : 0;
    return own > bias ? own : bias;
}

/* What the way packs; then, if a norm ends the convolution, its scale and shift. */
static size_t packed_weights(const struct node *n)
{
    return (way(n)->packed(n) + sizeof(real) - 1) / sizeof(real) * sizeof(real);
}

static size_t packed(const struct node *n)
{
    return packed_weights(n) + (n->attr.conv.norm ? 2 * (size_t)n->y[0].c * sizeof(real) : 0);
}

static real *finish(const struct call *k)
{
    return (real *)(void *)((char *)k->packed + packed_weights(k->node));
}

static void pack(const struct call *k)
{
    const int channels = k->node->y[0].c;
    const struct view *norm = &k->x[k->node->attr.conv.norm];
    real *to = finish(k);
    way(k->node)->pack(k);
    for (int c = 0; k->node->attr.conv.norm && c < channels; c++) {
        const double rstd = norm_rstd(norm[3].p[c], k->node->attr.conv.eps);
        norm_affine(norm[2].p[c], rstd, norm[0].p[c], norm[1].p[c], &to[c], &to[channels + c]);
    }
}

struct affine finish_of(const struct call *k)
{
    const struct node *n = k->node;
    const real *scale = finish(k);
    return n->attr.conv.norm ? (struct affine){ scale, scale + n->y[0].c, n->attr.conv.act, n->attr.conv.slope }
                             : (struct affine){ .act = ACT_NONE };
}

void write_finished(const struct call *k, int count, const real *sums, int ld, real *y, int ldy)
{
    const struct affine f = finish_of(k);
    if (f.scale || sums != y)
        k->kernels->activate(&f, count, k->node->y[0].c, sums, ld, y, ldy);
}

static size_t scratch(const struct node *n, enum pass pass)
{
    const size_t own = way(n)->scratch(n, pass), bias = has_bias(n) && pass == BACKWARD ? chunk_bytes(n->y[0].c) : 0;
    return own > bias ? own : bias;
}

static int parts(const struct node *n) { return way(n)->parts ? way(n)->parts(n) : 0; }
static struct range part(const struct node *n, int index) { return way(n)->part(n, index); }
static bool reads_once(const struct node *n, bool dx) { return way(n)->reads_once && way(n)->reads_once(n, dx); }

static void forward(const struct call *k) { way(k->node)->forward(k); }

static void backward(const struct call *k)
{
    if (k->dx[INPUT].p || k->dx[WEIGHT].p)
        way(k->node)->backward(k);
    if (has_bias(k->node) && k->dx[BIAS].p)
        bias_backward(k);
}

static double macs(const struct node *n)
{
    const struct shape y = n->y[0], w = n->x[WEIGHT];
    return (double)y.n * y.h * y.w * y.c * w.h * w.w * w.c;
}

const struct op op_conv = {
    .name = "conv", .in_min = 2, .in_max = 7, .bwd_reads_x = 1 << INPUT | 1 << WEIGHT, .takes_lazy = 1 << INPUT,
    .takes_levels = 1 << INPUT, .shape = shape, .packed = packed, .work = work, .scratch = scratch, .pack = pack,
    .forward = forward, .backward = backward, .macs = macs, .parts = parts, .part = part, .reads_once = reads_once };
