#include "data/tiles.h"

struct image_size tile_size(const struct ints *size, const int input[2])
{
    const int width = size->at[0], height = size->at[size->count - 1];
    return (struct image_size){ width ? width : input[0], height ? height : input[1] };
}

bool tile_covers(struct image_size tile, struct image_size image)
{
    return tile.width >= image.width && tile.height >= image.height;
}

struct tile tile_whole(struct image_size image)
{
    return (struct tile){ 0, 0, image };
}

static int axis_count(int extent, int tile, double overlap)
{
    const int step = (int)(tile * (1 - overlap));
    return extent > tile ? 1 + (extent - tile + step - 1) / step : 1;
}

struct tile_grid tile_grid_of(struct image_size image, struct image_size tile, double overlap)
{
    return (struct tile_grid){ image, tile, axis_count(image.width, tile.width, overlap),
                               axis_count(image.height, tile.height, overlap) };
}

static int axis_start(int extent, int tile, int count, int i)
{
    return count > 1 ? (int)((int64_t)(extent - tile) * i / (count - 1)) : 0;
}

struct tile tile_at(const struct tile_grid *g, int index)
{
    return (struct tile){ axis_start(g->image.width, g->tile.width, g->columns, index % g->columns),
                          axis_start(g->image.height, g->tile.height, g->rows, index / g->columns), g->tile };
}

static struct image_size doubled(struct image_size size)
{
    return (struct image_size){ 2 * size.width, 2 * size.height };
}

int tile_grids(const struct test_tiles *tiles, struct image_size tile, struct image_size image,
               struct tile_grid grids[TILE_GRIDS])
{
    const struct image_size half = { image.width / 2, image.height / 2 };
    int count = 0;
    grids[count++] = tile_grid_of(image, tile, tiles->overlap);
    if (!tiles->coarse)
        return count;
    grids[count++] = tile_grid_of(image, image, 0);
    for (tile = doubled(tile); !tile_covers(tile, half) && count < TILE_GRIDS; tile = doubled(tile))
        grids[count++] = tile_grid_of(image, tile, tiles->overlap);
    return count;
}

static int draw_start(int extent, int tile, struct random *r)
{
    const int start = random_below(r, extent) - tile / 2, last = extent - tile;
    return start < 0 || last < 0 ? 0 : start < last ? start : last;
}

struct tile tile_draw(const struct train_tiles *tiles, const int input[2], struct image_size image, struct random *r)
{
    if (tiles->size.count == 0 || random_unit(r) < tiles->whole)
        return tile_whole(image);
    const struct image_size size = tile_size(&tiles->size, input);
    if (tile_covers(size, image))
        return tile_whole(image);
    const int x = draw_start(image.width, size.width, r);
    return (struct tile){ x, draw_start(image.height, size.height, r), size };
}
