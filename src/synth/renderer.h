/* synth/renderer.h -- camera, light and polygon painter of the synthetic scenes.
 *
 * The world is in metres: x to the right, y away from the camera, z up, ground at z = 0.  A pinhole camera looks at
 * the origin from the south.  Colours are linear light, 1 being white paper in full sun.  Everything is computed with
 * + - * / and sqrt alone, so the pixels are the same wherever IEEE arithmetic is not contracted. */
#ifndef SYNTH_RENDERER_H
#define SYNTH_RENDERER_H
#include "base/random.h"
#include "data/image.h"
#include <stdint.h>

struct vec3 { double x, y, z; };

struct paint {
    float colour[3];            /* B, G, R, linear */
    float grain;                /* strength of the texture: 0 smooth, 0.3 grass */
};
struct paint paint_of(uint32_t srgb, double grain);             /* 0xRRGGBB */

enum { GRAIN = 256, RENDERER_CORNERS = 32 };       /* side of the texture; most corners a polygon may have */

struct renderer {
    int width, height;
    float *light;               /* [height][width][3] */
    float *shade;               /* [height][width] 0: in the sun, 1: in the shadow */
    float *near;                /* [height][width] 1 / depth of the visible surface; 0: none yet */
    int *owner;                 /* [height][width] the visible object; 0: none */
    int *covered;               /* [height][width] the last object painted there, visible or hidden */
    float *grain;               /* [GRAIN][GRAIN] about -1 to 1 */
    float *cover;               /* [width + 1] of one row */
    double focal, distance, tilt_sin, tilt_cos;                 /* tilt: between the view and straight down */
    struct vec3 sun;            /* unit vector towards it */
    double sunlight[3], skylight[3];                            /* B, G, R; sun on a surface that faces it */
    double sun_here;            /* part of the sunlight that reaches the current surface */
    int object;                 /* owner of the following polygons */
    int painted;                /* pixels of the object so far, hidden ones included */
    double extent[4];           /* x0, y0, x1, y1 of the object so far, in pixels, not clipped */
};

/* Black, looking from `distance` metres at tilt (sine, 0 to 0.6), pixels_per_metre at the origin. */
bool renderer_open(struct renderer *, int width, int height, double pixels_per_metre, double distance, double tilt_sin,
                   struct random grain, struct error *);
void renderer_free(struct renderer *);

/* Projects a point to pixels; returns the depth in metres, for sorting. */
double renderer_project(const struct renderer *, struct vec3, double out[2]);

/* Everything painted until the next call belongs to object, 0 being none; extent and painted start anew. */
void renderer_begin(struct renderer *, int object);

/* A flat polygon of at most RENDERER_CORNERS corners, counterclockwise as seen from its front, lit by sun and sky; not
 * painted if its back faces the camera.  It hides deeper surfaces; the later one of equal depth is visible. */
void renderer_polygon(struct renderer *, const struct vec3 *, int count, struct paint);

/* A ball, a disc on the screen; lit: the part of the sunlight it gets. */
void renderer_ball(struct renderer *, struct vec3 centre, double radius, double lit, struct paint);

/* The shadow that the convex hull of the points casts on the ground is added to the shade; renderer_shade darkens what
 * is painted by it and keeps it.  renderer_shade_at: how much of it lies on the ground at a point. */
void renderer_cast(struct renderer *, const struct vec3 *, int count);
void renderer_shade(struct renderer *);
double renderer_shade_at(const struct renderer *, struct vec3);

/* The photograph: soft by blur (0 to 0.15), darker to the corners by vignette (0 to 1), noise in steps of 1/255. */
struct lens { double exposure, blur, vignette, noise; };
void renderer_develop(const struct renderer *, const struct lens *, struct random, struct image *);
#endif
