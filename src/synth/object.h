/* synth/object.h -- what stands in a synthetic scene: vehicles and people, which are the objects to detect, and
 * trees and buildings, which hide them.  A kind is a row. */
#ifndef SYNTH_OBJECT_H
#define SYNTH_OBJECT_H
#include "synth/renderer.h"

struct scene_object;

struct kind {
    const char *name;
    int category;                                   /* from 1; 0: nothing to detect */
    double length[2], width[2], height[2];          /* metres: ranges */
    void (*draw)(struct renderer *, const struct scene_object *, struct random *);
    void (*cast)(struct renderer *, const struct scene_object *, struct random *);
};

/* Ends with {0}; the five categories come first, in order. */
extern const struct kind kinds[];
enum { CAR, VAN, TRUCK, BUS, PERSON, CATEGORIES, TREE = CATEGORIES, HOUSE, OFFICE, BRIDGE };

struct scene_object {
    const struct kind *kind;
    struct point at;                                /* middle of its base */
    double along[2];                                /* unit vector: where its front is */
    double length, width, height;
    uint64_t key;                                   /* of the random numbers of its looks */
};

void random_direction(struct random *, double out[2]);   /* a unit vector */

/* A thing of random size and looks.  Size 0 in a row: set length, width and height afterwards. */
struct scene_object new_thing(const struct kind *, double x, double y, const double along[2], struct random *);

void scene_object_draw(struct renderer *, const struct scene_object *);
void scene_object_cast(struct renderer *, const struct scene_object *);
#endif
