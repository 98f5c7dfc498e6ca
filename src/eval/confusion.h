/* eval/confusion.h -- which classes are taken for which, at a score threshold and an IoU of 0.5. */
#ifndef EVAL_CONFUSION_H
#define EVAL_CONFUSION_H
#include "eval/outcomes.h"

/* Detections with a score above the threshold that take an object of their class (eval/outcomes.h) lie on the diagonal.
 * Each of the others, in descending score, takes the free object of the largest IoU, at least 0.5, whatever its class;
 * without one it is of background.  Objects that remain are predicted as background.  Ignored detections and crowd
 * boxes do not count. */
struct confusion {
    int classes;                /* categories of the dataset; the index of background */
    int *count;                 /* [classes + 1][classes + 1]: truth, prediction */
};

/* confusion_free in any case. */
bool confusion_find(struct confusion *, const struct dataset *, const struct detections *, const struct outcomes *,
                    double threshold, struct error *);
void confusion_free(struct confusion *);

static inline int *confusion_cell(const struct confusion *c, int truth, int prediction)
{
    return &c->count[(ptrdiff_t)truth * (c->classes + 1) + prediction];
}
#endif
