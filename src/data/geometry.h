/* data/geometry.h -- where a point of the source image comes to lie in the network's input.  Matrices act on
 * columns (x, y, 1), pixel centres are whole numbers, and with the random factors in the order of their draws
 *
 *     M = Resize T F Sh R Str Scl P C
 *
 * C moves the centre of the source to the origin and rotates by right angles, T brings it back to about the centre. */
#ifndef DATA_GEOMETRY_H
#define DATA_GEOMETRY_H
#include "base/random.h"
#include "config/config.h"
#include <stdbool.h>

struct matrix { double m[3][3]; };
struct image_size { int width, height; };

bool matrix_inverse(struct matrix *out, const struct matrix *);     /* false, *out untouched: there is none */
struct matrix matrix_of_halved(const struct matrix *, int halved);  /* the same map, from the image halved so often */

/* The matrix maps points of a part whose top left is at (x, y) of an image; the result maps points of the image. */
struct matrix matrix_of_part(const struct matrix *, int x, int y);

struct draws {
    double perspective[2];      /* P[2][0], P[2][1] */
    double scale, stretch[2];   /* Scl: of both axes; Str: of x, of y */
    double rotation, shear[2];  /* R, Sh: degrees */
    bool flip, flip_vertical;   /* F */
    int right_angles;           /* C: 0 to 3, clockwise */
    double translate[2];        /* T: where the centre comes to, in units of the frame's width and height */
};
extern const struct draws draws_none;           /* every factor but T the identity, T back to the centre */

/* With coins, as NanoDet v0 drew: each step but the flips and right angles happens at all only if a fair coin says so.
 * flip_vertical and rotate90 draw numbers only if their probability is above 0. */
struct draws geometry_draw(const struct pipeline_config *, bool coins, struct random *);

/* The size that T and Resize take for that of the source.  An image rotated by 90 or 270 degrees has its sides
 * exchanged, as if its file were rotated.  With STRETCH they are not: each axis of the input keeps its scale, so that
 * objects keep the shape that they have in other images.  If the input is not square, the rotated image then
 * exceeds the input on one axis and leaves black borders on the other. */
struct image_size geometry_frame(const struct draws *, enum resize, struct image_size source);

enum factor { PERSPECTIVE, SCALE, STRETCH, ROTATION, SHEAR, FLIP, TRANSLATE, FACTORS };
struct matrix factor_matrix(enum factor, const struct draws *, struct image_size frame);

/* STRETCH: axes scaled apart to the size asked for.  KEEP: one scale for both, the output as small as that makes
 * it.  LETTERBOX: the same scale, centred in the size asked for.
 *
 * The size of the output; KEEP rounds it up to a multiple of divisible unless that is 0.  All extents given are
 * >= 1; with KEEP one that comes out may be 0. */
struct image_size resize_size(enum resize, struct image_size source, struct image_size asked, int divisible);
struct matrix resize_matrix(enum resize, struct image_size source, struct image_size output);

/* M for an output of resize_size for the frame. */
struct matrix geometry_matrix(const struct draws *, enum resize, struct image_size source, struct image_size output);

/* Moves the output of M, which becomes one of the size `window`, over the image: per axis, at 0 the low sides of window
 * and image coincide, at 1 their high sides.  A window between shows nothing but image if the image is larger, else
 * the whole of it.  The image is the bounding rectangle of its corners under M. */
void geometry_window(struct matrix *, struct image_size source, struct image_size window, const double at[2]);

/* The bounding rectangle of a box's (x1, y1, x2, y2) four corners under M, clipped to [0, width] x [0, height].
 * A box that leaves the output becomes empty.  Returns the fraction of the rectangle's area that the output has.
 * In and out may be the same memory. */
double warp_box(const struct matrix *, struct image_size output, const float in[4], float out[4]);
void warp_boxes(const struct matrix *, struct image_size output, int count, const float (*in)[4], float (*out)[4]);
#endif
