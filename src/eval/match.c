#include "eval/match.h"

#include "base/iou.h"
#include "base/memory.h"
#include "data/dataset.h"
#include <stdlib.h>

/* As numpy.linspace(.5, .95, 10) gives them: the ninth is not 0.9. */
const double match_iou[MATCH_IOUS] = { .5, .55, .6, .65, .7, .75, .8, .85, .8999999999999999, .95 };

static int by_place(const struct match_detection *a, const struct match_detection *b)
{
    return (a->detection > b->detection) - (a->detection < b->detection);
}

static int by_score(const struct match_detection *a, const struct match_detection *b)
{
    return (a->score < b->score) - (a->score > b->score);
}

static int by_image(const struct match_detection *a, const struct match_detection *b)
{
    return (a->image > b->image) - (a->image < b->image);
}

static int image_score_place(const void *a, const void *b)
{
    const int image = by_image(a, b), score = by_score(a, b);
    return image ? image : score ? score : by_place(a, b);
}

static int score_image_place(const void *a, const void *b)
{
    const int score = by_score(a, b), image = by_image(a, b);
    return score ? score : image ? image : by_place(a, b);
}

void match_sort(struct match_detection *hits, int count)
{
    qsort(hits, (size_t)count, sizeof *hits, image_score_place);
}

double detection_overlap(const double det[4], const double gt[4], bool crowd)
{
    const double common = box_intersection(
        (const double[4]){ det[0], det[1], det[0] + det[2], det[1] + det[3] },
        (const double[4]){ gt[0], gt[1], gt[0] + gt[2], gt[1] + gt[3] });
    const double area = det[2] * det[3];
    return common > 0 ? common / (crowd ? area : area + gt[2] * gt[3] - common) : 0;
}

static struct match_object *best_match(const struct match_overlap *overlaps, int count, int group, int iou)
{
    double best = match_iou[iou];
    struct match_object *match = NULL;
    for (unsigned ignored = 0; ignored < 2 && !match; ignored++)
        for (int i = 0; i < count; i++) {
            struct match_object *o = overlaps[i].object;
            const bool used_up = (o->taken & match_setting(group, iou)) && !o->crowd;
            if ((o->ignored >> group & 1) == ignored && !used_up && overlaps[i].iou >= best) {
                best = overlaps[i].iou;
                match = o;
            }
        }
    return match;
}

static void match_one(struct match_detection *hit, const struct match_overlap *overlaps, int count)
{
    for (int group = 0; group < MATCH_GROUPS; group++)
        for (int iou = 0; iou < MATCH_IOUS; iou++) {
            const uint64_t setting = match_setting(group, iou);
            const bool takes_part = hit->groups >> group & 1;
            struct match_object *match = takes_part ? best_match(overlaps, count, group, iou) : NULL;
            const bool matched = match && !match->no_hit;
            const bool ignored = match && match->ignored >> group & 1;
            if (match)
                match->taken |= setting;
            if (matched)
                hit->matched |= setting;
            if (!takes_part || ignored || (!matched && hit->outside >> group & 1))
                hit->ignored |= setting;
        }
}

static void match_image(struct match_detection *hits, int count, struct match_object *objects, int object_count,
                        struct match_overlap *overlaps)
{
    for (struct match_detection *hit = hits; hit < hits + count; hit++) {
        int n = 0;
        for (struct match_object *o = objects; hit->groups && o < objects + object_count; o++) {
            const double iou = detection_overlap(hit->detection->box, o->ground_truth->box, o->crowd);
            if (iou >= match_iou[0])
                overlaps[n++] = (struct match_overlap){ o, iou };
        }
        match_one(hit, overlaps, n);
    }
}

void match_class(struct match_detection *hits, int count, struct match_object *objects, int object_count,
                 struct match_overlap *overlaps)
{
    for (int i = 0, from = 0; i < count; ) {
        const int image = hits[i].image;
        int next = i, to;
        while (next < count && hits[next].image == image)
            next++;
        while (from < object_count && objects[from].ground_truth->image < image)
            from++;
        for (to = from; to < object_count && objects[to].ground_truth->image == image; )
            to++;
        match_image(hits + i, next - i, objects + from, to - from, overlaps);
        i = next;
        from = to;
    }
    qsort(hits, (size_t)count, sizeof *hits, score_image_place);
}

int match_precision(const struct match_detection *hits, int count, uint64_t setting, double guard, double *precision)
{
    int right = 0, wrong = 0;
    for (int i = 0; i < count; i++) {
        if (hits[i].ignored & setting)
            continue;
        if (hits[i].matched & setting) {
            right++;
            precision[right - 1] = right / (right + wrong + guard);
        } else
            wrong++;
    }
    for (int i = right - 1; i > 0; i--)
        if (precision[i] > precision[i - 1])
            precision[i - 1] = precision[i];
    return right;
}

bool group_by(struct grouping *out, const int *key, size_t stride, int count, int keys, struct error *err)
{
    const char *first = (const char *)key;
    out->start = new_array((size_t)keys + 2, sizeof *out->start, err);
    out->order = new_array((size_t)count, sizeof *out->order, err);
    if (!out->start || !out->order)
        return false;
    for (int i = 0; i < count; i++) {
        const int k = *(const int *)(const void *)(first + (size_t)i * stride);
        if (k >= 0)
            out->start[k + 2]++;
    }
    for (int k = 0; k < keys; k++)
        out->start[k + 2] += out->start[k + 1];
    for (int i = 0; i < count; i++) {           /* start[k + 1] runs from the start of k to its end */
        const int k = *(const int *)(const void *)(first + (size_t)i * stride);
        if (k >= 0)
            out->order[out->start[k + 1]++] = i;
    }
    return true;
}

void grouping_free(struct grouping *g)
{
    free(g->start);
    free(g->order);
    *g = (struct grouping){0};
}
