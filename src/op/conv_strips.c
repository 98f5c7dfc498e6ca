/* op/conv_strips.c -- 3x3 convolutions of stride 1 on a matrix unit (kernel/tiles.h) by strips of four pixels of a row:
 * F(4, 3) of Winograd's minimal filtering along rows (kernel/winograd.h), half of the products of conv_tiles.c.
 *
 * Each of the six elements e of the strips' transforms is a matrix of its own, a row for each strip q, and the next row
 * of strips stands `across` rows further on: so the three rows of the filter are the same matrix, moved.
 *
 *     forward    y = A^T m     m_e[q][o]    = sum over u, c of x_e[q + u across][c] w_e[o][u][c]
 *     dx         the same of dy with the filters turned by half a circle
 *     dw         dw = G^T m    m_e[u][c][o] = sum over q of x_e[q + u across][c] dy_e[q][o]
 *
 * The images of a level stand one below the other, a row of zeros between two, and are cut into blocks of rows. */
#include "base/least.h"
#include "kernel/kernels.h"
#include "op/conv_tiles.h"
#include <string.h>

enum { STRIPS = 6 * TILE_SIDE,                  /* of a block, at most, where a row has no more */
       NEAR = STRIPS / 2,                       /* of dw: what the filter's rows share stays in the first level cache */
       FEWEST = TILE_SIDE,                      /* channels and outputs: with fewer the transforms cost more */
       STRIP = WINOGRAD_TILE, PATCH = WINOGRAD_PATCH, FILTER = 3 };

static bool fits(const struct node *n)
{
    const struct shape w = n->x[WEIGHT];
    return n->attr.conv.pieces && !n->attr.conv.direct && w.h == FILTER && w.w == FILTER && n->attr.conv.stride == 1
        && n->attr.conv.pad == 1 && n->attr.conv.groups == 1 && w.c >= FEWEST && w.n >= FEWEST;
}

static int strips_along(int width) { return (width + STRIP - 1) / STRIP; }

/* Rows [row, row + rows) of a level, whose images have h rows of w pixels each, and one of zeros. */
struct rows_of_strips { int h, w, across, row, rows, images; ptrdiff_t first; };

static struct rows_of_strips rows_of_level(const struct shape *s, int l)
{
    const struct block level = level_of(s, l);
    return (struct rows_of_strips){ level.h, level.w, strips_along(level.w), 0, s->n * (level.h + 1) - 1, s->n,
                                    level.first };
}

static int blocks_of(struct rows_of_strips level)
{
    const int most_rows = most(1, STRIPS / level.across);
    return (level.rows + most_rows - 1) / most_rows;
}

static int blocks(const struct node *n)
{
    int count = 0;
    for (int l = 0; l < level_count(&n->y[0].lv); l++)
        count += blocks_of(rows_of_level(&n->y[0], l));
    return count;
}

static struct rows_of_strips block_of(const struct node *n, int index)
{
    for (int l = 0;; l++) {
        struct rows_of_strips b = rows_of_level(&n->y[0], l);
        const int count = blocks_of(b);
        if (index < count) {
            b.row = (int)((ptrdiff_t)b.rows * index / count);
            b.rows = (int)((ptrdiff_t)b.rows * (index + 1) / count) - b.row;
            return b;
        }
        index -= count;
    }
}

/* The first pixel from a row on. */
static ptrdiff_t pixel_from(const struct rows_of_strips *b, int row)
{
    const int image = row / (b->h + 1), y = row % (b->h + 1);
    return b->first + ((ptrdiff_t)image * b->h + y) * b->w;
}

/* That of the row, or -1 if it is one of zeros. */
static ptrdiff_t pixel_of(const struct rows_of_strips *b, int row)
{
    const bool zeros = row < 0 || row / (b->h + 1) >= b->images || row % (b->h + 1) == b->h;
    return zeros ? -1 : pixel_from(b, row);
}

/* What a thread works with.  What has [PATCH] holds a matrix for each element, one behind the other. */
struct buffers {
    real *pixels;                               /* [4 across + 2][channels]: a row between zeros */
    real *elements;                             /* [PATCH][2 across][channels]: two rows of strips */
    real *sums;                                 /* [PATCH][strips][channels] */
    real *squares;                              /* [PATCH] of a part of dw, each without the filter's columns */
    struct pieces rows, pairs, turned;          /* of an input with the rows around it; of dy; of one element of x */
    ptrdiff_t row_numbers, pair_numbers, square_numbers;        /* of an element's matrix */
    int ldrows, ldturned, strips;
    size_t bytes;
};

static struct buffers buffers(const struct node *n, enum pass pass, unsigned char *base)
{
    const int across = strips_along(widest(&n->y[0])), channels = tiles_round(most(inputs(n), outputs(n)));
    const int strips = tiles_round(most(STRIPS, across)), with_halo = tiles_round(strips + 2 * across);
    const int pieces = n->attr.conv.pieces;
    const size_t pixel = (size_t)channels * sizeof(real);
    struct buffers b = { .ldrows = tiles_ld(channels), .ldturned = tiles_ld(with_halo), .strips = strips };
    b.row_numbers = (ptrdiff_t)with_halo * b.ldrows;
    b.pair_numbers = (ptrdiff_t)strips * tiles_round(outputs(n));
    b.square_numbers = part_numbers(n) / FILTER;
    b.pixels = take(base, &b.bytes, (size_t)(STRIP * across + 2) * pixel);
    b.elements = take(base, &b.bytes, (size_t)(PATCH * most(2 * across, FILTER)) * pixel);
    b.sums = take(base, &b.bytes, (size_t)(PATCH * strips) * pixel);
    b.rows = take_pieces(base, &b.bytes, pieces, PATCH * b.row_numbers);
    if (pass == BACKWARD) {
        b.pairs = take_pieces(base, &b.bytes, pieces, PATCH * b.pair_numbers);
        b.turned = take_pieces(base, &b.bytes, pieces, (ptrdiff_t)b.ldturned * tiles_round(inputs(n)));
        b.squares = take(base, &b.bytes, (size_t)(PATCH * b.square_numbers) * sizeof(real));
    }
    return b;
}

static size_t scratch(const struct node *n, enum pass pass) { return buffers(n, pass, NULL).bytes; }

/* The filters as the right operand of a pass of `from` to `to` channels: for each element pairs [row][from][to]. */
static ptrdiff_t filter_numbers(int from, int to) { return (ptrdiff_t)FILTER * tiles_round(from) * tiles_round(to); }

static size_t filter_bytes(const struct node *n, int from, int to)
{
    return (size_t)(n->attr.conv.pieces * PATCH * filter_numbers(from, to)) * sizeof(uint16_t);
}

static struct pieces filters_at(const struct node *n, void *memory, int from, int to)
{
    return (struct pieces){ memory, PATCH * filter_numbers(from, to), n->attr.conv.pieces };
}

static size_t packed(const struct node *n) { return filter_bytes(n, inputs(n), outputs(n)); }

static real *parts_of(const struct call *k)
{
    return (real *)(void *)((char *)k->work + filter_bytes(k->node, outputs(k->node), inputs(k->node)));
}

/* The filters for dx, then the parts of dw. */
static size_t work(const struct node *n, enum pass pass)
{
    return pass == FORWARD ? 0 : filter_bytes(n, outputs(n), inputs(n))
         + (size_t)part_count(blocks(n)) * (size_t)part_numbers(n) * sizeof(real);
}

/* TILE_SIDE outputs of the filters, transformed, split and turned. */
static void pack_for_y(const void *job, int index)
{
    const struct call *k = job;
    const struct node *n = k->node;
    const int c = inputs(n), first = index * TILE_SIDE, count = least(TILE_SIDE, outputs(n) - first);
    const int ld = FILTER * tiles_round(c);
    const struct buffers own = buffers(n, FORWARD, call_scratch(k));
    const struct pieces to = filters_at(n, k->packed, c, outputs(n));
    for (int o = 0; o < count; o++) {
        const real *filter = k->x[WEIGHT].p + (ptrdiff_t)(first + o) * FILTER * FILTER * c;
        for (int u = 0; u < FILTER; u++)
            k->kernels->strips.filter(c, filter + u * FILTER * c, c, own.elements + u * c, FILTER * c);
        for (ptrdiff_t e = 0; e < PATCH; e++)
            k->kernels->tiles->split_rows(FILTER, c, own.elements + e * FILTER * c, c,
                                          moved(own.rows, (e * TILE_SIDE + o) * ld), tiles_round(c));
    }
    for (ptrdiff_t e = 0; e < PATCH; e++)
        turn(k, TILE_SIDE, ld / 2, moved(own.rows, e * TILE_SIDE * ld), ld,
             moved(to, e * filter_numbers(c, outputs(n)) + (ptrdiff_t)first * ld), PAIR_ROW);
}

/* TILE_SIDE outputs of the filters turned by half a circle, transformed. */
static void pack_for_dx(const void *job, int index)
{
    const struct call *k = job;
    const struct node *n = k->node;
    const int c = inputs(n), rows = tiles_round(outputs(n)), first = index * TILE_SIDE;
    const int count = least(TILE_SIDE, outputs(n) - first);
    const struct buffers own = buffers(n, BACKWARD, call_scratch(k));
    const struct pieces to = filters_at(n, k->work, outputs(n), c);
    for (int u = 0; u < FILTER; u++) {
        for (ptrdiff_t o = 0; o < count; o++) {
            const real *last = k->x[WEIGHT].p + ((first + o) * FILTER + FILTER - u) * FILTER * c - c;
            k->kernels->strips.filter(c, last, -c, own.squares + o * c, (ptrdiff_t)TILE_SIDE * c);
        }
        for (ptrdiff_t e = 0; e < PATCH; e++)
            split_pairs(k, count, c, own.squares + e * TILE_SIDE * c, c,
                        moved(to, e * filter_numbers(outputs(n), c) + (ptrdiff_t)(u * rows + first) * TILE_SIDE),
                        TILE_SIDE, (ptrdiff_t)FILTER * rows * TILE_SIDE);
    }
}

/* elements = the transforms of `count` rows, at most two; of dy for dw, or of an input. */
static void transform(const struct source *s, const struct rows_of_strips *b, int row, int count, bool for_dw,
                      const struct buffers *own)
{
    const struct winograd *strips = &s->k->kernels->strips;
    const ptrdiff_t c = s->c, plane = (ptrdiff_t)count * b->across * c;
    real *to = own->elements;
    for (int r = row; r < row + count; r++) {
        const ptrdiff_t first = pixel_of(b, r), filled = first < 0 ? 0 : (b->w + 1) * c;
        memset(own->pixels, 0, (size_t)c * sizeof(real));
        if (first >= 0)
            write_source(s, (struct range){ first, b->w }, own->pixels + c, s->c);
        memset(own->pixels + filled, 0, (size_t)((STRIP * b->across + 2) * c - filled) * sizeof(real));
        for (const real *from = own->pixels; from < own->pixels + STRIP * b->across * c; from += STRIP * c, to += c)
            if (for_dw)
                strips->gradient(s->c, from + c, c, to, plane);
            else
                strips->input(s->c, from, c, to, plane);
    }
}

/* A block's rows and those around it as rows. */
static void lay_out_rows(const struct source *s, const struct rows_of_strips *b, const struct buffers *own)
{
    for (int r = 0; r < b->rows + 2; r += 2) {
        const int count = least(2, b->rows + 2 - r), strips = count * b->across;
        transform(s, b, b->row - 1 + r, count, false, own);
        for (ptrdiff_t e = 0; e < PATCH; e++) {
            const struct pieces to = moved(own->rows, e * own->row_numbers + (ptrdiff_t)r * b->across * own->ldrows);
            s->k->kernels->tiles->split_rows(strips, s->c, own->elements + e * strips * s->c, s->c, to, own->ldrows);
        }
    }
}

/* `rows` rows from `row` on as pairs of `length`, zeros behind. */
static void lay_out_pairs(const struct source *s, const struct rows_of_strips *b, int row, int rows, bool for_dw,
                          const struct buffers *own, struct pieces to, ptrdiff_t numbers, int length)
{
    for (int r = 0; r < rows; r += 2) {
        const int count = least(2, rows - r), strips = count * b->across, done = r * b->across;
        transform(s, b, row + r, count, for_dw, own);
        for (ptrdiff_t e = 0; e < PATCH; e++)
            split_pairs(s->k, strips, s->c, own->elements + e * strips * s->c, s->c,
                        moved(to, e * numbers + (ptrdiff_t)done * TILE_SIDE),
                        r + count < rows ? strips : length - done, (ptrdiff_t)length * TILE_SIDE);
    }
}

/* What is computed of a block's rows: forward, or dx. */
struct product_of_rows {
    struct source source;
    struct pieces filters;
    int channels;                               /* of the results */
    const real *bias;
    bool add;
    struct view to;
};

static void multiply(const struct product_of_rows *p, const struct rows_of_strips *b, const struct buffers *own)
{
    const struct tiles *tiles = p->source.k->kernels->tiles;
    const int c = tiles_round(p->source.c), down = b->across * own->ldrows, ldsums = tiles_round(p->channels);
    const ptrdiff_t taps[FILTER] = { 0, down, 2 * (ptrdiff_t)down };
    tiles->begin();
    for (ptrdiff_t e = 0; e < PATCH; e++)
        tiles->product(b->rows * b->across, p->channels, FILTER, taps, c, moved(own->rows, e * own->row_numbers),
                       own->ldrows, moved(p->filters, e * filter_numbers(c, p->channels)),
                       (ptrdiff_t)FILTER * c * TILE_SIDE, NULL, 0, own->sums + e * own->strips * ldsums, ldsums);
    tiles->end();
}

/* The sums of a block's rows, transformed back. */
static void write_rows(const struct product_of_rows *p, const struct rows_of_strips *b, const struct buffers *own)
{
    const struct call *k = p->source.k;
    const int ldsums = tiles_round(p->channels);
    const real *sums = own->sums;
    for (int r = b->row; r < b->row + b->rows; r++, sums += b->across * ldsums) {
        const ptrdiff_t first = pixel_of(b, r);
        if (first < 0)
            continue;
        for (ptrdiff_t g = 0; g < b->across; g++)
            k->kernels->strips.output(ldsums, sums + g * ldsums, (ptrdiff_t)own->strips * ldsums,
                                      own->pixels + g * STRIP * ldsums, ldsums);
        for (int i = 0; p->bias && i < b->w; i++)
            k->kernels->store_rows(1, p->channels, p->bias, 0, true, own->pixels + (ptrdiff_t)i * ldsums, ldsums);
        if (p->source.gradient)
            k->kernels->store_rows(b->w, p->channels, own->pixels, ldsums, p->add, p->to.p + first * p->to.ld,
                                   p->to.ld);
        else
            write_finished(k, b->w, own->pixels, ldsums, p->to.p + first * p->to.ld, p->to.ld);
    }
}

static void forward_block(const void *job, int index)
{
    const struct call *k = job;
    const struct node *n = k->node;
    const struct buffers own = buffers(n, FORWARD, call_scratch(k));
    const struct rows_of_strips b = block_of(n, index);
    const struct product_of_rows y = { .source = { k, false, inputs(n) },
                                       .filters = filters_at(n, k->packed, inputs(n), outputs(n)),
                                       .channels = outputs(n), .bias = has_bias(n) ? k->x[BIAS].p : NULL,
                                       .to = k->y[0] };
    lay_out_rows(&y.source, &b, &own);
    multiply(&y, &b, &own);
    write_rows(&y, &b, &own);
    hand_over(k, index);
}

static void pack(const struct call *k)
{
    team_for(k->team, tiles_round(outputs(k->node)) / TILE_SIDE, pack_for_y, k);
}

static void forward(const struct call *k) { team_for(k->team, blocks(k->node), forward_block, k); }

/* The squares of TILE_SIDE inputs and outputs, one for each row of the filter, (+)= x dy over strips; x is turned. */
static void add_squares(const struct tiles *tiles, int strips, int across, struct pieces x, int ldx, struct pieces dy,
                        bool add, real *square)
{
    for (int q = 0; q < strips; q += NEAR)
        for (ptrdiff_t u = 0; u < FILTER; u++) {
            real *to = square + u * SQUARE;
            tiles->product(TILE_SIDE, TILE_SIDE, 1, &(ptrdiff_t){ 0 }, least(NEAR, strips - q),
                           moved(x, u * across + q), ldx, moved(dy, (ptrdiff_t)q * TILE_SIDE), 0,
                           add || q > 0 ? to : NULL, TILE_SIDE, to, TILE_SIDE);
        }
}

/* The squares of dw of each element (+)= what a block gives. */
static void multiply_for_dw(const struct call *k, const struct rows_of_strips *b, bool add, const struct buffers *own)
{
    const struct node *n = k->node;
    const struct tiles *tiles = k->kernels->tiles;
    const struct source x = { k, false, inputs(n) }, dy = { k, true, outputs(n) };
    const int strips = tiles_round(b->rows * b->across), with_halo = tiles_round(strips + 2 * b->across);
    real *square = own->squares;
    lay_out_pairs(&dy, b, b->row, b->rows, true, own, own->pairs, own->pair_numbers, strips);
    lay_out_pairs(&x, b, b->row - 1, b->rows + 2, false, own, own->rows, own->row_numbers, with_halo);
    tiles->begin();
    for (ptrdiff_t e = 0; e < PATCH; e++) {
        for (ptrdiff_t i = 0; i < inputs(n); i += TILE_SIDE)
            turn(k, with_halo / 2, TILE_SIDE, moved(own->rows, e * own->row_numbers + i * with_halo), PAIR_ROW,
                 moved(own->turned, i * own->ldturned), own->ldturned);
        for (ptrdiff_t i = 0; i < inputs(n); i += TILE_SIDE)
            for (ptrdiff_t j = 0; j < outputs(n); j += TILE_SIDE, square += FILTER * SQUARE)
                add_squares(tiles, strips, b->across, moved(own->turned, i * own->ldturned), own->ldturned,
                            moved(own->pairs, e * own->pair_numbers + j * strips), add, square);
    }
    tiles->end();
}

static void backward_part(const void *job, int index)
{
    const struct call *k = job;
    const struct node *n = k->node;
    const struct buffers own = buffers(n, BACKWARD, call_scratch(k));
    const struct part part = part_at(blocks(n), index);
    const struct product_of_rows dx = { .source = { k, true, outputs(n) },
                                        .filters = filters_at(n, k->work, outputs(n), inputs(n)),
                                        .channels = inputs(n), .add = k->add[INPUT], .to = k->dx[INPUT] };
    real *squares = parts_of(k) + index * part_numbers(n);
    for (int i = part.from; i < part.to; i++) {
        const struct rows_of_strips b = block_of(n, i);
        if (k->dx[INPUT].p) {
            lay_out_rows(&dx.source, &b, &own);
            multiply(&dx, &b, &own);
            write_rows(&dx, &b, &own);
        }
        if (k->dx[WEIGHT].p)
            multiply_for_dw(k, &b, i > part.from, &own);
    }
    for (ptrdiff_t i = 0; k->dx[WEIGHT].p && i < own.square_numbers; i += SQUARE)
        k->kernels->strips.filter_gradient(SQUARE, own.squares + i, own.square_numbers, squares + i * FILTER, SQUARE);
}

static void backward(const struct call *k)
{
    if (k->dx[INPUT].p)
        team_for(k->team, tiles_round(outputs(k->node)) / TILE_SIDE, pack_for_dx, k);
    team_for(k->team, part_count(blocks(k->node)), backward_part, k);
    if (k->dx[WEIGHT].p)
        sum_squares(k, parts_of(k), part_count(blocks(k->node)));
}

static struct range part(const struct node *n, int index)
{
    const struct rows_of_strips b = block_of(n, index);
    const ptrdiff_t first = pixel_from(&b, b.row);
    return (struct range){ first, (int)(pixel_from(&b, b.row + b.rows) - first) };
}

const struct conv_way conv_strips = { fits, packed, work, scratch, pack, forward, backward, blocks, part, NULL };
