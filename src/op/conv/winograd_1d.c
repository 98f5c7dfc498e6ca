/* op/conv/winograd_1d.c -- 3x3 convolutions of stride 1 on a matrix unit (kernel/amx.h) by Winograd's F(4, 3) along
 * rows (kernel/winograd.h): tiles of four pixels of a row, half of the multiplications of amx.c.
 *
 * Each of the six elements e of the transformed tiles forms a matrix with one row per tile q.  The next row of tiles
 * starts `across` rows further on, so the three rows of the filter read the same matrix at three offsets.
 *
 *     forward    y = A^T m     m_e[q][o]    = sum over u, c of x_e[q + u across][c] w_e[o][u][c]
 *     dx         the same of dy, with filters rotated by 180 degrees
 *     dw         dw = G^T m    m_e[u][c][o] = sum over q of x_e[q + u across][c] dy_e[q][o]
 *
 * The images of a part of a level are stacked vertically, separated by a row of zeros, and divided into blocks of
 * rows. */
#include "base/min_max.h"
#include "op/conv/unit.h"
#include <string.h>

enum { MAX_TILES = 6 * AMX_BLOCK,               /* of a block, unless a row has more */
       L1_TILES = MAX_TILES / 2,                /* for dw: keeps data shared by filter rows in the L1 cache */
       MIN_CHANNELS = AMX_BLOCK,                /* below, the transforms cost more than they save */
       TILE = WINOGRAD_TILE, PATCH = WINOGRAD_PATCH, FILTER = 3 };

static bool fits(const struct node *n)
{
    const struct conv_attr *attr = conv_attr(n);
    return attr->bf16_terms && n->x[WEIGHT].h == FILTER && n->x[WEIGHT].w == FILTER && attr->stride == 1
        && attr->pad == 1 && attr->groups == 1;
}

static bool pays(const struct node *n, bool training)
{
    return (void)training, inputs(n) >= MIN_CHANNELS && outputs(n) >= MIN_CHANNELS;
}

static int blocks(const struct node *n, int end) { return stacked_count(&n->y[0], n->parts, end, MAX_TILES); }

static struct stacked_rows block_of(const struct node *n, int index)
{
    return stacked_at(&n->y[0], n->parts, MAX_TILES, index);
}

static struct range block(const struct node *n, int index)
{
    const struct stacked_rows b = block_of(n, index);
    return stacked_pixels(&b);
}

/* Scratch of a thread.  [PATCH]: one matrix per element, consecutively. */
struct tile_buffers {
    real *pixels;                               /* [4 across + 2][channels]: a zero-padded row */
    real *elements;                             /* [PATCH][2 across][channels]: two rows of tiles */
    real *sums;                                 /* [PATCH][tiles][channels] */
    real *dw_tiles;                             /* [PATCH] of a partial sum of dw, [rows of the filter] */
    struct bf16 rows, pairs, transposed;        /* the input with halo rows; dy; one element of x */
    ptrdiff_t row_elements, pair_elements, tile_elements;        /* of an element */
    int ldrows, ldtransposed, tiles;
    size_t bytes;
};

static struct tile_buffers buffers(const struct node *n, enum pass pass, unsigned char *base)
{
    const int across = tiles_along(max_level_width(&n->y[0])), channels = amx_round(max_int(inputs(n), outputs(n)));
    const int tiles = amx_round(max_int(MAX_TILES, across)), with_halo = amx_round(tiles + 2 * across);
    const int terms = conv_attr(n)->bf16_terms;
    const size_t pixel = (size_t)channels * sizeof(real);
    struct tile_buffers b = { .ldrows = amx_ld(channels), .ldtransposed = amx_ld(with_halo), .tiles = tiles };
    b.row_elements = (ptrdiff_t)with_halo * b.ldrows;
    b.pair_elements = (ptrdiff_t)tiles * amx_round(outputs(n));
    b.tile_elements = tile_elements(n) / FILTER;
    b.pixels = take(base, &b.bytes, (size_t)(TILE * across + 2) * pixel);
    b.elements = take(base, &b.bytes, (size_t)(PATCH * max_int(2 * across, FILTER)) * pixel);
    b.sums = take(base, &b.bytes, (size_t)(PATCH * tiles) * pixel);
    b.rows = take_bf16(base, &b.bytes, terms, PATCH * b.row_elements);
    if (pass == BACKWARD) {
        b.pairs = take_bf16(base, &b.bytes, terms, PATCH * b.pair_elements);
        b.transposed = take_bf16(base, &b.bytes, terms, (ptrdiff_t)b.ldtransposed * amx_round(inputs(n)));
        b.dw_tiles = take(base, &b.bytes, (size_t)(PATCH * b.tile_elements) * sizeof(real));
    }
    return b;
}

static size_t scratch(const struct node *n, enum pass pass) { return buffers(n, pass, NULL).bytes; }

/* The filters as right operand of a pass of `from` to `to` channels: for each element pairs [row][from][to]. */
static ptrdiff_t filter_elements(int from, int to) { return (ptrdiff_t)FILTER * amx_round(from) * amx_round(to); }

static size_t filter_bytes(const struct node *n, int from, int to)
{
    return (size_t)(conv_attr(n)->bf16_terms * PATCH * filter_elements(from, to)) * sizeof(uint16_t);
}

static struct bf16 filters_at(const struct node *n, void *memory, int from, int to)
{
    return (struct bf16){ memory, PATCH * filter_elements(from, to), conv_attr(n)->bf16_terms };
}

static size_t packed(const struct node *n, enum pass pass)
{
    return pass == FORWARD ? filter_bytes(n, inputs(n), outputs(n)) : filter_bytes(n, outputs(n), inputs(n));
}

/* Packs AMX_BLOCK outputs of the filters: transformed, split and transposed. */
static void pack_for_y(const void *job, int index)
{
    const struct call *k = job;
    const struct node *n = k->node;
    const int c = inputs(n), first = index * AMX_BLOCK, count = min_int(AMX_BLOCK, outputs(n) - first);
    const int ld = FILTER * amx_round(c);
    const struct tile_buffers own = buffers(n, FORWARD, call_scratch(k));
    const struct bf16 to = filters_at(n, k->packed, c, outputs(n));
    for (int o = 0; o < count; o++) {
        const real *filter = k->x[WEIGHT].p + (ptrdiff_t)(first + o) * FILTER * FILTER * c;
        for (int u = 0; u < FILTER; u++)
            k->kernels->winograd_1d.filter(c, filter + u * FILTER * c, c, own.elements + u * c, FILTER * c);
        for (ptrdiff_t e = 0; e < PATCH; e++)
            k->kernels->amx->split_rows(FILTER, c, own.elements + e * FILTER * c, c,
                                        bf16_at(own.rows, (e * AMX_BLOCK + o) * ld), amx_round(c));
    }
    for (ptrdiff_t e = 0; e < PATCH; e++)
        transpose_bf16(k, AMX_BLOCK, ld / 2, bf16_at(own.rows, e * AMX_BLOCK * ld), ld,
                       bf16_at(to, e * filter_elements(c, outputs(n)) + (ptrdiff_t)first * ld), PAIR_ROW);
}

/* Packs AMX_BLOCK outputs of the filters: rotated by 180 degrees, transformed and split. */
static void pack_for_dx(const void *job, int index)
{
    const struct call *k = job;
    const struct node *n = k->node;
    const int c = inputs(n), rows = amx_round(outputs(n)), first = index * AMX_BLOCK;
    const int count = min_int(AMX_BLOCK, outputs(n) - first);
    const struct tile_buffers own = buffers(n, BACKWARD, call_scratch(k));
    const struct bf16 to = filters_at(n, k->work, outputs(n), c);
    for (int u = 0; u < FILTER; u++) {
        for (ptrdiff_t o = 0; o < count; o++) {
            const real *last = k->x[WEIGHT].p + ((first + o) * FILTER + FILTER - u) * FILTER * c - c;
            k->kernels->winograd_1d.filter(c, last, -c, own.dw_tiles + o * c, (ptrdiff_t)AMX_BLOCK * c);
        }
        for (ptrdiff_t e = 0; e < PATCH; e++)
            split_pairs(k, count, c, own.dw_tiles + e * AMX_BLOCK * c, c,
                        bf16_at(to, e * filter_elements(outputs(n), c) + (ptrdiff_t)(u * rows + first) * AMX_BLOCK),
                        AMX_BLOCK, (ptrdiff_t)FILTER * rows * AMX_BLOCK);
    }
}

/* own->elements = the transforms of `count` <= 2 rows: of dy for dw, or of an input. */
static void transform(const struct operand_reader *s, const struct stacked_rows *b, int row, int count, bool for_dw,
                      const struct tile_buffers *own)
{
    const struct winograd *transforms = &s->k->kernels->winograd_1d;
    const ptrdiff_t c = s->c, plane = (ptrdiff_t)count * b->across * c;
    real *to = own->elements;
    for (int r = row; r < row + count; r++) {
        const ptrdiff_t first = stacked_pixel(b, r), filled = first < 0 ? 0 : (b->w + 1) * c;
        memset(own->pixels, 0, (size_t)c * sizeof(real));
        if (first >= 0)
            reader_copy(s, (struct range){ first, b->w }, own->pixels + c, s->c);
        memset(own->pixels + filled, 0, (size_t)((TILE * b->across + 2) * c - filled) * sizeof(real));
        for (const real *from = own->pixels; from < own->pixels + TILE * b->across * c; from += TILE * c, to += c)
            if (for_dw)
                transforms->gradient(s->c, from + c, c, to, plane);
            else
                transforms->input(s->c, from, c, to, plane);
    }
}

/* Transforms and splits a block's rows and its halo, as rows. */
static void lay_out_rows(const struct operand_reader *s, const struct stacked_rows *b, const struct tile_buffers *own)
{
    for (int r = 0; r < b->rows + 2; r += 2) {
        const int count = min_int(2, b->rows + 2 - r), tiles = count * b->across;
        transform(s, b, b->row - 1 + r, count, false, own);
        for (ptrdiff_t e = 0; e < PATCH; e++) {
            const struct bf16 to = bf16_at(own->rows, e * own->row_elements + (ptrdiff_t)r * b->across * own->ldrows);
            s->k->kernels->amx->split_rows(tiles, s->c, own->elements + e * tiles * s->c, s->c, to, own->ldrows);
        }
    }
}

/* Transforms and splits `rows` rows from `row` on, as pairs padded with zeros to `length`. */
static void lay_out_pairs(const struct operand_reader *s, const struct stacked_rows *b, int row, int rows, bool for_dw,
                          const struct tile_buffers *own, struct bf16 to, ptrdiff_t elements, int length)
{
    for (int r = 0; r < rows; r += 2) {
        const int count = min_int(2, rows - r), tiles = count * b->across, done = r * b->across;
        transform(s, b, row + r, count, for_dw, own);
        for (ptrdiff_t e = 0; e < PATCH; e++)
            split_pairs(s->k, tiles, s->c, own->elements + e * tiles * s->c, s->c,
                        bf16_at(to, e * elements + (ptrdiff_t)done * AMX_BLOCK),
                        r + count < rows ? tiles : length - done, (ptrdiff_t)length * AMX_BLOCK);
    }
}

/* The product of a block's rows with the filters: y or dx. */
struct row_product { struct operand_reader reader; struct bf16 filters; int channels; const real *bias; };

static void multiply(const struct row_product *p, const struct stacked_rows *b, const struct tile_buffers *own)
{
    const struct amx_kernels *amx = p->reader.k->kernels->amx;
    const int c = amx_round(p->reader.c), down = b->across * own->ldrows, ldsums = amx_round(p->channels);
    const ptrdiff_t taps[FILTER] = { 0, down, 2 * (ptrdiff_t)down };
    amx->begin();
    for (ptrdiff_t e = 0; e < PATCH; e++)
        amx->product(b->rows * b->across, p->channels, FILTER, taps, c, bf16_at(own->rows, e * own->row_elements),
                     own->ldrows, bf16_at(p->filters, e * filter_elements(c, p->channels)),
                     (ptrdiff_t)FILTER * c * AMX_BLOCK, NULL, 0, own->sums + e * own->tiles * ldsums, ldsums);
    amx->end();
}

/* Transforms the sums of a block's rows back and writes them. */
static void write_rows(const struct row_product *p, const struct stacked_rows *b, const struct tile_buffers *own)
{
    const struct call *k = p->reader.k;
    const int ldsums = amx_round(p->channels);
    const real *sums = own->sums;
    for (int r = b->row; r < b->row + b->rows; r++, sums += b->across * ldsums) {
        const ptrdiff_t first = stacked_pixel(b, r);
        if (first < 0)
            continue;
        for (ptrdiff_t g = 0; g < b->across; g++)
            k->kernels->winograd_1d.output(ldsums, sums + g * ldsums, (ptrdiff_t)own->tiles * ldsums,
                                           own->pixels + g * TILE * ldsums, ldsums);
        for (int i = 0; p->bias && i < b->w; i++)
            k->kernels->copy_rows(1, p->channels, p->bias, 0, true, own->pixels + (ptrdiff_t)i * ldsums, ldsums);
        write_pixels(k, p->reader.pass, first, b->w, own->pixels, ldsums);
    }
}

static void run_block(const struct row_product *p, const struct stacked_rows *b, const struct tile_buffers *own)
{
    lay_out_rows(&p->reader, b, own);
    multiply(p, b, own);
    write_rows(p, b, own);
}

static void forward_block(const struct call *k, int index)
{
    const struct node *n = k->node;
    const struct tile_buffers own = buffers(n, FORWARD, call_scratch(k));
    const struct stacked_rows b = block_of(n, index);
    const struct row_product y = { reader_of(k, FORWARD), filters_at(n, k->packed, inputs(n), outputs(n)), outputs(n),
                                   has_bias(n) ? k->x[BIAS].p : NULL };
    run_block(&y, &b, &own);
}

static void pack(const struct call *k)
{
    team_for(k->team, amx_round(outputs(k->node)) / AMX_BLOCK, pack_for_y, k);
}

static void pack_dx(const struct call *k)
{
    team_for(k->team, amx_round(outputs(k->node)) / AMX_BLOCK, pack_for_dx, k);
}

/* Adds x dy over the tiles to the FILTER tiles of dw of AMX_BLOCK inputs and outputs, or sets them; x is transposed. */
static void add_dw_tiles(const struct amx_kernels *amx, int tiles, int across, struct bf16 x, int ldx, struct bf16 dy,
                         bool add, real *dw_tile)
{
    for (int q = 0; q < tiles; q += L1_TILES)
        for (ptrdiff_t u = 0; u < FILTER; u++) {
            real *to = dw_tile + u * DW_TILE;
            amx->product(AMX_BLOCK, AMX_BLOCK, 1, &(ptrdiff_t){ 0 }, min_int(L1_TILES, tiles - q),
                         bf16_at(x, u * across + q), ldx, bf16_at(dy, (ptrdiff_t)q * AMX_BLOCK), 0,
                         add || q > 0 ? to : NULL, AMX_BLOCK, to, AMX_BLOCK);
        }
}

/* Adds a block's contribution to the tiles of dw of each element, or sets them. */
static void multiply_for_dw(const struct call *k, const struct stacked_rows *b, bool add,
                            const struct tile_buffers *own)
{
    const struct node *n = k->node;
    const struct amx_kernels *amx = k->kernels->amx;
    const struct operand_reader x = reader_of(k, FORWARD), dy = reader_of(k, BACKWARD);
    const int tiles = amx_round(b->rows * b->across), with_halo = amx_round(tiles + 2 * b->across);
    real *dw_tile = own->dw_tiles;
    lay_out_pairs(&dy, b, b->row, b->rows, true, own, own->pairs, own->pair_elements, tiles);
    lay_out_pairs(&x, b, b->row - 1, b->rows + 2, false, own, own->rows, own->row_elements, with_halo);
    amx->begin();
    for (ptrdiff_t e = 0; e < PATCH; e++) {
        for (ptrdiff_t i = 0; i < inputs(n); i += AMX_BLOCK)
            transpose_bf16(k, with_halo / 2, AMX_BLOCK, bf16_at(own->rows, e * own->row_elements + i * with_halo),
                           PAIR_ROW, bf16_at(own->transposed, i * own->ldtransposed), own->ldtransposed);
        for (ptrdiff_t i = 0; i < inputs(n); i += AMX_BLOCK)
            for (ptrdiff_t j = 0; j < outputs(n); j += AMX_BLOCK, dw_tile += FILTER * DW_TILE)
                add_dw_tiles(amx, tiles, b->across, bf16_at(own->transposed, i * own->ldtransposed), own->ldtransposed,
                             bf16_at(own->pairs, e * own->pair_elements + j * tiles), add, dw_tile);
    }
    amx->end();
}

/* The tiles of dw of each element are summed in scratch and transformed to dw after the last block. */
static void backward_block(const struct call *k, int index, struct partial partial)
{
    const struct node *n = k->node;
    const struct tile_buffers own = buffers(n, BACKWARD, call_scratch(k));
    const struct row_product dx = { reader_of(k, BACKWARD), filters_at(n, k->work, outputs(n), inputs(n)), inputs(n),
                                    NULL };
    const struct stacked_rows b = block_of(n, index);
    if (partial.with_dx)
        run_block(&dx, &b, &own);
    if (k->dx[WEIGHT].p)
        multiply_for_dw(k, &b, !partial.first, &own);
    for (ptrdiff_t i = 0; k->dx[WEIGHT].p && partial.last && i < own.tile_elements; i += DW_TILE)
        k->kernels->winograd_1d.filter_gradient(DW_TILE, own.dw_tiles + i, own.tile_elements, partial.dw + i * FILTER,
                                                DW_TILE);
}

const struct conv_algorithm conv_winograd_1d = {
    .name = "winograd_1d", .fits = fits, .pays = pays, .blocks = blocks, .block = block, .packed = packed,
    .partial_elements = tile_elements, .scratch = scratch, .pack = pack, .pack_dx = pack_dx,
    .forward_block = forward_block, .backward_block = backward_block, .sum = sum_tiles };
