#include "data/warp.h"

#include <stddef.h>
#include <string.h>

enum { STRIP = 64 };                            /* pixels of a row that are made at a time */
struct strip {
    float u[STRIP], v[STRIP];                   /* where they lie in the source */
    float right[STRIP][3], down[STRIP][3];      /* weights of the second column and row of the patch around that */
    unsigned char patch[4][STRIP][3];           /* top left, top right, bottom left, bottom right */
    unsigned char pixel[STRIP][3];
};

/* Positions are rounded to float once, as fused multiply-adds would: the products are exact in double. */
static void locate(struct strip *strip, const struct matrix *inverse, int x, int y)
{
    double start[3], step[3];
    for (int i = 0; i < 3; i++) {
        start[i] = (float)y * (float)inverse->m[i][1] + (float)inverse->m[i][2];
        step[i] = (float)inverse->m[i][0];
    }
    for (int i = 0; i < STRIP; i++) {
        const float w = (float)((x + i) * step[2] + start[2]);
        strip->u[i] = (float)((x + i) * step[0] + start[0]) / w;
        strip->v[i] = (float)((x + i) * step[1] + start[1]) / w;
    }
}

static int floor_int(float v)
{
    const int i = (int)v;
    return i - (v < (float)i);
}

/* Copies the patch of pixel i, whose top left is (x, y) of the source: black where that is outside. */
static void gather(struct strip *strip, int i, const struct picture *s, int x, int y)
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

static void gather_all(struct strip *strip, const struct picture *s)
{
    for (int i = 0; i < STRIP; i++) {
        const float u = strip->u[i], v = strip->v[i];
        const bool near = u >= -1 && u < (float)s->width && v >= -1 && v < (float)s->height;    /* NaN is far */
        const int x = near ? floor_int(u) : -2, y = near ? floor_int(v) : -2;
        for (int k = 0; k < 3; k++) {
            strip->right[i][k] = near ? u - (float)x : 0;
            strip->down[i][k] = near ? v - (float)y : 0;
        }
        gather(strip, i, s, x, y);
    }
}

static void blend(struct strip *strip)
{
    const float to_even = 0x1.8p23f;            /* added and taken away, it rounds */
    const unsigned char *a = strip->patch[0][0], *b = strip->patch[1][0];
    const unsigned char *c = strip->patch[2][0], *d = strip->patch[3][0];
    const float *right = strip->right[0], *down = strip->down[0];
    unsigned char *pixel = strip->pixel[0];
#pragma omp simd
    for (int i = 0; i < 3 * STRIP; i++) {
        const float top = (float)a[i] + right[i] * (float)(b[i] - a[i]);
        const float bottom = (float)c[i] + right[i] * (float)(d[i] - c[i]);
        const float value = top + down[i] * (bottom - top) + to_even;
        pixel[i] = (unsigned char)(int)(value - to_even);
    }
}

void warp(const struct picture *source, const struct matrix *matrix, struct size output, unsigned char *out)
{
    struct matrix inverse = {0};                /* of a singular matrix: no point has a source */
    struct strip strip;
    matrix_inverse(&inverse, matrix);
    for (int y = 0; y < output.height; y++)
        for (int x = 0, n; x < output.width; x += n, out += 3 * n) {
            n = output.width - x < STRIP ? output.width - x : STRIP;
            locate(&strip, &inverse, x, y);
            gather_all(&strip, source);
            blend(&strip);
            memcpy(out, strip.pixel, 3 * (size_t)n);
        }
}
