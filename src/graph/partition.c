#include "graph/partition.h"

#include "base/min_max.h"
#include "kernel/winograd.h"

/* ---- sections ---- */

/* The images of a part in a level.  level: the whole level, but its first image and pixel are those of the part. */
struct section { struct block level; int images; };

static struct section section_at(const struct shape *s, int parts, int index)
{
    const int levels = level_count(&s->lv);
    const struct batch_part part = part_of(s->n, parts, index / levels);
    struct block level = level_block(s, index % levels);
    level.image = part.image;
    level.first += (ptrdiff_t)part.image * level.h * level.w;
    return (struct section){ level, part.images };
}

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

int block_count(const struct shape *s, int parts, int end, int rows)
{
    int count = 0;
    for (int i = 0; i < end * level_count(&s->lv); i++) {
        const struct section section = section_at(s, parts, i);
        count += section.images * ((section.level.h + rows - 1) / rows);
    }
    return count;
}

struct block block_at(const struct shape *s, int parts, int rows, int index)
{
    for (int i = 0;; i++) {
        const struct section section = section_at(s, parts, i);
        const int h = section.level.h, per_image = (h + rows - 1) / rows, row = index % per_image * rows;
        if (index < section.images * per_image)
            return row_block(s, section.level.level, section.level.image + index / per_image, row,
                             min_int(h, row + rows));
        index -= section.images * per_image;
    }
}

static int chunk_rows(const struct shape *s)
{
    enum { ELEMENTS = 8192, PIXELS = 64 };
    const int pixels = max_int(ELEMENTS / s->c, PIXELS), width = max_level_width(s);
    return (pixels + width - 1) / width;
}

int chunks_before(const struct shape *s, int parts, int end) { return block_count(s, parts, end, chunk_rows(s)); }

void chunk_ends(const struct shape *s, int parts, int end[PARTS])
{
    for (int part = 0; part < parts; part++)
        end[part] = chunks_before(s, parts, part + 1);
}

struct range chunk_at(const struct shape *s, int parts, int index)
{
    return pixels_of(block_at(s, parts, chunk_rows(s), index));
}

size_t chunk_elements(const struct shape *s)
{
    return (size_t)chunk_rows(s) * (size_t)max_level_width(s) * (size_t)s->c;
}

/* ---- bands of tiles ---- */

enum { TILE = WINOGRAD_TILE };

int tiles_along(int extent) { return (extent + TILE - 1) / TILE; }

static struct band first_band(const struct section *s, int tiles)
{
    const int across = tiles_along(s->level.w);
    return (struct band){ s->level, across, tiles_along(s->level.h), 0, max_int(1, tiles / across) };
}

/* Number of bands of a section, given its first band. */
static int bands_of_section(const struct section *s, struct band first)
{
    return (s->images * first.down + first.rows - 1) / first.rows;
}

int band_count(const struct shape *s, int parts, int end, int tiles)
{
    int count = 0;
    for (int i = 0; i < end * level_count(&s->lv); i++) {
        const struct section section = section_at(s, parts, i);
        count += bands_of_section(&section, first_band(&section, tiles));
    }
    return count;
}

struct band band_at(const struct shape *s, int parts, int tiles, int index)
{
    for (int i = 0;; i++) {
        const struct section section = section_at(s, parts, i);
        struct band b = first_band(&section, tiles);
        const int count = bands_of_section(&section, b);
        if (index < count) {
            b.row = index * b.rows;
            b.rows = min_int(b.rows, section.images * b.down - b.row);
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

/* All rows of a section; without images none. */
static struct stacked_rows stacked_section(const struct section *s)
{
    return (struct stacked_rows){ s->level.h, s->level.w, tiles_along(s->level.w), 0,
                                  max_int(0, s->images * (s->level.h + 1) - 1), s->images, s->level.first };
}

static int blocks_of_stack(struct stacked_rows all, int tiles)
{
    const int max_rows = max_int(1, tiles / all.across);
    return (all.rows + max_rows - 1) / max_rows;
}

int stacked_count(const struct shape *s, int parts, int end, int tiles)
{
    int count = 0;
    for (int i = 0; i < end * level_count(&s->lv); i++) {
        const struct section section = section_at(s, parts, i);
        count += blocks_of_stack(stacked_section(&section), tiles);
    }
    return count;
}

struct stacked_rows stacked_at(const struct shape *s, int parts, int tiles, int index)
{
    for (int i = 0;; i++) {
        const struct section section = section_at(s, parts, i);
        struct stacked_rows b = stacked_section(&section);
        const int count = blocks_of_stack(b, tiles);
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
