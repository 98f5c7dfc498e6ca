/* eval/visdrone_eval.h -- scores detections by the rules of the VisDrone-DET toolkit (April 2019).
 *
 * Categories 1 to 10 are classes, 0 marks ignored regions, 11 ("others") is not evaluated.  An object marked ignore is
 * an ignored object of its class: any number of detections may take it and count neither way.
 * In an image with ignored regions, objects and detections at least half covered by them are dropped first.
 * The first 1, 10, 100 or 500 of the other detections of an image, in the order of the list and over all categories,
 * are counted.  Recall is out of all objects of the class, ignored ones too; AP is the area under the precision made
 * non-increasing, at every step of recall; the figures but AR1 to AR100 are for 500 detections. */
#ifndef EVAL_VISDRONE_EVAL_H
#define EVAL_VISDRONE_EVAL_H
#include "base/team.h"
#include "data/dataset.h"
#include "eval/detections.h"

enum { VISDRONE_CLASSES = 10, VISDRONE_IOUS = 10, VISDRONE_LIMITS = 4, VISDRONE_FIGURES = 7 };
#define VISDRONE_PREFIX "visdrone_"
const char *visdrone_figure_name(int);          /* AP AP50 AP75 AR1 AR10 AR100 AR500 */
const char *visdrone_figure_column(int);        /* the same with the prefix, next to the figures of COCO */

struct visdrone_class {
    int id;                                     /* 1 to 10 */
    const char *name;                           /* the dataset's, or "" */
    int images;                                 /* that hold an object of it */
    int objects, ignored;                       /* ignored ones are not among the objects */
    double ap[VISDRONE_IOUS];                   /* for 500 detections, 0 to 1; 0 without objects */
    double ar[VISDRONE_LIMITS][VISDRONE_IOUS];  /* largest recall for 1, 10, 100, 500 detections */
    double figures[VISDRONE_FIGURES];           /* -1 without objects */
};

struct kept { int objects, detections; };       /* of an image, outside the ignored regions */

struct visdrone_score {
    double figures[VISDRONE_FIGURES];           /* 0 to 1; the toolkit's mean: a class counts once an image it is in */
    double class_mean[VISDRONE_FIGURES];        /* plain mean over the classes present; -1 if there is none */
    struct visdrone_class classes[VISDRONE_CLASSES];
    struct kept *kept; int image_count;         /* in the order of the dataset's images */
};

/* Borrows both; the score's names belong to gt.  Fails, with an empty score, if gt has a category beyond 11, if an
 * image with ignored regions has no size or more than 2^26 pixels, or if memory runs out. */
bool visdrone_eval(struct visdrone_score *, const struct dataset *gt, const struct detections *dets,
                   const struct team *, struct error *);
void visdrone_score_free(struct visdrone_score *);
#endif
