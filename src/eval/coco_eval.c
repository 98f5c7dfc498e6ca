#include "eval/coco_eval.h"

#include "base/memory.h"
#include "eval/match.h"
#include <float.h>
#include <stdlib.h>
#include <string.h>

/* Precision and recall are taken of the objects in a range of areas, with one of the limits of detections. */
enum { ALL, SMALL, MEDIUM, LARGE, FIRST, SECOND, GROUPS };
static const struct coco_group { double low, high; int limit; } groups[GROUPS] = {
    [ALL]    = { 0, 1e10, 2 },
    [SMALL]  = { 0, 32 * 32, 2 },
    [MEDIUM] = { 32 * 32, 96 * 96, 2 },
    [LARGE]  = { 96 * 96, 1e10, 2 },
    [FIRST]  = { 0, 1e10, 0 },
    [SECOND] = { 0, 1e10, 1 } };

enum of { PRECISION, RECALL };
enum { ALL_OF_100 = -1, MEAN = -1, AT_50 = 0, AT_75 = 5 };
static const struct coco_figure { const char *name; enum of of; int group, iou; } figures[COCO_FIGURES] = {
    { "AP",   PRECISION, ALL_OF_100, MEAN },
    { "AP50", PRECISION, ALL,        AT_50 },
    { "AP75", PRECISION, ALL,        AT_75 },
    { "APs",  PRECISION, SMALL,      MEAN },
    { "APm",  PRECISION, MEDIUM,     MEAN },
    { "APl",  PRECISION, LARGE,      MEAN },
    { "AR1",   RECALL,   FIRST,      MEAN },
    { "AR10",  RECALL,   SECOND,     MEAN },
    { "AR100", RECALL,   ALL,        MEAN },
    { "ARs",   RECALL,   SMALL,      MEAN },
    { "ARm",   RECALL,   MEDIUM,     MEAN },
    { "ARl",   RECALL,   LARGE,      MEAN } };

const char *coco_figure_name(int i) { return figures[i].name; }

/* Every array below has a stretch for each class, so classes are independent chunks. */
struct coco_job {
    const struct dataset *gt;
    const struct detections *dets;
    struct grouping gt_of, dets_of;             /* by category */
    int max_dets[3], of_100;                    /* of_100: the group of all areas whose limit is 100, or -1 */
    struct match_detection *hits;               /* [detections] */
    struct match_object *objects;               /* [annotations], as are the next two */
    struct match_overlap *overlaps;
    double *precision;
    struct coco_class *classes;
};

static unsigned groups_outside(double area)
{
    unsigned mask = 0;
    for (int g = 0; g < GROUPS; g++)
        mask |= (unsigned)!(area >= groups[g].low && area <= groups[g].high) << g;
    return mask;
}

static unsigned groups_of_rank(const struct coco_job *k, int rank)
{
    unsigned mask = 0;
    for (int g = 0; g < GROUPS; g++)
        mask |= (unsigned)(rank < k->max_dets[groups[g].limit]) << g;
    return mask;
}

static int list_objects(const struct coco_job *k, int class, struct match_object *objects)
{
    const struct members own = members_of(&k->gt_of, class);
    for (int i = 0; i < own.count; i++) {
        const struct annotation *a = &k->gt->annotations[own.order[i]];
        objects[i] = (struct match_object){ .ground_truth = a, .crowd = a->crowd, .no_hit = a->id == 0,
                                            .ignored = a->crowd ? ~0u : groups_outside(a->area) };
    }
    return own.count;
}

static int list_hits(const struct coco_job *k, int class, struct match_detection *hits)
{
    const struct members own = members_of(&k->dets_of, class);
    for (int i = 0; i < own.count; i++) {
        const struct detection *d = &k->dets->list[own.order[i]];
        hits[i] = (struct match_detection){ .detection = d, .score = d->score, .image = d->image,
                                            .outside = groups_outside(d->box[2] * d->box[3]) };
    }
    match_sort(hits, own.count);
    for (int i = 0, rank = 0; i < own.count; i++) {
        rank = i > 0 && hits[i].image == hits[i - 1].image ? rank + 1 : 0;
        hits[i].groups = groups_of_rank(k, rank);
    }
    return own.count;
}

/* at[r]: precision where recall first reaches r / 100, 0 where it never does, -1 if there are no objects. */
static void sample_precision(const double *precision, int found, int objects, double at[COCO_RECALLS])
{
    for (int r = 0, i = 0; r < COCO_RECALLS; r++) {
        while (i < found && (double)(i + 1) / objects < r * 0.01)
            i++;
        at[r] = !objects ? -1 : i < found ? precision[i] : 0;
    }
}

static int objects_in(const struct match_object *objects, int count, int group)
{
    int n = 0;
    for (int i = 0; i < count; i++)
        n += !(objects[i].ignored >> group & 1);
    return n;
}

static void evaluate_class(const void *job, int class)
{
    const struct coco_job *k = job;
    const int first = k->gt_of.start[class];
    struct match_detection *hits = k->hits + k->dets_of.start[class];
    struct match_object *objects = k->objects + first;
    struct coco_class *c = &k->classes[class];
    double value[GROUPS][2][MATCH_IOUS], unused[COCO_RECALLS];
    const int object_count = list_objects(k, class, objects), count = list_hits(k, class, hits);
    match_class(hits, count, objects, object_count, k->overlaps + first);
    for (int g = 0; g < GROUPS; g++) {
        const int wanted = objects_in(objects, object_count, g);
        for (int t = 0; t < MATCH_IOUS; t++) {
            double *precision = k->precision + first, *at = g == ALL ? c->precision[t] : unused;
            const int found = match_precision(hits, count, match_setting(g, t), DBL_EPSILON, precision);
            sample_precision(precision, found, wanted, at);
            value[g][PRECISION][t] = mean(at, COCO_RECALLS);
            value[g][RECALL][t] = wanted ? (double)found / wanted : -1;
        }
    }
    for (int i = 0; i < COCO_FIGURES; i++) {
        const struct coco_figure *f = &figures[i];
        const int g = f->group == ALL_OF_100 ? k->of_100 : f->group;
        c->figures[i] = g < 0 ? -1 : f->iou == MEAN ? mean(value[g][f->of], MATCH_IOUS) : value[g][f->of][f->iou];
    }
    c->ap = mean(value[ALL][PRECISION], MATCH_IOUS);
    c->ap50 = value[ALL][PRECISION][AT_50];
    c->ar = mean(value[ALL][RECALL], MATCH_IOUS);
    memcpy(c->recall, value[ALL][RECALL], sizeof c->recall);
}

/* A class whose figure is -1 has no object there and does not count. */
static double mean_over_classes(const struct coco_class *classes, int count, int figure)
{
    double sum = 0;
    int n = 0;
    for (int i = 0; i < count; i++)
        if (classes[i].figures[figure] >= 0) {
            sum += classes[i].figures[figure];
            n++;
        }
    return n ? sum / n : -1;
}

static int by_value(const void *a, const void *b)
{
    const int *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static bool start(struct coco_job *k, struct coco_score *score, struct error *err)
{
    static const int group_of_limit[3] = { FIRST, SECOND, ALL };
    const struct dataset *gt = k->gt;
    const int classes = gt->category_count;
    const size_t objects = (size_t)gt->annotation_count, hits = (size_t)k->dets->count;
    qsort(k->max_dets, 3, sizeof k->max_dets[0], by_value);
    for (int i = 0; i < 3; i++)
        if (k->max_dets[i] == 100)
            k->of_100 = group_of_limit[i];
    return group_by(&k->gt_of, gt->annotation_count ? &gt->annotations->category : NULL,
                    sizeof *gt->annotations, gt->annotation_count, classes, err)
        && group_by(&k->dets_of, k->dets->count ? &k->dets->list->category : NULL,
                    sizeof *k->dets->list, k->dets->count, classes, err)
        && (k->hits = new_array(hits, sizeof *k->hits, err))
        && (k->objects = new_array(objects, sizeof *k->objects, err))
        && (k->overlaps = new_array(objects, sizeof *k->overlaps, err))
        && (k->precision = new_array(objects, sizeof *k->precision, err))
        && (k->classes = score->classes = new_array((size_t)classes, sizeof *score->classes, err));
}

bool coco_eval(struct coco_score *score, const struct dataset *gt, const struct detections *dets,
               const int max_dets[3], const struct team *team, struct error *err)
{
    struct coco_job k = { .gt = gt, .dets = dets, .of_100 = -1 };
    memcpy(k.max_dets, max_dets, sizeof k.max_dets);
    *score = (struct coco_score){ .class_count = gt->category_count };
    const bool ok = start(&k, score, err);
    for (int i = 0; ok && i < score->class_count; i++) {
        score->classes[i].id = gt->categories[i].id;
        score->classes[i].name = gt->categories[i].name;
    }
    if (ok)
        team_for(team, score->class_count, evaluate_class, &k);
    for (int i = 0; ok && i < COCO_FIGURES; i++)
        score->figures[i] = mean_over_classes(score->classes, score->class_count, i);
    if (!ok)
        coco_score_free(score);
    grouping_free(&k.gt_of);
    grouping_free(&k.dets_of);
    free(k.hits);
    free(k.objects);
    free(k.overlaps);
    free(k.precision);
    return ok;
}

void coco_score_free(struct coco_score *score)
{
    free(score->classes);
    *score = (struct coco_score){0};
}
