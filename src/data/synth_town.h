/* data/synth_town.h -- the plan of a synthetic town: a grid of streets, turned at random, with blocks of lawns,
 * houses, offices, parking lots, courts and fields between them. */
#ifndef DATA_SYNTH_TOWN_H
#define DATA_SYNTH_TOWN_H
#include "data/synth_thing.h"

struct things { struct thing *list; int count, capacity; };

/* Vehicles stand along the lanes and in the lots, people on walks, crossings and lawns: more of both than a scene
 * wants, from which it chooses. */
struct town { struct things vehicles, people, fixtures; };

/* Paints the ground out to radius metres from the origin, and adds what may stand on it; free with town_free. */
bool town_plan(struct town *, struct stage *, double radius, struct random *, struct error *);
void town_free(struct town *);
#endif
