/* eval/match.h -- shared by the COCO and the VisDrone protocol: greedy matching of the detections of a class with its
 * objects, and the resulting precision.
 *
 * A class is matched in many settings at once.  A setting is an IoU threshold within a group; a group is another
 * parameter of the protocol: an area range or a limit of detections per image.  Sets of settings and of groups are
 * masks with one bit for each.  In one setting the detections of an image are matched in descending score.  Each
 * matches the free object of the largest IoU that reaches the threshold, the later one of equals; only if there is
 * none, an ignored one.  A crowd box matches any number of detections, by intersection / area of the detection. */
#ifndef EVAL_MATCH_H
#define EVAL_MATCH_H
#include "eval/detections.h"
#include <stddef.h>
#include <stdint.h>

enum { MATCH_IOUS = 10, MATCH_GROUPS = 6 };     /* at most 64 settings */
extern const double match_iou[MATCH_IOUS];      /* .50 .55 ... .95, ascending */

static inline uint64_t match_setting(int group, int iou) { return UINT64_C(1) << (group * MATCH_IOUS + iou); }

struct match_object {
    const struct annotation *ground_truth;
    bool crowd;
    bool no_hit;                /* a detection that matches it is not a true positive */
    unsigned ignored;           /* groups */
    uint64_t taken;             /* settings in which it is matched; written by match_class */
};

struct match_detection {        /* a detection and its result */
    const struct detection *detection;
    double score; int image;    /* copies: sorting reads them often */
    unsigned groups;            /* in which it is matched; elsewhere it is ignored */
    unsigned outside;           /* groups in which it is ignored if it matches nothing */
    uint64_t matched, ignored;  /* settings; written by match_class */
};

struct match_overlap { struct match_object *object; double iou; };

/* IoU, or intersection over the detection's area for a crowd box.  Boxes are x, y, width, height; areas are width x
 * height.  NaN or 0 if an area is not finite. */
double detection_overlap(const double det[4], const double gt[4], bool crowd);

/* Sorts by image, then descending score, then place in the file. */
void match_sort(struct match_detection *, int count);

/* Matches the detections of a class, sorted as above, with its objects, in ascending image, and then sorts them by
 * descending score, image and place in the file.  The overlaps are a buffer with one element per object. */
void match_class(struct match_detection *, int count, struct match_object *, int objects, struct match_overlap *);

/* Writes precision[i], the precision at the (i+1)-th true positive, made non-increasing from the right, and returns the
 * number of true positives: at most the number of objects.  precision = tp / (tp + fp + guard). */
int match_precision(const struct match_detection *, int hits, uint64_t setting, double guard, double *precision);

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
