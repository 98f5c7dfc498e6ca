/* eval/test_report.h -- the report of a test: report.html for people, report.json for programs. */
#ifndef EVAL_TEST_REPORT_H
#define EVAL_TEST_REPORT_H
#include "base/strbuf.h"
#include "eval/analysis.h"
#include "eval/coco_eval.h"
#include "eval/visdrone_eval.h"

/* All borrowed. */
struct test_report {
    const char *model, *data;                   /* names: of the weights, of the annotations */
    const int *input;                           /* width, height */
    const struct dataset *gt; const char *images;       /* the folder of its images */
    const struct detections *dets;
    const struct coco_score *score;
    const struct visdrone_score *visdrone;      /* NULL: not scored */
    const struct outcomes *outcomes;
    const struct curves *curves;
};

/* Creates the folder and writes both files into it, each as a whole or not at all.  Reads the images that the page
 * shows. */
bool test_report_write(const struct test_report *, const char *folder, struct error *);

/* The parts of it: the analysis is that of the report's detections. */
enum { PAGE_BYTES = 2900000 };                  /* at most; fewer images are shown where they would exceed it */
bool test_report_page(const struct test_report *, const struct analysis *, struct strbuf *page, struct error *);
bool test_report_json(const struct test_report *, const struct analysis *, struct strbuf *text, struct error *);
#endif
