/* op/conv/winograd.c -- 3x3 convolutions of stride 1 by Winograd's F(4x4, 3x3) (kernel/winograd.h).  A band of tiles,
 * some rows of tiles of one level, is transformed, multiplied and transformed back in scratch.  dx is the same with
 * filters rotated by 180 degrees.  dw is summed in the transformed domain, as partial sums. */
#include "base/min_max.h"
#include "op/conv/reader.h"
#include "op/conv/writer.h"
#include <string.h>

/* Tiles per band.  Images with fewer than MANY_TILES tiles have small bands, which divide better among threads. */
enum { LARGE_BAND = 64, SMALL_BAND = 32, MANY_TILES = 64,
       MIN_CHANNELS = 16,                       /* channels and outputs: with fewer the transforms cost more */
       TILE = WINOGRAD_TILE, PATCH = WINOGRAD_PATCH, PLANES = WINOGRAD_PLANES };

static bool fits(const struct node *n)
{
    const struct conv_attr *attr = conv_attr(n);
    return n->x[WEIGHT].h == 3 && n->x[WEIGHT].w == 3 && attr->stride == 1 && attr->pad == 1 && attr->groups == 1;
}

static bool pays(const struct node *n, bool training)
{
    return (void)training, inputs(n) >= MIN_CHANNELS && outputs(n) >= MIN_CHANNELS;
}

static int tiles_per_band(const struct node *n)
{
    return (ptrdiff_t)n->y[0].h * n->y[0].w < MANY_TILES * TILE * TILE ? SMALL_BAND : LARGE_BAND;
}

static int blocks(const struct node *n, int end) { return band_count(&n->y[0], n->parts, end, tiles_per_band(n)); }

static struct band band_of(const struct node *n, int index)
{
    return band_at(&n->y[0], n->parts, tiles_per_band(n), index);
}

static struct range block(const struct node *n, int index)
{
    const struct band b = band_of(n, index);
    return band_pixels(&b);
}

/* Tiles of the largest band. */
static int longest(const struct node *n) { return max_int(tiles_per_band(n), tiles_along(max_level_width(&n->y[0]))); }

/* Copies the pixels [y, y + side) x [x, x + side) of a tile's image; 0 outside. */
static void read_patch(const struct operand_reader *s, const struct tile *t, int y, int x, int side, real *patch)
{
    const int left = max_int(0, -x), right = min_int(side, t->w - x);
    for (int i = 0; i < side; i++) {
        real *row = patch + (ptrdiff_t)i * side * s->c;
        const ptrdiff_t first = t->image + (ptrdiff_t)(y + i) * t->w + x + left;
        if (y + i < 0 || y + i >= t->h || left >= right || left > 0 || right < side)
            memset(row, 0, (size_t)side * (size_t)s->c * sizeof *row);
        if (y + i < 0 || y + i >= t->h || left >= right)
            continue;
        row += left * s->c;
        reader_copy(s, (struct range){ first, right - left }, row, s->c);
    }
}

/* Writes the outputs of a tile that are inside the image. */
static void write_tile(const struct tile *t, const real *from, int c, const real *bias, bool add, struct view y)
{
    for (int i = 0; i < TILE && t->y + i < t->h; i++)
        for (int j = 0; j < TILE && t->x + j < t->w; j++) {
            real *to = y.p + (t->image + (ptrdiff_t)(t->y + i) * t->w + t->x + j) * y.ld;
            const real *sum = from + (ptrdiff_t)(i * TILE + j) * c;
            for (int o = 0; o < c; o++)
                to[o] = sum[o] + (bias ? bias[o] : 0) + (add ? to[o] : 0);
        }
}

/* A convolution of `inputs` to `outputs` channels with filters u [PLANES][inputs][outputs]. */
struct winograd_pass {
    struct operand_reader reader;
    int inputs, outputs;
    const real *u, *bias;
    struct view to;
};

static void apply_epilogue(const struct call *k, const struct tile *t)
{
    const struct view y = k->y[0];
    for (int i = 0; i < TILE && t->y + i < t->h; i++) {
        const ptrdiff_t first = t->image + (ptrdiff_t)(t->y + i) * t->w + t->x;
        write_pixels(k, FORWARD, first, min_int(TILE, t->w - t->x), y.p + first * y.ld, y.ld);
    }
}

static void run_band(const struct winograd_pass *p, int index)
{
    const struct call *k = p->reader.k;
    const bool backward = p->reader.pass == BACKWARD;
    const struct band b = band_of(k->node, index);
    const int count = b.rows * b.across, length = longest(k->node);
    const ptrdiff_t in_plane = (ptrdiff_t)length * p->inputs, out_plane = (ptrdiff_t)length * p->outputs;
    real *v = call_scratch(k), *m = v + PLANES * in_plane, *patch = m + PLANES * out_plane;
    for (int i = 0; i < count; i++) {
        const struct tile t = tile_of(&b, i);
        read_patch(&p->reader, &t, t.y - 1, t.x - 1, PATCH, patch);
        k->kernels->winograd.input(p->inputs, patch, p->inputs, v + (ptrdiff_t)i * p->inputs, in_plane);
    }
    for (int e = 0; e < PLANES; e++)
        k->kernels->gemm_unpacked(false, count, p->outputs, p->inputs, v + e * in_plane, p->inputs,
                                  p->u + (ptrdiff_t)e * p->inputs * p->outputs, p->outputs, false, m + e * out_plane,
                                  p->outputs);
    for (int i = 0; i < count; i++) {
        const struct tile t = tile_of(&b, i);
        k->kernels->winograd.output(p->outputs, m + (ptrdiff_t)i * p->outputs, out_plane, patch, p->outputs);
        write_tile(&t, patch, p->outputs, p->bias, backward && k->add[INPUT], p->to);
        if (conv_attr(k->node)->norm)
            apply_epilogue(k, &t);
    }
}

/* Elements of a plane of filters. */
static ptrdiff_t weights(const struct node *n) { return (ptrdiff_t)n->x[WEIGHT].n * n->x[WEIGHT].c; }

static size_t packed(const struct node *n, enum pass pass)
{
    return (void)pass, (size_t)weights(n) * PLANES * sizeof(real);
}

static ptrdiff_t partial_elements(const struct node *n) { return PLANES * weights(n); }

static size_t scratch(const struct node *n, enum pass pass)
{
    const int c = n->x[WEIGHT].c, o = n->x[WEIGHT].n;
    return (void)pass, PLANES * ((size_t)longest(n) * (size_t)(c + o) + (size_t)max_int(c, o)) * sizeof(real);
}

/* u[.][c][o] of the filters w[o][tap][c], which are transposed to [tap][o] first. */
static void forward_filters(const void *job, int c)
{
    const struct call *k = job;
    const struct shape w = k->node->x[WEIGHT];
    real *transposed = call_scratch(k);
    for (int tap = 0; tap < 9; tap++)
        for (int o = 0; o < w.n; o++)
            transposed[tap * w.n + o] = k->x[WEIGHT].p[((ptrdiff_t)o * 9 + tap) * w.c + c];
    k->kernels->winograd.filter(w.n, transposed, w.n, (real *)k->packed + (ptrdiff_t)c * w.n, weights(k->node));
}

static void pack(const struct call *k)
{
    team_for(k->team, k->node->x[WEIGHT].c, forward_filters, k);
}

/* u[.][o][c] of the filters rotated by 180 degrees: tap 8 - t in the place of t. */
static void backward_filters(const void *job, int o)
{
    const struct call *k = job;
    const struct shape w = k->node->x[WEIGHT];
    const real *last_tap = k->x[WEIGHT].p + ((ptrdiff_t)o * 9 + 8) * w.c;
    k->kernels->winograd.filter(w.c, last_tap, -(ptrdiff_t)w.c, (real *)k->work + (ptrdiff_t)o * w.c,
                                weights(k->node));
}

static void pack_dx(const struct call *k) { team_for(k->team, k->node->x[WEIGHT].n, backward_filters, k); }

static void forward_block(const struct call *k, int index)
{
    const struct node *n = k->node;
    run_band(&(struct winograd_pass){ reader_of(k, FORWARD), inputs(n), outputs(n), k->packed,
                                      has_bias(n) ? k->x[BIAS].p : NULL, k->y[0] }, index);
}

/* dx is the convolution of dy, which has the same size. */
static int dx_blocks(const struct node *n, bool dw) { return (void)dw, blocks(n, n->parts); }

static void dx_block(const struct call *k, int index)
{
    const struct node *n = k->node;
    run_band(&(struct winograd_pass){ reader_of(k, BACKWARD), outputs(n), inputs(n), k->work, NULL, k->dx[INPUT] },
             index);
}

/* A partial sum m[.][o][c] over the tiles of some bands of (A dY A^T)[o] (B^T d B)[c]. */
static void backward_block(const struct call *k, int index, struct partial partial)
{
    const struct node *n = k->node;
    const int c = inputs(n), o = outputs(n), length = longest(n);
    const struct operand_reader in = reader_of(k, FORWARD), out = reader_of(k, BACKWARD);
    const ptrdiff_t in_plane = (ptrdiff_t)length * c, out_plane = (ptrdiff_t)length * o;
    real *v = call_scratch(k), *z = v + PLANES * in_plane, *patch = z + PLANES * out_plane;
    const struct band b = band_of(n, index);
    const int count = b.rows * b.across;
    for (int i = 0; i < count; i++) {
        const struct tile t = tile_of(&b, i);
        read_patch(&in, &t, t.y - 1, t.x - 1, PATCH, patch);
        k->kernels->winograd.input(c, patch, c, v + (ptrdiff_t)i * c, in_plane);
        read_patch(&out, &t, t.y, t.x, TILE, patch);
        k->kernels->winograd.gradient(o, patch, o, z + (ptrdiff_t)i * o, out_plane);
    }
    for (int e = 0; e < PLANES; e++)
        k->kernels->gemm_unpacked(true, o, c, count, z + e * out_plane, o, v + e * in_plane, c, !partial.first,
                                  partial.dw + e * weights(n), c);
}

struct filter_sum { const struct call *k; real *partials; };

/* dw[o]: each part is transformed before the parts are added, so that processes can add theirs. */
static void dw_output(const void *job, int o)
{
    const struct filter_sum *s = job;
    const struct call *k = s->k;
    const struct node *n = k->node;
    const int c = inputs(n);
    const ptrdiff_t part = partials_per_part(n) * partial_elements(n);
    real *m = s->partials + (ptrdiff_t)o * c, *dg = call_scratch(k);
    for (int e = 0; e < PLANES; e++)
        add_within_parts(k, m + e * weights(n), partial_elements(n), c);
    for (int i = 0; i < n->parts; i++)
        k->kernels->winograd.filter_gradient(c, m + i * part, weights(n), dg + (ptrdiff_t)i * 9 * c, c);
    add_parts(k, dg, 9 * c, 9 * c);
    k->kernels->copy_rows(9, c, dg, c, k->add[WEIGHT], k->dx[WEIGHT].p + (ptrdiff_t)o * 9 * c, c);
}

static void sum(const struct call *k, real *partials)
{
    const struct filter_sum job = { k, partials };
    team_for(k->team, outputs(k->node), dw_output, &job);
}

/* dy is read three times, so a fused norm writes its gradient to memory instead. */
const struct conv_algorithm conv_winograd = {
    .name = "winograd", .fits = fits, .pays = pays, .blocks = blocks, .block = block, .packed = packed,
    .partial_elements = partial_elements, .scratch = scratch, .pack = pack, .pack_dx = pack_dx,
    .forward_block = forward_block, .backward_block = backward_block, .dx_blocks = dx_blocks, .dx_block = dx_block,
    .sum = sum };
