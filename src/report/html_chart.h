/* report/html_chart.h -- charts of a page (report/html.h) as SVG elements.  A chart has the width of its column.  Its
 * title is the text for those who do not see it. */
#ifndef REPORT_HTML_CHART_H
#define REPORT_HTML_CHART_H
#include "base/strbuf.h"

/* A curve; a point whose y is negative or not finite is undefined and interrupts it. */
struct html_line {
    const char *name;                   /* in the legend; NULL: none, and the line is thin and grey */
    const double *x, *y; int count;
    bool strong;                        /* thick, in the colour of the text: the mean of the others */
};

/* Axes from 0 to x_max and to y_max, above 0.  mark: the x of a vertical line with its value; 0: none. */
struct html_axes { const char *title, *x_name, *y_name; double x_max, y_max, mark; };
void html_line_chart(struct strbuf *, const struct html_axes *, const struct html_line *, int count);

/* A horizontal bar per row: its name, the bar and its text behind it.  Values are at least 0; the largest one fills the
 * width. */
struct html_bar { const char *name; double value; const char *text; };
void html_bar_chart(struct strbuf *, const char *title, const struct html_bar *, int count);

/* A map of count x count numbers, 0 or more: [row][column], with their names and the title as caption.  The shade of a
 * number is its fraction of the row; its text and names appear under the pointer.  For up to a hundred names. */
void html_matrix(struct strbuf *, const char *title, const char *const *names, int count, const int *numbers);

/* Upright bars next to each other, such as a histogram: each with its name below and its value above, in full.  Every
 * n-th name is left out where names would overlap. */
void html_histogram(struct strbuf *, const char *title, const char *x_name, const struct html_bar *, int count);
#endif
