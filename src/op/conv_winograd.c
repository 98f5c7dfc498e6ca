/* op/conv_winograd.c -- 3x3 convolutions of stride 1 by tiles of 4x4 outputs (kernel/winograd.h).  The tiles of all
 * levels and images are one list, in the order of the pixels; a chunk of them is transformed, multiplied and
 * transformed back in scratch.  dx is the same with turned filters; dw is summed in parts before its transform. */
#include "base/least.h"
#include "kernel/kernels.h"
#include "op/conv.h"
#include <string.h>

enum { TILES = 32,                              /* a chunk of forward and dx */
       DW_TILES = 64,                           /* a chunk of dw */
       FEWEST = 16,                             /* channels and outputs: with fewer the transforms cost more */
       TILE = WINOGRAD_TILE, PATCH = WINOGRAD_PATCH, PLANES = WINOGRAD_PLANES };

static bool fits(const struct node *n)
{
    const struct shape w = n->x[WEIGHT];
    return !n->attr.conv.direct && w.h == 3 && w.w == 3 && n->attr.conv.stride == 1 && n->attr.conv.pad == 1
        && n->attr.conv.groups == 1 && w.c >= FEWEST && w.n >= FEWEST;
}

/* The rows and columns of a tile's outputs: [y, y + TILE) and [x, x + TILE), cut at h and w; image: its first pixel. */
struct tile { int y, x, h, w; ptrdiff_t image; };

static int tiles_along(int extent) { return (extent + TILE - 1) / TILE; }

static int tiles_of(struct block level) { return tiles_along(level.h) * tiles_along(level.w); }

static int tile_count(const struct shape *s)
{
    int count = 0;
    for (int l = 0; l < level_count(&s->lv); l++)
        count += s->n * tiles_of(level_of(s, l));
    return count;
}

static struct tile tile_at(const struct shape *s, int index)
{
    for (int l = 0;; l++) {
        const struct block level = level_of(s, l);
        const int across = tiles_along(level.w), an_image = tiles_of(level);
        if (index < s->n * an_image) {
            const int rest = index % an_image;
            return (struct tile){ rest / across * TILE, rest % across * TILE, level.h, level.w,
                                  level.first + (ptrdiff_t)(index / an_image) * level.h * level.w };
        }
        index -= s->n * an_image;
    }
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
    const struct shape *shape;
    struct source source;
    int inputs, outputs;
    const real *u, *bias;
    bool add;
    struct view to;
};

static size_t pass_scratch(int inputs, int outputs)
{
    return ((size_t)PLANES * TILES * (size_t)(inputs + outputs) + (size_t)PLANES * (size_t)most(inputs, outputs))
         * sizeof(real);
}

static void pass_chunk(const void *job, int chunk)
{
    const struct pass_job *p = job;
    const struct kernels *kernels = p->source.k->kernels;
    const int count = least(TILES, tile_count(p->shape) - chunk * TILES);
    const ptrdiff_t in_plane = (ptrdiff_t)TILES * p->inputs, out_plane = (ptrdiff_t)TILES * p->outputs;
    real *v = call_scratch(p->source.k), *m = v + PLANES * in_plane, *patch = m + PLANES * out_plane;
    for (int i = 0; i < count; i++) {
        const struct tile t = tile_at(p->shape, chunk * TILES + i);
        read_patch(&p->source, &t, t.y - 1, t.x - 1, PATCH, patch);
        kernels->winograd.input(p->inputs, patch, p->inputs, v + (ptrdiff_t)i * p->inputs, in_plane);
    }
    for (int e = 0; e < PLANES; e++)
        kernels->gemm_near(false, count, p->outputs, p->inputs, v + e * in_plane, p->inputs,
                           p->u + (ptrdiff_t)e * p->inputs * p->outputs, p->outputs, false, m + e * out_plane,
                           p->outputs);
    for (int i = 0; i < count; i++) {
        const struct tile t = tile_at(p->shape, chunk * TILES + i);
        kernels->winograd.output(p->outputs, m + (ptrdiff_t)i * p->outputs, out_plane, patch, p->outputs);
        write_tile(&t, patch, p->outputs, p->bias, p->add, p->to);
        if (p->source.k->node->attr.conv.norm)
            finish_tile(p->source.k, &t, p->to);
    }
}

static void run_pass(const struct pass_job *p)
{
    team_for(p->source.k->team, (tile_count(p->shape) + TILES - 1) / TILES, pass_chunk, p);
}

static ptrdiff_t weights(const struct node *n) { return (ptrdiff_t)n->x[WEIGHT].n * n->x[WEIGHT].c; }

static size_t packed(const struct node *n) { return (size_t)weights(n) * PLANES * sizeof(real); }

/* u, then the parts of dw. */
static size_t work(const struct node *n, enum pass pass)
{
    const int chunks = (tile_count(&n->y[0]) + DW_TILES - 1) / DW_TILES;
    return pass == FORWARD ? 0 : packed(n) * (size_t)(1 + part_count(chunks));
}

static size_t scratch(const struct node *n, enum pass pass)
{
    const int c = n->x[WEIGHT].c, o = n->x[WEIGHT].n;
    const size_t dw = (size_t)PLANES * ((size_t)DW_TILES * (size_t)(c + o) + (size_t)most(c, o)) * sizeof(real);
    return pass == FORWARD ? pass_scratch(c, o) : dw > pass_scratch(o, c) ? dw : pass_scratch(o, c);
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
        .shape = &n->y[0], .source = { k, false, n->x[WEIGHT].c }, .inputs = n->x[WEIGHT].c,
        .outputs = n->x[WEIGHT].n, .u = k->packed,
        .bias = has_bias(n) ? k->x[BIAS].p : NULL, .to = k->y[0] };
    run_pass(&job);
}

/* m[.][o][c] of a part: the sum over its tiles of (A dY A^T)[o] (B^T d B)[c]. */
static void dw_part(const void *job, int index)
{
    const struct call *k = job;
    const struct node *n = k->node;
    const int c = n->x[WEIGHT].c, o = n->x[WEIGHT].n, tiles = tile_count(&n->y[0]);
    const struct part part = part_at((tiles + DW_TILES - 1) / DW_TILES, index);
    const struct source in = { k, false, c }, out = { k, true, o };
    const ptrdiff_t in_plane = (ptrdiff_t)DW_TILES * c, out_plane = (ptrdiff_t)DW_TILES * o;
    real *v = call_scratch(k), *z = v + PLANES * in_plane, *patch = z + PLANES * out_plane;
    real *m = (real *)k->work + PLANES * weights(n) * (1 + index);
    for (int chunk = part.from; chunk < part.to; chunk++) {
        const int count = least(DW_TILES, tiles - chunk * DW_TILES);
        for (int i = 0; i < count; i++) {
            const struct tile t = tile_at(&n->y[0], chunk * DW_TILES + i);
            read_patch(&in, &t, t.y - 1, t.x - 1, PATCH, patch);
            k->kernels->winograd.input(c, patch, c, v + (ptrdiff_t)i * c, in_plane);
            read_patch(&out, &t, t.y, t.x, TILE, patch);
            k->kernels->winograd.gradient(o, patch, o, z + (ptrdiff_t)i * o, out_plane);
        }
        for (int e = 0; e < PLANES; e++)
            k->kernels->gemm_near(true, o, c, count, z + e * out_plane, o, v + e * in_plane, c, chunk > part.from,
                                  m + e * weights(n), c);
    }
}

/* dw[o] from the parts, added in order in the place of the first. */
static void dw_output(const void *job, int o)
{
    const struct call *k = job;
    const struct node *n = k->node;
    const int c = n->x[WEIGHT].c, parts = part_count((tile_count(&n->y[0]) + DW_TILES - 1) / DW_TILES);
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
        .shape = &n->y[0], .source = { k, true, n->x[WEIGHT].n }, .inputs = n->x[WEIGHT].n,
        .outputs = n->x[WEIGHT].c, .u = k->work, .add = k->add[INPUT], .to = k->dx[INPUT] };
    if (k->dx[INPUT].p) {
        team_for(k->team, n->x[WEIGHT].n, backward_filters, k);
        run_pass(&job);
    }
    if (k->dx[WEIGHT].p) {
        team_for(k->team, part_count((tile_count(&n->y[0]) + DW_TILES - 1) / DW_TILES), dw_part, k);
        team_for(k->team, n->x[WEIGHT].n, dw_output, k);
    }
}

/* Chunks of tiles are no ranges of pixels: a norm behind takes its moments itself. */
const struct conv_way conv_winograd = { fits, packed, work, scratch, pack, forward, backward, NULL, NULL, NULL };
