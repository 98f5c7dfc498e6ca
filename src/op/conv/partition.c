#include "op/conv/partition.h"

#include "base/min_max.h"
#include "kernel/winograd.h"

/* ---- rows of an image ---- */

int max_level_width(const struct shape *s)
{
    int width = s->w;
    for (int l = 0; l < s->lv.count; l++)
        width = max_int(width, s->lv.w[l]);
    return width;
}

int block_rows(ptrdiff_t elements, ptrdiff_t width)
{
    return width >= elements ? 1 : (int)(elements / width);
}

struct block level_block(const struct shape *s, int level)
{
    struct block b = { .level = level, .h = s->lv.count ? s->lv.h[level] : s->h,
                       .w = s->lv.count ? s->lv.w[level] : s->w };
    for (int l = 0; l < level; l++)
        b.first += (ptrdiff_t)s->n * s->lv.h[l] * s->lv.w[l];
    return b;
}

struct block row_block(const struct shape *s, int level, int image, int row, int end)
{
    struct block b = level_block(s, level);
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
        count += s->n * ((level_block(s, l).h + rows - 1) / rows);
    return count;
}

struct block block_at(const struct shape *s, int rows, int index)
{
    for (int l = 0;; l++) {
        const int h = level_block(s, l).h, per_image = (h + rows - 1) / rows, row = index % per_image * rows;
        if (index < s->n * per_image)
            return row_block(s, l, index / per_image, row, min_int(h, row + rows));
        index -= s->n * per_image;
    }
}

/* ---- bands of tiles ---- */

enum { TILE = WINOGRAD_TILE };

int tiles_along(int extent) { return (extent + TILE - 1) / TILE; }

static struct band first_band(const struct shape *s, int tiles, int level)
{
    const struct block of = level_block(s, level);
    const int across = tiles_along(of.w);
    return (struct band){ of, across, tiles_along(of.h), 0, max_int(1, tiles / across) };
}

/* Number of bands of a level, given its first band. */
static int bands_of_level(const struct shape *s, struct band first)
{
    return (s->n * first.down + first.rows - 1) / first.rows;
}

int band_count(const struct shape *s, int tiles)
{
    int count = 0;
    for (int l = 0; l < level_count(&s->lv); l++)
        count += bands_of_level(s, first_band(s, tiles, l));
    return count;
}

struct band band_at(const struct shape *s, int tiles, int index)
{
    for (int l = 0;; l++) {
        struct band b = first_band(s, tiles, l);
        const int count = bands_of_level(s, b);
        if (index < count) {
            b.row = index * b.rows;
            b.rows = min_int(b.rows, s->n * b.down - b.row);
            return b;
        }
        index -= count;
    }
}

/* The first pixel of a row of tiles; for the row after the last, the end. */
static ptrdiff_t band_pixel(const struct band *b, int row)
{
    return b->level.first + ((ptrdiff_t)(row / b->down) * b->level.h + row % b->down * TILE) * b->level.w;
}

struct range band_pixels(const struct band *b)
{
    const ptrdiff_t first = band_pixel(b, b->row);
    return (struct range){ first, (int)(band_pixel(b, b->row + b->rows) - first) };
}

struct tile tile_of(const struct band *b, int index)
{
    const int row = b->row + index / b->across;
    return (struct tile){ row % b->down * TILE, index % b->across * TILE, b->level.h, b->level.w,
                          b->level.first + (ptrdiff_t)(row / b->down) * b->level.h * b->level.w };
}

/* ---- stacked images ---- */

static struct stacked_rows stacked_level(const struct shape *s, int l)
{
    const struct block level = level_block(s, l);
    return (struct stacked_rows){ level.h, level.w, tiles_along(level.w), 0, s->n * (level.h + 1) - 1, s->n,
                                  level.first };
}

static int stacked_of_level(struct stacked_rows level, int tiles)
{
    const int max_rows = max_int(1, tiles / level.across);
    return (level.rows + max_rows - 1) / max_rows;
}

int stacked_count(const struct shape *s, int tiles)
{
    int count = 0;
    for (int l = 0; l < level_count(&s->lv); l++)
        count += stacked_of_level(stacked_level(s, l), tiles);
    return count;
}

struct stacked_rows stacked_at(const struct shape *s, int tiles, int index)
{
    for (int l = 0;; l++) {
        struct stacked_rows b = stacked_level(s, l);
        const int count = stacked_of_level(b, tiles);
        if (index < count) {
            b.row = (int)((ptrdiff_t)b.rows * index / count);
            b.rows = (int)((ptrdiff_t)b.rows * (index + 1) / count) - b.row;
            return b;
        }
        index -= count;
    }
}

/* The first pixel at or after the start of a row. */
static ptrdiff_t stacked_from(const struct stacked_rows *b, int row)
{
    const int image = row / (b->h + 1), y = row % (b->h + 1);
    return b->first + ((ptrdiff_t)image * b->h + y) * b->w;
}

struct range stacked_pixels(const struct stacked_rows *b)
{
    const ptrdiff_t first = stacked_from(b, b->row);
    return (struct range){ first, (int)(stacked_from(b, b->row + b->rows) - first) };
}

ptrdiff_t stacked_pixel(const struct stacked_rows *b, int row)
{
    const bool zeros = row < 0 || row / (b->h + 1) >= b->images || row % (b->h + 1) == b->h;
    return zeros ? -1 : stacked_from(b, row);
}

/* ---- partial sums ---- */

int partial_count(int blocks) { return min_int(blocks, MAX_PARTIALS); }

struct block_span partial_at(int blocks, int index)
{
    const int count = partial_count(blocks);
    return (struct block_span){ (int)((ptrdiff_t)blocks * index / count),
                                (int)((ptrdiff_t)blocks * (index + 1) / count) };
}
