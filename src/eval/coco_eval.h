/* eval/coco_eval.h -- scores detections by the rules of COCO, figure for figure as pycocotools: precision at 101
 * recall points, IoU thresholds .50 to .95, ranges of object area, a limit of detections per image and class.
 *
 * An object is ignored in an area range if it is a crowd box or its area field lies outside; both ends belong to a
 * range.  A detection is ignored if it matches an ignored object, or none while its width x height lies
 * outside.  As in pycocotools, a detection that matches an object whose annotation id is 0 is not a true positive. */
#ifndef EVAL_COCO_EVAL_H
#define EVAL_COCO_EVAL_H
#include "base/team.h"
#include "data/dataset.h"
#include "eval/detections.h"

enum { COCO_IOUS = 10, COCO_RECALLS = 101, COCO_FIGURES = 12 };
enum { COCO_AP, COCO_AP50, COCO_AP75, COCO_APS, COCO_ARS = 9 };         /* APs and ARs are followed by m and l */
const char *coco_figure_name(int);      /* AP AP50 AP75 APs APm APl AR1 AR10 AR100 ARs ARm ARl */

/* All from 0 to 1, or -1 where no object counts.  Figures use the largest limit of detections, but AR1 and AR10 the
 * first and the second, and AP the limit 100: it is -1 if none is 100. */
struct coco_class {
    int64_t id;
    const char *name;                                   /* the dataset's */
    double ap, ap50, ar;                                /* all areas, largest limit */
    double figures[COCO_FIGURES];                       /* of this class alone */
    double precision[COCO_IOUS][COCO_RECALLS];          /* all areas, largest limit; so is recall */
    double recall[COCO_IOUS];
};

struct coco_score {
    double figures[COCO_FIGURES];                       /* means over the classes that are not -1 */
    struct coco_class *classes; int class_count;        /* in the order of the dataset's categories */
};

/* max_dets are the three limits of detections per image and class, at least 1 each, in any order: they are sorted.
 * Borrows both; the score's names belong to gt.  On failure (no memory) the score is empty. */
bool coco_eval(struct coco_score *, const struct dataset *gt, const struct detections *dets, const int max_dets[3],
               const struct team *, struct error *);
void coco_score_free(struct coco_score *);
#endif
