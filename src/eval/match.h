/* eval/match.h -- what the COCO and the VisDrone protocol share: the greedy matching of the detections of a class with
 * its objects, and the precision it leads to.
 *
 * A class is matched in many settings at once.  A setting is an IoU threshold within a group, and a group is what a
 * protocol varies besides: area ranges, limits of detections an image.  A set of settings is a mask with a bit for
 * each, a set of groups a mask with a bit for each.  In one setting the detections of an image come in descending
 * score.  Each takes the object of the largest IoU that reaches the threshold, the later one of equals, among those
 * that are not taken; only if there is none, among the ignored ones.  A crowd box is never used up, and what counts
 * for it is intersection / area of the detection. */
#ifndef EVAL_MATCH_H
#define EVAL_MATCH_H
#include "eval/detections.h"
#include <stddef.h>
#include <stdint.h>

enum { MATCH_IOUS = 10, MATCH_GROUPS = 6 };     /* at most 64 settings */
extern const double match_iou[MATCH_IOUS];      /* .50 .55 ... .95, ascending */

static inline uint64_t match_setting(int group, int iou) { return UINT64_C(1) << (group * MATCH_IOUS + iou); }

struct object {
    const struct annotation *truth;
    bool crowd;
    bool unseen;                /* taking it does not make a detection a hit */
    unsigned ignored;           /* groups */
    uint64_t taken;             /* settings; written by match_class */
};

struct hit {                    /* a detection and what became of it */
    const struct detection *found;
    double score; int image;    /* copies: sorting reads them often */
    unsigned groups;            /* it takes part in; elsewhere it is ignored */
    unsigned outside;           /* groups in which it is ignored if it hits nothing */
    uint64_t matched, ignored;  /* settings; written by match_class */
};

struct near { struct object *object; double iou; };

/* Sorts by image, then descending score, then place in the file. */
void match_sort(struct hit *, int count);

/* Matches the detections of a class, sorted as above, with its objects, in ascending image, and then sorts them by
 * descending score, image and place in the file.  near has room for one element an object. */
void match_class(struct hit *, int hits, struct object *, int objects, struct near *near);

/* Writes precision[i], the precision when the (i+1)-th object was found, made non-increasing from the right, and
 * returns how many were found: no more than there are objects.  precision = hits / (hits + misses + guard). */
int match_precision(const struct hit *, int hits, uint64_t setting, double guard, double *precision);

static inline double mean(const double *v, int count)
{
    double sum = 0;
    for (int i = 0; i < count; i++)
        sum += v[i];
    return sum / count;
}

/* Elements of an array by key: those of key k, in their order, are order[start[k]] ... order[start[k + 1] - 1].
 * key points to the key of the first element, the next one is stride bytes on; a negative key leaves it out. */
struct grouping { int *start, *order; };
bool group_by(struct grouping *, const int *key, size_t stride, int count, int keys, struct error *);
void grouping_free(struct grouping *);

struct members { const int *order; int count; };
static inline struct members members_of(const struct grouping *g, int key)
{
    return (struct members){ g->order + g->start[key], g->start[key + 1] - g->start[key] };
}
#endif
