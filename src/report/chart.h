/* report/chart.h -- the curves of a run as one PNG, drawn from its CSV files, so they include the time before a
 * resume. */
#ifndef REPORT_CHART_H
#define REPORT_CHART_H
#include "base/error.h"

enum { CHART_WIDTH = 1400, CHART_HEIGHT = 820 };

/* Losses and learning rate of metrics.csv and the AP values of eval.csv, of both protocols, over epochs, counted from
 * 1; values of eval.csv are drawn at the end of their epoch.  Many rows are averaged into a few hundred points.  The
 * panels of a missing file are empty.  The same tables give the same image in every build.  The file is written as a
 * whole or not at all. */
bool chart_write(const char *path, const char *metrics, const char *eval, struct error *);
#endif
