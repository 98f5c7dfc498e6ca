/* op/conv/amx.c -- convolutions of stride 1 with padding (kernel - 1) / 2 on a matrix unit (kernel/amx.h).
 *
 * A block of rows is stored as one line of positions with `pad` zeros between rows.  Each tap of the kernel then reads
 * the same matrix at a different offset, and nothing is copied per tap.  Results at the zeros are discarded.
 *
 *     forward    y[q][o]     = sum over t, c of x[q + t.y across + t.x][c] w[o][t][c]
 *     dx         dx[q][c]    = sum over t, o of dy[q + opposite(t)][o] w[o][t][c]
 *     dw         dw[o][t][c] = sum over q of dy[q + opposite(t)][o] x[q][c]
 *
 * A line that is read with taps starts `pad` rows and positions before q = 0.  opposite(t) is tap t rotated by 180
 * degrees.  Without padding the pixels of a block form one line. */
#include "base/min_max.h"
#include "op/conv/unit.h"
#include <string.h>

enum { POSITIONS = 448,                         /* of a block, approximately */
       TAPS = 25 };                             /* of the largest kernel */

static bool fits(const struct node *n)
{
    const struct shape w = n->x[WEIGHT];
    const struct conv_attr *attr = conv_attr(n);
    return attr->bf16_terms && attr->stride == 1 && attr->groups == 1 && w.h == 2 * attr->pad + 1
        && w.w == 2 * attr->pad + 1 && taps(n) <= TAPS;
}

/* In training 1x1 convolutions wait for memory, not for arithmetic. */
static bool pays(const struct node *n, bool training)
{
    return inputs(n) >= AMX_BLOCK / 2 && !(training && taps(n) == 1);
}

/* The output; without padding each image is one column. */
static struct shape map_of(const struct node *n)
{
    struct shape map = n->y[0];
    if (conv_attr(n)->pad)
        return map;
    map.h *= map.w;
    map.w = 1;
    for (int l = 0; l < map.lv.count; l++) {
        map.lv.h[l] *= map.lv.w[l];
        map.lv.w[l] = 1;
    }
    return map;
}

static int rows_per_block(const struct node *n)
{
    const struct shape map = map_of(n);
    return block_rows(POSITIONS, max_level_width(&map) + conv_attr(n)->pad);
}

static int blocks(const struct node *n, int end)
{
    const struct shape map = map_of(n);
    return block_count(&map, n->parts, end, rows_per_block(n));
}

static struct block block_of(const struct node *n, int index)
{
    const struct shape map = map_of(n);
    return block_at(&map, n->parts, rows_per_block(n), index);
}

static struct range block(const struct node *n, int index) { return pixels_of(block_of(n, index)); }

/* Except for the rows around a block. */
static bool reads_dy_once(const struct node *n, bool dx) { return (void)n, (void)dx, true; }

/* Positions of the longest line that is read with taps, in whole AMX blocks. */
static int longest(const struct node *n)
{
    const struct shape map = map_of(n);
    const int pad = conv_attr(n)->pad;
    return amx_round((rows_per_block(n) + 2 * pad) * (max_level_width(&map) + pad) + 2 * pad + AMX_BLOCK);
}

/* Scratch of a thread. */
struct amx_buffers {
    real *line, *sums;                          /* [longest][channels] */
    struct bf16 rows, pairs[2], transposed;     /* pairs: from an even, and from an odd position on */
    size_t bytes;
};

static struct amx_buffers buffers(const struct node *n, enum pass pass, unsigned char *base)
{
    const int length = longest(n), max_channels = max_int(inputs(n), outputs(n));
    const size_t line = (size_t)length * (size_t)amx_round(max_channels) * sizeof(real);
    struct amx_buffers b = {0};
    b.line = take(base, &b.bytes, line);
    b.sums = take(base, &b.bytes, line);
    const int max_rows = max_int(length, AMX_BLOCK * taps(n)), terms = conv_attr(n)->bf16_terms;
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
    return (size_t)amx_round(to) * (rows * (size_t)conv_attr(n)->bf16_terms * sizeof(uint16_t) + sizeof(real));
}

static struct bf16 weights_at(const struct call *k, void *memory, int from, int to)
{
    const ptrdiff_t plane = (ptrdiff_t)taps(k->node) * amx_round(from) * amx_round(to);
    return (struct bf16){ memory, plane, conv_attr(k->node)->bf16_terms };
}

static real *packed_bias(const struct call *k)
{
    const int to = outputs(k->node);
    return (real *)(void *)((char *)k->packed + packed_bytes(k->node, inputs(k->node), to)) - amx_round(to);
}

static size_t packed(const struct node *n, enum pass pass)
{
    return pass == FORWARD ? packed_bytes(n, inputs(n), outputs(n)) : packed_bytes(n, outputs(n), inputs(n));
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

/* Packs one tap of the weights, [o][c]. */
static void pack_tap_for_dx(const void *job, int tap)
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
    return t / width * (b.w + conv_attr(n)->pad) + t % width;
}

struct padded_line { const real *p; int ld, count; };

/* Stores rows [row, row + rows) of the block's image as a line that begins with `lead` zeros. */
static struct padded_line lay_out(const struct operand_reader *s, struct block b, int row, int rows, int lead, real *to)
{
    const int pad = conv_attr(s->k->node)->pad, across = b.w + pad;
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

/* The product of a block's line with the weights: y or, with opposite taps, dx. */
struct line_product { struct operand_reader reader; struct bf16 weights; int channels; const real *bias; };

/* Splits the line, multiplies it with the weights, and writes the sums of the block's rows. */
static void multiply(const struct line_product *p, struct block b, struct padded_line line,
                     const struct amx_buffers *own)
{
    const struct call *k = p->reader.k;
    const struct amx_kernels *amx = k->kernels->amx;
    const int c = p->reader.c, ld = amx_ld(c), ldsums = amx_round(p->channels);
    const int across = b.w + conv_attr(k->node)->pad;
    ptrdiff_t tap[TAPS];
    tap_shifts(k->node, b, p->reader.pass == BACKWARD, ld, tap);
    amx->split_rows(line.count, c, line.p, line.ld, own->rows, ld);
    amx->begin();
    amx->product(b.rows * across, p->channels, taps(k->node), tap, amx_round(c), own->rows, ld, p->weights,
                 (ptrdiff_t)taps(k->node) * amx_round(c) * AMX_BLOCK, p->bias, 0, own->sums, ldsums);
    amx->end();
    const int lines = conv_attr(k->node)->pad ? b.rows : 1, width = b.rows * b.w / lines;
    for (int i = 0; i < lines; i++)
        write_pixels(k, p->reader.pass, b.first + (ptrdiff_t)i * width, width,
                     own->sums + (ptrdiff_t)i * across * ldsums, ldsums);
}

/* The line of a block, including the rows around it that its taps read. */
static struct padded_line lay_out_around(const struct operand_reader *s, struct block b, real *to)
{
    const int pad = conv_attr(s->k->node)->pad;
    return lay_out(s, b, b.row - pad, b.rows + 2 * pad, pad, to);
}

static void forward_block(const struct call *k, int index)
{
    const struct node *n = k->node;
    const struct amx_buffers own = buffers(n, FORWARD, call_scratch(k));
    const struct block b = block_of(n, index);
    const struct line_product y = { reader_of(k, FORWARD), weights_at(k, k->packed, inputs(n), outputs(n)), outputs(n),
                                    has_bias(n) ? packed_bias(k) : NULL };
    multiply(&y, b, lay_out_around(&y.reader, b, own.line), &own);
}

static void pack(const struct call *k)
{
    team_for(k->team, amx_round(outputs(k->node)) / AMX_BLOCK, pack_for_y, k);
}

static void pack_dx(const struct call *k) { team_for(k->team, taps(k->node), pack_tap_for_dx, k); }

/* Adds a block's contribution to the tiles of dw, [c][o] for each tap, or sets them.  The offset of a tap applies to
 * dy, the block's line.  An even offset is a whole number of pairs; a second set of pairs, from position 1 on, serves
 * odd offsets. */
static void multiply_for_dw(const struct call *k, struct block b, struct padded_line dy, const struct amx_buffers *own,
                            bool add, real *dw_tile)
{
    const struct node *n = k->node;
    const struct amx_kernels *amx = k->kernels->amx;
    const int c = inputs(n), o = outputs(n), length = longest(n), ldtransposed = amx_ld(length);
    const int count = amx_round(b.rows * (b.w + conv_attr(n)->pad));
    const struct operand_reader reader = reader_of(k, FORWARD);
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

static void backward_block(const struct call *k, int index, struct partial partial)
{
    const struct node *n = k->node;
    const struct amx_buffers own = buffers(n, BACKWARD, call_scratch(k));
    const struct line_product dx = { reader_of(k, BACKWARD), weights_at(k, k->work, outputs(n), inputs(n)), inputs(n),
                                     NULL };
    const struct block b = block_of(n, index);
    const struct padded_line dy = lay_out_around(&dx.reader, b, own.line);
    if (partial.with_dx)
        multiply(&dx, b, dy, &own);
    if (k->dx[WEIGHT].p)
        multiply_for_dw(k, b, dy, &own, !partial.first, partial.dw);
}

const struct conv_algorithm conv_amx = {
    .name = "amx", .fits = fits, .pays = pays, .blocks = blocks, .block = block, .reads_dy_once = reads_dy_once,
    .packed = packed, .partial_elements = tile_elements, .scratch = scratch, .pack = pack, .pack_dx = pack_dx,
    .forward_block = forward_block, .backward_block = backward_block, .sum = sum_tiles };

/* ---- 1x1 convolutions, whose forward splits, multiplies and applies the epilogue in one kernel ---- */

static bool fits_1x1(const struct node *n) { return fits(n) && taps(n) == 1 && conv_attr(n)->bf16_terms == 3; }

/* The sums of a pixel do not depend on its block, so the number of blocks may depend on the team: one per thread, or
 * more if blocks would exceed POSITIONS. */
static int jobs_1x1(const struct call *k)
{
    const int all = amx_round((int)pixels(k->y[0]));
    return max_int(min_int(k->team->threads, all / AMX_BLOCK), (all + POSITIONS - 1) / POSITIONS);
}

static void forward_1x1(const struct call *k, int index)
{
    const struct node *n = k->node;
    const struct view y = k->y[0];
    const struct amx_buffers own = buffers(n, FORWARD, call_scratch(k));
    const struct affine epilogue = epilogue_of(k);
    const struct amx_kernels *amx = k->kernels->amx;
    const int count = (int)pixels(y), jobs = jobs_1x1(k);
    const ptrdiff_t all = amx_round(count) / AMX_BLOCK, from = all * index / jobs, to = all * (index + 1) / jobs;
    const struct range r = { from * AMX_BLOCK, min_int(count, (int)to * AMX_BLOCK) - (int)from * AMX_BLOCK };
    int ldx;
    const struct operand_reader reader = reader_of(k, FORWARD);
    const real *x = reader_read(&reader, r, own.line, &ldx);
    amx->begin();
    amx->pointwise(&epilogue, r.count, inputs(n), x, ldx, outputs(n), weights_at(k, k->packed, inputs(n), outputs(n)),
                   has_bias(n) ? packed_bias(k) : NULL, own.rows, y.p + r.first * y.ld, y.ld);
    amx->end();
}

const struct conv_algorithm conv_amx_1x1 = {
    .name = "amx_1x1", .fits = fits_1x1, .pays = pays, .blocks = blocks, .block = block,
    .reads_dy_once = reads_dy_once, .packed = packed, .partial_elements = tile_elements, .scratch = scratch,
    .pack = pack, .pack_dx = pack_dx, .forward_jobs = jobs_1x1, .forward_block = forward_1x1,
    .backward_block = backward_block, .sum = sum_tiles };
