/* eval/score_report.h -- a score of either protocol, as JSON for programs and as a table for people. */
#ifndef EVAL_SCORE_REPORT_H
#define EVAL_SCORE_REPORT_H
#include "base/strbuf.h"
#include "eval/coco_eval.h"
#include "eval/curves.h"
#include "eval/visdrone_eval.h"

struct report_class { int64_t id; const char *name; double ap, ap50; };

struct score_report {
    int figure_count;
    const char *names[COCO_FIGURES];
    double figures[COCO_FIGURES];               /* 0 to 1, -1 where undefined */
    bool has_class_mean;                        /* VisDrone */
    double class_mean[COCO_FIGURES];
    struct report_class *classes; int class_count;
    const struct curves *curves;                /* of these classes; NULL: none */
    const struct score_report *visdrone;        /* the same detections by the toolkit's rules; NULL: not scored */
};

/* Names of classes remain the dataset's. */
bool report_coco(struct score_report *, const struct coco_score *, struct error *);
bool report_visdrone(struct score_report *, const struct visdrone_score *, struct error *);
void report_free(struct score_report *);

/* {"AP": ..., each figure, "class_mean": {...} of VisDrone, "per_class": [{"id", "name", "AP", "AP50"}, ...]}, and
 * "visdrone": {...}, the same object of the second report, if there is one. */
bool report_json(const struct score_report *, struct strbuf *, struct error *);

/* Adds a figure with so many decimals, right-aligned in width characters: "-" where it is undefined, -1. */
void report_figure(struct strbuf *, int width, int decimals, double figure);

/* Precision, recall, then one line per class; a dash where undefined.  With curves, classes also have their number of
 * objects and their best F1 with its threshold, and a line has the best threshold for all classes.  The second report
 * follows under a heading. */
void report_table(const struct score_report *, struct strbuf *);
#endif
