#include "data/colour.h"

#include <math.h>

enum { STRIP = 64 };                            /* pixels that are saturated at a time */

const struct colour_jitter no_colour_jitter = { 0, 1, 1 };

struct colour_jitter colour_draw(const struct pipeline_config *c, struct random *r)
{
    struct colour_jitter t = no_colour_jitter;
    if (random_below(r, 2))
        t.brightness = (float)random_range(r, -c->brightness, c->brightness);
    if (random_below(r, 2))
        t.contrast = (float)random_range(r, c->contrast[0], c->contrast[1]);
    if (random_below(r, 2))
        t.saturation = (float)random_range(r, c->saturation[0], c->saturation[1]);
    return t;
}

/* All but saturation is a function of one byte: a table of 256 of them. */
void colour_map(struct colour_map *map, const struct pipeline_config *c, const struct colour_jitter *t)
{
    map->saturation = t->saturation;
    for (int k = 0; k < 3; k++) {
        map->mean[k] = (float)c->normalize[0][k] / 255;
        map->std[k] = (float)c->normalize[1][k] / 255;
    }
    for (int i = 0; i < 256; i++) {
        map->tinted[i] = ((float)i / 255 + t->brightness) * t->contrast;
        for (int k = 0; k < 3; k++)
            map->value[k][i] = (map->tinted[i] - map->mean[k]) / map->std[k];
    }
}

/* Channels apart, so that pixels side by side are computed together. */
static void saturate(const struct colour_map *map, float v[3][STRIP])
{
    const float e = 0x1p-23f;
#pragma omp simd
    for (int i = 0; i < STRIP; i++) {
        const float b = v[0][i], g = v[1][i], r = v[2][i];
        const float higher = b > g ? b : g, high = higher > r ? higher : r;
        const float shrink = map->saturation * high / (fabsf(high) + e);
        v[0][i] = (high - (high - b) * shrink - map->mean[0]) / map->std[0];
        v[1][i] = (high - (high - g) * shrink - map->mean[1]) / map->std[1];
        v[2][i] = (high - (high - r) * shrink - map->mean[2]) / map->std[2];
    }
}

static void saturate_row(const struct colour_map *map, int pixels, const unsigned char (*in)[3], float (*out)[3])
{
    float v[3][STRIP] = {{0}};
    for (int n; pixels > 0; pixels -= n, in += n, out += n) {
        n = pixels < STRIP ? pixels : STRIP;
        for (int i = 0; i < n; i++)
            for (int k = 0; k < 3; k++)
                v[k][i] = map->tinted[in[i][k]];
        saturate(map, v);
        for (int i = 0; i < n; i++)
            for (int k = 0; k < 3; k++)
                out[i][k] = v[k][i];
    }
}

void colour_row(const struct colour_map *map, int pixels, const unsigned char (*in)[3], float (*out)[3])
{
    if (map->saturation != 1)
        saturate_row(map, pixels, in, out);
    else
        for (int i = 0; i < pixels; i++)
            for (int k = 0; k < 3; k++)
                out[i][k] = map->value[k][in[i][k]];
}
