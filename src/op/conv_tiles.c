/* op/conv_tiles.c -- convolutions of stride 1 that keep the size, on a matrix unit (kernel/tiles.h).
 *
 * A block of rows is laid out as one line of positions, `pad` zeros between two rows, so that each tap of the kernel
 * is the same matrix some positions further on: nothing is copied per tap.  Results between the rows are dropped.
 *
 *     forward    y[q][o]     = sum over t, c of x[q + t.y across + t.x][c] w[o][t][c]
 *     dx         dx[q][c]    = sum over t, o of dy[q + turned(t)][o] w[o][t][c]
 *     dw         dw[o][t][c] = sum over q of dy[q + turned(t)][o] x[q][c]
 *
 * where a line that is read with taps starts `pad` rows and positions before q = 0, and turned(t) is the tap opposite
 * to t.  Without pad, all pixels are one line. */
#include "base/least.h"
#include "kernel/kernels.h"
#include "op/conv_tiles.h"
#include <string.h>

enum { POSITIONS = 448,                         /* of a block, about */
       TAPS = 25 };                             /* of the largest kernel */

static bool fits(const struct node *n)
{
    const struct shape w = n->x[WEIGHT];
    const int pad = n->attr.conv.pad;
    return n->attr.conv.pieces && n->attr.conv.stride == 1 && n->attr.conv.groups == 1 && w.h == 2 * pad + 1
        && w.w == 2 * pad + 1 && w.h * w.w <= TAPS && w.c >= TILE_SIDE / 2;
}

static struct shape map_of(const struct node *n)
{
    const struct shape y = n->y[0];
    return n->attr.conv.pad ? y : (struct shape){ 1, y.n * y.h * y.w, 1, y.c, {0} };
}

static int rows_a_block(const struct node *n)
{
    const struct shape map = map_of(n);
    return block_rows(POSITIONS, widest(&map) + n->attr.conv.pad);
}

static int blocks(const struct node *n)
{
    const struct shape map = map_of(n);
    return block_count(&map, rows_a_block(n));
}

static struct block block_of(const struct node *n, int index)
{
    const struct shape map = map_of(n);
    return block_at(&map, rows_a_block(n), index);
}

/* Positions of the longest line that is read with taps, whole tiles. */
static int longest(const struct node *n)
{
    const struct shape map = map_of(n);
    const int pad = n->attr.conv.pad;
    return tiles_round((rows_a_block(n) + 2 * pad) * (widest(&map) + pad) + 2 * pad + TILE_SIDE);
}

/* What a thread works with. */
struct buffers {
    real *line, *sums;                          /* [longest][channels] */
    struct pieces rows, pairs[2], turned;       /* pairs: from the first position on, and from the second */
    size_t bytes;
};

static size_t whole_lines(size_t bytes) { return (bytes + 63) / 64 * 64; }

void *take(unsigned char *base, size_t *bytes, size_t size)
{
    unsigned char *p = base ? base + *bytes : NULL;
    *bytes += whole_lines(size);
    return p;
}

struct pieces take_pieces(unsigned char *base, size_t *bytes, int count, ptrdiff_t numbers)
{
    return (struct pieces){ take(base, bytes, (size_t)count * (size_t)numbers * sizeof(uint16_t)), numbers, count };
}

static struct buffers buffers(const struct node *n, enum pass pass, unsigned char *base)
{
    const int length = longest(n), most_channels = most(inputs(n), outputs(n));
    const size_t line = (size_t)length * (size_t)tiles_round(most_channels) * sizeof(real);
    struct buffers b = {0};
    b.line = take(base, &b.bytes, line);
    b.sums = take(base, &b.bytes, line);
    const int most_rows = most(length, TILE_SIDE * taps(n)), pieces = n->attr.conv.pieces;
    b.rows = take_pieces(base, &b.bytes, pieces, (ptrdiff_t)most_rows * tiles_ld(most_channels));
    if (pass == BACKWARD) {
        for (int i = 0; i < 2; i++)
            b.pairs[i] = take_pieces(base, &b.bytes, pieces, (ptrdiff_t)length * tiles_round(outputs(n)));
        b.turned = take_pieces(base, &b.bytes, pieces, (ptrdiff_t)tiles_round(inputs(n)) * tiles_ld(length));
    }
    return b;
}

static size_t scratch(const struct node *n, enum pass pass) { return buffers(n, pass, NULL).bytes; }

/* The weights as the right operand of a pass of `from` to `to` channels: pairs [tap][from][to], and the biases. */
static size_t packed_bytes(const struct node *n, int from, int to)
{
    const size_t rows = (size_t)taps(n) * (size_t)tiles_round(from);
    return (size_t)tiles_round(to) * (rows * (size_t)n->attr.conv.pieces * sizeof(uint16_t) + sizeof(real));
}

static struct pieces weights_at(const struct call *k, void *memory, int from, int to)
{
    const ptrdiff_t plane = (ptrdiff_t)taps(k->node) * tiles_round(from) * tiles_round(to);
    return (struct pieces){ memory, plane, k->node->attr.conv.pieces };
}

static real *packed_bias(const struct call *k)
{
    const int to = outputs(k->node);
    return (real *)(void *)((char *)k->packed + packed_bytes(k->node, inputs(k->node), to)) - tiles_round(to);
}

ptrdiff_t part_numbers(const struct node *n)
{
    return (ptrdiff_t)tiles_round(outputs(n)) * taps(n) * tiles_round(inputs(n));
}

static real *parts_of(const struct call *k)
{
    char *parts = (char *)k->work + whole_lines(packed_bytes(k->node, outputs(k->node), inputs(k->node)));
    return (real *)(void *)parts;
}

static size_t packed(const struct node *n) { return packed_bytes(n, inputs(n), outputs(n)); }

/* The weights for dx, then the parts of dw. */
static size_t work(const struct node *n, enum pass pass)
{
    return pass == FORWARD ? 0 : whole_lines(packed_bytes(n, outputs(n), inputs(n)))
         + (size_t)part_count(blocks(n)) * (size_t)part_numbers(n) * sizeof(real);
}

void turn(const struct call *k, int n, int c, struct pieces from, int ld, struct pieces to, int ldto)
{
    for (int i = 0; i < from.count; i++)
        k->kernels->tiles->turn(n, c, from.p + i * from.plane, ld, to.p + i * to.plane, ldto);
}

/* TILE_SIDE outputs of the weights, split and turned. */
static void pack_for_y(const void *job, int index)
{
    const struct call *k = job;
    const struct node *n = k->node;
    const int c = inputs(n), first = index * TILE_SIDE, count = least(TILE_SIDE, outputs(n) - first);
    const int ld = tiles_round(c) * taps(n);
    const struct pieces rows = buffers(n, FORWARD, call_scratch(k)).rows, to = weights_at(k, k->packed, c, outputs(n));
    for (int o = 0; o < count; o++)
        k->kernels->tiles->split_rows(taps(n), c, k->x[WEIGHT].p + (ptrdiff_t)(first + o) * taps(n) * c, c,
                                      moved(rows, o * ld), tiles_round(c));
    turn(k, TILE_SIDE, ld / 2, rows, ld, moved(to, (ptrdiff_t)first * ld), PAIR_ROW);
    real *bias = packed_bias(k) + first;
    for (int o = 0; has_bias(n) && o < TILE_SIDE; o++)
        bias[o] = o < count ? k->x[BIAS].p[first + o] : 0;
}

void split_pairs(const struct call *k, int n, int c, const real *x, int ldx, struct pieces to, int length,
                 ptrdiff_t panel)
{
    const size_t rest = (size_t)(length - n - n % 2) * TILE_SIDE * sizeof *to.p;
    k->kernels->tiles->split_pairs(n, c, x, ldx, to, panel);
    for (int i = 0; i < to.count; i++)
        for (int j = 0; j < tiles_round(c) / TILE_SIDE; j++)
            memset(to.p + i * to.plane + j * panel + (n + n % 2) * TILE_SIDE, 0, rest);
}

/* One tap of the weights, [o][c]. */
static void pack_for_dx(const void *job, int tap)
{
    const struct call *k = job;
    const struct node *n = k->node;
    const int c = inputs(n), rows = tiles_round(outputs(n));
    split_pairs(k, outputs(n), c, k->x[WEIGHT].p + tap * c, taps(n) * c,
                moved(weights_at(k, k->work, outputs(n), c), (ptrdiff_t)tap * rows * TILE_SIDE), rows,
                (ptrdiff_t)taps(n) * rows * TILE_SIDE);
}

/* The positions that a line is moved by for a tap, or for the one opposite to it. */
static int shift(const struct node *n, struct block b, int tap, bool opposite)
{
    const int t = opposite ? taps(n) - 1 - tap : tap, width = n->x[WEIGHT].w;
    return t / width * (b.w + n->attr.conv.pad) + t % width;
}

struct line { const real *p; int ld, count; };

/* Rows [row, row + rows) of the block's image as a line that begins with `lead` zeros. */
static struct line lay_out(const struct source *s, struct block b, int row, int rows, int lead, real *to)
{
    const int pad = s->k->node->attr.conv.pad, across = b.w + pad;
    const ptrdiff_t c = s->c, image = b.first - (ptrdiff_t)b.row * b.w;
    struct line line = { to, s->c, lead + rows * across };
    if (!pad) {
        line.p = source_values(s, (struct range){ image + row, rows }, to, &line.ld);
        return line;
    }
    memset(to, 0, (size_t)(lead * c) * sizeof *to);
    to += lead * c;
    for (int r = row; r < row + rows; r++, to += across * c) {
        const bool inside = r >= 0 && r < b.h;
        if (inside)
            write_source(s, (struct range){ image + (ptrdiff_t)r * b.w, b.w }, to, s->c);
        memset(to + (inside ? b.w * c : 0), 0, (size_t)((inside ? pad : across) * c) * sizeof *to);
    }
    return line;
}

/* Where a line is read for each tap, rows ld numbers long. */
static void tap_shifts(const struct node *n, struct block b, bool opposite, int ld, ptrdiff_t *tap)
{
    for (int t = 0; t < taps(n); t++)
        tap[t] = (ptrdiff_t)shift(n, b, t, opposite) * ld;
}

/* What is computed of a block's line: forward, or dx. */
struct product_of_line {
    struct source source;
    bool opposite;                              /* taps */
    struct pieces weights;
    int channels;                               /* of the results */
    const real *bias;
    bool add;
    struct view to;
};

/* The line, split, times the weights; the sums of the block's rows go to the rows of `to`. */
static void multiply(const struct product_of_line *p, struct block b, struct line line, const struct buffers *own)
{
    const struct call *k = p->source.k;
    const struct tiles *tiles = k->kernels->tiles;
    const int c = p->source.c, ld = tiles_ld(c), ldsums = tiles_round(p->channels);
    const int across = b.w + k->node->attr.conv.pad;
    ptrdiff_t tap[TAPS];
    tap_shifts(k->node, b, p->opposite, ld, tap);
    tiles->split_rows(line.count, c, line.p, line.ld, own->rows, ld);
    tiles->begin();
    tiles->product(b.rows * across, p->channels, taps(k->node), tap, tiles_round(c), own->rows, ld, p->weights,
                   (ptrdiff_t)taps(k->node) * tiles_round(c) * TILE_SIDE, p->bias, 0, own->sums, ldsums);
    tiles->end();
    const int lines = k->node->attr.conv.pad ? b.rows : 1, width = b.rows * b.w / lines;
    for (int i = 0; i < lines; i++) {
        const real *sums = own->sums + (ptrdiff_t)i * across * ldsums;
        real *to = p->to.p + (b.first + (ptrdiff_t)i * width) * p->to.ld;
        if (p->source.gradient)
            k->kernels->store_rows(width, p->channels, sums, ldsums, p->add, to, p->to.ld);
        else
            write_finished(k, width, sums, ldsums, to, p->to.ld);
    }
}

/* The rows of a block with those around it that its taps read. */
static struct line lay_out_around(const struct source *s, struct block b, real *to)
{
    const int pad = s->k->node->attr.conv.pad;
    return lay_out(s, b, b.row - pad, b.rows + 2 * pad, pad, to);
}

static void forward_block(const void *job, int index)
{
    const struct call *k = job;
    const struct node *n = k->node;
    const struct buffers own = buffers(n, FORWARD, call_scratch(k));
    const struct block b = block_of(n, index);
    const struct product_of_line y = { .source = { k, false, inputs(n) },
                                       .weights = weights_at(k, k->packed, inputs(n), outputs(n)),
                                       .channels = outputs(n), .bias = has_bias(n) ? packed_bias(k) : NULL,
                                       .to = k->y[0] };
    multiply(&y, b, lay_out_around(&y.source, b, own.line), &own);
    hand_over(k, index);
}

/* No pixel's sums depend on its block, so that blocks may depend on the team: one a thread, whole tiles each, or more,
 * of POSITIONS. */
static int pixel_blocks(const struct call *k)
{
    const int all = tiles_round(map_of(k->node).h);
    return most(least(k->team->threads, all / TILE_SIDE), (all + POSITIONS - 1) / POSITIONS);
}

static void forward_pixels(const void *job, int index)
{
    const struct call *k = job;
    const struct node *n = k->node;
    const struct view y = k->y[0];
    const struct buffers own = buffers(n, FORWARD, call_scratch(k));
    const struct affine finish = finish_of(k);
    const struct tiles *tiles = k->kernels->tiles;
    const int count = map_of(n).h, parts = pixel_blocks(k);
    const ptrdiff_t all = tiles_round(count) / TILE_SIDE, from = all * index / parts, to = all * (index + 1) / parts;
    const struct range r = { from * TILE_SIDE, least(count, (int)to * TILE_SIDE) - (int)from * TILE_SIDE };
    int ldx;
    const real *x = values(k, INPUT, r, own.line, &ldx);
    tiles->begin();
    tiles->pixels(&finish, r.count, inputs(n), x, ldx, outputs(n), weights_at(k, k->packed, inputs(n), outputs(n)),
                  has_bias(n) ? packed_bias(k) : NULL, own.rows, y.p + r.first * y.ld, y.ld);
    tiles->end();
}

static void pack(const struct call *k)
{
    team_for(k->team, tiles_round(outputs(k->node)) / TILE_SIDE, pack_for_y, k);
}

static bool in_pixels(const struct node *n) { return !n->attr.conv.pad && n->attr.conv.pieces == EXACT; }

static void forward(const struct call *k)
{
    if (in_pixels(k->node))
        team_for(k->team, pixel_blocks(k), forward_pixels, k);
    else
        team_for(k->team, blocks(k->node), forward_block, k);
}

/* The squares of dw, [c][o] for each c, o and tap, (+)= what a block gives; dy is its line.  It is dy that moves from
 * tap to tap: of pairs every second move is one of whole rows, and for the others there is a second set of pairs. */
static void multiply_for_dw(const struct call *k, struct block b, struct line dy, const struct buffers *own, bool add,
                            real *square)
{
    const struct node *n = k->node;
    const struct tiles *tiles = k->kernels->tiles;
    const int c = inputs(n), o = outputs(n), length = longest(n), ldturned = tiles_ld(length);
    const int count = tiles_round(b.rows * (b.w + n->attr.conv.pad));
    const struct source source = { k, false, c };
    for (int i = 0; i < (taps(n) > 1 ? 2 : 1); i++)
        split_pairs(k, dy.count - i, o, dy.p + i * dy.ld, dy.ld, own->pairs[i], length, length * TILE_SIDE);
    const struct line x = lay_out(&source, b, b.row, b.rows, 0, own->line);
    split_pairs(k, x.count, c, x.p, x.ld, own->rows, count, count * TILE_SIDE);
    for (ptrdiff_t i = 0; i < c; i += TILE_SIDE)
        turn(k, count / 2, TILE_SIDE, moved(own->rows, i * count), PAIR_ROW, moved(own->turned, i * ldturned),
             ldturned);
    tiles->begin();
    for (ptrdiff_t i = 0; i < c; i += TILE_SIDE)
        for (ptrdiff_t j = 0; j < o; j += TILE_SIDE)
            for (int t = 0; t < taps(n); t++, square += SQUARE) {
                const int move = shift(n, b, t, true);
                const struct pieces right = moved(own->pairs[move % 2], j * length + move / 2 * PAIR_ROW);
                tiles->product(TILE_SIDE, TILE_SIDE, 1, &(ptrdiff_t){ 0 }, count, moved(own->turned, i * ldturned),
                               ldturned, right, 0, add ? square : NULL, TILE_SIDE, square, TILE_SIDE);
            }
    tiles->end();
}

static void backward_part(const void *job, int index)
{
    const struct call *k = job;
    const struct node *n = k->node;
    const struct buffers own = buffers(n, BACKWARD, call_scratch(k));
    const struct part part = part_at(blocks(n), index);
    const struct product_of_line dx = { .source = { k, true, outputs(n) }, .opposite = true,
                                        .weights = weights_at(k, k->work, outputs(n), inputs(n)),
                                        .channels = inputs(n), .add = k->add[INPUT], .to = k->dx[INPUT] };
    for (int i = part.from; i < part.to; i++) {
        const struct block b = block_of(n, i);
        const struct line dy = lay_out_around(&dx.source, b, own.line);
        if (k->dx[INPUT].p)
            multiply(&dx, b, dy, &own);
        if (k->dx[WEIGHT].p)
            multiply_for_dw(k, b, dy, &own, i > part.from, parts_of(k) + index * part_numbers(n));
    }
}

struct squares { const struct call *k; const real *parts; int count; };

/* A square of dw from the parts, in order, turned. */
static void sum_square(const void *job, int index)
{
    const struct squares *s = job;
    const struct call *k = s->k;
    const struct node *n = k->node;
    const int across = tiles_round(outputs(n)) / TILE_SIDE, t = index % taps(n);
    const int j = index / taps(n) % across * TILE_SIDE, i = index / taps(n) / across * TILE_SIDE;
    real *sum = call_scratch(k), *turned = sum + SQUARE;
    for (int part = 0; part < s->count; part++)
        k->kernels->store_rows(1, SQUARE, s->parts + part * part_numbers(n) + (ptrdiff_t)index * SQUARE, SQUARE,
                               part > 0, sum, SQUARE);
    for (int o = 0; o < TILE_SIDE; o++)
        for (int c = 0; c < TILE_SIDE; c++)
            turned[o * TILE_SIDE + c] = sum[c * TILE_SIDE + o];
    k->kernels->store_rows(least(TILE_SIDE, outputs(n) - j), least(TILE_SIDE, inputs(n) - i), turned, TILE_SIDE,
                           k->add[WEIGHT], k->dx[WEIGHT].p + ((ptrdiff_t)j * taps(n) + t) * inputs(n) + i,
                           taps(n) * inputs(n));
}

void sum_squares(const struct call *k, const real *parts, int count)
{
    team_for(k->team, (int)(part_numbers(k->node) / SQUARE), sum_square, &(struct squares){ k, parts, count });
}

static void backward(const struct call *k)
{
    if (k->dx[INPUT].p)
        team_for(k->team, taps(k->node), pack_for_dx, k);
    team_for(k->team, part_count(blocks(k->node)), backward_part, k);
    if (k->dx[WEIGHT].p)
        sum_squares(k, parts_of(k), part_count(blocks(k->node)));
}

/* The blocks of forward_pixels depend on the team. */
static int parts(const struct node *n) { return in_pixels(n) ? 0 : blocks(n); }
static struct range part(const struct node *n, int index) { return pixels_of(block_of(n, index)); }

/* It reads dy once but for the rows around a block. */
const struct conv_way conv_tiles = { fits, packed, work, scratch, pack, forward, backward, parts, part, always };
