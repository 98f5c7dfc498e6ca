/* op/conv_winograd.c -- 3x3 convolutions of stride 1 by Winograd's F(4x4, 3x3) (kernel/winograd.h).  A band of tiles,
 * some rows of tiles of one level, is transformed, multiplied and transformed back in scratch.  dx is the same with
 * filters rotated by 180 degrees.  dw is summed in the transformed domain, as partial sums. */
#include "base/min_max.h"
#include "kernel/kernels.h"
#include "op/conv.h"
#include <string.h>

/* Tiles per band.  Layers with fewer than MANY_TILES tiles have small bands, which divide better among threads. */
enum { LARGE_BAND = 64, SMALL_BAND = 32, MANY_TILES = 1024,
       MIN_CHANNELS = 16,                       /* channels and outputs: with fewer the transforms cost more */
       TILE = WINOGRAD_TILE, PATCH = WINOGRAD_PATCH, PLANES = WINOGRAD_PLANES };

static bool fits(const struct node *n)
{
    const struct shape w = n->x[WEIGHT];
    return !n->attr.conv.direct && w.h == 3 && w.w == 3 && n->attr.conv.stride == 1 && n->attr.conv.pad == 1
        && n->attr.conv.groups == 1 && w.c >= MIN_CHANNELS && w.n >= MIN_CHANNELS;
}

static int tiles_along(int extent) { return (extent + TILE - 1) / TILE; }

/* Rows of tiles [row, row + rows) of a level, counted over its images; across, down: tiles of an image. */
struct band { struct block level; int across, down, row, rows; };

static int tiles_per_band(const struct node *n)
{
    const struct shape y = n->y[0];
    return (ptrdiff_t)y.n * y.h * y.w < MANY_TILES * TILE * TILE ? SMALL_BAND : LARGE_BAND;
}

static struct band first_band(const struct node *n, int level)
{
    const struct block of = level_block(&n->y[0], level);
    const int across = tiles_along(of.w);
    return (struct band){ of, across, tiles_along(of.h), 0, max_int(1, tiles_per_band(n) / across) };
}

/* Number of bands of a level, given its first band. */
static int bands_of_level(const struct node *n, struct band first)
{
    return (n->y[0].n * first.down + first.rows - 1) / first.rows;
}

static int bands(const struct node *n)
{
    int count = 0;
    for (int l = 0; l < level_count(&n->y[0].lv); l++)
        count += bands_of_level(n, first_band(n, l));
    return count;
}

static struct band band_at(const struct node *n, int index)
{
    for (int l = 0;; l++) {
        struct band b = first_band(n, l);
        const int count = bands_of_level(n, b);
        if (index < count) {
            b.row = index * b.rows;
            b.rows = min_int(b.rows, n->y[0].n * b.down - b.row);
            return b;
        }
        index -= count;
    }
}

/* Tiles of the largest band. */
static int longest(const struct node *n) { return max_int(tiles_per_band(n), tiles_along(max_level_width(&n->y[0]))); }

/* A tile's outputs: rows [y, y + TILE), columns [x, x + TILE), clipped at h and w.  image: the image's first pixel. */
struct tile { int y, x, h, w; ptrdiff_t image; };

static struct tile tile_of(const struct band *b, int index)
{
    const int row = b->row + index / b->across;
    return (struct tile){ row % b->down * TILE, index % b->across * TILE, b->level.h, b->level.w,
                          b->level.first + (ptrdiff_t)(row / b->down) * b->level.h * b->level.w };
}

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

static void apply_tile_epilogue(const struct call *k, const struct tile *t, struct view y)
{
    for (int i = 0; i < TILE && t->y + i < t->h; i++) {
        real *row = y.p + (t->image + (ptrdiff_t)(t->y + i) * t->w + t->x) * y.ld;
        apply_epilogue(k, min_int(TILE, t->w - t->x), row, y.ld, row, y.ld);
    }
}

/* A convolution of `inputs` to `outputs` channels with filters u [PLANES][inputs][outputs]. */
struct winograd_pass {
    struct operand_reader reader;
    int inputs, outputs;
    const real *u, *bias;
    bool add;
    struct view to;
};

static void pass_band(const void *job, int index)
{
    const struct winograd_pass *p = job;
    const struct call *k = p->reader.k;
    const struct band b = band_at(k->node, index);
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
        write_tile(&t, patch, p->outputs, p->bias, p->add, p->to);
        if (k->node->attr.conv.norm)
            apply_tile_epilogue(k, &t, p->to);
    }
    if (!p->reader.gradient)
        block_done(k, index);
}

static void run_pass(const struct winograd_pass *p)
{
    team_for(p->reader.k->team, bands(p->reader.k->node), pass_band, p);
}

static ptrdiff_t weights(const struct node *n) { return (ptrdiff_t)n->x[WEIGHT].n * n->x[WEIGHT].c; }

static size_t packed(const struct node *n) { return (size_t)weights(n) * PLANES * sizeof(real); }

static int dw_partials(const struct node *n) { return partial_count(bands(n)); }

/* The transformed filters u, then the partial sums of dw. */
static size_t work(const struct node *n, enum pass pass)
{
    return pass == FORWARD ? 0 : packed(n) * (size_t)(1 + dw_partials(n));
}

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

static void forward(const struct call *k)
{
    const struct node *n = k->node;
    const struct winograd_pass job = {
        .reader = { k, false, n->x[WEIGHT].c }, .inputs = n->x[WEIGHT].c,
        .outputs = n->x[WEIGHT].n, .u = k->packed,
        .bias = has_bias(n) ? k->x[BIAS].p : NULL, .to = k->y[0] };
    run_pass(&job);
}

/* A partial sum m[.][o][c] over the tiles of some bands of (A dY A^T)[o] (B^T d B)[c]. */
static void dw_partial(const void *job, int index)
{
    const struct call *k = job;
    const struct node *n = k->node;
    const int c = n->x[WEIGHT].c, o = n->x[WEIGHT].n, length = longest(n);
    const struct block_span span = partial_at(bands(n), index);
    const struct operand_reader in = { k, false, c }, out = { k, true, o };
    const ptrdiff_t in_plane = (ptrdiff_t)length * c, out_plane = (ptrdiff_t)length * o;
    real *v = call_scratch(k), *z = v + PLANES * in_plane, *patch = z + PLANES * out_plane;
    real *m = (real *)k->work + PLANES * weights(n) * (1 + index);
    for (int band = span.from; band < span.to; band++) {
        const struct band b = band_at(n, band);
        const int count = b.rows * b.across;
        for (int i = 0; i < count; i++) {
            const struct tile t = tile_of(&b, i);
            read_patch(&in, &t, t.y - 1, t.x - 1, PATCH, patch);
            k->kernels->winograd.input(c, patch, c, v + (ptrdiff_t)i * c, in_plane);
            read_patch(&out, &t, t.y, t.x, TILE, patch);
            k->kernels->winograd.gradient(o, patch, o, z + (ptrdiff_t)i * o, out_plane);
        }
        for (int e = 0; e < PLANES; e++)
            k->kernels->gemm_unpacked(true, o, c, count, z + e * out_plane, o, v + e * in_plane, c, band > span.from,
                                      m + e * weights(n), c);
    }
}

/* dw[o] from the partial sums, which are added in order to the first. */
static void dw_output(const void *job, int o)
{
    const struct call *k = job;
    const struct node *n = k->node;
    const int c = n->x[WEIGHT].c, partials = dw_partials(n);
    real *m = (real *)k->work + PLANES * weights(n) + (ptrdiff_t)o * c, *dg = call_scratch(k);
    for (int part = 1; part < partials; part++)
        for (int e = 0; e < PLANES; e++)
            k->kernels->copy_rows(1, c, m + (part * PLANES + e) * weights(n), c, true, m + e * weights(n), c);
    k->kernels->winograd.filter_gradient(c, m, weights(n), dg, c);
    k->kernels->copy_rows(9, c, dg, c, k->add[WEIGHT], k->dx[WEIGHT].p + (ptrdiff_t)o * 9 * c, c);
}

static void backward(const struct call *k)
{
    const struct node *n = k->node;
    const struct winograd_pass job = {
        .reader = { k, true, n->x[WEIGHT].n }, .inputs = n->x[WEIGHT].n,
        .outputs = n->x[WEIGHT].c, .u = k->work, .add = k->add[INPUT], .to = k->dx[INPUT] };
    if (k->dx[INPUT].p) {
        team_for(k->team, n->x[WEIGHT].n, backward_filters, k);
        run_pass(&job);
    }
    if (k->dx[WEIGHT].p) {
        team_for(k->team, dw_partials(n), dw_partial, k);
        team_for(k->team, n->x[WEIGHT].n, dw_output, k);
    }
}

/* The first pixel of a row of tiles; for the row after the last, the end. */
static ptrdiff_t pixel_from(const struct band *b, int row)
{
    return b->level.first + ((ptrdiff_t)(row / b->down) * b->level.h + row % b->down * TILE) * b->level.w;
}

static struct range output_block(const struct node *n, int index)
{
    const struct band b = band_at(n, index);
    const ptrdiff_t first = pixel_from(&b, b.row);
    return (struct range){ first, (int)(pixel_from(&b, b.row + b.rows) - first) };
}

/* dy is read three times, so a fused norm writes its gradient to memory instead. */
const struct conv_algorithm conv_winograd = {
    fits, packed, work, scratch, pack, forward, backward, bands, output_block, NULL };
