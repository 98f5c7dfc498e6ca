#include "data/warp.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

enum { STRIP = 64 };                            /* pixels of a row that are made at a time */
struct strip {
    int x[STRIP], y[STRIP];                     /* top left of the patch of 2 x 2 source pixels around each */
    float right[STRIP], down[STRIP];            /* weights of the patch's second column and row */
    unsigned char patch[4][STRIP][3];           /* top left, top right, bottom left, bottom right */
    unsigned char pixel[STRIP][3];
};

/* Splits positions into whole and rest.  Farther positions and NaN are moved to where all is black. */
static void split(const float at[STRIP], int extent, int whole[STRIP], float rest[STRIP])
{
#pragma omp simd
    for (int i = 0; i < STRIP; i++) {
        const float raised = at[i] > -2 ? at[i] : -2, u = raised < (float)extent ? raised : (float)extent;
        const int below = (int)u - (u < (float)(int)u);
        whole[i] = below;
        rest[i] = u - (float)below;
    }
}

/* Positions are rounded to float once, as fused multiply-adds would: the products are exact in double. */
static void locate(struct strip *strip, struct image_size source, const struct matrix *inverse, int x, int y)
{
    double start[3], step[3];
    float u[STRIP], v[STRIP];
    for (int i = 0; i < 3; i++) {
        start[i] = (float)y * (float)inverse->m[i][1] + (float)inverse->m[i][2];
        step[i] = (float)inverse->m[i][0];
    }
#pragma omp simd
    for (int i = 0; i < STRIP; i++) {
        const float w = (float)((x + i) * step[2] + start[2]);
        u[i] = (float)((x + i) * step[0] + start[0]) / w;
        v[i] = (float)((x + i) * step[1] + start[1]) / w;
    }
    split(u, source.width, strip->x, strip->right);
    split(v, source.height, strip->y, strip->down);
}

/* Is w the same everywhere, and every position a number? */
static bool is_affine(const struct matrix *inverse)
{
    double sum = 0;
    for (int i = 0; i < 9; i++)
        sum += fabs(inverse->m[i / 3][i % 3]);
    return sum < 0x1p100 && inverse->m[2][0] == 0 && inverse->m[2][1] == 0 && (float)inverse->m[2][2] != 0;
}

/* The lesser singular value. */
double warp_shrinks(const struct matrix *matrix)
{
    struct matrix a = {0};
    if (!matrix_inverse(&a, matrix) || !is_affine(&a))
        return 0;
    const double along = hypot(a.m[0][0], a.m[1][0]), down = hypot(a.m[0][1], a.m[1][1]);
    const double squares = along * along + down * down, area = a.m[0][0] * a.m[1][1] - a.m[0][1] * a.m[1][0];
    return sqrt(fmax(squares - sqrt(fmax(squares * squares - 4 * area * area, 0)), 0) / 2) / fabs(a.m[2][2]);
}

/* The corners of the output then have the outermost positions, for rounding keeps their order. */
struct region warp_region(struct image_size source, const struct matrix *matrix, struct image_size output)
{
    struct matrix inverse = {0};
    struct strip strip;
    int low[2] = { source.width - 1, source.height - 1 }, high[2] = { 1, 1 };
    if (!matrix_inverse(&inverse, matrix) || !is_affine(&inverse))
        return (struct region){ 0, 0, source.width, source.height, 0 };
    for (int corner = 0; corner < 4; corner++) {
        locate(&strip, source, &inverse, corner & 1 ? output.width - 1 : 0, corner & 2 ? output.height - 1 : 0);
        const int at[2] = { strip.x[0], strip.y[0] };
        for (int axis = 0; axis < 2; axis++) {
            low[axis] = at[axis] < low[axis] ? at[axis] : low[axis];
            high[axis] = at[axis] + 2 > high[axis] ? at[axis] + 2 : high[axis];
        }
    }
    return (struct region){ low[0] > 0 ? low[0] : 0, low[1] > 0 ? low[1] : 0,
                            high[0] < source.width ? high[0] : source.width,
                            high[1] < source.height ? high[1] : source.height, 0 };
}

/* Copies the patch of pixel i, whose top left is (x, y) of the source: black where that is outside. */
static void gather(struct strip *strip, int i, const struct image *s, int x, int y)
{
    if (x >= 0 && y >= 0 && x < s->width - 1 && y < s->height - 1) {
        const unsigned char *top = s->p + 3 * ((ptrdiff_t)y * s->width + x), *bottom = top + 3 * (ptrdiff_t)s->width;
        memcpy(strip->patch[0][i], top, 3);
        memcpy(strip->patch[1][i], top + 3, 3);
        memcpy(strip->patch[2][i], bottom, 3);
        memcpy(strip->patch[3][i], bottom + 3, 3);
        return;
    }
    for (int k = 0; k < 4; k++) {
        const int column = x + k % 2, row = y + k / 2;
        if (row >= 0 && row < s->height && column >= 0 && column < s->width)
            memcpy(strip->patch[k][i], s->p + 3 * ((ptrdiff_t)row * s->width + column), 3);
        else
            memset(strip->patch[k][i], 0, 3);
    }
}

static void blend(struct strip *strip)
{
    const float to_even = 0x1.8p23f;            /* added and taken away, it rounds */
    float right[3 * STRIP], down[3 * STRIP];
    const unsigned char *a = strip->patch[0][0], *b = strip->patch[1][0];
    const unsigned char *c = strip->patch[2][0], *d = strip->patch[3][0];
    unsigned char *pixel = strip->pixel[0];
    for (int i = 0; i < STRIP; i++)
        for (int k = 0; k < 3; k++) {
            right[3 * i + k] = strip->right[i];
            down[3 * i + k] = strip->down[i];
        }
#pragma omp simd
    for (int i = 0; i < 3 * STRIP; i++) {
        const float top = (float)a[i] + right[i] * (float)(b[i] - a[i]);
        const float bottom = (float)c[i] + right[i] * (float)(d[i] - c[i]);
        const float value = top + down[i] * (bottom - top) + to_even;
        pixel[i] = (unsigned char)(int)(value - to_even);
    }
}

void warp_rows(const struct image *source, const struct matrix *matrix, struct image_size output, size_t stride,
               unsigned char *out)
{
    struct matrix inverse = {0};                /* of a singular matrix: no point has a source */
    const struct image_size extent = { source->width, source->height };
    struct strip strip = {0};
    matrix_inverse(&inverse, matrix);
    for (int y = 0; y < output.height; y++, out += stride)
        for (int x = 0, n; x < output.width; x += n) {
            n = output.width - x < STRIP ? output.width - x : STRIP;
            locate(&strip, extent, &inverse, x, y);
            for (int i = 0; i < n; i++)
                gather(&strip, i, source, strip.x[i], strip.y[i]);
            blend(&strip);
            memcpy(out + 3 * x, strip.pixel, 3 * (size_t)n);
        }
}

void warp(const struct image *source, const struct matrix *matrix, struct image_size output, unsigned char *out)
{
    warp_rows(source, matrix, output, 3 * (size_t)output.width, out);
}
