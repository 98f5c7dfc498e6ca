#include "op/conv/unit.h"

#include "base/min_max.h"
#include <string.h>

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

void transpose_bf16(const struct call *k, int n, int c, struct bf16 from, int ld, struct bf16 to, int ldto)
{
    for (int i = 0; i < from.terms; i++)
        k->kernels->amx->transpose(n, c, from.p + i * from.plane, ld, to.p + i * to.plane, ldto);
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

ptrdiff_t tile_elements(const struct node *n)
{
    return (ptrdiff_t)amx_round(outputs(n)) * taps(n) * amx_round(inputs(n));
}

struct dw_tile_sum { const struct call *k; real *partials; };

/* Adds the partial sums of a tile of dw and transposes it. */
static void sum_dw_tile(const void *job, int index)
{
    const struct dw_tile_sum *s = job;
    const struct call *k = s->k;
    const struct node *n = k->node;
    const int across = amx_round(outputs(n)) / AMX_BLOCK, t = index % taps(n);
    const int j = index / taps(n) % across * AMX_BLOCK, i = index / taps(n) / across * AMX_BLOCK;
    real *sum = s->partials + (ptrdiff_t)index * DW_TILE, *transposed = call_scratch(k);
    add_partials(k, sum, tile_elements(n), DW_TILE);
    for (int o = 0; o < AMX_BLOCK; o++)
        for (int c = 0; c < AMX_BLOCK; c++)
            transposed[o * AMX_BLOCK + c] = sum[c * AMX_BLOCK + o];
    k->kernels->copy_rows(min_int(AMX_BLOCK, outputs(n) - j), min_int(AMX_BLOCK, inputs(n) - i), transposed, AMX_BLOCK,
                          k->add[WEIGHT], k->dx[WEIGHT].p + ((ptrdiff_t)j * taps(n) + t) * inputs(n) + i,
                          taps(n) * inputs(n));
}

void sum_tiles(const struct call *k, real *partials)
{
    const struct dw_tile_sum job = { k, partials };
    team_for(k->team, (int)(tile_elements(k->node) / DW_TILE), sum_dw_tile, &job);
}
