#include "eval/suspects.h"

#include "base/iou.h"
#include "base/memory.h"
#include "base/sort.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

const char *const suspect_names[SUSPECT_KINDS] = { "doubled", "class", "box", "missing" };

static const double belongs = 0.5;              /* IoU from which a detection supports a label */

struct corners { double at[4]; };               /* x1, y1, x2, y2 */

/* One image: its labels, and its detections in the order of the list. */
struct scene {
    const struct dataset *set;
    const int *label;
    const struct annotation *boxes; int box_count;
    const struct detection *found; int found_count;
    const double *typical;                      /* [classes] median of the scores that support labels */
    int *support;                               /* [box_count] the detection that supports the label, or -1 */
    bool *taken;                                /* [found_count] the detection supports a label or is used up */
    int image;
};

static struct corners corners_of(const double box[4])
{
    return (struct corners){ { box[0], box[1], box[0] + box[2], box[1] + box[3] } };
}

static double ramp(double v, double low, double high) { return fmin(fmax((v - low) / (high - low), 0), 1); }

static int class_of(const struct scene *s, const struct annotation *a) { return s->label[a->category]; }

static bool counts(const struct scene *s, const struct annotation *a)
{
    return class_of(s, a) >= 0 && !a->ignore && annotation_trains(a);
}

static double confidence(const struct scene *s, const struct detection *d)
{
    return fmin(1, d->score / s->typical[d->category]);
}

static bool add(struct suspects *out, struct suspect suspect, struct error *err)
{
    if (!grow_array(&out->list, out->count, &out->capacity, sizeof *out->list, err))
        return false;
    out->list[out->count++] = suspect;
    return true;
}

/* ---- support ---- */

struct pair { double quality; int label, detection; };

static int by_quality(const void *p, const void *q)
{
    const struct pair *a = p, *b = q;
    if (a->quality != b->quality)
        return a->quality > b->quality ? -1 : 1;
    return a->label != b->label ? a->label - b->label : a->detection - b->detection;
}

/* Sets support and taken. */
static bool support_labels(const struct scene *s, struct error *err)
{
    struct pair *pairs = NULL;
    int count = 0, capacity = 0;
    bool ok = true;
    for (int i = 0; ok && i < s->box_count; i++) {
        s->support[i] = -1;
        for (int k = 0; ok && k < s->found_count && counts(s, &s->boxes[i]); k++) {
            const double iou = s->found[k].category == class_of(s, &s->boxes[i])
                             ? sized_box_iou(s->found[k].box, s->boxes[i].box) : 0;
            if (iou < belongs)
                continue;
            ok = grow_array(&pairs, count, &capacity, sizeof *pairs, err);
            if (ok)
                pairs[count++] = (struct pair){ iou * sqrt(s->found[k].score), i, k };
        }
    }
    if (count)
        qsort(pairs, (size_t)count, sizeof *pairs, by_quality);
    for (int i = 0; ok && i < count; i++)
        if (s->support[pairs[i].label] < 0 && !s->taken[pairs[i].detection]) {
            s->support[pairs[i].label] = pairs[i].detection;
            s->taken[pairs[i].detection] = true;
        }
    free(pairs);
    return ok;
}

/* Scores of the detections that support the labels, 0 for a label without one; their medians per class. */
static bool measure_typical(double *typical, int classes, const struct scene *scenes, int images, int labels,
                            struct error *err)
{
    double *scores = new_array((size_t)labels, sizeof *scores, err);
    const double lowest = 0.1;
    for (int c = 0; scores && c < classes; c++) {
        int count = 0;
        for (int i = 0; i < images; i++)
            for (int k = 0; k < scenes[i].box_count; k++)
                if (counts(&scenes[i], &scenes[i].boxes[k]) && class_of(&scenes[i], &scenes[i].boxes[k]) == c)
                    scores[count++] = scenes[i].support[k] < 0 ? 0 : scenes[i].found[scenes[i].support[k]].score;
        sort_doubles(scores, count);
        typical[c] = count ? fmax(scores[count / 2], lowest) : 1;
    }
    free(scores);
    return scores;
}

/* ---- labels ---- */

static void take_if_worse(struct suspect *best, const struct suspect *next)
{
    if (next->suspicion > best->suspicion)
        *best = *next;
}

static void check_double(const struct scene *s, int i, struct suspect *best)
{
    for (int k = 0; k < i; k++) {
        if (!counts(s, &s->boxes[k]))
            continue;
        const double iou = sized_box_iou(s->boxes[i].box, s->boxes[k].box);
        struct suspect next = *best;
        next.kind = SUSPECT_DOUBLED;
        next.class = class_of(s, &s->boxes[k]);
        next.suspicion = ramp(iou, 0.6, 0.85);
        next.score = iou;
        memcpy(next.box, s->boxes[k].box, sizeof next.box);
        take_if_worse(best, &next);
    }
}

static double overlap(const struct detection *d, const struct annotation *a)
{
    return ramp(sized_box_iou(d->box, a->box), 0.3, 0.6);
}

static void set_detection(struct suspect *suspect, const struct detection *d)
{
    suspect->class = d->category;
    suspect->score = d->score;
    memcpy(suspect->box, d->box, sizeof suspect->box);
}

static void check_class(const struct scene *s, int i, double own, struct suspect *best)
{
    for (int k = 0; k < s->found_count; k++) {
        const struct detection *d = &s->found[k];
        struct suspect next = *best;
        if (s->taken[k] || d->category == class_of(s, &s->boxes[i]))
            continue;
        next.kind = SUSPECT_CLASS;
        next.suspicion = confidence(s, d) * overlap(d, &s->boxes[i]) * (1 - own * own);
        set_detection(&next, d);
        take_if_worse(best, &next);
    }
}

/* Distance of the centres in roots of the area of a. */
static double distance(const double a[4], const double b[4])
{
    return hypot(a[0] + a[2] / 2 - b[0] - b[2] / 2, a[1] + a[3] / 2 - b[1] - b[3] / 2) / sqrt(a[2] * a[3]);
}

static void check_box(const struct scene *s, int i, double own, struct suspect *best)
{
    const double alone = 0.9;
    struct suspect next = *best;
    next.kind = SUSPECT_BOX;
    next.class = -1;
    next.suspicion = alone * (1 - own);
    take_if_worse(best, &next);
    for (int k = 0; k < s->found_count; k++) {
        const struct detection *d = &s->found[k];
        if (s->taken[k] || d->category != class_of(s, &s->boxes[i]))
            continue;
        const double near = 1 - fmin(distance(s->boxes[i].box, d->box), 2) / 2;
        next.suspicion = (1 - own) * (alone + (1 - alone) * confidence(s, d) * near);
        set_detection(&next, d);
        take_if_worse(best, &next);
    }
}

/* The detection that a suspect shows, or -1. */
static int detection_of(const struct scene *s, const struct suspect *x)
{
    for (int k = 0; x->kind != SUSPECT_DOUBLED && x->class >= 0 && k < s->found_count; k++)
        if (s->found[k].category == x->class && memcmp(s->found[k].box, x->box, sizeof x->box) == 0)
            return k;
    return -1;
}

static bool check_labels(const struct scene *s, struct suspects *out, struct error *err)
{
    bool ok = true;
    for (int i = 0; ok && i < s->box_count; i++) {
        const struct annotation *a = &s->boxes[i];
        struct suspect best = { .kind = SUSPECT_BOX, .image = s->image, .suspicion = -1, .class = -1,
                                .annotation = (int)(a - s->set->annotations) };
        if (!counts(s, a))
            continue;
        const struct detection *support = s->support[i] < 0 ? NULL : &s->found[s->support[i]];
        const double own = support ? confidence(s, support) * overlap(support, a) : 0;
        check_double(s, i, &best);
        check_class(s, i, own, &best);
        check_box(s, i, own, &best);
        const int shown = detection_of(s, &best);
        if (shown >= 0 && own < 0.5)
            s->taken[shown] = true;                     /* this object has a label, a wrong one */
        ok = add(out, best, err);
    }
    return ok;
}

/* ---- detections without a label ---- */

static bool is_hidden(const struct scene *s, const struct detection *d)
{
    const struct corners box = corners_of(d->box);
    for (int k = 0; k < s->box_count; k++)
        if (s->boxes[k].ignore && 2 * box_intersection(corners_of(s->boxes[k].box).at, box.at) > box_area(box.at))
            return true;
    return false;
}

static bool check_missing(const struct scene *s, struct suspects *out, struct error *err)
{
    const double same_object = 0.4, lowest = 0.2, weight = 0.75;
    bool ok = true;
    for (int k = 0; ok && k < s->found_count; k++) {
        const struct detection *d = &s->found[k];
        double iou = 0;
        for (int i = 0; i < s->box_count; i++)
            iou = fmax(iou, sized_box_iou(d->box, s->boxes[i].box));
        if (s->taken[k] || iou >= belongs || confidence(s, d) < lowest || is_hidden(s, d))
            continue;
        struct suspect suspect = { .kind = SUSPECT_MISSING, .image = s->image, .annotation = -1,
                                   .suspicion = weight * confidence(s, d) * (1 - ramp(iou, 0, belongs)) };
        set_detection(&suspect, d);
        for (int m = k + 1; m < s->found_count; m++)    /* the list is in descending order of scores */
            if (sized_box_iou(d->box, s->found[m].box) >= same_object)
                s->taken[m] = true;
        ok = add(out, suspect, err);
    }
    return ok;
}

/* ---- all ---- */

static int by_suspicion(const void *p, const void *q)
{
    const struct suspect *a = p, *b = q;
    if (a->suspicion != b->suspicion)
        return a->suspicion > b->suspicion ? -1 : 1;
    if (a->score != b->score)
        return a->score > b->score ? -1 : 1;
    if (a->image != b->image)
        return a->image - b->image;
    return a->annotation != b->annotation ? a->annotation - b->annotation : memcmp(a->box, b->box, sizeof a->box);
}

static int by_image(const void *p, const void *q)
{
    const struct detection *a = p, *b = q;
    if (a->image != b->image)
        return a->image - b->image;
    return a->score != b->score ? (a->score > b->score ? -1 : 1) : memcmp(a->box, b->box, sizeof a->box);
}

/* Everything that find_suspects allocates. */
struct search {
    struct detection *list;                     /* sorted by image */
    struct scene *scenes;
    int *support; bool *taken;
    double *typical;
};

/* The labels and the detections of each image. */
static void set_scenes(struct search *f, const struct dataset *set, const int *label, int count)
{
    for (int i = 0, k = 0; i < set->image_count; i++) {
        const struct image_record *image = &set->images[i];
        const int first = k;
        while (k < count && f->list[k].image == i)
            k++;
        f->scenes[i] = (struct scene){
            .set = set, .label = label, .boxes = &set->annotations[image->first], .box_count = image->count,
            .found = f->list + first, .found_count = k - first, .typical = f->typical, .image = i,
            .support = f->support + image->first, .taken = f->taken + first };
    }
}

static bool search(struct suspects *out, struct search *f, const struct dataset *set, int classes, struct error *err)
{
    bool ok = true;
    for (int i = 0; ok && i < set->image_count; i++)
        ok = support_labels(&f->scenes[i], err);
    ok = ok && measure_typical(f->typical, classes, f->scenes, set->image_count, set->annotation_count, err);
    for (int i = 0; ok && i < set->image_count; i++)
        ok = check_labels(&f->scenes[i], out, err) && check_missing(&f->scenes[i], out, err);
    return ok;
}

bool find_suspects(struct suspects *out, const struct dataset *set, const int *label, int classes,
                   const struct detections *detections, struct error *err)
{
    const size_t count = (size_t)detections->count;
    struct search f = { .list = new_array(count, sizeof *f.list, err),
                        .scenes = new_array((size_t)set->image_count, sizeof *f.scenes, err),
                        .support = new_array((size_t)set->annotation_count, sizeof *f.support, err),
                        .taken = new_array(count, sizeof *f.taken, err),
                        .typical = new_array((size_t)classes, sizeof *f.typical, err) };
    bool ok = f.list && f.scenes && f.support && f.taken && f.typical;
    *out = (struct suspects){0};
    if (ok && count) {
        memcpy(f.list, detections->list, count * sizeof *f.list);
        qsort(f.list, count, sizeof *f.list, by_image);
    }
    if (ok)
        set_scenes(&f, set, label, detections->count);
    ok = ok && search(out, &f, set, classes, err);
    if (ok && out->count)
        qsort(out->list, (size_t)out->count, sizeof *out->list, by_suspicion);
    free(f.list);
    free(f.scenes);
    free(f.support);
    free(f.taken);
    free(f.typical);
    return ok;
}

void suspects_free(struct suspects *s)
{
    free(s->list);
    *s = (struct suspects){0};
}
