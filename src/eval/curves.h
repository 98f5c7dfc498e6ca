/* eval/curves.h -- precision, recall and F1 over the score above which detections count, the best threshold, and the
 * calibration of scores.  A detection is right if it takes an object (eval/outcomes.h); ignored ones do not count. */
#ifndef EVAL_CURVES_H
#define EVAL_CURVES_H
#include "eval/outcomes.h"

enum { CURVE_POINTS = 1000 };                           /* thresholds 0, 0.001 ... 0.999 */
static inline double curve_threshold(int point) { return (double)point / CURVE_POINTS; }

/* Values per threshold; -1 where undefined: precision without a detection, recall and F1 without an object. */
enum curve_kind { CURVE_PRECISION, CURVE_RECALL, CURVE_F1, CURVE_KINDS };
struct curve { double of[CURVE_KINDS][CURVE_POINTS]; };
const char *curve_name(enum curve_kind);                /* "precision" ... */

/* The threshold of the largest F1, in the middle of the first thresholds that reach it.  All are -1 if F1 is undefined
 * or 0 everywhere. */
struct best_point { double threshold, of[CURVE_KINDS]; };

struct class_curve { int objects; struct curve curve; struct best_point best; };

struct curves {
    struct class_curve *classes; int class_count;       /* in the order of the dataset's categories */
    struct curve mean;                                  /* over the classes with objects, where they are defined */
    struct best_point best;                             /* of the mean */
};

/* curves_free in any case. */
bool curves_find(struct curves *, const struct dataset *, const struct detections *, const struct outcomes *,
                 struct error *);
void curves_free(struct curves *);

/* Scores as probabilities of being right, over all classes, in bins of equal width (reliability diagram).  error is the
 * expected calibration error, the mean of |mean score - fraction right| over detections (Guo et al. 2017; for
 * detections Kueppers et al. 2020); -1 without detections. */
enum { CALIBRATION_BINS = 10 };
struct calibration {
    double error;
    struct calibration_bin { int count; double score, right; } bins[CALIBRATION_BINS];  /* means; -1 in an empty bin */
};
struct calibration calibration_of(const struct detections *, const struct outcomes *);
#endif
