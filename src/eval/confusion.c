#include "eval/confusion.h"

#include "base/memory.h"
#include <stdlib.h>

/* taken[]: annotations that a counted detection takes. */
static int best_free_object(const struct dataset *gt, const bool *taken, const struct detection *d)
{
    const struct image_record *image = &gt->images[d->image];
    double best = OUTCOME_IOU;
    int found = -1;
    for (int i = image->first; i < image->first + image->count; i++) {
        const struct annotation *a = &gt->annotations[i];
        const double iou = a->crowd || taken[i] ? 0 : detection_overlap(d->box, a->box, false);
        if (iou > best || (found < 0 && iou == best)) {
            best = iou;
            found = i;
        }
    }
    return found;
}

static void count_image(struct confusion *c, const struct dataset *gt, const struct detections *dets,
                        const struct outcomes *o, double threshold, bool *taken, int index)
{
    const struct image_record *image = &gt->images[index];
    const struct members own = members_of(&o->images, index);
    for (int i = image->first; i < image->first + image->count; i++) {
        taken[i] = o->taken[i] >= 0 && dets->list[o->taken[i]].score > threshold;
        if (taken[i])
            ++*confusion_cell(c, gt->annotations[i].category, gt->annotations[i].category);
    }
    for (int i = 0; i < own.count && dets->list[own.order[i]].score > threshold; i++) {
        const struct detection *d = &dets->list[own.order[i]];
        const struct outcome *outcome = &o->list[own.order[i]];
        if (outcome->ignored || outcome->object >= 0)
            continue;
        const int object = best_free_object(gt, taken, d);
        ++*confusion_cell(c, object < 0 ? c->classes : gt->annotations[object].category, d->category);
        if (object >= 0)
            taken[object] = true;
    }
    for (int i = image->first; i < image->first + image->count; i++)
        if (!taken[i] && !gt->annotations[i].crowd)
            ++*confusion_cell(c, gt->annotations[i].category, c->classes);
}

bool confusion_find(struct confusion *c, const struct dataset *gt, const struct detections *dets,
                    const struct outcomes *outcomes, double threshold, struct error *err)
{
    const size_t side = (size_t)gt->category_count + 1;
    size_t cells;
    bool *taken = NULL;
    *c = (struct confusion){ .classes = gt->category_count };
    const bool ok = (checked_mul(side, side, &cells) || fail(err, "out of memory for %zu classes", side))
                 && (c->count = new_array(cells, sizeof *c->count, err))
                 && (taken = new_array((size_t)gt->annotation_count, sizeof *taken, err));
    for (int i = 0; ok && i < gt->image_count; i++)
        count_image(c, gt, dets, outcomes, threshold, taken, i);
    free(taken);
    return ok;
}

void confusion_free(struct confusion *c)
{
    free(c->count);
    *c = (struct confusion){0};
}
