/* eval/analysis.h -- what a report says of detections beyond their score: kinds of errors, confusions, calibration,
 * sizes of objects, and the images with most errors. */
#ifndef EVAL_ANALYSIS_H
#define EVAL_ANALYSIS_H
#include "eval/confusion.h"
#include "eval/curves.h"
#include "eval/tide.h"

/* At the threshold of the analysis: wrong detections, which are above it, neither ignored nor take an object; objects
 * that no detection above it takes. */
struct image_errors { int image, wrong, missed; };

enum { OBJECT_SIZES = 3 };      /* small, medium, large: COCO's ranges of the area, whose ends belong to both sides */
const char *object_size_name(int);
const char *object_size_range(int);             /* for people: "up to 32 x 32 pixels" */

struct analysis {
    double threshold;                           /* that of the best mean F1, or ANALYSIS_SCORE if there is none */
    struct tide tide;
    struct confusion confusion;
    struct calibration calibration;
    int objects, objects_of[OBJECT_SIZES];      /* without crowd boxes */
    struct image_errors *worst; int worst_count;        /* images with an error, most errors first */
};
#define ANALYSIS_SCORE 0.35

/* Outcomes and curves are those of the detections.  analysis_free in any case. */
bool analysis_find(struct analysis *, const struct dataset *, const struct detections *, const struct outcomes *,
                   const struct curves *, struct error *);
void analysis_free(struct analysis *);
#endif
