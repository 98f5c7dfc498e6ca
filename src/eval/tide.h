/* eval/tide.h -- kinds of errors and what each costs: TIDE (Bolya et al. 2020, arXiv 2008.08115), figure for figure as
 * its package tidecv 1.0.1 gives them, divided by 100.  An object is found at an IoU of 0.5; an IoU up to 0.1 is
 * background; the first 100 detections of an image count, over all classes. */
#ifndef EVAL_TIDE_H
#define EVAL_TIDE_H
#include "eval/outcomes.h"

enum { TIDE_DETECTIONS = 100 };
#define TIDE_BACKGROUND_IOU 0.1

/* A detection that takes no object has the first of these errors that applies; IoU is with objects, crowds excluded. */
enum tide_error {
    TIDE_LOCALISATION,          /* IoU 0.1 to 0.5 with an object of its class, the nearest one */
    TIDE_CLASSIFICATION,        /* IoU of at least 0.5 with an object of another class */
    TIDE_DUPLICATE,             /* IoU of at least 0.5 with an object that another detection takes */
    TIDE_BACKGROUND,            /* no IoU above 0.1 */
    TIDE_BOTH,                  /* wrong class and IoU 0.1 to 0.5 */
    TIDE_MISSED,                /* an object that no detection takes, or would take but for its class or place */
    TIDE_ERRORS,
    TIDE_NONE = -1              /* of a detection that takes an object, or is not among the first 100 */
};
const char *tide_error_name(enum tide_error);           /* "localisation" ... */
const char *tide_error_meaning(enum tide_error);        /* for people: a few words */

struct tide {
    double ap50;                                        /* mean over classes with an object or a detection */
    struct { int count; double cost; } errors[TIDE_ERRORS];     /* cost: how much ap50 grows without these errors */
    double false_positives, false_negatives;            /* how much ap50 grows without any of them */
    enum tide_error *error;                             /* [detections] */
};

/* As in tidecv, ignored detections have errors too and count.  Scores should differ: the order of equal ones is that of
 * the list here, another one there.  tide_free in any case. */
bool tide_find(struct tide *, const struct dataset *, const struct detections *, const struct outcomes *,
               struct error *);
void tide_free(struct tide *);
#endif
