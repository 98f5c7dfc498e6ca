/* op/conv_amx.c -- convolutions of stride 1 with padding (kernel - 1) / 2 on a matrix unit (kernel/amx.h).
 *
 * A block of rows is stored as one line of positions with `pad` zeros between rows.  Each tap of the kernel then reads
 * the same matrix at a different offset, and nothing is copied per tap.  Results at the zeros are discarded.
 *
 *     forward    y[q][o]     = sum over t, c of x[q + t.y across + t.x][c] w[o][t][c]
 *     dx         dx[q][c]    = sum over t, o of dy[q + opposite(t)][o] w[o][t][c]
 *     dw         dw[o][t][c] = sum over q of dy[q + opposite(t)][o] x[q][c]
 *
 * A line that is read with taps starts `pad` rows and positions before q = 0.  opposite(t) is tap t rotated by 180
 * degrees.  Without padding all pixels form one line. */
#include "base/min_max.h"
#include "kernel/kernels.h"
#include "op/conv_amx.h"
#include <string.h>

enum { POSITIONS = 448,                         /* of a block, approximately */
       TAPS = 25 };                             /* of the largest kernel */

static bool fits(const struct node *n)
{
    const struct shape w = n->x[WEIGHT];
    const int pad = n->attr.conv.pad;
    return n->attr.conv.bf16_terms && n->attr.conv.stride == 1 && n->attr.conv.groups == 1 && w.h == 2 * pad + 1
        && w.w == 2 * pad + 1 && w.h * w.w <= TAPS && w.c >= AMX_BLOCK / 2;
}

static struct shape map_of(const struct node *n)
{
    const struct shape y = n->y[0];
    return n->attr.conv.pad ? y : (struct shape){ 1, y.n * y.h * y.w, 1, y.c, {0} };
}

static int rows_per_block(const struct node *n)
{
    const struct shape map = map_of(n);
    return block_rows(POSITIONS, max_level_width(&map) + n->attr.conv.pad);
}

static int blocks(const struct node *n)
{
    const struct shape map = map_of(n);
    return block_count(&map, rows_per_block(n));
}

static struct block block_of(const struct node *n, int index)
{
    const struct shape map = map_of(n);
    return block_at(&map, rows_per_block(n), index);
}

/* Positions of the longest line that is read with taps, in whole AMX blocks. */
static int longest(const struct node *n)
{
    const struct shape map = map_of(n);
    const int pad = n->attr.conv.pad;
    return amx_round((rows_per_block(n) + 2 * pad) * (max_level_width(&map) + pad) + 2 * pad + AMX_BLOCK);
}

/* Scratch of a thread. */
struct amx_buffers {
    real *line, *sums;                          /* [longest][channels] */
    struct bf16 rows, pairs[2], transposed;     /* pairs: from an even, and from an odd position on */
    size_t bytes;
};

static size_t whole_lines(size_t bytes) { return (bytes + 63) / 64 * 64; }

void *take(unsigned char *base, size_t *bytes, size_t size)
{
    unsigned char *p = base ? base + *bytes : NULL;
    *bytes += whole_lines(size);
    return p;
}

struct bf16 take_bf16(unsigned char *base, size_t *bytes, int count, ptrdiff_t elements)
{
    return (struct bf16){ take(base, bytes, (size_t)count * (size_t)elements * sizeof(uint16_t)), elements, count };
}

static struct amx_buffers buffers(const struct node *n, enum pass pass, unsigned char *base)
{
    const int length = longest(n), max_channels = max_int(inputs(n), outputs(n));
    const size_t line = (size_t)length * (size_t)amx_round(max_channels) * sizeof(real);
    struct amx_buffers b = {0};
    b.line = take(base, &b.bytes, line);
    b.sums = take(base, &b.bytes, line);
    const int max_rows = max_int(length, AMX_BLOCK * taps(n)), terms = n->attr.conv.bf16_terms;
    b.rows = take_bf16(base, &b.bytes, terms, (ptrdiff_t)max_rows * amx_ld(max_channels));
    if (pass == BACKWARD) {
        for (int i = 0; i < 2; i++)
            b.pairs[i] = take_bf16(base, &b.bytes, terms, (ptrdiff_t)length * amx_round(outputs(n)));
        b.transposed = take_bf16(base, &b.bytes, terms, (ptrdiff_t)amx_round(inputs(n)) * amx_ld(length));
    }
    return b;
}

static size_t scratch(const struct node *n, enum pass pass) { return buffers(n, pass, NULL).bytes; }

/* Bytes of the weights as right operand, pairs [tap][from][to], and of the bias: a pass of `from` to `to` channels. */
static size_t packed_bytes(const struct node *n, int from, int to)
{
    const size_t rows = (size_t)taps(n) * (size_t)amx_round(from);
    return (size_t)amx_round(to) * (rows * (size_t)n->attr.conv.bf16_terms * sizeof(uint16_t) + sizeof(real));
}

static struct bf16 weights_at(const struct call *k, void *memory, int from, int to)
{
    const ptrdiff_t plane = (ptrdiff_t)taps(k->node) * amx_round(from) * amx_round(to);
    return (struct bf16){ memory, plane, k->node->attr.conv.bf16_terms };
}

static real *packed_bias(const struct call *k)
{
    const int to = outputs(k->node);
    return (real *)(void *)((char *)k->packed + packed_bytes(k->node, inputs(k->node), to)) - amx_round(to);
}

ptrdiff_t partial_elements(const struct node *n)
{
    return (ptrdiff_t)amx_round(outputs(n)) * taps(n) * amx_round(inputs(n));
}

static real *partials_of(const struct call *k)
{
    char *p = (char *)k->work + whole_lines(packed_bytes(k->node, outputs(k->node), inputs(k->node)));
    return (real *)(void *)p;
}

static size_t packed(const struct node *n) { return packed_bytes(n, inputs(n), outputs(n)); }

/* The weights for dx, then the partial sums of dw. */
static size_t work(const struct node *n, enum pass pass)
{
    return pass == FORWARD ? 0 : whole_lines(packed_bytes(n, outputs(n), inputs(n)))
         + (size_t)partial_count(blocks(n)) * (size_t)partial_elements(n) * sizeof(real);
}

void transpose_bf16(const struct call *k, int n, int c, struct bf16 from, int ld, struct bf16 to, int ldto)
{
    for (int i = 0; i < from.terms; i++)
        k->kernels->amx->transpose(n, c, from.p + i * from.plane, ld, to.p + i * to.plane, ldto);
}

/* Packs AMX_BLOCK outputs of the weights: split and transposed. */
static void pack_for_y(const void *job, int index)
{
    const struct call *k = job;
    const struct node *n = k->node;
    const int c = inputs(n), first = index * AMX_BLOCK, count = min_int(AMX_BLOCK, outputs(n) - first);
    const int ld = amx_round(c) * taps(n);
    const struct bf16 rows = buffers(n, FORWARD, call_scratch(k)).rows, to = weights_at(k, k->packed, c, outputs(n));
    for (int o = 0; o < count; o++)
        k->kernels->amx->split_rows(taps(n), c, k->x[WEIGHT].p + (ptrdiff_t)(first + o) * taps(n) * c, c,
                                    bf16_at(rows, o * ld), amx_round(c));
    transpose_bf16(k, AMX_BLOCK, ld / 2, rows, ld, bf16_at(to, (ptrdiff_t)first * ld), PAIR_ROW);
    real *bias = packed_bias(k) + first;
    for (int o = 0; has_bias(n) && o < AMX_BLOCK; o++)
        bias[o] = o < count ? k->x[BIAS].p[first + o] : 0;
}

void split_pairs(const struct call *k, int n, int c, const real *x, int ldx, struct bf16 to, int length,
                 ptrdiff_t panel)
{
    const size_t rest = (size_t)(length - n - n % 2) * AMX_BLOCK * sizeof *to.p;
    k->kernels->amx->split_pairs(n, c, x, ldx, to, panel);
    for (int i = 0; i < to.terms; i++)
        for (int j = 0; j < amx_round(c) / AMX_BLOCK; j++)
            memset(to.p + i * to.plane + j * panel + (n + n % 2) * AMX_BLOCK, 0, rest);
}

/* Packs one tap of the weights, [o][c]. */
static void pack_for_dx(const void *job, int tap)
{
    const struct call *k = job;
    const struct node *n = k->node;
    const int c = inputs(n), rows = amx_round(outputs(n));
    split_pairs(k, outputs(n), c, k->x[WEIGHT].p + tap * c, taps(n) * c,
                bf16_at(weights_at(k, k->work, outputs(n), c), (ptrdiff_t)tap * rows * AMX_BLOCK), rows,
                (ptrdiff_t)taps(n) * rows * AMX_BLOCK);
}

/* The offset of a tap, or of the opposite tap, in positions of the line. */
static int shift(const struct node *n, struct block b, int tap, bool opposite)
{
    const int t = opposite ? taps(n) - 1 - tap : tap, width = n->x[WEIGHT].w;
    return t / width * (b.w + n->attr.conv.pad) + t % width;
}

struct padded_line { const real *p; int ld, count; };

/* Stores rows [row, row + rows) of the block's image as a line that begins with `lead` zeros. */
static struct padded_line lay_out(const struct operand_reader *s, struct block b, int row, int rows, int lead, real *to)
{
    const int pad = s->k->node->attr.conv.pad, across = b.w + pad;
    const ptrdiff_t c = s->c, image = b.first - (ptrdiff_t)b.row * b.w;
    struct padded_line line = { to, s->c, lead + rows * across };
    if (!pad) {
        line.p = reader_read(s, (struct range){ image + row, rows }, to, &line.ld);
        return line;
    }
    memset(to, 0, (size_t)(lead * c) * sizeof *to);
    to += lead * c;
    for (int r = row; r < row + rows; r++, to += across * c) {
        const bool inside = r >= 0 && r < b.h;
        if (inside)
            reader_copy(s, (struct range){ image + (ptrdiff_t)r * b.w, b.w }, to, s->c);
        memset(to + (inside ? b.w * c : 0), 0, (size_t)((inside ? pad : across) * c) * sizeof *to);
    }
    return line;
}

/* The offset of each tap in a line of positions of ld elements. */
static void tap_shifts(const struct node *n, struct block b, bool opposite, int ld, ptrdiff_t *tap)
{
    for (int t = 0; t < taps(n); t++)
        tap[t] = (ptrdiff_t)shift(n, b, t, opposite) * ld;
}

/* The product of a block's line with the weights: y or dx. */
struct line_product {
    struct operand_reader reader;
    bool opposite;                              /* taps */
    struct bf16 weights;
    int channels;                               /* of the results */
    const real *bias;
    bool add;
    struct view to;
};

/* Splits the line, multiplies it with the weights, and writes the sums of the block's rows to `to`. */
static void multiply(const struct line_product *p, struct block b, struct padded_line line,
                     const struct amx_buffers *own)
{
    const struct call *k = p->reader.k;
    const struct amx_kernels *amx = k->kernels->amx;
    const int c = p->reader.c, ld = amx_ld(c), ldsums = amx_round(p->channels);
    const int across = b.w + k->node->attr.conv.pad;
    ptrdiff_t tap[TAPS];
    tap_shifts(k->node, b, p->opposite, ld, tap);
    amx->split_rows(line.count, c, line.p, line.ld, own->rows, ld);
    amx->begin();
    amx->product(b.rows * across, p->channels, taps(k->node), tap, amx_round(c), own->rows, ld, p->weights,
                 (ptrdiff_t)taps(k->node) * amx_round(c) * AMX_BLOCK, p->bias, 0, own->sums, ldsums);
    amx->end();
    const int lines = k->node->attr.conv.pad ? b.rows : 1, width = b.rows * b.w / lines;
    for (int i = 0; i < lines; i++) {
        const real *sums = own->sums + (ptrdiff_t)i * across * ldsums;
        real *to = p->to.p + (b.first + (ptrdiff_t)i * width) * p->to.ld;
        if (p->reader.gradient)
            k->kernels->copy_rows(width, p->channels, sums, ldsums, p->add, to, p->to.ld);
        else
            apply_epilogue(k, width, sums, ldsums, to, p->to.ld);
    }
}

/* The line of a block, including the rows around it that its taps read. */
static struct padded_line lay_out_around(const struct operand_reader *s, struct block b, real *to)
{
    const int pad = s->k->node->attr.conv.pad;
    return lay_out(s, b, b.row - pad, b.rows + 2 * pad, pad, to);
}

static void forward_block(const void *job, int index)
{
    const struct call *k = job;
    const struct node *n = k->node;
    const struct amx_buffers own = buffers(n, FORWARD, call_scratch(k));
    const struct block b = block_of(n, index);
    const struct line_product y = { .reader = { k, false, inputs(n) },
                                    .weights = weights_at(k, k->packed, inputs(n), outputs(n)),
                                    .channels = outputs(n), .bias = has_bias(n) ? packed_bias(k) : NULL,
                                    .to = k->y[0] };
    multiply(&y, b, lay_out_around(&y.reader, b, own.line), &own);
    block_done(k, index);
}

/* The sums of a pixel do not depend on its block, so the number of blocks may depend on the team: one per thread, or
 * more if blocks would exceed POSITIONS. */
static int pointwise_blocks(const struct call *k)
{
    const int all = amx_round(map_of(k->node).h);
    return max_int(min_int(k->team->threads, all / AMX_BLOCK), (all + POSITIONS - 1) / POSITIONS);
}

static void forward_pointwise(const void *job, int index)
{
    const struct call *k = job;
    const struct node *n = k->node;
    const struct view y = k->y[0];
    const struct amx_buffers own = buffers(n, FORWARD, call_scratch(k));
    const struct affine epilogue = epilogue_of(k);
    const struct amx_kernels *amx = k->kernels->amx;
    const int count = map_of(n).h, jobs = pointwise_blocks(k);
    const ptrdiff_t all = amx_round(count) / AMX_BLOCK, from = all * index / jobs, to = all * (index + 1) / jobs;
    const struct range r = { from * AMX_BLOCK, min_int(count, (int)to * AMX_BLOCK) - (int)from * AMX_BLOCK };
    int ldx;
    const real *x = read_operand(k, INPUT, r, own.line, &ldx);
    amx->begin();
    amx->pointwise(&epilogue, r.count, inputs(n), x, ldx, outputs(n), weights_at(k, k->packed, inputs(n), outputs(n)),
                   has_bias(n) ? packed_bias(k) : NULL, own.rows, y.p + r.first * y.ld, y.ld);
    amx->end();
}

static void pack(const struct call *k)
{
    team_for(k->team, amx_round(outputs(k->node)) / AMX_BLOCK, pack_for_y, k);
}

static bool pointwise(const struct node *n) { return !n->attr.conv.pad && n->attr.conv.bf16_terms == 3; }

static void forward(const struct call *k)
{
    if (pointwise(k->node))
        team_for(k->team, pointwise_blocks(k), forward_pointwise, k);
    else
        team_for(k->team, blocks(k->node), forward_block, k);
}

/* Adds a block's contribution to the tiles of dw, [c][o] for each tap, or sets them.  The offset of a tap applies to
 * dy, the block's line.  An even offset is a whole number of pairs; a second set of pairs, from position 1 on, serves
 * odd offsets. */
static void multiply_for_dw(const struct call *k, struct block b, struct padded_line dy, const struct amx_buffers *own,
                            bool add, real *dw_tile)
{
    const struct node *n = k->node;
    const struct amx_kernels *amx = k->kernels->amx;
    const int c = inputs(n), o = outputs(n), length = longest(n), ldtransposed = amx_ld(length);
    const int count = amx_round(b.rows * (b.w + n->attr.conv.pad));
    const struct operand_reader reader = { k, false, c };
    for (int i = 0; i < (taps(n) > 1 ? 2 : 1); i++)
        split_pairs(k, dy.count - i, o, dy.p + i * dy.ld, dy.ld, own->pairs[i], length, length * AMX_BLOCK);
    const struct padded_line x = lay_out(&reader, b, b.row, b.rows, 0, own->line);
    split_pairs(k, x.count, c, x.p, x.ld, own->rows, count, count * AMX_BLOCK);
    for (ptrdiff_t i = 0; i < c; i += AMX_BLOCK)
        transpose_bf16(k, count / 2, AMX_BLOCK, bf16_at(own->rows, i * count), PAIR_ROW,
                       bf16_at(own->transposed, i * ldtransposed), ldtransposed);
    amx->begin();
    for (ptrdiff_t i = 0; i < c; i += AMX_BLOCK)
        for (ptrdiff_t j = 0; j < o; j += AMX_BLOCK)
            for (int t = 0; t < taps(n); t++, dw_tile += DW_TILE) {
                const int offset = shift(n, b, t, true);
                const struct bf16 right = bf16_at(own->pairs[offset % 2], j * length + offset / 2 * PAIR_ROW);
                amx->product(AMX_BLOCK, AMX_BLOCK, 1, &(ptrdiff_t){ 0 }, count,
                             bf16_at(own->transposed, i * ldtransposed), ldtransposed, right, 0,
                             add ? dw_tile : NULL, AMX_BLOCK, dw_tile, AMX_BLOCK);
            }
    amx->end();
}

static void backward_partial(const void *job, int index)
{
    const struct call *k = job;
    const struct node *n = k->node;
    const struct amx_buffers own = buffers(n, BACKWARD, call_scratch(k));
    const struct block_span span = partial_at(blocks(n), index);
    const struct line_product dx = { .reader = { k, true, outputs(n) }, .opposite = true,
                                     .weights = weights_at(k, k->work, outputs(n), inputs(n)),
                                     .channels = inputs(n), .add = k->add[INPUT], .to = k->dx[INPUT] };
    for (int i = span.from; i < span.to; i++) {
        const struct block b = block_of(n, i);
        const struct padded_line dy = lay_out_around(&dx.reader, b, own.line);
        if (k->dx[INPUT].p)
            multiply(&dx, b, dy, &own);
        if (k->dx[WEIGHT].p)
            multiply_for_dw(k, b, dy, &own, i > span.from, partials_of(k) + index * partial_elements(n));
    }
}

struct dw_tile_sum { const struct call *k; const real *partials; int count; };

/* Adds the partial sums of a tile of dw in order and transposes it. */
static void sum_dw_tile(const void *job, int index)
{
    const struct dw_tile_sum *s = job;
    const struct call *k = s->k;
    const struct node *n = k->node;
    const int across = amx_round(outputs(n)) / AMX_BLOCK, t = index % taps(n);
    const int j = index / taps(n) % across * AMX_BLOCK, i = index / taps(n) / across * AMX_BLOCK;
    real *sum = call_scratch(k), *transposed = sum + DW_TILE;
    for (int part = 0; part < s->count; part++)
        k->kernels->copy_rows(1, DW_TILE, s->partials + part * partial_elements(n) + (ptrdiff_t)index * DW_TILE,
                              DW_TILE, part > 0, sum, DW_TILE);
    for (int o = 0; o < AMX_BLOCK; o++)
        for (int c = 0; c < AMX_BLOCK; c++)
            transposed[o * AMX_BLOCK + c] = sum[c * AMX_BLOCK + o];
    k->kernels->copy_rows(min_int(AMX_BLOCK, outputs(n) - j), min_int(AMX_BLOCK, inputs(n) - i), transposed, AMX_BLOCK,
                          k->add[WEIGHT], k->dx[WEIGHT].p + ((ptrdiff_t)j * taps(n) + t) * inputs(n) + i,
                          taps(n) * inputs(n));
}

void sum_dw_tiles(const struct call *k, const real *partials, int count)
{
    const struct dw_tile_sum job = { k, partials, count };
    team_for(k->team, (int)(partial_elements(k->node) / DW_TILE), sum_dw_tile, &job);
}

static void backward(const struct call *k)
{
    if (k->dx[INPUT].p)
        team_for(k->team, taps(k->node), pack_for_dx, k);
    team_for(k->team, partial_count(blocks(k->node)), backward_partial, k);
    if (k->dx[WEIGHT].p)
        sum_dw_tiles(k, partials_of(k), partial_count(blocks(k->node)));
}

/* The blocks of forward_pointwise depend on the team, so no norm is fused with it. */
static int output_blocks(const struct node *n) { return pointwise(n) ? 0 : blocks(n); }
static struct range output_block(const struct node *n, int index) { return pixels_of(block_of(n, index)); }

/* dy is read once, except for the rows around a block. */
const struct conv_algorithm conv_amx = {
    fits, packed, work, scratch, pack, forward, backward, output_blocks, output_block, always };
