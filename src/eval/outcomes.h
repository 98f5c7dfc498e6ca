/* eval/outcomes.h -- the outcome of each detection at an IoU of 0.5: what a report of errors is made of.
 *
 * In descending score, each detection of an image takes the free object of its class of the largest IoU, at least 0.5,
 * the first one of equals.  Crowd boxes are no objects: a detection that takes none and of which more than half lies in
 * a crowd box of its class is ignored, and so is one without a category.  Equal scores are in the order of the list.
 * These are the rules of tidecv; COCO's differ in these details and give nearly the same outcomes. */
#ifndef EVAL_OUTCOMES_H
#define EVAL_OUTCOMES_H
#include "data/dataset.h"
#include "eval/match.h"

#define OUTCOME_IOU 0.5

struct outcome {
    int rank;                   /* in its image, over all classes, by descending score; from 0 */
    int object;                 /* index of the annotation that it takes, or -1 */
    bool ignored;
};

struct outcomes {
    struct outcome *list;       /* [detections] */
    struct grouping images;     /* detections by image, by rank */
    int *taken;                 /* [annotations] the detection that takes it, or -1 */
};

/* Borrows both.  outcomes_free in any case. */
bool outcomes_find(struct outcomes *, const struct dataset *, const struct detections *, struct error *);
void outcomes_free(struct outcomes *);
#endif
