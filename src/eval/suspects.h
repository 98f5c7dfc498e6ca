/* eval/suspects.h -- labels that a trained model disputes, and objects that it sees without a label, the most
 * suspicious first.  The scores follow ObjectLab (Tkachenko, Thyagarajan, Mueller 2023: overlooked, swapped, badly
 * located), with the confidence of each class measured by its own labels.  A detection supports at most one label of
 * its class, with an IoU of at least .5; pairs with the largest IoU x root of the score come first.
 *
 *     c(d)      min(1, score of detection d / median of the scores that support the labels of its class)
 *     o(d, i)   overlap of d with label i: 0 up to an IoU of .3, 1 from .6 on
 *     own(i)    c o of the detection that supports the label; 0 without one
 *
 *     doubled   the IoU with a label before it in the image, from .6 (0) to .85 (1)
 *     class     c o (1 - own^2) of a detection of another class that supports no label
 *     box       (1 - own)(.9 + .1 c (1 - r / 2)) with a detection of its class that supports no label, r being the
 *               distance of the centres in roots of the label's area, at most 2; .9 (1 - own) without one
 *     missing   .75 c of a detection that supports no label, times 1 at an IoU of 0 with all labels down to 0 at .5 */
#ifndef EVAL_SUSPECTS_H
#define EVAL_SUSPECTS_H
#include "data/dataset.h"
#include "eval/detections.h"

enum suspect_kind { SUSPECT_DOUBLED, SUSPECT_CLASS, SUSPECT_BOX, SUSPECT_MISSING, SUSPECT_KINDS };
extern const char *const suspect_names[SUSPECT_KINDS];

struct suspect {
    enum suspect_kind kind;
    int image;
    int annotation;             /* the label, an index into the annotations; missing: -1 */
    int class;                  /* of what the model sees instead; doubled: of the other label; -1: nothing */
    double box[4];              /* likewise; x, y, width, height in pixels of the image */
    double suspicion;           /* 0 to 1 */
    double score;               /* of the detection; doubled: the IoU */
};

struct suspects { struct suspect *list; int count, capacity; };

/* One suspect per label that is trained on, whatever its suspicion, and one per detection without a label whose score
 * is at least a fifth of that median; of several that overlap by .4, the best.  label: the
 * class of each category, or -1.  detections: their category is a class, 0 .. classes - 1.  Boxes to ignore hide the
 * detections of which they contain half.  suspects_free in any case. */
bool find_suspects(struct suspects *, const struct dataset *, const int *label, int classes, const struct detections *,
                   struct error *);
void suspects_free(struct suspects *);
#endif
