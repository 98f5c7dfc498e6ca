/* synth/object.h -- the objects of a synthetic scene: vehicles and people, which are to be detected, and trees and
 * buildings, which occlude them.  A kind is a row. */
#ifndef SYNTH_OBJECT_H
#define SYNTH_OBJECT_H
#include "synth/renderer.h"

struct scene_object;

struct object_kind {
    const char *name;
    int category;                                   /* from 1; 0: nothing to detect */
    double length[2], width[2], height[2];          /* metres: ranges */
    void (*draw)(struct renderer *, const struct scene_object *, struct random *);
    void (*cast)(struct renderer *, const struct scene_object *, struct random *);
};

/* Ends with {0}; the five categories come first, in order. */
extern const struct object_kind kinds[];
enum { CAR, VAN, TRUCK, BUS, PERSON, CATEGORIES, TREE = CATEGORIES, HOUSE, OFFICE, BRIDGE };

struct scene_object {
    const struct object_kind *kind;
    struct vec3 at;                                 /* centre of its base */
    double along[2];                                /* unit vector towards its front */
    double length, width, height;
    uint64_t key;                                   /* of the random numbers of its appearance */
};

void random_direction(struct random *, double out[2]);   /* a unit vector */

/* An object of random size and appearance.  For kinds whose size is 0 the caller sets length, width and height. */
struct scene_object scene_object_new(const struct object_kind *, double x, double y, const double along[2],
                                     struct random *);

void scene_object_draw(struct renderer *, const struct scene_object *);
void scene_object_cast(struct renderer *, const struct scene_object *);
#endif
