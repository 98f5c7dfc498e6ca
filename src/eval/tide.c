#include "eval/tide.h"

#include "base/memory.h"
#include <math.h>
#include <stdlib.h>

static const struct { const char *name, *meaning; } errors[TIDE_ERRORS] = {
    [TIDE_LOCALISATION]   = { "localisation",   "right class, box too far off" },
    [TIDE_CLASSIFICATION] = { "classification", "right box, wrong class" },
    [TIDE_DUPLICATE]      = { "duplicate",      "an object found before" },
    [TIDE_BACKGROUND]     = { "background",     "nothing is there" },
    [TIDE_BOTH]           = { "both",           "wrong class, box too far off" },
    [TIDE_MISSED]         = { "missed",         "an object not found" } };

const char *tide_error_name(enum tide_error e) { return errors[e].name; }
const char *tide_error_meaning(enum tide_error e) { return errors[e].meaning; }

enum { RECALLS = 101, NOTHING = -1 };

struct tide_job {
    const struct dataset *gt;
    const struct detections *dets;
    const struct outcomes *outcomes;
    enum tide_error *error;                     /* [detections] */
    int *object;                                /* [detections] that an error of class or place refers to, or -1 */
    int *claim;                                 /* [annotations] the best detection with such an error, or -1 */
    int *order, counted;                        /* the detections that count, by descending score */
    int *class;                                 /* [counted] in this order: of a point of the curve, or -1: none */
    bool *right;                                /* [counted] */
    int *objects;                               /* [categories] */
};

/* ---- errors ---- */

static bool counts(const struct tide_job *k, int detection)
{
    return k->dets->list[detection].category >= 0 && k->outcomes->list[detection].rank < TIDE_DETECTIONS;
}

static bool taken(const struct tide_job *k, int object)
{
    const int by = k->outcomes->taken[object];
    return by >= 0 && counts(k, by);
}

/* The nearest objects of a detection: of its class, of others, of its class and taken; their overlaps, 0 without. */
enum near { OWN, OTHER, OWN_TAKEN, NEAR };
struct nearest { double iou[NEAR]; int object[NEAR]; };

static struct nearest nearest_objects(const struct tide_job *k, const struct detection *d)
{
    const struct image_record *image = &k->gt->images[d->image];
    struct nearest n = { .object = { NOTHING, NOTHING, NOTHING } };
    for (int i = image->first; i < image->first + image->count; i++) {
        const struct annotation *a = &k->gt->annotations[i];
        if (a->crowd)
            continue;
        const bool own = a->category == d->category;
        const bool fits[NEAR] = { own, !own, own && taken(k, i) };
        const double iou = detection_overlap(d->box, a->box, false);
        for (int j = 0; j < NEAR; j++)
            if (fits[j] && iou > n.iou[j]) {
                n.iou[j] = iou;
                n.object[j] = i;
            }
    }
    return n;
}

static enum tide_error classify(const struct nearest *n)
{
    if (n->iou[OWN] >= TIDE_BACKGROUND_IOU && n->iou[OWN] <= OUTCOME_IOU)
        return TIDE_LOCALISATION;
    if (n->iou[OTHER] >= OUTCOME_IOU)
        return TIDE_CLASSIFICATION;
    if (n->iou[OWN_TAKEN] >= OUTCOME_IOU)
        return TIDE_DUPLICATE;
    return fmax(n->iou[OWN], n->iou[OTHER]) <= TIDE_BACKGROUND_IOU ? TIDE_BACKGROUND : TIDE_BOTH;
}

static void find_errors_of_image(struct tide_job *k, int image)
{
    const struct members own = members_of(&k->outcomes->images, image);
    for (int i = 0; i < own.count; i++) {
        const int d = own.order[i];
        k->error[d] = TIDE_NONE;
        k->object[d] = NOTHING;
        if (!counts(k, d) || k->outcomes->list[d].object >= 0)
            continue;
        const struct nearest near = nearest_objects(k, &k->dets->list[d]);
        k->error[d] = classify(&near);
        if (k->error[d] > TIDE_CLASSIFICATION)
            continue;
        k->object[d] = near.object[k->error[d] == TIDE_LOCALISATION ? OWN : OTHER];
        if (k->claim[k->object[d]] < 0)         /* in descending score: the first one is the best */
            k->claim[k->object[d]] = d;
    }
}

static bool is_missed(const struct tide_job *k, int object)
{
    return !k->gt->annotations[object].crowd && !taken(k, object) && k->claim[object] < 0;
}

/* ---- average precision ---- */

static int by_score(const void *a, const void *b, void *list)
{
    const int i = *(const int *)a, j = *(const int *)b;
    const double x = ((const struct detection *)list)[i].score, y = ((const struct detection *)list)[j].score;
    return x != y ? (x < y) - (x > y) : (i > j) - (i < j);
}

/* The mean of the precision at 101 recalls, where it is made non-increasing from the last point back; right[order[i]]
 * tells if point i is a true positive. */
static double average_precision(const struct tide_job *k, struct members points, int objects)
{
    double sum = 0, precision = 0;
    int hits = 0, r = RECALLS - 1;
    for (int i = 0; i < points.count; i++)
        hits += k->right[points.order[i]];
    for (int i = points.count - 1; i >= 0 && objects > 0; i--) {
        if (!k->right[points.order[i]])
            continue;
        precision = fmax(precision, (double)hits / (i + 1));
        for (; r >= 0 && (hits == 1 || (double)(hits - 1) / objects < r / 100.0); r--)
            sum += r / 100.0 <= (double)hits / objects ? precision : 0;
        hits--;
    }
    return sum / RECALLS;
}

/* Over the classes that have a point or an object. */
static bool mean_ap(const struct tide_job *k, const int *objects, double *mean, struct error *err)
{
    struct grouping classes = {0};
    double sum = 0;
    int count = 0;
    const bool ok = group_by(&classes, k->class, sizeof *k->class, k->counted, k->gt->category_count, err);
    for (int c = 0; ok && c < k->gt->category_count; c++) {
        const struct members points = members_of(&classes, c);
        if (points.count == 0 && objects[c] == 0)
            continue;
        sum += average_precision(k, points, objects[c]);
        count++;
    }
    *mean = count ? sum / count : 0;
    grouping_free(&classes);
    return ok;
}

/* Points of the curves with errors of one kind corrected: the best detection with an error of class or place takes its
 * object, the others go. */
static void correct(struct tide_job *k, enum tide_error corrected)
{
    for (int i = 0; i < k->counted; i++) {
        const int d = k->order[i], object = k->object[d];
        const struct outcome *o = &k->outcomes->list[d];
        k->class[i] = o->ignored ? NOTHING : k->dets->list[d].category;
        k->right[i] = o->object >= 0;
        if (k->error[d] == TIDE_NONE || k->error[d] != corrected)
            continue;
        k->right[i] = object >= 0 && k->claim[object] == d && !taken(k, object);
        k->class[i] = k->right[i] ? k->gt->annotations[object].category : NOTHING;
    }
}

/* The AP without errors of a kind; TIDE_NONE: with all of them. */
static bool corrected_ap(struct tide_job *k, enum tide_error corrected, double *ap, struct error *err)
{
    const int missed = corrected == TIDE_MISSED;
    correct(k, corrected);
    for (int i = 0; missed && i < k->gt->annotation_count; i++)
        k->objects[k->gt->annotations[i].category] -= is_missed(k, i);
    const bool ok = mean_ap(k, k->objects, ap, err);
    for (int i = 0; missed && i < k->gt->annotation_count; i++)
        k->objects[k->gt->annotations[i].category] += is_missed(k, i);
    return ok;
}

/* All false positives behind all true ones: the order of the points is exchanged for a while. */
static bool ap_without_false_positives(struct tide_job *k, double *ap, struct error *err)
{
    int *order = new_array((size_t)k->counted, sizeof *order, err), *all = k->order, n = 0;
    if (!order)
        return false;
    for (int right = 1; right >= 0; right--)
        for (int i = 0; i < k->counted; i++)
            if ((k->outcomes->list[all[i]].object >= 0) == right)
                order[n++] = all[i];
    k->order = order;
    const bool ok = corrected_ap(k, TIDE_NONE, ap, err);
    k->order = all;
    free(order);
    return ok;
}

/* Only objects that are taken count. */
static bool ap_without_false_negatives(struct tide_job *k, double *ap, struct error *err)
{
    int *found = new_array((size_t)k->gt->category_count, sizeof *found, err);
    if (!found)
        return false;
    for (int i = 0; i < k->gt->annotation_count; i++)
        found[k->gt->annotations[i].category] += !k->gt->annotations[i].crowd && taken(k, i);
    correct(k, TIDE_NONE);
    const bool ok = mean_ap(k, found, ap, err);
    free(found);
    return ok;
}

/* ---- the whole ---- */

static bool start(struct tide_job *k, struct error *err)
{
    const size_t count = (size_t)k->dets->count, objects = (size_t)k->gt->annotation_count;
    const bool ok = (k->error = new_array(count, sizeof *k->error, err))
                 && (k->object = new_array(count, sizeof *k->object, err))
                 && (k->order = new_array(count, sizeof *k->order, err))
                 && (k->class = new_array(count, sizeof *k->class, err))
                 && (k->right = new_array(count, sizeof *k->right, err))
                 && (k->claim = new_array(objects, sizeof *k->claim, err))
                 && (k->objects = new_array((size_t)k->gt->category_count, sizeof *k->objects, err));
    if (!ok)
        return false;
    for (int i = 0; i < k->gt->annotation_count; i++) {
        k->claim[i] = NOTHING;
        k->objects[k->gt->annotations[i].category] += !k->gt->annotations[i].crowd;
    }
    for (int i = 0; i < k->dets->count; i++)
        if (counts(k, i))
            k->order[k->counted++] = i;
    qsort_r(k->order, (size_t)k->counted, sizeof *k->order, by_score, k->dets->list);
    return true;
}

static bool find_costs(struct tide_job *k, struct tide *t, struct error *err)
{
    double ap = 0;
    bool ok = corrected_ap(k, TIDE_NONE, &t->ap50, err);
    for (int e = 0; ok && e < TIDE_ERRORS; e++) {
        ok = corrected_ap(k, (enum tide_error)e, &ap, err);
        t->errors[e].cost = fmax(ap - t->ap50, 0);
    }
    ok = ok && ap_without_false_positives(k, &ap, err);
    t->false_positives = ap - t->ap50;
    ok = ok && ap_without_false_negatives(k, &ap, err);
    t->false_negatives = ap - t->ap50;
    return ok;
}

bool tide_find(struct tide *t, const struct dataset *gt, const struct detections *dets, const struct outcomes *outcomes,
               struct error *err)
{
    struct tide_job k = { .gt = gt, .dets = dets, .outcomes = outcomes };
    *t = (struct tide){0};
    bool ok = start(&k, err);
    t->error = k.error;
    for (int i = 0; ok && i < gt->image_count; i++)
        find_errors_of_image(&k, i);
    for (int i = 0; ok && i < dets->count; i++)
        if (k.error[i] != TIDE_NONE)
            t->errors[k.error[i]].count++;
    for (int i = 0; ok && i < gt->annotation_count; i++)
        t->errors[TIDE_MISSED].count += is_missed(&k, i);
    ok = ok && find_costs(&k, t, err);
    free(k.object);
    free(k.order);
    free(k.class);
    free(k.right);
    free(k.claim);
    free(k.objects);
    return ok;
}

void tide_free(struct tide *t)
{
    free(t->error);
    *t = (struct tide){0};
}
