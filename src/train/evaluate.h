/* train/evaluate.h -- scores a model on data.val as the original NanoDet does.  The section `test` of the configuration
 * limits the detections of an image; COCO's rules evaluate them with 1, 10 and 100 detections per image and class.  The
 * detections of a VisDroneDataset are also scored by the rules of its toolkit (eval/visdrone_eval.h).
 * Without any detection the figures are those of an empty list: 0, or -1 where no object counts.  The original skips
 * the evaluation then and reports 0. */
#ifndef TRAIN_EVALUATE_H
#define TRAIN_EVALUATE_H
#include "eval/coco_eval.h"
#include "eval/curves.h"
#include "eval/visdrone_eval.h"
#include "model/model.h"

struct evaluator;

/* Reads the annotations of data.val; model is borrowed.  Exit 2 if they do not match the configuration. */
struct evaluator *evaluator_open(struct model *, const struct policy *, struct error *);
void evaluator_close(struct evaluator *);                       /* may be NULL */
const struct dataset *evaluator_dataset(const struct evaluator *);

struct evaluation {
    struct detections detections;      /* image by image, best first */
    struct coco_score score;            /* its names belong to the evaluator, as do the next ones */
    bool has_visdrone;                  /* data.val is a VisDroneDataset */
    struct visdrone_score visdrone;
    struct outcomes outcomes;           /* of the detections at an IoU of 0.5, and the best threshold */
    struct curves curves;
};
void evaluation_free(struct evaluation *);

const char *save_key_figure(enum save_key);             /* the figure's column in eval.csv: AP, visdrone_AP, ... */
double evaluation_figure(const struct evaluation *, enum save_key);

/* Called after each batch, in the caller's thread; false ends the evaluation, which then fails. */
struct progress_callback { bool (*on_batch)(void *context, int images, int all); void *context; };

/* values: the parameters' values or their average, in the layout of params->value.  An unreadable image is an error.
 * The call allocates and frees the memory of the network.  evaluation_free in any case. */
bool evaluator_run(struct evaluator *, const real *values, const struct progress_callback *, struct evaluation *,
                   struct error *);

/* Writes report.html and report.json into the folder (eval/test_report.h).  model: which weights were evaluated. */
bool evaluation_report(const struct evaluator *, const struct evaluation *, const char *model, const char *folder,
                       struct error *);
#endif
