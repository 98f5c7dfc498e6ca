/* op/conv_winograd.c -- 3x3 convolutions of stride 1 by tiles of 4x4 outputs (kernel/winograd.h).  A band of them,
 * some rows of tiles of one level, is transformed, multiplied and transformed back in scratch.  dx is the same with
 * turned filters; dw is summed in parts before its transform. */
#include "base/least.h"
#include "kernel/kernels.h"
#include "op/conv.h"
#include <string.h>

/* Tiles a band, where there are MANY and where there are few, which small bands share out better. */
enum { LONG = 64, SHORT = 32, MANY = 1024,
       FEWEST = 16,                             /* channels and outputs: with fewer the transforms cost more */
       TILE = WINOGRAD_TILE, PATCH = WINOGRAD_PATCH, PLANES = WINOGRAD_PLANES };

static bool fits(const struct node *n)
{
    const struct shape w = n->x[WEIGHT];
    return !n->attr.conv.direct && w.h == 3 && w.w == 3 && n->attr.conv.stride == 1 && n->attr.conv.pad == 1
        && n->attr.conv.groups == 1 && w.c >= FEWEST && w.n >= FEWEST;
}

static int tiles_along(int extent) { return (extent + TILE - 1) / TILE; }

/* Rows of tiles [row, row + rows) of a level, image after image; across, down: tiles of an image. */
struct band { struct block level; int across, down, row, rows; };

static int tiles_a_band(const struct node *n)
{
    const struct shape y = n->y[0];
    return (ptrdiff_t)y.n * y.h * y.w < MANY * TILE * TILE ? SHORT : LONG;
}

static struct band first_band(const struct node *n, int level)
{
    const struct block of = level_of(&n->y[0], level);
    const int across = tiles_along(of.w);
    return (struct band){ of, across, tiles_along(of.h), 0, most(1, tiles_a_band(n) / across) };
}

/* Of a level, by its first. */
static int bands_as(const struct node *n, struct band first)
{
    return (n->y[0].n * first.down + first.rows - 1) / first.rows;
}

static int bands(const struct node *n)
{
    int count = 0;
    for (int l = 0; l < level_count(&n->y[0].lv); l++)
        count += bands_as(n, first_band(n, l));
    return count;
}

static struct band band_at(const struct node *n, int index)
{
    for (int l = 0;; l++) {
        struct band b = first_band(n, l);
        const int count = bands_as(n, b);
        if (index < count) {
            b.row = index * b.rows;
            b.rows = least(b.rows, n->y[0].n * b.down - b.row);
            return b;
        }
        index -= count;
    }
}

/* Tiles of the longest band. */
static int longest(const struct node *n) { return most(tiles_a_band(n), tiles_along(widest(&n->y[0]))); }

/* The rows and columns of a tile's outputs: [y, y + TILE) and [x, x + TILE), cut at h and w; image: its first pixel. */
struct tile { int y, x, h, w; ptrdiff_t image; };

static struct tile tile_of(const struct band *b, int index)
{
    const int row = b->row + index / b->across;
    return (struct tile){ row % b->down * TILE, index % b->across * TILE, b->level.h, b->level.w,
                          b->level.first + (ptrdiff_t)(row / b->down) * b->level.h * b->level.w };
}

/* The pixels [y, y + side) x [x, x + side) of a tile's image; 0 outside. */
static void read_patch(const struct source *s, const struct tile *t, int y, int x, int side, real *patch)
{
    const int left = most(0, -x), right = least(side, t->w - x);
    for (int i = 0; i < side; i++) {
        real *row = patch + (ptrdiff_t)i * side * s->c;
        const ptrdiff_t first = t->image + (ptrdiff_t)(y + i) * t->w + x + left;
        if (y + i < 0 || y + i >= t->h || left >= right || left > 0 || right < side)
            memset(row, 0, (size_t)side * (size_t)s->c * sizeof *row);
        if (y + i < 0 || y + i >= t->h || left >= right)
            continue;
        row += left * s->c;
        write_source(s, (struct range){ first, right - left }, row, s->c);
    }
}

/* The outputs of a tile that lie in the image. */
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

static void finish_tile(const struct call *k, const struct tile *t, struct view y)
{
    for (int i = 0; i < TILE && t->y + i < t->h; i++) {
        real *row = y.p + (t->image + (ptrdiff_t)(t->y + i) * t->w + t->x) * y.ld;
        write_finished(k, least(TILE, t->w - t->x), row, y.ld, row, y.ld);
    }
}

/* A convolution of `inputs` to `outputs` channels with filters u [PLANES][inputs][outputs]. */
struct pass_job {
    struct source source;
    int inputs, outputs;
    const real *u, *bias;
    bool add;
    struct view to;
};

static void pass_band(const void *job, int index)
{
    const struct pass_job *p = job;
    const struct call *k = p->source.k;
    const struct band b = band_at(k->node, index);
    const int count = b.rows * b.across, length = longest(k->node);
    const ptrdiff_t in_plane = (ptrdiff_t)length * p->inputs, out_plane = (ptrdiff_t)length * p->outputs;
    real *v = call_scratch(k), *m = v + PLANES * in_plane, *patch = m + PLANES * out_plane;
    for (int i = 0; i < count; i++) {
        const struct tile t = tile_of(&b, i);
        read_patch(&p->source, &t, t.y - 1, t.x - 1, PATCH, patch);
        k->kernels->winograd.input(p->inputs, patch, p->inputs, v + (ptrdiff_t)i * p->inputs, in_plane);
    }
    for (int e = 0; e < PLANES; e++)
        k->kernels->gemm_near(false, count, p->outputs, p->inputs, v + e * in_plane, p->inputs,
                              p->u + (ptrdiff_t)e * p->inputs * p->outputs, p->outputs, false, m + e * out_plane,
                              p->outputs);
    for (int i = 0; i < count; i++) {
        const struct tile t = tile_of(&b, i);
        k->kernels->winograd.output(p->outputs, m + (ptrdiff_t)i * p->outputs, out_plane, patch, p->outputs);
        write_tile(&t, patch, p->outputs, p->bias, p->add, p->to);
        if (k->node->attr.conv.norm)
            finish_tile(k, &t, p->to);
    }
    if (!p->source.gradient)
        hand_over(k, index);
}

static void run_pass(const struct pass_job *p)
{
    team_for(p->source.k->team, bands(p->source.k->node), pass_band, p);
}

static ptrdiff_t weights(const struct node *n) { return (ptrdiff_t)n->x[WEIGHT].n * n->x[WEIGHT].c; }

static size_t packed(const struct node *n) { return (size_t)weights(n) * PLANES * sizeof(real); }

static int dw_parts(const struct node *n) { return part_count(bands(n)); }

/* u, then the parts of dw. */
static size_t work(const struct node *n, enum pass pass)
{
    return pass == FORWARD ? 0 : packed(n) * (size_t)(1 + dw_parts(n));
}

static size_t scratch(const struct node *n, enum pass pass)
{
    const int c = n->x[WEIGHT].c, o = n->x[WEIGHT].n;
    return (void)pass, PLANES * ((size_t)longest(n) * (size_t)(c + o) + (size_t)most(c, o)) * sizeof(real);
}

/* u[.][c][o] of the filters w[o][tap][c]: they are turned to [tap][o] first. */
static void forward_filters(const void *job, int c)
{
    const struct call *k = job;
    const struct shape w = k->node->x[WEIGHT];
    real *turned = call_scratch(k);
    for (int tap = 0; tap < 9; tap++)
        for (int o = 0; o < w.n; o++)
            turned[tap * w.n + o] = k->x[WEIGHT].p[((ptrdiff_t)o * 9 + tap) * w.c + c];
    k->kernels->winograd.filter(w.n, turned, w.n, (real *)k->packed + (ptrdiff_t)c * w.n, weights(k->node));
}

static void pack(const struct call *k)
{
    team_for(k->team, k->node->x[WEIGHT].c, forward_filters, k);
}

/* u[.][o][c] of the filters turned by half a circle: tap 8 - t in the place of t. */
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
    const struct pass_job job = {
        .source = { k, false, n->x[WEIGHT].c }, .inputs = n->x[WEIGHT].c,
        .outputs = n->x[WEIGHT].n, .u = k->packed,
        .bias = has_bias(n) ? k->x[BIAS].p : NULL, .to = k->y[0] };
    run_pass(&job);
}

/* m[.][o][c] of a part: the sum over its tiles of (A dY A^T)[o] (B^T d B)[c]. */
static void dw_part(const void *job, int index)
{
    const struct call *k = job;
    const struct node *n = k->node;
    const int c = n->x[WEIGHT].c, o = n->x[WEIGHT].n, length = longest(n);
    const struct part part = part_at(bands(n), index);
    const struct source in = { k, false, c }, out = { k, true, o };
    const ptrdiff_t in_plane = (ptrdiff_t)length * c, out_plane = (ptrdiff_t)length * o;
    real *v = call_scratch(k), *z = v + PLANES * in_plane, *patch = z + PLANES * out_plane;
    real *m = (real *)k->work + PLANES * weights(n) * (1 + index);
    for (int band = part.from; band < part.to; band++) {
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
            k->kernels->gemm_near(true, o, c, count, z + e * out_plane, o, v + e * in_plane, c, band > part.from,
                                  m + e * weights(n), c);
    }
}

/* dw[o] from the parts, added in order in the place of the first. */
static void dw_output(const void *job, int o)
{
    const struct call *k = job;
    const struct node *n = k->node;
    const int c = n->x[WEIGHT].c, parts = dw_parts(n);
    real *m = (real *)k->work + PLANES * weights(n) + (ptrdiff_t)o * c, *dg = call_scratch(k);
    for (int part = 1; part < parts; part++)
        for (int e = 0; e < PLANES; e++)
            k->kernels->store_rows(1, c, m + (part * PLANES + e) * weights(n), c, true, m + e * weights(n), c);
    k->kernels->winograd.filter_gradient(c, m, weights(n), dg, c);
    k->kernels->store_rows(9, c, dg, c, k->add[WEIGHT], k->dx[WEIGHT].p + (ptrdiff_t)o * 9 * c, c);
}

static void backward(const struct call *k)
{
    const struct node *n = k->node;
    const struct pass_job job = {
        .source = { k, true, n->x[WEIGHT].n }, .inputs = n->x[WEIGHT].n,
        .outputs = n->x[WEIGHT].c, .u = k->work, .add = k->add[INPUT], .to = k->dx[INPUT] };
    if (k->dx[INPUT].p) {
        team_for(k->team, n->x[WEIGHT].n, backward_filters, k);
        run_pass(&job);
    }
    if (k->dx[WEIGHT].p) {
        team_for(k->team, dw_parts(n), dw_part, k);
        team_for(k->team, n->x[WEIGHT].n, dw_output, k);
    }
}

/* The first pixel of a row of tiles; of the row behind the last, the end. */
static ptrdiff_t pixel_from(const struct band *b, int row)
{
    return b->level.first + ((ptrdiff_t)(row / b->down) * b->level.h + row % b->down * TILE) * b->level.w;
}

static struct range part(const struct node *n, int index)
{
    const struct band b = band_at(n, index);
    const ptrdiff_t first = pixel_from(&b, b.row);
    return (struct range){ first, (int)(pixel_from(&b, b.row + b.rows) - first) };
}

/* Tiles read dy three times over: a norm behind makes its gradient once. */
const struct conv_way conv_winograd = { fits, packed, work, scratch, pack, forward, backward, bands, part, NULL };
