/* data/geometry.h -- where a point of the source image comes to lie in the network's input.  Matrices act on
 * columns (x, y, 1), pixel centres are whole numbers, and with the random factors in the order of their draws
 *
 *     M = Resize T F Sh R Str Scl P C
 *
 * C moves the centre of the source to the origin, T brings it back to about the centre. */
#ifndef DATA_GEOMETRY_H
#define DATA_GEOMETRY_H
#include "base/random.h"
#include "config/config.h"
#include <stdbool.h>

struct matrix { double m[3][3]; };
struct image_size { int width, height; };

bool matrix_inverse(struct matrix *out, const struct matrix *);     /* false, *out untouched: there is none */
struct matrix matrix_of_halved(const struct matrix *, int halved);  /* the same map, from the image halved so often */

struct draws {
    double perspective[2];      /* P[2][0], P[2][1] */
    double scale, stretch[2];   /* Scl: of both axes; Str: of x, of y */
    double rotation, shear[2];  /* R, Sh: degrees */
    bool flip;                  /* F */
    double translate[2];        /* T: where the centre comes to, in units of the source's width and height */
};
extern const struct draws draws_none;           /* every factor but T the identity, T back to the centre */

/* With coins, as NanoDet v0 drew: each step but the flip happens at all only if a fair coin says so. */
struct draws geometry_draw(const struct pipeline_config *, bool coins, struct random *);

enum factor { PERSPECTIVE, SCALE, STRETCH, ROTATION, SHEAR, FLIP, TRANSLATE, FACTORS };
struct matrix factor_matrix(enum factor, const struct draws *, struct image_size source);

/* STRETCH: axes scaled apart to the size asked for.  KEEP: one scale for both, the output as small as that makes
 * it.  LETTERBOX: the same scale, centred in the size asked for.
 *
 * The size of the output; KEEP rounds it up to a multiple of divisible unless that is 0.  All extents given are
 * >= 1; with KEEP one that comes out may be 0. */
struct image_size resize_size(enum resize, struct image_size source, struct image_size asked, int divisible);
struct matrix resize_matrix(enum resize, struct image_size source, struct image_size output);

/* M for an output of resize_size. */
struct matrix geometry_matrix(const struct draws *, enum resize, struct image_size source, struct image_size output);

/* The bounding rectangle of a box's (x1, y1, x2, y2) four corners under M, clipped to [0, width] x [0, height].
 * A box that leaves the output becomes empty, and stays.  In and out may be the same memory. */
void warp_boxes(const struct matrix *, struct image_size output, int count, const float (*in)[4], float (*out)[4]);
#endif
