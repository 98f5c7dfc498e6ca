/* eval/report_images.h -- parts of the page of a test report: the confusion matrix and the images with most errors. */
#ifndef EVAL_REPORT_IMAGES_H
#define EVAL_REPORT_IMAGES_H
#include "eval/test_report.h"

/* The matrix if the classes are few, and the most frequent confusions. */
bool report_confusion(struct strbuf *page, const struct test_report *, const struct analysis *, struct error *);

/* Ground truth next to predictions, as many images as fit into PAGE_BYTES, at most a dozen. */
bool report_images(struct strbuf *page, const struct test_report *, const struct analysis *, struct error *);
#endif
