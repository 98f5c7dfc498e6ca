#include "eval/analysis.h"

#include "base/memory.h"
#include <stdlib.h>

static const struct { const char *name, *range; double low, high; } sizes[OBJECT_SIZES] = {
    { "small",  "up to 32 x 32 pixels",         0,       32 * 32 },
    { "medium", "32 x 32 to 96 x 96 pixels",    32 * 32, 96 * 96 },
    { "large",  "from 96 x 96 pixels",          96 * 96, 1e10 } };

const char *object_size_name(int i) { return sizes[i].name; }
const char *object_size_range(int i) { return sizes[i].range; }

static void count_objects(struct analysis *a, const struct dataset *gt)
{
    for (const struct annotation *o = gt->annotations; o < gt->annotations + gt->annotation_count; o++) {
        a->objects += !o->crowd;
        for (int i = 0; i < OBJECT_SIZES; i++)
            a->objects_of[i] += !o->crowd && o->area >= sizes[i].low && o->area <= sizes[i].high;
    }
}

static int most_errors_first(const void *a, const void *b)
{
    const struct image_errors *x = a, *y = b;
    const int more = (y->wrong + y->missed) - (x->wrong + x->missed);
    return more ? more : x->image - y->image;
}

static bool find_worst(struct analysis *a, const struct dataset *gt, const struct detections *dets,
                       const struct outcomes *o, struct error *err)
{
    struct image_errors *list = a->worst = new_array((size_t)gt->image_count, sizeof *list, err);
    if (!list)
        return false;
    for (int i = 0; i < gt->image_count; i++)
        list[i].image = i;
    for (int i = 0; i < dets->count; i++)
        list[dets->list[i].image].wrong += dets->list[i].score > a->threshold && !o->list[i].ignored
                                        && o->list[i].object < 0;
    for (int i = 0; i < gt->annotation_count; i++)
        list[gt->annotations[i].image].missed += !gt->annotations[i].crowd
                                              && (o->taken[i] < 0 || !(dets->list[o->taken[i]].score > a->threshold));
    qsort(list, (size_t)gt->image_count, sizeof *list, most_errors_first);
    while (a->worst_count < gt->image_count && list[a->worst_count].wrong + list[a->worst_count].missed > 0)
        a->worst_count++;
    return true;
}

bool analysis_find(struct analysis *a, const struct dataset *gt, const struct detections *dets,
                   const struct outcomes *outcomes, const struct curves *curves, struct error *err)
{
    *a = (struct analysis){ .threshold = curves->best.threshold < 0 ? ANALYSIS_SCORE : curves->best.threshold,
                            .calibration = calibration_of(dets, outcomes) };
    count_objects(a, gt);
    return tide_find(&a->tide, gt, dets, outcomes, err)
        && confusion_find(&a->confusion, gt, dets, outcomes, a->threshold, err)
        && find_worst(a, gt, dets, outcomes, err);
}

void analysis_free(struct analysis *a)
{
    tide_free(&a->tide);
    confusion_free(&a->confusion);
    free(a->worst);
    *a = (struct analysis){0};
}
