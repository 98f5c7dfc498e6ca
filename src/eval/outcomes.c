#include "eval/outcomes.h"

#include "base/memory.h"
#include <stdlib.h>

/* A detection while its image is sorted. */
struct ranked { double score; int index; };

static int by_score(const void *a, const void *b)
{
    const struct ranked *x = a, *y = b;
    return x->score != y->score ? (x->score < y->score) - (x->score > y->score)
                                : (x->index > y->index) - (x->index < y->index);
}

static void rank_image(struct outcomes *o, const struct detections *dets, int image, struct ranked *ranked)
{
    int *order = o->images.order + o->images.start[image];
    const int count = members_of(&o->images, image).count;
    for (int i = 0; i < count; i++)
        ranked[i] = (struct ranked){ dets->list[order[i]].score, order[i] };
    qsort(ranked, (size_t)count, sizeof *ranked, by_score);
    for (int i = 0; i < count; i++) {
        order[i] = ranked[i].index;
        o->list[order[i]] = (struct outcome){ .rank = i, .object = -1 };
    }
}

/* The free object of the largest overlap, or -1. */
static int best_object(const struct outcomes *o, const struct dataset *gt, const struct detection *d)
{
    const struct image_record *image = &gt->images[d->image];
    double best = OUTCOME_IOU;
    int found = -1;
    for (int i = image->first; i < image->first + image->count; i++) {
        const struct annotation *a = &gt->annotations[i];
        if (a->crowd || a->category != d->category || o->taken[i] >= 0)
            continue;
        const double iou = detection_overlap(d->box, a->box, false);
        if (iou > best || (found < 0 && iou == best)) {
            best = iou;
            found = i;
        }
    }
    return found;
}

static bool in_crowd(const struct dataset *gt, const struct detection *d)
{
    const struct image_record *image = &gt->images[d->image];
    bool in = false;
    for (int i = image->first; i < image->first + image->count && !in; i++) {
        const struct annotation *a = &gt->annotations[i];
        in = a->crowd && a->category == d->category && detection_overlap(d->box, a->box, true) > OUTCOME_IOU;
    }
    return in;
}

static void match_image(struct outcomes *o, const struct dataset *gt, const struct detections *dets, int image)
{
    const struct members own = members_of(&o->images, image);
    for (int i = 0; i < own.count; i++) {
        const struct detection *d = &dets->list[own.order[i]];
        struct outcome *outcome = &o->list[own.order[i]];
        outcome->object = best_object(o, gt, d);
        if (outcome->object >= 0)
            o->taken[outcome->object] = own.order[i];
        outcome->ignored = d->category < 0 || (outcome->object < 0 && in_crowd(gt, d));
    }
}

bool outcomes_find(struct outcomes *o, const struct dataset *gt, const struct detections *dets, struct error *err)
{
    const size_t count = (size_t)dets->count;
    struct ranked *ranked = NULL;
    *o = (struct outcomes){0};
    const bool ok = (o->list = new_array(count, sizeof *o->list, err))
                 && (o->taken = new_array((size_t)gt->annotation_count, sizeof *o->taken, err))
                 && (ranked = new_array(count, sizeof *ranked, err))
                 && group_by(&o->images, count ? &dets->list->image : NULL, sizeof *dets->list, dets->count,
                             gt->image_count, err);
    for (int i = 0; ok && i < gt->annotation_count; i++)
        o->taken[i] = -1;
    for (int i = 0; ok && i < gt->image_count; i++) {
        rank_image(o, dets, i, ranked);
        match_image(o, gt, dets, i);
    }
    free(ranked);
    return ok;
}

void outcomes_free(struct outcomes *o)
{
    grouping_free(&o->images);
    free(o->list);
    free(o->taken);
    *o = (struct outcomes){0};
}
