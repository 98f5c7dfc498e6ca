/* synth/layout.h -- the layout of a synthetic town: a grid of streets, turned at random, with blocks of lawns,
 * houses, offices, parking lots, courts and fields between them. */
#ifndef SYNTH_LAYOUT_H
#define SYNTH_LAYOUT_H
#include "synth/object.h"

struct scene_objects { struct scene_object *list; int count, capacity; };

/* Vehicles stand along the lanes and in the lots, people on walks, crossings and lawns: more of both than a scene
 * wants, from which it chooses. */
struct scene_layout { struct scene_objects vehicles, people, fixtures; };

/* Paints the ground out to radius metres from the origin, and adds the objects that may stand on it.
 * scene_layout_free releases them. */
bool scene_layout_plan(struct scene_layout *, struct renderer *, double radius, struct random *, struct error *);
void scene_layout_free(struct scene_layout *);
#endif
