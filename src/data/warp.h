/* data/warp.h -- resamples an image through a 3x3 matrix. */
#ifndef DATA_WARP_H
#define DATA_WARP_H
#include "data/geometry.h"
#include "data/image.h"

/* Writes out[height][width][3]: output pixel (x, y) is the bilinear blend of the source at matrix^-1 (x, y, 1),
 * pixel centres at whole numbers, rounded to the nearest, halves to even.  Beyond its edges the source is black,
 * and that black takes part in the blend.  A matrix without an inverse gives a black image.
 * Positions and weights are float32, rounded where OpenCV 5's warpPerspective(INTER_LINEAR) rounds them:
 * about one byte per million differs from its, by 1.  warp_rows: the rows of out start `stride` bytes apart.
 *
 * warp_region: warp reads no pixel of the source outside of it.  It holds a pixel, even where warp reads none.
 * warp_shrinks: neighbours of the output lie at least so many pixels of the source apart, in every direction; 0 if
 * the matrix is not affine. */
struct region warp_region(struct image_size source, const struct matrix *, struct image_size output);
double warp_shrinks(const struct matrix *);
void warp(const struct image *source, const struct matrix *, struct image_size output, unsigned char *out);
void warp_rows(const struct image *source, const struct matrix *, struct image_size output, size_t stride,
               unsigned char *out);
#endif
