/* synth/synth.h -- synthetic scenes: a town from the air, with cars, vans, trucks, buses and people.
 *
 * A scene depends on (seed, index) and its settings alone.  The box of an object is that of its full extent, hidden
 * parts included, without its shadow, clipped to the image, as in VisDrone.  An object less than a third of
 * which is visible, because of occlusion or the border, is an ignore box; an object less than a twentieth of which is
 * visible has no box. */
#ifndef SYNTH_SYNTH_H
#define SYNTH_SYNTH_H
#include "base/team.h"
#include "data/image.h"
#include <stdint.h>

struct synth_config {
    int images, val_images;             /* for training; held out */
    int width, height;                  /* 64 to 4096 pixels */
    int objects_min, objects_max;       /* wanted per scene; fewer if more do not fit */
    double scale;                       /* pixels per metre in the middle; a scene has 0.85 to 1.2 times that */
    uint64_t seed;
};

struct synth_object { int category; double box[4]; bool ignore; };      /* category from 1; x, y, width, height */
struct synth_scene { struct image image; struct synth_object *objects; int count; };

enum { SYNTH_CATEGORIES = 5 };
const char *synth_category(int category);               /* 1 .. SYNTH_CATEGORIES */

/* Scene number index >= 0.  synth_free in any case. */
bool synth_draw(struct synth_scene *, const struct synth_config *, int index, struct error *);
void synth_free(struct synth_scene *);

/* Writes folder/images/train/000000.jpg ..., folder/images/val/..., folder/train.json and folder/val.json (COCO).
 * Scenes 0 .. images-1 are for training, the next val_images are held out.  The same bytes for any team. */
bool synth_write(const struct synth_config *, const char *folder, const struct team *, struct error *);
#endif
