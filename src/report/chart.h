/* report/chart.h -- the curves of a run as one PNG, drawn from its CSV files: so a resumed run shows all of it. */
#ifndef REPORT_CHART_H
#define REPORT_CHART_H
#include "base/error.h"

enum { CHART_WIDTH = 1400, CHART_HEIGHT = 820 };

/* Losses and learning rate of metrics.csv and the AP values of eval.csv by epoch, counted from 1; a value of eval
 * stands at the end of its epoch.  Many rows are averaged into a few hundred points.  A file that is not there leaves
 * its panels empty.  The same tables give the same image in every build.  Whole or not at all. */
bool chart_write(const char *path, const char *metrics, const char *eval, struct error *);
#endif
